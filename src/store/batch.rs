//! Records on their way into a log, encoded as they come.
//!
//! A batch is a row of *parts*, each one frame of the log: the time its records count from, then the records. A part is
//! closed when it has grown to [`PART_BYTES_MAX`], so a frame has a bound and a batch of any size is taken in order.

use super::codec;
use crate::domain::record::{Change, Record};
use crate::domain::time::Wall;

/// A part ends behind the record that makes it this long.
pub const PART_BYTES_MAX: usize = 1024 * 1024;
/// Memory that an emptied batch keeps for its next records.
const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// The time that the records of a part count from stands before them: milliseconds, i64, little-endian.
const BASE_BYTES: usize = 8;

/// Records of one turn of a thread, to be appended together.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// The parts that are full; what lies behind them is the last part.
    closed: Vec<Ending>,
    /// How the last part stands.
    open: Ending,
    base: Wall,
}

/// What is known of a part.
#[derive(Clone, Copy, Debug, Default)]
struct Ending {
    /// Where it ends in the bytes; not kept for the open one.
    at: usize,
    records: u32,
    changes: bool,
}

/// One part, ready to be a frame.
#[derive(Clone, Copy, Debug)]
pub struct BatchPart<'a> {
    /// What [`visit`] reads.
    pub payload: &'a [u8],
    /// How many records.
    pub records: u32,
    /// Whether one of them is more than a beat that changed nothing.
    pub changes: bool,
}

impl Batch {
    /// An empty one.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Adds a record. Allocates only when the batch is longer than it ever was.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>) {
        if self.open.records == 0 {
            self.base = record.at;
            self.bytes.extend_from_slice(&record.at.0.to_le_bytes());
        }
        codec::encode(record, self.base, &mut self.bytes);
        self.open.records += 1;
        self.open.changes |= record.change != Change::None;
        if self.bytes.len() - self.start() >= PART_BYTES_MAX {
            self.closed.push(Ending { at: self.bytes.len(), ..self.open });
            self.open = Ending::default();
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many records are in it.
    pub fn len(&self) -> usize {
        let closed: usize = self.closed.iter().map(|part| part.records as usize).sum();
        closed + self.open.records as usize
    }

    /// Whether a record in it does more than tell of a beat that changed nothing.
    pub fn has_changes(&self) -> bool {
        self.open.changes || self.closed.iter().any(|part| part.changes)
    }

    /// Bytes of its records as a log will hold them, frames not counted.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it and keeps its memory, unless that became uncommonly large.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.closed.clear();
        self.open = Ending::default();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
            self.closed = Vec::new();
        }
    }

    /// Its parts in order.
    pub fn parts(&self) -> impl Iterator<Item = BatchPart<'_>> {
        let last = (self.open.records > 0).then_some(Ending { at: self.bytes.len(), ..self.open });
        let mut from = 0;
        self.closed.iter().copied().chain(last).map(move |end| {
            let payload = self.bytes.get(from..end.at).unwrap_or_default();
            from = end.at;
            BatchPart { payload, records: end.records, changes: end.changes }
        })
    }

    /// Visits its records in order.
    pub fn for_each(&self, mut each: impl FnMut(&Record<'_>)) {
        for part in self.parts() {
            // What was encoded here can be read here.
            let _ = visit(part.payload, |_, record| each(record));
        }
    }

    /// Its records in order.
    pub fn records(&self) -> Vec<Record<'_>> {
        let mut records = Vec::with_capacity(self.len());
        for part in self.parts() {
            let Some((base, mut rest)) = part.payload.split_first_chunk::<BASE_BYTES>() else { continue };
            let base = Wall(i64::from_le_bytes(*base));
            // What was encoded here can be read here.
            while let Ok(record) = codec::decode(&mut rest, base) {
                records.push(record);
            }
        }
        records
    }

    fn start(&self) -> usize {
        self.closed.last().map_or(0, |part| part.at)
    }
}

/// One record that borrows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    base: Wall,
    bytes: Vec<u8>,
}

impl OwnedRecord {
    /// Takes a copy.
    pub fn new(record: &Record<'_>) -> OwnedRecord {
        let mut bytes = Vec::new();
        codec::encode(record, record.at, &mut bytes);
        OwnedRecord { base: record.at, bytes }
    }

    /// The same, borrowed. What was encoded here can be read here, so it is never `None`.
    pub fn borrow(&self) -> Option<Record<'_>> {
        codec::decode(&mut &*self.bytes, self.base).ok()
    }
}

/// Visits the records of a part with the offset behind each; an error comes with the offset it is at.
pub fn visit(
    payload: &[u8],
    mut each: impl FnMut(usize, &Record<'_>),
) -> Result<(), (usize, codec::CodecError)> {
    let Some((base, mut rest)) = payload.split_first_chunk::<BASE_BYTES>() else {
        return Err((0, codec::CodecError::Short));
    };
    let base = Wall(i64::from_le_bytes(*base));
    while !rest.is_empty() {
        let record = codec::decode(&mut rest, base).map_err(|error| (payload.len() - rest.len(), error))?;
        each(payload.len() - rest.len(), &record);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::tests::{beat, record};
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_pushed_is_visited_in_order(records in vec(record(), 0..20)) {
            let mut batch = Batch::new();
            records.iter().for_each(|record| batch.push(record));
            prop_assert_eq!(batch.len(), records.len());
            prop_assert_eq!(batch.is_empty(), records.is_empty());
            prop_assert_eq!(batch.has_changes(), records.iter().any(|r| r.change != Change::None));
            let mut want = records.iter();
            batch.for_each(|record| assert_eq!(Some(record), want.next()));
            prop_assert_eq!(want.next(), None);
        }
    }

    #[test]
    fn a_large_batch_is_parted_and_gives_its_memory_back() {
        let mut batch = Batch::new();
        for version in 0..60_000 {
            batch.push(&beat("a-monitor", 7, version, Wall(1_770_000_000_000)));
        }
        let parts: Vec<BatchPart<'_>> = batch.parts().collect();
        assert!(parts.len() > 1, "{}", batch.bytes_len());
        assert!(parts.iter().all(|p| p.payload.len() <= PART_BYTES_MAX + codec::RECORD_BYTES_MAX));
        assert_eq!(parts.iter().map(|p| p.records).sum::<u32>(), 60_000);
        let mut next = 0;
        batch.for_each(|record| {
            assert_eq!(record.version, next);
            next += 1;
        });
        assert_eq!(next, 60_000);
        batch.clear();
        assert!(batch.is_empty() && batch.parts().next().is_none());
        assert_eq!(batch.len(), 0);
        assert!(batch.bytes.capacity() <= KEPT_BYTES_MAX);
    }
}
