//! What the machine knows of one monitor that is down or lately was, and of each notifier that is told of it.
//!
//! It is plain data with a form as JSON, one row of the table `alerts`: whatever of it outlives a crash is in there.

use crate::domain::address::Peer;
use crate::domain::beat::Exit;
use crate::domain::record::{OpenIncident, Reason, Record};
use crate::domain::time::{Span, Wall};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Messages about one monitor that one notifier gets in [`HOUR`].
pub const SAID_MAX: usize = 3;
/// The hour in which messages are counted, and in which a monitor that goes down again is flapping.
pub const HOUR: Span = Span::secs(3600);
/// How long a monitor that was flapping must stay as it is before that is told.
pub const STEADY: Span = Span::secs(1800);

/// A monitor that is down, or was and of which something is still to be told or to be remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MonitorAlert {
    #[serde(skip)]
    pub(super) number: u64,
    /// Of the latest record that was heard of it.
    pub(super) version: u64,
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<IpAddr>,
    /// From where it was made, while it has not been heard: its rule is found by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made_from: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_beat: Option<Wall>,
    /// Its interval and grace: how long it may take to be heard again.
    pub(super) respite: Span,
    /// The beats it had sent when its latest incident began, as the incident's name has them.
    pub(super) beats: u64,
    pub(super) started: Wall,
    /// When that was, and when it was last heard before, by the clock as it is set now: what counts is reckoned from these.
    #[serde(default)]
    pub(super) began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) heard: Option<Wall>,
    #[serde(flatten)]
    pub(super) reason: Reason,
    /// When that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Wall>,
    #[serde(default)]
    pub(super) removed: bool,
    #[serde(default)]
    pub(super) paused: bool,
    /// An incident was told to its end before and is open all the same, since a power cut has taken its end: what is told
    /// of it now is no repeat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) again: bool,
    /// Its newest failed run since, where somebody is told of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<FailedRun>,
    /// When it last went down or came up.
    pub(super) changed: Wall,
    /// How often it went down since `first_down`, with never an hour between in which all was told.
    pub(super) downs: u32,
    pub(super) first_down: Wall,
    pub(super) lines: Vec<Line>,
    /// The ids that it depends on, by its rule.
    #[serde(skip)]
    pub(super) after: Vec<String>,
    /// Its place among the timers.
    #[serde(skip)]
    pub(super) wake: Option<Wall>,
}

/// A failed run of a monitor that was down already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FailedRun {
    /// With which of the monitor's beats it was told, counted from 1.
    pub(super) beats: u64,
    /// How it ended, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exit: Option<Exit>,
    /// The end of what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) said: Option<String>,
}

/// The little of what is remembered of a monitor that it is compared by with how it stands.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Remembered {
    /// The latest version that was heard of.
    pub version: u64,
    #[serde(default)]
    ended: Option<Wall>,
    beats: u64,
}

impl Remembered {
    /// Reads it from what was remembered; `None`: that cannot be read.
    pub fn read(state: &str) -> Option<Remembered> {
        serde_json::from_str(state).ok()
    }

    /// The incident that is open: the beats it is named by.
    pub fn open(&self) -> Option<u64> {
        self.ended.is_none().then_some(self.beats)
    }
}

/// What one notifier was told of a monitor, and what it is to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// The notifier.
    pub(super) to: String,
    /// The rules do not name it and it knows of nothing: it is kept for what it heard of late, which counts should it be
    /// named again, and is told nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unnamed: bool,
    /// When the present incident has lasted for long enough to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) due: Option<Wall>,
    /// Nothing is said because something that it depends on is down.
    #[serde(default)]
    pub(super) covered: bool,
    /// Incidents that lasted long enough and that were not told yet.
    #[serde(default)]
    pub(super) pending: u32,
    /// The latest incident is one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) counted: bool,
    /// The notifier knows it to be down, by the incident of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<u64>,
    /// When the incident of which it was last told began; `None` where that was not noted, by versions before 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told_started: Option<Wall>,
    /// The incident of which it was last told, known or not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thread: Option<u64>,
    /// It was told that the monitor is flapping, and hears nothing until that is over.
    #[serde(default)]
    pub(super) flapping: bool,
    /// What it was told last is the end of that.
    #[serde(skip)]
    pub(super) was_flapping: bool,
    /// When it was last told anything, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) said: Vec<Wall>,
    /// When it was last told that the monitor is up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recovered: Option<Wall>,
    /// When it is told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) remind: Option<Wall>,
    /// Failed runs since it went down that are still to be told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) failures: u32,
    /// Those that are told now.
    #[serde(skip)]
    pub(super) tells: u32,
}

impl MonitorAlert {
    /// One that has just gone down.
    pub(super) fn new(record: &Record<'_>, incident: OpenIncident) -> MonitorAlert {
        MonitorAlert {
            number: record.number,
            version: record.version,
            id: record.id.as_str().to_string(),
            ip: None,
            made_from: None,
            last_beat: None,
            respite: Span(0),
            beats: incident.beats,
            started: incident.started,
            began: incident.started,
            heard: None,
            reason: incident.reason,
            ended: None,
            removed: false,
            paused: false,
            again: false,
            failed: None,
            changed: record.at,
            downs: 0,
            first_down: incident.started,
            lines: Vec::new(),
            after: Vec::new(),
            wake: None,
        }
    }

    /// Whether that is the incident that was the latest here, and seemed to have ended: its end was lost with the process
    /// or the power, or what came before it is read once more.
    pub(super) fn goes_on(&self, incident: OpenIncident) -> bool {
        self.downs > 0 && (self.beats, self.started) == (incident.beats, incident.started)
    }

    /// An incident begins, or goes on.
    pub(super) fn begin(&mut self, record: &Record<'_>, incident: OpenIncident) {
        let all_told = self.lines.iter().all(|line| line.pending == 0 && line.told.is_none());
        if !self.goes_on(incident) {
            if self.downs == 0 || all_told && after(self.changed, HOUR) < incident.started {
                (self.downs, self.first_down) = (0, incident.started);
            }
            // Beats are counted up, so this one or a later one was known before.
            self.again |= self.downs > 0 && incident.beats <= self.beats;
            self.downs = self.downs.saturating_add(1);
            self.began = incident.started;
        } else {
            self.again = true;
        }
        (self.beats, self.started, self.reason) = (incident.beats, incident.started, incident.reason);
        self.heard = record.last_beat;
        (self.ended, self.removed) = (None, false);
        if self.lines.iter().all(|line| line.failures == 0) {
            self.failed = None;
        }
        self.changed = record.at;
        self.last_beat = record.last_beat;
        self.respite = Span(record.interval.0.saturating_add(record.grace.0));
        self.ip = match record.source.peer {
            Peer::Ip(ip) if record.last_beat.is_some() => Some(ip),
            _ => self.id.parse().ok(),
        };
        self.made_from = match record.source.peer {
            Peer::Ip(ip) if record.last_beat.is_none() => Some(ip),
            _ => None,
        };
    }

    /// By where it came from its rule is found.
    pub(super) fn peer(&self) -> Peer {
        self.made_from.or(self.ip).map_or(Peer::Unix, Peer::Ip)
    }

    /// Whether it is down.
    pub(super) fn is_down(&self) -> bool {
        self.ended.is_none()
    }

    /// The line of a notifier.
    pub(super) fn line(&self, to: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.to == to)
    }

    /// Whether nothing of it needs to be remembered any more.
    pub(super) fn is_idle(&self, clock: Wall) -> bool {
        !self.is_down() && self.lines.iter().all(|line| line.is_idle(clock))
    }
}

impl Line {
    /// One that has told nothing.
    pub(super) fn new(to: &str) -> Line {
        Line {
            to: to.to_string(),
            unnamed: false,
            due: None,
            covered: false,
            pending: 0,
            counted: false,
            told: None,
            told_started: None,
            thread: None,
            flapping: false,
            was_flapping: false,
            said: Vec::new(),
            recovered: None,
            remind: None,
            failures: 0,
            tells: 0,
        }
    }

    /// Notes by which incident it is told that the monitor is down; who knows one goes by that.
    pub(super) fn tell(&mut self, beats: u64, started: Wall) {
        if self.told.is_none() {
            (self.told, self.told_started) = (Some(beats), Some(started));
        }
    }

    /// Notes that something is said now.
    pub(super) fn say(&mut self, clock: Wall) {
        self.was_flapping = false;
        if self.said.len() >= SAID_MAX {
            self.said.remove(0);
        }
        self.said.push(clock);
    }

    /// From when on it may be told that all is well: when one more message, should it go down again, stays within
    /// [`SAID_MAX`] an hour.
    pub(super) fn room_at(&self) -> Option<Wall> {
        let place = self.said.len().checked_sub(SAID_MAX - 1)?;
        self.said.get(place).map(|said| after(*said, HOUR))
    }

    /// When the end of a flapping may be told of a monitor that last changed then.
    pub(super) fn steady_at(&self, changed: Wall) -> Wall {
        let steady = after(changed, STEADY);
        self.room_at().map_or(steady, |room| room.max(steady))
    }

    /// Whether a monitor that goes down at this moment is flapping.
    pub(super) fn is_again(&self, clock: Wall) -> bool {
        self.pending > 1
            || self.told.is_some()
            || self.recovered.is_some_and(|recovered| clock < after(recovered, HOUR))
    }

    /// The latest incident has lasted for long enough to be told.
    pub(super) fn count(&mut self) {
        self.pending = self.pending.saturating_add(1);
        self.counted = true;
    }

    /// The latest incident, which had seemed to be over, goes on: it is counted when it is due, and no second time.
    pub(super) fn uncount(&mut self) {
        self.pending = self.pending.saturating_sub(u32::from(std::mem::take(&mut self.counted)));
    }

    /// The rules do not name it any more: it is told the end of what it was told of, and nothing else.
    pub(super) fn leave_out(&mut self) {
        (self.due, self.remind, self.covered) = (None, None, false);
        (self.pending, self.counted, self.failures) = (0, false, 0);
        self.unnamed = !self.is_owed();
    }

    /// Whether it was told of a monitor and is to be told of the end, whatever the rules say now.
    pub(super) fn is_owed(&self) -> bool {
        self.told.is_some() || self.pending > 0
    }

    /// Whether what it heard counts no more.
    pub(super) fn is_past(&self, clock: Wall) -> bool {
        self.said.last().is_none_or(|said| after(*said, HOUR) <= clock)
    }

    fn is_idle(&self, clock: Wall) -> bool {
        let busy = self.is_owed() || self.flapping || self.due.is_some();
        !busy && self.is_past(clock)
    }
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

/// A moment, and a span after it.
pub(super) fn after(wall: Wall, span: Span) -> Wall {
    Wall(wall.0.saturating_add_unsigned(span.0))
}
