//! What the first users know: three curl lines, a port as the only argument, and the lines they grep for.

use crate::client::Conn;
use crate::harness::{Setup, daemon};

/// What curl 7.88 sends for the documented beat, byte for byte.
const CURL_POST: &str = "POST / HTTP/1.1\r\nHost: localhost:7777\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\
                         Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{\"ip\": \"192.168.1.100\"}";
const CURL_GET: &str =
    "GET / HTTP/1.1\r\nHost: localhost:7777\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
const CURL_HEAD: &str =
    "HEAD / HTTP/1.1\r\nHost: localhost:7777\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";

#[test]
fn a_beat_is_answered_with_ok_and_the_interval() {
    let hb = daemon("");
    let reply = hb.ask(CURL_POST);
    assert_eq!(reply.line, "HTTP/1.1 200 OK");
    assert_eq!(reply.text(), r#"{"status":"ok"}"#);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("heartbeat-interval"), Some("60"));
    assert!(reply.header("date").is_some_and(|d| d.ends_with(" GMT") && d.len() == 29));
}

#[test]
fn a_get_shows_who_beat() {
    let hb = daemon("");
    assert!(!hb.ask(CURL_GET).text().contains("192.168.1.100"));
    hb.ask(CURL_POST);
    let page = hb.ask(CURL_GET);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!DOCTYPE html>") || page.text().starts_with("<!doctype html>"));
    assert!(page.text().contains("192.168.1.100"));
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let hb = daemon("");
    for path in ["/", "/metrics", "/healthz", "/readyz", "/api/v1/monitors", "/api/v1/status", "/nowhere"] {
        let get = hb.ask(CURL_GET.replace("GET / ", &format!("GET {path} ")));
        let mut conn = hb.connect();
        conn.send(CURL_HEAD.replace("HEAD / ", &format!("HEAD {path} ")));
        let head = conn.head().expect("an answer to HEAD");
        assert_eq!(head.line, get.line, "{path}");
        // Pages and metrics count requests and connections, so their lengths differ a little from one to the next.
        let apart = |headers: &[(String, String)]| {
            let mut kept: Vec<_> = headers.to_vec();
            kept.retain(|(name, _)| name != "date" && name != "content-length");
            kept
        };
        assert_eq!(apart(&head.headers), apart(&get.headers), "{path}");
        assert!(head.header("content-length").is_some_and(|n| n != "0"), "{path}");
        // The next answer begins where a body would have stood.
        conn.send(CURL_GET.replace("GET / ", "GET /healthz "));
        assert_eq!(conn.reply().text(), "ok\n", "{path}");
    }
}

#[test]
fn the_log_lines_are_those_that_people_grep_for() {
    for (lang, started, beat, anonymous) in [
        (
            "zh",
            "服务器启动，监听端口 {a}",
            "收到心跳 - 来自: 127.0.0.1, 报告IP: 192.168.1.100",
            "收到心跳 - 来自: 127.0.0.1, 报告IP: -, 标识: web-1",
        ),
        (
            "en",
            "server started, listening on port {a}",
            "heartbeat received - from: 127.0.0.1, reported IP: 192.168.1.100",
            "heartbeat received - from: 127.0.0.1, reported IP: -, id: web-1",
        ),
    ] {
        let hb = Setup::new(&format!("lang = \"{lang}\"\n")).start();
        hb.ask(CURL_POST);
        hb.beat(r#"{"id":"web-1"}"#);
        hb.wait_for_log(anonymous);
        let log = hb.log();
        let lines: Vec<&str> = log.lines().collect();
        for sentence in [started, beat, anonymous] {
            let sentence = hb.place.fill(sentence);
            let line = lines.iter().find(|l| l.ends_with(&format!(" - {sentence}")));
            let line = line.unwrap_or_else(|| panic!("no line ends with {sentence:?}:\n{log}"));
            // 2026-02-08 11:30:20
            let stamp: String =
                line[..19].chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
            assert_eq!(stamp, "9999-99-99 99:99:99", "{line}");
            assert_eq!(line.len(), 19 + 3 + sentence.len(), "{line}");
        }
    }
}

#[test]
fn a_port_alone_is_enough() {
    let hb = Setup::bare().args(&["{a}"]).start();
    let port = hb.place.port('a');
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let mut conn = Conn::tcp(&address);
        conn.send(CURL_POST);
        assert_eq!(conn.reply().status, 200, "{address}");
    }
    hb.wait_for_log("from: ::1, reported IP: 192.168.1.100");
    // Who came over IPv4 is shown as such though the socket is one for both.
    hb.wait_for_log("from: 127.0.0.1, reported IP: 192.168.1.100");
}

#[test]
fn the_other_ways_to_say_where() {
    let place = "{dir}/hb.sock";
    let hb = Setup::bare().args(&["--http", "localhost:{a}", "--http", &format!("unix:{place}")]).start();
    let mut conn = Conn::unix(&hb.place.fill(place));
    conn.send(CURL_POST);
    assert_eq!(conn.reply().status, 200);
    hb.wait_for_log("from: unix, reported IP: 192.168.1.100");
    let hb = Setup::bare().env("HEARTBEAT_HTTP", "127.0.0.1:{a}").env("HEARTBEAT_LANG", "zh").start();
    hb.ask(CURL_POST);
    hb.wait_for_log("收到心跳");
    // A flag wins over the environment, and the environment over the file.
    let config = "lang = \"zh\"\n[[listen]]\naddress = \"127.0.0.1:{b}\"\n";
    let hb = Setup::new(config).args(&["--http", "127.0.0.1:{a}"]).env("HEARTBEAT_LANG", "en").start();
    hb.ask(CURL_POST);
    hb.wait_for_log("heartbeat received");
}

#[test]
fn contradictions_are_usage_errors() {
    for args in [
        &["{a}", "--http", "{b}"][..],
        &["{a}", "check-config"],
        &["--http", "999.1.1.1:80"],
        &["--http", "host:notaport"],
        &["--nonsense"],
        &["70000"],
        &["--http", "off", "--http", "{a}"],
    ] {
        let (code, said) = Setup::bare().args(args).run();
        assert_eq!(code, 64, "{args:?}: {said}");
        assert!(said.starts_with("error: "), "{said}");
    }
    let (code, said) = Setup::bare().args(&["--version"]).run();
    assert_eq!((code, said), (0, format!("heartbeat-server {}\n", env!("CARGO_PKG_VERSION"))));
}
