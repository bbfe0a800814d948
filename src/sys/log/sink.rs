//! One log target: what carries its lines, and how it fares.
//!
//! Targets are of two kinds. Files and standard error take chunks of whole lines; syslog and the journal take one
//! message at a time. What goes wrong with either is a [`FailureState`]: told once, counted, tried again. A target is
//! called well again no sooner than [`HOLD`] after it failed, so one that comes and goes cannot flood the others.

use super::options::{Target, TargetOptions};
use crate::domain::lang::Lang;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::{Mono, Span};
use crate::i18n;
use crate::view::line::BeatLine;
use std::io;

/// Time between two attempts on a broken target, and the least time from its failure to its recovery.
pub(super) const HOLD: Span = Span::secs(1);

/// How long a writer waits for a reader that is merely slow, in all, for one chunk or one batch.
pub(super) const PATIENCE: Span = Span(10);

/// The circumstances of a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteContext {
    /// Local time as `2026-02-08T11:30:20`, for names and for syslog's stamp.
    pub local: [u8; 19],
    /// Whether the target deserves [`PATIENCE`]; one already known to be stuck does not.
    pub patient: bool,
}

/// A target of lines.
pub(super) trait LineSink: Send {
    /// Writes whole lines, each ending in `\n`.
    fn write(&mut self, lines: &[u8], moment: WriteContext) -> Result<(), Short>;

    /// Before another attempt on a broken target: opens anew what can be opened.
    fn revive(&mut self) {}
}

/// A target of messages.
pub(super) trait MessageSink: Send {
    /// A new batch begins.
    fn begin(&mut self, patient: bool);

    /// Sends one message.
    fn send(&mut self, message: &SinkMessage<'_>) -> io::Result<()>;
}

/// Not all lines were taken.
#[derive(Debug)]
pub(super) struct Short {
    /// Bytes that were, always whole lines.
    pub taken: usize,
    /// Why no more.
    pub error: io::Error,
}

/// One message for syslog or the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct SinkMessage<'a> {
    /// Local time as `2026-02-08T11:30:20`.
    pub local: [u8; 19],
    /// How much it matters.
    pub level: Level,
    /// The sentence, one line without its end.
    pub sentence: &'a [u8],
    /// What it is about.
    pub subject: LogEvent<'a>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum LogEvent<'a> {
    /// A beat.
    Beat(&'a BeatLine<'a>),
    /// Anything else.
    Notice(&'a Notice),
}

/// What carries a target's lines.
pub(super) enum Sink {
    /// Chunks of lines.
    Lines(Box<dyn LineSink>),
    /// Single messages.
    Messages(Box<dyn MessageSink>),
}

/// A file has reached its bound and cannot be set aside, for this reason. Travels inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("cannot be set aside: {0}")]
pub(super) struct StuckAtBound(pub io::Error);

/// A target in use.
pub(super) struct LogSink {
    /// Which.
    pub target: Target,
    /// Whether beats go there.
    pub beats: bool,
    /// What carries it.
    pub sink: Sink,
    /// The language in which its trouble is told.
    pub lang: Lang,
    /// Set while it does not work.
    pub trouble: Option<FailureState>,
    /// The rest of this batch is lost: the other end is not there.
    gone: bool,
}

/// How a target fails.
#[derive(Debug)]
pub(super) struct FailureState {
    /// What the system said.
    pub reason: String,
    /// Lines that did not reach it.
    pub lost: u64,
    /// No recovery is announced before.
    pub held_until: Mono,
    /// No write is tried before; the past where the other end is merely slow.
    retry_at: Mono,
}

/// What became of lines handed to a target.
#[derive(Debug, Default)]
pub(super) struct WriteOutcome {
    /// Lines lost.
    pub lost: u64,
    /// Set when the target has just begun to fail.
    pub failed: Option<String>,
}

impl LogSink {
    /// A target that works.
    pub fn new(options: &TargetOptions, sink: Sink, lang: Lang) -> LogSink {
        let TargetOptions { target, beats } = options.clone();
        LogSink { target, beats, sink, lang, trouble: None, gone: false }
    }

    /// A new batch begins.
    pub fn begin(&mut self) {
        self.gone = false;
        let patient = self.trouble.is_none();
        if let Sink::Messages(sink) = &mut self.sink {
            sink.begin(patient);
        }
    }

    /// Writes a chunk of whole lines; nothing for a target of messages.
    pub fn write(&mut self, lines: &[u8], now: Mono, local: [u8; 19]) -> WriteOutcome {
        let Sink::Lines(sink) = &mut self.sink else { return WriteOutcome::default() };
        if self.trouble.as_ref().is_some_and(|t| now < t.retry_at) {
            return self.lose(count_lines(lines), None, now);
        }
        match sink.write(lines, WriteContext { local, patient: self.trouble.is_none() }) {
            Ok(()) => WriteOutcome::default(),
            Err(short) => {
                let rest = lines.get(short.taken..).unwrap_or_default();
                self.lose(count_lines(rest), Some(short.error), now)
            }
        }
    }

    /// Sends a message; nothing for a target of lines.
    pub fn send(&mut self, message: &SinkMessage<'_>, now: Mono) -> WriteOutcome {
        let Sink::Messages(sink) = &mut self.sink else { return WriteOutcome::default() };
        if self.gone {
            return self.lose(1, None, now);
        }
        match sink.send(message) {
            Ok(()) => WriteOutcome::default(),
            Err(error) => {
                self.gone = !is_slowness(&error);
                self.lose(1, Some(error), now)
            }
        }
    }

    /// Tries a target that failed with the news that it works again; true when that news went through.
    pub fn heal(&mut self, line: &[u8], message: &SinkMessage<'_>, now: Mono) -> bool {
        let Some(trouble) = &mut self.trouble else { return false };
        if now < trouble.held_until || now < trouble.retry_at {
            return false;
        }
        let result = match &mut self.sink {
            Sink::Lines(sink) => {
                sink.revive();
                sink.write(line, WriteContext { local: message.local, patient: false })
                    .map_err(|short| short.error)
            }
            Sink::Messages(sink) => sink.send(message),
        };
        match result {
            Ok(()) => self.trouble = None,
            Err(error) => {
                if !is_slowness(&error) {
                    trouble.retry_at = now.after(HOLD);
                }
                trouble.reason = reason(&error, self.lang);
            }
        }
        self.trouble.is_none()
    }

    /// Another file stands behind the target: it may be tried at once.
    pub fn replace(&mut self, sink: Sink) {
        self.sink = sink;
        if let Some(trouble) = &mut self.trouble {
            trouble.held_until = Mono(0);
            trouble.retry_at = Mono(0);
        }
    }

    fn lose(&mut self, lost: u64, error: Option<io::Error>, now: Mono) -> WriteOutcome {
        let mut failed = None;
        if let Some(error) = error {
            let retry_at = if is_slowness(&error) { Mono(0) } else { now.after(HOLD) };
            let reason = reason(&error, self.lang);
            match &mut self.trouble {
                Some(trouble) => {
                    trouble.retry_at = retry_at;
                    trouble.reason = reason;
                }
                None => {
                    failed = Some(reason.clone());
                    self.trouble =
                        Some(FailureState { reason, lost: 0, held_until: now.after(HOLD), retry_at });
                }
            }
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.lost += lost;
        }
        WriteOutcome { lost, failed }
    }
}

/// The other end is there and does not read as fast as we write.
pub(super) fn is_slowness(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(nix::libc::ENOBUFS)
}

fn reason(error: &io::Error, lang: Lang) -> String {
    let stuck = error.get_ref().and_then(|e| e.downcast_ref::<StuckAtBound>());
    match stuck {
        Some(StuckAtBound(error)) => i18n::sys::long_may_cannot_set(&error).in_lang(lang),

        None if is_slowness(error) => i18n::sys::FULL_NOBODY_READS_FAST.in_lang(lang).to_string(),

        None => error.to_string(),
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|b| **b == b'\n').count() as u64
}
