//! What outlives the process.
//!
//! Two things are kept apart because they are asked for differently. Every beat is appended to a [`Journal`] before it is
//! acknowledged; the journal is only read again after a start, and by whoever follows it. What people query (monitors,
//! incidents, changes of state, the outbox of alerts) is in the tables of a [`Store`], which are brought up behind the
//! journal by [`Entry`] values; what the tables hold, the journal may forget.
//!
//! Neither knows of the other. The engine appends first, applies to the tables what it appended together with the
//! [`Mark`] behind it, and trims the journal behind the marks. What comes with us is [`FileJournal`](journal::FileJournal) and
//! [`SqliteTables`](sqlite::SqliteTables), files in the state directory.

use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use crate::i18n::Text;

mod apply;
pub mod batch;
pub mod codec;
#[cfg(test)]
mod conformance;
pub mod error;
pub mod journal;
pub mod memory;
pub mod outbox;
mod position;
mod query;
pub mod sqlite;
mod storage;
mod uptime;

pub use apply::{Applied, Entry, Mark, Store};
pub use batch::{Batch, OwnedRecord};
pub use error::StoreError;
pub use outbox::{DeliveryStatus, Lane, OutboxMessage, OutboxQuery, Outgoing, Settled};
pub use position::Position;
pub use query::{FORGET_ROWS_MAX, IncidentQuery, Marks, Query, SnapshotRow};
pub use storage::{Storage, open};

/// Which records to visit when a journal is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFilter {
    /// All of them.
    All,
    /// Those that change a state, make or remove a monitor: whoever follows the journal can pass over the others without
    /// looking into them.
    Changes,
}

/// How a journal is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// Bytes in it.
    pub journal_bytes: u64,
    /// Age of the oldest record that a power cut would lose, in milliseconds; 0: there is none.
    pub unsynced_ms: u64,
    /// What is wrong, a sentence each.
    pub degraded: Vec<Sentence>,
}

/// A log of records. All methods may wait for a disk; [`Journal::append`] only for as long as it takes to hand bytes to
/// the operating system.
pub trait Journal: Send + Sync {
    /// Appends a batch. When it returns, the end of this process loses nothing of it. The batch is emptied if it was
    /// taken and kept if it was not.
    fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError>;

    /// Waits until everything before `upto` would survive a power cut. Those who wait together share one effort.
    fn sync(&self, upto: Position) -> Result<(), StoreError>;

    /// Reads from a position (`None`: from what is left of the beginning) to the end; returns the end. `visit` is given
    /// the position behind each record.
    fn read(
        &self,
        from: Option<Position>,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError>;

    /// Lets go of what lies wholly before `before`.
    fn trim(&self, before: Position) -> Result<(), StoreError>;

    /// The last moment before this start at which whoever wrote it was known to be listening.
    fn last_sign(&self) -> Option<Wall>;

    /// Once a second: leaves a sign of life, makes durable what is not yet, and tries again what has failed.
    fn tend(&self, now: Wall) -> Result<(), StoreError>;

    /// How it is.
    fn condition(&self, now: Wall) -> Condition;

    /// What was found damaged since this was last asked, a sentence each: which file, where, and where a copy of it is
    /// now. And failures of the disk that were made good.
    fn take_damage(&self) -> Vec<Sentence> {
        Vec::new()
    }

    /// The unfinished write at the end that was left out at this start, if there was one: which file, and where.
    fn cut(&self) -> Option<Text> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::conformance::{self, NOW, TemporaryFolder, record};
    use super::journal::sim::SimDisk;
    use super::journal::{FileJournal, JournalOptions};
    use super::memory::{MemoryJournal, MemoryTables};
    use super::*;
    use std::sync::Arc;

    #[test]
    fn memory_conforms() {
        conformance::journals(|| Arc::new(MemoryJournal::new()));
        conformance::stores(|| Arc::new(MemoryTables::new()));
    }

    #[test]
    fn the_journal_on_a_simulated_disk_conforms() {
        conformance::journals(|| {
            Arc::new(FileJournal::open(Arc::new(SimDisk::new()), JournalOptions::default(), NOW).unwrap())
        });
    }

    #[test]
    fn files_conform() {
        let folder = TemporaryFolder::new("conforms");
        let number = std::cell::Cell::new(0);
        let fresh = || {
            number.set(number.get() + 1);
            let own = folder.path().join(number.get().to_string());
            std::fs::create_dir(&own).unwrap();
            open(&own, NOW, None).unwrap()
        };
        conformance::journals(|| fresh().journal);
        conformance::stores(|| fresh().tables);
    }

    #[test]
    fn a_start_goes_on_where_the_last_one_stopped() {
        let folder = TemporaryFolder::new("storage-restart");
        let mut batch = Batch::new();
        let first = {
            let Storage { journal, tables } = open(folder.path(), NOW, None).unwrap();
            assert_eq!(journal.last_sign(), None);
            batch.push(&record("a", 1, 1));
            let first = journal.append(NOW, &mut batch).unwrap();
            tables.apply(&[Entry::Record(&record("a", 1, 1))], Mark::None).unwrap();
            tables.apply(&[], Mark::Snapshot(first)).unwrap();
            batch.push(&record("a", 1, 2));
            journal.append(NOW, &mut batch).unwrap();
            first
        };
        // The second time somebody has taken the journal away.
        for taken_away in [false, true] {
            if taken_away {
                std::fs::remove_dir_all(folder.path().join("journal")).unwrap();
            }
            let Storage { journal, tables } = open(folder.path(), NOW, None).unwrap();
            assert_eq!(journal.last_sign(), (!taken_away).then_some(NOW));
            let mut versions = Vec::new();
            let mut visit = |row: SnapshotRow<'_>| match row {
                SnapshotRow::Monitor(record) => versions.push(record.version),
                SnapshotRow::Removed(number) => panic!("{number}"),
            };
            let from = tables.snapshot(&mut visit).unwrap();
            assert_eq!(from, Some(first));
            journal.read(from, RecordFilter::All, &mut |_, record| versions.push(record.version)).unwrap();
            // What may not have been durable is written again, and read again, which does no harm.
            versions.dedup();
            assert_eq!(versions, if taken_away { vec![1] } else { vec![1, 2] });
            batch.push(&record("b", 2, 1));
            journal.append(NOW, &mut batch).unwrap();
            let mut last = 0;
            journal.read(from, RecordFilter::All, &mut |_, record| last = record.number).unwrap();
            assert_eq!(last, 2, "what is new lies behind every place that was noted");
        }
    }
}
