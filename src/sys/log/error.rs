//! Why a log could not be opened, as a sentence and an exit code.

use super::options::Target;
use crate::domain::lang::Lang;
use crate::sys::shelter;
use crate::view::words::one_line;
use std::io::{self, ErrorKind};

/// Targets that could not be opened, or a log that could not run at all.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence(Lang::En))]
pub struct LogError {
    faults: Vec<Fault>,
}

#[derive(Debug)]
pub(super) enum Fault {
    /// A target cannot be opened.
    Target(Target, io::Error),
    /// The writer's thread cannot be started.
    Thread(io::Error),
    /// The log has been closed.
    Closed,
}

impl LogError {
    pub(super) fn new(faults: Vec<Fault>) -> LogError {
        LogError { faults }
    }

    /// What failed, where, why, and what to do about it; several are joined by `; `.
    pub fn sentence(&self, lang: Lang) -> String {
        let all: Vec<String> = self.faults.iter().map(|fault| fault.sentence(lang)).collect();
        let joined = all.join(match lang {
            Lang::En => "; ",
            Lang::Zh => "；",
        });
        one_line(&joined).into_owned()
    }

    /// The exit code after sysexits: 66 a missing directory, 69 no such service, 74 input/output, 77 no permission.
    pub fn exit_code(&self) -> u8 {
        self.faults.first().map_or(74, Fault::exit_code)
    }
}

impl Fault {
    fn exit_code(&self) -> u8 {
        match self {
            Fault::Target(_, error) if error.kind() == ErrorKind::PermissionDenied => 77,
            Fault::Target(Target::Syslog | Target::Journal, _) => 69,
            Fault::Target(Target::File(_), error) if error.kind() == ErrorKind::NotFound => 66,
            Fault::Target(..) | Fault::Thread(_) | Fault::Closed => 74,
        }
    }

    fn sentence(&self, lang: Lang) -> String {
        match (self, lang) {
            (Fault::Target(target, error), Lang::En) => {
                format!("cannot open log target {target}: {error}; {}", advice(target, error, lang))
            }
            (Fault::Target(target, error), Lang::Zh) => {
                format!("无法打开日志目标 {target}：{error}；{}", advice(target, error, lang))
            }
            (Fault::Thread(error), Lang::En) => {
                format!("cannot start the thread that writes the log: {error}; raise the limit on tasks")
            }
            (Fault::Thread(error), Lang::Zh) => format!("无法启动日志写入线程：{error}；请提高任务数上限"),
            (Fault::Closed, Lang::En) => "the log is closed: the server is stopping".into(),
            (Fault::Closed, Lang::Zh) => "日志已关闭：服务器正在停止".into(),
        }
    }
}

fn advice(target: &Target, error: &io::Error, lang: Lang) -> String {
    let folder = match target {
        Target::File(path) => path.parent().map(|p| p.display().to_string()).unwrap_or_default(),
        _ => String::new(),
    };
    let no_reader = error.raw_os_error() == Some(nix::libc::ENXIO);
    match (target, error.kind(), lang) {
        (Target::File(_), ErrorKind::NotFound, Lang::En) => {
            format!("create the directory {folder} or choose another file under [log] targets")
        }
        (Target::File(_), ErrorKind::NotFound, Lang::Zh) => {
            format!("请创建目录 {folder}，或在 [log] targets 中另选文件")
        }
        (Target::File(path), ErrorKind::PermissionDenied, lang) if !shelter::admits_writing(path) => lang
            .pick(
                "the server has confined itself (Landlock) to the folders that it had at its start: \
                 restart it to log there",
                "服务器启动时已用 Landlock 将自身限制在当时的目录内：请重启后再写入该处",
            )
            .into(),
        (_, ErrorKind::PermissionDenied, Lang::En) => {
            "let the user the server runs as write there, or choose another target".into()
        }
        (_, ErrorKind::PermissionDenied, Lang::Zh) => "请授予服务器运行用户写权限，或另选日志目标".into(),
        (Target::File(_), _, Lang::En) if no_reader => "start the reader of the FIFO first".into(),
        (Target::File(_), _, Lang::Zh) if no_reader => "请先启动该 FIFO 的读取程序".into(),
        (Target::File(_), _, Lang::En) => "choose a plain file under [log] targets".into(),
        (Target::File(_), _, Lang::Zh) => "请在 [log] targets 中指定普通文件".into(),
        (Target::Syslog, _, Lang::En) => {
            "start a syslog service such as rsyslog, or choose another target".into()
        }
        (Target::Syslog, _, Lang::Zh) => "请启动 syslog 服务（如 rsyslog），或另选日志目标".into(),
        (Target::Journal, _, Lang::En) => {
            "this needs systemd's journal; without it choose stderr or file:PATH".into()
        }
        (Target::Journal, _, Lang::Zh) => "需要 systemd 日志服务；没有时请选 stderr 或 file:路径".into(),
        (Target::Stderr, _, Lang::En) => "choose another target".into(),
        (Target::Stderr, _, Lang::Zh) => "请另选日志目标".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(target: &str, errno: i32) -> LogError {
        let target = target.parse().unwrap();
        LogError::new(vec![Fault::Target(target, io::Error::from_raw_os_error(errno))])
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
            "无法打开日志目标 syslog：No such file or directory (os error 2)；\
             请启动 syslog 服务（如 rsyslog），或另选日志目标"
        );
    }
}
