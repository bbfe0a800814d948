//! Incidents and changes: listing them, what the page shows of the past, forgetting.

use super::rows::{cause, state_of};
use super::{int, number};
use crate::domain::beat::Exit;
use crate::domain::history::{Incident, Past, StateChange, Uptime};
use crate::domain::notice::State;
use crate::domain::record::{Cause, Reason, incident_id};
use crate::domain::time::Wall;
use crate::store::IncidentQuery;
use crate::store::query::{FORGET_ROWS_MAX, PAST_CHANGES_MAX, incident_key};
use crate::store::uptime::{DAY, DowntimeSum, before};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

/// Incidents, newest first.
///
/// With `since` two lists are joined, each read from an index: those that began since then, and, older than all of
/// those, the ones that lasted until then.
pub(super) fn incidents(
    connection: &Connection,
    query: &IncidentQuery,
) -> Result<Vec<Incident>, rusqlite::Error> {
    let Some(since) = query.since else { return list(connection, query, "", &[]) };
    let mut found = list(connection, query, " AND started_ms >= ?", &[since])?;
    if found.len() < query.limit {
        let rest = IncidentQuery { limit: query.limit - found.len(), ..query.clone() };
        // Two again, since no index serves "or"; the second is empty where only open ones are asked for.
        let mut lasted = list(connection, &rest, " AND started_ms < ? AND ended_ms IS NULL", &[since])?;
        lasted.extend(list(connection, &rest, " AND started_ms < ? AND ended_ms >= ?", &[since, since])?);
        lasted
            .sort_by_cached_key(|incident| std::cmp::Reverse((incident.started, incident_key(&incident.id))));
        lasted.truncate(rest.limit);
        found.extend(lasted);
    }
    Ok(found)
}

fn list(
    connection: &Connection,
    query: &IncidentQuery,
    condition: &str,
    values: &[Wall],
) -> Result<Vec<Incident>, rusqlite::Error> {
    let mut sql = String::from(
        "SELECT number, beats, monitor, cause, started_ms, ended_ms, acknowledged, exit_code, signal, run_started_ms
         FROM incidents WHERE true",
    );
    sql.push_str(condition);
    let mut values: Vec<Value> = values.iter().map(|wall| Value::Integer(wall.0)).collect();
    if let Some(monitor) = &query.monitor {
        sql.push_str(" AND monitor = ?");
        values.push(Value::Text(monitor.clone()));
    }
    if query.open {
        sql.push_str(" AND ended_ms IS NULL");
    }
    if let Some((started, id)) = &query.after {
        // A name that is none of ours stands behind all others of its moment.
        let (number, beats) = incident_key(id).unwrap_or((0, 0));
        sql.push_str(" AND (started_ms, number, beats) < (?, ?, ?)");
        values.extend([started.0, int(number), int(beats)].map(Value::Integer));
    }
    sql.push_str(" ORDER BY started_ms DESC, number DESC, beats DESC LIMIT ?");
    values.push(Value::Integer(int(query.limit as u64)));
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_map(params_from_iter(values), incident)?;
    found.collect()
}

fn incident(row: &Row<'_>) -> Result<Incident, rusqlite::Error> {
    let cause_name: String = row.get(3)?;
    Ok(Incident {
        id: incident_id(number(row.get(0)?), number(row.get(1)?)),
        monitor: row.get(2)?,
        // A word we do not write was written by a person; silence is what is left when nothing is known.
        reason: Reason {
            cause: cause(&cause_name).unwrap_or(Cause::Silence),
            exit: row
                .get::<_, Option<u8>>(8)?
                .map(Exit::Signal)
                .or(row.get::<_, Option<i64>>(7)?.map(Exit::Code)),
            run_started: row.get::<_, Option<i64>>(9)?.map(Wall),
        },
        started: Wall(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(Wall),
        acknowledged: row.get(6)?,
    })
}

/// Marks an incident as known to a person; how many there are of that name.
pub(super) fn acknowledge(connection: &Connection, id: &str) -> Result<usize, rusqlite::Error> {
    let Some((number, beats)) = incident_key(id) else { return Ok(0) };
    let mut update = connection
        .prepare_cached("UPDATE incidents SET acknowledged = 1 WHERE number = ?1 AND beats = ?2")?;
    update.execute((int(number), int(beats)))
}

/// The past of one monitor. Of one that was never heard nothing is known that could be called up or down.
pub(super) fn past(
    connection: &Connection,
    id: &str,
    state: State,
    now: Wall,
) -> Result<Past, rusqlite::Error> {
    let mut monitor = connection
        .prepare_cached("SELECT number, created_ms, since_ms, state FROM monitors WHERE id = ?1")?;
    let row = |row: &Row<'_>| -> Result<(i64, Option<i64>, i64, String), rusqlite::Error> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let Some((number, created_ms, since_ms, to)) = monitor.query_row([id], row).optional()? else {
        return Ok(Past::default());
    };
    let created = created_ms.map(Wall);
    let from = before(now, DAY);
    let mut changes = changes_since(connection, number, from)?;
    if changes.is_empty() && since_ms < from.0 {
        // What made it so is forgotten, or was never told of; that it is so is known all the same.
        changes.extend(state_of(&to).map(|to| StateChange { at: Wall(since_ms), from: None, to }));
    }
    let uptime = match state {
        State::New => Uptime::default(),
        _ => uptime(connection, number, created, now)?,
    };
    Ok(Past { created, changes, uptime })
}

/// Changes at or after `from`, oldest first, and before them the last one before it.
fn changes_since(
    connection: &Connection,
    number: i64,
    from: Wall,
) -> Result<Vec<StateChange>, rusqlite::Error> {
    let mut select = connection.prepare_cached(
        "SELECT at_ms, from_state, to_state FROM changes WHERE number = ?1 ORDER BY version DESC LIMIT ?2",
    )?;
    let mut found = select.query((number, int(PAST_CHANGES_MAX as u64)))?;
    let mut changes = Vec::new();
    while let Some(row) = found.next()? {
        let at = Wall(row.get(0)?);
        let from_state = row.get_ref(1)?.as_str().ok().and_then(state_of);
        if let Some(to) = row.get_ref(2)?.as_str().ok().and_then(state_of) {
            changes.push(StateChange { at, from: from_state, to });
        }
        if at < from {
            break;
        }
    }
    changes.reverse();
    Ok(changes)
}

fn uptime(
    connection: &Connection,
    number: i64,
    created: Option<Wall>,
    now: Wall,
) -> Result<Uptime, rusqlite::Error> {
    let mut select = connection
        .prepare_cached("SELECT started_ms, ended_ms FROM incidents WHERE number = ?1 ORDER BY beats DESC")?;
    let mut found = select.query([number])?;
    let mut tally = DowntimeSum::new(created, now);
    while let Some(row) = found.next()? {
        if !tally.add(Wall(row.get(0)?), row.get::<_, Option<i64>>(1)?.map(Wall)) {
            break;
        }
    }
    Ok(tally.uptime())
}

/// Forgets a bounded number of rows; true when there may be more.
pub(super) fn forget(connection: &Connection, before: Wall) -> Result<bool, rusqlite::Error> {
    let statements = [
        "DELETE FROM changes WHERE (number, version) IN
             (SELECT number, version FROM changes WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
        "DELETE FROM incidents WHERE (number, beats) IN
             (SELECT number, beats FROM incidents WHERE ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)",
        "DELETE FROM outbox WHERE key IN
             (SELECT key FROM outbox WHERE state <> 'pending' AND due_ms < ?1 ORDER BY due_ms LIMIT ?2)",
    ];
    let mut more = false;
    for statement in statements {
        let gone = connection.prepare_cached(statement)?.execute((before.0, int(FORGET_ROWS_MAX as u64)))?;
        more |= gone == FORGET_ROWS_MAX;
    }
    Ok(more)
}
