//! Groups that are due become messages.

use super::{Group, Lookup, Machine, MonitorAlert, SelfSuspicion};
use crate::domain::alert::compose;
use crate::domain::alert::entry::{Line, after};
use crate::domain::alert::message::{DEPENDANTS_MAX, Message, MessageKind, age};
use crate::domain::alert::policy::{NOTIFIERS_MAX, Notifier};
use crate::domain::notice::State;
use crate::domain::record::Cause;
use crate::domain::registry::Counts;
use crate::domain::time::{Span, Wall};
use std::collections::BTreeSet;

/// For how long after our own return silence may be our fault.
const DOUBT_LASTS: Span = Span::secs(3600);
/// For how long single outages are kept back for that.
const HELD_MAX: Span = Span::secs(300);
/// How often it is looked whether we still doubt.
const HELD_LOOK_EVERY: Span = Span::secs(5);
/// Fewer monitors than this prove nothing about us.
const MONITORS_MIN: u64 = 10;

/// Of whom a message is to speak.
#[derive(Default)]
struct Sorted {
    down: Vec<u64>,
    flapping: Vec<u64>,
    recovered: Vec<u64>,
    reminded: Vec<u64>,
    failed: Vec<u64>,
    held: Vec<u64>,
}

impl Machine {
    /// Tells of the groups that are due.
    pub(super) fn flush(&mut self, lookup: &dyn Lookup) {
        let clock = self.clock;
        let due: Vec<String> =
            self.groups.iter().filter(|(_, group)| group.due <= clock).map(|(to, _)| to.clone()).collect();
        for to in due {
            let (Some(group), Some(notifier)) = (self.groups.remove(&to), self.policy.notifier(&to).cloned())
            else {
                continue;
            };
            let counts = lookup.counts();
            let holding = self.is_holding(counts);
            let mut sorted = Sorted::default();
            for number in &group.members {
                self.say(*number, &notifier, holding, lookup, &mut sorted);
            }
            self.compose(&notifier, group.due.min(clock), &sorted, counts, lookup);
            for number in group.members.difference(&sorted.held.iter().copied().collect()) {
                self.set_wake(*number, Some(clock));
            }
            if !sorted.held.is_empty() {
                let members: BTreeSet<u64> = sorted.held.into_iter().collect();
                let due = after(clock, HELD_LOOK_EVERY);
                self.groups.insert(to, Group { opened: group.opened, due, members });
            }
        }
    }

    /// Decides what a notifier hears of a monitor, as if it were told now.
    fn say(
        &mut self,
        number: u64,
        notifier: &Notifier,
        holding: bool,
        lookup: &dyn Lookup,
        sorted: &mut Sorted,
    ) {
        let clock = self.clock;
        let Some(mut entry) = self.entries.remove(&number) else { return };
        // A pause counts from when it was asked for, though the log may not have taken it yet.
        let found = lookup.monitor(&entry.id).filter(|found| found.number == number);
        let paused = entry.paused || found.is_some_and(|found| found.state == State::Paused);
        let dead_parent = self.has_dead_parent(&entry, &notifier.name);
        // Who was left out of the rules while it flapped hears the end of that and no more.
        let flaps = entry.line(&notifier.name).is_some_and(|line| line.flapping);
        let named = !flaps || self.notifiers_of(&entry.id, entry.peer()).contains(&notifier.name);
        let suspect = self.suspicion.as_ref().is_some_and(|suspicion| suspicion.covers(&entry));
        let MonitorAlert { ended, beats, started, changed, reason, .. } = entry;
        let Some(line) = entry.lines.iter_mut().find(|line| line.to == notifier.name) else {
            self.entries.insert(number, entry);
            return;
        };
        line.tells = 0;
        let remind = notifier.remind_every.filter(|_| named).map(|every| after(clock, every));
        if dead_parent {
            // The other one is told of.
            line.failures = 0;
        }
        if paused {
            // What is so when the pause is over is seen then.
        } else if line.flapping {
            // It may have gone on since it was asked to be told.
            if line.steady_at(changed) <= clock && (ended.is_some() || !dead_parent) {
                line.say(clock);
                (line.flapping, line.was_flapping) = (false, true);
                if ended.is_some() {
                    (line.thread, line.told, line.recovered) = (line.told, None, Some(clock));
                    sorted.recovered.push(number);
                } else {
                    line.tell(beats, started);
                    line.remind = remind;
                    sorted.down.push(number);
                }
            }
        } else if line.pending > 0 && line.told.is_none() && dead_parent {
            line.pending = 0;
            line.covered = ended.is_none();
        } else if line.pending > 0 && line.told.is_none() && suspect && ended.is_some() {
            // Nobody was told, and it was our fault.
            line.pending = 0;
        } else if line.pending > 0 && line.told.is_none() && suspect && holding {
            sorted.held.push(number);
        } else if line.pending > 0 && line.is_again(clock) {
            line.flapping = true;
            line.tell(beats, started);
            (line.pending, line.remind, line.failures) = (0, None, 0);
            line.say(clock);
            sorted.flapping.push(number);
        } else if line.pending > 0 {
            line.told = None;
            line.tell(beats, started);
            (line.pending, line.remind) = (0, remind);
            line.say(clock);
            if reason.cause == Cause::Fail {
                // It is told with the newest of them.
                line.take_failures();
            }
            sorted.down.push(number);
            if ended.is_some() {
                if line.has_failures() {
                    line.take_failures();
                    sorted.failed.push(number);
                }
                line.recover(clock);
                sorted.recovered.push(number);
            }
        } else if line.told.is_some() && ended.is_some() {
            if line.has_failures() {
                line.take_failures();
                sorted.failed.push(number);
            }
            if line.room_at().is_none_or(|room| room <= clock) {
                line.recover(clock);
                sorted.recovered.push(number);
            }
        } else if line.has_failures() {
            line.take_failures();
            line.remind = remind;
            sorted.failed.push(number);
        } else if line.remind.is_some_and(|at| at <= after(clock, notifier.group_wait)) {
            line.remind = remind;
            if line.told.is_some() {
                sorted.reminded.push(number);
            }
        }
        self.dirty.insert(number);
        self.entries.insert(number, entry);
    }
}

impl Machine {
    /// Makes the messages, the bad news first.
    fn compose(
        &mut self,
        notifier: &Notifier,
        made: Wall,
        sorted: &Sorted,
        counts: Counts,
        lookup: &dyn Lookup,
    ) {
        let mut own = None;
        if let (Some(suspicion), false) = (&mut self.suspicion, sorted.held.is_empty()) {
            let (silent, all) = suspicion.share(counts);
            let most = all >= MONITORS_MIN && silent.saturating_mul(2) > all;
            if most && suspicion.told.len() < NOTIFIERS_MAX && suspicion.told.insert(notifier.name.clone()) {
                own = Some((suspicion.doubt, suspicion.share(counts)));
            }
        }
        if let Some((doubt, (silent, all))) = own {
            let mut message = self.message(MessageKind::Own, notifier, made, &sorted.held, lookup);
            message.count = silent.max(message.count);
            message.doubt = Some((doubt, all));
            self.messages.push(message);
        }
        for (kind, numbers) in [
            (MessageKind::Down, &sorted.down),
            (MessageKind::Reminder, &sorted.failed),
            (MessageKind::Reminder, &sorted.reminded),
            (MessageKind::Flapping, &sorted.flapping),
            (MessageKind::Recovered, &sorted.recovered),
        ] {
            if !numbers.is_empty() {
                let message = self.message(kind, notifier, made, numbers, lookup);
                self.messages.push(message);
            }
        }
    }

    fn message(
        &self,
        kind: MessageKind,
        notifier: &Notifier,
        made: Wall,
        numbers: &[u64],
        lookup: &dyn Lookup,
    ) -> Message {
        let to = &notifier.name;
        let entries: Vec<&MonitorAlert> =
            numbers.iter().filter_map(|number| self.entries.get(number)).collect();
        let instance = &self.instance;
        let name = compose::name(&entries, to, instance);
        let was_flapping =
            entries.first().and_then(|first| first.line(to)).is_some_and(|line| line.was_flapping);
        let again = entries.iter().any(|entry| entry.again);
        // What can be told once only has the same name however often it is decided.
        let key = match kind {
            MessageKind::Down | MessageKind::Recovered if !was_flapping && !again => {
                format!("{}-{name}-{to}", kind.name())
            }
            _ => format!("{}-{name}-{}-{to}", kind.name(), self.clock.0),
        };
        // The clock may stand for a moment, so of what failed again the run is named too.
        let key = entries
            .first()
            .and_then(|one| one.told_failure(to))
            .filter(|_| kind == MessageKind::Reminder)
            .map_or(key, |failure| format!("reminder-{name}-{}-{}-{to}", self.clock.0, failure.beats));
        let mut message = Message::new(kind, key, to, made);
        message.count = entries.len() as u64;
        message.monitors = compose::subjects(kind, &entries, to, instance, lookup);
        for (subject, entry) in message.monitors.iter_mut().zip(&entries) {
            let rule = self.rule_of(entry);
            let zone = rule.and_then(|rule| rule.zone.as_ref());
            subject.zone = zone.map(|zone| zone.name().to_string());
            let schedule = rule.and_then(|rule| rule.schedule.as_ref());
            subject.near = schedule.is_some_and(|schedule| compose::is_near(subject, schedule));
        }
        message.removed_count = entries.iter().filter(|entry| entry.removed).count() as u64;
        message.shared = compose::shared(&entries);
        if let [one] = entries.as_slice() {
            // Of one that was steady for half an hour that is said, too.
            let within = age(one.first_down, self.clock);
            message.flaps = (kind == MessageKind::Flapping || was_flapping).then_some((one.downs, within));
        }
        if matches!(kind, MessageKind::Down | MessageKind::Reminder | MessageKind::Flapping)
            && !self.children.is_empty()
        {
            for entry in &entries {
                let (names, count) = self.dependants(&entry.id, entry.number, to);
                message.dependants_count += count;
                let room = DEPENDANTS_MAX.saturating_sub(message.dependants.len());
                message.dependants.extend(names.into_iter().take(room));
            }
        }
        message
    }

    /// Whether single outages are kept back because we doubt ourselves.
    fn is_holding(&mut self, counts: Counts) -> bool {
        let clock = self.clock;
        let Some(suspicion) = self.suspicion.as_mut().filter(|one| one.over.is_none()) else { return false };
        let (silent, all) = suspicion.share(counts);
        // Whoever was heard since our return can reach us: when it is those who fall silent, it is not our fault.
        let mut down = [0u64; 2];
        for entry in self.entries.values().filter(|entry| entry.is_down() && entry.began >= suspicion.at) {
            down[usize::from(suspicion.is_unheard(entry))] += 1;
        }
        let doubted = all >= MONITORS_MIN && silent.saturating_mul(2) > all && down[1] > down[0];
        if suspicion.lost || suspicion.grace_until.is_some_and(|until| clock < until) {
            suspicion.held_since.get_or_insert(clock);
            return true;
        }
        if doubted && clock < after(suspicion.at, DOUBT_LASTS) {
            let since = *suspicion.held_since.get_or_insert(clock);
            if clock < after(since, HELD_MAX) {
                return true;
            }
        }
        // It was us and is over, or it lasts for so long that it is to be told in any case.
        if suspicion.held_since.is_some() || clock >= after(suspicion.at, DOUBT_LASTS) {
            suspicion.over = Some(clock);
        }
        false
    }
}

impl SelfSuspicion {
    /// Monitors that may be silent because of us, and all that could be.
    fn share(&self, counts: Counts) -> (u64, u64) {
        let silent = counts[State::Late as usize]
            .saturating_add(counts[State::Down as usize])
            .saturating_sub(self.down_before);
        (silent, counts[State::Up as usize].saturating_add(silent))
    }

    /// Whether a monitor went down in silence while we doubted ourselves, and was not heard since that began.
    fn covers(&self, entry: &MonitorAlert) -> bool {
        self.held_since.is_some()
            && self.over.is_none_or(|over| entry.began <= over)
            && self.is_unheard(entry)
    }

    /// Whether a monitor went down in silence and was not heard since our return.
    fn is_unheard(&self, entry: &MonitorAlert) -> bool {
        entry.reason.cause == Cause::Silence
            && entry.began >= self.at
            && entry.heard.is_none_or(|last| last < self.at)
    }
}

impl Line {
    /// Says that the monitor is up again.
    fn recover(&mut self, clock: Wall) {
        (self.thread, self.told) = (self.told, None);
        (self.recovered, self.remind) = (Some(clock), None);
        self.say(clock);
    }
}
