//! What a thread has changed and not put on record yet.

use super::events::EventTicket;
use crate::domain::record::Record;
use crate::store::Batch;

/// Where a registry puts how a monitor stands.
pub(super) type Keep<'a> = &'a mut dyn FnMut(&Record<'_>);

/// The changes of one thread since it last committed.
#[derive(Debug, Default)]
pub struct Pending {
    /// How the monitors stand that have changed.
    pub(super) batch: Batch,
    /// Which events wait for that to be on record.
    pub(super) tickets: Vec<EventTicket>,
}

/// What was to be kept is not; beats are known and would be lost with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStoredError;

impl Pending {
    /// Nothing has changed.
    pub fn new() -> Pending {
        Pending::default()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.tickets.is_empty()
    }
}
