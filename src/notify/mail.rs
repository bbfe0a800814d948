//! Mail, handed to one SMTP server: by STARTTLS, by TLS from the first byte, or in the clear to a neighbour.
//!
//! Subject and text are templates, ours in two languages or the administrator's own. The Message-ID is made of the
//! message's key, which no other server gives, so that mail programs recognise a mail that was sent twice.

mod options;
mod smtp;

use super::template::{Names, Template, TemplateScope};
use super::{Envelope, Outcome, Recipients, Secrets};
use crate::domain::time::Wall;
use crate::i18n::{self, Text};
use crate::net::tls;
use crate::sys::clock;
pub use lettre::message::Mailbox;
use lettre::message::Mailboxes;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::{Address, Message as Letter};
pub use options::{MailOptions, MailTls};
use smtp::Protection;
pub(crate) use smtp::is_whole_name;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::timeout_at;

const SUBJECT: &str = "{{cut 200 title}}";

/// Mails, ready to be sent.
pub struct Mail {
    options: MailOptions,
    /// Made at the first mail, for it reads certificates.
    tls: OnceLock<TlsParameters>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl Mail {
    /// Makes it ready.
    pub fn new(options: MailOptions) -> Mail {
        Mail { options, tls: OnceLock::new() }
    }

    /// Tries once.
    pub async fn send(&self, envelope: &Envelope<'_>) -> Outcome {
        let to = match self.recipients(envelope.to) {
            Ok(to) => to,
            Err(gone) => return Outcome::refused(i18n::notify::not_among_recipients_any(&gone)),
        };
        if to.is_empty() {
            return Outcome::Partly { told: Vec::new(), left: Vec::new() };
        }
        let letter = match self.letter(envelope) {
            Ok(letter) => letter,
            Err(reason) => return Outcome::refused(i18n::notify::no_mail_can_made(&reason)),
        };
        let protection = match self.protection() {
            Ok(protection) => protection,
            Err(reason) => return Outcome::retry(reason),
        };
        let limit = self.options.timeout;
        let host = &self.options.host;
        let end = clock::timer_now() + Duration::from_millis(limit.0);
        let letter = letter.formatted();
        match timeout_at(end, smtp::deliver(&self.options, protection, &letter, &to, end)).await {
            Ok(replies) => smtp::judge(&self.options, &to, replies),
            Err(_) => Outcome::retry(i18n::notify::did_not_take_mail(&host, &limit)),
        }
    }

    /// The addresses of the wanted recipients; the error is one that is no recipient any more.
    fn recipients<'a>(&self, wanted: Recipients<'a>) -> Result<Vec<Address>, &'a str> {
        let all = self.options.to.iter().map(|one| &one.email);
        match wanted {
            Recipients::All => Ok(all.cloned().collect()),
            Recipients::But(without) => {
                Ok(all.filter(|one| !without.contains(&one.to_string())).cloned().collect())
            }
            Recipients::One(to) => {
                let found = all.filter(|one| one.to_string() == to).take(1).cloned().collect::<Vec<_>>();
                if found.is_empty() { Err(to) } else { Ok(found) }
            }
        }
    }

    fn letter(&self, envelope: &Envelope<'_>) -> Result<Letter, Text> {
        let (secrets, params) = (Secrets::default(), BTreeMap::new());
        let scope = TemplateScope::new(envelope, &secrets, &params);
        let own = |text: &str| Template::parse(text, Names::default()).map_err(|e| e.text());
        let fill = |template: &Option<Template>, text: &str| -> Result<String, Text> {
            let rendered = match template {
                Some(template) => template.render(&scope),
                None => own(text)?.render(&scope),
            };
            rendered.map_err(|_| i18n::notify::TOO_LONG.into())
        };
        let subject = fill(&self.options.subject, SUBJECT)?;
        let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let body = fill(&self.options.body, i18n::notify::MAIL_BODY.in_lang(envelope.lang))?;
        let Wall(ms) = envelope.now();
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let id = message_id(&envelope.message.key, self.options.from.email.domain());
        let to: Mailboxes = self.options.to.iter().cloned().collect();
        let builder = Letter::builder()
            .from(self.options.from.clone())
            .mailbox(lettre::message::header::To::from(to))
            .subject(subject.trim())
            .date(at)
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        builder.body(body).map_err(|error| Text::foreign(error.to_string()))
    }

    fn protection(&self) -> Result<Protection, Text> {
        Ok(match self.options.tls {
            MailTls::StartTls => Protection::StartTls(self.tls()?),
            MailTls::Tls => {
                Protection::Tls(tls::config(self.options.ca.as_deref(), None).map_err(|error| error.text())?)
            }
            MailTls::Off => Protection::Clear,
        })
    }

    fn tls(&self) -> Result<TlsParameters, Text> {
        if let Some(made) = self.tls.get() {
            return Ok(made.clone());
        }
        let mut builder =
            TlsParameters::builder(self.options.host.clone()).certificate_store(CertificateStore::None);
        let authorities = tls::authorities(self.options.ca.as_deref()).map_err(|e| e.text())?;
        for authority in authorities {
            // One that cannot be parsed is left out, as by add_parsable_certificates.
            if let Ok(certificate) = Certificate::from_der(authority.to_vec()) {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let made = builder.build_rustls().map_err(|error| Text::foreign(chain(&error)))?;
        Ok(self.tls.get_or_init(|| made).clone())
    }
}

/// RFC 5322, 3.6.4: unique in the world, since the key has the name of this instance in it. A dot has its place in a
/// dot-atom and not anywhere.
fn message_id(key: &str, domain: &str) -> String {
    let domain = if domain.is_ascii() { domain } else { "heartbeat-server.invalid" };
    format!("<{}@{domain}>", key.replace('.', "=2E"))
}

/// RFC 3834: suppresses automatic answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_string())
    }
}

/// An error with its sources, each part once.
fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        for part in error.to_string().split(": ") {
            if !parts.iter().any(|said| said == part) {
                parts.push(part.to_string());
            }
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
