//! Two senders with one id: a cloned machine, a job that runs twice. Nobody would notice, for each hides that the other
//! has fallen silent.
//!
//! What tells is that numbers come from the one address which the other has used up, or that two connections that both
//! give the id take turns; and that this happens again and again. Whoever moves to another address (NAT, DHCP, failover)
//! does it once, and goes on counting or begins at 0 or 1; a number that is sent again from elsewhere, or two that
//! overtake each other, are no proof either. So it takes [`PROOFS`] between the same two, none long after the other.

use super::Registry;
use super::row::Monitor;
use super::{Name, Tidings};
use crate::domain::address::Peer;
use crate::domain::time::{Mono, Now, Span, Wall};

/// How often it must be seen before it is said.
const PROOFS: u8 = 3;
/// Intervals that may pass between two sights of it; it has ended when more have.
const INTERVALS: u64 = 4;
/// They are never less than this.
const LASTS_MIN: Span = Span::secs(120);

/// Two senders that use one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where they are; the same address twice for two connections from there.
    pub addresses: [Peer; 2],
    /// Since when.
    pub since: Wall,
}

/// What is suspected of a monitor's senders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rivals {
    pair: [Peer; 2],
    proofs: u8,
    since: Wall,
    last: Mono,
}

impl Rivals {
    fn ended(&self, now: Now, interval: Span) -> bool {
        now.mono.since(self.last) > LASTS_MIN.max(Span(interval.0.saturating_mul(INTERVALS)))
    }
}

impl Monitor {
    /// The two senders that use its id now.
    pub(super) fn conflict(&self, now: Now) -> Option<Conflict> {
        let rivals = self.rare.as_ref()?.rivals.as_ref()?;
        let is = rivals.proofs >= PROOFS && !rivals.ended(now, self.held());
        is.then_some(Conflict { addresses: rivals.pair, since: rivals.since })
    }

    /// Notes a sight of two senders; `Some` when that is now beyond doubt.
    fn suspect(&mut self, now: Now, mut pair: [Peer; 2]) -> Option<Conflict> {
        pair.sort_unstable();
        let interval = self.held();
        let known = &mut self.rare().rivals;
        let same = known.filter(|rivals| rivals.pair == pair && !rivals.ended(now, interval));
        let rivals = same.unwrap_or(Rivals { pair, proofs: 0, since: now.wall, last: now.mono });
        let proofs = rivals.proofs.saturating_add(1);
        *known = Some(Rivals { proofs, last: now.mono, ..rivals });
        (proofs == PROOFS).then_some(Conflict { addresses: pair, since: rivals.since })
    }
}

impl Registry {
    /// Two connections that both give its id take turns.
    pub fn contend(&mut self, now: Now, monitor: Name<'_>, pair: [Peer; 2]) {
        if let Some(key) = self.find(monitor) {
            self.suspect(now, key, pair);
        }
    }

    #[cold]
    pub(super) fn suspect(&mut self, now: Now, key: u32, pair: [Peer; 2]) {
        let row = &mut self.monitors[key as usize];
        if let Some(conflict) = row.suspect(now, pair) {
            self.tidings.push_back(Tidings::Conflict(row.id.clone(), conflict));
        }
    }
}
