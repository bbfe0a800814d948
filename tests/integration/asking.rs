//! `heartbeat list`, `show`, `watch`, `pause`, `resume` and `remove` against the real server.

use crate::harness::{CLIENT, Client, Daemon, Setup, daemon, until};
use nix::libc::winsize;
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
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

#[test]
fn orders_need_the_control_socket_or_a_token() {
    let config = "[access]\nadmin_tokens = [{ file = \"{dir}/token\" }]\n";
    let daemon = Setup::new(config).file("token", TOKEN).start();
    daemon.beat(r#"{"id":"web"}"#);
    let (code, said) = asked(&daemon, &["pause", "web"]);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("--token-file") && said.contains("access.admin_tokens"), "{said}");
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
