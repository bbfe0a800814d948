//! What is known of one notifier, or of one recipient who is told by itself, and what follows from it: whether it may be asked now, which of the messages
//! that wait goes next, and how long it is left alone after a failure. Time goes in, decisions come out.
//!
//! All of it is in memory only, and measured by the clock that nobody sets: after a start each notifier is simply asked.

use crate::domain::alert::message::age;
use crate::domain::alert::{Message, Notifier};
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::i18n::{self, Text};
use crate::notify::{Left, Outcome};
use crate::store::{Outgoing, Settled};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// First pause after a failure.
const BACKOFF_MIN: Span = Span::secs(1);
/// Longest.
const BACKOFF_MAX: Span = Span::secs(300);
/// After so many failures in a row others are tried besides the first.
const PATIENCE: u32 = 5;
/// Pauses of messages that are remembered: longer than any are long over.
const RESTING_MAX: usize = 1_000;
/// Notifiers that one message may be handed on to.
const HOPS_MAX: usize = 4;
/// Stands between a message's name and the fallback it was handed to; no part of a notifier's name.
const HOP: char = '~';
/// Stands between a message's name and the recipient whom it is for; no part of a notifier's name.
const PART: char = '>';
/// What stays as it is of an address in a message's name, which is printable ASCII without spaces.
const ADDRESS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_').remove(b'+');
/// Recipients that a reason names; the others are counted.
const NAMED_MAX: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct NotifierState {
    /// Names of what is on its way, until it is on record what came of it.
    under_way: BTreeSet<String>,
    /// Tries that failed since one succeeded, and what was said the last time.
    failures: u32,
    reason: Text,
    /// It is left alone until then.
    closed_until: Mono,
    /// Messages that have failed, and until when each is left alone.
    resting: BTreeMap<String, Mono>,
    /// What has failed since something succeeded.
    asked: BTreeSet<String>,
    /// Messages that it may be given at once; see `rate_per_minute`.
    tokens: f64,
    refilled: Option<Mono>,
}

impl NotifierState {
    /// Whether it may be given one more message.
    pub(super) fn is_open(&mut self, notifier: &Notifier, concurrency: usize, now: Mono) -> bool {
        // One that fails is asked with one message.
        let most = if self.failures > 0 { 1 } else { concurrency.max(1) };
        self.under_way.len() < most && now >= self.closed_until && self.has_token(notifier, now)
    }

    /// Whether nothing is on its way to it.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether it takes nothing at the moment, and why.
    pub(super) fn failing(&self) -> Option<&Text> {
        (self.failures > 0).then_some(&self.reason)
    }

    /// Whether a message is on its way.
    pub(super) fn carries(&self, key: &str) -> bool {
        self.under_way.contains(key)
    }

    /// How many are.
    pub(super) fn busy(&self) -> usize {
        self.under_way.len()
    }

    /// Which of those that wait goes next. `from`: those before it do not go now. `may_go`: which keys go at all. `all`: no
    /// others wait that are worth a look.
    ///
    /// The first that is not left alone, but never one about a monitor of which an earlier one speaks that has not
    /// arrived. When the notifier keeps failing, it is tried with others too: it may be the message.
    pub(super) fn choose<'a>(
        &mut self,
        waiting: &'a [Outgoing],
        from: usize,
        may_go: impl Fn(&str) -> bool,
        all: bool,
        now: Mono,
    ) -> Option<&'a Outgoing> {
        let doubtful = self.failures >= PATIENCE;
        let mut earlier = BTreeSet::new();
        let mut first = None;
        for (index, one) in waiting.iter().enumerate() {
            let rests = self.resting.get(&one.key).is_some_and(|until| now < *until);
            let ids = if index == 0 && waiting.len() == 1 { BTreeSet::new() } else { monitors(one) };
            let is_open = index >= from && !rests && !self.under_way.contains(&one.key) && may_go(&one.key);
            if is_open && ids.is_disjoint(&earlier) {
                if !doubtful || !self.asked.contains(&one.key) {
                    return Some(one);
                }
                first = first.or(Some(one));
            }
            earlier.extend(ids);
        }
        if first.is_some() && all {
            // All of them once more.
            self.asked.clear();
        }
        first.filter(|_| all)
    }

    /// A message is on its way.
    pub(super) fn begin(&mut self, key: &str) {
        self.tokens -= 1.0;
        self.under_way.insert(key.to_string());
    }

    /// It is on record what came of it, or it is as if it had not been sent.
    pub(super) fn end(&mut self, key: &str) {
        self.under_way.remove(key);
    }

    /// Draws from a try what it says of the notifier and of the message; returns what is to be put on record.
    pub(super) fn judge(
        &mut self,
        notifier: Option<&Notifier>,
        outgoing: &Outgoing,
        outcome: &Outcome,
        once: bool,
        now: Now,
    ) -> Settled {
        self.resting.remove(&outgoing.key);
        let (after, reason) = match outcome {
            Outcome::Sent => {
                self.reopen();
                return Settled::Sent;
            }
            Outcome::Partly { told, left } if once && told.is_empty() => {
                return Settled::Failed { reason: reasons(left) };
            }
            Outcome::Partly { left, .. } => {
                self.reopen();
                return Settled::Split { reason: reasons(left) };
            }
            // Others may be to its liking.
            Outcome::Refused { reason } => return Settled::Failed { reason: reason.clone() },
            Outcome::Retry { after, reason } => (after.unwrap_or_default(), reason.clone()),
        };
        if once {
            return Settled::Failed { reason };
        }
        self.reason.clone_from(&reason);
        self.asked.insert(outgoing.key.clone());
        if now.mono >= self.closed_until {
            // Several that were on their way together count for one.
            self.failures = self.failures.saturating_add(1);
        }
        let closed = pause(outgoing, self.failures.saturating_sub(1)).max(after);
        self.closed_until = self.closed_until.max(now.mono.after(closed));
        let left = notifier.map_or(Span(0), |notifier| left(outgoing, notifier, now.wall));
        if left == Span(0) {
            return Settled::Failed { reason };
        }
        let rest = pause(outgoing, outgoing.tries).max(after).min(left);
        if self.resting.len() < RESTING_MAX {
            self.resting.insert(outgoing.key.clone(), now.mono.after(rest));
        }
        let next = now.mono.after(rest).max(self.closed_until);
        Settled::Retry { due: now.wall_of(next), reason }
    }

    /// A message is left alone for a while.
    pub(super) fn rest(&mut self, outgoing: &Outgoing, now: Now) {
        if self.resting.len() < RESTING_MAX {
            let rest = pause(outgoing, outgoing.tries.saturating_sub(1));
            self.resting.insert(outgoing.key.clone(), now.mono.after(rest));
        }
    }

    /// It takes something again, or may be another one.
    pub(super) fn reopen(&mut self) {
        (self.failures, self.closed_until) = (0, Mono(0));
        self.asked.clear();
    }

    /// Forgets also what was left alone.
    pub(super) fn forget(&mut self) {
        self.reopen();
        self.resting.clear();
    }

    /// Whether any message is left alone, or the whole.
    pub(super) fn has_rests(&self) -> bool {
        self.failures > 0 || !self.resting.is_empty()
    }

    /// Lets go of pauses that are over.
    pub(super) fn tidy(&mut self, now: Mono) {
        self.resting.retain(|_, until| now < *until);
    }

    /// Whether the notifier's rate leaves room for one message.
    fn has_token(&mut self, notifier: &Notifier, now: Mono) -> bool {
        let rate = f64::from(notifier.rate_per_minute.max(1));
        let waited = self.refilled.map_or(f64::MAX, |refilled| now.since(refilled).0 as f64);
        self.refilled = Some(now);
        self.tokens = (self.tokens + waited * rate / 60_000.0).min(rate);
        self.tokens >= 1.0
    }
}

/// For how much longer a message is tried.
pub(super) fn left(outgoing: &Outgoing, notifier: &Notifier, now: Wall) -> Span {
    Span(notifier.retry_for.0.saturating_sub(age(outgoing.made, now).0))
}

/// The message as it goes to the notifier's fallback, if it has one that was not asked yet.
pub(super) fn handed_on(outgoing: &Outgoing, notifier: &Notifier, now: Wall) -> Option<Outgoing> {
    let fallback = notifier.fallback.as_ref()?;
    let mut names = whole(&outgoing.key).split(HOP).skip(1);
    let hops = names.clone().count();
    let message: Message = serde_json::from_str(&outgoing.message).ok()?;
    if message.notifier == *fallback || hops >= HOPS_MAX || names.any(|name| name == fallback) {
        return None;
    }
    // However many recipients it fails for, the fallback hears it once.
    let key = format!("{}{HOP}{fallback}", whole(&outgoing.key));
    let (notifier, recipient) = (fallback.clone(), None);
    Some(Outgoing { key, notifier, recipient, made: now, due: now, tries: 0, ..outgoing.clone() })
}

/// The message once more for each who has not heard it: those who were not taken, and those who were not asked.
pub(super) fn parts(outgoing: &Outgoing, left: &[Left], without: &[String], now: Wall) -> Vec<Outgoing> {
    let part = |to: &str, tries: u32| Outgoing {
        key: format!("{}{PART}{}", outgoing.key, utf8_percent_encode(to, ADDRESS)),
        recipient: Some(to.to_string()),
        due: now,
        tries,
        ..outgoing.clone()
    };
    let tried = left.iter().map(|one| part(&one.to, outgoing.tries.saturating_add(1)));
    tried.chain(without.iter().map(|to| part(to, 0))).collect()
}

/// The name of the message that one for a recipient is a part of.
pub(super) fn whole(key: &str) -> &str {
    key.split(PART).next().unwrap_or_default()
}

/// Who did not take a message, and why.
pub(super) fn reasons(left: &[Left]) -> Text {
    let named = left.iter().take(NAMED_MAX);
    let named: Vec<Text> = named.map(|one| i18n::notify::recipient_reason(&one.to, &one.reason)).collect();
    let named = Text::joined(&named, i18n::notify::SEMICOLON);
    match left.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => named.and(&i18n::delivery::more_recipients(&more)),
    }
}

/// Why those were not asked who have earlier messages to hear.
pub(super) fn waiting(without: &[String]) -> Text {
    let names = without.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    i18n::delivery::earlier_to_be_taken(&names)
}

/// How long the pause after some failures is, give or take a quarter, so that those that failed together do not come
/// together again. The same part more or less for the message and for the notifier, which then fall due together.
fn pause(outgoing: &Outgoing, failures: u32) -> Span {
    let doubled = BACKOFF_MIN.0.saturating_mul(1 << failures.min(20));
    let span_ms = doubled.min(BACKOFF_MAX.0);
    let mut hasher = DefaultHasher::new();
    (&outgoing.key, outgoing.tries).hash(&mut hasher);
    let part = hasher.finish() % 1001;
    Span(span_ms * 3 / 4 + span_ms / 2 * part / 1000)
}

/// The monitors that a message names.
fn monitors(outgoing: &Outgoing) -> BTreeSet<String> {
    let message = serde_json::from_str::<Message>(&outgoing.message);
    message.map(|message| message.monitors.into_iter().map(|one| one.id).collect()).unwrap_or_default()
}

#[cfg(test)]
#[path = "notifier_state_tests.rs"]
mod tests;
