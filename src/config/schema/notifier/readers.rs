//! What the values of `[[notifier]]` may be.

use crate::config::schema::source::{TokenSource, source_table};
use crate::config::value::{ConfigValue, Located};
use crate::domain::alert::policy::Notifier;
use crate::i18n;
use crate::i18n::Text;
use crate::notify::mail::{MailTls, Mailbox, is_whole_name};
use crate::notify::preset::{self, PRESETS, Preset};
use crate::notify::webhook::{HeaderName, Method};
use std::collections::BTreeMap;

/// Most headers, secrets, parameters, recipients, and words of a command.
const LIST_MAX: usize = 64;

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum NotifierKind {
    Webhook,
    Mail,
    Exec,
    Journal,
    Syslog,
}

impl NotifierKind {
    const ALL: [NotifierKind; 5] = [
        NotifierKind::Webhook,
        NotifierKind::Mail,
        NotifierKind::Exec,
        NotifierKind::Journal,
        NotifierKind::Syslog,
    ];

    pub(in crate::config) fn name(self) -> &'static str {
        match self {
            NotifierKind::Webhook => "webhook",
            NotifierKind::Mail => "mail",
            NotifierKind::Exec => "exec",
            NotifierKind::Journal => "journal",
            NotifierKind::Syslog => "syslog",
        }
    }
}

/// An address: written out, or a secret as a whole.
#[derive(Debug)]
pub(in crate::config) enum SecretUrl {
    Text(String),
    Secret(TokenSource),
}

/// Headers that are ours to write.
const OURS: [&str; 5] = ["host", "connection", "content-length", "transfer-encoding", "idempotency-key"];

fn where_secret() -> Text {
    i18n::config::SAY_WHERE_SECRET_FILE.into()
}

/// One of some words.
fn word<T: Copy>(value: ConfigValue<'_>, all: &[(&'static str, T)]) -> Option<T> {
    let text = value.string()?;
    let found = all.iter().find(|(name, _)| *name == text).map(|(_, one)| *one);
    if found.is_none() {
        let names: Vec<String> = all.iter().map(|(name, _)| format!("{name:?}")).collect();
        value.reject(i18n::config::none(&text, &names.join(", "), &names.join("、")));
    }
    found
}

pub(super) fn notifier_name(value: ConfigValue<'_>) -> Option<String> {
    let name = value.string()?;
    if Notifier::is_name(name) {
        return Some(name.to_string());
    }
    value.reject(i18n::config::NAME.into());
    None
}

pub(super) fn kind(value: ConfigValue<'_>) -> Option<NotifierKind> {
    if let Some(preset) = value.string().and_then(preset::find) {
        let name = preset.name;
        value.reject(i18n::config::preset_write_type_webhook(&name));
        return None;
    }
    word(value, &NotifierKind::ALL.map(|kind| (kind.name(), kind)))
}

pub(super) fn find_preset(value: ConfigValue<'_>) -> Option<&'static Preset> {
    let all: Vec<(&'static str, &'static Preset)> = PRESETS.iter().map(|one| (one.name, one)).collect();
    word(value, &all)
}

pub(super) fn mail_tls(value: ConfigValue<'_>) -> Option<MailTls> {
    word(value, &[MailTls::StartTls, MailTls::Tls, MailTls::Off].map(|tls| (tls.name(), tls)))
}

pub(super) fn url(value: ConfigValue<'_>) -> Option<SecretUrl> {
    if value.is_table() {
        return source_table(value, where_secret()).map(|source| SecretUrl::Secret(source.value));
    }
    value.owned().map(SecretUrl::Text)
}

pub(super) fn method(value: ConfigValue<'_>) -> Option<Method> {
    let text = value.string()?;
    let found = Method::from_bytes(text.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
    if found.is_none() {
        value.reject(i18n::config::not_method_such_post(&text));
    }
    found
}

pub(super) fn headers(value: ConfigValue<'_>) -> Option<Vec<Located<(HeaderName, String)>>> {
    let mut headers = Vec::new();
    let mut right = true;
    right &= value.entries(LIST_MAX, |name, value| {
        let Some(text) = value.string() else { return right = false };
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) if !OURS.contains(&name.as_str()) => {
                headers.extend(value.located(Some((name, text.to_string()))));
            }
            Ok(_) => {
                right = false;
                value.reject(i18n::config::HEADER_SET_ALREADY.into());
            }
            Err(_) => {
                right = false;
                value.reject(i18n::config::NOT_NAME_HEADER.into());
            }
        }
    });
    right.then_some(headers)
}

/// The names of secrets and parameters as a template can name them.
fn plain_name(name: &str, value: ConfigValue<'_>) -> bool {
    let plain = Notifier::is_name(name);
    if !plain {
        value.reject(i18n::config::NAME.into());
    }
    plain
}

pub(super) fn secrets(value: ConfigValue<'_>) -> Option<BTreeMap<String, Located<TokenSource>>> {
    let mut secrets = BTreeMap::new();
    let mut right = true;
    right &= value.entries(LIST_MAX, |name, value| {
        match source_table(value, where_secret()).filter(|_| plain_name(name, value)) {
            Some(source) => _ = secrets.insert(name.to_string(), source),
            None => right = false,
        }
    });
    right.then_some(secrets)
}

pub(super) fn params(value: ConfigValue<'_>) -> Option<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    let mut right = true;
    right &=
        value.entries(LIST_MAX, |name, value| match value.string().filter(|_| plain_name(name, value)) {
            Some(text) => _ = params.insert(name.to_string(), text.to_string()),
            None => right = false,
        });
    right.then_some(params)
}

/// `host`, `host:port`, `[v6]:port`.
pub(super) fn server(value: ConfigValue<'_>) -> Option<(String, Option<u16>)> {
    let text = value.string()?;
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let number = port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0));
    let fits = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
    if !fits || number == Some(None) {
        value.reject(i18n::config::not_server_write_host(&text));
        return None;
    }
    Some((host.to_string(), number.flatten()))
}

/// How we introduce ourselves to a mail server (RFC 5321, 4.1.1.1): a whole name, or an address in brackets.
pub(super) fn helo(value: ConfigValue<'_>) -> Option<String> {
    let text = value.string()?;
    let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| {
        let v6 = ip.strip_prefix("IPv6:").is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        v6 || ip.parse::<std::net::Ipv4Addr>().is_ok()
    });
    if literal || is_whole_name(text) {
        return Some(text.to_string());
    }
    value.reject(i18n::config::no_full_host_name(&text));
    None
}

pub(super) fn mailbox(value: ConfigValue<'_>) -> Option<Mailbox> {
    let text = value.string()?;
    let found = text.parse().ok();
    if found.is_none() {
        value.reject(i18n::config::not_address_mail_write(&text));
    }
    found
}

pub(super) fn mailboxes(value: ConfigValue<'_>) -> Option<Vec<Mailbox>> {
    if !value.is_list() {
        return mailbox(value).map(|one| vec![one]);
    }
    let all = value.elements(LIST_MAX)?;
    let found: Vec<Mailbox> = all.iter().filter_map(|one| mailbox(*one)).collect();
    (found.len() == all.len()).then_some(found)
}

pub(super) fn command(value: ConfigValue<'_>) -> Option<Vec<String>> {
    if !value.is_list() {
        value.reject(i18n::config::WRITE_LIST_PATH_PROGRAM.into());
        return None;
    }
    let all = value.elements(LIST_MAX)?;
    let found: Vec<String> = all.iter().filter_map(|word| word.string().map(str::to_string)).collect();
    let empty = found.first().is_none_or(String::is_empty);
    if found.len() == all.len() && (empty || found.iter().any(|word| word.contains('\0'))) {
        value.reject(i18n::config::PROGRAM_MISSING.into());
        return None;
    }
    (found.len() == all.len()).then_some(found)
}
