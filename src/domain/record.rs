//! A monitor written down: everything about it that must outlive the process.
//!
//! Each beat and each change of state yields a [`Record`], a whole statement of how the monitor stands after it, never a
//! difference. So the order and the number of times in which records are read again do no harm: of two records of one
//! monitor the [later](Record::stamp) one holds. What seldom changes, [`Details`], is left out of most records; the
//! latest record that has it holds for it.

use super::beat::{Exit, Source, Status};
use super::id::IdRef;
use super::state::State;
use super::time::{Span, Wall};
use serde::{Deserialize, Serialize};

/// How a monitor stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// Its id.
    pub id: IdRef<'a>,
    /// Its number: given to it when it is made and to no other, not even to one of the same id made after it is
    /// removed.
    pub number: u64,
    /// Counts the records of this monitor.
    pub version: u64,
    /// When this record was made.
    pub at: Wall,
    /// What made it.
    pub change: Change,
    /// Its state as people see it.
    pub state: State,
    /// The state under a pause; the same as `state` where there is none.
    pub beneath: State,
    /// Since when it has been in `state`.
    pub since: Wall,
    /// Its last beat; `None` if it was never heard.
    pub last_beat: Option<Wall>,
    /// Beats received.
    pub beats: u64,
    /// What the last beat said.
    pub status: Status,
    /// Where the last beat came from, and how.
    pub source: Source,
    /// Its own counter, if it sends one.
    pub sequence: Option<Sequence>,
    /// Time between two beats.
    pub interval: Span,
    /// Time after that before it is down.
    pub grace: Span,
    /// The longer interval that its sender was told at its last beat, and is held to until the next; `None`: it was told
    /// `interval`.
    pub asked: Option<Span>,
    /// The incident that is open.
    pub incident: Option<OpenIncident>,
    /// What seldom changes; `None`: as it was.
    pub details: Option<Details<'a>>,
}

/// What made a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A beat, or something else that left the state as it was.
    None,
    /// The monitor was made.
    Created,
    /// Its state changed.
    State {
        /// The state before.
        from: State,
        /// Whether it is one of too many in this hour: it is counted and not told of, see
        /// [`CHANGES_PER_HOUR_MAX`](super::limits::CHANGES_PER_HOUR_MAX).
        muted: bool,
    },
    /// A failed run of a monitor that was down already, of which somebody is to be told. Its state is as it was. There are no
    /// more than [`FAILURES_PER_HOUR_MAX`](super::limits::FAILURES_PER_HOUR_MAX) of them.
    Failed,
    /// The monitor was removed; nothing but `id`, `number`, `version` and `at` means anything.
    Removed,
}

/// A sender's own counter and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// The highest number since the counter last began.
    pub last: u64,
    /// Which of the 32 numbers below `last` have come: bit 0 is `last` − 1.
    pub window: u32,
    /// Numbers that never came.
    pub gaps: u32,
    /// Numbers that came again.
    pub repeats: u32,
}

impl Sequence {
    /// Takes the next number in. One far below the last, or 0 or 1, begins the counter anew; one a little below has
    /// been overtaken on its way, or comes a second time. True for one that has come before, as far as can be known.
    pub fn take(&mut self, seq: u64) -> bool {
        let Some(below) = self.last.checked_sub(seq) else {
            let ahead = seq - self.last;
            let missing = u32::try_from(ahead - 1).unwrap_or(u32::MAX);
            self.gaps = self.gaps.saturating_add(missing);
            let shifted = if ahead < 32 { self.window << ahead } else { 0 };
            let last_bit = if ahead <= 32 { 1 << (ahead - 1) } else { 0 };
            (self.last, self.window) = (seq, shifted | last_bit);
            return false;
        };
        if below == 0 {
            self.repeats = self.repeats.saturating_add(1);
        } else if below > 32 || seq <= 1 {
            (self.last, self.window) = (seq, 0);
            return seq > 1;
        } else if self.window & (1 << (below - 1)) != 0 {
            self.repeats = self.repeats.saturating_add(1);
        } else {
            self.window |= 1 << (below - 1);
            self.gaps = self.gaps.saturating_sub(1);
            return false;
        }
        true
    }
}

/// Why a monitor is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing was heard in time.
    Silence,
    /// It said so itself.
    Fail,
    /// A run of it began and had not ended when its time was over.
    RunTooLong,
    /// Its first beat did not come in time.
    NeverHeard,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 4] = [Cause::Silence, Cause::Fail, Cause::RunTooLong, Cause::NeverHeard];

    /// The word for it in the API and the store.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Silence => "silence",
            Cause::Fail => "fail",
            Cause::RunTooLong => "run_too_long",
            Cause::NeverHeard => "never_heard",
        }
    }
}

/// Why a monitor is down, with what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind of reason.
    pub cause: Cause,
    /// With [`Cause::Fail`]: how the run ended that failed, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// With [`Cause::RunTooLong`]: when that run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_started: Option<Wall>,
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Reason {
        Reason { cause, exit: None, run_started: None }
    }
}

/// An incident that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenIncident {
    /// How many beats the monitor had sent when it began. With the monitor's number that is the incident's name, see
    /// [`incident_id`]: whoever sees the same silence gives it the same name.
    pub beats: u64,
    /// When it began.
    pub started: Wall,
    /// Why.
    pub reason: Reason,
}

/// The name of an incident: it follows from the monitor and its last beat before it.
pub fn incident_id(number: u64, beats: u64) -> String {
    format!("{number}-{beats}")
}

/// What seldom changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details<'a> {
    /// The address it reports, where that is not its id.
    pub reported_ip: Option<IdRef<'a>>,
    /// The last text it sent.
    pub message: Option<&'a str>,
    /// When that came; `None`: an earlier version did not write it down.
    pub message_at: Option<Wall>,
    /// With which of its beats, counted from 1; 0: not known.
    pub message_beat: u64,
    /// Its labels.
    pub tags: Vec<&'a str>,
    /// Its clock less ours at its last beat that told a time, in milliseconds.
    pub skew_ms: Option<i64>,
    /// How long its last finished run took.
    pub run_took: Option<Span>,
    /// Runs that have begun and not ended, oldest first.
    pub runs: Vec<Run<'a>>,
    /// The pause it is in.
    pub pause: Option<Pause>,
    /// Whether a person declared it, so that it is kept though it is never heard.
    pub declared: bool,
}

/// A run that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// Its `rid`; empty where it has none.
    pub rid: &'a str,
    /// When it began.
    pub started: Wall,
    /// How long it may take, time added during which we were not listening.
    pub limit: Span,
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Who made it.
    pub by: PausedBy,
    /// When it ends by itself.
    pub until: Option<Wall>,
}

/// Who paused a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PausedBy {
    /// A person, by the API.
    Person,
    /// A maintenance window of the configuration.
    Window,
}

impl Record<'_> {
    /// Of two records of one id the one with the greater stamp is the later.
    pub fn stamp(&self) -> (u64, u64) {
        (self.number, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(numbers: &[u64]) -> (u32, u32) {
        let mut sequence = Sequence { last: numbers[0], ..Sequence::default() };
        numbers[1..].iter().for_each(|seq| _ = sequence.take(*seq));
        (sequence.gaps, sequence.repeats)
    }

    #[test]
    fn gaps_and_repeats_are_told_from_late_comers_and_restarts() {
        assert_eq!(counted(&[1, 2, 3]), (0, 0));
        assert_eq!(counted(&[1, 2, 5]), (2, 0));
        assert_eq!(counted(&[1, 2, 5, 5, 2]), (2, 2), "came again");
        assert_eq!(counted(&[1, 2, 5, 4]), (1, 0), "overtaken on the way");
        assert_eq!(counted(&[1, 2, 5, 4, 4]), (1, 1));
        assert_eq!(counted(&[1, 2, 5, 1, 2]), (2, 0), "a restarted counter");
        assert_eq!(counted(&[1_000, 1_001, 7, 8]), (0, 0), "a restarted counter");
        assert_eq!(counted(&[0, 32, 0]), (31, 0));
        assert_eq!(counted(&[0, 33, 34, 33]), (32, 1));
        assert_eq!(counted(&[0, u64::MAX]).0, u32::MAX);
    }

    #[test]
    fn causes_have_the_words_of_the_api() {
        assert_eq!(Cause::ALL.map(Cause::name), ["silence", "fail", "run_too_long", "never_heard"]);
    }
}
