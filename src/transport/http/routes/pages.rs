//! Pages for people, the script that keeps them fresh, and badges.

use super::monitors::select;
use super::{Question, VERSION, aside, id_of, incidents, wrong};
use crate::domain::history::{Incident, Past};
use crate::domain::lang::Lang;
use crate::domain::limits::PAGE_ROWS_MAX;
use crate::domain::policy::Policy;
use crate::domain::registry::Order;
use crate::engine::Engine;
use crate::store::{IncidentQuery, StoreError};
use crate::sys::clock;
use crate::transport::site::Site;
use crate::view::{badge, page};
use crate::wire::answer::Answer;
use crate::wire::query::{self, Incidents, Selection};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

const HTML: &str = "text/html; charset=utf-8";

/// Nothing on our pages comes from elsewhere, or may be framed.
const PAGE_HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    ("content-security-policy", page::CONTENT_SECURITY_POLICY),
    ("vary", "accept-language"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
];

const BADGE_HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-cache"),
    ("content-security-policy", badge::CONTENT_SECURITY_POLICY),
    ("vary", "accept-language"),
    ("x-content-type-options", "nosniff"),
];

/// The page of all monitors.
pub async fn all(site: &Arc<Site>, policy: &Policy, question: &Question<'_>) -> Answer {
    let selection = match query::selection(question.query) {
        Ok(selection) => selection,
        Err(fault) => return wrong(&fault),
    };
    let (lang, host) = (language(policy, question), host(question));
    let (site_too, selection) =
        (site.clone(), Selection { limit: selection.limit.min(PAGE_ROWS_MAX), ..selection });
    let html = aside(site, move |engine| {
        let order = selection.order.unwrap_or(Order::State);
        let (rows, next) = select(engine, &selection, order, selection.limit);
        let next = next.map(|next| query::cursor_text(next.key, &next.id));
        let mut troubles = troubles(engine);
        let pasts = known(engine.past(clock::now(), &rows), lang, &mut troubles);
        let none = Past::default();
        let rows: Vec<page::Row<'_>> = rows
            .iter()
            .enumerate()
            .map(|(n, snapshot)| page::Row { snapshot, past: pasts.get(n).unwrap_or(&none) })
            .collect();
        let open = IncidentQuery { open: true, limit: page::OPEN_MAX + 1, ..IncidentQuery::default() };
        let recent = IncidentQuery { limit: page::RECENT_ASKED, ..IncidentQuery::default() };
        let open: Vec<Incident> = known(engine.incidents(&open), lang, &mut troubles);
        let recent: Vec<Incident> = known(engine.incidents(&recent), lang, &mut troubles);
        let sum = engine.stats().sum();
        page::render(&page::Page {
            lang,
            now: clock::wall(),
            host: host.as_deref(),
            counts: engine.counts(),
            beats: sum.accepted(),
            connections: sum.open_connections(),
            started: site_too.started.wall,
            version: VERSION,
            rows: &rows,
            next: next.as_deref(),
            after: selection.after_text.as_deref(),
            state: selection.state,
            search: &selection.search,
            tag: &selection.tag,
            order,
            limit: selection.limit,
            refresh: selection.refresh,
            open: &open,
            recent: &recent,
            troubles: &troubles,
        })
    });
    as_page(200, html.await)
}

/// The page of one monitor.
pub async fn one(site: &Arc<Site>, policy: &Policy, coded: &str, question: &Question<'_>) -> Answer {
    let (lang, host) = (language(policy, question), host(question));
    let text = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    let snapshot = id_of(&site.engine, &text).ok().and_then(|id| site.engine.get(id.as_ref()));
    let root = "../".repeat(1 + coded.matches('/').count());
    let Some(snapshot) = snapshot else { return as_page(404, Ok(page::not_found(lang, &text, &root))) };
    let asked = match (query::selection(question.query), query::incidents(question.query)) {
        (Ok(selection), Ok(incidents)) => (selection, incidents.after),
        (Err(fault), _) | (_, Err(fault)) => return wrong(&fault),
    };
    let (selection, after) = asked;
    let site_too = site.clone();
    let html = aside(site, move |engine| {
        let mut troubles = troubles(engine);
        let pasts = known(engine.past(clock::now(), std::slice::from_ref(&snapshot)), lang, &mut troubles);
        let wanted = Incidents {
            monitor: Some(snapshot.id.clone()),
            since: None,
            open: false,
            limit: page::INCIDENTS_MAX,
            after,
        };
        let (rows, next) = known(incidents::page(engine, wanted), lang, &mut troubles);
        page::monitor(&page::MonitorPage {
            lang,
            root: &root,
            now: clock::wall(),
            host: host.as_deref(),
            started: site_too.started.wall,
            version: VERSION,
            snapshot: &snapshot,
            past: pasts.first().unwrap_or(&Past::default()),
            incidents: &rows,
            next: next.as_deref(),
            after: selection.after_text.as_deref(),
            refresh: selection.refresh,
            troubles: &troubles,
        })
    });
    as_page(200, html.await)
}

/// The script of the pages.
pub fn script() -> Answer {
    Answer::new(200, "text/javascript; charset=utf-8", page::SCRIPT.as_bytes()).with_data_headers()
}

/// A badge. One for nobody is a badge too: what an image element shows of a 404 is nothing.
pub async fn badge(site: &Arc<Site>, policy: &Policy, coded: &str, question: &Question<'_>) -> Answer {
    let lang = query::lang(question.query).unwrap_or_else(|| language(policy, question));
    let text = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    let svg = aside(site, move |engine| {
        let snapshot = id_of(engine, &text).ok().and_then(|id| engine.get(id.as_ref()));
        let past =
            snapshot.as_ref().and_then(|one| engine.past(clock::now(), std::slice::from_ref(one)).ok());
        let uptime_day = past.and_then(|past| past.first().and_then(|past| past.uptime.day));
        badge::render(&badge::Badge { lang, id: &text, state: snapshot.map(|one| one.state), uptime_day })
    });
    match svg.await {
        Ok(svg) => Answer { more: BADGE_HEADERS, ..Answer::new(200, "image/svg+xml", svg.into_bytes()) },
        Err(failed) => failed,
    }
}

fn as_page(status: u16, html: Result<String, Answer>) -> Answer {
    match html {
        Ok(html) => Answer { more: PAGE_HEADERS, ..Answer::new(status, HTML, html.into_bytes()) },
        Err(failed) => failed,
    }
}

fn language(policy: &Policy, question: &Question<'_>) -> Lang {
    Lang::from_accept_language(question.language).unwrap_or(policy.page_lang)
}

fn host(question: &Question<'_>) -> Option<String> {
    question.facts.host.and_then(|host| std::str::from_utf8(host).ok()).map(String::from)
}

/// What is wrong with what is kept.
fn troubles(engine: &Engine) -> Vec<String> {
    let health = engine.health();
    let all = health.refusing.iter().chain(&health.degraded);
    all.map(|trouble| trouble.told().to_string()).collect()
}

/// What the store knows; where it cannot say, nothing, and the reason among the troubles.
fn known<T: Default>(read: Result<T, StoreError>, lang: Lang, troubles: &mut Vec<String>) -> T {
    read.unwrap_or_else(|error| {
        let sentence = error.said(lang).told().to_string();
        if !troubles.contains(&sentence) {
            troubles.push(sentence);
        }
        T::default()
    })
}
