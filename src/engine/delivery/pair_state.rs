//! What the delivery knows of the other server of a pair, and what follows for the messages that wait.

use crate::domain::alert::Message;
use crate::domain::alert::pair::PairWatch;
use crate::domain::time::Wall;
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
    /// Monitors that a message does not name any more, by its key.
    pub(super) left_out: BTreeMap<String, Vec<String>>,
    /// How far back the other server's alerts matter; `None`: nothing waits.
    pub(super) since: Option<Wall>,
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

    /// How far back the other server's alerts matter; `None`: nothing waits.
    pub(super) fn since(&self) -> Option<Wall> {
        self.since
    }

    /// Forgets the other server: it is another one, or there is none any more.
    pub(super) fn forget(&mut self) {
        *self = PairState::default();
    }

    /// Takes out of a message what is not to be told any more.
    pub(super) fn shorten(&self, key: &str, message: &mut Message) {
        let Some(without) = self.left_out.get(key) else { return };
        let before = message.monitors.len();
        message.monitors.retain(|one| !without.contains(&one.id));
        message.count = message.count.saturating_sub((before - message.monitors.len()) as u64);
        message.removed_count = message.monitors.iter().filter(|one| one.removed).count() as u64;
        if message.monitors.len() == 1 {
            message.shared = None;
        }
    }
}
