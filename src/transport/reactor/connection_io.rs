//! What every kind of connection of a reactor has: its socket, who is at the other end, what the socket has not taken yet,
//! and when its time is up.
//!
//! An idle connection is its socket and a few words: bytes are read into the thread's scratch, and only what cannot be used
//! yet, or what the socket would not take at once, is kept.

use super::scratch::{Action, NEVER, Scratch, TurnContext};
use crate::domain::address::Peer;
use crate::domain::limits::{LINGER_BYTES_MAX, counted_bytes};
use crate::domain::time::Span;
use crate::engine::stats::Turned;
use crate::transport::connection_limits::ConnectionPermit;
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::ReactorStream;
use std::io;
use std::sync::Arc;

/// See the module.
pub struct ConnectionIo {
    /// Its socket.
    pub stream: ReactorStream,
    /// Who is at the other end.
    pub peer: Peer,
    /// What its listener's connections share.
    pub context: Arc<ListenerContext>,
    /// Its place in the count of connections.
    pub permit: ConnectionPermit,
    /// What the socket has not taken yet.
    pub unsent: Vec<u8>,
    /// Whether the socket has taken something since this was last looked at.
    pub progress: bool,
    /// The client will send no more; what it has sent is still answered.
    pub read_closed: bool,
    /// Whether answers to it wait in the scratch.
    pub awaits_answers: bool,
    /// Whether the loop waits for the socket to take more.
    pub awaits_write: bool,
    /// The second of the thread in which its time is up.
    pub due_s: u32,
}

impl ConnectionIo {
    /// With nothing to send, and no deadline yet.
    pub fn new(
        stream: ReactorStream,
        peer: Peer,
        context: Arc<ListenerContext>,
        mut permit: ConnectionPermit,
    ) -> ConnectionIo {
        if context.options.proxies.relays(peer) {
            permit.held.stand_alone(peer);
        }
        ConnectionIo {
            stream,
            peer,
            context,
            permit,
            unsent: Vec::new(),
            progress: false,
            read_closed: false,
            awaits_answers: false,
            awaits_write: false,
            due_s: NEVER,
        }
    }

    /// Notes who its client is, who pays from now on for what it makes us hold.
    pub fn belongs_to(&mut self, client: Peer, turn: &TurnContext<'_>) {
        self.peer = client;
        // Nothing is held yet by one that is new, so there is room.
        let _ = self.permit.held.charge(client, turn.policy.limits.memory);
    }

    /// The same under TLS, where its listener speaks that; `None` when that cannot begin.
    pub fn under_tls(self) -> Option<ConnectionIo> {
        match self.context.options.tls.as_ref().map(|acceptor| acceptor.session()) {
            None => Some(self),
            Some(Ok(session)) => Some(ConnectionIo { stream: self.stream.under(session), ..self }),
            Some(Err(_)) => None,
        }
    }

    /// Whether bytes wait for the socket.
    pub fn is_blocked(&self) -> bool {
        !self.unsent.is_empty() || self.stream.wants_write()
    }

    /// Whether a reading of `read` bytes where there was room for `room` may have left something. One that did not fill
    /// its room emptied the socket, and readiness will be told anew; only the end of the client's side is told together
    /// with its last bytes, and a TLS stream can hold more by itself.
    pub fn may_have_left(&self, read: usize, room: usize) -> bool {
        read == room || self.read_closed || self.stream.may_hold_more()
    }

    /// Says how much is kept for it, `kept` bytes besides what waits for its socket; an error where that is too much.
    pub fn account(&mut self, kept: usize, memory_max: usize) -> Result<(), Turned> {
        let bytes = self.unsent.len() + kept + self.stream.kept_bytes();
        self.permit.held.set(counted_bytes(bytes), memory_max)
    }

    /// When what waits must have moved on, given when that was before: while nothing waits there is no such moment.
    pub fn stalled_s(&mut self, before: u32, turn: &TurnContext<'_>) -> u32 {
        let progress = std::mem::take(&mut self.progress);
        match self.is_blocked() {
            false => NEVER,
            true if progress || before == NEVER => turn.second_after(turn.policy.limits.write_timeout),
            true => before,
        }
    }

    /// Whether nothing waits to be sent.
    pub fn is_free(&self) -> bool {
        !self.is_blocked() && !self.awaits_answers
    }

    /// Sets the deadline: it passes after the span, or up to a second later.
    pub fn due_in(&mut self, turn: &TurnContext<'_>, span: Span) {
        self.due_s = turn.second_after(span);
    }

    /// Sends bytes behind those that wait already, and keeps what the socket does not take.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = match self.stream.write(bytes) {
            Ok(sent) => sent,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        self.progress |= sent > 0;
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Hears the other end out after the last word, so that it gets to read it: closing with bytes unread would make the
    /// kernel reset the connection. `heard_bytes` counts how much of that there was.
    pub fn hear_out(&mut self, scratch: &mut Scratch, heard_bytes: &mut u32) -> Action {
        while (*heard_bytes as usize) < LINGER_BYTES_MAX {
            match self.stream.read(&mut scratch.input) {
                Ok(0) => return Action::Close,
                Ok(read) => *heard_bytes += read as u32,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Action::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Action::Close,
            }
        }
        Action::Close
    }

    /// Sends what is kept; true when nothing is left.
    pub fn send_unsent(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    self.progress = true;
                    drop(self.unsent.drain(..sent));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        match self.stream.flush() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
