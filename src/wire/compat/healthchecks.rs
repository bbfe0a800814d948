//! Healthchecks pings: `/ping/UUID` and `/ping/PING_KEY/SLUG`, each with `/start`, `/fail`, `/log` or an exit status behind
//! it. Hosted ones have the same paths right below the root.
//!
//! The monitor is the UUID, or the slug. Any body is kept as the message; Healthchecks has no word for a beat that it
//! dislikes but these. Where our own beats have such paths too, the query holds the fields that it holds there.

use super::dialect::{CompatBeat, CompatDialect, CompatRefusal, text};
use super::request::{CompatRequest, is_token, is_uuid};
use crate::domain::registry::Receipt;
use crate::wire::answer::Answer;
use crate::wire::{query, url_beat};
use std::borrow::Cow;

/// Pings below a prefix.
pub struct Healthchecks {
    /// Where the paths begin.
    pub prefix: &'static str,
}

/// Letters and digits of a ping key.
const KEY_BYTES: usize = 22;
const UNKNOWN: &str = "not found";

const HEADERS: &[(&str, &str)] = &[
    ("access-control-allow-origin", "*"),
    ("cache-control", "max-age=0, no-cache, no-store, must-revalidate, private"),
    ("ping-body-limit", "10000"),
];

/// What a path says.
struct Ping<'a> {
    key: Option<&'a str>,
    name: &'a str,
    action: Option<&'a str>,
}

impl Healthchecks {
    fn ping<'a>(&self, request: &CompatRequest<'a>) -> Option<Ping<'a>> {
        let words = request.words(self.prefix)?;
        match words[..] {
            [name] if is_uuid(name) => Some(Ping { key: None, name, action: None }),
            [name, action] if is_uuid(name) => {
                is_action(action).then_some(Ping { key: None, name, action: Some(action) })
            }
            [key, name] if is_key(key) && is_slug(name) => Some(Ping { key: Some(key), name, action: None }),
            [key, name, action] if is_key(key) && is_slug(name) && is_action(action) => {
                Some(Ping { key: Some(key), name, action: Some(action) })
            }
            _ => None,
        }
    }
}

/// One of random characters, so that it is no name in small letters: of those that are made one in 10^8 is taken for one.
fn is_key(word: &str) -> bool {
    is_token(word, KEY_BYTES..=KEY_BYTES)
        && word.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// With capitals too, which are refused later.
fn is_slug(word: &str) -> bool {
    is_token(word, 1..=100)
}

fn is_action(word: &str) -> bool {
    matches!(word, "start" | "fail" | "log") || !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

impl CompatDialect for Healthchecks {
    fn claims(&self, request: &CompatRequest<'_>) -> bool {
        self.ping(request).is_some()
    }

    fn credential<'a>(&self, request: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        let ping = self.ping(request)?;
        Some(ping.key.unwrap_or(ping.name).into())
    }

    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer> {
        let Ping { key, name, action } = self.ping(request).ok_or_else(|| text(404, UNKNOWN))?;
        if key.is_some() && name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(text(400, "invalid url format"));
        }
        let is_code = action.is_some_and(|action| action.bytes().all(|b| b.is_ascii_digit()));
        if is_code && action.and_then(|code| code.parse::<u8>().ok()).is_none() {
            return Err(text(400, "invalid url format"));
        }
        let rid = request.parameter("rid");
        if rid.as_ref().is_some_and(|rid| !is_uuid(rid)) {
            return Err(text(400, "invalid uuid format"));
        }
        let mut beat = CompatBeat::default();
        if self.prefix == url_beat::PREFIX {
            beat.fields = query::beat(request.query);
        }
        beat.fields.put("id", name);
        let mut beat = beat.with("status", action).with("rid", rid).with_body(request.body);
        beat.creates = request.parameter("create").as_deref() == Some("1");
        beat.is_name_secret = key.is_none();
        Ok(vec![beat])
    }

    fn taken(&self, request: &CompatRequest<'_>, receipts: &[Receipt]) -> Answer {
        let wants = request.parameter("create").as_deref() == Some("1");
        let answer = match receipts.first() {
            Some(receipt) if receipt.created && wants => text(201, "Created"),
            _ => text(200, "OK"),
        };
        Answer { more: HEADERS, ..answer }
    }

    fn refused(&self, _: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer {
        match why {
            CompatRefusal::Invalid(_) => text(400, "invalid url format"),
            CompatRefusal::Unknown | CompatRefusal::Credential => text(404, UNKNOWN),
        }
    }
}
