//! The load: connections that are kept, each with one request under way, over 100,000 ids of equal length.

use crate::common::Outcome;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const IDS: u64 = 100_000;
/// A stride without a common factor, so that ids come in mixed order.
const STRIDE: u64 = 61_803;
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Client {
    stream: TcpStream,
    got: usize,
}

/// A beat as curl would send it, for one of the ids.
pub fn request(id: u64) -> Vec<u8> {
    let body = format!("{{\"ip\":\"192.168.1.100\",\"id\":\"dev-{:06}\"}}", id % IDS);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:7777\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Runs on the calling thread for a while; returns the requests answered.
#[allow(clippy::disallowed_methods)] // a benchmark reads clocks by itself: sys::clock is the daemon's
pub fn run(port: u16, connections: usize, seconds: f64) -> Outcome<u64> {
    let answer_bytes = learn(port)?;
    let mut poll = Poll::new()?;
    let mut clients = Vec::new();
    let send = |client: &mut Client| -> Outcome<()> {
        let id = NEXT.fetch_add(STRIDE, Ordering::Relaxed);
        client.got = 0;
        Ok(client.stream.write_all(&request(id))?)
    };
    for index in 0..connections {
        let stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        let mut client = Client { stream, got: 0 };
        send(&mut client)?;
        clients.push(client);
    }
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut events = Events::with_capacity(256);
    let mut buffer = vec![0; 65536];
    let mut answered = 0;
    while Instant::now() < end {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let client = &mut clients[event.token().0];
            match client.stream.read(&mut buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(read) => client.got += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            if client.got >= answer_bytes {
                answered += 1;
                send(client)?;
            }
        }
    }
    Ok(answered)
}

/// Sends one beat and returns the length of its answer, which all later ones must have.
fn learn(port: u16) -> Outcome<usize> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&request(0))?;
    let mut answer = vec![0; 4096];
    let mut got = 0;
    loop {
        let read = stream.read(&mut answer[got..])?;
        got += read;
        let text = String::from_utf8_lossy(&answer[..got]).to_ascii_lowercase();
        if !text.starts_with("http/1.1 200") || read == 0 {
            return Err(format!("no usable answer: {text}").into());
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = head
            .split("content-length: ")
            .nth(1)
            .and_then(|v| v.split("\r\n").next())
            .unwrap_or("0")
            .parse()?;
        if body.len() >= length {
            return Ok(got);
        }
    }
}
