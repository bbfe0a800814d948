//! HTTP: what requests mean and what they are answered, and hyper for all that are not plain beats.
//!
//! A connection begins in a reactor, which answers plain beats itself. The first request that is anything else takes the
//! connection, with all bytes read so far, to [`hyper_path`] for good. What a request means is decided in [`beats`] and
//! [`routes`], which know of neither, so that both paths answer alike.

pub(super) mod beats;
mod compat;
mod hyper_path;
mod io;
mod routes;
mod upgrade;

pub use routes::VERSION;

use crate::domain::beat::Transport;
use crate::domain::limits::GENERAL_HELD_BYTES;
use crate::engine::stats::ConnectionRefusal;
use crate::sys::clock;
use crate::transport::budget;
use crate::transport::deadline::Deadline;
use crate::transport::handoff::{Handoff, HandoffProtocol};
use hyper_path::Released;
use std::time::Duration;

/// How often a connection is handed back to a reactor whose inbox is full, and how long to wait between that.
const HAND_BACKS_MAX: u32 = 500;
const HAND_BACK_EVERY: Duration = Duration::from_millis(2);

/// Serves a connection to its end, or until a reactor has it back: as a WebSocket, or for the next process.
pub(super) async fn serve(handoff: Handoff) {
    let Handoff { stream, unsent, read, peer, context, mut permit, origin } = handoff;
    context.engine.stats().connection(Transport::Http, 1);
    let mut left = None;
    let limits = context.engine.policy().limits.clone();
    // hyper lets its buffer for reading grow as long as a head may be.
    let kept = GENERAL_HELD_BYTES.max(8 * 1024 + limits.header_bytes) + unsent.len() + read.len();
    let mut own = permit.take_held(peer);
    let granted = own.set(kept, limits.memory);
    if let Ok(mut stream) = stream.into_stream() {
        let deadline = Deadline::new();
        if let Err(why) = granted {
            context.engine.stats().count_refused(why);
            let words = [unsent, budget::refusal(why).last_bytes(clock::wall())].concat();
            if io::finish(&mut stream, &words, &deadline, &context).await {
                io::linger(stream, deadline).await;
            }
            return context.engine.stats().connection(Transport::Http, -1);
        }
        if unsent.is_empty() || io::finish(&mut stream, &unsent, &deadline, &context).await {
            left = hyper_path::serve(stream, read, peer, &context, deadline, own).await;
        }
    }
    context.engine.stats().connection(Transport::Http, -1);
    let Some(Released { stream, read, opening }) = left else { return };
    let Ok(stream) = stream.into_std() else { return };
    let protocol = opening.map_or(HandoffProtocol::Http, HandoffProtocol::Ws);
    let handoff = Handoff {
        stream,
        unsent: Vec::new(),
        read,
        peer,
        context: context.clone(),
        permit,
        origin: origin.clone(),
    };
    let mut handoff = Box::new(handoff);
    for _ in 0..HAND_BACKS_MAX {
        match origin.hand_back(handoff, protocol) {
            Ok(()) => return,
            Err(refused) => handoff = refused,
        }
        tokio::time::sleep(HAND_BACK_EVERY).await;
    }
    // The reactor is far behind, or has ended: the connection is closed.
    context.engine.stats().count_refused(ConnectionRefusal::Total);
}
