//! What a connection that is kept costs: its memory while it idles, and a beat at the pace at which many of them beat.
//!
//! Heartbeats come seldom and from many, so what counts is neither throughput nor one busy connection. Idle: as many
//! connections as one process may hold open, each having lived (a `PING` answered, a WebSocket greeted), the resident memory
//! that each adds, and the CPU time while nothing happens. Paced: a fixed number of beats a second spread over all
//! connections, the CPU time per beat next to a server that reads and answers a constant, in turns.
//!
//! `make bench` runs it; `cargo bench --bench connections -- --idle 18000 --rounds 5` chooses.

#![allow(clippy::print_stdout)] // its table is what it is for

#[path = "../common/mod.rs"]
mod common;
mod load;

use common::peers::Peer;
use common::{Outcome, constant, cpu_ns, median, number, raise_open_files, resident_bytes};
use load::Kind;
use std::path::Path;
use std::time::Duration;

/// How long connections are watched while nothing happens.
const IDLE_WATCHED: Duration = Duration::from_secs(10);

struct Options {
    idle: usize,
    rounds: usize,
    seconds: f64,
    connections: usize,
    rate: f64,
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if words.first().is_some_and(|w| w == "constant-server") {
        return constant::serve(words.get(1).and_then(|p| p.parse().ok()).ok_or("a port")?, b"PONG\n");
    }
    let number = |name: &str, default: f64| number(&words, name, default);
    let options = Options {
        idle: number("--idle", 18_000.0)? as usize,
        rounds: number("--rounds", 5.0)? as usize,
        seconds: number("--secs", 3.0)?,
        connections: number("--connections", 10_000.0)? as usize,
        rate: number("--rate", 20_000.0)?,
    };
    raise_open_files();
    let scratch = std::env::temp_dir().join(format!("heartbeat-bench-connections-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let result = idle(&options, &scratch).and_then(|()| paced(&options, &scratch));
    std::fs::remove_dir_all(&scratch)?;
    result
}

/// Each kind has a fresh daemon: freed memory is not given back.
fn idle(options: &Options, scratch: &Path) -> Outcome<()> {
    println!();
    println!("| {} idle connections | memory each | CPU while idle |", options.idle);
    println!("|---|---|---|");
    for kind in [Kind::Lines, Kind::WebSocket] {
        let peer = Peer::heartbeat_server(scratch)?;
        let port = kind.port(&peer);
        // The first few warm up what is allocated once.
        let warm = load::open(kind, port, 100)?;
        let before = resident_bytes(peer.pid())?;
        let held = load::open(kind, port, options.idle)?;
        std::thread::sleep(Duration::from_secs(1));
        let each = resident_bytes(peer.pid())?.saturating_sub(before) as f64 / options.idle as f64;
        let cpu_before = cpu_ns(peer.pid())?;
        std::thread::sleep(IDLE_WATCHED);
        let percent = (cpu_ns(peer.pid())? - cpu_before) as f64 / IDLE_WATCHED.as_nanos() as f64 * 100.0;
        println!("| {} | {each:.0} bytes | {percent:.2} % of a core |", kind.name());
        drop((warm, held));
    }
    Ok(())
}

fn paced(options: &Options, scratch: &Path) -> Outcome<()> {
    let ours = Peer::heartbeat_server(scratch)?;
    let constant = Peer::constant()?;
    let rows = [
        (&constant, Kind::Lines, "constant answer"),
        (&ours, Kind::Lines, "`PING`, a log line each"),
        (&ours, Kind::Ids, "`BEAT id`, a monitor and a log line each"),
    ];
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
    for round in 0..options.rounds {
        for turn in 0..rows.len() {
            let at = (round + turn) % rows.len();
            let (peer, kind, _) = rows[at];
            let mut crowd = load::Crowd::open(kind, kind.port(peer), options.connections)?;
            let before_ns = cpu_ns(peer.pid())?;
            let answered = crowd.beat(options.rate, options.seconds)?;
            costs[at].push((cpu_ns(peer.pid())? - before_ns) as f64 / 1e3 / answered.max(1) as f64);
        }
    }
    println!();
    println!(
        "| {:.0} beats/s over {} connections | CPU per beat | × constant |",
        options.rate, options.connections
    );
    println!("|---|---|---|");
    for (at, (_, _, name)) in rows.iter().enumerate() {
        let ratio = median(costs[at].iter().zip(&costs[0]).map(|(a, b)| a / b));
        println!("| {name} | {:.2} µs | {ratio:.2} |", median(costs[at].iter().copied()));
    }
    Ok(())
}
