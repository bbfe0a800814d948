//! `heartbeat agent`: sends beats for as long as it runs, and reports whether the server answers.
//!
//! [`core`] decides, without clock or socket, for one server. This is the loop around it: it reads the clock, holds a
//! [`link`] with a machine and a connection ([`connection`]) for each server, writes the log, runs hooks ([`hook`]) and
//! talks to the service manager. READY=1 is sent as soon as it
//! runs, not when the server has answered: a machine must boot with a dead server too.

mod connection;
mod core;
mod event;
mod hook;
mod link;
mod words;

use super::cli::{ClientArgs, ClientTask};
use super::config::ClientSettings;
use super::error::{ClientError, EX_IOERR, EX_OSERR};
use crate::config::Env;
use crate::domain::id::Id;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::{Now, Span};
use crate::i18n::{self, Text};
use crate::sys::clock;
use crate::sys::log::{Format, Log, LogOptions, Target, TargetOptions};
use crate::sys::service::Service;
use crate::sys::signals::{self, Event as SignalEvent};
use event::{AgentEvent, AgentReport};
use hook::{Hook, Hooks};
use link::{ServerLink, next_event, plan};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

/// Signals that may wait.
const WISHES_MAX: usize = 16;
/// The longest sleep: so long it may take to notice that the machine has slept.
const SLEEP_MAX: Span = Span::secs(10);
/// A sleep of the machine that counts as one.
const ASLEEP_MIN: Span = Span::secs(2);
/// How often STATUS= is sent to the service manager.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot even start.
pub fn run(args: &ClientArgs, env: &Env, settings: &ClientSettings) -> Result<u8, ClientError> {
    // It changes the environment, so it precedes any thread.
    let service = Service::from_env();
    let id = settings.id_or_host()?;
    let links = ServerLink::for_all(settings, clock::now())?;
    let log = Log::open(log_options(args, env, settings))
        .map_err(|error| ClientError::new(EX_IOERR, Text::of(|lang| error.sentence(lang))))?;
    let (post, signals_seen) = channel(WISHES_MAX);
    signals::watch(move |signal| _ = post.try_send(signal))
        .map_err(|error| ClientError::new(EX_OSERR, i18n::client::cannot_watch_signals(&error)))?;
    let done = super::until_done(async {
        let agent = RunningAgent {
            hooks: Hooks::start(log.clone()),
            settings: settings.clone(),
            id,
            links,
            log: log.clone(),
        };
        agent.serve(args, env, &service, signals_seen).await
    });
    log.close();
    done
}

/// The agent at work.
struct RunningAgent {
    settings: ClientSettings,
    id: Id,
    /// One for each server.
    links: Vec<ServerLink>,
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
        self.run_due(clock::now());
        loop {
            self.carry_out();
            let now = clock::now();
            let slept = std::mem::replace(&mut asleep, clock::asleep());
            if asleep.0.saturating_sub(slept.0) >= ASLEEP_MIN.0 {
                self.links.iter_mut().for_each(|link| link.core.handle(now, AgentEvent::Woke));
                continue;
            }
            let next = self.links.iter().map(|link| link.core.next_wakeup()).min().unwrap_or(now.mono);
            let nap = next.since(now.mono).min(SLEEP_MAX);
            tokio::select! {
                (index, event) = next_event(&mut self.links) => {
                    if let Some(link) = self.links.get_mut(index) {
                        link.core.handle(clock::now(), event);
                    }
                }
                () = sleep(Duration::from_millis(nap.0)) => self.run_due(clock::now()),
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
        self.note(Level::Info, "stopped", i18n::client::AGENT_STOPPED.into());
        Ok(0)
    }

    /// Carries out what the machines want.
    fn carry_out(&mut self) {
        for index in 0..self.links.len() {
            let Some(link) = self.links.get_mut(index) else { break };
            let settings = link.settings.clone();
            for report in link.carry_out_commands(&self.id) {
                self.report(&settings, &report);
            }
        }
    }

    fn report(&self, settings: &ClientSettings, report: &AgentReport) {
        self.log.notice(clock::wall(), words::notice(settings, report));
        let (state, command) = match report {
            AgentReport::Dead { .. } => ("down", &settings.on_down),
            AgentReport::Back { .. } => ("up", &settings.on_up),
            _ => return,
        };
        let Some(command) = command.clone().filter(|command| !command.is_empty()) else { return };
        let text = words::text(settings, report).in_lang(settings.lang);
        let (url, id) = (settings.to.to_string(), self.id.to_string());
        if !self.hooks.run(Hook { command, state, url, id, text }) {
            self.note(Level::Warning, "hook", i18n::client::not_run_too_many(&state));
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
        let now = clock::now();
        let mut links =
            ServerLink::for_all(&settings, now).map_err(|failure| failure.sentence(lang).to_string())?;
        let options = log_options(args, env, &settings);
        self.log.apply(options).map_err(|error| error.sentence(lang))?;
        let mut earlier = std::mem::take(&mut self.links);
        // Kept beats are of an id, and for a server. A single server that has moved gets those of the one before.
        if id == self.id {
            for link in &mut links {
                let is_moved = earlier.len() == 1 && !settings.has_several();
                let same = earlier.iter().position(|old| is_moved || old.settings.to == link.settings.to);
                if let Some(old) = same {
                    link.take_over(earlier.swap_remove(old), now);
                }
            }
        }
        (self.id, self.links, self.settings) = (id, links, settings);
        self.run_due(now);
        Ok(())
    }

    fn status(&self) -> String {
        let now = clock::mono();
        self.links.iter().map(|link| link.status(now)).collect::<Vec<_>>().join(" | ")
    }

    fn run_due(&mut self, now: Now) {
        self.links.iter_mut().for_each(|link| link.core.run_due(now));
    }

    fn note(&self, level: Level, kind: &'static str, text: Text) {
        self.log.notice(clock::wall(), Notice::Other { level, kind, text });
    }
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
