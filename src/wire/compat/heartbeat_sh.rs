//! heartbeat.sh: `POST /beat/NAME?warning=1h&error=1d`. After `warning` it is late, after `error` it is down.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, compact, error};
use super::request::{CompatRequest, word};
use crate::domain::registry::Receipt;
use crate::domain::time::Span;
use crate::wire::answer::Answer;
use serde_json::json;
use std::borrow::Cow;

/// Its beats.
pub struct HeartbeatSh;

fn name<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    match request.words("/beat/")?[..] {
        [name] if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// A length of time that the query gives.
fn span(request: &CompatRequest<'_>, name: &str) -> Result<Option<Span>, Answer> {
    let Some(text) = request.parameter(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    Span::parse(&text).map(Some).map_err(|_| error(400, &format!("invalid {name}")))
}

impl CompatDialect for HeartbeatSh {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "POST" | "PUT") && name(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        request.authorization("bearer").map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let id = name(request).unwrap_or_default();
        let (warning, down) = (span(request, "warning")?, span(request, "error")?);
        let seconds = |span: Span| span.as_secs_f64().to_string();
        let interval = warning.or(down);
        let grace = down.map(|down| Span(down.0.saturating_sub(interval.unwrap_or(down).0)));
        Ok(vec![beat_for(word(id)).with("interval", interval.map(seconds)).with("grace", grace.map(seconds))])
    }

    fn taken(&self, request: &CompatRequest<'_>, receipts: &[Receipt]) -> Answer {
        let Some(receipt) = receipts.first() else { return compact(200, &json!({})) };
        let (warning, down) = (receipt.interval.as_secs_ceil(), receipt.grace.as_secs_ceil());
        compact(
            200,
            &json!({
                "Name": word(name(request).unwrap_or_default()),
                "Warning": warning,
                "Error": warning + down,
                "Age": 0,
                "Status": "OK",
                "LastBeat": request.at.rfc3339(),
            }),
        )
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(wrong) => error(400, &wrong.reason),
            CompatRefusal::Unknown => error(404, "not found"),
            CompatRefusal::Credential => error(401, "unauthorized"),
        }
    }
}
