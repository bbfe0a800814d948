//! Appending: frames from batches, one write each, and what is remembered of them until they are durable.

use super::append_state::{AppendState, Unsynced};
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, file_name};
use super::lasting_error::LastingError;
use super::news::JournalNews;
use super::recover::RecoveredSegments;
use super::segment::Extent;
use super::sim::SimulatedRng;
use super::{FileJournal, UNSYNCED_BYTES_MAX};
use crate::domain::time::Wall;
use crate::store::{Batch, Position, StoreError};
use std::collections::BTreeMap;

/// Memory for unsynced frames that is kept when they are synced.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// A payload on its way into a frame.
pub(super) struct Payload<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) kind: FrameKind,
    pub(super) records: u32,
    pub(super) crc: u32,
}

/// Why an append cannot be made in the segment at hand.
enum Obstacle {
    /// It would become too long.
    SegmentFull,
    /// Too much is unsynced.
    TooMuchUnsynced,
}

impl FileJournal {
    /// Appends a batch as of now and empties it; the position is the one behind it. When it returns, the records survive
    /// the end of this process. On an error the batch stays as it is and the log as it was.
    pub fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        if batch.is_empty() {
            return Ok(self.end());
        }
        let parts = batch.parts().map(|part| Payload {
            bytes: part.payload,
            kind: FrameKind::Records { changes: part.changes },
            records: part.records,
            crc: crc32fast::hash(part.payload),
        });
        let payloads: Vec<Payload<'_>> = parts.collect();
        let position = self.append_frames(now, &payloads)?;
        batch.clear();
        Ok(position)
    }

    pub(super) fn append_frames(&self, now: Wall, payloads: &[Payload<'_>]) -> Result<Position, StoreError> {
        let bytes: usize = payloads.iter().map(|p| FRAME_HEADER_BYTES + p.bytes.len()).sum();
        loop {
            let mut inner = self.inner();
            let obstacle = inner.obstacle(bytes, self.options.segment_bytes_max);
            match obstacle {
                None => return self.write(&mut inner, now, payloads),
                Some(_) if inner.resting => return Err(inner.lasting_error()),
                Some(obstacle) => {
                    let seen = inner.end();
                    // Both wait for the disk, with appends of others going on as far as they can.
                    drop(inner);
                    match obstacle {
                        Obstacle::SegmentFull => self.roll(now, seen.segment)?,
                        // The mark keeps what the next start must write again within the same bound.
                        Obstacle::TooMuchUnsynced => {
                            self.sync(seen)?;
                            self.mark(now)?;
                        }
                    }
                }
            }
        }
    }

    fn write(
        &self,
        inner: &mut AppendState,
        now: Wall,
        payloads: &[Payload<'_>],
    ) -> Result<Position, StoreError> {
        let Some(writing) = &mut inner.writing else { return Err(inner.lasting_error()) };
        let begin = inner.fresh.bytes.len();
        let mut sequence = inner.next_sequence;
        for payload in payloads {
            let header = FrameHeader {
                payload_bytes: payload.bytes.len() as u32, // PAYLOAD_BYTES_MAX bounds it
                segment: writing.number,
                sequence,
                wall: now,
                kind: payload.kind,
                records: payload.records,
                payload_crc: payload.crc,
            };
            inner.fresh.bytes.extend_from_slice(&header.encode(writing.nonce));
            inner.fresh.bytes.extend_from_slice(payload.bytes);
            sequence += 1;
        }
        let frames = inner.fresh.bytes.get(begin..).unwrap_or_default();
        if let Err(error) = writing.file.write_all_at(frames, writing.end) {
            inner.fresh.bytes.truncate(begin);
            // What was written of it must go, or a reader would find it. Where it cannot, nothing more goes to this file.
            let whole = writing.file.truncate(writing.end).is_ok();
            let trouble = LastingError::new(self.disk.path(&file_name(writing.number)), "write", &error);
            if !whole {
                inner.writing = None;
            }
            let error = trouble.error();
            inner.trouble.get_or_insert(trouble);
            return Err(error);
        }
        let segment = inner.segments.entry(writing.number).or_default();
        for payload in payloads {
            let bytes = (FRAME_HEADER_BYTES + payload.bytes.len()) as u64;
            segment.add(writing.end, bytes);
            writing.end += bytes;
            if matches!(payload.kind, FrameKind::Records { .. }) {
                inner.fresh.since.get_or_insert(now);
            }
        }
        inner.next_sequence = sequence;
        if inner.trouble.as_ref().is_some_and(|trouble| !trouble.of_sync) {
            inner.trouble = None;
        }
        Ok(Position { segment: writing.number, offset: writing.end })
    }
}

impl AppendState {
    /// Begins with what was found; `number` is that of the next segment.
    pub(super) fn new(found: RecoveredSegments, number: u64, random: SimulatedRng) -> AppendState {
        let sequence = found.next_sequence;
        AppendState {
            segments: found.segments,
            writing: None,
            next_sequence: sequence,
            next_number: number,
            syncing: Unsynced::default(),
            fresh: Unsynced { bytes: found.tail.frames, since: None },
            synced: Position::default(),
            synced_sequence: found.tail.sequence,
            rewritten: found.tail.places,
            trouble: None,
            failures: 0,
            rescues: 0,
            unsaid: None,
            news: JournalNews::default(),
            failed_reads: BTreeMap::new(),
            resting: false,
            retry_in_s: 0,
            patience_s: 0,
            random,
        }
    }

    /// Where the log ends.
    pub(super) fn end(&self) -> Position {
        match (&self.writing, self.segments.last_key_value()) {
            (Some(writing), _) => Position { segment: writing.number, offset: writing.end },
            (None, Some((number, segment))) => Position { segment: *number, offset: segment.end() },
            (None, None) => Position::default(),
        }
    }

    pub(super) fn unsynced_since(&self) -> Option<Wall> {
        self.syncing.since.or(self.fresh.since)
    }

    /// The first good stretch behind a position, and its segment.
    pub(super) fn piece(&self, from: Position) -> Option<(u64, u32, Extent)> {
        let mut offset = from.offset;
        for (number, segment) in self.segments.range(from.segment..) {
            if *number != from.segment {
                offset = 0;
            }
            if let Some(extent) = segment.piece(offset) {
                return Some((*number, segment.nonce, extent));
            }
        }
        None
    }

    /// A segment that lies wholly before a position and is not written any more, and whether a copy is owed.
    pub(super) fn trimmable(&self, before: Position) -> Option<(u64, bool)> {
        let (number, segment) = self.segments.first_key_value()?;
        let written = self.segments.last_key_value().is_none_or(|(last, _)| last == number);
        let whole = Position { segment: *number, offset: segment.end() } <= before;
        (whole && !written).then_some((*number, segment.unkept))
    }

    /// What everybody is told while nothing can be written.
    pub(super) fn lasting_error(&self) -> StoreError {
        match &self.trouble {
            Some(trouble) => trouble.error(),
            None => StoreError::Io {
                path: file_name(self.next_number).into(),
                doing: "begin a segment",
                source: std::io::Error::other("not tried yet"),
            },
        }
    }

    fn obstacle(&self, bytes: usize, segment_bytes_max: u64) -> Option<Obstacle> {
        let writing = self.writing.as_ref()?;
        let unsynced = self.syncing.bytes.len() + self.fresh.bytes.len();
        if writing.end > SEGMENT_HEADER_BYTES && writing.end + bytes as u64 > segment_bytes_max {
            Some(Obstacle::SegmentFull)
        } else if unsynced > 0 && unsynced + bytes > UNSYNCED_BYTES_MAX {
            Some(Obstacle::TooMuchUnsynced)
        } else {
            None
        }
    }
}

impl Unsynced {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.since = None;
    }
}
