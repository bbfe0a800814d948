//! The fields of a beat, loose as they stood in some text, and the one place where they are judged: what JSON brings and
//! what a line brings is held to the same rules and refused in the same words.
//!
//! Only what makes a beat can make it none: id, status, interval and grace. What decorates it is cut or left out, so that a
//! job whose report is too long is never taken for one that said nothing.

use crate::domain::access::TokenDigest;
use crate::domain::beat::{Beat, Status, Warning, Warnings};
use crate::domain::id::{IdError, IdRef, composed};
use crate::domain::limits::{
    INTERVAL_MAX, INTERVAL_MIN, MESSAGE_BYTES_MAX, RID_BYTES_MAX, SIGNAL_MAX, TAG_BYTES_MAX, TAGS_MAX,
};
use crate::domain::message::{self, head_of};
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

    /// A field is wrong.
    pub fn of(field: &'static str, reason: impl Into<Cow<'static, str>>) -> BeatError {
        BeatError { field: Some(field), reason: reason.into(), too_large: false }
    }
}

/// One beat's fields as they stood in the text, not yet judged.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    pub(super) slots: [Scalar<'a>; KEYS.len()],
    /// What was lost before the fields are judged.
    warnings: Warnings,
}

/// How much is shown of an id that is a secret.
const HIDDEN_ID_BYTES: usize = 6;

/// The fields' names, in the order of their slots.
pub(super) const KEYS: [&str; 11] =
    ["id", "ip", "seq", "ts", "interval", "grace", "status", "message", "tags", "rid", "signal"];

/// A value as far as a beat can use one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    Number(f64),
    /// Strings of an array, one more than allowed at most; one that is no string is an empty one here.
    Texts(Vec<Cow<'a, str>>),
    /// Anything that no field takes.
    Other,
}

impl<'a> Fields<'a> {
    /// Puts a text in the place of a field; false when there is no such field. Tags are separated by commas. What a text
    /// cannot say is judged later, with the rest.
    pub fn put(&mut self, name: &str, text: impl Into<Cow<'a, str>>) -> bool {
        let Some(slot) = KEYS.iter().position(|key| *key == name) else { return false };
        let text = text.into();
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        self.slots[slot] = match (name, text.parse()) {
            ("seq", Ok(number)) if digits => Scalar::Unsigned(number),
            ("tags", _) => {
                Scalar::Texts(text.split(',').take(TAGS_MAX + 1).map(|tag| tag.to_string().into()).collect())
            }
            _ => Scalar::Text(text),
        };
        true
    }

    /// Takes what is missing here from other fields.
    pub fn fill_from(&mut self, other: &Fields<'a>) {
        for (slot, other) in self.slots.iter_mut().zip(&other.slots) {
            if *slot == Scalar::Absent {
                slot.clone_from(other);
            }
        }
        self.warnings.add_all(other.warnings);
    }

    /// Puts in the place of an id that is a secret a name that is none: its beginning, and a mark by which it is told from
    /// others.
    pub fn hide_id(&mut self) {
        let [Scalar::Text(id), ..] = &mut self.slots else { return };
        let shown = head_of(id, HIDDEN_ID_BYTES);
        let mark = TokenDigest::of(id.as_bytes()).mark();
        // No id begins with one.
        *id = match shown.strip_prefix('-') {
            Some(rest) => format!("_{rest}-{mark}"),
            None => format!("{shown}-{mark}"),
        }
        .into();
    }

    /// Notes that something of them was lost already.
    pub fn warn(&mut self, warning: Warning) {
        self.warnings.add(warning);
    }

    /// Notes that the text they stood in was not UTF-8, if what was put in the place of the wrong bytes is among them.
    pub fn warn_if_repaired(&mut self) {
        let repaired = self.slots.iter().any(|slot| match slot {
            Scalar::Text(text) => text.contains(char::REPLACEMENT_CHARACTER),
            Scalar::Texts(texts) => texts.iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)),
            _ => false,
        });
        if repaired {
            self.warn(Warning::Encoding);
        }
    }

    /// Judges the fields. What is too long or too many among those that decorate a beat is cut here, in place.
    pub fn beat(&mut self) -> Result<Beat<'_>, BeatError> {
        let mut warnings = self.warnings;
        let [id, ip, .., message, tags, _rid, _signal] = &mut self.slots;
        compose(id);
        compose(ip);
        cut_message(message, &mut warnings);
        cut_tags(tags, &mut warnings);
        let [id, ip, seq, ts, interval, grace, status, message, tags, rid, signal] = &self.slots;
        let mut decoration = |present: bool, warning| {
            if present {
                warnings.add(warning);
            }
        };
        let (ip, ip_is_bad) = or_left_out(ip, ip_of(ip));
        decoration(ip_is_bad, Warning::IpLeftOut);
        let (seq, seq_is_bad) = or_left_out(seq, seq_of(seq));
        decoration(seq_is_bad, Warning::SeqLeftOut);
        let (ts, ts_is_bad) = or_left_out(ts, ts_of(ts));
        decoration(ts_is_bad, Warning::TsLeftOut);
        let (rid, rid_is_bad) = or_left_out(rid, rid_of(rid));
        decoration(rid_is_bad, Warning::RidLeftOut);
        Ok(Beat {
            id: id_of(id)?,
            ip,
            seq,
            ts,
            interval: span_of(interval, "interval", INTERVAL_MIN, "must be from 1s to 366d")?,
            grace: span_of(grace, "grace", Span(0), "must be from 0 to 366d")?,
            status: status_of(status)?.ended_by(signal_of(signal)),
            message: match message {
                Scalar::Text(text) => Some(text.as_ref()),
                _ => None,
            },
            tags: match tags {
                Scalar::Texts(tags) => Some(tags),
                _ => None,
            },
            rid,
            warnings,
        })
    }
}

/// What was read of a decoration, and whether it was there and could not be.
fn or_left_out<T>(slot: &Scalar<'_>, read: Option<T>) -> (Option<T>, bool) {
    let is_bad = read.is_none() && *slot != Scalar::Absent;
    (read, is_bad)
}

/// Ids are compared composed.
#[inline]
fn compose(slot: &mut Scalar<'_>) {
    let Scalar::Text(text) = slot else { return };
    if text.is_ascii() {
        return;
    }
    if let Cow::Owned(whole) = composed(text) {
        *text = Cow::Owned(whole);
    }
}

fn cut_message(slot: &mut Scalar<'_>, warnings: &mut Warnings) {
    match slot {
        Scalar::Absent => {}
        Scalar::Text(text) => {
            if text.len() > MESSAGE_BYTES_MAX {
                *text = Cow::Owned(message::fitting(text).into_owned());
                warnings.add(Warning::MessageCut);
            }
        }
        _ => {
            *slot = Scalar::Absent;
            warnings.add(Warning::MessageLeftOut);
        }
    }
}

fn cut_tags(slot: &mut Scalar<'_>, warnings: &mut Warnings) {
    match slot {
        Scalar::Absent => {}
        Scalar::Texts(tags) => {
            let count = tags.len();
            tags.retain(|t| (1..=TAG_BYTES_MAX).contains(&t.len()) && !t.chars().any(char::is_control));
            tags.truncate(TAGS_MAX);
            if tags.len() == count {
                return;
            }
            // No tags at all would take away those that the monitor has.
            if tags.is_empty() {
                *slot = Scalar::Absent;
                warnings.add(Warning::TagsLeftOut);
            } else {
                warnings.add(Warning::TagsCut);
            }
        }
        _ => {
            *slot = Scalar::Absent;
            warnings.add(Warning::TagsLeftOut);
        }
    }
}

fn id_of<'b>(slot: &'b Scalar<'_>) -> Result<Option<IdRef<'b>>, BeatError> {
    match slot {
        Scalar::Absent => Ok(None),
        // It stands for what could not be read: two names would become one.
        Scalar::Text(text) if text.contains(char::REPLACEMENT_CHARACTER) => {
            Err(BeatError::of("id", IdError::Character.to_string()))
        }
        Scalar::Text(text) => IdRef::new(text).map(Some).map_err(|e| BeatError::of("id", e.to_string())),
        _ => Err(BeatError::of("id", "must be a text")),
    }
}

fn ip_of<'b>(slot: &'b Scalar<'_>) -> Option<IdRef<'b>> {
    match slot {
        Scalar::Text(text) => IdRef::makeable(text).ok(),
        _ => None,
    }
}

fn seq_of(slot: &Scalar<'_>) -> Option<u64> {
    match slot {
        Scalar::Unsigned(n) => Some(*n),
        // Beyond this bound the cast would say something else than was written.
        Scalar::Number(n) if n.fract() == 0.0 && (0.0..u64::MAX as f64).contains(n) => Some(*n as u64),
        _ => None,
    }
}

fn ts_of(slot: &Scalar<'_>) -> Option<Wall> {
    // jiff's range; beyond it nobody could print the time.
    let wall = |seconds: f64| {
        let ms = (seconds * 1000.0).round();
        (ms.abs() < 253_402_207_200_000.0).then_some(Wall(ms as i64))
    };
    match slot {
        Scalar::Unsigned(n) => wall(*n as f64),
        Scalar::Negative(n) => wall(*n as f64),
        Scalar::Number(n) => wall(*n),
        Scalar::Text(text) if text.len() <= 64 => match text.parse::<jiff::Timestamp>() {
            Ok(t) => Some(Wall(t.as_millisecond())),
            Err(_) => text.parse::<f64>().ok().and_then(wall),
        },
        _ => None,
    }
}

fn rid_of<'b>(slot: &'b Scalar<'_>) -> Option<&'b str> {
    match slot {
        Scalar::Text(rid) => Some(rid.as_ref())
            .filter(|rid| (1..=RID_BYTES_MAX).contains(&rid.len()) && !rid.chars().any(char::is_control)),
        _ => None,
    }
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
