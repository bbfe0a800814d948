//! Rules: what the configuration asks of the monitors that a pattern or a network names.
//!
//! A monitor goes by the first rule, in the order of the file, that names it, and by no other. A rule that names a
//! single id also declares a monitor: it exists before it is ever heard. Which rule it is, is looked up when a monitor
//! is made and after each reload, never for a beat; ids named singly are found in a map, the rest is gone through.

use super::address::Peer;
use super::alert::policy::AlertPolicy;
use super::limits::RULES_MAX;
use super::pattern::Pattern;
use super::schedule::Schedule;
use super::time::{Span, Wall};
use super::tolerance::Early;
use super::window::Window;
use super::zone::Zone;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Whom a rule names.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// Monitors whose id fits.
    Id(Pattern),
    /// Monitors that beat from this network, or whose id is an address in it.
    Network(IpNet),
}

/// A rule. What it leaves open the monitor's beats and the defaults decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Whom it names.
    pub matches: Match,
    /// Time between two beats; never together with `schedule`.
    pub interval: Option<Span>,
    /// Time after that, or after a slot of the schedule, before it is down.
    pub grace: Option<Span>,
    /// When beats are due.
    pub schedule: Option<Schedule>,
    /// Whose clocks it goes by, where it says so: also the times in alerts do.
    pub zone: Option<Zone>,
    /// How long before a slot a beat counts for it.
    pub early: Option<Early>,
    /// How long a declared monitor may not have been heard before it is down; `Some(None)`: for ever.
    pub first_beat: Option<Option<Span>>,
    /// How long a run may take.
    pub run_limit: Option<Span>,
    /// After how long a silence the monitor is removed; `Some(None)`: never.
    pub forget_after: Option<Option<Span>>,
    /// Labels that are added to those of its beats.
    pub tags: Vec<String>,
    /// When silence is expected.
    pub windows: Vec<Window>,
    /// Whom to tell of its changes: those notifiers and no others, with none of them nobody.
    pub notify: Option<Vec<String>>,
    /// Ids of the monitors that it depends on.
    pub after: Vec<String>,
}

/// All rules, at most [`RULES_MAX`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// In the order of the file.
    all: Vec<Rule>,
    /// Those that name a single id.
    literal: BTreeMap<String, u16>,
    /// The others, in their order.
    open: Vec<u16>,
    /// Those that have windows.
    windowed: Vec<u16>,
    /// Of the monitors of which rules somebody is told of each failed run, and last, whether of those that go by none;
    /// empty: of nobody's.
    failures: Vec<bool>,
}

impl Rule {
    /// A rule that asks for nothing yet.
    pub fn new(matches: Match) -> Rule {
        Rule {
            matches,
            interval: None,
            grace: None,
            schedule: None,
            zone: None,
            early: None,
            first_beat: None,
            run_limit: None,
            forget_after: None,
            tags: Vec::new(),
            windows: Vec::new(),
            notify: None,
            after: Vec::new(),
        }
    }

    /// Whether silence is expected at an instant, and until when; of several windows the one that lasts longest counts.
    /// At that instant another may be open, so ask again then.
    pub fn pause(&self, at: Wall) -> Option<Wall> {
        self.windows.iter().filter_map(|window| window.active(at)).max()
    }

    /// When a window of it next begins or ends, after an instant.
    pub fn next_boundary(&self, after: Wall) -> Option<Wall> {
        self.windows.iter().filter_map(|window| window.next_boundary(after)).min()
    }

    /// Whether it says when a beat is due, so that beats themselves cannot.
    pub fn is_fixed(&self) -> bool {
        self.interval.is_some() || self.schedule.is_some()
    }

    /// The single id that it names, if it does.
    pub fn literal(&self) -> Option<&str> {
        match &self.matches {
            Match::Id(pattern) if pattern.is_literal() => Some(pattern.as_str()),
            _ => None,
        }
    }
}

impl Rules {
    /// Rules in the order of the file; what is beyond [`RULES_MAX`] is left out.
    pub fn new(mut all: Vec<Rule>) -> Rules {
        all.truncate(RULES_MAX);
        let mut rules = Rules::default();
        for (rule, number) in all.iter().zip(0..) {
            match rule.literal() {
                Some(id) => _ = rules.literal.entry(id.to_string()).or_insert(number),
                None => rules.open.push(number),
            }
            if !rule.windows.is_empty() {
                rules.windowed.push(number);
            }
        }
        rules.all = all;
        rules
    }

    /// The same, with those being told of their monitors whom `alerts` names.
    pub fn told_to(mut self, alerts: &AlertPolicy) -> Rules {
        let named = self.all.iter().map(|rule| rule.notify.as_deref()).chain([None]);
        self.failures = named.map(|names| alerts.hear_failures(names.unwrap_or(&alerts.notify))).collect();
        if !self.failures.contains(&true) {
            self.failures.clear();
        }
        self
    }

    /// Whether somebody is told of each failed run of the monitors of a rule that are down, by its number, or of those that
    /// go by none.
    pub fn tell_failures(&self, number: u16) -> bool {
        let place = usize::from(number).min(self.all.len());
        self.failures.get(place).copied().unwrap_or(false)
    }

    /// The rule for a monitor: its id, and where the beat came from that makes it or was its last.
    pub fn find(&self, id: &str, peer: Peer) -> Option<u16> {
        let literal = self.literal.get(id).copied();
        let own: Option<IpAddr> = id.parse().ok().map(|own: IpAddr| own.to_canonical());
        let fits = |rule: &Rule| match &rule.matches {
            Match::Id(pattern) => pattern.matches(id),
            Match::Network(network) => {
                let from = matches!(peer, Peer::Ip(ip) if network.contains(&ip));
                from || own.is_some_and(|own| network.contains(&own))
            }
        };
        let before = |number: &&u16| literal.is_none_or(|literal| **number < literal);
        let open = self.open.iter().take_while(before).find(|number| self.get(**number).is_some_and(fits));
        open.copied().or(literal)
    }

    /// Whether a monitor exists because a rule names its id.
    pub fn declares(&self, id: &str) -> bool {
        self.literal.contains_key(id)
    }

    /// A rule by its number.
    pub fn get(&self, number: u16) -> Option<&Rule> {
        self.all.get(usize::from(number))
    }

    /// All rules in the order of the file; a rule's number is its place, from 0.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.all.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The monitors that exist because a rule names their id, each with the number of the rule that it goes by. That
    /// may be an earlier one whose pattern fits.
    pub fn declared(&self) -> impl Iterator<Item = (&str, u16)> {
        self.literal.iter().map(|(id, number)| (id.as_str(), self.find(id, Peer::Unix).unwrap_or(*number)))
    }

    /// Whether a schedule or a window goes by the machine's own time zone.
    pub fn go_by_local(&self) -> bool {
        let of_windows =
            |rule: &'_ Rule| rule.windows.iter().any(|window| window.zone().is_some_and(Zone::is_local));
        self.iter().any(|rule| {
            rule.schedule.as_ref().is_some_and(|schedule| schedule.zone().is_local()) || of_windows(rule)
        })
    }

    /// When any window next begins or ends, after an instant.
    pub fn next_boundary(&self, after: Wall) -> Option<Wall> {
        let windowed = self.windowed.iter().filter_map(|number| self.get(*number));
        windowed.filter_map(|rule| rule.next_boundary(after)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Notifier;

    fn rule(matches: &str) -> Rule {
        Rule::new(match matches.parse() {
            Ok(network) => Match::Network(network),
            Err(_) => Match::Id(Pattern::parse(matches).unwrap()),
        })
    }

    fn rules(all: &[&str]) -> Rules {
        Rules::new(all.iter().map(|text| rule(text)).collect())
    }

    fn peer(text: &str) -> Peer {
        Peer::from_ip(text.parse().unwrap())
    }

    #[test]
    fn the_first_rule_that_fits_holds() {
        let rules = rules(&["db-1", "10.0.0.0/8", "db-*", "web-1", "*", "web-2", "db-1"]);
        for (id, from, want) in [
            ("db-1", "10.1.1.1", 0),
            ("db-2", "10.1.1.1", 1),
            ("db-2", "192.168.1.1", 2),
            ("web-1", "10.1.1.1", 1),
            ("web-1", "192.168.1.1", 3),
            // The star stands before it.
            ("web-2", "192.168.1.1", 4),
            ("10.9.9.9", "192.168.1.1", 1),
            ("::ffff:10.9.9.9", "192.168.1.1", 1),
        ] {
            assert_eq!(rules.find(id, peer(from)), Some(want), "{id} from {from}");
        }
        assert_eq!(rules.find("10.2.3.4", Peer::Unix), Some(1));
        assert_eq!(Rules::default().find("x", Peer::Unix), None);
        let declared: Vec<_> = rules.declared().collect();
        assert_eq!(declared, [("db-1", 0), ("web-1", 3), ("web-2", 4)]);
    }

    #[test]
    fn the_longest_of_several_windows_counts_and_each_boundary_is_told() {
        let mut one = rule("a");
        one.windows = vec![
            Window::Once { from: Wall(10), to: Wall(20) },
            Window::Once { from: Wall(15), to: Wall(40) },
        ];
        let mut other = rule("b");
        other.windows = vec![Window::Once { from: Wall(30), to: Wall(35) }];
        assert_eq!(one.pause(Wall(12)), Some(Wall(20)));
        assert_eq!(one.pause(Wall(16)), Some(Wall(40)));
        assert_eq!(one.pause(Wall(40)), None);
        let rules = Rules::new(vec![one, other]);
        let mut at = Wall(0);
        let mut seen = Vec::new();
        while let Some(next) = rules.next_boundary(at) {
            seen.push(next.0);
            at = next;
        }
        assert_eq!(seen, [10, 15, 20, 30, 35, 40]);
    }

    #[test]
    fn who_is_told_of_each_failure_follows_from_whom_a_rule_names() {
        let every = Notifier { every_failure: true, ..Notifier::new("every") };
        let mut alerts = AlertPolicy { notifiers: vec![Notifier::new("ops"), every], ..Default::default() };
        let named = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        let (mut one, mut other, mut nobody) = (rule("a"), rule("b"), rule("c"));
        (one.notify, other.notify, nobody.notify) = (named(&["ops", "every"]), named(&["ops"]), named(&[]));
        let all = Rules::new(vec![one, other, nobody, rule("d")]);
        let heard = |alerts: &AlertPolicy| {
            let rules = all.clone().told_to(alerts);
            [0, 1, 2, 3, u16::MAX].map(|number| rules.tell_failures(number))
        };
        assert_eq!(heard(&alerts), [true, false, false, false, false]);
        alerts.notify = vec!["every".into()];
        assert_eq!(heard(&alerts), [true, false, false, true, true]);
        assert_eq!(heard(&AlertPolicy::default()), [false; 5]);
    }

    #[test]
    fn there_are_never_more_than_allowed() {
        let rules = Rules::new(vec![rule("*"); RULES_MAX + 1]);
        assert_eq!((rules.len(), rules.get(RULES_MAX as u16)), (RULES_MAX, None));
    }
}
