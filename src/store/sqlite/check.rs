//! Is the file one of ours, and whole as far as its header and its log can say? SQLite itself does not ask.

use super::error::damaged;
use super::wal;
use crate::store::StoreError;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Every SQLite file begins with this.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// The byte that says who may write to the file: 1 or 2 (a write-ahead log). With a greater one SQLite only reads.
const WRITE_VERSION_AT: usize = 18;

const WRITE_VERSION_MAX: u8 = 2;

const MODE: u32 = 0o640;

/// Makes the file if it is missing, readable for its group; refuses one that is none of SQLite's.
pub(super) fn check_header(path: &Path) -> Result<(), StoreError> {
    let error = |source| StoreError::io(path, "open", source);
    let mut file = match OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path) {
        Ok(made) => {
            // Whatever the umask: who may enter the directory may look.
            made.set_permissions(Permissions::from_mode(MODE)).map_err(error)?;
            return sync_folder(path);
        }
        Err(found) if found.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path).map_err(error)?
        }
        Err(source) => return Err(error(source)),
    };
    let mut header = Vec::new();
    file.by_ref().take(WRITE_VERSION_AT as u64 + 1).read_to_end(&mut header).map_err(error)?;
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(HEADER) {
        return Err(damaged(path, "file is not a database"));
    }
    if header.get(WRITE_VERSION_AT).is_some_and(|version| *version > WRITE_VERSION_MAX) {
        return Err(damaged(path, format!("the file is rotten at byte {WRITE_VERSION_AT}")));
    }
    // SQLite takes for zeros what the last page lacks. With a log that holds the page again that is right.
    let page = header.get(HEADER.len()..).and_then(<[u8]>::first_chunk);
    let page = page.map_or(0, |page| u64::from(u16::from_be_bytes(*page)));
    let length = file.metadata().map_err(error)?.len();
    let cut = length.checked_rem(page).unwrap_or(0) != 0;
    if cut && !exists(&beside(path, "-wal"))? {
        return Err(damaged(path, format!("the file ends within a page, at byte {length}")));
    }
    Ok(())
}

/// Refuses a file whose write-ahead log has rotted: SQLite would go on with the part before that, and with a file that may
/// hold later pages.
pub(super) fn check_log(path: &Path) -> Result<(), StoreError> {
    let rotten = wal::rotten_at(&beside(path, "-wal"));
    rotten.map_or(Ok(()), |byte| {
        Err(damaged(path, format!("its write-ahead log, the -wal file, is rotten at byte {byte}")))
    })
}

pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|source| StoreError::io(path, "look for", source))
}

/// Makes names in the file's directory survive a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::io(folder, "fsync", source))
}
