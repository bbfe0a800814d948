//! Uptime Kuma's push monitors: `/api/push/TOKEN?status=up&msg=OK&ping=12`, by any method.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, compact};
use super::request::CompatRequest;
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde_json::json;
use std::borrow::Cow;

/// Its push URLs.
pub struct UptimeKuma;

/// Milliseconds that `ping` may say.
const PING_MAX: f64 = 100_000_000_000.0;

fn token<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    request.token("/api/push/", 1..=128)
}

fn wrong(reason: &str) -> Answer {
    compact(404, &json!({ "ok": false, "msg": reason }))
}

impl CompatDialect for UptimeKuma {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        token(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        token(request).map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let id = token(request).unwrap_or_default();
        let ping = request.parameter("ping").and_then(|ping| ping.trim().parse::<f64>().ok());
        if ping.is_some_and(|ping| !(0.0..=PING_MAX).contains(&ping)) {
            return Err(wrong("Invalid ping value. Must be between 0 and 100000000000 ms."));
        }
        let status = request.parameter("status").filter(|status| !status.is_empty());
        let status = if status.is_none_or(|status| status == "up") { "ok" } else { "fail" };
        // What it says by default is nothing worth keeping.
        let message = request.parameter("msg").filter(|message| message != "OK");
        Ok(vec![beat_for(id).with("status", Some(status)).with("message", message).by_secret()])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        compact(200, &json!({ "ok": true }))
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(error) => wrong(&error.reason),
            CompatRefusal::Unknown | CompatRefusal::Credential => wrong("Monitor not found or not active."),
        }
    }
}
