//! Time in which nobody listened, and clocks that were set: what must not be held against anybody. Each of these was once
//! found by the simulation of the whole system.

use super::*;
use crate::domain::policy::Policy;

/// The clocks when the machine has slept for `slept` ms and the wall clock was then set by `step` ms.
fn shifted(ms: u64, slept: u64, step: i64) -> Now {
    Now { wall: Wall(at(ms).wall.0 + slept as i64 + step), ..at(ms) }
}

/// Another process, which reads what the first one wrote down.
fn restarted(now: Now, last_sign: Wall, write: impl FnOnce(&mut dyn FnMut(&Record<'_>))) -> Registry {
    let defaults = Defaults { grace: Some(Span::secs(30)), ..Defaults::default() };
    let mut next = Registry::new(now, defaults, Arc::default());
    write(&mut |record| next.load(now, name(record.id.as_str()), record, false));
    next.resume_after_start(now, Some(last_sign), &HashSet::new(), &mut |_| {});
    next
}

fn state_at(registry: &mut Registry, now: Now) -> State {
    while registry.handle_timeout(now, 7, &mut |_| {}) {}
    registry.get(now, name("a")).unwrap().state
}

#[test]
fn a_run_has_as_much_time_left_after_sleep_and_a_step_and_a_restart() {
    const HOUR_MS: u64 = 3_600_000;
    let mut r = registry();
    const BEGAN: u64 = 10_000_000;
    beat(&mut r, BEGAN, "a", &said(Status::Start, None));
    // 90 s are granted; 80 are left when the machine sleeps for an hour and its clock is then set by two.
    r.forgive(shifted(BEGAN + 10_000, HOUR_MS, 0), Span(HOUR_MS), Span(0), &mut |_| {});
    let stepped = |ms| shifted(BEGAN + ms, HOUR_MS, 2 * HOUR_MS as i64);
    let mut written = Vec::new();
    r.clock_stepped(stepped(20_000), 2 * HOUR_MS as i64, &mut |record| written.push(record.version));
    assert_eq!(written.len(), 1, "how long it may take is written down");
    for (down_ms, back_ms) in [(500_000, 0), (500_000, 700_000)] {
        // 60 s are left at the last sign of life.
        let start = Now { mono: Mono(7_000_000), wall: Wall(stepped(30_000).wall.0 + down_ms - back_ms) };
        let mut next = restarted(start, stepped(30_000).wall, |keep| {
            while r.unsaved(stepped(30_000), 0, u64::MAX, &mut |record| keep(record)).is_some() {}
        });
        r.mark_unsaved();
        let later = |ms: u64| Now { mono: start.mono.after(Span(ms)), wall: Wall(start.wall.0 + ms as i64) };
        assert_eq!(state_at(&mut next, later(59_900)), State::New);
        assert_eq!(state_at(&mut next, later(60_100)), State::Down);
    }
}

#[test]
fn a_pause_ends_by_the_wall_clock_though_the_machine_sleeps() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    control(&mut r, 0, "a", MonitorCommand::Pause { until: Some(at(600_000).wall) }).unwrap();
    r.forgive(shifted(10_000, 590_000, 0), Span(590_000), Span(0), &mut |_| {});
    assert_eq!(state_at(&mut r, shifted(10_016, 590_000, 0)), State::Up);
}

#[test]
fn a_persons_pause_that_ends_in_a_maintenance_window_goes_over_into_it() {
    let window = Window::Once { from: at(50_000).wall, to: at(500_000).wall };
    let mut r = ruled(Rules::new(vec![Rule { windows: vec![window], ..rule("*") }]));
    beat(&mut r, 0, "a", &OK);
    control(&mut r, 10_000, "a", MonitorCommand::Pause { until: Some(at(100_000).wall) }).unwrap();
    r.hold_windows(at(50_000), &mut |_| {});
    changes(&mut r);
    assert_eq!(run_to(&mut r, 499_000), vec![], "silence is expected all the time");
    assert_eq!(run_to(&mut r, 500_016), vec![("a".into(), State::Up)]);
}

#[test]
fn who_went_down_uncounted_is_told_of_also_after_an_absence_or_a_restart() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    for n in 0..62 {
        beat(&mut r, 1_000 + n, "a", &said(if n % 2 == 1 { Status::Fail } else { Status::Ok }, None));
    }
    changes(&mut r);
    assert_eq!(r.get(at(2_000), name("a")).unwrap().incident, None, "too many changes in this hour");
    r.forgive(at(10_000), Span(0), Span(5_000), &mut |_| {});
    let start = Now { mono: Mono(7_000_000), wall: at(20_000).wall };
    let mut next = restarted(start, at(15_000).wall, |keep| {
        while r.unsaved(at(15_000), 0, u64::MAX, &mut |record| keep(record)).is_some() {}
    });
    assert_eq!(state_at(&mut next, start), State::Down);
    assert!(next.get(start, name("a")).unwrap().incident.is_some());
    assert_eq!(run_to(&mut r, 3_600_016), vec![("a".into(), State::Down)]);
    assert!(r.get(at(3_600_016), name("a")).unwrap().incident.is_some());
}

#[test]
fn details_that_were_left_out_or_cleared_are_those_of_the_latest_record_that_had_them() {
    let mut r = registry();
    let mut all = Vec::new();
    let mut next = registry();
    let texts = [Some("disk full"), Some(""), None];
    for (ms, message) in (0..).zip(texts) {
        let arrival = Arrival {
            monitor: name("a"),
            beat: &Beat { message, ..OK },
            source: source(),
            follows_interval: true,
            create: Some(1),
        };
        r.handle(at(ms), arrival, &mut |record| all.push((record.version, record.details.is_some())))
            .unwrap();
    }
    assert_eq!(all, [(1, true), (2, true), (3, true), (4, false)]);
    // The snapshot has the last; what is older is still in the journal.
    while r.unsaved(at(5), 0, u64::MAX, &mut |record| next.load(at(5), name("a"), record, true)).is_some() {}
    let mut older = registry();
    let mut write = |record: &Record<'_>| next.load(at(5), name("a"), record, false);
    let arrival = Arrival {
        monitor: name("a"),
        beat: &Beat { message: Some("disk full"), ..OK },
        source: source(),
        follows_interval: true,
        create: Some(1),
    };
    older.handle(at(0), arrival, &mut write).unwrap();
    next.resume_after_start(at(6), None, &HashSet::new(), &mut |_| {});
    let seen = next.get(at(6), name("a")).unwrap();
    assert_eq!((seen.message, seen.beats), (None, 3));
}

/// The clock of these tests begins at 02:40, so this is 03:00.
const THREE: u64 = 1_200_000;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Declares `a`, which is due at 03:00 each day and waited for for so long the first time.
fn due_at_three(within_ms: u64) -> Policy {
    let schedule = Schedule::parse("0 3 * * *", "UTC").ok();
    let rule = Rule { schedule, first_beat: Some(Some(Span(within_ms))), ..rule("a") };
    Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() }
}

fn declared(policy: &Policy, now: Now) -> Registry {
    let mut r = Registry::new(now, policy.defaults, policy.rules.clone());
    assert!(r.ensure(now, name("a"), source(), || 9, &mut |_| {}));
    r
}

/// What another process makes of what this one wrote down, and what that one writes down itself. Nobody listened in between.
fn started_again(old: &mut Registry, policy: &Policy, away: (u64, u64)) -> (Registry, usize) {
    let now = Now { mono: Mono(away.1), wall: at(away.1).wall };
    let mut next = Registry::new(now, policy.defaults, policy.rules.clone());
    old.mark_unsaved();
    let mut write = |record: &Record<'_>| next.load(now, name(record.id.as_str()), record, true);
    while old.unsaved(now, 0, u64::MAX, &mut write).is_some() {}
    let mut written = 0;
    next.resume_after_start(now, Some(at(away.0).wall), &HashSet::new(), &mut |_| written += 1);
    (next, written)
}

/// It is down when the first slot of which it can be known that it was not kept is an hour ago, and not before.
fn is_down_an_hour_after(mut r: Registry, slot: u64, what: &str) {
    assert_eq!(run_to(&mut r, slot + HOUR - 1), vec![], "{what}");
    assert_eq!(run_to(&mut r, slot + HOUR + 16), vec![("a".into(), State::Down)], "{what}");
}

#[test]
fn a_first_slot_that_came_while_nobody_listened_stays_excused() {
    let policy = due_at_three(HOUR);
    let excused = || {
        let (r, written) = started_again(&mut declared(&policy, at(0)), &policy, (1_000, 5 * HOUR));
        assert_eq!(written, 1, "so it must be known after the next start");
        r
    };
    is_down_an_hour_after(excused(), THREE + DAY, "a start");
    let again = started_again(&mut excused(), &policy, (6 * HOUR, 6 * HOUR + 9_000));
    assert_eq!(again.1, 0);
    is_down_an_hour_after(again.0, THREE + DAY, "another start");
    let mut r = excused();
    r.forgive(at(6 * HOUR), Span(0), Span(5_000), &mut |_| {});
    r.forgive(at(7 * HOUR), Span(5_000), Span(0), &mut |_| {});
    is_down_an_hour_after(r, THREE + DAY, "a stall and a sleep");
    // Nor is it down by a reload that changes what else it is held to.
    let mut r = excused();
    r.set_policy(at(6 * HOUR), &due_at_three(2 * HOUR), &mut |_| {});
    r.set_policy(at(7 * HOUR), &policy, &mut |_| {});
    is_down_an_hour_after(r, THREE + DAY, "a reload");
    let mut r = excused();
    let wish = Declaration { tags: Some(vec!["night".into()]), ..Declaration::default() };
    control(&mut r, 6 * HOUR, "a", MonitorCommand::Declare(wish)).unwrap();
    is_down_an_hour_after(r, THREE + DAY, "a declaration");
    let twice = started_again(&mut excused(), &policy, (DAY, DAY + HOUR));
    is_down_an_hour_after(twice.0, THREE + 2 * DAY, "another slot that nobody could see kept");
    let mut r = declared(&policy, at(0));
    let mut written = 0;
    r.forgive(at(THREE + 10), Span(0), Span(2_000), &mut |_| written += 1);
    r.forgive(at(THREE + HOUR), Span(0), Span(2_000), &mut |_| written += 1);
    assert_eq!(written, 1);
    is_down_an_hour_after(r, THREE + DAY, "two stalls");
}

#[test]
fn who_was_declared_by_a_wrong_clock_is_waited_for_by_the_right_one() {
    const YEARS: i64 = 20 * 365 * DAY as i64;
    let hourly = Rule { first_beat: Some(Some(Span(HOUR))), ..rule("a") };
    let without = Policy { rules: Arc::new(Rules::new(vec![hourly])), ..Policy::default() };
    let other = |policy: &Policy| {
        let rule = policy.rules.get(0).unwrap().clone();
        let rules = Arc::new(Rules::new(vec![Rule { grace: Some(Span::secs(7)), ..rule }]));
        Policy { rules, ..Policy::default() }
    };
    // Without a schedule it is waited for since it was declared, whatever the time was.
    for (policy, slot) in [(due_at_three(HOUR), THREE), (without, 0)] {
        for ahead in [YEARS, -YEARS] {
            let wrong = |ms: u64| Now { wall: Wall(at(ms).wall.0 + ahead), ..at(ms) };
            let stepped = || {
                let mut r = declared(&policy, wrong(0));
                let mut written = 0;
                r.clock_stepped(at(60_000), -ahead, &mut |_| written += 1);
                assert_eq!(written, 1);
                r
            };
            is_down_an_hour_after(stepped(), slot, "the step");
            let mut r = stepped();
            r.forgive(at(70_000), Span(0), Span(2_000), &mut |_| {});
            is_down_an_hour_after(r, slot, "a stall");
            let mut r = stepped();
            r.set_policy(at(70_000), &other(&policy), &mut |_| {});
            is_down_an_hour_after(r, slot, "a reload");
            let next = started_again(&mut stepped(), &policy, (70_000, 80_000));
            is_down_an_hour_after(next.0, slot, "a start");
        }
    }
}

#[test]
fn a_schedule_that_a_reload_brings_has_no_slot_before_it() {
    let rule = Rule { schedule: Schedule::parse("0 20 * * *", "UTC").ok(), ..rule("a") };
    let before = Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() };
    let mut r = declared(&before, at(0));
    r.set_policy(at(5 * HOUR), &due_at_three(HOUR), &mut |_| {});
    is_down_an_hour_after(r, THREE + DAY, "the reload");
}
