//! An engine in memory, for the tests of what uses one.

use super::{Engine, Sync};
use crate::domain::notice::Level;
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Wall};
use crate::store::Storage;
use crate::store::memory::{MemoryJournal, MemoryTables};
use crate::sys::log::{Log, LogOptions, Target, TargetOptions};
use std::sync::Arc;

/// Some milliseconds after such an engine was made.
pub fn at(ms: u64) -> Now {
    Now { mono: Mono(1_000 + ms), wall: Wall(1_700_000_000_000 + ms as i64) }
}

/// An engine under a policy.
pub fn engine(policy: Policy) -> Engine {
    over(Storage::new(MemoryJournal::new(), MemoryTables::new()), policy)
}

/// The same over a store.
pub fn over(storage: Storage, policy: Policy) -> Engine {
    let targets = vec![TargetOptions { target: Target::File("/dev/null".into()), beats: false }];
    let log = Log::open(LogOptions { targets, level: Level::Error, ..LogOptions::default() }).unwrap();
    let engine = Engine::new(at(0), Arc::new(policy), log, 1, storage, Sync::Second);
    engine.recover(at(0)).unwrap();
    engine
}
