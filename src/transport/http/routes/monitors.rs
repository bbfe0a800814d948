//! Monitors over the API: lists, one, and what a person may do with one.

use super::listing::{self, RowSource};
use super::reply::{RouteReply, aside, id_in_path, no_such_monitor, wrong};
use super::request::RouteRequest;
use crate::domain::address::Peer;
use crate::domain::history::Past;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::policy::Policy;
use crate::domain::registry::{Cursor, MonitorCommand, Order, Snapshot};
use crate::domain::time::{Span, Wall};
use crate::engine::{ControlRefusal, Engine};
use crate::store::StoreError;
use crate::sys::clock;
use crate::transport::listener_context::ListenerContext;
use crate::view::api;
use crate::wire::answer::Answer;
use crate::wire::control::{self, PauseFor};
use crate::wire::query::{self, Selection};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stands in a path as it is (RFC 3986, 2.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A page of monitors.
pub async fn list(
    context: &ListenerContext,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
) -> RouteReply {
    let selection = match query::selection(request.query) {
        Ok(selection) => selection,
        Err(fault) => return RouteReply::Whole(wrong(&fault)),
    };
    let limit = selection.limit;
    listing::list(
        context,
        policy,
        client,
        request,
        "monitors",
        limit,
        MonitorRows { selection, ends: Vec::new() },
    )
    .await
}

/// The rows of a list of monitors.
struct MonitorRows {
    selection: Selection,
    /// The places behind those that were last given.
    ends: Vec<Cursor>,
}

impl RowSource for MonitorRows {
    fn rows(&mut self, engine: &Engine, most: usize) -> Result<(Vec<Value>, bool), StoreError> {
        let order = self.selection.order.unwrap_or_default();
        let (rows, next) = select(engine, &self.selection, order, most);
        self.ends = rows.iter().map(|row| Cursor { key: row.key(order), id: row.id.clone() }).collect();
        let pasts = pasts(engine, &rows);
        let shown = rows.iter().enumerate().map(|(n, row)| api::monitor(row, pasts.get(n))).collect();
        Ok((shown, next.is_some()))
    }

    fn go_on(&mut self, taken: usize) -> String {
        self.selection.after = taken.checked_sub(1).and_then(|last| self.ends.get(last).cloned());
        self.selection.after.as_ref().map(|end| query::cursor_text(end.key, &end.id)).unwrap_or_default()
    }
}

/// The monitors that a selection takes, and where to go on. For a thread that has the time.
pub fn select(
    engine: &Engine,
    selection: &Selection,
    order: Order,
    limit: usize,
) -> (Vec<Snapshot>, Option<Cursor>) {
    engine.list(order, selection.after.as_ref(), limit, |seen| selection.wants(seen))
}

/// The past of monitors; nothing where the store does not say, which its own alarm tells of.
fn pasts(engine: &Engine, rows: &[Snapshot]) -> Vec<Past> {
    engine.past(clock::now(), rows).unwrap_or_default()
}

/// One monitor.
pub async fn one(context: &ListenerContext, coded: &str) -> Answer {
    let id = match id_in_path(context, coded) {
        Ok(id) => id,
        Err(fault) => return fault,
    };
    match context.engine.get(id.as_ref()) {
        Some(monitor) => shown(context, 200, monitor).await,
        None => no_such_monitor(id.as_str()).with_data_headers(),
    }
}

/// Makes one, or changes what it is held to.
pub async fn declare(context: &ListenerContext, coded: &str, body: &[u8]) -> Answer {
    let (id, declaration) = match (id_in_path(context, coded), control::declaration(body)) {
        (Err(fault), _) => return fault,
        (_, Err(fault)) => return wrong(&fault),
        (Ok(id), Ok(declaration)) => (id, declaration),
    };
    let new = context.engine.get(id.as_ref()).is_none();
    if let (true, Err(error)) = (new, id.as_ref().may_be_made()) {
        return Answer::wrong(400, &error.to_string(), Some("id"));
    }
    let location = new.then(|| format!("/api/v1/monitors/{}", utf8_percent_encode(id.as_str(), PATH)));
    let answer = obey(context, id, MonitorCommand::Declare(declaration), if new { 201 } else { 200 }).await;
    Answer { location: location.filter(|_| answer.status == 201), ..answer }
}

/// Sets one aside.
pub async fn pause(context: &ListenerContext, coded: &str, body: &[u8]) -> Answer {
    let (id, wish) = match (id_in_path(context, coded), control::pause(body)) {
        (Err(fault), _) => return fault,
        (_, Err(fault)) => return wrong(&fault),
        (Ok(id), Ok(wish)) => (id, wish),
    };
    let now = clock::wall();
    let until = match wish {
        PauseFor::Good => None,
        PauseFor::Span(length) => {
            Some(Wall(now.0.saturating_add(i64::try_from(length.0).unwrap_or(i64::MAX))))
        }
        // The clock decides, not the form: it was right once.
        PauseFor::Until(until) if until <= now => {
            return Answer::wrong(409, "that moment has passed", Some("until"));
        }
        PauseFor::Until(until) => Some(until),
    };
    obey(context, id, MonitorCommand::Pause { until }, 200).await
}

/// Ends a pause.
pub async fn resume(context: &ListenerContext, coded: &str) -> Answer {
    match id_in_path(context, coded) {
        Ok(id) => obey(context, id, MonitorCommand::Resume, 200).await,
        Err(fault) => fault,
    }
}

/// Forgets one.
pub async fn remove(context: &ListenerContext, coded: &str) -> Answer {
    match id_in_path(context, coded) {
        Ok(id) => obey(context, id, MonitorCommand::Remove, 204).await,
        Err(fault) => fault,
    }
}

/// Does what a person wants; `done` is the status when it is.
async fn obey(context: &ListenerContext, id: Id, control: MonitorCommand, done: u16) -> Answer {
    let named = id.clone();
    let done_so = aside(context, move |engine| engine.control(clock::now(), id.as_ref(), &control)).await;
    match done_so {
        Ok(Ok(Some(monitor))) => shown(context, done, monitor).await,
        Ok(Ok(None)) => Answer::no_content(),
        Ok(Err(refused)) => refusal(&refused, named.as_str()),
        Err(failed) => failed,
    }
}

/// Why it was not done, as the API says it.
pub(super) fn refusal(refused: &ControlRefusal, id: &str) -> Answer {
    match refused {
        ControlRefusal::Unknown => no_such_monitor(id),
        ControlRefusal::Configured => Answer::error(
            409,
            "the configuration declares this monitor: change or remove its [[monitor]] there and reload",
        ),
        ControlRefusal::Full => {
            Answer::unavailable("no room for another monitor (limits.monitors)", Span::secs(60))
        }
        ControlRefusal::NotStored(reason) => {
            let reason = reason.say(Lang::En);
            Answer::unavailable(&format!("it could not be kept: {reason}"), Span::secs(5))
        }
    }
}

async fn shown(context: &ListenerContext, status: u16, monitor: Snapshot) -> Answer {
    let shown = aside(context, move |engine| {
        let past = pasts(engine, std::slice::from_ref(&monitor));
        api::monitor(&monitor, past.first())
    });
    match shown.await {
        Ok(value) => Answer::json(status, &value).with_data_headers(),
        Err(failed) => failed,
    }
}
