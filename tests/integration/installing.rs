//! `heartbeat install`, as far as it goes without a service manager: the service reads another file than the tests may
//! write, so here it says what to run instead. In a booted Debian it is tried whole.

use crate::harness::{CLIENT, Client, daemon};
use crate::skip::skip;
use std::os::unix::process::CommandExt;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_configuration_is_written_once_and_the_first_beat_is_answered() {
    if !is_root() {
        return skip("only root installs");
    }
    let daemon = daemon("");
    let file = "{dir}/client/heartbeat-client.toml";
    let install =
        |args: &[&str]| Client::new(&daemon.place).env("HEARTBEAT_CLIENT_CONFIG", file).args(args).run();
    daemon.place.write("heartbeat-client.toml", "");
    std::fs::create_dir(daemon.place.path("client")).unwrap();
    daemon.place.write("client/heartbeat-client.toml", "# mine\non_down = \"true\"\n");
    let line = ["install", "127.0.0.1:{a}", "--id", "nas", "--every", "5m"];
    let (code, said) = install(&line);
    assert_eq!(code, 0, "{said}");
    for part in [
        "wrote {dir}/client/heartbeat-client.toml",
        "heartbeat agent --config {dir}/client/heartbeat-client.toml",
        "http://127.0.0.1:{a} has answered the first beat of nas; there will be one every 5m",
    ] {
        assert!(said.contains(&daemon.place.fill(part)), "no {part:?} in {said}");
    }
    let written = daemon
        .place
        .fill("# mine\non_down = \"true\"\nto = \"http://127.0.0.1:{a}\"\nid = \"nas\"\nevery = \"5m\"\n");
    assert_eq!(daemon.place.read("client/heartbeat-client.toml"), written);
    assert_eq!(daemon.monitor("nas")["interval_s"], 300);
    let (code, said) = install(&line);
    assert!(code == 0 && said.contains("says so already"), "{said}");
    // What was said before holds on.
    let (code, said) = install(&["--lang", "zh", "install"]);
    assert!(code == 0 && said.contains("已应答 nas 的第一次心跳"), "{said}");
    assert_eq!(daemon.place.read("client/heartbeat-client.toml"), written);
    // A server that is not there is no reason to write nothing.
    let (code, said) = install(&["install", "127.0.0.1:{b}"]);
    assert!(code == 69 && said.contains("wrote") && said.contains("cannot reach"), "{said}");
}

#[test]
fn only_root_installs() {
    let daemon = daemon("");
    let mut command = daemon.place.command_of(CLIENT);
    command.args(["install", &daemon.address()]).env("HEARTBEAT_CLIENT_CONFIG", "/dev/null");
    if is_root() {
        // The folder of the tests may be closed to others.
        command.current_dir("/").uid(65_534);
    }
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return skip("another user may not run what lies in this folder");
        }
        output => output.unwrap(),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(77) && said.contains("run it as root"), "{output:?}");
}
