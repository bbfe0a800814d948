//! What the configuration says of alerts: the notifiers there are, and who is told where a monitor's rule is silent.

use super::message::Server;
use super::pair::PairPolicy;
use crate::domain::time::Span;

/// Most notifiers.
pub const NOTIFIERS_MAX: usize = 64;
/// Most notifiers that one rule, or the defaults, may name.
pub const NOTIFY_MAX: usize = 16;
/// Longest name of a notifier in bytes.
pub const NOTIFIER_NAME_BYTES_MAX: usize = 64;
/// Longest time that changes may be gathered for one message.
pub const GROUP_WAIT_MAX: Span = Span::secs(3600);
/// Longest time that an outage may be kept back.
pub const MIN_DOWN_MAX: Span = Span::secs(30 * 86_400);
/// Shortest time between two reminders.
pub const REMIND_MIN: Span = Span::secs(60);
/// Longest.
pub const REMIND_MAX: Span = Span::secs(30 * 86_400);
/// Longest time that a message is tried.
pub const RETRY_FOR_MAX: Span = Span::secs(7 * 86_400);

/// A notifier, as far as it matters here what it is told and when; how it is reached its channel knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Notifier {
    /// Its name: 1–64 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// For how long changes are gathered so that they become one message.
    pub group_wait: Span,
    /// How long a monitor must have been down before that is told.
    pub min_down: Span,
    /// How often it is told again of monitors that stay down; `None`: never.
    pub remind_every: Option<Span>,
    /// Whether it is told of each further failed run of a monitor that is down.
    pub every_failure: bool,
    /// Messages a minute, at most.
    pub rate_per_minute: u32,
    /// For how long a message is tried.
    pub retry_for: Span,
    /// The notifier that gets what this one finally does not take.
    pub fallback: Option<String>,
}

impl Notifier {
    /// One of that name, by default.
    pub fn new(name: &str) -> Notifier {
        Notifier {
            name: name.to_string(),
            group_wait: Span::secs(10),
            min_down: Span(0),
            remind_every: None,
            every_failure: false,
            rate_per_minute: 60,
            retry_for: Span::secs(86_400),
            fallback: None,
        }
    }

    /// Whether a text can name a notifier: it stands in keys, headers and paths as it is.
    pub fn is_name(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        (1..=NOTIFIER_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
    }
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertPolicy {
    /// The notifiers, at most [`NOTIFIERS_MAX`], each name once.
    pub notifiers: Vec<Notifier>,
    /// Who is told of monitors whose rule does not say; nobody, where this is empty too.
    pub notify: Vec<String>,
    /// Who tells it.
    pub server: Server,
    /// The other server that judges the same monitors, if there is one.
    pub pair: Option<PairPolicy>,
}

impl AlertPolicy {
    /// A notifier by its name.
    pub fn notifier(&self, name: &str) -> Option<&Notifier> {
        self.notifiers.iter().find(|notifier| notifier.name == name)
    }

    /// How long a monitor must have been down before a notifier is told of it.
    pub fn min_down(&self, name: &str) -> Span {
        self.notifier(name).map_or(Span(0), |notifier| notifier.min_down)
    }

    /// How often a notifier is told again of monitors that stay down; `None`: never.
    pub fn remind_every(&self, name: &str) -> Option<Span> {
        self.notifier(name).and_then(|notifier| notifier.remind_every)
    }

    /// Whether any of these is told of each failed run of a monitor that is down.
    pub fn hear_failures(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.notifier(name).is_some_and(|notifier| notifier.every_failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notifier_is_named_by_what_can_stand_in_keys_and_paths() {
        for name in ["ops", "on-call.2_b", "A", &"x".repeat(NOTIFIER_NAME_BYTES_MAX)] {
            assert!(Notifier::is_name(name), "{name}");
        }
        for name in ["", "a b", "a/b", "值班", "a\n", &"x".repeat(NOTIFIER_NAME_BYTES_MAX + 1)] {
            assert!(!Notifier::is_name(name), "{name}");
        }
    }
}
