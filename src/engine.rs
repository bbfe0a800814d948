//! The engine: all shards of the registry, what keeps them, and the loop that owns time.
//!
//! A thread that has read beats calls [`Engine::beat`] for each, which holds one shard's lock for the length of one table
//! look-up and writes down in the thread's own [`Pending`] how the monitor then stands. Before the thread answers anybody it
//! calls [`Engine::commit`], which puts that into the journal by one write and only then tells anybody of a change. `watch`
//! is the loop that finds whose time is up, `govern` what it asks of senders under load; `keep` brings what the journal holds
//! into the tables that people query, and puts the engine together again after a start.

use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source, Transport};
use crate::domain::id::{Id, IdError, IdRef};
use crate::domain::instance::Instance;
use crate::domain::limits::exempt_until;
use crate::domain::meter::Meter;
use crate::domain::notice::{Level, Notice};
use crate::domain::policy::{Policy, Sync};
use crate::domain::record::{Change, Record};
pub use crate::domain::registry::Tidings;
use crate::domain::registry::{self, Arrival, Control, Name, Receipt, Registry, Snapshot, Unknown};
use crate::domain::sentence::Sentence;
use crate::domain::time::{Now, Span, Wall};
use crate::store::{Batch, Journal, Storage, Store, StoreError};
use crate::sys::log::Log;
use crate::view::words;
use arc_swap::ArcSwap;
use catch_up::CatchUp;
use claims::Claims;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, broadcast, watch as latest};

mod alerts;
mod aside;
mod ask;
mod catch_up;
pub mod claims;
pub mod courier;
mod govern;
mod guesses;
pub mod keep;
mod pending;
pub mod post;
mod refusals;
pub mod seed;
pub mod stats;
#[cfg(test)]
pub mod testing;
pub mod upkeep;
pub mod watch;

use alerts::{Lapses, Recovered};
use aside::Aside;
pub use ask::{Health, Place};
use guesses::Guesses;
pub use pending::Pending;
use pending::Untold;
use post::Post;
use refusals::Refusals;
pub use refusals::Refused;
use seed::Seed;
use stats::Stats;

/// Shards of the registry: enough that cores seldom meet in one.
const SHARDS: usize = 64;
/// Tidings kept for a watcher that is slow.
const TIDINGS_MAX: usize = 1024;
/// Changes of state, encoded, that wait for a journal that takes nothing at the moment, and those that wait to be told of.
const BACKLOG_BYTES_MAX: usize = 4 * 1024 * 1024;
const HOUR: Span = Span::secs(3600);
const SECOND: Span = Span::secs(1);

/// A beat, whom it is for, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// When.
    pub now: Now,
    /// The monitor.
    pub monitor: IdRef<'a>,
    /// What it says.
    pub beat: &'a Beat<'a>,
    /// Where it came from.
    pub source: Source,
    /// Whether its sender is told the interval that comes of it, and so can follow it.
    pub hears: bool,
}

/// Why a beat was not taken though it was well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its sender sends too many a second; wait.
    TooManyBeats(Span),
    /// Its sender made too many new monitors in the last hour; wait.
    TooManyNew(Span),
    /// There are as many monitors as there may be.
    Full,
    /// No monitor is known by this id, and none of that name is made.
    Id(IdError),
}

/// Why a person's wish was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRefusal {
    /// There is no such monitor.
    Unknown,
    /// The configuration declares it: there it must be changed or removed.
    Configured,
    /// There are as many monitors as there may be.
    Full,
    /// It could not be kept, so it will not outlive the daemon; why, as strangers are told.
    NotStored(String),
}

/// What was to be kept is not; beats are known and would be lost with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStored;

/// See the module.
pub struct Engine {
    shards: Box<[Mutex<Registry>]>,
    /// Of each shard, what is on its way to being told.
    untold: Box<[Mutex<Untold>]>,
    /// Hashes ids for the shards and inside them; seeded anew in every process.
    hasher: Seed,
    policy: ArcSwap<Policy>,
    log: Log,
    stats: Stats,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    /// Which installation this is, for names that leave this machine.
    instance: Arc<Instance>,
    sync: Sync,
    monitors: AtomicU64,
    /// The number of the next monitor that is made.
    next_number: AtomicU64,
    newcomers: Mutex<Meter>,
    refusals: Mutex<Refusals>,
    guesses: Guesses,
    rates: Box<[Mutex<Meter>]>,
    /// When the loop means to wake, in milliseconds of the monotonic clock; `u64::MAX` while it is busy.
    armed: AtomicU64,
    wake: Notify,
    tidings: broadcast::Sender<Arc<Tidings>>,
    trouble: Mutex<Trouble>,
    claims: Arc<Claims>,
    /// What has happened to time, for the machine of the alerts.
    lapses: Mutex<Lapses>,
    /// What was found at the start, until the machine has it.
    recovered: Mutex<Option<Recovered>>,
    post: Post,
    /// What is told while it cannot be put on record.
    aside: Mutex<Aside>,
    catch_up: CatchUp,
    /// Marked whenever another policy is in force.
    policy_changes: latest::Sender<()>,
    /// How many times intervals are stretched, in thousandths.
    stretch_permille: AtomicU32,
}

/// What the journal would not take.
#[derive(Default)]
struct Trouble {
    /// Why, while it lasts.
    reason: Option<Sentence>,
    /// Whether that is for want of room.
    is_full: bool,
    /// Changes of state since; the beats among them are in memory only.
    backlog: Batch,
    /// Those of them that the machine of the alerts has yet to hear, since it does not find them in the journal.
    unheard: Batch,
    /// What is wrong with the tables, as the keeper finds them.
    tables: Option<Sentence>,
    /// What is wrong with the outbox, as the courier finds it.
    outbox: Option<Sentence>,
    /// What was found damaged since the start.
    damage: Vec<Sentence>,
    /// Listeners that are not there yet.
    absent: Vec<Sentence>,
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
        let shard = || {
            let mut registry = Registry::new(now, policy.defaults, policy.rules.clone());
            registry.bound_messages(policy.limits.messages / SHARDS);
            Mutex::new(registry)
        };
        Engine {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            untold: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: Seed::random(),
            log,
            stats: Stats::new(threads),
            instance: Arc::new(storage.tables.instance()),
            journal: storage.journal,
            store: storage.tables,
            sync,
            monitors: AtomicU64::new(0),
            next_number: AtomicU64::new(1),
            newcomers: Mutex::default(),
            refusals: Mutex::default(),
            guesses: Guesses::default(),
            rates: (0..SHARDS).map(|_| Mutex::default()).collect(),
            armed: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
            tidings: broadcast::Sender::new(TIDINGS_MAX),
            trouble: Mutex::default(),
            claims: Arc::default(),
            lapses: Mutex::default(),
            recovered: Mutex::default(),
            post: Post::default(),
            aside: Mutex::default(),
            catch_up: CatchUp::default(),
            policy_changes: latest::Sender::new(()),
            stretch_permille: AtomicU32::new(1000),
            policy: ArcSwap::new(policy),
        }
    }

    /// The same engine with a seed of its hashes that is known; before it has any monitors.
    pub fn hashing_by(mut self, seed: Seed) -> Engine {
        self.hasher = seed;
        self
    }

    /// Takes a beat. What is to be kept goes into `pending`, and nobody may be told that the beat was taken before that is
    /// committed. `taken` is called once it is, before anybody hears of what it changed.
    pub fn beat(
        &self,
        incoming: &Incoming<'_>,
        policy: &Policy,
        pending: &mut Pending,
        taken: impl FnOnce(),
    ) -> Result<Receipt, Refusal> {
        let Incoming { now, monitor, beat, source, hears } = *incoming;
        let (shard, monitor) = self.place_of(monitor);
        let mut registry = lock(&self.shards[shard]);
        let mut keep = |record: &Record<'_>| self.catch_up.push(&mut pending.batch, record);
        let known = Arrival { monitor, beat, source, hears, create: None };
        let receipt = match registry.handle(now, known, &mut keep) {
            Ok(receipt) => receipt,
            Err(Unknown) => {
                monitor.id.may_be_made().map_err(Refusal::Id)?;
                let create = Some(self.admit(now, source.peer, policy)?);
                registry
                    .handle(now, Arrival { create, ..known }, &mut keep)
                    .map_err(|Unknown| Refusal::Full)?
            }
        };
        taken();
        self.note_news(now, shard, &mut registry, pending);
        drop(registry);
        if receipt.deadline.is_some_and(|deadline| deadline.0 < self.armed.load(Ordering::Acquire)) {
            self.wake.notify_one();
        }
        Ok(receipt)
    }

    /// Puts what a thread has changed into the journal, as safely as was configured, and then tells of it. On failure the
    /// changes of state among it are kept for later and told nevertheless; nothing is pending either way.
    pub fn commit(&self, now: Wall, pending: &mut Pending) -> Result<(), NotStored> {
        let kept =
            if pending.batch.is_empty() { Ok(()) } else { self.put_on_record(now, &mut pending.batch) };
        if !pending.news.is_empty() {
            self.tell_news(pending);
        }
        kept
    }

    fn put_on_record(&self, now: Wall, batch: &mut Batch) -> Result<(), NotStored> {
        let has_changes = batch.has_changes();
        let appended = self.journal.append(now, batch);
        if has_changes {
            self.catch_up.committed();
        }
        let kept = match (appended, self.sync) {
            (Ok(upto), Sync::Always) => self.journal.sync(upto),
            (appended, _) => appended.map(drop),
        };
        let Err(error) = kept else { return Ok(()) };
        self.has_failed(now, &error);
        let mut trouble = lock(&self.trouble);
        for record in batch.records().into_iter().filter(|record| record.change != Change::None) {
            if trouble.backlog.bytes_len() < BACKLOG_BYTES_MAX {
                trouble.backlog.push(&record);
            }
            if trouble.unheard.bytes_len() < BACKLOG_BYTES_MAX {
                trouble.unheard.push(&record);
            }
        }
        batch.clear();
        Err(NotStored)
    }

    /// Notes that the journal takes nothing at the moment, and says so once.
    fn has_failed(&self, now: Wall, error: &StoreError) {
        let sentence = error.said(self.policy().page_lang);
        let text = sentence.own().to_string();
        let mut trouble = lock(&self.trouble);
        trouble.is_full |= error.is_full();
        let known = trouble.reason.replace(sentence);
        drop(trouble);
        if known.is_none() {
            self.notice(now, Level::Error, "not_stored", text);
        }
    }

    /// Whether beats that cannot be kept are refused, and a commit waits for the disk.
    pub fn refuses_unstored(&self) -> bool {
        self.sync == Sync::Always
    }

    /// Does what a person wants with a monitor; returns how it stands then (`None` once it is removed).
    pub fn control(
        &self,
        now: Now,
        id: IdRef<'_>,
        control: &Control,
    ) -> Result<Option<Snapshot>, ControlRefusal> {
        let (shard, monitor) = self.place_of(id);
        let mut pending = Pending::new();
        let mut registry = lock(&self.shards[shard]);
        let makes = matches!(control, Control::Declare(_)) && registry.get(now, monitor).is_none();
        let number = if makes { self.room(&self.policy()).ok_or(ControlRefusal::Full)? } else { 0 };
        let create = (number, Source { peer: Peer::Unix, transport: Transport::Http });
        let done = registry.control(now, monitor, control, create, &mut |record| {
            self.catch_up.push(&mut pending.batch, record)
        });
        let snapshot = registry.get(now, monitor);
        let deadline = registry.poll_deadline();
        self.note_news(now, shard, &mut registry, &mut pending);
        drop(registry);
        let stored = self.commit(now.wall, &mut pending);
        if makes && done.is_err() {
            self.monitors.fetch_sub(1, Ordering::Relaxed);
        }
        done.map_err(|refused| match refused {
            registry::Refused::Unknown => ControlRefusal::Unknown,
            registry::Refused::Configured => ControlRefusal::Configured,
        })?;
        if deadline.is_some_and(|deadline| deadline.0 < self.armed.load(Ordering::Acquire)) {
            self.wake.notify_one();
        }
        let reason = || {
            let reason = lock(&self.trouble).reason.clone();
            reason.map(|sentence| sentence.told().to_string()).unwrap_or_default()
        };
        stored.map_err(|NotStored| ControlRefusal::NotStored(reason()))?;
        Ok(snapshot)
    }

    /// The connection has gone for which a monitor stood, after `silence` or otherwise, and the monitor goes with it.
    pub fn depart(&self, now: Now, id: IdRef<'_>, silence: bool, pending: &mut Pending) {
        let (shard, monitor) = self.place_of(id);
        self.change(now, shard, pending, |registry, keep| registry.depart(now, monitor, silence, keep));
    }

    /// Two live connections take turns in speaking for a monitor.
    pub fn contend(&self, now: Now, id: IdRef<'_>, pair: [Peer; 2], pending: &mut Pending) {
        let (shard, monitor) = self.place_of(id);
        self.change(now, shard, pending, |registry, _| registry.contend(now, monitor, pair));
    }

    /// Whether `peer` may send `beats` beats now, by `limits.beats_per_second`.
    pub fn may_send(&self, now: Now, peer: Peer, policy: &Policy) -> Result<(), Refusal> {
        // There is no whole here of which this machine could take too much.
        let Some(most) = policy.limits.beats_per_second.filter(|_| !peer.is_local()) else { return Ok(()) };
        let meter = &self.rates[self.hasher.hash_one(peer) as usize % self.rates.len()];
        lock(meter).check(now.mono, peer, most, SECOND).map_err(Refusal::TooManyBeats)
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
        let mut pending = Pending::new();
        for shard in 0..SHARDS {
            self.change(now, shard, &mut pending, |registry, keep| {
                registry.bound_messages(policy.limits.messages / SHARDS);
                registry.set_policy(now, &policy, keep);
            });
            // A failure has been noted and will be made good.
            let _ = self.commit(now.wall, &mut pending);
        }
        self.declare(now, &policy);
        self.policy.store(policy);
        lock(&self.refusals).forget();
        self.policy_changes.send_replace(());
        self.wake.notify_one();
    }

    /// Who speaks last for whom.
    pub fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The shard of an id, by one half of its hash, and its name inside it, by the other.
    fn place_of<'a>(&self, id: IdRef<'a>) -> (usize, Name<'a>) {
        let hash = self.hasher.hash_one(id.as_str());
        ((hash >> 32) as usize % SHARDS, Name { id, hash: hash as u32 })
    }

    /// Decides whether one more monitor may be made for `peer`, counts it and gives it a number.
    fn admit(&self, now: Now, peer: Peer, policy: &Policy) -> Result<u64, Refusal> {
        let number = self.room(policy).ok_or(Refusal::Full)?;
        let exempt = exempt_until(policy.limits.monitors) as u64;
        if peer.is_local() && self.monitors.load(Ordering::Relaxed) <= exempt {
            return Ok(number);
        }
        lock(&self.newcomers)
            .check(now.mono, peer, policy.limits.new_monitors_per_hour, HOUR)
            .map(|()| number)
            .map_err(|wait| {
                self.monitors.fetch_sub(1, Ordering::Relaxed);
                Refusal::TooManyNew(wait)
            })
    }

    /// Takes room for one more monitor, if there is any, and a number for it.
    fn room(&self, policy: &Policy) -> Option<u64> {
        if self.monitors.fetch_add(1, Ordering::Relaxed) >= policy.limits.monitors as u64 {
            self.monitors.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the monitors that the configuration declares and nobody has heard of.
    fn declare(&self, now: Now, policy: &Policy) {
        let mut pending = Pending::new();
        for (id, _) in policy.rules.declared() {
            let Ok(id) = IdRef::new(id) else { continue };
            let (shard, name) = self.place_of(id);
            let number = || self.next_number.fetch_add(1, Ordering::Relaxed);
            let source = Source { peer: Peer::Unix, transport: Transport::Http };
            let made = self.change(now, shard, &mut pending, |registry, keep| {
                registry.ensure(now, name, source, number, keep)
            });
            self.monitors.fetch_add(made.into(), Ordering::Relaxed);
        }
        // A failure has been noted and will be made good.
        let _ = self.commit(now.wall, &mut pending);
    }

    /// Tells whoever wants to know.
    fn tell(&self, now: Now, tidings: Tidings) {
        match &tidings {
            Tidings::Change(change) => {
                self.stats.transition(change.to);
                if let Some(deadline) = change.deadline {
                    self.stats.detected(now.mono.since(deadline));
                }
                if change.muted {
                    self.stats.muted();
                } else {
                    self.log.notice(
                        change.at,
                        Notice::Transition {
                            monitor: change.monitor.as_str().into(),
                            from: change.from,
                            to: change.to,
                            last_beat: change.last_beat,
                            silent: change.silent,
                            reason: change.reason,
                            at: change.at,
                        },
                    );
                }
            }
            Tidings::Made(_) => {}
            Tidings::Conflict(id, conflict) => {
                let text = words::conflict(self.policy().page_lang, id.as_str(), conflict);
                self.notice(now.wall, Level::Warning, "conflict", text);
            }
            Tidings::Removed(_) => {
                self.monitors.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if self.tidings.receiver_count() > 0 {
            // Without a receiver there is nobody to tell.
            let _ = self.tidings.send(Arc::new(tidings));
        }
    }

    fn notice(&self, at: Wall, level: Level, kind: &'static str, text: String) {
        self.log.notice(at, Notice::Other { level, kind, text });
    }
}

/// The id under which a beat that names nobody goes: the address it came from.
pub fn id_of_peer(peer: Peer) -> Option<Id> {
    Id::new(&peer.to_string()).ok()
}

/// A lock whose holder panicked still guards whole values: every change under it is made by assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
