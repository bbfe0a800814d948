//! The opening of a WebSocket: who may, and what becomes of the connection once hyper has answered 101.

use super::beats;
use super::routes::{Caller, SOCKET_PATH};
use crate::domain::access::Shown;
use crate::domain::address::Peer;
use crate::domain::beat::Transport;
use crate::domain::policy::Policy;
use crate::transport::conversation::ws::WebSocketOpening;
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::head::Facts;
use crate::wire::ws::handshake::{self, HandshakeRefusal};

/// Whether a GET asks for a WebSocket.
pub fn is_wanted<'a>(path: &str, headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> bool {
    path == SOCKET_PATH || is_echo(path) || (path == "/" && handshake::is_wanted(headers))
}

fn is_echo(path: &str) -> bool {
    cfg!(feature = "ws-echo") && path == "/echo"
}

/// Decides by the head of a GET whether it opens one; what `Sec-WebSocket-Accept` then says.
pub fn open<'a>(
    context: &ListenerContext,
    policy: &Policy,
    caller: Caller,
    path: &str,
    facts: &Facts<'_>,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<(String, WebSocketOpening), Answer> {
    let client = match caller {
        Caller::Network(peer) => beats::admit_over(Transport::Ws, context, policy, peer, facts)?,
        Caller::Control => Peer::Unix,
        Caller::Stranger => return Err(Caller::refused()),
    };
    match handshake::accept(headers) {
        Ok(accept) => {
            Ok((accept, WebSocketOpening { client, shown: Shown::of(facts.bearer()), echo: is_echo(path) }))
        }
        Err(HandshakeRefusal::UpgradeRequired(reason)) => {
            Err(Answer { more: UPGRADE_HEADERS, ..Answer::error(426, reason) })
        }
        Err(HandshakeRefusal::Wrong(reason)) => Err(Answer::error(400, reason)),
    }
}

/// What a 426 must say (RFC 9110, 15.5.22; RFC 6455, 4.4).
const UPGRADE_HEADERS: &[(&str, &str)] =
    &[("upgrade", "websocket"), ("sec-websocket-version", handshake::VERSION)];
