//! Request heads: what of a head matters to us, and the fast path's reading of a plain beat.
//!
//! Two readers look at heads: hyper, which understands all of HTTP/1, and [`next`], which understands only a plain beat,
//! as JSON or as a URL, and calls everything else [`HeadStep::Other`] so that hyper may judge it from its first byte. They cannot disagree on
//! what a request means, because whatever is refused or odd is never decided here, and because both hand their headers
//! to the same [`Facts::collect`].

use super::url_beat::{self, UrlBeat};
use crate::domain::limits::{FAST_BODY_BYTES_MAX, Limits};
use std::mem::MaybeUninit;

/// The largest number of header lines that is ever configured; also the size of the table on the stack.
pub const HEADER_LINES_MAX: usize = 128;
/// HeaderLines of `Forwarded` or `X-Forwarded-For` that are looked at.
pub const FORWARDED_LINES_MAX: usize = 4;

/// What a head says that a beat or a question depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts<'a> {
    /// `Authorization`.
    pub authorization: Option<&'a [u8]>,
    /// `Host`.
    pub host: Option<&'a [u8]>,
    /// `Origin`.
    pub origin: Option<&'a [u8]>,
    /// `Sec-Fetch-Site`, its last line.
    pub fetch_site: Option<&'a [u8]>,
    /// `Referer`, its last line.
    pub referer: Option<&'a [u8]>,
    /// The lines of `Forwarded`, in order.
    pub forwarded: HeaderLines<'a>,
    /// The lines of `X-Forwarded-For`, in order.
    pub x_forwarded_for: HeaderLines<'a>,
    /// The lines of `X-Real-IP`, in order.
    pub x_real_ip: HeaderLines<'a>,
    /// `X-Forwarded-Host`, its last line.
    pub x_forwarded_host: Option<&'a [u8]>,
    /// `X-Forwarded-Proto`, its last line.
    pub x_forwarded_proto: Option<&'a [u8]>,
}

/// A few header lines of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeaderLines<'a> {
    lines: [&'a [u8]; FORWARDED_LINES_MAX],
    count: usize,
}

impl<'a> HeaderLines<'a> {
    /// The lines, first to last.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        &self.lines[..self.count]
    }

    fn push(&mut self, line: &'a [u8]) -> bool {
        let fits = self.count < FORWARDED_LINES_MAX;
        if fits {
            self.lines[self.count] = line;
            self.count += 1;
        }
        fits
    }
}

impl<'a> Facts<'a> {
    /// Gathers what matters. An error is a reason for 400.
    pub fn collect(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Facts<'a>, &'static str> {
        let mut facts = Facts::default();
        for (name, value) in headers {
            facts.note(name, value)?;
        }
        Ok(facts)
    }

    fn note(&mut self, name: &str, value: &'a [u8]) -> Result<(), &'static str> {
        // By length first: most headers are none of ours.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => {
                once(&mut self.host, value, "more than one Host header")
            }
            6 if name.eq_ignore_ascii_case("origin") => {
                once(&mut self.origin, value, "more than one Origin header")
            }
            7 if name.eq_ignore_ascii_case("referer") => {
                self.referer = Some(value);
                Ok(())
            }
            14 if name.eq_ignore_ascii_case("sec-fetch-site") => {
                self.fetch_site = Some(value);
                Ok(())
            }
            13 if name.eq_ignore_ascii_case("authorization") => {
                once(&mut self.authorization, value, "more than one Authorization header")
            }
            9 if name.eq_ignore_ascii_case("forwarded") => {
                self.forwarded.push(value).then_some(()).ok_or("more than 4 Forwarded headers")
            }
            9 if name.eq_ignore_ascii_case("x-real-ip") => {
                self.x_real_ip.push(value).then_some(()).ok_or("more than 4 X-Real-IP headers")
            }
            15 if name.eq_ignore_ascii_case("x-forwarded-for") => {
                self.x_forwarded_for.push(value).then_some(()).ok_or("more than 4 X-Forwarded-For headers")
            }
            16 if name.eq_ignore_ascii_case("x-forwarded-host") => {
                self.x_forwarded_host = Some(value);
                Ok(())
            }
            17 if name.eq_ignore_ascii_case("x-forwarded-proto") => {
                self.x_forwarded_proto = Some(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The same with another `Authorization`, where there is one.
    pub fn showing(self, authorization: Option<&'a [u8]>) -> Facts<'a> {
        Facts { authorization: authorization.or(self.authorization), ..self }
    }

    /// The token behind `Authorization: Bearer `.
    pub fn bearer(&self) -> Option<&'a [u8]> {
        let value = self.authorization?;
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
    }
}

fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8], reason: &'static str) -> Result<(), &'static str> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(reason),
    }
}

/// What the fast path finds at the beginning of a buffer.
#[derive(Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // looked at once where it was made; a box would cost each beat an allocation
pub enum HeadStep<'a> {
    /// A whole plain beat.
    Beat(Plain<'a>),
    /// Perhaps one; more bytes will tell.
    Partial {
        /// Whether the head is complete, so that only body is missing.
        in_body: bool,
    },
    /// Anything else; for hyper.
    Other,
}

/// A plain beat: `POST / HTTP/1.1` or `POST /api/v1/beats HTTP/1.1` with a `Content-Length` and its body, or `GET` or
/// `POST` of a URL that is a beat, with or without a body.
#[derive(Debug, PartialEq)]
pub struct Plain<'a> {
    /// What its head says.
    pub facts: Facts<'a>,
    /// The URL, where that is the beat.
    pub url: Option<PlainUrl<'a>>,
    /// Its body.
    pub body: &'a [u8],
    /// Bytes of head and body together.
    pub bytes: usize,
    /// Whether the client asked for `Connection: close`.
    pub close: bool,
}

/// A beat that a URL tells, and how it is asked to be answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlainUrl<'a> {
    /// The path, as it was sent.
    pub path: &'a str,
    /// What it says.
    pub beat: UrlBeat<'a>,
    /// Whether JSON is wanted.
    pub json: bool,
}

/// The paths that take beats.
pub const BEAT_PATHS: [&str; 2] = ["/", "/api/v1/beats"];

/// Looks at the beginning of `buffer`.
pub fn next<'a>(buffer: &'a [u8], limits: &Limits) -> HeadStep<'a> {
    // Without this, half of any other request would be waited for here.
    let begins = |start: &[u8]| {
        let seen = buffer.len().min(start.len());
        buffer[..seen] == start[..seen]
    };
    if !begins(b"POST /") && !begins(b"GET /ping/") {
        return HeadStep::Other;
    }
    // Left as it is on the stack: emptying four kilobytes first would cost more than the parsing.
    let mut table = [const { MaybeUninit::uninit() }; HEADER_LINES_MAX];
    let lines = limits.header_lines.min(HEADER_LINES_MAX);
    let mut request = httparse::Request::new(&mut []);
    let head_bytes = match request.parse_with_uninit_headers(buffer, &mut table[..lines]) {
        Ok(httparse::Status::Complete(bytes)) if bytes <= limits.header_bytes => bytes,
        Ok(httparse::Status::Partial) if buffer.len() < limits.header_bytes => {
            return HeadStep::Partial { in_body: false };
        }
        _ => return HeadStep::Other,
    };
    let (Some(method), Some(path), Some(1)) = (request.method, request.path, request.version) else {
        return HeadStep::Other;
    };
    let mut url = match method {
        "POST" if BEAT_PATHS.contains(&path) => None,
        "POST" | "GET" => match plain_url(path) {
            Some(url) => Some(url),
            None => return HeadStep::Other,
        },
        _ => return HeadStep::Other,
    };
    let mut facts = Facts::default();
    let mut length = None;
    let mut close = None;
    let mut accepts = false;
    for header in request.headers.iter() {
        let (name, value) = (header.name, header.value);
        let odd = match name.len() {
            2 => name.eq_ignore_ascii_case("te"),
            6 if name.eq_ignore_ascii_case("expect") => true,
            6 if name.eq_ignore_ascii_case("accept") => {
                if let Some(url) = &mut url {
                    let Ok(accept) = std::str::from_utf8(value) else { return HeadStep::Other };
                    // Of several hyper shall say which one counts.
                    if std::mem::replace(&mut accepts, true) {
                        return HeadStep::Other;
                    }
                    url.json = url_beat::wants_json(accept);
                }
                false
            }
            7 if name.eq_ignore_ascii_case("upgrade") || name.eq_ignore_ascii_case("trailer") => true,
            10 if name.eq_ignore_ascii_case("connection") => {
                let wish = match value {
                    v if v.eq_ignore_ascii_case(b"close") => true,
                    v if v.eq_ignore_ascii_case(b"keep-alive") => false,
                    _ => return HeadStep::Other,
                };
                close.replace(wish).is_some()
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                let Some(bytes) = plain_length(value) else { return HeadStep::Other };
                length.replace(bytes).is_some()
            }
            16 if name.eq_ignore_ascii_case("content-encoding") => true,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => true,
            _ => facts.note(name, value).is_err(),
        };
        if odd {
            return HeadStep::Other;
        }
    }
    // A request without a Host is refused (RFC 9112, 3.2).
    if facts.host.is_none() {
        return HeadStep::Other;
    }
    // Without a length there is no body (RFC 9112, 6.3), but a beat as JSON without one is a mistake that hyper explains.
    let length = if url.is_some() { length.or(Some(0)) } else { length };
    let Some(length) = length.filter(|bytes| *bytes <= FAST_BODY_BYTES_MAX.min(limits.body_bytes)) else {
        return HeadStep::Other;
    };
    match buffer.get(head_bytes..head_bytes + length) {
        Some(body) => HeadStep::Beat(Plain {
            facts,
            url,
            body,
            bytes: head_bytes + length,
            close: close.unwrap_or(false),
        }),
        None => HeadStep::Partial { in_body: true },
    }
}

/// A target that is a beat, in the form that hyper reads in the same way: a path and perhaps a query, of characters that
/// need no look (RFC 3986, 3.3).
fn plain_url(target: &str) -> Option<PlainUrl<'_>> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-:@+=~,%?&!$'()*;".contains(&b);
    if !target.starts_with(url_beat::PREFIX) || !target.bytes().all(is_plain) {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    UrlBeat::of(path, query).map(|beat| PlainUrl { path, beat, json: false })
}

/// A length of one to five digits and nothing else; whatever else may be meant is not plain.
fn plain_length(value: &[u8]) -> Option<usize> {
    if !(1..=5).contains(&value.len()) {
        return None;
    }
    value.iter().try_fold(0usize, |n, b| b.is_ascii_digit().then(|| n * 10 + usize::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> HeadStep<'_> {
        next(text.as_bytes(), &Limits::default())
    }

    const CURL: &str = "POST / HTTP/1.1\r\nHost: localhost:7777\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\
                        Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{\"ip\": \"192.168.1.100\"}";

    #[test]
    fn a_curl_beat_is_plain_and_every_beginning_of_it_is_partial() {
        let HeadStep::Beat(plain) = look(CURL) else { panic!("{:?}", look(CURL)) };
        assert_eq!(
            (plain.body, plain.bytes, plain.close),
            (&b"{\"ip\": \"192.168.1.100\"}"[..], CURL.len(), false)
        );
        for cut in 0..CURL.len() {
            assert!(matches!(look(&CURL[..cut]), HeadStep::Partial { .. }), "cut at {cut}");
        }
        let two = format!("{CURL}{CURL}");
        assert!(matches!(look(&two), HeadStep::Beat(Plain { bytes, .. }) if bytes == CURL.len()));
    }

    #[test]
    fn a_url_is_plain_with_and_without_a_body() {
        let get = "GET /ping/backup/fail?a=b%20c HTTP/1.1\r\nHost: hb\r\nAccept: application/json\r\n\r\n";
        let HeadStep::Beat(plain) = look(get) else { panic!("{:?}", look(get)) };
        let url = plain.url.unwrap();
        assert_eq!(
            (url.path, url.json, plain.body, plain.bytes),
            ("/ping/backup/fail", true, &b""[..], get.len())
        );
        assert_eq!((url.beat.id, url.beat.status, url.beat.query), ("backup", Some("fail"), "a=b%20c"));
        for cut in 0..get.len() {
            assert!(matches!(look(&get[..cut]), HeadStep::Partial { .. }), "cut at {cut}");
        }
        for (method, length) in [("GET", "Content-Length: 2\r\n"), ("POST", "Content-Length: 2\r\n")] {
            let text = format!("{method} /ping/x HTTP/1.1\r\nHost: hb\r\n{length}\r\nhi");
            assert!(matches!(look(&text), HeadStep::Beat(Plain { body: b"hi", url: Some(_), .. })), "{text}");
        }
        for (from, to) in [
            ("GET", "HEAD"),
            ("GET", "PUT"),
            ("/ping/backup/fail", "/ping/"),
            ("/ping/backup/fail", "/pings/a"),
            ("/ping/", "http://hb/ping/"),
            ("backup", "back#up"),
            ("backup", "back\u{e9}"),
            ("backup", "back\"up"),
            ("Host", "Accept: */*\r\nHost"),
            ("Host", "Upgrade: websocket\r\nHost"),
            ("Host", "Content-Encoding: gzip\r\nHost"),
            ("Host: hb\r\n", ""),
        ] {
            let text = get.replacen(from, to, 1);
            assert_eq!(look(&text), HeadStep::Other, "{to}");
        }
    }

    #[test]
    fn ordinary_headers_stay_plain() {
        for extra in [
            "Authorization: Bearer abc",
            "Forwarded: for=1.2.3.4",
            "X-Forwarded-For: 1.2.3.4, 5.6.7.8",
            "Connection: keep-alive",
            "Connection: close",
            "Accept-Encoding: gzip, deflate",
            "Origin: http://localhost:7777",
        ] {
            let text = CURL.replace("Accept: */*", extra);
            assert!(matches!(look(&text), HeadStep::Beat(_)), "{extra}");
        }
    }

    #[test]
    fn anything_else_is_for_hyper() {
        for (from, to) in [
            ("POST / ", "GET / "),
            ("POST / ", "POST /x "),
            ("POST / ", "POST /?a=b "),
            ("POST / ", "POST http://localhost/ "),
            ("POST / ", "post / "),
            ("HTTP/1.1", "HTTP/1.0"),
            ("HTTP/1.1", "HTTP/2.0"),
            ("Accept: */*", "Transfer-Encoding: chunked"),
            ("Accept: */*", "Expect: 100-continue"),
            ("Accept: */*", "Connection: upgrade"),
            ("Accept: */*", "Connection: close\r\nConnection: close"),
            ("Accept: */*", "Upgrade: websocket"),
            ("Accept: */*", "Content-Encoding: gzip"),
            ("Accept: */*", "Content-Length: 23"),
            ("Host: localhost:7777\r\n", ""),
            ("Accept: */*", "Host: other"),
            ("Accept: */*", " folded: x"),
            ("Accept: */*", "bad header: x"),
            ("Accept: */*", "x: \u{0}"),
            ("Content-Length: 23", "Content-Length: +23"),
            ("Content-Length: 23", "Content-Length: 23, 23"),
            ("Content-Length: 23", "Content-Length: 16385"),
            ("Content-Length: 23", "Content-Length: "),
            ("Content-Length: 23", "X: y"),
        ] {
            let text = CURL.replace(from, to);
            assert_eq!(look(&text), HeadStep::Other, "{to}");
        }
        let many = CURL.replace("Accept: */*", &"X: y\r\n".repeat(64));
        assert_eq!(look(many.trim_end()), HeadStep::Other);
        let long = CURL.replace("*/*", &"x".repeat(16 * 1024));
        assert_eq!(look(&long), HeadStep::Other);
        assert_eq!(
            look(&long[..16 * 1024]),
            HeadStep::Other,
            "a head that can no longer fit is not waited for"
        );
    }

    #[test]
    fn a_bearer_token_is_what_stands_behind_the_scheme() {
        let facts = |a: &'static [u8]| Facts { authorization: Some(a), ..Facts::default() };
        assert_eq!(facts(b"Bearer abc").bearer(), Some(&b"abc"[..]));
        assert_eq!(facts(b"bearer  abc").bearer(), Some(&b"abc"[..]));
        assert_eq!(facts(b"Basic abc").bearer(), None);
        assert_eq!(facts(b"Bearer").bearer(), None);
    }
}
