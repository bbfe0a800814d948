//! Webhooks: a template for each part of the request, and an outcome for each answer.
//!
//! A redirect is not followed: it would bring the message, and the secrets in its headers, to another server. An answer is
//! quoted in the reason only with `show_answers`, shortened and without secrets; of the URL only host and port are shown.
//! The idempotency key of a message goes along as the header `Idempotency-Key`, the same each time it is tried.

mod answer;
mod compose;
mod http;
mod request;

use super::preset::Verdict;
use super::proxy::Proxy;
use super::template::Template;
use super::{Envelope, Outcome, Secrets};
use crate::domain::alert::{Message, MessageKind};
use crate::domain::time::Span;
use crate::net::tls;
pub use compose::{ComposeError, WebhookPart, Written};
pub use hyper::Method;
pub use hyper::header::HeaderName;
pub use request::UrlOrigin;
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

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

/// A webhook, ready to be used.
#[derive(Debug)]
pub struct Webhook {
    options: WebhookOptions,
    /// Made at the first https request; many webhooks are plain HTTP.
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Webhook {
    /// Makes it ready.
    pub fn new(options: WebhookOptions) -> Webhook {
        Webhook { options, tls: OnceLock::new() }
    }

    /// Makes one attempt. Where each monitor has a request of its own, the first failure ends it: such services keep a state
    /// for each monitor, so repeats do no harm.
    pub async fn send(&self, envelope: &Envelope<'_>) -> Outcome {
        let message = envelope.message;
        let of_monitors = !matches!(message.kind, MessageKind::Own | MessageKind::Test);
        if !self.options.each || !of_monitors || message.monitors.len() < 2 {
            return self.request(envelope).await;
        }
        for (index, monitor) in message.monitors.iter().enumerate() {
            let key = format!("{}/{index}", message.key);
            let mut part = Message::new(message.kind, key, &message.notifier, message.made);
            (part.monitors, part.count) = (vec![monitor.clone()], 1);
            (part.flaps, part.delayed, part.now) = (message.flaps, message.delayed, message.now);
            match self.request(&Envelope::new(envelope.lang, &part)).await {
                Outcome::Sent => {}
                other => return other,
            }
        }
        Outcome::Sent
    }

    async fn request(&self, envelope: &Envelope<'_>) -> Outcome {
        let request = match request::make(&self.options, envelope) {
            Ok(request) => request,
            Err(error) => return Outcome::refused(error.text()),
        };
        let (host, port) = (request.target.host.clone(), request.target.port);
        let tls = match request.target.tls.then(|| self.tls()).transpose() {
            Ok(tls) => tls,
            Err(error) => return Outcome::retry(error.text()),
        };
        // The answer may repeat the path, which is often a secret itself.
        let secrets = self.options.secrets.with([request.target.path.clone()]);
        match http::exchange(request, tls, self.options.proxy.as_ref(), self.options.timeout).await {
            Ok(answer) => answer::judge(&answer, &self.options, &host, &secrets, envelope),
            Err(failure) => Outcome::retry(failure.text(&host, port, self.options.proxy.as_ref())),
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, tls::TlsError> {
        if let Some(config) = self.tls.get() {
            return Ok(config.clone());
        }
        let config = tls::config(self.options.ca.as_deref(), None)?;
        Ok(self.tls.get_or_init(|| config).clone())
    }
}

#[cfg(test)]
mod tests;
