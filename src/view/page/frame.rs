//! What every page has around its content: the head, the places the script speaks from, and what the page is as of.

use super::html::text;
use super::moment::Clock;
use super::words::Words;
use super::{REFRESH_SECONDS, STYLE};
use std::fmt::{self, Write};

/// A line of a heart monitor, beside the name.
pub const PULSE: &str = "<svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><path d=\"M3 17h7l3-9 6 16 3-7h7\"/></svg>";

/// See the module.
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

impl Frame<'_> {
    /// Everything from the doctype to the beginning of the header.
    pub fn open(&self, out: &mut String, title: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
        let w = self.w;
        write!(out, "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n", w.lang.tag())?;
        out.push_str("<meta charset=\"utf-8\">\n<title>");
        title(out)?;
        out.push_str(w.name);
        out.push_str("</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
        out.push_str("<meta name=\"robots\" content=\"noindex\">\n");
        if self.refresh {
            // Where the script runs it does this, and better.
            writeln!(
                out,
                "<noscript><meta http-equiv=\"refresh\" content=\"{REFRESH_SECONDS}\"></noscript>\n\
                 <script src=\"{}page.js\" defer=\"\"></script>",
                self.root
            )?;
        }
        self.icon(out)?;
        write!(out, "<style>\n{STYLE}@media (max-width:60em){{\n")?;
        // On a narrow screen the heads of the columns stand in the cells; the document holds them only once.
        for (nth, column) in w.columns.iter().enumerate().skip(2) {
            writeln!(out, ".list td:nth-child({})::before{{content:\"{column}\"}}", nth + 1)?;
        }
        writeln!(out, ".list thead tr::before{{content:\"{}\"/\"\"}}", w.sort_by)?;
        out.push_str("}\n</style>\n</head>\n<body");
        if self.refresh {
            if let Some(id) = self.monitor {
                out.push_str(" data-monitor=\"");
                text(out, id);
                out.push('"');
            }
            write!(out, " data-seconds=\"{REFRESH_SECONDS}\"")?;
            self.clock.patterns(out)?;
        }
        writeln!(
            out,
            ">\n<a class=\"skip\" href=\"#content\">{}</a>\n<p id=\"news\" class=\"quiet\" role=\"status\"></p>\n\
             <p id=\"lost\" role=\"alert\" hidden=\"\">{}</p>\n<header>",
            w.skip, w.lost
        )
    }

    /// Everything from the end of the header to the beginning of the content, with what is wrong with ourselves.
    pub fn content(&self, out: &mut String, troubles: &[String]) -> fmt::Result {
        out.push_str("</header>\n<main id=\"content\" tabindex=\"-1\">\n");
        if troubles.is_empty() {
            return Ok(());
        }
        write!(out, "<section class=\"troubles\" aria-labelledby=\"troubles\">\n<h2 id=\"troubles\">")?;
        writeln!(out, "{}</h2>\n<ul>", self.w.troubles)?;
        for trouble in troubles {
            out.push_str("<li>");
            text(out, trouble);
            out.push_str("</li>\n");
        }
        out.push_str("</ul>\n</section>\n");
        Ok(())
    }

    /// When the page was made and whether it stays fresh; `toggle` is the address at which that is the other way.
    pub fn freshness(
        &self,
        out: &mut String,
        toggle: impl FnOnce(&mut String) -> fmt::Result,
    ) -> fmt::Result {
        let w = self.w;
        write!(out, "<p class=\"fresh\">{} ", w.as_of)?;
        self.clock.stamp(out, self.clock.now)?;
        out.push_str(" · ");
        if self.refresh {
            // The script puts the one word in the place of the other.
            write!(out, "<span data-live=\"{}\">", w.live)?;
            w.refreshes(out, REFRESH_SECONDS)?;
            out.push_str("</span>");
        } else {
            out.push_str(w.paused);
        }
        out.push_str(" · <a href=\"");
        toggle(out)?;
        writeln!(out, "\">{}</a></p>", if self.refresh { w.pause } else { w.resume })
    }

    /// Everything from the end of the content on; `more` goes behind the version.
    pub fn close(
        &self,
        out: &mut String,
        version: &str,
        more: impl FnOnce(&mut String) -> fmt::Result,
    ) -> fmt::Result {
        let (w, root) = (self.w, self.root);
        out.push_str("</main>\n<footer>\n<p>heartbeat-server ");
        text(out, version);
        more(out)?;
        write!(
            out,
            "</p>\n<p><a href=\"{root}api/v1/openapi.json\">{}</a> · <a href=\"{root}metrics\">{}</a></p>\n\
             </footer>\n</body>\n</html>\n",
            w.api, w.metrics
        )
    }

    /// The icon of the tab, in the colour of the worst state, so that trouble is seen from another tab.
    fn icon(&self, out: &mut String) -> fmt::Result {
        let colour = match self.mood {
            "down" => "d13438",
            "late" => "c77700",
            "up" => "1b8a5a",
            "paused" => "6e64ad",
            _ => "6b7680",
        };
        writeln!(
            out,
            "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2032%2032'\
             %3E%3Crect%20width='32'%20height='32'%20rx='9'%20fill='%23{colour}'/%3E%3Cpath%20d='M5%2017h6l3-8%205%2014%203-6h5'\
             %20fill='none'%20stroke='white'%20stroke-width='3'%20stroke-linecap='round'%20stroke-linejoin='round'/%3E%3C/svg%3E\">"
        )
    }
}

/// A command of a shell, or a text to copy, in a box of its own. `write` must escape what comes from outside.
pub fn boxed(out: &mut String, write: impl FnOnce(&mut String)) {
    out.push_str("<pre tabindex=\"0\"><code>");
    write(out);
    out.push_str("</code></pre>\n");
}

/// The line of a shell that sends a beat for `id` to `host`, a Host header as it came. What it could break is quoted.
pub fn command(out: &mut String, host: Option<&str>, id: &str) {
    let host = authority(host);
    // Some shells take the brackets of an IPv6 address for a pattern.
    let quote = if host.contains('[') { "'" } else { "" };
    // An id holds neither quotes of JSON nor backslashes, but it may hold the quote of the shell.
    let id = id.replace('\'', "'\\''");
    text(
        out,
        &format!(
            "curl -X POST {quote}http://{host}{quote} -H \"Content-Type: application/json\" -d '{{\"id\": \"{id}\"}}'"
        ),
    );
}

/// Our name as the browser knows it, where a Host header is a plain host, with or without port: then neither HTML nor
/// a shell sees more in it than that.
pub fn authority(host: Option<&str>) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    host.filter(|h| (1..=261).contains(&h.len()) && h.bytes().all(plain)).unwrap_or("localhost:7777")
}
