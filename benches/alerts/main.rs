//! What it costs to tell of 100,000 monitors that go down at once: how many messages that makes, how much memory, and how
//! many beats of others are taken meanwhile.
//!
//! A crowd promises to beat and falls silent; another sender goes on beating as fast as it is answered, before and while
//! the crowd goes down, is told of, comes back and is told of again. The bench ends with 1 when a monitor is in no
//! message or in two, when there are more than a few messages, or when fewer than 80 % of the beats of the undisturbed
//! time were taken.
//!
//! `make bench` runs it; `cargo bench --bench alerts -- --monitors 20000` chooses.

#![allow(clippy::print_stdout)] // its lines are what it is for
#![allow(clippy::disallowed_methods)] // a measurement reads the clock

use serde_json::Value;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long beats are counted while nothing happens.
const UNDISTURBED: Duration = Duration::from_secs(10);
/// Longest wait for everybody to be told of.
const TOLD_MAX: Duration = Duration::from_secs(120);
/// What the crowd promises.
const INTERVAL_S: u64 = 20;
/// Monitors in one request.
const BATCH: u64 = 10_000;
/// Messages that may be made of one going and one coming; each monitor takes its time to be found.
const MESSAGES_MAX: usize = 20;
/// The least share of the undisturbed beats.
const SHARE_MIN: f64 = 0.8;

/// The daemon; killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Outcome<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = words.iter().position(|word| word == "--monitors").and_then(|at| words.get(at + 1));
    let monitors: u64 = asked.map_or(Ok(100_000), |text| text.parse())?;
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("alerts-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let done = run(&scratch, monitors);
    fs::remove_dir_all(&scratch)?;
    done
}

fn run(scratch: &Path, monitors: u64) -> Outcome<ExitCode> {
    let (receiver, told) = receive()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let daemon = start(scratch, port, receiver, monitors)?;
    let (beats, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counting, ending) = (beats.clone(), over.clone());
    let sender = std::thread::spawn(move || hammer(port, &counting, &ending).map_err(|e| e.to_string()));
    let mut crowd = Conn::new(port)?;
    crowd.beat_all(monitors, &format!(",\"interval\":{INTERVAL_S},\"grace\":0"))?;
    let before_bytes = resident(&daemon)?;
    let undisturbed = count(&beats, |began| began.elapsed() >= UNDISTURBED);
    // They fall silent at the same moment, and are told of group_wait later.
    std::thread::sleep(Duration::from_secs(INTERVAL_S).saturating_sub(UNDISTURBED + Duration::from_secs(2)));
    let mut most_bytes = 0;
    let mut wait_for = |kind: &str, wanted: u64| {
        count(&beats, |began| {
            most_bytes = most_bytes.max(resident(&daemon).unwrap_or(0));
            summed(&told, kind).1 >= wanted || began.elapsed() >= TOLD_MAX
        })
    };
    let going = wait_for("down", monitors);
    crowd.beat_all(monitors, ",\"interval\":\"1h\"")?;
    let coming = wait_for("recovered", monitors);
    over.store(true, Relaxed);
    sender.join().map_err(|_| "the sender panicked")??;
    let mut wrong = false;
    for (what, kind, rate) in [("going down", "down", going), ("coming back", "recovered", coming)] {
        let (messages, named) = summed(&told, kind);
        let share = rate / undisturbed;
        println!(
            "alerts: {monitors} monitors {what}: {messages} messages of {named} monitors; {rate:.0} beats/s of another \
             sender taken meanwhile, {:.0} % of the undisturbed {undisturbed:.0}, target >= 80 %",
            share * 100.0
        );
        wrong |= named != monitors || messages > MESSAGES_MAX || share < SHARE_MIN;
    }
    println!(
        "alerts: memory: {:.0} MiB before, {:.0} MiB at most ({:.0} bytes for each that is down)",
        before_bytes as f64 / 1048576.0,
        most_bytes as f64 / 1048576.0,
        most_bytes.saturating_sub(before_bytes) as f64 / monitors as f64
    );
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Messages of a kind, and how many monitors they are about.
fn summed(told: &Mutex<Vec<Value>>, kind: &str) -> (usize, u64) {
    let told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let of_kind: Vec<u64> =
        told.iter().filter(|one| one["kind"] == kind).filter_map(|one| one["count"].as_u64()).collect();
    (of_kind.len(), of_kind.iter().sum())
}

/// Beats a second that were taken until something holds.
fn count(beats: &AtomicU64, mut holds: impl FnMut(Instant) -> bool) -> f64 {
    let (began, before) = (Instant::now(), beats.load(Relaxed));
    while !holds(began) {
        std::thread::sleep(Duration::from_millis(50));
    }
    (beats.load(Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
}

fn resident(daemon: &Daemon) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn start(scratch: &Path, port: u16, receiver: u16, monitors: u64) -> Outcome<Daemon> {
    let config = scratch.join("config.toml");
    fs::write(
        &config,
        format!(
            "[limits]\nmonitors = {}\n[log]\ntargets = [\"file:{}\"]\nbeats = false\n[defaults]\nnotify = [\"ops\"]\n\
             interval = \"1h\"\n[[notifier]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{receiver}/\"\n",
            monitors + 10,
            scratch.join("heartbeat-server.log").display()
        ),
    )?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_heartbeat-server"));
    command.arg("--config").arg(config).arg("--state-dir").arg(scratch.join("state"));
    command.arg("--http").arg(format!("127.0.0.1:{port}")).arg("--tcp").arg("off");
    command.env("HEARTBEAT_CONTROL", "off").env_remove("NOTIFY_SOCKET");
    let daemon =
        Daemon(command.stdout(Stdio::null()).stderr(fs::File::create(scratch.join("stderr"))?).spawn()?);
    let began = Instant::now();
    while Conn::new(port).is_err() {
        if began.elapsed() > TOLD_MAX {
            return Err(fs::read_to_string(scratch.join("stderr"))?.into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(daemon)
}

/// A connection that is kept.
struct Conn(BufReader<TcpStream>);

impl Conn {
    fn new(port: u16) -> Outcome<Conn> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TOLD_MAX))?;
        Ok(Conn(BufReader::new(stream)))
    }

    /// Sends a body and waits for its answer. Errors: it was not taken.
    fn post(&mut self, body: &str) -> Outcome<()> {
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        let (first, body) = read(&mut self.0)?.ok_or("the daemon closed the connection")?;
        if first.contains(" 200 ") {
            Ok(())
        } else {
            Err(format!("{first}{}", String::from_utf8_lossy(&body)).into())
        }
    }

    fn beat_all(&mut self, monitors: u64, asks: &str) -> Outcome<()> {
        for from in (0..monitors).step_by(BATCH as usize) {
            let beat = |n: u64| format!("{{\"id\":\"crowd-{n:06}\"{asks}}}\n");
            self.post(&(from..(from + BATCH).min(monitors)).map(beat).collect::<String>())?;
        }
        Ok(())
    }
}

/// The first line and the body of a message; `None`: no more come.
fn read(reader: &mut BufReader<TcpStream>) -> Outcome<Option<(String, Vec<u8>)>> {
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((first, body)))
}

/// Beats as fast as it is answered.
fn hammer(port: u16, beats: &AtomicU64, over: &AtomicBool) -> Outcome<()> {
    let mut conn = Conn::new(port)?;
    while !over.load(Relaxed) {
        conn.post("{\"id\":\"steady\"}")?;
        beats.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Somebody who is told and remembers it: a port, and what came.
fn receive() -> Outcome<(u16, Arc<Mutex<Vec<Value>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (port, told) = (listener.local_addr()?.port(), Arc::new(Mutex::new(Vec::new())));
    let all: Arc<Mutex<Vec<Value>>> = told.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            while let Ok(Some((_, body))) = read(&mut reader) {
                let json = serde_json::from_slice(&body).unwrap_or_default();
                all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(json);
                if reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                    break;
                }
            }
        }
    });
    Ok((port, told))
}
