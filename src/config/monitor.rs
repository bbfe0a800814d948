//! The rules of `[[monitor]]`, made of what is written and held against each other.
//!
//! The keys of a rule are put together when all have been read: a schedule needs its zone, a window the zone of its
//! rule, and some keys exclude each other.

use super::declare::{Given, Section};
use super::error::Findings;
use super::hints;
use super::schema::{MonitorDraft, WindowDraft};
use super::value::{Located, Origin, WrittenTime};
use crate::domain::address::Peer;
use crate::domain::limits::{RULES_MAX, WINDOWS_MAX};
use crate::domain::policy::Defaults;
use crate::domain::rules::{Match, Rule, Rules};
use crate::domain::schedule::Schedule;
use crate::domain::time::Span;
use crate::domain::tolerance::Early;
use crate::domain::window::Window;
use crate::domain::zone::Zone;
use crate::i18n;
use crate::i18n::Text;
use crate::sys::clock;
use std::collections::BTreeSet;

/// The rules of all files, held against each other.
pub(super) fn rules(drafts: Vec<Located<MonitorDraft>>, defaults: &Defaults, findings: &Findings) -> Rules {
    let drafts: Vec<_> = drafts.into_iter().filter_map(|draft| finish(draft, findings)).collect();
    let mut named = BTreeSet::new();
    let mut windows = 0;
    for (index, Located { value: rule, origin }) in drafts.iter().enumerate() {
        let reject = |reason| findings.reject(origin.place.clone(), origin.key.clone(), reason);
        if index == RULES_MAX {
            reject(too_many(RULES_MAX));
            break;
        }
        let many = windows > WINDOWS_MAX;
        windows += rule.windows.len();
        if !many && windows > WINDOWS_MAX {
            reject(i18n::config::too_many_maintenance_windows(&WINDOWS_MAX));
        }
        let whom = hints::whom(&rule.matches);
        if !named.insert(whom.clone()) {
            reject(i18n::config::is_named_twice(&whom));
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
                let first = hints::whom(&first.matches);
                let text = i18n::config::goes_rule_which_stands(&id, &first);
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
                let text = i18n::config::window_ended_no_use(&to);
                found.push(("monitor.maintenance", text));
            }
        }
    }
    // Who beats from a network is known only when it beats.
    let is_open = findings.is_fragment() || all.iter().any(|rule| matches!(rule.matches, Match::Network(_)));
    for id in rule.after.iter().filter(|id| !is_open && all.find(id, Peer::Unix).is_none()) {
        let text = i18n::config::no_monitor_names_check(&id);
        found.push(("monitor.after", text));
    }
    let Some(schedule) = &rule.schedule else { return found };
    if let Some(Early::For(span)) = rule.early.filter(|early| *early != defaults.early) {
        let most = Span(schedule.shortest_gap().0 / 2);
        if span > most {
            let text = i18n::config::only_count_half_time(&most, &span);
            found.push(("monitor.early", text));
        }
    }
    if let Some((field, part)) = schedule.idle_step() {
        let text = i18n::config::step_too_long(&part, &field.word().into());
        found.push(("monitor.schedule", text));
    }
    found
}

/// A warning where monitors would be forgotten before they are down after so long a silence.
pub(super) fn hasty(forget: Span, silence: Span) -> Option<Text> {
    (forget <= silence).then(|| i18n::config::monitors_forgotten_after_but(&forget, &silence))
}

/// The rule, if nothing in it is wrong that would make it another one.
fn finish(draft: Located<MonitorDraft>, findings: &Findings) -> Option<Located<Rule>> {
    let Located { value: draft, origin } = draft;
    let reject_at = |at: &Option<Origin>, reason| {
        let at = at.as_ref().unwrap_or(&origin);
        findings.reject(at.place.clone(), at.key.clone(), reason);
    };
    if !draft.r#match.is_given() {
        let reason = i18n::config::MATCH_MISSING_NAME_ID.into();
        reject_at(&None, reason);
    }
    let own_zone = draft.timezone.value.clone().unwrap_or_default();
    let mut rule = Rule::new(draft.r#match.value?);
    if let Some(expression) = &draft.schedule.value {
        if draft.interval.value.is_some() {
            let reason = i18n::config::SCHEDULE_INTERVAL_EXCLUDE_EACH.into();
            reject_at(&draft.schedule.origin, reason);
        }
        match Schedule::in_zone(expression, own_zone.clone()) {
            Ok(schedule) => rule.schedule = Some(schedule),
            Err(error) => reject_at(&draft.schedule.origin, error.text()),
        }
    } else if draft.early.value.is_some() {
        let reason = i18n::config::NO_EFFECT_WITHOUT_SCHEDULE.into();
        reject_at(&draft.early.origin, reason);
    }
    let after = draft.after.or_default();
    if let Some(own) = after.iter().find(|id| Some(id.value.as_str()) == rule.literal()) {
        let reason = i18n::config::MONITOR_CANNOT_DEPEND_ITSELF.into();
        reject_at(&Some(own.origin.clone()), reason);
    }
    let windows = draft.maintenance.or_default().into_iter();
    rule.windows = windows.filter_map(|window| finish_window(window, &own_zone, &reject_at)).collect();
    rule.zone = draft.timezone.value;
    rule.interval = draft.interval.value;
    rule.grace = draft.grace.value;
    rule.early = draft.early.value;
    rule.first_beat = draft.first_beat.value;
    rule.run_limit = draft.run_limit.value;
    rule.forget_after = draft.forget_after.value;
    rule.tags = draft.tags.or_default();
    rule.notify = draft.notify.value.map(|names| names.into_iter().map(|name| name.value).collect());
    rule.after = after.into_iter().map(|id| id.value).collect();
    Some(Located { value: rule, origin })
}

fn finish_window(
    Located { value: draft, origin }: Located<WindowDraft>,
    zone: &Zone,
    reject_at: &impl Fn(&Option<Origin>, Text),
) -> Option<Window> {
    let mut given: Vec<&str> = draft.given().into_iter().map(|(name, ..)| name).collect();
    given.retain(|name| *name != "timezone");
    given.sort_unstable();
    let length = draft.r#for.value;
    let zone = draft.timezone.value.unwrap_or_else(|| zone.clone());
    match given.as_slice() {
        ["from", "to"] => {
            let at = |moment: &Given<WrittenTime>| {
                let found = match moment.value? {
                    WrittenTime::Instant(at) => Some(at),
                    WrittenTime::Shown(shown) => zone.instant(shown),
                };
                if found.is_none() {
                    reject_at(&moment.origin, i18n::config::TOO_FAR_FUTURE.into());
                }
                found
            };
            let (from, to) = (at(&draft.from), at(&draft.to));
            let window = Window::once(from?, to?);
            if window.is_none() {
                reject_at(&draft.to.origin, i18n::config::MUST_LATER_THAN_FROM.into());
            }
            window
        }
        ["at", "for", "weekly"] => {
            let ((hour, minute), days) = (draft.at.value?, draft.weekly.value?);
            let expression = format!("{minute} {hour} * * {}", days.join(","));
            Some(Window::Recurring { schedule: Schedule::in_zone(&expression, zone).ok()?, length: length? })
        }
        ["cron", "for"] => match (Schedule::in_zone(draft.cron.value.as_deref()?, zone), length?) {
            (Ok(schedule), length) => Some(Window::Recurring { schedule, length }),
            (Err(error), _) => {
                reject_at(&draft.cron.origin, error.text());
                None
            }
        },
        _ => {
            let reason = i18n::config::WINDOW_FROM_WEEKLY_CRON.into();
            reject_at(&Some(origin), reason);
            None
        }
    }
}

fn too_many(most: usize) -> Text {
    i18n::config::too_many_most(&most)
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
