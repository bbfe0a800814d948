//! The file itself: what outlives the program, what happens to a damaged one, and that it means what memory means.

use super::*;
use crate::domain::notice::State;
use crate::domain::record::{Change, OpenIncident, Record};
use crate::domain::sentence::Audience;
use crate::store::conformance::{NOW, TemporaryFolder, change, record};
use crate::store::memory::MemoryTables;
use crate::store::{IncidentQuery, Lane, OutboxQuery, Query, Settled, SnapshotRow};
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;

mod properties;

fn open(folder: &TemporaryFolder) -> SqliteTables {
    SqliteTables::open(folder.path(), NOW).unwrap()
}

fn place(offset: u64) -> Position {
    Position { segment: 1, offset }
}

fn put(tables: &dyn Store, records: &[Record<'_>]) -> Result<Applied, StoreError> {
    let entries: Vec<Entry<'_>> = records.iter().map(Entry::Record).collect();
    tables.apply(&entries, Mark::None)
}

fn finish_snapshot(tables: &dyn Store, offset: u64) -> Result<Applied, StoreError> {
    tables.apply(&[], Mark::Snapshot(place(offset)))
}

fn put_message(tables: &dyn Store) {
    let outgoing = crate::store::conformance::outgoing("k", 0);
    tables.apply(&[Entry::Message(&outgoing)], Mark::None).unwrap();
}

/// A thousand monitors `m-1`…, some pages of them, with a snapshot and a history, closed again.
fn filled(folder: &TemporaryFolder) {
    let tables = open(folder);
    let ids: Vec<String> = (1..=1000).map(|number| format!("m-{number}")).collect();
    let records: Vec<_> = (1..).zip(&ids).map(|(number, id)| record(id, number, 5)).collect();
    put(&tables, &records).unwrap();
    finish_snapshot(&tables, 7).unwrap();
    let down = change("m-1", 1, 6, State::Up, State::Down);
    tables.apply(&[Entry::Record(&down)], Mark::Changes(place(8))).unwrap();
}

fn numbers(tables: &SqliteTables) -> (std::collections::BTreeSet<u64>, Option<Position>) {
    let mut numbers = std::collections::BTreeSet::new();
    let visit = &mut |row: SnapshotRow<'_>| match row {
        SnapshotRow::Monitor(record) => _ = numbers.insert(record.number),
        SnapshotRow::Removed(number) => _ = numbers.insert(number),
    };
    let position = tables.snapshot(visit).unwrap();
    (numbers, position)
}

/// Overwrites the page of the table `monitors` in which monitor 500 stands; returns the damaged file's bytes.
fn damage(folder: &TemporaryFolder) -> Vec<u8> {
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let leaf = |page: &&mut [u8]| page[0] == 0x0d && page.windows(5).any(|text| text == b"m-500");
    bytes.chunks_mut(4096).find(leaf).unwrap().fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    bytes
}

fn only_repair(tables: &SqliteTables) -> Repair {
    let mut repairs = tables.take_repairs();
    assert_eq!(repairs.len(), 1, "{repairs:?}");
    repairs.remove(0)
}

#[test]
fn what_is_put_outlives_the_program() {
    let folder = TemporaryFolder::new("sqlite-reopen");
    filled(&folder);
    let tables = open(&folder);
    let (numbers, position) = numbers(&tables);
    assert_eq!((numbers.len(), position), (1000, Some(place(7))));
    assert_eq!(tables.marks().unwrap().changes, Some(place(8)));
    assert_eq!(tables.take_repairs(), []);
    let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_file_of_the_first_version_is_brought_up_and_keeps_what_it_held() {
    let folder = TemporaryFolder::new("sqlite-old");
    filled(&folder);
    let path = folder.path().join(FILE);
    let back = "ALTER TABLE monitors DROP COLUMN asked_ms; ALTER TABLE monitors DROP COLUMN signal;
        ALTER TABLE monitors DROP COLUMN incident_exit_code; ALTER TABLE monitors DROP COLUMN incident_signal;
        ALTER TABLE monitors DROP COLUMN incident_run_ms; DROP VIEW incidents_utc;
        ALTER TABLE incidents DROP COLUMN exit_code; ALTER TABLE incidents DROP COLUMN signal;
        ALTER TABLE incidents DROP COLUMN run_started_ms;
        CREATE VIEW incidents_utc AS SELECT id FROM incidents; DROP VIEW outbox_utc; DROP TABLE alerts; DROP TABLE outbox;
        CREATE TABLE outbox (key TEXT PRIMARY KEY, due_ms INTEGER NOT NULL, tries INTEGER NOT NULL,
            done INTEGER NOT NULL DEFAULT 0, payload BLOB NOT NULL) WITHOUT ROWID;
        CREATE INDEX outbox_pending ON outbox (due_ms) WHERE done = 0; PRAGMA user_version = 1";
    Connection::open(&path).unwrap().execute_batch(back).unwrap();
    let tables = open(&folder);
    assert_eq!(numbers(&tables).0.len(), 1000);
    assert_eq!(tables.take_repairs(), []);
    let schema: String = Connection::open(&path)
        .unwrap()
        .query_row("SELECT sql FROM sqlite_master WHERE name = 'monitors'", [], |row| row.get(0))
        .unwrap();
    assert!(schema.contains("asked_ms /* the longer interval"), "people read it: {schema}");
    put_message(&tables);
    assert_eq!(tables.outbox_pending().unwrap(), [(Lane::all("ops"), 1)]);
}

#[test]
fn a_state_has_a_name_of_its_own_and_what_was_told_before_keeps_its_own() {
    let names: std::collections::BTreeSet<String> = (0..3)
        .map(|number| {
            let folder = TemporaryFolder::new(&format!("sqlite-instance-{number}"));
            let made = open(&folder).instance();
            assert_eq!(open(&folder).instance(), made, "it outlives the program");
            let named = made.incident("7-3".into(), NOW);
            assert_eq!(named, format!("7-3-{}", made.name()), "a fresh state names all by it");
            made.name().to_string()
        })
        .collect();
    assert_eq!(names.len(), 3);
    // A state of 0.4.0, with an incident that has begun.
    let folder = TemporaryFolder::new("sqlite-instance-old");
    filled(&folder);
    let path = folder.path().join(FILE);
    let back = "DELETE FROM meta WHERE key LIKE 'instance%'; ALTER TABLE monitors DROP COLUMN signal;
        ALTER TABLE monitors DROP COLUMN incident_exit_code; ALTER TABLE monitors DROP COLUMN incident_signal;
        ALTER TABLE monitors DROP COLUMN incident_run_ms; DROP VIEW outbox_utc; DROP VIEW incidents_utc;
        ALTER TABLE incidents DROP COLUMN exit_code; ALTER TABLE incidents DROP COLUMN signal;
        ALTER TABLE incidents DROP COLUMN run_started_ms;
        DROP INDEX outbox_pending; ALTER TABLE outbox DROP COLUMN recipient;
        CREATE INDEX outbox_pending ON outbox (notifier, place, due_ms, tries) WHERE state = 'pending';
        CREATE VIEW outbox_utc AS SELECT key FROM outbox; CREATE VIEW incidents_utc AS SELECT id FROM incidents;
        PRAGMA user_version = 3";
    Connection::open(&path).unwrap().execute_batch(back).unwrap();
    let later = Wall(NOW.0 + 3_600_000);
    let tables = SqliteTables::open(folder.path(), later).unwrap();
    let instance = tables.instance();
    let old = tables.incidents(&IncidentQuery { limit: 9, ..Default::default() }).unwrap().remove(0);
    assert_eq!(instance.incident(old.id.clone(), old.started), old.id);
    assert_ne!(instance.incident("9-9".into(), later), "9-9");
    let shown: String = Connection::open(&path)
        .unwrap()
        .query_row("SELECT id FROM incidents_utc", [], |row| row.get(0))
        .unwrap();
    assert_eq!(shown, old.id, "and so people see it");
    let own = Entry::Acknowledged { incident: instance.own_part(&old.id).unwrap() };
    assert_eq!(tables.apply(&[own], Mark::None).unwrap().acknowledged, 1);
    put_message(&tables);
    assert_eq!(tables.outbox_pending().unwrap(), [(Lane::all("ops"), 1)]);
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = TemporaryFolder::new("sqlite-new");
    filled(&folder);
    let path = folder.path().join(FILE);
    let later = "PRAGMA user_version = 99; UPDATE meta SET value = 99 WHERE key = 'schema'";
    Connection::open(&path).unwrap().execute_batch(later).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteTables::open(folder.path(), NOW).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("damaged")));
}

#[test]
fn what_is_no_database_of_ours_is_set_aside_whole() {
    let folder = TemporaryFolder::new("sqlite-foreign");
    let path = folder.path().join(FILE);
    let foreign = || Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    foreign();
    let database = std::fs::read(&path).unwrap();
    for content in [database, b"not a database at all".to_vec(), b"S".to_vec()] {
        std::fs::write(&path, &content).unwrap();
        let tables = open(&folder);
        let Repair::SetAside { aside, monitors: 0, complete: false, .. } = only_repair(&tables) else {
            panic!("not set aside")
        };
        assert!(aside.to_string_lossy().contains("state.db.damaged-20260208T033020Z"), "{aside:?}");
        assert_eq!(std::fs::read(aside).unwrap(), content);
        assert_eq!(numbers(&tables), (Default::default(), None));
        put(&tables, &[record("a", 1, 1)]).unwrap();
        drop(tables);
    }
}

#[test]
fn damage_met_when_loading_costs_only_what_cannot_be_read() {
    let folder = TemporaryFolder::new("sqlite-damage");
    filled(&folder);
    let damaged = damage(&folder);
    let tables = open(&folder);
    let (found, position) = numbers(&tables);
    assert!(!found.contains(&500) && found.len() > 900, "{}", found.len());
    assert!(found.contains(&1) && found.contains(&1000), "on both sides of the damage");
    assert_eq!(position, None, "what stood before the place is not all there, so the journal has to be read");
    assert_eq!(tables.marks().unwrap().changes, Some(place(8)), "of the changes nothing is missing");
    assert_eq!(tables.incidents(&IncidentQuery { limit: 9, ..Default::default() }).unwrap().len(), 1);
    let repair = only_repair(&tables);
    let Repair::SetAside { aside, monitors, complete: false, .. } = &repair else { panic!("{repair:?}") };
    assert_eq!(*monitors, found.len() as u64);
    assert_eq!(std::fs::read(aside).unwrap(), damaged, "kept as it was");
    for lang in [crate::domain::lang::Lang::En, crate::domain::lang::Lang::Zh] {
        let strangers = repair.text(Audience::Stranger).in_lang(lang);
        let (folder, name) = (aside.parent().unwrap(), aside.file_name().unwrap());
        assert!(strangers.contains(&*name.to_string_lossy()), "{strangers}");
        assert!(!strangers.contains(&*folder.to_string_lossy()), "{strangers}");
        let sentence = repair.text(Audience::Own).in_lang(lang);
        assert!(sentence.contains(&*aside.to_string_lossy()) && sentence.contains(&monitors.to_string()));
    }
    drop(tables);
    assert_eq!(numbers(&open(&folder)).0, found, "the new file is sound");
}

#[test]
fn damage_met_when_writing_does_not_stop_the_writing() {
    let folder = TemporaryFolder::new("sqlite-write");
    filled(&folder);
    damage(&folder);
    let tables = open(&folder);
    put(&tables, &[record("m-500", 500, 6)]).unwrap();
    assert!(matches!(only_repair(&tables), Repair::SetAside { .. }));
    // Whoever puts only what has changed must learn that more is missing.
    let error = finish_snapshot(&tables, 9).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    finish_snapshot(&tables, 9).unwrap();
    assert!(numbers(&tables).0.contains(&500));
    assert_eq!(tables.incidents(&IncidentQuery { limit: 9, ..Default::default() }).unwrap().len(), 1);
}

#[test]
fn a_log_without_its_file_is_not_taken_for_that_of_a_new_one() {
    let folder = TemporaryFolder::new("sqlite-wal");
    std::fs::write(folder.path().join("state.db-wal"), b"somebody's only copy").unwrap();
    let tables = open(&folder);
    let Repair::SetAside { aside, .. } = only_repair(&tables) else { panic!("not set aside") };
    let aside = format!("{}-wal", aside.display());
    assert_eq!(std::fs::read(aside).unwrap(), b"somebody's only copy");
}

#[test]
fn a_repair_that_was_cut_short_is_ended() {
    let folder = TemporaryFolder::new("sqlite-cut");
    filled(&folder);
    let (path, fresh) = (folder.path().join(FILE), folder.path().join("state.db.new"));
    // The old file was moved away, the new one not yet into its place.
    std::fs::rename(&path, &fresh).unwrap();
    assert_eq!(numbers(&open(&folder)).0.len(), 1000);
    // The new file was still being built.
    std::fs::write(&fresh, b"half").unwrap();
    assert_eq!(numbers(&open(&folder)).0.len(), 1000);
    assert!(!fresh.exists());
}

#[test]
fn a_row_that_somebody_spoiled_is_passed_over_and_told_of() {
    let folder = TemporaryFolder::new("sqlite-row");
    filled(&folder);
    let theirs = Connection::open(folder.path().join(FILE)).unwrap();
    for (number, spoil) in [
        (10, "state = 'asleep'"),
        (11, "id = 'two words'"),
        (12, "address = 'nowhere'"),
        (13, "beats = 'many'"),
        (14, "details = '{'"),
        (15, "incident_beats = 1"),
        (16, "signal = 256"),
        (17, "transport = 'pigeon'"),
        (18, "sequence = 1.5"),
        (19, "id = x'ff'"),
        (20, "state = x'00'"),
    ] {
        theirs.execute(&format!("UPDATE monitors SET {spoil} WHERE number = {number}"), []).unwrap();
    }
    let tables = open(&folder);
    let (found, _) = numbers(&tables);
    assert_eq!(found.len(), 989);
    let repairs = tables.take_repairs();
    let told: Vec<i64> =
        repairs.iter().map(|r| if let Repair::Row { number, .. } = r { *number } else { -1 }).collect();
    assert_eq!(told, (10..=20).collect::<Vec<_>>(), "{repairs:?}");
    let sentence = repairs[0].text(Audience::Own).in_lang(crate::domain::lang::Lang::En);
    assert!(sentence.contains("state.db: monitors, number 10: state"), "{sentence}");
}

#[test]
fn a_full_disk_leaves_nothing_half_done_and_passes() {
    let folder = TemporaryFolder::new("sqlite-full");
    filled(&folder);
    let tables = open(&folder);
    let pages = |count: i64| {
        locked(&tables.writer).pragma_update(None, "max_page_count", count).unwrap();
    };
    pages(1); // It never goes below what there is.
    let ids: Vec<String> = (2001..5000).map(|number| format!("more-{number}")).collect();
    let records: Vec<_> = (2001..).zip(&ids).map(|(number, id)| record(id, number, 1)).collect();
    let error = put(&tables, &records).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(numbers(&tables).0.len(), 1000);
    pages(1_000_000);
    put(&tables, &records).unwrap();
    assert_eq!(numbers(&tables).0.len(), 3999);
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_cannot_be_written_is_named() {
    let error = SqliteTables::open(Path::new("/sys/kernel"), NOW).unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("/sys/kernel/state.db"), "{error}");
    assert_eq!(error.exit_code(), 77);
}

#[test]
fn who_reads_does_not_wait_for_who_writes() {
    let folder = TemporaryFolder::new("sqlite-readers");
    filled(&folder);
    let tables = open(&folder);
    let mut writer = locked(&tables.writer);
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("DELETE FROM monitors", []).unwrap();
    // One page is being shown, another is asked for.
    let page = tables.reader();
    assert_eq!(tables.incidents(&IncidentQuery { limit: 9, ..Default::default() }).unwrap().len(), 1);
    assert_eq!(numbers(&tables).0.len(), 1000);
    drop(page);
}

#[test]
fn the_file_explains_itself() {
    let folder = TemporaryFolder::new("sqlite-words");
    filled(&folder);
    let theirs = Connection::open(folder.path().join(FILE)).unwrap();
    let mut tables = theirs.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (name, sql) in tables.map(|row: Result<(String, String), _>| row.unwrap()) {
        for line in sql.lines().filter(|line| line.starts_with("    ") && !line.contains("PRIMARY KEY (")) {
            assert!(line.contains("--") || name == "meta" || name == "removed", "{name}: {line}");
        }
    }
    let down: (String, String, String) = theirs
        .query_row("SELECT id, state, since FROM monitors_utc WHERE state = 'down'", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(down, ("m-1".into(), "down".into(), "2026-02-08 03:30:26".into()));
    let incident = "SELECT id || ' ' || monitor || ' ' || cause || ' ' || started FROM incidents_utc";
    let incident: String = theirs.query_row(incident, [], |row| row.get(0)).unwrap();
    let instance = open(&folder).instance();
    assert_eq!(incident, format!("1-6-{} m-1 silence 2026-02-08 03:30:26", instance.name()));
    let changed: String =
        theirs.query_row("SELECT monitor || ' ' || to_state FROM changes_utc", [], |row| row.get(0)).unwrap();
    assert_eq!(changed, "m-1 down");
}
