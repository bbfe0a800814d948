//! Time as values: a monotonic instant for deadlines, a wall-clock instant for people, and spans between them.
//!
//! Nothing here reads a clock; `sys::clock` does, and hands out [`Now`].

use crate::i18n::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Milliseconds on a clock that never steps, from an origin that only the running process knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// Milliseconds since 1970-01-01T00:00:00Z; may step when somebody sets the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub i64);

/// The present moment on both clocks, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For display.
    pub wall: Wall,
}

impl Now {
    /// When the monotonic clock reads what the wall clock reads at `wall`, if neither is touched.
    pub fn mono_of(self, wall: Wall) -> Mono {
        Mono(self.mono.0.saturating_add_signed(wall.0.saturating_sub(self.wall.0)))
    }

    /// What the wall clock reads when the monotonic clock reads `mono`, if neither is touched.
    pub fn wall_of(self, mono: Mono) -> Wall {
        let ahead_ms = i64::try_from(i128::from(mono.0) - i128::from(self.mono.0)).unwrap_or(i64::MAX);
        Wall(self.wall.0.saturating_add(ahead_ms))
    }
}

/// A length of time in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(pub u64);

impl Mono {
    /// This instant plus a span, saturating.
    pub fn after(self, span: Span) -> Mono {
        Mono(self.0.saturating_add(span.0))
    }

    /// The span since an earlier instant; zero when `earlier` is in fact later.
    pub fn since(self, earlier: Mono) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// RFC 3339 in UTC with milliseconds, as the API prints it.
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => format!("{t:.3}"),
            Err(_) => "1970-01-01T00:00:00.000Z".to_string(),
        }
    }
}

impl Span {
    /// A span of whole seconds.
    pub const fn secs(seconds: u64) -> Span {
        Span(seconds * 1000)
    }

    /// Whole seconds, rounded up, as headers and clients are told.
    pub fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// Seconds with their fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Reads `90s`, `1h30m`, `2d`, `500ms` or plain seconds (`90`, `1.5`).
    ///
    /// Units: ms, s, m, h, d, w. Returns a reason fit for an error message.
    pub fn parse(text: &str) -> Result<Span, ParseError> {
        const REASON: ParseError = ParseError::NotDuration;
        let text = text.trim();
        if text.is_empty() || text.len() > 32 {
            return Err(REASON);
        }
        if let Ok(seconds) = text.parse::<f64>() {
            return Span::from_secs_f64(seconds).ok_or(REASON);
        }
        let mut total = 0u64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| REASON)?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit_ms = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return Err(REASON),
            };
            rest = rest[letters..].trim_start();
            total = number.checked_mul(unit_ms).and_then(|ms| total.checked_add(ms)).ok_or(REASON)?;
        }
        Ok(Span(total))
    }

    /// Seconds as a JSON number may give them; `None` when negative, not finite or beyond a thousand years.
    pub fn from_secs_f64(seconds: f64) -> Option<Span> {
        let ms = (seconds * 1000.0).round();
        (ms.is_finite() && (0.0..=3.2e13).contains(&ms)).then_some(Span(ms as u64))
    }
}

impl fmt::Display for Span {
    /// The shortest exact form: `1d`, `1h30m`, `90s` as `1m30s`, `1500ms` as `1s500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit_ms, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
            if rest >= unit_ms {
                write!(f, "{}{unit}", rest / unit_ms)?;
                rest %= unit_ms;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(Span::parse("90s"), Ok(Span::secs(90)));
        assert_eq!(Span::parse("1h30m"), Ok(Span::secs(5400)));
        assert_eq!(Span::parse("1h 30m"), Ok(Span::secs(5400)));
        assert_eq!(Span::parse("90"), Ok(Span::secs(90)));
        assert_eq!(Span::parse("1.5"), Ok(Span(1500)));
        assert_eq!(Span::parse("500ms"), Ok(Span(500)));
        for wrong in ["", "s", "1x", "-5", "1h-3m", "h1", "nan", "inf", "99999999999999999999s", "1e300"] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn printing_and_reading_agree() {
        for ms in [0, 1, 1500, 90_000, 5_400_000, 86_400_000, 31_622_400_000] {
            assert_eq!(Span::parse(&Span(ms).to_string()), Ok(Span(ms)));
        }
    }

    #[test]
    fn wall_time_is_rfc_3339() {
        assert_eq!(Wall(1_770_521_420_000).rfc3339(), "2026-02-08T03:30:20.000Z");
    }
}
