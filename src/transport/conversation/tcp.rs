//! Raw TCP: what its bytes mean (`wire::dialect`) becomes beats, answers and, in the end, silence.
//!
//! A sender that gives a name, with `BEAT`, beats for that monitor from then on: its `PING` is a beat too, unless the last
//! status that it sent was not `ok`. One that gives none beats for its address, or for a monitor of its own that departs with
//! the connection. Whoever beats for an id holds the claim on it ([`Claim`]); the end of a connection whose claim another one
//! has taken changes and reports nothing.
//!
//! The connection is read on though its client does not read: what that leaves unread is bounded.

mod beats;
mod deadlines;

use super::answers::PendingAnswer;
use super::{Conversation, Flow, Host, Second, Sent, TurnContext, barred_by};
use crate::domain::access::{AccessRefusal, Permission, Shown};
use crate::domain::id::Id;
use crate::domain::limits::{QUIET, TALK_READ_BYTES_MAX, TALK_UNSENT_BYTES_MAX};
use crate::domain::notice::Notice;
use crate::domain::time::Span;
use crate::engine::intake::claims::{self, Claim};
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::wire::blob;
use crate::wire::dialect::{Dialect, DialectEvent, DialectParser, Foreign};
use crate::wire::line::{LineCommand, LineReply};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The conversation over a raw TCP connection.
pub struct TcpConversation {
    parser: DialectParser,
    subject: BeatSubject,
    /// On the id of that; none before the first beat.
    claim: Option<Claim>,
    /// The client's port; 0 where there is none.
    port: u16,
    shown: Shown,
    /// Whether the last status sent for the monitor that it names was `ok`.
    is_healthy: bool,
    /// It is closed once everything is said.
    closes: bool,
    /// It was silent for too long.
    has_timed_out: bool,
    /// The interval and grace of the monitor that it names.
    patience: Span,
    /// When it will have been silent for too long.
    silent: Second,
    /// When the message under way must have ended, whatever else arrives.
    message: Second,
    /// When a token must have been shown, where one is needed.
    token: Second,
    /// Until when it is not read, because a token was wrong or must wait; the second 0: it is.
    deaf_until: Second,
    guesses: u8,
    /// The token that comes next has waited long enough to be looked at.
    token_has_waited: bool,
    /// Bytes that have not been looked at.
    ahead: Box<[u8]>,
    ping: Second,
    /// When what waits for the socket must have moved on.
    stalled: Second,
    due: Second,
    /// When nothing will have come for [`QUIET`], in milliseconds of the thread; 0: that does not matter.
    quiet_ms: u64,
    /// The loop has been told to look then.
    quiet_is_noted: bool,
}

/// Which monitor a connection beats for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum BeatSubject {
    /// It has not beaten yet.
    Nobody,
    /// That of its address.
    Address,
    /// One of its own.
    Own,
    /// The one that it has named.
    Named,
}

/// The same as it is parked.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParkedTcp {
    #[serde(rename = "talk")]
    parser: DialectParser,
    #[serde(rename = "whom")]
    subject: BeatSubject,
    claim: Option<claims::StoredClaim>,
    /// Whether it has shown a token, for versions before 0.5, and which.
    authorized: bool,
    shown: Option<Shown>,
    #[serde(rename = "well")]
    is_healthy: bool,
    patience_ms: u64,
    #[serde(default)]
    guesses: u8,
    #[serde(default, with = "blob")]
    ahead: Vec<u8>,
}

impl ParkedTcp {
    /// The monitor that departs with the connection, where it has one.
    pub fn own_monitor(&self) -> Option<Id> {
        let claim = self.claim.as_ref().filter(|_| self.subject == BeatSubject::Own)?;
        Id::new(claim.id()).ok()
    }
}

impl TcpConversation {
    /// On a new connection.
    pub fn new(port: Option<u16>, turn: &TurnContext<'_>, host: &mut dyn Host) -> TcpConversation {
        let tcp = TcpConversation::with(DialectParser::new(), port, turn, host);
        host.log(Notice::ClientConnected { peer: host.peer() });
        tcp
    }

    fn with(
        parser: DialectParser,
        port: Option<u16>,
        turn: &TurnContext<'_>,
        host: &dyn Host,
    ) -> TcpConversation {
        let mut tcp = TcpConversation {
            parser,
            subject: BeatSubject::Nobody,
            claim: None,
            port: port.unwrap_or(0),
            shown: Shown::Nothing,
            is_healthy: true,
            closes: false,
            has_timed_out: false,
            patience: Span(0),
            silent: turn.second_after(turn.policy.tcp.timeout),
            message: Second::NEVER,
            token: Second::NEVER,
            deaf_until: Second(0),
            guesses: 0,
            token_has_waited: false,
            ahead: Box::default(),
            ping: turn.ping_after(turn.policy.tcp.ping_interval),
            stalled: Second::NEVER,
            due: Second::NEVER,
            quiet_ms: 0,
            quiet_is_noted: false,
        };
        tcp.expect_token(turn, host.peer());
        tcp.set_due();
        tcp
    }

    /// One of the process before this one; `None` where the record makes no sense.
    pub fn resume(
        parked: ParkedTcp,
        port: Option<u16>,
        turn: &TurnContext<'_>,
        host: &dyn Host,
    ) -> Option<TcpConversation> {
        let ParkedTcp { parser, subject, claim, authorized, shown, is_healthy, patience_ms, guesses, ahead } =
            parked;
        let claim = claim.as_ref().and_then(|claim| host.claims().resume(claim));
        if !parser.is_sound() || claim.is_none() != (subject == BeatSubject::Nobody) {
            return None;
        }
        let mut tcp = TcpConversation {
            subject,
            claim,
            shown: shown.unwrap_or(if authorized { Shown::Believed } else { Shown::Nothing }),
            is_healthy,
            patience: Span(patience_ms),
            deaf_until: Second(if ahead.is_empty() { 0 } else { turn.now_s() }),
            guesses,
            ahead: ahead.into(),
            ..TcpConversation::with(parser, port, turn, host)
        };
        if tcp.parser.dialect() == Dialect::Pong {
            // At once, or after restarts in quick succession it would never be asked. One that has said nothing yet may be
            // about to.
            tcp.ping = Second(turn.now_s());
        }
        tcp.watch_quiet(turn);
        tcp.silent = turn.second_after(tcp.timeout(turn));
        tcp.watch_message(false, turn);
        tcp.expect_token(turn, host.peer());
        tcp.set_due();
        Some(tcp)
    }

    /// For the next process.
    pub fn park(self) -> ParkedTcp {
        let claim = self.claim.as_ref().map(Claim::keep);
        let TcpConversation { parser, subject, shown, is_healthy, patience, guesses, ahead, .. } = self;
        let (patience_ms, ahead) = (patience.0, ahead.into_vec());
        let (authorized, shown) = (shown != Shown::Nothing, Some(shown));
        ParkedTcp { parser, subject, claim, authorized, shown, is_healthy, patience_ms, guesses, ahead }
    }

    #[cfg(test)]
    pub(super) fn parked_claim(&self) -> Option<claims::StoredClaim> {
        self.claim.as_ref().map(Claim::keep)
    }

    /// When to ask [`TcpConversation::end_quiet`], in milliseconds of the thread; told once.
    pub fn note_quiet(&mut self) -> Option<u64> {
        if self.quiet_ms == 0 || std::mem::replace(&mut self.quiet_is_noted, true) {
            return None;
        }
        Some(self.quiet_ms)
    }

    /// Looks whether something is whole by now, because nothing has come for [`QUIET`].
    pub fn end_quiet(&mut self, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        self.quiet_is_noted = false;
        if self.quiet_ms == 0 || self.quiet_ms > turn.now_ms {
            return Flow::Continue;
        }
        self.take_quiet(turn, host)
    }

    fn take_quiet(&mut self, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        self.quiet_ms = 0;
        let mut parser = std::mem::take(&mut self.parser);
        parser.quiet(&mut |event| self.take_event(event, turn, host));
        self.parser = parser;
        self.flow(turn, host)
    }

    fn watch_quiet(&mut self, turn: &TurnContext<'_>) {
        self.quiet_ms = if self.parser.wants_quiet() { turn.now_ms + QUIET.0 } else { 0 };
    }

    fn flow(&self, turn: &TurnContext<'_>, host: &dyn Host) -> Flow {
        match host.has_answers() {
            // It is closed after them.
            true => Flow::Continue,
            false if self.closes => Flow::Close,
            false if self.is_deaf(turn) => Flow::Pause,
            false => Flow::Continue,
        }
    }

    fn is_deaf(&self, turn: &TurnContext<'_>) -> bool {
        !self.deaf_until.is_due(turn)
    }

    fn take_event(&mut self, event: DialectEvent<'_>, turn: &TurnContext<'_>, host: &mut dyn Host) {
        if self.closes {
            return;
        }
        match event {
            DialectEvent::Frame => self.sign(Dialect::Frame, LineReply::Nothing, turn, host),
            DialectEvent::Pong => self.sign(Dialect::Pong, LineReply::Nothing, turn, host),
            DialectEvent::BarePing => self.sign(Dialect::Ping, LineReply::BarePong, turn, host),
            DialectEvent::Packet => self.sign(Dialect::Text, LineReply::Hello, turn, host),
            DialectEvent::Command(LineCommand::Ping) => self.sign(Dialect::Line, LineReply::Pong, turn, host),
            DialectEvent::Command(LineCommand::HeartbeatPing) => {
                self.sign(Dialect::Line, LineReply::HeartbeatPong, turn, host);
            }
            DialectEvent::Command(LineCommand::HeartbeatPong) => {
                self.sign(Dialect::Line, LineReply::Nothing, turn, host)
            }
            DialectEvent::Command(LineCommand::Beat(fields)) => self.beat(fields, turn, host),
            DialectEvent::Command(LineCommand::Auth(token)) => self.authorize(token.as_bytes(), turn, host),
            DialectEvent::Command(LineCommand::Quit) => self.closes = true,
            DialectEvent::Wrong(reason) => {
                host.count_beat(BeatResult::Invalid);
                host.answer(PendingAnswer::Tcp(LineReply::Error(reason), 0));
            }
            DialectEvent::Foreign(foreign) => {
                self.closes = true;
                host.count(match foreign {
                    Foreign::Http => ConnectionRefusal::ForeignHttp,
                    Foreign::Tls => ConnectionRefusal::ForeignTls,
                    Foreign::Ssh => ConnectionRefusal::ForeignSsh,
                    Foreign::Smb => ConnectionRefusal::ForeignSmb,
                });
            }
            DialectEvent::Impossible(frame) => {
                self.closes = true;
                host.count(ConnectionRefusal::Protocol);
                let peer = host.peer();
                host.log(Notice::ClientBroken { peer, kind: frame.kind, length: frame.length });
            }
        }
    }

    /// The monitor that it beats for, where that is not its address.
    fn monitor(&self) -> Option<Arc<str>> {
        let claim = self.claim.as_ref().filter(|_| self.subject != BeatSubject::Address)?;
        Some(claim.id().as_str().into())
    }
}

impl Conversation for TcpConversation {
    fn receive(&mut self, bytes: &mut [u8], turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        let joined = (!self.ahead.is_empty()).then(|| [&std::mem::take(&mut self.ahead), &*bytes].concat());
        let mut rest = joined.as_deref().unwrap_or(bytes);
        let mut parser = std::mem::take(&mut self.parser);
        let length_max = turn.policy.limits.beat_bytes;
        let mut has_ended = false;
        // Line by line where tokens are needed, so that a thousand guesses in one reading are not a thousand.
        let by_line = !turn.policy.access.beat_tokens.is_empty();
        while !rest.is_empty() && (!by_line || !self.is_deaf(turn)) {
            let line = if by_line { rest.iter().position(|byte| *byte == b'\n') } else { None };
            let (now, later) = rest.split_at(line.map_or(rest.len(), |end| end + 1));
            parser.feed(now, length_max, &mut |event| {
                has_ended = true;
                self.take_event(event, turn, host);
            });
            rest = later;
        }
        if !rest.is_empty() {
            // Behind the token that was put off, if one was.
            let put_off = std::mem::take(&mut self.ahead);
            self.ahead = [&put_off, rest].concat().into();
        }
        self.parser = parser;
        self.watch_message(has_ended, turn);
        self.silent = turn.second_after(self.timeout(turn));
        self.set_due();
        self.watch_quiet(turn);
        self.flow(turn, host)
    }

    fn has_unread(&self) -> bool {
        !self.ahead.is_empty()
    }

    fn is_paused(&self, turn: &TurnContext<'_>) -> bool {
        // A client that goes on sending fills the buffers of the kernel, and waits.
        self.is_deaf(turn)
    }

    fn rest(&mut self, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        // A stop does not wait for what has not come.
        match turn.ending {
            Some(_) if self.quiet_ms != 0 => self.take_quiet(turn, host),
            _ => Flow::Continue,
        }
    }

    fn end_of_input(&mut self, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        let flow = if self.quiet_ms != 0 { self.take_quiet(turn, host) } else { Flow::Close };
        self.closes = true;
        if host.has_answers() { flow } else { Flow::Close }
    }

    fn sent(&mut self, sent: Sent, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        let stalled = turn.stalled_after(self.stalled, sent);
        if stalled != self.stalled {
            self.stalled = stalled;
            self.set_due();
        }
        if sent.unsent_bytes > TALK_UNSENT_BYTES_MAX {
            host.count(ConnectionRefusal::Unread);
            return Flow::Close;
        }
        if self.closes || (sent.is_answer && turn.ending.is_some()) {
            return Flow::Close;
        }
        self.flow(turn, host)
    }

    fn time_out(&mut self, is_blocked: bool, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        self.check_deadlines(is_blocked, turn, host)
    }

    fn due(&self) -> Second {
        self.due
    }

    fn judge(&mut self, has_changed: bool, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        if has_changed {
            self.shown = self.shown.under_another_policy();
        }
        let peer = host.peer();
        let key = match turn.policy.access.check_again(Permission::Beat, peer, self.shown) {
            Ok(()) => return Flow::Continue,
            // It may show a token yet; a beat without one is answered so.
            Err(AccessRefusal::Token(_)) if self.subject == BeatSubject::Nobody => {
                if has_changed {
                    self.expect_token(turn, peer);
                    self.set_due();
                }
                return Flow::Continue;
            }
            Err(AccessRefusal::Token(key) | AccessRefusal::Network(key)) => key,
        };
        host.log(Notice::ClientDenied { peer, key });
        if self.parser.dialect() == Dialect::Line && !host.is_blocked() {
            host.send(format!("ERR {}\n", barred_by(key)).as_bytes());
        }
        Flow::Close
    }

    fn depart(&self, host: &mut dyn Host) {
        if !self.has_timed_out {
            host.log(Notice::ClientDisconnected { peer: host.peer(), monitor: self.monitor() });
        }
        let own = self.claim.as_ref().filter(|claim| self.subject == BeatSubject::Own && claim.holds());
        own.into_iter().for_each(|own| host.depart(own.id(), self.has_timed_out));
    }

    fn lingering(&mut self) -> Option<&mut u32> {
        None
    }

    fn read_bytes_max(&self) -> usize {
        TALK_READ_BYTES_MAX
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn kept_bytes(&self) -> usize {
        self.parser.kept_bytes() + self.ahead.len()
    }
}
