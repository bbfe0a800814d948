//! firewalld: the default zone, at run time and in its files.
//!
//! A reload drops what stands at run time only, and what stands in the files only waits for one; so each is a place of
//! its own and both are written. Where the ports are those of the service `heartbeat-server`, which the packages
//! install, the zone gets that service. Other ports get rich rules. firewalld's rules have no comments: ours are the
//! service of our name and the rich rules of a priority that nobody else would choose. It is above zero, so that a zone
//! which refuses somebody goes on refusing him.

use super::ask::{Ask, FirewallError, ProgramOutput};
use super::plan::{
    Backend, Call, FirewallRule, Grant, MARK, Other, RuleSet, RuleStore, SourceNetwork, network, ports, words,
};
use super::{FirewallStatus, Remark};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// What our rich rules are known by.
const PRIORITY: &str = "priority=\"7777\"";
/// How firewall-cmd ends when firewalld does not run.
const NOT_RUNNING: i32 = 252;

/// How firewalld stands; `None` where it is not installed.
pub(super) fn look(ask: &mut dyn Ask) -> Result<Option<FirewallStatus>, FirewallError> {
    let call = Call::new("firewall-cmd", ["--state"]);
    let mut standing =
        FirewallStatus { backend: Backend::Firewalld, active: true, places: Vec::new(), remarks: Vec::new() };
    match ask.ask(&call) {
        Err(FirewallError::Missing { .. }) => return Ok(None),
        Ok(ProgramOutput { code: 0, .. }) => {}
        Ok(ProgramOutput { code: NOT_RUNNING, .. }) => {
            (standing.active, standing.remarks) = (false, vec![Remark::Off(Backend::Firewalld)]);
            return Ok(Some(standing));
        }
        Ok(answer) => return Err(FirewallError::Failed { call, answer }),
        Err(other) => return Err(other),
    }
    let default = ask.must(&Call::new("firewall-cmd", ["--get-default-zone"]))?.trim().to_string();
    for permanent in [false, true] {
        let call = |option: &str| {
            Call::new("firewall-cmd", permanent.then_some("--permanent").into_iter().chain([option]))
        };
        let info = ask.ask(&call("--info-service=heartbeat-server"))?;
        let service = if info.code == 0 { service_ports(&info.out) } else { BTreeSet::new() };
        let zones = ask.must(&call("--list-all-zones"))?;
        for text in zones.split("\n\n") {
            let (place, active) = read(text, permanent, &service, &default);
            let Some(place) = place else { continue };
            let RuleStore::Zone { zone, .. } = &place.way else { continue };
            let is_default = *zone == default;
            if active && !is_default && !permanent {
                standing.remarks.push(Remark::OtherZone { zone: zone.clone(), default: default.clone() });
            }
            if is_default || !place.ours.is_empty() {
                standing.places.push(place);
            }
        }
    }
    Ok(Some(standing))
}

/// What adds grants to a zone: the whole service where it fits, rich rules for the rest.
pub(super) fn add(
    zone: &str,
    permanent: bool,
    service: &BTreeSet<u16>,
    grants: &BTreeSet<Grant>,
) -> Vec<Call> {
    let mut by_source: BTreeMap<SourceNetwork, BTreeSet<u16>> = BTreeMap::new();
    for grant in grants {
        by_source.entry(grant.from).or_default().insert(grant.port);
    }
    let mut options = Vec::new();
    for (from, mut ports) in by_source {
        let source = match from {
            SourceNetwork::Everyone => String::new(),
            SourceNetwork::Network(net) => {
                let family = if matches!(net, IpNet::V4(_)) { "ipv4" } else { "ipv6" };
                format!(" family=\"{family}\" source address=\"{net}\"")
            }
        };
        if !service.is_empty() && service.is_subset(&ports) {
            ports.retain(|port| !service.contains(port));
            options.push(match from {
                SourceNetwork::Everyone => format!("--add-service={MARK}"),
                SourceNetwork::Network(_) => {
                    format!("--add-rich-rule=rule {PRIORITY}{source} service name=\"{MARK}\" accept")
                }
            });
        }
        options.extend(ports.iter().map(|port| {
            format!("--add-rich-rule=rule {PRIORITY}{source} port port=\"{port}\" protocol=\"tcp\" accept")
        }));
    }
    options.into_iter().map(|option| call(zone, permanent, option)).collect()
}

fn call(zone: &str, permanent: bool, option: String) -> Call {
    let permanent = permanent.then(|| "--permanent".to_string());
    Call::new("firewall-cmd", permanent.into_iter().chain([format!("--zone={zone}"), option]))
}

/// The TCP ports of a service; none when it has anything else too, so that it would not be the same.
fn service_ports(info: &str) -> BTreeSet<u16> {
    let line = info.lines().find_map(|line| line.trim().strip_prefix("ports:")).unwrap_or_default();
    let ports: Option<BTreeSet<u16>> =
        line.split_whitespace().map(|port| port.strip_suffix("/tcp").and_then(|p| p.parse().ok())).collect();
    ports.unwrap_or_default()
}

/// Reads one zone, as `--list-all-zones` prints it; and whether anything comes in by it.
fn read(text: &str, permanent: bool, service: &BTreeSet<u16>, default: &str) -> (Option<RuleSet>, bool) {
    let mut lines = text.trim_matches('\n').lines();
    let head = lines.next().unwrap_or_default();
    let Some(zone) = head.split_whitespace().next().map(str::to_string) else { return (None, false) };
    let mut place = RuleSet {
        name: if permanent { format!("zone {zone}, permanent") } else { format!("zone {zone}") },
        filters: zone == default,
        families: (true, true),
        ours: Vec::new(),
        others: Vec::new(),
        taken: BTreeSet::new(),
        way: RuleStore::Zone { zone: zone.clone(), permanent, service: service.clone() },
    };
    for line in lines.map(str::trim) {
        if line == "target: ACCEPT" {
            place.filters = false;
        } else if let Some(services) = line.strip_prefix("services:") {
            if services.split_whitespace().any(|name| name == MARK) {
                let grants =
                    service.iter().map(|port| Grant { port: *port, from: SourceNetwork::Everyone }).collect();
                place.ours.push(FirewallRule {
                    grants,
                    removal: call(&zone, permanent, format!("--remove-service={MARK}")),
                });
            }
        } else if let Some(open) = line.strip_prefix("ports:") {
            let tcp = open.split_whitespace().filter(|port| port.ends_with("/tcp"));
            place.others.extend(tcp.map(|port| Other { ports: ports(port), text: format!("port {port}") }));
        } else if line.starts_with("rule ") {
            if line.contains(PRIORITY) && line.ends_with(" accept") {
                let removal = call(&zone, permanent, format!("--remove-rich-rule={line}"));
                place.ours.push(FirewallRule { grants: grants(line, service), removal });
            } else {
                let named = line.contains(&format!("service name=\"{MARK}\""));
                let spoken = match line.split_once(" port port=") {
                    Some((_, rest)) => ports(rest.split(" protocol").next().unwrap_or_default()),
                    None if named => service.iter().map(|port| (*port, *port)).collect(),
                    None => Vec::new(),
                };
                place.others.push(Other { ports: spoken, text: line.into() });
            }
        }
    }
    (Some(place), head.contains("active"))
}

/// What a rich rule of ours opens; nothing if it is not in our words.
fn grants(rule: &str, service: &BTreeSet<u16>) -> BTreeSet<Grant> {
    let words = words(rule);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (from, rest) = match words[..] {
        ["rule", _, _, "source", address, ref rest @ ..] => {
            match address.strip_prefix("address=").and_then(network) {
                Some(net) => (SourceNetwork::Network(net), rest),
                None => return BTreeSet::new(),
            }
        }
        ["rule", _, ref rest @ ..] => (SourceNetwork::Everyone, rest),
        _ => return BTreeSet::new(),
    };
    let ports: BTreeSet<u16> = match rest {
        ["port", port, "protocol=tcp", "accept"] => {
            port.strip_prefix("port=").and_then(|port| port.parse().ok()).into_iter().collect()
        }
        ["service", "name=heartbeat-server", "accept"] => service.clone(),
        _ => BTreeSet::new(),
    };
    ports.into_iter().map(|port| Grant { port, from }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ask::testing::{Script, calls};
    use super::super::plan::{Choice, close, open};
    use super::*;

    const ZONES: &str = include_str!("testdata/firewalld-zones.txt");
    const SERVICE: &str = "heartbeat-server\n  ports: 7777/tcp 7778/tcp\n  protocols: \n";
    const EMPTY: &str =
        "public\n  target: default\n  services: dhcpv6-client ssh\n  ports: \n  rich rules: \n";

    /// firewalld with a service or none, and these zones at run time and in its files.
    fn standing(service: Option<&str>, zones: &str, permanent: &str) -> FirewallStatus {
        let (code, info) = service.map_or((101, ""), |info| (0, info));
        let mut script = Script::new(&[
            ("firewall-cmd --state", 0, "running\n"),
            ("firewall-cmd --get-default-zone", 0, "public\n"),
            ("firewall-cmd --info-service=heartbeat-server", code, info),
            ("firewall-cmd --permanent --info-service=heartbeat-server", code, info),
            ("firewall-cmd --list-all-zones", 0, zones),
            ("firewall-cmd --permanent --list-all-zones", 0, permanent),
        ]);
        look(&mut script).unwrap().unwrap()
    }

    fn opened(standing: &FirewallStatus, ports: &[u16], from: &[&str]) -> String {
        let from: Vec<IpNet> = from.iter().map(|net| net.parse().unwrap()).collect();
        standing.places.iter().map(|place| calls(&open(place, ports, &from))).collect()
    }

    fn closed(standing: &FirewallStatus, choice: &Choice) -> String {
        standing.places.iter().map(|place| calls(&close(place, choice))).collect()
    }

    #[test]
    fn the_service_is_added_at_run_time_and_for_good() {
        let standing = standing(Some(SERVICE), EMPTY, EMPTY);
        assert_eq!(
            opened(&standing, &[7777, 7778], &[]),
            "firewall-cmd --zone=public --add-service=heartbeat-server\n\
             firewall-cmd --permanent --zone=public --add-service=heartbeat-server\n"
        );
        let one = opened(&standing, &[7777, 7778], &["10.0.0.0/8"]);
        assert_eq!(
            one.lines().next().unwrap(),
            "firewall-cmd --zone=public '--add-rich-rule=rule priority=\"7777\" family=\"ipv4\" source \
             address=\"10.0.0.0/8\" service name=\"heartbeat-server\" accept'"
        );
        assert_eq!(one.lines().count(), 2);
    }

    #[test]
    fn ports_that_are_not_the_service_are_rich_rules() {
        let known = standing(Some(SERVICE), EMPTY, EMPTY);
        let unknown = standing(None, EMPTY, EMPTY);
        let rule = "firewall-cmd --zone=public '--add-rich-rule=rule priority=\"7777\" port port=\"7777\" \
                    protocol=\"tcp\" accept'";
        for standing in [&known, &unknown] {
            assert_eq!(opened(standing, &[7777], &[]).lines().next(), Some(rule));
        }
        assert!(!opened(&unknown, &[7777, 7778], &[]).contains("service"));
        let odd = opened(&known, &[7777, 7778, 8080], &["fd00::/8"]);
        assert!(odd.contains("service name=\"heartbeat-server\"") && odd.contains("port=\"8080\""), "{odd}");
    }

    #[test]
    fn ours_go_and_nothing_else() {
        let standing = standing(Some(SERVICE), ZONES, EMPTY);
        assert_eq!(
            standing.remarks,
            [Remark::OtherZone { zone: "internal".into(), default: "public".into() }],
            "what comes in by another zone is not opened"
        );
        assert_eq!(
            closed(&standing, &Choice::default()),
            "firewall-cmd --zone=public --remove-service=heartbeat-server\n\
             firewall-cmd --zone=public '--remove-rich-rule=rule priority=\"7777\" family=\"ipv4\" source \
             address=\"10.0.0.0/8\" service name=\"heartbeat-server\" accept'\n\
             firewall-cmd --zone=public '--remove-rich-rule=rule priority=\"7777\" family=\"ipv6\" source \
             address=\"fd00::1/128\" port port=\"8080\" protocol=\"tcp\" accept'\n"
        );
        let place = &standing.places[0];
        let seen: Vec<_> = place.others_on(7778).map(|other| other.text.as_str()).collect();
        assert_eq!(
            seen,
            [
                "port 7000-8000/tcp",
                "rule family=\"ipv4\" source address=\"192.0.2.1\" service name=\"heartbeat-server\" reject"
            ]
        );
    }

    #[test]
    fn half_of_a_service_is_closed_by_a_rule_for_the_other_half() {
        let standing = standing(Some(SERVICE), &EMPTY.replace("ssh", "heartbeat-server ssh"), EMPTY);
        let choice = Choice { ports: Some(vec![7777]), from: Vec::new() };
        assert_eq!(
            closed(&standing, &choice),
            "firewall-cmd --zone=public '--add-rich-rule=rule priority=\"7777\" port port=\"7778\" protocol=\"tcp\" \
             accept'\n\
             firewall-cmd --zone=public --remove-service=heartbeat-server\n"
        );
    }

    #[test]
    fn each_place_gets_only_what_it_lacks() {
        let standing = standing(Some(SERVICE), &EMPTY.replace("ssh", "heartbeat-server ssh"), EMPTY);
        assert_eq!(
            opened(&standing, &[7777, 7778], &[]),
            "firewall-cmd --permanent --zone=public --add-service=heartbeat-server\n"
        );
    }

    #[test]
    fn a_zone_that_trusts_everyone_needs_nothing() {
        let trusting = EMPTY.replace("target: default", "target: ACCEPT");
        assert_eq!(opened(&standing(Some(SERVICE), &trusting, &trusting), &[7777], &[]), "");
    }

    #[test]
    fn it_may_be_stopped_not_there_or_out_of_its_mind() {
        let mut stopped = Script::new(&[("firewall-cmd --state", 252, "not running\n")]);
        let standing = look(&mut stopped).unwrap().unwrap();
        assert!(!standing.active);
        assert_eq!(standing.remarks, [Remark::Off(Backend::Firewalld)]);
        assert_eq!(look(&mut Script::new(&[])).unwrap(), None);
        let mut failed = Script::new(&[("firewall-cmd --state", 251, "failed\n")]);
        assert!(matches!(look(&mut failed), Err(FirewallError::Failed { .. })));
    }
}
