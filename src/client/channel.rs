//! Beats with answers, over whatever the URL says: HTTP, WebSocket or lines. A batch goes out, and what became of it
//! comes back; one batch at a time.

use super::beat::{Outgoing, json};
use super::config::Settings;
use super::dial::Dialer;
use super::failure::{EX_DATAERR, EX_NOPERM, EX_TEMPFAIL, Failure};
use super::http::{Ask, Link, Reply, not_ours, reason_zh, silent};
use super::line::{Heard, Lines};
use super::run::name::advice;
use super::socket::Socket;
use super::target::{Protocol, Target};
use crate::domain::access::Token;
use crate::domain::time::Span;
use crate::view::words::one_line;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Reasons that are kept of a batch.
const REASONS_MAX: usize = 3;

/// A connection on which beats are answered.
#[derive(Debug)]
pub enum Channel {
    /// HTTP.
    Http(Box<Link>),
    /// WebSocket.
    Socket(Box<Socket>),
    /// Lines over raw TCP.
    Lines(Box<Lines>),
}

/// What became of a batch: of the beats, in their order, that many are settled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// Beats that the server has taken or will never take.
    pub settled: usize,
    /// How many of them it will never take.
    pub rejected: usize,
    /// Why, of some.
    pub reasons: Vec<String>,
    /// What of those that it has taken it left out, of some.
    pub warnings: Vec<String>,
    /// The interval it wants.
    pub interval: Option<Span>,
    /// Whether one of them was not taken because of its id.
    pub refuses_id: bool,
    /// Why the rest is not settled.
    pub hitch: Option<Hitch>,
}

/// Why beats are not settled.
#[derive(Clone, Debug, PartialEq)]
pub enum Hitch {
    /// There is no answer, and the connection is of no use any more.
    Lost(Failure),
    /// The server answers, and will not take beats of ours.
    Refused(Failure),
    /// It may take them later.
    Later(Failure, Option<Span>),
    /// It does not like this batch.
    Unfit(Failure),
    /// It says `ping`, and so speaks another dialect.
    Pings,
}

impl Hitch {
    /// As the end of a command.
    pub fn into_failure(self, target: &Target) -> Failure {
        match self {
            Hitch::Lost(failure) | Hitch::Refused(failure) | Hitch::Unfit(failure) => failure,
            Hitch::Later(failure, _) => failure,
            Hitch::Pings => not_ours(target, "it says ping", "它说 ping"),
        }
    }
}

impl Channel {
    /// Connects. `may_ping`: whether a server over raw TCP may turn out to be one that says `ping`.
    ///
    /// # Errors
    /// When there is no connection within the time.
    pub async fn open(
        dialer: &Dialer,
        token: Option<&Token>,
        may_ping: bool,
        within: Duration,
    ) -> Result<Channel, Failure> {
        Ok(match dialer.target().protocol {
            Protocol::Http => Channel::Http(Box::new(Link::open(dialer, token.cloned(), within).await?)),
            Protocol::WebSocket => Channel::Socket(Box::new(Socket::open(dialer, token, within).await?)),
            Protocol::Tcp => Channel::Lines(Box::new(Lines::open(dialer, token, may_ping, within).await?)),
        })
    }

    /// Sends a batch and waits for what becomes of it; each answer may take that long.
    pub async fn deliver(&mut self, beats: &[Outgoing], target: &Target, within: Duration) -> Delivery {
        match self {
            Channel::Http(link) => match link.ask(Ask::beats(json(beats)), within).await {
                Ok(reply) => of_reply(&reply, beats.len(), target),
                Err(failure) => Delivery::hitch(Hitch::Lost(failure)),
            },
            Channel::Socket(socket) => {
                let answer = async {
                    socket.say(&json(beats)).await?;
                    socket.hear().await
                };
                match timeout(within, answer).await {
                    Ok(Ok(value)) => of_json(&value, beats.len(), target),
                    Ok(Err(failure)) => Delivery::hitch(Hitch::Lost(failure)),
                    Err(_) => Delivery::hitch(Hitch::Lost(silent(target, within))),
                }
            }
            Channel::Lines(lines) => by_lines(lines, beats, target, within).await,
        }
    }

    /// Waits, while nothing is under way, for something to happen: the end of the connection, or a `ping`.
    pub async fn idle(&mut self, target: &Target) -> Hitch {
        let closed = || super::http::no_answer(target, "the connection was closed");
        match self {
            Channel::Http(link) => {
                link.ended().await;
                Hitch::Lost(closed())
            }
            Channel::Socket(socket) => loop {
                if let Err(failure) = socket.hear().await {
                    return Hitch::Lost(failure);
                }
            },
            Channel::Lines(lines) => loop {
                match lines.hear().await {
                    Ok(Heard::Ping) => return Hitch::Pings,
                    Ok(_) => {}
                    Err(failure) => return Hitch::Lost(failure),
                }
            },
        }
    }
}

impl Delivery {
    fn hitch(hitch: Hitch) -> Delivery {
        Delivery { hitch: Some(hitch), ..Delivery::default() }
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
    pub fn into_failure(self, target: &Target) -> Failure {
        match self.hitch {
            Some(hitch) => hitch.into_failure(target),
            None => rejected(target, &self.reasons),
        }
    }

    fn of_id(self, refuses_id: bool) -> Delivery {
        Delivery { refuses_id, ..self }
    }

    /// Whether the server has answered at all.
    pub fn is_answer(&self) -> bool {
        self.settled > 0 || !matches!(self.hitch, Some(Hitch::Lost(_)) | None)
    }
}

/// One beat over a connection of its own: `Ok` only when the server has taken it, with what it left out.
///
/// # Errors
/// Why it is not known to be taken.
pub async fn send_one(settings: &Settings, beat: Outgoing) -> Result<Vec<String>, Failure> {
    let within = Duration::from_millis(settings.timeout.0);
    let dialer = Dialer::new(settings)?;
    let mut channel = Channel::open(&dialer, settings.token.as_ref(), false, within).await?;
    let id = beat.id().to_string();
    let outcome = channel.deliver(&[beat], &settings.to, within).await;
    if let Channel::Socket(socket) = &mut channel {
        let _ = timeout(within, socket.close()).await;
    }
    match outcome {
        Delivery { refuses_id: true, .. } => Err(outcome.into_failure(&settings.to).advise(&advice(&id))),
        Delivery { hitch: None, rejected: 0, warnings, .. } => Ok(warnings),
        _ => Err(outcome.into_failure(&settings.to)),
    }
}

async fn by_lines(lines: &mut Lines, beats: &[Outgoing], target: &Target, within: Duration) -> Delivery {
    let mut delivery = Delivery::default();
    let text: String = beats.iter().map(Outgoing::line).collect();
    match timeout(within, lines.say(&text)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return Delivery::hitch(Hitch::Lost(failure)),
        Err(_) => return Delivery::hitch(Hitch::Lost(silent(target, within))),
    }
    while delivery.settled < beats.len() {
        let hitch = match timeout(within, lines.hear()).await {
            Ok(Ok(Heard::Ok(interval, warnings))) => {
                delivery.warn(&warnings);
                delivery.interval = interval.or(delivery.interval);
                delivery.settled += 1;
                continue;
            }
            Ok(Ok(Heard::Err(reason))) => {
                delivery.reject(&reason);
                delivery.settled += 1;
                continue;
            }
            Ok(Ok(Heard::Ping)) => Hitch::Pings,
            Ok(Err(failure)) => Hitch::Lost(failure),
            Err(_) => Hitch::Lost(silent(target, within)),
        };
        delivery.hitch = Some(hitch);
        break;
    }
    delivery
}

fn of_reply(reply: &Reply, sent: usize, target: &Target) -> Delivery {
    let header = |name: &str| reply.headers.get(name).and_then(|value| value.to_str().ok());
    let seconds =
        |name: &str| header(name).and_then(|text| text.parse::<f64>().ok()).and_then(Span::from_secs_f64);
    if reply.status == 200 {
        let mut delivery = match reply.json(target) {
            Ok(value) => of_json(&value, sent, target),
            Err(_) => {
                Delivery::hitch(Hitch::Refused(not_ours(target, "its answer is no JSON", "应答不是 JSON")))
            }
        };
        delivery.interval = seconds("heartbeat-interval").or(delivery.interval);
        return delivery;
    }
    let Err(failure) = reply.clone().ok(target) else {
        return Delivery::hitch(Hitch::Refused(not_ours(target, "its answer is no JSON", "应答不是 JSON")));
    };
    let is_ours = serde_json::from_slice::<Value>(&reply.body).is_ok_and(|said| said.get("error").is_some());
    Delivery::hitch(match reply.status {
        429 => Hitch::Later(failure, seconds("retry-after")),
        // Proxies say it too, when there is nobody behind them.
        503 if is_ours => Hitch::Later(failure, seconds("retry-after")),
        500.. => Hitch::Lost(failure),
        400 | 413 | 422 => Hitch::Unfit(failure),
        _ => Hitch::Refused(failure),
    })
    .of_id(is_of_id(&reply.reason()))
}

/// What the JSON of an answer says, over HTTP after 200, over WebSocket always.
fn of_json(said: &Value, sent: usize, target: &Target) -> Delivery {
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
            let zh = reason_zh(&reason, said.get("key").and_then(Value::as_str));
            Failure::new(code, format!("{target} refuses: {reason}"), format!("{target} 拒绝：{zh}"))
        };
        return Delivery::hitch(match said.get("key") {
            _ if wait.is_some() => Hitch::Later(failure(EX_TEMPFAIL), wait),
            Some(_) => Hitch::Refused(failure(EX_NOPERM)),
            None => Hitch::Unfit(failure(EX_DATAERR)),
        })
        .of_id(is_of_id(&reason));
    }
    let is_ok = said.get("status").and_then(Value::as_str) == Some("ok");
    let accepted = said.get("accepted").and_then(Value::as_u64);
    if !is_ok && accepted.is_none() {
        return Delivery::hitch(Hitch::Refused(not_ours(
            target,
            "its answer acknowledges nothing",
            "应答没有确认任何心跳",
        )));
    }
    let mut delivery = Delivery { settled: sent, interval, ..Delivery::default() };
    for item in said.get("rejected").and_then(Value::as_array).into_iter().flatten().take(sent) {
        let error = text(item, "error").unwrap_or_default();
        match text(item, "field") {
            Some(field) => delivery.reject(&format!("{field}: {error}")),
            None => delivery.reject(&error),
        }
    }
    let more = said.get("rejected_more").and_then(Value::as_u64).unwrap_or(0);
    delivery.rejected +=
        usize::try_from(more).unwrap_or(usize::MAX).min(sent.saturating_sub(delivery.rejected));
    let warnings = said.get("warnings").and_then(Value::as_array).into_iter().flatten();
    warnings.filter_map(Value::as_str).for_each(|warning| delivery.warn(warning));
    delivery
}

/// Whether a reason says that an id is wrong, as answers in JSON do and as lines do.
fn is_of_id(reason: &str) -> bool {
    reason.strip_prefix("id").is_some_and(|rest| rest.starts_with([':', ' ']))
}

/// The server will never take it.
fn rejected(target: &Target, reasons: &[String]) -> Failure {
    let zh: Vec<String> = reasons.iter().map(|reason| reason_zh(reason, None)).collect();
    Failure::new(
        EX_DATAERR,
        format!("{target} rejects the beat: {}", reasons.join("; ")),
        format!("{target} 不接受此心跳：{}", zh.join("；")),
    )
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
