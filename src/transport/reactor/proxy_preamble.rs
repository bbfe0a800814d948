//! A connection of a proxy that speaks the PROXY protocol, until that has said whose connection it is.
//!
//! The header is looked at in the socket (MSG_PEEK) and only then taken out, to its last byte: what follows it, a TLS
//! handshake perhaps, is read by the next stage. It has the time that a request head would have.

use super::scratch::Action;
use crate::domain::address::Peer;
use crate::domain::limits::PROXY_HEADER_BYTES_MAX;
use crate::engine::stats::ConnectionRefusal;
use crate::transport::connection_io::ConnectionIo;
use crate::transport::conversation::TurnContext;
use crate::wire::proxy_protocol::{self, ProxyOpening};
use std::io;

/// Goes on as far as the socket allows. The peer is the proxy, and then the client.
pub fn turn(io: &mut ConnectionIo, turn: &TurnContext<'_>) -> Action {
    let mut seen = [0; PROXY_HEADER_BYTES_MAX];
    loop {
        let length = match io.stream.peek(&mut seen) {
            // A proxy that looks whether the port is open says nothing, and nothing is wrong.
            Ok(0) => return Action::Close,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Action::Wait,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Action::Close,
        };
        return match proxy_protocol::read(&seen[..length]) {
            // The end of the other side is told apart from bytes that are still to come, or this would wait in vain.
            ProxyOpening::Partial if io.read_closed => refuse(io, "it ended in its header", turn),
            ProxyOpening::Partial => Action::Wait,
            ProxyOpening::Wrong(reason) => refuse(io, reason, turn),
            ProxyOpening::Header { bytes, client } => {
                let mut rest = &mut seen[..bytes];
                while !rest.is_empty() {
                    match io.stream.read(rest) {
                        Ok(read @ 1..) => rest = &mut rest[read..],
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        // They were peeked at, so they are there.
                        _ => return Action::Close,
                    }
                }
                if let Some(ip) = client {
                    io.peer = Peer::from_ip(ip);
                }
                Action::Begin
            }
        };
    }
}

/// What happens when its deadline has passed.
pub fn time_out(io: &ConnectionIo) -> Action {
    io.context.engine.stats().count_refused(ConnectionRefusal::Timeout);
    Action::Close
}

fn refuse(io: &ConnectionIo, reason: &'static str, turn: &TurnContext<'_>) -> Action {
    io.context.refuse_proxied(io.peer, reason, turn.now);
    Action::Close
}
