//! What a body may hold, and what becomes of it.

use crate::client::{Conn, beat, beat_with};
use crate::harness::{Setup, daemon};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

#[test]
fn an_object_is_one_beat() {
    let hb = daemon("");
    let body = r#"{"id":"db-1","ip":"10.0.0.7","seq":7,"interval":"1h30m","grace":5,"status":"ok",
                   "message":"fine 好","tags":["a","b"],"rid":"r1","ts":"2026-02-08T11:30:20Z","unknown":{"x":[1]}}"#;
    let reply = hb.beat(body);
    assert_eq!((reply.status, reply.text()), (200, r#"{"status":"ok"}"#));
    assert_eq!(reply.header("heartbeat-interval"), Some("5400"), "the interval the beat asked for");
    let monitor = hb.monitor("db-1");
    for (key, want) in [
        ("id", json!("db-1")),
        ("state", json!("up")),
        ("interval_s", json!(5400)),
        ("grace_s", json!(5)),
        ("address", json!("127.0.0.1")),
        ("reported_ip", json!("10.0.0.7")),
        ("transport", json!("http")),
        ("beats", json!(1)),
        ("seq", json!(7)),
        ("gaps", json!(0)),
        ("tags", json!(["a", "b"])),
        ("message", json!("fine 好")),
        ("paused_until", Value::Null),
    ] {
        assert_eq!(monitor[key], want, "{key}");
    }
    for key in ["since", "last_beat", "next_deadline"] {
        let time = monitor[key].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{key} is RFC 3339: {time}");
    }
    hb.beat(r#"{"id":"db-1","seq":10}"#);
    let monitor = hb.monitor("db-1");
    assert_eq!((&monitor["seq"], &monitor["gaps"], &monitor["beats"]), (&json!(10), &json!(2), &json!(2)));
    assert_eq!(monitor["interval_s"], json!(5400), "what was said once stays said");
}

#[test]
fn whom_a_beat_is_for() {
    let hb = daemon("");
    for (body, id) in [
        (r#"{"id":"a","ip":"10.0.0.1"}"#, "a"),
        (r#"{"ip":"10.0.0.2"}"#, "10.0.0.2"),
        ("{}", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("  \r\n", "127.0.0.1"),
        (r#"{"id":"first","id":"last"}"#, "last"),
        (r#"{"id":7,"id":"good"}"#, "good"),
        (r#"{"id":"nulls","ip":null,"seq":null,"interval":null,"tags":null}"#, "nulls"),
        ("\u{feff}{\"id\":\"bom\"}", "bom"),
        (r#"{"id":"\u5fc3\u8df3"}"#, "%E5%BF%83%E8%B7%B3"),
        (r#"{"id":"a+b,c=d~e@f:g"}"#, "a+b,c=d~e@f:g"),
        (r#"{"id":"cafe\u0301"}"#, "caf%C3%A9"),
        ("{\"id\":\"caf\u{e9}\"}", "cafe%CC%81"),
    ] {
        let reply = hb.beat(body);
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        assert!(hb.monitor(id)["beats"].as_u64() >= Some(1), "{body}");
    }
    assert_eq!(hb.monitor("127.0.0.1")["beats"], json!(3));
}

#[test]
fn an_id_with_slashes_is_found_encoded_and_plain() {
    let hb = daemon("");
    assert_eq!(hb.beat(r#"{"id":"ns/pod","tags":["a/b"],"interval":"1h"}"#).status, 200);
    hb.wait_for_log(", id: ns/pod\n");
    for (id, root) in [("ns%2Fpod", "../"), ("ns/pod", "../../"), ("%6Es/p%6fd", "../../")] {
        let monitor = hb.monitor(id);
        assert_eq!((&monitor["id"], &monitor["tags"]), (&json!("ns/pod"), &json!(["a/b"])), "{id}");
        let page = hb.get(&format!("/monitors/{id}"));
        assert_eq!(page.status, 200, "{id}");
        for part in [
            format!("src=\"{root}page.js\""),
            format!("src=\"{root}badge/ns%2Fpod.svg"),
            format!("href=\"{root}?tag=a%2Fb\""),
        ] {
            assert!(page.text().contains(&part), "{id}: no {part}");
        }
        let badge = hb.get(&format!("/badge/{id}.svg"));
        assert!(badge.status == 200 && badge.text().contains("ns/pod: up"), "{id}: {}", badge.text());
        for (action, state) in [("pause", "paused"), ("resume", "up")] {
            let done = hb.wish("POST", &format!("/api/v1/monitors/{id}/{action}"), "");
            assert_eq!((done.status, done.json()["id"].as_str()), (200, Some("ns/pod")), "{id}");
            assert_eq!(done.json()["state"], state, "{id}");
        }
    }
    let list = hb.get("/");
    assert!(list.text().contains("<a href=\"monitors/ns%2Fpod\">"));
    assert_eq!(hb.get("/monitors/ns/nobody").status, 404);
    // One whose last word is an action is found by its encoded name.
    let made = hb.wish("PUT", "/api/v1/monitors/ns%2Fpause", "{}");
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v1/monitors/ns%2Fpause")));
    assert_eq!(hb.monitor("ns%2Fpause")["id"], "ns/pause");
    assert_eq!(hb.wish("POST", "/api/v1/monitors/ns%2Fpause/pause", "").json()["state"], "paused");
    assert_eq!(hb.wish("PUT", "/api/v1/monitors/a%3Bb", "{}").status, 400);
    for id in ["ns%2Fpause", "ns/pod"] {
        assert_eq!(hb.wish("DELETE", &format!("/api/v1/monitors/{id}"), "").status, 204, "{id}");
    }
}

#[test]
fn monitors_of_older_versions_keep_names_that_are_given_no_more() {
    // Whoever configures may still name one; as a monitor it is what an older version had.
    let mut hb = daemon("[[monitor]]\nmatch = \"web(1)\"\ninterval = \"1h\"\n");
    assert_eq!(hb.monitor("web(1)")["state"], "new");
    hb.place.configure("");
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("configuration reloaded");
    hb.signal(Signal::SIGTERM);
    hb.wait();
    let mut again = hb.place.command();
    again.arg("--config").arg(hb.place.path("heartbeat-server.toml"));
    again.arg("--state-dir").arg(hb.place.path("state"));
    let hb = hb.replaced(again);
    assert_eq!(hb.monitor("web%281%29")["id"], "web(1)");
    assert!(hb.get("/").text().contains("web(1)"));
    assert_eq!(hb.get("/monitors/web(1)").status, 200);
    let reply = hb.beat(r#"{"id":"web(1)","status":"fail"}"#);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(hb.monitor("web(1)")["state"], "down");
    let batch = hb.beat(r#"[{"id":"web(1)"},{"id":"web(2)"}]"#).json();
    assert_eq!((&batch["accepted"], &batch["rejected"][0]["field"]), (&json!(1), &json!("id")), "{batch}");
    assert_eq!(hb.wish("DELETE", "/api/v1/monitors/web(1)", "").status, 204);
    let reply = hb.beat(r#"{"id":"web(1)"}"#);
    assert_eq!((reply.status, reply.json()["field"].as_str()), (400, Some("id")), "{}", reply.text());
    assert_eq!(hb.get("/api/v1/monitors").json()["monitors"], json!([]));
}

#[test]
fn both_paths_take_beats_whatever_the_type_says() {
    let hb = daemon("");
    for (n, kind) in
        ["application/json", "application/x-www-form-urlencoded", "text/plain", ""].iter().enumerate()
    {
        let request = beat_with(&format!("Content-Type: {kind}\r\n"), &format!("{{\"id\":\"t{n}\"}}"));
        assert_eq!(hb.ask(&request).status, 200, "{kind}");
        assert_eq!(hb.ask(request.replace("POST / ", "POST /api/v1/beats ")).status, 200, "{kind}");
        assert_eq!(hb.monitor(&format!("t{n}"))["beats"], json!(2));
    }
}

#[test]
fn an_array_is_many_beats_and_each_is_judged_by_itself() {
    let hb = daemon("");
    let reply =
        hb.beat(r#"[{"id":"a","interval":"20s"},{"id":"b c"},{"id":"d","interval":40},7,{"status":"-"}]"#);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("heartbeat-interval"), Some("20"), "the shortest");
    let answer = reply.json();
    assert_eq!((&answer["status"], &answer["accepted"]), (&json!("ok"), &json!(2)));
    let rejected = answer["rejected"].as_array().unwrap();
    let facts: Vec<(u64, &str)> =
        rejected.iter().map(|r| (r["index"].as_u64().unwrap(), r["field"].as_str().unwrap_or("-"))).collect();
    assert_eq!(facts, [(1, "id"), (3, "-"), (4, "status")]);
    assert!(rejected.iter().all(|r| r["error"].as_str().is_some_and(|e| !e.is_empty())), "{answer}");
    assert_eq!(hb.monitor("d")["interval_s"], json!(40));
    assert_eq!(hb.beat("[]").json(), json!({"status":"ok","accepted":0,"rejected":[]}));
}

#[test]
fn lines_are_many_beats() {
    let hb = daemon("");
    let answer = hb.beat("{\"id\":\"a\"}\n\n{\"id\":\"b\"}\r\n{\"id\":}\n{\"id\":\"c\",\"seq\":1}\n").json();
    assert_eq!(answer["accepted"], json!(3), "{answer}");
    assert_eq!(answer["rejected"][0]["index"], json!(2), "{answer}");
    for id in ["a", "b", "c"] {
        assert_eq!(hb.monitor(id)["beats"], json!(1));
    }
    // One object over many lines is not many.
    assert_eq!(
        hb.beat("{\n  \"id\": \"pretty\",\n  \"tags\": [\n    \"x\"\n  ]\n}\n").text(),
        r#"{"status":"ok"}"#
    );
}

#[test]
fn a_batch_has_a_length_and_a_beat_too() {
    let hb = daemon("[limits]\nbatch_beats = 3\nbeat_bytes = \"1K\"\nbody_bytes = \"4K\"\n");
    assert_eq!(hb.beat(&format!("[{}]", ["{\"id\":\"x\"}"; 3].join(","))).status, 200);
    for body in [format!("[{}]", ["{\"id\":\"x\"}"; 4].join(",")), ["{\"id\":\"x\"}"; 4].join("\n")] {
        let reply = hb.beat(&body);
        assert_eq!(reply.status, 413, "{body}");
        assert!(reply.text().contains("limits.batch_beats"), "{}", reply.text());
    }
    let long = format!("{{\"id\":\"long\",\"other\":\"{}\"}}", "x".repeat(1500));
    let reply = hb.beat(&long);
    assert_eq!(reply.status, 413);
    assert!(reply.text().contains("limits.beat_bytes"), "{}", reply.text());
    // In a batch only the long one is refused.
    let answer = hb.beat(&format!("[{long},{{\"id\":\"short\"}}]")).json();
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(1), &json!(0)), "{answer}");
    let reply = hb.beat(&format!("[{}]", " ".repeat(5000)));
    assert_eq!(reply.status, 413);
    assert!(reply.text().contains("limits.body_bytes"), "{}", reply.text());
}

#[test]
fn what_the_query_says_holds_where_the_body_does_not() {
    let both = "[[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n";
    let hb = daemon(both);
    for (letter, path) in [('a', "/"), ('b', "/"), ('a', "/api/v1/beats"), ('b', "/api/v1/beats")] {
        let send = |query: &str, body: &str| {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            conn.send(beat(body).replace("POST / ", &format!("POST {path}?{query} ")));
            let reply = conn.reply();
            assert_eq!(reply.status, 200, "{query}: {}", reply.text());
            reply
        };
        let reply = send("id=nas&interval=2h&message=all+is%20well&tags=a,b&colour=red", "");
        assert_eq!((reply.text(), reply.header("heartbeat-interval")), (r#"{"status":"ok"}"#, Some("7200")));
        let nas = hb.monitor("nas");
        assert_eq!(
            (&nas["message"], &nas["tags"], &nas["beats"]),
            (&json!("all is well"), &json!(["a", "b"]), &json!(1))
        );
        send("id=other&message=no&status=fail", r#"{"id":"nas","message":"yes","tags":null,"status":"ok"}"#);
        assert_eq!(
            (&hb.monitor("nas")["message"], &hb.monitor("nas")["state"]),
            (&json!("yes"), &json!("up"))
        );
        send("status=3&tags=c", "{\"id\":\"nas\"}\n{\"id\":\"db\",\"status\":0}\n");
        assert_eq!((&hb.monitor("nas")["state"], &hb.monitor("db")["state"]), (&json!("down"), &json!("up")));
        assert_eq!(hb.monitor("db")["tags"], json!(["c"]));
        for id in ["nas", "db"] {
            assert_eq!(hb.wish("DELETE", &format!("/api/v1/monitors/{id}"), "").status, 204);
        }
        assert_eq!(hb.get("/api/v1/monitors/127.0.0.1").status, 404, "nothing is booked on the address");
    }
}

/// A failure with a report that is too long, and what is kept of it.
fn long_report() -> (String, String) {
    let report = format!("rsync -a /home\\n{}\\nrsync: broken pipe", "x".repeat(300_000));
    (format!(r#"{{"id":"job","status":"fail","message":"{report}","tags":["{}"]}}"#, "t".repeat(65)), report)
}

/// The monitor `job` is down, and its message has the beginning and the end of the report.
fn is_told(hb: &crate::harness::Daemon) {
    let job = hb.monitor("job");
    assert_eq!(job["state"], json!("down"));
    let message = job["message"].as_str().unwrap();
    assert!(message.len() <= 10_000 && message.len() > 9_900, "{}", message.len());
    assert!(message.starts_with("rsync -a /home") && message.ends_with("rsync: broken pipe"));
    assert!(message.contains("\n[… ") && message.contains(" B …]\n"));
    assert_eq!(hb.wish("DELETE", "/api/v1/monitors/job", "").status, 204);
}

#[test]
fn a_beat_is_never_lost_to_its_decoration_whatever_it_comes_by() {
    let both = "[[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n\
                [[listen]]\nname = \"lines\"\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{c}\"\n";
    let hb = daemon(both);
    let (body, report) = long_report();
    let warnings =
        json!(["message: cut to 10000 bytes", "tags: left out: not a list of texts of 1 to 64 bytes"]);
    for letter in ['a', 'b'] {
        // Short enough for the fast path, and far too long for it.
        for body in [body.replace(&"x".repeat(290_000), ""), body.clone()] {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            conn.send(beat(&body));
            let reply = conn.reply();
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(reply.json(), json!({"status": "ok", "warnings": warnings}));
            assert_eq!(reply.header("heartbeat-interval"), Some("60"));
            is_told(&hb);
        }
        for batch in [format!("[{{\"id\":\"a\"}},{body},7]"), format!("{{\"id\":\"a\"}}\n{body}\n7\n")] {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            conn.send(beat(&batch));
            let answer = conn.reply().json();
            assert_eq!(
                (&answer["accepted"], &answer["rejected"][0]["index"]),
                (&json!(2), &json!(2)),
                "{answer}"
            );
            let numbered: Vec<String> = warnings
                .as_array()
                .unwrap()
                .iter()
                .map(|one| format!("1: {}", one.as_str().unwrap()))
                .collect();
            assert_eq!(answer["warnings"], json!(numbered));
            is_told(&hb);
        }
    }
    let mut lines = Conn::tcp(&hb.address_of('c'));
    let line = report.replace("\\n", " ");
    lines.send(format!("BEAT job status=fail tags={} message={line}\nPING\n", "t".repeat(65)));
    assert_eq!(lines.text_until("PONG\n"), "OK 60 message cut, tags left out\nPONG\n");
    is_told(&hb);
}

#[test]
fn ten_thousand_beats_in_one_body() {
    let hb = daemon("");
    let body: Vec<String> = (0..10_000).map(|n| format!("{{\"id\":\"host-{n}\"}}")).collect();
    let answer = hb.beat(&format!("[{}]", body.join(","))).json();
    assert_eq!(answer, json!({"status":"ok","accepted":10_000,"rejected":[]}));
    let status = hb.get("/api/v1/status").json();
    assert_eq!((&status["monitors"]["up"], &status["beats"]), (&json!(10_000), &json!(10_000)));
    hb.wait_for_log("id: host-9999");
    assert_eq!(hb.log().matches("heartbeat received").count(), 10_000, "a line for every beat");
}

#[test]
fn beats_over_every_kind_of_socket() {
    let hb = Setup::new(
        "[[listen]]\nname = \"v4\"\naddress = \"127.0.0.1:{a}\"\n\
         [[listen]]\nname = \"v6\"\naddress = \"[::1]:{b}\"\n\
         [[listen]]\nname = \"file\"\naddress = \"unix:{dir}/s\"\n",
    )
    .start();
    let mut conns = [
        crate::client::Conn::tcp(&hb.address()),
        crate::client::Conn::tcp(&format!("[::1]:{}", hb.place.port('b'))),
        crate::client::Conn::unix(&hb.place.fill("{dir}/s")),
    ];
    for (n, conn) in conns.iter_mut().enumerate() {
        conn.send(beat(&format!("{{\"id\":\"k{n}\"}}")));
        assert_eq!(conn.reply().status, 200);
    }
    let from: Vec<Value> = (0..3).map(|n| hb.monitor(&format!("k{n}"))["address"].clone()).collect();
    assert_eq!(from, [json!("127.0.0.1"), json!("::1"), json!("unix")]);
}
