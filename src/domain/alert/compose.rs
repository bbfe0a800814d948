//! What a message says of those it is about.

use super::entry::MonitorAlert;
use super::lookup::Lookup;
use super::message::{CommonCause, LISTED_BYTES_MAX, LISTED_MAX, MessageKind, SAID_BYTES_MAX, Subject, age};
use crate::domain::instance::Instance;
use crate::domain::record::{Cause, incident_id};
use crate::domain::schedule::Schedule;
use crate::domain::time::{Span, Wall};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// Slots that are farther apart are taken to be so far apart.
const GAP_MAX: Span = Span::secs(400 * 86_400);

/// The name of the incident by which a notifier knows, or is to know, that a monitor is down.
pub(super) fn thread(entry: &MonitorAlert, to: &str, instance: &Instance) -> String {
    let (beats, started) = told(entry, to);
    // Told by a version that did not note when it began: under the name of then.
    instance.incident(incident_id(entry.number, beats), started.unwrap_or(Wall(i64::MIN)))
}

/// The beats and the beginning of that incident; `None`: an earlier version did not note it.
fn told(entry: &MonitorAlert, to: &str) -> (u64, Option<Wall>) {
    let line = entry.line(to);
    match line.and_then(|line| line.told.or(line.thread)) {
        Some(told) => (told, line.and_then(|line| line.told_started)),
        None => (entry.beats, Some(entry.started)),
    }
}

/// What tells a message about these from every other: of one its incident, of several that of the first and a sum of all,
/// so that news of others is not taken for what was told before of the first. When that began is part of it: after a power
/// cut beats are counted from an earlier one on, so another incident may have the name of one that was told.
pub(super) fn name(entries: &[&MonitorAlert], to: &str, instance: &Instance) -> String {
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
    if let (_, Some(started)) = told(first, to) {
        name += &format!("-{}", started.0);
    }
    name
}

/// As many of them as a message lists.
pub(super) fn subjects(
    kind: MessageKind,
    entries: &[&MonitorAlert],
    to: &str,
    instance: &Instance,
    lookup: &dyn Lookup,
) -> Vec<Subject> {
    let mut bytes = 0;
    let mut subjects = Vec::new();
    for entry in entries.iter().take(LISTED_MAX) {
        let mut subject = subject(entry, thread(entry, to, instance), lookup);
        // Of silence that is told as such a failed run is other news.
        let tells =
            kind == MessageKind::Reminder || kind == MessageKind::Down && entry.reason.cause == Cause::Fail;
        if let (true, Some(failure), Some(line)) = (tells, entry.told_failure(to), entry.line(to)) {
            subject.failures = line.tells;
            (subject.exit, subject.said) = (failure.exit, failure.said.clone());
        }
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

fn subject(entry: &MonitorAlert, incident: String, lookup: &dyn Lookup) -> Subject {
    let known = lookup.monitor(&entry.id).filter(|known| known.number == entry.number && !entry.removed);
    let (mut tags, mut said, mut address) = (Vec::new(), None, entry.ip.map(|ip| ip.to_string()));
    let mut slot = None;
    if let Some(known) = known {
        // Of one that is up again it would be the next one.
        let missed = matches!(entry.reason.cause, Cause::Silence | Cause::NeverHeard) && entry.is_down();
        slot = known.slot.filter(|slot| missed && *slot <= entry.began);
        address = known.last_beat.map(|_| known.address.to_string());
        tags = known.tags;
        // What another beat has said is no word of this outage: neither one before it nor the one that ended it.
        let is_of_outage = match entry.ended {
            None => known.message_beat >= entry.beats,
            Some(_) => known.message_beat == entry.beats,
        };
        said = known.message.filter(|_| is_of_outage && known.message_beat > 0).map(|text| end_of(&text));
    }
    Subject {
        id: entry.id.clone(),
        incident: Some(incident),
        since: entry.began,
        ended: entry.ended,
        slot,
        near: false,
        zone: None,
        cause: Some(entry.reason.cause),
        exit: entry.reason.exit,
        run_started: entry.reason.run_started,
        last_beat: entry.last_beat,
        address,
        tags,
        said,
        failures: 0,
        removed: entry.removed,
    }
}

/// Whether a monitor's last beat came nearer to the slot that it missed than to the one before.
pub(super) fn is_near(subject: &Subject, schedule: &Schedule) -> bool {
    let (Some(slot), Some(last)) = (subject.slot, subject.last_beat) else { return false };
    let before = schedule.gap_before(slot, GAP_MAX).unwrap_or(GAP_MAX);
    age(last, slot).0.saturating_mul(2) < before.0
}

/// The end of a text that is too long: the last lines of a job say why it fails.
pub(super) fn end_of(text: &str) -> String {
    let text = text.trim_end();
    if text.len() <= SAID_BYTES_MAX {
        return text.to_string();
    }
    let least = text.len() - SAID_BYTES_MAX;
    let from = (least..text.len()).find(|from| text.is_char_boundary(*from)).unwrap_or(text.len());
    format!("…{}", &text[from..])
}

/// What several of them have in common: something they all depend on, or else their network.
pub(super) fn shared(entries: &[&MonitorAlert]) -> Option<CommonCause> {
    let (first, rest) = entries.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let parent = first.after.iter().find(|id| rest.iter().all(|other| other.after.contains(id)));
    if let Some(parent) = parent {
        return Some(CommonCause::After(parent.clone()));
    }
    let network = network(first.ip?)?;
    let inside = rest.iter().all(|other| other.ip.is_some_and(|ip| network.contains(&ip)));
    inside.then(|| CommonCause::Network(network.to_string()))
}

/// That all are on this machine says nothing of a network.
fn network(ip: IpAddr) -> Option<IpNet> {
    match ip.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V4(ip) => Ipv4Net::new(ip, 24).ok().map(|net| IpNet::V4(net.trunc())),
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).ok().map(|net| IpNet::V6(net.trunc())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::Peer;
    use crate::domain::beat::{Beat, Source, Status, Transport};
    use crate::domain::id::IdRef;
    use crate::domain::pattern::Pattern;
    use crate::domain::policy::Defaults;
    use crate::domain::record::{Change, Record};
    use crate::domain::registry::{Arrival, Counts, Name, Registry, Snapshot};
    use crate::domain::rules::{Match, Rule, Rules};
    use crate::domain::time::{Mono, Now};
    use std::sync::Arc;

    #[test]
    fn of_a_long_text_the_end_is_kept_between_characters() {
        assert_eq!(end_of(&"语".repeat(10)), "语".repeat(10));
        let long = end_of(&("语".repeat(1_000) + "rsync: broken\n\n"));
        assert!(long.len() <= SAID_BYTES_MAX + 3 && long.starts_with("…语"), "{}", long.len());
        assert!(long.ends_with("语rsync: broken"), "{long}");
    }

    #[test]
    fn networks_are_those_of_the_house() {
        assert_eq!(network("10.0.3.7".parse().unwrap()).unwrap().to_string(), "10.0.3.0/24");
        assert_eq!(network("127.0.0.1".parse().unwrap()), None);
        assert_eq!(network("::1".parse().unwrap()), None);
        assert_eq!(network("2001:db8::1:2".parse().unwrap()).unwrap().to_string(), "2001:db8::/64");
    }

    struct World(Registry);

    impl Lookup for World {
        fn monitor(&self, id: &str) -> Option<Snapshot> {
            self.0.get(Now::default(), Name { id: IdRef::new(id).ok()?, hash: 0 })
        }

        fn counts(&self) -> Counts {
            Counts::default()
        }
    }

    impl World {
        /// Has `a` say something; what is known of it if that makes it go down.
        fn says(&mut self, status: Status, message: Option<&str>) -> Option<MonitorAlert> {
            let (monitor, beat) =
                (Name { id: IdRef::new("a").unwrap(), hash: 0 }, Beat { status, message, ..Beat::default() });
            let source = Source { peer: Peer::Unix, transport: Transport::Http };
            let arrival = Arrival { monitor, beat: &beat, source, follows_interval: true, create: Some(1) };
            let mut entry = None;
            let keep = &mut |record: &Record<'_>| {
                entry = record
                    .incident
                    .filter(|_| record.change != Change::None)
                    .map(|one| MonitorAlert::new(record, one));
            };
            self.0.handle(Now::default(), arrival, keep).unwrap();
            entry
        }

        fn quotes(&self, entry: &MonitorAlert) -> Option<String> {
            subject(entry, String::new(), self).said
        }
    }

    #[test]
    fn a_message_is_quoted_of_its_own_outage_only() {
        let mut world = World(Registry::new(Now::default(), Defaults::default(), Arc::default()));
        world.says(Status::Fail, Some("rsync: broken"));
        world.says(Status::Ok, None);
        let mut entry = world.says(Status::Exit(11), None).unwrap();
        assert_eq!(world.quotes(&entry), None, "it was said of another");
        world.says(Status::Log, Some("tries again"));
        assert_eq!(world.quotes(&entry).as_deref(), Some("tries again"), "it is the newest of this one");
        world.says(Status::Ok, Some("all is well"));
        entry.ended = Some(Wall(1));
        assert_eq!(world.quotes(&entry), None, "it came with the end");
        let mut entry = world.says(Status::Fail, Some("disk full\n\n")).unwrap();
        assert_eq!(world.quotes(&entry).as_deref(), Some("disk full"));
        entry.removed = true;
        assert_eq!(world.quotes(&entry), None, "nothing is known of one that is gone");
        (entry.removed, entry.number) = (false, entry.number + 1);
        assert_eq!(world.quotes(&entry), None, "it is another one of that id");
    }

    #[test]
    fn a_message_lists_as_many_as_have_room() {
        let mut world = World(Registry::new(Now::default(), Defaults::default(), Arc::default()));
        let entry = world.says(Status::Fail, Some(&"x".repeat(SAID_BYTES_MAX))).unwrap();
        let listed = |count: usize| {
            subjects(MessageKind::Down, &vec![&entry; count], "ops", &Instance::default(), &world).len()
        };
        // Each takes its id and what it said.
        let room = LISTED_BYTES_MAX / (1 + SAID_BYTES_MAX);
        assert_eq!([1, room, room + 1, LISTED_MAX].map(listed), [1, room, room, room]);
    }

    #[test]
    fn a_slot_is_named_while_it_is_missing() {
        let hourly = Schedule::parse("0 * * * *", "UTC").unwrap();
        let mut rule = Rule::new(Match::Id(Pattern::parse("a").unwrap()));
        (rule.schedule, rule.grace) = (Some(hourly), Some(Span::secs(60)));
        let rules = Arc::new(Rules::new(vec![rule]));
        let mut world = World(Registry::new(Now::default(), Defaults::default(), rules));
        world.says(Status::Ok, None);
        let at = |ms: u64| Now { mono: Mono(ms), wall: Wall(ms as i64) };
        let mut entry = None;
        for ms in [3_640_000, 3_670_000] {
            let keep = &mut |record: &Record<'_>| {
                entry = record.incident.map(|one| MonitorAlert::new(record, one));
            };
            while world.0.handle_timeout(at(ms), 7, keep) {}
        }
        let mut entry = entry.unwrap();
        let slot = |world: &World, entry: &MonitorAlert| subject(entry, String::new(), world).slot;
        let hourly = Schedule::parse("0 * * * *", "UTC").unwrap();
        for (last, near) in [(0, false), (1_790_000, false), (1_810_000, true), (3_599_000, true)] {
            let of_then = Subject { last_beat: Some(Wall(last)), ..subject(&entry, String::new(), &world) };
            assert_eq!(is_near(&of_then, &hourly), near, "{last}");
        }
        assert_eq!(slot(&world, &entry), Some(Wall(3_600_000)));
        entry.ended = Some(Wall(1));
        assert_eq!(slot(&world, &entry), None);
        // It came back just now, which is not on record yet: what it waits for is no slot that it missed.
        entry.ended = None;
        world.says(Status::Ok, None);
        assert!(world.monitor("a").unwrap().slot.is_some());
        entry.began = Wall(1);
        assert_eq!(slot(&world, &entry), None);
    }
}
