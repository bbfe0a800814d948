//! Honeybadger's check-ins: `/v1/check_in/ID` or `/v1/check_in/PROJECT_KEY/SLUG`, alone or with JSON that says how it went.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, error, text};
use super::request::{CompatRequest, is_token, word};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// Its check-ins.
pub struct Honeybadger;

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckInBody {
    check_in: CheckInReport,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckInReport {
    status: Option<String>,
    stdout: Option<String>,
    stderr: Option<String>,
    /// A number, or the same as a text.
    exit_code: Value,
}

/// The project's key and the name.
fn parts<'a>(request: &CompatRequest<'a>) -> Option<(Option<&'a str>, &'a str)> {
    match request.words("/v1/check_in/")?[..] {
        [id] if is_token(id, 1..=128) => Some((None, id)),
        [key, slug] if is_token(key, 1..=128) && !slug.is_empty() => Some((Some(key), slug)),
        _ => None,
    }
}

impl CompatDialect for Honeybadger {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "GET" | "HEAD" | "POST") && parts(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        parts(request).map(|(key, name)| Cow::Borrowed(key.unwrap_or(name)))
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let (key, name) = parts(request).unwrap_or_default();
        let body = match request.body.trim_ascii() {
            b"" => CheckInBody::default(),
            // Who says how it went may say that it failed.
            json => serde_json::from_slice(json).map_err(|_| error(422, "invalid check_in"))?,
        };
        let CheckInReport { status, stdout, stderr, exit_code } = body.check_in;
        let code = match &exit_code {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        let status: Option<Cow<'a, str>> = match (status.as_deref(), code) {
            (Some("error"), None | Some(0)) => Some("fail".into()),
            (_, Some(code)) => Some(code.to_string().into()),
            _ => None,
        };
        let output = [stdout, stderr].into_iter().flatten().collect::<Vec<_>>().join("\n");
        let beat = beat_for(word(name)).with("status", status).with("message", Some(output));
        Ok(vec![CompatBeat { is_name_secret: key.is_none(), ..beat }])
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "OK")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(wrong) => error(422, &wrong.reason),
            CompatRefusal::Unknown | CompatRefusal::Credential => error(404, "Not Found"),
        }
    }
}
