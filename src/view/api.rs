//! The JSON of the API.

use crate::domain::beat::Exit;
use crate::domain::history::{Incident, Past};
use crate::domain::notice::State;
use crate::domain::record::PausedBy;
use crate::domain::registry::{Conflict, Counts, Snapshot};
use crate::domain::time::{Span, Wall};
use serde_json::{Map, Value, json};

/// One monitor. `past` is `None` where it could not be read.
pub fn monitor(m: &Snapshot, past: Option<&Past>) -> Value {
    let uptime = past.map(|past| past.uptime).unwrap_or_default();
    // Of who was never heard nobody knows where it is or how it is.
    let heard = m.last_beat.is_some();
    json!({
        "id": m.id,
        "number": m.number,
        "state": m.state.name(),
        "since": m.since.rfc3339(),
        "last_beat": m.last_beat.map(Wall::rfc3339),
        "next_deadline": m.next_deadline.map(Wall::rfc3339),
        "interval_s": seconds(m.interval),
        "asked_interval_s": m.asked.map(seconds),
        "grace_s": seconds(m.grace),
        "slot": m.slot.map(Wall::rfc3339),
        "never_heard": m.never_heard,
        "schedule": m.schedule.as_ref().map(|(expression, _)| expression),
        "timezone": m.schedule.as_ref().map(|(_, zone)| zone),
        "declared": m.declared,
        "address": heard.then(|| m.address.to_string()),
        "reported_ip": m.reported_ip,
        "transport": heard.then(|| m.transport.name()),
        "beats": m.beats,
        "seq": m.seq,
        "gaps": m.gaps,
        "repeats": m.repeats,
        "skew_ms": m.skew_ms,
        "status": heard.then(|| m.status.name()),
        "exit_code": m.status.exit_code(),
        "signal": m.status.signal(),
        "message": m.message,
        "message_at": m.message_at.map(Wall::rfc3339),
        "tags": m.tags,
        "runs": m.runs.iter().map(|began| began.rfc3339()).collect::<Vec<_>>(),
        "run_took_s": m.run_took.map(seconds),
        "incident": m.incident.as_ref().map(|(id, started, reason)| {
            json!({
                "id": id,
                "started": started.rfc3339(),
                "cause": reason.cause.name(),
                "exit_code": reason.exit.and_then(Exit::code),
                "signal": reason.exit.and_then(Exit::signal),
            })
        }),
        "paused_until": m.pause.and_then(|pause| pause.until).map(Wall::rfc3339),
        "paused_by": m.pause.map(|pause| match pause.by {
            PausedBy::Person => "person",
            PausedBy::Window => "maintenance",
        }),
        "conflict": m.conflict.as_ref().map(conflict),
        "uptime_24h": uptime.day,
        "uptime_7d": uptime.week,
        "uptime_90d": uptime.quarter,
    })
}

/// Two senders that use one id.
pub fn conflict(conflict: &Conflict) -> Value {
    json!({ "addresses": conflict.addresses.map(|peer| peer.to_string()), "since": conflict.since.rfc3339() })
}

/// An incident.
pub fn incident(incident: &Incident, now: Wall) -> Value {
    json!({
        "id": incident.id,
        "monitor": incident.monitor,
        "cause": incident.reason.cause.name(),
        "exit_code": incident.reason.exit.and_then(Exit::code),
        "signal": incident.reason.exit.and_then(Exit::signal),
        "run_started": incident.reason.run_started.map(Wall::rfc3339),
        "started": incident.started.rfc3339(),
        "ended": incident.ended.map(Wall::rfc3339),
        "duration_s": seconds(incident.duration(now)),
        "acknowledged": incident.acknowledged,
    })
}

/// An incident that somebody has just said to know.
pub fn acknowledged(id: &str) -> Value {
    json!({ "id": id, "acknowledged": true })
}

/// What `/api/v1/status` shows.
pub struct ServerStatus<'a> {
    /// Our version.
    pub version: &'a str,
    /// Which installation this is.
    pub instance: &'a str,
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
    /// Bytes in the journal.
    pub journal_bytes: u64,
    /// Age of the oldest beat that a power cut would lose, in seconds.
    pub unsynced_s: f64,
    /// How many times the governor stretches intervals; 1: not at all.
    pub governor_stretch: f64,
    /// Why beats are refused.
    pub refusing: Option<&'a str>,
    /// What else is wrong.
    pub degraded: &'a [String],
}

/// The daemon as a whole.
pub fn status(status: &ServerStatus<'_>) -> Value {
    json!({
        "version": status.version,
        "instance": status.instance,
        "started": status.started.rfc3339(),
        "monitors": counts(&status.counts),
        "beats": status.beats,
        "connections": status.connections,
        "log_lines_dropped": status.log_lines_dropped,
        "journal_bytes": status.journal_bytes,
        "unsynced_s": status.unsynced_s,
        "governor_stretch": status.governor_stretch,
        "refusing": status.refusing,
        "degraded": status.degraded,
    })
}

/// Whether beats are taken, and what else is wrong.
pub fn readiness(refusing: Option<&str>, degraded: &[String]) -> Value {
    let reasons: Vec<&str> = refusing.into_iter().chain(degraded.iter().map(String::as_str)).collect();
    json!({
        "status": if refusing.is_some() { "refusing" } else { "ready" },
        "degraded": !reasons.is_empty(),
        "reasons": reasons,
    })
}

/// What is said of a log target that fails.
pub fn failing_target(name: &str) -> String {
    format!("log target {name} is failing")
}

/// Monitors by state.
pub fn counts(counts: &Counts) -> Map<String, Value> {
    State::ALL.iter().map(|s| (s.name().to_string(), counts[*s as usize].into())).collect()
}

/// Whole seconds as a whole number, others with their fraction.
pub fn seconds(span: Span) -> Value {
    let ms = span.0;
    if ms % 1000 == 0 { (ms / 1000).into() } else { (ms as f64 / 1000.0).into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Cause;

    #[test]
    fn an_open_incident_lasts_until_now() {
        let mut one = Incident {
            id: "7-3".into(),
            monitor: "web-1".into(),
            reason: Cause::Silence.into(),
            started: Wall(1_770_521_420_000),
            ended: None,
            acknowledged: false,
        };
        let now = Wall(1_770_521_425_500);
        let shown = incident(&one, now);
        assert_eq!(
            shown.to_string(),
            r#"{"id":"7-3","monitor":"web-1","cause":"silence","exit_code":null,"signal":null,"run_started":null,"started":"2026-02-08T03:30:20.000Z","ended":null,"duration_s":5.5,"acknowledged":false}"#
        );
        one.ended = Some(Wall(1_770_521_423_000));
        assert_eq!(incident(&one, now)["duration_s"], 3);
    }

    #[test]
    fn refusing_is_the_first_reason() {
        let shown = readiness(Some("no space"), &["syslog".into()]);
        assert_eq!(
            shown.to_string(),
            r#"{"status":"refusing","degraded":true,"reasons":["no space","syslog"]}"#
        );
        assert_eq!(readiness(None, &[])["degraded"], false);
    }
}
