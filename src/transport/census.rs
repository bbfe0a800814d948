//! Counting connections: in all, and by address; and those among them that stay for a stream of events.

use crate::domain::address::Peer;
use crate::domain::limits::{EVENT_STREAMS_MAX, RESERVED_FILES};
use crate::engine::stats::Turned;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections there are.
#[derive(Debug)]
pub struct Census {
    total: AtomicUsize,
    total_max: usize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    streams: AtomicUsize,
}

/// One counted stream; uncounted when dropped.
#[derive(Debug)]
pub struct StreamPlace {
    census: Arc<Census>,
}

/// One counted connection; uncounted when dropped.
#[derive(Debug)]
pub struct Place {
    census: Arc<Census>,
    address: Option<IpAddr>,
}

impl Census {
    /// For `configured` connections at most, or as many as `open_files_max` leaves room for.
    pub fn new(configured: Option<usize>, open_files_max: u64) -> Census {
        let room =
            usize::try_from(open_files_max).unwrap_or(usize::MAX).saturating_sub(RESERVED_FILES).max(16);
        Census {
            total: AtomicUsize::new(0),
            total_max: configured.unwrap_or(room).min(room),
            by_address: Mutex::default(),
            streams: AtomicUsize::new(0),
        }
    }

    /// Counts a connection, or says why it is one too many.
    pub fn enter(self: &Arc<Census>, peer: Peer, per_address_max: usize) -> Result<Place, Turned> {
        if self.total.fetch_add(1, Ordering::Relaxed) >= self.total_max {
            self.total.fetch_sub(1, Ordering::Relaxed);
            return Err(Turned::Total);
        }
        let mut place = Place { census: self.clone(), address: None };
        let bound = !peer.is_local();
        if let (true, Peer::Ip(ip)) = (bound, peer) {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(ip).or_insert(0);
            if *count >= per_address_max {
                drop(by_address);
                drop(place);
                return Err(Turned::Address);
            }
            *count += 1;
            drop(by_address);
            place.address = Some(ip);
        }
        Ok(place)
    }

    /// Counts a stream of events; `None` if it is one too many. Streams stay for hours, so they may have only an eighth
    /// of the connections: the rest is for beats.
    pub fn enter_stream(self: &Arc<Census>) -> Option<StreamPlace> {
        let most = (self.total_max / 8).clamp(1, EVENT_STREAMS_MAX);
        if self.streams.fetch_add(1, Ordering::Relaxed) >= most {
            self.streams.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(StreamPlace { census: self.clone() })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.census.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.census.total.fetch_sub(1, Ordering::Relaxed);
        if let Some(ip) = self.address {
            let mut by_address = self.census.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = by_address.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&ip);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::from_ip(ip.parse().unwrap())
    }

    #[test]
    fn one_address_may_not_take_every_place_and_gives_its_own_back() {
        let census = Arc::new(Census::new(Some(100), 20_000));
        let held: Vec<Place> = (0..3).map(|_| census.enter(peer("203.0.113.1"), 3).unwrap()).collect();
        assert_eq!(census.enter(peer("203.0.113.1"), 3).unwrap_err(), Turned::Address);
        assert!(census.enter(peer("203.0.113.2"), 3).is_ok());
        assert!((0..10).all(|_| census.enter(peer("127.0.0.1"), 3).is_ok()), "loopback is not bound by it");
        drop(held);
        assert!(census.enter(peer("203.0.113.1"), 3).is_ok());
        assert_eq!(census.total.load(Ordering::Relaxed), 0);
        assert!(census.by_address.lock().unwrap().is_empty());
    }

    #[test]
    fn the_total_is_bounded_by_the_open_files_too() {
        let census = Arc::new(Census::new(Some(1_000_000), 256 + 20));
        let held: Vec<Place> = (0..20).map(|_| census.enter(Peer::Unix, 1).unwrap()).collect();
        assert_eq!(census.enter(Peer::Unix, 1).unwrap_err(), Turned::Total);
        assert_eq!((held.len(), census.total.load(Ordering::Relaxed), census.total_max), (20, 20, 20));
    }

    #[test]
    fn streams_leave_most_places_to_beats() {
        let census = Arc::new(Census::new(Some(24), 20_000));
        let held: Vec<StreamPlace> = (0..3).filter_map(|_| census.enter_stream()).collect();
        assert_eq!(held.len(), 3);
        assert!(census.enter_stream().is_none());
        drop(held);
        assert!(census.enter_stream().is_some());
        let many = Arc::new(Census::new(None, 1_000_000));
        assert_eq!(
            (0..=EVENT_STREAMS_MAX).filter_map(|_| many.enter_stream().map(std::mem::forget)).count(),
            EVENT_STREAMS_MAX
        );
    }
}
