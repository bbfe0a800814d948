//! Whatever is done to it, the file means what memory means, and is of use whatever is spoiled in it.

use super::*;
use crate::i18n::Text;

/// Something done to tables, and to be done to others alike.
#[derive(Clone, Debug)]
enum Act {
    Put(Vec<(u64, u64)>),
    Follow(Vec<(u64, u64)>),
    Finish,
    Forget(u64),
    Acknowledge(u64, u64),
}

/// What version `version` of monitor `number` says: always the same. Of four monitors two have one id.
fn said(number: u64, version: u64) -> Record<'static> {
    let id = ["a", "b", "c"][number as usize % 3];
    let random = number.wrapping_mul(31).wrapping_add(version).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let state = State::ALL[(random % 5) as usize];
    let from = State::ALL[(random / 5 % 5) as usize];
    let kind = match random / 25 % 8 {
        _ if version == 1 => Change::Created,
        0 => Change::None,
        1 => Change::Removed,
        3 => Change::Failed,
        2 => Change::State { from, muted: true },
        _ => Change::State { from, muted: false },
    };
    let incident = (state == State::Down).then(|| OpenIncident {
        beats: version / 2,
        started: Wall(NOW.0 + (version / 2) as i64 * 1000),
        reason: crate::domain::record::Cause::Fail.into(),
    });
    let details = (random / 200 % 3 == 0).then(|| crate::domain::record::Details {
        skew_ms: (random / 600 % 2 == 0).then_some(version as i64),
        ..Default::default()
    });
    Record { change: kind, state, beneath: from, incident, details, ..record(id, number, version) }
}

fn act() -> impl Strategy<Value = Act> {
    let stamps = || prop::collection::vec((1..5u64, 1..12u64), 1..8);
    prop_oneof![
        3 => stamps().prop_map(Act::Put),
        6 => stamps().prop_map(Act::Follow),
        1 => Just(Act::Finish),
        1 => (0..12u64).prop_map(Act::Forget),
        1 => (1..5u64, 0..6u64).prop_map(|(number, beats)| Act::Acknowledge(number, beats)),
    ]
}

/// Does it, and says all that can then be seen.
fn done(tables: &dyn Store, act: &Act, step: u64) -> String {
    let outgoing = crate::store::conformance::outgoing(&format!("k{}", step % 3), step);
    let state = (step % 2 == 0).then(|| format!("s{step}"));
    let alert_state = crate::domain::alert::AlertState { number: step % 5, state };
    let result = match act {
        Act::Put(stamps) | Act::Follow(stamps) => {
            let records: Vec<_> = stamps.iter().map(|(number, version)| said(*number, *version)).collect();
            let records = records.iter().map(Entry::Record);
            if matches!(act, Act::Put(_)) {
                tables.apply(&records.collect::<Vec<_>>(), Mark::None)
            } else {
                let told = [Entry::Message(&outgoing), Entry::AlertState(&alert_state)];
                tables.apply(&records.chain(told).collect::<Vec<_>>(), Mark::Changes(place(step)))
            }
        }
        Act::Finish => finish_snapshot(tables, step),
        Act::Forget(version) => {
            let more = tables.forget(Wall(NOW.0 + *version as i64 * 1000)).unwrap();
            Ok(Applied { acknowledged: more.into() })
        }
        Act::Acknowledge(number, beats) => {
            let reason = Text::foreign("r");
            let settled = &match number {
                1 => Settled::Sent,
                2 => Settled::Failed { reason },
                4 => Settled::GivenUp { reason },
                _ => Settled::Retry { due: Wall(NOW.0 + 60_000), reason },
            };
            let instead = crate::store::conformance::outgoing(&format!("i{beats}"), step);
            let instead = if *number == 2 { std::slice::from_ref(&instead) } else { &[] };
            let (key, incident) = (&*format!("k{beats}"), &*format!("{number}-{beats}"));
            let settled = Entry::Settled { key, at: NOW, settled, instead };
            tables.apply(&[settled, Entry::Acknowledged { incident }], Mark::None)
        }
    };
    let mut monitors = Vec::new();
    let position = tables.snapshot(&mut |row| monitors.push(format!("{row:#?}"))).unwrap();
    let now = Wall(NOW.0 + 20_000);
    let asked = [("a", State::Up), ("b", State::Down), ("c", State::New), ("d", State::Up)];
    let past = tables.past(&asked, now).unwrap();
    let mut seen = format!("{result:?} {monitors:?} {position:?} {:?} {past:#?}", tables.marks().unwrap());
    for (since, open, after) in [
        (None, false, None),
        (None, true, None),
        (Some(Wall(NOW.0 + 4000)), false, None),
        (Some(Wall(NOW.0 + 4000)), true, None),
        (Some(Wall(NOW.0 + 2000)), false, Some((Wall(NOW.0 + 3000), "2-3".to_string()))),
    ] {
        for monitor in [None, Some("b".to_string())] {
            let query = IncidentQuery { monitor, since, open, after: after.clone(), limit: 3 };
            seen += &format!("{:#?}", tables.incidents(&query).unwrap());
        }
    }
    let query = OutboxQuery { limit: 20, ..OutboxQuery::default() };
    seen + &format!("{:?}", tables.outbox_next(&Lane::all("ops"), 2).unwrap())
        + &format!("{:#?}", tables.outbox_list(&query).unwrap())
        + &format!("{:?} {:?}", tables.outbox_pending().unwrap(), tables.alert_states().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_spoiled_the_daemon_can_go_on(
        spoiled in prop::collection::vec((100..200_000usize, 1..5000usize, any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, 1..200_000usize),
    ) {
        let folder = TemporaryFolder::new("sqlite-spoiled");
        filled(&folder);
        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        for (from, length, with) in spoiled {
            // Whole pages are lost oftener than bytes here and there; both happen.
            let (from, length) = if with < 128 { (from & !4095, length & !4095) } else { (from, length % 16) };
            bytes.iter_mut().skip(from.max(100)).take(length).for_each(|byte| *byte = with);
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        std::fs::write(&path, bytes).unwrap();
        let tables = open(&folder);
        let found = numbers(&tables).0;
        let changes = [change("m-1", 1, 7, State::Down, State::Up), change("m-900", 900, 6, State::Up, State::Down)];
        put(&tables, &changes).unwrap();
        let ids: Vec<String> = (1..=1000).map(|number| format!("m-{number}")).collect();
        let records: Vec<_> = (1..).zip(&ids).map(|(number, id)| record(id, number, 9)).collect();
        put(&tables, &records).unwrap();
        let _ = finish_snapshot(&tables, 10);
        finish_snapshot(&tables, 10).unwrap();
        while tables.forget(Wall(NOW.0 + 1)).unwrap() {}
        let ask: Vec<_> = ids.iter().map(|id| (id.as_str(), State::Up)).collect();
        prop_assert_eq!(tables.past(&ask, NOW).unwrap().len(), 1000);
        tables.incidents(&IncidentQuery { limit: 9, ..Default::default() }).unwrap();
        // A row spoiled by a byte may stay as it is, passed over; whole pages may not stay lost.
        prop_assert!(numbers(&tables).0.len() > 980, "{} of {}", numbers(&tables).0.len(), found.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_file_means_what_memory_means(acts in prop::collection::vec(act(), 1..16)) {
        let folder = TemporaryFolder::new("sqlite-same");
        let (file, memory) = (open(&folder), MemoryTables::new());
        for (step, act) in (0..).zip(&acts) {
            prop_assert_eq!(done(&file, act, step), done(&memory, act, step), "{:?}", act);
        }
    }
}
