//! Under a service manager: handed-over sockets, and what the manager is told.

use crate::client::{Conn, beat};
use crate::harness::{Daemon, PATIENCE, PROGRAM, Place, Setup, until};
use crate::skip::skip;
use nix::sys::signal::Signal;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

/// A service manager's socket.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn at(place: &Place) -> Manager {
        let socket = UnixDatagram::bind(place.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { socket, heard: Vec::new() }
    }

    /// Listens until a message with the word comes; gives all of that message.
    fn wait_for(&mut self, word: &str) -> String {
        loop {
            let mut message = [0; 8192];
            let length = match self.socket.recv(&mut message) {
                Ok(length) => length,
                // With a timeout set the system does not take up the call again by itself.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("no {word}: {error}; {:?}", self.heard),
            };
            let message = String::from_utf8(message[..length].to_vec()).unwrap();
            self.heard.push(message.clone());
            if message.lines().any(|line| line.starts_with(word)) {
                return message;
            }
        }
    }
}

fn supervised(config: &str, watchdog_usec: Option<&str>) -> (Daemon, Manager) {
    let mut setup = Setup::new(config).env("NOTIFY_SOCKET", "{dir}/notify");
    if let Some(usec) = watchdog_usec {
        setup = setup.env("WATCHDOG_USEC", usec);
    }
    let manager = Manager::at(setup.place());
    (setup.spawn(), manager)
}

#[test]
fn ready_means_ready_and_every_step_is_told() {
    let (mut hb, mut manager) = supervised("", None);
    let ready = manager.wait_for("READY=1");
    assert_eq!(manager.heard.len(), 1, "nothing comes before: {:?}", manager.heard);
    // Told so, one may come at once.
    assert_eq!(hb.beat(r#"{"id":"a"}"#).status, 200);
    assert!(ready.contains("STATUS=0 up, 0 late, 0 down; 0 beats/s; 0 connections"), "{ready}");
    assert!(manager.wait_for("STATUS=1 up, 0 late, 0 down; ").contains(" beats/s; "));

    hb.signal(Signal::SIGHUP);
    let reloading = manager.wait_for("RELOADING=1");
    let stamp = reloading.lines().find_map(|l| l.strip_prefix("MONOTONIC_USEC=")).expect("when");
    assert!(stamp.parse::<u64>().unwrap() > 0);
    manager.wait_for("READY=1");

    // A reload that finds a fault ends as well, or the manager would wait for ever.
    hb.place.configure("nonsense = 1\n");
    hb.signal(Signal::SIGHUP);
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");
    hb.wait_for_log("configuration not reloaded");

    hb.signal(Signal::SIGTERM);
    manager.wait_for("STOPPING=1");
    manager.wait_for("EXTEND_TIMEOUT_USEC=");
    assert_eq!(hb.wait().code(), Some(0));
}

#[test]
fn the_status_says_what_is_not_there_yet() {
    let config = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\naddress = \"192.0.2.1:{b}\"\n";
    let (hb, mut manager) = supervised(config, None);
    let ready = manager.wait_for("READY=1");
    assert!(ready.contains("degraded: listener http") && ready.contains("192.0.2.1"), "{ready}");
    drop(hb);
}

#[test]
fn the_watchdog_is_fed_while_all_goes_well_and_only_when_asked_for() {
    let (hb, mut manager) = supervised("", Some("3000000"));
    manager.wait_for("READY=1");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    drop(hb);
    let (hb, mut manager) = supervised("", None);
    manager.wait_for("READY=1");
    hb.beat("{}");
    manager.wait_for("STATUS=1 up");
    assert!(!manager.heard.iter().any(|m| m.contains("WATCHDOG=1")), "{:?}", manager.heard);
}

#[test]
fn a_start_that_fails_is_never_ready() {
    let setup = Setup::new("nonsense = 1\n").env("NOTIFY_SOCKET", "{dir}/notify");
    let manager = Manager::at(setup.place());
    manager.socket.set_nonblocking(true).unwrap();
    let (code, said) = setup.run();
    assert_eq!(code, 78, "{said}");
    assert!(manager.socket.recv(&mut [0; 100]).is_err());
}

#[test]
fn under_a_manager_it_does_not_leave_for_the_background() {
    let (code, said) = Setup::new("").args(&["--daemon"]).env("NOTIFY_SOCKET", "{dir}/notify").run();
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("--daemon"), "{said}");
}

/// Binds what it is told, moves it to descriptors 3 and up, and becomes the daemon under the same process id, as a
/// manager does. Words: NAME=PORT or NAME=PATH …, then `--`, then the program and its arguments.
const SPAWNER: &str = r#"
import os, socket, sys
split = sys.argv.index('--')
names, kept = [], []
for word in sys.argv[1:split]:
    name, place = word.split('=')
    if place.startswith('/'):
        s = socket.socket(socket.AF_UNIX); s.bind(place)
    else:
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', int(place)))
    s.listen(64)
    names.append(name); kept.append(os.dup(s.fileno()) if s.fileno() < 32 else s.fileno())
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(kept)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
env = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=':'.join(names))
os.execve(sys.argv[split + 1], sys.argv[split + 1:], env)
"#;

/// Starts a daemon with inherited sockets; nothing without python.
fn inherit(config: &str, sockets: &[&str]) -> Option<(std::process::Child, Place)> {
    if Command::new("python3").arg("--version").output().is_err() {
        skip("no python3 here");
        return None;
    }
    let place = Place::new();
    place.configure(config);
    let mut command = Command::new("python3");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", place.path("."));
    command.arg("-c").arg(SPAWNER).args(sockets.iter().map(|s| place.fill(s))).arg("--").arg(PROGRAM);
    command.arg("--config").arg(place.path("heartbeat-server.toml"));
    command.arg("--state-dir").arg(place.path("state"));
    command.stderr(std::fs::File::create(place.path("stderr")).unwrap());
    Some((command.spawn().unwrap(), place))
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_inherited_socket_takes_the_place_of_the_listener_of_its_name() {
    let config = "[[listen]]\nname = \"http\"\naddress = \"127.0.0.1:{b}\"\n\
                  [[listen]]\nname = \"other\"\naddress = \"127.0.0.1:{c}\"\n";
    let Some((child, place)) = inherit(config, &["http={a}", "http={dir}/s"]) else { return };
    let child = Killed(child);
    let log = || place.read("stderr");
    until("it listens", || log().matches("server started").count() == 3);
    for mut conn in [
        Conn::tcp(&place.fill("127.0.0.1:{a}")),
        Conn::tcp(&place.fill("127.0.0.1:{c}")),
        Conn::unix(&place.fill("{dir}/s")),
    ] {
        conn.send(beat("{}"));
        assert_eq!(conn.reply().status, 200);
    }
    let configured = place.fill("127.0.0.1:{b}");
    assert!(std::net::TcpStream::connect(&configured).is_err(), "the configured one is not bound");
    let warnings = log().lines().filter(|l| l.contains(&configured)).count();
    assert_eq!(warnings, 1, "that the two differ is said once: {}", log());
    drop(child);
}

#[test]
fn a_socket_for_another_process_is_none_of_ours() {
    let hb =
        Setup::new("").env("LISTEN_PID", "1").env("LISTEN_FDS", "3").env("LISTEN_FDNAMES", "http").start();
    assert_eq!(hb.beat("{}").status, 200);
}
