//! The frame dialect: a C struct of two 32-bit integers, little-endian as on the machines of today, then a payload.
//!
//! Type 0 (HEART) has length 0. Type 1 (OTHER) is followed by `length` bytes that mean nothing to us. Nothing is
//! answered. Only the head of an unfinished frame is kept, never a payload.

use serde::{Deserialize, Serialize};

/// The length of a head.
pub const HEAD_BYTES: usize = 8;
/// How a HEART begins.
pub const HEART: [u8; 4] = [0, 0, 0, 0];
/// How an OTHER begins.
pub const OTHER: [u8; 4] = [1, 0, 0, 0];

/// The end of the last whole frame, and what has come since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    head: [u8; HEAD_BYTES],
    /// Bytes of the head that have come.
    have: u8,
    /// Bytes of the payload that have not.
    skip: u32,
}

/// A head that no sender of frames writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// Its type.
    pub kind: i32,
    /// Its length.
    pub length: i32,
}

impl Frames {
    /// Whether this can be a state; one that was read from outside may be anything.
    pub fn is_sound(&self) -> bool {
        usize::from(self.have) < HEAD_BYTES
    }

    /// Whether part of a frame has come.
    pub fn is_inside_frame(&self) -> bool {
        self.have > 0 || self.skip > 0
    }

    /// Takes bytes in; `whole` is called at the end of each frame. A payload may have `length_max` bytes.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        length_max: usize,
        whole: &mut impl FnMut(),
    ) -> Result<(), Impossible> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = bytes.len().min(self.skip as usize);
                bytes = &bytes[skipped..];
                self.skip -= skipped as u32;
                if self.skip == 0 {
                    whole();
                }
                continue;
            }
            let have = usize::from(self.have);
            let taken = bytes.len().min(HEAD_BYTES - have);
            self.head[have..have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken as u8;
            bytes = &bytes[taken..];
            if usize::from(self.have) < HEAD_BYTES {
                return Ok(());
            }
            self.have = 0;
            let [a, b, c, d, e, f, g, h] = self.head;
            let (kind, length) = (i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h]));
            match (kind, u32::try_from(length)) {
                (0, Ok(0)) | (1, Ok(0)) => whole(),
                (1, Ok(length)) if length as usize <= length_max => self.skip = length,
                _ => return Err(Impossible { kind, length }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: i32, length: i32) -> Vec<u8> {
        [kind.to_le_bytes(), length.to_le_bytes()].concat()
    }

    #[test]
    fn whole_frames_are_counted_however_they_are_cut() {
        let mut stream = frame(0, 0);
        stream.extend(frame(1, 5));
        stream.extend(b"\0\x01abc");
        stream.extend(frame(1, 0));
        stream.extend(frame(0, 0));
        for size in 1..=stream.len() {
            let (mut frames, mut count) = (Frames::default(), 0);
            for piece in stream.chunks(size) {
                frames.feed(piece, 5, &mut || count += 1).unwrap();
            }
            assert_eq!((count, frames.have, frames.skip), (4, 0, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn impossible_heads_are_told() {
        for (kind, length) in
            [(2, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (1, 6), (1, i32::MAX), (i32::MIN, 0)]
        {
            let said = Frames::default().feed(&frame(kind, length), 5, &mut || panic!("no frame"));
            assert_eq!(said, Err(Impossible { kind, length }));
        }
    }
}
