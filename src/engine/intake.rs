//! What comes from outside and changes monitors: beats, departures and what people want of them.
//!
//! Who may bring it, and how much of it, is decided in `access` and `admission`.

use super::Engine;
use super::mutex::lock;
use super::pending::{NotStoredError, Pending};
use crate::domain::address::Peer;
use crate::domain::beat::{Source, Transport};
use crate::domain::id::IdRef;
use crate::domain::policy::Policy;
use crate::domain::record::Record;
use crate::domain::registry::{Arrival, CommandRefusal, MonitorCommand, Receipt, Snapshot, Unknown};
use crate::domain::time::Now;
use admission::{BeatRefusal, ControlRefusal, Incoming};

mod access;
pub(super) mod admission;
pub mod claims;
mod guesses;
pub(super) mod refusals;

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
        let Incoming { now, monitor, beat, source, follows_interval } = *incoming;
        let (shard, monitor) = self.shards.place_of(monitor);
        let mut registry = self.shards.lock(shard);
        let mut keep = |record: &Record<'_>| self.catch_up.push(&mut pending.batch, record);
        let known = Arrival { monitor, beat, source, follows_interval, create: None };
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
        self.event_queues.note(now, shard, &mut registry, &mut pending.tickets);
        drop(registry);
        self.alarm.ring_before(receipt.deadline);
        Ok(receipt)
    }

    /// Does what a person wants with a monitor; returns how it stands then (`None` once it is removed).
    pub fn control(
        &self,
        now: Now,
        id: IdRef<'_>,
        control: &MonitorCommand,
    ) -> Result<Option<Snapshot>, ControlRefusal> {
        let (shard, monitor) = self.shards.place_of(id);
        let mut pending = Pending::new();
        let mut registry = self.shards.lock(shard);
        let makes = matches!(control, MonitorCommand::Declare(_)) && registry.get(now, monitor).is_none();
        let number =
            if makes { self.intake.reserve(&self.policy()).ok_or(ControlRefusal::Full)? } else { 0 };
        let create = (number, Source { peer: Peer::Unix, transport: Transport::Http });
        let done = registry.control(now, monitor, control, create, &mut |record| {
            self.catch_up.push(&mut pending.batch, record)
        });
        let snapshot = registry.get(now, monitor);
        let deadline = registry.poll_deadline();
        self.event_queues.note(now, shard, &mut registry, &mut pending.tickets);
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
            reason.map(|sentence| sentence.told().clone()).unwrap_or_default()
        };
        stored.map_err(|NotStoredError| ControlRefusal::NotStored(reason()))?;
        Ok(snapshot)
    }

    /// The connection has gone for which a monitor stood, after `silence` or otherwise, and the monitor goes with it.
    pub fn depart(&self, now: Now, id: IdRef<'_>, silence: bool, pending: &mut Pending) {
        let (shard, monitor) = self.shards.place_of(id);
        self.change(now, shard, pending, |registry, keep| registry.depart(now, monitor, silence, keep));
    }

    /// Two live connections take turns in speaking for a monitor.
    pub fn contend(&self, now: Now, id: IdRef<'_>, pair: [Peer; 2], pending: &mut Pending) {
        let (shard, monitor) = self.shards.place_of(id);
        self.change(now, shard, pending, |registry, _| registry.contend(now, monitor, pair));
    }

    /// Makes the monitors that the configuration declares and nobody has heard of.
    pub(super) fn declare(&self, now: Now, policy: &Policy) {
        let mut pending = Pending::new();
        for (id, _) in policy.rules.declared() {
            let Ok(id) = IdRef::new(id) else { continue };
            let (shard, name) = self.shards.place_of(id);
            let number = || self.intake.next_number();
            let source = Source { peer: Peer::Unix, transport: Transport::Http };
            let made = self.change(now, shard, &mut pending, |registry, keep| {
                registry.ensure(now, name, source, number, keep)
            });
            self.intake.add(made.into());
        }
        // A failure has been noted and will be made good.
        let _ = self.commit(now.wall, &mut pending);
    }
}
