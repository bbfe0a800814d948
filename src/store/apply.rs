//! The one way into the tables: what happened, as values, and the place in the journal behind it.
//!
//! The rules that all tables share:
//! - Of two records of one monitor the later one holds, by [`Record::stamp`]. A record without details leaves them as
//!   they are; of two with details the later one's hold, whatever else is later still.
//! - Of two monitors of one id the one with the greater number holds; the other's row goes.
//! - A monitor once removed does not come back by an older record. That is remembered over two snapshots, which is
//!   longer than any older record can be under way.
//! - An incident stands as the latest record of its monitor says, be it a change or part of a snapshot: open while the
//!   record names it, ended when a later one names another or none. A muted change opens none.
//! - Of a change, and of a message, what is on record already stays; said again it does nothing.

use super::outbox::{Outgoing, Settled};
use super::{Position, Query, StoreError};
use crate::domain::alert::AlertState;
use crate::domain::record::Record;
use crate::domain::time::Wall;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// How a monitor stands since then, and the change that made it so, if there was one.
    Record(&'a Record<'a>),
    /// What is to be remembered of a monitor so that nothing is told twice.
    AlertState(&'a AlertState),
    /// A message that is to be told.
    Message(&'a Outgoing),
    /// What came of a message that is pending. In its stead others may be told, which counts only if it was pending.
    Settled {
        /// The message.
        key: &'a str,
        /// When that was known.
        at: Wall,
        /// What came of it.
        settled: &'a Settled,
        /// What is told instead.
        instead: &'a [Outgoing],
    },
    /// A person knows of an incident.
    Acknowledged {
        /// Its name.
        incident: &'a str,
    },
}

/// What the journal need not be asked for once the entries are applied. A mark never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing is said.
    None,
    /// All changes of state before this place.
    Changes(Position),
    /// All records before this place: the monitors that were applied since the mark before it are a snapshot.
    Snapshot(Position),
}

/// What came of applying entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Incidents that were there to be acknowledged.
    pub acknowledged: usize,
}

/// Tables that can be changed. Two things implement it: [`SqliteTables`](super::sqlite::SqliteTables), which is what
/// runs, and [`MemoryTables`](super::memory::MemoryTables), which is the plain statement of what is meant and what
/// simulations use. The same suite tests both.
pub trait Store: Query {
    /// Applies entries in their order, and the mark, in one transaction: all of it survives a power cut, or nothing was
    /// done. With [`Mark::Snapshot`] it fails with [`StoreError::Damaged`], once, when the tables had to be replaced
    /// since [`Query::snapshot`] and monitors were missing in what could be read: every monitor has to be applied again.
    fn apply(&self, entries: &[Entry<'_>], mark: Mark) -> Result<Applied, StoreError>;

    /// Forgets what ended before `before`, at most [`FORGET_ROWS_MAX`](super::FORGET_ROWS_MAX) of each kind; true when
    /// there may be more.
    fn forget(&self, before: Wall) -> Result<bool, StoreError>;
}
