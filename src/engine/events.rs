//! What is told of changes, to the log, to streams of events, to the metrics, waits here until it may be told.
//!
//! A change is noted twice: its record goes into the thread's own [`Pending`](super::Pending), and the event into the queue of
//! its shard, where it waits until [`Engine::commit`](super::Engine::commit) has written that record. Threads commit in any
//! order, but the events of one monitor are told in the order in which they happened: behind one that waits, all wait.

use super::mutex::lock;
use super::shards::SHARDS;
use crate::domain::registry::{MonitorEvent, Registry};
use crate::domain::time::Now;
use std::collections::VecDeque;
use std::sync::Mutex;

/// The place of an event in the queue of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventTicket {
    shard: usize,
    number: u64,
}

/// Of each shard, the events that nobody has been told of.
pub(super) struct EventQueues(Box<[Mutex<EventQueue>]>);

#[derive(Debug, Default)]
struct EventQueue {
    waiting: VecDeque<QueuedEvent>,
    /// The number of the first.
    first: u64,
}

#[derive(Debug)]
struct QueuedEvent {
    at: Now,
    event: MonitorEvent,
    may_be_told: bool,
}

impl Default for EventQueues {
    fn default() -> EventQueues {
        EventQueues((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl EventQueues {
    /// Takes over what a shard has to tell. Called before its lock is given back, or another thread would take that for
    /// events of its own and tell it with its own commit.
    #[inline]
    pub(super) fn note(
        &self,
        now: Now,
        shard: usize,
        registry: &mut Registry,
        tickets: &mut Vec<EventTicket>,
    ) {
        // An ordinary beat has none.
        if let Some(first) = registry.poll_event() {
            self.queue(now, shard, first, registry, tickets);
        }
    }

    #[cold]
    fn queue(
        &self,
        at: Now,
        shard: usize,
        first: MonitorEvent,
        registry: &mut Registry,
        tickets: &mut Vec<EventTicket>,
    ) {
        let mut queue = lock(&self.0[shard]);
        let mut next = Some(first);
        while let Some(event) = next {
            tickets.push(EventTicket { shard, number: queue.first + queue.waiting.len() as u64 });
            queue.waiting.push_back(QueuedEvent { at, event, may_be_told: false });
            next = registry.poll_event();
        }
    }

    /// Tells the events of these tickets, and what has only waited for them.
    pub(super) fn take_told(&self, tickets: &mut Vec<EventTicket>, mut tell: impl FnMut(Now, MonitorEvent)) {
        for EventTicket { shard, number } in tickets.drain(..) {
            // Held while it is told, so that another thread cannot overtake.
            let mut queue = lock(&self.0[shard]);
            let place = number.checked_sub(queue.first).and_then(|place| usize::try_from(place).ok());
            if let Some(event) = place.and_then(|place| queue.waiting.get_mut(place)) {
                event.may_be_told = true;
            }
            while queue.waiting.front().is_some_and(|event| event.may_be_told) {
                let Some(event) = queue.waiting.pop_front() else { break };
                queue.first += 1;
                tell(event.at, event.event);
            }
        }
    }

    /// Whether a shard's queue holds nothing.
    #[cfg(test)]
    pub(super) fn is_empty(&self, shard: usize) -> bool {
        lock(&self.0[shard]).waiting.is_empty()
    }
}
