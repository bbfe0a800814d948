//! What the configuration says of dialects: off, strict, under which names, and with which secrets.

use super::{BOTH, ask, check, replies, row, send};
use crate::harness::{Setup, daemon};
use nix::sys::signal::Signal;
use serde_json::json;

const UUID: &str = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278";

#[test]
fn a_dialect_that_is_off_is_not_spoken() {
    let hb = daemon(&format!("[compat]\nuptime_kuma = false\nhealthchecks = false\n{BOTH}"));
    check(
        &hb,
        &[
            row(ask("/api/push/abcd1234"), 404, "~no such path").then("abcd1234", "none"),
            // Then it is a beat of our own.
            row(ask(&format!("/ping/{UUID}")), 200, "OK").then(UUID, "up"),
        ],
    );
    for reply in replies(&hb, ask(&format!("/ping/{UUID}")).as_bytes()) {
        assert_eq!((reply.header("ping-body-limit"), reply.header("heartbeat-interval")), (None, Some("60")));
    }
    assert_eq!(hb.metric("heartbeat_fast_path_beats_total"), 2);
    hb.place.configure(BOTH);
    hb.signal(Signal::SIGHUP);
    crate::harness::until("it is spoken", || hb.get("/api/push/abcd1234").status == 200);
}

#[test]
fn strict_ones_make_no_monitor_and_say_so_in_their_own_words() {
    let strict = ["healthchecks", "uptime_kuma", "gatus", "opsgenie", "peekaping", "statping", "cronitor"];
    let keys: String = strict.iter().map(|name| format!("{name} = {{ strict = true }}\n")).collect();
    let hb = daemon(&format!("[compat]\n{keys}\n[[monitor]]\nmatch = \"known\"\n{BOTH}"));
    check(
        &hb,
        &[
            row(ask(&format!("/ping/{UUID}")), 404, "not found").then(UUID, "none"),
            row(ask("/ping/fqOOd6-F4MMNuCEnzJYvRg/unknown"), 404, "not found").then("unknown", "none"),
            row(ask("/ping/fqOOd6-F4MMNuCEnzJYvRg/known"), 200, "OK").then("known", "up"),
            row(ask("/ping/fqOOd6-F4MMNuCEnzJYvRg/wanted?create=1"), 201, "Created").then("wanted", "up"),
            row(ask("/api/push/abcd"), 404, r#"{"ok":false,"msg":"Monitor not found or not active."}"#)
                .then("abcd", "none"),
            row(ask("/api/push/known"), 200, r#"{"ok":true}"#),
            row(send("POST", "/api/v1/endpoints/a_b/external?success=true", "", ""), 404, "not found")
                .then("a_b", "none"),
            row(ask("/v2/heartbeats/abcd/ping"), 404, r#"~"message":"Heartbeat does not exist""#)
                .then("abcd", "none"),
            row(ask("/api/v1/push/abcd"), 404, r#"{"message":"Monitor not found for pushToken"}"#),
            row(ask("/checkin/abcd"), 404, r#"~"status":"error""#),
            row(ask("/p/0123456789/abcd"), 404, "Not Found"),
            // Beats of our own are never strict.
            row(ask("/ping/abcd"), 200, "OK").then("abcd", "up"),
        ],
    );
}

#[test]
fn a_dialect_may_be_bound_to_names() {
    let hb = daemon(&format!(
        "[compat]\ndead_mans_snitch = {{ hosts = [\"nosnch.in\", \"*.snitch.lan\"] }}\n{BOTH}"
    ));
    let under = |host: &str| ask("/c2354d53d2").replace("Host: hb", &format!("Host: {host}"));
    check(
        &hb,
        &[
            row(under("nosnch.in"), 202, "Got it, thanks!").then("c2354d53d2", "up"),
            row(under("NOSNCH.IN:443"), 202, "Got it, thanks!"),
            row(under("a.snitch.lan"), 202, "Got it, thanks!"),
            row(under("snitch.lan"), 404, "~no such path"),
            row(under("hb"), 404, "~no such path"),
        ],
    );
}

#[test]
fn where_tokens_are_asked_for_theirs_is_one_of_them() {
    const TOKEN: &str = "0123456789abcdefghSECRET";
    let hb = Setup::new(&format!(
        "[access]\nbeat_tokens = [{{ file = \"tokens\" }}]\n[compat]\ndead_mans_snitch = true\n{BOTH}"
    ))
    .file("tokens", &format!("{TOKEN}\n{UUID}\nfqOOd6-F4MMNuCEnzJYvRg\n"))
    .start();
    let gatus = |token: &str| {
        send(
            "POST",
            "/api/v1/endpoints/a_b/external?success=true",
            &format!("Authorization: Bearer {token}\r\n"),
            "",
        )
    };
    check(
        &hb,
        &[
            row(gatus(TOKEN), 200, "").then("a_b", "up"),
            row(gatus("wrong-wrong-wrong"), 401, "invalid token"),
            row(
                send("POST", "/api/v1/endpoints/a_b/external?success=true", "", ""),
                401,
                "invalid Authorization header",
            ),
            row(ask("/ping/fqOOd6-F4MMNuCEnzJYvRg/slug"), 200, "OK").then("slug", "up"),
            row(ask("/ping/fqOOd6-F4MMNuCEnzJYvRx/slug"), 404, "not found"),
            row(ask("/ping/00000000-d4c7-4bf5-bcc8-b8d8a82ea278"), 404, "not found"),
            row(ask(&format!("/p/{TOKEN}/nightly")), 200, "OK").then("nightly", "up"),
            row(ask("/p/wrong-wrong-wrong/nightly"), 403, "Forbidden"),
            row(ask(&format!("/ext/heartbeat/earth/{TOKEN}")), 200, r#"{"status":"OK"}"#).then("earth", "up"),
            row(ask("/ext/heartbeat/earth/wrong"), 400, r#"{"error":"Invalid heartbeat secret"}"#),
            row(ask(&format!("/api/7/cron/job/{TOKEN}/?status=ok")), 202, "").then("job", "up"),
            row(ask("/api/7/cron/job/?status=ok"), 401, "~missing authorization"),
            row(
                send(
                    "POST",
                    "/nrdp/",
                    "Content-Type: application/x-www-form-urlencoded\r\n",
                    "cmd=submitcheck",
                ),
                200,
                "~NO TOKEN",
            ),
            row(ask("/ping/own"), 401, "~access.beat_tokens").then("own", "none"),
        ],
    );
    // A name that is a secret is not what the monitor is called then.
    for (path, name) in [(format!("/{TOKEN}"), "012345-"), (format!("/ping/{UUID}"), "5bf669-")] {
        assert!(hb.get(&path).status < 300, "{path}");
        let all = hb.get("/api/v1/monitors?limit=100").json();
        let ids: Vec<&str> =
            all["monitors"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
        assert!(ids.iter().any(|id| id.starts_with(name)), "{ids:?}");
        assert!(ids.iter().all(|id| !id.contains("SECRET") && *id != UUID), "{ids:?}");
    }
    assert!(!hb.log().contains(TOKEN), "{}", hb.log());
}

#[test]
fn networks_and_other_pages_are_kept_out_as_of_all_beats() {
    let hb = daemon(BOTH);
    let page = ask(&format!("/ping/{UUID}")).replace("Host", "Origin: http://elsewhere\r\nHost");
    assert!(replies(&hb, page.as_bytes()).iter().all(|reply| reply.status == 403));
    for said in ["Sec-Fetch-Site: cross-site\r\n", "Referer: http://elsewhere/\r\n"] {
        for method in ["GET", "HEAD", "POST"] {
            for path in [&format!("/ping/{UUID}"), "/api/push/abcd1234", "/ping/own"] {
                let request = send(method, path, said, "");
                for reply in replies(&hb, request.as_bytes()) {
                    assert_eq!(reply.status, 403, "{method} {path} {said}");
                }
            }
        }
    }
    let hb = daemon(&format!("[access]\nallow = [\"10.0.0.0/8\"]\nread = [\"127.0.0.0/8\"]\n{BOTH}"));
    for reply in replies(&hb, ask("/api/push/abcd1234").as_bytes()) {
        assert_eq!((reply.status, &reply.json()["key"]), (403, &json!("access.allow")));
    }
}

#[test]
fn keys_that_are_wrong_are_named() {
    for (line, word) in [
        ("uptime_kuma = 7", "compat.uptime_kuma"),
        ("uptime = true", "compat.uptime"),
        ("gatus = { strikt = true }", "compat.gatus.strikt"),
        ("gatus = { hosts = [\"http://x\"] }", "compat.gatus.hosts"),
    ] {
        let (code, said) = Setup::new(&format!("[compat]\n{line}\n")).run();
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(word), "{said}");
    }
}
