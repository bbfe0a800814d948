//! `heartbeat run`: runs a job and reports its start, then its end with the exit code and the end of its output.
//!
//! The job comes first: it is started before anything is sent, its input, output and exit code are what they would be
//! without us, and neither a server that is dead nor anything that is wrong with our own options ([`rescue`]), with the
//! configuration or the environment keeps it from running. Signals sent to us go on to it.

pub mod name;
mod output;
mod report;
pub mod rescue;

use super::beat::OutgoingBeat;
use super::cli;
use super::config::ClientSettings;
use super::error::{ClientError, EX_OSERR, EX_USAGE};
use super::rng::unguessable;
use super::{complain, until_done};
use crate::domain::beat::Status;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::i18n;
use crate::sys::clock;
use crate::sys::signals::{ForJob, for_job};
use crate::view::signal::Signal;
use output::{OutputTail, copy};
use report::Report;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

/// The default time for attempts to report the result.
const RETRY_FOR: Span = Span::secs(10);
/// Signals that may wait.
const SIGNALS_MAX: usize = 64;
/// Descriptors for the runtime, the job's pipes and a connection.
const DESCRIPTORS_NEEDED: usize = 24;
/// The exit codes of sh(1) for a command that is not there and one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Runs the job and returns its exit code. Without settings nothing is reported.
///
/// Where descriptors, threads or memory do not suffice (EMFILE, EAGAIN, ENOMEM), the job replaces this process (execve).
pub fn run(wanted: &cli::RunArgs, settings: Option<&ClientSettings>, lang: Lang) -> u8 {
    if settings.is_none() {
        complain(i18n::client::JOB_RUNS_BUT_NOT.in_lang(lang));
    }
    let done = find_room().map_err(|error| no_room(&error));
    done.and_then(|()| until_done(under_watch(wanted, settings, lang))).unwrap_or_else(|failure| {
        complain(failure.sentence(lang));
        let Some((program, arguments)) = wanted.command.split_first() else { return NOT_EXECUTABLE };
        complain(i18n::client::JOB_RUNS_BUT_NOT_REPORTED.in_lang(lang));
        let error = std::process::Command::new(program).args(arguments).exec();
        let (code, sentence) = not_started(program, &error, lang);
        complain(sentence);
        code
    })
}

/// Runs the job and reports it.
///
/// # Errors
/// When the system lacks resources; then the job has not been started.
async fn under_watch(
    wanted: &cli::RunArgs,
    settings: Option<&ClientSettings>,
    lang: Lang,
) -> Result<u8, ClientError> {
    let report = settings.and_then(|settings| {
        let report = Report::new(settings, wanted.command.first()?);
        report.inspect_err(|failure| complain(failure.sentence(lang))).ok()
    });
    let (post, mut signals) = mpsc::channel(SIGNALS_MAX);
    if let Err(error) = for_job(move |signal| _ = post.try_send(signal)) {
        complain(i18n::client::cannot_watch_signals_they(&error).in_lang(lang));
    }
    let began = clock::mono();
    let (end, mut job) = match start(wanted) {
        Ok(child) => {
            // The report begins once the job runs.
            let sending = report.map(Report::start);
            let (end, output, is_wanted) = watch_job(child, &mut signals).await;
            (end, EndedJob { sending: sending.filter(|_| is_wanted), output })
        }
        Err(error) if lacks_room(&error) => return Err(no_room(&error)),
        Err(error) => {
            let (code, sentence) =
                not_started(wanted.command.first().map_or(OsStr::new(""), |w| w), &error, lang);
            complain(&sentence);
            (JobEnd::Code(code), EndedJob { sending: report.map(Report::without_start), output: sentence })
        }
    };
    if let Some(sending) = job.sending.take() {
        let wait = Duration::from_millis(wanted.retry_for.unwrap_or(RETRY_FOR).0);
        let ran = clock::mono().since(began);
        let reported = tokio::select! {
            reported = sending.finish(end, &job.output, ran, wait) => reported,
            // A signal ends the wait for the report.
            () = stop(&mut signals) => Ok(()),
        };
        if let Err(failure) = reported {
            let text = failure.sentence(lang);
            let end = end.describe(lang);
            complain(i18n::client::job_ended_but_could(&end, &text).in_lang(lang));
        }
    }
    Ok(end.code())
}

/// What is left to do once the job has ended.
struct EndedJob {
    sending: Option<report::Sending>,
    /// The last of its output.
    output: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobEnd {
    Code(u8),
    Signal(u8),
}

impl JobEnd {
    fn of(status: ExitStatus) -> JobEnd {
        match (status.code(), status.signal()) {
            // The system keeps eight bits of a code.
            (Some(code), _) => JobEnd::Code(code as u8),
            (None, Some(signal)) => JobEnd::Signal(signal as u8),
            (None, None) => JobEnd::Code(NOT_EXECUTABLE),
        }
    }

    /// As the status of a beat.
    fn status(self) -> Status {
        match self {
            JobEnd::Code(code) => Status::Exit(code.into()),
            JobEnd::Signal(number) => Status::Signal(number),
        }
    }

    /// In words.
    fn describe(self, lang: Lang) -> String {
        match self {
            JobEnd::Code(code) => i18n::client::exit_code(&code).in_lang(lang),

            JobEnd::Signal(number) => Signal(number).text().in_lang(lang),
        }
    }

    /// As shells count: 128 and the number of a signal.
    fn code(self) -> u8 {
        match self {
            JobEnd::Code(code) => code,
            JobEnd::Signal(number) => 128u8.saturating_add(number),
        }
    }
}

fn start(wanted: &cli::RunArgs) -> std::io::Result<Child> {
    let Some((program, arguments)) = wanted.command.split_first() else {
        return Err(ErrorKind::NotFound.into());
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
}

/// Waits for the job: how it ended, the end of its output, and whether the report is still wanted.
async fn watch_job(mut child: Child, signals: &mut mpsc::Receiver<ForJob>) -> (JobEnd, String, bool) {
    let tail = Arc::new(Mutex::new(OutputTail::default()));
    let (ended, over) = watch::channel(false);
    let out = child.stdout.take().map(|from| copy(from, tokio::io::stdout(), tail.clone(), over.clone()));
    let err = child.stderr.take().map(|from| copy(from, tokio::io::stderr(), tail.clone(), over));
    let copies = [out.map(tokio::spawn), err.map(tokio::spawn)];
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            Some(signal) = signals.recv() => {
                if let (true, Some(job)) = (signal.by_process, child.id()) {
                    signal.pass_on(job);
                }
            }
        }
    };
    let _ = ended.send(true);
    let mut is_wanted = true;
    for copying in copies.into_iter().flatten() {
        tokio::select! {
            _ = copying => {}
            () = stop(signals) => {
                is_wanted = false;
                break;
            }
        }
    }
    // The copies have ended or are abandoned.
    let text = tail.lock().map(|tail| tail.text()).unwrap_or_default();
    (status.map_or(JobEnd::Code(NOT_EXECUTABLE), JobEnd::of), text, is_wanted)
}

/// Resolves at a signal that ends the process.
async fn stop(signals: &mut mpsc::Receiver<ForJob>) {
    use nix::libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    while let Some(signal) = signals.recv().await {
        if [SIGHUP, SIGINT, SIGQUIT, SIGTERM].contains(&signal.number) {
            return;
        }
    }
    std::future::pending().await
}

/// Why a job did not start, as sh(1) would have it.
fn not_started(program: &OsStr, error: &std::io::Error, lang: Lang) -> (u8, String) {
    let program = program.to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => (NOT_FOUND, i18n::client::command_not_found(&program).in_lang(lang)),
        _ => (NOT_EXECUTABLE, i18n::client::program_cannot_be_run(&program, &error).in_lang(lang)),
    }
}

/// Whether enough descriptors are free; tokio's runtime panics when it gets none.
fn find_room() -> std::io::Result<()> {
    let spare = (0..DESCRIPTORS_NEEDED).map(|_| std::fs::File::open("/dev/null"));
    spare.collect::<Result<Vec<_>, _>>().map(drop)
}

/// Whether the system lacks resources, as opposed to a program that cannot be run.
fn lacks_room(error: &std::io::Error) -> bool {
    use nix::libc::{EAGAIN, EMFILE, ENFILE, ENOMEM};
    error.raw_os_error().is_some_and(|number| [EAGAIN, EMFILE, ENFILE, ENOMEM].contains(&number))
}

fn no_room(error: &std::io::Error) -> ClientError {
    ClientError::new(EX_OSERR, i18n::client::no_room_for_job(error))
}

/// The id of a job without one: not the host name alone, under which several jobs would be one monitor.
fn name_for(program: &OsStr, lang: Lang) -> Result<Id, ClientError> {
    let id = name_of(program).ok_or_else(|| ClientError::new(EX_USAGE, i18n::client::JOB_NEEDS_NAME))?;
    complain(i18n::client::job_no_name_reported(&id).in_lang(lang));
    Ok(id)
}

/// This machine's name and a program's.
fn name_of(program: &OsStr) -> Option<Id> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    name::of_command(&host.to_string_lossy(), program)
}

/// A name for one run.
fn new_run_id() -> String {
    format!("{:016x}{:016x}", unguessable(), unguessable())
}

/// The beat that begins a run, or ends it.
fn beat_of(id: &Id, rid: &str, status: Status) -> OutgoingBeat {
    OutgoingBeat::of(id).status(status).rid(Some(rid.to_string()))
}
