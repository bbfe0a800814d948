//! An alert as people and programs read it: the words of `say`, and the JSON that webhooks send and templates take their
//! fields from.

mod say;
mod slot;

use super::api;
use crate::domain::alert::message::{CommonCause, Message, Subject};
use crate::domain::beat::Exit;
use crate::domain::lang::Lang;
use crate::domain::record::Cause;
use crate::domain::time::Wall;
pub use say::{details, sentence, text, title};
use serde_json::{Value, json};

/// The message as JSON. All keys are always there, `null` where they mean nothing.
pub fn json(lang: Lang, message: &Message) -> Value {
    let first = message.first();
    let since = first.map(|_| message.since().rfc3339());
    json!({
        "kind": message.kind.name(),
        "key": message.key,
        "notifier": message.notifier,
        "monitor": first.map(|one| &one.id),
        "count": message.count,
        "monitors": message.monitors.iter().map(|one| subject(one, message.now)).collect::<Vec<_>>(),
        "incident": first.and_then(|one| one.incident.as_ref()),
        "since": since,
        "duration_s": first.map(|_| api::seconds(message.duration())),
        "delayed_s": api::seconds(message.delayed),
        "stored": !message.unstored,
        "cause": first.and_then(|one| one.cause).map(Cause::name),
        "exit_code": first.and_then(|one| one.exit).and_then(Exit::code),
        "signal": first.and_then(|one| one.exit).and_then(Exit::signal),
        "slot": first.and_then(|one| one.slot).map(Wall::rfc3339),
        "message": first.and_then(|one| one.said.as_ref()),
        "failures": first.map(|one| one.failures),
        "address": first.and_then(|one| one.address.as_ref()),
        "tags": first.map(|one| &one.tags),
        "shared": message.shared.as_ref().map(|shared| match shared {
            CommonCause::After(id) | CommonCause::Network(id) => id,
        }),
        "dependants": message.dependants,
        "dependants_count": message.dependants_count,
        "title": title(lang, message),
        "text": text(lang, message),
        "details": details(lang, message),
        "server": message.server.name,
        "link": say::link(message),
        "at": message.made.rfc3339(),
    })
}

fn subject(one: &Subject, now: Wall) -> Value {
    let until = one.ended.unwrap_or(now);
    json!({
        "id": one.id,
        "incident": one.incident,
        "since": one.since.rfc3339(),
        "ended": one.ended.map(Wall::rfc3339),
        "duration_s": api::seconds(crate::domain::alert::message::age(one.since, until)),
        "cause": one.cause.map(Cause::name),
        "exit_code": one.exit.and_then(Exit::code),
        "signal": one.exit.and_then(Exit::signal),
        "last_beat": one.last_beat.map(Wall::rfc3339),
        "address": one.address,
        "tags": one.tags,
        "slot": one.slot.map(Wall::rfc3339),
        "message": one.said,
        "failures": one.failures,
        "removed": one.removed,
    })
}

/// A message in the list of all that was told.
pub struct Listed<'a> {
    /// Its name.
    pub key: &'a str,
    /// Whom it is for.
    pub notifier: &'a str,
    /// The one of the notifier's recipients whom it is for, if not all.
    pub recipient: Option<&'a str>,
    /// `pending`, `sent` or `failed`.
    pub state: &'a str,
    /// When it was made.
    pub made: Wall,
    /// When it is tried next, or when it was done.
    pub due: Wall,
    /// Whether it waits.
    pub is_pending: bool,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was not taken the last time.
    pub reason: Option<&'a str>,
    /// What it says, where that can be read.
    pub message: Option<&'a Message>,
}

/// A row of that list.
pub fn row_json(lang: Lang, row: &Listed<'_>) -> Value {
    let first = row.message.and_then(Message::first);
    json!({
            "key": row.key,
            "notifier": row.notifier,
            "recipient": row.recipient,
            "state": row.state,
            "kind": row.message.map(|message| message.kind.name()),
            "monitor": first.map(|one| &one.id),
            "monitors": row.message.map(|message| message.monitors.iter().map(|one| &one.id).collect::<Vec<_>>()),
            "count": row.message.map_or(0, |message| message.count),
            "incident": first.and_then(|one| one.incident.as_ref()),
            "made": row.made.rfc3339(),
            "due": row.is_pending.then(|| row.due.rfc3339()),
            "done": (!row.is_pending).then(|| row.due.rfc3339()),
            "tries": row.tries,
            "reason": row.reason,
            "text": row.message.map(|message| sentence(lang, message)),
    })
}

/// A test that was taken; not by all of its recipients where `left` names some, with why not.
pub fn tested(notifier: &str, told: &[String], left: &[(&str, &str)]) -> Value {
    let mut tested = json!({ "status": "sent", "notifier": notifier });
    if !left.is_empty() {
        tested["told"] = told.into();
        tested["not_told"] =
            left.iter().map(|(to, reason)| json!({ "recipient": to, "reason": reason })).collect();
    }
    tested
}

#[cfg(test)]
mod tests;
