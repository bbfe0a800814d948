//! The bench's own clock.

use std::time::Instant;

/// A benchmark reads clocks by itself: `sys::clock` is the daemon's.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}
