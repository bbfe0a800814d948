//! From nodes to text.

use super::node::{Filter, InsertPart, Node, OUTPUT_BYTES_MAX, TooLong};
use super::scope::TemplateScope;
use crate::domain::alert::{Message, MessageKind};
use crate::domain::lang::Lang;
use crate::domain::time::Wall;
use crate::notify::fields::{FieldValue, TemplateField, value};
use crate::notify::{Envelope, Secrets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;

/// What RFC 3986, 2.3 calls unreserved stays as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is written so far, and for JSON where in it we are.
struct TemplateOutput {
    text: String,
    json: Option<JsonPosition>,
}

/// Where in JSON something stands, by the quotes before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct JsonPosition {
    in_string: bool,
    escaped: bool,
}

impl TemplateOutput {
    /// The template's own text: it decides where what comes next stands.
    fn own(&mut self, text: &str) {
        self.text.push_str(text);
        let Some(place) = &mut self.json else { return };
        for c in text.chars() {
            match c {
                _ if place.escaped => place.escaped = false,
                '\\' if place.in_string => place.escaped = true,
                '"' => place.in_string = !place.in_string,
                _ => {}
            }
        }
    }

    /// What is put in: a value if it stands alone, or its text.
    fn put(&mut self, text: String, value: impl FnOnce(String) -> String) {
        match self.json {
            None => self.text.push_str(&text),
            Some(JsonPosition { in_string: false, .. }) => self.text.push_str(&value(text)),
            Some(JsonPosition { in_string: true, .. }) => {
                let quoted = FieldValue::Text(text).into_json();
                self.text.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
            }
        }
    }
}

pub(super) fn render(nodes: &[Node], json: bool, scope: &TemplateScope<'_>) -> Result<String, TooLong> {
    let mut out = TemplateOutput { text: String::new(), json: json.then(JsonPosition::default) };
    write(nodes, scope, &mut out)?;
    Ok(out.text)
}

/// The first character that is the template's own or begins a value of JSON.
pub(super) fn beginning(nodes: &[Node]) -> Option<char> {
    for node in nodes {
        match node {
            Node::Text(text) => {
                if let Some(c) = text.trim_start().chars().next() {
                    return Some(c);
                }
            }
            Node::Insert { filters, parts } => {
                let is_payload =
                    parts.iter().any(|part| matches!(part, InsertPart::Field(field) if field.is_json()));
                let is_value = filters.first() == Some(&Filter::Json) || (filters.is_empty() && is_payload);
                return Some(if is_value { '{' } else { 'x' });
            }
            Node::Filter { filters, .. } => {
                return Some(if filters.first() == Some(&Filter::Json) { '"' } else { 'x' });
            }
            Node::Each { body: one, none: other, .. } | Node::If { then: one, or: other, .. } => {
                if let Some(c) = beginning(one).or_else(|| beginning(other)) {
                    return Some(c);
                }
            }
        }
    }
    None
}

/// Whether a template yields JSON for a message without anything odd in it.
pub(super) fn is_json(nodes: &[Node]) -> bool {
    let message = Message::new(MessageKind::Test, "test".into(), "test", Wall(0));
    let envelope = Envelope::new(Lang::En, &message);
    let (secrets, params) = (Secrets::default(), BTreeMap::new());
    let text = render(nodes, true, &TemplateScope::new(&envelope, &secrets, &params));
    text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok())
}

/// Writes what does not depend on a message, up to the first thing that does; whether that was all.
pub(super) fn fixed(
    nodes: &[Node],
    secrets: &Secrets,
    params: &BTreeMap<String, String>,
    out: &mut String,
) -> bool {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Insert { filters, parts } => {
                let mut inner = String::new();
                for part in parts {
                    match part {
                        InsertPart::Text(text) => inner.push_str(text),
                        InsertPart::Field(TemplateField::Secret(name)) => {
                            inner.push_str(secrets.reveal(name).unwrap_or_default());
                        }
                        InsertPart::Field(TemplateField::Param(name)) => {
                            inner.push_str(params.get(name).map(String::as_str).unwrap_or_default());
                        }
                        InsertPart::Field(TemplateField::Known(_)) => return false,
                    }
                }
                out.push_str(&filtered(filters, inner));
            }
            Node::Filter { filters, body } => {
                let mut inner = String::new();
                if !fixed(body, secrets, params, &mut inner) {
                    return false;
                }
                out.push_str(&filtered(filters, inner));
            }
            Node::Each { .. } | Node::If { .. } => return false,
        }
    }
    true
}

fn write(nodes: &[Node], scope: &TemplateScope<'_>, out: &mut TemplateOutput) -> Result<(), TooLong> {
    for node in nodes {
        match node {
            Node::Text(text) => out.own(text),
            Node::Insert { filters, parts } => insert(filters, parts, scope, out),
            Node::Filter { filters, body } => {
                let inner = filtered(own(filters, out), render(body, false, scope)?);
                out.put(inner, |text| FieldValue::Text(text).into_json());
            }
            Node::Each { most, body, none } => {
                let all = scope.envelope.monitors();
                let shown = all.len().min(*most);
                for index in 0..shown {
                    write(body, &TemplateScope { at: Some((index, shown)), ..*scope }, out)?;
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
        if out.text.len() > OUTPUT_BYTES_MAX {
            return Err(TooLong);
        }
    }
    Ok(())
}

/// The filters that are the template's to apply: in JSON the outermost `json` is done by where it stands.
fn own<'f>(filters: &'f [Filter], out: &TemplateOutput) -> &'f [Filter] {
    match filters {
        [Filter::Json, rest @ ..] if out.json.is_some() => rest,
        all => all,
    }
}

fn insert(filters: &[Filter], parts: &[InsertPart], scope: &TemplateScope<'_>, out: &mut TemplateOutput) {
    // Braces and the like that could not be written otherwise.
    if let ([], [InsertPart::Text(text)]) = (filters, parts) {
        return out.own(text);
    }
    let filters = own(filters, out);
    // A field alone keeps its type: a number is no string, and what is missing is null.
    let is_value = out.json.is_some_and(|place| !place.in_string);
    match (filters, parts) {
        ([], [InsertPart::Field(field)]) if is_value => {
            return out.text.push_str(&value(field, scope).into_json());
        }
        ([Filter::Json], [InsertPart::Field(field)]) => {
            return out.text.push_str(&value(field, scope).into_json());
        }
        _ => {}
    }
    let text: String = parts
        .iter()
        .map(|part| match part {
            InsertPart::Text(text) => text.clone(),
            InsertPart::Field(field) => value(field, scope).into_text(),
        })
        .collect();
    out.put(filtered(filters, text), |text| FieldValue::Text(text).into_json());
}

fn filtered(filters: &[Filter], text: String) -> String {
    filters.iter().rev().fold(text, |text, filter| match filter {
        Filter::Json => FieldValue::Text(text).into_json(),
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

/// Shortens a text that is too long and appends an ellipsis, which counts. `over` tells where it is too long.
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
