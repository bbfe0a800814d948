//! The store that comes with us: a log and tables joined, one partition.
//!
//! [`Store`] asks for both in one, as a store on other machines would offer them. Here they are two things that know
//! nothing of each other; what ties them together is that the engine appends first, puts into the tables what it
//! appended, and trims the log behind the places that the tables name.

use super::tables::Tables;
use super::{
    Batch, Condition, IncidentQuery, Lane, LetGo, Life, OutboxQuery, Outgoing, Owner, Partition, Position,
    Posted, Settled, Store, StoreError, Told, Wanted,
};
use crate::domain::history::{Incident, Past};
use crate::domain::instance::Instance;
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use std::io;
use std::path::PathBuf;

/// A log of one partition. What the methods promise stands at [`Store`]'s of the same name.
pub trait Log: Send + Sync {
    /// Appends a batch; the batch is emptied if it was taken and kept if it was not.
    fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError>;

    /// Waits until everything before `upto` would survive a power cut.
    fn sync(&self, upto: Position) -> Result<(), StoreError>;

    /// Reads from a position to the end; returns the end.
    fn read(
        &self,
        from: Option<Position>,
        wanted: Wanted,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError>;

    /// Lets go of what lies wholly before `before`.
    fn trim(&self, before: Position) -> Result<(), StoreError>;

    /// What it says about the time before this start.
    fn life(&self) -> Life;

    /// Once a second: leaves a sign of life, makes durable what is not yet, and tries again what has failed.
    fn tend(&self, now: Wall) -> Result<(), StoreError>;

    /// How it is.
    fn condition(&self, now: Wall) -> Condition;

    /// What was found damaged since this was last asked, and failures of the disk that were made good.
    fn take_damage(&self, _: Lang) -> Vec<Sentence> {
        Vec::new()
    }

    /// The unfinished write that was left out at the start, if there was one.
    fn cut(&self, _: Lang) -> Option<String> {
        None
    }
}

/// See the module.
#[derive(Debug)]
pub struct Embedded<L, T> {
    log: L,
    tables: T,
}

/// The only partition there is.
pub const PARTITION: Partition = Partition(0);

impl<L: Log, T: Tables> Embedded<L, T> {
    /// Joins the two.
    pub fn new(log: L, tables: T) -> Embedded<L, T> {
        Embedded { log, tables }
    }

    /// The log.
    pub fn log(&self) -> &L {
        &self.log
    }

    /// The tables.
    pub fn tables(&self) -> &T {
        &self.tables
    }

    /// Counts a start: who was owner before is refused from now on.
    pub fn new_owner(&self) -> Result<Owner, StoreError> {
        self.tables.new_owner()
    }
}

fn only(partition: Partition) -> Result<(), StoreError> {
    if partition == PARTITION {
        return Ok(());
    }
    let source = io::Error::new(io::ErrorKind::NotFound, "the embedded store has partition 0 only");
    Err(StoreError::Io { path: PathBuf::from(format!("partition {}", partition.0)), doing: "open", source })
}

impl<L: Log, T: Tables> Store for Embedded<L, T> {
    fn append(&self, partition: Partition, now: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        only(partition)?;
        self.log.append(now, batch)
    }

    fn sync(&self, partition: Partition, upto: Position) -> Result<(), StoreError> {
        only(partition)?;
        self.log.sync(upto)
    }

    fn read(
        &self,
        partition: Partition,
        from: Option<Position>,
        wanted: Wanted,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        only(partition)?;
        self.log.read(from, wanted, visit)
    }

    fn trim(&self, partition: Partition, before: Position) -> Result<(), StoreError> {
        only(partition)?;
        self.log.trim(before)
    }

    fn life(&self, partition: Partition) -> Life {
        if partition == PARTITION { self.log.life() } else { Life::default() }
    }

    fn tend(&self, partition: Partition, now: Wall) -> Result<(), StoreError> {
        only(partition)?;
        self.log.tend(now)
    }

    fn take_damage(&self, lang: Lang) -> Vec<Sentence> {
        let mut damage = self.log.take_damage(lang);
        damage.extend(self.tables.take_damage(lang));
        damage
    }

    fn cut(&self, lang: Lang) -> Option<String> {
        self.log.cut(lang)
    }

    fn condition(&self, now: Wall) -> Condition {
        self.log.condition(now)
    }

    fn instance(&self) -> Instance {
        self.tables.instance()
    }

    fn last_number(&self, partition: Partition) -> Result<u64, StoreError> {
        only(partition)?;
        self.tables.last_number()
    }

    fn put_snapshot(&self, partition: Partition, records: &[Record<'_>]) -> Result<(), StoreError> {
        only(partition)?;
        self.tables.put_snapshot(records)
    }

    fn finish_snapshot(&self, partition: Partition, upto: Position) -> Result<(), StoreError> {
        only(partition)?;
        self.tables.finish_snapshot(upto)
    }

    fn snapshot(
        &self,
        partition: Partition,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<Option<Position>, StoreError> {
        only(partition)?;
        self.tables.snapshot(visit)
    }

    fn transit(
        &self,
        partition: Partition,
        owner: Owner,
        changes: &[Record<'_>],
        told: &Told<'_>,
        upto: Position,
    ) -> Result<(), StoreError> {
        only(partition)?;
        self.tables.transit(owner, changes, told, upto)
    }

    fn transited(&self, partition: Partition) -> Result<Option<Position>, StoreError> {
        only(partition)?;
        self.tables.transited()
    }

    fn standings(&self, partition: Partition) -> Result<Vec<(u64, String)>, StoreError> {
        only(partition)?;
        self.tables.standings()
    }

    fn outbox_put(&self, partition: Partition, outgoing: &Outgoing) -> Result<(), StoreError> {
        only(partition)?;
        self.tables.outbox_put(outgoing)
    }

    fn outbox_next(
        &self,
        partition: Partition,
        lane: &Lane,
        most: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        only(partition)?;
        self.tables.outbox_next(lane, most)
    }

    fn outbox_settle(
        &self,
        partition: Partition,
        key: &str,
        now: Wall,
        settled: &Settled,
        instead: &[Outgoing],
    ) -> Result<(), StoreError> {
        only(partition)?;
        self.tables.outbox_settle(key, now, settled, instead)
    }

    fn outbox_let_go(
        &self,
        partition: Partition,
        all: &[LetGo],
        now: Wall,
        reason: &str,
    ) -> Result<(), StoreError> {
        only(partition)?;
        self.tables.outbox_let_go(all, now, reason)
    }

    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<Posted>, StoreError> {
        self.tables.outbox_list(query)
    }

    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError> {
        self.tables.outbox_places(keys)
    }

    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError> {
        self.tables.outbox_pending()
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.tables.incidents(query)
    }

    fn acknowledge_incident(&self, id: &str) -> Result<bool, StoreError> {
        self.tables.acknowledge_incident(id)
    }

    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError> {
        self.tables.past(monitors, now)
    }

    fn forget(&self, before: Wall) -> Result<bool, StoreError> {
        self.tables.forget(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{self, Folder, NOW, record};
    use crate::store::journal::JournalOptions;
    use crate::store::journal::log::JournalLog;
    use crate::store::journal::sim::SimDisk;
    use crate::store::memory::{MemoryLog, MemoryTables};
    use crate::store::{Opened, open};
    use std::sync::Arc;

    fn owned<L: Log + 'static>(log: L) -> (Arc<dyn Store>, Owner) {
        let store = Embedded::new(log, MemoryTables::new());
        let owner = store.new_owner().unwrap();
        (Arc::new(store), owner)
    }

    #[test]
    fn memory_conforms() {
        conformance::all(|| owned(MemoryLog::new()));
    }

    #[test]
    fn the_journal_on_a_simulated_disk_conforms() {
        conformance::all(|| {
            let disk = Arc::new(SimDisk::new());
            owned(JournalLog::open(disk, JournalOptions::default(), None, NOW).unwrap())
        });
    }

    #[test]
    fn files_conform() {
        let folder = Folder::new("conforms");
        let number = std::cell::Cell::new(0);
        conformance::all(|| {
            number.set(number.get() + 1);
            let own = folder.path().join(number.get().to_string());
            std::fs::create_dir(&own).unwrap();
            let Opened { store, owner } = open(&own, NOW, None).unwrap();
            (store, owner)
        });
    }

    #[test]
    fn a_start_goes_on_where_the_last_one_stopped() {
        let folder = Folder::new("embedded-restart");
        let mut batch = Batch::new();
        let first = {
            let Opened { store, .. } = open(folder.path(), NOW, None).unwrap();
            assert_eq!(store.life(PARTITION), Life::default());
            batch.push(&record("a", 1, 1));
            let first = store.append(PARTITION, NOW, &mut batch).unwrap();
            store.put_snapshot(PARTITION, &[record("a", 1, 1)]).unwrap();
            store.finish_snapshot(PARTITION, first).unwrap();
            batch.push(&record("a", 1, 2));
            store.append(PARTITION, NOW, &mut batch).unwrap();
            first
        };
        // The second time somebody has taken the journal away.
        for taken_away in [false, true] {
            if taken_away {
                std::fs::remove_dir_all(folder.path().join("journal")).unwrap();
            }
            let Opened { store, owner } = open(folder.path(), NOW, None).unwrap();
            assert_eq!(owner.epoch, 2 + u64::from(taken_away));
            assert_eq!(store.life(PARTITION).last_sign, (!taken_away).then_some(NOW));
            let mut versions = Vec::new();
            let from = store.snapshot(PARTITION, &mut |record| versions.push(record.version)).unwrap();
            assert_eq!(from, Some(first));
            store.read(PARTITION, from, Wanted::All, &mut |_, record| versions.push(record.version)).unwrap();
            // What may not have been durable is written again, and read again, which does no harm.
            versions.dedup();
            assert_eq!(versions, if taken_away { vec![1] } else { vec![1, 2] });
            batch.push(&record("b", 2, 1));
            store.append(PARTITION, NOW, &mut batch).unwrap();
            let mut last = 0;
            store.read(PARTITION, from, Wanted::All, &mut |_, record| last = record.number).unwrap();
            assert_eq!(last, 2, "what is new lies behind every place that was noted");
        }
    }

    #[test]
    fn there_is_one_partition() {
        let (store, _) = owned(MemoryLog::new());
        let error = store.transited(Partition(1)).unwrap_err().to_string();
        assert!(error.contains("partition 1"), "{error}");
    }
}
