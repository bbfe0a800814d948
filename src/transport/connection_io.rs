//! What every connection of a reactor has besides its conversation: its socket, its client, and what the socket has not
//! taken yet.
//!
//! An idle connection has no buffers: bytes are read into the thread's scratch, and only what the socket would not take at
//! once is kept.

use crate::domain::address::Peer;
use crate::domain::limits::{LINGER_BYTES_MAX, counted_bytes};
use crate::engine::stats::ConnectionRefusal;
use crate::transport::connection_limits::ConnectionPermit;
use crate::transport::conversation::{Sent, TurnContext};
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::ReactorStream;
use std::io;
use std::sync::Arc;

/// A socket and what belongs to it.
pub struct ConnectionIo {
    /// The socket.
    pub stream: ReactorStream,
    /// The client.
    pub peer: Peer,
    /// What its listener's connections share.
    pub context: Arc<ListenerContext>,
    /// Its permit, given back when it is dropped.
    pub permit: ConnectionPermit,
    /// What the socket has not taken yet.
    pub unsent: Vec<u8>,
    /// The socket has taken something since [`ConnectionIo::note_sent`].
    has_progressed: bool,
    /// The client will send no more; what it has sent is still answered.
    pub read_closed: bool,
    /// The loop waits for the socket to take more.
    pub awaits_write: bool,
}

impl ConnectionIo {
    /// With nothing to send.
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
            has_progressed: false,
            read_closed: false,
            awaits_write: false,
        }
    }

    /// Notes the client, who pays from now on for what the connection makes us hold.
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
    pub fn account(&mut self, kept: usize, memory_max: usize) -> Result<(), ConnectionRefusal> {
        let bytes = self.unsent.len() + kept + self.stream.kept_bytes();
        self.permit.held.set(counted_bytes(bytes), memory_max)
    }

    /// What became of bytes for the socket.
    pub fn note_sent(&mut self, was_blocked: bool, is_answer: bool) -> Sent {
        Sent {
            is_answer,
            was_blocked,
            is_blocked: self.is_blocked(),
            has_progressed: std::mem::take(&mut self.has_progressed),
            unsent_bytes: self.unsent.len(),
        }
    }

    /// Sends bytes behind those that wait already, and keeps what the socket does not take.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = match if self.is_blocked() { Ok(0) } else { self.stream.write(bytes) } {
            Ok(sent) => sent,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        self.has_progressed |= sent > 0;
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Sends what is kept, as far as the socket takes it.
    pub fn send_unsent(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    self.has_progressed = true;
                    drop(self.unsent.drain(..sent));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        match self.stream.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Hears the client out after the last byte for it: closing with bytes unread would make the kernel reset the connection,
    /// and the client might not get to read the end. False when that is over; `heard_bytes` counts how much it was.
    pub fn hear_out(&mut self, input: &mut [u8], heard_bytes: &mut u32) -> bool {
        while (*heard_bytes as usize) < LINGER_BYTES_MAX {
            match self.stream.read(input) {
                Ok(0) => return false,
                Ok(read) => *heard_bytes += read as u32,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        false
    }
}
