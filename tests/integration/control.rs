//! What a person may do: make, change, pause, resume and forget monitors, acknowledge incidents; and who is a person.

use crate::client::{Conn, with_body};
use crate::harness::{Daemon, Setup, daemon, until};
use crate::skip::skip;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const ADMIN: &str = "admin-token-of-16-or-more";

fn state(hb: &Daemon, id: &str) -> String {
    hb.monitor(id)["state"].as_str().unwrap().to_string()
}

#[test]
fn a_monitor_is_made_changed_and_forgotten() {
    let hb = daemon("");
    let made =
        hb.wish("PUT", "/api/v1/monitors/%E5%BF%83", r#"{"interval":"5m","grace":30,"tags":["a","b"]}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), Some("/api/v1/monitors/%E5%BF%83"));
    let monitor = made.json();
    for (field, want) in [
        ("id", json!("心")),
        ("state", json!("new")),
        ("interval_s", json!(300)),
        ("grace_s", json!(30)),
        ("tags", json!(["a", "b"])),
        ("declared", json!(true)),
        ("last_beat", Value::Null),
        ("address", Value::Null),
    ] {
        assert_eq!(monitor[field], want, "{field}");
    }
    let changed = hb.wish("PUT", "/api/v1/monitors/%E5%BF%83", r#"{"grace":"1h"}"#);
    assert_eq!((changed.status, changed.header("location")), (200, None));
    assert_eq!((&changed.json()["interval_s"], &changed.json()["grace_s"]), (&json!(300), &json!(3600)));
    assert_eq!(hb.monitor("%E5%BF%83")["grace_s"], json!(3600));
    let gone = hb.wish("DELETE", "/api/v1/monitors/%E5%BF%83", "");
    assert_eq!((gone.status, gone.body.len(), gone.header("content-length")), (204, 0, None));
    assert_eq!(hb.get("/api/v1/monitors/%E5%BF%83").status, 404);
    // Its next beat makes a new one, which knows nothing of the old.
    let number = monitor["number"].as_u64();
    hb.beat(r#"{"id":"心"}"#);
    let again = hb.monitor("%E5%BF%83");
    assert_eq!((&again["interval_s"], &again["tags"], &again["beats"]), (&json!(60), &json!([]), &json!(1)));
    assert!(again["number"].as_u64() > number);
}

#[test]
fn a_wrong_wish_is_refused_whole_and_names_its_field() {
    let hb = daemon("");
    hb.beat(r#"{"id":"w"}"#);
    for (method, path, body, status, field) in [
        ("PUT", "w", r#"{"interval":"0s"}"#, 400, json!("interval")),
        ("PUT", "w", r#"{"interval":"2m","grace":"long"}"#, 400, json!("grace")),
        ("PUT", "w", r#"{"tags":"x"}"#, 400, json!("tags")),
        ("PUT", "w", r#"{"intervall":"2m"}"#, 400, Value::Null),
        ("PUT", "w", "[]", 400, Value::Null),
        ("PUT", "a%20b", "{}", 400, json!("id")),
        ("POST", "w/pause", r#"{"for":"-1"}"#, 400, json!("for")),
        ("POST", "w/pause", r#"{"until":"soon"}"#, 400, json!("until")),
        ("POST", "w/pause", r#"{"until":"2020-01-01T00:00:00Z"}"#, 409, json!("until")),
        ("POST", "nobody/pause", "", 404, json!("id")),
        ("POST", "nobody/resume", "", 404, json!("id")),
        ("DELETE", "nobody", "", 404, json!("id")),
    ] {
        let reply = hb.wish(method, &format!("/api/v1/monitors/{path}"), body);
        assert_eq!((reply.status, &reply.json()["field"]), (status, &field), "{method} {path} {body}");
    }
    let reply = hb.wish("PUT", "/api/v1/monitors/w", &format!("{{\"tags\":[\"{}\"]}}", "x".repeat(70_000)));
    assert_eq!(reply.status, 413);
    let monitor = hb.monitor("w");
    assert_eq!((&monitor["interval_s"], &monitor["state"]), (&json!(60), &json!("up")));
}

#[test]
fn a_pause_is_silence_that_nobody_judges() {
    let hb = daemon("");
    hb.beat(r#"{"id":"p","interval":1,"grace":1}"#);
    let paused = hb.wish("POST", "/api/v1/monitors/p/pause", r#"{"for":"2h"}"#);
    assert_eq!((paused.status, &paused.json()["state"]), (200, &json!("paused")), "{}", paused.text());
    assert!(paused.json()["paused_until"].is_string());
    assert_eq!(paused.json()["paused_by"], json!("person"));
    // A second monitor goes down meanwhile, later than this one would have.
    hb.beat(r#"{"id":"q","interval":1,"grace":1}"#);
    until("q down", || state(&hb, "q") == "down");
    assert_eq!(state(&hb, "p"), "paused");
    let resumed = hb.wish("POST", "/api/v1/monitors/p/resume", "{}");
    assert_eq!((resumed.status, &resumed.json()["paused_by"]), (200, &Value::Null));
    until("p down", || state(&hb, "p") == "down");
    assert_eq!(hb.get("/api/v1/monitors?state=paused").json()["monitors"], json!([]));
}

#[test]
fn what_the_configuration_declares_is_changed_there() {
    let hb = daemon("[[monitor]]\nmatch = \"fixed\"\ninterval = \"5m\"\n");
    assert_eq!(state(&hb, "fixed"), "new");
    for (method, body) in [("DELETE", ""), ("PUT", r#"{"interval":"1m"}"#)] {
        let reply = hb.wish(method, "/api/v1/monitors/fixed", body);
        assert_eq!(reply.status, 409, "{method}: {}", reply.text());
        assert!(reply.json()["error"].as_str().unwrap().contains("[[monitor]]"));
    }
    assert_eq!(hb.monitor("fixed")["interval_s"], json!(300));
    assert_eq!(hb.wish("POST", "/api/v1/monitors/fixed/pause", "").status, 200, "a pause is no change");
}

#[test]
fn over_the_network_a_wish_needs_an_admin_token() {
    let ask = |hb: &Daemon, headers: &str| hb.ask(with_body("PUT", "/api/v1/monitors/n", headers, "{}"));
    let bare = daemon("");
    let reply = ask(&bare, &format!("Authorization: Bearer {ADMIN}\r\n"));
    assert_eq!((reply.status, &reply.json()["key"]), (403, &json!("access.admin_tokens")));
    assert!(reply.json()["error"].as_str().unwrap().contains("control socket"), "{}", reply.text());
    let hb =
        Setup::new("[access]\nadmin_tokens = [{ file = \"{dir}/admin\" }]\n").file("admin", ADMIN).start();
    for headers in ["", "Authorization: Bearer another-token-of-16\r\n"] {
        let reply = ask(&hb, headers);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{headers}");
        assert_eq!(reply.json()["key"], json!("access.admin_tokens"));
    }
    let token = format!("Authorization: Bearer {ADMIN}\r\n");
    let reply = ask(&hb, &format!("{token}Origin: http://evil.example\r\n"));
    assert_eq!(reply.status, 403, "not even with a token from a page of another site");
    assert_eq!(hb.get("/api/v1/monitors/n").status, 404);
    assert_eq!(ask(&hb, &format!("{token}Origin: http://hb\r\n")).status, 201);
    for (method, path) in [
        ("DELETE", "/api/v1/monitors/n"),
        ("POST", "/api/v1/monitors/n/pause"),
        ("POST", "/api/v1/monitors/n/resume"),
        ("POST", "/api/v1/incidents/1-1/acknowledge"),
    ] {
        assert_eq!(hb.ask(with_body(method, path, "", "")).status, 401, "{method} {path}");
    }
    assert_eq!(hb.get("/api/v1/monitors/n").status, 200);
}

#[test]
fn a_wish_is_sent_as_it_is() {
    let hb = daemon("");
    let mut conn = hb.control();
    conn.send(with_body("PUT", "/api/v1/monitors/z", "Content-Encoding: gzip\r\n", "{}"));
    assert_eq!(conn.reply().status, 415);
    // In chunks, and twice on one connection.
    let mut conn = hb.control();
    for status in [201, 200] {
        conn.send(
            "PUT /api/v1/monitors/z HTTP/1.1\r\nHost: hb\r\nTransfer-Encoding: chunked\r\n\r\n\
             8\r\n{\"grace\"\r\n5\r\n:\"1h\"\r\n1\r\n}\r\n0\r\n\r\n",
        );
        assert_eq!(conn.reply().status, status);
    }
    assert_eq!(hb.monitor("z")["grace_s"], json!(3600));
}

#[test]
fn the_control_socket_serves_everything_and_goes_with_the_daemon() {
    let mut hb = daemon("[access]\nread = [\"192.0.2.0/24\"]\nallow = [\"192.0.2.0/24\"]\n");
    let path = hb.place.path("control.sock");
    let file = std::fs::metadata(&path).unwrap();
    assert_eq!((file.permissions().mode() & 0o777, file.uid()), (0o660, nix::unistd::geteuid().as_raw()));
    assert_eq!(hb.get("/api/v1/monitors").status, 403);
    assert_eq!(hb.beat("{}").status, 403);
    assert_eq!(hb.wish("POST", "/", r#"{"id":"c"}"#).status, 200);
    assert_eq!(hb.wish("GET", "/api/v1/monitors/c", "").json()["address"], json!("unix"));
    assert_eq!(hb.wish("GET", "/", "").status, 200);
    assert!(hb.wish("GET", "/metrics", "").text().contains("heartbeat_monitors{state=\"up\"} 1"));
    hb.signal(nix::sys::signal::Signal::SIGTERM);
    hb.wait();
    assert!(!path.exists(), "its file goes with it");
}

#[test]
fn strangers_are_shown_out_of_the_control_socket() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can ask as another user");
    }
    let hb = daemon("");
    let path = hb.place.path("control.sock");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let folder = path.parent().unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    for request in ["GET / HTTP/1.1", "POST / HTTP/1.1", "DELETE /api/v1/monitors/x HTTP/1.1"] {
        // Another user, and no client of ours can become one: curl's kin by hand.
        let output = std::process::Command::new("python3")
            .args(["-c", ASK_AS_NOBODY, &path.to_string_lossy(), request])
            .output();
        let Ok(output) = output else { return skip("no python3 here") };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.starts_with("HTTP/1.1 403"),
            "{request}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.contains("control.socket"), "{said}");
    }
    assert_eq!(hb.get("/api/v1/monitors").json()["monitors"], json!([]));
}

const ASK_AS_NOBODY: &str = "import os, socket, sys
os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
s.sendall((sys.argv[2] + '\\r\\nHost: hb\\r\\nContent-Length: 0\\r\\n\\r\\n').encode())
while True:
    some = s.recv(65536)
    if not some: break
    sys.stdout.write(some.decode())
";

#[test]
fn a_second_daemon_goes_on_without_a_control_socket_that_is_answered() {
    let first = daemon("");
    let socket = first.place.path("control.sock");
    let second = Setup::new("").env("HEARTBEAT_CONTROL", &socket.to_string_lossy()).start();
    second.wait_for_log("going on without the control socket");
    assert!(
        second.log().contains(&first.pid().to_string()) || !cfg!(target_os = "linux"),
        "{}",
        second.log()
    );
    drop(second);
    assert!(Conn::unix(&socket.to_string_lossy()).send("GET /healthz HTTP/1.1\r\nHost: hb\r\n\r\n"));
    assert_eq!(first.wish("GET", "/healthz", "").status, 200, "the first one's is still there");
}
