//! What the log is asked to do.

use crate::domain::lang::Lang;
use crate::domain::notice::Level;
use crate::i18n::ParseError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use crate::view::line::Format;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard error.
    Stderr,
    /// systemd's journal, over its native socket.
    Journal,
    /// The local syslog, over /dev/log.
    Syslog,
    /// A file, appended to.
    File(PathBuf),
}

/// A target and what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetOptions {
    /// Where lines go.
    pub target: Target,
    /// Whether beats go there too; notices always do.
    pub beats: bool,
}

/// The `[log]` of the configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct LogOptions {
    /// Where lines go; at least one, none of them twice.
    pub targets: Vec<TargetOptions>,
    /// How they look.
    pub format: Format,
    /// Their language.
    pub lang: Lang,
    /// The least important notice that is written.
    pub level: Level,
    /// A file target never grows beyond this: it is set aside and a new one begun. 0: it may.
    pub file_bytes_max: u64,
    /// How many files set aside are kept.
    pub file_keep: u32,
    /// The name of the program in the journal and in syslog.
    pub identifier: &'static str,
}

impl LogOptions {
    /// The files among the targets.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.targets.iter().filter_map(|one| match &one.target {
            Target::File(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// Whether any target takes beats.
    pub fn beats(&self) -> bool {
        self.targets.iter().any(|target| target.beats)
    }
}

impl FromStr for Target {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Target, ParseError> {
        match text {
            "stderr" => Ok(Target::Stderr),
            "journal" => Ok(Target::Journal),
            "syslog" => Ok(Target::Syslog),
            _ => match text.strip_prefix("file:") {
                Some(path) if !path.is_empty() => Ok(Target::File(path.into())),
                _ => Err(ParseError::NotLogTarget),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stderr => f.write_str("stderr"),
            Target::Journal => f.write_str("journal"),
            Target::Syslog => f.write_str("syslog"),
            Target::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            targets: vec![TargetOptions { target: Target::Stderr, beats: true }],
            format: Format::Classic,
            lang: Lang::En,
            level: Level::Info,
            file_bytes_max: 100 * 1024 * 1024,
            file_keep: 7,
            identifier: super::syslog::IDENTIFIER,
        }
    }
}
