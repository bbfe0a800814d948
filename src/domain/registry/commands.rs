//! What people and calendars do to monitors: declare, pause, resume, remove.

use super::row::{Flags, NEVER, NO_RULE};
use super::{Declaration, MonitorCommand, Name, Registry};
use crate::domain::beat::Source;
use crate::domain::notice::State;
use crate::domain::record::{Change, Pause, PausedBy, Record};
use crate::domain::rules::Rule;
use crate::domain::time::Now;

/// Why a wish was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandRefusal {
    /// There is no such monitor.
    Unknown,
    /// The configuration says otherwise.
    Configured,
}

impl Registry {
    /// Does what a person wants; true when a monitor was made (by number `create`).
    pub fn control(
        &mut self,
        now: Now,
        monitor: Name<'_>,
        control: &MonitorCommand,
        create: (u64, Source),
        keep: &mut impl FnMut(&Record<'_>),
    ) -> Result<bool, CommandRefusal> {
        let found = self.find(monitor);
        if let MonitorCommand::Declare(wish) = control {
            let rule = match found {
                Some(key) => self.monitors[key as usize].rule,
                None => self.rules.find(monitor.id.as_str(), create.1.peer).unwrap_or(NO_RULE),
            };
            if self.rules.get(rule).is_some_and(|rule| rule.forbids(wish)) {
                return Err(CommandRefusal::Configured);
            }
        }
        let (key, created) = match (found, control) {
            (Some(key), _) => (key, false),
            (None, MonitorCommand::Declare(_)) => (self.create(now, monitor, create.0, create.1, keep), true),
            (None, _) => return Err(CommandRefusal::Unknown),
        };
        let row = &mut self.monitors[key as usize];
        let rule = self.rules.get(row.rule);
        match control {
            MonitorCommand::Pause { until } => {
                self.pause(now, key, Pause { by: PausedBy::Person, until: *until }, keep);
            }
            MonitorCommand::Resume => {
                if row.is_paused() {
                    row.rare().overruled_until = rule.and_then(|rule| rule.pause(now.wall));
                    self.resume(now, key, keep);
                }
            }
            MonitorCommand::Remove => {
                if row.flags.has(Flags::CONFIGURED) {
                    return Err(CommandRefusal::Configured);
                }
                self.remove(now, key, keep);
            }
            MonitorCommand::Declare(wish) => {
                row.flags.set(Flags::DECLARED, true);
                if let Some(tags) = &wish.tags {
                    row.set_tags(tags.iter().map(String::as_str));
                }
                let interval = wish.interval.unwrap_or(row.interval);
                row.refit_grace(rule, &self.defaults, interval);
                row.set_interval(interval);
                row.grace = wish.grace.unwrap_or(row.grace);
                self.set_deadline(now, key);
                self.write_record(now, key, Change::None, keep);
            }
        }
        Ok(created)
    }

    /// The connection has gone for which a monitor stood; after `silence` that is a reason to be down. Who declared it
    /// keeps it.
    pub fn depart(&mut self, now: Now, monitor: Name<'_>, silence: bool, keep: &mut impl FnMut(&Record<'_>)) {
        let Some(key) = self.find(monitor) else { return };
        let row = &mut self.monitors[key as usize];
        let was = row.visible();
        if silence && matches!(was, State::Up | State::Late) {
            row.state = State::Down;
            row.deadline = row.forgotten_at(self.rules.get(row.rule), &self.defaults);
            self.write_change(now, key, was, keep);
        }
        if !self.monitors[key as usize].is_kept() {
            self.remove(now, key, keep);
        }
    }

    /// Puts maintenance windows in force that have begun. Those that end do so by themselves.
    pub fn hold_windows(&mut self, now: Now, keep: &mut impl FnMut(&Record<'_>)) {
        for key in 0..self.monitors.len() as u32 {
            self.hold_window(now, key, keep);
        }
    }

    pub(super) fn pause(&mut self, now: Now, key: u32, pause: Pause, keep: &mut impl FnMut(&Record<'_>)) {
        let row = &mut self.monitors[key as usize];
        let was = row.visible();
        if was != State::Paused {
            row.keep_incident_start();
        }
        row.flags.set(Flags::PAUSED, true);
        row.rare().pause = Some(pause);
        row.deadline = pause.until.map_or(NEVER, |until| now.mono_of(until));
        self.write_change(now, key, was, keep);
    }

    pub(super) fn resume(&mut self, now: Now, key: u32, keep: &mut impl FnMut(&Record<'_>)) {
        let row = &mut self.monitors[key as usize];
        let rule = self.rules.get(row.rule);
        let was = row.visible();
        row.flags.set(Flags::PAUSED, false);
        row.rare().pause = None;
        if row.state == State::New {
            // From here on it may be heard.
            row.since = now.wall;
        }
        match row.state {
            State::Down => row.deadline = row.forgotten_at(rule, &self.defaults),
            State::New if row.beats == 0 => row.deadline = row.first_beat_until(now, rule, &self.defaults),
            state => {
                row.state = if state == State::New { State::New } else { State::Up };
                row.deadline = row.due(now, rule);
            }
        }
        self.write_change(now, key, was, keep);
    }

    /// Pauses a monitor whose maintenance window is open.
    pub(super) fn hold_window(&mut self, now: Now, key: u32, keep: &mut impl FnMut(&Record<'_>)) {
        let row = &self.monitors[key as usize];
        if row.is_vacant() || row.is_paused() {
            return;
        }
        if let Some(until) = row.window(now, self.rules.get(row.rule)) {
            self.pause(now, key, Pause { by: PausedBy::Window, until: Some(until) }, keep);
        }
    }

    /// Gives a monitor that is up or late a whole new interval, and one that was never heard its time, after what it is
    /// held to has changed.
    pub(super) fn set_deadline(&mut self, now: Now, key: u32) {
        let row = &mut self.monitors[key as usize];
        let rule = self.rules.get(row.rule);
        match row.visible() {
            State::Up => row.deadline = row.due(now, rule),
            State::Late => row.deadline = now.mono.after(row.grace),
            State::Down => row.deadline = row.down_until(now, rule, &self.defaults),
            State::New if row.beats == 0 => {
                row.deadline = row.first_beat_until(now, rule, &self.defaults);
            }
            State::New | State::Paused => {}
        }
        self.insert_deadline(key);
    }
}

impl Rule {
    /// Whether it decides something that a person wants otherwise.
    fn forbids(&self, wish: &Declaration) -> bool {
        (wish.interval.is_some() && (self.interval.is_some() || self.schedule.is_some()))
            || (wish.grace.is_some() && self.grace.is_some())
    }
}
