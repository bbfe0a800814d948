//! The fields of a beat, loose as they stood in some text, and the one place where they are judged: what JSON brings and
//! what a line brings is held to the same rules and refused in the same words.

use crate::domain::beat::{Beat, Status};
use crate::domain::id::IdRef;
use crate::domain::limits::{
    INTERVAL_MAX, INTERVAL_MIN, MESSAGE_BYTES_MAX, RID_BYTES_MAX, SIGNAL_MAX, TAG_BYTES_MAX, TAGS_MAX,
};
use crate::domain::time::{Span, Wall};
use std::borrow::Cow;

/// Why a body or a beat in it was not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct BeatError {
    /// The field, where one is to blame.
    pub field: Option<&'static str>,
    /// What is wrong with it, for a person.
    pub reason: Cow<'static, str>,
    /// Whether it is only too much (413) rather than wrong (400).
    pub too_large: bool,
}

impl BeatError {
    pub(super) fn new(reason: impl Into<Cow<'static, str>>) -> BeatError {
        BeatError { field: None, reason: reason.into(), too_large: false }
    }

    pub(super) fn of(field: &'static str, reason: impl Into<Cow<'static, str>>) -> BeatError {
        BeatError { field: Some(field), reason: reason.into(), too_large: false }
    }
}

/// One beat's fields as they stood in the text, not yet judged.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    pub(super) slots: [Scalar<'a>; KEYS.len()],
}

/// The fields' names, in the order of their slots.
pub(super) const KEYS: [&str; 11] =
    ["id", "ip", "seq", "ts", "interval", "grace", "status", "message", "tags", "rid", "signal"];

/// A value as far as a beat can use one.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    Number(f64),
    /// Strings of an array, one more than allowed at most.
    Texts(Vec<Cow<'a, str>>),
    /// Anything that no field takes.
    Other,
}

impl<'a> Fields<'a> {
    /// Puts a text in the place of a field; false when there is no such field that takes one. What a text cannot say is
    /// judged later, with the rest.
    pub fn put(&mut self, name: &str, text: &'a str) -> bool {
        let Some(slot) = KEYS.iter().position(|key| *key == name && *key != "tags") else { return false };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        self.slots[slot] = match (name, text.parse()) {
            ("seq", Ok(number)) if digits => Scalar::Unsigned(number),
            _ => Scalar::Text(Cow::Borrowed(text)),
        };
        true
    }

    /// Judges the fields.
    pub fn beat(&self) -> Result<Beat<'_>, BeatError> {
        let [id, ip, seq, ts, interval, grace, status, message, tags, rid, signal] = &self.slots;
        Ok(Beat {
            id: id_of(id, "id")?,
            ip: id_of(ip, "ip")?,
            seq: match seq {
                Scalar::Absent => None,
                Scalar::Unsigned(n) => Some(*n),
                // Beyond this bound the cast would say something else than was written.
                Scalar::Number(n) if n.fract() == 0.0 && (0.0..u64::MAX as f64).contains(n) => {
                    Some(*n as u64)
                }
                _ => {
                    return Err(BeatError::of(
                        "seq",
                        "must be a whole number from 0 to 18446744073709551615",
                    ));
                }
            },
            ts: ts_of(ts)?,
            interval: span_of(interval, "interval", INTERVAL_MIN, "must be from 1s to 366d")?,
            grace: span_of(grace, "grace", Span(0), "must be from 0 to 366d")?,
            status: status_of(status)?.ended_by(signal_of(signal)),
            message: text_of(message, "message", MESSAGE_BYTES_MAX, "must be a text of at most 10000 bytes")?,
            tags: tags_of(tags)?,
            rid: match text_of(rid, "rid", RID_BYTES_MAX, "must be a text of 1 to 64 bytes")? {
                Some(rid) if rid.is_empty() || rid.chars().any(char::is_control) => {
                    return Err(BeatError::of(
                        "rid",
                        "must be a text of 1 to 64 bytes without control characters",
                    ));
                }
                rid => rid,
            },
        })
    }
}

fn id_of<'b>(slot: &'b Scalar<'_>, field: &'static str) -> Result<Option<IdRef<'b>>, BeatError> {
    match slot {
        Scalar::Absent => Ok(None),
        Scalar::Text(text) => IdRef::new(text).map(Some).map_err(|e| BeatError::of(field, e.to_string())),
        _ => Err(BeatError::of(field, "must be a text")),
    }
}

fn ts_of(slot: &Scalar<'_>) -> Result<Option<Wall>, BeatError> {
    const REASON: &str = "must be RFC 3339 (2026-02-08T11:30:20Z) or Unix seconds";
    // jiff's range; beyond it nobody could print the time.
    let wall = |seconds: f64| {
        let ms = (seconds * 1000.0).round();
        (ms.abs() < 253_402_207_200_000.0).then_some(Wall(ms as i64))
    };
    let read = match slot {
        Scalar::Absent => return Ok(None),
        Scalar::Unsigned(n) => wall(*n as f64),
        Scalar::Negative(n) => wall(*n as f64),
        Scalar::Number(n) => wall(*n),
        Scalar::Text(text) if text.len() <= 64 => match text.parse::<jiff::Timestamp>() {
            Ok(t) => Some(Wall(t.as_millisecond())),
            Err(_) => text.parse::<f64>().ok().and_then(wall),
        },
        _ => None,
    };
    read.map(Some).ok_or(BeatError::of("ts", REASON))
}

fn span_of(
    slot: &Scalar<'_>,
    field: &'static str,
    min: Span,
    range: &'static str,
) -> Result<Option<Span>, BeatError> {
    const FORM: &str = "must be seconds or a duration such as \"90s\" or \"1h30m\"";
    let span = match slot {
        Scalar::Absent => return Ok(None),
        Scalar::Unsigned(n) => Span::from_secs_f64(*n as f64).ok_or(BeatError::of(field, range))?,
        Scalar::Negative(_) => return Err(BeatError::of(field, range)),
        Scalar::Number(n) => {
            // Before it is rounded to milliseconds, or what lies just outside would come in.
            let fits = |n: &f64| (min.as_secs_f64()..=INTERVAL_MAX.as_secs_f64()).contains(n);
            Some(*n).filter(fits).and_then(Span::from_secs_f64).ok_or(BeatError::of(field, range))?
        }
        Scalar::Text(text) => Span::parse(text).map_err(|_| BeatError::of(field, FORM))?,
        _ => return Err(BeatError::of(field, FORM)),
    };
    if span < min || span > INTERVAL_MAX { Err(BeatError::of(field, range)) } else { Ok(Some(span)) }
}

fn status_of(slot: &Scalar<'_>) -> Result<Status, BeatError> {
    const REASON: &str = "must be ok, fail, start, log or an exit code, which is a whole number";
    // Beyond this bound not every whole number is one, and the cast would say something else than was written.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    let read = match slot {
        Scalar::Absent => Some(Status::Ok),
        Scalar::Unsigned(n) => i64::try_from(*n).ok().map(Status::Exit),
        Scalar::Negative(n) => Some(Status::Exit(*n)),
        // Some languages know only one kind of number, and write 1.0.
        Scalar::Number(n) if n.fract() == 0.0 && n.abs() <= WHOLE_MAX => Some(Status::Exit(*n as i64)),
        Scalar::Text(text) => match text.as_ref() {
            "ok" => Some(Status::Ok),
            "fail" => Some(Status::Fail),
            "start" => Some(Status::Start),
            "log" => Some(Status::Log),
            code => {
                let digits = code.strip_prefix('-').unwrap_or(code);
                let is_whole = digits.bytes().all(|b| b.is_ascii_digit());
                code.parse().ok().filter(|_| is_whole).map(Status::Exit)
            }
        },
        _ => None,
    };
    read.ok_or(BeatError::of("status", REASON))
}

/// The signal that ended a run. Only its number is the same in all languages; its name is for people.
fn signal_of(slot: &Scalar<'_>) -> Option<u8> {
    let number = match slot {
        Scalar::Unsigned(n) => u8::try_from(*n).ok(),
        Scalar::Text(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| (1..=SIGNAL_MAX).contains(number))
}

fn text_of<'b>(
    slot: &'b Scalar<'_>,
    field: &'static str,
    bytes_max: usize,
    reason: &'static str,
) -> Result<Option<&'b str>, BeatError> {
    match slot {
        Scalar::Absent => Ok(None),
        Scalar::Text(text) if text.len() <= bytes_max => Ok(Some(text)),
        _ => Err(BeatError::of(field, reason)),
    }
}

fn tags_of<'b>(slot: &'b Scalar<'_>) -> Result<Option<&'b [Cow<'b, str>]>, BeatError> {
    const REASON: &str = "must be a list of at most 16 texts of 1 to 64 bytes without control characters";
    match slot {
        Scalar::Absent => Ok(None),
        Scalar::Texts(tags) => {
            let good = tags.len() <= TAGS_MAX
                && tags
                    .iter()
                    .all(|t| (1..=TAG_BYTES_MAX).contains(&t.len()) && !t.chars().any(char::is_control));
            if good { Ok(Some(tags)) } else { Err(BeatError::of("tags", REASON)) }
        }
        _ => Err(BeatError::of("tags", REASON)),
    }
}
