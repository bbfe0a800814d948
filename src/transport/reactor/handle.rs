//! What others hold of a reactor: a way to tell it something, and what it shows of itself.

use super::connection::HandoffProtocol;
use super::parked::ResumableConnection;
use crate::domain::address::Peer;
use crate::sys::parked::ParkedConnection;
use crate::transport::connection_limits::ConnectionPermit;
use crate::transport::http::Handoff;
use crate::transport::listener::Listener;
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::ReactorStream;
use mio::{Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// Orders that may wait for a reactor.
const INBOX_MAX: usize = 4096;
/// By what its loop knows that somebody has told it something.
pub(super) const WAKER: Token = Token(usize::MAX);

/// What a reactor can be told.
pub enum ReactorCommand {
    /// Let people in through this listener.
    Open(Listener),
    /// Serve this new connection.
    Serve(ReactorStream, Peer, Arc<ListenerContext>, ConnectionPermit),
    /// Take back a connection that a HTTP worker has had, with the bytes read of it and not used.
    TakeBack(Box<Handoff>, HandoffProtocol),
    /// Go on with connections of the process before us.
    Resume(Vec<ResumableConnection>),
    /// A next process follows: end what cannot be left to it, go on with the rest, and hand over no more.
    MakeRoom,
    /// Leave everything to the next process, and end.
    Park(Sender<ParkedConnection>),
    /// Let those in who wait already, unless a next process does, then close all listeners.
    CloseListeners,
    /// Answer what has arrived, then end.
    Drain,
}

/// A reactor, as others see it.
pub struct ReactorHandle {
    inbox: SyncSender<ReactorCommand>,
    waker: Waker,
    pub(super) gauge: Arc<ReactorGauge>,
}

/// A reactor, as those know it whom it has handed a connection over to.
#[derive(Clone)]
pub struct ReactorRef {
    pub(super) reactors: Arc<[ReactorHandle]>,
    pub(super) here: usize,
}

impl ReactorRef {
    /// Has the reactor take a connection back; gives it back when the reactor is too far behind.
    pub fn hand_back(&self, handoff: Box<Handoff>, role: HandoffProtocol) -> Result<(), Box<Handoff>> {
        let Some(reactor) = self.reactors.get(self.here) else { return Err(handoff) };
        match reactor.tell(ReactorCommand::TakeBack(handoff, role)) {
            Err(ReactorCommand::TakeBack(handoff, _)) => Err(handoff),
            _ => Ok(()),
        }
    }
}

/// What a reactor shows of itself.
#[derive(Debug, Default)]
pub struct ReactorGauge {
    pub(super) connections: AtomicUsize,
    pub(super) pulse: AtomicU64,
    pub(super) listeners: AtomicUsize,
    pub(super) makes_room: AtomicBool,
    pub(super) parting: AtomicUsize,
}

impl ReactorHandle {
    /// Tells the reactor something; gives the order back when it is too far behind.
    pub fn tell(&self, order: ReactorCommand) -> Result<(), ReactorCommand> {
        self.inbox.try_send(order).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(order) => order,
            std::sync::mpsc::TrySendError::Disconnected(order) => order,
        })?;
        // The system can only refuse this for want of memory; the reactor then looks within a second.
        let _ = self.waker.wake();
        Ok(())
    }

    /// Seconds that its loop has turned.
    pub fn pulse(&self) -> u64 {
        self.gauge.pulse.load(Ordering::Relaxed)
    }

    /// Open listeners.
    pub fn listeners(&self) -> usize {
        self.gauge.listeners.load(Ordering::Acquire)
    }

    /// Whether it has heard of [`ReactorCommand::MakeRoom`]: from then on it hands over nothing that can be parked.
    pub fn makes_room(&self) -> bool {
        self.gauge.makes_room.load(Ordering::Acquire)
    }

    /// Connections that have to end before that is done.
    pub fn parting(&self) -> usize {
        self.gauge.parting.load(Ordering::Acquire)
    }
}

/// The two ends of a reactor before it runs: what others hold, and what its thread will take.
pub fn prepare() -> io::Result<(ReactorHandle, ReactorParts)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    let (inbox, outlet) = sync_channel(INBOX_MAX);
    let gauge: Arc<ReactorGauge> = Arc::default();
    Ok((ReactorHandle { inbox, waker, gauge: gauge.clone() }, ReactorParts { poll, outlet, gauge }))
}

/// See [`prepare`].
pub struct ReactorParts {
    pub(super) poll: Poll,
    pub(super) outlet: Receiver<ReactorCommand>,
    pub(super) gauge: Arc<ReactorGauge>,
}
