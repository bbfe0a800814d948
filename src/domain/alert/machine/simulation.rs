//! The machine in a world of its own, from a seed: monitors fall silent, fail, flap, are paused, removed and come back;
//! the program is killed between any two steps and goes on from what was put on record. What was told is then compared
//! with what happened.

use super::{Lookup, Machine};
use crate::domain::address::Peer;
use crate::domain::alert::entry::{HOUR, SAID_MAX, after};
use crate::domain::alert::message::{Message, MessageKind};
use crate::domain::alert::{AlertPolicy, Notifier};
use crate::domain::beat::{Source, Status, Transport};
use crate::domain::id::IdRef;
use crate::domain::notice::State;
use crate::domain::pattern::Pattern;
use crate::domain::record::{Cause, Change, OpenIncident, Record, incident_id};
use crate::domain::registry::{Counts, Snapshot};
use crate::domain::rules::{Match, Rule, Rules};
use crate::domain::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod judged;
mod story;

const START: i64 = 1_770_000_000_000;

/// Numbers from a seed (xorshift64*).
struct Xorshift(u64);

impl Xorshift {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Debug)]
pub(super) struct SimulatedMonitor {
    id: String,
    number: u64,
    version: u64,
    beats: u64,
    last_beat: Wall,
    status: Status,
    /// Beneath a pause.
    state: State,
    paused: bool,
    since: Wall,
    incident: Option<OpenIncident>,
    /// When its last pause ended, which flapping outlasts.
    resumed: Wall,
    gone: bool,
}

impl SimulatedMonitor {
    pub(super) fn visible(&self) -> State {
        if self.paused { State::Paused } else { self.state }
    }

    pub(super) fn record(&self, at: Wall, change: Change) -> Record<'_> {
        Record {
            id: IdRef::new(&self.id).unwrap(),
            number: self.number,
            version: self.version,
            at,
            change,
            state: self.visible(),
            beneath: self.state,
            since: self.since,
            last_beat: Some(self.last_beat),
            beats: self.beats,
            status: self.status,
            source: source(self.number),
            sequence: None,
            interval: Span::secs(60),
            asked: None,
            grace: Span::secs(30),
            incident: self.incident,
            details: None,
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            id: self.id.clone(),
            state: self.visible(),
            since: self.since,
            last_beat: Some(self.last_beat),
            next_deadline: None,
            slot: None,
            never_heard: false,
            interval: Span::secs(60),
            asked: None,
            grace: Span::secs(30),
            address: source(self.number).peer,
            reported_ip: None,
            transport: Transport::Http,
            beats: self.beats,
            seq: None,
            gaps: 0,
            repeats: 0,
            status: Status::Ok,
            message: None,
            message_at: None,
            message_beat: 0,
            tags: vec!["a".into()],
            number: self.number,
            version: self.version,
            beneath: self.state,
            pause: None,
            incident: self.incident.map(|one| (incident_id(self.number, one.beats), one.started, one.reason)),
            skew_ms: None,
            runs: Vec::new(),
            run_took: None,
            schedule: None,
            declared: false,
            conflict: None,
        }
    }
}

pub(super) fn source(number: u64) -> Source {
    let ip = [10, 0, (number % 3) as u8, (number % 250) as u8];
    Source { peer: Peer::from_ip(ip.into()), transport: Transport::Http }
}

/// A finished or open incident as it really was.
#[derive(Clone, Debug)]
struct Truth {
    monitor: String,
    name: String,
    started: Wall,
    ended: Option<Wall>,
    /// Paused, covered or removed at some time of it, or while it was to be told.
    special: bool,
}

pub(super) struct World {
    pub(super) now: Wall,
    pub(super) monitors: Vec<SimulatedMonitor>,
    rules: Arc<Rules>,
    policy: Arc<AlertPolicy>,
    /// Records, as the log has them: monitor as it then was.
    pub(super) log: Vec<(SimulatedMonitor, Wall, Change)>,
    next_number: u64,
    truths: Vec<Truth>,
    pub(super) machine: Machine,
    read: usize,
    /// What is on record: alert_states, and the place in the log.
    pub(super) kept: (BTreeMap<u64, String>, usize),
    pub(super) told: Vec<(Wall, Message)>,
    /// At each message, who of those it names was paused then.
    wrong: Vec<String>,
}

impl Lookup for Vec<SimulatedMonitor> {
    fn monitor(&self, id: &str) -> Option<Snapshot> {
        self.iter().find(|one| one.id == id && !one.gone).map(SimulatedMonitor::snapshot)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.iter().filter(|one| !one.gone).for_each(|one| counts[one.visible() as usize] += 1);
        counts
    }
}

pub(super) fn rule(id: &str, notify: &[&str], after: &[&str]) -> Rule {
    let mut rule = Rule::new(Match::Id(Pattern::parse(id).unwrap()));
    rule.notify = (!notify.is_empty()).then(|| notify.iter().map(ToString::to_string).collect());
    rule.after = after.iter().map(ToString::to_string).collect();
    rule
}

pub(super) fn notifier(name: &str, group_wait_s: u64, min_down_s: u64, remind_s: Option<u64>) -> Notifier {
    Notifier {
        group_wait: Span::secs(group_wait_s),
        min_down: Span::secs(min_down_s),
        remind_every: remind_s.map(Span::secs),
        ..Notifier::new(name)
    }
}

impl World {
    pub(super) fn new(ids: &[&str], rules: Vec<Rule>, policy: AlertPolicy) -> World {
        let now = Wall(START);
        let (rules, policy) = (Arc::new(Rules::new(rules)), Arc::new(policy));
        let mut world = World {
            now,
            monitors: Vec::new(),
            machine: Machine::new(now, policy.clone(), rules.clone(), []),
            rules,
            policy,
            log: Vec::new(),
            next_number: 1,
            truths: Vec::new(),
            read: 0,
            kept: (BTreeMap::new(), 0),
            told: Vec::new(),
            wrong: Vec::new(),
        };
        for id in ids {
            world.make(id);
        }
        world
    }

    pub(super) fn make(&mut self, id: &str) {
        let monitor = SimulatedMonitor {
            id: id.to_string(),
            number: self.next_number,
            version: 1,
            beats: 1,
            last_beat: self.now,
            status: Status::Ok,
            state: State::Up,
            paused: false,
            since: self.now,
            incident: None,
            resumed: Wall(0),
            gone: false,
        };
        self.next_number += 1;
        self.log.push((monitor.clone(), self.now, Change::Created));
        match self.monitors.iter_mut().find(|one| one.id == id) {
            Some(place) => *place = monitor,
            None => self.monitors.push(monitor),
        }
    }

    pub(super) fn place(&self, id: &str) -> usize {
        self.monitors.iter().position(|one| one.id == id).unwrap()
    }

    pub(super) fn write(&mut self, n: usize, from: State) {
        let monitor = &mut self.monitors[n];
        monitor.version += 1;
        self.log.push((monitor.clone(), self.now, Change::State { from, muted: false }));
    }

    pub(super) fn down(&mut self, n: usize, cause: Cause) {
        let now = self.now;
        let monitor = &mut self.monitors[n];
        if monitor.gone || monitor.paused || monitor.state == State::Down {
            return;
        }
        let from = monitor.visible();
        if cause == Cause::Fail {
            (monitor.beats, monitor.last_beat) = (monitor.beats + 1, now);
        }
        (monitor.state, monitor.since) = (State::Down, now);
        monitor.incident = Some(OpenIncident { beats: monitor.beats, started: now, reason: cause.into() });
        let special = now < after(monitor.resumed, Span(3 * HOUR.0));
        let (monitor, name) = (monitor.id.clone(), incident_id(monitor.number, monitor.beats));
        self.truths.push(Truth { monitor, name, started: now, ended: None, special });
        self.write(n, from);
    }

    /// One that is down fails again, each time with another exit code.
    pub(super) fn fail(&mut self, n: usize) {
        let monitor = &mut self.monitors[n];
        if monitor.gone || monitor.visible() != State::Down {
            return;
        }
        (monitor.beats, monitor.last_beat, monitor.version) =
            (monitor.beats + 1, self.now, monitor.version + 1);
        monitor.status = Status::Exit(monitor.beats as i64);
        self.log.push((monitor.clone(), self.now, Change::Failed));
    }

    pub(super) fn beat(&mut self, n: usize) {
        let now = self.now;
        let monitor = &mut self.monitors[n];
        if monitor.gone {
            return;
        }
        (monitor.beats, monitor.last_beat, monitor.version) = (monitor.beats + 1, now, monitor.version + 1);
        if monitor.state == State::Down {
            let from = monitor.visible();
            (monitor.state, monitor.since, monitor.incident) = (State::Up, now, None);
            let id = monitor.id.clone();
            self.ends(&id, false);
            self.write(n, from);
        }
    }

    /// A power cut has taken the beats after these.
    pub(super) fn count_beats(&mut self, n: usize, beats: u64) {
        self.monitors[n].beats = beats;
    }

    /// A reload.
    pub(super) fn configure(&mut self, rules: Vec<Rule>, policy: AlertPolicy) {
        (self.rules, self.policy) = (Arc::new(Rules::new(rules)), Arc::new(policy));
        self.machine.set_policy(self.policy.clone(), self.rules.clone());
    }

    pub(super) fn ends(&mut self, id: &str, special: bool) {
        let now = self.now;
        if let Some(truth) = self.truths.iter_mut().rfind(|one| one.monitor == id && one.ended.is_none()) {
            truth.ended = Some(now);
            truth.special |= special;
        }
    }

    pub(super) fn pause(&mut self, n: usize, paused: bool) {
        let monitor = &mut self.monitors[n];
        if monitor.gone || monitor.paused == paused {
            return;
        }
        let from = monitor.visible();
        (monitor.paused, monitor.resumed) = (paused, self.now);
        let id = monitor.id.clone();
        self.taint(&id);
        self.write(n, from);
    }

    /// The incidents of a monitor of the last time, and the open one, are not told of as others are.
    pub(super) fn taint(&mut self, id: &str) {
        let recent = Wall(self.now.0 - 900_000);
        let touched = |one: &&mut Truth| one.ended.is_none_or(|ended| ended > recent) && one.monitor == id;
        self.truths.iter_mut().filter(touched).for_each(|one| one.special = true);
    }

    pub(super) fn remove(&mut self, n: usize) {
        let monitor = &mut self.monitors[n];
        monitor.version += 1;
        monitor.gone = true;
        let id = monitor.id.clone();
        self.taint(&id);
        self.ends(&id, true);
        self.log.push((self.monitors[n].clone(), self.now, Change::Removed));
    }

    /// A turn of the checkpointer; killed before it has put on record what came out, if so wished.
    pub(super) fn turn(&mut self, kill: bool) {
        for (monitor, at, change) in &self.log[self.read..] {
            self.machine.hear(&monitor.record(*at, *change));
        }
        self.read = self.log.len();
        self.machine.advance(self.now, &self.monitors);
        if kill {
            return self.restart();
        }
        let step = self.machine.take();
        for alert_state in step.alert_states {
            match alert_state.state {
                Some(state) => self.kept.0.insert(alert_state.number, state),
                None => self.kept.0.remove(&alert_state.number),
            };
        }
        self.kept.1 = self.read;
        for message in step.messages {
            self.watch(&message);
            self.told.push((self.now, message));
        }
    }

    pub(super) fn restart(&mut self) {
        let remembered = self.kept.0.iter().map(|(number, state)| (*number, state.clone()));
        let remembered: Vec<(u64, String)> = remembered.collect();
        self.machine = Machine::new(self.now, self.policy.clone(), self.rules.clone(), remembered);
        self.read = self.kept.1;
    }

    /// What must never be, seen at the moment of a message.
    pub(super) fn watch(&mut self, message: &Message) {
        for subject in message.monitors.iter().filter(|subject| !subject.removed) {
            let found = self.monitors.iter().find(|one| one.id == subject.id && !one.gone);
            if found.is_some_and(|one| one.paused) {
                self.wrong.push(format!("{} is paused: {message:?}", subject.id));
            }
            let rule = self.rules.find(&subject.id, Peer::Unix).and_then(|number| self.rules.get(number));
            let dead = |id: &String| {
                let parent = self.monitors.iter().find(|one| one.id == *id && !one.gone);
                parent.is_some_and(|one| one.state == State::Down && !one.paused)
            };
            if message.kind == MessageKind::Down
                && !subject.id.starts_with("ring")
                && rule.is_some_and(|rule| rule.after.iter().any(dead))
            {
                self.wrong.push(format!("{} is behind a dead parent: {message:?}", subject.id));
            }
            let notify = rule.and_then(|rule| rule.notify.as_ref());
            if !notify.unwrap_or(&self.policy.notify).contains(&message.notifier) {
                self.wrong.push(format!("{} is none of its business: {message:?}", subject.id));
            }
        }
    }

    pub(super) fn pass(&mut self, span_s: u64) {
        for _ in 0..span_s {
            self.now = after(self.now, Span::secs(1));
            self.turn(false);
        }
    }

    /// Kinds of what a notifier was told of a monitor, with when and by which incident.
    pub(super) fn heard(&self, to: &str, id: &str) -> Vec<(Wall, MessageKind, String)> {
        let to_it = self.told.iter().filter(|(_, message)| message.notifier == to);
        let named = to_it.flat_map(|(at, message)| {
            message.monitors.iter().map(move |one| (*at, message.kind, one.id.clone(), one.incident.clone()))
        });
        named
            .filter(|(.., one, _)| one == id)
            .map(|(at, kind, _, incident)| (at, kind, incident.unwrap_or_default()))
            .collect()
    }

    pub(super) fn kinds(&self, to: &str, id: &str) -> Vec<MessageKind> {
        self.heard(to, id).into_iter().map(|(_, kind, _)| kind).collect()
    }
}

pub(super) fn policy() -> AlertPolicy {
    AlertPolicy {
        notifiers: vec![
            notifier("ops", 10, 0, None),
            notifier("slow", 30, 120, Some(900)),
            Notifier { every_failure: true, ..notifier("quick", 0, 5, None) },
        ],
        notify: vec!["ops".into()],
        ..AlertPolicy::default()
    }
}

const IDS: [&str; 12] =
    ["a", "b", "c", "d", "router", "behind-1", "behind-2", "ring-1", "ring-2", "all", "slow-1", "gone"];

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule("behind-*", &[], &["router"]),
        rule("ring-1", &["ops"], &["ring-2"]),
        rule("ring-2", &["ops"], &["ring-1"]),
        rule("all", &["ops", "slow", "quick", "nobody"], &[]),
        rule("slow-*", &["slow"], &[]),
    ]
}
