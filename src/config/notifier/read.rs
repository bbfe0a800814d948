//! The values of a notifier's keys, each read as what it must be.

use super::{Kind, LIST_MAX, Url};
use crate::config::fault::Text;
use crate::config::schema::{TokenSource, source_table};
use crate::config::value::{Located, Value};
use crate::config::words;
use crate::domain::alert::policy::Notifier;
use crate::notify::mail::{MailTls, Mailbox, is_whole_name};
use crate::notify::preset::{self, PRESETS, Preset};
use crate::notify::webhook::{HeaderName, Method};
use std::collections::BTreeMap;

/// Headers that are ours to write.
const OURS: [&str; 5] = ["host", "connection", "content-length", "transfer-encoding", "idempotency-key"];

pub(super) fn where_secret() -> Text {
    Text::new(
        "say where the secret is: { file = \"PATH\" } or { credential = \"NAME\" }",
        "请指明密钥的位置：{ file = \"路径\" } 或 { credential = \"名称\" }",
    )
}

pub(super) fn text(value: Value<'_>) -> Option<Located<String>> {
    value.located(value.string().map(str::to_string))
}

/// One of some words.
pub(super) fn word<T: Copy>(value: Value<'_>, all: &[(&'static str, T)]) -> Option<T> {
    let text = value.string()?;
    let found = all.iter().find(|(name, _)| *name == text).map(|(_, one)| *one);
    if found.is_none() {
        let names: Vec<String> = all.iter().map(|(name, _)| format!("{name:?}")).collect();
        value.fault(Text::new(
            format!("{text:?} is none of {}", names.join(", ")),
            format!("{text:?} 不在可用值之中：{}", names.join("、")),
        ));
    }
    found
}

pub(super) fn notifier_name(value: Value<'_>) -> Option<String> {
    let name = value.string()?;
    if Notifier::is_name(name) {
        return Some(name.to_string());
    }
    value.fault(words::name());
    None
}

pub(super) fn kind(value: Value<'_>) -> Option<Kind> {
    if let Some(preset) = value.string().and_then(preset::find) {
        let name = preset.name;
        value.fault(Text::new(
            format!("{name:?} is a preset: write type = \"webhook\" and preset = {name:?}"),
            format!("{name:?} 是预设：请写 type = \"webhook\" 和 preset = {name:?}"),
        ));
        return None;
    }
    word(value, &Kind::ALL.map(|kind| (kind.name(), kind)))
}

pub(super) fn find_preset(value: Value<'_>) -> Option<&'static Preset> {
    let all: Vec<(&'static str, &'static Preset)> = PRESETS.iter().map(|one| (one.name, one)).collect();
    word(value, &all)
}

pub(super) fn mail_tls(value: Value<'_>) -> Option<MailTls> {
    word(value, &[MailTls::StartTls, MailTls::Tls, MailTls::Off].map(|tls| (tls.name(), tls)))
}

pub(super) fn url(value: Value<'_>) -> Option<Located<Url>> {
    if value.is_table() {
        let Located { value, origin } = source_table(value, where_secret())?;
        return Some(Located { value: Url::Secret(value), origin });
    }
    value.located(value.string().map(|text| Url::Text(text.to_string())))
}

pub(super) fn method(value: Value<'_>) -> Option<Method> {
    let text = value.string()?;
    let found = Method::from_bytes(text.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
    if found.is_none() {
        value.fault(Text::new(
            format!("{text:?} is not a method such as POST"),
            format!("{text:?} 不是 POST 之类的方法"),
        ));
    }
    found
}

pub(super) fn headers(value: Value<'_>) -> Option<Vec<Located<(HeaderName, String)>>> {
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
                value.fault(Text::new("this header is set already", "此请求头已自动设置"));
            }
            Err(_) => {
                right = false;
                value.fault(Text::new("not the name of a header", "不是请求头名称"));
            }
        }
    });
    right.then_some(headers)
}

/// The names of secrets and parameters as a template can name them.
pub(super) fn plain_name(name: &str, value: Value<'_>) -> bool {
    let plain = Notifier::is_name(name);
    if !plain {
        value.fault(words::name());
    }
    plain
}

pub(super) fn secrets(value: Value<'_>) -> Option<BTreeMap<String, Located<TokenSource>>> {
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

pub(super) fn params(value: Value<'_>) -> Option<BTreeMap<String, String>> {
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
pub(super) fn server(value: Value<'_>) -> Option<(String, Option<u16>)> {
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
        value.fault(Text::new(
            format!("{text:?} is not a server: write host or host:port"),
            format!("{text:?} 不是服务器：请写 主机 或 主机:端口"),
        ));
        return None;
    }
    Some((host.to_string(), number.flatten()))
}

/// How we introduce ourselves to a mail server (RFC 5321, 4.1.1.1): a whole name, or an address in brackets.
pub(super) fn helo(value: Value<'_>) -> Option<String> {
    let text = value.string()?;
    let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| {
        let v6 = ip.strip_prefix("IPv6:").is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        v6 || ip.parse::<std::net::Ipv4Addr>().is_ok()
    });
    if literal || is_whole_name(text) {
        return Some(text.to_string());
    }
    value.fault(Text::new(
        format!("{text:?} is no full host name: write \"mon.example.org\", or an address as \"[192.0.2.7]\""),
        format!("{text:?} 不是完整主机名：请写 \"mon.example.org\"，或地址 \"[192.0.2.7]\""),
    ));
    None
}

pub(super) fn mailbox(value: Value<'_>) -> Option<Mailbox> {
    let text = value.string()?;
    let found = text.parse().ok();
    if found.is_none() {
        value.fault(Text::new(
            format!("{text:?} is not an address of mail: write ops@example.org or \"Ops <ops@example.org>\""),
            format!("{text:?} 不是邮件地址：请写 ops@example.org 或 \"运维 <ops@example.org>\""),
        ));
    }
    found
}

pub(super) fn mailboxes(value: Value<'_>) -> Option<Vec<Mailbox>> {
    if !value.is_list() {
        return mailbox(value).map(|one| vec![one]);
    }
    let all = value.elements(LIST_MAX)?;
    let found: Vec<Mailbox> = all.iter().filter_map(|one| mailbox(*one)).collect();
    (found.len() == all.len()).then_some(found)
}

pub(super) fn command(value: Value<'_>) -> Option<Vec<String>> {
    if !value.is_list() {
        value.fault(Text::new(
            "write a list: [\"/path/program\", \"argument\"]; a shell is had with [\"sh\", \"-c\", \"…\"]",
            "请写成列表：[\"/路径/程序\", \"参数\"]；需要 shell 时写 [\"sh\", \"-c\", \"…\"]",
        ));
        return None;
    }
    let all = value.elements(LIST_MAX)?;
    let found: Vec<String> = all.iter().filter_map(|word| word.string().map(str::to_string)).collect();
    let empty = found.first().is_none_or(String::is_empty);
    if found.len() == all.len() && (empty || found.iter().any(|word| word.contains('\0'))) {
        value.fault(Text::new("the program is missing", "缺少程序"));
        return None;
    }
    (found.len() == all.len()).then_some(found)
}
