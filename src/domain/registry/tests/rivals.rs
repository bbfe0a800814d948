//! Two senders with one id, and all that looks like it and is not.

use super::*;

/// A numbered beat from an address whose last byte is given; the conflicts that come to be told.
fn numbered(registry: &mut Registry, s: u64, from: u8, seq: u64) -> Vec<Conflict> {
    let source = Source { peer: Peer::Ip([10, 0, 0, from].into()), transport: Transport::Http };
    let beat = &Beat { seq: Some(seq), ..Beat::default() };
    let arrival = Arrival { monitor: name("nas"), beat, source, follows_interval: true, create: Some(1) };
    registry.handle(at(s * 1000), arrival, &mut |_| {}).unwrap();
    told(registry)
}

fn told(registry: &mut Registry) -> Vec<Conflict> {
    let all = std::iter::from_fn(|| registry.poll_event());
    all.filter_map(|events| match events {
        MonitorEvent::Conflict(id, conflict) if id.as_str() == "nas" => Some(conflict),
        _ => None,
    })
    .collect()
}

fn shown(registry: &Registry, s: u64) -> Option<Conflict> {
    registry.get(at(s * 1000), name("nas")).unwrap().conflict
}

#[test]
fn addresses_whose_numbers_interleave_are_said_once_and_no_more_when_it_has_ended() {
    // Far apart, close together, and the same: a clone started at another time, soon after, and at once.
    for ahead in [10_000, 5, 0] {
        let mut r = registry();
        let mut said = Vec::new();
        for n in 0..20 {
            said.extend(numbered(&mut r, n * 60, 1, 100 + ahead + n));
            said.extend(numbered(&mut r, n * 60 + 7, 2, 100 + n));
        }
        let [conflict] = said[..] else { panic!("{ahead}: said {} times", said.len()) };
        assert_eq!(conflict.addresses, [1, 2].map(|n| Peer::Ip([10, 0, 0, n].into())));
        assert_eq!(shown(&r, 20 * 60), Some(conflict), "{ahead}");
        // One of them goes.
        for n in 20..30 {
            assert_eq!(numbered(&mut r, n * 60, 1, 100 + ahead + n), []);
        }
        assert_eq!(shown(&r, 30 * 60), None, "{ahead}");
    }
}

#[test]
fn whoever_moves_or_is_replaced_is_one_sender() {
    let (second, minute) = (1, 60);
    // What each beat is: from where, and with which number.
    let goes_on: Vec<(u8, u64)> = (0..60).map(|n| ((n / 10) as u8, n)).collect();
    let begins_anew: Vec<(u8, u64)> = (0..60).map(|n| ((n / 10) as u8, n % 10)).collect();
    let by_turns: Vec<(u8, u64)> = (0..60).map(|n| ((n % 3) as u8, n)).collect();
    let overtaking: Vec<(u8, u64)> = (0..60u64).map(|n| ((n % 2) as u8, n ^ 1)).collect();
    let sent_again: Vec<(u8, u64)> =
        (0..60).map(|n| ((n / 10) as u8, n - u64::from(n % 10 == 0 && n > 0))).collect();
    // Another machine takes over for a while, with a count of its own, and the first comes back.
    let stands_in: Vec<(u8, u64)> =
        (0..60).map(|n| if (20..40).contains(&n) { (2, 500 + n) } else { (1, n) }).collect();
    let cases = [goes_on, begins_anew, by_turns, overtaking, sent_again, stands_in];
    for (case, beats) in cases.into_iter().enumerate() {
        for pace in [second, minute] {
            let mut r = registry();
            for (n, (from, seq)) in (0..).zip(&beats) {
                assert_eq!(numbered(&mut r, n * pace, *from, *seq), [], "case {case}, beat {n}");
            }
            assert_eq!(shown(&r, 60 * pace), None, "case {case}");
        }
    }
}

#[test]
fn connections_that_take_turns_are_two_senders_and_one_that_is_replaced_is_not() {
    let mut r = registry();
    numbered(&mut r, 0, 1, 1);
    let here = Peer::Ip([10, 0, 0, 1].into());
    for n in 1..=2 {
        r.contend(at(n * 1000), name("nas"), [here, here]);
    }
    assert_eq!((told(&mut r), shown(&r, 3)), (vec![], None));
    // Long after that it is another story.
    r.contend(at(1_000_000), name("nas"), [here, here]);
    assert_eq!(told(&mut r), []);
    r.contend(at(1_001_000), name("nas"), [here, here]);
    r.contend(at(1_002_000), name("nas"), [here, here]);
    r.contend(at(1_003_000), name("nas"), [here, here]);
    let conflict = Conflict { addresses: [here, here], since: at(1_000_000).wall };
    assert_eq!((told(&mut r), shown(&r, 1_003)), (vec![conflict], Some(conflict)));
    r.contend(at(1_003_000), name("nobody"), [here, here]);
}

/// A beat of a run from an address whose last byte is given.
fn of_run(registry: &mut Registry, s: u64, from: u8, rid: &str, status: Status) -> Vec<Conflict> {
    let source = Source { peer: Peer::Ip([10, 0, 0, from].into()), transport: Transport::Http };
    let arrival = Arrival {
        monitor: name("nas"),
        beat: &said(status, Some(rid)),
        source,
        follows_interval: true,
        create: Some(1),
    };
    registry.handle(at(s * 1000), arrival, &mut |_| {}).unwrap();
    told(registry)
}

#[test]
fn a_job_that_runs_in_two_places_at_once_is_seen_when_the_earlier_one_ends() {
    use Status::{Exit, Start};
    // One within the other, and one after the other's begin.
    for ends in [[(2, "b"), (1, "a")], [(1, "a"), (2, "b")]] {
        let mut r = registry();
        assert_eq!(of_run(&mut r, 0, 1, "a", Start), []);
        assert_eq!(of_run(&mut r, 5, 2, "b", Start), []);
        let said: Vec<_> = ends
            .iter()
            .zip(10..)
            .flat_map(|((from, rid), s)| of_run(&mut r, s, *from, rid, Exit(0)))
            .collect();
        let [conflict] = said[..] else { panic!("{said:?}") };
        assert_eq!(conflict.addresses, [1, 2].map(|n| Peer::Ip([10, 0, 0, n].into())));
        assert_eq!(shown(&r, 12), Some(conflict));
    }
    // A machine that died in a run and came back elsewhere, one that moved in a run, and two runs of one machine.
    for beats in [
        [(1, "a", Start), (2, "b", Start), (2, "b", Exit(0)), (2, "c", Start)],
        [(1, "a", Start), (2, "a", Exit(0)), (2, "b", Start), (2, "b", Exit(0))],
        [(1, "a", Start), (1, "b", Start), (1, "a", Exit(0)), (1, "b", Exit(0))],
    ] {
        let mut r = registry();
        for ((from, rid, status), s) in beats.into_iter().zip(0..) {
            assert_eq!(of_run(&mut r, s, from, rid, status), [], "{rid}");
        }
    }
}

#[test]
fn what_two_senders_count_each_on_its_own_is_not_missing() {
    for ahead in [10_000, 200, 5, 0] {
        let mut r = registry();
        for n in 0..8 {
            numbered(&mut r, n * 60, 1, 100 + ahead + n);
            numbered(&mut r, n * 60 + 7, 2, 100 + n);
        }
        let gaps = r.get(at(0), name("nas")).unwrap().gaps;
        assert!(gaps <= 5, "{ahead}: {gaps}");
    }
    // Two connections of one place, once they are known to take turns.
    let mut r = registry();
    let here = Peer::Ip([10, 0, 0, 1].into());
    numbered(&mut r, 0, 1, 100);
    (1..=3).for_each(|n| r.contend(at(n * 1000), name("nas"), [here, here]));
    numbered(&mut r, 4, 1, 9_000);
    assert_eq!(r.get(at(5_000), name("nas")).unwrap().gaps, 0);
    // Numbers that one sender leaves out are missing as ever, and a few of one that has moved.
    numbered(&mut r, 600, 1, 9_050);
    numbered(&mut r, 660, 2, 9_061);
    assert_eq!(r.get(at(700_000), name("nas")).unwrap().gaps, 49 + 10);
}
