//! The client over every transport there is: one beat, a wrapped job, and an agent whose server dies and comes back.

use crate::harness::{CLIENT, Client, Daemon, Setup, until};
use crate::tls::Authority;
use nix::sys::signal::Signal;
use std::fs::File;
use std::process::{Child, Stdio};

const DAY_S: u64 = 86_400;

/// Where to reach a server that listens everywhere.
const URLS: [(&str, &str); 7] = [
    ("http", "http://localhost:{a}"),
    ("unix", "unix:{dir}/s"),
    ("https", "https://localhost:{b}"),
    ("ws", "ws://localhost:{a}"),
    ("wss", "wss://localhost:{b}/ws"),
    ("tcp", "tcp://localhost:{c}"),
    ("tls", "tls://localhost:{d}"),
];

/// A server that listens everywhere, with an authority that the client does not know by itself.
fn everywhere(top: &str) -> Daemon {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("server", &["localhost"], 90 * DAY_S);
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let listen = format!(
        "[[listen]]\naddress = \"127.0.0.1:{{a}}\"\n\
         [[listen]]\naddress = \"unix:{{dir}}/s\"\n\
         [[listen]]\naddress = \"127.0.0.1:{{b}}\"\n{tls}\
         [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{{c}}\"\n\
         [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{{d}}\"\n{tls}"
    );
    let setup = Setup::new(&format!("{top}{listen}"));
    let setup = setup.file("cert.pem", &certificate).file("key.pem", &key).file("ca.pem", &authority.pem());
    setup.start()
}

fn client(daemon: &Daemon) -> Client<'_> {
    Client::new(&daemon.place).env("HEARTBEAT_CA", "{dir}/ca.pem")
}

#[test]
fn one_beat_and_a_job_over_each() {
    let daemon = everywhere("");
    for (name, url) in URLS {
        let line = ["send", "--to", url, "--id", name, "--interval", "10m", "-m", "all is well"];
        assert_eq!(client(&daemon).args(&line).run(), (0, String::new()), "{name}");
        let monitor = daemon.monitor(name);
        assert_eq!((monitor["state"].as_str(), monitor["interval_s"].as_f64()), (Some("up"), Some(600.0)));
        assert_eq!(monitor["message"], "all is well", "{name}");
        // The job waits until its start is known: one that is over before there is a connection has none.
        let job = format!("job-{name}");
        let script = "while [ ! -e {dir}/go ]; do sleep 0.02; done; echo one; echo two; exit 3";
        let line = ["run", "--to", url, "--id", &job, "--", "sh", "-c", script];
        let child = client(&daemon).args(&line).command().stdout(Stdio::piped()).spawn().unwrap();
        until("the start", || daemon.get(&format!("/api/v1/monitors/{job}")).status == 200);
        daemon.place.write("go", "");
        let output = child.wait_with_output().unwrap();
        std::fs::remove_file(daemon.place.path("go")).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"one\ntwo\n"[..]), "{name}");
        let monitor = daemon.monitor(&job);
        assert_eq!((monitor["state"].as_str(), monitor["beats"].as_u64()), (Some("down"), Some(2)), "{name}");
        assert!(monitor["message"].as_str().unwrap().starts_with("one"), "{monitor}");
    }
}

#[test]
fn a_token_is_shown_over_each() {
    let daemon = {
        let top = "[access]\nbeat_tokens = [{ file = \"{dir}/token\" }]\n";
        let authority = Authority::new();
        let (certificate, key) = authority.issue("server", &["localhost"], 90 * DAY_S);
        drop((certificate, key));
        let listen = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n\
                      [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{c}\"\n";
        Setup::new(&format!("{top}{listen}")).file("token", "0123456789abcdef0123\n").start()
    };
    for url in ["http://localhost:{a}", "ws://localhost:{a}", "tcp://localhost:{c}"] {
        let send = ["send", "--to", url, "--id", "x"];
        let (code, said) = Client::new(&daemon.place).args(&send).run();
        assert!(matches!(code, 65 | 77), "{url}: {said}");
        assert!(said.contains("access.beat_tokens") || said.contains("401"), "{url}: {said}");
        let with = Client::new(&daemon.place).args(&send).args(&["--token-file", "{dir}/token"]).run();
        assert_eq!(with.0, 0, "{url}: {}", with.1);
        daemon.place.write("wrong", "0123456789abcdefXXXX\n");
        let (code, said) =
            Client::new(&daemon.place).args(&send).args(&["--token-file", "{dir}/wrong"]).run();
        assert_eq!(code, 77, "{url}: {said}");
    }
}

#[test]
fn whoever_is_not_who_he_should_be_is_sent_nothing() {
    let daemon = everywhere("");
    for (url, says) in [
        ("https://localhost:{b}", "nobody known here has signed its certificate"),
        ("wss://localhost:{b}", "nobody known here has signed its certificate"),
        ("tls://localhost:{d}", "nobody known here has signed its certificate"),
        ("https://localhost:{a}", "TLS"),
    ] {
        let stranger = Authority::new();
        daemon.place.write("other.pem", &stranger.pem());
        let line = ["send", "--to", url, "--id", "x", "--ca", "{dir}/other.pem"];
        let (code, said) = Client::new(&daemon.place).args(&line).run();
        assert_eq!(code, 76, "{url}: {said}");
        assert!(said.contains(says), "{url}: {said}");
    }
    let (code, said) = client(&daemon).args(&["send", "--to", "https://127.0.0.1:{b}", "--id", "x"]).run();
    assert_eq!(code, 76, "a certificate for another name: {said}");
    let (code, said) =
        client(&daemon).args(&["send", "--to", "https://localhost:{b}", "--ca", "{dir}/none"]).run();
    assert_eq!(code, 66, "{said}");
    assert_eq!(daemon.get("/api/v1/monitors/x").status, 404);
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn agents_over_each_outlive_their_server() {
    let mut daemon = everywhere("");
    let agents: Vec<Agent> = URLS
        .iter()
        .map(|(name, url)| {
            let mut command = daemon.place.command_of(CLIENT);
            let url = daemon.place.fill(url);
            command.args(["agent", "--to", &url, "--id", name, "--every", "1s", "--timeout", "1500ms"]);
            command.env("HEARTBEAT_CA", daemon.place.path("ca.pem"));
            command.stdout(Stdio::null());
            command.stderr(File::create(daemon.place.path(&format!("{name}.log"))).unwrap());
            Agent(command.spawn().unwrap())
        })
        .collect();
    let log = |daemon: &Daemon, name: &str| daemon.place.read(&format!("{name}.log"));
    let beats = |daemon: &Daemon, name: &str| {
        let reply = daemon.get(&format!("/api/v1/monitors/{name}"));
        if reply.status == 200 { reply.json()["beats"].as_u64().unwrap_or(0) } else { 0 }
    };
    for (name, _) in URLS {
        until(&format!("two beats over {name}: {}", log(&daemon, name)), || beats(&daemon, name) >= 2);
    }
    daemon.signal(Signal::SIGKILL);
    daemon.wait();
    for (name, _) in URLS {
        until(&format!("the death over {name}"), || log(&daemon, name).contains("the server is dead: "));
    }
    let mut again = daemon.place.command();
    again.arg("--config").arg(daemon.place.path("heartbeat-server.toml"));
    again.arg("--state-dir").arg(daemon.place.path("state"));
    let daemon = daemon.replaced(again);
    for (name, _) in URLS {
        until(&format!("the return over {name}"), || log(&daemon, name).contains("the server is back: "));
        until(&format!("all that was kept over {name}"), || {
            let monitor = daemon.monitor(name);
            monitor["gaps"] == 0 && monitor["seq"].as_u64() > Some(4)
        });
        assert_eq!(log(&daemon, name).matches("is dead").count(), 1, "{name}: {}", log(&daemon, name));
    }
    drop(agents);
}
