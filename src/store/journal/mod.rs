//! A journal in files: frames appended to files, and found again after whatever happened.
//!
//! A batch of records becomes one frame, or several when it is very large, and one write(2); what is written survives
//! the end of this process. Frames lie in segments, files of some 64 MiB in one directory. What is older than the
//! tables need is removed segment by segment.
//!
//! **Durable** means: an fdatasync has returned well. [`FileJournal::sync`] asks for it and shares one among all who wait;
//! [`FileJournal::tick`] does it once a second and then appends a *mark*, which says up to where everything is durable, and
//! that we were alive. A failed fdatasync is never tried again on its file, for the system may have dropped what it
//! could not write and would then report success. So the bytes of unsynced frames are kept in memory, and go to a new
//! segment whole; only when that is synced they are durable.
//!
//! **After a start** a new segment is begun in any case, so no position of the past is ever given to anything new. What
//! is found in older ones is judged in `recover.rs`, and what may not be durable there is written again. So a process
//! that is killed loses nothing of which it was told that it is written, and a power cut nothing that is durable.
//!
//! **Locks.** `turn` is held by whoever syncs, begins a segment or rescues; one at a time, because of two who call
//! fdatasync on a file only one is told that it failed. `inner` is held for as long as a write takes. Never wait for
//! `turn` with `inner` held.

mod append;
mod append_state;
mod damage;
pub mod disk;
pub mod frame;
mod lasting_error;
mod news;
mod read;
mod recover;
#[cfg(test)]
mod rot;
mod scan;
mod segment;
pub mod sim;
mod sync;
#[cfg(test)]
mod tests;
mod window;

pub use damage::{Cut, Damage};
pub use news::Rescue;

use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use crate::i18n::Text;
use crate::store::{Batch, Condition, Journal, Position, RecordFilter, StoreError};
use append_state::AppendState;
use disk::Disk;
use frame::{SEGMENT_HEADER_BYTES, file_name};
use sim::SimulatedRng;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of unsynced frames that are kept in memory; an append that would exceed them syncs first.
pub const UNSYNCED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How a journal is kept.
#[derive(Clone, Copy, Debug)]
pub struct JournalOptions {
    /// A segment is ended when the next frame would make it longer. A single batch may be longer still.
    pub segment_bytes_max: u64,
    /// No segment is begun while all together are longer than this: appending fails as on a full disk.
    pub bytes_max: u64,
    /// A position that is noted elsewhere: nothing new may lie before it, should the directory have been emptied by hand.
    pub noted: Option<Position>,
    /// What nonces are drawn from.
    pub seed: u64,
    /// When the machine was started: what was written since has not seen a power cut. `None`: that is not known.
    pub booted_at: Option<Wall>,
}

impl Default for JournalOptions {
    fn default() -> JournalOptions {
        JournalOptions {
            segment_bytes_max: 64 * 1024 * 1024,
            bytes_max: 16 * 1024 * 1024 * 1024,
            noted: None,
            seed: RandomState::new().hash_one(0u64),
            booted_at: None,
        }
    }
}

/// What was found at the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// The last sign of life of whoever wrote it.
    pub last_sign: Option<Wall>,
    /// Where it ends.
    pub end: Position,
    /// The torn tail that was cut, the ordinary trace of a power cut.
    pub cut: Option<Cut>,
    /// What was lost of what should have been durable.
    pub damages: Vec<Damage>,
}

/// See the module.
pub struct FileJournal {
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    recovery: Recovery,
    /// Damage found at the start of which nobody has been told.
    untold: Mutex<Vec<Damage>>,
    turn: Mutex<()>,
    inner: Mutex<AppendState>,
}

impl FileJournal {
    /// Opens what is on a disk, or begins there. A full disk is no error: the journal then takes nothing until there is
    /// room, see [`trouble`](FileJournal::trouble). Errors: the directory cannot be read or written, or a later version
    /// wrote in it.
    pub fn open(disk: Arc<dyn Disk>, options: JournalOptions, now: Wall) -> Result<FileJournal, StoreError> {
        let mut found = recover::recover(disk.as_ref(), options.booted_at)?;
        let last_sign = found.last_sign;
        let (cut, damages) = (found.cut.take(), std::mem::take(&mut found.damages));
        let number = found.next_number.max(options.noted.map_or(1, |noted| noted.segment + 1));
        let inner = AppendState::new(found, number, SimulatedRng(options.seed ^ now.0 as u64));
        let untold = Mutex::new(damages.iter().filter(|damage| damage.news).cloned().collect());
        let recovery = Recovery { last_sign, end: Position::default(), cut, damages };
        let (turn, inner) = (Mutex::new(()), Mutex::new(inner));
        let mut journal = FileJournal { disk, options, recovery, untold, turn, inner };
        let begun = journal.begin(&mut journal.inner(), now);
        match begun {
            Ok(()) => journal.remove_unused(),
            Err(StoreError::Full { .. }) => {}
            Err(error) => return Err(error),
        }
        journal.recovery.end = journal.end();
        Ok(journal)
    }

    /// What was found at the start.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Where it ends now.
    pub fn end(&self) -> Position {
        self.inner().end()
    }

    /// Everything before this is durable.
    pub fn synced(&self) -> Position {
        self.inner().synced
    }

    /// Bytes of all its segments.
    pub fn bytes(&self) -> u64 {
        self.inner().segments.values().map(|segment| segment.file_bytes.max(SEGMENT_HEADER_BYTES)).sum()
    }

    /// Age in seconds of the oldest record that is not durable; 0 when all are.
    pub fn unsynced_s(&self, now: Wall) -> f64 {
        self.inner()
            .unsynced_since()
            .map_or(0.0, |since| now.0.saturating_sub(since.0).max(0) as f64 / 1000.0)
    }

    /// Why it does not work as it should; `None` when it does.
    pub fn trouble(&self) -> Option<StoreError> {
        self.inner().trouble.as_ref().map(|trouble| trouble.error())
    }

    /// How many times a failed fdatasync made it write its unsynced frames again.
    pub fn rescues(&self) -> u64 {
        self.inner().rescues
    }

    /// Removes the segments that lie wholly before a position. One with damage of which no copy could be kept stays.
    pub fn trim(&self, before: Position) -> Result<(), StoreError> {
        let mut removed = false;
        loop {
            let Some((number, unkept)) = self.inner().trimmable(before) else { break };
            let name = file_name(number);
            let path = || self.disk.path(&name);
            if unkept {
                self.disk.keep_aside(&name).map_err(|e| StoreError::io(path(), "keep a copy", e))?;
            }
            match self.disk.remove(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::io(path(), "remove", error));
                }
                _ => {}
            }
            self.inner().segments.remove(&number);
            removed = true;
        }
        if removed {
            self.disk.sync_dir().map_err(|e| StoreError::io(self.disk.path(""), "fsync", e))?;
        }
        Ok(())
    }

    /// Removes earlier segments in which nothing is left. One that stays is found again and does no harm.
    fn remove_unused(&self) {
        let mut inner = self.inner();
        let written = inner.end().segment;
        inner.segments.retain(|number, segment| {
            let unused = *number != written && segment.is_unused();
            !unused || self.disk.remove(&file_name(*number)).is_err()
        });
    }

    fn inner(&self) -> MutexGuard<'_, AppendState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for FileJournal {
    fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        FileJournal::append(self, now, batch)
    }

    fn sync(&self, upto: Position) -> Result<(), StoreError> {
        FileJournal::sync(self, upto)
    }

    fn read(
        &self,
        from: Option<Position>,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        FileJournal::read(self, from, wanted, visit)
    }

    fn trim(&self, before: Position) -> Result<(), StoreError> {
        FileJournal::trim(self, before)
    }

    fn last_sign(&self) -> Option<Wall> {
        self.recovery.last_sign
    }

    fn tend(&self, now: Wall) -> Result<(), StoreError> {
        self.tick(now)
    }

    fn condition(&self, now: Wall) -> Condition {
        Condition {
            journal_bytes: self.bytes(),
            unsynced_ms: (self.unsynced_s(now) * 1000.0) as u64,
            degraded: self.trouble().iter().map(StoreError::fault).collect(),
        }
    }

    fn take_damage(&self) -> Vec<Sentence> {
        let mut damages = std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner));
        let (since, rescue) = self.take_news();
        damages.extend(since);
        let damages = damages.iter().map(Damage::said);
        damages.chain(rescue.map(|rescue| rescue.said())).collect()
    }

    fn cut(&self) -> Option<Text> {
        self.recovery.cut.as_ref().map(Cut::text)
    }
}
