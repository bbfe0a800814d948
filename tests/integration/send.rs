//! `heartbeat send`: success only when the server has acknowledged the beat, and one sentence with its exit code
//! otherwise. Servers that are not ours are played by a few lines of this file.

use crate::harness::{Client, Setup, daemon};
use std::io::{Read, Write};
use std::net::TcpListener;

/// A server that says the same to everybody who has said something, and closes. Ends with the test's process.
fn says(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for conn in listener.incoming() {
            let mut conn = conn.unwrap();
            let _ = conn.read(&mut [0; 4096]);
            let _ = conn.write_all(answer);
        }
    });
    port
}

#[test]
fn a_beat_is_sent_and_acknowledged() {
    let daemon = daemon("");
    let client = Client::new(&daemon.place).env("HEARTBEAT_URL", "http://127.0.0.1:{a}");
    let (code, said) = client
        .args(&[
            "send",
            "--id",
            "web",
            "-m",
            "all is well",
            "--interval",
            "5m",
            "--tags",
            "a, b",
            "--rid",
            "r",
        ])
        .run();
    assert_eq!((code, said.as_str()), (0, ""));
    let web = daemon.monitor("web");
    assert_eq!((web["state"].as_str(), web["interval_s"].as_f64()), (Some("up"), Some(300.0)));
    assert_eq!(web["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(web["message"], "all is well");
}

#[test]
fn an_id_of_which_no_monitor_is_made_is_refused_with_the_nearest_one() {
    let listen = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n";
    let daemon = daemon(listen);
    for to in ["http://127.0.0.1:{a}", "ws://127.0.0.1:{a}/ws", "tcp://127.0.0.1:{b}"] {
        for id in ["backup(daily)", "backup daily"] {
            let (code, said) = Client::new(&daemon.place).args(&["send", "--to", to, "--id", id]).run();
            assert_eq!(code, 64, "{to}: {said}");
            assert!(said.contains("; the nearest valid one: backup-daily\n"), "{to}: {said}");
            let line = ["--lang", "zh", "send", "--to", to, "--id", id];
            let (_, said) = Client::new(&daemon.place).args(&line).run();
            assert!(said.contains("只能由任何文字的字母"), "{to}: {said}");
            assert!(said.contains("；最接近的有效标识：backup-daily\n"), "{to}: {said}");
        }
    }
}

#[test]
fn a_long_message_is_cut_and_said_to_be_whatever_it_goes_by() {
    let listen = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n";
    let daemon = daemon(listen);
    let message = format!("begin {} end", "x".repeat(100_000));
    for to in ["http://127.0.0.1:{a}", "ws://127.0.0.1:{a}/ws", "tcp://127.0.0.1:{b}"] {
        let line = ["send", "--to", to, "--id", "job", "--status", "fail", "-m", &message];
        let (code, said) = Client::new(&daemon.place).args(&line).run();
        assert_eq!(
            (code, said.as_str()),
            (0, "heartbeat: the beat counts, but message: cut to 10000 bytes\n"),
            "{to}"
        );
        let job = daemon.monitor("job");
        assert_eq!(job["state"], "down", "{to}");
        let kept = job["message"].as_str().unwrap();
        assert!(kept.starts_with("begin x") && kept.ends_with("x end") && kept.len() <= 10_000, "{to}");
        let line = ["send", "--to", to, "--id", "job", "--rid", &"r".repeat(65)];
        let (code, said) = Client::new(&daemon.place).args(&line).run();
        assert!(
            code == 0 && said.contains("but rid: left out") || said.contains("but rid left out"),
            "{to}: {said}"
        );
        assert_eq!(daemon.monitor("job")["state"], "up", "{to}");
    }
}

#[test]
fn a_failure_and_an_exit_code_are_reported() {
    let daemon = daemon("");
    for (status, state) in [("fail", "down"), ("ok", "up"), ("3", "down"), ("0", "up")] {
        let client = Client::new(&daemon.place);
        let line = ["send", "--to", "127.0.0.1:{a}", "--id", "job", "--status", status];
        assert_eq!(client.args(&line).run(), (0, String::new()));
        assert_eq!(daemon.monitor("job")["state"], state, "{status}");
    }
}

#[test]
fn without_an_id_it_is_the_machine() {
    let daemon = daemon("");
    assert_eq!(Client::new(&daemon.place).args(&["send", "--to", "127.0.0.1:{a}"]).run().0, 0);
    let host = nix::unistd::gethostname().unwrap();
    assert_eq!(daemon.monitor(&host.to_string_lossy())["state"], "up");
}

#[test]
fn a_unix_socket_and_a_path_are_possible() {
    let daemon = daemon("[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\naddress = \"unix:{dir}/s\"\n");
    assert_eq!(Client::new(&daemon.place).args(&["send", "--to", "unix:{dir}/s", "--id", "u"]).run().0, 0);
    assert_eq!(daemon.monitor("u")["state"], "up");
    let line = ["send", "--to", "http://127.0.0.1:{a}/api/v1/beats", "--id", "v"];
    assert_eq!(Client::new(&daemon.place).args(&line).run().0, 0);
    let (code, said) =
        Client::new(&daemon.place).args(&["send", "--to", "http://127.0.0.1:{a}/elsewhere"]).run();
    assert_eq!(code, 66, "{said}");
}

#[test]
fn a_token_is_shown_where_one_is_wanted() {
    let setup = Setup::new("[access]\nbeat_tokens = [{ file = \"{dir}/tokens\" }]\n");
    let daemon = setup.file("tokens", "0123456789abcdef0123\n").start();
    let send = |more: &[&str]| {
        let client = Client::new(&daemon.place).args(&["send", "--to", "127.0.0.1:{a}", "--id", "x"]);
        client.args(more).run()
    };
    let (code, said) = send(&[]);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("401") && said.contains("access.beat_tokens"), "{said}");
    daemon.place.write("token", "0123456789abcdef0123\n");
    let (code, said) = send(&["--token-file", "{dir}/token"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("can be read by everybody"), "{said}");
}

#[test]
fn whatever_is_no_acknowledgement_is_a_failure_in_one_sentence() {
    let place = crate::harness::Place::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|a| (a.port(), silent)).unwrap();
    for (to, code, says) in [
        (format!("http://127.0.0.1:{}", place.port('d')), 69, "connection refused"),
        (format!("tcp://127.0.0.1:{}", place.port('d')), 69, "connection refused"),
        ("unix:{dir}/none".into(), 69, "is the server running?"),
        ("http://no-such-host.invalid".into(), 69, "no-such-host.invalid"),
        (format!("http://127.0.0.1:{}", silent.0), 69, "no answer"),
        (format!("ws://127.0.0.1:{}", silent.0), 69, "no answer"),
        (format!("tcp://127.0.0.1:{}", silent.0), 69, "no answer"),
        (format!("http://127.0.0.1:{}", says_ssh()), 76, "not HTTP"),
        (format!("ws://127.0.0.1:{}", says_ssh()), 76, "not HTTP"),
        (format!("tcp://127.0.0.1:{}", says_ssh()), 76, "SSH-2.0"),
        (format!("http://127.0.0.1:{}", says(HELLO)), 76, "no JSON"),
        (format!("http://127.0.0.1:{}", says(NOT_FOUND)), 66, "404"),
        (format!("ws://127.0.0.1:{}", says(NOT_FOUND)), 76, "404"),
        (format!("tcp://127.0.0.1:{}", says(b"ERR no such thing\n")), 65, "no such thing"),
        (format!("tcp://127.0.0.1:{}", says(b"")), 69, "closed"),
    ] {
        let line = ["send", "--to", &to, "--id", "x", "--timeout", "500ms"];
        let (found, said) = Client::new(&place).args(&line).run();
        assert_eq!(found, code, "{to}: {said}");
        assert!(said.contains(says) && said.starts_with("heartbeat: "), "{to}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let (found, said) = Client::new(&place).args(&line).args(&["--lang", "zh"]).run();
        assert_eq!(found, code, "{to}: {said}");
        assert!(!said.is_ascii(), "{to}: {said}");
    }
}

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

fn says_ssh() -> u16 {
    says(b"SSH-2.0-OpenSSH_9.2\r\n")
}

#[test]
fn a_line_that_is_acknowledged_is_enough() {
    let place = crate::harness::Place::new();
    let to = format!("tcp://127.0.0.1:{}", says(b"OK 60\n"));
    assert_eq!(Client::new(&place).args(&["send", "--to", &to, "--id", "x"]).run(), (0, String::new()));
    let (code, said) = Client::new(&place).args(&["send", "--to", &to, "--id", "x", "-m", "text"]).run();
    assert_eq!(code, 0, "{said}");
    let (code, said) = Client::new(&place).args(&["send", "--to", &to, "--id", "x", "--tags", "a"]).run();
    assert_eq!((code, said.as_str()), (0, ""));
    let line = ["send", "--to", &to, "--id", "x", "--tags", "two words,a"];
    let (code, said) = Client::new(&place).args(&line).run();
    assert!(code == 0 && said.contains("tags: left out, raw TCP carries no spaces"), "{said}");
}

#[test]
fn a_wrong_configuration_names_its_line() {
    let place = crate::harness::Place::new();
    place.write("client.toml", "to = \"http://x\"\nevry = 3\n");
    let (code, said) = Client::new(&place).args(&["send", "--config", "{dir}/client.toml"]).run();
    assert_eq!(code, 78);
    assert!(said.contains("client.toml:2: evry: unknown key"), "{said}");
    assert_eq!(Client::new(&place).args(&["send", "--config", "{dir}/none.toml"]).run().0, 66);
    assert_eq!(Client::new(&place).args(&["send", "--frob"]).run().0, 64);
}
