//! What wakes the loop that owns time.

use crate::domain::time::Mono;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Wakes the loop before the time that it has named.
pub(in crate::engine) struct Alarm {
    /// When the loop means to wake, in milliseconds of the monotonic clock; `u64::MAX` while it is busy.
    armed: AtomicU64,
    wake: Notify,
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm { armed: AtomicU64::new(u64::MAX), wake: Notify::new() }
    }
}

impl Alarm {
    /// Wakes the loop.
    pub(in crate::engine) fn ring(&self) {
        self.wake.notify_one();
    }

    /// Wakes it if it means to sleep for longer.
    #[inline]
    pub(in crate::engine) fn ring_before(&self, deadline: Option<Mono>) {
        if deadline.is_some_and(|deadline| deadline.0 < self.armed.load(Ordering::Acquire)) {
            self.wake.notify_one();
        }
    }

    /// The loop is busy.
    pub(in crate::engine) fn disarm(&self) {
        self.armed.store(u64::MAX, Ordering::Release);
    }

    /// The loop means to wake then. A deadline inserted since its shard was looked at compares with the last value or with this
    /// one, and wakes it.
    pub(in crate::engine) fn arm(&self, next: Mono) {
        self.armed.store(next.0, Ordering::Release);
    }

    /// Waits until it is rung.
    pub(in crate::engine) async fn rung(&self) {
        self.wake.notified().await;
    }
}
