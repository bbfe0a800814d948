//! The keys of `[[monitor]]` and of its maintenance windows.

use super::bounds::LENGTH_MIN;
use super::notifier::notifier_names;
use crate::config::declare::{Section, section};
use crate::config::hints;
use crate::config::value::{ConfigValue, Located, WrittenTime};
use crate::domain::id::Id;
use crate::domain::limits::{
    FORGET_MAX, FORGET_MIN, INTERVAL_MAX, INTERVAL_MIN, RULE_AFTER_MAX, RULE_WINDOWS_MAX, TAG_BYTES_MAX,
    TAGS_MAX, WINDOW_MAX,
};
use crate::domain::pattern::Pattern;
use crate::domain::rules::Match;
use crate::domain::schedule::WEEKDAYS;
use crate::domain::time::Span;
use crate::domain::tolerance::Early;
use crate::domain::zone::Zone;
use crate::i18n;
use std::net::IpAddr;

section! {
    /// One `[[monitor]]`.
    MonitorDraft {
    r#match: Match {
        read: by(whom),
        form: "<id> | <pattern> | <network>",
        example: r#""web-*""#,
        en: "Needed. Whom it names: a single id, a pattern in which each * stands for anything, or a network, written
        with a slash, for monitors whose beats come from it or whose id is an address in it. A rule for a single
        id also declares its monitor, which is then shown, as new, before it is ever heard.",
        zh: "必需。点到谁：单个标识；模式，其中每个 * 代表任意内容；或者带斜线的网络，指心跳来自该网络、或标识是其
        中地址的监控项。单个标识的规则同时声明了它的监控项，还没有收到心跳就会显示为“待上线”。",
        sample: r#"An id, a pattern such as "web-*", or a network such as "10.1.0.0/16"; a single id is shown before it is
        first heard."#,
    }
    interval: Span {
        read: span(INTERVAL_MIN..=INTERVAL_MAX),
        example: r#""60s""#,
        en: "How often it beats; its beats can change neither that nor the grace. {range}.",
        zh: "多久一次心跳；它的心跳既不能改变间隔，也不能改变宽限。{range}。",
        sample: "How often it beats; its beats cannot change that.",
    }
    grace: Span {
        read: span(Span(0)..=INTERVAL_MAX),
        example: r#""30s""#,
        en: "How long after that, or after a slot of its schedule, it is still only late, not down. {range}, default
        that of `[defaults]`.",
        zh: "此后，或时间表上的时刻之后，多久之内只算迟到，不算离线。{range}，默认见 `[defaults]`。",
        sample: "How long after that it is still only late, not down; by default a quarter of the interval, 30s to 1h.",
    }
    schedule: String {
        read: by(ConfigValue::owned),
        form: "<schedule>",
        example: r#""30 3 * * *""#,
        en: "When it is due, in place of an interval. A beat before a slot does not satisfy it, unless it comes
        shortly before, see `early`. It is late a moment after the slot: a twentieth of the time since the slot
        before, 10s at least and 1m at most, but no more than half of the grace, of which that is a part.",
        zh: "什么时候该有心跳，代替间隔。时刻到来之前发的心跳，不能算作那一次，除非只早一点，见 `early`。时刻过后
        稍等片刻才算迟到：距上一时刻的时间的二十分之一，至少 10s，最多 1m，但不超过宽限的一半，并且算在宽限之
        内。",
        sample: "When it is due, as in crontab(5), in place of an interval.",
    }
    timezone: Zone {
        read: by(zone),
        form: "<zone>",
        default: "local",
        en: "Whose clocks the schedule, the maintenance windows and the times in alerts go by. Default {default}.",
        zh: "时间表、维护窗口和告警里的时间按哪里的时钟。默认 {default}。",
        sample: r#"Whose clocks that and the times in alerts go by: "local", "UTC" or a name such as "Europe/Berlin"."#,
    }
    early: Early {
        read: by(early),
        form: r#""<number>%" | <span>"#,
        example: r#""30s""#,
        en: "How long before a slot a beat counts for it, as in `[defaults]`.",
        zh: "时刻到来之前多久之内的心跳就算作那一次，同 `[defaults]`。",
        sample: "How long before that a beat counts for it.",
    }
    first_beat: Option<Span> {
        read: span_or("never", LENGTH_MIN..=INTERVAL_MAX),
        example: r#""2h""#,
        en: "How long it may not have been heard since it was declared, or since its first slot after that, as in
        `[defaults]`.",
        zh: "声明之后，或声明后的第一个时刻之后，多久还没有收到过心跳就算离线，同 `[defaults]`。",
        sample: r#"How long one that is declared may not have been heard before it is down, or "never"; with a schedule
        since its first slot."#,
    }
    run_limit: Span {
        read: span(LENGTH_MIN..=INTERVAL_MAX),
        example: r#""1h""#,
        en: r#"How long a run may take that a beat with the status "start" began; then its monitor is down. {range}; by
        default the interval and the grace together, and with a schedule until the next slot and its grace: a
        nightly job a day and its grace."#,
        zh: r#"以 "start" 心跳开始的运行可以用多久；超时则其监控项离线。{range}；默认是间隔加宽限，有时间表时是到下
        一个时刻再加宽限：每晚的任务即一天加宽限。"#,
        sample: r#"How long a run that was begun with the status "start" may take; by default interval and grace together,
        with a schedule until the next slot and the grace."#,
    }
    forget_after: Option<Span> {
        read: span_or("never", FORGET_MIN..=FORGET_MAX),
        example: r#""never""#,
        en: "How long it may be silent before it is forgotten. {range}; a declared monitor is never forgotten.",
        zh: "沉默多久就遗忘。{range}；声明的监控项从不遗忘。",
        sample: r#"How long it may be silent before it is forgotten, or "never"."#,
    }
    notify: Vec<Located<String>> {
        read: by(notifier_names),
        form: "[<name>, ...]",
        example: r#"["mail"]"#,
        en: "Whom to tell when they go down and when they are up again: these, and not those of `[defaults]`. [] for
        nobody.",
        zh: "离线和恢复时通知谁：通知这些，而不是 `[defaults]` 里的。[] 表示谁也不通知。",
        sample: "Whom to tell of them, in place of the default; [] for nobody.",
    }
    after: Vec<Located<String>> {
        read: by(after),
        form: "[<id>, ...]",
        default: [],
        en: "The monitors that they depend on, at most 16. While one of those is down nothing is said of these; the
        message about it names them. When it is up again, these have their interval and grace, 15 minutes at
        most, to be heard; then they are told of.",
        zh: "它们所依赖的监控项，最多 16 个。其中之一离线期间，不单独通知这些；关于它的消息里会写明这些。它恢复之
        后，这些还有一个间隔加宽限的时间（最多 15 分钟）可以重新出现，之后才会通知。",
        sample: "Ids of the monitors that they depend on: while one of those is down, nothing is said of these.",
    }
    tags: Vec<String> {
        read: by(tags),
        form: "[<string>, ...]",
        example: r#"["web"]"#,
        en: "Labels added to those of its beats; at most 16, of at most 64 bytes.",
        zh: "加在心跳所带标签之外的标签；最多 16 个，每个最长 64 字节。",
        sample: "Labels added to those of its beats.",
    }
    maintenance: Vec<Located<WindowDraft>> {
        read: by(windows),
        form: "[<window>, ...]",
        example: r#"[{ weekly = ["sat", "sun"], at = "02:00", for = "2h" }]"#,
        en: "When silence is expected: for that time it is paused, unless a person resumes it. At most 16, and 1000
        in all rules. A <window> is one of",
        zh: "什么时候本来就会沉默：这段时间暂停，除非有人恢复它。最多 16 个，所有规则一共最多 1000 个。<窗口> 是以
        下之一：",
        sample: "When silence is expected, so that it is paused: { weekly, at, for }, { cron, for } or { from, to }.",
    }
    }
}

section! {
    /// An element of `monitor.maintenance`.
    WindowDraft {
        from: WrittenTime { read: by(ConfigValue::moment) }
        to: WrittenTime { read: by(ConfigValue::moment) }
        weekly: Vec<&'static str> { read: by(weekdays) }
        at: (u8, u8) { read: by(ConfigValue::time_of_day) }
        cron: String { read: by(ConfigValue::owned) }
        r#for: Span { read: span(LENGTH_MIN..=WINDOW_MAX) }
        timezone: Zone { read: by(zone) }
    }
}

fn windows(value: ConfigValue<'_>) -> Option<Vec<Located<WindowDraft>>> {
    let window = |element: ConfigValue<'_>| {
        let mut window = WindowDraft::default();
        let read = element.section(WindowDraft::KEYS, |_| None, &mut window);
        element.located(read.then_some(window))
    };
    Some(value.elements(RULE_WINDOWS_MAX)?.into_iter().filter_map(window).collect())
}

/// How long before its slot a beat counts for it: a share or a span.
pub(in crate::config::schema) fn early(value: ConfigValue<'_>) -> Option<Early> {
    let text = value.as_text().unwrap_or_default();
    let Some(percent) = text.trim().strip_suffix('%') else {
        return value.span(Span(0)..=INTERVAL_MAX).map(Early::For);
    };
    let percent = percent.trim_end().parse().ok().filter(|percent| *percent <= Early::PERCENT_MAX);
    if percent.is_none() {
        let most = Early::PERCENT_MAX;
        value.reject(i18n::config::not_a_share(&most));
    }
    percent.map(Early::Percent)
}

fn whom(value: ConfigValue<'_>) -> Option<Match> {
    let text = value.string()?;
    // Ids may hold a slash too, but none that is a network does.
    if text.split_once('/').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok()) {
        return value.network().map(Match::Network);
    }
    match Pattern::parse(text) {
        Ok(pattern) => Some(Match::Id(pattern)),
        Err(error) => {
            value.reject(error.word().into());
            None
        }
    }
}

fn zone(value: ConfigValue<'_>) -> Option<Zone> {
    let name = value.string()?;
    match Zone::parse(name) {
        Ok(zone) => Some(zone),
        Err(error) => {
            let reason = match hints::near_zone(name) {
                Some(near) => i18n::config::did_you_mean(&near),
                None => error.word().into(),
            };
            value.reject(i18n::config::quoted(&name, &reason));
            None
        }
    }
}

fn weekdays(value: ConfigValue<'_>) -> Option<Vec<&'static str>> {
    let elements = value.elements(WEEKDAYS.len())?;
    let mut days = Vec::new();
    for element in &elements {
        let Some(text) = element.string() else { continue };
        match WEEKDAYS.into_iter().find(|day| *day == text) {
            Some(day) => days.push(day),
            None => element.reject(i18n::config::not_day_write_mon(&text)),
        }
    }
    if elements.is_empty() {
        value.reject(i18n::config::DAY_MISSING.into());
    }
    Some(days)
}

fn tags(value: ConfigValue<'_>) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    for element in value.elements(TAGS_MAX)? {
        let Some(tag) = element.string() else { continue };
        if (1..=TAG_BYTES_MAX).contains(&tag.len()) && !tag.chars().any(char::is_control) {
            tags.push(tag.to_string());
        } else {
            element.reject(i18n::config::tag_1_bytes_without(&TAG_BYTES_MAX));
        }
    }
    Some(tags)
}

fn after(value: ConfigValue<'_>) -> Option<Vec<Located<String>>> {
    let mut ids = Vec::new();
    for element in value.elements(RULE_AFTER_MAX)? {
        let Some(id) = element.string() else { continue };
        match Id::new(id) {
            Ok(id) => ids.extend(element.located(Some(id.to_string()))),
            Err(error) => element.reject(error.word().into()),
        }
    }
    Some(ids)
}
