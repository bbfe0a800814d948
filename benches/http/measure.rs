//! One server under load, and what its idle connections weigh.

use crate::common::peers::Peer;
use crate::common::{Outcome, cpu_ns, resident_bytes};
use crate::load;
use std::time::Duration;

/// Puts a server under load from two threads; CPU microseconds per request of the whole process tree, and requests a
/// second.
#[allow(clippy::disallowed_methods)] // a benchmark reads clocks by itself: sys::clock is the daemon's
pub fn under_load(peer: &Peer, connections: usize, seconds: f64) -> Outcome<(f64, f64)> {
    let before_ns = cpu_ns(peer.pid())?;
    let began = std::time::Instant::now();
    let port = peer.port;
    let threads: Vec<_> = [connections / 2, connections - connections / 2]
        .into_iter()
        .map(|part| std::thread::spawn(move || load::run(port, part, seconds).map_err(|e| e.to_string())))
        .collect();
    let mut answered = 0;
    for thread in threads {
        answered += thread.join().map_err(|_| "a load thread panicked")??;
    }
    let elapsed_s = began.elapsed().as_secs_f64();
    let cost_us = (cpu_ns(peer.pid())? - before_ns) as f64 / 1e3 / answered.max(1) as f64;
    Ok((cost_us, answered as f64 / elapsed_s))
}

/// Resident bytes that one idle keep-alive connection adds, each having sent one beat.
pub fn idle_bytes(peer: &Peer, connections: usize) -> Outcome<f64> {
    // The first few warm up what is allocated once.
    let warm = open(peer.port, 100)?;
    let before = resident_bytes(peer.pid())?;
    let held = open(peer.port, connections)?;
    std::thread::sleep(Duration::from_millis(500));
    let after = resident_bytes(peer.pid())?;
    drop((warm, held));
    Ok((after.saturating_sub(before)) as f64 / connections as f64)
}

fn open(port: u16, connections: usize) -> Outcome<Vec<std::net::TcpStream>> {
    use std::io::{Read, Write};
    (0..connections)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
            stream.write_all(&load::request(0))?;
            if stream.read(&mut [0; 4096])? == 0 {
                return Err("the server closed a connection".into());
            }
            Ok(stream)
        })
        .collect()
}
