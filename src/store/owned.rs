//! Records that own what they say: for tables in memory, and as the form in which details are written down.

use crate::domain::address::Peer;
use crate::domain::beat::{Source, Status, Transport};
use crate::domain::id::{Id, IdRef};
use crate::domain::notice::State;
use crate::domain::record::{Change, Details, Pause, PausedBy, Record, Run};
use crate::domain::time::{Span, Wall};
use serde::{Deserialize, Serialize};

/// A record that borrows nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedRecord {
    id: Id,
    /// Everything but its id and its details, which stand beside it.
    rest: Record<'static>,
    details: Option<OwnedDetails>,
}

/// [`Details`] that borrow nothing; as JSON the column `details` of the table `monitors`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnedDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "is_unknown")]
    message_beat: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skew_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<OwnedRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<OwnedPause>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    declared: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OwnedRun {
    rid: String,
    started_ms: i64,
    limit_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct OwnedPause {
    by: OwnedPausedBy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OwnedPausedBy {
    Person,
    Window,
}

fn is_unknown(beat: &u64) -> bool {
    *beat == 0
}

/// Stands where an id is never looked at.
const NO_ID: &str = "-";

/// What a snapshot tells of a monitor that was removed: its number.
pub(super) fn removed(number: u64) -> Option<Record<'static>> {
    let nowhere = Source { peer: Peer::Unix, transport: Transport::Http };
    Some(Record {
        id: IdRef::new(NO_ID).ok()?,
        number,
        version: 0,
        at: Wall(0),
        change: Change::Removed,
        state: State::New,
        beneath: State::New,
        since: Wall(0),
        last_beat: None,
        beats: 0,
        status: Status::Ok,
        source: nowhere,
        sequence: None,
        interval: Span(0),
        grace: Span(0),
        asked: None,
        incident: None,
        details: None,
    })
}

impl OwnedRecord {
    /// Takes a copy. `None` only where an id could not be one, which [`IdRef`] rules out.
    pub fn new(record: &Record<'_>) -> Option<OwnedRecord> {
        let placeholder = IdRef::new(NO_ID).ok()?;
        Some(OwnedRecord {
            id: record.id.to_id(),
            rest: Record {
                id: placeholder,
                number: record.number,
                version: record.version,
                at: record.at,
                change: record.change,
                state: record.state,
                beneath: record.beneath,
                since: record.since,
                last_beat: record.last_beat,
                beats: record.beats,
                status: record.status,
                source: record.source,
                sequence: record.sequence,
                interval: record.interval,
                grace: record.grace,
                asked: record.asked,
                incident: record.incident,
                details: None,
            },
            details: record.details.as_ref().map(OwnedDetails::new),
        })
    }

    /// The same, borrowed.
    pub fn borrow(&self) -> Record<'_> {
        Record {
            id: self.id.as_ref(),
            details: self.details.as_ref().map(OwnedDetails::borrow),
            ..self.rest.clone()
        }
    }

    /// Its id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The same as part of a snapshot: made by nothing in particular, without details where they say nothing, and with
    /// those of an `earlier` one where it has none itself.
    pub(super) fn settled(mut self, earlier: Option<OwnedDetails>) -> OwnedRecord {
        self.rest.change = Change::None;
        self.details = self.details.or(earlier).filter(|details| *details != OwnedDetails::default());
        self
    }

    /// Its details.
    pub(super) fn take_details(&mut self) -> Option<OwnedDetails> {
        self.details.take()
    }
}

impl OwnedDetails {
    /// Takes a copy.
    pub fn new(details: &Details<'_>) -> OwnedDetails {
        let owned_run = |run: &Run<'_>| OwnedRun {
            rid: run.rid.to_string(),
            started_ms: run.started.0,
            limit_ms: run.limit.0,
        };
        let owned_pause = |pause: Pause| OwnedPause {
            by: match pause.by {
                PausedBy::Person => OwnedPausedBy::Person,
                PausedBy::Window => OwnedPausedBy::Window,
            },
            until_ms: pause.until.map(|until| until.0),
        };
        OwnedDetails {
            reported_ip: details.reported_ip.map(|ip| ip.as_str().to_string()),
            message: details.message.map(str::to_string),
            message_at_ms: details.message_at.map(|at| at.0),
            message_beat: details.message_beat,
            tags: details.tags.iter().map(|tag| tag.to_string()).collect(),
            skew_ms: details.skew_ms,
            run_took_ms: details.run_took.map(|took| took.0),
            runs: details.runs.iter().map(owned_run).collect(),
            pause: details.pause.map(owned_pause),
            declared: details.declared,
        }
    }

    /// The same, borrowed. A reported address that could not be one is left out.
    pub fn borrow(&self) -> Details<'_> {
        let pause = self.pause.map(|pause| Pause {
            by: match pause.by {
                OwnedPausedBy::Person => PausedBy::Person,
                OwnedPausedBy::Window => PausedBy::Window,
            },
            until: pause.until_ms.map(Wall),
        });
        Details {
            reported_ip: self.reported_ip.as_deref().and_then(|ip| IdRef::new(ip).ok()),
            message: self.message.as_deref(),
            message_at: self.message_at_ms.map(Wall),
            message_beat: self.message_beat,
            tags: self.tags.iter().map(String::as_str).collect(),
            skew_ms: self.skew_ms,
            run_took: self.run_took_ms.map(Span),
            runs: self.runs.iter().map(OwnedRun::borrow).collect(),
            pause,
            declared: self.declared,
        }
    }
}

impl OwnedRun {
    fn borrow(&self) -> Run<'_> {
        Run { rid: &self.rid, started: Wall(self.started_ms), limit: Span(self.limit_ms) }
    }
}
