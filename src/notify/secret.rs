//! Secrets: kept for use, never shown.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::fmt;

/// Shorter ones are not looked for in what receivers say: they would be found everywhere.
const REDACTED_BYTES_MIN: usize = 4;

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

    /// A text that comes from outside, without any secret that it may repeat.
    pub fn redact(&self, text: &str) -> String {
        self.0.values().fold(text.to_string(), |text, secret| redact(text, secret.reveal()))
    }
}

/// Takes a secret out of a text, as it is and as it stands in an address.
pub(super) fn redact(text: String, secret: &str) -> String {
    if secret.len() < REDACTED_BYTES_MIN {
        return text;
    }
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    text.replace(secret, "…").replace(&encoded, "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let secrets = Secrets::new([("token".to_string(), Secret::new("geheim=1".into()))].into());
        assert!(!format!("{secrets:?}").contains("geheim"));
        assert_eq!(secrets.reveal("token"), Some("geheim=1"));
        assert_eq!(secrets.redact("no geheim=1 here, nor geheim%3D1"), "no … here, nor …");
    }
}
