//! What is shown: lists, one monitor, status, metrics, health, the page, and what is said where nothing is.

use crate::harness::{Daemon, daemon};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ids(list: &Value) -> Vec<&str> {
    list["monitors"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect()
}

fn populated() -> Daemon {
    let hb = daemon("");
    let beats: Vec<String> = (0..25).map(|n| format!("{{\"id\":\"web-{n:02}\"}}")).collect();
    hb.beat(&format!("[{},{{\"id\":\"db-1\",\"status\":\"fail\"}}]", beats.join(",")));
    hb
}

#[test]
fn lists_are_paged_by_cursor() {
    let hb = populated();
    let mut seen = Vec::new();
    let mut path = "/api/v1/monitors?limit=10".to_string();
    let mut pages = 0;
    loop {
        let list = hb.get(&path).json();
        pages += 1;
        seen.extend(ids(&list).into_iter().map(str::to_string));
        match list["next"].as_str() {
            Some(next) => path = format!("/api/v1/monitors?limit=10&after={next}"),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 26));
    assert!(seen.is_sorted() && seen.iter().collect::<BTreeSet<_>>().len() == 26, "{seen:?}");
    // A page that is exactly full is the last.
    assert_eq!(hb.get("/api/v1/monitors?limit=26").json()["next"], Value::Null);
    assert_eq!(ids(&hb.get("/api/v1/monitors?after=0:zzz").json()), [""; 0]);
}

#[test]
fn links_of_the_page_lead_to_every_monitor() {
    let hb = populated();
    let mut seen = Vec::new();
    let mut path = "/?limit=10".to_string();
    let mut pages = 0;
    loop {
        let reply = hb.get(&path);
        let page = reply.text();
        pages += 1;
        let rows = page.split("<th scope=\"row\"><a href=\"monitors/").skip(1);
        seen.extend(rows.map(|row| row.split('"').next().unwrap().to_string()));
        assert!(page.contains("All on one page"), "{page}");
        let Some((_, next)) = page.split_once("<a rel=\"next\" href=\"") else { break };
        path = format!("/{}", next.split('"').next().unwrap().replace("&amp;", "&"));
    }
    // What is down comes first.
    assert_eq!((pages, seen.len(), seen[0].as_str()), (3, 26, "db-1"));
    assert!(seen.iter().collect::<BTreeSet<_>>().len() == 26, "{seen:?}");
    let whole = hb.get("/?limit=10000");
    assert_eq!(whole.text().matches("<th scope=\"row\">").count(), 26);
    assert!(!whole.text().contains("All on one page"));
}

#[test]
fn lists_are_filtered_by_state_and_name() {
    let hb = populated();
    for (query, count) in [
        ("state=down", 1),
        ("state=up", 25),
        ("state=late", 0),
        ("match=web-*", 25),
        ("match=*1", 4),
        ("match=db", 1),
        ("match=web-0%2a", 10),
        ("state=up&match=db*", 0),
        ("match=web-*&limit=3", 3),
        ("unknown=1", 26),
        ("", 26),
    ] {
        let list = hb.get(&format!("/api/v1/monitors?{query}")).json();
        assert_eq!(ids(&list).len(), count, "{query}");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("state=dead", "state"),
        ("match=%ff", "query"),
        ("sort=name", "sort"),
        ("after=zzz", "after"),
    ] {
        let reply = hb.get(&format!("/api/v1/monitors?{query}"));
        assert_eq!((reply.status, reply.json()["field"].as_str()), (400, Some(field)), "{query}");
    }
}

#[test]
fn a_path_is_decoded_once() {
    let hb = daemon("");
    hb.beat(r#"{"id":"a:b"}"#);
    hb.beat(r#"{"id":"心"}"#);
    for (path, status) in [
        ("a:b", 200),
        ("a%3Ab", 200),
        ("a%3ab", 200),
        ("%61%3a%62", 200),
        ("a%253Ab", 400),
        ("%E5%BF%83", 200),
        ("%E5%BF", 400),
        ("%2e%2e", 400),
        ("a%2Fb", 404),
        ("a%00b", 400),
        ("a%20b", 400),
        ("%zz", 400),
        ("a%", 400),
        ("unknown", 404),
        ("a:b/", 400),
        ("a/b", 404),
        ("", 404),
    ] {
        let reply = hb.get(&format!("/api/v1/monitors/{path}"));
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert!(status == 200 || !reply.json()["error"].as_str().unwrap().is_empty());
    }
}

#[test]
fn what_is_not_there_and_what_is_not_allowed() {
    let hb = daemon("");
    for path in ["/nowhere", "/api", "/api/v1", "/api/v1/beat", "//", "/index.html", "/metrics/", "/?x/../y"]
    {
        let reply = hb.get(path);
        let want = if path == "/?x/../y" { 200 } else { 404 };
        assert_eq!(reply.status, want, "{path}");
    }
    for (path, allow) in [
        ("/", "GET, HEAD, POST"),
        ("/api/v1/beats", "POST"),
        ("/api/v1/monitors", "GET, HEAD"),
        ("/api/v1/status", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/api/v1/monitors/x", "GET, HEAD, PUT, DELETE"),
        ("/api/v1/monitors/x/pause", "POST"),
        ("/api/v1/monitors/x/resume", "POST"),
        ("/api/v1/incidents", "GET, HEAD"),
        ("/api/v1/incidents/1-1/acknowledge", "POST"),
        ("/api/v1/events", "GET, HEAD"),
        ("/api/v1/openapi.json", "GET, HEAD"),
        ("/monitors/x", "GET, HEAD"),
        ("/badge/x.svg", "GET, HEAD"),
        ("/page.js", "GET, HEAD"),
    ] {
        for method in ["PATCH", "OPTIONS", "TRACE", "PURGE"] {
            let reply = hb.ask(format!("{method} {path} HTTP/1.1\r\nHost: hb\r\n\r\n"));
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
            assert!(!reply.json()["error"].as_str().unwrap().is_empty());
        }
    }
    let reply = hb.get("/api/v1/beats");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
}

#[test]
fn health_and_status() {
    let hb = populated();
    assert_eq!((hb.get("/healthz").status, hb.get("/healthz").text()), (200, "ok\n"));
    let ready = hb.get("/readyz");
    assert_eq!((ready.status, ready.json()), (200, json!({"status":"ready","degraded":false,"reasons":[]})));
    let status = hb.get("/api/v1/status").json();
    assert_eq!(status["version"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(status["monitors"], json!({"new":0,"up":25,"late":0,"down":1,"paused":0}));
    assert_eq!((&status["beats"], &status["log_lines_dropped"]), (&json!(26), &json!(0)));
    assert!(status["connections"].as_u64() >= Some(1));
}

/// Reads the text format strictly: every sample belongs to the family announced last, every value is a number, no
/// sample and no family occurs twice.
fn read_metrics(text: &str, openmetrics: bool) -> BTreeSet<String> {
    let (mut family, mut kind) = (String::new(), String::new());
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let mut ended = false;
    for line in text.lines() {
        assert!(!ended, "after the end: {line}");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["#", "EOF"] => ended = true,
            ["#", "HELP", name, _, ..] => {
                family = name.to_string();
                assert!(families.insert(family.clone()), "twice: {name}");
            }
            ["#", "TYPE", name, k] => {
                assert_eq!(name, family);
                assert!(matches!(k, "counter" | "gauge" | "histogram"), "{line}");
                kind = k.to_string();
            }
            [sample, value] => {
                let name = sample.split('{').next().unwrap();
                let want =
                    if openmetrics && kind == "counter" { format!("{family}_total") } else { family.clone() };
                let of_histogram = kind == "histogram"
                    && ["_bucket", "_sum", "_count"].iter().any(|end| name == format!("{family}{end}"));
                assert!(name == want || of_histogram, "{line}");
                assert!(value.parse::<f64>().is_ok_and(|v| v >= 0.0), "{line}");
                assert!(samples.insert(sample.to_string()), "twice: {line}");
                if let Some((_, labels)) = sample.split_once('{') {
                    let labels = labels.strip_suffix('}').expect(line);
                    assert!(labels.split(',').all(|l| l.contains("=\"") && l.ends_with('"')), "{line}");
                }
            }
            _ => panic!("not a line of the format: {line}"),
        }
    }
    assert_eq!(ended, openmetrics);
    assert!(text.ends_with('\n'));
    samples
}

#[test]
fn metrics_in_both_formats() {
    let hb = populated();
    hb.beat("nonsense");
    let plain = hb.get("/metrics");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = read_metrics(plain.text(), false);
    let open = hb.ask(
        "GET /metrics HTTP/1.1\r\nHost: hb\r\nAccept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n\r\n",
    );
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert_eq!(read_metrics(open.text(), true), samples, "the same samples in both");
    for name in [
        "heartbeat_beats_total{transport=\"http\",result=\"accepted\"}",
        "heartbeat_fast_path_beats_total",
        "heartbeat_monitors{state=\"up\"}",
        "heartbeat_transitions_total{to=\"down\"}",
        "heartbeat_connections{transport=\"http\"}",
        "heartbeat_log_lines_dropped_total",
        "heartbeat_detection_delay_seconds_bucket{le=\"0.1\"}",
        "heartbeat_detection_delay_seconds_count",
        "heartbeat_journal_bytes",
        "heartbeat_unsynced_seconds",
        "heartbeat_beats_unstored_total",
        "heartbeat_muted_changes_total",
        "heartbeat_wrong_tokens_total",
        "process_start_time_seconds",
    ] {
        assert!(samples.contains(name), "{name}");
    }
    assert!(samples.iter().any(|s| s.starts_with("heartbeat_build_info{version=")));
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"http\",result=\"accepted\"}"), 26);
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"http\",result=\"invalid\"}"), 1);
}

#[test]
fn the_page_speaks_the_readers_language() {
    let hb = populated();
    let page = |languages: &str| {
        let reply = hb.ask(format!("GET / HTTP/1.1\r\nHost: hb\r\nAccept-Language: {languages}\r\n\r\n"));
        assert_eq!((reply.status, reply.header("vary")), (200, Some("accept-language")));
        reply.text().to_string()
    };
    for (languages, lang) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.5", "en"),
        ("de, zh;q=0.3", "zh"),
        ("zh;q=0.2, en;q=0.9", "en"),
        ("", "en"),
    ] {
        let html = page(languages);
        let tag = html.split("<html lang=\"").nth(1).expect("a language").split('"').next().unwrap();
        assert!(tag.starts_with(lang), "{languages}: {tag}");
        assert!(html.contains("web-07") && html.contains("db-1"), "{languages}");
    }
}

#[test]
fn nothing_that_was_sent_breaks_the_page() {
    let hb = daemon("");
    let nasty = r#"{"id":"x","message":"<script>alert(1)</script>&\"'","tags":["<xmp>","&amp;"]}"#;
    assert_eq!(hb.beat(nasty).status, 200);
    let page = hb.ask("GET /?match=%22%3E%3Cscript%3E HTTP/1.1\r\nHost: \"><script>\r\n\r\n");
    for text in [page.text(), hb.get("/").text()] {
        assert!(!text.contains("<script>") && !text.contains("<xmp>"), "{text}");
    }
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

#[test]
fn whoever_saw_a_state_finds_the_incident_that_goes_with_it() {
    let hb = daemon("");
    // Many times, for what is late only sometimes would be found only sometimes.
    for _ in 0..20 {
        hb.beat(r#"{"id":"job","status":11}"#);
        assert_eq!(hb.monitor("job")["state"], "down");
        let incident = hb.get("/api/v1/incidents?monitor=job").json()["incidents"][0].clone();
        assert_eq!(
            (&incident["id"], &incident["ended"]),
            (&hb.monitor("job")["incident"]["id"], &Value::Null)
        );
        hb.beat(r#"{"id":"job"}"#);
        assert_eq!(hb.monitor("job")["state"], "up");
        let after = hb.get("/api/v1/incidents?monitor=job").json()["incidents"][0].clone();
        assert_eq!(after["id"], incident["id"]);
        assert!(after["ended"].is_string(), "{after}");
        assert!(!hb.get("/monitors/job").text().contains("<tr class=\"down\">"));
    }
}
