//! What is wrong with a configuration, where, and how it is said.
//!
//! Every error is one line, `file:line: key: reason`; a flag or a variable of the environment stands in place of
//! `file:line` when it is the culprit. Reasons carry both languages from where they arise, because which one is
//! wanted is known only when everything has been read.

use crate::domain::lang::Lang;
use crate::i18n;
use crate::i18n::Text;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// sysexits: the command line is wrong.
pub(crate) const EX_USAGE: u8 = 64;
/// sysexits: a file is missing.
pub(crate) const EX_NOINPUT: u8 = 66;
/// sysexits: reading failed.
pub(crate) const EX_IOERR: u8 = 74;
/// sysexits: no permission.
pub(crate) const EX_NOPERM: u8 = 77;
/// sysexits: the configuration is wrong.
pub(crate) const EX_CONFIG: u8 = 78;

/// Most errors, and most warnings, that are kept: a person reads no more, and a file can hold a million.
const FINDINGS_MAX: usize = 200;

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingOrigin {
    /// A line, counted from 1, of a file.
    Line(Arc<Path>, usize),
    /// A file as a whole.
    File(PathBuf),
    /// A flag or a variable of the environment, as it is written.
    Named(&'static str),
    /// Nowhere in particular.
    Nowhere,
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingOrigin::Line(path, line) => write!(f, "{}:{line}", path.display()),
            SettingOrigin::File(path) => path.display().fmt(f),
            SettingOrigin::Named(name) => f.write_str(name),
            SettingOrigin::Nowhere => Ok(()),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyError {
    /// Where it stands.
    pub(crate) place: SettingOrigin,
    /// The dotted key; empty when the place says it all.
    pub(crate) key: String,
    /// Why it is wrong and what to write instead.
    pub(crate) reason: Text,
    /// The exit code it asks for.
    pub(crate) exit_code: u8,
}

/// Collects errors and warnings while everything is read, so that all of them are told at once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: RefCell<Vec<KeyError>>,
    warnings: RefCell<Vec<Text>>,
    /// Files of secrets may be missing.
    offline: bool,
    /// What the other files define is unknown.
    fragment: bool,
}

/// Why there are no settings: every error that was found, in the order of the files and their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    lang: Lang,
    errors: Vec<KeyError>,
}

impl ConfigError {
    /// The exit code (sysexits) of the first error: 64 a flag, 66 a missing file, 74 reading failed, 77 no
    /// permission, 78 anything else.
    pub fn exit_code(&self) -> u8 {
        self.errors.first().map_or(EX_CONFIG, |error| error.exit_code)
    }

    /// The language to speak, as far as it could be told in spite of the errors.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// One line for each error, `file:line: key: reason`, without a newline at the end.
    pub fn sentence(&self, lang: Lang) -> String {
        self.errors.iter().map(|error| error.line(lang)).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(self.lang))
    }
}

impl std::error::Error for ConfigError {}

impl KeyError {
    fn line(&self, lang: Lang) -> String {
        let mut line = match &self.place {
            SettingOrigin::Nowhere => String::new(),
            place => format!("{place}: "),
        };
        if !self.key.is_empty() {
            line.push_str(&self.key);
            line.push_str(": ");
        }
        line.push_str(self.reason.say(lang));
        line
    }
}

impl Findings {
    /// For a check of files elsewhere than where they will be used: `offline` without their secrets, `fragment` without the
    /// other files.
    pub(crate) fn of_check(offline: bool, fragment: bool) -> Findings {
        Findings { offline, fragment, ..Findings::default() }
    }

    /// Whether the other files of the configuration, and what they define, are not read.
    pub(crate) fn is_fragment(&self) -> bool {
        self.fragment
    }

    /// Whether a file of secrets or certificates may be missing here.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline
    }

    /// Notes that something was left unchecked, as it is not here.
    pub(crate) fn not_here(&self, place: &SettingOrigin, key: &str, what: &str) {
        let text = i18n::config::not_here_not_checked(&what);
        self.warn(place, key, text);
    }

    /// Notes an error of the configuration.
    pub(crate) fn reject(&self, place: SettingOrigin, key: impl Into<String>, reason: Text) {
        self.reject_with_code(place, key, reason, EX_CONFIG);
    }

    /// Notes an error that asks for another exit code.
    pub(crate) fn reject_with_code(
        &self,
        place: SettingOrigin,
        key: impl Into<String>,
        reason: Text,
        exit_code: u8,
    ) {
        let mut errors = self.errors.borrow_mut();
        match errors.len().cmp(&FINDINGS_MAX) {
            Ordering::Less => errors.push(KeyError { place, key: key.into(), reason, exit_code }),
            Ordering::Equal => errors.push(KeyError {
                place: SettingOrigin::Nowhere,
                key: String::new(),
                reason: i18n::config::TOO_MANY_FAULTS_REST.into(),
                exit_code: EX_CONFIG,
            }),
            Ordering::Greater => {}
        }
    }

    /// Whether there is an error of a certain place and key.
    pub(crate) fn has_rejected(&self, is_it: impl Fn(&SettingOrigin, &str) -> bool) -> bool {
        self.errors.borrow().iter().any(|error| is_it(&error.place, &error.key))
    }

    /// Notes that a file could not be read.
    pub(crate) fn unreadable(
        &self,
        place: SettingOrigin,
        key: impl Into<String>,
        what: &Path,
        error: &io::Error,
    ) {
        let (why, exit_code) = match error.kind() {
            io::ErrorKind::NotFound => (i18n::config::NO_SUCH_FILE.into(), EX_NOINPUT),
            io::ErrorKind::PermissionDenied => (i18n::config::NO_PERMISSION_READ_CHECK.into(), EX_NOPERM),
            io::ErrorKind::IsADirectory => (i18n::config::DIRECTORY_NOT_FILE.into(), EX_NOINPUT),
            _ => (i18n::config::cannot_read(&error), EX_IOERR),
        };
        let reason = match &place {
            // The place already names the file.
            SettingOrigin::File(file) if file == what => why,
            _ => i18n::config::file_fault(&what.display(), &why),
        };
        self.reject_with_code(place, key, reason, exit_code);
    }

    /// Notes something that works but is hardly meant.
    pub(crate) fn warn(&self, place: &SettingOrigin, key: &str, text: Text) {
        if self.warnings.borrow().len() >= FINDINGS_MAX {
            return;
        }
        let line = |lang: Lang| {
            let reason = text.clone();
            KeyError { place: place.clone(), key: key.into(), reason, exit_code: EX_CONFIG }.line(lang)
        };
        self.warnings.borrow_mut().push(Text::of(line));
    }

    /// The warnings in one language; an error if there was any error. Faults of flags and variables come first, then
    /// those of the files in the order in which they were read, each from its top down.
    pub(crate) fn into_warnings(self, lang: Lang, sources: &[PathBuf]) -> Result<Vec<String>, ConfigError> {
        let mut errors = self.errors.into_inner();
        let rank = |path: &Path| sources.iter().position(|source| source == path).unwrap_or(sources.len());
        errors.sort_by_key(|error| match &error.place {
            SettingOrigin::Named(_) => (0, 0, 0),
            SettingOrigin::Line(path, line) => (1, rank(path), *line),
            SettingOrigin::File(path) => (1, rank(path), 0),
            SettingOrigin::Nowhere => (2, 0, 0),
        });
        if errors.is_empty() {
            Ok(self.warnings.into_inner().iter().map(|w| w.say(lang).to_string()).collect())
        } else {
            Err(ConfigError { lang, errors })
        }
    }
}
