//! What a monitor is held to, by its rule, its own word or the defaults, and when its time is up by that.

use super::{Flags, Monitor, NEVER, NO_RULE, OpenRun};
use crate::domain::beat::Transport;
use crate::domain::limits::LASTING;
use crate::domain::notice::State;
use crate::domain::policy::Defaults;
use crate::domain::rules::{Rule, Rules};
use crate::domain::schedule::Schedule;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::domain::tolerance::{fitting_grace, late_tolerance};

/// A step of the wall clock up to which a slot that it jumped over counts as come; beyond, it is skipped.
pub(in crate::domain::registry) const SMALL_STEP: Span = Span::secs(60);
/// See [`Monitor::slack`].
const KEPT_SLACK: Span = Span(500);

/// What a monitor is held to by its own word, not by a rule or the defaults.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain::registry) struct Own {
    /// Its interval.
    pub(in crate::domain::registry) interval: bool,
    /// Its grace.
    pub(in crate::domain::registry) grace: bool,
}

impl Own {
    /// As it was told, or told us.
    pub(in crate::domain::registry) const ALL: Own = Own { interval: true, grace: true };
    /// Nothing: it is new, or begins anew.
    pub(in crate::domain::registry) const NONE: Own = Own { interval: false, grace: false };
}

impl Monitor {
    /// What the configuration, or else the defaults, hold it to; what is its `own` stays where no rule speaks of it.
    pub(in crate::domain::registry) fn apply_rules(&mut self, rules: &Rules, defaults: &Defaults, own: Own) {
        self.rule = rules.find(self.id.as_str(), self.source.peer).unwrap_or(NO_RULE);
        self.flags.set(Flags::CONFIGURED, rules.declares(self.id.as_str()));
        let rule = rules.get(self.rule);
        if let Some(interval) =
            rule.and_then(|rule| rule.interval).or((!own.interval).then_some(defaults.interval))
        {
            self.set_interval(interval);
        }
        // Where a rule says when it is due only a person can have asked for another grace.
        let asked = self.flags.has(Flags::DECLARED) || !rule.is_some_and(Rule::is_fixed);
        if rule.is_some_and(|rule| rule.grace.is_some()) || !(own.grace && asked) {
            self.grace = defaults.grace_for(rule, self.interval);
        }
    }

    /// Makes a grace that fitted its old interval fit the new one.
    pub(in crate::domain::registry) fn refit_grace(
        &mut self,
        rule: Option<&Rule>,
        defaults: &Defaults,
        interval: Span,
    ) {
        let named =
            defaults.grace.is_some() || rule.is_some_and(|rule| rule.grace.is_some() || rule.is_fixed());
        if !named && interval != self.interval && self.grace == fitting_grace(self.interval) {
            self.grace = fitting_grace(interval);
        }
    }

    /// How much later than it is due it is late. On a connection that is kept, both ends go by the same interval, and each
    /// beat would be a hair's breadth late; and a job that is started at its slot needs a moment. It is taken from the
    /// grace, so what is down is so in time.
    pub(in crate::domain::registry) fn slack(&self, rule: Option<&Rule>) -> Span {
        if rule.is_some_and(|rule| rule.schedule.is_some()) {
            return self.rare.as_ref().map_or(Span(0), |rare| rare.tolerance).min(self.grace);
        }
        let kept = self.source.transport != Transport::Http;
        if kept { KEPT_SLACK.min(self.grace) } else { Span(0) }
    }

    /// When it is late if nothing more is heard, counted from now.
    pub(in crate::domain::registry) fn due(&mut self, now: Now, rule: Option<&Rule>) -> Mono {
        if let Some(deadline) = self.runs().map(OpenRun::deadline).min() {
            return deadline;
        }
        let Some((rule, schedule)) = rule.and_then(|rule| Some((rule, rule.schedule.as_ref()?))) else {
            return now.mono.after(self.held()).after(self.slack(rule));
        };
        let slot = self.next_slot(now.wall, rule, schedule);
        self.wait_for(now, schedule, slot)
    }

    /// When it is down if nothing more is heard, counted from now.
    pub(in crate::domain::registry) fn down_at(&mut self, now: Now, rule: Option<&Rule>) -> Mono {
        let late_at = self.due(now, rule);
        late_at.after(Span(self.grace.0.saturating_sub(self.slack(rule).0)))
    }

    /// What it is held to, by all that says so.
    pub(in crate::domain::registry) fn held_to(
        &self,
        rule: Option<&Rule>,
        defaults: &Defaults,
    ) -> (Span, Span, Option<Schedule>, Option<Span>) {
        let schedule = rule.and_then(|rule| rule.schedule.clone());
        (self.interval, self.grace, schedule, self.first_beat(rule, defaults))
    }

    /// The first slot after an instant for which its last beat does not count. A beat counts for the slot that it came shortly
    /// before; and for the one that it came at or after, which lies ahead again if the wall clock was put back since.
    pub(in crate::domain::registry) fn next_slot(
        &self,
        after: Wall,
        rule: &Rule,
        schedule: &Schedule,
    ) -> Option<Wall> {
        let slot = schedule.next_after(after)?;
        let well = self.beats > 0 && self.status().verdict() == Some(true);
        let counts = if self.last_wall < slot {
            let ahead = Span(slot.0.abs_diff(self.last_wall.0));
            well && rule.early.unwrap_or_default().covers(schedule, slot, ahead)
        } else {
            well && schedule.next_after(slot).is_none_or(|next| self.last_wall < next)
        };
        if counts { schedule.next_after(slot) } else { Some(slot) }
    }

    /// When a slot of its schedule has passed for which it now waits. A schedule that a reload has given to it binds nobody
    /// who was told a longer interval just before.
    pub(in crate::domain::registry) fn wait_for(
        &mut self,
        now: Now,
        schedule: &Schedule,
        slot: Option<Wall>,
    ) -> Mono {
        let tolerance = slot.map_or(Span(0), |slot| late_tolerance(schedule, slot, self.grace));
        let rare = self.rare();
        (rare.slot, rare.tolerance) = (slot, tolerance);
        let Some(slot) = slot else { return NEVER };
        let held = self.stretched().map_or(Mono(0), |held| self.last_mono.after(held));
        now.mono_of(slot).max(held).after(tolerance)
    }

    /// How long it may not have been heard before it is down; `None`: for ever, or it was heard.
    pub(in crate::domain::registry) fn first_beat(
        &self,
        rule: Option<&Rule>,
        defaults: &Defaults,
    ) -> Option<Span> {
        let within = rule.and_then(|rule| rule.first_beat).unwrap_or(defaults.first_beat);
        within.filter(|_| self.beats == 0 && self.is_kept())
    }

    /// When it is down if it is never heard: so long after it was declared, or by a schedule after its first slot since.
    pub(in crate::domain::registry) fn first_beat_until(
        &self,
        now: Now,
        rule: Option<&Rule>,
        defaults: &Defaults,
    ) -> Mono {
        let Some(within) = self.first_beat(rule, defaults) else { return NEVER };
        let due = match rule.and_then(|rule| rule.schedule.as_ref()) {
            Some(schedule) => schedule.next_after(self.since),
            None => Some(self.since),
        };
        let until = |due: Wall| now.mono_of(Wall(due.0.saturating_add_unsigned(within.0))).max(now.mono);
        due.map_or(NEVER, until)
    }

    /// Nobody has listened for a time that ends now: if its first slot fell into that, it may have been kept, and the first
    /// one is the next from now on. `since` says so, as it alone outlasts all that is reckoned anew later.
    pub(in crate::domain::registry) fn excuse_first_slot(
        &mut self,
        now: Now,
        away: Span,
        rule: Option<&Rule>,
    ) {
        let heard_until = Wall(now.wall.0.saturating_sub_unsigned(away.0));
        let schedule = rule.and_then(|rule| rule.schedule.as_ref());
        let first = schedule.and_then(|schedule| schedule.next_after(self.since));
        let was_missed = first.is_some_and(|first| heard_until < first && first <= now.wall);
        if was_missed || self.since > now.wall {
            self.since = now.wall;
        }
    }

    /// The wall clock was set, forward by `step_ms` or back. By a schedule it waits for the first slot of the new clock from
    /// now on, if that is another one; else for as long as before, since a time of the new clock.
    pub(in crate::domain::registry) fn first_beat_stepped(
        &mut self,
        now: Now,
        step_ms: i64,
        rule: Option<&Rule>,
        defaults: &Defaults,
    ) {
        let Some(schedule) = rule.and_then(|rule| rule.schedule.as_ref()) else {
            self.since = Wall(self.since.0.saturating_add(step_ms));
            return;
        };
        let before = Wall(now.wall.0.saturating_sub(step_ms));
        let had_come = schedule.next_after(self.since).is_some_and(|first| first <= before);
        let is_small = step_ms.unsigned_abs() <= SMALL_STEP.0;
        if is_small && had_come {
            return;
        }
        self.since = if is_small { self.since.min(now.wall) } else { now.wall };
        self.deadline = self.first_beat_until(now, rule, defaults);
    }

    /// When it is down if it is never heard, with the time that it needs to be heard at all: nobody is judged for our
    /// absence. By a schedule it is not heard all the time, and needs none while its own is not over.
    pub(in crate::domain::registry) fn first_beat_again(
        &self,
        now: Now,
        rule: Option<&Rule>,
        defaults: &Defaults,
    ) -> Mono {
        let Some(within) = self.first_beat(rule, defaults) else { return NEVER };
        let until = self.first_beat_until(now, rule, defaults);
        let is_scheduled = rule.is_some_and(|rule| rule.schedule.is_some());
        if is_scheduled && until > now.mono {
            return until;
        }
        let whole = Span(self.interval.0.saturating_add(self.grace.0));
        until.max(now.mono.after(within.min(whole)))
    }

    /// Whether it is declared and has not been heard for longer than it should have.
    pub(in crate::domain::registry) fn is_never_heard(&self, now: Now, rule: Option<&Rule>) -> bool {
        if self.beats > 0 || !self.is_kept() || !matches!(self.visible(), State::New | State::Down) {
            return false;
        }
        let due = match rule.and_then(|rule| rule.schedule.as_ref()) {
            Some(schedule) => schedule.next_after(self.since),
            None => Some(Wall(self.since.0.saturating_add_unsigned(self.interval.0))),
        };
        self.state == State::Down || due.is_some_and(|due| due < now.wall)
    }

    /// When it is forgotten if it stays silent.
    pub(in crate::domain::registry) fn forgotten_at(&self, rule: Option<&Rule>, defaults: &Defaults) -> Mono {
        let kept = self.is_kept();
        let after = match rule.and_then(|rule| rule.forget_after) {
            Some(own) => own,
            None => defaults.forget_after,
        };
        after.filter(|_| !kept).map_or(NEVER, |after| self.last_mono.after(after))
    }

    /// When something is to be done about one that is down: it is forgotten, or, if its changes were only counted when it
    /// went down, told of at last.
    pub(in crate::domain::registry) fn down_until(
        &self,
        now: Now,
        rule: Option<&Rule>,
        defaults: &Defaults,
    ) -> Mono {
        let forgotten_at = self.forgotten_at(rule, defaults).max(now.mono);
        if self.has_incident() {
            return forgotten_at;
        }
        // After a start nobody knows when it went down: it has been so for long enough.
        let told_at = if self.told() == State::Down { now.mono } else { now.mono.after(LASTING) };
        forgotten_at.min(self.deadline.min(told_at))
    }
}
