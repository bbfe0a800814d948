//! What is to be told, and what was: a row stays, marked, after it was told, so that putting it again does nothing.

use super::{int, number};
use crate::domain::alert::AlertState;
use crate::domain::lang::Lang;
use crate::domain::time::Wall;
use crate::store::outbox::{DeliveryStatus, Lane, OutboxMessage, OutboxQuery, Outgoing, Settled};
use rusqlite::{Connection, OptionalExtension, Row};

const COLUMNS: &str = "key, notifier, recipient, made_ms, due_ms, tries, message";

pub(super) fn put_alert_state(
    connection: &Connection,
    alert_state: &AlertState,
) -> Result<(), rusqlite::Error> {
    let AlertState { number, state } = alert_state;
    match state {
        Some(state) => connection
            .prepare_cached(
                "INSERT INTO alerts (number, state) VALUES (?1, ?2)
                 ON CONFLICT (number) DO UPDATE SET state = excluded.state",
            )?
            .execute((int(*number), state)),
        None => connection.prepare_cached("DELETE FROM alerts WHERE number = ?1")?.execute([int(*number)]),
    }
    .map(drop)
}

pub(super) fn put_message(connection: &Connection, one: &Outgoing) -> Result<(), rusqlite::Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO outbox (key, notifier, recipient, state, made_ms, due_ms, tries, message)
         VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7)",
    )?;
    let (key, notifier, recipient) = (&one.key, &one.notifier, &one.recipient);
    insert.execute((key, notifier, recipient, one.made.0, one.due.0, one.tries, &one.message)).map(drop)
}

pub(super) fn alert_states(connection: &Connection) -> Result<Vec<(u64, String)>, rusqlite::Error> {
    let mut select = connection.prepare_cached("SELECT number, state FROM alerts ORDER BY number")?;
    let found = select.query_map([], |row| Ok((number(row.get(0)?), row.get(1)?)))?;
    found.collect()
}

pub(super) fn next(
    connection: &Connection,
    lane: &Lane,
    most: usize,
) -> Result<Vec<Outgoing>, rusqlite::Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND notifier = ?1 AND recipient IS ?2
         ORDER BY place LIMIT ?3"
    ))?;
    let found = select.query_map((&lane.notifier, &lane.recipient, int(most as u64)), outgoing)?;
    found.collect()
}

fn outgoing(row: &Row<'_>) -> Result<Outgoing, rusqlite::Error> {
    Ok(Outgoing {
        key: row.get(0)?,
        notifier: row.get(1)?,
        recipient: row.get(2)?,
        made: Wall(row.get(3)?),
        due: Wall(row.get(4)?),
        tries: row.get(5)?,
        message: row.get(6)?,
    })
}

pub(super) fn settle(
    connection: &Connection,
    key: &str,
    now: Wall,
    settled: &Settled,
    instead: &[Outgoing],
) -> Result<(), rusqlite::Error> {
    let (state, due, reason, tries) = match settled {
        Settled::Sent => (DeliveryStatus::Sent, now, None, 1),
        Settled::Split { reason } => (DeliveryStatus::Sent, now, Some(reason), 1),
        Settled::Retry { due, reason } => (DeliveryStatus::Pending, *due, Some(reason), 1),
        Settled::Failed { reason } => (DeliveryStatus::Failed, now, Some(reason), 1),
        Settled::GivenUp { reason } => (DeliveryStatus::Failed, now, Some(reason), 0),
    };
    let reason = reason.map(|reason| reason.say(Lang::En));
    let mut update = connection.prepare_cached(
        "UPDATE outbox SET state = ?2, due_ms = ?3, reason = ?4, tries = tries + ?5
         WHERE key = ?1 AND state = 'pending'",
    )?;
    let was_pending = update.execute((key, state.name(), due.0, reason, tries))? > 0;
    instead.iter().filter(|_| was_pending).try_for_each(|one| put_message(connection, one))
}

pub(super) fn list(
    connection: &Connection,
    query: &OutboxQuery,
) -> Result<Vec<OutboxMessage>, rusqlite::Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, place, state, reason FROM outbox
         WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR place < ?2) ORDER BY place DESC LIMIT ?3"
    ))?;
    let state = query.delivery.map(DeliveryStatus::name);
    let found = select.query_map((state, query.before.map(int), int(query.limit as u64)), |row| {
        let state: String = row.get(8)?;
        Ok(OutboxMessage {
            outgoing: outgoing(row)?,
            place: number(row.get(7)?),
            // A word we do not write was written by a person, who wants it left alone.
            delivery: DeliveryStatus::parse(&state).unwrap_or(DeliveryStatus::Failed),
            reason: row.get(9)?,
        })
    })?;
    found.collect()
}

pub(super) fn places(connection: &Connection, keys: &[&str]) -> Result<Vec<Option<u64>>, rusqlite::Error> {
    let mut select = connection.prepare_cached("SELECT place FROM outbox WHERE key = ?1")?;
    let mut place = |key: &&str| select.query_row([key], |row| row.get(0)).optional();
    keys.iter().map(|key| Ok(place(key)?.map(number))).collect()
}

pub(super) fn pending(connection: &Connection) -> Result<Vec<(Lane, u64)>, rusqlite::Error> {
    let mut select = connection.prepare_cached(
        "SELECT notifier, recipient, count(*) FROM outbox WHERE state = 'pending'
         GROUP BY notifier, recipient ORDER BY notifier, recipient",
    )?;
    let found = select.query_map([], |row| {
        Ok((Lane { notifier: row.get(0)?, recipient: row.get(1)? }, number(row.get(2)?)))
    })?;
    found.collect()
}
