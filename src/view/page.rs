//! The pages for people: who beats, who is late and who is down, as HTML that needs nothing but itself.
//!
//! Each page is one document with its style, its icon and its drawings inside. Filters, sorting and paging are links
//! and the search is a form, so all of it works without a script, by `<meta http-equiv="refresh">`. Where scripts run,
//! [`SCRIPT`] listens to the events of the API, fetches the page anew when something happens and puts what changed in
//! its place. Whatever came from outside (ids, addresses, messages, tags, the Host header) goes through
//! [`html::Untrusted`]. A state is told by word and shape as well as by colour. On a narrow screen each row of the table
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
mod status;
mod words;

pub use frame::REFRESH_SECONDS;
pub use incidents::{INCIDENTS_MAX, OPEN_MAX, RECENT_ASKED};
pub use monitor::{MonitorPage, monitor, not_found};
pub use status::{MonitorRow, Page};

use crate::domain::lang::Lang;
use crate::domain::limits::{ID_BYTES_MAX, LIST_DEFAULT, LIST_MAX};
use crate::domain::notice::State;
use crate::domain::registry::Order;
use frame::{PageContent, pulse};
use jiff::tz::TimeZone;
use link::{PageQuery, order_name};
use maud::{Markup, PreEscaped, html};
use status::View;
use words::{Grouped, Words};

pub(super) use html::Untrusted;
pub(super) use words::Percent;

/// The `PageContent-Security-Policy` under which the pages work: their own style, icon and form, and one script of ours
/// that talks to nobody but us.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; \
    script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The script of the pages, to be served as `page.js` beside the status page.
pub const SCRIPT: &str = include_str!("page/script.js");

/// The word for a state, as the pages say it.
pub fn state_word(lang: Lang, state: State) -> &'static str {
    Words::of(lang).state(state)
}

/// The order in which the summary shows the states: what needs a person comes first.
const SUMMARY: [State; 5] = [State::Down, State::Late, State::Up, State::Paused, State::New];

/// Stands where the rows of the table go: no text that is put into a page can hold it.
const ROWS: &str = "<!--rows-->";

/// Appends the page as far as its first row; times are in the time zone of this machine.
pub fn open(out: &mut String, page: &Page<'_>) {
    out.push_str(&View::of(page, &TimeZone::system()).parts().0);
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
        out.push_str(&view.row(row).into_string());
        taken += 1;
    }
    taken
}

/// Appends what comes behind the last row.
pub fn close(out: &mut String, page: &Page<'_>) {
    out.push_str(&View::of(page, &TimeZone::system()).parts().1);
}

impl View<'_> {
    /// What comes before the rows, and what comes behind them.
    fn parts(&self) -> (String, String) {
        let mut before = self.document().into_string();
        let at = before.find(ROWS).unwrap_or(before.len());
        let behind = before.split_off(at).split_off(ROWS.len());
        (before, behind)
    }

    fn document(&self) -> Markup {
        let (page, w) = (self.page, self.w);
        self.frame.document(PageContent {
            title: self.title(),
            header: html! {
                h1 { (pulse()) (w.name) }
                p.lede.(self.frame.mood) { (w.verdict(&page.counts)) }
                @if self.total > 0 { (self.summary()) }
            },
            troubles: page.troubles,
            main: html! {
                @if self.total == 0 {
                    (self.welcome())
                    (PreEscaped(ROWS))
                } @else {
                    (self.incidents())
                    (self.tools())
                    @if page.shown > 0 { (self.table()) } @else { (self.nothing_found()) (PreEscaped(ROWS)) }
                    (self.pages())
                }
            },
            version: page.version,
            footer: html! {
                " · " (w.running_since) (self.clock.stamp(page.started))
                " · " (w.beats(page.beats)) " · " (w.connections(page.connections))
            },
        })
    }

    /// A tab shows only how a title begins, so the counts come before the name.
    fn title(&self) -> String {
        let told = |s: &State| self.total > 0 && (self.count(*s) > 0 || matches!(s, State::Up | State::Down));
        let counts =
            State::ALL.into_iter().filter(told).map(|state| self.w.counted(state, self.count(state)));
        let counts = counts.collect::<Vec<_>>().join(self.w.comma);
        if counts.is_empty() { counts } else { counts + " · " }
    }

    /// The counts, each a link to the monitors it counts.
    fn summary(&self) -> Markup {
        let states = SUMMARY.into_iter().map(|state| (Some(state), self.w.state(state), self.count(state)));
        html! {
            nav aria-label=(self.w.states) {
                ul.counts {
                    @for (state, word, count) in [(None, self.w.all, self.total)].into_iter().chain(states) {
                        li.(state.map_or("all", State::name)).zero[count == 0] {
                            a href=(self.link(PageQuery { state, after: None, ..self.here() }))
                                aria-current=[(state == self.page.state).then_some("true")]
                            {
                                b { (Grouped(count)) } " " span { i {} (word) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The search, and when the page was made.
    fn tools(&self) -> Markup {
        let (page, w) = (self.page, self.w);
        let limit = (page.limit != LIST_DEFAULT).then(|| page.limit.to_string());
        // What a search keeps of what is selected.
        let kept = [
            ("state", page.state.map(State::name)),
            ("tag", Some(page.tag).filter(|tag| !tag.is_empty())),
            ("sort", (page.order != Order::State).then(|| order_name(page.order))),
            ("limit", limit.as_deref()),
            ("refresh", (!page.refresh).then_some("off")),
        ];
        html! {
            div.tools {
                form method="get" role="search" {
                    input type="search" id="search" name="match" maxlength=(ID_BYTES_MAX) value=(Untrusted(page.search))
                        aria-label=(w.search) placeholder=(w.search) autocomplete="off" autocapitalize="none"
                        spellcheck="false";
                    @for (name, value) in kept {
                        @if let Some(value) = value { input type="hidden" name=(name) value=(Untrusted(value)); }
                    }
                    button type="submit" { (w.search_button) }
                    @if !page.search.is_empty() {
                        a href=(self.link(PageQuery { search: "", after: None, ..self.here() })) { (w.clear) }
                    }
                }
                (self.freshness())
            }
        }
    }

    fn freshness(&self) -> Markup {
        self.frame.freshness(&self.link(PageQuery { refresh: !self.page.refresh, ..self.here() }))
    }

    /// The table without its rows.
    fn table(&self) -> Markup {
        let (page, w) = (self.page, self.w);
        // How many there are is known unless something else than the state selects.
        let all = page.state.map_or(self.total, |s| self.count(s));
        let all = Some(all).filter(|_| page.search.is_empty() && page.tag.is_empty());
        html! {
            table.list {
                caption {
                    (w.monitors)
                    @if let Some(state) = page.state { " · " (w.state(state)) }
                    @if !page.search.is_empty() { " · “" bdi { (Untrusted(page.search)) } "”" }
                    @if !page.tag.is_empty() { " · " (w.tagged) bdi { (Untrusted(page.tag)) } }
                    " · " (w.shown(page.shown, all))
                    @if !page.tag.is_empty() {
                        " · " a href=(self.link(PageQuery { tag: "", after: None, ..self.here() })) { (w.show_all) }
                    }
                }
                thead { tr { @for (nth, column) in w.columns.into_iter().enumerate() { (self.head(nth, column)) } } }
                tbody { (PreEscaped(ROWS)) }
            }
        }
    }

    /// The head of a column: a link that sorts by it, where that can be done.
    fn head(&self, nth: usize, column: &str) -> Markup {
        let orders: &[(Order, &str)] = match nth {
            0 => &[(Order::State, column), (Order::Since, self.w.by_change)],
            1 => &[(Order::Id, column)],
            3 => &[(Order::LastBeat, column)],
            _ => return html! { th scope="col" { (column) } },
        };
        let is_this = |order: Order| order == self.page.order;
        // All orders begin with the least, but that of changes, which begins with the latest.
        let direction = if is_this(Order::Since) { "descending" } else { "ascending" };
        html! {
            th scope="col" aria-sort=[orders.iter().any(|(order, _)| is_this(*order)).then_some(direction)] {
                @for (order, word) in orders.iter().copied() {
                    // The title is not in the text: that is read out with every cell of the column.
                    a href=(self.link(PageQuery { order, after: None, ..self.here() }))
                        aria-current=[is_this(order).then_some("true")]
                        title={ (self.w.sort_by) (word) }
                    { (word) }
                    " "
                }
            }
        }
    }

    fn pages(&self) -> Markup {
        let (page, w) = (self.page, self.w);
        if page.next.is_none() && page.after.is_none() {
            return html! {};
        }
        let first = PageQuery { after: None, ..self.here() };
        html! {
            nav.pages aria-label=(w.pages) {
                @if page.after.is_some() { a href=(self.link(first)) { (w.first_page) } }
                @if page.next.is_some() {
                    (frame::next_page(w, &self.link(PageQuery { after: page.next, ..first })))
                }
                @if page.limit < LIST_MAX && self.total <= LIST_MAX as u64 {
                    a href=(self.link(PageQuery { limit: LIST_MAX, ..first })) { (w.one_page) }
                }
            }
        }
    }

    fn nothing_found(&self) -> Markup {
        let all = PageQuery { state: None, search: "", tag: "", after: None, ..self.here() };
        html! {
            div.empty {
                p { (self.w.nothing_found) }
                p { a href=(self.link(all)) { (self.w.show_all) } }
            }
        }
    }

    /// What to do when there is no monitor at all: the one line that makes the first.
    fn welcome(&self) -> Markup {
        html! {
            div.empty {
                p { (self.w.welcome) }
                (frame::boxed(&frame::command(self.page.host, "my-machine")))
                @if self.page.refresh { p { (self.w.welcome_next) } }
                (self.freshness())
            }
        }
    }

    fn count(&self, state: State) -> u64 {
        self.page.counts[state as usize]
    }
}

#[cfg(test)]
mod tests;
