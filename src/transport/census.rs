//! Counting connections: in all, and by host; and those among them that stay for a stream of events.
//!
//! A host is an IPv4 address, an IPv6 /64, which one host can fill alone, or this machine ([`Peer::host`]). This machine is
//! bound by what one host may have only when nine tenths of the whole are in use: a proxy, or tests, need more, but
//! nobody may take all.

use crate::domain::address::Peer;
use crate::domain::limits::{EVENT_STREAMS_MAX, RESERVED_FILES, exempt_until};
use crate::engine::stats::Turned;
use crate::transport::budget::{Budget, Held};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections there are, and what they make us hold.
#[derive(Debug)]
pub struct Census {
    connections: Count,
    streams: Count,
    /// The bytes that they make us hold.
    pub budget: Budget,
}

/// So many of something, in all and by host.
#[derive(Debug)]
struct Count {
    total: AtomicUsize,
    total_max: usize,
    by_host: Mutex<HashMap<Peer, usize>>,
}

/// One counted connection, and what it makes us hold; uncounted when dropped.
#[derive(Debug)]
pub struct Place {
    /// What its front makes of the bytes that it keeps for it.
    pub held: Held,
    census: Arc<Census>,
    /// By which it is counted, whoever pays for what is held.
    host: Peer,
}

/// One counted stream; uncounted when dropped.
#[derive(Debug)]
pub struct StreamPlace {
    census: Arc<Census>,
    host: Peer,
}

impl Count {
    fn new(total_max: usize) -> Count {
        Count { total: AtomicUsize::new(0), total_max, by_host: Mutex::default() }
    }

    fn enter(&self, host: Peer, per_host_max: usize) -> Result<(), Turned> {
        let before = self.total.fetch_add(1, Ordering::Relaxed);
        let refused = |why| {
            self.total.fetch_sub(1, Ordering::Relaxed);
            Err(why)
        };
        if before >= self.total_max {
            return refused(Turned::Total);
        }
        let bound = host != Peer::Unix || before >= exempt_until(self.total_max);
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_host.entry(host).or_insert(0);
        if bound && *count >= per_host_max {
            drop(by_host);
            return refused(Turned::Address);
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

impl Census {
    /// For `configured` connections at most, or as many as `open_files_max` leaves room for.
    pub fn new(configured: Option<usize>, open_files_max: u64) -> Census {
        let room =
            usize::try_from(open_files_max).unwrap_or(usize::MAX).saturating_sub(RESERVED_FILES).max(16);
        let total_max = configured.unwrap_or(room).min(room);
        // Streams stay for hours, so they may have only an eighth of the connections: the rest is for beats.
        let streams_max = (total_max / 8).clamp(1, EVENT_STREAMS_MAX);
        Census {
            connections: Count::new(total_max),
            streams: Count::new(streams_max),
            budget: Budget::default(),
        }
    }

    /// Counts a connection, or says why it is one too many.
    pub fn enter(self: &Arc<Census>, peer: Peer, per_host_max: usize) -> Result<Place, Turned> {
        let host = peer.host();
        self.connections.enter(host, per_host_max)?;
        Ok(Place { held: Held::new(self.clone(), peer), census: self.clone(), host })
    }

    /// Counts a stream of events, or says why it is one too many.
    pub fn enter_stream(self: &Arc<Census>, peer: Peer, per_host_max: usize) -> Result<StreamPlace, Turned> {
        let host = peer.host();
        self.streams.enter(host, per_host_max)?;
        Ok(StreamPlace { census: self.clone(), host })
    }
}

impl Place {
    /// Takes what is held out of it, and leaves nothing there that would be held for `peer`.
    pub fn take_held(&mut self, peer: Peer) -> Held {
        std::mem::replace(&mut self.held, Held::new(self.census.clone(), peer))
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.census.streams.leave(self.host);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.census.connections.leave(self.host);
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
        let census = Arc::new(Census::new(Some(100), 20_000));
        for host in ["203.0.113.1", "2001:db8::1"] {
            let held: Vec<Place> = (0..3).map(|_| census.enter(peer(host), 3).unwrap()).collect();
            assert_eq!(census.enter(peer(host), 3).unwrap_err(), Turned::Address);
            assert!(census.enter(peer("203.0.113.2"), 3).is_ok());
            drop(held);
            assert!(census.enter(peer(host), 3).is_ok());
        }
        let _one = [census.enter(peer("2001:db8::1"), 1).unwrap()];
        assert_eq!(
            census.enter(peer("2001:db8::ffff:2"), 1).unwrap_err(),
            Turned::Address,
            "a /64 is one host"
        );
        assert!(census.enter(peer("2001:db8:0:1::2"), 1).is_ok());
        drop(_one);
        assert_eq!(census.connections.total.load(Ordering::Relaxed), 0);
        assert!(census.connections.by_host.lock().unwrap().is_empty());
    }

    #[test]
    fn this_machine_is_bound_only_when_little_is_left() {
        let census = Arc::new(Census::new(Some(100), 20_000));
        let own: Vec<Place> = std::iter::from_fn(|| census.enter(peer("127.0.0.1"), 3).ok()).collect();
        assert_eq!(own.len(), 90);
        assert_eq!(census.enter(Peer::Unix, 3).unwrap_err(), Turned::Address);
        assert!(census.enter(peer("203.0.113.2"), 3).is_ok());
    }

    #[test]
    fn the_total_is_bounded_by_the_open_files_too() {
        let census = Arc::new(Census::new(Some(1_000_000), 256 + 20));
        let held: Vec<Place> = (0..20).map(|_| census.enter(Peer::Unix, 100).unwrap()).collect();
        assert_eq!(census.enter(Peer::Unix, 100).unwrap_err(), Turned::Total);
        assert_eq!((held.len(), census.connections.total.load(Ordering::Relaxed)), (20, 20));
    }

    #[test]
    fn streams_leave_most_places_to_beats_and_one_host_leaves_some_to_others() {
        let census = Arc::new(Census::new(Some(24), 20_000));
        let streams =
            |host: &str, most| std::iter::from_fn(|| census.enter_stream(peer(host), most).ok()).collect();
        let held: Vec<StreamPlace> = streams("203.0.113.1", 8);
        assert_eq!(held.len(), 3);
        assert_eq!(census.enter_stream(peer("203.0.113.2"), 8).unwrap_err(), Turned::Total);
        drop(held);
        let held: Vec<StreamPlace> = streams("203.0.113.1", 2);
        assert_eq!(
            (held.len(), census.enter_stream(peer("203.0.113.1"), 2).unwrap_err()),
            (2, Turned::Address)
        );
        let many = Arc::new(Census::new(None, 1_000_000));
        let all: Vec<StreamPlace> =
            std::iter::from_fn(|| many.enter_stream(Peer::Unix, EVENT_STREAMS_MAX).ok()).collect();
        assert_eq!(all.len(), EVENT_STREAMS_MAX);
    }
}
