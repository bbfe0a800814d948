//! Answers to HTTP requests, as values that both the fast path and hyper turn into the same bytes.

use crate::domain::access::AccessRefusal;
use crate::domain::beat::{Warning, Warnings};
use crate::domain::time::{Span, Wall};
use serde_json::{Value, json};
use std::borrow::Cow;

/// JSON, as all programs are answered.
pub const JSON: &str = "application/json";
/// A word or two, for people and scripts.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// One answer. Length, date and `Connection` are added by whoever writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// What the body is; `None` when there is none.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Cow<'static, [u8]>,
    /// `Heartbeat-Interval`: the interval we want of the sender.
    pub interval: Option<Span>,
    /// `Retry-After`.
    pub retry_after: Option<Span>,
    /// `Allow`, with a 405.
    pub allow: Option<&'static str>,
    /// `WWW-Authenticate: Bearer`, with a 401.
    pub authenticate: bool,
    /// `Location`, with a 201: the path of what was made.
    pub location: Option<String>,
    /// Further headers, such as those of a page.
    pub more: &'static [(&'static str, &'static str)],
    /// Whether the connection must end after it.
    pub close: bool,
    /// How many beats it acknowledges.
    pub acknowledges: u64,
}

impl Answer {
    /// A body of a type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Answer {
        Answer {
            status,
            content_type: Some(content_type),
            body: body.into(),
            interval: None,
            retry_after: None,
            allow: None,
            authenticate: false,
            location: None,
            more: &[],
            close: false,
            acknowledges: 0,
        }
    }

    /// A JSON value.
    pub fn json(status: u16, value: &Value) -> Answer {
        let mut body = value.to_string().into_bytes();
        body.push(b'\n');
        Answer::new(status, JSON, body)
    }

    /// A beat was taken.
    pub fn ok(interval: Span) -> Answer {
        Answer { interval: Some(interval), acknowledges: 1, ..Answer::new(200, JSON, OK_BODY) }
    }

    /// A beat was taken, but not all of it.
    pub fn taken(interval: Span, warnings: Warnings) -> Answer {
        if warnings.is_empty() {
            return Answer::ok(interval);
        }
        let said: Vec<String> = warnings.iter().map(Warning::sentence).collect();
        let body = json!({ "status": "ok", "warnings": said });
        Answer { interval: Some(interval), acknowledges: 1, ..Answer::json(200, &body) }
    }

    /// What becomes of it when the beats that it acknowledges could not be kept: it says so, or, with `refuse`, it
    /// acknowledges nothing.
    pub fn not_stored(&mut self, refuse: bool) {
        if self.acknowledges == 0 {
            return;
        }
        if refuse {
            let reason =
                "the beat cannot be kept just now (state.sync = \"always\"): see /readyz and the log";
            *self = Answer { close: self.close, ..Answer::unavailable(reason, Span::secs(5)) };
        } else if let Ok(Value::Object(mut said)) = serde_json::from_slice(&self.body) {
            said.insert("stored".into(), Value::Bool(false));
            self.body = Answer::json(self.status, &Value::Object(said)).body;
        }
    }

    /// No body, because there is nothing to say but that it was done.
    pub fn no_content() -> Answer {
        Answer { content_type: None, ..Answer::new(204, JSON, &b""[..]) }
    }

    /// Something was wrong: `{"error": reason}`.
    pub fn error(status: u16, reason: &str) -> Answer {
        Answer::json(status, &json!({ "error": reason }))
    }

    /// A field was wrong: `{"error": reason, "field": field}`.
    pub fn wrong(status: u16, reason: &str, field: Option<&str>) -> Answer {
        match field {
            Some(field) => Answer::json(status, &json!({ "error": reason, "field": field })),
            None => Answer::error(status, reason),
        }
    }

    /// Not allowed, naming the configuration key that says so.
    pub fn denied(denied: AccessRefusal, client: &str) -> Answer {
        match denied {
            AccessRefusal::Network(key) => Answer::json(
                403,
                &json!({ "error": format!("not allowed from {client}: see {key} in the configuration"), "key": key }),
            ),
            AccessRefusal::Token(key) => Answer {
                authenticate: true,
                ..Answer::json(
                    401,
                    &json!({ "error": format!("a token from {key} is needed: Authorization: Bearer TOKEN"), "key": key }),
                )
            },
        }
    }

    /// The 408 for a request that did not arrive in time.
    pub fn timed_out(in_body: bool) -> Answer {
        let reason = match in_body {
            true => "the body did not arrive in time (limits.body_timeout)",
            false => "the request head did not arrive in time (limits.header_timeout)",
        };
        Answer::error(408, reason)
    }

    /// Its bytes as the last answer of a connection.
    pub fn last_bytes(self, now: Wall) -> Vec<u8> {
        let mut out = Vec::new();
        self.closing().write(&mut out, &http_date(now.0.div_euclid(1000)));
        out
    }

    /// Nobody may, as the configuration stands; the key that would change it.
    pub fn forbidden(reason: &str, key: &str) -> Answer {
        Answer::json(403, &json!({ "error": reason, "key": key }))
    }

    /// Too often; try again after the span.
    pub fn too_often(reason: &str, wait: Span) -> Answer {
        Answer { retry_after: Some(wait), ..Answer::error(429, reason) }
    }

    /// Cannot be done now, though it is no fault of the client.
    pub fn unavailable(reason: &str, wait: Span) -> Answer {
        Answer { retry_after: Some(wait), ..Answer::error(503, reason) }
    }

    /// The wrong method for a path.
    pub fn method_not_allowed(allow: &'static str) -> Answer {
        Answer { allow: Some(allow), ..Answer::error(405, &format!("this path takes {allow}")) }
    }

    /// Whether it is just [`Answer::ok`].
    pub fn is_plain_ok(&self) -> bool {
        self.is_just(OK_BODY)
    }

    /// Whether it says that a beat was taken and no more, by this body.
    pub fn is_just(&self, body: &'static [u8]) -> bool {
        self.status == 200
            && !self.close
            && matches!(self.body, Cow::Borrowed(own) if std::ptr::eq(own, body))
    }

    /// This answer, and the end of the connection.
    pub fn closing(self) -> Answer {
        Answer { close: true, ..self }
    }

    /// The same as a message of a WebSocket: its body, and in it what headers would have said.
    pub fn message(&self) -> Vec<u8> {
        let (interval, wait) =
            (self.interval.map(Span::as_secs_ceil), self.retry_after.map(Span::as_secs_ceil));
        if let (true, Some(interval)) = (self.is_plain_ok(), interval) {
            return format!("{{\"status\":\"ok\",\"interval_s\":{interval}}}").into_bytes();
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(mut said)) => {
                said.extend(interval.map(|s| ("interval_s".to_string(), s.into())));
                said.extend(wait.map(|s| ("retry_after_s".to_string(), s.max(1).into())));
                Value::Object(said).to_string().into_bytes()
            }
            _ => self.body.trim_ascii().to_vec(),
        }
    }

    /// The headers in the order in which they are written, those about framing apart.
    pub fn each_header(&self, mut header: impl FnMut(&'static str, &str)) {
        if let Some(content_type) = self.content_type {
            header("content-type", content_type);
        }
        if let Some(interval) = self.interval {
            header("heartbeat-interval", &interval.as_secs_ceil().to_string());
        }
        if let Some(wait) = self.retry_after {
            header("retry-after", &wait.as_secs_ceil().max(1).to_string());
        }
        if let Some(allow) = self.allow {
            header("allow", allow);
        }
        if self.authenticate {
            header("www-authenticate", "Bearer");
        }
        if let Some(location) = &self.location {
            header("location", location);
        }
        for (name, value) in self.more {
            header(name, value);
        }
    }

    /// Writes it as HTTP/1.1. `date` is an IMF-fixdate.
    pub fn write(&self, out: &mut Vec<u8>, date: &str) {
        let mut line = |parts: &[&str]| parts.iter().for_each(|p| out.extend_from_slice(p.as_bytes()));
        line(&["HTTP/1.1 ", &self.status.to_string(), " ", reason_of(self.status), "\r\n"]);
        self.each_header(|name, value| line(&[name, ": ", value, "\r\n"]));
        if self.close {
            line(&["connection: close\r\n"]);
        }
        // RFC 9110, 8.6: a 204 has no length, not even of nothing.
        if self.status != 204 {
            line(&["content-length: ", &self.body.len().to_string(), "\r\n"]);
        }
        line(&["date: ", date, "\r\n\r\n"]);
        out.extend_from_slice(&self.body);
    }
}

const OK_BODY: &[u8] = b"{\"status\":\"ok\"}";

/// The phrases of RFC 9110, as hyper writes them too.
fn reason_of(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

/// The `Date` header of a time: IMF-fixdate (RFC 9110, 5.6.7).
pub fn http_date(unix_s: i64) -> String {
    let stamp = jiff::Timestamp::from_second(unix_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&stamp).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_is_answered_in_one_small_piece() {
        let mut out = Vec::new();
        Answer::ok(Span::secs(60)).write(&mut out, "Fri, 20 Nov 2026 16:42:37 GMT");
        let want = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nheartbeat-interval: 60\r\n\
                    content-length: 15\r\ndate: Fri, 20 Nov 2026 16:42:37 GMT\r\n\r\n{\"status\":\"ok\"}";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn as_a_message_it_says_in_its_body_what_headers_would() {
        let message = |answer: Answer| String::from_utf8(answer.message()).unwrap();
        assert_eq!(message(Answer::ok(Span(59_001))), "{\"status\":\"ok\",\"interval_s\":60}");
        let mut unstored = Answer::ok(Span::secs(60));
        unstored.not_stored(false);
        assert_eq!(message(unstored), "{\"status\":\"ok\",\"stored\":false,\"interval_s\":60}");
        assert_eq!(message(Answer::wrong(400, "no", Some("id"))), "{\"error\":\"no\",\"field\":\"id\"}");
        assert_eq!(message(Answer::too_often("no", Span(1))), "{\"error\":\"no\",\"retry_after_s\":1}");
    }

    #[test]
    fn dates_are_as_http_wants_them() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn refusals_name_their_key() {
        let answer = Answer::denied(AccessRefusal::Network("access.allow"), "8.8.8.8");
        assert_eq!(answer.status, 403);
        assert!(String::from_utf8_lossy(&answer.body).contains("\"key\":\"access.allow\""));
    }
}
