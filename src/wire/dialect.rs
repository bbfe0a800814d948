//! What is spoken on a raw TCP connection: found out from its first bytes, then read for as long as it lasts.
//!
//! | Dialect | Begins with | An event is |
//! |---|---|---|
//! | frame | `00 00 00 00` or `01 00 00 00` | a whole frame, see [`super::frame`] |
//! | pong | `pong` | each `pong`; what else comes means nothing |
//! | line | `PING` and a line end, `HEARTBEAT\|`, `BEAT `, `AUTH `, `QUIT` | a line, see [`super::line`] |
//! | ping | `PING` without a line end | each `PING`; any other byte makes it the line dialect |
//! | text | `hello server`, or anything else | each `hello server`, and free text up to a NUL |
//!
//! What speaks something else is told by its first bytes too ([`Foreign`]): the request of a browser or a scanner must never
//! be taken for a sign of life.
//!
//! No dialect but that of lines and of frames tells where something ends, so a `PING` might still become a line, and free
//! text might go on. Both are taken for whole once nothing more came for a moment: [`DialectParser::wants_quiet`] asks for that, and
//! [`DialectParser::quiet`] says that it has passed. A beginning of a known word is never taken for whole by that.
//!
//! Cut at any byte, the same bytes make the same events. An idle connection is a few bytes: only the beginning of a first
//! word, a head or a line is kept.

use super::frame::{self, Frames, Impossible};
use super::line::{self, Dropped, LineCommand};
use crate::domain::beat::Warning;
use crate::domain::limits::{LINE_BYTES_MAX, TALK_READ_BYTES_MAX};
use crate::wire::blob;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Something that has come.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // looked at once where it was made
pub enum DialectEvent<'a> {
    /// A whole frame.
    Frame,
    /// A `pong`.
    Pong,
    /// A `PING` without a line end.
    BarePing,
    /// A packet of text.
    Packet,
    /// A line that says what it should.
    Command(LineCommand<'a>),
    /// A line that does not; the reason.
    Wrong(Cow<'static, str>),
    /// Frames that cannot be read on; nothing more comes.
    Impossible(Impossible),
    /// The opening of another protocol; nothing more comes.
    Foreign(Foreign),
}

/// A protocol that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A request line of HTTP, as a web page can make any browser send it.
    Http,
    /// A ClientHello.
    Tls,
    /// `SSH-` (RFC 4253, 4.2).
    Ssh,
    /// A message of SMB, with or without the head of NetBIOS before it.
    Smb,
}

/// Beginnings that are not ours. None begins with another one, nor with a word of a dialect.
const FOREIGN: [(&[u8], Foreign); 16] = [
    (b"GET /", Foreign::Http),
    (b"GET http", Foreign::Http),
    (b"HEAD /", Foreign::Http),
    (b"POST /", Foreign::Http),
    (b"PUT /", Foreign::Http),
    (b"PATCH /", Foreign::Http),
    (b"DELETE /", Foreign::Http),
    (b"OPTIONS /", Foreign::Http),
    (b"OPTIONS *", Foreign::Http),
    (b"TRACE /", Foreign::Http),
    (b"CONNECT ", Foreign::Http),
    (b"PRI * HTTP/2", Foreign::Http),
    // The record of a handshake, of version 3.x (RFC 8446, 5.1).
    (b"\x16\x03", Foreign::Tls),
    (b"SSH-", Foreign::Ssh),
    (b"\xffSMB", Foreign::Smb),
    (b"\xfeSMB", Foreign::Smb),
];

/// The head of NetBIOS before a message of SMB: type 0, a length of three bytes of which the first is 0 here.
const NETBIOS_BYTES: usize = 4;

/// What is foreign about the first bytes: `Ok` once it is known, `Err(true)` while it may be.
fn foreign(first: &[u8]) -> Result<Foreign, bool> {
    if let Some((_, foreign)) = FOREIGN.iter().find(|(word, _)| *word == first) {
        return Ok(*foreign);
    }
    let begins = |rest: &[u8]| FOREIGN.iter().any(|(word, _)| word.starts_with(rest));
    match first.split_at_checked(NETBIOS_BYTES) {
        _ if begins(first) => Err(true),
        None => Err([0, 0].starts_with(&first[..first.len().min(2)])),
        Some(([0, 0, ..], b"\xffSMB" | b"\xfeSMB")) => Ok(Foreign::Smb),
        Some(([0, 0, ..], rest)) => Err(b"\xffSMB".starts_with(rest) || b"\xfeSMB".starts_with(rest)),
        Some(_) => Err(false),
    }
}

/// What is spoken, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Nothing has come that would tell.
    Unknown,
    /// Frames.
    Frame,
    /// `pong`, to our `ping`.
    Pong,
    /// Lines.
    Line,
    /// `PING` without line ends.
    Ping,
    /// `hello server` and free text.
    Text,
}

/// One connection's conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialectParser(ParserStage);

/// The longest beginning that is kept until it is known what it begins.
const FIRST_BYTES_MAX: usize = 12;
const HELLO: &[u8] = b"hello server";
const PONG: &[u8] = b"pong";
const PING: &[u8] = b"PING";

/// Words by which a dialect is known. None begins with another one.
const FIRST_WORDS: [(&[u8], Dialect); 11] = [
    (&frame::HEART, Dialect::Frame),
    (&frame::OTHER, Dialect::Frame),
    (PONG, Dialect::Pong),
    (PING, Dialect::Ping),
    (b"HEARTBEAT|", Dialect::Line),
    (b"BEAT ", Dialect::Line),
    (b"AUTH ", Dialect::Line),
    (b"QUIT", Dialect::Line),
    (HELLO, Dialect::Text),
    // An empty line of text; an empty line before anything else means nothing.
    (b"\n\0", Dialect::Text),
    (b"\r\n\0", Dialect::Text),
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ParserStage {
    First {
        bytes: [u8; FIRST_BYTES_MAX],
        have: u8,
    },
    Frame(Frames),
    Pong {
        matched: u8,
    },
    Line {
        #[serde(with = "blob")]
        begun: Vec<u8>,
        too_long: bool,
        /// Bytes that were dropped from the middle of a long message.
        #[serde(default)]
        dropped: u32,
    },
    Ping {
        matched: u8,
    },
    Text {
        matched: u8,
        open: PacketState,
    },
    Over,
}

/// Whether a packet of free text is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum PacketState {
    #[default]
    No,
    /// A line end came, which is a packet only if a NUL follows.
    Blank,
    Yes,
}

impl Default for ParserStage {
    fn default() -> ParserStage {
        ParserStage::First { bytes: [0; FIRST_BYTES_MAX], have: 0 }
    }
}

impl DialectParser {
    /// Bytes that are kept of something that is not whole.
    pub fn kept_bytes(&self) -> usize {
        match &self.0 {
            ParserStage::Line { begun, .. } => begun.len(),
            _ => 0,
        }
    }

    /// A connection on which nothing has been said.
    pub fn new() -> DialectParser {
        DialectParser::default()
    }

    /// What is spoken.
    pub fn dialect(&self) -> Dialect {
        match self.0 {
            ParserStage::First { .. } | ParserStage::Over => Dialect::Unknown,
            ParserStage::Frame(_) => Dialect::Frame,
            ParserStage::Pong { .. } => Dialect::Pong,
            ParserStage::Line { .. } => Dialect::Line,
            ParserStage::Ping { .. } => Dialect::Ping,
            ParserStage::Text { .. } => Dialect::Text,
        }
    }

    /// Whether this can be the state of a conversation; one that was read from outside may be anything.
    pub fn is_sound(&self) -> bool {
        match &self.0 {
            ParserStage::First { have, .. } => usize::from(*have) < FIRST_BYTES_MAX,
            ParserStage::Frame(frames) => frames.is_sound(),
            ParserStage::Pong { matched } => usize::from(*matched) < PONG.len(),
            ParserStage::Line { begun, dropped, .. } => {
                begun.len() <= BEGUN_BYTES_MAX && (*dropped == 0 || line::kept_head(begun).is_some())
            }
            ParserStage::Ping { matched } => usize::from(*matched) <= PING.len(),
            ParserStage::Text { matched, .. } => usize::from(*matched) < HELLO.len(),
            ParserStage::Over => true,
        }
    }

    /// Whether nothing at all has come.
    pub fn is_silent(&self) -> bool {
        matches!(self.0, ParserStage::First { have: 0, .. })
    }

    /// Whether part of something has come that has an end, and not that end.
    pub fn is_inside_message(&self) -> bool {
        match &self.0 {
            ParserStage::First { have, .. } => *have > 0,
            ParserStage::Frame(frames) => frames.is_inside_frame(),
            ParserStage::Line { begun, too_long, .. } => *too_long || !begun.is_empty(),
            ParserStage::Ping { matched } => *matched > 0 && usize::from(*matched) < PING.len(),
            ParserStage::Text { matched, open } => *matched > 0 || *open == PacketState::Yes,
            // Whatever comes there besides `pong` means nothing, and shows that somebody is there.
            ParserStage::Pong { .. } | ParserStage::Over => false,
        }
    }

    /// Whether it must be told when nothing more has come for a moment.
    pub fn wants_quiet(&self) -> bool {
        match self.0 {
            ParserStage::Ping { matched } => usize::from(matched) == PING.len(),
            ParserStage::Text { open, .. } => open == PacketState::Yes,
            _ => false,
        }
    }

    /// Nothing more has come for a moment.
    pub fn quiet(&mut self, tell: &mut impl FnMut(DialectEvent<'_>)) {
        if !self.wants_quiet() {
            return;
        }
        match &mut self.0 {
            ParserStage::Ping { matched } => {
                *matched = 0;
                tell(DialectEvent::BarePing);
            }
            ParserStage::Text { open, .. } => {
                *open = PacketState::No;
                tell(DialectEvent::Packet);
            }
            _ => {}
        }
    }

    /// Takes bytes in. A frame's payload may have `length_max` bytes.
    pub fn feed(&mut self, mut bytes: &[u8], length_max: usize, tell: &mut impl FnMut(DialectEvent<'_>)) {
        while !bytes.is_empty() {
            let used = match &mut self.0 {
                ParserStage::First { .. } => self.first(bytes[0], length_max, tell),
                ParserStage::Frame(frames) => {
                    let fed = frames.feed(bytes, length_max, &mut || tell(DialectEvent::Frame));
                    if let Err(impossible) = fed {
                        self.0 = ParserStage::Over;
                        tell(DialectEvent::Impossible(impossible));
                    }
                    bytes.len()
                }
                ParserStage::Pong { matched } => {
                    for byte in bytes {
                        if step(PONG, matched, *byte) == WordMatch::Whole {
                            tell(DialectEvent::Pong);
                        }
                    }
                    bytes.len()
                }
                ParserStage::Text { matched, open } => {
                    bytes.iter().for_each(|byte| text(matched, open, *byte, tell));
                    bytes.len()
                }
                ParserStage::Ping { matched } => {
                    let next = PING.get(usize::from(*matched)).or(PING.first());
                    if next != Some(&bytes[0]) {
                        // It was the beginning of a line all along.
                        let begun = PING[..usize::from(*matched)].to_vec();
                        self.0 = ParserStage::Line { begun, too_long: false, dropped: 0 };
                        0
                    } else {
                        if usize::from(*matched) == PING.len() {
                            *matched = 0;
                            tell(DialectEvent::BarePing);
                        }
                        *matched += 1;
                        1
                    }
                }
                ParserStage::Line { begun, too_long, dropped } => {
                    let (used, goes_on) = line_of(begun, too_long, dropped, bytes, tell);
                    if !goes_on {
                        self.0 = ParserStage::Over;
                    }
                    used
                }
                ParserStage::Over => return,
            };
            bytes = &bytes[used..];
        }
    }

    /// Takes one of the first bytes; always uses it.
    fn first(&mut self, byte: u8, length_max: usize, tell: &mut impl FnMut(DialectEvent<'_>)) -> usize {
        let ParserStage::First { bytes, have } = &mut self.0 else { return 0 };
        let begun = usize::from(*have);
        if let Some(place) = bytes.get_mut(begun) {
            *place = byte;
        }
        *have += 1;
        let first = *bytes;
        let first = &first[..(begun + 1).min(FIRST_BYTES_MAX)];
        if let Some((_, dialect)) = FIRST_WORDS.iter().find(|(word, _)| *word == first) {
            self.0 = match dialect {
                Dialect::Frame => ParserStage::Frame(Frames::default()),
                Dialect::Pong => ParserStage::Pong { matched: 0 },
                Dialect::Ping => ParserStage::Ping { matched: 0 },
                Dialect::Line => ParserStage::Line { begun: Vec::new(), too_long: false, dropped: 0 },
                Dialect::Text | Dialect::Unknown => ParserStage::Text { matched: 0, open: PacketState::No },
            };
            self.feed(first, length_max, tell);
        } else if let Ok(foreign) = foreign(first) {
            self.0 = ParserStage::Over;
            tell(DialectEvent::Foreign(foreign));
        } else if !FIRST_WORDS.iter().any(|(word, _)| word.starts_with(first)) && foreign(first) != Err(true)
        {
            // An empty line, and what came behind it begins anew.
            let blank = [&b"\r\n"[..], b"\n"].into_iter().find(|end| begun > 0 && first.starts_with(end));
            self.0 = match blank {
                Some(_) => ParserStage::default(),
                None => ParserStage::Text { matched: 0, open: PacketState::No },
            };
            self.feed(&first[blank.map_or(0, <[u8]>::len)..], length_max, tell);
        }
        1
    }
}

/// Takes as much as a line from `bytes`: how much that was, and whether more lines may follow.
///
/// A line that is too long is refused, once, unless it is a beat with a long message: of that the middle is dropped.
fn line_of(
    begun: &mut Vec<u8>,
    too_long: &mut bool,
    dropped: &mut u32,
    bytes: &[u8],
    tell: &mut impl FnMut(DialectEvent<'_>),
) -> (usize, bool) {
    let bytes = &bytes[..bytes.len().min(TALK_READ_BYTES_MAX)];
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let part = &bytes[..end.unwrap_or(bytes.len())];
    let used = end.map_or(bytes.len(), |end| end + 1);
    if *too_long {
        *too_long = end.is_none();
        return (used, true);
    }
    // A whole line in one piece is read where it lies.
    let whole_here = begun.is_empty() && end.is_some() && part.len() <= LINE_BYTES_MAX;
    if !whole_here {
        begun.extend_from_slice(part);
        if *dropped == 0 && begun.len() > LINE_BYTES_MAX && line::kept_head(begun).is_none() {
            *begun = Vec::new();
            *too_long = end.is_none();
            tell(DialectEvent::Wrong(Cow::Owned(format!("a line has at most {LINE_BYTES_MAX} bytes"))));
            return (used, true);
        }
        let is_long = *dropped > 0 || begun.len() > LINE_BYTES_MAX;
        if is_long && (end.is_some() || begun.len() > BEGUN_BYTES_MAX) {
            drop_the_middle(begun, dropped);
        }
    }
    if end.is_none() {
        return (used, true);
    }
    let begun = std::mem::take(begun);
    let line = if whole_here { part } else { &begun };
    let dropped = std::mem::take(dropped);
    let joined = (dropped > 0).then(|| {
        let at = line::kept_head(line).unwrap_or_default();
        line::joined(line, Dropped { at, bytes: dropped as usize })
    });
    let line = joined.as_deref().unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Repairing looks at each character even where nothing is wrong.
    let text = std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
    let goes_on = match line::parse(&text) {
        Ok(None) => true,
        Ok(Some(mut command)) => {
            let goes_on = !matches!(command, LineCommand::Quit);
            if let LineCommand::Beat(fields) = &mut command {
                if dropped > 0 {
                    fields.warn(Warning::MessageCut);
                }
                if matches!(text, Cow::Owned(_)) {
                    fields.warn(Warning::Encoding);
                }
            }
            tell(DialectEvent::Command(command));
            goes_on
        }
        Err(reason) => {
            tell(DialectEvent::Wrong(reason));
            true
        }
    };
    (used, goes_on)
}

/// Bytes of a line that are kept while it comes.
const BEGUN_BYTES_MAX: usize = LINE_BYTES_MAX + TALK_READ_BYTES_MAX;

/// Drops from a line that has a message all but its beginning and its end.
fn drop_the_middle(begun: &mut Vec<u8>, dropped: &mut u32) {
    let Some(head) = line::kept_head(begun) else { return };
    let tail = begun.len().saturating_sub(line::KEPT_TAIL).max(head);
    *dropped = dropped.saturating_add((tail - head) as u32);
    begun.drain(head..tail);
}

/// What a byte does to the search for a word.
#[derive(PartialEq, Eq)]
enum WordMatch {
    /// It goes on.
    Part,
    /// The word is whole.
    Whole,
    /// The word was not meant; the byte may begin it anew.
    Lost,
}

/// Looks for a word whose first byte stands in it only once.
fn step(word: &[u8], matched: &mut u8, byte: u8) -> WordMatch {
    if word.get(usize::from(*matched)) == Some(&byte) {
        *matched += 1;
        if usize::from(*matched) < word.len() {
            return WordMatch::Part;
        }
        *matched = 0;
        return WordMatch::Whole;
    }
    *matched = u8::from(word.first() == Some(&byte));
    WordMatch::Lost
}

/// Takes a byte of text.
fn text(matched: &mut u8, open: &mut PacketState, byte: u8, tell: &mut impl FnMut(DialectEvent<'_>)) {
    let before = *matched;
    match step(HELLO, matched, byte) {
        WordMatch::Part => {}
        WordMatch::Whole => {
            if std::mem::take(open) == PacketState::Yes {
                tell(DialectEvent::Packet);
            }
            tell(DialectEvent::Packet);
        }
        WordMatch::Lost => {
            if before > 0 {
                *open = PacketState::Yes;
            }
            match byte {
                _ if *matched > 0 => {}
                0 if std::mem::take(open) != PacketState::No => tell(DialectEvent::Packet),
                0 => {}
                b'\r' | b'\n' if *open != PacketState::Yes => *open = PacketState::Blank,
                _ => *open = PacketState::Yes,
            }
        }
    }
}

#[cfg(test)]
mod tests;
