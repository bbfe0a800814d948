//! Grafana OnCall's heartbeats of integrations: `/integrations/v1/TYPE/KEY/heartbeat/`.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, text};
use super::request::{CompatRequest, is_token};
use crate::domain::registry::Receipt;
use crate::wire::answer::{Answer, JSON};
use std::borrow::Cow;

/// Heartbeats of integrations.
pub struct OnCall;

fn key<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    match request.words("/integrations/v1/")?[..] {
        [kind, key, "heartbeat"] if is_token(kind, 1..=64) && is_token(key, 1..=128) => Some(key),
        _ => None,
    }
}

impl CompatDialect for OnCall {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "HEAD" | "POST") && key(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        key(request).map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        Ok(vec![beat_for(key(request).unwrap_or_default()).by_secret()])
    }

    fn taken(&self, request: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        match request.method {
            "POST" => text(200, ""),
            _ => Answer::new(200, JSON, &b"\":)\""[..]),
        }
    }

    fn refused(&self, _: &CompatRequest<'_>, _: &CompatRefusal<'_>) -> Answer {
        Answer::new(403, "text/html; charset=utf-8", &b"<h1>403 Forbidden</h1>"[..])
    }
}
