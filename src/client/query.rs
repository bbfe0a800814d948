//! Queries and orders about monitors: list, show, pause, resume, remove.
//!
//! This machine's own server is asked over its control socket where that is permitted (root and the server's user), which
//! needs no token; every other server over HTTP. For a URL of TCP or WebSocket it is the HTTP address of the same host.

use super::cli::{ListArgs, MonitorArgs, PauseArgs, ShowArgs};
use super::config::ClientSettings;
use super::error::{ClientError, EX_NOINPUT, EX_NOPERM};
use super::http::{ApiReply, ApiRequest, not_ours, request};
use super::pages::Pages;
use super::sanitize;
use super::server_url::{Endpoint, ServerProtocol, ServerUrl};
use super::table::{MonitorLine, TableStyle, facts, percent};
use super::{complain, print};
use crate::config::Env;
use crate::domain::beat::Exit;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::sys::clock;
use crate::view::reason;
use crate::view::words::one_line;
use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;

/// What stands in a URL as it is (RFC 3986, 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Monitors asked for at once.
const PAGE: usize = 1000;
/// Incidents that are shown of a monitor.
const INCIDENTS_SHOWN: usize = 10;
/// The default ports of a server.
const USUAL_PORTS: [(ServerProtocol, u16); 2] = [(ServerProtocol::Http, 7777), (ServerProtocol::Tcp, 7778)];

/// `heartbeat list`.
pub async fn list(settings: &ClientSettings, list: &ListArgs) -> Result<u8, ClientError> {
    let settings = &api_settings(settings).await;
    let mut all = Vec::new();
    let mut pages = Pages::default();
    let query =
        MonitorQuery { state: list.state.as_deref(), matching: list.matching.as_deref(), limit: PAGE };
    loop {
        let reply = query.fetch(settings, pages.after.as_deref()).await?;
        let page = if list.json { reply.raw_json(&settings.to) } else { reply.json(&settings.to) }?;
        match list.json {
            true => print_json(&page, pages.rows == 0)?,
            false => all.extend(read_monitors(&page, settings)?),
        }
        let rows = page.get("monitors").and_then(Value::as_array).map_or(0, Vec::len);
        // The cursor is the server's own, and goes back to nobody else: as it came.
        let next = reply.raw_json(&settings.to)?.get("next").and_then(Value::as_str).map(String::from);
        if !pages.turn(rows, next, &settings.to)? {
            break;
        }
    }
    if list.json {
        return print("]}\n").map(|()| 0);
    }
    if all.is_empty() {
        complain(settings.lang.pick("no monitor fits", "没有符合条件的监控项"));
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

/// Which monitors, the worst first.
#[derive(Clone, Copy, Debug)]
pub struct MonitorQuery<'a> {
    /// Only those in this state.
    pub state: Option<&'a str>,
    /// Only those whose id fits.
    pub matching: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

impl MonitorQuery<'_> {
    /// The server's page of them, behind a place.
    pub async fn fetch(
        self,
        settings: &ClientSettings,
        after: Option<&str>,
    ) -> Result<ApiReply, ClientError> {
        let mut path = format!("/api/v1/monitors?sort=state&limit={}", self.limit);
        for (name, value) in [("state", self.state), ("match", self.matching), ("after", after)] {
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
    rows.and_then(Result::ok)
        .ok_or_else(|| not_ours(&settings.to, "its list holds no monitors", "其列表中没有监控项"))
}

/// `heartbeat show`.
pub async fn show(settings: &ClientSettings, show: &ShowArgs) -> Result<u8, ClientError> {
    let settings = &api_settings(settings).await;
    let monitor = request_monitor(settings, &show.id, ApiRequest::get(path_of(&show.id, ""))).await?;
    let id = utf8_percent_encode(&show.id, PLAIN);
    let path = format!("/api/v1/incidents?monitor={id}&limit={INCIDENTS_SHOWN}");
    let page = request_ok(settings, ApiRequest::get(path)).await?;
    let of = |page: Value| page.get("incidents").cloned().unwrap_or_default();
    if show.json {
        let incidents = of(page.raw_json(&settings.to)?);
        let both = json!({ "monitor": monitor.raw_json(&settings.to)?, "incidents": incidents });
        return print(&sanitize::json(&format!("{both:#}\n"))).map(|()| 0);
    }
    let (monitor, page) = (monitor.json(&settings.to)?, page.json(&settings.to)?);
    let are_more = page.get("next").is_some_and(Value::is_string);
    let incidents = of(page);
    print(&(about(&monitor, table_style(settings)) + &past(&incidents, are_more, table_style(settings))))
        .map(|()| 0)
}

/// Everything about a monitor that is anything.
fn about(monitor: &Value, style: TableStyle) -> String {
    let text = |key: &str| monitor.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| monitor.get(key).and_then(Value::as_u64);
    let span = |key: &str| monitor.get(key).and_then(Value::as_f64).and_then(Span::from_secs_f64);
    let list = |key: &str| {
        let all = monitor.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(String::from).collect::<Vec<_>>()
    };
    let say = |en, zh| style.lang.pick(en, zh);
    let when = |at: &str| format!("{} ({})", style.stamp(at), style.ago(at));
    let mut rows: Vec<(&str, String)> = vec![
        (say("monitor", "监控项"), text("id").into()),
        (say("state", "状态"), {
            format!("{}{}{}", style.state(text("state")), say(" since ", "，自 "), when(text("since")))
        }),
    ];
    let mut row = |name, value: String| rows.extend((!value.is_empty()).then_some((name, value)));
    row(
        say("last beat", "上次心跳"),
        match text("last_beat") {
            "" => say("never", "从未").into(),
            at => when(at),
        },
    );
    let from = [text("address"), text("transport"), text("reported_ip")];
    row(
        say("from", "来自"),
        match (from, style.lang) {
            (["", ..], _) => String::new(),
            ([address, transport, ""], _) => format!("{address} ({transport})"),
            ([address, transport, ip], _) => format!("{address} ({transport}), IP {ip}"),
        },
    );
    let exit = number("signal").and_then(|number| number.try_into().ok()).map(Exit::Signal);
    let exit =
        exit.or(monitor.get("exit_code").and_then(Value::as_i64).filter(|code| *code != 0).map(Exit::Code));
    row(
        say("status", "状态报告"),
        exit.map_or_else(|| text("status").into(), |exit| reason::exit(style.lang, exit)),
    );
    row(
        say("message", "消息"),
        match text("message_at") {
            "" => text("message").into(),
            at => format!("{} ({})", text("message"), style.stamp(at)),
        },
    );
    row(say("tags", "标签"), list("tags").join(", "));
    if monitor.get("schedule").is_some_and(Value::is_string) {
        row(say("schedule", "计划"), format!("{} ({})", text("schedule"), text("timezone")));
    } else {
        let asked = span("asked_interval_s").map(|asked| match style.lang {
            Lang::En => format!(", asked for {asked}"),
            Lang::Zh => format!("，已请求延长至 {asked}"),
        });
        row(
            say("interval", "间隔"),
            format!("{}{}", span("interval_s").unwrap_or_default(), asked.unwrap_or_default()),
        );
    }
    row(say("grace", "宽限"), span("grace_s").unwrap_or_default().to_string());
    row(
        say("next deadline", "下次期限"),
        match text("next_deadline") {
            "" => String::new(),
            at => format!("{} ({})", style.stamp(at), style.ahead(at)),
        },
    );
    row(
        say("paused until", "暂停至"),
        match (text("state"), text("paused_until")) {
            ("paused", "") => say("somebody resumes it", "有人恢复它").into(),
            ("paused", at) => format!("{} ({})", style.stamp(at), style.ahead(at)),
            _ => String::new(),
        },
    );
    row(say("beats", "心跳数"), number("beats").unwrap_or_default().to_string());
    if let Some(seq) = number("seq") {
        let (gaps, repeats) = (number("gaps").unwrap_or(0), number("repeats").unwrap_or(0));
        row(
            say("counter", "序号"),
            match style.lang {
                Lang::En => format!("{seq}, {gaps} missing, {repeats} repeated"),
                Lang::Zh => format!("{seq}，缺失 {gaps}，重复 {repeats}"),
            },
        );
    }
    row(
        say("runs since", "运行开始于"),
        list("runs").iter().map(|at| when(at)).collect::<Vec<_>>().join("\n"),
    );
    row(
        say("last run took", "上次运行耗时"),
        span("run_took_s").map(|took| took.to_string()).unwrap_or_default(),
    );
    let uptimes = [
        ("uptime_24h", say("24 h", "24 小时")),
        ("uptime_7d", say("7 d", "7 天")),
        ("uptime_90d", say("90 d", "90 天")),
    ];
    let uptimes = uptimes.map(|(key, name)| {
        monitor.get(key).and_then(Value::as_f64).map(|share| format!("{} ({name})", percent(share)))
    });
    row(say("uptime", "在线率"), uptimes.into_iter().flatten().collect::<Vec<_>>().join(say(", ", "，")));
    facts(&rows)
}

/// The latest incidents of a monitor.
fn past(incidents: &Value, are_more: bool, style: TableStyle) -> String {
    let all = incidents.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return style.lang.pick("\nno incidents\n", "\n没有故障记录\n").into();
    }
    let mut text = style.lang.pick("\nincidents, newest first:\n", "\n故障记录（从新到旧）：\n").to_string();
    for incident in all {
        let field = |key: &str| incident.get(key).and_then(Value::as_str).unwrap_or_default();
        let lasted = incident.get("duration_s").and_then(Value::as_f64).and_then(Span::from_secs_f64);
        let lasted = style.span(lasted.unwrap_or_default());
        let number = |key: &str| incident.get(key).and_then(Value::as_i64);
        let cause = match (field("cause"), number("exit_code"), number("signal")) {
            ("silence", ..) => style.lang.pick("silence", "静默").to_string(),
            ("fail", Some(code), _) => reason::exit(style.lang, Exit::Code(code)),
            ("fail", _, Some(number)) => {
                reason::exit(style.lang, Exit::Signal(number.try_into().unwrap_or(0)))
            }
            ("fail", ..) => style.lang.pick("failure", "失败").to_string(),
            ("run_too_long", ..) => style.lang.pick("run too long", "运行时间过长").to_string(),
            ("never_heard", ..) => style.lang.pick("no first beat in time", "首次心跳未到").to_string(),
            (other, ..) => other.to_string(),
        };
        let open = incident.get("ended").is_none_or(Value::is_null);
        let lasted = match (open, style.lang) {
            (true, Lang::En) => format!("for {lasted}, not over"),
            (true, Lang::Zh) => format!("已持续 {lasted}"),
            (false, Lang::En) => format!("for {lasted}"),
            (false, Lang::Zh) => format!("持续 {lasted}"),
        };
        text += &format!("  {}  {}  {lasted}\n", style.stamp(field("started")), one_line(&cause));
    }
    if are_more {
        text +=
            style.lang.pick("  … older ones: see the page of the monitor\n", "  ……更早的请见监控项的页面\n");
    }
    text
}

/// `heartbeat pause`.
pub async fn pause(settings: &ClientSettings, pause: &PauseArgs) -> Result<u8, ClientError> {
    let query = pause.span.map_or_else(|| json!({}), |span| json!({ "for": span.to_string() }));
    let (settings, monitor) =
        send_order(settings, Method::POST, pause.id.as_str(), "/pause", Some(query)).await?;
    let (id, style) = (pause.id.as_str(), table_style(&settings));
    let until = monitor.get("paused_until").and_then(Value::as_str).map(|until| style.stamp(until));
    print(&match until {
        Some(until) => {
            style.lang.pick(format!("{id} is paused until {until}\n"), format!("{id} 已暂停，至 {until}\n"))
        }
        None => style
            .lang
            .pick(format!("{id} is paused until it is resumed\n"), format!("{id} 已暂停，直到恢复\n")),
    })
    .map(|()| 0)
}

/// `heartbeat resume`.
pub async fn resume(settings: &ClientSettings, named: &MonitorArgs) -> Result<u8, ClientError> {
    let (settings, monitor) = send_order(settings, Method::POST, named.id.as_str(), "/resume", None).await?;
    let (id, style) = (named.id.as_str(), table_style(&settings));
    let state = style.state(monitor.get("state").and_then(Value::as_str).unwrap_or_default());
    print(&style.lang.pick(format!("{id} is no longer paused: {state}\n"), format!("{id} 已恢复：{state}\n")))
        .map(|()| 0)
}

/// `heartbeat remove`.
pub async fn remove(settings: &ClientSettings, named: &MonitorArgs) -> Result<u8, ClientError> {
    let (settings, _) = send_order(settings, Method::DELETE, named.id.as_str(), "", None).await?;
    let id = named.id.as_str();
    print(&settings.lang.pick(format!("{id} is removed\n"), format!("{id} 已移除\n"))).map(|()| 0)
}

/// An order about a monitor; how it stands then, `null` where it is gone.
async fn send_order(
    settings: &ClientSettings,
    method: Method,
    id: &str,
    what: &str,
    body: Option<Value>,
) -> Result<(ClientSettings, Value), ClientError> {
    let settings = api_settings(settings).await;
    let body = body.map(|body| body.to_string().into());
    let reply = request_monitor(&settings, id, ApiRequest { method, path: path_of(id, what), body }).await?;
    let monitor = if reply.body.is_empty() { Value::Null } else { reply.json(&settings.to)? };
    Ok((settings, monitor))
}

fn path_of(id: &str, what: &str) -> String {
    format!("/api/v1/monitors/{}{what}", utf8_percent_encode(id, PLAIN))
}

/// The answer about a monitor.
async fn request_monitor(
    settings: &ClientSettings,
    id: &str,
    question: ApiRequest,
) -> Result<ApiReply, ClientError> {
    let to = &settings.to;
    request_ok(settings, question).await.map_err(|failure| match failure.exit_code {
        EX_NOINPUT => ClientError::new(
            EX_NOINPUT,
            format!("no such monitor at {to}: {id}; heartbeat list names those that are"),
            format!("{to} 上没有监控项 {id}；heartbeat list 会列出现有的"),
        ),
        _ => failure,
    })
}

/// The answer if its status is 2xx, else an error with what to do about it.
pub async fn request_ok(settings: &ClientSettings, question: ApiRequest) -> Result<ApiReply, ClientError> {
    let reply = request(settings, question).await?;
    let (to, status) = (&settings.to, reply.status);
    let (reason, zh) = (reply.reason(), reply.reason_zh());
    // Root asks at the usual places only about the usual server.
    let (which, which_zh) = match is_here(to) && !is_own(to) {
        true => (
            " with HEARTBEAT_CONTROL naming its control socket",
            "（并用 HEARTBEAT_CONTROL 指明其控制套接字）",
        ),
        false => ("", ""),
    };
    match status {
        401 | 403 => Err(ClientError::new(
            EX_NOPERM,
            format!(
                "{to} does not allow it: {reason}; give a token with --token-file, or ask as root on the server's machine\
                 {which}"
            ),
            format!(
                "{to} 不允许：{zh}；请用 --token-file 提供令牌，或在服务器所在机器上以 root 身份执行{which_zh}"
            ),
        )),
        404 if reply.json(to).is_ok() => {
            Err(ClientError::new(EX_NOINPUT, format!("{to}: {reason}"), format!("{to}：{zh}")))
        }
        _ => reply.ok(to),
    }
}

/// Language, time and colours of the output.
pub fn table_style(settings: &ClientSettings) -> TableStyle {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    TableStyle { now: clock::wall(), lang: settings.lang, colours }
}

/// The settings with the URL or socket of the API.
pub async fn api_settings(settings: &ClientSettings) -> ClientSettings {
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
    use crate::domain::time::Wall;

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

    #[test]
    fn a_monitor_is_told_of_with_what_there_is_and_without_what_is_not() {
        let monitor = json!({
            "id": "web", "state": "paused", "since": "2026-02-08T03:00:00Z", "last_beat": null, "interval_s": 60,
            "asked_interval_s": 480, "grace_s": 30, "address": null, "beats": 0, "seq": null, "tags": ["a", "b"],
            "runs": [], "paused_until": null, "uptime_24h": 0.5, "message": "one\ntwo",
        });
        let style = TableStyle { now: Wall(1_770_521_420_000), lang: Lang::En, colours: false };
        let text = about(&monitor, style);
        for part in [
            "paused since",
            "last beat     never",
            "1m, asked for 8m",
            "a, b",
            "somebody resumes it",
            "50.00 % (24 h)",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        for part in ["from", "counter", "schedule", "null"] {
            assert!(!text.contains(part), "{part:?} in\n{text}");
        }
        assert!(past(&json!([]), false, style).contains("no incidents"));
        let one = json!([{ "started": "2026-02-08T03:00:00Z", "ended": null, "duration_s": 90, "cause": "silence" }]);
        assert!(
            past(&one, true, style).contains("silence  for 1 min, not over\n  … older"),
            "{}",
            past(&one, true, style)
        );
    }
}
