//! Reading what can be read out of a damaged file.
//!
//! Each table is read in the order of its keys. Where SQLite meets damage the reading goes on a little further on, and,
//! where that is no use, twice as far each time, until it is past it or at the end.
//!
//! A place in the journal is only taken over if all that it stands for is there. Otherwise the journal is read from its
//! beginning, as far as it still goes back: reading a record twice does no harm, not reading it does.

use super::error::{sorted, sqlite_error};
use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, Row, params_from_iter};
use std::path::Path;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Salvaged {
    /// Monitors.
    pub(super) monitors: u64,
    /// Whether no damage was met.
    pub(super) complete: bool,
}

/// Places of damage in one table that are gone around.
const TRIES_MAX: u32 = 500;
/// A million new monitors a second for a century stay below it; a greater number is no number of ours.
const NUMBER_MAX: i64 = 1 << 52;

/// Columns of `monitors` that later versions than the first have added.
const ADDED: [&str; 5] = ["asked_ms", "signal", "incident_exit_code", "incident_signal", "incident_run_ms"];

/// Copies what can be read. What is read is all there was only where the write-ahead log is whole. Errors are
/// those of the new file only.
pub(super) fn copy(
    damaged: &Path,
    has_whole_log: bool,
    to: &mut Connection,
    fresh: &Path,
) -> Result<Salvaged, StoreError> {
    let Some(from) = open(damaged) else { return Ok(Salvaged::default()) };
    let transaction = to.transaction().map_err(sorted(fresh, "repair"))?;
    let table = |name: &str, columns: &[&str]| {
        copy_table(&from, &transaction, name, columns).map_err(|error| sqlite_error(fresh, "repair", error))
    };
    let monitors = {
        let has = |column: &&str| has(&from, "monitors", column);
        let (since, first): (Vec<&str>, Vec<&str>) =
            super::rows::COLUMNS.iter().copied().partition(|column| ADDED.contains(column));
        let columns: Vec<&str> =
            first.into_iter().chain(["created_ms"]).chain(since.into_iter().filter(has)).collect();
        table("monitors", &columns)?
    };
    let removed = table("removed", &["number", "round"])?;
    let changes = table("changes", &["number", "version", "at_ms", "from_state", "to_state"])?;
    let incidents = {
        let first =
            ["number", "beats", "monitor", "cause", "started_ms", "ended_ms", "acknowledged", "version"];
        let since = ["exit_code", "signal", "run_started_ms"]
            .into_iter()
            .filter(|column| has(&from, "incidents", column));
        table("incidents", &first.into_iter().chain(since).collect::<Vec<_>>())?
    };
    let outbox = {
        let first = ["place", "key", "notifier", "state", "made_ms", "due_ms", "tries", "reason", "message"];
        let since = ["recipient"].into_iter().filter(|column| has(&from, "outbox", column));
        table("outbox", &first.into_iter().chain(since).collect::<Vec<_>>())?
    };
    let alerts = table("alerts", &["number", "state"])?;
    let meta = table("meta", &["key", "value"])?;
    let drop = |key: &str, whole: bool| match whole {
        true => Ok(0),
        false => transaction.execute("DELETE FROM meta WHERE key = ?1", [key]),
    };
    let is_known = has_whole_log && meta.complete;
    let kept = is_known && monitors.complete && removed.complete;
    let told = is_known && changes.complete && incidents.complete && outbox.complete && alerts.complete;
    drop("snapshot", kept).and_then(|_| drop("transited", told)).map_err(sorted(fresh, "repair"))?;
    transaction.commit().map_err(sorted(fresh, "repair"))?;
    let complete = kept && told;
    Ok(Salvaged { monitors: monitors.rows, complete })
}

/// Whether the damaged file has a column: one that an earlier version wrote lacks what was added since.
fn has(from: &Connection, table: &str, column: &str) -> bool {
    from.prepare(&format!("SELECT {column} FROM {table}")).is_ok()
}

/// Opens the damaged file so that nothing in it changes, not even by closing it.
fn open(damaged: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(damaged, flags).ok()?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok()?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).ok()?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)).ok()?;
    Some(connection)
}

struct Copied {
    rows: u64,
    complete: bool,
}

/// Copies a table whose first column is the first of its key. A key of text cannot be counted on; there the reading
/// ends at the first damage.
fn copy_table(
    from: &Connection,
    to: &Connection,
    name: &str,
    columns: &[&str],
) -> Result<Copied, rusqlite::Error> {
    let key = columns.first().copied().unwrap_or_default();
    let names = columns.join(", ");
    let places = vec!["?"; columns.len()].join(", ");
    let mut insert = to.prepare(&format!("INSERT OR IGNORE INTO {name} ({names}) VALUES ({places})"))?;
    let mut copied = Copied { rows: 0, complete: true };
    let Ok(mut select) = from.prepare(&format!("SELECT {names} FROM {name} WHERE {key} > ?1 ORDER BY {key}"))
    else {
        return Ok(Copied { rows: 0, complete: false });
    };
    let mut last = if key == "key" { Value::Text(String::new()) } else { Value::Integer(i64::MIN) };
    let mut stride = 1;
    for _ in 0..TRIES_MAX {
        let mut advanced = false;
        let damage = read(&mut select, &last.clone(), columns.len(), |values| {
            let Some(key) = values.first().cloned() else { return Ok(false) };
            // Pages that damage has tied into a knot could be walked around for ever.
            if !in_order(&last, &key) {
                return Ok(false);
            }
            copied.rows += insert.execute(params_from_iter(&values))? as u64;
            last = key;
            advanced = true;
            Ok(true)
        })?;
        if !damage {
            return Ok(copied);
        }
        copied.complete = false;
        stride = if advanced { 1_i64 } else { stride.saturating_mul(2) };
        let Value::Integer(number) = last else { break };
        if number > NUMBER_MAX {
            break;
        }
        // The first number is 1 or near it.
        last = Value::Integer(number.max(-1).saturating_add(stride));
    }
    Ok(copied)
}

/// Whether a row with the second key may come after one with the first.
fn in_order(before: &Value, key: &Value) -> bool {
    match (before, key) {
        (Value::Integer(before), Value::Integer(key)) => before <= key && *key <= NUMBER_MAX,
        (Value::Text(before), Value::Text(key)) => before <= key,
        _ => false,
    }
}

/// Reads rows until the end, or until damage: true then. `take` says whether to go on. Only its errors are errors.
fn read(
    select: &mut rusqlite::Statement<'_>,
    after: &Value,
    columns: usize,
    mut take: impl FnMut(Vec<Value>) -> Result<bool, rusqlite::Error>,
) -> Result<bool, rusqlite::Error> {
    let Ok(mut rows) = select.query([after]) else { return Ok(true) };
    let mut damage = false;
    loop {
        match rows.next() {
            Ok(Some(row)) => match (0..columns).map(|at| value(row, at)).collect::<Option<Vec<Value>>>() {
                Some(values) => {
                    if !take(values)? {
                        return Ok(true);
                    }
                }
                // A text that is no text: this row is lost, the next may be well.
                None => damage = true,
            },
            Ok(None) => return Ok(damage),
            Err(_) => return Ok(true),
        }
    }
}

/// A value as it stands; `None`: a text that is none. (Asking for a [`Value`] outright would panic there.)
fn value(row: &Row<'_>, at: usize) -> Option<Value> {
    Some(match row.get_ref(at).ok()? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Integer(int),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).ok()?.to_string()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    })
}
