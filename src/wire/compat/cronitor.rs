//! Cronitor's telemetry: `/p/API_KEY/KEY[/STATE]`, the same below `/ping/` with `state=` or `stamp=` in the query, as its
//! command line and its package for Node send it, and the legacy `/CODE/STATE` without an account.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, text};
use super::request::{CompatRequest, fitting_id, is_token, is_uuid, word};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use std::borrow::Cow;

/// Telemetry of an account.
pub struct Cronitor;

/// Telemetry without an account.
pub struct CronitorLegacy;

const STATES: [&str; 6] = ["run", "complete", "fail", "ok", "tick", "pause"];

/// The API key, the monitor's key and the state in the path.
fn parts<'a>(request: &CompatRequest<'a>) -> Option<(&'a str, &'a str, Option<&'a str>)> {
    let read = |words: &[&'a str]| match *words {
        [api, key] if is_token(api, 8..=64) && !key.is_empty() => Some((api, key, None)),
        [api, key, state] if is_token(api, 8..=64) && !key.is_empty() && STATES.contains(&state) => {
            Some((api, key, Some(state)))
        }
        _ => None,
    };
    if let Some(words) = request.words("/p/") {
        return read(&words);
    }
    // Here a beat of our own has the same shape, and so has one of Healthchecks; only the query tells them apart.
    let is_told = |name: &str| request.parameter(name).is_some();
    let found = request.words("/ping/").and_then(|words| read(&words));
    found.filter(|(api, ..)| !is_uuid(api) && (is_told("state") || is_told("stamp")))
}

fn legacy<'a>(request: &CompatRequest<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let is_code = |code: &str| is_token(code, 3..=12) && !code.contains(['-', '_']);
    match request.words("/")?[..] {
        [code] if is_code(code) && request.parameter("state").is_some() => Some((code, None)),
        [code, state] if is_code(code) && STATES.contains(&state) => Some((code, Some(state))),
        _ => None,
    }
}

/// A beat of what the query says.
fn beat<'a>(
    request: &CompatRequest<'a>,
    key: &'a str,
    state: Option<&'a str>,
) -> Result<CompatBeat<'a>, Answer> {
    let asked = request.parameter("state").filter(|state| !state.is_empty());
    let state = state.map(Cow::Borrowed).or(asked.map(Cow::Owned));
    let code = request.parameter("status_code").filter(|code| code.parse::<i64>().is_ok());
    let status: Cow<'a, str> = match state.as_deref() {
        Some("run") => "start".into(),
        Some("fail") => code.filter(|code| code != "0").map_or("fail".into(), Cow::Owned),
        Some("complete") => code.filter(|code| code == "0").map_or("ok".into(), Cow::Owned),
        None | Some("ok" | "tick") => "ok".into(),
        Some("pause") => return Err(text(200, "OK")),
        Some(_) => return Err(text(400, "Invalid state")),
    };
    let message = request.parameter("message").or_else(|| request.parameter("msg"));
    let beat = beat_for(fitting_id(&word(key))).with("status", Some(status)).with("message", message);
    Ok(beat.with("rid", request.parameter("series")).with("ts", request.parameter("stamp")))
}

fn refused(why: &CompatRefusal<'_>) -> Answer {
    match why {
        CompatRefusal::Invalid(error) => text(400, error.reason.clone()),
        CompatRefusal::Unknown => text(404, "Not Found"),
        CompatRefusal::Credential => text(403, "Forbidden"),
    }
}

impl CompatDialect for Cronitor {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        parts(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        parts(request).map(|(api, ..)| Cow::Borrowed(api))
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let (_, key, state) = parts(request).ok_or_else(|| text(404, "Not Found"))?;
        beat(request, key, state).map(|beat| vec![beat])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "OK")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        refused(why)
    }
}

impl CompatDialect for CronitorLegacy {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        legacy(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        let shown = request.parameter("auth_key").map(Cow::Owned);
        shown.or_else(|| legacy(request).map(|(code, _)| Cow::Borrowed(code)))
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let (code, state) = legacy(request).ok_or_else(|| text(404, "Not Found"))?;
        let is_named = request.parameter("auth_key").is_some();
        beat(request, code, state).map(|beat| vec![CompatBeat { is_name_secret: !is_named, ..beat }])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "OK")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        refused(why)
    }
}
