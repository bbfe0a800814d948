//! Rot in the write-ahead log. SQLite takes the first frame with a wrong checksum for the end of the log and says nothing,
//! for that is also what a write leaves that was cut short.
//!
//! The two can be told apart. With `synchronous=FULL` a commit is synced before the next frame is written, and a frame's
//! checksum goes on from the one stored in the frame before it. So a frame that fits to a commit before it proves that
//! everything up to that commit was on the disk. A bad frame at or before such a commit has rotted. Frames of an earlier
//! generation of the log (other salts), of a transaction rolled back, and of one whose sync was under way prove nothing.
//!
//! The format: <https://sqlite.org/fileformat2.html#walformat>.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The lowest bit tells in which order of bytes checksums are computed: 1 is big-endian.
const MAGIC: u32 = 0x377f_0682;
/// Of a log whose header does not tell it.
const PAGE_BYTES: u32 = 4096;

/// Where the first rotten byte may be, in the log at `path`: the start of its header or of a frame. A log that is missing
/// or cannot be read is left to SQLite.
pub(super) fn rotten_at(path: &Path) -> Option<u64> {
    File::open(path).and_then(|log| first_rotten(BufReader::with_capacity(256 * 1024, log))).ok().flatten()
}

/// The same for a log's bytes.
fn first_rotten(mut log: impl Read) -> io::Result<Option<u64>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let is_big = match word(&header, 0) ^ MAGIC {
        order @ (0 | 1) => order == 1,
        _ => cfg!(target_endian = "big"),
    };
    let page_bytes = match word(&header, 8) {
        bytes @ 512..=65_536 if bytes.is_power_of_two() => bytes,
        _ => PAGE_BYTES,
    };
    let mut stored = pair(&header, 24);
    let is_whole = word(&header, 0) & !1 == MAGIC && checksum(is_big, (0, 0), &header[..24]) == stored;
    let mut salts = is_whole.then(|| pair(&header, 16));
    let mut bad = (!is_whole).then_some(0);
    let mut is_after_commit = false;
    let mut offset = HEADER_BYTES as u64;
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes as usize];
    while fill(&mut log, &mut frame)? {
        let (header, page) = frame.split_at(FRAME_HEADER_BYTES);
        let salts = *salts.get_or_insert(pair(header, 8));
        let sum = checksum(is_big, checksum(is_big, stored, &header[..8]), page);
        stored = pair(header, 16);
        let is_ours = pair(header, 8) == salts;
        let is_good = is_ours && sum == stored;
        if bad.is_some() && is_good && is_after_commit {
            return Ok(bad);
        }
        let is_first_bad = !is_good && bad.is_none();
        if is_first_bad {
            bad = Some(offset);
        }
        // A bad frame's own word proves nothing: of one written in part, it may be that of an earlier generation.
        is_after_commit = is_good && word(header, 4) != 0;
        offset += frame.len() as u64;
    }
    Ok(None)
}

/// The checksum of SQLite's log: of pairs of words, going on from another.
fn checksum(is_big: bool, from: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    bytes.chunks_exact(8).fold(from, |(first, second), words| {
        let (a, b) = pair(words, 0);
        let (a, b) = if is_big { (a, b) } else { (a.swap_bytes(), b.swap_bytes()) };
        let first = first.wrapping_add(a).wrapping_add(second);
        (first, second.wrapping_add(b).wrapping_add(first))
    })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
}

fn pair(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at), word(bytes, at + 4))
}

/// Whether there was enough left to fill it.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::TemporaryFolder;
    use rusqlite::Connection;

    const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES as usize;

    fn rotten(log: &[u8]) -> Option<u64> {
        first_rotten(log).unwrap()
    }

    fn frame_at(number: usize) -> usize {
        HEADER_BYTES + number * FRAME_BYTES
    }

    /// A log written by SQLite: its bytes after each step.
    fn logs(name: &str, steps: &[&str]) -> Vec<Vec<u8>> {
        let folder = TemporaryFolder::new(name);
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        let tuned = "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 10; \
                     CREATE TABLE t (a, b); CREATE TABLE s (a)";
        connection.execute_batch(tuned).unwrap();
        let log = || std::fs::read(folder.path().join("a.db-wal")).unwrap();
        steps.iter().map(|step| connection.execute_batch(step).map(|()| log()).unwrap()).collect()
    }

    fn three_transactions(name: &str) -> Vec<Vec<u8>> {
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) \
                    INSERT INTO t SELECT i, hex(randomblob(30)) FROM n";
        logs(name, &[fill, "UPDATE t SET a = a + 1 WHERE a < 200", "INSERT INTO s VALUES (1)"])
    }

    #[test]
    fn a_bit_that_flips_before_the_last_commit_is_named_by_its_frame() {
        let logs = three_transactions("wal-flip");
        let (before, whole) = (&logs[1], &logs[2]);
        assert_eq!(rotten(whole), None);
        assert!((frame_at(10)..frame_at(40)).contains(&before.len()) && before.len() < whole.len());
        for bit in (0..before.len() * 8).step_by(211) {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let frame = (bit / 8).checked_sub(HEADER_BYTES).map_or(0, |at| frame_at(at / FRAME_BYTES));
            let found = rotten(&broken);
            // The last frame before the last transaction, or the checksum from which it goes on: as if that one had been under
            // way.
            let behind = before.len() - frame;
            let is_unproven =
                behind == FRAME_BYTES || behind == 2 * FRAME_BYTES && matches!(bit / 8 - frame, 16..24);
            assert!(found == Some(frame as u64) || is_unproven && found.is_none(), "bit {bit}: {found:?}");
        }
    }

    #[test]
    fn what_a_kill_or_a_power_cut_leaves_is_no_rot() {
        let logs = three_transactions("wal-torn");
        let (before, whole) = (&logs[0], &logs[1]);
        for length in (0..whole.len()).step_by(97) {
            assert_eq!(rotten(&whole[..length]), None, "cut at {length}");
        }
        // Of what was not synced yet anything may be there, over zeros or over an earlier generation.
        let mut earlier = whole.clone();
        for frame in (HEADER_BYTES..earlier.len()).step_by(FRAME_BYTES) {
            earlier[frame + 8..frame + 16].fill(7);
        }
        for under in [vec![0; whole.len()], earlier] {
            for seed in 0..500_u64 {
                let mut left = under.clone();
                left[..before.len()].copy_from_slice(before);
                let mut random = seed;
                for sector in (before.len() / 512..whole.len().div_ceil(512)).map(|number| number * 512) {
                    random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                    let (from, to) = (sector.max(before.len()), (sector + 512).min(whole.len()));
                    if random >> 61 > seed % 8 {
                        left[from..to].copy_from_slice(&whole[from..to]);
                    }
                }
                assert_eq!(rotten(&left), None, "seed {seed}");
            }
        }
    }

    #[test]
    fn frames_of_a_transaction_that_was_rolled_back_are_no_rot() {
        // The cache is too small for it, so it was written before its end, further than what was committed since.
        let spilled = "BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
                       INSERT INTO t SELECT i, hex(randomblob(30)) FROM n; ROLLBACK";
        let steps =
            ["INSERT INTO s VALUES (1)", spilled, "INSERT INTO s VALUES (2)", "INSERT INTO s VALUES (3)"];
        let logs = logs("wal-spilled", &steps);
        assert!(logs[1].len() > logs[0].len() + 10 * FRAME_BYTES && logs[3].len() == logs[1].len());
        assert!(logs.iter().all(|log| rotten(log).is_none()));
    }
}
