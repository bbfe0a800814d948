//! What the beats on a raw TCP connection are for, and what they are answered.

use super::{BeatSubject, TcpConversation};
use crate::domain::access::{AccessRefusal, Permission};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Warnings};
use crate::domain::id::{Id, IdRef};
use crate::domain::policy::Anonymous;
use crate::domain::time::Span;
use crate::engine::stats::BeatResult;
use crate::engine::{SenderRefusal, id_of_peer};
use crate::transport::conversation::answers::PendingAnswer;
use crate::transport::conversation::{Host, TurnContext};
use crate::transport::intake::IntakeError;
use crate::wire::dialect::Dialect;
use crate::wire::fields::Fields;
use crate::wire::line::{self, LineReply};
use std::borrow::Cow;

impl TcpConversation {
    /// Whether it may send beats; if not, answers so where the dialect can.
    fn may_beat(&self, dialect: Dialect, turn: &TurnContext<'_>, host: &mut dyn Host) -> bool {
        // Its network was judged when it was let in, and is whenever the policy changes, see `judge`.
        if turn.policy.access.beat_tokens.is_empty() {
            return true;
        }
        let reason = match turn.policy.access.check_again(Permission::Beat, host.peer(), self.shown) {
            Ok(()) => return true,
            Err(AccessRefusal::Token(key)) => {
                host.note_refused(SenderRefusal::Token(key));
                format!("a token from {key} is needed: AUTH TOKEN")
            }
            Err(AccessRefusal::Network(key)) => format!("not allowed from {}: see {key}", host.peer()),
        };
        host.count_beat(BeatResult::Denied);
        refuse(host, dialect, Cow::Owned(reason));
        false
    }

    /// Takes a sign of life that names no monitor.
    pub(super) fn sign(
        &mut self,
        dialect: Dialect,
        reply: LineReply,
        turn: &TurnContext<'_>,
        host: &mut dyn Host,
    ) {
        if !self.may_beat(dialect, turn, host) {
            return;
        }
        if self.subject == BeatSubject::Named && !self.is_healthy {
            // A sign of life does not end what a status reported.
            return answer(host, reply, 0);
        }
        let new = if self.claim.is_none() { self.nameless(turn, host) } else { None };
        let (subject, id) = match (&self.claim, &new) {
            (Some(claim), _) => (self.subject, claim.id()),
            (None, Some((subject, id))) => (*subject, id.as_ref()),
            (None, None) => return,
        };
        let mut beat = Beat::default();
        if subject != BeatSubject::Address {
            beat.id = Some(id);
        }
        if subject != BeatSubject::Named {
            let (interval, timeout) = TcpConversation::times_of(dialect, &turn.policy.tcp);
            beat.interval = Some(interval);
            beat.grace = Some(Span(timeout.0.saturating_sub(interval.0)));
        }
        let nameless = (subject == BeatSubject::Address).then_some(id);
        if let Err(error) = host.beat(Ok(beat), nameless, false) {
            return refuse(host, dialect, reason(&error));
        }
        // Only now: a sender that is refused takes no claim.
        match new {
            Some((subject, id)) => {
                self.subject = subject;
                self.claim = Some(host.claims().claim(dialect as u8, id.as_ref(), host.peer()));
            }
            None => self.renew(host),
        }
        answer(host, reply, 1);
    }

    /// Takes a beat that names its monitor.
    pub(super) fn beat(&mut self, mut fields: Fields<'_>, turn: &TurnContext<'_>, host: &mut dyn Host) {
        if !self.may_beat(Dialect::Line, turn, host) {
            return;
        }
        let beat = fields.beat();
        let warnings = beat.as_ref().map_or(Warnings::NONE, |beat| beat.warnings);
        let named = beat.as_ref().ok().and_then(|beat| Some((beat.id?, beat.status.verdict() == Some(true))));
        let receipt = match host.beat(beat, None, true) {
            Ok(receipt) => receipt,
            Err(error) => return refuse(host, Dialect::Line, reason(&error)),
        };
        if let Some((id, is_healthy)) = named {
            self.set_name(id, host);
            self.is_healthy = is_healthy;
            self.patience = Span(receipt.interval.0.saturating_add(receipt.grace.0));
        }
        answer(host, LineReply::Ok(Some(receipt.interval), warnings), 1);
    }

    /// From now on it beats for this monitor.
    fn set_name(&mut self, id: IdRef<'_>, host: &mut dyn Host) {
        match &self.claim {
            Some(claim) if self.subject == BeatSubject::Named && claim.id() == id => return self.renew(host),
            Some(own) if self.subject == BeatSubject::Own => host.depart(own.id(), false),
            _ => {}
        }
        self.subject = BeatSubject::Named;
        self.claim = Some(host.claims().claim(Dialect::Line as u8, id, host.peer()));
    }

    /// It goes on beating for its monitor.
    fn renew(&self, host: &mut dyn Host) {
        // Most ids have one connection.
        let Some(claim) = self.claim.as_ref().filter(|claim| !claim.holds()) else { return };
        // Those that give no name share the monitor of their address.
        if let Some(pair) = claim.renew(host.peer()).filter(|_| self.subject == BeatSubject::Named) {
            host.contend(claim.id(), pair);
        }
    }

    /// Whom a sender beats for that gives no name; its certificate may.
    fn nameless(&self, turn: &TurnContext<'_>, host: &dyn Host) -> Option<(BeatSubject, Id)> {
        if let Some(name) = host.certificate() {
            return Some((BeatSubject::Named, name.to_id()));
        }
        match (host.peer(), turn.policy.tcp.anonymous) {
            (Peer::Ip(ip), Anonymous::IpPort) if self.port != 0 => {
                let own = std::net::SocketAddr::new(ip, self.port).to_string();
                Id::new(&own).ok().map(|id| (BeatSubject::Own, id))
            }
            (peer, _) => id_of_peer(peer).map(|id| (BeatSubject::Address, id)),
        }
    }
}

/// Answers once the beats of this turn are on record, of which it acknowledges so many.
pub(super) fn answer(host: &mut dyn Host, reply: LineReply, acknowledges: u64) {
    host.answer(PendingAnswer::Tcp(reply, acknowledges));
}

/// Answers why a beat was not taken, where the dialect has words for it.
fn refuse(host: &mut dyn Host, dialect: Dialect, reason: Cow<'static, str>) {
    if dialect == Dialect::Line {
        answer(host, LineReply::Error(reason), 0);
    }
}

/// Why a beat was not taken, as it stands behind `ERR`.
fn reason(error: &IntakeError) -> Cow<'static, str> {
    match error {
        IntakeError::Invalid(error) => line::reason(error),
        IntakeError::Refused(_) => Cow::Owned(error.reason().to_string()),
    }
}
