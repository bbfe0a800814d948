//! What a registry is asked, and what it shows, as plain values.

use super::rivals::Conflict;
use crate::domain::address::Peer;
use crate::domain::beat::{Status, Transport};
use crate::domain::notice::State;
use crate::domain::record::{Pause, Reason};
use crate::domain::time::{Span, Wall};

/// A monitor as the API, the page and the metrics show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// Its last beat.
    pub last_beat: Option<Wall>,
    /// When its state will change if nothing is heard.
    pub next_deadline: Option<Wall>,
    /// Of its schedule, the slot that it waits for or missed.
    pub slot: Option<Wall>,
    /// Whether it is declared and has not been heard for longer than its interval.
    pub never_heard: bool,
    /// Time between two beats.
    pub interval: Span,
    /// The longer time that its sender was asked for, and is held to until its next beat.
    pub asked: Option<Span>,
    /// Time after that before it is down.
    pub grace: Span,
    /// Where its last beat came from.
    pub address: Peer,
    /// The address it reported.
    pub reported_ip: Option<String>,
    /// How its last beat came.
    pub transport: Transport,
    /// Beats received.
    pub beats: u64,
    /// Its own counter.
    pub seq: Option<u64>,
    /// Beats missing by that counter.
    pub gaps: u64,
    /// Beats that came again, by that counter.
    pub repeats: u64,
    /// What its last beat said.
    pub status: Status,
    /// The last text it sent.
    pub message: Option<String>,
    /// When that came, where it is known.
    pub message_at: Option<Wall>,
    /// With which of its beats, counted from 1; 0: not known.
    pub message_beat: u64,
    /// Its labels, those of its rule first.
    pub tags: Vec<String>,
    /// Its number, see [`Record::number`](crate::domain::record::Record::number).
    pub number: u64,
    /// The version of the record that last said how it stands.
    pub version: u64,
    /// The state under a pause; the same as `state` where there is none.
    pub beneath: State,
    /// The pause it is in.
    pub pause: Option<Pause>,
    /// The incident that is open: its name, when it began, and why.
    pub incident: Option<(String, Wall, Reason)>,
    /// Its clock less ours, in milliseconds, where it tells its time.
    pub skew_ms: Option<i64>,
    /// When the runs that are under way began, oldest first.
    pub runs: Vec<Wall>,
    /// How long its last finished run took.
    pub run_took: Option<Span>,
    /// The cron expression and time zone of its rule.
    pub schedule: Option<(String, String)>,
    /// Whether a person declared it, by the API or in the configuration.
    pub declared: bool,
    /// The two senders that use its id now.
    pub conflict: Option<Conflict>,
}

/// What a person can do with a monitor.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitorCommand {
    /// Set it aside, for good or until a moment. Beats are still counted; silence is not judged.
    Pause {
        /// When the pause ends by itself.
        until: Option<Wall>,
    },
    /// End a pause. Who was up gets a whole interval to be heard.
    Resume,
    /// Forget it. Its next beat makes a new one.
    Remove,
    /// Make it, or change what it is held to.
    Declare(Declaration),
}

/// What a person wants of a monitor; `None` leaves things as they are, or at the defaults where it is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declaration {
    /// Time between two beats.
    pub interval: Option<Span>,
    /// Time after that before it is down.
    pub grace: Option<Span>,
    /// Its labels.
    pub tags: Option<Vec<String>>,
}

/// In which order monitors are listed; equal ones by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By id.
    #[default]
    Id,
    /// What needs a person first: down, late, up, paused, new.
    State,
    /// The longest silent first; never heard before all.
    LastBeat,
    /// The latest change of state first.
    Since,
}

/// Where a list goes on: behind the monitor of this key and id.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// What the list is ordered by, see [`Snapshot::key`]; 0 for [`Order::Id`].
    pub key: i64,
    /// The id.
    pub id: String,
}

/// Where a monitor lies in its registry, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListPosition {
    pub(super) row: u32,
    pub(super) number: u64,
}

impl Snapshot {
    /// What it is sorted by, before its id.
    pub fn key(&self, order: Order) -> i64 {
        order.key(self.state, self.last_beat, self.since)
    }
}

impl Order {
    pub(super) fn key(self, state: State, last_beat: Option<Wall>, since: Wall) -> i64 {
        match self {
            Order::Id => 0,
            Order::State => match state {
                State::Down => 0,
                State::Late => 1,
                State::Up => 2,
                State::Paused => 3,
                State::New => 4,
            },
            Order::LastBeat => last_beat.map_or(i64::MIN, |at| at.0),
            Order::Since => -since.0,
        }
    }
}
