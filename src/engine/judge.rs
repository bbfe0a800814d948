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

use super::{Engine, Pending, SHARDS, lock};
use crate::domain::notice::Level;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::i18n;
use crate::sys::clock;
use gaps::{Gap, GapFinder};
use govern::Governing;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

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
    /// When a maintenance window next begins, and the generation of the policy that this was found for.
    boundary: Option<Wall>,
    boundary_of: Option<u64>,
    governing: Governing,
    pending: Pending,
}

/// Wakes the loop before the time that it has named.
pub(super) struct Alarm {
    /// When the loop means to wake, in milliseconds of the monotonic clock; `u64::MAX` while it is busy.
    armed: AtomicU64,
    wake: Notify,
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
            boundary: None,
            boundary_of: None,
            governing: Governing::new(now.mono),
            pending: Pending::new(),
        }
    }
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm { armed: AtomicU64::new(u64::MAX), wake: Notify::new() }
    }
}

impl Alarm {
    /// Wakes the loop.
    pub(super) fn ring(&self) {
        self.wake.notify_one();
    }

    /// Wakes it if it means to sleep for longer.
    #[inline]
    pub(super) fn ring_before(&self, deadline: Option<Mono>) {
        if deadline.is_some_and(|deadline| deadline.0 < self.armed.load(Ordering::Acquire)) {
            self.wake.notify_one();
        }
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
        self.alarm.wake.notified().await;
    }

    /// One turn of the loop, at the moment `now`.
    pub fn turn(&self, judge: &mut Judge, now: Now, asleep: Span) -> NextTurn {
        self.alarm.armed.store(u64::MAX, Ordering::Release);
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
        if let Some(boundary) = judge.boundary {
            next = next.min(now.mono_of(boundary).max(now.mono.after(Span(1))));
        }
        // What is left over is due already; that it is late is nobody's absence.
        judge.clocks.plan(if more { now.mono } else { next.max(now.mono) });
        if more {
            return NextTurn::Now;
        }
        // A deadline inserted since its shard was looked at compares with u64::MAX above or with this, and wakes us.
        self.alarm.armed.store(next.0, Ordering::Release);
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
            let gaps = &mut lock(&self.gaps);
            gaps.away = Span(gaps.away.0.saturating_add(stuck.0));
            gaps.until = now.wall;
        }
        self.notice(now.wall, Level::Notice, "absence", i18n::engine::heard_nothing_for(&away));
    }

    fn follow_clock(&self, judge: &mut Judge, now: Now) {
        let Some(step_ms) = judge.clocks.step_ms(now) else { return };
        judge.boundary_of = None;
        for shard in 0..SHARDS {
            let pending = &mut judge.pending;
            self.change(now, shard, pending, |registry, keep| registry.clock_stepped(now, step_ms, keep));
        }
    }

    fn hold_windows(&self, judge: &mut Judge, now: Now) {
        let policy = self.policy();
        let is_known = judge.boundary_of == Some(policy.generation);
        if is_known && judge.boundary.is_none_or(|boundary| now.wall < boundary) {
            return;
        }
        for shard in (0..SHARDS).filter(|_| !policy.rules.is_empty()) {
            let pending = &mut judge.pending;
            self.change(now, shard, pending, |registry, keep| registry.hold_windows(now, keep));
        }
        judge.boundary = policy.rules.next_boundary(now.wall);
        judge.boundary_of = Some(policy.generation);
    }
}
