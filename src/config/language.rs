//! Which language was asked for, and by whom.

use super::Env;
use crate::domain::lang::Lang;
use crate::i18n::ParseError;
use std::str::FromStr;

/// A LANG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LangChoice {
    /// As the locale says.
    Auto,
    /// This one.
    Fixed(Lang),
}

impl LangChoice {
    /// The language that was named; English where none was, whatever the locale.
    pub(crate) fn or_english(choice: Option<LangChoice>) -> Lang {
        match choice {
            Some(LangChoice::Fixed(lang)) => lang,
            _ => Lang::En,
        }
    }
}

impl FromStr for LangChoice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<LangChoice, ParseError> {
        match text {
            "auto" => Ok(LangChoice::Auto),
            "en" => Ok(LangChoice::Fixed(Lang::En)),
            "zh" => Ok(LangChoice::Fixed(Lang::Zh)),
            _ => Err(ParseError::NotLanguage),
        }
    }
}

/// The flag, the variable, the file, the locale.
pub(crate) fn choose_language(flag: Option<LangChoice>, file: Option<LangChoice>, env: &Env) -> Lang {
    let variable = || env.get("HEARTBEAT_LANG").and_then(|v| v.to_str().and_then(|v| v.parse().ok()));
    match flag.or_else(variable).or(file) {
        Some(LangChoice::Fixed(lang)) => lang,
        _ => ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| env.get(name))
            .map_or(Lang::En, |locale| Lang::from_locale(&locale.to_string_lossy())),
    }
}
