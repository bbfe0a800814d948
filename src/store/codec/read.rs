//! Bytes to records.

use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is left of the input.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn record(&mut self, base: Wall) -> Result<Record<'a>, CodecError> {
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

/// Reads one record from the front of `input` and moves it behind; on an error `input` stays as it was.
pub fn decode<'a>(input: &mut &'a [u8], base: Wall) -> Result<Record<'a>, CodecError> {
    let mut reader = Reader { rest: input };
    let record = reader.record(base)?;
    *input = reader.rest;
    Ok(record)
}
