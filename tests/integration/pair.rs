//! Two servers without anything between them: both judge, one tells, and the other tells what that one cannot.

use crate::harness::{Client, Daemon, Place, Setup, until};
use crate::receiver::Receiver;
use crate::servers::{again, killed};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everybody is told at once; the other server is asked each second and may be silent for three.
fn config(receiver: &Receiver, pair: &str) -> String {
    format!(
        "[defaults]\nnotify = [\"ops\"]\ngrace = \"0s\"\n[[notifier]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"{}\"\n\
         group_wait = \"0s\"\n[pair]\nevery = \"1s\"\ngrace = \"3s\"\n{pair}\n",
        receiver.url()
    )
}

/// What was told, as kind and monitor, in order.
fn ledger(receiver: &Receiver) -> Vec<(String, String)> {
    let told = receiver.told();
    let of = |told: &crate::receiver::Told| {
        told.ids().into_iter().map(|id| (told.kind().to_string(), id.to_string())).collect::<Vec<_>>()
    };
    told.iter().flat_map(of).collect()
}

/// How often each was told, by both together.
fn counted(receivers: [&Receiver; 2]) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    receivers.into_iter().flat_map(ledger).for_each(|one| *counts.entry(one).or_default() += 1);
    counts
}

fn told(kind: &str, id: &str) -> (String, String) {
    (kind.to_string(), id.to_string())
}

fn alerts(hb: &Daemon, state: &str) -> Vec<Value> {
    let reply = hb.get(&format!("/api/v1/alerts?state={state}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["alerts"].as_array().unwrap().clone()
}

fn row<'a>(rows: &'a [Value], kind: &str, id: &str) -> Option<&'a Value> {
    rows.iter().find(|row| row["kind"] == kind && row["monitor"] == id)
}

fn reason(hb: &Daemon, state: &str, kind: &str, id: &str) -> Option<String> {
    row(&alerts(hb, state), kind, id)?["reason"].as_str().map(String::from)
}

/// A pair in its folders, not started yet: `a` tells, `b` stands by.
fn pair(told_a: &Receiver, told_b: &Receiver) -> (Setup, Setup) {
    let (a, b) = (Setup::new(""), Setup::new(""));
    let at = |setup: &Setup| format!("url = \"http://127.0.0.1:{}\"\n", setup.place().port('a'));
    a.place().configure(&config(told_a, &at(&b)));
    b.place().configure(&config(told_b, &format!("standby_for = \"server-a\"\n{}", at(&a))));
    (a, b)
}

#[test]
fn only_one_tells_the_other_takes_over_and_nothing_is_told_twice() {
    let (told_a, told_b) = (Receiver::new(&[]), Receiver::new(&[]));
    let (a, b) = pair(&told_a, &told_b);
    let (a, b) = (a.start(), b.start());
    let both = |a: &Daemon, b: &Daemon, text: &str| {
        a.beat(text);
        b.beat(text);
    };
    until("b hears a", || b.log().contains("alerts are left to it"));
    assert_eq!(b.monitor("server-a")["state"], "up");

    // Both live: both judge, a alone tells.
    both(&a, &b, r#"{"id":"web","status":"fail"}"#);
    until("a has told it", || ledger(&told_a) == [told("down", "web")]);
    until("b has let it go", || reason(&b, "sent", "down", "web").as_deref() == Some("told by server-a"));
    assert_eq!(b.monitor("web")["state"], "down", "b judges as well");
    assert_eq!(ledger(&told_b), []);
    // What only b finds it keeps, over a restart too.
    b.beat(r#"{"id":"only-b","status":"fail"}"#);
    b.beat(r#"{"id":"short","status":"fail"}"#);
    b.beat(r#"{"id":"short","interval":"1h"}"#);
    until("it is held", || {
        reason(&b, "pending", "down", "only-b").as_deref() == Some("held: server-a is alive")
    });
    let ready = b.get("/readyz");
    assert!(ready.status == 200 && !ready.text().contains("degraded\":[\""), "{}", ready.text());
    let b = killed(b);
    let command = again(&b.place);
    let b = b.replaced(command);
    until("it is held again", || {
        reason(&b, "pending", "down", "only-b").as_deref() == Some("held: server-a is alive")
    });

    // a is killed. What happened before anybody could know, and is over, nobody hears of; the rest b tells, once.
    until("so is what is over", || reason(&b, "pending", "recovered", "short").is_some());
    let a = killed(a);
    b.beat(r#"{"id":"db","status":"fail"}"#);
    until("b tells of a itself", || ledger(&told_b).contains(&told("down", "server-a")));
    until("b tells what a had not", || {
        [told("down", "only-b"), told("down", "db")].iter().all(|one| ledger(&told_b).contains(one))
    });
    b.beat(r#"{"id":"web","interval":"1h"}"#);
    until("b tells the end of what a had told", || ledger(&told_b).contains(&told("recovered", "web")));
    until("b has nothing left", || alerts(&b, "pending").is_empty());
    let over = reason(&b, "sent", "recovered", "short");
    assert_eq!(over.as_deref(), Some("it was over before anybody had to be told"));

    // a is back, and finds what b has told: it says none of it again.
    let command = again(&a.place);
    let a = a.replaced(command);
    until("b tells that a is back", || ledger(&told_b).contains(&told("recovered", "server-a")));
    a.beat(r#"{"id":"web","interval":"1h"}"#);
    until("a leaves it", || {
        reason(&a, "sent", "recovered", "web").is_some_and(|why| why.starts_with("told by"))
    });
    both(&a, &b, r#"{"id":"new","status":"fail"}"#);
    until("a tells again", || ledger(&told_a).contains(&told("down", "new")));
    until("b lets it go", || reason(&b, "sent", "down", "new").as_deref() == Some("told by server-a"));
    until("nothing waits", || alerts(&a, "pending").is_empty() && alerts(&b, "pending").is_empty());

    let counts = counted([&told_a, &told_b]);
    assert!(counts.values().all(|count| *count == 1), "nothing twice: {counts:?}");
    assert!(!counts.contains_key(&told("down", "short")), "{counts:?}");
    assert_eq!(ledger(&told_a), [told("down", "web"), told("down", "new")]);
}

#[test]
fn silence_of_a_client_that_beats_to_both_is_told_once_whoever_lives() {
    let (told_a, told_b) = (Receiver::new(&[]), Receiver::new(&[]));
    let (a, b) = pair(&told_a, &told_b);
    let (a, b) = (a.start(), b.start());
    until("b hears a", || b.log().contains("alerts are left to it"));
    let place = Place::new();
    let to = format!("http://{} http://{}", a.address(), b.address());
    let send = |id: &str, interval: &str| {
        let client = Client::new(&place).env("HEARTBEAT_URL", &to);
        assert_eq!(client.args(&["send", "--id", id, "--interval", interval]).run(), (0, String::new()));
    };
    send("second", "20s");
    send("first", "1s");
    until("a tells of the first", || ledger(&told_a).contains(&told("down", "first")));
    until("b lets it go", || reason(&b, "sent", "down", "first").as_deref() == Some("told by server-a"));
    let _a = killed(a);
    until("b tells of a", || ledger(&told_b).contains(&told("down", "server-a")));
    until("somebody tells of the second", || {
        counted([&told_a, &told_b]).contains_key(&told("down", "second"))
    });
    until("nothing waits", || alerts(&b, "pending").is_empty());
    let counts = counted([&told_a, &told_b]);
    assert!(["first", "second"].iter().all(|id| counts[&told("down", id)] == 1), "{counts:?}");
}

#[test]
fn one_that_shows_nothing_is_named_and_a_configuration_without_it_holds_nothing_back() {
    let (told_a, told_b) = (Receiver::new(&[]), Receiver::new(&[]));
    let closed = "[access]\nread_tokens = [{ file = \"{dir}/token\" }]\n";
    let a = Setup::new(&format!(
        "{closed}{}",
        config(&told_a, "").replace("[pair]\nevery = \"1s\"\ngrace = \"3s\"\n", "")
    ));
    let a = a.file("token", "0123456789abcdef0123\n").start();
    let standby = format!("standby_for = \"server-a\"\nurl = \"http://{}\"\n", a.address());
    let b = Setup::new(&config(&told_b, &standby)).file("token", "0123456789abcdef0123\n").start();
    until("it is named", || b.get("/readyz").text().contains("does not show its alerts (401 Unauthorized)"));
    b.beat(r#"{"id":"web","status":"fail"}"#);
    until("it is held", || reason(&b, "pending", "down", "web").is_some());
    b.place.configure(&config(&told_b, &format!("{standby}token = \"{{dir}}/token\"\n")));
    b.signal(nix::sys::signal::Signal::SIGHUP);
    until("it is well", || !b.get("/readyz").text().contains("does not show"));
    assert!(reason(&b, "pending", "down", "web").is_some() && ledger(&told_b).is_empty());
    b.place.configure(&config(&told_b, "").replace("[pair]\nevery = \"1s\"\ngrace = \"3s\"\n", ""));
    b.signal(nix::sys::signal::Signal::SIGHUP);
    until("it is told", || ledger(&told_b) == [told("down", "web")]);
    until("nothing waits", || alerts(&b, "pending").is_empty());
}
