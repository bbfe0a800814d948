//! Why a log could not be opened, as a sentence and an exit code.

use super::options::Target;
use crate::domain::lang::Lang;
use crate::i18n;
use crate::sys::sandbox;
use crate::view::words::one_line;
use std::io::{self, ErrorKind};

/// Targets that could not be opened, or a log that could not run at all.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence(Lang::En))]
pub struct LogError {
    faults: Vec<LogErrorKind>,
}

#[derive(Debug)]
pub(super) enum LogErrorKind {
    /// A target cannot be opened.
    Target(Target, io::Error),
    /// The writer's thread cannot be started.
    Thread(io::Error),
    /// The log has been closed.
    Closed,
}

impl LogError {
    pub(super) fn new(faults: Vec<LogErrorKind>) -> LogError {
        LogError { faults }
    }

    /// What failed, where, why, and what to do about it; several are joined by `; `.
    pub fn sentence(&self, lang: Lang) -> String {
        let all: Vec<String> = self.faults.iter().map(|fault| fault.sentence(lang)).collect();
        let joined = all.join(i18n::sys::SEMICOLON.in_lang(lang));
        one_line(&joined).into_owned()
    }

    /// The exit code after sysexits: 66 a missing directory, 69 no such service, 74 input/output, 77 no permission.
    pub fn exit_code(&self) -> u8 {
        self.faults.first().map_or(74, LogErrorKind::exit_code)
    }
}

impl LogErrorKind {
    fn exit_code(&self) -> u8 {
        match self {
            LogErrorKind::Target(_, error) if error.kind() == ErrorKind::PermissionDenied => 77,
            LogErrorKind::Target(Target::Syslog | Target::Journal, _) => 69,
            LogErrorKind::Target(Target::File(_), error) if error.kind() == ErrorKind::NotFound => 66,
            LogErrorKind::Target(..) | LogErrorKind::Thread(_) | LogErrorKind::Closed => 74,
        }
    }

    fn sentence(&self, lang: Lang) -> String {
        match self {
            LogErrorKind::Target(target, error) => {
                i18n::sys::cannot_open_log_target(&target, &error, &advice(target, error, lang)).in_lang(lang)
            }

            LogErrorKind::Thread(error) => i18n::sys::cannot_start_thread_writes(&error).in_lang(lang),

            LogErrorKind::Closed => i18n::sys::LOG_CLOSED_SERVER_STOPPING.in_lang(lang).to_string(),
        }
    }
}

fn advice(target: &Target, error: &io::Error, lang: Lang) -> String {
    let folder = match target {
        Target::File(path) => path.parent().map(|p| p.display().to_string()).unwrap_or_default(),
        _ => String::new(),
    };
    let no_reader = error.raw_os_error() == Some(nix::libc::ENXIO);
    match (target, error.kind()) {
        (Target::File(_), ErrorKind::NotFound) => {
            i18n::sys::create_directory_choose_another(&folder).in_lang(lang)
        }

        (Target::File(path), ErrorKind::PermissionDenied) if !sandbox::admits_writing(path) => {
            i18n::sys::LOG_CONFINED.in_lang(lang).into()
        }
        (_, ErrorKind::PermissionDenied) => i18n::sys::LET_USER_SERVER_RUNS.in_lang(lang).to_string(),

        (Target::File(_), _) if no_reader => i18n::sys::START_READER_FIFO_FIRST.in_lang(lang).to_string(),

        (Target::File(_), _) => i18n::sys::CHOOSE_PLAIN_FILE_UNDER.in_lang(lang).to_string(),

        (Target::Syslog, _) => i18n::sys::START_SYSLOG_SERVICE_SUCH.in_lang(lang).to_string(),

        (Target::Journal, _) => i18n::sys::NEEDS_SYSTEMDS_JOURNAL_WITHOUT.in_lang(lang).to_string(),

        (Target::Stderr, _) => i18n::sys::CHOOSE_ANOTHER_TARGET.in_lang(lang).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(target: &str, errno: i32) -> LogError {
        let target = target.parse().unwrap();
        LogError::new(vec![LogErrorKind::Target(target, io::Error::from_raw_os_error(errno))])
    }

    #[test]
    fn an_error_names_target_reason_and_remedy_in_both_languages() {
        use nix::libc::{EACCES, EISDIR, ENOENT, ENXIO};
        let table = [
            (
                error("file:/no/where/x.log", ENOENT),
                66,
                "cannot open log target file:/no/where/x.log: No such file or directory (os error 2); \
                 create the directory /no/where or choose another file under [log] targets",
            ),
            (
                error("file:/root/x.log", EACCES),
                77,
                "cannot open log target file:/root/x.log: Permission denied (os error 13); \
                 let the user the server runs as write there, or choose another target",
            ),
            (
                error("file:/tmp", EISDIR),
                74,
                "cannot open log target file:/tmp: Is a directory (os error 21); \
                 choose a plain file under [log] targets",
            ),
        ];
        for (error, code, sentence) in table {
            assert_eq!(error.exit_code(), code);
            assert_eq!(error.to_string(), sentence);
        }
        assert!(error("file:/tmp/fifo", ENXIO).to_string().ends_with("start the reader of the FIFO first"));
        assert_eq!(error("syslog", ENOENT).exit_code(), 69);
        assert_eq!(error("journal", ENOENT).exit_code(), 69);
        assert_eq!(error("journal", EACCES).exit_code(), 77);
        assert_eq!(
            error("syslog", ENOENT).sentence(Lang::Zh),
            "无法打开日志目标 syslog：文件或目录不存在 (os error 2)；\
             请启动 syslog 服务（如 rsyslog），或另选日志目标"
        );
    }
}
