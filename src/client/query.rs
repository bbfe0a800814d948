//! Queries and orders about monitors: list, pause, resume, remove, and what `show` shares with them.
//!
//! This machine's own server is asked over its control socket where that is permitted (root and the server's user), which
//! needs no token; every other server over HTTP. For a URL of TCP or WebSocket it is the HTTP address of the same host.

use super::cli::{ListArgs, MonitorArgs, MonitorFilter, PauseArgs};
use super::config::ClientSettings;
use super::error::{ClientError, EX_NOINPUT, EX_NOPERM};
use super::http::{ApiReply, ApiRequest, no_answer, not_ours, request};
use super::pages::Pages;
use super::sanitize;
use super::send::{all_of, any_of};
use super::server_url::{Endpoint, ServerProtocol, ServerUrl};
use super::table::{MonitorLine, TableStyle};
use super::{complain, print};
use crate::config::Env;
use crate::i18n::{self, Text};
use crate::sys::clock;
use bytes::Bytes;
use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What stands in a URL as it is (RFC 3986, 2.3).
pub const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Monitors asked for at once.
const PAGE: usize = 1000;
/// How long a server may take to answer before the next is asked as well.
const PATIENCE: Duration = Duration::from_secs(1);
/// The default ports of a server.
const USUAL_PORTS: [(ServerProtocol, u16); 2] = [(ServerProtocol::Http, 7777), (ServerProtocol::Tcp, 7778)];

/// `heartbeat list`.
pub async fn list(settings: &ClientSettings, list: &ListArgs) -> Result<u8, ClientError> {
    let settings = &api_settings(settings).await;
    let mut all = Vec::new();
    let mut pages = Pages::default();
    let query = MonitorQuery { filter: &list.filter, limit: PAGE };
    loop {
        let reply = query.fetch(settings, pages.after.as_deref()).await?;
        let page = if list.json { reply.raw_json(&settings.to) } else { reply.json(&settings.to) }?;
        match list.json {
            true => print_json(&page, pages.rows == 0)?,
            false => all.extend(read_monitors(&page, settings)?),
        }
        let rows = page.get("monitors").and_then(Value::as_array).map_or(0, Vec::len);
        // The cursor is opaque and is sent back unchanged.
        let next = reply.raw_json(&settings.to)?.get("next").and_then(Value::as_str).map(String::from);
        if !pages.turn(rows, next, &settings.to)? {
            break;
        }
    }
    if list.json {
        return print("]}\n").map(|()| 0);
    }
    if all.is_empty() {
        complain(i18n::client::NO_MONITOR_FITS.in_lang(settings.lang));
        return Ok(0);
    }
    let mut text = table_style(settings).table(&all, None).join("\n");
    text.push('\n');
    print(&text).map(|()| 0)
}

/// Prints the monitors of a page as a part of one list.
fn print_json(page: &Value, first: bool) -> Result<(), ClientError> {
    let monitors = page.get("monitors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut text = String::from(if first { "{\"monitors\":[" } else { "" });
    for (number, monitor) in monitors.iter().enumerate() {
        text += if first && number == 0 { "" } else { "," };
        text += "\n";
        text += &monitor.to_string();
    }
    print(&sanitize::json(&text))
}

/// A query for monitors, the worst first.
#[derive(Clone, Copy, Debug)]
pub struct MonitorQuery<'a> {
    /// Which.
    pub filter: &'a MonitorFilter,
    /// The length of a page.
    pub limit: usize,
}

impl MonitorQuery<'_> {
    /// The page behind a cursor.
    pub async fn fetch(
        self,
        settings: &ClientSettings,
        after: Option<&str>,
    ) -> Result<ApiReply, ClientError> {
        let mut path = format!("/api/v1/monitors?sort=state&limit={}", self.limit);
        let MonitorFilter { state, matching } = self.filter;
        for (name, value) in [("state", state.as_deref()), ("match", matching.as_deref()), ("after", after)] {
            if let Some(value) = value {
                path += &format!("&{name}={}", utf8_percent_encode(value, PLAIN));
            }
        }
        request_ok(settings, ApiRequest::get(path)).await
    }
}

/// The monitors of a page.
pub fn read_monitors(page: &Value, settings: &ClientSettings) -> Result<Vec<MonitorLine>, ClientError> {
    let rows = page.get("monitors").map(Vec::<MonitorLine>::deserialize);
    rows.and_then(Result::ok).ok_or_else(|| not_ours(&settings.to, i18n::client::LIST_HOLDS_NO_MONITORS))
}

/// `heartbeat pause`.
pub async fn pause(settings: &ClientSettings, pause: &PauseArgs) -> Result<u8, ClientError> {
    let query = pause.span.map_or_else(|| json!({}), |span| json!({ "for": span.to_string() }));
    let (settings, monitor) =
        send_order(settings, Method::POST, pause.id.as_str(), "/pause", Some(query)).await?;
    let (id, style) = (pause.id.as_str(), table_style(&settings));
    let until = monitor.get("paused_until").and_then(Value::as_str).map(|until| style.stamp(until));
    let said = match until {
        Some(until) => i18n::client::paused_until(&id, &until),
        None => i18n::client::paused_until_resumed(&id),
    };
    print(said.say(style.lang)).map(|()| 0)
}

/// `heartbeat resume`.
pub async fn resume(settings: &ClientSettings, named: &MonitorArgs) -> Result<u8, ClientError> {
    let (settings, monitor) = send_order(settings, Method::POST, named.id.as_str(), "/resume", None).await?;
    let (id, style) = (named.id.as_str(), table_style(&settings));
    let state = style.state(monitor.get("state").and_then(Value::as_str).unwrap_or_default());
    print(&i18n::client::no_longer_paused(&id, &state).in_lang(style.lang)).map(|()| 0)
}

/// `heartbeat remove`.
pub async fn remove(settings: &ClientSettings, named: &MonitorArgs) -> Result<u8, ClientError> {
    let (settings, _) = send_order(settings, Method::DELETE, named.id.as_str(), "", None).await?;
    let id = named.id.as_str();
    print(&i18n::client::removed(&id).in_lang(settings.lang)).map(|()| 0)
}

/// Sends an order about a monitor to each server, for each judges by itself; the state afterwards at the first that has
/// followed it, `null` where it is removed. Who has not is said on standard error.
///
/// # Errors
/// When none has.
async fn send_order(
    settings: &ClientSettings,
    method: Method,
    id: &str,
    what: &str,
    body: Option<Value>,
) -> Result<(ClientSettings, Value), ClientError> {
    let body: Option<Bytes> = body.map(|body| body.to_string().into());
    let to_server = |one: ClientSettings| {
        let (id, order) = (
            id.to_string(),
            ApiRequest { method: method.clone(), path: path_of(id, what), body: body.clone() },
        );
        async move {
            let one = api_of(&one).await;
            let reply = request_monitor(&one, &id, order).await?;
            let monitor = if reply.body.is_empty() { Value::Null } else { reply.json(&one.to)? };
            Ok((one, monitor))
        }
    };
    let followed = all_of(settings.per_server().into_iter().map(to_server)).await;
    let followed = any_of(followed, settings.lang)?.into_iter().next();
    followed.ok_or_else(|| no_answer(&settings.to, i18n::client::CONNECTION_LOST))
}

/// The path of a monitor in the API, with what follows it.
pub fn path_of(id: &str, what: &str) -> String {
    format!("/api/v1/monitors/{}{what}", utf8_percent_encode(id, PLAIN))
}

/// The answer about a monitor.
pub async fn request_monitor(
    settings: &ClientSettings,
    id: &str,
    question: ApiRequest,
) -> Result<ApiReply, ClientError> {
    let to = &settings.to;
    request_ok(settings, question).await.map_err(|failure| match failure.exit_code {
        EX_NOINPUT => ClientError::new(EX_NOINPUT, i18n::client::no_such_monitor(to, &id)),
        _ => failure,
    })
}

/// The answer if its status is 2xx, else an error with what to do about it.
pub async fn request_ok(settings: &ClientSettings, question: ApiRequest) -> Result<ApiReply, ClientError> {
    let reply = request(settings, question).await?;
    let (to, reason) = (&settings.to, reply.reason_text());
    match reply.status {
        401 | 403 => {
            // Root asks at the usual places only about the usual server.
            let is_named = is_here(to) && !is_own(to);
            let named = is_named.then_some(i18n::client::WITH_CONTROL_NAMED).map(Text::from);
            let text = i18n::client::not_allowed(to, &reason, &named.unwrap_or_default());
            Err(ClientError::new(EX_NOPERM, text))
        }
        404 if reply.json(to).is_ok() => {
            Err(ClientError::new(EX_NOINPUT, i18n::client::server_says(to, &reason)))
        }
        _ => reply.ok(to),
    }
}

/// Language, time and colours of the output.
pub fn table_style(settings: &ClientSettings) -> TableStyle {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    TableStyle { now: clock::wall(), lang: settings.lang, colours }
}

/// The settings with the URL or socket of the API; of several servers, of the first that answers. One that is slow keeps
/// the next from being asked only for a moment.
pub async fn api_settings(settings: &ClientSettings) -> ClientSettings {
    if !settings.has_several() {
        return api_of(settings).await;
    }
    let mut waiting = settings.per_server().into_iter();
    let mut asked = JoinSet::new();
    loop {
        match waiting.next() {
            Some(one) => _ = asked.spawn(answering(one)),
            // Nobody answers: the first is asked once more, for its error.
            None if asked.is_empty() => return api_of(settings).await,
            None => {}
        }
        tokio::select! {
            done = asked.join_next() => if let Some(Ok(Some((url, found)))) = done {
                if url != settings.to {
                    complain(i18n::client::another_was_asked(&settings.to, &url).in_lang(settings.lang));
                }
                return found;
            },
            () = sleep(PATIENCE), if waiting.len() > 0 => {}
        }
    }
}

/// The server, and the settings for its API, if it answers.
async fn answering(one: ClientSettings) -> Option<(ServerUrl, ClientSettings)> {
    let api = api_of(&one).await;
    let reply = request(&api, ApiRequest::get("/api/v1/status")).await.ok()?;
    (reply.status < 500).then_some((one.to, api))
}

async fn api_of(settings: &ClientSettings) -> ClientSettings {
    let at = |to: ServerUrl| ClientSettings { to, ..settings.clone() };
    let env = Env::of_process();
    let named = named_control_socket(&env);
    let is_asked = if named.is_some() { is_here(&settings.to) } else { is_own(&settings.to) };
    if is_asked {
        // Where one is named, only that one is tried.
        for path in named.map_or_else(|| control_sockets(&env), |path| vec![path]) {
            let own = at(ServerUrl {
                protocol: ServerProtocol::Http,
                tls: false,
                place: Endpoint::Unix(path),
                path: String::new(),
            });
            if request(&own, ApiRequest::get("/api/v1/status")).await.is_ok_and(|reply| reply.status == 200) {
                return own;
            }
        }
    }
    at(over_http(&settings.to))
}

/// Whether it is this machine's own server at its default ports.
fn is_own(to: &ServerUrl) -> bool {
    let is_usual =
        matches!(to.place, Endpoint::Net { port, .. } if USUAL_PORTS.contains(&(to.protocol, port)));
    is_here(to) && is_usual && !to.tls && to.path.is_empty()
}

/// Whether it is a server of this machine.
fn is_here(to: &ServerUrl) -> bool {
    match &to.place {
        Endpoint::Net { host, .. } => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
        Endpoint::Unix(_) => false,
    }
}

/// The control socket that the environment names, whatever the server's port.
fn named_control_socket(env: &Env) -> Option<PathBuf> {
    env.get("HEARTBEAT_CONTROL").filter(|path| path != "off").map(PathBuf::from)
}

/// Where control sockets stand, see the server's manual.
fn control_sockets(env: &Env) -> Vec<PathBuf> {
    let system = if cfg!(target_os = "macos") { &["/usr/local/var/lib", "/var/run"][..] } else { &["/run"] };
    let of_user = env.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = system.iter().map(PathBuf::from).chain(of_user);
    usual.map(|folder| folder.join("heartbeat-server/control.sock")).filter(|path| path.exists()).collect()
}

/// The HTTP address beside one for beats.
fn over_http(to: &ServerUrl) -> ServerUrl {
    match (to.protocol, &to.place) {
        (ServerProtocol::Tcp, Endpoint::Net { host, .. }) => {
            let place = Endpoint::Net { host: host.clone(), port: USUAL_PORTS[0].1 };
            ServerUrl { protocol: ServerProtocol::Http, tls: to.tls, place, path: String::new() }
        }
        _ => {
            let ends = ["/ws", "/api/v1/beats"];
            let path = ends.into_iter().find_map(|end| to.path.strip_suffix(end)).unwrap_or(&to.path);
            ServerUrl { protocol: ServerProtocol::Http, path: path.to_string(), ..to.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_go_to_http_wherever_beats_go() {
        for (to, asked) in [
            ("http://hb/x", "http://hb:7777/x"),
            ("https://hb", "https://hb:443"),
            ("tcp://hb:9", "http://hb:7777"),
            ("tls://hb", "https://hb:7777"),
            ("ws://hb:80/ws", "http://hb:80"),
            ("wss://hb/x/ws", "https://hb:443/x"),
            ("http://hb/api/v1/beats", "http://hb:7777"),
            ("unix:/x", "unix:/x"),
        ] {
            assert_eq!(over_http(&to.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn only_the_usual_server_of_this_machine_is_asked_at_its_control_socket() {
        for (to, own) in [
            ("http://localhost:7777", true),
            ("tcp://127.0.0.1", true),
            ("http://[::1]", true),
            ("http://localhost:8080", false),
            ("http://hb", false),
            ("https://localhost", false),
            ("http://localhost/x", false),
        ] {
            assert_eq!(is_own(&to.parse().unwrap()), own, "{to}");
        }
    }
}
