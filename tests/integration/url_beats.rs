//! Beats as URLs: what each part of one says, on both paths, and that nothing is asked of them that is not asked of others.

use crate::client::{Conn, Reply, get, with_body};
use crate::harness::{Daemon, Setup, daemon};
use serde_json::{Value, json};

/// Port `{a}` with the fast path, `{b}` without.
const BOTH: &str = "[[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                    [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n";
const FAST: &str = "heartbeat_fast_path_beats_total";

/// The answer of both paths, which must be the same.
fn both(hb: &Daemon, bytes: &str) -> Reply {
    let [fast, general] = ['a', 'b'].map(|letter| {
        let mut conn = Conn::tcp(&hb.address_of(letter));
        conn.send(bytes);
        conn.reply().without_date()
    });
    assert_eq!(fast, general, "{bytes}");
    fast
}

#[test]
fn one_line_of_a_crontab_is_a_beat() {
    let hb = daemon(BOTH);
    let reply = both(&hb, &get("/ping/backup"));
    assert_eq!((reply.status, reply.text()), (200, "OK"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("heartbeat-interval"), Some("60"));
    assert_eq!(hb.monitor("backup")["state"], json!("up"));
    assert_eq!(hb.monitor("backup")["beats"], json!(2));
    assert_eq!(hb.metric(FAST), 1);
    let asks = get("/ping/backup?interval=1d").replace("Host", "Accept: application/json\r\nHost");
    let reply = both(&hb, &asks);
    assert_eq!(reply.text(), r#"{"status":"ok"}"#);
    assert_eq!(reply.header("heartbeat-interval"), Some("86400"));
    assert_eq!(hb.monitor("backup")["interval_s"], json!(86_400));
}

#[test]
fn what_a_url_says() {
    let hb = daemon(BOTH);
    for (path, id, state, message, exit) in [
        ("/ping/a", "a", "up", Value::Null, Value::Null),
        ("/ping/a/", "a", "up", Value::Null, Value::Null),
        ("/ping/a/fail", "a", "down", Value::Null, Value::Null),
        ("/ping/a/0", "a", "up", Value::Null, json!(0)),
        ("/ping/a/7?message=broken+pipe", "a", "down", json!("broken pipe"), json!(7)),
        ("/ping/b?status=fail", "b", "down", Value::Null, Value::Null),
        ("/ping/b/0?status=fail&id=z", "b", "up", Value::Null, json!(0)),
        ("/ping/ns/pod", "ns/pod", "up", Value::Null, Value::Null),
        ("/ping/ns%2Ffail", "ns/fail", "up", Value::Null, Value::Null),
        ("/ping/ns/pod/3", "ns/pod", "down", Value::Null, json!(3)),
        ("/ping/%E5%BF%83", "%E5%BF%83", "up", Value::Null, Value::Null),
        ("/ping/w/-1073741510", "w", "down", Value::Null, json!(-1_073_741_510)),
    ] {
        let reply = both(&hb, &get(path));
        assert_eq!((reply.status, reply.text()), (200, "OK"), "{path}");
        let monitor = hb.monitor(id);
        assert_eq!(
            (&monitor["state"], &monitor["message"], &monitor["exit_code"]),
            (&json!(state), &message, &exit),
            "{path}"
        );
    }
    assert!(hb.get("/api/v1/monitors/z").status == 404, "the path says whose beat it is");
}

#[test]
fn starts_and_logs_are_no_verdict() {
    let hb = daemon(BOTH);
    both(&hb, &get("/ping/job/start?rid=r1"));
    assert_eq!((&hb.monitor("job")["state"], &hb.monitor("job")["beats"]), (&json!("new"), &json!(2)));
    both(&hb, &get("/ping/job/fail?rid=r1"));
    both(&hb, &with_body("POST", "/ping/job/log", "", "only words"));
    let monitor = hb.monitor("job");
    assert_eq!((&monitor["state"], &monitor["message"]), (&json!("down"), &json!("only words")));
}

#[test]
fn any_body_is_the_message_and_never_a_beat() {
    let hb = daemon(BOTH);
    for body in
        [r#"{"id":"other","status":"fail"}"#, "[1,2", "two\nlines\n", "null", "<xml status=\"fail\"/>"]
    {
        for method in ["POST", "PUT", "PATCH", "GET"] {
            let request =
                with_body(method, "/ping/j?message=query", "Content-Type: application/json\r\n", body);
            assert_eq!(both(&hb, &request).text(), "OK", "{method} {body}");
            let monitor = hb.monitor("j");
            assert_eq!((&monitor["state"], &monitor["message"]), (&json!("up"), &json!(body)), "{method}");
        }
    }
    assert_eq!(hb.get("/api/v1/monitors/other").status, 404);
    let none = "POST /ping/j?message=query HTTP/1.1\r\nHost: hb\r\n\r\n";
    assert_eq!(both(&hb, none).status, 200, "a body may be left out");
    assert_eq!(hb.monitor("j")["message"], json!("query"));
    let long = with_body("POST", "/ping/j", "", &"x".repeat(10_001));
    assert_eq!(both(&hb, &long).text(), "OK\nwarning: message: cut to 10000 bytes");
    let asks = with_body("POST", "/ping/j", "Accept: application/json\r\n", &"x".repeat(10_001));
    assert_eq!(both(&hb, &asks).json()["warnings"], json!(["message: cut to 10000 bytes"]));
}

#[test]
fn head_is_a_beat_without_a_body_and_others_are_none() {
    let hb = daemon(BOTH);
    let mut conn = hb.connect();
    conn.send("HEAD /ping/h HTTP/1.1\r\nHost: hb\r\n\r\n");
    assert_eq!(conn.head().map(|reply| reply.status), Some(200));
    conn.send(get("/ping/h"));
    assert_eq!(conn.reply().text(), "OK", "nothing came behind the head");
    assert_eq!(hb.monitor("h")["beats"], json!(2));
    for method in ["DELETE", "OPTIONS"] {
        let reply = both(&hb, &format!("{method} /ping/h HTTP/1.1\r\nHost: hb\r\n\r\n"));
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, POST, PUT, PATCH")));
    }
    assert_eq!(hb.monitor("h")["beats"], json!(2));
}

#[test]
fn what_is_wrong_is_said_as_to_a_beat_in_json() {
    let hb = daemon(BOTH);
    for (path, status, field) in [
        ("/ping/", 404, Value::Null),
        ("/ping", 404, Value::Null),
        ("/ping/a%20b", 400, json!("id")),
        ("/ping/%ff", 400, json!("id")),
        ("/ping/a//b", 400, json!("id")),
        ("/ping/-a", 400, json!("id")),
        ("/ping/a?interval=0", 400, json!("interval")),
        ("/ping/a?status=dead", 400, json!("status")),
        ("/ping/a/99999999999999999999", 400, json!("status")),
    ] {
        let reply = both(&hb, &get(path));
        assert_eq!((reply.status, &reply.json()["field"]), (status, &field), "{path}");
    }
    assert_eq!(hb.get("/api/v1/monitors").json()["monitors"], json!([]));
}

#[test]
fn access_is_that_of_all_beats() {
    let hb = Setup::new(&format!("[access]\nbeat_tokens = [{{ file = \"tokens\" }}]\n{BOTH}"))
        .file("tokens", "0123456789abcdef\n")
        .start();
    assert_eq!(both(&hb, &get("/ping/a")).status, 401);
    let shown = get("/ping/a").replace("Host", "Authorization: Bearer 0123456789abcdef\r\nHost");
    assert_eq!(both(&hb, &shown).status, 200);
    let page = shown.replace("Host", "Origin: http://elsewhere\r\nHost");
    assert_eq!(both(&hb, &page).status, 403);
    assert_eq!(hb.monitor("a")["beats"], json!(2));
    let hb = daemon(&format!("[access]\nallow = [\"10.0.0.0/8\"]\nread = [\"127.0.0.0/8\"]\n{BOTH}"));
    assert_eq!(both(&hb, &get("/ping/a")).status, 403);
}

#[test]
fn an_image_or_a_link_of_another_site_is_no_beat() {
    let hb = daemon(BOTH);
    for (said, status) in [
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("sec-fetch-site: same-site\r\nReferer: http://hb/\r\n", 403),
        ("Referer: http://elsewhere/page\r\n", 403),
        ("Referer: https://elsewhere\r\n", 403),
        ("Sec-Fetch-Site: none\r\n", 200),
        ("Sec-Fetch-Site: same-origin\r\nReferer: http://hb/\r\n", 200),
        ("Referer: http://hb/monitors/a?b\r\n", 200),
    ] {
        let reply = both(&hb, &get("/ping/a").replace("Host", &format!("{said}Host")));
        assert_eq!(reply.status, status, "{said}");
    }
    assert_eq!(hb.monitor("a")["beats"], json!(6));
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"http\",result=\"denied\"}"), 8);
}

#[test]
fn urls_and_json_take_turns_on_one_connection() {
    let hb = daemon(BOTH);
    let mut conn = hb.connect();
    let all: String = (0..300)
        .map(|n| match n % 3 {
            0 => get("/ping/t"),
            1 => crate::client::beat(r#"{"id":"t"}"#),
            _ => with_body("POST", "/ping/t", "", "words"),
        })
        .collect();
    conn.send(all);
    for n in 0..300 {
        let reply = conn.reply();
        assert_eq!(reply.text(), if n % 3 == 1 { r#"{"status":"ok"}"# } else { "OK" });
    }
    assert_eq!(hb.monitor("t")["beats"], json!(300));
    assert_eq!(hb.metric(FAST), 300);
}
