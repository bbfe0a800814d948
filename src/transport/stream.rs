//! A connection's byte stream, TCP or unix, plain or under TLS, in the three forms it takes: with the reactor's loop, on
//! its way between threads, and with an HTTP worker's runtime.

use crate::domain::id::IdRef;
use crate::transport::tls::{Tls, TlsSession};
use nix::sys::socket::MsgFlags;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream in the loop of a reactor.
#[derive(Debug)]
pub enum ReactorStream {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// A unix socket.
    Unix(mio::net::UnixStream),
    /// TLS over one of the others.
    Tls(Box<Tls<ReactorStream>>),
}

impl ReactorStream {
    /// The same under TLS; [`ReactorStream::handshake`] comes first.
    pub fn under(self, session: TlsSession) -> ReactorStream {
        ReactorStream::Tls(Box::new(Tls { session, socket: self }))
    }

    /// Goes on with the handshake, if it is a TLS one; see [`TlsSession::handshake`].
    pub fn handshake(&mut self) -> io::Result<()> {
        match self {
            ReactorStream::Tls(s) => s.handshake(),
            _ => Ok(()),
        }
    }

    /// Whether it begins with a handshake that is not over.
    pub fn is_handshaking(&self) -> bool {
        matches!(self, ReactorStream::Tls(s) if s.session.is_handshaking())
    }

    /// The name in the certificate that the client has shown, where that can name a monitor.
    pub fn name(&self) -> Option<IdRef<'_>> {
        match self {
            ReactorStream::Tls(s) => s.name(),
            _ => None,
        }
    }

    /// Whether bytes that it has taken still wait for the socket.
    pub fn wants_write(&self) -> bool {
        matches!(self, ReactorStream::Tls(s) if s.session.wants_write())
    }

    /// Bytes that it keeps by itself.
    pub fn kept_bytes(&self) -> usize {
        match self {
            ReactorStream::Tls(s) => s.session.kept_bytes(),
            _ => 0,
        }
    }

    /// Whether a reading that did not fill its buffer may have left something of which no readiness will be told.
    pub fn may_hold_more(&self) -> bool {
        matches!(self, ReactorStream::Tls(s) if s.session.may_hold_more())
    }

    /// Sends what it has taken and the socket has not; `Ok` when nothing is left.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            ReactorStream::Tls(s) => s.flush(),
            _ => Ok(()),
        }
    }

    /// Reads what is there at once.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            ReactorStream::Tcp(s) => s.read(bytes),
            ReactorStream::Unix(s) => s.read(bytes),
            ReactorStream::Tls(s) => s.read(bytes),
        }
    }

    /// Reads what is there at once and leaves it there. Only before a TLS handshake.
    pub fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut read = |fd| nix::sys::socket::recv(fd, bytes, MsgFlags::MSG_PEEK).map_err(io::Error::from);
        match self {
            ReactorStream::Tcp(s) => read(s.as_raw_fd()),
            ReactorStream::Unix(s) => read(s.as_raw_fd()),
            ReactorStream::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Writes what the kernel takes at once.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            ReactorStream::Tcp(s) => s.write(bytes),
            ReactorStream::Unix(s) => s.write(bytes),
            ReactorStream::Tls(s) => s.write(bytes),
        }
    }

    /// The port at the other end.
    pub fn peer_port(&self) -> Option<u16> {
        match self {
            ReactorStream::Tcp(s) => s.peer_addr().ok().map(|at| at.port()),
            ReactorStream::Unix(_) => None,
            ReactorStream::Tls(s) => s.socket.peer_port(),
        }
    }

    /// Says that nothing more will be written.
    pub fn end_writing(&mut self) {
        // A peer that is gone already needs no telling.
        let _ = match self {
            ReactorStream::Tcp(s) => s.shutdown(Shutdown::Write),
            ReactorStream::Unix(s) => s.shutdown(Shutdown::Write),
            ReactorStream::Tls(s) => {
                let _ = s.end();
                s.socket.end_writing();
                Ok(())
            }
        };
    }

    /// Sends the last bytes, as far as the socket takes them at once. What has arrived already is read, or the kernel would
    /// answer the close with a reset and discard the bytes.
    pub fn send_last(&mut self, bytes: &[u8]) {
        let _ = self.write(bytes);
        self.end_writing();
        let mut waste = [0u8; 4096];
        for _ in 0..16 {
            if !self.read(&mut waste).is_ok_and(|n| n > 0) {
                break;
            }
        }
    }

    /// What is said before it is closed: TLS has a word for it, without which the end may be somebody else's doing.
    pub fn take_leave(&mut self) {
        if let ReactorStream::Tls(s) = self {
            // As much of it as the socket takes.
            let _ = s.end();
        }
    }

    /// For registering with the loop.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        match self {
            ReactorStream::Tcp(s) => s,
            ReactorStream::Unix(s) => s,
            ReactorStream::Tls(s) => s.socket.source(),
        }
    }

    /// Takes it out of the loop; it must have been deregistered.
    pub fn into_std(self) -> StdStream {
        match self {
            ReactorStream::Tcp(s) => StdStream::Tcp(s.into()),
            ReactorStream::Unix(s) => StdStream::Unix(s.into()),
            ReactorStream::Tls(s) => StdStream::Tls(Box::new(s.over(ReactorStream::into_std))),
        }
    }
}

impl Read for ReactorStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        ReactorStream::read(self, bytes)
    }
}

impl Write for ReactorStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ReactorStream::write(self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        ReactorStream::flush(self)
    }
}

/// A stream on its way between threads; non-blocking.
#[derive(Debug)]
pub enum StdStream {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// A unix socket.
    Unix(std::os::unix::net::UnixStream),
    /// TLS over one of the others.
    Tls(Box<Tls<StdStream>>),
}

impl StdStream {
    /// Has it ready for the loop of a reactor.
    pub fn into_reactor(self) -> ReactorStream {
        match self {
            StdStream::Tcp(s) => ReactorStream::Tcp(mio::net::TcpStream::from_std(s)),
            StdStream::Unix(s) => ReactorStream::Unix(mio::net::UnixStream::from_std(s)),
            StdStream::Tls(s) => ReactorStream::Tls(Box::new(s.over(StdStream::into_reactor))),
        }
    }

    /// Registers it with the runtime of the calling thread.
    pub fn into_stream(self) -> io::Result<Stream> {
        match self {
            StdStream::Tcp(s) => tokio::net::TcpStream::from_std(s).map(Stream::Tcp),
            StdStream::Unix(s) => tokio::net::UnixStream::from_std(s).map(Stream::Unix),
            StdStream::Tls(s) => s.try_over(StdStream::into_stream).map(|s| Stream::Tls(Box::new(s))),
        }
    }
}

/// A stream with the runtime of an HTTP worker.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(tokio::net::TcpStream),
    /// A unix socket.
    Unix(tokio::net::UnixStream),
    /// TLS over one of the others.
    Tls(Box<Tls<Stream>>),
}

impl Stream {
    /// Bytes that it keeps by itself.
    pub fn kept_bytes(&self) -> usize {
        match self {
            Stream::Tls(s) => s.session.kept_bytes(),
            _ => 0,
        }
    }

    /// The name in the certificate that the other side has shown, where that can name a monitor.
    pub fn name(&self) -> Option<IdRef<'_>> {
        match self {
            Stream::Tls(s) => s.name(),
            _ => None,
        }
    }

    /// Takes it out of the runtime.
    pub fn into_std(self) -> io::Result<StdStream> {
        match self {
            Stream::Tcp(s) => s.into_std().map(StdStream::Tcp),
            Stream::Unix(s) => s.into_std().map(StdStream::Unix),
            Stream::Tls(s) => s.try_over(Stream::into_std).map(|s| StdStream::Tls(Box::new(s))),
        }
    }

    /// The user at the other end of a unix socket, as the system knows it: SO_PEERCRED, or getpeereid(3).
    pub fn peer_uid(&self) -> Option<u32> {
        match self {
            Stream::Tcp(_) | Stream::Tls(_) => None,
            Stream::Unix(s) => s.peer_cred().ok().map(|credentials| credentials.uid()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => {
                let Tls { session, socket } = &mut **s;
                let read = session.read(&mut Polled { socket, cx }, buf.initialize_unfilled());
                polled(read).map_ok(|read| buf.advance(read))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Tls(s) => {
                let Tls { session, socket } = &mut **s;
                polled(session.write(&mut Polled { socket, cx }, buf))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(_) | Stream::Unix(_) => Poll::Ready(Ok(())),
            Stream::Tls(s) => {
                let Tls { session, socket } = &mut **s;
                polled(session.flush(&mut Polled { socket, cx }))
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Unix(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => {
                let Tls { session, socket } = &mut **s;
                // A goodbye that cannot be said is no reason to keep the socket.
                match session.end(&mut Polled { socket, cx }) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                    _ => Pin::new(socket).poll_shutdown(cx),
                }
            }
        }
    }
}

/// A stream of the runtime as a session wants it: what would be pending would block, and wakes the task.
struct Polled<'a, 'b> {
    socket: &'a mut Stream,
    cx: &'a mut Context<'b>,
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(bytes);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.cx, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn polled<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}
