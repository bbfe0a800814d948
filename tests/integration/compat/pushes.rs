//! Uptime Kuma, Gatus, Better Stack, Kener, OneUptime, Peekaping, Statping, Honeybadger, heartbeat.sh and OnCall.

use super::{ask, check_by_default, row, send};
use serde_json::json;

fn head(path: &str) -> String {
    format!("HEAD {path} HTTP/1.1\r\nHost: hb\r\n\r\n")
}

#[test]
fn uptime_kuma() {
    const OK: &str = r#"{"ok":true}"#;
    let push = |rest: &str| ask(&format!("/api/push/abcd1234{rest}"));
    check_by_default(&[
        row(push("?status=up&msg=OK&ping="), 200, OK).then("abcd1234", "up").with("message", json!(null)),
        row(push(""), 200, OK).then("abcd1234", "up"),
        row(push("/"), 200, OK).then("abcd1234", "up"),
        row(push("?status=down&msg=timeout&ping=12.5"), 200, OK)
            .then("abcd1234", "down")
            .with("message", json!("timeout")),
        row(send("POST", "/api/push/abcd1234", "", r#"{"status":"down"}"#), 200, OK).then("abcd1234", "up"),
        row(push("?status=nonsense"), 200, OK).then("abcd1234", "down"),
        row(push("?ping=abc"), 200, OK).then("abcd1234", "up"),
        row(head("/api/push/abcd1234?status=down"), 200, "").then("abcd1234", "down"),
        row(push("?ping=-1"), 404, "~Must be between 0 and 100000000000 ms.").then("abcd1234", "down"),
        row(push("?ping=1e12"), 404, r#"~"ok":false"#),
    ]);
}

#[test]
fn gatus() {
    let push = |query: &str| {
        send(
            "POST",
            &format!("/api/v1/endpoints/core_backup/external{query}"),
            "Authorization: Bearer SECRET\r\n",
            "",
        )
    };
    check_by_default(&[
        row(push("?success=true"), 200, "").then("core_backup", "up"),
        row(push("/?success=true&duration=1m2.5s"), 200, "").then("core_backup", "up"),
        row(push("?success=false&error=refused"), 200, "")
            .then("core_backup", "down")
            .with("message", json!("refused")),
        row(push("?success=true&error=old"), 200, "").then("core_backup", "up"),
        row(push(""), 400, "missing or invalid success query parameter").then("core_backup", "up"),
        row(push("?success=1"), 400, "missing or invalid success query parameter"),
        row(push("?success=true&duration=10"), 400, "~invalid duration: "),
        row(push("?success=true").replace("Bearer SECRET", "Bearer"), 401, "bearer token must not be empty"),
        row(send("POST", "/api/v1/endpoints/a_b/external?success=true", "", r#"{"status":"fail"}"#), 200, "")
            .then("a_b", "up"),
        row(ask("/api/v1/endpoints/a_b/external?success=false"), 404, "~no such path").then("a_b", "up"),
    ]);
}

#[test]
fn better_stack() {
    let push = |rest: &str| ask(&format!("/api/v1/heartbeat/tOk3n{rest}"));
    check_by_default(&[
        row(push(""), 200, "OK").then("tOk3n", "up"),
        row(push("/"), 200, "OK").then("tOk3n", "up"),
        row(push("/fail"), 200, "OK").then("tOk3n", "down"),
        row(push("/0"), 200, "OK").then("tOk3n", "up"),
        row(send("POST", "/api/v1/heartbeat/tOk3n/7", "", r#"{"status":"ok"}"#), 200, "OK")
            .then("tOk3n", "down")
            .with("exit_code", json!(7))
            .with("message", json!(r#"{"status":"ok"}"#)),
        row(head("/api/v1/heartbeat/tOk3n"), 200, "").then("tOk3n", "up"),
        row(push("/other"), 404, "~no such path"),
        row(push("/99999999999999999999"), 400, "~must be ok, fail"),
    ]);
}

#[test]
fn kener() {
    const OK: &str = r#"{"status":"OK"}"#;
    check_by_default(&[
        row(ask("/ext/heartbeat/earth/SECRET"), 200, OK).then("earth", "up"),
        row(ask("/ext/heartbeat/mars:SECRET/"), 200, OK).then("mars", "up"),
        row(send("POST", "/ext/heartbeat/earth/SECRET", "", "[1"), 200, OK).then("earth", "up"),
        row(head("/ext/heartbeat/venus/SECRET"), 200, "").then("venus", "up"),
        row(ask("/ext/heartbeat/a%20b/SECRET"), 400, r#"{"error":"Monitor not found"}"#),
        row(ask("/ext/heartbeat/earth"), 404, "~no such path"),
    ]);
}

#[test]
fn oneuptime() {
    check_by_default(&[
        row(ask("/heartbeat/5f3c"), 200, "").then("5f3c", "up"),
        row(ask("/incoming-request/5f3d/"), 200, "").then("5f3d", "up"),
        row(send("POST", "/heartbeat/5f3c", "", r#"{"status":"fail"}"#), 200, "")
            .then("5f3c", "up")
            .with("message", json!(r#"{"status":"fail"}"#)),
        row(head("/heartbeat/5f3e"), 200, "").then("5f3e", "up"),
        row(ask("/heartbeat/-x"), 400, "Invalid Secret Key"),
        row(ask("/heartbeat/"), 404, "~no such path"),
    ]);
}

#[test]
fn peekaping() {
    const OK: &str = r#"{"ok":"true"}"#;
    let push = |rest: &str| ask(&format!("/api/v1/push/p1ng{rest}"));
    check_by_default(&[
        row(push("?status=1&msg=OK&ping=3"), 200, OK).then("p1ng", "up"),
        row(push("?status=0&msg=gone"), 200, OK).then("p1ng", "down").with("message", json!("gone")),
        row(push("/?status=down"), 200, OK).then("p1ng", "up"),
        row(head("/api/v1/push/p1ng?status=0"), 200, "").then("p1ng", "down"),
        row(send("POST", "/api/v1/push/p1ng", "", ""), 404, "~no such path"),
    ]);
}

#[test]
fn statping() {
    check_by_default(&[
        row(ask("/checkin/k3y"), 200, r#"~"status":"success""#).then("k3y", "up"),
        row(send("POST", "/checkin/k3y/", "", "{"), 200, r#"~"type":"checkin""#).then("k3y", "up"),
        row(head("/checkin/k4y"), 200, "").then("k4y", "up"),
        row(ask("/checkin/-k"), 422, r#"~"status":"error""#),
    ]);
}

#[test]
fn honeybadger() {
    let report = |path: &str, body: &str| send("POST", path, "Content-Type: application/json\r\n", body);
    let failed =
        r#"{"check_in":{"status":"error","duration":15,"stdout":"out","stderr":"err","exit_code":3}}"#;
    check_by_default(&[
        row(ask("/v1/check_in/XyZ123"), 200, "OK").then("XyZ123", "up"),
        row(report("/v1/check_in/SECRET/nightly", failed), 200, "OK")
            .then("nightly", "down")
            .with("exit_code", json!(3))
            .with("message", json!("out\nerr")),
        row(report("/v1/check_in/SECRET/nightly/", r#"{"check_in":{"status":"success"}}"#), 200, "OK")
            .then("nightly", "up"),
        row(report("/v1/check_in/SECRET/nightly", r#"{"check_in":{"status":"error"}}"#), 200, "OK")
            .then("nightly", "down"),
        row(report("/v1/check_in/SECRET/nightly", r#"{"status":"error"}"#), 200, "OK").then("nightly", "up"),
        row(
            report("/v1/check_in/SECRET/nightly", r#"{"check_in":{"status":"error","exit_code":"1"}}"#),
            200,
            "OK",
        )
        .then("nightly", "down")
        .with("exit_code", json!(1)),
        row(
            report("/v1/check_in/SECRET/nightly", r#"{"check_in":{"status":"success","exit_code":null}}"#),
            200,
            "OK",
        )
        .then("nightly", "up"),
        row(
            report("/v1/check_in/SECRET/nightly", r#"{"check_in":{"status":"error","exit_code":"x"}}"#),
            200,
            "OK",
        )
        .then("nightly", "down"),
        row(report("/v1/check_in/SECRET/nightly", "nonsense"), 422, "~error").then("nightly", "down"),
        row(report("/v1/check_in/SECRET/nightly", ""), 200, "OK").then("nightly", "up"),
        row(head("/v1/check_in/h1"), 200, "").then("h1", "up"),
        row(ask("/v1/check_in/SECRET/a%20b"), 422, "~error"),
    ]);
}

#[test]
fn heartbeat_sh() {
    let beat = |rest: &str| send("POST", &format!("/beat/disk{rest}"), "", "");
    check_by_default(&[
        row(beat("?warning=1h&error=1d"), 200, r#"~"Warning":3600"#)
            .then("disk", "up")
            .with("interval_s", json!(3600))
            .with("grace_s", json!(82_800)),
        row(beat("/"), 200, r#"~"Error":86400"#).then("disk", "up"),
        row(
            send("PUT", "/beat/disk?warning=60&error=90", "", r#"{"status":"fail"}"#),
            200,
            r#"~"Status":"OK""#,
        )
        .then("disk", "up")
        .with("interval_s", json!(60)),
        row(beat("?warning=soon"), 400, r#"{"error":"invalid warning"}"#),
        row(ask("/beat/disk"), 404, "~no such path"),
    ]);
}

#[test]
fn oncall() {
    let path = "/integrations/v1/webhook/k3y/heartbeat";
    check_by_default(&[
        row(ask(&format!("{path}/")), 200, "\":)\"").then("k3y", "up"),
        row(ask(path), 200, "\":)\"").then("k3y", "up"),
        row(send("POST", &format!("{path}/"), "", r#"{"status":"fail"}"#), 200, "").then("k3y", "up"),
        row(head(&format!("{path}/")), 200, "").then("k3y", "up"),
        row(ask("/integrations/v1/webhook/-k/heartbeat/"), 403, "~Forbidden"),
        row(ask("/integrations/v1/webhook/k3y/"), 404, "~no such path"),
    ]);
}
