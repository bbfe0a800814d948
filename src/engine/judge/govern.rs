//! The governor's place in the loop: once a second it adds up what has come, and tells the shards what to ask for.

use crate::domain::governor::{Governor, Step, Terms};
use crate::domain::time::{Mono, Span};
use crate::engine::shards::Shards;

/// Stretched so much, it is worth a line in the log.
const NOTABLE: f64 = 1.5;

/// What the loop remembers of it from one turn to the next.
pub(in crate::engine) struct Governing {
    law: Governor,
    counted: Mono,
    /// What the shards ask for; `None`: there is no governor.
    wish: Option<Step>,
    /// Whether the log says that intervals are stretched.
    said: bool,
}

/// What the governor has come to.
pub(in crate::engine) struct Governed {
    /// How many times intervals are stretched.
    pub(in crate::engine) times: f64,
    /// The log is to say that they are, or that they are no more.
    pub(in crate::engine) says: Option<bool>,
}

impl Governing {
    pub(in crate::engine) fn new(now: Mono) -> Governing {
        Governing { law: Governor::default(), counted: now, wish: None, said: false }
    }

    /// Once a second, where there is a governor: how much is asked for now.
    pub(in crate::engine) fn turn(&mut self, now: Mono, terms: Terms, shards: &Shards) -> Option<Governed> {
        let span = now.since(self.counted);
        if span < Span::secs(1) {
            return None;
        }
        self.counted = now;
        if terms.beats_per_second.is_none() && self.wish.is_none() {
            return None;
        }
        let times = self.law.count(shards.take_load(), span, terms);
        let wish = terms.beats_per_second.map(|_| Step::of(times, terms.stretch_max));
        if wish != self.wish {
            self.wish = wish;
            shards.ask(wish);
        }
        let says = if self.said { times > 1.0 } else { times >= NOTABLE };
        let changed = std::mem::replace(&mut self.said, says) != says;
        Some(Governed { times, says: changed.then_some(says) })
    }
}
