//! A connection's byte stream, TCP or unix, in the three forms it takes: with the front's loop, on its way between
//! threads, and with a general thread's runtime.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream in the loop of a front.
#[derive(Debug)]
pub enum FrontStream {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// A unix socket.
    Unix(mio::net::UnixStream),
}

impl FrontStream {
    /// Reads what is there at once.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            FrontStream::Tcp(s) => s.read(bytes),
            FrontStream::Unix(s) => s.read(bytes),
        }
    }

    /// Writes what the kernel takes at once.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            FrontStream::Tcp(s) => s.write(bytes),
            FrontStream::Unix(s) => s.write(bytes),
        }
    }

    /// Says that nothing more will be written.
    pub fn end_writing(&self) {
        // A peer that is gone already needs no telling.
        let _ = match self {
            FrontStream::Tcp(s) => s.shutdown(Shutdown::Write),
            FrontStream::Unix(s) => s.shutdown(Shutdown::Write),
        };
    }

    /// For registering with the loop.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        match self {
            FrontStream::Tcp(s) => s,
            FrontStream::Unix(s) => s,
        }
    }

    /// Takes it out of the loop; it must have been deregistered.
    pub fn into_std(self) -> StdStream {
        match self {
            FrontStream::Tcp(s) => StdStream::Tcp(s.into()),
            FrontStream::Unix(s) => StdStream::Unix(s.into()),
        }
    }
}

/// A stream on its way between threads; non-blocking.
#[derive(Debug)]
pub enum StdStream {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// A unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl StdStream {
    /// Has it ready for the loop of a front.
    pub fn into_front(self) -> FrontStream {
        match self {
            StdStream::Tcp(s) => FrontStream::Tcp(mio::net::TcpStream::from_std(s)),
            StdStream::Unix(s) => FrontStream::Unix(mio::net::UnixStream::from_std(s)),
        }
    }

    /// Registers it with the runtime of the calling thread.
    pub fn into_stream(self) -> io::Result<Stream> {
        match self {
            StdStream::Tcp(s) => tokio::net::TcpStream::from_std(s).map(Stream::Tcp),
            StdStream::Unix(s) => tokio::net::UnixStream::from_std(s).map(Stream::Unix),
        }
    }
}

/// A stream with the runtime of a general thread.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(tokio::net::TcpStream),
    /// A unix socket.
    Unix(tokio::net::UnixStream),
}

impl Stream {
    /// Takes it out of the runtime.
    pub fn into_std(self) -> io::Result<StdStream> {
        match self {
            Stream::Tcp(s) => s.into_std().map(StdStream::Tcp),
            Stream::Unix(s) => s.into_std().map(StdStream::Unix),
        }
    }

    /// The user at the other end of a unix socket, as the system knows it: SO_PEERCRED, or getpeereid(3).
    pub fn peer_uid(&self) -> Option<u32> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Unix(s) => s.peer_cred().ok().map(|credentials| credentials.uid()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Unix(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
