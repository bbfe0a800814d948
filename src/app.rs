//! The daemon from its first to its last step: what is wired to what, in which order it starts and stops.
//!
//! Start: options, inherited sockets, bind, detach, privileges, state lock, sandbox, log, threads, listeners, ready. Whatever fails
//! on the way ends the start with one sentence and an exit code of sysexits(3). Stop: the reverse, each step with a
//! deadline.

mod handover;
mod listeners;

use crate::config::cli::{self, Args, Task};
use crate::config::{Env, Settings};
use crate::domain::lang::Lang;
use crate::domain::notice::{Level, Notice};
use crate::domain::policy::Policy;
use crate::domain::sentence::Sentence;
use crate::domain::time::{Mono, Now};
use crate::engine::Engine;
use crate::engine::checkpoint::Checkpointer;
use crate::engine::checkpoint::threads::StorageThreads;
use crate::engine::delivery::{DeliveryThread, NotifierChannel, NotifierChannels};
use crate::i18n::{self, Text};
use crate::notify::{Channel, ChannelSettings};
use crate::store;
use crate::sys::daemon::{Detach, PidFile, ReadyPipe, detach};
use crate::sys::log::Log;
use crate::sys::sandbox::Sandbox;
use crate::sys::service::{Pulse, Service};
use crate::sys::signals::{self, Event};
use crate::sys::sockets::absent::Absent;
use crate::sys::sockets::control::{self, ControlSocket};
use crate::sys::sockets::{self, Listening, Opened};
use crate::sys::{clock, firewall, privileges, sandbox, state_dir};
use crate::transport::connection_limits::ConnectionLimits;
use crate::transport::threads::Threads;
use crate::transport::tls::server::Acceptor;
use crate::view::status::{self, StatusLine};
use crate::{command, config};
use handover::Predecessor;
use std::ffi::OsString;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Signals that may wait for the main loop.
const EVENTS_MAX: usize = 16;
/// How often the service manager is told where things stand.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// How long the threads may take to open their listeners.
const LISTENERS_OPEN_WITHIN: Duration = Duration::from_secs(10);
/// The exit code after a second SIGTERM: 128 and its number, as shells count.
const STOPPED_NOW: u8 = 143;

/// Why the daemon does not run: a sentence and an exit code.
#[derive(Debug)]
pub struct StartError {
    /// What failed, where, and what to do.
    pub sentence: String,
    /// The code of sysexits(3).
    pub exit_code: u8,
}

/// Does what the command line asks; returns the exit code.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    let env = Env::of_process();
    let args = match cli::parse(words, &env) {
        Ok(args) => args,
        Err(exit) => return exit.tell(),
    };
    match &args.command {
        Some(Task::CheckConfig { .. }) => {
            command::check::run(&args, &env, &mut io::stdout(), &mut io::stderr())
        }
        Some(Task::Firewall(options)) => {
            let mut system = firewall::ask::System::default();
            command::firewall::run(&args, options, &env, &mut system, &mut io::stdout(), &mut io::stderr())
        }
        Some(Task::TestAlert { name }) => {
            command::test_alert::run(name, &args, &env, &mut io::stdout(), &mut io::stderr())
        }
        Some(Task::Generate { what }) => match command::generate::run(*what, args.lang, &mut io::stdout()) {
            Ok(()) => 0,
            Err(_) => 74,
        },
        None => run(&args, &env).unwrap_or_else(|failure| {
            let _ = writeln!(io::stderr(), "{}", complaint(&failure));
            failure.exit_code
        }),
    }
}

/// Runs the daemon to its end.
fn run(args: &Args, env: &Env) -> Result<u8, StartError> {
    let lang = config::language(args, env);
    // Both change the environment, so they come before any thread.
    let mut inherited = sockets::inherit().map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
    let leaked = sandbox::descriptors::leaked(&inherited.descriptors());
    let service = Service::from_env();
    let before = Predecessor::of(&mut inherited, &service);
    let settings = Settings::load(args, env).map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
    sandbox::descriptors::close(leaked);
    privileges::harden();
    sandbox::keep_secrets();
    let supervised = inherited.any() || service.supervised();
    let opened = listeners::open(&settings, inherited, &service)?;
    let mut pipe = None;
    if settings.process.daemon {
        let pid_file = settings.process.pid_file.clone();
        let options = Detach { pid_file, supervised, lang: settings.lang };
        pipe = Some(detach(options).map_err(|e| failure(e.sentence(settings.lang), e.exit_code()))?);
    }
    // From here on a detached daemon has no terminal; its parent says what is wrong.
    match Daemon::start(settings, opened, &before) {
        Ok(daemon) => daemon.run(args, env, service, pipe, before),
        Err(failure) => Err(give_up(pipe, failure)),
    }
}

/// Has the parent of a detached daemon say why it does not run.
fn give_up(pipe: Option<ReadyPipe>, failure: StartError) -> StartError {
    if let Some(mut pipe) = pipe {
        pipe.take_pid_file().into_iter().for_each(PidFile::remove);
        pipe.fail(failure.exit_code, &complaint(&failure));
    }
    failure
}

/// As it stands on a terminal.
fn complaint(failure: &StartError) -> String {
    format!("heartbeat-server: {}", failure.sentence)
}

fn failure(sentence: String, exit_code: u8) -> StartError {
    StartError { sentence, exit_code }
}

/// A daemon that has all it needs.
struct Daemon {
    settings: Settings,
    listening: Vec<Listening>,
    /// Until their thread has them.
    absent: Absent,
    control: Option<ControlSocket>,
    log: Log,
    engine: Arc<Engine>,
    /// Until its thread has it.
    checkpointer: Option<Checkpointer>,
    /// While it runs.
    delivery: Option<DeliveryThread>,
    permits: Arc<ConnectionLimits>,
    /// What TLS needs, and the listener of the configuration that it is for.
    acceptors: Vec<(usize, Arc<Acceptor>)>,
    started: Now,
    sandbox: Sandbox,
    /// Held for the life of the daemon: the state directory is ours.
    state_lock: PidFile,
    last: (Mono, u64),
}

impl Daemon {
    fn start(settings: Settings, opened: Opened, before: &Predecessor) -> Result<Daemon, StartError> {
        let Opened { listening, warnings, absent, .. } = opened;
        let lang = settings.lang;
        let (user, group) = (settings.process.user.as_deref(), settings.process.group.as_deref());
        state_dir::make(&settings.state_dir).map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
        // Its usual place is root's to make; without it beats come in all the same.
        let (control, no_control) = match settings.control.as_deref().map(control::listen).transpose() {
            Ok(control) => (control, None),
            Err(error) => (None, Some(i18n::app::no_control_socket(&Text::of(|lang| error.sentence(lang))))),
        };
        let files = listening.iter().filter_map(|l| l.file.as_ref()).chain(control.as_ref().map(|c| &c.file));
        let account = privileges::account(user, group, &settings.state_dir)
            .and_then(|account| {
                let Some(account) = account else { return Ok(None) };
                account.own(&settings.state_dir)?;
                files.map(sockets::SocketFile::path).try_for_each(|path| account.own(path))?;
                control.iter().filter_map(|c| c.folder.as_deref()).try_for_each(|path| account.own(path))?;
                account.become_it()?;
                Ok(Some(account))
            })
            .map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
        let state_lock =
            state_dir::lock(&settings.state_dir).map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
        // Before the log, which has a thread: what is given up is given up by threads.
        let sandbox = sandbox::enter(&settings.needs());
        let log = Log::open(settings.log.clone()).map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
        let open_files = privileges::raise_open_files();
        let started = clock::now();
        let permits = Arc::new(ConnectionLimits::new(settings.limits.connections, open_files));
        let policy = Arc::new(policy_of(&settings));
        let storage = store::open(&settings.state_dir, started.wall, clock::booted_at())
            .map_err(|e| failure(e.text().in_lang(lang), e.exit_code()))?;
        state_dir::is_still(&settings.state_dir, &state_lock)
            .map_err(|e| failure(e.sentence(lang), e.exit_code()))?;
        let threads = Threads::stats_sets(settings.threads);
        let engine =
            Arc::new(Engine::new(started, policy, log.clone(), threads, storage, settings.state.sync));
        engine
            .recover_with(started, &before.monitors())
            .map_err(|e| failure(e.text().in_lang(lang), e.exit_code()))?;
        let checkpointer = Checkpointer::new(started, clock::asleep(), settings.state.history);
        // Those of the settings are in their language already.
        for text in settings.warnings.iter().map(Text::foreign).chain(warnings) {
            warn(&log, "configuration", text);
        }
        if let Some(account) = account.filter(|_| user.is_none() && group.is_none()) {
            let text = i18n::app::going_on_as_owner(&account, &settings.state_dir.display());
            log.notice(clock::wall(), Notice::Other { level: Level::Info, kind: "running_as", text });
        }
        no_control.into_iter().for_each(|text| warn(&log, "no_control_socket", text));
        if let Some((level, text)) = sandbox.remark() {
            log.notice(clock::wall(), Notice::Other { level, kind: "confined", text });
        }
        let last = (started.mono, 0);
        Ok(Daemon {
            settings,
            listening,
            absent,
            control,
            log,
            engine,
            checkpointer: Some(checkpointer),
            delivery: None,
            permits,
            acceptors: Vec::new(),
            started,
            sandbox,
            state_lock,
            last,
        })
    }

    fn run(
        mut self,
        args: &Args,
        env: &Env,
        service: Service,
        pipe: Option<ReadyPipe>,
        before: Predecessor,
    ) -> Result<u8, StartError> {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = match built {
            Ok(runtime) => runtime.block_on(self.serve(args, env, &service, pipe, before)),
            Err(error) => Err(system_failure(self.settings.lang, &error)),
        };
        self.log.notice(clock::wall(), Notice::Stopped);
        self.log.close();
        // Its file stays: whoever removes a lock file lets two others hold one each.
        drop(self.state_lock);
        outcome
    }

    /// From the first thread to the last.
    async fn serve(
        &mut self,
        args: &Args,
        env: &Env,
        service: &Service,
        pipe: Option<ReadyPipe>,
        before: Predecessor,
    ) -> Result<u8, StartError> {
        let lang = self.settings.lang;
        let (post, mut events) = mpsc::channel(EVENTS_MAX);
        // A signal that finds no room has been sent many times already.
        let signals = signals::watch(move |event| _ = post.try_send(event));
        let started = signals.and_then(|_| {
            let checkpointer = self
                .checkpointer
                .take()
                .map(|checkpointer| StorageThreads::start(&self.engine, checkpointer))
                .transpose()?;
            self.delivery = Some(DeliveryThread::start(
                &self.engine,
                channels_of(&self.settings),
                self.settings.peer.clone(),
            )?);
            Ok((checkpointer, Threads::start(self.settings.threads, &self.engine)?))
        });
        let (storage_threads, mut threads) = match started {
            Ok(started) => started,
            Err(error) => {
                return Err(give_up(pipe, system_failure(lang, &error)));
            }
        };
        // First: whoever is let in may ask what is missing.
        self.tell_absent();
        let mut files = self.open_listeners(&mut threads, service, before);
        let opened = async {
            while !threads.is_listening() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(LISTENERS_OPEN_WITHIN, opened).await.is_err() {
            return Err(give_up(pipe, system_failure(lang, &io::ErrorKind::TimedOut.into())));
        }
        let awaited = listeners::await_absent(std::mem::take(&mut self.absent));
        let mut arrivals = match awaited {
            Ok(arrivals) => arrivals,
            Err(error) => return Err(give_up(pipe, system_failure(lang, &error))),
        };
        service.ready(&self.standing());
        let pid_file = pipe.and_then(|mut pipe| {
            let pid_file = pipe.take_pid_file();
            pipe.ready();
            pid_file
        });

        let engine = self.engine.clone();
        let mut running = pin!(engine.run());
        let mut pulse = Pulse::default();
        let every =
            service.watchdog_interval().map_or(STATUS_EVERY, |interval| (interval / 3).min(STATUS_EVERY));
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = &mut running => {}
                _ = tick.tick(), if service.supervised() => {
                    // This loop is the one that judges the monitors; the others are those that take their beats.
                    if pulse.feed(&threads.pulses()) {
                        service.watchdog();
                    }
                    service.status(&self.standing());
                    if let Some(trouble) = service.trouble() {
                        warn(&self.log, "service_manager", Text::foreign(trouble));
                    }
                }
                Some(arrival) = arrivals.recv() => self.arrived(arrival, &mut threads, service, &mut files),
                event = events.recv() => match event {
                    Some(Event::Reload) => self.reload(args, env, service),
                    Some(Event::Summary) => {
                        let text = self.standing();
                        self.log.notice(clock::wall(), Notice::Summary { text });
                    }
                    Some(Event::StopNow) => return Ok(STOPPED_NOW),
                    Some(Event::Stop) | None => break,
                }
            }
        }
        service.stopping(&self.standing());
        service.extend_timeout(Duration::from_millis(crate::domain::limits::STOP_MAX.0 * 2));
        self.log.notice(clock::wall(), Notice::Stopping);
        let hurried = async { while !matches!(events.recv().await, Some(Event::StopNow)) {} };
        let stopped = async {
            if service.keeps_files() {
                // SIGTERM does not say whether a next process follows; the manager closes what nobody comes for.
                let parked = threads.hand_over().await;
                handover::leave(parked, service, &self.log);
            } else {
                threads.stop().await;
            }
        };
        let exit_code = tokio::select! {
            () = stopped => 0,
            () = hurried => STOPPED_NOW,
        };
        if let Some(delivery) = self.delivery.take() {
            delivery.stop();
        }
        if let Some(storage_threads) = storage_threads {
            storage_threads.stop();
        }
        if service.keeps_files() {
            // Their sockets live on in the store. Should nobody come for them, the next start finds the files stale.
            files.into_iter().for_each(sockets::SocketFile::leave);
        } else {
            drop(files);
        }
        if let Some(pid_file) = pid_file {
            pid_file.remove();
        }
        Ok(exit_code)
    }

    /// SIGHUP: reopens the logs and reads the configuration again. A bad one is reported and the old one stays.
    fn reload(&mut self, args: &Args, env: &Env, service: &Service) {
        service.reloading();
        let now = clock::wall();
        let log_options = match Settings::load(args, env) {
            Ok(new) => {
                let keys = self.settings.needs_restart(&new);
                if !keys.is_empty() {
                    self.log.notice(now, Notice::NeedsRestart { keys: keys.join(", ") });
                }
                for text in &new.warnings {
                    warn(&self.log, "configuration", Text::foreign(text));
                }
                self.engine.set_policy(clock::now(), Arc::new(policy_of(&new)));
                if let Some(delivery) = &self.delivery {
                    delivery.set_channels(channels_of(&new));
                    delivery.set_peer(new.peer.clone());
                }
                self.renew_certificates(&new);
                self.settings.lang = new.lang;
                self.settings.log = new.log;
                self.log.notice(now, Notice::Reloaded);
                self.settings.log.clone()
            }
            Err(error) => {
                self.log.notice(now, Notice::ReloadFailed { reason: error.sentence(self.settings.lang) });
                self.settings.log.clone()
            }
        };
        if let Err(error) = self.log.apply(log_options) {
            warn(&self.log, "log", Text::of(|lang| error.sentence(lang)));
        }
        service.ready(&self.standing());
    }

    /// Has each listener that is still the same one go on with the papers that were just read.
    fn renew_certificates(&self, new: &Settings) {
        for (index, acceptor) in &self.acceptors {
            let (Some(old), Some(new)) = (self.settings.listen.get(*index), new.listen.get(*index)) else {
                continue;
            };
            if let Some(tls) = new.tls.as_ref().filter(|_| old.can_become(new)) {
                acceptor.replace(tls.config.clone());
            }
        }
    }

    /// Where things stand, in one line.
    fn standing(&mut self) -> String {
        let sum = self.engine.stats().sum();
        let (now, accepted) = (clock::mono(), sum.accepted());
        let (then, before) = std::mem::replace(&mut self.last, (now, accepted));
        let seconds = now.since(then).0.max(1) as f64 / 1000.0;
        let (health, lang) = (self.engine.health(), self.settings.lang);
        let said = |sentence: &Sentence| sentence.own().say(lang).to_string();
        let standing = StatusLine {
            counts: self.engine.counts(),
            beats_per_second: (accepted - before) as f64 / seconds,
            connections: sum.open_connections(),
            log_lines_dropped: self.log.dropped(),
            failing: self.log.failing().iter().map(said).collect(),
            refusing: health.refusing.as_ref().map(said),
            degraded: health.degraded.iter().map(said).collect(),
            confinement: self.sandbox.summary(lang),
        };
        status::line(lang, &standing)
    }
}

/// What of the settings is in force while the daemon runs.
fn policy_of(settings: &Settings) -> Policy {
    Policy {
        generation: 0,
        access: settings.access.clone(),
        limits: settings.limits.clone(),
        defaults: settings.defaults,
        websocket: settings.websocket,
        governor: settings.governor,
        rules: settings.rules.clone(),
        local_zone: settings.local_zone.clone(),
        lang: settings.page_lang.unwrap_or(settings.lang),
        tcp: settings.tcp,
        alerts: settings.alerts.clone(),
        compat: settings.compat.clone(),
    }
}

/// The channels that the settings name, ready to be used.
fn channels_of(settings: &Settings) -> NotifierChannels {
    let channel_of = |one: &ChannelSettings| {
        let channel = Arc::new(Channel::new(one.options.clone()));
        (one.name.clone(), NotifierChannel { channel, concurrency: one.concurrency })
    };
    settings.channels.iter().map(channel_of).collect()
}

fn warn(log: &Log, kind: &'static str, text: Text) {
    log.notice(clock::wall(), Notice::Other { level: Level::Warning, kind, text });
}

fn system_failure(lang: Lang, error: &io::Error) -> StartError {
    failure(i18n::app::no_threads_or_queues(error).in_lang(lang), 71)
}
