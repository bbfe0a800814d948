//! The reactor: a thread that owns listeners and connections in a bare readiness loop and answers plain beats.
//!
//! It is a loop of its own and not tasks of a runtime because that is what a beat costs: at this load a task to wake,
//! schedule and poll for every request takes as much time as everything we do with the beat, and twelve times the
//! memory while idle. Whatever needs more than "read a beat, answer it" is handed to a HTTP worker.
//!
//! A connection is accepted by the thread that has its listener and stays there, unless that one has many more than
//! another: then it is dealt to the one with the fewest, and stays there. That keeps its state on one core, and needs
//! neither SO_REUSEPORT, whose queues are lost when a socket closes, nor a wake-up of every thread for every new connection.
//! The order of the loop: wait, read what is ready, keep by one write what all those beats have changed, answer them, take
//! orders, and once a second look for whose time is up.

mod accept;
mod connection;
mod connection_io;
mod give_up;
mod handle;
mod http;
mod parked;
mod proxy_preamble;
mod scratch;
mod tcp;
mod tls_handshake;
mod ws;

use crate::domain::limits::STOP_MAX;
use crate::domain::policy::Policy;
use crate::domain::time::Mono;
use crate::engine::stats::Turned;
use crate::engine::{Engine, Refused};
use crate::sys::clock;
use crate::sys::parked::ParkedConnection;
use crate::transport::http_worker::HttpWorker;
use crate::transport::listener::Listener;
use connection::Connection;
pub use connection::HandoffProtocol;
use give_up::give_up;
pub use handle::{ReactorCommand, ReactorHandle, ReactorParts, ReactorRef, prepare};
use handle::{ReactorGauge, WAKER};
use mio::{Events, Interest, Poll, Token};
pub use parked::{ResumableConnection, own_monitor, unpark};
use scratch::{Action, NEVER, Scratch, TurnContext};
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// Readiness events fetched at once.
const EVENTS_MAX: usize = 256;
/// Connections let in through one listener before others are served.
const ACCEPTS_MAX: usize = 64;
/// Connections that a reactor may have more than the one with the fewest, besides half as many again, before it deals
/// new connections out: a hand-over costs more than a little imbalance, and reactors in step displace each other more often.
const LOAD_SLACK: usize = 16;
/// Connections let in through a listener that is about to close.
const LAST_ACCEPTS_MAX: usize = 65_536;

const FIRST_LISTENER: usize = usize::MAX / 2;

/// A reactor's thread.
pub struct Reactor {
    here: usize,
    reactors: Arc<[ReactorHandle]>,
    worker: Arc<HttpWorker>,
    engine: Arc<Engine>,
    poll: Poll,
    outlet: Receiver<ReactorCommand>,
    gauge: Arc<ReactorGauge>,
    listeners: Vec<Listener>,
    connections: Slab<Connection>,
    /// Connections with more to read than their turn allowed.
    again: Vec<usize>,
    /// Listeners behind which more people wait than one turn lets in.
    accept_pending: Vec<usize>,
    /// Listeners behind which people wait for whom the system had no room.
    accept_paused: Vec<usize>,
    scratch: Scratch,
    /// Connections whose answers wait in the scratch, how many each, and whether to come back to it.
    awaiting_commit: Vec<(usize, usize, bool)>,
    /// Connections to look at when nothing more has come for a moment, and when that is, in milliseconds of the thread.
    quiets: VecDeque<(u64, usize)>,
    began: Mono,
    swept_s: u32,
    draining_since_s: Option<u32>,
    makes_room: bool,
    /// The policy by which all its connections have been judged.
    judged_by: Arc<Policy>,
}

impl Reactor {
    /// The reactor number `here` of `reactors`, which hands over to `general`.
    pub fn new(
        here: usize,
        prepared: ReactorParts,
        reactors: Arc<[ReactorHandle]>,
        worker: Arc<HttpWorker>,
        engine: Arc<Engine>,
    ) -> Reactor {
        let judged_by = Arc::clone(&engine.policy());
        Reactor {
            here,
            reactors,
            worker,
            engine,
            poll: prepared.poll,
            outlet: prepared.outlet,
            gauge: prepared.gauge,
            listeners: Vec::new(),
            connections: Slab::new(),
            again: Vec::new(),
            accept_pending: Vec::new(),
            accept_paused: Vec::new(),
            scratch: Scratch::new(),
            awaiting_commit: Vec::new(),
            quiets: VecDeque::new(),
            began: clock::mono(),
            swept_s: 0,
            draining_since_s: None,
            makes_room: false,
            judged_by,
        }
    }

    /// The loop. Ends after [`ReactorCommand::Drain`].
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let engine = self.engine.clone();
        loop {
            let idle = self.again.is_empty() && self.accept_pending.is_empty();
            let pause = if idle { self.pause() } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(pause)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Its connections would hang, and nobody could tell why: whoever watches the daemon starts it anew.
                Err(error) => give_up(&engine, &error),
                Ok(()) => {}
            }
            // One policy and one reading of the clocks for all that is ready now.
            let policy = engine.policy();
            let turn = self.turn_context(&policy);
            engine.stats().busy(turn.now.mono);
            for key in std::mem::take(&mut self.again) {
                self.turn(key, &turn);
            }
            for listener in std::mem::take(&mut self.accept_pending) {
                self.accept(listener, ACCEPTS_MAX, &turn);
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(listener) if listener >= FIRST_LISTENER => {
                        self.accept(listener - FIRST_LISTENER, ACCEPTS_MAX, &turn)
                    }
                    Token(key) => {
                        let connection = self.connections.get_mut(key).filter(|_| event.is_read_closed());
                        connection.into_iter().for_each(|c| c.io_mut().read_closed = true);
                        self.turn(key, &turn);
                    }
                }
            }
            self.look_for_quiet(&turn);
            self.commit_and_answer(&turn);
            // Looking costs less than remembering whether the waker rang, and serves where it could not ring.
            let go_on = self.run_commands(&turn);
            self.commit_and_answer(&turn);
            self.sweep(&turn);
            self.commit_and_answer(&turn);
            if !Arc::ptr_eq(&self.judged_by, &policy) {
                self.judged_by = Arc::clone(&policy);
                self.judge_all(&turn);
                self.commit_and_answer(&turn);
            }
            if self.makes_room {
                let parting = self.connections.iter().filter(|(_, c)| !parked::can_park(c)).count();
                self.gauge.parting.store(parting, Ordering::Release);
                self.gauge.makes_room.store(true, Ordering::Release);
            }
            engine.stats().idle();
            if !go_on || self.is_done() {
                return;
            }
        }
    }

    /// How long there is nothing to do if nothing comes. Deadlines are in whole seconds of this thread, so at the beginning
    /// of each one looks for whose time is up.
    fn pause(&self) -> Duration {
        let now_ms = clock::mono().since(self.began).0;
        let until_second = 1000 - now_ms % 1000;
        let until_quiet = self.quiets.front().map(|(at_ms, _)| at_ms.saturating_sub(now_ms));
        Duration::from_millis(until_quiet.unwrap_or(u64::MAX).min(until_second))
    }

    fn turn_context<'a>(&self, policy: &'a Policy) -> TurnContext<'a> {
        let now = clock::now();
        let now_ms = now.mono.since(self.began).0;
        let now_s = (now_ms / 1000) as u32;
        let (draining, next_follows) = (self.draining_since_s.is_some(), self.makes_room);
        TurnContext { policy, now, now_ms, now_s, draining, next_follows }
    }

    /// False when there is nobody left to give orders, or nothing more to do.
    fn run_commands(&mut self, turn: &TurnContext<'_>) -> bool {
        loop {
            match self.outlet.try_recv() {
                Ok(ReactorCommand::Open(listener)) => self.open(listener, turn),
                Ok(ReactorCommand::Serve(stream, peer, context, permit)) => {
                    self.begin(stream, peer, context, permit, turn)
                }
                Ok(ReactorCommand::TakeBack(handoff, role)) => {
                    self.admit(Connection::returned(*handoff, role, turn), turn);
                }
                Ok(ReactorCommand::Resume(returning)) => {
                    for returning in returning {
                        let own = returning.own_monitor();
                        match (Connection::resumed(returning, turn), own) {
                            (Some(connection), _) => self.admit(connection, turn),
                            (None, Some(own)) => {
                                self.engine.depart(turn.now, own.as_ref(), false, &mut self.scratch.pending);
                            }
                            (None, None) => {}
                        }
                    }
                }
                Ok(ReactorCommand::MakeRoom) => self.make_room(turn),
                Ok(ReactorCommand::Park(lot)) => {
                    self.park(&lot, turn);
                    return false;
                }
                Ok(ReactorCommand::CloseListeners) => {
                    if !self.makes_room {
                        for listener in 0..self.listeners.len() {
                            self.accept(listener, LAST_ACCEPTS_MAX, turn);
                        }
                    }
                    self.listeners.clear();
                    self.gauge.listeners.store(0, Ordering::Release);
                }
                Ok(ReactorCommand::Drain) => {
                    self.draining_since_s = Some(turn.now_s);
                    self.drain(|_| true, &TurnContext { draining: true, ..*turn });
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Lets those connections go that have nothing in their sockets; what lies there has arrived, and is answered first.
    fn drain(&mut self, which: impl Fn(&Connection) -> bool, turn: &TurnContext<'_>) {
        let keys: Vec<usize> =
            self.connections.iter().filter(|(_, c)| which(c)).map(|(key, _)| key).collect();
        for key in &keys {
            self.turn(*key, turn);
        }
        self.commit_and_answer(turn);
        for key in keys {
            if self.connections.get(key).is_some_and(|c| which(c) && c.is_idle()) {
                self.end(key, turn);
            }
        }
    }

    /// Begins to make room for the next process. Listeners stay open and beats are taken as ever, so that nobody waits for
    /// those that take their time to end.
    fn make_room(&mut self, turn: &TurnContext<'_>) {
        for listener in 0..self.listeners.len() {
            // Whoever waits where nothing can be left to the next process is still let in.
            if self.listeners.get(listener).is_some_and(|listener| !listener.context.hands_over()) {
                self.accept(listener, LAST_ACCEPTS_MAX, turn);
            }
        }
        self.drain(|c| !parked::can_park(c), &TurnContext { draining: true, next_follows: true, ..*turn });
        self.makes_room = true;
    }

    /// Leaves all connections to the next process. What was read of them is answered, what lies in their sockets stays
    /// there, and so do those who wait at the listeners.
    fn park(&mut self, lot: &Sender<ParkedConnection>, turn: &TurnContext<'_>) {
        // Some came to this reactor only a moment ago, and what they said is not answered yet.
        self.commit_and_answer(turn);
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            if self.connections.get(key).is_some_and(|c| !parked::can_park(c)) {
                self.end(key, turn);
                continue;
            }
            let Some(mut connection) = self.take(key) else { continue };
            // It can only fail where it was deregistered before.
            let _ = self.poll.registry().deregister(connection.source());
            // Nobody is there to hear it only when the daemon has given up waiting.
            parked::park(connection).into_iter().for_each(|parked| drop(lot.send(parked)));
        }
    }

    /// Has everybody whom another policy let in judged by the one in force.
    fn judge_all(&mut self, turn: &TurnContext<'_>) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.judge(key, true, turn));
    }

    fn judge(&mut self, key: usize, changed: bool, turn: &TurnContext<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let turn = &for_one(connection, turn);
        let next = connection.judge(changed, turn);
        self.apply(key, next, turn);
    }

    fn admit(&mut self, connection: Connection, turn: &TurnContext<'_>) {
        let may_stay = connection.may_stay();
        self.engine.stats().connection(connection.transport(), 1);
        self.gauge.connections.fetch_add(1, Ordering::Relaxed);
        let key = self.connections.insert(connection);
        let registered = self.connections.get_mut(key).is_some_and(|connection| {
            self.poll.registry().register(connection.source(), Token(key), Interest::READABLE).is_ok()
        });
        // Whoever let it in, another thread or the process before us, may have done so under another policy.
        self.judge(key, false, turn);
        match (registered, may_stay) {
            (false, _) => self.end(key, turn),
            (true, false) => self.hand_over(key),
            // A client usually has sent its request by the time it is let in.
            (true, true) => self.turn(key, turn),
        }
    }

    /// Has a connection that has said whose it is, or shaken hands, begin what it is for.
    fn start_protocol(&mut self, key: usize, turn: &TurnContext<'_>) {
        let io = match self.connections.try_remove(key) {
            Some(Connection::TlsHandshake(handshake)) => handshake.io,
            Some(Connection::ProxyPreamble(preamble)) => {
                let transport = Connection::transport_of(&preamble.io);
                match self.announced(preamble.io, turn) {
                    Some(io) => io,
                    None => {
                        self.engine.stats().connection(transport, -1);
                        self.gauge.connections.fetch_sub(1, Ordering::Relaxed);
                        return;
                    }
                }
            }
            _ => return,
        };
        let mut connection = Connection::new(io, turn);
        let may_stay = connection.may_stay();
        // The place that was given back last is the next one to be taken; if it were not, the loop would have to know.
        let permit = self.connections.vacant_key();
        let known = permit == key
            || self
                .poll
                .registry()
                .reregister(connection.source(), Token(permit), Interest::READABLE)
                .is_ok();
        self.connections.insert(connection);
        self.judge(permit, false, turn);
        match (known, may_stay) {
            (false, _) => self.end(permit, turn),
            (true, false) => self.hand_over(permit),
            (true, true) => self.turn(permit, turn),
        }
    }

    fn turn(&mut self, key: usize, turn: &TurnContext<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        // One thing after the other: its last beats are not answered yet.
        if connection.io().awaits_answers {
            return self.again.push(key);
        }
        let turn = &for_one(connection, turn);
        let next = connection.turn(&mut self.scratch, turn);
        self.quiets.extend(connection.note_quiet().map(|at_ms| (at_ms, key)));
        self.apply(key, next, turn);
    }

    /// Whoever has sent nothing more for a moment has sent something whole. What came meanwhile has been read before.
    fn look_for_quiet(&mut self, turn: &TurnContext<'_>) {
        while self.quiets.front().is_some_and(|(at_ms, _)| *at_ms <= turn.now_ms) {
            let Some((_, key)) = self.quiets.pop_front() else { return };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.io().awaits_answers {
                // One thing after the other; then it is looked at again.
                self.quiets.push_back((turn.now_ms + 1, key));
                continue;
            }
            let turn = &for_one(connection, turn);
            let next = connection.look_for_quiet(&mut self.scratch, turn);
            self.quiets.extend(connection.note_quiet().map(|at_ms| (at_ms, key)));
            self.apply(key, next, turn);
        }
    }

    /// Keeps what the beats of this turn have changed, by one write, and then answers them.
    fn commit_and_answer(&mut self, turn: &TurnContext<'_>) {
        if self.awaiting_commit.is_empty() && self.scratch.pending.is_empty() {
            return;
        }
        if self.engine.commit(turn.now.wall, &mut self.scratch.pending).is_err() {
            let refuse = self.engine.refuses_unstored();
            for answer in &mut self.scratch.answers {
                self.engine.stats().unstored(answer.acknowledges());
                answer.not_stored(refuse);
            }
        }
        let mut awaiting_commit = std::mem::take(&mut self.awaiting_commit);
        let mut answered = 0;
        for (key, count, again) in awaiting_commit.drain(..) {
            let range = answered..answered + count;
            answered = range.end;
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let turn = &for_one(connection, turn);
            let next = connection.answer(&mut self.scratch, range, turn);
            let go_on = again && next == Action::Wait && connection.reads_on();
            self.apply(key, next, turn);
            if go_on {
                self.again.push(key);
            }
        }
        self.scratch.answers.clear();
        self.awaiting_commit = awaiting_commit;
    }

    fn apply(&mut self, key: usize, next: Action, turn: &TurnContext<'_>) {
        if matches!(next, Action::Wait | Action::Again | Action::Answers(..) | Action::HandOver) {
            let Some(connection) = self.connections.get_mut(key) else { return };
            if let Err(why) = connection.account(turn.policy.limits.memory) {
                return self.shed(key, why, turn);
            }
        }
        match next {
            Action::Close => self.end(key, turn),
            Action::HandOver => self.hand_over(key),
            Action::Begin => self.start_protocol(key, turn),
            Action::Again => self.again.push(key),
            Action::Answers(count, again) => self.awaiting_commit.push((key, count, again)),
            Action::Wait => {
                let Some(connection) = self.connections.get_mut(key) else { return };
                let blocked = connection.is_blocked();
                if blocked == connection.io().awaits_write {
                    return;
                }
                connection.io_mut().awaits_write = blocked;
                let interest =
                    if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
                if self.poll.registry().reregister(connection.source(), Token(key), interest).is_err() {
                    self.end(key, turn);
                }
            }
        }
    }

    /// Ends a connection for which there is no room, and says so.
    fn shed(&mut self, key: usize, why: Turned, turn: &TurnContext<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        self.engine.stats().turned(why);
        if let Some(host) = connection.io().permit.held.shed_host() {
            self.engine.note_refused(turn.now, Refused::Memory, host);
        }
        connection.shed(why);
        self.end(key, turn);
    }

    fn hand_over(&mut self, key: usize) {
        if self.makes_room {
            // The next process will hand it over to threads of its own.
            if let Some(connection) = self.connections.get_mut(key).filter(|c| parked::can_park(c)) {
                let _ = self.poll.registry().deregister(connection.source());
                connection.io_mut().due_s = NEVER;
                return;
            }
        }
        let Some(mut connection) = self.take(key) else { return };
        // Deregistering can only fail where the socket is broken, which hyper will find.
        let _ = self.poll.registry().deregister(connection.source());
        let origin = ReactorRef { reactors: self.reactors.clone(), here: self.here };
        let Some(handoff) = connection.into_guest(origin) else { return };
        if self.worker.serve(Box::new(handoff)).is_err() {
            self.engine.stats().turned(Turned::Total);
        }
    }

    fn end(&mut self, key: usize, turn: &TurnContext<'_>) {
        // Closing the socket takes it out of the loop.
        if let Some(mut connection) = self.take(key) {
            connection.part(&mut self.scratch.pending, turn);
            connection.io_mut().stream.take_leave();
        }
    }

    fn take(&mut self, key: usize) -> Option<Connection> {
        let connection = self.connections.try_remove(key)?;
        self.engine.stats().connection(connection.transport(), -1);
        self.gauge.connections.fetch_sub(1, Ordering::Relaxed);
        Some(connection)
    }

    /// Once a second: whose time is up, who holds most where there is no room left, and who waits at a listener that had none.
    fn sweep(&mut self, turn: &TurnContext<'_>) {
        if turn.now_s == self.swept_s {
            return;
        }
        self.swept_s = turn.now_s;
        self.gauge.pulse.fetch_add(1, Ordering::Relaxed);
        let is_due = |c: &Connection| c.is_due(turn.now_s);
        let holds_most = |c: &Connection| c.io().permit.held.shed_host().is_some();
        let found = self.connections.iter().filter(|(_, c)| is_due(c) || holds_most(c));
        let found: Vec<usize> = found.map(|(key, _)| key).collect();
        for key in found {
            if let Some(connection) = self.connections.get_mut(key).filter(|c| is_due(c)) {
                let next = connection.time_out(turn);
                self.apply(key, next, turn);
            }
            if self.connections.get(key).is_some_and(holds_most) {
                self.shed(key, Turned::Shed, turn);
            }
        }
        for listener in std::mem::take(&mut self.accept_paused) {
            self.accept(listener, ACCEPTS_MAX, turn);
        }
    }

    /// Whether a draining reactor has nothing left to do, or no time left to do it.
    fn is_done(&self) -> bool {
        self.draining_since_s.is_some_and(|since_s| {
            self.connections.is_empty()
                || u64::from(self.swept_s.saturating_sub(since_s)) * 1000 >= STOP_MAX.0
        })
    }
}

/// The circumstances for one connection: while room is made for a next process, those stop that cannot be left to it.
fn for_one<'a>(connection: &Connection, turn: &TurnContext<'a>) -> TurnContext<'a> {
    let draining = turn.draining || (turn.next_follows && !parked::can_park(connection));
    TurnContext { draining, ..*turn }
}

fn note(listeners: &mut Vec<usize>, number: usize) {
    if !listeners.contains(&number) {
        listeners.push(number);
    }
}
