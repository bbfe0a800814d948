//! The JSON of the API.

use crate::domain::notice::State;
use crate::domain::registry::{Counts, Snapshot};
use crate::domain::time::Wall;
use serde_json::{Map, Value, json};

/// One monitor.
pub fn monitor(m: &Snapshot) -> Value {
    json!({
        "id": m.id,
        "state": m.state.name(),
        "since": m.since.rfc3339(),
        "last_beat": m.last_beat.map(Wall::rfc3339),
        "next_deadline": m.next_deadline.map(Wall::rfc3339),
        "interval_s": seconds(m.interval.0),
        "grace_s": seconds(m.grace.0),
        "address": m.address.to_string(),
        "reported_ip": m.reported_ip,
        "transport": m.transport.name(),
        "beats": m.beats,
        "seq": m.seq,
        "gaps": m.gaps,
        "status": m.status.name(),
        "message": m.message,
        "tags": m.tags,
        "paused_until": null,
    })
}

/// A page of monitors; the cursor is the last id.
pub fn monitors(rows: &[Snapshot], more: bool) -> Value {
    let next = rows.last().filter(|_| more).map(|last| &last.id);
    json!({ "monitors": rows.iter().map(monitor).collect::<Vec<_>>(), "next": next })
}

/// What `/api/v1/status` shows.
pub struct Status<'a> {
    /// Our version.
    pub version: &'a str,
    /// When the daemon started.
    pub started: Wall,
    /// Monitors by state.
    pub counts: Counts,
    /// Beats taken since.
    pub beats: u64,
    /// Connections open.
    pub connections: u64,
    /// Log lines lost.
    pub log_lines_dropped: u64,
}

/// The daemon as a whole.
pub fn status(status: &Status<'_>) -> Value {
    let monitors: Map<String, Value> =
        State::ALL.iter().map(|s| (s.name().to_string(), status.counts[*s as usize].into())).collect();
    json!({
        "version": status.version,
        "started": status.started.rfc3339(),
        "monitors": monitors,
        "beats": status.beats,
        "connections": status.connections,
        "log_lines_dropped": status.log_lines_dropped,
    })
}

/// Whether beats are taken, and what else is wrong.
pub fn readiness(failing_log_targets: &[String]) -> Value {
    let reasons: Vec<String> =
        failing_log_targets.iter().map(|t| format!("log target {t} is failing")).collect();
    json!({ "status": "ready", "degraded": !reasons.is_empty(), "reasons": reasons })
}

/// Whole seconds as a whole number, others with their fraction.
fn seconds(ms: u64) -> Value {
    if ms % 1000 == 0 { (ms / 1000).into() } else { (ms as f64 / 1000.0).into() }
}
