//! A WebSocket client made of bytes, for what no library would send.

use crate::harness::{Daemon, PATIENCE};
use std::io::{Read, Write};
use std::net::TcpStream;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
/// How an opened one is answered.
pub const OPENED: &str = "HTTP/1.1 101 Switching Protocols";

/// A handshake, with some of its headers changed, added or, where they are empty, left out.
pub fn handshake(changes: &[(&str, &str)]) -> String {
    let mut request = String::from("GET /ws HTTP/1.1\r\nHost: hb.lan\r\n");
    let usual = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ];
    let given = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let kept = usual.iter().filter(|(name, _)| !given(name));
    for (name, value) in kept.chain(changes).filter(|(_, value)| !value.is_empty()) {
        request += &format!("{name}: {value}\r\n");
    }
    request + "\r\n"
}

/// A frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A connection on which bytes are sent as they are.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Opens one, with `ahead` sent in the same write as the handshake.
    pub fn open(hb: &Daemon, ahead: &[u8]) -> Raw {
        let mut stream = TcpStream::connect(hb.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&[handshake(&[]).as_bytes(), ahead].concat()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with(OPENED) && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Raw(stream)
    }

    /// Sends; a server that has closed meanwhile is no fault.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Whether something can be read without waiting.
    pub fn has_frame(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let some = self.0.peek(&mut [0]).is_ok();
        self.0.set_nonblocking(false).unwrap();
        some
    }

    /// The next frame: its first byte and its payload. `None` at the end.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long).ok()?;
                u16::from_be_bytes(long).into()
            }
            127 => {
                let mut long = [0; 8];
                self.0.read_exact(&mut long).ok()?;
                u64::from_be_bytes(long) as usize
            }
            short => short.into(),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[0], payload))
    }

    /// Everything up to the end, in words.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.frame()).map(|(first, payload)| in_words(first, &payload)).collect()
    }
}

/// A frame as a person would tell of it.
pub fn in_words(first: u8, payload: &[u8]) -> String {
    let words = String::from_utf8_lossy(payload).into_owned();
    match (first, payload) {
        (0x81, _) => words,
        (0x89, _) => format!("ping {words}"),
        (0x8A, _) => format!("pong {words}"),
        (0x88, []) => "close".into(),
        (0x88, [a, b, ..]) => format!("close {}", u16::from_be_bytes([*a, *b])),
        _ => panic!("{first:#x} {payload:?}"),
    }
}
