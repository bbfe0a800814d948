//! A template that has been read, piece by piece.

use crate::notify::fields::TemplateField;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Insert { filters: Vec<Filter>, parts: Vec<InsertPart> },
    Filter { filters: Vec<Filter>, body: Vec<Node> },
    Each { most: usize, body: Vec<Node>, none: Vec<Node> },
    If { field: TemplateField, among: Vec<String>, then: Vec<Node>, or: Vec<Node> },
}

/// What stands between the braces, filters apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum InsertPart {
    Text(String),
    Field(TemplateField),
}

/// How a text is changed for the place where it is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A JSON value.
    Json,
    /// Percent-encoded for a path or a query.
    Url,
    /// `&`, `<` and `>` as entities, as Slack needs too.
    Html,
    /// Base64.
    Base64,
    /// Mentions are defused (`@all`, `<at …>`): senders choose ids.
    Quiet,
    /// At most so many characters.
    Cut(usize),
    /// At most so many bytes.
    CutBytes(usize),
}

/// The text would be longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Longest text that a template may yield, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
