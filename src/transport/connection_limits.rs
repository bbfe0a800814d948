//! Counting connections: in all, and by host; and those among them that stay for a stream of events.
//!
//! A host is an IPv4 address, an IPv6 /64, which one host can fill alone, or this machine ([`Peer::host`]). This machine is
//! bound by what one host may have only when nine tenths of the whole are in use: a proxy, or tests, need more, but
//! no host may take all.

use crate::domain::address::Peer;
use crate::domain::limits::{EVENT_STREAMS_MAX, RESERVED_FILES, exempt_until};
use crate::engine::stats::ConnectionRefusal;
use crate::transport::budget::{Budget, MemoryReservation};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections there are, and what they make us hold.
#[derive(Debug)]
pub struct ConnectionLimits {
    connections: PermitCount,
    streams: PermitCount,
    /// The bytes that they make us hold.
    pub budget: Arc<Budget>,
}

/// So many of something, in all and by host.
#[derive(Debug)]
struct PermitCount {
    total: AtomicUsize,
    total_max: usize,
    by_host: Mutex<HashMap<Peer, usize>>,
}

/// One counted connection, and what it makes us hold; uncounted when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    /// The bytes that are kept for it.
    pub held: MemoryReservation,
    permits: Arc<ConnectionLimits>,
    /// As whose it is counted, even where another host pays for what is held.
    host: Peer,
}

/// One counted stream; uncounted when dropped.
#[derive(Debug)]
pub struct StreamPermit {
    permits: Arc<ConnectionLimits>,
    host: Peer,
}

impl PermitCount {
    fn new(total_max: usize) -> PermitCount {
        PermitCount { total: AtomicUsize::new(0), total_max, by_host: Mutex::default() }
    }

    fn enter(&self, host: Peer, per_host_max: usize) -> Result<(), ConnectionRefusal> {
        let before = self.total.fetch_add(1, Ordering::Relaxed);
        let refused = |why| {
            self.total.fetch_sub(1, Ordering::Relaxed);
            Err(why)
        };
        if before >= self.total_max {
            return refused(ConnectionRefusal::Total);
        }
        let bound = host != Peer::Unix || before >= exempt_until(self.total_max);
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_host.entry(host).or_insert(0);
        if bound && *count >= per_host_max {
            drop(by_host);
            return refused(ConnectionRefusal::Address);
        }
        *count += 1;
        Ok(())
    }

    fn leave(&self, host: Peer) {
        self.total.fetch_sub(1, Ordering::Relaxed);
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_host.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                by_host.remove(&host);
            }
        }
    }
}

impl ConnectionLimits {
    /// For `configured` connections at most, or as many as `open_files_max` leaves room for.
    pub fn new(configured: Option<usize>, open_files_max: u64) -> ConnectionLimits {
        let room =
            usize::try_from(open_files_max).unwrap_or(usize::MAX).saturating_sub(RESERVED_FILES).max(16);
        let total_max = configured.unwrap_or(room).min(room);
        // Streams stay for hours, so they may have only an eighth of the connections: the rest is for beats.
        let streams_max = (total_max / 8).clamp(1, EVENT_STREAMS_MAX);
        ConnectionLimits {
            connections: PermitCount::new(total_max),
            streams: PermitCount::new(streams_max),
            budget: Arc::default(),
        }
    }

    /// Counts a connection, or says why it is one too many.
    pub fn acquire(
        self: &Arc<ConnectionLimits>,
        peer: Peer,
        per_host_max: usize,
    ) -> Result<ConnectionPermit, ConnectionRefusal> {
        let host = peer.host();
        self.connections.enter(host, per_host_max)?;
        Ok(ConnectionPermit {
            held: MemoryReservation::new(self.budget.clone(), peer),
            permits: self.clone(),
            host,
        })
    }

    /// Counts a stream of events, or says why it is one too many.
    pub fn acquire_stream(
        self: &Arc<ConnectionLimits>,
        peer: Peer,
        per_host_max: usize,
    ) -> Result<StreamPermit, ConnectionRefusal> {
        let host = peer.host();
        self.streams.enter(host, per_host_max)?;
        Ok(StreamPermit { permits: self.clone(), host })
    }
}

impl ConnectionPermit {
    /// Takes what is held out of it, and leaves nothing there that would be held for `peer`.
    pub fn take_held(&mut self, peer: Peer) -> MemoryReservation {
        std::mem::replace(&mut self.held, MemoryReservation::new(self.permits.budget.clone(), peer))
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.permits.streams.leave(self.host);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.permits.connections.leave(self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::from_ip(ip.parse().unwrap())
    }

    #[test]
    fn one_host_may_not_take_every_place_and_gives_its_own_back() {
        let permits = Arc::new(ConnectionLimits::new(Some(100), 20_000));
        for host in ["203.0.113.1", "2001:db8::1"] {
            let held: Vec<ConnectionPermit> =
                (0..3).map(|_| permits.acquire(peer(host), 3).unwrap()).collect();
            assert_eq!(permits.acquire(peer(host), 3).unwrap_err(), ConnectionRefusal::Address);
            assert!(permits.acquire(peer("203.0.113.2"), 3).is_ok());
            drop(held);
            assert!(permits.acquire(peer(host), 3).is_ok());
        }
        let _one = [permits.acquire(peer("2001:db8::1"), 1).unwrap()];
        assert_eq!(
            permits.acquire(peer("2001:db8::ffff:2"), 1).unwrap_err(),
            ConnectionRefusal::Address,
            "a /64 is one host"
        );
        assert!(permits.acquire(peer("2001:db8:0:1::2"), 1).is_ok());
        drop(_one);
        assert_eq!(permits.connections.total.load(Ordering::Relaxed), 0);
        assert!(permits.connections.by_host.lock().unwrap().is_empty());
    }

    #[test]
    fn this_machine_is_bound_only_when_little_is_left() {
        let permits = Arc::new(ConnectionLimits::new(Some(100), 20_000));
        let own: Vec<ConnectionPermit> =
            std::iter::from_fn(|| permits.acquire(peer("127.0.0.1"), 3).ok()).collect();
        assert_eq!(own.len(), 90);
        assert_eq!(permits.acquire(Peer::Unix, 3).unwrap_err(), ConnectionRefusal::Address);
        assert!(permits.acquire(peer("203.0.113.2"), 3).is_ok());
    }

    #[test]
    fn the_total_is_bounded_by_the_open_files_too() {
        let permits = Arc::new(ConnectionLimits::new(Some(1_000_000), 256 + 20));
        let held: Vec<ConnectionPermit> =
            (0..20).map(|_| permits.acquire(Peer::Unix, 100).unwrap()).collect();
        assert_eq!(permits.acquire(Peer::Unix, 100).unwrap_err(), ConnectionRefusal::Total);
        assert_eq!((held.len(), permits.connections.total.load(Ordering::Relaxed)), (20, 20));
    }

    #[test]
    fn streams_leave_most_places_to_beats_and_one_host_leaves_some_to_others() {
        let permits = Arc::new(ConnectionLimits::new(Some(24), 20_000));
        let streams =
            |host: &str, most| std::iter::from_fn(|| permits.acquire_stream(peer(host), most).ok()).collect();
        let held: Vec<StreamPermit> = streams("203.0.113.1", 8);
        assert_eq!(held.len(), 3);
        assert_eq!(permits.acquire_stream(peer("203.0.113.2"), 8).unwrap_err(), ConnectionRefusal::Total);
        drop(held);
        let held: Vec<StreamPermit> = streams("203.0.113.1", 2);
        assert_eq!(
            (held.len(), permits.acquire_stream(peer("203.0.113.1"), 2).unwrap_err()),
            (2, ConnectionRefusal::Address)
        );
        let many = Arc::new(ConnectionLimits::new(None, 1_000_000));
        let all: Vec<StreamPermit> =
            std::iter::from_fn(|| many.acquire_stream(Peer::Unix, EVENT_STREAMS_MAX).ok()).collect();
        assert_eq!(all.len(), EVENT_STREAMS_MAX);
    }
}
