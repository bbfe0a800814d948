//! ufw: rules for a port, told from those of others by their comment.
//!
//! Not by the application profile, which the packages install for people: its ports are fixed, ours are those of the
//! configuration. ufw takes a rule that differs only in the comment for the same rule, so one that somebody else wrote
//! in our words is left alone; else it would become ours, and be gone after `close`.

use super::ask::{Ask, FirewallError};
use super::plan::{
    Backend, Call, FirewallRule, Grant, MARK, Other, RuleSet, RuleStore, SourceNetwork, network, ports,
    short, words,
};
use super::{FirewallStatus, Remark};
use std::collections::BTreeSet;

/// How ufw stands; `None` where it is not installed. Rules can be written while it is off.
pub(super) fn look(ask: &mut dyn Ask) -> Result<Option<FirewallStatus>, FirewallError> {
    let status = match ask.must(&Call::new("ufw", ["status"])) {
        Err(FirewallError::Missing { .. }) => return Ok(None),
        other => other?,
    };
    let active = status.lines().any(|line| line.trim() == "Status: active");
    let added = ask.must(&Call::new("ufw", ["show", "added"]))?;
    let place = read(&added);
    let remarks = if active { Vec::new() } else { vec![Remark::Off(Backend::Ufw)] };
    Ok(Some(FirewallStatus { backend: Backend::Ufw, active, places: vec![place], remarks }))
}

/// What allows a grant.
pub(super) fn add(grant: &Grant) -> Call {
    let spec = match grant.from {
        SourceNetwork::Everyone => vec!["allow".to_string(), format!("{}/tcp", grant.port)],
        SourceNetwork::Network(net) => {
            let (net, port) = (short(&net), grant.port.to_string());
            ["allow", "from", &net, "to", "any", "port", &port, "proto", "tcp"].map(String::from).to_vec()
        }
    };
    Call::new("ufw", spec.into_iter().chain(["comment".into(), MARK.into()]))
}

/// Reads what `ufw show added` says: a rule a line, as a command that would make it.
fn read(added: &str) -> RuleSet {
    let mut place = RuleSet {
        name: "user rules".into(),
        filters: true,
        families: (true, true),
        ours: Vec::new(),
        others: Vec::new(),
        taken: BTreeSet::new(),
        way: RuleStore::Ufw,
    };
    for line in added.lines() {
        let mut spec = words(line);
        if spec.first().is_none_or(|word| word != "ufw") {
            continue;
        }
        spec.remove(0);
        let comment = match spec.iter().position(|word| word == "comment") {
            Some(at) => spec.split_off(at).into_iter().nth(1),
            None => None,
        };
        let grant = grant(&spec);
        if comment.as_deref() == Some(MARK) && spec.first().is_some_and(|word| word != "route") {
            let removal = Call::new("ufw", std::iter::once("delete".to_string()).chain(spec));
            place.ours.push(FirewallRule { grants: grant.into_iter().collect(), removal });
        } else {
            place.taken.extend(grant);
            let profile = spec.iter().any(|word| word == MARK);
            let ports =
                if profile { vec![(7777, 7778)] } else { spec.iter().flat_map(|word| ports(word)).collect() };
            place.others.push(Other { ports, text: line.trim().into() });
        }
    }
    place
}

/// The grant that a rule in our own words gives.
fn grant(spec: &[String]) -> Option<Grant> {
    let spec: Vec<&str> = spec.iter().map(String::as_str).collect();
    match spec[..] {
        ["allow", port] => {
            Some(Grant { port: port.strip_suffix("/tcp")?.parse().ok()?, from: SourceNetwork::Everyone })
        }
        ["allow", "from", net, "to", "any", "port", port, "proto", "tcp"] => {
            Some(Grant { port: port.parse().ok()?, from: SourceNetwork::Network(network(net)?) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask::testing::{Script, calls};
    use super::super::plan::{Choice, close, open};
    use super::*;

    fn look_at(status: &'static str, added: &'static str) -> FirewallStatus {
        let mut script = Script::new(&[("ufw status", 0, status), ("ufw show added", 0, added)]);
        look(&mut script).unwrap().unwrap()
    }

    const ADDED: &str = include_str!("testdata/ufw-added.txt");

    #[test]
    fn a_rule_for_everyone_and_one_for_each_network() {
        let standing = look_at("Status: active\n", "Added user rules (see ...):\n(None)\n");
        assert!(standing.active && standing.remarks.is_empty());
        let [place] = &standing.places[..] else { panic!() };
        assert_eq!(
            calls(&open(place, &[7777, 7778], &[])),
            "ufw allow 7777/tcp comment heartbeat-server\nufw allow 7778/tcp comment heartbeat-server\n"
        );
        let from = ["10.0.0.0/8".parse().unwrap(), "fd00::1/128".parse().unwrap()];
        assert_eq!(
            calls(&open(place, &[7777], &from)),
            "ufw allow from 10.0.0.0/8 to any port 7777 proto tcp comment heartbeat-server\n\
             ufw allow from fd00::1 to any port 7777 proto tcp comment heartbeat-server\n"
        );
        assert!(close(place, &Choice::default()).is_empty());
    }

    #[test]
    fn what_is_there_is_not_done_again_and_goes_as_it_came() {
        let standing = look_at("Status: active\n", ADDED);
        let [place] = &standing.places[..] else { panic!() };
        assert!(open(place, &[7777], &[]).is_empty());
        assert_eq!(
            calls(&close(place, &Choice::default())),
            "ufw delete allow 7777/tcp\n\
             ufw delete allow from 10.0.0.0/8 to any port 7778 proto tcp\n\
             ufw delete allow from 10.1.1.1 to any port 7777 proto tcp\n\
             ufw delete allow from fd00::/8 to any port 7777 proto tcp\n\
             ufw delete allow from fd00::1 to any port 7777 proto tcp\n"
        );
    }

    #[test]
    fn a_rule_of_others_in_our_words_does_not_become_ours() {
        let standing = look_at("Status: active\n", ADDED);
        let [place] = &standing.places[..] else { panic!() };
        assert!(open(place, &[7778], &[]).is_empty(), "ufw would put our comment on the rule for 7778");
        let seen = |port| place.others_on(port).map(|other| other.text.as_str()).collect::<Vec<_>>();
        assert_eq!(seen(7778), ["ufw allow 7778/tcp", "ufw allow heartbeat-server"]);
        assert_eq!(seen(7779), ["ufw deny 7779"]);
        assert_eq!(seen(9050), ["ufw allow 9000:9100/tcp comment 'not ours, heartbeat-server'"]);
    }

    #[test]
    fn it_may_be_off_or_not_there() {
        let standing = look_at("Status: inactive\n", "(None)\n");
        assert!(!standing.active);
        assert_eq!(standing.remarks, [Remark::Off(Backend::Ufw)]);
        assert_eq!(look(&mut Script::new(&[])).unwrap(), None);
    }
}
