//! `heartbeat agent`: sends beats for as long as it runs, and reports whether the server answers.
//!
//! [`core`] decides, without clock or socket. This is the loop around it: it reads the clock, holds the one connection
//! ([`connection`]), writes the log, runs hooks ([`hook`]) and talks to the service manager. READY=1 is sent as soon as it
//! runs, not when the server has answered: a machine must boot with a dead server too.

mod connection;
mod core;
mod event;
mod hook;
mod words;

use super::beat::OutgoingBeat;
use super::cli::{ClientArgs, ClientTask, DialectChoice};
use super::config::{ClientSettings, EVERY};
use super::dial::Dialer;
use super::error::{ClientError, EX_IOERR, EX_OSERR};
use super::http::no_answer;
use super::rng::Rng;
use super::server_url::ServerProtocol;
use crate::config::Env;
use crate::domain::id::Id;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use crate::sys::clock;
use crate::sys::log::{Format, Log, LogOptions, Target, TargetOptions};
use crate::sys::service::Service;
use crate::sys::signals::{self, Event as SignalEvent};
use connection::{AgentConnection, ConnectionOrder};
use core::AgentCore;
use event::{AgentCommand, AgentEvent, AgentPlan, AgentReport, ExchangeMode, KeptBeat};
use hook::{Hook, Hooks};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

/// Signals that may wait.
const WISHES_MAX: usize = 16;
/// The default of the longest interval that a server can ask for.
const INTERVAL_ASKED_MAX: Span = Span::secs(3_600);
/// The longest sleep: so long it may take to notice that the machine has slept.
const SLEEP_MAX: Span = Span::secs(10);
/// A sleep of the machine that counts as one.
const ASLEEP_MIN: Span = Span::secs(2);
/// How often STATUS= is sent to the service manager.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// Most beats in a batch, and most lines sent before the first is answered.
const BATCH_MAX: usize = 1_000;
const LINES_MAX: usize = 100;

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot even start.
pub fn run(args: &ClientArgs, env: &Env, settings: &ClientSettings) -> Result<u8, ClientError> {
    // It changes the environment, so it precedes any thread.
    let service = Service::from_env();
    let id = settings.id_or_host()?;
    let dialer = Dialer::new(settings)?;
    let log = Log::open(log_options(args, env, settings))
        .map_err(|error| ClientError::new(EX_IOERR, Text::of(|lang| error.sentence(lang))))?;
    let (post, signals_seen) = channel(WISHES_MAX);
    signals::watch(move |signal| _ = post.try_send(signal))
        .map_err(|error| ClientError::new(EX_OSERR, i18n::client::cannot_watch_signals(&error)))?;
    let done = super::until_done(async {
        let core = AgentCore::new(clock::now(), plan(settings), Rng::new());
        let agent = RunningAgent {
            hooks: Hooks::start(log.clone(), settings.lang),
            settings: Arc::new(settings.clone()),
            id,
            dialer: Arc::new(dialer),
            core,
            connection: None,
            log: log.clone(),
        };
        agent.serve(args, env, &service, signals_seen).await
    });
    log.close();
    done
}

/// The agent at work.
struct RunningAgent {
    settings: Arc<ClientSettings>,
    id: Id,
    dialer: Arc<Dialer>,
    core: AgentCore,
    connection: Option<AgentConnection>,
    hooks: Hooks,
    log: Log,
}

impl RunningAgent {
    async fn serve(
        mut self,
        args: &ClientArgs,
        env: &Env,
        service: &Service,
        mut signals_seen: Receiver<SignalEvent>,
    ) -> Result<u8, ClientError> {
        let text = words::started(&self.settings, self.id.as_str(), plan(&self.settings).every);
        self.note(Level::Info, "started", text);
        service.ready(&self.status());
        let every =
            service.watchdog_interval().map_or(STATUS_EVERY, |interval| (interval / 3).min(STATUS_EVERY));
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut asleep = clock::asleep();
        self.core.run_due(clock::now());
        loop {
            while let Some(command) = self.core.next_command() {
                self.carry_out(command);
            }
            let now = clock::now();
            let slept = std::mem::replace(&mut asleep, clock::asleep());
            if asleep.0.saturating_sub(slept.0) >= ASLEEP_MIN.0 {
                self.core.handle(now, AgentEvent::Woke);
                continue;
            }
            let nap = self.core.next_wakeup().since(now.mono).min(SLEEP_MAX);
            tokio::select! {
                event = event_of(&mut self.connection, &self.settings) => {
                    if matches!(event, AgentEvent::Lost(_)) {
                        self.connection = None;
                    }
                    self.core.handle(clock::now(), event);
                }
                () = sleep(Duration::from_millis(nap.0)) => self.core.run_due(clock::now()),
                signal = signals_seen.recv() => match signal {
                    Some(SignalEvent::Reload) => self.reload(args, env, service),
                    Some(SignalEvent::Summary) => {
                        let text = self.status();
                        self.log.notice(clock::wall(), Notice::Summary { text });
                    }
                    Some(SignalEvent::Stop | SignalEvent::StopNow) | None => break,
                },
                _ = tick.tick(), if service.supervised() => {
                    service.watchdog();
                    service.status(&self.status());
                }
            }
        }
        service.stopping(&self.status());
        let text = i18n::client::AGENT_STOPPED.in_lang(self.settings.lang).to_string();
        self.note(Level::Info, "stopped", text);
        Ok(0)
    }

    fn carry_out(&mut self, command: AgentCommand) {
        match command {
            AgentCommand::Connect => {
                let (dialer, settings) = (self.dialer.clone(), self.settings.clone());
                let may_ping = settings.dialect == DialectChoice::Auto;
                self.connection =
                    Some(AgentConnection::open(dialer, settings, plan(&self.settings).mode, may_ping));
            }
            AgentCommand::HangUp => self.connection = None,
            AgentCommand::Deliver(notes) => {
                let beats = notes.into_iter().map(|note| self.beat(note)).collect();
                self.order(ConnectionOrder::Deliver(beats));
            }
            AgentCommand::Speak => self.order(ConnectionOrder::Speak),
            AgentCommand::Report(report) => self.report(&report),
        }
    }

    fn beat(&self, note: KeptBeat) -> OutgoingBeat {
        OutgoingBeat::of(&self.id).at(note.seq, note.at).every(Some(plan(&self.settings).every))
    }

    /// Queues an order. Where it is not queued, the connection has ended and its last event is about to come.
    fn order(&mut self, order: ConnectionOrder) {
        if let Some(connection) = &self.connection {
            connection.send_order(order);
        }
    }

    fn report(&self, report: &AgentReport) {
        self.log.notice(clock::wall(), words::notice(&self.settings, report));
        let (state, command) = match report {
            AgentReport::Dead { .. } => ("down", &self.settings.on_down),
            AgentReport::Back { .. } => ("up", &self.settings.on_up),
            _ => return,
        };
        let Some(command) = command.clone().filter(|command| !command.is_empty()) else { return };
        let text = words::sentence(&self.settings, report);
        let (url, id) = (self.settings.to.to_string(), self.id.to_string());
        if !self.hooks.run(Hook { command, state, url, id, text }) {
            let text = i18n::client::not_run_too_many(&state).in_lang(self.settings.lang);
            self.note(Level::Warning, "hook", text);
        }
    }

    /// SIGHUP: reads the configuration again. A bad one is reported and the old one stays.
    fn reload(&mut self, args: &ClientArgs, env: &Env, service: &Service) {
        service.reloading();
        match self.renew(args, env) {
            Ok(()) => self.log.notice(clock::wall(), Notice::Reloaded),
            Err(reason) => self.log.notice(clock::wall(), Notice::ReloadFailed { reason }),
        }
        service.ready(&self.status());
    }

    fn renew(&mut self, args: &ClientArgs, env: &Env) -> Result<(), String> {
        let lang = self.settings.lang;
        let settings = ClientSettings::load(args, env).map_err(|error| error.sentence(lang))?;
        let id = settings.id_or_host().map_err(|failure| failure.sentence(lang).to_string())?;
        let dialer = Dialer::new(&settings).map_err(|failure| failure.sentence(lang).to_string())?;
        let options = log_options(args, env, &settings);
        self.log.apply(options).map_err(|error| error.sentence(lang))?;
        let now = clock::now();
        self.connection = None;
        if id == self.id {
            self.core.replan(now, plan(&settings));
        } else {
            // The kept beats are of another id.
            self.core = AgentCore::new(now, plan(&settings), Rng::new());
        }
        (self.id, self.dialer, self.settings) = (id, Arc::new(dialer), Arc::new(settings));
        self.core.run_due(now);
        Ok(())
    }

    fn status(&self) -> String {
        words::status(&self.settings, &self.core.status(clock::mono()))
    }

    fn note(&self, level: Level, kind: &'static str, text: String) {
        self.log.notice(clock::wall(), Notice::Other { level, kind, text });
    }
}

/// What happens on the connection, if there is one.
async fn event_of(connection: &mut Option<AgentConnection>, settings: &ClientSettings) -> AgentEvent {
    match connection {
        // The task sends Lost before it ends; this is for one that panicked.
        Some(connection) => connection
            .next_event()
            .await
            .unwrap_or_else(|| AgentEvent::Lost(no_answer(&settings.to, i18n::client::CONNECTION_LOST))),
        None => std::future::pending().await,
    }
}

/// What the settings mean for the machine.
fn plan(settings: &ClientSettings) -> AgentPlan {
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

/// To standard error, or to the journal where that is the same.
fn log_options(args: &ClientArgs, env: &Env, settings: &ClientSettings) -> LogOptions {
    let (verbose, quiet) = match &args.command {
        ClientTask::Agent(agent) => (agent.verbose, agent.quiet),
        _ => (0, 0),
    };
    let target = if env.stderr_is_journal { Target::Journal } else { Target::Stderr };
    let level = match i16::from(quiet) - i16::from(verbose) {
        ..=-1 => Level::Debug,
        0 => Level::Info,
        1 => Level::Notice,
        2 => Level::Warning,
        _ => Level::Error,
    };
    LogOptions {
        targets: vec![TargetOptions { target, beats: false }],
        format: Format::Classic,
        lang: settings.lang,
        level,
        identifier: "heartbeat",
        ..LogOptions::default()
    }
}
