//! The store under the engine: the real journal on a disk that forgets and fails, tables in memory that fail, and what
//! both were seen to keep.

use heartbeat_server::domain::history::{Incident, Past};
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::record::{Change, Record};
use heartbeat_server::domain::sentence::Sentence;
use heartbeat_server::domain::time::Wall;
use heartbeat_server::store::journal::FileJournal;
use heartbeat_server::store::journal::sim::SimDisk;
use heartbeat_server::store::memory::MemoryTables;
use heartbeat_server::store::{
    Applied, Batch, Condition, Entry, IncidentQuery, Journal, Lane, Mark, Marks, OutboxMessage, OutboxQuery,
    Outgoing, Position, Query, RecordFilter, SnapshotRow, Store, StoreError,
};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// What the store was seen to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The journal took this record: number, version, whether with details.
    Appended(u64, u64, bool),
    /// The journal said that everything it has is durable.
    Synced,
    /// The journal was given a sign of life.
    Sign(Wall),
    /// The tables took this record, durably.
    Tabled(u64, u64, bool),
    /// The tables took this change of state, as one that was followed.
    Followed(u64, u64),
    /// The snapshot was finished.
    Saved,
}

/// What the two halves of the store share with the world.
#[derive(Clone, Default)]
pub struct Probe(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    seen: Vec<Seen>,
    /// Table writes that still succeed before one fails, and how many fail then.
    tables_fail_after: Option<(u32, u32)>,
    /// Table writes after which the program dies.
    tables_die_after: Option<u32>,
    /// There is no room for the tables.
    tables_full: bool,
    dead: bool,
}

impl Probe {
    fn state(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }

    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    pub fn fail_tables(&self, after: u32, count: u32) {
        self.state().tables_fail_after = Some((after, count));
    }

    pub fn kill_at_table(&self, after: u32) {
        self.state().tables_die_after = Some(after);
    }

    pub fn fill_tables(&self, full: bool) {
        self.state().tables_full = full;
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.tables_die_after, state.tables_fail_after) = (false, None, None);
    }

    fn see(&self, what: Seen) {
        self.state().seen.push(what);
    }

    /// One more write to the tables begins.
    fn table(&self, disk: &SimDisk) -> Result<(), StoreError> {
        let mut state = self.state();
        let error = |text: &str| {
            let source = std::io::Error::other(text.to_string());
            Err(StoreError::Io { path: PathBuf::from("state.db"), doing: "write", source })
        };
        if let Some(left) = &mut state.tables_die_after {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => state.dead = true,
            }
        }
        if state.dead || disk.is_dead() {
            return error("the program is dead");
        }
        if state.tables_full {
            return Err(StoreError::Full { path: PathBuf::from("state.db") });
        }
        match &mut state.tables_fail_after {
            Some((0, 0)) => state.tables_fail_after = None,
            Some((0, count)) => {
                *count -= 1;
                return error("a simulated fault");
            }
            Some((after, _)) => *after -= 1,
            None => {}
        }
        Ok(())
    }
}

pub struct SimJournal {
    pub inner: FileJournal,
    pub probe: Probe,
}

impl SimJournal {
    fn alive(&self) -> Result<(), StoreError> {
        if self.probe.is_dead() {
            let source = std::io::Error::other("the program is dead");
            return Err(StoreError::Io { path: PathBuf::from("journal"), doing: "write", source });
        }
        Ok(())
    }
}

impl Journal for SimJournal {
    fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        self.alive()?;
        let mut records = Vec::new();
        batch.for_each(|record| {
            records.push(Seen::Appended(record.number, record.version, record.details.is_some()))
        });
        let position = self.inner.append(now, batch)?;
        records.into_iter().for_each(|record| self.probe.see(record));
        self.probe.see(Seen::Sign(now));
        Ok(position)
    }

    fn sync(&self, upto: Position) -> Result<(), StoreError> {
        self.alive()?;
        self.inner.sync(upto)?;
        self.probe.see(Seen::Synced);
        Ok(())
    }

    fn read(
        &self,
        from: Option<Position>,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        self.inner.read(from, wanted, visit)
    }

    fn trim(&self, before: Position) -> Result<(), StoreError> {
        self.alive()?;
        self.inner.trim(before)
    }

    fn last_sign(&self) -> Option<Wall> {
        self.inner.last_sign()
    }

    fn tend(&self, now: Wall) -> Result<(), StoreError> {
        self.alive()?;
        self.inner.tend(now)?;
        self.probe.see(Seen::Synced);
        self.probe.see(Seen::Sign(now));
        Ok(())
    }

    fn condition(&self, now: Wall) -> Condition {
        self.inner.condition(now)
    }

    fn take_damage(&self) -> Vec<Sentence> {
        self.inner.take_damage()
    }
}

pub struct SimTables {
    pub inner: Arc<MemoryTables>,
    pub probe: Probe,
    pub disk: SimDisk,
}

impl Store for SimTables {
    fn apply(&self, entries: &[Entry<'_>], mark: Mark) -> Result<Applied, StoreError> {
        self.probe.table(&self.disk)?;
        let applied = self.inner.apply(entries, mark)?;
        for entry in entries {
            let Entry::Record(record) = entry else { continue };
            self.probe.see(Seen::Tabled(record.number, record.version, record.details.is_some()));
            if record.change != Change::None {
                self.probe.see(Seen::Followed(record.number, record.version));
            }
        }
        if matches!(mark, Mark::Snapshot(_)) {
            self.probe.see(Seen::Saved);
        }
        Ok(applied)
    }

    fn forget(&self, before: Wall) -> Result<bool, StoreError> {
        self.probe.table(&self.disk)?;
        self.inner.forget(before)
    }
}

impl Query for SimTables {
    fn last_number(&self) -> Result<u64, StoreError> {
        self.inner.last_number()
    }

    fn marks(&self) -> Result<Marks, StoreError> {
        self.inner.marks()
    }

    fn snapshot(&self, visit: &mut dyn FnMut(SnapshotRow<'_>)) -> Result<Option<Position>, StoreError> {
        self.inner.snapshot(visit)
    }

    fn alert_states(&self) -> Result<Vec<(u64, String)>, StoreError> {
        self.inner.alert_states()
    }

    fn outbox_next(&self, lane: &Lane, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        self.inner.outbox_next(lane, most)
    }

    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<OutboxMessage>, StoreError> {
        self.inner.outbox_list(query)
    }

    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError> {
        self.inner.outbox_places(keys)
    }

    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError> {
        self.inner.outbox_pending()
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents(query)
    }

    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError> {
        self.inner.past(monitors, now)
    }
}
