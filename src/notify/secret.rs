//! Secrets: kept for use, never shown.
//!
//! A receiver's answer may repeat a secret: as it was sent, as it stands in a URL or in JSON, inside a Basic header or an
//! SMTP AUTH line (base64), whole or in part. So answers are shown only with `show_answers`, and then without any six
//! characters in a row of one of those forms.

use crate::i18n::{self, Text};
use crate::notify::quoted;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Shorter secrets are not searched for in answers: they would match everywhere.
const REDACTED_BYTES_MIN: usize = 4;
/// So many characters in a row are a part of a secret and no coincidence.
const PART_BYTES: usize = 6;
/// Bytes of an answer that are searched; less is quoted.
const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// Stands for what was removed.
const MARK: char = '…';

/// A password, a token or a key. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// For use, not for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Secrets by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// Those.
    pub fn new(secrets: BTreeMap<String, Secret>) -> Secrets {
        Secrets(secrets)
    }

    /// One of them, for use.
    pub fn reveal(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::reveal)
    }

    /// With more: a URL that was called, a header that was sent.
    pub fn with(&self, more: impl IntoIterator<Item = String>) -> Secrets {
        let mut all = self.clone();
        for (index, text) in more.into_iter().enumerate() {
            // No name that a configuration can give.
            all.0.insert(format!("<{index}>"), Secret::new(text));
        }
        all
    }

    /// A text from outside without any secret, encoded or in part.
    pub fn redact(&self, text: &str) -> String {
        let mut hidden = vec![false; text.len()];
        let low = text.to_ascii_lowercase();
        let mut parts: BTreeSet<[u8; PART_BYTES]> = BTreeSet::new();
        for secret in self.0.values().map(Secret::reveal) {
            if secret.len() < REDACTED_BYTES_MIN {
                continue;
            }
            for form in forms(secret) {
                let form = form.to_ascii_lowercase();
                let windows = form.as_bytes().windows(PART_BYTES);
                parts.extend(windows.filter_map(|part| <[u8; PART_BYTES]>::try_from(part).ok()));
                if (REDACTED_BYTES_MIN..PART_BYTES).contains(&form.len()) {
                    for (at, found) in low.match_indices(&form) {
                        hidden[at..at + found.len()].fill(true);
                    }
                }
            }
        }
        for (at, part) in low.as_bytes().windows(PART_BYTES).enumerate() {
            if part.try_into().is_ok_and(|part: [u8; PART_BYTES]| parts.contains(&part)) {
                hidden[at..at + PART_BYTES].fill(true);
            }
        }
        let mut shown = String::new();
        for (at, c) in text.char_indices() {
            if !hidden[at..at + c.len_utf8()].contains(&true) {
                shown.push(c);
            } else if !shown.ends_with(MARK) {
                shown.push(MARK);
            }
        }
        shown
    }

    /// What a reason quotes of an answer: a hint, or the answer without secrets.
    pub(super) fn answer(&self, is_shown: bool, text: &str) -> Text {
        if text.trim().is_empty() {
            return Text::default();
        }
        if !is_shown {
            return i18n::notify::SHOW_ANSWERS_HINT.into();
        }
        let mut end = text.len().min(ANSWER_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        quoted(&self.redact(&text[..end]))
    }
}

/// The forms in which an answer may hold a secret.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default().trim_matches('"').to_string();
    let mut ascii = String::new();
    for c in json.chars() {
        match c {
            ' '..='~' if !matches!(c, '<' | '>' | '&' | '\'') => ascii.push(c),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii += &format!("\\u{unit:04x}")),
        }
    }
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut all = vec![
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(secret, percent_encoding::CONTROLS).to_string(),
        json.replace('/', "\\/"),
        json,
        ascii.replace('/', "\\/"),
        ascii,
        html,
        secret.bytes().map(|b| format!("{b:02x}")).collect(),
        secret.to_string(),
    ];
    for before in 0..3 {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        // Characters that hold bits of what stands before or behind are not the secret's own.
        let first = [0, 2, 3][before];
        let behind = usize::from(bytes.len() % 3 != 0);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let coded = engine.encode(&bytes);
            all.extend(coded.get(first..coded.len().saturating_sub(behind)).map(str::to_string));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    fn secrets(secret: &str) -> Secrets {
        Secrets::new([("token".to_string(), Secret::new(secret.into()))].into())
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let secrets = secrets("geheim=1");
        assert!(!format!("{secrets:?}").contains("geheim"));
        assert_eq!(secrets.reveal("token"), Some("geheim=1"));
        assert_eq!(secrets.redact("no geheim=1 here, nor geheim%3D1"), "no … here, nor …");
        assert_eq!(super::tests::secrets("abcd").redact("an abcd, an ABCD"), "an …, an …");
        assert_eq!(super::tests::secrets("abc").redact("an abc"), "an abc", "found everywhere");
    }

    #[test]
    fn words_are_shown_only_where_that_is_asked_for() {
        let secrets = secrets("hunter2hunter2");
        let said = |is_shown, text: &str| secrets.answer(is_shown, text).in_lang(Lang::En);
        assert_eq!(said(true, "bad token hunter2hunter2\n"), ": bad token …");
        let hint = said(false, "bad token hunter2hunter2");
        assert!(!hint.contains("bad") && hint.contains("show_answers"), "{hint}");
        assert_eq!(said(false, " \n"), "");
    }

    proptest! {
        /// Whatever is put around it and however it is written, no six characters of a secret are left.
        #[test]
        fn no_form_and_no_part_of_a_secret_comes_through(
            secret in "[a-zA-Z0-9/+=_:.<&\"\\\\é-]{8,40}",
            before in "[a-z :]{0,5}",
            after in "[a-z ]{0,5}",
            from in 0usize..8,
        ) {
            let redacted = |text: &str| secrets(&secret).redact(text);
            let gone = |text: String, form: &str| {
                let (shown, form) = (redacted(&text).to_ascii_lowercase(), form.to_ascii_lowercase());
                form.as_bytes().windows(PART_BYTES)
                    .filter_map(|part| std::str::from_utf8(part).ok())
                    .all(|part| !shown.contains(part))
            };
            let json = serde_json::to_string(&secret).unwrap();
            let percent = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
            for form in [secret.clone(), json.trim_matches('"').into(), json.trim_matches('"').replace('/', "\\/"), percent] {
                prop_assert!(gone(format!("{before}{form}{after}"), &form), "{form}");
                let part: String = form.chars().skip(from).collect();
                prop_assert!(gone(format!("{before} {part} {after}"), &part), "{part}");
            }
            for coded in [STANDARD.encode(format!("{before}{secret}{after}")), URL_SAFE.encode(format!("{before}{secret}{after}"))] {
                // What is left gives back no six characters of it.
                let shown = redacted(&coded);
                for piece in shown.split(MARK) {
                    prop_assert!(piece.len() < secret.len() || before.len() + after.len() > 0, "{shown}");
                }
                prop_assert!(shown.len() < coded.len() + MARK.len_utf8(), "{coded} {shown}");
                prop_assert!(shown.contains(MARK), "{coded} {shown}");
            }
        }
    }
}
