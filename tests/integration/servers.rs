//! `heartbeat` with several servers: each gets every beat, and what one does not take is no matter of the others.

use crate::agent::Agent;
use crate::harness::{Client, Daemon, Place, Setup, daemon, until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What starts a daemon again in the folder of an earlier one.
pub fn again(place: &Place) -> Command {
    let mut command = place.command();
    command.arg("--config").arg(place.path("heartbeat-server.toml"));
    command.arg("--state-dir").arg(place.path("state"));
    command
}

/// Kills a daemon; its folder stays.
pub fn killed(mut daemon: Daemon) -> Daemon {
    daemon.signal(Signal::SIGKILL);
    daemon.wait();
    daemon
}

fn monitor(daemon: &Daemon, id: &str) -> Value {
    let reply = daemon.get(&format!("/api/v1/monitors/{id}"));
    if reply.status == 200 { reply.json() } else { Value::Null }
}

/// Whether a server has every beat of an agent up to a number, or more of them.
fn has_all(daemon: &Daemon, id: &str, least: u64) -> bool {
    let monitor = monitor(daemon, id);
    let beats = monitor["beats"].as_u64().unwrap_or(0);
    beats >= least && monitor["seq"].as_u64() == Some(beats) && monitor["gaps"].as_u64() == Some(0)
}

#[test]
fn a_beat_goes_to_all_and_one_that_takes_it_is_enough() {
    let (a, b) = (daemon(""), daemon(""));
    let (to_a, to_b) = (format!("http://{}", a.address()), format!("http://{}", b.address()));
    let send = |id: &str| {
        Client::new(&a.place)
            .args(&["send", "--to", &to_a, "--to", &to_b, "--id", id, "-m", "all is well"])
            .run()
    };
    assert_eq!(send("web"), (0, String::new()));
    assert_eq!(
        (&a.monitor("web")["message"], &b.monitor("web")["message"]),
        (&"all is well".into(), &"all is well".into())
    );
    let both = format!("{to_a} {to_b}");
    let (code, said) = Client::new(&a.place).env("HEARTBEAT_URL", &both).args(&["send", "--id", "var"]).run();
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!((&a.monitor("var")["state"], &b.monitor("var")["state"]), (&"up".into(), &"up".into()));
    let b = killed(b);
    let (code, said) = send("late");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&to_b) && !said.contains(&to_a) && said.lines().count() == 1, "{said}");
    assert_eq!(a.monitor("late")["state"], "up");
    let place = Place::new();
    let nobody = ["send", "--to", "http://127.0.0.1:{a}", "--to", "http://127.0.0.1:{b}", "--id", "web"];
    let (code, said) = Client::new(&place).args(&nobody).run();
    assert_eq!(code, 69, "{said}");
    assert!([place.port('a'), place.port('b')].iter().all(|port| said.contains(&port.to_string())), "{said}");
    drop(b);
}

#[test]
fn a_job_is_reported_to_all_that_can_be_told() {
    let (a, b) = (daemon(""), daemon(""));
    let (to_a, to_b) = (format!("http://{}", a.address()), format!("http://{}", b.address()));
    let run = |script: &str| {
        let servers = ["run", "--to", &to_b, "--to", &to_a, "--retry-for", "300ms", "--id", "job"];
        Client::new(&a.place).args(&servers).args(&["--", "sh", "-c", script]).run()
    };
    assert_eq!(run("exit 3"), (3, String::new()));
    for server in [&a, &b] {
        let job = server.monitor("job");
        assert_eq!((&job["exit_code"], &job["beats"]), (&3.into(), &2.into()));
    }
    let runs = |server: &Daemon| server.monitor("job")["rid"].clone();
    assert_eq!(runs(&a), runs(&b), "it is one run");
    let _b = killed(b);
    let (code, said) = run("exit 0");
    assert_eq!(code, 0, "the exit code is the job's");
    assert!(said.contains(&to_b) && !said.contains(&to_a), "{said}");
    assert_eq!(a.monitor("job")["state"], "up");
}

#[test]
fn an_agent_brings_each_server_every_beat_whatever_becomes_of_the_other() {
    let (a, unborn) = (daemon(""), Setup::new(""));
    let to = [format!("http://{}", a.address()), format!("http://127.0.0.1:{}", unborn.place().port('a'))];
    let place = Place::new();
    let down = "echo $HEARTBEAT_STATE $HEARTBEAT_URL >> {dir}/hooks";
    let line = ["--to", &to[0], "--to", &to[1], "--timeout", "1500ms", "--on-down", down, "--on-up", down];
    let agent = Agent::start(&place, "web", &line);
    agent.wait_for(&format!("the server answers: {}", to[0]));
    agent.wait_for(&format!("the server is dead: cannot reach {}", to[1]));
    until("beats while the other is dead", || has_all(&a, "web", 3));
    let b = unborn.start();
    agent.wait_for(&format!("the server is back: {}", to[1]));
    until("all beats at the one that came late", || has_all(&b, "web", 3));
    let hooks = || place.read("hooks").lines().map(String::from).collect::<Vec<_>>();
    until("the hooks of that server", || hooks() == [format!("down {}", to[1]), format!("up {}", to[1])]);
    let a = killed(a);
    agent.wait_for(&format!("the server is dead: cannot reach {}", to[0]));
    let before = monitor(&b, "web")["beats"].as_u64().unwrap_or(0);
    until("beats while the first is dead", || has_all(&b, "web", before + 2));
    let command = again(&a.place);
    let a = a.replaced(command);
    agent.wait_for(&format!("the server is back: {}", to[0]));
    until("all beats at the first", || has_all(&a, "web", before + 2));
    until("the other hooks", || hooks()[2..] == [format!("down {}", to[0]), format!("up {}", to[0])]);
}

#[test]
fn questions_go_to_the_first_that_answers_and_orders_to_all() {
    let token = "0123456789abcdef0123\n";
    let config = "[access]\nadmin_tokens = [{ file = \"{dir}/token\" }]\n";
    let start = || Setup::new(config).file("token", token).start();
    let (a, b) = (start(), start());
    std::fs::set_permissions(a.place.path("token"), Permissions::from_mode(0o600)).unwrap();
    let file = "servers = [\"http://127.0.0.1:{a}\", \"URL\"]\ntoken_file = \"{dir}/token\"\n";
    a.place.write("heartbeat-client.toml", &file.replace("URL", &format!("http://{}", b.address())));
    let heartbeat = |words: &[&str]| Client::new(&a.place).args(words).run();
    assert_eq!(heartbeat(&["send", "--id", "web"]), (0, String::new()));
    a.beat(r#"{"id":"only-a"}"#);
    let (code, said) = heartbeat(&["list"]);
    assert!(code == 0 && said.contains("only-a") && said.contains("web"), "{said}");
    let (code, said) = heartbeat(&["pause", "web"]);
    assert!(code == 0 && said.lines().count() == 1, "{said}");
    assert_eq!(
        (&a.monitor("web")["state"], &b.monitor("web")["state"]),
        (&"paused".into(), &"paused".into())
    );
    let (code, said) = heartbeat(&["pause", "only-a"]);
    assert!(code == 0 && said.contains(&format!("no such monitor at http://{}", b.address())), "{said}");
    let a = killed(a);
    let heartbeat = |words: &[&str]| Client::new(&a.place).args(words).run();
    let (code, said) = heartbeat(&["list"]);
    assert!(code == 0 && said.contains("web") && !said.contains("only-a"), "{said}");
    assert!(
        said.contains(&format!("{} does not answer; this is from http://{}", a.address(), b.address())),
        "{said}"
    );
    let (code, said) = heartbeat(&["resume", "web"]);
    assert!(code == 0 && said.contains(&a.address()), "{said}");
    assert_ne!(b.monitor("web")["state"], "paused");
}
