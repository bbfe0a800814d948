//! The only place that reads clocks.

use crate::domain::time::{Mono, Now, Span, Wall};
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The instant from which this process counts [`Mono`].
#[allow(clippy::disallowed_methods)]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Reads both clocks. About 50 ns.
pub fn now() -> Now {
    Now { mono: mono(), wall: wall() }
}

/// What the monotonic clock reads when the process begins: 34 years, so that what happened before can be told by it.
const ORIGIN_MS: u64 = 1 << 40;

/// The monotonic clock: never steps, and stands still while the machine sleeps.
#[allow(clippy::disallowed_methods)]
pub fn mono() -> Mono {
    let origin = *ORIGIN;
    Mono(ORIGIN_MS + Instant::now().saturating_duration_since(origin).as_millis() as u64)
}

/// How long the machine has slept since it was booted: the clock that goes on meanwhile, less the one that does not.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)]
pub fn asleep() -> Span {
    use nix::time::{ClockId, clock_gettime};
    let read = |id| clock_gettime(id).map(|t| t.tv_sec() * 1000 + t.tv_nsec() / 1_000_000);
    // Both are read one after the other; a difference below a second means nothing to anybody.
    match (read(ClockId::CLOCK_BOOTTIME), read(ClockId::CLOCK_MONOTONIC)) {
        (Ok(boot), Ok(mono)) => Span(u64::try_from(boot - mono).unwrap_or(0)),
        _ => Span(0),
    }
}

/// How long the machine has slept since it was booted. On macOS CLOCK_MONOTONIC goes on meanwhile, CLOCK_UPTIME_RAW, by
/// which we measure, does not.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods)]
pub fn asleep() -> Span {
    use nix::time::{ClockId, clock_gettime};
    let awake = mono().0 as i64;
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(t) => Span(u64::try_from(t.tv_sec() * 1000 + t.tv_nsec() / 1_000_000 - awake).unwrap_or(0)),
        _ => Span(0),
    }
}

/// When the machine was started, by the wall clock as it is set now.
#[allow(clippy::disallowed_methods)]
pub fn booted_at() -> Option<Wall> {
    use nix::time::{ClockId, clock_gettime};
    // The clock that goes on while the machine sleeps.
    #[cfg(target_os = "linux")]
    let clock = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::CLOCK_MONOTONIC;
    let since = clock_gettime(clock).ok()?;
    Some(Wall(wall().0 - (since.tv_sec() * 1000 + since.tv_nsec() / 1_000_000)))
}

/// The wall clock.
#[allow(clippy::disallowed_methods)]
pub fn wall() -> Wall {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(d) => Wall(d.as_millis() as i64),
        Err(before) => Wall(-(before.duration().as_millis() as i64)),
    }
}

/// The same clock as the runtime's timers count it.
#[allow(clippy::disallowed_methods)]
pub fn timer_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The runtime's instant at which the monotonic clock will read `at`.
pub fn timer_at(at: Mono) -> tokio::time::Instant {
    tokio::time::Instant::from_std(*ORIGIN + std::time::Duration::from_millis(at.0.saturating_sub(ORIGIN_MS)))
}
