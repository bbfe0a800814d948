//! What is in force: everything of the configuration that a running daemon asks about while it works, in one value
//! that SIGHUP replaces whole.

use super::access::Access;
use super::alert::AlertPolicy;
use super::governor::Terms;
use super::lang::Lang;
use super::limits::Limits;
use super::rules::Rules;
use super::time::Span;
use std::str::FromStr;
use std::sync::Arc;

/// The policy in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Who may do what.
    pub access: Access,
    /// How much of everything.
    pub limits: Limits,
    /// What a new monitor is held to.
    pub defaults: Defaults,
    /// When patience is asked for.
    pub governor: Terms,
    /// What particular monitors are held to.
    pub rules: Arc<Rules>,
    /// The page's language where the browser does not say.
    pub page_lang: Lang,
    /// When WebSockets are pinged and given up.
    pub websocket: SocketTimes,
    /// Who is told of changes, and when.
    pub alerts: Arc<AlertPolicy>,
}

/// What a monitor is held to when neither it nor a rule says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Time between two beats.
    pub interval: Span,
    /// Time after that before it is down.
    pub grace: Span,
    /// Silence after which it is forgotten; `None`: never.
    pub forget_after: Option<Span>,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults { interval: Span::secs(60), grace: Span::secs(30), forget_after: None }
    }
}

/// How long the silence of a WebSocket may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketTimes {
    /// How often it is pinged; also the interval that a sender is held to who names no monitor.
    pub ping_interval: Span,
    /// Silence after which it is closed; longer than the interval.
    pub timeout: Span,
}

impl SocketTimes {
    /// What is left of the timeout after an interval.
    pub fn grace(self) -> Span {
        Span(self.timeout.0.saturating_sub(self.ping_interval.0))
    }
}

impl Default for SocketTimes {
    fn default() -> SocketTimes {
        SocketTimes { ping_interval: Span::secs(30), timeout: Span::secs(75) }
    }
}

/// When what was received counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Once the system has it: a crash of the daemon loses nothing, a power cut at most what is younger than the last
    /// sync, a second.
    #[default]
    Second,
    /// Once the disk has it: nothing is lost at all.
    Always,
}

impl Sync {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Sync::Second => "second",
            Sync::Always => "always",
        }
    }
}

impl FromStr for Sync {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Sync, &'static str> {
        match text {
            "second" => Ok(Sync::Second),
            "always" => Ok(Sync::Always),
            _ => Err("not a way to sync: write second or always"),
        }
    }
}
