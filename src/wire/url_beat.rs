//! Beats as URLs: `/ping/ID`, with what the beat says behind it, so that one line of a crontab is enough.
//!
//! The id is read from the left and may hold slashes; the last word is read from the end: `start`, `fail`, `log` or an exit
//! code is what the beat says, anything else belongs to the id. Of an id that itself ends in such a word the slash before
//! it is percent-encoded. The query holds the fields that JSON would, and whatever stands in the body is the message: it is
//! never read as a beat.

use super::answer::{Answer, TEXT};
use super::fields::Fields;
use super::query;
use crate::domain::beat::{Warning, Warnings};
use crate::domain::time::Span;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Where the paths begin.
pub const PREFIX: &str = "/ping/";
/// The methods that they take, as `Allow` names them.
pub const METHODS: &str = "GET, HEAD, POST, PUT, PATCH";

/// A beat that a URL tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlBeat<'a> {
    /// The id, still percent-encoded.
    pub id: &'a str,
    /// The word behind it.
    pub status: Option<&'a str>,
    /// What stood behind `?`.
    pub query: &'a str,
}

impl<'a> UrlBeat<'a> {
    /// Reads a path; `None` where it is none of these.
    pub fn of(path: &'a str, query: &'a str) -> Option<UrlBeat<'a>> {
        let rest = path.strip_prefix(PREFIX)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (id, status) = match rest.rsplit_once('/') {
            Some((id, word)) if is_status(word) => (id, Some(word)),
            _ => (rest, None),
        };
        (!id.is_empty()).then_some(UrlBeat { id, status, query })
    }

    /// The fields of the beat. What the path says holds before what the query says, and so does a body.
    pub fn fields<'b>(&self, body: &'b [u8]) -> Fields<'b>
    where
        'a: 'b,
    {
        let mut fields = if self.query.is_empty() { Fields::default() } else { query::beat(self.query) };
        fields.put("id", decoded(self.id));
        if let Some(status) = self.status {
            fields.put("status", status);
        }
        put_message(&mut fields, body);
        fields
    }
}

/// Takes a body for the message, whatever it is; an empty one says nothing.
pub fn put_message<'b>(fields: &mut Fields<'b>, body: &'b [u8]) {
    if body.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(body);
    if matches!(text, Cow::Owned(_)) {
        fields.warn(Warning::Encoding);
    }
    fields.put("message", text);
}

/// Percent-decoded once. What is no UTF-8 then can be no id.
pub fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// Whether a last word says how it went.
fn is_status(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    matches!(word, "start" | "fail" | "log")
        || !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether `Accept` asks for JSON rather than for text.
pub fn wants_json(accept: &str) -> bool {
    accept.split(',').any(|range| {
        range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    })
}

/// What is answered where the beat was taken: a word, and what was not taken of it; or as to a beat in JSON.
pub fn taken(interval: Span, warnings: Warnings, json: bool) -> Answer {
    if json {
        return Answer::taken(interval, warnings);
    }
    let body: Cow<'static, [u8]> = match warnings.is_empty() {
        true => Cow::Borrowed(OK),
        false => {
            let said = warnings.iter().map(|warning| format!("\nwarning: {}", warning.sentence()));
            Cow::Owned(["OK".to_string()].into_iter().chain(said).collect::<String>().into_bytes())
        }
    };
    Answer { interval: Some(interval), acknowledges: 1, ..Answer::new(200, TEXT, body) }
}

/// The whole answer where nothing else is to be said.
pub static OK: &[u8] = b"OK";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::beat::Status;

    #[test]
    fn the_last_word_is_what_it_says_and_all_before_it_is_the_id() {
        for (path, id, status) in [
            ("/ping/backup", "backup", None),
            ("/ping/backup/", "backup", None),
            ("/ping/backup/start", "backup", Some("start")),
            ("/ping/backup/fail/", "backup", Some("fail")),
            ("/ping/backup/log", "backup", Some("log")),
            ("/ping/backup/0", "backup", Some("0")),
            ("/ping/backup/-1073741510", "backup", Some("-1073741510")),
            ("/ping/ns/pod", "ns/pod", None),
            ("/ping/ns/pod/fail", "ns/pod", Some("fail")),
            ("/ping/a/start/fail", "a/start", Some("fail")),
            ("/ping/a%2Fstart", "a%2Fstart", None),
            ("/ping/start", "start", None),
            ("/ping/7", "7", None),
            ("/ping/a/7x", "a/7x", None),
            ("/ping/a/-", "a/-", None),
            ("/ping/a/Start", "a/Start", None),
        ] {
            assert_eq!(UrlBeat::of(path, "q"), Some(UrlBeat { id, status, query: "q" }), "{path}");
        }
        for path in ["/ping", "/ping/", "/ping//", "/pings/a", "/", "/ping//start"] {
            assert_eq!(UrlBeat::of(path, ""), None, "{path}");
        }
    }

    #[test]
    fn path_before_query_and_body_before_query() {
        let url = UrlBeat::of("/ping/a%2Fb/3", "id=x&status=ok&message=q&rid=r&interval=5m").unwrap();
        let mut fields = url.fields(b"{\"status\":\"fail\",\"id\":\"z\"}");
        let beat = fields.beat().unwrap();
        assert_eq!((beat.id.unwrap().as_str(), beat.status, beat.rid), ("a/b", Status::Exit(3), Some("r")));
        assert_eq!(beat.message, Some("{\"status\":\"fail\",\"id\":\"z\"}"));
        assert_eq!(beat.interval, Some(Span::secs(300)));
        let url = UrlBeat { status: None, ..url };
        let mut fields = url.fields(b"");
        let beat = fields.beat().unwrap();
        assert_eq!((beat.status, beat.message), (Status::Ok, Some("q")));
    }

    #[test]
    fn a_body_in_any_encoding_is_a_message_and_an_id_that_is_not_utf_8_is_wrong() {
        let mut fields = UrlBeat::of("/ping/a", "").unwrap().fields(b"caf\xe9");
        let beat = fields.beat().unwrap();
        assert_eq!(beat.message, Some("caf\u{fffd}"));
        assert_eq!(beat.warnings.iter().collect::<Vec<_>>(), [Warning::Encoding]);
        for path in ["/ping/%ff", "/ping/a%20b", "/ping/a//b", "/ping/..", "/ping/a%00"] {
            let mut fields = UrlBeat::of(path, "").unwrap().fields(b"");
            assert_eq!(fields.beat().map_err(|error| error.field), Err(Some("id")), "{path}");
        }
    }

    #[test]
    fn json_is_answered_to_whoever_asks_for_it() {
        for (accept, json) in [
            ("application/json", true),
            ("text/html, Application/JSON;q=0.9", true),
            ("*/*", false),
            ("", false),
            ("application/jsonp", false),
        ] {
            assert_eq!(wants_json(accept), json, "{accept}");
        }
        let mut warnings = Warnings::NONE;
        assert_eq!(taken(Span::secs(60), warnings, false).body, OK);
        assert_eq!(taken(Span::secs(60), warnings, true), Answer::ok(Span::secs(60)));
        warnings.add(Warning::MessageCut);
        assert_eq!(
            taken(Span::secs(60), warnings, false).body,
            &b"OK\nwarning: message: cut to 10000 bytes"[..]
        );
    }
}
