//! Connections that are held open, and the beats that come over them at a fixed pace.

use crate::common::Outcome;
use crate::common::peers::Peer;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections from one source address, out of the range of ports that the system gives to clients.
const PER_SOURCE: usize = 10_000;
/// How often the pace is kept up with.
const STEP: Duration = Duration::from_millis(2);
/// How long answers are waited for at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// What is spoken over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PING` lines.
    Lines,
    /// Lines that name a monitor, one a connection.
    Ids,
    /// A WebSocket.
    WebSocket,
}

impl Kind {
    /// For the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lines => "TCP, `PING` lines",
            Kind::Ids => "TCP, `BEAT` lines",
            Kind::WebSocket => "WebSocket",
        }
    }

    /// Where a server takes it.
    pub fn port(self, peer: &Peer) -> u16 {
        if self == Kind::WebSocket { peer.port } else { peer.tcp_port }
    }

    /// What one connection says, and how many bytes answer it.
    fn beat(self, number: usize) -> Vec<u8> {
        match self {
            Kind::Lines => b"PING\n".to_vec(),
            Kind::Ids => format!("BEAT dev-{number:05}\n").into_bytes(),
            // Masked with zeros.
            Kind::WebSocket => b"\x81\x84\0\0\0\0PING".to_vec(),
        }
    }
}

/// Opens connections, each of which has beaten once and heard the answer.
pub fn open(kind: Kind, port: u16, count: usize) -> Outcome<Vec<std::net::TcpStream>> {
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = dial(port)?;
        if kind == Kind::WebSocket {
            stream.write_all(UPGRADE)?;
            hear(&mut stream)?;
        }
        stream.write_all(&kind.beat(number))?;
        hear(&mut stream)?;
        all.push(stream);
    }
    Ok(all)
}

fn hear(stream: &mut std::net::TcpStream) -> Outcome<()> {
    if stream.read(&mut [0; 4096])? == 0 {
        return Err("the server closed a connection".into());
    }
    Ok(())
}

/// From a source address that has ports left: those of connections that are over are not free at once.
fn dial(port: u16) -> Outcome<std::net::TcpStream> {
    static DIALLED: AtomicUsize = AtomicUsize::new(0);
    let source = DIALLED.fetch_add(1, Ordering::Relaxed) / PER_SOURCE;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 1 + (source / 250) as u8, 2 + (source % 250) as u8);
    socket.bind(&SocketAddrV4::new(source, 0).into())?;
    socket.connect(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// Connections over which beats come at a pace.
pub struct Crowd {
    kind: Kind,
    streams: Vec<TcpStream>,
    poll: Poll,
}

impl Crowd {
    /// Opens them.
    pub fn open(kind: Kind, port: u16, count: usize) -> Outcome<Crowd> {
        let poll = Poll::new()?;
        let mut streams = Vec::with_capacity(count);
        for (number, stream) in open(kind, port, count)?.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            streams.push(stream);
        }
        Ok(Crowd { kind, streams, poll })
    }

    /// Beats for a while, one connection after another; returns how many were answered, which must be all.
    #[allow(clippy::disallowed_methods)] // a benchmark reads clocks by itself: sys::clock is the daemon's
    pub fn beat(&mut self, rate: f64, seconds: f64) -> Outcome<u64> {
        let began = Instant::now();
        let mut events = Events::with_capacity(1024);
        let (mut sent, mut answered) = (0u64, 0u64);
        let whole = (rate * seconds) as u64;
        while answered < whole {
            let elapsed = began.elapsed();
            if elapsed.as_secs_f64() > seconds + LAST_ANSWERS.as_secs_f64() {
                return Err(format!("{answered} of {whole} beats were answered").into());
            }
            let due = ((elapsed.as_secs_f64() * rate) as u64).min(whole);
            while sent < due {
                let number = sent as usize % self.streams.len();
                self.streams[number].write_all(&self.kind.beat(number))?;
                sent += 1;
            }
            self.poll.poll(&mut events, Some(STEP))?;
            for event in &events {
                answered += self.answers(event.token().0)?;
            }
        }
        Ok(answered)
    }

    /// How many answers lie in a connection: each ends its line.
    fn answers(&mut self, number: usize) -> Outcome<u64> {
        let (mut buffer, mut count) = ([0; 4096], 0);
        loop {
            match self.streams[number].read(&mut buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(read) => count += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
