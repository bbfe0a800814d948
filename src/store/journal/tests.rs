use super::append::Payload;
use super::disk::RealDisk;
use super::frame::{FRAME_HEADER_BYTES, FrameKind, SegmentHeader};
use super::sim::SimDisk;
use super::*;
use crate::domain::notice::State;
use crate::domain::record::Change;
use crate::store::codec::tests::beat;
use std::sync::atomic::{AtomicU64, Ordering};

mod crashes;
mod edges;

const START: Wall = Wall(1_770_000_000_000);

fn options() -> JournalOptions {
    JournalOptions { segment_bytes_max: 64 * 1024, seed: 1, ..JournalOptions::default() }
}

fn open(disk: &SimDisk) -> (FileJournal, Recovery) {
    let journal = FileJournal::open(Arc::new(disk.clone()), options(), START).unwrap();
    let found = journal.recovery().clone();
    (journal, found)
}

fn at(seconds: u64) -> Wall {
    Wall(START.0 + seconds as i64 * 1000)
}

fn batch(versions: impl IntoIterator<Item = u64>) -> Batch {
    let mut batch = Batch::new();
    for version in versions {
        let mut record = beat("web-01", 1, version, at(version));
        if version % 10 == 9 {
            record.change = Change::State { from: State::Down, muted: false };
        }
        batch.push(&record);
    }
    batch
}

fn append(journal: &FileJournal, versions: impl IntoIterator<Item = u64>) -> Position {
    journal.append(START, &mut batch(versions)).unwrap()
}

fn versions(journal: &FileJournal) -> Vec<u64> {
    let mut found = Vec::new();
    journal.read(None, RecordFilter::All, &mut |_, record| found.push(record.version)).unwrap();
    found
}

fn degraded(journal: &FileJournal) -> Option<String> {
    journal.trouble().map(|error| error.to_string())
}

/// Each version once, in order.
fn once(mut versions: Vec<u64>) -> Vec<u64> {
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// The segments on a disk, in order.
fn names(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.list().unwrap();
    names.sort();
    names
}

#[test]
fn what_is_appended_is_read_from_any_position() {
    let disk = SimDisk::new();
    let (journal, found) = open(&disk);
    assert_eq!((found.last_sign, found.cut, found.damages), (None, None, Vec::new()));
    for first in (0..3000).step_by(30) {
        let mut records = batch(first..first + 30);
        let end = journal.append(at(first), &mut records).unwrap();
        assert!(records.is_empty() && end == journal.end());
    }
    assert!(names(&disk).len() > 1, "segments are ended");
    let mut seen = Vec::new();
    let end = journal.read(None, RecordFilter::All, &mut |p, r| seen.push((p, r.version))).unwrap();
    assert_eq!(end, journal.end());
    assert_eq!(seen.iter().map(|s| s.1).collect::<Vec<_>>(), (0..3000).collect::<Vec<_>>());
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0) && seen.last().unwrap().0 == end);
    // Also from between two records of one frame, which is where a reader may have stopped.
    for (position, version) in seen.iter().step_by(7) {
        let mut next = None;
        journal
            .read(Some(*position), RecordFilter::All, &mut |_, r| next = next.or(Some(r.version)))
            .unwrap();
        assert_eq!(next, (*version < 2999).then_some(version + 1));
    }
    let mut changes = Vec::new();
    journal.read(Some(seen[995].0), RecordFilter::Changes, &mut |_, r| changes.push(r.version)).unwrap();
    assert_eq!(changes, (999..3000).step_by(10).collect::<Vec<_>>());
}

#[test]
fn reading_changes_leaves_the_rest_unread() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    for _ in 0..20 {
        append(&journal, (0..900).filter(|v| v % 10 != 9));
    }
    disk.fail_reads(0);
    let before = disk.bytes_read();
    journal.read(None, RecordFilter::Changes, &mut |_, _| panic!("there are no changes")).unwrap();
    let read = disk.bytes_read() - before;
    assert!(read < journal.bytes() / 2, "{read} of {}", journal.bytes());
}

#[test]
fn a_restart_finds_everything_and_goes_on_in_a_new_segment() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..10);
    journal.tick(at(60)).unwrap();
    let end = journal.end();
    let (journal, found) = open(&disk);
    assert_eq!((found.last_sign, found.cut, found.damages), (Some(at(60)), None, Vec::new()));
    assert!(found.end > end && found.end == journal.end());
    append(&journal, 10..20);
    assert_eq!(versions(&journal), (0..20).collect::<Vec<_>>());
    let mut fresh = Vec::new();
    journal.read(Some(end), RecordFilter::All, &mut |_, r| fresh.push(r.version)).unwrap();
    assert_eq!(fresh, (10..20).collect::<Vec<_>>());
    // Starts alone leave nothing behind.
    let before = names(&disk).len();
    (0..5).for_each(|_| drop(open(&disk)));
    assert!(names(&disk).len() <= before + 1);
}

#[test]
fn a_frame_of_a_later_version_is_passed_over_only_where_its_kind_allows_that() {
    for (kind, may_be_passed_over) in [(0x84, true), (0x04, false)] {
        let disk = SimDisk::new();
        let (journal, _) = open(&disk);
        append(&journal, 0..3);
        let bytes = b"news";
        let crc = crc32fast::hash(bytes);
        let later = Payload { bytes, kind: FrameKind::Unknown(kind), records: 1, crc };
        journal.append_frames(START, &[later]).unwrap();
        append(&journal, 3..5);
        drop(journal);
        // It is no damage, neither at this start nor at the next, which finds it in another segment.
        for _ in 0..2 {
            let (journal, found) = open(&disk);
            assert_eq!((found.damages, found.cut), (vec![], None));
            let mut read = Vec::new();
            let outcome = journal.read(None, RecordFilter::All, &mut |_, record| read.push(record.version));
            match outcome {
                Ok(_) => assert_eq!(read, [0, 1, 2, 3, 4]),
                Err(StoreError::TooNew { found, .. }) => assert_eq!(found, 4),
                Err(error) => panic!("{error}"),
            }
            assert_eq!(read.len() == 5, may_be_passed_over);
        }
    }
}

#[test]
fn numbers_of_segments_are_above_those_known_elsewhere() {
    let disk = SimDisk::new();
    let options = JournalOptions { noted: Some(Position { segment: 39, offset: 0 }), ..options() };
    let journal = FileJournal::open(Arc::new(disk.clone()), options, START).unwrap();
    let found = journal.recovery();
    assert_eq!(found.end.segment, 40);
    assert_eq!(append(&journal, 0..1).segment, 40);
}

#[test]
fn a_frame_torn_at_any_byte_is_cut_and_all_before_it_kept() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    let whole = journal.end().offset as usize;
    append(&journal, 5..8);
    let name = names(&disk)[0].clone();
    let content = disk.content(&name).unwrap();
    for cut in whole..content.len() {
        let disk = SimDisk::new();
        disk.put(&name, &content[..cut]);
        let (journal, found) = open(&disk);
        let want = Cut { file: disk.path(&name), offset: whole as u64, bytes: (cut - whole) as u64 };
        assert_eq!(found.cut, (cut > whole).then_some(want), "cut at {cut}");
        assert!(found.damages.is_empty() && disk.aside().is_empty());
        append(&journal, 5..9);
        let (journal, found) = open(&disk);
        assert_eq!((found.cut, found.damages), (None, Vec::new()), "cut at {cut}");
        assert_eq!(versions(&journal), (0..9).collect::<Vec<_>>());
    }
}

#[test]
fn a_flipped_bit_in_what_was_synced_is_reported_with_its_place_and_the_rest_is_read() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    let from = journal.end().offset;
    append(&journal, 5..10);
    let to = journal.end().offset;
    append(&journal, 10..15);
    journal.close(at(1)).unwrap();
    let name = names(&disk)[0].clone();
    let content = disk.content(&name).unwrap();
    for byte in (from..to).step_by(5) {
        let mut broken = content.clone();
        broken[byte as usize] ^= 0x10;
        let disk = SimDisk::new();
        disk.put(&name, &broken);
        let (journal, found) = open(&disk);
        let [damage] = found.damages.as_slice() else { panic!("byte {byte}: {found:?}") };
        assert_eq!((&damage.file, damage.offset, damage.bytes), (&disk.path(&name), from, to - from));
        assert!(damage.news && damage.kept.is_some() && found.cut.is_none(), "{damage:?}");
        assert_eq!(disk.aside()[&name], broken, "it is kept as it was");
        assert_eq!(versions(&journal), (0..5).chain(10..15).collect::<Vec<_>>());
        // The next start finds it again, and that it is no news; trimming removes it, the copy stays.
        append(&journal, 15..16);
        let (journal, found) = open(&disk);
        assert!(found.damages.len() == 1 && !found.damages[0].news, "{found:?}");
        assert_eq!(disk.aside().len(), 1);
        journal.trim(journal.end()).unwrap();
        assert!(!names(&disk).contains(&name) && disk.aside().len() == 1);
    }
}

#[test]
fn damage_in_an_older_segment_is_reported_whatever_its_marks_say() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    let from = journal.end().offset;
    append(&journal, 5..10);
    let to = journal.end().offset;
    journal.close(at(1)).unwrap();
    for first in [10, 15] {
        let (journal, found) = open(&disk);
        assert_eq!(found.damages, []);
        append(&journal, first..first + 5);
        journal.close(at(1)).unwrap();
    }
    let [first, second, _] = names(&disk).try_into().unwrap();
    let content = disk.content(&first).unwrap();
    let mut broken = content.clone();
    broken[to as usize - 1] ^= 1;
    disk.put(&first, &broken);
    let (journal, found) = open(&disk);
    assert_eq!((found.damages[0].offset, found.damages[0].bytes), (from, to - from));
    assert_eq!(versions(&journal), (0..5).chain(10..20).collect::<Vec<_>>());
    // A file that is gone, or ends with a whole frame too early, shows in the sequences.
    disk.remove(&second).unwrap();
    disk.put(&first, &content[..from as usize]);
    let (journal, found) = open(&disk);
    let [damage] = found.damages.as_slice() else { panic!("{found:?}") };
    assert!(damage.reason.contains("missing") && damage.offset == from, "{damage:?}");
    assert_eq!(versions(&journal), (0..5).chain(15..20).collect::<Vec<_>>());
}

#[test]
fn a_segment_of_a_later_version_is_refused_and_left_alone() {
    let disk = SimDisk::new();
    let header = SegmentHeader { number: 1, nonce: 1, first_sequence: 1, made_at: START, booted_at: None };
    let mut bytes = header.encode();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.put("0000000000000001.log", &bytes);
    let outcome = FileJournal::open(Arc::new(disk.clone()), options(), START);
    assert!(matches!(outcome, Err(StoreError::TooNew { found: 2, .. })));
    assert_eq!(disk.content("0000000000000001.log"), Some(bytes));
}

#[test]
fn a_page_that_cannot_be_read_costs_that_page_only() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    (0..300).for_each(|v| assert!(append(&journal, v..v + 1) == journal.end()));
    journal.close(at(1)).unwrap();
    // The first read fails, then the page: all in it is zeros, which the second copy of the header stands beside.
    disk.fail_reads(1);
    let (journal, found) = open(&disk);
    assert_eq!((found.damages, versions(&journal).len()), (Vec::new(), 300));
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_works_again_when_there_is_room() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    for room in [0, 1, 47, 48, 100] {
        disk.set_room(Some(room));
        let mut refused = batch(100..200);
        let outcome = journal.append(START, &mut refused);
        assert!(matches!(outcome, Err(StoreError::Full { .. })), "{outcome:?}");
        assert_eq!(refused.len(), 100);
        assert!(degraded(&journal).is_some_and(|reason| reason.contains("no space left")));
        assert_eq!(versions(&journal), (0..5).collect::<Vec<_>>());
    }
    disk.set_room(None);
    journal.tick(at(1)).unwrap();
    assert_eq!(degraded(&journal), None);
    append(&journal, 5..10);
    let (journal, found) = open(&disk);
    assert_eq!((found.cut, found.damages), (None, Vec::new()));
    assert_eq!(versions(&journal), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_is_full_at_the_start_or_at_the_end_of_a_segment_is_no_end() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    drop(journal);
    disk.set_room(Some(100));
    let (journal, _) = open(&disk);
    assert!(degraded(&journal).is_some());
    assert!(matches!(journal.append(START, &mut batch(5..6)), Err(StoreError::Full { .. })));
    assert_eq!(versions(&journal), (0..5).collect::<Vec<_>>());
    assert!(journal.tick(at(1)).is_err());
    disk.set_room(None);
    journal.tick(at(2)).unwrap();
    assert_eq!(degraded(&journal), None);
    // Here there is room for frames, but not for a segment.
    disk.set_room(Some(70_000));
    let mut next = 5;
    while journal.append(START, &mut batch(next..next + 1)).is_ok() {
        next += 1;
    }
    assert!(next > 100 && degraded(&journal).is_some(), "{next}");
    disk.set_room(None);
    journal.tick(at(3)).unwrap();
    assert_eq!(degraded(&journal), None);
    append(&journal, next..next + 1);
    assert_eq!(versions(&open(&disk).0), (0..=next).collect::<Vec<_>>());
}

#[test]
fn appends_of_several_threads_are_whole_and_those_who_wait_share_syncs() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (journal, done) = (&journal, &done);
            scope.spawn(move || {
                for turn in 0..100 {
                    let first = thread * 1_000_000 + turn * 10;
                    let position = append(journal, first..first + 10);
                    journal.sync(position).unwrap();
                    assert!(journal.synced() >= position);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Somebody follows meanwhile and sees whole frames only.
        let (mut at, mut seen) = (None, 0u64);
        while seen < 4000 {
            at = Some(journal.read(at, RecordFilter::All, &mut |_, _| seen += 1).unwrap());
        }
    });
    assert_eq!(done.load(Ordering::Relaxed), 400);
    let there = versions(&journal);
    assert!((0..4u64).all(|t| there.iter().filter(|v| **v / 1_000_000 == t).is_sorted()));
    assert_eq!(once(there).len(), 4000);
}

#[test]
fn an_idle_second_writes_a_mark_and_syncs_nothing() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    assert_eq!(journal.unsynced_s(at(3)), 3.0);
    journal.tick(at(3)).unwrap();
    assert_eq!((journal.unsynced_s(at(9)), journal.synced() < journal.end()), (0.0, true));
    let (syncs, writes) = (disk.syncs(), disk.writes());
    (4..14).for_each(|second| journal.tick(at(second)).unwrap());
    assert_eq!((disk.syncs() - syncs, disk.writes() - writes), (0, 10));
    assert_eq!(open(&disk).1.last_sign, Some(at(13)));
}

#[test]
fn one_batch_is_one_write_however_many_frames_it_is() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let writes = disk.writes();
    append(&journal, 0..50_000);
    assert_eq!(disk.writes() - writes, 1);
    assert_eq!(versions(&journal).len(), 50_000);
}

#[test]
fn unsynced_frames_in_memory_have_a_bound() {
    let disk = SimDisk::new();
    let options = JournalOptions { segment_bytes_max: 1 << 30, ..options() };
    let journal = FileJournal::open(Arc::new(disk.clone()), options, START).unwrap();
    let syncs = disk.syncs();
    let mut bytes = 0;
    while bytes < 3 * UNSYNCED_BYTES_MAX {
        let records = batch(0..20_000);
        bytes += records.bytes_len() + FRAME_HEADER_BYTES;
        append(&journal, 0..20_000);
    }
    assert!(disk.syncs() - syncs >= 2);
}

#[test]
fn trimming_removes_whole_segments_before_a_position_and_never_the_last() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let mut middle = Position::default();
    for version in 0..5000 {
        let position = append(&journal, version..version + 1);
        if version == 2500 {
            middle = position;
        }
    }
    let (files, bytes) = (names(&disk).len(), journal.bytes());
    journal.trim(middle).unwrap();
    assert!(names(&disk).len() < files && journal.bytes() < bytes);
    let left = versions(&journal);
    assert!(left[0] > 0 && left[0] <= 2501 && *left.last().unwrap() == 4999);
    assert!(left.is_sorted());
    journal.trim(Position { segment: u64::MAX, offset: 0 }).unwrap();
    assert_eq!(names(&disk).len(), 1);
    append(&journal, 5000..5001);
    assert_eq!(versions(&open(&disk).0).last(), Some(&5000));
}

#[test]
fn a_journal_longer_than_allowed_begins_no_segment() {
    let disk = SimDisk::new();
    let options = JournalOptions { bytes_max: 200_000, ..options() };
    let journal = FileJournal::open(Arc::new(disk.clone()), options, START).unwrap();
    let mut next = 0;
    while journal.append(START, &mut batch(next..next + 100)).is_ok() {
        next += 100;
        assert!(journal.bytes() < 400_000);
    }
    assert!(matches!(journal.trouble(), Some(StoreError::Full { .. })));
    journal.trim(journal.end()).unwrap();
    journal.tick(at(1)).unwrap();
    append(&journal, next..next + 1);
    assert_eq!(degraded(&journal), None);
}

#[test]
fn a_real_directory_serves_as_well() {
    let folder = std::env::temp_dir().join(format!("heartbeat-journal-test-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.join("journal");
    let disk = || Arc::new(RealDisk::open(&folder).unwrap());
    let journal = FileJournal::open(disk(), options(), START).unwrap();
    append(&journal, 0..2000);
    append(&journal, 2000..4000);
    journal.close(at(1)).unwrap();
    drop(journal);
    // A bit flips.
    let first = disk().path("0000000000000001.log");
    let mut content = std::fs::read(&first).unwrap();
    content[5000] ^= 1;
    std::fs::write(&first, &content).unwrap();
    let journal = FileJournal::open(disk(), options(), at(2)).unwrap();
    let found = journal.recovery();
    assert_eq!(found.damages.len(), 1);
    let kept = found.damages[0].kept.clone().unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), content);
    assert_eq!(versions(&journal), (2000..4000).collect::<Vec<_>>());
    let written = disk().path(&file_name(append(&journal, 4000..4001).segment));
    std::fs::remove_file(&written).unwrap();
    journal.tick(at(2)).unwrap();
    assert_eq!(journal.take_news().1.unwrap().file, written);
    journal.trim(journal.end()).unwrap();
    assert!(kept.exists() && !first.exists());
    let journal = FileJournal::open(disk(), options(), at(3)).unwrap();
    let found = journal.recovery();
    assert_eq!((&found.damages[..], versions(&journal)), (&[][..], vec![4000]));
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}
