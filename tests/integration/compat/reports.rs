//! Opsgenie, Sentry and NRDP.

use super::{BOTH, ask, check, check_by_default, form, replies, row, send};
use crate::harness::daemon;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;

#[test]
fn opsgenie() {
    let ping = |method: &str, headers: &str| send(method, "/v2/heartbeats/nas-1/ping", headers, "");
    let pong = r#"~"result":"PONG - Heartbeat received""#;
    check_by_default(&[
        row(ping("GET", "Authorization: GenieKey SECRET\r\n"), 202, pong).then("nas-1", "up"),
        row(ping("POST", ""), 202, pong).then("nas-1", "up"),
        row(ping("PUT", ""), 202, pong).then("nas-1", "up"),
        row(ping("PATCH", ""), 202, pong).then("nas-1", "up"),
        row("HEAD /v2/heartbeats/nas-1/ping HTTP/1.1\r\nHost: hb\r\n\r\n", 202, "").then("nas-1", "up"),
        row(ask("/v2/heartbeats/nas-2/ping/?apiKey=SECRET"), 202, pong).then("nas-2", "up"),
        row(send("POST", "/v2/heartbeats/nas-3/ping", "", r#"{"status":"resolved","id":"x"}"#), 202, pong)
            .then("nas-3", "up")
            .with("message", json!(null)),
        row(ask("/v2/heartbeats/a%20b/ping"), 422, r#"~"requestId""#),
        row(
            send("POST", "/v1/json/heartbeat/send", "", r#"{"apiKey":"SECRET","name":"old"}"#),
            200,
            "~successful",
        )
        .then("old", "up"),
        row(send("POST", "/v1/json/heartbeat/send", "", "{}"), 400, r#"~"message""#),
        row(send("POST", "/v1/json/heartbeat/send", "", ""), 400, r#"~"took""#),
        row(ask("/v2/heartbeats/nas-1"), 200, r#"~"name":"nas-1""#),
        row(send("PUT", "/v2/heartbeats/nas-1", "", "{}"), 404, "~no such path"),
    ]);
}

#[test]
fn opsgenie_takes_its_key_in_every_way_in_which_it_is_shown() {
    let hb =
        crate::harness::Setup::new(&format!("[access]\nbeat_tokens = [{{ file = \"tokens\" }}]\n{BOTH}"))
            .file("tokens", "0123456789abcdef\n")
            .start();
    let ping = |headers: &str| send("GET", "/v2/heartbeats/nas/ping", headers, "");
    let pong = "~PONG";
    let send_v1 = |key: &str| {
        send("POST", "/v1/json/heartbeat/send", "", &format!("{{\"apiKey\":\"{key}\",\"name\":\"old\"}}"))
    };
    let refused = r#"~"code":40101"#;
    check(
        &hb,
        &[
            row(ping("Authorization: GenieKey 0123456789abcdef\r\n"), 202, pong),
            row(ping("Authorization: Basic OjAxMjM0NTY3ODlhYmNkZWY=\r\n"), 202, pong),
            row(ping("Authorization: Basic MDEyMzQ1Njc4OWFiY2RlZg==\r\n"), 202, pong),
            row(ask("/v2/heartbeats/nas/ping?apiKey=0123456789abcdef"), 202, pong),
            row(send_v1("0123456789abcdef"), 200, "~successful"),
            row(ping(""), 401, refused),
            row(send_v1("wrong-wrong-wrong"), 401, refused),
        ],
    );
    assert_eq!(hb.get("/api/v1/monitors/old").status, 200);
}

#[test]
fn opsgenie_rest() {
    let hb =
        crate::harness::Setup::new(&format!("[access]\nadmin_tokens = [{{ file = \"tokens\" }}]\n{BOTH}"))
            .file("tokens", "0123456789abcdef\n")
            .start();
    let asks = |method: &str, path: &str, body: &str| {
        send(
            method,
            path,
            "Authorization: GenieKey 0123456789abcdef\r\nContent-Type: application/json\r\n",
            body,
        )
    };
    let reply = |request: String| hb.ask(request);
    let made = reply(asks(
        "POST",
        "/v2/heartbeats",
        r#"{"name":"web","interval":2,"intervalUnit":"hours","enabled":true,"description":"d","alertTags":["ops"],"ownerTeam":{}}"#,
    ));
    assert_eq!((made.status, &made.json()["data"]["name"]), (201, &json!("web")), "{}", made.text());
    assert_eq!(made.json()["data"], json!({ "name": "web", "enabled": true, "expired": false }));
    assert!(made.json()["took"].is_number() && made.json()["requestId"].is_string());
    let again =
        reply(asks("POST", "/v2/heartbeats/", r#"{"name":"web","interval":1,"intervalUnit":"days"}"#));
    assert_eq!(again.status, 409);
    let shown = reply(asks("GET", "/v2/heartbeats/web", "")).json()["data"].clone();
    for (field, value) in [
        ("interval", json!(2)),
        ("intervalUnit", json!("hours")),
        ("enabled", json!(true)),
        ("alertTags", json!(["ops"])),
        ("alertPriority", json!("P3")),
        ("lastPingTime", json!(null)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(
        (&hb.monitor("web")["state"], &hb.monitor("web")["interval_s"]),
        (&json!("new"), &json!(7200))
    );
    let changed = reply(asks(
        "PATCH",
        "/v2/heartbeats/web",
        r#"{"name":"web","interval":90,"intervalUnit":"minutes"}"#,
    ));
    assert_eq!((changed.status, &hb.monitor("web")["interval_s"]), (200, &json!(5400)));
    assert_eq!(
        reply(asks("POST", "/v2/heartbeats/web/disable", "null")).json()["data"]["enabled"],
        json!(false)
    );
    assert_eq!(hb.monitor("web")["state"], json!("paused"));
    assert_eq!(
        reply(asks("POST", "/v2/heartbeats/web/enable", "null")).json()["data"]["enabled"],
        json!(true)
    );
    let list = reply(asks("GET", "/v2/heartbeats/", "")).json()["data"]["heartbeats"].clone();
    assert_eq!((list.as_array().map(Vec::len), &list[0]["interval"]), (Some(1), &json!(90)));
    for (method, path, body, status) in [
        ("GET", "/v2/heartbeats/nobody", "", 404),
        ("PATCH", "/v2/heartbeats/nobody", "{}", 404),
        ("DELETE", "/v2/heartbeats/nobody", "", 404),
        ("POST", "/v2/heartbeats/nobody/enable", "", 404),
        ("POST", "/v2/heartbeats", "nonsense", 400),
        ("POST", "/v2/heartbeats", "{}", 422),
        ("POST", "/v2/heartbeats", r#"{"name":"x","interval":0,"intervalUnit":"days"}"#, 422),
        ("POST", "/v2/heartbeats", r#"{"name":"x","interval":1,"intervalUnit":"weeks"}"#, 422),
        ("DELETE", "/v2/heartbeats/web", "", 200),
        ("GET", "/v2/heartbeats/web", "", 404),
    ] {
        let reply = reply(asks(method, path, body));
        assert_eq!(reply.status, status, "{method} {path} {body}: {}", reply.text());
        assert!(reply.json()["requestId"].is_string(), "{method} {path}");
    }
    // Reading is as free as it is here otherwise; changing is for administrators.
    assert_eq!(hb.get("/v2/heartbeats").status, 200);
    for headers in ["", "Authorization: GenieKey wrong-wrong-wrong\r\n"] {
        let refused = reply(send("DELETE", "/v2/heartbeats/web", headers, ""));
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!(40101)), "{headers}");
    }
    let hb = daemon(BOTH);
    assert_eq!(
        hb.ask(send("POST", "/v2/heartbeats", "", r#"{"name":"x"}"#)).status,
        403,
        "no token is configured"
    );
}

#[test]
fn sentry_over_http() {
    let cron = |query: &str| ask(&format!("/api/4242/cron/nightly/SECRET/{query}"));
    let report = |body: &str| {
        send("POST", "/api/4242/cron/nightly/SECRET", "Content-Type: application/json\r\n", body)
    };
    check_by_default(&[
        row(cron("?status=ok"), 202, "").then("nightly", "up"),
        row(cron("?status=error"), 202, "").then("nightly", "down"),
        row(cron("?status=ok&environment=production"), 202, "").then("nightly", "up"),
        row(cron("?status=error&environment=staging"), 202, "").then("nightly/staging", "down"),
        row(cron("?status=in_progress&check_in_id=8a32e1a58e0c4b4eb9c08c6b5c0b9f10"), 202, "").then("nightly", "up"),
        row(cron("?status=ok&check_in_id=00000000-0000-0000-0000-000000000000"), 202, "").then("nightly", "up"),
        row(report(r#"{"status":"error","monitor_config":{"schedule":{"type":"interval","value":2,"unit":"year"}}}"#), 202, "")
            .then("nightly", "down"),
        row(report(r#"{"status":"ok","monitor_config":{"schedule":{"type":"interval","value":-1,"unit":"day"}}}"#), 202, "")
            .then("nightly", "up"),
        row(
            report(r#"{"status":"error","monitor_config":{"schedule":{"type":"interval","value":1,"unit":"hour"},"checkin_margin":-5}}"#),
            202,
            "",
        )
        .then("nightly", "down")
        .with("interval_s", json!(3600)),
        row(report(r#"{"status":"ok","monitor_config":{"checkin_margin":"5"}}"#), 202, "").then("nightly", "up"),
        row(
            report(r#"{"status":"ok","monitor_config":{"schedule":{"type":"interval","value":2,"unit":"hour"},"checkin_margin":5}}"#),
            202,
            "",
        )
        .then("nightly", "up")
        .with("interval_s", json!(7200))
        .with("grace_s", json!(300)),
        row("HEAD /api/4242/cron/head/SECRET/?status=ok HTTP/1.1\r\nHost: hb\r\n\r\n", 202, "").then("head", "up"),
        row(ask("/api/4242/cron/query/?sentry_key=SECRET&status=ok"), 202, "").then("query", "up"),
        row(cron(""), 400, r#"{"detail":"missing status"}"#),
        row(cron("?status=ok&check_in_id=7"), 400, r#"{"detail":"invalid check_in_id"}"#),
        row(report("nonsense"), 400, "~detail"),
        row(report(""), 400, r#"{"detail":"missing status"}"#),
        row(ask("/api/project/cron/nightly/SECRET/?status=ok"), 404, "~no such path"),
    ]);
}

fn envelope(body: &[u8], headers: &str) -> Vec<u8> {
    let head = format!(
        "POST /api/4242/envelope/ HTTP/1.1\r\nHost: hb\r\nX-Sentry-Auth: Sentry sentry_key=SECRET, sentry_version=7\r\n\
         {headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn sentry_envelopes() {
    let hb = daemon(BOTH);
    let text = "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n\
                {\"type\":\"event\",\"length\":15}\n{\"message\":\"x\"}\n\
                {\"type\":\"check_in\"}\n{\"check_in_id\":\"8a32e1a58e0c4b4eb9c08c6b5c0b9f10\",\"monitor_slug\":\"env\",\"status\":\"ok\"}\n\
                {\"type\":\"check_in\",\"length\":40}\n{\"monitor_slug\":\"two\",\"status\":\"error\" }\n";
    for reply in replies(&hb, &envelope(text.as_bytes(), "")) {
        assert_eq!((reply.status, reply.text()), (200, "{}"));
    }
    assert_eq!((&hb.monitor("env")["state"], &hb.monitor("two")["state"]), (&json!("up"), &json!("down")));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.replace("env", "zip").as_bytes()).unwrap();
    for reply in replies(&hb, &envelope(&packed.finish().unwrap(), "Content-Encoding: gzip\r\n")) {
        assert_eq!(reply.status, 200);
    }
    assert_eq!(hb.monitor("zip")["state"], json!("up"));
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&vec![b'\n'; 30 << 20]).unwrap();
    for (body, headers, status) in [
        (bomb.finish().unwrap(), "Content-Encoding: gzip\r\n", 413),
        (b"no gzip".to_vec(), "Content-Encoding: gzip\r\n", 400),
        (b"br".to_vec(), "Content-Encoding: br\r\n", 415),
        (b"{}\n{\"type\":\"session\"}\n{}\n".to_vec(), "", 200),
        (Vec::new(), "", 200),
        (b"nonsense\nnonsense".to_vec(), "", 200),
    ] {
        for reply in replies(&hb, &envelope(&body, headers)) {
            assert_eq!(
                reply.status,
                status,
                "{headers}{:?}",
                String::from_utf8_lossy(&body[..body.len().min(40)])
            );
        }
    }
}

#[test]
fn nrdp() {
    let xml = "<?xml version='1.0'?><checkresults><checkresult type='service' checktype='1'><hostname>web 1</hostname>\
               <servicename>Disk /var</servicename><state>2</state><output>98% &lt;full&gt;|x=1</output></checkresult>\
               <checkresult type='host'><hostname>web-1</hostname><state>0</state><output><![CDATA[fine]]></output>\
               </checkresult></checkresults>";
    let json = r#"{"checkresults":[{"checkresult":{"type":"service"},"hostname":"db","servicename":"load","state":"0","output":"ok"},{"hostname":"db","state":1}]}"#;
    let coded = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    let submit = |field: &str, data: &str| {
        form("/nrdp/", &format!("token=SECRET&cmd=submitcheck&{field}={}", coded(data)))
    };
    check_by_default(&[
        row(submit("XMLDATA", xml), 200, "~<output>2 checks processed.</output>")
            .then("web_1/Disk__var", "down")
            .with("exit_code", json!(2))
            .with("message", json!("98% <full>|x=1")),
        row(submit("xml", xml), 200, "~<status>0</status>")
            .then("web-1", "up")
            .with("message", json!("fine")),
        row(submit("JSONDATA", json), 200, r#"~"output":"2 checks processed.""#).then("db/load", "up"),
        row(submit("json", json), 200, r#"~"message":"OK""#).then("db", "down"),
        row(
            ask(&format!("/nrdp?token=x&cmd=SubmitCheck&XMLDATA={}", coded(xml))),
            200,
            "~<message>OK</message>",
        ),
        row(ask("/nrdp/?cmd=hello"), 200, r#"~"product":"NRDP""#),
        row(ask("/nrdp/?token=x"), 200, "~NO REQUEST COMMAND"),
        row(ask("/nrdp/?token=x&cmd=other"), 200, "~NO REQUEST HANDLER"),
        row(ask("/nrdp/?token=x&cmd=submitcheck"), 200, "~NO DATA"),
        row(submit("XMLDATA", "nonsense"), 200, "~BAD XML"),
        row(submit("JSONDATA", "nonsense"), 200, "~BAD JSON"),
        row(send("POST", "/nrdp/", "", r#"{"status":"fail"}"#), 200, "~NO REQUEST COMMAND"),
        row("HEAD /nrdp/ HTTP/1.1\r\nHost: hb\r\n\r\n", 404, ""),
    ]);
}
