//! What is told of changes: to the log, to streams of events, to the metrics.
//!
//! One rule for everything that changes a monitor: first the journal, then everybody else. So a change is noted twice: its
//! record goes into the thread's own [`Pending`], and the event into the queue of its shard, where it waits until
//! [`Engine::commit`] has written that record. Threads commit in any order, but the events of one monitor are told in the
//! order in which they happened: behind one that waits, all wait.

use super::{Engine, Pending, lock};
use crate::domain::notice::{Level, Notice};
use crate::domain::registry::{MonitorEvent, Registry};
use crate::domain::time::Now;
use crate::i18n::Text;
use crate::view::words;
use std::collections::VecDeque;
use std::sync::Arc;

/// The place of an event in the queue of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventTicket {
    shard: usize,
    number: u64,
}

/// The events of one shard that nobody has been told of.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<QueuedEvent>,
    /// The number of the first.
    first: u64,
}

#[derive(Debug)]
struct QueuedEvent {
    at: Now,
    event: MonitorEvent,
    on_record: bool,
}

impl Engine {
    /// Takes over what a shard has to tell. Called before its lock is given back, or another thread would take that for
    /// events of its own and tell it with its own commit.
    #[inline]
    pub(super) fn note_events(&self, now: Now, shard: usize, registry: &mut Registry, pending: &mut Pending) {
        // An ordinary beat has none.
        if let Some(first) = registry.poll_event() {
            self.queue_events(now, shard, first, registry, pending);
        }
    }

    #[cold]
    fn queue_events(
        &self,
        at: Now,
        shard: usize,
        first: MonitorEvent,
        registry: &mut Registry,
        pending: &mut Pending,
    ) {
        let mut queue = lock(&self.event_queues[shard]);
        let mut next = Some(first);
        while let Some(event) = next {
            pending.tickets.push(EventTicket { shard, number: queue.first + queue.waiting.len() as u64 });
            queue.waiting.push_back(QueuedEvent { at, event, on_record: false });
            next = registry.poll_event();
        }
    }

    /// Tells what a commit has put on record, and what has only waited for that.
    pub(super) fn tell_events(&self, pending: &mut Pending) {
        for EventTicket { shard, number } in pending.tickets.drain(..) {
            // Held while it is told, so that another thread cannot overtake.
            let mut queue = lock(&self.event_queues[shard]);
            let place = number.checked_sub(queue.first).and_then(|place| usize::try_from(place).ok());
            if let Some(event) = place.and_then(|place| queue.waiting.get_mut(place)) {
                event.on_record = true;
            }
            while queue.waiting.front().is_some_and(|event| event.on_record) {
                let Some(event) = queue.waiting.pop_front() else { break };
                queue.first += 1;
                self.tell(event.at, event.event);
            }
        }
    }

    /// Tells everybody who listens.
    fn tell(&self, now: Now, event: MonitorEvent) {
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
                let text = words::conflict(self.policy().page_lang, id.as_str(), conflict);
                self.notice(now.wall, Level::Warning, "conflict", Text::foreign(text));
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
