//! Kener's heartbeats: `/ext/heartbeat/TAG/SECRET`, which versions up to 4.0 spelt `TAG:SECRET`.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, compact, error};
use super::request::{CompatRequest, is_token, word};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde_json::json;
use std::borrow::Cow;

/// Its heartbeats.
pub struct Kener;

fn parts<'a>(request: &CompatRequest<'a>) -> Option<(&'a str, &'a str)> {
    match request.words("/ext/heartbeat/")?[..] {
        [both] => both.split_once(':'),
        [tag, secret] => Some((tag, secret)),
        _ => None,
    }
    .filter(|(tag, secret)| !tag.is_empty() && is_token(secret, 1..=128))
}

impl CompatDialect for Kener {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "HEAD" | "POST") && parts(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        parts(request).map(|(_, secret)| Cow::Borrowed(secret))
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let (tag, _) = parts(request).unwrap_or_default();
        Ok(vec![beat_for(word(tag))])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        compact(200, &json!({ "status": "OK" }))
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Credential => error(400, "Invalid heartbeat secret"),
            CompatRefusal::Invalid(_) | CompatRefusal::Unknown => error(400, "Monitor not found"),
        }
    }
}
