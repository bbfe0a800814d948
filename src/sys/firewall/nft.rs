//! nftables: a rule at the head of every input chain that holds anything back.
//!
//! A packet has to be let in by every chain it comes by; accepting it in a table of our own would not keep another
//! chain from dropping it. So ours go into the chains that are there, and are found again by their comment and taken
//! out by their handle. What is read is the text that nft prints, not its JSON: some are built without that.

use super::ask::{Ask, FirewallError, ProgramOutput};
use super::plan::{
    Backend, Call, FirewallRule, Grant, MARK, Other, RuleSet, RuleStore, SourceNetwork, network, ports,
    short, words,
};
use super::{FirewallStatus, Remark};
use ipnet::IpNet;
use std::collections::BTreeSet;

/// What in a rule may keep a packet out, here or where it leads.
const HOLDS_BACK: [&str; 7] = ["drop", "reject", "jump", "goto", "queue", "vmap", "synproxy"];

/// How nftables stands; `None` where it is not, or the kernel has none. `theirs`: the families whose chain INPUT in the
/// table `filter` belongs to iptables, which wants nobody else to write there.
pub(super) fn look(ask: &mut dyn Ask, theirs: &[&str]) -> Result<Option<FirewallStatus>, FirewallError> {
    let call = Call::new("nft", ["list", "chains"]);
    let listed = match ask.ask(&call) {
        Err(FirewallError::Missing { .. }) => return Ok(None),
        Ok(ProgramOutput { code, err, .. }) if code != 0 && err.contains("not supported") => return Ok(None),
        Ok(ProgramOutput { code: 0, out, .. }) => out,
        Ok(answer) => return Err(FirewallError::Failed { call, answer }),
        Err(other) => return Err(other),
    };
    let mut places = Vec::new();
    for (family, table, chain) in input_chains(&listed) {
        if theirs.contains(&family.as_str()) && table == "filter" && chain == "INPUT" {
            continue;
        }
        let rules = ask.must(&Call::new("nft", ["-a", "list", "chain", &family, &table, &chain]))?;
        places.push(read(family, table, chain, &rules));
    }
    let active = places.iter().any(|place| place.filters);
    let remarks = if active { vec![Remark::Volatile(Backend::Nft)] } else { Vec::new() };
    Ok(Some(FirewallStatus { backend: Backend::Nft, active, places, remarks }))
}

/// What lets a grant in.
pub(super) fn add(family: &str, table: &str, chain: &str, grant: &Grant) -> Call {
    let mut rule: Vec<String> = ["insert", "rule", family, table, chain].map(String::from).to_vec();
    if let SourceNetwork::Network(net) = grant.from {
        let ip = if matches!(net, IpNet::V4(_)) { "ip" } else { "ip6" };
        rule.extend([ip.into(), "saddr".into(), short(&net)]);
    }
    let port = grant.port.to_string();
    rule.extend(["tcp", "dport", &port, "accept", "comment", MARK].map(String::from));
    Call::new("nft", rule)
}

/// Family, table and name of the chains through which packets for this machine come.
fn input_chains(listed: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let (mut table, mut chain) = (None, None);
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["table", family, name, ..] => table = Some((family.to_string(), name.to_string())),
            ["chain", name, ..] => chain = Some(name.to_string()),
            ["type", "filter", "hook", "input", ..] => {
                if let (Some((family, table)), Some(chain)) = (&table, &chain) {
                    if matches!(family.as_str(), "ip" | "ip6" | "inet") {
                        found.push((family.clone(), table.clone(), chain.clone()));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Reads one chain, as `nft -a list chain` prints it: a rule a line, its handle behind a `#`.
fn read(family: String, table: String, chain: String, text: &str) -> RuleSet {
    let mut place = RuleSet {
        name: format!("{family} {table} {chain}"),
        filters: false,
        families: (family != "ip6", family != "ip"),
        ours: Vec::new(),
        others: Vec::new(),
        taken: BTreeSet::new(),
        way: RuleStore::Chain { family: family.clone(), table: table.clone(), chain: chain.clone() },
    };
    for line in text.lines().map(str::trim) {
        if line.starts_with("type filter hook input") {
            place.filters |= line.contains("policy drop");
            continue;
        }
        let Some((rule, handle)) = line.rsplit_once(" # handle ").filter(|_| !line.ends_with('{')) else {
            continue;
        };
        if line.starts_with("table ") || line.starts_with("chain ") {
            continue;
        }
        let (body, comment) = match rule.rsplit_once(" comment \"") {
            Some((body, comment)) => (body, comment.strip_suffix('"')),
            None => (rule, None),
        };
        if comment == Some(MARK) {
            let removal = Call::new("nft", ["delete", "rule", &family, &table, &chain, "handle", handle]);
            place.ours.push(FirewallRule { grants: grants(body), removal });
        } else {
            place.filters |= words(body).iter().any(|word| HOLDS_BACK.contains(&word.as_str()));
            let spoken = body.split_once("dport ").map(|(_, rest)| ports(rest)).unwrap_or_default();
            place.others.push(Other { ports: spoken, text: rule.into() });
        }
    }
    place
}

/// What a rule of ours opens; nothing if it is not in our words.
fn grants(body: &str) -> BTreeSet<Grant> {
    let words: Vec<&str> = body.split_whitespace().collect();
    let (from, rest) = match words[..] {
        ["ip" | "ip6", "saddr", net, ref rest @ ..] => match network(net) {
            Some(net) => (SourceNetwork::Network(net), rest),
            None => return BTreeSet::new(),
        },
        ref rest => (SourceNetwork::Everyone, rest),
    };
    match rest {
        ["tcp", "dport", port, "accept"] => {
            port.parse().ok().map(|port| Grant { port, from }).into_iter().collect()
        }
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask::testing::{Script, calls};
    use super::super::plan::{Choice, close, open};
    use super::*;

    const CHAINS: &str = include_str!("testdata/nft-chains.txt");
    const INPUT: &str = include_str!("testdata/nft-input.txt");
    const EARLY: &str = include_str!("testdata/nft-early.txt");
    const SIX: &str = include_str!("testdata/nft-six.txt");

    fn standing(input: &'static str) -> FirewallStatus {
        let mut script = Script::new(&[
            ("nft list chains", 0, CHAINS),
            ("nft -a list chain inet filter input", 0, input),
            ("nft -a list chain inet filter early", 0, EARLY),
            ("nft -a list chain ip six in", 0, SIX),
        ]);
        look(&mut script, &[]).unwrap().unwrap()
    }

    #[test]
    fn the_chains_that_hold_something_back_are_found() {
        let standing = standing(INPUT);
        assert!(standing.active);
        let seen: Vec<_> = standing.places.iter().map(|p| (p.name.as_str(), p.filters, p.families)).collect();
        assert_eq!(
            seen,
            [
                ("inet filter input", true, (true, true)),
                ("inet filter early", false, (true, true)),
                ("ip six in", true, (true, false)),
            ]
        );
    }

    #[test]
    fn a_rule_goes_to_the_head_of_each_of_them_in_its_family() {
        let empty = "table inet filter {\n\tchain input { # handle 2\n\t\ttype filter hook input priority filter; \
                     policy drop;\n\t\tiif \"lo\" accept # handle 8\n\t}\n}\n";
        let standing = standing(empty);
        let all = |from: &[IpNet]| {
            standing.places.iter().map(|place| calls(&open(place, &[7777], from))).collect::<String>()
        };
        assert_eq!(
            all(&[]),
            "nft insert rule inet filter input tcp dport 7777 accept comment heartbeat-server\n\
             nft insert rule ip six in tcp dport 7777 accept comment heartbeat-server\n"
        );
        assert_eq!(
            all(&["10.0.0.0/8".parse().unwrap(), "fd00::1/128".parse().unwrap()]),
            "nft insert rule inet filter input ip saddr 10.0.0.0/8 tcp dport 7777 accept comment heartbeat-server\n\
             nft insert rule inet filter input ip6 saddr fd00::1 tcp dport 7777 accept comment heartbeat-server\n\
             nft insert rule ip six in ip saddr 10.0.0.0/8 tcp dport 7777 accept comment heartbeat-server\n"
        );
    }

    #[test]
    fn ours_are_known_by_their_comment_alone_and_go_by_their_handle() {
        let standing = standing(INPUT);
        let place = &standing.places[0];
        assert_eq!(
            calls(&close(place, &Choice::default())),
            [24, 23, 22, 20, 19, 15]
                .map(|n| format!("nft delete rule inet filter input handle {n}\n"))
                .concat()
        );
        let one = Choice { ports: None, from: vec!["fd00::/8".parse().unwrap()] };
        assert_eq!(
            calls(&close(place, &one)),
            [20, 19].map(|n| format!("nft delete rule inet filter input handle {n}\n")).concat()
        );
        let mine = place.others_on(7778).map(|other| other.text.as_str()).collect::<Vec<_>>();
        assert_eq!(
            mine,
            [
                "tcp dport { 22, 80, 7777-7778 } accept comment \"mine\"",
                "tcp dport 7778 accept comment \"heartbeat-server of old\""
            ]
        );
    }

    #[test]
    fn chains_of_iptables_are_left_to_it() {
        let listed = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\
                      \t}\n}\n";
        let chain = "table ip filter {\n\tchain INPUT { # handle 1\n\t\ttype filter hook input priority filter; \
                     policy drop;\n\t}\n}\n";
        let answers = [("nft list chains", 0, listed), ("nft -a list chain ip filter INPUT", 0, chain)];
        let active = |theirs: &[&str]| look(&mut Script::new(&answers), theirs).unwrap().unwrap().active;
        assert!(active(&[]) && active(&["ip6"]) && !active(&["ip"]));
    }

    #[test]
    fn it_may_have_no_chains_or_not_be_there() {
        let standing = look(&mut Script::new(&[("nft list chains", 0, "")]), &[]).unwrap().unwrap();
        assert!(!standing.active && standing.places.is_empty());
        assert_eq!(look(&mut Script::new(&[]), &[]).unwrap(), None);
    }
}
