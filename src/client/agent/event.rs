//! What goes into the state machine of the agent and what comes out of it: its plan, events, commands and reports.

use crate::client::channel::BatchOutcome;
use crate::client::error::ClientError;
use crate::domain::time::{Span, Wall};

/// What the settings mean for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentPlan {
    /// The interval of beats; the server can only lengthen it.
    pub every: Span,
    /// The longest interval that the server can ask for.
    pub interval_max: Span,
    /// How long an answer may take.
    pub timeout: Span,
    /// The kind of exchange.
    pub mode: ExchangeMode,
    /// Most beats in a batch.
    pub batch_max: usize,
}

/// The kind of exchange on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeMode {
    /// Beats and answers, on a connection that is made when there is something to send (HTTP).
    Asking,
    /// The same on a connection that is held.
    Holding,
    /// The server sends `ping`.
    Pong,
    /// `hello server`, and any answer.
    Hello,
    /// Frames, and no answer ever.
    Frame,
}

/// A beat that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBeat {
    /// Its number.
    pub seq: u64,
    /// When it was due.
    pub at: Wall,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// There is a connection.
    Connected,
    /// There is none, or none any more.
    Lost(ClientError),
    /// The outcome of the batch under way.
    Delivered(BatchOutcome),
    /// Bytes came on a bare connection.
    Heard,
    /// The server sends `ping`; from now on the connection is bare.
    Pings,
    /// The machine has slept.
    Woke,
}

/// What the loop is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentCommand {
    /// Make a connection; [`Event::Connected`] or [`Event::Lost`] follows.
    Connect,
    /// Drop the connection; no event of it may follow.
    HangUp,
    /// Send these; [`Event::Delivered`] or [`Event::Lost`] follows.
    Deliver(Vec<KeptBeat>),
    /// Send the dialect's sign of life.
    Speak,
    /// Write a notice, and run a hook if one is set.
    Report(AgentReport),
}

/// What the agent reports to the log and to hooks.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentReport {
    /// The first answer.
    Answers,
    /// The server is dead.
    Dead {
        /// The last error.
        reason: Option<ClientError>,
        /// How long an answer has been awaited.
        waited: Span,
    },
    /// It is back.
    Back {
        /// How long it was dead.
        away: Span,
        /// Beats that were kept in that time.
        kept: usize,
    },
    /// The interval has changed.
    Interval(Span),
    /// The server asks for a longer interval than it gets.
    TooLong {
        /// What it asks for.
        asked: Span,
        /// What it gets.
        kept: Span,
    },
    /// The server counts on more beats than it gets.
    TooSeldom {
        /// How often it expects one.
        expected: Span,
    },
    /// It answers, but accepts nothing for now.
    Refused(ClientError),
    /// It accepts beats again.
    TakesAgain,
    /// It will never accept some.
    Rejected {
        /// How many.
        beats: usize,
        /// Why.
        reason: String,
    },
    /// Beats were dropped, because more were kept than can be.
    Dropped(u64),
}

/// The state of the agent, for the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentStatus {
    /// `None`: nothing is known yet.
    pub alive: Option<bool>,
    /// How long ago the last answer was.
    pub answered: Option<Span>,
    /// Beats that are kept.
    pub kept: usize,
    /// Beats that were dropped.
    pub dropped: u64,
    /// The interval in force.
    pub interval: Span,
}
