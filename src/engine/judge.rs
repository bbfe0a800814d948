//! The loop that owns time: it finds whose time is up, and notices when time has passed in which nobody listened.
//!
//! [`Engine::turn`] is one turn of it, given the clocks; [`Engine::run`] turns it. Order of a turn: was anybody away or
//! stuck, and has the wall clock been set; do maintenance windows begin; what is asked of senders;
//! judge what is due; sleep until the first deadline
//! of all shards, a second at most. A beat that brings an earlier deadline wakes it.
//!
//! Nobody is judged for a time in which beats could not be read. That is so while the machine sleeps, while the whole
//! process is stopped, and while one thread that takes beats is stuck in the middle of its work (a disk that does not
//! answer, say): beats then lie in its sockets. So each such thread says when it begins and ends a turn
//! ([`Stats::busy`](super::stats::Stats::busy)), and as long as one takes more than a second nobody is judged; after it
//! everybody has a whole interval again.

use super::Engine;
use super::mutex::lock;
use super::pending::Pending;
use super::shards::SHARDS;
use crate::domain::notice::Level;
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::i18n;
use crate::sys::clock;
use gaps::{Gap, GapFinder};
use govern::Governing;
use std::sync::atomic::Ordering;

pub(super) mod alarm;
pub(super) mod alerts;
mod gaps;
mod govern;

/// Monitors judged under one hold of a shard's lock.
const JUDGED_AT_ONCE: usize = 1024;
/// Longest sleep.
const REST: Span = Span::secs(1);
/// How long to wait for a stuck thread before looking again.
const PATIENCE: Span = Span(50);

/// What the loop remembers from one turn to the next.
pub struct Judge {
    clocks: GapFinder,
    windows: Windows,
    governing: Governing,
    pending: Pending,
}

/// When maintenance windows begin.
#[derive(Default)]
struct Windows {
    /// When the next one does, and the generation of the policy that this was found for.
    boundary: Option<Wall>,
    boundary_of: Option<u64>,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextTurn {
    /// At once: more is due than was done in one turn.
    Now,
    /// Then, or when woken.
    At(Mono),
}

impl Judge {
    /// A judge that begins now. `asleep` is how long the machine has slept since it was booted.
    pub fn new(now: Now, asleep: Span) -> Judge {
        Judge {
            clocks: GapFinder::new(now, asleep, now.mono.after(REST)),
            windows: Windows::default(),
            governing: Governing::new(now.mono),
            pending: Pending::new(),
        }
    }
}

impl Windows {
    /// Whether monitors are to be looked through for windows that have begun.
    fn is_due(&self, now: Wall, policy: &Policy) -> bool {
        self.boundary_of != Some(policy.generation) || self.boundary.is_some_and(|boundary| boundary <= now)
    }

    /// They were.
    fn plan(&mut self, now: Wall, policy: &Policy) {
        self.boundary = policy.rules.next_boundary(now);
        self.boundary_of = Some(policy.generation);
    }

    /// The clock was set: every boundary may lie elsewhere.
    fn forget(&mut self) {
        self.boundary_of = None;
    }
}

impl Engine {
    /// Runs for ever. Called once.
    pub async fn run(&self) {
        let mut judge = Judge::new(clock::now(), clock::asleep());
        loop {
            match self.turn(&mut judge, clock::now(), clock::asleep()) {
                NextTurn::Now => tokio::task::yield_now().await,
                NextTurn::At(next) => {
                    let _ = tokio::time::timeout_at(clock::timer_at(next), self.woken()).await;
                }
            }
        }
    }

    /// Waits until a turn is wanted before the time that the last one named.
    pub async fn woken(&self) {
        self.alarm.rung().await;
    }

    /// One turn of the loop, at the moment `now`.
    pub fn turn(&self, judge: &mut Judge, now: Now, asleep: Span) -> NextTurn {
        self.alarm.disarm();
        if judge.clocks.is_stuck(now.mono, self.stats.busy_since()) {
            judge.clocks.plan(now.mono.after(REST));
            return NextTurn::At(now.mono.after(PATIENCE));
        }
        self.forgive_gap(judge, now, asleep);
        self.follow_clock(judge, now);
        self.hold_windows(judge, now);
        self.govern(judge, now);
        let (mut more, mut next) = (false, now.mono.after(REST));
        for shard in 0..SHARDS {
            let pending = &mut judge.pending;
            let deadline = self.change(now, shard, pending, |registry, keep| {
                more |= registry.handle_timeout(now, JUDGED_AT_ONCE, keep);
                registry.poll_deadline()
            });
            next = next.min(deadline.unwrap_or(next));
            // A failure has been noted and will be made good.
            let _ = self.commit(now.wall, pending);
        }
        if let Some(boundary) = judge.windows.boundary {
            next = next.min(now.mono_of(boundary).max(now.mono.after(Span(1))));
        }
        // What is left over is due already; that it is late is nobody's absence.
        judge.clocks.plan(if more { now.mono } else { next.max(now.mono) });
        if more {
            return NextTurn::Now;
        }
        self.alarm.arm(next);
        NextTurn::At(next)
    }

    fn forgive_gap(&self, judge: &mut Judge, now: Now, asleep: Span) {
        let Some(Gap { slept, stuck }) = judge.clocks.gap(now, asleep) else { return };
        for shard in 0..SHARDS {
            let pending = &mut judge.pending;
            self.change(now, shard, pending, |registry, keep| registry.forgive(now, slept, stuck, keep));
        }
        let away = Span(slept.0.saturating_add(stuck.0));
        if stuck > Span(0) {
            lock(&self.judge_inbox).gaps.add(stuck, now.wall);
        }
        self.notice(now.wall, Level::Notice, "absence", i18n::engine::heard_nothing_for(&away));
    }

    fn follow_clock(&self, judge: &mut Judge, now: Now) {
        let Some(step_ms) = judge.clocks.step_ms(now) else { return };
        judge.windows.forget();
        for shard in 0..SHARDS {
            let pending = &mut judge.pending;
            self.change(now, shard, pending, |registry, keep| registry.clock_stepped(now, step_ms, keep));
        }
    }

    fn hold_windows(&self, judge: &mut Judge, now: Now) {
        let policy = self.policy();
        if !judge.windows.is_due(now.wall, &policy) {
            return;
        }
        for shard in (0..SHARDS).filter(|_| !policy.rules.is_empty()) {
            let pending = &mut judge.pending;
            self.change(now, shard, pending, |registry, keep| registry.hold_windows(now, keep));
        }
        judge.windows.plan(now.wall, &policy);
    }

    fn govern(&self, judge: &mut Judge, now: Now) {
        let terms = self.policy().governor;
        let Some(governed) = judge.governing.turn(now.mono, terms, &self.shards) else { return };
        self.stretch_permille.store((governed.times * 1000.0).round() as u32, Ordering::Relaxed);
        if let Some(says) = governed.says {
            let text = match says {
                true => i18n::engine::load_over_limit(&terms.beats_per_second.unwrap_or_default()),
                false => i18n::engine::LOAD_OVER.into(),
            };
            self.notice(now.wall, Level::Notice, "governor", text);
        }
    }

    /// How many times intervals are stretched.
    pub fn stretch(&self) -> f64 {
        f64::from(self.stretch_permille.load(Ordering::Relaxed)) / 1000.0
    }
}
