//! Starting and stopping the threads: as many reactors as cores, each with an HTTP worker to hand over to.

use crate::domain::limits::STOP_MAX;
use crate::engine::{Engine, Pending};
use crate::sys::clock;
use crate::sys::parked::ParkedConnection;
use crate::sys::sockets::Socket;
use crate::transport::handoff::{self, ReactorCommand, ReactorHandle};
use crate::transport::http_worker::HttpWorker;
use crate::transport::listener::Listener;
use crate::transport::listener_context::ListenerContext;
use crate::transport::parked_record;
use crate::transport::reactor::Reactor;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a stopping daemon looks whether its threads are done.
const LOOK: Duration = Duration::from_millis(2);
/// How often a command is offered to a reactor whose inbox is full.
const OFFERS_MAX: u32 = 500;

/// All threads that serve connections.
pub struct Threads {
    reactors: Arc<[ReactorHandle]>,
    workers: Vec<Arc<HttpWorker>>,
    reactor_threads: Vec<JoinHandle<()>>,
    worker_threads: Vec<JoinHandle<()>>,
    listeners: usize,
}

impl Threads {
    /// Starts `count` of each kind. Errors are the system's: no thread or no epoll to be had.
    pub fn start(count: usize, engine: &Arc<Engine>) -> io::Result<Threads> {
        let mut handles = Vec::new();
        let mut prepared = Vec::new();
        let mut threads = Threads {
            reactors: Arc::new([]),
            workers: Vec::new(),
            reactor_threads: Vec::new(),
            worker_threads: Vec::new(),
            listeners: 0,
        };
        for index in 0..count {
            let (handle, ready) = handoff::prepare()?;
            handles.push(handle);
            prepared.push(ready);
            let stats = engine.clone();
            let (worker, thread) = HttpWorker::start(index, move || stats.stats().claim(count + index))?;
            threads.workers.push(Arc::new(worker));
            threads.worker_threads.push(thread);
        }
        threads.reactors = handles.into();
        for (index, ready) in prepared.into_iter().enumerate() {
            let (reactors, worker) = (threads.reactors.clone(), threads.workers[index].clone());
            let engine = engine.clone();
            let thread = std::thread::Builder::new().name(format!("io-{index}")).spawn(move || {
                engine.stats().claim(index);
                Reactor::new(index, ready, reactors, worker, engine, clock::mono()).run();
            })?;
            threads.reactor_threads.push(thread);
        }
        Ok(threads)
    }

    /// How many sets of counters the threads of [`Threads::start`] use.
    pub fn stats_sets(count: usize) -> usize {
        2 * count
    }

    /// Opens a listener on one of the reactors.
    pub fn listen(&mut self, socket: Socket, context: Arc<ListenerContext>) {
        let index = self.listeners % self.reactors.len().max(1);
        if let Some(reactor) = self.reactors.get(index) {
            self.listeners += 1;
            // The inbox is empty: no connection was accepted yet.
            let _ = reactor.tell(ReactorCommand::Open(Listener::new(socket, context)));
        }
    }

    /// Has the reactors go on with connections of the process before this one; returns how many of them they have.
    pub fn resume(&self, parked: Vec<ParkedConnection>, contexts: &[Arc<ListenerContext>]) -> usize {
        let limits =
            contexts.first().map(|context| context.engine.policy().limits.clone()).unwrap_or_default();
        let mut shares: Vec<Vec<_>> = self.reactors.iter().map(|_| Vec::new()).collect();
        let mut count = 0;
        let engine = contexts.first().map(|context| &context.engine);
        let mut pending = Pending::new();
        for parked in parked {
            let own = parked_record::own_monitor(&parked);
            let Some(resumable) = parked_record::unpack(parked, contexts, &limits) else {
                if let (Some(own), Some(engine)) = (own, engine) {
                    engine.depart(clock::now(), own.as_ref(), false, &mut pending);
                }
                continue;
            };
            let reactor = count % shares.len().max(1);
            if let Some(share) = shares.get_mut(reactor) {
                share.push(resumable);
            }
            count += 1;
        }
        if let Some(engine) = engine {
            // A failure has been noted and will be made good.
            let _ = engine.commit(clock::wall(), &mut pending);
        }
        for (reactor, share) in self.reactors.iter().zip(shares) {
            // The inbox is empty: no connection was accepted yet.
            let _ = reactor.tell(ReactorCommand::Resume(share));
        }
        count
    }

    /// Whether every listener is served.
    pub fn is_listening(&self) -> bool {
        self.reactors.iter().map(ReactorHandle::listeners).sum::<usize>() == self.listeners
    }

    /// How many seconds each thread's loop has turned.
    pub fn pulses(&self) -> Vec<u64> {
        self.reactors.iter().map(ReactorHandle::pulse).chain(self.workers.iter().map(|g| g.pulse())).collect()
    }

    /// Stops accepting, answers what has arrived, ends the threads. Takes a little over [`STOP_MAX`] at most.
    ///
    /// Listeners close first everywhere, so that no connection is given to a reactor that has ended; then the reactors end,
    /// which may still hand connections over; then the HTTP workers.
    pub async fn stop(self) {
        self.tell_all(|| ReactorCommand::CloseListeners);
        wait_until(|| self.reactors.iter().all(|reactor| reactor.listeners() == 0), Duration::from_secs(1))
            .await;
        self.tell_all(|| ReactorCommand::Drain);
        let most = Duration::from_millis(STOP_MAX.0 + 500);
        wait_until(|| self.reactor_threads.iter().all(JoinHandle::is_finished), most).await;
        for worker in &self.workers {
            worker.drain(false).await;
        }
        wait_until(|| self.worker_threads.iter().all(JoinHandle::is_finished), most).await;
    }

    /// Ends the threads for a next process, and gives out the connections that are left to it. Takes a little over
    /// [`STOP_MAX`] at most.
    ///
    /// As long as a connection is left that cannot be parked, such as one under TLS or with a request that is not whole yet,
    /// the reactors take beats and accept connections as ever. Only then do they stop.
    pub async fn hand_over(self) -> Vec<ParkedConnection> {
        let soon = Duration::from_secs(1);
        self.tell_all(|| ReactorCommand::MakeRoom);
        wait_until(|| self.reactors.iter().all(ReactorHandle::makes_room), soon).await;
        for worker in &self.workers {
            worker.drain(true).await;
        }
        let rest_is_gone = || {
            let parting: usize = self.reactors.iter().map(ReactorHandle::parting).sum();
            parting == 0 && self.worker_threads.iter().all(JoinHandle::is_finished)
        };
        wait_until(rest_is_gone, Duration::from_millis(STOP_MAX.0 + 500)).await;
        // A reactor that is told to park gets no more new connections from another one, or they would be lost with its inbox.
        self.tell_all(|| ReactorCommand::CloseListeners);
        wait_until(|| self.reactors.iter().all(|reactor| reactor.listeners() == 0), soon).await;
        let (sender, parked) = std::sync::mpsc::channel();
        self.tell_all(|| ReactorCommand::Park(sender.clone()));
        wait_until(|| self.reactor_threads.iter().all(JoinHandle::is_finished), soon).await;
        parked.try_iter().collect()
    }

    fn tell_all(&self, command: impl Fn() -> ReactorCommand) {
        for reactor in self.reactors.iter() {
            let mut command = command();
            for _ in 0..OFFERS_MAX {
                match reactor.tell(command) {
                    Ok(()) => break,
                    Err(refused) => command = refused,
                }
                // It is full of new connections, which the reactor takes in one cycle.
                std::thread::sleep(LOOK);
            }
        }
    }
}

async fn wait_until(done: impl Fn() -> bool, most: Duration) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _ = tokio::time::timeout(most, waiting).await;
}
