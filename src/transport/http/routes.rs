//! What is answered to everything that is not a beat: pages, the API, metrics, health.

use crate::domain::access::Wish;
use crate::domain::address::Peer;
use crate::domain::beat::Transport;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::limits::{LIST_DEFAULT, LIST_MAX, PAGE_ROWS_MAX};
use crate::domain::notice::State;
use crate::domain::policy::Policy;
use crate::domain::registry::Snapshot;
use crate::engine::stats::{BeatResult, Turned};
use crate::sys::{clock, process};
use crate::transport::http::Site;
use crate::view::{api, metrics, page};
use crate::wire::answer::Answer;
use crate::wire::head::Facts;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// The version that pages, metrics and `--version` show.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is asked.
pub struct Question<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as it was sent.
    pub path: &'a str,
    /// What stood behind `?`.
    pub query: &'a str,
    /// `Accept`.
    pub accept: &'a str,
    /// `Accept-Language`.
    pub language: &'a str,
    /// What else the head says.
    pub facts: &'a Facts<'a>,
}

const HTML: &str = "text/html; charset=utf-8";
const GET: &str = "GET, HEAD";
/// Nothing on our pages comes from elsewhere, runs, or may be framed.
const PAGE_HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    ("content-security-policy", page::CONTENT_SECURITY_POLICY),
    ("vary", "accept-language"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
];
const DATA_HEADERS: &[(&str, &str)] = &[("cache-control", "no-cache"), ("x-content-type-options", "nosniff")];

/// Answers.
pub async fn answer(site: &Arc<Site>, policy: &Policy, peer: Peer, question: &Question<'_>) -> Answer {
    let path = question.path;
    let (known, allow) = match path {
        "/" => (true, "GET, HEAD, POST"),
        "/api/v1/beats" => (true, "POST"),
        "/api/v1/monitors" | "/api/v1/status" | "/metrics" | "/healthz" | "/readyz" => (true, GET),
        _ => (
            path.strip_prefix("/api/v1/monitors/").is_some_and(|id| !id.is_empty() && !id.contains('/')),
            GET,
        ),
    };
    if !known {
        return Answer::error(404, "no such path; see / for people and /api/v1/monitors for programs");
    }
    let reads = matches!(question.method, "GET" | "HEAD") && allow.starts_with(GET);
    if !reads {
        return Answer::method_not_allowed(allow);
    }
    // Health is asked by balancers and probes that hold no token, and says nothing about anybody.
    match path {
        "/healthz" => return Answer::new(200, "text/plain; charset=utf-8", &b"ok\n"[..]).with(DATA_HEADERS),
        "/readyz" => return ready(site).with(DATA_HEADERS),
        _ => {}
    }
    let client = site.proxies.client(peer, question.facts);
    if let Err(why) = policy.access.check(Wish::Read, client, question.facts.bearer()) {
        return Answer::denied(why, &client.to_string());
    }
    match path {
        "/" => status_page(site, policy, question).await.with(PAGE_HEADERS),
        "/metrics" => metrics_text(site, question).with(DATA_HEADERS),
        "/api/v1/status" => status(site).with(DATA_HEADERS),
        "/api/v1/monitors" => list(site, question).await.with(DATA_HEADERS),
        _ => one(site, path).with(DATA_HEADERS),
    }
}

impl Answer {
    fn with(self, more: &'static [(&'static str, &'static str)]) -> Answer {
        Answer { more, ..self }
    }
}

fn ready(site: &Site) -> Answer {
    Answer::json(200, &api::readiness(&site.engine.log().failing()))
}

fn status(site: &Site) -> Answer {
    let engine = &site.engine;
    let sum = engine.stats().sum();
    let value = api::status(&api::Status {
        version: VERSION,
        started: site.started.wall,
        counts: engine.counts(),
        beats: sum.accepted(),
        connections: sum.connections,
        log_lines_dropped: engine.log().dropped(),
    });
    Answer::json(200, &value)
}

fn metrics_text(site: &Site, question: &Question<'_>) -> Answer {
    let engine = &site.engine;
    let open = question.accept.contains("application/openmetrics-text");
    let sum = engine.stats().sum();
    let http = Transport::Http.name();
    let input = metrics::Input {
        version: VERSION,
        beats: &BeatResult::ALL.map(|result| (http, result.name(), sum.beats[result as usize])),
        fast_path_beats: sum.fast,
        transitions: sum.transitions,
        connections: &[(http, sum.connections)],
        refused: &Turned::ALL.map(|why| (why.name(), sum.turned[why as usize])),
        counts: engine.counts(),
        log_lines_dropped: engine.log().dropped(),
        process: process::usage(),
        started: site.started.wall,
    };
    let text = metrics::render(&input, open);
    Answer::new(200, if open { metrics::OPENMETRICS } else { metrics::TEXT }, text.into_bytes())
}

fn one(site: &Site, path: &str) -> Answer {
    let coded = path.strip_prefix("/api/v1/monitors/").unwrap_or_default();
    let Ok(text) = percent_decode_str(coded).decode_utf8() else {
        return Answer::wrong(400, "not UTF-8 once percent-decoded", Some("id"));
    };
    let id = match Id::new(&text) {
        Ok(id) => id,
        Err(error) => return Answer::wrong(400, &error.to_string(), Some("id")),
    };
    match site.engine.get(id.as_ref()) {
        Some(monitor) => Answer::json(200, &api::monitor(&monitor)),
        None => Answer::wrong(404, "no such monitor", Some("id")),
    }
}

/// The parameters that lists and the page share.
struct Selection {
    state: Option<State>,
    text: String,
    after: Option<String>,
    limit: usize,
    refresh: bool,
}

fn selection(query: &str) -> Result<Selection, Answer> {
    let mut selection =
        Selection { state: None, text: String::new(), after: None, limit: LIST_DEFAULT, refresh: true };
    for pair in query.split('&').filter(|p| !p.is_empty()).take(32) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let Ok(value) = percent_decode_str(&value).decode_utf8() else {
            return Err(Answer::wrong(400, "not UTF-8 once percent-decoded", Some("query")));
        };
        match key {
            "state" if !value.is_empty() => match State::ALL.into_iter().find(|s| s.name() == value) {
                Some(state) => selection.state = Some(state),
                None => {
                    return Err(Answer::wrong(400, "must be new, up, late, down or paused", Some("state")));
                }
            },
            "match" => selection.text = value.trim().chars().take(128).collect(),
            "after" if !value.is_empty() => selection.after = Some(value.into_owned()),
            "limit" => match value.parse() {
                Ok(limit) if (1..=LIST_MAX).contains(&limit) => selection.limit = limit,
                _ => return Err(Answer::wrong(400, "must be from 1 to 10000", Some("limit"))),
            },
            "refresh" => selection.refresh = value != "off",
            _ => {}
        }
    }
    Ok(selection)
}

impl Selection {
    /// Whether it takes a monitor: by state, and by a pattern with `*`, or a part of the id where there is none.
    fn wants(&self, id: &str, state: State) -> bool {
        self.state.is_none_or(|s| s == state)
            && (self.text.is_empty()
                || if self.text.contains('*') {
                    matches_pattern(&self.text, id)
                } else {
                    id.contains(&self.text)
                })
    }
}

/// Whether `text` fits `pattern`, in which each `*` stands for anything. Linear: each piece is sought once.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// Looks through all monitors on a thread that has the time.
async fn look(site: &Arc<Site>, selection: Selection) -> (Selection, Vec<Snapshot>, bool) {
    let engine = site.engine.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let (rows, more) =
            engine.list(selection.after.as_deref(), selection.limit, |id, state| selection.wants(id, state));
        (selection, rows, more)
    });
    looking.await.unwrap_or_else(|_| {
        let none = Selection { state: None, text: String::new(), after: None, limit: 0, refresh: true };
        (none, Vec::new(), false)
    })
}

async fn list(site: &Arc<Site>, question: &Question<'_>) -> Answer {
    let selection = match selection(question.query) {
        Ok(selection) => selection,
        Err(wrong) => return wrong,
    };
    let (_, rows, more) = look(site, selection).await;
    Answer::json(200, &api::monitors(&rows, more))
}

async fn status_page(site: &Arc<Site>, policy: &Policy, question: &Question<'_>) -> Answer {
    let mut selection = match selection(question.query) {
        Ok(selection) => selection,
        Err(wrong) => return wrong,
    };
    selection.limit = PAGE_ROWS_MAX;
    let lang = Lang::from_accept_language(question.language).unwrap_or(policy.page_lang);
    let (selection, rows, more) = look(site, selection).await;
    let sum = site.engine.stats().sum();
    let html = page::render(&page::Page {
        lang,
        now: clock::wall(),
        host: question.facts.host.and_then(|h| std::str::from_utf8(h).ok()),
        counts: site.engine.counts(),
        beats: sum.accepted(),
        connections: sum.connections,
        started: site.started.wall,
        version: VERSION,
        rows: &rows,
        next: rows.last().filter(|_| more).map(|last| last.id.as_str()),
        after: selection.after.as_deref(),
        state: selection.state,
        search: &selection.text,
        refresh: selection.refresh,
    });
    Answer::new(200, HTML, html.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_people_expect() {
        for (pattern, text, want) in [
            ("web-*", "web-01", true),
            ("web-*", "db-01", false),
            ("*01", "web-01", true),
            ("*-*", "web-01", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn selections_are_checked() {
        assert!(selection("state=up&match=a%20b&limit=5&x=y").is_ok_and(|s| s.text == "a b" && s.limit == 5));
        for wrong in ["state=dead", "limit=0", "limit=10001", "limit=x", "match=%ff"] {
            assert!(selection(wrong).is_err_and(|a| a.status == 400), "{wrong}");
        }
    }
}
