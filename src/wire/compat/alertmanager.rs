//! Webhooks of Prometheus' Alertmanager and of Grafana: `/alertmanager` and `/grafana`, each with an id behind it or not.
//!
//! An alert that fires is a sign of life: of the monitor in the path, else of one named by its labels, so that the Watchdog
//! of each cluster is a monitor of its own. One that is resolved is none.

use super::dialect::{COMPAT_BEATS_MAX, CompatBeat, CompatDialect, CompatRefusal, beat_for, error, text};
use super::request::{CompatRequest, fitting_id, word};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The webhook of one of them.
pub struct AlertWebhook {
    /// Its path.
    pub path: &'static str,
}

#[derive(Deserialize)]
struct WebhookBody {
    status: String,
    #[serde(default)]
    alerts: Vec<WebhookAlert>,
    #[serde(default, rename = "externalURL")]
    external_url: String,
}

#[derive(Deserialize)]
struct WebhookAlert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl AlertWebhook {
    /// The id in the path, empty where there is none.
    fn id<'a>(&self, request: &CompatRequest<'a>) -> Option<&'a str> {
        let rest = request.path.strip_prefix(self.path)?;
        match rest.strip_prefix('/') {
            Some(id) => Some(id.strip_suffix('/').unwrap_or(id)),
            None => rest.is_empty().then_some(""),
        }
    }
}

impl WebhookAlert {
    /// The name of its monitor: what it is called, and where it comes from.
    fn name(&self, external_url: &str) -> String {
        let label = |name: &str| self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let whence = ["cluster", "prometheus", "namespace"].into_iter().find_map(label);
        let host = || external_url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let name = label("alertname").unwrap_or("alert");
        match whence.or_else(host).filter(|whence| !whence.is_empty()) {
            Some(whence) => fitting_id(&format!("{name}@{whence}")),
            None => fitting_id(name),
        }
    }
}

impl CompatDialect for AlertWebhook {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        matches!(request.method, "POST" | "PUT") && self.id(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        request.basic_password().map(Cow::Owned)
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let id = self.id(request).unwrap_or_default();
        let body = serde_json::from_slice::<WebhookBody>(request.body);
        let beats: Vec<CompatBeat<'a>> = match (body, id) {
            // The body may be a template of somebody's own, so what cannot be read is a sign of life too.
            (Err(_), "") => return Err(error(400, "no webhook of an alert manager, and no id in the path")),
            (Err(_), id) => vec![beat_for(word(id))],
            (Ok(body), "") => {
                let firing = body.alerts.iter().filter(|alert| alert.status == "firing");
                let names: std::collections::BTreeSet<String> =
                    firing.map(|alert| alert.name(&body.external_url)).collect();
                names.into_iter().take(COMPAT_BEATS_MAX).map(beat_for).collect()
            }
            (Ok(body), id) if body.status == "firing" => vec![beat_for(word(id))],
            (Ok(_), _) => Vec::new(),
        };
        if beats.is_empty() { Err(text(200, "OK")) } else { Ok(beats) }
    }

    fn taken(&self, _: &CompatRequest<'_>, _: &[Receipt]) -> Answer {
        text(200, "OK")
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(wrong) => error(400, &wrong.reason),
            CompatRefusal::Unknown => error(404, "not found"),
            CompatRefusal::Credential => error(401, "unauthorized"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_request_brings_so_many_beats_and_no_more() {
        let alerts: Vec<_> = (0..=COMPAT_BEATS_MAX)
            .map(|n| json!({ "status": "firing", "labels": { "alertname": format!("a{n}") } }))
            .collect();
        let body = json!({ "status": "firing", "alerts": alerts }).to_string();
        let (path, body) = ("/alertmanager", body.as_bytes());
        let request =
            CompatRequest { method: "POST", path, query: "", headers: &[], body, at: Default::default() };
        let beats = AlertWebhook { path }.read(&request).unwrap();
        assert_eq!(beats.len(), COMPAT_BEATS_MAX);
    }
}
