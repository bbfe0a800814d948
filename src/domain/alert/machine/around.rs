//! What changes around the machine: the policy, the clock, and whether we were there at all.

use super::{Lookup, Machine, Suspicion};
use crate::domain::alert::entry::after;
use crate::domain::alert::message::Doubt;
use crate::domain::alert::policy::AlertPolicy;
use crate::domain::notice::State;
use crate::domain::registry::Counts;
use crate::domain::rules::Rules;
use crate::domain::time::{Span, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long monitors have to be heard when our network is there again.
const NETWORK_GRACE: Span = Span::secs(300);

impl Machine {
    /// Goes by another policy from now on. Who was told of an outage is told of its end, though the rules say otherwise
    /// now; a notifier that is gone is told nothing.
    pub fn set_policy(&mut self, policy: Arc<AlertPolicy>, rules: Arc<Rules>) {
        self.parents = rules.iter().flat_map(|rule| rule.after.iter().cloned()).collect();
        (self.policy, self.rules) = (policy, rules);
        self.by_id.clear();
        self.children.clear();
        let numbers: Vec<u64> = self.entries.keys().copied().collect();
        for number in numbers {
            let Some(mut entry) = self.entries.remove(&number) else { continue };
            let known = entry.lines.len();
            entry.lines.retain(|line| self.policy.notifier(&line.to).is_some());
            if entry.lines.len() != known {
                self.dirty.insert(number);
            }
            entry.after = self.after_of(&entry);
            self.place(entry);
            self.set_wake(number, Some(self.clock));
        }
        let policy = &self.policy;
        self.groups.retain(|to, _| policy.notifier(to).is_some());
    }

    /// Compares what is remembered with how monitors stand now; once after a start. What the log lost in a power cut
    /// may have been remembered here, and the end of an incident that nobody will hear of any more has to be told.
    pub fn reconcile(&mut self, now: Wall, lookup: &dyn Lookup) {
        let open: Vec<u64> =
            self.entries.values().filter(|one| one.is_down()).map(|one| one.number).collect();
        for number in open {
            let Some(entry) = self.entries.get(&number) else { continue };
            let found = lookup.monitor(&entry.id).filter(|found| found.number == number);
            if found.as_ref().is_none_or(|found| found.incident.is_none()) {
                self.end(number, now, found.is_none());
            }
        }
    }

    /// For so long nobody could be heard: what waits waits for that much longer.
    pub fn stood_still(&mut self, now: Wall, away: Span) {
        self.clock = self.clock.max(now);
        for (number, entry) in &mut self.entries {
            for line in &mut entry.lines {
                if let Some(due) = &mut line.due {
                    *due = after(*due, away);
                    self.dirty.insert(*number);
                }
            }
        }
    }

    /// We were away until `now`, so nobody could be heard: what waits waits for that much longer, and whoever is silent
    /// from now on may be so because of us.
    pub fn returned(&mut self, now: Wall, away: Span, doubt: Doubt, counts: Counts) {
        self.stood_still(now, away);
        let down_before = counts[State::Down as usize];
        self.suspicion = Some(Suspicion {
            at: now,
            doubt,
            down_before,
            held_since: None,
            over: None,
            lost: false,
            grace_until: None,
            told: BTreeSet::new(),
        });
    }

    /// Our network went, or is there again. While it is gone nobody is told of silence; when it is back those who are
    /// silent still have some minutes to be heard.
    pub fn network(&mut self, now: Wall, there: bool, counts: Counts) {
        match &mut self.suspicion {
            Some(suspicion) if there && suspicion.lost => {
                suspicion.lost = false;
                suspicion.grace_until = Some(after(now, NETWORK_GRACE));
            }
            _ if there => {}
            _ => {
                self.returned(now, Span(0), Doubt::Network, counts);
                if let Some(suspicion) = &mut self.suspicion {
                    suspicion.lost = true;
                }
            }
        }
    }

    /// The wall clock was set: all that lies ahead moves with it.
    pub fn clock_stepped(&mut self, step_ms: i64) {
        let moved = |at: &mut Wall| *at = Wall(at.0.saturating_add(step_ms));
        moved(&mut self.clock);
        for (number, entry) in &mut self.entries {
            moved(&mut entry.changed);
            for line in &mut entry.lines {
                line.due.iter_mut().chain(&mut line.remind).chain(&mut line.recovered).for_each(moved);
                line.said.iter_mut().for_each(moved);
            }
            entry.wake.iter_mut().for_each(moved);
            self.dirty.insert(*number);
        }
        self.timers = self.entries.values().filter_map(|one| Some((one.wake?, one.number))).collect();
        for group in self.groups.values_mut() {
            [&mut group.opened, &mut group.due].into_iter().for_each(moved);
        }
        self.passing.values_mut().for_each(|(_, at)| moved(at));
        moved(&mut self.passing_pruned);
        if let Some(suspicion) = &mut self.suspicion {
            moved(&mut suspicion.at);
            let ahead = suspicion.held_since.iter_mut().chain(&mut suspicion.over);
            ahead.chain(&mut suspicion.grace_until).for_each(moved);
        }
    }
}
