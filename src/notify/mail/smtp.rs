//! An SMTP session in which each recipient has an outcome of its own (RFC 5321, 3.3): one that is refused or deferred does
//! not affect the others.

use super::options::MailOptions;
use crate::i18n::{self, Text, Word};
use crate::net::stream::ClientStream;
use crate::net::tls;
use crate::notify::connect::{ConnectError, connect};
use crate::notify::{Left, Outcome, Secrets};
use crate::sys::process;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use rustls::ClientConfig;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::Instant;

/// The encryption of a session, with what it needs.
pub(super) enum Protection {
    Clear,
    StartTls(TlsParameters),
    Tls(Arc<ClientConfig>),
}

/// Why a session failed for all recipients.
#[derive(Debug)]
pub(super) enum SmtpError {
    Connect(ConnectError),
    Tls(io::Error),
    /// The server's answer, or that there was none, at a step.
    Said(SmtpStep, lettre::transport::smtp::Error),
}

/// A step of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmtpStep {
    Greeting,
    StartTls,
    Login,
    Sender,
    Recipient,
    Content,
}

type RecipientReply = Result<(), lettre::transport::smtp::Error>;

/// Delivers a mail; the reply for each recipient.
pub(super) async fn deliver(
    options: &MailOptions,
    protection: Protection,
    letter: &[u8],
    to: &[Address],
    end: Instant,
) -> Result<Vec<RecipientReply>, SmtpError> {
    let stream = connect(&options.host, options.port, end).await.map_err(SmtpError::Connect)?;
    let hello = hello(options.helo.as_deref(), stream.local_addr().ok());
    let said = |step| move |error| SmtpError::Said(step, error);
    let stream = match &protection {
        Protection::Tls(config) => {
            ClientStream::encrypted(stream, config.clone(), &options.host).await.map_err(SmtpError::Tls)?
        }
        Protection::Clear | Protection::StartTls(_) => ClientStream::Tcp(stream),
    };
    let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
    let mut connection = greeted.map_err(said(SmtpStep::Greeting))?;
    if let Protection::StartTls(parameters) = protection {
        connection.starttls(parameters, &hello).await.map_err(said(SmtpStep::StartTls))?;
    }
    if let Some((user, password)) = &options.login {
        let login = Credentials::new(user.clone(), password.reveal().to_string());
        connection.auth(DEFAULT_MECHANISMS, &login).await.map_err(said(SmtpStep::Login))?;
    }
    let mut parameters = Vec::new();
    let is_plain = |address: &Address| address.to_string().is_ascii();
    let from = &options.from.email;
    if !(is_plain(from) && to.iter().all(is_plain))
        && connection.server_info().supports_feature(Extension::SmtpUtfEight)
    {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !letter.is_ascii() {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = MailFrom::new(Some(from.clone()), parameters);
    connection.command(sender).await.map_err(said(SmtpStep::Sender))?;
    let mut replies = Vec::new();
    for address in to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => replies.push(Ok(())),
            // A reply is about this recipient; any other error ends the session.
            Err(error) if error.status().is_some() => replies.push(Err(error)),
            Err(error) => return Err(SmtpError::Said(SmtpStep::Recipient, error)),
        }
    }
    if replies.iter().any(Result::is_ok) {
        connection.command(Data).await.map_err(said(SmtpStep::Content))?;
        connection.message(letter).await.map_err(said(SmtpStep::Content))?;
    }
    // The mail is accepted; errors of QUIT do not matter.
    let _ = connection.quit().await;
    Ok(replies)
}

/// RFC 5321, 4.1.1.1: a fully qualified name, or else the local address.
pub(super) fn hello(given: Option<&str>, local: Option<SocketAddr>) -> ClientId {
    let own = || process::host_name().filter(|name| is_whole_name(name));
    if let Some(name) = given.map(str::to_string).or_else(own) {
        return ClientId::Domain(name);
    }
    match local.map(|address| address.ip().to_canonical()) {
        Some(IpAddr::V4(ip)) => ClientId::Ipv4(ip),
        Some(IpAddr::V6(ip)) => ClientId::Ipv6(ip),
        None => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
    }
}

/// Whether a name is fully qualified: of several labels.
pub(crate) fn is_whole_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) && !name.starts_with("localhost")
}

impl AsyncTokioStream for ClientStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        ClientStream::peer_addr(self)
    }
}

/// The outcome for the recipients.
pub(super) fn judge(
    options: &MailOptions,
    to: &[Address],
    replies: Result<Vec<RecipientReply>, SmtpError>,
) -> Outcome {
    let replies = match replies {
        Ok(replies) => replies,
        Err(error) => {
            let is_final = matches!(&error, SmtpError::Said(_, said) if said.is_permanent());
            let reason = error.text(options);
            return if is_final { Outcome::refused(reason) } else { Outcome::retry(reason) };
        }
    };
    let left: Vec<Left> = to
        .iter()
        .zip(&replies)
        .filter_map(|(to, reply)| {
            let error = reply.as_ref().err()?;
            let reason = answered(options, SmtpStep::Recipient, error);
            Some(Left { to: to.to_string(), is_refused: error.is_permanent(), reason })
        })
        .collect();
    let refused = left.iter().filter(|one| one.is_refused).count();
    if left.is_empty() && !to.is_empty() {
        return Outcome::Sent;
    }
    if left.len() < to.len() || (0 < refused && refused < left.len()) || to.is_empty() {
        let told = to.iter().zip(&replies).filter(|(_, reply)| reply.is_ok());
        return Outcome::Partly { told: told.map(|(to, _)| to.to_string()).collect(), left };
    }
    // No recipient got it, and all for one kind of reason.
    let named: Vec<Text> =
        left.iter().map(|one| i18n::notify::recipient_reason(&one.to, &one.reason)).collect();
    let reason = Text::joined(&named, i18n::notify::SEMICOLON);
    if refused > 0 { Outcome::refused(reason) } else { Outcome::retry(reason) }
}

/// A server's answer: the code, its meaning, and with `show_answers` its text.
fn answered(options: &MailOptions, step: SmtpStep, error: &lettre::transport::smtp::Error) -> Text {
    let host = &options.host;
    let Some(code) = error.status() else {
        // No answer: the text is lettre's or the system's.
        let reason = super::chain(error);
        return i18n::notify::mail_not_taken_because(&host, &reason, &tls::advice(error));
    };
    let code = u16::from(code);
    let text = super::chain(error);
    let detail = enhanced(&text).map(|detail| format!(" {detail}")).unwrap_or_default();
    let class = class(step, code).into();
    let said = options.secrets().answer(options.show_answers, &text);
    i18n::notify::mail_not_taken_with_code(&host, &code, &detail, &class, &said)
}

/// RFC 3463: class, subject and detail, if the answer has them.
fn enhanced(text: &str) -> Option<&str> {
    text.split([' ', ':', '\n']).find(|word| {
        let mut parts = word.split('.');
        let digits = |part: Option<&str>| {
            part.is_some_and(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
        };
        matches!(word.as_bytes().first(), Some(b'4' | b'5'))
            && [parts.next(), parts.next(), parts.next()].into_iter().all(digits)
            && parts.next().is_none()
    })
}

/// What a code means (RFC 5321, 4.2.3; RFC 4954, 6).
fn class(step: SmtpStep, code: u16) -> Word {
    match (step, code) {
        (_, 421) => i18n::notify::CLOSING,
        (_, 530 | 534 | 535 | 538) | (SmtpStep::Login, 500..) => i18n::notify::REFUSES_LOGIN_SEE_USERNAME,
        (SmtpStep::Sender, 500..) => i18n::notify::REFUSES_SENDER_SEE_FROM,
        (SmtpStep::Recipient, 450 | 451) => i18n::notify::RECIPIENT_PUT_OFF_GREYLISTING,
        (SmtpStep::Recipient, 452) => i18n::notify::TOO_MANY_RECIPIENTS_ONCE,
        (SmtpStep::Recipient, 500..) => i18n::notify::RECIPIENT_REFUSED,
        (_, 452 | 552) => i18n::notify::NO_ROOM_TOO_LARGE,
        (_, 554) => i18n::notify::RULES_FORBID,
        (_, 400..=499) => i18n::notify::NOT_TIME,
        _ => i18n::notify::REFUSED,
    }
}

impl SmtpError {
    fn text(&self, options: &MailOptions) -> Text {
        let (host, port) = (&options.host, options.port);
        match self {
            SmtpError::Connect(error) => error.text(host, port).and(&i18n::notify::SMTP_HOST_PORT_TLS.into()),
            SmtpError::Tls(error) => tls_failed(host, port, error),
            SmtpError::Said(step, error) if error.status().is_some() => answered(options, *step, error),
            SmtpError::Said(_, error) if error.is_tls() => tls_failed(host, port, error),
            SmtpError::Said(step, error) => answered(options, *step, error),
        }
    }
}

fn tls_failed(host: &str, port: u16, error: &(dyn Error + 'static)) -> Text {
    i18n::notify::no_tls(&host, &port, &super::chain(error), &tls::advice(error))
}

impl MailOptions {
    /// Secrets that the server may repeat.
    fn secrets(&self) -> Secrets {
        Secrets::new(
            self.login.iter().map(|(_, password)| ("password".to_string(), password.clone())).collect(),
        )
    }
}
