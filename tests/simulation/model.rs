//! What should be: the rules for one monitor, in plain words.
//!
//! A monitor here is a value with everything known of it, and each rule a few lines on it. There is no wheel, no packing,
//! no journal; a deadline is looked for among all. `story` strings the rules together to what happens to all monitors.

mod away;
mod deadlines;
mod shown;

use deadlines::fitting;
use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::beat::Status;
use heartbeat_server::domain::limits::{CHANGES_PER_HOUR_MAX, LASTING, LATE_CHANGES_PER_HOUR_MAX, RUNS_MAX};
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::policy::Defaults;
use heartbeat_server::domain::record::{Cause, Pause, PausedBy};
use heartbeat_server::domain::rules::{Rule, Rules};
use heartbeat_server::domain::time::{Mono, Now, Span, Wall};
use std::collections::BTreeSet;

const HOUR_MS: u64 = 3_600_000;

/// A beat as the simulation sends it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub status: Status,
    pub seq: Option<u64>,
    pub ts: Option<Wall>,
    pub interval: Option<Span>,
    pub grace: Option<Span>,
    pub message: Option<String>,
    pub tags: Option<Vec<String>>,
    pub rid: Option<String>,
    pub ip: Option<String>,
    /// Whether its sender hears the answer.
    pub follows_interval: bool,
}

/// A change of state that somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub from: State,
    pub to: State,
    pub muted: bool,
}

/// An incident begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turning {
    Opens { beats: u64, started: Wall, cause: Cause },
    Closes { beats: u64, at: Wall },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub rid: String,
    /// When it must have ended, were it heard of now.
    pub deadline: Mono,
    pub began: Mono,
    pub started: Wall,
}

/// Its own counter: the highest number, which ones have come, and what became of the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counter {
    pub last: u64,
    pub came: BTreeSet<u64>,
    pub gaps: u64,
    pub repeats: u64,
}

/// What seldom changes, and is kept apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    pub reported: Option<String>,
    pub message: Option<String>,
    pub tags: Vec<String>,
    pub run_took: Option<Span>,
    pub runs: Vec<Run>,
    pub pause: Option<Pause>,
    pub declared: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Mon {
    pub id: String,
    pub number: u64,
    /// Counts what was written down of it.
    pub version: u64,
    pub beats: u64,
    pub last_wall: Wall,
    pub last_mono: Mono,
    /// When what is kept of it was written: of one that was never heard a start knows no other time.
    pub written: Wall,
    pub status: Status,
    pub peer: Peer,
    pub counter: Option<Counter>,
    pub interval: Span,
    pub grace: Span,
    /// The longer interval that its sender was last told.
    pub asked: Option<Span>,
    pub paused: bool,
    /// The state under a pause.
    pub state: State,
    pub since: Wall,
    pub incident: Option<(u64, Wall, Cause)>,
    pub deadline: Option<Mono>,
    pub details: Details,
    pub skew_ms: Option<i64>,
    /// A skew that changed little is not written down each time, so after a start it may be an earlier one.
    skew_is_old: bool,
    overruled_until: Option<Wall>,
    /// The run that took too long, until it is well again; nobody remembers it over a start.
    overrun: Option<Run>,
    slot: Option<Wall>,
    rule: Option<u16>,
    configured: bool,
    hour: Option<u64>,
    changes: u8,
    /// The state that people were last told of.
    told: State,
    /// The least moment from which silence may be counted against it.
    pub heard: Mono,
}

impl Counter {
    /// Of a sender elsewhere than the one before nothing is missing that is not near.
    fn take(&mut self, seq: u64, elsewhere: bool) {
        if seq > self.last {
            let missing = seq - self.last - 1;
            self.gaps += if elsewhere && missing > 32 { 0 } else { missing };
            self.last = seq;
            self.came.insert(seq);
        } else if seq == self.last {
            self.repeats += 1;
        } else if seq <= 1 || self.last - seq > 32 {
            self.last = seq;
            self.came = BTreeSet::from([seq]);
        } else if self.came.insert(seq) {
            self.gaps = self.gaps.saturating_sub(1);
        } else {
            self.repeats += 1;
        }
    }
}

impl Mon {
    pub fn new(now: Now, id: &str, number: u64, peer: Peer, rules: &Rules, defaults: &Defaults) -> Mon {
        let mut mon = Mon {
            id: id.to_string(),
            number,
            version: 0,
            beats: 0,
            last_wall: now.wall,
            last_mono: now.mono,
            written: now.wall,
            status: Status::Ok,
            peer,
            counter: None,
            interval: Span(0),
            grace: Span(0),
            asked: None,
            paused: false,
            state: State::New,
            since: now.wall,
            incident: None,
            deadline: None,
            details: Details::default(),
            skew_ms: None,
            skew_is_old: false,
            overruled_until: None,
            overrun: None,
            slot: None,
            rule: None,
            configured: false,
            hour: None,
            changes: 0,
            told: State::New,
            heard: now.mono,
        };
        mon.hold_to(rules, defaults, (false, false));
        mon.deadline = mon.first_beat_until(now, rules, defaults);
        mon
    }

    pub fn visible(&self) -> State {
        if self.paused { State::Paused } else { self.state }
    }

    pub fn is_kept(&self) -> bool {
        self.details.declared || self.configured
    }

    pub fn is_configured(&self) -> bool {
        self.configured
    }

    pub fn rule<'a>(&self, rules: &'a Rules) -> Option<&'a Rule> {
        rules.get(self.rule?)
    }

    /// Its rule's wishes come first, then its own interval and grace (`own`), then the defaults.
    pub fn hold_to(&mut self, rules: &Rules, defaults: &Defaults, own: (bool, bool)) {
        self.rule = rules.find(&self.id, self.peer);
        self.configured = rules.declares(&self.id);
        let rule = self.rule(rules);
        let (interval, grace) = (rule.and_then(|r| r.interval), rule.and_then(|r| r.grace));
        let scheduled = rule.and_then(|r| r.schedule.as_ref());
        let told_when = interval.is_some() || scheduled.is_some();
        let between = scheduled.map(|schedule| schedule.shortest_gap());
        self.set_interval(interval.unwrap_or(if own.0 { self.interval } else { defaults.interval }));
        self.grace = match grace {
            Some(grace) => grace,
            None if own.1 && (self.details.declared || !told_when) => self.grace,
            None => defaults.grace.unwrap_or_else(|| fitting(between.unwrap_or(self.interval))),
        };
    }

    /// A grace that nobody has named goes with the interval.
    pub fn refit(&mut self, interval: Span, rules: &Rules, defaults: &Defaults) {
        let rule = self.rule(rules);
        let free = rule.is_none_or(|r| r.interval.is_none() && r.schedule.is_none() && r.grace.is_none());
        if free
            && defaults.grace.is_none()
            && self.interval != interval
            && self.grace == fitting(self.interval)
        {
            self.grace = fitting(interval);
        }
    }

    /// What it was told before is told in steps of the new interval, and no shorter.
    pub fn set_interval(&mut self, interval: Span) {
        self.interval = interval;
        let told = |step: u64| Span::secs(((interval.0 * (8 + step % 8)) << (step / 8)).div_ceil(8000));
        let keep = |asked: Span| (1..64).map(told).find(|told| *told >= asked).unwrap_or(told(63));
        self.asked = self.asked.filter(|asked| *asked > interval).map(keep);
    }

    /// Whether the sender of this beat may have been told so long an interval.
    pub fn may_be_told(&self, said: &Said, told: Span, rules: &Rules) -> bool {
        let interval = self.asked.filter(|asked| said.interval == Some(*asked)).or(said.interval);
        let rule = self.rule(rules);
        let fixed = rule.is_some_and(|rule| rule.interval.is_some() || rule.schedule.is_some());
        let interval = interval.filter(|wish| !fixed && Some(*wish) != self.asked).unwrap_or(self.interval);
        let runs = said.rid.is_some() || !self.details.runs.is_empty();
        let scheduled = rule.is_some_and(|rule| rule.schedule.is_some());
        let well = said.follows_interval && said.status.verdict() == Some(true);
        let may = well && !runs && !scheduled && interval <= Span::secs(3600);
        told == interval || may && told > interval && told.0 <= 101 * interval.0
    }

    /// A beat comes; its sender was told an interval.
    pub fn beat(
        &mut self,
        now: Now,
        said: &Said,
        peer: Peer,
        told: Span,
        rules: &Rules,
        defaults: &Defaults,
    ) -> Effect {
        let was = self.visible();
        self.beats += 1;
        self.last_wall = now.wall;
        self.last_mono = now.mono;
        let elsewhere = std::mem::replace(&mut self.peer, peer) != peer;
        self.status = said.status;
        let rule = self.rule(rules);
        let scheduled = rule.is_some_and(|rule| rule.schedule.is_some());
        let own_interval = !scheduled && rule.is_none_or(|rule| rule.interval.is_none());
        let own_grace = own_interval && rule.is_none_or(|rule| rule.grace.is_none());
        let wish = said.interval.filter(|wish| own_interval && Some(*wish) != self.asked);
        if let Some(wish) = wish {
            self.refit(wish, rules, defaults);
            self.interval = wish;
        }
        self.asked = (told != self.interval).then_some(told);
        self.grace = said.grace.filter(|_| own_grace).unwrap_or(self.grace);
        if let Some(seq) = said.seq {
            match &mut self.counter {
                Some(counter) => counter.take(seq, elsewhere),
                None => self.counter = Some(Counter { last: seq, came: [seq].into(), ..Counter::default() }),
            }
        }
        if let Some(ip) = &said.ip {
            self.details.reported = Some(ip.clone());
        }
        if let Some(message) = &said.message {
            self.details.message = Some(message.clone()).filter(|message| !message.is_empty());
        }
        if let Some(tags) = &said.tags {
            self.details.tags.clone_from(tags);
        }
        if let Some(ts) = said.ts {
            (self.skew_ms, self.skew_is_old) = (Some(ts.0 - now.wall.0), false);
        }
        let deadline = match said.status.verdict() {
            Some(well) => {
                self.end_runs(now, said.rid.as_deref());
                if well {
                    if self.state == State::Down {
                        self.drop_overdue_runs(now);
                    }
                    self.overrun = None;
                    self.state = State::Up;
                    self.due(now, rules)
                } else {
                    let waits =
                        self.deadline.filter(|_| self.state == State::Down && self.incident.is_none());
                    self.state = State::Down;
                    let forgotten = self.forgotten_at(rules, defaults);
                    [waits, forgotten].into_iter().flatten().min()
                }
            }
            None if said.status == Status::Start => {
                self.start_run(now, said.rid.as_deref().unwrap_or_default(), rules);
                if self.state == State::Late {
                    self.state = State::Up;
                }
                if self.state == State::Down { self.deadline } else { self.due(now, rules) }
            }
            None if self.state == State::New && (self.deadline.is_none() || self.beats == 1) => {
                self.due(now, rules)
            }
            None => self.deadline,
        };
        if said.status != Status::Log {
            self.heard = now.mono;
        }
        if !self.paused {
            self.deadline = deadline;
        }
        self.compare(now, was, false)
    }

    fn start_run(&mut self, now: Now, rid: &str, rules: &Rules) {
        let schedule = self.rule(rules).and_then(|rule| rule.schedule.as_ref());
        // Until the slot behind the one that it is for.
        let until = schedule.and_then(|schedule| {
            let slot = schedule.next_after(now.wall)?;
            let ahead = Span((slot.0 - now.wall.0) as u64);
            let is_early = self.is_early(schedule, slot, ahead, rules);
            if is_early { schedule.next_after(slot) } else { Some(slot) }
        });
        let between = until.map_or(self.interval, |until| Span((until.0 - now.wall.0) as u64));
        let usual = Span(between.0 + self.grace.0);
        let limit = self.rule(rules).and_then(|rule| rule.run_limit).unwrap_or(usual);
        let runs = &mut self.details.runs;
        runs.retain(|run| run.rid != rid);
        if runs.len() == RUNS_MAX {
            runs.remove(0);
        }
        let deadline = now.mono.after(limit);
        runs.push(Run { rid: rid.into(), deadline, began: now.mono, started: now.wall });
    }

    fn end_runs(&mut self, now: Now, rid: Option<&str>) {
        let ends = |run: &Run| rid.is_none_or(|rid| run.rid == rid);
        if let Some(run) = self.overrun.iter().chain(&self.details.runs).rev().find(|run| ends(run)) {
            self.details.run_took = Some(now.mono.since(run.began));
        }
        self.details.runs.retain(|run| !ends(run));
        self.overrun = self.overrun.take().filter(|run| !ends(run));
    }

    /// What takes too long is no run under way any more; the oldest of them may end yet.
    fn drop_overdue_runs(&mut self, now: Now) {
        let overdue = self.details.runs.iter().find(|run| run.deadline <= now.mono);
        self.overrun = overdue.cloned().or(self.overrun.take());
        self.details.runs.retain(|run| run.deadline > now.mono);
    }

    /// Its time is up; `None`: it is to be forgotten.
    pub fn time_is_up(&mut self, now: Now, rules: &Rules, defaults: &Defaults) -> Option<Effect> {
        let was = self.visible();
        let due = self.deadline.unwrap_or(now.mono);
        let forgotten = self.forgotten_at(rules, defaults);
        match was {
            State::Paused => {
                return Some(match self.window(now, rules) {
                    Some(until) => self.pause(now, Pause { by: PausedBy::Window, until: Some(until) }),
                    None => self.resume(now, rules, defaults),
                });
            }
            State::Down if forgotten.is_some_and(|at| at <= now.mono) => return None,
            State::Down => {}
            _ if self.details.runs.iter().any(|run| run.deadline <= now.mono) => {
                self.drop_overdue_runs(now);
                self.state = State::Down;
            }
            State::New if self.beats == 0 => self.state = State::Down,
            State::Up | State::New if self.grace > Span(0) => self.state = State::Late,
            _ => self.state = State::Down,
        }
        let left = Span(self.grace.0 - self.tolerance(rules).0);
        self.deadline = if self.state == State::Late { Some(due.after(left)) } else { forgotten };
        Some(self.compare(now, was, true))
    }

    pub fn pause(&mut self, now: Now, pause: Pause) -> Effect {
        let was = self.visible();
        self.paused = true;
        self.details.pause = Some(pause);
        self.deadline = pause.until.map(|until| now.mono_of(until));
        self.compare(now, was, false)
    }

    pub fn resume(&mut self, now: Now, rules: &Rules, defaults: &Defaults) -> Effect {
        let was = self.visible();
        self.paused = false;
        self.details.pause = None;
        self.heard = now.mono;
        if self.state == State::New {
            self.since = now.wall;
        }
        match self.state {
            State::Down => self.deadline = self.forgotten_at(rules, defaults),
            State::New if self.beats == 0 => self.deadline = self.first_beat_until(now, rules, defaults),
            state => {
                self.state = if state == State::New { State::New } else { State::Up };
                self.deadline = self.due(now, rules);
            }
        }
        self.compare(now, was, false)
    }

    /// A person ends a pause, also that of a window.
    pub fn resumed_by_person(&mut self, now: Now, rules: &Rules, defaults: &Defaults) -> Effect {
        self.overruled_until = self.rule(rules).and_then(|rule| rule.pause(now.wall));
        self.resume(now, rules, defaults)
    }

    /// Counts a change; whether it is one too many, and not that back to a state people do not know it is in again.
    fn is_muted(&mut self, now: Now, was: State, to: State) -> bool {
        let hour = Some(now.mono.0 / HOUR_MS);
        if self.hour != hour {
            (self.hour, self.changes) = (hour, 0);
        }
        let slow = to == State::Late || (was == State::Late && to == State::Up);
        if self.changes < if slow { LATE_CHANGES_PER_HOUR_MAX } else { CHANGES_PER_HOUR_MAX } {
            self.changes += 1;
            return false;
        }
        !(to == State::Up && self.told != State::Up)
    }

    /// What has become of one that people last saw as `was`; `lasted`: its time was up.
    fn compare(&mut self, now: Now, was: State, lasted: bool) -> Effect {
        let to = self.visible();
        let mut effect = Effect::default();
        let opens = to == State::Down && self.incident.is_none() && (was != to || lasted);
        if let (State::Up, Some((beats, ..))) = (self.state, self.incident) {
            effect.turning = Some(Turning::Closes { beats, at: now.wall });
            self.incident = None;
        }
        let from = if was == to { self.told } else { was };
        let mut muted = false;
        if was != to {
            muted = self.is_muted(now, was, to);
            self.since = match self.incident {
                Some((_, started, _)) if to == State::Down => started,
                _ => now.wall,
            };
        }
        if (was != to || opens) && !muted {
            self.told = to;
        }
        if opens && muted {
            let lasting = now.mono.after(LASTING);
            self.deadline = Some(self.deadline.map_or(lasting, |at| at.min(lasting)));
        } else if opens {
            let cause = match (self.beats, self.status.verdict()) {
                (0, _) => Cause::NeverHeard,
                (_, Some(false)) => Cause::Fail,
                _ if self.overrun.is_some() => Cause::RunTooLong,
                _ => Cause::Silence,
            };
            self.incident = Some((self.beats, self.since, cause));
            effect.turning = Some(Turning::Opens { beats: self.beats, started: self.since, cause });
        }
        if (was != to || opens) && !(was == State::New && to == State::Up) {
            effect.told = Some(Told { from, to, muted });
        }
        effect
    }
}

/// What follows from a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effect {
    pub told: Option<Told>,
    pub turning: Option<Turning>,
}
