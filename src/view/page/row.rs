//! One monitor as a row of the table.

use super::View;
use super::html::text;
use super::moment::exact;
use super::words::Grouped;
use crate::domain::address::Peer;
use crate::domain::beat::Status;
use crate::domain::registry::Snapshot;
use std::fmt::{self, Write};
use std::net::IpAddr;

/// Most characters of a message that a row shows; the API has the whole of it.
const MESSAGE_CHARS_MAX: usize = 240;

impl View<'_> {
    /// Appends the row.
    pub(super) fn row(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
        let w = self.w;
        write!(
            out,
            "<tr class=\"{}\"><td><b><i></i>{}</b> <small>",
            monitor.state.name(),
            w.state(monitor.state)
        )?;
        self.clock.lasting(out, monitor.since)?;
        out.push_str("</small></td><th scope=\"row\"><bdi>");
        text(out, &monitor.id);
        out.push_str("</bdi>");
        self.note(out, monitor)?;
        out.push_str("</th><td>");
        match monitor.last_beat {
            Some(at) => self.clock.past(out, at)?,
            None => out.push_str(w.never),
        }
        out.push_str("</td><td>");
        match monitor.next_deadline {
            Some(at) => self.clock.future(out, at)?,
            None => self.dash(out)?,
        }
        out.push_str("</td><td>");
        self.from(out, monitor)?;
        out.push_str("</td><td>");
        exact(out, monitor.interval, w.lang)?;
        write!(out, " <small>{}", w.grace)?;
        exact(out, monitor.grace, w.lang)?;
        write!(out, "</small></td><td>{}", Grouped(monitor.beats))?;
        if monitor.gaps > 0 {
            out.push_str(" <small>");
            w.missing(out, monitor.gaps)?;
            out.push_str("</small>");
        }
        out.push_str("</td></tr>\n");
        Ok(())
    }

    /// Tags, and what the last beat said: in the cell of the id, since few monitors have any.
    fn note(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
        for tag in &monitor.tags {
            out.push_str(" <bdi class=\"tag\">");
            text(out, tag);
            out.push_str("</bdi>");
        }
        let plain = matches!(monitor.status, Status::Ok | Status::Exit(0) | Status::Log);
        if plain && monitor.message.is_none() {
            return Ok(());
        }
        out.push_str(" <small>");
        self.w.said(out, monitor.status)?;
        if let Some(message) = &monitor.message {
            out.push_str(if plain { "" } else { self.w.colon });
            let end = message.char_indices().nth(MESSAGE_CHARS_MAX).map_or(message.len(), |(at, _)| at);
            out.push_str("<bdi>");
            text(out, &message[..end]);
            out.push_str(if end < message.len() { "…</bdi>" } else { "</bdi>" });
        }
        out.push_str("</small>");
        Ok(())
    }

    /// Where the last beat came from, and the address its sender believes to have where that is another.
    fn from(&self, out: &mut String, monitor: &Snapshot) -> fmt::Result {
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

    /// An empty cell that a screen reader can tell from an overlooked one.
    fn dash(&self, out: &mut String) -> fmt::Result {
        write!(out, "<span aria-hidden=\"true\">–</span><span class=\"quiet\">{}</span>", self.w.none)
    }
}
