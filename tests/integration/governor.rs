//! The governor over real sockets: too many beats, longer intervals, and nobody down for having been asked.

use crate::agent::Agent;
use crate::client::{beat, get};
use crate::harness::{Daemon, daemon, until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CONFIG: &str = "[governor]\nbeats_per_second = 5\nstretch_max = 2\n[defaults]\ninterval = \"50s\"\n";

/// Sends beats of ten ids that listen to nobody, until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn on(daemon: &Daemon) -> Load {
        let (stop, mut conn) = (Arc::new(AtomicBool::new(false)), daemon.connect());
        let stopped = stop.clone();
        std::thread::spawn(move || {
            for n in (0..10).cycle() {
                let sent = conn.send(beat(&format!(r#"{{"id":"loud-{n}","interval":1,"grace":60}}"#)));
                if stopped.load(Ordering::Relaxed) || !sent || conn.reply_or_end().is_none() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Load(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn stretch(daemon: &Daemon) -> f64 {
    let reply = daemon.ask(get("/metrics"));
    let line = reply.text().lines().find_map(|line| line.strip_prefix("heartbeat_governor_stretch "));
    line.and_then(|value| value.parse().ok()).expect("a gauge")
}

/// What a monitor is told that was never heard before.
fn told_to_newcomer(daemon: &Daemon, number: usize) -> String {
    let reply = daemon.beat(&format!(r#"{{"id":"new-{number}"}}"#));
    reply.header("heartbeat-interval").expect("an interval").to_string()
}

#[test]
fn under_load_longer_intervals_are_asked_for_and_without_it_no_more() {
    let daemon = daemon(CONFIG);
    assert_eq!((told_to_newcomer(&daemon, 0).as_str(), stretch(&daemon)), ("50", 1.0));
    let load = Load::on(&daemon);
    let mut number = 0;
    until("a longer interval", || {
        number += 1;
        told_to_newcomer(&daemon, number) == "100"
    });
    let patient = daemon.monitor(&format!("new-{number}"));
    assert_eq!((&patient["interval_s"], &patient["asked_interval_s"]), (&50.into(), &100.into()));
    let status = daemon.get("/api/v1/status").json();
    assert!(status["governor_stretch"].as_f64().is_some_and(|times| times > 1.8), "{status}");
    // Who was seen not to follow is held to its own interval.
    until("those who do not listen", || daemon.monitor("loud-0")["asked_interval_s"] == Value::Null);
    drop(load);
    daemon.wait_for_log("more than 5 beats/s: senders are asked for longer intervals");
    until("the end of it", || stretch(&daemon) == 1.0);
    assert_eq!(told_to_newcomer(&daemon, 0), "50");
    daemon.wait_for_log("the load is over");
    let states = daemon.get("/api/v1/status").json();
    assert_eq!(states["monitors"]["down"], 0, "{states}");
    assert!(!daemon.log().contains("is down"), "{}", daemon.log());
}

#[test]
fn patience_that_was_asked_for_outlives_a_reload_and_a_restart_without_the_governor() {
    let mut daemon = daemon(CONFIG);
    let load = Load::on(&daemon);
    let mut number = 0;
    until("a longer interval", || {
        number += 1;
        told_to_newcomer(&daemon, number) == "100"
    });
    drop(load);
    let patient = format!("new-{number}");
    let asked = |daemon: &Daemon| daemon.monitor(&patient)["asked_interval_s"].clone();
    daemon.place.configure("");
    daemon.signal(Signal::SIGHUP);
    until("the reload", || stretch(&daemon) == 1.0);
    assert_eq!(asked(&daemon), 100);
    daemon.signal(Signal::SIGKILL);
    daemon.wait();
    let mut again = daemon.place.command();
    again.arg("--config").arg(daemon.place.path("heartbeat-server.toml"));
    again.arg("--state-dir").arg(daemon.place.path("state"));
    daemon = daemon.replaced(again);
    assert_eq!(asked(&daemon), 100);
    // Its next beat is told the truth.
    let reply = daemon.beat(&format!(r#"{{"id":"{patient}"}}"#));
    assert_eq!(reply.header("heartbeat-interval"), Some("50"));
    assert_eq!(asked(&daemon), Value::Null);
}

#[test]
fn our_own_agent_follows_and_stays_up_over_every_way_that_tells_it() {
    let config = format!(
        "{CONFIG}[[listen]]\naddress = \"127.0.0.1:{{a}}\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{{b}}\"\n"
    );
    let daemon = daemon(&config);
    let load = Load::on(&daemon);
    for (name, to) in [
        ("over-http", "127.0.0.1:{a}"),
        ("over-ws", "ws://127.0.0.1:{a}"),
        ("over-tcp", "tcp://127.0.0.1:{b}"),
    ] {
        let agent = Agent::start(&daemon.place, name, &["--to", to]);
        agent.wait_for("a beat every 2s from now on");
        // It is taken for one that follows, however often it says what interval is its own.
        let follows = || {
            let seen = daemon.monitor(name);
            seen["beats"].as_u64() > Some(4) && seen["asked_interval_s"] == 2 && seen["interval_s"] == 1
        };
        until("an agent that follows", follows);
        assert_eq!(daemon.monitor(name)["state"], "up", "{name}");
    }
    drop(load);
}
