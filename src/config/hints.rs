//! What was probably meant by a key or a name that nobody knows.

use crate::domain::rules::Match;
use crate::domain::zone::Zone;
use crate::i18n::{self, Text};
use strsim::levenshtein;

/// The zone that was probably meant.
pub(super) fn near_zone(name: &str) -> Option<String> {
    let near =
        Zone::names().map(|known| (levenshtein(&name.to_lowercase(), &known.to_lowercase()), known)).min()?;
    Some(near.1).filter(|known| near.0 <= 1 + known.len() / 8)
}

/// Whom a rule names, as the configuration writes it.
pub(super) fn whom(matches: &Match) -> String {
    match matches {
        Match::Id(pattern) => pattern.to_string(),
        Match::Network(network) => network.to_string(),
    }
}

/// What TOML calls a type.
pub(super) fn type_name(name: &'static str) -> Text {
    match name {
        "string" => i18n::config::TYPE_STRING,
        "integer" => i18n::config::TYPE_INTEGER,
        "float" => i18n::config::TYPE_FLOAT,
        "boolean" => i18n::config::TYPE_BOOLEAN,
        "datetime" => i18n::config::TYPE_DATETIME,
        "array" => i18n::config::TYPE_ARRAY,
        _ => i18n::config::TYPE_TABLE,
    }
    .into()
}

/// A key that nobody knows: with the one that was probably meant, or all that are known here.
pub(super) fn unknown_key(name: &str, known: &[&str], elsewhere: fn(&str) -> Option<String>) -> Text {
    if let Some(other) = elsewhere(name) {
        return i18n::config::unknown_key_near(&other);
    }
    let near = known.iter().map(|key| (levenshtein(name, key), *key)).min();
    match near.filter(|(far, key)| *far <= 1 + key.len() / 4) {
        Some((_, key)) => i18n::config::unknown_key_near(&key),
        None => i18n::config::unknown_key(&Text::of(|lang| known.join(i18n::config::COMMA.in_lang(lang)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["body_bytes", "body_timeout"];
        let say = |name: &str| {
            unknown_key(name, &known, |n| (n == "dir").then(|| "state.dir".into())).say(Lang::En).to_string()
        };
        assert_eq!(say("body_byte"), "unknown key; did you mean body_bytes?");
        assert_eq!(say("bodytimeout"), "unknown key; did you mean body_timeout?");
        assert_eq!(say("dir"), "unknown key; did you mean state.dir?");
        assert_eq!(say("colour"), "unknown key; known here: body_bytes, body_timeout");
    }
}
