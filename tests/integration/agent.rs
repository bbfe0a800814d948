//! `heartbeat agent`: against the real server, and against servers of a few lines that die, hang, refuse, say `ping` or
//! want something else. Whatever should happen is waited for.

use crate::harness::{Client, Daemon, Place, Setup, daemon, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// An agent at work; ended with the test.
pub struct Agent<'a> {
    child: Child,
    place: &'a Place,
    log: String,
}

impl<'a> Agent<'a> {
    pub fn start(place: &'a Place, name: &str, args: &[&str]) -> Agent<'a> {
        let log = format!("{name}.log");
        let client = Client::new(place).args(&["agent", "--id", name, "--every", "1s"]).args(args);
        let mut command = client.command();
        command.stdout(Stdio::null()).stderr(File::create(place.path(&log)).unwrap());
        Agent { child: command.spawn().unwrap(), place, log }
    }

    fn log(&self) -> String {
        self.place.read(&self.log)
    }

    pub fn wait_for(&self, part: &str) {
        until(&format!("{part:?} in {}", self.log()), || self.log().contains(part));
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn count(&self, part: &str) -> usize {
        self.log().matches(part).count()
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log, self.log());
        }
    }
}

/// Everything that comes on one connection, piece by piece, until it ends.
fn heard(mut conn: TcpStream) -> Receiver<Vec<u8>> {
    let (told, heard) = channel();
    std::thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(read @ 1..) = conn.read(&mut some) {
            if told.send(some[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    heard
}

const PATIENCE: Duration = crate::harness::PATIENCE;

fn beats(daemon: &Daemon, id: &str) -> u64 {
    let reply = daemon.get(&format!("/api/v1/monitors/{id}"));
    if reply.status == 200 { reply.json()["beats"].as_u64().unwrap_or(0) } else { 0 }
}

#[test]
fn beats_arrive_and_go_on_and_it_stops_when_told() {
    let daemon = daemon("");
    let mut agent = Agent::start(&daemon.place, "web", &["--to", "http://127.0.0.1:{a}"]);
    until("three beats", || beats(&daemon, "web") >= 3);
    let monitor = daemon.monitor("web");
    assert_eq!((monitor["interval_s"].as_f64(), monitor["gaps"].as_u64()), (Some(1.0), Some(0)));
    agent.wait_for("the server answers: http://127.0.0.1:");
    assert_eq!(daemon.metric("heartbeat_connections{transport=\"http\"}"), 2, "one is ours that asks");
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.child.wait().unwrap().code(), Some(0));
    assert!(agent.log().contains("agent stopped"));
}

#[test]
fn a_server_that_dies_is_told_once_and_what_was_kept_is_delivered() {
    let mut daemon = Setup::new("").start();
    let hooks = [
        "--on-down",
        "echo $HEARTBEAT_STATE >> {dir}/hooks; echo said",
        "--on-up",
        "echo $HEARTBEAT_STATE >> {dir}/hooks",
    ];
    let place = Place::new();
    let to = format!("http://{}", daemon.address());
    let mut args = vec!["--to", &to, "--timeout", "1500ms"];
    args.extend(hooks);
    let agent = Agent::start(&place, "web", &args);
    until("a beat", || beats(&daemon, "web") >= 1);
    daemon.signal(Signal::SIGKILL);
    daemon.wait();
    agent.wait_for("the server is dead: ");
    until("the hook", || place.read("hooks") == "down\n");
    agent.wait_for("on_down: echo");
    let mut again = daemon.place.command();
    again.arg("--config").arg(daemon.place.path("heartbeat-server.toml"));
    again.arg("--state-dir").arg(daemon.place.path("state"));
    let daemon = daemon.replaced(again);
    agent.wait_for("the server is back: ");
    until("the other hook", || place.read("hooks") == "down\nup\n");
    until("all beats", || {
        let monitor = daemon.monitor("web");
        // Beats that were kept have their numbers: with them nothing is missing.
        monitor["seq"].as_u64() == monitor["beats"].as_u64() && monitor["gaps"].as_u64() == Some(0)
    });
    assert_eq!((agent.count("is dead"), agent.count("is back")), (1, 1));
}

#[test]
fn a_server_that_hangs_is_dead_and_the_log_speaks_chinese() {
    let place = Place::new();
    let silent = TcpListener::bind(("127.0.0.1", place.port('a'))).unwrap();
    for (name, to) in
        [("h", "http://127.0.0.1:{a}"), ("w", "ws://127.0.0.1:{a}"), ("l", "tcp://127.0.0.1:{a}")]
    {
        let agent = Agent::start(&place, name, &["--to", to, "--timeout", "500ms", "--lang", "zh"]);
        agent.wait_for("服务器挂了：");
    }
    drop(silent);
}

/// A server that answers every request as told, for ever, and tells what it was sent.
fn answers(answer: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = channel();
    std::thread::spawn(move || {
        for conn in listener.incoming() {
            let (mut conn, told) = (conn.unwrap(), told.clone());
            std::thread::spawn(move || {
                let mut some = [0; 65_536];
                while let Ok(read @ 1..) = conn.read(&mut some) {
                    let _ = told.send(String::from_utf8_lossy(&some[..read]).into_owned());
                    if conn.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, heard)
}

#[test]
fn a_longer_interval_is_followed() {
    let place = Place::new();
    let (http, _) = answers(
        "HTTP/1.1 200 OK\r\nHeartbeat-Interval: 3600\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}",
    );
    let (line, heard) = answers("OK 3600\n");
    for (name, to) in [("h", format!("http://127.0.0.1:{http}")), ("l", format!("tcp://127.0.0.1:{line}"))] {
        let agent = Agent::start(&place, name, &["--to", &to, "--interval-max", "2h"]);
        agent.wait_for("a beat every 1h from now on");
    }
    let first = heard.recv_timeout(PATIENCE).unwrap();
    assert!(first.starts_with("BEAT l seq=1 ts=2") && first.ends_with("interval=1s\n"), "{first:?}");
    // Whoever does not say so is not made silent for that long.
    let agent = Agent::start(&place, "x", &["--to", &format!("http://127.0.0.1:{http}")]);
    agent.wait_for("asks for a beat only every 1h; it gets one every 10s: see interval_max");
    agent.wait_for("a beat every 10s from now on");
}

#[test]
fn who_refuses_is_alive_and_told_of_once() {
    let place = Place::new();
    let (port, heard) = answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 16\r\n\r\n{\"error\":\"nope\"}");
    let to = format!("http://127.0.0.1:{port}");
    let agent = Agent::start(&place, "x", &["--to", &to, "--timeout", "1s"]);
    for _ in 0..4 {
        heard.recv_timeout(PATIENCE).unwrap();
    }
    agent.wait_for("nope");
    assert_eq!((agent.count("nope"), agent.count("dead")), (1, 0), "{}", agent.log());
}

#[test]
fn a_server_that_says_ping_gets_pong_and_nothing_else() {
    for dialect in ["auto", "pong"] {
        let place = Place::new();
        let listener = TcpListener::bind(("127.0.0.1", place.port('a'))).unwrap();
        let line = ["--to", "tcp://127.0.0.1:{a}", "--dialect", dialect, "--timeout", "2s"];
        let agent = Agent::start(&place, "p", &line);
        let (mut conn, _) = listener.accept().unwrap();
        let said = heard(conn.try_clone().unwrap());
        if dialect == "auto" {
            let first = said.recv_timeout(PATIENCE).unwrap();
            assert!(first.starts_with(b"BEAT p "), "{first:?}");
        }
        for cut in [4, 1, 2, 3, 0, 4] {
            conn.write_all(&b"ping"[..cut]).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            conn.write_all(&b"ping"[cut..]).unwrap();
            assert_eq!(said.recv_timeout(PATIENCE).unwrap(), b"pong", "as one word, {dialect}");
        }
        agent.wait_for("the server answers");
        agent.wait_for("the server is dead: ");
        // It has given the silent connection up and comes again.
        let (mut conn, _) = listener.accept().unwrap();
        let said = heard(conn.try_clone().unwrap());
        conn.write_all(b"ping").unwrap();
        // In `auto` a line goes before it, and the two may be read as one.
        until("pong on the new connection", || said.recv_timeout(PATIENCE).unwrap().ends_with(b"pong"));
        agent.wait_for("the server is back");
    }
}

#[test]
fn hello_lives_by_any_answer_and_frames_by_the_connection() {
    let place = Place::new();
    let (hello, heard) = answers("whatever");
    let to = format!("tcp://127.0.0.1:{hello}");
    let agent = Agent::start(&place, "hello", &["--to", &to, "--dialect", "hello"]);
    for _ in 0..3 {
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "hello server");
    }
    agent.wait_for("the server answers");
    drop(agent);

    let listener = TcpListener::bind(("127.0.0.1", place.port('a'))).unwrap();
    let agent = Agent::start(
        &place,
        "frame",
        &["--to", "tcp://127.0.0.1:{a}", "--dialect", "frame", "--timeout", "500ms"],
    );
    let (mut conn, _) = listener.accept().unwrap();
    let mut frames = [9; 24];
    conn.read_exact(&mut frames).unwrap();
    assert_eq!(frames, [0; 24], "three frames of type 0 and length 0");
    assert_eq!(agent.count("dead"), 0, "though nothing was answered");
    drop((conn, listener));
    agent.wait_for("the server is dead: ");
}

#[test]
fn a_reload_takes_another_server_and_refuses_a_wrong_file() {
    let daemon = daemon("");
    let place = &daemon.place;
    place.write("agent.toml", "to = \"http://127.0.0.1:1\"\ntimeout = \"500ms\"\n");
    let agent = Agent::start(place, "web", &["--config", "{dir}/agent.toml"]);
    agent.wait_for("the server is dead");
    place.write("agent.toml", "to = \"http://127.0.0.1:{a}\"\nnonsense = 1\n");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("agent.toml:2: nonsense: unknown key");
    place.write("agent.toml", "to = \"http://127.0.0.1:{a}\"\n");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("the server is back");
    until("what was kept", || daemon.monitor("web")["gaps"] == 0 && beats(&daemon, "web") > 2);
}

#[test]
fn as_a_service_it_is_ready_though_the_server_is_dead_and_feeds_the_watchdog() {
    let place = Place::new();
    let socket = std::os::unix::net::UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let client =
        Client::new(&place).args(&["agent", "--to", "http://127.0.0.1:1", "--id", "x", "--timeout", "500ms"]);
    let client = client.env("NOTIFY_SOCKET", "{dir}/notify").env("WATCHDOG_USEC", "600000");
    let mut child = client.command().stderr(Stdio::null()).spawn().unwrap();
    let (mut ready, mut fed, mut dead) = (false, 0, false);
    let mut buffer = [0; 2048];
    while !(ready && fed > 3 && dead) {
        let length = socket.recv(&mut buffer).unwrap();
        let words = String::from_utf8_lossy(&buffer[..length]);
        ready |= words.contains("READY=1");
        fed += usize::from(words.contains("WATCHDOG=1"));
        dead |= words.contains("STATUS=http://127.0.0.1:1 is dead");
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
