//! A WebSocket from the client's side: the handshake, JSON texts out, JSON texts in, pings answered on the way.

use super::buffered_stream::BufferedStream;
use super::dial::{Dialer, said};
use super::error::{ClientError, EX_NOPERM, EX_PROTOCOL, EX_TEMPFAIL};
use super::http::{no_answer, not_ours};
use super::rng::unguessable;
use super::sanitize;
use super::server_url::ServerUrl;
use crate::domain::access::Token;
use crate::i18n::{self, Text};
use crate::wire::ws::handshake::{self, HandshakeKey, NotOpened};
use crate::wire::ws::{Code, Mask, Opcode, Role, Session, WsEvent};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Longest message that is read.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The path where the URL has none.
const PATH: &str = "/ws";

/// A connection.
#[derive(Debug)]
pub struct WebSocketClient {
    pipe: BufferedStream,
    session: Session,
    target: ServerUrl,
}

impl WebSocketClient {
    /// Connects and performs the handshake (RFC 6455, 4.1).
    ///
    /// # Errors
    /// When there is no WebSocket within the time.
    pub async fn open(
        dialer: &Dialer,
        token: Option<&Token>,
        within: Duration,
    ) -> Result<WebSocketClient, ClientError> {
        let target = dialer.target().clone();
        let shaking = async {
            let mut pipe = BufferedStream::new(dialer.dial(within).await?);
            let key = key();
            let path = if target.path.is_empty() { PATH } else { &target.path };
            let bearer = token.map(|token| String::from_utf8_lossy(token.reveal()).into_owned());
            pipe.out = handshake::request(&target.authority(), path, bearer.as_deref(), key);
            pipe.flush().await.map_err(|e| no_answer(&target, said(&e)))?;
            loop {
                match handshake::check(&pipe.input, key) {
                    Ok(Some(head)) => {
                        pipe.take_input(head);
                        return Ok(pipe);
                    }
                    Ok(None) => pipe.fill().await.map_err(|e| no_answer(&target, said(&e)))?,
                    Err(why) => return Err(not_opened(&target, why)),
                }
            }
        };
        match timeout(within, shaking).await {
            Ok(pipe) => Ok(WebSocketClient { pipe: pipe?, session: Session::new(Role::Client), target }),
            Err(_) => Err(super::http::silent(&target, within)),
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn send(&mut self, text: &str) -> Result<(), ClientError> {
        self.session.send(Opcode::Text, text.as_bytes(), Some(mask()), &mut self.pipe.out);
        self.flush().await
    }

    /// The next message that is JSON; pings on the way are answered, other texts passed over.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn receive(&mut self) -> Result<Value, ClientError> {
        loop {
            self.flush().await?;
            match self.next_event() {
                Progress::Heard(message) => return Ok(message),
                Progress::On => {}
                Progress::More => self.pipe.fill().await.map_err(|e| no_answer(&self.target, said(&e)))?,
                Progress::Over(failure) => {
                    let _ = self.pipe.flush().await;
                    return Err(failure);
                }
            }
        }
    }

    /// Takes one event from the input and queues its reply.
    fn next_event(&mut self) -> Progress {
        let mut input = std::mem::take(&mut self.pipe.input);
        let (used, next_event) = match self.session.next(&mut input, MESSAGE_BYTES_MAX) {
            Ok((used, event)) => {
                if let Some(event) = &event {
                    self.session.reply(event, Some(mask()), &mut self.pipe.out);
                }
                let next_event = match event {
                    Some(WsEvent::Message { text: true, bytes }) => serde_json::from_slice(&bytes)
                        .map_or(Progress::On, |said| Progress::Heard(sanitize::value(said))),
                    Some(WsEvent::Close { code, reason }) => {
                        let code = code.map(|code| format!(" {}", code.0)).unwrap_or_default();
                        let why = format!("{code} {reason}");
                        Progress::Over(no_answer(&self.target, i18n::client::closed(&why.trim_end())))
                    }
                    Some(_) => Progress::On,
                    None => Progress::More,
                };
                (used, next_event)
            }
            Err(fault) => {
                let reason = fault.reason().into_owned();
                self.session.close(fault.code(), &reason, Some(mask()), &mut self.pipe.out);
                (0, Progress::Over(not_ours(&self.target, Text::foreign(reason))))
            }
        };
        input.drain(..used.min(input.len()));
        self.pipe.input = input;
        next_event
    }

    /// Sends a close frame; errors do not matter any more.
    pub async fn close(&mut self) {
        self.session.close(Code::NORMAL, "", Some(mask()), &mut self.pipe.out);
        let _ = self.pipe.flush().await;
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        self.pipe.flush().await.map_err(|e| no_answer(&self.target, said(&e)))
    }
}

/// The result of one step over the input.
enum Progress {
    /// A message.
    Heard(Value),
    /// Something else; there may be more behind it.
    On,
    /// Nothing: all input is used up.
    More,
    /// The end.
    Over(ClientError),
}

fn not_opened(target: &ServerUrl, why: NotOpened) -> ClientError {
    let code = match why {
        NotOpened::Status(401 | 403) => EX_NOPERM,
        NotOpened::Status(429 | 503) => EX_TEMPFAIL,
        NotOpened::Status(500..) => return no_answer(target, Text::foreign(why.to_string())),
        _ => EX_PROTOCOL,
    };
    ClientError::new(code, i18n::client::no_web_socket(target, &Text::foreign(why.to_string())))
}

fn key() -> HandshakeKey {
    let mut key = HandshakeKey::default();
    key[..8].copy_from_slice(&unguessable().to_le_bytes());
    key[8..].copy_from_slice(&unguessable().to_le_bytes());
    key
}

fn mask() -> Mask {
    (unguessable() as u32).to_le_bytes()
}
