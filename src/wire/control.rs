//! Bodies of requests that change something: what a monitor is to be held to, and how long it is set aside.
//!
//! Unlike a beat, which takes what it knows and passes over the rest, a wish with an unknown field is refused: whoever
//! mistypes `grace` must not believe that it was set. An empty body is `{}`; `null` is the same as leaving a field out.

use crate::domain::limits::{INTERVAL_MAX, INTERVAL_MIN, TAG_BYTES_MAX, TAGS_MAX};
use crate::domain::registry::Declaration;
use crate::domain::time::{Span, Wall};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What is wrong with a wish or a question, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError {
    /// The field or parameter, where one is to blame.
    pub field: Option<&'static str>,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl ControlError {
    /// A field or parameter is wrong.
    pub fn of(field: &'static str, reason: impl Into<Cow<'static, str>>) -> ControlError {
        ControlError { field: Some(field), reason: reason.into() }
    }

    fn new(reason: impl Into<Cow<'static, str>>) -> ControlError {
        ControlError { field: None, reason: reason.into() }
    }
}

/// How long a monitor is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseFor {
    /// Until somebody resumes it.
    Good,
    /// For a time from now.
    Span(Span),
    /// Until a moment.
    Until(Wall),
}

/// Reads what a monitor is to be held to: `interval`, `grace`, `tags`, each as in a beat.
pub fn declaration(body: &[u8]) -> Result<Declaration, ControlError> {
    let fields = object(body, &["interval", "grace", "tags"])?;
    Ok(Declaration {
        interval: span(&fields, "interval", INTERVAL_MIN, "must be from 1s to 366d")?,
        grace: span(&fields, "grace", Span(0), "must be from 0 to 366d")?,
        tags: tags(&fields)?,
    })
}

/// Reads how long to pause: nothing, `{"for": "2h"}` or `{"until": "2026-02-08T11:30:20Z"}`.
pub fn pause(body: &[u8]) -> Result<PauseFor, ControlError> {
    let fields = object(body, &["for", "until"])?;
    let length = span(&fields, "for", INTERVAL_MIN, "must be from 1s to 366d")?;
    let until = match fields.get("until") {
        None => None,
        Some(Value::String(text)) => Some(moment(text, "until")?),
        Some(_) => return Err(ControlError::of("until", MOMENT)),
    };
    match (length, until) {
        (None, None) => Ok(PauseFor::Good),
        (Some(length), None) => Ok(PauseFor::Span(length)),
        (None, Some(until)) => Ok(PauseFor::Until(until)),
        (Some(_), Some(_)) => Err(ControlError::of("until", "write either `for` or `until`, not both")),
    }
}

/// Reads a moment in RFC 3339.
pub(super) fn moment(text: &str, field: &'static str) -> Result<Wall, ControlError> {
    let read = (text.len() <= 64).then(|| text.parse::<jiff::Timestamp>().ok()).flatten();
    read.map(|at| Wall(at.as_millisecond())).ok_or(ControlError::of(field, MOMENT))
}

const MOMENT: &str = "must be a moment in RFC 3339, such as 2026-02-08T11:30:20Z";

/// The fields of an object, those that are `null` left out.
fn object(body: &[u8], known: &[&'static str]) -> Result<Map<String, Value>, ControlError> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|e| ControlError::new(format!("not JSON: {e}")))?;
    let Value::Object(mut fields) = value else { return Err(ControlError::new("must be a JSON object")) };
    if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        return Err(ControlError::new(format!("unknown field {name:?}: there are {}", known.join(", "))));
    }
    fields.retain(|_, value| !value.is_null());
    Ok(fields)
}

fn span(
    fields: &Map<String, Value>,
    field: &'static str,
    min: Span,
    range: &'static str,
) -> Result<Option<Span>, ControlError> {
    const FORM: &str = "must be seconds or a duration such as \"90s\" or \"1h30m\"";
    let span = match fields.get(field) {
        None => return Ok(None),
        Some(Value::Number(seconds)) => {
            let fits = |seconds: &f64| (min.as_secs_f64()..=INTERVAL_MAX.as_secs_f64()).contains(seconds);
            seconds
                .as_f64()
                .filter(fits)
                .and_then(Span::from_secs_f64)
                .ok_or(ControlError::of(field, range))?
        }
        Some(Value::String(text)) => Span::parse(text).map_err(|_| ControlError::of(field, FORM))?,
        Some(_) => return Err(ControlError::of(field, FORM)),
    };
    if span < min || span > INTERVAL_MAX { Err(ControlError::of(field, range)) } else { Ok(Some(span)) }
}

fn tags(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, ControlError> {
    let wrong = || {
        ControlError::of(
            "tags",
            "must be a list of at most 16 texts of 1 to 64 bytes without control characters",
        )
    };
    let tags = match fields.get("tags") {
        None => return Ok(None),
        Some(Value::Array(tags)) if tags.len() <= TAGS_MAX => tags,
        Some(_) => return Err(wrong()),
    };
    let fits = |tag: &&str| (1..=TAG_BYTES_MAX).contains(&tag.len()) && !tag.chars().any(char::is_control);
    let texts = tags.iter().map(|tag| tag.as_str().filter(fits).map(String::from));
    texts.collect::<Option<_>>().map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_declaration_is_written_as_in_a_beat() {
        let read = declaration(br#"{"interval":"1h30m","grace":90,"tags":["a","b"]}"#);
        let want = Declaration {
            interval: Some(Span::secs(5400)),
            grace: Some(Span::secs(90)),
            tags: Some(vec!["a".into(), "b".into()]),
        };
        assert_eq!(read, Ok(want));
        for nothing in ["", " \n", "{}", r#"{"interval":null,"tags":null}"#] {
            assert_eq!(declaration(nothing.as_bytes()), Ok(Declaration::default()), "{nothing}");
        }
        assert_eq!(declaration(br#"{"tags":[]}"#).map(|d| d.tags), Ok(Some(vec![])));
    }

    #[test]
    fn a_wrong_declaration_names_its_field() {
        for (body, field) in [
            (r#"{"interval":0}"#, Some("interval")),
            (r#"{"interval":0.9999999}"#, Some("interval")),
            (r#"{"interval":31622400.000000004}"#, Some("interval")),
            (r#"{"interval":"367d"}"#, Some("interval")),
            (r#"{"interval":true}"#, Some("interval")),
            (r#"{"grace":-1}"#, Some("grace")),
            (r#"{"grace":"soon"}"#, Some("grace")),
            (r#"{"tags":"a"}"#, Some("tags")),
            (r#"{"tags":[""]}"#, Some("tags")),
            (r#"{"tags":["a\nb"]}"#, Some("tags")),
            (r#"{"tags":[1]}"#, Some("tags")),
            (r#"{"graze":1}"#, None),
            ("[]", None),
            ("nonsense", None),
        ] {
            assert_eq!(declaration(body.as_bytes()).map_err(|w| w.field), Err(field), "{body}");
        }
        let many = format!("{{\"tags\":[{}]}}", vec!["\"x\""; 17].join(","));
        assert!(declaration(many.as_bytes()).is_err());
    }

    #[test]
    fn a_pause_has_an_end_or_none() {
        assert_eq!(pause(b""), Ok(PauseFor::Good));
        assert_eq!(pause(b"{}"), Ok(PauseFor::Good));
        assert_eq!(pause(br#"{"for":"2h"}"#), Ok(PauseFor::Span(Span::secs(7200))));
        let until = pause(br#"{"until":"2026-02-08T11:30:20+08:00"}"#);
        assert_eq!(until, Ok(PauseFor::Until(Wall(1_770_521_420_000))));
        for (body, field) in [
            (r#"{"for":"2h","until":"2026-02-08T11:30:20Z"}"#, Some("until")),
            (r#"{"for":0}"#, Some("for")),
            (r#"{"until":"tomorrow"}"#, Some("until")),
            (r#"{"until":5}"#, Some("until")),
            (r#"{"fro":"2h"}"#, None),
        ] {
            assert_eq!(pause(body.as_bytes()).map_err(|w| w.field), Err(field), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_breaks_anything(body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "\\{\"(interval|grace|tags|for|until|x)\":[\\[\\]\\{\\}\"a-z0-9:.,\\-]{0,30}\\}".prop_map(String::into_bytes),
        ]) {
            if let Ok(read) = declaration(&body) {
                prop_assert!(read.interval.is_none_or(|s| (INTERVAL_MIN..=INTERVAL_MAX).contains(&s)));
                prop_assert!(read.grace.is_none_or(|s| s <= INTERVAL_MAX));
            }
            if let Err(wrong) = pause(&body) {
                prop_assert!(!wrong.reason.is_empty());
            }
        }
    }
}
