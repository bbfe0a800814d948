//! Beats with answers over HTTP, WebSocket or lines, as the URL says. One batch at a time: it is sent, and its outcome is
//! returned.

use super::beat::{OutgoingBeat, json};
use super::config::ClientSettings;
use super::dial::Dialer;
use super::error::{ClientError, EX_DATAERR, EX_NOPERM, EX_TEMPFAIL};
use super::http::{ApiConnection, ApiReply, ApiRequest, not_ours, reason_text, silent};
use super::line::{LineAnswer, LineClient};
use super::run::name::advice;
use super::server_url::{ServerProtocol, ServerUrl};
use super::websocket::WebSocketClient;
use crate::domain::access::Token;
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use crate::view::words::one_line;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Reasons that are kept of a batch.
const REASONS_MAX: usize = 3;

/// A connection on which beats are answered.
#[derive(Debug)]
pub enum BeatChannel {
    /// HTTP.
    Http(Box<ApiConnection>),
    /// WebSocket.
    Socket(Box<WebSocketClient>),
    /// Lines over raw TCP.
    Lines(Box<LineClient>),
}

/// The outcome of a batch: the first `settled` beats are settled, the rest is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchOutcome {
    /// Beats that the server has accepted or will never accept.
    pub settled: usize,
    /// How many of them it will never accept.
    pub rejected: usize,
    /// Why, of some.
    pub reasons: Vec<String>,
    /// What it left out of accepted ones, of some.
    pub warnings: Vec<String>,
    /// The interval that it asks for.
    pub interval: Option<Span>,
    /// Whether one was rejected because of its id.
    pub refuses_id: bool,
    /// Why the rest is not settled.
    pub error: Option<DeliveryError>,
}

/// Why beats are not settled.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryError {
    /// There is no answer; the connection is to be closed.
    Lost(ClientError),
    /// The server refuses beats of this client.
    Refused(ClientError),
    /// It may accept them later, after that time if it names one.
    Later(ClientError, Option<Span>),
    /// It rejects this batch as a whole.
    Unfit(ClientError),
    /// It sends `ping`: another dialect.
    Pings,
}

impl DeliveryError {
    /// The error that a command ends with.
    pub fn into_client_error(self, target: &ServerUrl) -> ClientError {
        match self {
            DeliveryError::Lost(failure)
            | DeliveryError::Refused(failure)
            | DeliveryError::Unfit(failure) => failure,
            DeliveryError::Later(failure, _) => failure,
            DeliveryError::Pings => not_ours(target, i18n::client::SAYS_PING),
        }
    }
}

impl BeatChannel {
    /// Connects. `may_ping`: whether a server over raw TCP may turn out to be one that says `ping`.
    ///
    /// # Errors
    /// When there is no connection within the time.
    pub async fn open(
        dialer: &Dialer,
        token: Option<&Token>,
        may_ping: bool,
        within: Duration,
    ) -> Result<BeatChannel, ClientError> {
        Ok(match dialer.target().protocol {
            ServerProtocol::Http => {
                BeatChannel::Http(Box::new(ApiConnection::open(dialer, token.cloned(), within).await?))
            }
            ServerProtocol::WebSocket => {
                BeatChannel::Socket(Box::new(WebSocketClient::open(dialer, token, within).await?))
            }
            ServerProtocol::Tcp => {
                BeatChannel::Lines(Box::new(LineClient::open(dialer, token, may_ping, within).await?))
            }
        })
    }

    /// Sends a batch and waits for its outcome; `within` bounds each answer.
    pub async fn deliver(
        &mut self,
        beats: &[OutgoingBeat],
        target: &ServerUrl,
        within: Duration,
    ) -> BatchOutcome {
        match self {
            BeatChannel::Http(connection) => {
                match connection.request(ApiRequest::beats(json(beats)), within).await {
                    Ok(reply) => of_reply(&reply, beats.len(), target),
                    Err(failure) => BatchOutcome::failed(DeliveryError::Lost(failure)),
                }
            }
            BeatChannel::Socket(socket) => {
                let answer = async {
                    socket.send(&json(beats)).await?;
                    socket.receive().await
                };
                match timeout(within, answer).await {
                    Ok(Ok(value)) => of_json(&value, beats.len(), target),
                    Ok(Err(failure)) => BatchOutcome::failed(DeliveryError::Lost(failure)),
                    Err(_) => BatchOutcome::failed(DeliveryError::Lost(silent(target, within))),
                }
            }
            BeatChannel::Lines(lines) => by_lines(lines, beats, target, within).await,
        }
    }

    /// Waits while nothing is under way: for the end of the connection, or a `ping`.
    pub async fn idle(&mut self, target: &ServerUrl) -> DeliveryError {
        let closed = || super::http::no_answer(target, i18n::client::CONNECTION_CLOSED);
        match self {
            BeatChannel::Http(connection) => {
                connection.closed().await;
                DeliveryError::Lost(closed())
            }
            BeatChannel::Socket(socket) => loop {
                if let Err(failure) = socket.receive().await {
                    return DeliveryError::Lost(failure);
                }
            },
            BeatChannel::Lines(lines) => loop {
                match lines.receive().await {
                    Ok(LineAnswer::Ping) => return DeliveryError::Pings,
                    Ok(_) => {}
                    Err(failure) => return DeliveryError::Lost(failure),
                }
            },
        }
    }
}

impl BatchOutcome {
    fn failed(error: DeliveryError) -> BatchOutcome {
        BatchOutcome { error: Some(error), ..BatchOutcome::default() }
    }

    fn reject(&mut self, reason: &str) {
        self.rejected += 1;
        self.refuses_id |= is_of_id(reason);
        if self.reasons.len() < REASONS_MAX && !self.reasons.iter().any(|known| known == reason) {
            self.reasons.push(reason.to_string());
        }
    }

    fn warn(&mut self, warning: &str) {
        if !warning.is_empty() && self.warnings.len() < REASONS_MAX {
            self.warnings.push(one_line(warning).into_owned());
        }
    }

    /// As the end of a command.
    pub fn into_client_error(self, target: &ServerUrl) -> ClientError {
        match self.error {
            Some(error) => error.into_client_error(target),
            None => rejected(target, &self.reasons),
        }
    }

    fn of_id(self, refuses_id: bool) -> BatchOutcome {
        BatchOutcome { refuses_id, ..self }
    }

    /// Whether the server has answered at all.
    pub fn is_answer(&self) -> bool {
        self.settled > 0 || !matches!(self.error, Some(DeliveryError::Lost(_)) | None)
    }
}

/// Sends one beat over a connection of its own: `Ok` only when the server has accepted it, with its warnings.
///
/// # Errors
/// When the beat is not known to be accepted.
pub async fn send_one(settings: &ClientSettings, beat: OutgoingBeat) -> Result<Vec<String>, ClientError> {
    let within = Duration::from_millis(settings.timeout.0);
    let dialer = Dialer::new(settings)?;
    let mut channel = BeatChannel::open(&dialer, settings.token.as_ref(), false, within).await?;
    let id = beat.id().to_string();
    let outcome = channel.deliver(&[beat], &settings.to, within).await;
    if let BeatChannel::Socket(socket) = &mut channel {
        let _ = timeout(within, socket.close()).await;
    }
    match outcome {
        BatchOutcome { refuses_id: true, .. } => {
            Err(outcome.into_client_error(&settings.to).with_advice(&advice(&id)))
        }
        BatchOutcome { error: None, rejected: 0, warnings, .. } => Ok(warnings),
        _ => Err(outcome.into_client_error(&settings.to)),
    }
}

async fn by_lines(
    lines: &mut LineClient,
    beats: &[OutgoingBeat],
    target: &ServerUrl,
    within: Duration,
) -> BatchOutcome {
    let mut outcome = BatchOutcome::default();
    let text: String = beats.iter().map(OutgoingBeat::line).collect();
    match timeout(within, lines.send(&text)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return BatchOutcome::failed(DeliveryError::Lost(failure)),
        Err(_) => return BatchOutcome::failed(DeliveryError::Lost(silent(target, within))),
    }
    while outcome.settled < beats.len() {
        let error = match timeout(within, lines.receive()).await {
            Ok(Ok(LineAnswer::Ok(interval, warnings))) => {
                outcome.warn(&warnings);
                outcome.interval = interval.or(outcome.interval);
                outcome.settled += 1;
                continue;
            }
            Ok(Ok(LineAnswer::Err(reason))) => {
                outcome.reject(&reason);
                outcome.settled += 1;
                continue;
            }
            Ok(Ok(LineAnswer::Ping)) => DeliveryError::Pings,
            Ok(Err(failure)) => DeliveryError::Lost(failure),
            Err(_) => DeliveryError::Lost(silent(target, within)),
        };
        outcome.error = Some(error);
        break;
    }
    outcome
}

fn of_reply(reply: &ApiReply, sent: usize, target: &ServerUrl) -> BatchOutcome {
    let header = |name: &str| reply.headers.get(name).and_then(|value| value.to_str().ok());
    let seconds =
        |name: &str| header(name).and_then(|text| text.parse::<f64>().ok()).and_then(Span::from_secs_f64);
    if reply.status == 200 {
        let mut outcome = match reply.json(target) {
            Ok(value) => of_json(&value, sent, target),
            Err(failure) => BatchOutcome::failed(DeliveryError::Refused(failure)),
        };
        outcome.interval = seconds("heartbeat-interval").or(outcome.interval);
        return outcome;
    }
    let Err(failure) = reply.clone().ok(target) else {
        return BatchOutcome::failed(DeliveryError::Refused(not_ours(target, i18n::client::ANSWER_NO_JSON)));
    };
    let is_ours = serde_json::from_slice::<Value>(&reply.body).is_ok_and(|said| said.get("error").is_some());
    BatchOutcome::failed(match reply.status {
        429 => DeliveryError::Later(failure, seconds("retry-after")),
        // Proxies send 503 too, when their upstream is down.
        503 if is_ours => DeliveryError::Later(failure, seconds("retry-after")),
        500.. => DeliveryError::Lost(failure),
        400 | 413 | 422 => DeliveryError::Unfit(failure),
        _ => DeliveryError::Refused(failure),
    })
    .of_id(is_of_id(&reply.reason()))
}

/// The outcome that an answer in JSON tells: over HTTP with status 200, over WebSocket always.
fn of_json(said: &Value, sent: usize, target: &ServerUrl) -> BatchOutcome {
    let seconds = |name: &str| said.get(name).and_then(Value::as_f64).and_then(Span::from_secs_f64);
    let interval = seconds("interval_s");
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_string);
    if let Some(error) = text(said, "error") {
        let reason = match text(said, "field") {
            Some(field) => format!("{field}: {error}"),
            None => error,
        };
        let wait = seconds("retry_after_s").or(seconds("retry_after"));
        let failure = |code| {
            let reason = reason_text(&reason, said.get("key").and_then(Value::as_str));
            ClientError::new(code, i18n::client::refuses(target, &reason))
        };
        return BatchOutcome::failed(match said.get("key") {
            _ if wait.is_some() => DeliveryError::Later(failure(EX_TEMPFAIL), wait),
            Some(_) => DeliveryError::Refused(failure(EX_NOPERM)),
            None => DeliveryError::Unfit(failure(EX_DATAERR)),
        })
        .of_id(is_of_id(&reason));
    }
    let is_ok = said.get("status").and_then(Value::as_str) == Some("ok");
    let accepted = said.get("accepted").and_then(Value::as_u64);
    if !is_ok && accepted.is_none() {
        let nothing = not_ours(target, i18n::client::ANSWER_ACKNOWLEDGES_NOTHING);
        return BatchOutcome::failed(DeliveryError::Refused(nothing));
    }
    let mut outcome = BatchOutcome { settled: sent, interval, ..BatchOutcome::default() };
    for item in said.get("rejected").and_then(Value::as_array).into_iter().flatten().take(sent) {
        let error = text(item, "error").unwrap_or_default();
        match text(item, "field") {
            Some(field) => outcome.reject(&format!("{field}: {error}")),
            None => outcome.reject(&error),
        }
    }
    let more = said.get("rejected_more").and_then(Value::as_u64).unwrap_or(0);
    outcome.rejected +=
        usize::try_from(more).unwrap_or(usize::MAX).min(sent.saturating_sub(outcome.rejected));
    let warnings = said.get("warnings").and_then(Value::as_array).into_iter().flatten();
    warnings.filter_map(Value::as_str).for_each(|warning| outcome.warn(warning));
    outcome
}

/// Whether a reason says that an id is wrong, as answers in JSON do and as lines do.
fn is_of_id(reason: &str) -> bool {
    reason.strip_prefix("id").is_some_and(|rest| rest.starts_with([':', ' ']))
}

/// The server will never accept it.
fn rejected(target: &ServerUrl, reasons: &[String]) -> ClientError {
    let reasons: Vec<Text> = reasons.iter().map(|reason| reason_text(reason, None)).collect();
    let reasons = Text::joined(&reasons, i18n::client::SEMICOLON);
    ClientError::new(EX_DATAERR, i18n::client::rejects_beat(target, &reasons))
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
