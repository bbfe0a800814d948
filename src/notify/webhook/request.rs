//! From templates to a request.

use super::options::{UrlOrigin, WebhookOptions};
use crate::domain::lang::Lang;
use crate::i18n::{self, Text};
use crate::notify::template::{OUTPUT_BYTES_MAX, Template, TemplateScope};
use crate::notify::{Envelope, hostile};
use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What RFC 3986 allows nowhere in a URL.
const NO_ADDRESS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^');

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The server and the resource of a request.
#[derive(Debug)]
pub(super) struct RequestTarget {
    pub(super) tls: bool,
    /// A name or an address, an IPv6 one without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// With its query.
    pub(super) path: String,
}

impl Request {
    /// Host and port as the URL has them.
    pub(super) fn authority(&self) -> &str {
        self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }
}

impl RequestTarget {
    pub(super) fn origin(&self) -> UrlOrigin {
        UrlOrigin { tls: self.tls, host: self.host.clone(), port: self.port }
    }
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: RequestTarget,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why no request can be made of the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Something grew too long.
    TooLong,
    /// The address is none.
    Url,
    /// The address is of another kind than http or https.
    Scheme,
    /// The address holds a user or a password.
    UserInfo,
    /// Scheme, host or port come from the message.
    Moving,
    /// The body is to be JSON and is none: where the parser stopped.
    NotJson(usize, usize),
}

/// Renders the templates with hostile messages; the target of the first request.
///
/// # Errors
/// What is wrong with it; it holds nothing of the address.
pub(super) fn check(options: &WebhookOptions) -> Result<RequestTarget, RequestError> {
    let is_fixed = options.url.fixed_beginning(&options.secrets, &options.params, |text| {
        // The path has begun.
        text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
    });
    let mut first = None;
    for message in hostile::messages("test") {
        for lang in [Lang::En, Lang::Zh] {
            let request = make(options, &Envelope::new(lang, &message))?;
            if options.body.as_ref().is_some_and(Template::is_json) {
                if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&request.body) {
                    return Err(RequestError::NotJson(error.line(), error.column()));
                }
            }
            first.get_or_insert(request.target);
        }
    }
    if is_fixed { first.ok_or(RequestError::Url) } else { Err(RequestError::Moving) }
}

pub(super) fn make(options: &WebhookOptions, envelope: &Envelope<'_>) -> Result<Request, RequestError> {
    let scope = TemplateScope::new(envelope, &options.secrets, &options.params);
    let url = options.url.render(&scope).map_err(|_| RequestError::TooLong)?;
    // What no URL may hold is encoded, also without the filter `url`.
    let url = utf8_percent_encode(url.trim(), NO_ADDRESS).to_string();
    let uri: Uri = url.parse().map_err(|_| RequestError::Url)?;
    let target = target(&uri)?;
    // Scheme, host and port are fixed when the configuration is read.
    if options.origin.as_ref().is_some_and(|origin| *origin != target.origin()) {
        return Err(RequestError::Moving);
    }
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, value(concat!("heartbeat-server/", env!("CARGO_PKG_VERSION"))));
    headers.insert(IDEMPOTENCY_KEY, value(&envelope.message.key));
    for (name, template) in &options.headers {
        let text = template.render(&scope).map_err(|_| RequestError::TooLong)?;
        headers.insert(name, value(&text));
    }
    let body = match &options.body {
        Some(template) => template.render(&scope).map_err(|_| RequestError::TooLong)?,
        None => {
            headers.remove(CONTENT_TYPE);
            String::new()
        }
    };
    // One request a connection: alerts are rare, and an idle connection would be closed before the next one.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    headers.insert(HOST, value(authority));
    Ok(Request { method: options.method.clone(), target, headers, body: body.into() })
}

fn target(uri: &Uri) -> Result<RequestTarget, RequestError> {
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) => return Err(RequestError::Scheme),
        None => return Err(RequestError::Url),
    };
    let authority = uri.authority().ok_or(RequestError::Url)?;
    if authority.as_str().contains('@') {
        return Err(RequestError::UserInfo);
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(RequestError::Url);
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(RequestTarget { tls, host: host.to_string(), port, path: path.to_string() })
}

/// A header's value: control characters become spaces, so that no field of a message can add a header.
fn value(text: &str) -> HeaderValue {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    HeaderValue::from_bytes(clean.trim().as_bytes()).unwrap_or(HeaderValue::from_static(""))
}

impl RequestError {
    /// What is wrong and what to do.
    pub fn text(self) -> Text {
        match self {
            RequestError::TooLong => i18n::notify::what_template_yields_longer(&OUTPUT_BYTES_MAX),
            RequestError::Moving => i18n::notify::ADDRESS_MOVES.into(),
            RequestError::NotJson(line, column) => i18n::notify::quotes_line_breaks_like(&line, &column),
            RequestError::Url => i18n::notify::NOT_ADDRESS.into(),
            RequestError::Scheme => i18n::notify::ADDRESS_SCHEME.into(),
            RequestError::UserInfo => i18n::notify::USER_IN_ADDRESS.into(),
        }
    }
}
