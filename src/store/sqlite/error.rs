//! Errors of SQLite, sorted into what a person can do about it.

use crate::store::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi;
use std::io;
use std::path::Path;

/// What stands in the file is not what we wrote. SQLite does not say where.
pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: path.into(), offset: 0, reason: reason.into() }
}

/// Sorts one.
pub(super) fn sqlite_error(path: &Path, doing: &'static str, error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    let (code, extended) = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => (failure.code, failure.extended_code),
        // A value that is not of the type we wrote there, or a table that is not as we made it.
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => return damaged(path, text),
        _ => return StoreError::Io { path: path.into(), doing, source: io::Error::other(text) },
    };
    match code {
        ErrorCode::DiskFull => StoreError::Full { path: path.into() },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => damaged(path, text),
        // Our statements fit our tables: these tell of a schema, or an index, that is not what we wrote.
        ErrorCode::Unknown | ErrorCode::ConstraintViolation => damaged(path, text),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => denied(path, text),
        // It does not say why; trying it ourselves does.
        ErrorCode::CannotOpen => why_not(path).unwrap_or_else(|| denied(path, text)),
        // Neither here: a quota and the file of shared memory come this way when there is no room.
        ErrorCode::SystemIoFailure if extended != ffi::SQLITE_IOERR_READ && no_room(path) => {
            StoreError::Full { path: path.into() }
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            let source = io::Error::new(io::ErrorKind::TimedOut, "another program keeps it locked");
            StoreError::Io { path: path.into(), doing, source }
        }
        _ => StoreError::Io { path: path.into(), doing, source: io::Error::other(text) },
    }
}

fn denied(path: &Path, text: String) -> StoreError {
    let source = io::Error::new(io::ErrorKind::PermissionDenied, text);
    StoreError::Denied { path: path.into(), source }
}

/// Opens the file as SQLite would, and says what the system has against it.
fn why_not(path: &Path) -> Option<StoreError> {
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(path);
    if let Err(source) = opened {
        return Some(StoreError::io(path, "open", source));
    }
    let folder = path.parent()?;
    let writable = nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK);
    writable.err().map(|errno| StoreError::io(folder, "write", errno.into()))
}

fn no_room(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(path);
    nix::sys::statvfs::statvfs(folder).is_ok_and(|disk| disk.blocks_available() == 0)
}

/// Sorts what SQLite says, see [`sqlite_error`].
pub(super) fn sorted(path: &Path, doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| sqlite_error(path, doing, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(code: i32) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        sqlite_error(Path::new("/dev/null/state.db"), "commit", error)
    }

    #[test]
    fn what_sqlite_says_becomes_what_a_person_can_act_on() {
        assert!(matches!(sorted(ffi::SQLITE_FULL), StoreError::Full { .. }));
        assert!(matches!(sorted(ffi::SQLITE_READONLY), StoreError::Denied { .. }));
        assert!(matches!(sorted(ffi::SQLITE_READONLY_DIRECTORY), StoreError::Denied { .. }));
        assert!(matches!(sorted(ffi::SQLITE_CORRUPT), StoreError::Damaged { .. }));
        assert!(matches!(sorted(ffi::SQLITE_ERROR), StoreError::Damaged { .. }));
        assert!(matches!(sorted(ffi::SQLITE_NOTADB), StoreError::Damaged { .. }));
        assert!(matches!(sorted(ffi::SQLITE_IOERR_FSYNC), StoreError::Io { doing: "commit", .. }));
        let busy = sorted(ffi::SQLITE_BUSY).to_string();
        assert!(busy.contains("another program keeps it locked"), "{busy}");
        // Not a directory: the system's own words, not SQLite's "unable to open database file".
        let cannot = sorted(ffi::SQLITE_CANTOPEN).to_string();
        assert!(cannot.contains("/dev/null/state.db: open: Not a directory"), "{cannot}");
    }
}
