//! Webhooks: a template for each part of the request, and an outcome for each answer.
//!
//! A redirect is not followed: it would bring the message, and the secrets in its headers, to another server. An answer is
//! quoted in the reason only with `show_answers`, shortened and without secrets; of the URL only host and port are shown.
//! The idempotency key of a message goes along as the header `Idempotency-Key`, the same each time it is tried.

mod answer;
mod compose;
mod http;
mod options;
mod request;

use super::{Envelope, Outcome};
use crate::domain::alert::{Message, MessageKind};
use crate::net::tls;
pub use compose::{ComposeError, WebhookPart, Written};
pub use hyper::Method;
pub use hyper::header::HeaderName;
pub use options::{UrlOrigin, WebhookOptions};
use rustls::ClientConfig;
use std::sync::{Arc, OnceLock};

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
