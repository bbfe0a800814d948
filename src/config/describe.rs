//! What `check-config` prints: what would run, in a few lines that a person reads at a glance. Secrets are counted,
//! never shown.

use super::hints;
use super::settings::{Confine, Listen, ListenTls, Settings};
use super::tls;
use super::value::size_text;
use crate::domain::access::Access;
use crate::domain::alert::Notifier;
use crate::domain::lang::Lang;
use crate::domain::limits::Limits;
use crate::domain::policy::{Defaults, SocketTimes, Sync, TcpTimes};
use crate::domain::rules::Rule;
use crate::domain::schedule::Schedule;
use crate::domain::time::{Span, Wall};
use crate::domain::window::Window;
use crate::i18n::{self, Text};
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
        let mut rows: Vec<(&str, String)> = Vec::new();
        if self.sources.is_empty() {
            rows.push((
                i18n::config::FILES.in_lang(lang),
                i18n::config::NONE_DEFAULTS_ONLY.in_lang(lang).into(),
            ));
        }
        for source in &self.sources {
            rows.push((i18n::config::FILE.in_lang(lang), source.display().to_string()));
        }
        for listen in &self.listen {
            rows.push((i18n::config::LISTEN.in_lang(lang), describe_listen(listen, lang)));
        }
        for target in &self.log.targets {
            let what = match target.beats {
                true => i18n::config::BEATS_EVENTS.in_lang(lang),
                false => i18n::config::EVENTS.in_lang(lang),
            };
            rows.push((i18n::config::LOG.in_lang(lang), format!("{} ({what})", target.target)));
        }
        let chosen = i18n::config::ENGLISH.in_lang(self.log.lang);
        rows.push((
            i18n::config::LOG_FORMAT.in_lang(lang),
            format!("{}, {}, {}", self.log.format.name(), self.log.level.name(), chosen),
        ));
        rows.push((
            i18n::config::LOG_FILES.in_lang(lang),
            i18n::config::each_kept(&size_text(self.log.file_bytes_max), &self.log.file_keep).in_lang(lang),
        ));
        rows.push((i18n::config::STATE.in_lang(lang), self.state_dir.display().to_string()));
        let sync = match self.state.sync {
            Sync::Second => i18n::config::DISK_EVERY_SECOND.in_lang(lang),
            Sync::Always => i18n::config::DISK_BEFORE_EACH_ANSWER.in_lang(lang),
        };
        let history = self.state.history;
        rows.push((i18n::config::KEPT.in_lang(lang), i18n::config::history(&sync, &history).in_lang(lang)));
        let control = self.control.as_ref().map(|path| path.display());
        rows.push((i18n::config::CONTROL.in_lang(lang), optional(control, i18n::config::OFF.in_lang(lang))));
        rows.extend(describe_access(&self.access, lang));
        rows.extend(self.describe_limits(lang));
        let SocketTimes { ping_interval, timeout } = self.websocket;
        rows.push((
            i18n::config::ROW_WEBSOCKET.in_lang(lang),
            i18n::config::websocket_times(&ping_interval, &timeout).in_lang(lang),
        ));
        if let Some(most) = self.governor.beats_per_second {
            let times = self.governor.stretch_max;
            rows.push((
                i18n::config::GOVERNOR.in_lang(lang),
                i18n::config::above_beats_s_intervals(&most, &times).in_lang(lang),
            ));
        }
        let TcpTimes { ping_interval, timeout, frame_timeout, line_timeout, anonymous } = self.tcp;
        let nameless = anonymous.name();
        rows.push((
            i18n::config::ROW_TCP.in_lang(lang),
            i18n::config::tcp_times(&ping_interval, &timeout, &frame_timeout, &line_timeout, &nameless)
                .in_lang(lang),
        ));
        let Defaults { interval, grace, early, first_beat, forget_after } = self.defaults;
        let grace = optional(grace, i18n::config::QUARTER_INTERVAL_30S_1H.in_lang(lang));
        let forget = optional(forget_after, i18n::config::NEVER.in_lang(lang));
        let first = optional(first_beat, i18n::config::NO_LIMIT.in_lang(lang));
        rows.push((
            i18n::config::DEFAULTS.in_lang(lang),
            i18n::config::interval_grace_early_first(&interval, &grace, &early, &first, &forget)
                .in_lang(lang),
        ));
        rows.extend(self.describe_notifiers(lang));
        let now = clock::wall();
        for rule in self.rules.iter() {
            rows.push((i18n::config::MONITOR.in_lang(lang), describe_rule(rule, &self.defaults, lang)));
            let next = rule.schedule.as_ref().map(|schedule| next_times(schedule, now));
            rows.extend(next.map(|next| (i18n::config::NEXT.in_lang(lang), next)));
        }
        rows.extend(self.describe_process(lang));
        table(&rows)
    }

    fn describe_limits(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let limits = &self.limits;
        let auto = i18n::config::MANY_OPEN_FILES_ALLOW.in_lang(lang);
        let connections = optional(limits.connections, auto);
        let off = i18n::config::NO_LIMIT.in_lang(lang);
        let (body, beat) = (size_text(limits.body_bytes as u64), size_text(limits.beat_bytes as u64));
        let head = size_text(limits.header_bytes as u64);
        let spans = [limits.header_timeout, limits.body_timeout, limits.idle_timeout, limits.write_timeout];
        let (memory, messages) = (size_text(limits.memory as u64), size_text(limits.messages as u64));
        let Limits { connections_per_address, header_lines, batch_beats, json_depth, .. } = limits;
        let [head_time, body_time, idle_time, unread_time] = spans;
        let rows = [
            (i18n::config::ROW_THREADS, Text::foreign(self.threads.to_string())),
            (i18n::config::ROW_CONNECTIONS, i18n::config::connections(&connections, connections_per_address)),
            (
                i18n::config::ROW_REQUESTS,
                i18n::config::requests(&head, header_lines, &body, &beat, batch_beats, json_depth),
            ),
            (
                i18n::config::ROW_TIMEOUTS,
                i18n::config::timeouts(&head_time, &body_time, &idle_time, &unread_time),
            ),
            (i18n::config::ROW_MEMORY, i18n::config::memory(&memory, &messages, &limits.streams_per_address)),
            (
                i18n::config::ROW_MONITORS,
                i18n::config::monitors(&limits.monitors, &limits.new_monitors_per_hour),
            ),
            (i18n::config::ROW_BEATS, i18n::config::beats_each(&optional(limits.beats_per_second, off))),
        ];
        rows.map(|(name, text)| (name.in_lang(lang), text.in_lang(lang))).into()
    }

    /// The notifiers, and who is told where nobody says.
    fn describe_notifiers(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let name = i18n::config::NOTIFIER.in_lang(lang);
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
            [] => i18n::config::NOBODY_WHERE_NO_RULE.in_lang(lang).to_string(),
            names => names.join(i18n::config::COMMA.in_lang(lang)),
        };
        rows.push((i18n::config::TOLD.in_lang(lang), whom));
        if let Some(pair) = &self.alerts.pair {
            let text = match &pair.standby_for {
                Some(name) => i18n::config::pair_standby(&pair.url, &name, &pair.grace),
                None => i18n::config::pair_first(&pair.url),
            };
            rows.push((i18n::config::ROW_PAIR.in_lang(lang), text.in_lang(lang)));
        }
        rows
    }

    fn describe_process(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let process = &self.process;
        let how = match process.daemon {
            true => i18n::config::BACKGROUND.in_lang(lang),
            false => i18n::config::FOREGROUND.in_lang(lang),
        };
        let mut rows = vec![(i18n::config::RUNS.in_lang(lang), how.to_string())];
        if let Some(path) = &process.pid_file {
            rows.push((i18n::config::PID_FILE.in_lang(lang), path.display().to_string()));
        }
        rows.extend(process.user.iter().map(|name| (i18n::config::USER.in_lang(lang), name.clone())));
        rows.extend(process.group.iter().map(|name| (i18n::config::GROUP.in_lang(lang), name.clone())));
        let Confine { enabled, write, .. } = &self.confine;
        let more: Vec<String> = write.iter().map(|path| path.display().to_string()).collect();
        rows.push((
            i18n::config::CONFINED.in_lang(lang),
            match (enabled, more.is_empty()) {
                (false, _) => i18n::config::NO.in_lang(lang).into(),
                (true, true) => i18n::config::YES_FAR_NOTHING_ELSE.in_lang(lang).into(),
                (true, false) => {
                    i18n::config::yes_far_nothing_else(&more.join(i18n::config::COMMA.in_lang(lang)))
                        .in_lang(lang)
                }
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
        text.push_str(i18n::config::PROXIES_BELIEVED.in_lang(lang));
        text.push_str(&proxies.join(", "));
        text.push_str(i18n::config::CLIENT.in_lang(lang));
        text.push_str(listen.proxy_header.name());
    }
    match listen.keepalive {
        None => text.push_str(i18n::config::WITHOUT_KEEPALIVE.in_lang(lang)),
        Some(KeepAlive { idle, interval, count, user_timeout })
            if listen.keepalive != Some(KeepAlive::default()) =>
        {
            let times = format!("keepalive {idle}, {interval}, {count}, {user_timeout}");
            text.push_str(i18n::config::SEMICOLON_WITHIN.in_lang(lang));
            text.push_str(&times);
        }
        Some(_) => {}
    }
    if !listen.fast_path {
        text.push_str(i18n::config::WITHOUT_FAST_PATH.in_lang(lang));
    }
    if let Some(tls) = &listen.tls {
        text.push_str(&describe_tls(tls, lang));
    }
    text.push(')');
    text
}

fn describe_tls(tls: &ListenTls, lang: Lang) -> String {
    let mut text = match &tls.summary {
        Some(Summary { subject, ends, .. }) => {
            i18n::config::tls_until(&subject, &tls::day(*ends)).in_lang(lang)
        }

        None => i18n::config::TLS.in_lang(lang).to_string(),
    };
    text.push_str(match &tls.clients {
        None => "",
        Some((_, ClientAuth::Required)) => i18n::config::CLIENTS_MUST_SHOW_CERTIFICATE.in_lang(lang),
        Some((_, ClientAuth::Optional)) => i18n::config::CLIENTS_MAY_SHOW_CERTIFICATE.in_lang(lang),
    });
    text
}

fn describe_access(access: &Access, lang: Lang) -> Vec<(&'static str, String)> {
    let networks = |list: &[IpNet]| match list.is_empty() {
        true => i18n::config::NOBODY_BUT_UNIX_SOCKETS.in_lang(lang).to_string(),

        _ => list.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", "),
    };
    let token = |count: usize| match (count, lang) {
        (0, _) => String::new(),
        (1, Lang::En) => "; with a token (1 known)".to_string(),
        (_, _) => i18n::config::token_known(&count).in_lang(lang),
    };
    let but_denied = |list: &[IpNet]| match access.deny.as_slice() {
        [] => networks(list),
        denied => format!("{}{}{}", networks(list), i18n::config::EXCEPT.in_lang(lang), networks(denied)),
    };
    let beats = but_denied(&access.allow) + &token(access.beat_tokens.len());
    let read = but_denied(&access.read) + &token(access.read_tokens.len());
    let hosts = match access.hosts.listed.is_empty() {
        true => i18n::config::ANY_PAGES_CHANGE_SOMETHING.in_lang(lang).to_string(),

        false => i18n::config::addresses_localhost(&access.hosts.listed.join(", ")).in_lang(lang),
    };
    let admin = match access.admin_tokens.len() {
        0 => i18n::config::NOBODY_OVER_HTTP_NO.in_lang(lang).to_string(),

        count => i18n::config::with_a_token(&count).in_lang(lang),
    };
    [
        (i18n::config::ROW_MAY_BEAT, beats),
        (i18n::config::ROW_MAY_READ, read),
        (i18n::config::ROW_MAY_CHANGE, admin),
        (i18n::config::ROW_NAMES, hosts),
    ]
    .map(|(name, text)| (name.in_lang(lang), text))
    .into()
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
            (i18n::config::mail(&to, &way).in_lang(lang), mail.timeout)
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
    let mut remind = optional(*remind_every, i18n::config::NEVER.in_lang(lang));
    if *every_failure {
        remind.push_str(i18n::config::TELLS_EACH_FURTHER_FAILURE.in_lang(lang));
    }
    let concurrency = channel.concurrency;
    let mut text = i18n::config::gathers_down_least_reminds(
        &name,
        &how,
        &group_wait,
        &min_down,
        &remind,
        &rate_per_minute,
        &concurrency,
        &timeout,
        &retry_for,
    )
    .in_lang(lang);
    if let Some(fallback) = fallback {
        text.push_str(&i18n::config::then(&fallback).in_lang(lang));
    }
    text
}

/// Whom a rule names and what it asks of them; the first that fits holds, so they stand in their order.
fn describe_rule(rule: &Rule, defaults: &Defaults, lang: Lang) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, value: String| parts.push(format!("{name} {value}"));
    if let Some(interval) = rule.interval {
        part(i18n::config::INTERVAL.in_lang(lang), interval.to_string());
    }
    if let Some(schedule) = &rule.schedule {
        part(i18n::config::DUE.in_lang(lang), format!("{} ({})", schedule.text(), schedule.zone().shown()));
    }
    if let (Some(zone), None) = (&rule.zone, &rule.schedule) {
        part(i18n::config::TIMES.in_lang(lang), zone.shown());
    }
    if rule.grace.is_some() || rule.is_fixed() {
        let grace = defaults.grace_for(Some(rule), rule.interval.unwrap_or(defaults.interval));
        part(i18n::config::GRACE.in_lang(lang), grace.to_string());
    }
    if let Some(early) = rule.early.filter(|early| *early != defaults.early) {
        part(i18n::config::EARLY.in_lang(lang), early.to_string());
    }
    if let Some(first) = rule.first_beat {
        part(
            i18n::config::FIRST_HEARD_WITHIN.in_lang(lang),
            optional(first, i18n::config::NO_LIMIT.in_lang(lang)),
        );
    }
    match rule.run_limit {
        Some(limit) => part(i18n::config::RUN_LIMIT.in_lang(lang), limit.to_string()),
        None if rule.schedule.is_some() => {
            part(
                i18n::config::RUN_LIMIT_2.in_lang(lang),
                i18n::config::NEXT_TIME_GRACE.in_lang(lang).to_string(),
            );
        }
        None => {}
    }
    if let Some(forget) = rule.forget_after {
        part(
            i18n::config::FORGOTTEN_AFTER.in_lang(lang),
            optional(forget, i18n::config::NEVER.in_lang(lang)),
        );
    }
    if !rule.tags.is_empty() {
        part(i18n::config::TAGS.in_lang(lang), rule.tags.join(", "));
    }
    if let Some(notify) = &rule.notify {
        let nobody = notify.is_empty().then(|| i18n::config::NOBODY.in_lang(lang).to_string());
        part(i18n::config::TELLS.in_lang(lang), nobody.unwrap_or_else(|| notify.join(", ")));
    }
    if !rule.after.is_empty() {
        part(i18n::config::AFTER.in_lang(lang), rule.after.join(", "));
    }
    for window in &rule.windows {
        part(i18n::config::MAINTENANCE.in_lang(lang), describe_window(window, lang));
    }
    let what = if parts.is_empty() {
        i18n::config::DEFAULTS.in_lang(lang).to_string()
    } else {
        parts.join(i18n::config::SEMICOLON.in_lang(lang))
    };
    format!("{}{}{what}", hints::whom(&rule.matches), i18n::config::COLON.in_lang(lang))
}

/// When a schedule is due next, by the clocks it goes by.
fn next_times(schedule: &Schedule, now: Wall) -> String {
    let slots = std::iter::successors(schedule.next_after(now), |slot| schedule.next_after(*slot));
    let shown: Vec<String> = slots.take(NEXT_TIMES).filter_map(|slot| schedule.zone().stamp(slot)).collect();
    shown.join(", ")
}

fn describe_window(window: &Window, lang: Lang) -> String {
    match window {
        Window::Once { from, to } => i18n::config::from(&from.rfc3339(), &to.rfc3339()).in_lang(lang),

        Window::Recurring { schedule, length } => {
            i18n::config::at_for(&schedule.text(), &schedule.zone().shown(), &length).in_lang(lang)
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
