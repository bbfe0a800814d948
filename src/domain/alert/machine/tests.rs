//! What the machine does, one story each, in the world of the simulation.

use super::Lookup;
use super::simulation::{World, policy, rule, rules};
use crate::domain::alert::entry::after;
use crate::domain::alert::message::{CommonCause, MessageKind, SuspicionCause};
use crate::domain::alert::{AlertPolicy, Remembered};
use crate::domain::notice::State;
use crate::domain::record::{Cause, Change};
use crate::domain::time::{Span, Wall};
use crate::domain::zone::Zone;
use std::collections::BTreeSet;

mod ourselves;

#[test]
fn a_thousand_that_vanish_are_one_message_that_says_what_they_share() {
    let ids: Vec<String> = (0..1_000).map(|n| format!("web-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::new(&ids, vec![rule("web-*", &["ops"], &["switch"])], policy());
    for n in 0..1_000 {
        world.down(n, Cause::Silence);
        if n % 200 == 0 {
            world.pass(1);
        }
    }
    world.pass(60);
    let (_, message) = &world.told[0];
    assert_eq!((world.told.len(), message.count, message.monitors.len()), (1, 1_000, 1_000));
    assert_eq!(message.shared, Some(CommonCause::After("switch".into())));
    (0..1_000).for_each(|n| world.beat(n));
    world.pass(60);
    assert_eq!(
        (world.told.len(), world.told[1].1.kind, world.told[1].1.count),
        (2, MessageKind::Recovered, 1_000)
    );
}

#[test]
fn children_of_a_dead_parent_are_silent_and_named_and_told_of_when_only_they_stay_silent() {
    let mut world = World::new(&["router", "behind-1", "behind-2"], rules(), policy());
    // The first child is found silent before anybody knows of the router.
    let child = world.place("behind-1");
    world.pass(30);
    world.down(child, Cause::Silence);
    world.pass(40);
    assert_eq!(world.told, [], "first it waits to hear of the router");
    world.down(world.place("router"), Cause::Silence);
    world.down(world.place("behind-2"), Cause::Silence);
    world.pass(60);
    assert_eq!(world.told.len(), 1);
    let message = world.told[0].1.clone();
    assert_eq!((message.monitors[0].id.as_str(), message.dependants_count), ("router", 2));
    assert_eq!(message.dependants, ["behind-1", "behind-2"]);
    // The router and one child are back, the other is not.
    world.beat(world.place("router"));
    world.beat(world.place("behind-2"));
    world.pass(300);
    assert_eq!(world.kinds("ops", "router"), [MessageKind::Down, MessageKind::Recovered]);
    assert_eq!(world.kinds("ops", "behind-2"), []);
    assert_eq!(world.kinds("ops", "behind-1"), [MessageKind::Down]);
}

#[test]
fn of_monitors_that_depend_on_each_other_one_is_told() {
    let mut world = World::new(&["ring-1", "ring-2"], rules(), policy());
    world.down(0, Cause::Silence);
    world.down(1, Cause::Silence);
    world.pass(200);
    assert_eq!(
        (world.kinds("ops", "ring-1"), world.kinds("ops", "ring-2")),
        (vec![MessageKind::Down], vec![])
    );
}

#[test]
fn a_flapping_monitor_is_announced_once_and_its_end_when_it_is_steady() {
    let mut world = World::new(&["a"], rules(), policy());
    for _ in 0..40 {
        world.down(0, Cause::Silence);
        world.pass(60);
        world.beat(0);
        world.pass(60);
    }
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered, MessageKind::Flapping]);
    assert_eq!(world.told[2].1.flaps.map(|(downs, _)| downs), Some(2));
    world.pass(7_300);
    assert_eq!(world.kinds("ops", "a").last(), Some(&MessageKind::Recovered));
    world.judge(0);
    // One that stays down at last is told of as down.
    for _ in 0..3 {
        world.down(0, Cause::Silence);
        world.pass(60);
        world.beat(0);
        world.pass(60);
    }
    world.down(0, Cause::Silence);
    world.pass(7_200);
    assert_eq!(world.kinds("ops", "a").last(), Some(&MessageKind::Down));
    world.beat(0);
    world.pass(7_200);
    world.judge(0);
}

#[test]
fn a_pause_silences_reminders_and_recoveries_until_it_is_over() {
    let mut world = World::new(&["slow-1"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(140);
    assert_eq!(world.told, [], "not before min_down and group_wait");
    world.pass(20);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down]);
    world.pass(1_000);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down, MessageKind::Reminder]);
    world.pause(0, true);
    world.pass(3_600);
    world.beat(0);
    world.pass(3_600);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down, MessageKind::Reminder]);
    world.pause(0, false);
    world.pass(60);
    assert_eq!(
        world.kinds("slow", "slow-1"),
        [MessageKind::Down, MessageKind::Reminder, MessageKind::Recovered]
    );
}

#[test]
fn what_is_shorter_than_min_down_is_nobodys_business() {
    let mut world = World::new(&["slow-1"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(119);
    world.beat(0);
    world.pass(600);
    assert_eq!(world.told, []);
}

#[test]
fn nobody_is_told_where_nobody_is_named() {
    let mut world = World::new(&["a"], rules(), AlertPolicy { notify: Vec::new(), ..policy() });
    world.down(0, Cause::Fail);
    world.pass(600);
    assert_eq!((world.told.len(), world.machine.len()), (0, 0));
}

#[test]
fn an_end_that_the_log_lost_is_told_after_a_start() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(60);
    world.beat(0);
    world.log.pop();
    world.restart();
    world.machine.reconcile(world.now, &world.monitors);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered]);
}

#[test]
fn what_only_a_snapshot_had_is_told_and_an_end_that_was_lost_is_none() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.log.pop();
    let down = world.monitors[0].clone();
    let record = down.record(world.now, Change::State { from: State::Up, muted: false });
    world.machine.put_right(&record, false);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down]);
    world.beat(0);
    world.pass(60);
    // A power cut takes the beat that ended it: it is down again, and so it is said.
    world.monitors[0] = down.clone();
    world.restart();
    world.machine.reconcile(world.now, &world.monitors);
    world.machine.put_right(&record, false);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered, MessageKind::Flapping]);
    // And what is written from then on is heard, though its version was there before.
    world.beat(0);
    world.pass(7_200);
    assert_eq!(world.kinds("ops", "a").last(), Some(&MessageKind::Recovered));
    // Hours later it is the same again: nothing that is told now bears a name that was there before.
    world.monitors[0] = down.clone();
    world.restart();
    world.machine.reconcile(world.now, &world.monitors);
    world.machine.put_right(&record, true);
    world.pass(60);
    world.beat(0);
    world.pass(7_200);
    let keys: BTreeSet<&str> = world.told.iter().map(|(_, message)| message.key.as_str()).collect();
    assert_eq!(world.kinds("ops", "a")[4..], [MessageKind::Down, MessageKind::Recovered]);
    assert_eq!(keys.len(), world.told.len(), "{:#?}", world.told);
}

#[test]
fn one_behind_another_does_not_wait_for_the_hours_by_which_the_clock_was_put_back() {
    let mut world = World::new(&["router", "behind-1"], rules(), policy());
    world.pass(10);
    world.down(world.place("behind-1"), Cause::Silence);
    world.pass(20);
    assert_eq!(world.told, [], "it waits to hear of the router");
    world.now = Wall(world.now.0 - 18 * 3_600_000);
    world.machine.clock_stepped(world.now, -18 * 3_600_000, Span::secs(1));
    world.pass(120);
    assert_eq!(world.kinds("ops", "behind-1"), [MessageKind::Down]);
}

#[test]
fn an_outage_that_was_over_before_we_went_away_is_told_and_one_that_ends_with_that_is_as_long_as_we_were_there()
 {
    // Seconds until it ended, or we went away.
    for (lasted, before, told) in [(130, true, true), (60, true, false), (60, false, false)] {
        let mut world = World::new(&["slow-1"], rules(), policy());
        world.down(0, Cause::Silence);
        world.pass(1);
        for _ in 0..lasted {
            // The checkpointer gets no turn.
            world.now = after(world.now, Span::secs(1));
        }
        if before {
            world.beat(0);
        }
        world.now = after(world.now, Span::secs(3_000));
        world.restart();
        world.machine.began(world.now, Span::secs(3_000), world.monitors.counts());
        if !before {
            world.beat(0);
        }
        world.pass(120);
        let kinds = [MessageKind::Down, MessageKind::Recovered];
        assert_eq!(world.kinds("slow", "slow-1"), if told { &kinds[..] } else { &[] }, "{lasted} s");
    }
}

#[test]
fn outages_that_could_not_be_told_one_by_one_are_counted_however_far_apart_they_were() {
    let mut world = World::new(&["a"], rules(), policy());
    for hours in [0, 6] {
        world.now = after(world.now, Span::secs(hours * 3_600));
        world.down(0, Cause::Silence);
        world.beat(0);
    }
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Flapping]);
    assert_eq!(world.told[0].1.flaps.map(|(downs, _)| downs), Some(2));
}

#[test]
fn what_begins_after_a_standstill_does_not_wait_for_it() {
    let mut world = World::new(&["a"], rules(), policy());
    world.pass(3_600);
    let back = world.now;
    world.down(0, Cause::Fail);
    world.pass(1);
    world.machine.stood_still(back, Span::secs(3_000));
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down]);
}

#[test]
fn two_groups_that_begin_with_the_same_monitor_are_two_messages() {
    let mut keys = Vec::new();
    for others in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        let mut world = World::new(others, rules(), policy());
        (0..others.len()).for_each(|n| world.down(n, Cause::Silence));
        world.pass(60);
        keys.push(world.told[0].1.key.clone());
    }
    assert_eq!(keys[0], "down-1-1-1770000000000-ops");
    assert!(keys[1] != keys[2] && keys[1].starts_with("down-1-1+"), "{keys:?}");
}

#[test]
fn who_is_up_again_and_who_is_gone_are_counted_apart_and_each_has_the_zone_of_its_rule() {
    let mut ruled = rule("job-*", &["ops"], &[]);
    ruled.zone = Zone::parse("Asia/Shanghai").ok();
    let mut world = World::new(&["job-1", "job-2", "web-1"], vec![ruled], policy());
    (0..3).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    let zones: Vec<Option<&str>> = world.told[0].1.monitors.iter().map(|one| one.zone.as_deref()).collect();
    assert_eq!(zones, [Some("Asia/Shanghai"), Some("Asia/Shanghai"), None]);
    world.beat(0);
    world.beat(2);
    world.remove(1);
    world.pass(60);
    let message = &world.told[1].1;
    assert_eq!((message.kind, message.count, message.removed_count), (MessageKind::Recovered, 3, 1));
}

#[test]
fn an_outage_that_has_the_name_of_an_earlier_one_after_a_power_cut_is_told_all_the_same() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(60);
    world.beat(0);
    world.pass(2 * 3_600);
    // The power cut took the beat, so the next outage comes after as many beats as the first.
    world.count_beats(0, 1);
    world.down(0, Cause::Silence);
    world.pass(60);
    world.beat(0);
    world.pass(60);
    assert_eq!(
        world.kinds("ops", "a"),
        [MessageKind::Down, MessageKind::Recovered, MessageKind::Down, MessageKind::Recovered]
    );
    let keys: BTreeSet<&str> = world.told.iter().map(|(_, message)| message.key.as_str()).collect();
    assert_eq!(keys.len(), 4, "a receiver would take it for what it was told before: {keys:?}");
}

#[test]
fn whoever_is_left_out_of_the_rules_for_a_while_hears_no_more_for_it() {
    let mut world = World::new(&["a"], rules(), policy());
    let nobody = AlertPolicy { notify: vec!["slow".into()], ..policy() };
    for _ in 0..6 {
        world.down(0, Cause::Silence);
        world.pass(200);
        world.beat(0);
        world.pass(60);
        // It goes down and is paused while nobody but the slow one is named.
        world.configure(rules(), nobody.clone());
        world.down(0, Cause::Silence);
        world.pass(10);
        let told = world.kinds("ops", "a").len();
        world.pause(0, true);
        world.pass(10);
        world.pause(0, false);
        world.pass(60);
        assert_eq!(world.kinds("ops", "a").len(), told, "it is not named");
        world.beat(0);
        world.configure(rules(), policy());
        world.pass(60);
    }
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered, MessageKind::Flapping]);
    // Named anew while it is down, it is told.
    world.pass(3 * 3_600);
    world.configure(rules(), nobody.clone());
    world.down(0, Cause::Silence);
    world.pass(60);
    let told = world.kinds("ops", "a").len();
    world.configure(rules(), policy());
    world.pass(60);
    assert_eq!(world.kinds("ops", "a").len(), told + 1);
}

#[test]
fn an_outage_that_only_seemed_to_be_over_is_told_as_one() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    // Once before it is told, once after: the monitor is gone by what is in memory, and a crash takes that back.
    for told in [1, 60] {
        world.pass(told);
        let now = world.now;
        world.machine.reconcile(now, &Vec::new());
        let found = world.monitors[0].clone();
        let change = Change::State { from: State::Up, muted: false };
        assert!(world.machine.saw_the_end_of(&found.record(now, change)));
        world.machine.put_right(&found.record(now, change), false);
        assert!(!world.machine.saw_the_end_of(&found.record(now, change)));
    }
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down], "it is one outage, and no flapping");
    world.beat(0);
    world.pass(60);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered]);
}

#[test]
fn that_our_disk_is_full_is_told_once_and_where_it_comes_and_goes_once_an_hour() {
    let told = |world: &mut World, after_s: u64, is_full: bool| -> Vec<String> {
        world.now = after(world.now, Span::secs(after_s));
        world.machine.set_disk(world.now, is_full);
        let messages = world.machine.take_messages();
        assert!(
            messages
                .iter()
                .all(|one| one.kind == MessageKind::Own && one.doubt == Some((SuspicionCause::Disk, 0)))
        );
        messages.into_iter().map(|one| one.notifier).collect()
    };
    let mut world = World::new(&["a"], rules(), policy());
    let nobody: [&str; 0] = [];
    assert_eq!(told(&mut world, 0, false), nobody);
    assert_eq!(told(&mut world, 1, true), ["ops"], "who is told by default");
    assert_eq!(told(&mut world, 7_200, true), nobody, "it is known");
    assert_eq!(told(&mut world, 1, false), nobody);
    assert_eq!(told(&mut world, 1, true), ["ops"], "the last time is long ago");
    told(&mut world, 1, false);
    assert_eq!(told(&mut world, 3_500, true), nobody);
    assert_eq!(told(&mut world, 100, true), ["ops"]);
    // Where nobody is told by default it is everybody's.
    let mut world = World::new(&["a"], rules(), AlertPolicy { notify: Vec::new(), ..policy() });
    assert_eq!(told(&mut world, 1, true), ["ops", "slow", "quick"]);
}

#[test]
fn what_was_heard_before_the_log_had_it_is_known_again_however_much_later() {
    for expects in [true, false] {
        let mut world = World::new(&["a"], rules(), policy());
        world.machine.expect_twins(expects);
        let begin = world.log.len();
        world.down(0, Cause::Silence);
        world.pass(60);
        world.beat(0);
        world.pass(3 * 3_600);
        assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered]);
        for (monitor, at, change) in &world.log[begin..] {
            world.machine.hear(&monitor.record(*at, *change));
        }
        world.pass(60);
        assert_eq!(world.kinds("ops", "a").len() == 2, expects);
    }
}

#[test]
fn it_says_when_it_wants_to_be_asked_and_whom_it_remembers() {
    let mut world = World::new(&["slow-1", "a"], rules(), policy());
    let number = world.monitors[0].snapshot().number;
    assert!(world.machine.is_empty() && !world.machine.knows(number));
    assert_eq!(world.machine.poll_deadline(), None);
    world.down(0, Cause::Silence);
    world.pass(1);
    assert!(!world.machine.is_empty() && world.machine.knows(number) && !world.machine.knows(number + 1));
    // `min_down` of two minutes, and then the others' time to join.
    let due = world.machine.poll_deadline().unwrap();
    assert!(world.now < due && due <= after(world.now, Span::secs(120)), "{due:?}");
    world.pass(119);
    let due = world.machine.poll_deadline().unwrap();
    assert!(world.now < due && due <= after(world.now, Span::secs(30)), "{due:?}");
}

#[test]
fn of_what_is_remembered_the_open_incident_can_be_read() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    let open = |world: &World| {
        let state = world.kept.0.values().next().unwrap().clone();
        Remembered::read(&state).unwrap().open()
    };
    // By the beats it had sent when it went down.
    world.pass(60);
    assert_eq!(open(&world), Some(1));
    world.beat(0);
    world.pass(60);
    assert_eq!(open(&world), None);
    world.down(0, Cause::Silence);
    world.pass(60);
    assert_eq!(open(&world), Some(2));
    assert!(Remembered::read("{}").is_none());
}
