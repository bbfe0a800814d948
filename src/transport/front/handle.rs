//! What others hold of a front: a way to tell it something, and what it shows of itself.

use super::connection::Role;
use super::parked::Returning;
use crate::domain::address::Peer;
use crate::sys::lot::Parcel;
use crate::transport::census::Place;
use crate::transport::door::Door;
use crate::transport::http::Guest;
use crate::transport::site::Site;
use crate::transport::stream::FrontStream;
use mio::{Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// Orders that may wait for a front.
const INBOX_MAX: usize = 4096;
/// By what its loop knows that somebody has told it something.
pub(super) const WAKER: Token = Token(usize::MAX);

/// What a front can be told.
pub enum Order {
    /// Let people in through this door.
    Open(Door),
    /// Serve this newcomer.
    Serve(FrontStream, Peer, Arc<Site>, Place),
    /// Take back a connection that a general thread has had, with the bytes read of it and not used.
    Adopt(Box<Guest>, Role),
    /// Go on with connections of the process before us.
    Resume(Vec<Returning>),
    /// A next process follows: end what cannot be left to it, go on with the rest, and hand over no more.
    MakeRoom,
    /// Leave everything to the next process, and end.
    Park(Sender<Parcel>),
    /// Let those in who wait already, unless a next process does, then close all doors.
    CloseDoors,
    /// Answer what has arrived, then end.
    Drain,
}

/// A front, as others see it.
pub struct Handle {
    inbox: SyncSender<Order>,
    waker: Waker,
    pub(super) gauge: Arc<Gauge>,
}

/// A front, as those know it whom it has handed a connection over to.
#[derive(Clone)]
pub struct Home {
    pub(super) fronts: Arc<[Handle]>,
    pub(super) here: usize,
}

impl Home {
    /// Has the front take a connection back; gives it back when the front is too far behind.
    pub fn adopt(&self, guest: Box<Guest>, role: Role) -> Result<(), Box<Guest>> {
        let Some(front) = self.fronts.get(self.here) else { return Err(guest) };
        match front.tell(Order::Adopt(guest, role)) {
            Err(Order::Adopt(guest, _)) => Err(guest),
            _ => Ok(()),
        }
    }
}

/// What a front shows of itself.
#[derive(Debug, Default)]
pub struct Gauge {
    pub(super) connections: AtomicUsize,
    pub(super) pulse: AtomicU64,
    pub(super) doors: AtomicUsize,
    pub(super) makes_room: AtomicBool,
    pub(super) parting: AtomicUsize,
}

impl Handle {
    /// Tells the front something; gives the order back when it is too far behind.
    pub fn tell(&self, order: Order) -> Result<(), Order> {
        self.inbox.try_send(order).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(order) => order,
            std::sync::mpsc::TrySendError::Disconnected(order) => order,
        })?;
        // The system can only refuse this for want of memory; the front then looks within a second.
        let _ = self.waker.wake();
        Ok(())
    }

    /// Seconds that its loop has turned.
    pub fn pulse(&self) -> u64 {
        self.gauge.pulse.load(Ordering::Relaxed)
    }

    /// Open doors.
    pub fn doors(&self) -> usize {
        self.gauge.doors.load(Ordering::Acquire)
    }

    /// Whether it has heard of [`Order::MakeRoom`]: from then on it hands over nothing that can be parked.
    pub fn makes_room(&self) -> bool {
        self.gauge.makes_room.load(Ordering::Acquire)
    }

    /// Connections that have to end before that is done.
    pub fn parting(&self) -> usize {
        self.gauge.parting.load(Ordering::Acquire)
    }
}

/// The two ends of a front before it runs: what others hold, and what its thread will take.
pub fn prepare() -> io::Result<(Handle, Prepared)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    let (inbox, outlet) = sync_channel(INBOX_MAX);
    let gauge: Arc<Gauge> = Arc::default();
    Ok((Handle { inbox, waker, gauge: gauge.clone() }, Prepared { poll, outlet, gauge }))
}

/// See [`prepare`].
pub struct Prepared {
    pub(super) poll: Poll,
    pub(super) outlet: Receiver<Order>,
    pub(super) gauge: Arc<Gauge>,
}
