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

use super::govern::Governing;
use super::{Engine, Pending, SHARDS, lock};
use crate::domain::notice::Level;
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::sys::clock;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Monitors judged under one hold of a shard's lock.
const JUDGED_AT_ONCE: usize = 1024;
/// An absence shorter than this is the ordinary course of things.
const ABSENCE: Span = Span::secs(1);
/// A step of the wall clock smaller than this is.
const STEP_MS: i64 = 500;
/// Longest sleep.
const REST: Span = Span::secs(1);
/// How long to wait for a stuck thread before looking again.
const PATIENCE: Span = Span(50);

/// What the loop remembers from one turn to the next.
pub struct Watch {
    /// Wall clock less monotonic clock, in milliseconds.
    offset_ms: i64,
    /// How long the machine has slept since it was booted.
    asleep: Span,
    /// When this turn should have begun at the latest.
    planned: Mono,
    /// Since when a thread has been stuck.
    stuck_since: Option<Mono>,
    /// The policy that `boundary` was found for.
    policy: Option<Arc<Policy>>,
    /// When a maintenance window next begins.
    boundary: Option<Wall>,
    pub(super) governing: Governing,
    pending: Pending,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: more is due than was done in one turn.
    Now,
    /// Then, or when woken.
    At(Mono),
}

impl Watch {
    /// A watch that begins now. `asleep` is how long the machine has slept since it was booted.
    pub fn new(now: Now, asleep: Span) -> Watch {
        Watch {
            offset_ms: offset_ms(now),
            asleep,
            planned: now.mono.after(REST),
            stuck_since: None,
            policy: None,
            boundary: None,
            governing: Governing::new(now.mono),
            pending: Pending::new(),
        }
    }
}

fn offset_ms(now: Now) -> i64 {
    now.wall.0.wrapping_sub_unsigned(now.mono.0)
}

impl Engine {
    /// Runs for ever. Called once.
    pub async fn run(&self) {
        let mut watch = Watch::new(clock::now(), clock::asleep());
        loop {
            match self.turn(&mut watch, clock::now(), clock::asleep()) {
                Next::Now => tokio::task::yield_now().await,
                Next::At(next) => {
                    let _ = tokio::time::timeout_at(clock::timer_at(next), self.woken()).await;
                }
            }
        }
    }

    /// Waits until a turn is wanted before the time that the last one named.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// One turn of the loop, at the moment `now`.
    pub fn turn(&self, watch: &mut Watch, now: Now, asleep: Span) -> Next {
        self.armed.store(u64::MAX, Ordering::Release);
        if let Some(since) = self.stats.busy_since().filter(|since| now.mono.since(*since) > ABSENCE) {
            watch.stuck_since = Some(watch.stuck_since.unwrap_or(since).min(since));
            watch.planned = now.mono.after(REST);
            return Next::At(now.mono.after(PATIENCE));
        }
        self.forgive_absence(watch, now, asleep);
        self.follow_clock(watch, now);
        self.hold_windows(watch, now);
        self.govern(watch, now);
        let (mut more, mut next) = (false, now.mono.after(REST));
        for shard in 0..SHARDS {
            let pending = &mut watch.pending;
            let deadline = self.change(now, shard, pending, |registry, keep| {
                more |= registry.handle_timeout(now, JUDGED_AT_ONCE, keep);
                registry.poll_deadline()
            });
            next = next.min(deadline.unwrap_or(next));
            // A failure has been noted and will be made good.
            let _ = self.commit(now.wall, pending);
        }
        if let Some(boundary) = watch.boundary {
            next = next.min(now.mono_of(boundary).max(now.mono.after(Span(1))));
        }
        // What is left over is due already; that it is late is nobody's absence.
        watch.planned = if more { now.mono } else { next.max(now.mono) };
        if more {
            return Next::Now;
        }
        // A beat filed since its shard was looked at compares with u64::MAX above or with this, and wakes us.
        self.armed.store(next.0, Ordering::Release);
        Next::At(next)
    }

    fn forgive_absence(&self, watch: &mut Watch, now: Now, asleep: Span) {
        let slept = Span(asleep.0.saturating_sub(watch.asleep.0));
        watch.asleep = asleep;
        let late_since = (now.mono.since(watch.planned) > ABSENCE).then_some(watch.planned);
        let stuck_since = watch.stuck_since.take().into_iter().chain(late_since).min();
        let stuck = stuck_since.map_or(Span(0), |since| now.mono.since(since));
        if slept <= ABSENCE && stuck == Span(0) {
            return;
        }
        // The wall clock has gone on meanwhile; that is no step.
        watch.offset_ms = watch.offset_ms.wrapping_add_unsigned(slept.0);
        for shard in 0..SHARDS {
            let pending = &mut watch.pending;
            self.change(now, shard, pending, |registry, keep| registry.forgive(now, slept, stuck, keep));
        }
        let away = Span(slept.0.saturating_add(stuck.0));
        if stuck > Span(0) {
            let lapses = &mut lock(&self.lapses);
            lapses.away = Span(lapses.away.0.saturating_add(stuck.0));
            lapses.until = now.wall;
        }
        let text = self.policy().page_lang.pick(
            format!("nothing could be heard for {away}; nobody is held to that time"),
            format!("有 {away} 无法接收心跳；这段时间不计入任何监控"),
        );
        self.notice(now.wall, Level::Notice, "absence", text);
    }

    fn follow_clock(&self, watch: &mut Watch, now: Now) {
        let step_ms = offset_ms(now).saturating_sub(watch.offset_ms);
        if step_ms.abs() < STEP_MS {
            return;
        }
        watch.offset_ms = offset_ms(now);
        watch.policy = None;
        for shard in 0..SHARDS {
            let pending = &mut watch.pending;
            self.change(now, shard, pending, |registry, keep| registry.clock_stepped(now, step_ms, keep));
        }
    }

    fn hold_windows(&self, watch: &mut Watch, now: Now) {
        let policy = self.policy();
        let new = watch.policy.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &policy));
        if !new && watch.boundary.is_none_or(|boundary| now.wall < boundary) {
            return;
        }
        for shard in (0..SHARDS).filter(|_| !policy.rules.is_empty()) {
            let pending = &mut watch.pending;
            self.change(now, shard, pending, |registry, keep| registry.hold_windows(now, keep));
        }
        watch.boundary = policy.rules.next_boundary(now.wall);
        watch.policy = Some(Arc::clone(&policy));
    }
}
