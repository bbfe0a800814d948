//! What can be asked of the tables.

use super::outbox::{Lane, OutboxMessage, OutboxQuery, Outgoing};
use super::{Position, StoreError};
use crate::domain::history::{Incident, Past};
use crate::domain::instance::Instance;
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;

/// Rows of one kind that are forgotten at once: a moment's work, so that nobody waits for it.
pub const FORGET_ROWS_MAX: usize = 5_000;
/// Changes of one monitor that [`Query::past`] looks at: a day has 24 × 60 that are not muted, and in each minute at most
/// two of a state that lasts.
pub(super) const PAST_CHANGES_MAX: usize = 24 * (60 + 2 * 60);

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

/// One row of a snapshot.
#[derive(Clone, Copy, Debug)]
pub enum SnapshotRow<'a> {
    /// How a monitor stood.
    Monitor(&'a Record<'a>),
    /// The number of one that was removed lately: an older record of it may be left in the journal.
    Removed(u64),
}

/// How far the tables have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// All changes before this place are on record.
    pub changes: Option<Position>,
    /// All records before it are.
    pub snapshot: Option<Position>,
}

impl Marks {
    /// The furthest place of the journal that the tables name.
    pub fn furthest(&self) -> Option<Position> {
        self.changes.max(self.snapshot)
    }
}

/// Tables that can be read. All methods may wait for a disk.
pub trait Query: Send + Sync {
    /// Which installation the tables are of; the default where nobody asks.
    fn instance(&self) -> Instance {
        Instance::default()
    }

    /// What was found damaged since this was last asked, a sentence each.
    fn take_damage(&self) -> Vec<Sentence> {
        Vec::new()
    }

    /// The greatest number that a monitor on record was ever given; 0: none was.
    fn last_number(&self) -> Result<u64, StoreError>;

    /// How far they have come.
    fn marks(&self) -> Result<Marks, StoreError>;

    /// Visits those removed lately and then every monitor, by number; returns the place that the snapshot is complete up
    /// to. A monitor whose details are those of an earlier version is visited with that version and them first, and then
    /// as it stands, without; one of whom none were ever recorded only so. One may also be visited twice when the tables
    /// are found damaged under way and are repaired.
    fn snapshot(&self, visit: &mut dyn FnMut(SnapshotRow<'_>)) -> Result<Option<Position>, StoreError>;

    /// What is remembered of what was told, by the monitor's number.
    fn alert_states(&self) -> Result<Vec<(u64, String)>, StoreError>;

    /// What waits in a lane, as many as `most`, in the order in which it was put.
    fn outbox_next(&self, lane: &Lane, most: usize) -> Result<Vec<Outgoing>, StoreError>;

    /// Messages, newest first.
    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<OutboxMessage>, StoreError>;

    /// The places of messages by their names; `None`: there is no such message.
    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError>;

    /// How many messages wait in each lane, by the notifier's name.
    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError>;

    /// Incidents, newest first; of the same moment the one with the greater number of its monitor, then of beats.
    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError>;

    /// The past of monitors, in the order asked; `now` closes what is still open.
    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError>;
}

/// The monitor's number and count of beats out of an incident's name, see
/// [`incident_id`](crate::domain::record::incident_id).
pub(super) fn incident_key(id: &str) -> Option<(u64, u64)> {
    let (number, beats) = id.split_once('-')?;
    Some((number.parse().ok()?, beats.parse().ok()?))
}
