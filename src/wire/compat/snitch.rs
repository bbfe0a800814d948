//! Dead Man's Snitch: `/TOKEN`, with a message `m` and an exit status `s` in the query or in a form. Its clients have the
//! host nosnch.in built in.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, text};
use super::request::CompatRequest;
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use std::borrow::Cow;

/// Its check-ins.
pub struct DeadMansSnitch;

fn token<'a>(request: &CompatRequest<'a>) -> Option<&'a str> {
    request.token("/", 6..=64)
}

impl CompatDialect for DeadMansSnitch {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "HEAD" | "POST") && token(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        token(request).map(Cow::Borrowed)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let id = token(request).unwrap_or_default();
        let exit = request.parameter_or_form("s").filter(|status| !status.is_empty());
        // Anything but a good status is an error at once, a word too.
        let exit = exit.map(|status| if status.parse::<i64>().is_ok() { status } else { "fail".into() });
        let beat = beat_for(id).with("status", exit).with("message", request.parameter_or_form("m"));
        Ok(vec![beat.by_secret()])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(202, "Got it, thanks!")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(error) => text(400, error.reason.clone()),
            CompatRefusal::Unknown | CompatRefusal::Credential => text(404, "Snitch not found"),
        }
    }
}
