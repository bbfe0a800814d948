//! HTTP/1 as clients speak it: kept, pipelined, cut into pieces, chunked, expected, half-closed.

use crate::client::{Conn, beat, beat_with, get};
use crate::harness::{Daemon, daemon};
use crate::kernel::wait_until_backed_up;
use serde_json::json;
use std::time::Duration;

const FAST: &str = "heartbeat_fast_path_beats_total";

/// Port `{a}` with the fast path, `{b}` without.
const BOTH: &str = "[[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                    [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n";

fn each(hb: &Daemon) -> [Conn; 2] {
    [Conn::tcp(&hb.address()), Conn::tcp(&hb.address_of('b'))]
}

#[test]
fn one_connection_many_requests_of_every_kind() {
    let hb = daemon(BOTH);
    for mut conn in each(&hb) {
        for _ in 0..3 {
            conn.send(beat("{}"));
            assert_eq!(conn.reply().text(), r#"{"status":"ok"}"#);
        }
        conn.send(get("/healthz"));
        assert_eq!(conn.reply().text(), "ok\n");
        conn.send(beat(r#"{"id":"after"}"#));
        assert_eq!(conn.reply().status, 200);
        conn.send(beat("nonsense"));
        assert_eq!(conn.reply().status, 400);
        conn.send(beat("{}"));
        assert_eq!(conn.reply().status, 200, "a wrong body does not cost the connection");
    }
    assert_eq!(hb.monitor("after")["beats"], json!(2));
}

#[test]
fn the_switch_for_finding_faults_works_for_listeners_without_names() {
    let hb = daemon(
        "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n",
    );
    let [mut fast, mut general] = each(&hb);
    fast.send(beat("{}"));
    assert_eq!(fast.reply().status, 200);
    assert_eq!(hb.metric(FAST), 1);
    general.send(beat("{}"));
    assert_eq!(general.reply().status, 200);
    assert_eq!(hb.metric(FAST), 1, "the second listener has no fast path");
}

#[test]
fn a_thousand_beats_in_one_write_are_answered_in_order() {
    // Long enough that none is late before the last is answered.
    let intervals = 1001..=2000;
    let hb = daemon(BOTH);
    for (port, mut conn) in each(&hb).into_iter().enumerate() {
        let all: String = intervals
            .clone()
            .map(|n| beat(&format!("{{\"id\":\"p{port}-{n}\",\"interval\":{n}}}")))
            .collect();
        conn.send(all);
        for n in intervals.clone() {
            let reply = conn.reply();
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("heartbeat-interval"), Some(n.to_string().as_str()));
        }
    }
    assert_eq!(hb.get("/api/v1/status").json()["monitors"]["up"], json!(2000));
}

#[test]
fn answers_that_are_not_fetched_are_kept_within_bounds_and_none_is_lost() {
    let hb = daemon(BOTH);
    for (letter, mut conn) in ['a', 'b'].into_iter().zip(each(&hb)) {
        // More answers than the sockets hold, read only when the server takes no more.
        let mut sender = conn.clone_stream();
        let sending = std::thread::spawn(move || {
            let some: String = (0..100).map(|_| beat("{}")).collect();
            (0..800).all(|_| sender.send(&some))
        });
        wait_until_backed_up(hb.place.port(letter), conn.local_port());
        for n in 0..80_000 {
            assert_eq!(conn.reply().status, 200, "answer {n}");
        }
        assert!(sending.join().unwrap());
    }
    assert_eq!(hb.monitor("127.0.0.1")["beats"], json!(160_000));
}

#[test]
fn a_request_may_be_cut_anywhere() {
    let hb = daemon(BOTH);
    let request = beat_with("X-Odd: a\r\n", r#"{"id":"cut"}"#);
    let next = beat(r#"{"id":"next"}"#);
    for mut conn in each(&hb) {
        for cut in 1..request.len() {
            conn.send(&request[..cut]);
            // Seen on its own at least where the machine is not too busy, which is enough: the cut is never wrong.
            std::thread::sleep(Duration::from_micros(200));
            conn.send(format!("{}{next}", &request[cut..]));
            assert_eq!(conn.reply().status, 200, "cut at {cut}");
            assert_eq!(conn.reply().status, 200, "after a cut at {cut}");
        }
    }
    let sent = json!(2 * (request.len() - 1));
    assert_eq!((&hb.monitor("cut")["beats"], &hb.monitor("next")["beats"]), (&sent, &sent));
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let hb = daemon(BOTH);
    let requests = [
        beat(r#"{"id":"slow"}"#),
        "POST / HTTP/1.1\r\nHost: hb\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"i\r\nc\r\nd\":\"slow\"} \n\r\n0\r\n\r\n"
            .to_string(),
        get("/healthz"),
        beat(r#"{"id":"slow"}"#),
    ];
    for mut conn in each(&hb) {
        for request in &requests {
            for byte in request.bytes() {
                conn.send([byte]);
                std::thread::sleep(Duration::from_micros(100));
            }
            assert_eq!(conn.reply().status, 200, "{request}");
        }
    }
    assert_eq!(hb.monitor("slow")["beats"], json!(6));
}

#[test]
fn chunked_bodies() {
    let hb = daemon(BOTH);
    let head = "POST / HTTP/1.1\r\nHost: hb\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "c\r\n{\"id\":\"chu\"}\r\n0\r\n\r\n",
        "C\r\n{\"id\":\"chu\"}\r\n0\r\n\r\n",
        "000c\r\n{\"id\":\"chu\"}\r\n000\r\n\r\n",
        "1\r\n{\r\n5\r\n\"id\":\r\n6\r\n\"chu\"}\r\n0\r\n\r\n",
        "c;name=value;x=\"y z\"\r\n{\"id\":\"chu\"}\r\n0;last\r\n\r\n",
        "c \r\n{\"id\":\"chu\"}\r\n0\r\n\r\n",
        "c\r\n{\"id\":\"chu\"}\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n",
    ] {
        for mut conn in each(&hb) {
            conn.send(format!("{head}{body}{}", get("/healthz")));
            let reply = conn.reply();
            assert_eq!((reply.status, reply.text()), (200, r#"{"status":"ok"}"#), "{body}");
            assert_eq!(conn.reply().text(), "ok\n", "what follows {body:?} is the next request");
        }
    }
    assert_eq!(hb.monitor("chu")["beats"], json!(14));
    // A body beyond the fast path's own limit, in both codings.
    let long = format!("{{\"id\":\"long\",\"message\":\"{}\"}}{}", "m".repeat(9_000), " ".repeat(90_000));
    for mut conn in each(&hb) {
        conn.send(beat(&long));
        assert_eq!(conn.reply().status, 200);
        conn.send(format!("{head}{:x}\r\n{long}\r\n0\r\n\r\n", long.len()));
        assert_eq!(conn.reply().status, 200);
    }
    assert_eq!(hb.monitor("long")["beats"], json!(4));
}

#[test]
fn who_asks_before_sending_a_body_is_answered_first() {
    let hb = daemon(BOTH);
    for mut conn in each(&hb) {
        conn.send("POST / HTTP/1.1\r\nHost: hb\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n");
        assert_eq!(conn.reply().line, "HTTP/1.1 100 Continue");
        conn.send(r#"{"id":"asked"}"#);
        assert_eq!(conn.reply().text(), r#"{"status":"ok"}"#);
        conn.send("POST / HTTP/1.1\r\nHost: hb\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
        assert_eq!(conn.reply().status, 413, "no word of encouragement for what will be refused");
        assert!(conn.is_closed());
    }
    for mut conn in each(&hb) {
        conn.send("POST /nowhere HTTP/1.1\r\nHost: hb\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n");
        assert_eq!(conn.reply().status, 404);
    }
}

#[test]
fn the_older_http() {
    let hb = daemon(BOTH);
    for mut conn in each(&hb) {
        conn.send("POST / HTTP/1.0\r\nContent-Length: 12\r\n\r\n{\"id\":\"old\"}");
        assert_eq!(conn.reply().text(), r#"{"status":"ok"}"#);
        assert!(conn.is_closed(), "1.0 is one request a connection");
    }
    for mut conn in each(&hb) {
        for _ in 0..2 {
            conn.send(
                "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 12\r\n\r\n{\"id\":\"old\"}",
            );
            let reply = conn.reply();
            assert_eq!((reply.status, reply.header("connection")), (200, Some("keep-alive")));
        }
        conn.send("GET /healthz HTTP/1.0\r\n\r\n");
        assert_eq!(conn.reply().text(), "ok\n");
        assert!(conn.is_closed());
    }
    assert_eq!(hb.monitor("old")["beats"], json!(6));
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let hb = daemon(BOTH);
    for requests in [
        vec![beat("{}")],
        vec![beat("{}"), beat("[]"), beat("{}")],
        vec![get("/healthz")],
        vec![beat("{}"), get("/healthz"), beat("{}")],
        vec![get("/"), get("/metrics"), get("/api/v1/monitors")],
    ] {
        for mut conn in each(&hb) {
            conn.send(requests.concat());
            conn.end_writing();
            let replies = conn.replies();
            assert_eq!(replies.len(), requests.len(), "{requests:?}");
            assert!(replies.iter().all(|r| r.status == 200));
        }
    }
}

#[test]
fn close_is_answered_and_done() {
    let hb = daemon(BOTH);
    for wish in ["close", "Close", "CLOSE", "close, te", "keep-alive, close"] {
        for request in [
            beat_with(&format!("Connection: {wish}\r\n"), "{}"),
            format!("GET /healthz HTTP/1.1\r\nHost: hb\r\nConnection: {wish}\r\n\r\n"),
        ] {
            for mut conn in each(&hb) {
                // What comes after the last request is not answered.
                conn.send(format!("{request}{}", beat(r#"{"id":"too late"}"#)));
                let reply = conn.reply();
                assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "{request}");
                assert!(conn.is_closed(), "{request}");
            }
        }
    }
}

#[test]
fn targets_and_their_forms() {
    let hb = daemon(BOTH);
    for mut conn in each(&hb) {
        for (target, status) in [
            ("/", 200),
            ("/api/v1/beats", 200),
            ("/?source=cron", 200),
            ("/api/v1/beats?x", 200),
            ("http://hb:7777/", 200),
            ("http://hb:7777/api/v1/beats", 200),
            ("http://hb", 200),
            ("/api/v1/beats/", 405),
            ("//", 405),
        ] {
            conn.send(beat(r#"{"id":"form"}"#).replace("POST / ", &format!("POST {target} ")));
            let reply = conn.reply();
            let want = if status == 405 { 404 } else { status };
            assert_eq!(reply.status, want, "{target}");
            if reply.header("connection") == Some("close") {
                break;
            }
        }
    }
    assert_eq!(hb.monitor("form")["beats"], json!(14));
}

#[test]
fn beats_with_ordinary_headers_take_the_fast_path() {
    let hb = daemon("");
    for headers in [
        "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n",
        "User-Agent: python-requests/2.32\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n",
        "Authorization: Bearer whatever-it-is\r\n",
        "Forwarded: for=1.2.3.4\r\n",
        "X-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n",
        "Cookie: a=b\r\nOrigin: http://hb\r\nDNT: 1\r\n",
        "Connection: close\r\n",
    ] {
        let before = hb.metric(FAST);
        assert_eq!(hb.ask(beat_with(headers, "{}")).status, 200);
        assert_eq!(hb.metric(FAST), before + 1, "{headers}");
    }
    let before = hb.metric(FAST);
    assert_eq!(hb.ask(beat_with("Expect: 100-continue\r\n", "{}")).status, 100);
    assert_eq!(hb.metric(FAST), before, "and odd ones do not");
}
