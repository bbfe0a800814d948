//! Cron schedules: when something is due, written as crontab(5) has it.
//!
//! Five fields: minute, hour, day of the month, month, day of the week, each a list of numbers, names, ranges and steps;
//! or one of `@hourly @daily @midnight @weekly @monthly @yearly @annually`. Where both days are restricted either will
//! do; a field that begins with `*` does not restrict, so both must fit. Each field is kept as a set of bits.
//!
//! When clocks change, the schedule goes by the rule of Debian's cron and cronie, so that it says what a job started by
//! cron does. If minute and hour begin with digits it names times of the day: each comes once; one that clocks skip
//! is due at the instant at which they are put forward, one that they show twice is due the first time. If either
//! begins with `*` it names a rhythm, which goes on in real time: due whenever clocks show a minute that fits, both
//! times if it is twice, never if they skip it.

use super::limits::INTERVAL_MAX;
use super::time::{Span, Wall};
use super::zone::{UnknownZone, Zone};
use crate::i18n::{self, Lang, Text, Word};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::fmt;

/// Longest expression in bytes.
const EXPRESSION_BYTES_MAX: usize = 256;
/// Days looked at for one answer. The longest wait is for a 29 February that is also a certain weekday: 40 years.
const DAYS_MAX: usize = 41 * 366;
/// Changes of the clock looked at for one answer; a few days have no more.
const CHANGES_MAX: usize = 16;
/// More than clocks were ever changed by: a day, in the Pacific.
const CHANGE_MOST: SignedDuration = SignedDuration::from_hours(48);
/// Where slots are measured from, so that the same expression has the same gap on every day: 2024-01-01T00:00:00Z.
const MEASURED_FROM: Wall = Wall(1_704_067_200_000);
/// Slots that are measured; an expression has few gaps before the first repeats.
const MEASURED_SLOTS: usize = 16;
/// Minutes passed for one answer because clocks show them a second time: a day put back.
const REPEATED_MAX: usize = 24 * 60;

/// When something is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    text: Box<str>,
    zone: Zone,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day fits that fits only one of day of the month and day of the week.
    either_day: bool,
    /// Whether it names times of the day rather than a rhythm.
    fixed: bool,
    shortest_gap: Span,
}

/// Why an expression is no schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    /// The zone is unknown.
    Zone(UnknownZone),
    /// More than 256 bytes.
    TooLong,
    /// Not five fields; how many there are.
    Fields(usize),
    /// An unknown `@` word.
    Word,
    /// Part of a field cannot be read, or is out of range.
    Part {
        /// Which field.
        field: Field,
        /// The part.
        text: String,
        /// The lowest number it may have.
        low: u8,
        /// The highest.
        high: u8,
    },
    /// No day is ever such, as 30 February.
    Never,
}

impl ScheduleError {
    /// What is wrong, and what to write.
    pub fn text(&self) -> Text {
        match self {
            ScheduleError::Zone(unknown) => unknown.word().into(),
            ScheduleError::TooLong => i18n::domain::SCHEDULE_TOO_LONG.into(),
            ScheduleError::Fields(count) => i18n::domain::schedule_fields(count),
            ScheduleError::Word => i18n::domain::SCHEDULE_WORD.into(),
            ScheduleError::Part { field, text, low, high } => {
                let name = field.word();
                i18n::domain::schedule_part(text, &name.in_lang(Lang::En), &name.in_lang(Lang::Zh), low, high)
            }
            ScheduleError::Never => i18n::domain::SCHEDULE_NEVER.into(),
        }
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().say(Lang::En))
    }
}

impl std::error::Error for ScheduleError {}

impl From<UnknownZone> for ScheduleError {
    fn from(unknown: UnknownZone) -> ScheduleError {
        ScheduleError::Zone(unknown)
    }
}

/// A field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Minute of the hour.
    Minute,
    /// Hour of the day.
    Hour,
    /// Day of the month.
    Day,
    /// Month of the year.
    Month,
    /// Day of the week; 0 and 7 are Sunday.
    Weekday,
}

impl Field {
    /// What it is called.
    pub fn word(self) -> Word {
        match self {
            Field::Minute => i18n::domain::MINUTE,
            Field::Hour => i18n::domain::HOUR,
            Field::Day => i18n::domain::DAY,
            Field::Month => i18n::domain::MONTH,
            Field::Weekday => i18n::domain::WEEKDAY,
        }
    }

    fn bounds(self) -> (u8, u8) {
        match self {
            Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::Day => (1, 31),
            Field::Month => (1, 12),
            Field::Weekday => (0, 7),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Field::Month => {
                &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            }
            Field::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }
}

/// The days of the week as expressions name them, Sunday first.
pub const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads an expression, for a zone that goes by its name as in [`Zone::parse`].
    ///
    /// # Errors
    /// What is wrong with either; also an expression that no day ever fits.
    pub fn parse(expression: &str, zone: &str) -> Result<Schedule, ScheduleError> {
        Schedule::in_zone(expression, Zone::parse(zone)?)
    }

    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it; also when no day ever fits it.
    pub fn in_zone(expression: &str, zone: Zone) -> Result<Schedule, ScheduleError> {
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(ScheduleError::TooLong);
        }
        let text = expression.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let plain = if text.starts_with('@') { in_fields(&text)? } else { &text };
        let fields: Vec<&str> = plain.split(' ').filter(|field| !field.is_empty()).collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(ScheduleError::Fields(fields.len()));
        };
        let weekdays = set(Field::Weekday, weekday)?;
        let mut schedule = Schedule {
            minutes: set(Field::Minute, minute)?,
            hours: set(Field::Hour, hour)?,
            days: set(Field::Day, day)?,
            months: set(Field::Month, month)?,
            // Sunday is 0 and 7.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
            fixed: !minute.starts_with('*') && !hour.starts_with('*'),
            text: text.as_str().into(),
            zone,
            shortest_gap: Span(0),
        };
        if !schedule.comes() {
            return Err(ScheduleError::Never);
        }
        schedule.shortest_gap = schedule.measure();
        Ok(schedule)
    }

    /// A part of a field whose step is longer than what it steps through, so that only the first of it is due: `*/90`.
    pub fn idle_step(&self) -> Option<(Field, &str)> {
        let fields = [Field::Minute, Field::Hour, Field::Day, Field::Month, Field::Weekday];
        let parts = fields.into_iter().zip(self.text.split(' '));
        parts.flat_map(|(field, text)| text.split(',').map(move |part| (field, part))).find(
            |(field, part)| {
                let steps = part.contains('/');
                steps && range(*field, part).is_some_and(|(low, high, step)| step > usize::from(high - low))
            },
        )
    }

    /// The first slot after an instant; `None` if there is none before the year 9999.
    pub fn next_after(&self, at: Wall) -> Option<Wall> {
        if self.fixed { self.next_time(at) } else { self.next_beat(at) }
    }

    /// The last slot after `start` and not after `end`.
    pub fn last_within(&self, start: Wall, end: Wall) -> Option<Wall> {
        let mut last = self.next_after(start).filter(|slot| *slot <= end)?;
        // Whether a slot lies between an instant and the end is true up to the last slot and false from there.
        let mut beyond = end;
        while last < beyond {
            let middle = Wall(last.0 + (beyond.0 - last.0) / 2);
            match self.next_after(middle).filter(|slot| *slot <= end) {
                Some(slot) => last = slot,
                None => beyond = middle,
            }
        }
        Some(last)
    }

    /// How long before a slot the slot before it was; `None`: longer than `within`.
    pub fn gap_before(&self, slot: Wall, within: Span) -> Option<Span> {
        let start = Wall(slot.0.saturating_sub_unsigned(within.0).saturating_sub(1));
        let ahead = |at: Wall| self.next_after(Wall(at.0.saturating_sub(1)));
        // Mostly slots are as far from each other for a while, so the one behind tells where the one before is.
        let behind =
            self.next_after(slot).map(|next| Wall(slot.0.saturating_sub(next.0.saturating_sub(slot.0))));
        let regular = behind.filter(|guess| *guess > start && ahead(*guess) == Some(*guess));
        let before = match regular.filter(|guess| self.next_after(*guess) == Some(slot)) {
            Some(guess) => guess,
            None => self.last_within(start, Wall(slot.0.saturating_sub(1)))?,
        };
        Some(Span(slot.0.abs_diff(before.0)))
    }

    /// The shortest time between two of its slots, as far as some of them in a row show it.
    pub fn shortest_gap(&self) -> Span {
        self.shortest_gap
    }

    fn measure(&self) -> Span {
        let slots = std::iter::successors(self.next_after(MEASURED_FROM), |slot| self.next_after(*slot));
        let slots: Vec<Wall> = slots.take(MEASURED_SLOTS).collect();
        let gaps = slots.windows(2).map(|pair| Span(pair[0].0.abs_diff(pair[1].0)));
        gaps.min().unwrap_or(INTERVAL_MAX)
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone in whose time it stands.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The next slot of a schedule of times of the day. Each slot has one instant, and a later slot no earlier one, so
    /// the first that lies after `at` is it.
    fn next_time(&self, at: Wall) -> Option<Wall> {
        let mut from = whole_minute(self.zone.civil(at)?)?;
        for _ in 0..=REPEATED_MAX {
            let slot = self.next_fit(from)?;
            let instant = self.zone.instant(slot)?;
            if instant > at {
                return Some(instant);
            }
            from = slot.checked_add(1.minute()).ok()?;
        }
        None
    }

    /// The next slot of a rhythm. While clocks do not change, their time and the real one go alike; so it is sought from
    /// one change to the next. Where a change leaves the next fitting minute as it was, so do all those before it: none
    /// puts clocks back behind an earlier one. Then they are passed over.
    fn next_beat(&self, at: Wall) -> Option<Wall> {
        let mut from = Timestamp::from_millisecond(at.0.checked_add(1)?).ok()?;
        let mut known = None;
        for _ in 0..=CHANGES_MAX {
            let (offset, end) = self.zone.stretch(from);
            let shown = offset.to_datetime(from);
            let whole = whole_minute(shown)?;
            let first = if whole == shown { whole } else { whole.checked_add(1.minute()).ok()? };
            let fit = self.next_fit(first)?;
            let slot = offset.to_timestamp(fit).ok()?;
            let Some(end) = end.filter(|end| *end <= slot) else { return Some(Wall(slot.as_millisecond())) };
            from = if known.replace(fit) == Some(fit) {
                end.max(slot.checked_sub(CHANGE_MOST).ok()?)
            } else {
                end
            };
        }
        None
    }

    /// The first minute on a calendar, from `from` on, that fits.
    fn next_fit(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let (mut hour, mut minute) = (from.hour() as u32, from.minute() as u32);
        for _ in 0..DAYS_MAX {
            if !has(self.months, date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
            } else {
                let time = if self.fits_day(date) { self.next_minute(hour, minute) } else { None };
                if let Some((hour, minute)) = time {
                    return Some(date.at(hour as i8, minute as i8, 0, 0));
                }
                date = date.tomorrow().ok()?;
            }
            (hour, minute) = (0, 0);
        }
        None
    }

    /// The first hour and minute of a day, not before these, that fit.
    fn next_minute(&self, hour: u32, minute: u32) -> Option<(u32, u32)> {
        let first = |set: u64, from: u32| {
            let rest = set.checked_shr(from).unwrap_or(0);
            (rest != 0).then(|| from + rest.trailing_zeros())
        };
        let this_hour = if has(self.hours, hour as i8) { first(self.minutes, minute) } else { None };
        match this_hour {
            Some(minute) => Some((hour, minute)),
            None => Some((first(self.hours, hour + 1)?, first(self.minutes, 0)?)),
        }
    }

    fn fits_day(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        if self.either_day { day || weekday } else { day && weekday }
    }

    /// Whether any day fits. Every day of a year is each weekday in some year, so only the month's length counts.
    fn comes(&self) -> bool {
        const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let first = self.days.trailing_zeros();
        let month = |index: usize| has(self.months, index as i8 + 1);
        self.either_day || LENGTHS.iter().enumerate().any(|(index, days)| month(index) && first <= *days)
    }
}

fn has(set: u64, number: i8) -> bool {
    set >> number & 1 == 1
}

/// Without seconds and what is below them.
fn whole_minute(shown: DateTime) -> Option<DateTime> {
    shown.with().second(0).subsec_nanosecond(0).build().ok()
}

fn in_fields(word: &str) -> Result<&'static str, ScheduleError> {
    Ok(match word {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return Err(ScheduleError::Word),
    })
}

/// The set of numbers that a field names.
fn set(field: Field, text: &str) -> Result<u64, ScheduleError> {
    let mut set = 0;
    for part in text.split(',') {
        let wrong = || {
            let (low, high) = field.bounds();
            ScheduleError::Part { field, text: part.into(), low, high }
        };
        let (low, high, step) = range(field, part).ok_or_else(wrong)?;
        set |= (low..=high).step_by(step).fold(0, |set, number| set | 1 << number);
    }
    Ok(set)
}

/// First, last and step of a part of a list.
fn range(field: Field, part: &str) -> Option<(u8, u8, usize)> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
        None => (part, None),
    };
    let (least, most) = field.bounds();
    let (low, high) = match range.split_once('-') {
        // A star is every day of the week once.
        None if range == "*" => (least, if field == Field::Weekday { 6 } else { most }),
        // A step from a single number means different things to different crons.
        None if step.is_some() => return None,
        None => (value(field, range)?, value(field, range)?),
        Some((low, high)) => match (value(field, low)?, value(field, high)?) {
            // To Sunday is to the end of the week.
            (low, 0) if field == Field::Weekday && low > 0 => (low, 7),
            ends => ends,
        },
    };
    (least <= low && low <= high && high <= most).then_some((low, high, usize::from(step.unwrap_or(1))))
}

fn value(field: Field, text: &str) -> Option<u8> {
    let named = field.names().iter().position(|name| name.eq_ignore_ascii_case(text));
    named.map(|index| index as u8 + field.bounds().0).or_else(|| number(text))
}

fn number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
