//! The commands that are run when the server is found dead and when it is back: one after the other, each with a limit
//! of time and output; beats never wait for them.

use crate::domain::notice::{Level, Notice};
use crate::i18n;
use crate::sys::clock;
use crate::sys::log::Log;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

/// Hooks that may wait for the one that runs.
const WAITING_MAX: usize = 8;
/// How long one may run.
const RUN_MAX: Duration = Duration::from_secs(60);
/// Bytes kept of a hook's output.
const OUTPUT_BYTES_MAX: u64 = 2_000;

/// One run.
#[derive(Debug)]
pub struct Hook {
    /// For sh(1).
    pub command: String,
    /// `down` or `up`.
    pub state: &'static str,
    /// The server.
    pub url: String,
    /// The monitor.
    pub id: String,
    /// What has happened, in a sentence.
    pub text: String,
}

/// Runs hooks one after the other.
#[derive(Clone, Debug)]
pub struct Hooks(Sender<Hook>);

impl Hooks {
    /// To be called inside the runtime.
    pub fn start(log: Log) -> Hooks {
        let (sender, mut waiting) = channel::<Hook>(WAITING_MAX);
        tokio::spawn(async move {
            while let Some(hook) = waiting.recv().await {
                let (level, text) = match run(&hook).await {
                    Ok(said) if said.is_empty() => continue,
                    Ok(said) => (Level::Info, said),
                    Err(why) => (Level::Warning, why),
                };
                let text = i18n::client::on(&hook.state, &hook.command, &text);
                log.notice(clock::wall(), Notice::Other { level, kind: "hook", text });
            }
        });
        Hooks(sender)
    }

    /// Queues one; false when too many are queued.
    pub fn run(&self, hook: Hook) -> bool {
        self.0.try_send(hook).is_ok()
    }
}

/// Its output, or why it failed.
async fn run(hook: &Hook) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", &hook.command])
        .env("HEARTBEAT_STATE", hook.state)
        .env("HEARTBEAT_URL", &hook.url)
        .env("HEARTBEAT_ID", &hook.id)
        .env("HEARTBEAT_TEXT", &hook.text)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let all = async {
        let (out, err, status) = tokio::join!(words(out), words(err), child.wait());
        let said = format!("{out} {err}").trim().to_string();
        match status {
            Ok(status) if status.success() => Ok(said),
            Ok(status) => Err(format!("{status} {said}").trim().to_string()),
            Err(error) => Err(error.to_string()),
        }
    };
    match timeout(RUN_MAX, all).await {
        Ok(outcome) => outcome,
        Err(_) => {
            // The whole process group is killed.
            let _ = group.map(|group| killpg(group, Signal::SIGKILL));
            Err(format!("killed after {RUN_MAX:?}"))
        }
    }
}

/// The first bytes of the output; the rest is read and dropped, so that the hook never blocks on a full pipe.
async fn words(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut said = Vec::new();
    let _ = (&mut from).take(OUTPUT_BYTES_MAX).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).trim().replace('\n', "; ")
}
