//! Senders that keep their connection, and those that gave no name on it.

use super::*;

const PACE: Beat<'static> = Beat { interval: Some(Span::secs(3)), grace: Some(Span::secs(7)), ..OK };

fn by(registry: &mut Registry, ms: u64, id: &str, beat: &Beat<'_>, transport: Transport) -> Receipt {
    let source = Source { transport, ..source() };
    let arrival = Arrival { monitor: name(id), beat, source, follows_interval: false, create: Some(ms + 1) };
    registry.handle(at(ms), arrival, &mut |_| {}).unwrap()
}

fn depart(registry: &mut Registry, ms: u64, id: &str, silence: bool) -> Vec<State> {
    registry.depart(at(ms), name(id), silence, &mut |_| {});
    changes(registry).into_iter().map(|change| change.to).collect()
}

#[test]
fn who_keeps_the_same_interval_as_we_is_not_late_by_a_hair_and_down_in_time() {
    let mut registry = registry();
    for n in 0..20 {
        by(&mut registry, n * 3_040, "127.0.0.1", &PACE, Transport::Tcp);
        assert_eq!(run_to(&mut registry, n * 3_040 + 3_039), []);
    }
    let last = 19 * 3_040;
    let all = run_to(&mut registry, last + 11_000);
    assert_eq!(all, [("127.0.0.1".into(), State::Late), ("127.0.0.1".into(), State::Down)]);
    by(&mut registry, last + 11_000, "127.0.0.1", &PACE, Transport::Tcp);
    run_to(&mut registry, last + 11_000 + 9_990);
    assert_eq!(state(&registry, last + 11_000 + 9_990, "127.0.0.1"), State::Late);
    run_to(&mut registry, last + 11_000 + 10_020);
    assert_eq!(state(&registry, last + 11_000 + 10_020, "127.0.0.1"), State::Down);
}

#[test]
fn the_times_of_a_dialect_do_not_outlive_it() {
    let mut registry = registry();
    by(&mut registry, 0, "127.0.0.1", &PACE, Transport::Tcp);
    let told = by(&mut registry, 1_000, "127.0.0.1", &Beat::default(), Transport::Http);
    assert_eq!((told.interval, told.grace), (Span::secs(60), Span::secs(30)));
    // Who names times is held to them, and so is who has a name.
    let wish = Beat { interval: Some(Span::secs(5)), ..Beat::default() };
    by(&mut registry, 2_000, "127.0.0.1", &PACE, Transport::Tcp);
    assert_eq!(by(&mut registry, 3_000, "127.0.0.1", &wish, Transport::Http).interval, Span::secs(5));
    by(&mut registry, 4_000, "web-1", &PACE, Transport::Tcp);
    let told = by(&mut registry, 5_000, "web-1", &Beat::default(), Transport::Http);
    assert_eq!((told.interval, told.grace), (Span::secs(3), Span::secs(7)));
}

#[test]
fn a_monitor_of_a_connection_goes_with_it_and_silence_is_told_before() {
    let mut registry = registry();
    by(&mut registry, 0, "127.0.0.1:4000", &PACE, Transport::Tcp);
    assert_eq!(depart(&mut registry, 1_000, "127.0.0.1:4000", false), []);
    assert!(registry.is_empty());
    by(&mut registry, 2_000, "127.0.0.1:4000", &PACE, Transport::Tcp);
    assert_eq!(depart(&mut registry, 12_000, "127.0.0.1:4000", true), [State::Down]);
    assert!(registry.is_empty());
    // What a person has declared stays, and is down.
    by(&mut registry, 20_000, "127.0.0.1:4000", &PACE, Transport::Tcp);
    control(&mut registry, 21_000, "127.0.0.1:4000", MonitorCommand::Declare(Declaration::default()))
        .unwrap();
    assert_eq!(depart(&mut registry, 30_000, "127.0.0.1:4000", true), [State::Down]);
    assert_eq!(state(&registry, 30_000, "127.0.0.1:4000"), State::Down);
    assert_eq!(depart(&mut registry, 30_000, "nobody", true), []);
}

#[test]
fn after_a_start_the_connections_of_before_are_gone() {
    let mut before = registry();
    for (id, transport) in [
        ("127.0.0.1:4000", Transport::Tcp),
        ("127.0.0.1", Transport::Tcp),
        ("127.0.0.2:4000", Transport::Tcp),
        ("127.0.0.1:5000", Transport::Http),
    ] {
        by(&mut before, 0, id, &PACE, transport);
    }
    let (mut after, mut next) = (registry(), registry());
    before.unsaved(at(0), 0, u64::MAX, &mut |record| {
        for registry in [&mut after, &mut next] {
            registry.load(at(1), name(record.id.as_str()), record, true);
        }
    });
    after.resume_after_start(at(1), None, &HashSet::new(), &mut |_| {});
    let known = |id: &str| after.get(at(1), name(id)).is_some();
    assert_eq!((known("127.0.0.1:4000"), after.len()), (false, 3));
    // One whose connection was handed over is the same monitor as before, and its silence is told.
    let number = before.get(at(0), name("127.0.0.1:4000")).unwrap().number;
    next.resume_after_start(at(1), None, &HashSet::from(["127.0.0.1:4000".to_string()]), &mut |_| {});
    let same = next.get(at(1), name("127.0.0.1:4000")).unwrap();
    assert_eq!((same.number, same.beats, same.state), (number, 1, State::Up));
    assert_eq!(depart(&mut next, 12_000, "127.0.0.1:4000", true), [State::Down]);
    assert_eq!(next.len(), 3);
}
