//! Alerts over the API: what was told and is to be told, and tests.

use super::listing::{self, RowSource};
use super::reply::{RouteReply, wrong};
use super::request::RouteRequest;
use crate::domain::address::Peer;
use crate::domain::alert::Message;
use crate::domain::lang::Lang;
use crate::domain::policy::Policy;
use crate::domain::time::{Span, Wall};
use crate::engine::Engine;
use crate::engine::delivery::stats::{AlertTestError, Partly};
use crate::store::{DeliveryStatus, OutboxMessage, OutboxQuery, StoreError};
use crate::sys::clock;
use crate::transport::listener_context::ListenerContext;
use crate::view::alert::{self, Listed};
use crate::wire::answer::Answer;
use crate::wire::query;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A message that is older when it is taken was late.
const LATE: Span = Span::secs(60);

/// A page of alerts, newest first.
pub async fn list(
    context: &ListenerContext,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
) -> RouteReply {
    let states = DeliveryStatus::ALL.map(DeliveryStatus::name);
    let wanted = match query::alerts(request.query, &states) {
        Ok(wanted) => wanted,
        Err(fault) => return RouteReply::Whole(wrong(&fault)),
    };
    let limit = wanted.limit;
    let asked =
        OutboxQuery { delivery: wanted.state.and_then(DeliveryStatus::parse), before: wanted.before, limit };
    let source = AlertRows { asked, lang: policy.lang, now: clock::wall(), places: Vec::new() };
    listing::list(context, policy, client, request, "alerts", limit, source).await
}

/// The rows of a list of alerts.
struct AlertRows {
    asked: OutboxQuery,
    lang: Lang,
    now: Wall,
    /// The places of those that were last given.
    places: Vec<u64>,
}

impl RowSource for AlertRows {
    fn rows(&mut self, engine: &Engine, most: usize) -> Result<(Vec<Value>, bool), StoreError> {
        let mut rows = engine.alerts(&OutboxQuery { limit: most + 1, ..self.asked.clone() })?;
        let more = rows.len() > most;
        rows.truncate(most);
        self.places = rows.iter().map(|row| row.place).collect();
        Ok((rows.iter().map(|row| shown(self.lang, self.now, row)).collect(), more))
    }

    fn go_on(&mut self, taken: usize) -> String {
        self.asked.before = taken.checked_sub(1).and_then(|last| self.places.get(last).copied());
        self.asked.before.map(|place| place.to_string()).unwrap_or_default()
    }
}

fn shown(lang: Lang, now: Wall, row: &OutboxMessage) -> Value {
    // One that is done is shown as it was then.
    let at = if row.delivery == DeliveryStatus::Pending { now } else { row.outgoing.due };
    let message = serde_json::from_str::<Message>(&row.outgoing.message).ok();
    let message = message.map(|message| message.at(at, LATE));
    let listed = Listed {
        key: &row.outgoing.key,
        notifier: &row.outgoing.notifier,
        recipient: row.outgoing.recipient.as_deref(),
        state: row.delivery.name(),
        made: row.outgoing.made,
        due: row.outgoing.due,
        is_pending: row.delivery == DeliveryStatus::Pending,
        tries: row.outgoing.tries,
        reason: row.reason.as_deref(),
        message: message.as_ref(),
    };
    alert::row_json(lang, &listed)
}

/// Has a test sent and waits for what comes of it.
pub async fn test(context: &ListenerContext, lang: Lang, coded: &str) -> Answer {
    let name = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    match context.engine.test_alert(&name).await {
        Ok(Partly { told, left }) => {
            let left: Vec<(&str, &str)> = left.iter().map(|one| (&*one.to, one.reason.say(lang))).collect();
            Answer::json(200, &alert::tested(&name, &told, &left))
        }
        Err(AlertTestError::Unknown) => Answer::wrong(
            404,
            "no such notifier: the configuration names none so ([[notifier]])",
            Some("name"),
        ),
        Err(AlertTestError::NotTaken(reason)) => Answer::error(502, reason.say(lang)),
        Err(AlertTestError::Busy) => {
            Answer::unavailable("too many tests are under way, or the server is stopping", Span::secs(5))
        }
    }
}
