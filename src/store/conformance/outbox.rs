//! What every store must do with what is to be told.

use super::{NOW, at};
use crate::domain::alert::AlertState;
use crate::i18n::{self, Text};
use crate::store::{DeliveryStatus, Entry, Lane, Mark, OutboxMessage, OutboxQuery, Outgoing, Settled, Store};

/// A message to `ops`, due some seconds after [`NOW`].
pub(in crate::store) fn outgoing(key: &str, due: u64) -> Outgoing {
    let (key, notifier, message) = (key.to_string(), "ops".to_string(), format!("{{\"key\":\"{key}\"}}"));
    Outgoing { key, notifier, made: NOW, due: at(due), tries: 0, message, recipient: None }
}

fn tell(store: &dyn Store, outbox: &[Outgoing]) {
    let entries: Vec<Entry<'_>> = outbox.iter().map(Entry::Message).collect();
    store.apply(&entries, Mark::None).unwrap();
}

fn settle_with(store: &dyn Store, key: &str, second: u64, settled: &Settled, instead: &[Outgoing]) {
    store.apply(&[Entry::Settled { key, at: at(second), settled, instead }], Mark::None).unwrap();
}

/// The name of what `ops` is to be told next, and how often that was tried.
fn next(store: &dyn Store) -> Option<(String, u32)> {
    let found = store.outbox_next(&Lane::all("ops"), 1).unwrap();
    found.into_iter().next().map(|one| (one.key, one.tries))
}

fn settle(store: &dyn Store, key: &str, settled: Settled) {
    settle_with(store, key, 7, &settled, &[]);
}

fn retry(due: u64) -> Settled {
    Settled::Retry { due: at(due), reason: Text::foreign("refused") }
}

pub(super) fn what_is_to_be_told_comes_in_order_and_once(store: &dyn Store) {
    let other = Outgoing { notifier: "other".into(), ..outgoing("o", 0) };
    tell(store, &[outgoing("c", 3), outgoing("a", 1), other.clone(), outgoing("z", 9)]);
    tell(store, &[Outgoing { message: "other".into(), ..outgoing("a", 0) }]);
    let all = [outgoing("c", 3), outgoing("a", 1), outgoing("z", 9)];
    assert_eq!(store.outbox_next(&Lane::all("ops"), 9).unwrap(), all, "in the order in which they were put");
    assert_eq!(store.outbox_next(&Lane::all("ops"), 2).unwrap(), all[..2]);
    assert_eq!(store.outbox_next(&Lane::all("other"), 9).unwrap(), [other]);
    assert_eq!(store.outbox_pending().unwrap(), [(Lane::all("ops"), 3), (Lane::all("other"), 1)]);
    settle(store, "c", retry(5));
    settle(store, "a", Settled::Sent);
    settle(store, "never put", Settled::Sent);
    assert_eq!(next(store), Some(("c".into(), 1)), "one that is tried again keeps its place");
    // What was told is not told again, whoever says so.
    tell(store, &[outgoing("a", 1)]);
    settle(store, "a", retry(1));
    let left: Vec<String> =
        store.outbox_next(&Lane::all("ops"), 9).unwrap().into_iter().map(|one| one.key).collect();
    assert_eq!(left, ["c", "z"]);
    tell(store, &[outgoing("test", 0)]);
    assert_eq!(store.outbox_next(&Lane::all("ops"), 9).unwrap()[2].key, "test");
    let listed = |delivery| -> Vec<String> {
        let query = OutboxQuery { delivery, before: None, limit: 9 };
        store.outbox_list(&query).unwrap().into_iter().map(|posted| posted.outgoing.key).collect()
    };
    assert_eq!(listed(None), ["test", "z", "o", "a", "c"]);
    assert_eq!(listed(Some(DeliveryStatus::Sent)), ["a"]);
    let all = store.outbox_list(&OutboxQuery { limit: 9, ..OutboxQuery::default() }).unwrap();
    assert_eq!(
        store.outbox_places(&["c", "never put", "test"]).unwrap(),
        [Some(all[4].place), None, Some(all[0].place)]
    );
    let page = OutboxQuery { delivery: Some(DeliveryStatus::Pending), before: None, limit: 2 };
    let first = store.outbox_list(&page).unwrap();
    let rest = store.outbox_list(&OutboxQuery { before: Some(first[1].place), ..page }).unwrap();
    assert_eq!(rest.iter().map(|posted| posted.outgoing.key.as_str()).collect::<Vec<_>>(), ["o", "c"]);
    assert_eq!(rest[1].reason.as_deref(), Some("refused"));
}

pub(super) fn what_fails_goes_to_another_in_the_same_step(store: &dyn Store) {
    tell(store, &[outgoing("a", 0), outgoing("b", 0), outgoing("c", 0)]);
    let instead = Outgoing { notifier: "other".into(), ..outgoing("b-other", 0) };
    let failed = Settled::Failed { reason: i18n::notify::answered(&"hook", &404) };
    for _ in 0..2 {
        settle_with(store, "b", 1, &failed, std::slice::from_ref(&instead));
    }
    assert_eq!(store.outbox_next(&Lane::all("other"), 9).unwrap(), [instead]);
    let query = OutboxQuery { delivery: Some(DeliveryStatus::Failed), before: None, limit: 9 };
    let posted = store.outbox_list(&query).unwrap();
    assert_eq!(posted.len(), 1);
    let of = |posted: &OutboxMessage| {
        (posted.reason.clone().unwrap_or_default(), posted.outgoing.due, posted.outgoing.tries)
    };
    assert_eq!(of(&posted[0]), ("hook answered 404".into(), at(1), 1), "in English, whoever reads it");
    settle(store, "a", retry(9));
    settle(store, "a", Settled::GivenUp { reason: Text::foreign("too late") });
    let posted = store.outbox_list(&query).unwrap();
    assert_eq!(of(&posted[1]), ("too late".into(), at(7), 1), "that was no try");
    assert_eq!(next(store), Some(("c".into(), 0)));
}

pub(super) fn a_recipient_is_told_by_itself(store: &dyn Store) {
    tell(store, &[outgoing("a", 0), outgoing("b", 0)]);
    let part = |key: &str, to: &str| Outgoing { recipient: Some(to.into()), tries: 1, ..outgoing(key, 2) };
    let parts = [part("a>x", "x@example.org"), part("a>y", "y@example.org")];
    let split = Settled::Split { reason: Text::foreign("x and y have not heard") };
    for _ in 0..2 {
        settle_with(store, "a", 1, &split, &parts);
    }
    let (x, y) = (Lane::one("ops", "x@example.org"), Lane::one("ops", "y@example.org"));
    let counts = [(Lane::all("ops"), 1), (x.clone(), 1), (y.clone(), 1)];
    assert_eq!(store.outbox_pending().unwrap(), counts);
    assert_eq!(store.outbox_next(&x, 9).unwrap(), parts[..1], "as it was put, with its tries");
    assert_eq!(next(store), Some(("b".into(), 0)));
    settle(store, "a>x", Settled::Sent);
    assert_eq!(store.outbox_pending().unwrap(), [(Lane::all("ops"), 1), (y, 1)]);
    let query = OutboxQuery { delivery: Some(DeliveryStatus::Sent), before: None, limit: 9 };
    let posted = store.outbox_list(&query).unwrap();
    let told: Vec<_> = posted.iter().map(|one| (&*one.outgoing.key, one.reason.as_deref())).collect();
    assert_eq!(told, [("a>x", None), ("a", Some("x and y have not heard"))]);
}

pub(super) fn many_are_let_go_of_in_one_step(store: &dyn Store) {
    tell(store, &[outgoing("a", 0), outgoing("b", 0), outgoing("c", 0), outgoing("d", 0)]);
    settle(store, "a", Settled::Sent);
    let instead = |key: &str| Some(Outgoing { notifier: "other".into(), ..outgoing(key, 0) });
    let all = [("a", instead("a-other")), ("b", instead("b-other")), ("c", None)];
    let settled = Settled::GivenUp { reason: Text::foreign("too many") };
    let entries = all.each_ref().map(|(key, instead)| Entry::Settled {
        key,
        at: at(5),
        settled: &settled,
        instead: instead.as_slice(),
    });
    for _ in 0..2 {
        store.apply(&entries, Mark::None).unwrap();
    }
    assert_eq!(store.outbox_pending().unwrap(), [(Lane::all("ops"), 1), (Lane::all("other"), 1)]);
    assert_eq!(next(store), Some(("d".into(), 0)));
    assert_eq!(store.outbox_next(&Lane::all("other"), 9).unwrap()[0].key, "b-other", "a was told");
    let query = OutboxQuery { delivery: Some(DeliveryStatus::Failed), before: None, limit: 9 };
    for (posted, key) in store.outbox_list(&query).unwrap().iter().zip(["c", "b"]) {
        let OutboxMessage { outgoing: Outgoing { due, tries, .. }, reason, .. } = posted;
        assert_eq!((posted.outgoing.key.as_str(), *due, *tries), (key, at(5), 0));
        assert_eq!(reason.as_deref(), Some("too many"));
    }
}

pub(super) fn what_was_told_of_a_monitor_is_remembered_until_it_is_not(store: &dyn Store) {
    let alert_state = |number, state: Option<&str>| AlertState { number, state: state.map(Into::into) };
    let put = |alert_states: &[AlertState]| {
        let entries: Vec<Entry<'_>> = alert_states.iter().map(Entry::AlertState).collect();
        store.apply(&entries, Mark::None).unwrap();
    };
    put(&[alert_state(2, Some("b")), alert_state(1, Some("a"))]);
    put(&[alert_state(2, Some("c")), alert_state(3, None)]);
    assert_eq!(store.alert_states().unwrap(), [(1, "a".into()), (2, "c".into())]);
    put(&[alert_state(1, None)]);
    assert_eq!(store.alert_states().unwrap(), [(2, "c".into())]);
}
