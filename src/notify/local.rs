//! The logs of this machine: an entry in the journal, with fields to ask for, or a line in syslog.
//!
//! `journalctl MESSAGE_ID=` with the id of alerts finds all of them, `HEARTBEAT_MONITOR=` those of one monitor.

use super::{Envelope, Outcome};
use crate::domain::alert::MessageKind;
use crate::i18n;
use crate::sys::log::{IDENTIFIER, JOURNAL_PATH, MESSAGE_IDS, SYSLOG_PATH, push_field};
use crate::view::alert;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// syslog's number for daemons (RFC 5424, 6.2.1), times eight.
const FACILITY_DAEMON: u8 = 3;
/// The fields of an entry, and the keys of the message's JSON that they hold.
const FIELDS: &[(&str, &str)] = &[
    ("HEARTBEAT_KIND", "kind"),
    ("HEARTBEAT_KEY", "key"),
    ("HEARTBEAT_NOTIFIER", "notifier"),
    ("HEARTBEAT_MONITOR", "monitor"),
    ("HEARTBEAT_COUNT", "count"),
    ("HEARTBEAT_INCIDENT", "incident"),
    ("HEARTBEAT_SINCE", "since"),
    ("HEARTBEAT_CAUSE", "cause"),
    ("HEARTBEAT_EXIT_CODE", "exit_code"),
    ("HEARTBEAT_SIGNAL", "signal"),
];

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalLog {
    /// systemd's journal.
    Journal,
    /// syslog.
    Syslog,
}

/// A log, ready to be written to.
#[derive(Debug)]
pub struct Local {
    log: LocalLog,
    path: PathBuf,
}

impl Local {
    /// The log where it usually is.
    pub fn new(log: LocalLog) -> Local {
        let path = match log {
            LocalLog::Journal => JOURNAL_PATH,
            LocalLog::Syslog => SYSLOG_PATH,
        };
        Local { log, path: path.into() }
    }

    /// Writes one entry. The socket is non-blocking: it accepts the datagram at once or fails (EAGAIN).
    pub fn send(&self, envelope: &Envelope<'_>) -> Outcome {
        let packet = match self.log {
            LocalLog::Journal => entry(envelope),
            LocalLog::Syslog => line(envelope),
        };
        match self.deliver(&packet) {
            Ok(()) => Outcome::Sent,
            Err(error) => {
                let log = match self.log {
                    LocalLog::Journal => "journal",
                    LocalLog::Syslog => "syslog",
                };
                Outcome::retry(i18n::notify::cannot_write_to_log(&log, &error))
            }
        }
    }

    fn deliver(&self, packet: &[u8]) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to(packet, &self.path).map(|_| ())
    }
}

/// How much it matters, in syslog's numbers: what is wrong is an error, what is right again a notice.
fn severity(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Recovered => 5,
        MessageKind::Test => 6,
        bad if bad.is_bad() => 3,
        _ => 5,
    }
}

fn entry(envelope: &Envelope<'_>) -> Vec<u8> {
    let json = envelope.json();
    let mut packet = Vec::new();
    push_field(&mut packet, "MESSAGE", json["text"].as_str().unwrap_or_default().as_bytes());
    push_field(&mut packet, "PRIORITY", &[b'0' + severity(envelope.message.kind)]);
    push_field(&mut packet, "SYSLOG_FACILITY", FACILITY_DAEMON.to_string().as_bytes());
    push_field(&mut packet, "SYSLOG_IDENTIFIER", IDENTIFIER.as_bytes());
    push_field(&mut packet, "HEARTBEAT_EVENT", b"alert");
    if let Some((_, id)) = MESSAGE_IDS.iter().find(|(kind, _)| *kind == "alert") {
        push_field(&mut packet, "MESSAGE_ID", id.as_bytes());
    }
    for (name, key) in FIELDS {
        match &json[*key] {
            Value::Null => {}
            Value::String(text) => push_field(&mut packet, name, text.as_bytes()),
            other => push_field(&mut packet, name, other.to_string().as_bytes()),
        }
    }
    packet
}

/// RFC 3164: local time, and the day padded by a space.
fn line(envelope: &Envelope<'_>) -> Vec<u8> {
    let at = Timestamp::from_millisecond(envelope.now().0).unwrap_or(Timestamp::UNIX_EPOCH);
    let stamp = at.to_zoned(TimeZone::system()).strftime("%b %e %H:%M:%S").to_string();
    let text = alert::sentence(envelope.lang, envelope.message);
    let priority = FACILITY_DAEMON * 8 + severity(envelope.message.kind);
    format!("<{priority}>{stamp} {IDENTIFIER}[{}]: {text}", std::process::id()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing::{envelope, message, retried};

    /// What arrives at a socket of our own, or what comes of there being none.
    fn written(log: LocalLog, kind: MessageKind, ids: &[&str]) -> Result<String, Outcome> {
        let path =
            std::env::temp_dir().join(format!("hb-local-{}-{log:?}-{}", std::process::id(), kind.name()));
        let _ = std::fs::remove_file(&path);
        let socket = (!ids.contains(&"nowhere")).then(|| UnixDatagram::bind(&path).unwrap());
        let message = message(kind, ids);
        let outcome = Local { log, path: path.clone() }.send(&envelope(&message));
        let Some(socket) = socket else { return Err(outcome) };
        assert_eq!(outcome, Outcome::Sent);
        let mut packet = vec![0; 65_536];
        let length = socket.recv(&mut packet).unwrap();
        std::fs::remove_file(&path).unwrap();
        Ok(String::from_utf8(packet[..length].to_vec()).unwrap())
    }

    #[test]
    fn the_journal_gets_fields_to_ask_for() {
        let entry = written(LocalLog::Journal, MessageKind::Down, &["web-1"]).unwrap();
        for field in [
            "MESSAGE=web-1 is down, silent for 1m30s\n",
            "PRIORITY=3\n",
            "MESSAGE_ID=dfc4717891014f8d94ac7496e9fbd732\n",
            "SYSLOG_IDENTIFIER=heartbeat-server\n",
            "HEARTBEAT_EVENT=alert\n",
            "HEARTBEAT_KIND=down\n",
            "HEARTBEAT_MONITOR=web-1\n",
            "HEARTBEAT_INCIDENT=7-web-1\n",
            "HEARTBEAT_COUNT=1\n",
        ] {
            assert!(entry.contains(field), "{field}{entry}");
        }
        assert!(
            written(LocalLog::Journal, MessageKind::Recovered, &["web-1"]).unwrap().contains("PRIORITY=5\n")
        );
        assert!(!written(LocalLog::Journal, MessageKind::Test, &[]).unwrap().contains("HEARTBEAT_MONITOR"));
    }

    #[test]
    fn syslog_gets_a_line_with_its_priority() {
        let line = written(LocalLog::Syslog, MessageKind::Down, &["web-1"]).unwrap();
        assert!(line.starts_with("<27>Feb  8 "), "{line}");
        let end = format!(" heartbeat-server[{}]: web-1 is down, silent for 1m30s", std::process::id());
        assert!(line.ends_with(&end), "{line}");
    }

    #[test]
    fn a_log_that_is_not_there_is_tried_again() {
        let (_, reason) =
            retried(written(LocalLog::Syslog, MessageKind::Flapping, &["nowhere"]).unwrap_err());
        assert!(reason.starts_with("cannot write to syslog: "), "{reason}");
    }
}
