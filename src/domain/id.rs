//! Names of monitors: what may be one, and a type that cannot hold anything else.

use super::limits::ID_BYTES_MAX;
use std::fmt;

/// The name of a monitor: 1–128 bytes of UTF-8 without white space, control or format characters and without
/// `/ \ ? # % " < >`, not `.` or `..`; so it can stand in a path, a log line and a page as it is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Box<str>);

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
        Id(self.0.into())
    }
}

impl Id {
    /// Checks and keeps a text.
    pub fn new(text: &str) -> Result<Id, IdError> {
        IdRef::new(text).map(IdRef::to_id)
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The borrowed form.
    pub fn as_ref(&self) -> IdRef<'_> {
        IdRef(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({:?})", &self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
