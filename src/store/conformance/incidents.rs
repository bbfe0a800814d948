//! What every store must do with incidents.

use super::{at, change, created, held, incidents, put, record, removed};
use crate::domain::history::Incident;
use crate::domain::notice::State;
use crate::domain::record::{Cause, Change, OpenIncident, Record, incident_id};
use crate::store::{Entry, IncidentQuery, Mark, Store};

fn acknowledge(store: &dyn Store, incident: &str) -> usize {
    store.apply(&[Entry::Acknowledged { incident }], Mark::None).unwrap().acknowledged
}

pub(super) fn an_incident_opens_and_closes_once_however_often_it_is_said(store: &dyn Store) {
    let said = [
        created("a", 1),
        change("a", 1, 2, State::Up, State::Late),
        change("a", 1, 3, State::Late, State::Down),
        change("a", 1, 4, State::Down, State::Up),
        change("a", 1, 5, State::Up, State::Down),
    ];
    let expected = |second_ended| {
        let incident = |beats: u64, ended| Incident {
            id: incident_id(1, beats),
            monitor: "a".into(),
            reason: Cause::Silence.into(),
            started: at(beats),
            ended,
            acknowledged: false,
        };
        [incident(5, second_ended), incident(3, Some(at(4)))]
    };
    // The snapshot may be ahead of the changes.
    put(store, &[Record { incident: said[4].incident, state: State::Down, ..record("a", 1, 9) }]);
    for _ in 0..3 {
        put(store, &said);
        assert_eq!(incidents(store, IncidentQuery::default()), expected(None));
    }
    put(store, &said[1..3]);
    assert_eq!(incidents(store, IncidentQuery::default()), expected(None));
    let up = change("a", 1, 10, State::Down, State::Up);
    put(store, std::slice::from_ref(&up));
    put(store, &said);
    put(store, &[up]);
    assert_eq!(incidents(store, IncidentQuery::default()), expected(Some(at(10))));
    let past = store.past(&[("a", State::Up)], at(20)).unwrap();
    assert_eq!(past[0].changes.len(), 6, "{past:?}");
    assert_eq!(past[0].created, Some(at(1)));
    assert_eq!(held(store), [("a".into(), 1, 10)]);
}

pub(super) fn an_incident_ends_though_its_end_was_written_first(store: &dyn Store) {
    let down = change("a", 1, 2, State::Up, State::Down);
    let up = change("a", 1, 3, State::Down, State::Up);
    for _ in 0..2 {
        put(store, &[created("a", 1), up.clone()]);
        put(store, std::slice::from_ref(&down));
        let found = incidents(store, IncidentQuery::default());
        assert_eq!(found.iter().map(|incident| incident.ended).collect::<Vec<_>>(), [Some(at(3))]);
    }
    put(store, &[created("b", 2), removed("b", 2, 3)]);
    put(store, &[change("b", 2, 2, State::Up, State::Down)]);
    assert!(incidents(store, IncidentQuery::default()).iter().all(|incident| incident.ended.is_some()));
}

pub(super) fn a_snapshot_begins_and_ends_incidents_too(store: &dyn Store) {
    // The process ended after its snapshot and before what it did was in the log.
    let down = change("a", 1, 4, State::Up, State::Down);
    put(store, &[created("a", 1)]);
    put(store, &[Record { change: Change::None, ..down.clone() }]);
    let ended = || {
        incidents(store, IncidentQuery::default()).iter().map(|i| (i.started, i.ended)).collect::<Vec<_>>()
    };
    assert_eq!(ended(), [(at(4), None)]);
    put(store, &[down]);
    assert_eq!(ended(), [(at(4), None)]);
    put(store, &[Record { since: at(6), ..record("a", 1, 9) }]);
    assert_eq!(ended(), [(at(4), Some(at(6)))], "it is up since then");
}

pub(super) fn a_muted_change_is_neither_told_nor_an_incident(store: &dyn Store) {
    let muted = |record: Record<'static>| match record.change {
        Change::State { from, .. } => Record { change: Change::State { from, muted: true }, ..record },
        _ => record,
    };
    put(store, &[created("a", 1), muted(change("a", 1, 2, State::Up, State::Down))]);
    assert_eq!(incidents(store, IncidentQuery::default()), []);
    assert_eq!(held(store), [("a".into(), 1, 2)], "how it stands is known all the same");
    put(store, &[change("a", 1, 3, State::Down, State::Up), change("a", 1, 4, State::Up, State::Down)]);
    // One that was told of does not stay open because its end came too often.
    put(store, &[muted(change("a", 1, 5, State::Down, State::Up))]);
    let found = incidents(store, IncidentQuery::default());
    assert_eq!(found.iter().map(|incident| incident.ended).collect::<Vec<_>>(), [Some(at(5))]);
    assert_eq!(store.past(&[("a", State::Up)], at(9)).unwrap()[0].changes.len(), 3);
}

pub(super) fn a_removed_monitors_incident_ends_and_is_kept(store: &dyn Store) {
    put(store, &[created("a", 1), change("a", 1, 2, State::Up, State::Down), removed("a", 1, 3)]);
    let found = incidents(store, IncidentQuery::default());
    assert_eq!(found.iter().map(|i| (i.monitor.as_str(), i.ended)).collect::<Vec<_>>(), [("a", Some(at(3)))]);
    assert_eq!(held(store), []);
    assert_eq!(store.past(&[("a", State::Up)], at(9)).unwrap(), [Default::default()]);
}

pub(super) fn incidents_are_listed_newest_first_page_by_page(store: &dyn Store) {
    let ids: Vec<String> = (0..25).map(|n| format!("m{n}")).collect();
    // Three begin in each moment; numbers of one and two digits, so that names do not sort as numbers do.
    let down = |(n, id): (usize, &'static str)| {
        let number = n as u64 + 1;
        let incident = OpenIncident { beats: 1, started: at(number / 3), reason: Cause::Silence.into() };
        Record { incident: Some(incident), ..change(id, number, 2, State::Up, State::Down) }
    };
    let ids: Vec<&'static str> = ids.into_iter().map(|id| &*id.leak()).collect();
    let changes: Vec<Record<'_>> = ids.iter().copied().enumerate().map(down).collect();
    put(store, &changes);
    let whole = incidents(store, IncidentQuery::default());
    assert_eq!(whole.len(), 25);
    assert!(whole.windows(2).all(|pair| pair[0].started >= pair[1].started));
    let mut paged: Vec<Incident> = Vec::new();
    loop {
        let after = paged.last().map(|last| (last.started, last.id.clone()));
        let page = incidents(store, IncidentQuery { after, limit: 4, ..Default::default() });
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole);
}

pub(super) fn incidents_can_be_narrowed_down(store: &dyn Store) {
    let changes = [
        change("long", 1, 1, State::Up, State::Down),
        change("short", 2, 2, State::Up, State::Down),
        change("short", 2, 3, State::Down, State::Up),
        change("open", 3, 4, State::Up, State::Down),
        change("long", 1, 10, State::Down, State::Up),
        change("late", 4, 11, State::Up, State::Down),
        change("late", 4, 12, State::Down, State::Up),
    ];
    put(store, &changes);
    let names = |query| -> Vec<String> {
        incidents(store, query).into_iter().map(|incident| incident.monitor).collect()
    };
    let all = IncidentQuery::default;
    assert_eq!(names(all()), ["late", "open", "short", "long"]);
    assert_eq!(names(IncidentQuery { monitor: Some("long".into()), ..all() }), ["long"]);
    assert_eq!(names(IncidentQuery { monitor: Some("none".into()), ..all() }), [""; 0]);
    assert_eq!(names(IncidentQuery { open: true, ..all() }), ["open"]);
    assert_eq!(names(IncidentQuery { since: Some(at(5)), ..all() }), ["late", "open", "long"]);
    assert_eq!(names(IncidentQuery { since: Some(at(5)), limit: 2, ..all() }), ["late", "open"]);
    assert_eq!(names(IncidentQuery { since: Some(at(11)), ..all() }), ["late", "open"]);
    assert_eq!(names(IncidentQuery { since: Some(at(11)), open: true, ..all() }), ["open"]);
    let after = Some((at(4), incident_id(3, 4)));
    assert_eq!(names(IncidentQuery { since: Some(at(5)), after, ..all() }), ["long"]);
}

pub(super) fn an_incident_is_acknowledged_by_name(store: &dyn Store) {
    put(store, &[change("a", 1, 2, State::Up, State::Down)]);
    for unknown in ["1-3", "2-2", "", "x", "1-2-3", "-"] {
        assert_eq!(acknowledge(store, unknown), 0, "{unknown}");
    }
    assert!(!incidents(store, IncidentQuery::default())[0].acknowledged);
    assert_eq!(acknowledge(store, &incident_id(1, 2)), 1);
    put(store, &[change("a", 1, 2, State::Up, State::Down)]);
    assert!(incidents(store, IncidentQuery::default())[0].acknowledged);
}
