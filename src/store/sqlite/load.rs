//! Visiting every monitor at a start, a million of them in about a second, and before them those removed lately.

use super::rows;
use crate::store::SnapshotRow;
use rusqlite::{Connection, ffi};

/// Visits all monitors by number. A row that cannot be one is told to `passed_over`, with its number, and passed over:
/// one bad line must not keep all others from being watched.
pub(super) fn visit(
    connection: &Connection,
    visit: &mut dyn FnMut(SnapshotRow<'_>),
    passed_over: &mut dyn FnMut(i64, String),
) -> Result<(), rusqlite::Error> {
    let mut removed = connection.prepare("SELECT number FROM removed ORDER BY number")?;
    let mut found = removed.query([])?;
    while let Some(row) = found.next()? {
        visit(SnapshotRow::Removed(super::number(row.get(0)?)));
    }
    let columns = rows::COLUMNS.join(", ");
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM monitors ORDER BY number"))?;
    let mut found = statement.query([])?;
    let mut last = i64::MIN;
    while let Some(row) = found.next()? {
        // Pages that damage has tied into a knot could be walked around for ever.
        let number = row.get(0)?;
        if number <= last && last != i64::MIN {
            let corrupt = ffi::Error::new(ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(corrupt, Some("monitors are out of order".into())));
        }
        last = number;
        if let Err(reason) = rows::read(row, |record| visit(SnapshotRow::Monitor(record))) {
            passed_over(number, reason);
        }
    }
    Ok(())
}
