//! The bytes that strangers make us hold: requests that are not whole, messages in fragments, answers that nobody reads,
//! streams of events, TLS records. One budget for all of it (`limits.memory`).
//!
//! Whoever would make it run out is refused, and that is who holds most: a host may hold as much as is free besides, so
//! that one alone comes to half of it, two to a third each, and one that holds little gets its share as long as there is
//! any (the dynamic thresholds of Choudhury and Hahne, which switches use for the same purpose). Those of this machine
//! share what is free with nobody until nine tenths of the whole are in use.

use crate::domain::address::Peer;
use crate::domain::limits::{FAIR_BYTES, exempt_until};
use crate::domain::time::Span;
use crate::engine::stats::Turned;
use crate::transport::census::Census;
use crate::wire::answer::Answer;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How much is held, by all and by each host.
#[derive(Debug, Default)]
pub struct Budget {
    used: AtomicUsize,
    by_host: Mutex<HashMap<Peer, usize>>,
}

/// What one thing makes us hold; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    pub(super) census: Arc<Census>,
    pub(super) host: Peer,
    bytes: usize,
}

impl Budget {
    /// Bytes that are held.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Changes what `host` holds by one of its things from `before` to `after` bytes, unless there is no room for that.
    fn change(&self, host: Peer, before: usize, after: usize, max: usize) -> Result<(), Turned> {
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_host.get(&host).copied().unwrap_or(0).saturating_sub(before).saturating_add(after);
        let used = self.used().saturating_sub(before).saturating_add(after);
        if after > before {
            let free = max.saturating_sub(used);
            let bound = host != Peer::Unix || used > exempt_until(max);
            if bound && own > free.max(FAIR_BYTES) {
                return Err(Turned::Memory);
            }
            if used > max {
                return Err(Turned::MemoryTotal);
            }
        }
        // Only ever changed under the lock.
        self.used.store(used, Relaxed);
        match own {
            0 => _ = by_host.remove(&host),
            own => _ = by_host.insert(host, own),
        }
        Ok(())
    }
}

impl Held {
    /// Nothing yet, by somebody.
    pub fn new(census: Arc<Census>, peer: Peer) -> Held {
        Held { census, host: peer.host(), bytes: 0 }
    }

    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Says that it is so much now, of a budget of `max`. Less always goes.
    pub fn set(&mut self, bytes: usize, max: usize) -> Result<(), Turned> {
        if bytes != self.bytes {
            self.census.budget.change(self.host, self.bytes, bytes, max)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Giving back is never refused.
        let _ = self.set(0, 0);
    }
}

/// Why there is no room for somebody.
pub fn reason(why: Turned) -> &'static str {
    match why {
        Turned::Memory => "this address makes the server hold too much (limits.memory)",
        _ => "the server holds as much as it may (limits.memory)",
    }
}

/// What somebody is told over HTTP for whom there is no room.
pub fn refusal(why: Turned) -> Answer {
    let reason = reason(why);
    match why {
        Turned::Memory => {
            Answer::too_often(&format!("{reason}: read what it sends, or ask for less"), Span::secs(5))
        }
        _ => Answer::unavailable(reason, Span::secs(5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 64 << 20;
    const PIECE: usize = 256 << 10;

    fn peer(ip: &str) -> Peer {
        Peer::from_ip(ip.parse().unwrap())
    }

    /// What somebody gets who takes all he can.
    fn fill(census: &Arc<Census>, ip: &str) -> (Vec<Held>, Turned) {
        let mut all = Vec::new();
        loop {
            let mut one = Held::new(census.clone(), peer(ip));
            match one.set(PIECE, MAX) {
                Ok(()) => all.push(one),
                Err(why) => return (all, why),
            }
        }
    }

    #[test]
    fn who_holds_most_is_refused_and_who_holds_little_is_not() {
        let census = Arc::new(Census::new(None, 10_000));
        let used = || census.budget.used();
        let (first, why) = fill(&census, "2001:db8::1");
        assert_eq!((first.len() * PIECE, why), (MAX / 2, Turned::Memory));
        assert!(Held::new(census.clone(), peer("2001:db8::2")).set(PIECE, MAX).is_err(), "a /64 is one host");
        let (second, _) = fill(&census, "203.0.113.2");
        assert_eq!(second.len() * PIECE, MAX / 4);
        let many: Vec<_> = (0..250).map(|n| fill(&census, &format!("198.51.100.{n}")).0).collect();
        assert!(used() <= MAX && many[0].len() > many[200].len(), "{}", used());
        // One that shrinks and grows again within what it had.
        drop((first, second, many));
        assert_eq!((used(), census.budget.by_host.lock().unwrap().len()), (0, 0));
    }

    #[test]
    fn this_machine_may_have_nine_tenths_before_it_is_one_host_among_others() {
        let census = Arc::new(Census::new(None, 10_000));
        let (own, _) = fill(&census, "127.0.0.1");
        assert_eq!(own.len(), MAX / 10 * 9 / PIECE);
        let (other, _) = fill(&census, "203.0.113.2");
        assert!(other.len() * PIECE >= MAX / 32, "{}", other.len());
    }

    #[test]
    fn what_is_little_is_granted_as_long_as_there_is_any() {
        let census = Arc::new(Census::new(None, 10_000));
        let mut one = Held::new(census.clone(), peer("203.0.113.2"));
        assert_eq!(one.set(MAX + 1, MAX), Err(Turned::Memory));
        assert_eq!((one.set(FAIR_BYTES, MAX), one.set(100, MAX), one.bytes()), (Ok(()), Ok(()), 100));
        assert_eq!(one.set(200, 150), Err(Turned::MemoryTotal), "the budget was cut by a reload");
        assert_eq!(one.set(50, 10), Ok(()), "less always goes");
    }
}
