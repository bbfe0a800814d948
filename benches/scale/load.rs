//! The load: NDJSON bodies over a few connections that are kept, each with one request under way.
//!
//! A pass goes once through all monitors in an order that is mixed and the same every time; a pace spreads such rounds
//! evenly over time.

use crate::Outcome;
use crate::clock::now;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Beats in a body of a pass: as many as one may hold.
pub const BATCH: u64 = 10_000;
/// Connections of a pass.
pub const CONNECTIONS: u64 = 4;
/// Beats in a body of a pace, few enough that a body is an ordinary request and not a batch file.
const PACE_BATCH: u64 = 100;
const PACE_CONNECTIONS: u64 = 2;
/// Without a common factor with the count, so that ids come in mixed order.
const STRIDE: u64 = 618_033;
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The id of a monitor, 16 bytes.
pub fn id(monitor: u64) -> String {
    format!("machine-{monitor:08}")
}

/// Sends a beat of every monitor; `asks` goes into each, such as `,"interval":10`. Errors: a beat was not taken.
pub fn pass(port: u16, monitors: u64, asks: &str) -> Outcome<()> {
    let send = |connection: u64| -> Outcome<()> {
        let mut client = Client::connect(port, ANSWER_MAX)?;
        for batch in (connection..monitors.div_ceil(BATCH)).step_by(CONNECTIONS as usize) {
            client.beats(batch * BATCH..((batch + 1) * BATCH).min(monitors), monitors, asks)?;
        }
        Ok(())
    };
    at_once(CONNECTIONS, send)
}

/// Sends `per_s` beats a second, from monitor to monitor, until `end`; returns how many it were. Who is late with its
/// beats hurries, so that the number is as it should be.
pub fn pace(port: u16, monitors: u64, per_s: u64, asks: &str, end: Instant) -> Outcome<u64> {
    let began = now();
    let sent = std::sync::atomic::AtomicU64::new(0);
    let send = |connection: u64| -> Outcome<()> {
        let mut client = Client::connect(port, ANSWER_MAX)?;
        for batch in (connection..).step_by(PACE_CONNECTIONS as usize) {
            let due = began + Duration::from_secs_f64((batch * PACE_BATCH) as f64 / per_s as f64);
            if due >= end {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(now()));
            client.beats(batch * PACE_BATCH..(batch + 1) * PACE_BATCH, monitors, asks)?;
            sent.fetch_add(PACE_BATCH, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    };
    at_once(PACE_CONNECTIONS, send)?;
    Ok(sent.into_inner())
}

fn at_once(threads: u64, work: impl Fn(u64) -> Outcome<()> + Sync) -> Outcome<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> =
            (0..threads).map(|n| scope.spawn(move || work(n).map_err(|e| e.to_string()))).collect();
        for thread in running {
            thread.join().map_err(|_| "a load thread panicked")??;
        }
        Ok(())
    })
}

/// A connection that is kept.
pub struct Client {
    stream: TcpStream,
    request: String,
    body: String,
    answer: Vec<u8>,
}

impl Client {
    /// Opens it; no answer may take longer than `most`.
    pub fn connect(port: u16, most: Duration) -> Outcome<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(most))?;
        Ok(Client { stream, request: String::new(), body: String::new(), answer: Vec::new() })
    }

    /// The body of what a path answers. Errors: any status but 200.
    pub fn get(&mut self, path: &str) -> Outcome<String> {
        self.request.clear();
        write!(self.request, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        self.stream.write_all(self.request.as_bytes())?;
        self.receive()
    }

    /// Brings the beats of a stretch of the mixed order. Errors: one was not taken or not kept.
    fn beats(&mut self, stretch: std::ops::Range<u64>, monitors: u64, asks: &str) -> Outcome<()> {
        let count = stretch.end - stretch.start;
        self.body.clear();
        for place in stretch {
            writeln!(self.body, "{{\"id\":\"machine-{:08}\"{asks}}}", place * STRIDE % monitors)?;
        }
        self.request.clear();
        write!(
            self.request,
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        )?;
        self.stream.write_all(self.request.as_bytes())?;
        self.stream.write_all(self.body.as_bytes())?;
        let answer = self.receive()?;
        let taken = answer.contains(&format!("\"accepted\":{count},")) && !answer.contains("stored");
        if taken { Ok(()) } else { Err(format!("of {count} beats not all were taken: {answer:.300}").into()) }
    }

    fn receive(&mut self) -> Outcome<String> {
        self.answer.clear();
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                return Err("the daemon closed the connection".into());
            }
            self.answer.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&self.answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or("an answer without a length")?.parse()?;
            if body.len() < length {
                continue;
            }
            return if head.starts_with("http/1.1 200") { Ok(body.into()) } else { Err(text.into()) };
        }
    }
}
