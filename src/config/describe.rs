//! What `check-config` prints: what would run, in a few lines that a person reads at a glance. Secrets are counted,
//! never shown.

use super::settings::{Confine, Listen, ListenTls, Settings};
use super::tls;
use super::value::size_text;
use super::words;
use crate::domain::access::Access;
use crate::domain::alert::Notifier;
use crate::domain::lang::Lang;
use crate::domain::policy::{Defaults, SocketTimes, Sync, TcpTimes};
use crate::domain::rules::Rule;
use crate::domain::schedule::Schedule;
use crate::domain::time::{Span, Wall};
use crate::domain::window::Window;
use crate::notify::local::LocalLog;
use crate::notify::webhook::UrlOrigin;
use crate::notify::{ChannelOptions, ChannelSettings};
use crate::sys::clock;
use crate::sys::sockets::keepalive::KeepAlive;
use crate::transport::tls::certificate::Summary;
use crate::transport::tls::server::ClientAuth;
use ipnet::IpNet;
use std::fmt::Display;

/// Times of a schedule that are shown.
const NEXT_TIMES: usize = 3;

impl Settings {
    /// What would run, line by line; ends with a newline.
    pub fn describe(&self, lang: Lang) -> String {
        let say = |en: &'static str, zh: &'static str| if lang == Lang::Zh { zh } else { en };
        let mut rows: Vec<(&str, String)> = Vec::new();
        if self.sources.is_empty() {
            rows.push((say("files", "文件"), say("none, defaults only", "无，仅使用默认值").into()));
        }
        for source in &self.sources {
            rows.push((say("file", "文件"), source.display().to_string()));
        }
        for listen in &self.listen {
            rows.push((say("listen", "监听"), describe_listen(listen, lang)));
        }
        for target in &self.log.targets {
            let what = match target.beats {
                true => say("beats and events", "心跳和事件"),
                false => say("events", "事件"),
            };
            rows.push((say("log", "日志"), format!("{} ({what})", target.target)));
        }
        let chosen = match self.log.lang {
            Lang::En => "English",
            Lang::Zh => "简体中文",
        };
        rows.push((
            say("log format", "日志格式"),
            format!("{}, {}, {}", self.log.format.name(), self.log.level.name(), chosen),
        ));
        rows.push((
            say("log files", "日志文件"),
            match lang {
                Lang::En => {
                    format!("{} each, {} kept", size_text(self.log.file_bytes_max), self.log.file_keep)
                }
                Lang::Zh => {
                    format!("每个 {}，保留 {} 个", size_text(self.log.file_bytes_max), self.log.file_keep)
                }
            },
        ));
        rows.push((say("state", "状态目录"), self.state_dir.display().to_string()));
        let sync = match self.state.sync {
            Sync::Second => say("to disk every second", "每秒写入磁盘"),
            Sync::Always => say("to disk before each answer", "每次应答前写入磁盘"),
        };
        let history = self.state.history;
        rows.push(match lang {
            Lang::En => ("kept", format!("{sync}; history of {history}")),
            Lang::Zh => ("保存", format!("{sync}；历史 {history}")),
        });
        let control = self.control.as_ref().map(|path| path.display());
        rows.push((say("control", "控制"), optional(control, say("off", "关闭"))));
        rows.extend(describe_access(&self.access, lang));
        rows.extend(self.describe_limits(lang));
        let SocketTimes { ping_interval, timeout } = self.websocket;
        rows.push(match lang {
            Lang::En => {
                ("websocket", format!("ping every {ping_interval}, given up after {timeout} of silence"))
            }
            Lang::Zh => ("WebSocket", format!("每 {ping_interval} 探测一次，静默 {timeout} 后断开")),
        });
        if let Some(most) = self.governor.beats_per_second {
            let times = self.governor.stretch_max;
            rows.push(match lang {
                Lang::En => (
                    "governor",
                    format!("above {most} beats/s intervals are stretched, {times} times at most"),
                ),
                Lang::Zh => ("调节", format!("每秒超过 {most} 个心跳时延长间隔，最多 {times} 倍")),
            });
        }
        let TcpTimes { ping_interval, timeout, frame_timeout, line_timeout, anonymous } = self.tcp;
        let nameless = anonymous.name();
        rows.push(match lang {
            Lang::En => (
                "tcp",
                format!(
                    "ping every {ping_interval}; silence {timeout}, frames {frame_timeout}, lines {line_timeout}; \
                     nameless by {nameless}"
                ),
            ),
            Lang::Zh => (
                "TCP",
                format!(
                    "每 {ping_interval} 发送 ping；静默 {timeout}，帧 {frame_timeout}，文本行 {line_timeout}；\
                     匿名客户端按 {nameless}"
                ),
            ),
        });
        let Defaults { interval, grace, early, first_beat, forget_after } = self.defaults;
        let grace =
            optional(grace, say("a quarter of the interval (30s to 1h)", "间隔的四分之一（30s 到 1h）"));
        let forget = optional(forget_after, say("never", "从不"));
        let first = optional(first_beat, say("no limit", "不限"));
        rows.push(match lang {
            Lang::En => (
                "defaults",
                format!(
                    "interval {interval}, grace {grace}, early by {early}, first heard within: {first}, forgotten after: \
                     {forget}"
                ),
            ),
            Lang::Zh => (
                "默认值",
                format!(
                    "间隔 {interval}，宽限 {grace}，可提前 {early}，首次心跳期限 {first}，静默后遗忘 {forget}"
                ),
            ),
        });
        rows.extend(self.describe_notifiers(lang));
        let now = clock::wall();
        for rule in self.rules.iter() {
            rows.push((say("monitor", "规则"), describe_rule(rule, &self.defaults, lang)));
            let next = rule.schedule.as_ref().map(|schedule| next_times(schedule, now));
            rows.extend(next.map(|next| (say("next", "接下来"), next)));
        }
        rows.extend(self.describe_process(lang));
        table(&rows)
    }

    fn describe_limits(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let limits = &self.limits;
        let auto = match lang {
            Lang::En => "as many as open files allow",
            Lang::Zh => "取决于可打开的文件数",
        };
        let connections = optional(limits.connections, auto);
        let off = if lang == Lang::Zh { "不限" } else { "no limit" };
        let (body, beat) = (size_text(limits.body_bytes as u64), size_text(limits.beat_bytes as u64));
        let head = size_text(limits.header_bytes as u64);
        let spans = [limits.header_timeout, limits.body_timeout, limits.idle_timeout, limits.write_timeout];
        let (memory, messages) = (size_text(limits.memory as u64), size_text(limits.messages as u64));
        match lang {
            Lang::En => vec![
                ("threads", self.threads.to_string()),
                (
                    "connections",
                    format!("{connections}; {} from one address", limits.connections_per_address),
                ),
                (
                    "requests",
                    format!(
                        "head {head} and {} lines, body {body}, beat {beat}, {} beats at once, JSON depth {}",
                        limits.header_lines, limits.batch_beats, limits.json_depth
                    ),
                ),
                (
                    "timeouts",
                    format!("head {}, body {}, idle {}, unread {}", spans[0], spans[1], spans[2], spans[3]),
                ),
                (
                    "memory",
                    format!(
                        "{memory} for clients, {messages} for messages; {} event streams from one address",
                        limits.streams_per_address
                    ),
                ),
                (
                    "monitors",
                    format!(
                        "{}; from one address {} new ones an hour",
                        limits.monitors, limits.new_monitors_per_hour
                    ),
                ),
                ("beats/s", format!("from one address: {}", optional(limits.beats_per_second, off))),
            ],
            Lang::Zh => vec![
                ("线程", self.threads.to_string()),
                ("连接", format!("{connections}；每个地址 {}", limits.connections_per_address)),
                (
                    "请求",
                    format!(
                        "请求头 {head}、{} 行，请求体 {body}，单个心跳 {beat}，每批 {} 个，JSON 深度 {}",
                        limits.header_lines, limits.batch_beats, limits.json_depth
                    ),
                ),
                (
                    "超时",
                    format!(
                        "请求头 {}，请求体 {}，空闲 {}，不接收 {}",
                        spans[0], spans[1], spans[2], spans[3]
                    ),
                ),
                (
                    "内存",
                    format!(
                        "客户端共 {memory}，消息共 {messages}；每个地址 {} 个事件流",
                        limits.streams_per_address
                    ),
                ),
                (
                    "监控项",
                    format!("{}；每个地址每小时新增 {}", limits.monitors, limits.new_monitors_per_hour),
                ),
                ("每秒心跳", format!("每个地址：{}", optional(limits.beats_per_second, off))),
            ],
        }
    }

    /// The notifiers, and who is told where nobody says.
    fn describe_notifiers(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let name = lang.pick("notifier", "通知渠道");
        if self.channels.is_empty() {
            return Vec::new();
        }
        let mut rows: Vec<_> = self
            .channels
            .iter()
            .filter_map(|channel| {
                Some((name, describe_notifier(channel, self.alerts.notifier(&channel.name)?, lang)))
            })
            .collect();
        let whom = match self.alerts.notify.as_slice() {
            [] => lang.pick("nobody, where no rule says whom", "无规则指明时不通知任何人").to_string(),
            names => names.join(lang.pick(", ", "、")),
        };
        rows.push((lang.pick("told", "通知"), whom));
        rows
    }

    fn describe_process(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let say = |en: &'static str, zh: &'static str| if lang == Lang::Zh { zh } else { en };
        let process = &self.process;
        let how = match process.daemon {
            true => say("in the background", "在后台"),
            false => say("in the foreground", "在前台"),
        };
        let mut rows = vec![(say("runs", "运行"), how.to_string())];
        if let Some(path) = &process.pid_file {
            rows.push((say("pid file", "PID 文件"), path.display().to_string()));
        }
        rows.extend(process.user.iter().map(|name| (say("user", "用户"), name.clone())));
        rows.extend(process.group.iter().map(|name| (say("group", "用户组"), name.clone())));
        let Confine { enabled, write, .. } = &self.confine;
        let more: Vec<String> = write.iter().map(|path| path.display().to_string()).collect();
        rows.push((
            say("confined", "自我限制"),
            match (enabled, more.is_empty()) {
                (false, _) => say("no", "否").into(),
                (true, true) => {
                    say("yes, as far as nothing else does it", "是（其他机制未做到的部分）").into()
                }
                (true, false) => lang.pick(
                    format!("yes, as far as nothing else does it; programs write in {} too", more.join(", ")),
                    format!("是（其他机制未做到的部分）；程序还可写入 {}", more.join("、")),
                ),
            },
        ));
        rows
    }
}

fn describe_listen(listen: &Listen, lang: Lang) -> String {
    let mut text = format!("{} {} (", listen.protocol.name(), listen.address);
    text.push_str(&listen.name);
    let proxies = listen.proxies.iter().map(IpNet::to_string).chain(listen.proxy_unix.then(|| "unix".into()));
    let proxies: Vec<String> = proxies.collect();
    if !proxies.is_empty() {
        text.push_str(if lang == Lang::Zh { "，信任的代理：" } else { "; proxies believed: " });
        text.push_str(&proxies.join(", "));
        text.push_str(if lang == Lang::Zh { "，客户端取自 " } else { ", the client by " });
        text.push_str(listen.proxy_header.name());
    }
    match listen.keepalive {
        None => text.push_str(if lang == Lang::Zh { "，不用 keepalive" } else { "; without keepalive" }),
        Some(KeepAlive { idle, interval, count, user_timeout })
            if listen.keepalive != Some(KeepAlive::default()) =>
        {
            let times = format!("keepalive {idle}, {interval}, {count}, {user_timeout}");
            text.push_str(if lang == Lang::Zh { "，" } else { "; " });
            text.push_str(&times);
        }
        Some(_) => {}
    }
    if !listen.fast_path {
        text.push_str(if lang == Lang::Zh { "，不用快速路径" } else { "; without the fast path" });
    }
    if let Some(tls) = &listen.tls {
        text.push_str(&describe_tls(tls, lang));
    }
    text.push(')');
    text
}

fn describe_tls(tls: &ListenTls, lang: Lang) -> String {
    let zh = lang == Lang::Zh;
    let mut text = match (&tls.summary, zh) {
        (Some(Summary { subject, ends, .. }), false) => {
            format!("; TLS as {subject} until {}", tls::day(*ends))
        }
        (Some(Summary { subject, ends, .. }), true) => {
            format!("，TLS：{subject}，有效至 {}", tls::day(*ends))
        }
        (None, false) => "; TLS".to_string(),
        (None, true) => "，TLS".to_string(),
    };
    text.push_str(match (&tls.clients, zh) {
        (None, _) => "",
        (Some((_, ClientAuth::Required)), false) => ", clients must show a certificate",
        (Some((_, ClientAuth::Optional)), false) => ", clients may show a certificate",
        (Some((_, ClientAuth::Required)), true) => "，客户端必须出示证书",
        (Some((_, ClientAuth::Optional)), true) => "，客户端可出示证书",
    });
    text
}

fn describe_access(access: &Access, lang: Lang) -> Vec<(&'static str, String)> {
    let networks = |list: &[IpNet]| match (list.is_empty(), lang) {
        (true, Lang::En) => "nobody but unix sockets".to_string(),
        (true, Lang::Zh) => "除 unix 套接字外均不允许".to_string(),
        _ => list.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", "),
    };
    let token = |count: usize| match (count, lang) {
        (0, _) => String::new(),
        (1, Lang::En) => "; with a token (1 known)".to_string(),
        (_, Lang::En) => format!("; with a token ({count} known)"),
        (_, Lang::Zh) => format!("；需要令牌（共 {count} 个）"),
    };
    let but_denied = |list: &[IpNet]| match access.deny.as_slice() {
        [] => networks(list),
        denied => format!("{}{}{}", networks(list), lang.pick("; except ", "；除了 "), networks(denied)),
    };
    let beats = but_denied(&access.allow) + &token(access.beat_tokens.len());
    let read = but_denied(&access.read) + &token(access.read_tokens.len());
    let hosts = match (access.hosts.listed.is_empty(), lang) {
        (true, Lang::En) => "any; pages that change something: addresses and local names".to_string(),
        (true, Lang::Zh) => "任意；有更改的网页请求：地址和本地名称".to_string(),
        (false, Lang::En) => format!("{}; addresses and localhost", access.hosts.listed.join(", ")),
        (false, Lang::Zh) => format!("{}；地址和 localhost", access.hosts.listed.join(", ")),
    };
    let admin = match (access.admin_tokens.len(), lang) {
        (0, Lang::En) => "nobody over HTTP: no admin token".to_string(),
        (0, Lang::Zh) => "HTTP 上均不允许：没有管理令牌".to_string(),
        (count, Lang::En) => format!("with a token ({count} known)"),
        (count, Lang::Zh) => format!("需要令牌（共 {count} 个）"),
    };
    match lang {
        Lang::En => {
            vec![("may beat", beats), ("may read", read), ("may change", admin), ("under names", hosts)]
        }
        Lang::Zh => vec![("可发心跳", beats), ("可读取", read), ("可更改", admin), ("可用名称", hosts)],
    }
}

/// How somebody is reached, and when; an address is shown by its host alone.
fn describe_notifier(channel: &ChannelSettings, notifier: &Notifier, lang: Lang) -> String {
    let (how, timeout) = match &channel.options {
        ChannelOptions::Webhook(webhook) => {
            let usual = |origin: &UrlOrigin| origin.port == if origin.tls { 443 } else { 80 };
            let port = webhook.origin.as_ref().filter(|origin| !usual(origin));
            let port = port.map(|origin| format!(":{}", origin.port)).unwrap_or_default();
            let host = match webhook.host.contains(':') && !webhook.host.starts_with('[') {
                true => format!("[{}]", webhook.host),
                false => webhook.host.clone(),
            };
            (format!("webhook {} {host}{port}", webhook.method), webhook.timeout)
        }
        ChannelOptions::Mail(mail) => {
            let to: Vec<String> = mail.to.iter().map(|to| to.email.to_string()).collect();
            let way = format!("{}:{} ({})", mail.host, mail.port, mail.tls.name());
            let to = to.join(", ");
            (lang.pick(format!("mail to {to} by {way}"), format!("邮件 {to}，经 {way}")), mail.timeout)
        }
        ChannelOptions::Exec(exec) => {
            (format!("exec {}", exec.command.first().map_or("", String::as_str)), exec.timeout)
        }
        ChannelOptions::Local(LocalLog::Journal) => ("journal".to_string(), Span(0)),
        ChannelOptions::Local(LocalLog::Syslog) => ("syslog".to_string(), Span(0)),
    };
    let Notifier {
        name,
        group_wait,
        min_down,
        remind_every,
        every_failure,
        rate_per_minute,
        retry_for,
        fallback,
    } = notifier;
    let mut remind = optional(*remind_every, lang.pick("never", "从不"));
    if *every_failure {
        remind.push_str(lang.pick(", tells each further failure", "，每次再失败都通知"));
    }
    let concurrency = channel.concurrency;
    let mut text = match lang {
        Lang::En => format!(
            "{name}: {how}; gathers {group_wait}, down for {min_down} at least, reminds every: {remind}, {rate_per_minute} a \
             minute, {concurrency} at once, {timeout} a try, tried for {retry_for}"
        ),
        Lang::Zh => format!(
            "{name}：{how}；合并 {group_wait}，离线满 {min_down} 才通知，提醒间隔 {remind}，每分钟 {rate_per_minute} 条，\
             同时 {concurrency} 条，单次 {timeout}，重试 {retry_for}"
        ),
    };
    if let Some(fallback) = fallback {
        text.push_str(&lang.pick(format!(", then {fallback}"), format!("，之后改用 {fallback}")));
    }
    text
}

/// Whom a rule names and what it asks of them; the first that fits holds, so they stand in their order.
fn describe_rule(rule: &Rule, defaults: &Defaults, lang: Lang) -> String {
    let say = |en: &'static str, zh: &'static str| if lang == Lang::Zh { zh } else { en };
    let mut parts = Vec::new();
    let mut part = |name: &str, value: String| parts.push(format!("{name} {value}"));
    if let Some(interval) = rule.interval {
        part(say("interval", "间隔"), interval.to_string());
    }
    if let Some(schedule) = &rule.schedule {
        part(say("due at", "计划"), format!("{} ({})", schedule.text(), schedule.zone().shown()));
    }
    if let (Some(zone), None) = (&rule.zone, &rule.schedule) {
        part(say("times by", "时间按"), zone.shown());
    }
    if rule.grace.is_some() || rule.is_fixed() {
        let grace = defaults.grace_for(Some(rule), rule.interval.unwrap_or(defaults.interval));
        part(say("grace", "宽限"), grace.to_string());
    }
    if let Some(early) = rule.early.filter(|early| *early != defaults.early) {
        part(say("early by", "可提前"), early.to_string());
    }
    if let Some(first) = rule.first_beat {
        part(say("first heard within:", "首次心跳期限"), optional(first, say("no limit", "不限")));
    }
    match rule.run_limit {
        Some(limit) => part(say("run limit", "运行时限"), limit.to_string()),
        None if rule.schedule.is_some() => {
            part(
                say("run limit:", "运行时限"),
                say("the next time and grace", "到下一时刻加宽限").to_string(),
            );
        }
        None => {}
    }
    if let Some(forget) = rule.forget_after {
        part(say("forgotten after:", "静默后遗忘"), optional(forget, say("never", "从不")));
    }
    if !rule.tags.is_empty() {
        part(say("tags", "标签"), rule.tags.join(", "));
    }
    if let Some(notify) = &rule.notify {
        let nobody = notify.is_empty().then(|| say("nobody", "无人").to_string());
        part(say("tells", "通知"), nobody.unwrap_or_else(|| notify.join(", ")));
    }
    if !rule.after.is_empty() {
        part(say("after", "依赖"), rule.after.join(", "));
    }
    for window in &rule.windows {
        part(say("maintenance", "维护"), describe_window(window, lang));
    }
    let what = if parts.is_empty() {
        say("defaults", "默认值").to_string()
    } else {
        parts.join(say("; ", "；"))
    };
    format!("{}{}{what}", words::whom(&rule.matches), say(": ", "："))
}

/// When a schedule is due next, by the clocks it goes by.
fn next_times(schedule: &Schedule, now: Wall) -> String {
    let slots = std::iter::successors(schedule.next_after(now), |slot| schedule.next_after(*slot));
    let shown: Vec<String> = slots.take(NEXT_TIMES).filter_map(|slot| schedule.zone().stamp(slot)).collect();
    shown.join(", ")
}

fn describe_window(window: &Window, lang: Lang) -> String {
    match (window, lang) {
        (Window::Once { from, to }, Lang::En) => format!("from {} to {}", from.rfc3339(), to.rfc3339()),
        (Window::Once { from, to }, Lang::Zh) => format!("从 {} 到 {}", from.rfc3339(), to.rfc3339()),
        (Window::Recurring { schedule, length }, Lang::En) => {
            format!("at {} ({}) for {length}", schedule.text(), schedule.zone().shown())
        }
        (Window::Recurring { schedule, length }, Lang::Zh) => {
            format!("{}（{}）起 {length}", schedule.text(), schedule.zone().shown())
        }
    }
}

fn optional<T: Display>(value: Option<T>, none: &str) -> String {
    value.map_or_else(|| none.to_string(), |value| value.to_string())
}

/// Rows with their names padded to one width; a Chinese character is two columns wide.
fn table(rows: &[(&str, String)]) -> String {
    let width = |name: &str| name.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>();
    let widest = rows.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    rows.iter()
        .map(|(name, value)| format!("{name}{}  {value}\n", " ".repeat(widest - width(name))))
        .collect()
}
