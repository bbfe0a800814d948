//! Channels: how a message is delivered, one module for each way.
//!
//! A channel makes one attempt within its own time limit and returns its outcome: sent, to be tried again, or refused.
//! Which messages are sent, when and how often is decided elsewhere. Reasons never hold a secret.

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
use crate::i18n::{self, Text};
use crate::view::alert;
use serde_json::Value;
use std::sync::OnceLock;

/// The default time limit of an attempt.
pub const TIMEOUT: Span = Span::secs(15);
/// The longest time limit of an attempt.
pub const TIMEOUT_MAX: Span = Span::secs(600);
/// The default of messages under way at once: one after the other keeps their order.
pub const CONCURRENCY: usize = 1;
/// Most messages under way at once through one channel.
pub const CONCURRENCY_MAX: usize = 64;
/// Most characters quoted of a receiver's answer.
const QUOTE_CHARS_MAX: usize = 200;

/// A message as it is at the moment of an attempt.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The message; its `now` is the present moment.
    pub message: &'a Message,
    /// The language of its sentences.
    pub lang: Lang,
    /// Which of the channel's recipients get it; only mail has several.
    pub to: Recipients<'a>,
    json: OnceLock<Value>,
}

/// Which of a channel's recipients get a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recipients<'a> {
    /// All.
    #[default]
    All,
    /// All but these, for which earlier messages are still pending.
    But(&'a [String]),
    /// This one.
    One(&'a str),
}

/// A recipient that did not get a message that others got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Who.
    pub to: String,
    /// Whether it is refused for good.
    pub is_refused: bool,
    /// Why.
    pub reason: Text,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Sent,
    /// It was accepted for some of the recipients, or refused for some and deferred for the others.
    Partly {
        /// For which it was accepted.
        told: Vec<String>,
        /// The others.
        left: Vec<Left>,
    },
    /// To be tried again.
    Retry {
        /// How long the receiver asks to wait.
        after: Option<Span>,
        /// Why.
        reason: Text,
    },
    /// Refused for good.
    Refused {
        /// Why.
        reason: Text,
    },
}

/// A channel, ready to be used.
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

/// The keys of a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelOptions {
    /// `type = "webhook"`.
    Webhook(webhook::WebhookOptions),
    /// `type = "mail"`.
    Mail(mail::MailOptions),
    /// `type = "exec"`.
    Exec(exec::ExecOptions),
    /// `type = "journal"` and `type = "syslog"`.
    Local(local::LocalLog),
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
    /// A channel of these options.
    pub fn new(options: ChannelOptions) -> Channel {
        match options {
            ChannelOptions::Webhook(options) => Channel::Webhook(webhook::Webhook::new(options)),
            ChannelOptions::Mail(options) => Channel::Mail(mail::Mail::new(options)),
            ChannelOptions::Exec(options) => Channel::Exec(exec::Exec::new(options)),
            ChannelOptions::Local(log) => Channel::Local(local::Local::new(log)),
        }
    }

    /// Makes one attempt.
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
    fn retry(reason: Text) -> Outcome {
        Outcome::Retry { after: None, reason }
    }

    fn refused(reason: Text) -> Outcome {
        Outcome::Refused { reason }
    }
}

/// A receiver's answer on one line, shortened.
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

/// `: ` and a receiver's answer, if there is one.
fn quoted(text: &str) -> Text {
    match quote(text) {
        line if line.is_empty() => Text::default(),
        line => i18n::notify::answer_quoted(&line),
    }
}
