//! Reading the log, after a start or while it grows.
//!
//! A reader takes no part in locking but for a moment a stretch: it learns which bytes are good and reads them itself,
//! up to where the log ended when it came.

use super::FileJournal;
use super::damage::Damage;
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, file_name};
use super::news::Rescue;
use super::scan::{Belonging, NO_FRAME, WRONG_CHECKSUM};
use super::segment::Extent;
use super::window::ReadWindow;
use crate::domain::record::{Change, Record};
use crate::store::batch;
use crate::store::codec::CodecError;
use crate::store::{Position, RecordFilter, StoreError};
use std::io;

/// Read at once where every frame is wanted.
const ALL_CHUNK_BYTES: usize = 256 * 1024;
/// And where most are passed over.
const CHANGES_CHUNK_BYTES: usize = 16 * 1024;
/// Reads that fail in a row before what cannot be read is passed over: a fault of the disk may be over by then.
const READ_TRIES: u32 = 5;
/// Segments of which failed reads are counted at once. A reader stays at the first that fails.
const FAILED_SEGMENTS_MAX: usize = 16;
/// Places of damage that are told apart while the journal is open; of further ones nobody is told.
const PLACES_MAX: usize = 1_000;

impl FileJournal {
    /// Visits the records behind a position (`None`: from what is left of the beginning), each with the position behind
    /// it, up to where the log ends now, which is returned. Frames without changes are passed over by their headers
    /// where only [`RecordFilter::Changes`] are asked for. After an fdatasync failed, records may be visited a second time.
    /// A frame that is not good any more, or a record that cannot be decoded, is passed over as at a start, and told of
    /// by [`FileJournal::take_news`].
    pub fn read(
        &self,
        from: Option<Position>,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        let end = self.end();
        let mut at = from.unwrap_or_default();
        while at < end {
            let Some((number, nonce, mut piece)) = self.inner().piece(at) else { break };
            if number == end.segment {
                piece.end = piece.end.min(end.offset);
            }
            if number > end.segment || (number == at.segment && piece.end <= at.offset) {
                break;
            }
            let behind = if number == at.segment { at.offset } else { 0 };
            let outcome = self.read_piece(number, nonce, piece, behind, wanted, visit);
            let failed = matches!(outcome, Err(StoreError::Io { .. } | StoreError::Denied { .. }));
            self.note_read(number, failed);
            match outcome {
                Ok(()) => at = Position { segment: number, offset: piece.end },
                // It was trimmed meanwhile: whoever trims knows that nobody needs it.
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    if self.inner().segments.contains_key(&number) {
                        let path = self.disk.path(&file_name(number));
                        return Err(StoreError::io(path, "open", source));
                    }
                    at = Position { segment: number + 1, offset: 0 };
                }
                Err(error) => return Err(error),
            }
        }
        Ok(end.max(from.unwrap_or_default()))
    }

    /// Counts by segment: whoever tries again reads those before it well each time.
    fn note_read(&self, number: u64, failed: bool) {
        let failed_reads = &mut self.inner().failed_reads;
        if !failed {
            failed_reads.remove(&number);
        } else if failed_reads.len() < FAILED_SEGMENTS_MAX || failed_reads.contains_key(&number) {
            let count = failed_reads.entry(number).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn read_piece(
        &self,
        number: u64,
        nonce: u32,
        piece: Extent,
        behind: u64,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<(), StoreError> {
        let path = self.disk.path(&file_name(number));
        let failed = |doing, error| StoreError::io(&path, doing, error);
        let file = self.disk.open(&file_name(number)).map_err(|e| failed("open", e))?;
        let chunk_bytes = if wanted == RecordFilter::All { ALL_CHUNK_BYTES } else { CHANGES_CHUNK_BYTES };
        let mut window = ReadWindow::new(file, piece.end, chunk_bytes);
        if self.inner().failed_reads.get(&number).is_some_and(|count| *count >= READ_TRIES) {
            window = window.lenient();
        }
        let mut next_sequence = None;
        let mut at = piece.start;
        while at < piece.end {
            let header = window.get(at, FRAME_HEADER_BYTES).map_err(|e| failed("read", e))?;
            let Some(frame) = FrameHeader::decode(header, nonce) else {
                let reason = fault(&mut window, NO_FRAME);
                let frames = Belonging { number, nonce, next_sequence };
                let end = frames.search(&mut window, at, piece.end).map_err(|e| failed("read", e))?;
                self.pass_over(number, at, end, reason);
                at = end;
                continue;
            };
            next_sequence = Some(frame.sequence.saturating_add(1));
            let next = at + frame.frame_bytes();
            if let Some(kind) = frame.kind.must_be_known() {
                let (found, known) = (kind.into(), FrameKind::KNOWN.into());
                return Err(StoreError::TooNew { path, found, known });
            }
            let of_interest = match frame.kind {
                FrameKind::Mark | FrameKind::Unknown(_) => false,
                FrameKind::Records { changes } => changes || wanted == RecordFilter::All,
            };
            if of_interest && next > behind {
                let whole = window.get(at, frame.frame_bytes() as usize).map_err(|e| failed("read", e))?;
                let payload = whole.get(FRAME_HEADER_BYTES..).unwrap_or_default();
                if crc32fast::hash(payload) != frame.payload_crc {
                    let reason = fault(&mut window, WRONG_CHECKSUM);
                    self.pass_over(number, at, next, reason);
                    at = next;
                    continue;
                }
                let begin = at + FRAME_HEADER_BYTES as u64;
                let visited = batch::visit(payload, |offset, record| {
                    let offset = begin + offset as u64;
                    let changes = record.change != Change::None || wanted == RecordFilter::All;
                    if changes && offset > behind {
                        visit(Position { segment: number, offset }, record);
                    }
                });
                match visited {
                    Ok(()) => {}
                    Err((_, CodecError::Format(found))) => {
                        let known = crate::store::codec::FORMAT.into();
                        return Err(StoreError::TooNew { path, found: found.into(), known });
                    }
                    // Where the next record would begin cannot be known.
                    Err((offset, error)) => {
                        self.pass_over(number, begin + offset as u64, next, error.to_string());
                    }
                }
            }
            at = next;
        }
        Ok(())
    }
}

/// Why bytes cannot be used: the system could not read them, or `otherwise`.
fn fault(window: &mut ReadWindow, otherwise: &str) -> String {
    match window.fault.take() {
        Some(fault) => format!("cannot be read: {fault}"),
        None => otherwise.to_string(),
    }
}

impl FileJournal {
    /// What was found since this was last asked.
    pub fn take_news(&self) -> (Vec<Damage>, Option<Rescue>) {
        let news = &mut self.inner().news;
        (std::mem::take(&mut news.damages), news.rescue.take())
    }

    /// Notes that a reader passes over a stretch of a segment.
    pub(super) fn pass_over(&self, number: u64, offset: u64, end: u64, reason: String) {
        {
            let mut inner = self.inner();
            // What was written again elsewhere is read there.
            if !inner.segments.get(&number).is_some_and(|segment| segment.holds(offset)) {
                return;
            }
            let places = &mut inner.news.places;
            if places.len() >= PLACES_MAX || !places.insert((number, offset)) {
                return;
            }
        }
        let name = file_name(number);
        let kept = self.disk.keep_aside(&name);
        let mut inner = self.inner();
        if let Some(segment) = inner.segments.get_mut(&number) {
            segment.damaged = true;
            segment.unkept |= kept.is_err();
        }
        let kept = kept.ok().map(|(path, _)| path);
        let file = self.disk.path(&name);
        inner.news.damages.push(Damage { file, offset, bytes: end - offset, reason, kept, news: true });
    }
}
