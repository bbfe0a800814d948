//! `[[monitor]]`: rules for particular monitors, and their maintenance windows.
//!
//! The keys of a rule are read first, in any order, and put together then: a schedule needs its zone, a window the
//! zone of its rule, and some keys exclude each other. Whether rules go together is asked last, when all files have
//! been read.

use super::fault::{Findings, Text};
use super::value::{Key, Located, Moment, Value};
use super::{notifier, schema, words};
use crate::domain::address::Peer;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::limits::{
    FORGET_MAX, FORGET_MIN, INTERVAL_MAX, INTERVAL_MIN, RULE_AFTER_MAX, RULE_WINDOWS_MAX, RULES_MAX,
    TAG_BYTES_MAX, TAGS_MAX, WINDOW_MAX, WINDOWS_MAX,
};
use crate::domain::pattern::Pattern;
use crate::domain::policy::Defaults;
use crate::domain::rules::{Match, Rule, Rules};
use crate::domain::schedule::{Schedule, WEEKDAYS};
use crate::domain::time::Span;
use crate::domain::tolerance::Early;
use crate::domain::window::Window;
use crate::domain::zone::Zone;
use crate::sys::clock;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Shortest maintenance window that recurs, and shortest run.
const LENGTH_MIN: Span = Span::secs(1);

/// One `[[monitor]]` as it is written.
#[derive(Default)]
pub(super) struct Draft {
    matches: Option<Match>,
    /// Whether `match` was given at all, rightly or wrongly.
    matched: bool,
    interval: Option<Span>,
    grace: Option<Span>,
    schedule: Option<Located<String>>,
    zone: Option<Located<Zone>>,
    early: Option<Located<Early>>,
    first_beat: Option<Option<Span>>,
    run_limit: Option<Span>,
    forget_after: Option<Option<Span>>,
    notify: Option<Vec<Located<String>>>,
    after: Vec<Located<String>>,
    tags: Vec<String>,
    windows: Vec<Located<WindowDraft>>,
}

/// An element of `maintenance` as it is written.
#[derive(Default)]
struct WindowDraft {
    from: Option<Located<Moment>>,
    to: Option<Located<Moment>>,
    weekdays: Vec<&'static str>,
    at: Option<(u8, u8)>,
    length: Option<Span>,
    cron: Option<Located<String>>,
    zone: Option<Zone>,
    /// Which keys were given, rightly or wrongly.
    given: BTreeSet<&'static str>,
}

/// The keys of `[[monitor]]`.
pub(super) const KEYS: &[Key<Draft>] = &[
    Key {
        name: "match",
        read: |draft, value| {
            draft.matched = true;
            draft.matches = whom(value);
        },
    },
    Key { name: "interval", read: |draft, value| draft.interval = value.span(INTERVAL_MIN..=INTERVAL_MAX) },
    Key { name: "grace", read: |draft, value| draft.grace = value.span(Span(0)..=INTERVAL_MAX) },
    Key { name: "schedule", read: |draft, value| draft.schedule = text(value) },
    Key { name: "timezone", read: |draft, value| draft.zone = value.located(zone(value)) },
    Key { name: "early", read: |draft, value| draft.early = value.located(early(value)) },
    Key { name: "first_beat", read: |draft, value| draft.first_beat = first_beat(value) },
    Key { name: "run_limit", read: |draft, value| draft.run_limit = value.span(LENGTH_MIN..=INTERVAL_MAX) },
    Key {
        name: "forget_after",
        read: |draft, value| draft.forget_after = value.span_or("never", FORGET_MIN..=FORGET_MAX),
    },
    Key { name: "notify", read: |draft, value| draft.notify = notifier::names(value) },
    Key { name: "after", read: |draft, value| draft.after = after(value) },
    Key { name: "tags", read: |draft, value| draft.tags = tags(value) },
    Key {
        name: "maintenance",
        read: |draft, value| {
            for element in value.elements(RULE_WINDOWS_MAX).unwrap_or_default() {
                let mut window = WindowDraft::default();
                if element.section(WINDOW, |_| None, &mut window) {
                    draft.windows.extend(element.located(Some(window)));
                }
            }
        },
    },
];

const WINDOW: &[Key<WindowDraft>] = &[
    Key {
        name: "from",
        read: |window, value| {
            window.given.insert("from");
            window.from = value.located(value.moment());
        },
    },
    Key {
        name: "to",
        read: |window, value| {
            window.given.insert("to");
            window.to = value.located(value.moment());
        },
    },
    Key {
        name: "weekly",
        read: |window, value| {
            window.given.insert("weekly");
            window.weekdays = weekdays(value);
        },
    },
    Key {
        name: "at",
        read: |window, value| {
            window.given.insert("at");
            window.at = value.time_of_day();
        },
    },
    Key {
        name: "cron",
        read: |window, value| {
            window.given.insert("cron");
            window.cron = text(value);
        },
    },
    Key {
        name: "for",
        read: |window, value| {
            window.given.insert("for");
            window.length = value.span(LENGTH_MIN..=WINDOW_MAX);
        },
    },
    Key { name: "timezone", read: |window, value| window.zone = zone(value) },
];

/// Reads all `[[monitor]]` of a file.
pub(super) fn read(value: Value<'_>, elsewhere: fn(&str) -> Option<String>, into: &mut schema::Draft) {
    for element in value.elements(RULES_MAX).unwrap_or_default() {
        let mut draft = Draft::default();
        if !element.section(KEYS, elsewhere, &mut draft) {
            continue;
        }
        if !draft.matched {
            element.fault(Text::new(
                "match is missing: name an id, a pattern such as \"web-*\" or a network",
                "缺少 match：请写标识、模式（例如 \"web-*\"）或网段",
            ));
        }
        into.rule_notify.extend(draft.notify.iter().flatten().cloned());
        into.monitors.extend(element.located(draft.finish(element)));
    }
}

/// The rules of all files, held against each other.
pub(super) fn rules(drafts: Vec<Located<Rule>>, defaults: &Defaults, findings: &Findings) -> Rules {
    let mut named = BTreeSet::new();
    let mut windows = 0;
    for (index, Located { value: rule, origin }) in drafts.iter().enumerate() {
        let fault = |reason| findings.fault(origin.place.clone(), origin.key.clone(), reason);
        if index == RULES_MAX {
            fault(too_many(RULES_MAX));
            break;
        }
        let many = windows > WINDOWS_MAX;
        windows += rule.windows.len();
        if !many && windows > WINDOWS_MAX {
            fault(Text::new(
                format!("too many maintenance windows in all: at most {WINDOWS_MAX}"),
                format!("维护窗口总数过多：最多 {WINDOWS_MAX} 个"),
            ));
        }
        let whom = words::whom(&rule.matches);
        if !named.insert(whom.clone()) {
            fault(Text::new(format!("{whom} is named twice"), format!("{whom} 出现了两次")));
        }
        let interval = rule.interval.unwrap_or(defaults.interval);
        let silence = interval.0.saturating_add(defaults.grace_for(Some(rule), interval).0);
        if let (Some(Some(forget)), None) = (rule.forget_after, &rule.schedule) {
            if let Some(text) = hasty(forget, Span(silence)) {
                findings.warn(&origin.place, "monitor.forget_after", text);
            }
        }
    }
    let (mut all, origins): (Vec<_>, Vec<_>) =
        drafts.into_iter().map(|draft| (draft.value, draft.origin)).unzip();
    for rule in &mut all {
        rule.early = rule.early.or(Some(defaults.early)).filter(|_| rule.schedule.is_some());
    }
    let rules = Rules::new(all);
    for (rule, origin) in rules.iter().zip(&origins) {
        for (key, text) in idle(rule, &rules, defaults, findings) {
            findings.warn(&origin.place, key, text);
        }
    }
    for (id, number) in rules.declared() {
        let place = rules.iter().position(|rule| rule.literal() == Some(id)).unwrap_or_default();
        if let (Some(origin), Some(first)) = (origins.get(place), rules.get(number)) {
            if usize::from(number) != place {
                let first = words::whom(&first.matches);
                let text = Text::new(
                    format!("{id} goes by the rule for {first}, which stands before this one"),
                    format!("{id} 适用排在此规则之前的 {first} 规则"),
                );
                findings.warn(&origin.place, &origin.key, text);
            }
        }
    }
    rules
}

/// What of a rule does nothing, or other than it seems to: the key and a sentence.
fn idle(rule: &Rule, all: &Rules, defaults: &Defaults, findings: &Findings) -> Vec<(&'static str, Text)> {
    let mut found = Vec::new();
    let now = clock::wall();
    for window in &rule.windows {
        if let Window::Once { to, .. } = window {
            if *to <= now {
                let to = to.rfc3339();
                let text = Text::new(
                    format!("a window that ended at {to} is of no use any more: remove it"),
                    format!("已于 {to} 结束的维护窗口不再起作用：请删除"),
                );
                found.push(("monitor.maintenance", text));
            }
        }
    }
    // Who beats from a network is known only when it beats.
    let is_open = findings.is_fragment() || all.iter().any(|rule| matches!(rule.matches, Match::Network(_)));
    for id in rule.after.iter().filter(|id| !is_open && all.find(id, Peer::Unix).is_none()) {
        let text = Text::new(
            format!("no [[monitor]] names {id}: check how it is written, or declare it"),
            format!("没有 [[monitor]] 指明 {id}：请检查写法，或声明它"),
        );
        found.push(("monitor.after", text));
    }
    let Some(schedule) = &rule.schedule else { return found };
    if let Some(Early::For(span)) = rule.early.filter(|early| *early != defaults.early) {
        let most = Span(schedule.shortest_gap().0 / 2);
        if span > most {
            let text = Text::new(
                format!("only {most} of {span} count: half of the time between two slots"),
                format!("{span} 中只有 {most} 有效：两个时刻之间的一半"),
            );
            found.push(("monitor.early", text));
        }
    }
    if let Some((field, part)) = schedule.idle_step() {
        let (name, zh) = (field.name(), words::field_zh(field));
        let text = Text::new(
            format!("the step of {part} is longer than the {name} goes on: only the first one is due"),
            format!("{part} 的步长超出“{zh}”的范围：只有第一个有效"),
        );
        found.push(("monitor.schedule", text));
    }
    found
}

/// A warning where monitors would be forgotten before they are down after so long a silence.
pub(super) fn hasty(forget: Span, silence: Span) -> Option<Text> {
    (forget <= silence).then(|| {
        Text::new(
            format!("monitors are forgotten after {forget}, but down only after {silence}"),
            format!("监控项在 {forget} 后即被遗忘，而 {silence} 后才会判为离线"),
        )
    })
}

impl Draft {
    /// The rule, if nothing in it is wrong that would make it another one.
    fn finish(self, element: Value<'_>) -> Option<Rule> {
        let own_zone = self.zone.as_ref().map(|zone| zone.value.clone()).unwrap_or_default();
        let mut rule = Rule::new(self.matches?);
        if let Some(Located { value: expression, origin }) = &self.schedule {
            if self.interval.is_some() {
                element.fault_at(
                    origin,
                    Text::new(
                        "a schedule and an interval exclude each other; leave one out",
                        "schedule 与 interval 不能同时使用；请去掉一个",
                    ),
                );
            }
            match Schedule::in_zone(expression, own_zone.clone()) {
                Ok(schedule) => rule.schedule = Some(schedule),
                Err(error) => element.fault_at(origin, words::schedule(&error)),
            }
        }
        if let Some(early) = self.early.as_ref().filter(|_| self.schedule.is_none()) {
            element.fault_at(
                &early.origin,
                Text::new("has no effect without schedule", "没有 schedule 时不起作用"),
            );
        }
        if let Some(own) = self.after.iter().find(|id| Some(id.value.as_str()) == rule.literal()) {
            element
                .fault_at(&own.origin, Text::new("a monitor cannot depend on itself", "监控项不能依赖自身"));
        }
        rule.windows =
            self.windows.into_iter().filter_map(|window| finish_window(window, element, &own_zone)).collect();
        rule.zone = self.zone.map(|zone| zone.value);
        rule.interval = self.interval;
        rule.grace = self.grace;
        rule.early = self.early.map(|early| early.value);
        rule.first_beat = self.first_beat;
        rule.run_limit = self.run_limit;
        rule.forget_after = self.forget_after;
        rule.tags = self.tags;
        rule.notify = self.notify.map(|names| names.into_iter().map(|name| name.value).collect());
        rule.after = self.after.into_iter().map(|id| id.value).collect();
        Some(rule)
    }
}

fn finish_window(draft: Located<WindowDraft>, element: Value<'_>, zone: &Zone) -> Option<Window> {
    let Located { value: draft, origin } = draft;
    let zone = draft.zone.unwrap_or_else(|| zone.clone());
    let given: Vec<&str> = draft.given.iter().copied().collect();
    match given.as_slice() {
        ["from", "to"] => {
            let (from, to) = (draft.from?, draft.to?);
            let at = |moment: &Located<Moment>| {
                let found = match moment.value {
                    Moment::Instant(at) => Some(at),
                    Moment::Shown(shown) => zone.instant(shown),
                };
                if found.is_none() {
                    element.fault_at(&moment.origin, Text::new("too far in the future", "时间过于遥远"));
                }
                found
            };
            let (from, end) = (at(&from)?, at(&to)?);
            let window = Window::once(from, end);
            if window.is_none() {
                element.fault_at(&to.origin, Text::new("must be later than from", "必须晚于 from"));
            }
            window
        }
        ["at", "for", "weekly"] => {
            let ((hour, minute), length) = (draft.at?, draft.length?);
            let expression = format!("{minute} {hour} * * {}", draft.weekdays.join(","));
            Some(Window::Recurring { schedule: Schedule::in_zone(&expression, zone).ok()?, length })
        }
        ["cron", "for"] => {
            let (cron, length) = (draft.cron?, draft.length?);
            match Schedule::in_zone(&cron.value, zone) {
                Ok(schedule) => Some(Window::Recurring { schedule, length }),
                Err(error) => {
                    element.fault_at(&cron.origin, words::schedule(&error));
                    None
                }
            }
        }
        _ => {
            let reason = Text::new(
                "a window has from and to, or weekly, at and for, or cron and for",
                "维护窗口应写 from 和 to，或 weekly、at 和 for，或 cron 和 for",
            );
            element.fault_at(&origin, reason);
            None
        }
    }
}

/// How long before its slot a beat counts for it: a share or a span.
pub(super) fn early(value: Value<'_>) -> Option<Early> {
    let text = value.as_text().unwrap_or_default();
    let Some(percent) = text.trim().strip_suffix('%') else {
        return value.span(Span(0)..=INTERVAL_MAX).map(Early::For);
    };
    let percent = percent.trim_end().parse().ok().filter(|percent| *percent <= Early::PERCENT_MAX);
    if percent.is_none() {
        let most = Early::PERCENT_MAX;
        value.fault(Text::new(
            format!("not a share: write 0% to {most}%, or a duration such as 30s"),
            format!("不是比例：请写 0% 到 {most}%，或 30s 之类的时长"),
        ));
    }
    percent.map(Early::Percent)
}

/// How long a declared monitor may not have been heard.
pub(super) fn first_beat(value: Value<'_>) -> Option<Option<Span>> {
    value.span_or("never", LENGTH_MIN..=INTERVAL_MAX)
}

fn whom(value: Value<'_>) -> Option<Match> {
    let text = value.string()?;
    // Ids may hold a slash too, but none that is a network does.
    if text.split_once('/').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok()) {
        return value.network().map(Match::Network);
    }
    match Pattern::parse(text) {
        Ok(pattern) => Some(Match::Id(pattern)),
        Err(error) => {
            value.fault(words::id(error));
            None
        }
    }
}

fn text(value: Value<'_>) -> Option<Located<String>> {
    value.located(value.string().map(str::to_string))
}

fn zone(value: Value<'_>) -> Option<Zone> {
    let name = value.string()?;
    match Zone::parse(name) {
        Ok(zone) => Some(zone),
        Err(error) => {
            let reason = match words::near_zone(name) {
                Some(near) => Text::new(format!("did you mean {near}?"), format!("是否想写 {near}？")),
                None => words::zone(error),
            };
            value.fault(Text::new(
                format!("{name:?}: {}", reason.say(Lang::En)),
                format!("{name:?}：{}", reason.say(Lang::Zh)),
            ));
            None
        }
    }
}

fn weekdays(value: Value<'_>) -> Vec<&'static str> {
    let elements = value.elements(WEEKDAYS.len()).unwrap_or_default();
    let mut days = Vec::new();
    for element in &elements {
        let Some(text) = element.string() else { continue };
        match WEEKDAYS.into_iter().find(|day| *day == text) {
            Some(day) => days.push(day),
            None => element.fault(Text::new(
                format!("{text:?} is not a day: write mon, tue, wed, thu, fri, sat or sun"),
                format!("{text:?} 不是星期：请写 mon、tue、wed、thu、fri、sat 或 sun"),
            )),
        }
    }
    if elements.is_empty() {
        value.fault(Text::new("a day is missing", "缺少星期"));
    }
    days
}

fn tags(value: Value<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for element in value.elements(TAGS_MAX).unwrap_or_default() {
        let Some(tag) = element.string() else { continue };
        if (1..=TAG_BYTES_MAX).contains(&tag.len()) && !tag.chars().any(char::is_control) {
            tags.push(tag.to_string());
        } else {
            element.fault(Text::new(
                format!("a tag is 1 to {TAG_BYTES_MAX} bytes without control characters"),
                format!("标签应为 1 到 {TAG_BYTES_MAX} 字节，且不含控制字符"),
            ));
        }
    }
    tags
}

fn after(value: Value<'_>) -> Vec<Located<String>> {
    let mut ids = Vec::new();
    for element in value.elements(RULE_AFTER_MAX).unwrap_or_default() {
        let Some(id) = element.string() else { continue };
        match Id::new(id) {
            Ok(id) => ids.extend(element.located(Some(id.to_string()))),
            Err(error) => element.fault(words::id(error)),
        }
    }
    ids
}

fn too_many(most: usize) -> Text {
    Text::new(format!("too many: at most {most}"), format!("过多：最多 {most} 个"))
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
