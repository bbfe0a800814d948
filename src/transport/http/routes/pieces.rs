//! Answers in pieces: however long one is, only a piece or two of it are in memory at a time.
//!
//! A piece is made when hyper has room for it, on a thread that has the time. An answer that fits one piece is one like
//! any other.

use super::events::{BodyStream, Broken};
use super::reply::{RouteReply, aside, store_failed};
use super::request::RouteRequest;
use crate::domain::address::Peer;
use crate::domain::policy::Policy;
use crate::engine::Engine;
use crate::store::StoreError;
use crate::transport::budget::{self, MemoryReservation};
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What makes the body of an answer.
pub trait Pieces: Send + 'static {
    /// The next piece, and whether it is the last. May wait for a disk.
    fn piece(&mut self, engine: &Engine) -> Result<(Vec<u8>, bool), StoreError>;

    /// Bytes that it is reckoned at as long as it is under way.
    fn held_bytes(&self) -> usize;
}

/// Answers with `head` and a body that is made piece by piece.
pub async fn send(
    context: &ListenerContext,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
    head: Answer,
    mut pieces: impl Pieces,
) -> RouteReply {
    let first = aside(context, move |engine| {
        let piece = pieces.piece(engine);
        (pieces, piece)
    });
    let (pieces, piece, last) = match first.await {
        Ok((pieces, Ok((piece, last)))) => (pieces, piece, last),
        Ok((_, Err(error))) => return RouteReply::Whole(store_failed(&error)),
        Err(failed) => return RouteReply::Whole(failed),
    };
    if last {
        return RouteReply::Whole(Answer { body: piece.into(), ..head });
    }
    let mut held = MemoryReservation::of(context.permits.budget.clone(), client, request.shed);
    if let Err(why) = held.set(pieces.held_bytes(), policy.limits.memory) {
        context.engine.stats().count_refused(why);
        return RouteReply::Whole(budget::refusal(why).with_data_headers());
    }
    let (sender, receiver) = mpsc::channel(1);
    if request.method != "HEAD" {
        tokio::spawn(feed(context.engine.clone(), pieces, piece, sender));
    }
    RouteReply::BodyStream(head, BodyStream::new(receiver, held))
}

/// Writes the rest of an answer, one piece at a time and none before there is room for it.
async fn feed(
    engine: Arc<Engine>,
    mut pieces: impl Pieces,
    first: Vec<u8>,
    sender: mpsc::Sender<Result<Bytes, Broken>>,
) {
    let mut made = Some((first, false));
    loop {
        let Ok(room) = sender.reserve().await else { return };
        let (piece, last) = match made.take() {
            Some(made) => made,
            None => {
                let engine = engine.clone();
                let next = tokio::task::spawn_blocking(move || {
                    let piece = pieces.piece(&engine);
                    (pieces, piece)
                });
                match next.await {
                    Ok((on, Ok(piece))) => {
                        pieces = on;
                        piece
                    }
                    // What was sent cannot be taken back; a body that breaks off is seen to be no whole one.
                    _ => return room.send(Err(Broken)),
                }
            }
        };
        room.send(Ok(Bytes::from(piece)));
        if last {
            return;
        }
    }
}
