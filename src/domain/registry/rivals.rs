//! Two senders with one id: a cloned machine, a job that runs twice. Nobody would notice, for each hides that the other
//! has fallen silent.
//!
//! What tells is that numbers come from the one address which the other has used up, or that two connections that both
//! give the id take turns; and that this happens again and again. Whoever moves to another address (NAT, DHCP, failover)
//! does it once, and goes on counting or begins at 0 or 1; a number that is sent again from elsewhere, or two that
//! overtake each other, are no proof either. So it takes [`PROOFS`] between the same two, none long after the other. A run
//! that ends where it began, after another one began elsewhere, is enough: both are there.

use super::Registry;
use super::row::Monitor;
use super::{MonitorEvent, Name};
use crate::domain::address::Peer;
use crate::domain::schedule::Schedule;
use crate::domain::time::{Mono, Now, Span, Wall};

/// How often it must be seen before it is said.
const PROOFS: u8 = 3;
/// Numbers that may be missing for a moment because others overtake them.
const OVERTAKEN_MAX: u32 = 32;
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
    /// How long it is believed after that.
    lasts: Span,
}

impl Rivals {
    fn ended(&self, now: Now) -> bool {
        now.mono.since(self.last) > self.lasts
    }
}

impl Monitor {
    /// The two senders that use its id now.
    pub(super) fn conflict(&self, now: Now) -> Option<Conflict> {
        let rivals = self.rare.as_ref()?.rivals.as_ref()?;
        let is = rivals.proofs >= PROOFS && !rivals.ended(now);
        is.then_some(Conflict { addresses: rivals.pair, since: rivals.since })
    }

    /// Notes a sight of two senders of which one is heard every so often; `Some` when that is now beyond doubt.
    fn suspect(
        &mut self,
        now: Now,
        mut pair: [Peer; 2],
        evidence: Evidence,
        every: Span,
    ) -> Option<Conflict> {
        pair.sort_unstable();
        let known = &mut self.rare().rivals;
        let same = known.filter(|rivals| rivals.pair == pair && !rivals.ended(now));
        let lasts = LASTS_MIN.max(Span(every.0.saturating_mul(INTERVALS)));
        let rivals = same.unwrap_or(Rivals { pair, proofs: 0, since: now.wall, last: now.mono, lasts });
        let proofs = match evidence {
            Evidence::Hint => rivals.proofs.saturating_add(1),
            Evidence::Proof => rivals.proofs.max(PROOFS),
        };
        *known = Some(Rivals { proofs, last: now.mono, lasts, ..rivals });
        let is_new = proofs >= PROOFS && rivals.proofs < PROOFS;
        is_new.then_some(Conflict { addresses: pair, since: rivals.since })
    }

    /// Numbers that seem to be missing are not when another sender counts on its own: where the beat before came from
    /// elsewhere and they are more than any that were overtaken, or two connections of one place are known to take turns.
    pub(super) fn is_count_of_another(&self, now: Now, from: Peer, missing: u32) -> bool {
        let take_turns = |conflict: Conflict| conflict.addresses[0] == conflict.addresses[1];
        from != self.source.peer && missing > OVERTAKEN_MAX || self.conflict(now).is_some_and(take_turns)
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

impl Registry {
    /// Two connections that both give its id take turns.
    pub fn contend(&mut self, now: Now, monitor: Name<'_>, pair: [Peer; 2]) {
        if let Some(key) = self.find(monitor) {
            self.suspect(now, key, pair, Evidence::Hint);
        }
    }

    #[cold]
    pub(super) fn suspect(&mut self, now: Now, key: u32, pair: [Peer; 2], evidence: Evidence) {
        let row = &mut self.monitors[key as usize];
        let schedule = self.rules.get(row.rule).and_then(|rule| rule.schedule.as_ref());
        let every = schedule.map_or(row.held(), Schedule::shortest_gap);
        if let Some(conflict) = row.suspect(now, pair, evidence, every) {
            self.events.push_back(MonitorEvent::Conflict(row.id.clone(), conflict));
        }
    }
}
