//! The delivery without its thread: what is to be sent at a moment, and what is put on record when a try is over.
//!
//! It is driven by whoever has the time, so that an hour without a resolver can be tried in a moment. What it decides by
//! stands in `notifier_state`, what waits in the store.

use super::notifier_state::{NotifierState, handed_on, left, parts, waiting};
use super::pair_state::{DECIDED_AT_ONCE, PairState};
use super::stats::AlertResult;
use crate::domain::alert::message::age;
use crate::domain::alert::{Message, MessageKind, Notifier};
use crate::domain::notice::Level;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::engine::{Engine, lock};
use crate::i18n::{self, Text};
use crate::notify::{Left, Outcome};
use crate::store::{DeliveryStatus, Entry, Lane, Mark, OutboxQuery, Outgoing, Settled, StoreError};
use crate::view::alert;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// How often it is looked for what belongs to nobody.
const SWEEP_EVERY: Span = Span::secs(60);
/// Messages that are let go of in one step.
const SWEPT_AT_ONCE: usize = 100;
/// A message that is older says so.
const LATE: Span = Span::secs(60);
/// Waiting messages that are looked through for one that may be sent.
const WINDOW_MAX: usize = 256;
/// Messages that may wait for one notifier; of more the oldest are given up.
const PENDING_MAX: u64 = 10_000;
/// Of those, how many at once, each with its line in the log.
const SURPLUS_AT_ONCE: u64 = 1_000;
/// Messages looked at for being too old, each time.
const TOO_OLD_AT_ONCE: usize = 16;

/// What the delivery remembers from one turn to the next.
#[derive(Debug, Default)]
pub struct Deliverer {
    states: BTreeMap<Lane, NotifierState>,
    swept: Option<Mono>,
    /// It was said that nothing leaves the outbox.
    is_stuck: bool,
    /// What the other server of a pair leaves to this one.
    pub(super) pair: PairState,
}

/// A message that is to be sent now.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// As it stands in the outbox.
    pub outgoing: Outgoing,
    /// As it is at this moment.
    pub message: Message,
    /// Recipients who have earlier messages to hear, each by itself, and hear this one so too.
    pub without: Vec<String>,
}

impl Deliverer {
    /// Every notifier may be another one: each is asked again, with everything.
    pub fn forget(&mut self) {
        self.states.values_mut().for_each(NotifierState::forget);
    }

    /// Whether it was said that nothing leaves the outbox.
    #[cfg(test)]
    pub(in crate::engine) fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// Whether a message is on its way.
    pub(super) fn carries(&self, outgoing: &Outgoing) -> bool {
        self.states.get(&outgoing.lane()).is_some_and(|state| state.carries(&outgoing.key))
    }

    fn state(&mut self, lane: &Lane) -> &mut NotifierState {
        self.states.entry(lane.clone()).or_default()
    }
}

impl Engine {
    /// What may be sent now. `slots`: how many messages may be on their way to a notifier at once; `None`: there is no
    /// way there.
    pub fn hand_out(
        &self,
        deliverer: &mut Deliverer,
        slots: &dyn Fn(&str) -> Option<usize>,
        now: Now,
    ) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        self.say_if_stuck(deliverer, now.wall);
        let done = self.sweep(deliverer, now).and_then(|()| {
            let policy = self.policy.load_full();
            self.sort_by_pair(deliverer, &policy, now)?;
            let pending = self.all_waiting()?;
            self.post.pending.store(pending.iter().map(|(_, count)| count).sum(), Ordering::Relaxed);
            for notifier in &policy.alerts.notifiers {
                let lanes = || pending.iter().filter(|(lane, _)| lane.notifier == notifier.name);
                let lagging: Vec<String> = lanes().filter_map(|(lane, _)| lane.recipient.clone()).collect();
                for (lane, waiting) in lanes() {
                    let surplus = waiting.saturating_sub(PENDING_MAX).min(SURPLUS_AT_ONCE);
                    // While nothing can be put on record there is another bound, see `unstored`.
                    if surplus > 0 && lock(&self.unstored).is_empty() {
                        self.give_up_oldest(deliverer, notifier, lane, surplus as usize, now.wall)?;
                    }
                    let Some(concurrency) = slots(&notifier.name) else { continue };
                    self.give_up_old(deliverer, notifier, lane, now)?;
                    while deliverer.state(lane).is_open(notifier, concurrency, now.mono) {
                        let Some(outgoing) = self.next(deliverer, lane, now.mono)? else { break };
                        match self.wrap(deliverer, outgoing.clone(), &lagging, now.wall) {
                            Some(dispatch) => dispatches.push(dispatch),
                            None => {
                                self.give_up(&outgoing, i18n::delivery::UNREADABLE.into(), None, now.wall);
                            }
                        }
                    }
                }
            }
            Ok(())
        });
        match done {
            Ok(()) => self.outbox_works(),
            Err(error) => self.outbox_failed(&error, now.wall),
        }
        dispatches
    }

    /// Makes a message ready; `None` if it cannot be read.
    pub(super) fn wrap(
        &self,
        deliverer: &mut Deliverer,
        outgoing: Outgoing,
        lagging: &[String],
        now: Wall,
    ) -> Option<Dispatch> {
        let mut message = serde_json::from_str::<Message>(&outgoing.message).ok()?.at(now, LATE);
        message.server = self.policy().alerts.server.clone();
        deliverer.pair.shorten(&outgoing.key, &mut message);
        message.unstored = lock(&self.unstored).holds(&outgoing.key);
        deliverer.state(&outgoing.lane()).begin(&outgoing.key);
        let without = if outgoing.recipient.is_none() { lagging.to_vec() } else { Vec::new() };
        Some(Dispatch { outgoing, message, without })
    }

    fn next(
        &self,
        deliverer: &mut Deliverer,
        lane: &Lane,
        now: Mono,
    ) -> Result<Option<Outgoing>, StoreError> {
        let Deliverer { states, pair, .. } = deliverer;
        let state = states.entry(lane.clone()).or_default();
        let window = if pair.is_choosy() { DECIDED_AT_ONCE } else { WINDOW_MAX };
        let mut most = state.busy() + 1;
        loop {
            let waiting = self.waiting(lane, most)?;
            let all = waiting.all || most >= window;
            let may_go = |key: &str| pair.allows(key);
            let found = state.choose(&waiting.messages, waiting.from, may_go, all, now).cloned();
            if found.is_some() || all {
                return Ok(found);
            }
            most = (most * 4).min(window);
        }
    }

    /// Notes what came of a try; returns that.
    pub fn settle(
        &self,
        deliverer: &mut Deliverer,
        dispatch: Dispatch,
        outcome: &Outcome,
        now: Now,
    ) -> Settled {
        let Dispatch { outgoing, message, without } = dispatch;
        let policy = self.policy.load_full();
        let notifier = policy.alerts.notifier(&outgoing.notifier);
        let once = message.kind == MessageKind::Test;
        let lane = outgoing.lane();
        let released = deliverer.pair.counted(&outgoing);
        let counted = released.as_ref().unwrap_or(&outgoing);
        let mut settled = deliverer.state(&lane).judge(notifier, counted, outcome, once, now);
        if !without.is_empty() {
            let waiting = waiting(&without);
            match &mut settled {
                Settled::Sent => settled = Settled::Split { reason: waiting },
                Settled::Split { reason } if *reason == Text::default() => *reason = waiting,
                Settled::Split { reason } => {
                    *reason = Text::joined(&[std::mem::take(reason), waiting], i18n::notify::SEMICOLON);
                }
                Settled::Retry { .. } | Settled::Failed { .. } | Settled::GivenUp { .. } => {}
            }
        }
        let left: &[Left] = match outcome {
            Outcome::Partly { left, .. } => left,
            _ => &[],
        };
        match &settled {
            Settled::Sent => self.post.set_works(&lane),
            Settled::Split { .. } => {
                self.post.set_works_for_some(&lane);
                // Of a test nothing more is to come.
                for one in left.iter().filter(|one| !one.is_refused && !once) {
                    self.post.set_failing(&Lane::one(&outgoing.notifier, &one.to));
                }
            }
            Settled::Retry { .. } => self.post.set_failing(&lane),
            Settled::Failed { .. } | Settled::GivenUp { .. } if lane.recipient.is_some() => {
                self.post.set_works_for_some(&lane);
            }
            Settled::Failed { .. } | Settled::GivenUp { .. } => {}
        }
        let mut instead = match &settled {
            Settled::Split { .. } if !once => parts(counted, left, &without, now.wall),
            Settled::Failed { .. } if !once => parts(counted, &[], &without, now.wall),
            _ => Vec::new(),
        };
        for part in &instead {
            // One who was refused is asked by itself at once: the others may have been the reason.
            if left.iter().any(|one| Some(&one.to) == part.recipient.as_ref() && !one.is_refused) {
                deliverer.state(&part.lane()).rest(part, now);
            }
        }
        let fallback = match &settled {
            Settled::Failed { .. } if !once => notifier.and_then(|one| handed_on(&outgoing, one, now.wall)),
            _ => None,
        };
        self.tell_of(&outgoing, Some(&message), &settled, fallback.as_ref(), now.wall);
        instead.extend(fallback);
        self.note(&outgoing, now.wall, &settled, &instead);
        deliverer.state(&lane).end(&outgoing.key);
        settled
    }

    /// What was to be told for long enough and is not, while its notifier takes nothing, is given up.
    fn give_up_old(
        &self,
        deliverer: &mut Deliverer,
        notifier: &Notifier,
        lane: &Lane,
        now: Now,
    ) -> Result<(), StoreError> {
        let Deliverer { states, pair, .. } = deliverer;
        let state = states.entry(lane.clone()).or_default();
        let Some(reason) = state.failing().cloned() else { return Ok(()) };
        for outgoing in self.waiting(lane, TOO_OLD_AT_ONCE)?.open() {
            let is_let_out = !state.carries(&outgoing.key) && pair.allows(&outgoing.key);
            let counted = pair.counted(outgoing);
            let left = left(counted.as_ref().unwrap_or(outgoing), notifier, now.wall);
            if is_let_out && left == Span(0) {
                let fallback = handed_on(outgoing, notifier, now.wall);
                self.give_up(outgoing, reason.clone(), fallback.as_ref(), now.wall);
            }
        }
        Ok(())
    }

    /// More wait for a notifier than may: the oldest are given up.
    fn give_up_oldest(
        &self,
        deliverer: &mut Deliverer,
        notifier: &Notifier,
        lane: &Lane,
        most: usize,
        now: Wall,
    ) -> Result<(), StoreError> {
        let state = deliverer.state(lane);
        let mut oldest = self.store.outbox_next(lane, most + state.busy())?;
        oldest.retain(|one| !state.carries(&one.key));
        oldest.truncate(most);
        let settled = Settled::GivenUp { reason: i18n::delivery::TOO_MANY_WAITING.into() };
        let fallbacks: Vec<Option<Outgoing>> =
            oldest.iter().map(|one| handed_on(one, notifier, now)).collect();
        let mut entries = Vec::with_capacity(oldest.len());
        for (Outgoing { key, .. }, fallback) in oldest.iter().zip(&fallbacks) {
            let instead = fallback.as_slice();
            entries.push(Entry::Settled { key, at: now, settled: &settled, instead });
        }
        self.store.apply(&entries, Mark::None)?;
        for (outgoing, fallback) in oldest.iter().zip(&fallbacks) {
            self.tell_of_given_up(outgoing, &settled, fallback.as_ref(), now);
        }
        Ok(())
    }

    /// Lets go of a message without a try.
    fn give_up(&self, outgoing: &Outgoing, reason: Text, fallback: Option<&Outgoing>, now: Wall) {
        let settled = Settled::GivenUp { reason };
        self.note(outgoing, now, &settled, fallback.map(std::slice::from_ref).unwrap_or_default());
        self.tell_of_given_up(outgoing, &settled, fallback, now);
    }

    fn tell_of_given_up(
        &self,
        outgoing: &Outgoing,
        settled: &Settled,
        fallback: Option<&Outgoing>,
        now: Wall,
    ) {
        let message = serde_json::from_str::<Message>(&outgoing.message).ok();
        self.tell_of(outgoing, message.map(|one| one.at(now, LATE)).as_ref(), settled, fallback, now);
    }

    /// Counts and logs what came of a try.
    fn tell_of(
        &self,
        outgoing: &Outgoing,
        message: Option<&Message>,
        settled: &Settled,
        fallback: Option<&Outgoing>,
        now: Wall,
    ) {
        let (lane, name) = (outgoing.lane(), &outgoing.notifier);
        let to = &lane.to_string();
        let tries = outgoing.tries + u32::from(!matches!(settled, Settled::GivenUp { .. }));
        let what = match message {
            Some(message) => Text::of(|lang| alert::sentence(lang, message)),
            None => Text::foreign(&outgoing.key),
        };
        let (result, level, kind, text) = match settled {
            Settled::Sent => (AlertResult::Sent, Level::Info, "alert_sent", i18n::delivery::told(to, &what)),
            Settled::Split { reason } => (
                AlertResult::Sent,
                Level::Warning,
                "alert_delayed",
                match message {
                    Some(message) if message.kind == MessageKind::Test => {
                        i18n::delivery::told_in_part(to, reason, &what)
                    }
                    _ => i18n::delivery::told_in_part_tried_again(to, reason, &what),
                },
            ),
            Settled::Retry { reason, .. } => (
                AlertResult::Retried,
                if tries == 1 { Level::Warning } else { Level::Debug },
                "alert_delayed",
                i18n::delivery::not_taken_tried_again(to, reason, &what),
            ),
            Settled::Failed { reason } | Settled::GivenUp { reason } => {
                if message.is_none_or(|message| message.kind != MessageKind::Test) {
                    self.post.gave_up(now, lane);
                }
                let instead = fallback.map(|other| i18n::delivery::goes_instead(&other.notifier));
                let instead = instead.unwrap_or_default();
                let tried = match tries {
                    1 => i18n::delivery::ONE_TRY.into(),
                    _ => i18n::delivery::tries(&tries),
                };
                (
                    AlertResult::Failed,
                    Level::Error,
                    "alert_failed",
                    i18n::delivery::not_told(to, &tried, reason, &what, &instead),
                )
            }
        };
        self.post.count(name, result);
        self.notice(now, level, kind, text);
    }

    /// Lets go of what waits for notifiers that are no more.
    fn sweep(&self, deliverer: &mut Deliverer, now: Now) -> Result<(), StoreError> {
        if deliverer.swept.is_some_and(|swept| now.mono < swept.after(SWEEP_EVERY)) {
            return Ok(());
        }
        if deliverer.swept.is_none() {
            self.remember_failed(now.wall)?;
        }
        deliverer.swept = Some(now.mono);
        let policy = self.policy.load_full();
        deliverer.states.retain(|lane, state| {
            let is_known = policy.alerts.notifier(&lane.notifier).is_some();
            let is_kept = lane.recipient.is_none() || state.has_rests();
            (is_known && is_kept) || !state.is_idle()
        });
        deliverer.states.values_mut().for_each(|state| state.tidy(now.mono));
        self.post.keep_only(|name| policy.alerts.notifier(name).is_some());
        for (lane, _) in self.all_waiting()? {
            if policy.alerts.notifier(&lane.notifier).is_some() {
                continue;
            }
            let reason = Text::from(i18n::delivery::NO_SUCH_NOTIFIER);
            for outgoing in self.waiting(&lane, SWEPT_AT_ONCE)?.open() {
                if deliverer.states.get(&lane).is_none_or(|state| !state.carries(&outgoing.key)) {
                    self.give_up(outgoing, reason.clone(), None, now.wall);
                }
            }
        }
        Ok(())
    }

    /// What was given up before this start is shown for as long as if we had not been away.
    fn remember_failed(&self, now: Wall) -> Result<(), StoreError> {
        let list = |delivery| {
            let query = OutboxQuery { delivery: Some(delivery), before: None, limit: SWEPT_AT_ONCE };
            self.store.outbox_list(&query)
        };
        let sent = list(DeliveryStatus::Sent)?;
        for posted in list(DeliveryStatus::Failed)?.into_iter().rev() {
            let (lane, at) = (posted.outgoing.lane(), posted.outgoing.due);
            let is_test = posted.outgoing.key.starts_with("test-");
            let works_again = sent.iter().any(|one| {
                let of_all = one.reason.is_none() && one.outgoing.lane() == Lane::all(&lane.notifier);
                one.outgoing.due >= at && (of_all || one.outgoing.lane() == lane)
            });
            if !is_test && !works_again && age(at, now) < Span::secs(86_400) {
                self.post.gave_up(at, lane);
            }
        }
        Ok(())
    }

    /// Says once that the outbox cannot be read or written; the sentence stays until it can.
    pub(in crate::engine) fn outbox_failed(&self, error: &StoreError, now: Wall) {
        let sentence = error.said();
        let text = sentence.own().clone();
        if lock(&self.trouble).outbox.replace(sentence).is_none() {
            self.notice(now, Level::Error, "not_stored", text);
        }
    }

    /// Says once that so many messages of the outbox were told without its being noted that no more leave it.
    fn say_if_stuck(&self, deliverer: &mut Deliverer, now: Wall) {
        let (is_over, is_stuck) = {
            let unstored = lock(&self.unstored);
            (unstored.is_empty(), !unstored.may_send())
        };
        if is_over {
            deliverer.is_stuck = false;
        }
        if is_stuck && !std::mem::replace(&mut deliverer.is_stuck, true) {
            self.notice(now, Level::Error, "not_stored", i18n::delivery::SENT_UNNOTED_TOO_MANY);
        }
    }

    /// It can, with nothing left to be written.
    pub(in crate::engine) fn outbox_works(&self) {
        if lock(&self.unstored).is_empty() {
            lock(&self.trouble).outbox = None;
        }
    }
}
