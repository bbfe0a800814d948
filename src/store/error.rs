//! What can go wrong with a store, in words for people.

use crate::domain::lang::Lang;
use crate::domain::sentence::{Audience, Sentence};
use crate::i18n::{self, Text};
use std::io;
use std::path::PathBuf;

/// Why something could not be kept, or not be read again.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.fault_to(Audience::Own).say(Lang::En))]
pub enum StoreError {
    /// The disk, or the quota on it, is full.
    Full {
        /// The file that was being written.
        path: PathBuf,
    },
    /// The state may not be written: a read-only file system, or no permission.
    Denied {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Any other failure of the system.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done, e.g. `fdatasync`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What stands in a file is not what we wrote, and what is readable cannot be told from what is not.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file was written by a later version of the program.
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
}

impl StoreError {
    /// Sorts an error of the system.
    pub fn io(path: impl Into<PathBuf>, doing: &'static str, source: io::Error) -> StoreError {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::Denied { path, source }
            }
            _ => StoreError::Io { path, doing, source },
        }
    }

    /// Whether it is for want of room.
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Full { .. })
    }

    /// The exit code of sysexits(3), where the daemon cannot start for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            StoreError::Denied { .. } => 77,
            _ => 74,
        }
    }

    /// What failed, where, and what to do.
    pub fn text(&self) -> Text {
        self.to(Audience::Own)
    }

    /// The same, and as strangers are told.
    pub fn said(&self) -> Sentence {
        Sentence::of(|to| self.to(to))
    }

    /// What failed, without advice.
    pub fn fault(&self) -> Sentence {
        Sentence::of(|to| self.fault_to(to))
    }

    fn fault_to(&self, to: Audience) -> Text {
        match self {
            StoreError::Full { path } => i18n::store::no_space_left(&to.path(path)),
            StoreError::Denied { path, source } => {
                i18n::store::not_allowed(&to.path(path), &to.error(source))
            }
            StoreError::Io { path, doing, source } => {
                i18n::store::system_failed(&to.path(path), doing, &to.error(source))
            }
            StoreError::Damaged { path, offset, reason } => {
                let reason = to.words(reason, i18n::store::NOT_WHAT_WRITTEN);
                i18n::store::damaged_at(&to.path(path), offset, &reason)
            }
            StoreError::TooNew { path, found, known } => {
                i18n::store::written_by_later_version(&to.path(path), found, known)
            }
        }
    }

    fn to(&self, to: Audience) -> Text {
        let advice = match self {
            StoreError::Full { .. } => i18n::store::MAKE_ROOM_DISK,
            StoreError::Denied { .. } => i18n::store::MAKE_WRITABLE_SERVICES_USER,
            StoreError::Io { .. } => i18n::store::CHECK_DISK,
            StoreError::Damaged { .. } => i18n::store::MOVE_FILE_AWAY_RESTORE,
            StoreError::TooNew { .. } => i18n::store::INSTALL_VERSION_AGAIN,
        };
        let what = i18n::store::CANNOT_KEEP_STATE.into();
        i18n::store::what_and_advice(&what, &self.fault_to(to), &advice.into())
    }
}
