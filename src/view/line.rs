//! Log lines: a beat or a notice, in one of three formats, appended to a buffer.
//!
//! Every beat becomes a line, so a line must cost next to nothing: no allocation, digits written by hand, and the
//! time stamp computed once a second. [`Lines`] holds that cache; within one second only the milliseconds (which the
//! classic format does not show) change. A line ends with `\n` and never holds another one: what came from outside
//! is either checked (ids and addresses) or escaped (see `words::one_line`).

use super::reason;
use super::words::{self, Value, exit_fact};
use crate::domain::address::Peer;
use crate::domain::beat::Exit;
use crate::domain::lang::Lang;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::Wall;
use crate::i18n::{self, ParseError, Word};
use jiff::tz::TimeZone;
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::str::FromStr;

/// What a line about a beat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatLine<'a> {
    /// Where it came from.
    pub peer: Peer,
    /// The address it reported.
    pub ip: Option<&'a str>,
    /// The monitor's name, only when it is not the address it reported.
    pub id: Option<&'a str>,
    /// How it came: `http`, `tcp` or `ws`.
    pub transport: &'static str,
    /// What it says about its sender; `None` is well.
    pub status: Option<&'a str>,
    /// How the run ended that has failed, where it tells.
    pub exit: Option<Exit>,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `2026-02-08 11:30:20 - heartbeat received - from: …`
    #[default]
    Classic,
    /// RFC 3339 time, level and `key=value`.
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Classic, Format::Text, Format::Json];

    /// Its name, as the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Classic => "classic",
            Format::Text => "text",
            Format::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Format, ParseError> {
        let known = Format::ALL.into_iter().find(|format| format.name() == text);
        known.ok_or(ParseError::NotLogFormat)
    }
}

/// Writes lines of one format in one language, in one time zone.
#[derive(Debug)]
pub struct Lines {
    format: Format,
    lang: Lang,
    zone: TimeZone,
    /// The second since 1970 for which `stamp` and `offset` hold.
    second: Option<i64>,
    /// `2026-02-08T11:30:20`.
    stamp: [u8; 19],
    /// `+08:00`.
    offset: [u8; 6],
}

impl Lines {
    /// A writer of lines whose times are those of `zone`.
    pub fn new(format: Format, lang: Lang, zone: TimeZone) -> Lines {
        let mut lines = Lines { format, lang, zone, second: None, stamp: *EPOCH, offset: *b"+00:00" };
        lines.turn_to(0);
        lines
    }

    /// From now on times are those of this zone.
    pub fn set_zone(&mut self, zone: TimeZone) {
        self.zone = zone;
        self.second = None;
    }

    /// Appends the line for a beat.
    pub fn beat(&mut self, out: &mut Vec<u8>, at: Wall, beat: &BeatLine<'_>) {
        match self.format {
            Format::Classic => {
                self.push_classic_time(out, at);
                beat.push_classic(out, self.lang);
            }
            Format::Text => {
                self.push_time(out, at);
                out.extend_from_slice(b" info beat from=");
                push_peer(out, beat.peer);
                for (name, text) in beat.facts() {
                    push_text_fact(out, name, text);
                }
                if let Some((name, number)) = beat.exit.map(exit_fact) {
                    push_text_number(out, name, number);
                }
            }
            Format::Json => {
                out.extend_from_slice(b"{\"time\":\"");
                self.push_time(out, at);
                out.extend_from_slice(b"\",\"level\":\"info\",\"event\":\"beat\",\"from\":\"");
                push_peer(out, beat.peer);
                out.push(b'"');
                for (name, text) in beat.facts() {
                    push_json_name(out, name);
                    push_json_text(out, text);
                }
                if let Some((name, number)) = beat.exit.map(exit_fact) {
                    push_json_name(out, name);
                    push_number(out, number);
                }
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }

    /// Appends the line for a notice.
    pub fn notice(&mut self, out: &mut Vec<u8>, at: Wall, notice: &Notice) {
        let sentence = words::sentence(self.lang, notice);
        match self.format {
            Format::Classic => {
                self.push_classic_time(out, at);
                out.extend_from_slice(sentence.as_bytes());
            }
            Format::Text => {
                self.push_time(out, at);
                for word in [notice.level().name(), notice.kind()] {
                    out.push(b' ');
                    out.extend_from_slice(word.as_bytes());
                }
                push_text_fact(out, "message", &sentence);
                for (name, value) in words::facts(notice) {
                    match value {
                        Value::Text(text) => push_text_fact(out, name, &text),
                        Value::Number(number) => push_text_number(out, name, number),
                        Value::Signed(number) => push_text_number(out, name, number),
                    }
                }
            }
            Format::Json => {
                out.extend_from_slice(b"{\"time\":\"");
                self.push_time(out, at);
                out.push(b'"');
                let head =
                    [("level", notice.level().name()), ("event", notice.kind()), ("message", &sentence)];
                for (name, text) in head {
                    push_json_name(out, name);
                    push_json_text(out, text);
                }
                for (name, value) in words::facts(notice) {
                    push_json_name(out, name);
                    match value {
                        Value::Text(text) => push_json_text(out, &text),
                        Value::Number(number) => push_number(out, number),
                        Value::Signed(number) => push_number(out, number),
                    }
                }
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }

    /// Local time as `2026-02-08T11:30:20`.
    pub fn local(&mut self, at: Wall) -> [u8; 19] {
        self.turn_to(at.0.div_euclid(1000));
        self.stamp
    }

    /// `2026-02-08 11:30:20 - `
    fn push_classic_time(&mut self, out: &mut Vec<u8>, at: Wall) {
        let mut head = *b"2026-02-08 11:30:20 - ";
        head[..19].copy_from_slice(&self.local(at));
        head[10] = b' ';
        out.extend_from_slice(&head);
    }

    /// `2026-02-08T11:30:20.123+08:00`
    fn push_time(&mut self, out: &mut Vec<u8>, at: Wall) {
        let mut time = *b"2026-02-08T11:30:20.123+08:00";
        time[..19].copy_from_slice(&self.local(at));
        let ms = at.0.rem_euclid(1000) as u32;
        write_digits(&mut time[20..23], ms);
        time[23..].copy_from_slice(&self.offset);
        out.extend_from_slice(&time);
    }

    /// Computes the stamp anew when the second is another one; the offset too, since a clock may have been put back.
    fn turn_to(&mut self, second: i64) {
        if self.second == Some(second) {
            return;
        }
        self.second = Some(second);
        // Years that four digits cannot show are shown as the epoch: no clock of ours reads them.
        let shown = if (-62_135_596_800..253_402_200_000).contains(&second) { second } else { 0 };
        let Ok(timestamp) = jiff::Timestamp::from_second(shown) else { return };
        let offset = self.zone.to_offset(timestamp);
        let local = offset.to_datetime(timestamp);
        write_digits(&mut self.stamp[0..4], local.year().unsigned_abs().into());
        for (place, number) in [
            (5, local.month()),
            (8, local.day()),
            (11, local.hour()),
            (14, local.minute()),
            (17, local.second()),
        ] {
            write_digits(&mut self.stamp[place..place + 2], number.unsigned_abs().into());
        }
        let minutes = offset.seconds().unsigned_abs() / 60;
        self.offset[0] = if offset.seconds() < 0 { b'-' } else { b'+' };
        write_digits(&mut self.offset[1..3], minutes / 60);
        write_digits(&mut self.offset[4..6], minutes % 60);
    }
}

impl<'a> BeatLine<'a> {
    /// Appends the sentence without time stamp and line end, as the classic format, syslog and the journal say it.
    pub fn push_classic(&self, out: &mut Vec<u8>, lang: Lang) {
        let label = |word: Word| word.in_lang(lang).as_bytes();
        let (from, ip) = (label(i18n::view::BEAT_FROM), label(i18n::view::BEAT_IP));
        let (id, status) = (label(i18n::view::BEAT_ID), label(i18n::view::BEAT_STATUS));
        out.extend_from_slice(from);
        push_peer(out, self.peer);
        out.extend_from_slice(ip);
        out.extend_from_slice(self.ip.unwrap_or("-").as_bytes());
        for (label, text) in [(id, self.id), (status, self.status)] {
            if let Some(text) = text {
                out.extend_from_slice(label);
                out.extend_from_slice(text.as_bytes());
            }
        }
        if let Some(exit) = self.exit {
            out.extend_from_slice(b", ");
            out.extend_from_slice(reason::exit(lang, exit).as_bytes());
        }
    }

    /// What is known beside the sender's address, with its names.
    fn facts(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        [("ip", self.ip), ("id", self.id), ("transport", Some(self.transport)), ("status", self.status)]
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
    }
}

/// Appends an address: IPv4 digit by digit, since most are, the rest through its `Display`.
pub fn push_peer(out: &mut Vec<u8>, peer: Peer) {
    match peer {
        Peer::Ip(IpAddr::V4(ip)) => {
            let mut text = [0u8; 16];
            let mut len = 0;
            for octet in ip.octets() {
                for (least, digit) in [(100, octet / 100), (10, octet / 10 % 10), (0, octet % 10)] {
                    if octet >= least {
                        text[len] = b'0' + digit;
                        len += 1;
                    }
                }
                text[len] = b'.';
                len += 1;
            }
            out.extend_from_slice(&text[..len - 1]);
        }
        Peer::Ip(IpAddr::V6(ip)) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{ip}");
        }
        Peer::Unix => out.extend_from_slice(b"unix"),
    }
}

/// The level at which beats are logged.
pub const BEAT_LEVEL: Level = Level::Info;

const EPOCH: &[u8; 19] = b"1970-01-01T00:00:00";

fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn push_number(out: &mut Vec<u8>, number: impl Display) {
    let _ = write!(out, "{number}");
}

fn push_text_number(out: &mut Vec<u8>, name: &str, number: impl Display) {
    let _ = write!(out, " {name}={number}");
}

/// ` name=text`, the text in quotes when a reader could not tell where it ends.
fn push_text_fact(out: &mut Vec<u8>, name: &str, text: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    let bare = !text.is_empty() && text.bytes().all(|b| b > b' ' && !matches!(b, b'"' | b'\\' | b'=' | 0x7f));
    if bare {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_json_text(out, text);
    }
}

fn push_json_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A JSON string, RFC 8259 section 7.
fn push_json_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0..b' ' => {
                    let _ = write!(out, "\\u{byte:04x}");
                }
                _ => out.push(byte),
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
