//! Journal and tables in memory: what is meant, said as plainly as possible. Simulations run on them, and the tables in
//! SQLite are tested against them. Nothing outlives the process.

mod query;

use super::query::{FORGET_ROWS_MAX, incident_key};
use super::{
    Applied, Batch, Condition, DeliveryStatus, Entry, Journal, Mark, Marks, OutboxMessage, Outgoing,
    OwnedRecord, Position, RecordFilter, Settled, Store, StoreError,
};
use crate::domain::history::StateChange;
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::{Change, OpenIncident, Reason, Record};
use crate::domain::time::Wall;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A journal in memory. A position's offset counts records.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Records>);

#[derive(Debug, Default)]
struct Records {
    /// How many are gone from the front.
    trimmed: u64,
    kept: VecDeque<OwnedRecord>,
}

/// Tables in memory.
#[derive(Debug, Default)]
pub struct MemoryTables(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    monitors: BTreeMap<u64, StoredMonitor>,
    /// The number of each id.
    ids: BTreeMap<String, u64>,
    /// Removed monitors, and how many snapshots were finished by then.
    removed: BTreeMap<u64, u64>,
    /// By number and version.
    changes: BTreeMap<(u64, u64), StateChange>,
    /// By number and beats.
    incidents: BTreeMap<(u64, u64), IncidentRow>,
    /// The numbers under which monitors of a name have had any.
    incident_numbers: BTreeMap<String, BTreeSet<u64>>,
    /// By place.
    outbox: BTreeMap<u64, OutboxMessage>,
    /// The place of each message by its name.
    posted: BTreeMap<String, u64>,
    /// What was told of monitors, by number.
    alert_states: BTreeMap<u64, String>,
    last_number: u64,
    rounds: u64,
    marks: Marks,
}

#[derive(Debug)]
struct StoredMonitor {
    id: String,
    version: u64,
    incident: Option<OpenIncident>,
    /// How it stands, without its details.
    record: OwnedRecord,
    /// The record whose details hold, and its version.
    detailed: Option<(u64, OwnedRecord)>,
    created: Option<Wall>,
}

#[derive(Debug)]
struct IncidentRow {
    monitor: String,
    reason: Reason,
    started: Wall,
    ended: Option<Wall>,
    acknowledged: bool,
    version: u64,
}

impl MemoryJournal {
    /// An empty one.
    pub fn new() -> MemoryJournal {
        MemoryJournal::default()
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

impl Journal for MemoryJournal {
    fn append(&self, _: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        let mut records = self.records();
        batch.for_each(|record| records.kept.push_back(OwnedRecord::new(record)));
        batch.clear();
        Ok(records.end())
    }

    fn sync(&self, _: Position) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(
        &self,
        from: Option<Position>,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        let records = self.records();
        let from = from.unwrap_or_default().offset;
        let kept = records.kept.iter().map(OwnedRecord::borrow);
        for (offset, record) in (records.trimmed + 1..).zip(kept) {
            let wanted = |record: &Record<'_>| wanted == RecordFilter::All || record.change != Change::None;
            if let Some(record) = record.filter(wanted).filter(|_| offset > from) {
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

    fn last_sign(&self) -> Option<Wall> {
        None
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

    fn inner(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredMonitor {
    fn new(record: &Record<'_>) -> StoredMonitor {
        let detailed = record.details.is_some().then(|| (record.version, OwnedRecord::new(record)));
        StoredMonitor {
            id: record.id.as_str().to_string(),
            version: record.version,
            incident: record.incident,
            record: OwnedRecord::new(&Record { change: Change::None, details: None, ..record.clone() }),
            detailed,
            created: None,
        }
    }
}

impl Tables {
    fn put(&mut self, record: &Record<'_>) {
        let number = record.number;
        self.last_number = self.last_number.max(number);
        if record.change == Change::Removed {
            return self.remove(record);
        }
        let stated = StoredMonitor::new(record);
        match self.monitors.get_mut(&number) {
            Some(monitor) => {
                // Only its details may be older than the record's.
                if stated.detailed.as_ref().map(|of| of.0) > monitor.detailed.as_ref().map(|of| of.0) {
                    monitor.detailed.clone_from(&stated.detailed);
                }
                if monitor.version < record.version {
                    let beats = |incident: Option<OpenIncident>| incident.map(|incident| incident.beats);
                    let same_incident = beats(monitor.incident) == beats(record.incident);
                    let (detailed, created) = (monitor.detailed.take(), monitor.created);
                    *monitor = StoredMonitor { detailed, created, ..stated };
                    // A snapshot may know of an incident whose record was lost with the process that made it.
                    if !same_incident {
                        self.put_incident(record);
                    }
                }
            }
            None => {
                let other = self.ids.get(record.id.as_str()).copied();
                if self.removed.contains_key(&number) || other.is_some_and(|other| other > number) {
                    return;
                }
                if let Some(other) = other {
                    self.mark_removed(other);
                    self.close(other, u64::MAX, None, record.at);
                }
                self.ids.insert(record.id.as_str().to_string(), number);
                self.monitors.insert(number, stated);
                if record.incident.is_some() {
                    self.put_incident(record);
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
        self.mark_removed(record.number);
        self.close(record.number, record.version, None, record.at);
    }

    fn mark_removed(&mut self, number: u64) {
        if let Some(monitor) = self.monitors.remove(&number) {
            self.ids.remove(&monitor.id);
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

    fn put_change(&mut self, record: &Record<'_>) {
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
        self.put_incident(record);
    }

    /// Opens the incident that a record names, and ends every other one of its monitor. Done twice it is done once.
    fn put_incident(&mut self, record: &Record<'_>) {
        let (number, version) = (record.number, record.version);
        self.close(number, version, record.incident.map(|incident| incident.beats), ended(record));
        let muted = matches!(record.change, Change::State { muted: true, .. });
        let Some(incident) = record.incident.filter(|_| !muted) else { return };
        let numbers = self.incident_numbers.entry(record.id.as_str().to_string()).or_default();
        numbers.insert(number);
        let row = self.incidents.entry((number, incident.beats)).or_insert_with(|| IncidentRow {
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

    fn put_messages(&mut self, outbox: &[Outgoing]) {
        for outgoing in outbox {
            if self.posted.contains_key(&outgoing.key) {
                continue;
            }
            let place = self.outbox.last_key_value().map_or(1, |(place, _)| place + 1);
            let posted = OutboxMessage {
                place,
                outgoing: outgoing.clone(),
                delivery: DeliveryStatus::Pending,
                reason: None,
            };
            self.outbox.insert(place, posted);
            self.posted.insert(outgoing.key.clone(), place);
        }
    }

    fn note(&mut self, mark: Mark) {
        let changes = match mark {
            Mark::None => return,
            Mark::Changes(upto) => upto,
            Mark::Snapshot(upto) => {
                let round = self.rounds;
                self.removed.retain(|_, removed| *removed >= round);
                self.rounds += 1;
                self.marks.snapshot = self.marks.snapshot.max(Some(upto));
                upto
            }
        };
        self.marks.changes = self.marks.changes.max(Some(changes));
    }

    fn settle(&mut self, key: &str, now: Wall, settled: &Settled, instead: &[Outgoing]) {
        let Some(place) = self.posted.get(key) else { return };
        let Some(posted) = self.outbox.get_mut(place) else { return };
        if posted.delivery != DeliveryStatus::Pending {
            return;
        }
        posted.outgoing.tries += u32::from(!matches!(settled, Settled::GivenUp { .. }));
        (posted.delivery, posted.outgoing.due, posted.reason) = match settled {
            Settled::Sent => (DeliveryStatus::Sent, now, None),
            Settled::Split { reason } => (DeliveryStatus::Sent, now, Some(reason.say(Lang::En).to_string())),
            Settled::Retry { due, reason } => {
                (DeliveryStatus::Pending, *due, Some(reason.say(Lang::En).to_string()))
            }
            Settled::Failed { reason } | Settled::GivenUp { reason } => {
                (DeliveryStatus::Failed, now, Some(reason.say(Lang::En).to_string()))
            }
        };
        self.put_messages(instead);
    }
}

/// When an incident ended that a record no longer names: since then the monitor is up, or else by then.
fn ended(record: &Record<'_>) -> Wall {
    if record.state == State::Up { record.since } else { record.at }
}

impl Store for MemoryTables {
    fn apply(&self, entries: &[Entry<'_>], mark: Mark) -> Result<Applied, StoreError> {
        let mut inner = self.inner();
        let mut applied = Applied::default();
        for entry in entries {
            match *entry {
                Entry::Record(record) => inner.put_change(record),
                Entry::AlertState(alert_state) => {
                    match &alert_state.state {
                        Some(state) => inner.alert_states.insert(alert_state.number, state.clone()),
                        None => inner.alert_states.remove(&alert_state.number),
                    };
                }
                Entry::Message(outgoing) => inner.put_messages(std::slice::from_ref(outgoing)),
                Entry::Settled { key, at, settled, instead } => inner.settle(key, at, settled, instead),
                Entry::Acknowledged { incident } => {
                    let row = incident_key(incident).and_then(|key| inner.incidents.get_mut(&key));
                    applied.acknowledged += usize::from(row.map(|row| row.acknowledged = true).is_some());
                }
            }
        }
        inner.note(mark);
        Ok(applied)
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
            .filter(|posted| posted.delivery != DeliveryStatus::Pending && posted.outgoing.due < before)
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
