//! What was, as the API, the page and the badges show it: incidents, changes of state, the share of time up.

use super::notice::State;
use super::record::Reason;
use super::time::{Span, Wall};

/// An incident: a monitor was down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its name, see [`incident_id`](super::record::incident_id).
    pub id: String,
    /// The monitor's id.
    pub monitor: String,
    /// Why.
    pub reason: Reason,
    /// When it began.
    pub started: Wall,
    /// When it ended; `None`: it has not.
    pub ended: Option<Wall>,
    /// Whether a person has said that they know.
    pub acknowledged: bool,
}

impl Incident {
    /// How long it lasted, or has lasted by `now`.
    pub fn duration(&self, now: Wall) -> Span {
        Span(u64::try_from(self.ended.unwrap_or(now).0.saturating_sub(self.started.0)).unwrap_or(0))
    }
}

/// A change of state of one monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// When.
    pub at: Wall,
    /// The state before; `None`: it was made.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
}

/// The share of time, from 0 to 1, in which a monitor was not down; `None` where nothing is known of that time. Time
/// before the monitor was made does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Uptime {
    /// Of the last 24 hours.
    pub day: Option<f64>,
    /// Of the last 7 days.
    pub week: Option<f64>,
    /// Of the last 90 days.
    pub quarter: Option<f64>,
}

/// What the page shows of a monitor's past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// When it was made, if that is known.
    pub created: Option<Wall>,
    /// Its changes of state in the last 24 hours, oldest first, and the last one before them.
    pub changes: Vec<StateChange>,
    /// Its uptime.
    pub uptime: Uptime,
}
