//! The keys of a webhook.

use crate::domain::time::Span;
use crate::notify::Secrets;
use crate::notify::preset::Verdict;
use crate::notify::proxy::Proxy;
use crate::notify::template::Template;
use hyper::Method;
use hyper::header::HeaderName;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The keys of a webhook, with its preset applied.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookOptions {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Template,
    /// The host in it, for showing.
    pub host: String,
    /// Scheme, host and port, once they are known.
    pub origin: Option<UrlOrigin>,
    /// Headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body; `None`: there is none.
    pub body: Option<Template>,
    /// For `{{secret.NAME}}`, and never shown.
    pub secrets: Secrets,
    /// For `{{param.NAME}}`.
    pub params: BTreeMap<String, String>,
    /// How to read an answer of 2xx.
    pub verdict: Verdict,
    /// Whether each monitor of a message has a request of its own.
    pub each: bool,
    /// A PEM bundle of authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The proxy, if any.
    pub proxy: Option<Proxy>,
    /// For one request, from the look-up of the name to the end of the answer.
    pub timeout: Span,
    /// Whether reasons quote answers.
    pub show_answers: bool,
}

/// Scheme, host and port of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlOrigin {
    /// https.
    pub tls: bool,
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}
