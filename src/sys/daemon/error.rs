//! Why a daemon cannot go into the background, as sentences.

use crate::domain::lang::Lang;
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
        match (self, lang) {
            (DaemonError::Supervised, Lang::En) => "--daemon cannot be used under a service manager (systemd, launchd): \
                it would lose sight of the server; leave --daemon out of its unit"
                .into(),
            (DaemonError::Supervised, Lang::Zh) => {
                "--daemon 不能在服务管理器（systemd、launchd）下使用，否则它会失去对服务的掌控；请从其单元中去掉 --daemon".into()
            }
            (DaemonError::Locked { path, pid }, Lang::En) => {
                let pid = pid.map(|p| format!(" (pid {p})")).unwrap_or_default();
                format!(
                    "pid file {}: another server{pid} holds it; stop that one, or give this one its own --pid-file",
                    path.display()
                )
            }
            (DaemonError::Locked { path, pid }, Lang::Zh) => {
                let pid = pid.map(|p| format!("（进程号 {p}）")).unwrap_or_default();
                format!(
                    "进程号文件 {}：已被另一个服务{pid}占用；请停止它，或用 --pid-file 另指定一个文件",
                    path.display()
                )
            }
            (DaemonError::PidFile { path, source }, Lang::En) => format!(
                "pid file {}: {source}; choose another --pid-file in a directory that exists and is writable",
                path.display()
            ),
            (DaemonError::PidFile { path, source }, Lang::Zh) => format!(
                "进程号文件 {}：{source}；请用 --pid-file 指定一个存在且可写的目录中的文件",
                path.display()
            ),
            (DaemonError::NoDirectory { path }, Lang::En) => {
                format!("{}: the current directory is gone; write the path from / on", path.display())
            }
            (DaemonError::NoDirectory { path }, Lang::Zh) => {
                format!("{}：当前目录已不存在；请写以 / 开头的完整路径", path.display())
            }
            (DaemonError::System { reason }, Lang::En) => {
                format!("cannot go into the background: {reason}; run without --daemon to see more")
            }
            (DaemonError::System { reason }, Lang::Zh) => {
                format!("无法转入后台：{reason}；请去掉 --daemon 运行以查看详情")
            }
        }
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for DaemonError {}
