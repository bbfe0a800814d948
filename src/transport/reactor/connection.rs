//! A connection of a reactor, of whatever kind: the face that the loop knows.

use super::ReactorRef;
use super::connection_io::ConnectionIo;
use super::http::HttpConnection;
use super::parked::{ParkedState, ResumableConnection};
use super::proxy_preamble::ProxyPreamble;
use super::scratch::{Action, Scratch, TurnContext};
use super::tcp::TcpConnection;
use super::tls_handshake::TlsHandshake;
use super::ws::WsConnection;
use crate::domain::address::Protocol;
use crate::domain::beat::Transport;
use crate::engine::Pending;
use crate::engine::stats::Turned;
use crate::transport::budget;
use crate::transport::http::{Handoff, WebSocketOpening, last_words};
use std::ops::Range;

/// A connection.
pub enum Connection {
    /// A proxy's, that has not said yet whose it is.
    ProxyPreamble(ProxyPreamble),
    /// TLS that does not stand yet.
    TlsHandshake(TlsHandshake),
    /// HTTP, as far as the fast path goes.
    Http(HttpConnection),
    /// Raw TCP.
    Tcp(TcpConnection),
    /// A WebSocket.
    Ws(WsConnection),
}

/// What a connection is that comes back from a HTTP worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffProtocol {
    /// The same as before.
    Http,
    /// A WebSocket.
    Ws(WebSocketOpening),
}

impl Connection {
    /// A new connection.
    pub fn new(io: ConnectionIo, turn: &TurnContext<'_>) -> Connection {
        if io.stream.is_handshaking() {
            return Connection::TlsHandshake(TlsHandshake::new(io, turn));
        }
        match io.context.options.protocol {
            Protocol::Http => Connection::Http(HttpConnection::new(io, turn)),
            Protocol::Tcp => Connection::Tcp(TcpConnection::new(io, turn)),
        }
    }

    /// One that a HTTP worker has had.
    pub fn returned(handoff: Handoff, role: HandoffProtocol, turn: &TurnContext<'_>) -> Connection {
        let Handoff { stream, unsent, read, peer, context, permit, .. } = handoff;
        let io = ConnectionIo { unsent, ..ConnectionIo::new(stream.into_reactor(), peer, context, permit) };
        match role {
            HandoffProtocol::Http => Connection::Http(HttpConnection::returned(io, read, turn)),
            HandoffProtocol::Ws(opening) => Connection::Ws(WsConnection::new(io, read, opening, turn)),
        }
    }

    /// One of the process before us; `None` where that is not what it left.
    pub fn resumed(returning: ResumableConnection, turn: &TurnContext<'_>) -> Option<Connection> {
        let ResumableConnection { io, state } = returning;
        match state {
            ParkedState::Http(kept) => Some(Connection::Http(HttpConnection::resumed(io, kept, turn))),
            ParkedState::Tcp(kept) => TcpConnection::resumed(io, kept, turn).map(Connection::Tcp),
            ParkedState::Ws(kept) => WsConnection::resumed(io, kept, turn).map(Connection::Ws),
        }
    }

    /// What is counted where it is counted.
    pub fn transport(&self) -> Transport {
        match self {
            Connection::Http(_) => Transport::Http,
            Connection::Tcp(_) => Transport::Tcp,
            Connection::Ws(_) => Transport::Ws,
            Connection::ProxyPreamble(_) | Connection::TlsHandshake(_) => Connection::transport_of(self.io()),
        }
    }

    /// The same of one that has not begun.
    pub fn transport_of(io: &ConnectionIo) -> Transport {
        match io.context.options.protocol {
            Protocol::Http => Transport::Http,
            Protocol::Tcp => Transport::Tcp,
        }
    }

    /// What it has in common with the other kinds.
    pub fn io(&self) -> &ConnectionIo {
        match self {
            Connection::Http(http) => &http.io,
            Connection::Tcp(talk) => &talk.io,
            Connection::Ws(ws) => &ws.io,
            Connection::ProxyPreamble(preamble) => &preamble.io,
            Connection::TlsHandshake(handshake) => &handshake.io,
        }
    }

    /// The same, to be changed.
    pub fn io_mut(&mut self) -> &mut ConnectionIo {
        match self {
            Connection::Http(http) => &mut http.io,
            Connection::Tcp(talk) => &mut talk.io,
            Connection::Ws(ws) => &mut ws.io,
            Connection::ProxyPreamble(preamble) => &mut preamble.io,
            Connection::TlsHandshake(handshake) => &mut handshake.io,
        }
    }

    /// For registering with the loop.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        self.io_mut().stream.source()
    }

    /// Says how much is kept for it; an error where that is too much, and it must go.
    pub fn account(&mut self, memory_max: usize) -> Result<(), Turned> {
        let kept = match self {
            Connection::Http(http) => http.kept_bytes(),
            Connection::Tcp(talk) => talk.kept_bytes(),
            Connection::Ws(ws) => ws.kept_bytes(),
            Connection::TlsHandshake(_) | Connection::ProxyPreamble(_) => 0,
        };
        self.io_mut().account(kept, memory_max)
    }

    /// What it hears before it is closed because there is no room for it, as far as the socket takes that at once.
    pub fn shed(&mut self, why: Turned) {
        if self.is_blocked() {
            return;
        }
        let words = match self {
            Connection::Http(_) => last_words(budget::refusal(why)),
            Connection::Ws(ws) => ws.last_words(why),
            Connection::Tcp(_) | Connection::TlsHandshake(_) | Connection::ProxyPreamble(_) => return,
        };
        let io = self.io_mut();
        let _ = io.stream.write(&words);
        io.stream.end_writing();
        // What lies unread would take the words with it.
        let mut waste = [0u8; 4096];
        for _ in 0..16 {
            if !io.stream.read(&mut waste).is_ok_and(|n| n > 0) {
                break;
            }
        }
    }

    /// Whether bytes wait for the socket.
    pub fn is_blocked(&self) -> bool {
        self.io().is_blocked()
    }

    /// Whether its time is up.
    pub fn is_due(&self, now_s: u32) -> bool {
        self.io().due_s <= now_s
    }

    /// Whether it may be closed when the daemon stops: nothing has begun.
    pub fn is_idle(&self) -> bool {
        match self {
            Connection::Http(http) => http.is_idle(),
            Connection::Tcp(talk) => !talk.io.awaits_answers,
            // It is told that we go.
            Connection::Ws(_) => false,
            Connection::ProxyPreamble(_) | Connection::TlsHandshake(_) => true,
        }
    }

    /// Whether the reactor itself may serve it.
    pub fn may_stay(&self) -> bool {
        match self {
            Connection::Http(http) => http.io.context.options.fast_path,
            Connection::Tcp(_)
            | Connection::Ws(_)
            | Connection::ProxyPreamble(_)
            | Connection::TlsHandshake(_) => true,
        }
    }

    /// Whether it is read though it does not take what it is sent.
    pub fn reads_on(&self) -> bool {
        match self {
            Connection::Http(http) => !http.io.is_blocked(),
            Connection::Tcp(_)
            | Connection::Ws(_)
            | Connection::ProxyPreamble(_)
            | Connection::TlsHandshake(_) => true,
        }
    }

    /// When the loop must look whether nothing more has come for a moment, in milliseconds of the thread; told once.
    pub fn note_quiet(&mut self) -> Option<u64> {
        match self {
            Connection::Tcp(talk) => talk.note_quiet(),
            _ => None,
        }
    }

    /// The loop looks.
    pub fn look_for_quiet(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        match self {
            Connection::Tcp(talk) => talk.look_for_quiet(scratch, turn),
            _ => Action::Wait,
        }
    }

    /// Its last step before it is closed.
    pub fn part(&self, pending: &mut Pending, turn: &TurnContext<'_>) {
        match self {
            Connection::Tcp(talk) => talk.part(pending, turn),
            Connection::Ws(ws) => ws.part(turn),
            _ => {}
        }
    }

    /// Does what can be done now: sends what waits, reads, answers.
    pub fn turn(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        match self {
            Connection::Http(http) => http.turn(scratch, turn),
            Connection::Tcp(talk) => talk.turn(scratch, turn),
            Connection::Ws(ws) => ws.turn(scratch, turn),
            Connection::ProxyPreamble(preamble) => preamble.turn(turn),
            Connection::TlsHandshake(handshake) => handshake.turn(turn),
        }
    }

    /// Sends the answers that [`Action::Answers`] announced, `range` of those in the scratch.
    pub fn answer(&mut self, scratch: &mut Scratch, range: Range<usize>, turn: &TurnContext<'_>) -> Action {
        match self {
            Connection::Http(http) => http.answer(scratch, range, turn),
            Connection::Tcp(talk) => talk.answer(scratch, range, turn),
            Connection::Ws(ws) => ws.answer(scratch, range, turn),
            Connection::ProxyPreamble(_) | Connection::TlsHandshake(_) => Action::Wait,
        }
    }

    /// Judges it by the policy in force; `changed`: by another one than it was let in under. Of HTTP each request is judged.
    pub fn judge(&mut self, changed: bool, turn: &TurnContext<'_>) -> Action {
        match self {
            Connection::Tcp(talk) => talk.judge(changed, turn),
            Connection::Ws(ws) => ws.judge(changed, turn),
            Connection::Http(_) | Connection::ProxyPreamble(_) | Connection::TlsHandshake(_) => Action::Wait,
        }
    }

    /// What happens when its time is up.
    pub fn time_out(&mut self, turn: &TurnContext<'_>) -> Action {
        match self {
            Connection::Http(http) => http.time_out(turn),
            Connection::Tcp(talk) => talk.time_out(turn),
            Connection::Ws(ws) => ws.time_out(turn),
            Connection::ProxyPreamble(preamble) => preamble.time_out(),
            Connection::TlsHandshake(handshake) => handshake.time_out(turn),
        }
    }

    /// Everything that the HTTP worker needs to go on, where it can: it speaks HTTP only.
    pub fn into_guest(self, origin: ReactorRef) -> Option<Handoff> {
        match self {
            Connection::Http(http) => Some(http.into_guest(origin)),
            Connection::Tcp(_)
            | Connection::Ws(_)
            | Connection::ProxyPreamble(_)
            | Connection::TlsHandshake(_) => None,
        }
    }
}
