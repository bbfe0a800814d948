//! The keys of a mail.

use crate::domain::time::Span;
use crate::notify::Secret;
use crate::notify::template::Template;
use lettre::message::Mailbox;
use std::path::PathBuf;

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTls {
    /// STARTTLS, required.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Plain text.
    Off,
}

impl MailTls {
    /// The default port.
    pub fn port(self) -> u16 {
        match self {
            MailTls::StartTls => 587,
            MailTls::Tls => 465,
            MailTls::Off => 25,
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            MailTls::StartTls => "starttls",
            MailTls::Tls => "tls",
            MailTls::Off => "none",
        }
    }
}

/// The keys of a mail.
#[derive(Clone, Debug, PartialEq)]
pub struct MailOptions {
    /// The server, a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The encryption.
    pub tls: MailTls,
    /// The sender.
    pub from: Mailbox,
    /// The recipients; each has an outcome of its own.
    pub to: Vec<Mailbox>,
    /// The name in EHLO; `None`: the host name if it is fully qualified, else the local address.
    pub helo: Option<String>,
    /// User and password, if any.
    pub login: Option<(String, Secret)>,
    /// A PEM bundle of authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The subject, if not ours.
    pub subject: Option<Template>,
    /// The text, if not ours.
    pub body: Option<Template>,
    /// For the whole conversation.
    pub timeout: Span,
    /// Whether reasons quote answers.
    pub show_answers: bool,
}
