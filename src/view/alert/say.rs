//! An alert in words: a title, one sentence in the configured language, and what is said besides.
//!
//! What is common to many is said first, then the names, as many as a line on a telephone bears; how late the message is
//! comes last.

use super::slot;
use crate::domain::alert::message::{Kind, Message, Shared, Subject, SuspicionCause, age};
use crate::domain::lang::Lang;
use crate::domain::record::{Cause, Reason};
use crate::domain::time::{Span, Wall};
use crate::domain::zone::Zone;
use crate::view::reason;
use crate::view::words::{lines, one_line};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Monitors that a sentence names; the others are counted.
const NAMED_MAX: usize = 10;
/// What stands as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A few words: the subject of a mail, the head of a card.
pub fn title(lang: Lang, message: &Message) -> String {
    if let Some((up, gone)) = parted(message) {
        let (en, zh) = (up_again(up), format!("{up} 个监控已恢复，{gone} 个已移除"));
        return lang.pick(format!("{en}, {}", were_removed(gone)), zh);
    }
    let whom = match (message.first(), message.count) {
        (Some(one), 0 | 1) => one_line(&one.id).into_owned(),
        (_, count) => lang.pick(format!("{count} monitors"), format!("{count} 个监控")),
    };
    let be = if message.count > 1 { "are" } else { "is" };
    match message.kind {
        Kind::Down => lang.pick(format!("{whom} {be} down"), format!("{whom} 已下线")),
        Kind::Recovered if all_removed(message) => {
            let were = if message.count > 1 { "were" } else { "was" };
            lang.pick(format!("{whom} {were} removed"), format!("{whom} 已移除"))
        }
        Kind::Recovered => lang.pick(format!("{whom} {be} up again"), format!("{whom} 已恢复")),
        Kind::Reminder if has_failed_again(message) => {
            lang.pick(format!("{whom} failed again"), format!("{whom} 再次失败"))
        }
        Kind::Reminder => lang.pick(format!("{whom} {be} still down"), format!("{whom} 仍未恢复")),
        Kind::Flapping => lang.pick(format!("{whom} {be} flapping"), format!("{whom} 状态反复")),
        Kind::Own if is_of_disk(message) => {
            lang.pick("the disk of heartbeat-server is full", "heartbeat-server 的磁盘已满").into()
        }
        Kind::Own => lang.pick("heartbeat-server suspects itself", "heartbeat-server 怀疑自身故障").into(),
        Kind::Test => lang.pick("a test: nothing is wrong", "测试：一切正常").into(),
    }
}

/// The message in one sentence, always one line.
pub fn sentence(lang: Lang, message: &Message) -> String {
    one_line(&said_whole(lang, message)).into_owned()
}

/// The same for who reads more than a line: what a monitor said keeps its line breaks and tabs.
pub fn text(lang: Lang, message: &Message) -> String {
    lines(&said_whole(lang, message))
}

/// When it was, from where it was heard, who tells it and where to look: some lines.
pub fn details(lang: Lang, message: &Message) -> String {
    let mut parts = Vec::new();
    let zone = zone_of(message);
    let local = |at: Wall| shown_in(&zone, at);
    let one = message.first().filter(|_| message.count <= 1);
    match one {
        Some(Subject { since, ended: Some(ended), .. }) => parts.push(lang.pick(
            format!("from {} to {}", local(*since), local(*ended)),
            format!("{} 至 {}", local(*since), local(*ended)),
        )),
        _ if message.first().is_some() => {
            let since = local(message.since());
            parts.push(lang.pick(format!("since {since}"), format!("开始于 {since}")));
        }
        _ => parts.push(local(message.made)),
    }
    if let Some(address) = one.and_then(|one| one.address.as_ref()) {
        let address = one_line(address);
        parts.push(lang.pick(format!("last heard from {address}"), format!("最后来自 {address}")));
    }
    if !message.server.name.is_empty() {
        let name = one_line(&message.server.name);
        parts.push(lang.pick(format!("told by {name}"), format!("由 {name} 通知")));
    }
    let text = parts.join(lang.pick("; ", "；"));
    link(message).map_or(text.clone(), |link| format!("{text}\n{link}"))
}

/// The page of the monitor, or of all, where it is known under which address people reach it.
pub(super) fn link(message: &Message) -> Option<String> {
    let url = message.server.page_url.as_ref()?;
    Some(match message.first().filter(|one| message.count <= 1 && !one.removed) {
        Some(one) => format!("{url}/monitors/{}", utf8_percent_encode(&one.id, PATH)),
        None => format!("{url}/"),
    })
}

/// Whose clocks the times in a message go by: those of the monitors, if they share a zone, or else this machine's.
fn zone_of(message: &Message) -> Zone {
    let name = message.first().and_then(|one| one.zone.as_deref());
    let shared = name.filter(|name| message.monitors.iter().all(|one| one.zone.as_deref() == Some(*name)));
    shared.and_then(|name| Zone::parse(name).ok()).unwrap_or_default()
}

/// A moment as clocks show it there.
pub(super) fn shown_in(zone: &Zone, at: Wall) -> String {
    zone.stamp_s(at).unwrap_or_else(|| at.rfc3339())
}

fn said_whole(lang: Lang, message: &Message) -> String {
    let mut text = match lang {
        Lang::En => english(message),
        Lang::Zh => chinese(message),
    };
    if message.delayed > Span(0) {
        let late = shown(message.delayed);
        text.push_str(
            &lang.pick(format!(" (this message is {late} late)"), format!("（本消息延迟 {late} 送达）")),
        );
    }
    if message.unstored {
        text.push_str(lang.pick(
            " (not stored, since this server cannot write to its disk: after a restart it may be told again)",
            "（未能存盘：本服务器无法写入磁盘，重启后可能重复通知）",
        ));
    }
    text
}

/// Whether it says that our own disk is full.
fn is_of_disk(message: &Message) -> bool {
    matches!(message.doubt, Some((SuspicionCause::Disk, _)))
}

fn english(message: &Message) -> String {
    let lasted = shown(message.duration());
    let mut text = match (message.kind, message.first()) {
        (Kind::Test, _) => format!("a test of the notifier {}: nothing is wrong", message.notifier),
        (Kind::Own, _) if is_of_disk(message) => {
            "the disk of this server is full: what happens now is known in memory only and lost with the process; alerts \
             go on and say that they are not stored; make room on that disk"
                .to_string()
        }
        (Kind::Own, _) => {
            let (doubt, all) = message.doubt.unwrap_or((SuspicionCause::Restart, message.count));
            let event = match doubt {
                SuspicionCause::Network => "this machine lost its network",
                SuspicionCause::Restart | SuspicionCause::Disk => "this server was started again or stood still",
            };
            format!(
                "{} of {all} monitors have not been heard since {event}: the fault is probably on this side; \
                 who stays silent is told of in some minutes",
                message.count
            )
        }
        (_, None) => title(Lang::En, message),
        (kind, Some(one)) if message.count <= 1 => {
            let id = &one.id;
            match kind {
                Kind::Down if message.flaps.is_some() => {
                    format!("{id} does not flap any more, it is down, for {lasted}")
                }
                Kind::Down => match (clause(Lang::En, one), one.last_beat) {
                    _ if one.slot.is_some() => {
                        format!("{id} is down{}", slot::missed(Lang::En, one, message.now))
                    }
                    (Some(why), _) => format!("{id} is down, {why}"),
                    (None, Some(last)) => {
                        format!("{id} is down, silent for {}", shown(silence(last, one, message.now)))
                    }
                    (None, None) => format!("{id} is down, never heard"),
                },
                Kind::Recovered if one.removed => format!("{id} was removed, it had been down for {lasted}"),
                Kind::Recovered if message.flaps.is_some() => {
                    format!("{id} does not flap any more, it is up and steady")
                }
                Kind::Recovered => format!("{id} is up again, it was down for {lasted}"),
                Kind::Flapping => {
                    let (times, within) = message.flaps.unwrap_or((2, Span::secs(3600)));
                    format!(
                        "{id} is flapping: down {times} times within {}; nothing more is said until it is steady",
                        shown(within)
                    )
                }
                _ if one.failures > 0 => format!("{id} {}, down for {lasted}", failed_again(Lang::En, one)),
                _ if one.slot.is_some() => {
                    format!("{id} is still down, for {lasted}{}", slot::missed(Lang::En, one, message.now))
                }
                _ => match clause(Lang::En, one) {
                    Some(why) => format!("{id} is still down, for {lasted}, {why}"),
                    None => format!("{id} is still down, for {lasted}"),
                },
            }
        }
        (kind, Some(_)) => {
            let what = match kind {
                Kind::Recovered if all_removed(message) => format!("were removed, down for up to {lasted}"),
                Kind::Recovered => format!("are up again, down for up to {lasted}"),
                Kind::Reminder if has_failed_again(message) => {
                    format!("failed again, down for up to {lasted}")
                }
                Kind::Reminder => format!("are still down, for up to {lasted}"),
                Kind::Flapping => "are flapping; nothing more is said until they are steady".to_string(),
                _ => "are down".to_string(),
            };
            let lead = match &message.shared {
                Some(Shared::After(id)) => format!("behind {id}: "),
                Some(Shared::Network(network)) => format!("in {network}: "),
                None => String::new(),
            };
            match parted(message) {
                Some(parted) => format!("{lead}{}", both(Lang::En, message, parted)),
                None => format!("{lead}{} monitors {what}: {}", message.count, names(Lang::En, message)),
            }
        }
    };
    if let Some(said) = said(message) {
        text.push_str(&format!(": {said}"));
    }
    if message.dependants_count > 0 {
        let named = some(&message.dependants, message.dependants_count, Lang::En);
        text.push_str(&format!("; silent behind it: {named}"));
    }
    text
}

fn chinese(message: &Message) -> String {
    let lasted = shown(message.duration());
    let mut text = match (message.kind, message.first()) {
        (Kind::Test, _) => format!("通知渠道 {} 的测试消息：一切正常", message.notifier),
        (Kind::Own, _) if is_of_disk(message) => {
            "本服务器磁盘已满：此刻发生的事情只在内存中，进程结束即丢失；告警照常发出，并注明未能存盘；请清理该磁盘空间".to_string()
        }
        (Kind::Own, _) => {
            let (doubt, all) = message.doubt.unwrap_or((SuspicionCause::Restart, message.count));
            let event = match doubt {
                SuspicionCause::Network => "本机网络中断",
                SuspicionCause::Restart | SuspicionCause::Disk => "本服务器重启或停顿",
            };
            format!(
                "{event}后，{all} 个监控中有 {} 个未再收到心跳：故障很可能在本机；仍然静默者将在数分钟后通知",
                message.count
            )
        }
        (_, None) => title(Lang::Zh, message),
        (kind, Some(one)) if message.count <= 1 => {
            let id = &one.id;
            match kind {
                Kind::Down if message.flaps.is_some() => format!("{id} 不再反复，已下线 {lasted}"),
                Kind::Down => match (clause(Lang::Zh, one), one.last_beat) {
                    _ if one.slot.is_some() => {
                        format!("{id} 已下线{}", slot::missed(Lang::Zh, one, message.now))
                    }
                    (Some(why), _) => format!("{id} 已下线，{why}"),
                    (None, Some(last)) => {
                        format!("{id} 已失联，静默 {}", shown(silence(last, one, message.now)))
                    }
                    (None, None) => format!("{id} 已失联，从未收到心跳"),
                },
                Kind::Recovered if one.removed => format!("{id} 已移除，此前下线 {lasted}"),
                Kind::Recovered if message.flaps.is_some() => format!("{id} 不再反复，已稳定恢复"),
                Kind::Recovered => format!("{id} 已恢复，此前下线 {lasted}"),
                Kind::Flapping => {
                    let (times, within) = message.flaps.unwrap_or((2, Span::secs(3600)));
                    format!("{id} 状态反复：{} 内下线 {times} 次；稳定之前不再通知", shown(within))
                }
                _ if one.failures > 0 => format!("{id} {}，已下线 {lasted}", failed_again(Lang::Zh, one)),
                _ if one.slot.is_some() => {
                    format!("{id} 仍未恢复，已持续 {lasted}{}", slot::missed(Lang::Zh, one, message.now))
                }
                _ => match clause(Lang::Zh, one) {
                    Some(why) => format!("{id} 仍未恢复，已持续 {lasted}，{why}"),
                    None => format!("{id} 仍未恢复，已持续 {lasted}"),
                },
            }
        }
        (kind, Some(_)) => {
            let what = match kind {
                Kind::Recovered if all_removed(message) => format!("已移除，此前最长下线 {lasted}"),
                Kind::Recovered => format!("已恢复，此前最长下线 {lasted}"),
                Kind::Reminder if has_failed_again(message) => format!("再次失败，最长已下线 {lasted}"),
                Kind::Reminder => format!("仍未恢复，最长已持续 {lasted}"),
                Kind::Flapping => "状态反复，稳定之前不再通知".to_string(),
                _ => "已下线".to_string(),
            };
            let lead = match &message.shared {
                Some(Shared::After(id)) => format!("依赖 {id} 的"),
                Some(Shared::Network(network)) => format!("网段 {network} 的"),
                None => String::new(),
            };
            match parted(message) {
                Some(parted) => format!("{lead} {}", both(Lang::Zh, message, parted)),
                None => format!("{lead} {} 个监控{what}：{}", message.count, names(Lang::Zh, message)),
            }
        }
    };
    if let Some(said) = said(message) {
        text.push_str(&format!("：{said}"));
    }
    if message.dependants_count > 0 {
        let named = some(&message.dependants, message.dependants_count, Lang::Zh);
        text.push_str(&format!("；依赖它而同时静默：{named}"));
    }
    text.trim_start().to_string()
}

/// What a monitor said when it reported that it fails, or since then; or what a test says.
fn said(message: &Message) -> Option<&str> {
    let one = message.first().filter(|_| message.count == 1)?;
    let tells = message.kind == Kind::Test
        || has_failed_again(message)
        || matches!(message.kind, Kind::Down | Kind::Reminder)
            && matches!(one.cause, Some(Cause::Fail | Cause::RunTooLong));
    one.said.as_deref().filter(|_| tells)
}

/// Whether a message tells of failed runs of monitors that were down before.
fn has_failed_again(message: &Message) -> bool {
    message.kind == Kind::Reminder && message.first().is_some_and(|one| one.failures > 0)
}

fn failed_again(lang: Lang, one: &Subject) -> String {
    let how = one.exit.map(|exit| reason::exit(lang, exit));
    let (en, zh) = match (one.failures, how) {
        (1, None) => ("failed again".to_string(), "再次失败".to_string()),
        (1, Some(how)) => (format!("failed again, {how}"), format!("再次失败，{how}")),
        (times, None) => (format!("failed {times} more times"), format!("又失败 {times} 次")),
        (times, Some(how)) => {
            (format!("failed {times} more times, last: {how}"), format!("又失败 {times} 次，最近一次：{how}"))
        }
    };
    lang.pick(en, zh)
}

/// Why it is down, where that is something else than silence.
fn clause(lang: Lang, one: &Subject) -> Option<String> {
    let reason = Reason { cause: one.cause?, exit: one.exit, run_started: one.run_started };
    reason::clause(lang, &reason, one.since)
}

/// Whether none of those of whom a message speaks is up again: they are gone.
fn all_removed(message: &Message) -> bool {
    !message.monitors.is_empty() && message.monitors.iter().all(|one| one.removed)
}

/// Of those of whom it is told that it is over, how many are up again and how many are gone, where there are both.
fn parted(message: &Message) -> Option<(u64, u64)> {
    let listed = message.monitors.iter().filter(|one| one.removed).count() as u64;
    // Versions before 0.5 counted those that they listed.
    let gone = message.removed_count.max(listed).min(message.count);
    let up = message.count - gone;
    (message.kind == Kind::Recovered && up > 0 && gone > 0).then_some((up, gone))
}

/// The same with how long those that are up again were down, and with the names of both.
fn both(lang: Lang, message: &Message, (up, gone): (u64, u64)) -> String {
    let [back, removed] = [(false, up), (true, gone)].map(|(removed, count)| {
        let ids: Vec<&str> = message
            .monitors
            .iter()
            .filter(|one| one.removed == removed)
            .take(NAMED_MAX)
            .map(|one| one.id.as_str())
            .collect();
        // Of more than are listed there may be none to name.
        match ids.is_empty() {
            true => String::new(),
            false => lang.pick(": ", "：").to_string() + &some(&ids, count, lang),
        }
    });
    let lasted = message.monitors.iter().filter(|one| !one.removed);
    let lasted = lasted.map(|one| age(one.since, one.ended.unwrap_or(message.now))).max();
    let lasted = shown(lasted.unwrap_or_default());
    let (up_again, were_removed) = (up_again(up), were_removed(gone));
    lang.pick(
        format!("{up_again}, down for up to {lasted}{back}; {were_removed}{removed}"),
        format!("{up} 个监控已恢复，此前最长下线 {lasted}{back}；{gone} 个已移除{removed}"),
    )
}

fn up_again(count: u64) -> String {
    if count == 1 { "1 monitor is up again".into() } else { format!("{count} monitors are up again") }
}

fn were_removed(count: u64) -> String {
    format!("{count} {} removed", if count == 1 { "was" } else { "were" })
}

/// For how long a monitor that is down, or was, has been silent.
fn silence(last_beat: Wall, one: &Subject, now: Wall) -> Span {
    age(last_beat, one.ended.unwrap_or(now))
}

fn names(lang: Lang, message: &Message) -> String {
    let named = || message.monitors.iter().take(NAMED_MAX);
    // What is over says no more how it began.
    let tells = matches!(message.kind, Kind::Down | Kind::Reminder) && named().any(|one| one.exit.is_some());
    let name = |one: &Subject| match one.exit.filter(|_| tells) {
        Some(how) => format!("{}{}{}", one.id, lang.pick(", ", "，"), reason::exit(lang, how)),
        None => one.id.clone(),
    };
    let between = if tells { lang.pick("; ", "；") } else { lang.pick(", ", "、") };
    parted_by(between, &named().map(name).collect::<Vec<_>>(), message.count, lang)
}

fn some<T: AsRef<str>>(names: &[T], count: u64, lang: Lang) -> String {
    parted_by(lang.pick(", ", "、"), names, count, lang)
}

fn parted_by<T: AsRef<str>>(between: &str, names: &[T], count: u64, lang: Lang) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    let text = named.join(between);
    match count.saturating_sub(named.len() as u64) {
        0 => text,
        more => lang.pick(format!("{text} and {more} more"), format!("{text} 等（另有 {more} 个）")),
    }
}

/// A length of time as people want to read it: whole seconds, and whole minutes from an hour on.
fn shown(span: Span) -> Span {
    let unit_ms = if span >= Span::secs(3600) { 60_000 } else { 1000 };
    Span(span.0 / unit_ms * unit_ms)
}
