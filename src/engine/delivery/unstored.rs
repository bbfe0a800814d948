//! What is to be told, and what came of it, while the tables take nothing: a disk that is full delays no alert.
//!
//! Messages that could not be put into the outbox wait here behind those that stand in it, and leave from here, marked. What
//! came of them, and of those in the outbox, is noted here too, so that nobody is told twice. The checkpointer puts all of it on
//! record when there is room. A crash before that loses it: then the changes that the journal has are heard again, and the
//! same messages are decided again, under the same names.

use crate::domain::lang::Lang;
use crate::domain::time::Wall;
use crate::engine::{Engine, lock};
use crate::store::{
    DeliveryStatus, Entry, Lane, Mark, OutboxMessage, OutboxQuery, Outgoing, Settled, StoreError,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Messages that wait here, and their bytes. When there are as many, no change is heard until there is room; what one
/// turn makes of the last ones comes on top.
const MESSAGES_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Messages of the outbox of which it is only known here what came of them. When there are as many, no more of the outbox
/// are sent until there is room; what is on its way by then comes on top. Those that wait here go on.
const SETTLED_MAX: usize = 1_000;

/// Where the places of the messages here begin: they come behind those in the outbox. Each keeps its place for as long as it
/// is here, whatever comes after it, so that whoever lists them in pieces sees each once.
const HELD_FROM: u64 = 1 << 62;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Unstored {
    /// Messages that are not in the outbox, by their numbers, in their order.
    held: BTreeMap<u64, UnstoredMessage>,
    /// What came of messages that are in it, in the order of its being known.
    settled: BTreeMap<u64, Arc<Done>>,
    /// Where each of them is, by its name.
    spots: BTreeMap<String, Spot>,
    /// The numbers of those that are not in the outbox and wait.
    lanes: BTreeMap<Lane, BTreeSet<u64>>,
    bytes: usize,
    /// The number of the next one.
    next: u64,
    /// How many went from here into the outbox.
    puts: u64,
    /// The names of the last of them, by the numbers that they had here: whoever was listing them goes on from there.
    put: BTreeMap<u64, String>,
}

#[derive(Clone, Copy, Debug)]
enum Spot {
    Held(u64),
    Settled,
}

#[derive(Debug)]
struct UnstoredMessage {
    outgoing: Outgoing,
    done: Option<(Settled, Wall)>,
    /// What has to be put into the outbox in its stead, where there was no room here for it.
    instead: Vec<Outgoing>,
}

#[derive(Debug)]
struct Done {
    outgoing: Outgoing,
    /// Its place in the outbox, when somebody has looked.
    place: OnceLock<u64>,
    settled: Settled,
    at: Wall,
    instead: Vec<Outgoing>,
}

/// What the delivery has to know of a lane.
struct Part {
    /// What is not to be taken from the outbox.
    settled: Vec<Arc<Done>>,
    /// The first of those that wait here.
    held: Vec<Outgoing>,
    /// Whether what comes of one from the outbox could be noted.
    may_send: bool,
    puts: u64,
}

/// What a list of alerts has to know.
struct AlertsPage {
    /// The rows from here.
    held: Vec<OutboxMessage>,
    /// What is otherwise than the outbox has it.
    settled: Vec<Arc<Done>>,
    /// The message of the outbox before which it goes on, if that was here when the list came to it.
    before: Option<String>,
    puts: u64,
}

/// What waits in a lane.
pub(in crate::engine) struct Waiting {
    /// The messages, in their order.
    pub(in crate::engine) messages: Vec<Outgoing>,
    /// Those before this one are not to be sent now, since it could not be noted.
    pub(in crate::engine) from: usize,
    /// Whether these are all.
    pub(in crate::engine) all: bool,
}

impl Waiting {
    /// Those that may be sent, or given up.
    pub(in crate::engine) fn open(&self) -> &[Outgoing] {
        self.messages.get(self.from..).unwrap_or_default()
    }
}

impl Unstored {
    /// Whether everything is on record.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.settled.is_empty()
    }

    /// Whether more messages may be made.
    pub(in crate::engine) fn has_room(&self) -> bool {
        self.held.len() < MESSAGES_MAX && self.bytes < BYTES_MAX
    }

    /// Whether what comes of one more message of the outbox could be noted.
    pub(in crate::engine) fn may_send(&self) -> bool {
        self.settled.len() < SETTLED_MAX
    }

    /// Whether a message waits here.
    pub(in crate::engine) fn holds(&self, key: &str) -> bool {
        matches!(self.spots.get(key), Some(Spot::Held(_)))
    }

    /// Takes messages in, behind all others; one that is here already only once.
    pub(in crate::engine) fn hold(&mut self, messages: impl IntoIterator<Item = Outgoing>) {
        for outgoing in messages {
            if !self.spots.contains_key(&outgoing.key) {
                let number = self.number();
                self.spots.insert(outgoing.key.clone(), Spot::Held(number));
                self.lanes.entry(outgoing.lane()).or_default().insert(number);
                self.bytes += outgoing.message.len();
                self.held.insert(number, UnstoredMessage { outgoing, done: None, instead: Vec::new() });
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn waits_no_more(&mut self, lane: &Lane, number: u64) {
        if let Some(numbers) = self.lanes.get_mut(lane) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.lanes.remove(lane);
            }
        }
    }

    /// All messages, as they are to be put into the outbox.
    pub(in crate::engine) fn messages(&self) -> Vec<Outgoing> {
        self.held.values().map(|one| one.outgoing.clone()).collect()
    }

    /// These are in the outbox now.
    pub(in crate::engine) fn are_put(&mut self, messages: &[Outgoing]) {
        for Outgoing { key, .. } in messages {
            let Some(Spot::Held(number)) = self.spots.get(key).copied() else { continue };
            let Some(UnstoredMessage { outgoing, done, instead }) = self.held.remove(&number) else {
                continue;
            };
            self.puts += 1;
            self.put.insert(number, key.clone());
            if self.put.len() > MESSAGES_MAX {
                self.put.pop_first();
            }
            self.bytes -= outgoing.message.len();
            self.spots.remove(key);
            match done {
                Some((settled, at)) => self.is_done(outgoing, settled, at, instead),
                None => self.waits_no_more(&outgoing.lane(), number),
            }
        }
    }

    fn is_done(&mut self, outgoing: Outgoing, settled: Settled, at: Wall, instead: Vec<Outgoing>) {
        let number = self.number();
        self.spots.insert(outgoing.key.clone(), Spot::Settled);
        let done = Done { outgoing, place: OnceLock::new(), settled, at, instead };
        self.settled.insert(number, Arc::new(done));
    }

    /// Notes what came of a message. What is told in its stead waits here, or where there is no room until there is.
    fn settle(&mut self, outgoing: &Outgoing, at: Wall, settled: &Settled, instead: &[Outgoing]) {
        let (here, there) = if self.has_room() { (instead, &[][..]) } else { (&[][..], instead) };
        match self.spots.get(&outgoing.key).copied() {
            Some(Spot::Held(number)) => self.settle_held(number, at, settled, there),
            Some(Spot::Settled) => {}
            // It stands in the outbox as before.
            None if matches!(settled, Settled::Retry { .. }) => {}
            None => self.is_done(outgoing.clone(), settled.clone(), at, there.to_vec()),
        }
        self.hold(here.iter().cloned());
    }

    fn settle_held(&mut self, number: u64, at: Wall, settled: &Settled, instead: &[Outgoing]) {
        let Some(held) = self.held.get_mut(&number) else { return };
        if let Settled::Retry { due, .. } = settled {
            (held.outgoing.due, held.outgoing.tries) = (*due, held.outgoing.tries.saturating_add(1));
            return;
        }
        held.done = Some((settled.clone(), at));
        held.instead = instead.to_vec();
        let lane = held.outgoing.lane();
        self.waits_no_more(&lane, number);
    }

    /// Of a lane: what is settled, and as many as `most` of what waits here.
    fn of(&self, lane: &Lane, most: usize) -> Part {
        let of_lane = |done: &&Arc<Done>| {
            done.outgoing.notifier == lane.notifier && done.outgoing.recipient == lane.recipient
        };
        let numbers = self.lanes.get(lane).into_iter().flatten().take(most);
        Part {
            settled: self.settled.values().filter(of_lane).cloned().collect(),
            held: numbers.filter_map(|n| self.held.get(n)).map(|one| one.outgoing.clone()).collect(),
            may_send: self.may_send(),
            puts: self.puts,
        }
    }

    fn page(&self, query: &OutboxQuery) -> AlertsPage {
        let reached = query.before.and_then(|before| before.checked_sub(HELD_FROM));
        let before = query.before.map_or(u64::MAX, |before| before.saturating_sub(HELD_FROM));
        let is_meant =
            |one: &(&u64, &UnstoredMessage)| query.delivery.is_none_or(|wanted| one.1.delivery() == wanted);
        let held = self.held.range(..before).rev().filter(is_meant).take(query.limit);
        AlertsPage {
            held: held.map(|(number, one)| one.posted(HELD_FROM + number)).collect(),
            settled: self.settled.values().cloned().collect(),
            before: reached.and_then(|reached| self.put.range(reached..).next()).map(|(_, key)| key.clone()),
            puts: self.puts,
        }
    }
}

impl Done {
    fn posted(&self, place: u64) -> OutboxMessage {
        posted(place, &self.outgoing, Some((&self.settled, self.at)))
    }
}

impl UnstoredMessage {
    fn delivery(&self) -> DeliveryStatus {
        self.done.as_ref().map_or(DeliveryStatus::Pending, |(settled, _)| delivery(settled))
    }

    fn posted(&self, place: u64) -> OutboxMessage {
        posted(place, &self.outgoing, self.done.as_ref().map(|(settled, at)| (settled, *at)))
    }
}

/// A message as it is listed, with what came of it.
fn posted(place: u64, outgoing: &Outgoing, done: Option<(&Settled, Wall)>) -> OutboxMessage {
    let outgoing = outgoing.clone();
    let mut posted = OutboxMessage { place, outgoing, delivery: DeliveryStatus::Pending, reason: None };
    if let Some((settled, at)) = done {
        mark(&mut posted, settled, at);
    }
    posted
}

fn delivery(settled: &Settled) -> DeliveryStatus {
    match settled {
        Settled::Sent | Settled::Split { .. } => DeliveryStatus::Sent,
        Settled::Retry { .. } => DeliveryStatus::Pending,
        Settled::Failed { .. } | Settled::GivenUp { .. } => DeliveryStatus::Failed,
    }
}

/// Shows a message as it will stand in the outbox when it is on record what came of it.
fn mark(posted: &mut OutboxMessage, settled: &Settled, at: Wall) {
    let tries = u32::from(!matches!(settled, Settled::GivenUp { .. }));
    posted.delivery = delivery(settled);
    posted.outgoing.due = at;
    posted.outgoing.tries = posted.outgoing.tries.saturating_add(tries);
    posted.reason = match settled {
        Settled::Sent => None,
        Settled::Split { reason }
        | Settled::Retry { reason, .. }
        | Settled::Failed { reason }
        | Settled::GivenUp { reason } => Some(reason.say(Lang::En).to_string()),
    };
}

impl Engine {
    /// Alerts, newest first, those included that are not on record, and why they wait. It may wait for a disk.
    pub fn alerts(&self, query: &OutboxQuery) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut rows = self.list_alerts(query)?;
        self.say_why_held(&mut rows);
        Ok(rows)
    }

    fn list_alerts(&self, query: &OutboxQuery) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut spare = 0;
        loop {
            let AlertsPage { mut held, settled, before, puts } = lock(&self.unstored).page(query);
            if held.len() >= query.limit {
                return Ok(held);
            }
            let done: BTreeMap<&str, &Done> =
                settled.iter().map(|done| (done.outgoing.key.as_str(), &**done)).collect();
            // To the outbox these are still waiting.
            let gone = if query.delivery == Some(DeliveryStatus::Pending) { done.len() } else { 0 };
            let limit = query.limit.saturating_add(gone).saturating_add(spare);
            let mut asked = OutboxQuery { limit, ..query.clone() };
            if let Some(key) = before {
                let place = self.store.outbox_places(&[&key])?.into_iter().flatten().next();
                asked.before = place.or(asked.before);
            }
            let mut rows = self.store.outbox_list(&asked)?;
            let found = rows.len();
            {
                let unstored = lock(&self.unstored);
                if unstored.puts != puts {
                    continue;
                }
                rows.retain(|row| !unstored.holds(&row.outgoing.key));
            }
            let twice = found - rows.len();
            if found == limit && twice > spare {
                spare = twice;
                continue;
            }
            for row in &mut rows {
                let done = done.get(row.outgoing.key.as_str());
                // Since then it may have been put on record.
                if let Some(done) = done.filter(|_| row.delivery == DeliveryStatus::Pending) {
                    mark(row, &done.settled, done.at);
                }
            }
            rows.retain(|row| query.delivery.is_none_or(|wanted| row.delivery == wanted));
            self.add_done(&mut rows, &settled, &asked)?;
            held.extend(rows);
            held.truncate(query.limit);
            return Ok(held);
        }
    }

    /// Adds those that the outbox will list so when it is on record what came of them.
    fn add_done(
        &self,
        rows: &mut Vec<OutboxMessage>,
        settled: &[Arc<Done>],
        asked: &OutboxQuery,
    ) -> Result<(), StoreError> {
        let is_meant = |done: &&Arc<Done>| asked.delivery == Some(delivery(&done.settled));
        let meant: Vec<&Arc<Done>> = settled.iter().filter(is_meant).collect();
        let unseen: Vec<&Arc<Done>> =
            meant.iter().copied().filter(|done| done.place.get().is_none()).collect();
        let keys: Vec<&str> = unseen.iter().map(|done| done.outgoing.key.as_str()).collect();
        if !keys.is_empty() {
            for (done, place) in unseen.iter().zip(self.store.outbox_places(&keys)?) {
                place.into_iter().for_each(|place| _ = done.place.get_or_init(|| place));
            }
        }
        let listed: BTreeSet<u64> = rows.iter().map(|row| row.place).collect();
        let mut more: Vec<(u64, &Arc<Done>)> = meant
            .into_iter()
            .filter_map(|done| done.place.get().map(|place| (*place, done)))
            .filter(|(place, _)| asked.before.is_none_or(|before| *place < before) && !listed.contains(place))
            .collect();
        more.sort_by_key(|(place, _)| Reverse(*place));
        rows.extend(more.into_iter().take(asked.limit).map(|(place, done)| done.posted(place)));
        rows.sort_by_key(|row| Reverse(row.place));
        Ok(())
    }

    /// Without those that the outbox has, told or not. Where it cannot be read, better twice than never.
    fn not_in_outbox(&self, messages: Vec<Outgoing>) -> Vec<Outgoing> {
        if messages.is_empty() {
            return messages;
        }
        let keys: Vec<&str> = messages.iter().map(|one| one.key.as_str()).collect();
        let Ok(places) = self.store.outbox_places(&keys) else { return messages };
        let known = messages.into_iter().zip(places);
        known.filter(|(_, place)| place.is_none()).map(|(one, _)| one).collect()
    }

    /// Takes in messages that the tables would not take.
    pub(in crate::engine) fn hold_unstored(&self, messages: Vec<Outgoing>) {
        let messages = self.not_in_outbox(messages);
        if !messages.is_empty() {
            lock(&self.unstored).hold(messages);
            self.post.bell.notify_one();
        }
    }

    /// What waits in a lane, as many as `most`, in its order.
    pub(in crate::engine) fn waiting(&self, lane: &Lane, most: usize) -> Result<Waiting, StoreError> {
        loop {
            // One more than is wanted shows whether that is all.
            let Part { settled, held, may_send, puts } =
                lock(&self.unstored).of(lane, most.saturating_add(1));
            let done: BTreeSet<&str> = settled.iter().map(|done| done.outgoing.key.as_str()).collect();
            let wanted = most.saturating_add(done.len());
            let mut messages = self.store.outbox_next(lane, wanted)?;
            // Those that wait here come behind all others, so not before the last of these is seen.
            let all = messages.len() < wanted;
            {
                let unstored = lock(&self.unstored);
                if unstored.puts != puts {
                    // What was read may lack those that went there meanwhile.
                    continue;
                }
                messages.retain(|one| !done.contains(one.key.as_str()) && !unstored.holds(&one.key));
            }
            let stored = messages.len();
            if all {
                messages.extend(held);
            }
            let all = all && messages.len() <= most;
            messages.truncate(most);
            let from = if may_send { 0 } else { stored.min(most) };
            return Ok(Waiting { messages, from, all });
        }
    }

    /// How many messages wait in each lane.
    pub(in crate::engine) fn all_waiting(&self) -> Result<Vec<(Lane, u64)>, StoreError> {
        let mut lanes: BTreeMap<Lane, u64> = self.store.outbox_pending()?.into_iter().collect();
        let unstored = lock(&self.unstored);
        for one in unstored.settled.values() {
            if let Some(count) = lanes.get_mut(&one.outgoing.lane()) {
                *count = count.saturating_sub(1);
            }
        }
        for (lane, numbers) in &unstored.lanes {
            *lanes.entry(lane.clone()).or_default() += numbers.len() as u64;
        }
        lanes.retain(|_, count| *count > 0);
        Ok(lanes.into_iter().collect())
    }

    /// Notes what came of a message, on record if that can be done, and says once if it cannot.
    pub(in crate::engine) fn note(
        &self,
        outgoing: &Outgoing,
        now: Wall,
        settled: &Settled,
        instead: &[Outgoing],
    ) {
        let nothing_waits = lock(&self.unstored).is_empty();
        if nothing_waits {
            let entry = Entry::Settled { key: &outgoing.key, at: now, settled, instead };
            match self.store.apply(&[entry], Mark::None) {
                Ok(_) => return self.outbox_works(),
                Err(error) => self.outbox_failed(&error, now),
            }
        }
        let instead = self.not_in_outbox(instead.to_vec());
        lock(&self.unstored).settle(outgoing, now, settled, &instead);
    }

    /// Puts on record what came of messages that are in the outbox.
    pub(in crate::engine) fn record_settled(&self) -> Result<(), StoreError> {
        loop {
            let first =
                lock(&self.unstored).settled.first_key_value().map(|(number, done)| (*number, done.clone()));
            let Some((number, done)) = first else { break };
            let Done { outgoing: Outgoing { key, .. }, settled, at, instead, .. } = &*done;
            self.store.apply(&[Entry::Settled { key, at: *at, settled, instead }], Mark::None)?;
            let unstored = &mut lock(&self.unstored);
            unstored.settled.remove(&number);
            unstored.spots.remove(key);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "unstored_tests.rs"]
mod tests;
