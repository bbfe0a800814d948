use super::*;
use crate::domain::alert::message::Subject;
use crate::domain::alert::policy::AlertPolicy;
use crate::domain::alert::{Message, MessageKind, Notifier};
use crate::domain::policy::Policy;
use crate::engine::delivery::Deliverer;
use crate::engine::testing;
use crate::i18n::Text;
use crate::notify::Outcome;

fn message(key: &str, to: &str) -> Outgoing {
    let at = Wall(1);
    let message = "{}".to_string();
    Outgoing { key: key.into(), notifier: to.into(), recipient: None, made: at, due: at, tries: 0, message }
}

fn keys(messages: &[Outgoing]) -> Vec<&str> {
    messages.iter().map(|one| one.key.as_str()).collect()
}

fn settled(part: &Part) -> Vec<&str> {
    part.settled.iter().map(|done| done.outgoing.key.as_str()).collect()
}

#[test]
fn what_was_told_from_here_is_put_into_the_outbox_and_noted_there_and_not_told_again() {
    let mut unstored = Unstored::default();
    unstored.hold([message("a", "ops"), message("b", "ops"), message("a", "ops")]);
    assert_eq!(keys(&unstored.messages()), ["a", "b"], "each once, in their order");
    unstored.settle(&message("a", "ops"), Wall(5), &Settled::Sent, &[]);
    assert!(
        unstored.holds("a") && unstored.holds("b"),
        "neither is taken from the outbox, should it be there"
    );
    assert_eq!(keys(&unstored.of(&Lane::all("ops"), 9).held), ["b"]);
    // Another comes while those two are put on record.
    let put = unstored.messages();
    unstored.hold([message("c", "ops")]);
    unstored.are_put(&put);
    let part = unstored.of(&Lane::all("ops"), 9);
    assert_eq!(settled(&part), ["a"], "b waits in the outbox, a does not");
    assert!(!unstored.holds("a") && !unstored.holds("b"));
    assert_eq!(keys(&part.held), ["c"]);
    assert!(unstored.of(&Lane::all("mail"), 9).settled.is_empty());
}

#[test]
fn a_try_that_failed_counts_and_who_is_told_instead_is_told_from_here() {
    let mut unstored = Unstored::default();
    unstored.hold([message("a", "ops")]);
    let again = Settled::Retry { due: Wall(9), reason: Text::foreign("ill") };
    unstored.settle(&message("a", "ops"), Wall(5), &again, &[]);
    let waiting = unstored.of(&Lane::all("ops"), 9).held;
    assert_eq!((waiting[0].tries, waiting[0].due), (1, Wall(9)));
    // One in the outbox waits there as before; one that failed for good is handed on.
    unstored.settle(&message("old", "ops"), Wall(5), &again, &[]);
    assert!(unstored.settled.is_empty());
    let failed = Settled::Failed { reason: Text::foreign("no") };
    unstored.settle(&message("old", "ops"), Wall(5), &failed, &[message("old~mail", "mail")]);
    assert_eq!(keys(&unstored.of(&Lane::all("mail"), 9).held), ["old~mail"]);
    let part = unstored.of(&Lane::all("ops"), 9);
    assert_eq!(settled(&part), ["old"]);
    assert!(part.settled[0].instead.is_empty());
}

#[test]
fn it_has_bounds() {
    let mut unstored = Unstored::default();
    let large = |n: usize| Outgoing { message: "x".repeat(256 * 1024), ..message(&format!("l{n}"), "ops") };
    (0..64).for_each(|n| unstored.hold([large(n)]));
    assert!(!unstored.has_room(), "bytes");
    // What is handed on goes straight into the outbox, when there is room.
    unstored.settle(
        &message("l0", "ops"),
        Wall(5),
        &Settled::Failed { reason: Text::foreign("no") },
        &[message("l0~mail", "mail")],
    );
    assert!(unstored.of(&Lane::all("mail"), 9).held.is_empty());
    assert_eq!(keys(&unstored.held[&1].instead), ["l0~mail"]);
    let all = unstored.messages();
    unstored.are_put(&all);
    assert!(unstored.has_room());
    assert_eq!((unstored.bytes, unstored.settled.len()), (0, 1));
    unstored.hold((0..MESSAGES_MAX).map(|n| message(&format!("m{n}"), "ops")));
    assert!(!unstored.has_room(), "messages");
    assert!(unstored.may_send());
    for n in 0..SETTLED_MAX {
        unstored.settle(&message(&format!("s{n}"), "ops"), Wall(5), &Settled::Sent, &[]);
    }
    assert!(!unstored.may_send());
}

/// An engine that tells `ops`.
fn engine() -> Engine {
    let alerts = AlertPolicy { notifiers: vec![Notifier::new("ops")], ..AlertPolicy::default() };
    testing::engine(Policy { alerts: Arc::new(alerts), ..Policy::default() })
}

fn put_message(engine: &Engine, outgoing: &Outgoing) {
    engine.store.apply(&[Entry::Message(outgoing)], Mark::None).unwrap();
}

fn put_sent(engine: &Engine, key: &str) {
    let sent = Entry::Settled { key, at: Wall(4), settled: &Settled::Sent, instead: &[] };
    engine.store.apply(&[sent], Mark::None).unwrap();
}

fn put(engine: &Engine, keys: impl IntoIterator<Item = String>) {
    keys.into_iter().for_each(|key| put_message(engine, &message(&key, "ops")));
}

fn hold(engine: &Engine, keys: impl IntoIterator<Item = String>) {
    engine.hold_unstored(keys.into_iter().map(|key| message(&key, "ops")).collect());
}

fn settle(engine: &Engine, key: &str, settled: &Settled) {
    lock(&engine.unstored).settle(&message(key, "ops"), Wall(5), settled, &[]);
}

/// What waits here goes into the outbox.
fn go_on_record(engine: &Engine) {
    let messages = lock(&engine.unstored).messages();
    messages.iter().for_each(|one| put_message(engine, one));
    lock(&engine.unstored).are_put(&messages);
}

fn listed(
    engine: &Engine,
    delivery: Option<DeliveryStatus>,
    before: Option<u64>,
    limit: usize,
) -> Vec<OutboxMessage> {
    engine.alerts(&OutboxQuery { delivery, before, limit }).unwrap()
}

fn names(rows: &[OutboxMessage]) -> Vec<&str> {
    rows.iter().map(|row| row.outgoing.key.as_str()).collect()
}

#[test]
fn no_more_is_copied_than_is_asked_for() {
    let mut unstored = Unstored::default();
    unstored.hold((0..1_000).map(|n| message(&format!("m{n:03}"), if n % 2 == 0 { "ops" } else { "mail" })));
    unstored.settle(&message("m000", "ops"), Wall(5), &Settled::Sent, &[]);
    assert_eq!(keys(&unstored.of(&Lane::all("ops"), 3).held), ["m002", "m004", "m006"]);
    assert_eq!(keys(&unstored.of(&Lane::all("mail"), 1).held), ["m001"]);
    let query = OutboxQuery { delivery: Some(DeliveryStatus::Pending), before: None, limit: 2 };
    assert_eq!(names(&unstored.page(&query).held), ["m999", "m998"]);
    let sent = OutboxQuery { delivery: Some(DeliveryStatus::Sent), ..query };
    assert_eq!(names(&unstored.page(&sent).held), ["m000"]);
}

#[test]
fn what_waits_in_a_lane_comes_in_its_order_and_says_whether_it_is_all() {
    let engine = engine();
    put(&engine, ["a".into(), "b".into(), "c".into()]);
    hold(&engine, ["d".into(), "e".into()]);
    settle(&engine, "a", &Settled::Sent);
    let waiting = |most| {
        let waiting = engine.waiting(&Lane::all("ops"), most).unwrap();
        (keys(&waiting.messages).join(" "), waiting.from, waiting.all)
    };
    assert_eq!(waiting(1), ("b".into(), 0, false));
    assert_eq!(waiting(3), ("b c d".into(), 0, false));
    assert_eq!(waiting(4), ("b c d e".into(), 0, true));
    go_on_record(&engine);
    assert_eq!(waiting(3), ("b c d".into(), 0, false));
    assert_eq!(waiting(5), ("b c d e".into(), 0, true));
    assert_eq!(engine.all_waiting().unwrap(), [(Lane::all("ops"), 4)]);
}

/// A message about a monitor.
fn about(key: &str, id: &str) -> Outgoing {
    let mut said = Message::new(MessageKind::Down, key.into(), "ops", Wall(1));
    said.monitors = vec![Subject { id: id.into(), ..Subject::default() }];
    Outgoing { message: serde_json::to_string(&said).unwrap(), ..message(key, "ops") }
}

#[test]
fn when_nothing_more_may_leave_the_outbox_what_waits_here_still_goes_but_overtakes_nothing_of_its_monitor() {
    let engine = engine();
    let now = testing::at(0);
    put_message(&engine, &about("stored", "a"));
    for n in 0..SETTLED_MAX {
        settle(&engine, &format!("s{n}"), &Settled::Sent);
    }
    engine.hold_unstored(vec![about("later", "a"), about("other", "b")]);
    let mut deliverer = Deliverer::default();
    let dispatches = engine.hand_out(&mut deliverer, &|_| Some(1), now);
    assert_eq!(dispatches.iter().map(|one| one.outgoing.key.as_str()).collect::<Vec<_>>(), ["other"]);
    for dispatch in dispatches {
        engine.settle(&mut deliverer, dispatch, &Outcome::Sent, now);
    }
    assert_eq!(lock(&engine.unstored).settled.len(), SETTLED_MAX, "it adds nothing to what is noted");
    assert!(deliverer.is_stuck(), "it is said");
    assert!(engine.hand_out(&mut deliverer, &|_| Some(1), now).is_empty());
    // There is room.
    go_on_record(&engine);
    engine.record_settled().unwrap();
    let dispatches = engine.hand_out(&mut deliverer, &|_| Some(1), now);
    assert_eq!(dispatches[0].outgoing.key, "stored");
    assert!(!deliverer.is_stuck());
}

#[test]
fn a_list_in_pieces_shows_each_once_whatever_comes_meanwhile() {
    let engine = engine();
    put(&engine, ["a".into(), "b".into()]);
    hold(&engine, ["c".into(), "d".into(), "e".into()]);
    let first = listed(&engine, None, None, 2);
    assert_eq!(names(&first), ["e", "d"]);
    hold(&engine, ["f".into()]);
    assert_eq!(names(&listed(&engine, None, Some(first[1].place), 9)), ["c", "b", "a"]);
    // It goes on record between two pieces, and more comes after it.
    go_on_record(&engine);
    put(&engine, ["g".into()]);
    hold(&engine, ["h".into()]);
    let rest = listed(&engine, None, Some(first[1].place), 2);
    assert_eq!(names(&rest), ["c", "b"]);
    assert_eq!(names(&listed(&engine, None, Some(rest[1].place), 9)), ["a"]);
    assert_eq!(names(&listed(&engine, None, None, 9)), ["h", "g", "f", "e", "d", "c", "b", "a"]);
}

#[test]
fn what_was_told_without_being_noted_makes_no_list_of_what_waits_too_short() {
    let engine = engine();
    put(&engine, ["a".into(), "b".into(), "c".into(), "d".into()]);
    settle(&engine, "d", &Settled::Sent);
    settle(&engine, "c", &Settled::Failed { reason: Text::foreign("no") });
    assert_eq!(names(&listed(&engine, Some(DeliveryStatus::Pending), None, 2)), ["b", "a"]);
    let all = listed(&engine, None, None, 9);
    assert_eq!(
        (all[0].delivery, all[0].outgoing.due, all[0].outgoing.tries),
        (DeliveryStatus::Sent, Wall(5), 1)
    );
    assert_eq!((all[1].delivery, all[1].reason.as_deref()), (DeliveryStatus::Failed, Some("no")));
}

#[test]
fn what_was_told_without_being_noted_is_listed_as_told_in_its_place() {
    let engine = engine();
    put(&engine, ["a".into(), "b".into(), "c".into(), "d".into()]);
    put_sent(&engine, "c");
    settle(&engine, "d", &Settled::Sent);
    settle(&engine, "a", &Settled::Sent);
    settle(&engine, "b", &Settled::Failed { reason: Text::foreign("no") });
    hold(&engine, ["e".into(), "f".into()]);
    settle(&engine, "e", &Settled::Sent);
    let sent = |before, limit| listed(&engine, Some(DeliveryStatus::Sent), before, limit);
    let all = sent(None, 9);
    assert_eq!(names(&all), ["e", "d", "c", "a"]);
    assert_eq!(names(&sent(None, 2)), ["e", "d"]);
    assert_eq!(names(&sent(Some(all[1].place), 9)), ["c", "a"]);
    assert_eq!(names(&listed(&engine, Some(DeliveryStatus::Failed), None, 9)), ["b"]);
    go_on_record(&engine);
    assert_eq!(names(&sent(None, 9)), ["e", "d", "c", "a"]);
    engine.record_settled().unwrap();
    assert_eq!(names(&sent(None, 9)), ["e", "d", "c", "a"], "as it is on record");
    assert!(sent(None, 9).iter().all(|row| row.outgoing.tries == 1));
}

#[test]
fn what_the_outbox_has_is_not_told_once_more_from_here() {
    let engine = engine();
    put(&engine, ["a".into(), "b".into(), "k~ops".into()]);
    put_sent(&engine, "k~ops");
    // While the disk is full another recipient fails for good; the fallback was told on behalf of the first.
    hold(&engine, ["waits".into()]);
    let failed = Settled::Failed { reason: Text::foreign("no") };
    engine.note(
        &message("a", "ops"),
        Wall(5),
        &failed,
        &[message("k~ops", "ops"), message("new~ops", "ops")],
    );
    hold(&engine, ["b".into()]);
    let unstored = lock(&engine.unstored);
    assert!(!unstored.holds("k~ops") && !unstored.holds("b"));
    assert!(unstored.holds("new~ops"));
}
