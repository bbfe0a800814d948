//! The whole system but for its sockets, in simulated time: the real engine over the real journal, on a disk that fills
//! up, fails and forgets, through crashes and restarts, held at every step against a plain model of what should be.
//!
//! One number decides everything. `SEED=N cargo test --test simulation -- --nocapture` plays one world again and says
//! what happens in it; `SEEDS=N` plays that many, from `FROM` on, and `SEEDS=N,M,…` those. What fails names its seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // a test that cannot go on may panic

mod attended;
mod model;
mod post;
mod shape;
mod store;
mod story;
mod telling;
mod world;

use heartbeat_server::domain::notice::Level;
use heartbeat_server::sys::log::{Log, LogOptions, Target, TargetOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use world::World;

/// Worlds in an ordinary run of the tests.
const SEEDS: u64 = 300;
/// The last that happened in a world that fails, in an ordinary run.
const TRACE_MAX: usize = 60;
/// Failing worlds that are shown.
const SHOWN_MAX: usize = 5;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seeds to be played.
fn worlds() -> Vec<u64> {
    let text = std::env::var("SEEDS").unwrap_or_default();
    if text.contains(',') {
        return text.split(',').filter_map(|one| one.trim().parse().ok()).collect();
    }
    let from = number("FROM").unwrap_or(0);
    (from..from + text.parse().unwrap_or(SEEDS)).collect()
}

/// A log that says nothing.
fn silent() -> Log {
    let targets = vec![TargetOptions { target: Target::File("/dev/null".into()), beats: false }];
    Log::open(LogOptions { targets, level: Level::Error, ..LogOptions::default() }).unwrap()
}

/// Plays one world; of how many incidents it was sure what should be told of them, or what went wrong, with the last that
/// happened in it.
fn play(seed: u64, log: &Log, trace_max: usize) -> Result<u64, String> {
    let mut world = World::new(seed, log.clone(), trace_max);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let fault = match outcome {
        Ok(Ok(())) => return Ok(world.judged),
        Ok(Err(fault)) => fault,
        Err(_) => "it panicked, see above".to_string(),
    };
    let trace: Vec<&str> = world.trace.iter().map(String::as_str).collect();
    Err(format!("seed {seed}: {fault}\n{:?}\n{}\nseed {seed}: {fault}\n", world.shape(), trace.join("\n")))
}

#[test]
fn every_world_is_as_it_should_be() {
    let log = silent();
    if let Some(seed) = number("SEED") {
        if let Err(fault) = play(seed, &log, usize::MAX) {
            panic!("{fault}");
        }
        return;
    }
    let worlds = worlds();
    let (next, failed, judged) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(seed) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    match play(*seed, &log, TRACE_MAX) {
                        Ok(sure) => _ = judged.fetch_add(sure, Ordering::Relaxed),
                        Err(fault) => {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).push((*seed, fault));
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort();
    for (_, fault) in failed.iter().take(SHOWN_MAX) {
        eprintln!("{fault}");
    }
    for (_, fault) in &failed {
        eprintln!("{}", fault.lines().next().unwrap_or_default());
    }
    let judged = judged.into_inner();
    eprintln!("of {judged} incidents it was sure what should be told");
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(seeds.is_empty(), "{} of {} seeds fail: {seeds:?}", seeds.len(), worlds.len());
    assert!(
        judged >= worlds.len() as u64 / 100,
        "of too few incidents it is sure what should be told: {judged}"
    );
}
