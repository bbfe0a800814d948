//! Prometheus' Pushgateway: `PUT` or `POST /metrics/job/JOB{/LABEL/VALUE}`. A push is a sign of life of its group; the metrics
//! themselves are not kept, nor is anything read of the body, packed or not. The monitor of a group is `JOB`, or
//! `JOB/LABEL=VALUE` with all its labels.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for, text};
use super::request::{CompatRequest, fitting_id, word};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Its pushes.
pub struct Pushgateway;

/// Labels of a group that are looked at.
const LABELS_MAX: usize = 32;

fn is_probe(request: &CompatRequest<'_>) -> bool {
    matches!(request.path, "/-/healthy" | "/-/ready") && matches!(request.method, "GET" | "HEAD")
}

/// The value of a label, whose name says whether it is coded.
fn value(name: &str, coded: &str) -> Result<String, Answer> {
    if !name.ends_with("@base64") {
        return Ok(word(coded).into_owned());
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(coded.trim_end_matches('='));
    bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        text(400, format!("error decoding base64 for label {:?}", name.trim_end_matches("@base64")))
    })
}

/// The name of a group.
fn group(path: &str) -> Result<String, Answer> {
    let rest = path.strip_prefix("/metrics/").unwrap_or_default();
    let words: Vec<&str> = rest.strip_suffix('/').unwrap_or(rest).split('/').collect();
    let (Some(first), rest) = (words.get(..2), words.get(2..).unwrap_or_default()) else {
        return Err(text(400, "job name is required"));
    };
    let job = value(first[0], first[1])?;
    if job.is_empty() {
        return Err(text(400, "job name is required"));
    }
    if rest.len() % 2 != 0 {
        return Err(text(400, format!("odd number of components in label string {:?}", rest.join("/"))));
    }
    let mut name = job.replace('/', "_");
    for pair in rest.chunks_exact(2).take(LABELS_MAX) {
        let label = pair[0].trim_end_matches("@base64");
        let is_name = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if label.is_empty() || !is_name || label.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(text(400, format!("improper label name {label:?}")));
        }
        let value = value(pair[0], pair[1])?;
        // An empty label is none.
        if !value.is_empty() {
            name.push_str(&format!("/{label}={}", value.replace('/', "_")));
        }
    }
    Ok(fitting_id(&name))
}

impl CompatDialect for Pushgateway {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        let is_push =
            request.path.starts_with("/metrics/job/") || request.path.starts_with("/metrics/job@base64/");
        is_push && matches!(request.method, "PUT" | "POST" | "DELETE") || is_probe(request)
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<std::borrow::Cow<'a, str>> {
        request.basic_password().map(Into::into)
    }

    fn takes_packed(&self) -> bool {
        true
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        if is_probe(request) {
            return Err(text(200, "OK"));
        }
        let name = group(request.path)?;
        // What is taken away is no sign of life.
        if request.method == "DELETE" { Err(text(202, "")) } else { Ok(vec![beat_for(name)]) }
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(error) => text(400, error.reason.clone()),
            CompatRefusal::Unknown => text(404, "404 page not found"),
            CompatRefusal::Credential => text(401, "Unauthorized"),
        }
    }
}
