//! Talking to the service manager: ready, reloading, stopping, status, watchdog (sd_notify(3)), and the files that it
//! keeps for the next process (the fd store).
//!
//! The words come from the crate `sd-notify`. The sending is here, because that crate looks the socket up in the
//! environment at each call, and ours is cleared of it so that no hook we start can speak in our name; because it
//! cannot reach a socket in the abstract namespace; and because a watchdog word must never wait: a manager that is
//! busy for a moment would stop the loop that the watchdog watches.

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use sd_notify::NotifyState;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Longest status line in bytes; systemd reads datagrams of up to 4,096.
const STATUS_BYTES_MAX: usize = 1024;
/// How long a word that must arrive may wait for the manager to read.
const PATIENCE: Duration = Duration::from_secs(5);
/// Files sent with one datagram; systemd takes up to 768 at once, and the kernel 253.
const FILES_MAX: usize = 128;

/// The service manager that started us, if one did. Does nothing otherwise.
#[derive(Debug, Default)]
pub struct Service {
    line: Option<NotifySocket>,
    watchdog: Option<Duration>,
    keeps_files: bool,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    status: Option<String>,
    trouble: Option<String>,
}

impl Service {
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and unsets them.
    ///
    /// Call it while the process has one thread: it changes the environment.
    pub fn from_env() -> Service {
        managed(); // decided while the variables are still there
        let watchdog = sd_notify::watchdog_enabled();
        let socket = std::env::var_os("NOTIFY_SOCKET");
        let room = std::env::var_os("FDSTORE");
        forget(&["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE"]);
        let keeps_files = keeps_files(socket.as_deref(), room.as_deref());
        Service { keeps_files, ..Service::at(socket, watchdog) }
    }

    fn at(socket: Option<OsString>, watchdog: Option<Duration>) -> Service {
        let mut service = Service::default();
        match socket.filter(|s| !s.is_empty()).map(|s| NotifySocket::to(&s)) {
            None => {}
            Some(Ok(line)) => {
                service.line = Some(line);
                service.watchdog = watchdog.filter(|interval| !interval.is_zero());
            }
            Some(Err(e)) => service.lock().trouble = Some(e.to_string()),
        }
        service
    }

    /// True when a manager waits for our words.
    pub fn supervised(&self) -> bool {
        self.line.is_some()
    }

    /// True when files may be given to the manager, who hands them to the next process of the service.
    pub fn keeps_files(&self) -> bool {
        self.keeps_files && self.line.is_some()
    }

    /// Gives files to the manager under a name, to be handed to the next process. What it has already it keeps once.
    pub fn keep(&self, name: &str, files: &[BorrowedFd<'_>]) {
        for files in files.chunks(FILES_MAX) {
            self.send_with(files, &[NotifyState::FdStore, NotifyState::FdName(name)]);
        }
    }

    /// Has the manager give up all files of a name.
    pub fn give_up(&self, name: &str) {
        self.send(true, &[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
    }

    /// Waits until the manager has read all that it was told, a few seconds at most: it would not look any more at files
    /// sent by a process that has ended meanwhile.
    pub fn barrier(&self) {
        if self.line.is_none() {
            return;
        }
        // It closes the end that it is sent once it has come to this word.
        let Ok((here, there)) = nix::unistd::pipe() else { return };
        if !self.send_with(&[there.as_fd()], &[NotifyState::Custom("BARRIER=1")]) {
            return;
        }
        drop(there);
        let mut heard = [nix::poll::PollFd::new(here.as_fd(), nix::poll::PollFlags::empty())];
        let most = u16::try_from(PATIENCE.as_millis()).unwrap_or(u16::MAX);
        if nix::poll::poll(&mut heard, most) == Ok(0) {
            self.lock().trouble = Some("it did not read what it was told within 5 seconds".into());
        }
    }

    /// The start, or a reload, is complete.
    pub fn ready(&self, status: &str) {
        let status = self.remember(status);
        self.send(true, &[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    /// A reload begins; [`ready`](Service::ready) ends it. The time is for systemd 253 and later, which waits for it.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(time) => {
                self.send(true, &[NotifyState::Reloading, time]);
            }
            Err(e) => self.lock().trouble = Some(e.to_string()),
        }
    }

    /// The end begins.
    pub fn stopping(&self, status: &str) {
        let status = self.remember(status);
        self.send(true, &[NotifyState::Stopping, NotifyState::Status(&status)]);
    }

    /// One line on how things stand; sent only when it is another than the last one.
    pub fn status(&self, status: &str) {
        let status = one_line(status);
        if self.lock().status.as_deref() != Some(&*status)
            && self.send(false, &[NotifyState::Status(&status)])
        {
            self.lock().status = Some(status);
        }
    }

    /// Feeds the watchdog; never waits. [`Pulse`] says when.
    pub fn watchdog(&self) {
        if self.watchdog.is_some() {
            self.send(false, &[NotifyState::Watchdog]);
        }
    }

    /// After how long without food the watchdog bites; feed it at least twice as often.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Asks for more time to start, reload or stop: that much from now.
    pub fn extend_timeout(&self, by: Duration) {
        let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        self.send(true, &[NotifyState::ExtendTimeoutUsec(micros)]);
    }

    /// Why the manager could not be reached the last time it could not, once: for the log.
    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.take()
    }

    fn remember(&self, status: &str) -> String {
        let status = one_line(status);
        self.lock().status = Some(status.clone());
        status
    }

    /// Sends states and files in one datagram that must arrive; false when it did not go out.
    fn send_with(&self, files: &[BorrowedFd<'_>], states: &[NotifyState]) -> bool {
        let Some(line) = &self.line else { return false };
        let message: String = states.iter().map(|s| format!("{s}\n")).collect();
        match line.send_with(files, message.as_bytes()) {
            Ok(()) => true,
            Err(e) => {
                self.lock().trouble = Some(e.to_string());
                false
            }
        }
    }

    /// Sends states in one datagram; false when it did not go out.
    fn send(&self, must_arrive: bool, states: &[NotifyState]) -> bool {
        let Some(line) = &self.line else { return false };
        let message: String = states.iter().map(|s| format!("{s}\n")).collect();
        match line.send(must_arrive, message.as_bytes()) {
            Ok(()) => true,
            // The manager is busy: there will be another status, another watchdog word.
            Err(e) if !must_arrive && e.kind() == io::ErrorKind::WouldBlock => false,
            Err(e) => {
                self.lock().trouble = Some(e.to_string());
                false
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides when the watchdog is fed: only when every loop has moved since it was fed last, so that one stuck loop is
/// noticed however lively the others are. Pure; each loop counts its own turns, idle ones by a timer.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    fed_at: Vec<u64>,
}

impl Pulse {
    /// True when every counter has changed since the last time this was true (at first: since zero). Never true for
    /// no loops at all: nobody then vouches for anything.
    pub fn feed(&mut self, ticks: &[u64]) -> bool {
        self.fed_at.resize(ticks.len(), 0);
        let alive = !ticks.is_empty() && ticks.iter().zip(&self.fed_at).all(|(now, then)| now != then);
        if alive {
            self.fed_at.copy_from_slice(ticks);
        }
        alive
    }
}

/// True when a service manager started this very process: it then decides on files, masks and restarts.
///
/// A shell in a desktop session inherits INVOCATION_ID from a unit of its own; SYSTEMD_EXEC_PID (systemd 248) tells
/// the two apart.
pub fn managed() -> bool {
    static MANAGED: OnceLock<bool> = OnceLock::new();
    *MANAGED.get_or_init(|| {
        let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let exec_pid = std::env::var("SYSTEMD_EXEC_PID").ok();
        let ours = exec_pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        set("NOTIFY_SOCKET") || (set("INVOCATION_ID") && ours) || under_launchd()
    })
}

/// launchd starts its jobs itself: process 1 is their parent from the first moment.
pub(super) fn under_launchd() -> bool {
    cfg!(target_os = "macos") && nix::unistd::getppid().as_raw() == 1
}

/// Unsets variables meant for this process alone, so that no child takes them for its own.
#[allow(unsafe_code)]
pub(super) fn forget(names: &[&str]) {
    // Where the threads cannot be counted, the contract of the callers (called first in main) has to do.
    let one_thread = std::fs::read_dir("/proc/self/task").map_or(true, |threads| threads.count() == 1);
    if one_thread {
        for name in names {
            // SAFETY: no other thread exists that could read or write the environment meanwhile.
            unsafe { std::env::remove_var(name) };
        }
    }
}

/// The way to the manager.
#[derive(Debug)]
struct NotifySocket {
    target: NotifyAddress,
    /// Waits up to [`PATIENCE`].
    patient: UnixDatagram,
    /// Never waits.
    hasty: UnixDatagram,
}

#[derive(Debug)]
enum NotifyAddress {
    Path(PathBuf),
    #[cfg(target_os = "linux")]
    Abstract(std::os::unix::net::SocketAddr),
}

impl NotifySocket {
    fn to(socket: &OsStr) -> io::Result<NotifySocket> {
        let target = match socket.as_bytes().first() {
            Some(b'/') => NotifyAddress::Path(socket.into()),
            #[cfg(target_os = "linux")]
            Some(b'@') => {
                use std::os::linux::net::SocketAddrExt;
                let name = &socket.as_bytes()[1..];
                NotifyAddress::Abstract(std::os::unix::net::SocketAddr::from_abstract_name(name)?)
            }
            _ => {
                let what =
                    format!("NOTIFY_SOCKET={} is neither a path nor abstract", socket.to_string_lossy());
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        };
        let (patient, hasty) = (UnixDatagram::unbound()?, UnixDatagram::unbound()?);
        patient.set_write_timeout(Some(PATIENCE))?;
        hasty.set_nonblocking(true)?;
        Ok(NotifySocket { target, patient, hasty })
    }

    fn send(&self, must_arrive: bool, message: &[u8]) -> io::Result<()> {
        let socket = if must_arrive { &self.patient } else { &self.hasty };
        match &self.target {
            NotifyAddress::Path(path) => socket.send_to(message, path)?,
            #[cfg(target_os = "linux")]
            NotifyAddress::Abstract(address) => socket.send_to_addr(message, address)?,
        };
        Ok(())
    }

    fn send_with(&self, files: &[BorrowedFd<'_>], message: &[u8]) -> io::Result<()> {
        let raw: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let to = match &self.target {
            NotifyAddress::Path(path) => UnixAddr::new(path)?,
            #[cfg(target_os = "linux")]
            NotifyAddress::Abstract(address) => {
                use std::os::linux::net::SocketAddrExt;
                UnixAddr::new_abstract(address.as_abstract_name().unwrap_or_default())?
            }
        };
        sendmsg(
            self.patient.as_raw_fd(),
            &[io::IoSlice::new(message)],
            &[ControlMessage::ScmRights(&raw)],
            MsgFlags::empty(),
            Some(&to),
        )?;
        Ok(())
    }
}

/// Whether the manager has a store for files. systemd says so since version 254, by how many it takes (FDSTORE); before
/// that it says nothing, and is known by its socket. Elsewhere the files would be closed with us, and their queues lost.
fn keeps_files(socket: Option<&OsStr>, room: Option<&OsStr>) -> bool {
    match room {
        Some(room) => room != "0",
        None => socket.is_some_and(|socket| socket.as_bytes().ends_with(b"/systemd/notify")),
    }
}

/// A newline would let a status carry other words of the protocol, such as another MAINPID.
fn one_line(status: &str) -> String {
    let fits = (0..=STATUS_BYTES_MAX.min(status.len())).rev().find(|at| status.is_char_boundary(*at));
    status[..fits.unwrap_or(0)].replace(char::is_control, " ")
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
