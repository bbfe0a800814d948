//! What is to be told, and what was: a row stays, marked, after it was told, so that putting it again does nothing.

use super::int;
use crate::domain::time::Wall;
use crate::store::Outgoing;
use rusqlite::Connection;

pub(super) fn put(connection: &Connection, outbox: &[Outgoing]) -> Result<(), rusqlite::Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO outbox (key, due_ms, tries, payload) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for outgoing in outbox {
        insert.execute((&outgoing.key, outgoing.due.0, outgoing.tries, &outgoing.payload))?;
    }
    Ok(())
}

pub(super) fn next(
    connection: &Connection,
    now: Wall,
    most: usize,
) -> Result<Vec<Outgoing>, rusqlite::Error> {
    let mut select = connection.prepare_cached(
        "SELECT key, due_ms, tries, payload FROM outbox WHERE done = 0 AND due_ms <= ?1
         ORDER BY due_ms, key LIMIT ?2",
    )?;
    let found = select.query_map((now.0, int(most as u64)), |row| {
        Ok(Outgoing { key: row.get(0)?, due: Wall(row.get(1)?), tries: row.get(2)?, payload: row.get(3)? })
    })?;
    found.collect()
}

pub(super) fn acknowledge(
    connection: &Connection,
    key: &str,
    retry: Option<Wall>,
) -> Result<(), rusqlite::Error> {
    let mut update = connection.prepare_cached(
        "UPDATE outbox SET tries = tries + 1, done = ?2 IS NULL, due_ms = ifnull(?2, due_ms)
         WHERE key = ?1 AND done = 0",
    )?;
    update.execute((key, retry.map(|retry| retry.0))).map(drop)
}
