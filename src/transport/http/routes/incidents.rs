//! Incidents over the API.

use super::listing::{self, RowSource};
use super::reply::{RouteReply, aside, store_failed, wrong};
use super::request::RouteRequest;
use crate::domain::address::Peer;
use crate::domain::history::Incident;
use crate::domain::policy::Policy;
use crate::domain::time::Wall;
use crate::engine::Engine;
use crate::store::{IncidentQuery, StoreError};
use crate::sys::clock;
use crate::transport::listener_context::ListenerContext;
use crate::view::api;
use crate::wire::answer::Answer;
use crate::wire::query;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A page of incidents, newest first.
pub async fn list(
    context: &ListenerContext,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
) -> RouteReply {
    let wanted = match query::incidents(request.query) {
        Ok(wanted) => wanted,
        Err(fault) => return RouteReply::Whole(wrong(&fault)),
    };
    let limit = wanted.limit;
    let source = IncidentRows { wanted, now: clock::wall(), ends: Vec::new() };
    listing::list(context, policy, client, request, "incidents", limit, source).await
}

/// The rows of a list of incidents.
struct IncidentRows {
    wanted: query::Incidents,
    now: Wall,
    /// The places behind those that were last given.
    ends: Vec<(Wall, String)>,
}

impl RowSource for IncidentRows {
    fn rows(&mut self, engine: &Engine, most: usize) -> Result<(Vec<Value>, bool), StoreError> {
        let (rows, next) = page(engine, query::Incidents { limit: most, ..self.wanted.clone() })?;
        self.ends = rows.iter().map(|row| (row.started, row.id.clone())).collect();
        Ok((rows.iter().map(|row| api::incident(row, self.now)).collect(), next.is_some()))
    }

    fn go_on(&mut self, taken: usize) -> String {
        self.wanted.after = taken.checked_sub(1).and_then(|last| self.ends.get(last).cloned());
        self.wanted.after.as_ref().map(|(at, id)| query::cursor_text(at.0, id)).unwrap_or_default()
    }
}

/// The incidents asked for, and the cursor behind them. For a thread that has the time.
pub fn page(
    engine: &Engine,
    wanted: query::Incidents,
) -> Result<(Vec<Incident>, Option<String>), StoreError> {
    let limit = wanted.limit;
    let mut rows = engine.incidents(&IncidentQuery {
        monitor: wanted.monitor,
        since: wanted.since,
        open: wanted.open,
        after: wanted.after,
        limit: limit + 1,
    })?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let next = last.map(|last| query::cursor_text(last.started.0, &last.id));
    Ok((rows, next))
}

/// Notes that somebody knows of an incident.
pub async fn acknowledge(context: &ListenerContext, coded: &str) -> Answer {
    let id = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    let done = aside(context, move |engine| engine.acknowledge(&id).map(|known| known.then_some(id))).await;
    match done {
        Ok(Ok(Some(id))) => Answer::json(200, &api::acknowledged(&id)),
        Ok(Ok(None)) => Answer::wrong(404, "no such incident", Some("id")),
        Ok(Err(error)) => store_failed(&error),
        Err(failed) => failed,
    }
}
