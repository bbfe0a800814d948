//! From templates to a request.

use super::WebhookOptions;
use crate::domain::alert::{Kind, Message};
use crate::domain::lang::Lang;
use crate::domain::time::Wall;
use crate::notify::Envelope;
use crate::notify::template::{OUTPUT_BYTES_MAX, Scope};
use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Whom to call, and for what.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) tls: bool,
    /// A name or an address, an IPv6 one without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// With its query.
    pub(super) path: String,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why no request can be made of the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something grew too long.
    TooLong,
    /// The address is none.
    Url,
    /// The address is of another kind than http or https.
    Scheme,
    /// The address holds a user or a password.
    UserInfo,
}

/// Tries out whether templates, secrets and parameters make a request; the host that it would call.
///
/// # Errors
/// What is wrong with it; it holds nothing of the address.
pub(super) fn check(options: &WebhookOptions) -> Result<String, Fault> {
    let message = Message::new(Kind::Test, "test".into(), "test", Wall(0));
    make(options, &Envelope::new(Lang::En, &message)).map(|request| request.target.host)
}

pub(super) fn make(options: &WebhookOptions, envelope: &Envelope<'_>) -> Result<Request, Fault> {
    let scope = Scope::new(envelope, &options.secrets, &options.params);
    let url = options.url.render(&scope).map_err(|_| Fault::TooLong)?;
    let uri: Uri = url.trim().parse().map_err(|_| Fault::Url)?;
    let target = target(&uri)?;
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, value(concat!("heartbeat-server/", env!("CARGO_PKG_VERSION"))));
    headers.insert(IDEMPOTENCY_KEY, value(&envelope.message.key));
    for (name, template) in &options.headers {
        let text = template.render(&scope).map_err(|_| Fault::TooLong)?;
        headers.insert(name, value(&text));
    }
    let body = match &options.body {
        Some(template) => template.render(&scope).map_err(|_| Fault::TooLong)?,
        None => {
            headers.remove(CONTENT_TYPE);
            String::new()
        }
    };
    // One request, one connection: alerts are rare, and a connection kept would be dead when the next one comes.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    headers.insert(HOST, value(authority));
    Ok(Request { method: options.method.clone(), target, headers, body: body.into() })
}

fn target(uri: &Uri) -> Result<Target, Fault> {
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) => return Err(Fault::Scheme),
        None => return Err(Fault::Url),
    };
    let authority = uri.authority().ok_or(Fault::Url)?;
    if authority.as_str().contains('@') {
        return Err(Fault::UserInfo);
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(Fault::Url);
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Target { tls, host: host.to_string(), port, path: path.to_string() })
}

/// A header's value: what must not stand in one becomes a space, so that no field of a message can add a line.
fn value(text: &str) -> HeaderValue {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    HeaderValue::from_bytes(clean.trim().as_bytes()).unwrap_or(HeaderValue::from_static(""))
}

impl Fault {
    /// What is wrong and what to do.
    pub fn sentence(self, lang: Lang) -> String {
        let text = match self {
            Fault::TooLong => {
                let most = OUTPUT_BYTES_MAX;
                return lang.pick(
                    format!("what the template yields is longer than {most} bytes; use cut"),
                    format!("模板生成的内容超过 {most} 字节；请使用 cut"),
                );
            }
            Fault::Url => ("not an address such as https://host/path", "不是形如 https://host/path 的地址"),
            Fault::Scheme => {
                ("an address begins with http:// or https://", "地址须以 http:// 或 https:// 开头")
            }
            Fault::UserInfo => (
                "no user or password in the address; write headers = { Authorization = \"Basic {{base64 \\\"USER:\\\" secret.token}}\" }",
                "地址中不能含有用户名或密码；请写 headers = { Authorization = \"Basic {{base64 \\\"用户:\\\" secret.token}}\" }",
            ),
        };
        lang.pick(text.0, text.1).to_string()
    }
}
