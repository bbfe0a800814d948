//! Putting on record what has changed, before anybody hears of it.

use super::{Engine, lock};
use crate::domain::notice::Level;
use crate::domain::policy::Sync;
use crate::domain::record::{Change, Record};
use crate::domain::registry::Registry;
use crate::domain::sentence::Sentence;
use crate::domain::time::{Now, Wall};
use crate::i18n::Text;
use crate::store::{Batch, StoreError};

/// Changes of state, encoded, that wait for a journal that takes nothing at the moment, and those that wait to be told of.
const BACKLOG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a registry puts how a monitor stands.
pub(super) type Keep<'a> = &'a mut dyn FnMut(&Record<'_>);

/// The changes of one thread since it last committed.
#[derive(Debug, Default)]
pub struct Pending {
    /// How the monitors stand that have changed.
    pub(super) batch: Batch,
    /// Which events wait for that to be on record.
    pub(super) tickets: Vec<super::events::EventTicket>,
}

/// What was to be kept is not; beats are known and would be lost with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStoredError;

/// What the journal would not take.
#[derive(Default)]
pub(super) struct StorageTrouble {
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

impl Engine {
    /// Puts what a thread has changed into the journal, as safely as was configured, and then tells of it. On failure the
    /// changes of state among it are kept for later and told nevertheless; nothing is pending either way.
    pub fn commit(&self, now: Wall, pending: &mut Pending) -> Result<(), NotStoredError> {
        let kept =
            if pending.batch.is_empty() { Ok(()) } else { self.put_on_record(now, &mut pending.batch) };
        if !pending.tickets.is_empty() {
            self.tell_events(pending);
        }
        kept
    }

    fn put_on_record(&self, now: Wall, batch: &mut Batch) -> Result<(), NotStoredError> {
        let has_changes = batch.has_changes();
        let appended = self.journal.append(now, batch);
        if has_changes {
            self.catch_up.committed();
        }
        let kept = match (appended, self.sync) {
            (Ok(upto), Sync::Always) => self.journal.sync(upto),
            (appended, _) => appended.map(drop),
        };
        let Err(error) = kept else { return Ok(()) };
        self.has_failed(now, &error);
        let mut trouble = lock(&self.trouble);
        for record in batch.records().into_iter().filter(|record| record.change != Change::None) {
            if trouble.backlog.bytes_len() < BACKLOG_BYTES_MAX {
                trouble.backlog.push(&record);
            }
            if trouble.unheard.bytes_len() < BACKLOG_BYTES_MAX {
                trouble.unheard.push(&record);
            }
        }
        batch.clear();
        Err(NotStoredError)
    }

    /// Notes that the journal takes nothing at the moment, and says so once.
    pub(super) fn has_failed(&self, now: Wall, error: &StoreError) {
        let sentence = error.said(self.policy().page_lang);
        let text = sentence.own().to_string();
        let mut trouble = lock(&self.trouble);
        trouble.is_full |= error.is_full();
        let known = trouble.reason.replace(sentence);
        drop(trouble);
        if known.is_none() {
            self.notice(now, Level::Error, "not_stored", Text::foreign(text));
        }
    }

    /// Whether beats that cannot be kept are refused, and a commit waits for the disk.
    pub fn refuses_unstored(&self) -> bool {
        self.sync == Sync::Always
    }

    /// Changes a shard, and takes over what that keeps and tells.
    pub(super) fn change<T>(
        &self,
        now: Now,
        shard: usize,
        pending: &mut Pending,
        change: impl FnOnce(&mut Registry, &mut Keep<'_>) -> T,
    ) -> T {
        let mut registry = lock(&self.shards[shard]);
        let mut keep: Keep<'_> = &mut |record| self.catch_up.push(&mut pending.batch, record);
        let changed = change(&mut registry, &mut keep);
        self.note_events(now, shard, &mut registry, pending);
        changed
    }
}
