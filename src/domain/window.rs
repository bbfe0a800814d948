//! Maintenance windows: times in which silence is expected.
//!
//! A window is either one stretch of time or a schedule each slot of which begins one of a given length. The length is
//! real time: two hours are two hours though clocks change meanwhile.

use super::schedule::Schedule;
use super::time::{Span, Wall};
use super::zone::Zone;

/// When silence is expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// Once.
    Once {
        /// When it begins.
        from: Wall,
        /// When it is over.
        to: Wall,
    },
    /// Again and again, weekly or as a cron expression has it.
    Recurring {
        /// When it begins.
        schedule: Schedule,
        /// How long it lasts. It may last until it begins again, or longer.
        length: Span,
    },
}

impl Window {
    /// One that comes once; `None` if it would end no later than it begins.
    pub fn once(from: Wall, to: Wall) -> Option<Window> {
        (from < to).then_some(Window::Once { from, to })
    }

    /// By whose clocks it comes again.
    pub fn zone(&self) -> Option<&Zone> {
        match self {
            Window::Once { .. } => None,
            Window::Recurring { schedule, .. } => Some(schedule.zone()),
        }
    }

    /// Whether it is open at an instant, and until when; at that instant it may already have begun anew.
    pub fn active(&self, at: Wall) -> Option<Wall> {
        match self {
            Window::Once { from, to } => (*from <= at && at < *to).then_some(*to),
            Window::Recurring { schedule, length } => {
                let begun = schedule.last_within(earlier(at, *length), at)?;
                Some(later(begun, *length))
            }
        }
    }

    /// When it begins next, after an instant.
    pub fn next_start_after(&self, at: Wall) -> Option<Wall> {
        match self {
            Window::Once { from, .. } => Some(*from).filter(|from| *from > at),
            Window::Recurring { schedule, .. } => schedule.next_after(at),
        }
    }

    /// When it next begins or ends, after an instant.
    pub fn next_boundary(&self, after: Wall) -> Option<Wall> {
        [self.active(after), self.next_start_after(after)].into_iter().flatten().min()
    }
}

fn later(at: Wall, span: Span) -> Wall {
    Wall(at.0.saturating_add_unsigned(span.0))
}

fn earlier(at: Wall, span: Span) -> Wall {
    Wall(at.0.saturating_sub_unsigned(span.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        Wall(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn recurring(expression: &str, zone: &str, length: Span) -> Window {
        Window::Recurring { schedule: Schedule::parse(expression, zone).unwrap(), length }
    }

    #[test]
    fn one_that_comes_once_holds_its_first_instant_and_not_its_last() {
        assert_eq!((Window::once(Wall(20), Wall(20)), Window::once(Wall(20), Wall(10))), (None, None));
        let window = Window::once(Wall(10), Wall(20)).unwrap();
        let seen: Vec<Option<Wall>> = [9, 10, 19, 20].map(|ms| window.active(Wall(ms))).to_vec();
        assert_eq!(seen, [None, Some(Wall(20)), Some(Wall(20)), None]);
        assert_eq!(window.next_start_after(Wall(9)), Some(Wall(10)));
        assert_eq!(window.next_start_after(Wall(10)), None);
        let boundaries: Vec<Option<Wall>> = [0, 10, 20].map(|ms| window.next_boundary(Wall(ms))).to_vec();
        assert_eq!(boundaries, [Some(Wall(10)), Some(Wall(20)), None]);
    }

    #[test]
    fn a_weekly_one_is_as_long_when_clocks_change_within() {
        // Saturdays and Sundays at 01:30, two hours; on 29 March 2026 clocks go from 02:00 to 03:00.
        let window = recurring("30 1 * * 0,6", "Europe/Berlin", Span::secs(7200));
        assert_eq!(window.active(at("2026-03-29T00:29:59Z")), None);
        for inside in ["2026-03-29T00:30:00Z", "2026-03-29T02:29:59.999Z"] {
            assert_eq!(window.active(at(inside)), Some(at("2026-03-29T02:30:00Z")), "{inside}");
        }
        assert_eq!(window.active(at("2026-03-29T02:30:00Z")), None);
        assert_eq!(window.next_start_after(at("2026-03-29T00:30:00Z")), Some(at("2026-04-03T23:30:00Z")));
        // A start that clocks skip is the instant at which they do.
        let skipped = recurring("30 2 * * *", "Europe/Berlin", Span::secs(60));
        assert_eq!(skipped.active(at("2026-03-29T01:00:30Z")), Some(at("2026-03-29T01:01:00Z")));
    }

    #[test]
    fn one_that_begins_again_before_it_ends_stays_open() {
        let window = recurring("0 * * * *", "UTC", Span::secs(3 * 3600));
        assert_eq!(window.active(at("2026-01-01T10:30:00Z")), Some(at("2026-01-01T13:00:00Z")));
        assert_eq!(window.next_boundary(at("2026-01-01T10:30:00Z")), Some(at("2026-01-01T11:00:00Z")));
        // Many starts within one length are no more work.
        let dense = recurring("* * * * *", "UTC", Span::secs(31 * 86_400));
        assert_eq!(dense.active(at("2026-02-01T00:00:01Z")), Some(at("2026-03-04T00:00:00Z")));
    }

    #[test]
    fn no_instant_is_too_far() {
        let window = recurring("0 0 1 1 *", "UTC", Span(u64::MAX));
        for extreme in [Wall(i64::MIN), Wall(i64::MAX)] {
            assert_eq!((window.active(extreme), window.next_boundary(extreme)), (None, None));
        }
    }
}
