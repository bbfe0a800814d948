//! The keys of `[page]` and `[defaults]`.

use super::bounds::LENGTH_MIN;
use super::monitor::early;
use super::notifier::notifier_names;
use crate::config::declare::section;
use crate::config::value::{ConfigValue, Located};
use crate::domain::limits::{FORGET_MAX, FORGET_MIN, INTERVAL_MAX, INTERVAL_MIN};
use crate::domain::time::Span;
use crate::domain::tolerance::Early;
use crate::i18n;

/// Longest address of the page.
const PAGE_URL_BYTES_MAX: usize = 1024;

section! {
    /// `[page]`.
    PageDraft {
    url: String {
        read: by(page_url),
        form: "<string>",
        example: r#""https://mon.example.org""#,
        en: "Where people reach the page, http or https: alerts have a link to the monitor then.",
        zh: "人们访问页面的地址，http 或 https；写了它，告警里就有指向监控项的链接。",
        sample: "Where people reach the page, for links in alerts.",
    }
    }
}

section! {
    /// `[defaults]`.
    DefaultsDraft {
    interval: Span {
        read: span(INTERVAL_MIN..=INTERVAL_MAX),
        default: "60s",
        en: "How often it beats. {range}, default {default}.",
        zh: "多久一次心跳。{range}，默认 {default}。",
        sample: "How often a monitor beats that does not say.",
    }
    grace: Span {
        read: span(Span(0)..=INTERVAL_MAX),
        example: r#""30s""#,
        en: "How long after that it is still only late, not down. {range}; by default a quarter of the interval, 30s
        at least and 1h at most, and with a schedule a quarter of the shortest time between two slots, within
        the same bounds. A monitor keeps what it has been told.",
        zh: "此后多久之内只算迟到，不算离线。{range}；默认是间隔的四分之一，至少 30s，最多 1h；有时间表时，是两个
        时刻之间最短时间的四分之一，上下限相同。监控项已经得知的保持不变。",
        sample: "How long after that it is still only late, not down; by default a quarter of the interval, 30s to 1h.",
    }
    early: Early {
        read: by(early),
        form: r#""<number>%" | <span>"#,
        default: "5%",
        en: "How long before a slot of its schedule a beat counts for that slot: a share of the time since the slot
        before, 0% to 50%, a minute at most; or a time, at most half of that between the slots. Default
        {default}; 0 for never.",
        zh: "时间表上的时刻到来之前多久之内的心跳，就算作那一次：距上一时刻的时间的一个比例，0% 到 50%，最多一分钟；
        或者一段时间，最多是两个时刻之间的一半。默认 {default}；0 表示不算。",
        sample: "How long before a slot of its schedule a beat counts for it: a share of the time between slots, a minute
        at most, or a time.",
    }
    first_beat: Option<Span> {
        read: span_or("never", LENGTH_MIN..=INTERVAL_MAX),
        default: "never",
        en: "How long a declared monitor may not have been heard; then it is down. Counted from when it was declared,
        also over restarts; with a schedule from the first slot after that, so that 2h suits nightly jobs too.
        {range}, default {default}.",
        zh: "声明之后多久还没有收到过心跳，就算离线。重启也接着算；有时间表时从声明后的第一个时刻算起，所以 2h 也
        适合每晚的任务。{range}，默认 {default}。",
        sample: r#"How long a declared monitor may not have been heard before it is down, or "never"; with a schedule since
        its first slot."#,
    }
    forget_after: Option<Span> {
        read: span_or("never", FORGET_MIN..=FORGET_MAX),
        default: "never",
        en: "How long it may be silent before it is forgotten: removed, with its incidents closed. {range}, default
        {default}.",
        zh: "沉默多久就遗忘：移除它，并结束它的故障。{range}，默认 {default}。",
        sample: r#"How long a monitor may be silent before it is forgotten, or "never"."#,
    }
    notify: Vec<Located<String>> {
        read: by(notifier_names),
        form: "[<name>, ...]",
        example: r#"["ops"]"#,
        en: "Whom to tell of monitors whose rule does not say, at most 16 names of `[[notifier]]`. Default [], so
        that nobody is told of anything.",
        zh: "规则没有说明的监控项通知谁，最多 16 个 `[[notifier]]` 的名字。默认 []，所以不会通知任何人。",
        sample: "Whom to tell of monitors whose rule does not say: names of [[notifier]]; by default nobody is told of
        anything.",
    }
    }
}

/// Where people reach the page: http or https, without a query, and without the slash at its end.
fn page_url(value: ConfigValue<'_>) -> Option<String> {
    let text = value.string()?.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"?#<>\"\\@".contains(c);
    if !host.is_empty()
        && !host.starts_with('/')
        && text.len() <= PAGE_URL_BYTES_MAX
        && text.chars().all(is_plain)
    {
        return Some(text.to_string());
    }
    value.expected(i18n::config::WEB_ADDRESS);
    None
}
