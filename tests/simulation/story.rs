//! What should be, of all monitors and over crashes: the rules of `model` strung together, every version of every monitor
//! that may be read again, and what must have been told.

mod incidents;
mod recovered;

use crate::model::{Details, Effect, Mon, Said, Told, Turning};
use crate::store::Seen;
use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::history::Incident;
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::policy::Defaults;
use heartbeat_server::domain::policy::Policy;
use heartbeat_server::domain::record::{Pause, PausedBy};
use heartbeat_server::domain::registry::{Declaration, Snapshot};
use heartbeat_server::domain::rules::Rules;
use heartbeat_server::domain::time::{Mono, Now, Span, Wall};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A deadline may pass unseen for a tick of the wheel.
pub const TICK_MS: u64 = 16;
const SECOND: Span = Span(1000);
const STEP_MS: i64 = 500;

/// What a watcher must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Made,
    Removed,
    Change(Told),
}

/// How a monitor stood when it was written down.
#[derive(Clone, Debug)]
struct Version {
    version: u64,
    /// `None`: removed.
    mon: Option<Mon>,
    /// What later configurations held it to, which is not written down by itself but may be with the rest.
    held_to: Vec<(Span, Span)>,
    /// The journal or the tables have it.
    appended: bool,
    /// A power cut leaves it.
    durable: bool,
    /// It was written down with its details; and it must be, because they have changed.
    detailed: bool,
    changes_details: bool,
}

/// All that was written down of a monitor and may still matter.
#[derive(Clone, Debug, Default)]
struct Kept {
    id: String,
    versions: Vec<Version>,
    turnings: Vec<(u64, Turning)>,
    /// Versions that were kept before any later one was: what they say of incidents is on record as it was.
    in_order: BTreeSet<u64>,
    /// Those of them that a power cut leaves.
    safe: BTreeSet<u64>,
    greatest: u64,
}

/// What the loop remembers.
#[derive(Clone, Copy, Debug)]
pub struct Loop {
    pub offset_ms: i64,
    pub asleep: Span,
    pub planned: Mono,
    pub stuck_since: Option<Mono>,
    /// When a maintenance window next begins or ends; unknown after the rules or the clock were changed.
    pub boundary: Option<Option<Wall>>,
}

impl Loop {
    pub fn new(now: Now, asleep: Span) -> Loop {
        Loop {
            offset_ms: offset_ms(now),
            asleep,
            planned: now.mono.after(SECOND),
            stuck_since: None,
            boundary: None,
        }
    }
}

pub fn offset_ms(now: Now) -> i64 {
    now.wall.0 - now.mono.0 as i64
}

pub struct Story {
    pub rules: Arc<Rules>,
    pub defaults: Defaults,
    pub live: BTreeMap<String, Mon>,
    pub news: BTreeMap<String, VecDeque<News>>,
    kept: BTreeMap<u64, Kept>,
    unsynced: Vec<(u64, u64)>,
    /// The last sign of life that was written, and the last that a power cut leaves.
    pub sign: Option<Wall>,
    pub durable_sign: Option<Wall>,
    pub last_number: u64,
}

/// What is found of monitors in the store after a crash, by their numbers.
pub type Found = BTreeMap<u64, Left>;

/// What is left of one monitor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Left {
    /// The latest version.
    pub version: u64,
    /// The latest with details.
    pub detailed: u64,
    /// When the latest was written: by the journal at the change, by a snapshot later.
    pub at: Wall,
}

impl Story {
    pub fn new(rules: Arc<Rules>, defaults: Defaults) -> Story {
        Story {
            rules,
            defaults,
            live: BTreeMap::new(),
            news: BTreeMap::new(),
            kept: BTreeMap::new(),
            unsynced: Vec::new(),
            sign: None,
            durable_sign: None,
            last_number: 0,
        }
    }

    /// A beat; `number` is that of the monitor if it makes one, `told` the interval its sender was told.
    pub fn beat(
        &mut self,
        now: Now,
        id: &str,
        said: &Said,
        peer: Peer,
        (number, told): (u64, Span),
    ) -> Result<(), String> {
        if !self.live.contains_key(id) {
            self.make(now, id, peer, number);
        }
        if self.live.get(id).is_some_and(|mon| !mon.may_be_told(said, told, &self.rules)) {
            return Err(format!("the sender of {id} was told {told}"));
        }
        self.change(now, id, |mon, rules, defaults| mon.beat(now, said, peer, told, rules, defaults));
        Ok(())
    }

    pub fn make(&mut self, now: Now, id: &str, peer: Peer, number: u64) {
        let mon = Mon::new(now, id, number, peer, &self.rules, &self.defaults);
        self.kept.insert(number, Kept { id: id.into(), ..Kept::default() });
        self.live.insert(id.into(), mon);
        self.news.entry(id.into()).or_default().push_back(News::Made);
        self.change(now, id, |_, _, _| Effect::default());
        self.hold_window(now, id);
    }

    pub fn pause(&mut self, now: Now, id: &str, until: Option<Wall>) {
        self.change(now, id, |mon, _, _| mon.pause(now, Pause { by: PausedBy::Person, until }));
    }

    pub fn resume(&mut self, now: Now, id: &str) {
        if self.live.get(id).is_some_and(|mon| mon.paused) {
            self.change(now, id, |mon, rules, defaults| mon.resumed_by_person(now, rules, defaults));
        }
    }

    pub fn remove(&mut self, now: Now, id: &str) {
        let Some(mon) = self.live.remove(id) else { return };
        let kept = self.kept.entry(mon.number).or_default();
        let version = mon.version + 1;
        if let Some((beats, ..)) = mon.incident {
            kept.turnings.push((version, Turning::Closes { beats, at: now.wall }));
        }
        kept.versions.push(Version {
            version,
            mon: None,
            held_to: Vec::new(),
            appended: false,
            durable: false,
            detailed: false,
            changes_details: false,
        });
        self.news.entry(id.into()).or_default().push_back(News::Removed);
    }

    /// Whether a declaration is allowed.
    pub fn may_declare(&self, id: &str, peer: Peer, wish: &Declaration) -> bool {
        let found = match self.live.get(id) {
            Some(mon) => mon.rule(&self.rules),
            None => self.rules.find(id, peer).and_then(|number| self.rules.get(number)),
        };
        let Some(rule) = found else { return true };
        let fixed_interval = rule.interval.is_some() || rule.schedule.is_some();
        !(wish.interval.is_some() && fixed_interval || wish.grace.is_some() && rule.grace.is_some())
    }

    pub fn declare(&mut self, now: Now, id: &str, peer: Peer, wish: &Declaration, number: u64) {
        if !self.live.contains_key(id) {
            self.make(now, id, peer, number);
        }
        self.change(now, id, |mon, rules, defaults| {
            mon.details.declared = true;
            mon.details.tags = wish.tags.clone().unwrap_or(std::mem::take(&mut mon.details.tags));
            let interval = wish.interval.unwrap_or(mon.interval);
            mon.refit(interval, rules, defaults);
            mon.set_interval(interval);
            mon.grace = wish.grace.unwrap_or(mon.grace);
            mon.rearm(now, rules, defaults);
            Effect::default()
        });
    }

    pub fn set_policy(&mut self, now: Now, rules: Arc<Rules>, defaults: Defaults) {
        let before = std::mem::replace(&mut self.rules, rules);
        let old_defaults = std::mem::replace(&mut self.defaults, defaults);
        if *before == *self.rules && old_defaults.first_beat == defaults.first_beat {
            return;
        }
        for id in self.ids() {
            let (rules, defaults) = (self.rules.clone(), self.defaults);
            let Some(mon) = self.live.get_mut(&id) else { continue };
            let held = |mon: &Mon, rules: &Rules, defaults: &Defaults| {
                let schedule = mon.rule(rules).and_then(|rule| rule.schedule.clone());
                (mon.interval, mon.grace, schedule, mon.first_beat(rules, defaults))
            };
            let old = held(mon, &before, &old_defaults);
            let ruled = mon.rule(&before);
            let own_interval = ruled.is_none_or(|rule| rule.interval.is_none());
            let own_grace = own_interval && ruled.is_none_or(|rule| rule.schedule.is_none());
            mon.hold_to(&rules, &defaults, (own_interval, own_grace));
            let new = held(mon, &rules, &defaults);
            if old != new {
                if old.2 != new.2 && mon.visible() == State::New && mon.beats == 0 {
                    mon.since = now.wall;
                }
                self.change(now, &id, |mon, rules, defaults| {
                    mon.rearm(now, rules, defaults);
                    Effect::default()
                });
            }
            let Some(mon) = self.live.get(&id) else { continue };
            let by_window = mon.paused && mon.details.pause.is_some_and(|pause| pause.by == PausedBy::Window);
            if by_window && mon.window(now, &rules).is_none() {
                self.change(now, &id, |mon, rules, defaults| mon.resume(now, rules, defaults));
            }
            self.hold_window(now, &id);
        }
    }

    /// A turn of the loop, as far as it judges; the rules for absences and steps of the clock first.
    pub fn turn(&mut self, now: Now, asleep: Span, busy_since: Option<Mono>, looped: &mut Loop) -> bool {
        if let Some(since) = busy_since.filter(|since| now.mono.since(*since) > SECOND) {
            looped.stuck_since = Some(looped.stuck_since.map_or(since, |known| known.min(since)));
            looped.planned = now.mono.after(SECOND);
            return false;
        }
        let slept = Span(asleep.0 - looped.asleep.0);
        looped.asleep = asleep;
        let late = Some(looped.planned).filter(|planned| now.mono.since(*planned) > SECOND);
        let stuck_since = looped.stuck_since.take().into_iter().chain(late).min();
        let stuck = stuck_since.map_or(Span(0), |since| now.mono.since(since));
        if slept > SECOND || stuck > Span(0) {
            looped.offset_ms += slept.0 as i64;
            for id in self.ids() {
                self.forgive(now, &id, slept, stuck);
            }
        }
        let step_ms = offset_ms(now) - looped.offset_ms;
        if step_ms.abs() >= STEP_MS {
            looped.offset_ms = offset_ms(now);
            looped.boundary = None;
            for id in self.ids() {
                let Some(mon) = self.live.get_mut(&id) else { continue };
                let since = mon.since;
                mon.clock_stepped(now, step_ms, &self.rules, &self.defaults);
                if !mon.details.runs.is_empty() || mon.since != since {
                    self.change(now, &id, |mon, _, _| {
                        mon.restamp_runs(now);
                        Effect::default()
                    });
                }
            }
        }
        if looped.boundary.is_none_or(|known| known.is_some_and(|at| at <= now.wall)) {
            looped.boundary = Some(self.rules.next_boundary(now.wall));
            for id in self.ids() {
                self.hold_window(now, &id);
            }
        }
        for id in self.ids() {
            while self.live.get(&id).is_some_and(|mon| mon.deadline.is_some_and(|at| is_due(at, now.mono))) {
                let mut forgotten = false;
                let mut mon = self.live[&id].clone();
                match mon.time_is_up(now, &self.rules, &self.defaults) {
                    Some(effect) => {
                        self.live.insert(id.clone(), mon);
                        self.change(now, &id, |_, _, _| effect);
                    }
                    None => forgotten = true,
                }
                if forgotten {
                    self.remove(now, &id);
                }
            }
        }
        true
    }

    fn forgive(&mut self, now: Now, id: &str, slept: Span, stuck: Span) {
        let (rules, defaults) = (self.rules.clone(), self.defaults);
        let Some(mon) = self.live.get_mut(id) else { return };
        let (runs, since) = (!mon.details.runs.is_empty(), mon.since);
        mon.extend_runs(slept, stuck);
        mon.forgive(now, Span(slept.0 + stuck.0), &rules, &defaults);
        if runs || mon.since != since {
            self.change(now, id, |_, _, _| Effect::default());
        }
    }

    fn hold_window(&mut self, now: Now, id: &str) {
        let window = self.live.get(id).filter(|mon| !mon.paused).and_then(|mon| mon.window(now, &self.rules));
        if let Some(until) = window {
            let pause = Pause { by: PausedBy::Window, until: Some(until) };
            self.change(now, id, |mon, _, _| mon.pause(now, pause));
        }
    }

    /// Changes a monitor, writes it down, and notes what must be told.
    fn change(&mut self, now: Now, id: &str, how: impl FnOnce(&mut Mon, &Rules, &Defaults) -> Effect) {
        let Some(mon) = self.live.get_mut(id) else { return };
        let before = mon.details.clone();
        let effect = how(mon, &self.rules, &self.defaults);
        mon.version += 1;
        mon.written = now.wall;
        let kept = self.kept.entry(mon.number).or_default();
        kept.turnings.extend(effect.turning.map(|turning| (mon.version, turning)));
        kept.versions.push(Version {
            version: mon.version,
            mon: Some(mon.clone()),
            held_to: Vec::new(),
            appended: false,
            durable: false,
            detailed: false,
            changes_details: before != mon.details,
        });
        if let Some(told) = effect.told {
            self.news.entry(id.into()).or_default().push_back(News::Change(told));
        }
    }

    fn ids(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }

    /// Takes in what the store was seen to keep.
    pub fn see(&mut self, seen: &[Seen]) -> Result<(), String> {
        for one in seen {
            match one {
                Seen::Appended(number, version, detailed) => {
                    self.mark(*number, *version, *detailed, false, false)?;
                    self.unsynced.push((*number, *version));
                }
                Seen::Tabled(number, version, detailed) => {
                    self.mark(*number, *version, *detailed, true, true)?;
                }
                Seen::Synced => {
                    // A sign of life alone is not synced.
                    if !self.unsynced.is_empty() {
                        self.durable_sign = self.sign;
                    }
                    for (number, version) in std::mem::take(&mut self.unsynced) {
                        self.mark(number, version, false, false, true)?;
                    }
                }
                Seen::Sign(wall) => self.sign = Some(*wall),
                Seen::Saved | Seen::Followed(..) => {}
            }
        }
        Ok(())
    }

    fn mark(
        &mut self,
        number: u64,
        version: u64,
        detailed: bool,
        tabled: bool,
        durable: bool,
    ) -> Result<(), String> {
        let Some(kept) = self.kept.get_mut(&number) else {
            return Err(format!("a record of number {number}, which nobody has, was kept"));
        };
        if version > kept.greatest {
            kept.greatest = version;
            if !tabled {
                kept.in_order.insert(version);
            }
        }
        if durable {
            kept.safe.insert(version);
        }
        let Some(at) = kept.versions.iter().position(|known| known.version == version) else {
            let oldest = kept.versions.first().map_or(0, |v| v.version);
            if version < oldest {
                return Ok(());
            }
            return Err(format!(
                "version {version} of {} was kept, but there should be none above {:?}",
                kept.id,
                kept.versions.last().map(|v| v.version)
            ));
        };
        if kept.versions[at].changes_details && !detailed && !kept.versions[at].detailed {
            return Err(format!("version {version} of {} was kept without the details it changed", kept.id));
        }
        kept.versions[at].appended = true;
        kept.versions[at].durable |= durable;
        kept.versions[at].detailed |= detailed;
        if durable {
            self.last_number = self.last_number.max(number);
            // What is older has been superseded, but for the last details.
            let details = kept.versions[..=at].iter().rposition(|v| v.durable && v.detailed).unwrap_or(0);
            kept.versions.drain(..details);
        }
        Ok(())
    }

    /// The latest versions of everything, for a sender to be told of when they are kept.
    pub fn version_of(&self, id: &str) -> Option<(u64, u64)> {
        self.live.get(id).map(|mon| (mon.number, mon.version))
    }

    /// The journal or the tables have this version or a later one.
    pub fn is_appended(&self, number: u64, version: u64) -> bool {
        self.kept
            .get(&number)
            .is_some_and(|kept| kept.versions.iter().any(|known| known.version >= version && known.appended))
    }

    /// How a monitor stands by the latest version that the journal or the tables have.
    pub fn appended(&self, number: u64) -> Option<&Mon> {
        self.kept.get(&number)?.versions.iter().rev().find(|known| known.appended)?.mon.as_ref()
    }

    /// No power cut takes this version or a later one.
    pub fn is_durable(&self, number: u64, version: u64) -> bool {
        self.kept
            .get(&number)
            .is_some_and(|kept| kept.versions.iter().any(|known| known.version >= version && known.durable))
    }

    /// The versions that were never kept, of the latest monitor of each id.
    pub fn unkept(&self) -> Vec<(u64, u64)> {
        let latest: BTreeMap<&str, (&u64, &Kept)> =
            self.kept.iter().map(|(number, kept)| (kept.id.as_str(), (number, kept))).collect();
        let lasts = latest.values().filter_map(|(number, kept)| Some((**number, kept.versions.last()?)));
        lasts.filter(|(_, last)| !last.appended).map(|(number, last)| (number, last.version)).collect()
    }

    /// Compares one monitor with what the engine shows.
    pub fn differs(&self, id: &str, now: Now, real: Option<&Snapshot>) -> Option<String> {
        match (self.live.get(id), real) {
            (None, None) => None,
            (None, Some(_)) => Some(format!("{id} should not be there")),
            (Some(_), None) => Some(format!("{id} is missing")),
            (Some(mon), Some(real)) => {
                let differs = mon.differs(real, now, &self.rules);
                (!differs.is_empty()).then(|| format!("{id}: {}", differs.join("; ")))
            }
        }
    }
}

/// The wheel turns in ticks: what is due is found with the first whole tick behind it.
fn is_due(deadline: Mono, now: Mono) -> bool {
    deadline.0.div_ceil(TICK_MS) <= now.0 / TICK_MS
}
