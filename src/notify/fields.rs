//! The fields that templates may name, and what they hold.
//!
//! Those of the message are the keys of its JSON, see `view::alert`. In a loop the keys that both have are the
//! monitor's. A few more are made at the moment of sending.

use super::sign;
use super::template::TemplateScope;
use crate::domain::alert::MessageKind;
use crate::domain::time::Wall;
use serde_json::Value as Json;
use std::borrow::Cow;

/// A year: until then an alert that is not ended counts as going on, for receivers that forget what is not repeated.
const YEAR_MS: i64 = 366 * 86_400_000;

/// A field that a template names.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplateField {
    /// One that is always there.
    Known(&'static KnownField),
    /// `secret.NAME`.
    Secret(String),
    /// `param.NAME`.
    Param(String),
}

/// A field by its name.
#[derive(Debug)]
pub struct KnownField {
    name: &'static str,
    place: FieldSource,
}

#[derive(Clone, Copy, Debug)]
enum FieldSource {
    /// A key of the message.
    Message,
    /// A key of a monitor, in a loop.
    Monitor,
    /// A key of both.
    Both,
    /// Made here.
    Made(fn(&TemplateScope<'_>) -> Json),
    /// Made here from a secret of that name.
    Signed(&'static str, fn(Wall, &str) -> String),
    /// Made here of where a loop stands.
    Turn(fn(usize, usize) -> bool),
}

impl PartialEq for KnownField {
    fn eq(&self, other: &KnownField) -> bool {
        self.name == other.name
    }
}

const fn known(name: &'static str, place: FieldSource) -> KnownField {
    KnownField { name, place }
}

const KNOWN: &[KnownField] = &[
    known("text", FieldSource::Message),
    known("title", FieldSource::Message),
    known("kind", FieldSource::Message),
    known("key", FieldSource::Message),
    known("notifier", FieldSource::Message),
    known("monitor", FieldSource::Message),
    known("count", FieldSource::Message),
    known("delayed_s", FieldSource::Message),
    known("stored", FieldSource::Message),
    known("shared", FieldSource::Message),
    known("dependants", FieldSource::Message),
    known("dependants_count", FieldSource::Message),
    known("details", FieldSource::Message),
    known("server", FieldSource::Message),
    known("link", FieldSource::Message),
    known("at", FieldSource::Message),
    known("incident", FieldSource::Both),
    known("since", FieldSource::Both),
    known("duration_s", FieldSource::Both),
    known("cause", FieldSource::Both),
    known("exit_code", FieldSource::Both),
    known("signal", FieldSource::Both),
    known("slot", FieldSource::Both),
    known("message", FieldSource::Both),
    known("failures", FieldSource::Both),
    known("address", FieldSource::Both),
    known("tags", FieldSource::Both),
    known("id", FieldSource::Monitor),
    known("ended", FieldSource::Monitor),
    known("last_beat", FieldSource::Monitor),
    known("removed", FieldSource::Monitor),
    known("first", FieldSource::Turn(|index, _| index == 0)),
    known("last", FieldSource::Turn(|index, shown| index + 1 == shown)),
    known("payload", FieldSource::Made(|scope| scope.envelope.json().clone())),
    known("icon", FieldSource::Made(|scope| icon(scope.envelope.message.kind).into())),
    known("now", FieldSource::Made(|scope| scope.envelope.now().rfc3339().into())),
    known("now_s", FieldSource::Made(|scope| sign::seconds(scope.envelope.now()).into())),
    known("now_ms", FieldSource::Made(|scope| scope.envelope.now().0.into())),
    known(
        "in_a_year",
        FieldSource::Made(|scope| Wall(scope.envelope.now().0.saturating_add(YEAR_MS)).rfc3339().into()),
    ),
    known("dingtalk_sign", FieldSource::Signed("sign", sign::dingtalk)),
    known("feishu_sign", FieldSource::Signed("sign", sign::feishu)),
];

/// What is seen before anything is read.
fn icon(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Down | MessageKind::Reminder => "🔴",
        MessageKind::Recovered => "🟢",
        MessageKind::Flapping | MessageKind::Own => "🟡",
        MessageKind::Test => "🔵",
    }
}

impl TemplateField {
    pub(super) fn of_name(name: &str) -> Option<TemplateField> {
        KNOWN.iter().find(|known| known.name == name).map(TemplateField::Known)
    }

    /// Whether it is a value of JSON by itself.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, TemplateField::Known(KnownField { name: "payload", .. }))
    }

    /// All names, for error messages.
    pub(super) fn names() -> Vec<&'static str> {
        KNOWN.iter().map(|known| known.name).chain(["secret.NAME", "param.NAME"]).collect()
    }

    /// The secret that it is made of.
    pub(super) fn needs_secret(&self) -> Option<&'static str> {
        match self {
            TemplateField::Known(KnownField { place: FieldSource::Signed(secret, _), .. }) => Some(secret),
            _ => None,
        }
    }

    /// Its name, if it stands only in a loop.
    pub(super) fn is_of_monitor(&self) -> Option<&'static str> {
        match self {
            TemplateField::Known(KnownField { name, place: FieldSource::Monitor | FieldSource::Turn(_) }) => {
                Some(name)
            }
            _ => None,
        }
    }
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum FieldValue<'a> {
    Json(Cow<'a, Json>),
    Text(String),
}

/// Looks it up.
pub(super) fn value<'a>(field: &TemplateField, scope: &TemplateScope<'a>) -> FieldValue<'a> {
    static NULL: Json = Json::Null;
    let key = |json: &'a Json, name: &str| FieldValue::Json(Cow::Borrowed(json.get(name).unwrap_or(&NULL)));
    let message = scope.envelope.json();
    let monitor = scope.at.and_then(|(index, _)| scope.envelope.monitors().get(index));
    match field {
        TemplateField::Secret(name) => {
            FieldValue::Text(scope.secrets.reveal(name).unwrap_or_default().to_string())
        }
        TemplateField::Param(name) => FieldValue::Text(scope.params.get(name).cloned().unwrap_or_default()),
        TemplateField::Known(KnownField { name, place }) => match place {
            FieldSource::Message => key(message, name),
            FieldSource::Monitor => key(monitor.unwrap_or(&NULL), name),
            FieldSource::Both => key(monitor.unwrap_or(message), name),
            FieldSource::Made(make) => FieldValue::Json(Cow::Owned(make(scope))),
            FieldSource::Signed(secret, sign) => {
                FieldValue::Text(sign(scope.envelope.now(), scope.secrets.reveal(secret).unwrap_or_default()))
            }
            FieldSource::Turn(holds) => FieldValue::Json(Cow::Owned(
                scope.at.is_some_and(|(index, shown)| holds(index, shown)).into(),
            )),
        },
    }
}

impl FieldValue<'_> {
    /// Whether there is nothing in it: zero and false are nothing too.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            FieldValue::Text(text) => text.is_empty(),
            FieldValue::Json(json) => match json.as_ref() {
                Json::Null => true,
                Json::Bool(holds) => !holds,
                Json::Number(number) => number.as_f64() == Some(0.0),
                Json::String(text) => text.is_empty(),
                Json::Array(all) => all.is_empty(),
                Json::Object(all) => all.is_empty(),
            },
        }
    }

    /// As a text: a list with commas, nothing for nothing.
    pub(super) fn into_text(self) -> String {
        let json = match self {
            FieldValue::Text(text) => return text,
            FieldValue::Json(json) => json,
        };
        match json.as_ref() {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            Json::Array(all) if all.iter().all(Json::is_string) => {
                all.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        }
    }

    /// As JSON.
    pub(super) fn into_json(self) -> String {
        match self {
            FieldValue::Text(text) => Json::String(text).to_string(),
            FieldValue::Json(json) => json.to_string(),
        }
    }
}
