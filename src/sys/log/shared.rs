//! What the writer and those who log have in common.

use super::error::LogError;
use super::options::LogOptions;
use super::record::LineBuffer;
use super::{journal, syslog};
use crate::domain::notice::Level;
use crate::domain::sentence::Sentence;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// How long the writer gathers lines before it writes them: with the writing itself, no line waits more than 10 ms.
pub(super) const GATHER: Duration = Duration::from_millis(8);

/// Line buffers; threads beyond that many share.
pub(super) const BUFFERS: usize = 64;

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

/// What the writer and those who log have in common.
#[derive(Debug)]
pub(super) struct LogShared {
    pub(super) buffers: [Padded; BUFFERS],
    /// The writer has been told, and has not yet begun to look, that there is something.
    pub(super) armed: AtomicBool,
    pub(super) beats: AtomicBool,
    pub(super) level: AtomicU8,
    pub(super) dropped: AtomicU64,
    pub(super) failing: Mutex<Vec<Sentence>>,
    pub(super) control: Mutex<WriterOrders>,
    pub(super) writer: OnceLock<Thread>,
}

/// A line buffer with cache lines of its own, so that threads do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded(pub(super) Mutex<LineBuffer>);

#[derive(Debug, Default)]
pub(super) struct WriterOrders {
    pub(super) commands: Vec<Command>,
    pub(super) stop: bool,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) options: LogOptions,
    pub(super) done: SyncSender<Result<(), LogError>>,
}

impl LogShared {
    pub(super) fn new(options: &LogOptions) -> LogShared {
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
    pub(super) fn admit(&self, options: &LogOptions) {
        self.beats.store(options.beats(), Ordering::Relaxed);
        self.level.store(options.level as u8, Ordering::Relaxed);
    }

    pub(super) fn push(&self, push: impl FnOnce(&mut LineBuffer) -> bool) {
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
    pub(super) fn arm(&self) {
        if !self.armed.load(Ordering::Relaxed) && !self.armed.swap(true, Ordering::AcqRel) {
            if let Some(writer) = self.writer.get() {
                writer.unpark();
            }
        }
    }
}

pub(super) fn buffer_of_this_thread() -> usize {
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
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a notice of this level is written under these options.
pub(super) fn admits(options: &LogOptions, level: Level) -> bool {
    level <= options.level
}
