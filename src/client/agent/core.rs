//! What the agent decides: when a beat is due, what is kept and sent again, when the server is dead and when it is back.
//!
//! A machine without a clock or a socket. It is told what happens and what time it is, and hands out commands; whoever
//! drives it carries them out and comes back at [`Core::next`]. All connections are of one of two kinds. On an *answered*
//! one beats are kept until the server has settled them, at most one batch under way; on a *bare* one, of the dialects
//! pong, hello and frame, there is nothing to keep, only signs of life.
//!
//! The rule of death is one for all: when something has been waiting for an answer for the whole timeout, whether there
//! was a connection or not, the server is dead; every answer begins the wait anew. A server that is back within the
//! timeout has never been away.

use crate::client::channel::{Delivery, Hitch};
use crate::client::dice::Dice;
use crate::client::failure::Failure;
use crate::domain::limits::{INTERVAL_MAX, INTERVAL_MIN};
use crate::domain::time::{Mono, Now, Span, Wall};
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

/// How it is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How often to send; never more often.
    pub every: Span,
    /// The longest interval that the server is obeyed with.
    pub interval_max: Span,
    /// How long an answer may take.
    pub timeout: Span,
    /// What is spoken.
    pub speech: Speech,
    /// Most beats in a batch.
    pub batch_max: usize,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Beats and answers, on a connection that is made when there is something to send (HTTP).
    Asking,
    /// The same on a connection that is held.
    Holding,
    /// The server says `ping`.
    Pong,
    /// `hello server`, and any answer.
    Hello,
    /// Frames, and no answer ever.
    Frame,
}

/// A beat that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub seq: u64,
    /// When it was due.
    pub at: Wall,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// There is a connection.
    Connected,
    /// There is none, or none any more.
    Lost(Failure),
    /// What became of the batch under way.
    Delivered(Delivery),
    /// The server has said something on a bare connection.
    Heard,
    /// It turns out to be one that says `ping`; from now on the connection is bare.
    Pings,
    /// The machine has slept.
    Woke,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make a connection; [`Event::Connected`] or [`Event::Lost`] follows.
    Connect,
    /// Give it up; nothing more is to be heard of it.
    HangUp,
    /// Send these; [`Event::Delivered`] or [`Event::Lost`] follows.
    Deliver(Vec<Note>),
    /// Say what the dialect says when a beat is due.
    Speak,
    /// Tell people.
    Tell(Tiding),
}

/// What people are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Tiding {
    /// The first answer.
    Answers,
    /// The server is dead.
    Dead {
        /// What was heard last of why.
        reason: Option<Failure>,
        /// How long it has been waited for.
        waited: Span,
    },
    /// It is back.
    Back {
        /// How long it was dead.
        away: Span,
        /// Beats that were kept meanwhile.
        kept: usize,
    },
    /// The interval is another one now.
    Interval(Span),
    /// The server asks for a longer interval than it gets.
    TooLong {
        /// What it asks for.
        asked: Span,
        /// What it gets.
        kept: Span,
    },
    /// The server counts on more beats than it gets.
    TooSeldom {
        /// How often it expects one.
        expected: Span,
    },
    /// It answers, but takes nothing for now.
    Refused(Failure),
    /// It takes beats again.
    TakesAgain,
    /// It will never take some.
    Rejected {
        /// How many.
        beats: usize,
        /// Why.
        reason: String,
    },
    /// Beats were dropped, because more were kept than can be.
    Dropped(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// None, and none wanted before something is due.
    Down,
    /// None until then.
    Pausing(Mono),
    /// Being made.
    Making,
    Up,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Unknown,
    Alive,
    Dead { since: Mono },
}

/// The machine.
#[derive(Debug)]
pub struct Core {
    plan: Plan,
    dice: Dice,
    commands: VecDeque<Command>,
    link: Link,
    /// What is spoken on this connection.
    speech: Speech,
    life: Life,
    /// Since when something waits for an answer.
    waiting: Option<Mono>,
    last_answer: Option<Mono>,
    last_reason: Option<Failure>,
    /// Attempts since the last answer.
    attempts: u32,
    due: Mono,
    last_due: Mono,
    asked: Option<Span>,
    kept: VecDeque<Note>,
    /// How many at the front are under way.
    under_way: usize,
    seq: u64,
    /// Nothing is sent before.
    hold: Option<Mono>,
    /// Most beats in the next batch; less after one that was not liked.
    batch: usize,
    dropped: u64,
    dropped_told: u64,
    /// What is being refused with, so that it is told once.
    refused: Option<Failure>,
    told_interval: Span,
    told_too_seldom: bool,
    /// The longest wish that was told to be too long.
    told_too_long: Option<Span>,
}

/// Where things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `None`: nothing is known yet.
    pub alive: Option<bool>,
    /// How long ago the last answer was.
    pub answered: Option<Span>,
    /// Beats that are kept.
    pub kept: usize,
    /// Beats that were dropped.
    pub dropped: u64,
    /// The interval in force.
    pub interval: Span,
}

impl Core {
    /// At the beginning: the first beat is due at once.
    pub fn new(now: Now, plan: Plan, dice: Dice) -> Core {
        let link = if plan.speech == Speech::Asking { Link::Down } else { Link::Pausing(now.mono) };
        Core {
            plan,
            dice,
            commands: VecDeque::new(),
            link,
            speech: plan.speech,
            life: Life::Unknown,
            waiting: (plan.speech == Speech::Pong).then_some(now.mono),
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

    /// Goes on by another plan, as after a reload; what is kept stays, the connection does not.
    pub fn replan(&mut self, now: Now, plan: Plan) {
        self.hang_up();
        let fresh = Core::new(now, plan, self.dice.clone());
        let old = std::mem::replace(self, fresh);
        self.commands = old.commands;
        self.seq = old.seq;
        self.kept = old.kept;
        (self.dropped, self.dropped_told) = (old.dropped, old.dropped_told);
        self.life = old.life;
        self.last_answer = old.last_answer;
        // What is waited for is waited for anew, of whoever it is now.
        self.waiting = self.waiting.or((!self.kept.is_empty()).then_some(now.mono));
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When to come back at the latest.
    pub fn next(&self) -> Mono {
        let pause = match self.link {
            Link::Pausing(until) => Some(until),
            _ => None,
        };
        let due = (self.speech != Speech::Pong).then_some(self.due);
        let hold = self.hold.filter(|_| !self.kept.is_empty() && self.under_way == 0);
        [due, pause, hold, self.death()].into_iter().flatten().min().unwrap_or(self.due)
    }

    /// Where things stand.
    pub fn standing(&self, now: Mono) -> Standing {
        Standing {
            alive: match self.life {
                Life::Unknown => None,
                Life::Alive => Some(true),
                Life::Dead { .. } => Some(false),
            },
            answered: self.last_answer.map(|at| now.since(at)),
            kept: self.kept.len(),
            dropped: self.dropped,
            interval: self.interval(),
        }
    }

    /// Takes note of what happens.
    pub fn handle(&mut self, now: Now, event: Event) {
        match event {
            Event::Connected => self.connected(now.mono),
            Event::Lost(failure) => self.lost(now.mono, failure),
            Event::Delivered(delivery) => self.delivered(now.mono, delivery),
            Event::Heard => self.answered(now.mono),
            Event::Pings => self.turn_to_pong(now.mono),
            Event::Woke => {
                // Whatever was connected before has been given up by everybody else.
                self.hang_up();
                self.waiting = None;
                self.attempts = 0;
                self.due = now.mono;
                self.link = Link::Pausing(now.mono);
            }
        }
        self.pass(now);
    }

    /// Does what is due.
    pub fn pass(&mut self, now: Now) {
        if self.due <= now.mono && self.speech != Speech::Pong {
            self.beat(now);
        }
        if self.death().is_some_and(|at| at <= now.mono) {
            self.die(now.mono);
        }
        if matches!(self.link, Link::Pausing(until) if until <= now.mono) {
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
        match self.speech {
            Speech::Asking | Speech::Holding => {
                self.seq += 1;
                if self.kept.len() >= KEPT_MAX {
                    // What is under way may be settled any moment; the oldest behind it goes.
                    self.kept.remove(self.under_way);
                    self.dropped += 1;
                }
                self.kept.push_back(Note { seq: self.seq, at: now.wall });
            }
            Speech::Hello | Speech::Frame if self.link == Link::Up => {
                self.commands.push_back(Command::Speak);
                self.attempts = 0;
            }
            _ => {}
        }
        if self.speech != Speech::Frame || self.link != Link::Up {
            self.waiting = self.waiting.or(Some(now.mono));
        }
        if self.link == Link::Down {
            self.connect();
        }
    }

    /// The next beat is an interval after the last, or a little earlier: never later, and not all at once.
    fn schedule(&mut self) {
        let interval = self.interval().0;
        let early = self.dice.below(interval * JITTER_PERCENT / 100 + 1);
        self.due = self.last_due.after(Span(interval - early));
    }

    /// What the server wants, but never more often than we are to, and not so seldom that nobody would notice our end.
    fn interval(&self) -> Span {
        self.asked.map_or(self.plan.every, |asked| asked.min(self.plan.interval_max).max(self.plan.every))
    }

    fn connect(&mut self) {
        self.link = Link::Making;
        self.speech = self.plan.speech;
        self.commands.push_back(Command::Connect);
    }

    fn hang_up(&mut self) {
        if matches!(self.link, Link::Up | Link::Making) {
            self.commands.push_back(Command::HangUp);
        }
        self.link = Link::Down;
        self.under_way = 0;
    }

    fn connected(&mut self, now: Mono) {
        self.link = Link::Up;
        // Whoever is dead anyhow is given the whole time on a new connection.
        let waiting = self.waiting.filter(|_| !matches!(self.life, Life::Dead { .. })).or(Some(now));
        match self.speech {
            Speech::Asking | Speech::Holding => {}
            Speech::Pong => self.waiting = waiting,
            Speech::Hello => {
                self.commands.push_back(Command::Speak);
                self.waiting = waiting;
            }
            Speech::Frame => {
                self.commands.push_back(Command::Speak);
                // One that takes connections only to close them must not be asked again and again at once.
                let attempts = self.attempts;
                self.answered(now);
                self.attempts = attempts;
            }
        }
    }

    fn lost(&mut self, now: Mono, failure: Failure) {
        let was_up = self.link == Link::Up;
        if self.under_way > 1 {
            // It may have been the length of the batch that was not borne.
            self.batch = (self.batch / 2).max(1);
        }
        self.under_way = 0;
        self.last_reason = Some(failure);
        let wanted = self.plan.speech != Speech::Asking || !self.kept.is_empty();
        self.link = if wanted { Link::Pausing(now.after(self.pause())) } else { Link::Down };
        match self.speech {
            // Nothing ever answers here: the loss of the connection is all that can be known.
            Speech::Frame if was_up => {
                self.waiting = Some(now);
                self.die(now);
            }
            Speech::Pong | Speech::Frame => self.waiting = self.waiting.or(Some(now)),
            _ => {}
        }
    }

    /// Anything up to twice as long as the last time, so that not all come back at once. Before somebody is called dead
    /// he is tried several times.
    fn pause(&mut self) -> Span {
        let is_dead = matches!(self.life, Life::Dead { .. });
        let longest = if is_dead { PAUSE_MAX.0 } else { PAUSE_MAX.0.min(self.plan.timeout.0 / 4) };
        let most = PAUSE_FIRST.0.saturating_mul(1 << self.attempts.min(16)).min(longest);
        self.attempts = self.attempts.saturating_add(1);
        Span(self.dice.below(most + 1))
    }

    fn delivered(&mut self, now: Mono, delivery: Delivery) {
        let is_answer = delivery.is_answer();
        let settled = delivery.settled.min(self.kept.len());
        self.kept.drain(..settled);
        self.under_way = 0;
        if settled > 0 {
            self.batch = (self.batch * 2).min(self.plan.batch_max);
            if self.refused.take().is_some() {
                self.tell(Tiding::TakesAgain);
            }
        }
        if delivery.rejected > 0 {
            self.tell(Tiding::Rejected { beats: delivery.rejected, reason: delivery.reasons.join("; ") });
        }
        if is_answer {
            self.answered(now);
        }
        if let Some(interval) = delivery.interval {
            self.follow(interval);
        }
        match delivery.hitch {
            None => {}
            Some(Hitch::Lost(failure)) => {
                self.commands.push_back(Command::HangUp);
                self.lost(now, failure);
            }
            Some(Hitch::Pings) => self.turn_to_pong(now),
            Some(Hitch::Later(failure, wait)) => {
                self.refuse(failure);
                let wait = wait.unwrap_or(self.interval()).clamp(Span::secs(1), HOLD_MAX);
                self.hold = Some(now.after(wait));
            }
            Some(Hitch::Refused(failure)) => {
                self.refuse(failure);
                self.hold = Some(now.after(self.interval().min(HOLD_MAX)));
            }
            Some(Hitch::Unfit(failure)) if self.batch > 1 && self.kept.len() > 1 => {
                self.refuse(failure);
                self.batch = (self.batch.min(self.kept.len()) / 2).max(1);
            }
            Some(Hitch::Unfit(failure)) => {
                self.kept.pop_front();
                let reason = failure.to_string();
                self.tell(Tiding::Rejected { beats: 1, reason });
            }
        }
    }

    /// The server says `ping`. That dialect carries no beats, and its server takes none.
    fn turn_to_pong(&mut self, now: Mono) {
        self.speech = Speech::Pong;
        self.kept.clear();
        self.under_way = 0;
        self.answered(now);
    }

    fn refuse(&mut self, failure: Failure) {
        if self.refused.as_ref() != Some(&failure) {
            self.refused = Some(failure.clone());
            self.tell(Tiding::Refused(failure));
        }
    }

    fn follow(&mut self, asked: Span) {
        let asked = asked.clamp(INTERVAL_MIN, INTERVAL_MAX);
        self.asked = Some(asked);
        if asked < self.plan.every && !self.told_too_seldom {
            self.told_too_seldom = true;
            self.tell(Tiding::TooSeldom { expected: asked });
        }
        let kept = self.interval();
        if asked > kept && self.told_too_long.is_none_or(|told| asked > told) {
            self.told_too_long = Some(asked);
            self.tell(Tiding::TooLong { asked, kept });
        }
        if self.interval() != self.told_interval {
            self.told_interval = self.interval();
            self.tell(Tiding::Interval(self.told_interval));
            self.schedule();
        }
    }

    /// The server has given a sign of life.
    fn answered(&mut self, now: Mono) {
        match self.life {
            Life::Alive => {}
            Life::Unknown => self.tell(Tiding::Answers),
            Life::Dead { since } => self.tell(Tiding::Back { away: now.since(since), kept: self.kept.len() }),
        }
        self.life = Life::Alive;
        self.last_answer = Some(now);
        self.last_reason = None;
        self.attempts = 0;
        self.waiting = (self.speech == Speech::Pong || !self.kept.is_empty()).then_some(now);
        if self.dropped > self.dropped_told {
            self.tell(Tiding::Dropped(self.dropped - self.dropped_told));
            self.dropped_told = self.dropped;
        }
    }

    /// When the server is dead, if nothing comes before.
    fn death(&self) -> Option<Mono> {
        // Who takes nothing for now has answered.
        let waiting = self.waiting.filter(|_| self.hold.is_none());
        let bare = matches!(self.speech, Speech::Pong | Speech::Hello) && self.link == Link::Up;
        // A bare connection on which nothing comes is given up even when the server is known to be dead.
        waiting
            .filter(|_| bare || !matches!(self.life, Life::Dead { .. }))
            .map(|at| at.after(self.plan.timeout))
    }

    fn die(&mut self, now: Mono) {
        if matches!(self.speech, Speech::Pong | Speech::Hello) && self.link == Link::Up {
            self.hang_up();
            self.link = Link::Pausing(now.after(self.pause()));
        }
        if matches!(self.life, Life::Dead { .. }) {
            self.waiting = Some(now);
            return;
        }
        let since = self.waiting.unwrap_or(now);
        self.tell(Tiding::Dead { reason: self.last_reason.clone(), waited: now.since(since) });
        self.life = Life::Dead { since };
    }

    fn deliver(&mut self) {
        let answered = matches!(self.speech, Speech::Asking | Speech::Holding);
        if self.under_way > 0 || self.hold.is_some() || self.kept.is_empty() || !answered {
            return;
        }
        match self.link {
            Link::Up => {
                self.under_way = self.kept.len().min(self.batch.max(1));
                let batch = self.kept.iter().take(self.under_way).copied().collect();
                self.commands.push_back(Command::Deliver(batch));
            }
            Link::Down => self.connect(),
            Link::Pausing(_) | Link::Making => {}
        }
    }

    fn tell(&mut self, tiding: Tiding) {
        self.commands.push_back(Command::Tell(tiding));
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
