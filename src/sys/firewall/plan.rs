//! What is open, what shall be, and the exact commands that lead from one to the other. Pure.
//!
//! Every firewall is reduced to the same few values: *places* in which rules stand (a chain, a zone at run time, the
//! same zone in its files), the rules in them that are ours, and the text of those that are not. A *grant* is one port
//! for one source. The backends read their firewall into places and know how a grant is written there; what has to be
//! added and removed is decided here, once for all of them.

use ipnet::IpNet;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

/// What a rule bears that we made.
pub const MARK: &str = "heartbeat-server";

/// A firewall that we can ask and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// firewalld, by firewall-cmd.
    Firewalld,
    /// Ubuntu's ufw.
    Ufw,
    /// nftables, by nft.
    Nft,
    /// iptables and ip6tables.
    Iptables,
    /// macOS's application firewall.
    Socketfilterfw,
}

impl Backend {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Backend; 5] =
        [Backend::Firewalld, Backend::Ufw, Backend::Nft, Backend::Iptables, Backend::Socketfilterfw];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Firewalld => "firewalld",
            Backend::Ufw => "ufw",
            Backend::Nft => "nft",
            Backend::Iptables => "iptables",
            Backend::Socketfilterfw => "socketfilterfw",
        }
    }
}

/// For whom a port is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceNetwork {
    /// Everyone.
    Everyone,
    /// One network.
    Network(IpNet),
}

/// One port for one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The TCP port.
    pub port: u16,
    /// For whom.
    pub from: SourceNetwork,
}

/// A program with its arguments. Displayed as a person would type it in a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program.
    pub program: &'static str,
    /// Its arguments, each as it is.
    pub arguments: Vec<String>,
}

/// A rule that we made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallRule {
    /// What it opens; nothing when it bears our mark and says something that we never write.
    pub grants: BTreeSet<Grant>,
    /// What takes it away.
    pub removal: Call,
}

/// A rule of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The ports it speaks of, as ranges.
    pub ports: Vec<(u16, u16)>,
    /// As the firewall writes it.
    pub text: String,
}

/// Where rules stand, and how ours are written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleStore {
    /// A zone of firewalld.
    Zone {
        /// Its name.
        zone: String,
        /// In its files, or at run time.
        permanent: bool,
        /// The ports of the service of our name, as firewalld knows it; empty when it does not.
        service: BTreeSet<u16>,
    },
    /// The rules of ufw.
    Ufw,
    /// A chain of nftables.
    Chain {
        /// ip, ip6 or inet.
        family: String,
        /// Its table.
        table: String,
        /// Its name.
        chain: String,
    },
    /// The chain INPUT of iptables or ip6tables.
    Input(&'static str),
    /// The program in macOS's list.
    Program {
        /// The program's path.
        path: String,
        /// Whether it is in the list.
        listed: bool,
    },
}

/// One place in which rules stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// How it is called, for people.
    pub name: String,
    /// Whether anything is held back here, so that a port has to be opened.
    pub filters: bool,
    /// Whether it sees IPv4 and IPv6.
    pub families: (bool, bool),
    /// Our rules.
    pub ours: Vec<FirewallRule>,
    /// Those of others.
    pub others: Vec<Other>,
    /// What others have granted in the very words that ours would have: it must not become ours.
    pub taken: BTreeSet<Grant>,
    /// How ours are written.
    pub way: RuleStore,
}

/// Which grants `close` takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// These ports; `None`: every one.
    pub ports: Option<Vec<u16>>,
    /// For these networks; empty: for whomever.
    pub from: Vec<IpNet>,
}

/// What opens `ports` in a place, for everyone or for some networks only. Whoever names networks wants nobody else: a
/// rule of ours that lets everyone in gives way. What is added comes first, so that nobody is shut out in between.
pub fn open(place: &RuleSet, ports: &[u16], from: &[IpNet]) -> Vec<Call> {
    let sources: Vec<SourceNetwork> = match from {
        [] => vec![SourceNetwork::Everyone],
        some => some.iter().filter(|net| place.sees(net)).map(|net| SourceNetwork::Network(*net)).collect(),
    };
    let too_wide = |grant: &Grant| {
        !from.is_empty() && grant.from == SourceNetwork::Everyone && ports.contains(&grant.port)
    };
    let (go, stay): (Vec<&FirewallRule>, Vec<&FirewallRule>) =
        place.ours.iter().partition(|rule| rule.grants.iter().any(too_wide));
    let mut wanted: BTreeSet<Grant> =
        go.iter().flat_map(|rule| &rule.grants).filter(|grant| !too_wide(grant)).copied().collect();
    if place.filters {
        wanted.extend(
            ports.iter().flat_map(|port| sources.iter().map(|from| Grant { port: *port, from: *from })),
        );
    }
    place.exchange(&go, &stay, wanted)
}

/// What takes our rules out of a place.
pub fn close(place: &RuleSet, choice: &Choice) -> Vec<Call> {
    let chosen = |grant: &Grant| {
        choice.ports.as_ref().is_none_or(|ports| ports.contains(&grant.port))
            && (choice.from.is_empty()
                || matches!(grant.from, SourceNetwork::Network(net) if choice.from.contains(&net)))
    };
    let all = *choice == Choice::default();
    let (go, stay): (Vec<&FirewallRule>, Vec<&FirewallRule>) =
        place.ours.iter().partition(|rule| all || rule.grants.iter().any(chosen));
    let rest = go.iter().flat_map(|rule| &rule.grants).filter(|grant| !chosen(grant)).copied().collect();
    place.exchange(&go, &stay, rest)
}

impl RuleSet {
    /// Whether packets from a network come by here.
    fn sees(&self, network: &IpNet) -> bool {
        match network {
            IpNet::V4(_) => self.families.0,
            IpNet::V6(_) => self.families.1,
        }
    }

    /// For whom a port is open here by our rules.
    pub fn granted(&self, port: u16) -> BTreeSet<SourceNetwork> {
        let grants = self.ours.iter().flat_map(|rule| &rule.grants);
        grants.filter(|grant| grant.port == port).map(|grant| grant.from).collect()
    }

    /// The rules of others that speak of a port.
    pub fn others_on(&self, port: u16) -> impl Iterator<Item = &Other> {
        self.others
            .iter()
            .filter(move |other| other.ports.iter().any(|(low, high)| (*low..=*high).contains(&port)))
    }

    fn exchange(
        &self,
        go: &[&FirewallRule],
        stay: &[&FirewallRule],
        mut wanted: BTreeSet<Grant>,
    ) -> Vec<Call> {
        wanted.retain(|grant| {
            !self.taken.contains(grant) && !stay.iter().any(|rule| rule.grants.contains(grant))
        });
        let mut calls = if wanted.is_empty() { Vec::new() } else { self.way.add(&wanted) };
        calls.extend(go.iter().map(|rule| rule.removal.clone()));
        calls
    }
}

impl RuleStore {
    /// What writes grants.
    fn add(&self, grants: &BTreeSet<Grant>) -> Vec<Call> {
        match self {
            RuleStore::Zone { zone, permanent, service } => {
                super::firewalld::add(zone, *permanent, service, grants)
            }
            RuleStore::Ufw => grants.iter().map(super::ufw::add).collect(),
            RuleStore::Chain { family, table, chain } => {
                grants.iter().map(|grant| super::nft::add(family, table, chain, grant)).collect()
            }
            RuleStore::Input(program) => {
                grants.iter().map(|grant| super::iptables::add(program, grant)).collect()
            }
            RuleStore::Program { path, listed } => super::socketfilterfw::add(path, *listed),
        }
    }
}

impl Call {
    /// A call from words.
    pub fn new<S: Into<String>>(program: &'static str, arguments: impl IntoIterator<Item = S>) -> Call {
        Call { program, arguments: arguments.into_iter().map(Into::into).collect() }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)?;
        for word in &self.arguments {
            let plain = !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
            if plain { write!(f, " {word}")? } else { write!(f, " '{}'", word.replace('\'', r"'\''"))? }
        }
        Ok(())
    }
}

impl fmt::Display for SourceNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceNetwork::Everyone => f.write_str("*"),
            SourceNetwork::Network(net) => net.fmt(f),
        }
    }
}

/// A network as firewalls write it: `10.0.0.0/8`, or a bare address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.map(|net| net.trunc())
}

/// A network as ufw and nft write it: a single address without its length.
pub(super) fn short(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// The words of a line as a shell would part them; quotes may stand anywhere in a word.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut inside, mut quote) = (false, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => (inside, quote) = (true, Some(c)),
            None if c.is_whitespace() => {
                if std::mem::take(&mut inside) {
                    words.push(std::mem::take(&mut word));
                }
            }
            None => {
                inside = true;
                word.push(c);
            }
        }
    }
    if inside {
        words.push(word);
    }
    words
}

/// The ports and ranges of ports in a text such as `{ 22, 80, 7777-7778 }`, `9000:9100/tcp` or `7777`.
pub(super) fn ports(text: &str) -> Vec<(u16, u16)> {
    let numbers = |part: &str| -> Option<(u16, u16)> {
        let part = part.split('/').next().unwrap_or_default();
        let (low, high) = part.split_once(['-', ':']).unwrap_or((part, part));
        Some((low.parse().ok()?, high.parse().ok()?))
    };
    text.split([' ', ',', '{', '}', '"']).filter_map(numbers).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
