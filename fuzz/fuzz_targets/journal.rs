//! The journal: whatever its files hold, it opens, reads and goes on; a record that was read, written out again, is read
//! as the same.
#![no_main]

use heartbeat_server::domain::time::Wall;
use heartbeat_server::store::journal::frame::{FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader};
use heartbeat_server::store::journal::sim::SimDisk;
use heartbeat_server::store::journal::{FileJournal, JournalOptions};
use heartbeat_server::store::{RecordFilter, batch, codec};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const NONCE: u32 = 7;

fuzz_target!(|data: &[u8]| {
    // As a whole file, as what follows a good header, as the payload of a good frame, and as damage to good frames.
    open(&[data]);
    let header = SegmentHeader { number: 1, nonce: NONCE, first_sequence: 1, made_at: Wall(1), booted_at: None };
    let header = header.encode();
    open(&[&[header.as_slice(), data].concat()]);
    judge(data);
    let payload = data.get(..1000).unwrap_or(data);
    let frames: Vec<u8> = (1..4).flat_map(|sequence| frame(sequence, payload)).collect();
    let mut file = [header, frames].concat();
    open(&[&file]);
    for edit in data.chunks_exact(3).take(8) {
        let place = SEGMENT_HEADER_BYTES as usize + usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        if let Some(byte) = file.get_mut(place) {
            *byte ^= edit[2];
        }
    }
    open(&[&file, data]);
});

fn frame(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        payload_bytes: payload.len() as u32,
        segment: 1,
        sequence,
        wall: Wall(2),
        kind: FrameKind::Records { changes: sequence == 2 },
        records: 1,
        payload_crc: crc32fast::hash(payload),
    };
    [&header.encode(NONCE), payload].concat()
}

fn open(files: &[&[u8]]) {
    let disk = SimDisk::new();
    for (number, bytes) in (1..).zip(files) {
        disk.put(&heartbeat_server::store::journal::frame::file_name(number), bytes);
    }
    let options = JournalOptions { seed: 1, ..JournalOptions::default() };
    let Ok(journal) = FileJournal::open(Arc::new(disk.clone()), options, Wall(3)) else { return };
    let count = || {
        let mut count = 0u64;
        let outcome = journal.read(None, RecordFilter::All, &mut |_, _| count += 1);
        (count, outcome.is_ok())
    };
    let before = count();
    journal.tick(Wall(4)).expect("it goes on");
    assert_eq!(count(), before);
    drop(journal);
    let again = FileJournal::open(Arc::new(disk), options, Wall(5)).expect("it opens again");
    let found = again.recovery();
    assert!(found.cut.is_none(), "{found:?}");
    let mut after = 0u64;
    let outcome = again.read(None, RecordFilter::All, &mut |_, _| after += 1);
    assert_eq!((after, outcome.is_ok()), before);
}

fn judge(payload: &[u8]) {
    let _ = batch::visit(payload, |_, record| {
        let mut bytes = Vec::new();
        codec::encode(record, Wall(9), &mut bytes);
        assert_eq!(codec::decode(&mut bytes.as_slice(), Wall(9)).as_ref(), Ok(record));
    });
}
