//! What the agent has of one server: the machine that decides for it, and its connection. Nothing of it waits for another
//! server.

use super::connection::{AgentConnection, ConnectionOrder};
use super::core::AgentCore;
use super::event::{AgentCommand, AgentEvent, AgentPlan, AgentReport, ExchangeMode, KeptBeat};
use super::words;
use crate::client::beat::OutgoingBeat;
use crate::client::cli::DialectChoice;
use crate::client::config::{ClientSettings, EVERY};
use crate::client::dial::Dialer;
use crate::client::error::ClientError;
use crate::client::http::no_answer;
use crate::client::rng::Rng;
use crate::client::server_url::ServerProtocol;
use crate::domain::id::Id;
use crate::domain::time::{Mono, Now, Span};
use crate::i18n;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The default of the longest interval that a server can ask for.
const INTERVAL_ASKED_MAX: Span = Span::secs(3_600);
/// Most beats in a batch, and most lines sent before the first is answered.
const BATCH_MAX: usize = 1_000;
const LINES_MAX: usize = 100;

/// One server of the agent.
pub struct ServerLink {
    /// With the server as their only one.
    pub settings: Arc<ClientSettings>,
    /// The machine.
    pub core: AgentCore,
    dialer: Arc<Dialer>,
    connection: Option<AgentConnection>,
}

impl ServerLink {
    /// One for each server of the settings.
    ///
    /// # Errors
    /// When a certificate or a key cannot be used.
    pub fn for_all(settings: &ClientSettings, now: Now) -> Result<Vec<ServerLink>, ClientError> {
        let link = |one: ClientSettings| {
            let dialer = Arc::new(Dialer::new(&one)?);
            let core = AgentCore::new(now, plan(&one), Rng::new());
            Ok(ServerLink { settings: Arc::new(one), core, dialer, connection: None })
        };
        settings.per_server().into_iter().map(link).collect()
    }

    /// Goes on from what an earlier link knew of the same monitor at this server: beats that it kept are kept.
    pub fn take_over(&mut self, mut earlier: ServerLink, now: Now) {
        earlier.core.replan(now, plan(&self.settings));
        self.core = earlier.core;
    }

    /// Takes the event that has happened, or waits for it.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<AgentEvent> {
        let Some(connection) = &mut self.connection else { return Poll::Pending };
        // The task sends Lost before it ends; this is for one that panicked.
        let next = connection.poll_event(cx);
        let event = next.map(|event| {
            event.unwrap_or_else(|| {
                AgentEvent::Lost(no_answer(&self.settings.to, i18n::client::CONNECTION_LOST))
            })
        });
        if matches!(event, Poll::Ready(AgentEvent::Lost(_))) {
            self.connection = None;
        }
        event
    }

    /// Carries out all commands of the machine; what is to be reported is left to the caller.
    pub fn carry_out_commands(&mut self, id: &Id) -> Vec<AgentReport> {
        let mut reports = Vec::new();
        while let Some(command) = self.core.next_command() {
            match command {
                AgentCommand::Connect => {
                    let (dialer, settings) = (self.dialer.clone(), self.settings.clone());
                    let may_ping = settings.dialect == DialectChoice::Auto;
                    let mode = plan(&self.settings).mode;
                    self.connection = Some(AgentConnection::open(dialer, settings, mode, may_ping));
                }
                AgentCommand::HangUp => self.connection = None,
                AgentCommand::Deliver(notes) => {
                    let beats = notes.into_iter().map(|note| self.beat(id, note)).collect();
                    self.order(ConnectionOrder::Deliver(beats));
                }
                AgentCommand::Speak => self.order(ConnectionOrder::Speak),
                AgentCommand::Report(report) => reports.push(report),
            }
        }
        reports
    }

    fn beat(&self, id: &Id, note: KeptBeat) -> OutgoingBeat {
        OutgoingBeat::of(id).at(note.seq, note.at).every(Some(plan(&self.settings).every))
    }

    /// Queues an order. Where it is not queued, the connection has ended and its last event is about to come.
    fn order(&self, order: ConnectionOrder) {
        if let Some(connection) = &self.connection {
            connection.send_order(order);
        }
    }

    /// Where things stand with this server.
    pub fn status(&self, now: Mono) -> String {
        words::status(&self.settings, &self.core.status(now))
    }
}

/// What happens next at any of the servers, and at which.
pub async fn next_event(links: &mut [ServerLink]) -> (usize, AgentEvent) {
    poll_fn(|cx| {
        for (index, link) in links.iter_mut().enumerate() {
            if let Poll::Ready(event) = link.poll_event(cx) {
                return Poll::Ready((index, event));
            }
        }
        Poll::Pending
    })
    .await
}

/// What the settings mean for the machine.
pub fn plan(settings: &ClientSettings) -> AgentPlan {
    let (mode, batch_max) = match (settings.to.protocol, settings.dialect) {
        (ServerProtocol::Http, _) => (ExchangeMode::Asking, BATCH_MAX),
        (ServerProtocol::WebSocket, _) => (ExchangeMode::Holding, BATCH_MAX),
        (ServerProtocol::Tcp, DialectChoice::Auto | DialectChoice::Line) => {
            (ExchangeMode::Holding, LINES_MAX)
        }
        (ServerProtocol::Tcp, DialectChoice::Pong) => (ExchangeMode::Pong, 1),
        (ServerProtocol::Tcp, DialectChoice::Hello) => (ExchangeMode::Hello, 1),
        (ServerProtocol::Tcp, DialectChoice::Frame) => (ExchangeMode::Frame, 1),
    };
    let every = settings.every.unwrap_or(EVERY);
    // A bound by default, so that a faulty server cannot silence the agent for long.
    let interval_max =
        settings.interval_max.unwrap_or(Span(every.0.saturating_mul(10)).min(INTERVAL_ASKED_MAX));
    AgentPlan { every, interval_max: interval_max.max(every), timeout: settings.timeout, mode, batch_max }
}
