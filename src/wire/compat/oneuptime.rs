//! OneUptime's incoming requests: `/heartbeat/SECRET` and `/incoming-request/SECRET`, answered with nothing.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, text};
use super::request::CompatRequest;
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use std::borrow::Cow;

/// Its incoming requests.
pub struct OneUptime;

fn secret<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    ["/heartbeat/", "/incoming-request/"].iter().find_map(|prefix| request.token(prefix, 1..=128))
}

impl CompatDialect for OneUptime {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "HEAD" | "POST") && secret(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        secret(request).map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let id = secret(request).unwrap_or_default();
        Ok(vec![beat_for(id).with_body(request.body).by_secret()])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(_) => text(400, "Invalid Secret Key"),
            CompatRefusal::Unknown | CompatRefusal::Credential => text(404, "Monitor not found"),
        }
    }
}
