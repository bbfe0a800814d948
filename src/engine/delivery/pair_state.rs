//! What the delivery knows of the other server of a pair, and what follows for the messages that wait.

use crate::domain::alert::Message;
use crate::domain::alert::pair::PairWatch;
use crate::domain::time::Wall;
use crate::store::Outgoing;
use std::collections::{BTreeMap, BTreeSet};

/// Messages of a lane that are decided on at once; those behind them wait.
pub(super) const DECIDED_AT_ONCE: usize = 1_000;

/// What the delivery knows of the other server, and what follows for the messages that wait.
#[derive(Debug, Default)]
pub(super) struct PairState {
    /// `None`: there is no other server.
    pub(super) watch: Option<PairWatch>,
    /// The keys of those that may go; `None`: all may.
    pub(super) allowed: Option<BTreeSet<String>>,
    /// Messages that were let out, by their keys, for as long as they wait.
    pub(super) released: BTreeMap<String, ReleasedMessage>,
    /// How far back the other server's alerts matter; `None`: nothing waits.
    pub(super) since: Option<Wall>,
}

/// A message that was let out.
#[derive(Clone, Debug, Default)]
pub(super) struct ReleasedMessage {
    /// When, if it was kept back before.
    pub(super) at: Option<Wall>,
    /// Monitors that it does not name any more.
    pub(super) without: Vec<String>,
}

impl PairState {
    /// Whether a message may go now.
    pub(super) fn allows(&self, key: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(key))
    }

    /// Whether any are kept back.
    pub(super) fn is_choosy(&self) -> bool {
        self.allowed.is_some()
    }

    /// Forgets the other server: it is another one, or there is none any more.
    pub(super) fn forget(&mut self) {
        *self = PairState::default();
    }

    /// A message as its time to be tried is counted, which begins when it is let out; `None`: it was not kept back.
    pub(super) fn counted(&self, outgoing: &Outgoing) -> Option<Outgoing> {
        let made = self.released.get(&outgoing.key)?.at?.max(outgoing.made);
        Some(Outgoing { made, ..outgoing.clone() })
    }

    /// Takes out of a message what is not to be told any more.
    pub(super) fn shorten(&self, key: &str, message: &mut Message) {
        let Some(ReleasedMessage { without, .. }) = self.released.get(key) else { return };
        if without.is_empty() {
            return;
        }
        let before = message.monitors.len();
        message.monitors.retain(|one| !without.contains(&one.id));
        message.count = message.count.saturating_sub((before - message.monitors.len()) as u64);
        message.removed_count = message.monitors.iter().filter(|one| one.removed).count() as u64;
        if message.monitors.len() == 1 {
            message.shared = None;
        }
    }
}
