//! What every page has around its content: the head, the places the script speaks from, and what the page is as of.

use super::html::Untrusted;
use super::moment::Clock;
use super::words::Words;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Where a page is being shown, and to whom.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The words.
    pub w: &'static Words,
    /// The clock of the page.
    pub clock: Clock<'a>,
    /// The way from here to the status page: links are relative, so that pages also work behind somebody's proxy.
    pub root: &'a str,
    /// Whether the page keeps itself fresh.
    pub refresh: bool,
    /// The class of the worst state that needs telling, or `idle`.
    pub mood: &'static str,
    /// The one monitor shown.
    pub monitor: Option<&'a str>,
}

/// What a page puts into its frame.
pub struct PageContent<'a> {
    /// The title, in front of the name of the whole.
    pub title: String,
    pub header: Markup,
    /// What is wrong with the server itself.
    pub troubles: &'a [String],
    pub main: Markup,
    pub version: &'a str,
    /// Behind the version.
    pub footer: Markup,
}

impl Frame<'_> {
    /// The whole document.
    pub fn document(&self, content: PageContent<'_>) -> Markup {
        let (w, root) = (self.w, self.root);
        let patterns = self.refresh.then(|| self.clock.patterns());
        let patterns = patterns.as_ref();
        html! {
            (DOCTYPE) "\n"
            html lang=(w.lang.tag()) {
                head {
                    meta charset="utf-8";
                    title { (Untrusted(&content.title)) (w.name) }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    @if self.refresh {
                        // Where the script runs it does this, and better.
                        noscript { meta http-equiv="refresh" content=(REFRESH_SECONDS); }
                        script src={ (root) "page.js" } defer="" {}
                    }
                    link rel="icon" href=(self.icon());
                    style { (PreEscaped(self.style())) }
                }
                body data-monitor=[self.monitor.filter(|_| self.refresh).map(Untrusted)]
                    data-seconds=[self.refresh.then_some(REFRESH_SECONDS)]
                    data-units=[patterns.map(|p| &p.units)]
                    data-moment=[self.refresh.then_some(w.just_now)]
                    data-due=[self.refresh.then_some(w.due_now)]
                    data-ago=[patterns.map(|p| &p.past)]
                    data-in=[patterns.map(|p| &p.future)]
                    data-for=[patterns.map(|p| &p.lasting)]
                {
                    a.skip href="#content" { (w.skip) }
                    p id="news" class="quiet" role="status" {}
                    p #lost role="alert" hidden="" { (w.lost) }
                    header { (content.header) }
                    main #content tabindex="-1" {
                        @if !content.troubles.is_empty() {
                            section.troubles aria-labelledby="troubles" {
                                h2 #troubles { (w.troubles) }
                                ul { @for trouble in content.troubles { li { (Untrusted(trouble)) } } }
                            }
                        }
                        (content.main)
                    }
                    footer {
                        p { "heartbeat-server " (Untrusted(content.version)) (content.footer) }
                        p {
                            a href={ (root) "api/v1/openapi.json" } { (w.api) }
                            " · "
                            a href={ (root) "metrics" } { (w.metrics) }
                        }
                    }
                }
            }
            "\n"
        }
    }

    /// When the page was made and whether it stays fresh; `toggle` is the address at which that is the other way.
    pub fn freshness(&self, toggle: &str) -> Markup {
        let w = self.w;
        html! {
            p.fresh {
                (w.as_of) " " (self.clock.stamp(self.clock.now)) " · "
                // The script puts the one word in the place of the other.
                @if self.refresh { span data-live=(w.live) { (w.refreshes(REFRESH_SECONDS)) } } @else { (w.paused) }
                " · " a href=(toggle) { (if self.refresh { w.pause } else { w.resume }) }
            }
        }
    }

    /// The style. On a narrow screen the heads of the columns stand in the cells; the document holds them only once.
    fn style(&self) -> String {
        let mut style = format!("\n{STYLE}@media (max-width:60em){{\n");
        for (nth, column) in self.w.columns.iter().enumerate().skip(2) {
            style += &format!(".list td:nth-child({})::before{{content:\"{column}\"}}\n", nth + 1);
        }
        style + &format!(".list thead tr::before{{content:\"{}\"/\"\"}}\n}}\n", self.w.sort_by)
    }

    /// The icon of the tab, in the colour of the worst state, so that trouble is seen from another tab.
    fn icon(&self) -> String {
        let colour = match self.mood {
            "down" => "d13438",
            "late" => "c77700",
            "up" => "1b8a5a",
            "paused" => "6e64ad",
            _ => "6b7680",
        };
        format!(
            "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2032%2032'\
             %3E%3Crect%20width='32'%20height='32'%20rx='9'%20fill='%23{colour}'/%3E%3Cpath%20d='M5%2017h6l3-8%205%2014%203-6h5'\
             %20fill='none'%20stroke='white'%20stroke-width='3'%20stroke-linecap='round'%20stroke-linejoin='round'/%3E%3C/svg%3E"
        )
    }
}

/// A line of a heart monitor, beside the name.
pub fn pulse() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" { path d="M3 17h7l3-9 6 16 3-7h7" {} }
    }
}

/// The link to the next page of a list.
pub fn next_page(w: &Words, href: &str) -> Markup {
    html! { a rel="next" href=(href) { (w.next_page) " " span aria-hidden="true" { "→" } } }
}

/// A command of a shell, or a text to copy, in a box of its own.
pub fn boxed(text: &str) -> Markup {
    html! { pre tabindex="0" { code { (Untrusted(text)) } } }
}

/// The line of a shell that sends a beat for `id` to `host`, a Host header as it came. What it could break is quoted.
pub fn command(host: Option<&str>, id: &str) -> String {
    let host = authority(host);
    // Some shells take the brackets of an IPv6 address for a pattern.
    let quote = if host.contains('[') { "'" } else { "" };
    // An id holds neither quotes of JSON nor backslashes, but it may hold the quote of the shell.
    let id = id.replace('\'', "'\\''");
    format!(
        "curl -X POST {quote}http://{host}{quote} -H \"Content-Type: application/json\" -d '{{\"id\": \"{id}\"}}'"
    )
}

/// Our name as the browser knows it, where a Host header is a plain host, with or without port: then neither HTML nor
/// a shell sees more in it than that.
pub fn authority(host: Option<&str>) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    host.filter(|h| (1..=261).contains(&h.len()) && h.bytes().all(plain)).unwrap_or("localhost:7777")
}

/// Seconds after which the page loads itself again, unless that is paused.
pub const REFRESH_SECONDS: u32 = 15;

pub(super) const STYLE: &str = include_str!("style.css");
