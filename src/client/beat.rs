//! A beat on its way out: as JSON for HTTP and WebSocket, as a line for raw TCP.

use crate::domain::beat::Status;
use crate::domain::id::Id;
use crate::domain::message;
use crate::domain::time::{Span, Wall};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// What a shell adds to the number of the signal that has ended a command.
const SHELL_SIGNAL_BASE: u32 = 128;

/// One beat; absent fields are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OutgoingBeat {
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

impl OutgoingBeat {
    /// A plain beat of a monitor.
    pub fn of(id: &Id) -> OutgoingBeat {
        OutgoingBeat { id: Some(id.to_string()), ..OutgoingBeat::default() }
    }

    /// The monitor that it is for.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// For another monitor.
    pub fn for_id(self, id: &Id) -> OutgoingBeat {
        OutgoingBeat { id: Some(id.to_string()), ..self }
    }

    /// With its number and the time at which it was due.
    pub fn at(self, seq: u64, wall: Wall) -> OutgoingBeat {
        OutgoingBeat { seq: Some(seq), ts: Some(wall.rfc3339()), ..self }
    }

    /// With the interval to be held to.
    pub fn every(self, interval: Option<Span>) -> OutgoingBeat {
        OutgoingBeat { interval: interval.map(|span| span.to_string()), ..self }
    }

    /// With a grace.
    pub fn grace(self, grace: Option<Span>) -> OutgoingBeat {
        OutgoingBeat { grace: grace.map(|span| span.to_string()), ..self }
    }

    /// With a status; `ok` is left out.
    pub fn status(self, told: Status) -> OutgoingBeat {
        let status = match told {
            Status::Ok => None,
            Status::Exit(code) => Some(code.into()),
            // As shells count, for servers that know no signals.
            Status::Signal(number) => Some((SHELL_SIGNAL_BASE + u32::from(number)).into()),
            other => Some(other.name().into()),
        };
        OutgoingBeat { status, signal: told.signal(), ..self }
    }

    /// The same for a server that knows no signals; `None`: there is none in it.
    pub fn without_signal(&self) -> Option<OutgoingBeat> {
        self.signal.map(|_| OutgoingBeat { signal: None, ..self.clone() })
    }

    /// With the run it belongs to.
    pub fn rid(self, rid: Option<String>) -> OutgoingBeat {
        OutgoingBeat { rid, ..self }
    }

    /// With labels.
    pub fn tags(self, tags: Option<Vec<String>>) -> OutgoingBeat {
        OutgoingBeat { tags, ..self }
    }

    /// With a text for people, of which beginning and end are kept if it is too long.
    pub fn message(self, message: Option<&str>) -> OutgoingBeat {
        let message = message.filter(|text| !text.is_empty()).map(message::fitting);
        OutgoingBeat { message: message.map(Into::into), ..self }
    }

    /// The fields of which a line cannot carry all: a space ends a word there, and a comma a tag.
    pub fn unfit_for_a_line(&self) -> Vec<&'static str> {
        let rid = self.rid.as_ref().is_some_and(|rid| !is_word(rid));
        let tags = self.tags.iter().flatten().any(|tag| !is_line_tag(tag));
        [("rid", rid), ("tags", tags)].into_iter().filter(|(_, unfit)| *unfit).map(|(name, _)| name).collect()
    }

    /// The line of the line dialect, with its end. What does not fit is left out; a message is made one line.
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
        let rid = self.rid.clone().filter(|rid| is_word(rid));
        let texts = [("ts", &self.ts), ("interval", &self.interval), ("grace", &self.grace)];
        for (name, text) in texts.into_iter().chain([("status", &status), ("signal", &signal), ("rid", &rid)])
        {
            if let Some(text) = text {
                let _ = write!(line, " {name}={text}");
            }
        }
        let tags: Vec<&str> =
            self.tags.iter().flatten().map(String::as_str).filter(|tag| is_line_tag(tag)).collect();
        if !tags.is_empty() {
            let _ = write!(line, " tags={}", tags.join(","));
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
pub fn json(beats: &[OutgoingBeat]) -> String {
    let text = match beats {
        [beat] => serde_json::to_string(beat),
        beats => serde_json::to_string(beats),
    };
    // Strings and numbers only: serialization cannot fail.
    text.unwrap_or_default()
}

fn is_word(text: &str) -> bool {
    !text.chars().any(|c| c == ' ' || c.is_control())
}

fn is_line_tag(tag: &str) -> bool {
    is_word(tag) && !tag.contains(',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::Limits;
    use crate::wire::json::{Body, parse};
    use crate::wire::line::{self, LineCommand};

    fn full() -> OutgoingBeat {
        let id = Id::new("web").unwrap();
        OutgoingBeat::of(&id)
            .at(7, Wall(1_770_521_420_000))
            .every(Some(Span::secs(90)))
            .status(Status::Exit(3))
            .rid(Some("r1".into()))
            .message(Some("bad"))
    }

    #[test]
    fn what_is_not_said_stays_away() {
        let id = Id::new("web").unwrap();
        assert_eq!(json(&[OutgoingBeat::of(&id)]), r#"{"id":"web"}"#);
        assert_eq!(OutgoingBeat::of(&id).status(Status::Ok).line(), "BEAT web\n");
    }

    #[test]
    fn the_server_reads_what_we_write() {
        let limits = Limits::default();
        let text = json(&[full()]);
        let Ok(Body::One(mut fields)) = parse(text.as_bytes(), &limits) else { panic!("{text}") };
        let beat = fields.beat().unwrap();
        assert_eq!((beat.id.unwrap().as_str(), beat.seq), ("web", Some(7)));
        assert_eq!((beat.ts, beat.interval), (Some(Wall(1_770_521_420_000)), Some(Span::secs(90))));
        assert_eq!((beat.status, beat.rid, beat.message), (Status::Exit(3), Some("r1"), Some("bad")));
        let text = json(&[full(), full()]);
        let Ok(Body::Many(items)) = parse(text.as_bytes(), &limits) else { panic!("{text}") };
        assert_eq!(
            items.filter_map(Result::ok).filter_map(|mut fields| fields.beat().ok().map(|_| ())).count(),
            2
        );
    }

    #[test]
    fn a_line_carries_what_is_a_word() {
        assert_eq!(
            full().message(Some("two\nlines\n")).line(),
            "BEAT web seq=7 ts=2026-02-08T03:30:20.000Z interval=1m30s status=3 rid=r1 message=two lines\n"
        );
        let tagged =
            |tags: &[&str]| full().message(None).tags(Some(tags.iter().map(|t| t.to_string()).collect()));
        assert!(tagged(&["a", "b"]).line().ends_with(" rid=r1 tags=a,b\n"));
        assert!(tagged(&["a"]).unfit_for_a_line().is_empty());
        let unfit = tagged(&["a b", "c"]).rid(Some("x y".into()));
        assert!(unfit.line().ends_with(" status=3 tags=c\n"), "{}", unfit.line());
        assert_eq!(unfit.unfit_for_a_line(), ["rid", "tags"]);
    }

    #[test]
    fn the_server_reads_our_lines() {
        let line = full().line();
        let Ok(Some(LineCommand::Beat(mut fields))) = line::parse(line.trim_end()) else { panic!("{line}") };
        let beat = fields.beat().unwrap();
        assert_eq!((beat.id.unwrap().as_str(), beat.seq, beat.message), ("web", Some(7), Some("bad")));
        assert_eq!((beat.ts, beat.interval), (Some(Wall(1_770_521_420_000)), Some(Span::secs(90))));
    }
}
