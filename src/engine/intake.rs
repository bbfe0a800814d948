//! What comes from outside: beats, departures and what people want of monitors, and who may bring how much of it.

use super::commit::NotStoredError;
use super::{Engine, Pending, SHARDS, lock};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source, Transport};
use crate::domain::id::{Id, IdError, IdRef};
use crate::domain::limits::exempt_until;
use crate::domain::meter::Meter;
use crate::domain::policy::Policy;
use crate::domain::record::Record;
use crate::domain::registry::{Arrival, CommandRefusal, Control, Receipt, Snapshot, Unknown};
use crate::domain::time::{Mono, Now, Span};
use crate::i18n::Text;
use claims::Claims;
use guesses::Guesses;
use refusals::RefusalLog;
pub use refusals::SenderRefusal;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub mod claims;
mod guesses;
mod refusals;

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
pub enum BeatRefusal {
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

/// How much has come, and from where.
pub(super) struct Intake {
    /// Monitors that there are.
    monitors: AtomicU64,
    /// The number of the next monitor that is made.
    next_number: AtomicU64,
    /// New monitors in the last hour, by who made them.
    newcomers: Mutex<Meter>,
    /// Beats in the last second, by who sent them.
    rates: Box<[Mutex<Meter>]>,
    refusals: Mutex<RefusalLog>,
    guesses: Guesses,
    claims: Arc<Claims>,
}

impl Default for Intake {
    fn default() -> Intake {
        Intake {
            monitors: AtomicU64::new(0),
            next_number: AtomicU64::new(1),
            newcomers: Mutex::default(),
            rates: (0..SHARDS).map(|_| Mutex::default()).collect(),
            refusals: Mutex::default(),
            guesses: Guesses::default(),
            claims: Arc::default(),
        }
    }
}

impl Intake {
    /// Goes on with so many monitors, of which the last one has this number.
    pub(super) fn resume(&self, monitors: u64, last_number: u64) {
        self.monitors.store(monitors, Ordering::Relaxed);
        self.next_number.store(last_number + 1, Ordering::Relaxed);
    }

    /// How many monitors there are.
    pub(super) fn monitors(&self) -> u64 {
        self.monitors.load(Ordering::Relaxed)
    }

    /// Who speaks last for whom.
    pub(super) fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    /// Decides whether one more monitor may be made for `peer`, counts it and gives it a number.
    fn admit(&self, now: Now, peer: Peer, policy: &Policy) -> Result<u64, BeatRefusal> {
        let number = self.reserve(policy).ok_or(BeatRefusal::Full)?;
        let exempt = exempt_until(policy.limits.monitors) as u64;
        if peer.is_local() && self.monitors.load(Ordering::Relaxed) <= exempt {
            return Ok(number);
        }
        lock(&self.newcomers)
            .check(now.mono, peer, policy.limits.new_monitors_per_hour, HOUR)
            .map(|()| number)
            .map_err(|wait| {
                self.release();
                BeatRefusal::TooManyNew(wait)
            })
    }

    /// Takes room for one more monitor, if there is any, and a number for it.
    fn reserve(&self, policy: &Policy) -> Option<u64> {
        if self.monitors.fetch_add(1, Ordering::Relaxed) >= policy.limits.monitors as u64 {
            self.release();
            return None;
        }
        Some(self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// There is one monitor less.
    pub(super) fn release(&self) {
        self.monitors.fetch_sub(1, Ordering::Relaxed);
    }

    /// What is refused, in sentences.
    pub(super) fn refused(&self, now: Mono) -> Vec<Text> {
        lock(&self.refusals).sentences(now)
    }

    /// Forgets refusals that a new configuration may have made good.
    pub(super) fn forget_refusals(&self) {
        lock(&self.refusals).forget();
    }
}

impl Engine {
    /// Takes a beat. What is to be kept goes into `pending`, and nobody may be told that the beat was taken before that is
    /// committed. `taken` is called once it is, before anybody hears of what it changed.
    pub fn beat(
        &self,
        incoming: &Incoming<'_>,
        policy: &Policy,
        pending: &mut Pending,
        taken: impl FnOnce(),
    ) -> Result<Receipt, BeatRefusal> {
        let Incoming { now, monitor, beat, source, hears } = *incoming;
        let (shard, monitor) = self.place_of(monitor);
        let mut registry = lock(&self.shards[shard]);
        let mut keep = |record: &Record<'_>| self.catch_up.push(&mut pending.batch, record);
        let known = Arrival { monitor, beat, source, hears, create: None };
        let receipt = match registry.handle(now, known, &mut keep) {
            Ok(receipt) => receipt,
            Err(Unknown) => {
                monitor.id.may_be_made().map_err(BeatRefusal::Id)?;
                let create = Some(self.intake.admit(now, source.peer, policy)?);
                registry
                    .handle(now, Arrival { create, ..known }, &mut keep)
                    .map_err(|Unknown| BeatRefusal::Full)?
            }
        };
        taken();
        self.note_events(now, shard, &mut registry, pending);
        drop(registry);
        self.alarm.ring_before(receipt.deadline);
        Ok(receipt)
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
        let number =
            if makes { self.intake.reserve(&self.policy()).ok_or(ControlRefusal::Full)? } else { 0 };
        let create = (number, Source { peer: Peer::Unix, transport: Transport::Http });
        let done = registry.control(now, monitor, control, create, &mut |record| {
            self.catch_up.push(&mut pending.batch, record)
        });
        let snapshot = registry.get(now, monitor);
        let deadline = registry.poll_deadline();
        self.note_events(now, shard, &mut registry, &mut pending);
        drop(registry);
        let stored = self.commit(now.wall, &mut pending);
        if makes && done.is_err() {
            self.intake.release();
        }
        done.map_err(|refused| match refused {
            CommandRefusal::Unknown => ControlRefusal::Unknown,
            CommandRefusal::Configured => ControlRefusal::Configured,
        })?;
        self.alarm.ring_before(deadline);
        let reason = || {
            let reason = lock(&self.trouble).reason.clone();
            reason.map(|sentence| sentence.told().to_string()).unwrap_or_default()
        };
        stored.map_err(|NotStoredError| ControlRefusal::NotStored(reason()))?;
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
    pub fn may_send(&self, now: Now, peer: Peer, policy: &Policy) -> Result<(), BeatRefusal> {
        // There is no whole here of which this machine could take too much.
        let Some(most) = policy.limits.beats_per_second.filter(|_| !peer.is_local()) else { return Ok(()) };
        let rates = &self.intake.rates;
        let meter = &rates[self.hasher.hash_one(peer) as usize % rates.len()];
        lock(meter).check(now.mono, peer, most, SECOND).map_err(BeatRefusal::TooManyBeats)
    }

    /// Makes the monitors that the configuration declares and nobody has heard of.
    pub(super) fn declare(&self, now: Now, policy: &Policy) {
        let mut pending = Pending::new();
        for (id, _) in policy.rules.declared() {
            let Ok(id) = IdRef::new(id) else { continue };
            let (shard, name) = self.place_of(id);
            let number = || self.intake.next_number.fetch_add(1, Ordering::Relaxed);
            let source = Source { peer: Peer::Unix, transport: Transport::Http };
            let made = self.change(now, shard, &mut pending, |registry, keep| {
                registry.ensure(now, name, source, number, keep)
            });
            self.intake.monitors.fetch_add(made.into(), Ordering::Relaxed);
        }
        // A failure has been noted and will be made good.
        let _ = self.commit(now.wall, &mut pending);
    }
}

/// The id under which a beat that names nobody goes: the address it came from.
pub fn id_of_peer(peer: Peer) -> Option<Id> {
    Id::new(&peer.to_string()).ok()
}
