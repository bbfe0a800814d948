//! What is answered to everything that is not a beat: which path means what, who may, and who answers it.
//!
//! A request is looked at twice. [`admit`] judges it by its head alone: is there such a path, does it take the method,
//! may its sender. Only then is a body read, where one is wanted, and [`answer`] does what is asked. Whatever may wait for
//! a disk or looks at every monitor is done on a thread that has the time ([`aside`]).

mod alerts;
mod events;
pub(super) mod foreign;
mod incidents;
mod listing;
mod monitors;
mod pages;
mod pieces;
mod reply;
mod request;
mod service;

use crate::domain::access::{AccessRefusal, Permission, Shown};
use crate::domain::address::Peer;
use crate::domain::policy::Policy;
use crate::sys::clock;
use crate::transport::http::beats::{check_host, client_of};
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::head::Facts;
use crate::wire::origin::is_cross_site;
use crate::wire::url_beat::{self, UrlBeat};
pub use events::{BodyStream, Broken};
pub use reply::RouteReply;
pub use request::{Caller, Pass, RouteRequest, VERSION};
use std::sync::Arc;

/// What a path stands for; ids and names in it are still percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// The page of all monitors.
    Page,
    /// The page of one.
    MonitorPage(&'a str),
    /// The script of both.
    Script,
    /// A badge.
    Badge(&'a str),
    /// Beats, which are taken elsewhere: here for its other methods.
    Beats,
    /// A beat as a URL: the same.
    UrlBeat,
    /// WebSockets, which are opened elsewhere: the same.
    Socket,
    /// All monitors.
    Monitors,
    /// One.
    Monitor(&'a str),
    /// Sets one aside.
    Pause(&'a str),
    /// Ends that.
    Resume(&'a str),
    /// All incidents.
    Incidents,
    /// Says that one is known.
    Acknowledge(&'a str),
    /// What was told and is to be told.
    Alerts,
    /// Sends a test to a notifier.
    TestAlert(&'a str),
    /// The daemon as a whole.
    Status,
    /// What happens, as it happens.
    Events,
    /// The API, described.
    OpenApi,
    /// Metrics.
    Metrics,
    /// Whether we live.
    Healthz,
    /// Whether we take beats.
    Readyz,
}

const READ: &str = "GET, HEAD";
/// Where a WebSocket is always opened; at `/` it is when that is asked for.
pub const SOCKET_PATH: &str = "/ws";

impl<'a> Route<'a> {
    /// The route of a path.
    pub fn of(path: &'a str) -> Option<Route<'a>> {
        Some(match path {
            "/" => Route::Page,
            "/page.js" => Route::Script,
            "/api/v1/beats" => Route::Beats,
            SOCKET_PATH => Route::Socket,
            "/api/v1/monitors" => Route::Monitors,
            "/api/v1/incidents" => Route::Incidents,
            "/api/v1/alerts" => Route::Alerts,
            "/api/v1/status" => Route::Status,
            "/api/v1/events" => Route::Events,
            "/api/v1/openapi.json" => Route::OpenApi,
            "/metrics" => Route::Metrics,
            "/healthz" => Route::Healthz,
            "/readyz" => Route::Readyz,
            _ => return Route::with_name(path),
        })
    }

    fn with_name(path: &'a str) -> Option<Route<'a>> {
        let one = |name: &'a str| Some(name).filter(|name| !name.is_empty() && !name.contains('/'));
        // Ids may hold slashes, plain or encoded. A last word that is an action is never taken for part of an id: there
        // the slash before it must be encoded.
        let id = |name: &'a str| Some(name).filter(|name| !name.is_empty());
        if let Some(rest) = path.strip_prefix("/api/v1/monitors/") {
            return match rest.rsplit_once('/') {
                Some((name, "pause")) => id(name).map(Route::Pause),
                Some((name, "resume")) => id(name).map(Route::Resume),
                _ => id(rest).map(Route::Monitor),
            };
        }
        if let Some(rest) = path.strip_prefix("/api/v1/incidents/") {
            return one(rest.strip_suffix("/acknowledge")?).map(Route::Acknowledge);
        }
        if let Some(rest) = path.strip_prefix("/api/v1/alerts/test/") {
            return one(rest).map(Route::TestAlert);
        }
        if let Some(rest) = path.strip_prefix("/monitors/") {
            return id(rest).map(Route::MonitorPage);
        }
        if UrlBeat::of(path, "").is_some() {
            return Some(Route::UrlBeat);
        }
        id(path.strip_prefix("/badge/")?.strip_suffix(".svg")?).map(Route::Badge)
    }

    /// The methods it takes, as `Allow` names them.
    pub fn allow(self) -> &'static str {
        match self {
            Route::Page => "GET, HEAD, POST",
            Route::Socket => "GET",
            Route::UrlBeat => url_beat::METHODS,
            Route::Beats
            | Route::Pause(_)
            | Route::Resume(_)
            | Route::Acknowledge(_)
            | Route::TestAlert(_) => "POST",
            Route::Monitor(_) => "GET, HEAD, PUT, DELETE",
            _ => READ,
        }
    }

    /// What it takes to ask for it; `None`: every client may.
    fn permission(self, method: &str) -> Option<Permission> {
        match self {
            // Asked by balancers and probes that hold no token, and tells of no monitor; nor does the script.
            Route::Healthz | Route::Readyz | Route::Script => None,
            _ if matches!(method, "GET" | "HEAD") => Some(Permission::Read),
            _ => Some(Permission::Admin),
        }
    }
}

/// A request that may be answered.
pub struct Admitted<'a> {
    route: Route<'a>,
    /// The client, as trusted proxies say.
    pub client: Peer,
    /// Whether a body belongs to it.
    pub takes_body: bool,
    /// By what its sender is judged again, where the answer goes on and on.
    pass: Option<Pass>,
}

/// Judges a request by its head.
pub fn admit<'a>(
    context: &ListenerContext,
    policy: &Policy,
    caller: Caller,
    request: &RouteRequest<'a>,
) -> Result<Admitted<'a>, Answer> {
    let Some(route) = Route::of(request.path) else {
        return Err(Answer::error(
            404,
            "no such path; see / for people and /api/v1/openapi.json for programs",
        ));
    };
    let allow = route.allow();
    if !allow.split(", ").any(|method| method == request.method) {
        return Err(Answer::method_not_allowed(allow));
    }
    let takes_body = matches!(request.method, "PUT" | "POST");
    let mut pass = None;
    let Some(permission) = route.permission(request.method) else {
        return Ok(Admitted { route, client: caller.peer(), takes_body, pass });
    };
    let client = admit_permission(context, policy, caller, request.facts, permission)?;
    if let (Route::Events, Caller::Network(_)) = (route, caller) {
        pass = Some(Pass { client, shown: Shown::of(request.facts.bearer()) });
    }
    Ok(Admitted { route, client, takes_body, pass })
}

/// Judges by a head whether its sender may do something other than bring beats; the client.
pub fn admit_permission(
    context: &ListenerContext,
    policy: &Policy,
    caller: Caller,
    facts: &Facts<'_>,
    permission: Permission,
) -> Result<Peer, Answer> {
    // At the control socket no peer is a trusted proxy, and no browser comes there.
    let (proxies, peer) = (&context.options.proxies, caller.peer());
    if permission == Permission::Admin && is_cross_site(proxies, peer, facts) {
        return Err(Answer::error(403, "a page of another site may change nothing: Origin is not Host"));
    }
    let client = match caller {
        Caller::Control => return Ok(peer),
        Caller::Stranger => return Err(Caller::refused()),
        Caller::Network(peer) => client_of(context, peer, facts)?,
    };
    check_host(context, policy, peer, facts, permission == Permission::Admin && facts.origin.is_some())?;
    let Err(why) = policy.access.check(permission, client, facts.bearer()) else { return Ok(client) };
    // A browser asks without one first; that is no guess.
    if let (AccessRefusal::Token(key), Some(_)) = (why, facts.bearer()) {
        context.engine.note_wrong_token(clock::now(), key, client);
    }
    Err(match why {
        AccessRefusal::Token(key)
            if permission == Permission::Admin && policy.access.admin_tokens.is_empty() =>
        {
            let reason = format!("no token for this is configured ({key}); or use the control socket");
            Answer::forbidden(&reason, key)
        }
        _ => Answer::denied(why, &client.to_string()),
    })
}

/// Answers a request that was admitted.
pub async fn answer(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    admitted: Admitted<'_>,
    request: &RouteRequest<'_>,
    body: &[u8],
) -> RouteReply {
    let changes = !matches!(request.method, "GET" | "HEAD");
    let answer = match admitted.route {
        Route::Page => return pages::all(context, policy, admitted.client, request).await,
        Route::MonitorPage(id) => pages::one(context, policy, id, request).await,
        Route::Script => pages::script(),
        Route::Badge(id) => pages::badge(context, policy, id, request).await,
        // Whoever brings beats is not sent here.
        Route::Beats | Route::UrlBeat | Route::Socket => Answer::method_not_allowed(admitted.route.allow()),
        Route::Monitors => return monitors::list(context, policy, admitted.client, request).await,
        Route::Monitor(id) if request.method == "PUT" => monitors::declare(context, id, body).await,
        Route::Monitor(id) if changes => monitors::remove(context, id).await,
        Route::Monitor(id) => monitors::one(context, id).await,
        Route::Pause(id) => monitors::pause(context, id, body).await,
        Route::Resume(id) => monitors::resume(context, id).await,
        Route::Incidents => return incidents::list(context, policy, admitted.client, request).await,
        Route::Acknowledge(id) => incidents::acknowledge(context, id).await,
        Route::Alerts => return alerts::list(context, policy, admitted.client, request).await,
        Route::TestAlert(name) => alerts::test(context, policy.lang, name).await,
        Route::Status => service::status(context),
        Route::Events if request.method == "HEAD" => events::head(),
        Route::Events => {
            return match events::open(context, policy, admitted.client, request, admitted.pass) {
                Ok(events) => RouteReply::BodyStream(events::head(), events),
                Err(refused) => RouteReply::Whole(refused),
            };
        }
        Route::OpenApi => service::openapi(),
        Route::Metrics => service::metrics_text(context, request),
        Route::Healthz => service::alive(),
        Route::Readyz => service::ready(context),
    };
    RouteReply::Whole(answer)
}

impl Answer {
    /// With the headers of data: nothing is guessed about it, and it is asked for anew.
    fn with_data_headers(self) -> Answer {
        Answer { more: DATA_HEADERS, ..self }
    }
}

const DATA_HEADERS: &[(&str, &str)] = &[("cache-control", "no-cache"), ("x-content-type-options", "nosniff")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_they_look_like_and_nothing_else_is() {
        for (path, route) in [
            ("/", Route::Page),
            ("/monitors/web-1", Route::MonitorPage("web-1")),
            ("/badge/web-1.svg", Route::Badge("web-1")),
            ("/badge/a.svg.svg", Route::Badge("a.svg")),
            ("/badge/ns/pod.svg", Route::Badge("ns/pod")),
            ("/monitors/ns/pod", Route::MonitorPage("ns/pod")),
            ("/api/v1/monitors/ns/pod", Route::Monitor("ns/pod")),
            ("/api/v1/monitors/ns/pod/pause", Route::Pause("ns/pod")),
            ("/api/v1/monitors/ns%2Fpod/resume", Route::Resume("ns%2Fpod")),
            ("/api/v1/monitors/ns%2Fpause", Route::Monitor("ns%2Fpause")),
            ("/api/v1/monitors/a/pause/", Route::Monitor("a/pause/")),
            ("/api/v1/monitors/a/x", Route::Monitor("a/x")),
            ("/api/v1/monitors/a%2Fb", Route::Monitor("a%2Fb")),
            ("/api/v1/monitors/pause", Route::Monitor("pause")),
            ("/api/v1/monitors/x/pause", Route::Pause("x")),
            ("/api/v1/monitors/x/resume", Route::Resume("x")),
            ("/api/v1/incidents/7-3/acknowledge", Route::Acknowledge("7-3")),
            ("/api/v1/alerts/test/ops", Route::TestAlert("ops")),
            ("/ping/backup", Route::UrlBeat),
            ("/ping/ns/pod/fail", Route::UrlBeat),
        ] {
            assert_eq!(Route::of(path), Some(route), "{path}");
        }
        for path in [
            "",
            "//",
            "/x",
            "/monitors",
            "/monitors/",
            "/badge/a",
            "/badge/.svg",
            "/badge/a.svg/",
            "/api/v1/monitors/",
            "/api/v1/incidents/1-2",
            "/api/v1/incidents//acknowledge",
            "/api/v1/incidents/1/2/acknowledge",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn the_description_of_the_api_has_every_path_and_method() {
        let document: serde_json::Value = serde_json::from_str(&crate::view::openapi::document("0")).unwrap();
        let paths = document["paths"].as_object().unwrap();
        for (path, item) in paths {
            let example = path.replace("{id}", "x-1").replace("{name}", "ops").replace("{status}", "fail");
            let route = Route::of(&example).unwrap_or_else(|| panic!("{path} leads nowhere"));
            let mut methods: Vec<String> =
                item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
            methods.retain(|m| !matches!(m.as_str(), "PARAMETERS" | "DESCRIPTION" | "HEAD"));
            let mut allowed: Vec<&str> = route.allow().split(", ").filter(|m| *m != "HEAD").collect();
            methods.sort();
            allowed.sort();
            assert_eq!(methods, allowed, "{path}");
        }
        let routes = 22;
        assert_eq!(paths.len(), routes, "a path is missing, or this number is old");
    }
}
