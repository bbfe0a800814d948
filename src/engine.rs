//! The engine: all shards of the registry, and the one task that owns time.
//!
//! A thread that has read a beat calls [`Engine::beat`], which holds one shard's lock for the length of one table
//! look-up and awaits nothing. [`Engine::run`] is the loop that finds whose time is up: it sleeps until the first
//! deadline of all shards, and a beat that brings an earlier one wakes it. Order of the loop: judge what is due, tell
//! of the changes, find the next deadline, sleep.

use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source};
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::LIST_MAX;
use crate::domain::meter::Meter;
use crate::domain::notice::{Notice, State};
use crate::domain::policy::Policy;
use crate::domain::registry::{Counts, Event, Name, Receipt, Registry, Snapshot, Transition, Unknown};
use crate::domain::time::{Mono, Now, Span};
use crate::sys::clock;
use crate::sys::log::Log;
use arc_swap::ArcSwap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

pub mod stats;

use stats::Stats;

/// Shards of the registry: enough that cores seldom meet in one.
const SHARDS: usize = 64;
/// Monitors judged under one hold of a shard's lock.
const JUDGED_AT_ONCE: usize = 1024;
const HOUR: Span = Span::secs(3600);
const SECOND: Span = Span::secs(1);

/// Why a beat was not taken though it was well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its sender sends too many a second; wait.
    TooManyBeats(Span),
    /// Its sender made too many new monitors in the last hour; wait.
    TooManyNew(Span),
    /// There are as many monitors as there may be.
    Full,
}

/// See the module.
pub struct Engine {
    shards: Box<[Mutex<Registry>]>,
    /// Hashes ids for the shards and inside them; seeded anew in every process.
    hasher: RandomState,
    policy: ArcSwap<Policy>,
    log: Log,
    stats: Stats,
    monitors: AtomicU64,
    newcomers: Mutex<Meter>,
    rates: Box<[Mutex<Meter>]>,
    /// When the loop means to wake, in milliseconds of [`Mono`]; `u64::MAX` while it is busy.
    armed: AtomicU64,
    wake: Notify,
}

impl Engine {
    /// An engine with no monitors, for `threads` threads that take beats.
    pub fn new(policy: Arc<Policy>, log: Log, threads: usize) -> Engine {
        let now = clock::now();
        let shard = || Mutex::new(Registry::new(now, policy.defaults));
        Engine {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            log,
            stats: Stats::new(threads),
            monitors: AtomicU64::new(0),
            newcomers: Mutex::default(),
            rates: (0..SHARDS).map(|_| Mutex::default()).collect(),
            armed: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
            policy: ArcSwap::new(policy),
        }
    }

    /// Takes a beat. `monitor` is whom it is for; `taken` is called once it is, before anybody hears of what it
    /// changed.
    pub fn beat(
        &self,
        now: Now,
        monitor: IdRef<'_>,
        beat: &Beat<'_>,
        source: Source,
        policy: &Policy,
        taken: impl FnOnce(),
    ) -> Result<Receipt, Refusal> {
        let (shard, monitor) = self.place_of(monitor);
        let mut registry = lock(shard);
        let event = |create| Event::Beat { monitor, beat, source, create };
        let receipt = match registry.handle(now, event(false)) {
            Ok(receipt) => receipt,
            Err(_) => {
                self.admit(now, source.peer, policy)?;
                registry.handle(now, event(true)).map_err(|Unknown| {
                    self.monitors.fetch_sub(1, Ordering::Relaxed);
                    Refusal::Full
                })?
            }
        };
        taken();
        while let Some(transition) = registry.poll_transition() {
            self.tell(transition);
        }
        drop(registry);
        if receipt.deadline.is_some_and(|deadline| deadline.0 < self.armed.load(Ordering::Acquire)) {
            self.wake.notify_one();
        }
        Ok(receipt)
    }

    /// Whether `peer` may send `beats` beats now, by `limits.beats_per_second`.
    pub fn may_send(&self, now: Now, peer: Peer, policy: &Policy) -> Result<(), Refusal> {
        let Some(most) = policy.limits.beats_per_second else { return Ok(()) };
        let meter = &self.rates[self.hasher.hash_one(peer) as usize % self.rates.len()];
        lock(meter).check(now.mono, peer, most, SECOND).map_err(Refusal::TooManyBeats)
    }

    /// The policy in force.
    pub fn policy(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// Puts a new policy in force.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        for shard in &self.shards {
            lock(shard).set_defaults(policy.defaults);
        }
        self.policy.store(policy);
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How many monitors are in each state.
    pub fn counts(&self) -> Counts {
        let mut total = Counts::default();
        for shard in &self.shards {
            let counts = lock(shard).counts();
            total.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        total
    }

    /// One monitor.
    pub fn get(&self, id: IdRef<'_>) -> Option<Snapshot> {
        let (shard, name) = self.place_of(id);
        lock(shard).get(clock::now(), name)
    }

    /// The first `limit` monitors by id after `after` that `wanted` accepts, and whether there are more. Looks at
    /// every monitor, one shard at a time: not for a thread that takes beats.
    pub fn list(
        &self,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&str, State) -> bool,
    ) -> (Vec<Snapshot>, bool) {
        let (now, limit) = (clock::now(), limit.min(LIST_MAX));
        let mut rows = Vec::new();
        for shard in &self.shards {
            rows.extend(lock(shard).list(now, after, limit + 1, &wanted));
            if rows.len() > 2 * (limit + 1) {
                keep_first(&mut rows, limit + 1);
            }
        }
        keep_first(&mut rows, limit + 1);
        let more = rows.len() > limit;
        rows.truncate(limit);
        (rows, more)
    }

    /// Runs for ever: judges whose time is up. Called once.
    pub async fn run(&self) {
        loop {
            self.armed.store(u64::MAX, Ordering::Release);
            let now = clock::now();
            let mut more = false;
            let mut next: Option<Mono> = None;
            for shard in &self.shards {
                let mut registry = lock(shard);
                more |= registry.handle_timeout(now, JUDGED_AT_ONCE);
                while let Some(transition) = registry.poll_transition() {
                    self.tell(transition);
                }
                next = next.into_iter().chain(registry.poll_deadline()).min();
            }
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            // A beat filed since its shard was looked at compares with u64::MAX above or with this, and wakes us.
            self.armed.store(next.map_or(u64::MAX, |n| n.0), Ordering::Release);
            match next {
                Some(next) => {
                    let until = tokio::time::Instant::from_std(clock::instant_at(next));
                    let _ = tokio::time::timeout_at(until, self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// The shard of an id, by one half of its hash, and its name inside it, by the other.
    fn place_of<'a>(&self, id: IdRef<'a>) -> (&Mutex<Registry>, Name<'a>) {
        let hash = self.hasher.hash_one(id.as_str());
        (&self.shards[(hash >> 32) as usize % SHARDS], Name { id, hash: hash as u32 })
    }

    /// Decides whether one more monitor may be made, and counts it.
    fn admit(&self, now: Now, peer: Peer, policy: &Policy) -> Result<(), Refusal> {
        let limits = &policy.limits;
        if self.monitors.fetch_add(1, Ordering::Relaxed) >= limits.monitors as u64 {
            self.monitors.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::Full);
        }
        lock(&self.newcomers).check(now.mono, peer, limits.new_monitors_per_hour, HOUR).map_err(|wait| {
            self.monitors.fetch_sub(1, Ordering::Relaxed);
            Refusal::TooManyNew(wait)
        })
    }

    fn tell(&self, transition: Transition) {
        self.stats.transition(transition.to);
        let Transition { monitor, from, to, at, last_beat, silent } = transition;
        self.log
            .notice(at, Notice::Transition { monitor: monitor.as_str().into(), from, to, last_beat, silent });
    }
}

/// The id under which a beat that names nobody goes: the address it came from.
pub fn id_of_peer(peer: Peer) -> Option<Id> {
    Id::new(&peer.to_string()).ok()
}

fn keep_first(rows: &mut Vec<Snapshot>, count: usize) {
    rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    rows.truncate(count);
}

/// A lock whose holder panicked still guards whole values: every change under it is made by assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
