//! A connection whose TLS handshake is under way. It has the time that a request head would have.

use super::scratch::Action;
use crate::domain::notice::Notice;
use crate::engine::stats::ConnectionRefusal;
use crate::transport::connection_io::ConnectionIo;
use crate::transport::conversation::TurnContext;
use std::io;

/// Goes on as far as the socket allows.
pub fn turn(io: &mut ConnectionIo, turn: &TurnContext<'_>) -> Action {
    match io.stream.handshake() {
        Ok(()) => Action::Begin,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Action::Wait,
        // A client that hangs up says nothing about TLS.
        Err(error) if error.kind() != io::ErrorKind::InvalidData => Action::Close,
        Err(error) => {
            log_refusal(io, turn, ConnectionRefusal::Tls, error.to_string());
            // What has been written is the alert that says why; with bytes unread, closing would discard it.
            io.stream.end_writing();
            let mut waste = [0; 4096];
            let _ = io.stream.read(&mut waste);
            Action::Close
        }
    }
}

/// What happens when its deadline has passed.
pub fn time_out(io: &ConnectionIo, turn: &TurnContext<'_>) -> Action {
    log_refusal(io, turn, ConnectionRefusal::Timeout, "it took too long (limits.header_timeout)".into());
    Action::Close
}

fn log_refusal(io: &ConnectionIo, turn: &TurnContext<'_>, why: ConnectionRefusal, reason: String) {
    let ConnectionIo { peer, context, .. } = io;
    context.engine.stats().count_refused(why);
    let address = context.options.address.clone();
    context.engine.log().notice(turn.now.wall, Notice::TlsRefused { peer: *peer, address, reason });
}
