//! Times in which nobody listened, steps of the clock, and the next start.

use super::*;

impl Mon {
    pub fn window(&self, now: Now, rules: &Rules) -> Option<Wall> {
        let until = self.rule(rules).and_then(|rule| rule.pause(now.wall))?;
        self.overruled_until.is_none_or(|end| end <= now.wall).then_some(until)
    }

    /// What it is held to has changed: it has a whole new interval.
    pub fn rearm(&mut self, now: Now, rules: &Rules, defaults: &Defaults) {
        self.heard = now.mono;
        match self.visible() {
            State::Up => self.deadline = self.due(now, rules),
            State::Late => self.deadline = Some(now.mono.after(self.grace)),
            State::Down => self.deadline = self.down_until(now, rules, defaults),
            State::New if self.beats == 0 => self.deadline = self.first_beat_until(now, rules, defaults),
            State::New | State::Paused => {}
        }
    }

    /// Nobody listened up to now: who was up or late has a whole interval from now.
    pub fn forgive(&mut self, now: Now, away: Span, rules: &Rules, defaults: &Defaults) {
        self.heard = now.mono;
        if self.paused {
            self.deadline = self.details.pause.and_then(|pause| pause.until).map(|until| now.mono_of(until));
            return;
        }
        self.deadline = match self.state {
            State::New if self.beats == 0 => {
                // Its slot was missed by us: it waits anew.
                let schedule = self.rule(rules).and_then(|rule| rule.schedule.as_ref());
                let first = schedule.and_then(|schedule| schedule.next_after(self.since));
                let absent = now.wall.0 - away.0 as i64 + 1..=now.wall.0;
                if first.is_some_and(|first| absent.contains(&first.0)) || self.since > now.wall {
                    self.since = now.wall;
                }
                let scheduled = schedule.is_some();
                let until = self.first_beat_until(now, rules, defaults);
                let whole = Span(self.interval.0 + self.grace.0);
                let least = self.first_beat(rules, defaults).map(|within| now.mono.after(within.min(whole)));
                match (until, least) {
                    (Some(until), Some(least)) if !scheduled || until <= now.mono => Some(until.max(least)),
                    _ => until,
                }
            }
            State::Up | State::New => self.due(now, rules),
            State::Late => self.down_at(now, rules),
            State::Down | State::Paused => self.down_until(now, rules, defaults),
        };
    }

    /// Its runs have as much time left as before `stuck`, and have gone on while the machine slept.
    pub fn extend_runs(&mut self, slept: Span, stuck: Span) {
        for run in self.details.runs.iter_mut().chain(&mut self.overrun) {
            run.deadline = run.deadline.after(stuck);
            run.began = Mono(run.began.0 - slept.0);
        }
    }

    /// The wall clock was set, so its runs began at another time by it.
    pub fn restamp_runs(&mut self, now: Now) {
        for run in &mut self.details.runs {
            run.started = now.wall_of(run.began);
        }
    }

    /// The wall clock was set: what waits for a time of day waits for the new one.
    pub fn clock_stepped(&mut self, now: Now, step_ms: i64, rules: &Rules, defaults: &Defaults) {
        if self.visible() == State::New && self.beats == 0 {
            let Some(schedule) = self.rule(rules).and_then(|rule| rule.schedule.as_ref()) else {
                self.since = Wall(self.since.0 + step_ms);
                return;
            };
            let ahead = schedule.next_after(self.since).is_none_or(|first| first.0 > now.wall.0 - step_ms);
            if step_ms.abs() > 60_000 {
                self.since = now.wall;
            } else if ahead {
                self.since = self.since.min(now.wall);
            } else {
                return;
            }
            self.deadline = self.first_beat_until(now, rules, defaults);
        } else if self.paused {
            self.deadline = self.details.pause.and_then(|pause| pause.until).map(|until| now.mono_of(until));
        } else if matches!(self.state, State::Up | State::New) && self.details.runs.is_empty() {
            let Some(schedule) = self.rule(rules).and_then(|rule| rule.schedule.as_ref()) else { return };
            let Some(slot) = self.slot.filter(|_| self.deadline.is_some()) else { return };
            let skipped = now.wall.0 - step_ms < slot.0 && slot <= now.wall && step_ms.abs() > 60_000;
            self.slot = if skipped { schedule.next_after(now.wall) } else { Some(slot) };
            self.deadline = self.slot_deadline(now, rules);
        }
    }

    /// It was read again after a start.
    pub fn settle(&mut self, now: Now, away: Span, rules: &Rules, defaults: &Defaults) {
        self.last_mono = now.mono_of(self.last_wall).min(now.mono);
        (self.hour, self.changes, self.overruled_until, self.overrun) = (None, 0, None, None);
        self.skew_is_old = true;
        (self.slot, self.deadline, self.told) = (None, None, self.visible());
        self.hold_to(rules, defaults, (true, true));
        if self.paused && self.details.pause.is_none() {
            // The record of the pause was lost and a later one was not: it ends when its interval does.
            self.paused = false;
            self.forgive(now, away, rules, defaults);
            self.paused = true;
        } else {
            self.forgive(now, away, rules, defaults);
        }
    }

    /// As it was kept, read by the clocks of a later start: a run has as much time left as it had at the last sign of life.
    pub fn read_again(&self, last_sign: Option<Wall>, now: Now) -> Mon {
        let mut mon = self.clone();
        if mon.beats == 0 {
            mon.last_wall = mon.written;
        }
        let sign = last_sign.unwrap_or(now.wall);
        for run in &mut mon.details.runs {
            let left_ms = run.started.0 + (run.deadline.0 as i64 - run.began.0 as i64) - sign.0;
            run.deadline = Mono(now.mono.0.saturating_add_signed(left_ms));
            // Was the clock put back meanwhile, it began earlier by the new one.
            run.started = Wall(run.started.0 - (sign.0 - now.wall.0).max(0));
            run.began = now.mono_of(run.started);
        }
        mon
    }
}
