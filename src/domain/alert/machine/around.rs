//! What changes around the machine: the policy, the clock, and whether we were there at all.

use super::{Lookup, Machine, RESPITE_MAX, SelfSuspicion};
use crate::domain::alert::entry::{Line, MonitorAlert, after};
use crate::domain::alert::message::{Message, MessageKind, SuspicionCause, age};
use crate::domain::alert::policy::{AlertPolicy, NOTIFY_MAX};
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::domain::registry::Counts;
use crate::domain::rules::Rules;
use crate::domain::time::{Span, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long monitors have to be heard when our network is there again.
const NETWORK_GRACE: Span = Span::secs(300);

/// Between two messages that our disk is full.
const DISK_TOLD_EVERY: Span = Span::secs(3600);

impl Machine {
    /// Goes by another policy from now on. Whoever is not named any more is told the end of what it was told of, and nothing
    /// else; a notifier that is gone is told nothing.
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
            if self.name_anew(&mut entry) {
                self.dirty.insert(number);
            }
            self.place(entry);
            self.set_wake(number, Some(self.clock));
        }
        self.uncover();
        let policy = &self.policy;
        self.groups.retain(|to, _| policy.notifier(to).is_some());
    }

    /// Whoever was silent behind another one and is so no more, by the rules, is told of.
    fn uncover(&mut self) {
        let mut found = Vec::new();
        for entry in self.entries.values() {
            let covered = |line: &&Line| line.covered && !self.has_dead_parent(entry, &line.to);
            found.extend(entry.lines.iter().filter(covered).map(|line| (entry.number, line.to.clone())));
        }
        for (number, to) in found {
            let min_down = self.policy.min_down(&to);
            let Some(entry) = self.entries.get_mut(&number) else { continue };
            let due = after(entry.began, min_down);
            for line in entry.lines.iter_mut().filter(|line| line.to == to) {
                (line.covered, line.due) = (false, Some(due));
            }
            self.dirty.insert(number);
        }
    }

    /// Whoever is named for a monitor that is down already is told of that too, and who is not named any more is not.
    fn name_anew(&self, entry: &mut MonitorAlert) -> bool {
        let names = self.notifiers_of(&entry.id, entry.peer());
        let mut changed = false;
        for line in entry.lines.iter_mut().filter(|line| !names.contains(&line.to)) {
            let before = line.clone();
            line.leave_out();
            changed |= *line != before;
        }
        if !entry.is_down() {
            return changed;
        }
        for line in entry.lines.iter_mut().filter(|line| line.told.is_some() && names.contains(&line.to)) {
            // It may have been left out for a while.
            if line.remind.is_none() && !line.flapping && !entry.paused {
                let every = self.policy.remind_every(&line.to);
                line.remind = every.map(|every| after(self.clock, every));
                changed |= every.is_some();
            }
        }
        let knows = |line: &Line| !line.unnamed;
        let new: Vec<String> =
            names.into_iter().filter(|name| !entry.line(name).is_some_and(knows)).collect();
        for name in &new {
            if entry.line(name).is_none() && entry.lines.len() >= NOTIFY_MAX {
                let Some(place) = entry.lines.iter().position(|line| line.unnamed) else { break };
                entry.lines.remove(place);
            }
            if entry.line(name).is_none() {
                entry.lines.push(Line::new(name));
            }
            let min_down = self.policy.min_down(name);
            let due = after(entry.began, min_down);
            for line in entry.lines.iter_mut().filter(|line| line.to == *name) {
                (line.unnamed, line.due) = (false, Some(due));
            }
        }
        changed || !new.is_empty()
    }

    /// Compares what is remembered with how monitors stand now; once after a start. What the log lost in a power cut
    /// may have been remembered here, and the end of an incident that nobody will hear of any more has to be told.
    pub fn reconcile(&mut self, now: Wall, lookup: &dyn Lookup) {
        self.absence = None;
        self.bring_back(now);
        let numbers: Vec<u64> = self.entries.keys().copied().collect();
        for number in numbers {
            let Some(entry) = self.entries.get(&number) else { continue };
            let found = lookup.monitor(&entry.id).filter(|found| found.number == number);
            let Some(found) = found else { continue };
            self.set_paused(number, found.state == State::Paused, now);
        }
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

    /// A power cut has taken what came after this version of a monitor, so what is written of it from now on is later than
    /// that and no more.
    pub fn set_back(&mut self, number: u64, version: u64) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.version = entry.version.min(version);
        }
    }

    /// A monitor is down, by what is in memory after a start: if that is not what is remembered, it is so from now on, even
    /// though what is remembered may be of a later version, which a power cut has taken. `again`: the incident was over
    /// once, and may have been told to its end.
    pub fn put_right(&mut self, record: &Record<'_>, again: bool) {
        let Some(incident) = record.incident else { return };
        if let Some(entry) = self.entries.get_mut(&record.number) {
            if entry.is_down() && entry.beats == incident.beats {
                return;
            }
            entry.version = 0;
        }
        self.hear(record);
        if let Some(entry) = self.entries.get_mut(&record.number) {
            entry.again |= again;
        }
    }

    /// Whether the incident that a record names is remembered as one that has ended.
    pub fn saw_the_end_of(&self, record: &Record<'_>) -> bool {
        let ended = self.entries.get(&record.number).filter(|entry| !entry.is_down());
        ended.zip(record.incident).is_some_and(|(entry, incident)| entry.goes_on(incident))
    }

    /// A monitor is down at this moment of whom nothing was remembered, since the rules named nobody to be told of it.
    pub fn hear_late(&mut self, record: &Record<'_>, again: bool) {
        // It was heard of and let go.
        self.passing.remove(&record.number);
        self.put_right(record, again);
    }

    /// For so long until `now` nobody could be heard: what waits waits for that much longer, but what began in that time only
    /// for what was left of it.
    pub fn stood_still(&mut self, now: Wall, away: Span) {
        self.clock = self.clock.max(now);
        for (number, entry) in &mut self.entries {
            let away = away.min(age(entry.began, now));
            for line in &mut entry.lines {
                if let Some(due) = &mut line.due {
                    *due = after(*due, away);
                    self.dirty.insert(*number);
                }
            }
        }
    }

    /// We were not there for so long until `now`: as [`Machine::returned`], and changes from before are yet to be heard.
    pub fn began(&mut self, now: Wall, away: Span, counts: Counts) {
        self.returned(now, away, SuspicionCause::Restart, counts);
        self.absence = Some((Wall(now.0.saturating_sub_unsigned(away.0)), now));
    }

    /// We were away until `now`, so nobody could be heard: what waits waits for that much longer, and whoever is silent
    /// from now on may be so because of us.
    pub fn returned(&mut self, now: Wall, away: Span, doubt: SuspicionCause, counts: Counts) {
        self.stood_still(now, away);
        let down_before = counts[State::Down as usize];
        self.suspicion = Some(SelfSuspicion {
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
                self.returned(now, Span(0), SuspicionCause::Network, counts);
                if let Some(suspicion) = &mut self.suspicion {
                    suspicion.lost = true;
                }
            }
        }
    }

    /// The wall clock was set by `step_ms` within the time `within`, and reads `now`: all that is remembered moves with it.
    /// What has been heard in that time may be told by the new clock already, and then stays.
    pub fn clock_stepped(&mut self, now: Wall, step_ms: i64, within: Span) {
        let is_new = |at: Wall| {
            let since = now.0.saturating_sub(if step_ms > 0 {
                step_ms
            } else {
                i64::try_from(within.0).unwrap_or(0)
            });
            at.0 > since && at <= now
        };
        let move_by = |at: &mut Wall| *at = Wall(at.0.saturating_add(step_ms));
        let moved = |at: &mut Wall| {
            if !is_new(*at) {
                move_by(at);
            }
        };
        self.clock = now;
        for (number, entry) in &mut self.entries {
            let is_new = is_new(entry.changed);
            moved(&mut entry.changed);
            moved(&mut entry.began);
            moved(&mut entry.first_down);
            entry.heard.iter_mut().chain(&mut entry.ended).for_each(moved);
            for line in &mut entry.lines {
                line.due.iter_mut().filter(|_| !is_new).for_each(move_by);
                line.remind.iter_mut().for_each(move_by);
                line.said.iter_mut().chain(&mut line.recovered).for_each(moved);
            }
            // It is looked at when it would have been, or as soon as it can be.
            entry.wake = entry.wake.map(|_| now);
            self.dirty.insert(*number);
        }
        self.timers = self.entries.values().filter_map(|one| Some((one.wake?, one.number))).collect();
        for group in self.groups.values_mut() {
            let wait = age(group.opened, group.due);
            moved(&mut group.opened);
            group.due = after(group.opened, wait);
        }
        self.passing.values_mut().for_each(|(_, at)| moved(at));
        moved(&mut self.passing_pruned);
        self.disk_told.iter_mut().for_each(moved);
        if let Some(suspicion) = &mut self.suspicion {
            moved(&mut suspicion.at);
            let ahead = suspicion.held_since.iter_mut().chain(&mut suspicion.over);
            ahead.for_each(moved);
            suspicion.grace_until.iter_mut().for_each(move_by);
        }
    }

    /// What was remembered by a clock that has been put back since lies ahead; nothing may wait for that.
    pub(super) fn bring_back(&mut self, now: Wall) {
        self.clock = now;
        self.disk_told = self.disk_told.map(|told| told.min(now));
        for (number, entry) in &mut self.entries {
            let mut ahead = false;
            let mut back = |at: &mut Wall, latest: Wall| {
                ahead |= *at > latest;
                *at = (*at).min(latest);
            };
            back(&mut entry.changed, now);
            back(&mut entry.began, now);
            back(&mut entry.first_down, now);
            for line in &mut entry.lines {
                line.said.iter_mut().chain(&mut line.recovered).for_each(|at| back(at, now));
                let wait = self.policy.min_down(&line.to).max(RESPITE_MAX);
                line.due.iter_mut().for_each(|at| back(at, after(now, wait)));
                let every = self.policy.remind_every(&line.to).unwrap_or_default();
                line.remind.iter_mut().for_each(|at| back(at, after(now, every)));
            }
            entry.wake = entry.wake.map(|at| at.min(now));
            if ahead {
                self.dirty.insert(*number);
            }
        }
        self.timers = self.entries.values().filter_map(|one| Some((one.wake?, one.number))).collect();
    }

    /// Whether our own disk takes nothing more. That is told once, and where it comes and goes once an hour: to whoever is
    /// told by default, or where nobody is, to all.
    pub fn set_disk(&mut self, now: Wall, is_full: bool) {
        if !is_full {
            self.disk_is_told = false;
            return;
        }
        let lately = self.disk_told.is_some_and(|told| now < after(told, DISK_TOLD_EVERY));
        if self.disk_is_told || lately {
            return;
        }
        (self.disk_is_told, self.disk_told) = (true, Some(now));
        let named =
            |name: &str| self.policy.notify.is_empty() || self.policy.notify.iter().any(|one| one == name);
        for name in self.policy.notifiers.iter().map(|one| &one.name).filter(|name| named(name)) {
            let key = format!("{}-disk-{}", MessageKind::Own.name(), now.0);
            let mut message =
                Message::new(MessageKind::Own, format!("{}-{name}", self.instance.mark(&key)), name, now);
            message.doubt = Some((SuspicionCause::Disk, 0));
            self.messages.push(message);
        }
    }

    /// Whether records are heard before they are in the log, and so will be heard again when they are.
    pub fn expect_twins(&mut self, expected: bool) {
        self.expects_twins = expected;
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::alert::AlertPolicy;
    use crate::domain::alert::machine::simulation::{World, policy, rule, rules};
    use crate::domain::alert::message::MessageKind;
    use crate::domain::record::Cause;

    #[test]
    fn whoever_a_reload_leaves_out_during_an_outage_is_not_told_of_it() {
        let nobody = || AlertPolicy { notify: Vec::new(), ..policy() };
        // It waits for min_down, or for its group; and it is paused before or after the reload.
        for (id, to, before) in [("slow-1", "slow", 60), ("slow-1", "slow", 125), ("a", "ops", 3)] {
            for pauses in 0..3 {
                let mut world = World::new(&[id], rules(), policy());
                world.down(0, Cause::Silence);
                world.pass(before);
                if pauses == 1 {
                    world.pause(0, true);
                    world.pass(5);
                }
                world.configure(vec![rule("*", &["quick"], &[])], nobody());
                if pauses == 2 {
                    world.pause(0, true);
                    world.pass(5);
                }
                world.pause(0, false);
                world.pass(600);
                assert_eq!(world.kinds(to, id), [], "{id}, {pauses}");
                assert_eq!(world.kinds("quick", id), [MessageKind::Down], "{id}, {pauses}");
                // Named again while it lasts, it is told of that.
                world.configure(rules(), policy());
                world.pass(60);
                assert_eq!(world.kinds(to, id), [MessageKind::Down], "{id}, {pauses}");
            }
        }
    }

    #[test]
    fn whoever_is_left_out_after_it_was_told_hears_the_end_and_nothing_else() {
        let mut world = World::new(&["slow-1"], rules(), policy());
        world.down(0, Cause::Silence);
        world.pass(200);
        world.configure(vec![rule("*", &["ops"], &[])], policy());
        world.pass(4_000);
        assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down], "no reminders");
        // A restart with the same rules changes nothing; named again, it is reminded again.
        world.restart();
        world.pass(4_000);
        world.configure(rules(), policy());
        world.pass(1_000);
        assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down, MessageKind::Reminder]);
        world.configure(vec![rule("*", &["ops"], &[])], policy());
        world.pass(10);
        world.beat(0);
        world.pass(100);
        assert_eq!(
            world.kinds("slow", "slow-1"),
            [MessageKind::Down, MessageKind::Reminder, MessageKind::Recovered]
        );
    }

    #[test]
    fn who_was_silent_behind_another_is_told_of_when_the_rules_say_that_it_does_not_depend_on_it() {
        let named_apart = vec![rule("behind-*", &["ops"], &["router"]), rule("*", &["quick"], &[])];
        for rules_after in [vec![rule("*", &["ops"], &[])], named_apart] {
            let mut world = World::new(&["router", "behind-1"], rules(), policy());
            (0..2).for_each(|n| world.down(n, Cause::Silence));
            world.pass(3);
            world.configure(rules_after, policy());
            world.pass(300);
            assert_eq!(world.kinds("ops", "behind-1"), [MessageKind::Down]);
        }
    }
}
