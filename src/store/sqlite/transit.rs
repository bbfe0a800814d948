//! Putting changes of state on record: the monitor as it stands, the change, the incident.

use super::incidents::{is_muted, put_incident};
use super::int;
use super::monitors::{Putter, note_numbers};
use crate::domain::record::{Change, Record};
use rusqlite::{CachedStatement, Connection};

/// Puts changes on record; those that are there already do nothing.
pub(super) fn put(connection: &Connection, changes: &[Record<'_>]) -> Result<(), rusqlite::Error> {
    let mut monitors = Putter::new(connection)?;
    let mut change = connection.prepare_cached(
        "INSERT OR IGNORE INTO changes (number, version, at_ms, from_state, to_state) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for record in changes {
        monitors.put(record)?;
        if matches!(record.change, Change::None | Change::Failed | Change::Removed) {
            continue;
        }
        if !is_muted(record) {
            put_change(&mut change, record)?;
        }
        put_incident(connection, record)?;
    }
    note_numbers(connection, changes)
}

fn put_change(change: &mut CachedStatement<'_>, record: &Record<'_>) -> Result<(), rusqlite::Error> {
    let from = match record.change {
        Change::State { from, .. } => Some(from.name()),
        _ => None,
    };
    change
        .execute((int(record.number), int(record.version), record.at.0, from, record.state.name()))
        .map(drop)
}
