//! Where in a request a connection of hyper is, and what it makes us hold.

use crate::domain::address::Peer;
use crate::engine::stats::ConnectionRefusal;
use crate::transport::budget::MemoryReservation;
use crate::transport::conversation::ws::WebSocketOpening;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Where in a request the connection is, told by the service to the wire and to the loop that watches the time.
#[derive(Debug)]
pub struct Phase {
    pub now: AtomicU8,
    /// How often it has changed: a whole request may come and go between two looks, and is progress too.
    pub changes: AtomicU32,
    /// Whether the request asks for an upgrade: hyper then ends without waiting for its last bytes to be sent.
    pub upgrade: AtomicBool,
    /// The socket takes nothing of what is to be sent.
    pub blocked: AtomicBool,
    /// The proxy whose connection it is, where each request may be another client's.
    pub proxy: Option<Peer>,
    /// What the connection makes us hold whatever is asked. The client of a request pays for it while that is answered.
    pub own: Mutex<MemoryReservation>,
    /// As much of that as does not change.
    pub base: usize,
    /// What the answer under way makes us hold.
    pub held: Mutex<Option<MemoryReservation>>,
    /// The WebSocket that the service has opened.
    pub opening: OnceLock<WebSocketOpening>,
}

/// Nothing of a request has come.
pub const IDLE: u8 = 0;
/// Part of a head has come.
pub const HEAD: u8 = 1;
/// The service has the request.
pub const BUSY: u8 = 2;
/// The service has answered; the answer is being written.
pub const ANSWERED: u8 = 3;
/// The service has begun an answer that goes on.
pub const STREAMING: u8 = 4;

impl Phase {
    pub fn get(&self) -> u8 {
        self.now.load(Ordering::Relaxed)
    }

    pub fn set(&self, phase: u8) {
        self.now.store(phase, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Relaxed);
        if phase == IDLE {
            self.hold(None);
            if let Some(proxy) = self.proxy {
                self.own().stand_alone(proxy);
            }
        }
    }

    pub fn own(&self) -> MutexGuard<'_, MemoryReservation> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how much is kept of the connection besides what does not change.
    pub fn keep(&self, more: usize, max: usize) -> Result<(), ConnectionRefusal> {
        self.own().set(self.base + more, max)
    }

    pub fn hold(&self, held: Option<MemoryReservation>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Notes whether the socket has taken something.
    pub fn sent(&self, moved: bool) {
        let was = self.blocked.swap(!moved, Ordering::Relaxed);
        // Whoever takes what is sent is still there.
        if moved && (was || self.get() == STREAMING) || !moved && !was {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }
}
