//! What is known of a segment in memory: which stretches of it are good, and where in them frames begin.

use super::frame::SEGMENT_HEADER_BYTES;

/// One segment. Whoever reads, reads its extents only: what lies between them is damaged, what lies behind them is not
/// written yet, or superseded.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub(super) nonce: u32,
    /// Good stretches in order, each a whole number of frames; the last one grows while the segment is written.
    pub(super) extents: Vec<Extent>,
    /// Places where a frame begins, in order, one for each [`INDEX_STEP_BYTES`] or so.
    index: Vec<u64>,
    /// Length of the file.
    pub(super) file_bytes: u64,
    /// Whether damage was found in it.
    pub(super) damaged: bool,
    /// Whether no copy of it could be kept yet.
    pub(super) unkept: bool,
}

/// From `start` to before `end`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// A place in the middle of a frame is found by walking from the place in the index before it, at most so far.
const INDEX_STEP_BYTES: u64 = 64 * 1024;

impl Segment {
    pub(super) fn new(nonce: u32, file_bytes: u64) -> Segment {
        Segment { nonce, file_bytes, ..Segment::default() }
    }

    /// Adds a frame behind those before.
    pub(super) fn add(&mut self, start: u64, bytes: u64) {
        if self.index.last().is_none_or(|last| start >= last + INDEX_STEP_BYTES) {
            self.index.push(start);
        }
        match self.extents.last_mut() {
            Some(extent) if extent.end == start => extent.end += bytes,
            _ => self.extents.push(Extent { start, end: start + bytes }),
        }
        self.file_bytes = self.file_bytes.max(start + bytes);
    }

    /// Forgets everything from a place on, where a frame begins or a good stretch ends.
    pub(super) fn cut(&mut self, at: u64) {
        self.extents.retain(|extent| extent.start < at);
        if let Some(extent) = self.extents.last_mut() {
            extent.end = extent.end.min(at);
        }
        self.index.retain(|place| *place < at);
    }

    /// Whether nothing was ever in it. A damaged one says what became of its frames, at further starts too.
    pub(super) fn is_unused(&self) -> bool {
        self.extents.is_empty() && !self.damaged
    }

    /// Whether a place lies in a good stretch.
    pub(super) fn holds(&self, offset: u64) -> bool {
        self.extents.iter().any(|extent| extent.start <= offset && offset < extent.end)
    }

    /// Where the good part ends.
    pub(super) fn end(&self) -> u64 {
        self.extents.last().map_or(SEGMENT_HEADER_BYTES, |extent| extent.end)
    }

    /// The first good stretch with something behind `offset`, beginning at a frame not after the one `offset` is in.
    pub(super) fn piece(&self, offset: u64) -> Option<Extent> {
        let extent = self.extents.iter().find(|extent| extent.end > offset)?;
        let before = self.index.partition_point(|place| *place <= offset);
        let place = before.checked_sub(1).and_then(|last| self.index.get(last)).copied().unwrap_or(0);
        Some(Extent { start: extent.start.max(place), end: extent.end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_stretches_are_kept_apart_and_walked_from_a_frame_before() {
        let mut segment = Segment::new(1, 0);
        for start in (4096..300_000).step_by(10_000) {
            segment.add(start, 10_000);
        }
        let end = segment.end();
        segment.add(end + 500, 100);
        assert_eq!(segment.extents.len(), 2);
        let piece = segment.piece(150_000).unwrap();
        assert_eq!((piece.start - 4096) % 10_000, 0);
        assert!(piece.start <= 150_000 && 150_000 - piece.start <= INDEX_STEP_BYTES + 10_000);
        assert_eq!(segment.piece(end), Some(Extent { start: end + 500, end: end + 600 }));
        assert_eq!(segment.piece(end + 600), None);
        segment.cut(14_096);
        assert_eq!(segment.extents, [Extent { start: 4096, end: 14_096 }]);
        assert_eq!(segment.end(), 14_096);
    }
}
