//! From nodes to text.

use super::super::fields::{Value, value};
use super::{Filter, Node, OUTPUT_BYTES_MAX, Part, TooLong};
use crate::notify::{Envelope, Secrets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;

/// What RFC 3986, 2.3 calls unreserved stays as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a template is filled from.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The message and the moment.
    pub envelope: &'a Envelope<'a>,
    /// For `{{secret.NAME}}` and signatures.
    pub secrets: &'a Secrets,
    /// For `{{param.NAME}}`.
    pub params: &'a BTreeMap<String, String>,
    /// Where a loop stands: which of the monitors, and how many it shows.
    pub(in crate::notify) at: Option<(usize, usize)>,
}

impl<'a> Scope<'a> {
    /// Outside of any loop.
    pub fn new(
        envelope: &'a Envelope<'a>,
        secrets: &'a Secrets,
        params: &'a BTreeMap<String, String>,
    ) -> Scope<'a> {
        Scope { envelope, secrets, params, at: None }
    }
}

pub(super) fn render(nodes: &[Node], scope: &Scope<'_>) -> Result<String, TooLong> {
    let mut out = String::new();
    write(nodes, scope, &mut out)?;
    Ok(out)
}

fn write(nodes: &[Node], scope: &Scope<'_>, out: &mut String) -> Result<(), TooLong> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Insert { filters, parts } => insert(filters, parts, scope, out),
            Node::Filter { filters, body } => {
                let mut inner = String::new();
                write(body, scope, &mut inner)?;
                out.push_str(&filtered(filters, inner));
            }
            Node::Each { most, body, none } => {
                let all = scope.envelope.monitors();
                let shown = all.len().min(*most);
                for index in 0..shown {
                    write(body, &Scope { at: Some((index, shown)), ..*scope }, out)?;
                }
                if shown == 0 {
                    write(none, scope, out)?;
                }
            }
            Node::If { field, among, then, or } => {
                let found = value(field, scope);
                let holds = match among.as_slice() {
                    [] => !found.is_empty(),
                    words => words.contains(&found.into_text()),
                };
                write(if holds { then } else { or }, scope, out)?;
            }
        }
        if out.len() > OUTPUT_BYTES_MAX {
            return Err(TooLong);
        }
    }
    Ok(())
}

fn insert(filters: &[Filter], parts: &[Part], scope: &Scope<'_>, out: &mut String) {
    // A field alone keeps its type: a number is no string, and what is missing is null.
    if let ([Filter::Json], [Part::Field(field)]) = (filters, parts) {
        return out.push_str(&value(field, scope).into_json());
    }
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(field) => value(field, scope).into_text(),
        })
        .collect();
    out.push_str(&filtered(filters, text));
}

fn filtered(filters: &[Filter], text: String) -> String {
    filters.iter().rev().fold(text, |text, filter| match filter {
        Filter::Json => Value::Text(text).into_json(),
        Filter::Url => utf8_percent_encode(&text, RESERVED).to_string(),
        Filter::Html => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Filter::Base64 => STANDARD.encode(text),
        // A zero-width space ends the name before it has begun.
        Filter::Quiet => text.replace('@', "@\u{200b}").replace('<', "<\u{200b}"),
        Filter::Cut(most) => {
            cut(text, |text| text.char_indices().nth(*most).map(|(at, _)| at), *most, |c| c.chars().count())
        }
        Filter::CutBytes(most) => cut(text, |text| (text.len() > *most).then_some(*most), *most, str::len),
    })
}

/// Shortens a text that is too long and says so with an ellipsis, which counts. `over` tells where it is too long.
fn cut(text: String, over: impl Fn(&str) -> Option<usize>, most: usize, count: fn(&str) -> usize) -> String {
    const MARK: &str = "…";
    if over(&text).is_none() {
        return text;
    }
    let room = most.saturating_sub(count(MARK));
    let mut end = 0;
    let mut used = 0;
    for c in text.chars() {
        used += count(c.encode_utf8(&mut [0; 4]));
        if used > room {
            break;
        }
        end += c.len_utf8();
    }
    let mark = if count(MARK) <= most { MARK } else { "" };
    format!("{}{mark}", &text[..end])
}
