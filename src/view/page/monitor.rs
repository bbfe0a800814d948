//! The page of one monitor: how it stands, its last day, its incidents and changes, what it is held to, and how to beat
//! and to show it. And the page that says that there is no such monitor.

use super::frame::{Frame, PULSE, authority, boxed, command};
use super::html::{query_value, text};
use super::moment::{Clock, exact};
use super::words::{Grouped, Percent, Words};
use super::{Row, bar, incidents};
use crate::domain::beat::Status;
use crate::domain::history::{Incident, Past};
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::registry::Snapshot;
use crate::domain::time::{Span, Wall};
use crate::view::reason;
use crate::view::words::conflict;
use jiff::tz::TimeZone;
use std::fmt::{self, Write};

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
    let mut out = String::with_capacity(24 * 1024);
    let one = One { page, w, clock, frame, row: Row { snapshot: page.snapshot, past: page.past } };
    // Writing to a String cannot fail; the Result is only what `write!` returns.
    let _ = one.document(&mut out);
    out
}

/// The page that says that nobody of this name is known; it becomes the monitor's page once there is one.
pub fn not_found(lang: Lang, id: &str, root: &str) -> String {
    let w = Words::of(lang);
    let mut out = String::with_capacity(16 * 1024);
    let clock = Clock { now: Wall(0), zone: &TimeZone::UTC, w };
    let frame = Frame { w, clock, root, refresh: true, mood: "idle", monitor: Some(id) };
    let _ = missing(&mut out, &frame, id);
    out
}

fn missing(out: &mut String, frame: &Frame<'_>, id: &str) -> fmt::Result {
    let w = frame.w;
    frame.open(out, |out| write!(out, "{} · ", w.not_found))?;
    home(out, w, frame.root);
    writeln!(out, "<h1 class=\"lede\">{}</h1>", w.not_found)?;
    frame.content(out, &[])?;
    out.push_str("<div class=\"empty\">\n<p><b><bdi>");
    text(out, id);
    writeln!(out, "</bdi></b>{}{}</p>", w.colon, w.not_found_why)?;
    writeln!(out, "<p><a href=\"{}\">{}</a></p>\n</div>", frame.root, w.show_all)?;
    frame.close(out, env!("CARGO_PKG_VERSION"), |_| Ok(()))
}

/// The name of the whole, which leads back to it.
fn home(out: &mut String, w: &Words, root: &str) {
    out.push_str("<p class=\"home\"><a href=\"");
    out.push_str(root);
    out.push_str("\">");
    out.push_str(PULSE);
    out.push_str(w.name);
    out.push_str("</a></p>\n");
}

struct One<'a> {
    page: &'a MonitorPage<'a>,
    w: &'static Words,
    clock: Clock<'a>,
    frame: Frame<'a>,
    row: Row<'a>,
}

impl One<'_> {
    fn document(&self, out: &mut String) -> fmt::Result {
        let (page, w, m) = (self.page, self.w, self.row.snapshot);
        self.frame.open(out, |out| {
            write!(out, "{} · ", w.state(m.state))?;
            text(out, &m.id);
            out.write_str(" · ")
        })?;
        home(out, w, self.page.root);
        out.push_str("<h1 class=\"lede\"><bdi>");
        text(out, &m.id);
        write!(
            out,
            "</bdi></h1>\n<p class=\"stands {}\"><b><i></i>{}</b> ",
            m.state.name(),
            w.state(m.state)
        )?;
        self.clock.lasting(out, m.since)?;
        self.frame.otherwise(out, m)?;
        write!(out, " <small>{}", w.since)?;
        self.clock.stamp(out, m.since)?;
        if let Some((_, _, why)) = &m.incident {
            write!(out, " · {}", reason::present(w.lang, why, m.beats, m.status))?;
        }
        out.push_str("</small></p>\n");
        self.frame.content(out, page.troubles)?;
        if let Some(two) = &m.conflict {
            out.push_str("<p class=\"conflict\">");
            text(out, &conflict(page.lang, &m.id, two));
            out.push_str("</p>\n");
        }
        self.frame.freshness(out, |out| self.link(out, page.after, !page.refresh))?;
        self.history(out)?;
        out.push_str("<div class=\"columns\">\n");
        self.present(out)?;
        self.settings(out)?;
        out.push_str("</div>\n");
        self.incidents(out)?;
        self.changes(out)?;
        self.use_it(out)?;
        self.frame.close(out, page.version, |out| {
            write!(out, " · {}", w.running_since)?;
            self.clock.stamp(out, page.started)
        })
    }

    /// The bar, what its heights and colours mean, and the uptimes.
    fn history(&self, out: &mut String) -> fmt::Result {
        let (w, past) = (self.w, self.row.past);
        section(out, "history", w.history)?;
        let day = bar::stretches(self.row.snapshot, past, self.clock.now);
        bar::draw(out, &self.clock, &day, past.uptime.day, bar::CELLS_LARGE, true)?;
        out.push_str("\n<p class=\"axis\" aria-hidden=\"true\">");
        for hours in AXIS_HOURS {
            out.push_str("<span>");
            self.clock.hour(out, Wall(self.clock.now.0 - hours * 3_600_000))?;
            out.push_str("</span>");
        }
        write!(out, "</p>\n<ul class=\"legend\" aria-label=\"{}\">", w.legend)?;
        for state in [State::Up, State::Late, State::Down, State::Paused, State::New] {
            write!(
                out,
                "<li><svg class=\"bar\" viewBox=\"0 0 11 16\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"{}\" d=\"M0 8h11\"/></svg>{}</li>",
                state.name(),
                w.state(state)
            )?;
        }
        out.push_str("</ul>\n<dl class=\"uptimes\">");
        let shares = [past.uptime.day, past.uptime.week, past.uptime.quarter];
        for (span, share) in w.uptimes.iter().zip(shares) {
            write!(out, "<div><dt>{span}</dt><dd>")?;
            match share {
                Some(share) => write!(out, "{}", Percent(share))?,
                None => self.frame.dash(out)?,
            }
            out.push_str("</dd></div>");
        }
        out.push_str("</dl>\n</section>\n");
        Ok(())
    }

    /// What its beats have told.
    fn present(&self, out: &mut String) -> fmt::Result {
        let (w, m, clock) = (self.w, self.row.snapshot, &self.clock);
        section(out, "now", w.now)?;
        out.push_str("<dl>\n");
        field(out, w.last_beat, |out| match m.last_beat {
            Some(at) => clock.past(out, at),
            None => out.write_str(w.never),
        })?;
        field(out, w.next_deadline, |out| self.frame.deadline(out, m))?;
        field(out, w.from, |out| {
            self.frame.from(out, m)?;
            if m.last_beat.is_some() { write!(out, " · {}", m.transport.name()) } else { Ok(()) }
        })?;
        field(out, w.beats_heard, |out| write!(out, "{}", Grouped(m.beats)))?;
        if let Some(seq) = m.seq {
            field(out, w.counter, |out| {
                write!(out, "{seq} · ")?;
                w.missing(out, m.gaps)?;
                out.push_str(" · ");
                w.repeated(out, m.repeats)
            })?;
        }
        if let Some(skew) = m.skew_ms {
            field(out, w.clock, |out| self.skew(out, skew))?;
        }
        if m.last_beat.is_some() {
            field(out, w.status, |out| match m.status {
                Status::Ok | Status::Exit(0) | Status::Log => out.write_str(w.well),
                status => w.said(out, status),
            })?;
        }
        if let Some(message) = &m.message {
            field(out, w.message, |out| {
                out.push_str("<bdi class=\"message\">");
                text(out, message);
                out.write_str("</bdi>")?;
                // It is of the beat that brought it, which need not be the last one.
                let Some(at) = m.message_at else { return Ok(()) };
                out.write_str(" <small>")?;
                clock.past(out, at)?;
                out.write_str("</small>")
            })?;
        }
        if let Some(oldest) = m.runs.first() {
            field(out, w.runs, |out| {
                w.running(out, m.runs.len())?;
                clock.lasting(out, *oldest)
            })?;
        }
        if let Some(took) = m.run_took {
            field(out, w.last_run, |out| exact(out, took, w.lang))?;
        }
        out.push_str("</dl>\n</section>\n");
        Ok(())
    }

    /// What it is held to, and by whose word.
    fn settings(&self, out: &mut String) -> fmt::Result {
        let (w, m) = (self.w, self.row.snapshot);
        section(out, "settings", w.settings)?;
        out.push_str("<dl>\n");
        match &m.schedule {
            Some((cron, zone)) => field(out, w.schedule, |out| {
                out.push_str("<code>");
                text(out, cron);
                out.push_str("</code> ");
                text(out, zone);
                write!(out, " <small>{}</small>", w.from_config)
            })?,
            None => field(out, w.expected, |out| {
                exact(out, m.interval, w.lang)?;
                let Some(asked) = m.asked else { return Ok(()) };
                write!(out, " <small>{}", w.asked)?;
                exact(out, asked, w.lang)?;
                out.push_str("</small>");
                Ok(())
            })?,
        }
        field(out, w.grace_field, |out| exact(out, m.grace, w.lang))?;
        field(out, w.tags, |out| {
            if m.tags.is_empty() {
                return self.frame.dash(out);
            }
            for tag in &m.tags {
                write!(out, "<a class=\"tag\" href=\"{}?tag={}\"><bdi>", self.frame.root, query_value(tag))?;
                text(out, tag);
                out.push_str("</bdi></a> ");
            }
            Ok(())
        })?;
        field(out, w.made, |out| {
            match self.row.past.created {
                Some(at) => self.clock.stamp(out, at)?,
                None => self.frame.dash(out)?,
            }
            let how = if m.declared { w.by_declaration } else { w.by_first_beat };
            write!(out, " <small>{how}</small>")
        })?;
        out.push_str("</dl>\n</section>\n");
        Ok(())
    }

    fn incidents(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        section(out, "incidents", w.incidents)?;
        if page.incidents.is_empty() {
            writeln!(out, "<p>{}</p>", w.no_incidents)?;
        } else {
            incidents::table(out, &self.frame, page.incidents)?;
        }
        if page.next.is_some() || page.after.is_some() {
            writeln!(out, "<nav class=\"pages\" aria-label=\"{}\">", w.pages)?;
            if page.after.is_some() {
                out.push_str("<a href=\"");
                self.link(out, None, page.refresh)?;
                writeln!(out, "#incidents\">{}</a>", w.first_page)?;
            }
            if page.next.is_some() {
                out.push_str("<a rel=\"next\" href=\"");
                self.link(out, page.next, page.refresh)?;
                writeln!(out, "#incidents\">{} <span aria-hidden=\"true\">→</span></a>", w.next_page)?;
            }
            out.push_str("</nav>\n");
        }
        out.push_str("</section>\n");
        Ok(())
    }

    /// The changes of the last day, the latest first.
    fn changes(&self, out: &mut String) -> fmt::Result {
        let w = self.w;
        section(out, "changes", w.changes)?;
        let day = self.clock.now.0 - 86_400_000;
        let changes = self.row.past.changes.iter().rev().filter(|c| c.at.0 >= day).take(CHANGES_MAX);
        let mut changes = changes.peekable();
        if changes.peek().is_none() {
            return writeln!(out, "<p>{}</p>\n</section>", w.no_changes);
        }
        write!(
            out,
            "<table class=\"plain\">\n<caption class=\"quiet\">{}</caption>\n<thead><tr>",
            w.changes
        )?;
        for head in [w.when, w.before, w.after] {
            write!(out, "<th scope=\"col\">{head}</th>")?;
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for change in changes {
            out.push_str("<tr><td>");
            self.clock.past(out, change.at)?;
            for state in [change.from, Some(change.to)] {
                out.push_str("</td><td>");
                match state {
                    Some(state) => {
                        write!(out, "<b class=\"{}\"><i></i>{}</b>", state.name(), w.state(state))?;
                    }
                    None => self.frame.dash(out)?,
                }
            }
            out.push_str("</td></tr>\n");
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
        Ok(())
    }

    /// How to beat it from a shell, and its badge.
    fn use_it(&self, out: &mut String) -> fmt::Result {
        let (w, host, root) = (self.w, self.page.host, self.page.root);
        let id = &self.row.snapshot.id;
        section(out, "send", w.send)?;
        writeln!(out, "<p>{}</p>", w.send_how)?;
        boxed(out, |out| command(out, host, id));
        out.push_str("</section>\n");
        section(out, "badge", w.badge)?;
        let coded = query_value(id).to_string();
        writeln!(
            out,
            "<p><img src=\"{root}badge/{coded}.svg?lang={}\" alt=\"{}\" height=\"20\"></p>\n<p>{}</p>",
            match w.lang {
                Lang::En => "en",
                Lang::Zh => "zh",
            },
            w.badge_alt,
            w.badge_how
        )?;
        let host = authority(host);
        boxed(out, |out| {
            text(
                out,
                &format!(
                    "[![{}](http://{host}/badge/{coded}.svg)](http://{host}/monitors/{coded})",
                    w.badge_alt
                ),
            );
        });
        out.push_str("</section>\n");
        Ok(())
    }

    /// How far its clock is from ours.
    fn skew(&self, out: &mut String, skew_ms: i64) -> fmt::Result {
        let off_ms = skew_ms.unsigned_abs();
        if off_ms < SKEW_SHOWN_MS {
            return out.write_str(self.w.no_skew);
        }
        let mut span = String::new();
        exact(&mut span, Span(off_ms / 1000 * 1000), self.w.lang)?;
        self.w.skew(out, skew_ms > 0, &span)
    }

    /// Appends the address of this page with other incidents, or the other way of keeping fresh.
    fn link(&self, out: &mut String, after: Option<&str>, refresh: bool) -> fmt::Result {
        let mut mark = "?";
        if let Some(after) = after {
            write!(out, "?after={}", query_value(after))?;
            mark = "&amp;";
        }
        match refresh {
            false => write!(out, "{mark}refresh=off"),
            true if after.is_none() => out.write_str("?"),
            true => Ok(()),
        }
    }
}

fn section(out: &mut String, id: &str, heading: &str) -> fmt::Result {
    writeln!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>")
}

fn field(out: &mut String, name: &str, value: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    write!(out, "<div><dt>{name}</dt><dd>")?;
    value(out)?;
    out.push_str("</dd></div>\n");
    Ok(())
}
