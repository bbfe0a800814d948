//! A damaged file makes way for a new one, and nothing of it is thrown away.
//!
//! The new file is built beside it, whole and on the disk, before anything is renamed; so a crash at any moment leaves
//! either the old one in its place or both to be found: [`adopt`] ends what was begun. The old one is kept, with its
//! write-ahead log, as `state.db.damaged-<time>`, where `sqlite3` opens it like any other.

use super::check::{beside, check_log, exists, sync_folder};
use super::connect::{ConnectionUse, connect};
use super::error::{sorted, sqlite_error};
use super::salvage;
use crate::domain::sentence::Audience;
use crate::domain::time::Wall;
use crate::i18n::{self, Text};
use crate::store::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// Something that was wrong with the file, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It was damaged and has been replaced.
    SetAside {
        /// The file.
        path: PathBuf,
        /// Where what was there is kept.
        aside: PathBuf,
        /// What was wrong.
        reason: String,
        /// Monitors read out of it.
        monitors: u64,
        /// Whether everything in it could be read.
        complete: bool,
    },
    /// There was nothing in it.
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The row of a monitor makes no sense and was passed over.
    Row {
        /// The file.
        path: PathBuf,
        /// The monitor's number.
        number: i64,
        /// What is wrong.
        reason: String,
    },
}

impl Repair {
    /// What was wrong, where, and what to do.
    pub fn text(&self, to: Audience) -> Text {
        let because = |reason: &str| to.words(reason, i18n::store::NOT_WHAT_WRITTEN);
        match self {
            Repair::SetAside { path, aside, reason, monitors, complete } => {
                let rest =
                    if *complete { i18n::store::NOTHING_MISSING } else { i18n::store::REST_UNREADABLE };
                let (path, aside) = (to.path(path), to.path(aside));
                i18n::store::set_aside(&path, &because(reason), &aside, monitors, &rest.into())
            }
            Repair::Empty { path } => i18n::store::empty_file_if_anything(&to.path(path)),
            Repair::Row { path, number, reason } => {
                i18n::store::monitors_number_row_passed(&to.path(path), number, &because(reason))
            }
        }
    }
}

/// What SQLite keeps beside a file, by the end of its name.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Ends a repair that was cut short, and sees to leftovers.
pub(super) fn adopt(path: &Path, now: Wall, news: &mut Vec<Repair>) -> Result<(), StoreError> {
    let fresh = beside(path, ".new");
    match (exists(path)?, exists(&fresh)?) {
        (true, true) => discard(&fresh),
        (true, false) => {
            // As a system that crashed leaves a file whose content it had not written yet.
            if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
                news.push(Repair::Empty { path: path.into() });
            }
            Ok(())
        }
        (false, true) => rename(&fresh, path),
        // A log without its file would be taken for that of the new one.
        (false, false) if exists(&beside(path, "-wal"))? => {
            let aside = set_aside(path, now)?;
            let reason = "the file is missing, only its write-ahead log is there".to_string();
            news.push(Repair::SetAside { path: path.into(), aside, reason, monitors: 0, complete: false });
            Ok(())
        }
        (false, false) => Ok(()),
    }
}

/// Replaces a damaged file by one with what can be read of it. Nobody may have it open.
pub(super) fn repair(path: &Path, now: Wall, reason: &str) -> Result<Repair, StoreError> {
    let fresh = beside(path, ".new");
    discard(&fresh)?;
    let mut to = connect(&fresh, ConnectionUse::Write)?;
    let salvaged = salvage::copy(path, check_log(path).is_ok(), &mut to, &fresh)?;
    // All of it into the file itself, so that the one rename below moves all of it.
    let empty = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(|busy| busy == 0);
    let emptied =
        to.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], empty).map_err(sorted(&fresh, "repair"))?;
    to.close().map_err(|(_, error)| sqlite_error(&fresh, "repair", error))?;
    if !emptied || exists(&beside(&fresh, "-wal"))? {
        let source = io::Error::other("the write-ahead log could not be emptied");
        return Err(StoreError::Io { path: fresh, doing: "repair", source });
    }
    let aside = set_aside(path, now)?;
    rename(&fresh, path)?;
    Ok(Repair::SetAside {
        path: path.into(),
        aside,
        reason: reason.into(),
        monitors: salvaged.monitors,
        complete: salvaged.complete,
    })
}

/// Renames the file and its companions to a name that is free; the log first, since it must never be found beside
/// another file.
fn set_aside(path: &Path, now: Wall) -> Result<PathBuf, StoreError> {
    let stamp = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ");
    let mut aside = beside(path, &format!(".damaged-{stamp}"));
    let mut number = 2;
    while exists(&aside)? || exists(&beside(&aside, "-wal"))? {
        aside = beside(path, &format!(".damaged-{stamp}-{number}"));
        number += 1;
    }
    for companion in COMPANIONS {
        let from = beside(path, companion);
        if exists(&from)? {
            rename(&from, &beside(&aside, companion))?;
        }
    }
    if exists(path)? {
        rename(path, &aside)?;
    }
    Ok(aside)
}

/// Removes a half-built file of ours.
fn discard(fresh: &Path) -> Result<(), StoreError> {
    for file in [fresh.to_path_buf(), beside(fresh, "-wal"), beside(fresh, "-shm")] {
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io(file, "remove", source));
            }
            _ => {}
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to).map_err(|source| StoreError::io(from, "rename", source))?;
    sync_folder(to)
}
