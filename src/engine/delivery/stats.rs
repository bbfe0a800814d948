//! What the delivery shares with the rest: the bell that calls it, the tests that people ask for, and its tally.

use crate::domain::alert::message::{Subject, age};
use crate::domain::alert::policy::NOTIFIERS_MAX;
use crate::domain::alert::{Message, MessageKind};
use crate::domain::time::{Span, Wall};
use crate::engine::{Engine, lock};
use crate::i18n::samples::ODD;
use crate::i18n::{self, Text};
use crate::notify::Left;
use crate::store::{Entry, Lane, Mark, Outgoing};
use crate::sys::clock;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Notify, mpsc, oneshot};

/// Tests that may wait for the delivery.
const TESTS_MAX: usize = 16;
/// Notifiers and recipients that are remembered as taking nothing.
const FAILING_MAX: usize = 4 * NOTIFIERS_MAX;
/// Messages given up that are remembered here; the outbox has all of them.
const FAILED_MAX: usize = 1_000;
/// How long it is shown that something was given up.
const FAILED_SHOWN: Span = Span::secs(86_400);

/// What became of a try; the `result` of `heartbeat_alerts_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertResult {
    /// It was taken.
    Sent,
    /// It was not, and is tried again.
    Retried,
    /// It was not, and is tried no more.
    Failed,
}

impl AlertResult {
    /// All of them.
    pub const ALL: [AlertResult; 3] = [AlertResult::Sent, AlertResult::Retried, AlertResult::Failed];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            AlertResult::Sent => "sent",
            AlertResult::Retried => "retried",
            AlertResult::Failed => "failed",
        }
    }
}

/// A test that somebody waits for.
pub(in crate::engine) struct Test {
    pub(in crate::engine) outgoing: Outgoing,
    pub(in crate::engine) done: oneshot::Sender<Tested>,
}

/// What came of a test: who was told of several recipients and who was not, empty where there is but one; or why nobody was.
pub type Tested = Result<Partly, Text>;

/// Who of several recipients has heard a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partly {
    /// Who has.
    pub told: Vec<String>,
    /// Who has not, and why.
    pub left: Vec<Left>,
}

/// Why a test was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertTestError {
    /// There is no such notifier.
    Unknown,
    /// It did not take the message; why.
    NotTaken(Text),
    /// Nobody carries messages at the moment, or too many tests wait.
    Busy,
}

/// See the module.
pub(in crate::engine) struct DeliveryStats {
    /// Rung when there is something new in the outbox.
    pub(in crate::engine) bell: Notify,
    tests: mpsc::Sender<Test>,
    /// The other end, until the thread takes it.
    pub(in crate::engine) door: Mutex<Option<mpsc::Receiver<Test>>>,
    tally: Mutex<BTreeMap<String, [u64; AlertResult::ALL.len()]>>,
    number: AtomicU64,
    /// Alerts that wait, as the delivery last counted them.
    pub(in crate::engine) pending: AtomicU64,
    /// Notifiers, or recipients of theirs, that do not take what they are sent.
    failing: Mutex<BTreeSet<Lane>>,
    /// What was given up of late: when, and whom it was for.
    failed: Mutex<VecDeque<(Wall, Lane)>>,
    /// The keys of messages that are kept back while the other server of a pair is heard.
    pub(in crate::engine) held: Mutex<BTreeSet<String>>,
    /// What is wrong with that server, where nobody else says it.
    pub(in crate::engine) pair_trouble: Mutex<Option<Text>>,
}

impl Default for DeliveryStats {
    fn default() -> DeliveryStats {
        let (tests, door) = mpsc::channel(TESTS_MAX);
        let door = Mutex::new(Some(door));
        DeliveryStats {
            bell: Notify::new(),
            tests,
            door,
            tally: Mutex::default(),
            number: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            failing: Mutex::default(),
            failed: Mutex::default(),
            held: Mutex::default(),
            pair_trouble: Mutex::default(),
        }
    }
}

impl DeliveryStats {
    /// Counts a try. Notifiers are as many as the configuration has had.
    pub(in crate::engine) fn count(&self, notifier: &str, result: AlertResult) {
        let mut tally = lock(&self.tally);
        if let Some(counts) = tally.get_mut(notifier) {
            counts[result as usize] += 1;
        } else if tally.len() < 4 * NOTIFIERS_MAX {
            tally.entry(notifier.to_string()).or_default()[result as usize] += 1;
        }
    }
}

impl DeliveryStats {
    /// Notes that a notifier, or one of its recipients, does not take what it is sent.
    pub(in crate::engine) fn set_failing(&self, lane: &Lane) {
        let mut failing = lock(&self.failing);
        if failing.len() < FAILING_MAX {
            failing.insert(lane.clone());
        }
    }

    /// Notes that it does, with all its recipients: what was wrong with it is over.
    pub(in crate::engine) fn set_works(&self, lane: &Lane) {
        let is_meant =
            |other: &Lane| other == lane || (lane.recipient.is_none() && other.notifier == lane.notifier);
        lock(&self.failing).retain(|other| !is_meant(other));
        lock(&self.failed).retain(|(_, other)| !is_meant(other));
    }

    /// Notes that it does, but not for every recipient; or that one of them is tried no more.
    pub(in crate::engine) fn set_works_for_some(&self, lane: &Lane) {
        lock(&self.failing).remove(lane);
        if lane.recipient.is_none() {
            lock(&self.failed).retain(|(_, other)| other != lane);
        }
    }

    /// Forgets what was wrong with notifiers that are no more.
    pub(in crate::engine) fn keep_only(&self, is_known: impl Fn(&str) -> bool) {
        lock(&self.failing).retain(|lane| is_known(&lane.notifier));
    }

    /// Notes that a message was given up.
    pub(in crate::engine) fn gave_up(&self, at: Wall, lane: Lane) {
        let mut failed = lock(&self.failed);
        if failed.len() >= FAILED_MAX {
            failed.pop_front();
        }
        failed.push_back((at, lane));
    }

    /// What is wrong, a sentence each: who takes nothing, and what was given up in the last day. Said to everybody who asks,
    /// so neither addresses are in it nor what receivers say; the log has them.
    pub(in crate::engine) fn troubles(&self, now: Wall) -> Vec<Text> {
        let mut untold: BTreeMap<String, usize> = BTreeMap::new();
        for Lane { notifier, recipient } in lock(&self.failing).iter() {
            *untold.entry(notifier.clone()).or_default() += usize::from(recipient.is_some());
        }
        let again = Text::from(i18n::delivery::TRIED_AGAIN);
        let trouble = |(name, recipients): (&String, &usize)| match recipients {
            0 => i18n::delivery::unreachable(name, &again),
            1 => i18n::delivery::recipient_unreachable(name, &again),
            count => i18n::delivery::recipients_unreachable(count, name, &again),
        };
        let mut all: Vec<Text> = untold.iter().map(trouble).collect();
        all.extend(lock(&self.pair_trouble).clone());
        let mut failed = lock(&self.failed);
        while failed.front().is_some_and(|(at, ..)| age(*at, now) > FAILED_SHOWN) {
            failed.pop_front();
        }
        if let Some((_, Lane { notifier, .. })) = failed.back() {
            all.push(i18n::delivery::untold_lately(&failed.len(), notifier));
        }
        all
    }
}

impl Engine {
    /// Tries since the start, by notifier and by [`AlertResult::ALL`]; those of whom nothing was sent yet, too.
    pub fn alert_tally(&self) -> BTreeMap<String, [u64; AlertResult::ALL.len()]> {
        let mut tally = lock(&self.post.tally).clone();
        for notifier in &self.policy().alerts.notifiers {
            tally.entry(notifier.name.clone()).or_default();
        }
        tally
    }

    /// How many alerts wait to be told.
    pub fn alerts_pending(&self) -> u64 {
        self.post.pending.load(Ordering::Relaxed)
    }

    /// Has a test sent, the way that alerts take, and waits for what comes of it.
    pub async fn test_alert(&self, notifier: &str) -> Result<Partly, AlertTestError> {
        if self.policy().alerts.notifier(notifier).is_none() {
            return Err(AlertTestError::Unknown);
        }
        let now = clock::wall();
        let number = self.post.number.fetch_add(1, Ordering::Relaxed);
        let key = format!("test-{}-{number}", now.0);
        let outgoing = test(notifier, &format!("{}-{notifier}", self.instance.mark(&key)), now);
        let (done, outcome) = oneshot::channel();
        self.post.tests.try_send(Test { outgoing, done }).map_err(|_| AlertTestError::Busy)?;
        match outcome.await {
            Ok(taken) => taken.map_err(AlertTestError::NotTaken),
            Err(_) => Err(AlertTestError::Busy),
        }
    }

    /// What the thread takes tests from; once.
    pub(in crate::engine) fn take_post_door(&self) -> Option<mpsc::Receiver<Test>> {
        lock(&self.post.door).take()
    }

    /// Puts a test into the outbox, or unstored.
    pub(in crate::engine) fn post_test(&self, outgoing: &Outgoing) {
        if self.store.apply(&[Entry::Message(outgoing)], Mark::None).is_err() {
            lock(&self.unstored).hold([outgoing.clone()]);
        }
    }
}

fn test(notifier: &str, key: &str, now: Wall) -> Outgoing {
    let mut message = Message::new(MessageKind::Test, key.to_string(), notifier, now);
    // What breaks a template breaks it now.
    message.monitors = vec![Subject {
        id: "test".to_string(),
        since: now,
        said: Some(ODD.to_string()),
        tags: vec![ODD.to_string()],
        ..Subject::default()
    }];
    message.count = 1;
    Outgoing {
        key: message.key.clone(),
        notifier: notifier.to_string(),
        recipient: None,
        made: now,
        due: now,
        tries: 0,
        // A value of plain fields always has a JSON.
        message: serde_json::to_string(&message).unwrap_or_default(),
    }
}
