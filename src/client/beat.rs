//! A beat on its way out: as JSON for HTTP and WebSocket, as a line for raw TCP.

use crate::domain::beat::Status;
use crate::domain::id::Id;
use crate::domain::limits::MESSAGE_BYTES_MAX;
use crate::domain::time::{Span, Wall};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// What a shell adds to the number of the signal that has ended a command.
const SHELL_SIGNAL_BASE: u32 = 128;

/// One beat; what it does not say stays away.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outgoing {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Outgoing {
    /// A plain beat of a monitor.
    pub fn of(id: &Id) -> Outgoing {
        Outgoing { id: Some(id.to_string()), ..Outgoing::default() }
    }

    /// With its number and the time at which it was due.
    pub fn at(self, seq: u64, wall: Wall) -> Outgoing {
        Outgoing { seq: Some(seq), ts: Some(wall.rfc3339()), ..self }
    }

    /// With the interval to be held to.
    pub fn every(self, interval: Option<Span>) -> Outgoing {
        Outgoing { interval: interval.map(|span| span.to_string()), ..self }
    }

    /// With a grace.
    pub fn grace(self, grace: Option<Span>) -> Outgoing {
        Outgoing { grace: grace.map(|span| span.to_string()), ..self }
    }

    /// With what it says of its sender; well is not said.
    pub fn status(self, told: Status) -> Outgoing {
        let status = match told {
            Status::Ok => None,
            Status::Exit(code) => Some(code.into()),
            // As shells count, for servers that know no signals.
            Status::Signal(number) => Some((SHELL_SIGNAL_BASE + u32::from(number)).into()),
            other => Some(other.name().into()),
        };
        Outgoing { status, signal: told.signal(), ..self }
    }

    /// The same for a server that knows no signals; `None`: it tells of none.
    pub fn without_signal(&self) -> Option<Outgoing> {
        self.signal.map(|_| Outgoing { signal: None, ..self.clone() })
    }

    /// With the run it belongs to.
    pub fn rid(self, rid: Option<String>) -> Outgoing {
        Outgoing { rid, ..self }
    }

    /// With labels.
    pub fn tags(self, tags: Option<Vec<String>>) -> Outgoing {
        Outgoing { tags, ..self }
    }

    /// With a text for people, of which the end is kept if it is too long.
    pub fn message(self, message: Option<&str>) -> Outgoing {
        let message = message.filter(|text| !text.is_empty()).map(|text| end_of(text, MESSAGE_BYTES_MAX));
        Outgoing { message: message.map(str::to_string), ..self }
    }

    /// Whether it says what only JSON can carry.
    pub fn needs_json(&self) -> bool {
        self.tags.is_some()
    }

    /// The line of the line dialect, with its end. Tags are left out; a message is made one line.
    pub fn line(&self) -> String {
        let mut line = format!("BEAT {}", self.id.as_deref().unwrap_or_default());
        if let Some(seq) = self.seq {
            // Writing to a string cannot fail.
            let _ = write!(line, " seq={seq}");
        }
        let status = self.status.as_ref().map(|status| match status {
            Value::String(word) => word.clone(),
            code => code.to_string(),
        });
        let signal = self.signal.map(|number| number.to_string());
        let texts = [("ts", &self.ts), ("interval", &self.interval), ("grace", &self.grace)];
        for (name, text) in
            texts.into_iter().chain([("status", &status), ("signal", &signal), ("rid", &self.rid)])
        {
            if let Some(text) = text {
                let _ = write!(line, " {name}={text}");
            }
        }
        if let Some(message) = &self.message {
            // It is the rest of the line.
            let _ = write!(line, " message={}", message.trim_end().replace(char::is_control, " "));
        }
        line.push('\n');
        line
    }
}

/// One beat as an object, several as an array.
pub fn json(beats: &[Outgoing]) -> String {
    let text = match beats {
        [beat] => serde_json::to_string(beat),
        beats => serde_json::to_string(beats),
    };
    // Strings and numbers only: there is nothing that could not be said.
    text.unwrap_or_default()
}

/// The last bytes of a text, at most so many, beginning with a whole character.
pub fn end_of(text: &str, bytes_max: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::Limits;
    use crate::wire::json::{Body, parse};
    use crate::wire::line::{self, Command};

    fn full() -> Outgoing {
        let id = Id::new("web").unwrap();
        Outgoing::of(&id)
            .at(7, Wall(1_770_521_420_000))
            .every(Some(Span::secs(90)))
            .status(Status::Exit(3))
            .rid(Some("r1".into()))
            .message(Some("bad"))
    }

    #[test]
    fn what_is_not_said_stays_away() {
        let id = Id::new("web").unwrap();
        assert_eq!(json(&[Outgoing::of(&id)]), r#"{"id":"web"}"#);
        assert_eq!(Outgoing::of(&id).status(Status::Ok).line(), "BEAT web\n");
    }

    #[test]
    fn the_server_reads_what_we_write() {
        let limits = Limits::default();
        let text = json(&[full()]);
        let Ok(Body::One(fields)) = parse(text.as_bytes(), &limits) else { panic!("{text}") };
        let beat = fields.beat().unwrap();
        assert_eq!((beat.id.unwrap().as_str(), beat.seq), ("web", Some(7)));
        assert_eq!((beat.ts, beat.interval), (Some(Wall(1_770_521_420_000)), Some(Span::secs(90))));
        assert_eq!((beat.status, beat.rid, beat.message), (Status::Exit(3), Some("r1"), Some("bad")));
        let text = json(&[full(), full()]);
        let Ok(Body::Many(items)) = parse(text.as_bytes(), &limits) else { panic!("{text}") };
        assert_eq!(items.filter(|item| item.as_ref().is_ok_and(|f| f.beat().is_ok())).count(), 2);
    }

    #[test]
    fn a_line_carries_all_but_tags() {
        assert_eq!(
            full().message(Some("two\nlines\n")).line(),
            "BEAT web seq=7 ts=2026-02-08T03:30:20.000Z interval=1m30s status=3 rid=r1 message=two lines\n"
        );
        assert!(!full().needs_json());
        assert!(full().tags(Some(vec!["a".into()])).needs_json());
    }

    #[test]
    fn the_server_reads_our_lines() {
        let line = full().line();
        let Ok(Some(Command::Beat(fields))) = line::parse(line.trim_end().as_bytes()) else {
            panic!("{line}")
        };
        let beat = fields.beat().unwrap();
        assert_eq!((beat.id.unwrap().as_str(), beat.seq, beat.message), ("web", Some(7), Some("bad")));
        assert_eq!((beat.ts, beat.interval), (Some(Wall(1_770_521_420_000)), Some(Span::secs(90))));
    }

    #[test]
    fn of_a_long_message_the_end_is_kept_in_whole_characters() {
        let long = "心".repeat(4_000);
        let id = Id::new("web").unwrap();
        let message = Outgoing::of(&id).message(Some(&long)).message.unwrap();
        assert_eq!(message.len(), 9_999);
        assert!(message.chars().all(|c| c == '心'));
        assert_eq!(end_of("abc", 2), "bc");
        assert_eq!(end_of("abc", 9), "abc");
        assert_eq!(end_of("", 9), "");
    }
}
