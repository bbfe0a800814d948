//! Dialects of other heartbeat services over HTTP: their clients need nothing but another host name.
//!
//! A dialect turns a request into beats and what became of them into the answer of its service, and knows nothing of who
//! may send or how a beat is kept. [`TABLE`] is the one list of them. Which one a request is in is said by its path alone,
//! so the body of a stranger is never judged as a beat of ours.

mod alertmanager;
mod better_stack;
mod cronitor;
mod gatus;
mod healthchecks;
mod heartbeat_sh;
mod honeybadger;
mod kener;
mod kuma;
mod nrdp;
mod oncall;
mod oneuptime;
mod opsgenie;
mod opsgenie_rest;
mod peekaping;
mod pushgateway;
mod request;
mod sentry;
mod snitch;
mod statping;
mod wish;

pub use request::CompatRequest;
pub use wish::{CompatFound, CompatManager, CompatWish};

use super::answer::{Answer, JSON, TEXT};
use super::fields::{BeatError, Fields};
use super::url_beat::put_message;
use crate::domain::compat::CompatPolicy;
use crate::domain::registry::Receipt;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Beats that one request may bring in a dialect; more are left.
pub const COMPAT_BEATS_MAX: usize = 1000;

/// How one service is spoken to.
pub trait CompatDialect: Sync {
    /// Whether a request is in it, by its method, its path and its query.
    fn claims(&self, request: &CompatRequest<'_>) -> bool;

    /// The secret that it shows, where one of `access.beat_tokens` is needed.
    fn credential<'a>(&self, _: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        None
    }

    /// Whether that stands in its body, which is then read before its sender is judged by it.
    fn shows_credential_in_body(&self, _: &CompatRequest<'_>) -> bool {
        false
    }

    /// Whether its bodies may be packed.
    fn takes_packed(&self) -> bool {
        false
    }

    /// The part of it that asks for monitors and changes them, where it has one.
    fn manager(&self) -> Option<&'static dyn CompatManager> {
        None
    }

    /// Its beats; an answer where it brings none, be it wrong or not.
    ///
    /// # Errors
    /// That answer.
    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer>;

    /// What is answered when beats of it were taken.
    fn taken(&self, request: &CompatRequest<'_>, receipts: &[Receipt]) -> Answer;

    /// What is answered when none was.
    fn refused(&self, request: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer;
}

/// A beat as a dialect tells it.
#[derive(Debug, Default)]
pub struct CompatBeat<'a> {
    /// What it says.
    pub fields: Fields<'a>,
    /// The name it is for is also the secret that admits it, and is not shown where secrets are asked for.
    pub is_name_secret: bool,
    /// Its monitor is wanted, so that it is made in strict mode too.
    pub creates: bool,
}

/// Why no beat was taken, where the service has words of its own for it.
#[derive(Debug)]
pub enum CompatRefusal<'a> {
    /// It is wrong.
    Invalid(&'a BeatError),
    /// There is no such monitor, and none is made.
    Unknown,
    /// The secret is missing, or not known.
    Credential,
}

/// A dialect in the table.
pub struct CompatEntry {
    /// Its key in `[compat]`.
    pub name: &'static str,
    /// Whether it is spoken where the configuration does not say.
    pub is_default: bool,
    /// It takes paths right below the root, where all others come first.
    pub owns_root: bool,
    /// The dialect.
    pub dialect: &'static dyn CompatDialect,
}

const fn on(name: &'static str, dialect: &'static dyn CompatDialect) -> CompatEntry {
    CompatEntry { name, is_default: true, owns_root: false, dialect }
}

const fn at_root(name: &'static str, dialect: &'static dyn CompatDialect) -> CompatEntry {
    CompatEntry { name, is_default: false, owns_root: true, dialect }
}

/// All dialects. Of two that take a path the first has it.
pub static TABLE: &[CompatEntry] = &[
    on("healthchecks", &healthchecks::Healthchecks { prefix: "/ping/" }),
    on("uptime_kuma", &kuma::UptimeKuma),
    on("gatus", &gatus::Gatus),
    on("cronitor", &cronitor::Cronitor),
    on("opsgenie", &opsgenie::Opsgenie),
    on("sentry", &sentry::Sentry),
    on("alertmanager", &alertmanager::AlertWebhook { path: "/alertmanager" }),
    on("grafana", &alertmanager::AlertWebhook { path: "/grafana" }),
    on("pushgateway", &pushgateway::Pushgateway),
    on("better_stack", &better_stack::BetterStack),
    on("kener", &kener::Kener),
    on("oneuptime", &oneuptime::OneUptime),
    on("peekaping", &peekaping::Peekaping),
    on("statping", &statping::Statping),
    on("honeybadger", &honeybadger::Honeybadger),
    on("heartbeat_sh", &heartbeat_sh::HeartbeatSh),
    on("oncall", &oncall::OnCall),
    on("nrdp", &nrdp::Nrdp),
    at_root("healthchecks_hosted", &healthchecks::Healthchecks { prefix: "/" }),
    at_root("dead_mans_snitch", &snitch::DeadMansSnitch),
    at_root("cronitor_legacy", &cronitor::CronitorLegacy),
];

/// A request in a dialect that is spoken.
#[derive(Clone, Copy)]
pub struct Spoken<'a> {
    /// The dialect.
    pub dialect: &'static dyn CompatDialect,
    /// The request.
    pub request: CompatRequest<'a>,
    /// Whether a key that is not known is refused.
    pub is_strict: bool,
}

/// The dialect that a request is in: of those at the root, or of the others. `host` is the name it came under.
pub fn find<'a>(
    policy: &CompatPolicy,
    request: CompatRequest<'a>,
    host: Option<&[u8]>,
    at_root: bool,
) -> Option<Spoken<'a>> {
    TABLE.iter().filter(|entry| entry.owns_root == at_root).find_map(|entry| {
        if !entry.dialect.claims(&request) {
            return None;
        }
        let (is_on, is_strict) = match policy.of(entry.name) {
            Some(switch) => (switch.is_on_for(host), switch.is_strict),
            None => (entry.is_default, false),
        };
        is_on.then_some(Spoken { dialect: entry.dialect, request, is_strict })
    })
}

/// A text for an answer.
fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Answer {
    let body: Cow<'static, [u8]> = match body.into() {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    };
    Answer::new(status, TEXT, body)
}

/// JSON as services write it, without a line feed behind it.
fn compact(status: u16, value: &Value) -> Answer {
    Answer::new(status, JSON, value.to_string().into_bytes())
}

/// `{"error": …}` in JSON.
fn error(status: u16, reason: &str) -> Answer {
    compact(status, &json!({ "error": reason }))
}

/// A beat for a monitor.
fn beat_for<'a>(id: impl Into<Cow<'a, str>>) -> CompatBeat<'a> {
    let mut beat = CompatBeat::default();
    beat.fields.put("id", id);
    beat
}

impl<'a> CompatBeat<'a> {
    /// With a field, where there is something to say.
    fn with(mut self, name: &str, value: Option<impl Into<Cow<'a, str>>>) -> CompatBeat<'a> {
        if let Some(value) = value.map(Into::into).filter(|value| !value.is_empty()) {
            self.fields.put(name, value);
        }
        self
    }

    /// With a body for the message.
    fn with_body(mut self, body: &'a [u8]) -> CompatBeat<'a> {
        put_message(&mut self.fields, body);
        self
    }

    /// Its name is its secret.
    fn by_secret(self) -> CompatBeat<'a> {
        CompatBeat { is_name_secret: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn request<'a>(method: &'a str, path: &'a str, query: &'a str) -> CompatRequest<'a> {
        CompatRequest { method, path, query, headers: &[], body: b"", at: Default::default() }
    }

    #[test]
    fn names_are_unique_and_what_owns_the_root_is_off() {
        let names: BTreeSet<&str> = TABLE.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.iter().all(|entry| entry.is_default != entry.owns_root));
    }

    #[test]
    fn no_dialect_takes_what_is_ours() {
        let policy = CompatPolicy::default();
        for path in [
            "/",
            "/ping/backup",
            "/ping/backup/fail",
            "/ping/ns/pod",
            "/ping/0123456789abcdef0123456789abcdef/x/y/z",
            "/api/v1/beats",
            "/api/v1/monitors",
            "/api/v1/monitors/a/pause",
            "/metrics",
            "/healthz",
            "/ws",
            "/badge/a.svg",
            "/monitors/a",
            "/api/v1/events",
            "/api/v1/status",
        ] {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
                assert!(
                    find(&policy, request(method, path, "status=up"), None, false).is_none(),
                    "{method} {path}"
                );
            }
        }
    }

    #[test]
    fn a_name_that_is_a_secret_can_be_hidden() {
        let id = |secret: &str| {
            let mut beat = beat_for(secret.to_string());
            beat.fields.hide_id();
            beat.fields.beat().unwrap().id.unwrap().as_str().to_string()
        };
        let [one, other] = ["abcdef0123456789-1", "abcdef0123456789-2"].map(id);
        assert!(one.starts_with("abcdef-") && one.len() == 15 && one != other, "{one} {other}");
    }
}
