//! A registry put together again after a start, and the forgiving of time in which nobody listened.
//!
//! Records come in any order and more than once ([`Registry::load`]); of each monitor the later one holds. Then
//! [`Registry::resume_after_start`] gives everybody a deadline: whoever was up or late has a whole interval from now, as if its last
//! beat had just come; a schedule waits for its first slot from now on; a run has as much time left as it had when we
//! were last known to listen; whoever was never heard keeps its time, and has an interval at least, but waits anew where its
//! first slot came meanwhile. The same holds, without a start, after the machine has slept or we have been stuck
//! ([`Registry::forgive`]).

use super::row::{Flags, Monitor, NEVER, Own, SMALL_STEP};
use super::{Name, Registry};
use crate::domain::beat::Source;
use crate::domain::notice::State;
use crate::domain::policy::Policy;
use crate::domain::record::{Change, PausedBy, Record};
use crate::domain::rules::Rule;
use crate::domain::time::{Now, Span, Wall};
use std::collections::HashSet;
use std::sync::Arc;

impl Registry {
    /// Takes a record in that was kept; `saved` says whether the snapshot has it. Until [`Registry::resume_after_start`] nobody is
    /// judged.
    pub fn load(&mut self, now: Now, name: Name<'_>, record: &Record<'_>, saved: bool) {
        let loading = self.loading.get_or_insert_default();
        if record.change == Change::Removed {
            loading.buried.insert(record.number);
        }
        if loading.buried.contains(&record.number) {
            if let Some(key) = self.find(name) {
                if self.monitors[key as usize].number == record.number {
                    self.clear(now, key);
                }
            }
            return;
        }
        let known = self.find(name);
        let known_number = known.map(|key| self.monitors[key as usize].number);
        if known_number.is_some_and(|number| record.number < number) {
            return;
        }
        let key = match known.filter(|_| known_number == Some(record.number)) {
            Some(key) => key,
            None => {
                if let Some(key) = known {
                    self.clear(now, key);
                }
                let row = Monitor::new(now, name.id.to_id(), name.hash, record.number, record.source);
                let key = self.insert(row);
                self.has_details_of(key, 0);
                key
            }
        };
        let row = &mut self.monitors[key as usize];
        let was = row.visible();
        let version = row.version();
        if !saved {
            row.flags.set(Flags::UNSAVED, true);
        }
        if record.version >= version {
            row.restore(now, record);
        }
        if let Some(details) = &record.details {
            let known = self.loading.as_ref().and_then(|loading| loading.detailed.get(key as usize)).copied();
            if known.is_none_or(|known| record.version >= known) {
                let row = &mut self.monitors[key as usize];
                let before = row.long_message_bytes();
                row.restore_details(now, record.version, details);
                self.messages.replaced(before, row.long_message_bytes());
                self.has_details_of(key, record.version);
                if self.messages.overflow() {
                    self.cut_messages();
                }
            }
        }
        self.counts[was as usize] -= 1;
        self.counts[self.monitors[key as usize].visible() as usize] += 1;
    }

    /// Notes which version's details a row has. A row may be another monitor's before all is read.
    fn has_details_of(&mut self, key: u32, version: u64) {
        let detailed = &mut self.loading.get_or_insert_default().detailed;
        if detailed.len() <= key as usize {
            detailed.resize(key as usize + 1, 0);
        }
        detailed[key as usize] = version;
    }

    /// Notes that a monitor was removed, before any record of it is loaded.
    pub fn mark_removed(&mut self, number: u64) {
        self.loading.get_or_insert_default().buried.insert(number);
    }

    /// Gives everybody that was loaded a deadline. `last_sign` is when we were last known to listen. `handed_over`: monitors
    /// that stand for a connection which has outlived the process before us; the others of that kind go, as theirs went.
    pub fn resume_after_start(
        &mut self,
        now: Now,
        last_sign: Option<Wall>,
        handed_over: &HashSet<String>,
        keep: &mut impl FnMut(&Record<'_>),
    ) {
        self.loading = None;
        // Less than nothing when the clock was put back meanwhile.
        let away_ms = last_sign.map_or(0, |last| now.wall.0.saturating_sub(last.0));
        let (rules, defaults) = (self.rules.clone(), self.defaults);
        for key in 0..self.monitors.len() as u32 {
            let row = &mut self.monitors[key as usize];
            if row.is_vacant() {
                continue;
            }
            row.apply_rules(&rules, &defaults, Own::ALL);
            if row.is_of_connection() && !handed_over.contains(row.id.as_str()) {
                self.remove(now, key, keep);
                continue;
            }
            if row.is_running() && away_ms != 0 {
                if away_ms > 0 {
                    row.extend_runs(Span(away_ms.unsigned_abs()));
                } else {
                    row.put_runs_back(now, Span(away_ms.unsigned_abs()));
                }
                self.write_record(now, key, Change::None, keep);
            }
            let row = &mut self.monitors[key as usize];
            let pause = row.rare.as_ref().and_then(|rare| rare.pause);
            match (row.visible(), pause) {
                (State::Paused, Some(pause)) => {
                    row.deadline = pause.until.map_or(NEVER, |until| now.mono_of(until));
                }
                _ => {
                    row.deadline = NEVER;
                    self.give_whole_interval(now, Span(away_ms.max(0).unsigned_abs()), key, keep);
                }
            }
            self.insert_deadline(key);
            self.hold_window(now, key, keep);
        }
    }

    /// Forgives time in which nobody listened: the machine slept, or we were stuck. (While the machine sleeps the clock of
    /// deadlines stands still; while we are stuck it runs.)
    pub fn forgive(&mut self, now: Now, slept: Span, stuck: Span, keep: &mut impl FnMut(&Record<'_>)) {
        for key in 0..self.monitors.len() as u32 {
            let row = &mut self.monitors[key as usize];
            if row.is_vacant() {
                continue;
            }
            let running = row.is_running();
            row.sleep_runs(slept);
            row.extend_runs(stuck);
            if row.is_paused() {
                // It ends by the wall clock, which has gone on.
                row.deadline = row.paused_until(now);
            } else {
                self.give_whole_interval(now, Span(slept.0.saturating_add(stuck.0)), key, keep);
            }
            self.insert_deadline(key);
            if running {
                self.write_record(now, key, Change::None, keep);
            }
        }
    }

    /// The wall clock was set, forward by `step_ms` or back: what waits for a time of day waits for the new one.
    pub fn clock_stepped(&mut self, now: Now, step_ms: i64, keep: &mut impl FnMut(&Record<'_>)) {
        for key in 0..self.monitors.len() as u32 {
            let row = &mut self.monitors[key as usize];
            if row.is_vacant() {
                continue;
            }
            if row.visible() == State::New && row.beats == 0 {
                let since = row.since;
                row.first_beat_stepped(now, step_ms, self.rules.get(row.rule), &self.defaults);
                let moved = row.since != since;
                self.insert_deadline(key);
                if moved {
                    self.write_record(now, key, Change::None, keep);
                }
                continue;
            }
            if row.rare.is_none() {
                continue;
            }
            let running = row.is_running();
            row.restamp_runs(now);
            let rule = self.rules.get(row.rule);
            let schedule = rule.and_then(|rule| rule.schedule.as_ref());
            let slot = row.rare.as_ref().and_then(|rare| rare.slot);
            let waits = matches!(row.state, State::Up | State::New) && !running && row.deadline != NEVER;
            if row.is_paused() {
                row.deadline = row.paused_until(now);
            } else if let (true, Some(schedule), Some(slot)) = (waits, schedule, slot) {
                // One that had come before is within its tolerance.
                let before = Wall(now.wall.0.saturating_sub(step_ms));
                let jumped_over = before < slot && slot <= now.wall && step_ms.unsigned_abs() > SMALL_STEP.0;
                let slot = if jumped_over { schedule.next_after(now.wall) } else { Some(slot) };
                row.deadline = row.wait_for(now, schedule, slot);
            }
            self.insert_deadline(key);
            if running {
                self.write_record(now, key, Change::None, keep);
            }
        }
    }

    /// Puts new rules and defaults in force. Whoever is held to something else than before gets a whole interval.
    pub fn set_policy(&mut self, now: Now, policy: &Policy, keep: &mut impl FnMut(&Record<'_>)) {
        let before = std::mem::replace(&mut self.rules, Arc::clone(&policy.rules));
        let defaults = std::mem::replace(&mut self.defaults, policy.defaults);
        let same = *before == *self.rules && defaults.first_beat == self.defaults.first_beat;
        for key in 0..self.monitors.len() as u32 {
            let row = &mut self.monitors[key as usize];
            if row.is_vacant() || same {
                continue;
            }
            let rule = before.get(row.rule);
            let own = Own {
                interval: rule.is_none_or(|rule| rule.interval.is_none()),
                grace: !rule.is_some_and(Rule::is_fixed),
            };
            let old = row.held_to(rule, &defaults);
            row.apply_rules(&self.rules, &self.defaults, own);
            let new = row.held_to(self.rules.get(row.rule), &self.defaults);
            if old != new {
                if old.2 != new.2 && row.visible() == State::New && row.beats == 0 {
                    // What was no slot until now cannot have been missed.
                    row.since = now.wall;
                }
                self.set_deadline(now, key);
                self.write_record(now, key, Change::None, keep);
            }
            let row = &self.monitors[key as usize];
            let by_window = row.is_paused() && row.paused_by() == Some(PausedBy::Window);
            if by_window && row.window(now, self.rules.get(row.rule)).is_none() {
                self.resume(now, key, keep);
            }
            self.hold_window(now, key, keep);
        }
    }

    /// Makes a monitor that the configuration declares, by a `number` that is asked for only then, where there is none of
    /// its id.
    pub fn ensure(
        &mut self,
        now: Now,
        name: Name<'_>,
        source: Source,
        number: impl FnOnce() -> u64,
        keep: &mut impl FnMut(&Record<'_>),
    ) -> bool {
        let missing = self.find(name).is_none();
        if missing {
            self.create(now, name, number(), source, keep);
        }
        missing
    }

    /// Sets a deadline as if the monitor had just been heard. Nobody has listened for so long.
    fn give_whole_interval(&mut self, now: Now, away: Span, key: u32, keep: &mut impl FnMut(&Record<'_>)) {
        let row = &mut self.monitors[key as usize];
        let rule = self.rules.get(row.rule);
        let since = row.since;
        row.deadline = match row.state {
            State::New if row.beats == 0 => {
                row.excuse_first_slot(now, away, rule);
                row.first_beat_again(now, rule, &self.defaults)
            }
            State::Up | State::New => row.due(now, rule),
            State::Late => row.down_at(now, rule),
            State::Down | State::Paused => row.down_until(now, rule, &self.defaults),
        };
        if row.since != since {
            self.write_record(now, key, Change::None, keep);
        }
    }
}
