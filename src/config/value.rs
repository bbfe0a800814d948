//! One value of a configuration file, with its place, read as the type that a key wants.
//!
//! A reader that does not find what it wants notes an error with file, line and key, and answers `None`; reading then
//! goes on, so that one run tells of all errors.

use super::error::{Findings, SettingOrigin};
use super::hints;
use crate::domain::time::{Span, Wall};
use crate::i18n;
use crate::i18n::ParseError;
use crate::i18n::Text;
use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file being read: its name, and where its lines begin.
pub(crate) struct Document<'a> {
    path: Arc<Path>,
    /// Where the line feeds are.
    feeds: Vec<usize>,
    findings: &'a Findings,
}

/// A value with its key and its file.
#[derive(Clone, Copy)]
pub(crate) struct ConfigValue<'a> {
    document: &'a Document<'a>,
    key: &'a str,
    raw: &'a Spanned<DeValue<'a>>,
    /// Which section knows a key that another one does not.
    elsewhere: fn(&str) -> Option<String>,
}

/// Keys of a table that are shown where something else was written.
const FORM_KEYS_MAX: usize = 3;

/// A key of a table: its name and how its value becomes part of `T`.
pub(crate) struct Key<T> {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&mut T, ConfigValue<'_>),
}

/// A point in time as a person writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WrittenTime {
    /// With its distance from UTC.
    Instant(Wall),
    /// What clocks show, in a zone that is said elsewhere.
    Shown(DateTime),
}

/// Where a value stood, for errors that show only when it is held against another one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) place: SettingOrigin,
    pub(crate) key: String,
}

/// A value and where it stood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<'a> Document<'a> {
    pub(crate) fn new(path: &Path, text: &str, findings: &'a Findings) -> Document<'a> {
        let feeds = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Document { path: path.into(), feeds, findings }
    }

    /// The place of a byte of the text.
    pub(crate) fn place(&self, offset: usize) -> SettingOrigin {
        SettingOrigin::Line(self.path.clone(), 1 + self.feeds.partition_point(|feed| *feed < offset))
    }

    /// Reads a table by its keys. `prefix` is the dotted name of the table, empty at the top. `elsewhere` tells
    /// which section knows a key that this one does not.
    pub(crate) fn table<T>(
        &self,
        table: &DeTable<'_>,
        prefix: &str,
        keys: &[Key<T>],
        elsewhere: fn(&str) -> Option<String>,
        into: &mut T,
    ) {
        // The parser keeps keys in their own order; people read errors from the top down.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, raw) in entries {
            let dotted = match prefix {
                "" => printable(name.get_ref()),
                _ => format!("{prefix}.{}", printable(name.get_ref())),
            };
            match keys.iter().find(|key| key.name == name.get_ref()) {
                Some(key) => (key.read)(into, ConfigValue { document: self, key: &dotted, raw, elsewhere }),
                None => {
                    let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
                    let reason = hints::unknown_key(name.get_ref(), &known, elsewhere);
                    self.findings.reject(self.place(name.span().start), dotted, reason);
                }
            }
        }
    }
}

impl<'a> ConfigValue<'a> {
    /// Where it stands.
    pub(crate) fn origin(self) -> Origin {
        Origin { place: self.document.place(self.raw.span().start), key: self.key.to_string() }
    }

    /// Notes an error here.
    pub(crate) fn reject(self, reason: Text) {
        let origin = self.origin();
        self.document.findings.reject(origin.place, origin.key, reason);
    }

    /// Notes a warning here.
    pub(crate) fn warn(self, text: Text) {
        let origin = self.origin();
        self.document.findings.warn(&origin.place, &origin.key, text);
    }

    /// Joins what was read with where it stood.
    pub(crate) fn located<T>(self, value: Option<T>) -> Option<Located<T>> {
        value.map(|value| Located { value, origin: self.origin() })
    }

    /// A string.
    pub(crate) fn string(self) -> Option<&'a str> {
        let found = self.raw.get_ref().as_str();
        if found.is_none() {
            self.expected(i18n::config::TYPE_STRING);
        }
        found
    }

    /// A string, to be kept.
    pub(crate) fn owned(self) -> Option<String> {
        self.string().map(str::to_string)
    }

    /// `true` or `false`.
    pub(crate) fn boolean(self) -> Option<bool> {
        let found = self.raw.get_ref().as_bool();
        if found.is_none() {
            self.expected(i18n::config::TRUE_OR_FALSE);
        }
        found
    }

    /// A string that a type of the domain can read.
    pub(crate) fn parsed<T: FromStr<Err = ParseError>>(self) -> Option<T> {
        match self.string()?.parse() {
            Ok(value) => Some(value),
            Err(reason) => {
                self.reject(reason.into());
                None
            }
        }
    }

    /// A path; a relative one stands in the directory of the file that names it.
    pub(crate) fn path(self) -> Option<PathBuf> {
        match self.string()? {
            "" => {
                self.reject(i18n::config::PATH_MISSING.into());
                None
            }
            path => Some(self.beside(Path::new(path))),
        }
    }

    /// A path seen from the directory of this file.
    pub(crate) fn beside(self, path: &Path) -> PathBuf {
        self.document.path.parent().unwrap_or(Path::new("/")).join(path)
    }

    /// An integer within bounds.
    pub(crate) fn integer(self, bounds: RangeInclusive<u64>) -> Option<u64> {
        match self.whole() {
            Some(number) => self.within(number, bounds, |n| n.to_string()),
            None if self.raw.get_ref().is_integer() => {
                // Negative, or beyond what 64 bits hold.
                let written = self.raw.get_ref().as_integer().map(|n| n.as_str().to_string());
                self.reject(out_of_range(written.unwrap_or_default(), bounds.start(), bounds.end()));
                None
            }
            None => {
                self.expected(i18n::config::WHOLE_NUMBER);
                None
            }
        }
    }

    /// An integer within bounds, or the word that stands for none (`Some(None)`).
    pub(crate) fn integer_or(self, word: &str, bounds: RangeInclusive<u64>) -> Option<Option<u64>> {
        if self.raw.get_ref().as_str() == Some(word) {
            return Some(None);
        }
        if self.raw.get_ref().is_integer() {
            return self.integer(bounds).map(Some);
        }
        self.expected(i18n::config::whole_number_or(&word));
        None
    }

    /// A size in bytes: an integer, or a string such as `100M`; K, M and G are powers of 1024.
    pub(crate) fn size(self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let bytes = match self.raw.get_ref().as_str() {
            Some(text) => parse_size(text),
            None => self.whole(),
        };
        match bytes {
            Some(bytes) => self.within(bytes, bounds, size_text),
            None => {
                self.reject(i18n::config::NOT_SIZE_WRITE_BYTES.into());
                None
            }
        }
    }

    /// A length of time: seconds as a number, or a string such as `1h30m`.
    pub(crate) fn span(self, bounds: RangeInclusive<Span>) -> Option<Span> {
        let raw = self.raw.get_ref();
        let text = match (raw.as_str(), raw.as_float()) {
            (Some(text), _) => text.to_string(),
            (_, Some(float)) => float.as_str().to_string(),
            _ => self.whole().map(|n| n.to_string()).unwrap_or_default(),
        };
        match Span::parse(&text) {
            Ok(span) => self.within(span, bounds, |s| s.to_string()),
            Err(reason) => {
                self.reject(reason.into());
                None
            }
        }
    }

    /// A length of time, or the word that stands for none (`Some(None)`).
    pub(crate) fn span_or(self, word: &str, bounds: RangeInclusive<Span>) -> Option<Option<Span>> {
        if self.raw.get_ref().as_str() == Some(word) {
            return Some(None);
        }
        self.span(bounds).map(Some)
    }

    /// What it holds, if that is a string.
    pub(crate) fn as_text(self) -> Option<&'a str> {
        self.raw.get_ref().as_str()
    }

    /// A date, with a time or without, and with an offset or without.
    pub(crate) fn moment(self) -> Option<WrittenTime> {
        let Some(written) = self.raw.get_ref().as_datetime().filter(|written| written.date.is_some()) else {
            self.expected(i18n::config::DATE);
            return None;
        };
        let text = written.to_string();
        let moment = match written.offset {
            Some(_) => text.parse().ok().map(|at: Timestamp| WrittenTime::Instant(Wall(at.as_millisecond()))),
            None => text.parse().ok().map(WrittenTime::Shown),
        };
        if moment.is_none() {
            // TOML has seen to it that the calendar has such a day.
            self.reject(i18n::config::TOO_FAR_FUTURE.into());
        }
        moment
    }

    /// A time of the day to the minute, `"02:30"` or a time of TOML's own: hour and minute.
    pub(crate) fn time_of_day(self) -> Option<(u8, u8)> {
        let raw = self.raw.get_ref();
        let own =
            raw.as_datetime().filter(|written| written.date.is_none()).map(|written| written.to_string());
        let Some(text) = raw.as_str().map(str::to_string).or(own) else {
            self.expected(i18n::config::TIME_OF_DAY);
            return None;
        };
        let time = parse_time(&text);
        if time.is_none() {
            self.reject(i18n::config::not_time_day_write(&text));
        }
        time
    }

    /// The elements of an array, at most `most`.
    pub(crate) fn elements(self, most: usize) -> Option<Vec<ConfigValue<'a>>> {
        let Some(array) = self.raw.get_ref().as_array() else {
            match self.raw.get_ref().is_table() && !self.key.contains('.') {
                true => self.expected(i18n::config::blocks(&self.key)),
                false => self.expected(i18n::config::LIST),
            }
            return None;
        };
        if array.len() > most {
            self.reject(i18n::config::too_many_most(&most));
            return None;
        }
        Some(array.iter().map(|raw| ConfigValue { raw, ..self }).collect())
    }

    /// Whether it is this very word.
    pub(super) fn is_word(self, word: &str) -> bool {
        self.raw.get_ref().as_str() == Some(word)
    }

    /// Whether it is a list.
    pub(crate) fn is_list(self) -> bool {
        self.raw.get_ref().is_array()
    }

    /// Whether it is a table.
    pub(crate) fn is_table(self) -> bool {
        self.raw.get_ref().is_table()
    }

    /// A table of the configuration's own, read by its keys; whether it was one.
    pub(crate) fn table<T>(self, keys: &[Key<T>], into: &mut T) -> bool {
        self.section(keys, self.elsewhere, into)
    }

    /// A table read by its keys; whether it was one.
    pub(crate) fn section<T>(
        self,
        keys: &[Key<T>],
        elsewhere: fn(&str) -> Option<String>,
        into: &mut T,
    ) -> bool {
        let Some(table) = self.raw.get_ref().as_table() else {
            self.expected_table(keys.iter().map(|key| key.name));
            return false;
        };
        self.document.table(table, self.key, keys, elsewhere, into);
        true
    }

    /// A table whose keys are anybody's names: each with its value, in the order of the text, at most `most`.
    pub(crate) fn entries(self, most: usize, mut each: impl FnMut(&str, ConfigValue<'_>)) -> bool {
        let Some(table) = self.raw.get_ref().as_table() else {
            self.expected_table(["NAME"].into_iter());
            return false;
        };
        if table.len() > most {
            self.reject(i18n::config::too_many_most(&most));
            return false;
        }
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, raw) in entries {
            let dotted = format!("{}.{}", self.key, printable(name.get_ref()));
            each(name.get_ref(), ConfigValue { key: &dotted, raw, ..self });
        }
        true
    }

    /// A network: `10.0.0.0/8`, `fd00::/8` or a single address.
    pub(crate) fn network(self) -> Option<IpNet> {
        let text = self.string()?;
        let single = || text.parse::<IpAddr>().map(IpNet::from).ok();
        let Some(net) = text.parse::<IpNet>().ok().or_else(single) else {
            self.reject(i18n::config::not_a_network(&text));
            return None;
        };
        let net = canonical(net);
        let trunc = net.trunc();
        if trunc != net {
            self.warn(i18n::config::means(&net, &trunc));
        }
        Some(trunc)
    }

    /// Notes that something else was expected here.
    pub(crate) fn expected(self, what: impl Into<Text>) {
        let found = hints::type_name(self.raw.get_ref().type_str());
        self.reject(i18n::config::expected(&what.into(), &found));
    }

    /// A table is expected: shows how one is written, by its first keys.
    fn expected_table<'k>(self, keys: impl Iterator<Item = &'k str>) {
        // Lists of tables are blocks of their own, and so are the tables at the top.
        let form = match self.key {
            "listen" | "monitor" | "notifier" => format!("[[{}]]", self.key),
            key if !key.contains('.') => format!("[{key}]"),
            _ => {
                let keys: Vec<String> = keys.take(FORM_KEYS_MAX).map(|key| format!("{key} = …")).collect();
                // Where a secret is, is said by one of them.
                if keys.iter().any(|key| key.starts_with("credential ")) && keys.len() == 2 {
                    format!("{{ {} }}", keys.join(" } / { "))
                } else {
                    format!("{{ {} }}", keys.join(", "))
                }
            }
        };
        let found = hints::type_name(self.raw.get_ref().type_str());
        self.reject(i18n::config::table_expected(&found, &form));
    }

    /// A non-negative integer, decimal or 0x, 0o, 0b.
    fn whole(self) -> Option<u64> {
        let number = self.raw.get_ref().as_integer()?;
        u64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    fn within<T: PartialOrd + Copy>(
        self,
        value: T,
        bounds: RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        if bounds.contains(&value) {
            return Some(value);
        }
        let (low, high) = (show(*bounds.start()), show(*bounds.end()));
        self.reject(out_of_range(show(value), low, high));
        None
    }
}

/// A key as one line can hold it: TOML lets a quoted key contain anything, line feeds included.
fn printable(name: &str) -> String {
    let bare = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    if bare && !name.is_empty() { name.to_string() } else { format!("{name:?}") }
}

/// The shortest exact form of a size: `1M`, `1536K`, `100`.
pub(crate) fn size_text(bytes: u64) -> String {
    for (unit, letter) in [(1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')] {
        if bytes >= unit && bytes % unit == 0 {
            return format!("{}{letter}", bytes / unit);
        }
    }
    bytes.to_string()
}

fn out_of_range(value: impl Display, low: impl Display, high: impl Display) -> Text {
    i18n::config::out_range(&value, &low, &high)
}

/// `02:30`, or `02:30:00` as TOML prints its own.
fn parse_time(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) =
        text.strip_suffix(":00").filter(|rest| rest.contains(':')).unwrap_or(text).split_once(':')?;
    let number = |digits: &str| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u8>().ok().filter(|_| plain)
    };
    Some((number(hour).filter(|hour| *hour < 24)?, number(minute).filter(|m| *m < 60 && minute.len() == 2)?))
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)
}

/// IPv4-mapped networks as IPv4 ones: addresses are canonical before they are compared, so `::ffff:10.0.0.0/104`
/// would never match.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let prefix = v6.prefix_len().checked_sub(96);
    match (v6.addr().to_ipv4_mapped(), prefix) {
        (Some(v4), Some(prefix)) => Ipv4Net::new(v4, prefix).map_or(net, IpNet::V4),
        _ => net,
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
