//! The monitors, in registries behind one short lock each: which registry an id belongs to, and what is asked of all.
//!
//! One registry is locked at a time. So what is added up over all of them is not of one moment, and nothing here waits
//! for two locks.

use super::mutex::lock;
use super::seed::Seed;
use crate::domain::alert::Lookup;
use crate::domain::governor::{Load, Step};
use crate::domain::id::IdRef;
use crate::domain::policy::Policy;
use crate::domain::record::Record;
use crate::domain::registry::{Counts, ListPosition, Name, Registry, Snapshot};
use crate::domain::time::Now;
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard};

/// Registries: enough that cores seldom meet in one.
pub(super) const SHARDS: usize = 64;

/// See the module.
pub(super) struct Shards {
    registries: Box<[Mutex<Registry>]>,
    /// Hashes ids for the shards and inside them; seeded anew in every process.
    hasher: Seed,
}

/// Where a monitor lies.
#[derive(Clone, Copy, Debug)]
pub struct MonitorPlace {
    shard: u8,
    pub(super) seat: ListPosition,
}

const _: () = assert!(SHARDS <= 1 << u8::BITS);

impl MonitorPlace {
    pub(super) fn new(shard: usize, seat: ListPosition) -> MonitorPlace {
        MonitorPlace { shard: shard as u8, seat }
    }

    pub(super) fn shard(self) -> usize {
        usize::from(self.shard)
    }
}

impl Shards {
    /// Without monitors.
    pub(super) fn new(now: Now, policy: &Policy) -> Shards {
        let registry = || {
            let mut registry = Registry::new(now, policy.defaults, policy.rules.clone());
            registry.bound_messages(messages_max(policy));
            Mutex::new(registry)
        };
        Shards { registries: (0..SHARDS).map(|_| registry()).collect(), hasher: Seed::random() }
    }

    /// Hashes by a seed that is known; before there are any monitors.
    pub(super) fn hash_by(&mut self, seed: Seed) {
        self.hasher = seed;
    }

    /// One of so many places, by the hash of a value.
    pub(super) fn pick(&self, value: impl Hash, places: usize) -> usize {
        self.hasher.hash_one(value) as usize % places
    }

    /// The shard of an id, by one half of its hash, and its name inside it, by the other.
    pub(super) fn place_of<'a>(&self, id: IdRef<'a>) -> (usize, Name<'a>) {
        let hash = self.hasher.hash_one(id.as_str());
        ((hash >> 32) as usize % SHARDS, Name { id, hash: hash as u32 })
    }

    /// The registry of a shard, for as long as it is held.
    pub(super) fn lock(&self, shard: usize) -> MutexGuard<'_, Registry> {
        lock(&self.registries[shard])
    }

    /// All of them, each for as long as it is held.
    pub(super) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, Registry>> {
        self.registries.iter().map(lock)
    }

    /// How many monitors are in each state.
    pub(super) fn counts(&self) -> Counts {
        let mut total = Counts::default();
        for registry in self.each() {
            total.iter_mut().zip(registry.counts()).for_each(|(sum, n)| *sum += n);
        }
        total
    }

    /// One monitor, its deadline told by the clocks of `now`; its incident under its own name.
    pub(super) fn get_at(&self, now: Now, id: IdRef<'_>) -> Option<Snapshot> {
        let (shard, name) = self.place_of(id);
        self.lock(shard).get(now, name)
    }

    /// Goes through all monitors.
    pub(super) fn visit(&self, now: Now, visit: &mut impl FnMut(&Record<'_>)) {
        self.each().for_each(|registry| registry.visit(now, visit));
    }

    /// Takes in how a monitor stood before this start; `saved`: the tables have it so.
    pub(super) fn load(&self, now: Now, record: &Record<'_>, saved: bool) {
        let (shard, name) = self.place_of(record.id);
        self.lock(shard).load(now, name, record, saved);
    }

    /// A monitor of which only the number is known is gone.
    pub(super) fn mark_removed(&self, number: u64) {
        self.each().for_each(|mut registry| registry.mark_removed(number));
    }

    /// What was saved last is not.
    pub(super) fn mark_unsaved(&self) {
        self.each().for_each(|mut registry| registry.mark_unsaved());
    }

    /// What has come since this was last asked.
    pub(super) fn take_load(&self) -> Load {
        let mut load = Load::default();
        self.each().for_each(|mut registry| load.add(registry.take_load()));
        load
    }

    /// Has senders asked for such intervals; `None`: for their own.
    pub(super) fn ask(&self, step: Option<Step>) {
        self.each().for_each(|mut registry| registry.ask(step));
    }

    /// Goes through the monitors with numbers under `below` that changed since they were saved, in each shard from the place
    /// on that it has come to; `None`: it is through.
    pub(super) fn unsaved(
        &self,
        now: Now,
        places: &mut [Option<usize>; SHARDS],
        below: u64,
        visit: &mut impl FnMut(&Record<'_>),
    ) {
        for (registry, place) in self.registries.iter().zip(places) {
            let Some(from) = *place else { continue };
            *place = lock(registry).unsaved(now, from, below, visit);
        }
    }

    /// How many declared monitors have not been heard for longer than their interval, and the first `most` of them.
    pub(super) fn never_heard(&self, now: Now, most: usize) -> (usize, Vec<String>) {
        let mut count = 0;
        let mut first: Vec<String> = Vec::new();
        for registry in self.each() {
            let (more, ids) = registry.never_heard(now, most);
            count += more;
            first.extend(ids);
        }
        first.sort_unstable();
        first.truncate(most);
        (count, first)
    }

    /// The first `limit` of what the shards give, each at most the number that it is asked for, and whether there are more.
    pub(super) fn first_of_all<T>(
        &self,
        limit: usize,
        of_shard: impl Fn(usize, &Registry, usize) -> Vec<T>,
        compare: impl Fn(&T, &T) -> Ordering,
    ) -> (Vec<T>, bool) {
        let mut found = Vec::new();
        for (number, registry) in self.each().enumerate() {
            found.extend(of_shard(number, &registry, limit + 1));
            if found.len() > 2 * (limit + 1) {
                keep_first(&mut found, limit + 1, &compare);
            }
        }
        keep_first(&mut found, limit + 1, &compare);
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    /// The monitor that lies there, unless it is gone.
    pub(super) fn at(&self, now: Now, place: MonitorPlace) -> Option<Snapshot> {
        lock(self.registries.get(place.shard())?).at(now, place.seat)
    }
}

/// Bytes of messages that one shard keeps.
pub(super) fn messages_max(policy: &Policy) -> usize {
    policy.limits.messages / SHARDS
}

fn keep_first<T>(rows: &mut Vec<T>, count: usize, compare: impl Fn(&T, &T) -> Ordering) {
    rows.sort_unstable_by(compare);
    rows.truncate(count);
}

/// How the monitors stand at a moment.
pub(super) struct MonitorsAt<'a> {
    pub(super) shards: &'a Shards,
    pub(super) now: Now,
}

impl Lookup for MonitorsAt<'_> {
    fn monitor(&self, id: &str) -> Option<Snapshot> {
        self.shards.get_at(self.now, IdRef::new(id).ok()?)
    }

    fn counts(&self) -> Counts {
        self.shards.counts()
    }
}
