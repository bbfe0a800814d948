//! Events and incidents: what happens as it happens, and what has happened.

use crate::client::{Conn, get};
use crate::harness::{Daemon, daemon, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A stream of events.
struct Events(Conn);

impl Events {
    fn of(hb: &Daemon) -> Events {
        let mut conn = hb.connect();
        conn.send(get("/api/v1/events"));
        let head = conn.head().unwrap();
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
        assert_eq!(
            (head.header("cache-control"), head.header("x-accel-buffering")),
            (Some("no-store"), Some("no"))
        );
        Events(conn)
    }

    /// The next event: its number, its name, its data.
    fn next(&mut self) -> (u64, String, Value) {
        let block = self.0.text_until("\n\n");
        let line = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {block:?}")).to_string()
        };
        let data = serde_json::from_str(&line("data: ")).unwrap();
        (line("id: ").parse().unwrap(), line("event: "), data)
    }
}

#[test]
fn events_tell_what_happens_in_order() {
    let hb = daemon("");
    hb.beat(r#"{"id":"before"}"#);
    let mut events = Events::of(&hb);
    let (mut last, name, hello) = events.next();
    assert_eq!(name, "hello");
    assert_eq!(hello["monitors"], json!({"new":0,"up":1,"late":0,"down":0,"paused":0}));
    hb.beat(r#"{"id":"e","interval":1,"grace":1}"#);
    let mut told = Vec::new();
    while told.last().is_none_or(|last: &String| last != "late>down") {
        let (id, name, data) = events.next();
        assert!(id > last, "{id} after {last}");
        last = id;
        if name == "counts" {
            continue;
        }
        assert_eq!(data["monitor"], json!("e"), "{name}");
        assert!(data["at"].is_string());
        told.push(match name.as_str() {
            "change" => format!("{}>{}", data["from"].as_str().unwrap(), data["to"].as_str().unwrap()),
            other => other.to_string(),
        });
    }
    assert_eq!(told, ["made", "up>late", "late>down"]);
    hb.beat(r#"{"id":"e"}"#);
    assert_eq!(hb.wish("DELETE", "/api/v1/monitors/e", "").status, 204);
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "removed") {
        names.push(events.next().1);
    }
    assert_eq!(names.iter().filter(|name| *name == "change").count(), 1, "{names:?}");
}

#[test]
fn every_reader_is_told_and_one_who_leaves_frees_a_place() {
    // Eight connections for one stream; the harness's own ones come and go.
    let hb = daemon("[limits]\nconnections = 16\n");
    let mut first = Events::of(&hb);
    let second = Events::of(&hb);
    let refused = hb.get("/api/v1/events");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert_eq!(first.next().1, "hello");
    drop(second);
    // Who is gone is noticed when something cannot be sent to him.
    until("a free place", || {
        hb.beat(r#"{"id":"x"}"#);
        hb.wish("DELETE", "/api/v1/monitors/x", "");
        let mut conn = hb.connect();
        conn.send(get("/api/v1/events"));
        conn.head().unwrap().status == 200
    });
}

#[test]
fn a_reader_who_does_not_read_holds_nobody_up_and_is_told_what_he_missed() {
    let hb = daemon("[limits]\nnew_monitors_per_hour = 1000000\n");
    let mut slow = Events::of(&hb);
    // More than sockets, queue and ring hold together.
    let fill = "x".repeat(100);
    for round in 0..10 {
        let beats: Vec<String> = (0..10_000).map(|n| format!("{{\"id\":\"{round}-{n}-{fill}\"}}")).collect();
        for half in beats.chunks(5_000) {
            assert_eq!(hb.beat(&half.join("\n")).json()["accepted"], json!(5_000));
        }
    }
    let (mut missed, mut made) = (0, 0);
    while missed + made < 100_000 {
        let (_, name, data) = slow.next();
        match name.as_str() {
            "missed" => missed += data["count"].as_u64().unwrap(),
            "made" => made += 1,
            _ => {}
        }
    }
    assert_eq!(missed + made, 100_000, "what was not told was counted");
    assert!(missed > 0);
}

#[test]
fn a_stop_waits_for_no_stream() {
    let mut hb = daemon("");
    let mut events = Events::of(&hb);
    assert_eq!(events.next().1, "hello");
    hb.signal(Signal::SIGTERM);
    // The end of the chunks, and then of the connection: the reader knows that nothing was cut off.
    let rest = String::from_utf8(events.0.everything()).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    assert!(hb.wait().success());
}

#[test]
fn an_incident_is_opened_acknowledged_and_closed_once() {
    let hb = daemon("");
    hb.beat(r#"{"id":"i","interval":1,"grace":1}"#);
    hb.beat(r#"{"id":"j","status":"fail"}"#);
    let list = |query: &str| hb.get(&format!("/api/v1/incidents?{query}")).json();
    until("two incidents", || list("open=true")["incidents"].as_array().unwrap().len() == 2);
    let silence = list("monitor=i")["incidents"][0].clone();
    assert_eq!((&silence["cause"], &silence["ended"]), (&json!("silence"), &Value::Null));
    assert_eq!(list("monitor=j")["incidents"][0]["cause"], json!("fail"));
    let id = silence["id"].as_str().unwrap();
    assert_eq!(hb.monitor("i")["incident"]["id"], json!(id));
    assert_eq!(
        hb.wish("POST", &format!("/api/v1/incidents/{id}/acknowledge"), "").json()["acknowledged"],
        json!(true)
    );
    assert_eq!(list("monitor=i")["incidents"][0]["acknowledged"], json!(true));
    assert_eq!(hb.wish("POST", "/api/v1/incidents/999999-1/acknowledge", "").status, 404);
    hb.beat(r#"{"id":"i","interval":"1h"}"#);
    until("its end", || list("monitor=i")["incidents"][0]["ended"].is_string());
    assert_eq!(hb.monitor("i")["incident"], Value::Null);
    // Newest first, page by page.
    let both = list("");
    let first = list("limit=1");
    let second = list(&format!("limit=1&after={}", first["next"].as_str().unwrap()));
    assert_eq!(both["next"], Value::Null);
    assert_eq!(first["incidents"][0]["id"], both["incidents"][0]["id"]);
    assert_eq!(second["incidents"][0]["id"], both["incidents"][1]["id"]);
    assert_eq!(second["next"], Value::Null);
    assert_eq!(
        list("since=2200-01-01T00:00:00Z&open=false")["incidents"][0]["monitor"],
        json!("j"),
        "it lasts"
    );
    assert_eq!(list("monitor=nobody")["incidents"], json!([]));
}

#[test]
fn lists_are_sorted_and_chosen_by_label() {
    let hb = daemon("");
    for (id, body) in [("b", r#""tags":["x"]"#), ("a", r#""status":"fail""#), ("c", r#""tags":["x","y"]"#)] {
        hb.beat(&format!("{{\"id\":\"{id}\",{body}}}"));
    }
    let ids = |query: &str| -> Vec<String> {
        let list = hb.get(&format!("/api/v1/monitors?{query}")).json();
        list["monitors"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().into()).collect()
    };
    assert_eq!(ids("sort=id"), ["a", "b", "c"]);
    assert_eq!(ids("sort=state"), ["a", "b", "c"]);
    assert_eq!(ids("tag=x"), ["b", "c"]);
    assert_eq!(ids("tag=y&sort=state"), ["c"]);
    assert_eq!(ids("tag=z"), [""; 0]);
    for (query, want) in [("sort=last_beat", 3), ("sort=since", 3), ("tag=x", 2), ("sort=state", 3)] {
        // Whatever the order, one page after the other holds everybody once.
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let list = hb.get(&format!("/api/v1/monitors?{query}&limit=1{after}")).json();
            seen.extend(list["monitors"].as_array().unwrap().iter().map(|m| m["id"].to_string()));
            match list["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let all: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), all.len()), (want, want), "{query}: {seen:?}");
    }
}

#[test]
fn pages_badges_and_the_description_are_served() {
    let hb = daemon("");
    hb.beat(r#"{"id":"web<1"}"#);
    hb.beat(r#"{"id":"web-1"}"#);
    for (path, status, kind, part) in [
        ("/monitors/web-1", 200, "text/html; charset=utf-8", "web-1"),
        ("/monitors/nobody", 404, "text/html; charset=utf-8", "nobody"),
        ("/monitors/%3Cb%3E", 404, "text/html; charset=utf-8", "&lt;b&gt;"),
        ("/badge/web-1.svg", 200, "image/svg+xml", "web-1"),
        ("/badge/nobody.svg?lang=zh", 200, "image/svg+xml", "lang=\"zh"),
        ("/page.js", 200, "text/javascript; charset=utf-8", "EventSource"),
        ("/api/v1/openapi.json", 200, "application/json", "\"openapi\": \"3.1.0\""),
        ("/?sort=since&state=up&limit=7", 200, "text/html; charset=utf-8", "web-1"),
    ] {
        let reply = hb.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (status, Some(kind)), "{path}");
        assert!(reply.text().contains(part), "{path}: {part}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    assert_eq!(hb.get("/?limit=0").status, 400);
    assert_eq!(hb.get("/monitors/web-1?after=x").status, 400);
}
