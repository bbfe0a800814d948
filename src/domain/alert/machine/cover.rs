//! Dependencies: whether something that a monitor depends on is down, so that it is told of in the other's message.

use super::{AHEAD, Cover, Lookup, Machine, MonitorAlert};
use crate::domain::alert::entry::after;
use crate::domain::alert::message::DEPENDANTS_MAX;
use crate::domain::notice::State;
use crate::domain::record::Cause;
use crate::domain::time::Span;
use std::collections::BTreeSet;

/// How often one that may be about to fail is looked at.
const LOOK_EVERY: Span = Span::secs(1);
/// Longest time that a child waits for news of what it depends on.
const WAIT_MAX: Span = Span::secs(900);
/// Monitors gone through, up or down the dependencies, at once.
const STEPS_MAX: usize = 10_000;

impl Machine {
    /// Whether a notifier is told of something else in place of a monitor.
    pub(super) fn cover(&self, entry: &MonitorAlert, to: &str, lookup: &dyn Lookup) -> Cover {
        if self.has_dead_parent(entry, to) {
            return Cover::Dead;
        }
        // Who says itself that it fails has a reason of its own.
        if entry.after.is_empty() || entry.reason.cause == Cause::Fail || !entry.is_down() {
            return Cover::Clear;
        }
        for id in &entry.after {
            let Some(parent) = lookup.monitor(id).filter(|one| matches!(one.state, State::Up | State::Late))
            else {
                continue;
            };
            // One that lies ahead is by a clock that was put back since, and proves nothing.
            let ahead = after(self.clock, AHEAD);
            let heard = parent.last_beat.is_some_and(|last| (entry.began..=ahead).contains(&last));
            let respite = Span(parent.interval.0.saturating_add(parent.grace.0)).min(WAIT_MAX);
            // A second over that: its end has to come to us.
            let until = after(entry.began, Span(respite.0.saturating_add(5_000)));
            if !heard
                && self.clock < until
                && self.notifiers_of(id, parent.address).iter().any(|own| own == to)
            {
                return Cover::Wait(after(self.clock, LOOK_EVERY));
            }
        }
        Cover::Clear
    }

    pub(super) fn has_dead_parent(&self, entry: &MonitorAlert, to: &str) -> bool {
        entry.after.iter().any(|id| {
            let parent = self.by_id.get(id).and_then(|number| self.entries.get(number));
            parent.is_some_and(|parent| {
                let told_of = parent.is_down() && parent.line(to).is_some_and(|line| !line.unnamed);
                // In a circle the one with the least number of two neighbours is told of.
                told_of && (parent.number < entry.number || !self.depends(parent, entry))
            })
        })
    }

    /// Whether a monitor that is down depends on another through others that are.
    fn depends(&self, one: &MonitorAlert, other: &MonitorAlert) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![one];
        while let Some(entry) = open.pop() {
            for id in &entry.after {
                if *id == other.id {
                    return true;
                }
                let next = self.by_id.get(id).and_then(|number| self.entries.get(number));
                if let Some(next) = next.filter(|_| seen.len() < STEPS_MAX) {
                    if seen.insert(next.number) {
                        open.push(next);
                    }
                }
            }
        }
        false
    }

    /// Those who depend on a monitor and of whom a notifier hears in its place: some by name, and how many.
    pub(super) fn dependants(&self, id: &str, number: u64, to: &str) -> (Vec<String>, u64) {
        let (mut names, mut seen) = (Vec::new(), BTreeSet::from([number]));
        let mut count = 0;
        let mut open = vec![id.to_string()];
        while let Some(id) = open.pop() {
            for number in self.children.get(&id).into_iter().flatten() {
                let Some(child) = self.entries.get(number).filter(|_| seen.len() < STEPS_MAX) else {
                    continue;
                };
                if !seen.insert(*number) {
                    continue;
                }
                if child.line(to).is_some_and(|line| line.told.is_none() && !line.unnamed) {
                    count += 1;
                    if names.len() < DEPENDANTS_MAX {
                        names.push(child.id.clone());
                    }
                }
                if self.children.contains_key(&child.id) {
                    open.push(child.id.clone());
                }
            }
        }
        (names, count)
    }
}
