//! Incidents: the open ones above everything else, with those that ended lately, and the list of one monitor.

use super::frame::Frame;
use super::html::{Untrusted, query_value};
use super::link::PageQuery;
use super::moment::coarse;
use super::status::View;
use super::words::Words;
use crate::domain::history::Incident;
use crate::domain::notice::State;
use crate::view::reason;
use maud::{Markup, html};

/// Most open incidents on the status page; the list below it has all that are down.
pub const OPEN_MAX: usize = 5;
/// Incidents to ask for, so that ten of them have most likely ended.
pub const RECENT_ASKED: usize = 40;
/// Most incidents on the page of one monitor.
pub const INCIDENTS_MAX: usize = 50;
/// Most ended incidents on the status page.
const RECENT_MAX: usize = 10;

impl View<'_> {
    /// Both lists; nothing where there is nothing to tell.
    pub(super) fn incidents(&self) -> Markup {
        let (page, w) = (self.page, self.w);
        let open = &page.open[..page.open.len().min(OPEN_MAX)];
        let recent: Vec<_> = page.recent.iter().filter(|i| i.ended.is_some()).take(RECENT_MAX).collect();
        let down = PageQuery { state: Some(State::Down), search: "", tag: "", after: None, ..self.here() };
        html! {
            @if !open.is_empty() || !recent.is_empty() {
                div.incidents {
                    @if !open.is_empty() {
                        section.down aria-labelledby="open" {
                            h2 #open { (w.open_incidents) }
                            ul { @for incident in open { (self.incident(incident)) } }
                            @if page.open.len() > open.len() {
                                p { a href=(self.link(down)) { (w.more_down(self.count(State::Down))) } }
                            }
                        }
                    }
                    @if !recent.is_empty() {
                        details #recent {
                            summary { (w.recent_incidents) }
                            ul { @for incident in recent { (self.incident(incident)) } }
                        }
                    }
                }
            }
        }
    }

    /// Who, why, how long, and since when or until when.
    fn incident(&self, incident: &Incident) -> Markup {
        let (w, clock) = (self.w, &self.clock);
        html! {
            li {
                a href={ "monitors/" (query_value(&incident.monitor)) } { bdi { (Untrusted(&incident.monitor)) } }
                " " span { (cause(w, incident)) } " "
                @match incident.ended {
                    None => {
                        span { (clock.lasting(incident.started)) }
                        " " small { (w.since) (clock.stamp(incident.started)) }
                    }
                    Some(ended) => {
                        span { (coarse(incident.duration(ended).0 / 1000, w.lang)) }
                        " " (clock.past(ended))
                    }
                }
            }
        }
    }
}

/// Why, and whether a person knows of it.
fn cause(w: &Words, incident: &Incident) -> Markup {
    html! {
        (reason::name(w.lang, &incident.reason))
        @if incident.acknowledged { " " span.tag { (w.acknowledged) } }
    }
}

/// The table of one monitor's incidents.
pub fn table(frame: &Frame<'_>, incidents: &[Incident]) -> Markup {
    let (w, clock) = (frame.w, &frame.clock);
    html! {
        table.plain {
            caption.quiet { (w.incidents) }
            thead { tr { @for head in [w.began, w.ended, w.lasted, w.cause] { th scope="col" { (head) } } } }
            tbody {
                @for incident in incidents {
                    // On a narrow screen the cells stand below each other, each under its name.
                    tr.(if incident.ended.is_none() { "down" } else { "ended" }) {
                        td data-label=(w.began) { (clock.stamp(incident.started)) }
                        td data-label=(w.ended) {
                            @match incident.ended {
                                Some(ended) => (clock.stamp(ended)),
                                None => b { (w.open) },
                            }
                        }
                        td data-label=(w.lasted) {
                            @match incident.ended {
                                Some(_) => (coarse(incident.duration(clock.now).0 / 1000, w.lang)),
                                None => (clock.lasting(incident.started)),
                            }
                        }
                        td data-label=(w.cause) { (cause(w, incident)) }
                    }
                }
            }
        }
    }
}
