//! Wrong tokens, by the host that shows them.
//!
//! A few are somebody's mistake. From a host that shows many, each token waits before anybody looks at it, a right one too:
//! who guesses has so many guesses in that time as the host may have connections, and whoever shares the address with him
//! is late and not shut out. It ends by itself as soon as the guesses do.

use crate::domain::address::Peer;
use crate::domain::limits::{GUESS_WINDOW, GUESSES_PER_HOST_MAX, TOKEN_WAIT};
use crate::domain::meter::Meter;
use crate::domain::time::{Mono, Span};
use crate::engine::mutex::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    meter: Mutex<Meter>,
    /// Until when any host may have to wait: where nobody guesses, nobody takes the lock.
    until: AtomicU64,
}

impl Guesses {
    /// Counts one; whether it was one of many.
    pub(super) fn note(&self, now: Mono, peer: Peer) -> bool {
        self.until.fetch_max(now.after(GUESS_WINDOW).0, Ordering::Relaxed);
        lock(&self.meter).check(now, peer, GUESSES_PER_HOST_MAX, GUESS_WINDOW).is_err()
    }

    pub(super) fn wait(&self, now: Mono, peer: Peer) -> Option<Span> {
        if now.0 > self.until.load(Ordering::Relaxed) {
            return None;
        }
        let spent = lock(&self.meter).is_spent(now, peer, GUESSES_PER_HOST_MAX, GUESS_WINDOW);
        spent.then_some(TOKEN_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_a_host_of_many_guesses_tokens_wait_and_from_others_they_do_not() {
        let peer = |ip: &str| Peer::from_ip(ip.parse().unwrap());
        let guesses = Guesses::default();
        for n in 0..GUESSES_PER_HOST_MAX {
            assert_eq!(guesses.wait(Mono(1), peer("2001:db8::1")), None);
            assert!(!guesses.note(Mono(1), peer(&format!("2001:db8::{n}"))));
        }
        assert!(guesses.note(Mono(1), peer("2001:db8::ffff")));
        assert_eq!(guesses.wait(Mono(1), peer("2001:db8::1")), Some(TOKEN_WAIT), "a network of IPv6 is one");
        assert_eq!(guesses.wait(Mono(1), peer("2001:db8:0:1::1")), None);
        assert_eq!(guesses.wait(Mono(1), peer("203.0.113.1")), None);
        let share = GUESS_WINDOW.0 / u64::from(GUESSES_PER_HOST_MAX);
        assert_eq!(guesses.wait(Mono(1 + share), peer("2001:db8::1")), None, "it does not last");
    }
}
