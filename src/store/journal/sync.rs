//! Making durable what was appended: rounds of fdatasync, new segments, and the way out when the disk fails.

use super::FileJournal;
use super::append::Payload;
use super::append_state::{AppendState, Unsynced, Writing};
use super::disk::DiskFile;
use super::frame::{
    FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, SyncMark, file_name,
};
use super::lasting_error::LastingError;
use super::scan::scan;
use super::segment::Segment;
use super::window::ReadWindow;
use crate::domain::time::Wall;
use crate::store::{Position, StoreError};
use std::io;
use std::sync::{Arc, MutexGuard};

/// Marks alone are synced when there are so many bytes of them; until then the system writes them when it likes.
const MARKS_BYTES_MAX: usize = 256 * 1024;
/// The longest wait between two attempts to write again.
const PATIENCE_S_MAX: u32 = 30;

impl FileJournal {
    /// Waits until everything before `upto` is durable. Those who come while a round is under way wait for its end, and
    /// then the first of them makes one for all.
    pub fn sync(&self, upto: Position) -> Result<(), StoreError> {
        let failures = {
            let inner = self.inner();
            if inner.synced >= upto {
                return Ok(());
            }
            inner.failures
        };
        let turn = self.turn();
        {
            let inner = self.inner();
            if inner.synced >= upto {
                return Ok(());
            }
            // The round that was waited for failed: that is the answer for all who waited, else each would try anew.
            if inner.failures != failures || inner.writing.is_none() {
                return Err(inner.lasting_error());
            }
        }
        self.round(&turn)
    }

    /// To be called once a second: syncs what is not, appends a mark, and tries again what failed.
    pub fn tick(&self, now: Wall) -> Result<(), StoreError> {
        {
            let turn = self.turn();
            let mut inner = self.inner();
            inner.resting = false;
            if inner.writing.is_none() {
                if inner.retry_in_s > 0 {
                    inner.retry_in_s -= 1;
                    return Err(inner.lasting_error());
                }
                self.begin(&mut inner, now)?;
            }
            self.replace_removed(&mut inner, now)?;
            // What people were told is wrong ends with a round that succeeds, also when nobody beats.
            let due = inner.unsynced_since().is_some()
                || inner.trouble.is_some()
                || inner.fresh.bytes.len() > MARKS_BYTES_MAX;
            drop(inner);
            if due {
                self.round(&turn)?;
            }
        }
        self.mark(now)?;
        let (segment, filled) = {
            let end = self.end();
            (end.segment, end.offset)
        };
        // At leisure, so that no append has to.
        if filled / 7 >= self.options.segment_bytes_max / 8 {
            self.roll(now, segment)?;
        }
        Ok(())
    }

    /// The last words: everything is durable, and a mark says so.
    pub fn close(&self, now: Wall) -> Result<(), StoreError> {
        self.sync(self.end())?;
        self.mark(now)?;
        self.sync(self.end())
    }

    /// Begins a new segment in place of number `full`, unless somebody has.
    pub(super) fn roll(&self, now: Wall, full: u64) -> Result<(), StoreError> {
        let turn = self.turn();
        if self.inner().writing.as_ref().is_none_or(|w| w.number != full) {
            return Ok(());
        }
        self.round(&turn)?;
        let mut inner = self.inner();
        let Some(writing) = inner.writing.clone() else { return Err(inner.lasting_error()) };
        if writing.number != full {
            return Ok(());
        }
        // The little that came since. A segment is durable whole before the next is begun, so only the last can be torn.
        if !inner.fresh.bytes.is_empty() {
            let outcome = writing.file.sync_data();
            let upto = inner.end();
            let sequence = inner.next_sequence;
            self.conclude(&mut inner, outcome, &writing, upto, sequence)?;
            if inner.writing.as_ref().is_none_or(|w| w.number != full) {
                return Ok(());
            }
        }
        let outcome = self.begin(&mut inner, now);
        inner.resting = outcome.is_err();
        outcome
    }

    /// One fdatasync for all that was appended before.
    fn round(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let Some(writing) = inner.writing.clone() else { return Err(inner.lasting_error()) };
        let (upto, sequence) = (inner.end(), inner.next_sequence);
        if upto == inner.synced {
            return Ok(());
        }
        let fresh = std::mem::take(&mut inner.fresh);
        inner.fresh = std::mem::replace(&mut inner.syncing, fresh);
        drop(inner);
        let outcome = writing.file.sync_data();
        self.conclude(&mut self.inner(), outcome, &writing, upto, sequence)
    }

    fn conclude(
        &self,
        inner: &mut AppendState,
        outcome: io::Result<()>,
        writing: &Writing,
        upto: Position,
        sequence: u64,
    ) -> Result<(), StoreError> {
        match outcome {
            Ok(()) => {
                inner.syncing.clear();
                // In a roll nothing can have been added since; in a round what was is not covered.
                if upto == inner.end() {
                    inner.fresh.clear();
                }
                inner.synced = upto;
                inner.synced_sequence = sequence;
                if inner.writing.is_some() {
                    inner.trouble = None;
                }
                Ok(())
            }
            Err(error) => {
                let path = self.disk.path(&file_name(writing.number));
                let trouble = LastingError::new(path.clone(), "fdatasync", &error).of_sync();
                inner.failures += 1;
                inner.writing = None;
                // Told by whoever begins a segment next: that may fail now and succeed a second later.
                inner.unsaid.get_or_insert((path, Some(error.to_string())));
                let wall = inner.unsynced_since().unwrap_or_default();
                self.begin(inner, wall)?;
                // It works again, but the next round that succeeds ends this.
                inner.trouble = Some(trouble);
                Ok(())
            }
        }
    }

    /// Where the file that is written has been removed or another one has its name, a new segment takes all that is in it.
    fn replace_removed(&self, inner: &mut AppendState, now: Wall) -> Result<(), StoreError> {
        let Some(writing) = inner.writing.clone() else { return Ok(()) };
        let name = file_name(writing.number);
        let is_there = match self.disk.open(&name) {
            Ok(named) => named.identity() == writing.file.identity(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if is_there {
            return Ok(());
        }
        let reason = match read_back(&writing, inner.next_sequence) {
            Some((first_sequence, bytes)) => {
                inner.synced_sequence = first_sequence;
                inner.synced = Position { segment: writing.number, offset: SEGMENT_HEADER_BYTES };
                inner.syncing.clear();
                inner.fresh = Unsynced { bytes, since: Some(now) };
                None
            }
            // What is in memory is written again, as after a failed fdatasync.
            None => Some("it was removed, and not all of it can be read any more".to_string()),
        };
        inner.writing = None;
        inner.unsaid = Some((self.disk.path(&name), reason));
        self.begin(inner, now)
    }

    /// Begins a segment, with all that is unsynced in it, durably.
    pub(super) fn begin(&self, inner: &mut AppendState, now: Wall) -> Result<(), StoreError> {
        let number = inner.next_number;
        let name = file_name(number);
        let path = self.disk.path(&name);
        let nonce = inner.random.number() as u32;
        let (first_sequence, booted_at) = (inner.synced_sequence, self.options.booted_at);
        let header = SegmentHeader { number, nonce, first_sequence, made_at: now, booted_at };
        let outcome = match self.begin_file(inner, &name, &header) {
            Ok(begun) => begun,
            Err((doing, error)) => {
                match self.disk.remove(&name) {
                    // It stays, and its header says from which sequence on it holds what was written before. So nothing
                    // may be written there any more, and the next one is another.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        inner.next_number += 1;
                        inner.writing = None;
                    }
                    _ => {}
                }
                let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                let trouble = LastingError::new(path, doing, &error).of_sync();
                let told = trouble.error();
                inner.trouble = Some(trouble);
                inner.failures += 1;
                // Room may come back at any moment, and asking for it wears nothing out.
                inner.patience_s = if full { 0 } else { (inner.patience_s * 2).clamp(1, PATIENCE_S_MAX) };
                inner.retry_in_s = inner.patience_s;
                return Err(told);
            }
        };
        let (file, segment) = outcome;
        // What was not durable is in the new one now, and nobody is to read it twice.
        let synced = inner.synced;
        for place in std::mem::take(&mut inner.rewritten).into_iter().chain([synced]) {
            if let Some(segment) = inner.segments.get_mut(&place.segment) {
                segment.cut(place.offset);
            }
        }
        let end = segment.end();
        inner.segments.insert(number, segment);
        inner.writing = Some(Writing { number, nonce, file, end });
        inner.next_number = number + 1;
        inner.synced = Position { segment: number, offset: end };
        inner.synced_sequence = inner.next_sequence;
        inner.syncing.clear();
        inner.fresh.clear();
        inner.patience_s = 0;
        inner.retry_in_s = 0;
        inner.trouble = None;
        if let Some((failed, reason)) = inner.unsaid.take() {
            inner.rescues += u64::from(reason.is_some());
            let times = inner.rescues;
            inner.news.rescued(failed, self.disk.path(&name), reason, times);
        }
        Ok(())
    }

    fn begin_file(
        &self,
        inner: &AppendState,
        name: &str,
        header: &SegmentHeader,
    ) -> Result<Begun, BeginError> {
        let used: u64 = inner.segments.values().map(|segment| segment.file_bytes).sum();
        if used > self.options.bytes_max {
            return Err(("begin a segment", io::ErrorKind::StorageFull.into()));
        }
        let file = self.disk.create(name).map_err(|e| ("create", e))?;
        file.write_all_at(&header.encode(), 0).map_err(|e| ("write", e))?;
        file.sync_data().map_err(|e| ("fdatasync", e))?;
        self.disk.sync_dir().map_err(|e| ("fsync of the directory", e))?;
        let mut segment = Segment::new(header.nonce, SEGMENT_HEADER_BYTES);
        let unsynced = inner.syncing.bytes.len() + inner.fresh.bytes.len();
        if unsynced > 0 {
            let mut frames = Vec::with_capacity(unsynced);
            frames.extend_from_slice(&inner.syncing.bytes);
            frames.extend_from_slice(&inner.fresh.bytes);
            readdress(&mut frames, header, &mut segment);
            file.write_all_at(&frames, SEGMENT_HEADER_BYTES).map_err(|e| ("write", e))?;
            file.sync_data().map_err(|e| ("fdatasync", e))?;
        }
        Ok((file, segment))
    }

    pub(super) fn mark(&self, now: Wall) -> Result<Position, StoreError> {
        let payload = {
            let inner = self.inner();
            SyncMark { synced: inner.synced, sequence: inner.synced_sequence }.encode()
        };
        let crc = crc32fast::hash(&payload);
        self.append_frames(now, &[Payload { bytes: &payload, kind: FrameKind::Mark, records: 0, crc }])
    }
}

type Begun = (Arc<dyn DiskFile>, Segment);
type BeginError = (&'static str, io::Error);

/// Makes frames of one segment frames of another. They are ours, from memory.
fn readdress(frames: &mut [u8], to: &SegmentHeader, segment: &mut Segment) {
    let mut sequence = to.first_sequence;
    let mut at = 0;
    while let Some(bytes) = frames.get_mut(at..at + FRAME_HEADER_BYTES) {
        let Some(frame) = FrameHeader::decode_own(bytes) else { break };
        let frame = FrameHeader { segment: to.number, sequence, ..frame };
        bytes.copy_from_slice(&frame.encode(to.nonce));
        segment.add(SEGMENT_HEADER_BYTES + at as u64, frame.frame_bytes());
        at += frame.frame_bytes() as usize;
        sequence += 1;
    }
}

/// All frames of the segment that is written, and the sequence of the first; `None` where they are not all there and good.
fn read_back(writing: &Writing, next_sequence: u64) -> Option<(u64, Vec<u8>)> {
    let found = scan(writing.file.clone(), writing.end).ok()?.ok()?;
    if !found.holes.is_empty() || found.reached.next_sequence != next_sequence {
        return None;
    }
    let bytes = (writing.end - SEGMENT_HEADER_BYTES) as usize;
    let mut window = ReadWindow::new(writing.file.clone(), writing.end, bytes);
    Some((found.header.first_sequence, window.get(SEGMENT_HEADER_BYTES, bytes).ok()?.to_vec()))
}
