//! What the daemon tells people besides the beats themselves: typed, so that every log format and language can
//! say it in its own way. The sentences stand in `view::words`.

use super::address::Peer;
use super::record::Reason;
pub use super::state::State;
use super::time::{Span, Wall};
use crate::i18n::Text;
use std::sync::Arc;

/// How much a notice matters; syslog's numbers (RFC 5424, 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something is lost or will not work until a person acts.
    Error = 3,
    /// Something is not as configured or expected; work goes on.
    Warning = 4,
    /// A change worth an operator's attention.
    Notice = 5,
    /// The ordinary course of things.
    Info = 6,
    /// For finding faults.
    Debug = 7,
}

impl Level {
    /// Lower-case name, as the configuration and JSON logs write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A listener stands and is served. `port` is `None` for a unix socket; `address` is always printable.
    Started {
        /// Where it listens, e.g. `[::]:7777` or `unix:/run/x.sock`.
        address: String,
        /// Its TCP port.
        port: Option<u16>,
    },
    /// A stop was asked for; what has arrived is still answered.
    Stopping,
    /// The last line of a run.
    Stopped,
    /// The configuration was read again and is in force.
    Reloaded,
    /// It was read again and refused; the old one stays.
    ReloadFailed {
        /// `file:line: key: reason`.
        reason: String,
    },
    /// Keys that changed but take effect only at the next start.
    NeedsRestart {
        /// The keys, e.g. `listen, state.dir`.
        keys: String,
    },
    /// A monitor changed its state.
    Transition {
        /// Its id.
        monitor: Arc<str>,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// The last sign of life, if there was any.
        last_beat: Option<Wall>,
        /// How long it had been silent.
        silent: Span,
        /// Why it went down; or, when it came up, had been down.
        reason: Option<Reason>,
        /// When.
        at: Wall,
    },
    /// A log target stopped taking lines.
    LogTargetFailed {
        /// `file:/var/log/x`, `syslog`, ….
        target: String,
        /// What the system said.
        reason: String,
    },
    /// It takes lines again.
    LogTargetBack {
        /// The target.
        target: String,
        /// Lines that did not reach it.
        lost: u64,
    },
    /// A client was not let in: it spoke no TLS, or showed no certificate that we accept.
    TlsRefused {
        /// Its address.
        peer: Peer,
        /// The listener it came to.
        address: String,
        /// Why.
        reason: String,
    },
    /// A trusted proxy does not say, or not legibly, whose request or connection it is; said now and then.
    ProxyRefused {
        /// The proxy.
        peer: Peer,
        /// The listener it came to.
        address: String,
        /// Why.
        reason: &'static str,
    },
    /// A client has been silent for too long, and its connection is closed.
    ClientGone {
        /// Whether it was one of those that we ask with `ping`, which people know by other words.
        asked: bool,
        /// Its address.
        peer: Peer,
        /// The monitor that it spoke for, where that is not its address.
        monitor: Option<Arc<str>>,
    },
    /// A client that keeps its connection has come.
    ClientConnected {
        /// Its address.
        peer: Peer,
    },
    /// A client from a network that may not send beats was sent away.
    ClientDenied {
        /// Its address.
        peer: Peer,
        /// The key of the configuration that says so.
        key: &'static str,
    },
    /// A client sent a frame that cannot be read, and its connection is closed.
    ClientBroken {
        /// Its address.
        peer: Peer,
        /// The type of the frame.
        kind: i32,
        /// Its length.
        length: i32,
    },
    /// It has gone, by itself.
    ClientDisconnected {
        /// Its address.
        peer: Peer,
        /// The monitor that it spoke for, where that is not its address.
        monitor: Option<Arc<str>>,
    },
    /// SIGUSR1: where things stand. The text is ready to print.
    Summary {
        /// E.g. `4 up, 1 late, 0 down; 66 beats/s; 5 connections`.
        text: String,
    },
    /// Anything else that an operator should know.
    Other {
        /// How much it matters.
        level: Level,
        /// A stable word for machines, e.g. `accept_paused`.
        kind: &'static str,
        /// One sentence.
        text: Text,
    },
}

impl Notice {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::Started { .. } | Notice::Stopping | Notice::Stopped | Notice::Reloaded => Level::Info,
            Notice::Summary { .. } => Level::Info,
            Notice::TlsRefused { .. } => Level::Debug,
            Notice::ClientGone { .. } => Level::Notice,
            Notice::ClientConnected { .. }
            | Notice::ClientDenied { .. }
            | Notice::ClientBroken { .. }
            | Notice::ClientDisconnected { .. } => Level::Debug,
            Notice::ReloadFailed { .. } | Notice::LogTargetFailed { .. } => Level::Error,
            Notice::NeedsRestart { .. } | Notice::LogTargetBack { .. } => Level::Warning,
            Notice::ProxyRefused { .. } => Level::Warning,
            Notice::Transition { to: State::Down, .. } => Level::Warning,
            Notice::Transition { .. } => Level::Notice,
            Notice::Other { level, .. } => *level,
        }
    }

    /// A stable word for machines: the `event` of JSON logs and what a journal MESSAGE_ID is made for.
    pub fn kind(&self) -> &'static str {
        match self {
            Notice::Started { .. } => "started",
            Notice::Stopping => "stopping",
            Notice::Stopped => "stopped",
            Notice::Reloaded => "reloaded",
            Notice::ReloadFailed { .. } => "reload_failed",
            Notice::NeedsRestart { .. } => "needs_restart",
            Notice::Transition { .. } => "transition",
            Notice::LogTargetFailed { .. } => "log_target_failed",
            Notice::LogTargetBack { .. } => "log_target_back",
            Notice::TlsRefused { .. } => "tls_refused",
            Notice::ProxyRefused { .. } => "proxy_refused",
            Notice::ClientGone { asked: false, .. } => "client_offline",
            Notice::ClientGone { asked: true, .. } => "client_timeout",
            Notice::ClientConnected { .. } => "client_connected",
            Notice::ClientDenied { .. } => "client_denied",
            Notice::ClientBroken { .. } => "client_broken",
            Notice::ClientDisconnected { .. } => "client_disconnected",
            Notice::Summary { .. } => "summary",
            Notice::Other { kind, .. } => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_levels_have_the_words_of_the_api_and_the_log() {
        assert_eq!(State::ALL.map(State::name), ["new", "up", "late", "down", "paused"]);
        let levels = [Level::Error, Level::Warning, Level::Notice, Level::Info, Level::Debug];
        assert_eq!(levels.map(Level::name), ["error", "warning", "notice", "info", "debug"]);
        assert_eq!(levels.map(|level| level as u8), [3, 4, 5, 6, 7], "as syslog numbers them");
        assert_eq!((Notice::Stopping.kind(), Notice::Stopped.kind()), ("stopping", "stopped"));
    }
}
