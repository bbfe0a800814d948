//! Why a monitor is down, and whose words are quoted: what is said of an outage is true of that outage.

use super::*;
use crate::domain::beat::Exit;

fn said<'a>(status: Status, message: Option<&'a str>) -> Beat<'a> {
    Beat { status, message, ..Beat::default() }
}

fn reason(r: &Registry, ms: u64) -> Option<Reason> {
    r.get(at(ms), name("a")).unwrap().incident.map(|(_, _, reason)| reason)
}

#[test]
fn a_failure_keeps_the_exit_code_or_the_signal_it_began_with() {
    for (status, exit) in [
        (Status::Fail, None),
        (Status::Exit(-1_073_741_510), Some(Exit::Code(-1_073_741_510))),
        (Status::Signal(9), Some(Exit::Signal(9))),
    ] {
        let (mut r, mut next) = (registry(), registry());
        let mut keep = |record: &Record<'_>| next.load(at(3), name("a"), record, false);
        for (ms, beat) in
            [(0, said(Status::Ok, None)), (1, said(status, None)), (2, said(Status::Exit(5), None))]
        {
            let arrival = arrival("a", &beat);
            r.handle(at(ms), arrival, &mut keep).unwrap();
        }
        let want = Some(Reason { exit, ..Cause::Fail.into() });
        assert_eq!(reason(&r, 2), want);
        assert_eq!(changes(&mut r)[0].reason, want);
        next.resume_after_start(at(3), None, &HashSet::new(), &mut |_| {});
        assert_eq!(reason(&next, 3), want, "over a start");
        beat(&mut next, 4, "a", &said(Status::Ok, None));
        assert_eq!((reason(&next, 4), changes(&mut next)[0].reason), (None, want));
    }
}

#[test]
fn a_run_that_takes_too_long_is_no_silence_and_its_end_is_its_end() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Ok, None));
    beat(&mut r, 10_000, "a", &said(Status::Start, None));
    while r.handle_timeout(at(100_016), 7, &mut |_| {}) {}
    let want = Reason { run_started: Some(at(10_000).wall), ..Cause::RunTooLong.into() };
    assert_eq!(reason(&r, 100_016), Some(want));
    let change = changes(&mut r).pop().unwrap();
    assert_eq!((change.to, change.reason), (State::Down, Some(want)));
    // It ends after all, so how long it took is known; and then silence is silence.
    beat(&mut r, 130_000, "a", &said(Status::Exit(0), None));
    let seen = r.get(at(130_000), name("a")).unwrap();
    assert_eq!((seen.state, seen.run_took), (State::Up, Some(Span::secs(120))));
    run_to(&mut r, 190_016);
    run_to(&mut r, 220_032);
    assert_eq!(reason(&r, 220_032), Some(Cause::Silence.into()));
}

#[test]
fn a_message_has_the_time_and_the_number_of_its_beat() {
    let mut r = registry();
    let message = |r: &Registry, ms| {
        let seen = r.get(at(ms), name("a")).unwrap();
        (seen.message, seen.message_at, seen.message_beat, seen.beats)
    };
    beat(&mut r, 1_000, "a", &said(Status::Fail, Some("rsync: broken")));
    beat(&mut r, 2_000, "a", &said(Status::Ok, None));
    assert_eq!(message(&r, 2_000), (Some("rsync: broken".into()), Some(at(1_000).wall), 1, 2));
    beat(&mut r, 3_000, "a", &said(Status::Ok, Some("rsync: broken")));
    assert_eq!(message(&r, 3_000), (Some("rsync: broken".into()), Some(at(3_000).wall), 3, 3));
    beat(&mut r, 4_000, "a", &said(Status::Ok, Some("")));
    assert_eq!(message(&r, 4_000), (None, None, 0, 4));
}

#[test]
fn what_is_said_at_a_change_is_written_down_though_it_was_said_before() {
    let mut r = registry();
    let mut last = None;
    for (ms, status) in [(0, Status::Fail), (1, Status::Ok), (2, Status::Fail)] {
        let beat = said(status, Some("rsync: broken"));
        let arrival = arrival("a", &beat);
        let keep =
            &mut |record: &Record<'_>| last = record.details.as_ref().map(|d| (d.message_beat, d.message_at));
        r.handle(at(ms), arrival, keep).unwrap();
        assert_eq!(last, Some((ms + 1, Some(at(ms).wall))));
    }
}
