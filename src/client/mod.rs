//! `heartbeat`: sends beats, wraps jobs in them, and asks the server who is alive.
//!
//! [`main`] reads the command line and the configuration and hands over to one file for each command. Whatever does
//! not succeed ends as a [`Failure`]: one sentence on standard error and an exit code of sysexits(3); nothing below
//! prints it or exits by itself.

mod agent;
mod ask;
pub mod beat;
pub mod channel;
mod clean;
pub mod cli;
pub mod config;
pub mod dial;
mod dice;
mod edit;
mod events;
pub mod failure;
mod generate;
pub mod http;
mod install;
mod line;
mod pages;
mod pipe;
mod run;
mod send;
mod socket;
mod table;
pub mod target;
mod tls;
mod trust;
mod watch;
mod words;

pub use failure::Failure;

use crate::config::Env;
use cli::{Args, Task};
use config::Settings;
use failure::{EX_IOERR, EX_OSERR};
use std::ffi::OsString;
use std::io::{self, Write};

/// Threads for what blocks: one for each name that is being looked up, and a name may hang, one for each output.
const BLOCKING_MAX: usize = 16;

/// Does what the command line asks; returns the exit code.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    let env = Env { default_file: config::DEFAULT_FILE.into(), ..Env::of_process() };
    let words: Vec<OsString> = words.into_iter().collect();
    let mut lost_server = false;
    let mut args = match cli::parse(words.clone(), &env) {
        Ok(args) => args,
        Err(exit) => match run::rescue::rescue(&words, &env).filter(|_| exit.code != 0) {
            Some(rescued) => {
                rescued.complaints.iter().for_each(complain);
                lost_server = rescued.lost_server;
                rescued.args
            }
            None => return exit.tell(),
        },
    };
    if let Task::Generate { what } = &args.command {
        return generate::run(*what, args.lang, &mut io::stdout()).map_or(EX_IOERR, |()| 0);
    }
    run::rescue::without_strays(&mut args, &env).iter().for_each(complain);
    let loaded = Settings::load(&args, &env);
    if let Task::Run(job) = &args.command {
        // What is wrong with the watching is no reason for the work not to be done.
        if let Err(error) = &loaded {
            complain(error.sentence(error.lang()));
        }
        let settings = loaded.ok().filter(|settings| !(lost_server && settings.to_is_default));
        let settings = settings.or_else(|| Settings::salvage(&args, &env, lost_server));
        settings.iter().flat_map(|settings| &settings.warnings).for_each(complain);
        let lang = settings.as_ref().map_or(config::language(&args, &env), |settings| settings.lang);
        return run::run(job, settings.as_ref(), lang);
    }
    let settings = match loaded {
        Ok(settings) => settings,
        Err(error) => {
            complain(error.sentence(error.lang()));
            return error.exit_code();
        }
    };
    for warning in &settings.warnings {
        complain(warning);
    }
    perform(&args, &env, &settings).unwrap_or_else(|failure| {
        complain(failure.say(settings.lang));
        failure.exit_code
    })
}

fn perform(args: &Args, env: &Env, settings: &Settings) -> Result<u8, Failure> {
    match &args.command {
        Task::Send(wanted) => until_done(send::send(settings, wanted)),
        Task::Agent(_) => agent::run(args, env, settings),
        Task::Install(install) => until_done(install::install(args, settings, install)),
        Task::List(list) => until_done(ask::list(settings, list)),
        Task::Show(show) => until_done(ask::show(settings, show)),
        Task::Watch(watch) => until_done(watch::watch(settings, watch)),
        Task::Pause(pause) => until_done(ask::pause(settings, pause)),
        Task::Resume(named) => until_done(ask::resume(settings, named)),
        Task::Remove(named) => until_done(ask::remove(settings, named)),
        // Both are done by now.
        Task::Run(_) | Task::Generate { .. } => Ok(0),
    }
}

/// Runs something asynchronous on this thread. A name that is still being looked up does not hold up the end.
pub(crate) fn until_done<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let built =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_MAX).build();
    let runtime = built.map_err(|error| {
        Failure::new(
            EX_OSERR,
            format!("the system gives no event queue: {error}; see ulimit -n"),
            format!("系统无法提供事件队列：{error}；请检查 ulimit -n"),
        )
    })?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}

/// Prints for whoever asked.
///
/// # Errors
/// When it cannot be written. A reader who has seen enough, such as head(1), is none.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            EX_IOERR,
            format!("cannot write to standard output: {error}"),
            format!("无法写入标准输出：{error}"),
        )),
        _ => Ok(()),
    }
}

/// One sentence on standard error.
pub(crate) fn complain(sentence: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "heartbeat: {sentence}");
}
