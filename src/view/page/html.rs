//! Text into HTML and into addresses, so that nothing a stranger sent can become markup or another query.
//!
//! Markup is made by maud, which escapes whatever is put in. [`Untrusted`] escapes more.

use maud::Render;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986, 2.3: what may stand in a query as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text from outside, escaped for element content and for quoted attributes alike.
///
/// Characters that HTML forbids, and those that would reorder the text around them, become U+FFFD.
#[derive(Clone, Copy, Debug)]
pub struct Untrusted<T>(pub T);

impl<T: AsRef<str>> Render for Untrusted<T> {
    fn render_to(&self, out: &mut String) {
        let text = self.0.as_ref();
        let mut done = 0;
        for (at, c) in text.char_indices() {
            let safe = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\t' | '\n' => continue,
                c if is_forbidden(c) => "\u{fffd}",
                _ => continue,
            };
            out.push_str(&text[done..at]);
            out.push_str(safe);
            done = at + c.len_utf8();
        }
        out.push_str(&text[done..]);
    }
}

/// A value for a query, percent-encoded; what comes out needs no further escaping.
pub fn query_value(value: &str) -> String {
    utf8_percent_encode(value, UNRESERVED).to_string()
}

fn is_forbidden(c: char) -> bool {
    match c {
        ' '..='~' => false,
        // Embeddings, overrides and isolates of the bidirectional algorithm.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fdd0}'..='\u{fdef}' => true,
        _ => c.is_control() || (c as u32) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(input: &str) -> String {
        Untrusted(input).render().into_string()
    }

    #[test]
    fn markup_is_disarmed_and_other_text_is_left_alone() {
        assert_eq!(escaped("a&b'c"), "a&amp;b&#39;c");
        assert_eq!(escaped("<b x=\"1\">"), "&lt;b x=&quot;1&quot;&gt;");
        assert_eq!(escaped("数据库 – two\nlines 👩‍🔧"), "数据库 – two\nlines 👩‍🔧");
        assert_eq!(escaped(""), "");
    }

    #[test]
    fn what_html_forbids_or_what_turns_text_around_is_replaced() {
        for c in ['\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{fdd0}', '\u{1ffff}'] {
            assert_eq!(escaped(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn a_query_value_cannot_start_another_parameter() {
        assert_eq!(query_value("a&b=c+d e'\"#"), "a%26b%3Dc%2Bd%20e%27%22%23");
        assert_eq!(query_value("web-1._~心"), "web-1._~%E5%BF%83");
    }
}
