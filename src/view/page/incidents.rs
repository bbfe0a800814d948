//! Incidents: the open ones above everything else, with those that ended lately, and the list of one monitor.

use super::View;
use super::frame::Frame;
use super::html::{query_value, text};
use super::link::Link;
use super::moment::coarse;
use crate::domain::history::Incident;
use crate::domain::notice::State;
use crate::view::reason;
use std::fmt::{self, Write};

/// Most open incidents on the status page; the list below it has all that are down.
pub const OPEN_MAX: usize = 5;
/// Incidents to ask for, so that ten of them have most likely ended.
pub const RECENT_ASKED: usize = 40;
/// Most incidents on the page of one monitor.
pub const INCIDENTS_MAX: usize = 50;
/// Most ended incidents on the status page.
const RECENT_MAX: usize = 10;

impl View<'_> {
    /// Appends both lists; nothing where there is nothing to tell.
    pub(super) fn incidents(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        let open = &page.open[..page.open.len().min(OPEN_MAX)];
        let mut recent = page.recent.iter().filter(|i| i.ended.is_some()).take(RECENT_MAX).peekable();
        if open.is_empty() && recent.peek().is_none() {
            return Ok(());
        }
        out.push_str("<div class=\"incidents\">\n");
        if !open.is_empty() {
            writeln!(
                out,
                "<section class=\"down\" aria-labelledby=\"open\">\n<h2 id=\"open\">{}</h2>\n<ul>",
                w.open_incidents
            )?;
            for incident in open {
                self.incident(out, incident)?;
            }
            out.push_str("</ul>\n");
            if page.open.len() > open.len() {
                out.push_str("<p><a href=\"");
                self.link(
                    out,
                    Link { state: Some(State::Down), search: "", tag: "", after: None, ..self.here() },
                )?;
                out.push_str("\">");
                w.more_down(out, self.count(State::Down))?;
                out.push_str("</a></p>\n");
            }
            out.push_str("</section>\n");
        }
        if recent.peek().is_some() {
            writeln!(out, "<details id=\"recent\">\n<summary>{}</summary>\n<ul>", w.recent_incidents)?;
            for incident in recent {
                self.incident(out, incident)?;
            }
            out.push_str("</ul>\n</details>\n");
        }
        out.push_str("</div>\n");
        Ok(())
    }

    /// Who, why, how long, and since when or until when.
    fn incident(&self, out: &mut String, incident: &Incident) -> fmt::Result {
        let w = self.w;
        write!(out, "<li><a href=\"monitors/{}\"><bdi>", query_value(&incident.monitor))?;
        text(out, &incident.monitor);
        write!(out, "</bdi></a> <span>{}", reason::name(w.lang, &incident.reason))?;
        if incident.acknowledged {
            write!(out, " <span class=\"tag\">{}</span>", w.acknowledged)?;
        }
        out.push_str("</span> <span>");
        match incident.ended {
            None => {
                self.clock.lasting(out, incident.started)?;
                write!(out, "</span> <small>{}", w.since)?;
                self.clock.stamp(out, incident.started)?;
                out.push_str("</small>");
            }
            Some(ended) => {
                write!(out, "{}", coarse(incident.duration(ended).0 / 1000, w.lang))?;
                out.push_str("</span> ");
                self.clock.past(out, ended)?;
            }
        }
        out.push_str("</li>\n");
        Ok(())
    }
}

/// Appends the table of one monitor's incidents.
pub fn table(out: &mut String, frame: &Frame<'_>, incidents: &[Incident]) -> fmt::Result {
    let (w, clock) = (frame.w, &frame.clock);
    write!(out, "<table class=\"plain\">\n<caption class=\"quiet\">{}</caption>\n<thead><tr>", w.incidents)?;
    for head in [w.began, w.ended, w.lasted, w.cause] {
        write!(out, "<th scope=\"col\">{head}</th>")?;
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for incident in incidents {
        let class = if incident.ended.is_none() { "down" } else { "ended" };
        // On a narrow screen the cells stand below each other, each under its name.
        write!(out, "<tr class=\"{class}\"><td data-label=\"{}\">", w.began)?;
        clock.stamp(out, incident.started)?;
        write!(out, "</td><td data-label=\"{}\">", w.ended)?;
        match incident.ended {
            Some(ended) => clock.stamp(out, ended)?,
            None => write!(out, "<b>{}</b>", w.open)?,
        }
        write!(out, "</td><td data-label=\"{}\">", w.lasted)?;
        match incident.ended {
            Some(_) => write!(out, "{}", coarse(incident.duration(clock.now).0 / 1000, w.lang))?,
            None => clock.lasting(out, incident.started)?,
        }
        write!(out, "</td><td data-label=\"{}\">{}", w.cause, reason::name(w.lang, &incident.reason))?;
        if incident.acknowledged {
            write!(out, " <span class=\"tag\">{}</span>", w.acknowledged)?;
        }
        out.push_str("</td></tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
    Ok(())
}
