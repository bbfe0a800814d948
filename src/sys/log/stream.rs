//! Bytes to a file descriptor that may be anything: a file, a pipe nobody reads, a terminal, a socket.
//!
//! A plain file takes all at once. Everything else must never stop the writer, so it is written in pieces that fit
//! the pipe's atomic write, whole lines each, and without blocking: through an open file description of our own
//! (setting O_NONBLOCK on an inherited one would change it for everybody who shares it), or with MSG_DONTWAIT, or,
//! where neither can be had, only when poll(2) says there is room. A line that was cut off is closed before the next.

use super::sink::{LineSink, PATIENCE, Short, WriteContext};
use crate::domain::time::Mono;
use crate::sys::clock;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

/// What a pipe takes in one piece or not at all (POSIX promises 512, Linux and macOS give at least this).
const PIPE_PIECE_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };
/// A terminal that says it has room has room for this.
const TERMINAL_PIECE_BYTES: usize = 256;

/// A descriptor to write lines to.
pub(super) struct LogStream {
    file: File,
    kind: StreamKind,
    /// Bytes of a last line that lacks its end.
    torn_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamKind {
    /// Takes everything at once.
    File,
    /// Says `WouldBlock` by itself.
    NonBlocking,
    /// A socket, which can be asked not to block call by call.
    Socket,
    /// Blocks: asked with poll before each piece of at most so many bytes.
    Polled(usize),
}

impl LogStream {
    /// The process's standard error.
    pub fn stderr() -> io::Result<LogStream> {
        LogStream::inherited(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    /// A descriptor others may share.
    pub fn inherited(file: File) -> io::Result<LogStream> {
        let file_type = file.metadata()?.file_type();
        if file_type.is_file() {
            return Ok(LogStream { file, kind: StreamKind::File, torn_bytes: 0 });
        }
        if file_type.is_socket() {
            return Ok(LogStream { file, kind: StreamKind::Socket, torn_bytes: 0 });
        }
        let own = OpenOptions::new()
            .write(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok(match own {
            Ok(own) => LogStream { file: own, kind: StreamKind::NonBlocking, torn_bytes: 0 },
            Err(_) if file_type.is_fifo() => {
                LogStream { file, kind: StreamKind::Polled(PIPE_PIECE_BYTES), torn_bytes: 0 }
            }
            Err(_) => LogStream { file, kind: StreamKind::Polled(TERMINAL_PIECE_BYTES), torn_bytes: 0 },
        })
    }

    /// A file we opened ourselves, with O_NONBLOCK.
    pub fn opened(file: File) -> io::Result<LogStream> {
        let kind =
            if file.metadata()?.file_type().is_file() { StreamKind::File } else { StreamKind::NonBlocking };
        Ok(LogStream { file, kind, torn_bytes: 0 })
    }

    /// The file behind it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// True when it is a plain file, which can be measured, cut and set aside.
    pub fn is_file(&self) -> bool {
        self.kind == StreamKind::File
    }

    /// How much there is of a last line that was cut off; may be set to 0 by who has taken that back.
    pub fn torn_bytes_mut(&mut self) -> &mut usize {
        &mut self.torn_bytes
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.kind {
            StreamKind::File | StreamKind::NonBlocking => self.file.write(bytes),
            StreamKind::Socket => Ok(send(self.file.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT)?),
            StreamKind::Polled(_) if has_room(&self.file, 0) => self.file.write(bytes),
            StreamKind::Polled(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Length of the next piece: whole lines up to what may be written at once, but at least one line.
    fn piece(&self, lines: &[u8]) -> usize {
        let most = match self.kind {
            StreamKind::File => return lines.len(),
            StreamKind::NonBlocking | StreamKind::Socket => PIPE_PIECE_BYTES,
            StreamKind::Polled(most) => most,
        };
        whole_lines_within(lines, most)
    }
}

impl LineSink for LogStream {
    fn write(&mut self, lines: &[u8], moment: WriteContext) -> Result<(), Short> {
        let mut give_up_at = moment.patient.then(|| clock::mono().after(PATIENCE));
        if self.torn_bytes > 0 {
            self.put(b"\n").map_err(|error| Short { taken: 0, error })?;
            self.torn_bytes = 0;
        }
        let mut done = 0;
        while done < lines.len() {
            let end = done + self.piece(&lines[done..]);
            let mut at = done;
            while at < end {
                let error = match self.put(&lines[at..end]) {
                    Ok(0) => ErrorKind::WriteZero.into(),
                    Ok(count) => {
                        at += count;
                        continue;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error)
                        if error.kind() == ErrorKind::WouldBlock
                            && wait_for_room(&self.file, &mut give_up_at) =>
                    {
                        continue;
                    }
                    Err(error) => error,
                };
                let taken = done + lines[done..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
                self.torn_bytes = at - taken;
                return Err(Short { taken, error });
            }
            done = end;
        }
        Ok(())
    }
}

/// How many bytes of whole lines fit into `most`; one line when not even that fits.
pub(super) fn whole_lines_within(lines: &[u8], most: usize) -> usize {
    if lines.len() <= most {
        return lines.len();
    }
    let fitting = lines[..most].iter().rposition(|b| *b == b'\n').map(|i| i + 1);
    fitting.or_else(|| lines.iter().position(|b| *b == b'\n').map(|i| i + 1)).unwrap_or(lines.len())
}

/// Waits until there is room or patience ends, then says which; patience that ended once is not renewed.
fn wait_for_room(file: &File, give_up_at: &mut Option<Mono>) -> bool {
    let Some(end) = *give_up_at else { return false };
    let left = end.since(clock::mono());
    let room = left.0 > 0 && has_room(file, left.0 as u16);
    if !room {
        *give_up_at = None;
    }
    room
}

fn has_room(file: &File, wait_ms: u16) -> bool {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    // An error shows up in the write itself, with its name.
    !matches!(poll(&mut fds, PollTimeout::from(wait_ms)), Ok(0))
}
