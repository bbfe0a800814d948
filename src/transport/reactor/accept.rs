//! How connections come to a reactor: accepted at its listeners, and assigned to the reactor that has the fewest.

use super::connection::Connection;
use super::connection_io::ConnectionIo;
use super::proxy_preamble::ProxyPreamble;
use super::scratch::TurnContext;
use super::{ACCEPTS_MAX, FIRST_LISTENER, LOAD_SLACK, Reactor, ReactorCommand, note};
use crate::domain::access::{Denied, Wish};
use crate::domain::address::{Peer, Protocol};
use crate::domain::beat::Transport;
use crate::domain::notice::Notice;
use crate::engine::stats::{BeatResult, Turned};
use crate::transport::connection_limits::ConnectionPermit;
use crate::transport::listener::{Accept, Listener, reject};
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::ReactorStream;
use mio::{Interest, Token};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Reactor {
    pub(super) fn open(&mut self, mut listener: Listener, turn: &TurnContext<'_>) {
        let number = self.listeners.len();
        if self
            .poll
            .registry()
            .register(listener.source(), Token(FIRST_LISTENER + number), Interest::READABLE)
            .is_ok()
        {
            self.listeners.push(listener);
            self.gauge.listeners.store(self.listeners.len(), Ordering::Release);
            // Whoever came before the listener was watched rings no bell.
            self.accept(number, ACCEPTS_MAX, turn);
        }
    }

    /// Lets people in and deals them out. Readiness is told once, so a listener with people left is noted.
    pub(super) fn accept(&mut self, number: usize, most: usize, turn: &TurnContext<'_>) {
        for _ in 0..most {
            let Some(listener) = self.listeners.get(number) else { return };
            if self.makes_room && !listener.context.hands_over() {
                return;
            }
            match listener.accept() {
                Accept::Connection(stream, peer) => {
                    let context = listener.context.clone();
                    // Whose connection a proxy brings it says only later.
                    if !context.options.proxies.announces(peer) && self.denies(&context, peer, turn) {
                        continue;
                    }
                    match context.permits.acquire(peer, turn.policy.limits.connections_per_address) {
                        Ok(permit) => self.assign(stream, peer, context, permit, turn),
                        Err(why) => {
                            self.engine.stats().turned(why);
                            reject(stream, &context.options, why);
                        }
                    }
                }
                Accept::Aborted => {}
                Accept::WouldBlock => return,
                Accept::NoResources => return note(&mut self.accept_paused, number),
            }
        }
        note(&mut self.accept_pending, number);
    }

    /// Whether somebody comes from where no beats may come from, and no other thing is there to be had.
    pub(super) fn denies(&self, context: &ListenerContext, peer: Peer, turn: &TurnContext<'_>) -> bool {
        if context.options.protocol != Protocol::Tcp {
            return false;
        }
        let Err(Denied::Network(key)) = turn.policy.access.check(Wish::Beat, peer, None) else {
            return false;
        };
        self.engine.stats().beats(Transport::Tcp, BeatResult::Denied, 1);
        self.engine.log().notice(turn.now.wall, Notice::ClientDenied { peer, key });
        true
    }

    pub(super) fn assign(
        &mut self,
        stream: ReactorStream,
        peer: Peer,
        context: Arc<ListenerContext>,
        permit: ConnectionPermit,
        turn: &TurnContext<'_>,
    ) {
        let load = |index: usize| self.reactors[index].gauge.connections.load(Ordering::Relaxed);
        let least = (0..self.reactors.len()).min_by_key(|index| load(*index)).unwrap_or(self.here);
        let balanced = load(self.here) <= load(least) + load(least) / 2 + LOAD_SLACK;
        let index = if balanced { self.here } else { least };
        if index == self.here {
            return self.begin(stream, peer, context, permit, turn);
        }
        // One that is far behind, in a crowd or on a busy machine, gets no more.
        let order = ReactorCommand::Serve(stream, peer, context, permit);
        if let Err(ReactorCommand::Serve(stream, peer, context, permit)) = self.reactors[index].tell(order) {
            self.begin(stream, peer, context, permit, turn);
        }
    }

    pub(super) fn begin(
        &mut self,
        stream: ReactorStream,
        peer: Peer,
        context: Arc<ListenerContext>,
        permit: ConnectionPermit,
        turn: &TurnContext<'_>,
    ) {
        let io = ConnectionIo::new(stream, peer, context, permit);
        if io.context.options.proxies.announces(peer) {
            return self.admit(Connection::ProxyPreamble(ProxyPreamble::new(io, turn)), turn);
        }
        match io.under_tls() {
            Some(io) => self.admit(Connection::new(io, turn), turn),
            None => self.engine.stats().turned(Turned::Tls),
        }
    }

    /// A proxy has said whose connection it is: that one is judged as if it had come by itself.
    pub(super) fn announced(&self, io: ConnectionIo, turn: &TurnContext<'_>) -> Option<ConnectionIo> {
        if self.denies(&io.context, io.peer, turn) {
            return None;
        }
        let ConnectionIo { stream, peer, context, permit, .. } = io;
        drop(permit);
        match context.permits.acquire(peer, turn.policy.limits.connections_per_address) {
            Ok(permit) => ConnectionIo::new(stream, peer, context, permit).under_tls().or_else(|| {
                self.engine.stats().turned(Turned::Tls);
                None
            }),
            Err(why) => {
                self.engine.stats().turned(why);
                reject(stream, &context.options, why);
                None
            }
        }
    }
}
