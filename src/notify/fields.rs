//! The fields that templates may name, and what they hold.
//!
//! Those of the message are the keys of its JSON, see `view::alert`. In a loop the keys that both have are the
//! monitor's. A few more are made at the moment of sending.

use super::sign;
use super::template::Scope;
use crate::domain::alert::Kind;
use crate::domain::time::Wall;
use serde_json::Value as Json;
use std::borrow::Cow;

/// A year: until then an alert that is not ended counts as going on, for receivers that forget what is not repeated.
const YEAR_MS: i64 = 366 * 86_400_000;

/// A field that a template names.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// One that is always there.
    Known(&'static Known),
    /// `secret.NAME`.
    Secret(String),
    /// `param.NAME`.
    Param(String),
}

/// A field by its name.
#[derive(Debug)]
pub struct Known {
    name: &'static str,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// A key of the message.
    Message,
    /// A key of a monitor, in a loop.
    Monitor,
    /// A key of both.
    Both,
    /// Made here.
    Made(fn(&Scope<'_>) -> Json),
    /// Made here from a secret of that name.
    Signed(&'static str, fn(Wall, &str) -> String),
    /// Made here of where a loop stands.
    Turn(fn(usize, usize) -> bool),
}

impl PartialEq for Known {
    fn eq(&self, other: &Known) -> bool {
        self.name == other.name
    }
}

const fn known(name: &'static str, place: Place) -> Known {
    Known { name, place }
}

const KNOWN: &[Known] = &[
    known("text", Place::Message),
    known("title", Place::Message),
    known("kind", Place::Message),
    known("key", Place::Message),
    known("notifier", Place::Message),
    known("monitor", Place::Message),
    known("count", Place::Message),
    known("delayed_s", Place::Message),
    known("stored", Place::Message),
    known("shared", Place::Message),
    known("dependants", Place::Message),
    known("dependants_count", Place::Message),
    known("details", Place::Message),
    known("server", Place::Message),
    known("link", Place::Message),
    known("at", Place::Message),
    known("incident", Place::Both),
    known("since", Place::Both),
    known("duration_s", Place::Both),
    known("cause", Place::Both),
    known("exit_code", Place::Both),
    known("signal", Place::Both),
    known("slot", Place::Both),
    known("message", Place::Both),
    known("failures", Place::Both),
    known("address", Place::Both),
    known("tags", Place::Both),
    known("id", Place::Monitor),
    known("ended", Place::Monitor),
    known("last_beat", Place::Monitor),
    known("removed", Place::Monitor),
    known("first", Place::Turn(|index, _| index == 0)),
    known("last", Place::Turn(|index, shown| index + 1 == shown)),
    known("payload", Place::Made(|scope| scope.envelope.json().clone())),
    known("icon", Place::Made(|scope| icon(scope.envelope.message.kind).into())),
    known("now", Place::Made(|scope| scope.envelope.now().rfc3339().into())),
    known("now_s", Place::Made(|scope| sign::seconds(scope.envelope.now()).into())),
    known("now_ms", Place::Made(|scope| scope.envelope.now().0.into())),
    known(
        "in_a_year",
        Place::Made(|scope| Wall(scope.envelope.now().0.saturating_add(YEAR_MS)).rfc3339().into()),
    ),
    known("dingtalk_sign", Place::Signed("sign", sign::dingtalk)),
    known("feishu_sign", Place::Signed("sign", sign::feishu)),
];

/// What is seen before anything is read.
fn icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Down | Kind::Reminder => "🔴",
        Kind::Recovered => "🟢",
        Kind::Flapping | Kind::Own => "🟡",
        Kind::Test => "🔵",
    }
}

impl Field {
    pub(super) fn of_name(name: &str) -> Option<Field> {
        KNOWN.iter().find(|known| known.name == name).map(Field::Known)
    }

    /// Whether it is a value of JSON by itself.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Field::Known(Known { name: "payload", .. }))
    }

    /// All names, for whom got one wrong.
    pub(super) fn names() -> Vec<&'static str> {
        KNOWN.iter().map(|known| known.name).chain(["secret.NAME", "param.NAME"]).collect()
    }

    /// The secret that it is made of.
    pub(super) fn needs_secret(&self) -> Option<&'static str> {
        match self {
            Field::Known(Known { place: Place::Signed(secret, _), .. }) => Some(secret),
            _ => None,
        }
    }

    /// Its name, if it stands only in a loop.
    pub(super) fn is_of_monitor(&self) -> Option<&'static str> {
        match self {
            Field::Known(Known { name, place: Place::Monitor | Place::Turn(_) }) => Some(name),
            _ => None,
        }
    }
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Json(Cow<'a, Json>),
    Text(String),
}

/// Looks it up.
pub(super) fn value<'a>(field: &Field, scope: &Scope<'a>) -> Value<'a> {
    static NULL: Json = Json::Null;
    let key = |json: &'a Json, name: &str| Value::Json(Cow::Borrowed(json.get(name).unwrap_or(&NULL)));
    let message = scope.envelope.json();
    let monitor = scope.at.and_then(|(index, _)| scope.envelope.monitors().get(index));
    match field {
        Field::Secret(name) => Value::Text(scope.secrets.reveal(name).unwrap_or_default().to_string()),
        Field::Param(name) => Value::Text(scope.params.get(name).cloned().unwrap_or_default()),
        Field::Known(Known { name, place }) => match place {
            Place::Message => key(message, name),
            Place::Monitor => key(monitor.unwrap_or(&NULL), name),
            Place::Both => key(monitor.unwrap_or(message), name),
            Place::Made(make) => Value::Json(Cow::Owned(make(scope))),
            Place::Signed(secret, sign) => {
                Value::Text(sign(scope.envelope.now(), scope.secrets.reveal(secret).unwrap_or_default()))
            }
            Place::Turn(holds) => {
                Value::Json(Cow::Owned(scope.at.is_some_and(|(index, shown)| holds(index, shown)).into()))
            }
        },
    }
}

impl Value<'_> {
    /// Whether there is nothing in it: zero and false are nothing too.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Value::Text(text) => text.is_empty(),
            Value::Json(json) => match json.as_ref() {
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
            Value::Text(text) => return text,
            Value::Json(json) => json,
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
            Value::Text(text) => Json::String(text).to_string(),
            Value::Json(json) => json.to_string(),
        }
    }
}
