//! Opsgenie's heartbeats: `/v2/heartbeats/NAME/ping`, with the key in any of the four ways in which clients show it, and the
//! older `POST /v1/json/heartbeat/send` with name and key in its body. The API that manages them is in `opsgenie_rest`.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, beat_for};
use super::opsgenie_rest::{OpsgenieRest, said};
use super::request::{CompatRequest, word};
use super::wish::CompatManager;
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;

/// Its heartbeats.
pub struct Opsgenie;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SendBody {
    api_key: Option<String>,
    name: Option<String>,
}

/// What a path asks for.
enum OpsgenieCall<'a> {
    Ping(&'a str),
    Send,
}

fn asked<'a>(request: &CompatRequest<'a>) -> Option<OpsgenieCall<'a>> {
    if let Some(words) = request.words("/v2/heartbeats/") {
        return match words[..] {
            [name, "ping"] if !name.is_empty() => Some(OpsgenieCall::Ping(name)),
            _ => None,
        };
    }
    let is_send = request.words("/v1/json/heartbeat/").is_some_and(|words| *words == ["send"]);
    is_send.then_some(OpsgenieCall::Send)
}

fn send_body(request: &CompatRequest<'_>) -> SendBody {
    serde_json::from_slice(request.body).unwrap_or_default()
}

impl CompatDialect for Opsgenie {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        match asked(request) {
            Some(OpsgenieCall::Ping(_)) => {
                matches!(request.method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH")
            }
            Some(OpsgenieCall::Send) => request.method == "POST",
            None => OpsgenieRest.changes(request).is_some(),
        }
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        let header = request.authorization("geniekey").map(Cow::Borrowed);
        let basic = || request.basic_password().map(Cow::Owned);
        let query = || request.parameter("apiKey").map(Cow::Owned);
        let body = || send_body(request).api_key.map(Cow::Owned);
        header.or_else(basic).or_else(query).or_else(body)
    }

    fn manager(&self) -> Option<&'static dyn CompatManager> {
        Some(&OpsgenieRest)
    }

    fn shows_credential_in_body(&self, request: &CompatRequest<'_>) -> bool {
        matches!(asked(request), Some(OpsgenieCall::Send))
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        match asked(request) {
            // The body is not looked at: some clients send alerts with it.
            Some(OpsgenieCall::Ping(name)) => Ok(vec![beat_for(word(name))]),
            _ => match send_body(request).name {
                Some(name) => Ok(vec![beat_for(name)]),
                None => Err(said(
                    400,
                    json!({ "message": "Could not parse request: name is missing", "code": 40001 }),
                )),
            },
        }
    }

    fn taken(&self, request: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        match asked(request) {
            Some(OpsgenieCall::Ping(_)) => said(202, json!({ "result": "PONG - Heartbeat received" })),
            _ => said(200, json!({ "status": "successful", "code": 200 })),
        }
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(error) => said(422, json!({ "message": error.reason, "code": 42201 })),
            CompatRefusal::Unknown => {
                said(404, json!({ "message": "Heartbeat does not exist", "code": 40401 }))
            }
            CompatRefusal::Credential => said(
                401,
                json!({ "message": "Could not authenticate: API key is missing or wrong", "code": 40101 }),
            ),
        }
    }
}
