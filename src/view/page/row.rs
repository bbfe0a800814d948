//! One monitor as a row of the table.

use super::bar;
use super::frame::Frame;
use super::html::{Untrusted, query_value};
use super::link::PageQuery;
use super::moment::exact;
use super::status::{MonitorRow, View};
use super::words::Percent;
use crate::domain::address::Peer;
use crate::domain::beat::Status;
use crate::domain::history::Uptime;
use crate::domain::notice::State;
use crate::domain::registry::Snapshot;
use maud::{Markup, html};
use std::net::IpAddr;

/// Most characters of a message that a row shows; the monitor's own page has the whole of it.
const MESSAGE_CHARS_MAX: usize = 240;

impl View<'_> {
    /// The row.
    pub(super) fn row(&self, row: &MonitorRow<'_>) -> Markup {
        let (w, monitor, frame) = (self.w, row.snapshot, &self.frame);
        let day = bar::state_spans(monitor, row.past, self.clock.now);
        html! {
            tr.(monitor.state.name()) {
                td {
                    b { i {} (w.state(monitor.state)) } " " small { (self.clock.lasting(monitor.since)) }
                    (frame.otherwise(monitor))
                }
                th scope="row" {
                    a href={ "monitors/" (query_value(&monitor.id)) } { bdi { (Untrusted(&monitor.id)) } }
                    (self.note(monitor))
                }
                td {
                    (bar::draw(&self.clock, &day, row.past.uptime.day, bar::CELLS_SMALL, false))
                    (self.uptime(&row.past.uptime))
                }
                td {
                    @match monitor.last_beat {
                        Some(at) => (self.clock.past(at)),
                        None => (w.never),
                    }
                }
                td { (frame.deadline(monitor)) }
                td { (frame.from(monitor)) }
                td {
                    @match &monitor.schedule {
                        Some((cron, zone)) => { code { (Untrusted(cron)) } " " small { (Untrusted(zone)) } }
                        None => {
                            (exact(monitor.interval, w.lang))
                            @if let Some(asked) = monitor.asked { " → " (exact(asked, w.lang)) }
                        }
                    }
                    " " small { (w.grace) (exact(monitor.grace, w.lang)) }
                }
            }
            "\n"
        }
    }

    /// Tags, runs under way, and what the last beat said: in the cell of the id, since few monitors have any.
    fn note(&self, monitor: &Snapshot) -> Markup {
        let w = self.w;
        let plain = matches!(monitor.status, Status::Ok | Status::Exit(0) | Status::Log);
        // That a run began is told by the run.
        let told = plain || (monitor.status == Status::Start && !monitor.runs.is_empty());
        html! {
            @for tag in &monitor.tags {
                " " a.tag href=(self.link(PageQuery { tag, after: None, ..self.here() })) { bdi { (Untrusted(tag)) } }
            }
            @if let Some(oldest) = monitor.runs.first() {
                " " small { (w.running(monitor.runs.len())) (self.clock.lasting(*oldest)) }
            }
            @if !told || monitor.message.is_some() {
                " " small {
                    @if !told { (w.said(monitor.status)) }
                    @if let Some(message) = &monitor.message {
                        @if !told { (w.colon) }
                        bdi { (Untrusted(shortened(message))) @if shortened(message).len() < message.len() { "…" } }
                    }
                }
            }
            @if let Some(two) = &monitor.conflict {
                " " small.conflict { (w.two_senders) (senders(two.addresses)) }
            }
            @if monitor.gaps > 0 { " " small { (w.missing(monitor.gaps)) } }
        }
    }

    /// Uptime below the bar, as far as it is known.
    fn uptime(&self, uptime: &Uptime) -> Markup {
        let shares = self.w.uptimes.iter().zip([uptime.day, uptime.week, uptime.quarter]);
        let known: Vec<_> = shares.filter_map(|(span, share)| Some((span, share?))).collect();
        html! {
            @if !known.is_empty() {
                " " small {
                    @for (nth, (span, share)) in known.into_iter().enumerate() {
                        @if nth > 0 { " · " }
                        span { (span) " " b { (Percent(share)) } }
                    }
                }
            }
        }
    }
}

/// As much of a message as a row shows.
fn shortened(message: &str) -> &str {
    message.char_indices().nth(MESSAGE_CHARS_MAX).map_or(message, |(end, _)| &message[..end])
}

/// An address that may break between its groups, for IPv6 ones are long.
fn breakable(address: Peer) -> Markup {
    let address = address.to_string();
    html! {
        @for (nth, group) in address.split(':').enumerate() {
            @if nth > 0 { ":" wbr; }
            (group)
        }
    }
}

/// Two senders of one id; once where both are at one address.
fn senders([one, other]: [Peer; 2]) -> Markup {
    html! { (breakable(one)) @if one != other { ", " (breakable(other)) } }
}

impl Frame<'_> {
    /// What the state would be but for the pause, where that is not good.
    pub fn otherwise(&self, monitor: &Snapshot) -> Markup {
        let is_hidden =
            monitor.state == State::Paused && matches!(monitor.beneath, State::Late | State::Down);
        html! { @if is_hidden { " " small { (self.w.otherwise(monitor.beneath)) } } }
    }

    /// When its state changes if nothing is heard; of a paused one when the pause ends, and who made it.
    pub fn deadline(&self, monitor: &Snapshot) -> Markup {
        let w = self.w;
        let pause = monitor.pause.filter(|_| monitor.state == State::Paused);
        html! {
            @match (pause, monitor.next_deadline) {
                (Some(pause), _) => {
                    @match pause.until {
                        Some(until) => (self.clock.future(until)),
                        None => (w.no_end),
                    }
                    " " small { (w.paused_by(pause.by)) }
                }
                (None, Some(at)) => (self.clock.future(at)),
                (None, None) => (self.dash()),
            }
        }
    }

    /// Where the last beat came from, and the address its sender believes to have where that is another.
    pub fn from(&self, monitor: &Snapshot) -> Markup {
        // Who was never heard has an address only in name.
        if monitor.last_beat.is_none() {
            return self.dash();
        }
        let address = monitor.address.to_string();
        html! {
            @match monitor.address {
                Peer::Ip(IpAddr::V4(_)) => (address),
                Peer::Ip(IpAddr::V6(_)) => (breakable(monitor.address)),
                Peer::Unix => (self.w.unix),
            }
            @if let Some(reported) = monitor.reported_ip.as_ref().filter(|r| **r != address) {
                " " small { (self.w.reported) bdi { (Untrusted(reported)) } }
            }
        }
    }

    /// An empty cell that a screen reader can tell from an overlooked one.
    pub fn dash(&self) -> Markup {
        html! { span aria-hidden="true" { "–" } span.quiet { (self.w.none) } }
    }
}
