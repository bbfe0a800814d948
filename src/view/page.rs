//! The pages for people: who beats, who is late and who is down, as HTML that needs nothing but itself.
//!
//! Each page is one document with its style, its icon and its drawings inside. Filters, sorting and paging are links
//! and the search is a form, so all of it works without a script, by `<meta http-equiv="refresh">`. Where scripts run,
//! [`SCRIPT`] listens to the events of the API, fetches the page anew when something happens and puts what changed in
//! its place. Whatever came from outside (ids, addresses, messages, tags, the Host header) goes through
//! [`html::text`]. A state is told by word and shape as well as by colour. On a narrow screen each row of the table
//! becomes a card; the column heads then stand in the cells by CSS, so the document holds them only once.
//!
//! Here is the status page. [`frame`] is what all pages have around them, `row` writes a monitor into the table, `bar`
//! draws its last day, `incidents` lists what went wrong, `link` knows the addresses and `monitor` is the page of one
//! monitor; `words` knows both languages, `moment` tells times and `html` escapes.

mod bar;
#[cfg(test)]
pub(crate) mod contrast;
mod frame;
mod html;
mod incidents;
mod link;
mod moment;
mod monitor;
mod row;
mod words;

pub use incidents::{INCIDENTS_MAX, OPEN_MAX, RECENT_ASKED};
pub use monitor::{MonitorPage, monitor, not_found};

use crate::domain::history::{Incident, Past};
use crate::domain::lang::Lang;
use crate::domain::limits::{ID_BYTES_MAX, LIST_DEFAULT, LIST_MAX};
use crate::domain::notice::State;
use crate::domain::registry::{Counts, Order, Snapshot};
use crate::domain::time::Wall;
use frame::{Frame, PULSE};
use html::text;
use jiff::tz::TimeZone;
use link::{Link, order_name};
use moment::Clock;
use std::fmt::{self, Write};
use words::{Grouped, Words};

pub(super) use html::text as escape;
pub(super) use words::Percent;

/// Seconds after which the page loads itself again, unless that is paused.
pub const REFRESH_SECONDS: u32 = 15;

/// The `Content-Security-Policy` under which the pages work: their own style, icon and form, and one script of ours
/// that talks to nobody but us.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; \
    script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The script of the pages, to be served as `page.js` beside the status page.
pub const SCRIPT: &str = include_str!("page/script.js");

/// The word for a state, as the pages say it.
pub(super) fn state_word(lang: Lang, state: State) -> &'static str {
    Words::of(lang).state(state)
}

/// The order in which the summary shows the states: what needs a person comes first.
const SUMMARY: [State; 5] = [State::Down, State::Late, State::Up, State::Paused, State::New];

const STYLE: &str = include_str!("page/style.css");

/// A monitor and its past.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// How it stands.
    pub snapshot: &'a Snapshot,
    /// What was.
    pub past: &'a Past,
}

/// What the status page shows.
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
    /// How many monitors it shows.
    pub shown: usize,
    /// Those of them that come next, in order: a long page is made in pieces.
    pub rows: &'a [Row<'a>],
    /// Where to go on when there are more after the last one: opaque here.
    pub next: Option<&'a str>,
    /// Where this page begins (`?after=`).
    pub after: Option<&'a str>,
    /// The filter in force (`?state=`).
    pub state: Option<State>,
    /// The search in force (`?match=`); empty: none.
    pub search: &'a str,
    /// The tag that all have (`?tag=`); empty: none.
    pub tag: &'a str,
    /// The order (`?sort=`); [`Order::State`] unless asked otherwise.
    pub order: Order,
    /// Rows on a page (`?limit=`).
    pub limit: usize,
    /// Whether the page keeps itself fresh; `?refresh=off` pauses that.
    pub refresh: bool,
    /// Incidents that have not ended, newest first: one more than [`OPEN_MAX`], if there are so many.
    pub open: &'a [Incident],
    /// The newest incidents, [`RECENT_ASKED`] of them; those that have ended are shown.
    pub recent: &'a [Incident],
    /// What is wrong with the server itself, in sentences for people.
    pub troubles: &'a [String],
}

/// Appends the page as far as its first row; times are in the time zone of this machine.
pub fn open(out: &mut String, page: &Page<'_>) {
    // Writing to a String cannot fail; the Result is only what `write!` returns.
    let _ = View::of(page, &TimeZone::system()).open(out);
}

/// Appends rows until `out` has that many bytes or there are no more; says how many those were.
pub fn rows(out: &mut String, page: &Page<'_>, bytes_max: usize) -> usize {
    let zone = TimeZone::system();
    let view = View::of(page, &zone);
    let mut taken = 0;
    for row in page.rows {
        if out.len() >= bytes_max {
            break;
        }
        let _ = view.row(out, row);
        taken += 1;
    }
    taken
}

/// Appends what comes behind the last row.
pub fn close(out: &mut String, page: &Page<'_>) {
    let _ = View::of(page, &TimeZone::system()).close(out);
}

struct View<'a> {
    page: &'a Page<'a>,
    w: &'static Words,
    clock: Clock<'a>,
    frame: Frame<'a>,
    total: u64,
}

impl<'a> View<'a> {
    fn of(page: &'a Page<'a>, zone: &'a TimeZone) -> View<'a> {
        let w = Words::of(page.lang);
        let clock = Clock { now: page.now, zone, w };
        let mood = mood(&page.counts);
        let frame = Frame { w, clock, root: "", refresh: page.refresh, mood, monitor: None };
        View { page, w, clock, frame, total: page.counts.iter().sum() }
    }
}

impl View<'_> {
    fn open(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        self.frame.open(out, |out| self.title(out))?;
        write!(out, "<h1>{PULSE}{}</h1>\n<p class=\"lede {}\">", w.name, self.frame.mood)?;
        w.verdict(out, &page.counts)?;
        out.push_str("</p>\n");
        if self.total > 0 {
            self.summary(out)?;
        }
        self.frame.content(out, page.troubles)?;
        if self.total == 0 {
            self.welcome(out)?;
        } else {
            self.incidents(out)?;
            self.tools(out)?;
            if page.shown == 0 {
                self.nothing_found(out)?;
            } else {
                self.table(out)?;
            }
        }
        Ok(())
    }

    fn close(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        if self.total > 0 {
            if page.shown > 0 {
                out.push_str("</tbody>\n</table>\n");
            }
            self.pages(out)?;
        }
        self.frame.close(out, page.version, |out| {
            write!(out, " · {}", w.running_since)?;
            self.clock.stamp(out, page.started)?;
            out.push_str(" · ");
            w.beats(out, page.beats)?;
            out.push_str(" · ");
            w.connections(out, page.connections)
        })
    }

    /// A tab shows only how a title begins, so the counts come before the name.
    fn title(&self, out: &mut String) -> fmt::Result {
        let told = |s: State| self.count(s) > 0 || matches!(s, State::Up | State::Down);
        let mut comma = "";
        for state in State::ALL.into_iter().filter(|s| self.total > 0 && told(*s)) {
            out.push_str(comma);
            self.w.counted(out, state, self.count(state))?;
            comma = self.w.comma;
        }
        out.push_str(if comma.is_empty() { "" } else { " · " });
        Ok(())
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
        write!(
            out,
            "<input type=\"search\" id=\"search\" name=\"match\" maxlength=\"{ID_BYTES_MAX}\" value=\""
        )?;
        text(out, page.search);
        write!(out, "\" aria-label=\"{0}\" placeholder=\"{0}\" autocomplete=\"off\"", w.search)?;
        out.push_str(" autocapitalize=\"none\" spellcheck=\"false\">\n");
        if let Some(state) = page.state {
            writeln!(out, "<input type=\"hidden\" name=\"state\" value=\"{}\">", state.name())?;
        }
        if !page.tag.is_empty() {
            out.push_str("<input type=\"hidden\" name=\"tag\" value=\"");
            text(out, page.tag);
            out.push_str("\">\n");
        }
        if page.order != Order::State {
            writeln!(out, "<input type=\"hidden\" name=\"sort\" value=\"{}\">", order_name(page.order))?;
        }
        if page.limit != LIST_DEFAULT {
            writeln!(out, "<input type=\"hidden\" name=\"limit\" value=\"{}\">", page.limit)?;
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
        self.frame.freshness(out, |out| self.link(out, Link { refresh: !self.page.refresh, ..self.here() }))
    }

    /// The table as far as its first row.
    fn table(&self, out: &mut String) -> fmt::Result {
        let (page, w) = (self.page, self.w);
        write!(out, "<table class=\"list\">\n<caption>{}", w.monitors)?;
        if let Some(state) = page.state {
            write!(out, " · {}", w.state(state))?;
        }
        if !page.search.is_empty() {
            out.push_str(" · “<bdi>");
            text(out, page.search);
            out.push_str("</bdi>”");
        }
        if !page.tag.is_empty() {
            write!(out, " · {}<bdi>", w.tagged)?;
            text(out, page.tag);
            out.push_str("</bdi>");
        }
        out.push_str(" · ");
        // How many there are is known unless something else than the state selects.
        let all = page.state.map_or(self.total, |s| self.count(s));
        w.shown(out, page.shown, Some(all).filter(|_| page.search.is_empty() && page.tag.is_empty()))?;
        if !page.tag.is_empty() {
            out.push_str(" · <a href=\"");
            self.link(out, Link { tag: "", after: None, ..self.here() })?;
            write!(out, "\">{}</a>", w.show_all)?;
        }
        out.push_str("</caption>\n<thead><tr>");
        for (nth, column) in w.columns.into_iter().enumerate() {
            self.head(out, nth, column)?;
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        Ok(())
    }

    /// The head of a column: a link that sorts by it, where that can be done.
    fn head(&self, out: &mut String, nth: usize, column: &str) -> fmt::Result {
        let orders: &[(Order, &str)] = match nth {
            0 => &[(Order::State, column), (Order::Since, self.w.by_change)],
            1 => &[(Order::Id, column)],
            3 => &[(Order::LastBeat, column)],
            _ => return write!(out, "<th scope=\"col\">{column}</th>"),
        };
        let by_this = orders.iter().any(|(order, _)| *order == self.page.order);
        // All orders begin with the least, but that of changes, which begins with the latest.
        let direction = if self.page.order == Order::Since { "descending" } else { "ascending" };
        let sorted = if by_this { format!(" aria-sort=\"{direction}\"") } else { String::new() };
        write!(out, "<th scope=\"col\"{sorted}>")?;
        for (order, word) in orders.iter().copied() {
            out.push_str("<a href=\"");
            self.link(out, Link { order, after: None, ..self.here() })?;
            let current = if order == self.page.order { " aria-current=\"true\"" } else { "" };
            // Not in the text: that is read out with every cell of the column.
            write!(out, "\"{current} title=\"{}{word}\">{word}</a> ", self.w.sort_by)?;
        }
        out.push_str("</th>");
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
        if page.limit < LIST_MAX && self.total <= LIST_MAX as u64 {
            out.push_str("<a href=\"");
            self.link(out, Link { after: None, limit: LIST_MAX, ..self.here() })?;
            writeln!(out, "\">{}</a>", w.one_page)?;
        }
        out.push_str("</nav>\n");
        Ok(())
    }

    fn nothing_found(&self, out: &mut String) -> fmt::Result {
        write!(out, "<div class=\"empty\">\n<p>{}</p>\n<p><a href=\"", self.w.nothing_found)?;
        self.link(out, Link { state: None, search: "", tag: "", after: None, ..self.here() })?;
        writeln!(out, "\">{}</a></p>\n</div>", self.w.show_all)
    }

    /// What to do when there is no monitor at all: the one line that makes the first.
    fn welcome(&self, out: &mut String) -> fmt::Result {
        let w = self.w;
        writeln!(out, "<div class=\"empty\">\n<p>{}</p>", w.welcome)?;
        frame::boxed(out, |out| frame::command(out, self.page.host, "my-machine"));
        if self.page.refresh {
            writeln!(out, "<p>{}</p>", w.welcome_next)?;
        }
        self.freshness(out)?;
        out.push_str("</div>\n");
        Ok(())
    }

    fn count(&self, state: State) -> u64 {
        self.page.counts[state as usize]
    }
}

/// The worst state that needs telling, as a class of the style.
fn mood(counts: &Counts) -> &'static str {
    let worst = [State::Down, State::Late, State::Up].into_iter().find(|s| counts[*s as usize] > 0);
    worst.map_or("idle", State::name)
}

#[cfg(test)]
mod tests;
