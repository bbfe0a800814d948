//! Time in which beats could not be read, and steps of the wall clock: clocks in, what they have done out.

use crate::domain::time::{Mono, Now, Span};

/// A gap shorter than this is the ordinary course of things.
const GAP_MIN: Span = Span::secs(1);
/// A step of the wall clock smaller than this is.
const STEP_MS: i64 = 500;

/// Time for which nobody is held to account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// How long the machine slept.
    pub(super) slept: Span,
    /// How long the process or one of its threads stood still besides.
    pub(super) stuck: Span,
}

/// What is known of the clocks from one turn to the next.
pub(super) struct GapFinder {
    /// Wall clock less monotonic clock, in milliseconds.
    offset_ms: i64,
    /// How long the machine has slept since it was booted.
    asleep: Span,
    /// When this turn should have begun at the latest.
    planned: Mono,
    /// Since when a thread has been stuck.
    stuck_since: Option<Mono>,
}

impl GapFinder {
    /// Begins now; the next turn is to come at `planned`.
    pub(super) fn new(now: Now, asleep: Span, planned: Mono) -> GapFinder {
        GapFinder { offset_ms: offset_ms(now), asleep, planned, stuck_since: None }
    }

    /// When the next turn is to begin at the latest.
    pub(super) fn plan(&mut self, planned: Mono) {
        self.planned = planned;
    }

    /// Whether a thread that has been busy since then is stuck.
    pub(super) fn is_stuck(&mut self, now: Mono, busy_since: Option<Mono>) -> bool {
        let Some(since) = busy_since.filter(|since| now.since(*since) > GAP_MIN) else { return false };
        self.stuck_since = Some(self.stuck_since.unwrap_or(since).min(since));
        true
    }

    /// The gap before this turn, if there was one.
    pub(super) fn gap(&mut self, now: Now, asleep: Span) -> Option<Gap> {
        let slept = Span(asleep.0.saturating_sub(self.asleep.0));
        self.asleep = asleep;
        let late_since = (now.mono.since(self.planned) > GAP_MIN).then_some(self.planned);
        let stuck_since = self.stuck_since.take().into_iter().chain(late_since).min();
        let stuck = stuck_since.map_or(Span(0), |since| now.mono.since(since));
        if slept <= GAP_MIN && stuck == Span(0) {
            return None;
        }
        // The wall clock has gone on meanwhile; that is no step.
        self.offset_ms = self.offset_ms.wrapping_add_unsigned(slept.0);
        Some(Gap { slept, stuck })
    }

    /// How far the wall clock was set since the turn before, in milliseconds, if it was.
    pub(super) fn step_ms(&mut self, now: Now) -> Option<i64> {
        let step_ms = offset_ms(now).saturating_sub(self.offset_ms);
        if step_ms.abs() < STEP_MS {
            return None;
        }
        self.offset_ms = offset_ms(now);
        Some(step_ms)
    }
}

fn offset_ms(now: Now) -> i64 {
    now.wall.0.wrapping_sub_unsigned(now.mono.0)
}
