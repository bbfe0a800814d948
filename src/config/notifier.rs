//! `[[notifier]]`: how people are reached, and what each way is told and when.
//!
//! The keys are read first, in any order; which of them belong together shows when the type is known, and whether the
//! secrets can be had when all files have been read. Then each is put together and tried out, so that what is wrong
//! with a template or an address is told with its line before anything is sent.

mod assemble;
mod read;

use super::Env;
use super::fault::{Findings, Text};
use super::schema::TokenSource;
use super::value::{Key, Located, Origin, Value};
use crate::domain::alert::policy::{
    AlertPolicy, GROUP_WAIT_MAX, MIN_DOWN_MAX, NOTIFIERS_MAX, NOTIFY_MAX, Notifier, REMIND_MAX, REMIND_MIN,
    RETRY_FOR_MAX,
};
use crate::domain::time::Span;
use crate::notify::mail::{MailTls, Mailbox};
use crate::notify::preset::Preset;
use crate::notify::webhook::{HeaderName, Method};
use crate::notify::{CONCURRENCY_MAX, ChannelSettings, TIMEOUT_MAX};
use assemble::Work;
use read::{
    command, find_preset, headers, helo, kind, mail_tls, mailbox, mailboxes, method, notifier_name, params,
    secrets, server, text, url,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Most headers, secrets, parameters, recipients, and words of a command.
const LIST_MAX: usize = 64;
/// Most messages a minute through one notifier.
const RATE_MAX: u64 = 600;
/// Shortest time for a try.
const TIMEOUT_MIN: Span = Span::secs(1);

/// One `[[notifier]]` as it is written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    name: Option<Located<String>>,
    kind: Option<Kind>,
    /// Which keys were given that belong to one type, and where.
    given: Vec<(&'static [Kind], Origin)>,
    /// Whether something was wrong already, so that what is missing is missing for a reason.
    broken: bool,
    preset: Option<&'static Preset>,
    url: Option<Located<Url>>,
    method: Option<Method>,
    headers: Vec<Located<(HeaderName, String)>>,
    body: Option<Located<String>>,
    secrets: BTreeMap<String, Located<TokenSource>>,
    params: BTreeMap<String, String>,
    ca: Option<Located<PathBuf>>,
    /// An address, possibly with a password and so from a file; or `"none"`.
    proxy: Option<Located<Url>>,
    smtp: Option<Located<(String, Option<u16>)>>,
    from: Option<Mailbox>,
    to: Vec<Mailbox>,
    helo: Option<String>,
    tls: Option<MailTls>,
    username: Option<Located<String>>,
    password: Option<Located<TokenSource>>,
    subject: Option<Located<String>>,
    command: Option<Vec<String>>,
    timeout: Option<Span>,
    show_answers: Option<bool>,
    group_wait: Option<Span>,
    /// `Some(None)`: never.
    remind_every: Option<Option<Span>>,
    every_failure: Option<bool>,
    min_down: Option<Span>,
    rate: Option<u32>,
    concurrency: Option<usize>,
    retry_for: Option<Span>,
    fallback: Option<Located<String>>,
}

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Webhook,
    Mail,
    Exec,
    Journal,
    Syslog,
}

/// `url`: written out, or a secret as a whole.
#[derive(Debug)]
enum Url {
    Text(String),
    Secret(TokenSource),
}

const WEBHOOK: &[Kind] = &[Kind::Webhook];
const MAIL: &[Kind] = &[Kind::Mail];
const EXEC: &[Kind] = &[Kind::Exec];
const ANSWERING: &[Kind] = &[Kind::Webhook, Kind::Mail, Kind::Exec];
const NETWORK: &[Kind] = &[Kind::Webhook, Kind::Mail];

/// The keys of `[[notifier]]`.
pub(super) const KEYS: &[Key<Draft>] = &[
    Key { name: "name", read: |draft, value| draft.name = draft.some(value.located(notifier_name(value))) },
    Key { name: "type", read: |draft, value| draft.kind = draft.some(kind(value)) },
    Key { name: "preset", read: |draft, value| draft.preset = draft.of(WEBHOOK, value, find_preset) },
    Key { name: "url", read: |draft, value| draft.url = draft.of(WEBHOOK, value, url) },
    Key { name: "method", read: |draft, value| draft.method = draft.of(WEBHOOK, value, method) },
    Key {
        name: "headers",
        read: |draft, value| draft.headers = draft.of(WEBHOOK, value, headers).unwrap_or_default(),
    },
    Key { name: "body", read: |draft, value| draft.body = draft.of(NETWORK, value, text) },
    Key {
        name: "secrets",
        read: |draft, value| draft.secrets = draft.of(NETWORK, value, secrets).unwrap_or_default(),
    },
    Key {
        name: "params",
        read: |draft, value| draft.params = draft.of(WEBHOOK, value, params).unwrap_or_default(),
    },
    Key { name: "proxy", read: |draft, value| draft.proxy = draft.of(WEBHOOK, value, url) },
    Key { name: "ca", read: |draft, value| draft.ca = draft.of(NETWORK, value, |v| v.located(v.path())) },
    Key { name: "smtp", read: |draft, value| draft.smtp = draft.of(MAIL, value, |v| v.located(server(v))) },
    Key { name: "from", read: |draft, value| draft.from = draft.of(MAIL, value, mailbox) },
    Key { name: "to", read: |draft, value| draft.to = draft.of(MAIL, value, mailboxes).unwrap_or_default() },
    Key { name: "helo", read: |draft, value| draft.helo = draft.of(MAIL, value, helo) },
    Key { name: "tls", read: |draft, value| draft.tls = draft.of(MAIL, value, mail_tls) },
    Key { name: "username", read: |draft, value| draft.username = draft.of(MAIL, value, text) },
    Key {
        name: "password_file",
        read: |draft, value| {
            draft.password = draft.of(MAIL, value, |v| v.located(v.path().map(TokenSource::File)));
        },
    },
    Key { name: "subject", read: |draft, value| draft.subject = draft.of(MAIL, value, text) },
    Key { name: "command", read: |draft, value| draft.command = draft.of(EXEC, value, command) },
    Key { name: "timeout", read: |draft, value| draft.timeout = value.span(TIMEOUT_MIN..=TIMEOUT_MAX) },
    Key {
        name: "show_answers",
        read: |draft, value| draft.show_answers = draft.of(ANSWERING, value, |value| value.boolean()),
    },
    Key { name: "group_wait", read: |draft, value| draft.group_wait = value.span(Span(0)..=GROUP_WAIT_MAX) },
    Key {
        name: "remind_every",
        read: |draft, value| draft.remind_every = value.span_or("never", REMIND_MIN..=REMIND_MAX),
    },
    Key { name: "every_failure", read: |draft, value| draft.every_failure = value.boolean() },
    Key { name: "min_down", read: |draft, value| draft.min_down = value.span(Span(0)..=MIN_DOWN_MAX) },
    Key { name: "rate", read: |draft, value| draft.rate = value.integer(1..=RATE_MAX).map(|n| n as u32) },
    Key {
        name: "concurrency",
        read: |draft, value| {
            draft.concurrency = value.integer(1..=CONCURRENCY_MAX as u64).map(|n| n as usize)
        },
    },
    Key { name: "retry_for", read: |draft, value| draft.retry_for = value.span(Span(0)..=RETRY_FOR_MAX) },
    Key { name: "fallback", read: |draft, value| draft.fallback = text(value) },
];

impl Draft {
    /// Reads a key that belongs to some of the types.
    fn of<T>(
        &mut self,
        kinds: &'static [Kind],
        value: Value<'_>,
        read: fn(Value<'_>) -> Option<T>,
    ) -> Option<T> {
        self.given.push((kinds, value.origin()));
        let found = read(value);
        self.some(found)
    }

    fn some<T>(&mut self, found: Option<T>) -> Option<T> {
        self.broken |= found.is_none();
        found
    }
}

/// Reads all `[[notifier]]` of a file.
pub(super) fn read(value: Value<'_>, elsewhere: fn(&str) -> Option<String>, into: &mut Vec<Located<Draft>>) {
    for element in value.elements(NOTIFIERS_MAX).unwrap_or_default() {
        let mut draft = Draft::default();
        if element.section(KEYS, elsewhere, &mut draft) {
            into.extend(element.located(Some(draft)));
        }
    }
}

/// A list of names of notifiers, each once.
pub(super) fn names(value: Value<'_>) -> Option<Vec<Located<String>>> {
    let mut names: Vec<Located<String>> = Vec::new();
    for element in value.elements(NOTIFY_MAX)? {
        if let Some(name) = text(element) {
            if !names.iter().any(|other| other.value == name.value) {
                names.push(name);
            }
        }
    }
    Some(names)
}

/// The notifiers of all files, held against each other, and who is told where nobody says.
pub(super) fn resolve(
    drafts: Vec<Located<Draft>>,
    notify: Vec<Located<String>>,
    env: &Env,
    findings: &Findings,
) -> (AlertPolicy, Vec<ChannelSettings>) {
    let mut policy = AlertPolicy::default();
    let mut channels = Vec::new();
    let mut fallbacks = Vec::new();
    let mut places: BTreeMap<String, Origin> = BTreeMap::new();
    for (index, Located { value: draft, origin }) in drafts.into_iter().enumerate() {
        let work = Work { origin: &origin, env, findings };
        if index == NOTIFIERS_MAX {
            work.fault(Text::new(
                format!("too many: at most {NOTIFIERS_MAX}"),
                format!("过多：最多 {NOTIFIERS_MAX} 个"),
            ));
            break;
        }
        fallbacks.extend(draft.fallback.clone());
        let name = draft.name.as_ref().map(|name| name.value.clone());
        let first = name.as_ref().and_then(|name| places.get(name));
        if let (Some(name), Some(first)) = (&name, first) {
            let first: &Origin = first;
            work.fault(Text::new(
                format!("{name} is named twice, first at {}", first.place),
                format!("{name} 出现了两次，第一次在 {}", first.place),
            ));
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
                let reason = Text::new("a notifier is not its own fallback", "通知渠道不能以自身为后备");
                findings.fault(origin.place.clone(), origin.key.clone(), reason);
            }
        }
    }
    known(&notify, &policy, findings);
    policy.notify = notify.into_iter().map(|name| name.value).collect();
    (policy, channels)
}

/// Notes a fault for each name that no notifier has.
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
        [] => Text::new(
            format!("there is no notifier {name:?}: there is none at all, write a [[notifier]]"),
            format!("没有通知渠道 {name:?}：尚未定义任何渠道，请写 [[notifier]]"),
        ),
        _ => Text::new(
            format!("there is no notifier {name:?}; there are: {}", all.join(", ")),
            format!("没有通知渠道 {name:?}；现有：{}", all.join("、")),
        ),
    };
    findings.fault(origin.place.clone(), origin.key.clone(), reason);
}

fn policy_of(draft: &Draft) -> Option<Notifier> {
    let mut notifier = Notifier::new(&draft.name.as_ref()?.value);
    let put = |field: &mut Span, given: Option<Span>| *field = given.unwrap_or(*field);
    put(&mut notifier.group_wait, draft.group_wait);
    put(&mut notifier.min_down, draft.min_down);
    put(&mut notifier.retry_for, draft.retry_for);
    notifier.remind_every = draft.remind_every.unwrap_or(notifier.remind_every);
    notifier.every_failure = draft.every_failure.unwrap_or(notifier.every_failure);
    notifier.rate_per_minute = draft.rate.unwrap_or(notifier.rate_per_minute);
    notifier.fallback = draft.fallback.as_ref().map(|name| name.value.clone());
    Some(notifier)
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Webhook, Kind::Mail, Kind::Exec, Kind::Journal, Kind::Syslog];

    fn name(self) -> &'static str {
        match self {
            Kind::Webhook => "webhook",
            Kind::Mail => "mail",
            Kind::Exec => "exec",
            Kind::Journal => "journal",
            Kind::Syslog => "syslog",
        }
    }
}

#[cfg(test)]
#[path = "notifier_tests.rs"]
mod tests;
