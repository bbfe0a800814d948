//! HTTP: what requests mean and what they are answered, and hyper for all that are not plain beats.
//!
//! A connection begins in a front, which answers plain beats itself. The first request that is anything else takes the
//! connection, with all bytes read so far, to [`hyper_path`] for good. What a request means is decided in [`beats`] and
//! [`routes`], which know of neither, so that both paths answer alike.

pub(super) mod beats;
mod hyper_path;
mod io;
mod routes;

pub(super) use io::{Dates, last_words, timeout_answer};
pub use routes::VERSION;

use crate::domain::address::Peer;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::Engine;
use crate::transport::census::{Census, Place};
use crate::transport::deadline::Deadline;
use crate::transport::stream::StdStream;
use crate::wire::forwarded::Proxies;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the connections of one listener share.
pub struct Site {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The count of all connections.
    pub census: Arc<Census>,
    /// Where the listener stands, for messages.
    pub address: String,
    /// Whom to believe about who sent a request.
    pub proxies: Proxies,
    /// Whether plain beats take the fast path; off only to find faults.
    pub fast_path: bool,
    /// When the daemon started.
    pub started: Now,
    /// Whether it is the control socket.
    pub trust: Trust,
    complained: AtomicU64,
}

/// How far those are trusted who come through a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// As far as networks and tokens say.
    #[default]
    Network,
    /// It is the control socket: root and our own user may do everything there, others nothing.
    Control,
}

impl Site {
    /// A listener's site.
    pub fn new(
        engine: Arc<Engine>,
        census: Arc<Census>,
        address: String,
        proxies: Proxies,
        fast_path: bool,
        started: Now,
    ) -> Site {
        let trust = Trust::Network;
        Site { engine, census, address, proxies, fast_path, started, trust, complained: AtomicU64::new(0) }
    }

    /// The site of the control socket. No plain beat takes the fast path there: who is at the other end is asked first.
    pub fn of_control(engine: Arc<Engine>, census: Arc<Census>, address: String, started: Now) -> Site {
        let site = Site::new(engine, census, address, Proxies::default(), false, started);
        Site { trust: Trust::Control, ..site }
    }

    /// Whether a complaint about this listener may be made now.
    pub(super) fn complain_at_most_once_a(&self, span: Span, now: Now) -> bool {
        let last = self.complained.load(Ordering::Relaxed);
        let due = last == 0 || now.mono >= Mono(last).after(span);
        due && self
            .complained
            .compare_exchange(last, now.mono.0.max(1), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

/// A connection on its way from a front to a general thread.
pub struct Guest {
    /// Its stream.
    pub stream: StdStream,
    /// Answers that its socket has not taken yet.
    pub unsent: Vec<u8>,
    /// Bytes that were read and not understood.
    pub read: Vec<u8>,
    /// Who is at the other end.
    pub peer: Peer,
    /// What its listener's connections share.
    pub site: Arc<Site>,
    /// Its place in the count of connections, given back when it is dropped.
    pub place: Place,
}

/// Serves a connection to its end.
pub(super) async fn serve(guest: Guest) {
    let Guest { stream, unsent, read, peer, site, place } = guest;
    site.engine.stats().connection(1);
    if let Ok(mut stream) = stream.into_stream() {
        let deadline = Deadline::new();
        if unsent.is_empty() || io::finish(&mut stream, &unsent, &deadline, &site).await {
            hyper_path::serve(stream, read, peer, &site, deadline).await;
        }
    }
    site.engine.stats().connection(-1);
    drop(place);
}
