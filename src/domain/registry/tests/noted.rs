//! What is written down of a monitor, what is read back, and what a reload changes.

use super::*;
use crate::domain::policy::Policy;

/// Hands a beat in; whether its record had details.
fn detailed(r: &mut Registry, ms: u64, beat: &Beat<'_>) -> bool {
    let arrival = arrival("a", beat);
    let mut last = false;
    r.handle(at(ms), arrival, &mut |record| last = record.details.is_some()).unwrap();
    last
}

#[test]
fn labels_addresses_and_clocks_are_written_down_when_they_change() {
    let mut r = registry();
    detailed(&mut r, 0, &OK);
    let tags: [Vec<std::borrow::Cow<'_, str>>; 2] = [vec!["db".into()], vec!["db".into(), "eu".into()]];
    for (ms, (tags, want)) in
        (1..).zip([(&tags[0], true), (&tags[0], false), (&tags[1], true), (&tags[1], false)])
    {
        assert_eq!(detailed(&mut r, ms, &Beat { tags: Some(tags.as_slice()), ..OK }), want, "{ms}");
    }
    assert_eq!(r.get(at(9), name("a")).unwrap().tags, ["db", "eu"]);
    for (ms, (ip, want)) in (10..).zip([("10.0.0.1", true), ("10.0.0.1", false), ("10.0.0.2", true)]) {
        assert_eq!(detailed(&mut r, ms, &Beat { ip: IdRef::new(ip).ok(), ..OK }), want, "{ms}");
    }
    // Its clock is five seconds ahead, then wavers, then is set.
    for (ms, (ahead_ms, want)) in (20..).zip([(5_000, true), (5_249, false), (5_499, true), (5_000, true)]) {
        let ts = Some(Wall(at(ms).wall.0 + ahead_ms));
        assert_eq!(detailed(&mut r, ms, &Beat { ts, ..OK }), want, "{ms}");
    }
}

#[test]
fn every_monitor_is_visited_and_none_that_is_gone() {
    let mut r = registry();
    for id in ["a", "b", "c"] {
        beat(&mut r, 0, id, &OK);
    }
    control(&mut r, 1, "b", MonitorCommand::Remove).unwrap();
    let mut seen = Vec::new();
    r.visit(at(2), &mut |record| seen.push((record.id.as_str().to_string(), record.state)));
    assert_eq!(seen, [("a".to_string(), State::Up), ("c".to_string(), State::Up)]);
}

/// The records of a monitor that was heard, and heard again, by a number.
fn life(number: u64, load: &mut impl FnMut(&Record<'_>)) {
    let mut r = registry();
    for ms in [0, 1_000] {
        let arrival = Arrival {
            monitor: name("a"),
            beat: &OK,
            source: source(),
            follows_interval: true,
            create: Some(number),
        };
        r.handle(at(ms), arrival, load).unwrap();
    }
}

#[test]
fn who_was_removed_stays_so_whatever_is_read_of_it_later_and_who_came_after_stays_there() {
    let found = |next: &mut Registry| {
        next.resume_after_start(at(5_000), None, &HashSet::new(), &mut |_| {});
        next.get(at(5_000), name("a")).map(|seen| seen.number)
    };
    let mut next = registry();
    next.mark_removed(7);
    life(7, &mut |record| next.load(at(5_000), name("a"), record, false));
    assert_eq!(found(&mut next), None);
    // The end of the first is read when the second is known already.
    for (first, second, want) in [(7, 8, Some(8)), (7, 7, None)] {
        let mut next = registry();
        life(second, &mut |record| next.load(at(5_000), name("a"), record, false));
        life(first, &mut |record| {
            let gone = Record { change: Change::Removed, ..record.clone() };
            next.load(at(5_000), name("a"), &gone, false);
        });
        assert_eq!(found(&mut next), want, "{first} {second}");
    }
}

#[test]
fn a_pause_ends_in_time_after_a_restart() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    control(&mut r, 1_000, "a", MonitorCommand::Pause { until: Some(at(600_000).wall) }).unwrap();
    let mut next = registry();
    r.visit(at(2_000), &mut |_| {});
    r.unsaved(at(2_000), 0, u64::MAX, &mut |record| next.load(at(10_000), name("a"), record, true));
    next.resume_after_start(at(10_000), Some(at(2_000).wall), &HashSet::new(), &mut |_| {});
    assert_eq!(run_to(&mut next, 599_000), vec![]);
    assert_eq!(state(&next, 599_000, "a"), State::Paused);
    assert_eq!(run_to(&mut next, 600_016), vec![("a".into(), State::Up)]);
}

#[test]
fn what_the_configuration_says_nobody_wishes_away() {
    let mut r = ruled(Rules::new(vec![
        Rule { interval: Some(Span::secs(60)), ..rule("i") },
        Rule { grace: Some(Span::secs(60)), ..rule("g") },
        Rule { schedule: Some(Schedule::parse("0 3 * * *", "UTC").unwrap()), ..rule("s") },
    ]));
    let interval = Declaration { interval: Some(Span::secs(9)), ..Declaration::default() };
    let grace = Declaration { grace: Some(Span::secs(9)), ..Declaration::default() };
    for (id, interval_may, grace_may) in [("i", false, true), ("g", true, false), ("s", false, true)] {
        let mut may =
            |wish: &Declaration| control(&mut r, 0, id, MonitorCommand::Declare(wish.clone())).is_ok();
        assert_eq!((may(&interval), may(&grace)), (interval_may, grace_may), "{id}");
    }
}

#[test]
fn a_grace_that_a_rule_names_stays_though_it_happens_to_fit() {
    let rules = Rules::new(vec![Rule { grace: Some(Span::secs(30)), ..rule("*") }]);
    let mut r = Registry::new(at(0), Defaults::default(), Arc::new(rules));
    beat(&mut r, 0, "a", &Beat { interval: Some(Span::secs(60)), ..OK });
    beat(&mut r, 1, "a", &Beat { interval: Some(Span::secs(600)), ..OK });
    assert_eq!(r.get(at(1), name("a")).unwrap().grace, Span::secs(30));
}

#[test]
fn a_reload_that_takes_a_window_away_ends_its_pauses_and_no_others() {
    let window = Window::Once { from: at(100_000).wall, to: at(500_000).wall };
    let mut r = ruled(Rules::new(vec![Rule { windows: vec![window], ..rule("*") }]));
    beat(&mut r, 90_000, "a", &OK);
    beat(&mut r, 90_000, "b", &OK);
    control(&mut r, 95_000, "b", MonitorCommand::Pause { until: None }).unwrap();
    r.hold_windows(at(100_000), &mut |_| {});
    assert_eq!((state(&r, 100_000, "a"), state(&r, 100_000, "b")), (State::Paused, State::Paused));
    r.set_policy(at(110_000), &Policy::default(), &mut |_| {});
    assert_eq!((state(&r, 110_000, "a"), state(&r, 110_000, "b")), (State::Up, State::Paused));
}

#[test]
fn a_time_for_the_first_beat_holds_from_the_reload_that_names_it() {
    let mut r = registry();
    control(&mut r, 0, "a", MonitorCommand::Declare(Declaration::default())).unwrap();
    assert_eq!(run_to(&mut r, 200_000), vec![]);
    let defaults = Defaults { first_beat: Some(Span::secs(300)), ..Defaults::default() };
    r.set_policy(at(200_000), &Policy { defaults, ..Policy::default() }, &mut |_| {});
    assert_eq!(run_to(&mut r, 299_999), vec![]);
    assert_eq!(run_to(&mut r, 300_016), vec![("a".into(), State::Down)]);
}

#[test]
fn runs_that_are_overdue_together_are_struck_out_together_and_no_other() {
    let mut r = registry();
    for (ms, rid) in [(0, "1"), (10, "2"), (50_000, "3")] {
        beat(&mut r, ms, "a", &said(Status::Start, Some(rid)));
    }
    while r.handle_timeout(at(90_026), 7, &mut |_| {}) {}
    assert_eq!(r.get(at(90_026), name("a")).unwrap().runs, [at(50_000).wall]);
}

#[test]
fn labels_of_rule_and_monitor_are_shown_once_each() {
    let mut r = ruled(Rules::new(vec![Rule { tags: vec!["x".into()], ..rule("*") }]));
    let tags = Some(vec!["y".into(), "x".into()]);
    control(&mut r, 0, "a", MonitorCommand::Declare(Declaration { tags, ..Declaration::default() })).unwrap();
    assert_eq!(r.get(at(0), name("a")).unwrap().tags, ["x", "y"]);
}

#[test]
fn who_was_down_before_a_start_is_shown_with_the_slot_that_it_missed() {
    const HOUR: u64 = 3_600_000;
    // The clock of these tests begins at 02:40.
    let hourly = Rule { schedule: Some(Schedule::parse("0 * * * *", "UTC").unwrap()), ..rule("*") };
    let mut r = ruled(Rules::new(vec![hourly.clone()]));
    beat(&mut r, 0, "a", &OK);
    run_to(&mut r, 2 * HOUR);
    assert_eq!(state(&r, 2 * HOUR, "a"), State::Down);
    let mut next = ruled(Rules::new(vec![hourly]));
    r.unsaved(at(2 * HOUR), 0, u64::MAX, &mut |record| next.load(at(4 * HOUR), name("a"), record, true));
    next.resume_after_start(at(4 * HOUR), None, &HashSet::new(), &mut |_| {});
    assert_eq!(next.get(at(4 * HOUR), name("a")).unwrap().slot, Some(at(1_200_000).wall));
}

#[test]
fn a_run_begun_while_down_is_dropped_when_another_ends_well() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Fail, None));
    beat(&mut r, 1_000, "a", &said(Status::Start, Some("1")));
    beat(&mut r, 200_000, "a", &said(Status::Ok, Some("2")));
    changes(&mut r);
    assert_eq!(run_to(&mut r, 259_999), vec![]);
}

#[test]
fn messages_of_one_that_was_never_well_put_nothing_off() {
    let mut r = registry();
    for ms in [0, 30_000, 59_000] {
        beat(&mut r, ms, "a", &said(Status::Log, None));
    }
    assert_eq!(run_to(&mut r, 60_016), vec![("a".into(), State::Late)]);
}

#[test]
fn a_window_that_opens_leaves_a_persons_pause_as_it_is() {
    let window = Window::Once { from: at(10_000).wall, to: at(500_000).wall };
    let mut r = ruled(Rules::new(vec![Rule { windows: vec![window], ..rule("*") }]));
    beat(&mut r, 0, "a", &OK);
    control(&mut r, 1_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    r.hold_windows(at(10_000), &mut |_| {});
    let pause = r.get(at(10_000), name("a")).unwrap().pause;
    assert_eq!(pause, Some(Pause { by: PausedBy::Person, until: None }));
}

#[test]
fn too_many_changes_in_an_hour_are_only_counted_whichever_hour_it_is() {
    const HOUR: u64 = 3_600_000;
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    beat(&mut r, HOUR, "a", &said(Status::Fail, None));
    for n in 0..62 {
        let status = if n % 2 == 1 { Status::Fail } else { Status::Ok };
        beat(&mut r, 2 * HOUR + n, "a", &said(status, None));
    }
    let seen = r.get(at(2 * HOUR + 100), name("a")).unwrap();
    assert_eq!((seen.state, seen.incident), (State::Down, None));
}

#[test]
fn only_a_beat_that_is_well_counts_for_a_slot_before_it_has_come() {
    // The clock of these tests begins at 02:40.
    let hourly = Rule { schedule: Some(Schedule::parse("0 * * * *", "UTC").unwrap()), ..rule("*") };
    for (status, slot) in [(Status::Log, 1_200_000), (Status::Ok, 4_800_000)] {
        let mut r = ruled(Rules::new(vec![hourly.clone()]));
        beat(&mut r, 300_000, "a", &OK);
        beat(&mut r, 1_190_000, "a", &said(status, None));
        r.forgive(at(1_195_000), Span(0), Span(1_000), &mut |_| {});
        assert_eq!(r.get(at(1_195_000), name("a")).unwrap().slot, Some(at(slot).wall), "{status:?}");
    }
}

#[test]
fn an_incident_began_when_it_did_also_after_a_pause_and_a_start() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    run_to(&mut r, 90_016);
    let began = r.get(at(90_016), name("a")).unwrap().incident;
    assert!(began.is_some());
    control(&mut r, 200_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    let mut next = registry();
    r.unsaved(at(300_000), 0, u64::MAX, &mut |record| next.load(at(400_000), name("a"), record, true));
    next.resume_after_start(at(400_000), None, &HashSet::new(), &mut |_| {});
    control(&mut next, 500_000, "a", MonitorCommand::Resume).unwrap();
    let seen = next.get(at(500_000), name("a")).unwrap();
    assert_eq!((seen.state, seen.incident), (State::Down, began));
}

#[test]
fn the_times_of_a_connection_last_as_long_as_it_beats() {
    let mut r = registry();
    for interval in [Some(Span::secs(3)), None] {
        let source = Source { transport: Transport::Tcp, ..source() };
        let beat = Beat { interval, ..OK };
        let monitor = name("127.0.0.1");
        let arrival = Arrival { monitor, beat: &beat, source, follows_interval: true, create: Some(1) };
        assert_eq!(r.handle(at(0), arrival, &mut |_| {}).unwrap().interval, Span::secs(3));
    }
}
