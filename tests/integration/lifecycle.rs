//! Starting, failing to start, reloading, stopping.

use crate::client::{Conn, beat, get};
use crate::harness::{Place, Setup, daemon, until};
use crate::skip::skip;
use nix::sys::signal::Signal;
use serde_json::json;
use std::net::TcpStream;

#[test]
fn a_port_that_is_taken_names_its_holder() {
    let first = daemon("");
    let (code, said) = Setup::bare().args(&["--http", &first.address()]).run();
    assert_eq!(code, 69, "{said}");
    for part in [&first.address(), &format!("pid {}", first.pid()), "heartbeat-server: cannot listen on"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let args = ["--lang", "zh", "--http", &first.address()];
    let (code, said) = Setup::bare().args(&args).run();
    assert!(code == 69 && said.contains("无法监听"), "{said}");
}

#[test]
fn an_address_that_is_not_there_yet_is_waited_for_and_the_others_are_served() {
    let config = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n\
                  [[listen]]\nname = \"lan\"\naddress = \"192.0.2.1:{b}\"\n\
                  [[listen]]\nname = \"vpn\"\naddress = \"heartbeat.invalid:{c}\"\n";
    let hb = daemon(config);
    assert_eq!(hb.beat("{}").status, 200);
    let ready = hb.get("/readyz");
    assert_eq!((ready.status, &ready.json()["degraded"]), (200, &json!(true)), "{}", ready.text());
    hb.signal(Signal::SIGUSR1);
    hb.wait_for_log("degraded: listener ");
    let log = hb.log();
    for (name, part) in [("lan", "192.0.2.1"), ("vpn", "heartbeat.invalid")] {
        let named = format!("listener {name} ");
        assert!(ready.json()["reasons"].to_string().contains(&named), "{}", ready.text());
        assert!(log.lines().any(|l| l.contains(&named) && l.contains(part)), "{log}");
    }
    // What another program has does not come by itself.
    let taken = config.replace("heartbeat.invalid:{c}", &hb.address());
    let (code, said) = Setup::new(&taken).run();
    assert!(code == 69 && said.contains("in use"), "{said}");
}

#[test]
fn a_state_directory_that_is_taken_names_its_holder() {
    let first = daemon("");
    let state = first.place.fill("{dir}/state");
    let (code, said) = Setup::bare().args(&["--http", "127.0.0.1:{a}", "--state-dir", &state]).run();
    // Its own --state-dir came first on the command line, which is a usage error by itself.
    assert_eq!(code, 64, "{said}");
    let place = Place::new();
    let address = place.fill("127.0.0.1:{a}");
    let output = place.command().args(["--http", &address, "--state-dir", &state]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains(&format!("pid {}", first.pid())) && said.contains(&state), "{said}");
    assert!(TcpStream::connect(&address).is_err(), "and leaves nothing behind");
    // However the holder ended, the directory is free once it is gone.
    let mut holder = first;
    for how in [Signal::SIGKILL, Signal::SIGTERM] {
        holder.signal(how);
        holder.wait();
        let config = holder.place.path("heartbeat-server.toml");
        let mut again = holder.place.command();
        again.arg("--config").arg(config).args(["--state-dir", &state]);
        holder = holder.replaced(again);
    }
}

#[test]
fn what_cannot_be_had_is_said_with_its_exit_code() {
    for (args, code, part) in [
        (&["--http", "1.2.3"][..], 64, "1.2.3"),
        (&["--http", "[::1:7777"], 64, "[::1:7777"),
        (&["--http", "192.0.2.1:{a}"], 75, "192.0.2.1"),
        (&["--http", "heartbeat.invalid:{a}"], 75, "heartbeat.invalid"),
        (&["--config", "{dir}/none.toml"], 66, "none.toml"),
        (&["check-config", "{dir}/none.toml"], 66, "none.toml"),
        (&["--http", "unix:{dir}/no/such/folder/s"], 74, "no/such/folder"),
        (&["--http", "127.0.0.1:{a}", "--log", "file:{dir}/no/such/folder/log"], 66, "no/such/folder"),
        (&["--http", "127.0.0.1:{a}", "--user", "nobody-of-that-name"], 67, "nobody-of-that-name"),
    ] {
        let (got, said) = Setup::bare().args(args).run();
        assert_eq!(got, code, "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn root_in_the_state_directory_of_another_leaves_only_files_of_the_other() {
    use std::os::unix::fs::MetadataExt;
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can work in the folder of another");
    }
    const OWNER: u32 = 54_321;
    let setup = Setup::new("[log]\ntargets = [\"stderr\", \"file:{dir}/state/log\"]\n");
    let state = setup.place().path("state");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(OWNER), Some(OWNER)).unwrap();
    let mut hb = setup.start();
    assert_eq!(hb.beat("{}").status, 200);
    hb.wait_for_log(&format!("going on as {OWNER}:{OWNER}"));
    hb.signal(Signal::SIGTERM);
    assert_eq!(hb.wait().code(), Some(0));
    let mut found = 0;
    let mut folders = vec![state];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let about = entry.metadata().unwrap();
            assert_eq!((about.uid(), about.gid()), (OWNER, OWNER), "{:?}", entry.path());
            folders.extend(about.is_dir().then(|| entry.path()));
            found += 1;
        }
    }
    assert!(found > 3, "there are a lock, tables, a journal and a log");
}

#[test]
fn a_wrong_configuration_is_told_with_file_line_and_key() {
    for (config, line, key) in [
        ("nonsense = 1\n", 1, "nonsense"),
        ("[limits]\nbody_bytes = \"1Q\"\n", 2, "limits.body_bytes"),
        ("[limits]\n\nheader_lines = 7\n", 3, "limits.header_lines"),
        ("[access]\nallow = [\n  \"10.0.0.0/8\",\n  \"10.0.0.0/33\",\n]\n", 4, "access.allow"),
        ("[defaults]\ninterval = \"100ms\"\n", 2, "defaults.interval"),
        ("[log]\ntargets = [\"stdout\"]\n", 2, "log.targets"),
        ("lang = \"en\nx", 1, ""),
    ] {
        let setup = Setup::new(config);
        let path = setup.place().fill("{dir}/heartbeat-server.toml");
        let (code, said) = setup.run();
        assert_eq!(code, 78, "{config}: {said}");
        assert!(said.contains(&format!("{path}:{line}: {key}")), "{config}: {said}");
        let setup = Setup::new(config).args(&["check-config"]);
        let path = setup.place().fill("{dir}/heartbeat-server.toml");
        let (code, said) = setup.run();
        assert!(code == 78 && said.contains(&format!("{path}:{line}: {key}")), "{said}");
    }
}

#[test]
fn a_configuration_is_checked_without_its_secrets_and_one_file_of_it_by_itself() {
    let config = "[access]\nadmin_tokens = [{ file = \"admin\" }]\nread_tokens = [{ credential = \"read\" }]\n\
        [[listen]]\naddress = \"127.0.0.1:{a}\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n\
        [[notifier]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"https://ops.example/{{secret.path}}\"\n\
        secrets = { path = { file = \"path\" } }\n";
    let (code, said) = Setup::new(config).args(&["check-config"]).run();
    assert_eq!(code, 66, "{said}");
    let (code, said) = Setup::new(config).args(&["check-config", "--offline"]).run();
    assert_eq!(code, 0, "{said}");
    for missing in
        ["admin is not here", "credential \"read\" is not here", "cert.pem is not here", "path is not here"]
    {
        assert!(said.contains(missing), "{missing}: {said}");
    }
    let (code, said) =
        Setup::new(&format!("{config}nonsense = 1\n")).args(&["check-config", "--offline"]).run();
    assert!(code == 78 && said.contains("nonsense: unknown key"), "what is wrong is wrong anywhere: {said}");

    // One file of conf.d names what another one defines.
    let rule = "[[monitor]]\nmatch = \"web-*\"\nnotify = [\"ops\"]\n";
    let setup = Setup::bare().args(&["check-config", "{dir}/conf.d/web.toml"]);
    std::fs::create_dir(setup.place().path("conf.d")).unwrap();
    let (code, said) = setup.file("conf.d/web.toml", rule).run();
    assert_eq!(code, 0, "{said}");
    let (code, said) = Setup::new(rule).args(&["check-config"]).run();
    assert!(code == 78 && said.contains("there is no notifier \"ops\""), "{said}");
}

#[test]
fn a_stop_answers_what_has_arrived_and_waits_for_nobody_idle() {
    for fast in [true, false] {
        let config = format!("[[listen]]\naddress = \"127.0.0.1:{{a}}\"\nfast_path = {fast}\n");
        let mut hb = daemon(&config);
        let mut idle: Vec<Conn> = (0..10).map(|_| hb.connect()).collect();
        for conn in &mut idle {
            conn.send(beat("{}"));
            assert_eq!(conn.reply().status, 200);
        }
        let mut half = hb.connect();
        half.send("POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 2\r\n\r\n{");
        let mut fresh = hb.connect();
        let mut question = hb.connect();
        // What has been answered shows that the server has seen what came before.
        until("all are in", || hb.get("/api/v1/status").json()["connections"].as_u64() >= Some(13));
        fresh.send(beat("{\"id\":\"last\"}"));
        question.send(get("/api/v1/status"));
        hb.signal(Signal::SIGTERM);
        let reply = fresh.reply();
        assert_eq!(reply.status, 200, "a request that was sent is answered (fast: {fast})");
        assert_eq!(question.reply().status, 200, "fast: {fast}");
        assert!(idle.iter_mut().all(Conn::is_closed), "idle ones are closed");
        // The half request holds the end up until it is whole.
        until("nobody new is let in", || TcpStream::connect(hb.address()).is_err());
        assert!(hb.is_running());
        half.send("}");
        let reply = half.reply();
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "fast: {fast}");
        assert!(half.is_closed());
        assert_eq!(hb.wait().code(), Some(0));
        assert!(hb.log().ends_with(" - server stopped\n"), "{}", hb.log());
        assert!(hb.log().contains("id: last"), "its line is in the log");
    }
}

#[test]
fn a_second_signal_goes_at_once() {
    let mut hb = daemon("");
    let mut half = hb.connect();
    half.send("POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 2\r\n\r\n{");
    until("it is in", || hb.get("/api/v1/status").json()["connections"].as_u64() >= Some(2));
    hb.signal(Signal::SIGINT);
    hb.wait_for_log("stopping: answering what has arrived");
    // Signals of one breath are one wish, so the second may have to be said again.
    let mut ended = None;
    until("the end", || {
        if hb.is_running() {
            hb.signal(Signal::SIGTERM);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        ended = (!hb.is_running()).then(|| hb.wait().code());
        ended.is_some()
    });
    assert_eq!(ended.flatten(), Some(143));
    assert!(half.is_closed());
}

#[test]
fn a_reload_puts_the_new_policy_in_force_and_a_bad_one_changes_nothing() {
    let hb = daemon("[defaults]\ninterval = \"60s\"\n");
    let mut kept = hb.connect();
    kept.send(beat("{}"));
    assert_eq!(kept.reply().status, 200);
    hb.place.configure("[access]\ndeny = [\"127.0.0.0/8\"]\n[defaults]\ninterval = \"5s\"\n");
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("configuration reloaded");
    assert_eq!(hb.beat("{}").json()["key"], json!("access.deny"));
    kept.send(beat("{}"));
    assert_eq!(kept.reply().status, 403, "for connections that stand already, too");

    hb.place.configure("[access]\nallow = [\"everybody\"]\n");
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("configuration not reloaded");
    let line = hb.place.fill("{dir}/heartbeat-server.toml:2: access.allow");
    assert!(hb.log().contains(&line), "{}", hb.log());
    assert_eq!(hb.beat("{}").status, 403, "the old one stays");

    hb.place
        .configure("lang = \"zh\"\n[limits]\nconnections = 50\n[[listen]]\naddress = \"127.0.0.1:{b}\"\n");
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("listen, limits.connections");
    assert_eq!(hb.beat(r#"{"id":"again"}"#).status, 200);
    hb.wait_for_log("收到心跳 - 来自: 127.0.0.1, 报告IP: -, 标识: again");
    assert!(TcpStream::connect(hb.address_of('b')).is_err(), "what cannot change has not");
}

#[test]
fn usr1_asks_how_things_stand() {
    let hb = daemon("");
    hb.beat(r#"{"id":"a"}"#);
    hb.beat(r#"{"id":"b","status":"fail"}"#);
    hb.signal(Signal::SIGUSR1);
    hb.wait_for_log("1 up, 0 late, 1 down; ");
}

#[test]
fn no_line_is_lost_or_doubled_while_the_log_is_rotated() {
    let hb = Setup::new("[log]\ntargets = [\"file:{dir}/log\"]\n").start();
    let address = hb.address();
    let sending = std::thread::spawn(move || {
        let mut conn = Conn::tcp(&address);
        for n in 0..3_000 {
            conn.send(beat(&format!("{{\"id\":\"line-{n}\"}}")));
            assert_eq!(conn.reply().status, 200);
        }
    });
    for turn in 0..5 {
        until("something is in the log", || hb.place.read("log").contains("heartbeat received"));
        std::fs::rename(hb.place.path("log"), hb.place.path(&format!("log.{turn}"))).unwrap();
        hb.signal(Signal::SIGHUP);
        until("a new file", || hb.place.path("log").exists());
        if sending.is_finished() {
            break;
        }
    }
    sending.join().unwrap();
    until("the last line", || {
        (0..5)
            .map(|t| format!("log.{t}"))
            .chain(["log".into()])
            .any(|f| hb.place.read(&f).contains("id: line-2999\n"))
    });
    let all: String =
        (0..5).map(|t| hb.place.read(&format!("log.{t}"))).collect::<String>() + &hb.place.read("log");
    let mut lines: Vec<u32> =
        all.lines().filter_map(|l| l.split_once("id: line-")).map(|(_, n)| n.parse().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, (0..3_000).collect::<Vec<_>>());
}

#[test]
fn a_log_grows_no_longer_than_it_may() {
    let hb = Setup::new("[log]\ntargets = [\"file:{dir}/log\"]\nfile_bytes_max = \"64K\"\nfile_keep = 2\n")
        .start();
    let mut conn = hb.connect();
    let many: String = (0..500).map(|n| format!("{{\"id\":\"some-host-with-a-name-{n}\"}}\n")).collect();
    for _ in 0..12 {
        conn.send(beat(&many));
        assert_eq!(conn.reply().json()["accepted"], json!(500));
    }
    until("the last line", || hb.place.read("log").ends_with("id: some-host-with-a-name-499\n"));
    let sizes: Vec<u64> = std::fs::read_dir(hb.place.path("."))
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.file_name().to_string_lossy().starts_with("log"))
        .map(|e| e.metadata().unwrap().len())
        .collect();
    assert_eq!(sizes.len(), 3, "the file and two that were set aside: {sizes:?}");
    assert!(sizes.iter().all(|s| *s <= 64 * 1024), "{sizes:?}");
}

#[test]
fn into_the_background_and_back() {
    let place = Place::new();
    place.configure("[log]\ntargets = [\"file:{dir}/log\"]\n");
    let start = |more: &[&str]| {
        let config = place.path("heartbeat-server.toml");
        let mut command = place.command();
        command.arg("--daemon").arg("--config").arg(&config).arg("--state-dir").arg(place.path("state"));
        command.arg("--pid-file").arg("pid").args(more).output().unwrap()
    };
    let output = start(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The parent returned, so it answers, without any waiting.
    let address = place.fill("127.0.0.1:{a}");
    let mut conn = Conn::tcp(&address);
    conn.send(beat(r#"{"id":"x"}"#));
    assert_eq!(conn.reply().status, 200);
    let pid: i32 = place.read("pid").trim().parse().unwrap();
    // Whatever happens below, it must not outlive the test.
    let end = End(pid);
    until("a line in its log", || place.read("log").contains("heartbeat received"));
    let second = start(&[]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(69), "what fails reaches the caller: {said}");
    assert!(said.contains(&format!("pid {pid}")), "{said}");
    assert_eq!(place.read("pid").trim(), pid.to_string(), "and changes nothing");
    drop(conn);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    until("its end", || !place.path("pid").exists() && TcpStream::connect(&address).is_err());
    until("its last word", || place.read("log").contains("server stopped"));
    drop(end);
    let bad = start(&["--log", "file:/no/such/folder/log"]);
    assert_eq!(bad.status.code(), Some(66), "{}", String::from_utf8_lossy(&bad.stderr));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("/no/such/folder"));
}

/// Ends a process that is no child of ours.
struct End(i32);

impl Drop for End {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0), Signal::SIGKILL);
    }
}
