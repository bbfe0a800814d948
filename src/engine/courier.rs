//! The courier: takes what is due out of the outbox and brings it to the notifiers, until each has taken it.
//!
//! It has a thread of its own, since looking into the outbox may wait for a disk. What it knows of a notifier, how often
//! it failed of late and when it may be asked again, is in memory only; after a start each is simply asked.
//!
//! Messages of one notifier go out in their order, one after the other unless the configuration wants several at once: the
//! news that a monitor is up again never overtakes that it went down. A notifier that fails is left alone for a second,
//! then for twice as long each time, five minutes at most, or for as long as it asks (`Retry-After`); the message that
//! failed is the next to be tried. One that has failed five times lets the others pass. When the notifier takes something
//! again, all that waits is due at once.
//!
//! A message is struck off only after it was taken, so a crash between the two repeats it: with the same key.

use super::Engine;
use super::HERE;
use super::post::{AlertResult, Test};
use crate::domain::alert::message::age;
use crate::domain::alert::{Kind, Message, Notifier};
use crate::domain::notice::Level;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::notify::{Channel, Envelope, Outcome};
use crate::store::outbox::STUBBORN_TRIES;
use crate::store::{Delivery, OutboxQuery, Outgoing, Settled, StoreError};
use crate::sys::clock;
use crate::view::alert;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

/// How often the outbox is looked into though nobody rang.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for what belongs to nobody.
const SWEEP_EVERY: Span = Span::secs(60);
/// First pause after a failure.
const BACKOFF_MIN: Span = Span::secs(1);
/// Longest.
const BACKOFF_MAX: Span = Span::secs(300);
/// A message that is older says so.
const LATE: Span = Span::secs(60);
/// How long a courier that stops waits for what is on its way.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// Notifiers that one message may be handed on to.
const HOPS_MAX: usize = 4;
/// Stands between a message's name and the fallback it was handed to; no part of a notifier's name.
const HOP: char = '~';

/// A notifier's channel.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The way there.
    pub channel: Arc<Channel>,
    /// Messages that may be on their way at once.
    pub concurrency: usize,
}

/// The channels by the names of their notifiers.
pub type Outlets = BTreeMap<String, Outlet>;

/// The thread, from outside.
pub struct Courier {
    outlets: Arc<ArcSwap<Outlets>>,
    stop: Arc<Notify>,
    engine: Arc<Engine>,
    thread: JoinHandle<()>,
}

impl Courier {
    /// Starts it. Errors are the system's: no thread to be had.
    pub fn start(engine: &Arc<Engine>, outlets: Outlets) -> io::Result<Courier> {
        let outlets = Arc::new(ArcSwap::from_pointee(outlets));
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let door = engine.take_post_door().ok_or_else(|| io::Error::other("there is a courier already"))?;
        let round = Round {
            engine: engine.clone(),
            outlets: outlets.clone(),
            desks: BTreeMap::new(),
            under_way: JoinSet::new(),
            swept: None,
        };
        let stopped = stop.clone();
        let thread = Builder::new().name("courier".into()).spawn(move || {
            runtime.block_on(round.run(door, &stopped));
            // Where names are not resolved a thread hangs in it that nothing stops; the end does not wait for it.
            runtime.shutdown_background();
        })?;
        Ok(Courier { outlets, stop, engine: engine.clone(), thread })
    }

    /// Uses other channels from now on.
    pub fn set_outlets(&self, outlets: Outlets) {
        self.outlets.store(Arc::new(outlets));
        self.engine.post.bell.notify_one();
    }

    /// Stops it; what is on its way has a moment to arrive.
    pub fn stop(self) {
        self.stop.notify_one();
        // A thread that panicked has ended the process.
        let _ = self.thread.join();
    }
}

/// What is known of a notifier.
#[derive(Default)]
struct Desk {
    /// Names of what is on its way.
    under_way: BTreeSet<String>,
    /// Tries that failed since one succeeded.
    failures: u32,
    /// It is left alone until then.
    closed_until: Mono,
    /// Messages that it may be given at once; see `rate_per_minute`.
    tokens: f64,
    refilled: Option<Mono>,
}

/// A try that is over.
struct Tried {
    outgoing: Outgoing,
    message: Option<Message>,
    outcome: Outcome,
    done: Option<oneshot::Sender<Result<(), String>>>,
}

struct Round {
    engine: Arc<Engine>,
    outlets: Arc<ArcSwap<Outlets>>,
    desks: BTreeMap<String, Desk>,
    under_way: JoinSet<Tried>,
    swept: Option<Mono>,
}

impl Round {
    async fn run(mut self, mut door: mpsc::Receiver<Test>, stop: &Notify) {
        loop {
            if let Err(error) = self.hand_out() {
                self.complain(&error);
            }
            tokio::select! {
                Some(tried) = self.under_way.join_next() => {
                    if let Ok(tried) = tried {
                        self.settle(tried);
                    }
                }
                Some(test) = door.recv() => self.test(test),
                () = self.engine.post.bell.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.notified() => break,
            }
        }
        let last = async {
            while let Some(tried) = self.under_way.join_next().await {
                if let Ok(tried) = tried {
                    self.settle(tried);
                }
            }
        };
        let _ = tokio::time::timeout(STOP_WAIT, last).await;
    }

    /// Sends whatever may be sent now.
    fn hand_out(&mut self) -> Result<(), StoreError> {
        let now = clock::now();
        self.sweep(now)?;
        let (policy, outlets) = (self.engine.policy.load_full(), self.outlets.load_full());
        let pending = self.engine.store.outbox_pending()?;
        self.engine.post.pending.store(pending.iter().map(|(_, count)| count).sum(), Ordering::Relaxed);
        for notifier in &policy.alerts.notifiers {
            let waits = pending.iter().any(|(name, _)| *name == notifier.name);
            let Some(outlet) = outlets.get(&notifier.name).filter(|_| waits) else { continue };
            loop {
                let desk = self.desks.entry(notifier.name.clone()).or_default();
                let busy = desk.under_way.len();
                // One that fails is asked with one message.
                let most = if desk.failures > 0 { 1 } else { outlet.concurrency.max(1) };
                if busy >= most || now.mono < desk.closed_until || !desk.has_token(notifier, now.mono) {
                    break;
                }
                let waiting = self.engine.store.outbox_next(HERE, &notifier.name, now.wall, busy + 1)?;
                let next = waiting.into_iter().find(|one| !desk.under_way.contains(&one.key));
                let Some(outgoing) = next else { break };
                desk.tokens -= 1.0;
                self.send(outgoing, outlet.clone(), None);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        outgoing: Outgoing,
        outlet: Outlet,
        done: Option<oneshot::Sender<Result<(), String>>>,
    ) {
        let desk = self.desks.entry(outgoing.notifier.clone()).or_default();
        desk.under_way.insert(outgoing.key.clone());
        let lang = self.engine.policy().page_lang;
        self.under_way.spawn(async move {
            let Ok(message) = serde_json::from_str::<Message>(&outgoing.message) else {
                let reason = lang.pick("the message cannot be read", "无法读取该消息").to_string();
                return Tried { outgoing, message: None, outcome: Outcome::Refused { reason }, done };
            };
            let message = message.at(clock::wall(), LATE);
            let outcome = outlet.channel.send(&Envelope::new(lang, &message)).await;
            Tried { outgoing, message: Some(message), outcome, done }
        });
    }

    /// Sends a test at once, whatever waits, and only once.
    fn test(&mut self, test: Test) {
        let outlet = self.outlets.load().get(&test.outgoing.notifier).cloned();
        let Some(outlet) = outlet else { return };
        if let Err(error) = self.engine.post_test(&test.outgoing) {
            let _ = test.done.send(Err(error.sentence(self.engine.policy().page_lang)));
            return;
        }
        self.send(test.outgoing, outlet, Some(test.done));
    }

    /// Notes what came of a try.
    fn settle(&mut self, tried: Tried) {
        let Tried { outgoing, message, outcome, done } = tried;
        let now = clock::now();
        let policy = self.engine.policy.load_full();
        let notifier = policy.alerts.notifier(&outgoing.notifier);
        let once = message.as_ref().is_none_or(|message| message.kind == Kind::Test);
        let settled = match &outcome {
            Outcome::Sent => Settled::Sent,
            Outcome::Refused { reason } => Settled::Failed { reason: reason.clone() },
            Outcome::Retry { after, reason } => {
                let retry_for = notifier.map_or(Span(0), |notifier| notifier.retry_for);
                let left = Span(retry_for.0.saturating_sub(age(outgoing.made, now.wall).0));
                if once || left == Span(0) {
                    Settled::Failed { reason: reason.clone() }
                } else {
                    let wait = pause(&outgoing).max(after.unwrap_or_default()).min(left);
                    Settled::Retry { due: ahead(now.wall, wait), reason: reason.clone() }
                }
            }
        };
        let fallback = match &settled {
            Settled::Failed { .. } if !once => notifier.and_then(|one| handed_on(&outgoing, one, now.wall)),
            _ => None,
        };
        let stored =
            self.engine.store.outbox_settle(HERE, &outgoing.key, now.wall, &settled, fallback.as_ref());
        if let Err(error) = &stored {
            // It is pending still, and is sent once more when the disk is well again.
            self.complain(error);
        }
        self.note(&outgoing, &settled, now, stored.is_err());
        self.tell(&outgoing, message.as_ref(), &settled, fallback.as_ref(), now.wall);
        if let Some(done) = done {
            // Whoever asked may have gone.
            let _ = done.send(match settled {
                Settled::Sent => Ok(()),
                Settled::Retry { reason, .. } | Settled::Failed { reason } => Err(reason),
            });
        }
    }

    /// Draws from a try what it says of the notifier.
    fn note(&mut self, outgoing: &Outgoing, settled: &Settled, now: Now, unstored: bool) {
        let desk = self.desks.entry(outgoing.notifier.clone()).or_default();
        desk.under_way.remove(&outgoing.key);
        if unstored {
            desk.closed_until = now.mono.after(BACKOFF_MAX.min(Span::secs(5)));
            return;
        }
        match settled {
            Settled::Sent => {
                self.engine.post.set_failing(&outgoing.notifier, None);
                let failed = std::mem::take(&mut desk.failures) > 0;
                desk.closed_until = Mono(0);
                if failed {
                    if let Err(error) = self.engine.store.outbox_hasten(HERE, &outgoing.notifier, now.wall) {
                        self.complain(&error);
                    }
                }
            }
            Settled::Retry { due, reason } => {
                desk.failures = desk.failures.saturating_add(1);
                self.engine.post.set_failing(&outgoing.notifier, Some(reason));
                // A stubborn message has its own time; the notifier is asked with others meanwhile.
                let own =
                    if outgoing.tries + 1 >= STUBBORN_TRIES { BACKOFF_MIN } else { age(now.wall, *due) };
                desk.closed_until = desk.closed_until.max(now.mono.after(own));
            }
            // The others may be to its liking.
            Settled::Failed { .. } => {}
        }
    }

    /// Counts and logs what came of a try.
    fn tell(
        &self,
        outgoing: &Outgoing,
        message: Option<&Message>,
        settled: &Settled,
        fallback: Option<&Outgoing>,
        now: Wall,
    ) {
        let lang = self.engine.policy().page_lang;
        let (to, tries) = (&outgoing.notifier, outgoing.tries + 1);
        let what = message.map_or_else(|| outgoing.key.clone(), |message| alert::sentence(lang, message));
        let (result, level, kind, text) = match settled {
            Settled::Sent => (
                AlertResult::Sent,
                Level::Info,
                "alert_sent",
                lang.pick(format!("told {to}: {what}"), format!("已通知 {to}：{what}")),
            ),
            Settled::Retry { reason, .. } => (
                AlertResult::Retried,
                if tries == 1 { Level::Warning } else { Level::Debug },
                "alert_delayed",
                lang.pick(
                    format!("{to} did not take an alert and is tried again: {reason}; {what}"),
                    format!("{to} 未接收告警，将重试：{reason}；{what}"),
                ),
            ),
            Settled::Failed { reason } => {
                if message.is_none_or(|message| message.kind != Kind::Test) {
                    self.engine.post.gave_up(now, to, reason);
                }
                let then = match fallback {
                    Some(other) => lang.pick(
                        format!("; it goes to {} instead", other.notifier),
                        format!("；改由 {} 通知", other.notifier),
                    ),
                    None => String::new(),
                };
                (
                    AlertResult::Failed,
                    Level::Error,
                    "alert_failed",
                    lang.pick(
                        format!("{to} was not told, after {tries} tries: {reason}; {what}{then}"),
                        format!("尝试 {tries} 次后仍未能通知 {to}：{reason}；{what}{then}"),
                    ),
                )
            }
        };
        self.engine.post.count(to, result);
        self.engine.notice(now, level, kind, text);
    }

    /// Lets go of what waits for notifiers that are no more.
    fn sweep(&mut self, now: Now) -> Result<(), StoreError> {
        if self.swept.is_some_and(|swept| now.mono < swept.after(SWEEP_EVERY)) {
            return Ok(());
        }
        if self.swept.is_none() {
            self.remember_failed(now.wall)?;
        }
        self.swept = Some(now.mono);
        let policy = self.engine.policy.load_full();
        self.desks.retain(|name, desk| policy.alerts.notifier(name).is_some() || !desk.under_way.is_empty());
        let lang = policy.page_lang;
        for (name, _) in self.engine.store.outbox_pending()? {
            if policy.alerts.notifier(&name).is_some() {
                continue;
            }
            let reason = lang.pick("there is no such notifier any more", "该通知渠道已不存在").to_string();
            let settled = Settled::Failed { reason };
            for outgoing in self.engine.store.outbox_next(HERE, &name, Wall(i64::MAX), SWEPT_AT_ONCE)? {
                self.engine.store.outbox_settle(HERE, &outgoing.key, now.wall, &settled, None)?;
                let message = serde_json::from_str::<Message>(&outgoing.message).ok();
                self.tell(
                    &outgoing,
                    message.map(|one| one.at(now.wall, LATE)).as_ref(),
                    &settled,
                    None,
                    now.wall,
                );
            }
        }
        Ok(())
    }

    /// What was given up before this start is shown for as long as if we had not been away.
    fn remember_failed(&self, now: Wall) -> Result<(), StoreError> {
        let query = OutboxQuery { delivery: Some(Delivery::Failed), before: None, limit: SWEPT_AT_ONCE };
        for posted in self.engine.store.outbox_list(&query)?.into_iter().rev() {
            let reason = posted.reason.unwrap_or_default();
            let is_test = posted.outgoing.key.starts_with("test-");
            if !is_test && age(posted.outgoing.due, now) < Span::secs(86_400) {
                self.engine.post.gave_up(posted.outgoing.due, &posted.outgoing.notifier, &reason);
            }
        }
        Ok(())
    }

    fn complain(&self, error: &StoreError) {
        let mut trouble = super::lock(&self.engine.trouble);
        let sentence = error.sentence(self.engine.policy().page_lang);
        // The keeper meets the same disk and says when it is well again.
        if trouble.tables.replace(sentence.clone()).is_none() {
            drop(trouble);
            self.engine.notice(clock::wall(), Level::Error, "not_stored", sentence);
        }
    }
}

/// Messages to nobody that are let go of in one step.
const SWEPT_AT_ONCE: usize = 100;

impl Desk {
    /// Whether the notifier's rate leaves room for one message.
    fn has_token(&mut self, notifier: &Notifier, now: Mono) -> bool {
        let rate = f64::from(notifier.rate_per_minute.max(1));
        let waited = self.refilled.map_or(f64::MAX, |refilled| now.since(refilled).0 as f64);
        self.refilled = Some(now);
        self.tokens = (self.tokens + waited * rate / 60_000.0).min(rate);
        self.tokens >= 1.0
    }
}

/// How long a message waits after its next failure, give or take a quarter, so that those that failed together do not
/// come together again.
fn pause(outgoing: &Outgoing) -> Span {
    let doubled = BACKOFF_MIN.0.saturating_mul(1 << outgoing.tries.min(20));
    let span_ms = doubled.min(BACKOFF_MAX.0);
    let mut hasher = DefaultHasher::new();
    (&outgoing.key, outgoing.tries).hash(&mut hasher);
    Span(span_ms * 3 / 4 + hasher.finish() % (span_ms / 2 + 1))
}

/// The message as it goes to the notifier's fallback, if it has one that was not asked yet.
fn handed_on(outgoing: &Outgoing, notifier: &Notifier, now: Wall) -> Option<Outgoing> {
    let fallback = notifier.fallback.as_ref()?;
    let mut names = outgoing.key.split(HOP).skip(1);
    let hops = names.clone().count();
    let message: Message = serde_json::from_str(&outgoing.message).ok()?;
    if message.notifier == *fallback || hops >= HOPS_MAX || names.any(|name| name == fallback) {
        return None;
    }
    let key = format!("{}{HOP}{fallback}", outgoing.key);
    Some(Outgoing { key, notifier: fallback.clone(), made: now, due: now, tries: 0, ..outgoing.clone() })
}

fn ahead(wall: Wall, span: Span) -> Wall {
    Wall(wall.0.saturating_add_unsigned(span.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(tries: u32) -> Outgoing {
        let message = Message::new(Kind::Down, "down-1-1-ops".into(), "ops", Wall(0));
        let message = serde_json::to_string(&message).unwrap();
        Outgoing {
            key: "down-1-1-ops".into(),
            notifier: "ops".into(),
            made: Wall(0),
            due: Wall(0),
            tries,
            message,
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_never_quite_alike() {
        for tries in 0..40 {
            let (span, want) = (pause(&outgoing(tries)).0, (1000u64 << tries.min(20)).min(BACKOFF_MAX.0));
            assert!((want * 3 / 4..=want * 5 / 4).contains(&span), "{tries}: {span}");
        }
        let other = Outgoing { key: "x".into(), ..outgoing(8) };
        assert_ne!(pause(&outgoing(8)), pause(&other));
    }

    #[test]
    fn what_is_handed_on_never_comes_back() {
        let ops = Notifier { fallback: Some("mail".into()), ..Notifier::new("ops") };
        let mail = Notifier { fallback: Some("ops".into()), ..Notifier::new("mail") };
        let handed = handed_on(&outgoing(9), &ops, Wall(5)).unwrap();
        assert_eq!((handed.key.as_str(), handed.tries, handed.made), ("down-1-1-ops~mail", 0, Wall(5)));
        assert_eq!(handed_on(&handed, &mail, Wall(6)), None);
        let own = Notifier { fallback: Some("mail".into()), ..Notifier::new("mail") };
        assert_eq!(handed_on(&handed, &own, Wall(6)), None);
    }

    #[test]
    fn a_rate_is_a_rate() {
        let notifier = Notifier { rate_per_minute: 6, ..Notifier::new("ops") };
        let mut desk = Desk::default();
        let mut sent = 0;
        for second in 0..120 {
            while desk.has_token(&notifier, Mono(second * 1000)) {
                desk.tokens -= 1.0;
                sent += 1;
            }
        }
        assert!((17..=18).contains(&sent), "{sent}");
    }
}
