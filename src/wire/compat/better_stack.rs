//! Better Stack's heartbeats: `/api/v1/heartbeat/TOKEN`, with `/fail` or an exit code behind it, and the output of the job in
//! the body.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, error, text};
use super::request::{CompatRequest, is_token};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use std::borrow::Cow;

/// Its heartbeats.
pub struct BetterStack;

fn parts<'a>(request: &CompatRequest<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let is_end = |word: &str| word == "fail" || !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    match request.words("/api/v1/heartbeat/")?[..] {
        [token] if is_token(token, 1..=128) => Some((token, None)),
        [token, end] if is_token(token, 1..=128) && is_end(end) => Some((token, Some(end))),
        _ => None,
    }
}

impl CompatDialect for BetterStack {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        parts(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        parts(request).map(|(token, _)| Cow::Borrowed(token))
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let (token, end) = parts(request).unwrap_or_default();
        Ok(vec![beat_for(token).with("status", end).with_body(request.body).by_secret()])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "OK")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(wrong) => error(400, &wrong.reason),
            CompatRefusal::Unknown | CompatRefusal::Credential => error(404, "Heartbeat not found"),
        }
    }
}
