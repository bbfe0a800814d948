//! What is to be told, and what came of it, while the tables take nothing: a disk that is full delays no alert.
//!
//! Messages that could not be put into the outbox wait here behind those that stand in it, and leave from here, marked. What
//! came of them, and of those in the outbox, is noted here too, so that nobody is told twice. The keeper puts all of it on
//! record when there is room. A crash before that loses it: then the changes that the journal has are heard again, and the
//! same messages are decided again, under the same names.

use super::{Engine, HERE, lock};
use crate::domain::time::Wall;
use crate::store::{Delivery, Lane, OutboxQuery, Outgoing, Posted, Settled, StoreError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages that wait here, and their bytes. When there are as many, no change is heard until there is room; what one
/// turn makes of the last ones comes on top.
const MESSAGES_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Messages of the outbox of which it is only known here what came of them. When there are as many, nothing more is sent
/// until there is room; what is on its way by then comes on top.
const SETTLED_MAX: usize = 1_000;

/// The place of the newest message here among all: they come behind those in the outbox.
const LAST_PLACE: u64 = i64::MAX as u64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Messages that are not in the outbox, in their order.
    held: Vec<Held>,
    /// What came of messages that are in it, in the order of its being known.
    settled: VecDeque<Done>,
    /// The names of all of them.
    keys: BTreeSet<String>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    outgoing: Outgoing,
    done: Option<(Settled, Wall)>,
    /// What has to be put into the outbox in its stead, where there was no room here for it.
    instead: Vec<Outgoing>,
}

#[derive(Clone, Debug)]
struct Done {
    outgoing: Outgoing,
    settled: Settled,
    at: Wall,
    instead: Vec<Outgoing>,
}

impl Aside {
    /// Whether everything is on record.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.settled.is_empty()
    }

    /// Whether more messages may be made.
    pub(super) fn has_room(&self) -> bool {
        self.held.len() < MESSAGES_MAX && self.bytes < BYTES_MAX
    }

    fn may_send(&self) -> bool {
        self.settled.len() < SETTLED_MAX
    }

    /// Whether a message waits here.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.keys.contains(key) && self.held.iter().any(|one| one.outgoing.key == key)
    }

    /// Takes messages in, behind all others; one that is here already only once.
    pub(super) fn hold(&mut self, messages: impl IntoIterator<Item = Outgoing>) {
        for outgoing in messages {
            if self.keys.insert(outgoing.key.clone()) {
                self.bytes += outgoing.message.len();
                self.held.push(Held { outgoing, done: None, instead: Vec::new() });
            }
        }
    }

    /// All messages, as they are to be put into the outbox.
    pub(super) fn messages(&self) -> Vec<Outgoing> {
        self.held.iter().map(|one| one.outgoing.clone()).collect()
    }

    /// These are in the outbox now.
    pub(super) fn are_put(&mut self, messages: &[Outgoing]) {
        let put: BTreeSet<&str> = messages.iter().map(|one| one.key.as_str()).collect();
        let (there, here): (Vec<Held>, Vec<Held>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|one| put.contains(one.outgoing.key.as_str()));
        self.held = here;
        for Held { outgoing, done, instead } in there {
            self.bytes -= outgoing.message.len();
            match done {
                Some((settled, at)) => self.settled.push_back(Done { outgoing, settled, at, instead }),
                None => {
                    self.keys.remove(&outgoing.key);
                }
            }
        }
    }

    /// Notes what came of a message. What is told in its stead waits here, or where there is no room until there is.
    fn settle(&mut self, outgoing: &Outgoing, at: Wall, settled: &Settled, instead: &[Outgoing]) {
        let (here, there) = if self.has_room() { (instead, &[][..]) } else { (&[][..], instead) };
        let found = self.held.iter_mut().find(|one| one.outgoing.key == outgoing.key);
        match (found, settled) {
            (Some(held), Settled::Retry { due, .. }) => {
                (held.outgoing.due, held.outgoing.tries) = (*due, held.outgoing.tries.saturating_add(1));
            }
            (Some(held), settled) => {
                held.done = Some((settled.clone(), at));
                held.instead = there.to_vec();
            }
            // It stands in the outbox as before.
            (None, Settled::Retry { .. }) => {}
            (None, settled) if self.keys.insert(outgoing.key.clone()) => {
                let (outgoing, settled) = (outgoing.clone(), settled.clone());
                self.settled.push_back(Done { outgoing, settled, at, instead: there.to_vec() });
            }
            (None, _) => {}
        }
        self.hold(here.iter().cloned());
    }

    /// Of a lane: the names that are not to be taken from the outbox, and what waits here.
    fn of(&self, lane: &Lane) -> (BTreeSet<String>, Vec<Outgoing>) {
        let held = || self.held.iter().filter(|one| one.outgoing.lane() == *lane);
        let settled = self.settled.iter().filter(|one| one.outgoing.lane() == *lane);
        let names = held().map(|one| &one.outgoing.key).chain(settled.map(|one| &one.outgoing.key));
        let waiting = held().filter(|one| one.done.is_none()).map(|one| one.outgoing.clone());
        (names.cloned().collect(), waiting.collect())
    }
}

impl Held {
    fn posted(&self, place: u64) -> Posted {
        let mut outgoing = self.outgoing.clone();
        let (delivery, reason) = match &self.done {
            None => (Delivery::Pending, None),
            Some((settled, at)) => {
                (outgoing.due, outgoing.tries) = (*at, outgoing.tries.saturating_add(1));
                delivery(settled)
            }
        };
        Posted { place, outgoing, delivery, reason }
    }
}

fn delivery(settled: &Settled) -> (Delivery, Option<String>) {
    match settled {
        Settled::Sent => (Delivery::Sent, None),
        Settled::Split { reason } => (Delivery::Sent, Some(reason.clone())),
        Settled::Retry { reason, .. } => (Delivery::Pending, Some(reason.clone())),
        Settled::Failed { reason } | Settled::GivenUp { reason } => (Delivery::Failed, Some(reason.clone())),
    }
}

impl Engine {
    /// Alerts, newest first, those included that are not on record. It may wait for a disk.
    pub fn alerts(&self, query: &OutboxQuery) -> Result<Vec<Posted>, StoreError> {
        let mut rows = self.store.outbox_list(query)?;
        let aside = lock(&self.aside);
        if aside.is_empty() {
            return Ok(rows);
        }
        for row in &mut rows {
            if let Some(done) = aside.settled.iter().find(|one| one.outgoing.key == row.outgoing.key) {
                (row.delivery, row.reason) = delivery(&done.settled);
            }
        }
        let is_meant = |row: &Posted| {
            query.delivery.is_none_or(|wanted| row.delivery == wanted)
                && query.before.is_none_or(|before| row.place < before)
        };
        rows.retain(|row| !aside.holds(&row.outgoing.key) && is_meant(row));
        let held = aside.held.iter().rev().zip((0..=LAST_PLACE).rev()).map(|(one, place)| one.posted(place));
        let mut all: Vec<Posted> = held.filter(is_meant).chain(rows).collect();
        all.truncate(query.limit);
        Ok(all)
    }

    /// Takes in messages that the tables would not take.
    pub(super) fn put_aside(&self, messages: Vec<Outgoing>) {
        if !messages.is_empty() {
            lock(&self.aside).hold(messages);
            self.post.bell.notify_one();
        }
    }

    /// What waits in a lane, as many as `most`, in its order; and whether that is all.
    pub(super) fn waiting(&self, lane: &Lane, most: usize) -> Result<(Vec<Outgoing>, bool), StoreError> {
        let (names, held) = lock(&self.aside).of(lane);
        let wanted = most + names.len();
        let mut waiting = self.store.outbox_next(HERE, lane, wanted)?;
        // Those that wait here come behind all others, so not before the last of these is seen.
        let all = waiting.len() < wanted;
        waiting.retain(|one| !names.contains(&one.key));
        if all {
            waiting.extend(held);
        }
        let all = all && waiting.len() <= most;
        waiting.truncate(most);
        Ok((waiting, all))
    }

    /// How many messages wait in each lane.
    pub(super) fn all_waiting(&self) -> Result<Vec<(Lane, u64)>, StoreError> {
        let mut lanes: BTreeMap<Lane, u64> = self.store.outbox_pending()?.into_iter().collect();
        let aside = lock(&self.aside);
        for one in &aside.settled {
            if let Some(count) = lanes.get_mut(&one.outgoing.lane()) {
                *count = count.saturating_sub(1);
            }
        }
        for one in aside.held.iter().filter(|one| one.done.is_none()) {
            *lanes.entry(one.outgoing.lane()).or_default() += 1;
        }
        lanes.retain(|_, count| *count > 0);
        Ok(lanes.into_iter().collect())
    }

    /// Whether what comes of one more message could be noted.
    pub(super) fn may_hand_out(&self) -> bool {
        lock(&self.aside).may_send()
    }

    /// Notes what came of a message, on record if that can be done, and says once if it cannot.
    pub(super) fn note(&self, outgoing: &Outgoing, now: Wall, settled: &Settled, instead: &[Outgoing]) {
        let mut aside = lock(&self.aside);
        if aside.is_empty() {
            drop(aside);
            match self.store.outbox_settle(HERE, &outgoing.key, now, settled, instead) {
                Ok(()) => return self.outbox_works(),
                Err(error) => self.outbox_failed(&error, now),
            }
            aside = lock(&self.aside);
        }
        aside.settle(outgoing, now, settled, instead);
    }

    /// Puts on record what came of messages that are in the outbox.
    pub(super) fn record_settled(&self) -> Result<(), StoreError> {
        loop {
            let Some(done) = lock(&self.aside).settled.front().cloned() else { break };
            let key = &done.outgoing.key;
            self.store.outbox_settle(HERE, key, done.at, &done.settled, &done.instead)?;
            let aside = &mut lock(&self.aside);
            aside.settled.pop_front();
            aside.keys.remove(key);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "aside_tests.rs"]
mod tests;
