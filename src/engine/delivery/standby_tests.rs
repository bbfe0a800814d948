use super::*;
use crate::domain::alert::message::Subject;
use crate::domain::alert::pair::testing::pair;
use crate::domain::alert::policy::AlertPolicy;
use crate::domain::alert::{MessageKind, Notifier};
use crate::domain::time::Mono;
use crate::engine::testing;
use crate::notify::Outcome;
use crate::store::{Entry, Mark, OutboxQuery};
use std::sync::Arc;

const HOUR: i64 = 3_600;

fn at(s: i64) -> Now {
    Now { mono: Mono(1_000_000 + s as u64 * 1_000), wall: Wall(s * 1_000) }
}

fn policy(pair: Option<PairPolicy>) -> Arc<Policy> {
    let alerts = AlertPolicy { notifiers: vec![Notifier::new("ops")], pair, ..AlertPolicy::default() };
    Arc::new(Policy { alerts: Arc::new(alerts), ..Policy::default() })
}

fn engine() -> Engine {
    testing::engine(Arc::into_inner(policy(Some(pair()))).unwrap())
}

/// That something is down, for all or for one.
fn put(engine: &Engine, kind: MessageKind, key: &str, recipient: Option<&str>) {
    let mut message = Message::new(kind, key.into(), "ops", Wall(0));
    message.monitors = vec![Subject { id: key.into(), ..Subject::default() }];
    message.count = 1;
    let outgoing = Outgoing {
        key: key.into(),
        notifier: "ops".into(),
        recipient: recipient.map(String::from),
        made: Wall(0),
        due: Wall(0),
        tries: 0,
        message: serde_json::to_string(&message).unwrap(),
    };
    engine.store.apply(&[Entry::Message(&outgoing)], Mark::None).unwrap();
}

/// What may be sent; it fails.
fn failed(engine: &Engine, deliverer: &mut Deliverer, now: Now) -> Vec<String> {
    let dispatches = engine.hand_out(deliverer, &|_| Some(1), now);
    let keys = dispatches.iter().map(|one| one.outgoing.key.clone()).collect();
    for dispatch in dispatches {
        let outcome = Outcome::Retry { after: None, reason: Text::foreign("ill") };
        engine.settle(deliverer, dispatch, &outcome, now);
    }
    keys
}

fn with(engine: &Engine, delivery: DeliveryStatus) -> Vec<String> {
    let query = OutboxQuery { delivery: Some(delivery), before: None, limit: 9 };
    engine.store.outbox_list(&query).unwrap().into_iter().map(|one| one.outgoing.key).collect()
}

#[test]
fn who_has_to_hear_it_alone_is_not_kept_waiting() {
    let (engine, mut deliverer) = (engine(), Deliverer::default());
    put(&engine, MessageKind::Down, "x", None);
    put(&engine, MessageKind::Down, "y>b@example.org", Some("b@example.org"));
    assert_eq!(failed(&engine, &mut deliverer, at(0)), ["y>b@example.org"]);
}

#[test]
fn what_is_kept_back_is_not_given_up_and_has_its_whole_time_from_then_on() {
    let (engine, mut deliverer) = (engine(), Deliverer::default());
    put(&engine, MessageKind::Own, "own", None);
    put(&engine, MessageKind::Down, "x", None);
    assert_eq!(failed(&engine, &mut deliverer, at(0)), ["own"]);
    let late = 25 * HOUR;
    failed(&engine, &mut deliverer, at(late));
    assert_eq!(with(&engine, DeliveryStatus::Failed), ["own"]);
    assert_eq!(with(&engine, DeliveryStatus::Pending), ["x"]);
    // The other server falls silent.
    for _ in 0..2 {
        engine.note_peer(&mut deliverer, PeerAnswer::Missed(Text::foreign("refused")), at(late));
    }
    assert_eq!(failed(&engine, &mut deliverer, at(late + HOUR)), ["x"]);
    failed(&engine, &mut deliverer, at(late + 24 * HOUR));
    assert_eq!(with(&engine, DeliveryStatus::Pending), ["x"], "tried for 23 hours");
    failed(&engine, &mut deliverer, at(late + 26 * HOUR));
    assert_eq!(with(&engine, DeliveryStatus::Pending), [""; 0]);
}

#[test]
fn without_another_server_nothing_is_shown_of_it() {
    let (engine, mut deliverer) = (engine(), Deliverer::default());
    put(&engine, MessageKind::Down, "x", None);
    let refused = || PeerAnswer::Refused(Text::foreign("no"), None);
    let shown = || (lock(&engine.post.held).len(), lock(&engine.post.pair_trouble).is_some());
    engine.note_peer(&mut deliverer, refused(), at(0));
    assert_eq!(failed(&engine, &mut deliverer, at(0)), [""; 0]);
    engine.note_peer(&mut deliverer, refused(), at(0));
    assert_eq!(shown(), (1, true));
    engine.forget_pair(&mut deliverer);
    assert_eq!(shown(), (0, false), "it is another one");
    engine.note_peer(&mut deliverer, refused(), at(1));
    assert_eq!(failed(&engine, &mut deliverer, at(1)), [""; 0]);
    engine.note_peer(&mut deliverer, refused(), at(1));
    assert_eq!(shown(), (1, true));
    // A reload takes both away, in whatever order.
    engine.set_policy(at(2), policy(None));
    deliverer.pair.forget();
    assert_eq!(failed(&engine, &mut deliverer, at(2)), ["x"]);
    assert_eq!(shown(), (0, false));
}
