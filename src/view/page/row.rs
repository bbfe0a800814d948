//! One monitor as a row of the table.

use super::bar;
use super::frame::Frame;
use super::html::{query_value, text};
use super::link::Link;
use super::moment::exact;
use super::words::Percent;
use super::{Row, View};
use crate::domain::address::Peer;
use crate::domain::beat::Status;
use crate::domain::history::Uptime;
use crate::domain::notice::State;
use crate::domain::registry::Snapshot;
use std::fmt::{self, Write};
use std::net::IpAddr;

/// Most characters of a message that a row shows; the monitor's own page has the whole of it.
const MESSAGE_CHARS_MAX: usize = 240;

impl View<'_> {
    /// Appends the row.
    pub(super) fn row(&self, out: &mut String, row: &Row<'_>) -> fmt::Result {
        let (w, monitor) = (self.w, row.snapshot);
        write!(
            out,
            "<tr class=\"{}\"><td><b><i></i>{}</b> <small>",
            monitor.state.name(),
            w.state(monitor.state)
        )?;
        self.clock.lasting(out, monitor.since)?;
        out.push_str("</small>");
        self.frame.otherwise(out, monitor)?;
        write!(out, "</td><th scope=\"row\"><a href=\"monitors/{}\"><bdi>", query_value(&monitor.id))?;
        text(out, &monitor.id);
        out.push_str("</bdi></a>");
        self.note(out, monitor)?;
        out.push_str("</th><td>");
        let day = bar::stretches(monitor, row.past, self.clock.now);
        bar::draw(out, &self.clock, &day, row.past.uptime.day, bar::CELLS_SMALL, false)?;
        self.uptime(out, &row.past.uptime)?;
        out.push_str("</td><td>");
        match monitor.last_beat {
            Some(at) => self.clock.past(out, at)?,
            None => out.push_str(w.never),
        }
        out.push_str("</td><td>");
        self.frame.deadline(out, monitor)?;
        out.push_str("</td><td>");
        self.frame.from(out, monitor)?;
        out.push_str("</td><td>");
        match &monitor.schedule {
            Some((cron, zone)) => {
                out.push_str("<code>");
                text(out, cron);
                out.push_str("</code> <small>");
                text(out, zone);
                out.push_str("</small>");
            }
            None => {
                exact(out, monitor.interval, w.lang)?;
                if let Some(asked) = monitor.asked {
                    out.push_str(" → ");
                    exact(out, asked, w.lang)?;
                }
            }
        }
        write!(out, " <small>{}", w.grace)?;
        exact(out, monitor.grace, w.lang)?;
        out.push_str("</small></td></tr>\n");
        Ok(())
    }

    /// Tags, runs under way, and what the last beat said: in the cell of the id, since few monitors have any.
    fn note(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
        for tag in &monitor.tags {
            out.push_str(" <a class=\"tag\" href=\"");
            self.link(out, Link { tag, after: None, ..self.here() })?;
            out.push_str("\"><bdi>");
            text(out, tag);
            out.push_str("</bdi></a>");
        }
        if let Some(oldest) = monitor.runs.first() {
            out.push_str(" <small>");
            self.w.running(out, monitor.runs.len())?;
            self.clock.lasting(out, *oldest)?;
            out.push_str("</small>");
        }
        let plain = matches!(monitor.status, Status::Ok | Status::Exit(0) | Status::Log);
        // That a run began is told by the run.
        let told = plain || (monitor.status == Status::Start && !monitor.runs.is_empty());
        if !told || monitor.message.is_some() {
            out.push_str(" <small>");
            if !told {
                self.w.said(out, monitor.status)?;
            }
            if let Some(message) = &monitor.message {
                out.push_str(if told { "" } else { self.w.colon });
                let end = message.char_indices().nth(MESSAGE_CHARS_MAX).map_or(message.len(), |(at, _)| at);
                out.push_str("<bdi>");
                text(out, &message[..end]);
                out.push_str(if end < message.len() { "…</bdi>" } else { "</bdi>" });
            }
            out.push_str("</small>");
        }
        if let Some(two) = &monitor.conflict {
            write!(out, " <small class=\"conflict\">{}", self.w.two_senders)?;
            self.frame.senders(out, two.addresses)?;
            out.push_str("</small>");
        }
        if monitor.gaps > 0 {
            out.push_str(" <small>");
            self.w.missing(out, monitor.gaps)?;
            out.push_str("</small>");
        }
        Ok(())
    }

    /// Uptime below the bar, as far as it is known.
    fn uptime(&self, out: &mut String, uptime: &Uptime) -> fmt::Result {
        let mut space = " <small>";
        for (span, share) in self.w.uptimes.iter().zip([uptime.day, uptime.week, uptime.quarter]) {
            if let Some(share) = share {
                write!(out, "{space}<span>{span} <b>{}</b></span>", Percent(share))?;
                space = " · ";
            }
        }
        if space == " · " {
            out.push_str("</small>");
        }
        Ok(())
    }
}

impl Frame<'_> {
    /// What the state would be but for the pause, where that is not good.
    pub fn otherwise(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
        if monitor.state == State::Paused && matches!(monitor.beneath, State::Late | State::Down) {
            out.push_str(" <small>");
            self.w.otherwise(out, monitor.beneath)?;
            out.push_str("</small>");
        }
        Ok(())
    }

    /// When its state changes if nothing is heard; of a paused one when the pause ends, and who made it.
    pub fn deadline(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
        let w = self.w;
        match (monitor.state, monitor.pause) {
            (State::Paused, Some(pause)) => {
                match pause.until {
                    Some(until) => self.clock.future(out, until)?,
                    None => out.push_str(w.no_end),
                }
                write!(out, " <small>{}</small>", w.paused_by(pause.by))
            }
            _ => match monitor.next_deadline {
                Some(at) => self.clock.future(out, at),
                None => self.dash(out),
            },
        }
    }

    /// Where the last beat came from, and the address its sender believes to have where that is another.
    pub fn from(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
        // Who was never heard has an address only in name.
        if monitor.last_beat.is_none() {
            return self.dash(out);
        }
        let address = monitor.address.to_string();
        match monitor.address {
            Peer::Ip(IpAddr::V4(_)) => out.push_str(&address),
            // A long one may break, but between its groups.
            Peer::Ip(IpAddr::V6(_)) => out.push_str(&address.replace(':', ":<wbr>")),
            Peer::Unix => out.push_str(self.w.unix),
        }
        if let Some(reported) = monitor.reported_ip.as_ref().filter(|r| **r != address) {
            write!(out, " <small>{}<bdi>", self.w.reported)?;
            text(out, reported);
            out.push_str("</bdi></small>");
        }
        Ok(())
    }

    /// Two senders of one id; once where both are at one address.
    pub fn senders(&self, out: &mut String, [one, other]: [Peer; 2]) -> fmt::Result {
        write!(out, "{}", one.to_string().replace(':', ":<wbr>"))?;
        if one != other {
            write!(out, ", {}", other.to_string().replace(':', ":<wbr>"))?;
        }
        Ok(())
    }

    /// An empty cell that a screen reader can tell from an overlooked one.
    pub fn dash(&self, out: &mut String) -> fmt::Result {
        write!(out, "<span aria-hidden=\"true\">–</span><span class=\"quiet\">{}</span>", self.w.none)
    }
}
