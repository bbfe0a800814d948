//! The log: a line for every beat and for every notice, to any number of targets, never at a beat's expense.
//!
//! Who logs a beat packs it into a line buffer of its own thread (see `record`) and goes on: no system call, no lock that
//! anybody else is likely to hold, no allocation in the ordinary case. The first line after a quiet time wakes the
//! one writer thread; that waits [`shared::GATHER`], so that the many lines of a busy moment cost one wake and one write(2)
//! together, takes all line buffers, formats, and writes (see `writer`). A line buffer has a bound; over it lines are dropped and
//! counted, as are those a target does not take. Nothing here ever makes a beat wait.

mod datagram;
mod error;
mod file;
mod journal;
mod options;
mod record;
mod rotate;
mod shared;
mod sink;
mod stream;
mod syslog;
mod writer;

pub use error::LogError;
pub use journal::{JOURNAL_PATH, MESSAGE_IDS, push_field};
pub use options::{Format, LogOptions, Target, TargetOptions};
pub use shared::Places;
pub use syslog::{IDENTIFIER, SYSLOG_PATH};

use crate::domain::notice::Notice;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use crate::view::line::BeatLine;
use error::LogErrorKind;
use shared::{Command, LogShared, lock};
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use writer::LogWriter;

/// The log. Cheap to clone; all clones are the same log, and the last one dropped closes it.
#[derive(Clone, Debug)]
pub struct Log {
    inner: Arc<LogOwner>,
}

impl Log {
    /// Opens all targets and starts the writer. To be called after a daemon has forked, for a thread does not survive
    /// that, and as the user it will go on as, for that user must be able to reopen the files.
    pub fn open(options: LogOptions) -> Result<Log, LogError> {
        Log::open_at(options, Places::default())
    }

    /// The same with the services' sockets elsewhere.
    pub fn open_at(options: LogOptions, places: Places) -> Result<Log, LogError> {
        let shared = Arc::new(LogShared::new(&options));
        let writer = LogWriter::open(Arc::clone(&shared), options, places)?;
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.run())
            .map_err(|error| LogError::new(vec![LogErrorKind::Thread(error)]))?;
        // Nobody else can have set it.
        let _ = shared.writer.set(thread.thread().clone());
        Ok(Log { inner: Arc::new(LogOwner { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// Logs a beat. Some tens of nanoseconds; never waits.
    pub fn beat(&self, wall: Wall, line: &BeatLine<'_>) {
        let shared = &*self.inner.shared;
        if shared.beats.load(Ordering::Relaxed) {
            shared.push(|buffer| buffer.push_beat(wall, line));
        }
    }

    /// Logs a notice, if it matters enough for the configured level. Never waits.
    pub fn notice(&self, wall: Wall, notice: Notice) {
        let shared = &*self.inner.shared;
        if notice.level() as u8 <= shared.level.load(Ordering::Relaxed) {
            shared.push(|buffer| buffer.push_notice(wall, notice));
        }
    }

    /// Puts new options in force and opens all files anew, after what is waiting has gone to the old ones. Returns
    /// when that is done. A target that cannot be opened keeps its old file, or stays out if it is new, and is named
    /// in the error; then targets that were to go stay too, so that lines have somewhere to go.
    pub fn apply(&self, options: LogOptions) -> Result<(), LogError> {
        let closed = || LogError::new(vec![LogErrorKind::Closed]);
        let (done, answer) = sync_channel(1);
        {
            let mut control = lock(&self.inner.shared.control);
            if control.stop {
                return Err(closed());
            }
            control.commands.push(Command { options, done });
        }
        self.inner.shared.arm();
        answer.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Lines lost so far, over all targets: those that found no room to wait and those a target did not take.
    pub fn dropped(&self) -> u64 {
        self.inner.shared.dropped.load(Ordering::Relaxed)
    }

    /// Targets that do not work at the moment, each with its reason: `file:/var/log/x: No space left on device`.
    pub fn failing(&self) -> Vec<Sentence> {
        lock(&self.inner.shared.failing).clone()
    }

    /// Writes everything that waits and stops the writer; lines logged later are counted as dropped.
    pub fn close(&self) {
        self.inner.close();
    }
}

#[derive(Debug)]
struct LogOwner {
    shared: Arc<LogShared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LogOwner {
    fn close(&self) {
        lock(&self.shared.control).stop = true;
        self.shared.arm();
        // The lock is held while joining, so that whoever closes a second time waits too.
        let mut thread = lock(&self.thread);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for LogOwner {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
