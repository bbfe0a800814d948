//! The core under a clock that the test turns.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

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
    Registry::new(at(0), Defaults { interval: Span::secs(60), grace: Span::secs(30) })
}

fn beat(registry: &mut Registry, ms: u64, id: &str, beat: &Beat<'_>) -> Receipt {
    let event = Event::Beat { monitor: name(id), beat, source: source(), create: true };
    registry.handle(at(ms), event).unwrap()
}

fn state(registry: &Registry, ms: u64, id: &str) -> State {
    registry.get(at(ms), name(id)).unwrap().state
}

fn run_to(registry: &mut Registry, ms: u64) -> Vec<(String, State)> {
    while registry.handle_timeout(at(ms), 7) {}
    std::iter::from_fn(|| registry.poll_transition()).map(|t| (t.monitor.to_string(), t.to)).collect()
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
    let event = Event::Beat { monitor: name("a"), beat: &Beat::default(), source: source(), create: false };
    assert_eq!(r.handle(at(0), event), Err(Unknown));
    assert!(r.is_empty());
}

#[test]
fn a_failing_beat_is_down_at_once_and_an_exit_code_counts() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat::default());
    beat(&mut r, 1, "a", &Beat { status: Status::Exit(3), ..Beat::default() });
    assert_eq!(run_to(&mut r, 1), vec![("a".into(), State::Down)]);
    beat(&mut r, 2, "a", &Beat { status: Status::Exit(0), ..Beat::default() });
    assert_eq!(run_to(&mut r, 2), vec![("a".into(), State::Up)]);
}

#[test]
fn a_recovery_tells_how_long_the_silence_was_and_a_failure_tells_none() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat::default());
    run_to(&mut r, 90_016);
    beat(&mut r, 200_000, "a", &Beat::default());
    assert_eq!(r.poll_transition().map(|t| (t.to, t.silent)), Some((State::Up, Span(200_000))));
    beat(&mut r, 230_000, "a", &Beat { status: Status::Fail, ..Beat::default() });
    assert_eq!(r.poll_transition().map(|t| (t.to, t.silent)), Some((State::Down, Span(0))));
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
fn start_and_log_are_written_down_but_prove_nothing() {
    let mut r = registry();
    beat(&mut r, 0, "a", &Beat { status: Status::Start, ..Beat::default() });
    assert_eq!(state(&r, 0, "a"), State::New);
    assert_eq!(run_to(&mut r, 60_016), vec![("a".into(), State::Late)]);
    beat(&mut r, 61_000, "a", &Beat { status: Status::Log, message: Some("hm"), ..Beat::default() });
    assert_eq!(state(&r, 61_000, "a"), State::Late);
    assert_eq!(run_to(&mut r, 90_016), vec![("a".into(), State::Down)]);
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
    let ids = |after, limit| -> Vec<String> {
        r.list(at(0), after, limit, |id, _| id != "c").into_iter().map(|s| s.id).collect()
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
            for s in r.list(at(now), None, 100, |_, _| true) {
                counts[s.state as usize] += 1;
            }
            prop_assert_eq!(counts, r.counts());
        }
    }
}
