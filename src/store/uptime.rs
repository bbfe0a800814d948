//! The share of time in which a monitor was not down, summed from its incidents.

use crate::domain::history::Uptime;
use crate::domain::time::{Span, Wall};

/// How far back the page looks at changes, and the first of three windows.
pub(super) const DAY: Span = Span::secs(86_400);
const WINDOWS: [Span; 3] = [DAY, Span::secs(7 * 86_400), Span::secs(90 * 86_400)];

/// Sums incidents of one monitor, told newest first.
pub(super) struct DowntimeSum {
    now: Wall,
    /// The windows' beginnings, not before the monitor was made.
    from: [Wall; 3],
    down_ms: [i64; 3],
}

/// The moment a span before another.
pub(super) fn before(now: Wall, span: Span) -> Wall {
    Wall(now.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
}

impl DowntimeSum {
    /// Of a monitor made at `created`; where that is not known it is taken to be older than all windows.
    pub(super) fn new(created: Option<Wall>, now: Wall) -> DowntimeSum {
        let from = WINDOWS.map(|span| before(now, span).max(created.unwrap_or(Wall(i64::MIN))));
        DowntimeSum { now, from, down_ms: [0; 3] }
    }

    /// Adds an incident. False: it began before the longest window, and so did all older ones.
    pub(super) fn add(&mut self, started: Wall, ended: Option<Wall>) -> bool {
        let ended = ended.unwrap_or(self.now).min(self.now);
        for (down_ms, from) in self.down_ms.iter_mut().zip(self.from) {
            *down_ms += ended.0.saturating_sub(started.max(from).0).max(0);
        }
        started > self.from[2]
    }

    /// The result.
    pub(super) fn uptime(&self) -> Uptime {
        let share = |window: usize| {
            let known_ms = self.now.0.saturating_sub(self.from[window].0);
            (known_ms > 0).then(|| (1.0 - self.down_ms[window] as f64 / known_ms as f64).clamp(0.0, 1.0))
        };
        Uptime { day: share(0), week: share(1), quarter: share(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const NOW: Wall = Wall(1_770_000_000_000);

    fn ago(hours: i64) -> Wall {
        Wall(NOW.0 - hours * HOUR)
    }

    #[test]
    fn an_incident_counts_in_each_window_by_what_lies_in_it() {
        let mut tally = DowntimeSum::new(None, NOW);
        assert!(tally.add(ago(36), Some(ago(12))));
        let uptime = tally.uptime();
        assert_eq!(uptime.day, Some(0.5));
        assert_eq!(uptime.week, Some(1.0 - 24.0 / 168.0));
        assert_eq!(uptime.quarter, Some(1.0 - 24.0 / 2160.0));
    }

    #[test]
    fn an_open_incident_lasts_until_now() {
        let mut tally = DowntimeSum::new(None, NOW);
        tally.add(ago(6), None);
        assert_eq!(tally.uptime().day, Some(0.75));
    }

    #[test]
    fn time_before_a_monitor_was_made_does_not_count() {
        let mut tally = DowntimeSum::new(Some(ago(4)), NOW);
        tally.add(ago(1), None);
        let uptime = tally.uptime();
        assert_eq!((uptime.day, uptime.week, uptime.quarter), (Some(0.75), Some(0.75), Some(0.75)));
        assert_eq!(DowntimeSum::new(Some(NOW), NOW).uptime(), Uptime::default());
    }

    #[test]
    fn one_that_began_before_all_windows_ends_the_count() {
        let mut tally = DowntimeSum::new(None, NOW);
        assert!(!tally.add(ago(100 * 24), Some(ago(89 * 24))));
        assert_eq!(tally.uptime().quarter, Some(1.0 - 1.0 / 90.0));
        assert_eq!(tally.uptime().week, Some(1.0));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_make_more_than_all_of_it() {
        let mut tally = DowntimeSum::new(None, NOW);
        tally.add(Wall(NOW.0 + HOUR), None);
        assert_eq!(tally.uptime().day, Some(1.0));
        tally.add(ago(24), None);
        tally.add(ago(24), None);
        assert_eq!(tally.uptime().day, Some(0.0));
    }
}
