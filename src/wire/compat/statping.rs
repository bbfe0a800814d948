//! Statping's check-ins: `/checkin/API_KEY`, by any method.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, compact};
use super::request::CompatRequest;
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde_json::json;
use std::borrow::Cow;

/// Its check-ins.
pub struct Statping;

fn key<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    request.token("/checkin/", 1..=128)
}

impl CompatDialect for Statping {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        key(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        key(request).map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        Ok(vec![beat_for(key(request).unwrap_or_default()).by_secret()])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        compact(200, &json!({ "status": "success", "type": "checkin", "method": "update", "id": 1 }))
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        let wrong = |status, reason: &str| compact(status, &json!({ "status": "error", "error": reason }));
        match why {
            CompatRefusal::Invalid(error) => wrong(422, &error.reason),
            CompatRefusal::Unknown | CompatRefusal::Credential => wrong(404, "checkin not found"),
        }
    }
}
