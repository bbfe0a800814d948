//! Which dialects of other services are spoken, how strictly, and under which names.

use super::host;

/// What the configuration says of dialects; of one that it does not name what the dialect itself says holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompatPolicy {
    /// By the names of the dialects.
    pub switches: Vec<(&'static str, CompatSwitch)>,
}

/// What the configuration says of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompatSwitch {
    /// Whether it is spoken.
    pub is_on: bool,
    /// Whether a key that is not known is refused, as the service would, rather than made a monitor.
    pub is_strict: bool,
    /// The names under which it is spoken; empty: any.
    pub hosts: Vec<String>,
}

impl CompatPolicy {
    /// What is said of a dialect.
    pub fn of(&self, name: &str) -> Option<&CompatSwitch> {
        self.switches.iter().find(|(of, _)| *of == name).map(|(_, switch)| switch)
    }
}

impl CompatSwitch {
    /// Whether it is spoken under a name.
    pub fn is_on_for(&self, host: Option<&[u8]>) -> bool {
        self.is_on && (self.hosts.is_empty() || host.is_some_and(|host| host::is_among(&self.hosts, host)))
    }
}
