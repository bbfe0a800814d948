//! Tests of schedules: what expressions mean, and that every slot is the one that going through all minutes finds.

use super::*;
use jiff::tz::TimeZone;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn slots(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expression, zone).unwrap();
    let mut at = Wall(from.parse::<Timestamp>().unwrap().as_millisecond());
    let mut slots = Vec::new();
    while slots.len() < count {
        at = schedule.next_after(at).unwrap();
        slots.push(at.rfc3339().replace(":00.000Z", ""));
    }
    slots
}

#[test]
fn expressions_mean_what_crontab_says() {
    let from = "2026-01-01T00:00:00Z";
    for (expression, want) in [
        ("* * * * *", ["2026-01-01T00:01", "2026-01-01T00:02", "2026-01-01T00:03"]),
        ("*/20 * * * *", ["2026-01-01T00:20", "2026-01-01T00:40", "2026-01-01T01:00"]),
        ("10-30/10 4 * * *", ["2026-01-01T04:10", "2026-01-01T04:20", "2026-01-01T04:30"]),
        ("5,3 0,23 * * *", ["2026-01-01T00:03", "2026-01-01T00:05", "2026-01-01T23:03"]),
        ("0 0 * * SUN", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("0 0 * * sat-sun", ["2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00"]),
        ("0 0 * * 5-7", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("0 0 1 jan-mar *", ["2026-02-01T00:00", "2026-03-01T00:00", "2027-01-01T00:00"]),
        // Either day, where both are restricted; 13 February is a Friday.
        ("0 0 13 2 fri", ["2026-02-06T00:00", "2026-02-13T00:00", "2026-02-20T00:00"]),
        // Both days, where one begins with a star.
        ("0 0 */2 * mon", ["2026-01-05T00:00", "2026-01-19T00:00", "2026-02-09T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("0 0 31 * *", ["2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]),
        ("@daily", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("@monthly", ["2026-02-01T00:00", "2026-03-01T00:00", "2026-04-01T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
        (" 0  0\t1 1 * ", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
    ] {
        assert_eq!(slots(expression, "UTC", from, 3), want, "{expression}");
    }
    // The rarest of all: 29 February on a Sunday, across a year 2100 that has none.
    assert_eq!(slots("0 0 29 2 */7", "UTC", "2088-02-29T00:00:00Z", 1), ["2128-02-29T00:00"]);
}

#[test]
fn what_is_no_expression_is_refused_with_a_reason() {
    let why = |text: &str| Schedule::parse(text, "UTC").unwrap_err().to_string();
    assert_eq!(
        why("* * * *"),
        "five fields are expected, not 4: minute, hour, day of the month, month, day of the week"
    );
    assert_eq!(
        why("60 * * * *"),
        "\"60\" does not fit the minute: 0 to 59, ranges 1-5, steps */15 or 0-30/10, lists 1,3"
    );
    for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31 4 */2"] {
        assert_eq!(why(never), "no such day ever comes", "{never}");
    }
    assert_eq!(why("@reboot"), "unknown word: write @hourly, @daily, @weekly, @monthly or @yearly");
    assert_eq!(why(&"1,".repeat(200)), "too long: at most 256 bytes");
    for wrong in [
        "",
        "* * * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5/10 * * * *",
        "9-3 * * * *",
        "1- * * * *",
        "+1 * * * *",
        "1,,2 * * * *",
        "** * * * *",
        "* * * * monday",
        "* jan * * *",
        "? * * * *",
        "* * L * *",
        "256 * * * *",
    ] {
        assert!(Schedule::parse(wrong, "UTC").is_err(), "{wrong}");
    }
    assert_eq!(Schedule::parse("* * * * *", "Mars/Olympus"), Err(ScheduleError::Zone(UnknownZone)));
}

#[test]
fn times_of_the_day_come_once_when_clocks_change() {
    // Berlin, 29 March 2026: 02:00 becomes 03:00, at 01:00 UTC.
    for expression in ["30 2 * * *", "0,30 2 * * *"] {
        let want = ["2026-03-29T01:00", "2026-03-30T00:"];
        let got = slots(expression, "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
        assert!(got[0] == want[0] && got[1].starts_with(want[1]), "{expression} {got:?}");
    }
    assert_eq!(
        slots("30 1-3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3),
        ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]
    );
    // 25 October 2026: 03:00 becomes 02:00, at 01:00 UTC.
    assert_eq!(
        slots("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30", "2026-10-26T01:30"]
    );
}

#[test]
fn a_rhythm_goes_on_in_real_time_when_clocks_change() {
    assert_eq!(
        slots("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4),
        ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-29T02:00"]
    );
    assert_eq!(
        slots("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
        ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"]
    );
    // Half an hour is put back on Lord Howe Island: 02:00 becomes 01:30, at 15:00 UTC.
    assert_eq!(
        slots("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:30:00Z", 3),
        ["2026-04-04T14:45", "2026-04-04T15:15", "2026-04-04T16:15"]
    );
}

#[test]
fn changes_of_the_clock_far_from_any_slot_make_no_difference() {
    assert_eq!(
        slots("* 0 29 2 */7", "Europe/Berlin", "2088-02-29T12:00:00Z", 2),
        ["2128-02-28T23:00", "2128-02-28T23:01"]
    );
    assert_eq!(slots("0 * 1 7 *", "Africa/Casablanca", "2026-07-02T00:00:00Z", 1), ["2027-06-30T23:00"]);
    // The minute comes again, though the next one otherwise is a year away.
    assert_eq!(
        slots("*/30 2 25 10 *", "Europe/Berlin", "2026-10-25T00:30:00Z", 3),
        ["2026-10-25T01:00", "2026-10-25T01:30", "2027-10-25T00:00"]
    );
}

#[test]
fn no_instant_is_too_far() {
    for zone in ["UTC", "Europe/Berlin"] {
        for expression in ["* * * * *", "0 0 * * *"] {
            let schedule = Schedule::parse(expression, zone).unwrap();
            let end = "9999-12-30T22:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
            for extreme in [Wall(i64::MIN), Wall(i64::MAX), Wall(end)] {
                let next = schedule.next_after(extreme);
                assert!(next.is_none_or(|next| next > extreme), "{zone} {expression}");
            }
        }
    }
}

#[test]
fn the_last_slot_of_a_stretch_is_found() {
    let schedule = Schedule::parse("0 3 * * *", "UTC").unwrap();
    let hour = |hours: i64| Wall(hours * 3_600_000);
    assert_eq!(schedule.last_within(hour(0), hour(100)), Some(hour(99)));
    assert_eq!(schedule.last_within(hour(0), hour(3)), Some(hour(3)));
    assert_eq!(schedule.last_within(hour(3), hour(26)), None);
    assert_eq!(schedule.last_within(hour(9), hour(5)), None);
    // The first slot is the instant 0.
    let midnight = Schedule::parse("0 0 * * *", "UTC").unwrap();
    assert_eq!(midnight.last_within(hour(-1), hour(50)), Some(hour(48)));
}

#[test]
fn a_step_that_is_longer_than_its_field_is_named() {
    for (expression, idle) in [
        ("*/59 * * * *", None),
        ("*/60 * * * *", Some((Field::Minute, "*/60"))),
        ("5,*/90 * * * *", Some((Field::Minute, "*/90"))),
        ("0 10-20/10 * * *", None),
        ("0 10-20/11 * * *", Some((Field::Hour, "10-20/11"))),
        ("0 0 1-31/30 * *", None),
        ("0 0 1-31/31 * *", Some((Field::Day, "1-31/31"))),
        ("0 0 * */12 *", Some((Field::Month, "*/12"))),
        ("0 0 * * */7", Some((Field::Weekday, "*/7"))),
        ("0 0 1-1 1 *", None),
        ("@daily", None),
    ] {
        assert_eq!(Schedule::parse(expression, "UTC").unwrap().idle_step(), idle, "{expression}");
    }
}

#[test]
fn each_field_says_what_it_takes() {
    for (expression, want) in [
        ("60 * * * *", "\"60\" does not fit the minute: 0 to 59,"),
        ("* 24 * * *", "\"24\" does not fit the hour: 0 to 23,"),
        ("* * 0 * *", "\"0\" does not fit the day of the month: 1 to 31,"),
        ("* * * 13 *", "\"13\" does not fit the month: 1 to 12,"),
        ("* * * * 8", "\"8\" does not fit the day of the week: 0 to 7,"),
    ] {
        let said = Schedule::parse(expression, "UTC").unwrap_err().to_string();
        assert!(said.starts_with(want), "{said}");
    }
}

#[test]
fn an_expression_may_be_as_long_as_is_said_and_is_shown_without_needless_blanks() {
    let of_bytes = |bytes: usize| format!("0 3 * *{}*", " ".repeat(bytes - 8));
    let schedule = Schedule::parse(&of_bytes(256), "Asia/Shanghai").unwrap();
    assert_eq!((schedule.text(), schedule.zone().to_string().as_str()), ("0 3 * * *", "Asia/Shanghai"));
    assert_eq!(Schedule::parse(&of_bytes(257), "UTC"), Err(ScheduleError::TooLong));
}

#[test]
fn the_time_since_the_slot_before_and_the_shortest_between_two_are_known() {
    let hour = |hours: i64| Wall(MEASURED_FROM.0 + hours * 3_600_000);
    let hours = |hours: u64| Span::secs(hours * 3_600);
    for (expression, shortest, slot, gap) in [
        ("0 3 * * *", 24, 27, 24),
        ("0 * * * *", 1, 5, 1),
        // Now eight hours, now sixteen.
        ("0 9,17 * * *", 8, 17, 8),
        ("0 9,17 * * *", 8, 33, 16),
        // The first slot after a weekend: two days without one.
        ("0 0 * * mon-fri", 24, 7 * 24, 72),
        // February, in a leap year; the next one is shorter.
        ("0 0 1 * *", 28 * 24, 60 * 24, 29 * 24),
    ] {
        let schedule = Schedule::parse(expression, "UTC").unwrap();
        assert_eq!(schedule.shortest_gap(), hours(shortest), "{expression}");
        assert_eq!(schedule.gap_before(hour(slot), hours(gap)), Some(hours(gap)), "{expression} {slot}");
        assert_eq!(schedule.gap_before(hour(slot), Span(hours(gap).0 - 1)), None, "{expression} {slot}");
    }
}

/// An expression as sets, written and judged apart from the code that is tested.
#[derive(Clone, Debug)]
struct Plan {
    /// For each field: whether a star begins it, and the numbers.
    fields: Vec<(bool, BTreeSet<i8>)>,
}

impl Plan {
    fn text(&self) -> String {
        let field = |(star, numbers): &(bool, BTreeSet<i8>)| match star {
            true => "*".to_string(),
            false => numbers.iter().map(i8::to_string).collect::<Vec<_>>().join(","),
        };
        self.fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    fn fits(&self, shown: DateTime) -> bool {
        let fits = |index: usize, number: i8| self.fields[index].0 || self.fields[index].1.contains(&number);
        let sunday_first = shown.weekday().to_sunday_zero_offset();
        let (day, weekday) = (fits(2, shown.day()), fits(4, sunday_first));
        let either = !self.fields[2].0 && !self.fields[4].0;
        let days = if either { day || weekday } else { day && weekday };
        days && fits(0, shown.minute()) && fits(1, shown.hour()) && fits(3, shown.month())
    }

    /// All slots of some days after `from`, found by going through their minutes.
    fn slots(&self, zone: &TimeZone, from: Timestamp, minutes: i64) -> Vec<i64> {
        let fixed = !self.fields[0].0 && !self.fields[1].0;
        let mut shown_before = BTreeSet::new();
        let mut slots = Vec::new();
        let mut last: Option<DateTime> = None;
        // Begins early, to know what has been shown before.
        for minute in -240..=minutes {
            let at = from + jiff::SignedDuration::from_mins(minute);
            let shown = zone.to_datetime(at);
            let mut due = self.fits(shown) && (!fixed || !shown_before.contains(&shown));
            if let Some(last) = last.filter(|_| fixed) {
                let mut skipped = last + 1.minute();
                while skipped < shown {
                    due |= self.fits(skipped);
                    skipped += 1.minute();
                }
            }
            shown_before.insert(shown);
            last = Some(shown);
            if due && minute > 0 {
                slots.push(at.as_millisecond());
            }
        }
        slots
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let field = |low: i8, high: i8, most: usize| (any::<bool>(), btree_set(low..=high, 1..=most));
    // Hours near those at which clocks change, or the cases that matter would be rare.
    (field(0, 59, 5), field(0, 4, 3), field(1, 31, 20), field(1, 12, 11), field(0, 6, 4)).prop_map(
        |(minute, hour, day, month, weekday)| Plan { fields: vec![minute, hour, day, month, weekday] },
    )
}

/// Instants shortly before clocks change, and some at which nothing happens.
const ANCHORS: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("UTC", "2026-02-28T12:00:00Z"),
    ("Asia/Shanghai", "2027-12-31T16:00:00Z"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn slots_are_those_that_going_through_all_minutes_finds(
        plan in plan(),
        anchor in 0..ANCHORS.len(),
        lead_ms in 1..129_600_000i64,
    ) {
        let (zone, anchor) = ANCHORS[anchor];
        let text = plan.text();
        let schedule = match Schedule::parse(&text, zone) {
            Ok(schedule) => schedule,
            Err(ScheduleError::Never) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
        };
        let start = anchor.parse::<Timestamp>().unwrap().as_millisecond() - lead_ms;
        // Any millisecond to begin with; whole minutes to go through.
        let whole = Timestamp::from_millisecond(start.div_euclid(60_000) * 60_000).unwrap();
        let days = 3 * 24 * 60;
        let want = plan.slots(&TimeZone::get(zone).unwrap(), whole, days);
        let end = whole.as_millisecond() + days * 60_000;
        let mut got = Vec::new();
        let mut at = Wall(start);
        while let Some(next) = schedule.next_after(at).filter(|next| next.0 <= end) {
            prop_assert!(next > at);
            got.push(next.0);
            at = next;
        }
        prop_assert_eq!(&got, &want, "{} {}", text, zone);
        prop_assert_eq!(schedule.last_within(Wall(start), Wall(end)).map(|last| last.0), want.last().copied());
    }

    #[test]
    fn no_text_does_harm(parts in vec("[0-9*,/-]{0,6}|mon|jan|[@a-z]{0,9}", 0..7), from in any::<i64>()) {
        if let Ok(schedule) = Schedule::parse(&parts.join(" "), "Europe/Berlin") {
            prop_assert!(schedule.next_after(Wall(from)).is_none_or(|next| next > Wall(from)));
        }
    }
}
