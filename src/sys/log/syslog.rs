//! The local syslog: RFC 3164 datagrams, facility daemon.
//!
//! The crate `syslog` writes the head of a message, once for each severity. Its time stamp is overwritten, because it
//! is UTC and RFC 3164 (4.1.2) wants local time with the day padded by a space; the sending is ours (see `datagram`),
//! because the crate's never finds a service that was restarted.

use super::datagram::Datagrams;
use super::sink::{MessageSink, SinkMessage};
use crate::domain::notice::Level;
use std::io;
use std::path::Path;
use syslog::{Facility, Formatter3164, LogFormat, Severity};

/// The name under which the daemon appears in syslog and the journal.
pub const IDENTIFIER: &str = "heartbeat-server";

/// Where the local syslog listens.
pub const SYSLOG_PATH: &str = if cfg!(target_os = "macos") { "/var/run/syslog" } else { "/dev/log" };

/// Bytes of `Feb  8 11:30:20`.
const STAMP_BYTES: usize = 15;

/// A way to the local syslog.
pub(super) struct Syslog {
    datagrams: Datagrams,
    formatter: Formatter3164,
    /// `<30>Feb  8 11:30:20 heartbeat-server[123]: ` by severity.
    heads: [Option<Head>; 8],
    packet: Vec<u8>,
}

struct Head {
    bytes: Vec<u8>,
    stamp_at: usize,
}

impl Syslog {
    /// Opens the way to the socket at `path`.
    pub fn open(path: &Path, identifier: &str) -> io::Result<Syslog> {
        Ok(Syslog {
            datagrams: Datagrams::open(path)?,
            formatter: Formatter3164 {
                facility: Facility::LOG_DAEMON,
                hostname: None,
                process: identifier.into(),
                pid: std::process::id(),
            },
            heads: Default::default(),
            packet: Vec::new(),
        })
    }
}

impl MessageSink for Syslog {
    fn begin(&mut self, patient: bool) {
        self.datagrams.begin(patient);
    }

    fn send(&mut self, message: &SinkMessage<'_>) -> io::Result<()> {
        let place = &mut self.heads[message.level as usize & 7];
        let head = match place {
            Some(head) => head,
            None => place.insert(head(&self.formatter, message.level)?),
        };
        if let Some(stamp) = head.bytes.get_mut(head.stamp_at..head.stamp_at + STAMP_BYTES) {
            stamp.copy_from_slice(&stamp_3164(&message.local));
        }
        self.packet.clear();
        self.packet.extend_from_slice(&head.bytes);
        self.packet.extend_from_slice(message.sentence);
        self.datagrams.send(&self.packet)
    }
}

fn head(formatter: &Formatter3164, level: Level) -> io::Result<Head> {
    let severity = match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Notice => Severity::LOG_NOTICE,
        Level::Info => Severity::LOG_INFO,
        Level::Debug => Severity::LOG_DEBUG,
    };
    let mut bytes = Vec::new();
    formatter.format(&mut bytes, severity, "").map_err(|error| io::Error::other(error.to_string()))?;
    let stamp_at = bytes.iter().position(|b| *b == b'>').map_or(0, |i| i + 1);
    Ok(Head { bytes, stamp_at })
}

/// `2026-02-08T11:30:20` as `Feb  8 11:30:20`.
fn stamp_3164(local: &[u8; 19]) -> [u8; STAMP_BYTES] {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = ((local[5] - b'0') * 10 + (local[6] - b'0')).clamp(1, 12) as usize;
    let mut stamp = *b"Jan  1 00:00:00";
    stamp[..3].copy_from_slice(&MONTHS[month * 3 - 3..month * 3]);
    stamp[4] = if local[8] == b'0' { b' ' } else { local[8] };
    stamp[5] = local[9];
    stamp[7..].copy_from_slice(&local[11..]);
    stamp
}

/// What the stamp of this moment must be on the machine that runs the test.
#[cfg(test)]
pub(super) fn stamp_for_test(at: crate::domain::time::Wall) -> Vec<u8> {
    use crate::{domain::lang::Lang, view::line};
    let mut lines = line::Lines::new(line::Format::Classic, Lang::En, jiff::tz::TimeZone::system());
    stamp_3164(&lines.local(at)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_local_and_pads_the_day_with_a_space() {
        assert_eq!(&stamp_3164(b"2026-02-08T11:30:20"), b"Feb  8 11:30:20");
        assert_eq!(&stamp_3164(b"2026-12-31T23:59:59"), b"Dec 31 23:59:59");
    }
}
