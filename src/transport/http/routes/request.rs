//! What is asked, and who asks.

use crate::domain::access::Shown;
use crate::domain::address::Peer;
use crate::sys::sockets::control;
use crate::transport::budget::ShedSignal;
use crate::transport::listener_context::{ListenerContext, Trust};
use crate::wire::answer::Answer;
use crate::wire::head::Facts;
use std::sync::Arc;

/// The version that pages, metrics and `--version` show.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is asked.
pub struct RouteRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as it was sent.
    pub path: &'a str,
    /// What stood behind `?`.
    pub query: &'a str,
    /// `Accept`.
    pub accept: &'a str,
    /// `Accept-Language`.
    pub language: &'a str,
    /// What else the head says.
    pub facts: &'a Facts<'a>,
    /// How its connection learns that it holds most.
    pub shed: &'a Arc<ShedSignal>,
}

/// The client of an answer that goes on, and what it has shown.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// The client, as trusted proxies say.
    pub client: Peer,
    /// What it has shown.
    pub shown: Shown,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client over the network: addresses and tokens decide what it may.
    Network(Peer),
    /// Root or the user of the service, at the control socket.
    Control,
    /// Any other user there.
    Stranger,
}

impl Caller {
    /// The caller over a connection of a listener. `uid` is asked for only where it matters.
    pub fn of(context: &ListenerContext, peer: Peer, uid: impl FnOnce() -> Option<u32>) -> Caller {
        match context.trust {
            Trust::Network => Caller::Network(peer),
            Trust::Control if control::may_control(uid()) => Caller::Control,
            Trust::Control => Caller::Stranger,
        }
    }

    /// The peer of its socket, for whichever client it may speak.
    pub fn peer(self) -> Peer {
        match self {
            Caller::Network(peer) => peer,
            Caller::Control | Caller::Stranger => Peer::Unix,
        }
    }

    /// What another user is answered at the control socket.
    pub fn refused() -> Answer {
        Answer::forbidden("the control socket is for root and the user of the service", "control.socket")
            .closing()
    }
}
