//! One request at a time over a connection that is kept, with a bound on every answer and on the time it takes.

use super::clean;
use super::config::Settings;
use super::dial::{Dialer, in_chinese, said};
use super::failure::{EX_DATAERR, EX_NOINPUT, EX_NOPERM, EX_PROTOCOL, EX_TEMPFAIL, EX_UNAVAILABLE, Failure};
use super::target::Target;
use crate::config::words::domain_zh;
use crate::domain::access::Token;
use crate::net::http::HttpConnection;
use crate::net::stream::ClientStream;
use crate::view::words::one_line;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::response::Parts;
use hyper::{Method, Request};
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// Longest answer that is read whole.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What is told of an answer that is not ours.
const REASON_BYTES_MAX: usize = 200;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("heartbeat/", env!("CARGO_PKG_VERSION")));

/// A connection on which requests can be made.
#[derive(Debug)]
pub struct Link {
    connection: HttpConnection,
    target: Target,
    token: Option<Token>,
}

/// What a server says is wrong, in Chinese as far as we know it: `reason` alone, with its field before it, or behind `ERR`.
/// A `key` of the server's configuration says who may not.
pub fn reason_zh(reason: &str, key: Option<&str>) -> String {
    match key {
        Some(key) if key.ends_with("_tokens") => return format!("需要令牌（{}）", one_line(key)),
        Some(key) => return format!("不允许来自此地址（见配置 {}）", one_line(key)),
        None => {}
    }
    let known = |said: &str| domain_zh(said).map(str::to_string);
    let field = |at: &str| {
        let (field, said) = reason.split_once(at).filter(|(field, _)| !field.contains(' '))?;
        Some(format!("{field}：{}", domain_zh(said)?))
    };
    known(reason).or_else(|| field(": ")).or_else(|| field(" ")).unwrap_or_else(|| reason.to_string())
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// The path and the query behind the path of the server's URL; begins with a slash.
    pub path: String,
    /// JSON to send.
    pub body: Option<Bytes>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Ask {
    /// A question.
    pub fn get(path: impl Into<String>) -> Ask {
        Ask { method: Method::GET, path: path.into(), body: None }
    }

    /// A beat or a batch of them.
    pub fn beats(json: impl Into<Bytes>) -> Ask {
        Ask { method: Method::POST, path: "/".to_string(), body: Some(json.into()) }
    }
}

/// One request on a connection of its own, within the time the settings allow.
///
/// # Errors
/// When there is no answer. An answer that says no is an answer: see [`Reply::ok`].
pub async fn ask(settings: &Settings, ask: Ask) -> Result<Reply, Failure> {
    let within = Duration::from_millis(settings.timeout.0);
    let dialer = Dialer::new(settings)?;
    Link::open(&dialer, settings.token.clone(), within).await?.ask(ask, within).await
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// When there is no connection within the time.
    pub async fn open(dialer: &Dialer, token: Option<Token>, within: Duration) -> Result<Link, Failure> {
        let stream = dialer.dial(within).await?;
        Link::over(stream, dialer.target().clone(), token).await
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// When it is already closed.
    pub async fn over(stream: ClientStream, target: Target, token: Option<Token>) -> Result<Link, Failure> {
        let connection = HttpConnection::new(stream).await.map_err(|e| broken(&target, &e))?;
        Ok(Link { connection, target, token })
    }

    /// Resolves when the connection is over.
    pub async fn ended(&mut self) {
        self.connection.closed().await;
    }

    /// The whole answer to a request.
    ///
    /// # Errors
    /// When there is none within the time, or it is longer than [`ANSWER_BYTES_MAX`].
    pub async fn ask(&mut self, ask: Ask, within: Duration) -> Result<Reply, Failure> {
        let target = self.target.clone();
        let whole = async {
            let (parts, body) = self.send(ask).await?;
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|e| {
                if e.is::<LengthLimitError>() {
                    return not_ours(&target, "the answer is too long", "应答过长");
                }
                no_answer(&target, &e.to_string())
            })?;
            Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
        };
        timeout(within, whole).await.unwrap_or_else(|_| Err(silent(&self.target, within)))
    }

    /// The head of an answer within a time, and its body as it comes.
    ///
    /// # Errors
    /// When there is no head.
    pub async fn stream(&mut self, ask: Ask, within: Duration) -> Result<(Parts, Incoming), Failure> {
        let target = self.target.clone();
        timeout(within, self.send(ask)).await.unwrap_or_else(|_| Err(silent(&target, within)))
    }

    async fn send(&mut self, ask: Ask) -> Result<(Parts, Incoming), Failure> {
        let target = &self.target;
        let path = format!("{}{}", target.path, ask.path);
        let mut request = Request::new(Full::new(ask.body.clone().unwrap_or_default()));
        *request.method_mut() = ask.method;
        *request.uri_mut() = path.parse().map_err(|e| no_answer(target, &format!("{path}: {e}")))?;
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(&target.authority());
        headers.insert(HOST, host.map_err(|e| no_answer(target, &e.to_string()))?);
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(token) = &self.token {
            let shown = [b"Bearer ", token.reveal()].concat();
            let mut value = HeaderValue::from_bytes(&shown).map_err(|e| no_answer(target, &e.to_string()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let answer = self.connection.send(request).await.map_err(|e| broken(&self.target, &e))?;
        Ok(answer.into_parts())
    }
}

impl Reply {
    /// The reply itself when it is a success, else a sentence and an exit code for what it says.
    ///
    /// # Errors
    /// For every status but 2xx.
    pub fn ok(self, target: &Target) -> Result<Reply, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let reason = self.reason();
        let code = match self.status {
            401 | 403 => EX_NOPERM,
            404 => EX_NOINPUT,
            408 | 429 | 503 => EX_TEMPFAIL,
            500.. => EX_UNAVAILABLE,
            300..=399 => EX_PROTOCOL,
            _ => EX_DATAERR,
        };
        let status = self.status;
        Err(Failure::new(
            code,
            format!("{target} refuses: {status} {reason}"),
            format!("{target} 拒绝：{status} {}", self.reason_zh()),
        ))
    }

    /// What it says is wrong, for who reads Chinese: a server says it in English, and what we know of it is translated.
    pub fn reason_zh(&self) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        reason_zh(&self.reason(), json.as_ref().and_then(|json| json.get("key")?.as_str()))
    }

    /// What it says is wrong, in one line.
    pub fn reason(&self) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        let said = json.as_ref().and_then(|json| json.get("error")?.as_str());
        let field = json.as_ref().and_then(|json| json.get("field")?.as_str());
        match (said, field) {
            (Some(said), Some(field)) => one_line(&format!("{field}: {said}")).into_owned(),
            (Some(said), None) => one_line(said).into_owned(),
            _ => {
                let text = String::from_utf8_lossy(&self.body[..self.body.len().min(REASON_BYTES_MAX)]);
                let line = text.lines().next().unwrap_or_default().trim();
                let is_cut = text.lines().count() > 1 || self.body.len() > REASON_BYTES_MAX;
                format!("{line}{}", if is_cut { "…" } else { "" })
            }
        }
    }

    /// The body as JSON, with its texts fit for a terminal.
    ///
    /// # Errors
    /// When it is anything else: then whoever answered is no heartbeat-server.
    pub fn json(&self, target: &Target) -> Result<Value, Failure> {
        self.raw_json(target).map(clean::value)
    }

    /// The body as JSON, as it came: to be written as JSON by [`clean::json`] and nothing else.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn raw_json(&self, target: &Target) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|_| not_ours(target, "its answer is no JSON", "应答不是 JSON"))
    }
}

/// Whoever answers does not speak our protocol.
pub fn not_ours(target: &Target, en: &str, zh: &str) -> Failure {
    Failure::new(
        EX_PROTOCOL,
        format!("{target} does not speak like a heartbeat-server: {en}"),
        format!("{target} 不像是 heartbeat-server：{zh}"),
    )
}

/// There is a connection, but no answer.
pub fn silent(target: &Target, within: Duration) -> Failure {
    Failure::new(
        EX_UNAVAILABLE,
        format!("no answer from {target} within {within:?}"),
        format!("{target} 在 {within:?} 内没有应答"),
    )
}

/// There is no answer any more.
pub fn no_answer(target: &Target, reason: &str) -> Failure {
    Failure::new(
        EX_UNAVAILABLE,
        format!("no answer from {target}: {reason}"),
        format!("{target} 没有应答：{}", in_chinese(reason)),
    )
}

fn broken(target: &Target, error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return not_ours(target, "its answer is not HTTP", "应答不是 HTTP");
    }
    let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    match cause {
        Some(cause) => no_answer(target, &said(cause)),
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            no_answer(target, &said(&io::ErrorKind::UnexpectedEof.into()))
        }
        None => no_answer(target, &error.to_string()),
    }
}
