//! What happens, as it happens: `GET /api/v1/events`, an answer that goes on until its reader has enough.
//!
//! Each stream has a task that listens to the engine and writes into a short queue, from which hyper sends. A reader who
//! is slower than what happens fills the queue; the task then waits, the engine's own ring goes round, and what he
//! missed is counted and told to him. So a stream holds nothing that grows and holds nobody up. It ends when its reader
//! is gone, or when the daemon stops: a stop never waits for it.

use crate::domain::limits::{EVENTS_EVERY, EVENTS_WAITING_MAX};
use crate::domain::time::Span;
use crate::engine::Engine;
use crate::sys::clock;
use crate::transport::census::StreamPlace;
use crate::transport::deadline::Deadline;
use crate::transport::http::routes::VERSION;
use crate::transport::site::Site;
use crate::view::events::{CONTENT_TYPE, Stream};
use crate::wire::answer::Answer;
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at};

/// Tidings put into one piece when several have come.
const TOGETHER_MAX: usize = 64;

/// One stream, as hyper sends it.
pub struct Events {
    pieces: mpsc::Receiver<Bytes>,
    _place: StreamPlace,
}

impl Events {
    /// The next piece; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
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
pub fn open(site: &Site) -> Result<Events, Answer> {
    let Some(place) = site.census.enter_stream() else {
        return Err(Answer::unavailable(
            "too many streams of events; ask for the list instead",
            Span::secs(30),
        ));
    };
    let (post, pieces) = mpsc::channel(EVENTS_WAITING_MAX);
    tokio::spawn(feed(site.engine.clone(), post));
    Ok(Events { pieces, _place: place })
}

/// Writes a stream to its end.
async fn feed(engine: Arc<Engine>, post: mpsc::Sender<Bytes>) {
    // Watching begins before the greeting counts, so that nothing falls between the two.
    let mut tidings = engine.watch();
    let mut stream = Stream::new(clock::wall());
    let every = Duration::from_millis(EVENTS_EVERY.0);
    let mut pause = interval_at(clock::timer_now() + every, every);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopping = Deadline::new();
    let mut piece = stream.hello(clock::wall(), VERSION, &engine.counts());
    loop {
        tokio::select! {
            _ = poll_fn(|cx| stopping.poll(cx, true)) => return,
            sent = post.send(Bytes::from(piece)) => if sent.is_err() { return },
        }
        piece = tokio::select! {
            _ = poll_fn(|cx| stopping.poll(cx, true)) => return,
            () = post.closed() => return,
            _ = pause.tick() => stream.counts(clock::wall(), &engine.counts()),
            news = tidings.recv() => match news {
                Ok(news) => stream.tidings(clock::wall(), &news),
                Err(RecvError::Lagged(count)) => stream.missed(clock::wall(), count),
                Err(RecvError::Closed) => return,
            },
        };
        for _ in 1..TOGETHER_MAX {
            match tidings.try_recv() {
                Ok(news) => piece += &stream.tidings(clock::wall(), &news),
                Err(TryRecvError::Lagged(count)) => piece += &stream.missed(clock::wall(), count),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }
}
