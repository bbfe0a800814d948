//! `heartbeat list`, `show`, `watch`, `pause`, `resume` and `remove` against the real server.

use crate::harness::{CLIENT, Client, Daemon, Place, Setup, daemon, until};
use nix::libc::winsize;
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

const TOKEN: &str = "an-admin-token-for-tests";

fn asked(daemon: &Daemon, args: &[&str]) -> (i32, String) {
    Client::new(&daemon.place).env("HEARTBEAT_URL", "127.0.0.1:{a}").args(args).run()
}

/// The same at the control socket.
fn ordered(daemon: &Daemon, args: &[&str]) -> (i32, String) {
    Client::new(&daemon.place).env("HEARTBEAT_URL", "unix:{dir}/control.sock").args(args).run()
}

#[test]
fn a_list_is_a_table_with_the_worst_first() {
    let daemon = daemon("");
    for beat in
        [r#"{"id":"web-1","interval":"5m"}"#, r#"{"id":"数据库","status":"fail"}"#, r#"{"id":"web-2"}"#]
    {
        daemon.beat(beat);
    }
    let (code, said) = asked(&daemon, &["list"]);
    assert_eq!(code, 0, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "STATE  ID      LAST BEAT  INTERVAL  ADDRESS    UPTIME 24H");
    let is = |line: &str, begins: &str, goes_on: &str| line.starts_with(begins) && line.contains(goes_on);
    assert!(is(lines[1], "down   数据库  ", "1m        127.0.0.1  "), "{said}");
    assert!(is(lines[2], "up     web-1   ", "5m        127.0.0.1  "), "{said}");
    assert_eq!(lines.len(), 4, "{said}");
    let count = |args: &[&str]| asked(&daemon, args).1.lines().count();
    assert_eq!(count(&["list", "--state", "down"]), 2);
    assert_eq!(count(&["list", "--match", "web-*"]), 3);
    assert_eq!(asked(&daemon, &["list", "--match", "nobody"]), (0, "heartbeat: no monitor fits\n".into()));
    let (_, json) = asked(&daemon, &["list", "--json", "--match", "web"]);
    let json: Value = serde_json::from_str(&json).expect(&json);
    assert_eq!(json["monitors"].as_array().map(Vec::len), Some(2));
    let (_, none) = asked(&daemon, &["list", "--json", "--match", "nobody"]);
    assert_eq!(serde_json::from_str::<Value>(&none).unwrap()["monitors"], serde_json::json!([]));
    let (_, chinese) = asked(&daemon, &["--lang", "zh", "list"]);
    assert!(chinese.starts_with("状态") && chinese.contains("离线"), "{chinese}");
}

#[test]
fn a_list_of_more_than_a_page_is_whole() {
    let daemon = daemon("");
    let beats: Vec<String> = (0..2100).map(|n| format!(r#"{{"id":"m-{n:04}"}}"#)).collect();
    assert_eq!(daemon.beat(&format!("[{}]", beats.join(","))).status, 200);
    let (_, said) = asked(&daemon, &["list"]);
    assert_eq!(said.lines().count(), 2101);
    let (_, json) = asked(&daemon, &["list", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["monitors"].as_array().map(Vec::len), Some(2100));
}

#[test]
fn one_monitor_is_shown_with_its_incidents() {
    let daemon = daemon("");
    daemon.beat(r#"{"id":"db","status":"fail","message":"disk full","tags":["lab"],"seq":7}"#);
    until("the incident", || asked(&daemon, &["show", "db"]).1.contains("failure  for"));
    let (code, said) = asked(&daemon, &["show", "db"]);
    assert_eq!(code, 0);
    for part in ["down since", "disk full", "lab", "127.0.0.1 (http)", "7, 0 missing, 0 repeated", "not over"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let (_, json) = asked(&daemon, &["show", "db", "--json"]);
    let json: Value = serde_json::from_str(&json).expect(&json);
    assert_eq!((&json["monitor"]["id"], &json["incidents"][0]["cause"]), (&"db".into(), &"fail".into()));
    let (code, said) = asked(&daemon, &["show", "nobody"]);
    assert!(code == 66 && said.contains("no such monitor at ") && said.contains(": nobody;"), "{said}");
}

/// A server that answers whatever is asked with what it is given.
fn evil(answer: impl Fn(&str) -> String + Send + 'static) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|read| read > 0) {}
            let body = answer(&head);
            let length = body.len();
            let _ = write!(stream.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        }
    });
    address
}

#[test]
fn no_text_of_a_server_moves_the_terminal_in_any_command() {
    let monitor = r#"{"id":"m\u001b[2J","state":"up\u001b]0;x\u0007\u009b1m\nb\u202e","since":"\u001b[1m","paused_until":"\u001bc",
        "schedule":"\u001b[3m","timezone":"\u009b","tags":["\u001bP"],"address":"\u001b[4m","transport":"\u202e",
        "reported_ip":"\u001b","status":"\u0085","message":"a\u001b[5m\nb","last_beat":"\u001b[6m","next_deadline":"\u2066",
        "interval_s":1,"grace_s":1,"runs":["\u001b[7m"],"timezone":"\u001b"}"#;
    let list = format!(r#"{{"monitors":[{monitor}],"next":null}}"#);
    let incident =
        r#"{"incidents":[{"started":"\u001b[8m","cause":"\u001b[9m\u202e","ended":null}],"next":null}"#;
    let address = evil(move |head| match head.split(' ').nth(1).unwrap_or_default() {
        path if path.starts_with("/api/v1/incidents") => incident.to_string(),
        path if path.starts_with("/api/v1/monitors?") => list.clone(),
        "/" => r#"{"error":"\u001b[2J\u202e","field":"\u009b"}"#.to_string(),
        _ => monitor.to_string(),
    });
    let place = Place::new();
    let to = format!("http://{address}");
    for line in [
        &["list"][..],
        &["list", "--json"],
        &["show", "m"],
        &["show", "m", "--json"],
        &["pause", "m"],
        &["pause", "m", "--for", "1h"],
        &["resume", "m"],
        &["remove", "m"],
        &["send", "--id", "m"],
        &["run", "--id", "m", "--retry-for", "100ms", "--", "true"],
    ] {
        for lang in ["en", "zh"] {
            let client = Client::new(&place).args(&["--to", &to, "--lang", lang]);
            let (_, said) = client.args(line).run();
            let moves = |c: char| c != '\n' && c.is_control() || ('\u{202a}'..='\u{2069}').contains(&c);
            assert!(!said.contains(moves), "{line:?}: {said:?}");
            assert!(
                !line.contains(&"--json") || said.contains("\\u009b") && said.contains("\\u202e"),
                "{said:?}"
            );
            assert!(line[0] != "resume" || said.lines().count() == 1, "{said:?}");
        }
    }
}

#[test]
fn a_list_without_an_end_ends() {
    let place = Place::new();
    for next in [r#""1:a""#, r#""1:\u001b""#] {
        let page = format!(r#"{{"monitors":[{{"id":"a","state":"up"}}],"next":{next}}}"#);
        let address = evil(move |_| page.clone());
        for more in [&[][..], &["--json"]] {
            let client = Client::new(&place).args(&["--to", &format!("http://{address}"), "list"]);
            let (code, said) = client.args(more).run();
            assert!(code == 76 && said.contains("begins again and again"), "{code}: {said}");
        }
    }
}

#[test]
fn orders_need_the_control_socket_or_a_token() {
    let config = "[access]\nadmin_tokens = [{ file = \"{dir}/token\" }]\n";
    let daemon = Setup::new(config).file("token", TOKEN).start();
    daemon.beat(r#"{"id":"web"}"#);
    let (code, said) = asked(&daemon, &["pause", "web"]);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("--token-file") && said.contains("access.admin_tokens"), "{said}");
    assert!(said.contains("with HEARTBEAT_CONTROL naming its control socket"), "{said}");
    let (code, said) = asked(&daemon, &["--lang", "zh", "pause", "web"]);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("不允许：需要令牌（access.admin_tokens）；请用 --token-file"), "{said}");
    // Whoever names the control socket means it, whatever the port.
    let named = Client::new(&daemon.place).env("HEARTBEAT_URL", "127.0.0.1:{a}");
    let named = named.env("HEARTBEAT_CONTROL", "{dir}/control.sock").args(&["pause", "web"]).run();
    assert_eq!(named, (0, "web is paused until it is resumed\n".into()));
    let token = daemon.place.fill("{dir}/token");
    let (code, said) = asked(&daemon, &["pause", "web", "--for", "2h", "--token-file", &token]);
    assert!(code == 0 && said.starts_with("web is paused until "), "{said}");
    assert_eq!(daemon.monitor("web")["state"], "paused");
    assert_eq!(ordered(&daemon, &["resume", "web"]), (0, "web is no longer paused: up\n".into()));
    assert_eq!(ordered(&daemon, &["pause", "web"]), (0, "web is paused until it is resumed\n".into()));
    assert!(ordered(&daemon, &["show", "web"]).1.contains("somebody resumes it"));
    assert_eq!(ordered(&daemon, &["--lang", "zh", "remove", "web"]), (0, "web 已移除\n".into()));
    let (code, said) = ordered(&daemon, &["remove", "web"]);
    assert_eq!(code, 66, "{said}");
}

#[test]
fn who_is_not_there_is_named_with_its_exit_code() {
    let daemon = daemon("");
    for (to, code) in [("127.0.0.1:{b}", 69), ("unix:{dir}/none", 69)] {
        let client = Client::new(&daemon.place).env("HEARTBEAT_URL", to);
        let (is, said) = client.args(&["list"]).run();
        assert!(is == code && said.contains("cannot reach"), "{to}: {is} {said}");
    }
    let (code, said) = asked(&daemon, &["list", "--state", "lost"]);
    assert!(code == 64 && said.contains("new, up, late, down, paused"), "{said}");
}

#[test]
fn a_watcher_without_a_screen_is_told_of_changes_line_by_line() {
    let daemon = daemon("");
    let mut child = command(&daemon, &["watch", "--match", "web-*"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = Arc::new(Mutex::new(String::new()));
    collect(child.stdout.take().unwrap(), said.clone());
    let has = |part: &str| said.lock().unwrap().contains(part);
    until("the greeting", || has("0 down, 0 up"));
    daemon.beat(r#"{"id":"db-1"}"#);
    daemon.beat(r#"{"id":"web-1"}"#);
    daemon.beat(r#"{"id":"web-1","status":"fail"}"#);
    until("the change", || has("web-1  up → down"));
    assert!(has("web-1  first heard") && !has("db-1") && !has("\x1b"), "{}", said.lock().unwrap());
    end(&mut child);
}

#[test]
fn a_watcher_with_a_screen_sees_a_table_and_leaves_the_terminal_as_it_was() {
    for how in [How::Key, How::Signal] {
        let daemon = daemon("");
        daemon.beat(r#"{"id":"数据库-1"}"#);
        let size = winsize { ws_row: 12, ws_col: 70, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let mut child = command(&daemon, &["watch"])
            .env("TERM", "xterm")
            .stdin(pty.slave.try_clone().unwrap())
            .stdout(pty.slave.try_clone().unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut keys = File::from(pty.master.try_clone().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        collect(File::from(pty.master), said.clone());
        let has = |part: &str| said.lock().unwrap().contains(part);
        until("the table", || has("数据库-1"));
        assert!(has("\x1b[?1049h"));
        assert!(!tcgetattr(&pty.slave).unwrap().local_flags.contains(LocalFlags::ICANON));
        daemon.beat(r#"{"id":"web","status":"fail"}"#);
        until("the change", || has("1 down") && has("web  new → down"));
        until("the row", || has("\x1b[1;31mdown "));
        match how {
            How::Key => keys.write_all(b"q").unwrap(),
            How::Signal => kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap(),
        }
        let mut status = None;
        until("its end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0));
        until("the old screen", || has("\x1b[?1049l"));
        assert!(said.lock().unwrap().ends_with("\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"));
        assert_eq!(tcgetattr(&pty.slave).unwrap().local_flags, before.local_flags);
    }
}

enum How {
    Key,
    Signal,
}

fn command(daemon: &Daemon, args: &[&str]) -> Command {
    let mut command = daemon.place.command_of(CLIENT);
    command.env("HEARTBEAT_URL", daemon.place.fill("127.0.0.1:{a}"));
    command.args(args);
    command
}

/// Keeps what is read, until the end.
fn collect(mut from: impl Read + Send + 'static, said: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        let mut all = Vec::new();
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            all.extend_from_slice(&bytes[..count]);
            *said.lock().unwrap() = String::from_utf8_lossy(&all).into_owned();
        }
    });
}

fn end(child: &mut Child) {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
}
