//! `heartbeat run`: a job, wrapped. Its start is reported, then its end with the exit code and the last of its output.
//!
//! The job comes first: it is started before anything is sent, its input, output and exit code are what they would be
//! without us, and neither a server that is dead nor a configuration that is wrong keeps it from running. Signals sent
//! to us go on to it.

mod output;
mod report;

use super::beat::Outgoing;
use super::cli;
use super::complain;
use super::config::Settings;
use super::dice::secret;
use super::failure::{EX_OSERR, EX_USAGE, Failure};
use crate::domain::beat::Status;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::sys::clock;
use crate::sys::signals::{ForJob, for_job};
use crate::view::signal::Signal;
use output::{Tail, copy};
use report::Report;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

/// How long to go on trying to report the result when nobody says.
const RETRY_FOR: Span = Span::secs(10);
/// Signals that may wait.
const SIGNALS_MAX: usize = 64;
/// The exit codes of sh(1) for a command that is not there and one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Runs the job and returns its exit code. Without settings nothing is reported.
///
/// # Errors
/// When the job has no name to be reported under; then it does not run.
pub async fn run(wanted: &cli::Run, settings: Option<&Settings>, lang: Lang) -> Result<u8, Failure> {
    let report = settings.map(Report::new).transpose()?;
    let (post, mut signals) = mpsc::channel(SIGNALS_MAX);
    for_job(move |signal| _ = post.try_send(signal)).map_err(|error| {
        Failure::new(EX_OSERR, format!("cannot watch signals: {error}"), format!("无法监听信号：{error}"))
    })?;
    let began = clock::mono();
    let (end, mut job) = match start(wanted) {
        Ok(child) => {
            // Only now that it runs is there time for anything else.
            let sending = report.map(Report::start);
            let (end, output, is_wanted) = attend(child, &mut signals).await;
            (end, Ended { sending: sending.filter(|_| is_wanted), output })
        }
        Err(error) => {
            let (code, sentence) =
                not_started(wanted.command.first().map_or(OsStr::new(""), |w| w), &error, lang);
            complain(&sentence);
            (End::Code(code), Ended { sending: report.map(Report::without_start), output: sentence })
        }
    };
    if let Some(sending) = job.sending.take() {
        let wait = Duration::from_millis(wanted.retry_for.unwrap_or(RETRY_FOR).0);
        let ran = clock::mono().since(began);
        let reported = tokio::select! {
            reported = sending.finish(end, &job.output, ran, wait) => reported,
            // Whoever is told to stop now has nothing left to wait for.
            () = stop(&mut signals) => Ok(()),
        };
        if let Err(failure) = reported {
            let text = failure.say(lang);
            let end = end.say(lang);
            complain(lang.pick(
                format!("the job ended with {end}, but that could not be reported: {text}"),
                format!("任务以{end}结束，但无法报告：{text}"),
            ));
        }
    }
    Ok(end.code())
}

/// What is left to do once the job has ended.
struct Ended {
    sending: Option<report::Sending>,
    /// The last of its output.
    output: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Code(u8),
    Signal(u8),
}

impl End {
    fn of(status: ExitStatus) -> End {
        match (status.code(), status.signal()) {
            // The system keeps eight bits of a code.
            (Some(code), _) => End::Code(code as u8),
            (None, Some(signal)) => End::Signal(signal as u8),
            (None, None) => End::Code(NOT_EXECUTABLE),
        }
    }

    /// As it is told to the server.
    fn status(self) -> Status {
        match self {
            End::Code(code) => Status::Exit(code.into()),
            End::Signal(number) => Status::Signal(number),
        }
    }

    /// As it is told to a person.
    fn say(self, lang: Lang) -> String {
        match (self, lang) {
            (End::Code(code), Lang::En) => format!("exit code {code}"),
            (End::Code(code), Lang::Zh) => format!("退出码 {code}"),
            (End::Signal(number), Lang::En) => Signal(number).to_string(),
            (End::Signal(number), Lang::Zh) => Signal(number).zh(),
        }
    }

    /// As shells count: 128 and the number of a signal.
    fn code(self) -> u8 {
        match self {
            End::Code(code) => code,
            End::Signal(number) => 128u8.saturating_add(number),
        }
    }
}

fn start(wanted: &cli::Run) -> std::io::Result<Child> {
    let Some((program, arguments)) = wanted.command.split_first() else {
        return Err(ErrorKind::NotFound.into());
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
}

/// Sees the job through to its end: how it ended, the last of what it said, and whether there is time to tell anybody.
async fn attend(mut child: Child, signals: &mut mpsc::Receiver<ForJob>) -> (End, String, bool) {
    let tail = Arc::new(Mutex::new(Tail::default()));
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
    // Nobody else is left who could hold it, or who it is does not matter any more.
    let text = tail.lock().map(|tail| tail.text()).unwrap_or_default();
    (status.map_or(End::Code(NOT_EXECUTABLE), End::of), text, is_wanted)
}

/// Resolves when somebody wants an end.
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
        ErrorKind::NotFound => {
            (NOT_FOUND, lang.pick(format!("{program}: command not found"), format!("{program}：未找到命令")))
        }
        _ => (
            NOT_EXECUTABLE,
            lang.pick(format!("{program}: cannot be run: {error}"), format!("{program}：无法运行：{error}")),
        ),
    }
}

/// The monitor of a job: never this machine's, with which several jobs would be taken for one.
fn no_name() -> Failure {
    Failure::new(EX_USAGE, "a job needs a name: give one with --id", "任务需要名称：请用 --id 指定")
}

/// A name for one run.
fn new_rid() -> String {
    format!("{:016x}{:016x}", secret(), secret())
}

/// The beat that begins a run, or ends it.
fn beat_of(id: &crate::domain::id::Id, rid: &str, status: Status) -> Outgoing {
    Outgoing::of(id).status(status).rid(Some(rid.to_string()))
}
