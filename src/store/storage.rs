//! Both together, as a state directory has them.

use super::journal::disk::RealDisk;
use super::journal::{FileJournal, JournalOptions};
use super::{Journal, Query, Store, StoreError, sqlite};
use crate::domain::time::Wall;
use std::path::Path;
use std::sync::Arc;

/// The journal's place in the state directory.
const JOURNAL: &str = "journal";

/// The journal and the tables behind it, open.
#[derive(Clone)]
pub struct Storage {
    /// What is appended.
    pub journal: Arc<dyn Journal>,
    /// What is queried.
    pub tables: Arc<dyn Store>,
}

impl Storage {
    /// Of two that belong together.
    pub fn new(journal: impl Journal + 'static, tables: impl Store + 'static) -> Storage {
        Storage { journal: Arc::new(journal), tables: Arc::new(tables) }
    }
}

/// Opens the files in the state directory; makes what is missing. `booted_at`: when the machine was started, if that is
/// known.
pub fn open(folder: &Path, now: Wall, booted_at: Option<Wall>) -> Result<Storage, StoreError> {
    let tables = sqlite::SqliteTables::open(folder, now)?;
    let folder = folder.join(JOURNAL);
    let options =
        JournalOptions { booted_at, noted: tables.marks()?.furthest(), ..JournalOptions::default() };
    let disk = RealDisk::open(&folder).map_err(|error| StoreError::io(&folder, "open", error))?;
    Ok(Storage::new(FileJournal::open(Arc::new(disk), options, now)?, tables))
}
