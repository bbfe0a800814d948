//! What can be asked of the tables in memory.

use super::{IncidentRow, MemoryTables, Tables};
use crate::domain::history::{Incident, Past, StateChange, Uptime};
use crate::domain::notice::State;
use crate::domain::record::{Record, incident_id};
use crate::domain::time::Wall;
use crate::store::query::{PAST_CHANGES_MAX, incident_key};
use crate::store::uptime::{DAY, DowntimeSum, before};
use crate::store::{
    DeliveryStatus, IncidentQuery, Lane, Marks, OutboxMessage, OutboxQuery, Outgoing, Position, Query,
    SnapshotRow, StoreError,
};
use std::collections::BTreeMap;

impl Tables {
    /// Messages that wait in a lane.
    fn waiting(&self, lane: &Lane) -> impl Iterator<Item = &OutboxMessage> {
        let waits = move |posted: &&OutboxMessage| {
            let Outgoing { notifier, recipient, .. } = &posted.outgoing;
            let is_in_lane = *notifier == lane.notifier && *recipient == lane.recipient;
            posted.delivery == DeliveryStatus::Pending && is_in_lane
        };
        self.outbox.values().filter(waits)
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
        if let Some(record) =
            monitor.record.borrow().filter(|record| changes.is_empty() && record.since < from)
        {
            changes.push(StateChange { at: record.since, from: None, to: record.state });
        }
        let mut tally = DowntimeSum::new(monitor.created, now);
        for row in self.incidents.range((number, 0)..=(number, u64::MAX)).rev() {
            if !tally.add(row.1.started, row.1.ended) {
                break;
            }
        }
        let uptime = if state == State::New { Uptime::default() } else { tally.uptime() };
        Past { created: monitor.created, changes, uptime }
    }
}

impl Query for MemoryTables {
    fn last_number(&self) -> Result<u64, StoreError> {
        Ok(self.inner().last_number)
    }

    fn marks(&self) -> Result<Marks, StoreError> {
        Ok(self.inner().marks)
    }

    fn snapshot(&self, visit: &mut dyn FnMut(SnapshotRow<'_>)) -> Result<Option<Position>, StoreError> {
        let inner = self.inner();
        inner.removed.keys().for_each(|number| visit(SnapshotRow::Removed(*number)));
        for monitor in inner.monitors.values() {
            let Some(record) = monitor.record.borrow() else { continue };
            let detailed = monitor.detailed.as_ref().and_then(|(_, detailed)| detailed.borrow());
            let details = detailed.map(|detailed| (detailed.version, detailed.details));
            match details {
                Some((version, details)) if version < record.version => {
                    visit(SnapshotRow::Monitor(&Record { version, details, ..record.clone() }));
                    visit(SnapshotRow::Monitor(&record));
                }
                Some((_, details)) => visit(SnapshotRow::Monitor(&Record { details, ..record })),
                None => visit(SnapshotRow::Monitor(&record)),
            }
        }
        Ok(inner.marks.snapshot)
    }

    fn alert_states(&self) -> Result<Vec<(u64, String)>, StoreError> {
        Ok(self.inner().alert_states.iter().map(|(number, state)| (*number, state.clone())).collect())
    }

    fn outbox_next(&self, lane: &Lane, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        Ok(self.inner().waiting(lane).take(most).map(|posted| posted.outgoing.clone()).collect())
    }

    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<OutboxMessage>, StoreError> {
        let inner = self.inner();
        let wanted = |posted: &&OutboxMessage| {
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
        for posted in self.inner().outbox.values().filter(|posted| posted.delivery == DeliveryStatus::Pending)
        {
            *counts.entry(posted.outgoing.lane()).or_insert(0) += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        let inner = self.inner();
        let wanted = |row: &&IncidentRow| {
            query.since.is_none_or(|since| row.ended.is_none_or(|ended| ended.max(row.started) >= since))
                && (!query.open || row.ended.is_none())
        };
        let rows: Vec<(&(u64, u64), &IncidentRow)> = match &query.monitor {
            None => inner.incidents.iter().collect(),
            Some(monitor) => {
                let numbers = inner.incident_numbers.get(monitor).into_iter().flatten();
                numbers.flat_map(|n| inner.incidents.range((*n, 0)..=(*n, u64::MAX))).collect()
            }
        };
        let after = query.after.as_ref().map(|(started, id)| (*started, incident_key(id).unwrap_or((0, 0))));
        let found: BTreeMap<(Wall, (u64, u64)), &IncidentRow> = rows
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

    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError> {
        let inner = self.inner();
        Ok(monitors.iter().map(|(id, state)| inner.past(id, *state, now)).collect())
    }
}
