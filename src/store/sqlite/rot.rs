//! Sweeps: bits of a small `state.db` flipped, the file and its write-ahead log cut. Never a panic, never a start that
//! fails, and what is lost is named, as far as SQLite can know: it has no checksums in the file.
//!
//! The file has some 100 KiB, most of it empty pages. So only some places are tried, [`STRIDE`] bits apart, unless
//! `HEARTBEAT_FAULTS` is set to another number, or to `all`, as `make sorted` does: then it is every bit of every byte that is not 0, one of
//! each that is, and every length.

use super::*;
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::domain::sentence::Audience;
use crate::store::conformance::{NOW, TemporaryFolder, change, outgoing, record};
use crate::store::{IncidentQuery, OutboxQuery, Query};

/// A prime, so that all pages and all bits of a byte are met.
const STRIDE: usize = 8009;
const MONITORS: u64 = 60;

/// How far apart places are tried: as said, or as `HEARTBEAT_FAULTS` says, `all` or a number.
fn every(stride: usize) -> usize {
    let asked = std::env::var("HEARTBEAT_FAULTS").unwrap_or_default();
    if asked == "all" { 1 } else { asked.parse().map_or(stride, |asked: usize| asked.clamp(1, stride)) }
}

fn names() -> Vec<String> {
    (1..=MONITORS).map(|number| format!("monitor-{number}")).collect()
}

fn put_records(tables: &SqliteTables, records: &[Record<'_>], mark: Mark) -> Result<Applied, StoreError> {
    let entries: Vec<Entry<'_>> = records.iter().map(Entry::Record).collect();
    tables.apply(&entries, mark)
}

/// Fills a file; with its log if it is not closed properly.
fn filled(folder: &TemporaryFolder) -> SqliteTables {
    let tables = SqliteTables::open(folder.path(), NOW).unwrap();
    let names = names();
    let records: Vec<_> = (1..).zip(&names).map(|(number, id)| record(id, number, 5)).collect();
    put_records(&tables, &records, Mark::None).unwrap();
    let place = Position { segment: 1, offset: 7 };
    tables.apply(&[], Mark::Snapshot(place)).unwrap();
    tables.apply(&[Entry::Message(&outgoing("k", 1))], Mark::None).unwrap();
    let changes: Vec<_> =
        (1..).zip(&names).take(9).map(|(n, id)| change(id, n, 6, State::Up, State::Down)).collect();
    put_records(&tables, &changes, Mark::Changes(place)).unwrap();
    tables
}

/// How many monitors are found, and what was told.
fn found(tables: &SqliteTables) -> (u64, Vec<Repair>) {
    let mut found = 0;
    tables.snapshot(&mut |_| found += 1).unwrap();
    (found, tables.take_repairs())
}

/// Starts with a file, uses all of it, and puts in what the next beats bring. Returns what it found, and what it told.
fn started(folder: &TemporaryFolder, what: &str) -> (u64, Vec<Repair>) {
    let tables = SqliteTables::open(folder.path(), NOW).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (count, mut told) = found(&tables);
    let names = names();
    let ups: Vec<_> =
        (1..).zip(&names).take(9).map(|(n, id)| change(id, n, 7, State::Down, State::Up)).collect();
    let place = Position { segment: 2, offset: 7 };
    put_records(&tables, &ups, Mark::Changes(place)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let records: Vec<_> = (1..).zip(&names).map(|(number, id)| record(id, number, 9)).collect();
    put_records(&tables, &records, Mark::None).unwrap_or_else(|error| panic!("{what}: {error}"));
    // Whoever puts only what has changed is told once that more is missing.
    if tables.apply(&[], Mark::Snapshot(place)).is_err() {
        tables.apply(&[], Mark::Snapshot(place)).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    tables.incidents(&IncidentQuery { limit: 99, ..Default::default() }).unwrap();
    tables.outbox_list(&OutboxQuery { limit: 9, ..Default::default() }).unwrap();
    tables.outbox_pending().unwrap();
    tables.alert_states().unwrap();
    let asked: Vec<_> = names.iter().map(|id| (id.as_str(), State::Up)).collect();
    assert_eq!(tables.past(&asked, NOW).unwrap().len(), names.len());
    while tables.forget(Wall(NOW.0 + 1)).unwrap() {}
    told.extend(tables.take_repairs());
    let (again, rows) = found(&tables);
    // A row that makes no sense is passed over until somebody corrects it.
    assert!(again + 1 >= MONITORS, "{what}: {again} monitors after their beats; {told:?} {rows:?}");
    (count, told)
}

fn put(folder: &TemporaryFolder, files: &[(&str, &[u8])]) {
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
}

#[test]
fn a_bit_that_flips_in_the_tables_never_ends_the_start_and_what_it_costs_is_named() {
    let folder = TemporaryFolder::new("sqlite-rot-flip");
    drop(filled(&folder));
    let whole = std::fs::read(folder.path().join(FILE)).unwrap();
    let (mut tried, mut lost, mut unsaid) = (0, 0, Vec::new());
    for bit in (0..whole.len() * 8).step_by(every(STRIDE)) {
        let byte = bit / 8;
        // Of what is empty one bit is enough.
        if whole[byte] == 0 && bit % 8 != byte % 8 && every(2) == 1 {
            continue;
        }
        let mut broken = whole.clone();
        broken[byte] ^= 1 << (bit % 8);
        put(&folder, &[(FILE, &broken)]);
        let what = format!("byte {byte}, bit {}", bit % 8);
        let (count, told) = started(&folder, &what);
        tried += 1;
        lost += u32::from(count < MONITORS);
        if count < MONITORS && told.is_empty() {
            unsaid.push((byte, bit % 8, count));
        }
        let named = |repair: &Repair| repair.text(Audience::Stranger).in_lang(Lang::En).contains("state.db");
        assert!(told.iter().all(named), "{what}: {told:?}");
    }
    assert!(lost > 0, "{tried} bits and nothing was lost");
    assert!(unsaid.len() * 500 <= tried + 499, "of {tried}: {unsaid:?}");
}

#[test]
fn cut_at_any_byte_the_tables_come_up_and_what_is_missing_is_named() {
    let folder = TemporaryFolder::new("sqlite-rot-cut");
    drop(filled(&folder));
    let whole = std::fs::read(folder.path().join(FILE)).unwrap();
    let pages = (0..whole.len()).step_by(every(3 * 4096));
    for length in (0..whole.len()).step_by(every(STRIDE)).chain(pages) {
        put(&folder, &[(FILE, &whole[..length])]);
        let what = format!("cut at {length} of {}", whole.len());
        let (count, told) = started(&folder, &what);
        assert!(!told.is_empty(), "{what}: {count} monitors and nothing said");
        let kept = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside = kept.into_iter().find(|path| path.to_string_lossy().contains(".damaged-"));
        assert_eq!(aside.is_some(), length > 0, "{what}: {told:?}");
    }
}

#[test]
fn a_write_ahead_log_that_rots_or_is_cut_never_ends_the_start_and_rot_is_named() {
    let folder = TemporaryFolder::new("sqlite-rot-wal");
    let tables = filled(&folder);
    // As the process leaves them that is killed.
    let [main, log] = [FILE, "state.db-wal"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    drop(tables);
    assert!(!log.is_empty());
    let spoil = |log: &[u8], what: &str| {
        put(&folder, &[(FILE, &main), ("state.db-wal", log)]);
        started(&folder, what).1
    };
    let (mut tried, mut unsaid) = (0, 0);
    for bit in (0..log.len() * 8).step_by(every(5 * STRIDE)) {
        let byte = bit / 8;
        if log[byte] == 0 && bit % 8 != byte % 8 && every(2) == 1 {
            continue;
        }
        let mut broken = log.clone();
        broken[byte] ^= 1 << (bit % 8);
        let told = spoil(&broken, &format!("log, byte {byte}"));
        let is_named =
            |repair: &Repair| repair.text(Audience::Own).in_lang(Lang::En).contains("rotten at byte");
        tried += 1;
        unsaid += u32::from(!told.iter().any(is_named));
    }
    // Those of the last transaction, which cannot be told from one that was cut short.
    assert!(unsaid * 3 < tried, "{unsaid} of {tried}");
    for length in (0..log.len()).step_by(every(5 * STRIDE)) {
        let told = spoil(&log[..length], &format!("log, cut at {length}"));
        assert_eq!(told, [], "cut at {length}");
    }
}

#[test]
fn a_version_that_rots_is_no_later_version() {
    let folder = TemporaryFolder::new("sqlite-rot-version");
    drop(filled(&folder));
    let whole = std::fs::read(folder.path().join(FILE)).unwrap();
    // `PRAGMA user_version` stands at byte 60, `application_id` at 68, and at 18 a 2: with more SQLite only reads.
    let write_version = (18 * 8..19 * 8).filter(|bit| bit % 8 != 1);
    for bit in write_version.chain(60 * 8..64 * 8).chain(68 * 8..72 * 8) {
        let mut broken = whole.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        put(&folder, &[(FILE, &broken)]);
        let (count, told) = started(&folder, &format!("bit {bit}"));
        assert_eq!((count, told.len()), (MONITORS, 1), "bit {bit}: {told:?}");
    }
}
