//! Where what is known outlives the process.
//!
//! Two things are kept apart because they are asked for differently. Every beat is *appended* to a log before it is
//! acknowledged; the log is only read again after a start, and by whoever follows it. What people query (monitors,
//! incidents, changes of state, the outbox of alerts) is put into tables, in batches, behind the log; once it is
//! there the log is trimmed.
//!
//! [`Store`] is both, as the engine sees them. The store that comes with us is [`embedded`]: files in the state
//! directory, one partition. The trait is cut so that a store on other machines, with a log for each partition, can
//! stand behind it: nothing here hands out a file or a lock, records are statements that merge by taking the later one
//! ([`Record::stamp`]), and [`Store::transit`] refuses an owner who has been replaced.

use crate::domain::history::{Incident, Past};
use crate::domain::instance::Instance;
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use journal::JournalOptions;
use journal::disk::RealDisk;
use journal::log::JournalLog;
use std::path::Path;
use std::sync::Arc;
use tables::Tables;

pub mod batch;
pub mod codec;
#[cfg(test)]
mod conformance;
pub mod embedded;
pub mod error;
pub mod journal;
pub mod memory;
pub mod outbox;
pub mod owned;
pub mod sqlite;
pub mod tables;
mod uptime;

pub use batch::Batch;
pub use error::StoreError;
pub use outbox::{Delivery, Lane, LetGo, OutboxQuery, Outgoing, Posted, Settled, Told};

/// The journal's place in the state directory.
const JOURNAL: &str = "journal";

/// A store that is open, and in what capacity we work on it.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// We are its owner.
    pub owner: Owner,
}

/// Opens the embedded store in the state directory; makes what is missing. `booted_at`: when the machine was started, if
/// that is known.
pub fn open(folder: &Path, now: Wall, booted_at: Option<Wall>) -> Result<Opened, StoreError> {
    let tables = sqlite::SqliteTables::open(folder, now)?;
    let folder = folder.join(JOURNAL);
    let options = JournalOptions { booted_at, ..JournalOptions::default() };
    let disk = RealDisk::open(&folder).map_err(|error| StoreError::io(&folder, "open", error))?;
    let log = JournalLog::open(Arc::new(disk), options, tables.noted()?, now)?;
    let store = embedded::Embedded::new(log, tables);
    let owner = store.new_owner()?;
    Ok(Opened { store: Arc::new(store), owner })
}

/// One log and the monitors in it. The embedded store has only number 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

/// A place between two records of a partition's log. Later places are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the segment, from 1.
    pub segment: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// One who owns a partition, and since which election. An older epoch than the last one seen is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Counts elections; the embedded store counts its starts.
    pub epoch: u64,
}

/// Which records to visit when a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Those that change a state, make or remove a monitor: whoever follows the log can pass over the others without
    /// looking into them.
    Changes,
}

/// What a log says about the time it was written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The last moment at which whoever wrote it was known to be listening.
    pub last_sign: Option<Wall>,
}

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// Bytes in the logs.
    pub journal_bytes: u64,
    /// Age of the oldest record that a power cut would lose, in milliseconds; 0: there is none.
    pub unsynced_ms: u64,
    /// What is wrong, a sentence each.
    pub degraded: Vec<Sentence>,
}

/// Which incidents to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Only of this monitor.
    pub monitor: Option<String>,
    /// Only those that began or lasted at or after this.
    pub since: Option<Wall>,
    /// Only those that have not ended.
    pub open: bool,
    /// Only those after this one in the order of the list: when it began, and its name.
    pub after: Option<(Wall, String)>,
    /// At most so many.
    pub limit: usize,
}

/// See the module. All methods may wait for a disk or a network; [`Store::append`] only for as long as it takes to hand
/// bytes to the operating system.
pub trait Store: Send + Sync {
    /// Appends a batch. When it returns, the end of this process loses nothing of it. The batch is emptied if it was
    /// taken and kept if it was not.
    fn append(&self, partition: Partition, now: Wall, batch: &mut Batch) -> Result<Position, StoreError>;

    /// Waits until everything before `upto` would survive a power cut. Those who wait together share one effort.
    fn sync(&self, partition: Partition, upto: Position) -> Result<(), StoreError>;

    /// Reads a log from a position (`None`: from what is left of its beginning) to its end; returns the end.
    /// `visit` is given the position behind each record.
    fn read(
        &self,
        partition: Partition,
        from: Option<Position>,
        wanted: Wanted,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError>;

    /// What the log says about the time before this start.
    fn life(&self, partition: Partition) -> Life;

    /// Once a second: leaves a sign of life, makes durable what is not yet, and tries again what has failed.
    fn tend(&self, partition: Partition, now: Wall) -> Result<(), StoreError>;

    /// How the store is.
    fn condition(&self, now: Wall) -> Condition;

    /// What was found damaged since this was last asked, a sentence each: which file, where, and where a copy of it is
    /// now. And failures of the disk that were made good.
    fn take_damage(&self, lang: Lang) -> Vec<Sentence>;

    /// The unfinished write at the log's end that was left out at this start, if there was one: which file, and where.
    fn cut(&self, _: Lang) -> Option<String> {
        None
    }

    /// Which installation this is.
    fn instance(&self) -> Instance {
        Instance::default()
    }

    /// The greatest number that a monitor in the tables was ever given.
    fn last_number(&self, partition: Partition) -> Result<u64, StoreError>;

    /// Lets go of what lies wholly before `before`.
    fn trim(&self, partition: Partition, before: Position) -> Result<(), StoreError>;

    /// Puts records into the snapshot, in one step. Of each monitor the later record holds; removed ones go.
    fn put_snapshot(&self, partition: Partition, records: &[Record<'_>]) -> Result<(), StoreError>;

    /// States that the snapshot holds everything before `upto`, durably.
    fn finish_snapshot(&self, partition: Partition, upto: Position) -> Result<(), StoreError>;

    /// Visits every monitor of the snapshot, and those removed lately by their numbers only (`Change::Removed`); returns
    /// the position it is complete up to.
    fn snapshot(
        &self,
        partition: Partition,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<Option<Position>, StoreError>;

    /// Puts changes of state on record, with what is to be told of them, in one step that also notes `upto`, the
    /// position behind them: monitors, changes and incidents together. Changes already on record do nothing. Fails
    /// with [`StoreError::Stale`] when a later owner has been seen.
    fn transit(
        &self,
        partition: Partition,
        owner: Owner,
        changes: &[Record<'_>],
        told: &Told<'_>,
        upto: Position,
    ) -> Result<(), StoreError>;

    /// The position behind the last change on record.
    fn transited(&self, partition: Partition) -> Result<Option<Position>, StoreError>;

    /// What is remembered of what was told: by the monitor's number, the latest that was put with
    /// [`Store::transit`].
    fn standings(&self, partition: Partition) -> Result<Vec<(u64, String)>, StoreError>;

    /// Puts a message into the outbox that no change has brought about.
    fn outbox_put(&self, partition: Partition, outgoing: &Outgoing) -> Result<(), StoreError>;

    /// What waits in a lane, as many as `most`, in the order in which it was put.
    fn outbox_next(
        &self,
        partition: Partition,
        lane: &Lane,
        most: usize,
    ) -> Result<Vec<Outgoing>, StoreError>;

    /// Notes what came of one try of a message that is pending; one that is not is left alone. In the same step
    /// `instead` is put into the outbox, for whoever is to get what this one did not.
    fn outbox_settle(
        &self,
        partition: Partition,
        key: &str,
        now: Wall,
        settled: &Settled,
        instead: &[Outgoing],
    ) -> Result<(), StoreError>;

    /// The same for many that are given up without a try, in one step.
    fn outbox_let_go(
        &self,
        partition: Partition,
        all: &[LetGo],
        now: Wall,
        reason: &str,
    ) -> Result<(), StoreError>;

    /// Messages, newest first.
    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<Posted>, StoreError>;

    /// The places of messages by their names; `None`: it has no such message.
    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError>;

    /// How many messages wait in each lane, by the notifier's name.
    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError>;

    /// Incidents, newest first.
    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError>;

    /// Marks an incident as known to a person; false if there is none of that name.
    fn acknowledge_incident(&self, id: &str) -> Result<bool, StoreError>;

    /// The past of monitors, in the order asked; `now` closes what is still open.
    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError>;

    /// Forgets changes and incidents that ended before `before`, a bounded number at a time; true when there are more.
    fn forget(&self, before: Wall) -> Result<bool, StoreError>;
}
