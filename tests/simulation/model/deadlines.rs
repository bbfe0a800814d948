//! Until when one monitor is waited for.

use super::Mon;
use heartbeat_server::domain::limits::LASTING;
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::policy::Defaults;
use heartbeat_server::domain::rules::Rules;
use heartbeat_server::domain::schedule::Schedule;
use heartbeat_server::domain::time::{Mono, Now, Span, Wall};
use heartbeat_server::domain::tolerance::Early;

impl Mon {
    /// How long it may not have been heard.
    pub fn first_beat(&self, rules: &Rules, defaults: &Defaults) -> Option<Span> {
        let within = self.rule(rules).and_then(|rule| rule.first_beat).unwrap_or(defaults.first_beat);
        within.filter(|_| self.beats == 0 && self.is_kept())
    }

    /// Counted from when it may be heard, or from the first slot after that.
    pub(super) fn first_beat_until(&self, now: Now, rules: &Rules, defaults: &Defaults) -> Option<Mono> {
        let within = self.first_beat(rules, defaults)?;
        let from = match self.rule(rules).and_then(|rule| rule.schedule.as_ref()) {
            Some(schedule) => schedule.next_after(self.since)?,
            None => self.since,
        };
        Some(now.mono_of(Wall(from.0 + within.0 as i64)).max(now.mono))
    }

    /// When it is late, heard just now.
    pub(super) fn due(&mut self, now: Now, rules: &Rules) -> Option<Mono> {
        if let Some(first) = self.details.runs.iter().map(|run| run.deadline).min() {
            return Some(first);
        }
        let Some(schedule) = self.rule(rules).and_then(|rule| rule.schedule.as_ref()) else {
            return Some(now.mono.after(self.asked.unwrap_or(self.interval)));
        };
        self.slot = schedule.next_after(now.wall);
        let well = self.beats > 0 && self.status.verdict() == Some(true);
        if let Some(slot) = self.slot.filter(|_| well) {
            let next = schedule.next_after(slot);
            let ahead_ms = slot.0 - self.last_wall.0;
            // A clock that was put back since brings again what that beat was for.
            let came_since = ahead_ms <= 0 && next.is_none_or(|next| self.last_wall < next);
            if came_since || ahead_ms > 0 && self.is_early(schedule, slot, Span(ahead_ms as u64), rules) {
                self.slot = next;
            }
        }
        self.slot_deadline(now, rules)
    }

    /// Whether what comes so long before a slot is for it.
    pub(super) fn is_early(&self, schedule: &Schedule, slot: Wall, ahead: Span, rules: &Rules) -> bool {
        let gap = gap_before(schedule, slot);
        let most = match self.rule(rules).and_then(|rule| rule.early).unwrap_or_default() {
            Early::Percent(percent) => (gap * u64::from(percent) / 100).min(60_000),
            Early::For(span) => span.0.min(gap / 2),
        };
        ahead.0 <= most
    }

    /// How long after the slot it waits for it is not late yet.
    pub(super) fn tolerance(&self, rules: &Rules) -> Span {
        let schedule = self.rule(rules).and_then(|rule| rule.schedule.as_ref());
        let gap = schedule.zip(self.slot).map(|(schedule, slot)| gap_before(schedule, slot));
        Span(gap.map_or(0, |gap| (gap / 20).clamp(10_000, 60_000).min(self.grace.0 / 2)))
    }

    /// When it is down, heard just now.
    pub(super) fn down_at(&mut self, now: Now, rules: &Rules) -> Option<Mono> {
        let due = self.due(now, rules);
        due.map(|due| due.after(Span(self.grace.0 - self.tolerance(rules).0)))
    }

    /// Who has a schedule only since it was told a longer interval is held to the later of both.
    pub(super) fn slot_deadline(&self, now: Now, rules: &Rules) -> Option<Mono> {
        let patience = self.asked.map_or(Mono(0), |asked| self.last_mono.after(asked));
        self.slot.map(|slot| now.mono_of(slot).max(patience).after(self.tolerance(rules)))
    }

    pub(super) fn forgotten_at(&self, rules: &Rules, defaults: &Defaults) -> Option<Mono> {
        let rule = self.rule(rules).and_then(|rule| rule.forget_after);
        let after = rule.unwrap_or(defaults.forget_after).filter(|_| !self.is_kept())?;
        Some(self.last_mono.after(after))
    }

    /// One that is down waits for being forgotten; or to be told of, if it was only counted.
    pub(super) fn down_until(&self, now: Now, rules: &Rules, defaults: &Defaults) -> Option<Mono> {
        let forgotten = self.forgotten_at(rules, defaults).map(|at| at.max(now.mono));
        if self.incident.is_some() {
            return forgotten;
        }
        let told = if self.told == State::Down { now.mono } else { now.mono.after(LASTING) };
        [forgotten, self.deadline, Some(told)].into_iter().flatten().min()
    }
}

/// A quarter of an interval, but no less than half a minute and no more than an hour.
pub(super) fn fitting(interval: Span) -> Span {
    Span((interval.0 / 4).clamp(30_000, 3_600_000))
}

/// The time from one slot to the next, found by going through them; longer than a day is as good as a day.
fn gap_before(schedule: &Schedule, slot: Wall) -> u64 {
    let mut before = None;
    for back_ms in [300_000, 3_600_000, 2 * 86_400_000] {
        let mut at = Wall(slot.0 - back_ms);
        while let Some(next) = schedule.next_after(at).filter(|next| *next < slot) {
            (before, at) = (Some(next), next);
        }
        if before.is_some() {
            break;
        }
    }
    before.map_or(2 * 86_400_000, |before| (slot.0 - before.0) as u64)
}
