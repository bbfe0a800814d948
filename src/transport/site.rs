//! What all connections of one listener share.

use crate::domain::address::{Peer, Protocol};
use crate::domain::notice::Notice;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::Engine;
use crate::engine::stats::Turned;
use crate::sys::sockets::keepalive::KeepAlive;
use crate::transport::census::Census;
use crate::transport::tls::server::Acceptor;
use crate::wire::forwarded::Proxies;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A listener, as its connections know it.
pub struct Site {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The count of all connections.
    pub census: Arc<Census>,
    /// When the daemon started.
    pub started: Now,
    /// How far its visitors are trusted.
    pub trust: Trust,
    /// What it was set up with.
    pub setup: Setup,
    complained: AtomicU64,
    /// The same of proxies.
    complained_of_proxy: AtomicU64,
}

/// What a listener is set up with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Its name in the configuration.
    pub name: String,
    /// Where it stands, for messages.
    pub address: String,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What is asked of the kernel for its connections; `None`: nothing.
    pub keepalive: Option<KeepAlive>,
    /// Whom to believe about who sent a request.
    pub proxies: Proxies,
    /// Whether plain beats take the fast path; off only to find faults.
    pub fast_path: bool,
    /// What TLS needs, where it is spoken.
    pub tls: Option<Arc<Acceptor>>,
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
    pub fn new(engine: Arc<Engine>, census: Arc<Census>, started: Now, setup: Setup) -> Site {
        Site {
            engine,
            census,
            started,
            trust: Trust::Network,
            setup,
            complained: AtomicU64::new(0),
            complained_of_proxy: AtomicU64::new(0),
        }
    }

    /// The site of the control socket. No plain beat takes the fast path there: who is at the other end is asked first.
    pub fn of_control(engine: Arc<Engine>, census: Arc<Census>, started: Now, address: String) -> Site {
        let setup = Setup { name: "control".into(), address, ..Setup::default() };
        Site { trust: Trust::Control, ..Site::new(engine, census, started, setup) }
    }

    /// Whether its connections can be left to the next process of the service.
    pub fn hands_over(&self) -> bool {
        self.trust == Trust::Network && self.setup.tls.is_none()
    }

    /// Whether a complaint about this listener may be made now.
    pub(super) fn complain_at_most_once_a(&self, span: Span, now: Now) -> bool {
        is_due(&self.complained, span, now)
    }

    /// Counts a request or connection of a trusted proxy that does not say legibly whose it is, and says so once an hour.
    pub fn refuse_proxied(&self, peer: Peer, reason: &'static str, now: Now) {
        self.engine.stats().turned(Turned::Proxy);
        if is_due(&self.complained_of_proxy, Span::secs(3_600), now) {
            let address = self.setup.address.clone();
            self.engine.log().notice(now.wall, Notice::ProxyRefused { peer, address, reason });
        }
    }
}

/// Whether it is time again for a complaint, at most once in a span; `last` is when it was made.
fn is_due(last: &AtomicU64, span: Span, now: Now) -> bool {
    let before = last.load(Ordering::Relaxed);
    let due = before == 0 || now.mono >= Mono(before).after(span);
    due && last.compare_exchange(before, now.mono.0.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
