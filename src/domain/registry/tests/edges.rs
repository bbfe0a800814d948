//! What happens exactly at a bound, what is counted down again, and what is left as it was.

use super::*;
use crate::domain::policy::Policy;

/// The clock of these tests begins at 02:40, so this is 03:00.
const THREE: u64 = 1_200_000;
const HOUR: u64 = 3_600_000;

fn set_ahead(ms: u64, step_ms: i64) -> Now {
    Now { wall: Wall(at(ms).wall.0 + step_ms), ..at(ms) }
}

/// Another process that reads what the first wrote; the clocks go on.
fn restarted(old: &mut Registry, now: Now, last_sign: Wall, policy: &Policy) -> Registry {
    let mut next = Registry::new(now, policy.defaults, policy.rules.clone());
    old.mark_unsaved();
    let mut write = |record: &Record<'_>| next.load(now, name(record.id.as_str()), record, true);
    while old.unsaved(now, 0, u64::MAX, &mut write).is_some() {}
    next.resume_after_start(now, Some(last_sign), &HashSet::new(), &mut |_| {});
    next
}

fn incident(r: &Registry, ms: u64) -> Option<(String, Wall, Reason)> {
    r.get(at(ms), name("a")).unwrap().incident
}

/// `a` is declared, due at each full hour, and waited for ten minutes the first time.
fn hourly() -> Policy {
    let schedule = Schedule::parse("0 * * * *", "UTC").ok();
    let rule = Rule { first_beat: Some(Some(Span(600_000))), schedule, ..rule("a") };
    Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() }
}

fn declared(policy: &Policy, now: Now) -> Registry {
    let mut r = Registry::new(now, policy.defaults, policy.rules.clone());
    assert!(r.ensure(now, name("a"), source(), || 9, &mut |_| {}));
    r
}

#[test]
fn a_monitor_is_found_again_by_its_seat_until_it_is_gone() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    let seat = r.seats(at(0), Order::Id, None, 9, |_| true)[0].1;
    assert_eq!(r.at(at(0), seat).map(|seen| seen.id), Some("a".into()));
    control(&mut r, 1, "a", MonitorCommand::Remove).unwrap();
    beat(&mut r, 2, "b", &OK);
    assert_eq!(r.at(at(2), seat), None, "another one sits there");
}

#[test]
fn counts_are_those_of_who_is_there_after_a_load_and_a_removal() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    beat(&mut r, 0, "b", &OK);
    control(&mut r, 1, "b", MonitorCommand::Remove).unwrap();
    assert_eq!(r.counts(), [0, 1, 0, 0, 0]);
    let next = restarted(&mut r, at(2), at(2).wall, &Policy::default());
    assert_eq!((next.counts(), next.poll_deadline().is_some()), ([0, 1, 0, 0, 0], true));
    assert!(r.poll_deadline().is_some_and(|deadline| deadline <= Mono(60_000)));
}

#[test]
fn messages_may_fill_their_room_and_short_ones_need_none() {
    let mut r = registry();
    r.bound_messages(20_000);
    let long = "x".repeat(10_000);
    for (id, message) in [("a", long.as_str()), ("b", &long), ("c", &long[..256])] {
        beat(&mut r, 0, id, &Beat { message: Some(message), ..OK });
    }
    let bytes = ["a", "b", "c"].map(|id| r.get(at(0), name(id)).unwrap().message.unwrap().len());
    assert_eq!(bytes, [10_000, 10_000, 256]);
}

#[test]
fn a_step_of_the_clock_moves_only_the_begin_of_those_who_were_never_heard() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Log, None));
    let mut written = 0;
    r.clock_stepped(set_ahead(1_000, 7_200_000), 7_200_000, &mut |_| written += 1);
    assert_eq!((r.get(at(1_000), name("a")).unwrap().since, written), (at(0).wall, 0));
}

#[test]
fn a_conflict_lasts_as_long_as_the_interval_of_its_last_sight_says() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    let pair = [Peer::from_ip([10, 0, 0, 1].into()); 2];
    (1..=3).for_each(|s| r.contend(at(s * 1000), name("a"), pair));
    beat(&mut r, 4_000, "a", &Beat { interval: Some(Span::secs(600)), ..OK });
    r.contend(at(5_000), name("a"), pair);
    assert!(r.get(at(2_400_000), name("a")).unwrap().conflict.is_some());
    assert!(r.get(at(2_406_000), name("a")).unwrap().conflict.is_none());
}

#[test]
fn a_first_slot_that_came_while_we_still_listened_is_not_excused() {
    let mut old = declared(&hourly(), at(0));
    let mut r = restarted(&mut old, at(THREE + 60_000), at(THREE).wall, &hourly());
    assert_eq!(run_to(&mut r, THREE + 599_999), vec![]);
    assert_eq!(run_to(&mut r, THREE + 600_016), vec![("a".into(), State::Down)]);
}

#[test]
fn who_was_declared_in_the_future_is_waited_for_from_the_start_on_that_knows_better() {
    const AHEAD: i64 = 30 * HOUR as i64;
    let mut old = declared(&hourly(), set_ahead(0, AHEAD));
    let mut r = restarted(&mut old, at(10_000), set_ahead(5_000, AHEAD).wall, &hourly());
    assert_eq!(run_to(&mut r, THREE + 599_999), vec![]);
    assert_eq!(run_to(&mut r, THREE + 600_016), vec![("a".into(), State::Down)]);
}

#[test]
fn a_small_step_moves_a_first_slot_that_is_to_come_and_a_large_one_skips_what_had() {
    for (step_ms, from_ms, slot_ms) in [
        (30_000, 60_000, THREE - 30_000),
        (-30_000, 60_000, THREE + 30_000),
        (300_000, THREE + 60_000, THREE + HOUR - 300_000),
    ] {
        let mut r = declared(&hourly(), at(0));
        r.clock_stepped(set_ahead(from_ms, step_ms), step_ms, &mut |_| {});
        for (ms, state) in [(slot_ms + 599_999, State::New), (slot_ms + 600_016, State::Down)] {
            while r.handle_timeout(set_ahead(ms, step_ms), 7, &mut |_| {}) {}
            assert_eq!(r.get(set_ahead(ms, step_ms), name("a")).unwrap().state, state, "{step_ms}");
        }
    }
}

#[test]
fn only_who_is_judged_has_a_deadline_to_show() {
    let forgetful = Rule { forget_after: Some(Some(Span(HOUR))), ..rule("*") };
    let mut r = ruled(Rules::new(vec![forgetful]));
    beat(&mut r, 0, "a", &OK);
    assert_eq!(r.get(at(0), name("a")).unwrap().next_deadline, Some(at(60_000).wall));
    beat(&mut r, 1, "a", &said(Status::Fail, None));
    assert_eq!(r.get(at(1), name("a")).unwrap().next_deadline, None, "it will be forgotten");
    control(&mut r, 1, "b", MonitorCommand::Declare(Declaration::default())).unwrap();
    assert_eq!(r.get(at(1), name("b")).unwrap().next_deadline, None, "it is waited for without end");
}

#[test]
fn who_was_never_heard_has_no_last_beat_on_record_nor_in_what_is_told() {
    let rule = Rule { first_beat: Some(Some(Span(HOUR))), ..rule("a") };
    let policy = Policy { rules: Arc::new(Rules::new(vec![rule])), ..Policy::default() };
    let mut r = declared(&policy, at(0));
    let mut last_beats = Vec::new();
    r.visit(at(1), &mut |record| last_beats.push(record.last_beat));
    assert_eq!(last_beats, [None]);
    while r.handle_timeout(at(HOUR + 16), 7, &mut |_| {}) {}
    let change = changes(&mut r).pop().unwrap();
    assert_eq!((change.to, change.last_beat), (State::Down, None));
}

#[test]
fn a_run_took_the_time_that_the_machine_slept_too() {
    let mut r = registry();
    let began = 2 * HOUR;
    beat(&mut r, began, "a", &said(Status::Start, None));
    r.forgive(set_ahead(began + 10_000, HOUR as i64), Span(HOUR), Span(0), &mut |_| {});
    beat(&mut r, began + 20_000, "a", &OK);
    assert_eq!(r.get(at(began), name("a")).unwrap().run_took, Some(Span(HOUR + 20_000)));
}

#[test]
fn a_run_that_took_too_long_is_to_blame_for_one_outage_only() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Start, Some("1")));
    run_to(&mut r, 90_016);
    assert_eq!(incident(&r, 90_016).map(|(.., reason)| reason.cause), Some(Cause::RunTooLong));
    // It is well by another run, and then silent.
    beat(&mut r, 100_000, "a", &said(Status::Ok, Some("2")));
    run_to(&mut r, 160_016);
    run_to(&mut r, 190_032);
    assert_eq!(incident(&r, 190_032).map(|(.., reason)| reason), Some(Cause::Silence.into()));
}

#[test]
fn records_after_a_start_come_after_those_before_it() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    for _ in 0..5 {
        control(&mut r, 1, "a", MonitorCommand::Pause { until: None }).unwrap();
        control(&mut r, 2, "a", MonitorCommand::Resume).unwrap();
    }
    let mut versions = Vec::new();
    r.visit(at(3), &mut |record| versions.push(record.version));
    let mut next = restarted(&mut r, at(4), at(4).wall, &Policy::default());
    let arrival =
        Arrival { monitor: name("a"), beat: &OK, source: source(), follows_interval: true, create: None };
    next.handle(at(5), arrival, &mut |record| versions.push(record.version)).unwrap();
    assert_eq!(versions, [11 + 1, 11 + 2]);
}

#[test]
fn a_beat_may_wish_for_an_interval_or_a_grace_alone() {
    let mut r = registry();
    let told = beat(&mut r, 0, "a", &Beat { interval: Some(Span::secs(5)), ..OK });
    assert_eq!((told.interval, told.grace), (Span::secs(5), Span::secs(30)));
    let told = beat(&mut r, 0, "a", &Beat { grace: Some(Span::secs(7)), ..OK });
    assert_eq!((told.interval, told.grace), (Span::secs(5), Span::secs(7)));
}

#[test]
fn changes_are_told_again_in_the_next_hour() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    for n in 0..70 {
        beat(&mut r, 1_000 + n, "a", &said(if n % 2 == 0 { Status::Fail } else { Status::Ok }, None));
    }
    changes(&mut r);
    for hour in 1..4 {
        beat(&mut r, hour * HOUR, "a", &said(Status::Fail, None));
        beat(&mut r, hour * HOUR + 1, "a", &OK);
        let told: Vec<_> = changes(&mut r).into_iter().map(|change| (change.to, change.muted)).collect();
        assert!(told.ends_with(&[(State::Down, false), (State::Up, false)]), "hour {hour}: {told:?}");
    }
}

#[test]
fn the_end_of_a_run_is_written_down_by_whoever_was_down() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Fail, None));
    beat(&mut r, 1, "a", &said(Status::Start, None));
    let arrival =
        Arrival { monitor: name("a"), beat: &OK, source: source(), follows_interval: true, create: None };
    let mut took = None;
    r.handle(at(5_001), arrival, &mut |record| took = record.details.as_ref().and_then(|d| d.run_took))
        .unwrap();
    assert_eq!(took, Some(Span::secs(5)));
}

#[test]
fn an_incident_is_the_same_after_a_pause_in_which_it_was_heard() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    run_to(&mut r, 90_016);
    let before = incident(&r, 90_016);
    control(&mut r, 100_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    beat(&mut r, 110_000, "a", &said(Status::Log, None));
    control(&mut r, 120_000, "a", MonitorCommand::Resume).unwrap();
    assert!(before.is_some());
    assert_eq!(incident(&r, 120_000), before);
}

#[test]
fn what_is_asked_of_one_that_only_sent_messages_puts_nothing_off() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Log, None));
    let wish = Declaration { grace: Some(Span::secs(40)), ..Declaration::default() };
    control(&mut r, 10_000, "a", MonitorCommand::Declare(wish)).unwrap();
    assert_eq!(run_to(&mut r, 60_016), vec![("a".into(), State::Late)]);
}

#[test]
fn a_reload_writes_nothing_of_who_is_gone_and_leaves_each_its_own_grace() {
    let mut r = registry();
    beat(&mut r, 0, "gone", &OK);
    beat(&mut r, 0, "a", &OK);
    control(&mut r, 1, "gone", MonitorCommand::Remove).unwrap();
    let rules = Arc::new(Rules::new(vec![Rule { interval: Some(Span::secs(5)), ..rule("*") }]));
    let mut written = Vec::new();
    let keep = &mut |record: &Record<'_>| written.push(record.id.as_str().to_string());
    r.set_policy(at(2), &Policy { rules, ..Policy::default() }, keep);
    assert_eq!(written, ["a"]);
    // A rule that says nothing of times leaves a sender those that it asked for.
    r.set_policy(at(4), &Policy::default(), &mut |_| {});
    beat(&mut r, 5, "b", &Beat { grace: Some(Span::secs(7)), ..OK });
    let rules = Arc::new(Rules::new(vec![Rule { tags: vec!["x".into()], ..rule("*") }]));
    r.set_policy(at(6), &Policy { rules, ..Policy::default() }, &mut |_| {});
    assert_eq!(r.get(at(6), name("b")).map(|m| m.grace), Some(Span::secs(7)));
}

#[test]
fn who_is_down_is_not_looked_at_again_for_our_absence() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    run_to(&mut r, 90_016);
    r.forgive(at(100_000), Span(0), Span(5_000), &mut |_| {});
    let mut written = 0;
    while r.handle_timeout(at(200_000), 7, &mut |_| written += 1) {}
    assert_eq!((written, state(&r, 200_000, "a")), (0, State::Down));
}

#[test]
fn a_run_that_took_too_long_may_end_yet_when_another_has() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Start, Some("1")));
    run_to(&mut r, 90_016);
    beat(&mut r, 95_000, "a", &said(Status::Start, Some("2")));
    beat(&mut r, 100_000, "a", &said(Status::Fail, Some("2")));
    beat(&mut r, 120_000, "a", &said(Status::Ok, Some("1")));
    assert_eq!(r.get(at(120_000), name("a")).unwrap().run_took, Some(Span::secs(120)));
}

#[test]
fn a_pause_lasts_through_our_absence() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    assert!(!r.is_empty());
    control(&mut r, 0, "a", MonitorCommand::Pause { until: Some(at(600_000).wall) }).unwrap();
    r.forgive(at(100_000), Span(0), Span(5_000), &mut |_| {});
    run_to(&mut r, 599_000);
    assert_eq!(state(&r, 599_000, "a"), State::Paused);
    run_to(&mut r, 600_016);
    assert_eq!(state(&r, 600_016, "a"), State::Up);
}
