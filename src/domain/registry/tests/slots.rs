//! Slots of a schedule: what counts for them, who is late, how long they are waited for; and who was never heard.

use super::*;
use crate::domain::policy::Policy;
use crate::domain::tolerance::Early;

/// The clock of these tests begins at 02:40, so this is 03:00.
const THREE: u64 = 1_200_000;
const HOUR: u64 = 3_600_000;

fn due_at(expression: &str, grace_s: Option<u64>) -> Rule {
    let schedule = Schedule::parse(expression, "UTC").unwrap();
    Rule { schedule: Some(schedule), grace: grace_s.map(Span::secs), ..rule("*") }
}

/// A registry whose defaults name no grace.
fn fitting(rules: Vec<Rule>) -> Registry {
    Registry::new(at(0), Defaults::default(), Arc::new(Rules::new(rules)))
}

fn slot(r: &Registry, ms: u64) -> u64 {
    (r.get(at(ms), name("a")).unwrap().slot.unwrap().0 - at(0).wall.0) as u64
}

fn grace_s(r: &Registry) -> u64 {
    r.get(at(0), name("a")).unwrap().grace.0 / 1000
}

#[test]
fn a_schedule_wants_a_beat_after_each_slot() {
    let mut r = ruled(Rules::new(vec![due_at("0 * * * *", Some(300))]));
    beat(&mut r, THREE - 61_000, "a", &OK);
    assert_eq!(run_to(&mut r, THREE + 59_999), vec![]);
    assert_eq!(run_to(&mut r, THREE + 60_016), vec![("a".into(), State::Late)], "too early to count");
    beat(&mut r, THREE + 200_000, "a", &OK);
    assert_eq!(run_to(&mut r, THREE + HOUR + 59_999), vec![("a".into(), State::Up)]);
    assert_eq!(run_to(&mut r, THREE + HOUR + 60_016), vec![("a".into(), State::Late)]);
    assert_eq!(run_to(&mut r, THREE + HOUR + 299_999), vec![]);
    assert_eq!(
        run_to(&mut r, THREE + HOUR + 300_016),
        vec![("a".into(), State::Down)],
        "the grace is no longer"
    );
    assert_eq!(slot(&r, THREE + HOUR + 300_016), THREE + HOUR, "that is what it missed");
    // Nor may a beat choose its own interval.
    beat(&mut r, THREE + HOUR + 400_000, "a", &Beat { interval: Some(Span::secs(5)), ..OK });
    assert_eq!(r.get(at(0), name("a")).map(|m| m.interval), Some(Span::secs(60)));
}

#[test]
fn a_job_that_cron_starts_every_minute_leaves_no_line_all_night() {
    let mut r = fitting(vec![due_at("* * * * *", None)]);
    for minute in 0..600 {
        // Cron starts it some seconds after the full minute, and it takes a moment.
        beat(&mut r, minute * 60_000 + 1_000 + minute * 7_919 % 8_000, "a", &OK);
        assert_eq!(run_to(&mut r, (minute + 1) * 60_000), vec![], "minute {minute}");
    }
    assert_eq!(run_to(&mut r, 600 * 60_000 + 30_016).last(), Some(&("a".into(), State::Down)));
}

#[test]
fn a_beat_shortly_before_its_slot_counts_for_it() {
    let mut r = ruled(Rules::new(vec![due_at("0 3 * * *", Some(600))]));
    beat(&mut r, THREE - 6_000, "a", &OK);
    assert_eq!(slot(&r, THREE), THREE + 24 * HOUR);
    assert_eq!(run_to(&mut r, THREE + HOUR), vec![]);
    // Also when the server is started again in between: it must not be down though it was heard.
    let mut records = Vec::new();
    r.unsaved(at(THREE), 0, u64::MAX, &mut |record| records.push(record.beats));
    assert_eq!(records, [1]);
    r.forgive(at(THREE - 1_000), Span(0), Span(2_000), &mut |_| {});
    assert_eq!(slot(&r, THREE), THREE + 24 * HOUR);
    // It is off where that is asked for, and a failure counts for nothing.
    let mut r =
        ruled(Rules::new(vec![Rule { early: Some(Early::Percent(0)), ..due_at("0 3 * * *", Some(600)) }]));
    beat(&mut r, THREE - 6_000, "a", &OK);
    assert_eq!(slot(&r, THREE), THREE);
    let mut r =
        ruled(Rules::new(vec![Rule { early: Some(Early::For(Span(HOUR))), ..due_at("0 3 * * *", None) }]));
    beat(&mut r, 1_000, "a", &OK);
    assert_eq!(slot(&r, THREE), THREE + 24 * HOUR);
}

#[test]
fn a_step_of_the_wall_clock_makes_no_schedule_late() {
    let mut r = ruled(Rules::new(vec![due_at("0 * * * *", None)]));
    beat(&mut r, 0, "a", &OK);
    let stepped = |ms: u64, step: i64| Now { wall: Wall(at(ms).wall.0 + step), ..at(ms) };
    r.clock_stepped(stepped(1_000, 7_200_000), 7_200_000, &mut |_| {});
    let known = r.get(stepped(1_000, 7_200_000), name("a")).unwrap();
    assert_eq!(known.slot, Some(Wall(at(THREE).wall.0 + 7_200_000)), "the first slot by the new clock");
    // Half of the grace of 30 s.
    assert_eq!(known.next_deadline, Some(Wall(at(THREE + 15_000).wall.0 + 7_200_000)));
    r.clock_stepped(stepped(2_000, 0), -7_200_000, &mut |_| {});
    assert_eq!(run_to(&mut r, 8_399_999), vec![]);
}

#[test]
fn a_slot_that_had_come_is_not_skipped_by_a_step_within_its_tolerance() {
    let mut r = ruled(Rules::new(vec![due_at("0 * * * *", Some(600))]));
    beat(&mut r, 0, "a", &OK);
    let stepped = |ms: u64| Now { wall: Wall(at(ms).wall.0 + 120_000), ..at(ms) };
    r.clock_stepped(stepped(THREE + 20_000), 120_000, &mut |_| {});
    while r.handle_timeout(stepped(THREE + 20_100), 7, &mut |_| {}) {}
    assert_eq!(state(&r, 0, "a"), State::Late);
}

#[test]
fn a_grace_that_nobody_named_fits_the_interval_and_one_that_was_named_stays() {
    let mut r = fitting(vec![]);
    beat(&mut r, 0, "a", &OK);
    assert_eq!(grace_s(&r), 30);
    let every = |s: u64| Beat { interval: Some(Span::secs(s)), ..OK };
    for (interval_s, want) in [(86_400, 3600), (300, 75), (5, 30), (3600, 900)] {
        beat(&mut r, 0, "a", &every(interval_s));
        assert_eq!(grace_s(&r), want, "{interval_s}");
    }
    let wish = Declaration { interval: Some(Span::secs(600)), ..Declaration::default() };
    control(&mut r, 0, "a", MonitorCommand::Declare(wish)).unwrap();
    assert_eq!(grace_s(&r), 150);
    beat(&mut r, 0, "a", &Beat { grace: Some(Span::secs(7)), ..every(600) });
    beat(&mut r, 0, "a", &every(86_400));
    assert_eq!(grace_s(&r), 7);
    // What the administrator says in the defaults holds.
    let mut r = registry();
    beat(&mut r, 0, "a", &every(86_400));
    assert_eq!(grace_s(&r), 30);
    for (expression, want) in [("* * * * *", 30), ("*/30 9-17 * * 1-5", 450), ("0 3 * * *", 3600)] {
        let mut r = fitting(vec![due_at(expression, None)]);
        beat(&mut r, 0, "a", &OK);
        assert_eq!(grace_s(&r), want, "{expression}");
        // Without the rule it is an ordinary monitor again.
        r.set_policy(at(0), &Policy::default(), &mut |_| {});
        assert_eq!(grace_s(&r), 30, "{expression}");
    }
}

/// Declares `a` by a rule that waits so long for its first beat.
fn waits_for_first(within: Option<Span>) -> Policy {
    let rule = Rule { first_beat: Some(within), ..rule("a") };
    Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() }
}

fn declared(policy: &Policy) -> Registry {
    let mut r = Registry::new(at(0), policy.defaults, policy.rules.clone());
    assert!(r.ensure(at(0), name("a"), source(), || 9, &mut |_| {}));
    assert!(!r.ensure(at(0), name("a"), source(), || panic!("a number for nobody"), &mut |_| {}));
    r
}

#[test]
fn who_is_declared_and_never_heard_in_time_is_down_and_that_is_why() {
    let mut r = declared(&waits_for_first(Some(Span(2 * HOUR))));
    assert_eq!(run_to(&mut r, 2 * HOUR - 1), vec![]);
    assert_eq!(run_to(&mut r, 2 * HOUR + 16), vec![("a".into(), State::Down)]);
    let cause = r.get(at(0), name("a")).unwrap().incident.map(|(_, _, reason)| reason.cause);
    assert_eq!(cause, Some(Cause::NeverHeard));
    beat(&mut r, 3 * HOUR, "a", &OK);
    assert_eq!(run_to(&mut r, 3 * HOUR + 100), vec![("a".into(), State::Up)]);
    assert_eq!(run_to(&mut r, 3 * HOUR + 90_016).last(), Some(&("a".into(), State::Down)));
    let cause = r.get(at(0), name("a")).unwrap().incident.map(|(_, _, reason)| reason.cause);
    assert_eq!(cause, Some(Cause::Silence));
}

/// The same, due at each full hour.
fn hourly_waits_for_first(within_ms: u64) -> Policy {
    let schedule = Schedule::parse("0 * * * *", "UTC").ok();
    let rule = Rule { first_beat: Some(Some(Span(within_ms))), schedule, ..rule("a") };
    Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() }
}

#[test]
fn who_has_a_schedule_is_waited_for_from_the_first_slot_after_it_was_declared() {
    let mut r = declared(&hourly_waits_for_first(600_000));
    assert_eq!(run_to(&mut r, THREE + 599_999), vec![]);
    assert_eq!(run_to(&mut r, THREE + 600_016), vec![("a".into(), State::Down)]);
}

#[test]
fn the_first_slot_is_that_of_the_clock_that_was_set() {
    let hour = HOUR as i64;
    // Over the slot, not so far, and back: when the slot comes then.
    for (step_ms, slot_ms) in [(2 * hour, THREE), (600_000, THREE - 600_000), (-hour, THREE)] {
        let mut r = declared(&hourly_waits_for_first(600_000));
        let stepped = |ms: u64| Now { wall: Wall(at(ms).wall.0 + step_ms), ..at(ms) };
        r.clock_stepped(stepped(60_000), step_ms, &mut |_| {});
        for (ms, state) in [(slot_ms + 599_999, State::New), (slot_ms + 600_016, State::Down)] {
            while r.handle_timeout(stepped(ms), 7, &mut |_| {}) {}
            assert_eq!(r.get(stepped(ms), name("a")).unwrap().state, state, "{step_ms}");
        }
    }
}

#[test]
fn the_time_for_the_first_beat_outlasts_a_start_and_a_stall() {
    let kept = |policy: &Policy, ms: u64, last_sign: u64| {
        let mut old = declared(policy);
        let mut next = Registry::new(at(ms), policy.defaults, policy.rules.clone());
        let mut write = |record: &Record<'_>| next.load(at(ms), name(record.id.as_str()), record, true);
        while old.unsaved(at(0), 0, u64::MAX, &mut write).is_some() {}
        next.resume_after_start(at(ms), Some(at(last_sign).wall), &HashSet::new(), &mut |_| {});
        next
    };
    let slow = |within_ms: u64| {
        let rule = Rule { interval: Some(Span(HOUR)), first_beat: Some(Some(Span(within_ms))), ..rule("a") };
        Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() }
    };
    // In its time, and behind it: then it has that time once more, though its interval is longer.
    for (at_ms, down) in [(5_000, 25_000), (30_000, 50_000)] {
        let mut r = kept(&slow(20_000), at_ms, at_ms - 1_000);
        assert_eq!(run_to(&mut r, down - 1), vec![], "{at_ms}");
        assert_eq!(run_to(&mut r, down + 16), vec![("a".into(), State::Down)], "{at_ms}");
    }
    let mut r = declared(&slow(2 * HOUR));
    r.forgive(at(100_000), Span(0), Span(5_000), &mut |_| {});
    assert_eq!(run_to(&mut r, 2 * HOUR - 1), vec![]);
    assert_eq!(run_to(&mut r, 2 * HOUR + 16), vec![("a".into(), State::Down)]);
    // By a schedule: away before its slot, after it, and while it came, when it may have been kept.
    for (last_sign, at_ms, slot) in
        [(1_000, 60_000, THREE), (THREE + 5_000, THREE + 60_000, THREE), (1_000, THREE, THREE + HOUR)]
    {
        let mut r = kept(&hourly_waits_for_first(600_000), at_ms, last_sign);
        assert_eq!(run_to(&mut r, slot + 599_999), vec![], "{at_ms}");
        assert_eq!(run_to(&mut r, slot + 600_016), vec![("a".into(), State::Down)], "{at_ms}");
    }
}

#[test]
fn a_run_of_a_schedule_may_last_until_the_next_slot_and_the_grace() {
    // Begun a moment before its slot, at it, and when it was late.
    for start in [THREE - 20_000, THREE, THREE + 100_000] {
        let mut r = ruled(Rules::new(vec![due_at("0 * * * *", Some(300))]));
        beat(&mut r, 0, "a", &OK);
        run_to(&mut r, start);
        beat(&mut r, start, "a", &said(Status::Start, Some("1")));
        let end = THREE + HOUR + 300_000;
        run_to(&mut r, start);
        assert_eq!(run_to(&mut r, end - 1), vec![], "{start}");
        assert_eq!(run_to(&mut r, end + 16), vec![("a".into(), State::Down)], "{start}");
    }
}

#[test]
fn what_is_shown_of_a_run_is_its_own_deadline_however_near_to_a_slot() {
    // Without a grace it would end at the next slot, but we were away for a millisecond. One never heard before awaits no slot.
    for is_heard_before in [false, true] {
        let mut r = ruled(Rules::new(vec![due_at("0 * * * *", Some(0))]));
        if is_heard_before {
            beat(&mut r, THREE - HOUR / 4, "a", &OK);
        }
        beat(&mut r, THREE - 600_000, "a", &said(Status::Start, Some("1")));
        r.forgive(at(THREE - 599_999), Span(0), Span(1), &mut |_| {});
        let known = r.get(at(THREE - 599_999), name("a")).unwrap();
        assert_eq!(known.slot, Some(at(THREE).wall));
        assert_eq!(known.next_deadline, Some(at(THREE + 1).wall), "{is_heard_before}");
        assert_eq!(run_to(&mut r, THREE), vec![], "{is_heard_before}");
        assert_eq!(run_to(&mut r, THREE + 17), vec![("a".into(), State::Down)], "{is_heard_before}");
    }
}

#[test]
fn a_beat_counts_for_its_slot_also_if_the_clock_is_then_put_back() {
    // Shortly before it, at it, and after it; not for a slot that the beat had left behind.
    for (came_ms, back_ms, slot_ms) in [
        (THREE - 1, 5_000, THREE + HOUR),
        (THREE, 5_000, THREE + HOUR),
        (THREE + 2_000, 5_000, THREE + HOUR),
        (THREE + HOUR + 2_000, HOUR + 5_000, THREE),
    ] {
        let mut r = ruled(Rules::new(vec![due_at("0 * * * *", Some(600))]));
        beat(&mut r, came_ms, "a", &OK);
        let now = Now { wall: Wall(at(came_ms).wall.0 - back_ms as i64), ..at(came_ms) };
        r.forgive(now, Span(0), Span(1), &mut |_| {});
        assert_eq!(slot(&r, came_ms), slot_ms, "{came_ms}");
    }
}

#[test]
fn a_first_beat_in_time_or_of_any_kind_ends_the_waiting() {
    for status in [Status::Ok, Status::Log, Status::Start] {
        let mut r = declared(&waits_for_first(Some(Span(HOUR))));
        beat(&mut r, HOUR - 10_000, "a", &said(status, None));
        assert_eq!(run_to(&mut r, HOUR + 16), vec![], "{status:?}");
        assert_eq!(run_to(&mut r, HOUR + 120_000).last(), Some(&("a".into(), State::Down)), "{status:?}");
    }
}

#[test]
fn waiting_for_the_first_beat_outlasts_pauses_absences_and_reloads() {
    let mut r = declared(&waits_for_first(None));
    assert_eq!(run_to(&mut r, 10 * HOUR), vec![]);
    // It is too late already when that is asked for.
    r.set_policy(at(10 * HOUR), &waits_for_first(Some(Span(HOUR))), &mut |_| {});
    assert_eq!(run_to(&mut r, 10 * HOUR + 16), vec![("a".into(), State::Down)]);
    let mut r = declared(&waits_for_first(Some(Span(HOUR))));
    control(&mut r, 0, "a", MonitorCommand::Pause { until: None }).unwrap();
    assert_eq!(run_to(&mut r, 2 * HOUR).last(), Some(&("a".into(), State::Paused)));
    control(&mut r, 2 * HOUR, "a", MonitorCommand::Resume).unwrap();
    assert_eq!(run_to(&mut r, 3 * HOUR - 1), vec![("a".into(), State::New)]);
    // While nobody listened it may have been there; so it has an interval and a grace to say so.
    r.forgive(at(3 * HOUR - 1_000), Span(0), Span(HOUR), &mut |_| {});
    assert_eq!(run_to(&mut r, 3 * HOUR + 80_000), vec![]);
    assert_eq!(run_to(&mut r, 3 * HOUR + 90_000), vec![("a".into(), State::Down)]);
}

#[test]
fn whoever_is_overdue_for_its_first_beat_is_counted_and_named() {
    let rules = ["a", "b", "c"].map(|id| match id {
        "c" => Rule { schedule: Some(Schedule::parse("0 * * * *", "UTC").unwrap()), ..rule(id) },
        id => rule(id),
    });
    let policy = Policy { rules: Arc::new(Rules::new(rules.to_vec())), ..Policy::default() };
    let mut r = declared(&policy);
    for id in ["b", "c"] {
        r.ensure(at(0), name(id), source(), || 10, &mut |_| {});
    }
    assert_eq!(r.never_heard(at(60_000), 5), (0, vec![]));
    beat(&mut r, 60_000, "b", &OK);
    assert_eq!(r.never_heard(at(60_001), 5), (1, vec!["a".to_string()]));
    assert_eq!(r.never_heard(at(THREE + 1), 1), (2, vec!["a".to_string()]), "also by its schedule");
    assert!(r.get(at(60_001), name("a")).unwrap().never_heard);
    control(&mut r, THREE, "a", MonitorCommand::Pause { until: None }).unwrap();
    assert_eq!(r.never_heard(at(THREE + 1), 5), (1, vec!["c".to_string()]));
}

proptest! {
    /// A job whose beats come within what is tolerated around each slot is up all the time; one that stops is down when its
    /// grace is over, neither earlier nor later.
    #[test]
    fn who_keeps_its_times_is_never_late_and_who_stops_is_down_in_time(
        expression in prop::sample::select(vec!["* * * * *", "*/7 * * * *", "3,33 * * * *", "0 */4 * * *", "15 2 * * *"]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        from_day in 0u64..400,
        grace_s in prop::option::of(0u64..5000),
        offs in prop::collection::vec(-1000i64..1000, 3..40),
    ) {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let own = Rule { schedule: Some(schedule.clone()), grace: grace_s.map(Span::secs), ..rule("*") };
        let mut r = fitting(vec![own]);
        let mut slot = schedule.next_after(at(from_day * 86_400_000).wall).unwrap();
        let ms = |wall: Wall| (wall.0 - at(0).wall.0) as u64;
        let mut last = slot;
        let mut first = true;
        for off in offs {
            let next = schedule.next_after(slot).unwrap();
            let gap = schedule.gap_before(slot, Span(86_400_000 * 2)).unwrap().0 as i64;
            let grace_ms = grace_s.map_or(gap, |s| s as i64 * 1000);
            // In thousandths of what is allowed before and after.
            let early = (gap / 20).min(60_000);
            let late = early.max(10_000).min(grace_ms.min(20_000) / 2);
            let came = slot.0 + if off < 0 { early * off / 1000 } else { late * off / 1000 };
            if first {
                // Nothing is known of it yet.
                first = false;
            } else {
                prop_assert_eq!(run_to(&mut r, ms(Wall(came))), vec![], "{} at {:?}", expression, slot);
            }
            beat(&mut r, ms(Wall(came)), "a", &OK);
            run_to(&mut r, ms(Wall(came)));
            (last, slot) = (slot, next);
        }
        let _ = last;
        let known = r.get(at(ms(slot)), name("a")).unwrap();
        prop_assert_eq!(known.slot, Some(slot));
        let down = ms(slot) + known.grace.0;
        run_to(&mut r, down - 1);
        prop_assert_ne!(state(&r, 0, "a"), State::Down);
        run_to(&mut r, down + 17);
        prop_assert_eq!(state(&r, 0, "a"), State::Down);
    }
}
