//! Beats as JSON: one object, an array of objects, or one object a line (NDJSON).
//!
//! The body alone decides which it is. A value is first read into [`Fields`], slots of loose scalars in which the last
//! of two equal keys wins and unknown keys leave no trace, and only then judged (`fields`), so that an error names its
//! field and a wrong value that was overwritten does no harm.

use super::fields::{BeatError, Fields, KEYS, Scalar};
use crate::domain::limits::{Limits, TAGS_MAX};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A body, taken apart.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // looked at once where it was made; a box would cost each beat an allocation
pub enum Body<'a> {
    /// One beat; an empty body is `{}`.
    One(Fields<'a>),
    /// Many, each readable or not by itself.
    Many(Many<'a>),
}

/// The beats of a batch, each read when its turn comes: ten thousand of them taken apart at once would be megabytes.
#[derive(Debug)]
pub struct Many<'a> {
    texts: BatchItems<'a>,
    depth: Depth,
    limits: &'a Limits,
}

#[derive(Debug)]
enum BatchItems<'a> {
    Lines(std::str::Split<'a, char>),
    Elements(std::vec::IntoIter<&'a serde_json::value::RawValue>),
}

/// Takes a body apart. Errors here are about the whole body; those of single beats of a batch stay with them.
pub fn parse<'a>(body: &'a [u8], limits: &'a Limits) -> Result<Body<'a>, BeatError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body)
        .map_err(|e| BeatError::new(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
    match text.bytes().find(|b| !b.is_ascii_whitespace()) {
        None => Ok(Body::One(Fields::default())),
        Some(b'[') => {
            check_depth(text, limits)?;
            array(text, limits).map(Body::Many)
        }
        Some(b'{') => match object(text, limits, Depth(limits.json_depth)) {
            Ok(fields) => Ok(Body::One(fields)),
            Err(_) if is_lines(text) => lines(text, limits).map(Body::Many),
            Err(error) => Err(error),
        },
        Some(_) => Err(BeatError::new("a beat is a JSON object, an array of objects, or one object a line")),
    }
}

impl<'a> Iterator for Many<'a> {
    type Item = Result<Fields<'a>, BeatError>;

    fn next(&mut self) -> Option<Result<Fields<'a>, BeatError>> {
        let text = match &mut self.texts {
            BatchItems::Lines(lines) => lines.map(str::trim_ascii).find(|line| !line.is_empty()),
            BatchItems::Elements(elements) => elements.next().map(|raw| raw.get()),
        };
        text.map(|text| element(text, self.limits, self.depth))
    }
}

#[inline]
fn object<'a>(text: &'a str, limits: &Limits, depth: Depth) -> Result<Fields<'a>, BeatError> {
    let mut json = serde_json::Deserializer::from_str(text);
    // Filled in place: it is some hundred bytes, and would else be carried through every layer of results.
    let mut fields = Fields::default();
    let read = FieldsSeed(&mut fields, Depth(depth.0.saturating_sub(1)))
        .deserialize(&mut json)
        .and_then(|()| json.end());
    read.map_err(|e| BeatError::new(format!("not JSON: {e}")))?;
    if text.len() > limits.beat_bytes && bytes_of_the_rest(text) > limits.beat_bytes {
        return Err(too_long(limits));
    }
    Ok(fields)
}

/// How long a beat is without what would be cut or left out where it is too long.
fn bytes_of_the_rest(text: &str) -> usize {
    type Members<'a> = std::collections::HashMap<Cow<'a, str>, &'a serde_json::value::RawValue>;
    let text = text.trim_ascii();
    // It was read before, so it can be read again.
    let members: Members<'_> = serde_json::from_str(text).unwrap_or_default();
    let decorations = ["message", "tags", "ts", "rid", "ip", "seq"].into_iter();
    let decorations: usize = decorations.filter_map(|key| members.get(key)).map(|raw| raw.get().len()).sum();
    text.len() - decorations
}

fn array<'a>(text: &'a str, limits: &'a Limits) -> Result<Many<'a>, BeatError> {
    // The elements are kept as text first: that checks the whole body's syntax, finds each one's length, and lets one
    // that is no object be refused alone.
    let mut json = serde_json::Deserializer::from_str(text);
    let elements = RawSeed { max: limits.batch_beats }
        .deserialize(&mut json)
        .and_then(|elements| json.end().map(|()| elements))
        .map_err(|e| BeatError::new(format!("not JSON: {e}")))?;
    let elements = elements.ok_or_else(|| too_many(limits))?;
    let below = Depth(limits.json_depth.saturating_sub(1));
    Ok(Many { texts: BatchItems::Elements(elements.into_iter()), depth: below, limits })
}

fn lines<'a>(text: &'a str, limits: &'a Limits) -> Result<Many<'a>, BeatError> {
    // Empty lines do not count, but only where there are too many of both kinds is it worth telling them apart.
    let ends = text.trim_ascii_end().bytes().filter(|b| *b == b'\n').count();
    if ends >= limits.batch_beats {
        let mut filled = text.split('\n').map(str::trim_ascii).filter(|line| !line.is_empty());
        if filled.nth(limits.batch_beats).is_some() {
            return Err(too_many(limits));
        }
    }
    Ok(Many { texts: BatchItems::Lines(text.split('\n')), depth: Depth(limits.json_depth), limits })
}

fn element<'a>(text: &'a str, limits: &Limits, depth: Depth) -> Result<Fields<'a>, BeatError> {
    if !text.starts_with('{') {
        return Err(BeatError::new("a beat is a JSON object"));
    }
    object(text, limits, depth)
}

/// Several lines, each of which begins an object: that is NDJSON, whole or with faults, and never one object over
/// many lines, for which a line that begins with `{` would have to be a key.
fn is_lines(text: &str) -> bool {
    let mut filled = text.split('\n').map(str::trim_ascii).filter(|line| !line.is_empty());
    let (first, second) = (filled.next(), filled.next());
    first.is_some_and(|l| l.starts_with('{')) && second.is_some() && {
        let begins = |l: &str| l.starts_with('{');
        second.is_some_and(begins) || first.is_some_and(|l| l.ends_with('}') && l.len() > 1)
    }
}

fn too_long(limits: &Limits) -> BeatError {
    let reason = format!("a beat is at most {} bytes (limits.beat_bytes)", limits.beat_bytes);
    BeatError { too_large: true, ..BeatError::new(reason) }
}

fn too_many(limits: &Limits) -> BeatError {
    let reason = format!("a body holds at most {} beats (limits.batch_beats)", limits.batch_beats);
    BeatError { too_large: true, ..BeatError::new(reason) }
}

/// Refuses a body that nests deeper than allowed. For arrays, whose elements are first skipped over without a look at
/// what they hold; an object is judged while it is read.
fn check_depth(text: &str, limits: &Limits) -> Result<(), BeatError> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.as_bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > limits.json_depth {
                    let most = limits.json_depth;
                    return Err(BeatError::new(format!(
                        "nested deeper than {most} levels (limits.json_depth)"
                    )));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Levels of nesting that are left below a value.
#[derive(Clone, Copy, Debug)]
struct Depth(usize);

impl Depth {
    /// One level further down, or the error of one too many.
    fn down<E: serde::de::Error>(self) -> Result<Depth, E> {
        let deeper = self.0.checked_sub(1).map(Depth);
        deeper.ok_or_else(|| E::custom("nested deeper than allowed (limits.json_depth)"))
    }
}

/// Reads an object into the fields it is given.
struct FieldsSeed<'f, 'de>(&'f mut Fields<'de>, Depth);

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Some(slot) => self.0.slots[slot] = map.next_value_seed(ScalarSeed(self.1))?,
                // Read like any other, for its depth; what it says is dropped.
                None => drop(map.next_value_seed(ScalarSeed(self.1))?),
            }
        }
        Ok(())
    }
}

/// Reads a key into the number of its slot.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<usize>, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(KEYS.iter().position(|k| *k == key))
    }
}

/// Reads a value that may nest that deep.
#[derive(Clone, Copy)]
struct ScalarSeed(Depth);

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Scalar<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.into())))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(n))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Scalar<'de>, E> {
        Ok(u64::try_from(n).map_or(Scalar::Negative(n), Scalar::Unsigned))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(n))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    /// `null` is the same as leaving the key out.
    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let below = ScalarSeed(self.0.down()?);
        let mut texts = Vec::new();
        while let Some(item) = seq.next_element_seed(below)? {
            // One more than allowed is enough to know that there are too many.
            if texts.len() <= TAGS_MAX {
                texts.push(match item {
                    Scalar::Text(text) => text,
                    _ => Cow::Borrowed(""),
                });
            }
        }
        Ok(Scalar::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        let below = ScalarSeed(self.0.down()?);
        while map.next_entry_seed(PhantomData::<IgnoredAny>, below)?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// Reads an array into its elements' texts; `None` when there are more than `max`.
struct RawSeed {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = Option<Vec<&'de serde_json::value::RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RawSeed {
    type Value = Option<Vec<&'de serde_json::value::RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        let mut fits = true;
        while let Some(raw) = seq.next_element()? {
            fits = elements.len() < self.max;
            if fits {
                elements.push(raw);
            }
        }
        Ok(fits.then_some(elements))
    }
}

#[cfg(test)]
mod tests;
