//! Dialects of other heartbeat services over HTTP: their clients need nothing but another host name.
//!
//! A dialect turns a request into beats and what became of them into the answer of its service, and knows nothing of who
//! may send or how a beat is kept. [`TABLE`] is the one list of them. Which one a request is in is said by its path alone,
//! so the body of a stranger is never judged as a beat of ours.

mod alertmanager;
mod better_stack;
mod cronitor;
mod dialect;
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

pub use dialect::{COMPAT_BEATS_MAX, CompatBeat, CompatDialect, CompatRefusal};
pub use request::CompatRequest;
pub use wish::{CompatFound, CompatManager, CompatWish};

use crate::domain::compat::CompatPolicy;

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
    // Before Healthchecks: its keys may look like those, and its query tells them apart.
    on("cronitor", &cronitor::Cronitor),
    on("healthchecks", &healthchecks::Healthchecks { prefix: "/ping/" }),
    on("uptime_kuma", &kuma::UptimeKuma),
    on("gatus", &gatus::Gatus),
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

#[cfg(test)]
mod tests {
    use super::dialect::beat_for;
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
            "/ping/kube-system-production/etcd",
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
        assert!(id("-bcdef0123456789").starts_with("_bcdef-"));
    }
}
