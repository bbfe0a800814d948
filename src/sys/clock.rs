//! The one door for time: nothing else in the product reads a clock.

use crate::domain::time::{Mono, Now, Wall};
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The instant from which this process counts [`Mono`].
#[allow(clippy::disallowed_methods)]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Reads both clocks. About 50 ns.
pub fn now() -> Now {
    Now { mono: mono(), wall: wall() }
}

/// The monotonic clock: never steps; on Linux it stands still while the machine sleeps.
#[allow(clippy::disallowed_methods)]
pub fn mono() -> Mono {
    let origin = *ORIGIN;
    Mono(Instant::now().saturating_duration_since(origin).as_millis() as u64)
}

/// The wall clock.
#[allow(clippy::disallowed_methods)]
pub fn wall() -> Wall {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(d) => Wall(d.as_millis() as i64),
        Err(before) => Wall(-(before.duration().as_millis() as i64)),
    }
}

/// The standard library's instant at which the monotonic clock will read `at`, for timers of the runtime.
pub fn instant_at(at: Mono) -> Instant {
    *ORIGIN + std::time::Duration::from_millis(at.0)
}
