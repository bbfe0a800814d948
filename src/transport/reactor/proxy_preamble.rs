//! A connection of a proxy that speaks the PROXY protocol, until it has said whose connection it is.
//!
//! The header is looked at in the socket and only then taken out, to its last byte: what follows it, a TLS handshake
//! perhaps, is read by whoever comes next. It has the time that a request head would have.

use super::connection_io::ConnectionIo;
use super::scratch::{Action, TurnContext};
use crate::domain::address::Peer;
use crate::domain::limits::PROXY_HEADER_BYTES_MAX;
use crate::engine::stats::Turned;
use crate::wire::proxy_protocol::{self, Opening};
use std::io;

/// A connection before its first byte of its own.
pub struct ProxyPreamble {
    /// What it has in common with the other kinds. Its peer is the proxy, and then the client.
    pub io: ConnectionIo,
}

impl ProxyPreamble {
    /// A new connection.
    pub fn new(mut io: ConnectionIo, turn: &TurnContext<'_>) -> ProxyPreamble {
        io.due_in(turn, turn.policy.limits.header_timeout);
        ProxyPreamble { io }
    }

    /// Goes on as far as the socket allows.
    pub fn turn(&mut self, turn: &TurnContext<'_>) -> Action {
        let mut seen = [0; PROXY_HEADER_BYTES_MAX];
        loop {
            let length = match self.io.stream.peek(&mut seen) {
                // A proxy that looks whether the port is open says nothing, and nothing is wrong.
                Ok(0) => return Action::Close,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Action::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Action::Close,
            };
            return match proxy_protocol::read(&seen[..length]) {
                // The end of the other side is told apart from bytes that are still to come, or this would wait in vain.
                Opening::Partial if self.io.read_closed => self.refuse("it ended in its header", turn),
                Opening::Partial => Action::Wait,
                Opening::Wrong(reason) => self.refuse(reason, turn),
                Opening::Header { bytes, client } => {
                    let mut rest = &mut seen[..bytes];
                    while !rest.is_empty() {
                        match self.io.stream.read(rest) {
                            Ok(read @ 1..) => rest = &mut rest[read..],
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            // They were there a moment ago.
                            _ => return Action::Close,
                        }
                    }
                    if let Some(ip) = client {
                        self.io.peer = Peer::from_ip(ip);
                    }
                    Action::Begin
                }
            };
        }
    }

    /// What happens when its time is up.
    pub fn time_out(&mut self) -> Action {
        self.io.context.engine.stats().turned(Turned::Timeout);
        Action::Close
    }

    fn refuse(&self, reason: &'static str, turn: &TurnContext<'_>) -> Action {
        let ConnectionIo { peer, context, .. } = &self.io;
        context.refuse_proxied(*peer, reason, turn.now);
        Action::Close
    }
}
