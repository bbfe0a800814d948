//! Secrets: planted wherever one can be configured, then looked for in everything that the daemon says and leaves behind.

use crate::client::with_body;
use crate::harness::{Daemon, Setup, until};
use nix::sys::signal::Signal;
use std::path::Path;

/// In every secret of this file, and in nothing else.
const MARK: &str = "geheim-7c1f";

const CONFIG: &str = r#"
[access]
admin_tokens = [{ file = "admin" }]
read_tokens = [{ credential = "read" }]
beat_tokens = [{ file = "beat" }]
[confine]
program_user = "root"
[defaults]
notify = ["closed", "repeats", "mail", "program"]
[[notifier]]
name = "closed"
type = "webhook"
url = "http://127.0.0.1:{d}/hooks/{{secret.path}}?key={{secret.path}}"
headers = { Authorization = "Bearer {{secret.token}}" }
secrets = { token = { file = "token" }, path = { credential = "path" } }
group_wait = "0s"
[[notifier]]
name = "repeats"
type = "webhook"
url = "http://127.0.0.1:{repeats}/{{secret.path}}"
headers = { X-Key = "{{secret.token}}" }
secrets = { token = { file = "token" }, path = { credential = "path" } }
show_answers = true
group_wait = "0s"
[[notifier]]
name = "mail"
type = "mail"
smtp = "127.0.0.1:{d}"
tls = "none"
from = "hb@example.org"
to = ["ops@example.org"]
username = "hb"
password_file = "password"
group_wait = "0s"
[[notifier]]
name = "program"
type = "exec"
command = ["sh", "-c", "env > {dir}/program.env; cat > {dir}/program.json; exit 1"]
group_wait = "0s"
"#;

/// A receiver that refuses, and repeats all it was sent.
fn repeating() -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for conn in listener.incoming() {
            let Ok(mut conn) = conn else { return };
            let mut request = [0; 16_384];
            let read = conn.read(&mut request).unwrap_or_default();
            let head = format!("HTTP/1.1 403 No\r\nContent-Length: {read}\r\nConnection: close\r\n\r\n");
            let _ = conn.write_all(&[head.as_bytes(), &request[..read]].concat());
        }
    });
    port
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// Files below a folder that hold the mark.
fn spoiled(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(spoiled(&path));
        } else if std::fs::read(&path).is_ok_and(|bytes| holds(&bytes)) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// What the daemon's own commands say, with the same configuration.
fn command(hb: &Daemon, words: &[&str]) -> String {
    let mut command = hb.place.command();
    command.env("CREDENTIALS_DIRECTORY", hb.place.path("credentials"));
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml")).args(words);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn no_secret_is_in_anything_that_is_said_or_left_behind() {
    let config = CONFIG.replace("{repeats}", &repeating().to_string());
    let setup = Setup::new(&config).args(&["-vv"]).env("CREDENTIALS_DIRECTORY", "{dir}/credentials");
    std::fs::create_dir(setup.place().path("credentials")).unwrap();
    let token = |name: &str| format!("{MARK}-{name}-0123456789abcdef");
    let secrets = ["admin", "beat", "token", "password", "credentials/read", "credentials/path"];
    let setup = secrets.iter().fold(setup, |setup, name| {
        setup.file(name, &format!("{}\n", token(name.rsplit('/').next().unwrap())))
    });
    let hb = setup.start();
    let ask = |path: &str, token: &str| {
        let head =
            if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        hb.ask(with_body("GET", path, &head, ""))
    };
    let beat = |body: &str| {
        let head = format!("Authorization: Bearer {}\r\n", token("beat"));
        hb.ask(crate::client::beat_with(&head, body)).status
    };
    assert_eq!(beat(r#"{"id":"x"}"#), 200);
    assert_eq!(beat(r#"{"id":"x","status":"fail"}"#), 200);
    let mut said: Vec<(String, String)> = Vec::new();
    let mut hear = |what: &str, text: String| said.push((what.into(), text));

    // The answers of the API, to those who may, who may not, and who show a token that is almost right.
    let paths = [
        "/",
        "/monitors/x",
        "/api/v1/monitors",
        "/api/v1/monitors/x",
        "/api/v1/incidents",
        "/api/v1/status",
        "/api/v1/alerts?state=pending",
        "/api/v1/alerts?state=failed",
        "/api/v1/alerts?state=sent",
        "/api/v1/openapi.json",
        "/metrics",
        "/healthz",
        "/readyz",
        "/badge/x.svg",
        "/no/such/page",
    ];
    until("what cannot be sent", || {
        let pending = ask("/api/v1/alerts?state=pending", &token("read"));
        let failed = ask("/api/v1/alerts?state=failed", &token("read"));
        let (pending, failed) = (pending.text().to_string(), failed.text().to_string());
        ["closed", "mail", "program"].iter().all(|name| pending.contains(name)) && failed.contains("repeats")
    });
    for shown in [token("admin"), token("read"), token("beat"), format!("{}x", token("admin")), String::new()]
    {
        for path in paths {
            let reply = ask(path, &shown);
            hear(path, format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body)));
        }
    }
    hear("the control socket", hb.wish("GET", "/api/v1/alerts", "").text().to_string());

    // What commands say, and what stands in the list of processes.
    hear("check-config", command(&hb, &["check-config"]));
    for name in ["closed", "repeats", "mail", "program"] {
        hear("test-alert", command(&hb, &["test-alert", name]));
    }
    let line = std::fs::read(format!("/proc/{}/cmdline", hb.pid())).unwrap_or_default();
    hear("the list of processes", String::from_utf8_lossy(&line).into_owned());
    hear("a program's environment", hb.place.read("program.env"));
    hear("a program's input", hb.place.read("program.json"));
    assert!(hb.place.read("program.env").contains("HEARTBEAT_KIND="), "the program was told");

    // A configuration that becomes wrong is told of with the line and without what stands there.
    hb.place.write("password", &format!("{MARK}\u{0}\n{MARK}\n"));
    hb.place.write("beat", &format!("{MARK} short\n"));
    hear("check-config of wrong secrets", command(&hb, &["check-config"]));
    hb.signal(Signal::SIGHUP);
    until("a word on the reload", || hb.log().contains("reloaded"));
    hear("the log", hb.log());

    for (what, text) in &said {
        assert!(!text.contains(MARK), "{what}: {text}");
    }
    let state = spoiled(&hb.place.path("state"));
    assert!(state.is_empty(), "{state:?}");
    // And the mark would be found: it is where it was put.
    assert_eq!(spoiled(&hb.place.path("credentials")).len(), 2);
}
