//! What is in force: everything of the configuration that a running daemon asks about while it works, in one value
//! that SIGHUP replaces whole.

use super::access::Access;
use super::alert::policy::AlertPolicy;
use super::compat::CompatPolicy;
use super::governor::Terms;
use super::lang::Lang;
use super::limits::Limits;
use super::rules::{Rule, Rules};
use super::schedule::Schedule;
use super::time::Span;
use super::tolerance::{Early, fitting_grace};
use super::zone::UnknownLocal;
use crate::i18n::ParseError;
use std::str::FromStr;
use std::sync::Arc;

/// The policy in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Counts the policies that were in force since the start.
    pub generation: u64,
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
    /// Why the machine's own time zone is not known, where anything goes by it.
    pub local_zone: Option<UnknownLocal>,
    /// The language of messages, and of answers to those who do not say theirs.
    pub lang: Lang,
    /// How long silence on a raw TCP connection may be.
    pub tcp: TcpTimes,
    /// When WebSockets are pinged and given up.
    pub websocket: SocketTimes,
    /// Which dialects of other services are spoken.
    pub compat: CompatPolicy,
    /// Who is told of changes, and when.
    pub alerts: Arc<AlertPolicy>,
}

/// What a monitor is held to when neither it nor a rule says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Time between two beats.
    pub interval: Span,
    /// Time after that before it is down; `None`: one that fits, see [`fitting_grace`].
    pub grace: Option<Span>,
    /// How long before its slot a beat counts for it.
    pub early: Early,
    /// How long a declared monitor may not have been heard before it is down; `None`: for ever.
    pub first_beat: Option<Span>,
    /// Silence after which it is forgotten; `None`: never.
    pub forget_after: Option<Span>,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            interval: Span::secs(60),
            grace: None,
            early: Early::default(),
            first_beat: None,
            forget_after: None,
        }
    }
}

impl Defaults {
    /// The grace of a monitor that has named none itself.
    pub fn grace_for(&self, rule: Option<&Rule>, interval: Span) -> Span {
        let schedule = rule.and_then(|rule| rule.schedule.as_ref());
        let between = schedule.map_or(interval, Schedule::shortest_gap);
        rule.and_then(|rule| rule.grace).or(self.grace).unwrap_or_else(|| fitting_grace(between))
    }
}

/// The times of raw TCP connections, and who those are that give no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpTimes {
    /// How often `ping` is sent, where it is; also the interval that a nameless sender is held to.
    pub ping_interval: Span,
    /// Silence after which a connection is closed that speaks no other dialect than those below.
    pub timeout: Span,
    /// The same where frames are sent.
    pub frame_timeout: Span,
    /// The same where lines are sent, for a monitor that is not granted more.
    pub line_timeout: Span,
    /// Which monitor a sender is that gives no name.
    pub anonymous: Anonymous,
}

/// Which monitor a sender is that gives no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// That of its address, which all connections from there share.
    #[default]
    Ip,
    /// One of its own, for as long as the connection lasts.
    IpPort,
}

impl Default for TcpTimes {
    fn default() -> TcpTimes {
        TcpTimes {
            ping_interval: Span::secs(3),
            timeout: Span::secs(10),
            frame_timeout: Span::secs(15),
            line_timeout: Span::secs(75),
            anonymous: Anonymous::Ip,
        }
    }
}

impl Anonymous {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Anonymous::Ip => "ip",
            Anonymous::IpPort => "ip:port",
        }
    }
}

impl FromStr for Anonymous {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Anonymous, ParseError> {
        let known = [Anonymous::Ip, Anonymous::IpPort].into_iter().find(|anonymous| anonymous.name() == text);
        known.ok_or(ParseError::NotAnonymous)
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
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Sync, ParseError> {
        match text {
            "second" => Ok(Sync::Second),
            "always" => Ok(Sync::Always),
            _ => Err(ParseError::NotSync),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_configuration_are_read_as_they_are_written() {
        for way in [Anonymous::Ip, Anonymous::IpPort] {
            assert_eq!(way.name().parse(), Ok(way));
        }
        assert_eq!((Anonymous::Ip.name(), Anonymous::IpPort.name()), ("ip", "ip:port"));
        assert!("port".parse::<Anonymous>().is_err());
        for way in [Sync::Second, Sync::Always] {
            assert_eq!(way.name().parse(), Ok(way));
        }
        assert_eq!((Sync::Second.name(), Sync::Always.name()), ("second", "always"));
        assert!("never".parse::<Sync>().is_err());
        assert_eq!(SocketTimes::default().grace(), Span::secs(45));
    }
}
