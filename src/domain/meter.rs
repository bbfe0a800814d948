//! How often somebody may do something: a rate per address, with a bounded memory of addresses.
//!
//! The generic cell rate algorithm (ITU-T I.371): of each address only the moment is kept at which it would be "even"
//! again; it may run ahead of that by a whole burst. Who is even needs no entry, so entries go by themselves.

use super::address::Peer;
use super::time::{Mono, Span};
use std::collections::HashMap;

/// Most addresses remembered at once by one meter.
const ADDRESSES_MAX: usize = 65_536;

/// Counts by host, see [`Peer::host`].
#[derive(Debug, Default)]
pub struct Meter {
    even_at: HashMap<Peer, Mono>,
    swept: Mono,
    /// What one costs by the limit that the memory goes by.
    step: Span,
}

impl Meter {
    /// Whether `peer` may do it once more when `count` are allowed in any `window` (and as many at once).
    /// Otherwise: how long to wait.
    pub fn check(&mut self, now: Mono, peer: Peer, count: u32, window: Span) -> Result<(), Span> {
        let (host, even) = self.look(now, peer, count, window)?;
        self.even_at.insert(host, even);
        Ok(())
    }

    /// Whether [`Meter::check`] would say no; nothing is counted.
    pub fn is_spent(&mut self, now: Mono, peer: Peer, count: u32, window: Span) -> bool {
        self.look(now, peer, count, window).is_err()
    }

    /// The host, and when it will be even if it does it now.
    fn look(&mut self, now: Mono, peer: Peer, count: u32, window: Span) -> Result<(Peer, Mono), Span> {
        let key = peer.host();
        let step = Span((window.0 / u64::from(count.max(1))).max(1));
        if step != self.step {
            self.adopt(now, step, window);
        }
        let even = self.even_at.get(&key).copied().unwrap_or(now).max(now);
        let next = even.after(step);
        let ahead = next.since(now);
        if ahead > window {
            return Err(Span(ahead.0 - window.0));
        }
        if self.even_at.len() >= ADDRESSES_MAX && !self.even_at.contains_key(&key) {
            self.make_room(now)?;
        }
        Ok((key, next))
    }

    /// Goes by another limit: whoever has used up so many has used up as many of that.
    fn adopt(&mut self, now: Mono, step: Span, window: Span) {
        let before = std::mem::replace(&mut self.step, step);
        for even in self.even_at.values_mut() {
            let used = even.since(now).0.div_ceil(before.0.max(1));
            *even = now.after(Span(used.saturating_mul(step.0)).min(window));
        }
    }

    /// Forgets whoever is even; at most once a second, as it looks at all.
    fn make_room(&mut self, now: Mono) -> Result<(), Span> {
        const PAUSE: Span = Span::secs(1);
        if now >= self.swept.after(PAUSE) || self.swept == Mono(0) {
            self.swept = now;
            self.even_at.retain(|_, even| *even > now);
        }
        if self.even_at.len() < ADDRESSES_MAX { Ok(()) } else { Err(PAUSE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Span = Span::secs(3600);

    fn peer(ip: &str) -> Peer {
        Peer::from_ip(ip.parse().unwrap())
    }

    #[test]
    fn a_burst_passes_then_one_by_one() {
        let mut meter = Meter::default();
        let (me, other) = (peer("203.0.113.1"), peer("203.0.113.2"));
        for _ in 0..1000 {
            assert_eq!(meter.check(Mono(5), me, 1000, HOUR), Ok(()));
        }
        assert_eq!(meter.check(Mono(5), me, 1000, HOUR), Err(Span(3600)));
        assert_eq!(meter.check(Mono(5), other, 1000, HOUR), Ok(()));
        assert_eq!(meter.check(Mono(5 + 3600), me, 1000, HOUR), Ok(()));
        assert!(meter.check(Mono(5 + 3600), me, 1000, HOUR).is_err());
    }

    #[test]
    fn a_look_says_what_a_try_would_and_costs_nothing() {
        let mut meter = Meter::default();
        let me = peer("203.0.113.1");
        for done in 0..3 {
            for _ in 0..10 {
                assert!(!meter.is_spent(Mono(5), me, 3, HOUR), "after {done}");
            }
            assert_eq!(meter.check(Mono(5), me, 3, HOUR), Ok(()));
        }
        assert!(meter.is_spent(Mono(5), me, 3, HOUR));
        assert!(!meter.is_spent(Mono(5), peer("203.0.113.2"), 3, HOUR));
        assert!(!meter.is_spent(Mono(5 + HOUR.0 / 3), me, 3, HOUR));
    }

    #[test]
    fn another_limit_counts_at_once() {
        let mut meter = Meter::default();
        let me = peer("203.0.113.1");
        let most = |meter: &mut Meter, count| {
            (0..5000).filter(|_| meter.check(Mono(5), me, count, HOUR).is_ok()).count()
        };
        assert_eq!(most(&mut meter, 1000), 1000);
        assert_eq!(most(&mut meter, 2000), 1000, "raised, it has room for as many again");
        assert_eq!(most(&mut meter, 100), 0, "lowered, there is none");
        assert_eq!(
            most(&mut meter, 4000),
            3900,
            "of what it did so many are remembered as the limit allowed"
        );
    }

    #[test]
    fn one_v6_network_is_one_host_and_so_is_this_machine() {
        let mut meter = Meter::default();
        assert!(meter.check(Mono(0), peer("2001:db8::1"), 1, HOUR).is_ok());
        assert!(meter.check(Mono(0), peer("2001:db8::2"), 1, HOUR).is_err());
        assert!(meter.check(Mono(0), peer("::1"), 1, HOUR).is_ok());
        for own in [peer("::1"), peer("127.0.0.1"), Peer::Unix] {
            assert!(meter.check(Mono(0), own, 1, HOUR).is_err());
        }
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let mut meter = Meter::default();
        let address = |n: u32| Peer::Ip(std::net::Ipv4Addr::from_bits(0x0100_0000 + n).into());
        let mut refused = 0;
        for n in 0..ADDRESSES_MAX as u32 + 100 {
            refused += u32::from(meter.check(Mono(1), address(n), 1, HOUR).is_err());
        }
        assert_eq!(refused, 100);
        assert!(meter.check(Mono(HOUR.0 + 2), address(1_000_000), 1, HOUR).is_ok());
        assert!(meter.even_at.len() < ADDRESSES_MAX);
    }
}
