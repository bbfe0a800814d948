//! Two servers that judge the same monitors: which messages one of them keeps back while it hears the other, and which the
//! other has told already.
//!
//! Neither a clock nor a connection is in here: what the other server says and the time go in, a decision for each message
//! comes out. Messages of two servers have different keys and different incidents, so they are compared by what they say: the
//! notifier, the monitor, whether it is bad news or good, and the moment from which on it can have been said. That is
//! the last beat for a monitor that is down, and the beginning of the outage for one that is up again.

use super::message::{Message, MessageKind, Subject, age};
use crate::domain::time::{Mono, Now, Span, Wall};
use std::collections::BTreeMap;

/// How far apart the clocks of the two servers may be.
const CLOCKS_MAX: Span = Span::secs(5);
/// How long a server that keeps nothing back waits after its start for the first answer of the other.
const FIRST_ANSWER_MAX: Span = Span::secs(10);
/// Questions in a row without an answer before the other server can count as silent.
const MISSES_MIN: u32 = 2;
/// How long news that the other server has not told waits for it to do so, once they are over.
const OVER_AFTER: Span = Span::secs(2 * 3600);

/// What the configuration says of the other server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairPolicy {
    /// The monitor that stands for the other server, where messages are kept back while that is heard; `None`: none are.
    pub standby_for: Option<String>,
    /// Where the other server is, as people are told.
    pub url: String,
    /// How often it is asked.
    pub every: Span,
    /// Silence after which it counts as dead.
    pub grace: Span,
}

/// What became of a message of the other server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerDelivery {
    /// It waits.
    Pending,
    /// It was taken.
    Told,
    /// It was given up.
    Failed,
}

/// A message of the other server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAlert {
    /// Whom it is for.
    pub notifier: String,
    /// The monitors that it names.
    pub monitors: Vec<String>,
    /// Whether it says that they are down; else that they are up again.
    pub is_bad: bool,
    /// When it was made.
    pub made: Wall,
    /// What became of it.
    pub delivery: PeerDelivery,
}

/// What the other server has said of one monitor to one notifier.
#[derive(Clone, Copy, Debug)]
struct PeerNews {
    made: Wall,
    is_bad: bool,
    delivery: PeerDelivery,
}

/// The messages of the other server, as it last showed them.
#[derive(Debug)]
pub struct PeerView {
    news: BTreeMap<(String, String), Vec<PeerNews>>,
    /// All that it has made since then are among them.
    covers: Wall,
}

impl Default for PeerView {
    /// Of a server that has shown nothing yet.
    fn default() -> PeerView {
        PeerView { news: BTreeMap::new(), covers: Wall(i64::MAX) }
    }
}

impl PeerView {
    /// Of its messages, in any order, among which are all that it has made since a moment.
    pub fn new(alerts: Vec<PeerAlert>, covers: Wall) -> PeerView {
        let mut news: BTreeMap<_, Vec<PeerNews>> = BTreeMap::new();
        for PeerAlert { notifier, monitors, is_bad, made, delivery } in alerts {
            for monitor in monitors {
                let one = PeerNews { made, is_bad, delivery };
                news.entry((notifier.clone(), monitor)).or_default().push(one);
            }
        }
        news.values_mut().for_each(|all| all.sort_by_key(|news| news.made));
        PeerView { news, covers }
    }

    /// What was said since a moment, the newest first.
    fn since(&self, notifier: &str, monitor: &str, since: Wall) -> impl Iterator<Item = &PeerNews> {
        let all = self.news.get(&(notifier.to_string(), monitor.to_string()));
        let from = with_margin(since);
        all.into_iter().flatten().rev().take_while(move |news| news.made >= from)
    }

    /// The last that was told of what can be meant by a message; whether it is bad.
    fn last_told(&self, notifier: &str, id: &str, since: Wall) -> Option<bool> {
        let mut news = self.since(notifier, id, since);
        news.find(|news| news.delivery == PeerDelivery::Told).map(|news| news.is_bad)
    }

    /// Whether the last that was told says the same as a message does.
    fn has_told(&self, waiting: &WaitingMessage, one: &Subject) -> bool {
        let kind = waiting.message.kind;
        self.last_told(&waiting.notifier, &one.id, moment(kind, one)) == Some(kind.is_bad())
    }

    /// Whether the other server has given up to tell it.
    fn has_failed(&self, waiting: &WaitingMessage, one: &Subject) -> bool {
        let mut news = self.since(&waiting.notifier, &one.id, moment(waiting.message.kind, one));
        news.next().is_some_and(|news| news.delivery == PeerDelivery::Failed)
    }

    /// Whether it is certain that the other server has nothing of this outage, so that it does not tell its end either.
    fn lacks_outage(&self, waiting: &WaitingMessage, one: &Subject) -> bool {
        self.covers <= with_margin(one.since)
            && !self.since(&waiting.notifier, &one.id, one.since).any(|news| news.is_bad)
    }
}

/// A moment as early as the clock of the other server may show it.
fn with_margin(moment: Wall) -> Wall {
    Wall(moment.0.saturating_sub(CLOCKS_MAX.0 as i64))
}

/// A message that waits.
#[derive(Clone, Debug)]
pub struct WaitingMessage {
    /// What it says.
    pub message: Message,
    /// Whom it goes to: the notifier that it was made for, or a fallback of that.
    pub notifier: String,
    /// Whether it was let out before, and may have arrived.
    pub is_begun: bool,
    /// Monitors that it did not name any more then.
    pub without: Vec<String>,
}

/// The moment from which on it can have been said.
fn moment(kind: MessageKind, one: &Subject) -> Wall {
    if kind.is_bad() { one.last_beat.map_or(one.since, |last| last.min(one.since)) } else { one.since }
}

/// The earliest of these moments of a message; how far back the other server is to be asked.
pub fn asked_since(message: &Message) -> Option<Wall> {
    message.monitors.iter().map(|one| moment(message.kind, one)).min()
}

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairDecision {
    /// It goes out.
    Send {
        /// Monitors that it does not name any more: there is nothing to tell of them.
        without: Vec<String>,
    },
    /// It waits.
    Hold,
    /// The other server has told it.
    ToldByOther,
    /// The outage was over before anybody had to be told.
    Over,
}

/// What has changed about the other server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairChange {
    /// It is heard.
    Heard,
    /// It is silent.
    Silent,
}

/// What is known of the other server.
#[derive(Debug)]
pub struct PairWatch {
    started: Mono,
    last_heard: Option<Mono>,
    /// Questions without an answer since then.
    misses: u32,
    silent_since: Option<Wall>,
    /// What was reported last.
    reported: Option<PairChange>,
    view: PeerView,
}

impl PairWatch {
    /// Nothing is known yet.
    pub fn new(now: Mono) -> PairWatch {
        let view = PeerView::default();
        PairWatch { started: now, last_heard: None, misses: 0, silent_since: None, reported: None, view }
    }

    /// The other server has answered with its messages.
    pub fn heard(&mut self, now: Mono, view: PeerView) {
        (self.last_heard, self.misses, self.silent_since) = (Some(now), 0, None);
        self.view = view;
    }

    /// It is alive, but does not show its messages.
    pub fn heard_without_view(&mut self, now: Mono) {
        (self.last_heard, self.misses, self.silent_since) = (Some(now), 0, None);
    }

    /// It has not answered; whether that is the first time that this counts.
    pub fn missed(&mut self) -> bool {
        self.misses = self.misses.saturating_add(1);
        self.misses == MISSES_MIN
    }

    /// Whether it has been silent for its grace. Time in which it was not asked, as while this machine slept, is no
    /// silence.
    pub fn is_silent(&self, pair: &PairPolicy, now: Mono) -> bool {
        self.misses >= MISSES_MIN && now.since(self.last_heard.unwrap_or(self.started)) >= pair.grace
    }

    /// Looks whether that has changed; what is to be reported.
    pub fn look(&mut self, pair: &PairPolicy, now: Now) -> Option<PairChange> {
        let is_silent = self.is_silent(pair, now.mono);
        if is_silent {
            self.silent_since.get_or_insert(now.wall);
        }
        let change = match (is_silent, self.last_heard) {
            (true, _) => PairChange::Silent,
            (false, Some(_)) => PairChange::Heard,
            (false, None) => return None,
        };
        (self.reported.replace(change) != Some(change)).then_some(change)
    }

    /// What is to be done with each of the messages that wait for one notifier, in their order.
    pub fn decide(&self, pair: &PairPolicy, waiting: &[WaitingMessage], now: Now) -> Vec<PairDecision> {
        let may_be_over: Vec<bool> =
            waiting.iter().map(|one| !one.is_begun && self.may_be_over(pair, &one.message, now)).collect();
        let mut ends: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, one) in waiting.iter().enumerate() {
            if one.message.kind == MessageKind::Recovered {
                one.message.monitors.iter().for_each(|one| ends.entry(&one.id).or_default().push(index));
            }
        }
        let next_end = |id: &str, index: usize| {
            let all = ends.get(id)?;
            all.get(all.partition_point(|end| *end <= index)).copied()
        };
        // Monitors of which an earlier one of these messages says that they are down, and nobody has told it; and whether all
        // that do are over.
        let mut untold: BTreeMap<&str, bool> = BTreeMap::new();
        let mut decisions = Vec::with_capacity(waiting.len());
        for (index, one) in waiting.iter().enumerate() {
            let WaitingMessage { message, notifier, .. } = one;
            if is_own(pair, message) {
                decisions.push(PairDecision::Send { without: Vec::new() });
                continue;
            }
            let (told, open): (Vec<&Subject>, Vec<&Subject>) =
                message.monitors.iter().partition(|subject| self.is_told(pair, one, subject, now.mono));
            let (over, open): (Vec<&Subject>, Vec<&Subject>) = open.into_iter().partition(|subject| {
                let id = subject.id.as_str();
                // Who was told that it is down is to hear that it is up.
                let is_unheard = || self.view.last_told(notifier, id, subject.since) != Some(true);
                may_be_over[index]
                    && !is_other(pair, subject)
                    && match message.kind {
                        MessageKind::Reminder => untold.contains_key(id),
                        MessageKind::Recovered => untold.get(id) == Some(&true) && is_unheard(),
                        // Both go, or neither.
                        _ => next_end(id, index).is_some_and(|end| may_be_over[end]) && is_unheard(),
                    }
            });
            let without = || told.iter().chain(&over).map(|one| one.id.clone()).collect();
            let decision = match (open.as_slice(), over.as_slice()) {
                ([], []) => PairDecision::ToldByOther,
                ([], _) => PairDecision::Over,
                (open, _) if self.holds(pair, one, open, &untold, now.mono) => PairDecision::Hold,
                _ => PairDecision::Send { without: without() },
            };
            if message.kind.is_bad() {
                let is_held = decision == PairDecision::Hold;
                let all = open.iter().map(|one| (one, false)).chain(over.iter().map(|one| (one, !is_held)));
                for (subject, is_over) in all {
                    *untold.entry(&subject.id).or_insert(true) &= is_over;
                }
            } else {
                message.monitors.iter().for_each(|one| _ = untold.remove(one.id.as_str()));
            }
            decisions.push(decision);
        }
        decisions
    }

    /// Whether the other server has told it. Reminders are told by whoever tells at that moment: by this one, unless it
    /// stands by for one that is heard.
    fn is_told(&self, pair: &PairPolicy, waiting: &WaitingMessage, one: &Subject, now: Mono) -> bool {
        let is_compared = match waiting.message.kind {
            MessageKind::Down | MessageKind::Recovered => true,
            _ => pair.standby_for.is_some() && !self.is_silent(pair, now),
        };
        waiting.without.contains(&one.id)
            || is_compared && !is_other(pair, one) && self.view.has_told(waiting, one)
    }

    /// Whether it need not be told when it is over: it was made while the other server had to tell.
    fn may_be_over(&self, pair: &PairPolicy, message: &Message, now: Now) -> bool {
        pair.standby_for.is_some()
            && match self.silent_since.filter(|_| self.is_silent(pair, now.mono)) {
                Some(since) => message.made <= since,
                None => age(message.made, now.wall) > OVER_AFTER,
            }
    }

    fn holds(
        &self,
        pair: &PairPolicy,
        waiting: &WaitingMessage,
        open: &[&Subject],
        untold: &BTreeMap<&str, bool>,
        now: Mono,
    ) -> bool {
        if pair.standby_for.is_none() {
            return self.last_heard.is_none() && now.since(self.started) < FIRST_ANSWER_MAX;
        }
        let is_bad = waiting.message.kind.is_bad();
        // One that says that the other server is silent was made when it was.
        if self.is_silent(pair, now)
            || is_bad && waiting.message.monitors.iter().any(|one| is_other(pair, one))
        {
            return false;
        }
        let is_ended_alone = |one: &Subject| {
            !is_bad && !untold.contains_key(one.id.as_str()) && self.view.lacks_outage(waiting, one)
        };
        let mut left_to_it = open.iter().filter(|one| !is_other(pair, one));
        left_to_it.any(|one| !self.view.has_failed(waiting, one) && !is_ended_alone(one))
    }
}

/// Whether it is the monitor that stands for the other server, of which that one tells nothing.
fn is_other(pair: &PairPolicy, one: &Subject) -> bool {
    Some(&one.id) == pair.standby_for.as_ref()
}

/// Whether a message is no matter of the other server: about this one, or about that one.
fn is_own(pair: &PairPolicy, message: &Message) -> bool {
    matches!(message.kind, MessageKind::Own | MessageKind::Test)
        || message.monitors.iter().all(|one| is_other(pair, one))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Of a server that stands by.
    pub(crate) fn pair() -> PairPolicy {
        PairPolicy {
            standby_for: Some("server-a".into()),
            url: "http://a:7777".into(),
            every: Span::secs(5),
            grace: Span::secs(30),
        }
    }
}

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;
