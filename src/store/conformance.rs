//! What every store and every journal must do, as tests over the traits: whoever adds one runs it through [`stores`] or
//! [`journals`].

use super::{Entry, FORGET_ROWS_MAX, IncidentQuery, Mark, Marks, OwnedRecord, Position, SnapshotRow, Store};
use crate::domain::address::Peer;
use crate::domain::beat::{Exit, Source, Status, Transport};
use crate::domain::history::Incident;
use crate::domain::id::IdRef;
use crate::domain::notice::State;
use crate::domain::record::{
    Cause, Change, Details, OpenIncident, Pause, PausedBy, Reason, Record, Run, Sequence,
};
use crate::domain::time::{Span, Wall};
use crate::i18n::samples::HAN;
use std::sync::Arc;

mod incidents;
mod journal;
mod outbox;

pub(super) use journal::journals;
pub(super) use outbox::outgoing;

pub(super) const NOW: Wall = Wall(1_770_521_420_000);
const HOUR_MS: i64 = 3_600_000;

/// Runs every test, each on an empty store of its own that `fresh` makes.
pub(super) fn stores(fresh: impl Fn() -> Arc<dyn Store>) {
    for test in [
        a_snapshot_gives_back_what_was_put,
        of_two_records_the_later_holds_in_any_order,
        what_is_left_out_stays,
        of_two_monitors_of_one_id_the_newer_holds,
        a_removed_monitor_stays_removed,
        a_number_is_remembered_longer_than_its_monitor,
        a_mark_goes_with_its_entries_and_never_back,
        incidents::an_incident_opens_and_closes_once_however_often_it_is_said,
        incidents::an_incident_ends_though_its_end_was_written_first,
        incidents::a_snapshot_begins_and_ends_incidents_too,
        incidents::a_muted_change_is_neither_told_nor_an_incident,
        incidents::a_removed_monitors_incident_ends_and_is_kept,
        incidents::incidents_are_listed_newest_first_page_by_page,
        incidents::incidents_can_be_narrowed_down,
        incidents::an_incident_is_acknowledged_by_name,
        outbox::what_is_to_be_told_comes_in_order_and_once,
        outbox::what_fails_goes_to_another_in_the_same_step,
        outbox::a_recipient_is_told_by_itself,
        outbox::many_are_let_go_of_in_one_step,
        outbox::what_was_told_of_a_monitor_is_remembered_until_it_is_not,
        the_past_is_known_of_who_is_there,
        what_is_old_is_forgotten_bit_by_bit,
    ] {
        test(&*fresh());
    }
}

/// A directory that goes when the test is over.
pub(super) struct TemporaryFolder(std::path::PathBuf);

impl TemporaryFolder {
    pub(super) fn new(name: &str) -> TemporaryFolder {
        let path = std::env::temp_dir().join(format!("heartbeat-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        TemporaryFolder(path)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An ordinary record.
pub(super) fn record(id: &str, number: u64, version: u64) -> Record<'_> {
    Record {
        id: IdRef::new(id).unwrap(),
        number,
        version,
        at: at(version),
        change: Change::None,
        state: State::Up,
        beneath: State::Up,
        since: NOW,
        last_beat: Some(at(version)),
        beats: version,
        status: Status::Ok,
        source: Source { peer: Peer::from_ip([192, 168, 1, 53].into()), transport: Transport::Http },
        sequence: None,
        interval: Span::secs(60),
        grace: Span::secs(30),
        asked: None,
        incident: None,
        details: None,
    }
}

/// A reason of which everything is known.
fn told_exit() -> Reason {
    Reason { exit: Some(Exit::Code(-1_073_741_510)), run_started: Some(at(3)), ..Cause::Fail.into() }
}

/// A record that changes a state, `version` seconds after [`NOW`]; down opens an incident named by the version.
pub(super) fn change(id: &str, number: u64, version: u64, from: State, to: State) -> Record<'_> {
    let incident = OpenIncident { beats: version, started: at(version), reason: Cause::Silence.into() };
    Record {
        change: Change::State { from, muted: false },
        state: to,
        beneath: to,
        since: at(version),
        incident: (to == State::Down).then_some(incident),
        ..record(id, number, version)
    }
}

fn created(id: &str, number: u64) -> Record<'_> {
    Record { change: Change::Created, ..record(id, number, 1) }
}

fn removed(id: &str, number: u64, version: u64) -> Record<'_> {
    Record { change: Change::Removed, ..record(id, number, version) }
}

fn at(version: u64) -> Wall {
    Wall(NOW.0 + version as i64 * 1000)
}

fn place(offset: u64) -> Position {
    Position { segment: 1, offset }
}

fn put(store: &dyn Store, records: &[Record<'_>]) {
    let entries: Vec<Entry<'_>> = records.iter().map(Entry::Record).collect();
    store.apply(&entries, Mark::None).unwrap();
}

fn finish_snapshot(store: &dyn Store, offset: u64) {
    store.apply(&[], Mark::Snapshot(place(offset))).unwrap();
}

/// Id, number and version of what a snapshot holds.
fn held(store: &dyn Store) -> Vec<(String, u64, u64)> {
    let mut held = Vec::new();
    let visit = &mut |row: SnapshotRow<'_>| {
        if let SnapshotRow::Monitor(record) = row {
            held.push((record.id.as_str().to_string(), record.number, record.version));
        }
    };
    store.snapshot(visit).unwrap();
    held
}

fn incidents(store: &dyn Store, query: IncidentQuery) -> Vec<Incident> {
    let limit = if query.limit == 0 { 1000 } else { query.limit };
    store.incidents(&IncidentQuery { limit, ..query }).unwrap()
}

fn a_snapshot_gives_back_what_was_put(store: &dyn Store) {
    let runs = vec![
        Run { rid: "", started: NOW, limit: Span::secs(5) },
        Run { rid: "r-2", started: at(1), limit: Span::secs(6) },
    ];
    let full = Record {
        state: State::Paused,
        beneath: State::Down,
        status: Status::Exit(-1_073_741_510),
        source: Source { peer: Peer::Unix, transport: Transport::Http },
        sequence: Some(Sequence { last: u64::MAX, window: 0xf0f0_f0f0, gaps: 7, repeats: u32::MAX }),
        asked: Some(Span::secs(480)),
        incident: Some(OpenIncident { beats: 8, started: at(9), reason: told_exit() }),
        details: Some(Details {
            reported_ip: Some(IdRef::new("10.0.0.7").unwrap()),
            message: Some("a \"message\"\nof two lines\u{1F980}"),
            message_at: Some(at(8)),
            message_beat: 41,
            tags: vec!["web", HAN],
            skew_ms: Some(-1500),
            run_took: Some(Span(1234)),
            runs,
            pause: Some(Pause { by: PausedBy::Window, until: Some(at(100)) }),
            declared: true,
        }),
        ..record("full", 8, 42)
    };
    let statuses = [Status::Ok, Status::Fail, Status::Start, Status::Log, Status::Exit(0), Status::Signal(9)];
    let mut all: Vec<Record<'_>> = (1..)
        .zip(statuses)
        .map(|(number, status)| Record {
            status,
            ..record(["a", "b", "c", "d", "e", "f"][number as usize - 1], number, 1)
        })
        .collect();
    all.push(Record { state: State::New, beneath: State::New, last_beat: None, ..record("never", 7, 1) });
    all.push(full);
    put(store, &all);
    let query = IncidentQuery { monitor: Some("full".into()), limit: 2, ..IncidentQuery::default() };
    let incidents = store.incidents(&query).unwrap();
    assert_eq!(incidents.iter().map(|one| one.reason).collect::<Vec<_>>(), [told_exit()]);
    let mut given = Vec::new();
    let visit = &mut |row: SnapshotRow<'_>| match row {
        SnapshotRow::Monitor(record) => given.push(OwnedRecord::new(record)),
        SnapshotRow::Removed(number) => panic!("{number}"),
    };
    assert_eq!(store.snapshot(visit).unwrap(), None, "it was not finished");
    assert_eq!(given.iter().filter_map(OwnedRecord::borrow).collect::<Vec<_>>(), all);
    finish_snapshot(store, 5);
    finish_snapshot(store, 4);
    assert_eq!(store.snapshot(&mut |_| {}).unwrap(), Some(place(5)), "it never goes back");
}

fn of_two_records_the_later_holds_in_any_order(store: &dyn Store) {
    put(store, &[record("a", 1, 5), record("b", 2, 1)]);
    put(store, &[record("a", 1, 4), record("b", 2, 2), record("a", 1, 5)]);
    assert_eq!(held(store), [("a".into(), 1, 5), ("b".into(), 2, 2)]);
}

fn what_is_left_out_stays(store: &dyn Store) {
    let message = |store: &dyn Store| {
        let mut message = None;
        let mut last = 0;
        let visit = &mut |row: SnapshotRow<'_>| {
            let SnapshotRow::Monitor(record) = row else { return };
            if let Some(details) = &record.details {
                message = details.message.map(str::to_string);
            }
            last = record.version;
        };
        store.snapshot(visit).unwrap();
        (message, last)
    };
    let said = |version, message| Record {
        details: Some(Details { message, ..Details::default() }),
        ..record("a", 1, version)
    };
    put(store, &[said(1, Some("disk full"))]);
    put(store, &[record("a", 1, 2)]);
    assert_eq!(message(store), (Some("disk full".into()), 2));
    put(store, &[said(1, Some("older"))]);
    assert_eq!(message(store), (Some("disk full".into()), 2));
    put(store, &[said(3, None)]);
    assert_eq!(message(store), (None, 3));
    // A change of state that is put on record before the beat that it followed takes nothing away from that.
    put(store, &[record("a", 1, 5)]);
    put(store, &[said(4, Some("all is well"))]);
    assert_eq!(message(store), (Some("all is well".into()), 5));
    put(store, &[said(5, Some("whole"))]);
    assert_eq!(message(store), (Some("whole".into()), 5));
}

fn of_two_monitors_of_one_id_the_newer_holds(store: &dyn Store) {
    put(store, &[created("a", 1), change("a", 1, 2, State::Up, State::Down)]);
    put(store, &[Record { at: at(5), ..record("a", 3, 1) }]);
    put(store, &[record("a", 1, 9), record("a", 2, 9)]);
    assert_eq!(held(store), [("a".into(), 3, 1)]);
    let found = incidents(store, IncidentQuery::default());
    assert_eq!(found.iter().map(|incident| incident.ended).collect::<Vec<_>>(), [Some(at(5))]);
}

fn a_removed_monitor_stays_removed(store: &dyn Store) {
    put(store, &[record("a", 1, 3), record("b", 2, 1), record("c", 3, 1)]);
    put(store, &[removed("a", 1, 4)]);
    put(store, &[removed("b", 2, 2)]);
    assert_eq!(held(store), [("c".into(), 3, 1)]);
    // A snapshot under way may still have an older record of it in hand.
    put(store, &[record("a", 1, 3), record("b", 2, 1)]);
    finish_snapshot(store, 1);
    put(store, &[record("a", 1, 3)]);
    assert_eq!(held(store), [("c".into(), 3, 1)]);
    assert_eq!(store.last_number().unwrap(), 3);
    // The same id anew is another monitor.
    put(store, &[record("a", 4, 1)]);
    assert_eq!(held(store), [("c".into(), 3, 1), ("a".into(), 4, 1)]);
}

fn a_mark_goes_with_its_entries_and_never_back(store: &dyn Store) {
    let marked = |entries: &[Entry<'_>], mark| {
        store.apply(entries, mark).unwrap();
        let Marks { changes, snapshot } = store.marks().unwrap();
        (changes.map(|place| place.offset), snapshot.map(|place| place.offset))
    };
    assert_eq!(store.marks().unwrap(), Marks::default());
    assert_eq!(marked(&[Entry::Record(&created("a", 1))], Mark::None), (None, None));
    assert_eq!(marked(&[Entry::Record(&created("b", 2))], Mark::Changes(place(10))), (Some(10), None));
    assert_eq!(marked(&[], Mark::Changes(place(9))), (Some(10), None));
    assert_eq!(marked(&[], Mark::Changes(Position::default())), (Some(10), None));
    assert_eq!(marked(&[], Mark::Snapshot(place(8))), (Some(10), Some(8)));
    assert_eq!(marked(&[], Mark::Snapshot(place(20))), (Some(20), Some(20)));
    assert_eq!(marked(&[], Mark::Snapshot(place(19))), (Some(20), Some(20)));
    assert_eq!(held(store), [("a".into(), 1, 1), ("b".into(), 2, 1)]);
    assert_eq!(store.marks().unwrap().furthest(), Some(place(20)));
}

fn a_number_is_remembered_longer_than_its_monitor(store: &dyn Store) {
    assert_eq!(store.last_number().unwrap(), 0);
    put(store, &[created("a", 1), created("b", 9), removed("b", 9, 2)]);
    for offset in 1..4 {
        finish_snapshot(store, offset);
    }
    while store.forget(at(100)).unwrap() {}
    assert_eq!(held(store), [("a".into(), 1, 1)]);
    assert_eq!(store.last_number().unwrap(), 9);
    put(store, &[record("c", 12, 1)]);
    assert_eq!(store.last_number().unwrap(), 12);
}

fn the_past_is_known_of_who_is_there(store: &dyn Store) {
    let now = Wall(NOW.0 + 30 * HOUR_MS);
    let hour = |hours: i64| Wall(NOW.0 + hours * HOUR_MS);
    let moved = |record: Record<'static>, hours| {
        let incident = record.incident.map(|incident| OpenIncident { started: hour(hours), ..incident });
        Record { at: hour(hours), since: hour(hours), incident, ..record }
    };
    let changes = [
        moved(created("a", 1), 0),
        moved(change("a", 1, 2, State::Up, State::Down), 1),
        moved(change("a", 1, 3, State::Down, State::Up), 3),
        moved(change("a", 1, 4, State::Up, State::Down), 18),
        moved(created("b", 2), 6),
    ];
    put(store, &changes);
    put(store, &[moved(record("old", 3, 7), 1)]);
    let asked =
        [("b", State::Up), ("nobody", State::Up), ("a", State::Down), ("old", State::Up), ("b", State::New)];
    let past = store.past(&asked, now).unwrap();
    let changes = |n: usize| past[n].changes.iter().map(|c| (c.at, c.from, c.to)).collect::<Vec<_>>();
    assert_eq!(changes(0), [(hour(6), None, State::Up)]);
    assert_eq!(past[0].uptime.day, Some(1.0));
    assert_eq!(past[1], Default::default());
    assert_eq!(
        changes(2),
        [(hour(3), Some(State::Down), State::Up), (hour(18), Some(State::Up), State::Down)],
        "a day of them, and the last one before"
    );
    assert_eq!(past[2].created, Some(hour(0)));
    assert_eq!(past[2].uptime.day, Some(0.5));
    assert!((past[2].uptime.week.unwrap() - 16.0 / 30.0).abs() < 1e-9, "{past:?}");
    assert_eq!(past[2].uptime.week, past[2].uptime.quarter);
    assert_eq!(
        (past[3].created, changes(3)),
        (None, vec![(hour(1), None, State::Up)]),
        "how it stands is known"
    );
    assert_eq!(past[4].uptime, Default::default(), "never heard: nothing is known");
}

fn what_is_old_is_forgotten_bit_by_bit(store: &dyn Store) {
    let rounds = FORGET_ROWS_MAX as u64 + 10;
    let changes: Vec<Record<'_>> = (1..=rounds)
        .flat_map(|n| {
            [change("a", 1, 2 * n, State::Up, State::Down), change("a", 1, 2 * n + 1, State::Down, State::Up)]
        })
        .collect();
    put(store, &[created("a", 1)]);
    changes.chunks(2_000).for_each(|chunk| put(store, chunk));
    put(store, &[change("b", 2, 3, State::Up, State::Down)]);
    let last = 2 * rounds + 1;
    assert!(!store.forget(at(1)).unwrap(), "nothing is older");
    let left =
        |store: &dyn Store| incidents(store, IncidentQuery { limit: 100_000, ..Default::default() }).len();
    assert_eq!(left(store), rounds as usize + 1);
    assert!(store.forget(at(last)).unwrap(), "there are more");
    assert_eq!(left(store), 11, "a bounded number at once");
    let mut more = 1;
    while store.forget(at(last)).unwrap() {
        more += 1;
        assert!(more < 10, "it comes to an end");
    }
    // The newest ended just then, the other has not ended.
    assert_eq!(left(store), 2);
    assert_eq!(incidents(store, IncidentQuery { open: true, ..Default::default() })[0].monitor, "b");
    let past = store.past(&[("a", State::Up)], at(last)).unwrap();
    assert_eq!(past[0].changes.iter().map(|change| change.at).collect::<Vec<_>>(), [at(last)]);
}
