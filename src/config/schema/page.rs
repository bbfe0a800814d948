//! `[page]`: where people reach the page.

use crate::config::value::{Key, Value};

/// Longest address of the page.
const PAGE_URL_BYTES_MAX: usize = 1024;

/// The keys of `[page]`.
pub(super) const PAGE: &[Key<Option<String>>] =
    &[Key { name: "url", read: |url, value| *url = page_url(value) }];

/// Where people reach the page: http or https, without a query, and without the slash at its end.
fn page_url(value: Value<'_>) -> Option<String> {
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
    value.expected(
        "an address such as \"https://mon.example.org\"",
        "形如 \"https://mon.example.org\" 的地址",
    );
    None
}
