//! Putting on record what has changed, before anybody hears of it.

use super::Engine;
use super::mutex::lock;
use super::pending::{Keep, NotStoredError, Pending};
use super::record_first::on_record_first;
use crate::domain::notice::{Level, Notice};
use crate::domain::policy::Sync;
use crate::domain::record::Change;
use crate::domain::registry::{MonitorEvent, Registry};
use crate::domain::time::{Now, Wall};
use crate::store::{Batch, StoreError};
use crate::view::words;
use std::sync::Arc;

/// Changes of state, encoded, that wait for a journal that takes nothing at the moment, and those that wait to be told of.
const BACKLOG_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Engine {
    /// Puts what a thread has changed into the journal, as safely as was configured, and then tells of it. On failure the
    /// changes of state among it are kept for later and told nevertheless; nothing is pending either way.
    pub fn commit(&self, now: Wall, pending: &mut Pending) -> Result<(), NotStoredError> {
        let Pending { batch, tickets } = pending;
        let put = || if batch.is_empty() { Ok(()) } else { self.put_on_record(now, batch) };
        // The log and the streams of events do not mark what is not on record: that is said once, by `has_failed`.
        on_record_first(put, |_| {
            if !tickets.is_empty() {
                self.event_queues.take_told(tickets, |at, event| self.tell_event(at, event));
            }
        })
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
        let sentence = error.said();
        let text = sentence.own().clone();
        let mut trouble = lock(&self.trouble);
        trouble.is_full |= error.is_full();
        let known = trouble.reason.replace(sentence);
        drop(trouble);
        if known.is_none() {
            self.notice(now, Level::Error, "not_stored", text);
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
        let mut registry = self.shards.lock(shard);
        let mut keep: Keep<'_> = &mut |record| self.catch_up.push(&mut pending.batch, record);
        let changed = change(&mut registry, &mut keep);
        self.event_queues.note(now, shard, &mut registry, &mut pending.tickets);
        changed
    }

    /// Tells everybody who listens.
    fn tell_event(&self, now: Now, event: MonitorEvent) {
        match &event {
            MonitorEvent::Change(change) => {
                self.stats.transition(change.to);
                if let Some(deadline) = change.deadline {
                    self.stats.detected(now.mono.since(deadline));
                }
                if change.muted {
                    self.stats.muted();
                } else {
                    self.log.notice(
                        change.at,
                        Notice::Transition {
                            monitor: change.monitor.as_str().into(),
                            from: change.from,
                            to: change.to,
                            last_beat: change.last_beat,
                            silent: change.silent,
                            reason: change.reason,
                            at: change.at,
                        },
                    );
                }
            }
            MonitorEvent::Made(_) => {}
            MonitorEvent::Conflict(id, conflict) => {
                self.notice(now.wall, Level::Warning, "conflict", words::conflict(id.as_str(), conflict));
            }
            MonitorEvent::Removed(_) => {
                self.intake.release();
            }
        }
        if self.events.receiver_count() > 0 {
            // Without a receiver there is nobody to tell.
            let _ = self.events.send(Arc::new(event));
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
