//! What a start makes of the segments it finds.
//!
//! Segments are scanned in order ([`super::scan`]). A hole in what was found means one of three things:
//!
//! - *Superseded*: the next segment begins with the sequence of the hole or an earlier one. That happens after a torn
//!   tail was cut, and when a failed fdatasync made the journal write its unsynced frames again. Nothing is missing.
//! - *A torn tail*: it is in the last segment, behind what the last mark says was synced. There a power cut may lose
//!   and reorder. The segment ends at the hole; whatever good frames lie behind it were never promised to anybody.
//!   Where the machine was not started anew since the segment was begun there was no power cut: whatever a killed
//!   process had written is there in order, so only a hole with nothing good behind it is a torn tail.
//! - *Damage*: anything else. It is reported with file and offset, a copy of the file is kept aside, and reading goes on
//!   with the next good frame.
//!
//! What may not be durable is collected, for the new segment to hold it again ([`Tail`]).
//!
//! The end of one segment and the first sequence of the next show whether frames are missing between them.

use super::damage::{Cut, Damage};
use super::disk::Disk;
use super::frame::{
    FRAME_HEADER_BYTES, FrameHeader, HeaderError, SEGMENT_HEADER_BYTES, file_name, number_of,
};
use super::scan::{SegmentScan, scan};
use super::segment::Segment;
use super::window::ReadWindow;
use crate::domain::time::Wall;
use crate::store::{Position, StoreError};
use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct RecoveredSegments {
    pub(super) segments: BTreeMap<u64, Segment>,
    /// The sequence of the next frame.
    pub(super) next_sequence: u64,
    /// The number of the next segment.
    pub(super) next_number: u64,
    pub(super) last_sign: Option<Wall>,
    pub(super) cut: Option<Cut>,
    pub(super) damages: Vec<Damage>,
    pub(super) tail: Tail,
    /// For each segment the sequence behind its last good frame.
    reached: BTreeMap<u64, u64>,
}

/// Frames that may not be durable, though they can be read: whoever wrote them was killed before the next fdatasync, or
/// after one that failed, of which nobody is told again. So the new segment takes them once more. There are no more of
/// them than one segment holds.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// As they are in their files.
    pub(super) frames: Vec<u8>,
    /// Of the first of them, or of the next frame where there are none.
    pub(super) sequence: u64,
    /// From where on the new segment, or another, holds again what stands there.
    pub(super) places: Vec<Position>,
}

const CHUNK_BYTES: usize = 256 * 1024;
/// Damages that are reported.
const DAMAGES_MAX: usize = 1_000;
/// Two readings of the moment at which the machine was started differ by less.
const SAME_BOOT_MS: u64 = 500;

/// Reads all segments, cuts a torn tail, keeps copies of damaged files. Fails when the directory cannot be read, or a
/// later version wrote in it.
pub(super) fn recover(disk: &dyn Disk, booted_at: Option<Wall>) -> Result<RecoveredSegments, StoreError> {
    let names = disk.list().map_err(|e| StoreError::io(disk.path(""), "list", e))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    let last = numbers.last().copied().unwrap_or(0);
    let mut found = RecoveredSegments {
        next_sequence: 1,
        next_number: last.saturating_add(1),
        ..RecoveredSegments::default()
    };
    let mut scans = Vec::new();
    for number in numbers {
        let first = scans.is_empty();
        scans.extend(found.examine(disk, number, first, number == last)?);
    }
    // What the last segment says is durable; it was not begun before everything earlier was.
    let mut durable =
        scans.last().map_or(1, |scan: &SegmentScan| scan.mark.sequence.max(scan.header.first_sequence));
    let uncut = scans.last().filter(|scan| is_same_boot(scan.header.booted_at, booted_at));
    if let Some(scan) = uncut {
        // The next segment begins behind a hole that stays, else it would seem to hold again what is missing there. So
        // what is before the hole is made durable where it is; a disk that cannot do that tells its next writer too.
        if let Some(behind) = scan.holes.iter().rev().find_map(|hole| hole.after).filter(|s| *s > durable) {
            let _ = disk.open(&file_name(scan.header.number)).and_then(|file| file.sync_data());
            durable = behind;
        }
    }
    let uncut = uncut.is_some();
    let mut limits = Vec::new();
    let mut limit = durable;
    for scan in scans.iter().rev() {
        limits.push((scan.header.number, limit));
        limit = limit.min(scan.header.first_sequence);
    }
    let mut scans = scans.into_iter().peekable();
    while let Some(scan) = scans.next() {
        let next = scans.peek().map(|next| next.header.first_sequence);
        found.judge(disk, scan, next, uncut);
    }
    found.tail.sequence = durable.min(found.next_sequence);
    let mut next = found.tail.sequence;
    for (number, limit) in limits {
        found.collect_tail(disk, number, limit, &mut next)?;
    }
    Ok(found)
}

/// Whether the machine was started once: what the clocks say of that moment differs when the wall clock is set, and a
/// second start takes longer. The moment alone, compared with that of a frame, would believe a clock that was set back.
fn is_same_boot(then: Option<Wall>, now: Option<Wall>) -> bool {
    then.zip(now).is_some_and(|(then, now)| then.0.abs_diff(now.0) < SAME_BOOT_MS)
}

impl RecoveredSegments {
    /// Scans one segment. One whose header is broken has nothing to read.
    fn examine(
        &mut self,
        disk: &dyn Disk,
        number: u64,
        first: bool,
        last: bool,
    ) -> Result<Option<SegmentScan>, StoreError> {
        let name = file_name(number);
        let path = || disk.path(&name);
        let file = disk.open(&name).map_err(|e| StoreError::io(path(), "open", e))?;
        let bytes = file.bytes().map_err(|e| StoreError::io(path(), "fstat", e))?;
        let reason = match scan(file, bytes).map_err(|e| StoreError::io(path(), "read", e))? {
            Ok(scan) if scan.header.number == number => return Ok(Some(scan)),
            Ok(scan) => format!("it is segment {} under another name", scan.header.number),
            Err(HeaderError::TooNew(format)) => {
                return Err(StoreError::TooNew { path: path(), found: format.into(), known: 1 });
            }
            Err(HeaderError::Broken) if bytes == 0 || (bytes <= SEGMENT_HEADER_BYTES && (last || !first)) => {
                // Its making was interrupted: no frame is written before the header is synced. A disk that takes nothing
                // may have let its removal be lost too, and others be begun behind it. Had there been frames, those
                // before and behind it would show that they are missing.
                if last {
                    self.cut = Some(Cut { file: path(), offset: 0, bytes });
                }
                // If it cannot be removed it will be looked at again at the next start.
                let _ = disk.remove(&name);
                return Ok(None);
            }
            Err(HeaderError::Broken) => "its header is broken".to_string(),
        };
        let mut segment = Segment::new(0, bytes);
        self.damage(disk, number, &mut segment, 0, bytes, reason);
        self.segments.insert(number, segment);
        Ok(None)
    }

    /// Takes a scanned segment; `next`: the first sequence of the one behind it; `uncut`: no power cut was since the last
    /// one was begun.
    fn judge(&mut self, disk: &dyn Disk, mut scan: SegmentScan, next: Option<u64>, uncut: bool) {
        let (number, made_at) = (scan.header.number, scan.header.made_at);
        let synced = if scan.mark.synced.segment == number { scan.mark.synced.offset } else { 0 };
        let ends = scan.holes.iter().position(|hole| match next {
            Some(next) => hole.before.next_sequence >= next,
            None => hole.start >= synced && !(uncut && hole.after.is_some()),
        });
        let torn = ends.and_then(|hole| scan.holes.get(hole)).map(|hole| hole.start);
        if let Some(hole) = ends {
            scan.cut(hole);
        }
        let mut segment = std::mem::take(&mut scan.segment);
        let whole = scan.holes.is_empty();
        for hole in std::mem::take(&mut scan.holes) {
            let bytes = hole.end - hole.start;
            self.damage(disk, number, &mut segment, hole.start, bytes, hole.reason);
        }
        let reached = scan.reached;
        if let Some(next) = next.filter(|next| *next > reached.next_sequence && whole) {
            let reason = format!("frames {} to {} are missing", reached.next_sequence, next - 1);
            let end = segment.end();
            self.damage(disk, number, &mut segment, end, 0, reason);
        }
        if let (Some(offset), None) = (torn, next) {
            let file = disk.path(&file_name(number));
            self.cut = Some(Cut { file, offset, bytes: segment.file_bytes.saturating_sub(offset) });
            // The copy that is kept of a damaged file may be the file itself under another name. And where shortening
            // fails nothing is lost: the next segment's first sequence supersedes what is behind the cut.
            if whole && disk.shorten(&file_name(number), offset).is_ok() {
                segment.file_bytes = offset;
            }
        }
        // A segment whose beginning was interrupted holds again only some of what the one before it holds.
        if reached.next_sequence >= self.next_sequence || self.last_sign.is_none() {
            // One that has only begun says when that was, should all before it be trimmed.
            self.last_sign = reached.wall.or(self.last_sign).or(Some(made_at));
        }
        self.next_sequence = self.next_sequence.max(reached.next_sequence);
        self.segments.insert(number, segment);
        self.reached.insert(number, reached.next_sequence);
    }

    /// Collects from one segment the frames that may not be durable, from sequence `next` on, and notes from where on
    /// later segments hold what it holds: from sequence `limit` on. Segments come the last one first, because of two
    /// frames of one sequence the later one holds.
    fn collect_tail(
        &mut self,
        disk: &dyn Disk,
        number: u64,
        limit: u64,
        next: &mut u64,
    ) -> Result<(), StoreError> {
        let beyond = self.reached.get(&number).is_some_and(|reached| *reached > limit);
        let Some(segment) = self.segments.get(&number).filter(|_| beyond) else { return Ok(()) };
        let path = disk.path(&file_name(number));
        let failed = |doing, error| StoreError::io(&path, doing, error);
        let file = disk.open(&file_name(number)).map_err(|e| failed("open", e))?;
        let mut window = ReadWindow::new(file, segment.end(), CHUNK_BYTES).lenient();
        let mut place = None;
        for extent in &segment.extents {
            let mut at = extent.start;
            while at < extent.end {
                let header = window.get(at, FRAME_HEADER_BYTES).map_err(|e| failed("read", e))?;
                let Some(frame) = FrameHeader::decode(header, segment.nonce) else { break };
                if frame.sequence >= limit {
                    place.get_or_insert(at);
                }
                if frame.sequence == *next {
                    let whole = window.get(at, frame.frame_bytes() as usize);
                    self.tail.frames.extend_from_slice(whole.map_err(|e| failed("read", e))?);
                    *next += 1;
                }
                at += frame.frame_bytes();
            }
        }
        self.tail.places.extend(place.map(|offset| Position { segment: number, offset }));
        Ok(())
    }

    fn damage(
        &mut self,
        disk: &dyn Disk,
        number: u64,
        segment: &mut Segment,
        offset: u64,
        bytes: u64,
        reason: String,
    ) {
        let name = file_name(number);
        let kept = disk.keep_aside(&name);
        segment.damaged = true;
        segment.unkept = kept.is_err();
        if self.damages.len() < DAMAGES_MAX {
            let news = !matches!(kept, Ok((_, false)))
                || self.damages.iter().any(|d| d.news && d.file == disk.path(&name));
            let kept = kept.ok().map(|(path, _)| path);
            self.damages.push(Damage { file: disk.path(&name), offset, bytes, reason, kept, news });
        }
    }
}
