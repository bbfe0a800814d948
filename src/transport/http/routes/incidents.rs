//! Incidents over the API.

use super::{Question, aside, store_failed, wrong};
use crate::domain::history::Incident;
use crate::engine::Engine;
use crate::store::{IncidentQuery, StoreError};
use crate::sys::clock;
use crate::transport::site::Site;
use crate::view::api;
use crate::wire::answer::Answer;
use crate::wire::query;
use percent_encoding::percent_decode_str;

/// A page of incidents, newest first.
pub async fn list(site: &Site, question: &Question<'_>) -> Answer {
    let wanted = match query::incidents(question.query) {
        Ok(wanted) => wanted,
        Err(fault) => return wrong(&fault),
    };
    match aside(site, move |engine| page(engine, wanted)).await {
        Ok(Ok((rows, next))) => {
            Answer::json(200, &api::incidents(&rows, next.as_deref(), clock::wall())).with_data_headers()
        }
        Ok(Err(error)) => store_failed(&error),
        Err(failed) => failed,
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
pub async fn acknowledge(site: &Site, coded: &str) -> Answer {
    let id = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    let done = aside(site, move |engine| engine.acknowledge(&id).map(|known| known.then_some(id))).await;
    match done {
        Ok(Ok(Some(id))) => Answer::json(200, &api::acknowledged(&id)),
        Ok(Ok(None)) => Answer::wrong(404, "no such incident", Some("id")),
        Ok(Err(error)) => store_failed(&error),
        Err(failed) => failed,
    }
}
