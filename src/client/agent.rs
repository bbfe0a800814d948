//! `heartbeat agent`: sends beats for as long as it runs, and knows whether the server lives.
//!
//! What is decided is decided by [`core`], which has neither clock nor socket. This is the loop around it: it reads the
//! clock, holds the one connection ([`link`]), writes the log, has hooks run ([`hook`]) and talks to the service manager.
//! Ready is said as soon as it runs, not when the server has answered: a machine must boot with a dead server too.

mod core;
mod hook;
mod link;
mod words;

use super::beat::Outgoing;
use super::cli::{Args, Dialect, Task};
use super::config::{EVERY, Settings};
use super::dial::Dialer;
use super::dice::Dice;
use super::failure::{EX_IOERR, EX_OSERR, Failure};
use super::http::no_answer;
use super::target::Protocol;
use crate::config::Env;
use crate::domain::id::Id;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::Span;
use crate::sys::clock;
use crate::sys::log::{Format, Log, LogOptions, Target, TargetOptions};
use crate::sys::service::Service;
use crate::sys::signals::{self, Event as Wish};
use core::{Command, Core, Event, Note, Plan, Speech, Tiding};
use hook::{Hook, Hooks};
use link::{Link, Order};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

/// Signals that may wait.
const WISHES_MAX: usize = 16;
/// The longest interval that a server is obeyed with when nobody says.
const INTERVAL_ASKED_MAX: Span = Span::secs(3_600);
/// The longest sleep: so long it may take to notice that the machine has slept.
const SLEEP_MAX: Span = Span::secs(10);
/// A sleep of the machine that counts as one.
const ASLEEP_MIN: Span = Span::secs(2);
/// How often the service manager is told where things stand.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// Most beats in a batch, and most lines sent before the first is answered.
const BATCH_MAX: usize = 1_000;
const LINES_MAX: usize = 100;

/// Runs it until somebody wants it to stop.
///
/// # Errors
/// When it cannot even start.
pub fn run(args: &Args, env: &Env, settings: &Settings) -> Result<u8, Failure> {
    // It changes the environment, so it comes before any thread.
    let service = Service::from_env();
    let id = settings.id_or_host()?;
    let dialer = Dialer::new(settings)?;
    let log = Log::open(log_options(args, env, settings)).map_err(|error| {
        let say = |lang| error.sentence(lang);
        Failure::new(EX_IOERR, say(crate::domain::lang::Lang::En), say(crate::domain::lang::Lang::Zh))
    })?;
    let (post, wishes) = channel(WISHES_MAX);
    signals::watch(move |wish| _ = post.try_send(wish)).map_err(|error| {
        Failure::new(EX_OSERR, format!("cannot watch signals: {error}"), format!("无法监听信号：{error}"))
    })?;
    let done = super::until_done(async {
        let core = Core::new(clock::now(), plan(settings), Dice::new());
        let agent = Agent {
            hooks: Hooks::start(log.clone(), settings.lang),
            settings: Arc::new(settings.clone()),
            id,
            dialer: Arc::new(dialer),
            core,
            link: None,
            log: log.clone(),
        };
        agent.serve(args, env, &service, wishes).await
    });
    log.close();
    done
}

/// The agent at work.
struct Agent {
    settings: Arc<Settings>,
    id: Id,
    dialer: Arc<Dialer>,
    core: Core,
    link: Option<Link>,
    hooks: Hooks,
    log: Log,
}

impl Agent {
    async fn serve(
        mut self,
        args: &Args,
        env: &Env,
        service: &Service,
        mut wishes: Receiver<Wish>,
    ) -> Result<u8, Failure> {
        let text = words::started(&self.settings, self.id.as_str(), plan(&self.settings).every);
        self.note(Level::Info, "started", text);
        service.ready(&self.standing());
        let every =
            service.watchdog_interval().map_or(STATUS_EVERY, |interval| (interval / 3).min(STATUS_EVERY));
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut asleep = clock::asleep();
        self.core.pass(clock::now());
        loop {
            while let Some(command) = self.core.poll() {
                self.carry_out(command);
            }
            let now = clock::now();
            let slept = std::mem::replace(&mut asleep, clock::asleep());
            if asleep.0.saturating_sub(slept.0) >= ASLEEP_MIN.0 {
                self.core.handle(now, Event::Woke);
                continue;
            }
            let nap = self.core.next().since(now.mono).min(SLEEP_MAX);
            tokio::select! {
                event = event_of(&mut self.link, &self.settings) => {
                    if matches!(event, Event::Lost(_)) {
                        self.link = None;
                    }
                    self.core.handle(clock::now(), event);
                }
                () = sleep(Duration::from_millis(nap.0)) => self.core.pass(clock::now()),
                wish = wishes.recv() => match wish {
                    Some(Wish::Reload) => self.reload(args, env, service),
                    Some(Wish::Summary) => {
                        let text = self.standing();
                        self.log.notice(clock::wall(), Notice::Summary { text });
                    }
                    Some(Wish::Stop | Wish::StopNow) | None => break,
                },
                _ = tick.tick(), if service.supervised() => {
                    service.watchdog();
                    service.status(&self.standing());
                }
            }
        }
        service.stopping(&self.standing());
        let text = self.settings.lang.pick("agent stopped", "代理已停止").to_string();
        self.note(Level::Info, "stopped", text);
        Ok(0)
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Connect => {
                let (dialer, settings) = (self.dialer.clone(), self.settings.clone());
                let may_ping = settings.dialect == Dialect::Auto;
                self.link = Some(Link::open(dialer, settings, plan(&self.settings).speech, may_ping));
            }
            Command::HangUp => self.link = None,
            Command::Deliver(notes) => {
                let beats = notes.into_iter().map(|note| self.beat(note)).collect();
                self.order(Order::Deliver(beats));
            }
            Command::Speak => self.order(Order::Speak),
            Command::Tell(tiding) => self.tell(&tiding),
        }
    }

    fn beat(&self, note: Note) -> Outgoing {
        Outgoing::of(&self.id).at(note.seq, note.at).every(Some(plan(&self.settings).every))
    }

    /// An order that is not taken is for a connection of which the end is about to be heard.
    fn order(&mut self, order: Order) {
        if let Some(link) = &self.link {
            link.order(order);
        }
    }

    fn tell(&self, tiding: &Tiding) {
        self.log.notice(clock::wall(), words::notice(&self.settings, tiding));
        let (state, command) = match tiding {
            Tiding::Dead { .. } => ("down", &self.settings.on_down),
            Tiding::Back { .. } => ("up", &self.settings.on_up),
            _ => return,
        };
        let Some(command) = command.clone().filter(|command| !command.is_empty()) else { return };
        let text = words::sentence(&self.settings, tiding);
        let (url, id) = (self.settings.to.to_string(), self.id.to_string());
        if !self.hooks.run(Hook { command, state, url, id, text }) {
            let text = self.settings.lang.pick(
                format!("on_{state} is not run: too many are waiting"),
                format!("未运行 on_{state}：等待的过多"),
            );
            self.note(Level::Warning, "hook", text);
        }
    }

    /// SIGHUP: reads the configuration again. A bad one is reported and the old one stays.
    fn reload(&mut self, args: &Args, env: &Env, service: &Service) {
        service.reloading();
        match self.renew(args, env) {
            Ok(()) => self.log.notice(clock::wall(), Notice::Reloaded),
            Err(reason) => self.log.notice(clock::wall(), Notice::ReloadFailed { reason }),
        }
        service.ready(&self.standing());
    }

    fn renew(&mut self, args: &Args, env: &Env) -> Result<(), String> {
        let lang = self.settings.lang;
        let settings = Settings::load(args, env).map_err(|error| error.sentence(lang))?;
        let id = settings.id_or_host().map_err(|failure| failure.say(lang).to_string())?;
        let dialer = Dialer::new(&settings).map_err(|failure| failure.say(lang).to_string())?;
        let options = log_options(args, env, &settings);
        self.log.apply(options).map_err(|error| error.sentence(lang))?;
        let now = clock::now();
        self.link = None;
        if id == self.id {
            self.core.replan(now, plan(&settings));
        } else {
            // What was kept was another's.
            self.core = Core::new(now, plan(&settings), Dice::new());
        }
        (self.id, self.dialer, self.settings) = (id, Arc::new(dialer), Arc::new(settings));
        self.core.pass(now);
        Ok(())
    }

    fn standing(&self) -> String {
        words::status(&self.settings, &self.core.standing(clock::mono()))
    }

    fn note(&self, level: Level, kind: &'static str, text: String) {
        self.log.notice(clock::wall(), Notice::Other { level, kind, text });
    }
}

/// What happens on the connection, if there is one.
async fn event_of(link: &mut Option<Link>, settings: &Settings) -> Event {
    match link {
        // It says why it ends before it does; this is for one that could not.
        Some(link) => link.event().await.unwrap_or_else(|| Event::Lost(no_answer(&settings.to, "lost"))),
        None => std::future::pending().await,
    }
}

/// What the settings mean for the machine.
fn plan(settings: &Settings) -> Plan {
    let (speech, batch_max) = match (settings.to.protocol, settings.dialect) {
        (Protocol::Http, _) => (Speech::Asking, BATCH_MAX),
        (Protocol::WebSocket, _) => (Speech::Holding, BATCH_MAX),
        (Protocol::Tcp, Dialect::Auto | Dialect::Line) => (Speech::Holding, LINES_MAX),
        (Protocol::Tcp, Dialect::Pong) => (Speech::Pong, 1),
        (Protocol::Tcp, Dialect::Hello) => (Speech::Hello, 1),
        (Protocol::Tcp, Dialect::Frame) => (Speech::Frame, 1),
    };
    let every = settings.every.unwrap_or(EVERY);
    // By default so that a server which is not what it should be makes nobody silent for long.
    let interval_max =
        settings.interval_max.unwrap_or(Span(every.0.saturating_mul(10)).min(INTERVAL_ASKED_MAX));
    Plan { every, interval_max: interval_max.max(every), timeout: settings.timeout, speech, batch_max }
}

/// To standard error, or to the journal where that is the same.
fn log_options(args: &Args, env: &Env, settings: &Settings) -> LogOptions {
    let (verbose, quiet) = match &args.command {
        Task::Agent(agent) => (agent.verbose, agent.quiet),
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
