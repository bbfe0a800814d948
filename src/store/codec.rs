//! Records to bytes and back.
//!
//! A record is written for every beat while a shard is locked, so this is made of two cheap passes: the numbers go as
//! varints into a little array on the stack, which is then added to the batch at once, and the id and the seldom
//! details follow as they are. A typical beat of a monitor with a 16-byte id takes some 50 bytes.
//!
//! ```text
//! byte 0    format << 5 | has details << 4 | has incident << 3 | change
//! byte 1    last beat is `at` << 7 | has last beat << 6 | beneath << 3 | state
//! byte 2    is asked for patience << 6 | has sequence << 5 | kind of peer << 3 | status
//! byte 3    transport
//! byte 4    length of the id
//! then      [state before] [exit code or signal] number version at-base at-since [at-last beat] beats [address]
//!           [last window:u32 gaps repeats] interval grace [asked] [beats at-started cause [exit] [at-run]], the id, [details]
//! ```
//!
//! Times are differences: `at` to a base that the whole batch shares, the others to `at`; all are exact for every
//! value. Integers are LEB128, signed ones zigzag. Reading borrows its texts, refuses whatever it does not know, and
//! allocates no more than the input is long.

use crate::domain::address::Peer;
use crate::domain::beat::{Exit, Source, Status, Transport};
use crate::domain::id::IdRef;
use crate::domain::limits::ID_BYTES_MAX;
use crate::domain::notice::State;
use crate::domain::record::{
    Cause, Change, Details, OpenIncident, Pause, PausedBy, Reason, Record, Run, Sequence,
};
use crate::domain::time::{Span, Wall};
pub use read::decode;
use std::net::IpAddr;

mod read;

/// The format that is written; 1 to 7. Those before it are read: in format 1 an exit code is one byte, a
/// message has no time, an incident no more than its cause, and no change is [`Change::Failed`].
pub const FORMAT: u8 = 2;
/// Most bytes of a record. The limits of a beat keep every record far below; one above it is written without its
/// details.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They end too early.
    #[error("a record ends too early")]
    Short,
    /// A later version of the program wrote them.
    #[error("a record of format {0}, which this version does not know")]
    Format(u8),
    /// A value that means nothing.
    #[error("a record with an unknown {0}")]
    Value(&'static str),
}

/// Appends a record to `out`; `base` must be given again to [`decode`].
#[inline]
pub fn encode(record: &Record<'_>, base: Wall, out: &mut Vec<u8>) {
    let from = out.len();
    write(record, base, record.details.as_ref(), out);
    if out.len() - from > RECORD_BYTES_MAX {
        out.truncate(from);
        write(record, base, None, out);
    }
}

/// Room for everything but the id and the details, when every number is as long as it can be.
const FIXED_BYTES_MAX: usize = 5 + 1 + 7 * 10 + 16 + 10 + 4 + 5 + 5 + 2 * 10 + 10 + 2 * 10 + 1 + 2 * 10;

const PEER_UNIX: u8 = 0;
const PEER_V4: u8 = 1;
const PEER_V6: u8 = 2;

/// Beside the cause of an incident.
const EXIT_CODE: u8 = 8;
const EXIT_SIGNAL: u8 = 16;
const EXIT_BOTH: u8 = EXIT_CODE | EXIT_SIGNAL;
const RUN_STARTED: u8 = 32;

const REPORTED_IP: u8 = 1;
const MESSAGE: u8 = 2;
const SKEW: u8 = 4;
const RUN_TOOK: u8 = 8;
const PAUSE: u8 = 16;
const PAUSE_ENDS: u8 = 32;
const PAUSED_BY_WINDOW: u8 = 64;
const DECLARED: u8 = 128;

#[inline]
fn write(record: &Record<'_>, base: Wall, details: Option<&Details<'_>>, out: &mut Vec<u8>) {
    let mut pen = Pen { bytes: [0; FIXED_BYTES_MAX], at: 0 };
    let (change, before) = match record.change {
        Change::None => (0, None),
        Change::Created => (1, None),
        Change::State { from, muted: false } => (2, Some(from)),
        Change::State { from, muted: true } => (3, Some(from)),
        Change::Removed => (4, None),
        Change::Failed => (5, None),
    };
    let (status, exit) = match record.status {
        Status::Ok => (0, None),
        Status::Fail => (1, None),
        Status::Start => (2, None),
        Status::Log => (3, None),
        Status::Exit(code) => (4, Some(zigzag(code))),
        Status::Signal(number) => (5, Some(number.into())),
    };
    let peer = match record.source.peer {
        Peer::Unix => PEER_UNIX,
        Peer::Ip(IpAddr::V4(_)) => PEER_V4,
        Peer::Ip(IpAddr::V6(_)) => PEER_V6,
    };
    let id = record.id.as_str().as_bytes();
    let now_heard = record.last_beat == Some(record.at);
    pen.byte(FORMAT << 5 | bit(details.is_some(), 4) | bit(record.incident.is_some(), 3) | change);
    pen.byte(
        bit(now_heard, 7)
            | bit(record.last_beat.is_some(), 6)
            | state_code(record.beneath) << 3
            | state_code(record.state),
    );
    pen.byte(bit(record.asked.is_some(), 6) | bit(record.sequence.is_some(), 5) | peer << 3 | status);
    pen.byte(transport_code(record.source.transport));
    pen.byte(id.len() as u8); // an IdRef has at most 128 bytes
    if let Some(state) = before {
        pen.byte(state_code(state));
    }
    if let Some(code) = exit {
        pen.number(code);
    }
    pen.number(record.number);
    pen.number(record.version);
    pen.difference(record.at, base);
    pen.difference(record.at, record.since);
    if let (Some(last), false) = (record.last_beat, now_heard) {
        pen.difference(record.at, last);
    }
    pen.number(record.beats);
    match record.source.peer {
        Peer::Unix => {}
        Peer::Ip(IpAddr::V4(ip)) => pen.raw(&ip.octets()),
        Peer::Ip(IpAddr::V6(ip)) => pen.raw(&ip.octets()),
    }
    if let Some(sequence) = &record.sequence {
        pen.number(sequence.last);
        pen.raw(&sequence.window.to_le_bytes());
        pen.number(sequence.gaps.into());
        pen.number(sequence.repeats.into());
    }
    pen.number(record.interval.0);
    pen.number(record.grace.0);
    if let Some(asked) = record.asked {
        pen.number(asked.0);
    }
    if let Some(incident) = &record.incident {
        pen.number(incident.beats);
        pen.difference(record.at, incident.started);
        let Reason { cause, exit, run_started } = incident.reason;
        let (exit_kind, exit) = match exit {
            None => (0, None),
            Some(Exit::Code(code)) => (EXIT_CODE, Some(zigzag(code))),
            Some(Exit::Signal(number)) => (EXIT_SIGNAL, Some(number.into())),
        };
        pen.byte(cause_code(cause) | exit_kind | if run_started.is_some() { RUN_STARTED } else { 0 });
        if let Some(exit) = exit {
            pen.number(exit);
        }
        if let Some(started) = run_started {
            pen.difference(record.at, started);
        }
    }
    out.extend_from_slice(pen.bytes.get(..pen.at).unwrap_or_default());
    out.extend_from_slice(id);
    if let Some(details) = details {
        write_details(details, record.at, out);
    }
}

#[cold]
fn write_details(details: &Details<'_>, at: Wall, out: &mut Vec<u8>) {
    let pause = details.pause;
    let flags = bit(details.reported_ip.is_some(), 0)
        | bit(details.message.is_some(), 1)
        | bit(details.skew_ms.is_some(), 2)
        | bit(details.run_took.is_some(), 3)
        | bit(pause.is_some(), 4)
        | bit(pause.is_some_and(|p| p.until.is_some()), 5)
        | bit(pause.is_some_and(|p| p.by == PausedBy::Window), 6)
        | bit(details.declared, 7);
    out.push(flags);
    if let Some(ip) = details.reported_ip {
        text(ip.as_str(), out);
    }
    if let Some(message) = details.message {
        text(message, out);
        number(details.message_beat, out);
        out.push(details.message_at.is_some().into());
        if let Some(said_at) = details.message_at {
            number(zigzag(at.0.wrapping_sub(said_at.0)), out);
        }
    }
    if let Some(skew_ms) = details.skew_ms {
        number(zigzag(skew_ms), out);
    }
    if let Some(took) = details.run_took {
        number(took.0, out);
    }
    if let Some(until) = pause.and_then(|p| p.until) {
        number(zigzag(at.0.wrapping_sub(until.0)), out);
    }
    number(details.tags.len() as u64, out);
    for tag in &details.tags {
        text(tag, out);
    }
    number(details.runs.len() as u64, out);
    for run in &details.runs {
        text(run.rid, out);
        number(zigzag(at.0.wrapping_sub(run.started.0)), out);
        number(run.limit.0, out);
    }
}

fn bit(set: bool, place: u8) -> u8 {
    u8::from(set) << place
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn text(text: &str, out: &mut Vec<u8>) {
    number(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn state_code(state: State) -> u8 {
    match state {
        State::New => 0,
        State::Up => 1,
        State::Late => 2,
        State::Down => 3,
        State::Paused => 4,
    }
}

fn cause_code(cause: Cause) -> u8 {
    match cause {
        Cause::Silence => 0,
        Cause::Fail => 1,
        Cause::RunTooLong => 2,
        Cause::NeverHeard => 3,
    }
}

fn state_of(code: u8) -> Result<State, CodecError> {
    State::ALL.into_iter().find(|s| state_code(*s) == code).ok_or(CodecError::Value("state"))
}

/// The number of a transport in a record; numbers are never given anew.
fn transport_code(transport: Transport) -> u8 {
    match transport {
        Transport::Http => 0,
        Transport::Tcp => 1,
        Transport::Ws => 2,
    }
}

fn transport_of(code: u8) -> Result<Transport, CodecError> {
    Transport::ALL.into_iter().find(|t| transport_code(*t) == code).ok_or(CodecError::Value("transport"))
}

/// Writes into an array that is long enough for all that is ever written.
struct Pen {
    bytes: [u8; FIXED_BYTES_MAX],
    at: usize,
}

impl Pen {
    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = byte;
            self.at += 1;
        }
    }

    #[inline(always)]
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline(always)]
    fn difference(&mut self, at: Wall, other: Wall) {
        self.number(zigzag(at.0.wrapping_sub(other.0)));
    }

    #[inline(always)]
    fn raw(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.at..self.at + bytes.len()) {
            place.copy_from_slice(bytes);
            self.at += bytes.len();
        }
    }
}

const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize, "the length of an id is one byte");

#[cfg(test)]
pub(crate) mod tests;
