//! WebSocket (RFC 6455) as plain values: bytes in, events out, bytes to send; no socket, no clock, no randomness.
//!
//! [`handshake`] is the HTTP before it, [`frame`] a frame as bytes, [`receive`] what makes messages of frames, and
//! [`Session`] one end of a connection: that, and what an end owes the other by itself. Both roles are here, so that
//! client and server cannot disagree. No extension is offered, so reserved bits are always an error.
//!
//! An idle session is some dozens of bytes and nothing on the heap. What is pending is what has arrived: the length a
//! head promises is checked, never reserved. Cut at any byte, the same input yields the same events.

pub mod close;
pub mod frame;
pub mod handshake;
pub mod receive;

pub use close::{Code, WsError};
pub use frame::{Mask, Opcode, Role};
pub use receive::WsEvent;

use receive::Inbound;
use serde::{Deserialize, Serialize};

/// One end of a connection after the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    inbound: Inbound,
    close_sent: bool,
}

/// How long a reason may be: a close frame is a control frame, and its code takes two bytes.
const REASON_BYTES_MAX: usize = frame::CONTROL_BYTES_MAX - 2;

impl Session {
    /// The state after a handshake.
    pub fn new(role: Role) -> Session {
        Session { inbound: Inbound::new(role), close_sent: false }
    }

    /// The next event in `input`, and how much of it is used up; with no event all of it is. The bytes are unmasked
    /// where they stand. After a fault, and after the other end's close, whatever comes is thrown away.
    pub fn next<'a>(
        &mut self,
        input: &'a mut [u8],
        message_bytes_max: usize,
    ) -> Result<(usize, Option<WsEvent<'a>>), WsError> {
        self.inbound.next(input, message_bytes_max)
    }

    /// Writes what the event is owed without anybody's asking: a pong to a ping, a close to a close.
    pub fn reply(&mut self, event: &WsEvent<'_>, mask: Option<Mask>, out: &mut Vec<u8>) {
        match event {
            WsEvent::Message { .. } | WsEvent::Pong(_) => {}
            WsEvent::Ping(payload) => self.send(Opcode::Pong, payload, mask, out),
            WsEvent::Close { code: Some(code), .. } => self.close(*code, "", mask, out),
            WsEvent::Close { code: None, .. } => {
                self.send(Opcode::Close, &[], mask, out);
                self.close_sent = true;
            }
        }
    }

    /// Writes a whole message, a ping or a pong; nothing once a close is sent.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8], mask: Option<Mask>, out: &mut Vec<u8>) {
        if !self.close_sent {
            frame::write(out, true, opcode, payload, mask);
        }
    }

    /// Writes a close, once.
    pub fn close(&mut self, code: Code, reason: &str, mask: Option<Mask>, out: &mut Vec<u8>) {
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut payload = code.0.to_be_bytes().to_vec();
        payload.extend_from_slice(&reason.as_bytes()[..end]);
        self.send(Opcode::Close, &payload, mask, out);
        self.close_sent = true;
    }

    /// Whether we have sent a close, after which nothing more may be sent.
    pub fn has_sent_close(&self) -> bool {
        self.close_sent
    }

    /// Whether the other end has closed, or a fault has made an end of what it sends.
    pub fn has_heard_all(&self) -> bool {
        self.inbound.is_over()
    }

    /// Whether this can be the state of a session; one that was read from outside may be anything.
    pub fn is_sound(&self) -> bool {
        self.inbound.is_sound()
    }

    /// Whether fragments of a message have come, and not the last.
    pub fn is_inside_message(&self) -> bool {
        self.inbound.is_inside_message()
    }

    /// Bytes that are kept of a message that is not whole.
    pub fn kept_bytes(&self) -> usize {
        self.inbound.kept_bytes()
    }

    /// Whether nothing of a frame or message has come that is not yet an event.
    pub fn is_between_messages(&self) -> bool {
        self.inbound.is_between_messages()
    }
}

#[cfg(test)]
mod differential_tests;
#[cfg(test)]
mod tests;
