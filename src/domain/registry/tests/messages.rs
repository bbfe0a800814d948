//! How much of what monitors last said is kept.

use super::*;

const BOUND: usize = 100_000;

fn kept(r: &Registry, ms: u64, id: &str) -> String {
    r.get(at(ms), name(id)).unwrap().message.unwrap_or_default()
}

fn say(r: &mut Registry, ms: u64, id: &str, message: &str) {
    beat(r, ms, id, &Beat { message: Some(message), ..Beat::default() });
}

fn remove(r: &mut Registry, ms: u64, id: &str) {
    control(r, ms, id, MonitorCommand::Remove).unwrap();
}

/// A message of the greatest length that says whose it is at both ends.
fn long(n: u64) -> String {
    let (first, last) = (format!("begin {n} "), format!(" end {n}"));
    format!("{first}{}{last}", "x".repeat(10_000 - first.len() - last.len()))
}

#[test]
fn of_more_than_there_is_room_for_the_oldest_messages_are_cut() {
    let mut r = registry();
    r.bound_messages(BOUND);
    say(&mut r, 1, "short", &"s".repeat(200));
    for n in 0..200 {
        say(&mut r, 10 + n, &format!("m{n}"), &long(n));
        // What was said last is there as it was said, however much was said before.
        assert_eq!(kept(&r, 500, &format!("m{n}")), long(n));
        let all: usize = (0..=n).map(|n| kept(&r, 500, &format!("m{n}")).len()).sum();
        assert!(all <= BOUND + 256 * 200, "{n}: {all}");
    }
    let whole: Vec<u64> = (0..200).filter(|n| kept(&r, 500, &format!("m{n}")).len() == 10_000).collect();
    assert!((8..=10).contains(&whole.len()) && whole[0] == 200 - whole.len() as u64, "the latest: {whole:?}");
    let cut = kept(&r, 500, "m0");
    assert!(cut.len() <= 256 && cut.starts_with("begin 0 x") && cut.ends_with("x end 0"), "{cut}");
    assert_eq!(kept(&r, 500, "short").len(), 200);
    // Who says the same again has it whole again, and says it last.
    say(&mut r, 600, "m0", &long(0));
    assert_eq!(kept(&r, 700, "m0"), long(0));
    // Less room, by a reload.
    r.bound_messages(30_000);
    let whole: Vec<u64> = (0..200).filter(|n| kept(&r, 700, &format!("m{n}")).len() == 10_000).collect();
    assert_eq!(whole, [0, 199]);
}

#[test]
fn room_is_given_back_by_who_goes_or_says_less() {
    let mut r = registry();
    r.bound_messages(25_000);
    for round in 0..20 {
        say(&mut r, round, "a", &long(round));
        say(&mut r, round, "b", &long(round));
        assert_eq!((kept(&r, 50, "a"), kept(&r, 50, "b")), (long(round), long(round)), "{round}");
        if round % 2 == 0 {
            say(&mut r, round, "a", "little");
        } else {
            remove(&mut r, round, "a");
        }
        say(&mut r, round, "c", &long(round));
        assert_eq!(kept(&r, 50, "b"), long(round), "{round}");
        remove(&mut r, round, "c");
    }
}

#[test]
fn what_is_read_back_after_a_start_is_bounded_too() {
    let mut first = registry();
    let mut next = registry();
    next.bound_messages(BOUND);
    for n in 0..50 {
        say(&mut first, n, &format!("m{n}"), &long(n));
    }
    first.unsaved(at(60), 0, u64::MAX, &mut |record| {
        // And once more, as the journal has it too.
        next.load(at(100), name(record.id.as_str()), record, true);
        next.load(at(100), name(record.id.as_str()), record, false);
    });
    next.resume_after_start(at(100), None, &HashSet::new(), &mut |_| {});
    let whole: Vec<u64> = (0..50).filter(|n| kept(&next, 200, &format!("m{n}")).len() == 10_000).collect();
    assert!((8..=10).contains(&whole.len()) && whole[0] == 50 - whole.len() as u64, "{whole:?}");
}
