//! The look-out for two senders with one id, see [`rivals`](super::rivals).

use super::rivals::{Conflict, Evidence, PROOFS, Rivals};
use super::row::Monitor;
use super::{MonitorEvent, Name, Registry};
use crate::domain::address::Peer;
use crate::domain::schedule::Schedule;
use crate::domain::time::{Now, Span};

/// Numbers that may be missing for a moment because others overtake them.
const OVERTAKEN_MAX: u32 = 32;

/// Intervals that may pass between two sights of it; it has ended when more have.
const INTERVALS: u64 = 4;

/// They are never less than this.
const LASTS_MIN: Span = Span::secs(120);

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
