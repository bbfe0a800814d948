//! The bytes of a segment: a header, then frames.
//!
//! ```text
//! header, 4096 bytes; the first 64 stand again at byte 2048:
//!   0 magic "hb-journ"   8 format u32   12 nonce u32   16 number u64   24 first sequence u64   32 made at, ms i64
//!   40 booted at, ms i64; 0: not known   48 zeros             60 CRC of the 60 bytes before
//! frame, 48 bytes and the payload:
//!   0 magic "HBfr"   4 length of the payload u32   8 segment u64   16 sequence u64   24 wall time, ms i64
//!   32 kind u8, see [`FrameKind`]   33 zeros   36 records u32   40 CRC of the payload u32   44 CRC of the 44 bytes before, begun at the nonce
//! ```
//!
//! All little-endian. The sequence counts the frames of the journal, not of the segment. A frame's header has a CRC of
//! its own, so that a reader can pass over a frame without its payload, and so that a broken payload does not hide where
//! the next frame begins. That CRC begins at the nonce of the segment: what a recycled block or another journal left
//! behind never matches, whatever numbers it bears.

use crate::domain::time::Wall;
use crate::store::Position;
use crate::store::batch::PART_BYTES_MAX;
use crate::store::codec::RECORD_BYTES_MAX;

/// Where the first frame of a segment stands.
pub const SEGMENT_HEADER_BYTES: u64 = 4096;
/// What a frame takes besides its payload.
pub const FRAME_HEADER_BYTES: usize = 48;
/// The longest payload: a part is closed behind the record that fills it.
pub const PAYLOAD_BYTES_MAX: usize = PART_BYTES_MAX + RECORD_BYTES_MAX;
/// What a frame begins with.
pub const FRAME_MAGIC: [u8; 4] = *b"HBfr";

const FORMAT: u32 = 1;
const SEGMENT_MAGIC: [u8; 8] = *b"hb-journ";
const COPY_BYTES: usize = 64;
const COPIES_AT: [usize; 2] = [0, 2048];

/// What the beginning of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The segment's number, from 1.
    pub number: u64,
    /// Drawn anew for each segment.
    pub nonce: u32,
    /// The sequence of its first frame. What earlier segments hold from there on is superseded.
    pub first_sequence: u64,
    /// When it was made.
    pub made_at: Wall,
    /// When the machine had been started, as far as that was known.
    pub booted_at: Option<Wall>,
}

/// Why the beginning of a file is not that of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Neither copy is whole.
    Broken,
    /// A later version made it.
    TooNew(u32),
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// It holds records.
    Records {
        /// Whether one of them does more than tell of a beat that changed nothing.
        changes: bool,
    },
    /// A sign of life, which holds the position everything before which is synced.
    Mark,
    /// A later version made it, for something that this one does not know.
    Unknown(u8),
}

impl FrameKind {
    /// The byte in the header. Whoever does not know one with its highest bit set may pass the frame over.
    fn byte(self) -> u8 {
        match self {
            FrameKind::Records { changes: false } => 1,
            FrameKind::Records { changes: true } => 2,
            FrameKind::Mark => 3,
            FrameKind::Unknown(byte) => byte,
        }
    }

    fn of_byte(byte: u8) -> FrameKind {
        match byte {
            1 => FrameKind::Records { changes: false },
            2 => FrameKind::Records { changes: true },
            3 => FrameKind::Mark,
            byte => FrameKind::Unknown(byte),
        }
    }

    /// The greatest byte that this version gives a meaning.
    pub const KNOWN: u8 = 3;

    /// The byte of a kind that has to be known by whoever reads the journal, and is not.
    pub fn must_be_known(self) -> Option<u8> {
        match self {
            FrameKind::Unknown(byte) if byte < 0x80 => Some(byte),
            _ => None,
        }
    }
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload.
    pub payload_bytes: u32,
    /// The segment it was written to.
    pub segment: u64,
    /// Counts the frames of the journal.
    pub sequence: u64,
    /// When it was written.
    pub wall: Wall,
    /// What it is for.
    pub kind: FrameKind,
    /// How many records it holds.
    pub records: u32,
    /// Of the payload.
    pub payload_crc: u32,
}

impl SegmentHeader {
    /// The first [`SEGMENT_HEADER_BYTES`] of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut copy = [0; COPY_BYTES];
        put(&mut copy, 0, &SEGMENT_MAGIC);
        put(&mut copy, 8, &FORMAT.to_le_bytes());
        put(&mut copy, 12, &self.nonce.to_le_bytes());
        put(&mut copy, 16, &self.number.to_le_bytes());
        put(&mut copy, 24, &self.first_sequence.to_le_bytes());
        put(&mut copy, 32, &self.made_at.0.to_le_bytes());
        put(&mut copy, 40, &self.booted_at.map_or(0, |wall| wall.0).to_le_bytes());
        let crc = crc32fast::hash(&copy[..60]);
        put(&mut copy, 60, &crc.to_le_bytes());
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        COPIES_AT.into_iter().for_each(|at| put(&mut bytes, at, &copy));
        bytes
    }

    /// Reads it from the beginning of a file, from whichever copy is whole.
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderError> {
        for at in COPIES_AT {
            let Some(copy) = bytes.get(at..at + COPY_BYTES) else { continue };
            let (covered, crc) = copy.split_at(60);
            if covered.get(..8) != Some(&SEGMENT_MAGIC) || crc32fast::hash(covered).to_le_bytes() != *crc {
                continue;
            }
            let format = u32::from_le_bytes(get(copy, 8));
            if format != FORMAT {
                return Err(HeaderError::TooNew(format));
            }
            return Ok(SegmentHeader {
                number: u64::from_le_bytes(get(copy, 16)),
                nonce: u32::from_le_bytes(get(copy, 12)),
                first_sequence: u64::from_le_bytes(get(copy, 24)),
                made_at: Wall(i64::from_le_bytes(get(copy, 32))),
                booted_at: Some(Wall(i64::from_le_bytes(get(copy, 40)))).filter(|wall| wall.0 != 0),
            });
        }
        Err(HeaderError::Broken)
    }
}

impl FrameHeader {
    /// The header's bytes in a segment of this nonce.
    pub fn encode(&self, nonce: u32) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        put(&mut bytes, 0, &FRAME_MAGIC);
        put(&mut bytes, 4, &self.payload_bytes.to_le_bytes());
        put(&mut bytes, 8, &self.segment.to_le_bytes());
        put(&mut bytes, 16, &self.sequence.to_le_bytes());
        put(&mut bytes, 24, &self.wall.0.to_le_bytes());
        bytes[32] = self.kind.byte();
        put(&mut bytes, 36, &self.records.to_le_bytes());
        put(&mut bytes, 40, &self.payload_crc.to_le_bytes());
        let crc = header_crc(&bytes, nonce);
        put(&mut bytes, 44, &crc.to_le_bytes());
        bytes
    }

    /// Reads it; `None` unless the bytes begin with a whole header of a frame in a segment of this nonce.
    pub fn decode(bytes: &[u8], nonce: u32) -> Option<FrameHeader> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
        let ours = bytes.get(..4) == Some(&FRAME_MAGIC);
        let whole = ours && header_crc(bytes, nonce).to_le_bytes() == get::<4>(bytes, 44);
        if whole { FrameHeader::decode_own(bytes) } else { None }
    }

    /// Reads a header that this process wrote and kept in memory, without a look at its CRC.
    pub fn decode_own(bytes: &[u8]) -> Option<FrameHeader> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
        let payload_bytes = u32::from_le_bytes(get(bytes, 4));
        (payload_bytes as usize <= PAYLOAD_BYTES_MAX).then_some(FrameHeader {
            payload_bytes,
            segment: u64::from_le_bytes(get(bytes, 8)),
            sequence: u64::from_le_bytes(get(bytes, 16)),
            wall: Wall(i64::from_le_bytes(get(bytes, 24))),
            kind: FrameKind::of_byte(bytes[32]),
            records: u32::from_le_bytes(get(bytes, 36)),
            payload_crc: u32::from_le_bytes(get(bytes, 40)),
        })
    }

    /// The whole frame's length.
    pub fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }
}

/// What a mark says: everything before this would survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncMark {
    /// The place.
    pub synced: Position,
    /// The sequence of the frame there.
    pub sequence: u64,
}

impl SyncMark {
    /// The payload of its frame.
    pub fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        put(&mut bytes, 0, &self.synced.segment.to_le_bytes());
        put(&mut bytes, 8, &self.synced.offset.to_le_bytes());
        put(&mut bytes, 16, &self.sequence.to_le_bytes());
        bytes
    }

    /// Reads the payload.
    pub fn decode(payload: &[u8]) -> Option<SyncMark> {
        (payload.len() == 24).then(|| SyncMark {
            synced: Position {
                segment: u64::from_le_bytes(get(payload, 0)),
                offset: u64::from_le_bytes(get(payload, 8)),
            },
            sequence: u64::from_le_bytes(get(payload, 16)),
        })
    }
}

/// The name of a segment's file.
pub fn file_name(number: u64) -> String {
    format!("{number:016}.log")
}

/// The number of the segment that has this file name; `None` for every other file.
pub fn number_of(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".log")?.parse().ok()?;
    (number > 0 && file_name(number) == name).then_some(number)
}

fn header_crc(bytes: &[u8], nonce: u32) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(nonce);
    crc.update(bytes.get(..44).unwrap_or_default());
    crc.finalize()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        number: 7,
        nonce: 0xabcd,
        first_sequence: 40,
        made_at: Wall(1_770_000_000_000),
        booted_at: Some(Wall(1_760_000_000_000)),
    };

    fn frame() -> FrameHeader {
        FrameHeader {
            payload_bytes: 16,
            segment: 7,
            sequence: 41,
            wall: Wall(-5),
            kind: FrameKind::Records { changes: true },
            records: 2,
            payload_crc: 99,
        }
    }

    #[test]
    fn a_segment_is_known_as_long_as_one_copy_of_its_header_is_whole() {
        let bytes = HEADER.encode();
        assert_eq!(bytes.len() as u64, SEGMENT_HEADER_BYTES);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        for place in 0..COPY_BYTES {
            let mut broken = bytes.clone();
            broken[place] ^= 4;
            assert_eq!(SegmentHeader::decode(&broken), Ok(HEADER), "byte {place}");
            broken[2048 + place] ^= 4;
            assert_eq!(SegmentHeader::decode(&broken), Err(HeaderError::Broken), "byte {place}");
        }
        assert_eq!(SegmentHeader::decode(&[]), Err(HeaderError::Broken));
    }

    #[test]
    fn a_frame_is_of_its_segment_only_and_no_bit_of_its_header_may_change() {
        let bytes = frame().encode(0xabcd);
        assert_eq!(FrameHeader::decode(&bytes, 0xabcd), Some(frame()));
        assert_eq!(FrameHeader::decode(&bytes, 0xabce), None);
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut broken = bytes;
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&broken, 0xabcd), None, "bit {bit}");
        }
    }

    #[test]
    fn names_of_segments_sort_as_their_numbers_and_no_other_file_is_taken_for_one() {
        assert_eq!(number_of(&file_name(1)), Some(1));
        assert!(file_name(9) < file_name(10));
        for other in
            ["1.log", "0000000000000000.log", "damaged", "000000000000000a.log", "0000000000000001.log~"]
        {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
