//! Two servers that judge the same monitors: which messages one of them keeps back while it hears the other, and which the
//! other has told already.
//!
//! Neither a clock nor a connection is in here: what the other server says and the time go in, a decision for each message
//! comes out. Messages of two servers have different keys and different incidents, so they are compared by what they say: the
//! notifier, the monitor, whether it is bad news or good, and the moment from which on it can have been said. That is
//! the last beat for a monitor that is down, and the beginning of the outage for one that is up again.

use super::message::{Message, MessageKind, Subject, age};
use crate::domain::time::{Mono, Now, Span, Wall};
use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Debug, Default)]
pub struct PeerView(BTreeMap<(String, String), Vec<PeerNews>>);

impl PeerView {
    /// Of its messages, in any order.
    pub fn new(alerts: Vec<PeerAlert>) -> PeerView {
        let mut view: BTreeMap<_, Vec<PeerNews>> = BTreeMap::new();
        for PeerAlert { notifier, monitors, is_bad, made, delivery } in alerts {
            for monitor in monitors {
                let news = PeerNews { made, is_bad, delivery };
                view.entry((notifier.clone(), monitor)).or_default().push(news);
            }
        }
        view.values_mut().for_each(|all| all.sort_by_key(|news| news.made));
        PeerView(view)
    }

    /// What was said since a moment, the newest first.
    fn since(&self, notifier: &str, monitor: &str, since: Wall) -> impl Iterator<Item = &PeerNews> {
        let all = self.0.get(&(notifier.to_string(), monitor.to_string()));
        let from = since.0.saturating_sub(CLOCKS_MAX.0 as i64);
        all.into_iter().flatten().rev().take_while(move |news| news.made.0 >= from)
    }

    /// Whether the last that was told says the same as a message does.
    fn has_told(&self, message: &Message, one: &Subject) -> bool {
        let mut news = self.since(&message.notifier, &one.id, moment(message.kind, one));
        let told = news.find(|news| news.delivery == PeerDelivery::Told);
        told.is_some_and(|news| news.is_bad == message.kind.is_bad())
    }

    /// Whether the other server has given up to tell it.
    fn has_failed(&self, message: &Message, one: &Subject) -> bool {
        let mut news = self.since(&message.notifier, &one.id, moment(message.kind, one));
        news.next().is_some_and(|news| news.delivery == PeerDelivery::Failed)
    }
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

    /// It has not answered.
    pub fn missed(&mut self) {
        self.misses = self.misses.saturating_add(1);
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
    pub fn decide(&self, pair: &PairPolicy, waiting: &[Message], now: Now) -> Vec<PairDecision> {
        let mut ended = BTreeMap::new();
        for (index, message) in
            waiting.iter().enumerate().filter(|(_, one)| one.kind == MessageKind::Recovered)
        {
            message.monitors.iter().for_each(|one| _ = ended.insert(one.id.as_str(), index));
        }
        // Monitors of which an earlier one of these messages says that they are down, and nobody has told it.
        let mut untold: BTreeSet<&str> = BTreeSet::new();
        let mut decisions = Vec::with_capacity(waiting.len());
        for (index, message) in waiting.iter().enumerate() {
            if self.is_own(pair, message) {
                decisions.push(PairDecision::Send { without: Vec::new() });
                continue;
            }
            let (told, open): (Vec<&Subject>, Vec<&Subject>) =
                message.monitors.iter().partition(|one| self.is_told(pair, message, one, now.mono));
            let may_be_over = self.may_be_over(pair, message, now);
            let (over, open): (Vec<&Subject>, Vec<&Subject>) = open.into_iter().partition(|one| {
                may_be_over
                    && match message.kind {
                        MessageKind::Reminder | MessageKind::Recovered => untold.contains(one.id.as_str()),
                        _ => ended.get(one.id.as_str()).is_some_and(|end| *end > index),
                    }
            });
            for one in open.iter().chain(&over) {
                if message.kind.is_bad() {
                    untold.insert(&one.id);
                }
            }
            if !message.kind.is_bad() {
                message.monitors.iter().for_each(|one| _ = untold.remove(one.id.as_str()));
            }
            let without = || told.iter().chain(&over).map(|one| one.id.clone()).collect();
            decisions.push(match (open.as_slice(), over.as_slice()) {
                ([], []) => PairDecision::ToldByOther,
                ([], _) => PairDecision::Over,
                (open, _) if self.holds(pair, message, open, now.mono) => PairDecision::Hold,
                _ => PairDecision::Send { without: without() },
            });
        }
        decisions
    }

    /// Whether a message is no matter of the other server: about this one, or about that one.
    fn is_own(&self, pair: &PairPolicy, message: &Message) -> bool {
        let is_other = |one: &Subject| Some(&one.id) == pair.standby_for.as_ref();
        matches!(message.kind, MessageKind::Own | MessageKind::Test) || message.monitors.iter().all(is_other)
    }

    /// Whether the other server has told it. Reminders are told by whoever tells at that moment: by this one, unless it
    /// stands by for one that is heard.
    fn is_told(&self, pair: &PairPolicy, message: &Message, one: &Subject, now: Mono) -> bool {
        let is_compared = match message.kind {
            MessageKind::Down | MessageKind::Recovered => true,
            _ => pair.standby_for.is_some() && !self.is_silent(pair, now),
        };
        is_compared && self.view.has_told(message, one)
    }

    /// Whether it need not be told when it is over: it was made while the other server had to tell.
    fn may_be_over(&self, pair: &PairPolicy, message: &Message, now: Now) -> bool {
        pair.standby_for.is_some()
            && match self.silent_since.filter(|_| self.is_silent(pair, now.mono)) {
                Some(since) => message.made <= since,
                None => age(message.made, now.wall) > OVER_AFTER,
            }
    }

    fn holds(&self, pair: &PairPolicy, message: &Message, open: &[&Subject], now: Mono) -> bool {
        if pair.standby_for.is_none() {
            return self.last_heard.is_none() && now.since(self.started) < FIRST_ANSWER_MAX;
        }
        !self.is_silent(pair, now) && !open.iter().all(|one| self.view.has_failed(message, one))
    }
}

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;
