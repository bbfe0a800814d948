//! A host that writes down what a conversation asks of it.

use crate::domain::address::Peer;
use crate::domain::beat::Beat;
use crate::domain::id::IdRef;
use crate::domain::notice::Notice;
use crate::domain::policy::Policy;
use crate::domain::registry::Receipt;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::engine::intake::claims::Claims;
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::engine::{BeatRefusal, SenderRefusal};
use crate::transport::conversation::answers::{AnswerCache, PendingAnswer, PendingAnswers};
use crate::transport::conversation::{Host, TurnContext};
use crate::transport::intake::IntakeError;
use crate::wire::answer::Answer;
use crate::wire::fields::BeatError;
use crate::wire::head::Plain;
use std::sync::Arc;

/// What was asked, in words, and what waits for the commit.
pub struct TestHost {
    /// Where claims are held.
    pub claims: Arc<Claims>,
    /// What was asked.
    pub asked: Vec<String>,
    /// Bytes sent, answers included once they are committed.
    pub sent: Vec<u8>,
    /// Beats that were taken.
    pub beats: u64,
    /// Beats whose answers were sent.
    pub acknowledged: u64,
    /// Beats are refused: too many.
    pub refuses: bool,
    /// How long a token must wait.
    pub token_wait: Option<Span>,
    /// Bytes wait for the socket.
    pub is_blocked: bool,
    answers: PendingAnswers,
    cache: AnswerCache,
}

impl TestHost {
    /// With claims that others may share.
    pub fn new(claims: &Arc<Claims>) -> TestHost {
        TestHost {
            claims: claims.clone(),
            asked: Vec::new(),
            sent: Vec::new(),
            beats: 0,
            acknowledged: 0,
            refuses: false,
            token_wait: None,
            is_blocked: false,
            answers: PendingAnswers::default(),
            cache: AnswerCache::default(),
        }
    }

    /// Commits: what was answered is sent. True if anything was.
    pub fn commit(&mut self, turn: &TurnContext<'_>) -> bool {
        self.acknowledged += self.answers.unissued().iter().map(PendingAnswer::acknowledges).sum::<u64>();
        let ticket = self.answers.issue();
        let has_answered = ticket.is_some();
        let write = |ticket| self.answers.redeem(ticket, &mut self.cache, turn.now, &mut self.sent);
        ticket.into_iter().for_each(write);
        self.answers.clear();
        has_answered
    }

    fn take(&mut self) -> Result<Receipt, IntakeError> {
        if self.refuses {
            return Err(IntakeError::Refused(BeatRefusal::TooManyBeats(Span::secs(1))));
        }
        self.beats += 1;
        Ok(Receipt { interval: Span::secs(60), grace: Span::secs(30), created: false, deadline: None })
    }
}

/// The circumstances after so many milliseconds.
pub fn turn_at(policy: &Policy, ms: u64) -> TurnContext<'_> {
    let now = Now { mono: Mono(1_000 + ms), wall: Wall(1_700_000_000_000 + ms as i64) };
    TurnContext { policy, now, now_ms: ms, ending: None }
}

impl Host for TestHost {
    fn peer(&self) -> Peer {
        Peer::from_ip(std::net::Ipv4Addr::new(10, 0, 0, 7).into())
    }

    fn certificate(&self) -> Option<IdRef<'_>> {
        None
    }

    fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    fn beat(
        &mut self,
        beat: Result<Beat<'_>, BeatError>,
        nameless: Option<IdRef<'_>>,
        follows_interval: bool,
    ) -> Result<Receipt, IntakeError> {
        let nameless = nameless.map(IdRef::to_id);
        self.asked.push(format!("beat {beat:?} {nameless:?} {follows_interval}"));
        beat.map_err(IntakeError::Invalid)?;
        self.take()
    }

    fn request(&mut self, plain: &Plain<'_>) -> Option<Answer> {
        self.asked.push(format!("request {:?}", String::from_utf8_lossy(plain.body)));
        if self.token_wait.is_some() {
            return None;
        }
        Some(match self.take() {
            Ok(receipt) => Answer::ok(receipt.interval),
            Err(error) => Answer::too_often(error.reason(), Span::secs(1)).closing(),
        })
    }

    fn depart(&mut self, id: IdRef<'_>, is_silent: bool) {
        self.asked.push(format!("depart {id:?} {is_silent}"));
    }

    fn contend(&mut self, id: IdRef<'_>, _: [Peer; 2]) {
        self.asked.push(format!("contend {id:?}"));
    }

    fn token_wait(&self) -> Option<Span> {
        self.token_wait
    }

    fn note_wrong_token(&mut self, key: &'static str) {
        self.asked.push(format!("wrong token {key}"));
    }

    fn note_refused(&mut self, why: SenderRefusal) {
        self.asked.push(format!("refused {why:?}"));
    }

    fn count(&mut self, why: ConnectionRefusal) {
        self.asked.push(format!("count {why:?}"));
    }

    fn count_beat(&mut self, result: BeatResult) {
        self.asked.push(format!("count beat {result:?}"));
    }

    fn log(&mut self, notice: Notice) {
        self.asked.push(format!("log {notice:?}"));
    }

    fn answer(&mut self, answer: PendingAnswer) {
        self.answers.push(answer);
    }

    fn has_answers(&self) -> bool {
        !self.answers.unissued().is_empty()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
    }

    fn is_blocked(&self) -> bool {
        self.is_blocked
    }
}
