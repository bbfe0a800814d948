//! Patterns for ids: a text in which each `*` stands for anything, or for nothing.

use super::id::{IdError, IdRef, composed};
use std::fmt;

/// A pattern that some id can fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Checks a text: with something in the place of its stars it must be an id.
    ///
    /// # Errors
    /// As for an id.
    pub fn parse(text: &str) -> Result<Pattern, IdError> {
        let text = composed(text);
        IdRef::new(&text.replace('*', "x")).map(|_| Pattern(text.as_ref().into()))
    }

    /// Whether an id fits.
    pub fn matches(&self, id: &str) -> bool {
        matches(&self.0, id)
    }

    /// Whether it has no `*`, so that one id fits and no other.
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` fits `pattern`, in which each `*` stands for anything. Each piece is sought once, from left to right.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_people_expect() {
        for (pattern, text, want) in [
            ("web-*", "web-01", true),
            ("web-*", "db-01", false),
            ("web-01", "web-01", true),
            ("web-01", "web-011", false),
            ("*01", "web-01", true),
            ("*-*", "web-01", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("数*", "数据库", true),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_is_what_an_id_could_be() {
        assert!(Pattern::parse("web-01").is_ok_and(|p| p.is_literal() && p.matches("web-01")));
        assert!(Pattern::parse("web-*").is_ok_and(|p| !p.is_literal() && p.matches("web-01")));
        assert!(Pattern::parse("ns/*").is_ok_and(|p| p.matches("ns/pod") && !p.matches("other/pod")));
        assert!(Pattern::parse("cafe\u{301}").is_ok_and(|p| p.matches("café")), "compared composed");
        for wrong in ["", "a b", "a//b*", "..", "/*"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
