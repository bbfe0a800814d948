//! An alert as people and programs read it: one sentence in the configured language, a title, and the JSON that webhooks
//! send and templates take their fields from.
//!
//! What is common to many is said first, then the names, as many as a line on a telephone bears; how late the message is
//! comes last.

use super::api;
use super::reason;
use super::words::one_line;
use crate::domain::alert::message::{Doubt, Kind, Message, Shared, Subject};
use crate::domain::beat::Exit;
use crate::domain::lang::Lang;
use crate::domain::record::{Cause, Reason};
use crate::domain::time::{Span, Wall};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Monitors that a sentence names; the others are counted.
const NAMED_MAX: usize = 10;
/// What stands as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The message as JSON. All keys are always there, `null` where they mean nothing.
pub fn json(lang: Lang, message: &Message) -> Value {
    let first = message.first();
    let since = first.map(|_| message.since().rfc3339());
    json!({
        "kind": message.kind.name(),
        "key": message.key,
        "notifier": message.notifier,
        "monitor": first.map(|one| &one.id),
        "count": message.count,
        "monitors": message.monitors.iter().map(|one| subject(one, message.now)).collect::<Vec<_>>(),
        "incident": first.and_then(|one| one.incident.as_ref()),
        "since": since,
        "duration_s": first.map(|_| api::seconds(message.duration())),
        "delayed_s": api::seconds(message.delayed),
        "cause": first.and_then(|one| one.cause).map(Cause::name),
        "exit_code": first.and_then(|one| one.exit).and_then(Exit::code),
        "signal": first.and_then(|one| one.exit).and_then(Exit::signal),
        "message": first.and_then(|one| one.said.as_ref()),
        "address": first.and_then(|one| one.address.as_ref()),
        "tags": first.map(|one| &one.tags),
        "shared": message.shared.as_ref().map(|shared| match shared {
            Shared::After(id) | Shared::Network(id) => id,
        }),
        "dependants": message.dependants,
        "dependants_count": message.dependants_count,
        "title": title(lang, message),
        "text": text(lang, message),
        "details": details(lang, message),
        "server": message.server.name,
        "link": link(message),
        "at": message.made.rfc3339(),
    })
}

fn subject(one: &Subject, now: Wall) -> Value {
    let until = one.ended.unwrap_or(now);
    json!({
        "id": one.id,
        "incident": one.incident,
        "since": one.since.rfc3339(),
        "ended": one.ended.map(Wall::rfc3339),
        "duration_s": api::seconds(crate::domain::alert::message::age(one.since, until)),
        "cause": one.cause.map(Cause::name),
        "exit_code": one.exit.and_then(Exit::code),
        "signal": one.exit.and_then(Exit::signal),
        "last_beat": one.last_beat.map(Wall::rfc3339),
        "address": one.address,
        "tags": one.tags,
        "message": one.said,
        "removed": one.removed,
    })
}

/// A message in the list of all that was told.
pub struct Listed<'a> {
    /// Its name.
    pub key: &'a str,
    /// Whom it is for.
    pub notifier: &'a str,
    /// The one of the notifier's recipients whom it is for, if not all.
    pub recipient: Option<&'a str>,
    /// `pending`, `sent` or `failed`.
    pub state: &'a str,
    /// When it was made.
    pub made: Wall,
    /// When it is tried next, or when it was done.
    pub due: Wall,
    /// Whether it waits.
    pub is_pending: bool,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was not taken the last time.
    pub reason: Option<&'a str>,
    /// What it says, where that can be read.
    pub message: Option<&'a Message>,
}

/// A row of that list.
pub fn row_json(lang: Lang, row: &Listed<'_>) -> Value {
    let first = row.message.and_then(Message::first);
    json!({
            "key": row.key,
            "notifier": row.notifier,
            "recipient": row.recipient,
            "state": row.state,
            "kind": row.message.map(|message| message.kind.name()),
            "monitor": first.map(|one| &one.id),
            "count": row.message.map_or(0, |message| message.count),
            "incident": first.and_then(|one| one.incident.as_ref()),
            "made": row.made.rfc3339(),
            "due": row.is_pending.then(|| row.due.rfc3339()),
            "done": (!row.is_pending).then(|| row.due.rfc3339()),
            "tries": row.tries,
            "reason": row.reason,
            "text": row.message.map(|message| sentence(lang, message)),
    })
}

/// A test that was taken.
pub fn tested(notifier: &str) -> Value {
    json!({ "status": "sent", "notifier": notifier })
}

/// A few words: the subject of a mail, the head of a card.
pub fn title(lang: Lang, message: &Message) -> String {
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
        Kind::Reminder => lang.pick(format!("{whom} {be} still down"), format!("{whom} 仍未恢复")),
        Kind::Flapping => lang.pick(format!("{whom} {be} flapping"), format!("{whom} 状态反复")),
        Kind::Own => lang.pick("heartbeat-server suspects itself", "heartbeat-server 怀疑自身故障").into(),
        Kind::Test => lang.pick("a test: nothing is wrong", "测试：一切正常").into(),
    }
}

/// The message in one sentence, always one line.
pub fn sentence(lang: Lang, message: &Message) -> String {
    one_line(&said_whole(lang, message)).into_owned()
}

/// The same for who reads more than a line: what a monitor said keeps its line breaks.
pub fn text(lang: Lang, message: &Message) -> String {
    said_whole(lang, message)
        .split('\n')
        .map(|line| one_line(line.trim_end_matches('\r')))
        .collect::<Vec<_>>()
        .join("\n")
}

/// When it was, from where it was heard, who tells it and where to look: some lines.
pub fn details(lang: Lang, message: &Message) -> String {
    let mut parts = Vec::new();
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
fn link(message: &Message) -> Option<String> {
    let url = message.server.page_url.as_ref()?;
    Some(match message.first().filter(|one| message.count <= 1 && !one.removed) {
        Some(one) => format!("{url}/monitors/{}", utf8_percent_encode(&one.id, PATH)),
        None => format!("{url}/"),
    })
}

/// A moment as the clocks on the wall have it.
fn local(at: Wall) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
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
    text
}

fn english(message: &Message) -> String {
    let lasted = shown(message.duration());
    let mut text = match (message.kind, message.first()) {
        (Kind::Test, _) => format!("a test of the notifier {}: nothing is wrong", message.notifier),
        (Kind::Own, _) => {
            let (doubt, all) = message.doubt.unwrap_or((Doubt::Restart, message.count));
            let event = match doubt {
                Doubt::Restart => "this server was started again or stood still",
                Doubt::Network => "this machine lost its network",
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
                Kind::Reminder => format!("are still down, for up to {lasted}"),
                Kind::Flapping => "are flapping; nothing more is said until they are steady".to_string(),
                _ => "are down".to_string(),
            };
            let lead = match &message.shared {
                Some(Shared::After(id)) => format!("behind {id}: "),
                Some(Shared::Network(network)) => format!("in {network}: "),
                None => String::new(),
            };
            format!("{lead}{} monitors {what}: {}", message.count, names(Lang::En, message))
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
        (Kind::Own, _) => {
            let (doubt, all) = message.doubt.unwrap_or((Doubt::Restart, message.count));
            let event = doubt_zh(doubt);
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
                Kind::Reminder => format!("仍未恢复，最长已持续 {lasted}"),
                Kind::Flapping => "状态反复，稳定之前不再通知".to_string(),
                _ => "已下线".to_string(),
            };
            let lead = match &message.shared {
                Some(Shared::After(id)) => format!("依赖 {id} 的"),
                Some(Shared::Network(network)) => format!("网段 {network} 的"),
                None => String::new(),
            };
            format!("{lead} {} 个监控{what}：{}", message.count, names(Lang::Zh, message))
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

fn doubt_zh(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Restart => "本服务器重启或停顿",
        Doubt::Network => "本机网络中断",
    }
}

/// What a monitor said when it reported that it fails, or since then; or what a test says.
fn said(message: &Message) -> Option<&str> {
    let one = message.first().filter(|_| message.count == 1)?;
    let tells = message.kind == Kind::Test
        || matches!(message.kind, Kind::Down | Kind::Reminder)
            && matches!(one.cause, Some(Cause::Fail | Cause::RunTooLong));
    one.said.as_deref().filter(|_| tells)
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

/// For how long a monitor that is down, or was, has been silent.
fn silence(last_beat: Wall, one: &Subject, now: Wall) -> Span {
    crate::domain::alert::message::age(last_beat, one.ended.unwrap_or(now))
}

fn names(lang: Lang, message: &Message) -> String {
    let names: Vec<&str> = message.monitors.iter().take(NAMED_MAX).map(|one| one.id.as_str()).collect();
    some(&names, message.count, lang)
}

fn some<T: AsRef<str>>(names: &[T], count: u64, lang: Lang) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    let text = named.join(lang.pick(", ", "、"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::message::Server;

    const AT: i64 = 1_770_521_420_000;

    fn one(id: &str) -> Subject {
        Subject {
            id: id.into(),
            incident: Some("7-3".into()),
            since: Wall(AT),
            cause: Some(Cause::Silence),
            last_beat: Some(Wall(AT - 90_000)),
            address: Some("10.0.3.7".into()),
            tags: vec!["rack-3".into()],
            ..Subject::default()
        }
    }

    fn about(kind: Kind, monitors: Vec<Subject>) -> Message {
        let mut message = Message::new(kind, "k-7-3-ops".into(), "ops", Wall(AT));
        message.count = monitors.len() as u64;
        message.monitors = monitors;
        message
    }

    #[test]
    fn every_kind_reads_well_in_both_languages() {
        let job = Subject {
            cause: Some(Cause::Fail),
            exit: Some(Exit::Signal(9)),
            said: Some("disk full".into()),
            ..one("job")
        };
        let slow = Subject {
            cause: Some(Cause::RunTooLong),
            run_started: Some(Wall(AT - 40_000)),
            said: Some("at file 7".into()),
            ..one("slow")
        };
        let failed = Subject { cause: Some(Cause::Fail), said: Some("disk\nfull".into()), ..one("job") };
        let ended = |removed| Subject { ended: Some(Wall(AT + 3_725_000)), removed, ..one("web-1") };
        let many: Vec<Subject> = (0..12).map(|n| one(&format!("web-{n}"))).collect();
        let mut router = about(Kind::Down, vec![one("router")]);
        (router.dependants, router.dependants_count) = (vec!["a".into(), "b".into()], 5);
        let mut rack = about(Kind::Down, many.clone());
        rack.shared = Some(Shared::Network("10.0.3.0/24".into()));
        let mut flapping = about(Kind::Flapping, vec![one("web-1")]);
        flapping.flaps = Some((2, Span::secs(720)));
        let mut own = about(Kind::Own, many);
        own.doubt = Some((Doubt::Restart, 20));
        let late = about(Kind::Down, vec![one("web-1")]).at(Wall(AT + 7_200_000), Span::secs(60));
        for (message, en, zh) in [
            (
                about(Kind::Down, vec![one("web-1")]),
                "web-1 is down, silent for 1m30s",
                "web-1 已失联，静默 1m30s",
            ),
            (
                about(Kind::Reminder, vec![job]).at(Wall(AT + 3_600_000), Span::secs(7200)),
                "job is still down, for 1h, killed by signal 9 (SIGKILL): disk full",
                "job 仍未恢复，已持续 1h，被信号 9（SIGKILL）终止：disk full",
            ),
            (
                about(Kind::Down, vec![slow]),
                "slow is down, its run takes longer than 40s: at file 7",
                "slow 已下线，任务运行超过 40s 仍未结束：at file 7",
            ),
            (
                about(Kind::Down, vec![failed]),
                "job is down, it reported a failure: disk\\nfull",
                "job 已下线，自报故障：disk\\nfull",
            ),
            (
                about(Kind::Recovered, vec![ended(false)]),
                "web-1 is up again, it was down for 1h2m",
                "web-1 已恢复，此前下线 1h2m",
            ),
            (
                about(Kind::Recovered, vec![ended(true)]),
                "web-1 was removed, it had been down for 1h2m",
                "web-1 已移除，此前下线 1h2m",
            ),
            (
                router,
                "router is down, silent for 1m30s; silent behind it: a, b and 3 more",
                "router 已失联，静默 1m30s；依赖它而同时静默：a、b 等（另有 3 个）",
            ),
            (
                rack,
                "in 10.0.3.0/24: 12 monitors are down: web-0, web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8, \
                 web-9 and 2 more",
                "网段 10.0.3.0/24 的 12 个监控已下线：web-0、web-1、web-2、web-3、web-4、web-5、web-6、web-7、web-8、web-9 \
                 等（另有 2 个）",
            ),
            (
                about(Kind::Reminder, vec![one("web-1")]).at(Wall(AT + 3_600_000), Span::secs(7200)),
                "web-1 is still down, for 1h",
                "web-1 仍未恢复，已持续 1h",
            ),
            (
                flapping,
                "web-1 is flapping: down 2 times within 12m; nothing more is said until it is steady",
                "web-1 状态反复：12m 内下线 2 次；稳定之前不再通知",
            ),
            (
                own,
                "12 of 20 monitors have not been heard since this server was started again or stood still: the fault is \
                 probably on this side; who stays silent is told of in some minutes",
                "本服务器重启或停顿后，20 个监控中有 12 个未再收到心跳：故障很可能在本机；仍然静默者将在数分钟后通知",
            ),
            (
                about(Kind::Test, Vec::new()),
                "a test of the notifier ops: nothing is wrong",
                "通知渠道 ops 的测试消息：一切正常",
            ),
            (
                late,
                "web-1 is down, silent for 2h1m (this message is 2h late)",
                "web-1 已失联，静默 2h1m（本消息延迟 2h 送达）",
            ),
        ] {
            assert_eq!(sentence(Lang::En, &message), en);
            assert_eq!(sentence(Lang::Zh, &message), zh);
            let title = title(Lang::En, &message);
            assert!(!title.is_empty() && title.len() < 200, "{title}");
        }
    }

    #[test]
    fn what_a_message_says_besides_is_when_from_where_by_whom_and_where_to_look() {
        let mut down = about(Kind::Down, vec![one("数据 库")]);
        down.server = Server { name: "mon-1".into(), page_url: Some("https://mon.example.org".into()) };
        let (since, end) = (local(Wall(AT)), local(Wall(AT + 60_000)));
        let link = "https://mon.example.org/monitors/%E6%95%B0%E6%8D%AE%20%E5%BA%93";
        assert_eq!(
            details(Lang::En, &down),
            format!("since {since}; last heard from 10.0.3.7; told by mon-1\n{link}")
        );
        assert_eq!(
            details(Lang::Zh, &down),
            format!("开始于 {since}；最后来自 10.0.3.7；由 mon-1 通知\n{link}")
        );
        let ended = Subject { ended: Some(Wall(AT + 60_000)), address: None, ..one("web-1") };
        let up = about(Kind::Recovered, vec![ended.clone()]);
        assert_eq!(details(Lang::En, &up), format!("from {since} to {end}"));
        let gone = Subject { removed: true, ..ended };
        let both = about(Kind::Recovered, vec![gone.clone(), gone]);
        assert_eq!(title(Lang::En, &both), "2 monitors were removed");
        assert!(sentence(Lang::En, &both).starts_with("2 monitors were removed, down for up to 1m"));
        assert!(sentence(Lang::Zh, &both).contains("已移除"));
    }

    #[test]
    fn line_breaks_are_line_breaks_and_the_log_has_one_line() {
        let failed =
            Subject { cause: Some(Cause::Fail), said: Some("disk\r\nfull\u{1b}[2J".into()), ..one("job") };
        let message = about(Kind::Down, vec![failed]);
        assert_eq!(text(Lang::En, &message), "job is down, it reported a failure: disk\nfull\\u{1b}[2J");
        assert!(!sentence(Lang::En, &message).contains('\n'));
    }

    #[test]
    fn the_end_of_a_flapping_that_leaves_it_down_is_said_in_both_languages() {
        let mut down = about(Kind::Down, vec![one("web-1")]);
        down.flaps = Some((3, Span::secs(720)));
        let down = down.at(Wall(AT + 1_800_000), Span::secs(7200));
        assert_eq!(sentence(Lang::En, &down), "web-1 does not flap any more, it is down, for 30m");
        assert_eq!(sentence(Lang::Zh, &down), "web-1 不再反复，已下线 30m");
    }

    #[test]
    fn the_json_has_what_the_interface_promises() {
        let shown =
            json(Lang::En, &about(Kind::Down, vec![one("web-1")]).at(Wall(AT + 1_500), Span::secs(60)));
        assert_eq!(
            shown.to_string(),
            r#"{"kind":"down","key":"k-7-3-ops","notifier":"ops","monitor":"web-1","count":1,"monitors":[{"id":"web-1","incident":"7-3","since":"2026-02-08T03:30:20.000Z","ended":null,"duration_s":1.5,"cause":"silence","exit_code":null,"signal":null,"last_beat":"2026-02-08T03:28:50.000Z","address":"10.0.3.7","tags":["rack-3"],"message":null,"removed":false}],"incident":"7-3","since":"2026-02-08T03:30:20.000Z","duration_s":1.5,"delayed_s":0,"cause":"silence","exit_code":null,"signal":null,"message":null,"address":"10.0.3.7","tags":["rack-3"],"shared":null,"dependants":[],"dependants_count":0,"title":"web-1 is down","text":"web-1 is down, silent for 1m31s","details":"DETAILS","server":"","link":null,"at":"2026-02-08T03:30:20.000Z"}"#
                .replace("DETAILS", &format!("since {}; last heard from 10.0.3.7", local(Wall(AT))))
        );
        let test = json(Lang::Zh, &about(Kind::Test, Vec::new()));
        assert_eq!((&test["monitor"], &test["since"]), (&Value::Null, &Value::Null));
    }
}
