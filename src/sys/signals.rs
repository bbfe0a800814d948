//! Signals, as one enum of events on a small thread of their own.
//!
//! HUP reloads, USR1 asks for a summary, TERM and INT stop. A second TERM or INT goes at once, in three steps, so that
//! it works however stuck the daemon is:
//!
//! 1. The callback hears [`Event::StopNow`].
//! 2. If the process still lives `LAST_WORDS` later, this thread ends it with the code 128 + signal.
//! 3. A third signal meanwhile ends it inside the signal handler, with the same code.
//!
//! Some programs send a signal twice in one breath: timeout(1) to its child and then to the group, a terminal and the
//! `make` under it. So a second one counts only when it comes `SAME_BREATH` or more after the first.

use crate::domain::time::{Mono, Span};
use crate::sys::clock;
use nix::sys::signal::{SigHandler, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Signals, SignalsInfo};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the callback has to end the process after [`Event::StopNow`]: time to write the log out.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Stop signals closer together than this are one wish.
const SAME_BREATH: Span = Span(200);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Reopen the logs, read the configuration again (HUP).
    Reload,
    /// Stop in good order (TERM, INT).
    Stop,
    /// Stop at once (a second TERM or INT). The process ends a second later in any case.
    StopNow,
    /// Write a summary to the log (USR1).
    Summary,
}

/// Keeps the signals watched; they stay so when it is dropped, until the process ends.
#[derive(Debug)]
pub struct Handle {
    signals: signal_hook::iterator::Handle,
}

impl Handle {
    /// Ends the thread. The signals are ignored from then on, as their handlers stay.
    pub fn close(&self) {
        self.signals.close();
    }
}

/// Watches the signals and ignores SIGPIPE: a client that goes away is an error of its connection, not our end.
///
/// `callback` runs on the thread "signals" and must not block: hand the event on through something that never waits.
///
/// # Errors
/// When the system gives no thread or no descriptor.
pub fn watch(callback: impl Fn(Event) + Send + 'static) -> io::Result<Handle> {
    watch_with(LAST_WORDS, callback)
}

fn watch_with(last_words: Duration, callback: impl Fn(Event) + Send + 'static) -> io::Result<Handle> {
    ignore_write_signals()?;
    let at_once = Arc::new(AtomicBool::new(false));
    // Before the iterator's own handlers: those run in order of registration.
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&at_once))?;
    }
    let mut signals = Signals::new([SIGHUP, SIGUSR1, SIGTERM, SIGINT])?;
    let handle = Handle { signals: signals.handle() };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut stops = Stops::default();
        for signal in signals.forever() {
            let event = match signal {
                SIGHUP => Some(Event::Reload),
                SIGUSR1 => Some(Event::Summary),
                _ => stops.count(clock::mono()),
            };
            if event == Some(Event::StopNow) {
                at_once.store(true, Ordering::SeqCst);
            }
            if let Some(event) = event {
                callback(event);
            }
            if event == Some(Event::StopNow) {
                std::thread::sleep(last_words);
                signal_hook::low_level::exit(128 + signal);
            }
        }
    })?;
    Ok(handle)
}

/// A signal meant for a job that runs under us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForJob {
    /// Its number.
    pub number: i32,
    /// Whether a process sent it to us alone. A terminal sends its own to the job as well.
    pub by_process: bool,
}

impl ForJob {
    /// Sends it on. A job that has ended needs no telling.
    pub fn pass_on(self, job: u32) {
        let signal = Signal::try_from(self.number).ok();
        if let (Some(signal), Ok(pid)) = (signal, i32::try_from(job)) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }
}

/// Takes the signals that end or steer a job, so that they do not end us before it, and hands them to `callback`, which
/// runs on the thread "signals" and must not block. One that whoever started us has set to be ignored (nohup(1)) stays so,
/// for the job too.
///
/// # Errors
/// When the system gives no thread or no descriptor.
pub fn for_job(callback: impl Fn(ForJob) + Send + 'static) -> io::Result<()> {
    let wanted = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
    let taken = wanted.into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = SignalsInfo::<WithOrigin>::new(taken)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for origin in signals.forever() {
            callback(ForJob { number: origin.signal, by_process: origin.process.is_some() });
        }
    })?;
    Ok(())
}

/// Whether a signal is ignored as things stand.
#[allow(unsafe_code)]
fn is_ignored(signal: i32) -> bool {
    use nix::libc;
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action the call only writes the present one, for which there is room; all zeros is a valid
    // value of that type if it writes nothing.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// Counts the stop signals. Pure.
#[derive(Debug, Default)]
struct Stops {
    first: Option<Mono>,
}

impl Stops {
    fn count(&mut self, now: Mono) -> Option<Event> {
        match self.first {
            None => {
                self.first = Some(now);
                Some(Event::Stop)
            }
            Some(first) if now.since(first) < SAME_BREATH => None,
            Some(_) => Some(Event::StopNow),
        }
    }
}

/// A write to a client that is gone, or beyond a limit of file size, is an error where it happens and no reason to die.
#[allow(unsafe_code)]
fn ignore_write_signals() -> io::Result<()> {
    for signal in [Signal::SIGPIPE, Signal::SIGXFSZ] {
        // SAFETY: ignoring a signal installs no handler, so no code of ours can run in a signal's context.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::Pid;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    #[test]
    fn the_second_stop_goes_at_once_unless_it_comes_in_the_same_breath() {
        let mut stops = Stops::default();
        assert_eq!(stops.count(Mono(1000)), Some(Event::Stop));
        assert_eq!(stops.count(Mono(1001)), None);
        assert_eq!(stops.count(Mono(1199)), None);
        assert_eq!(stops.count(Mono(1200)), Some(Event::StopNow));
    }

    /// A process of its own, as signals meet whole processes: it prints each event and never ends by itself.
    #[test]
    #[ignore = "a part played for the tests below, not a test"]
    fn part_of_a_daemon_that_does_not_stop() {
        let how = std::env::var("HB_PART").expect("only as a child of another test");
        let last_words = if how == "patient" { Duration::from_secs(3600) } else { LAST_WORDS };
        let _handle = watch_with(last_words, |event| println!("event {event:?}")).unwrap();
        println!("watching");
        loop {
            std::thread::park();
        }
    }

    struct Part(Child, std::io::Lines<BufReader<std::process::ChildStdout>>);

    impl Part {
        fn start(how: &str) -> Part {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "sys::signals::tests::part_of_a_daemon_that_does_not_stop"])
                .args(["--ignored", "--nocapture", "--test-threads=1"])
                .env("HB_PART", how)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut part = Part(child, lines);
            part.expect("watching");
            part
        }

        fn kill(&self, signal: Signal) {
            nix::sys::signal::kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
        }

        fn expect(&mut self, what: &str) {
            assert!(self.1.by_ref().any(|line| line.unwrap().ends_with(what)), "never heard {what}");
        }
    }

    impl Drop for Part {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn each_signal_is_its_event_and_sigpipe_is_none() {
        let mut part = Part::start("as in life");
        for (signal, event) in [
            (Signal::SIGPIPE, None),
            (Signal::SIGHUP, Some("event Reload")),
            (Signal::SIGUSR1, Some("event Summary")),
            (Signal::SIGTERM, Some("event Stop")),
        ] {
            part.kill(signal);
            if let Some(event) = event {
                part.expect(event);
            }
        }
    }

    #[test]
    fn a_stuck_daemon_ends_after_a_second_signal() {
        let mut part = Part::start("as in life");
        part.kill(Signal::SIGTERM);
        part.expect("event Stop");
        std::thread::sleep(Duration::from_millis(SAME_BREATH.0 + 100));
        part.kill(Signal::SIGINT);
        part.expect("event StopNow");
        assert_eq!(part.0.wait().unwrap().code(), Some(128 + SIGINT));
    }

    #[test]
    fn a_third_signal_waits_for_nothing() {
        let mut part = Part::start("patient");
        part.kill(Signal::SIGTERM);
        part.expect("event Stop");
        std::thread::sleep(Duration::from_millis(SAME_BREATH.0 + 100));
        part.kill(Signal::SIGINT);
        part.expect("event StopNow");
        part.kill(Signal::SIGTERM);
        // The thread waits for an hour here: whoever ended it, it was the third.
        assert_eq!(part.0.wait().unwrap().code(), Some(128 + SIGTERM));
    }
}
