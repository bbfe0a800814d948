//! What is forgiven: how long before its slot a beat counts for it, how long after it nobody is late yet, and the grace of
//! a monitor for which nobody has named one.

use super::limits::{EARLY_SHARE_MAX, FITTING_GRACE_MAX, FITTING_GRACE_MIN, LATE_MAX, LATE_MIN};
use super::schedule::Schedule;
use super::time::{Span, Wall};
use std::fmt;

/// A grace is this part of the interval that it follows.
const GRACE_PART: u64 = 4;
/// A slot may be missed by this part of the time since the slot before.
const LATE_PART: u64 = 20;

/// How long before its slot a beat counts for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// A share, in hundredths, of the time since the slot before; a minute at most.
    Percent(u8),
    /// So long; but at most half of that time.
    For(Span),
}

impl Default for Early {
    fn default() -> Early {
        Early::Percent(5)
    }
}

impl Early {
    /// Greatest share.
    pub const PERCENT_MAX: u8 = 50;

    /// Whether a beat that came `ahead` of a slot counts for it.
    pub fn covers(self, schedule: &Schedule, slot: Wall, ahead: Span) -> bool {
        // Nearly every beat is beyond what may be at all, and then nobody need ask how far the slot before is away.
        let (most, within) = match self {
            Early::Percent(0) => return false,
            Early::Percent(percent) => (EARLY_SHARE_MAX, Span(EARLY_SHARE_MAX.0 * 100 / u64::from(percent))),
            Early::For(span) => (span, Span(span.0.saturating_mul(2))),
        };
        if ahead > most {
            return false;
        }
        let Some(gap) = schedule.gap_before(slot, within) else { return true };
        match self {
            Early::Percent(percent) => ahead.0 <= gap.0 * u64::from(percent) / 100,
            Early::For(_) => ahead.0 <= gap.0 / 2,
        }
    }
}

impl fmt::Display for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Early::Percent(percent) => write!(f, "{percent}%"),
            Early::For(span) => write!(f, "{span}"),
        }
    }
}

/// How long after a slot a monitor is not late yet: a twentieth of the time since the slot before, 10 s to a minute, but
/// never more than half of its grace. It is part of the grace, so what is down is so in time.
pub fn late_tolerance(schedule: &Schedule, slot: Wall, grace: Span) -> Span {
    let gap = schedule.gap_before(slot, Span(LATE_MAX.0 * LATE_PART));
    let share = gap.map_or(LATE_MAX, |gap| Span(gap.0 / LATE_PART));
    share.clamp(LATE_MIN, LATE_MAX).min(Span(grace.0 / 2))
}

/// The grace that fits an interval where nobody has named one: a quarter of it, 30 s to an hour.
pub fn fitting_grace(interval: Span) -> Span {
    Span(interval.0 / GRACE_PART).clamp(FITTING_GRACE_MIN, FITTING_GRACE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Wall {
        Wall(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn utc(expression: &str) -> Schedule {
        Schedule::parse(expression, "UTC").unwrap()
    }

    #[test]
    fn a_twentieth_of_the_time_between_slots_counts_but_no_more_than_a_minute() {
        let slot = at("2026-03-02T03:00:00Z");
        for (expression, most_ms) in
            [("* * * * *", 3_000), ("*/10 * * * *", 30_000), ("0 * * * *", 60_000), ("0 3 * * *", 60_000)]
        {
            let schedule = utc(expression);
            let covers = |ahead| Early::default().covers(&schedule, slot, Span(ahead));
            assert!(covers(1) && covers(most_ms) && !covers(most_ms + 1), "{expression}");
            assert!(!Early::Percent(0).covers(&schedule, slot, Span(1)), "{expression}");
            assert!(!Early::For(Span(0)).covers(&schedule, slot, Span(1)), "{expression}");
        }
        let hours = Early::For(Span::secs(2 * 3600));
        assert!(hours.covers(&utc("0 3 * * *"), slot, Span::secs(7200)));
        assert!(!hours.covers(&utc("0 * * * *"), slot, Span::secs(1801)), "half of the time at most");
    }

    #[test]
    fn a_grace_fits_its_interval() {
        for (interval, grace) in [(1, 30), (60, 30), (120, 30), (300, 75), (3600, 900), (86_400, 3600)] {
            assert_eq!(fitting_grace(Span::secs(interval)), Span::secs(grace), "{interval}");
        }
    }

    #[test]
    fn nobody_is_late_in_the_first_seconds_and_down_no_later_for_it() {
        let slot = at("2026-03-02T03:00:00Z");
        for (expression, grace, want) in [
            ("* * * * *", 30, 10),
            ("*/10 * * * *", 150, 30),
            ("0 3 * * *", 3600, 60),
            ("0 3 * * *", 30, 15),
            ("0 3 * * *", 0, 0),
        ] {
            let tolerance = late_tolerance(&utc(expression), slot, Span::secs(grace));
            assert_eq!(tolerance, Span::secs(want), "{expression} {grace}");
        }
    }

    proptest! {
        /// Against the plain meaning, with the slot before found by going through them.
        #[test]
        fn tolerances_are_what_they_are_said_to_be(
            step in prop::sample::select(vec![1u64, 2, 3, 5, 7, 13, 20, 30]),
            hours in prop::sample::select(vec!["*", "3", "9-17", "*/6"]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
            from in 1_700_000_000_000i64..1_800_000_000_000,
            percent in 0u8..=50,
            span_ms in 0u64..7_200_000,
            ahead_ms in 1u64..200_000,
            grace_ms in 0u64..4_000_000,
        ) {
            let schedule = Schedule::parse(&format!("*/{step} {hours} * * *"), zone).unwrap();
            let before = schedule.next_after(Wall(from)).unwrap();
            let slot = schedule.next_after(before).unwrap();
            let gap = (slot.0 - before.0) as u64;
            let (grace, ahead) = (Span(grace_ms), Span(ahead_ms));
            let share = (gap * u64::from(percent) / 100).min(60_000);
            prop_assert_eq!(Early::Percent(percent).covers(&schedule, slot, ahead), ahead_ms <= share);
            let span = span_ms.min(gap / 2);
            prop_assert_eq!(Early::For(Span(span_ms)).covers(&schedule, slot, ahead), ahead_ms <= span);
            let late = (gap / 20).clamp(10_000, 60_000).min(grace_ms / 2);
            prop_assert_eq!(late_tolerance(&schedule, slot, grace), Span(late));
        }

        #[test]
        fn a_longer_interval_has_no_shorter_grace(a in 1_000u64..40_000_000_000, b in 1_000u64..40_000_000_000) {
            let (short, long) = (fitting_grace(Span(a.min(b))), fitting_grace(Span(a.max(b))));
            prop_assert!(short <= long && short >= Span::secs(30) && long <= Span::secs(3600));
        }
    }
}
