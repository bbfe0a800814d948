//! A frame as bytes (RFC 6455, 5.2): its head read and judged, its payload masked, the whole written.

use super::close::WsError;
use serde::{Deserialize, Serialize};

/// Longest payload of a close, ping or pong.
pub const CONTROL_BYTES_MAX: usize = 125;
/// Longest head: two bytes, a long length, a mask.
pub const HEAD_BYTES_MAX: usize = 14;

/// What the payload of a client is mixed with; anew and not to be guessed for every frame.
pub type Mask = [u8; 4];

/// Which end of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Its input is masked, its output is not.
    Server,
    /// The other way round.
    Client,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opcode {
    /// More of the message that has begun.
    Continuation = 0x0,
    /// A text, or its beginning.
    Text = 0x1,
    /// Bytes, or their beginning.
    Binary = 0x2,
    /// The end.
    Close = 0x8,
    /// A question.
    Ping = 0x9,
    /// Its answer.
    Pong = 0xA,
}

impl Opcode {
    fn of(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether it may come in the middle of a message.
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether it ends its message.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What its payload is mixed with.
    pub mask: Option<Mask>,
    /// The length of its payload.
    pub bytes: u64,
}

impl FrameHead {
    /// How long the head is that begins so, as far as its first two bytes tell.
    pub fn length(begun: &[u8]) -> usize {
        let [_, second, ..] = begun else { return 2 };
        let extended = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + if second & 0x80 == 0 { 0 } else { 4 }
    }

    /// Judges a head that was sent to `role`. `None` while it is not whole; a fault as soon as the first two bytes show
    /// one.
    pub fn read(begun: &[u8], role: Role) -> Result<Option<FrameHead>, WsError> {
        let [first, second, ..] = *begun else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(WsError::Protocol("a reserved bit is set, but no extension was agreed on"));
        }
        let opcode = Opcode::of(first & 0x0F).ok_or(WsError::Protocol("an opcode that is reserved"))?;
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            return Err(WsError::Protocol("a control frame in fragments"));
        }
        let short = second & 0x7F;
        if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(WsError::Protocol("a control frame of more than 125 bytes"));
        }
        let masked = second & 0x80 != 0;
        match role {
            Role::Server if !masked => return Err(WsError::Protocol("a frame of a client without a mask")),
            Role::Client if masked => return Err(WsError::Protocol("a frame of a server with a mask")),
            _ => {}
        }
        let length = FrameHead::length(begun);
        let Some(head) = begun.get(..length) else { return Ok(None) };
        let (extended, mask) = head[2..].split_at(length - 2 - if masked { 4 } else { 0 });
        let (bytes, least) = match *extended {
            [a, b] => (u64::from(u16::from_be_bytes([a, b])), 126),
            [a, b, c, d, e, f, g, h] => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 0x1_0000),
            _ => (u64::from(short), 0),
        };
        if bytes < least {
            return Err(WsError::Protocol("a length written with more bytes than it needs"));
        }
        if bytes > i64::MAX as u64 {
            return Err(WsError::Protocol("a length of more than 63 bits"));
        }
        Ok(Some(FrameHead { fin, opcode, mask: mask.try_into().ok(), bytes }))
    }
}

/// Mixes bytes with the mask, or unmixes them; they stand `at` bytes into the payload.
pub fn apply_mask(bytes: &mut [u8], mask: Mask, at: usize) {
    let mut turned = mask;
    turned.rotate_left(at % 4);
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut eights = bytes.chunks_exact_mut(8);
    for eight in &mut eights {
        if let Ok(eight) = <&mut [u8; 8]>::try_from(eight) {
            *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
        }
    }
    for (byte, mask) in eights.into_remainder().iter_mut().zip(turned.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Writes a frame.
pub fn write(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8], mask: Option<Mask>) {
    out.push(if fin { 0x80 } else { 0 } | opcode as u8);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        short @ 0..126 => out.push(masked | short as u8),
        middle @ 126..0x1_0000 => {
            out.push(masked | 126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(masked | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask.unwrap_or_default()[..if mask.is_some() { 4 } else { 0 }]);
    let begin = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[begin..], mask, 0);
    }
}
