//! Why privileges cannot be given up, as sentences.

use crate::domain::lang::Lang;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the privileges stay as they are.
#[derive(Debug)]
pub enum PrivilegeError {
    /// Only root can become another.
    NotRoot,
    /// No such user.
    UnknownUser {
        /// As it was written.
        user: String,
    },
    /// No such group.
    UnknownGroup {
        /// As it was written.
        group: String,
    },
    /// A user number without an account, and no group beside it.
    NoGroup {
        /// As it was written.
        user: String,
    },
    /// The way back was open.
    NotDropped,
    /// A path could not be given away.
    Own {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A step failed.
    System {
        /// The system call or function.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl PrivilegeError {
    /// The exit code, as in sysexits.h.
    pub fn exit_code(&self) -> u8 {
        match self {
            PrivilegeError::UnknownUser { .. }
            | PrivilegeError::UnknownGroup { .. }
            | PrivilegeError::NoGroup { .. } => 67,
            PrivilegeError::NotRoot
            | PrivilegeError::NotDropped
            | PrivilegeError::Own { .. }
            | PrivilegeError::System { .. } => 77,
        }
    }

    /// The sentence for the person who started us.
    pub fn sentence(&self, lang: Lang) -> String {
        match (self, lang) {
            (PrivilegeError::NotRoot, Lang::En) => {
                "--user and --group need root; start as root, or leave them out and start as that user".into()
            }
            (PrivilegeError::NotRoot, Lang::Zh) => {
                "--user 和 --group 需要 root 权限；请以 root 身份启动，或去掉它们并直接以该用户启动".into()
            }
            (PrivilegeError::UnknownUser { user }, Lang::En) => {
                format!(
                    "user {user}: no such account; make it (useradd --system {user}) or name another with --user"
                )
            }
            (PrivilegeError::UnknownUser { user }, Lang::Zh) => {
                format!("用户 {user} 不存在；请创建它（useradd --system {user}）或用 --user 指定其他用户")
            }
            (PrivilegeError::UnknownGroup { group }, Lang::En) => {
                format!(
                    "group {group}: no such group; make it (groupadd --system {group}) or name another with --group"
                )
            }
            (PrivilegeError::UnknownGroup { group }, Lang::Zh) => {
                format!(
                    "用户组 {group} 不存在；请创建它（groupadd --system {group}）或用 --group 指定其他用户组"
                )
            }
            (PrivilegeError::NoGroup { user }, Lang::En) => {
                format!("user {user}: a number without an account has no group of its own; add --group")
            }
            (PrivilegeError::NoGroup { user }, Lang::Zh) => {
                format!("用户 {user}：没有账户的编号没有所属用户组；请加上 --group")
            }
            (PrivilegeError::NotDropped, Lang::En) => {
                "root could be regained after it was given up; not going on: \
                 check the security policy of this system, or start as the user itself"
                    .into()
            }
            (PrivilegeError::NotDropped, Lang::Zh) => {
                "放弃 root 权限后仍可恢复，已停止启动；请检查系统的安全策略，或直接以该用户启动".into()
            }
            (PrivilegeError::Own { path, source }, Lang::En) => format!(
                "cannot give {} to the user of --user: {source}; put it on a file system where root may do that",
                path.display()
            ),
            (PrivilegeError::Own { path, source }, Lang::Zh) => format!(
                "无法把 {} 交给 --user 指定的用户：{source}；请把它放在 root 可以更改属主的文件系统上",
                path.display()
            ),
            (PrivilegeError::System { step, source }, Lang::En) => format!(
                "cannot give up root: {step}: {source}; a container or security policy may forbid it: \
                 start as the user itself, without --user"
            ),
            (PrivilegeError::System { step, source }, Lang::Zh) => format!(
                "无法放弃 root 权限：{step}：{source}；可能是容器或安全策略不允许：请去掉 --user，直接以该用户启动"
            ),
        }
    }
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for PrivilegeError {}
