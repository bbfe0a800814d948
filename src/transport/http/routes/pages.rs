//! Pages for people, the script that keeps them fresh, and badges.

use super::incidents;
use super::pieces::{self, Pieces};
use super::reply::{RouteReply, aside, id_of, wrong};
use super::request::{RouteRequest, VERSION};
use crate::domain::address::Peer;
use crate::domain::history::{Incident, Past};
use crate::domain::lang::Lang;
use crate::domain::limits::{PAGE_HELD_BYTES, PAGE_PIECE_BYTES, PAGE_PIECE_ROWS};
use crate::domain::policy::Policy;
use crate::domain::registry::{Counts, Order, Snapshot};
use crate::domain::time::Wall;
use crate::engine::{Engine, MonitorPlace};
use crate::store::{IncidentQuery, StoreError};
use crate::sys::clock;
use crate::transport::listener_context::ListenerContext;
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
pub async fn all(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
) -> RouteReply {
    let selection = match query::selection(request.query) {
        Ok(selection) => selection,
        Err(fault) => return RouteReply::Whole(wrong(&fault)),
    };
    let page = StatusPage {
        lang: language(policy, request),
        host: host(request),
        started: context.started.wall,
        order: selection.order.unwrap_or(Order::State),
        selection,
        begun: None,
        done: 0,
    };
    let head = Answer { more: PAGE_HEADERS, ..Answer::new(200, HTML, &b""[..]) };
    pieces::send(context, policy, client, request, head, page).await
}

/// The page of all monitors under way. Which monitors it shows and in which order is decided at its beginning, so that each
/// stands on it once; how each of them is when its turn comes.
struct StatusPage {
    lang: Lang,
    host: Option<String>,
    started: Wall,
    selection: Selection,
    order: Order,
    begun: Option<PageBegun>,
    /// Monitors that it has shown, or that are gone.
    done: usize,
}

/// What is known once it has begun.
struct PageBegun {
    places: Vec<MonitorPlace>,
    next: Option<String>,
    now: Wall,
    counts: Counts,
    beats: u64,
    connections: u64,
}

/// What only its beginning shows.
#[derive(Default)]
struct Top {
    open: Vec<Incident>,
    recent: Vec<Incident>,
    troubles: Vec<String>,
}

impl PageBegun {
    fn of(engine: &Engine, selection: &Selection, order: Order) -> PageBegun {
        let (places, next) =
            engine.seats(order, selection.after.as_ref(), selection.limit, |seen| selection.wants(seen));
        let sum = engine.stats().sum();
        PageBegun {
            places,
            next: next.map(|next| query::cursor_text(next.key, &next.id)),
            now: clock::wall(),
            counts: engine.counts(),
            beats: sum.accepted(),
            connections: sum.open_connections(),
        }
    }
}

impl Top {
    fn of(engine: &Engine, lang: Lang) -> Top {
        let mut troubles = troubles(engine, lang);
        let open = IncidentQuery { open: true, limit: page::OPEN_MAX + 1, ..IncidentQuery::default() };
        let recent = IncidentQuery { limit: page::RECENT_ASKED, ..IncidentQuery::default() };
        Top {
            open: known(engine.incidents(&open), lang, &mut troubles),
            recent: known(engine.incidents(&recent), lang, &mut troubles),
            troubles,
        }
    }
}

impl StatusPage {
    fn view<'a>(
        &'a self,
        begun: &'a PageBegun,
        top: &'a Top,
        rows: &'a [page::MonitorRow<'a>],
    ) -> page::Page<'a> {
        let selection = &self.selection;
        page::Page {
            lang: self.lang,
            now: begun.now,
            host: self.host.as_deref(),
            counts: begun.counts,
            beats: begun.beats,
            connections: begun.connections,
            started: self.started,
            version: VERSION,
            shown: begun.places.len(),
            rows,
            next: begun.next.as_deref(),
            after: selection.after_text.as_deref(),
            state: selection.state,
            search: &selection.search,
            tag: &selection.tag,
            order: self.order,
            limit: selection.limit,
            refresh: selection.refresh,
            open: &top.open,
            recent: &top.recent,
            troubles: &top.troubles,
        }
    }

    /// Appends the next rows; says how many of its monitors are done with.
    fn rows(&self, engine: &Engine, begun: &PageBegun, out: &mut String) -> usize {
        let end = begun.places.len().min(self.done + PAGE_PIECE_ROWS);
        let found = (self.done..end).filter_map(|at| Some((at, engine.at(*begun.places.get(at)?)?)));
        let (at, snapshots): (Vec<usize>, Vec<Snapshot>) = found.unzip();
        // Where the store does not say, its own alarm tells of it.
        let pasts = engine.past(clock::now(), &snapshots).unwrap_or_default();
        let none = Past::default();
        let row = |(n, snapshot)| page::MonitorRow { snapshot, past: pasts.get::<usize>(n).unwrap_or(&none) };
        let rows: Vec<page::MonitorRow<'_>> = snapshots.iter().enumerate().map(row).collect();
        let top = Top::default();
        let view = page::Page { now: clock::wall(), ..self.view(begun, &top, &rows) };
        let taken = page::rows(out, &view, PAGE_PIECE_BYTES);
        at.get(taken).copied().unwrap_or(end)
    }
}

impl Pieces for StatusPage {
    fn piece(&mut self, engine: &Engine) -> Result<(Vec<u8>, bool), StoreError> {
        let mut out = String::with_capacity(PAGE_PIECE_BYTES + PAGE_PIECE_BYTES / 4);
        let begun = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let begun = PageBegun::of(engine, &self.selection, self.order);
                page::open(&mut out, &self.view(&begun, &Top::of(engine, self.lang), &[]));
                begun
            }
        };
        while self.done < begun.places.len() && out.len() < PAGE_PIECE_BYTES {
            self.done = self.rows(engine, &begun, &mut out);
        }
        let last = self.done == begun.places.len();
        if last {
            page::close(&mut out, &self.view(&begun, &Top::default(), &[]));
        }
        self.begun = Some(begun);
        Ok((out.into_bytes(), last))
    }

    fn held_bytes(&self) -> usize {
        let places = self.begun.as_ref().map_or(0, |begun| begun.places.len());
        PAGE_HELD_BYTES + places * size_of::<MonitorPlace>()
    }
}

/// The page of one monitor.
pub async fn one(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    coded: &str,
    request: &RouteRequest<'_>,
) -> Answer {
    let (lang, host) = (language(policy, request), host(request));
    let text = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    let snapshot = id_of(&context.engine, &text).ok().and_then(|id| context.engine.get(id.as_ref()));
    let root = "../".repeat(1 + coded.matches('/').count());
    let Some(snapshot) = snapshot else { return as_page(404, Ok(page::not_found(lang, &text, &root))) };
    let asked = match (query::selection(request.query), query::incidents(request.query)) {
        (Ok(selection), Ok(incidents)) => (selection, incidents.after),
        (Err(fault), _) | (_, Err(fault)) => return wrong(&fault),
    };
    let (selection, after) = asked;
    let site_too = context.clone();
    let html = aside(context, move |engine| {
        let mut troubles = troubles(engine, lang);
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
pub async fn badge(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    coded: &str,
    request: &RouteRequest<'_>,
) -> Answer {
    let lang = query::lang(request.query).unwrap_or_else(|| language(policy, request));
    let text = percent_decode_str(coded).decode_utf8_lossy().into_owned();
    let svg = aside(context, move |engine| {
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

fn language(policy: &Policy, request: &RouteRequest<'_>) -> Lang {
    Lang::from_accept_language(request.language).unwrap_or(policy.lang)
}

fn host(request: &RouteRequest<'_>) -> Option<String> {
    request.facts.host.and_then(|host| std::str::from_utf8(host).ok()).map(String::from)
}

/// What is wrong with what is kept.
fn troubles(engine: &Engine, lang: Lang) -> Vec<String> {
    let health = engine.health();
    let all = health.refusing.iter().chain(&health.degraded);
    all.map(|trouble| trouble.told().say(lang).to_string()).collect()
}

/// What the store knows; where it cannot say, nothing, and the reason among the troubles.
fn known<T: Default>(read: Result<T, StoreError>, lang: Lang, troubles: &mut Vec<String>) -> T {
    read.unwrap_or_else(|error| {
        let sentence = error.said().told().say(lang).to_string();
        if !troubles.contains(&sentence) {
            troubles.push(sentence);
        }
        T::default()
    })
}
