//! The governor's place in the loop: once a second it adds up what has come, and tells the shards what to ask for.

use super::Judge;
use crate::domain::governor::{Governor, Load, Step};
use crate::domain::notice::Level;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::{Engine, lock};
use crate::i18n;
use std::sync::atomic::Ordering;

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

impl Governing {
    pub(in crate::engine) fn new(now: Mono) -> Governing {
        Governing { law: Governor::default(), counted: now, wish: None, said: false }
    }
}

impl Engine {
    /// How many times intervals are stretched.
    pub fn stretch(&self) -> f64 {
        f64::from(self.stretch_permille.load(Ordering::Relaxed)) / 1000.0
    }

    /// Once a second, where there is a governor.
    pub(in crate::engine) fn govern(&self, judge: &mut Judge, now: Now) {
        let governing = &mut judge.governing;
        let span = now.mono.since(governing.counted);
        if span < Span::secs(1) {
            return;
        }
        governing.counted = now.mono;
        let terms = self.policy().governor;
        if terms.beats_per_second.is_none() && governing.wish.is_none() {
            return;
        }
        let mut load = Load::default();
        for shard in &self.shards {
            load.add(lock(shard).take_load());
        }
        let times = governing.law.count(load, span, terms);
        let wish = terms.beats_per_second.map(|_| Step::of(times, terms.stretch_max));
        if wish != governing.wish {
            governing.wish = wish;
            self.shards.iter().for_each(|shard| lock(shard).ask(wish));
        }
        self.stretch_permille.store((times * 1000.0).round() as u32, Ordering::Relaxed);
        let says = if governing.said { times > 1.0 } else { times >= NOTABLE };
        if says != governing.said {
            governing.said = says;
            let text = match says {
                true => i18n::engine::load_over_limit(&terms.beats_per_second.unwrap_or_default()),
                false => i18n::engine::LOAD_OVER.into(),
            };
            self.notice(now.wall, Level::Notice, "governor", text);
        }
    }
}
