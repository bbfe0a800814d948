//! Many changes in an hour are only counted; a state that lasts is on record all the same.

use super::*;
use crate::domain::limits::{CHANGES_PER_HOUR_MAX, LASTING, LATE_CHANGES_PER_HOUR_MAX};

/// A minute as cron's job has it: late at each slot, up again a moment later.
fn slow_minutes(r: &mut Registry, minutes: std::ops::Range<u64>) -> Vec<Transition> {
    let mut seen = Vec::new();
    for minute in minutes {
        beat(r, minute * 61_000, "a", &OK);
        run_to_keeping(r, minute * 61_000 + 60_500, &mut seen);
    }
    seen
}

fn run_to_keeping(r: &mut Registry, ms: u64, seen: &mut Vec<Transition>) {
    while r.handle_timeout(at(ms), 7, &mut |_| {}) {}
    seen.extend(changes(r));
}

fn told(r: &mut Registry) -> Vec<State> {
    changes(r).into_iter().filter(|change| !change.muted).map(|change| change.to).collect()
}

/// Fails and is well again until no change of this hour is told any more.
fn use_up(r: &mut Registry, from_ms: u64) {
    for n in 0..u64::from(CHANGES_PER_HOUR_MAX) + 10 {
        beat(r, from_ms + n, "a", &said(if n % 2 == 0 { Status::Fail } else { Status::Ok }, None));
    }
    changes(r);
}

#[test]
fn who_is_late_at_each_slot_is_down_with_an_incident_at_once() {
    let mut r = registry();
    let seen = slow_minutes(&mut r, 0..55);
    let of_those = seen.iter().filter(|change| !change.muted).count();
    assert!(of_those <= usize::from(LATE_CHANGES_PER_HOUR_MAX) + 1, "{of_those} told");
    assert!(seen.len() > 100, "{}", seen.len());
    let mut seen = Vec::new();
    run_to_keeping(&mut r, 55 * 61_000 + 40_000, &mut seen);
    let last = seen.last().map(|change| (change.to, change.muted));
    assert_eq!(last, Some((State::Down, false)));
    assert!(r.get(at(0), name("a")).unwrap().incident.is_some());
}

#[test]
fn who_stays_down_has_an_incident_after_a_minute_however_often_it_changed() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    use_up(&mut r, 1_000);
    beat(&mut r, 2_000, "a", &said(Status::Fail, None));
    assert_eq!(told(&mut r), []);
    assert_eq!(r.get(at(2_000), name("a")).unwrap().incident, None);
    // That it goes on failing delays nothing.
    for second in 3..60 {
        beat(&mut r, second * 1_000, "a", &said(Status::Fail, None));
    }
    let due = 2_000 + LASTING.0;
    assert_eq!(run_to(&mut r, due - 1), vec![]);
    assert_eq!(run_to(&mut r, due + 16), vec![("a".into(), State::Down)]);
    let incident = r.get(at(due), name("a")).unwrap().incident;
    assert_eq!(incident.map(|(_, started, _)| started), Some(at(2_000).wall), "it began when it began");
    beat(&mut r, due + 100, "a", &OK);
    assert_eq!(told(&mut r), [State::Up], "what was told of is not left standing");
}

#[test]
fn a_restart_a_standstill_or_new_rules_keep_no_outage_from_the_record() {
    let mut r = registry();
    beat(&mut r, 0, "a", &OK);
    use_up(&mut r, 1_000);
    beat(&mut r, 2_000, "a", &said(Status::Fail, None));
    r.forgive(at(10_000), Span(0), Span(5_000), &mut |_| {});
    let policy = crate::domain::policy::Policy {
        rules: Arc::new(Rules::new(vec![Rule { interval: Some(Span::secs(5)), ..rule("*") }])),
        ..Default::default()
    };
    r.set_policy(at(20_000), &policy, &mut |_| {});
    changes(&mut r);
    assert_eq!(run_to(&mut r, 2_016 + LASTING.0), vec![("a".into(), State::Down)]);
    assert!(r.get(at(0), name("a")).unwrap().incident.is_some());
}

proptest! {
    /// Whatever comes: nobody who is up was last said to be otherwise, who has been down for a minute has an incident,
    /// and what is told stays within the bound and one more for each minute.
    #[test]
    fn what_lasts_is_told_and_what_flutters_is_not(
        steps in prop::collection::vec((1u64..120_000, 0u8..4), 1..400)
    ) {
        let mut r = registry();
        let (mut now, mut last_told, mut hours) = (0, State::New, BTreeMap::<u64, u64>::new());
        for (wait, what) in steps {
            // Mostly quick, sometimes slow.
            now += if what == 3 { wait } else { wait % 700 };
            while r.handle_timeout(at(now), 7, &mut |_| {}) {}
            match what {
                0 => _ = beat(&mut r, now, "a", &said(Status::Fail, None)),
                1 | 2 => _ = beat(&mut r, now, "a", &OK),
                _ => {}
            }
            for change in changes(&mut r).into_iter().filter(|change| !change.muted) {
                last_told = change.to;
                *hours.entry(now / 3_600_000).or_default() += 1;
            }
            let Some(known) = r.get(at(now), name("a")) else { continue };
            let lasted = at(now).wall.0 - known.since.0;
            if known.state == State::Up && known.beats > 1 && last_told != State::New {
                prop_assert_eq!(last_told, State::Up);
            }
            if known.state == State::Down && lasted > LASTING.0 as i64 + 16 {
                prop_assert!(known.incident.is_some(), "down for {} ms", lasted);
            }
        }
        for (_, told) in hours {
            prop_assert!(told <= u64::from(CHANGES_PER_HOUR_MAX) + 2 * 61, "{} told in an hour", told);
        }
    }
}
