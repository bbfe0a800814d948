//! How connections come to a reactor: accepted at its listeners, and given to the reactor that has the fewest.

use super::connection::Connection;
use super::{ACCEPTS_MAX, FIRST_LISTENER, Lifecycle, Reactor, note};
use crate::domain::access::{AccessRefusal, Permission};
use crate::domain::address::{Peer, Protocol};
use crate::domain::beat::Transport;
use crate::domain::notice::Notice;
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::transport::connection_io::ConnectionIo;
use crate::transport::conversation::TurnContext;
use crate::transport::handoff::ReactorCommand;
use crate::transport::listener::{Accept, Listener, reject};
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::ReactorStream;
use mio::{Interest, Token};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Connections that a reactor may have more than the one with the fewest, besides half as many again, before it gives new
/// ones away: a hand-off costs more than a little imbalance, and reactors in step displace each other more often.
const LOAD_SLACK: usize = 16;

impl Reactor {
    pub(super) fn open(&mut self, mut listener: Listener, turn: &TurnContext<'_>) {
        let number = self.listeners.len();
        let token = Token(FIRST_LISTENER + number);
        if self.poll.registry().register(listener.source(), token, Interest::READABLE).is_ok() {
            self.listeners.push(listener);
            self.gauge.listeners.store(self.listeners.len(), Ordering::Release);
            // For connections that came before it was registered no event comes.
            self.accept(number, ACCEPTS_MAX, turn);
        }
    }

    /// Accepts connections. Readiness is told once, so a listener whose backlog may hold more is noted.
    pub(super) fn accept(&mut self, number: usize, most: usize, turn: &TurnContext<'_>) {
        for _ in 0..most {
            let Some(listener) = self.listeners.get(number) else { return };
            if self.lifecycle == Lifecycle::MakingRoom && !listener.context.hands_over() {
                return;
            }
            match listener.accept() {
                Accept::Connection(stream, peer) => {
                    let context = listener.context.clone();
                    // Whose connection a proxy brings it says only later.
                    if context.options.proxies.announces(peer) || !self.denies(&context, peer, turn) {
                        let io = self.permit(stream, peer, context, turn);
                        io.into_iter().for_each(|io| self.assign(io, turn));
                    }
                }
                Accept::Aborted => {}
                Accept::WouldBlock => return,
                Accept::NoResources => return note(&mut self.accept_paused, number),
            }
        }
        note(&mut self.accept_pending, number);
    }

    /// Whether a peer is in no network from which beats may come, and nothing else could be had from the listener.
    fn denies(&self, context: &ListenerContext, peer: Peer, turn: &TurnContext<'_>) -> bool {
        if context.options.protocol != Protocol::Tcp {
            return false;
        }
        let Err(AccessRefusal::Network(key)) = turn.policy.access.check(Permission::Beat, peer, None) else {
            return false;
        };
        self.engine.stats().beats(Transport::Tcp, BeatResult::Denied, 1);
        self.engine.log().notice(turn.now.wall, Notice::ClientDenied { peer, key });
        true
    }

    /// Permits a connection; one too many is sent why.
    fn permit(
        &self,
        stream: ReactorStream,
        peer: Peer,
        context: Arc<ListenerContext>,
        turn: &TurnContext<'_>,
    ) -> Option<ConnectionIo> {
        match context.permits.acquire(peer, turn.policy.limits.connections_per_address) {
            Ok(permit) => Some(ConnectionIo::new(stream, peer, context, permit)),
            Err(why) => {
                self.engine.stats().count_refused(why);
                reject(stream, &context.options, why, turn.now.wall);
                None
            }
        }
    }

    /// Begins a connection here, or gives it to the reactor that has the fewest.
    fn assign(&mut self, io: ConnectionIo, turn: &TurnContext<'_>) {
        let load = |index: usize| self.reactors[index].connections();
        let least = (0..self.reactors.len()).min_by_key(|index| load(*index)).unwrap_or(self.index);
        if load(self.index) <= load(least) + load(least) / 2 + LOAD_SLACK {
            return self.begin(io, turn);
        }
        // One whose inbox is full gets no more.
        if let Err(ReactorCommand::Serve(io)) = self.reactors[least].tell(ReactorCommand::Serve(io)) {
            self.begin(io, turn);
        }
    }

    pub(super) fn begin(&mut self, io: ConnectionIo, turn: &TurnContext<'_>) {
        if io.context.options.proxies.announces(io.peer) {
            return self.admit(Connection::announced(io, turn), turn);
        }
        if let Some(io) = self.under_tls(io) {
            let connection = Connection::new(io, turn, &mut self.scratch.turn);
            self.admit(connection, turn);
        }
    }

    /// A proxy has said whose connection it is: that one is judged as if it had come by itself.
    pub(super) fn admit_announced(&self, io: ConnectionIo, turn: &TurnContext<'_>) -> Option<ConnectionIo> {
        if self.denies(&io.context, io.peer, turn) {
            return None;
        }
        let ConnectionIo { stream, peer, context, permit, .. } = io;
        drop(permit);
        self.under_tls(self.permit(stream, peer, context, turn)?)
    }

    fn under_tls(&self, io: ConnectionIo) -> Option<ConnectionIo> {
        let io = io.under_tls();
        if io.is_none() {
            self.engine.stats().count_refused(ConnectionRefusal::Tls);
        }
        io
    }
}
