//! The writer: the one thread that formats lines and touches targets.
//!
//! It sleeps until it is armed, gathers for a moment, then takes all line buffers and goes through their records in the
//! order of time. For targets of lines it fills one chunk and writes it to each of them, a whole batch at once; to
//! targets of messages each record goes by itself. What a target does wrong is noted on that target, told to the
//! others once, and never keeps the others waiting. After a batch come the orders: new options, or the end.

use super::error::{LogError, LogErrorKind};
use super::file::LogFile;
use super::journal::JournaldSink;
use super::options::{LogOptions, Target, TargetOptions};
use super::record::{LineBuffer, LogRecord, merge};
use super::shared::{BUFFERS, Command, GATHER, LogShared, Places, admits, lock};
use super::sink::{HOLD, LineSink, LogEvent, LogSink, Sink, SinkMessage, WriteContext, WriteOutcome};
use super::stream::LogStream;
use super::syslog::Syslog;
use crate::domain::notice::{Level, Notice};
use crate::domain::sentence::{Audience, Sentence};
use crate::domain::time::{Mono, Now, Wall};
use crate::i18n::{self, Text};
use crate::sys::clock;
use crate::view::line::{BEAT_LEVEL, Lines};
use crate::view::words;
use jiff::tz::TimeZone;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A chunk is written when it has grown to this, or when the batch is over.
const CHUNK_BYTES: usize = 256 * 1024;
/// Memory the chunk keeps between two batches.
const CHUNK_KEPT_BYTES: usize = 64 * 1024;

/// The writer's own belongings.
pub(super) struct LogWriter {
    shared: Arc<LogShared>,
    places: Places,
    options: LogOptions,
    sinks: Vec<LogSink>,
    lines: Lines,
    zone_checked: Mono,
    /// Empty line buffers to leave behind where full ones are taken.
    buffers: Vec<LineBuffer>,
    /// Lines for targets that take beats, and those among them that are no beats, for the others.
    chunk: Vec<u8>,
    quiet: Vec<u8>,
    sentence: Vec<u8>,
    overflow: Overflow,
}

/// Lines that found no room in a line buffer.
#[derive(Debug, Default)]
struct Overflow {
    untold: u64,
    told_at: Option<Mono>,
}

/// Something to tell about a target (its place in the list), to all but that one.
type News = (usize, Notice);

impl LogWriter {
    /// Opens every target; the error names all that cannot be opened.
    pub fn open(shared: Arc<LogShared>, options: LogOptions, places: Places) -> Result<LogWriter, LogError> {
        let mut sinks = Vec::new();
        let mut faults = Vec::new();
        for wanted in distinct(&options.targets) {
            match open(&wanted.target, &options, &places) {
                Ok(sink) => sinks.push(LogSink::new(wanted, sink, options.lang)),
                Err(error) => faults.push(LogErrorKind::Target(wanted.target.clone(), error)),
            }
        }
        if !faults.is_empty() {
            return Err(LogError::new(faults));
        }
        Ok(LogWriter {
            shared,
            places,
            lines: Lines::new(options.format, options.lang, TimeZone::system()),
            zone_checked: clock::mono(),
            options,
            sinks,
            buffers: (0..BUFFERS).map(|_| LineBuffer::default()).collect(),
            chunk: Vec::new(),
            quiet: Vec::new(),
            sentence: Vec::new(),
            overflow: Overflow::default(),
        })
    }

    /// The thread's work, until the log is closed.
    pub fn run(mut self) {
        loop {
            self.wait();
            self.shared.armed.store(false, Ordering::Release);
            let (commands, stop) = {
                let mut control = lock(&self.shared.control);
                (std::mem::take(&mut control.commands), control.stop)
            };
            self.batch(stop);
            for Command { options, done } in commands {
                // Whoever asked may have gone.
                let _ = done.send(self.apply(options));
            }
            if stop {
                return;
            }
        }
    }

    fn wait(&self) {
        let troubled = self.sinks.iter().any(|o| o.trouble.is_some()) || self.overflow.untold > 0;
        while !self.shared.armed.load(Ordering::Acquire) {
            if troubled {
                // Also without a line to write: a target that works again is to be known as such.
                std::thread::park_timeout(Duration::from_millis(HOLD.0));
                break;
            }
            std::thread::park();
        }
        std::thread::sleep(GATHER);
    }

    /// Takes and writes all that waits; the last time nothing is let in behind it.
    fn batch(&mut self, last: bool) {
        let now = clock::now();
        if now.mono.since(self.zone_checked).0 >= 1000 {
            self.lines.set_zone(TimeZone::system());
            self.zone_checked = now.mono;
        }
        let mut news = VecDeque::new();
        self.sinks.iter_mut().for_each(LogSink::begin);
        self.heal(now, &mut news);

        let mut buffers = std::mem::take(&mut self.buffers);
        for (ours, theirs) in buffers.iter_mut().zip(&self.shared.buffers) {
            let mut theirs = lock(&theirs.0);
            if !theirs.is_empty() || theirs.dropped > 0 {
                std::mem::swap(ours, &mut theirs);
            }
            theirs.closed = last;
        }
        self.overflow.untold += buffers.iter().map(|buffer| buffer.dropped).sum::<u64>();
        merge(&mut buffers, |at, record| self.line(at, record, now, &mut news));
        buffers.iter_mut().for_each(LineBuffer::clear);
        self.buffers = buffers;
        self.flush(now, &mut news);
        if self.chunk.capacity() > CHUNK_KEPT_BYTES {
            self.chunk = Vec::new();
        }

        self.tell_overflow(now, last, &mut news);
        self.tell(now, news);
        self.publish();
    }

    /// One batch without the thread.
    #[cfg(test)]
    pub fn batch_for_test(&mut self) {
        self.batch(false);
    }

    fn line(&mut self, at: Wall, record: LogRecord<'_>, now: Now, news: &mut VecDeque<News>) {
        let is_beat = matches!(record, LogRecord::Beat(_));
        let (mut any_lines, mut any_messages) = (false, false);
        for sink in self.sinks.iter().filter(|sink| sink.beats || !is_beat) {
            match sink.sink {
                Sink::Lines(_) => any_lines = true,
                Sink::Messages(_) => any_messages = true,
            }
        }
        if any_lines {
            match &record {
                LogRecord::Beat(beat) => self.lines.beat(&mut self.chunk, at, beat),
                LogRecord::Notice(notice) => {
                    let from = self.chunk.len();
                    self.lines.notice(&mut self.chunk, at, notice);
                    self.quiet.extend_from_slice(&self.chunk[from..]);
                }
            }
            if self.chunk.len() >= CHUNK_BYTES {
                self.flush(now, news);
            }
        }
        if any_messages {
            self.sentence.clear();
            let (level, subject) = match &record {
                LogRecord::Beat(beat) => {
                    beat.push_classic(&mut self.sentence, self.options.lang);
                    (BEAT_LEVEL, LogEvent::Beat(beat))
                }
                LogRecord::Notice(notice) => {
                    let text = words::sentence(self.options.lang, notice);
                    self.sentence.extend_from_slice(text.as_bytes());
                    (notice.level(), LogEvent::Notice(notice))
                }
            };
            let message =
                SinkMessage { local: self.lines.local(at), level, sentence: &self.sentence, subject };
            for (place, sink) in self.sinks.iter_mut().enumerate().filter(|(_, o)| o.beats || !is_beat) {
                let outcome = sink.send(&message, now.mono);
                note(&self.shared, place, &sink.target, outcome, news);
            }
        }
    }

    /// Writes the chunk to every target of lines.
    fn flush(&mut self, now: Now, news: &mut VecDeque<News>) {
        if self.chunk.is_empty() {
            return;
        }
        let local = self.lines.local(now.wall);
        for (place, sink) in self.sinks.iter_mut().enumerate() {
            let lines = if sink.beats { &self.chunk } else { &self.quiet };
            if !lines.is_empty() {
                let outcome = sink.write(lines, now.mono, local);
                note(&self.shared, place, &sink.target, outcome, news);
            }
        }
        self.chunk.clear();
        self.quiet.clear();
    }

    /// Tries targets that failed.
    fn heal(&mut self, now: Now, news: &mut VecDeque<News>) {
        for (place, sink) in self.sinks.iter_mut().enumerate() {
            let Some(trouble) = &sink.trouble else { continue };
            let notice = Notice::LogTargetBack { target: sink.target.to_string(), lost: trouble.lost };
            let (mut line, sentence) = (Vec::new(), words::sentence(self.options.lang, &notice));
            self.lines.notice(&mut line, now.wall, &notice);
            let message = SinkMessage {
                local: self.lines.local(now.wall),
                level: notice.level(),
                sentence: sentence.as_bytes(),
                subject: LogEvent::Notice(&notice),
            };
            if sink.heal(&line, &message, now.mono) {
                sink.begin();
                news.push_back((place, notice));
            }
        }
    }

    fn tell_overflow(&mut self, now: Now, last: bool, news: &mut VecDeque<News>) {
        let Overflow { untold, told_at } = &mut self.overflow;
        let due = last || told_at.is_none_or(|at| now.mono.since(at) >= HOLD);
        if *untold > 0 && due {
            let text = words::lines_dropped(*untold);
            news.push_back((
                usize::MAX,
                Notice::Other { level: Level::Warning, kind: "log_lines_dropped", text },
            ));
            *untold = 0;
            *told_at = Some(now.mono);
        }
    }

    /// Tells the other targets, or standard error when no other one works. Telling may make another one fail, which
    /// is told in its turn; a target fails at most once before it is well again, so this ends.
    fn tell(&mut self, now: Now, mut news: VecDeque<News>) {
        while let Some((about, notice)) = news.pop_front() {
            if !admits(&self.options, notice.level()) {
                continue;
            }
            let (mut line, sentence) = (Vec::new(), words::sentence(self.options.lang, &notice));
            self.lines.notice(&mut line, now.wall, &notice);
            let local = self.lines.local(now.wall);
            let message = SinkMessage {
                local,
                level: notice.level(),
                sentence: sentence.as_bytes(),
                subject: LogEvent::Notice(&notice),
            };
            let mut heard = false;
            for (place, sink) in self.sinks.iter_mut().enumerate() {
                if place == about || sink.trouble.is_some() {
                    continue;
                }
                let outcome = match sink.sink {
                    Sink::Lines(_) => sink.write(&line, now.mono, local),
                    Sink::Messages(_) => sink.send(&message, now.mono),
                };
                heard |= outcome.lost == 0;
                note(&self.shared, place, &sink.target, outcome, &mut news);
            }
            let last_resort = !heard && !self.sinks.iter().any(|o| o.target == Target::Stderr);
            // A recovery is already told by the target that recovered.
            if last_resort && !matches!(notice, Notice::LogTargetBack { .. }) {
                // If not even that works, `Log::failing` and `Log::dropped` still tell.
                let _ =
                    LogStream::stderr().map(|mut s| s.write(&line, WriteContext { local, patient: false }));
            }
        }
    }

    fn publish(&self) {
        let said = |target: &Target, reason: &str| {
            Sentence::of(|to| match (to, target) {
                (Audience::Own, target) => i18n::sys::log_target_fails(target, &reason),
                (Audience::Stranger, Target::File(path)) => Text::foreign(format!("file:{}", to.path(path))),
                (Audience::Stranger, target) => Text::foreign(target.to_string()),
            })
        };
        let failing = self.sinks.iter().filter_map(|o| Some(said(&o.target, &o.trouble.as_ref()?.reason)));
        let failing: Vec<Sentence> = failing.collect();
        let mut shown = lock(&self.shared.failing);
        if *shown != failing {
            *shown = failing;
        }
    }

    fn apply(&mut self, options: LogOptions) -> Result<(), LogError> {
        let mut faults = Vec::new();
        let mut fresh = Vec::new();
        for wanted in distinct(&options.targets) {
            let target = &wanted.target;
            let mut known = self.sinks.iter_mut().find(|o| o.target == *target);
            if let Some(sink) = &mut known {
                sink.beats = wanted.beats;
                if !matches!(target, Target::File(_)) {
                    continue; // nothing that could have been renamed
                }
            }
            match (open(target, &options, &self.places), known) {
                (Ok(opened), Some(sink)) => sink.replace(opened),
                (Ok(opened), None) => fresh.push(LogSink::new(wanted, opened, options.lang)),
                (Err(error), _) => faults.push(LogErrorKind::Target(target.clone(), error)),
            }
        }
        if faults.is_empty() {
            self.sinks.retain(|o| options.targets.iter().any(|wanted| wanted.target == o.target));
        }
        self.sinks.append(&mut fresh);
        self.sinks.iter_mut().for_each(|o| o.lang = options.lang);
        self.lines = Lines::new(options.format, options.lang, TimeZone::system());
        self.shared.admit(&options);
        self.options = options;
        // What has been put right is tried at once.
        let (now, mut news) = (clock::now(), VecDeque::new());
        self.heal(now, &mut news);
        self.tell(now, news);
        self.publish();
        if faults.is_empty() { Ok(()) } else { Err(LogError::new(faults)) }
    }
}

fn open(target: &Target, options: &LogOptions, places: &Places) -> io::Result<Sink> {
    Ok(match target {
        Target::Stderr => Sink::Lines(Box::new(LogStream::stderr()?)),
        Target::File(path) => {
            Sink::Lines(Box::new(LogFile::open(path, options.file_bytes_max, options.file_keep)?))
        }
        Target::Syslog => Sink::Messages(Box::new(Syslog::open(&places.syslog, options.identifier)?)),
        Target::Journal => Sink::Messages(Box::new(JournaldSink::open(&places.journal, options.identifier)?)),
    })
}

fn distinct(targets: &[TargetOptions]) -> impl Iterator<Item = &TargetOptions> {
    let is_first =
        |(i, t): &(usize, &TargetOptions)| targets[..*i].iter().all(|other| other.target != t.target);
    targets.iter().enumerate().filter(is_first).map(|(_, t)| t)
}

fn note(shared: &LogShared, place: usize, target: &Target, outcome: WriteOutcome, news: &mut VecDeque<News>) {
    if outcome.lost > 0 {
        shared.dropped.fetch_add(outcome.lost, Ordering::Relaxed);
    }
    if let Some(reason) = outcome.failed {
        news.push_back((place, Notice::LogTargetFailed { target: target.to_string(), reason }));
    }
}
