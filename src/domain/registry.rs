//! All monitors of one shard and what is known of each: the pure core of the product.
//!
//! Beats go in with [`Registry::handle`], time with [`Registry::handle_timeout`]; changes of state come out of
//! [`Registry::poll_transition`], and [`Registry::poll_deadline`] says when time will next matter. Nothing here reads a
//! clock or waits. A monitor is one row of a table; an open-addressing index over the rows finds it by id, and the
//! [`Wheel`] finds it when its time is up. A beat that comes in time touches only its row.

use super::address::Peer;
use super::beat::{Beat, Source, Status, Transport};
use super::id::{Id, IdRef};
use super::notice::State;
use super::time::{Mono, Now, Span, Wall};
use super::wheel::Wheel;
use hashbrown::HashTable;
use std::collections::{BinaryHeap, VecDeque};

/// What a monitor is held to when neither it nor a rule says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Time between two beats.
    pub interval: Span,
    /// Time after that before it is down.
    pub grace: Span,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults { interval: Span::secs(60), grace: Span::secs(30) }
    }
}

/// An id and its hash. The hash is made outside, by a seeded hasher, since ids come from strangers and nothing random
/// happens in here; equal ids must come with equal hashes.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The id.
    pub id: IdRef<'a>,
    /// 32 bits of its hash.
    pub hash: u32,
}

/// What can happen to a registry.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A beat for `monitor`.
    Beat {
        /// Whom it is for.
        monitor: Name<'a>,
        /// What it says.
        beat: &'a Beat<'a>,
        /// Where it came from.
        source: Source,
        /// Whether an unknown monitor may be made for it.
        create: bool,
    },
}

/// What the sender of a beat is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The interval we want of it.
    pub interval: Span,
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
}

/// A monitor as the API, the page and the metrics show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// Its last beat.
    pub last_beat: Option<Wall>,
    /// When its state will change if nothing is heard.
    pub next_deadline: Option<Wall>,
    /// Time between two beats.
    pub interval: Span,
    /// Time after that before it is down.
    pub grace: Span,
    /// Where its last beat came from.
    pub address: Peer,
    /// The address it reported.
    pub reported_ip: Option<String>,
    /// How its last beat came.
    pub transport: Transport,
    /// Beats received.
    pub beats: u64,
    /// Its own counter.
    pub seq: Option<u64>,
    /// Beats missing by that counter.
    pub gaps: u64,
    /// What its last beat said.
    pub status: Status,
    /// The last text it sent.
    pub message: Option<String>,
    /// Its labels.
    pub tags: Vec<String>,
}

/// How many monitors are in each state, in the order of [`State::ALL`].
pub type Counts = [u64; State::ALL.len()];

/// A deadline that nobody has; later than all that anybody has.
const NEVER: Mono = Mono(u64::MAX);

/// A row. What every beat touches comes first and lies together: with many monitors a beat costs mostly the memory it
/// has to wait for.
#[derive(Debug)]
#[repr(C)]
struct Monitor {
    id: Id,
    /// When the state changes next if nothing is heard; [`NEVER`] where it does not.
    deadline: Mono,
    interval: Span,
    last_wall: Wall,
    last_mono: Mono,
    beats: u64,
    source: Source,
    status: Status,
    state: State,
    /// Whether the address it last reported is its id, as with senders that give no other name.
    reports_id: bool,
    /// The address it last reported, where that is not its id.
    reported_ip: Option<Box<Id>>,
    seq: Option<u64>,
    gaps: u64,
    since: Wall,
    grace: Span,
    /// What few monitors have.
    rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
struct Rare {
    message: Option<Box<str>>,
    tags: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    key: u32,
}

impl Entry {
    /// The table wants 64 bits and looks at both ends of them.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// One shard's monitors.
#[derive(Debug)]
pub struct Registry {
    defaults: Defaults,
    monitors: Vec<Monitor>,
    /// Rows by hash. The hash is kept, so that growing the table and passing over a stranger touch no row.
    index: HashTable<Entry>,
    wheel: Wheel,
    counts: Counts,
    transitions: VecDeque<Transition>,
}

impl Registry {
    /// An empty registry.
    pub fn new(now: Now, defaults: Defaults) -> Registry {
        Registry {
            defaults,
            monitors: Vec::new(),
            index: HashTable::new(),
            wheel: Wheel::new(now.mono),
            counts: [0; State::ALL.len()],
            transitions: VecDeque::new(),
        }
    }

    /// What new monitors are held to from now on.
    pub fn set_defaults(&mut self, defaults: Defaults) {
        self.defaults = defaults;
    }

    /// Takes an event in. O(1).
    pub fn handle(&mut self, now: Now, event: Event<'_>) -> Result<Receipt, Unknown> {
        let Event::Beat { monitor, beat, source, create } = event;
        let (key, created) = match self.find(monitor) {
            Some(key) => (key, false),
            None if create => (self.create(now, monitor, source), true),
            None => return Err(Unknown),
        };
        let row = &mut self.monitors[key as usize];
        // Who says that it fails has not been silent.
        let heard = if beat.status.verdict() == Some(false) { now.mono } else { row.last_mono };
        row.take(now, monitor.id, beat, source);
        let was = row.state;
        let armed = row.deadline;
        match beat.status.verdict() {
            Some(true) => {
                row.state = State::Up;
                row.deadline = now.mono.after(row.interval);
            }
            Some(false) => {
                row.state = State::Down;
                row.deadline = NEVER;
            }
            // A run that begins, or a mere message, proves nothing yet; but who has never been well must become so.
            None if row.state == State::New && armed == NEVER => {
                row.deadline = now.mono.after(row.interval);
            }
            None => {}
        }
        let (state, deadline, interval) = (row.state, row.deadline, row.interval);
        if state != was {
            self.moved(now, key, was, state, now.mono.since(heard));
        }
        // The wheel looks no later than at the deadline it knew, so it need hear only of an earlier one.
        let earlier = (deadline < armed).then_some(deadline);
        if let Some(deadline) = earlier {
            self.wheel.file(key, deadline);
        }
        Ok(Receipt { interval, created, deadline: earlier })
    }

    /// When [`Registry::handle_timeout`] has something to do; never later than the first deadline.
    pub fn poll_deadline(&self) -> Option<Mono> {
        self.wheel.next()
    }

    /// Judges those whose time is up, at most `most` of them; true when more are waiting.
    pub fn handle_timeout(&mut self, now: Now, most: usize) -> bool {
        for _ in 0..most {
            let monitors = &self.monitors;
            let deadline_of = |key: u32| Some(monitors[key as usize].deadline).filter(|d| *d != NEVER);
            let Some(key) = self.wheel.pop(now.mono, deadline_of) else { return false };
            let row = &mut self.monitors[key as usize];
            let was = row.state;
            match was {
                State::Up | State::New if row.grace > Span(0) => {
                    row.state = State::Late;
                    row.deadline = row.deadline.after(row.grace);
                }
                State::Up | State::New | State::Late => {
                    row.state = State::Down;
                    row.deadline = NEVER;
                }
                State::Down | State::Paused => row.deadline = NEVER,
            }
            let (state, deadline, silent) = (row.state, row.deadline, now.mono.since(row.last_mono));
            if state != was {
                self.moved(now, key, was, state, silent);
            }
            if deadline != NEVER {
                self.wheel.file(key, deadline);
            }
        }
        true
    }

    /// The next change of state that nobody has fetched yet.
    pub fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// How many monitors there are.
    pub fn len(&self) -> usize {
        self.monitors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.monitors.is_empty()
    }

    /// How many are in each state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// One monitor.
    pub fn get(&self, now: Now, name: Name<'_>) -> Option<Snapshot> {
        self.find(name).map(|key| self.monitors[key as usize].snapshot(now))
    }

    /// The first `limit` monitors by id after `after` that `wanted` accepts.
    pub fn list(
        &self,
        now: Now,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&str, State) -> bool,
    ) -> Vec<Snapshot> {
        let mut first: BinaryHeap<(&str, u32)> = BinaryHeap::new();
        for (key, row) in self.monitors.iter().enumerate() {
            let id = row.id.as_str();
            if after.is_some_and(|a| id <= a) || !wanted(id, row.state) {
                continue;
            }
            if first.len() < limit {
                first.push((id, key as u32));
            } else if let Some(mut last) = first.peek_mut().filter(|last| id < last.0) {
                *last = (id, key as u32);
            }
        }
        first
            .into_sorted_vec()
            .into_iter()
            .map(|(_, key)| self.monitors[key as usize].snapshot(now))
            .collect()
    }

    fn find(&self, name: Name<'_>) -> Option<u32> {
        let is_it = |e: &Entry| {
            e.hash == name.hash && self.monitors[e.key as usize].id.as_bytes() == name.id.as_str().as_bytes()
        };
        self.index.find(Entry::spread(name.hash), is_it).map(|e| e.key)
    }

    fn create(&mut self, now: Now, name: Name<'_>, source: Source) -> u32 {
        let key = self.monitors.len() as u32;
        self.monitors.push(Monitor {
            id: name.id.to_id(),
            state: State::New,
            status: Status::Ok,
            source,
            since: now.wall,
            last_wall: now.wall,
            last_mono: now.mono,
            deadline: NEVER,
            interval: self.defaults.interval,
            grace: self.defaults.grace,
            beats: 0,
            seq: None,
            gaps: 0,
            reports_id: false,
            reported_ip: None,
            rare: None,
        });
        let entry = Entry { hash: name.hash, key };
        self.index.insert_unique(Entry::spread(name.hash), entry, |e| Entry::spread(e.hash));
        self.counts[State::New as usize] += 1;
        key
    }

    fn moved(&mut self, now: Now, key: u32, from: State, to: State, silent: Span) {
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
        let row = &mut self.monitors[key as usize];
        row.since = now.wall;
        // The first beat of a monitor is no news to anybody who is told of changes.
        if from == State::New && to == State::Up {
            return;
        }
        self.transitions.push_back(Transition {
            monitor: row.id.clone(),
            from,
            to,
            at: now.wall,
            last_beat: (row.beats > 0).then_some(row.last_wall),
            silent,
        });
    }
}

impl Monitor {
    /// Writes down what a beat says, its verdict apart.
    fn take(&mut self, now: Now, monitor: IdRef<'_>, beat: &Beat<'_>, source: Source) {
        self.beats += 1;
        self.last_wall = now.wall;
        self.last_mono = now.mono;
        self.source = source;
        self.status = beat.status;
        if let Some(interval) = beat.interval {
            self.interval = interval;
        }
        if let Some(grace) = beat.grace {
            self.grace = grace;
        }
        if let Some(seq) = beat.seq {
            // A counter that falls back was restarted; only a forward jump is a gap.
            let ahead = self.seq.and_then(|last| seq.checked_sub(last)).unwrap_or(0);
            self.gaps = self.gaps.saturating_add(ahead.saturating_sub(1));
            self.seq = Some(seq);
        }
        if let Some(ip) = beat.ip {
            self.reports_id = ip == monitor;
            let known =
                self.reported_ip.as_ref().is_some_and(|known| known.as_bytes() == ip.as_str().as_bytes());
            if self.reports_id {
                self.reported_ip = None;
            } else if !known {
                self.reported_ip = Some(Box::new(ip.to_id()));
            }
        }
        if beat.message.is_some() || beat.tags.is_some() {
            let rare = self.rare.get_or_insert_default();
            if let Some(message) = beat.message {
                rare.message = (!message.is_empty()).then(|| message.into());
            }
            if let Some(tags) = beat.tags {
                rare.tags = tags.iter().map(|t| t.as_ref().into()).collect();
            }
        }
    }

    fn snapshot(&self, now: Now) -> Snapshot {
        let wall_of = |at: Mono| Wall(now.wall.0 + at.0 as i64 - now.mono.0 as i64);
        Snapshot {
            id: self.id.as_str().into(),
            state: self.state,
            since: self.since,
            last_beat: (self.beats > 0).then_some(self.last_wall),
            next_deadline: Some(self.deadline).filter(|d| *d != NEVER).map(wall_of),
            interval: self.interval,
            grace: self.grace,
            address: self.source.peer,
            reported_ip: self
                .reported_ip
                .as_deref()
                .or(self.reports_id.then_some(&self.id))
                .map(|ip| ip.as_str().into()),
            transport: self.source.transport,
            beats: self.beats,
            seq: self.seq,
            gaps: self.gaps,
            status: self.status,
            message: self.rare.as_ref().and_then(|r| r.message.as_deref()).map(Into::into),
            tags: self.rare.iter().flat_map(|r| r.tags.iter().map(|t| t.to_string())).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
