//! `heartbeat run`: a job under it is what it would be without, and the server hears how it went.

use crate::harness::{Client, Place, daemon, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const JOB: &[&str] = &["run", "--to", "127.0.0.1:{a}", "--id", "job", "--", "sh", "-c"];

fn job<'a>(place: &'a Place, script: &str) -> Client<'a> {
    Client::new(place).args(JOB).args(&[script])
}

fn interrupt(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

#[test]
fn a_success_is_reported_with_the_end_of_its_output() {
    let daemon = daemon("");
    let output = job(&daemon.place, "echo out; echo err >&2; exit 0").command().output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    let monitor = daemon.monitor("job");
    assert_eq!((monitor["state"].as_str(), monitor["beats"].as_u64()), (Some("up"), Some(2)));
    let message = monitor["message"].as_str().unwrap();
    assert!(message.contains("out\n") && message.contains("err\n"), "{message:?}");
}

#[test]
fn the_jobs_own_exit_code_is_ours_and_the_servers() {
    let daemon = daemon("");
    for (script, code, exit_code, signal) in [
        ("exit 1", 1, Some(1), None),
        ("exit 255", 255, Some(255), None),
        ("kill -9 $$", 137, None, Some(9)),
        ("kill -TERM $$", 143, None, Some(15)),
    ] {
        assert_eq!(job(&daemon.place, script).run().0, code, "{script}");
        let monitor = daemon.monitor("job");
        assert_eq!(monitor["state"], "down", "{script}");
        assert_eq!(
            (monitor["exit_code"].as_i64(), monitor["signal"].as_i64()),
            (exit_code, signal),
            "{script}"
        );
        assert_eq!(job(&daemon.place, "true").run().0, 0);
        assert_eq!(daemon.monitor("job")["state"], "up");
    }
}

#[test]
fn what_cannot_be_run_ends_as_in_a_shell_and_is_reported() {
    let daemon = daemon("");
    daemon.place.write("plain.txt", "no program\n");
    for (program, code, says) in [("{dir}/none", 127, "not found"), ("{dir}/plain.txt", 126, "cannot be run")]
    {
        let line = ["run", "--to", "127.0.0.1:{a}", "--id", "job", program];
        let (found, said) = Client::new(&daemon.place).args(&line).run();
        assert_eq!(found, code, "{said}");
        assert!(said.contains(says), "{said}");
        let monitor = daemon.monitor("job");
        assert_eq!(monitor["state"], "down");
        assert!(monitor["message"].as_str().unwrap().contains(says), "{monitor}");
        assert_eq!(job(&daemon.place, "true").run().0, 0);
    }
}

#[test]
fn input_passes_through_and_long_output_unchanged() {
    let daemon = daemon("");
    let mut child =
        job(&daemon.place, "cat").command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| b'a' + (n % 23) as u8).collect();
    let (mut stdin, copy) = (child.stdin.take().unwrap(), sent.clone());
    let writing = std::thread::spawn(move || stdin.write_all(&copy).unwrap());
    let mut read = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut read).unwrap();
    writing.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(read == sent, "{} bytes of {}", read.len(), sent.len());
    let monitor = daemon.monitor("job");
    // Its beginning and its end, and how much is left out between them.
    let message = monitor["message"].as_str().unwrap().as_bytes();
    assert!((9_500..=10_000).contains(&message.len()), "{} bytes", message.len());
    assert!(message.starts_with(&sent[..2_000]) && message.ends_with(&sent[sent.len() - 7_500..]));
}

#[test]
fn a_job_is_reported_under_the_nearest_id_when_its_own_makes_no_monitor() {
    let listen = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n";
    let daemon = daemon(listen);
    for (to, id, taken) in [
        ("http://127.0.0.1:{a}", "backup(daily)", Some("backup-daily")),
        ("ws://127.0.0.1:{a}/ws", "-x", Some("x")),
        ("tcp://127.0.0.1:{b}", "it's", Some("it-s")),
        ("http://127.0.0.1:{a}", "a//b", Some("a-b")),
        ("http://127.0.0.1:{a}", "💾", None),
        ("http://127.0.0.1:{a}", "", None),
    ] {
        let line = ["run", "--to", to, &format!("--id={id}"), "--", "sh", "-c", "exit 3"];
        let (code, said) = Client::new(&daemon.place).args(&line).run();
        assert_eq!(code, 3, "{said}");
        let taken = taken.unwrap_or_else(|| {
            let word = said.split_whitespace().find(|word| word.contains("-sh"));
            word.unwrap_or_default().trim_end_matches(':')
        });
        let monitor = daemon.monitor(taken);
        assert_eq!(monitor["exit_code"], 3, "{id}: {said}");
        assert!(said.contains(&format!("as {taken}")) && said.lines().count() <= 2, "{said}");
    }
}

#[test]
fn the_job_runs_whatever_the_server_does() {
    let place = Place::new();
    let silent = TcpListener::bind(("127.0.0.1", place.port('b'))).unwrap();
    place.write("broken.toml", "nonsense = 1\n");
    for (more, says) in [
        (&["--to", "http://127.0.0.1:{a}"][..], "connection refused"),
        (&["--to", "http://127.0.0.1:{b}"][..], "no answer"),
        (&["--to", "tcp://127.0.0.1:{b}"][..], "no answer"),
        (&["--to", "http://no-such-host.invalid"][..], "no-such-host.invalid"),
        (&["--config", "{dir}/broken.toml"][..], "broken.toml:1: nonsense"),
    ] {
        let line = ["--timeout", "400ms", "--retry-for", "1s", "--", "sh", "-c", "echo done; exit 5"];
        let client = Client::new(&place).args(&["run", "--id", "job"]).args(more).args(&line);
        let (code, said) = client.run();
        assert_eq!(code, 5, "{more:?}: {said}");
        assert!(said.starts_with("done\n") && said.contains(says), "{more:?}: {said}");
    }
    drop(silent);
}

#[test]
fn a_silent_server_does_not_hold_up_the_start() {
    let place = Place::new();
    let silent = TcpListener::bind(("127.0.0.1", place.port('a'))).unwrap();
    // The job sees the server's socket before anything was accepted there: it runs while its start waits for an answer.
    let line = ["run", "--to", "127.0.0.1:{a}", "--id", "x", "--timeout", "1d", "--", "echo", "done"];
    let mut child =
        Client::new(&place).args(&line).args(&[]).command().stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "done\n");
    assert!(child.try_wait().unwrap().is_none(), "it tries to report for a while");
    interrupt(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0), "whoever wants an end gets it, with the job's code");
    drop(silent);
}

#[test]
fn a_server_that_comes_back_hears_the_result() {
    let place = Place::new();
    place.configure("");
    let line = ["--retry-for", "60s", "--", "sh", "-c", "echo output; exit 4"];
    let run = ["run", "--to", "127.0.0.1:{a}", "--id", "job"];
    let mut child =
        Client::new(&place).args(&run).args(&line).command().stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    // Only now is there a server, in a place of its own but on that port.
    let config = format!("[[listen]]\naddress = \"127.0.0.1:{}\"\n", place.port('a'));
    let daemon = crate::harness::Setup::new(&config).spawn();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let mut conn = crate::client::Conn::tcp(&format!("127.0.0.1:{}", place.port('a')));
    conn.send(crate::client::get("/api/v1/monitors/job"));
    let monitor = conn.reply().json();
    assert_eq!(monitor["state"], "down");
    assert!(monitor["message"].as_str().unwrap().starts_with("output\n[exit code 4 after"), "{monitor}");
    drop(daemon);
}

#[test]
fn signals_go_on_to_the_job() {
    let daemon = daemon("");
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGUSR1, "USR1"),
    ] {
        let script =
            format!("trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.05; done");
        let job = Client::heeding_signals(&daemon.place).args(JOB).args(&[&script]);
        let mut child = job.command().stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        interrupt(&child, signal);
        assert_eq!(lines.next().unwrap().unwrap(), format!("got {name}"));
        assert_eq!(child.wait().unwrap().code(), Some(9), "{name}");
        assert_eq!(daemon.monitor("job")["state"], "down");
    }
}

#[test]
fn what_nohup_protects_stays_protected() {
    let place = Place::new();
    let script = "trap '' HUP; exec \"$0\" run --to 127.0.0.1:1 --retry-for 100ms --id x -- \
        sh -c 'kill -HUP $PPID $$; echo alive'";
    let output = place.command_of("sh").args(["-c", script, crate::harness::CLIENT]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "alive\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_grandchild_that_keeps_the_output_open_is_not_waited_for() {
    let daemon = daemon("");
    let began = Instant::now();
    let (code, said) = job(&daemon.place, "sleep 300 & echo $!; exit 0").run();
    assert_eq!(code, 0);
    assert!(began.elapsed() < Duration::from_secs(200), "it waited for the grandchild");
    let pid: i32 = said.trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    assert_eq!(daemon.monitor("job")["state"], "up");
}

#[test]
fn a_reader_that_goes_away_ends_the_job_as_it_would_without_us() {
    let daemon = daemon("");
    let mut child = job(&daemon.place, "exec yes").command().stdout(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 10];
    child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
    drop(child.stdout.take());
    // yes(1) is killed by SIGPIPE, 13, or sees the error and exits 1.
    assert!(matches!(child.wait().unwrap().code(), Some(141 | 1)));
    until("the report", || daemon.monitor("job")["state"] == "down");
}

const HERE: &str = "--to=127.0.0.1:{a}";

/// Options of `run`, what stands in the environment, the id it is reported under (none: nowhere), and what is said.
type Flaw = (&'static [&'static str], (&'static str, &'static str), Option<&'static str>, &'static str);

#[test]
fn the_job_runs_and_is_reported_whatever_is_wrong_with_our_own_options() {
    let daemon = daemon("");
    let place = &daemon.place;
    place.write("unknown.toml", "nonsense = 1\nto = \"http://127.0.0.1:{a}\"\n");
    place.write("broken.toml", "to = ");
    let nothing = ("X", "");
    let flaws: &[Flaw] = &[
        (&[HERE, "--id", "my job"], nothing, Some("my-job"), "--id"),
        (&[HERE, "--id", "own", "name"], nothing, Some("own"), "name"),
        (&[HERE, "--id=50%"], nothing, Some("50"), "--id"),
        (&[HERE, "--id", "a1", "--every", "5m"], nothing, Some("a1"), "--every"),
        (&[HERE, "--id", "a2", "--retry-for", "soon"], nothing, Some("a2"), "--retry-for"),
        (&[HERE, "--id", "a3", "--lang", "fr"], nothing, Some("a3"), "--lang"),
        (&[HERE, "--id", "a4", "--id", "a5"], nothing, Some("a5"), "twice"),
        (&[HERE], ("HEARTBEAT_ID", "my own"), Some("my-own"), "HEARTBEAT_ID"),
        (&[HERE, "--id", "b1"], ("HEARTBEAT_TIMEOUT", "soon"), Some("b1"), "HEARTBEAT_TIMEOUT"),
        (&[HERE, "--id", "b2"], ("HEARTBEAT_URL", "ftp://x"), Some("b2"), ""),
        (&[HERE, "--id", "b3"], ("HEARTBEAT_LANG", "fr"), Some("b3"), "HEARTBEAT_LANG"),
        (&[HERE, "--id", "b4", "--token-file", "{dir}/none"], nothing, Some("b4"), "none"),
        (&[HERE, "--id", "b5", "--cert", "{dir}/none"], nothing, Some("b5"), "cert and key"),
        (&[HERE, "--id", "c1", "--config", "{dir}/none.toml"], nothing, Some("c1"), "none.toml"),
        (&[HERE, "--id", "c2", "--config", "{dir}/broken.toml"], nothing, Some("c2"), "broken.toml"),
        (&[HERE, "--id", "c3", "--config", "{dir}"], nothing, Some("c3"), "is a directory"),
        (&["--id", "c4", "--config", "{dir}/unknown.toml"], nothing, Some("c4"), "unknown.toml:1"),
        (&["--to", "ftp://x", "--id", "d1"], ("HEARTBEAT_URL", "127.0.0.1:{a}"), Some("d1"), "--to"),
        (&["--to", "ftp://x", "--id", "d2"], nothing, None, "not reported"),
        (&["--id", "d3"], ("HEARTBEAT_URL", "ftp://x"), None, "not reported"),
        (&["--id", "d4", "--config", "{dir}/broken.toml"], nothing, None, "not reported"),
    ];
    for (options, (name, value), id, says) in flaws {
        let client = Client::new(place).args(&["run"]).args(options).env(name, value);
        let (code, said) = client.args(&["--", "sh", "-c", "echo done; exit 5"]).run();
        assert!(code == 5 && said.contains("done\n"), "{options:?}: {code}: {said}");
        assert!(said.contains(says), "{options:?}: {said}");
        match id {
            Some(id) => assert_eq!(daemon.monitor(id)["state"], "down", "{options:?}: {said}"),
            None => assert!(!said.contains("cannot reach"), "nobody else is told: {said}"),
        }
    }
}

#[test]
fn a_job_without_a_name_is_reported_under_its_programs() {
    let daemon = daemon("");
    daemon.place.write("heartbeat-client.toml", "id = \"this-machine\"\nto = \"http://127.0.0.1:{a}\"\n");
    let (code, said) = Client::new(&daemon.place).args(&["run", "--", "sh", "-c", "exit 3"]).run();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("give it one with --id"), "{said}");
    let monitors = daemon.get("/api/v1/monitors").json()["monitors"].as_array().unwrap().clone();
    let [monitor] = monitors.as_slice() else { panic!("{monitors:?}") };
    assert!(monitor["id"].as_str().unwrap().ends_with("-sh") && monitor["state"] == "down", "{monitor}");
}

#[test]
fn only_a_missing_command_is_an_error_of_usage() {
    let place = Place::new();
    for line in [&["run"][..], &["run", "--id", "x"], &["run", "--id", "my job", "--"]] {
        let (code, said) = Client::new(&place).args(line).run();
        assert_eq!(code, 64, "{line:?}: {said}");
    }
}

#[test]
fn where_there_is_no_room_for_us_the_job_takes_our_place() {
    let place = Place::new();
    for room in [4, 5, 6, 8, 12, 16, 20, 24, 28] {
        let script = format!(
            "ulimit -n {room}; exec \"$0\" run --to 127.0.0.1:1 --retry-for 100ms --id x -- \
            sh -c 'echo done; exit 5'"
        );
        let output = place.command_of("sh").args(["-c", &script, crate::harness::CLIENT]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{room}: {said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{room}: {said}");
    }
}

const OVER_TCP: &[&str] =
    &["run", "--to", "tcp://127.0.0.1:{b}", "--id", "job", "--", "sh", "-c", "echo half; kill -9 $$"];

#[test]
fn a_signal_is_told_over_raw_tcp_too() {
    let daemon = daemon(
        "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n",
    );
    let (code, said) = Client::new(&daemon.place).args(OVER_TCP).run();
    assert_eq!((code, said.as_str()), (137, "half\n"));
    let monitor = daemon.monitor("job");
    assert_eq!((monitor["signal"].as_u64(), monitor["state"].as_str()), (Some(9), Some("down")), "{monitor}");
}

#[test]
fn a_server_that_knows_no_signals_hears_the_exit_code_of_a_shell() {
    let place = Place::new();
    let server = TcpListener::bind(("127.0.0.1", place.port('b'))).unwrap();
    let heard = std::thread::spawn(move || {
        let (mut conn, _) = server.accept().unwrap();
        let mut heard = Vec::new();
        for line in BufReader::new(conn.try_clone().unwrap()).lines().map_while(Result::ok) {
            // As 0.4.0 answered a word that it did not know.
            let answer = if line.contains(" signal=") { "ERR write BEAT ID [seq=N]\n" } else { "OK 60\n" };
            heard.push(line);
            if conn.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
        heard
    });
    assert_eq!(Client::new(&place).args(OVER_TCP).run().0, 137);
    let heard = heard.join().unwrap();
    let last = heard.last().unwrap();
    assert!(last.contains(" status=137 ") && !last.contains("signal="), "{heard:?}");
}
