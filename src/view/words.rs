//! What the daemon says to people, in English and Simplified Chinese: one sentence for each notice, without a time
//! stamp, and the same facts as named values for machines.
//!
//! A sentence is always one line. Texts that came from outside (a reason the system gave, a path somebody
//! configured) may hold anything; their control and direction characters are spelled out here, in one place, so that
//! nothing can forge a line or hide one.

use super::reason;
use crate::domain::beat::Exit;
use crate::domain::lang::Lang;
use crate::domain::notice::{Notice, State};
use crate::domain::record::{Cause, Reason};
use crate::domain::registry::Conflict;
use crate::domain::sentence::Audience;
use crate::domain::time::{Span, Wall};
use crate::domain::zone::UnknownLocal;
use crate::i18n::{self, Text};
use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Longest sentence, and longest text among the values, in bytes; the rest is cut off and marked with `…`.
pub const TEXT_BYTES_MAX: usize = 2_000;

/// A fact in a notice.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text; always one line, at most [`TEXT_BYTES_MAX`].
    Text(Cow<'a, str>),
    /// A number.
    Number(u64),
    /// A number that may be below 0.
    Signed(i64),
}

/// The sentence for a notice: one line, no time stamp, at most [`TEXT_BYTES_MAX`] bytes.
pub fn sentence(lang: Lang, notice: &Notice) -> String {
    let text = whole(lang, notice);
    match one_line(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean,
    }
}

/// The facts of a notice with their names, for text and JSON lines (`state`) and journal fields (`HEARTBEAT_STATE`).
/// Times are RFC 3339, lengths of time whole milliseconds and named so.
pub fn facts(notice: &Notice) -> Vec<(&'static str, Value<'_>)> {
    let text = |t: &'_ str| -> Value<'static> { Value::Text(one_line(t).into_owned().into()) };
    match notice {
        Notice::Started { address, port } => {
            let mut all = vec![("address", text(address))];
            all.extend(port.map(|port| ("port", Value::Number(port.into()))));
            all
        }
        Notice::ReloadFailed { reason } => vec![("reason", text(reason))],
        Notice::NeedsRestart { keys } => vec![("keys", text(keys))],
        Notice::Transition { monitor, from, to, last_beat, silent, reason, .. } => {
            let mut all = vec![
                ("monitor", Value::Text(one_line(monitor))),
                ("state", Value::Text(to.name().into())),
                ("state_before", Value::Text(from.name().into())),
            ];
            all.extend(last_beat.map(|at| ("last_beat", Value::Text(at.rfc3339().into()))));
            all.push(("silent_ms", Value::Number(silent.0)));
            if let Some(reason) = reason.filter(|_| *to == State::Down) {
                all.push(("cause", Value::Text(reason.cause.name().into())));
                let exit = reason.exit.map(exit_fact);
                all.extend(exit.map(|(name, number)| (name, Value::Signed(number))));
            }
            all
        }
        Notice::LogTargetFailed { target, reason } => {
            vec![("target", text(target)), ("reason", text(reason))]
        }
        Notice::LogTargetBack { target, lost } => {
            vec![("target", text(target)), ("lost", Value::Number(*lost))]
        }
        Notice::TlsRefused { peer, address, reason } => {
            vec![("address", text(&peer.to_string())), ("listener", text(address)), ("reason", text(reason))]
        }
        Notice::ProxyRefused { peer, address, reason } => {
            vec![("address", text(&peer.to_string())), ("listener", text(address)), ("reason", text(reason))]
        }
        Notice::ClientConnected { peer } | Notice::ClientBroken { peer, .. } => {
            vec![("address", text(&peer.to_string()))]
        }
        Notice::ClientDenied { peer, key } => {
            vec![("address", text(&peer.to_string())), ("key", Value::Text((*key).into()))]
        }
        Notice::ClientGone { peer, monitor, .. } | Notice::ClientDisconnected { peer, monitor } => {
            let mut all = vec![("address", text(&peer.to_string()))];
            all.extend(monitor.as_ref().map(|monitor| ("monitor", Value::Text(one_line(monitor)))));
            all
        }
        Notice::Stopping
        | Notice::Stopped
        | Notice::Reloaded
        | Notice::Summary { .. }
        | Notice::Other { .. } => Vec::new(),
    }
}

/// What is said of two senders with one id.
pub fn conflict(id: &str, conflict: &Conflict) -> Text {
    let [one, other] = conflict.addresses;
    match one == other {
        true => i18n::view::two_connections_from_both(&one, &id),
        false => i18n::view::both_send_one_them(&one, &other, &id),
    }
}

/// What is said when more lines came than could be kept for the writer.
pub fn lines_dropped(lost: u64) -> Text {
    i18n::view::log_lines_were_lost(&lost)
}

/// Why times go by UTC though nobody asked for that.
pub fn unknown_local(unknown: &UnknownLocal, to: Audience) -> Text {
    // A name may have folders, as Europe/Berlin does; a path begins with one.
    let shown = |name: &str| match name.trim_start_matches(':') {
        path if path.starts_with('/') => one_line(&to.path(Path::new(path))).into_owned(),
        _ => one_line(name).into_owned(),
    };
    match unknown {
        UnknownLocal::Variable(name) => i18n::view::no_such_time_zone(&shown(name)),
        UnknownLocal::Unset => i18n::view::TIME_ZONE_MACHINE_NOT.into(),
    }
}

/// Which declared monitors were never heard though they should have been; `count` of them, the first by name.
pub fn never_heard(count: usize, first: &[String]) -> Text {
    let names = Text::of(|lang| first.join(i18n::view::LIST_COMMA.in_lang(lang)));
    let more = (count > first.len()).then_some(i18n::view::COMMA_MORE).map(Text::from);
    match count {
        1 => i18n::view::declared_monitor_never_heard(&names),
        _ => i18n::view::declared_monitors_never_heard(&count, &names, &more.unwrap_or_default()),
    }
}

/// A text made fit to stand in one line: a tab becomes a space, a line break of any system `\n`, other control, direction and
/// line-separating characters `\u{…}`, and what is longer than [`TEXT_BYTES_MAX`] ends in `…`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    const MARK: &str = "…";
    if text.len() <= TEXT_BYTES_MAX && !text.chars().any(breaks_a_line) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len().min(TEXT_BYTES_MAX) + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let before = clean.len();
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => clean.push_str("\\n"),
            '\t' => clean.push(' '),
            c if breaks_a_line(c) => {
                // Writing to a string cannot fail.
                let _ = write!(clean, "\\u{{{:x}}}", c as u32);
            }
            c => clean.push(c),
        }
        if clean.len() > TEXT_BYTES_MAX - MARK.len() {
            clean.truncate(before);
            clean.push_str(MARK);
            break;
        }
    }
    Cow::Owned(clean)
}

/// The same for who reads several lines: line breaks of any system and tabs are that.
pub fn lines(text: &str) -> String {
    let tabbed = |line: &str| line.split('\t').map(one_line).collect::<Vec<_>>().join("\t");
    let text = text.replace("\r\n", "\n");
    text.split(['\n', '\r']).map(tabbed).collect::<Vec<_>>().join("\n")
}

/// Whether a character could end a line, turn its direction, or be there unseen.
pub fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn whole(lang: Lang, notice: &Notice) -> String {
    match notice {
        Notice::Started { port: Some(port), .. } => {
            i18n::view::server_started_listening_port(&port).in_lang(lang)
        }
        Notice::Started { address, port: None } => {
            i18n::view::server_started_listening(&address).in_lang(lang)
        }
        Notice::Stopping => i18n::view::STOPPING_ANSWERING_WHAT_ARRIVED.in_lang(lang).to_string(),
        Notice::Stopped => i18n::view::SERVER_STOPPED.in_lang(lang).to_string(),
        Notice::Reloaded => i18n::view::CONFIGURATION_RELOADED.in_lang(lang).to_string(),
        Notice::ReloadFailed { reason } => i18n::view::configuration_not_reloaded_old(&reason).in_lang(lang),
        Notice::NeedsRestart { keys } => i18n::view::changed_but_force_only(&keys).in_lang(lang),
        Notice::Transition { monitor, from, to, silent, last_beat, reason, at } => match (from, to) {
            (_, State::Down) if is_no_silence(reason) => {
                i18n::view::monitor_down_at(&monitor, &why(lang, reason, *at)).in_lang(lang)
            }
            (_, State::Down) if last_beat.is_none() => {
                i18n::view::down_never_heard(&monitor, &shown(*silent)).in_lang(lang)
            }
            (_, State::Down) => i18n::view::down_silent(&monitor, &shown(*silent)).in_lang(lang),
            (_, State::Late) => i18n::view::late_silent(&monitor, &shown(*silent)).in_lang(lang),
            (State::Down | State::Late, State::Up) if *silent < SILENCE || is_no_silence(reason) => {
                i18n::view::monitor_up_again(&monitor).in_lang(lang)
            }
            (State::Down | State::Late, State::Up) => {
                i18n::view::up_again_after_silence(&monitor, &shown(*silent)).in_lang(lang)
            }
            (_, State::Up) => i18n::view::up(&monitor).in_lang(lang),
            (_, State::Paused) => i18n::view::paused(&monitor).in_lang(lang),
            (_, State::New) => i18n::view::waiting_first_heartbeat(&monitor).in_lang(lang),
        },
        Notice::LogTargetFailed { target, reason } => {
            i18n::view::log_target_failed(&target, &reason).in_lang(lang)
        }
        Notice::LogTargetBack { target, lost } => {
            i18n::view::log_target_works_again(&target, &lost).in_lang(lang)
        }
        Notice::TlsRefused { peer, address, reason } => {
            i18n::view::tls_refused(&peer, &address, &reason).in_lang(lang)
        }
        Notice::ProxyRefused { peer, address, reason } => {
            i18n::view::proxy_does_not_say(&peer, &address, &reason).in_lang(lang)
        }
        // The English words, grammar and all, are those that people grep for.
        Notice::ClientGone { asked: false, peer, monitor } => {
            i18n::view::client_offline(&peer, &named(monitor)).in_lang(lang)
        }
        Notice::ClientGone { asked: true, peer, monitor } => {
            i18n::view::client_timeout_closing_connection(&peer, &named(monitor)).in_lang(lang)
        }
        Notice::ClientConnected { peer } => i18n::view::client_connected(&peer).in_lang(lang),
        Notice::ClientDenied { peer, key } => i18n::view::client_not_allowed(&peer, &key).in_lang(lang),
        Notice::ClientBroken { peer, kind, length } => {
            i18n::view::client_closed_sent_frame(&peer, &kind, &length).in_lang(lang)
        }
        Notice::ClientDisconnected { peer, monitor } => {
            i18n::view::client_disconnected(&peer, &named(monitor)).in_lang(lang)
        }
        Notice::Summary { text } => text.clone(),
        Notice::Other { text, .. } => text.say(lang).to_string(),
    }
}

/// What is said behind an address of the monitor that it spoke for.
fn named(monitor: &Option<Arc<str>>) -> Text {
    monitor.as_ref().map(|monitor| i18n::view::id_behind(monitor)).unwrap_or_default()
}

/// Whether something else than silence is the reason of an outage. Of one that was never heard it is said for how long.
fn is_no_silence(reason: &Option<Reason>) -> bool {
    reason.is_some_and(|reason| matches!(reason.cause, Cause::Fail | Cause::RunTooLong))
}

fn why(lang: Lang, reason: &Option<Reason>, at: Wall) -> String {
    reason.and_then(|reason| reason::clause(lang, &reason, at)).unwrap_or_default()
}

/// The shortest interval is a second, so after less than that nobody was silent.
const SILENCE: Span = Span::secs(1);

/// A silence as people want to read it: whole seconds.
fn shown(silent: Span) -> Span {
    Span(silent.0 / 1000 * 1000)
}

/// How a run ended, as a fact with its name.
pub fn exit_fact(exit: Exit) -> (&'static str, i64) {
    match exit {
        Exit::Code(code) => ("exit_code", code),
        Exit::Signal(number) => ("signal", number.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::Level;

    fn change(from: State, to: State, silent_ms: u64) -> Notice {
        because(from, to, silent_ms, Cause::Silence.into())
    }

    fn because(from: State, to: State, silent_ms: u64, reason: Reason) -> Notice {
        let at = Wall(1_770_521_420_000);
        Notice::Transition {
            monitor: "web-1".into(),
            from,
            to,
            last_beat: Some(at),
            silent: Span(silent_ms),
            reason: Some(reason),
            at,
        }
    }

    #[test]
    fn every_notice_reads_well_in_both_languages() {
        let local = crate::domain::address::Peer::Ip([127, 0, 0, 1].into());
        let started = |address: &str, port| Notice::Started { address: address.into(), port };
        let table = [
            (
                started("[::]:7777", Some(7777)),
                "server started, listening on port 7777",
                "服务器启动，监听端口 7777",
            ),
            (
                started("unix:/run/h.sock", None),
                "server started, listening on unix:/run/h.sock",
                "服务器启动，监听 unix:/run/h.sock",
            ),
            (Notice::Stopping, "stopping: answering what has arrived", "正在停止：先答复已收到的请求"),
            (Notice::Stopped, "server stopped", "服务器已停止"),
            (Notice::Reloaded, "configuration reloaded", "配置已重新加载"),
            (
                Notice::ReloadFailed { reason: "a.toml:3: lang: unknown".into() },
                "configuration not reloaded, the old one stays in force: a.toml:3: lang: unknown",
                "配置重新加载失败，继续使用原配置：a.toml:3: lang: unknown",
            ),
            (
                Notice::NeedsRestart { keys: "listen, state.dir".into() },
                "changed, but in force only after a restart: listen, state.dir",
                "以下配置已改动，重启后才生效：listen, state.dir",
            ),
            (
                change(State::Late, State::Down, 90_012),
                "web-1 is down, silent for 1m30s",
                "web-1 已失联，静默 1m30s",
            ),
            (
                because(State::Up, State::Down, 0, Cause::Fail.into()),
                "web-1 is down, it reported a failure",
                "web-1 已下线，自报故障",
            ),
            (
                because(
                    State::Up,
                    State::Down,
                    0,
                    Reason { exit: Some(Exit::Code(11)), ..Cause::Fail.into() },
                ),
                "web-1 is down, exit code 11",
                "web-1 已下线，退出码 11",
            ),
            (
                because(
                    State::Up,
                    State::Down,
                    40_000,
                    Reason { run_started: Some(Wall(1_770_521_380_000)), ..Cause::RunTooLong.into() },
                ),
                "web-1 is down, its run takes longer than 40s",
                "web-1 已下线，任务运行超过 40s 仍未结束",
            ),
            (
                because(State::Down, State::Up, 100_000, Cause::RunTooLong.into()),
                "web-1 is up again",
                "web-1 已恢复",
            ),
            (
                change(State::Up, State::Late, 61_000),
                "web-1 is late, silent for 1m1s",
                "web-1 心跳迟到，静默 1m1s",
            ),
            (
                change(State::Down, State::Up, 3_600_000),
                "web-1 is up again, after 1h of silence",
                "web-1 已恢复，此前静默 1h",
            ),
            (change(State::Down, State::Up, 0), "web-1 is up again", "web-1 已恢复"),
            (change(State::New, State::Up, 0), "web-1 is up", "web-1 在线"),
            (change(State::Up, State::Paused, 0), "web-1 is paused", "web-1 已暂停监控"),
            (
                Notice::LogTargetFailed { target: "syslog".into(), reason: "gone".into() },
                "log target syslog failed: gone",
                "日志目标 syslog 写入失败：gone",
            ),
            (
                Notice::LogTargetBack { target: "file:/a".into(), lost: 12 },
                "log target file:/a works again; lines lost: 12",
                "日志目标 file:/a 已恢复，丢失 12 行",
            ),
            (
                Notice::ProxyRefused {
                    peer: crate::domain::address::Peer::Ip([10, 0, 0, 1].into()),
                    address: "[::]:80".into(),
                    reason: "no header",
                },
                "the proxy 10.0.0.1 on [::]:80 does not say legibly who its client is: no header; refused and counted \
                 (heartbeat_connections_refused_total), and said once an hour; see listen.proxy_header",
                "监听 [::]:80 上的代理 10.0.0.1 没有说清客户端是谁：no header；已拒绝并计数\
                 （heartbeat_connections_refused_total），每小时只说一次；见 listen.proxy_header",
            ),
            (
                Notice::TlsRefused {
                    peer: crate::domain::address::Peer::Ip([127, 0, 0, 1].into()),
                    address: "[::]:8443".into(),
                    reason: "no TLS".into(),
                },
                "TLS refused: 127.0.0.1 on [::]:8443: no TLS",
                "TLS 握手被拒: 127.0.0.1，监听 [::]:8443：no TLS",
            ),
            (
                Notice::ClientGone { asked: false, peer: local, monitor: None },
                "The client 127.0.0.1 has be offline.",
                "客户端 127.0.0.1 已掉线",
            ),
            (
                Notice::ClientGone { asked: true, peer: local, monitor: Some("127.0.0.1:9".into()) },
                "Client timeout, closing connection: 127.0.0.1, id: 127.0.0.1:9",
                "客户端超时，关闭连接: 127.0.0.1, 标识: 127.0.0.1:9",
            ),
            (
                Notice::ClientConnected { peer: local },
                "Client connected: 127.0.0.1",
                "客户端已连接: 127.0.0.1",
            ),
            (
                Notice::ClientDenied { peer: local, key: "access.deny" },
                "Client not allowed: 127.0.0.1 (access.deny)",
                "客户端不被允许: 127.0.0.1（access.deny）",
            ),
            (
                Notice::ClientBroken { peer: local, kind: 7, length: -1 },
                "Client closed: 127.0.0.1 sent a frame of type 7 and length -1",
                "客户端连接已关闭: 127.0.0.1 发送了类型为 7、长度为 -1 的帧",
            ),
            (
                Notice::ClientDisconnected { peer: local, monitor: Some("web-1".into()) },
                "Client disconnected: 127.0.0.1, id: web-1",
                "客户端已断开: 127.0.0.1, 标识: web-1",
            ),
            (Notice::Summary { text: "4 up".into() }, "4 up", "4 up"),
        ];
        for (notice, en, zh) in table {
            assert_eq!(sentence(Lang::En, &notice), en);
            assert_eq!(sentence(Lang::Zh, &notice), zh);
        }
    }

    #[test]
    fn a_text_from_outside_cannot_begin_a_line_or_hide_one() {
        let evil =
            "x\n2026-02-08 11:30:20 - heartbeat received\r\u{1b}[2K\u{202e}\u{2028}\u{85}\u{0}\u{200b}";
        let notice = Notice::Other { level: Level::Info, kind: "x", text: Text::foreign(evil) };
        assert_eq!(
            sentence(Lang::En, &notice),
            "x\\n2026-02-08 11:30:20 - heartbeat received\\n\\u{1b}[2K\\u{202e}\\u{2028}\\u{85}\\u{0}\\u{200b}"
        );
        let long = "语".repeat(5_000);
        let cut = one_line(&long);
        assert!(cut.len() <= TEXT_BYTES_MAX && cut.len() > TEXT_BYTES_MAX - 10 && cut.ends_with('…'));
        assert_eq!(one_line("plain 文本").as_ref(), "plain 文本");
        assert_eq!(one_line("a\tb\r\n10%\r20%").as_ref(), "a b\\n10%\\n20%");
        assert_eq!(lines("a\tb\r\n10%\r20%\u{1b}"), "a\tb\n10%\n20%\\u{1b}");
    }
}
