//! The machine between what happens and what is told.
//!
//! Records of changes go in with [`Machine::hear`], in the order of the log, and time with [`Machine::advance`]; what is
//! to be told and what is to be remembered come out of [`Machine::take`]. Whoever drives it puts both on record in one
//! step with the place in the log that was reached. So after a crash it goes on from that step as if the rest had never
//! been: what was told is known to have been told, and what was not is decided anew.
//!
//! A monitor that goes down gets an [`MonitorAlert`], and in it a [`Line`] for each notifier that is to be told. A line waits
//! for the notifier's `min_down`, then looks whether something that the monitor depends on is down and will be told of
//! instead, then joins the notifier's [`Group`]. A group is told when nobody has joined it for `group_wait`. An incident
//! that ended meanwhile is told all the same, and its end with it: whoever is told of one hears of its end, and nobody else.
//!
//! **Failures.** Who wants to hear of every failure is told of each further failed run of a monitor that is down, once it was
//! told that it is; of one that recovers meanwhile before that is told.
//!
//! **Flapping.** A monitor that goes down again within an hour after its recovery was told is said to flap, and then
//! nothing of it until it has stayed as it is for half an hour. The end of it, or a recovery, is told only when one more
//! message has room in the hour; so no notifier gets more than three an hour of one monitor, beside reminders and, where it
//! asks for them, failed runs, of which there are at most as many as
//! [`FAILURES_PER_HOUR_MAX`](crate::domain::limits::FAILURES_PER_HOUR_MAX).
//!
//! **Dependencies.** Who depends on a monitor that may have failed at the same moment waits until that was heard again
//! or is down too. Only a parent that the same notifier is told of covers its children; of monitors that depend on each
//! other in a circle one is told.
//!
//! **Ourselves.** After a start, a standstill or a loss of network everybody is given a whole interval (the registry sees
//! to that); if then more than half of all are silent, those who were not heard since are kept back for some minutes, and
//! one message says so.

use super::entry::{Line, MonitorAlert, after};
use super::lookup::Lookup;
use super::message::{Message, SuspicionCause, age};
use super::policy::{AlertPolicy, NOTIFY_MAX};
use crate::domain::address::Peer;
use crate::domain::instance::Instance;
use crate::domain::notice::State;
use crate::domain::record::{Change, OpenIncident, Record};
use crate::domain::rules::{Rule, Rules};
use crate::domain::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod around;
mod cover;
mod failures;
mod flush;
mod incidents;

/// A group that others keep joining is told after this many times `group_wait` at the latest.
const GROUP_WAITS_MAX: u64 = 8;
/// How long the versions of monitors that are up are remembered: records of two threads may pass each other for a moment.
const PASSING: Span = Span::secs(60);
/// A step of the clock that is smaller goes unnoticed.
const AHEAD: Span = Span::secs(1);
/// Longest respite that children are given when what they depend on is back.
const RESPITE_MAX: Span = Span::secs(900);

/// A moment by a clock that stood still while we were not there.
fn present(absence: Option<(Wall, Wall)>, at: Wall) -> Wall {
    absence.map_or(at, |(from, until)| after(at, age(at.max(from), until)))
}

/// What is remembered of one monitor; `state` `None`: nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertState {
    /// The monitor's number.
    pub number: u64,
    /// What is remembered, as JSON.
    pub state: Option<String>,
}

/// What comes out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertOutput {
    /// To be told, in this order.
    pub messages: Vec<Message>,
    /// To be remembered.
    pub alert_states: Vec<AlertState>,
}

impl AlertOutput {
    /// Whether nothing came out.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.alert_states.is_empty()
    }
}

/// Whether a monitor is covered.
enum Cover {
    /// Something that it depends on is down.
    Dead,
    /// Something that it depends on has not been heard since: look again then.
    Wait(Wall),
    /// Neither.
    Clear,
}

/// Changes that become one message.
#[derive(Debug)]
struct Group {
    /// When it was begun.
    opened: Wall,
    due: Wall,
    members: BTreeSet<u64>,
}

/// Our own restart, standstill or loss of network.
#[derive(Clone, Debug)]
struct SelfSuspicion {
    at: Wall,
    doubt: SuspicionCause,
    /// Monitors that were down before.
    down_before: u64,
    /// Since when more than half are silent.
    held_since: Option<Wall>,
    /// Since when that is over.
    over: Option<Wall>,
    /// Our network is gone: then silence proves nothing, however few are silent and however long.
    lost: bool,
    /// It is there again, and who is silent has until then to be heard.
    grace_until: Option<Wall>,
    /// Who has been told.
    told: BTreeSet<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Machine {
    policy: Arc<AlertPolicy>,
    rules: Arc<Rules>,
    instance: Arc<Instance>,
    /// Ids that others depend on.
    parents: BTreeSet<String>,
    clock: Wall,
    entries: BTreeMap<u64, MonitorAlert>,
    /// Numbers of entries of [`Machine::parents`].
    by_id: BTreeMap<String, u64>,
    /// Entries that depend on an id.
    children: BTreeMap<String, BTreeSet<u64>>,
    timers: BTreeSet<(Wall, u64)>,
    groups: BTreeMap<String, Group>,
    /// Versions of monitors that came up and have no entry, and since when.
    passing: BTreeMap<u64, (u64, Wall)>,
    passing_pruned: Wall,
    /// From when until when we were not there, while changes from before are still heard.
    absence: Option<(Wall, Wall)>,
    suspicion: Option<SelfSuspicion>,
    /// Records are heard that will be heard again, however much later.
    expects_twins: bool,
    /// Whether it was told that our disk is full as it is now, and when that was told last.
    disk_is_told: bool,
    disk_told: Option<Wall>,
    dirty: BTreeSet<u64>,
    messages: Vec<Message>,
}

impl Machine {
    /// A machine that begins at `now` with what was remembered. What cannot be read is left out.
    pub fn new(
        now: Wall,
        policy: Arc<AlertPolicy>,
        rules: Arc<Rules>,
        remembered: impl IntoIterator<Item = (u64, String)>,
    ) -> Machine {
        let mut machine = Machine { clock: now, ..Machine::default() };
        for (number, state) in remembered {
            let Ok(mut entry) = serde_json::from_str::<MonitorAlert>(&state) else { continue };
            entry.number = number;
            if entry.began == Wall::default() {
                (entry.began, entry.heard) = (entry.started, entry.last_beat);
            }
            machine.entries.insert(number, entry);
        }
        machine.set_policy(policy, rules);
        machine
    }

    /// Gives incidents names with this in them.
    pub fn set_instance(&mut self, instance: Arc<Instance>) {
        self.instance = instance;
    }

    /// Takes in a record of a change, in the order of the log.
    pub fn hear(&mut self, record: &Record<'_>) {
        if self.policy.notifiers.is_empty() && self.entries.is_empty() {
            return;
        }
        let number = record.number;
        let seen = match self.entries.get(&number) {
            Some(entry) => Some(entry.version),
            None => self.passing.get(&number).map(|(version, _)| *version),
        };
        if seen.is_some_and(|seen| record.version <= seen) {
            // It was overtaken by a later one, and whatever it began was over before it was on record.
            return;
        }
        self.clock = self.clock.max(record.at);
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.version = record.version;
            self.dirty.insert(number);
        }
        if record.change == Change::Removed {
            self.end(number, record.at, true);
            return;
        }
        let open = self.entries.get(&number).filter(|entry| entry.is_down()).map(|entry| entry.beats);
        match record.incident {
            Some(incident) if open == Some(incident.beats) => {
                if record.change == Change::Failed {
                    self.fail(record);
                }
            }
            Some(incident) => {
                if open.is_some() {
                    self.end(number, incident.started, false);
                }
                self.begin(record, incident);
            }
            None if open.is_some() => {
                let ended = if record.state == State::Up { record.since } else { record.at };
                self.end(number, ended, false);
            }
            None => {
                if matches!(record.change, Change::State { from: State::Down, .. })
                    && !self.entries.contains_key(&number)
                {
                    self.passing.insert(number, (record.version, record.at));
                }
            }
        }
        self.set_paused(number, record.state == State::Paused, record.at);
    }

    /// When [`Machine::advance`] has something to do.
    pub fn poll_deadline(&self) -> Option<Wall> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let group = self.groups.values().map(|group| group.due).min();
        timer.into_iter().chain(group).min()
    }

    /// Lets time go by until `now`.
    pub fn advance(&mut self, now: Wall, lookup: &dyn Lookup) {
        if self.clock > after(now, AHEAD) {
            // A record from before the clock was put back is not the present.
            self.bring_back(now);
        }
        self.clock = self.clock.max(now);
        while let Some((at, number)) = self.timers.first().copied().filter(|(at, _)| *at <= self.clock) {
            self.timers.remove(&(at, number));
            if let Some(entry) = self.entries.get_mut(&number) {
                entry.wake = None;
            }
            self.look_at(number, lookup);
        }
        self.flush(lookup);
        if after(self.passing_pruned, PASSING) <= self.clock && !self.expects_twins {
            let clock = self.clock;
            self.passing.retain(|_, (_, at)| clock < after(*at, PASSING));
            self.passing_pruned = clock;
        }
    }

    /// What has come out since this was last asked.
    pub fn take(&mut self) -> AlertOutput {
        let alert_state = |number| AlertState {
            number,
            // A value of plain fields always has a JSON.
            state: self.entries.get(&number).and_then(|entry| serde_json::to_string(entry).ok()),
        };
        let alert_states = std::mem::take(&mut self.dirty).into_iter().map(alert_state).collect();
        AlertOutput { messages: self.take_messages(), alert_states }
    }

    /// Only what is to be told of that; what is to be remembered waits, and is by then as it will be then.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// What was to be remembered could not be put on record, and still is to be.
    pub fn put_back(&mut self, alert_states: &[AlertState]) {
        self.dirty.extend(alert_states.iter().map(|alert_state| alert_state.number));
    }

    /// Of how many monitors something is to be remembered.
    pub fn unremembered(&self) -> usize {
        self.dirty.len()
    }

    /// Whether anything is remembered of a monitor.
    pub fn knows(&self, number: u64) -> bool {
        self.entries.contains_key(&number)
    }

    /// How many monitors are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whom the rules, or else the defaults, name for a monitor.
    fn notifiers_of(&self, id: &str, peer: Peer) -> Vec<String> {
        let rule = self.rules.find(id, peer).and_then(|number| self.rules.get(number));
        let own = rule.and_then(|rule| rule.notify.as_ref());
        let mut names: Vec<String> = Vec::new();
        for name in own.unwrap_or(&self.policy.notify) {
            if names.len() < NOTIFY_MAX && self.policy.notifier(name).is_some() && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The rule that a monitor goes by.
    fn rule_of(&self, entry: &MonitorAlert) -> Option<&Rule> {
        self.rules.find(&entry.id, entry.peer()).and_then(|number| self.rules.get(number))
    }

    fn after_of(&self, entry: &MonitorAlert) -> Vec<String> {
        if self.parents.is_empty() {
            return Vec::new();
        }
        let rule = self.rule_of(entry);
        rule.map(|rule| rule.after.iter().filter(|id| **id != entry.id).cloned().collect())
            .unwrap_or_default()
    }

    /// Puts an entry where it can be found.
    fn place(&mut self, entry: MonitorAlert) {
        if entry.is_down() {
            if self.parents.contains(&entry.id) {
                self.by_id.insert(entry.id.clone(), entry.number);
            }
            for parent in &entry.after {
                self.children.entry(parent.clone()).or_default().insert(entry.number);
            }
        }
        self.entries.insert(entry.number, entry);
    }

    /// Has an entry looked at then.
    fn set_wake(&mut self, number: u64, at: Option<Wall>) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        if entry.wake == at {
            return;
        }
        if let Some(known) = entry.wake.take() {
            self.timers.remove(&(known, number));
        }
        entry.wake = at;
        if let Some(at) = at {
            self.timers.insert((at, number));
        }
    }

    /// Sees what is due of a monitor.
    fn look_at(&mut self, number: u64, lookup: &dyn Lookup) {
        let Some(mut entry) = self.entries.remove(&number) else { return };
        let clock = self.clock;
        // Also one that is gone is remembered for as long as any: the log may bring old records again.
        if entry.is_idle(clock) {
            self.dirty.insert(number);
            self.forget(entry);
            return;
        }
        let mut next: Option<Wall> = None;
        let mut wake = |at: Wall| next = Some(next.map_or(at, |next| next.min(at)));
        for place in 0..entry.lines.len() {
            if entry.paused {
                break;
            }
            let mut since = entry.ended.unwrap_or(clock).min(clock);
            if let Some(due) = entry.lines[place].due {
                let covered = (due <= clock).then(|| self.cover(&entry, &entry.lines[place].to, lookup));
                let line = &mut entry.lines[place];
                match covered {
                    None => wake(due),
                    Some(Cover::Wait(until)) => wake(until),
                    Some(Cover::Dead) => {
                        (line.covered, line.due) = (true, None);
                        self.dirty.insert(number);
                    }
                    Some(Cover::Clear) => {
                        line.due = None;
                        line.count();
                        since = due;
                        self.dirty.insert(number);
                    }
                }
            }
            let (line, changed) = (&entry.lines[place], entry.changed);
            let wanted_at = if line.flapping {
                Some(line.steady_at(changed))
            } else if line.pending > 0 || line.has_failures() {
                Some(since)
            } else if line.told.is_some() && entry.ended.is_some() {
                Some(line.room_at().map_or(since, |room| room.max(since)))
            } else {
                None
            };
            match wanted_at {
                Some(at) if at > clock => wake(at),
                Some(at) => self.join(&entry.lines[place].to, number, at),
                None => {}
            }
            if let Some(remind) = entry.lines[place].remind {
                if remind > clock {
                    wake(remind);
                } else {
                    self.join(&entry.lines[place].to, number, clock);
                }
            }
            if let Some(said) = entry.lines[place].said.last().filter(|_| entry.ended.is_some()) {
                let idle_at = after(*said, super::entry::HOUR);
                if idle_at > clock {
                    wake(idle_at);
                }
            }
        }
        self.entries.insert(number, entry);
        self.set_wake(number, next);
    }

    /// Lets a monitor go of which nothing has to be remembered.
    fn forget(&mut self, entry: MonitorAlert) {
        if let Some(wake) = entry.wake {
            self.timers.remove(&(wake, entry.number));
        }
        self.passing.insert(entry.number, (entry.version, self.clock));
    }

    /// A monitor is to be told of with the next message to a notifier. `since`: when that came to be so.
    fn join(&mut self, to: &str, number: u64, since: Wall) {
        let Some(notifier) = self.policy.notifier(to) else { return };
        let wait = notifier.group_wait;
        let opened = since.min(self.clock);
        let group = self.groups.entry(to.to_string()).or_insert_with(|| Group {
            opened,
            due: after(opened, wait),
            members: BTreeSet::new(),
        });
        if group.members.insert(number) {
            let last = after(group.opened, Span(wait.0.saturating_mul(GROUP_WAITS_MAX)));
            group.due = group.due.max(after(opened, wait).min(last));
        }
    }
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
