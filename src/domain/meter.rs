//! How often somebody may do something: a rate per address, with a bounded memory of addresses.
//!
//! The generic cell rate algorithm (ITU-T I.371): of each address only the moment is kept at which it would be "even"
//! again; it may run ahead of that by a whole burst. Who is even needs no entry, so entries go by themselves.

use super::address::Peer;
use super::time::{Mono, Span};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Most addresses remembered at once by one meter.
const ADDRESSES_MAX: usize = 65_536;

/// Counts by address; an IPv6 address stands for its /64, which one host can fill alone.
#[derive(Debug, Default)]
pub struct Meter {
    even_at: HashMap<IpAddr, Mono>,
    swept: Mono,
}

impl Meter {
    /// Whether `peer` may do it once more when `count` are allowed in any `window` (and as many at once).
    /// Otherwise: how long to wait. Those of this machine always may.
    pub fn check(&mut self, now: Mono, peer: Peer, count: u32, window: Span) -> Result<(), Span> {
        let Peer::Ip(ip) = peer else { return Ok(()) };
        if peer.is_local() {
            return Ok(());
        }
        let key = match ip {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        };
        let step = Span((window.0 / u64::from(count.max(1))).max(1));
        let even = self.even_at.get(&key).copied().unwrap_or(now).max(now);
        let next = even.after(step);
        let ahead = next.since(now);
        if ahead > window {
            return Err(Span(ahead.0 - window.0));
        }
        if self.even_at.len() >= ADDRESSES_MAX && !self.even_at.contains_key(&key) {
            self.make_room(now)?;
        }
        self.even_at.insert(key, next);
        Ok(())
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
    fn one_v6_network_is_one_address_and_loopback_is_free() {
        let mut meter = Meter::default();
        assert!(meter.check(Mono(0), peer("2001:db8::1"), 1, HOUR).is_ok());
        assert!(meter.check(Mono(0), peer("2001:db8::2"), 1, HOUR).is_err());
        for _ in 0..10 {
            assert!(meter.check(Mono(0), peer("::1"), 1, HOUR).is_ok());
            assert!(meter.check(Mono(0), Peer::Unix, 1, HOUR).is_ok());
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
