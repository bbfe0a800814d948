//! What a message says of those it is about.

use super::entry::Entry;
use super::machine::Lookup;
use super::message::{LISTED_BYTES_MAX, LISTED_MAX, SAID_BYTES_MAX, Shared, Subject};
use crate::domain::instance::Instance;
use crate::domain::record::incident_id;
use crate::domain::time::Wall;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// The name of the incident by which a notifier knows, or is to know, that a monitor is down.
pub(super) fn thread(entry: &Entry, to: &str, instance: &Instance) -> String {
    let line = entry.line(to);
    let (beats, started) = match line.and_then(|line| line.told.or(line.thread)) {
        // Told by a version that did not note it: under the name of then.
        Some(told) => (told, line.and_then(|line| line.told_started).unwrap_or(Wall(i64::MIN))),
        None => (entry.beats, entry.started),
    };
    instance.incident(incident_id(entry.number, beats), started)
}

/// What tells a message about these from every other: of one its incident, of several that of the first and a sum of all,
/// so that news of others is not taken for what was told before of the first.
pub(super) fn name(entries: &[&Entry], to: &str, instance: &Instance) -> String {
    let Some((first, rest)) = entries.split_first() else { return String::new() };
    let mut name = thread(first, to, instance);
    if !rest.is_empty() {
        // FNV-1a: the same in every version and on every machine.
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        for entry in rest {
            for byte in thread(entry, to, instance).bytes().chain([b' ']) {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        name += &format!("+{sum:016x}");
    }
    name
}

/// As many of them as a message lists.
pub(super) fn subjects(
    entries: &[&Entry],
    to: &str,
    instance: &Instance,
    lookup: &dyn Lookup,
) -> Vec<Subject> {
    let mut bytes = 0;
    let mut subjects = Vec::new();
    for entry in entries.iter().take(LISTED_MAX) {
        let subject = subject(entry, thread(entry, to, instance), lookup);
        bytes += subject.id.len()
            + subject.said.as_ref().map_or(0, String::len)
            + subject.tags.iter().map(|tag| tag.len() + 3).sum::<usize>();
        if bytes > LISTED_BYTES_MAX {
            break;
        }
        subjects.push(subject);
    }
    subjects
}

fn subject(entry: &Entry, incident: String, lookup: &dyn Lookup) -> Subject {
    let known = lookup.monitor(&entry.id).filter(|known| known.number == entry.number && !entry.removed);
    let (mut tags, mut said, mut address) = (Vec::new(), None, entry.ip.map(|ip| ip.to_string()));
    if let Some(known) = known {
        address = known.last_beat.map(|_| known.address.to_string());
        tags = known.tags;
        said = known.message.map(cut);
    }
    Subject {
        id: entry.id.clone(),
        incident: Some(incident),
        since: entry.began,
        ended: entry.ended,
        cause: Some(entry.cause),
        last_beat: entry.last_beat,
        address,
        tags,
        said,
        removed: entry.removed,
    }
}

fn cut(mut text: String) -> String {
    if text.len() > SAID_BYTES_MAX {
        let end = (0..=SAID_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// What several of them have in common: something they all depend on, or else their network.
pub(super) fn shared(entries: &[&Entry]) -> Option<Shared> {
    let (first, rest) = entries.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let parent = first.after.iter().find(|id| rest.iter().all(|other| other.after.contains(id)));
    if let Some(parent) = parent {
        return Some(Shared::After(parent.clone()));
    }
    let network = network(first.ip?)?;
    let inside = rest.iter().all(|other| other.ip.is_some_and(|ip| network.contains(&ip)));
    inside.then(|| Shared::Network(network.to_string()))
}

fn network(ip: IpAddr) -> Option<IpNet> {
    match ip {
        IpAddr::V4(ip) => Ipv4Net::new(ip, 24).ok().map(|net| IpNet::V4(net.trunc())),
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).ok().map(|net| IpNet::V6(net.trunc())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("语".repeat(10)), "语".repeat(10));
        let long = cut("语".repeat(1_000));
        assert!(long.len() <= SAID_BYTES_MAX + 3 && long.ends_with("语…"), "{}", long.len());
    }

    #[test]
    fn networks_are_those_of_the_house() {
        assert_eq!(network("10.0.3.7".parse().unwrap()).unwrap().to_string(), "10.0.3.0/24");
        assert_eq!(network("2001:db8::1:2".parse().unwrap()).unwrap().to_string(), "2001:db8::/64");
    }
}
