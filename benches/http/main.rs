//! What a beat over HTTP costs, next to nginx and next to a server that only reads and answers a constant.
//!
//! All three run from the start; in each round each of them is put under the same load in turn, in rotating order, so
//! that a machine whose speed drifts slows all alike. What counts is CPU time per request, taken from the kernel's own
//! account of every thread, and its ratio to nginx in the same round; absolute times say more about the machine.
//!
//! `make bench` runs it; `cargo bench --bench http -- --rounds 16 --secs 2` chooses. Needs nginx; without it the rows
//! of nginx are missing and so are the ratios to it.

#![allow(clippy::print_stdout)] // its table is what it is for

#[path = "../common/mod.rs"]
mod common;
mod load;
mod measure;

use common::peers::Peer;
use common::{Outcome, constant, median, number, raise_open_files, resident_bytes};
use std::time::Duration;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nheartbeat-interval: 60\r\n\
    content-length: 15\r\ndate: Fri, 20 Nov 2026 16:42:37 GMT\r\n\r\n{\"status\":\"ok\"}";

struct Options {
    rounds: usize,
    seconds: f64,
    connections: usize,
    idle: usize,
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if words.first().is_some_and(|w| w == "constant-server") {
        return constant::serve(words.get(1).and_then(|p| p.parse().ok()).ok_or("a port")?, ANSWER);
    }
    let number = |name: &str, default: f64| number(&words, name, default);
    let options = Options {
        rounds: number("--rounds", 8.0)? as usize,
        seconds: number("--secs", 1.5)?,
        connections: number("--connections", 64.0)? as usize,
        idle: number("--idle", 10_000.0)? as usize,
    };
    raise_open_files();
    let scratch = std::env::temp_dir().join(format!("heartbeat-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let result = run(&options, &scratch);
    std::fs::remove_dir_all(&scratch)?;
    result
}

fn run(options: &Options, scratch: &std::path::Path) -> Outcome<()> {
    let ours = Peer::heartbeat_server(scratch)?;
    std::thread::sleep(Duration::from_millis(500));
    let at_start = resident_bytes(ours.pid())?;
    let mut peers = vec![ours, Peer::constant()?];
    match Peer::nginx(scratch) {
        Ok(nginx) => peers.insert(0, nginx),
        Err(error) => println!("no nginx to compare with: {error}"),
    }

    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    let mut speeds = costs.clone();
    for round in 0..options.rounds {
        for turn in 0..peers.len() {
            let at = (round + turn) % peers.len();
            let (cost_us, per_s) = measure::under_load(&peers[at], options.connections, options.seconds)?;
            costs[at].push(cost_us);
            speeds[at].push(per_s);
        }
    }
    println!();
    println!(
        "| {} keep-alive connections, 100,000 ids | CPU per beat | × nginx | × constant | beats/s × nginx |",
        options.connections
    );
    println!("|---|---|---|---|---|");
    let find = |name: &str| peers.iter().position(|p| p.name == name);
    let (nginx, constant) = (find("nginx, access log"), find("constant answer, no parsing, no log"));
    for (at, peer) in peers.iter().enumerate() {
        let ratio = |rows: &[Vec<f64>], base: Option<usize>| {
            base.map_or("–".into(), |base| {
                format!("{:.2}", median(rows[at].iter().zip(&rows[base]).map(|(a, b)| a / b)))
            })
        };
        println!(
            "| {} | {:.2} µs | {} | {} | {} |",
            peer.name,
            median(costs[at].iter().copied()),
            ratio(&costs, nginx),
            ratio(&costs, constant),
            ratio(&speeds, nginx)
        );
    }

    // A fresh daemon: the one above has learnt 100,000 monitors.
    drop(peers);
    let fresh = Peer::heartbeat_server(scratch)?;
    let idle = measure::idle_bytes(&fresh, options.idle)?;
    println!();
    println!("resident at start: {:.1} MiB", at_start as f64 / 1048576.0);
    println!("memory per idle keep-alive connection: {idle:.0} bytes ({} connections)", options.idle);
    Ok(())
}
