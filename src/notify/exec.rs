//! Programs: one is started for each message, which it gets in its environment and, as JSON, on its standard input.
//!
//! Exit status 0 means sent; every other, 75 (EX_TEMPFAIL) too, means to try again. There is no shell unless the command
//! names one. At the time limit the program's process group is killed.

use super::{Envelope, Outcome, Secrets};
use crate::domain::sentence::Audience;
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use crate::sys::sandbox;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Bytes kept of each of the two streams; the rest is read and dropped.
const OUTPUT_BYTES_MAX: usize = 4 * 1024;
/// Longest value of a variable: execve(2) fails from 128 KiB on (MAX_ARG_STRLEN), and bounds their sum.
const VARIABLE_BYTES_MAX: usize = 32 * 1024;
/// How long after a program's end its children may still write.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// sysexits: try again later.
const EX_TEMPFAIL: i32 = 75;
/// Variables of the service manager that are not passed on; nor are those that begin with `LISTEN_` or `HEARTBEAT_`.
const OURS: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "FDSTORE", "CREDENTIALS_DIRECTORY", "INVOCATION_ID"];
const OUR_PREFIXES: [&str; 2] = ["LISTEN_", "HEARTBEAT_"];
/// The variables, and the keys of the message's JSON that they hold.
const VARIABLES: &[(&str, &str)] = &[
    ("HEARTBEAT_KIND", "kind"),
    ("HEARTBEAT_KEY", "key"),
    ("HEARTBEAT_NOTIFIER", "notifier"),
    ("HEARTBEAT_MONITOR", "monitor"),
    ("HEARTBEAT_COUNT", "count"),
    ("HEARTBEAT_INCIDENT", "incident"),
    ("HEARTBEAT_SINCE", "since"),
    ("HEARTBEAT_DURATION_S", "duration_s"),
    ("HEARTBEAT_DELAYED_S", "delayed_s"),
    ("HEARTBEAT_CAUSE", "cause"),
    ("HEARTBEAT_EXIT_CODE", "exit_code"),
    ("HEARTBEAT_SIGNAL", "signal"),
    ("HEARTBEAT_SLOT", "slot"),
    ("HEARTBEAT_MESSAGE", "message"),
    ("HEARTBEAT_FAILURES", "failures"),
    ("HEARTBEAT_ADDRESS", "address"),
    ("HEARTBEAT_TAGS", "tags"),
    ("HEARTBEAT_TITLE", "title"),
    ("HEARTBEAT_TEXT", "text"),
    ("HEARTBEAT_DETAILS", "details"),
    ("HEARTBEAT_SERVER", "server"),
    ("HEARTBEAT_LINK", "link"),
];

/// The keys of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecOptions {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long it may run.
    pub timeout: Span,
    /// Whether reasons quote what it writes.
    pub show_answers: bool,
}

/// A program, ready to be started.
#[derive(Debug)]
pub struct Exec {
    options: ExecOptions,
}

impl Exec {
    /// Makes it ready.
    pub fn new(options: ExecOptions) -> Exec {
        Exec { options }
    }

    /// Starts it once and waits for its end.
    pub async fn send(&self, envelope: &Envelope<'_>) -> Outcome {
        let mut command = self.command(envelope.json());
        // Reasons are shown by the API, so they hold the program's name without its path.
        let path = self.options.command.first().map(Path::new);
        let name = path.map(|path| Audience::Stranger.path(path)).unwrap_or_default();
        let name = name.as_str();
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Outcome::retry(i18n::notify::cannot_start(&name, &error)),
        };
        let mut group = ProcessGroup(child.id());
        let input = envelope.json().to_string();
        let run = run(child, input.into_bytes());
        match tokio::time::timeout(Duration::from_millis(self.options.timeout.0), run).await {
            Ok(Ok((status, said))) => {
                group.0 = None;
                judge(name, status, &Secrets::default().answer(self.options.show_answers, &said))
            }
            Ok(Err(error)) => Outcome::retry(i18n::notify::cannot_wait(&name, &error)),
            Err(_) => {
                let limit = self.options.timeout;
                Outcome::retry(i18n::notify::not_done_within_killed(&name, &limit, &unprivileged()))
            }
        }
    }

    fn command(&self, json: &Value) -> Command {
        let mut words = self.options.command.iter();
        let mut command = Command::new(words.next().map(String::as_str).unwrap_or_default());
        command.args(words).current_dir("/").process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if OUR_PREFIXES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        OURS.iter().for_each(|name| _ = command.env_remove(name));
        if let Some((uid, gid)) = sandbox::program_ids() {
            // The groups of root go with its number (setgroups(2), by the standard library).
            command.uid(uid).gid(gid);
        }
        for (name, key) in VARIABLES {
            command.env(name, variable(&json[*key]));
        }
        command
    }
}

/// A hint at NoNewPrivileges (prctl PR_GET_NO_NEW_PRIVS): a program with set-user-ID or set-group-ID (sudo, ping, the
/// maildrop of sendmail) does not get its rights then, and may wait for ever.
fn unprivileged() -> Text {
    #[cfg(target_os = "linux")]
    if nix::sys::prctl::get_no_new_privs().unwrap_or(false) {
        return i18n::notify::UNDER_NONEWPRIVILEGES_PROGRAM_SET.into();
    }
    Text::default()
}

/// The same for exit codes that mean missing rights: sysexits' EX_NOPERM, EX_OSERR and EX_CANTCREAT.
fn unprivileged_failure(code: i32) -> Text {
    if matches!(code, 71 | 73 | 77) { unprivileged() } else { Text::default() }
}

/// A value as a variable may hold it.
fn variable(value: &Value) -> String {
    let mut text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    let mut end = VARIABLE_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.replace('\0', " ")
}

/// The process group of a program; dropped while it is set it is killed. Its leader has not been reaped then, so the number
/// cannot belong to another group.
struct ProcessGroup(Option<u32>);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|pid| i32::try_from(pid).ok()) {
            // ESRCH: it has ended already.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Writes its input, reads its output and waits for its end. Output is not awaited beyond that: children may hold the
/// streams open.
async fn run(mut child: Child, input: Vec<u8>) -> io::Result<(ExitStatus, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = {
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // EPIPE: a program need not read its input.
                let _ = stdin.write_all(&input).await;
            }
        };
        let streams = async {
            tokio::join!(feed, read_start(stdout, &mut out), read_start(stderr, &mut err));
        };
        tokio::pin!(streams);
        let mut done = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut streams, if !done => done = true,
            }
        };
        if !done {
            let _ = tokio::time::timeout(LAST_WORDS, streams).await;
        }
        status
    };
    // Errors usually stand on standard error.
    let said = if err.iter().all(u8::is_ascii_whitespace) { out } else { err };
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

async fn read_start(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        let room = OUTPUT_BYTES_MAX - into.len();
        into.extend_from_slice(&bytes[..read.min(room)]);
    }
}

fn judge(name: &str, status: ExitStatus, said: &Text) -> Outcome {
    match status.code() {
        Some(0) => Outcome::Sent,
        Some(EX_TEMPFAIL) => Outcome::retry(i18n::notify::wants_tried_again_later(&name, said)),
        Some(code) => {
            let advice = unprivileged_failure(code);
            Outcome::retry(i18n::notify::failed_exit_status(&name, &code, said, &advice))
        }
        None => Outcome::retry(i18n::notify::ended_signal(&name, &status, said)),
    }
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
