//! TLS under every protocol: HTTP, raw TCP and WebSocket read and write a stream and do not know whether it is a TLS
//! one.
//!
//! [`session`] is the state of one connection: bytes of the wire in, plain bytes out, and back; it reads and writes
//! whatever socket it is given, so that it wanders with its connection from thread to thread. [`Tls`] is a session
//! with its socket, the TLS form of each of the streams in [`super::stream`]. [`server`] makes what a listener needs,
//! and [`certificate`] reads what a certificate says of its bearer. Connections that we open have theirs in [`crate::net`].
//!
//! An idle connection has no buffers: records are read into one of the thread, and only what is unfinished is kept
//! (the beginning of a record, plain bytes that nobody has asked for yet, records that the socket would not take).

pub mod certificate;
pub mod server;
mod session;

pub use session::TlsSession;

use crate::domain::id::IdRef;
use std::io::{self, Read, Write};

/// A session with its socket.
#[derive(Debug)]
pub struct Tls<S> {
    /// The session.
    pub session: TlsSession,
    /// The socket, or what stands for it.
    pub socket: S,
}

impl<S> Tls<S> {
    /// The same session over another form of the socket.
    pub fn over<T>(self, form: impl FnOnce(S) -> T) -> Tls<T> {
        Tls { session: self.session, socket: form(self.socket) }
    }

    /// The same, where the form may be refused.
    pub fn try_over<T>(self, form: impl FnOnce(S) -> io::Result<T>) -> io::Result<Tls<T>> {
        Ok(Tls { session: self.session, socket: form(self.socket)? })
    }

    /// The name in the certificate that the other side has shown, if it showed one that can name a monitor.
    pub fn name(&self) -> Option<IdRef<'_>> {
        self.session.name()
    }
}

impl<S: Read + Write> Tls<S> {
    /// See [`TlsSession::handshake`].
    pub fn handshake(&mut self) -> io::Result<()> {
        self.session.handshake(&mut self.socket)
    }

    /// See [`TlsSession::read`].
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.session.read(&mut self.socket, bytes)
    }

    /// See [`TlsSession::write`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.write(&mut self.socket, bytes)
    }

    /// See [`TlsSession::flush`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.session.flush(&mut self.socket)
    }

    /// See [`TlsSession::end`].
    pub fn end(&mut self) -> io::Result<()> {
        self.session.end(&mut self.socket)
    }
}
