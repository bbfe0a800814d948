//! The page of one monitor: how it stands, its last day, its incidents and changes, what it is held to, and how to beat
//! and to show it. And the page that says that there is no such monitor.

use super::frame::{Frame, PageContent, authority, boxed, command, next_page, pulse};
use super::html::{Untrusted, query_value};
use super::link::query;
use super::moment::{Clock, exact};
use super::status::MonitorRow;
use super::words::{Grouped, Percent, Words};
use super::{bar, incidents};
use crate::domain::beat::Status;
use crate::domain::history::{Incident, Past};
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::registry::Snapshot;
use crate::domain::time::{Span, Wall};
use crate::view::reason;
use crate::view::words::conflict;
use jiff::tz::TimeZone;
use maud::{Markup, Render, html};

/// Most changes of the last day that are listed.
const CHANGES_MAX: usize = 50;
/// A clock no further off than this agrees with ours: the beat needed its time on the way too.
const SKEW_SHOWN_MS: u64 = 1_000;
/// Where the labels below the bar stand: hours ago.
const AXIS_HOURS: [i64; 5] = [24, 18, 12, 6, 0];

/// What the page of one monitor shows.
#[derive(Clone, Copy, Debug)]
pub struct MonitorPage<'a> {
    /// The language it speaks.
    pub lang: Lang,
    /// The way from where the browser is to the status page: `../`, once more for each slash of an id that is not encoded.
    pub root: &'a str,
    /// The present moment.
    pub now: Wall,
    /// Our name as the browser knows it: the Host header as it came.
    pub host: Option<&'a str>,
    /// When the daemon started.
    pub started: Wall,
    /// The daemon's version.
    pub version: &'a str,
    /// How it stands.
    pub snapshot: &'a Snapshot,
    /// What was.
    pub past: &'a Past,
    /// Its incidents, newest first; at most [`INCIDENTS_MAX`](super::INCIDENTS_MAX).
    pub incidents: &'a [Incident],
    /// Where the incidents go on when there are more: opaque here.
    pub next: Option<&'a str>,
    /// Where they begin (`?after=`).
    pub after: Option<&'a str>,
    /// Whether the page keeps itself fresh; `?refresh=off` pauses that.
    pub refresh: bool,
    /// What is wrong with the server itself, in sentences for people.
    pub troubles: &'a [String],
}

/// The page of one monitor; times are in the time zone of this machine.
pub fn monitor(page: &MonitorPage<'_>) -> String {
    monitor_in(page, &TimeZone::system())
}

/// The same in a given time zone.
pub(super) fn monitor_in(page: &MonitorPage<'_>, zone: &TimeZone) -> String {
    let w = Words::of(page.lang);
    let clock = Clock { now: page.now, zone, w };
    let (root, mood) = (page.root, page.snapshot.state.name());
    let frame = Frame { w, clock, root, refresh: page.refresh, mood, monitor: Some(&page.snapshot.id) };
    let one = MonitorDocument {
        page,
        w,
        clock,
        frame,
        row: MonitorRow { snapshot: page.snapshot, past: page.past },
    };
    one.document().into_string()
}

/// The page that says that nobody of this name is known; it becomes the monitor's page once there is one.
pub fn not_found(lang: Lang, id: &str, root: &str) -> String {
    let w = Words::of(lang);
    let clock = Clock { now: Wall(0), zone: &TimeZone::UTC, w };
    let frame = Frame { w, clock, root, refresh: true, mood: "idle", monitor: Some(id) };
    let content = PageContent {
        title: format!("{} · ", w.not_found),
        header: html! { (home(w, root)) h1.lede { (w.not_found) } },
        troubles: &[],
        main: html! {
            div.empty {
                p { b { bdi { (Untrusted(id)) } } (w.colon) (w.not_found_why) }
                p { a href=(root) { (w.show_all) } }
            }
        },
        version: env!("CARGO_PKG_VERSION"),
        footer: html! {},
    };
    frame.document(content).into_string()
}

/// The name of the whole, which leads back to it.
fn home(w: &Words, root: &str) -> Markup {
    html! { p.home { a href=(root) { (pulse()) (w.name) } } }
}

struct MonitorDocument<'a> {
    page: &'a MonitorPage<'a>,
    w: &'static Words,
    clock: Clock<'a>,
    frame: Frame<'a>,
    row: MonitorRow<'a>,
}

impl MonitorDocument<'_> {
    fn document(&self) -> Markup {
        let (page, w, m) = (self.page, self.w, self.row.snapshot);
        self.frame.document(PageContent {
            title: format!("{} · {} · ", w.state(m.state), m.id),
            header: html! {
                (home(w, page.root))
                h1.lede { bdi { (Untrusted(&m.id)) } }
                p.stands.(m.state.name()) {
                    (self.state(m.state)) " " (self.clock.lasting(m.since)) (self.frame.otherwise(m))
                    " " small {
                        (w.since) (self.clock.stamp(m.since))
                        @if let Some((_, _, why)) = &m.incident {
                            " · " (reason::present(w.lang, why, m.beats, m.status))
                        }
                    }
                }
            },
            troubles: page.troubles,
            main: html! {
                @if let Some(two) = &m.conflict { p.conflict { (Untrusted(conflict(&m.id, two).say(page.lang))) } }
                (self.frame.freshness(&self.link(page.after, !page.refresh)))
                (self.history())
                div.columns { (self.present()) (self.settings()) }
                (self.incidents())
                (self.changes())
                (self.use_it())
            },
            version: page.version,
            footer: html! { " · " (w.running_since) (self.clock.stamp(page.started)) },
        })
    }

    fn state(&self, state: State) -> Markup {
        html! { b { i {} (self.w.state(state)) } }
    }

    /// The bar, what its heights and colours mean, and the uptimes.
    fn history(&self) -> Markup {
        let (w, past) = (self.w, self.row.past);
        let day = bar::state_spans(self.row.snapshot, past, self.clock.now);
        let shares = [past.uptime.day, past.uptime.week, past.uptime.quarter];
        let drawn = html! {
            (bar::draw(&self.clock, &day, past.uptime.day, bar::CELLS_LARGE, true))
            p.axis aria-hidden="true" {
                @for hours in AXIS_HOURS {
                    span { (self.clock.hour(Wall(self.clock.now.0 - hours * 3_600_000))) }
                }
            }
            ul.legend aria-label=(w.legend) {
                @for state in [State::Up, State::Late, State::Down, State::Paused, State::New] {
                    li {
                        svg.bar viewBox="0 0 11 16" preserveAspectRatio="none" aria-hidden="true" {
                            path.(state.name()) d="M0 8h11" {}
                        }
                        (w.state(state))
                    }
                }
            }
            dl.uptimes {
                @for (span, share) in w.uptimes.iter().zip(shares) {
                    div { dt { (span) } dd { (self.or_dash(share.map(Percent).map(maud::display))) } }
                }
            }
        };
        section("history", w.history, &drawn)
    }

    /// A value, or what stands where there is none.
    fn or_dash(&self, value: Option<impl Render>) -> Markup {
        value.map_or_else(|| self.frame.dash(), |value| value.render())
    }

    /// What its beats have told.
    fn present(&self) -> Markup {
        let (w, m, clock) = (self.w, self.row.snapshot, &self.clock);
        let fields = html! {
            (field(w.last_beat, &m.last_beat.map_or_else(|| w.never.render(), |at| clock.past(at))))
            (field(w.next_deadline, &self.frame.deadline(m)))
            (field(w.from, &html! {
                (self.frame.from(m)) @if m.last_beat.is_some() { " · " (m.transport.name()) }
            }))
            (field(w.beats_heard, &maud::display(Grouped(m.beats))))
            @if let Some(seq) = m.seq {
                (field(w.counter, &html! { (seq) " · " (w.missing(m.gaps)) " · " (w.repeated(m.repeats)) }))
            }
            @if let Some(skew) = m.skew_ms { (field(w.clock, &self.skew(skew))) }
            @if m.last_beat.is_some() {
                (field(w.status, &match m.status {
                    Status::Ok | Status::Exit(0) | Status::Log => w.well.to_string(),
                    status => w.said(status),
                }))
            }
            @if let Some(message) = &m.message {
                (field(w.message, &html! {
                    bdi.message { (Untrusted(message)) }
                    // It is of the beat that brought it, which need not be the last one.
                    @if let Some(at) = m.message_at { " " small { (clock.past(at)) } }
                }))
            }
            @if let Some(oldest) = m.runs.first() {
                (field(w.runs, &html! { (w.running(m.runs.len())) (clock.lasting(*oldest)) }))
            }
            @if let Some(took) = m.run_took { (field(w.last_run, &exact(took, w.lang))) }
        };
        section("now", w.now, &html! { dl { (fields) } })
    }

    /// What it is held to, and by whose word.
    fn settings(&self) -> Markup {
        let (w, m) = (self.w, self.row.snapshot);
        let held_to = match &m.schedule {
            Some((cron, zone)) => field(
                w.schedule,
                &html! {
                    code { (Untrusted(cron)) } " " (Untrusted(zone)) " " small { (w.from_config) }
                },
            ),
            None => field(
                w.expected,
                &html! {
                    (exact(m.interval, w.lang))
                    @if let Some(asked) = m.asked { " " small { (w.asked) (exact(asked, w.lang)) } }
                },
            ),
        };
        let tags = html! {
            @for tag in &m.tags {
                a.tag href={ (self.frame.root) "?tag=" (query_value(tag)) } { bdi { (Untrusted(tag)) } }
                " "
            }
        };
        let how = if m.declared { w.by_declaration } else { w.by_first_beat };
        section(
            "settings",
            w.settings,
            &html! {
                dl {
                    (held_to)
                    (field(w.grace_field, &exact(m.grace, w.lang)))
                    (field(w.tags, &self.or_dash(Some(tags).filter(|_| !m.tags.is_empty()))))
                    (field(w.made, &html! {
                        (self.or_dash(self.row.past.created.map(|at| self.clock.stamp(at)))) " " small { (how) }
                    }))
                }
            },
        )
    }

    fn incidents(&self) -> Markup {
        let (page, w) = (self.page, self.w);
        let link = |after| self.link(after, page.refresh) + "#incidents";
        section(
            "incidents",
            w.incidents,
            &html! {
                @if page.incidents.is_empty() {
                    p { (w.no_incidents) }
                } @else {
                    (incidents::table(&self.frame, page.incidents))
                }
                @if page.next.is_some() || page.after.is_some() {
                    nav.pages aria-label=(w.pages) {
                        @if page.after.is_some() { a href=(link(None)) { (w.first_page) } }
                        @if page.next.is_some() { (next_page(w, &link(page.next))) }
                    }
                }
            },
        )
    }

    /// The changes of the last day, the latest first.
    fn changes(&self) -> Markup {
        let w = self.w;
        let day = self.clock.now.0 - 86_400_000;
        let changes = self.row.past.changes.iter().rev().filter(|c| c.at.0 >= day).take(CHANGES_MAX);
        let changes: Vec<_> = changes.collect();
        section(
            "changes",
            w.changes,
            &html! {
                @if changes.is_empty() {
                    p { (w.no_changes) }
                } @else {
                    table.plain {
                        caption.quiet { (w.changes) }
                        thead { tr { @for head in [w.when, w.before, w.after] { th scope="col" { (head) } } } }
                        tbody {
                            @for change in changes {
                                tr {
                                    td { (self.clock.past(change.at)) }
                                    @for state in [change.from, Some(change.to)] {
                                        td {
                                            @match state {
                                                Some(state) => b.(state.name()) { i {} (w.state(state)) },
                                                None => (self.frame.dash()),
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            },
        )
    }

    /// How to beat it from a shell, and its badge.
    fn use_it(&self) -> Markup {
        let (w, host, root) = (self.w, self.page.host, self.page.root);
        let id = &self.row.snapshot.id;
        let coded = query_value(id);
        let lang = w.lang.name();
        let host_shown = authority(host);
        let markdown = format!(
            "[![{}](http://{host_shown}/badge/{coded}.svg)](http://{host_shown}/monitors/{coded})",
            w.badge_alt
        );
        html! {
            (section("send", w.send, &html! { p { (w.send_how) } (boxed(&command(host, id))) }))
            (section("badge", w.badge, &html! {
                p {
                    img src={ (root) "badge/" (coded) ".svg?lang=" (lang) } alt=(w.badge_alt) height="20";
                }
                p { (w.badge_how) }
                (boxed(&markdown))
            }))
        }
    }

    /// How far its clock is from ours.
    fn skew(&self, skew_ms: i64) -> String {
        let off_ms = skew_ms.unsigned_abs();
        if off_ms < SKEW_SHOWN_MS {
            return self.w.no_skew.to_string();
        }
        self.w.skew(skew_ms > 0, &exact(Span(off_ms / 1000 * 1000), self.w.lang))
    }

    /// The address of this page with other incidents, or the other way of keeping fresh.
    fn link(&self, after: Option<&str>, refresh: bool) -> String {
        query([("after", after), ("refresh", (!refresh).then_some("off"))])
    }
}

fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! { section aria-labelledby=(id) { h2 id=(id) { (heading) } (content) } }
}

fn field(name: &str, value: &impl Render) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
