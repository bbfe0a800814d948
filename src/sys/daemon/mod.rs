//! Going into the background, the old way: two forks, a session of its own, a pid file; and a parent that tells the
//! truth. For systems without a service manager; under one it is refused.
//!
//! The crate `daemonize` does the forking (this is the only file that uses it). Its own parent ends as soon as the
//! first child has forked, when nothing is known yet, so it is driven by `execute` and the parent waits on a pipe for
//! the word of the process that remains:
//!
//! ```text
//! parent ── fork ── first child ── setsid, chdir /, fork ── daemon: locks and writes the pid file, /dev/null
//!   │                 └ exits 0                                │
//!   └ reads the pipe ◄──────── exit code, message ─────────────┘  ready() or fail()
//! ```
//!
//! A pipe that closes without a word means that the daemon died: that is failure too. Order of a start: options,
//! inherited sockets, bind, [`detach`], privileges, log, runtime, ready. Nothing here may run beside a second thread.

mod error;
mod path;
mod pid_file;

pub use error::DaemonError;
pub use path::absolute;
pub use pid_file::PidFile;

use crate::domain::lang::Lang;
use crate::i18n;
use crate::sys::service;
use daemonize::{Daemonize, Outcome};
use nix::sys::stat::{Mode, umask};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Longest message from the daemon to its parent in bytes.
const MESSAGE_BYTES_MAX: u64 = 16 * 1024;
/// EX_SOFTWARE: the daemon died without a word.
const DIED: u8 = 70;

/// How to detach. Paths that the daemon opens later must be absolute by now ([`absolute`]): it moves to `/`.
#[derive(Clone, Debug, Default)]
pub struct Detach {
    /// Where to write the process id; held locked as long as the daemon lives.
    pub pid_file: Option<PathBuf>,
    /// True when sockets were inherited or a manager waits for our words: detaching is then refused.
    pub supervised: bool,
    /// The language of what the parent says by itself.
    pub lang: Lang,
}

/// The way to the waiting parent, held by the daemon until it is ready or has failed.
#[derive(Debug)]
#[must_use = "the parent waits for a word"]
pub struct ReadyPipe {
    pipe: UnixStream,
    pid_file: Option<PidFile>,
}

impl ReadyPipe {
    /// Lets the parent exit with 0.
    pub fn ready(self) {
        self.say(0, "");
    }

    /// Lets the parent print the message and exit with the code; 0 would be a lie and becomes 70.
    pub fn fail(self, exit_code: u8, message: &str) {
        self.say(if exit_code == 0 { DIED } else { exit_code }, message);
    }

    /// The pid file, to be removed at the end; to be taken before `ready`.
    pub fn take_pid_file(&mut self) -> Option<PidFile> {
        self.pid_file.take()
    }

    fn say(mut self, code: u8, message: &str) {
        // The parent may have been killed meanwhile: then nobody listens, and the daemon goes on without it.
        let _ = self.pipe.write_all(&[code]);
        let _ = self.pipe.write_all(message.as_bytes());
        let _ = self.pipe.shutdown(Shutdown::Both);
    }
}

/// Goes into the background. Returns in the daemon only; the parent waits there for its word and exits with it.
///
/// The daemon stands in `/` with umask 077, in a session of its own, its standard streams on /dev/null.
///
/// # Errors
/// What keeps us from forking at all. What fails after the fork reaches the user through the parent.
pub fn detach(options: Detach) -> Result<ReadyPipe, DaemonError> {
    // Descriptors and words of a manager are bound to our pid, which a fork changes.
    if options.supervised
        || service::under_launchd()
        || ["NOTIFY_SOCKET", "LISTEN_PID"].iter().any(|v| std::env::var_os(v).is_some())
    {
        return Err(DaemonError::Supervised);
    }
    let pid_path = options.pid_file.as_deref().map(absolute).transpose()?;
    // Closed on exec, and on each side as soon as it is the other's.
    let (parents, daemons) = UnixStream::pair().map_err(|e| DaemonError::System { reason: e.to_string() })?;
    // What is buffered now would be printed twice, by each side of the fork.
    let _ = io::stdout().flush();

    // The pid file is for everybody to read; the umask tightens once it is made. That is done here: the crate would follow
    // any link to it, and keep it open for every program that we start.
    match Daemonize::new().working_directory("/").umask(0o022).execute() {
        Outcome::Parent(Err(e)) if !e.to_string().starts_with("wait failed") => {
            Err(DaemonError::System { reason: e.to_string() })
        }
        // A failed wait is nothing: where SIGCHLD is ignored the first child leaves no trace. The pipe knows.
        Outcome::Parent(_) => {
            drop(daemons);
            std::process::exit(wait_for_word(parents, options.lang).into())
        }
        Outcome::Child(result) => {
            drop(parents);
            let done = result.map_err(|e| DaemonError::System { reason: e.to_string() }).and_then(|_| {
                let pid_file = pid_path.as_deref().map(PidFile::create).transpose();
                umask(Mode::from_bits_truncate(0o077));
                pid_file
            });
            match done {
                Ok(pid_file) => Ok(ReadyPipe { pipe: daemons, pid_file }),
                Err(e) => {
                    ReadyPipe { pipe: daemons, pid_file: None }
                        .fail(e.exit_code(), &e.sentence(options.lang));
                    std::process::exit(e.exit_code().into())
                }
            }
        }
    }
}

/// The parent's wait: prints what the daemon says and returns the exit code.
fn wait_for_word(pipe: UnixStream, lang: Lang) -> u8 {
    let mut word = Vec::new();
    // An error here has the meaning of an early end: no word.
    let _ = pipe.take(MESSAGE_BYTES_MAX).read_to_end(&mut word);
    let (code, message) = match word.split_first() {
        Some((0, _)) => return 0,
        Some((code, message)) => (*code, String::from_utf8_lossy(message).into_owned()),
        None => (DIED, died(lang).to_string()),
    };
    let _ = writeln!(io::stderr(), "{message}");
    code
}

fn died(lang: Lang) -> &'static str {
    i18n::sys::SERVER_DIED_BACKGROUND_BEFORE.in_lang(lang)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::fs::OpenOptions;
    use std::os::unix::fs::MetadataExt;
    use std::process::{Command, Output};
    use std::time::Duration;

    /// A folder of its own for each test; ends the daemon whose pid file is in it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("hb-daemon-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn pid_file(&self) -> PathBuf {
            self.0.join("pid")
        }

        fn pid(&self) -> Option<i32> {
            std::fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
        }

        /// Starts a daemon that behaves as `how` says, and returns how its parent ended.
        fn start(&self, how: &str) -> Output {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "sys::daemon::tests::part_of_a_daemon", "--ignored"])
                .args(["--nocapture", "--test-threads=1"])
                .env("HB_PART", how)
                .current_dir(&self.0)
                .output()
                .unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if let Some(pid) = self.pid() {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn says(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    #[test]
    #[ignore = "a part played for the tests below, not a test"]
    fn part_of_a_daemon() {
        let how = std::env::var("HB_PART").expect("only as a child of another test");
        let folder = std::env::current_dir().unwrap();
        let options =
            Detach { pid_file: Some("pid".into()), supervised: how == "supervised", lang: Lang::En };
        let mut pipe = match detach(options) {
            Ok(pipe) => pipe,
            Err(e) => {
                eprintln!("{e}");
                std::process::exit(e.exit_code().into())
            }
        };
        match how.as_str() {
            "fails" => {
                pipe.fail(77, "cannot listen on [::]:80: permission denied");
                std::process::exit(77)
            }
            "dies" => std::process::abort(),
            "lies" => pipe.fail(0, "broken"),
            "leaves" => {
                let pid_file = pipe.take_pid_file().unwrap();
                pipe.ready();
                pid_file.remove();
            }
            _ => {
                let mask = umask(Mode::from_bits_truncate(0o077));
                let text = format!(
                    "cwd {} mask {:03o} session {} out {}",
                    std::env::current_dir().unwrap().display(),
                    mask.bits(),
                    nix::unistd::getsid(None).unwrap(),
                    std::fs::read_link("/proc/self/fd/1").unwrap_or_default().display()
                );
                std::fs::write(folder.join("facts"), text).unwrap();
                let held = pipe.take_pid_file();
                pipe.ready();
                std::thread::sleep(Duration::from_secs(60));
                drop(held);
            }
        }
        std::process::exit(0)
    }

    #[test]
    fn the_parent_ends_well_when_the_daemon_is_ready() {
        let folder = Folder::new("ready");
        let output = folder.start("ready");
        assert_eq!(output.status.code(), Some(0), "{}", says(&output));
        let pid = folder.pid().unwrap();
        kill(Pid::from_raw(pid), None).unwrap();
        let facts = std::fs::read_to_string(folder.0.join("facts")).unwrap();
        let rest = facts.strip_prefix("cwd / mask 077 session ").unwrap();
        let session: i32 = rest.split(' ').next().unwrap().parse().unwrap();
        assert_ne!(session, nix::unistd::getsid(None).unwrap().as_raw(), "it left our session");
        assert_ne!(session, pid, "and leads none, so that it can never acquire a terminal");
        if cfg!(target_os = "linux") {
            assert!(facts.ends_with("out /dev/null"), "{facts}");
        }
        let mode = std::fs::metadata(folder.pid_file()).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o644);
    }

    #[test]
    fn a_second_daemon_is_told_whose_pid_file_it_is() {
        let folder = Folder::new("locked");
        assert!(folder.start("ready").status.success());
        let pid = folder.pid().unwrap();
        let output = folder.start("ready");
        assert_eq!(output.status.code(), Some(69));
        let says = says(&output);
        assert!(says.contains(&format!("another server (pid {pid})")), "{says}");
        assert!(says.contains(&*folder.pid_file().to_string_lossy()), "{says}");
        assert_eq!(folder.pid(), Some(pid), "the second left the number alone");
        let error = PidFile::create(&folder.pid_file()).unwrap_err();
        assert!(matches!(error, DaemonError::Locked { pid: Some(p), .. } if p as i32 == pid), "{error:?}");
    }

    #[test]
    fn the_message_of_a_failed_daemon_is_its_parents() {
        let folder = Folder::new("fails");
        let output = folder.start("fails");
        assert_eq!(output.status.code(), Some(77));
        assert!(says(&output).contains("cannot listen on [::]:80: permission denied\n"), "{}", says(&output));
        assert_eq!(folder.start("lies").status.code(), Some(70));
    }

    #[test]
    fn a_daemon_that_dies_without_a_word_is_a_failure() {
        let folder = Folder::new("dies");
        let output = folder.start("dies");
        assert_eq!(output.status.code(), Some(70));
        assert!(says(&output).contains(died(Lang::En)), "{}", says(&output));
    }

    #[test]
    fn a_pid_file_that_cannot_be_made_is_named() {
        let folder = Folder::new("blocked");
        std::fs::create_dir(folder.pid_file()).unwrap();
        let output = folder.start("ready");
        assert_eq!(output.status.code(), Some(74));
        assert!(says(&output).contains(&*folder.pid_file().to_string_lossy()), "{}", says(&output));
    }

    #[test]
    fn under_a_manager_it_is_refused() {
        let folder = Folder::new("supervised");
        let output = folder.start("supervised");
        assert_eq!(output.status.code(), Some(64));
        assert!(says(&output).contains("--daemon cannot be used"), "{}", says(&output));
        assert!(!folder.pid_file().exists());
    }

    #[test]
    fn a_removed_pid_file_is_empty_for_who_still_has_it_open() {
        let folder = Folder::new("leaves");
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(folder.pid_file());
        assert!(folder.start("leaves").status.success());
        // The daemon removes it after the parent has gone: wait for that, however long the machine takes.
        while folder.pid_file().exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(io::read_to_string(open.unwrap()).unwrap(), "");
    }
}
