//! What can be asked of the file.

use super::{Repair, SqliteTables, history, load, monitors, outbox, position};
use crate::domain::history::{Incident, Past};
use crate::domain::instance::Instance;
use crate::domain::notice::State;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use crate::store::{
    IncidentQuery, Lane, Marks, OutboxMessage, OutboxQuery, Outgoing, Position, Query, SnapshotRow,
    StoreError,
};
use std::sync::atomic::Ordering;

impl Query for SqliteTables {
    fn instance(&self) -> Instance {
        self.instance.clone()
    }

    fn take_damage(&self) -> Vec<Sentence> {
        let said = |repair: &Repair| Sentence::of(|to| repair.text(to));
        self.take_repairs().iter().map(said).collect()
    }

    fn last_number(&self) -> Result<u64, StoreError> {
        self.read("last_number", monitors::last_number)
    }

    fn marks(&self) -> Result<Marks, StoreError> {
        self.read("marks", |connection| {
            let (changes, snapshot) = (position(connection, "transited")?, position(connection, "snapshot")?);
            Ok(Marks { changes, snapshot })
        })
    }

    fn snapshot(&self, visit: &mut dyn FnMut(SnapshotRow<'_>)) -> Result<Option<Position>, StoreError> {
        self.read("snapshot", |connection| {
            let mut passed_over =
                |number, reason| self.tell(Repair::Row { path: self.path.clone(), number, reason });
            load::visit(connection, visit, &mut passed_over)?;
            // Whoever has just been told what is there knows what is missing.
            self.incomplete.store(false, Ordering::SeqCst);
            position(connection, "snapshot")
        })
    }

    fn alert_states(&self) -> Result<Vec<(u64, String)>, StoreError> {
        self.read("alert_states", outbox::alert_states)
    }

    fn outbox_next(&self, lane: &Lane, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        self.read("outbox_next", |connection| outbox::next(connection, lane, most))
    }

    fn outbox_list(&self, query: &OutboxQuery) -> Result<Vec<OutboxMessage>, StoreError> {
        self.read("outbox_list", |connection| outbox::list(connection, query))
    }

    fn outbox_places(&self, keys: &[&str]) -> Result<Vec<Option<u64>>, StoreError> {
        self.read("outbox_places", |connection| outbox::places(connection, keys))
    }

    fn outbox_pending(&self) -> Result<Vec<(Lane, u64)>, StoreError> {
        self.read("outbox_pending", outbox::pending)
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.read("incidents", |connection| history::incidents(connection, query))
    }

    fn past(&self, monitors: &[(&str, State)], now: Wall) -> Result<Vec<Past>, StoreError> {
        self.read("past", |connection| {
            monitors.iter().map(|(id, state)| history::past(connection, id, *state, now)).collect()
        })
    }
}
