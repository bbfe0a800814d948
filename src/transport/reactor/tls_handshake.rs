//! A connection that is still shaking hands: nothing is said over it until TLS stands.
//!
//! What it is to be afterwards, its listener knows. The handshake has the time that a request head would have.

use super::connection_io::ConnectionIo;
use super::scratch::{Action, TurnContext};
use crate::domain::notice::Notice;
use crate::engine::stats::Turned;
use std::io;

/// A connection before its first plain byte.
pub struct TlsHandshake {
    /// What it has in common with the other kinds.
    pub io: ConnectionIo,
}

impl TlsHandshake {
    /// A new connection.
    pub fn new(mut io: ConnectionIo, turn: &TurnContext<'_>) -> TlsHandshake {
        io.due_in(turn, turn.policy.limits.header_timeout);
        TlsHandshake { io }
    }

    /// Goes on as far as the socket allows.
    pub fn turn(&mut self, turn: &TurnContext<'_>) -> Action {
        match self.io.stream.handshake() {
            Ok(()) => Action::Begin,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Action::Wait,
            // Who hangs up says nothing about TLS.
            Err(error) if error.kind() != io::ErrorKind::InvalidData => Action::Close,
            Err(error) => {
                self.tell(turn, Turned::Tls, error.to_string());
                // The alert that says why; with bytes left unread, a plain close would take it along.
                self.io.stream.end_writing();
                let mut waste = [0; 4096];
                let _ = self.io.stream.read(&mut waste);
                Action::Close
            }
        }
    }

    /// What happens when its time is up.
    pub fn time_out(&mut self, turn: &TurnContext<'_>) -> Action {
        self.tell(turn, Turned::Timeout, "it took too long (limits.header_timeout)".into());
        Action::Close
    }

    fn tell(&self, turn: &TurnContext<'_>, why: Turned, reason: String) {
        let ConnectionIo { peer, context, .. } = &self.io;
        context.engine.stats().turned(why);
        let address = context.options.address.clone();
        context.engine.log().notice(turn.now.wall, Notice::TlsRefused { peer: *peer, address, reason });
    }
}
