//! Frames to messages: what is between two readings of a connection is this value and nothing else.
//!
//! A frame that lies whole in the input is handed on from where it stands. Only of one that does not, and of messages in
//! fragments, is anything kept: the head as it was sent, how much of its payload has come, and that payload. A control
//! frame that arrives in pieces between two fragments waits behind the message in the same buffer. Text is checked as it
//! comes, so that a wrong byte ends the connection at once and not after megabytes.

use super::close::{Code, WsError};
use super::frame::{FrameHead, HEAD_BYTES_MAX, Opcode, Role, apply_mask};
use crate::wire::blob;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WsEvent<'a> {
    /// A whole message.
    Message {
        /// Whether it was sent as text; then it is UTF-8.
        text: bool,
        /// It.
        bytes: Cow<'a, [u8]>,
    },
    /// A question whether we live.
    Ping(Cow<'a, [u8]>),
    /// The answer to ours, or a sign of life unasked.
    Pong(Cow<'a, [u8]>),
    /// The end; nothing comes after it.
    Close {
        /// Why, if it says so.
        code: Option<Code>,
        /// The same in words.
        reason: String,
    },
}

/// The receiving half of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    role: Role,
    over: bool,
    /// The kind of the message of which some fragments have come, not the last.
    message: Option<Opcode>,
    /// Bytes at the end of the pending text that are a character cut short.
    unchecked: u8,
    head_bytes: u8,
    head: [u8; HEAD_BYTES_MAX],
    /// How much of the frame's payload is pending.
    taken: usize,
    #[serde(with = "blob")]
    pending: Vec<u8>,
}

impl Inbound {
    /// Nothing has come yet.
    pub fn new(role: Role) -> Inbound {
        Inbound {
            role,
            over: false,
            message: None,
            unchecked: 0,
            head_bytes: 0,
            head: [0; HEAD_BYTES_MAX],
            taken: 0,
            pending: Vec::new(),
        }
    }

    /// Whether nothing that comes is heard any more.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// See [`super::Session::is_sound`]: whether whatever comes next finds in it what it takes for granted.
    pub fn is_sound(&self) -> bool {
        let Some(head) = self.head.get(..usize::from(self.head_bytes)) else { return false };
        let frame_bytes = match FrameHead::read(head, self.role) {
            // Read whole, and the payload has begun or is about to.
            Ok(Some(head)) => usize::try_from(head.bytes).unwrap_or(usize::MAX),
            Ok(None) => 0,
            Err(_) => return false,
        };
        let text = self.pending.get(self.pending.len().wrapping_sub(usize::from(self.unchecked))..);
        self.taken <= self.pending.len()
            && self.taken <= frame_bytes
            && head.len() <= FrameHead::length(head)
            && self.unchecked <= 3
            && text.is_some()
            && !self.message.is_some_and(|kind| !matches!(kind, Opcode::Text | Opcode::Binary))
    }

    /// See [`super::Session::is_inside_message`].
    pub fn is_inside_message(&self) -> bool {
        self.message.is_some()
    }

    /// See [`super::Session::is_between_messages`].
    pub fn is_between_messages(&self) -> bool {
        self.head_bytes == 0 && self.message.is_none()
    }

    /// Room taken for what is pending.
    pub fn kept_bytes(&self) -> usize {
        self.pending.capacity()
    }

    /// See [`super::Session::next`].
    pub fn next<'a>(
        &mut self,
        input: &'a mut [u8],
        message_bytes_max: usize,
    ) -> Result<(usize, Option<WsEvent<'a>>), WsError> {
        let all = input.len();
        let mut rest = input;
        while !self.over {
            let step = self.step(&mut rest, message_bytes_max);
            if step.is_err() || matches!(step, Ok(FrameStep::WsEvent(WsEvent::Close { .. }))) {
                // Also the memory of what was pending.
                *self = Inbound { over: true, ..Inbound::new(self.role) };
            }
            match step? {
                FrameStep::WsEvent(event) => return Ok((all - rest.len(), Some(event))),
                FrameStep::Fragment => {}
                FrameStep::Short => break,
            }
        }
        Ok((all, None))
    }

    /// Goes on to the end of a frame, or of the input.
    fn step<'a>(
        &mut self,
        rest: &mut &'a mut [u8],
        message_bytes_max: usize,
    ) -> Result<FrameStep<'a>, WsError> {
        let Some(head) = self.read_head(rest)? else { return Ok(FrameStep::Short) };
        let control = head.opcode.is_control();
        let kind = match (head.opcode, self.message) {
            (opcode, _) if control => opcode,
            (Opcode::Continuation, None) => {
                return Err(WsError::Protocol("a continuation of a message that was not begun"));
            }
            (Opcode::Continuation, Some(kind)) => kind,
            (_, Some(_)) => return Err(WsError::Protocol("a new message before the last has ended")),
            (opcode, None) => opcode,
        };
        let before = self.pending.len() - self.taken;
        let frame_bytes = usize::try_from(head.bytes).unwrap_or(usize::MAX);
        if !control && before.saturating_add(frame_bytes) > message_bytes_max {
            return Err(WsError::TooBig(message_bytes_max));
        }
        let arrived = (frame_bytes - self.taken).min(rest.len());
        let (part, tail) = std::mem::take(rest).split_at_mut(arrived);
        *rest = tail;
        if let Some(mask) = head.mask {
            apply_mask(part, mask, self.taken);
        }
        let payload: Cow<'a, [u8]> = if arrived == frame_bytes && (control || (head.fin && before == 0)) {
            if kind == Opcode::Text {
                std::str::from_utf8(part).map_err(|_| WsError::NotUtf8)?;
            }
            Cow::Borrowed(part)
        } else {
            self.pending.extend_from_slice(part);
            self.taken += arrived;
            if kind == Opcode::Text {
                self.check_text(arrived)?;
            }
            if self.taken < frame_bytes {
                return Ok(FrameStep::Short);
            }
            if !control && !head.fin {
                self.end_frame(Some(kind));
                return Ok(FrameStep::Fragment);
            }
            if self.unchecked > 0 && !control {
                return Err(WsError::NotUtf8);
            }
            let begin = if control { before } else { 0 };
            // Splitting off all would leave as much room behind as it takes away.
            let whole = begin == 0;
            Cow::Owned(if whole { std::mem::take(&mut self.pending) } else { self.pending.split_off(begin) })
        };
        self.end_frame(if control { self.message } else { None });
        Ok(FrameStep::WsEvent(match kind {
            Opcode::Ping => WsEvent::Ping(payload),
            Opcode::Pong => WsEvent::Pong(payload),
            Opcode::Close => close(&payload)?,
            _ => WsEvent::Message { text: kind == Opcode::Text, bytes: payload },
        }))
    }

    /// Takes what is missing of the head from the input; `None` when that does not reach.
    fn read_head(&mut self, rest: &mut &mut [u8]) -> Result<Option<FrameHead>, WsError> {
        loop {
            let have = usize::from(self.head_bytes);
            if let Some(head) = FrameHead::read(&self.head[..have], self.role)? {
                return Ok(Some(head));
            }
            let missing = FrameHead::length(&self.head[..have]) - have;
            let arrived = missing.min(rest.len());
            if arrived == 0 {
                return Ok(None);
            }
            let (part, tail) = std::mem::take(rest).split_at_mut(arrived);
            *rest = tail;
            self.head[have..have + arrived].copy_from_slice(part);
            self.head_bytes += arrived as u8;
        }
    }

    fn end_frame(&mut self, message: Option<Opcode>) {
        self.message = message;
        self.head_bytes = 0;
        self.head = [0; HEAD_BYTES_MAX];
        self.taken = 0;
    }

    /// Checks the last `arrived` bytes of a text, and the character before them that was cut short.
    fn check_text(&mut self, arrived: usize) -> Result<(), WsError> {
        let from = self.pending.len() - arrived - usize::from(self.unchecked);
        match std::str::from_utf8(&self.pending[from..]) {
            Ok(_) => self.unchecked = 0,
            Err(error) if error.error_len().is_none() => {
                // Three bytes at most.
                self.unchecked = (self.pending.len() - from - error.valid_up_to()) as u8;
            }
            Err(_) => return Err(WsError::NotUtf8),
        }
        Ok(())
    }
}

enum FrameStep<'a> {
    WsEvent(WsEvent<'a>),
    Fragment,
    Short,
}

fn close<'a>(payload: &[u8]) -> Result<WsEvent<'a>, WsError> {
    let (code, reason) = match *payload {
        [] => (None, &[][..]),
        [_] => return Err(WsError::Protocol("a close with half a code")),
        [a, b, ref reason @ ..] => (Some(Code(u16::from_be_bytes([a, b]))), reason),
    };
    if code.is_some_and(|code| !code.is_sendable()) {
        return Err(WsError::Protocol("a close with a code that may not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| WsError::NotUtf8)?.to_string();
    Ok(WsEvent::Close { code, reason })
}
