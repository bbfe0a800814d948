//! What one notifier is told at once: the facts, without a language and without a channel's form.
//!
//! A message is kept as it was made until it is delivered. How late it then is, and how long an outage that goes on has
//! lasted, is known only at that moment; so its sentence and its JSON are made then, by `view::alert`.

use crate::domain::beat::Exit;
use crate::domain::record::Cause;
use crate::domain::time::{Span, Wall};
use serde::{Deserialize, Serialize};

/// Monitors that a message lists; the others are counted.
pub const LISTED_MAX: usize = 1_000;
/// Bytes of all that is listed.
pub const LISTED_BYTES_MAX: usize = 256 * 1024;
/// Dependants that a message names; the others are counted.
pub const DEPENDANTS_MAX: usize = 20;
/// Bytes of a beat's text in a message: its end, where a job says why it fails.
pub const SAID_BYTES_MAX: usize = 1_000;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// Monitors went down.
    Down,
    /// They are up again, or gone.
    Recovered,
    /// They are down still.
    Reminder,
    /// A monitor went down again soon after it came up; from now on until it is steady nothing more is said of it.
    Flapping,
    /// So many are silent since our own restart or loss of network that we suspect ourselves; or our disk is full.
    #[serde(rename = "self")]
    Own,
    /// Somebody tries whether messages arrive.
    Test,
}

impl MessageKind {
    /// The word for it: `down`, `recovered`, `reminder`, `flapping`, `self`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::Down => "down",
            MessageKind::Recovered => "recovered",
            MessageKind::Reminder => "reminder",
            MessageKind::Flapping => "flapping",
            MessageKind::Own => "self",
            MessageKind::Test => "test",
        }
    }

    /// Whether it says that something is wrong; the others say that all is well again, or nothing.
    pub fn is_bad(self) -> bool {
        matches!(self, MessageKind::Down | MessageKind::Reminder | MessageKind::Flapping | MessageKind::Own)
    }
}

/// A monitor of which a message speaks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Its id.
    pub id: String,
    /// The name of its incident, see [`incident_id`](crate::domain::record::incident_id): the same in the message that
    /// it is down and in the one that it is up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Since when it is down, or was.
    pub since: Wall,
    /// When that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    /// With silence: the slot of its schedule that it missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Wall>,
    /// Its last beat came nearer to that slot than to the one before, and counts for neither.
    #[serde(default, skip_serializing_if = "is_false")]
    pub near: bool,
    /// The name of the time zone that it goes by, where the configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Why it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How the run ended that failed, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// When the run began that takes too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_started: Option<Wall>,
    /// The last time it was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_beat: Option<Wall>,
    /// Where its last beat came from: an address, or `unix`; `None` if it was never heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it said: with the beat that made it go down or, newer, in this outage; the end of it, at most
    /// [`SAID_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Failed runs since it was last told of, the one apart by which it went down; `exit` and `said` are of the newest.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failures: u32,
    /// Whether the outage ended because the monitor was removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub removed: bool,
}

/// What those of whom a message speaks have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommonCause {
    /// They all depend on this monitor.
    After(String),
    /// They are all in this network, a /24 or a /64: `10.1.2.0/24`.
    Network(String),
}

/// Why we suspect ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuspicionCause {
    /// We were started again, or stood still for a time.
    Restart,
    /// This machine had lost its network.
    Network,
    /// Our own disk is full. Nobody is silent because of that.
    Disk,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What it is about.
    pub kind: MessageKind,
    /// Its name, the same each time that it is tried; no two messages have the same. Printable ASCII without spaces.
    pub key: String,
    /// The notifier it was made for; a fallback that gets it in its place is not named here.
    pub notifier: String,
    /// When it was made.
    pub made: Wall,
    /// The monitors, at most [`LISTED_MAX`]; none in a test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Subject>,
    /// How many there are, listed or not.
    pub count: u64,
    /// How many of them were removed.
    #[serde(default)]
    pub removed_count: u64,
    /// What they have in common, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<CommonCause>,
    /// Monitors that depend on these and are silent too, which is not told separately; at most [`DEPENDANTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependants: Vec<String>,
    /// How many there are, named or not.
    #[serde(default)]
    pub dependants_count: u64,
    /// With [`MessageKind::Flapping`], and when that is over: how often it went down, and within which time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaps: Option<(u32, Span)>,
    /// With [`MessageKind::Own`]: why, and how many monitors there are in all, where some are silent for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<(SuspicionCause, u64)>,
    /// When it was to be told, and how late that is by now: whoever delivers it sets it.
    #[serde(skip)]
    pub delayed: Span,
    /// The present moment, which ends a duration that goes on: whoever delivers it sets it.
    #[serde(skip)]
    pub now: Wall,
    /// It could not be put on record that it is told, so a crash may have it told again: whoever delivers it sets it.
    #[serde(skip)]
    pub unstored: bool,
    /// Who tells it: whoever delivers it sets it.
    #[serde(skip)]
    pub server: Server,
}

/// Which server tells something, for people who have several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The name of its machine; empty: it has none.
    pub name: String,
    /// Where its page is, without a slash at the end.
    pub page_url: Option<String>,
}

impl Message {
    /// A message of no monitors yet.
    pub fn new(kind: MessageKind, key: String, notifier: &str, made: Wall) -> Message {
        Message {
            kind,
            key,
            notifier: notifier.to_string(),
            made,
            monitors: Vec::new(),
            count: 0,
            removed_count: 0,
            shared: None,
            dependants: Vec::new(),
            dependants_count: 0,
            flaps: None,
            doubt: None,
            delayed: Span(0),
            now: made,
            unstored: false,
            server: Server::default(),
        }
    }

    /// The same message as it is at the moment of its delivery. Later than `expected` after it was made, it says so.
    pub fn at(mut self, now: Wall, expected: Span) -> Message {
        let age = age(self.made, now);
        self.delayed = if age > expected { age } else { Span(0) };
        self.now = now;
        self
    }

    /// The first of its monitors, and if there is only one, the one.
    pub fn first(&self) -> Option<&Subject> {
        self.monitors.first()
    }

    /// Since when the outage lasts, or lasted; of several the longest.
    pub fn since(&self) -> Wall {
        self.monitors.iter().map(|monitor| monitor.since).min().unwrap_or(self.made)
    }

    /// How long it lasted, or has by now; of several the longest.
    pub fn duration(&self) -> Span {
        self.monitors
            .iter()
            .map(|one| age(one.since, one.ended.unwrap_or(self.now)))
            .max()
            .unwrap_or_default()
    }
}

/// From one moment to another; nothing when the clock was set back meanwhile.
pub fn age(from: Wall, to: Wall) -> Span {
    Span(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_whole_but_for_what_only_its_delivery_decides() {
        let mut message = Message::new(MessageKind::Own, "self-7-3-ops".into(), "ops", Wall(5_000));
        message.doubt = Some((SuspicionCause::Network, 9));
        message.shared = Some(CommonCause::Network("10.1.2.0/24".into()));
        message.flaps = Some((3, Span(1)));
        message.monitors = vec![Subject {
            id: "web-1".into(),
            incident: Some("7-3".into()),
            since: Wall(1_000),
            cause: Some(Cause::Fail),
            tags: vec!["a".into()],
            ..Subject::default()
        }];
        let kept = serde_json::to_vec(&message).unwrap();
        assert_eq!(serde_json::from_slice::<Message>(&kept).unwrap().now, Wall(0));
        let read = serde_json::from_slice::<Message>(&kept).unwrap().at(Wall(5_000), Span(0));
        assert_eq!(read, message);
        let late = message.at(Wall(65_000), Span::secs(30));
        assert_eq!(
            (late.delayed, late.duration(), late.since()),
            (Span::secs(60), Span::secs(64), Wall(1_000))
        );
    }
    #[test]
    fn a_message_that_an_older_version_has_left_is_read() {
        let kept = r#"{"kind":"down","key":"down-7-3-ops","notifier":"ops","made":5000,"monitors":[{"id":"web-1",
            "incident":"7-3","since":1000,"cause":"silence","last_beat":900,"address":"10.0.3.7","tags":["a"]}],
            "count":1,"dependants_count":0}"#;
        let read: Message = serde_json::from_str(kept).unwrap();
        let one = read.first().unwrap();
        assert_eq!((one.id.as_str(), one.since, one.cause), ("web-1", Wall(1_000), Some(Cause::Silence)));
        assert_eq!((one.slot, one.zone.as_ref(), one.failures, read.removed_count), (None, None, 0, 0));
    }
}
