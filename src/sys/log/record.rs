//! Lines on their way to the writer: small binary records in line buffers, one line buffer for each thread that writes.
//!
//! A beat is packed into some forty bytes and formatted later, by the writer, outside the beat's own time. A notice
//! is rare and goes along as it is; its record only keeps its place among the beats. What the writer takes out it
//! gets back in the order of the wall clock over all threads, while the order within one thread stays as it was
//! whatever the clock does.

use crate::domain::address::Peer;
use crate::domain::beat::Exit;
use crate::domain::limits::LOG_BUFFER_BYTES_MAX;
use crate::domain::notice::Notice;
use crate::domain::time::Wall;
use crate::view::line::BeatLine;
use std::collections::VecDeque;
use std::net::IpAddr;

/// Memory a line buffer keeps between two batches.
const KEPT_BYTES: usize = 64 * 1024;
/// Length that stands for no text at all.
const NONE: u8 = u8::MAX;
const TEXT_BYTES_MAX: usize = NONE as usize - 1;

const KIND_UNIX: u8 = 0;
const KIND_V4: u8 = 1;
const KIND_V6: u8 = 2;
const KIND_NOTICE: u8 = 3;

/// Transports by the number that stands for them in a record; the last one is for those that have none.
const TRANSPORTS: [&str; 4] = ["http", "tcp", "ws", "other"];

/// Beside the number of the transport: a code or a signal stands behind the texts, in so many bytes.
const TRANSPORT_MASK: u8 = 3;
const EXIT_CODE: u8 = 4;
const EXIT_SIGNAL: u8 = 8;
const EXIT_BYTES: usize = 8;

/// Records of one thread.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    bytes: Vec<u8>,
    notices: VecDeque<Notice>,
    notice_bytes: usize,
    /// Records that found no room.
    pub dropped: u64,
    /// Nothing is taken any more: the log is closed.
    pub closed: bool,
}

/// One record, read back.
#[derive(Debug, PartialEq)]
pub(super) enum LogRecord<'a> {
    /// A beat.
    Beat(BeatLine<'a>),
    /// Anything else.
    Notice(Notice),
}

impl LineBuffer {
    /// Adds a beat; false when there is no room.
    pub fn push_beat(&mut self, at: Wall, line: &BeatLine<'_>) -> bool {
        const RECORD_BYTES_MAX: usize = 8 + 1 + 4 + 16 + 3 * TEXT_BYTES_MAX + EXIT_BYTES;
        if !self.has_room(RECORD_BYTES_MAX) {
            return false;
        }
        let texts = [line.ip, line.id, line.status];
        let mut head = [0u8; 8 + 1 + 4 + 16];
        head[..8].copy_from_slice(&at.0.to_le_bytes());
        let transport = match line.transport {
            "http" => 0,
            "tcp" => 1,
            "ws" => 2,
            _ => 3,
        };
        let (exit_kind, exit) = match line.exit {
            None => (0, 0),
            Some(Exit::Code(code)) => (EXIT_CODE, code),
            Some(Exit::Signal(number)) => (EXIT_SIGNAL, number.into()),
        };
        head[9] = transport | exit_kind;
        for (place, text) in head[10..13].iter_mut().zip(texts) {
            *place = text.map_or(NONE, |t| short(t).len() as u8);
        }
        let (kind, len) = match line.peer {
            Peer::Unix => (KIND_UNIX, 13),
            Peer::Ip(IpAddr::V4(ip)) => {
                head[13..17].copy_from_slice(&ip.octets());
                (KIND_V4, 17)
            }
            Peer::Ip(IpAddr::V6(ip)) => {
                head[13..29].copy_from_slice(&ip.octets());
                (KIND_V6, 29)
            }
        };
        head[8] = kind;
        self.bytes.extend_from_slice(&head[..len]);
        for text in texts.into_iter().flatten() {
            self.bytes.extend_from_slice(short(text).as_bytes());
        }
        if exit_kind != 0 {
            self.bytes.extend_from_slice(&exit.to_le_bytes());
        }
        true
    }

    /// Adds a notice; false when there is no room.
    pub fn push_notice(&mut self, at: Wall, notice: Notice) -> bool {
        let bytes = size_of::<Notice>() + text_bytes(&notice);
        if !self.has_room(9 + bytes) {
            return false;
        }
        self.bytes.extend_from_slice(&at.0.to_le_bytes());
        self.bytes.push(KIND_NOTICE);
        self.notice_bytes += bytes;
        self.notices.push_back(notice);
        true
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Empties it; after a flood its memory is given back.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.notices = VecDeque::new();
        self.notice_bytes = 0;
        self.dropped = 0;
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + self.notice_bytes + bytes <= LOG_BUFFER_BYTES_MAX
    }
}

/// Hands over the records of all line buffers in the order of time; the line buffers are left empty of notices, not of bytes.
pub(super) fn merge(buffers: &mut [LineBuffer], mut each: impl FnMut(Wall, LogRecord<'_>)) {
    struct LineReader<'a> {
        rest: &'a [u8],
        notices: &'a mut VecDeque<Notice>,
        next: Wall,
    }
    let mut readers: Vec<LineReader<'_>> = buffers
        .iter_mut()
        .filter_map(|buffer| {
            let next = peek(&buffer.bytes)?;
            Some(LineReader { rest: &buffer.bytes, notices: &mut buffer.notices, next })
        })
        .collect();
    while let Some(first) = (0..readers.len()).min_by_key(|i| readers[*i].next) {
        // Up to the moment at which another one is earlier.
        let until = readers.iter().enumerate().filter(|(i, _)| *i != first).map(|(_, r)| r.next).min();
        let reader = &mut readers[first];
        let mut done = false;
        while !done && until.is_none_or(|until| reader.next <= until) {
            match read(reader.rest, reader.notices) {
                Some((record, rest)) => {
                    each(reader.next, record);
                    reader.rest = rest;
                    match peek(rest) {
                        Some(next) => reader.next = next,
                        None => done = true,
                    }
                }
                None => done = true,
            }
        }
        if done {
            readers.swap_remove(first);
        }
    }
}

fn peek(bytes: &[u8]) -> Option<Wall> {
    bytes.first_chunk().map(|at| Wall(i64::from_le_bytes(*at)))
}

fn read<'a>(bytes: &'a [u8], notices: &mut VecDeque<Notice>) -> Option<(LogRecord<'a>, &'a [u8])> {
    let (kind, rest) = bytes.get(8..)?.split_first()?;
    if *kind == KIND_NOTICE {
        return Some((LogRecord::Notice(notices.pop_front()?), rest));
    }
    let ([transport, lengths @ ..], rest) = rest.split_first_chunk::<4>()?;
    let (peer, mut rest) = match *kind {
        KIND_V4 => {
            let (octets, rest) = rest.split_first_chunk::<4>()?;
            (Peer::Ip(IpAddr::from(*octets)), rest)
        }
        KIND_V6 => {
            let (octets, rest) = rest.split_first_chunk::<16>()?;
            (Peer::Ip(IpAddr::from(*octets)), rest)
        }
        _ => (Peer::Unix, rest),
    };
    let mut texts = [None; 3];
    for (text, length) in texts.iter_mut().zip(lengths) {
        if *length != NONE {
            let (bytes, after) = rest.split_at_checked((*length).into())?;
            *text = Some(std::str::from_utf8(bytes).ok()?);
            rest = after;
        }
    }
    let [ip, id, status] = texts;
    let exit = match transport & !TRANSPORT_MASK {
        0 => None,
        kind => {
            let (number, after) = rest.split_first_chunk::<EXIT_BYTES>()?;
            rest = after;
            let number = i64::from_le_bytes(*number);
            Some(if kind == EXIT_CODE { Exit::Code(number) } else { Exit::Signal(number as u8) })
        }
    };
    let transport = TRANSPORTS.get(usize::from(transport & TRANSPORT_MASK)).copied().unwrap_or("other");
    Some((LogRecord::Beat(BeatLine { peer, ip, id, transport, status, exit }), rest))
}

/// What fits a record; ids and addresses are half as long at most.
fn short(text: &str) -> &str {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let end = (0..=TEXT_BYTES_MAX).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

fn text_bytes(notice: &Notice) -> usize {
    match notice {
        Notice::Started { address: text, .. }
        | Notice::ReloadFailed { reason: text }
        | Notice::NeedsRestart { keys: text }
        | Notice::LogTargetBack { target: text, .. }
        | Notice::Summary { text } => text.capacity(),
        Notice::Other { text, .. } => text.capacity(),
        Notice::ProxyRefused { address, .. } => address.capacity(),
        Notice::TlsRefused { address, reason, .. } => address.capacity() + reason.capacity(),
        Notice::LogTargetFailed { target, reason } => target.capacity() + reason.capacity(),
        Notice::Transition { monitor, .. } => monitor.len(),
        Notice::ClientGone { monitor, .. } | Notice::ClientDisconnected { monitor, .. } => {
            monitor.as_ref().map_or(0, |monitor| monitor.len())
        }
        Notice::ClientConnected { .. } | Notice::ClientDenied { .. } | Notice::ClientBroken { .. } => 0,
        Notice::Stopping | Notice::Stopped | Notice::Reloaded => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn beat(id: &str) -> BeatLine<'_> {
        let peer = Peer::Ip(IpAddr::from([10, 0, 0, 1]));
        BeatLine { peer, ip: None, id: Some(id), transport: "http", status: None, exit: None }
    }

    fn merged(buffers: &mut [LineBuffer]) -> Vec<(i64, String)> {
        let mut all = Vec::new();
        merge(buffers, |at, record| {
            let name = match record {
                LogRecord::Beat(beat) => beat.id.unwrap_or("-").to_string(),
                LogRecord::Notice(notice) => notice.kind().to_string(),
            };
            all.push((at.0, name));
        });
        all
    }

    #[test]
    fn threads_are_merged_by_time_and_a_clock_put_back_reorders_none_of_them() {
        let mut buffers = [LineBuffer::default(), LineBuffer::default(), LineBuffer::default()];
        buffers[0].push_beat(Wall(5), &beat("a1"));
        buffers[0].push_beat(Wall(3), &beat("a2"));
        buffers[0].push_notice(Wall(9), Notice::Stopping);
        buffers[2].push_beat(Wall(4), &beat("c1"));
        buffers[2].push_beat(Wall(6), &beat("c2"));
        let expected = [(4, "c1"), (5, "a1"), (3, "a2"), (6, "c2"), (9, "stopping")];
        assert_eq!(merged(&mut buffers), expected.map(|(at, name)| (at, name.to_string())));
    }

    #[test]
    fn a_full_tray_refuses_and_keeps_what_it_has() {
        let mut buffer = LineBuffer::default();
        let mut taken = 0u64;
        while buffer.push_beat(Wall(0), &beat("x")) {
            taken += 1;
        }
        assert!(buffer.bytes.len() <= LOG_BUFFER_BYTES_MAX);
        assert!(!buffer.push_notice(Wall(0), Notice::Summary { text: "x".repeat(2_000) }));
        assert_eq!(merged(std::slice::from_mut(&mut buffer)).len() as u64, taken);
        buffer.clear();
        assert!(buffer.push_beat(Wall(0), &beat("x")));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// What goes in comes out, as long as it is no longer than a checked id.
        #[test]
        fn a_record_reads_back_as_it_was(
            at in any::<i64>(), v6 in any::<u128>(), peer in 0u8..3, transport in 0usize..3, exit in 0u8..3,
            ip in proptest::option::of(".{0,40}"), id in proptest::option::of(".{0,40}"), status in proptest::option::of("[a-z]{1,8}"),
        ) {
            let peer = match peer {
                0 => Peer::Unix,
                1 => Peer::Ip(IpAddr::from((v6 as u32).to_be_bytes())),
                _ => Peer::Ip(IpAddr::from(v6.to_be_bytes())),
            };
            let line = BeatLine {
                peer, ip: ip.as_deref(), id: id.as_deref(), transport: TRANSPORTS[transport], status: status.as_deref(),
                exit: match exit {
                    0 => None,
                    1 => Some(Exit::Code(v6 as i64)),
                    _ => Some(Exit::Signal(v6 as u8)),
                },
            };
            let mut buffer = LineBuffer::default();
            prop_assert!(buffer.push_beat(Wall(at), &line));
            let mut seen = 0;
            merge(std::slice::from_mut(&mut buffer), |wall, record| {
                assert_eq!((wall, record), (Wall(at), LogRecord::Beat(line)));
                seen += 1;
            });
            prop_assert_eq!(seen, 1);
        }
    }
}
