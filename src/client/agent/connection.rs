//! A connection of the agent, as a task of its own: orders go in, events come out. Dropping it aborts the task and closes
//! the connection; no event follows.

use super::event::{AgentEvent, ExchangeMode};
use crate::client::beat::OutgoingBeat;
use crate::client::buffered_stream::BufferedStream;
use crate::client::channel::{BeatChannel, DeliveryError};
use crate::client::config::ClientSettings;
use crate::client::dial::{Dialer, said};
use crate::client::http::{no_answer, silent};
use crate::client::server_url::ServerUrl;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Most queued orders, and most queued events.
const WAITING_MAX: usize = 64;

/// An order to the task.
#[derive(Debug)]
pub enum ConnectionOrder {
    /// Send a batch; [`AgentEvent::Delivered`] follows.
    Deliver(Vec<OutgoingBeat>),
    /// Send the dialect's sign of life.
    Speak,
}

/// A connection.
#[derive(Debug)]
pub struct AgentConnection {
    orders: Sender<ConnectionOrder>,
    events: Receiver<AgentEvent>,
    task: JoinHandle<()>,
}

impl AgentConnection {
    /// Spawns the task, which begins to connect.
    pub fn open(
        dialer: Arc<Dialer>,
        settings: Arc<ClientSettings>,
        mode: ExchangeMode,
        may_ping: bool,
    ) -> AgentConnection {
        let (orders, wanted) = channel(WAITING_MAX);
        let (happens, events) = channel(WAITING_MAX);
        let within = Duration::from_millis(settings.timeout.0);
        let ends = ConnectionTask { target: settings.to.clone(), within, orders: wanted, events: happens };
        let task = tokio::spawn(async move {
            match mode {
                ExchangeMode::Asking | ExchangeMode::Holding => {
                    ends.run_answered(&dialer, &settings, may_ping).await
                }
                _ => ends.run_bare(&dialer, mode).await,
            }
        });
        AgentConnection { orders, events, task }
    }

    /// The next event; `None` after the last.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<AgentEvent>> {
        self.events.poll_recv(cx)
    }

    /// Queues an order; false when the task has ended or its queue is full.
    pub fn send_order(&self, send_order: ConnectionOrder) -> bool {
        self.orders.try_send(send_order).is_ok()
    }
}

impl Drop for AgentConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task's ends of the queues.
struct ConnectionTask {
    target: ServerUrl,
    within: Duration,
    orders: Receiver<ConnectionOrder>,
    events: Sender<AgentEvent>,
}

impl ConnectionTask {
    async fn emit(&self, next_event: AgentEvent) {
        // The receiver is gone: the task is being aborted.
        let _ = self.events.send(next_event).await;
    }

    async fn run_answered(mut self, dialer: &Dialer, settings: &ClientSettings, may_ping: bool) {
        let token = settings.token.as_ref();
        let mut channel = match BeatChannel::open(dialer, token, may_ping, self.within).await {
            Ok(channel) => channel,
            Err(failure) => return self.emit(AgentEvent::Lost(failure)).await,
        };
        self.emit(AgentEvent::Connected).await;
        loop {
            tokio::select! {
                send_order = self.orders.recv() => match send_order {
                    Some(ConnectionOrder::Deliver(beats)) => {
                        let delivery = channel.deliver(&beats, &self.target, self.within).await;
                        let pings = delivery.error == Some(DeliveryError::Pings);
                        self.emit(AgentEvent::Delivered(delivery)).await;
                        if pings {
                            break;
                        }
                    }
                    Some(ConnectionOrder::Speak) => {}
                    None => return,
                },
                error = channel.idle(&self.target) => match error {
                    DeliveryError::Pings => {
                        self.emit(AgentEvent::Pings).await;
                        break;
                    }
                    error => return self.emit(AgentEvent::Lost(error.into_client_error(&self.target))).await,
                },
            }
        }
        if let BeatChannel::Lines(lines) = channel {
            let mut pipe = lines.pipe;
            // The ping that ended the line dialect has not been answered.
            pipe.out.extend_from_slice(PONG);
            self.exchange(pipe, ExchangeMode::Pong).await;
        }
    }

    async fn run_bare(self, dialer: &Dialer, mode: ExchangeMode) {
        match dialer.dial(self.within).await {
            Ok(stream) => {
                self.emit(AgentEvent::Connected).await;
                self.exchange(BufferedStream::new(stream), mode).await;
            }
            Err(failure) => self.emit(AgentEvent::Lost(failure)).await,
        }
    }

    async fn exchange(mut self, mut pipe: BufferedStream, mode: ExchangeMode) {
        let failure = loop {
            match timeout(self.within, pipe.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => break no_answer(&self.target, said(&error)),
                Err(_) => break silent(&self.target, self.within),
            }
            tokio::select! {
                read = pipe.fill() => match read {
                    Ok(()) => {
                        match mode {
                            ExchangeMode::Pong if take_pings(&mut pipe.input) => pipe.out.extend_from_slice(PONG),
                            ExchangeMode::Pong => {}
                            _ => pipe.input.clear(),
                        }
                        if mode != ExchangeMode::Frame {
                            self.emit(AgentEvent::Heard).await;
                        }
                    }
                    Err(error) => break no_answer(&self.target, said(&error)),
                },
                send_order = self.orders.recv() => match send_order {
                    Some(ConnectionOrder::Speak) if mode == ExchangeMode::Hello => pipe.out.extend_from_slice(HELLO),
                    Some(ConnectionOrder::Speak) if mode == ExchangeMode::Frame => pipe.out.extend_from_slice(&HEART),
                    Some(_) => {}
                    None => return,
                },
            }
        };
        self.emit(AgentEvent::Lost(failure)).await;
    }
}

const PONG: &[u8] = b"pong";
const HELLO: &[u8] = b"hello server";
/// Type 0, length 0, four bytes each; zero in whatever order.
const HEART: [u8; 8] = [0; 8];

/// Whether the input holds a `ping`; only the beginning of one is left in it. Several are answered by one `pong`: a server that
/// compares what it reads with `pong` would not recognise two in one segment.
fn take_pings(input: &mut Vec<u8>) -> bool {
    const PING: &[u8] = b"ping";
    let heard = input.windows(PING.len()).any(|part| part == PING);
    let begun = (1..PING.len()).rev().find(|length| input.ends_with(&PING[..*length])).unwrap_or(0);
    input.drain(..input.len() - begun);
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_heard_however_they_are_cut_or_merged() {
        for text in ["ping", "pingping", "noise ping", "pipiping"] {
            for cut in 0..=text.len() {
                let mut input = text.as_bytes()[..cut].to_vec();
                let first = take_pings(&mut input);
                input.extend_from_slice(&text.as_bytes()[cut..]);
                let second = take_pings(&mut input);
                assert!(first || second, "{text} cut at {cut}");
                assert!(input.is_empty(), "{text} cut at {cut}");
            }
        }
        let mut input = b"pong\npi".to_vec();
        assert!(!take_pings(&mut input));
        assert_eq!(input, b"pi");
        let mut flood = vec![b'p'; 100_000];
        assert!(!take_pings(&mut flood));
        assert_eq!(flood, b"p", "what is kept has a bound");
    }
}
