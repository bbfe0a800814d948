//! What a thread has changed and not yet put on record, and what may be told only after that.
//!
//! One rule for everything that changes a monitor: first the journal, then the log, the streams of events and the
//! metrics. So a change is noted twice: its record goes into the thread's own [`Pending`], and the news of it into the
//! queue of its shard, where it waits until [`Engine::commit`] has written that record. Threads commit in any order, but
//! news of one monitor are told in the order in which they happened: behind one that waits, all wait.

use super::{Engine, lock};
use crate::domain::record::Record;
use crate::domain::registry::{Registry, Tidings};
use crate::domain::time::Now;
use crate::store::Batch;
use std::collections::VecDeque;

/// Where a registry puts how a monitor stands.
pub(super) type Keep<'a> = &'a mut dyn FnMut(&Record<'_>);

/// The changes of one thread since it last committed.
#[derive(Debug, Default)]
pub struct Pending {
    /// How the monitors stand that have changed.
    pub(super) batch: Batch,
    /// Which news wait for that to be on record.
    pub(super) news: Vec<Ticket>,
}

/// One piece of news in the queue of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    shard: usize,
    number: u64,
}

/// The news of one shard that nobody has been told of.
#[derive(Debug, Default)]
pub(super) struct Untold {
    waiting: VecDeque<News>,
    /// The number of the first.
    first: u64,
}

#[derive(Debug)]
struct News {
    at: Now,
    tidings: Tidings,
    on_record: bool,
}

impl Pending {
    /// Nothing has changed.
    pub fn new() -> Pending {
        Pending::default()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.news.is_empty()
    }
}

impl Engine {
    /// Takes over what a shard has to tell. Called before its lock is given back, or another thread would take that for
    /// news of its own and tell it with its own commit.
    #[inline]
    pub(super) fn note_news(&self, now: Now, shard: usize, registry: &mut Registry, pending: &mut Pending) {
        // An ordinary beat has no news.
        if let Some(first) = registry.poll_tidings() {
            self.queue_news(now, shard, first, registry, pending);
        }
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
        self.note_news(now, shard, &mut registry, pending);
        changed
    }

    #[cold]
    fn queue_news(
        &self,
        at: Now,
        shard: usize,
        first: Tidings,
        registry: &mut Registry,
        pending: &mut Pending,
    ) {
        let mut untold = lock(&self.untold[shard]);
        let mut next = Some(first);
        while let Some(tidings) = next {
            pending.news.push(Ticket { shard, number: untold.first + untold.waiting.len() as u64 });
            untold.waiting.push_back(News { at, tidings, on_record: false });
            next = registry.poll_tidings();
        }
    }

    /// Tells what a commit has put on record, and what has only waited for that.
    pub(super) fn tell_news(&self, pending: &mut Pending) {
        for Ticket { shard, number } in pending.news.drain(..) {
            // Held while it is told, so that another thread cannot overtake.
            let mut untold = lock(&self.untold[shard]);
            let place = number.checked_sub(untold.first).and_then(|place| usize::try_from(place).ok());
            if let Some(news) = place.and_then(|place| untold.waiting.get_mut(place)) {
                news.on_record = true;
            }
            while untold.waiting.front().is_some_and(|news| news.on_record) {
                let Some(news) = untold.waiting.pop_front() else { break };
                untold.first += 1;
                self.tell(news.at, news.tidings);
            }
        }
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
