//! Sentry's check-ins of cron jobs: `/api/PROJECT/cron/SLUG[/KEY]` in query or JSON, and envelopes, of whose items the
//! check-ins are taken and everything else is thrown away.
//!
//! The monitor is the slug, of an environment other than production `SLUG/ENVIRONMENT`. A schedule by intervals that comes
//! with it is taken for its interval; one of a crontab is not, since a beat cannot bring one.

use super::dialect::{COMPAT_BEATS_MAX, CompatBeat, CompatDialect, CompatRefusal, beat_for, compact, text};
use super::request::{CompatRequest, fitting_id, is_uuid, word};
use crate::domain::limits::{INTERVAL_MAX, INTERVAL_MIN, PACKED_BYTES_MAX};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::Read;

/// Its check-ins.
pub struct Sentry;

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckIn {
    check_in_id: Option<String>,
    monitor_slug: Option<String>,
    status: Option<String>,
    environment: Option<String>,
    monitor_config: Option<MonitorConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MonitorConfig {
    schedule: Value,
    /// Minutes.
    checkin_margin: Value,
}

#[derive(Deserialize)]
struct ItemHeader {
    #[serde(rename = "type")]
    kind: String,
    length: Option<usize>,
}

/// What a path asks for.
enum SentryEndpoint<'a> {
    Cron { slug: &'a str, key: Option<&'a str> },
    Envelope,
}

fn endpoint<'a>(request: &CompatRequest<'a>) -> Option<SentryEndpoint<'a>> {
    let words = request.words("/api/")?;
    let is_project = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    match words[..] {
        [project, "cron", slug] if is_project(project) && !slug.is_empty() => {
            Some(SentryEndpoint::Cron { slug, key: None })
        }
        [project, "cron", slug, key] if is_project(project) && !slug.is_empty() => {
            Some(SentryEndpoint::Cron { slug, key: Some(key) })
        }
        [project, "envelope"] if is_project(project) => Some(SentryEndpoint::Envelope),
        _ => None,
    }
}

fn wrong(status: u16, detail: &str) -> Answer {
    compact(status, &json!({ "detail": detail }))
}

impl CheckIn {
    /// As a beat; `None` where there is nothing to be told of.
    fn beat<'a>(self, slug: &str) -> CompatBeat<'a> {
        let name = match self.environment.as_deref() {
            None | Some("" | "production") => fitting_id(slug),
            Some(environment) => fitting_id(&format!("{slug}/{}", environment.replace('/', "_"))),
        };
        let status = match self.status.as_deref() {
            Some("ok") => "ok",
            Some("in_progress") => "start",
            Some("error") => "fail",
            // Sentry keeps other words as unknown, which is neither.
            _ => "log",
        };
        // The nil id means the latest run, and so does none.
        let rid = self.check_in_id.filter(|id| id.bytes().any(|b| !matches!(b, b'0' | b'-')));
        let beat = beat_for(name).with("status", Some(status)).with("rid", rid);
        let config = self.monitor_config.as_ref();
        // What a monitor cannot be held to is no reason to lose the beat.
        let (least, most) = (INTERVAL_MIN.as_secs_f64(), INTERVAL_MAX.as_secs_f64());
        let interval = config.and_then(|config| seconds_of(&config.schedule));
        let interval = interval.filter(|seconds| (least..=most).contains(seconds));
        let margin = config.and_then(|config| config.checkin_margin.as_f64()).filter(|_| interval.is_some());
        let margin = margin.map(|minutes| minutes * 60.0).filter(|seconds| (0.0..=most).contains(seconds));
        let [interval, margin] = [interval, margin].map(|seconds| seconds.map(|seconds| seconds.to_string()));
        let beat = beat.with("interval", interval).with("grace", margin);
        CompatBeat { creates: self.monitor_config.is_some(), ..beat }
    }
}

/// The seconds of a schedule by intervals.
fn seconds_of(schedule: &Value) -> Option<f64> {
    let unit = match schedule["unit"].as_str()? {
        "minute" => 60.0,
        "hour" => 3_600.0,
        "day" => 86_400.0,
        "week" => 7.0 * 86_400.0,
        "month" => 31.0 * 86_400.0,
        "year" => 366.0 * 86_400.0,
        _ => return None,
    };
    (schedule["type"] == "interval").then(|| schedule["value"].as_f64().map(|count| count * unit))?
}

/// The body as it was before it was packed.
fn unpacked<'a>(request: &CompatRequest<'a>) -> Result<Cow<'a, [u8]>, Answer> {
    match request.header("content-encoding") {
        None | Some("" | "identity") => Ok(request.body.into()),
        Some("gzip") => {
            let mut whole = Vec::new();
            let most = PACKED_BYTES_MAX as u64 + 1;
            let read = MultiGzDecoder::new(request.body).take(most).read_to_end(&mut whole);
            if read.is_err() {
                return Err(wrong(400, "invalid gzip body"));
            }
            if whole.len() > PACKED_BYTES_MAX {
                Err(wrong(413, "envelope exceeded size limits"))
            } else {
                Ok(whole.into())
            }
        }
        Some(_) => Err(wrong(415, "only gzip is unpacked here")),
    }
}

/// The check-ins among the items of an envelope.
fn check_ins(mut rest: &[u8]) -> Vec<CheckIn> {
    let mut found = Vec::new();
    next_line(&mut rest);
    while !rest.is_empty() && found.len() < COMPAT_BEATS_MAX {
        let header = next_line(&mut rest);
        if header.trim_ascii().is_empty() {
            continue;
        }
        let Ok(ItemHeader { kind, length }) = serde_json::from_slice(header) else { break };
        let payload = match length {
            Some(length) => {
                let (payload, after) = rest.split_at(length.min(rest.len()));
                rest = after.strip_prefix(b"\n").unwrap_or(after);
                payload
            }
            None => next_line(&mut rest),
        };
        if kind == "check_in" {
            found.extend(serde_json::from_slice::<CheckIn>(payload));
        }
    }
    found
}

fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    line
}

impl CompatDialect for Sentry {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        match endpoint(request) {
            Some(SentryEndpoint::Cron { .. }) => matches!(request.method, "GET" | "HEAD" | "POST"),
            Some(SentryEndpoint::Envelope) => request.method == "POST",
            None => false,
        }
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        if let Some(SentryEndpoint::Cron { key: Some(key), .. }) = endpoint(request) {
            return Some(key.into());
        }
        let header = request.header("x-sentry-auth").or_else(|| request.header("authorization"));
        let header = header.and_then(|value| {
            let fields = value.strip_prefix("Sentry ")?.split(',').map(str::trim);
            fields.filter_map(|field| field.strip_prefix("sentry_key=")).next()
        });
        header.map(Cow::Borrowed).or_else(|| request.parameter("sentry_key").map(Cow::Owned))
    }

    fn takes_packed(&self) -> bool {
        true
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let body = unpacked(request)?;
        let Some(SentryEndpoint::Cron { slug, .. }) = endpoint(request) else {
            let beats = check_ins(&body).into_iter().filter_map(|mut check_in| {
                let slug = check_in.monitor_slug.take()?;
                Some(check_in.beat(&slug))
            });
            let beats: Vec<CompatBeat<'a>> = beats.collect();
            return if beats.is_empty() { Err(compact(200, &json!({}))) } else { Ok(beats) };
        };
        let mut check_in = match body.trim_ascii() {
            b"" => CheckIn::default(),
            json => serde_json::from_slice(json).map_err(|_| wrong(400, "invalid check-in payload"))?,
        };
        let asked = |own: &mut Option<String>, name: &str| {
            if own.is_none() {
                *own = request.parameter(name).filter(|value| !value.is_empty());
            }
        };
        asked(&mut check_in.status, "status");
        asked(&mut check_in.check_in_id, "check_in_id");
        asked(&mut check_in.environment, "environment");
        if check_in.status.is_none() {
            return Err(wrong(400, "missing status"));
        }
        let is_id = |id: &str| is_uuid(id) || id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if check_in.check_in_id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(wrong(400, "invalid check_in_id"));
        }
        Ok(vec![check_in.beat(&word(slug))])
    }

    fn taken(&self, request: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        match endpoint(request) {
            Some(SentryEndpoint::Envelope) => compact(200, &json!({})),
            _ => text(202, ""),
        }
    }

    fn refused(&self, request: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match (why, endpoint(request)) {
            (CompatRefusal::Credential, _) if self.credential(request).is_none() => {
                wrong(401, "missing authorization information")
            }
            (CompatRefusal::Credential, _) => wrong(403, "bad sentry DSN public key"),
            // The rest of it was thrown away, and its sender would only send it again.
            (_, Some(SentryEndpoint::Envelope)) => compact(200, &json!({})),
            (CompatRefusal::Invalid(error), _) => wrong(400, &error.reason),
            (CompatRefusal::Unknown, _) => wrong(404, "monitor not found"),
        }
    }
}
