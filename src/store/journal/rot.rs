//! Sweeps: every bit of a small journal flipped, files cut at every byte, every call of the disk failing once. Never a
//! panic, never more lost than what was hit, and that is named.
//!
//! Of the many bits only some are flipped, every fifth in frames, unless `HEARTBEAT_FAULTS` is set to `all`, as
//! `make faults` does.

use super::disk::DiskFile;
use super::frame::FrameKind;
use super::sim::SimDisk;
use super::*;
use crate::store::codec::tests::beat;
use crate::store::{Batch, RecordFilter};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

mod failing;

const START: Wall = Wall(1_770_000_000_000);

/// How far apart places are tried: as said, or as `HEARTBEAT_FAULTS` says, `all` or a number.
fn every(stride: usize) -> usize {
    let asked = std::env::var("HEARTBEAT_FAULTS").unwrap_or_default();
    if asked == "all" { 1 } else { asked.parse().map_or(stride, |asked: usize| asked.clamp(1, stride)) }
}

fn open(disk: &SimDisk) -> (FileJournal, Recovery) {
    open_on(Arc::new(disk.clone())).unwrap()
}

fn open_on(disk: Arc<dyn Disk>) -> Result<(FileJournal, Recovery), StoreError> {
    let options = JournalOptions { segment_bytes_max: 6000, seed: 1, ..JournalOptions::default() };
    let journal = FileJournal::open(disk, options, START)?;
    let found = journal.recovery().clone();
    Ok((journal, found))
}

fn batch(version: u64) -> Batch {
    let mut batch = Batch::new();
    batch.push(&beat("web-01", 1, version, START));
    batch
}

fn append(journal: &FileJournal, version: u64) -> Position {
    journal.append(START, &mut batch(version)).unwrap()
}

fn versions(journal: &FileJournal) -> Vec<u64> {
    let mut found = Vec::new();
    journal.read(None, RecordFilter::All, &mut |_, record| found.push(record.version)).unwrap();
    found
}

/// The segments on a disk, in order.
fn names(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.list().unwrap();
    names.sort();
    names
}

/// A frame of a small journal, and which version it holds; `None` for a mark.
#[derive(Clone, Debug)]
struct FramePosition {
    name: String,
    bytes: Range<u64>,
    version: Option<u64>,
    /// The next segment begins with it once more.
    again: bool,
}

/// Three segments of three versions each, a mark in the middle and one at the end, closed; and where its frames are.
fn small() -> (SimDisk, Vec<FramePosition>) {
    let disk = SimDisk::new();
    let mut places = Vec::new();
    for round in 0..3 {
        let (journal, _) = open(&disk);
        let name = file_name(journal.end().segment);
        let mut from = SEGMENT_HEADER_BYTES;
        let mut note = |to: u64, version, again| {
            places.push(FramePosition { name: name.clone(), bytes: from..to, version, again });
            from = to;
        };
        if round > 0 {
            note(journal.end().offset, None, false);
        }
        for version in round * 3..round * 3 + 3 {
            note(append(&journal, version).offset, Some(version), false);
            if version % 3 == 1 {
                journal.tick(START).unwrap();
                note(journal.end().offset, None, false);
            }
        }
        journal.close(START).unwrap();
        note(journal.end().offset, None, round < 2);
    }
    (disk, places)
}

/// The same files again.
fn copy(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::new();
    names(disk).iter().for_each(|name| copy.put(name, &disk.content(name).unwrap()));
    copy
}

/// Everything goes on, and what is kept now is there after the next start.
fn goes_on(disk: &SimDisk, journal: FileJournal, mut want: Vec<u64>, what: &str) {
    append(&journal, 100);
    want.push(100);
    assert_eq!(versions(&journal), want, "{what}");
    drop(journal);
    let (journal, found) = open(disk);
    assert_eq!(versions(&journal), want, "{what}, and a start later");
    assert!(found.damages.iter().all(|damage| !damage.news), "{what} is told once: {found:?}");
}

#[test]
fn every_bit_that_flips_costs_its_frame_and_is_named_at_the_next_start() {
    let (whole, places) = small();
    for name in names(&whole) {
        let length = whole.content(&name).unwrap().len();
        let header = SEGMENT_HEADER_BYTES as usize * 8;
        for bit in (0..header).step_by(every(211)).chain((header..length * 8).step_by(every(5))) {
            let (byte, what) = ((bit / 8) as u64, format!("{name}: bit {bit}"));
            let disk = copy(&whole);
            disk.rot(&name, byte, 1 << (bit % 8));
            let (journal, found) = open(&disk);
            let hit = places.iter().find(|place| place.name == name && place.bytes.contains(&byte));
            let want: Vec<u64> = (0..9).filter(|v| hit.is_none_or(|hit| hit.version != Some(*v))).collect();
            assert_eq!(versions(&journal), want, "{what}");
            let named = found.damages.iter().map(|d| (d.file.clone(), d.offset, d.bytes));
            let cut = found.cut.iter().map(|c| (c.file.clone(), c.offset, c.bytes));
            let named: Vec<_> = named.chain(cut).collect();
            let hit = hit
                .filter(|hit| !hit.again)
                .map(|hit| (disk.path(&name), hit.bytes.start, hit.bytes.end - hit.bytes.start));
            assert_eq!(named, Vec::from_iter(hit), "{what}");
            goes_on(&disk, journal, want, &what);
        }
    }
}

fn booted(at: Wall) -> JournalOptions {
    JournalOptions { segment_bytes_max: 6000, seed: 1, booted_at: Some(at), ..Default::default() }
}

/// Six frames that nobody synced, and where they end.
fn unsynced() -> (SimDisk, u64, Vec<u64>) {
    let disk = SimDisk::new();
    let journal = FileJournal::open(Arc::new(disk.clone()), booted(START), START).unwrap();
    let from = journal.end().offset;
    let ends = (0..6).map(|version| append(&journal, version).offset).collect();
    (disk, from, ends)
}

#[test]
fn every_bit_that_flips_in_what_a_killed_process_left_costs_its_frame_alone_and_is_named() {
    let (_, from, ends) = unsynced();
    for bit in (0..(ends[5] - from) * 8).step_by(every(5)) {
        let (at, what) = (from + bit / 8, format!("bit {bit}"));
        let (disk, ..) = unsynced();
        let name = names(&disk)[0].clone();
        disk.rot(&name, at, 1 << (bit % 8));
        let hit = ends.iter().position(|end| at < *end).unwrap();
        let want: Vec<u64> = (0..6).filter(|version| *version != hit as u64).collect();
        let journal = FileJournal::open(Arc::new(disk.clone()), booted(START), START).unwrap();
        let found = journal.recovery();
        assert_eq!(versions(&journal), want, "{what}");
        let damages = found.damages.iter().map(|d| (d.offset, d.bytes));
        let named: Vec<_> = damages.chain(found.cut.iter().map(|c| (c.offset, c.bytes))).collect();
        let begin = hit.checked_sub(1).map_or(from, |before| ends[before]);
        assert_eq!(named, [(begin, ends[hit] - begin)], "{what}");
        // Also when the power goes right after this start.
        disk.crash(bit);
        goes_on(&disk, open(&disk).0, want, &what);
    }
}

#[test]
fn after_a_power_cut_a_hole_is_a_torn_tail_though_the_clock_was_set_back() {
    let (disk, from, ends) = unsynced();
    disk.rot(&names(&disk)[0].clone(), ends[2] + 1, 1);
    // By the clock as it is now the machine was started before the segment was begun.
    let booted = booted(Wall(START.0 - 60_000));
    let journal = FileJournal::open(Arc::new(disk), booted, Wall(START.0 - 59_000)).unwrap();
    assert_eq!(versions(&journal), [0, 1, 2]);
    let found = journal.recovery();
    assert_eq!(found.damages, []);
    assert_eq!(found.cut.as_ref().map(|cut| cut.offset), Some(ends[2]), "from {from}");
}

#[test]
fn cut_at_every_byte_a_file_loses_only_what_is_behind_and_that_is_named() {
    let (whole, places) = small();
    for (number, name) in names(&whole).iter().enumerate() {
        let content = whole.content(name).unwrap();
        let header = SEGMENT_HEADER_BYTES as usize;
        for length in (0..header).step_by(every(31)).chain(header..content.len()) {
            let what = format!("{name}: cut at {length}");
            let disk = copy(&whole);
            disk.put(name, &content[..length]);
            let (journal, found) = open(&disk);
            let there = |place: &&FramePosition| place.name != *name || place.bytes.end <= length as u64;
            let want: Vec<u64> = places.iter().filter(there).filter_map(|place| place.version).collect();
            assert_eq!(versions(&journal), want, "{what}");
            // A last file that ends with a whole frame looks like one that was never longer, an empty first one like one
            // that was let go.
            let ends_whole =
                length >= 64 && length <= header || places.iter().any(|p| p.bytes.end == length as u64);
            let looks_whole = if number == 2 { ends_whole } else { number == 0 && length == 0 };
            let lost = want.len() < 9 || number == 2;
            let files = found.damages.iter().map(|d| &d.file).chain(found.cut.iter().map(|c| &c.file));
            let named = files.collect::<BTreeSet<_>>();
            // What is missing of the second shows where the first ends.
            let beside = disk.path(&names(&whole)[0]);
            let right = named.contains(&disk.path(name)) || (number == 1 && named.contains(&beside));
            assert!(right || looks_whole || !lost, "{what}: {found:?}");
            goes_on(&disk, journal, want, &what);
        }
    }
}

#[test]
fn every_bit_that_flips_while_it_runs_costs_its_frame_and_is_told_once() {
    let stride = every(3);
    let mut bit = 0;
    loop {
        let disk = SimDisk::new();
        let (journal, _) = open(&disk);
        let from = journal.end().offset;
        let ends: Vec<u64> = (0..3).map(|version| append(&journal, version).offset).collect();
        let at = from + bit / 8;
        let Some(hit) = ends.iter().position(|end| at < *end) else { break };
        disk.rot(&names(&disk)[0], at, 1 << (bit % 8));
        let want: Vec<u64> = (0..3).filter(|version| *version != hit as u64).collect();
        let mut seen = Vec::new();
        let end = journal.read(None, RecordFilter::All, &mut |_, r| seen.push(r.version)).unwrap();
        assert_eq!(seen, want, "bit {bit}");
        let begin = hit.checked_sub(1).map_or(from, |before| ends[before]);
        let (damages, _) = journal.take_news();
        let [damage] = damages.as_slice() else { panic!("bit {bit}: {damages:?}") };
        let place = (damage.file.clone(), damage.offset, damage.bytes);
        assert_eq!(place, (disk.path(&names(&disk)[0]), begin, ends[hit] - begin), "bit {bit}");
        assert!(damage.news && damage.kept.is_some(), "bit {bit}: {damage:?}");
        // Whoever follows goes on behind it, and nobody is told again.
        append(&journal, 3);
        let mut seen = Vec::new();
        journal.read(Some(end), RecordFilter::All, &mut |_, r| seen.push(r.version)).unwrap();
        assert_eq!((seen, versions(&journal).len()), (vec![3], 3), "bit {bit}");
        assert_eq!(journal.take_news().0, [], "bit {bit}");
        bit += stride as u64;
    }
    assert!(bit > 1000);
}

#[test]
fn a_record_that_cannot_be_decoded_is_passed_over_and_told_once() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0);
    let mut two = batch(1);
    two.push(&beat("web-01", 1, 2, START));
    let mut payload = two.parts().next().unwrap().payload.to_vec();
    let second = 8 + (payload.len() - 8) / 2;
    // Of the second record the transport is one that nobody knows.
    payload[second + 3] = 0xff;
    let crc = crc32fast::hash(&payload);
    let kind = FrameKind::Records { changes: true };
    let frame = append::Payload { bytes: &payload, kind, records: 2, crc };
    let end = journal.append_frames(START, &[frame]).unwrap();
    append(&journal, 3);
    for _ in 0..2 {
        assert_eq!(versions(&journal), [0, 1, 3]);
    }
    let (damages, _) = journal.take_news();
    let [damage] = damages.as_slice() else { panic!("{damages:?}") };
    let begin = end.offset - (payload.len() - second) as u64;
    assert_eq!((damage.offset, damage.bytes), (begin, end.offset - begin), "{damage:?}");
    assert!(damage.reason.contains("transport"), "{damage:?}");
    // A start reads it likewise.
    journal.close(START).unwrap();
    let (journal, found) = open(&disk);
    assert_eq!((found.damages, versions(&journal)), (vec![], vec![0, 1, 3]));
    assert_eq!(journal.take_news().0.len(), 1);
}

#[test]
fn what_cannot_be_read_for_a_while_is_read_later_and_what_never_can_is_passed_over() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    for version in 0..3 {
        append(&journal, version);
    }
    let tries =
        |most: u32| (0..most).take_while(|_| journal.read(None, RecordFilter::All, &mut |_, _| {}).is_err());
    disk.fail_reads(3);
    assert_eq!(tries(9).count(), 3);
    assert_eq!((versions(&journal), journal.take_news().0), (vec![0, 1, 2], vec![]));
    disk.fail_reads(u32::MAX);
    let failed = tries(9).count();
    assert!((1..9).contains(&failed), "{failed}");
    let (damages, _) = journal.take_news();
    assert!(damages.len() == 1 && damages[0].reason.contains("a simulated fault"), "{damages:?}");
    disk.fail_reads(0);
    append(&journal, 3);
    assert_eq!(versions(&journal), [0, 1, 2, 3]);
}

#[test]
fn a_segment_that_cannot_be_read_is_passed_over_though_those_before_it_can_be() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let first = append(&journal, 0);
    journal.sync(first).unwrap();
    journal.roll(START, first.segment).unwrap();
    let second = append(&journal, 1);
    assert!(second.segment > first.segment);
    disk.fail_reads_of(&file_name(second.segment));
    let read = |seen: &mut Vec<u64>| {
        seen.clear();
        journal.read(None, RecordFilter::All, &mut |_, record| seen.push(record.version))
    };
    let mut seen = Vec::new();
    let failed = (0..9).take_while(|_| read(&mut seen).is_err()).count();
    assert!((1..9).contains(&failed), "{failed}");
    let (damages, _) = journal.take_news();
    assert_eq!(damages.len(), 1, "{damages:?}");
    assert_eq!((&damages[0].file, &seen), (&disk.path(&file_name(second.segment)), &vec![0]));
}

#[test]
fn a_segment_that_was_abandoned_before_its_header_was_whole_is_no_damage() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0);
    journal.roll(START, journal.end().segment).unwrap();
    let abandoned = file_name(journal.end().segment);
    journal.roll(START, journal.end().segment).unwrap();
    append(&journal, 1);
    journal.close(START).unwrap();
    let header = disk.content(&abandoned).unwrap();
    disk.put(&abandoned, &header[..20]);
    let (journal, found) = open(&disk);
    assert_eq!((found.damages, found.cut), (vec![], None));
    assert_eq!(versions(&journal), [0, 1]);
    assert!(!names(&disk).contains(&abandoned));
}

#[test]
fn a_failed_fdatasync_is_told_also_where_a_new_segment_can_only_be_begun_later() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let end = append(&journal, 0);
    // The second is that of the next segment's header.
    disk.fail_syncs(2);
    journal.sync(end).unwrap_err();
    assert_eq!(journal.take_news().1, None);
    let ticks = (0..60).take_while(|_| journal.tick(START).is_err()).count();
    assert!(ticks < 60);
    let rescue = journal.take_news().1.unwrap();
    assert_eq!(rescue.file, disk.path(&file_name(end.segment)));
    assert_eq!((rescue.times, journal.rescues()), (1, 1));
    assert_eq!(versions(&journal), [0]);
}

#[test]
fn a_failed_fdatasync_is_told_with_its_file_and_ever_more_seldom() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let mut told = Vec::new();
    for version in 0..20 {
        let old = append(&journal, version);
        disk.fail_syncs(1);
        journal.sync(old).unwrap();
        if let (_, Some(rescue)) = journal.take_news() {
            assert_eq!(rescue.file, disk.path(&file_name(old.segment)));
            assert_eq!(rescue.again, disk.path(&file_name(journal.end().segment)));
            let sentence = rescue.said();
            let said = |text: &crate::i18n::Text| text.say(crate::domain::lang::Lang::En).to_string();
            assert!(said(sentence.own()).contains("fdatasync: a simulated fault"), "{sentence:?}");
            assert!(said(sentence.told()).contains(&file_name(old.segment)), "{sentence:?}");
            told.push(rescue.times);
        }
    }
    assert_eq!(told, [1, 2, 4, 8, 16]);
    assert_eq!(versions(&journal), (0..20).collect::<Vec<_>>());
}
