//! The status page: who beats, who is late and who is down, as one HTML document that needs nothing but itself.
//!
//! No script, no font, no second request: the page loads itself again by `<meta http-equiv="refresh">`, filters are
//! links and the search is a form. Whatever came from outside (ids, addresses, messages, tags, the Host header) goes
//! through [`html::text`]. A state is told by word and shape as well as by colour. On a narrow screen each row of the
//! table becomes a card; the column heads then stand in the cells by CSS, so the document holds them only once.
//!
//! Here is the frame of the page; `row` writes a monitor, `words` knows both languages, `moment` tells times and `html`
//! escapes.

mod html;
mod moment;
mod row;
mod words;

use crate::domain::lang::Lang;
use crate::domain::limits::ID_BYTES_MAX;
use crate::domain::notice::State;
use crate::domain::registry::{Counts, Snapshot};
use crate::domain::time::Wall;
use html::{query_value, text};
use jiff::tz::TimeZone;
use moment::Clock;
use std::fmt::{self, Write};
use words::{Grouped, Words};

/// Seconds after which the page loads itself again, unless that is paused.
pub const REFRESH_SECONDS: u32 = 15;

/// The `Content-Security-Policy` under which the page works: its own style, its own icon, its own form.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The order in which the summary shows the states: what needs a person comes first.
const SUMMARY: [State; 5] = [State::Down, State::Late, State::Up, State::Paused, State::New];

const STYLE: &str = include_str!("page/style.css");

/// A line of a heart monitor, beside the name.
const PULSE: &str = "<svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><path d=\"M3 17h7l3-9 6 16 3-7h7\"/></svg>";

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The language it speaks.
    pub lang: Lang,
    /// The present moment, from which "12 s ago" is counted.
    pub now: Wall,
    /// Our name as the browser knows it, e.g. `hb.lan:7777`: the Host header as it came. The example shows it only if
    /// it can be a host and port.
    pub host: Option<&'a str>,
    /// How many monitors are in each state, in the order of [`State::ALL`].
    pub counts: Counts,
    /// Beats accepted since the start.
    pub beats: u64,
    /// Connections open now.
    pub connections: u64,
    /// When the daemon started.
    pub started: Wall,
    /// The daemon's version.
    pub version: &'a str,
    /// The monitors to show, by id; at most [`PAGE_ROWS_MAX`](crate::domain::limits::PAGE_ROWS_MAX).
    pub rows: &'a [Snapshot],
    /// The last id shown, when there are more after it.
    pub next: Option<&'a str>,
    /// The id after which this page begins (`?after=`).
    pub after: Option<&'a str>,
    /// The filter in force (`?state=`).
    pub state: Option<State>,
    /// The search in force (`?match=`); empty: none.
    pub search: &'a str,
    /// Whether the page loads itself again; `?refresh=off` pauses that.
    pub refresh: bool,
}

/// The whole HTML document; times are in the time zone of this machine.
pub fn render(page: &Page<'_>) -> String {
    render_in(page, &TimeZone::system())
}

/// The same in a given time zone.
fn render_in(page: &Page<'_>, zone: &TimeZone) -> String {
    let w = Words::of(page.lang);
    let mut out = String::with_capacity(12 * 1024 + page.rows.len() * 1024);
    let view = View { page, w, clock: Clock { now: page.now, zone, w }, total: page.counts.iter().sum() };
    // Writing to a String cannot fail; the Result is only what `write!` returns.
    let _ = view.document(&mut out);
    out
}

struct View<'a> {
    page: &'a Page<'a>,
    w: &'static Words,
    clock: Clock<'a>,
    total: u64,
}

impl View<'_> {
    fn document(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        self.head(out)?;
        write!(
            out,
            "<body>\n<a class=\"skip\" href=\"#monitors\">{}</a>\n<header>\n<h1>{PULSE}{}</h1>\n<p class=\"lede {}\">",
            w.skip,
            w.name,
            self.mood()
        )?;
        w.verdict(out, &page.counts)?;
        out.push_str("</p>\n");
        if self.total > 0 {
            self.summary(out)?;
        }
        out.push_str("</header>\n<main id=\"monitors\" tabindex=\"-1\">\n");
        if self.total == 0 {
            self.welcome(out)?;
        } else {
            self.tools(out)?;
            if page.rows.is_empty() {
                self.nothing_found(out)?;
            } else {
                self.table(out)?;
            }
            self.pages(out)?;
        }
        out.push_str("</main>\n");
        self.footer(out)?;
        out.push_str("</body>\n</html>\n");
        Ok(())
    }

    fn head(&self, out: &mut String) -> fmt::Result {
        let w = self.w;
        write!(out, "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n", w.lang.tag())?;
        out.push_str("<meta charset=\"utf-8\">\n<title>");
        // A tab shows only how a title begins, so the counts come before the name.
        let told = |s: State| self.count(s) > 0 || matches!(s, State::Up | State::Down);
        let mut comma = "";
        for state in State::ALL.into_iter().filter(|s| self.total > 0 && told(*s)) {
            out.push_str(comma);
            w.counted(out, state, self.count(state))?;
            comma = w.comma;
        }
        writeln!(out, "{}{}</title>", if comma.is_empty() { "" } else { " · " }, w.name)?;
        out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
        out.push_str("<meta name=\"robots\" content=\"noindex\">\n");
        if self.page.refresh {
            writeln!(out, "<meta http-equiv=\"refresh\" content=\"{REFRESH_SECONDS}\">")?;
        }
        self.icon(out)?;
        write!(out, "<style>\n{STYLE}@media (max-width:56em){{\n")?;
        for (nth, column) in w.columns.iter().enumerate().skip(2) {
            writeln!(out, "td:nth-child({})::before{{content:\"{column}\"}}", nth + 1)?;
        }
        out.push_str("}\n</style>\n</head>\n");
        Ok(())
    }

    /// The icon of the tab, in the colour of the worst state, so that trouble is seen from another tab.
    fn icon(&self, out: &mut String) -> fmt::Result {
        let colour = match self.mood() {
            "down" => "d13438",
            "late" => "c77700",
            "up" => "1b8a5a",
            _ => "6b7680",
        };
        writeln!(
            out,
            "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2032%2032'\
             %3E%3Crect%20width='32'%20height='32'%20rx='9'%20fill='%23{colour}'/%3E%3Cpath%20d='M5%2017h6l3-8%205%2014%203-6h5'\
             %20fill='none'%20stroke='white'%20stroke-width='3'%20stroke-linecap='round'%20stroke-linejoin='round'/%3E%3C/svg%3E\">"
        )
    }

    /// The counts, each a link to the monitors it counts.
    fn summary(&self, out: &mut String) -> fmt::Result {
        write!(out, "<nav aria-label=\"{}\">\n<ul class=\"counts\">\n", self.w.states)?;
        self.tile(out, None, self.w.all, self.total)?;
        for state in SUMMARY {
            self.tile(out, Some(state), self.w.state(state), self.count(state))?;
        }
        out.push_str("</ul>\n</nav>\n");
        Ok(())
    }

    fn tile(&self, out: &mut String, state: Option<State>, word: &str, count: u64) -> fmt::Result {
        let class = state.map_or("all", State::name);
        write!(out, "<li class=\"{class}{}\"><a href=\"", if count == 0 { " zero" } else { "" })?;
        self.link(out, Link { state, after: None, ..self.here() })?;
        let current = if state == self.page.state { " aria-current=\"true\"" } else { "" };
        writeln!(out, "\"{current}><b>{}</b> <span><i></i>{word}</span></a></li>", Grouped(count))
    }

    /// The search, and when the page was made.
    fn tools(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        out.push_str("<div class=\"tools\">\n<form method=\"get\" role=\"search\">\n");
        write!(out, "<input type=\"search\" name=\"match\" maxlength=\"{ID_BYTES_MAX}\" value=\"")?;
        text(out, page.search);
        write!(out, "\" aria-label=\"{0}\" placeholder=\"{0}\" autocomplete=\"off\"", w.search)?;
        out.push_str(" autocapitalize=\"none\" spellcheck=\"false\">\n");
        if let Some(state) = page.state {
            writeln!(out, "<input type=\"hidden\" name=\"state\" value=\"{}\">", state.name())?;
        }
        if !page.refresh {
            out.push_str("<input type=\"hidden\" name=\"refresh\" value=\"off\">\n");
        }
        writeln!(out, "<button type=\"submit\">{}</button>", w.search_button)?;
        if !page.search.is_empty() {
            out.push_str("<a href=\"");
            self.link(out, Link { search: "", after: None, ..self.here() })?;
            writeln!(out, "\">{}</a>", w.clear)?;
        }
        out.push_str("</form>\n");
        self.freshness(out)?;
        out.push_str("</div>\n");
        Ok(())
    }

    fn freshness(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        write!(out, "<p class=\"fresh\">{} ", w.as_of)?;
        self.clock.stamp(out, page.now)?;
        out.push_str(" · ");
        if page.refresh {
            w.refreshes(out, REFRESH_SECONDS)?;
        } else {
            out.push_str(w.paused);
        }
        out.push_str(" · <a href=\"");
        self.link(out, Link { refresh: !page.refresh, ..self.here() })?;
        writeln!(out, "\">{}</a></p>", if page.refresh { w.pause } else { w.resume })
    }

    fn table(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        write!(out, "<table>\n<caption>{}", w.caption)?;
        if let Some(state) = page.state {
            write!(out, " · {}", w.state(state))?;
        }
        if !page.search.is_empty() {
            out.push_str(" · “<bdi>");
            text(out, page.search);
            out.push_str("</bdi>”");
        }
        out.push_str(" · ");
        w.shown(out, page.rows.len())?;
        out.push_str("</caption>\n<thead><tr>");
        for column in w.columns {
            write!(out, "<th scope=\"col\">{column}</th>")?;
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for monitor in page.rows {
            self.row(out, monitor)?;
        }
        out.push_str("</tbody>\n</table>\n");
        Ok(())
    }

    fn pages(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        if page.next.is_none() && page.after.is_none() {
            return Ok(());
        }
        writeln!(out, "<nav class=\"pages\" aria-label=\"{}\">", w.pages)?;
        if page.after.is_some() {
            out.push_str("<a href=\"");
            self.link(out, Link { after: None, ..self.here() })?;
            writeln!(out, "\">{}</a>", w.first_page)?;
        }
        if page.next.is_some() {
            out.push_str("<a rel=\"next\" href=\"");
            self.link(out, Link { after: page.next, ..self.here() })?;
            writeln!(out, "\">{} <span aria-hidden=\"true\">→</span></a>", w.next_page)?;
        }
        out.push_str("</nav>\n");
        Ok(())
    }

    fn nothing_found(&self, out: &mut String) -> fmt::Result {
        write!(out, "<div class=\"empty\">\n<p>{}</p>\n<p><a href=\"", self.w.nothing_found)?;
        self.link(out, Link { state: None, search: "", after: None, ..self.here() })?;
        writeln!(out, "\">{}</a></p>\n</div>", self.w.show_all)
    }

    /// What to do when there is no monitor at all: the one line that makes the first.
    fn welcome(&self, out: &mut String) -> fmt::Result {
        let w = self.w;
        write!(out, "<div class=\"empty\">\n<p>{}</p>\n<pre><code>", w.welcome)?;
        let host = self.page.host.filter(|h| is_authority(h)).unwrap_or("localhost:7777");
        // Some shells take the brackets of an IPv6 address for a pattern.
        let quote = if host.contains('[') { "'" } else { "" };
        write!(out, "curl -X POST {quote}http://{host}{quote} ")?;
        out.push_str("-H \"Content-Type: application/json\" -d '{\"id\": \"my-machine\"}'</code></pre>\n");
        if self.page.refresh {
            writeln!(out, "<p>{}</p>", w.welcome_next)?;
        }
        self.freshness(out)?;
        out.push_str("</div>\n");
        Ok(())
    }

    fn footer(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        out.push_str("<footer>\n<p>heartbeat-server ");
        text(out, page.version);
        write!(out, " · {}", w.running_since)?;
        self.clock.stamp(out, page.started)?;
        out.push_str(" · ");
        w.beats(out, page.beats)?;
        out.push_str(" · ");
        w.connections(out, page.connections)?;
        write!(
            out,
            "</p>\n<p><a href=\"api/v1/monitors\">{}</a> · <a href=\"metrics\">{}</a></p>",
            w.api, w.metrics
        )?;
        out.push_str("\n</footer>\n");
        Ok(())
    }

    /// The worst state that needs telling, as a class of the style.
    fn mood(&self) -> &'static str {
        let worst = [State::Down, State::Late, State::Up].into_iter().find(|s| self.count(*s) > 0);
        worst.map_or("idle", State::name)
    }

    fn count(&self, state: State) -> u64 {
        self.page.counts[state as usize]
    }

    /// The page as it was asked for.
    fn here(&self) -> Link<'_> {
        let Page { state, search, after, refresh, .. } = *self.page;
        Link { state, search, after, refresh }
    }

    /// Appends a relative address, so that the page also works under a prefix of somebody's proxy.
    fn link(&self, out: &mut String, link: Link<'_>) -> fmt::Result {
        let mut mark = "?";
        let mut put = |out: &mut String, key: &str, value: &str| {
            let written = write!(out, "{mark}{key}={}", query_value(value));
            mark = "&amp;";
            written
        };
        if let Some(state) = link.state {
            put(out, "state", state.name())?;
        }
        if !link.search.is_empty() {
            put(out, "match", link.search)?;
        }
        if let Some(after) = link.after {
            put(out, "after", after)?;
        }
        if !link.refresh {
            put(out, "refresh", "off")?;
        }
        // An address without a query would keep the one we are at.
        if mark == "?" {
            out.push('?');
        }
        Ok(())
    }
}

/// The query of an address within the page.
#[derive(Clone, Copy)]
struct Link<'a> {
    state: Option<State>,
    search: &'a str,
    after: Option<&'a str>,
    refresh: bool,
}

/// Whether a Host header is a plain host, with or without port: then neither HTML nor a shell sees more in it than that.
fn is_authority(host: &str) -> bool {
    (1..=261).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests;
