//! Alerts over the API: what was told and is to be told, and tests.

use super::{Question, aside, store_failed, wrong};
use crate::domain::alert::Message;
use crate::domain::lang::Lang;
use crate::domain::policy::Policy;
use crate::domain::time::Span;
use crate::engine::post::NotTested;
use crate::store::{Delivery, OutboxQuery, Posted};
use crate::sys::clock;
use crate::transport::site::Site;
use crate::view::alert::{self, Listed};
use crate::wire::answer::Answer;
use crate::wire::query;
use percent_encoding::percent_decode_str;

/// A message that is older when it is taken was late.
const LATE: Span = Span::secs(60);

/// A page of alerts, newest first.
pub async fn list(site: &Site, policy: &Policy, question: &Question<'_>) -> Answer {
    let states = Delivery::ALL.map(Delivery::name);
    let wanted = match query::alerts(question.query, &states) {
        Ok(wanted) => wanted,
        Err(fault) => return wrong(&fault),
    };
    let lang = policy.page_lang;
    let asked = OutboxQuery {
        delivery: wanted.state.and_then(Delivery::parse),
        before: wanted.before,
        limit: wanted.limit + 1,
    };
    let found = aside(site, move |engine| engine.alerts(&asked)).await;
    match found {
        Ok(Ok(rows)) => Answer::json(200, &page(lang, rows, wanted.limit)).with_data_headers(),
        Ok(Err(error)) => store_failed(&error),
        Err(failed) => failed,
    }
}

fn page(lang: Lang, mut rows: Vec<Posted>, limit: usize) -> serde_json::Value {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| last.place.to_string());
    let now = clock::wall();
    let messages: Vec<Option<Message>> = rows
        .iter()
        .map(|row| {
            // One that is done is shown as it was then.
            let at = if row.delivery == Delivery::Pending { now } else { row.outgoing.due };
            serde_json::from_str::<Message>(&row.outgoing.message).ok().map(|message| message.at(at, LATE))
        })
        .collect();
    let listed: Vec<Listed<'_>> = rows
        .iter()
        .zip(&messages)
        .map(|(row, message)| Listed {
            key: &row.outgoing.key,
            notifier: &row.outgoing.notifier,
            recipient: row.outgoing.recipient.as_deref(),
            state: row.delivery.name(),
            made: row.outgoing.made,
            due: row.outgoing.due,
            is_pending: row.delivery == Delivery::Pending,
            tries: row.outgoing.tries,
            reason: row.reason.as_deref(),
            message: message.as_ref(),
        })
        .collect();
    alert::list_json(lang, &listed, next.as_deref())
}

/// Has a test sent and waits for what comes of it.
pub async fn test(site: &Site, coded: &str) -> Answer {
    let name = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    match site.engine.test_alert(&name).await {
        Ok(()) => Answer::json(200, &alert::tested(&name)),
        Err(NotTested::Unknown) => Answer::wrong(
            404,
            "no such notifier: the configuration names none so ([[notifier]])",
            Some("name"),
        ),
        Err(NotTested::NotTaken(reason)) => Answer::error(502, &reason),
        Err(NotTested::Busy) => {
            Answer::unavailable("too many tests are under way, or the server is stopping", Span::secs(5))
        }
    }
}
