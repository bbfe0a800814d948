//! A request as dialects see it.

use crate::domain::id::IdRef;
use crate::domain::limits::ID_BYTES_MAX;
use crate::domain::message::head_of;
use crate::domain::time::Wall;
use crate::wire::query;
use crate::wire::url_beat::decoded;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::borrow::Cow;
use std::ops::Deref;

/// Words of a path that are looked at; no dialect that asks for them has as many.
const WORDS_MAX: usize = 6;

/// A request, still as it was sent. While it is only judged by its head the body is empty.
#[derive(Clone, Copy, Debug)]
pub struct CompatRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, percent-encoded.
    pub path: &'a str,
    /// What stood behind `?`.
    pub query: &'a str,
    /// The headers, names in lower case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: &'a [u8],
    /// When it came.
    pub at: Wall,
}

/// The words of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathWords<'a> {
    words: [&'a str; WORDS_MAX],
    count: usize,
}

impl<'a> Deref for PathWords<'a> {
    type Target = [&'a str];

    fn deref(&self) -> &[&'a str] {
        &self.words[..self.count]
    }
}

impl<'a> CompatRequest<'a> {
    /// The words of the path behind a beginning, without an empty one at its end.
    pub fn words(&self, prefix: &str) -> Option<PathWords<'a>> {
        let rest = self.path.strip_prefix(prefix)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let mut all = PathWords { words: [""; WORDS_MAX], count: 0 };
        for word in rest.split('/') {
            *all.words.get_mut(all.count)? = word;
            all.count += 1;
        }
        (!rest.is_empty()).then_some(all)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let value = self.headers.iter().find(|(own, _)| *own == name)?.1;
        std::str::from_utf8(value).ok().map(str::trim)
    }

    /// What stands behind a scheme in `Authorization`.
    pub fn authorization(&self, scheme: &str) -> Option<&'a str> {
        let (own, rest) = self.header("authorization")?.split_once(' ')?;
        own.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The secret behind `Basic`: the password, or what stands there alone or as the user.
    pub fn basic_password(&self) -> Option<String> {
        let decoded = BASE64_STANDARD.decode(self.authorization("basic")?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        match text.split_once(':') {
            Some((user, "")) => Some(user.into()),
            Some((_, password)) => Some(password.into()),
            None => Some(text),
        }
    }

    /// A parameter of the query, decoded; of several the last.
    pub fn parameter(&self, name: &str) -> Option<String> {
        query::parameter(self.query, name)
    }

    /// A parameter of the query, or of a form in the body.
    pub fn parameter_or_form(&self, name: &str) -> Option<String> {
        let form = || {
            let kind = self.header("content-type").unwrap_or_default();
            let is_form = kind.starts_with("application/x-www-form-urlencoded");
            std::str::from_utf8(self.body)
                .ok()
                .filter(|_| is_form)
                .and_then(|form| query::parameter(form, name))
        };
        self.parameter(name).or_else(form)
    }
}

/// A word of a path, percent-decoded.
pub fn word(coded: &str) -> Cow<'_, str> {
    decoded(coded)
}

/// Whether a text is a UUID as a path has it.
pub fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a text has so many characters of a token, which are letters, digits, `-` and `_`.
pub fn is_token(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A name as an id can hold it: what cannot stand in one is `_`, and what is too long is cut.
pub fn fitting_id(name: &str) -> String {
    let mut fits = String::new();
    for c in name.chars() {
        let mut bytes = [0; 4];
        let is_fine = matches!(c, '/' | '-' | '.') || IdRef::makeable(c.encode_utf8(&mut bytes)).is_ok();
        fits.push(if is_fine { c } else { '_' });
    }
    head_of(&fits, ID_BYTES_MAX).to_string()
}
