//! A request as dialects see it.

use crate::domain::id::{IdRef, composed};
use crate::domain::limits::ID_BYTES_MAX;
use crate::domain::message::head_of;
use crate::domain::time::Wall;
use crate::wire::query;
use crate::wire::url_beat::decoded;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::borrow::Cow;
use std::ops::{Deref, RangeInclusive};

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

    /// The token that is all there is behind a beginning of the path.
    pub fn token(&self, prefix: &str, lengths: RangeInclusive<usize>) -> Option<&'a str> {
        match self.words(prefix)?[..] {
            [token] if is_token(token, lengths) => Some(token),
            _ => None,
        }
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
            // One byte that is no UTF-8 must not take away all that the form says.
            is_form.then(|| query::parameter(&String::from_utf8_lossy(self.body), name))?
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
pub fn is_token(text: &str, lengths: RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A name as an id can hold it: what cannot stand in one, or not there, is `_`, and what is too long is cut. Only of an
/// empty name no id is made.
pub fn fitting_id(name: &str) -> String {
    let fitting = |c: char| {
        let is_fine = matches!(c, '/' | '-' | '.') || IdRef::makeable(c.encode_utf8(&mut [0; 4])).is_ok();
        if is_fine { c } else { '_' }
    };
    let whole: String = composed(name).chars().map(fitting).collect();
    if whole.is_empty() {
        return whole;
    }
    let segments: Vec<&str> = whole.split('/').map(|s| fitting_segment(s).unwrap_or(s)).collect();
    let mut id = head_of(&segments.join("/"), ID_BYTES_MAX).to_string();
    // The cut may have left less of the last segment than can stand there.
    if id.ends_with('/') {
        id.truncate(id.len() - 1);
        id.push('_');
    }
    let last = id.rfind('/').map_or(0, |at| at + 1);
    if let Some(other) = fitting_segment(&id[last..]) {
        id.replace_range(last.., other);
    }
    if id.starts_with('-') {
        id.replace_range(..1, "_");
    }
    id
}

/// What stands in the place of a segment that an id cannot have.
fn fitting_segment(segment: &str) -> Option<&'static str> {
    match segment {
        "" | "." => Some("_"),
        ".." => Some("__"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_stand_in_an_id_is_an_underline() {
        for (name, id) in [
            ("web-1", "web-1"),
            ("two words", "two_words"),
            ("-a", "_a"),
            ("/var/log", "_/var/log"),
            ("a//b", "a/_/b"),
            ("a/", "a/_"),
            ("./a/../b/...", "_/a/__/b/..."),
            ("..", "__"),
            ("e\u{301}", "\u{e9}"),
            ("", ""),
        ] {
            assert_eq!(fitting_id(name), id, "{name}");
        }
        // So does what the cut leaves of the last segment.
        for (name, end) in [("/b", "x_"), ("/.b", "x/_"), ("/..b", "x/__"), ("/...", "x/...")] {
            let kept = "x".repeat(ID_BYTES_MAX - end.len() + 1);
            assert_eq!(fitting_id(&format!("{kept}{name}")), format!("{kept}{}", &end[1..]), "{name}");
        }
    }

    #[test]
    fn a_form_that_is_not_utf_8_still_says_what_it_says() {
        let headers: &[(&str, &[u8])] = &[("content-type", b"application/x-www-form-urlencoded")];
        let (path, body) = ("/c2354d53d2", &b"m=caf\xe9&s=1"[..]);
        let request = CompatRequest { method: "POST", path, query: "", headers, body, at: Wall(0) };
        assert_eq!(request.parameter_or_form("s").as_deref(), Some("1"));
        assert_eq!(request.parameter_or_form("m").as_deref(), Some("caf\u{fffd}"));
    }

    proptest! {
        #[test]
        fn whatever_is_not_empty_becomes_an_id(name in "[-./a\u{301}\u{958} ]{1,6}.{0,4}", more in "[-./a]{0,10}", fill in 110usize..130) {
            for name in [name.clone(), format!("{name}{}{more}", "x".repeat(fill))] {
                let id = fitting_id(&name);
                prop_assert!(IdRef::makeable(&id).is_ok(), "{:?} of {:?}", id, name);
            }
        }
    }
}
