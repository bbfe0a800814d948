//! What the core costs: CPU time a beat, memory a monitor, and how long a million silences take to be found.
//!
//! No sockets and no disk: beats go into the registry's shards and records into a batch, as a front does it, by one
//! thread. CPU time is the thread's own, so a busy machine disturbs it little. `make bench` prints the lines.

#![allow(clippy::print_stdout)] // its lines are what it is for

use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::beat::{Beat, Source, Transport};
use heartbeat_server::domain::id::IdRef;
use heartbeat_server::domain::policy::Defaults;
use heartbeat_server::domain::registry::{Arrival, Name, Registry};
use heartbeat_server::domain::time::{Mono, Now, Wall};
use heartbeat_server::store::Batch;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

const MONITORS: u64 = 1_000_000;
const SHARDS: usize = 64;
/// Times that everybody beats, a second apart.
const PASSES: u64 = 9;
const START_MS: u64 = 1 << 40;

struct Shards {
    all: Vec<Registry>,
    hasher: RandomState,
}

impl Shards {
    fn place<'a>(&self, id: IdRef<'a>) -> (usize, Name<'a>) {
        let hash = self.hasher.hash_one(id.as_str());
        ((hash >> 32) as usize % SHARDS, Name { id, hash: hash as u32 })
    }
}

fn main() {
    let at = |ms: u64| Now { mono: Mono(START_MS + ms), wall: Wall(1_770_000_000_000 + ms as i64) };
    let source = Source { peer: Peer::Ip([10, 0, 0, 1].into()), transport: Transport::Http };
    let mut id_bytes = *b"machine-00000000";
    let order = shuffled(MONITORS as usize);
    let memory_before = resident_bytes();
    let mut shards = Shards {
        all: (0..SHARDS).map(|_| Registry::new(at(0), Defaults::default(), Arc::default())).collect(),
        hasher: RandomState::new(),
    };
    let mut batch = Batch::new();
    let beat = Beat { seq: Some(1), ..Beat::default() };
    let mut pass = |shards: &mut Shards, ms: u64, create: bool| {
        let mut bytes = 0;
        let began = cpu_ns();
        for (n, index) in order.iter().enumerate() {
            // Made here, and not fetched from a million strings: only the core's own memory shall be waited for.
            let mut rest = *index;
            for digit in id_bytes[8..].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            let Some(id) = std::str::from_utf8(&id_bytes).ok().and_then(|id| IdRef::new(id).ok()) else {
                continue;
            };
            let (shard, monitor) = shards.place(id);
            let create = create.then_some(n as u64 + 1);
            let arrival = Arrival { monitor, beat: &beat, source, follows_interval: true, create };
            let registry = &mut shards.all[shard];
            let _ = registry.handle(at(ms), arrival, &mut |record| batch.push(record));
            while registry.poll_event().is_some() {}
            if n % 64 == 0 {
                bytes += batch.bytes_len();
                batch.clear();
            }
        }
        ((cpu_ns() - began) as f64 / MONITORS as f64, bytes as f64 / MONITORS as f64)
    };
    let (made, _) = pass(&mut shards, 0, true);
    let memory = resident_bytes().saturating_sub(memory_before);
    let mut costs: Vec<(f64, f64)> = (1..=PASSES).map(|n| pass(&mut shards, n * 1_000, false)).collect();
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    println!("core: {MONITORS} monitors, ids of 16 bytes, in mixed order; load average {load}");
    println!(
        "core: a beat of a known one: best {:.0}, median {:.0} ns, target <= 300; {:.0} bytes of journal",
        costs[0].0,
        costs[costs.len() / 2].0,
        costs[0].1
    );
    println!("core: a new monitor {made:.0} ns");
    println!("core: memory {:.0} bytes a monitor, target <= 200", memory as f64 / MONITORS as f64);
    for (name, ms) in [("late", PASSES * 1_000 + 60_016), ("down", PASSES * 1_000 + 90_032)] {
        let began = cpu_ns();
        let mut found = 0u64;
        for shard in &mut shards.all {
            while shard.handle_timeout(at(ms), 1024, &mut |record| {
                found += 1;
                batch.push(record);
            }) {
                batch.clear();
            }
            while shard.poll_event().is_some() {}
            batch.clear();
        }
        let ns = (cpu_ns() - began) as f64;
        println!("core: {found} found {name} at once in {:.2} s of CPU", ns / 1e9);
    }
    let rest = shards.all.iter().filter_map(Registry::poll_deadline).count();
    assert_eq!(rest, 0, "everybody was found");
}

/// The numbers below `count` in an order that is the same every time.
fn shuffled(count: usize) -> Vec<u32> {
    let mut all: Vec<u32> = (0..count as u32).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for n in (1..count).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.swap(n, (state % (n as u64 + 1)) as usize);
    }
    all
}

fn cpu_ns() -> u64 {
    let read = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    read.map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
