//! The runs of a monitor: jobs that have begun and not ended yet, and the one that has taken too long.

use super::Monitor;
use super::open_run::OpenRun;
use crate::domain::address::Peer;
use crate::domain::limits::RUNS_MAX;
use crate::domain::rules::Rule;
use crate::domain::time::{Mono, Now, Span, Wall};

/// The time to the slot after the one for which a run is that begins now.
fn until_next_slot(now: Now, rule: &Rule) -> Option<Span> {
    let schedule = rule.schedule.as_ref()?;
    let until = |slot: Wall| Span(slot.0.saturating_sub(now.wall.0).unsigned_abs());
    let slot = schedule.next_after(now.wall)?;
    let is_early = rule.early.unwrap_or_default().covers(schedule, slot, until(slot));
    let next = if is_early { schedule.next_after(slot)? } else { slot };
    Some(until(next))
}

impl Monitor {
    /// A run begins.
    pub(in crate::domain::registry) fn start_run(
        &mut self,
        now: Now,
        rid: Option<&str>,
        rule: Option<&Rule>,
    ) {
        let limit = rule.and_then(|rule| rule.run_limit).unwrap_or_else(|| {
            // It is heard of within an interval and a grace; by a schedule until its next slot and a grace.
            let between = rule.and_then(|rule| until_next_slot(now, rule)).unwrap_or(self.interval);
            Span(between.0.saturating_add(self.grace.0))
        });
        let rid = rid.unwrap_or_default();
        let from = self.source.peer;
        let runs = &mut self.rare().runs;
        runs.retain(|run| *run.rid != *rid);
        for run in runs.iter_mut().filter(|run| run.from.is_some_and(|other| other != from)) {
            run.rival = Some(from);
        }
        if runs.len() == RUNS_MAX {
            runs.remove(0);
        }
        runs.push(OpenRun {
            rid: rid.into(),
            began: now.mono,
            started: now.wall,
            limit,
            from: Some(from),
            rival: None,
        });
    }

    /// A run ends, the one of that name or, without a name, all; `None` when none did. Where it ends where it began, the other
    /// place at which one has begun meanwhile.
    pub(in crate::domain::registry) fn end_runs(
        &mut self,
        now: Now,
        rid: Option<&str>,
    ) -> Option<Option<Peer>> {
        let from = self.source.peer;
        let rare = self.rare.as_mut().filter(|rare| !rare.runs.is_empty() || rare.overrun.is_some())?;
        let ends = |run: &OpenRun| rid.is_none_or(|rid| *run.rid == *rid);
        let run = rare.overrun.iter().chain(&rare.runs).rev().find(|run| ends(run))?;
        rare.run_took = Some(now.mono.since(run.began));
        let rival = run.rival.filter(|_| run.from == Some(from));
        rare.runs.retain(|run| !ends(run));
        rare.overrun = rare.overrun.take().filter(|run| !ends(run));
        Some(rival)
    }

    /// Strikes out runs that have taken too long; true when there were any.
    pub(in crate::domain::registry) fn drop_overdue_runs(&mut self, now: Now) -> bool {
        let Some(rare) = self.rare.as_mut().filter(|rare| !rare.runs.is_empty()) else { return false };
        let Some(oldest) = rare.runs.iter().position(|run| run.deadline() <= now.mono) else { return false };
        rare.overrun = Some(rare.runs.remove(oldest));
        rare.runs.retain(|run| run.deadline() > now.mono);
        true
    }

    /// It is well, so no run of it is to blame for anything any more.
    pub(in crate::domain::registry) fn forgive_overrun(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.overrun = None;
        }
    }

    /// Grants the runs under way more time.
    pub(in crate::domain::registry) fn extend_runs(&mut self, by: Span) {
        for run in self.known_runs() {
            run.limit = Span(run.limit.0.saturating_add(by.0));
        }
    }

    /// The clock was put back by at least so much while nobody looked: by the new one they began that much earlier.
    pub(in crate::domain::registry) fn put_runs_back(&mut self, now: Now, by: Span) {
        for run in self.known_runs() {
            run.started = Wall(run.started.0.saturating_sub_unsigned(by.0));
            run.began = now.mono_of(run.started);
        }
    }

    /// The machine has slept while runs were under way: they began that much earlier on the clock that stood still, and
    /// may take that much longer.
    pub(in crate::domain::registry) fn sleep_runs(&mut self, slept: Span) {
        for run in self.known_runs() {
            run.began = Mono(run.began.0.saturating_sub(slept.0));
            run.limit = Span(run.limit.0.saturating_add(slept.0));
        }
    }

    /// The wall clock was set, so by it the runs under way began at another time. What is kept of them counts from that.
    pub(in crate::domain::registry) fn restamp_runs(&mut self, now: Now) {
        for run in self.known_runs() {
            run.started = now.wall_of(run.began);
        }
    }

    /// Runs under way and the one that took too long.
    fn known_runs(&mut self) -> impl Iterator<Item = &mut OpenRun> {
        self.rare.iter_mut().flat_map(|rare| rare.runs.iter_mut().chain(&mut rare.overrun))
    }

    /// Whether a run is under way.
    pub(in crate::domain::registry) fn is_running(&self) -> bool {
        self.runs().next().is_some()
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = &OpenRun> {
        self.rare.iter().flat_map(|rare| rare.runs.iter())
    }
}
