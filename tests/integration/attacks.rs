//! Attacks: by what a beat says on whoever reads it later, and by a server on our own client.

use crate::harness::{Client, Daemon, Place, Setup, daemon, until};
use crate::receiver::Receiver;
use nix::sys::signal::Signal;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// What clears a screen, turns the direction of writing, begins a line, or is meant for a shell or a mailer.
const NASTY: &str = "\x1b[2J\x1b]0;own\x07\u{202e}\u{9b}31m\r\nBcc: evil@example.org\r\n\
                     $(touch {dir}/pwned) `touch {dir}/pwned`; touch {dir}/pwned {{json id}} {{secret.x}}";

/// Whether a terminal would do something else with a text than show it line by line.
fn acts(text: &str) -> Option<char> {
    let bidi = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    text.chars().find(|c| (c.is_control() && *c != '\n') || bidi(*c))
}

/// The client's answer to some words, with which exit code it ends being nobody's business here.
fn client(hb: &Daemon, words: &[&str]) -> String {
    Client::new(&hb.place).env("HEARTBEAT_URL", "http://127.0.0.1:{a}").args(words).run().1
}

#[test]
fn whatever_a_beat_says_the_log_and_the_clients_terminal_stay_whole() {
    let hb = Setup::new("").args(&["-v"]).start();
    let beat = |format: serde_json::Value| hb.beat(&format.to_string()).status;
    assert_eq!(beat(json!({"id": "x", "message": NASTY, "rid": "r", "tags": ["t"], "status": "fail"})), 200);
    // What would act in a path, a page or a terminal is no id, no tag and no address from the first.
    for id in [
        "a\x1b[2J",
        "a\u{202e}b",
        "a\nb",
        "a b",
        "<b>",
        "a\"b",
        "a//b",
        "..",
        "$(x)",
        "a;b",
        "a%2fb",
        "\u{200b}",
        "a\u{9b}",
    ] {
        assert_eq!(beat(json!({"id": id})), 400, "{id:?}");
        // An address only decorates a beat, and is left out.
        assert_eq!(beat(json!({"ip": id})), 200, "{id:?}");
    }
    assert_eq!(hb.monitor("127.0.0.1")["reported_ip"], json!(null));
    for words in [&["list"][..], &["show", "x"], &["list", "--match", NASTY], &["show", NASTY]] {
        let said = client(&hb, words);
        assert_eq!(acts(&said), None, "{words:?}: {said:?}");
    }
    // Each line of the log begins as lines of the log do.
    hb.beat(r#"{"id":"last"}"#);
    hb.wait_for_log("id: last");
    let log = hb.log();
    assert_eq!(acts(&log), None, "{log:?}");
    let year =
        |line: &str| line.get(..2).is_some_and(|two| two == "20" || two == "19") && line.contains(" - ");
    assert!(log.lines().all(year), "{log}");
}

#[test]
fn whatever_a_beat_says_a_program_is_told_and_no_shell() {
    let hb = daemon(
        "[confine]\nprogram_user = \"root\"\n[defaults]\nnotify = [\"told\"]\n[[notifier]]\nname = \"told\"\ntype = \"exec\"\ngroup_wait = \"0s\"\n\
         command = [\"sh\", \"-c\", '''printf %s \"$HEARTBEAT_MESSAGE\" > {dir}/said; cat > {dir}/json; : > {dir}/done''']\n",
    );
    // Known first: nobody is told of a stranger.
    hb.beat(r#"{"id":"x"}"#);
    let message = hb.place.fill(NASTY);
    hb.beat(&json!({"id": "x", "status": "fail", "message": message}).to_string());
    until("the program", || hb.place.path("done").exists());
    assert_eq!(hb.place.read("said"), message, "it is handed on as it came");
    let told: serde_json::Value = serde_json::from_str(&hb.place.read("json")).unwrap();
    assert_eq!((&told["monitor"], told["kind"].as_str()), (&json!("x"), Some("down")));
    assert!(!hb.place.path("pwned").exists(), "somebody took it for a command");
}

#[test]
fn whatever_a_beat_says_is_no_template_and_leads_no_webhook_elsewhere() {
    let receiver = Receiver::new(&[]);
    let hb = Setup::new(&format!(
        "[defaults]\nnotify = [\"web\"]\n[[notifier]]\nname = \"web\"\ntype = \"webhook\"\ngroup_wait = \"0s\"\n\
         url = \"{}/{{{{url message}}}}\"\nheaders = {{ X-Said = \"{{{{message}}}}\" }}\n\
         body = '{{\"said\":{{{{json message}}}},\"kind\":{{{{json kind}}}}}}'\n\
         secrets = {{ x = {{ file = \"x\" }} }}\n",
        receiver.url()
    ))
    .file("x", "a-secret-that-no-beat-may-fetch\n")
    .start();
    hb.beat(r#"{"id":"x"}"#);
    let message =
        format!("@evil.example/../../?a=b#c {NASTY} {{{{#each monitors}}}}{{{{secret.x}}}}{{{{/each}}}}");
    hb.beat(&json!({"id": "x", "status": "fail", "message": message}).to_string());
    until("the receiver is told", || !receiver.taken().is_empty());
    assert_eq!(receiver.taken()[0].json, json!({"said": message, "kind": "down"}));
}

#[test]
fn a_beat_changes_nothing_that_the_configuration_declares() {
    let hb = daemon("[[monitor]]\nmatch = \"fixed\"\ninterval = \"5m\"\ngrace = \"1m\"\n");
    hb.beat(r#"{"id":"fixed","interval":"366d","grace":"366d"}"#);
    hb.beat(r#"{"id":"own","interval":"1h","grace":"0s"}"#);
    let times = |id: &str| (hb.monitor(id)["interval_s"].clone(), hb.monitor(id)["grace_s"].clone());
    assert_eq!(times("fixed"), (json!(300), json!(60)));
    assert_eq!(times("own"), (json!(3600), json!(0)));
}

#[test]
fn a_beat_sent_again_is_a_sign_of_life_and_nothing_more() {
    let hb = daemon("");
    let beat = r#"{"id":"x","seq":7,"interval":"1h"}"#;
    for _ in 0..3 {
        assert_eq!(hb.beat(beat).status, 200);
    }
    let monitor = hb.monitor("x");
    assert_eq!((&monitor["state"], &monitor["seq"]), (&json!("up"), &json!(7)));
    // Neither an old time nor one to come holds longer than the interval from now on.
    let due = |name: &str| hb.monitor(name)["next_deadline"].as_str().unwrap().to_string();
    hb.beat(r#"{"id":"soon","interval":"1h","ts":"2999-01-01T00:00:00Z"}"#);
    hb.beat(r#"{"id":"plain","interval":"1h"}"#);
    assert_eq!(due("soon")[..10], due("plain")[..10], "a time in the future buys no time");
    assert!(!due("soon").starts_with("2999"));
}

/// A server that says the same to everybody who has said something, again and again if it is to have no end.
fn server(answer: Vec<u8>, endless: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for conn in listener.incoming() {
            let (Ok(mut conn), answer) = (conn, answer.clone()) else { return };
            std::thread::spawn(move || {
                let _ = conn.read(&mut [0; 65536]);
                while conn.write_all(&answer).is_ok() && endless {}
            });
        }
    });
    port
}

fn http(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}").into()
}

#[test]
fn a_malicious_server_moves_nothing_in_the_terminal_of_its_client() {
    let place = Place::new();
    let nasty = NASTY;
    let monitor = json!({
        "id": nasty, "state": nasty, "last_beat": nasty, "next_deadline": nasty, "interval_s": 1e300, "grace_s": -1,
        "schedule": nasty, "address": nasty, "reported_ip": nasty, "transport": nasty, "message": nasty, "tags": [nasty],
        "timezone": nasty, "paused_until": nasty, "since": nasty, "uptime_24h": 1e300, "beats": nasty, "maintenance": nasty,
        "asked_interval_s": -5, "rid": nasty, "cause": nasty, "declared": nasty, "notify": [nasty], "after": [nasty],
    });
    let incident = json!({"id": nasty, "monitor": nasty, "cause": nasty, "started": nasty, "ended": nasty, "duration_s": -1});
    let list = json!({"monitors": [monitor], "next": null, "incidents": [incident]});
    let mut whole = monitor.clone();
    whole["incidents"] = list["incidents"].clone();
    let event = format!(
        "event: change\ndata: {}\n\n",
        json!({"monitor": nasty, "from": nasty, "to": nasty, "at": nasty})
    );
    let refusal =
        json!({"error": nasty, "field": nasty, "rejected": [{"error": nasty, "index": 1}]}).to_string();
    let answers = [
        http("200 OK", "application/json", &list.to_string()),
        http("200 OK", "application/json", &whole.to_string()),
        http("200 OK", "application/json", &json!({"status": nasty}).to_string()),
        http("200 OK", "text/event-stream", &event),
        http("400 Bad\x1b[2JRequest", "application/json", &refusal),
        http("401 Unauthorized", "application/json", &refusal),
        http("404 Not Found", "text/plain", nasty),
        http("503 \x1b[2J", "text/plain", nasty),
        format!("HTTP/1.1 302 Found\r\nLocation: http://{nasty}/\r\n\r\n").into(),
        format!("{nasty}\r\n\r\n").into(),
        format!("ERR {nasty}\n").into(),
        format!("OK {nasty}\n").into(),
    ];
    for answer in answers {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let port = server(answer, false);
        for way in ["http", "tcp", "ws"] {
            let to = format!("{way}://127.0.0.1:{port}");
            for words in
                [&["send", "--id", "x"][..], &["list"], &["show", "x"], &["pause", "x"], &["remove", "x"]]
            {
                if way != "http" && words[0] != "send" {
                    continue;
                }
                let (_, said) = Client::new(&place).args(words).args(&["--to", &to, "--timeout", "2s"]).run();
                assert_eq!(acts(&said), None, "{words:?} {to}: {said:?} of {shown:?}");
            }
        }
        let to = format!("http://127.0.0.1:{port}");
        let watch = Client::new(&place).args(&["watch", "--to", &to, "--timeout", "2s"]);
        let (both, writer) = nix::unistd::pipe().unwrap();
        let mut watch = watch.command();
        watch.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = watch.spawn().unwrap();
        drop(watch);
        // Whatever such a server says, something is shown of it: a row, a change, or what is wrong.
        let mut said = Vec::new();
        let mut lines = BufReader::new(File::from(both));
        lines.read_until(b'\n', &mut said).unwrap();
        let _ = child.kill();
        let _ = child.wait();
        lines.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.ends_with('\n'), "watch shows nothing of {shown:?}");
        assert_eq!(acts(&said), None, "watch: {said:?} of {shown:?}");
    }
}

#[test]
fn a_token_goes_to_no_other_server_than_the_one_that_was_named() {
    let place = Place::new();
    place.write("token", "the-token-of-this-client\n");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let there = other.local_addr().unwrap();
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let answer = format!("HTTP/1.1 {status}\r\nLocation: http://{there}/\r\nContent-Length: 0\r\n\r\n");
        let to = format!("http://127.0.0.1:{}", server(answer.into(), false));
        for words in [&["send", "--id", "x"][..], &["list"], &["pause", "x"]] {
            let options = ["--to", &to, "--token-file", "{dir}/token", "--timeout", "2s"];
            let (code, said) = Client::new(&place).args(words).args(&options).run();
            assert_ne!(code, 0, "{said}");
            assert!(said.contains(&status[..3]), "{said}");
        }
    }
    assert!(other.accept().is_err(), "somebody followed");
}

#[test]
fn a_server_whose_answer_has_no_end_is_given_up() {
    let place = Place::new();
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    for (what, answer) in [
        ("a head", b"HTTP/1.1 200 OK\r\nA: ".repeat(100)),
        ("headers", b"A: b\r\n".repeat(10_000)),
        ("a body", [head, chunk.repeat(64)].concat()),
        ("a line", vec![b'x'; 65536]),
        ("nothing in a line", vec![0; 65536]),
    ] {
        let port = server(answer, true);
        for way in ["http", "tcp", "ws"] {
            let to = format!("{way}://127.0.0.1:{port}");
            let began = Instant::now();
            let words = ["send", "--id", "x", "--to", &to, "--timeout", "2s"];
            let (code, said) = Client::new(&place).args(&words).run();
            assert_ne!(code, 0, "{what} over {way}: {said}");
            assert!(began.elapsed() < Duration::from_secs(50), "{what} over {way}");
            assert!(
                said.len() < 2000 && said.lines().count() == 1,
                "{what} over {way}: {} bytes",
                said.len()
            );
        }
    }
}

/// Everything that says what is wrong, to whoever reaches the port.
const TOLD_TO_STRANGERS: [&str; 7] =
    ["/readyz", "/api/v1/status", "/", "/monitors/web", "/api/v1/monitors/web", "/api/v1/alerts", "/metrics"];

#[test]
fn what_is_wrong_is_told_to_strangers_by_names_and_never_by_paths() {
    let place = Place::new();
    // With blanks, and with what ends a sentence.
    std::fs::create_dir(place.path("a (secret) place, of; ours")).unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path("a (secret) place, of; ours/my log")).unwrap();
    place.configure(
        "[[notifier]]\nname = \"broken\"\ntype = \"exec\"\ngroup_wait = \"0s\"\n\
         command = [\"{dir}/a (secret) place, of; ours/no such program\"]\n\
         [[monitor]]\nmatch = \"web\"\nnotify = [\"broken\"]\n",
    );
    let command = || {
        let mut command = place.command();
        command.arg("--config").arg(place.path("heartbeat-server.toml"));
        command.arg("--state-dir").arg(place.path("a (secret) place, of; ours/my state"));
        let log = place.path("a (secret) place, of; ours/my log");
        command.args(["--log", "stderr", "--log", &format!("file:{}", log.display())]);
        command
    };
    let (first, second) = (command(), command());
    let mut hb = Daemon::of(place, first);
    for n in 0..100 {
        hb.beat(&format!("{{\"id\":\"m{n}\"}}"));
    }
    hb.signal(Signal::SIGTERM);
    hb.wait();
    let journal = hb.place.path("a (secret) place, of; ours/my state/journal");
    let files = std::fs::read_dir(journal).unwrap().map(|file| file.unwrap().path());
    let damaged = files.filter(|path| path.is_file()).min().unwrap();
    let bytes = std::fs::metadata(&damaged).unwrap().len();
    let file = File::options().write(true).open(&damaged).unwrap();
    file.write_all_at(&[0xa5; 64], (4096 + bytes) / 2).unwrap();
    let hb = hb.replaced(second);
    hb.beat(r#"{"id":"web"}"#);
    hb.beat(r#"{"id":"web","status":"fail"}"#);
    let name = damaged.file_name().unwrap().to_string_lossy().into_owned();
    for wrong in [name.as_str(), "file:my log", "broken"] {
        until(wrong, || hb.get("/readyz").text().contains(wrong));
    }
    until("the try on record", || hb.get("/api/v1/alerts").text().contains("no such program"));
    for path in TOLD_TO_STRANGERS {
        let said = hb.get(path);
        assert_eq!(said.status, 200, "{path}");
        for part in ["secret", "place, of", "my state", "/journal", "hb-test-"] {
            assert!(!said.text().contains(part), "{part:?} in {path}: {}", said.text());
        }
    }
    hb.wait_for_log("a (secret) place, of; ours/my state/journal");
}
