//! Lists and what they are chosen by.

use super::*;

/// One monitor in each state, at 100 s; named so that no order is that of the names.
fn one_of_each() -> Registry {
    let mut r = ruled(Rules::new(vec![Rule { tags: vec!["rack-1".into()], ..rule("u*") }]));
    beat(&mut r, 5_000, "paused", &OK);
    control(&mut r, 6_000, "paused", MonitorCommand::Pause { until: None }).unwrap();
    beat(&mut r, 10_000, "late", &Beat { interval: Some(Span::secs(80)), ..OK });
    beat(&mut r, 20_000, "up", &Beat { interval: Some(Span::secs(600)), ..OK });
    beat(&mut r, 30_000, "down", &said(Status::Fail, None));
    control(&mut r, 38_000, "never", MonitorCommand::Declare(Declaration::default())).unwrap();
    run_to(&mut r, 100_000);
    r
}

#[test]
fn each_order_is_its_own_and_goes_on_behind_any_of_it() {
    let r = one_of_each();
    for (order, want) in [
        (Order::Id, ["down", "late", "never", "paused", "up"]),
        (Order::State, ["down", "late", "up", "paused", "never"]),
        (Order::LastBeat, ["never", "paused", "late", "up", "down"]),
        (Order::Since, ["late", "never", "down", "up", "paused"]),
    ] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = r.list(at(100_000), order, after.as_ref(), 2, |_| true);
            let Some(last) = page.last() else { break };
            after = Some(Cursor { key: last.key(order), id: last.id.clone() });
            seen.extend(page.into_iter().map(|one| one.id));
            assert!(seen.len() <= 5, "{order:?} {seen:?}");
        }
        assert_eq!(seen, want, "{order:?}");
    }
}

#[test]
fn lists_are_chosen_by_labels_of_rule_and_beat_and_by_who_was_never_heard() {
    let mut r = one_of_each();
    let tags = Some(vec!["rack-2".into(), "db".into()]);
    control(&mut r, 100_000, "late", MonitorCommand::Declare(Declaration { tags, ..Declaration::default() }))
        .unwrap();
    let chosen = |wanted: &dyn Fn(&MonitorView<'_>) -> bool| -> Vec<String> {
        r.list(at(100_000), Order::Id, None, 9, wanted).into_iter().map(|one| one.id).collect()
    };
    assert_eq!(chosen(&|one| one.has_tag("rack-1")), ["up"], "its rule says so");
    assert_eq!(chosen(&|one| one.has_tag("db")), ["late"], "it is said of itself");
    assert_eq!(chosen(&|one| one.has_tag("rack-3")), Vec::<String>::new());
    assert_eq!(chosen(&|one| one.is_never_heard()), ["never"]);
    assert_eq!(r.never_heard(at(100_000), 9), (1, vec!["never".to_string()]), "though another is down");
}

#[test]
fn who_has_only_sent_messages_has_a_whole_interval_after_a_pause() {
    let mut r = registry();
    beat(&mut r, 0, "a", &said(Status::Log, None));
    control(&mut r, 10_000, "a", MonitorCommand::Pause { until: None }).unwrap();
    control(&mut r, 20_000, "a", MonitorCommand::Resume).unwrap();
    assert_eq!(state(&r, 20_000, "a"), State::New);
    changes(&mut r);
    assert_eq!(run_to(&mut r, 79_999), vec![]);
    assert_eq!(run_to(&mut r, 80_016), vec![("a".into(), State::Late)]);
}

#[test]
fn who_was_heard_or_is_paused_is_not_overdue_for_its_first_beat() {
    let mut r = registry();
    for id in ["heard", "paused", "never"] {
        control(&mut r, 0, id, MonitorCommand::Declare(Declaration::default())).unwrap();
    }
    beat(&mut r, 1_000, "heard", &said(Status::Fail, None));
    control(&mut r, 1_000, "paused", MonitorCommand::Pause { until: None }).unwrap();
    assert_eq!(r.never_heard(at(100_000), 9), (1, vec!["never".to_string()]));
    let last_beat = |id| r.get(at(100_000), name(id)).unwrap().last_beat;
    assert_eq!((last_beat("heard"), last_beat("never")), (Some(at(1_000).wall), None));
}

#[test]
fn a_monitor_is_declared_by_a_person_or_by_the_configuration() {
    let mut r = ruled(Rules::new(vec![rule("configured")]));
    control(&mut r, 0, "wished", MonitorCommand::Declare(Declaration::default())).unwrap();
    for id in ["configured", "stranger"] {
        beat(&mut r, 0, id, &OK);
    }
    let declared = |id| r.get(at(0), name(id)).unwrap().declared;
    assert_eq!((declared("wished"), declared("configured"), declared("stranger")), (true, true, false));
}
