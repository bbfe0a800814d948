//! Time zones: from an instant to what clocks on the wall show there, and back.
//!
//! Back is the hard way: when clocks are put back an hour comes twice, when they are put forward one never comes. Both
//! cases are decided here, once for all that asks.

use super::time::Wall;
use crate::i18n::{self, Lang, Word};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use std::fmt;

/// Longest name of a time zone in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A time zone by its name.
#[derive(Clone, PartialEq)]
pub struct Zone {
    name: Box<str>,
    rules: TimeZone,
}

/// Why the machine's own time zone is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownLocal {
    /// The variable `TZ` has this value.
    Variable(String),
    /// Nothing says which it is: neither `TZ` nor /etc/localtime.
    Unset,
}

/// There is no such time zone, or this machine does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownZone;

impl UnknownZone {
    /// What to write, and what may be missing.
    pub fn word(self) -> Word {
        i18n::domain::UNKNOWN_ZONE
    }
}

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word().in_lang(Lang::En))
    }
}

impl std::error::Error for UnknownZone {}

impl Zone {
    /// A zone by its IANA name, `UTC`, or `local` for the machine's own.
    ///
    /// # Errors
    /// When this machine's time zone database has no such name.
    pub fn parse(name: &str) -> Result<Zone, UnknownZone> {
        match name {
            "local" => return Ok(Zone::local()),
            "UTC" => return Ok(Zone::utc()),
            _ => {}
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
        if name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            return Err(UnknownZone);
        }
        let rules = TimeZone::get(name).map_err(|_| UnknownZone)?;
        // Names are found whatever their case; shown is the right one.
        let name = rules.iana_name().unwrap_or(name).into();
        Ok(Zone { name, rules })
    }

    /// The names by which this machine knows zones.
    pub fn names() -> impl Iterator<Item = String> {
        let own = ["local", "UTC"].map(String::from).into_iter();
        own.chain(jiff::tz::db().available().map(|name| name.as_str().to_string()))
    }

    /// The machine's own.
    pub fn local() -> Zone {
        Zone { name: "local".into(), rules: TimeZone::system() }
    }

    /// Why the machine's own zone is not known, so that times go by UTC; `variable` is the value of `TZ`.
    pub fn unknown_local(variable: Option<String>) -> Option<UnknownLocal> {
        TimeZone::try_system().is_err().then(|| match variable.filter(|value| !value.is_empty()) {
            Some(value) => UnknownLocal::Variable(value),
            None => UnknownLocal::Unset,
        })
    }

    /// Whether it is the machine's own.
    pub fn is_local(&self) -> bool {
        &*self.name == "local"
    }

    /// Its name, and of the machine's own also that by which others know it.
    pub fn shown(&self) -> String {
        match (self.is_local(), self.rules.iana_name()) {
            (true, _) if self.rules.is_unknown() => "local: UTC".to_string(),
            (true, Some(name)) => format!("local: {name}"),
            _ => self.name.to_string(),
        }
    }

    /// The name by which others know it; of one that has none, how far clocks are from UTC at an instant.
    pub fn public_name(&self, at: Wall) -> String {
        match self.rules.iana_name() {
            _ if self.rules.is_unknown() => "UTC".to_string(),
            Some(name) => name.to_string(),
            None => {
                let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
                at.to_zoned(self.rules.clone()).strftime("UTC%:z").to_string()
            }
        }
    }

    /// What clocks show at an instant and how far they are from UTC, to the minute: `2026-03-29 03:30 +02:00`.
    pub fn stamp(&self, at: Wall) -> Option<String> {
        let zoned = Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.rules.clone());
        Some(zoned.strftime("%Y-%m-%d %H:%M %:z").to_string())
    }

    /// The same to the second.
    pub fn stamp_s(&self, at: Wall) -> Option<String> {
        let zoned = Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.rules.clone());
        Some(zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
    }

    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { name: "UTC".into(), rules: TimeZone::UTC }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What clocks show at an instant; `None` beyond the year 9999.
    pub fn civil(&self, at: Wall) -> Option<DateTime> {
        Timestamp::from_millisecond(at.0).ok().map(|at| self.rules.to_datetime(at))
    }

    /// The instant at which clocks show `civil`: the first of two; where they never show it, the instant at which they
    /// are put past it. It never falls when `civil` rises. `None` beyond the year 9999.
    pub fn instant(&self, civil: DateTime) -> Option<Wall> {
        let at = |offset: Offset| offset.to_timestamp(civil).ok();
        let instant = match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset)?,
            AmbiguousOffset::Fold { before, .. } => at(before)?,
            AmbiguousOffset::Gap { before, .. } => {
                // By the old offset it lies behind the change, and no other change lies between.
                let behind = at(before)?.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?;
                self.rules.preceding(behind).next()?.timestamp()
            }
        };
        Some(Wall(instant.as_millisecond()))
    }

    /// How far clocks are from UTC at an instant, and when that ends, if it does.
    pub(super) fn stretch(&self, at: Timestamp) -> (Offset, Option<Timestamp>) {
        let end = self.rules.following(at).next().map(|change| change.timestamp());
        (self.rules.to_offset(at), end)
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::local()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the rules: they are long.
        write!(f, "Zone({:?})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_go_by_their_names() {
        assert_eq!(Zone::parse("UTC").map(|z| z.name().to_string()), Ok("UTC".into()));
        assert_eq!(Zone::parse("local").map(|z| z.name().to_string()), Ok("local".into()));
        assert_eq!(Zone::parse("europe/berlin").map(|z| z.name().to_string()), Ok("Europe/Berlin".into()));
        for wrong in ["", "Europe/Atlantis", "../../etc/passwd", "Europe/ Berlin", &"x".repeat(65)] {
            assert_eq!(Zone::parse(wrong), Err(UnknownZone), "{wrong}");
        }
    }

    #[test]
    fn a_zone_without_a_name_is_known_by_its_distance() {
        let plain =
            Zone { name: "local".into(), rules: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap() };
        let summer = plain.instant("2026-07-01T12:00".parse().unwrap()).unwrap();
        assert_eq!(
            (plain.public_name(summer), plain.public_name(Wall(0))),
            ("UTC+02:00".into(), "UTC+01:00".into())
        );
        assert_eq!(Zone::parse("europe/berlin").unwrap().public_name(summer), "Europe/Berlin");
        assert_eq!(Zone { name: "local".into(), rules: TimeZone::unknown() }.public_name(summer), "UTC");
    }

    #[test]
    fn an_hour_that_comes_twice_or_never_has_one_instant() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let at = |text: &str| berlin.instant(text.parse().unwrap()).unwrap().rfc3339();
        assert_eq!(at("2026-03-29T01:59"), "2026-03-29T00:59:00.000Z");
        for never in ["2026-03-29T02:00", "2026-03-29T02:01", "2026-03-29T02:59", "2026-03-29T03:00"] {
            assert_eq!(at(never), "2026-03-29T01:00:00.000Z", "{never}");
        }
        assert_eq!(at("2026-10-25T02:30"), "2026-10-25T00:30:00.000Z");
        assert_eq!(at("2026-10-25T03:00"), "2026-10-25T02:00:00.000Z");
        // A whole day was left out.
        let apia = Zone::parse("Pacific/Apia").unwrap();
        let skipped = apia.instant("2011-12-30T12:00".parse().unwrap());
        assert_eq!(skipped.map(Wall::rfc3339).as_deref(), Some("2011-12-30T10:00:00.000Z"));
    }

    #[test]
    fn beyond_what_calendars_hold_there_is_nothing() {
        assert_eq!(Zone::utc().civil(Wall(i64::MAX)), None);
        assert_eq!(Zone::utc().civil(Wall(i64::MIN)), None);
    }
}
