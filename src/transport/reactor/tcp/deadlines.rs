//! How long a raw TCP connection may take for what it owes: a sign of life, the end of what it has begun, a token where one
//! is needed; and what wrong tokens cost it.

use super::{TcpConnection, Turn};
use crate::domain::access::{Denied, Shown, Wish};
use crate::domain::beat::Warnings;
use crate::domain::limits::{GUESS_DELAY, GUESSES_MAX};
use crate::domain::notice::Notice;
use crate::domain::policy::TcpTimes;
use crate::domain::time::Span;
use crate::engine::claims::Claim;
use crate::engine::stats::{BeatResult, Turned};
use crate::transport::reactor::scratch::{Action, NEVER, TurnContext};
use crate::wire::dialect::Dialect;
use crate::wire::line::Reply;
use std::borrow::Cow;

/// How often those beat who send `PING` and no name, as far as we know.
const PING_INTERVAL: Span = Span::secs(30);

impl TcpConnection {
    /// What happens when its time is up: it is asked, or it has been silent for too long.
    pub fn time_out(&mut self, turn: &TurnContext<'_>) -> Action {
        if self.stalled_s <= turn.now_s {
            self.io.context.engine.stats().turned(Turned::Unread);
            return Action::Close;
        }
        if turn.now_s > self.silent_s.saturating_add(1) {
            // Nobody has looked for a while, and what has come meanwhile may not have been read yet.
            self.silent_s = turn.second_after(self.timeout(turn));
        } else if turn.now_s >= self.silent_s {
            return self.give_up(turn);
        }
        if turn.now_s >= self.message_s || turn.now_s >= self.token_s {
            return self.lose_patience(turn);
        }
        if turn.now_s >= self.deaf_s && self.deaf_s != 0 {
            self.deaf_s = 0;
            self.set_alarm();
            return Action::Again;
        }
        if self.is_asked() && turn.now_s >= self.ping_s {
            self.ping_s = next_ping(&turn.policy.tcp, turn);
            if !self.io.is_blocked() && self.io.send(b"ping").is_err() {
                return Action::Close;
            }
            self.stalled_s = self.io.stalled_s(self.stalled_s, turn);
        }
        self.set_alarm();
        Action::Wait
    }

    pub(super) fn give_up(&mut self, turn: &TurnContext<'_>) -> Action {
        self.gone = true;
        let engine = &self.io.context.engine;
        engine.stats().turned(Turned::Timeout);
        if self.claim.as_ref().is_none_or(Claim::holds) {
            let asked = matches!(self.talk.dialect(), Dialect::Unknown | Dialect::Pong);
            let notice = Notice::ClientGone { asked, peer: self.io.peer, monitor: self.monitor() };
            engine.log().notice(turn.now.wall, notice);
        }
        Action::Close
    }

    /// What has begun did not end in time, or the token did not come.
    pub(super) fn lose_patience(&mut self, turn: &TurnContext<'_>) -> Action {
        let late = turn.now_s >= self.message_s;
        let (why, reason) = match late {
            true => (Turned::Timeout, "it did not end in time (limits.body_timeout)"),
            false => (Turned::Token, "no token in time (limits.header_timeout): AUTH TOKEN"),
        };
        self.io.context.engine.stats().turned(why);
        let lines = matches!(self.talk.dialect(), Dialect::Line | Dialect::Ping | Dialect::Unknown);
        if lines && !self.io.is_blocked() {
            let mut out = Vec::new();
            Reply::Error(reason.into()).write(&mut out);
            // It is closed in any case.
            let _ = self.io.send(&out);
        }
        Action::Close
    }

    /// Watches how long what has begun takes, from its first byte; `anew`: what had begun before has ended.
    pub(super) fn watch_message(&mut self, anew: bool, turn: &TurnContext<'_>) {
        if !self.talk.is_inside_message() {
            self.message_s = NEVER;
        } else if anew || self.message_s == NEVER {
            self.message_s = turn.second_after(turn.policy.limits.body_timeout);
        }
    }

    /// Whoever needs a token to beat has so long to show it.
    pub(super) fn expect_token(&mut self, turn: &TurnContext<'_>) {
        self.token_s = match self.needs_token(turn) {
            true => turn.second_after(turn.policy.limits.header_timeout),
            false => NEVER,
        };
    }

    pub(super) fn needs_token(&self, turn: &TurnContext<'_>) -> bool {
        let may = turn.policy.access.check_again(Wish::Beat, self.io.peer, self.shown);
        matches!(may, Err(Denied::Token(_)))
    }

    /// How long it may be silent.
    pub(super) fn timeout(&self, turn: &TurnContext<'_>) -> Span {
        let times = &turn.policy.tcp;
        match self.talk.dialect() {
            Dialect::Frame => times.frame_timeout,
            Dialect::Line | Dialect::Ping => times.line_timeout.max(self.patience),
            Dialect::Unknown | Dialect::Pong | Dialect::Text => times.timeout,
        }
    }

    /// Whether we send `ping`: it has said nothing yet, or does answer that.
    pub(super) fn is_asked(&self) -> bool {
        self.talk.is_silent() || self.talk.dialect() == Dialect::Pong
    }

    pub(super) fn set_alarm(&mut self) {
        let asked_s = if self.is_asked() { self.ping_s } else { NEVER };
        let deaf_s = if self.deaf_s == 0 { NEVER } else { self.deaf_s };
        self.io.due_s = [self.silent_s, asked_s, self.message_s, self.token_s, deaf_s, self.stalled_s]
            .into_iter()
            .min()
            .unwrap_or(NEVER);
    }

    pub(super) fn authorize(&mut self, token: &[u8], hearing: &mut Turn<'_, '_>) {
        let peer = self.io.peer;
        // Where no token is needed all that has come is read at once, so nothing could wait with it.
        let is_needed = !hearing.turn.policy.access.beat_tokens.is_empty();
        let wait = self.io.context.engine.token_wait(hearing.turn.now.mono, peer).filter(|_| is_needed);
        if let Some(wait) = wait.filter(|_| !std::mem::take(&mut self.has_waited)) {
            return self.put_off(token, wait, hearing.turn);
        }
        let reply = match hearing.turn.policy.access.check(Wish::Beat, peer, Some(token)) {
            Ok(()) => {
                self.shown = Shown::of(Some(token));
                self.token_s = NEVER;
                Reply::Ok(None, Warnings::NONE)
            }
            Err(denied) => {
                self.count(BeatResult::Denied);
                self.resent_guess(hearing.turn);
                if let Denied::Token(key) = denied {
                    self.io.context.engine.note_wrong_token(hearing.turn.now, key, peer);
                }
                let (Denied::Token(key) | Denied::Network(key)) = denied;
                Reply::Error(Cow::Owned(format!("not allowed: see {key}")))
            }
        };
        hearing.say(reply, 0);
    }

    /// The token waits with all that comes after it, as if it had not been read yet.
    fn put_off(&mut self, token: &[u8], wait: Span, turn: &TurnContext<'_>) {
        self.ahead = [b"AUTH ", token, b"\n"].concat().into();
        self.has_waited = true;
        self.deaf_s = turn.second_after(wait);
        if self.token_s != NEVER {
            // That it comes late is our doing.
            self.token_s = self.token_s.max(self.deaf_s.saturating_add(1));
        }
    }

    /// A token was wrong: it is not heard for a while, and after some of them it is closed.
    pub(super) fn resent_guess(&mut self, turn: &TurnContext<'_>) {
        self.guesses = self.guesses.saturating_add(1);
        self.deaf_s = turn.second_after(GUESS_DELAY);
        if self.guesses >= GUESSES_MAX {
            self.closing = true;
            self.io.context.engine.stats().turned(Turned::Token);
        }
    }
}

/// The interval and the timeout of those that give no name.
pub(super) fn times_of(dialect: Dialect, times: &TcpTimes) -> (Span, Span) {
    match dialect {
        Dialect::Frame => (times.ping_interval, times.frame_timeout),
        Dialect::Line | Dialect::Ping => (PING_INTERVAL.min(times.line_timeout), times.line_timeout),
        Dialect::Unknown | Dialect::Pong | Dialect::Text => (times.ping_interval, times.timeout),
    }
}

/// The loop looks once at the beginning of each second, so pings are so many seconds apart and not one more.
pub(super) fn next_ping(times: &TcpTimes, turn: &TurnContext<'_>) -> u32 {
    turn.now_s.saturating_add(u32::try_from(times.ping_interval.as_secs_ceil()).unwrap_or(u32::MAX))
}
