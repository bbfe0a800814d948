//! Names of monitors: what may be one, and a type that cannot hold anything else.

use super::limits::ID_BYTES_MAX;
use crate::i18n::{self, Lang, Word};
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The name of a monitor: 1–128 bytes of letters, digits and marks of any script and `. _ - : @ + = ~ , /`, not beginning
/// with `-`, in Unicode's form NFC; `/` only between others, never twice, and no `.` or `..` between two of them. So it can
/// stand in a path, a log line, a page and the command line of a shell as it is, and two that look the same are the same.
///
/// Versions before 0.5 took more: whatever is no white space, control or format character and none of `/ \ ? # % " < >`.
/// Monitors made then keep their names, so such a text is an id too; only none is made any more ([`IdRef::may_be_made`]).
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// No bytes at all.
    Empty,
    /// More than [`ID_BYTES_MAX`] bytes.
    TooLong,
    /// A character that is not allowed.
    Character,
    /// It would be taken for an option.
    Dash,
    /// A path would swallow part of it.
    Segment,
    /// Not composed, see [`composed`].
    Form,
}

impl IdError {
    /// What an id must be.
    pub fn word(self) -> Word {
        match self {
            IdError::Empty => i18n::domain::ID_EMPTY,
            IdError::TooLong => i18n::domain::ID_TOO_LONG,
            IdError::Character => i18n::domain::ID_CHARACTER,
            IdError::Dash => i18n::domain::ID_DASH,
            IdError::Segment => i18n::domain::ID_SEGMENT,
            IdError::Form => i18n::domain::ID_FORM,
        }
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word().in_lang(Lang::En))
    }
}

impl std::error::Error for IdError {}

impl<'a> IdRef<'a> {
    /// Checks a text; costs one pass, and nothing but a table look-up a byte where it is ASCII.
    pub fn new(text: &'a str) -> Result<IdRef<'a>, IdError> {
        match check(text) {
            Ok(()) => Ok(IdRef(text)),
            Err(_) if was_taken_once(text) => Ok(IdRef(text)),
            Err(error) => Err(error),
        }
    }

    /// Checks a text by which a monitor may be made, see [`may_be_made`](IdRef::may_be_made).
    pub fn makeable(text: &'a str) -> Result<IdRef<'a>, IdError> {
        IdRef(text).may_be_made().map(|()| IdRef(text))
    }

    /// Whether a monitor of this name may be made, which is more than that there may be one of an earlier version. Names
    /// of our own making, addresses with a port, may: of IPv6 they have brackets.
    pub fn may_be_made(self) -> Result<(), IdError> {
        check(self.0).or_else(|error| self.0.parse::<SocketAddr>().map(drop).map_err(|_| error))
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
    /// Checks and keeps a text, composed.
    pub fn new(text: &str) -> Result<Id, IdError> {
        IdRef::new(&composed(text)).map(IdRef::to_id)
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

/// A text in the form in which ids are compared: NFC (Unicode Standard Annex 15).
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// What is wrong with a text that shall name a new monitor.
fn check(text: &str) -> Result<(), IdError> {
    let bytes = text.as_bytes();
    let first = bytes.first().ok_or(IdError::Empty)?;
    if bytes.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    let seen = bytes.iter().fold(0, |seen, byte| seen | CLASSES[*byte as usize]);
    if seen & FORBIDDEN != 0 {
        return Err(IdError::Character);
    }
    if *first == b'-' {
        return Err(IdError::Dash);
    }
    if seen & WIDE != 0 {
        if !text.chars().all(|c| c.is_ascii() || is_word(c)) {
            return Err(IdError::Character);
        }
        if !is_nfc(text) {
            return Err(IdError::Form);
        }
    }
    // Without a slash the whole is the only segment.
    if seen & SLASH == 0 && *first != b'.' {
        return Ok(());
    }
    let fits = |segment: &str| !matches!(segment, "" | "." | "..");
    if text.split('/').all(fits) { Ok(()) } else { Err(IdError::Segment) }
}

/// What a byte of an id is: nothing that needs a look, or one of these.
const SLASH: u8 = 1;
const WIDE: u8 = 2;
const FORBIDDEN: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut table = [FORBIDDEN; 256];
    let mut byte = 0;
    while byte < 256 {
        let class = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => 0,
            b'.' | b'_' | b'-' | b':' | b'@' | b'+' | b'=' | b'~' | b',' => 0,
            b'/' => SLASH,
            0x80.. => WIDE,
            _ => FORBIDDEN,
        };
        table[byte] = class;
        byte += 1;
    }
    table
};

/// A letter, digit or mark that can be seen.
fn is_word(c: char) -> bool {
    use GeneralCategory as Is;
    let word = matches!(
        c.general_category(),
        Is::UppercaseLetter
            | Is::LowercaseLetter
            | Is::TitlecaseLetter
            | Is::ModifierLetter
            | Is::OtherLetter
            | Is::NonspacingMark
            | Is::SpacingMark
            | Is::EnclosingMark
            | Is::DecimalNumber
            | Is::LetterNumber
    );
    word && !is_ignorable(c)
}

/// Letters and marks that are not shown: those of Default_Ignorable_Code_Point (DerivedCoreProperties.txt of Unicode 17)
/// that have such a category. Fillers of Hangul, selectors of variants, joiners of graphemes, vowels of Khmer.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether versions before 0.5 took a text for an id. What they did not know is left as it was.
fn was_taken_once(text: &str) -> bool {
    let dots = matches!(text, "." | "..");
    let fits = |c: char| {
        !c.is_whitespace()
            && !c.is_control()
            && !matches!(c, '/' | '\\' | '?' | '#' | '%' | '"' | '<' | '>')
            && !is_format(c)
    };
    !text.is_empty() && !dots && text.len() <= ID_BYTES_MAX && text.chars().all(fits)
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

    fn made(text: &str) -> Result<(), IdError> {
        IdRef::new(text).and_then(IdRef::may_be_made)
    }

    #[test]
    fn ordinary_names_pass() {
        for name in [
            "a",
            "web-01",
            "192.168.1.100",
            "fe80::1",
            "[fe80::1]:5000",
            "数据库",
            "二〇二六",
            "हिन्दी",
            "job_7@host:3",
            "...",
            "a=b",
            "C++,~x",
            "ns/pod",
            "a/.b/..c/...",
            "a/-b",
            "12",
        ] {
            assert_eq!(made(name), Ok(()), "{name}");
        }
        assert!(made(&"x".repeat(128)).is_ok());
    }

    #[test]
    fn what_a_shell_reads_or_nobody_sees_is_no_name_of_a_new_monitor() {
        for name in [
            "$(reboot)",
            "`id`",
            "a;b",
            "a|b",
            "*",
            "a*",
            "~!",
            "a&b",
            "{a}",
            "a[1]",
            "(x)",
            "a'b",
            "a^b",
            "a$b",
            "[1]",
        ] {
            assert_eq!(made(name), Err(IdError::Character), "{name}");
            assert_eq!(IdRef::new(name).map(IdRef::as_str), Ok(name), "an earlier version may have made it");
        }
        for name in ["-rf", "-"] {
            assert_eq!(made(name), Err(IdError::Dash), "{name}");
        }
        // Invisible, private, unassigned, and what is no letter.
        for c in [
            '\u{3164}',
            '\u{115f}',
            '\u{ffa0}',
            '\u{2800}',
            '\u{fe0f}',
            '\u{e0100}',
            '\u{34f}',
            '\u{180b}',
            '\u{17b4}',
            '\u{e000}',
            '\u{100000}',
            '\u{378}',
            '\u{1f600}',
            '\u{2713}',
            '\u{fffd}',
            '\u{b2}',
        ] {
            assert_eq!(made(&format!("a{c}")), Err(IdError::Character), "{c:?}");
            assert_eq!(made(&c.to_string()), Err(IdError::Character), "{c:?}");
        }
    }

    #[test]
    fn names_are_compared_composed() {
        let (apart, whole) = ("cafe\u{301}", "café");
        assert_eq!(composed(apart), whole);
        assert!(matches!(composed(whole), Cow::Borrowed(_)) && matches!(composed("abc"), Cow::Borrowed(_)));
        assert_eq!((made(whole), made(apart)), (Ok(()), Err(IdError::Form)));
        assert_eq!(composed("\u{212b}"), "\u{c5}", "the sign of the ångström is the letter");
    }

    #[test]
    fn every_category_that_may_stand_in_a_name_is_seen() {
        for c in ('\u{80}'..=char::MAX).filter(|c| is_word(*c)) {
            assert!(c.is_alphanumeric() || c.to_string().nfc().count() >= 1, "{c:?}");
            assert!(!c.is_whitespace() && !c.is_control() && !is_format(c), "{c:?}");
        }
        for c in ('\0'..=char::MAX).filter(|c| c.is_alphabetic() && c.is_alphanumeric() && !is_ignorable(*c))
        {
            // Circled letters are symbols, though alphabetic.
            let symbol = c.general_category() == GeneralCategory::OtherSymbol;
            assert!(c.is_ascii() || is_word(c) || symbol, "{c:?}");
        }
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
            "/",
            "/a",
            "a/",
            "a//b",
            "a/./b",
            "../a",
            "a/..",
            "a/b c",
            "a/b;c",
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
