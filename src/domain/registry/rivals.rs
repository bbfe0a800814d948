//! Two senders with one id: a cloned machine, a job that runs twice. Nobody would notice, for each hides that the other
//! has fallen silent.
//!
//! What tells is that numbers come from the one address which the other has used up, or that two connections that both
//! give the id take turns; and that this happens again and again. Whoever moves to another address (NAT, DHCP, failover)
//! does it once, and goes on counting or begins at 0 or 1; a number that is sent again from elsewhere, or two that
//! overtake each other, are no proof either. So it takes [`PROOFS`] between the same two, none long after the other. A run
//! that ends where it began, after another one began elsewhere, is enough: both are there.

use crate::domain::address::Peer;
use crate::domain::time::{Mono, Now, Span, Wall};

/// How often it must be seen before it is said.
pub(super) const PROOFS: u8 = 3;

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
    pub(super) pair: [Peer; 2],
    pub(super) proofs: u8,
    pub(super) since: Wall,
    pub(super) last: Mono,
    /// How long it is believed after that.
    pub(super) lasts: Span,
}

impl Rivals {
    pub(super) fn ended(&self, now: Now) -> bool {
        now.mono.since(self.last) > self.lasts
    }
}

/// What was seen of two senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It may have another reason.
    Hint,
    /// It has none.
    Proof,
}
