//! Why a daemon cannot go into the background, as sentences.

use crate::domain::lang::Lang;
use crate::i18n;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the daemon cannot go into the background.
#[derive(Debug)]
pub enum DaemonError {
    /// A service manager started us and would lose sight of us.
    Supervised,
    /// Another daemon holds the pid file.
    Locked {
        /// The pid file.
        path: PathBuf,
        /// The number in it.
        pid: Option<u32>,
    },
    /// The pid file cannot be written.
    PidFile {
        /// The pid file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A relative path, and no current directory to take it from.
    NoDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The system did not let us fork, or some step after it failed.
    System {
        /// What failed.
        reason: String,
    },
}

impl DaemonError {
    /// The exit code, as in sysexits.h.
    pub fn exit_code(&self) -> u8 {
        match self {
            DaemonError::Supervised => 64,
            DaemonError::Locked { .. } => 69,
            DaemonError::PidFile { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 77,
            DaemonError::PidFile { .. } | DaemonError::NoDirectory { .. } | DaemonError::System { .. } => 74,
        }
    }

    /// The sentence for the person who started us.
    pub fn sentence(&self, lang: Lang) -> String {
        match self {
            DaemonError::Supervised => i18n::sys::DAEMON_CANNOT_USED_UNDER.in_lang(lang).to_string(),

            DaemonError::Locked { path, pid } => {
                let pid = pid.map(|pid| i18n::sys::pid(&pid)).unwrap_or_default();
                i18n::sys::pid_file_held(&path.display(), &pid).in_lang(lang)
            }
            DaemonError::PidFile { path, source } => {
                i18n::sys::pid_file_choose_another(&path.display(), &source).in_lang(lang)
            }

            DaemonError::NoDirectory { path } => {
                i18n::sys::current_directory_gone_write(&path.display()).in_lang(lang)
            }

            DaemonError::System { reason } => i18n::sys::cannot_go_into_background(&reason).in_lang(lang),
        }
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for DaemonError {}
