//! What one mistake in a condition would change: each of these fails with one.

use super::simulation::{World, notifier, policy, rule, rules};
use super::{AlertOutput, Lookup};
use crate::domain::address::Peer;
use crate::domain::alert::AlertPolicy;
use crate::domain::alert::entry::{MonitorAlert, after};
use crate::domain::alert::message::{DEPENDANTS_MAX, Message, MessageKind, SuspicionCause};
use crate::domain::alert::policy::NOTIFY_MAX;
use crate::domain::notice::State;
use crate::domain::record::{Cause, Change, Details, OpenIncident};
use crate::domain::time::{Span, Wall};

const DOWN: Change = Change::State { from: State::Up, muted: false };

#[test]
fn who_was_never_heard_goes_by_the_rule_of_where_it_was_made() {
    let world = World::new(&["a"], rules(), policy());
    let peer = Peer::from_ip([10, 0, 1, 1].into());
    let incident = OpenIncident { beats: 1, started: world.now, reason: Cause::Silence.into() };
    for heard in [Some(world.now), None] {
        let mut record = world.monitors[0].record(world.now, DOWN);
        (record.last_beat, record.source.peer) = (heard, peer);
        let mut entry = MonitorAlert::new(&record, incident);
        entry.begin(&record, incident);
        assert_eq!((entry.peer(), entry.ip.is_some()), (peer, heard.is_some()));
    }
}

#[test]
fn a_start_with_nothing_lost_changes_nothing_of_what_is_remembered() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.turn(false);
    world.restart();
    world.machine.take();
    world.machine.reconcile(world.now, &world.monitors);
    assert_eq!(world.machine.unremembered(), 0);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down]);
}

#[test]
fn another_outage_than_the_remembered_one_is_put_right_and_the_same_is_left_alone() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(60);
    let same = world.monitors[0].clone();
    world.machine.put_right(&same.record(world.now, DOWN), true);
    assert_eq!(world.machine.unremembered(), 0);
    // It came back and is down once more, of which the log has nothing.
    world.beat(0);
    world.down(0, Cause::Silence);
    world.log.truncate(world.log.len() - 2);
    let other = world.monitors[0].clone();
    world.machine.put_right(&other.record(world.now, DOWN), false);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Flapping]);
}

#[test]
fn a_reload_puts_no_reminder_off() {
    let mut world = World::new(&["slow-1"], rules(), policy());
    world.down(0, Cause::Silence);
    for _ in 0..11 {
        world.pass(100);
        world.configure(rules(), policy());
    }
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down, MessageKind::Reminder]);
    // While it is paused or flaps there is none to be due, by a reload neither.
    world.pause(0, true);
    world.pass(1);
    world.configure(rules(), policy());
    world.pass(2_000);
    assert_eq!(world.kinds("slow", "slow-1").len(), 2);
}

#[test]
fn of_three_that_depend_on_each_other_in_a_circle_one_is_told() {
    let circle =
        [("a", "c"), ("b", "a"), ("c", "b")].map(|(id, behind)| rule(id, &["ops"], &[behind])).to_vec();
    let mut world = World::new(&["a", "b", "c"], circle, policy());
    (0..3).for_each(|n| world.down(n, Cause::Silence));
    world.pass(300);
    assert_eq!(["a", "b", "c"].map(|id| world.kinds("ops", id).len()).iter().sum::<usize>(), 1);
}

#[test]
fn who_says_that_it_fails_does_not_wait_for_news_of_what_it_depends_on() {
    let mut world = World::new(&["router", "behind-1"], rules(), policy());
    world.pass(30);
    world.down(1, Cause::Fail);
    world.pass(13);
    assert_eq!(world.kinds("ops", "behind-1"), [MessageKind::Down]);
    // Nor who has come back meanwhile, and who is silent does.
    let slow = || vec![rule("behind-*", &["slow"], &["router"]), rule("router", &["slow"], &[])];
    let mut world = World::new(&["router", "behind-1"], slow(), policy());
    world.down(1, Cause::Silence);
    for _ in 0..121 {
        world.now = after(world.now, Span::secs(1));
    }
    world.beat(1);
    world.pass(40);
    assert_eq!(world.kinds("slow", "behind-1"), [MessageKind::Down, MessageKind::Recovered]);
}

#[test]
fn dependants_are_those_who_were_not_told_of_themselves() {
    let ids: Vec<String> = (0..30).map(|n| format!("behind-{n}")).collect();
    let ids: Vec<&str> = ["router"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let mut world = World::new(&ids, rules(), policy());
    world.down(1, Cause::Fail);
    world.pass(60);
    assert_eq!(world.kinds("ops", "behind-0"), [MessageKind::Down]);
    (2..ids.len()).for_each(|n| world.down(n, Cause::Silence));
    world.down(0, Cause::Silence);
    world.pass(60);
    let (_, message) = world.told.last().unwrap();
    assert_eq!((message.monitors[0].id.as_str(), message.dependants_count), ("router", 29));
    assert_eq!(message.dependants.len(), DEPENDANTS_MAX);
    assert!(!message.dependants.contains(&"behind-0".to_string()));
    let number = world.monitors[0].snapshot().number;
    assert_eq!(world.machine.dependants("router", number, "ops").0.len(), DEPENDANTS_MAX);
    assert_eq!(world.machine.dependants("router", number, "slow"), (Vec::new(), 0));
}

#[test]
fn whoever_is_not_told_of_a_parent_is_told_of_its_children() {
    let apart = vec![rule("router", &["quick"], &[]), rule("behind-*", &["ops"], &["router"])];
    let mut world = World::new(&["router", "behind-1"], apart, policy());
    (0..2).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    let told = [("quick", "router"), ("ops", "behind-1"), ("ops", "router")];
    assert_eq!(
        told.map(|(to, id)| world.kinds(to, id)),
        [vec![MessageKind::Down], vec![MessageKind::Down], vec![]]
    );
}

#[test]
fn what_waits_for_its_time_waits_on_when_the_clock_is_set_back_and_no_longer() {
    let mut world = World::new(&["slow-1"], rules(), policy());
    world.pass(10_000);
    world.down(0, Cause::Silence);
    world.pass(100);
    world.now = Wall(world.now.0 - 5_000_000);
    world.machine.clock_stepped(world.now, -5_000_000, Span::secs(1));
    world.pass(45);
    assert_eq!(world.told, []);
    world.pass(10);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down]);
    // And the reminder comes when it is due, after another step.
    world.now = Wall(world.now.0 + 86_400_000);
    world.machine.clock_stepped(world.now, 86_400_000, Span::secs(1));
    world.pass(830);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down]);
    world.pass(120);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down, MessageKind::Reminder]);
}

#[test]
fn no_more_are_told_than_may_be_named() {
    let names: Vec<String> = (0..=NOTIFY_MAX).map(|n| format!("to-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let notifiers = names.iter().map(|name| notifier(name, 0, 0, None)).collect();
    let mut world = World::new(&["a"], vec![rule("*", &names, &[])], AlertPolicy { notifiers, ..policy() });
    world.down(0, Cause::Silence);
    world.pass(5);
    assert_eq!(world.told.len(), NOTIFY_MAX);
}

#[test]
fn nobody_by_default_and_a_rule_that_names_one_is_one() {
    let nobody = AlertPolicy { notify: Vec::new(), ..policy() };
    let mut world = World::new(&["a", "b"], vec![rule("b", &["ops", "ops", "nobody"], &[])], nobody);
    (0..2).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    assert_eq!((world.kinds("ops", "a"), world.kinds("ops", "b")), (vec![], vec![MessageKind::Down]));
}

#[test]
fn one_behind_another_hears_of_its_own_end_while_that_is_down() {
    let mut world = World::new(&["router", "behind-1"], rules(), policy());
    world.down(1, Cause::Fail);
    world.pass(60);
    world.down(0, Cause::Silence);
    world.pass(60);
    world.beat(1);
    world.pass(60);
    assert_eq!(world.kinds("ops", "behind-1"), [MessageKind::Down, MessageKind::Recovered]);
}

#[test]
fn who_depends_on_it_is_named_when_it_goes_down_and_not_when_it_is_back() {
    let mut world = World::new(&["router", "behind-1"], rules(), policy());
    (0..2).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    world.beat(0);
    world.pass(20);
    let counts: Vec<u64> = world.told.iter().map(|(_, message)| message.dependants_count).collect();
    assert_eq!(
        (world.kinds("ops", "router"), counts),
        (vec![MessageKind::Down, MessageKind::Recovered], vec![1, 0])
    );
}

/// Twenty monitors, of which so many are down; we come back from a restart.
fn back(down_before: usize) -> World {
    let ids: Vec<String> = (0..20).map(|n| format!("m-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::new(&ids, rules(), policy());
    (0..down_before).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    world.restart();
    world.machine.returned(world.now, Span::secs(30), SuspicionCause::Restart, world.monitors.counts());
    world.pass(1);
    world.told.clear();
    world
}

/// What was told of these once they are silent too.
fn told_of(world: &mut World, silent: std::ops::Range<usize>) -> Vec<(MessageKind, u64)> {
    world.pass(90);
    silent.for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    world.told.iter().map(|(_, message)| (message.kind, message.count)).collect()
}

#[test]
fn we_suspect_ourselves_when_more_than_half_of_those_who_were_there_are_silent() {
    assert_eq!(told_of(&mut back(0), 0..10), [(MessageKind::Down, 10)], "half of them");
    assert_eq!(told_of(&mut back(0), 0..11), [(MessageKind::Own, 11)]);
    assert_eq!(told_of(&mut back(9), 9..15), [(MessageKind::Own, 6)], "who was down before proves nothing");
    let mut world = back(0);
    (0..6).for_each(|n| world.beat(n));
    assert_eq!(told_of(&mut world, 0..12), [(MessageKind::Down, 12)], "as many were heard as were not");
}

#[test]
fn who_was_held_back_and_told_of_in_the_end_is_told_of_when_it_is_back() {
    let mut world = back(0);
    assert_eq!(told_of(&mut world, 0..20), [(MessageKind::Own, 20)]);
    world.pass(600);
    (0..20).for_each(|n| world.beat(n));
    world.pass(60);
    assert_eq!(world.kinds("ops", "m-0"), [MessageKind::Own, MessageKind::Down, MessageKind::Recovered]);
}

#[test]
fn an_outage_ended_when_it_came_up_and_not_when_that_was_written_down() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(60);
    world.beat(0);
    let up = world.now;
    let (_, at, _) = world.log.last_mut().unwrap();
    *at = after(up, Span::secs(5));
    world.pass(60);
    assert_eq!(world.told[1].1.monitors[0].ended, Some(up));
}

#[test]
fn a_step_with_anything_in_it_is_not_empty() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    let (monitor, at, change) = world.log.last().cloned().unwrap();
    world.machine.hear(&monitor.record(at, change));
    let step = world.machine.take();
    assert!(step.messages.is_empty() && !step.alert_states.is_empty() && !step.is_empty());
    let messages = vec![Message::new(MessageKind::Test, String::new(), "ops", at)];
    assert!(
        !AlertOutput { messages, ..AlertOutput::default() }.is_empty() && AlertOutput::default().is_empty()
    );
}

#[test]
fn a_start_sees_a_pause_that_the_log_has_lost_the_end_of_and_another_of_the_same_id() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pause(0, true);
    world.turn(false);
    world.pause(0, false);
    world.log.pop();
    world.restart();
    world.machine.reconcile(world.now, &world.monitors);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down]);
    // It was removed and made anew, of which the log has nothing.
    world.remove(0);
    world.make("a");
    world.log.truncate(world.log.len() - 2);
    world.restart();
    world.machine.reconcile(world.now, &world.monitors);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered]);
    assert_eq!(world.told[1].1.removed_count, 1);
}

#[test]
fn a_pause_that_is_not_in_the_log_yet_silences_too() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(3);
    world.pause(0, true);
    world.log.pop();
    world.pass(60);
    assert_eq!(world.told, []);
}

#[test]
fn a_failed_run_is_quoted_with_what_it_said_itself() {
    for (of_another, said) in [(0, Some("disk full")), (1, None)] {
        let mut world = World::new(&["all"], rules(), policy());
        world.down(0, Cause::Fail);
        world.pass(10);
        world.fail(0);
        let (monitor, at, change) = world.log.pop().unwrap();
        let mut record = monitor.record(at, change);
        let message_beat = record.beats - of_another;
        record.details = Some(Details { message: Some("disk full"), message_beat, ..Details::default() });
        world.machine.hear(&record);
        world.pass(5);
        let to_it = world.told.iter().rfind(|(_, message)| message.notifier == "quick").unwrap();
        assert_eq!((to_it.1.kind, to_it.1.monitors[0].said.as_deref()), (MessageKind::Reminder, said));
    }
}

#[test]
fn one_behind_another_that_goes_down_while_its_message_waits_is_silent() {
    let mut world = World::new(&["router", "behind-1"], rules(), policy());
    world.down(1, Cause::Fail);
    world.pass(5);
    world.down(0, Cause::Silence);
    world.pass(60);
    assert_eq!(
        (world.kinds("ops", "router"), world.kinds("ops", "behind-1")),
        (vec![MessageKind::Down], vec![])
    );
}
