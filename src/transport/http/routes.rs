//! What is answered to everything that is not a beat: which path means what, who may, and who answers it.
//!
//! A request is looked at twice. [`admit`] judges it by its head alone: is there such a path, does it take the method,
//! may its sender. Only then is a body read, where one is wanted, and [`answer`] does what is asked. Whatever may wait for
//! a disk or looks at every monitor is done on a thread that has the time ([`aside`]).

mod alerts;
mod events;
mod incidents;
mod listing;
mod monitors;
mod pages;
mod pieces;
mod service;

use crate::domain::access::{Denied, Shown, Wish};
use crate::domain::address::Peer;
use crate::domain::id::{Id, IdError, IdRef};
use crate::domain::lang::Lang;
use crate::domain::policy::Policy;
use crate::domain::time::Span;
use crate::engine::Engine;
use crate::store::StoreError;
use crate::sys::clock;
use crate::sys::sockets::control;
use crate::transport::budget::ShedSignal;
use crate::transport::conversation::ws::WebSocketOpening;
use crate::transport::http::beats::{check_host, client_of};
use crate::transport::listener_context::{ListenerContext, Trust};
use crate::wire::answer::Answer;
use crate::wire::control::Wrong;
use crate::wire::head::Facts;
use crate::wire::origin::is_cross_site;
pub use events::{Broken, Flow};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// The version that pages, metrics and `--version` show.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is asked.
pub struct Question<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as it was sent.
    pub path: &'a str,
    /// What stood behind `?`.
    pub query: &'a str,
    /// `Accept`.
    pub accept: &'a str,
    /// `Accept-Language`.
    pub language: &'a str,
    /// What else the head says.
    pub facts: &'a Facts<'a>,
    /// How its connection learns that it holds most.
    pub shed: &'a Arc<ShedSignal>,
}

/// Who was let in for longer than a moment, and what was shown.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Who it is, as proxies say that are believed.
    pub client: Peer,
    /// What he has shown.
    pub shown: Shown,
}

/// What is answered.
pub enum Reply {
    /// A whole answer.
    Whole(Answer),
    /// The head of an answer, and a body that is made as it is sent: a stream of events, a long list.
    Flow(Answer, Flow),
    /// A WebSocket, and what its handshake is answered.
    Socket(String, WebSocketOpening),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody whose right networks and tokens decide.
    Guest(Peer),
    /// Root or our own user at the control socket.
    Master,
    /// Anybody else there.
    Intruder,
}

impl Visitor {
    /// Who has come through a listener. `uid` is asked for only where it matters.
    pub fn of(context: &ListenerContext, peer: Peer, uid: impl FnOnce() -> Option<u32>) -> Visitor {
        match context.trust {
            Trust::Network => Visitor::Guest(peer),
            Trust::Control if control::may_control(uid()) => Visitor::Master,
            Trust::Control => Visitor::Intruder,
        }
    }

    /// Where it comes from itself, whomever it may speak for.
    fn peer(self) -> Peer {
        match self {
            Visitor::Guest(peer) => peer,
            Visitor::Master | Visitor::Intruder => Peer::Unix,
        }
    }

    /// What an intruder is told.
    pub fn shown_out() -> Answer {
        Answer::forbidden("the control socket is for root and the user of the service", "control.socket")
            .closing()
    }
}

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
        id(path.strip_prefix("/badge/")?.strip_suffix(".svg")?).map(Route::Badge)
    }

    /// The methods it takes, as `Allow` names them.
    pub fn allow(self) -> &'static str {
        match self {
            Route::Page => "GET, HEAD, POST",
            Route::Socket => "GET",
            Route::Beats
            | Route::Pause(_)
            | Route::Resume(_)
            | Route::Acknowledge(_)
            | Route::TestAlert(_) => "POST",
            Route::Monitor(_) => "GET, HEAD, PUT, DELETE",
            _ => READ,
        }
    }

    /// What somebody wants who asks for it; `None`: what everybody may.
    fn wish(self, method: &str) -> Option<Wish> {
        match self {
            // Asked by balancers and probes that hold no token, and says nothing about anybody; nor does the script.
            Route::Healthz | Route::Readyz | Route::Script => None,
            _ if matches!(method, "GET" | "HEAD") => Some(Wish::Read),
            _ => Some(Wish::Admin),
        }
    }
}

/// A question that may be answered.
pub struct Admitted<'a> {
    route: Route<'a>,
    /// Who asks, as far as it is known whom proxies speak for.
    pub client: Peer,
    /// Whether a body belongs to it.
    pub takes_body: bool,
    /// By what its sender is judged again, where the answer goes on and on.
    pass: Option<Pass>,
}

/// Judges a question by its head.
pub fn admit<'a>(
    context: &ListenerContext,
    policy: &Policy,
    visitor: Visitor,
    question: &Question<'a>,
) -> Result<Admitted<'a>, Answer> {
    let Some(route) = Route::of(question.path) else {
        return Err(Answer::error(
            404,
            "no such path; see / for people and /api/v1/openapi.json for programs",
        ));
    };
    let allow = route.allow();
    if !allow.split(", ").any(|method| method == question.method) {
        return Err(Answer::method_not_allowed(allow));
    }
    let takes_body = matches!(question.method, "PUT" | "POST");
    let mut pass = None;
    let Some(wish) = route.wish(question.method) else {
        return Ok(Admitted { route, client: visitor.peer(), takes_body, pass });
    };
    // At the control socket nobody is believed to be a proxy, and no browser comes there.
    let (proxies, peer) = (&context.options.proxies, visitor.peer());
    if wish == Wish::Admin && is_cross_site(proxies, peer, question.facts) {
        return Err(Answer::error(403, "a page of another site may change nothing: Origin is not Host"));
    }
    let mut client = visitor.peer();
    match visitor {
        Visitor::Master => {}
        Visitor::Intruder => return Err(Visitor::shown_out()),
        Visitor::Guest(peer) => {
            client = client_of(context, peer, question.facts)?;
            let by_page = wish == Wish::Admin && question.facts.origin.is_some();
            check_host(context, policy, peer, question.facts, by_page)?;
            let may = policy.access.check(wish, client, question.facts.bearer());
            if let Err(why) = may {
                // A browser asks without one first; that is nobody's mistake.
                if let (Denied::Token(key), Some(_)) = (why, question.facts.bearer()) {
                    context.engine.note_wrong_token(clock::now(), key, client);
                }
                return Err(match why {
                    Denied::Token(key) if wish == Wish::Admin && policy.access.admin_tokens.is_empty() => {
                        Answer::forbidden(
                            &format!("no token for this is configured ({key}); or use the control socket"),
                            key,
                        )
                    }
                    _ => Answer::denied(why, &client.to_string()),
                });
            }
            if route == Route::Events {
                pass = Some(Pass { client, shown: Shown::of(question.facts.bearer()) });
            }
        }
    }
    Ok(Admitted { route, client, takes_body, pass })
}

/// Answers a question that was admitted.
pub async fn answer(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    admitted: Admitted<'_>,
    question: &Question<'_>,
    body: &[u8],
) -> Reply {
    let changes = !matches!(question.method, "GET" | "HEAD");
    let answer = match admitted.route {
        Route::Page => return pages::all(context, policy, admitted.client, question).await,
        Route::MonitorPage(id) => pages::one(context, policy, id, question).await,
        Route::Script => pages::script(),
        Route::Badge(id) => pages::badge(context, policy, id, question).await,
        // Whoever brings beats is not sent here.
        Route::Beats | Route::Socket => Answer::method_not_allowed(admitted.route.allow()),
        Route::Monitors => return monitors::list(context, policy, admitted.client, question).await,
        Route::Monitor(id) if question.method == "PUT" => monitors::declare(context, id, body).await,
        Route::Monitor(id) if changes => monitors::remove(context, id).await,
        Route::Monitor(id) => monitors::one(context, id).await,
        Route::Pause(id) => monitors::pause(context, id, body).await,
        Route::Resume(id) => monitors::resume(context, id).await,
        Route::Incidents => return incidents::list(context, policy, admitted.client, question).await,
        Route::Acknowledge(id) => incidents::acknowledge(context, id).await,
        Route::Alerts => return alerts::list(context, policy, admitted.client, question).await,
        Route::TestAlert(name) => alerts::test(context, name).await,
        Route::Status => service::status(context),
        Route::Events if question.method == "HEAD" => events::head(),
        Route::Events => {
            return match events::open(context, policy, admitted.client, question, admitted.pass) {
                Ok(events) => Reply::Flow(events::head(), events),
                Err(refused) => Reply::Whole(refused),
            };
        }
        Route::OpenApi => service::openapi(),
        Route::Metrics => service::metrics_text(context, question),
        Route::Healthz => service::alive(),
        Route::Readyz => service::ready(context),
    };
    Reply::Whole(answer)
}

impl Answer {
    /// With the headers of data: nothing is guessed about it, and it is asked for anew.
    fn with_data_headers(self) -> Answer {
        Answer { more: DATA_HEADERS, ..self }
    }
}

const DATA_HEADERS: &[(&str, &str)] = &[("cache-control", "no-cache"), ("x-content-type-options", "nosniff")];

/// A 400 for what is wrong in a question or a wish.
fn wrong(wrong: &Wrong) -> Answer {
    Answer::wrong(400, &wrong.reason, wrong.field)
}

/// A 503 for what the store would not say or keep.
fn store_failed(error: &StoreError) -> Answer {
    Answer::unavailable(error.said(Lang::En).told(), Span::secs(5))
}

/// An id as it stands in a path: percent-decoded once.
fn id_in_path(context: &ListenerContext, coded: &str) -> Result<Id, Answer> {
    let Ok(text) = percent_decode_str(coded).decode_utf8() else {
        return Err(Answer::wrong(400, "not UTF-8 once percent-decoded", Some("id")));
    };
    id_of(&context.engine, &text).map_err(|error| Answer::wrong(400, &error.to_string(), Some("id")))
}

/// The id that is meant by a text: composed, unless an earlier version made a monitor that is not.
fn id_of(engine: &Engine, text: &str) -> Result<Id, IdError> {
    match IdRef::new(text) {
        Ok(id) if engine.get(id).is_some() => Ok(id.to_id()),
        _ => Id::new(text),
    }
}

fn no_such_monitor(id: &str) -> Answer {
    Answer::wrong(404, &format!("no such monitor: {id}"), Some("id"))
}

/// Does something on a thread that may wait.
async fn aside<T: Send + 'static>(
    context: &ListenerContext,
    work: impl FnOnce(&Engine) -> T + Send + 'static,
) -> Result<T, Answer> {
    let engine = context.engine.clone();
    let done = tokio::task::spawn_blocking(move || work(&engine)).await;
    done.map_err(|_| Answer::unavailable("the server is stopping, or failed at this", Span::secs(5)))
}

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
            let example = path.replace("{id}", "x-1").replace("{name}", "ops");
            let route = Route::of(&example).unwrap_or_else(|| panic!("{path} leads nowhere"));
            let mut methods: Vec<String> =
                item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
            methods.retain(|m| m != "PARAMETERS" && m != "HEAD");
            let mut allowed: Vec<&str> = route.allow().split(", ").filter(|m| *m != "HEAD").collect();
            methods.sort();
            allowed.sort();
            assert_eq!(methods, allowed, "{path}");
        }
        let routes = 20;
        assert_eq!(paths.len(), routes, "a path is missing, or this number is old");
    }
}
