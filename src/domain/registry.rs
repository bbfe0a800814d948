//! All monitors of one shard and what is known of each: the pure core of the product.
//!
//! Beats go in with [`Registry::handle`], people's wishes with [`Registry::control`], time with
//! [`Registry::handle_timeout`]. Whatever changes a monitor yields a [`Record`] of how it then stands, given to the
//! caller's `keep` before anybody is told; what is to be told comes out of [`Registry::poll_event`], and
//! [`Registry::poll_deadline`] says when time will next matter. Nothing here reads a clock or waits.
//!
//! A monitor is one row of a table (`row`); an open-addressing index over the rows finds it by id, and the [`Wheel`]
//! finds it when its time is up. A beat that comes in time touches only its row. `orders` is what people and calendars do,
//! `ask` answers questions, and `recover` puts a registry together again after a start and
//! forgives time in which nobody listened.

mod changes;
mod commands;
mod contention;
mod messages;
mod query;
mod recover;
mod rivals;
mod row;
mod snapshot;

use super::beat::{Beat, Source, Status, Transport};
use super::governor::{Load, STRETCHED_INTERVAL_MAX, Sight, Step};
use super::id::{Id, IdRef};
use super::index::Index;
use super::limits::{LASTING, MESSAGE_SHORT_BYTES};
use super::notice::State;
use super::policy::Defaults;
use super::record::{Change, Pause, PausedBy, Reason, Record};
use super::rules::Rules;
use super::time::{Mono, Now, Span, Wall};
use super::wheel::Wheel;
pub use commands::CommandRefusal;
use messages::Messages;
pub use query::MonitorView;
pub use rivals::Conflict;
use rivals::Evidence;
use row::{Flags, Monitor, NEVER, Own, Taken};
pub use snapshot::{Cursor, Declaration, ListPosition, MonitorCommand, Order, Snapshot};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// An id and its hash. The hash is made outside, by a seeded hasher, since ids come from strangers and nothing random
/// happens in here; equal ids must come with equal hashes.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The id.
    pub id: IdRef<'a>,
    /// 32 bits of its hash.
    pub hash: u32,
}

/// A beat for a monitor.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Whom it is for.
    pub monitor: Name<'a>,
    /// What it says.
    pub beat: &'a Beat<'a>,
    /// Where it came from.
    pub source: Source,
    /// Whether its sender is told the interval that we want of it.
    pub follows_interval: bool,
    /// The number of the monitor to be made where the id is unknown; `None`: none may be made.
    pub create: Option<u64>,
}

/// What the sender of a beat is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The interval we want of it.
    pub interval: Span,
    /// The grace after it.
    pub grace: Span,
    /// Whether the beat brought its monitor into being.
    pub created: bool,
    /// The earliest deadline this beat set, if it may lie before all others.
    pub deadline: Option<Mono>,
}

/// The monitor does not exist and might not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// A change of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Whose.
    pub monitor: Id,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// When, on the wall clock.
    pub at: Wall,
    /// The last beat before it.
    pub last_beat: Option<Wall>,
    /// How long the monitor had been silent.
    pub silent: Span,
    /// Why it went down; or, when it came up, had been down.
    pub reason: Option<Reason>,
    /// Whether it is one of too many in this hour, to be counted only.
    pub muted: bool,
    /// The deadline that passed, where that was the reason.
    pub deadline: Option<Mono>,
}

/// Something that has just happened.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitorEvent {
    /// A monitor changed its state.
    Change(Transition),
    /// A monitor was made by its first beat or by a person.
    Made(Id),
    /// A monitor was removed by a person, or forgotten.
    Removed(Id),
    /// Two senders use the id of a monitor.
    Conflict(Id, Conflict),
}

/// How many monitors are in each state, in the order of [`State::ALL`].
pub type Counts = [u64; State::ALL.len()];

/// What must be remembered while records are read.
#[derive(Debug, Default)]
struct Loading {
    /// Monitors that were removed, by number: an older record of one may be read later.
    buried: HashSet<u64>,
    /// Which version's details each row has.
    detailed: Vec<u64>,
}

/// One shard's monitors.
#[derive(Debug)]
pub struct Registry {
    defaults: Defaults,
    rules: Arc<Rules>,
    monitors: Vec<Monitor>,
    /// Rows that hold no monitor any more.
    vacant: Vec<u32>,
    /// Rows by the hash of their ids.
    index: Index,
    wheel: Wheel,
    counts: Counts,
    events: VecDeque<MonitorEvent>,
    /// What is asked of senders; `None`: there is no governor, and nothing is counted for it.
    wish: Option<Step>,
    /// What has come since the governor last looked.
    load: Load,
    messages: Messages,
    /// Only while a registry is put together again.
    loading: Option<Box<Loading>>,
}

impl Registry {
    /// An empty registry.
    pub fn new(now: Now, defaults: Defaults, rules: Arc<Rules>) -> Registry {
        Registry {
            defaults,
            rules,
            monitors: Vec::new(),
            vacant: Vec::new(),
            index: Index::default(),
            wheel: Wheel::new(now.mono),
            counts: [0; State::ALL.len()],
            events: VecDeque::new(),
            wish: None,
            load: Load::default(),
            messages: Messages::default(),
            loading: None,
        }
    }

    /// Takes a beat in. O(1).
    pub fn handle(
        &mut self,
        now: Now,
        arrival: Arrival<'_>,
        keep: &mut impl FnMut(&Record<'_>),
    ) -> Result<Receipt, Unknown> {
        let Arrival { monitor, beat, source, follows_interval, create } = arrival;
        let (key, created) = match (self.find(monitor), create) {
            (Some(key), _) => (key, false),
            (None, Some(number)) => (self.create(now, monitor, number, source, keep), true),
            (None, None) => return Err(Unknown),
        };
        let row = &mut self.monitors[key as usize];
        if row.source.transport == Transport::Tcp && row.outgrows(beat, source) {
            row.apply_rules(&self.rules, &self.defaults, Own::NONE);
        }
        let rule = self.rules.get(row.rule);
        let verdict = beat.status.verdict();
        let was = row.visible();
        let message_bytes = if beat.message.is_some() { row.long_message_bytes() } else { 0 };
        let armed = row.deadline;
        // Who says that it fails has not been silent.
        let heard = if verdict == Some(false) { now.mono } else { row.last_mono };
        let governed = self.wish.is_some() || row.asked.is_stretched();
        let (last, told, interval) = (row.last_mono, row.held(), row.interval);
        let before = row.source.peer;
        let Taken { mut detailed, again } = row.take(now, monitor.id, beat, source, (rule, &self.defaults));
        if beat.message.is_some() {
            self.messages.replaced(message_bytes, row.long_message_bytes());
        }
        let over = verdict.and_then(|_| row.end_runs(now, beat.rid));
        let ended = over.is_some();
        detailed |= ended;
        if governed {
            // Neither a schedule nor a run can be stretched, and who fails is to be heard of soon.
            let by_interval = rule.is_none_or(|rule| rule.schedule.is_none())
                && row.interval <= STRETCHED_INTERVAL_MAX
                && !(ended || beat.rid.is_some() || row.is_running());
            let may = follows_interval && verdict == Some(true) && by_interval;
            let sight = Sight { gap: now.mono.since(last), told, interval, beats: row.beats, may };
            self.load.add(row.asked.beat(sight, self.wish.unwrap_or_default()));
        }
        let deadline = match verdict {
            Some(true) => {
                // A run that was begun while it was down and never ended is no reason to be down again.
                if row.state == State::Down {
                    detailed |= row.drop_overdue_runs(now);
                }
                row.forgive_overrun();
                row.state = State::Up;
                row.due(now, rule)
            }
            Some(false) => {
                // Who goes on failing is told of no later for it.
                let waits = row.state == State::Down && !row.has_incident();
                row.state = State::Down;
                let forgotten_at = row.forgotten_at(rule, &self.defaults);
                if waits { forgotten_at.min(armed) } else { forgotten_at }
            }
            None if beat.status == Status::Start => {
                row.start_run(now, beat.rid, rule);
                detailed = true;
                // Its slot has come and so has it; whether it does its work is seen at the end.
                if row.state == State::Late {
                    row.state = State::Up;
                }
                if row.state == State::Down { armed } else { row.due(now, rule) }
            }
            // A mere message proves nothing yet; but who has never been well must become so.
            None if row.state == State::New && (armed == NEVER || row.beats == 1) => row.due(now, rule),
            None => armed,
        };
        if !row.is_paused() {
            row.deadline = deadline;
        }
        let (interval, grace) = (row.held(), row.grace);
        let silent = now.mono.since(heard);
        let mut change = self.compare(now, key, was, silent, None);
        let row = &mut self.monitors[key as usize];
        let failed_again = change == Change::None && was == State::Down && verdict == Some(false);
        let told = failed_again && row.has_incident() && self.rules.tell_failures(row.rule);
        if told && row.count_failure(now) {
            change = Change::Failed;
        }
        row.flags.set(Flags::UNSAVED, true);
        // What it said of a change must be known to be of that beat, though it has said the same before.
        detailed |= change != Change::None && beat.message.is_some();
        if detailed {
            let version = row.version();
            row.rare().version = version;
        }
        keep(&row.record(now.wall, monitor.id, change, detailed));
        // The wheel looks no later than at the deadline it knew, so it need hear only of an earlier one.
        let earlier = (row.deadline < armed).then_some(row.deadline);
        if let Some(deadline) = earlier {
            self.wheel.file(key, deadline);
        }
        if again && before != source.peer {
            self.suspect(now, key, [before, source.peer], Evidence::Hint);
        }
        if let Some(rival) = over.flatten() {
            self.suspect(now, key, [rival, source.peer], Evidence::Proof);
        }
        if beat.message.is_some() && self.messages.overflow() {
            self.cut_messages();
        }
        Ok(Receipt { interval, grace, created, deadline: earlier })
    }

    /// When [`Registry::handle_timeout`] has something to do; never later than the first deadline.
    pub fn poll_deadline(&self) -> Option<Mono> {
        self.wheel.next()
    }

    /// Judges those whose time is up, at most `most` of them; true when more are waiting.
    pub fn handle_timeout(&mut self, now: Now, most: usize, keep: &mut impl FnMut(&Record<'_>)) -> bool {
        for _ in 0..most {
            let monitors = &self.monitors;
            let deadline_of = |key: u32| Some(monitors[key as usize].deadline).filter(|d| *d != NEVER);
            let Some(key) = self.wheel.pop(now.mono, deadline_of) else { return false };
            self.judge(now, key, keep);
        }
        true
    }

    /// The next thing that nobody has been told of yet.
    pub fn poll_event(&mut self) -> Option<MonitorEvent> {
        self.events.pop_front()
    }

    /// Asks senders for a stretched interval from now on (`None`: there is no governor).
    pub fn ask(&mut self, wish: Option<Step>) {
        self.wish = wish;
    }

    /// What has come since this was last asked.
    pub fn take_load(&mut self) -> Load {
        std::mem::take(&mut self.load)
    }

    /// How many monitors there are.
    pub fn len(&self) -> usize {
        self.monitors.len() - self.vacant.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are in each state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// One monitor.
    pub fn get(&self, now: Now, name: Name<'_>) -> Option<Snapshot> {
        self.find(name).map(|key| self.monitors[key as usize].snapshot(now, &self.rules))
    }

    /// Visits monitors that changed since they were last visited so, from row `from` on to the first one whose number is
    /// `below` or more; returns where to go on, `None` at the end. Numbers mostly grow with the rows.
    pub fn unsaved(
        &mut self,
        now: Now,
        from: usize,
        below: u64,
        visit: &mut impl FnMut(&Record<'_>),
    ) -> Option<usize> {
        for (key, row) in self.monitors.iter_mut().enumerate().skip(from) {
            if row.number >= below {
                return Some(key);
            }
            if !row.is_vacant() && row.flags.has(Flags::UNSAVED) {
                row.flags.set(Flags::UNSAVED, false);
                visit(&row.record(now.wall, row.id.as_ref(), Change::None, true));
            }
        }
        None
    }

    /// Visits all monitors, without their details.
    pub fn visit(&self, now: Now, visit: &mut impl FnMut(&Record<'_>)) {
        for row in self.monitors.iter().filter(|row| !row.is_vacant()) {
            visit(&row.record(now.wall, row.id.as_ref(), Change::None, false));
        }
    }

    /// Takes back what [`Registry::unsaved`] assumed: nothing of it was saved.
    pub fn mark_unsaved(&mut self) {
        for row in &mut self.monitors {
            row.flags.set(Flags::UNSAVED, true);
        }
    }

    fn find(&self, name: Name<'_>) -> Option<u32> {
        let id = name.id.as_str().as_bytes();
        self.index.find(name.hash, |key| self.monitors[key as usize].id.as_bytes() == id)
    }

    /// Puts a row in its place.
    fn insert(&mut self, row: Monitor) -> u32 {
        let hash = row.hash;
        self.counts[row.visible() as usize] += 1;
        let key = match self.vacant.pop() {
            Some(key) => {
                self.monitors[key as usize] = row;
                key
            }
            None => {
                self.monitors.push(row);
                self.monitors.len() as u32 - 1
            }
        };
        self.index.insert(hash, key);
        key
    }

    fn create(
        &mut self,
        now: Now,
        name: Name<'_>,
        number: u64,
        source: Source,
        keep: &mut impl FnMut(&Record<'_>),
    ) -> u32 {
        let mut row = Monitor::new(now, name.id.to_id(), name.hash, number, source);
        row.apply_rules(&self.rules, &self.defaults, Own::NONE);
        row.deadline = row.first_beat_until(now, self.rules.get(row.rule), &self.defaults);
        self.events.push_back(MonitorEvent::Made(row.id.clone()));
        let key = self.insert(row);
        self.insert_deadline(key);
        self.write_record(now, key, Change::Created, keep);
        self.hold_window(now, key, keep);
        key
    }

    fn remove(&mut self, now: Now, key: u32, keep: &mut impl FnMut(&Record<'_>)) {
        self.write_record(now, key, Change::Removed, keep);
        let gone = self.clear(now, key);
        self.events.push_back(MonitorEvent::Removed(gone.id));
    }

    /// Takes a row out and leaves its place vacant.
    fn clear(&mut self, now: Now, key: u32) -> Monitor {
        let vacant = Monitor::new(now, Id::nobody(), 0, 0, self.monitors[key as usize].source);
        let gone = std::mem::replace(&mut self.monitors[key as usize], vacant);
        self.counts[gone.visible() as usize] -= 1;
        self.messages.replaced(gone.long_message_bytes(), 0);
        self.index.remove(gone.hash, key);
        self.wheel.unfile(key);
        self.vacant.push(key);
        gone
    }
}

impl Registry {
    /// Sets how many bytes the longer messages of its monitors may have together.
    pub fn bound_messages(&mut self, bytes_max: usize) {
        self.messages.bytes_max = bytes_max;
        if self.messages.overflow() {
            self.cut_messages();
        }
    }

    /// Cuts the oldest messages. It frees an eighth of the whole besides, because all rows are looked at for it.
    pub(super) fn cut_messages(&mut self) {
        let wanted = self.messages.bytes_max / 8 * 7;
        let long = self.monitors.iter().enumerate().filter(|(_, row)| row.long_message_bytes() > 0);
        let mut rows: Vec<(Option<Wall>, usize)> = long.map(|(key, row)| (row.message_at(), key)).collect();
        rows.sort_unstable();
        for (_, key) in rows {
            if self.messages.bytes <= wanted {
                return;
            }
            let row = &mut self.monitors[key];
            self.messages.replaced(row.long_message_bytes(), 0);
            row.cut_message(MESSAGE_SHORT_BYTES);
        }
    }
}

#[cfg(test)]
mod tests;
