//! The keys of `[access]`: networks, names, and where tokens are to be found.

use super::{TokenSource, source_table};
use crate::config::fault::Text;
use crate::config::value::{Key, Located, Value};
use crate::config::words;
use crate::domain::host::Hosts;
use crate::domain::limits::{NETWORKS_MAX, TOKENS_MAX};
use ipnet::IpNet;

/// `[access]`.
#[derive(Debug, Default)]
pub(in crate::config) struct AccessDraft {
    pub(in crate::config) allow: Option<Vec<IpNet>>,
    pub(in crate::config) deny: Option<Vec<IpNet>>,
    pub(in crate::config) read: Option<Vec<IpNet>>,
    pub(in crate::config) hosts: Vec<String>,
    pub(in crate::config) beat_tokens: Vec<Located<TokenSource>>,
    pub(in crate::config) read_tokens: Vec<Located<TokenSource>>,
    pub(in crate::config) admin_tokens: Vec<Located<TokenSource>>,
}

pub(super) const ACCESS: &[Key<AccessDraft>] = &[
    Key { name: "allow", read: |access, value| access.allow = networks(value) },
    Key { name: "deny", read: |access, value| access.deny = networks(value) },
    Key { name: "read", read: |access, value| access.read = networks(value) },
    Key { name: "hosts", read: |access, value| access.hosts = hosts(value) },
    Key { name: "beat_tokens", read: |access, value| token_sources(value, &mut access.beat_tokens) },
    Key { name: "read_tokens", read: |access, value| token_sources(value, &mut access.read_tokens) },
    Key { name: "admin_tokens", read: |access, value| token_sources(value, &mut access.admin_tokens) },
];

fn networks(value: Value<'_>) -> Option<Vec<IpNet>> {
    Some(value.elements(NETWORKS_MAX)?.into_iter().filter_map(Value::network).collect())
}

fn hosts(value: Value<'_>) -> Vec<String> {
    let elements = value.elements(NETWORKS_MAX).unwrap_or_default().into_iter();
    let host = |element: Value<'_>| {
        let read = Hosts::entry(element.string()?);
        read.map_err(|reason| element.fault(words::domain(reason))).ok()
    };
    elements.filter_map(host).collect()
}

fn token_sources(value: Value<'_>, into: &mut Vec<Located<TokenSource>>) {
    for element in value.elements(TOKENS_MAX).unwrap_or_default() {
        let nowhere = Text::new(
            "say where the tokens are: { file = \"PATH\" } or { credential = \"NAME\" }",
            "请指明令牌的位置：{ file = \"路径\" } 或 { credential = \"名称\" }",
        );
        into.extend(source_table(element, nowhere));
    }
}
