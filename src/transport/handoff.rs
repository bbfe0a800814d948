//! How connections move between threads: the commands that a reactor takes, and a connection on its way to an HTTP worker
//! and back.

use crate::domain::address::Peer;
use crate::sys::parked::ParkedConnection;
use crate::transport::connection_io::ConnectionIo;
use crate::transport::connection_limits::ConnectionPermit;
use crate::transport::conversation::ws::WebSocketOpening;
use crate::transport::listener::Listener;
use crate::transport::listener_context::ListenerContext;
use crate::transport::parked_record::ResumableConnection;
use crate::transport::stream::StdStream;
use mio::{Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// Commands that may wait for a reactor.
const INBOX_MAX: usize = 4096;
/// The token of the waker in a reactor's loop.
pub const WAKER: Token = Token(usize::MAX);

/// A connection on its way from a reactor to an HTTP worker, or back.
pub struct Handoff {
    /// Its stream.
    pub stream: StdStream,
    /// Answers that its socket has not taken yet.
    pub unsent: Vec<u8>,
    /// Bytes that were read and not used.
    pub read: Vec<u8>,
    /// The peer of its socket.
    pub peer: Peer,
    /// What its listener's connections share.
    pub context: Arc<ListenerContext>,
    /// Its permit, given back when it is dropped.
    pub permit: ConnectionPermit,
    /// The reactor that it came from, and goes back to.
    pub origin: ReactorRef,
}

/// What a connection speaks that comes back from an HTTP worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffProtocol {
    /// The same as before.
    Http,
    /// A WebSocket.
    Ws(WebSocketOpening),
}

/// What a reactor can be told to do.
pub enum ReactorCommand {
    /// Accept connections of this listener.
    Open(Listener),
    /// Serve this new connection.
    Serve(ConnectionIo),
    /// Take a connection back that an HTTP worker has had.
    TakeBack(Box<Handoff>, HandoffProtocol),
    /// Go on with connections of the process before this one.
    Resume(Vec<ResumableConnection>),
    /// A next process follows: end the connections that cannot be parked for it, go on with the rest, and hand over no more.
    MakeRoom,
    /// Park all connections, and end.
    Park(Sender<ParkedConnection>),
    /// Accept the connections that wait in the backlog, unless a next process does, then close all listeners.
    CloseListeners,
    /// Answer what has arrived, then end.
    Drain,
}

/// A reactor, as other threads see it.
pub struct ReactorHandle {
    inbox: SyncSender<ReactorCommand>,
    waker: Waker,
    gauge: Arc<ReactorGauge>,
}

/// One of several reactors.
#[derive(Clone)]
pub struct ReactorRef {
    /// All of them.
    pub reactors: Arc<[ReactorHandle]>,
    /// Which one.
    pub index: usize,
}

impl ReactorRef {
    /// Has the reactor take a connection back; gives it back when the reactor's inbox is full.
    pub fn hand_back(&self, handoff: Box<Handoff>, protocol: HandoffProtocol) -> Result<(), Box<Handoff>> {
        let Some(reactor) = self.reactors.get(self.index) else { return Err(handoff) };
        match reactor.tell(ReactorCommand::TakeBack(handoff, protocol)) {
            Err(ReactorCommand::TakeBack(handoff, _)) => Err(handoff),
            _ => Ok(()),
        }
    }
}

/// What a reactor shows of itself.
#[derive(Debug, Default)]
pub struct ReactorGauge {
    /// Connections that it has.
    pub connections: AtomicUsize,
    /// Seconds that its loop has turned.
    pub pulse: AtomicU64,
    /// Open listeners.
    pub listeners: AtomicUsize,
    /// It has taken [`ReactorCommand::MakeRoom`].
    pub makes_room: AtomicBool,
    /// Connections that have to end before room is made.
    pub parting: AtomicUsize,
}

impl ReactorHandle {
    /// Gives the reactor a command; gives it back when the inbox is full, or the reactor has ended.
    pub fn tell(&self, command: ReactorCommand) -> Result<(), ReactorCommand> {
        self.inbox.try_send(command).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(command) => command,
            std::sync::mpsc::TrySendError::Disconnected(command) => command,
        })?;
        // This fails only for want of memory (ENOMEM); the reactor then looks within a second.
        let _ = self.waker.wake();
        Ok(())
    }

    /// Connections that it has.
    pub fn connections(&self) -> usize {
        self.gauge.connections.load(Ordering::Relaxed)
    }

    /// Seconds that its loop has turned.
    pub fn pulse(&self) -> u64 {
        self.gauge.pulse.load(Ordering::Relaxed)
    }

    /// Open listeners.
    pub fn listeners(&self) -> usize {
        self.gauge.listeners.load(Ordering::Acquire)
    }

    /// Whether it has taken [`ReactorCommand::MakeRoom`]: from then on it hands over nothing that can be parked.
    pub fn makes_room(&self) -> bool {
        self.gauge.makes_room.load(Ordering::Acquire)
    }

    /// Connections that have to end before room is made.
    pub fn parting(&self) -> usize {
        self.gauge.parting.load(Ordering::Acquire)
    }
}

/// The two ends of a reactor before it runs: what other threads hold, and what its own takes.
pub fn prepare() -> io::Result<(ReactorHandle, ReactorParts)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    let (inbox, commands) = sync_channel(INBOX_MAX);
    let gauge: Arc<ReactorGauge> = Arc::default();
    Ok((ReactorHandle { inbox, waker, gauge: gauge.clone() }, ReactorParts { poll, commands, gauge }))
}

/// What a reactor's thread takes.
pub struct ReactorParts {
    /// The readiness of its sockets.
    pub poll: Poll,
    /// Its inbox.
    pub commands: Receiver<ReactorCommand>,
    /// What it shows of itself.
    pub gauge: Arc<ReactorGauge>,
}
