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
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Reads one record from the front of `input` and moves it behind; on an error `input` stays as it was.
pub fn decode<'a>(input: &mut &'a [u8], base: Wall) -> Result<Record<'a>, CodecError> {
    let mut reader = Reader { rest: input };
    let record = reader.record(base)?;
    *input = reader.rest;
    Ok(record)
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

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn record(&mut self, base: Wall) -> Result<Record<'a>, CodecError> {
        let [head, states, form, transport, id_bytes] = self.array()?;
        let format = head >> 5;
        if !(1..=FORMAT).contains(&format) {
            return Err(CodecError::Format(format));
        }
        if form & 0x80 != 0 || states & 0xc0 == 0x80 {
            return Err(CodecError::Value("flag"));
        }
        let change = match head & 7 {
            0 => Change::None,
            1 => Change::Created,
            kind @ (2 | 3) => Change::State { from: state_of(self.byte()?)?, muted: kind == 3 },
            4 => Change::Removed,
            5 if format > 1 => Change::Failed,
            _ => return Err(CodecError::Value("change")),
        };
        let status = match form & 7 {
            0 => Status::Ok,
            1 => Status::Fail,
            2 => Status::Start,
            3 => Status::Log,
            4 if format == 1 => Status::Exit(self.byte()?.into()),
            4 => Status::Exit(unzigzag(self.number()?)),
            5 if format > 1 => Status::Signal(self.signal()?),
            _ => return Err(CodecError::Value("status")),
        };
        let (state, beneath) = (state_of(states & 7)?, state_of(states >> 3 & 7)?);
        let (number, version) = (self.number()?, self.number()?);
        let at = Wall(base.0.wrapping_add(unzigzag(self.number()?)));
        let since = self.time(at)?;
        let last_beat = match states >> 6 {
            0 => None,
            1 => Some(self.time(at)?),
            _ => Some(at),
        };
        let beats = self.number()?;
        let peer = match form >> 3 & 3 {
            PEER_UNIX => Peer::Unix,
            PEER_V4 => Peer::from_ip(IpAddr::V4(Ipv4Addr::from(self.array::<4>()?))),
            PEER_V6 => Peer::from_ip(IpAddr::V6(Ipv6Addr::from(self.array::<16>()?))),
            _ => return Err(CodecError::Value("address")),
        };
        let sequence = match form & 0x20 {
            0 => None,
            _ => Some(Sequence {
                last: self.number()?,
                window: u32::from_le_bytes(self.array()?),
                gaps: self.small()?,
                repeats: self.small()?,
            }),
        };
        let (interval, grace) = (Span(self.number()?), Span(self.number()?));
        let asked = if form & 0x40 == 0 { None } else { Some(Span(self.number()?)) };
        let incident = match head & 8 {
            0 => None,
            _ => Some(OpenIncident {
                beats: self.number()?,
                started: self.time(at)?,
                reason: self.reason(format, at)?,
            }),
        };
        let id = self.take(id_bytes.into())?;
        let id = std::str::from_utf8(id).ok().and_then(|id| IdRef::new(id).ok());
        let id = id.ok_or(CodecError::Value("id"))?;
        let details = if head & 16 == 0 { None } else { Some(self.details(format, at)?) };
        let source = Source { peer, transport: transport_of(transport)? };
        Ok(Record {
            id,
            number,
            version,
            at,
            change,
            state,
            beneath,
            since,
            last_beat,
            beats,
            status,
            source,
            sequence,
            interval,
            grace,
            asked,
            incident,
            details,
        })
    }

    fn reason(&mut self, format: u8, at: Wall) -> Result<Reason, CodecError> {
        let byte = self.byte()?;
        let cause = Cause::ALL.into_iter().find(|cause| cause_code(*cause) == byte & 7);
        let known = if format == 1 { byte <= 1 } else { byte & 0xc0 == 0 && byte & EXIT_BOTH != EXIT_BOTH };
        let cause = cause.filter(|_| known).ok_or(CodecError::Value("cause"))?;
        let exit = match byte & EXIT_BOTH {
            EXIT_CODE => Some(Exit::Code(unzigzag(self.number()?))),
            EXIT_SIGNAL => Some(Exit::Signal(self.signal()?)),
            _ => None,
        };
        let run_started = if byte & RUN_STARTED == 0 { None } else { Some(self.time(at)?) };
        Ok(Reason { cause, exit, run_started })
    }

    fn signal(&mut self) -> Result<u8, CodecError> {
        u8::try_from(self.number()?).map_err(|_| CodecError::Value("signal"))
    }

    fn details(&mut self, format: u8, at: Wall) -> Result<Details<'a>, CodecError> {
        let flags = self.byte()?;
        let has = |flag: u8| flags & flag != 0;
        if !has(PAUSE) && (has(PAUSE_ENDS) || has(PAUSED_BY_WINDOW)) {
            return Err(CodecError::Value("pause"));
        }
        let mut details = Details { declared: has(DECLARED), ..Details::default() };
        if has(REPORTED_IP) {
            let ip = IdRef::new(self.text()?).map_err(|_| CodecError::Value("reported address"))?;
            details.reported_ip = Some(ip);
        }
        if has(MESSAGE) {
            details.message = Some(self.text()?);
            if format > 1 {
                details.message_beat = self.number()?;
                details.message_at = match self.byte()? {
                    0 => None,
                    1 => Some(self.time(at)?),
                    _ => return Err(CodecError::Value("flag")),
                };
            }
        }
        if has(SKEW) {
            details.skew_ms = Some(unzigzag(self.number()?));
        }
        if has(RUN_TOOK) {
            details.run_took = Some(Span(self.number()?));
        }
        if has(PAUSE) {
            let by = if has(PAUSED_BY_WINDOW) { PausedBy::Window } else { PausedBy::Person };
            let until = if has(PAUSE_ENDS) { Some(self.time(at)?) } else { None };
            details.pause = Some(Pause { by, until });
        }
        // Each takes a byte at least, so what is left of the input bounds what is allocated.
        let tags = self.count()?;
        details.tags.reserve_exact(tags);
        for _ in 0..tags {
            details.tags.push(self.text()?);
        }
        let runs = self.count()?;
        for _ in 0..runs {
            let rid = self.text()?;
            details.runs.push(Run { rid, started: self.time(at)?, limit: Span(self.number()?) });
        }
        Ok(details)
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, CodecError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Value("number"))
    }

    fn small(&mut self) -> Result<u32, CodecError> {
        u32::try_from(self.number()?).map_err(|_| CodecError::Value("number"))
    }

    fn count(&mut self) -> Result<usize, CodecError> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count > self.rest.len() { Err(CodecError::Short) } else { Ok(count) }
    }

    fn time(&mut self, at: Wall) -> Result<Wall, CodecError> {
        Ok(Wall(at.0.wrapping_sub(unzigzag(self.number()?))))
    }

    fn text(&mut self) -> Result<&'a str, CodecError> {
        let bytes = self.count()?;
        std::str::from_utf8(self.take(bytes)?).map_err(|_| CodecError::Value("text"))
    }
}

const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize, "the length of an id is one byte");

#[cfg(test)]
pub(crate) mod tests;
