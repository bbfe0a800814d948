//! The same bytes through a session and through tungstenite, which has passed autobahn's tests for years.

use super::tests::{MAX, Seen, frame, hear};
use super::*;
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Write};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

/// A socket whose client has sent its bytes and gone.
struct Memory(Cursor<Vec<u8>>);

impl Read for Memory {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn they_hear(bytes: &[u8]) -> Vec<Seen> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX)).max_frame_size(Some(MAX));
    let memory = Memory(Cursor::new(bytes.to_vec()));
    let mut socket = WebSocket::from_raw_socket(memory, TheirRole::Server, Some(config));
    let mut all = Vec::new();
    loop {
        let (last, seen) = match socket.read() {
            Ok(Message::Text(text)) => (false, Seen::Text(text.as_bytes().into())),
            Ok(Message::Binary(bytes)) => (false, Seen::Binary(bytes.into())),
            Ok(Message::Ping(bytes)) => (false, Seen::Ping(bytes.into())),
            Ok(Message::Pong(bytes)) => (false, Seen::Pong(bytes.into())),
            Ok(Message::Close(close)) => {
                let (code, reason) = close.map(|c| (u16::from(c.code), c.reason.to_string())).unzip();
                (true, Seen::Close(code, reason.unwrap_or_default()))
            }
            Ok(Message::Frame(_)) => unreachable!("only when writing"),
            Err(Error::Utf8(_)) => (true, Seen::WsError(1007)),
            Err(Error::Capacity(_)) => (true, Seen::WsError(1009)),
            // The bytes are at their end.
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return all,
            Err(Error::Protocol(_)) => (true, Seen::WsError(1002)),
            Err(other) => panic!("{other}"),
        };
        all.push(seen);
        if last {
            return all;
        }
    }
}

/// Mostly good conversations: whole and fragmented messages, pings between, sometimes one thing that is wrong.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![4 => "\\PC{0,30}".prop_map(String::into_bytes), 1 => (0usize..MAX).prop_map(|n| vec![b'z'; n])];
    let message =
        (any::<bool>(), words, 1usize..6, any::<bool>()).prop_map(|(text, words, pieces, pinged)| {
            let size = words.len().div_ceil(pieces).max(1);
            let mut parts: Vec<&[u8]> = words.chunks(size).collect();
            if parts.is_empty() {
                parts.push(&[]);
            }
            let mut out = Vec::new();
            for (n, part) in parts.iter().enumerate() {
                let kind = if text { Opcode::Text } else { Opcode::Binary };
                out.extend(frame(
                    n + 1 == parts.len(),
                    if n == 0 { kind } else { Opcode::Continuation },
                    part,
                ));
                if pinged {
                    out.extend(frame(
                        true,
                        if n % 2 == 0 { Opcode::Ping } else { Opcode::Pong },
                        &part[..part.len().min(125)],
                    ));
                }
            }
            out
        });
    let close = (prop_oneof![any::<u16>(), 990u16..1020], "\\PC{0,20}").prop_map(|(code, reason)| {
        frame(true, Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat())
    });
    let wrong = (0usize..11).prop_map(|n| match n {
        0 => frame(true, Opcode::Continuation, b"x"),
        1 => frame(true, Opcode::Text, b"ok \xf0\x9f\x92"),
        2 => frame(true, Opcode::Text, b"\xc0\xaf"),
        3 => vec![0xC1, 0x81, 0, 0, 0, 0, b'x'],
        4 => vec![0x85, 0x81, 0, 0, 0, 0, b'x'],
        5 => vec![0x81, 0x01, b'x'],
        6 => frame(false, Opcode::Ping, b"x"),
        7 => frame(true, Opcode::Pong, &[0; 126]),
        8 => frame(true, Opcode::Binary, &[0; MAX + 1]),
        9 => frame(true, Opcode::Close, b"\x03"),
        _ => [frame(false, Opcode::Text, b"x"), frame(false, Opcode::Binary, b"x")].concat(),
    });
    let item = prop_oneof![10 => message, 1 => close, 1 => wrong];
    prop::collection::vec(item, 1..10).prop_map(|items| items.concat())
}

proptest! {
    #[test]
    fn we_hear_what_tungstenite_hears(bytes in conversation()) {
        let (ours, mut theirs) = (hear(Role::Server, [&bytes[..]]), they_hear(&bytes));
        // It answers a code that may not be sent as if it were a close; we call it a fault. And it does not know 1014,
        // which IANA has registered since.
        let strict = Seen::Close(Some(1002), "Protocol violation".into());
        if let (Some(ours), Some(theirs)) = (ours.last(), theirs.last_mut().filter(|last| **last == strict)) {
            if matches!(ours, Seen::WsError(1002) | Seen::Close(Some(1014), _)) {
                *theirs = ours.clone();
            }
        }
        prop_assert_eq!(ours, theirs);
    }
}
