//! The tables in SQLite: `state.db` in the state directory, which `sqlite3 state.db` may look into at any time.
//!
//! One connection writes, behind a lock; [`READERS`] others read, each behind a lock of its own, so that a page never
//! waits for a snapshot that is being written. What is committed survives a power cut (`synchronous=FULL`): the journal
//! is trimmed in reliance on that.
//!
//! A file that is damaged is set aside under another name, never overwritten; what is readable in it goes into a new
//! one (`repair.rs`). That happens when it is opened and whenever SQLite says that it met damage, after which the
//! operation is done once more. [`SqliteTables::take_repairs`] tells of it.

mod check;
mod connect;
mod details;
mod entries;
mod error;
mod history;
mod incidents;
mod load;
mod monitors;
mod outbox;
mod query;
mod repair;
#[cfg(test)]
mod rot;
mod rows;
mod salvage;
mod schema;
#[cfg(test)]
mod tests;
mod wal;

pub use repair::Repair;

use super::{Applied, Entry, Mark, Position, Store, StoreError};
use crate::domain::instance::Instance;
use crate::domain::time::Wall;
use connect::{ConnectionUse, connect};
use error::{damaged, sorted};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// The file's name in the state directory.
pub const FILE: &str = "state.db";
/// Pages that may be read at the same time.
const READERS: usize = 2;
/// Repairs in one run of the program; beyond that the disk is not to be trusted, and damage is an error.
const REPAIRS_MAX: usize = 3;
/// Things to tell of that may wait for [`SqliteTables::take_repairs`].
const NEWS_MAX: usize = 100;

/// See the module.
#[derive(Debug)]
pub struct SqliteTables {
    path: PathBuf,
    opened: Wall,
    // Before the writer, which is to be closed last: that puts the log into the file.
    readers: [Mutex<Connection>; READERS],
    writer: Mutex<Connection>,
    repairs: AtomicUsize,
    /// Read when the file was opened; whatever replaces the file goes on with it.
    instance: Instance,
    /// Monitors were lost in a repair since the last time all of them were visited.
    incomplete: AtomicBool,
    news: Mutex<Vec<Repair>>,
}

impl SqliteTables {
    /// Opens `state.db` in `folder`, makes it if it is missing, brings an older one up to date and repairs a damaged
    /// one. `now` goes into the name of what is set aside.
    pub fn open(folder: &Path, now: Wall) -> Result<SqliteTables, StoreError> {
        let path = folder.join(FILE);
        let mut news = Vec::new();
        repair::adopt(&path, now, &mut news)?;
        let begin = || {
            let writer = connect(&path, ConnectionUse::Write)?;
            let instance = instance(&writer, None, now).map_err(sorted(&path, "open"))?;
            Ok((writer, instance))
        };
        let (writer, instance) = match begin() {
            Err(StoreError::Damaged { reason, .. }) => {
                news.push(repair::repair(&path, now, &reason)?);
                begin()?
            }
            other => other?,
        };
        let reader = || connect(&path, ConnectionUse::Read).map(Mutex::new);
        let readers = [reader()?, reader()?];
        let (repairs, incomplete) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (writer, news) = (Mutex::new(writer), Mutex::new(news));
        Ok(SqliteTables { path, opened: now, readers, writer, repairs, instance, incomplete, news })
    }

    /// What was set aside or passed over since this was last asked.
    pub fn take_repairs(&self) -> Vec<Repair> {
        std::mem::take(&mut *locked(&self.news))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs something that writes, in one transaction; once more, if the file had to be repaired for it.
    fn write<T>(
        &self,
        doing: &'static str,
        run: impl Fn(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        self.repairing(|| {
            let mut writer = locked(&self.writer);
            let mut attempt = || -> Result<T, rusqlite::Error> {
                let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = run(&transaction)?;
                transaction.commit()?;
                Ok(done)
            };
            attempt().map_err(sorted(&self.path, doing))
        })
    }

    /// Runs something that reads, on one state of the tables; once more, if the file had to be repaired for it.
    fn read<T>(
        &self,
        doing: &'static str,
        mut run: impl FnMut(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        self.repairing(|| {
            let mut reader = self.reader();
            let mut attempt = || -> Result<T, rusqlite::Error> { run(&*reader.transaction()?) };
            attempt().map_err(sorted(&self.path, doing))
        })
    }

    fn repairing<T>(&self, mut once: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let repairs = self.repairs.load(Ordering::SeqCst);
        match once() {
            Err(StoreError::Damaged { reason, .. }) => {
                self.repair(repairs, reason)?;
                once()
            }
            other => other,
        }
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(free)) => return free.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let [first, ..] = &self.readers;
        locked(first)
    }

    /// Sets the damaged file aside and goes on with what could be read of it.
    fn repair(&self, repairs: usize, reason: String) -> Result<(), StoreError> {
        let mut writer = locked(&self.writer);
        // Another thread may have met the same damage and repaired it while we waited.
        if self.repairs.load(Ordering::SeqCst) != repairs {
            return Ok(());
        }
        if repairs >= REPAIRS_MAX {
            return Err(damaged(&self.path, reason));
        }
        self.repairs.store(repairs + 1, Ordering::SeqCst);
        let mut readers = self.readers.each_ref().map(locked);
        // Nobody may hold the old file while a new one takes its name.
        *writer = Connection::open_in_memory().map_err(sorted(&self.path, "close"))?;
        for reader in &mut readers {
            **reader = Connection::open_in_memory().map_err(sorted(&self.path, "close"))?;
        }
        let done = repair::repair(&self.path, self.opened, &reason);
        *writer = connect(&self.path, ConnectionUse::Write)?;
        for reader in &mut readers {
            **reader = connect(&self.path, ConnectionUse::Read)?;
        }
        let done = done?;
        instance(&writer, Some(&self.instance), self.opened).map_err(sorted(&self.path, "repair"))?;
        if matches!(done, Repair::SetAside { complete: false, .. }) {
            self.incomplete.store(true, Ordering::SeqCst);
        }
        self.tell(done);
        Ok(())
    }

    fn tell(&self, news: Repair) {
        let mut all = locked(&self.news);
        if all.len() < NEWS_MAX {
            all.push(news);
        }
    }
}

/// A lock whose holder panicked is taken all the same: what it protects is a connection, and an unfinished transaction
/// was rolled back.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number as SQLite keeps it. Ours stay far below 2^63; what does not is kept as the greatest there is.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number that was kept.
fn number(int: i64) -> u64 {
    u64::try_from(int).unwrap_or(0)
}

fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    key: &str,
) -> Result<Option<T>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

fn set_meta(connection: &Connection, key: &str, value: &dyn rusqlite::ToSql) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute((key, value)).map(drop)
}

/// The instance that a file names. One that names none is given `known` or else a new one; the names of incidents that
/// it holds already stay as they were told.
fn instance(
    connection: &Connection,
    known: Option<&Instance>,
    now: Wall,
) -> Result<Instance, rusqlite::Error> {
    let name: Option<String> = meta(connection, "instance")?;
    let since: Option<i64> = meta(connection, "instance_since_ms")?;
    if let Some(found) = name.and_then(|name| Instance::new(&name, Wall(since.unwrap_or(0)))) {
        return Ok(found);
    }
    let made = || -> Result<Instance, rusqlite::Error> {
        let is_old = connection.query_row("SELECT EXISTS (SELECT 1 FROM incidents)", [], |row| row.get(0))?;
        let since = if is_old { now } else { Wall(0) };
        Ok(Instance::random(RandomState::new().hash_one(now.0), since))
    };
    let instance = known.cloned().map_or_else(made, Ok)?;
    set_meta(connection, "instance", &instance.name())?;
    set_meta(connection, "instance_since_ms", &instance.since().0)?;
    Ok(instance)
}

fn position(connection: &Connection, key: &str) -> Result<Option<Position>, rusqlite::Error> {
    let text: Option<String> = meta(connection, key)?;
    // One that cannot be read is one we do not have: the journal is then read from its beginning.
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Notes a place unless a later one is noted.
fn advance(connection: &Connection, key: &str, upto: Position) -> Result<(), rusqlite::Error> {
    match position(connection, key)? {
        Some(known) if known >= upto => Ok(()),
        _ => set_meta(connection, key, &upto.to_string()),
    }
}

impl Store for SqliteTables {
    fn apply(&self, entries: &[Entry<'_>], mark: Mark) -> Result<Applied, StoreError> {
        let applied = self.write("write", |transaction| {
            // Looked at under the writer's lock, since this may itself meet damage.
            if matches!(mark, Mark::Snapshot(_)) && self.incomplete.load(Ordering::SeqCst) {
                return Ok(None);
            }
            entries::apply(transaction, entries, mark).map(Some)
        })?;
        applied.ok_or_else(|| {
            self.incomplete.store(false, Ordering::SeqCst);
            damaged(&self.path, "it was replaced, all monitors have to be put into it again")
        })
    }

    fn forget(&self, before: Wall) -> Result<bool, StoreError> {
        self.write("forget", |transaction| history::forget(transaction, before))
    }
}
