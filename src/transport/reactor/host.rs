//! What a conversation asks for, done: by the engine, the log and the counters, for the connection at hand.

use super::scratch::TurnOutput;
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Transport};
use crate::domain::id::{Id, IdRef};
use crate::domain::notice::Notice;
use crate::domain::registry::Receipt;
use crate::domain::time::Span;
use crate::engine::SenderRefusal;
use crate::engine::intake::claims::Claims;
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::transport::connection_io::ConnectionIo;
use crate::transport::conversation::answers::PendingAnswer;
use crate::transport::conversation::{Host, TurnContext};
use crate::transport::http::beats::{self, BeatForm, SentBeats};
use crate::transport::intake::{BeatIntake, IntakeError, named_by};
use crate::wire::answer::Answer;
use crate::wire::compat::{self, CompatRequest};
use crate::wire::fields::BeatError;
use crate::wire::head::{Plain, PlainUrl};
use crate::wire::origin::host_asked_for;
use std::sync::Arc;

/// The outside of one connection's conversation in one turn.
pub struct ConnectionHost<'a> {
    /// The connection.
    pub io: &'a ConnectionIo,
    /// How its beats come.
    pub transport: Transport,
    /// The circumstances.
    pub turn: &'a TurnContext<'a>,
    /// What the turn brings about.
    pub output: &'a mut TurnOutput,
}

impl Host for ConnectionHost<'_> {
    fn peer(&self) -> Peer {
        self.io.peer
    }

    fn certificate(&self) -> Option<IdRef<'_>> {
        self.io.stream.name()
    }

    fn claims(&self) -> &Arc<Claims> {
        self.io.context.engine.claims()
    }

    fn beat(
        &mut self,
        beat: Result<Beat<'_>, BeatError>,
        nameless: Option<IdRef<'_>>,
        follows_interval: bool,
    ) -> Result<Receipt, IntakeError> {
        let mut intake = BeatIntake {
            engine: &self.io.context.engine,
            policy: self.turn.policy,
            now: self.turn.now,
            client: self.io.peer,
            transport: self.transport,
            follows_interval,
            pending: &mut self.output.pending,
            nameless,
        };
        intake.take(beat)
    }

    fn request(&mut self, plain: &Plain<'_>) -> Option<Answer> {
        let ConnectionIo { context, peer, stream, .. } = self.io;
        let TurnContext { policy, now, .. } = *self.turn;
        if beats::token_wait(context, *peer, &plain.facts, now.mono).is_some() {
            return None;
        }
        if let Some(PlainUrl { path, beat, .. }) = plain.url {
            // What another service would take there an HTTP worker answers in its words.
            let query = beat.query;
            let request = CompatRequest { method: "GET", path, query, headers: &[], body: b"", at: now.wall };
            let host = host_asked_for(&context.options.proxies, *peer, &plain.facts);
            compat::find(&policy.compat, request, host, false).is_none().then_some(())?;
        }
        context.engine.stats().fast();
        Some(match beats::admit(context, policy, *peer, &plain.facts) {
            Ok(client) => {
                let nameless = named_by(stream.name(), *peer, client);
                let nameless = nameless.as_ref().map(Id::as_ref);
                let form = match plain.url {
                    None => BeatForm::Json { query: "" },
                    Some(PlainUrl { beat, json, .. }) => BeatForm::Url { beat, json },
                };
                let sent = SentBeats { form, body: plain.body };
                beats::take(context, policy, now, client, nameless, sent, &mut self.output.pending)
            }
            Err(refused) => refused,
        })
    }

    fn depart(&mut self, id: IdRef<'_>, is_silent: bool) {
        self.io.context.engine.depart(self.turn.now, id, is_silent, &mut self.output.pending);
    }

    fn contend(&mut self, id: IdRef<'_>, pair: [Peer; 2]) {
        self.io.context.engine.contend(self.turn.now, id, pair, &mut self.output.pending);
    }

    fn token_wait(&self) -> Option<Span> {
        self.io.context.engine.token_wait(self.turn.now.mono, self.io.peer)
    }

    fn note_wrong_token(&mut self, key: &'static str) {
        self.io.context.engine.note_wrong_token(self.turn.now, key, self.io.peer);
    }

    fn note_refused(&mut self, why: SenderRefusal) {
        self.io.context.engine.note_refused(self.turn.now, why, self.io.peer);
    }

    fn count(&mut self, why: ConnectionRefusal) {
        self.io.context.engine.stats().count_refused(why);
    }

    fn count_beat(&mut self, result: BeatResult) {
        self.io.context.engine.stats().beats(self.transport, result, 1);
    }

    fn log(&mut self, notice: Notice) {
        self.io.context.engine.log().notice(self.turn.now.wall, notice);
    }

    fn answer(&mut self, answer: PendingAnswer) {
        self.output.answers.push(answer);
    }

    fn has_answers(&self) -> bool {
        !self.output.answers.unissued().is_empty()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.output.bytes.extend_from_slice(bytes);
    }

    fn is_blocked(&self) -> bool {
        self.io.is_blocked()
    }
}
