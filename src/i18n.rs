//! The catalogue: every text for people, with all its languages side by side.
//!
//! A text stands in the file of its area, as a word that is always the same ([`words!`]) or as a sentence with arguments
//! ([`texts!`]). One without a language does not compile; that both take the same arguments is tested below. Who does
//! not know yet in which language he will be read hands a [`Text`] on.

mod lang;

pub mod answers;
pub mod app;
pub mod cli;
pub mod client;
pub mod client_help;
pub mod command;
pub mod config;
pub mod delivery;
pub mod domain;
pub mod engine;
pub mod manual;
pub mod notify;
pub mod page;
mod parse;
pub mod samples;
pub mod server_help;
pub mod store;
pub mod sys;
mod system;
pub mod view;

pub use lang::Lang;
pub use parse::ParseError;
use std::fmt::{Debug, Display};
pub use system::{system_error, system_reason};

/// An argument that is shown as it is.
pub type Shown<'a> = &'a dyn Display;
/// An argument that is shown in quotes.
pub type Quoted<'a> = &'a dyn Debug;

/// An argument that has languages itself.
pub type Told<'a> = &'a Text;

/// What an argument is in a language.
trait Argument {
    type Shown<'b>
    where
        Self: 'b;

    fn in_lang(&self, lang: Lang) -> Self::Shown<'_>;
}

impl Argument for Shown<'_> {
    type Shown<'b>
        = system::InLang<'b>
    where
        Self: 'b;

    fn in_lang(&self, lang: Lang) -> system::InLang<'_> {
        system::InLang(*self, lang)
    }
}

impl Argument for Quoted<'_> {
    type Shown<'b>
        = &'b dyn Debug
    where
        Self: 'b;

    fn in_lang(&self, _: Lang) -> &dyn Debug {
        *self
    }
}

impl Argument for Told<'_> {
    type Shown<'b>
        = &'b str
    where
        Self: 'b;

    fn in_lang(&self, lang: Lang) -> &str {
        self.say(lang)
    }
}

/// A fixed text in all languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    en: &'static str,
    zh: &'static str,
}

/// A text in all languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    en: String,
    zh: String,
}

impl Word {
    /// The word in a language.
    pub const fn in_lang(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

impl From<Word> for Text {
    fn from(word: Word) -> Text {
        Text { en: word.en.into(), zh: word.zh.into() }
    }
}

impl Text {
    /// What `say` says in each language.
    pub fn of(say: impl Fn(Lang) -> String) -> Text {
        Text { en: say(Lang::En), zh: say(Lang::Zh) }
    }

    /// The same, changed in each language.
    pub fn map(self, change: impl Fn(String) -> String) -> Text {
        Text { en: change(self.en), zh: change(self.zh) }
    }

    /// The words of somebody else, which are the same whoever reads them.
    pub fn foreign(text: impl Into<String>) -> Text {
        let text = text.into();
        Text { en: text.clone(), zh: text }
    }

    /// Several in one, with a word between two of them.
    pub fn joined(all: &[Text], between: Word) -> Text {
        Text::of(|lang| all.iter().map(|text| text.say(lang)).collect::<Vec<_>>().join(between.in_lang(lang)))
    }

    /// With more behind it.
    pub fn and(self, more: &Text) -> Text {
        Text { en: self.en + &more.en, zh: self.zh + &more.zh }
    }

    /// Bytes that it holds in memory.
    pub fn capacity(&self) -> usize {
        self.en.capacity() + self.zh.capacity()
    }

    /// The text in a language.
    pub fn say(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }

    /// The same, to be kept.
    pub fn in_lang(self, lang: Lang) -> String {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

/// Fixed texts, a constant each: `NAME: "English", "中文";`.
macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        $(#[allow(missing_docs, clippy::too_many_arguments)]
        pub const $name: $crate::i18n::Word = $crate::i18n::Word { en: $en, zh: $zh };)*
    };
}

/// Texts with arguments, a function each: `name(argument: Shown): "… {argument}", "…{argument}";`.
macro_rules! texts {
    ($($name:ident($($arg:ident: $kind:ty),*): $en:literal, $zh:literal;)*) => {
        $(#[allow(missing_docs, clippy::too_many_arguments)]
        pub fn $name($($arg: $kind),*) -> $crate::i18n::Text {
            $crate::i18n::Text::of(|lang| {
                $(let $arg = $crate::i18n::Argument::in_lang(&$arg, lang);)*
                // One that only the other language shows.
                $(let _ = &$arg;)*
                match lang {
                    $crate::i18n::Lang::En => format!($en),
                    $crate::i18n::Lang::Zh => format!($zh),
                }
            })
        })*
    };
}
use {texts, words};
