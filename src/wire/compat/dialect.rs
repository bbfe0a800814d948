//! What every dialect has: how it is asked, the beats it makes, and the forms of its answers.

use super::request::CompatRequest;
use super::wish::CompatManager;
use crate::domain::registry::Receipt;
use crate::wire::answer::{Answer, JSON, TEXT};
use crate::wire::fields::{BeatError, Fields};
use crate::wire::url_beat::put_message;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Beats that one request may bring in a dialect; more are left.
pub const COMPAT_BEATS_MAX: usize = 1000;

/// How one service is spoken to.
pub trait CompatDialect: Sync {
    /// Whether a request is in it, by its method, its path and its query.
    fn claims(&self, request: &CompatRequest<'_>) -> bool;

    /// The secret that it shows, where one of `access.beat_tokens` is needed.
    fn credential<'a>(&self, _: &CompatRequest<'a>) -> Option<Cow<'a, str>> {
        None
    }

    /// Whether that stands in its body, which is then read before its sender is judged by it.
    fn shows_credential_in_body(&self, _: &CompatRequest<'_>) -> bool {
        false
    }

    /// Whether its bodies may be packed.
    fn takes_packed(&self) -> bool {
        false
    }

    /// The part of it that asks for monitors and changes them, where it has one.
    fn manager(&self) -> Option<&'static dyn CompatManager> {
        None
    }

    /// Its beats; an answer where it brings none, be it wrong or not.
    ///
    /// # Errors
    /// That answer.
    fn read<'a>(&self, request: &CompatRequest<'a>) -> Result<Vec<CompatBeat<'a>>, Answer>;

    /// What is answered when beats of it were taken.
    fn taken(&self, request: &CompatRequest<'_>, receipts: &[Receipt]) -> Answer;

    /// What is answered when none was.
    fn refused(&self, request: &CompatRequest<'_>, why: &CompatRefusal<'_>) -> Answer;
}

/// A beat as a dialect tells it.
#[derive(Debug, Default)]
pub struct CompatBeat<'a> {
    /// What it says.
    pub fields: Fields<'a>,
    /// The name it is for is also the secret that admits it, and is not shown where secrets are asked for.
    pub is_name_secret: bool,
    /// Its monitor is wanted, so that it is made in strict mode too.
    pub creates: bool,
}

/// Why no beat was taken, where the service has words of its own for it.
#[derive(Debug)]
pub enum CompatRefusal<'a> {
    /// It is wrong.
    Invalid(&'a BeatError),
    /// There is no such monitor, and none is made.
    Unknown,
    /// The secret is missing, or not known.
    Credential,
}

/// A text for an answer.
pub(super) fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Answer {
    let body: Cow<'static, [u8]> = match body.into() {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    };
    Answer::new(status, TEXT, body)
}

/// JSON as services write it, without a line feed behind it.
pub(super) fn compact(status: u16, value: &Value) -> Answer {
    Answer::new(status, JSON, value.to_string().into_bytes())
}

/// `{"error": …}` in JSON.
pub(super) fn error(status: u16, reason: &str) -> Answer {
    compact(status, &json!({ "error": reason }))
}

/// A beat for a monitor.
pub(super) fn beat_for<'a>(id: impl Into<Cow<'a, str>>) -> CompatBeat<'a> {
    let mut beat = CompatBeat::default();
    beat.fields.put("id", id);
    beat
}

impl<'a> CompatBeat<'a> {
    /// With a field, where there is something to say.
    pub(super) fn with(mut self, name: &str, value: Option<impl Into<Cow<'a, str>>>) -> CompatBeat<'a> {
        if let Some(value) = value.map(Into::into).filter(|value| !value.is_empty()) {
            self.fields.put(name, value);
        }
        self
    }

    /// With a body for the message.
    pub(super) fn with_body(mut self, body: &'a [u8]) -> CompatBeat<'a> {
        put_message(&mut self.fields, body);
        self
    }

    /// Its name is its secret.
    pub(super) fn by_secret(self) -> CompatBeat<'a> {
        CompatBeat { is_name_secret: true, ..self }
    }
}
