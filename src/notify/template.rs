//! The small language in which bodies, headers and addresses of webhooks are written, and texts of mails.
//!
//! | | |
//! |---|---|
//! | `{{text}}` | a field as it is |
//! | `{{json text}}`, `{{json "Alarm: " text}}` | as a whole JSON value, quotes included; several parts make one string |
//! | `{{url …}}` `{{html …}}` `{{base64 …}}` `{{quiet …}}` `{{cut 2000 …}}` `{{cut_bytes 2048 …}}` | other filters; the last one named is applied first |
//! | `{{#json}}…{{/json}}` | a filter around everything between |
//! | `{{#each monitors 20}}…{{else}}…{{/each}}` | once for each monitor, here for the first 20; inside, `id` and others are the monitor's |
//! | `{{#if kind down reminder}}…{{else}}…{{/if}}`, `{{#unless first}}…{{/unless}}` | when a field is one of these; without a word after it, when there is something in it |
//!
//! In a template of JSON (a body that begins like it) whatever is put in is escaped for where it stands: inside a string as
//! its characters, outside as a whole value; `json` says the latter and is needed nowhere.
//!
//! A template is read when the configuration is: what is wrong with it is told with its line and column. What it yields
//! is bounded, and so are its own length and depth; the lists it goes through are.

mod node;
mod parse;
mod render;
mod scope;

use super::Secrets;
pub use super::fields::TemplateField;
use crate::i18n::{self, Text};
use node::Node;
pub use node::{OUTPUT_BYTES_MAX, TooLong};
pub use scope::TemplateScope;
use std::collections::BTreeMap;

/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of blocks.
pub const DEPTH_MAX: usize = 8;

/// A template that has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
    /// What it yields is JSON, and what is put in is escaped for where it stands.
    json: bool,
}

/// Why a text is no template, and where: line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The line in the template.
    pub line: usize,
    /// The character in that line.
    pub column: usize,
    kind: TemplateErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplateErrorKind {
    TooLong,
    TooDeep,
    /// `{{` without `}}`.
    Unclosed,
    /// A string literal without its end.
    Quote,
    /// Nothing between the braces.
    Empty,
    Word(String),
    Secret(String),
    Param(String),
    Block(String),
    /// The block that stands open here, or nothing.
    End(Option<&'static str>),
    /// A block without its end.
    Open(&'static str),
    Number(&'static str),
    /// A field of one monitor outside of `each`.
    Outside(&'static str),
    Nested,
}

/// What a template asks for and is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing<'a> {
    /// A secret.
    Secret(&'a str),
    /// A parameter.
    Param(&'a str),
}

/// Which names of secrets and parameters a template may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// `{{secret.NAME}}`.
    pub secrets: &'a [&'a str],
    /// `{{param.NAME}}`.
    pub params: &'a [&'a str],
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Template, TemplateError> {
        Ok(Template { nodes: parse::parse(text, names)?, json: false })
    }

    /// Fills it in.
    ///
    /// # Errors
    /// When the text grows beyond [`OUTPUT_BYTES_MAX`].
    pub fn render(&self, scope: &TemplateScope<'_>) -> Result<String, TooLong> {
        render::render(&self.nodes, self.json, scope)
    }

    /// Whether what it yields is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The same as a template of JSON, if what it yields for a plain message is that, or if it is said to be, or if it
    /// begins with a brace, as nothing else does.
    #[must_use]
    pub fn into_json_if(self, is_declared: bool) -> Template {
        let begins = render::beginning(&self.nodes);
        let is_meant = is_declared || begins == Some('{');
        Template {
            json: is_meant || matches!(begins, Some('[' | '"')) && render::is_json(&self.nodes),
            ..self
        }
    }

    /// Whether `is_enough` holds for what stands before anything that a message brings.
    pub fn fixed_beginning(
        &self,
        secrets: &Secrets,
        params: &BTreeMap<String, String>,
        is_enough: impl Fn(&str) -> bool,
    ) -> bool {
        let mut text = String::new();
        let all = render::fixed(&self.nodes, secrets, params, &mut text);
        all || is_enough(&text)
    }
}

impl TemplateError {
    /// What is missing, where that is the fault.
    pub fn missing(&self) -> Option<Missing<'_>> {
        match &self.kind {
            TemplateErrorKind::Secret(name) => Some(Missing::Secret(name)),
            TemplateErrorKind::Param(name) => Some(Missing::Param(name)),
            _ => None,
        }
    }

    /// What is wrong, with its place.
    pub fn text(&self) -> Text {
        i18n::notify::line_column_template(&self.line, &self.column, &self.kind.text())
    }
}

impl TemplateErrorKind {
    fn text(&self) -> Text {
        let known = || Text::of(|lang| TemplateField::names().join(i18n::notify::COMMA.in_lang(lang)));
        match self {
            TemplateErrorKind::TooLong => i18n::notify::template_too_long(&TEMPLATE_BYTES_MAX),
            TemplateErrorKind::TooDeep => i18n::notify::template_too_deep(&DEPTH_MAX),
            TemplateErrorKind::Unclosed => i18n::notify::TEMPLATE_UNCLOSED.into(),
            TemplateErrorKind::Quote => i18n::notify::TEMPLATE_QUOTE.into(),
            TemplateErrorKind::Empty => i18n::notify::template_field_missing(&known()),
            TemplateErrorKind::Word(word) => i18n::notify::template_unknown_field(word, &known()),
            TemplateErrorKind::Secret(name) => i18n::notify::template_no_secret(name),
            TemplateErrorKind::Param(name) => i18n::notify::template_no_param(name),
            TemplateErrorKind::Block(word) => i18n::notify::template_unknown_block(word),
            TemplateErrorKind::End(Some(open)) => i18n::notify::template_end_expected(open),
            TemplateErrorKind::End(None) => i18n::notify::TEMPLATE_NO_BLOCK_OPEN.into(),
            TemplateErrorKind::Open(block) => i18n::notify::template_block_open(block),
            TemplateErrorKind::Number(word) => i18n::notify::template_number(word),
            TemplateErrorKind::Outside(field) => i18n::notify::template_outside(field),
            TemplateErrorKind::Nested => i18n::notify::TEMPLATE_NESTED.into(),
        }
    }
}

#[cfg(test)]
#[path = "template/tests.rs"]
mod tests;
