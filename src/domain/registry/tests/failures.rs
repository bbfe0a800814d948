//! A failed run of a monitor that is down already: on record as such where somebody is to be told of it, and nowhere else.

use super::*;
use crate::domain::alert::{AlertPolicy, Notifier};
use crate::domain::limits::FAILURES_PER_HOUR_MAX;

/// What records of `a` say, one for each thing that happens to it.
fn changes_of(rules: Rules, statuses: &[(Status, Option<&str>)]) -> Vec<(Change, Option<String>)> {
    let (mut r, mut seen) = (ruled(rules), Vec::new());
    for (ms, (status, message)) in (0..).zip(statuses) {
        let beat = Beat { status: *status, message: *message, ..Beat::default() };
        let arrival = arrival("a", &beat);
        let keep = &mut |record: &Record<'_>| {
            let said = record.details.as_ref().and_then(|details| details.message);
            seen.push((record.change, said.map(String::from)));
        };
        r.handle(at(ms), arrival, keep).unwrap();
    }
    seen
}

fn every() -> AlertPolicy {
    let notifiers = vec![Notifier { every_failure: true, ..Notifier::new("ops") }];
    AlertPolicy { notifiers, notify: vec!["ops".into()], ..AlertPolicy::default() }
}

#[test]
fn a_further_failure_is_on_record_with_what_it_said_where_somebody_hears_of_it() {
    let all = [
        (Status::Fail, None),
        (Status::Exit(3), Some("disk full")),
        (Status::Start, None),
        (Status::Exit(3), Some("disk full")),
        (Status::Ok, None),
    ];
    let seen = changes_of(Rules::default().told_to(&every()), &all);
    let said = Some("disk full".to_string());
    assert!(matches!(seen[1], (Change::State { .. }, _)), "{seen:?}");
    assert_eq!(seen[2], (Change::Failed, said.clone()));
    assert_eq!((seen[3].0, &seen[4]), (Change::None, &(Change::Failed, said)));
    assert!(matches!(seen[5], (Change::State { from: State::Down, .. }, _)), "{seen:?}");
    let quiet = changes_of(Rules::default(), &all);
    assert_eq!((quiet[2].0, quiet[4].0), (Change::None, Change::None));
}

#[test]
fn one_that_is_paused_fails_for_nobody() {
    let mut r = ruled(Rules::default().told_to(&every()));
    beat(&mut r, 0, "a", &Beat { status: Status::Fail, ..Beat::default() });
    control(&mut r, 1, "a", MonitorCommand::Pause { until: None }).unwrap();
    let again = Beat { status: Status::Fail, ..Beat::default() };
    let arrival = arrival("a", &again);
    let mut seen = Vec::new();
    r.handle(at(2), arrival, &mut |record: &Record<'_>| seen.push(record.change)).unwrap();
    assert_eq!(seen, [Change::None]);
}

#[test]
fn a_job_that_fails_all_the_time_is_told_of_so_often_in_an_hour_and_goes_down_and_up_as_ever() {
    let mut r = ruled(Rules::default().told_to(&every()));
    let mut send = |ms: u64, status: Status| {
        let beat = Beat { status, message: Some("disk full"), ..Beat::default() };
        let arrival = arrival("a", &beat);
        let mut seen = Vec::new();
        r.handle(at(ms), arrival, &mut |record: &Record<'_>| {
            seen.push((record.change, record.beats, record.details.is_some()));
        })
        .unwrap();
        seen.pop().unwrap()
    };
    send(0, Status::Fail);
    let seen: Vec<_> = (1..1_001).map(|ms| send(ms, Status::Fail)).collect();
    let told = seen.iter().filter(|(change, ..)| *change == Change::Failed).count();
    assert_eq!(told, usize::from(FAILURES_PER_HOUR_MAX));
    assert_eq!(seen.last(), Some(&(Change::None, 1_001, false)), "it counts as a beat, and takes no room");
    let turn = send(2_000, Status::Ok).0;
    assert!(matches!(turn, Change::State { from: State::Down, muted: false }), "{turn:?}");
    let turn = send(2_001, Status::Fail).0;
    assert!(matches!(turn, Change::State { from: State::Up, muted: false }), "{turn:?}");
    assert_eq!(send(3_600_000, Status::Fail).0, Change::Failed, "another hour");
}
