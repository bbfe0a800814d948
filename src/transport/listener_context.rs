//! What all connections of one listener share.

use crate::domain::address::{Peer, Protocol};
use crate::domain::notice::Notice;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::Engine;
use crate::engine::stats::ConnectionRefusal;
use crate::sys::sockets::keepalive::KeepAlive;
use crate::transport::connection_limits::ConnectionLimits;
use crate::transport::tls::server::Acceptor;
use crate::wire::forwarded::Proxies;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A listener, as its connections know it.
pub struct ListenerContext {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The limits on all connections.
    pub permits: Arc<ConnectionLimits>,
    /// When the daemon started.
    pub started: Now,
    /// How far its clients are trusted.
    pub trust: Trust,
    /// What it was set up with.
    pub options: ListenerOptions,
    /// When it was last logged that accept fails.
    logged_at: AtomicU64,
    /// When it was last logged that a proxy was refused.
    proxy_logged_at: AtomicU64,
}

/// What a listener is set up with.
#[derive(Clone, Debug, Default)]
pub struct ListenerOptions {
    /// Its name in the configuration.
    pub name: String,
    /// Where it stands, for messages.
    pub address: String,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What is asked of the kernel for its connections; `None`: nothing.
    pub keepalive: Option<KeepAlive>,
    /// Which proxies are trusted to say who sent a request.
    pub proxies: Proxies,
    /// Whether plain beats take the fast path; off only to find faults.
    pub fast_path: bool,
    /// What TLS needs, where it is spoken.
    pub tls: Option<Arc<Acceptor>>,
}

/// How far the clients of a listener are trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// As far as networks and tokens say.
    #[default]
    Network,
    /// It is the control socket: root and our own user may do everything there, others nothing.
    Control,
}

impl ListenerContext {
    /// The context of a listener.
    pub fn new(
        engine: Arc<Engine>,
        permits: Arc<ConnectionLimits>,
        started: Now,
        options: ListenerOptions,
    ) -> ListenerContext {
        ListenerContext {
            engine,
            permits,
            started,
            trust: Trust::Network,
            options,
            logged_at: AtomicU64::new(0),
            proxy_logged_at: AtomicU64::new(0),
        }
    }

    /// The context of the control socket. No plain beat takes the fast path there: its peer's credentials are asked first.
    pub fn of_control(
        engine: Arc<Engine>,
        permits: Arc<ConnectionLimits>,
        started: Now,
        address: String,
    ) -> ListenerContext {
        let options = ListenerOptions { name: "control".into(), address, ..ListenerOptions::default() };
        ListenerContext { trust: Trust::Control, ..ListenerContext::new(engine, permits, started, options) }
    }

    /// Whether its connections can be left to the next process of the service.
    pub fn hands_over(&self) -> bool {
        self.trust == Trust::Network && self.options.tls.is_none()
    }

    /// Whether a failure of this listener may be logged now.
    pub(super) fn may_log_every(&self, span: Span, now: Now) -> bool {
        is_due(&self.logged_at, span, now)
    }

    /// Counts a request or connection of a trusted proxy that does not say legibly whose it is, and says so once an hour.
    pub fn refuse_proxied(&self, peer: Peer, reason: &'static str, now: Now) {
        self.engine.stats().count_refused(ConnectionRefusal::Proxy);
        if is_due(&self.proxy_logged_at, Span::secs(3_600), now) {
            let address = self.options.address.clone();
            self.engine.log().notice(now.wall, Notice::ProxyRefused { peer, address, reason });
        }
    }
}

/// Whether something may be logged again, at most once in a span; `last` is when it was.
fn is_due(last: &AtomicU64, span: Span, now: Now) -> bool {
    let before = last.load(Ordering::Relaxed);
    let due = before == 0 || now.mono >= Mono(before).after(span);
    due && last.compare_exchange(before, now.mono.0.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
