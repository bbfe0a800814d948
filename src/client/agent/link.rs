//! A connection of the agent, as a task of its own: orders go in, events come out. Given up by dropping it; then nothing
//! more is heard of it.

use super::core::{Event, Speech};
use crate::client::beat::Outgoing;
use crate::client::channel::{Channel, Hitch};
use crate::client::config::Settings;
use crate::client::dial::{Dialer, said};
use crate::client::http::{no_answer, silent};
use crate::client::pipe::Pipe;
use crate::client::target::Target;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Orders and events that may wait.
const WAITING_MAX: usize = 64;

/// What a connection is to do.
#[derive(Debug)]
pub enum Order {
    /// Send a batch and say what becomes of it.
    Deliver(Vec<Outgoing>),
    /// Say what the dialect says.
    Speak,
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    orders: Sender<Order>,
    events: Receiver<Event>,
    task: JoinHandle<()>,
}

impl Link {
    /// Begins to connect.
    pub fn open(dialer: Arc<Dialer>, settings: Arc<Settings>, speech: Speech, may_ping: bool) -> Link {
        let (orders, wanted) = channel(WAITING_MAX);
        let (happens, events) = channel(WAITING_MAX);
        let within = Duration::from_millis(settings.timeout.0);
        let ends = End { target: settings.to.clone(), within, orders: wanted, events: happens };
        let task = tokio::spawn(async move {
            match speech {
                Speech::Asking | Speech::Holding => ends.answered(&dialer, &settings, may_ping).await,
                _ => ends.bare(&dialer, speech).await,
            }
        });
        Link { orders, events, task }
    }

    /// What happens next on it.
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Has it do something; false when it is not to be spoken to any more.
    pub fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task's own side.
struct End {
    target: Target,
    within: Duration,
    orders: Receiver<Order>,
    events: Sender<Event>,
}

impl End {
    async fn tell(&self, event: Event) {
        // Nobody listens any more: the task is about to be ended.
        let _ = self.events.send(event).await;
    }

    async fn answered(mut self, dialer: &Dialer, settings: &Settings, may_ping: bool) {
        let token = settings.token.as_ref();
        let mut channel = match Channel::open(dialer, token, may_ping, self.within).await {
            Ok(channel) => channel,
            Err(failure) => return self.tell(Event::Lost(failure)).await,
        };
        self.tell(Event::Connected).await;
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Deliver(beats)) => {
                        let delivery = channel.deliver(&beats, &self.target, self.within).await;
                        let pings = delivery.hitch == Some(Hitch::Pings);
                        self.tell(Event::Delivered(delivery)).await;
                        if pings {
                            break;
                        }
                    }
                    Some(Order::Speak) => {}
                    None => return,
                },
                hitch = channel.idle(&self.target) => match hitch {
                    Hitch::Pings => {
                        self.tell(Event::Pings).await;
                        break;
                    }
                    hitch => return self.tell(Event::Lost(hitch.into_failure(&self.target))).await,
                },
            }
        }
        if let Channel::Lines(lines) = channel {
            let mut pipe = lines.pipe;
            // The one that was heard has not been answered.
            pipe.out.extend_from_slice(PONG);
            self.talk(pipe, Speech::Pong).await;
        }
    }

    async fn bare(self, dialer: &Dialer, speech: Speech) {
        match dialer.dial(self.within).await {
            Ok(stream) => {
                self.tell(Event::Connected).await;
                self.talk(Pipe::new(stream), speech).await;
            }
            Err(failure) => self.tell(Event::Lost(failure)).await,
        }
    }

    async fn talk(mut self, mut pipe: Pipe, speech: Speech) {
        let failure = loop {
            match timeout(self.within, pipe.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => break no_answer(&self.target, &said(&error)),
                Err(_) => break silent(&self.target, self.within),
            }
            tokio::select! {
                read = pipe.more() => match read {
                    Ok(()) => {
                        match speech {
                            Speech::Pong if take_pings(&mut pipe.input) => pipe.out.extend_from_slice(PONG),
                            Speech::Pong => {}
                            _ => pipe.input.clear(),
                        }
                        if speech != Speech::Frame {
                            self.tell(Event::Heard).await;
                        }
                    }
                    Err(error) => break no_answer(&self.target, &said(&error)),
                },
                order = self.orders.recv() => match order {
                    Some(Order::Speak) if speech == Speech::Hello => pipe.out.extend_from_slice(HELLO),
                    Some(Order::Speak) if speech == Speech::Frame => pipe.out.extend_from_slice(&HEART),
                    Some(_) => {}
                    None => return,
                },
            }
        };
        self.tell(Event::Lost(failure)).await;
    }
}

const PONG: &[u8] = b"pong";
const HELLO: &[u8] = b"hello server";
/// Type 0, length 0, four bytes each; zero in whatever order.
const HEART: [u8; 8] = [0; 8];

/// Takes what has come and says whether there was a `ping` in it; the beginning of one stays. Several are owed one
/// answer: two would be taken for one word by a server that compares what it reads with `pong`.
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
