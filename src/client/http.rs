//! Requests to the server's API, one at a time over a connection, with bounds on the time and the size of each answer.

use super::config::ClientSettings;
use super::dial::{Dialer, said};
use super::error::{
    ClientError, EX_DATAERR, EX_NOINPUT, EX_NOPERM, EX_PROTOCOL, EX_TEMPFAIL, EX_UNAVAILABLE,
};
use super::sanitize;
use super::server_url::ServerUrl;
use crate::domain::access::Token;
use crate::i18n::{self, Text};
use crate::net::http::HttpClientConnection;
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

/// Bytes shown of an answer that is not JSON.
const REASON_BYTES_MAX: usize = 200;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("heartbeat/", env!("CARGO_PKG_VERSION")));

/// A connection on which requests can be made.
#[derive(Debug)]
pub struct ApiConnection {
    connection: HttpClientConnection,
    target: ServerUrl,
    token: Option<Token>,
}

/// A server's error, in Chinese as far as it is known. `key` is the key of the server's configuration that forbids the request.
pub fn reason_text(reason: &str, key: Option<&str>) -> Text {
    match key {
        Some(key) if key.ends_with("_tokens") => i18n::client::token_needed(&reason, &one_line(key)),
        Some(key) => i18n::client::address_not_allowed(&reason, &one_line(key)),
        None => i18n::answers::text(reason),
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// Its method.
    pub method: Method,
    /// The path and the query behind the path of the server's URL; begins with a slash.
    pub path: String,
    /// JSON to send.
    pub body: Option<Bytes>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct ApiReply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ApiRequest {
    /// A GET.
    pub fn get(path: impl Into<String>) -> ApiRequest {
        ApiRequest { method: Method::GET, path: path.into(), body: None }
    }

    /// A beat or a batch of them.
    pub fn beats(json: impl Into<Bytes>) -> ApiRequest {
        ApiRequest { method: Method::POST, path: "/".to_string(), body: Some(json.into()) }
    }
}

/// One request on a connection of its own, within the time the settings allow.
///
/// # Errors
/// When there is no answer. A refusal is an answer: see [`ApiReply::ok`].
pub async fn request(settings: &ClientSettings, request: ApiRequest) -> Result<ApiReply, ClientError> {
    let within = Duration::from_millis(settings.timeout.0);
    let dialer = Dialer::new(settings)?;
    ApiConnection::open(&dialer, settings.token.clone(), within).await?.request(request, within).await
}

impl ApiConnection {
    /// Connects.
    ///
    /// # Errors
    /// When there is no connection within the time.
    pub async fn open(
        dialer: &Dialer,
        token: Option<Token>,
        within: Duration,
    ) -> Result<ApiConnection, ClientError> {
        let stream = dialer.dial(within).await?;
        ApiConnection::new(stream, dialer.target().clone(), token).await
    }

    /// Over an open stream.
    ///
    /// # Errors
    /// When it is already closed.
    pub async fn new(
        stream: ClientStream,
        target: ServerUrl,
        token: Option<Token>,
    ) -> Result<ApiConnection, ClientError> {
        let connection = HttpClientConnection::new(stream).await.map_err(|e| broken(&target, &e))?;
        Ok(ApiConnection { connection, target, token })
    }

    /// Resolves when the connection is over.
    pub async fn closed(&mut self) {
        self.connection.closed().await;
    }

    /// The whole answer to a request.
    ///
    /// # Errors
    /// When there is none within the time, or it is longer than [`ANSWER_BYTES_MAX`].
    pub async fn request(&mut self, request: ApiRequest, within: Duration) -> Result<ApiReply, ClientError> {
        let target = self.target.clone();
        let whole = async {
            let (parts, body) = self.send(request).await?;
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|e| {
                if e.is::<LengthLimitError>() {
                    return not_ours(&target, i18n::client::ANSWER_TOO_LONG);
                }
                no_answer(&target, Text::foreign(e.to_string()))
            })?;
            Ok(ApiReply { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
        };
        timeout(within, whole).await.unwrap_or_else(|_| Err(silent(&self.target, within)))
    }

    /// The head of an answer within a time, and its body as it comes.
    ///
    /// # Errors
    /// When there is no head.
    pub async fn stream(
        &mut self,
        request: ApiRequest,
        within: Duration,
    ) -> Result<(Parts, Incoming), ClientError> {
        let target = self.target.clone();
        timeout(within, self.send(request)).await.unwrap_or_else(|_| Err(silent(&target, within)))
    }

    async fn send(&mut self, request: ApiRequest) -> Result<(Parts, Incoming), ClientError> {
        let target = &self.target;
        let path = format!("{}{}", target.path, request.path);
        let has_body = request.body.is_some();
        let mut sent = Request::new(Full::new(request.body.unwrap_or_default()));
        *sent.method_mut() = request.method;
        let unfit = |why: String| no_answer(target, Text::foreign(why));
        *sent.uri_mut() = path.parse().map_err(|e| unfit(format!("{path}: {e}")))?;
        let headers = sent.headers_mut();
        let host = HeaderValue::from_str(&target.authority());
        headers.insert(HOST, host.map_err(|e| unfit(e.to_string()))?);
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(token) = &self.token {
            let shown = [b"Bearer ", token.reveal()].concat();
            let mut value = HeaderValue::from_bytes(&shown).map_err(|e| unfit(e.to_string()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let answer = self.connection.send(sent).await.map_err(|e| broken(&self.target, &e))?;
        Ok(answer.into_parts())
    }
}

impl ApiReply {
    /// The reply itself when its status is 2xx, else its error with an exit code.
    ///
    /// # Errors
    /// For every status but 2xx.
    pub fn ok(self, target: &ServerUrl) -> Result<ApiReply, ClientError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let code = match self.status {
            401 | 403 => EX_NOPERM,
            404 => EX_NOINPUT,
            408 | 429 | 503 => EX_TEMPFAIL,
            500.. => EX_UNAVAILABLE,
            300..=399 => EX_PROTOCOL,
            _ => EX_DATAERR,
        };
        let text = i18n::client::refuses_with_status(target, &self.status, &self.reason_text());
        Err(ClientError::new(code, text))
    }

    /// Its error: servers send English, and known texts are translated.
    pub fn reason_text(&self) -> Text {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        reason_text(&self.reason(), json.as_ref().and_then(|json| json.get("key")?.as_str()))
    }

    /// Its error in one line, as it came.
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
    /// When it is anything else: then the peer is no heartbeat-server.
    pub fn json(&self, target: &ServerUrl) -> Result<Value, ClientError> {
        self.raw_json(target).map(sanitize::value)
    }

    /// The body as JSON, as it came: to be written as JSON by [`sanitize::json`] and nothing else.
    ///
    /// # Errors
    /// As [`ApiReply::json`].
    pub fn raw_json(&self, target: &ServerUrl) -> Result<Value, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| not_ours(target, i18n::client::ANSWER_NO_JSON))
    }
}

/// The peer does not speak our protocol.
pub fn not_ours(target: &ServerUrl, why: impl Into<Text>) -> ClientError {
    ClientError::new(EX_PROTOCOL, i18n::client::speaks_not_like_server(target, &why.into()))
}

/// The connection is open, but no answer came in time.
pub fn silent(target: &ServerUrl, within: Duration) -> ClientError {
    ClientError::new(EX_UNAVAILABLE, i18n::client::no_answer_within(target, &within))
}

/// The connection ended before the answer.
pub fn no_answer(target: &ServerUrl, why: impl Into<Text>) -> ClientError {
    ClientError::new(EX_UNAVAILABLE, i18n::client::no_answer(target, &why.into()))
}

fn broken(target: &ServerUrl, error: &hyper::Error) -> ClientError {
    if error.is_parse() {
        return not_ours(target, i18n::client::ANSWER_NOT_HTTP);
    }
    let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    match cause {
        Some(cause) => no_answer(target, said(cause)),
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            no_answer(target, i18n::client::CONNECTION_CLOSED)
        }
        None => no_answer(target, Text::foreign(error.to_string())),
    }
}
