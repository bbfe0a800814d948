//! A log file: appended to, bounded, and whole even on a full disk.
//!
//! The file is ours alone. When the disk takes only part of a chunk, the file is cut back to its last whole line, so
//! that what comes after begins a line. When a chunk would make it longer than it may be, the file is set aside under
//! a name with the time in it (see `rotate`) and a new one is begun; a file that somebody else renamed is left to its
//! new name and the old name is opened anew. A rename without that stays unnoticed until the log is told to reopen:
//! lines go on into the renamed file, none is lost or doubled.

use super::rotate;
use super::sink::{LineSink, Short, StuckAtBound, WriteContext};
use super::stream::{LogStream, whole_lines_within};
use crate::sys::files::{self, Kinds, Use};
use crate::sys::folder::Folder;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of a new log file, whatever the umask: its group may read it. A service's umask is narrower because of what
/// else it keeps; the log is what people are meant to read.
const MODE: u32 = 0o640;

/// A file that lines go to.
pub(super) struct LogFile {
    path: PathBuf,
    stream: LogStream,
    /// Its length, as far as we know.
    bytes: u64,
    /// 0: without bound.
    bytes_max: u64,
    keep: u32,
}

impl LogFile {
    /// Opens, or makes, the file at `path`. A FIFO that nobody reads is an error rather than a wait.
    pub fn open(path: &Path, bytes_max: u64, keep: u32) -> io::Result<LogFile> {
        let (stream, bytes) = open(path)?;
        Ok(LogFile { path: path.into(), stream, bytes, bytes_max, keep })
    }

    fn bounded(&self) -> bool {
        self.bytes_max > 0 && self.stream.is_file()
    }

    fn append(&mut self, lines: &[u8], moment: WriteContext) -> Result<(), Short> {
        let torn_before = *self.stream.torn_bytes_mut();
        let result = self.stream.write(lines, moment);
        let torn = *self.stream.torn_bytes_mut();
        let taken = result.as_ref().err().map_or(lines.len(), |short| short.taken);
        self.bytes += taken as u64;
        if torn_before > 0 && (taken > 0 || torn != torn_before) {
            self.bytes += torn_before as u64 + 1; // it stays, with the line end it has now been given
        }
        if torn > 0 && self.stream.is_file() {
            self.take_back(torn);
        }
        result
    }

    /// Takes back what was written of a line that did not fit. Where that cannot be done (an append-only file, a
    /// length that is not ours) the line stays torn and is closed before the next one.
    fn take_back(&mut self, torn_bytes: usize) {
        let file = self.stream.file();
        let ours = file.metadata().is_ok_and(|m| m.len() == self.bytes + torn_bytes as u64);
        if ours && file.set_len(self.bytes).is_ok() {
            *self.stream.torn_bytes_mut() = 0;
        }
    }

    /// Makes room: sets the full file aside and begins a new one. Where somebody else has made room already, that is
    /// noticed instead, so it may have to be called again.
    fn turn_over(&mut self, moment: WriteContext) -> io::Result<()> {
        let ours = self.stream.file().metadata()?;
        if ours.len() < self.bytes {
            self.bytes = ours.len(); // somebody else emptied it
            return Ok(());
        }
        // Where the path is a symbolic link, it is the file behind it that is turned over.
        let (folder, name) = Folder::of(&self.path)?;
        let renamed_by_others = match folder.identity_of(&name) {
            Ok(named) => named != (ours.dev(), ours.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        if renamed_by_others {
            (self.stream, self.bytes) = open(&self.path)?;
            return Ok(());
        }
        let aside = rotate::set_aside(&folder, &name, &moment.local)?;
        match open_in(&folder, &name) {
            Ok(new) => (self.stream, self.bytes) = new,
            Err(error) => {
                // Without a new file the old one must keep its name, or nobody would find what comes.
                let _ = folder.rename(&aside, &name);
                return Err(error);
            }
        }
        rotate::forget_oldest(&folder, &name, self.keep)
    }

    fn turn_over_or_explain(&mut self, moment: WriteContext) -> io::Result<()> {
        self.turn_over(moment).map_err(|error| io::Error::new(error.kind(), StuckAtBound(error)))
    }
}

impl LineSink for LogFile {
    fn write(&mut self, lines: &[u8], moment: WriteContext) -> Result<(), Short> {
        let mut done = 0;
        while done < lines.len() {
            let rest = &lines[done..];
            let mut piece = rest.len();
            if self.bounded() && self.bytes + rest.len() as u64 > self.bytes_max {
                let room = self.bytes_max.saturating_sub(self.bytes);
                piece = whole_lines_within(rest, usize::try_from(room).unwrap_or(usize::MAX));
                // A line longer than a whole file may be still gets one of its own.
                if piece as u64 > room && self.bytes > 0 {
                    self.turn_over_or_explain(moment).map_err(|error| Short { taken: done, error })?;
                    continue;
                }
            }
            self.append(&rest[..piece], moment)
                .map_err(|short| Short { taken: done + short.taken, error: short.error })?;
            done += piece;
        }
        Ok(())
    }

    fn revive(&mut self) {
        // A full disk needs no new descriptor, everything else may; where opening fails the old one is tried.
        if let Ok((stream, bytes)) = open(&self.path) {
            let torn_bytes = *self.stream.torn_bytes_mut();
            let same = same_file(self.stream.file(), stream.file());
            (self.stream, self.bytes) = (stream, bytes);
            if same {
                *self.stream.torn_bytes_mut() = torn_bytes;
                self.bytes = bytes.saturating_sub(torn_bytes as u64);
            }
        }
    }
}

fn open(path: &Path) -> io::Result<(LogStream, u64)> {
    let (folder, name) = Folder::of(path)?;
    open_in(&folder, &name)
}

fn open_in(folder: &Folder, name: &OsStr) -> io::Result<(LogStream, u64)> {
    let (file, is_new) = files::open_in(folder, name, Use::Append, MODE, Kinds::Any)?;
    // A file that is there keeps the mode it was given; so does the target of a symbolic link, which counts as one.
    if is_new {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    let bytes = file.metadata()?.len();
    Ok((LogStream::opened(file)?, bytes))
}

fn same_file(a: &File, b: &File) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
