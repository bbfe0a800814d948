//! One request and its answer over a connection of its own, all within one time.

use super::request::{Request, RequestTarget};
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::i18n;
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
    pub(super) fn sentence(&self, host: &str, port: u16, proxy: Option<&Proxy>, lang: Lang) -> String {
        let zh = lang == Lang::Zh;
        match (self, zh) {
            (ExchangeError::Timeout(span), false) => format!("{host} did not answer within {span}"),
            (ExchangeError::Timeout(span), true) => format!("{host} 在 {span} 内没有应答"),
            (ExchangeError::Connect(error), _) => match proxy {
                Some(proxy) => {
                    let reason = error.sentence(&proxy.host, proxy.port, lang);
                    i18n::notify::proxy(&reason).in_lang(lang)
                }
                None => error.sentence(host, port, lang),
            },
            (ExchangeError::Tunnel(error), _) => {
                let place = proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port)).unwrap_or_default();
                let (en, zh) = match error {
                    TunnelError::Io(error) => (format!("the connection broke: {error}"), format!("连接中断：{error}")),
                    TunnelError::Answer(Some(407)) => (
                        "407, it wants a user and a password: proxy = \"http://USER:PASSWORD@HOST:PORT\" from a file".to_string(),
                        "407，需要用户名和密码：请用文件写 proxy = \"http://用户:密码@主机:端口\"".to_string(),
                    ),
                    TunnelError::Answer(Some(status)) => (format!("it answered {status}"), format!("应答 {status}")),
                    TunnelError::Answer(None) => ("it is no proxy of HTTP".to_string(), "它不是 HTTP 代理".to_string()),
                };
                i18n::notify::proxy_does_not_connect_us(&place, &host, &en, &zh).in_lang(lang)
            }
            (ExchangeError::Tls(error), false) => {
                format!("no TLS with {host}: {error}{}", tls::advice(error, lang))
            }
            (ExchangeError::Tls(error), true) => {
                format!("无法与 {host} 建立 TLS：{error}{}", tls::advice(error, lang))
            }
            (ExchangeError::Broken(error), false) => {
                format!("the connection to {host} broke before it answered: {error}")
            }
            (ExchangeError::Broken(error), true) => format!("与 {host} 的连接在应答前中断：{error}"),
        }
    }
}
