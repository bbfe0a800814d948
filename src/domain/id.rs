//! Names of monitors: what may be one, and a type that cannot hold anything else.

use super::limits::ID_BYTES_MAX;
use std::fmt;

/// The name of a monitor: 1–128 bytes of UTF-8 without white space, control or format characters and without
/// `/ \ ? # % " < >`, not `.` or `..`; so it can stand in a path, a log line and a page as it is.
///
/// Short ones, which is nearly all, lie in place: finding a monitor among a million is a matter of memory touched.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Bytes);

/// Bytes in place up to this length.
const SHORT_BYTES_MAX: usize = 22;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Bytes {
    /// Behind the end of a short one there are only zeros, so equal ids are equal bytes.
    Short(u8, [u8; SHORT_BYTES_MAX]),
    Long(Box<[u8]>),
}

/// The borrowed form of [`Id`], checked the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdRef<'a>(&'a str);

/// Why a text cannot name a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No bytes at all.
    #[error("must not be empty")]
    Empty,
    /// More than [`ID_BYTES_MAX`] bytes.
    #[error("must be at most 128 bytes")]
    TooLong,
    /// A character that is not allowed.
    #[error("must not hold white space, control or format characters or any of / \\ ? # % \" < >")]
    Character,
    /// `.` or `..`, which paths would swallow.
    #[error("must not be . or ..")]
    Dots,
}

impl<'a> IdRef<'a> {
    /// Checks a text; costs one pass, and nothing but a table look-up a byte where it is ASCII.
    pub fn new(text: &'a str) -> Result<IdRef<'a>, IdError> {
        match text.as_bytes() {
            [] => return Err(IdError::Empty),
            [b'.'] | [b'.', b'.'] => return Err(IdError::Dots),
            bytes if bytes.len() > ID_BYTES_MAX => return Err(IdError::TooLong),
            _ => {}
        }
        let plain = text.bytes().all(|b| ASCII_ALLOWED[b as usize]);
        if plain || (!text.is_ascii() && text.chars().all(allowed)) {
            Ok(IdRef(text))
        } else {
            Err(IdError::Character)
        }
    }

    /// The text itself.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// An owned copy.
    pub fn to_id(self) -> Id {
        let bytes = self.0.as_bytes();
        let mut short = [0; SHORT_BYTES_MAX];
        match short.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Id(Bytes::Short(bytes.len() as u8, short))
            }
            None => Id(Bytes::Long(bytes.into())),
        }
    }
}

impl Id {
    /// Checks and keeps a text.
    pub fn new(text: &str) -> Result<Id, IdError> {
        IdRef::new(text).map(IdRef::to_id)
    }

    /// No id at all; equal to none that can come in.
    pub(super) fn nobody() -> Id {
        Id(Bytes::Short(0, [0; SHORT_BYTES_MAX]))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        // It was text when it came in.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Bytes::Long(bytes) => bytes,
        }
    }

    /// The borrowed form.
    pub fn as_ref(&self) -> IdRef<'_> {
        IdRef(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({:?})", self.as_str())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const ASCII_ALLOWED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte as usize] = !matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'%' | b'"' | b'<' | b'>');
        byte += 1;
    }
    table
};

fn allowed(c: char) -> bool {
    if c.is_ascii() {
        return ASCII_ALLOWED[c as usize];
    }
    !c.is_whitespace() && !c.is_control() && !is_format(c)
}

/// Unicode's category Cf, and the separators and noncharacters that would break a line or hide text.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
        || (c as u32) & 0xfffe == 0xfffe
        || ('\u{fdd0}'..='\u{fdef}').contains(&c)
        // It stands for what could not be read: two names would become one.
        || c == char::REPLACEMENT_CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["a", "web-01", "192.168.1.100", "fe80::1", "数据库", "job_7@host:3", "...", "a=b&c"] {
            assert!(IdRef::new(name).is_ok(), "{name}");
        }
        assert!(IdRef::new(&"x".repeat(128)).is_ok());
    }

    #[test]
    fn short_and_long_ids_are_kept_whole() {
        for length in [1, 21, 22, 23, 24, 127, 128] {
            let text = "x".repeat(length);
            assert_eq!(Id::new(&text).map(|id| id.to_string()), Ok(text));
        }
        assert_eq!(Id::new("数据库").map(|id| id.to_string()), Ok("数据库".into()));
        assert_ne!(Id::new("a"), Id::new("aa"));
        assert_eq!(size_of::<Id>(), 24);
    }

    #[test]
    fn what_could_break_a_path_a_line_or_a_page_does_not() {
        let wrong = [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "a\\b",
            "a?",
            "#",
            "50%",
            "\"",
            "<b>",
            "a\nb",
            "a\tb",
            "a\u{7f}",
            "\u{202e}abc",
            "a\u{200b}",
            "\u{a0}",
            "\u{3000}",
            "\u{feff}x",
            "\u{85}",
            "x\u{ffff}",
        ];
        for name in wrong {
            assert!(IdRef::new(name).is_err(), "{name:?}");
        }
        assert_eq!(IdRef::new(&"x".repeat(129)), Err(IdError::TooLong));
        assert_eq!(IdRef::new(&"心".repeat(43)), Err(IdError::TooLong));
    }
}
