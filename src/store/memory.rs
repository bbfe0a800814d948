//! Log and tables in memory: what is meant, said as plainly as possible. Simulations run on them, and the tables in
//! SQLite are tested against them. Nothing outlives the process.

use super::embedded::Log;
use super::owned::{self, OwnedRecord};
use super::tables::{FORGET_ROWS_MAX, PAST_CHANGES_MAX, Tables, incident_key};
use super::uptime::{DAY, Tally, before};
use super::{
    Batch, Condition, Delivery, IncidentQuery, Lane, LetGo, Life, OutboxQuery, Outgoing, Owner, Position,
    Posted, Settled, StoreError, Told, Wanted,
};
use crate::domain::history::{Incident, Past, StateChange, Uptime};
use crate::domain::notice::State;
use crate::domain::record::{Change, Reason, Record, incident_id};
use crate::domain::time::Wall;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A log in memory. A position's offset counts records.
#[derive(Debug, Default)]
pub struct MemoryLog(Mutex<Records>);

#[derive(Debug, Default)]
struct Records {
    /// How many are gone from the front.
    trimmed: u64,
    kept: VecDeque<OwnedRecord>,
}

/// Tables in memory.
#[derive(Debug, Default)]
pub struct MemoryTables(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    monitors: BTreeMap<u64, Monitor>,
    /// The number of each id.
    ids: BTreeMap<String, u64>,
    /// Removed monitors, and how many snapshots were finished by then.
    removed: BTreeMap<u64, u64>,
    /// By number and version.
    changes: BTreeMap<(u64, u64), StateChange>,
    /// By number and beats.
    incidents: BTreeMap<(u64, u64), Row>,
    /// The numbers under which monitors of a name have had any.
    incident_numbers: BTreeMap<String, BTreeSet<u64>>,
    /// By place.
    outbox: BTreeMap<u64, Posted>,
    /// The place of each message by its name.
    posted: BTreeMap<String, u64>,
    /// What was told of monitors, by number.
    standings: BTreeMap<u64, String>,
    last_number: u64,
    epoch: u64,
    rounds: u64,
    snapshot: Option<Position>,
    transited: Option<Position>,
}

#[derive(Debug)]
struct Monitor {
    record: OwnedRecord,
    /// The version whose statement its details are.
    detailed: Option<u64>,
    created: Option<Wall>,
}

#[derive(Debug)]
struct Row {
    monitor: String,
    reason: Reason,
    started: Wall,
    ended: Option<Wall>,
    acknowledged: bool,
    version: u64,
}

impl MemoryLog {
    /// An empty one.
    pub fn new() -> MemoryLog {
        MemoryLog::default()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn end(&self) -> Position {
        Position { segment: 1, offset: self.trimmed + self.kept.len() as u64 }
    }
}

impl Log for MemoryLog {
    fn append(&self, _: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        let mut records = self.records();
        batch.for_each(|record| records.kept.extend(OwnedRecord::new(record)));
        batch.clear();
        Ok(records.end())
    }

    fn sync(&self, _: Position) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(
        &self,
        from: Option<Position>,
        wanted: Wanted,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        let records = self.records();
        let from = from.unwrap_or_default().offset;
        for (offset, record) in (records.trimmed + 1..).zip(&records.kept) {
            let record = record.borrow();
            if offset > from && (wanted == Wanted::All || record.change != Change::None) {
                visit(Position { segment: 1, offset }, &record);
            }
        }
        Ok(records.end())
    }

    fn trim(&self, before: Position) -> Result<(), StoreError> {
        let mut records = self.records();
        while records.trimmed < before.offset && records.kept.pop_front().is_some() {
            records.trimmed += 1;
        }
        Ok(())
    }

    fn life(&self) -> Life {
        Life::default()
    }

    fn tend(&self, _: Wall) -> Result<(), StoreError> {
        Ok(())
    }

    fn condition(&self, _: Wall) -> Condition {
        Condition::default()
    }
}

impl MemoryTables {
    /// Empty ones.
    pub fn new() -> MemoryTables {
        MemoryTables::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, record: &Record<'_>) {
        let number = record.number;
        self.last_number = self.last_number.max(number);
        if record.change == Change::Removed {
            return self.remove(record);
        }
        let Some(mut owned) = OwnedRecord::new(record) else { return };
        let detailed = record.details.as_ref().map(|_| record.version);
        match self.monitors.get_mut(&number) {
            Some(monitor) if monitor.record.borrow().version < record.version => {
                let beats = |record: &Record<'_>| record.incident.map(|incident| incident.beats);
                let same_incident = beats(&monitor.record.borrow()) == beats(record);
                let earlier = monitor.record.take_details();
                monitor.record = owned.settled(earlier);
                monitor.detailed = detailed.or(monitor.detailed);
                // A snapshot may know of an incident whose record was lost with the process that made it.
                if !same_incident {
                    self.stand(record);
                }
            }
            // Only its details may be older than the record's.
            Some(monitor) if detailed > monitor.detailed => {
                let later = owned.take_details();
                monitor.record.take_details();
                monitor.record = monitor.record.clone().settled(later);
                monitor.detailed = detailed;
            }
            Some(_) => {}
            None => {
                let other = self.ids.get(record.id.as_str()).copied();
                if self.removed.contains_key(&number) || other.is_some_and(|other| other > number) {
                    return;
                }
                if let Some(other) = other {
                    self.bury(other);
                    self.close(other, u64::MAX, None, record.at);
                }
                self.ids.insert(record.id.as_str().to_string(), number);
                owned = owned.settled(None);
                self.monitors.insert(number, Monitor { record: owned, detailed, created: None });
                if record.incident.is_some() {
                    self.stand(record);
                }
            }
        }
        if record.change == Change::Created {
            if let Some(monitor) = self.monitors.get_mut(&number) {
                monitor.created = monitor.created.or(Some(record.at));
            }
        }
    }

    fn remove(&mut self, record: &Record<'_>) {
        self.bury(record.number);
        self.close(record.number, record.version, None, record.at);
    }

    fn bury(&mut self, number: u64) {
        if let Some(monitor) = self.monitors.remove(&number) {
            self.ids.remove(monitor.record.id().as_str());
        }
        self.removed.entry(number).or_insert(self.rounds);
    }

    /// Ends every open incident of a monitor but `kept`, if none later than `version` has begun it.
    fn close(&mut self, number: u64, version: u64, kept: Option<u64>, at: Wall) {
        for ((_, beats), row) in self.incidents.range_mut((number, 0)..=(number, u64::MAX)) {
            if row.ended.is_none() && row.version < version && Some(*beats) != kept {
                row.ended = Some(at.max(row.started));
                row.version = version;
            }
        }
    }

    fn transit(&mut self, record: &Record<'_>) {
        self.put(record);
        let (from, muted) = match record.change {
            Change::None | Change::Failed | Change::Removed => return,
            Change::Created => (None, false),
            Change::State { from, muted } => (Some(from), muted),
        };
        let stamp = (record.number, record.version);
        if !muted {
            self.changes.entry(stamp).or_insert(StateChange { at: record.at, from, to: record.state });
        }
        self.stand(record);
    }

    /// Opens the incident that a record names, and ends every other one of its monitor. Done twice it is done once.
    fn stand(&mut self, record: &Record<'_>) {
        let (number, version) = (record.number, record.version);
        self.close(number, version, record.incident.map(|incident| incident.beats), ended(record));
        let muted = matches!(record.change, Change::State { muted: true, .. });
        let Some(incident) = record.incident.filter(|_| !muted) else { return };
        let numbers = self.incident_numbers.entry(record.id.as_str().to_string()).or_default();
        numbers.insert(number);
        let row = self.incidents.entry((number, incident.beats)).or_insert_with(|| Row {
            monitor: record.id.as_str().to_string(),
            reason: incident.reason,
            started: incident.started,
            ended: None,
            acknowledged: false,
            version,
        });
        if row.ended.is_some() && row.version < version {
            row.ended = None;
            row.version = version;
        }
        // The change that ended it may have been here first: two threads write what they did in any order.
        let mut later = self.changes.range((number, version + 1)..=(number, u64::MAX));
        let end = later.find(|(_, change)| matches!(change.to, State::Up | State::Late));
        if let (None, Some(((_, ended), change)), true) = (row.ended, end, row.version <= version) {
            row.ended = Some(change.at.max(row.started));
            row.version = *ended;
        }
        // Or its monitor is gone already.
        if row.ended.is_none() && self.removed.contains_key(&number) {
            row.ended = Some(record.at.max(row.started));
        }
    }

    /// Messages that wait in a lane.
    fn waiting(&self, lane: &Lane) -> impl Iterator<Item = &Posted> {
        let waits = move |posted: &&Posted| {
            let Outgoing { notifier, recipient, .. } = &posted.outgoing;
            let is_in_lane = *notifier == lane.notifier && *recipient == lane.recipient;
            posted.delivery == Delivery::Pending && is_in_lane
        };
        self.outbox.values().filter(waits)
    }

    fn post(&mut self, outbox: &[Outgoing]) {
        for outgoing in outbox.iter() {
            if self.posted.contains_key(&outgoing.key) {
                continue;
            }
            let place = self.outbox.last_key_value().map_or(1, |(place, _)| place + 1);
            let posted =
                Posted { place, outgoing: outgoing.clone(), delivery: Delivery::Pending, reason: None };
            self.outbox.insert(place, posted);
            self.posted.insert(outgoing.key.clone(), place);
        }
    }

    fn settle(&mut self, key: &str, now: Wall, settled: &Settled, instead: &[Outgoing]) {
        let Some(place) = self.posted.get(key) else { return };
        let Some(posted) = self.outbox.get_mut(place) else { return };
        if posted.delivery != Delivery::Pending {
            return;
        }
        posted.outgoing.tries += u32::from(!matches!(settled, Settled::GivenUp { .. }));
        (posted.delivery, posted.outgoing.due, posted.reason) = match settled {
            Settled::Sent => (Delivery::Sent, now, None),
            Settled::Split { reason } => (Delivery::Sent, now, Some(reason.clone())),
            Settled::Retry { due, reason } => (Delivery::Pending, *due, Some(reason.clone())),
            Settled::Failed { reason } | Settled::GivenUp { reason } => {
                (Delivery::Failed, now, Some(reason.clone()))
            }
        };
        self.post(instead);
    }

    fn past(&self, id: &str, state: State, now: Wall) -> Past {
        let Some((number, monitor)) =
            self.ids.get(id).and_then(|number| Some((*number, self.monitors.get(number)?)))
        else {
            return Past::default();
        };
        let from = before(now, DAY);
        let mut changes = Vec::new();
        for change in self.changes.range((number, 0)..=(number, u64::MAX)).rev().take(PAST_CHANGES_MAX) {
            changes.push(*change.1);
            if change.1.at < from {
                break;
            }
        }
        changes.reverse();
        let record = monitor.record.borrow();
        if changes.is_empty() && record.since < from {
            changes.push(StateChange { at: record.since, from: None, to: record.state });
        }
        let mut tally = Tally::new(monitor.created, now);
        for row in self.incidents.range((number, 0)..=(number, u64::MAX)).rev() {
            if !tally.add(row.1.started, row.1.ended) {
                break;
            }
        }
        let uptime = if state == State::New { Uptime::default() } else { tally.uptime() };
        Past { created: monitor.created, changes, uptime }
    }
}

/// When an incident ended that a record no longer names: since then the monitor is up, or else by then.
fn ended(record: &Record<'_>) -> Wall {
    if record.state == State::Up { record.since } else { record.at }
}

impl Tables for MemoryTables {
    fn new_owner(&self) -> Result<Owner, StoreError> {
        let mut inner = self.inner();
        inner.epoch += 1;
        Ok(Owner { epoch: inner.epoch })
    }

    fn last_number(&self) -> Result<u64, StoreError> {
        Ok(self.inner().last_number)
    }

    fn put_snapshot(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        records.iter().for_each(|record| inner.put(record));
        Ok(())
    }

    fn finish_snapshot(&self, upto: Position) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let round = inner.rounds;
        inner.removed.retain(|_, removed| *removed >= round);
        inner.rounds += 1;
        inner.snapshot = inner.snapshot.max(Some(upto));
        Ok(())
    }

    fn snapshot(&self, visit: &mut dyn FnMut(&Record<'_>)) -> Result<Option<Position>, StoreError> {
        let inner = self.inner();
        for record in inner.removed.keys().filter_map(|number| owned::removed(*number)) {
            visit(&record);
        }
        for monitor in inner.monitors.values() {
            let mut record = monitor.record.borrow();
            let version = record.version;
            if let Some(detailed) = monitor.detailed {
                record.details.get_or_insert_default();
                if detailed < version {
                    record.version = detailed;
                    visit(&record);
                    (record.version, record.details) = (version, None);
                }
            }
            visit(&record);
        }
        Ok(inner.snapshot)
    }

    fn transit(
        &self,
        owner: Owner,
        changes: &[Record<'_>],
        told: &Told<'_>,
        upto: Position,
    ) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if owner.epoch < inner.epoch {
            return Err(StoreError::Stale);
        }
        inner.epoch = owner.epoch;
        changes.iter().for_each(|record| inner.transit(record));
        inner.post(told.outbox);
        for standing in told.standings {
            match &standing.state {
                Some(state) => inner.standings.insert(standing.number, state.clone()),
                None => inner.standings.remove(&standing.number),
            };
        }
        inner.transited = inner.transited.max(Some(upto).filter(|upto| *upto > Position::default()));
        Ok(())
    }

    fn noted(&self) -> Result<Option<Position>, StoreError> {
        let inner = self.inner();
        Ok(inner.snapshot.max(inner.transited))
    }

    fn transited(&self) -> Result<Option<Position>, StoreError> {
        Ok(self.inner().transited)
    }

    fn standings(&self) -> Result<Vec<(u64, String)>, StoreError> {
        Ok(self.inner().standings.iter().map(|(number, state)| (*number, state.clone())).collect())
    }

    fn outbox_put(&self, outgoing: &Outgoing) -> Result<(), StoreError> {
        self.inner().post(std::slice::from_ref(outgoing));
        Ok(())
    }

    fn outbox_next(&self, lane: &Lane, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        Ok(self.inner().waiting(lane).take(most).map(|posted| posted.outgoing.clone()).collect())
    }

    fn outbox_settle(
        &self,
        key: &str,
        now: Wall,
        settled: &Settled,
        instead: &[Outgoing],
    ) -> Result<(), StoreError> {
        self.inner().settle(key, now, settled, instead);
        Ok(())
    }

    fn outbox_let_go(&self, all: &[LetGo], now: Wall, reason: &str) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let settled = Settled::GivenUp { reason: reason.to_string() };
        all.iter().for_each(|one| inner.settle(&one.key, now, &settled, one.instead.as_slice()));
        Ok(())
    }

    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<Posted>, StoreError> {
        let inner = self.inner();
        let wanted = |posted: &&Posted| {
            query.delivery.is_none_or(|delivery| delivery == posted.delivery)
                && query.before.is_none_or(|before| posted.place < before)
        };
        Ok(inner.outbox.values().rev().filter(wanted).take(query.limit).cloned().collect())
    }

    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError> {
        let inner = self.inner();
        Ok(keys.iter().map(|key| inner.posted.get(*key).copied()).collect())
    }

    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError> {
        let mut counts = BTreeMap::new();
        for posted in self.inner().outbox.values().filter(|posted| posted.delivery == Delivery::Pending) {
            *counts.entry(posted.outgoing.lane()).or_insert(0) += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        let inner = self.inner();
        let wanted = |row: &&Row| {
            query.since.is_none_or(|since| row.ended.is_none_or(|ended| ended.max(row.started) >= since))
                && (!query.open || row.ended.is_none())
        };
        let rows: Vec<(&(u64, u64), &Row)> = match &query.monitor {
            None => inner.incidents.iter().collect(),
            Some(monitor) => {
                let numbers = inner.incident_numbers.get(monitor).into_iter().flatten();
                numbers.flat_map(|n| inner.incidents.range((*n, 0)..=(*n, u64::MAX))).collect()
            }
        };
        let after = query.after.as_ref().map(|(started, id)| (*started, incident_key(id).unwrap_or((0, 0))));
        let found: BTreeMap<(Wall, (u64, u64)), &Row> = rows
            .into_iter()
            .filter(|(_, row)| wanted(row))
            .map(|(key, row)| ((row.started, *key), row))
            .filter(|(place, _)| after.is_none_or(|after| *place < after))
            .collect();
        Ok(found
            .into_iter()
            .rev()
            .take(query.limit)
            .map(|((started, (number, beats)), row)| Incident {
                id: incident_id(number, beats),
                monitor: row.monitor.clone(),
                reason: row.reason,
                started,
                ended: row.ended,
                acknowledged: row.acknowledged,
            })
            .collect())
    }

    fn acknowledge_incident(&self, id: &str) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let row = incident_key(id).and_then(|key| inner.incidents.get_mut(&key));
        Ok(row.map(|row| row.acknowledged = true).is_some())
    }

    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError> {
        let inner = self.inner();
        Ok(monitors.iter().map(|(id, state)| inner.past(id, *state, now)).collect())
    }

    fn forget(&self, before: Wall) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let changes: BTreeSet<_> = inner
            .changes
            .iter()
            .filter(|(_, change)| change.at < before)
            .map(|(key, change)| (change.at, *key))
            .collect();
        let incidents: BTreeSet<_> = inner
            .incidents
            .iter()
            .filter_map(|(key, row)| Some((row.ended.filter(|ended| *ended < before)?, *key)))
            .collect();
        let outbox: BTreeSet<_> = inner
            .outbox
            .values()
            .filter(|posted| posted.delivery != Delivery::Pending && posted.outgoing.due < before)
            .map(|posted| (posted.outgoing.due, posted.place))
            .collect();
        let more =
            [changes.len(), incidents.len(), outbox.len()].iter().any(|count| *count >= FORGET_ROWS_MAX);
        for (_, key) in changes.iter().take(FORGET_ROWS_MAX) {
            inner.changes.remove(key);
        }
        for (_, key) in incidents.iter().take(FORGET_ROWS_MAX) {
            inner.incidents.remove(key);
        }
        for (_, place) in outbox.iter().take(FORGET_ROWS_MAX) {
            inner.outbox.remove(place);
            inner.posted.retain(|_, posted| posted != place);
        }
        Ok(more)
    }
}
