//! What a reactor does with its connections: it gives them turns, commits and answers, and does what they come to.

use super::connection::{Connection, ConnectionStage};
use super::scratch::{Action, Scratch};
use super::slots::Awaiting;
use super::{ACCEPTS_MAX, Lifecycle, Reactor};
use crate::engine::SenderRefusal;
use crate::engine::stats::ConnectionRefusal;
use crate::transport::conversation::TurnContext;
use crate::transport::handoff::ReactorRef;
use mio::{Interest, Token};
use std::sync::atomic::Ordering;

impl Reactor {
    /// Adds a connection and gives it its first turn.
    pub(super) fn admit(&mut self, connection: Connection, turn: &TurnContext<'_>) {
        self.engine.stats().connection(connection.transport(), 1);
        self.gauge.connections.fetch_add(1, Ordering::Relaxed);
        let key = self.slots.insert(connection);
        let registered = self.slots.open(key).is_some_and(|connection| {
            let source = connection.io.stream.source();
            self.poll.registry().register(source, Token(key), Interest::READABLE).is_ok()
        });
        self.give_first_turn(key, registered, turn);
    }

    fn give_first_turn(&mut self, key: usize, is_registered: bool, turn: &TurnContext<'_>) {
        // It may have been admitted under another policy, by another thread or process.
        self.judge(key, false, turn);
        let Some(connection) = self.slots.open(key) else { return };
        match (is_registered, connection.may_stay()) {
            (false, _) => self.end(key, turn),
            (true, false) => self.hand_over(key),
            // A client usually has sent its request by now.
            (true, true) => self.turn(key, turn),
        }
    }

    /// Has a connection whose client is known, or whose handshake is over, begin what it is for.
    fn begin_protocol(&mut self, key: usize, turn: &TurnContext<'_>) {
        let Some(Connection { io, stage }) = self.slots.remove(key) else { return };
        let transport = Connection::transport_of(&io.context);
        let io = match stage {
            ConnectionStage::ProxyPreamble(_) => self.admit_announced(io, turn),
            _ => Some(io),
        };
        let Some(io) = io else { return self.uncount(transport) };
        let mut connection = Connection::new(io, turn, &mut self.scratch.turn);
        // The key that was given back last is the next one to be taken; if it were not, the loop would have to know.
        let next = self.slots.next_key();
        let (registry, source) = (self.poll.registry(), connection.io.stream.source());
        let is_known = next == key || registry.reregister(source, Token(next), Interest::READABLE).is_ok();
        self.slots.insert(connection);
        self.give_first_turn(next, is_known, turn);
    }

    /// Has an open connection do something, and does what that comes to.
    fn act(
        &mut self,
        key: usize,
        turn: &TurnContext<'_>,
        call: impl FnOnce(&mut Connection, &mut Scratch, &TurnContext<'_>) -> Action,
    ) {
        let Some(connection) = self.slots.open(key) else { return };
        let turn = &connection.context(turn);
        let action = call(connection, &mut self.scratch, turn);
        self.quiets.extend(connection.note_quiet().map(|at_ms| (at_ms, key)));
        self.apply(key, action, turn);
    }

    /// Judges a connection by the policy in force.
    pub(super) fn judge(&mut self, key: usize, has_changed: bool, turn: &TurnContext<'_>) {
        self.act(key, turn, |connection, scratch, turn| connection.judge(has_changed, scratch, turn));
    }

    /// Does what a connection can do now.
    pub(super) fn turn(&mut self, key: usize, turn: &TurnContext<'_>) {
        if self.slots.awaits_commit(key) {
            return self.again.push(key);
        }
        self.act(key, turn, Connection::turn);
    }

    /// Has connections that have sent nothing for a while take for whole what they have sent. What came meanwhile was read
    /// before.
    pub(super) fn end_quiets(&mut self, turn: &TurnContext<'_>) {
        while self.quiets.front().is_some_and(|(at_ms, _)| *at_ms <= turn.now_ms) {
            let Some((_, key)) = self.quiets.pop_front() else { return };
            if self.slots.awaits_commit(key) {
                self.quiets.push_back((turn.now_ms + 1, key));
                continue;
            }
            self.act(key, turn, Connection::end_quiet);
        }
    }

    /// Puts by one write on record what the beats of this turn have changed, and then answers them.
    pub(super) fn commit_and_answer(&mut self, turn: &TurnContext<'_>) {
        if !self.slots.any_awaits() && self.scratch.turn.pending.is_empty() {
            return;
        }
        if self.engine.commit(turn.now.wall, &mut self.scratch.turn.pending).is_err() {
            let refuse = self.engine.refuses_unstored();
            for answer in self.scratch.turn.answers.iter_mut() {
                self.engine.stats().unstored(answer.acknowledges());
                answer.not_stored(refuse);
            }
        }
        let mut awaiting = self.slots.take_awaiting();
        for Awaiting { key, ticket, again, shed } in awaiting.drain(..) {
            let Some(connection) = self.slots.redeem(key) else { continue };
            let turn = &connection.context(turn);
            let action = connection.answer(ticket, again, &mut self.scratch, turn);
            match shed {
                Some(why) => self.shed(key, why, turn),
                None => self.apply(key, action, turn),
            }
        }
        self.scratch.turn.answers.clear();
        self.slots.reuse(awaiting);
    }

    /// Does what a connection has come to.
    fn apply(&mut self, key: usize, action: Action, turn: &TurnContext<'_>) {
        let mut shed = None;
        if !matches!(action, Action::Close | Action::Begin) {
            let Some(connection) = self.slots.open(key) else { return };
            shed = connection.account(turn.policy.limits.memory).err();
        }
        match (action, shed) {
            (Action::AwaitCommit { ticket, again }, shed) => {
                self.slots.await_commit(Awaiting { key, ticket, again, shed });
            }
            (_, Some(why)) => self.shed(key, why, turn),
            (Action::Close, None) => self.end(key, turn),
            (Action::HandOver, None) => self.hand_over(key),
            (Action::Begin, None) => self.begin_protocol(key, turn),
            (Action::Again, None) => self.again.push(key),
            (Action::Wait, None) => {
                let Some(connection) = self.slots.open(key) else { return };
                let is_blocked = connection.io.is_blocked();
                if is_blocked == std::mem::replace(&mut connection.io.awaits_write, is_blocked) {
                    return;
                }
                let interest = match is_blocked {
                    true => Interest::READABLE | Interest::WRITABLE,
                    false => Interest::READABLE,
                };
                let source = connection.io.stream.source();
                if self.poll.registry().reregister(source, Token(key), interest).is_err() {
                    self.end(key, turn);
                }
            }
        }
    }

    /// Ends a connection for which there is no room, and sends it why.
    fn shed(&mut self, key: usize, why: ConnectionRefusal, turn: &TurnContext<'_>) {
        let Some(mut connection) = self.remove(key) else { return };
        self.engine.stats().count_refused(why);
        if let Some(host) = connection.io.permit.held.shed_host() {
            self.engine.note_refused(turn.now, SenderRefusal::Memory, host);
        }
        connection.shed(why);
        self.close(connection, turn);
    }

    fn hand_over(&mut self, key: usize) {
        if self.lifecycle == Lifecycle::MakingRoom {
            // The next process will hand it over to workers of its own.
            if let Some(connection) = self.slots.open(key).filter(|connection| connection.can_park()) {
                let _ = self.poll.registry().deregister(connection.io.stream.source());
                return self.slots.hold(key);
            }
        }
        let Some(mut connection) = self.remove(key) else { return };
        // Deregistering can only fail where the socket is broken, which hyper will find.
        let _ = self.poll.registry().deregister(connection.io.stream.source());
        let origin = ReactorRef { reactors: self.reactors.clone(), index: self.index };
        let Some(handoff) = connection.into_handoff(origin) else { return };
        if self.worker.serve(Box::new(handoff)).is_err() {
            self.engine.stats().count_refused(ConnectionRefusal::Total);
        }
    }

    /// Ends a connection.
    pub(super) fn end(&mut self, key: usize, turn: &TurnContext<'_>) {
        if let Some(connection) = self.remove(key) {
            self.close(connection, turn);
        }
    }

    /// Closing the socket takes it out of the loop.
    fn close(&mut self, mut connection: Connection, turn: &TurnContext<'_>) {
        connection.depart(&mut self.scratch.turn, turn);
        connection.io.stream.take_leave();
    }

    /// Takes a connection out, unless its beats are not answered yet.
    pub(super) fn remove(&mut self, key: usize) -> Option<Connection> {
        let connection = self.slots.remove(key)?;
        self.uncount(connection.transport());
        Some(connection)
    }

    fn uncount(&self, transport: crate::domain::beat::Transport) {
        self.engine.stats().connection(transport, -1);
        self.gauge.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Once a second: which deadlines have passed, which connections must make room, and whether accept works again.
    pub(super) fn sweep(&mut self, turn: &TurnContext<'_>) {
        if turn.now_s() == self.swept_s {
            return;
        }
        self.swept_s = turn.now_s();
        self.gauge.pulse.fetch_add(1, Ordering::Relaxed);
        let must_shed = |connection: &Connection| connection.io.permit.held.shed_host().is_some();
        for key in self.slots.keys(|connection| connection.is_due(turn) || must_shed(connection)) {
            if self.slots.open(key).is_some_and(|connection| connection.is_due(turn)) {
                self.act(key, turn, Connection::time_out);
            }
            if self.slots.open(key).is_some_and(|connection| must_shed(connection)) {
                self.shed(key, ConnectionRefusal::Shed, turn);
            }
        }
        for number in std::mem::take(&mut self.accept_paused) {
            self.accept(number, ACCEPTS_MAX, turn);
        }
    }
}
