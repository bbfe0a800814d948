//! Applying entries to the tables, within one transaction.

use super::incidents::{is_muted, put_incident};
use super::monitors::Putter;
use super::{advance, history, int, monitors, outbox};
use crate::domain::record::{Change, Record};
use crate::store::{Applied, Entry, Mark};
use rusqlite::Connection;

/// Applies entries in their order, then the mark.
pub(super) fn apply(
    connection: &Connection,
    entries: &[Entry<'_>],
    mark: Mark,
) -> Result<Applied, rusqlite::Error> {
    let mut applied = Applied::default();
    let mut monitors = Putter::new(connection)?;
    let mut last_number = 0;
    for entry in entries {
        match *entry {
            Entry::Record(record) => {
                monitors.put(record)?;
                put_change(connection, record)?;
                last_number = record.number.max(last_number);
            }
            Entry::AlertState(alert_state) => outbox::put_alert_state(connection, alert_state)?,
            Entry::Message(outgoing) => outbox::put_message(connection, outgoing)?,
            Entry::Settled { key, at, settled, instead } => {
                outbox::settle(connection, key, at, settled, instead)?;
            }
            Entry::Acknowledged { incident } => {
                applied.acknowledged += history::acknowledge(connection, incident)?;
            }
        }
    }
    monitors::note_number(connection, last_number)?;
    match mark {
        Mark::None => {}
        Mark::Changes(upto) => advance(connection, "transited", upto)?,
        Mark::Snapshot(upto) => {
            monitors::finish_snapshot(connection)?;
            advance(connection, "snapshot", upto)?;
            advance(connection, "transited", upto)?;
        }
    }
    Ok(applied)
}

/// Puts a change on record, and what it does to incidents.
fn put_change(connection: &Connection, record: &Record<'_>) -> Result<(), rusqlite::Error> {
    let from = match record.change {
        Change::None | Change::Failed | Change::Removed => return Ok(()),
        Change::Created => None,
        Change::State { from, .. } => Some(from.name()),
    };
    if !is_muted(record) {
        let mut change = connection.prepare_cached(
            "INSERT OR IGNORE INTO changes (number, version, at_ms, from_state, to_state) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        change.execute((int(record.number), int(record.version), record.at.0, from, record.state.name()))?;
    }
    put_incident(connection, record)
}
