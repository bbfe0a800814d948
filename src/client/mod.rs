//! `heartbeat`: sends beats, wraps jobs in them, and asks the server who is alive.
//!
//! [`main`] reads the command line and the configuration and hands over to one file for each command. Whatever does
//! not succeed ends as a [`ClientError`]: one sentence on standard error and an exit code of sysexits(3); nothing below
//! prints it or exits by itself.

mod agent;
pub mod beat;
mod buffered_stream;
pub mod channel;
pub mod cli;
pub mod config;
pub mod dial;
mod edit;
pub mod error;
mod events;
mod generate;
pub mod http;
mod install;
mod line;
mod pages;
mod query;
mod rng;
mod run;
mod sanitize;
mod send;
pub mod server_url;
mod show;
mod table;
mod tls;
mod tls_error;
mod watch;
mod websocket;

pub use error::ClientError;

use crate::config::Env;
use crate::i18n;
use cli::{ClientArgs, ClientTask};
use config::ClientSettings;
use error::{EX_IOERR, EX_OSERR};
use std::ffi::OsString;
use std::io::{self, Write};

/// Blocking threads: one for each getaddrinfo(3) under way, which may hang, and one for each output.
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
    if let ClientTask::Generate { what } = &args.command {
        return generate::run(*what, args.lang, &mut io::stdout()).map_or(EX_IOERR, |()| 0);
    }
    run::rescue::without_strays(&mut args, &env).iter().for_each(complain);
    let loaded = ClientSettings::load(&args, &env);
    if let ClientTask::Run(job) = &args.command {
        // The job runs whatever is wrong with the settings.
        if let Err(error) = &loaded {
            complain(error.sentence(error.lang()));
        }
        let settings = loaded.ok().filter(|settings| !(lost_server && settings.to_is_default));
        let settings = settings.or_else(|| ClientSettings::salvage(&args, &env, lost_server));
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
        complain(failure.sentence(settings.lang));
        failure.exit_code
    })
}

fn perform(args: &ClientArgs, env: &Env, settings: &ClientSettings) -> Result<u8, ClientError> {
    match &args.command {
        ClientTask::Send(wanted) => until_done(send::send(settings, wanted)),
        ClientTask::Agent(_) => agent::run(args, env, settings),
        ClientTask::Install(install) => until_done(install::install(args, settings, install)),
        ClientTask::List(list) => until_done(query::list(settings, list)),
        ClientTask::Show(show) => until_done(show::show(settings, show)),
        ClientTask::Watch(watch) => until_done(watch::watch(settings, watch)),
        ClientTask::Pause(pause) => until_done(query::pause(settings, pause)),
        ClientTask::Resume(named) => until_done(query::resume(settings, named)),
        ClientTask::Remove(named) => until_done(query::remove(settings, named)),
        // Both are done by now.
        ClientTask::Run(_) | ClientTask::Generate { .. } => Ok(0),
    }
}

/// Runs something asynchronous on this thread. A name that is still being looked up does not hold up the end.
pub(crate) fn until_done<T>(future: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    let built =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_MAX).build();
    let runtime = built.map_err(|error| ClientError::new(EX_OSERR, i18n::client::no_event_queue(&error)))?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}

/// Prints to standard output.
///
/// # Errors
/// When writing fails, but for EPIPE: a reader such as head(1) has closed.
pub(crate) fn print(text: &str) -> Result<(), ClientError> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ClientError::new(EX_IOERR, i18n::client::cannot_print(&error)))
        }
        _ => Ok(()),
    }
}

/// One sentence on standard error.
pub(crate) fn complain(sentence: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "heartbeat: {sentence}");
}
