//! The core under a clock that the test turns.

use super::*;
use crate::domain::address::Peer;
use crate::domain::beat::{Transport, Warnings};
use crate::domain::pattern::Pattern;
use crate::domain::record::Cause;
use crate::domain::rules::{Match, Rule};
use crate::domain::schedule::Schedule;
use crate::domain::window::Window;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

mod asked;
mod away;
mod causes;
mod edges;
mod failures;
mod flutter;
mod governed;
mod kept;
mod messages;
mod noted;
mod rivals;
mod slots;

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms), wall: Wall(1_770_000_000_000 + ms as i64) }
}

fn source() -> Source {
    Source { peer: Peer::Ip([127, 0, 0, 1].into()), transport: Transport::Http }
}

/// A poor hash on purpose: many names share one.
fn name(id: &str) -> Name<'_> {
    Name { id: IdRef::new(id).unwrap(), hash: id.len() as u32 }
}

fn registry() -> Registry {
    ruled(Rules::default())
}

fn ruled(rules: Rules) -> Registry {
    let defaults = Defaults { grace: Some(Span::secs(30)), ..Defaults::default() };
    Registry::new(at(0), defaults, Arc::new(rules))
}

/// A beat for a monitor, which is made if it must be.
fn arrival<'a>(id: &'a str, beat: &'a Beat<'a>) -> Arrival<'a> {
    Arrival { monitor: name(id), beat, source: source(), follows_interval: true, create: Some(1) }
}

fn beat(registry: &mut Registry, ms: u64, id: &str, beat: &Beat<'_>) -> Receipt {
    let arrival = Arrival { create: Some(ms + 1), ..arrival(id, beat) };
    registry.handle(at(ms), arrival, &mut |_| {}).unwrap()
}

fn control(
    registry: &mut Registry,
    ms: u64,
    id: &str,
    control: MonitorCommand,
) -> Result<bool, CommandRefusal> {
    registry.control(at(ms), name(id), &control, (ms + 1, source()), &mut |_| {})
}

fn changes(registry: &mut Registry) -> Vec<Transition> {
    let all = std::iter::from_fn(|| registry.poll_event());
    all.filter_map(|events| match events {
        MonitorEvent::Change(change) => Some(change),
        _ => None,
    })
    .collect()
}

fn state(registry: &Registry, ms: u64, id: &str) -> State {
    registry.get(at(ms), name(id)).unwrap().state
}

fn run_to(registry: &mut Registry, ms: u64) -> Vec<(String, State)> {
    while registry.handle_timeout(at(ms), 7, &mut |_| {}) {}
    changes(registry).into_iter().map(|t| (t.monitor.to_string(), t.to)).collect()
}

#[test]
fn the_first_beat_makes_the_monitor_and_silence_makes_it_late_then_down() {
    let mut r = registry();
    let receipt = beat(&mut r, 0, "a", &Beat::default());
    assert_eq!((receipt.interval, receipt.created), (Span::secs(60), true));
    assert_eq!(state(&r, 0, "a"), State::Up);
    assert_eq!(run_to(&mut r, 59_999), vec![]);
    assert_eq!(run_to(&mut r, 60_016), vec![("a".into(), State::Late)]);
    assert_eq!(run_to(&mut r, 89_999), vec![]);
    assert_eq!(run_to(&mut r, 90_016), vec![("a".into(), State::Down)]);
    assert_eq!(r.poll_deadline(), None);
    beat(&mut r, 100_000, "a", &Beat::default());
    assert_eq!(run_to(&mut r, 100_000), vec![("a".into(), State::Up)]);
    assert_eq!(r.counts(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_stranger_is_not_made_where_none_may_be() {
    let mut r = registry();
    let arrival = Arrival {
        monitor: name("a"),
        beat: &Beat::default(),
        source: source(),
        follows_interval: true,
        create: None,
    };
    assert_eq!(r.handle(at(0), arrival, &mut |_| {}), Err(Unknown));
    assert!(r.is_empty());
}

#[test]
fn a_failing_beat_is_down_at_once_and_an_exit_code_counts() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat::default());
    beat(&mut r, 1, "a", &Beat { status: Status::Exit(3), ..Beat::default() });
    assert_eq!(run_to(&mut r, 1), vec![("a".into(), State::Down)]);
    for status in [Status::Exit(i64::MIN), Status::Signal(9), Status::Exit(3)] {
        beat(&mut r, 2, "a", &Beat { status, ..Beat::default() });
        assert_eq!(r.get(at(2), name("a")).map(|m| m.status), Some(status));
    }
    beat(&mut r, 2, "a", &Beat { status: Status::Exit(0), ..Beat::default() });
    assert_eq!(run_to(&mut r, 2), vec![("a".into(), State::Up)]);
}

#[test]
fn a_recovery_tells_how_long_the_silence_was_and_a_failure_tells_none() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat::default());
    run_to(&mut r, 90_016);
    beat(&mut r, 200_000, "a", &Beat::default());
    assert_eq!(changes(&mut r).last().map(|t| (t.to, t.silent)), Some((State::Up, Span(200_000))));
    beat(&mut r, 230_000, "a", &Beat { status: Status::Fail, ..Beat::default() });
    assert_eq!(changes(&mut r).last().map(|t| (t.to, t.silent)), Some((State::Down, Span(0))));
}

#[test]
fn the_reported_address_is_shown_also_where_it_is_the_name() {
    let mut r = registry();
    let reporting = |ip: &'static str| Beat { ip: IdRef::new(ip).ok(), ..Beat::default() };
    let shown = |r: &Registry| r.get(at(0), name("10.0.0.1")).unwrap().reported_ip;
    beat(&mut r, 0, "10.0.0.1", &Beat::default());
    assert_eq!(shown(&r), None);
    beat(&mut r, 0, "10.0.0.1", &reporting("10.0.0.1"));
    assert_eq!(shown(&r).as_deref(), Some("10.0.0.1"));
    beat(&mut r, 0, "10.0.0.1", &reporting("10.0.0.2"));
    assert_eq!(shown(&r).as_deref(), Some("10.0.0.2"));
    beat(&mut r, 0, "10.0.0.1", &Beat::default());
    assert_eq!(shown(&r).as_deref(), Some("10.0.0.2"), "a beat that reports nothing takes nothing back");
    beat(&mut r, 0, "10.0.0.1", &reporting("10.0.0.1"));
    assert_eq!(shown(&r).as_deref(), Some("10.0.0.1"));
}

#[test]
fn a_row_is_small() {
    // With its link in the wheel and its entry in the index a monitor stays under 200 bytes.
    assert!(size_of::<Monitor>() <= 160, "{}", size_of::<Monitor>());
}

#[test]
fn what_a_beat_asks_for_holds_from_then_on_and_a_shorter_interval_at_once() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat::default());
    let short = Beat { interval: Some(Span::secs(5)), grace: Some(Span(0)), ..Beat::default() };
    let receipt = beat(&mut r, 1_000, "a", &short);
    assert_eq!(receipt.deadline, Some(Mono(6_000)));
    assert_eq!(run_to(&mut r, 6_016), vec![("a".into(), State::Down)]);
    beat(&mut r, 7_000, "a", &Beat::default());
    assert_eq!(run_to(&mut r, 12_016), vec![("a".into(), State::Up), ("a".into(), State::Down)]);
}

#[test]
fn a_message_is_written_down_but_proves_nothing() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat { status: Status::Log, ..Beat::default() });
    assert_eq!(state(&r, 0, "a"), State::New);
    assert_eq!(run_to(&mut r, 60_016), vec![("a".into(), State::Late)]);
    beat(&mut r, 61_000, "a", &Beat { status: Status::Log, message: Some("hm"), ..Beat::default() });
    assert_eq!(state(&r, 61_000, "a"), State::Late);
    assert_eq!(run_to(&mut r, 90_016), vec![("a".into(), State::Down)]);
}

const OK: Beat<'static> = Beat {
    id: None,
    ip: None,
    seq: None,
    ts: None,
    interval: None,
    grace: None,
    status: Status::Ok,
    message: None,
    tags: None,
    rid: None,
    warnings: Warnings::NONE,
};

fn said(status: Status, rid: Option<&str>) -> Beat<'_> {
    Beat { status, rid, ..OK }
}

fn rule(matches: &str) -> Rule {
    Rule::new(Match::Id(Pattern::parse(matches).unwrap()))
}

#[test]
fn a_run_is_timed_and_one_that_takes_too_long_is_down() {
    let mut r = ruled(Rules::new(vec![Rule { run_limit: Some(Span::secs(600)), ..rule("*") }]));
    beat(&mut r, 0, "a", &OK);
    beat(&mut r, 1_000, "a", &said(Status::Start, Some("r1")));
    assert_eq!(run_to(&mut r, 499_999), vec![], "during a run its interval does not count");
    beat(&mut r, 500_000, "a", &said(Status::Exit(0), Some("r1")));
    let seen = r.get(at(500_000), name("a")).unwrap();
    assert_eq!((seen.run_took, seen.runs.len()), (Some(Span(499_000)), 0));
    assert_eq!(run_to(&mut r, 560_016), vec![("a".into(), State::Late)]);
    beat(&mut r, 570_000, "a", &said(Status::Start, None));
    assert_eq!(run_to(&mut r, 1_169_999), vec![("a".into(), State::Up)]);
    assert_eq!(run_to(&mut r, 1_170_016), vec![("a".into(), State::Down)]);
    beat(&mut r, 1_200_000, "a", &OK);
    assert_eq!(run_to(&mut r, 1_200_000), vec![("a".into(), State::Up)]);
}

#[test]
fn runs_at_the_same_time_are_told_apart_and_a_lost_one_is_not_forgotten() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Start, Some("1")));
    beat(&mut r, 10_000, "a", &said(Status::Start, Some("2")));
    beat(&mut r, 20_000, "a", &said(Status::Ok, Some("2")));
    assert_eq!(r.get(at(20_000), name("a")).unwrap().runs.len(), 1);
    // Interval and grace after it began, as nobody said otherwise.
    assert_eq!(run_to(&mut r, 90_016), vec![("a".into(), State::Down)]);
}

#[test]
fn a_run_begun_while_down_is_no_reason_to_be_down_again() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Fail, None));
    beat(&mut r, 1_000, "a", &said(Status::Start, Some("1")));
    beat(&mut r, 200_000, "a", &OK);
    changes(&mut r);
    assert_eq!(run_to(&mut r, 259_999), vec![]);
}

#[test]
fn a_pause_hides_silence_and_its_end_gives_a_whole_interval() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    let until = Some(at(7_200_000).wall);
    control(&mut r, 10_000, "a", MonitorCommand::Pause { until }).unwrap();
    assert_eq!(r.counts(), [0, 0, 0, 0, 1]);
    changes(&mut r);
    assert_eq!(run_to(&mut r, 7_199_999), vec![]);
    assert_eq!(run_to(&mut r, 7_200_016), vec![("a".into(), State::Up)]);
    assert_eq!(run_to(&mut r, 7_259_999), vec![]);
    assert_eq!(run_to(&mut r, 7_260_032), vec![("a".into(), State::Late)]);
    control(&mut r, 7_270_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    control(&mut r, 7_280_000, "a", MonitorCommand::Resume).unwrap();
    assert_eq!(state(&r, 7_280_000, "a"), State::Up);
    assert_eq!(control(&mut r, 0, "b", MonitorCommand::Resume), Err(CommandRefusal::Unknown));
}

#[test]
fn an_incident_goes_on_through_a_pause_and_a_beat_in_it_ends_it() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    run_to(&mut r, 100_000);
    let before = r.get(at(100_000), name("a")).unwrap().incident;
    assert!(before.is_some());
    control(&mut r, 110_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    control(&mut r, 120_000, "a", MonitorCommand::Resume).unwrap();
    let after = r.get(at(120_000), name("a")).unwrap();
    assert_eq!((after.state, &after.incident), (State::Down, &before));
    assert_eq!(Some(after.since), before.map(|(_, started, _)| started));
    control(&mut r, 130_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    beat(&mut r, 140_000, "a", &OK);
    let seen = r.get(at(140_000), name("a")).unwrap();
    assert_eq!((seen.state, seen.beneath, seen.incident), (State::Paused, State::Up, None));
}

#[test]
fn a_failure_during_a_pause_is_an_incident_only_after_it() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    control(&mut r, 1_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    beat(&mut r, 2_000, "a", &said(Status::Fail, None));
    assert_eq!(r.get(at(2_000), name("a")).unwrap().incident, None);
    control(&mut r, 3_000, "a", MonitorCommand::Resume).unwrap();
    let seen = r.get(at(3_000), name("a")).unwrap();
    assert_eq!(seen.state, State::Down);
    assert_eq!(
        seen.incident.map(|(_, at, cause)| (at, cause)),
        Some((at(3_000).wall, Reason::from(Cause::Fail)))
    );
}

#[test]
fn a_maintenance_window_pauses_by_itself_and_a_person_may_overrule_it() {
    let window = Window::Once { from: at(100_000).wall, to: at(500_000).wall };
    let mut r = ruled(Rules::new(vec![Rule { windows: vec![window], ..rule("*") }]));
    beat(&mut r, 0, "a", &OK);
    beat(&mut r, 60_000, "a", &OK);
    r.hold_windows(at(100_000), &mut |_| {});
    assert_eq!(state(&r, 100_000, "a"), State::Paused);
    beat(&mut r, 200_000, "b", &OK);
    assert_eq!(state(&r, 200_000, "b"), State::Paused, "a newcomer too");
    control(&mut r, 300_000, "b", MonitorCommand::Resume).unwrap();
    r.hold_windows(at(310_000), &mut |_| {});
    assert_eq!(state(&r, 310_000, "b"), State::Up);
    changes(&mut r);
    let end = run_to(&mut r, 500_016);
    assert!(end.contains(&("a".into(), State::Up)), "{end:?}");
}

#[test]
fn who_stays_silent_long_enough_is_forgotten_unless_declared() {
    let forgetful = || Rule { forget_after: Some(Some(Span::secs(3_600))), ..rule("*") };
    let mut r = ruled(Rules::new(vec![forgetful(), rule("kept")]));
    for id in ["a", "kept", "wanted"] {
        beat(&mut r, 0, id, &OK);
    }
    control(&mut r, 0, "wanted", MonitorCommand::Declare(Declaration::default())).unwrap();
    let mut records = Vec::new();
    for ms in [100_000, 3_599_000] {
        while r.handle_timeout(at(ms), 7, &mut |_| {}) {}
    }
    assert_eq!(r.len(), 3);
    while r.handle_timeout(at(3_600_016), 7, &mut |record| {
        records.push((record.id.as_str().to_string(), record.change));
    }) {}
    assert_eq!(records, vec![("a".to_string(), Change::Removed)]);
    assert_eq!((r.len(), r.get(at(0), name("a"))), (2, None));
    assert_eq!(control(&mut r, 0, "kept", MonitorCommand::Remove), Err(CommandRefusal::Configured));
    // Its place is used again, by a monitor of another number.
    beat(&mut r, 3_700_000, "a", &OK);
    assert_eq!((r.len(), r.get(at(0), name("a")).map(|m| m.number)), (3, Some(3_700_001)));
}

#[test]
fn time_in_which_nobody_listened_is_forgiven() {
    let mut r = registry();
    beat(&mut r, 0, "up", &OK);
    beat(&mut r, 0, "late", &Beat { interval: Some(Span::secs(10)), ..OK });
    beat(&mut r, 0, "running", &said(Status::Start, None));
    assert_eq!(run_to(&mut r, 20_000), vec![("late".into(), State::Late)]);
    r.forgive(at(120_000), Span(0), Span(100_000), &mut |_| {});
    assert_eq!(run_to(&mut r, 159_999), vec![]);
    assert_eq!(run_to(&mut r, 160_016), vec![("late".into(), State::Down)], "interval and grace again");
    assert_eq!(run_to(&mut r, 180_016), vec![("up".into(), State::Late)]);
    assert_eq!(run_to(&mut r, 190_016), vec![("running".into(), State::Down)], "its limit and our absence");
}

#[test]
fn gaps_are_counted_and_a_restarted_counter_is_none() {
    let mut r = registry();
    for seq in [1, 2, 5, 5, 1, 2] {
        beat(&mut r, 0, "a", &Beat { seq: Some(seq), ..Beat::default() });
    }
    let seen = r.get(at(0), name("a")).unwrap();
    assert_eq!((seen.seq, seen.gaps, seen.beats), (Some(2), 2, 6));
}

#[test]
fn lists_are_in_order_and_paged() {
    let mut r = registry();
    for id in ["d", "b", "a", "c", "e"] {
        beat(&mut r, 0, id, &Beat::default());
    }
    let ids = |after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(|id| Cursor { key: 0, id: id.into() });
        r.list(at(0), Order::Id, after.as_ref(), limit, |seen| seen.id != "c")
            .into_iter()
            .map(|s| s.id)
            .collect()
    };
    assert_eq!(ids(None, 2), ["a", "b"]);
    assert_eq!(ids(Some("b"), 2), ["d", "e"]);
    assert_eq!(ids(Some("e"), 2), Vec::<String>::new());
    assert_eq!(ids(None, 0), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever the beats and however time passes: nobody is late before its interval or down before its grace is
    /// over, everybody silent is down within a tick after, and the counts are those of the table.
    #[test]
    fn nobody_is_judged_early_or_forgotten(steps in proptest::collection::vec((0u32..6, 0u64..100_000, any::<bool>()), 1..150)) {
        let mut r = registry();
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        let mut now = 0;
        for (id, pass, beats) in steps {
            now += pass;
            run_to(&mut r, now);
            if beats {
                let id = format!("m{id}");
                beat(&mut r, now, &id, &Beat::default());
                last.insert(id, now);
            }
            for (id, heard) in &last {
                let silent = now - heard;
                let state = state(&r, now, id);
                match silent {
                    0..60_000 => prop_assert_eq!(state, State::Up),
                    60_016..90_000 => prop_assert_eq!(state, State::Late),
                    90_016.. => prop_assert_eq!(state, State::Down),
                    _ => {}
                }
            }
            let mut counts = [0u64; 5];
            for s in r.list(at(now), Order::Id, None, 100, |_| true) {
                counts[s.state as usize] += 1;
            }
            prop_assert_eq!(counts, r.counts());
        }
    }
}
