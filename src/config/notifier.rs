//! `[[notifier]]`: how people are reached, and what each way is told and when.
//!
//! Which keys of a notifier belong together shows when its type is known, and whether the secrets can be had when all
//! files have been read. Then each is put together and tried out, so that what is wrong with a template or an address
//! is told with its line before anything is sent.

mod assemble;

use super::Env;
use super::error::Findings;
use super::schema::NotifierDraft;
use super::value::{Located, Origin};
use crate::domain::alert::policy::{AlertPolicy, NOTIFIERS_MAX, Notifier};
use crate::i18n;
use crate::i18n::Text;
use crate::notify::ChannelSettings;
use assemble::Assembly;
use std::collections::BTreeMap;

/// The notifiers of all files, held against each other, and who is told where nobody says.
pub(super) fn resolve(
    drafts: Vec<Located<NotifierDraft>>,
    notify: Vec<Located<String>>,
    env: &Env,
    findings: &Findings,
) -> (AlertPolicy, Vec<ChannelSettings>) {
    let mut policy = AlertPolicy::default();
    let mut channels = Vec::new();
    let mut fallbacks = Vec::new();
    let mut places: BTreeMap<String, Origin> = BTreeMap::new();
    for (index, Located { value: draft, origin }) in drafts.into_iter().enumerate() {
        let work = Assembly { origin: &origin, env, findings };
        if index == NOTIFIERS_MAX {
            work.reject(i18n::config::too_many_most(&NOTIFIERS_MAX));
            break;
        }
        fallbacks.extend(draft.fallback.clone().located());
        let name = draft.name.value.clone();
        let first = name.as_ref().and_then(|name| places.get(name));
        if let (Some(name), Some(first)) = (&name, first) {
            let first: &Origin = first;
            work.reject(i18n::config::named_twice_first_at(&name, &first.place));
            continue;
        }
        if let Some(name) = &name {
            places.insert(name.clone(), origin.clone());
        }
        let notifier = policy_of(&draft);
        // Even one that is wrong is there, lest whoever names it is told that it is not.
        policy.notifiers.extend(notifier);
        channels.extend(work.channel(draft));
    }
    for name in &fallbacks {
        known_one(name, &policy, findings);
    }
    for notifier in &policy.notifiers {
        if notifier.fallback.as_ref() == Some(&notifier.name) {
            let own = fallbacks.iter().find(|name| name.value == notifier.name);
            if let Some(Located { origin, .. }) = own {
                let reason = i18n::config::NOTIFIER_NOT_OWN_FALLBACK.into();
                findings.reject(origin.place.clone(), origin.key.clone(), reason);
            }
        }
    }
    known(&notify, &policy, findings);
    policy.notify = notify.into_iter().map(|name| name.value).collect();
    (policy, channels)
}

/// Notes an error for each name that no notifier has.
pub(super) fn known(names: &[Located<String>], policy: &AlertPolicy, findings: &Findings) {
    names.iter().for_each(|name| known_one(name, policy, findings));
}

fn known_one(name: &Located<String>, policy: &AlertPolicy, findings: &Findings) {
    let Located { value: name, origin } = name;
    // One file of conf.d may name what another one defines.
    if policy.notifier(name).is_some() || findings.is_fragment() {
        return;
    }
    let all: Vec<&str> = policy.notifiers.iter().map(|notifier| notifier.name.as_str()).collect();
    let reason = match all.as_slice() {
        [] => i18n::config::no_notifier_none_all(&name),
        _ => i18n::config::no_notifier(name, &Text::of(|lang| all.join(i18n::config::COMMA.in_lang(lang)))),
    };
    findings.reject(origin.place.clone(), origin.key.clone(), reason);
}

fn policy_of(draft: &NotifierDraft) -> Option<Notifier> {
    let usual = Notifier::new(draft.name.value.as_ref()?);
    Some(Notifier {
        group_wait: draft.group_wait.value.unwrap_or(usual.group_wait),
        min_down: draft.min_down.value.unwrap_or(usual.min_down),
        retry_for: draft.retry_for.value.unwrap_or(usual.retry_for),
        remind_every: draft.remind_every.value.unwrap_or(usual.remind_every),
        every_failure: draft.every_failure.value.unwrap_or(usual.every_failure),
        rate_per_minute: draft.rate.value.unwrap_or(usual.rate_per_minute),
        fallback: draft.fallback.value.clone(),
        ..usual
    })
}

#[cfg(test)]
#[path = "notifier_tests.rs"]
mod tests;
