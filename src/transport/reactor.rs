//! The reactor: a thread that owns listeners and connections in a bare readiness loop and answers plain beats.
//!
//! It is a loop of its own and not tasks of a runtime because that is what a beat costs: at this load a task to wake,
//! schedule and poll for every request takes as much time as everything we do with the beat, and twelve times the
//! memory while idle. Whatever needs more than "read a beat, answer it" is handed to an HTTP worker.
//!
//! A connection is accepted by the thread that has its listener and stays there, unless that one has many more than
//! another: then it is given to the one with the fewest, and stays there. That keeps its state on one core, and needs
//! neither SO_REUSEPORT, whose queues are lost when a socket closes, nor a wake-up of every thread for every connection.
//!
//! The order of a cycle: read what is ready, put by one write on record what all those beats have changed, answer them,
//! take commands, and once a second look which deadlines have passed.

mod accept;
mod connection;
mod drive;
mod give_up;
mod host;
#[cfg(test)]
mod parked_tests;
mod proxy_preamble;
mod scratch;
#[cfg(test)]
mod simulation;
mod slots;
mod tls_handshake;

use crate::domain::limits::STOP_MAX;
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now};
use crate::engine::Engine;
use crate::sys::clock;
use crate::sys::parked::ParkedConnection;
use crate::transport::conversation::{EndReason, TurnContext};
use crate::transport::handoff::{ReactorCommand, ReactorGauge, ReactorHandle, ReactorParts, WAKER};
use crate::transport::http_worker::HttpWorker;
use crate::transport::listener::Listener;
use connection::Connection;
use give_up::give_up;
use mio::{Events, Poll, Token};
use scratch::Scratch;
use slots::Slots;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

/// Readiness events fetched at once.
const EVENTS_MAX: usize = 256;
/// Connections accepted at one listener before others are served.
const ACCEPTS_MAX: usize = 64;
/// Connections accepted at a listener that is about to close.
const LAST_ACCEPTS_MAX: usize = 65_536;
/// The token of the first listener; below it are connections.
const FIRST_LISTENER: usize = usize::MAX / 2;

/// A reactor.
pub struct Reactor {
    /// Which one of `reactors` it is.
    index: usize,
    reactors: Arc<[ReactorHandle]>,
    worker: Arc<HttpWorker>,
    engine: Arc<Engine>,
    poll: Poll,
    commands: Receiver<ReactorCommand>,
    gauge: Arc<ReactorGauge>,
    listeners: Vec<Listener>,
    slots: Slots,
    /// Connections with more to read than their turn allowed.
    again: Vec<usize>,
    /// Listeners whose backlog holds more connections than one turn accepts.
    accept_pending: Vec<usize>,
    /// Listeners at which accept failed for want of descriptors or memory.
    accept_paused: Vec<usize>,
    scratch: Scratch,
    /// Connections to look at when nothing more has come, and when that is, in milliseconds of the thread.
    quiets: VecDeque<(u64, usize)>,
    began: Mono,
    swept_s: u32,
    lifecycle: Lifecycle,
    /// The policy by which all its connections have been judged.
    judged_by: Arc<Policy>,
}

/// Where in its life a reactor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifecycle {
    /// It serves.
    Serving,
    /// It serves, but for connections that cannot be parked for the next process.
    MakingRoom,
    /// It ends once its connections have.
    Draining { since_s: u32 },
}

impl Reactor {
    /// The reactor number `index` of `reactors`, which hands over to `worker`.
    pub fn new(
        index: usize,
        parts: ReactorParts,
        reactors: Arc<[ReactorHandle]>,
        worker: Arc<HttpWorker>,
        engine: Arc<Engine>,
        began: Mono,
    ) -> Reactor {
        let judged_by = Arc::clone(&engine.policy());
        Reactor {
            index,
            reactors,
            worker,
            engine,
            poll: parts.poll,
            commands: parts.commands,
            gauge: parts.gauge,
            listeners: Vec::new(),
            slots: Slots::default(),
            again: Vec::new(),
            accept_pending: Vec::new(),
            accept_paused: Vec::new(),
            scratch: Scratch::new(),
            quiets: VecDeque::new(),
            began,
            swept_s: 0,
            lifecycle: Lifecycle::Serving,
            judged_by,
        }
    }

    /// The loop. Ends after [`ReactorCommand::Drain`] or [`ReactorCommand::Park`].
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let pause = self.pause(clock::mono());
            match self.poll.poll(&mut events, Some(pause)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The connections would hang with nothing in the log: the service manager starts the daemon anew.
                Err(error) => give_up(&self.engine, &error),
                Ok(()) => {}
            }
            if !self.cycle(&events, clock::now()) {
                return;
            }
        }
    }

    /// How long there is nothing to do if nothing comes. Deadlines are in whole seconds of this thread, so at the beginning
    /// of each one it looks which have passed.
    fn pause(&self, now: Mono) -> Duration {
        if !self.again.is_empty() || !self.accept_pending.is_empty() {
            return Duration::ZERO;
        }
        let now_ms = now.since(self.began).0;
        let until_second = 1000 - now_ms % 1000;
        let until_quiet = self.quiets.front().map(|(at_ms, _)| at_ms.saturating_sub(now_ms));
        Duration::from_millis(until_quiet.unwrap_or(u64::MAX).min(until_second))
    }

    /// Does what there is to do; one policy and one reading of the clocks hold for all of it. False when the reactor ends.
    fn cycle(&mut self, events: &Events, now: Now) -> bool {
        let engine = self.engine.clone();
        let policy = engine.policy();
        let turn = TurnContext {
            policy: &policy,
            now,
            now_ms: now.mono.since(self.began).0,
            ending: self.lifecycle.ending(),
        };
        engine.stats().busy(now.mono);
        // First: what a denied client has sent by now is not taken any more.
        if self.judged_by.generation != policy.generation {
            self.judged_by = Arc::clone(&policy);
            self.slots.keys(|_| true).into_iter().for_each(|key| self.judge(key, true, &turn));
        }
        for key in std::mem::take(&mut self.again) {
            self.turn(key, &turn);
        }
        for number in std::mem::take(&mut self.accept_pending) {
            self.accept(number, ACCEPTS_MAX, &turn);
        }
        for event in events {
            match event.token() {
                WAKER => {}
                Token(token) if token >= FIRST_LISTENER => {
                    self.accept(token - FIRST_LISTENER, ACCEPTS_MAX, &turn);
                }
                Token(key) => {
                    if event.is_read_closed() {
                        self.slots.note_read_closed(key);
                    }
                    self.turn(key, &turn);
                }
            }
        }
        self.end_quiets(&turn);
        self.commit_and_answer(&turn);
        // Looking costs less than remembering whether the waker rang, and serves where it could not ring.
        let goes_on = self.run_commands(&turn);
        self.commit_and_answer(&turn);
        self.sweep(&turn);
        self.commit_and_answer(&turn);
        if self.lifecycle == Lifecycle::MakingRoom {
            let parting = self.slots.iter().filter(|(_, connection)| !connection.can_park()).count();
            self.gauge.parting.store(parting, Ordering::Release);
            self.gauge.makes_room.store(true, Ordering::Release);
        }
        engine.stats().idle();
        goes_on && !self.is_done()
    }

    /// False when no command can come any more, or nothing is left to do.
    fn run_commands(&mut self, turn: &TurnContext<'_>) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(ReactorCommand::Open(listener)) => self.open(listener, turn),
                Ok(ReactorCommand::Serve(io)) => self.begin(io, turn),
                Ok(ReactorCommand::TakeBack(handoff, protocol)) => {
                    let output = &mut self.scratch.turn;
                    let connection = Connection::taken_back(*handoff, protocol, turn, output);
                    self.admit(connection, turn);
                }
                Ok(ReactorCommand::Resume(parked)) => {
                    for parked in parked {
                        let own = parked.state.own_monitor();
                        let output = &mut self.scratch.turn;
                        match (Connection::resume(parked, turn, output), own) {
                            (Some(connection), _) => self.admit(connection, turn),
                            (None, Some(own)) => {
                                self.engine.depart(turn.now, own.as_ref(), false, &mut output.pending);
                            }
                            (None, None) => {}
                        }
                    }
                }
                Ok(ReactorCommand::MakeRoom) => self.make_room(turn),
                Ok(ReactorCommand::Park(parked)) => {
                    self.park(&parked, turn);
                    return false;
                }
                Ok(ReactorCommand::CloseListeners) => {
                    if self.lifecycle != Lifecycle::MakingRoom {
                        (0..self.listeners.len()).for_each(|it| self.accept(it, LAST_ACCEPTS_MAX, turn));
                    }
                    self.listeners.clear();
                    self.gauge.listeners.store(0, Ordering::Release);
                }
                Ok(ReactorCommand::Drain) => {
                    self.lifecycle = Lifecycle::Draining { since_s: turn.now_s() };
                    self.drain(|_| true, turn);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Ends those connections that have nothing in their sockets; what lies there has arrived, and is answered first.
    fn drain(&mut self, which: impl Fn(&Connection) -> bool, turn: &TurnContext<'_>) {
        let turn = &TurnContext { ending: self.lifecycle.ending(), ..*turn };
        let keys = self.slots.keys(&which);
        keys.iter().for_each(|key| self.turn(*key, turn));
        self.commit_and_answer(turn);
        for key in keys {
            if self.slots.open(key).is_some_and(|connection| which(connection) && connection.is_idle()) {
                self.end(key, turn);
            }
        }
    }

    /// Begins to make room for the next process. Listeners stay open and beats are taken as ever, so that no client waits
    /// for connections that take their time to end.
    fn make_room(&mut self, turn: &TurnContext<'_>) {
        for number in 0..self.listeners.len() {
            // What waits in a backlog that the next process does not get is accepted now.
            if self.listeners.get(number).is_some_and(|listener| !listener.context.hands_over()) {
                self.accept(number, LAST_ACCEPTS_MAX, turn);
            }
        }
        self.lifecycle = Lifecycle::MakingRoom;
        self.drain(|connection| !connection.can_park(), turn);
    }

    /// Leaves all connections to the next process. What was read of them is answered; what lies in their sockets stays
    /// there, and so do the backlogs.
    fn park(&mut self, parked: &Sender<ParkedConnection>, turn: &TurnContext<'_>) {
        // Some came to this reactor only in this cycle.
        self.commit_and_answer(turn);
        self.slots.keys(|connection| !connection.can_park()).into_iter().for_each(|key| self.end(key, turn));
        for key in self.slots.keys(|_| true) {
            let Some(mut connection) = self.remove(key) else { continue };
            // It can only fail where it was deregistered before.
            let _ = self.poll.registry().deregister(connection.io.stream.source());
            // The other end is gone only when the daemon has given up waiting.
            connection.park().into_iter().for_each(|connection| drop(parked.send(connection)));
        }
    }

    /// Whether a draining reactor has nothing left to do, or no time left to do it.
    fn is_done(&self) -> bool {
        let Lifecycle::Draining { since_s } = self.lifecycle else { return false };
        self.slots.is_empty() || u64::from(self.swept_s.saturating_sub(since_s)) * 1000 >= STOP_MAX.0
    }
}

impl Lifecycle {
    /// Why connections are ended.
    fn ending(self) -> Option<EndReason> {
        match self {
            Lifecycle::Serving => None,
            Lifecycle::MakingRoom => Some(EndReason::Restart),
            Lifecycle::Draining { .. } => Some(EndReason::Stop),
        }
    }
}

fn note(listeners: &mut Vec<usize>, number: usize) {
    if !listeners.contains(&number) {
        listeners.push(number);
    }
}
