//! One connection to the file, as all of them are set up.

use super::check::{check_header, check_log};
use super::error::sorted;
use super::schema;
use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long another program may keep the file locked before an operation fails.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Pages (of 4 KiB) in the write-ahead log before they go into the file.
const WAL_PAGES: i64 = 4_096;

/// What the write-ahead log may keep of the disk when it is empty again.
const WAL_BYTES_KEPT: i64 = 32 * 1024 * 1024;

/// Memory for pages, for each connection.
const CACHE_KIB: i64 = 16 * 1024;

/// Statements kept prepared, for each connection.
const STATEMENTS: usize = 48;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionUse {
    Write,
    Read,
}

/// Opens the file; the writer makes it and brings it up to date.
pub(super) fn connect(path: &Path, purpose: ConnectionUse) -> Result<Connection, StoreError> {
    if purpose == ConnectionUse::Write {
        check_header(path)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sorted(path, "open"))?;
    let set_up = || -> Result<(), rusqlite::Error> {
        connection.busy_timeout(BUSY_MAX)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // Until we know that the file is ours nothing in it is moved.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)
    };
    set_up().map_err(sorted(path, "open"))?;
    if purpose == ConnectionUse::Read {
        connection.pragma_update(None, "query_only", true).map_err(sorted(path, "open"))?;
        return Ok(connection);
    }
    let version = schema::version(&connection, path)?;
    // While closing moves nothing of the log into the file.
    check_log(path)?;
    let tune = || -> Result<(), rusqlite::Error> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // Where an ordinary fsync stops at the drive's cache (macOS), go through it.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
        connection.pragma_update(None, "temp_store", "memory")
    };
    tune().map_err(sorted(path, "open"))?;
    schema::migrate(&mut connection, path, version)?;
    Ok(connection)
}
