//! Whether all is well: what is wrong with the storage, and what of it people are shown.

use crate::domain::sentence::Sentence;
use crate::store::Batch;

/// Whether beats are taken and kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Why beats are refused; `None`: they are not.
    pub refusing: Option<Sentence>,
    /// What else is wrong, in words for people.
    pub degraded: Vec<Sentence>,
    /// Bytes in the journal.
    pub journal_bytes: u64,
    /// Age of the oldest beat that a power cut would lose, in seconds.
    pub unsynced_s: f64,
}

/// What the journal would not take.
#[derive(Default)]
pub(super) struct StorageFailure {
    /// Why, while it lasts.
    pub(super) reason: Option<Sentence>,
    /// Whether that is for want of room.
    pub(super) is_full: bool,
    /// Changes of state since; the beats among them are in memory only.
    pub(super) backlog: Batch,
    /// Those of them that the machine of the alerts has yet to hear, since it does not find them in the journal.
    pub(super) unheard: Batch,
    /// What is wrong with the tables, as the checkpointer finds them.
    pub(super) tables: Option<Sentence>,
    /// What is wrong with the outbox, as the delivery finds it.
    pub(super) outbox: Option<Sentence>,
    /// What was found damaged since the start.
    pub(super) damage: Vec<Sentence>,
    /// Listeners that are not there yet.
    pub(super) absent: Vec<Sentence>,
}
