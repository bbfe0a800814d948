//! Failed runs of monitors that are down already, for those who want to hear of each.
//!
//! They are counted in the line of each such notifier, with the count on record, and told with its next group: how many, and
//! what the newest one said. One that fails before it was told that the monitor is down is told with that.

use super::Machine;
use crate::domain::alert::compose::end_of;
use crate::domain::alert::entry::{FailedRun, Line, MonitorAlert};
use crate::domain::record::Record;

impl FailedRun {
    fn of(record: &Record<'_>) -> FailedRun {
        let own = record.details.as_ref().filter(|details| details.message_beat == record.beats);
        let said = own.and_then(|details| details.message).map(end_of);
        FailedRun { beats: record.beats, exit: record.status.failure(), said }
    }
}

impl Machine {
    /// A monitor that is down has failed again.
    pub(super) fn fail(&mut self, record: &Record<'_>) {
        let Some(entry) = self.entries.get(&record.number) else { return };
        let names = self.notifiers_of(&entry.id, entry.peer());
        let Some(entry) = self.entries.get_mut(&record.number) else { return };
        let policy = &self.policy;
        let hears = |line: &&mut Line| {
            let wants = policy.notifier(&line.to).is_some_and(|notifier| notifier.every_failure);
            wants && !line.flapping && names.contains(&line.to)
        };
        let mut heard = false;
        for line in entry.lines.iter_mut().filter(hears) {
            line.failures = line.failures.saturating_add(1);
            heard = true;
        }
        if heard {
            entry.failed = Some(FailedRun::of(record));
            self.set_wake(record.number, Some(self.clock));
        }
    }
}

impl MonitorAlert {
    /// The newest failed run, where a notifier is told of it now.
    pub(in crate::domain::alert) fn told_failure(&self, to: &str) -> Option<&FailedRun> {
        self.failed.as_ref().filter(|_| self.line(to).is_some_and(|line| line.tells > 0))
    }
}

impl Line {
    /// Whether failed runs are to be told.
    pub(super) fn has_failures(&self) -> bool {
        self.failures > 0 && self.told.is_some() && !self.flapping
    }

    /// They are told now.
    pub(super) fn take_failures(&mut self) {
        self.tells = std::mem::take(&mut self.failures);
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::alert::machine::simulation::{World, notifier, policy, rules};
    use crate::domain::alert::message::MessageKind;
    use crate::domain::alert::{AlertPolicy, Notifier};
    use crate::domain::beat::Exit;
    use crate::domain::record::{Cause, Change};

    /// Two are told: one of each failure, one of none.
    fn two() -> AlertPolicy {
        let each = Notifier { every_failure: true, ..notifier("each", 10, 0, Some(3_600)) };
        let notify = vec!["each".into(), "ops".into()];
        AlertPolicy { notifiers: vec![each, notifier("ops", 10, 0, None)], notify, ..policy() }
    }

    /// What `each` heard of the first monitor: kind, how many failures, and how the newest ended.
    fn told(world: &World) -> Vec<(MessageKind, u32, Option<Exit>)> {
        let own = world.told.iter().filter(|(_, message)| message.notifier == "each");
        own.map(|(_, message)| (message.kind, message.monitors[0].failures, message.monitors[0].exit))
            .collect()
    }

    #[test]
    fn each_further_failure_is_told_once_with_its_own_exit_code_to_who_wants_to_hear_it() {
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Fail);
        world.pass(60);
        world.fail(0);
        // Killed before it was on record, it is told all the same, and once.
        world.turn(true);
        world.pass(60);
        world.restart();
        world.pass(60);
        world.fail(0);
        world.pass(2);
        world.fail(0);
        // Killed while the group waits.
        world.pass(1);
        world.restart();
        world.pass(60);
        world.beat(0);
        world.pass(60);
        let code = |beats| Some(Exit::Code(beats));
        assert_eq!(
            told(&world),
            [
                (MessageKind::Down, 0, None),
                (MessageKind::Reminder, 1, code(3)),
                (MessageKind::Reminder, 2, code(5)),
                (MessageKind::Recovered, 0, None),
            ]
        );
        assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered]);
        world.judge(0);
    }

    #[test]
    fn one_that_fails_again_before_it_was_told_is_told_with_the_newest() {
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Fail);
        world.pass(5);
        world.fail(0);
        world.pass(60);
        assert_eq!(told(&world), [(MessageKind::Down, 1, Some(Exit::Code(3)))]);
        // Of silence that is told as such the failure is other news.
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Silence);
        world.pass(5);
        world.fail(0);
        world.pass(60);
        assert_eq!(
            told(&world),
            [(MessageKind::Down, 0, None), (MessageKind::Reminder, 1, Some(Exit::Code(2)))]
        );
    }

    #[test]
    fn a_failure_that_is_told_puts_the_reminder_off() {
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Fail);
        world.pass(3_000);
        world.fail(0);
        world.pass(3_500);
        assert_eq!(told(&world).len(), 2);
        world.pass(200);
        assert_eq!(told(&world)[2], (MessageKind::Reminder, 0, None));
    }

    #[test]
    fn failures_are_nobodys_concern_in_a_pause_and_while_it_flaps() {
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Fail);
        world.pass(60);
        world.fail(0);
        world.pass(1);
        world.pause(0, true);
        world.pass(60);
        world.pause(0, false);
        world.pass(60);
        assert_eq!(told(&world).len(), 1);
        world.beat(0);
        world.pass(60);
        world.down(0, Cause::Fail);
        world.pass(60);
        world.fail(0);
        world.pass(60);
        assert_eq!(
            world.kinds("each", "a"),
            [MessageKind::Down, MessageKind::Recovered, MessageKind::Flapping]
        );
    }

    #[test]
    fn at_a_moment_that_does_not_pass_two_failures_are_two_messages() {
        let each = Notifier { every_failure: true, ..notifier("each", 0, 0, None) };
        let policy = AlertPolicy { notifiers: vec![each], notify: vec!["each".into()], ..policy() };
        let mut world = World::new(&["a"], rules(), policy);
        world.down(0, Cause::Fail);
        world.pass(1);
        for _ in 0..2 {
            world.fail(0);
            world.turn(false);
        }
        assert_eq!(told(&world).len(), 3);
        assert_ne!(world.told[1].1.key, world.told[2].1.key);
    }

    #[test]
    fn a_failure_before_a_recovery_is_told_before_it_and_whatever_room_there_is_for_that() {
        for before in 0..2 {
            let mut world = World::new(&["a"], rules(), two());
            world.down(0, if before == 0 { Cause::Fail } else { Cause::Silence });
            world.pass(60);
            world.fail(0);
            world.pass(5);
            world.beat(0);
            world.turn(true);
            world.pass(60);
            let code = world.log.iter().find(|(_, _, change)| *change == Change::Failed);
            let code =
                code.and_then(|(monitor, ..)| monitor.record(world.now, Change::None).status.failure());
            assert!(code.is_some());
            assert_eq!(
                told(&world),
                [
                    (MessageKind::Down, 0, None),
                    (MessageKind::Reminder, 1, code),
                    (MessageKind::Recovered, 0, None)
                ]
            );
            assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered]);
            world.judge(0);
        }
        // One that comes back before its group is due is told with all of it.
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Silence);
        world.pass(2);
        world.fail(0);
        world.pass(2);
        world.beat(0);
        world.pass(60);
        let kinds: Vec<(MessageKind, u32)> =
            told(&world).iter().map(|(kind, count, _)| (*kind, *count)).collect();
        assert_eq!(kinds, [(MessageKind::Down, 0), (MessageKind::Reminder, 1), (MessageKind::Recovered, 0)]);
    }

    #[test]
    fn of_one_behind_another_that_is_down_no_failure_is_told() {
        let mut world = World::new(&["router", "behind-1"], rules(), two());
        world.down(1, Cause::Fail);
        world.pass(60);
        world.down(0, Cause::Silence);
        world.pass(60);
        world.fail(1);
        world.pass(600);
        assert_eq!(world.kinds("each", "behind-1"), [MessageKind::Down]);
        world.beat(0);
        world.pass(60);
        world.fail(1);
        world.pass(60);
        let last = world.told.iter().rfind(|(_, message)| message.monitors[0].id == "behind-1");
        assert_eq!(
            last.map(|(_, one)| (one.kind, one.monitors[0].failures)),
            Some((MessageKind::Reminder, 1))
        );
    }

    #[test]
    fn whoever_the_rules_have_left_out_hears_of_no_failure() {
        let mut world = World::new(&["a"], rules(), two());
        world.down(0, Cause::Fail);
        world.pass(60);
        world.fail(0);
        world.pass(2);
        world.configure(rules(), AlertPolicy { notify: vec!["ops".into()], ..two() });
        world.fail(0);
        world.pass(60);
        world.restart();
        world.fail(0);
        world.pass(60);
        assert_eq!(world.kinds("each", "a"), [MessageKind::Down]);
        world.beat(0);
        world.pass(60);
        assert_eq!(world.kinds("each", "a"), [MessageKind::Down, MessageKind::Recovered]);
    }
}
