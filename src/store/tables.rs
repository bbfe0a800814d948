//! What people query, as the embedded store sees it: everything of [`Store`](super::Store) but the log.
//!
//! Two things implement it: [`sqlite`](super::sqlite), which is what runs, and [`memory`](super::memory), which is the
//! plain statement of what is meant and what simulations use. The same suite tests both.
//!
//! The rules they share:
//! - Of two records of one monitor the later one holds, by [`Record::stamp`]. A record without details leaves them as
//!   they are; of two with details the later one's hold, whatever else is later still.
//! - Of two monitors of one id the one with the greater number holds; the other's row goes.
//! - A monitor once removed does not come back by an older record. That is remembered over two snapshots, which is
//!   longer than any older record can be under way.
//! - An incident stands as the latest record of its monitor says, be it a change or part of a snapshot: open while the
//!   record names it, ended when a later one names another or none. A muted change opens none.

use super::outbox::{Lane, LetGo, OutboxQuery, Outgoing, Posted, Settled, Told};
use super::{IncidentQuery, Owner, Position, StoreError};
use crate::domain::history::{Incident, Past};
use crate::domain::instance::Instance;
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;

/// See the module. What the methods promise stands at [`Store`](super::Store)'s of the same name.
pub trait Tables: Send + Sync {
    /// What was found damaged since this was last asked.
    fn take_damage(&self, _: Lang) -> Vec<Sentence> {
        Vec::new()
    }

    /// Which installation the tables are of; the default where nobody asks.
    fn instance(&self) -> Instance {
        Instance::default()
    }

    /// Counts a start: whoever was owner before is stale from now on.
    fn new_owner(&self) -> Result<Owner, StoreError>;

    /// The greatest number that a monitor on record was ever given; 0: none was.
    fn last_number(&self) -> Result<u64, StoreError>;

    /// Puts records into the snapshot, in one step.
    fn put_snapshot(&self, records: &[Record<'_>]) -> Result<(), StoreError>;

    /// States that the snapshot holds everything before `upto`, durably. Fails with [`StoreError::Damaged`], once, when
    /// the tables had to be replaced since [`Tables::snapshot`] and monitors were missing in what could be read: then
    /// every monitor has to be put again.
    fn finish_snapshot(&self, upto: Position) -> Result<(), StoreError>;

    /// Visits every monitor of the snapshot, by number; returns the position it is complete up to. One whose details are
    /// those of an earlier version is visited with that version and them first, and then as it stands, without; one of whom none were ever
    /// recorded only so. One may
    /// also be visited twice when the tables are found damaged under way and are repaired. Before all of them those that
    /// were removed lately are visited, by their numbers only: an older record of one may be left in the log.
    fn snapshot(&self, visit: &mut dyn FnMut(&Record<'_>)) -> Result<Option<Position>, StoreError>;

    /// The furthest place in the log that the tables name.
    fn noted(&self) -> Result<Option<Position>, StoreError>;

    /// Puts changes of state on record, with what is to be told of them, in one step.
    fn transit(
        &self,
        owner: Owner,
        changes: &[Record<'_>],
        told: &Told<'_>,
        upto: Position,
    ) -> Result<(), StoreError>;

    /// The position behind the last change on record.
    fn transited(&self) -> Result<Option<Position>, StoreError>;

    /// What is remembered of what was told.
    fn standings(&self) -> Result<Vec<(u64, String)>, StoreError>;

    /// Puts a message into the outbox that no change has brought about.
    fn outbox_put(&self, outgoing: &Outgoing) -> Result<(), StoreError>;

    /// What waits in a lane.
    fn outbox_next(&self, lane: &Lane, most: usize) -> Result<Vec<Outgoing>, StoreError>;

    /// Notes what came of one try.
    fn outbox_settle(
        &self,
        key: &str,
        now: Wall,
        settled: &Settled,
        instead: &[Outgoing],
    ) -> Result<(), StoreError>;

    /// Gives many up, without a try.
    fn outbox_let_go(&self, all: &[LetGo], now: Wall, reason: &str) -> Result<(), StoreError>;

    /// Messages, newest first.
    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<Posted>, StoreError>;

    /// The places of messages by their names; `None`: there is no such message.
    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError>;

    /// How many messages wait in each lane.
    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError>;

    /// Incidents, newest first; of the same moment the one with the greater number of its monitor, then of beats.
    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError>;

    /// Marks an incident as known to a person; false if there is none of that name.
    fn acknowledge_incident(&self, id: &str) -> Result<bool, StoreError>;

    /// The past of monitors, in the order asked.
    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError>;

    /// Forgets what ended before `before`, at most [`FORGET_ROWS_MAX`] of each kind; true when there may be more.
    fn forget(&self, before: Wall) -> Result<bool, StoreError>;
}

/// Rows of one kind that are forgotten at once: a moment's work, so that nobody waits for it.
pub const FORGET_ROWS_MAX: usize = 5_000;
/// Changes of one monitor that [`Tables::past`] looks at: a day has 24 × 60 that are not muted, and in each minute at
/// most two of a state that lasts.
pub const PAST_CHANGES_MAX: usize = 24 * (60 + 2 * 60);

/// The monitor's number and count of beats out of an incident's name, see
/// [`incident_id`](crate::domain::record::incident_id).
pub(super) fn incident_key(id: &str) -> Option<(u64, u64)> {
    let (number, beats) = id.split_once('-')?;
    Some((number.parse().ok()?, beats.parse().ok()?))
}
