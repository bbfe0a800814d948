//! Incidents as the latest record of their monitor says: open while it names them, ended when a later one does not.

use super::int;
use crate::domain::beat::Exit;
use crate::domain::notice::State;
use crate::domain::record::{Change, Reason, Record};
use crate::domain::time::Wall;
use rusqlite::Connection;

/// Opens the incident that a record names, and ends every other one of its monitor. Done twice it is done once.
pub(super) fn put_incident(connection: &Connection, record: &Record<'_>) -> Result<(), rusqlite::Error> {
    let (number, version) = (int(record.number), int(record.version));
    let beats = record.incident.map(|incident| int(incident.beats));
    close_incidents(connection, number, version, beats, ended(record))?;
    let Some(incident) = record.incident.filter(|_| !is_muted(record)) else { return Ok(()) };
    // One that is on record is opened again only by a later record than the one that ended it.
    let mut open = connection.prepare_cached(
        "INSERT INTO incidents (number, beats, monitor, cause, started_ms, version, exit_code, signal, run_started_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (number, beats) DO UPDATE SET ended_ms = NULL, version = excluded.version
         WHERE ended_ms IS NOT NULL AND version < excluded.version",
    )?;
    let Reason { cause, exit, run_started } = incident.reason;
    open.execute((
        number,
        beats,
        record.id.as_str(),
        cause.name(),
        incident.started.0,
        version,
        exit.and_then(Exit::code),
        exit.and_then(Exit::signal),
        run_started.map(|wall| wall.0),
    ))?;
    // The change that ended it may have been here first: two threads write what they did in any order.
    let mut end = connection.prepare_cached(
        "UPDATE incidents SET ended_ms = max(started_ms, later.at_ms), version = later.version
         FROM (SELECT at_ms, version FROM changes WHERE number = ?1 AND version > ?3 AND to_state IN ('up', 'late')
               ORDER BY version LIMIT 1) AS later
         WHERE number = ?1 AND beats = ?2 AND ended_ms IS NULL AND incidents.version <= ?3",
    )?;
    end.execute((number, beats, version))?;
    // Or its monitor is gone already.
    let mut end = connection.prepare_cached(
        "UPDATE incidents SET ended_ms = max(started_ms, ?3)
         WHERE number = ?1 AND beats = ?2 AND ended_ms IS NULL
             AND EXISTS (SELECT 1 FROM removed WHERE number = ?1)",
    )?;
    end.execute((number, beats, record.at.0)).map(drop)
}

/// When an incident ended that a record no longer names: since then the monitor is up, or else by then.
fn ended(record: &Record<'_>) -> Wall {
    if record.state == State::Up { record.since } else { record.at }
}

/// Ends every open incident of a monitor but `kept`, if none later than `version` has begun it.
pub(super) fn close_incidents(
    connection: &Connection,
    number: i64,
    version: i64,
    kept: Option<i64>,
    at: Wall,
) -> Result<(), rusqlite::Error> {
    let mut close = connection.prepare_cached(
        "UPDATE incidents SET ended_ms = max(?4, started_ms), version = ?2
         WHERE number = ?1 AND ended_ms IS NULL AND version < ?2 AND beats IS NOT ?3",
    )?;
    close.execute((number, version, kept, at.0)).map(drop)
}

/// Whether a record's change is only counted.
pub(super) fn is_muted(record: &Record<'_>) -> bool {
    matches!(record.change, Change::State { muted: true, .. })
}
