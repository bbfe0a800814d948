//! Healthchecks, Cronitor and Dead Man's Snitch.

use super::{BOTH, ask, check, check_by_default, form, replies, row, send};
use crate::harness::daemon;
use serde_json::json;

const UUID: &str = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278";

fn uuid(rest: &str) -> String {
    format!("/ping/{UUID}{rest}")
}

#[test]
fn healthchecks_by_uuid() {
    check_by_default(&[
        row(ask(&uuid("")), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/")), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/fail")), 200, "OK").then(UUID, "down"),
        row(format!("HEAD {} HTTP/1.1\r\nHost: hb\r\n\r\n", uuid("")), 200, "").then(UUID, "up"),
        row(ask(&uuid("/1")), 200, "OK").then(UUID, "down").with("exit_code", json!(1)),
        row(ask(&uuid("/0")), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/start?rid=8a32e1a5-8e0c-4b4e-b9c0-8c6b5c0b9f10")), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/log/")), 200, "OK").then(UUID, "up"),
        row(send("POST", &uuid(""), "", r#"{"status":"fail","id":"x"}"#), 200, "OK")
            .then(UUID, "up")
            .with("message", json!(r#"{"status":"fail","id":"x"}"#)),
        row(send("PUT", &uuid("/fail"), "", "tail of the output"), 200, "OK")
            .then(UUID, "down")
            .with("message", json!("tail of the output")),
        row(send("DELETE", &uuid(""), "", ""), 200, "OK").then(UUID, "up"),
        row(send("GET", &uuid(""), "Content-Type: application/json\r\n", "null"), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/256")), 400, "invalid url format").then(UUID, "up"),
        // Fields of our own, where the path does not say them.
        row(ask(&uuid("?status=fail&message=disk+full&interval=5m")), 200, "OK")
            .then(UUID, "down")
            .with("message", json!("disk full"))
            .with("interval_s", json!(300)),
        row(ask(&uuid("/0?status=fail&id=x")), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/fail?stamp=1700000000")), 200, "OK").then(UUID, "down"),
        row(ask(&uuid("?status=dead")), 400, "invalid url format").then(UUID, "down"),
        row(ask(&uuid("")), 200, "OK").then(UUID, "up"),
        row(ask(&uuid("/start?rid=no")), 400, "invalid uuid format").then(UUID, "up"),
        row(ask(&uuid("?rid=no")), 400, "invalid uuid format"),
    ]);
}

#[test]
fn healthchecks_by_slug() {
    let slug = |rest: &str| format!("/ping/fqOOd6-F4MMNuCEnzSECRE/{rest}");
    check_by_default(&[
        row(ask(&slug("db-backup")), 200, "OK").then("db-backup", "up"),
        row(ask(&slug("db-backup/")), 200, "OK").then("db-backup", "up"),
        row(ask(&slug("db-backup/fail")), 200, "OK").then("db-backup", "down"),
        row(ask(&slug("db-backup/0")), 200, "OK").then("db-backup", "up"),
        row(ask(&slug("made?create=1")), 201, "Created").then("made", "up"),
        row(ask(&slug("made?create=1")), 200, "OK").then("made", "up"),
        row(ask(&slug("Capital")), 400, "invalid url format").then("Capital", "none"),
        row(ask(&slug("db-backup/999")), 400, "invalid url format"),
        row(send("POST", &slug("db-backup"), "", ""), 200, "OK").then("db-backup", "up"),
    ]);
}

#[test]
fn healthchecks_says_what_its_clients_look_for() {
    let hb = daemon(BOTH);
    for reply in replies(&hb, ask(&uuid("")).as_bytes()) {
        assert_eq!(reply.header("ping-body-limit"), Some("10000"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert!(reply.header("cache-control").is_some_and(|value| value.contains("no-store")));
        assert_eq!(reply.header("heartbeat-interval"), None);
    }
    for reply in replies(&hb, ask(&uuid("/256")).as_bytes()) {
        assert_eq!(
            (reply.header("ping-body-limit"), reply.header("access-control-allow-origin")),
            (None, None)
        );
    }
    // Longer ones are cut, never refused.
    let long = send("POST", &uuid(""), "", &"x".repeat(200_000));
    assert!(replies(&hb, long.as_bytes()).iter().all(|reply| reply.status == 200));
    assert_eq!(hb.monitor(UUID)["message"].as_str().map(|text| text.len() <= 10_000), Some(true));
}

#[test]
fn healthchecks_at_the_root_of_its_own_host() {
    let hb = daemon(&format!("[compat]\nhealthchecks_hosted = {{ hosts = [\"hc-ping.com\"] }}\n{BOTH}"));
    let hosted = |path: &str| ask(path).replace("Host: hb", "Host: hc-ping.com");
    check(
        &hb,
        &[
            row(hosted(&format!("/{UUID}/fail")), 200, "OK").then(UUID, "down"),
            row(hosted(&format!("/{UUID}?status=fail")), 200, "OK").then(UUID, "up"),
            row(hosted("/fqOOd6-F4MMNuCEnzSECRE/slug"), 200, "OK").then("slug", "up"),
            row(ask(&format!("/{UUID}")), 404, "~no such path"),
            row(hosted("/healthz"), 200, "ok\n"),
        ],
    );
}

#[test]
fn cronitor() {
    let p = |rest: &str| format!("/p/SECRET0123456789/{rest}");
    check_by_default(&[
        row(ask(&p("nightly")), 200, "OK").then("nightly", "up"),
        row(ask(&p("nightly/")), 200, "OK").then("nightly", "up"),
        row(ask(&p("nightly?state=fail&message=disk+full")), 200, "OK")
            .then("nightly", "down")
            .with("message", json!("disk full")),
        row(ask(&p("nightly?state=fail&status_code=3&msg=tail")), 200, "OK")
            .then("nightly", "down")
            .with("exit_code", json!(3)),
        row(ask(&p("nightly?state=ok")), 200, "OK").then("nightly", "up"),
        row(ask(&p("job?state=run&series=s1")), 200, "OK").then("job", "new"),
        row(ask(&p("job?state=complete&series=s1&metric=duration:1.5&metric=count:3")), 200, "OK")
            .then("job", "up"),
        row(ask(&p("job/fail")), 200, "OK").then("job", "down"),
        row(ask(&p("job/complete")), 200, "OK").then("job", "up"),
        row(send("POST", &p("job"), "", r#"{"status":"fail"}"#), 200, "OK").then("job", "up"),
        row(format!("HEAD {} HTTP/1.1\r\nHost: hb\r\n\r\n", p("head")), 200, "").then("head", "up"),
        row(ask(&p("job?state=nonsense")), 400, "Invalid state"),
        row(ask("/ping/SECRET0123456789/cli?state=fail"), 200, "OK").then("cli", "down"),
        row(ask("/ping/SECRET0123456789/cli?state=complete&try=2"), 200, "OK").then("cli", "up"),
        row(ask("/ping/SECRET0123456789/npm?stamp=1700000000.5&host=web"), 200, "OK").then("npm", "up"),
        row(ask("/ping/SECRET0123456789/npm?state=nonsense"), 400, "Invalid state"),
        // A key that Healthchecks might have too.
        row(ask("/ping/fqOOd6-F4MMNuCEnzSECRE/late?state=fail&stamp=1"), 200, "OK").then("late", "down"),
        row(ask(&p("two%20words.x?state=fail")), 200, "OK").then("two_words.x", "down"),
        row(ask(&p("two%20words.x/complete")), 200, "OK").then("two_words.x", "up"),
    ]);
    let hb = daemon(&format!("[compat]\ncronitor_legacy = true\n{BOTH}"));
    check(
        &hb,
        &[
            row(ask("/d3x0c1/run"), 200, "OK").then("d3x0c1", "new"),
            row(ask("/d3x0c1/complete"), 200, "OK").then("d3x0c1", "up"),
            row(ask("/d3x0c1?state=fail&auth_key=SECRET"), 200, "OK").then("d3x0c1", "down"),
            row(ask("/d3x0c1"), 404, "~no such path"),
        ],
    );
}

#[test]
fn dead_mans_snitch() {
    let hb = daemon(&format!("[compat]\ndead_mans_snitch = true\n{BOTH}"));
    const THANKS: &str = "Got it, thanks!";
    check(
        &hb,
        &[
            row(ask("/c2354d53d2"), 202, THANKS).then("c2354d53d2", "up"),
            row(ask("/c2354d53d2/"), 202, THANKS).then("c2354d53d2", "up"),
            row(ask("/c2354d53d2?s=2&m=no+space"), 202, THANKS)
                .then("c2354d53d2", "down")
                .with("message", json!("no space"))
                .with("exit_code", json!(2)),
            row(form("/c2354d53d2", "m=fine&s=0"), 202, THANKS)
                .then("c2354d53d2", "up")
                .with("message", json!("fine")),
            row(ask("/c2354d53d2?s=error"), 202, THANKS).then("c2354d53d2", "down"),
            row(ask("/c2354d53d2?s="), 202, THANKS).then("c2354d53d2", "up"),
            row(send("POST", "/c2354d53d2", "", r#"{"status":"fail"}"#), 202, THANKS)
                .then("c2354d53d2", "up"),
            row("HEAD /c2354d53d2 HTTP/1.1\r\nHost: hb\r\n\r\n", 202, "").then("c2354d53d2", "up"),
            row(ask("/healthz"), 200, "ok\n"),
            row(ask("/c2354"), 404, "~no such path"),
        ],
    );
    check_by_default(&[row(ask("/c2354d53d2"), 404, "~no such path").then("c2354d53d2", "none")]);
}
