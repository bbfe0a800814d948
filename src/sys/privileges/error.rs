//! Why privileges cannot be given up, as sentences.

use crate::domain::lang::Lang;
use crate::i18n;
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
        match self {
            PrivilegeError::NotRoot => i18n::sys::USER_GROUP_NEED_ROOT.in_lang(lang).to_string(),

            PrivilegeError::UnknownUser { user } => i18n::sys::user_no_such_account(&user).in_lang(lang),

            PrivilegeError::UnknownGroup { group } => i18n::sys::group_no_such_group(&group).in_lang(lang),

            PrivilegeError::NoGroup { user } => i18n::sys::user_number_without_account(&user).in_lang(lang),

            PrivilegeError::NotDropped => i18n::sys::ROOT_COULD_REGAINED_AFTER.in_lang(lang).to_string(),

            PrivilegeError::Own { path, source } => {
                i18n::sys::cannot_give_user_user(&path.display(), &source).in_lang(lang)
            }

            PrivilegeError::System { step, source } => {
                i18n::sys::cannot_give_up_root(&step, &source).in_lang(lang)
            }
        }
    }
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for PrivilegeError {}
