//! Asking and telling other programs: with a time limit, a limit on what they may say, and in English.
//!
//! firewall-cmd waits for D-Bus, iptables for a lock, and either may wait for ever. What a program says is read in
//! English, whatever the locale, because it is read by us.

use super::plan::Call;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::i18n;
use crate::sys::clock;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How long one program may take: longer than D-Bus lets firewall-cmd wait.
const ANSWER_WITHIN: Span = Span::secs(40);
/// The most that is read of what a program says; a chain with a list of a million networks is beyond it.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Where the programs are, should PATH not say so: `su` keeps the PATH of an ordinary user.
const PATH_MORE: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

/// What a program said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramOutput {
    /// Its exit code; 128 and the signal's number when one ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Why a firewall could not be asked or changed.
#[derive(Debug, PartialEq, Eq)]
pub enum FirewallError {
    /// There is no such program.
    Missing {
        /// The program.
        program: &'static str,
    },
    /// It could not be started, or not be heard.
    Unheard {
        /// What was called.
        call: Call,
        /// What the system said.
        reason: String,
    },
    /// It did not answer in time.
    Silent {
        /// What was called.
        call: Call,
    },
    /// It ended with an error.
    Failed {
        /// What was called.
        call: Call,
        /// What it said.
        answer: ProgramOutput,
    },
}

/// Whoever runs programs: the system, or a test.
pub trait Ask {
    /// Runs a program to its end.
    ///
    /// # Errors
    /// When it cannot be run. That it ends with an error is an answer.
    fn ask(&mut self, call: &Call) -> Result<ProgramOutput, FirewallError>;

    /// The same, where anything but success is trouble; answers what was printed.
    ///
    /// # Errors
    /// [`FirewallError::Failed`] too.
    fn must(&mut self, call: &Call) -> Result<String, FirewallError> {
        match self.ask(call)? {
            ProgramOutput { code: 0, out, .. } => Ok(out),
            answer => Err(FirewallError::Failed { call: call.clone(), answer }),
        }
    }
}

/// The system itself.
#[derive(Debug)]
pub struct System {
    /// How long one program may take.
    pub within: Span,
}

impl Default for System {
    fn default() -> System {
        System { within: ANSWER_WITHIN }
    }
}

impl Ask for System {
    fn ask(&mut self, call: &Call) -> Result<ProgramOutput, FirewallError> {
        let unheard =
            |error: io::Error| FirewallError::Unheard { call: call.clone(), reason: error.to_string() };
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        if !path.is_empty() {
            path.push(":");
        }
        path.push(PATH_MORE);
        let started = Command::new(call.program)
            .args(&call.arguments)
            .env("PATH", path)
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: what it starts ends with it.
            .process_group(0)
            .spawn();
        let mut child = match started {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FirewallError::Missing { program: call.program });
            }
            other => other.map_err(unheard)?,
        };
        let until = clock::mono().after(self.within);
        let (out, err) = (listen(child.stdout.take()), listen(child.stderr.take()));
        let mut texts = Vec::new();
        for said in [out, err] {
            let left = Duration::from_millis(until.since(clock::mono()).0);
            match said.recv_timeout(left) {
                Ok(Ok(text)) => texts.push(text),
                Ok(Err(error)) => {
                    end(&mut child);
                    return Err(unheard(error));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    end(&mut child);
                    return Err(FirewallError::Silent { call: call.clone() });
                }
            }
        }
        // Both its outputs are closed; hardly anything goes on after that.
        loop {
            match child.try_wait().map_err(unheard)? {
                Some(status) => {
                    let err = texts.pop().unwrap_or_default();
                    return Ok(ProgramOutput {
                        code: code(status),
                        out: texts.pop().unwrap_or_default(),
                        err,
                    });
                }
                None if clock::mono() > until => {
                    end(&mut child);
                    return Err(FirewallError::Silent { call: call.clone() });
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// Reads to the end on a thread of its own, so that neither pipe fills up while the other is read.
fn listen(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<io::Result<String>> {
    let (said, heard) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = match pipe {
            Some(pipe) => pipe.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes),
            None => Ok(0),
        };
        let text = match read {
            Ok(count) if count as u64 > ANSWER_BYTES_MAX => Err(io::Error::other("it says too much")),
            Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(error),
        };
        // Nobody listens any more once the time is over.
        let _ = said.send(text);
    });
    heard
}

/// Ends a program and what it has started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).map(nix::unistd::Pid::from_raw);
    if let Ok(group) = group {
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.wait();
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

impl ProgramOutput {
    /// What it said that is worth reading, both outputs.
    pub fn said(&self) -> String {
        [self.err.trim(), self.out.trim()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl FirewallError {
    /// The exit code of sysexits(3): the firewall is not to be had.
    pub fn exit_code(&self) -> u8 {
        69
    }

    /// What failed, and what to do.
    pub fn sentence(&self, lang: Lang) -> String {
        match self {
            FirewallError::Missing { program } => i18n::sys::no_machine(&program).in_lang(lang),

            FirewallError::Unheard { call, reason } => i18n::sys::cannot_run(&call, &reason).in_lang(lang),

            FirewallError::Silent { call } => i18n::sys::did_not_end_time(&call).in_lang(lang),

            FirewallError::Failed { call, answer } => {
                i18n::sys::ended(&call, &answer.code, &answer.said()).in_lang(lang)
            }
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! A system that answers from a list, for the tests of the backends.

    use super::*;

    /// Commands, their exit codes and what they print. A program that is not named at all is not installed.
    pub(crate) struct Script(Vec<(String, i32, String)>);

    impl Script {
        pub(crate) fn new(answers: &[(&str, i32, &str)]) -> Script {
            Script(
                answers.iter().map(|(line, code, out)| (line.to_string(), *code, out.to_string())).collect(),
            )
        }
    }

    impl Ask for Script {
        fn ask(&mut self, call: &Call) -> Result<ProgramOutput, FirewallError> {
            let line = call.to_string();
            match self.0.iter().find(|(known, ..)| *known == line) {
                Some((_, code, out)) => {
                    Ok(ProgramOutput { code: *code, out: out.clone(), err: String::new() })
                }
                None if self.0.iter().any(|(known, ..)| known.split(' ').next() == Some(call.program)) => {
                    panic!("nobody said what `{line}` answers")
                }
                None => Err(FirewallError::Missing { program: call.program }),
            }
        }
    }

    /// Commands as a person would type them, one a line.
    pub(crate) fn calls(calls: &[Call]) -> String {
        calls.iter().map(|call| format!("{call}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_and_how_it_ends_comes_back() {
        let answer =
            System::default().ask(&Call::new("sh", ["-c", "echo out; echo $LC_ALL >&2; exit 3"])).unwrap();
        assert_eq!(answer, ProgramOutput { code: 3, out: "out\n".into(), err: "C\n".into() });
        let failed = System::default().must(&Call::new("sh", ["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(failed.sentence(Lang::En), "`sh -c 'echo why >&2; exit 3'` ended with 3:\nwhy");
    }

    #[test]
    fn much_of_it_does_not_block_and_too_much_is_refused() {
        let much = "head -c 300000 /dev/zero | tr '\\0' x >&2; head -c 300000 /dev/zero | tr '\\0' x";
        let answer = System::default().ask(&Call::new("sh", ["-c", much])).unwrap();
        assert_eq!((answer.out.len(), answer.err.len()), (300_000, 300_000));
        let refused = System::default().ask(&Call::new("sh", ["-c", "exec cat /dev/zero"])).unwrap_err();
        assert!(matches!(refused, FirewallError::Unheard { .. }), "{refused:?}");
    }

    #[test]
    fn one_that_waits_for_ever_is_ended_with_all_that_it_started() {
        let file = std::env::temp_dir().join(format!("hb-firewall-{}", std::process::id()));
        let waits = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let call = Call::new("sh", ["-c".to_string(), waits]);
        let silent = System { within: Span::secs(2) }.ask(&call).unwrap_err();
        assert_eq!(silent, FirewallError::Silent { call });
        if let Ok(pid) = std::fs::read_to_string(&file) {
            let _ = std::fs::remove_file(&file);
            // Killed it may still wait for somebody to collect it.
            let gone = || {
                let state =
                    Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap().stdout;
                state.is_empty() || state.starts_with(b"Z")
            };
            while !gone() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let missing = System::default().ask(&Call::new("heartbeat-no-such-program", ["x"])).unwrap_err();
        assert_eq!(missing, FirewallError::Missing { program: "heartbeat-no-such-program" });
    }
}
