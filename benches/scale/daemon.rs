//! The daemon under test: the release binary as a child of ours, and what the kernel and its own metrics say of it.

use crate::Outcome;
use crate::clock::now;
use crate::load::Client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest start that is waited for.
const START_MAX: Duration = Duration::from_secs(60);
/// Longest stop that is.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Below this much CPU time in [`LOOK_EVERY`] the daemon has nothing to do but its rounds.
const QUIET_NS: u64 = 4_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where a daemon keeps its things, over several starts.
pub struct Home {
    scratch: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    monitors_max: u64,
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    port: u16,
    began: Instant,
}

/// What a start took.
pub struct Started {
    /// From exec to the first answer of /readyz, in seconds.
    pub ready_s: f64,
    /// CPU time until then.
    pub cpu: Cpu,
    /// Resident memory then.
    pub resident_bytes: u64,
}

/// CPU time by kind of thread, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Cpu(BTreeMap<String, u64>);

/// Samples of /metrics by name and labels, as they stand there.
pub struct Metrics(BTreeMap<String, f64>);

impl Home {
    /// A new one. Errors: no port or no place for the files.
    pub fn new(scratch: &Path, monitors_max: u64) -> Outcome<Home> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let home = Home { scratch: scratch.into(), port, monitors_max };
        home.configure(true)?;
        Ok(home)
    }

    /// Writes the configuration: the defaults but for the number of monitors, intervals longer than the bench unless a
    /// beat asks for another, and the log in a file as the package has it.
    pub fn configure(&self, log_beats: bool) -> Outcome<()> {
        let log = self.scratch.join("heartbeat-server.log");
        let config = format!(
            "[limits]\nmonitors = {}\n[defaults]\ninterval = \"1h\"\ngrace = \"1h\"\n\
             [log]\ntargets = [\"file:{}\"]\nbeats = {log_beats}\n",
            self.monitors_max,
            log.display()
        );
        Ok(fs::write(self.config(), config)?)
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&self) -> Outcome<(Daemon, Started)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heartbeat-server"));
        command.arg("--config").arg(self.config()).arg("--state-dir").arg(self.state());
        command.arg("--http").arg(format!("127.0.0.1:{}", self.port)).args(["--tcp", "off"]);
        command.env("HEARTBEAT_CONTROL", "off").env_remove("NOTIFY_SOCKET");
        let said = fs::File::create(self.scratch.join("stderr"))?;
        let began = now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?;
        let mut daemon = Daemon { child, port: self.port, began };
        loop {
            // The socket listens long before anybody takes what comes in: one request waits for the answer.
            let answer = Client::connect(self.port, START_MAX).and_then(|mut client| client.get("/readyz"));
            if answer.is_ok() {
                break;
            }
            if now() - began > START_MAX || daemon.child.try_wait()?.is_some() {
                let said = fs::read_to_string(self.scratch.join("stderr")).unwrap_or_default();
                return Err(format!("the daemon does not start: {said}").into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let ready_s = (now() - began).as_secs_f64();
        let started = Started { ready_s, cpu: daemon.cpu()?, resident_bytes: daemon.resident_bytes()? };
        Ok((daemon, started))
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.scratch.join("state")
    }

    fn config(&self) -> PathBuf {
        self.scratch.join("config.toml")
    }
}

impl Daemon {
    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Outcome<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Ends it by a signal and waits until it is gone; seconds that took, `None` when it had to be killed in the end.
    pub fn end(mut self, signal: Signal) -> Outcome<Option<f64>> {
        let began = now();
        self.signal(signal)?;
        while self.child.try_wait()?.is_none() {
            if now() - began > STOP_MAX {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Some((now() - began).as_secs_f64()))
    }

    /// How long ago it was started.
    pub fn age(&self) -> Duration {
        now() - self.began
    }

    /// Its CPU time until now.
    pub fn cpu(&self) -> Outcome<Cpu> {
        let mut cpu = Cpu::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = task?.path();
            let read = || -> io::Result<(String, String)> {
                Ok((fs::read_to_string(path.join("comm"))?, fs::read_to_string(path.join("schedstat"))?))
            };
            // A thread may end between the two looks.
            let Ok((name, stat)) = read() else { continue };
            let kind = name.trim().split('-').next().unwrap_or_default();
            let kind = if kind == "heartbeat" { "loop" } else { kind };
            let run_ns: u64 = stat.split(' ').next().ok_or("schedstat")?.parse()?;
            *cpu.0.entry(kind.into()).or_default() += run_ns;
        }
        Ok(cpu)
    }

    /// Its resident memory.
    pub fn resident_bytes(&self) -> Outcome<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.unwrap_or(4096) as u64;
        Ok(statm.split(' ').nth(1).ok_or("statm")?.parse::<u64>()? * page_bytes)
    }

    /// Waits until it has nothing more to do; seconds until then, `None` when it goes on for longer than `most`.
    pub fn quiet(&self, most: Duration) -> Outcome<Option<f64>> {
        let began = now();
        let (mut before, mut calm, mut since) = (self.cpu()?, 0, began);
        while now() - began < most {
            std::thread::sleep(LOOK_EVERY);
            let after = self.cpu()?;
            if after.less(&before).sum_ns() < QUIET_NS {
                calm += 1;
            } else {
                (calm, since) = (0, now());
            }
            if calm == 4 {
                return Ok(Some((since - began).as_secs_f64()));
            }
            before = after;
        }
        Ok(None)
    }

    /// What /metrics says.
    pub fn metrics(&self) -> Outcome<Metrics> {
        let text = Client::connect(self.port, START_MAX)?.get("/metrics")?;
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_string(), value.parse().ok()?))
        };
        Ok(Metrics(samples.filter_map(sample).collect()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cpu {
    /// What was used since `before`.
    pub fn less(&self, before: &Cpu) -> Cpu {
        let since = |(kind, ns): (&String, &u64)| {
            (kind.clone(), ns.saturating_sub(before.0.get(kind).copied().unwrap_or(0)))
        };
        Cpu(self.0.iter().map(since).collect())
    }

    /// All of it.
    pub fn sum_ns(&self) -> u64 {
        self.0.values().sum()
    }

    /// All of it, in seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum_ns() as f64 / 1e9
    }

    /// The kinds that count, by their share of each of `count` things.
    pub fn per(&self, count: u64) -> String {
        let mut kinds: Vec<(&String, &u64)> =
            self.0.iter().filter(|(_, ns)| **ns * 100 > self.sum_ns()).collect();
        kinds.sort_by_key(|(_, ns)| std::cmp::Reverse(**ns));
        let words: Vec<String> =
            kinds.iter().map(|(kind, ns)| format!("{kind} {:.0} ns", **ns as f64 / count as f64)).collect();
        words.join(", ")
    }
}

impl Metrics {
    /// One sample; 0 where it is missing.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// Monitors in a state.
    pub fn in_state(&self, state: &str) -> u64 {
        self.get(&format!("heartbeat_monitors{{state=\"{state}\"}}")) as u64
    }

    /// Monitors in all.
    pub fn monitors(&self) -> u64 {
        ["new", "up", "late", "down", "paused"].iter().map(|state| self.in_state(state)).sum()
    }

    /// Beats taken since the start.
    pub fn accepted(&self) -> u64 {
        self.get("heartbeat_beats_total{transport=\"http\",result=\"accepted\"}") as u64
    }

    /// Detection delays: the bound of each bucket in seconds with how many were found within it.
    pub fn delays(&self) -> Vec<(f64, u64)> {
        let bound = |name: &str| -> Option<f64> {
            let rest = name.strip_prefix("heartbeat_detection_delay_seconds_bucket{le=\"")?;
            let le = rest.strip_suffix("\"}")?;
            if le == "+Inf" { Some(f64::INFINITY) } else { le.parse().ok() }
        };
        let mut delays: Vec<(f64, u64)> =
            self.0.iter().filter_map(|(name, count)| Some((bound(name)?, *count as u64))).collect();
        delays.sort_by(|a, b| a.0.total_cmp(&b.0));
        delays
    }
}
