//! How a key is declared: once, with all that is to be known of it.
//!
//! [`section!`] makes of a list of keys a draft with a field for each, the table by which a file is read into it, and
//! what the manual and the sample say. A key is added by one entry:
//!
//! ```text
//! header_lines: usize {                                   name, and the type of its value
//!     read: integer(8..=HEADER_LINES_MAX as u64),         a method of [`Given`], with its arguments
//!     default: 64,                                        as TOML; `example: r#"…"#` where it is none or long
//!     en: "Most header lines. {range}, default {default}.",
//!     zh: the same in Chinese,
//! }
//! ```
//!
//! In between may stand `form` (how a value is written, where the reader does not say it), `only` (the types of
//! notifier that have the key) and `restart` (whether two settings differ in what cannot change while the daemon runs);
//! at the end `sample` (what the sample says in place of the first sentence). In texts `` `x` `` is bold and `<x>`
//! stands for something.

use super::settings::Settings;
use super::value::{ConfigValue, Key, Located, Origin, size_text};
use crate::domain::time::Span;
use crate::i18n::ParseError;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A table of the file with declared keys.
pub(super) trait Section: Default + 'static {
    /// How each key is read.
    const KEYS: &'static [Key<Self>];
    /// What is known of each key, in the same order.
    const ABOUT: &'static [KeyAbout];

    /// The keys that were given, each with its place and whether its value was right.
    fn given(&self) -> Vec<(&'static str, &Origin, bool)>;
}

/// What is known of a key besides how it is read.
pub(crate) struct KeyAbout {
    pub(crate) name: &'static str,
    pub(super) kind: ValueKind,
    /// How its value is written; empty: as its kind is.
    pub(super) form: &'static str,
    /// As TOML; empty: none, or a long one, which is the example then.
    pub(super) default: &'static str,
    /// What the sample shows where there is no default.
    pub(super) example: &'static str,
    /// The types of notifier that have it; empty: all.
    pub(super) only: &'static [&'static str],
    /// Whether two settings differ in it, where a change waits for a restart.
    pub(super) restart: Option<fn(&Settings, &Settings) -> bool>,
    /// The manual's text; empty for a table within a table.
    pub(super) en: &'static str,
    pub(super) zh: &'static str,
    /// The sample's text; empty: the first sentence of the manual's.
    pub(super) sample: &'static str,
}

/// What a key was given as.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    /// Its value; `None`: nothing was given, or something wrong.
    pub(super) value: Option<T>,
    /// Where it was given last, rightly or wrongly.
    pub(super) origin: Option<Origin>,
}

impl<T> Default for Given<T> {
    fn default() -> Given<T> {
        Given { value: None, origin: None }
    }
}

/// The readers that `read:` names.
impl<T> Given<T> {
    /// By a function; what a later file says replaces what an earlier one said.
    pub(super) fn by<'a>(&mut self, value: ConfigValue<'a>, read: fn(ConfigValue<'a>) -> Option<T>) {
        *self = Given { value: read(value), origin: Some(value.origin()) };
    }

    pub(super) fn parsed<'a>(&mut self, value: ConfigValue<'a>)
    where
        T: FromStr<Err = ParseError>,
    {
        self.by(value, ConfigValue::parsed);
    }

    fn set(&mut self, value: ConfigValue<'_>, found: Option<T>) {
        *self = Given { value: found, origin: Some(value.origin()) };
    }
}

impl Given<bool> {
    pub(super) fn flag(&mut self, value: ConfigValue<'_>) {
        self.set(value, value.boolean());
    }
}

impl<T: TryFrom<u64>> Given<T> {
    pub(super) fn size(&mut self, value: ConfigValue<'_>, range: RangeInclusive<u64>) {
        self.set(value, value.size(range).and_then(|bytes| bytes.try_into().ok()));
    }

    pub(super) fn integer(&mut self, value: ConfigValue<'_>, range: RangeInclusive<u64>) {
        self.set(value, value.integer(range).and_then(|number| number.try_into().ok()));
    }
}

impl<T: TryFrom<u64>> Given<Option<T>> {
    pub(super) fn integer_or(
        &mut self,
        value: ConfigValue<'_>,
        word: &'static str,
        range: RangeInclusive<u64>,
    ) {
        let found = value.integer_or(word, range);
        self.set(value, found.map(|number| number.and_then(|number| number.try_into().ok())));
    }
}

impl Given<Span> {
    pub(super) fn span(&mut self, value: ConfigValue<'_>, range: RangeInclusive<Span>) {
        self.set(value, value.span(range));
    }
}

impl Given<Option<Span>> {
    pub(super) fn span_or(
        &mut self,
        value: ConfigValue<'_>,
        word: &'static str,
        range: RangeInclusive<Span>,
    ) {
        self.set(value, value.span_or(word, range));
    }
}

impl<T> Given<Vec<T>> {
    /// A list to which each file adds.
    pub(super) fn grow<'a>(&mut self, value: ConfigValue<'a>, read: fn(ConfigValue<'a>) -> Vec<T>) {
        self.value.get_or_insert_default().extend(read(value));
        self.origin = Some(value.origin());
    }
}

impl<T: Section> Given<T> {
    /// A table.
    pub(super) fn table(&mut self, value: ConfigValue<'_>) {
        value.table(T::KEYS, self.value.get_or_insert_default());
        self.origin = Some(value.origin());
    }
}

impl<T: Section> Given<Vec<Located<T>>> {
    /// A list of tables, to which each file adds.
    pub(super) fn tables(&mut self, value: ConfigValue<'_>, most: usize) {
        let all = self.value.get_or_insert_default();
        for element in value.elements(most).unwrap_or_default() {
            let mut one = T::default();
            if element.table(T::KEYS, &mut one) {
                all.extend(element.located(Some(one)));
            }
        }
        self.origin = Some(value.origin());
    }
}

/// What is made of it once all files have been read.
impl<T> Given<T> {
    pub(super) fn is_given(&self) -> bool {
        self.origin.is_some()
    }

    pub(super) fn or(self, default: T) -> T {
        self.value.unwrap_or(default)
    }

    pub(super) fn located(self) -> Option<Located<T>> {
        self.value.zip(self.origin).map(|(value, origin)| Located { value, origin })
    }
}

impl<T: Default> Given<T> {
    pub(super) fn or_default(self) -> T {
        self.value.unwrap_or_default()
    }
}

/// What a reader takes, as far as the manual says it.
#[derive(Clone, Copy)]
pub(super) enum ValueKind {
    Size(u64, u64),
    Integer(u64, u64, &'static str),
    Span(Span, Span, &'static str),
    Flag,
    Other,
}

/// By the names of the readers.
impl ValueKind {
    pub(super) const fn size(range: RangeInclusive<u64>) -> ValueKind {
        ValueKind::Size(*range.start(), *range.end())
    }

    pub(super) const fn integer(range: RangeInclusive<u64>) -> ValueKind {
        ValueKind::integer_or("", range)
    }

    pub(super) const fn integer_or(word: &'static str, range: RangeInclusive<u64>) -> ValueKind {
        ValueKind::Integer(*range.start(), *range.end(), word)
    }

    pub(super) const fn span(range: RangeInclusive<Span>) -> ValueKind {
        ValueKind::span_or("", range)
    }

    pub(super) const fn span_or(word: &'static str, range: RangeInclusive<Span>) -> ValueKind {
        ValueKind::Span(*range.start(), *range.end(), word)
    }

    pub(super) const fn flag() -> ValueKind {
        ValueKind::Flag
    }

    pub(super) const fn parsed() -> ValueKind {
        ValueKind::Other
    }

    pub(super) const fn table() -> ValueKind {
        ValueKind::Other
    }

    pub(super) const fn tables(_: usize) -> ValueKind {
        ValueKind::Other
    }

    pub(super) const fn by<F: Copy>(_: F) -> ValueKind {
        ValueKind::Other
    }

    pub(super) const fn grow<F: Copy>(_: F) -> ValueKind {
        ValueKind::Other
    }

    /// How a value is written.
    pub(super) fn form(self) -> String {
        let or = |what: &str, word: &str| match word {
            "" => what.to_string(),
            word => format!("{what} | \"{word}\""),
        };
        match self {
            ValueKind::Size(..) => "<size>".to_string(),
            ValueKind::Integer(_, _, word) => or("<number>", word),
            ValueKind::Span(_, _, word) => or("<span>", word),
            ValueKind::Flag => "true | false".to_string(),
            ValueKind::Other => String::new(),
        }
    }

    /// The least and the most.
    pub(super) fn range(self) -> Option<(String, String)> {
        match self {
            ValueKind::Size(low, high) => Some((size_text(low), size_text(high))),
            ValueKind::Integer(low, high, _) => Some((low.to_string(), high.to_string())),
            ValueKind::Span(low, high, _) => Some((low.to_string(), high.to_string())),
            ValueKind::Flag | ValueKind::Other => None,
        }
    }
}

/// The name of a key: a word of Rust's own is written `r#match` as a field.
pub(super) const fn key_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', rest @ ..] => match std::str::from_utf8(rest) {
            Ok(name) => name,
            Err(_) => field,
        },
        _ => field,
    }
}

/// Declares the keys of a table, see the module.
macro_rules! section {
    ($(#[$meta:meta])* $draft:ident {$(
        $key:ident: $type:ty {
            read: $reader:ident($($arg:expr),*)
            $(, form: $form:literal)?
            $(, default: $default:tt)?
            $(, example: $example:literal)?
            $(, only: $only:expr)?
            $(, restart: $restart:expr)?
            $(, en: $en:literal, zh: $zh:literal)?
            $(, sample: $sample:literal)?
            $(,)?
        }
    )*}) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(in crate::config) struct $draft {
            $(pub(in crate::config) $key: $crate::config::declare::Given<$type>,)*
        }

        impl $crate::config::declare::Section for $draft {
            const KEYS: &'static [$crate::config::value::Key<$draft>] = &[$($crate::config::value::Key {
                name: $crate::config::declare::key_name(stringify!($key)),
                read: |draft, value| draft.$key.$reader(value $(, $arg)*),
            }),*];

            const ABOUT: &'static [$crate::config::declare::KeyAbout] = &[$($crate::config::declare::KeyAbout {
                name: $crate::config::declare::key_name(stringify!($key)),
                kind: $crate::config::declare::ValueKind::$reader($($arg),*),
                form: [$($form,)? ""][0],
                default: [$(stringify!($default),)? ""][0],
                example: [$($example,)? ""][0],
                only: [$($only,)? &[]][0],
                restart: [$(Some($restart as fn(&$crate::config::Settings, &$crate::config::Settings) -> bool),)? None][0],
                en: [$($en,)? ""][0],
                zh: [$($zh,)? ""][0],
                sample: [$($sample,)? ""][0],
            }),*];

            fn given(&self) -> Vec<(&'static str, &$crate::config::value::Origin, bool)> {
                let all = [$((
                    $crate::config::declare::key_name(stringify!($key)),
                    self.$key.origin.as_ref(),
                    self.$key.value.is_some(),
                )),*];
                all.into_iter().filter_map(|(name, origin, right)| Some((name, origin?, right))).collect()
            }
        }
    };
}
pub(super) use section;
