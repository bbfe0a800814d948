//! Doubts of ourselves: restarts, lost networks, clocks that are set.

use super::*;

/// Twenty monitors, and we come back from `doubt`.
fn back_from(doubt: SuspicionCause) -> World {
    let ids: Vec<String> = (0..20).map(|n| format!("m-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::new(&ids, rules(), policy());
    world.pass(60);
    world.restart();
    world.machine.returned(world.now, Span::secs(30), doubt, world.monitors.counts());
    world
}

#[test]
fn when_most_are_silent_since_our_return_we_suspect_ourselves_once() {
    let mut world = back_from(SuspicionCause::Network);
    world.pass(90);
    (0..15).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    assert_eq!(world.told.len(), 1);
    let message = &world.told[0].1;
    assert_eq!(
        (message.kind, message.doubt, message.count),
        (MessageKind::Own, Some((SuspicionCause::Network, 20)), 15)
    );
    // All but two are back: of them one message tells, of the others none.
    (2..15).for_each(|n| world.beat(n));
    world.pass(60);
    assert_eq!((world.told.len(), world.told[1].1.kind, world.told[1].1.count), (2, MessageKind::Down, 2));
    // Whoever fails later is told of as ever.
    world.down(17, Cause::Silence);
    world.pass(60);
    assert_eq!(world.kinds("ops", "m-17"), [MessageKind::Down]);
}

#[test]
fn what_stays_silent_is_told_after_some_minutes_however_many_they_are() {
    let mut world = back_from(SuspicionCause::Restart);
    world.pass(90);
    (0..20).for_each(|n| world.down(n, Cause::Silence));
    world.pass(600);
    let kinds: Vec<(MessageKind, u64)> =
        world.told.iter().map(|(_, message)| (message.kind, message.count)).collect();
    assert_eq!(kinds, [(MessageKind::Own, 20), (MessageKind::Down, 20)]);
}

#[test]
fn when_those_fall_silent_who_were_heard_since_our_return_it_is_not_our_fault() {
    let mut world = back_from(SuspicionCause::Restart);
    (0..15).for_each(|n| world.beat(n));
    world.pass(90);
    (0..20).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    assert_eq!((world.told.len(), world.told[0].1.kind, world.told[0].1.count), (1, MessageKind::Down, 20));
}

#[test]
fn a_few_that_fall_silent_after_our_return_are_told_of_as_ever() {
    let mut world = back_from(SuspicionCause::Restart);
    world.pass(90);
    (0..5).for_each(|n| world.down(n, Cause::Silence));
    world.pass(60);
    assert_eq!((world.told.len(), world.told[0].1.kind), (1, MessageKind::Down));
}

#[test]
fn while_our_network_is_gone_silence_is_nobodys_fault() {
    let ids: Vec<String> = (0..20).map(|n| format!("m-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::new(&ids, rules(), policy());
    world.pass(60);
    world.machine.network(world.now, false, world.monitors.counts());
    world.pass(90);
    (0..5).for_each(|n| world.down(n, Cause::Silence));
    world.down(6, Cause::Fail);
    world.pass(3_600);
    assert_eq!(world.told.len(), 1, "who says that it fails was heard");
    assert_eq!(world.kinds("ops", "m-6"), [MessageKind::Down]);
    (7..20).for_each(|n| world.down(n, Cause::Silence));
    world.pass(3_600);
    assert_eq!((world.told.len(), world.told[1].1.kind), (2, MessageKind::Own));
    world.machine.network(world.now, true, world.monitors.counts());
    world.pass(60);
    (1..20).for_each(|n| world.beat(n));
    world.pass(600);
    assert_eq!(world.kinds("ops", "m-0"), [MessageKind::Own, MessageKind::Down]);
    assert_eq!(world.kinds("ops", "m-7"), [MessageKind::Own]);
}

#[test]
fn a_change_that_was_overtaken_begins_nothing() {
    let mut world = World::new(&["a"], rules(), policy());
    world.down(0, Cause::Silence);
    world.beat(0);
    // The thread that saw it come back was the first to write.
    let last = world.log.len() - 1;
    world.log.swap(last, last - 1);
    world.pass(600);
    assert_eq!(world.told, []);
}

#[test]
fn what_waits_is_not_due_sooner_because_we_were_away_or_the_clock_was_set() {
    let mut world = World::new(&["slow-1"], rules(), policy());
    world.down(0, Cause::Silence);
    world.pass(100);
    world.now = after(world.now, Span::secs(500));
    world.restart();
    world.machine.returned(world.now, Span::secs(500), SuspicionCause::Restart, world.monitors.counts());
    world.pass(15);
    world.now = after(world.now, Span::secs(86_400));
    world.machine.clock_stepped(world.now, 86_400_000, Span::secs(1));
    assert_eq!(world.told, []);
    world.pass(60);
    assert_eq!(world.kinds("slow", "slow-1"), [MessageKind::Down]);
}

#[test]
fn what_is_heard_before_it_is_noticed_that_the_clock_was_set_is_told_in_time() {
    for step_ms in [6_650_265, -6_650_265] {
        let mut world = World::new(&["all", "a"], rules(), policy());
        world.down(0, Cause::Silence);
        world.pass(200);
        world.beat(0);
        world.pass(60);
        // The clock is set; before that is noticed one goes down, by the new time.
        world.now = Wall(world.now.0 + step_ms);
        world.down(1, Cause::Silence);
        world
            .machine
            .hear(&world.monitors[1].record(world.now, Change::State { from: State::Up, muted: false }));
        world.now = after(world.now, Span(500));
        world.machine.clock_stepped(world.now, step_ms, Span::secs(2));
        let before = world.told.len();
        world.pass(30);
        assert_eq!(
            (world.told.len(), world.kinds("ops", "a")),
            (before + 1, vec![MessageKind::Down]),
            "{step_ms}"
        );
        world.beat(1);
        world.pass(30);
        assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered], "{step_ms}");
        // What was told before has moved along: the hour in which it would be a flapping is not over, and ends in time.
        world.pass(3_300);
        world.down(0, Cause::Silence);
        world.pass(600);
        assert_eq!(world.kinds("ops", "all").last(), Some(&MessageKind::Flapping), "{step_ms}");
        world.beat(0);
        world.pass(3_700);
        assert_eq!(world.kinds("ops", "all").last(), Some(&MessageKind::Recovered), "{step_ms}");
    }
}

#[test]
fn what_was_remembered_by_a_clock_that_was_wrong_keeps_nobody_waiting() {
    let mut world = World::new(&["a", "b"], rules(), policy());
    world.down(0, Cause::Silence);
    world.down(1, Cause::Silence);
    world.pass(30);
    world.beat(0);
    world.pass(30);
    // While we are not there the clock is set back by a year.
    world.now = Wall(world.now.0 - 365 * 86_400_000);
    world.restart();
    world.machine.reconcile(world.now, &world.monitors);
    world.beat(1);
    world.down(0, Cause::Silence);
    world.pass(60);
    assert_eq!(world.kinds("ops", "b"), [MessageKind::Down, MessageKind::Recovered]);
    assert_eq!(world.kinds("ops", "a"), [MessageKind::Down, MessageKind::Recovered, MessageKind::Flapping]);
}
