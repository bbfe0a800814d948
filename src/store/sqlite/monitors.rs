//! Putting records into the table `monitors`.
//!
//! Nearly every record put is of a monitor that is there already, and an UPDATE by number touches one row and no index.
//! What else there is (a new monitor, another of the same id, one that was removed) is looked into only when the UPDATE
//! found nothing to do.

use super::incidents::{close_incidents, put_incident};
use super::{int, meta, rows, set_meta};
use crate::domain::record::{Change, Record};
use crate::domain::time::Wall;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use std::sync::LazyLock;

/// For nearly every record; one that begins or ends an incident needs more.
static UPDATE: LazyLock<String> = LazyLock::new(|| format!("{} AND incident_beats IS ?20", *UPDATE_ANY));

static UPDATE_ANY: LazyLock<String> = LazyLock::new(|| {
    // Its number and its id never change; details stay where a record has none, and so does their version.
    let set = |(column, name): (usize, &&str)| match *name {
        "number" | "id" => None,
        "details" => Some(format!("details = iif(?24 IS NULL, details, ?{column})")),
        "details_version" => Some(format!("details_version = ifnull(?{column}, details_version)")),
        name => Some(format!("{name} = ?{column}")),
    };
    let sets: Vec<String> = (1..).zip(&rows::COLUMNS).filter_map(set).collect();
    format!("UPDATE monitors SET {} WHERE number = ?1 AND version < ?3", sets.join(", "))
});

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (1..=rows::COLUMNS.len()).map(|place| format!("?{place}")).collect();
    format!(
        "INSERT INTO monitors ({}, created_ms) VALUES ({}, ?{})",
        rows::COLUMNS.join(", "),
        places.join(", "),
        rows::COLUMNS.len() + 1
    )
});

/// The statements for putting many records.
pub(super) struct Putter<'c> {
    connection: &'c Connection,
    update: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    text: String,
}

impl<'c> Putter<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Putter<'c>, rusqlite::Error> {
        let update = connection.prepare_cached(&UPDATE)?;
        let insert = connection.prepare_cached(&INSERT)?;
        Ok(Putter { connection, update, insert, text: String::new() })
    }

    /// Puts one record, if it is later than what is there.
    pub(super) fn put(&mut self, record: &Record<'_>) -> Result<(), rusqlite::Error> {
        if record.change == Change::Removed {
            return self.remove(record);
        }
        rows::bind(&mut self.update, record, &mut self.text)?;
        let there = self.update.raw_execute()? == 1 || self.put_uncommon(record)? || self.insert(record)?;
        if there && record.change == Change::Created {
            // The snapshot may have been here first, and does not know when the monitor was made.
            let mut created = self.connection.prepare_cached(
                "UPDATE monitors SET created_ms = ?2 WHERE number = ?1 AND created_ms IS NULL",
            )?;
            created.execute((int(record.number), record.at.0))?;
        }
        Ok(())
    }

    /// Puts a record of a monitor whose row is later or names another incident; false if it has no row.
    fn put_uncommon(&mut self, record: &Record<'_>) -> Result<bool, rusqlite::Error> {
        let (number, version) = (int(record.number), int(record.version));
        let mut known = self.connection.prepare_cached("SELECT version FROM monitors WHERE number = ?1")?;
        let Some(known) = known.query_row([number], |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(false);
        };
        if known < version {
            let mut update = self.connection.prepare_cached(&UPDATE_ANY)?;
            rows::bind(&mut update, record, &mut self.text)?;
            update.raw_execute()?;
            // A snapshot may know of an incident whose record was lost with the process that made it.
            put_incident(self.connection, record)?;
        } else if let Some(details) = &record.details {
            // Only its details may be older than the record's.
            let mut update = self.connection.prepare_cached(
                "UPDATE monitors SET details = ?2, details_version = ?3
                 WHERE number = ?1 AND ifnull(details_version, -1) < ?3",
            )?;
            update.execute((number, rows::details_text(details), version))?;
        }
        Ok(true)
    }

    /// Makes the row of a monitor that has none; false if it is not to have one.
    fn insert(&mut self, record: &Record<'_>) -> Result<bool, rusqlite::Error> {
        let mut removed = self.connection.prepare_cached("SELECT 1 FROM removed WHERE number = ?1")?;
        if removed.exists([int(record.number)])? {
            return Ok(false);
        }
        let mut same = self.connection.prepare_cached("SELECT number FROM monitors WHERE id = ?1")?;
        let other: Option<i64> = same.query_row([record.id.as_str()], |row| row.get(0)).optional()?;
        match other {
            Some(other) if other > int(record.number) => return Ok(false),
            Some(other) => self.replace(other, record.at)?,
            None => {}
        }
        rows::bind(&mut self.insert, record, &mut self.text)?;
        self.insert.raw_bind_parameter(
            rows::COLUMNS.len() + 1,
            (record.change == Change::Created).then_some(record.at.0),
        )?;
        self.insert.raw_execute()?;
        if record.incident.is_some() {
            put_incident(self.connection, record)?;
        }
        Ok(true)
    }

    /// Takes away the row of an older monitor of the same id.
    fn replace(&self, number: i64, at: Wall) -> Result<(), rusqlite::Error> {
        self.mark_removed(number)?;
        close_incidents(self.connection, number, i64::MAX, None, at)
    }

    /// Takes away the row of a monitor that was removed. Nothing is said of it after that, so this is the latest.
    fn remove(&self, record: &Record<'_>) -> Result<(), rusqlite::Error> {
        self.mark_removed(int(record.number))?;
        close_incidents(self.connection, int(record.number), int(record.version), None, record.at)
    }

    /// Deletes a row and remembers that the monitor is gone.
    fn mark_removed(&self, number: i64) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached("DELETE FROM monitors WHERE number = ?1")?.execute([number])?;
        let round = rounds(self.connection)?;
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO removed (number, round) VALUES (?1, ?2)")?;
        statement.execute((number, round)).map(drop)
    }
}

/// Notes the greatest number, which has to be known though its monitor be long forgotten.
pub(super) fn note_number(connection: &Connection, greatest: u64) -> Result<(), rusqlite::Error> {
    let noted: i64 = meta(connection, "last_number")?.unwrap_or(0);
    if int(greatest) > noted { set_meta(connection, "last_number", &int(greatest)) } else { Ok(()) }
}

/// The greatest number; looked for in the tables too, since a damaged file may have lost the note.
pub(super) fn last_number(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let mut greatest: i64 = meta(connection, "last_number")?.unwrap_or(0);
    for table in ["monitors", "removed", "changes", "incidents"] {
        let found: Option<i64> =
            connection.query_row(&format!("SELECT max(number) FROM {table}"), [], |row| row.get(0))?;
        greatest = greatest.max(found.unwrap_or(0));
    }
    Ok(super::number(greatest))
}

/// Notes that a snapshot is complete, and forgets which monitors were removed before the one before it.
pub(super) fn finish_snapshot(connection: &Connection) -> Result<(), rusqlite::Error> {
    let round = rounds(connection)?;
    connection.prepare_cached("DELETE FROM removed WHERE round < ?1")?.execute([round])?;
    set_meta(connection, "rounds", &round.saturating_add(1))
}

fn rounds(connection: &Connection) -> Result<i64, rusqlite::Error> {
    Ok(meta(connection, "rounds")?.unwrap_or(0))
}
