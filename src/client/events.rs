//! A parser of Server-Sent Events (HTML standard, section 9.2) that takes its input cut at any byte.
//!
//! Only the fields `event` and `data` are read; an event longer than the maximum is skipped.

use super::sanitize;
use serde_json::Value;

/// Longest event that is kept; ours are below a kilobyte.
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerEvent {
    /// Its type.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// The state between two reads.
#[derive(Debug, Default)]
pub struct EventParser {
    line: Vec<u8>,
    name: String,
    data: String,
    /// The event is too long and is skipped.
    overlong: bool,
}

impl EventParser {
    /// The events that these bytes complete.
    pub fn parse(&mut self, bytes: &[u8]) -> Vec<ServerEvent> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => events.extend(self.end_line()),
                b'\r' => {}
                _ if self.line.len() + self.data.len() >= EVENT_BYTES_MAX => self.overlong = true,
                byte => self.line.push(*byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<ServerEvent> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            if std::mem::take(&mut self.overlong) {
                return None;
            }
            let data = sanitize::value(serde_json::from_str(&data).ok()?);
            return Some(ServerEvent { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_string(),
            "data" => self.data += value,
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 2000\nid: 1\nevent: hello\ndata: {\"monitors\":{\"up\":4}}\n\n: a comment\n\n\
                          id: 2\r\nevent: made\r\ndata: {\"monitor\":\"心跳\"}\r\n\r\n";

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let whole = EventParser::default().parse(STREAM.as_bytes());
        assert_eq!(whole.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["hello", "made"]);
        assert_eq!(
            (&whole[0].data["monitors"]["up"], &whole[1].data["monitor"]),
            (&4.into(), &"心跳".into())
        );
        for cut in 0..STREAM.len() {
            let mut reader = EventParser::default();
            let mut events = reader.parse(&STREAM.as_bytes()[..cut]);
            events.extend(reader.parse(&STREAM.as_bytes()[cut..]));
            assert_eq!(events, whole, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_the_next_is_read() {
        let mut reader = EventParser::default();
        let long = format!("data: \"{}\"\n\n", "x".repeat(EVENT_BYTES_MAX));
        assert_eq!(reader.parse(long.as_bytes()), []);
        assert_eq!(reader.parse(b"event: made\ndata: {}\n\n").len(), 1);
    }
}
