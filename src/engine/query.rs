//! What can be asked of the engine: how monitors stand, their past, whether all is well.

use super::Engine;
use super::health::Health;
use super::mutex::lock;
use super::shards::MonitorPlace;
use crate::domain::history::{Incident, Past};
use crate::domain::id::IdRef;
use crate::domain::limits::LIST_MAX;
use crate::domain::notice::State;
use crate::domain::registry::{Counts, Cursor, MonitorEvent, MonitorView, Order, Registry, Snapshot};
use crate::domain::sentence::Sentence;
use crate::domain::time::{Now, Wall};
use crate::store::{Entry, IncidentQuery, Mark, StoreError};
use crate::sys::clock;
use crate::view::words;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Monitors that are named of those that were never heard.
const NEVER_HEARD_NAMED: usize = 5;

impl Engine {
    /// How many monitors are in each state.
    pub fn counts(&self) -> Counts {
        self.shards.counts()
    }

    /// One monitor.
    pub fn get(&self, id: IdRef<'_>) -> Option<Snapshot> {
        self.get_at(clock::now(), id)
    }

    /// One monitor, its deadline told by the clocks of `now`.
    pub fn get_at(&self, now: Now, id: IdRef<'_>) -> Option<Snapshot> {
        self.shards.get_at(now, id).map(|found| self.named(found))
    }

    /// With its incident under the name that it has in the world.
    fn named(&self, mut monitor: Snapshot) -> Snapshot {
        if let Some((name, started, _)) = &mut monitor.incident {
            *name = self.instance.incident(std::mem::take(name), *started);
        }
        monitor
    }

    /// Which installation this is.
    pub fn instance(&self) -> &str {
        self.instance.name()
    }

    /// The first `limit` monitors in `order` behind `after` that `wanted` accepts, and where to go on if there are more.
    /// Looks at every monitor, one shard at a time: not for a thread that takes beats.
    pub fn list(
        &self,
        order: Order,
        after: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&MonitorView<'_>) -> bool,
    ) -> (Vec<Snapshot>, Option<Cursor>) {
        let (now, limit) = (clock::now(), limit.min(LIST_MAX));
        let by = |a: &Snapshot, b: &Snapshot| (a.key(order), &a.id).cmp(&(b.key(order), &b.id));
        let of_shard = |_: usize, registry: &Registry, most| registry.list(now, order, after, most, &wanted);
        let (rows, more) = self.shards.first_of_all(limit, of_shard, by);
        let rows: Vec<Snapshot> = rows.into_iter().map(|row| self.named(row)).collect();
        let next = rows.last().filter(|_| more).map(|row| Cursor { key: row.key(order), id: row.id.clone() });
        (rows, next)
    }

    /// Where those lie that [`Engine::list`] would give: each of them once, whatever becomes of it while they are looked at
    /// one after the other. Looks at every monitor too.
    pub fn seats(
        &self,
        order: Order,
        after: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&MonitorView<'_>) -> bool,
    ) -> (Vec<MonitorPlace>, Option<Cursor>) {
        let (now, limit) = (clock::now(), limit.min(LIST_MAX));
        let by = |a: &(Cursor, MonitorPlace), b: &(Cursor, MonitorPlace)| a.0.cmp(&b.0);
        let of_shard = |shard: usize, registry: &Registry, most| {
            let seats = registry.seats(now, order, after, most, &wanted).into_iter();
            seats.map(move |(cursor, seat)| (cursor, MonitorPlace::new(shard, seat))).collect()
        };
        let (places, more) = self.shards.first_of_all(limit, of_shard, by);
        let next = places.last().filter(|_| more).map(|(cursor, _)| cursor.clone());
        (places.into_iter().map(|(_, place)| place).collect(), next)
    }

    /// The monitor that lies there, unless it is gone.
    pub fn at(&self, place: MonitorPlace) -> Option<Snapshot> {
        self.shards.at(clock::now(), place).map(|found| self.named(found))
    }

    /// Changes of state and the like as they happen, for whoever watches live. One that reads too slowly is told how
    /// many it missed.
    pub fn watch(&self) -> broadcast::Receiver<Arc<MonitorEvent>> {
        self.events.subscribe()
    }

    /// Incidents, newest first. Like the two below it may wait for a disk: not for a thread that takes beats.
    /// What had happened when they are asked is in them.
    pub fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.catch_up.wait();
        let own =
            |(at, name): &(Wall, String)| (*at, self.instance.own_part(name).unwrap_or(name).to_string());
        let query = IncidentQuery { after: query.after.as_ref().map(own), ..query.clone() };
        let mut found = self.store.incidents(&query)?;
        for one in &mut found {
            one.id = self.instance.incident(std::mem::take(&mut one.id), one.started);
        }
        Ok(found)
    }

    /// Marks an incident as known to a person; false if there is none of that name.
    pub fn acknowledge(&self, incident: &str) -> Result<bool, StoreError> {
        self.catch_up.wait();
        let Some(incident) = self.instance.own_part(incident) else { return Ok(false) };
        let applied = self.store.apply(&[Entry::Acknowledged { incident }], Mark::None)?;
        Ok(applied.acknowledged > 0)
    }

    /// The past of some monitors, in their order.
    pub fn past(&self, now: Now, monitors: &[Snapshot]) -> Result<Vec<Past>, StoreError> {
        self.catch_up.wait();
        let asked: Vec<(&str, State)> = monitors.iter().map(|m| (m.id.as_str(), m.state)).collect();
        self.store.past(&asked, now.wall)
    }

    /// Replaces the sentences on listeners whose address is not there yet: part of [`Health::degraded`].
    pub fn set_absent_listeners(&self, sentences: Vec<Sentence>) {
        lock(&self.trouble).absent = sentences;
    }

    /// How many declared monitors have not been heard for longer than their interval, and the first of them; `None`: none.
    pub fn never_heard(&self) -> Option<(usize, Vec<String>)> {
        let (count, first) = self.shards.never_heard(clock::now(), NEVER_HEARD_NAMED);
        (count > 0).then_some((count, first))
    }

    /// Whether beats are taken and kept.
    pub fn health(&self) -> Health {
        let condition = self.journal.condition(clock::wall());
        let trouble = lock(&self.trouble);
        let refusing = trouble.reason.clone().filter(|_| self.refuses_unstored());
        let unstored = trouble.reason.iter().filter(|_| !self.refuses_unstored());
        // The same disk is often said to be full by both.
        let outbox = trouble.outbox.iter().filter(|text| trouble.tables.as_ref() != Some(*text));
        let kept = unstored.chain(&trouble.tables).chain(outbox).chain(&trouble.damage);
        let degraded = kept.chain(&trouble.absent).cloned();
        let policy = self.policy();
        let zone = policy.local_zone.iter();
        let zone = zone.map(|unknown| Sentence::of(|to| words::unknown_local(unknown, to)));
        let untold = self.post.troubles(clock::wall());
        let silent = self.never_heard().map(|(count, first)| words::never_heard(count, &first));
        let refused = self.intake.refused(clock::mono());
        // Reasons of notifiers are made for the API, ids and keys are no paths.
        let open = untold.into_iter().chain(silent).chain(refused).map(Sentence::open);
        Health {
            refusing,
            degraded: degraded.chain(condition.degraded).chain(zone).chain(open).collect(),
            journal_bytes: condition.journal_bytes,
            unsynced_s: condition.unsynced_ms as f64 / 1000.0,
        }
    }
}
