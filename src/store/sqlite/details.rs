//! The column `details` of the table `monitors`: JSON of what seldom changes.

use crate::domain::id::IdRef;
use crate::domain::record::{Details, Pause, PausedBy, Run};
use crate::domain::time::{Span, Wall};
use serde::{Deserialize, Serialize};

/// [`Details`] that borrow nothing.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OwnedDetails {
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

#[derive(Debug, PartialEq, Serialize, Deserialize)]
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

impl OwnedDetails {
    /// Takes a copy.
    pub(super) fn new(details: &Details<'_>) -> OwnedDetails {
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
    pub(super) fn borrow(&self) -> Details<'_> {
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
