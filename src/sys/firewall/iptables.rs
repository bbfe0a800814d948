//! iptables and ip6tables: a rule at the head of INPUT in both, told from those of others by its comment.

use super::ask::{Ask, FirewallError, ProgramOutput};
use super::plan::{
    Backend, Call, FirewallRule, Grant, MARK, Other, RuleSet, RuleStore, SourceNetwork, network, ports, words,
};
use super::{FirewallStatus, Remark};
use std::collections::BTreeSet;

/// Targets that keep nobody out. Any other, a chain of somebody's own included, may.
const HARMLESS: [&str; 8] = ["ACCEPT", "RETURN", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "AUDIT"];

/// What iptables says where the kernel has none of it, or the table belongs to somebody who speaks nftables only.
const NOT_THERE: [&str; 4] = ["can't initialize", "does not exist", "not supported", "is incompatible"];

/// How iptables stands; `None` where it is not. A family that cannot be asked, because the kernel has none of it, is
/// left out and said.
pub(super) fn look(ask: &mut dyn Ask) -> Result<Option<FirewallStatus>, FirewallError> {
    let mut standing =
        FirewallStatus { backend: Backend::Iptables, active: false, places: Vec::new(), remarks: Vec::new() };
    for program in ["iptables", "ip6tables"] {
        let call = Call::new(program, ["-w", "5", "-S", "INPUT"]);
        match ask.ask(&call) {
            Ok(ProgramOutput { code: 0, out, .. }) => standing.places.push(read(program, &out)),
            Err(FirewallError::Missing { .. }) => {}
            Ok(answer) if NOT_THERE.iter().any(|words| answer.said().contains(words)) => {
                standing.remarks.push(Remark::LeftOut { program, reason: answer.said() });
            }
            Ok(answer) => return Err(FirewallError::Failed { call, answer }),
            Err(other) => return Err(other),
        }
    }
    if standing.places.is_empty() {
        return Ok(None);
    }
    standing.active = standing.places.iter().any(|place| place.filters);
    if standing.active {
        standing.remarks.push(Remark::Volatile(Backend::Iptables));
    }
    Ok(Some(standing))
}

/// The families of nftables whose chain INPUT in the table `filter` is really one of iptables', if it writes to nftables
/// at all and can make out what stands there.
pub(super) fn in_nft(
    ask: &mut dyn Ask,
    standing: Option<&FirewallStatus>,
) -> Result<Vec<&'static str>, FirewallError> {
    let Some(standing) = standing else { return Ok(Vec::new()) };
    let nft = match ask.ask(&Call::new("iptables", ["--version"])) {
        Ok(answer) => answer.out.contains("nf_tables"),
        Err(FirewallError::Missing { .. }) => false,
        Err(other) => return Err(other),
    };
    let families = standing.places.iter().map(|place| if place.families.0 { "ip" } else { "ip6" });
    Ok(if nft { families.collect() } else { Vec::new() })
}

/// What lets a grant in.
pub(super) fn add(program: &'static str, grant: &Grant) -> Call {
    let mut rule: Vec<String> = ["-w", "5", "-I", "INPUT"].map(String::from).to_vec();
    if let SourceNetwork::Network(net) = grant.from {
        rule.extend(["-s".into(), net.to_string()]);
    }
    let port = grant.port.to_string();
    rule.extend(["-p", "tcp", "-m", "tcp", "--dport", &port].map(String::from));
    rule.extend(["-m", "comment", "--comment", MARK, "-j", "ACCEPT"].map(String::from));
    Call::new(program, rule)
}

/// Reads INPUT, as `-S` prints it: the policy, and each rule as what would append it.
fn read(program: &'static str, text: &str) -> RuleSet {
    let mut place = RuleSet {
        name: format!("{program} INPUT"),
        filters: false,
        families: (program == "iptables", program == "ip6tables"),
        ours: Vec::new(),
        others: Vec::new(),
        taken: BTreeSet::new(),
        way: RuleStore::Input(program),
    };
    for line in text.lines() {
        let words = words(line);
        let after = |option: &str| {
            let at = words.iter().position(|word| word == option)?;
            words.get(at + 1).map(String::as_str)
        };
        match words.first().map(String::as_str) {
            Some("-P") => place.filters |= words.last().is_some_and(|policy| policy != "ACCEPT"),
            Some("-A") if after("--comment") == Some(MARK) && after("-j") == Some("ACCEPT") => {
                let removal =
                    ["-w", "5", "-D"].map(String::from).into_iter().chain(words[1..].iter().cloned());
                let removal = Call::new(program, removal);
                let grants = grant(&words).into_iter().collect();
                place.ours.push(FirewallRule { grants, removal });
            }
            Some("-A") => {
                let target = after("-j").or_else(|| after("-g"));
                place.filters |= target.is_some_and(|target| !HARMLESS.contains(&target));
                let spoken =
                    ["--dport", "--dports"].iter().filter_map(|o| after(o)).flat_map(ports).collect();
                place.others.push(Other { ports: spoken, text: line.into() });
            }
            _ => {}
        }
    }
    place
}

/// The grant that a rule in our own words gives.
fn grant(words: &[String]) -> Option<Grant> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (from, rest) = match &words[2..] {
        ["-s", net, rest @ ..] => (SourceNetwork::Network(network(net)?), rest),
        rest => (SourceNetwork::Everyone, rest),
    };
    match rest {
        ["-p", "tcp", "-m", "tcp", "--dport", port, "-m", "comment", "--comment", _, "-j", _] => {
            Some(Grant { port: port.parse().ok()?, from })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask::testing::{Script, calls};
    use super::super::plan::{Choice, close, open};
    use super::*;
    use ipnet::IpNet;

    const FOUR: &str = include_str!("testdata/iptables-input.txt");
    const SIX: &str = include_str!("testdata/ip6tables-input.txt");

    fn standing(four: &str, six: &str) -> FirewallStatus {
        let mut script =
            Script::new(&[("iptables -w 5 -S INPUT", 0, four), ("ip6tables -w 5 -S INPUT", 0, six)]);
        look(&mut script).unwrap().unwrap()
    }

    fn all(standing: &FirewallStatus, from: &[&str]) -> String {
        let from: Vec<IpNet> = from.iter().map(|net| net.parse().unwrap()).collect();
        standing.places.iter().map(|place| calls(&open(place, &[7777], &from))).collect()
    }

    #[test]
    fn both_families_are_opened_where_they_are_shut() {
        let shut = "-P INPUT DROP\n";
        assert_eq!(
            all(&standing(shut, shut), &[]),
            "iptables -w 5 -I INPUT -p tcp -m tcp --dport 7777 -m comment --comment heartbeat-server -j ACCEPT\n\
             ip6tables -w 5 -I INPUT -p tcp -m tcp --dport 7777 -m comment --comment heartbeat-server -j ACCEPT\n"
        );
        assert_eq!(
            all(&standing(shut, shut), &["10.0.0.0/8", "fd00::1/128"]),
            "iptables -w 5 -I INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 7777 -m comment --comment heartbeat-server \
             -j ACCEPT\n\
             ip6tables -w 5 -I INPUT -s fd00::1/128 -p tcp -m tcp --dport 7777 -m comment --comment \
             heartbeat-server -j ACCEPT\n"
        );
    }

    #[test]
    fn what_lets_everyone_in_anyway_is_no_firewall() {
        for (input, active) in [
            ("-P INPUT ACCEPT\n", false),
            ("-P INPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j LOG --log-prefix \"x DROP\"\n", false),
            ("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port-unreachable\n", true),
            ("-P INPUT ACCEPT\n-A INPUT -j house-rules\n", true),
            ("-P INPUT DROP\n", true),
        ] {
            assert_eq!(standing(input, "-P INPUT ACCEPT\n").active, active, "{input}");
        }
    }

    #[test]
    fn ours_are_known_by_their_comment_and_go_as_they_came() {
        let standing = standing(FOUR, SIX);
        assert_eq!(all(&standing, &[]), "", "open already; ip6tables lets everyone in");
        let gone: String =
            standing.places.iter().map(|place| calls(&close(place, &Choice::default()))).collect();
        assert_eq!(
            gone,
            "iptables -w 5 -D INPUT -p tcp -m tcp --dport 7777 -m comment --comment heartbeat-server -j ACCEPT\n\
             iptables -w 5 -D INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 7777 -m comment --comment heartbeat-server \
             -j ACCEPT\n\
             ip6tables -w 5 -D INPUT -s fd00::1/128 -p tcp -m tcp --dport 7777 -m comment --comment \
             heartbeat-server -j ACCEPT\n"
        );
        assert_eq!(standing.places[0].others_on(7777).count(), 2);
    }

    #[test]
    fn a_family_that_the_kernel_lacks_is_left_out_and_said() {
        let mut script = Script::new(&[
            ("iptables -w 5 -S INPUT", 0, "-P INPUT DROP\n"),
            ("ip6tables -w 5 -S INPUT", 3, "can't initialize ip6tables table `filter'"),
        ]);
        let standing = look(&mut script).unwrap().unwrap();
        assert_eq!(standing.places.len(), 1);
        assert!(matches!(&standing.remarks[0], Remark::LeftOut { program: "ip6tables", .. }));
        assert_eq!(look(&mut Script::new(&[])).unwrap(), None);
        // Whoever cannot be asked for another reason may be shut.
        let mut script = Script::new(&[("iptables -w 5 -S INPUT", 4, "Another app holds the lock")]);
        assert!(matches!(look(&mut script), Err(FirewallError::Failed { .. })));
    }
}
