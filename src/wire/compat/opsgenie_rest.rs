//! Opsgenie's REST API of heartbeats: `/v2/heartbeats`, as its SDKs and Terraform use it.
//!
//! A heartbeat is a monitor of its name, its `alertTags` are the labels and `enabled` is that it is not paused. What a monitor
//! has no place for (description, team, priority and text of the alert) is answered with Opsgenie's defaults.

use super::dialect::compact;
use super::request::CompatRequest;
use super::request::word;
use super::wish::{CompatFound, CompatManager, CompatWish};
use crate::domain::id::Id;
use crate::domain::limits::{TAG_BYTES_MAX, TAGS_MAX};
use crate::domain::notice::State;
use crate::domain::registry::{Declaration, Snapshot};
use crate::domain::time::Span;
use crate::wire::answer::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

/// The API.
pub struct OpsgenieRest;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HeartbeatBody {
    name: Option<String>,
    interval: Option<u64>,
    interval_unit: Option<String>,
    enabled: Option<bool>,
    alert_tags: Option<Vec<String>>,
}

/// What a path asks for.
enum OpsgenieResource<'a> {
    All,
    One(&'a str),
    Enable(&'a str, bool),
}

fn resource<'a>(request: &CompatRequest<'a>) -> Option<OpsgenieResource<'a>> {
    if matches!(request.path, "/v2/heartbeats" | "/v2/heartbeats/") {
        return Some(OpsgenieResource::All);
    }
    match request.words("/v2/heartbeats/")?[..] {
        [name] => Some(OpsgenieResource::One(name)),
        [name, "enable"] => Some(OpsgenieResource::Enable(name, true)),
        [name, "disable"] => Some(OpsgenieResource::Enable(name, false)),
        _ => None,
    }
}

/// `requestId` of an answer: any that looks like one will do, as nobody can ask for it here.
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";
const HEADERS: &[(&str, &str)] =
    &[("x-request-id", REQUEST_ID), ("x-response-time", "0.001"), ("x-ratelimit-state", "OK")];

pub(super) fn said(status: u16, mut body: Value) -> Answer {
    body["took"] = json!(0.001);
    body["requestId"] = REQUEST_ID.into();
    Answer { more: HEADERS, ..compact(status, &body) }
}

fn wrong(field: &str, reason: &str) -> Answer {
    said(
        422,
        json!({ "message": "Request body is not processable. Please check the errors.", "code": 42201, "errors": { field: reason } }),
    )
}

fn id_of(name: &str) -> Result<Id, Answer> {
    Id::new(name).map_err(|error| wrong("name", &error.to_string()))
}

impl HeartbeatBody {
    fn declaration(&self) -> Result<Declaration, Answer> {
        let unit = match self.interval_unit.as_deref() {
            Some("minutes") => Some(60),
            Some("hours") => Some(3_600),
            Some("days") => Some(86_400),
            Some(_) => return Err(wrong("intervalUnit", "must be one of [minutes, hours, days]")),
            None => None,
        };
        let interval = match (self.interval, unit) {
            (None, _) => None,
            (Some(0), _) => return Err(wrong("interval", "must be at least 1")),
            (Some(count), unit) => {
                let seconds =
                    count.checked_mul(unit.unwrap_or(60)).filter(|seconds| *seconds <= 366 * 86_400);
                Some(Span::secs(seconds.ok_or_else(|| wrong("interval", "must be at most 366 days"))?))
            }
        };
        let fits =
            |tag: &&String| (1..=TAG_BYTES_MAX).contains(&tag.len()) && !tag.chars().any(char::is_control);
        let tags =
            self.alert_tags.as_ref().map(|tags| tags.iter().filter(fits).take(TAGS_MAX).cloned().collect());
        Ok(Declaration { interval, tags, ..Declaration::default() })
    }
}

/// The interval in the largest unit that says it whole.
fn interval(span: Span) -> (u64, &'static str) {
    let minutes = span.as_secs_ceil().div_ceil(60);
    match minutes {
        minutes if minutes % 1440 == 0 && minutes > 0 => (minutes / 1440, "days"),
        minutes if minutes % 60 == 0 && minutes > 0 => (minutes / 60, "hours"),
        minutes => (minutes, "minutes"),
    }
}

fn short(monitor: &Snapshot) -> Value {
    json!({
        "name": monitor.id,
        "enabled": monitor.state != State::Paused,
        "expired": monitor.state == State::Down,
    })
}

fn whole(monitor: &Snapshot) -> Value {
    let (count, unit) = interval(monitor.interval);
    let mut value = short(monitor);
    value["description"] = "".into();
    value["interval"] = count.into();
    value["intervalUnit"] = unit.into();
    value["ownerTeam"] = json!({});
    value["alertTags"] = json!(monitor.tags);
    value["alertPriority"] = "P3".into();
    value["alertMessage"] = format!("{} is expired", monitor.id).into();
    if let Some(at) = monitor.last_beat {
        value["lastPingTime"] = at.rfc3339().into();
    }
    value
}

impl CompatManager for OpsgenieRest {
    fn changes(&self, request: &CompatRequest<'_>) -> Option<bool> {
        match (resource(request)?, request.method) {
            (OpsgenieResource::All | OpsgenieResource::One(_), "GET" | "HEAD") => Some(false),
            (OpsgenieResource::All | OpsgenieResource::Enable(..), "POST")
            | (OpsgenieResource::One(_), "PATCH" | "DELETE") => Some(true),
            _ => None,
        }
    }

    fn wish(&self, request: &CompatRequest<'_>) -> Result<CompatWish, Answer> {
        let body = || -> Result<HeartbeatBody, Answer> {
            let unreadable =
                |_| said(400, json!({ "message": "Could not parse request body", "code": 40001 }));
            serde_json::from_slice(request.body).map_err(unreadable)
        };
        Ok(match (resource(request), request.method) {
            (Some(OpsgenieResource::Enable(name, is_on)), _) => {
                CompatWish::Enable(id_of(&word(name))?, is_on)
            }
            (Some(OpsgenieResource::One(name)), "PATCH") => {
                let (id, body) = (id_of(&word(name))?, body()?);
                CompatWish::Declare {
                    id,
                    declaration: body.declaration()?,
                    is_enabled: body.enabled,
                    is_new: false,
                }
            }
            (Some(OpsgenieResource::One(name)), "DELETE") => CompatWish::Remove(id_of(&word(name))?),
            (Some(OpsgenieResource::One(name)), _) => CompatWish::Show(id_of(&word(name))?),
            (_, "POST") => {
                let body = body()?;
                let id = id_of(body.name.as_deref().unwrap_or_default())?;
                CompatWish::Declare {
                    id,
                    declaration: body.declaration()?,
                    is_enabled: body.enabled,
                    is_new: true,
                }
            }
            _ => CompatWish::List,
        })
    }

    fn answer(&self, request: &CompatRequest<'_>, found: &CompatFound) -> Answer {
        match (found, request.method) {
            (CompatFound::All(all), _) => {
                said(200, json!({ "data": { "heartbeats": all.iter().map(whole).collect::<Vec<_>>() } }))
            }
            (CompatFound::One(monitor), "GET" | "HEAD") => said(200, json!({ "data": whole(monitor) })),
            (CompatFound::One(monitor), "POST")
                if matches!(resource(request), Some(OpsgenieResource::All)) =>
            {
                said(201, json!({ "result": "Heartbeat is created", "data": short(monitor) }))
            }
            (CompatFound::One(monitor), _) => {
                said(200, json!({ "result": "Heartbeat is updated", "data": short(monitor) }))
            }
            (CompatFound::Removed, _) => said(200, json!({ "result": "Deleted" })),
            (CompatFound::Unknown, _) => {
                said(404, json!({ "message": "Heartbeat does not exist", "code": 40401 }))
            }
            (CompatFound::Exists, _) => {
                said(409, json!({ "message": "Heartbeat with this name already exists", "code": 40901 }))
            }
            (CompatFound::Configured, _) => said(
                403,
                json!({ "message": "The configuration declares this monitor: change it there", "code": 40301 }),
            ),
        }
    }
}
