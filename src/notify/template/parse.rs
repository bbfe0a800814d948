//! From text to nodes: one pass, with a stack of the blocks that are open.

use super::node::{Filter, InsertPart, Node};
use super::{DEPTH_MAX, Names, TEMPLATE_BYTES_MAX, TemplateError, TemplateErrorKind, TemplateField};

/// A block that has been opened.
struct OpenBlock {
    /// Where.
    at: usize,
    name: &'static str,
    kind: BlockKind,
    /// What stood around it.
    outer: Vec<Node>,
    /// What stands before `{{else}}`, once that has come.
    first: Option<Vec<Node>>,
}

enum BlockKind {
    Each(usize),
    If { field: TemplateField, among: Vec<String>, negated: bool },
    Filter(Vec<Filter>),
}

/// A word between braces.
#[derive(Clone, Debug, PartialEq)]
enum TemplateWord<'a> {
    Bare(&'a str),
    Quoted(String),
}

struct Parser<'a> {
    text: &'a str,
    names: Names<'a>,
    nodes: Vec<Node>,
    open: Vec<OpenBlock>,
}

pub(super) fn parse(text: &str, names: Names<'_>) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { text, names, nodes: Vec::new(), open: Vec::new() };
    match parser.run() {
        Ok(()) => Ok(parser.nodes),
        Err((at, kind)) => {
            let before = text.get(..at).unwrap_or(text);
            let line = 1 + before.matches('\n').count();
            let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
            Err(TemplateError { line, column, kind })
        }
    }
}

/// Words, each with its offset.
type WordSlice<'w, 'a> = &'w [(usize, TemplateWord<'a>)];

/// The offset and what is wrong there.
type Parsed<T> = Result<T, (usize, TemplateErrorKind)>;

impl<'a> Parser<'a> {
    fn run(&mut self) -> Parsed<()> {
        if self.text.len() > TEMPLATE_BYTES_MAX {
            return Err((0, TemplateErrorKind::TooLong));
        }
        let mut at = 0;
        while let Some(found) = self.text[at..].find("{{") {
            let start = at + found;
            self.push_text(&self.text[at..start]);
            let (words, end) = self.words(start + 2).map_err(|(at, kind)| match kind {
                // The place of the error is the braces, not the end of the text.
                TemplateErrorKind::Unclosed => (start, kind),
                _ => (at, kind),
            })?;
            self.tag(start, &words)?;
            at = end;
        }
        self.push_text(&self.text[at..]);
        match self.open.last() {
            Some(open) => Err((open.at, TemplateErrorKind::Open(open.name))),
            None => Ok(()),
        }
    }

    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.nodes.push(Node::Text(text.to_string()));
        }
    }

    /// The words up to `}}`, each with its offset, and where the text goes on.
    fn words(&self, from: usize) -> Parsed<(Vec<(usize, TemplateWord<'a>)>, usize)> {
        let text = self.text;
        let mut words = Vec::new();
        let mut at = from;
        loop {
            let rest = &text[at..];
            let Some(first) = rest.chars().next() else { return Err((at, TemplateErrorKind::Unclosed)) };
            if rest.starts_with("}}") {
                return Ok((words, at + 2));
            }
            if first.is_whitespace() {
                at += first.len_utf8();
            } else if first == '"' {
                let (word, length) = quoted(rest).ok_or((at, TemplateErrorKind::Quote))?;
                words.push((at, TemplateWord::Quoted(word)));
                at += length;
            } else {
                let length = rest
                    .find(|c: char| c.is_whitespace() || c == '"' || c == '}' || c == '{')
                    .unwrap_or(rest.len());
                // A lone brace is a word of its own, and none that is known.
                let length = length.max(first.len_utf8());
                words.push((at, TemplateWord::Bare(&rest[..length])));
                at += length;
            }
        }
    }

    fn tag(&mut self, at: usize, words: WordSlice<'_, 'a>) -> Parsed<()> {
        let Some((first_at, first)) = words.first() else { return Err((at, TemplateErrorKind::Empty)) };
        let TemplateWord::Bare(first) = first else { return self.insert(at, words) };
        if let Some(name) = first.strip_prefix('#') {
            return self.begin(*first_at, name, &words[1..]);
        }
        if let Some(name) = first.strip_prefix('/') {
            return self.end(*first_at, name);
        }
        if *first == "else" && words.len() == 1 {
            return self.otherwise(*first_at);
        }
        self.insert(at, words)
    }

    fn insert(&mut self, at: usize, words: WordSlice<'_, 'a>) -> Parsed<()> {
        let (filters, rest) = filters(words)?;
        if rest.is_empty() {
            return Err((at, TemplateErrorKind::Empty));
        }
        let mut parts = Vec::new();
        for (at, word) in rest {
            parts.push(match word {
                TemplateWord::Quoted(text) => InsertPart::Text(text.clone()),
                TemplateWord::Bare(name) => InsertPart::Field(self.field(*at, name)?),
            });
        }
        self.nodes.push(Node::Insert { filters, parts });
        Ok(())
    }

    fn field(&self, at: usize, name: &str) -> Parsed<TemplateField> {
        let known = |names: &[&str], name: &str| names.contains(&name);
        if let Some(name) = name.strip_prefix("secret.") {
            let found = known(self.names.secrets, name);
            return found
                .then(|| TemplateField::Secret(name.to_string()))
                .ok_or((at, TemplateErrorKind::Secret(name.to_string())));
        }
        if let Some(name) = name.strip_prefix("param.") {
            let found = known(self.names.params, name);
            return found
                .then(|| TemplateField::Param(name.to_string()))
                .ok_or((at, TemplateErrorKind::Param(name.to_string())));
        }
        let field =
            TemplateField::of_name(name).ok_or_else(|| (at, TemplateErrorKind::Word(name.to_string())))?;
        if let Some(secret) = field.needs_secret() {
            if !known(self.names.secrets, secret) {
                return Err((at, TemplateErrorKind::Secret(secret.to_string())));
            }
        }
        match field.is_of_monitor() {
            Some(name) if !self.in_each() => Err((at, TemplateErrorKind::Outside(name))),
            _ => Ok(field),
        }
    }

    fn in_each(&self) -> bool {
        self.open.iter().any(|open| matches!(open.kind, BlockKind::Each(_)) && open.first.is_none())
    }

    fn begin(&mut self, at: usize, name: &'a str, words: WordSlice<'_, 'a>) -> Parsed<()> {
        if self.open.len() == DEPTH_MAX {
            return Err((at, TemplateErrorKind::TooDeep));
        }
        let (name, kind) = match name {
            "each" => ("each", self.each(at, words)?),
            "if" | "unless" => {
                let Some((field_at, TemplateWord::Bare(field))) = words.first() else {
                    return Err((at, TemplateErrorKind::Empty));
                };
                let field = self.field(*field_at, field)?;
                let among = words[1..].iter().map(|(_, word)| word.text().to_string()).collect();
                let negated = name == "unless";
                (if negated { "unless" } else { "if" }, BlockKind::If { field, among, negated })
            }
            _ => {
                let mut all = vec![(at, TemplateWord::Bare(name))];
                all.extend(words.iter().cloned());
                let (filters, rest) = filters(&all)?;
                if let Some((at, word)) = rest.first() {
                    return Err((*at, TemplateErrorKind::Block(word.text().to_string())));
                }
                let known = FILTERS.iter().find(|known| **known == name).copied();
                (
                    known.ok_or_else(|| (at, TemplateErrorKind::Block(name.to_string())))?,
                    BlockKind::Filter(filters),
                )
            }
        };
        let outer = std::mem::take(&mut self.nodes);
        self.open.push(OpenBlock { at, name, kind, outer, first: None });
        Ok(())
    }

    fn each(&self, at: usize, words: WordSlice<'_, 'a>) -> Parsed<BlockKind> {
        if self.open.iter().any(|open| matches!(open.kind, BlockKind::Each(_))) {
            return Err((at, TemplateErrorKind::Nested));
        }
        match words {
            [(_, TemplateWord::Bare("monitors"))] => Ok(BlockKind::Each(usize::MAX)),
            [(_, TemplateWord::Bare("monitors")), (at, word)] => {
                Ok(BlockKind::Each(word.number("monitors", *at)?))
            }
            [(at, word), ..] => Err((*at, TemplateErrorKind::Word(word.text().to_string()))),
            [] => Err((at, TemplateErrorKind::Empty)),
        }
    }

    fn otherwise(&mut self, at: usize) -> Parsed<()> {
        match self.open.last_mut() {
            Some(open) if open.first.is_none() && !matches!(open.kind, BlockKind::Filter(_)) => {
                open.first = Some(std::mem::take(&mut self.nodes));
                Ok(())
            }
            Some(open) => Err((at, TemplateErrorKind::End(Some(open.name)))),
            None => Err((at, TemplateErrorKind::End(None))),
        }
    }

    fn end(&mut self, at: usize, name: &str) -> Parsed<()> {
        match self.open.pop() {
            Some(open) if open.name == name => {
                let last = std::mem::replace(&mut self.nodes, open.outer);
                let (first, second) = match open.first {
                    Some(first) => (first, last),
                    None => (last, Vec::new()),
                };
                self.nodes.push(match open.kind {
                    BlockKind::Each(most) => Node::Each { most, body: first, none: second },
                    BlockKind::If { field, among, negated: false } => {
                        Node::If { field, among, then: first, or: second }
                    }
                    BlockKind::If { field, among, negated: true } => {
                        Node::If { field, among, then: second, or: first }
                    }
                    BlockKind::Filter(filters) => Node::Filter { filters, body: first },
                });
                Ok(())
            }
            Some(open) => Err((at, TemplateErrorKind::End(Some(open.name)))),
            None => Err((at, TemplateErrorKind::End(None))),
        }
    }
}

impl TemplateWord<'_> {
    fn text(&self) -> &str {
        match self {
            TemplateWord::Bare(text) => text,
            TemplateWord::Quoted(text) => text,
        }
    }

    fn number(&self, after: &'static str, at: usize) -> Parsed<usize> {
        self.text().parse().ok().filter(|n| *n > 0).ok_or((at, TemplateErrorKind::Number(after)))
    }
}

const FILTERS: [&str; 7] = ["json", "url", "html", "base64", "quiet", "cut", "cut_bytes"];

/// The filters that a tag begins with, and the rest of it.
fn filters<'w, 'a>(words: WordSlice<'w, 'a>) -> Parsed<(Vec<Filter>, WordSlice<'w, 'a>)> {
    let mut found = Vec::new();
    let mut rest = words;
    while let [(at, TemplateWord::Bare(name)), tail @ ..] = rest {
        let number = |after| match tail.first() {
            Some((at, word)) => word.number(after, *at),
            None => Err((*at, TemplateErrorKind::Number(after))),
        };
        let (filter, taken) = match *name {
            "json" => (Filter::Json, 1),
            "url" => (Filter::Url, 1),
            "html" => (Filter::Html, 1),
            "base64" => (Filter::Base64, 1),
            "quiet" => (Filter::Quiet, 1),
            "cut" => (Filter::Cut(number("cut")?), 2),
            "cut_bytes" => (Filter::CutBytes(number("cut_bytes")?), 2),
            _ => break,
        };
        found.push(filter);
        rest = &rest[taken..];
    }
    Ok((found, rest))
}

/// A text in quotes, with `\"`, `\\` and `\n`, and how long it is as written.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut word = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((word, at + 1)),
            '\\' => word.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            _ => word.push(c),
        }
    }
    None
}
