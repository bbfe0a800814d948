//! What happens, as it happens: `GET /api/v1/events`, an answer that goes on until its reader has enough.
//!
//! Each stream has a task that listens to the engine and writes into a short queue, from which hyper sends. A reader who
//! is slower than what happens fills the queue; the task then waits, the engine's own ring goes round, and what he
//! missed is counted and told to him. So a stream holds nothing that grows and holds nobody up. It ends when its reader
//! is gone, or when the daemon stops: a stop never waits for it.

use super::request::{Pass, RouteRequest, VERSION};
use crate::domain::access::Permission;
use crate::domain::address::Peer;
use crate::domain::limits::{EVENTS_EVERY, EVENTS_HELD_BYTES, EVENTS_PIECE_BYTES, EVENTS_WAITING_MAX};
use crate::domain::policy::Policy;
use crate::domain::time::Span;
use crate::engine::Engine;
use crate::engine::stats::ConnectionRefusal;
use crate::sys::clock;
use crate::transport::budget::{self, MemoryReservation};
use crate::transport::connection_limits::StreamPermit;
use crate::transport::deadline::Deadline;
use crate::transport::listener_context::ListenerContext;
use crate::view::events::{CONTENT_TYPE, EventEncoder};
use crate::wire::answer::Answer;
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval_at};

/// A body that goes on, as hyper sends it.
pub struct BodyStream {
    pieces: mpsc::Receiver<Result<Bytes, Broken>>,
    /// What it makes us hold, until its last bytes are sent.
    pub held: Option<MemoryReservation>,
    _place: Option<StreamPermit>,
}

/// A body that could not be made to its end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct Broken;

impl BodyStream {
    /// Of pieces that somebody makes.
    pub fn new(pieces: mpsc::Receiver<Result<Bytes, Broken>>, held: MemoryReservation) -> BodyStream {
        BodyStream { pieces, held: Some(held), _place: None }
    }

    /// The next piece; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        self.pieces.poll_recv(cx)
    }
}

const HEADERS: &[(&str, &str)] =
    &[("cache-control", "no-store"), ("x-accel-buffering", "no"), ("x-content-type-options", "nosniff")];

/// The head of the answer.
pub fn head() -> Answer {
    Answer { more: HEADERS, ..Answer::new(200, CONTENT_TYPE, &b""[..]) }
}

/// Begins a stream, unless there are too many.
/// `pass` is what its reader is judged by again when the policy changes; `None`: nothing bars him.
pub fn open(
    context: &ListenerContext,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
    pass: Option<Pass>,
) -> Result<BodyStream, Answer> {
    let limits = &policy.limits;
    let mut held = MemoryReservation::of(context.permits.budget.clone(), client, request.shed);
    let place = context.permits.acquire_stream(client, limits.streams_per_address);
    let place = place.and_then(|place| held.set(EVENTS_HELD_BYTES, limits.memory).map(|()| place));
    let place = place.map_err(|why| {
        context.engine.stats().count_refused(why);
        match why {
            ConnectionRefusal::Memory | ConnectionRefusal::MemoryTotal => budget::refusal(why),
            ConnectionRefusal::Address => Answer::too_often(
                "too many streams of events from this address (limits.streams_per_address)",
                Span::secs(30),
            ),
            _ => Answer::unavailable("too many streams of events; ask for the list instead", Span::secs(30)),
        }
    })?;
    let (sender, pieces) = mpsc::channel(EVENTS_WAITING_MAX);
    tokio::spawn(feed(context.engine.clone(), sender, pass));
    Ok(BodyStream { pieces, held: Some(held), _place: Some(place) })
}

/// Writes a stream to its end: when its reader is gone, when we stop, or when he may not read any more.
async fn feed(engine: Arc<Engine>, sender: mpsc::Sender<Result<Bytes, Broken>>, pass: Option<Pass>) {
    let mut policy_changes = engine.policy_changes();
    // It may have changed since its reader was let in.
    policy_changes.mark_changed();
    tokio::select! {
        () = write(&engine, &sender) => {}
        () = accept_paused(&engine, &mut policy_changes, pass) => {}
        () = sender.closed() => {}
    }
}

/// Resolves when the policy in force bars the reader.
async fn accept_paused(engine: &Engine, policy_changes: &mut watch::Receiver<()>, pass: Option<Pass>) {
    if let Some(Pass { client, shown }) = pass {
        // There is nobody to change it only when all ends.
        while policy_changes.changed().await.is_ok() {
            if engine.policy().access.check_again(Permission::Read, client, shown).is_err() {
                return;
            }
        }
    }
    std::future::pending().await
}

async fn write(engine: &Engine, sender: &mpsc::Sender<Result<Bytes, Broken>>) {
    // Watching begins before the greeting counts, so that nothing falls between the two.
    let mut events = engine.watch();
    let mut stream = EventEncoder::new(clock::wall());
    let every = Duration::from_millis(EVENTS_EVERY.0);
    let mut pause = interval_at(clock::timer_now() + every, every);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopping = Deadline::new();
    let mut piece = stream.hello(clock::wall(), VERSION, &engine.counts());
    loop {
        tokio::select! {
            _ = poll_fn(|cx| stopping.poll(cx, true)) => return,
            sent = sender.send(Ok(Bytes::from(piece))) => if sent.is_err() { return },
        }
        piece = tokio::select! {
            _ = poll_fn(|cx| stopping.poll(cx, true)) => return,
            _ = pause.tick() => stream.counts(clock::wall(), &engine.counts()),
            news = events.recv() => match news {
                Ok(news) => stream.events(clock::wall(), &news),
                Err(RecvError::Lagged(count)) => stream.missed(clock::wall(), count),
                Err(RecvError::Closed) => return,
            },
        };
        while piece.len() < EVENTS_PIECE_BYTES {
            match events.try_recv() {
                Ok(news) => piece += &stream.events(clock::wall(), &news),
                Err(TryRecvError::Lagged(count)) => piece += &stream.missed(clock::wall(), count),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }
}
