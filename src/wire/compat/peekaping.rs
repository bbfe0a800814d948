//! Peekaping's push monitors: `GET /api/v1/push/TOKEN?status=1&msg=OK&ping=12`. Only the status 0 is down; any word is up
//! there.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, compact};
use super::request::CompatRequest;
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde_json::json;
use std::borrow::Cow;

/// Its push URLs.
pub struct Peekaping;

fn token<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    request.token("/api/v1/push/", 1..=128)
}

impl CompatDialect for Peekaping {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "HEAD") && token(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        token(request).map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let id = token(request).unwrap_or_default();
        let status = if request.parameter("status").as_deref() == Some("0") { "fail" } else { "ok" };
        let message = request.parameter("msg").filter(|message| message != "OK");
        Ok(vec![beat_for(id).with("status", Some(status)).with("message", message).by_secret()])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        // A text, not a truth value.
        compact(200, &json!({ "ok": "true" }))
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        let wrong = |status, reason: &str| compact(status, &json!({ "message": reason }));
        match why {
            CompatRefusal::Invalid(error) => wrong(400, &error.reason),
            CompatRefusal::Unknown | CompatRefusal::Credential => {
                wrong(404, "Monitor not found for pushToken")
            }
        }
    }
}
