//! Gatus' external endpoints: `POST /api/v1/endpoints/GROUP_NAME/external?success=true`, with a bearer token.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, text};
use super::request::{CompatRequest, word};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use std::borrow::Cow;

/// Results that are pushed.
pub struct Gatus;

fn key<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    match request.words("/api/v1/endpoints/")?[..] {
        [key, "external"] => Some(key),
        _ => None,
    }
}

/// Whether a text is a length of time as Go writes it: `1h2m3.5s`, `-1.5µs`, `0`.
fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut parts = 0;
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - after.len()];
        let is_number = number.bytes().any(|b| b.is_ascii_digit()) && number.matches('.').count() <= 1;
        let unit = ["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m", "h"].iter().find_map(|unit| {
            let rest = after.strip_prefix(unit)?;
            rest.chars().next().is_none_or(|c| c.is_ascii_digit() || c == '.').then_some(rest)
        });
        match unit {
            Some(next) if is_number => rest = next,
            _ => return false,
        }
        parts += 1;
    }
    parts > 0
}

impl CompatDialect for Gatus {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        request.method == "POST" && key(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        request.authorization("bearer").map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let success = match request.parameter("success").as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => return Err(text(400, "missing or invalid success query parameter")),
        };
        match request.header("authorization") {
            // Only where tokens are configured is one asked for; an empty one was meant to be one.
            Some(shown) if shown.eq_ignore_ascii_case("bearer") => {
                return Err(text(401, "bearer token must not be empty"));
            }
            _ => {}
        }
        if let Some(wrong) = request.parameter("duration").filter(|d| !d.is_empty() && !is_go_duration(d)) {
            return Err(text(400, format!("invalid duration: time: invalid duration {wrong:?}")));
        }
        let error = request.parameter("error").filter(|_| !success);
        let status = if success { "ok" } else { "fail" };
        let id = word(key(request).unwrap_or_default());
        Ok(vec![beat_for(id).with("status", Some(status)).with("message", error)])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "")
    }

    fn refused(&self, request: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Credential if request.authorization("bearer").is_some() => {
                text(401, "invalid token")
            }
            CompatRefusal::Credential => text(401, "invalid Authorization header"),
            CompatRefusal::Invalid(_) | CompatRefusal::Unknown => text(404, "not found"),
        }
    }
}
