//! Events as they go to whoever watches live: Server-Sent Events, as the HTML standard's section 9.2 writes them.
//!
//! Each is an `id:`, an `event:` and one line of JSON. Ids grow, also over a reconnect: they begin at the time of day.
//! Nothing is sent again: who was away is greeted with `hello` and asks for the list.

use super::api;
use crate::domain::beat::Exit;
use crate::domain::notice::State;
use crate::domain::registry::{Counts, MonitorEvent};
use crate::domain::time::Wall;
use serde_json::{Value, json};

/// The content type.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// The events of one stream.
#[derive(Debug)]
pub struct EventEncoder {
    last_id: i64,
}

impl EventEncoder {
    /// One that begins now.
    pub fn new(now: Wall) -> EventEncoder {
        EventEncoder { last_id: now.0 }
    }

    /// The first event: who we are, and how things stand.
    pub fn hello(&mut self, now: Wall, version: &str, counts: &Counts) -> String {
        let data = json!({ "version": version, "at": now.rfc3339(), "monitors": api::counts(counts) });
        // A browser whose connection breaks waits so many milliseconds before it comes again.
        format!("retry: 2000\n{}", self.event("hello", &data))
    }

    /// How things stand, though nothing happened.
    pub fn counts(&mut self, now: Wall, counts: &Counts) -> String {
        self.event("counts", &json!({ "at": now.rfc3339(), "monitors": api::counts(counts) }))
    }

    /// Something happened.
    pub fn events(&mut self, now: Wall, events: &MonitorEvent) -> String {
        match events {
            MonitorEvent::Change(change) => {
                let reason = change.reason.filter(|_| change.to == State::Down);
                let exit = reason.and_then(|reason| reason.exit);
                let data = json!({
                    "monitor": change.monitor.as_str(),
                    "from": change.from.name(),
                    "to": change.to.name(),
                    "at": change.at.rfc3339(),
                    "last_beat": change.last_beat.map(Wall::rfc3339),
                    "silent_s": api::seconds(change.silent),
                    "cause": reason.map(|reason| reason.cause.name()),
                    "exit_code": exit.and_then(Exit::code),
                    "signal": exit.and_then(Exit::signal),
                    "muted": change.muted,
                });
                self.event("change", &data)
            }
            MonitorEvent::Made(id) => {
                self.event("made", &json!({ "monitor": id.as_str(), "at": now.rfc3339() }))
            }
            MonitorEvent::Conflict(id, conflict) => {
                let mut data = api::conflict(conflict);
                data["monitor"] = id.as_str().into();
                self.event("conflict", &data)
            }
            MonitorEvent::Removed(id) => {
                self.event("removed", &json!({ "monitor": id.as_str(), "at": now.rfc3339() }))
            }
        }
    }

    /// So many were missed, because the reader is too slow.
    pub fn missed(&mut self, now: Wall, count: u64) -> String {
        self.event("missed", &json!({ "count": count, "at": now.rfc3339() }))
    }

    fn event(&mut self, name: &str, data: &Value) -> String {
        self.last_id += 1;
        // JSON escapes line breaks, so the data is one line whatever is in it.
        format!("id: {}\nevent: {name}\ndata: {data}\n\n", self.last_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id;

    #[test]
    fn events_are_numbered_blocks_of_one_line_each() {
        let now = Wall(1_770_521_420_000);
        let mut stream = EventEncoder::new(now);
        let hello = stream.hello(now, "1.2.3", &[0, 4, 1, 0, 0]);
        assert_eq!(
            hello,
            "retry: 2000\nid: 1770521420001\nevent: hello\ndata: {\"version\":\"1.2.3\",\
             \"at\":\"2026-02-08T03:30:20.000Z\",\"monitors\":{\"new\":0,\"up\":4,\"late\":1,\"down\":0,\"paused\":0}}\n\n"
        );
        let made = stream.events(now, &MonitorEvent::Made(Id::new("web-1").unwrap()));
        assert!(made.starts_with("id: 1770521420002\nevent: made\ndata: {\"monitor\":\"web-1\","), "{made}");
        let missed = stream.missed(now, 7);
        assert!(
            missed.contains("\nevent: missed\ndata: {\"count\":7,") && missed.ends_with("}\n\n"),
            "{missed}"
        );
    }
}
