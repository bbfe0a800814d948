//! A listening socket in the loop of a reactor, and what a connection is sent that is one too many.

use crate::domain::address::{Peer, Protocol};
use crate::domain::notice::{Level, Notice};
use crate::domain::time::{Span, Wall};
use crate::engine::stats::ConnectionRefusal;
use crate::i18n;
use crate::sys::clock;
use crate::sys::sockets::{Socket, keepalive};
use crate::transport::listener_context::{ListenerContext, ListenerOptions};
use crate::transport::stream::ReactorStream;
use crate::wire::answer::Answer;
use std::io;
use std::sync::Arc;

/// A listening socket and what its connections share.
pub struct Listener {
    socket: ListenerSocket,
    /// What its connections share.
    pub context: Arc<ListenerContext>,
}

enum ListenerSocket {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

/// The outcome of an accept(2).
pub enum Accept {
    /// A connection.
    Connection(ReactorStream, Peer),
    /// Accept failed for this connection only (ECONNABORTED and the like): take the next.
    Aborted,
    /// No connection waits (EAGAIN).
    WouldBlock,
    /// The system has no descriptor or memory for one (EMFILE, ENFILE, ENOBUFS, ENOMEM): try again in a second.
    NoResources,
}

impl Listener {
    /// A listener in a non-blocking socket.
    pub fn new(socket: Socket, context: Arc<ListenerContext>) -> Listener {
        let socket = match socket {
            Socket::Tcp(s) => {
                // Without it a peer that vanishes is found later, by its silence.
                let _ = keepalive::apply(&s, context.options.keepalive);
                ListenerSocket::Tcp(mio::net::TcpListener::from_std(s))
            }
            Socket::Unix(s) => ListenerSocket::Unix(mio::net::UnixListener::from_std(s)),
        };
        Listener { socket, context }
    }

    /// For registering with the loop.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        match &mut self.socket {
            ListenerSocket::Tcp(s) => s,
            ListenerSocket::Unix(s) => s,
        }
    }

    /// Accepts one connection.
    pub fn accept(&self) -> Accept {
        let accepted = match &self.socket {
            ListenerSocket::Tcp(s) => s.accept().map(|(stream, from)| {
                // An answer is one small write; waiting to fill a segment would only delay it.
                let _ = stream.set_nodelay(true);
                if !cfg!(target_os = "linux") {
                    let _ = keepalive::apply(&stream, self.context.options.keepalive);
                }
                (ReactorStream::Tcp(stream), Peer::from_ip(from.ip()))
            }),
            ListenerSocket::Unix(s) => {
                s.accept().map(|(stream, _)| (ReactorStream::Unix(stream), Peer::Unix))
            }
        };
        match accepted {
            Ok((stream, peer)) => Accept::Connection(stream, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accept::WouldBlock,
            Err(error) if is_of_one_connection(&error) => Accept::Aborted,
            Err(error) => {
                self.log_accept_failure(&error);
                Accept::NoResources
            }
        }
    }

    /// Logs at most once a minute that no connection can be accepted.
    fn log_accept_failure(&self, error: &io::Error) {
        let now = clock::now();
        if self.context.may_log_every(Span::secs(60), now) {
            let text = i18n::app::accept_paused(&self.context.options.address, error);
            self.context
                .engine
                .log()
                .notice(now.wall, Notice::Other { level: Level::Error, kind: "accept_paused", text });
        }
    }
}

/// Errors of the connection that was to be accepted, which say nothing about the next (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | TimedOut | NetworkUnreachable | HostUnreachable
    )
}

/// Sends why a connection is one too many, as far as the socket takes it at once, and closes it.
pub fn reject(mut stream: ReactorStream, options: &ListenerOptions, why: ConnectionRefusal, now: Wall) {
    if options.protocol != Protocol::Http || options.tls.is_some() {
        // The dialect of the client is not known yet, and a TLS handshake would cost more than it is worth.
        return;
    }
    let answer = match why {
        ConnectionRefusal::Address => Answer::too_often(
            "too many connections from this address (limits.connections_per_address)",
            Span::secs(10),
        ),
        _ => Answer::unavailable("too many connections (limits.connections)", Span::secs(1)),
    };
    stream.send_last(&answer.last_bytes(now));
}
