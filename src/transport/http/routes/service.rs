//! What the daemon says of itself: status, health, metrics, and what it can be asked.

use super::request::{RouteRequest, VERSION};
use crate::domain::beat::Transport;
use crate::domain::lang::Lang;
use crate::engine::Health;
use crate::engine::delivery::stats::AlertResult;
use crate::engine::stats::{BeatResult, ConnectionRefusal, DELAYS_MS};
use crate::sys::process;
use crate::transport::listener_context::ListenerContext;
use crate::view::{api, metrics, openapi};
use crate::wire::answer::{Answer, JSON};

/// Whether we live: whoever reads this knows.
pub fn alive() -> Answer {
    Answer::new(200, "text/plain; charset=utf-8", &b"ok\n"[..]).with_data_headers()
}

/// Whether beats are taken. What else is wrong does not turn anybody away: they are still counted.
pub fn ready(context: &ListenerContext) -> Answer {
    let health = context.engine.health();
    let lang = context.engine.policy().lang;
    let degraded = degraded(context, &health, lang);
    let refusing = health.refusing.as_ref().map(|sentence| sentence.told().say(lang));
    let status = if refusing.is_some() { 503 } else { 200 };
    Answer::json(status, &api::readiness(refusing, &degraded)).with_data_headers()
}

/// Where things stand.
pub fn status(context: &ListenerContext) -> Answer {
    let engine = &context.engine;
    let sum = engine.stats().sum();
    let (health, lang) = (engine.health(), engine.policy().lang);
    let value = api::status(&api::ServerStatus {
        version: VERSION,
        instance: engine.instance(),
        started: context.started.wall,
        counts: engine.counts(),
        beats: sum.accepted(),
        connections: sum.open_connections(),
        log_lines_dropped: engine.log().dropped(),
        journal_bytes: health.journal_bytes,
        unsynced_s: health.unsynced_s,
        governor_stretch: engine.stretch(),
        refusing: health.refusing.as_ref().map(|sentence| sentence.told().say(lang)),
        degraded: &degraded(context, &health, lang),
    });
    Answer::json(200, &value).with_data_headers()
}

/// The API, described.
pub fn openapi() -> Answer {
    Answer::new(200, JSON, openapi::document(VERSION).into_bytes()).with_data_headers()
}

/// Metrics, in the format that is asked for.
pub fn metrics_text(context: &ListenerContext, request: &RouteRequest<'_>) -> Answer {
    let engine = &context.engine;
    let open = request.accept.contains("application/openmetrics-text");
    let sum = engine.stats().sum();
    let health = engine.health();
    let beats = Transport::ALL.map(|transport| {
        let of_transport = sum.beats[transport as usize];
        BeatResult::ALL.map(|result| (transport.name(), result.name(), of_transport[result as usize]))
    });
    let mut delays = [(0.0, 0); DELAYS_MS.len()];
    for (bucket, (most_ms, count)) in delays.iter_mut().zip(DELAYS_MS.iter().zip(sum.delays)) {
        *bucket = (*most_ms as f64 / 1000.0, count);
    }
    let tally = engine.alert_tally();
    let alerts: Vec<(&str, &'static str, u64)> = tally
        .iter()
        .flat_map(|(name, counts)| {
            AlertResult::ALL.map(|result| (name.as_str(), result.name(), counts[result as usize]))
        })
        .collect();
    let input = metrics::Input {
        version: VERSION,
        beats: beats.as_flattened(),
        fast_path_beats: sum.fast,
        transitions: sum.transitions,
        connections: &Transport::ALL.map(|t| (t.name(), sum.connections[t as usize])),
        refused: &ConnectionRefusal::ALL.map(|why| (why.name(), sum.refused_connections[why as usize])),
        counts: engine.counts(),
        log_lines_dropped: engine.log().dropped(),
        detection_delay: metrics::Histogram {
            buckets: &delays,
            sum_s: sum.delays_s,
            count: sum.delays.iter().sum(),
        },
        muted_changes: sum.muted,
        wrong_tokens: sum.wrong_tokens,
        beats_unstored: sum.unstored,
        journal_bytes: health.journal_bytes,
        unsynced_s: health.unsynced_s,
        governor_stretch: engine.stretch(),
        alerts: &alerts,
        alerts_pending: engine.alerts_pending(),
        process: process::usage(),
        started: context.started.wall,
    };
    let text = metrics::render(&input, open);
    Answer::new(200, if open { metrics::OPENMETRICS } else { metrics::TEXT }, text.into_bytes())
        .with_data_headers()
}

/// What is wrong though beats are taken, for strangers: the log and the service manager are told where.
fn degraded(context: &ListenerContext, health: &Health, lang: Lang) -> Vec<String> {
    let failing = context.engine.log().failing();
    let targets = failing.iter().map(|target| api::failing_target(target.told().say(Lang::En)));
    health.degraded.iter().map(|reason| reason.told().say(lang).to_string()).chain(targets).collect()
}
