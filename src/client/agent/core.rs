//! What the agent decides: when a beat is due, what is kept and sent again, when the server is dead and when it is back.
//!
//! A state machine without a clock or a socket: events and the time in, commands out. The loop around it carries them out
//! and comes back at [`AgentCore::next_wakeup`]. All connections are of one of two kinds. On an *answered*
//! one beats are kept until the server has settled them, at most one batch under way; on a *bare* one, of the dialects
//! pong, hello and frame, there is nothing to keep, only signs of life.
//!
//! The server is dead when something has waited for an answer for the whole timeout, with or without a connection. Every
//! answer restarts the wait. A server that is back within the timeout is never reported.

use super::event::{AgentCommand, AgentEvent, AgentPlan, AgentReport, AgentStatus, ExchangeMode, KeptBeat};
use crate::client::channel::{BatchOutcome, DeliveryError};
use crate::client::error::ClientError;
use crate::client::rng::Rng;
use crate::domain::limits::{INTERVAL_MAX, INTERVAL_MIN};
use crate::domain::time::{Mono, Now, Span};
use std::collections::VecDeque;

/// Beats that are kept while they cannot be delivered.
pub const KEPT_MAX: usize = 10_000;
/// The first pause before a connection is made again, at most, and the longest one.
const PAUSE_FIRST: Span = Span::secs(1);
const PAUSE_MAX: Span = Span::secs(60);
/// A beat goes at most this many hundredths of the interval before its time, never after it.
const JITTER_PERCENT: u64 = 10;
/// How long a server that asks for a pause is left alone at most.
const HOLD_MAX: Span = Span::secs(600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionState {
    /// None, and none wanted before something is due.
    Down,
    /// None until then.
    Pausing(Mono),
    /// Being made.
    Making,
    Up,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerHealth {
    Unknown,
    Alive,
    Dead { since: Mono },
}

/// The machine.
#[derive(Debug)]
pub struct AgentCore {
    plan: AgentPlan,
    rng: Rng,
    commands: VecDeque<AgentCommand>,
    connection: ConnectionState,
    /// The kind of exchange on this connection.
    mode: ExchangeMode,
    health: ServerHealth,
    /// Since when an answer is awaited.
    waiting: Option<Mono>,
    last_answer: Option<Mono>,
    last_reason: Option<ClientError>,
    /// Attempts since the last answer.
    attempts: u32,
    due: Mono,
    last_due: Mono,
    asked: Option<Span>,
    kept: VecDeque<KeptBeat>,
    /// How many at the front are under way.
    under_way: usize,
    seq: u64,
    /// Nothing is sent before this time.
    hold: Option<Mono>,
    /// Most beats in the next batch; halved after one that failed.
    batch: usize,
    dropped: u64,
    dropped_told: u64,
    /// The refusal in force, so that it is reported once.
    refused: Option<ClientError>,
    told_interval: Span,
    told_too_seldom: bool,
    /// The longest interval that was reported as too long.
    told_too_long: Option<Span>,
}

impl AgentCore {
    /// At the beginning: the first beat is due at once.
    pub fn new(now: Now, plan: AgentPlan, rng: Rng) -> AgentCore {
        let connection = if plan.mode == ExchangeMode::Asking {
            ConnectionState::Down
        } else {
            ConnectionState::Pausing(now.mono)
        };
        AgentCore {
            plan,
            rng,
            commands: VecDeque::new(),
            connection,
            mode: plan.mode,
            health: ServerHealth::Unknown,
            waiting: (plan.mode == ExchangeMode::Pong).then_some(now.mono),
            last_answer: None,
            last_reason: None,
            attempts: 0,
            due: now.mono,
            last_due: now.mono,
            asked: None,
            kept: VecDeque::new(),
            under_way: 0,
            seq: 0,
            hold: None,
            batch: plan.batch_max,
            dropped: 0,
            dropped_told: 0,
            refused: None,
            told_interval: plan.every,
            told_too_seldom: false,
            told_too_long: None,
        }
    }

    /// Takes another plan, as after a reload; kept beats stay, the connection is closed.
    pub fn replan(&mut self, now: Now, plan: AgentPlan) {
        self.hang_up();
        let fresh = AgentCore::new(now, plan, self.rng.clone());
        let old = std::mem::replace(self, fresh);
        self.commands = old.commands;
        self.seq = old.seq;
        self.kept = old.kept;
        (self.dropped, self.dropped_told) = (old.dropped, old.dropped_told);
        self.health = old.health;
        self.last_answer = old.last_answer;
        // The wait for an answer restarts: the server may be another one now.
        self.waiting = self.waiting.or((!self.kept.is_empty()).then_some(now.mono));
    }

    /// The next command.
    pub fn next_command(&mut self) -> Option<AgentCommand> {
        self.commands.pop_front()
    }

    /// When to call [`AgentCore::run_due`] at the latest.
    pub fn next_wakeup(&self) -> Mono {
        let next_pause = match self.connection {
            ConnectionState::Pausing(until) => Some(until),
            _ => None,
        };
        let due = (self.mode != ExchangeMode::Pong).then_some(self.due);
        let hold = self.hold.filter(|_| !self.kept.is_empty() && self.under_way == 0);
        [due, next_pause, hold, self.death_deadline()].into_iter().flatten().min().unwrap_or(self.due)
    }

    /// The state for the status line.
    pub fn status(&self, now: Mono) -> AgentStatus {
        AgentStatus {
            alive: match self.health {
                ServerHealth::Unknown => None,
                ServerHealth::Alive => Some(true),
                ServerHealth::Dead { .. } => Some(false),
            },
            answered: self.last_answer.map(|at| now.since(at)),
            kept: self.kept.len(),
            dropped: self.dropped,
            interval: self.interval(),
        }
    }

    /// Handles an event.
    pub fn handle(&mut self, now: Now, event: AgentEvent) {
        match event {
            AgentEvent::Connected => self.connected(now.mono),
            AgentEvent::Lost(failure) => self.lost(now.mono, failure),
            AgentEvent::Delivered(delivery) => self.delivered(now.mono, delivery),
            AgentEvent::Heard => self.answered(now.mono),
            AgentEvent::Pings => self.turn_to_pong(now.mono),
            AgentEvent::Woke => {
                // The peer and every NAT between have dropped the connection.
                self.hang_up();
                self.waiting = None;
                self.attempts = 0;
                self.due = now.mono;
                self.connection = ConnectionState::Pausing(now.mono);
            }
        }
        self.run_due(now);
    }

    /// Does what is due.
    pub fn run_due(&mut self, now: Now) {
        if self.due <= now.mono && self.mode != ExchangeMode::Pong {
            self.beat(now);
        }
        if self.death_deadline().is_some_and(|at| at <= now.mono) {
            self.declare_dead(now.mono);
        }
        if matches!(self.connection, ConnectionState::Pausing(until) if until <= now.mono) {
            self.connect();
        }
        if self.hold.is_some_and(|until| until <= now.mono) {
            self.hold = None;
            self.waiting = self.waiting.map(|_| now.mono);
        }
        self.deliver();
    }

    /// A beat is due.
    fn beat(&mut self, now: Now) {
        self.last_due = now.mono;
        self.schedule();
        match self.mode {
            ExchangeMode::Asking | ExchangeMode::Holding => {
                self.seq += 1;
                if self.kept.len() >= KEPT_MAX {
                    // What is under way may be settled any moment; the oldest behind it goes.
                    self.kept.remove(self.under_way);
                    self.dropped += 1;
                }
                self.kept.push_back(KeptBeat { seq: self.seq, at: now.wall });
            }
            ExchangeMode::Hello | ExchangeMode::Frame if self.connection == ConnectionState::Up => {
                self.commands.push_back(AgentCommand::Speak);
                self.attempts = 0;
            }
            _ => {}
        }
        if self.mode != ExchangeMode::Frame || self.connection != ConnectionState::Up {
            self.waiting = self.waiting.or(Some(now.mono));
        }
        if self.connection == ConnectionState::Down {
            self.connect();
        }
    }

    /// The next beat is an interval after the last, or a little earlier: never later, and not all at once.
    fn schedule(&mut self) {
        let interval = self.interval().0;
        let early = self.rng.below(interval * JITTER_PERCENT / 100 + 1);
        self.due = self.last_due.after(Span(interval - early));
    }

    /// The interval that the server asks for, within `every` and `interval_max`.
    fn interval(&self) -> Span {
        self.asked.map_or(self.plan.every, |asked| asked.min(self.plan.interval_max).max(self.plan.every))
    }

    fn connect(&mut self) {
        self.connection = ConnectionState::Making;
        self.mode = self.plan.mode;
        self.commands.push_back(AgentCommand::Connect);
    }

    fn hang_up(&mut self) {
        if matches!(self.connection, ConnectionState::Up | ConnectionState::Making) {
            self.commands.push_back(AgentCommand::HangUp);
        }
        self.connection = ConnectionState::Down;
        self.under_way = 0;
    }

    fn connected(&mut self, now: Mono) {
        self.connection = ConnectionState::Up;
        // A server that counts as dead has the whole timeout on a new connection.
        let waiting =
            self.waiting.filter(|_| !matches!(self.health, ServerHealth::Dead { .. })).or(Some(now));
        match self.mode {
            ExchangeMode::Asking | ExchangeMode::Holding => {}
            ExchangeMode::Pong => self.waiting = waiting,
            ExchangeMode::Hello => {
                self.commands.push_back(AgentCommand::Speak);
                self.waiting = waiting;
            }
            ExchangeMode::Frame => {
                self.commands.push_back(AgentCommand::Speak);
                // A server that accepts and closes at once must not reset the pause between attempts.
                let attempts = self.attempts;
                self.answered(now);
                self.attempts = attempts;
            }
        }
    }

    fn lost(&mut self, now: Mono, failure: ClientError) {
        let was_up = self.connection == ConnectionState::Up;
        if self.under_way > 1 {
            // The batch may have been too long for the server.
            self.batch = (self.batch / 2).max(1);
        }
        self.under_way = 0;
        self.last_reason = Some(failure);
        let wanted = self.plan.mode != ExchangeMode::Asking || !self.kept.is_empty();
        self.connection = if wanted {
            ConnectionState::Pausing(now.after(self.next_pause()))
        } else {
            ConnectionState::Down
        };
        match self.mode {
            // Frames have no answer: the loss of the connection is the only sign.
            ExchangeMode::Frame if was_up => {
                self.waiting = Some(now);
                self.declare_dead(now);
            }
            ExchangeMode::Pong | ExchangeMode::Frame => self.waiting = self.waiting.or(Some(now)),
            _ => {}
        }
    }

    /// A random pause below a maximum that doubles, so that not all agents come back at once. Before the server counts as
    /// dead several attempts fit into the timeout.
    fn next_pause(&mut self) -> Span {
        let is_dead = matches!(self.health, ServerHealth::Dead { .. });
        let longest = if is_dead { PAUSE_MAX.0 } else { PAUSE_MAX.0.min(self.plan.timeout.0 / 4) };
        let most = PAUSE_FIRST.0.saturating_mul(1 << self.attempts.min(16)).min(longest);
        self.attempts = self.attempts.saturating_add(1);
        Span(self.rng.below(most + 1))
    }

    fn delivered(&mut self, now: Mono, delivery: BatchOutcome) {
        let is_answer = delivery.is_answer();
        let settled = delivery.settled.min(self.kept.len());
        self.kept.drain(..settled);
        self.under_way = 0;
        if settled > 0 {
            self.batch = (self.batch * 2).min(self.plan.batch_max);
            if self.refused.take().is_some() {
                self.report(AgentReport::TakesAgain);
            }
        }
        if delivery.rejected > 0 {
            self.report(AgentReport::Rejected {
                beats: delivery.rejected,
                reason: delivery.reasons.join("; "),
            });
        }
        if is_answer {
            self.answered(now);
        }
        if let Some(interval) = delivery.interval {
            self.follow(interval);
        }
        match delivery.error {
            None => {}
            Some(DeliveryError::Lost(failure)) => {
                self.commands.push_back(AgentCommand::HangUp);
                self.lost(now, failure);
            }
            Some(DeliveryError::Pings) => self.turn_to_pong(now),
            Some(DeliveryError::Later(failure, wait)) => {
                self.refuse(failure);
                let wait = wait.unwrap_or(self.interval()).clamp(Span::secs(1), HOLD_MAX);
                self.hold = Some(now.after(wait));
            }
            Some(DeliveryError::Refused(failure)) => {
                self.refuse(failure);
                self.hold = Some(now.after(self.interval().min(HOLD_MAX)));
            }
            Some(DeliveryError::Unfit(failure)) if self.batch > 1 && self.kept.len() > 1 => {
                self.refuse(failure);
                self.batch = (self.batch.min(self.kept.len()) / 2).max(1);
            }
            Some(DeliveryError::Unfit(failure)) => {
                self.kept.pop_front();
                let reason = failure.to_string();
                self.report(AgentReport::Rejected { beats: 1, reason });
            }
        }
    }

    /// The server sends `ping`. That dialect carries no beats.
    fn turn_to_pong(&mut self, now: Mono) {
        self.mode = ExchangeMode::Pong;
        self.kept.clear();
        self.under_way = 0;
        self.answered(now);
    }

    fn refuse(&mut self, failure: ClientError) {
        if self.refused.as_ref() != Some(&failure) {
            self.refused = Some(failure.clone());
            self.report(AgentReport::Refused(failure));
        }
    }

    fn follow(&mut self, asked: Span) {
        let asked = asked.clamp(INTERVAL_MIN, INTERVAL_MAX);
        self.asked = Some(asked);
        if asked < self.plan.every && !self.told_too_seldom {
            self.told_too_seldom = true;
            self.report(AgentReport::TooSeldom { expected: asked });
        }
        let kept = self.interval();
        if asked > kept && self.told_too_long.is_none_or(|told| asked > told) {
            self.told_too_long = Some(asked);
            self.report(AgentReport::TooLong { asked, kept });
        }
        if self.interval() != self.told_interval {
            self.told_interval = self.interval();
            self.report(AgentReport::Interval(self.told_interval));
            self.schedule();
        }
    }

    /// The server has given a sign of life.
    fn answered(&mut self, now: Mono) {
        match self.health {
            ServerHealth::Alive => {}
            ServerHealth::Unknown => self.report(AgentReport::Answers),
            ServerHealth::Dead { since } => {
                self.report(AgentReport::Back { away: now.since(since), kept: self.kept.len() })
            }
        }
        self.health = ServerHealth::Alive;
        self.last_answer = Some(now);
        self.last_reason = None;
        self.attempts = 0;
        self.waiting = (self.mode == ExchangeMode::Pong || !self.kept.is_empty()).then_some(now);
        if self.dropped > self.dropped_told {
            self.report(AgentReport::Dropped(self.dropped - self.dropped_told));
            self.dropped_told = self.dropped;
        }
    }

    /// When the server is dead, if no answer comes before.
    fn death_deadline(&self) -> Option<Mono> {
        // A server that accepts nothing for now has answered.
        let waiting = self.waiting.filter(|_| self.hold.is_none());
        let bare = matches!(self.mode, ExchangeMode::Pong | ExchangeMode::Hello)
            && self.connection == ConnectionState::Up;
        // A bare connection on which nothing comes is given up even when the server is known to be dead.
        waiting
            .filter(|_| bare || !matches!(self.health, ServerHealth::Dead { .. }))
            .map(|at| at.after(self.plan.timeout))
    }

    fn declare_dead(&mut self, now: Mono) {
        if matches!(self.mode, ExchangeMode::Pong | ExchangeMode::Hello)
            && self.connection == ConnectionState::Up
        {
            self.hang_up();
            self.connection = ConnectionState::Pausing(now.after(self.next_pause()));
        }
        if matches!(self.health, ServerHealth::Dead { .. }) {
            self.waiting = Some(now);
            return;
        }
        let since = self.waiting.unwrap_or(now);
        self.report(AgentReport::Dead { reason: self.last_reason.clone(), waited: now.since(since) });
        self.health = ServerHealth::Dead { since };
    }

    fn deliver(&mut self) {
        let answered = matches!(self.mode, ExchangeMode::Asking | ExchangeMode::Holding);
        if self.under_way > 0 || self.hold.is_some() || self.kept.is_empty() || !answered {
            return;
        }
        match self.connection {
            ConnectionState::Up => {
                self.under_way = self.kept.len().min(self.batch.max(1));
                let batch = self.kept.iter().take(self.under_way).copied().collect();
                self.commands.push_back(AgentCommand::Deliver(batch));
            }
            ConnectionState::Down => self.connect(),
            ConnectionState::Pausing(_) | ConnectionState::Making => {}
        }
    }

    fn report(&mut self, report: AgentReport) {
        self.commands.push_back(AgentCommand::Report(report));
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
