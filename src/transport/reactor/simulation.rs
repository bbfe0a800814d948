//! Reactors, HTTP workers, hand-off and hand-over, played from a seed in one thread.
//!
//! The reactors are the real ones over pairs of connected sockets; workers, clients and the coordinator of a hand-over are
//! played here. Which of them moves next the seed decides, so commands, bytes and hand-offs cross in every order. Each client
//! sends beats with an interval that no other has, so that an answer tells whose it is. In the end each of them must have had
//! every answer, once and in order, and no connection may have been lost on the way through three processes.
//!
//! `SEED=N cargo test --lib transport::reactor::simulation` plays one world again.

use super::*;
use crate::domain::address::{Peer, Protocol};
use crate::domain::limits::Limits;
use crate::domain::policy::TcpTimes;
use crate::domain::time::Span;
use crate::engine::testing::{at, engine};
use crate::transport::connection_io::ConnectionIo;
use crate::transport::connection_limits::ConnectionLimits;
use crate::transport::handoff::{self, Handoff, HandoffProtocol};
use crate::transport::http_worker::{WorkerJob, detached};
use crate::transport::listener_context::{ListenerContext, ListenerOptions};
use crate::transport::parked_record;
use crate::transport::stream::StdStream;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use tokio::sync::mpsc as tokio_mpsc;

const WORLDS: u64 = 60;
const REACTORS: usize = 2;
const CLIENTS: usize = 12;
const STEPS: u64 = 250;
/// A request that the fast path leaves to hyper.
const QUESTION: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const WORKER_ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nworker";

/// Numbers from a seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

/// One process: its reactors, and what stands for its workers.
struct SimulatedProcess {
    reactors: Vec<Option<Reactor>>,
    handles: Arc<[ReactorHandle]>,
    workers: Vec<Worker>,
}

/// What stands for an HTTP worker.
struct Worker {
    jobs: tokio_mpsc::Receiver<WorkerJob>,
    held: Vec<Handoff>,
    /// It gives connections back for the next process.
    drains: bool,
}

/// How far a hand-over is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Coordinator {
    Serves,
    MakesRoom,
    Drains,
    Closes,
    Parks,
}

struct Client {
    socket: UnixStream,
    protocol: Protocol,
    /// By which its answers are known.
    interval: u64,
    /// What is still to be sent of a message that has begun.
    rest: Vec<u8>,
    heard: String,
    /// What it must hear, in order.
    expected: Vec<String>,
}

impl Client {
    /// Begins another message, or goes on with one.
    fn speak(&mut self, random: &mut Random) {
        if self.rest.is_empty() {
            let interval = self.interval;
            let body = format!("{{\"id\":\"c{interval}\",\"interval\":{interval}}}");
            let (message, answer) = match (self.protocol, random.below(4)) {
                (Protocol::Http, 0) => (QUESTION.to_vec(), WORKER_ANSWER.to_string()),
                (Protocol::Http, _) => (
                    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                        .into(),
                    format!("heartbeat-interval: {interval}\r\n"),
                ),
                (Protocol::Tcp, 0) => (b"HEARTBEAT|ping\n".to_vec(), "HEARTBEAT|pong\n".to_string()),
                (Protocol::Tcp, _) => {
                    (format!("BEAT c{interval} interval={interval}s\n").into(), format!("OK {interval}\n"))
                }
            };
            self.rest = message;
            self.expected.push(answer);
        }
        let some = random.below(self.rest.len()) + 1;
        self.socket.write_all(&self.rest[..some]).unwrap();
        self.rest.drain(..some);
    }

    /// Takes what has come; false at the end of the stream.
    fn listen(&mut self) -> bool {
        let mut bytes = [0; 4096];
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => return false,
                Ok(read) => self.heard.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Whether it has heard what it must, and nothing else.
    fn is_content(&self) -> bool {
        let mut rest = self.heard.as_str();
        for expected in &self.expected {
            let begin = if self.protocol == Protocol::Http { "HTTP/1.1 200 OK\r\n" } else { "" };
            let Some(at) = rest.find(expected.as_str()) else { return false };
            let before = &rest[..at];
            assert!(before.matches("HTTP/").count() <= 1 && before.starts_with(begin) || at == 0, "{rest:?}");
            rest = &rest[at + expected.len()..];
            if self.protocol == Protocol::Http && expected != WORKER_ANSWER {
                let (_, body) = rest.split_once("{\"status\":\"ok\"}").unwrap_or_default();
                rest = body;
            }
        }
        assert_eq!(rest, "", "an answer too many");
        true
    }
}

impl Worker {
    /// Answers a question, or gives a connection back.
    fn step(&mut self, random: &mut Random) {
        while let Ok(job) = self.jobs.try_recv() {
            match job {
                WorkerJob::Serve(handoff) => self.held.push(*handoff),
                WorkerJob::Drain { .. } => self.drains = true,
            }
        }
        if self.held.is_empty() {
            return;
        }
        let mut handoff = self.held.swap_remove(random.below(self.held.len()));
        let StdStream::Unix(socket) = &mut handoff.stream else { unreachable!() };
        let mut bytes = [0; 4096];
        if let Ok(read) = socket.read(&mut bytes) {
            handoff.read.extend_from_slice(&bytes[..read]);
        }
        socket.write_all(&std::mem::take(&mut handoff.unsent)).unwrap();
        // Beats are the reactors' here, so that their answers are counted; hyper would answer them as well.
        if handoff.read.starts_with(QUESTION) {
            handoff.read.drain(..QUESTION.len());
            socket.write_all(WORKER_ANSWER.as_bytes()).unwrap();
        }
        if !self.drains && QUESTION.starts_with(&handoff.read) {
            return self.held.push(handoff);
        }
        let origin = handoff.origin.clone();
        if let Err(handoff) = origin.hand_back(Box::new(handoff), HandoffProtocol::Http) {
            self.held.push(*handoff);
        }
    }
}

impl SimulatedProcess {
    fn start(engine: &Arc<Engine>, now: Now) -> SimulatedProcess {
        let (handles, parts): (Vec<_>, Vec<_>) = (0..REACTORS).map(|_| handoff::prepare().unwrap()).unzip();
        let handles: Arc<[ReactorHandle]> = handles.into();
        let (mut reactors, mut workers) = (Vec::new(), Vec::new());
        for (index, parts) in parts.into_iter().enumerate() {
            let (worker, jobs) = detached();
            workers.push(Worker { jobs, held: Vec::new(), drains: false });
            let (worker, engine) = (Arc::new(worker), engine.clone());
            reactors.push(Some(Reactor::new(index, parts, handles.clone(), worker, engine, now.mono)));
        }
        SimulatedProcess { reactors, handles, workers }
    }

    /// One cycle of a reactor.
    fn step(&mut self, index: usize, now: Now) {
        let Some(reactor) = &mut self.reactors[index] else { return };
        let mut events = Events::with_capacity(4);
        reactor.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        if !reactor.cycle(&events, now) {
            self.reactors[index] = None;
        }
    }

    fn tell(&self, command: impl Fn() -> ReactorCommand) {
        self.handles.iter().for_each(|handle| assert!(handle.tell(command()).is_ok()));
    }

    /// The next step of a hand-over, as `Threads::hand_over` takes them; parked connections come to `parked`.
    fn hand_over(&mut self, at: Coordinator, parked: &mpsc::Sender<ParkedConnection>) -> Coordinator {
        match at {
            Coordinator::Serves => {
                self.tell(|| ReactorCommand::MakeRoom);
                Coordinator::MakesRoom
            }
            Coordinator::MakesRoom if self.handles.iter().all(ReactorHandle::makes_room) => {
                self.workers.iter_mut().for_each(|worker| worker.drains = true);
                Coordinator::Drains
            }
            Coordinator::Drains
                if self.handles.iter().all(|handle| handle.parting() == 0)
                    && self.workers.iter().all(|worker| worker.held.is_empty() && worker.jobs.is_empty()) =>
            {
                self.tell(|| ReactorCommand::CloseListeners);
                Coordinator::Closes
            }
            Coordinator::Closes => {
                self.tell(|| ReactorCommand::Park(parked.clone()));
                Coordinator::Parks
            }
            at => at,
        }
    }
}

/// Plays a world; panics where something is wrong.
fn play(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    // A client that has said nothing yet is not asked for a sign of life in so short a time.
    let tcp = TcpTimes { ping_interval: Span::secs(60), timeout: Span::secs(120), ..TcpTimes::default() };
    let policy = Policy { tcp, ..Policy::default() };
    let engine = Arc::new(engine(policy.clone()));
    let context = |protocol| {
        let permits = Arc::new(ConnectionLimits::new(None, 10_000));
        let address = format!("unix:{protocol:?}");
        let options = ListenerOptions { protocol, address, fast_path: true, ..ListenerOptions::default() };
        Arc::new(ListenerContext::new(engine.clone(), permits, at(0), options))
    };
    let contexts = [context(Protocol::Http), context(Protocol::Tcp)];
    let mut process = SimulatedProcess::start(&engine, at(0));
    let mut clients: Vec<Client> = Vec::new();
    let mut coordinator = Coordinator::Serves;
    let (sender, parked) = mpsc::channel();
    let mut processes = 1;
    let mut ms = 0;
    for step in 0.. {
        ms += random.below(20) as u64;
        let is_over = step >= STEPS;
        match random.below(10) {
            0 if clients.len() < CLIENTS && coordinator != Coordinator::Parks && !is_over => {
                let (ours, socket) = UnixStream::pair().unwrap();
                [&ours, &socket].into_iter().for_each(|it| it.set_nonblocking(true).unwrap());
                let context = contexts[random.below(2)].clone();
                let protocol = context.options.protocol;
                let permit = context.permits.acquire(Peer::Unix, 1_000).unwrap();
                let stream = StdStream::Unix(ours).into_reactor();
                let command = ReactorCommand::Serve(ConnectionIo::new(stream, Peer::Unix, context, permit));
                assert!(process.handles[random.below(REACTORS)].tell(command).is_ok());
                let interval = 30 + clients.len() as u64;
                let (rest, heard, expected) = (Vec::new(), String::new(), Vec::new());
                clients.push(Client { socket, protocol, interval, rest, heard, expected });
            }
            1..=3 if !clients.is_empty() && (!is_over || clients.iter().any(|it| !it.rest.is_empty())) => {
                let which = random.below(clients.len());
                if !is_over || !clients[which].rest.is_empty() {
                    clients[which].speak(&mut random);
                }
            }
            4 => process.workers[random.below(REACTORS)].step(&mut random),
            5 if coordinator != Coordinator::Serves || (random.below(30) == 0 && processes < 3) => {
                coordinator = process.hand_over(coordinator, &sender);
            }
            _ => process.step(random.below(REACTORS), at(ms)),
        }
        if process.reactors.iter().all(Option::is_none) {
            assert_eq!(coordinator, Coordinator::Parks);
            let left: Vec<ParkedConnection> = parked.try_iter().collect();
            assert_eq!(left.len(), clients.len(), "connections that were parked");
            process = SimulatedProcess::start(&engine, at(ms));
            for one in left {
                let one = parked_record::unpack(one, &contexts, &policy.limits).unwrap();
                let command = ReactorCommand::Resume(vec![one]);
                assert!(process.handles[random.below(REACTORS)].tell(command).is_ok());
            }
            (coordinator, processes) = (Coordinator::Serves, processes + 1);
        }
        for client in &mut clients {
            assert!(client.listen(), "the connection of {} was closed", client.interval);
        }
        let is_told = |client: &Client| client.rest.is_empty() && client.is_content();
        if is_over && coordinator == Coordinator::Serves && clients.iter().all(is_told) {
            break;
        }
        assert!(step < STEPS * 40, "it does not come to an end: {coordinator:?}");
    }
    let beats = clients.iter().flat_map(|client| &client.expected).filter(|it| *it != WORKER_ANSWER).count();
    assert_eq!(engine.stats().sum().accepted(), beats as u64, "beats that were taken");
}

#[test]
fn every_beat_is_answered_once_to_its_sender_whatever_crosses_on_the_way() {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in one.map_or(0..WORLDS, |seed: u64| seed..seed + 1) {
        if std::panic::catch_unwind(|| play(seed)).is_err() {
            panic!("SEED={seed} fails");
        }
    }
}

/// A connection that must end for want of room while its beats wait for the commit is answered first, and leaves the answers
/// of others alone.
#[test]
fn a_connection_without_room_is_answered_before_it_ends() {
    let limits = Limits { memory: 4 * 1024, ..Limits::default() };
    let engine = Arc::new(engine(Policy { limits, ..Policy::default() }));
    let mut process = SimulatedProcess::start(&engine, at(0));
    let permits = Arc::new(ConnectionLimits::new(None, 10_000));
    let options = ListenerOptions { fast_path: true, ..ListenerOptions::default() };
    let context = Arc::new(ListenerContext::new(engine, permits, at(0), options));
    let beat = |interval: u32| {
        let body = format!("{{\"id\":\"c{interval}\",\"interval\":{interval}}}");
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    // Behind its beat the first one has the beginning of a message that is longer than there is room.
    let begun = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n{}", " ".repeat(10_000));
    let mut sockets = Vec::new();
    for sent in [beat(31) + &begun, beat(32)] {
        let (ours, mut socket) = UnixStream::pair().unwrap();
        [&ours, &socket].into_iter().for_each(|it| it.set_nonblocking(true).unwrap());
        socket.write_all(sent.as_bytes()).unwrap();
        let permit = context.permits.acquire(Peer::Unix, 10).unwrap();
        let stream = StdStream::Unix(ours).into_reactor();
        let command = ReactorCommand::Serve(ConnectionIo::new(stream, Peer::Unix, context.clone(), permit));
        assert!(process.handles[0].tell(command).is_ok());
        sockets.push(socket);
    }
    process.step(0, at(1));
    let [first, second] = [0, 1].map(|which: usize| {
        let mut heard = vec![0; 4096];
        let read = sockets[which].read(&mut heard).unwrap();
        String::from_utf8(heard[..read].to_vec()).unwrap()
    });
    assert!(first.contains("heartbeat-interval: 31\r\n") && first.contains("503"), "{first}");
    assert!(second.contains("heartbeat-interval: 32\r\n"), "{second}");
}
