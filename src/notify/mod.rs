//! Channels: how a message reaches a person, one module for each way.
//!
//! A channel tries once, within its own time limit, and says what came of it: sent, to be tried again, or refused. Who
//! is told, when, how often and what happens to what is refused is not its business. Reasons are sentences in the
//! configured language, and never hold a secret.

mod connect;
pub mod exec;
pub mod fields;
pub(crate) mod hostile;
pub mod local;
pub mod mail;
pub mod preset;
pub mod proxy;
mod secret;
mod sign;
pub mod template;
#[cfg(test)]
mod testing;
pub mod webhook;

pub use secret::{Secret, Secrets};

use crate::domain::alert::Message;
use crate::domain::lang::Lang;
use crate::domain::time::{Span, Wall};
use crate::view::alert;
use serde_json::Value;
use std::sync::OnceLock;

/// How long a channel may take when nobody says.
pub const TIMEOUT: Span = Span::secs(15);
/// Longest time that a channel may be given.
pub const TIMEOUT_MAX: Span = Span::secs(600);
/// Messages that may be on their way at once when nobody says: one after the other keeps their order.
pub const CONCURRENCY: usize = 1;
/// Most messages that may be on their way at once through one channel.
pub const CONCURRENCY_MAX: usize = 64;
/// Most that is quoted of what a receiver says, in characters.
const QUOTE_CHARS_MAX: usize = 200;

/// A message on its way, as it is at the moment of this try.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// What is told; its `now` is the present moment.
    pub message: &'a Message,
    /// The language of its sentences, and of the reasons why it could not be sent.
    pub lang: Lang,
    /// Which of the channel's recipients are told; only mail knows several.
    pub to: Recipients<'a>,
    json: OnceLock<Value>,
}

/// Which of a channel's recipients are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recipients<'a> {
    /// All.
    #[default]
    All,
    /// All but these, who have earlier messages still to hear.
    But(&'a [String]),
    /// This one.
    One(&'a str),
}

/// A recipient who did not get what others got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Who.
    pub to: String,
    /// Whether another try may help.
    pub is_refused: bool,
    /// Why.
    pub reason: String,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Sent,
    /// It was taken for some of the recipients, or was refused by some and put off by the others.
    Partly {
        /// For whom it was taken.
        told: Vec<String>,
        /// Who is left.
        left: Vec<Left>,
    },
    /// Not this time.
    Retry {
        /// How long the receiver wants to be left alone.
        after: Option<Span>,
        /// Why.
        reason: String,
    },
    /// It will not be taken however often it is tried.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A way to reach somebody, ready to be used.
#[derive(Debug)]
pub enum Channel {
    /// A request over HTTP.
    Webhook(webhook::Webhook),
    /// A mail.
    Mail(mail::Mail),
    /// A program.
    Exec(exec::Exec),
    /// A log of this machine.
    Local(local::Local),
}

/// What the configuration says of a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelOptions {
    /// `type = "webhook"`.
    Webhook(webhook::WebhookOptions),
    /// `type = "mail"`.
    Mail(mail::MailOptions),
    /// `type = "exec"`.
    Exec(exec::ExecOptions),
    /// `type = "journal"` and `type = "syslog"`.
    Local(local::Log),
}

/// A channel by the name of its notifier, as the configuration has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSettings {
    /// The notifier.
    pub name: String,
    /// How many messages may be on their way at once.
    pub concurrency: usize,
    /// The channel.
    pub options: ChannelOptions,
}

impl Channel {
    /// Makes it ready.
    pub fn new(options: ChannelOptions) -> Channel {
        match options {
            ChannelOptions::Webhook(options) => Channel::Webhook(webhook::Webhook::new(options)),
            ChannelOptions::Mail(options) => Channel::Mail(mail::Mail::new(options)),
            ChannelOptions::Exec(options) => Channel::Exec(exec::Exec::new(options)),
            ChannelOptions::Local(log) => Channel::Local(local::Local::new(log)),
        }
    }

    /// Tries once.
    pub async fn send(&self, envelope: &Envelope<'_>) -> Outcome {
        match self {
            Channel::Webhook(webhook) => webhook.send(envelope).await,
            Channel::Mail(mail) => mail.send(envelope).await,
            Channel::Exec(exec) => exec.send(envelope).await,
            Channel::Local(local) => local.send(envelope),
        }
    }
}

impl<'a> Envelope<'a> {
    /// A message that has been brought up to the present, see [`Message::at`].
    pub fn new(lang: Lang, message: &'a Message) -> Envelope<'a> {
        Envelope { message, lang, to: Recipients::All, json: OnceLock::new() }
    }

    /// The same for some of the recipients.
    pub fn for_recipients(self, to: Recipients<'a>) -> Envelope<'a> {
        Envelope { to, ..self }
    }

    /// The present moment.
    pub fn now(&self) -> Wall {
        self.message.now
    }

    /// The message as programs read it.
    pub fn json(&self) -> &Value {
        self.json.get_or_init(|| alert::json(self.lang, self.message))
    }

    /// The monitors in it.
    fn monitors(&self) -> &[Value] {
        self.json()["monitors"].as_array().map_or(&[], Vec::as_slice)
    }
}

impl Outcome {
    fn retry(reason: String) -> Outcome {
        Outcome::Retry { after: None, reason }
    }

    fn refused(reason: String) -> Outcome {
        Outcome::Refused { reason }
    }
}

/// What a receiver said, on one line and not too long.
fn quote(text: &str) -> String {
    let mut line = String::new();
    for (count, word) in text.split(|c: char| c.is_whitespace() || c.is_control()).enumerate() {
        if count > 0 && !word.is_empty() && !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// `: ` and what a receiver said, if it said anything.
fn quoted(lang: Lang, text: &str) -> String {
    match quote(text) {
        line if line.is_empty() => line,
        line => format!("{}{line}", lang.pick(": ", "：")),
    }
}
