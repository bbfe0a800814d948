//! One request and its answer over a connection of its own, all within one time.

use super::request::{Request, RequestTarget};
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use crate::net::http::HttpClientConnection;
use crate::net::stream::ClientStream;
use crate::net::tls;
use crate::notify::connect::{ConnectError, connect};
use crate::notify::proxy::{Proxy, TunnelError};
use crate::sys::clock;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, PROXY_AUTHORIZATION};
use hyper::{HeaderMap, Response, StatusCode};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes read of an answer's body; the rest is ignored.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An answer.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Its first bytes.
    pub(super) body: Vec<u8>,
    /// Whether the body ended early.
    pub(super) broken: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum ExchangeError {
    Timeout(Span),
    Connect(ConnectError),
    Tunnel(TunnelError),
    Tls(io::Error),
    Broken(hyper::Error),
}

/// Sends the request and waits for the answer.
pub(super) async fn exchange(
    request: Request,
    tls: Option<Arc<ClientConfig>>,
    proxy: Option<&Proxy>,
    timeout: Span,
) -> Result<HttpAnswer, ExchangeError> {
    let end = clock::timer_now() + Duration::from_millis(timeout.0);
    match timeout_at(end, request_within(request, tls, proxy, end)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ExchangeError::Timeout(timeout)),
    }
}

async fn request_within(
    mut request: Request,
    tls: Option<Arc<ClientConfig>>,
    proxy: Option<&Proxy>,
    end: Instant,
) -> Result<HttpAnswer, ExchangeError> {
    let RequestTarget { host, port, .. } = &request.target;
    let (to, at) = proxy.map_or((host, *port), |proxy| (&proxy.host, proxy.port));
    let mut stream = connect(to, at, end).await.map_err(ExchangeError::Connect)?;
    let stream = match (tls, proxy) {
        (Some(config), proxy) => {
            if let Some(proxy) = proxy {
                proxy.tunnel(&mut stream, host, *port).await.map_err(ExchangeError::Tunnel)?;
            }
            ClientStream::encrypted(stream, config, host).await.map_err(ExchangeError::Tls)?
        }
        (None, Some(proxy)) => {
            request.target.path = format!("http://{}{}", request.authority(), request.target.path);
            if let Some(value) = &proxy.authorization {
                let mut value = HeaderValue::from_str(value.reveal()).unwrap_or(HeaderValue::from_static(""));
                value.set_sensitive(true);
                request.headers.insert(PROXY_AUTHORIZATION, value);
            }
            ClientStream::Tcp(stream)
        }
        (None, None) => ClientStream::Tcp(stream),
    };
    let Request { method, target, headers, body } = request;
    let mut sent = hyper::Request::new(Full::new(body));
    *sent.method_mut() = method;
    // Through a proxy it is the whole address.
    *sent.uri_mut() = target.path.parse().unwrap_or_default();
    *sent.headers_mut() = headers;
    let mut connection = HttpClientConnection::new(stream).await.map_err(ExchangeError::Broken)?;
    let response = connection.send(sent).await.map_err(ExchangeError::Broken)?;
    Ok(read(response).await)
}

async fn read(response: Response<Incoming>) -> HttpAnswer {
    let (head, mut incoming) = response.into_parts();
    let mut answer =
        HttpAnswer { status: head.status, headers: head.headers, body: Vec::new(), broken: false };
    while answer.body.len() < ANSWER_BYTES_MAX {
        match incoming.frame().await {
            Some(Ok(frame)) => {
                let data: Bytes = frame.into_data().unwrap_or_default();
                let room = ANSWER_BYTES_MAX - answer.body.len();
                answer.body.extend_from_slice(&data[..data.len().min(room)]);
            }
            Some(Err(_)) => {
                answer.broken = true;
                break;
            }
            None => break,
        }
    }
    answer
}

impl ExchangeError {
    pub(super) fn text(&self, host: &str, port: u16, proxy: Option<&Proxy>) -> Text {
        match self {
            ExchangeError::Timeout(span) => i18n::notify::no_answer_within(&host, span),
            ExchangeError::Connect(error) => match proxy {
                Some(proxy) => i18n::notify::proxy(&error.text(&proxy.host, proxy.port)),
                None => error.text(host, port),
            },
            ExchangeError::Tunnel(error) => {
                let place = proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port)).unwrap_or_default();
                let why = match error {
                    TunnelError::Io(error) => i18n::notify::proxy_connection_broke(error),
                    TunnelError::Answer(Some(407)) => i18n::notify::PROXY_WANTS_LOGIN.into(),
                    TunnelError::Answer(Some(status)) => i18n::notify::proxy_answered(status),
                    TunnelError::Answer(None) => i18n::notify::NO_HTTP_PROXY.into(),
                };
                i18n::notify::proxy_does_not_connect_us(&place, &host, &why)
            }
            ExchangeError::Tls(error) => i18n::notify::no_tls_with(&host, error, &tls::advice(error)),
            ExchangeError::Broken(error) => i18n::notify::connection_broke(&host, error),
        }
    }
}
