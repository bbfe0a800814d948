//! What should be told: the rules for alerts in plain words, held against what was.
//!
//! The world notes when each incident was open, when a monitor was paused, and when something happened that makes times
//! doubtful. Whatever is put into the outbox is looked at when it is made, whatever arrives when it arrives, and in the
//! end all of it together, incident by incident.

use heartbeat_server::domain::alert::{Message, MessageKind};
use heartbeat_server::domain::history::Incident;
use heartbeat_server::domain::record::Cause;
use heartbeat_server::domain::time::Span;
use std::collections::{BTreeMap, BTreeSet};

const HOUR_MS: u64 = 3_600_000;
/// Messages of one monitor that a notifier gets in an hour.
const HOUR_MOST: usize = 3;
/// Incidents of one monitor that lie nearer together may be a flapping.
const APART_MS: u64 = 3 * HOUR_MS;
/// For so long after our own absence silence may be our fault.
const DOUBT_MS: u64 = HOUR_MS + 300_000;
/// Fewer monitors than this prove nothing about us.
const DOUBT_MONITORS: usize = 10;
/// What is due is told so soon, if nothing happens.
const SOON_MS: u64 = 30_000;
/// How exactly the end of `min_down` is known.
const EXACT_MS: u64 = 5_000;

/// An open or finished stretch of true time.
pub type Stretch = (u64, Option<u64>);

/// A message as it was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub at_ms: u64,
    pub place: u64,
    pub message: Message,
}

#[derive(Debug, Default)]
pub struct Telling {
    /// By the names of incidents: when each was open.
    pub open: BTreeMap<(u64, u64), Stretch>,
    /// Those whose end a power cut has taken.
    reopened: BTreeSet<(u64, u64)>,
    /// When each monitor was paused, by its number.
    pub paused: BTreeMap<u64, Vec<Stretch>>,
    /// Monitors that there were a moment ago, and those that are gone.
    live: BTreeSet<u64>,
    removed: BTreeSet<u64>,
    /// When nobody could be heard for a time, or the clock was set.
    pub doubtful: Vec<u64>,
    /// When we were started, or were away for long.
    pub absent: Vec<u64>,
    /// From when until when we were not there.
    pub gaps: Vec<(u64, u64)>,
    /// When which notifier was taken out of the configuration: it is forgotten, and should it come back begins anew.
    pub taken_out: Vec<(String, u64)>,
    /// When the program may have failed to learn that the clock was set.
    pub unsure: Vec<u64>,
    pub most_monitors: usize,
    /// The changes that were followed, by monitors. After a power cut they are followed again.
    pub followed: BTreeMap<u64, BTreeSet<u64>>,
    /// Those of whom a change was put on record after a later one: two threads took them in the same moment, and what the
    /// one began the other had ended.
    overtaken: BTreeSet<u64>,
    pub made: Vec<Made>,
    /// The place of the last of them.
    pub place: u64,
    /// How often each arrived, by the name it has in the outbox, in the order of the first time.
    pub arrived: BTreeMap<String, u32>,
    /// How often each may still come again: it had arrived when the program died, and nobody had noted that.
    pub may_repeat: BTreeMap<String, u32>,
    /// The place of the last that arrived for the first time, by notifier and monitor.
    last_place: BTreeMap<(String, String), u64>,
}

/// The number and the beats in an incident's name.
pub fn numbers(incident: &str) -> Option<(u64, u64)> {
    let (number, beats) = incident.split_once('-')?;
    Some((number.parse().ok()?, beats.parse().ok()?))
}

fn overlaps((from, to): Stretch, (low, high): Stretch, near_ms: u64) -> bool {
    let end = |to: Option<u64>| to.unwrap_or(u64::MAX).saturating_add(near_ms);
    low <= end(to) && from <= end(high)
}

impl Telling {
    /// Who is down and who is paused at this moment.
    pub fn look<'a>(&mut self, now_ms: u64, live: impl Iterator<Item = (u64, Option<u64>, bool)> + 'a) {
        let (mut open, mut paused, mut there) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (number, incident, is_paused) in live {
            there.insert(number);
            if let Some(beats) = incident {
                open.insert((number, beats));
                let end = &mut self.open.entry((number, beats)).or_insert((now_ms, None)).1;
                if end.take().is_some() {
                    self.reopened.insert((number, beats));
                }
            }
            if is_paused {
                paused.insert(number);
                let stretches = self.paused.entry(number).or_default();
                if stretches.last().is_none_or(|(_, end)| end.is_some()) {
                    stretches.push((now_ms, None));
                }
            }
        }
        self.removed.extend(self.live.difference(&there));
        self.most_monitors = self.most_monitors.max(there.len());
        self.live = there;
        for (key, stretch) in &mut self.open {
            if stretch.1.is_none() && !open.contains(key) {
                stretch.1 = Some(now_ms);
            }
        }
        for (number, stretches) in &mut self.paused {
            if let Some(last) =
                stretches.last_mut().filter(|last| last.1.is_none() && !paused.contains(number))
            {
                last.1 = Some(now_ms);
            }
        }
    }

    /// A change is put on record.
    pub fn follow(&mut self, number: u64, version: u64) {
        let followed = self.followed.entry(number).or_default();
        if followed.insert(version) && followed.last() > Some(&version) {
            self.overtaken.insert(number);
        }
    }

    /// A power cut has taken what came after this version of a monitor.
    pub fn set_back(&mut self, number: u64, version: u64) {
        if let Some(followed) = self.followed.get_mut(&number) {
            followed.split_off(&(version + 1));
        }
    }

    /// The first moment by which something that was to be told then has been: nothing kept us from it for long enough.
    fn settled(&self, from: u64, min_down: Span) -> u64 {
        let need = min_down.0 + SOON_MS;
        let mut at = from;
        // They are in the order of time.
        for (gone, back) in &self.gaps {
            if *gone > at + need {
                break;
            }
            at = at.max(*back);
        }
        at + need
    }

    /// A message arrives.
    pub fn arrive(&mut self, key: &str, to: &str, place: u64, message: &Message) -> Result<(), String> {
        let times = self.arrived.entry(key.to_string()).or_default();
        *times += 1;
        if *times > 1 {
            let left = self.may_repeat.get_mut(key).filter(|left| **left > 0);
            return left.map(|left| *left -= 1).ok_or(format!("{key} is told again, {times} times now"));
        }
        for one in &message.monitors {
            let last = self.last_place.entry((to.to_string(), one.id.clone())).or_default();
            if *last > place {
                return Err(format!("{key} was overtaken by later news of {}", one.id));
            }
            *last = place;
        }
        Ok(())
    }

    /// What was made for a notifier about a monitor, reminders apart.
    fn about(&self, to: &str, number: u64) -> Vec<(&Made, (u64, u64))> {
        let news = self.made.iter().filter(|made| {
            made.message.notifier == to
                && !matches!(made.message.kind, MessageKind::Reminder | MessageKind::Own)
        });
        let named = news.flat_map(|made| {
            let incidents = made.message.monitors.iter().filter_map(|one| one.incident.as_deref());
            incidents.filter_map(numbers).map(move |incident| (made, incident))
        });
        named.filter(|(_, (of, _))| *of == number).collect()
    }

    /// What must hold of everything that was told, whatever the rules were meanwhile.
    pub fn check_order(&self, to: &str, number: u64) -> Result<(), String> {
        let about = self.about(to, number);
        let say = |fault: &str| Err(format!("{fault}: to {to} of {number}: {}", listed(&about)));
        let mut known = None;
        for (made, incident) in &about {
            match made.message.kind {
                MessageKind::Recovered if known.take() != Some(*incident) => {
                    return say("the end of what nobody knew");
                }
                MessageKind::Recovered => {}
                _ => known = Some(*incident),
            }
        }
        for window in about.windows(HOUR_MOST + 1) {
            let (first, last) = (window[0].0.at_ms, window[HOUR_MOST].0.at_ms);
            let within = |at: &u64| (first.saturating_sub(HOUR_MS)..=last).contains(at);
            let sure = !self.unsure.iter().any(within)
                && !self.taken_out.iter().any(|(name, at)| name == to && within(at));
            if sure && last - first < HOUR_MS - 1_000 {
                return say("more than three in an hour");
            }
        }
        Ok(())
    }

    /// What must hold in the end: who is down is known to be, who is not is not, and of what stood alone each was told once.
    /// Returns of how many it was sure what should be told.
    pub fn check_end(
        &self,
        to: &str,
        min_down: Span,
        incidents: &BTreeMap<String, Incident>,
        parent: Option<&str>,
        behind: impl Fn(&str) -> bool,
        on_record: impl Fn(u64, u64) -> bool,
    ) -> Result<u64, String> {
        let mut judged = 0;
        let parents: Vec<Stretch> = incidents
            .iter()
            .filter(|(_, one)| Some(one.monitor.as_str()) == parent)
            .filter_map(|(name, _)| self.open.get(&numbers(name)?).copied())
            .collect();
        let mut by_number: BTreeMap<u64, Vec<(u64, &Incident)>> = BTreeMap::new();
        for (name, incident) in incidents {
            let (number, beats) = numbers(name).ok_or("an incident without a name")?;
            by_number.entry(number).or_default().push((beats, incident));
        }
        for (number, all) in &by_number {
            let about = self.about(to, *number);
            let say = |fault: String| Err(format!("{fault}: to {to} of {number}: {}", listed(&about)));
            let last = about.last().map(|(made, _)| made.message.kind);
            let down = all.iter().find(|(_, one)| one.ended.is_none());
            let paused_now =
                self.paused.get(number).and_then(|all| all.last()).is_some_and(|last| last.1.is_none());
            let covered_now = parents.iter().any(|parent| parent.1.is_none());
            match (down, last) {
                _ if paused_now => {}
                (None, Some(kind)) if kind != MessageKind::Recovered => {
                    return say("that it is up again was not told".into());
                }
                (Some((_, one)), None | Some(MessageKind::Recovered))
                    if !(behind(&one.monitor) && covered_now) =>
                {
                    return say(format!("{} is down and nobody knows", one.monitor));
                }
                _ => {}
            }
            for (beats, one) in all {
                let Some(stretch) = self.open.get(&(*number, *beats)).copied() else { continue };
                let Some(mut want) = self.wanted(*number, *beats, stretch, one, min_down, &by_number) else {
                    continue;
                };
                // An outage that begins and ends while the disk is full is lost with the process, before there is room: what
                // is left of it is a row that a snapshot made, which takes some room that the journal had not.
                if one.ended.is_some() && !on_record(*number, *beats) {
                    want = Want::Either;
                }
                if behind(&one.monitor) && parents.iter().any(|parent| overlaps(*parent, stretch, APART_MS)) {
                    continue;
                }
                // Told of late, an earlier one may be so near that it is a flapping.
                let others = about.iter().filter(|(_, incident)| *incident != (*number, *beats));
                if others.clone().any(|(made, _)| made.at_ms + APART_MS > stretch.0) {
                    continue;
                }
                let of_it: Vec<MessageKind> = about
                    .iter()
                    .filter(|(_, incident)| *incident == (*number, *beats))
                    .map(|(made, _)| made.message.kind)
                    .collect();
                let full = [MessageKind::Down, MessageKind::Recovered];
                let should = if one.ended.is_some() { &full[..] } else { &full[..1] };
                let right = match want {
                    Want::Told => of_it == should,
                    Want::Untold => of_it.is_empty(),
                    Want::Either => of_it == should || of_it.is_empty(),
                };
                judged += u64::from(want != Want::Either);
                if !right {
                    return say(format!(
                        "incident {number}-{beats} of {} should be {want:?}, is {of_it:?}",
                        one.monitor
                    ));
                }
            }
        }
        Ok(judged)
    }

    /// What is to be told of an incident; `None`: it is not alone, so others may be told of with it.
    fn wanted(
        &self,
        number: u64,
        beats: u64,
        stretch: Stretch,
        incident: &Incident,
        min_down: Span,
        all: &BTreeMap<u64, Vec<(u64, &Incident)>>,
    ) -> Option<Want> {
        // Until its end was told it goes on for those who are told.
        let told = |(from, to): Stretch| (from, to.map(|to| self.settled(to, min_down)));
        let others = all.get(&number).into_iter().flatten().filter(|(other, _)| *other != beats);
        let near = others
            .map(|(other, _)| self.open.get(&(number, *other)).copied())
            .any(|other| other.is_none_or(|other| overlaps(told(other), told(stretch), APART_MS)));
        let lost = self
            .open
            .range((number, 0)..=(number, u64::MAX))
            .any(|(key, other)| key.1 != beats && overlaps(told(*other), told(stretch), APART_MS));
        // A pause after its end may have begun before that was told.
        let paused = self.paused.get(&number).into_iter().flatten();
        let until = told(stretch).1.map(|to| to + APART_MS);
        let paused = paused.clone().any(|pause| overlaps(*pause, (stretch.0, until), 0));
        if near || lost || paused || self.reopened.contains(&(number, beats)) {
            return None;
        }
        let (from, to) = stretch;
        // What happens later finds it told.
        let told = from + min_down.0 + SOON_MS;
        let within = |all: &[u64], before_ms: u64| {
            let until = to.unwrap_or(u64::MAX).min(told);
            all.iter().any(|at| (from.saturating_sub(before_ms)..=until).contains(at))
        };
        let ours = self.most_monitors >= DOUBT_MONITORS
            && incident.reason.cause == Cause::Silence
            && within(&self.absent, DOUBT_MS);
        if ours
            || self.overtaken.contains(&number)
            || self.removed.contains(&number)
            || within(&self.doubtful, EXACT_MS)
        {
            return Some(Want::Either);
        }
        let Some(to) = to else { return Some(Want::Told) };
        if min_down == Span(0) || to - from >= min_down.0 + EXACT_MS {
            Some(if min_down > Span(0) && within(&self.absent, EXACT_MS) { Want::Either } else { Want::Told })
        } else if to - from + EXACT_MS < min_down.0 && !within(&self.absent, EXACT_MS) {
            Some(Want::Untold)
        } else {
            Some(Want::Either)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Told,
    Untold,
    Either,
}

fn listed(about: &[(&Made, (u64, u64))]) -> String {
    let one = |(made, (number, beats)): &(&Made, (u64, u64))| {
        format!("{:?} {number}-{beats} at {} ms ({})", made.message.kind, made.at_ms, made.message.key)
    };
    about.iter().map(one).collect::<Vec<_>>().join(", ")
}
