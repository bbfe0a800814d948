//! systemd's journal over its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram of fields a message.
//!
//! `MESSAGE_ID` is the same for every message of one kind, so a person or a catalog can ask for, say, all changes of
//! state: `journalctl MESSAGE_ID=…` or `journalctl HEARTBEAT_MONITOR=web-1`. The ids are part of the product's face:
//! they never change and are never used again for something else.

use super::datagram::Datagrams;
use super::sink::{LogEvent, MessageSink, SinkMessage};
use crate::view::line::push_peer;
use crate::view::words::{self, Value};
use std::io;
use std::path::Path;

/// Where the journal listens.
pub const JOURNAL_PATH: &str = "/run/systemd/journal/socket";

/// `MESSAGE_ID` by kind of event; the last one is for kinds that have none of their own.
pub const MESSAGE_IDS: [(&str, &str); 16] = [
    ("beat", "28c1e6af2a7e4daebe4d6ecf5105bcfc"),
    ("transition", "e2914b1d7ba74d919cabeb8c4365d582"),
    ("started", "e0389b29d43a4bb194dff45ad45f9190"),
    ("stopping", "e3b02322230443da85f95213fc3d5b36"),
    ("stopped", "9f0b7280940d4144bd93ea3bd29af5f4"),
    ("reloaded", "0d4727d1a82c47ce98bcf811148865e1"),
    ("reload_failed", "49838092bcfa4bd8babac345301b2659"),
    ("needs_restart", "12dc0f253de44c6b92379a7b9c82124a"),
    ("log_target_failed", "f7ba17403dac40a9a54fbbf26d3ca45d"),
    ("log_target_back", "221f601ac90b4afbb83b5546745d245f"),
    ("tls_refused", "a98c0af7593449bf9edf471ef6da02ce"),
    ("alert", "dfc4717891014f8d94ac7496e9fbd732"),
    ("summary", "166464a1dc1344b89793d4741a8426a9"),
    ("client_offline", "b5a22688aafb4574bd86fac7a77a2e5d"),
    ("client_timeout", "a4a6ae445fb04ad49e20288840dfabd8"),
    ("other", "56efb2abd90648ea82de5c2c6b9f546b"),
];

/// A way to the journal.
pub(super) struct JournaldSink {
    datagrams: Datagrams,
    packet: Vec<u8>,
    peer: Vec<u8>,
    identifier: &'static str,
}

impl JournaldSink {
    /// Opens the way to the socket at `path`.
    pub fn open(path: &Path, identifier: &'static str) -> io::Result<JournaldSink> {
        Ok(JournaldSink {
            datagrams: Datagrams::open(path)?,
            packet: Vec::new(),
            peer: Vec::new(),
            identifier,
        })
    }
}

impl MessageSink for JournaldSink {
    fn begin(&mut self, patient: bool) {
        self.datagrams.begin(patient);
    }

    fn send(&mut self, message: &SinkMessage<'_>) -> io::Result<()> {
        let packet = &mut self.packet;
        packet.clear();
        push_field(packet, "MESSAGE", message.sentence);
        push_field(packet, "PRIORITY", &[b'0' + message.level as u8]);
        push_field(packet, "SYSLOG_FACILITY", b"3");
        push_field(packet, "SYSLOG_IDENTIFIER", self.identifier.as_bytes());
        match message.subject {
            LogEvent::Beat(beat) => {
                push_kind(packet, "beat");
                self.peer.clear();
                push_peer(&mut self.peer, beat.peer);
                push_field(packet, "HEARTBEAT_FROM", &self.peer);
                let monitor = beat.id.or(beat.ip).map_or(self.peer.as_slice(), str::as_bytes);
                push_field(packet, "HEARTBEAT_MONITOR", monitor);
                push_field(packet, "HEARTBEAT_TRANSPORT", beat.transport.as_bytes());
                for (name, text) in [("HEARTBEAT_IP", beat.ip), ("HEARTBEAT_STATUS", beat.status)] {
                    if let Some(text) = text {
                        push_field(packet, name, text.as_bytes());
                    }
                }
                if let Some((name, number)) = beat.exit.map(crate::view::words::exit_fact) {
                    let name = format!("HEARTBEAT_{}", name.to_ascii_uppercase());
                    push_field(packet, &name, number.to_string().as_bytes());
                }
            }
            LogEvent::Notice(notice) => {
                push_kind(packet, notice.kind());
                for (name, value) in words::facts(notice) {
                    let name = format!("HEARTBEAT_{}", name.to_ascii_uppercase());
                    match value {
                        Value::Text(text) => push_field(packet, &name, text.as_bytes()),
                        Value::Number(number) => push_field(packet, &name, number.to_string().as_bytes()),
                        Value::Signed(number) => push_field(packet, &name, number.to_string().as_bytes()),
                    }
                }
            }
        }
        self.datagrams.send(&self.packet)
    }
}

fn push_kind(packet: &mut Vec<u8>, kind: &str) {
    let [.., (_, other)] = MESSAGE_IDS;
    let id = MESSAGE_IDS.iter().find(|(k, _)| *k == kind).map_or(other, |(_, id)| *id);
    push_field(packet, "HEARTBEAT_EVENT", kind.as_bytes());
    push_field(packet, "MESSAGE_ID", id.as_bytes());
}

/// `NAME=value`, or for a value of several lines the name alone, its length in 64 bits little endian, and the value.
pub fn push_field(packet: &mut Vec<u8>, name: &str, value: &[u8]) {
    packet.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        packet.push(b'\n');
        packet.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        packet.push(b'=');
    }
    packet.extend_from_slice(value);
    packet.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_is_given_by_its_length() {
        let mut packet = Vec::new();
        push_field(&mut packet, "A", b"one");
        push_field(&mut packet, "B", b"two\nC=three");
        assert_eq!(packet, b"A=one\nB\n\x0b\0\0\0\0\0\0\0two\nC=three\n");
    }

    #[test]
    fn message_ids_are_128_bits_in_hex_and_all_different() {
        for (i, (kind, id)) in MESSAGE_IDS.iter().enumerate() {
            assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{kind}");
            assert!(MESSAGE_IDS[..i].iter().all(|(k, other)| k != kind && other != id), "{kind}");
        }
    }
}
