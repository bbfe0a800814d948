//! Texts of a server, made safe for a terminal before anything else is done with them: an escape sequence would move the
//! cursor, a line break would add a line.
//!
//! [`ApiReply::json`](super::http::ApiReply::json), events and WebSocket messages return only what has been through
//! [`value`]. What is printed as JSON keeps the texts, and is written by [`json`].

use crate::view::words::{breaks_a_line, lines, one_line};
use serde_json::Value;
use std::fmt::Write;

/// The one field whose lines stay lines: a text for people, which is shown line by line.
const MESSAGE: &str = "message";

/// A value with every text in it fit for one line.
pub fn value(said: Value) -> Value {
    clean(said, false)
}

fn clean(said: Value, has_lines: bool) -> Value {
    match said {
        Value::String(text) => Value::String(match has_lines {
            true => lines(&text),
            false => one_line(&text).into_owned(),
        }),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| clean(item, false)).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, field)| {
                let has_lines = name == MESSAGE;
                (one_line(&name).into_owned(), clean(field, has_lines))
            });
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// JSON with everything escaped that a terminal interprets: besides what JSON escapes anyhow, DEL, the C1 controls, and
/// what turns the direction of writing or cannot be seen.
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Between values these are JSON's own white space; inside a text they are escaped already.
            '\n' | '\r' | '\t' => safe.push(c),
            c if breaks_a_line(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json as as_json;

    #[test]
    fn nothing_in_an_answer_moves_the_terminal_or_makes_a_line() {
        let said = as_json!({
            "state": "up\u{1b}[2J", "id": "a\nb", "tags": ["\u{202e}x", "\u{9b}31m"], "n": 1, "o": null,
            "message": "first\nsecond\r\u{85}", "deep": { "e\u{1b}": ["\u{7f}"] },
        });
        let clean = value(said);
        let text = clean.to_string();
        assert!(!text.contains(breaks_a_line), "{text}");
        assert_eq!(clean["id"], "a\\nb");
        assert_eq!(clean["message"].as_str().unwrap().lines().count(), 3, "{text}");
        assert_eq!((&clean["n"], &clean["o"]), (&1.into(), &Value::Null));
    }

    proptest! {
        #[test]
        fn json_says_the_same_and_holds_nothing_that_is_obeyed(text in any::<String>()) {
            let said = as_json!({ "text": text, "\u{9b}": ["\u{202e}\u{e0041}", text] });
            for written in [said.to_string(), format!("{said:#}")] {
                let safe = json(&written);
                prop_assert!(!safe.contains(|c| c != '\n' && breaks_a_line(c)), "{:?}", safe);
                prop_assert_eq!(serde_json::from_str::<Value>(&safe).unwrap(), said.clone());
            }
        }
    }
}
