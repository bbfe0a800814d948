//! What a million monitors cost, end to end: the release binary, beats over loopback, journal, tables and log included.
//!
//! One story in five acts. A million monitors are made and beat in batches; the daemon is stopped, and killed, and
//! started again on what it kept; all fall silent at once; then each beats a little more rarely than it should, so that
//! each goes late once a round. What counts is CPU time, taken from the kernel's account of every thread: machines differ,
//! and this one may have other things to do. No figure fails the bench; it ends with 1 only when a beat, a monitor, a change
//! of state or an incident is missing.
//!
//! `make bench` runs it; `cargo bench --bench scale -- --monitors 100000 --passes 3 --secs 20` chooses.

#![allow(clippy::print_stdout)] // its lines are what it is for

mod clock;
mod daemon;
mod load;

use clock::now;
use daemon::{Cpu, Daemon, Home};
use load::{Client, id};
use nix::sys::signal::Signal;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Longest wait for the daemon to have put everything into its tables.
const QUIET_MAX: Duration = Duration::from_secs(40);
/// What the silent ones had promised, and how long each of the two changes may take to reach everybody.
const INTERVAL: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(5);
const FOUND_MAX: Duration = Duration::from_secs(20);
/// Longest wait for the incidents to be in the tables.
const RECORDED_MAX: Duration = Duration::from_secs(40);
/// Passes until there must have been a snapshot.
const SNAPSHOT_PASSES: u32 = 8;
/// A round of the pace, and the shorter interval that is asked for.
const ROUND_S: u64 = 50;
const PACE_ASKS: &str = ",\"interval\":40,\"grace\":30";
const PACE_INTERVAL: Duration = Duration::from_secs(40);

struct Options {
    monitors: u64,
    passes: usize,
    seconds: u64,
}

fn main() -> Outcome<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| -> Outcome<u64> {
        match words.iter().position(|w| w == name) {
            Some(at) => Ok(words.get(at + 1).ok_or(format!("{name} needs a number"))?.parse()?),
            None => Ok(default),
        }
    };
    let options = Options {
        monitors: number("--monitors", 1_000_000)?,
        passes: number("--passes", 5)?.max(1) as usize,
        seconds: number("--secs", 70)?,
    };
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scale-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let mut bench = Bench { wrong: Vec::new(), beats: 0, empty_bytes: 0, options };
    let result = bench.run(&scratch);
    fs::remove_dir_all(&scratch)?;
    result?;
    for text in &bench.wrong {
        println!("scale: WRONG: {text}");
    }
    println!("scale: {}", load_average());
    Ok(if bench.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Bench {
    options: Options,
    /// Beats that each monitor has sent.
    beats: u64,
    /// Resident memory of a daemon that knows nobody.
    empty_bytes: u64,
    /// What is missing.
    wrong: Vec<String>,
}

impl Bench {
    fn run(&mut self, scratch: &Path) -> Outcome<()> {
        let monitors = self.options.monitors;
        println!(
            "scale: {monitors} monitors, ids of 16 bytes; sync = \"second\"; log in a file, a line a beat; {}",
            load_average()
        );
        let home = Home::new(scratch, monitors + monitors / 10)?;
        let (daemon, started) = home.start()?;
        self.empty_bytes = started.resident_bytes;
        self.batches(&home, &daemon)?;
        let daemon = self.starts(&home, daemon)?;
        self.silence(&home, &daemon)?;
        self.pace(&home, &daemon)?;
        let stop = daemon.end(Signal::SIGTERM)?;
        println!("scale: the stop took {}", seconds(stop));
        if stop.is_some() {
            // Each was down once, and has beaten since.
            let (begun, ended) = incidents(&home)?;
            let back = if self.options.seconds > ROUND_S { monitors } else { ended };
            self.expect("incidents on record", begun, monitors);
            self.expect("incidents ended", ended, back);
        }
        Ok(())
    }

    /// Makes the monitors and has them beat.
    fn batches(&mut self, home: &Home, daemon: &Daemon) -> Outcome<()> {
        let monitors = self.options.monitors;
        let made = self.pass(home, daemon, "")?;
        let grown = daemon.resident_bytes()?.saturating_sub(self.empty_bytes);
        println!(
            "scale: making them: {:.2} M per CPU-second ({}), into the tables included",
            rate(monitors, &made),
            made.per(monitors)
        );
        println!(
            "scale: memory: {:.0} bytes a monitor, caches and buffers of the daemon included, {:.0} MiB in all \
             (target: 200 in the core, see there)",
            grown as f64 / monitors as f64,
            daemon.resident_bytes()? as f64 / 1048576.0
        );
        let dropped = daemon.metrics()?.get("heartbeat_log_lines_dropped_total");
        let passes = self.options.passes;
        self.measure(home, daemon, "beats in batches of 10,000", ", target >= 1.00", passes)?;
        let dropped = daemon.metrics()?.get("heartbeat_log_lines_dropped_total") - dropped;
        println!(
            "scale: log lines dropped meanwhile: {:.1} %",
            dropped / (passes as u64 * monitors) as f64 * 100.0
        );
        home.configure(false)?;
        daemon.signal(Signal::SIGHUP)?;
        std::thread::sleep(Duration::from_millis(500));
        self.measure(home, daemon, "the same without their log lines", "", passes.div_ceil(2))?;
        home.configure(true)?;
        daemon.signal(Signal::SIGHUP)?;
        std::thread::sleep(Duration::from_millis(500));
        let metrics = daemon.metrics()?;
        self.expect("beats counted", metrics.accepted(), self.beats * monitors);
        self.expect("monitors that are up", metrics.in_state("up"), monitors);
        Ok(())
    }

    fn measure(
        &mut self,
        home: &Home,
        daemon: &Daemon,
        what: &str,
        target: &str,
        passes: usize,
    ) -> Outcome<()> {
        let monitors = self.options.monitors;
        let mut all = Vec::new();
        for _ in 0..passes {
            all.push(self.pass(home, daemon, "")?);
        }
        all.sort_by_key(Cpu::sum_ns);
        let (best, median) = (&all[0], &all[(all.len() - 1) / 2]);
        println!(
            "scale: {what}: best {:.2}, median {:.2} M per CPU-second{target} ({})",
            rate(monitors, best),
            rate(monitors, median),
            median.per(monitors)
        );
        Ok(())
    }

    /// A beat of everybody, and the CPU time until all that follows from it is done.
    fn pass(&mut self, home: &Home, daemon: &Daemon, asks: &str) -> Outcome<Cpu> {
        let before = daemon.cpu()?;
        load::pass(home.port, self.options.monitors, asks)?;
        self.beats += 1;
        daemon.quiet(QUIET_MAX)?;
        Ok(daemon.cpu()?.less(&before))
    }

    /// Stops and kills it, and starts it again. The last time everybody has promised to beat soon.
    fn starts(&mut self, home: &Home, mut daemon: Daemon) -> Outcome<Daemon> {
        let journal_bytes =
            |daemon: &Daemon| -> Outcome<f64> { Ok(daemon.metrics()?.get("heartbeat_journal_bytes")) };
        for _ in 0..SNAPSHOT_PASSES {
            let before = journal_bytes(&daemon)?;
            self.pass(home, &daemon, "")?;
            if journal_bytes(&daemon)? < before {
                break;
            }
        }
        for (signal, asks, what) in [
            (Signal::SIGTERM, None, "after SIGTERM"),
            (Signal::SIGKILL, Some(""), "after a beat of each and SIGKILL"),
            (Signal::SIGTERM, Some(""), "after a beat of each and SIGTERM"),
            (Signal::SIGKILL, Some(",\"interval\":10,\"grace\":5"), "after a beat of each and SIGKILL"),
        ] {
            if let Some(asks) = asks {
                load::pass(home.port, self.options.monitors, asks)?;
                self.beats += 1;
            }
            let journal = journal_bytes(&daemon)? / 1048576.0;
            let stop = seconds(daemon.end(signal)?);
            let started;
            (daemon, started) = home.start()?;
            println!(
                "scale: start {what} (gone in {stop}, journal {journal:.0} MiB before it): {:.2} s to /readyz, target <= 3; \
                 CPU {:.2} s, {:.0} bytes a monitor resident",
                started.ready_s,
                started.cpu.sum_s(),
                started.resident_bytes.saturating_sub(self.empty_bytes) as f64 / self.options.monitors as f64
            );
            self.check_beats(home, &daemon, what)?;
        }
        Ok(daemon)
    }

    /// Whether everybody is there with all its beats; of these a sample is looked at.
    fn check_beats(&mut self, home: &Home, daemon: &Daemon, what: &str) -> Outcome<()> {
        let monitors = self.options.monitors;
        self.expect(&format!("monitors {what}"), daemon.metrics()?.monitors(), monitors);
        let mut client = Client::connect(home.port, QUIET_MAX)?;
        for n in 0..100 {
            let id = id(n * monitors / 100);
            let monitor: serde_json::Value =
                serde_json::from_str(&client.get(&format!("/api/v1/monitors/{id}"))?)?;
            self.expect(&format!("beats of {id} {what}"), monitor["beats"].as_u64().unwrap_or(0), self.beats);
        }
        Ok(())
    }

    /// Everybody's deadline is the same moment, an interval after the start.
    fn silence(&mut self, home: &Home, daemon: &Daemon) -> Outcome<()> {
        let monitors = self.options.monitors;
        let before = daemon.metrics()?;
        let cpu_before = daemon.cpu()?;
        let (mut found, mut ages) = (Vec::new(), Vec::new());
        for (state, wait) in [("late", INTERVAL), ("down", GRACE)] {
            let (mut first, mut metrics) = (None, daemon.metrics()?);
            let latest = now() + wait + FOUND_MAX;
            while now() < latest && metrics.in_state(state) < monitors {
                std::thread::sleep(Duration::from_millis(20));
                metrics = daemon.metrics()?;
                if metrics.in_state(state) > 0 && first.is_none() {
                    first = Some(now());
                    ages.push(daemon.age());
                }
            }
            let took_s = first.map_or(0.0, |first| (now() - first).as_secs_f64());
            found.push(format!("{} {state} within {took_s:.2} s of the first", metrics.in_state(state)));
            self.expect(&format!("monitors found {state}"), metrics.in_state(state), monitors);
        }
        let after = daemon.metrics()?;
        let delays = since(&after.delays(), &before.delays());
        let worst = quantile(&delays, 1.0).map_or("longer than 10".into(), |s| format!("{s}"));
        println!(
            "scale: all silent at once: {}; every delay <= {worst} s, target <= 1; CPU {:.2} s for both",
            found.join(", "),
            daemon.cpu()?.less(&cpu_before).sum_s()
        );
        self.expect("detections", delays.last().map_or(0, |d| d.1), 2 * monitors);
        println!("scale: log lines dropped meanwhile: {}", after.get("heartbeat_log_lines_dropped_total"));
        let began = now();
        let mut recorded = incidents(home)?.0;
        while recorded < monitors && now() - began < RECORDED_MAX {
            std::thread::sleep(Duration::from_millis(500));
            recorded = incidents(home)?.0;
        }
        println!(
            "scale: {recorded} incidents were in the tables {:.0} s later",
            (now() - began).as_secs_f64()
        );
        for (age, due) in ages.into_iter().zip([INTERVAL, INTERVAL + GRACE]) {
            if age < due {
                self.wrong.push(format!("found {age:.1?} after the start and not {due:?}"));
            }
        }
        Ok(())
    }

    /// Each beats a little more rarely than it should, so that at each moment somebody goes late and somebody is back.
    fn pace(&mut self, home: &Home, daemon: &Daemon) -> Outcome<()> {
        let monitors = self.options.monitors;
        let per_s = monitors / ROUND_S;
        let lates = "heartbeat_transitions_total{to=\"late\"}";
        let (before, cpu_before, began) = (daemon.metrics()?, daemon.cpu()?, now());
        let end = began + Duration::from_secs(self.options.seconds);
        let sent = load::pace(home.port, monitors, per_s, PACE_ASKS, end)?;
        let (took, cpu, after) = (now() - began, daemon.cpu()?.less(&cpu_before), daemon.metrics()?);
        let delays = since(&after.delays(), &before.delays());
        let late = (after.get(lates) - before.get(lates)) as u64;
        let show = |part: f64| {
            quantile(&delays, part).map_or("over 10 s".into(), |s| format!("<= {} ms", s * 1000.0))
        };
        println!(
            "scale: {:.0} beats/s for {:.0} s and {late} late: detection delay p50 {}, p99 {}, all {}, target p99 <= 100 ms; \
             CPU {:.2} of a core ({} a beat)",
            sent as f64 / took.as_secs_f64(),
            took.as_secs_f64(),
            show(0.5),
            show(0.99),
            show(1.0),
            cpu.sum_s() / took.as_secs_f64(),
            cpu.per(sent)
        );
        self.expect("beats counted at that pace", after.accepted() - before.accepted(), sent);
        // Whose interval was over a second before the end must have been found late.
        let due_s = took.saturating_sub(PACE_INTERVAL + Duration::from_secs(1)).as_secs();
        if late < due_s * per_s {
            self.wrong.push(format!("{late} found late, at least {} expected", due_s * per_s));
        }
        Ok(())
    }

    fn expect(&mut self, what: &str, is: u64, wanted: u64) {
        if is != wanted {
            self.wrong.push(format!("{what}: {is}, not {wanted}"));
        }
    }
}

/// Incidents in the tables, all and ended.
fn incidents(home: &Home) -> Outcome<(u64, u64)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let tables = rusqlite::Connection::open_with_flags(home.state().join("state.db"), flags)?;
    tables.busy_timeout(Duration::from_secs(5))?;
    let count = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64));
    Ok(tables.query_row("SELECT count(*), count(ended_ms) FROM incidents", [], count)?)
}

fn seconds(stop: Option<f64>) -> String {
    stop.map_or("too long, so it was killed".into(), |s| format!("{s:.2} s"))
}

/// Millions a second of CPU time.
fn rate(count: u64, cpu: &Cpu) -> f64 {
    count as f64 / 1e6 / cpu.sum_s()
}

/// What came into cumulative buckets since `before`.
fn since(after: &[(f64, u64)], before: &[(f64, u64)]) -> Vec<(f64, u64)> {
    after.iter().zip(before).map(|(after, before)| (after.0, after.1 - before.1)).collect()
}

/// The bound within which that part of all lies; `None` when it is beyond all bounds or there is nothing.
fn quantile(buckets: &[(f64, u64)], part: f64) -> Option<f64> {
    let all = buckets.last().filter(|all| all.1 > 0)?.1 as f64;
    buckets.iter().find(|bucket| bucket.1 as f64 >= all * part).map(|b| b.0).filter(|s| s.is_finite())
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load average {}", text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
