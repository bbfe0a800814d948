//! The log: a line for every beat and for every notice, to any number of targets, never at a beat's expense.
//!
//! Who logs a beat packs it into a line buffer of its own thread (see `record`) and goes on: no system call, no lock that
//! anybody else is likely to hold, no allocation in the ordinary case. The first line after a quiet time wakes the
//! one writer thread; that waits [`GATHER`], so that the many lines of a busy moment cost one wake and one write(2)
//! together, takes all line buffers, formats, and writes (see `writer`). A line buffer has a bound; over it lines are dropped and
//! counted, as are those a target does not take. Nothing here ever makes a beat wait.

mod datagram;
mod error;
mod file;
mod journal;
mod options;
mod record;
mod rotate;
mod sink;
mod stream;
mod syslog;
mod writer;

pub use error::LogError;
pub use journal::{JOURNAL_PATH, MESSAGE_IDS, push_field};
pub use options::{Format, LogOptions, Target, TargetOptions};
pub use syslog::{IDENTIFIER, SYSLOG_PATH};

use crate::domain::notice::{Level, Notice};
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use crate::view::line::BeatLine;
use error::LogErrorKind;
use record::LineBuffer;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use writer::LogWriter;

/// How long the writer gathers lines before it writes them: with the writing itself, no line waits more than 10 ms.
const GATHER: Duration = Duration::from_millis(8);

/// Trays; threads beyond that many share.
const BUFFERS: usize = 64;

/// The log. Cheap to clone; all clones are the same log, and the last one dropped closes it.
#[derive(Clone, Debug)]
pub struct Log {
    inner: Arc<LogOwner>,
}

/// Where the services of this machine listen; other places only for tests and odd containers.
#[derive(Clone, Debug)]
pub struct Places {
    /// The local syslog's socket.
    pub syslog: PathBuf,
    /// The journal's socket.
    pub journal: PathBuf,
}

impl Default for Places {
    fn default() -> Places {
        Places { syslog: syslog::SYSLOG_PATH.into(), journal: journal::JOURNAL_PATH.into() }
    }
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

/// What the writer and those who log have in common.
#[derive(Debug)]
struct LogShared {
    buffers: [Padded; BUFFERS],
    /// The writer has been told, and has not yet begun to look, that there is something.
    armed: AtomicBool,
    beats: AtomicBool,
    level: AtomicU8,
    dropped: AtomicU64,
    failing: Mutex<Vec<Sentence>>,
    control: Mutex<WriterOrders>,
    writer: OnceLock<Thread>,
}

/// A line buffer with cache lines of its own, so that threads do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<LineBuffer>);

#[derive(Debug, Default)]
struct WriterOrders {
    commands: Vec<Command>,
    stop: bool,
}

#[derive(Debug)]
struct Command {
    options: LogOptions,
    done: SyncSender<Result<(), LogError>>,
}

impl LogShared {
    fn new(options: &LogOptions) -> LogShared {
        let shared = LogShared {
            buffers: std::array::from_fn(|_| Padded::default()),
            armed: AtomicBool::new(false),
            beats: AtomicBool::new(false),
            level: AtomicU8::new(0),
            dropped: AtomicU64::new(0),
            failing: Mutex::default(),
            control: Mutex::default(),
            writer: OnceLock::new(),
        };
        shared.admit(options);
        shared
    }

    /// What is taken at all.
    fn admit(&self, options: &LogOptions) {
        self.beats.store(options.beats(), Ordering::Relaxed);
        self.level.store(options.level as u8, Ordering::Relaxed);
    }

    fn push(&self, push: impl FnOnce(&mut LineBuffer) -> bool) {
        {
            let mut buffer = lock(&self.buffers[buffer_of_this_thread()].0);
            if buffer.closed || !push(&mut buffer) {
                buffer.dropped += 1;
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.arm();
    }

    /// Wakes the writer unless somebody has done so already. The writer disarms before it takes the locks under which
    /// things are left for it: so whoever it missed took that lock after it and finds it disarmed.
    fn arm(&self) {
        if !self.armed.load(Ordering::Relaxed) && !self.armed.swap(true, Ordering::AcqRel) {
            if let Some(writer) = self.writer.get() {
                writer.unpark();
            }
        }
    }
}

fn buffer_of_this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static BUFFER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    BUFFER.with(|buffer| {
        if buffer.get() == usize::MAX {
            buffer.set(THREADS.fetch_add(1, Ordering::Relaxed) % BUFFERS);
        }
        buffer.get()
    })
}

/// A panic elsewhere leaves a line buffer as usable as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a notice of this level is written under these options.
fn admits(options: &LogOptions, level: Level) -> bool {
    level <= options.level
}

#[cfg(test)]
mod tests;
