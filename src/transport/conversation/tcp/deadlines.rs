//! How long a raw TCP connection may take for what it owes: a sign of life, the end of a message that has begun, a token
//! where one is needed; and what wrong tokens cost it.

use super::TcpConversation;
use super::beats::answer;
use crate::domain::access::{AccessRefusal, Permission, Shown};
use crate::domain::address::Peer;
use crate::domain::beat::Warnings;
use crate::domain::limits::{GUESS_DELAY, GUESSES_MAX};
use crate::domain::notice::Notice;
use crate::domain::policy::TcpTimes;
use crate::domain::time::Span;
use crate::engine::intake::claims::Claim;
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::transport::conversation::{Flow, Host, Second, TurnContext};
use crate::wire::dialect::Dialect;
use crate::wire::line::LineReply;
use std::borrow::Cow;

/// The interval of those that send `PING` and no name, as far as it is known.
const PING_INTERVAL: Span = Span::secs(30);

impl TcpConversation {
    /// Looks which deadline has passed, and asks for a sign of life where it is time for that.
    pub(super) fn check_deadlines(
        &mut self,
        is_blocked: bool,
        turn: &TurnContext<'_>,
        host: &mut dyn Host,
    ) -> Flow {
        if self.stalled.is_due(turn) {
            host.count(ConnectionRefusal::Unread);
            return Flow::Close;
        }
        if turn.now_s() > self.silent.0.saturating_add(1) {
            // The loop has stood still, and what has come meanwhile may not have been read yet.
            self.silent = turn.second_after(self.timeout(turn));
        } else if self.silent.is_due(turn) {
            self.give_up(host);
            return Flow::Close;
        }
        if self.message.is_due(turn) || self.token.is_due(turn) {
            self.refuse_lateness(is_blocked, turn, host);
            return Flow::Close;
        }
        if self.deaf_until != Second(0) && !self.is_deaf(turn) {
            self.deaf_until = Second(0);
            self.set_due();
            return Flow::ReadAgain;
        }
        if self.is_asked() && self.ping.is_due(turn) {
            self.ping = turn.ping_after(turn.policy.tcp.ping_interval);
            if !is_blocked {
                host.send(b"ping");
            }
        }
        self.set_due();
        Flow::Continue
    }

    fn give_up(&mut self, host: &mut dyn Host) {
        self.has_timed_out = true;
        host.count(ConnectionRefusal::Timeout);
        if self.claim.as_ref().is_none_or(Claim::holds) {
            let asked = matches!(self.parser.dialect(), Dialect::Unknown | Dialect::Pong);
            host.log(Notice::ClientGone { asked, peer: host.peer(), monitor: self.monitor() });
        }
    }

    /// The message under way did not end in time, or the token did not come.
    fn refuse_lateness(&self, is_blocked: bool, turn: &TurnContext<'_>, host: &mut dyn Host) {
        let (why, reason) = match self.message.is_due(turn) {
            true => (ConnectionRefusal::Timeout, "it did not end in time (limits.body_timeout)"),
            false => (ConnectionRefusal::Token, "no token in time (limits.header_timeout): AUTH TOKEN"),
        };
        host.count(why);
        let has_lines = matches!(self.parser.dialect(), Dialect::Line | Dialect::Ping | Dialect::Unknown);
        if has_lines && !is_blocked {
            let mut out = Vec::new();
            LineReply::Error(reason.into()).write(&mut out);
            host.send(&out);
        }
    }

    /// Watches how long a message takes, from its first byte; `has_ended`: one that had begun before has ended.
    pub(super) fn watch_message(&mut self, has_ended: bool, turn: &TurnContext<'_>) {
        if !self.parser.is_inside_message() {
            self.message = Second::NEVER;
        } else if has_ended || self.message == Second::NEVER {
            self.message = turn.second_after(turn.policy.limits.body_timeout);
        }
    }

    /// Sets until when a token must be shown, where beats need one.
    pub(super) fn expect_token(&mut self, turn: &TurnContext<'_>, peer: Peer) {
        let may = turn.policy.access.check_again(Permission::Beat, peer, self.shown);
        self.token = match may {
            Err(AccessRefusal::Token(_)) => turn.second_after(turn.policy.limits.header_timeout),
            _ => Second::NEVER,
        };
    }

    /// How long it may be silent.
    pub(super) fn timeout(&self, turn: &TurnContext<'_>) -> Span {
        let times = &turn.policy.tcp;
        match self.parser.dialect() {
            Dialect::Frame => times.frame_timeout,
            Dialect::Line | Dialect::Ping => times.line_timeout.max(self.patience),
            Dialect::Unknown | Dialect::Pong | Dialect::Text => times.timeout,
        }
    }

    /// Whether it is sent `ping`: it has said nothing yet, or does answer that.
    fn is_asked(&self) -> bool {
        self.parser.is_silent() || self.parser.dialect() == Dialect::Pong
    }

    pub(super) fn set_due(&mut self) {
        let ping = if self.is_asked() { self.ping } else { Second::NEVER };
        let deaf = if self.deaf_until == Second(0) { Second::NEVER } else { self.deaf_until };
        self.due = self.silent.min(ping).min(self.message).min(self.token).min(deaf).min(self.stalled);
    }

    /// Judges a token.
    pub(super) fn authorize(&mut self, token: &[u8], turn: &TurnContext<'_>, host: &mut dyn Host) {
        // Where no token is needed all that has come is read at once, so nothing could wait with it.
        let is_needed = !turn.policy.access.beat_tokens.is_empty();
        let wait = host.token_wait().filter(|_| is_needed);
        if let Some(wait) = wait.filter(|_| !std::mem::take(&mut self.token_has_waited)) {
            return self.put_off(token, wait, turn);
        }
        let reply = match turn.policy.access.check(Permission::Beat, host.peer(), Some(token)) {
            Ok(()) => {
                self.shown = Shown::of(Some(token));
                self.token = Second::NEVER;
                LineReply::Ok(None, Warnings::NONE)
            }
            Err(denied) => {
                host.count_beat(BeatResult::Denied);
                self.note_guess(turn, host);
                if let AccessRefusal::Token(key) = denied {
                    host.note_wrong_token(key);
                }
                let (AccessRefusal::Token(key) | AccessRefusal::Network(key)) = denied;
                LineReply::Error(Cow::Owned(format!("not allowed: see {key}")))
            }
        };
        answer(host, reply, 0);
    }

    /// The token waits with all that comes after it, as if it had not been read yet.
    fn put_off(&mut self, token: &[u8], wait: Span, turn: &TurnContext<'_>) {
        self.ahead = [b"AUTH ", token, b"\n"].concat().into();
        self.token_has_waited = true;
        self.deaf_until = turn.second_after(wait);
        if self.token != Second::NEVER {
            // That it comes late is the server's doing.
            self.token = self.token.max(Second(self.deaf_until.0.saturating_add(1)));
        }
    }

    /// A token was wrong: the connection is not read for a while, and closed after some of them.
    fn note_guess(&mut self, turn: &TurnContext<'_>, host: &mut dyn Host) {
        self.guesses = self.guesses.saturating_add(1);
        self.deaf_until = turn.second_after(GUESS_DELAY);
        if self.guesses >= GUESSES_MAX {
            self.closes = true;
            host.count(ConnectionRefusal::Token);
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
}
