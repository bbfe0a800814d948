//! Reading a segment that nobody vouches for: which frames in it are good.
//!
//! Frames follow each other without a gap, each with the sequence of the one before plus one. Where that breaks there is
//! a *hole*, up to the next place where a good frame begins that can belong there: of this segment, by number and nonce,
//! and with a sequence not further on than the hole has room for. What holes mean is for [`super::recover`] to judge.

use super::disk::DiskFile;
use super::frame::{
    FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, FrameKind, HeaderError, SEGMENT_HEADER_BYTES,
    SegmentHeader, SyncMark,
};
use super::segment::Segment;
use super::window::ReadWindow;
use crate::domain::time::Wall;
use std::io;
use std::sync::Arc;

/// What was found in a segment.
#[derive(Debug)]
pub(super) struct SegmentScan {
    pub(super) header: SegmentHeader,
    pub(super) segment: Segment,
    pub(super) holes: Vec<Hole>,
    /// Behind the last good frame.
    pub(super) reached: Reached,
    /// The last mark in it.
    pub(super) mark: SyncMark,
}

/// How far good frames lead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    /// The sequence that would be next.
    pub(super) next_sequence: u64,
    /// When the last one was written.
    pub(super) wall: Option<Wall>,
}

/// Bytes that are no frame where one should be.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    pub(super) start: u64,
    /// Where good frames go on, or the end of the file.
    pub(super) end: u64,
    pub(super) reason: String,
    /// What was before it.
    pub(super) before: Reached,
    /// The sequence of the first good frame behind it; `None`: there is none.
    pub(super) after: Option<u64>,
}

/// Holes that are told apart; behind the last one the rest of the segment is given up.
const HOLES_MAX: usize = 1_000;
const CHUNK_BYTES: usize = 256 * 1024;

/// Why bytes are no frame.
pub(super) const NO_FRAME: &str = "no frame begins here";
/// The same where there is the header of one.
pub(super) const WRONG_CHECKSUM: &str = "the checksum of a frame is wrong";

/// Scans a segment of `bytes` bytes; the inner result says what is wrong with its header.
pub(super) fn scan(file: Arc<dyn DiskFile>, bytes: u64) -> io::Result<Result<SegmentScan, HeaderError>> {
    let mut window = ReadWindow::new(file, bytes, CHUNK_BYTES).lenient();
    let header = match SegmentHeader::decode(window.get(0, SEGMENT_HEADER_BYTES as usize)?) {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut scan = SegmentScan {
        header,
        segment: Segment::new(header.nonce, bytes),
        holes: Vec::new(),
        reached: Reached { next_sequence: header.first_sequence, wall: None },
        mark: SyncMark::default(),
    };
    let mut at = SEGMENT_HEADER_BYTES;
    let mut hole_bytes = 0;
    while at < bytes {
        match scan.wanted().look(&mut window, at, hole_bytes)? {
            Ok(frame) => {
                hole_bytes = 0;
                scan.take(&mut window, at, &frame)?;
                at += frame.frame_bytes();
            }
            Err(reason) => {
                let reason = match window.fault.take() {
                    Some(fault) => format!("cannot be read: {fault}"),
                    None => reason.to_string(),
                };
                let end = if scan.holes.len() < HOLES_MAX {
                    scan.wanted().search(&mut window, at, bytes)?
                } else {
                    bytes
                };
                scan.holes.push(Hole { start: at, end, reason, before: scan.reached, after: None });
                hole_bytes = end - at;
                at = end;
            }
        }
    }
    Ok(Ok(scan))
}

impl SegmentScan {
    /// Forgets what is behind a hole, and the hole.
    pub(super) fn cut(&mut self, hole: usize) {
        if let Some(first) = self.holes.get(hole) {
            self.segment.cut(first.start);
            self.reached = first.before;
            self.holes.truncate(hole);
        }
    }

    /// What the next frame must be.
    fn wanted(&self) -> Belonging {
        let SegmentHeader { number, nonce, .. } = self.header;
        Belonging { number, nonce, next_sequence: Some(self.reached.next_sequence) }
    }

    fn take(&mut self, window: &mut ReadWindow, at: u64, frame: &FrameHeader) -> io::Result<()> {
        if frame.kind == FrameKind::Mark {
            let whole = window.get(at, frame.frame_bytes() as usize)?;
            self.mark =
                SyncMark::decode(whole.get(FRAME_HEADER_BYTES..).unwrap_or_default()).unwrap_or(self.mark);
        }
        if let Some(hole) = self.holes.last_mut().filter(|hole| hole.end == at) {
            hole.after = Some(frame.sequence);
        }
        self.segment.add(at, frame.frame_bytes());
        self.reached = Reached { next_sequence: frame.sequence.saturating_add(1), wall: Some(frame.wall) };
        Ok(())
    }
}

/// What a frame must be to belong to a place in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belonging {
    pub(super) number: u64,
    pub(super) nonce: u32,
    /// The sequence behind the last good frame, where that is known.
    pub(super) next_sequence: Option<u64>,
}

impl Belonging {
    /// Whether a good frame begins at a place, behind a hole of so many bytes.
    fn look(
        self,
        window: &mut ReadWindow,
        at: u64,
        hole: u64,
    ) -> io::Result<Result<FrameHeader, &'static str>> {
        let Some(frame) = FrameHeader::decode(window.get(at, FRAME_HEADER_BYTES)?, self.nonce) else {
            return Ok(Err(NO_FRAME));
        };
        // A frame takes its header at least, so the hole bounds how many are missing.
        let missing = self.next_sequence.map_or(Some(0), |next| frame.sequence.checked_sub(next));
        let plausible = missing.is_some_and(|n| n <= hole / FRAME_HEADER_BYTES as u64);
        if frame.segment != self.number || !plausible {
            return Ok(Err("a frame of another place begins here"));
        }
        let whole = window.get(at, frame.frame_bytes() as usize)?;
        let payload = whole.get(FRAME_HEADER_BYTES..).unwrap_or_default();
        if payload.len() != frame.payload_bytes as usize {
            return Ok(Err("the file ends within a frame"));
        }
        if crc32fast::hash(payload) != frame.payload_crc {
            return Ok(Err(WRONG_CHECKSUM));
        }
        Ok(Ok(frame))
    }

    /// Where the next good frame behind the beginning of a hole is, or `end`.
    pub(super) fn search(self, window: &mut ReadWindow, hole: u64, end: u64) -> io::Result<u64> {
        let mut at = hole + 1;
        loop {
            let chunk = window.ahead(at, FRAME_HEADER_BYTES)?;
            if chunk.len() < FRAME_HEADER_BYTES {
                return Ok(end);
            }
            match chunk.windows(FRAME_MAGIC.len()).position(|bytes| bytes == FRAME_MAGIC) {
                Some(skip) => {
                    at += skip as u64;
                    if self.look(window, at, at - hole)?.is_ok() {
                        return Ok(at);
                    }
                    at += 1;
                }
                // The last bytes may begin a magic that the next chunk ends.
                None => at += (chunk.len() - (FRAME_MAGIC.len() - 1)) as u64,
            }
        }
    }
}
