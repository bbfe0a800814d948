//! The engine: all shards of the registry, what keeps them, and the loop that owns time.
//!
//! - `shards`: the monitors.
//! - `intake`: what changes a monitor from outside. A thread that has read beats calls [`Engine::beat`] for each, which
//!   holds one shard's lock for the length of one table look-up and writes down in the thread's own [`Pending`] how the
//!   monitor then stands.
//! - `commit`: before the thread answers anybody it calls [`Engine::commit`], which puts that into the journal by one
//!   write. Only then does anybody hear of a change (`events`, `record_first`).
//! - `judge`: the loop that finds whose time is up, what it asks of senders under load, and the machine of the alerts.
//! - `checkpoint`: brings what the journal holds into the tables that people query, and puts the engine together again
//!   after a start.
//! - `delivery`: brings out what is to be told.

use crate::domain::instance::Instance;
use crate::domain::notice::{Level, Notice};
use crate::domain::policy::{Policy, Sync};
pub use crate::domain::registry::MonitorEvent;
use crate::domain::time::{Now, Wall};
use crate::i18n::Text;
use crate::store::{Journal, Storage, Store};
use crate::sys::log::Log;
use arc_swap::ArcSwap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, watch as latest};

pub mod checkpoint;
mod commit;
pub mod delivery;
mod events;
mod health;
pub mod intake;
pub mod judge;
mod mutex;
mod pending;
mod query;
mod record_first;
pub mod seed;
mod shards;
pub mod stats;
#[cfg(test)]
pub mod testing;

use checkpoint::catch_up::CatchUp;
use delivery::stats::DeliveryStats;
use delivery::unstored::Unstored;
use events::EventQueues;
pub use health::Health;
use health::StorageFailure;
use intake::admission::Intake;
pub use intake::admission::{BeatRefusal, ControlRefusal, Incoming, id_of_peer};
use intake::claims::Claims;
pub use intake::refusals::SenderRefusal;
use judge::alarm::Alarm;
use judge::alerts::JudgeInbox;
use mutex::lock;
pub use pending::{NotStoredError, Pending};
use seed::Seed;
pub use shards::MonitorPlace;
use shards::{SHARDS, Shards};
use stats::Stats;

/// MonitorEvent kept for a watcher that is slow.
const EVENTS_MAX: usize = 1024;

/// See the module.
pub struct Engine {
    shards: Shards,
    /// What is on its way to being told.
    event_queues: EventQueues,
    policy: ArcSwap<Policy>,
    log: Log,
    stats: Stats,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    /// Which installation this is, for names that leave this machine.
    instance: Arc<Instance>,
    sync: Sync,
    intake: Intake,
    alarm: Alarm,
    events: broadcast::Sender<Arc<MonitorEvent>>,
    trouble: Mutex<StorageFailure>,
    /// What the judge of the alerts has yet to hear.
    judge_inbox: Mutex<JudgeInbox>,
    post: DeliveryStats,
    /// What is told while it cannot be put on record.
    unstored: Mutex<Unstored>,
    catch_up: CatchUp,
    /// Marked whenever another policy is in force.
    policy_changes: latest::Sender<()>,
    /// How many times intervals are stretched, in thousandths.
    stretch_permille: AtomicU32,
}

impl Engine {
    /// An engine with no monitors, for `threads` threads that take beats. [`Engine::recover`] fills it.
    pub fn new(
        now: Now,
        policy: Arc<Policy>,
        log: Log,
        threads: usize,
        storage: Storage,
        sync: Sync,
    ) -> Engine {
        Engine {
            shards: Shards::new(now, &policy),
            event_queues: EventQueues::default(),
            log,
            stats: Stats::new(threads),
            instance: Arc::new(storage.tables.instance()),
            journal: storage.journal,
            store: storage.tables,
            sync,
            intake: Intake::default(),
            alarm: Alarm::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
            trouble: Mutex::default(),
            judge_inbox: Mutex::default(),
            post: DeliveryStats::default(),
            unstored: Mutex::default(),
            catch_up: CatchUp::default(),
            policy_changes: latest::Sender::new(()),
            stretch_permille: AtomicU32::new(1000),
            policy: ArcSwap::new(policy),
        }
    }

    /// The same engine with a seed of its hashes that is known; before it has any monitors.
    pub fn hashing_by(mut self, seed: Seed) -> Engine {
        self.shards.hash_by(seed);
        self
    }

    /// The policy in force.
    pub fn policy(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// Whoever was let in for longer than a moment is judged again whenever this is marked.
    pub fn policy_changes(&self) -> latest::Receiver<()> {
        self.policy_changes.subscribe()
    }

    /// Puts a new policy in force, its rules for all monitors included.
    pub fn set_policy(&self, now: Now, policy: Arc<Policy>) {
        let generation = self.policy().generation + 1;
        let policy = Arc::new(Policy { generation, ..Policy::clone(&policy) });
        let mut pending = Pending::new();
        for shard in 0..SHARDS {
            self.change(now, shard, &mut pending, |registry, keep| {
                registry.bound_messages(shards::messages_max(&policy));
                registry.set_policy(now, &policy, keep);
            });
            // A failure has been noted and will be made good.
            let _ = self.commit(now.wall, &mut pending);
        }
        self.declare(now, &policy);
        self.policy.store(policy);
        self.intake.forget_refusals();
        self.policy_changes.send_replace(());
        self.alarm.ring();
    }

    /// Who speaks last for whom.
    pub fn claims(&self) -> &Arc<Claims> {
        self.intake.claims()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn notice(&self, at: Wall, level: Level, kind: &'static str, text: impl Into<Text>) {
        self.log.notice(at, Notice::Other { level, kind, text: text.into() });
    }
}
