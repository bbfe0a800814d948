//! What every store must do, as tests over the trait: whoever adds one runs it through [`all`].

use super::tables::FORGET_ROWS_MAX;
use super::{Batch, IncidentQuery, Lane, Owner, Partition, Position, Store, StoreError, Told, Wanted};
use crate::domain::address::Peer;
use crate::domain::alert::Standing;
use crate::domain::beat::{Exit, Source, Status, Transport};
use crate::domain::history::Incident;
use crate::domain::id::IdRef;
use crate::domain::notice::State;
use crate::domain::record::{
    Cause, Change, Details, OpenIncident, Pause, PausedBy, Reason, Record, Run, Sequence, incident_id,
};
use crate::domain::time::{Span, Wall};
use std::sync::Arc;

mod outbox;

pub(super) use outbox::outgoing;

pub(super) const PARTITION: Partition = Partition(0);
pub(super) const NOW: Wall = Wall(1_770_521_420_000);
const HOUR_MS: i64 = 3_600_000;

/// Runs every test, each on a store of its own that `fresh` makes: empty, with an owner.
pub(super) fn all(fresh: impl Fn() -> (Arc<dyn Store>, Owner)) {
    for test in [
        a_log_is_read_as_it_was_appended,
        who_follows_changes_is_spared_the_rest,
        what_is_trimmed_is_gone_and_the_rest_is_not,
        a_snapshot_gives_back_what_was_put,
        of_two_records_the_later_holds_in_any_order,
        what_is_left_out_stays,
        of_two_monitors_of_one_id_the_newer_holds,
        a_removed_monitor_stays_removed,
        a_number_is_remembered_longer_than_its_monitor,
        a_stale_owner_is_refused_and_leaves_nothing,
        an_incident_opens_and_closes_once_however_often_it_is_said,
        an_incident_ends_though_its_end_was_written_first,
        a_snapshot_begins_and_ends_incidents_too,
        a_muted_change_is_neither_told_nor_an_incident,
        a_removed_monitors_incident_ends_and_is_kept,
        incidents_are_listed_newest_first_page_by_page,
        incidents_can_be_narrowed_down,
        an_incident_is_acknowledged_by_name,
        outbox::what_is_to_be_told_comes_in_order_and_once,
        outbox::what_fails_goes_to_another_in_the_same_step,
        outbox::a_recipient_is_told_by_itself,
        outbox::many_are_let_go_of_in_one_step,
        outbox::what_was_told_of_a_monitor_is_remembered_until_it_is_not,
        the_past_is_known_of_who_is_there,
        what_is_old_is_forgotten_bit_by_bit,
    ] {
        let (store, owner) = fresh();
        test(store.as_ref(), owner);
    }
}

/// A directory that goes when the test is over.
pub(super) struct Folder(std::path::PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("heartbeat-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
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
    store.put_snapshot(PARTITION, records).unwrap();
}

fn transit(store: &dyn Store, owner: Owner, changes: &[Record<'_>]) {
    store.transit(PARTITION, owner, changes, &Told::default(), place(1)).unwrap();
}

/// Id, number and version of what a snapshot holds.
fn held(store: &dyn Store) -> Vec<(String, u64, u64)> {
    let mut held = Vec::new();
    let visit = &mut |record: &Record<'_>| {
        if record.change != Change::Removed {
            held.push((record.id.as_str().to_string(), record.number, record.version));
        }
    };
    store.snapshot(PARTITION, visit).unwrap();
    held
}

fn read(store: &dyn Store, from: Option<Position>, wanted: Wanted) -> (Vec<(Position, u64, u64)>, Position) {
    let mut found = Vec::new();
    let visit = &mut |position, record: &Record<'_>| found.push((position, record.number, record.version));
    let end = store.read(PARTITION, from, wanted, visit).unwrap();
    (found, end)
}

fn append(store: &dyn Store, records: &[Record<'_>]) -> Position {
    let mut batch = Batch::new();
    records.iter().for_each(|record| batch.push(record));
    let position = store.append(PARTITION, NOW, &mut batch).unwrap();
    assert!(batch.is_empty(), "what was taken is gone from the batch");
    position
}

fn incidents(store: &dyn Store, query: IncidentQuery) -> Vec<Incident> {
    let limit = if query.limit == 0 { 1000 } else { query.limit };
    store.incidents(&IncidentQuery { limit, ..query }).unwrap()
}

fn a_log_is_read_as_it_was_appended(store: &dyn Store, _: Owner) {
    assert_eq!(read(store, None, Wanted::All).0, []);
    let first = append(store, &[record("a", 1, 1), record("b", 2, 1)]);
    let second = append(store, &[record("a", 1, 2)]);
    assert!(first < second);
    store.sync(PARTITION, second).unwrap();
    let (all, end) = read(store, None, Wanted::All);
    let said: Vec<_> = all.iter().map(|(_, number, version)| (*number, *version)).collect();
    assert_eq!(said, [(1, 1), (2, 1), (1, 2)]);
    assert!(all.iter().all(|(position, ..)| *position <= end) && end >= second);
    let (rest, _) = read(store, Some(first), Wanted::All);
    assert_eq!(rest.iter().map(|(_, number, version)| (*number, *version)).collect::<Vec<_>>(), [(1, 2)]);
    // Who goes on from the end sees what comes after it and nothing twice.
    append(store, &[record("b", 2, 2)]);
    let (rest, _) = read(store, Some(end), Wanted::All);
    assert_eq!(rest.iter().map(|(_, number, version)| (*number, *version)).collect::<Vec<_>>(), [(2, 2)]);
}

fn who_follows_changes_is_spared_the_rest(store: &dyn Store, _: Owner) {
    append(store, &[record("a", 1, 1)]);
    append(store, &[change("a", 1, 2, State::Up, State::Late), record("b", 2, 1)]);
    append(store, &[record("a", 1, 3)]);
    append(store, &[removed("a", 1, 4)]);
    let (changes, end) = read(store, None, Wanted::Changes);
    assert_eq!(
        changes.iter().map(|(_, number, version)| (*number, *version)).collect::<Vec<_>>(),
        [(1, 2), (1, 4)]
    );
    assert_eq!(read(store, Some(end), Wanted::All).0, [], "the end is the end of all");
}

fn what_is_trimmed_is_gone_and_the_rest_is_not(store: &dyn Store, _: Owner) {
    append(store, &[record("a", 1, 1)]);
    let first = append(store, &[record("a", 1, 2)]);
    append(store, &[record("a", 1, 3)]);
    store.trim(PARTITION, first).unwrap();
    // How much is let go of is the store's affair; what lies behind the position never is.
    let (left, _) = read(store, None, Wanted::All);
    assert_eq!(left.last().map(|(_, number, version)| (*number, *version)), Some((1, 3)));
    assert_eq!(read(store, Some(first), Wanted::All).0.len(), 1);
}

fn a_snapshot_gives_back_what_was_put(store: &dyn Store, _: Owner) {
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
            tags: vec!["web", "数据库"],
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
    let complete = store
        .snapshot(PARTITION, &mut |record| given.push(super::owned::OwnedRecord::new(record).unwrap()))
        .unwrap();
    assert_eq!(complete, None, "it was not finished");
    assert_eq!(given.iter().map(super::owned::OwnedRecord::borrow).collect::<Vec<_>>(), all);
    store.finish_snapshot(PARTITION, place(5)).unwrap();
    store.finish_snapshot(PARTITION, place(4)).unwrap();
    assert_eq!(store.snapshot(PARTITION, &mut |_| {}).unwrap(), Some(place(5)), "it never goes back");
}

fn of_two_records_the_later_holds_in_any_order(store: &dyn Store, _: Owner) {
    put(store, &[record("a", 1, 5), record("b", 2, 1)]);
    put(store, &[record("a", 1, 4), record("b", 2, 2), record("a", 1, 5)]);
    assert_eq!(held(store), [("a".into(), 1, 5), ("b".into(), 2, 2)]);
}

fn what_is_left_out_stays(store: &dyn Store, _: Owner) {
    let message = |store: &dyn Store| {
        let mut message = None;
        let mut last = 0;
        let visit = &mut |record: &Record<'_>| {
            if let Some(details) = &record.details {
                message = details.message.map(str::to_string);
            }
            last = record.version;
        };
        store.snapshot(PARTITION, visit).unwrap();
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

fn of_two_monitors_of_one_id_the_newer_holds(store: &dyn Store, owner: Owner) {
    transit(store, owner, &[created("a", 1), change("a", 1, 2, State::Up, State::Down)]);
    put(store, &[Record { at: at(5), ..record("a", 3, 1) }]);
    put(store, &[record("a", 1, 9), record("a", 2, 9)]);
    assert_eq!(held(store), [("a".into(), 3, 1)]);
    let found = incidents(store, IncidentQuery::default());
    assert_eq!(found.iter().map(|incident| incident.ended).collect::<Vec<_>>(), [Some(at(5))]);
}

fn a_removed_monitor_stays_removed(store: &dyn Store, owner: Owner) {
    put(store, &[record("a", 1, 3), record("b", 2, 1), record("c", 3, 1)]);
    transit(store, owner, &[removed("a", 1, 4)]);
    put(store, &[removed("b", 2, 2)]);
    assert_eq!(held(store), [("c".into(), 3, 1)]);
    // A snapshot under way may still have an older record of it in hand.
    put(store, &[record("a", 1, 3), record("b", 2, 1)]);
    store.finish_snapshot(PARTITION, place(1)).unwrap();
    put(store, &[record("a", 1, 3)]);
    assert_eq!(held(store), [("c".into(), 3, 1)]);
    assert_eq!(store.last_number(PARTITION).unwrap(), 3);
    // The same id anew is another monitor.
    put(store, &[record("a", 4, 1)]);
    assert_eq!(held(store), [("c".into(), 3, 1), ("a".into(), 4, 1)]);
}

fn a_stale_owner_is_refused_and_leaves_nothing(store: &dyn Store, owner: Owner) {
    let later = Owner { epoch: owner.epoch + 1 };
    assert_eq!(store.transited(PARTITION).unwrap(), None);
    store.transit(PARTITION, later, &[created("a", 1)], &Told::default(), place(10)).unwrap();
    let standing = Standing { number: 1, state: Some("{}".into()) };
    let told = Told { outbox: &[outgoing("k", 0)], standings: &[standing] };
    let changes = [change("a", 1, 2, State::Up, State::Down), created("b", 2)];
    let refused = store.transit(PARTITION, owner, &changes, &told, place(20));
    assert!(matches!(refused, Err(StoreError::Stale)), "{refused:?}");
    assert_eq!(held(store), [("a".into(), 1, 1)]);
    assert_eq!(incidents(store, IncidentQuery::default()), []);
    assert_eq!(store.outbox_next(PARTITION, &Lane::all("ops"), 9).unwrap(), []);
    assert_eq!(store.standings(PARTITION).unwrap(), []);
    assert_eq!(store.transited(PARTITION).unwrap(), Some(place(10)));
    store.transit(PARTITION, later, &changes, &Told::default(), place(20)).unwrap();
    assert_eq!(store.transited(PARTITION).unwrap(), Some(place(20)));
    store.transit(PARTITION, later, &changes, &Told::default(), Position::default()).unwrap();
    assert_eq!(store.transited(PARTITION).unwrap(), Some(place(20)), "it never goes back");
}

fn an_incident_opens_and_closes_once_however_often_it_is_said(store: &dyn Store, owner: Owner) {
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
        transit(store, owner, &said);
        assert_eq!(incidents(store, IncidentQuery::default()), expected(None));
    }
    transit(store, owner, &said[1..3]);
    assert_eq!(incidents(store, IncidentQuery::default()), expected(None));
    let up = change("a", 1, 10, State::Down, State::Up);
    transit(store, owner, std::slice::from_ref(&up));
    transit(store, owner, &said);
    transit(store, owner, &[up]);
    assert_eq!(incidents(store, IncidentQuery::default()), expected(Some(at(10))));
    let past = store.past(&[("a", State::Up)], at(20)).unwrap();
    assert_eq!(past[0].changes.len(), 6, "{past:?}");
    assert_eq!(past[0].created, Some(at(1)));
    assert_eq!(held(store), [("a".into(), 1, 10)]);
}

fn an_incident_ends_though_its_end_was_written_first(store: &dyn Store, owner: Owner) {
    let down = change("a", 1, 2, State::Up, State::Down);
    let up = change("a", 1, 3, State::Down, State::Up);
    for _ in 0..2 {
        transit(store, owner, &[created("a", 1), up.clone()]);
        transit(store, owner, std::slice::from_ref(&down));
        let found = incidents(store, IncidentQuery::default());
        assert_eq!(found.iter().map(|incident| incident.ended).collect::<Vec<_>>(), [Some(at(3))]);
    }
    transit(store, owner, &[created("b", 2), removed("b", 2, 3)]);
    transit(store, owner, &[change("b", 2, 2, State::Up, State::Down)]);
    assert!(incidents(store, IncidentQuery::default()).iter().all(|incident| incident.ended.is_some()));
}

fn a_snapshot_begins_and_ends_incidents_too(store: &dyn Store, owner: Owner) {
    // The process ended after its snapshot and before what it did was in the log.
    let down = change("a", 1, 4, State::Up, State::Down);
    transit(store, owner, &[created("a", 1)]);
    put(store, &[Record { change: Change::None, ..down.clone() }]);
    let ended = || {
        incidents(store, IncidentQuery::default()).iter().map(|i| (i.started, i.ended)).collect::<Vec<_>>()
    };
    assert_eq!(ended(), [(at(4), None)]);
    transit(store, owner, &[down]);
    assert_eq!(ended(), [(at(4), None)]);
    put(store, &[Record { since: at(6), ..record("a", 1, 9) }]);
    assert_eq!(ended(), [(at(4), Some(at(6)))], "it is up since then");
}

fn a_muted_change_is_neither_told_nor_an_incident(store: &dyn Store, owner: Owner) {
    let muted = |record: Record<'static>| match record.change {
        Change::State { from, .. } => Record { change: Change::State { from, muted: true }, ..record },
        _ => record,
    };
    transit(store, owner, &[created("a", 1), muted(change("a", 1, 2, State::Up, State::Down))]);
    assert_eq!(incidents(store, IncidentQuery::default()), []);
    assert_eq!(held(store), [("a".into(), 1, 2)], "how it stands is known all the same");
    transit(
        store,
        owner,
        &[change("a", 1, 3, State::Down, State::Up), change("a", 1, 4, State::Up, State::Down)],
    );
    // One that was told of does not stay open because its end came too often.
    transit(store, owner, &[muted(change("a", 1, 5, State::Down, State::Up))]);
    let found = incidents(store, IncidentQuery::default());
    assert_eq!(found.iter().map(|incident| incident.ended).collect::<Vec<_>>(), [Some(at(5))]);
    assert_eq!(store.past(&[("a", State::Up)], at(9)).unwrap()[0].changes.len(), 3);
}

fn a_number_is_remembered_longer_than_its_monitor(store: &dyn Store, owner: Owner) {
    assert_eq!(store.last_number(PARTITION).unwrap(), 0);
    transit(store, owner, &[created("a", 1), created("b", 9), removed("b", 9, 2)]);
    for offset in 1..4 {
        store.finish_snapshot(PARTITION, place(offset)).unwrap();
    }
    while store.forget(at(100)).unwrap() {}
    assert_eq!(held(store), [("a".into(), 1, 1)]);
    assert_eq!(store.last_number(PARTITION).unwrap(), 9);
    put(store, &[record("c", 12, 1)]);
    assert_eq!(store.last_number(PARTITION).unwrap(), 12);
}

fn a_removed_monitors_incident_ends_and_is_kept(store: &dyn Store, owner: Owner) {
    transit(store, owner, &[created("a", 1), change("a", 1, 2, State::Up, State::Down), removed("a", 1, 3)]);
    let found = incidents(store, IncidentQuery::default());
    assert_eq!(found.iter().map(|i| (i.monitor.as_str(), i.ended)).collect::<Vec<_>>(), [("a", Some(at(3)))]);
    assert_eq!(held(store), []);
    assert_eq!(store.past(&[("a", State::Up)], at(9)).unwrap(), [Default::default()]);
}

fn incidents_are_listed_newest_first_page_by_page(store: &dyn Store, owner: Owner) {
    let ids: Vec<String> = (0..25).map(|n| format!("m{n}")).collect();
    // Three begin in each moment; numbers of one and two digits, so that names do not sort as numbers do.
    let down = |(n, id): (usize, &'static str)| {
        let number = n as u64 + 1;
        let incident = OpenIncident { beats: 1, started: at(number / 3), reason: Cause::Silence.into() };
        Record { incident: Some(incident), ..change(id, number, 2, State::Up, State::Down) }
    };
    let ids: Vec<&'static str> = ids.into_iter().map(|id| &*id.leak()).collect();
    let changes: Vec<Record<'_>> = ids.iter().copied().enumerate().map(down).collect();
    transit(store, owner, &changes);
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

fn incidents_can_be_narrowed_down(store: &dyn Store, owner: Owner) {
    let changes = [
        change("long", 1, 1, State::Up, State::Down),
        change("short", 2, 2, State::Up, State::Down),
        change("short", 2, 3, State::Down, State::Up),
        change("open", 3, 4, State::Up, State::Down),
        change("long", 1, 10, State::Down, State::Up),
        change("late", 4, 11, State::Up, State::Down),
        change("late", 4, 12, State::Down, State::Up),
    ];
    transit(store, owner, &changes);
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

fn an_incident_is_acknowledged_by_name(store: &dyn Store, owner: Owner) {
    transit(store, owner, &[change("a", 1, 2, State::Up, State::Down)]);
    for unknown in ["1-3", "2-2", "", "x", "1-2-3", "-"] {
        assert!(!store.acknowledge_incident(unknown).unwrap(), "{unknown}");
    }
    assert!(!incidents(store, IncidentQuery::default())[0].acknowledged);
    assert!(store.acknowledge_incident(&incident_id(1, 2)).unwrap());
    transit(store, owner, &[change("a", 1, 2, State::Up, State::Down)]);
    assert!(incidents(store, IncidentQuery::default())[0].acknowledged);
}

fn the_past_is_known_of_who_is_there(store: &dyn Store, owner: Owner) {
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
    transit(store, owner, &changes);
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

fn what_is_old_is_forgotten_bit_by_bit(store: &dyn Store, owner: Owner) {
    let rounds = FORGET_ROWS_MAX as u64 + 10;
    let changes: Vec<Record<'_>> = (1..=rounds)
        .flat_map(|n| {
            [change("a", 1, 2 * n, State::Up, State::Down), change("a", 1, 2 * n + 1, State::Down, State::Up)]
        })
        .collect();
    transit(store, owner, &[created("a", 1)]);
    changes.chunks(2_000).for_each(|chunk| transit(store, owner, chunk));
    transit(store, owner, &[change("b", 2, 3, State::Up, State::Down)]);
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
