//! The delivery in simulated time: a receiver that fails for an hour, or for a day, in each way that receivers fail.
//!
//! What a failure looks like is not made up: a real channel, made from a real configuration, meets each of them once over
//! the loopback, and what it says then is what the simulated post says for as long as the failure lasts. The engine, the
//! outbox and the delivery's round are the real ones; only the thread and the waiting are not.

mod crowd;
mod faults;
mod full_disk;

use crate::store::{Probe, SimJournal, SimTables};
use faults::{FAULTS, Fault, OUTCOMES, PATIENCE_S, settings};
use heartbeat_server::config::Settings;
use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::alert::MessageKind;
use heartbeat_server::domain::beat::{Beat, Source, Status, Transport};
use heartbeat_server::domain::id::IdRef;
use heartbeat_server::domain::lang::Lang;
use heartbeat_server::domain::policy::{Policy, Sync};
use heartbeat_server::domain::time::{Mono, Now, Span, Wall};
use heartbeat_server::domain::zone::Zone;
use heartbeat_server::engine::checkpoint::Checkpointer;
use heartbeat_server::engine::delivery::stats::AlertResult;
use heartbeat_server::engine::delivery::{Deliverer, Dispatch};
use heartbeat_server::engine::judge::Judge;
use heartbeat_server::engine::{Engine, Incoming, Pending};
use heartbeat_server::notify::Outcome;
use heartbeat_server::store::journal::sim::SimDisk;
use heartbeat_server::store::journal::{FileJournal, JournalOptions};
use heartbeat_server::store::memory::MemoryTables;
use heartbeat_server::store::{DeliveryStatus, OutboxMessage, OutboxQuery, Storage};
use heartbeat_server::sys::clock;
use heartbeat_server::view::alert;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;
/// Longest pause between two tries, give or take a quarter: what a receiver that is well again may wait for its news.
const PAUSE_MAX: u64 = 375;

/// A message that was taken.
#[derive(Clone, Debug)]
struct Heard {
    s: u64,
    key: String,
    made_s: u64,
    json: Value,
}

/// A message on its way.
struct Flight {
    lands_s: u64,
    dispatch: Dispatch,
    outcome: Outcome,
}

/// All of it, with a clock.
struct Town {
    settings: Settings,
    policy: Arc<Policy>,
    disk: SimDisk,
    tables: Arc<MemoryTables>,
    probe: Probe,
    begin: Wall,
    s: u64,
    engine: Engine,
    checkpointer: Checkpointer,
    watch: Judge,
    round: Deliverer,
    flights: Vec<Flight>,
    /// Which notifier fails, from when until when, and how.
    failing: Vec<(&'static str, u64, u64, Fault)>,
    /// When who was tried.
    tries: Vec<(u64, String)>,
    heard: BTreeMap<String, Vec<Heard>>,
}

impl Town {
    fn new(name: &str, notifiers: &str) -> Town {
        let text = format!("[defaults]\ninterval = \"1d\"\nnotify = [\"ops\"]\n{notifiers}");
        let settings = settings(name, &text);
        let policy = Arc::new(Policy {
            rules: settings.rules.clone(),
            alerts: settings.alerts.clone(),
            defaults: settings.defaults,
            ..Policy::default()
        });
        let (disk, tables, begin) = (SimDisk::new(), Arc::new(MemoryTables::new()), clock::wall());
        let now = now_at(begin, 0);
        let probe = Probe::default();
        let (engine, checkpointer) = started(&policy, &disk, &tables, &probe, now);
        let watch = Judge::new(now, Span(0));
        Town {
            settings,
            policy,
            disk,
            tables,
            probe,
            begin,
            s: 0,
            engine,
            checkpointer,
            watch,
            round: Deliverer::default(),
            flights: Vec::new(),
            failing: Vec::new(),
            tries: Vec::new(),
            heard: BTreeMap::new(),
        }
    }

    fn now(&self) -> Now {
        now_at(self.begin, self.s)
    }

    /// It is killed, and started again at once: what was on its way may have arrived or not, and nobody noted it.
    fn kill(&mut self) {
        let now = self.now();
        self.flights.clear();
        (self.engine, self.checkpointer) = started(&self.policy, &self.disk, &self.tables, &self.probe, now);
        self.watch = Judge::new(now, Span(0));
        self.round = Deliverer::default();
    }

    fn beat(&mut self, id: &str, status: Status) {
        let beat = Beat { status, ..Beat::default() };
        let source = Source { peer: Peer::Ip([127, 0, 0, 1].into()), transport: Transport::Http };
        let incoming = Incoming {
            now: self.now(),
            monitor: IdRef::new(id).unwrap(),
            beat: &beat,
            source,
            follows_interval: true,
        };
        let mut pending = Pending::new();
        self.engine.beat(&incoming, &self.policy, &mut pending, || {}).unwrap();
        // A full disk is noted, and the beat is known.
        let _ = self.engine.commit(incoming.now.wall, &mut pending);
    }

    /// Nothing can be written any more, or everything again.
    fn fill_disk(&mut self, full: bool) {
        self.disk.set_room(full.then_some(0));
        self.probe.fill_tables(full);
    }

    /// A second goes by.
    fn tick(&mut self) {
        self.tick_with(|_| false);
    }

    /// A second goes by, with messages that are answered by 500 whenever they come.
    fn tick_with(&mut self, chokes: impl Fn(&Dispatch) -> bool) {
        self.s += 1;
        let now = self.now();
        self.engine.turn(&mut self.watch, now, Span(0));
        self.engine.checkpoint(&mut self.checkpointer, now, Span(0));
        let flights = std::mem::take(&mut self.flights);
        let (landed, still) = flights.into_iter().partition(|flight| flight.lands_s <= self.s);
        let landed: Vec<Flight> = landed;
        self.flights = still;
        for Flight { dispatch, outcome, .. } in landed {
            self.engine.settle(&mut self.round, dispatch, &outcome, now);
        }
        let channels = &self.settings.channels;
        let slots =
            |name: &str| channels.iter().find(|one| one.name == name).map(|channel| channel.concurrency);
        for dispatch in self.engine.hand_out(&mut self.round, &slots, now) {
            let chokes = chokes(&dispatch).then_some(Fault::Answers500);
            self.send(dispatch, chokes);
        }
    }

    fn send(&mut self, dispatch: Dispatch, chokes: Option<Fault>) {
        let to = dispatch.outgoing.notifier.clone();
        self.tries.push((self.s, to.clone()));
        let holds = |(name, from, until, _): &&(&str, u64, u64, Fault)| {
            *name == to && (*from..*until).contains(&self.s)
        };
        let fault = chokes.or(self.failing.iter().find(holds).map(|(.., fault)| *fault));
        let outcome = fault.map_or(Outcome::Sent, |fault| OUTCOMES[&fault].clone());
        if outcome == Outcome::Sent {
            let json = alert::json(Lang::En, &dispatch.message);
            let made_s = (dispatch.message.made.0 - self.begin.0) as u64 / 1000;
            let heard = Heard { s: self.s, key: dispatch.message.key.clone(), made_s, json };
            self.heard.entry(to).or_default().push(heard);
        }
        let lasts_s = if fault == Some(Fault::Hangs) { 15 } else { 0 };
        self.flights.push(Flight { lands_s: self.s + lasts_s, dispatch, outcome });
    }

    fn pass(&mut self, span_s: u64) {
        (0..span_s).for_each(|_| self.tick());
    }

    fn rows(&self, delivery: DeliveryStatus) -> Vec<OutboxMessage> {
        let query = OutboxQuery { delivery: Some(delivery), before: None, limit: 100_000 };
        self.engine.alerts(&query).unwrap()
    }

    fn heard_by(&self, name: &str) -> &[Heard] {
        self.heard.get(name).map_or(&[], Vec::as_slice)
    }

    fn tries_of(&self, name: &str, from_s: u64, until_s: u64) -> Vec<u64> {
        let of = self.tries.iter().filter(|(s, to)| to == name && (from_s..until_s).contains(s));
        of.map(|(s, _)| *s).collect()
    }

    fn is_said(&self, text: &str) -> bool {
        self.engine.health().degraded.iter().any(|said| said.own().say(Lang::En).contains(text))
    }

    /// What `name` heard: each thing once, of each monitor first that it is down and then that it is up, and what came
    /// late says how late.
    fn check_heard(&self, name: &str) {
        let heard = self.heard_by(name);
        let keys: BTreeSet<&str> = heard.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys.len(), heard.len(), "something was told twice");
        let mut down = BTreeSet::new();
        for one in heard {
            let id = one.json["monitor"].as_str().unwrap().to_string();
            match one.json["kind"].as_str().unwrap() {
                "down" => assert!(down.insert(id.clone()), "{id} is said to be down twice"),
                "recovered" => assert!(down.remove(&id), "{id} is up before it was down: {heard:#?}"),
                other => panic!("{other}"),
            }
            let (late_s, text) =
                (one.json["delayed_s"].as_f64().unwrap(), one.json["text"].as_str().unwrap());
            let (is_late, waited_s) = (late_s > 0.0, one.s - one.made_s);
            assert_eq!(text.contains(" late)"), is_late, "{text}");
            // Its age is known here in whole seconds only, so about a minute either is right.
            if !(MINUTE..=MINUTE + 2).contains(&waited_s) {
                assert_eq!(is_late, waited_s > MINUTE, "{one:?}");
            }
            if is_late {
                assert!((late_s - waited_s as f64).abs() <= 1.0, "{one:?}");
            }
        }
    }
}

fn now_at(begin: Wall, s: u64) -> Now {
    Now { mono: Mono((1 << 40) + s * 1000), wall: Wall(begin.0 + s as i64 * 1000) }
}

fn started(
    policy: &Arc<Policy>,
    disk: &SimDisk,
    tables: &Arc<MemoryTables>,
    probe: &Probe,
    now: Now,
) -> (Engine, Checkpointer) {
    let inner = FileJournal::open(Arc::new(disk.clone()), JournalOptions::default(), now.wall).unwrap();
    let journal = SimJournal { inner, probe: probe.clone() };
    let tables = SimTables { inner: tables.clone(), probe: probe.clone(), disk: disk.clone() };
    let engine =
        Engine::new(now, policy.clone(), crate::silent(), 1, Storage::new(journal, tables), Sync::Second);
    engine.recover(now).unwrap();
    (engine, Checkpointer::new(now, Span(0), Span::secs(365 * DAY)))
}

/// A notifier; what it is reached by does not matter, since the post is simulated.
fn notifier(name: &str, more: &str) -> String {
    format!(
        "[[notifier]]\nname = \"{name}\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\ngroup_wait = \"0s\"\n{more}\n"
    )
}

/// A failure of an hour with incidents before, during and after it; killed in the middle if so wished.
fn an_hour_of(fault: Fault, kill: bool) -> Town {
    let mut town = Town::new(&format!("{fault:?}-{kill}"), &notifier("ops", ""));
    let (from, until) = (5 * MINUTE, 5 * MINUTE + HOUR);
    town.failing = vec![("ops", from, until, fault)];
    let ids: Vec<String> = (0..40).map(|n| format!("m{n}")).collect();
    ids.iter().for_each(|id| town.beat(id, Status::Ok));
    for minute in 0..82 {
        // Two minutes after it went down every second one is up again.
        if let Some(id) = ids.get(minute / 2).filter(|_| minute % 2 == 0) {
            town.beat(id, Status::Fail);
        }
        if let Some(id) = minute.checked_sub(2).and_then(|minute| ids.get(minute / 2)) {
            if minute % 4 == 0 {
                town.beat(id, Status::Ok);
            }
        }
        if minute == 30 {
            assert!(town.is_said("alerts do not reach ops"), "{:?}", town.engine.health());
            if kill {
                town.kill();
            }
        }
        town.pass(MINUTE);
    }
    town.pass(15 * MINUTE);
    town
}

#[test]
fn an_hour_without_a_receiver_loses_nothing_repeats_nothing_and_is_said_to_be_late() {
    for (fault, outcome) in OUTCOMES.iter() {
        let (Outcome::Retry { after, reason }, want) = (outcome, fault.words()) else {
            panic!("{fault:?} is not tried again: {outcome:?}");
        };
        assert!(reason.say(Lang::En).contains(want), "{fault:?}: {reason:?}");
        let asked = (*fault == Fault::AsksForPatience).then_some(Span::secs(PATIENCE_S));
        assert_eq!(*after, asked, "{fault:?}");
    }
    for (fault, kill) in FAULTS.into_iter().map(|fault| (fault, false)).chain([(Fault::NoName, true)]) {
        let town = an_hour_of(fault, kill);
        let (from, until) = (5 * MINUTE, 5 * MINUTE + HOUR);
        let heard = town.heard_by("ops");
        // 40 went down and 20 came up.
        assert_eq!(heard.len(), 60, "{fault:?}: {heard:#?}");
        town.check_heard("ops");
        assert!(heard.iter().all(|one| !(from..until).contains(&one.s)), "{fault:?}");
        assert!(heard.iter().filter(|one| one.json["delayed_s"].as_f64() > Some(0.0)).count() > 40);
        // All of it as soon as somebody is asked again, and then at once.
        let wait = PAUSE_MAX.max(if fault == Fault::AsksForPatience { PATIENCE_S } else { 0 }) + 20;
        let waited = heard.iter().filter(|one| one.made_s < until).map(|one| one.s).max().unwrap();
        assert!(waited <= until + wait + 60, "{fault:?}: the last came {} s after its end", waited - until);
        // So it is shown: every one sent, none waiting, none failed, and nothing is wrong any more.
        let sent = town.rows(DeliveryStatus::Sent);
        assert_eq!(
            (sent.len(), town.rows(DeliveryStatus::Pending), town.rows(DeliveryStatus::Failed)),
            (60, vec![], vec![])
        );
        assert!(sent.iter().all(|row| row.reason.is_none()));
        assert!(!town.is_said("ops"), "{:?}", town.engine.health());
        // However many waited: 1, 2, 4 … 256 s, and then every five minutes, each give or take a quarter; and after a start
        // once more.
        let tries = town.tries_of("ops", from, until);
        let shortest = 225 + if fault == Fault::Hangs { 15 } else { 0 };
        let most = (if kill { 2 } else { 1 }) * (9 + HOUR / shortest) as usize;
        let least = if fault == Fault::AsksForPatience { 8 } else { 14 };
        assert!((least..=most).contains(&tries.len()), "{fault:?} {kill}: {} tries: {tries:?}", tries.len());
        if fault == Fault::AsksForPatience {
            assert!(tries.windows(2).all(|two| two[1] - two[0] >= PATIENCE_S), "{tries:?}");
        }
        if !kill {
            // What is shown of how often each was tried is what happened.
            let shown: usize = sent.iter().map(|row| row.outgoing.tries as usize).sum();
            assert_eq!(shown, town.tries.len(), "{fault:?}");
            let tally = town.engine.alert_tally()["ops"];
            assert_eq!(tally[AlertResult::Sent as usize], 60);
            assert_eq!(tally[AlertResult::Retried as usize] as usize, tries.len(), "{fault:?}");
        }
    }
}

#[test]
fn what_could_not_be_told_for_a_day_goes_to_the_fallback_and_says_how_late_it_is() {
    let mut town =
        Town::new("day", &format!("{}{}", notifier("ops", "fallback = \"mail\""), notifier("mail", "")));
    let until = 2 * DAY;
    town.failing = vec![("ops", 0, until, Fault::NoName)];
    for n in 0..60 {
        // Some together, and some while others wait.
        town.beat(&format!("m{n}"), Status::Fail);
        town.pass(if n < 30 { 1 } else { 10 * MINUTE });
    }
    town.pass(DAY - town.s);
    assert_eq!(town.heard_by("mail").len(), 0, "not before a day is over");
    assert_eq!(town.rows(DeliveryStatus::Pending).len(), 60);
    town.pass(DAY / 2);
    let heard = town.heard_by("mail");
    assert_eq!((heard.len(), town.heard_by("ops").len()), (60, 0));
    town.check_heard("mail");
    for one in heard {
        let late = one.s - one.made_s;
        assert!((DAY..DAY + 3 * MINUTE).contains(&late), "{} came after {late} s", one.key);
    }
    // Each is shown twice: given up by the one and told by the other.
    let (failed, sent) = (town.rows(DeliveryStatus::Failed), town.rows(DeliveryStatus::Sent));
    assert_eq!((failed.len(), sent.len(), town.rows(DeliveryStatus::Pending).len()), (60, 60, 0));
    let reason = |row: &OutboxMessage| row.reason.clone().unwrap_or_default();
    assert!(
        failed.iter().all(|row| row.outgoing.notifier == "ops" && reason(row).contains("cannot resolve"))
    );
    assert!(sent.iter().all(|row| row.outgoing.notifier == "mail"));
    assert!(town.is_said("alerts could not be told in the last 24 hours: 60"), "{:?}", town.engine.health());
    let tally = town.engine.alert_tally();
    assert_eq!(tally["ops"][AlertResult::Failed as usize], 60);
    assert_eq!(tally["mail"][AlertResult::Sent as usize], 60);
    // It was not asked more often for there being many.
    let tries = town.tries_of("ops", 0, DAY).len() as u64;
    assert!((9 + DAY / 375..=9 + DAY / 225).contains(&tries), "{tries}");
    // It comes back, and hears of what happens from then on.
    town.pass(until - town.s);
    town.beat("m7", Status::Ok);
    town.beat("later", Status::Fail);
    town.pass(10 * MINUTE);
    let kinds: Vec<&str> =
        town.heard_by("ops").iter().map(|one| one.json["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["down", "recovered"], "the bad news first");
    assert!(!town.is_said("do not reach"), "{:?}", town.engine.health());
}

#[test]
fn a_message_that_a_receiver_chokes_on_does_not_keep_the_others() {
    let mut town = Town::new("choke", &notifier("ops", "retry_for = \"1h\""));
    town.beat("bad", Status::Fail);
    town.pass(2);
    assert_eq!(town.heard_by("ops").len(), 1);
    let mut others = 0;
    // Its recovery is what nobody takes: every other message passes, soon.
    town.beat("bad", Status::Ok);
    for n in 0..30 {
        town.beat(&format!("m{n}"), Status::Fail);
        others += 1;
        for _ in 0..MINUTE {
            town.tick_with(|dispatch| dispatch.message.kind == MessageKind::Recovered);
        }
    }
    let heard = town.heard_by("ops");
    assert_eq!(heard.len(), 1 + others, "{heard:#?}");
    let latest = heard.iter().map(|one| one.s - one.made_s).max().unwrap();
    assert!(latest <= 2 * MINUTE, "{latest}");
    (0..HOUR).for_each(|_| town.tick_with(|dispatch| dispatch.message.kind == MessageKind::Recovered));
    assert_eq!((town.rows(DeliveryStatus::Failed).len(), town.rows(DeliveryStatus::Pending).len()), (1, 0));
}

#[test]
fn what_is_too_much_for_one_notifier_goes_to_the_fallback_and_is_said_to_have_failed() {
    let (many, too_many) = (10_000, 1_300);
    let mut town =
        Town::new("flood", &format!("{}{}", notifier("ops", "fallback = \"mail\""), notifier("mail", "")));
    town.failing = vec![("ops", 0, DAY, Fault::NoName)];
    for n in 0..many + too_many {
        // Each is told by itself.
        town.beat(&format!("m{n}"), Status::Fail);
        let now = town.now();
        town.engine.checkpoint(&mut town.checkpointer, now, Span(0));
        if n % 1_000 == 0 {
            town.tick();
        }
    }
    let all = town.rows(DeliveryStatus::Pending).len() + town.rows(DeliveryStatus::Failed).len();
    assert!(all >= many + too_many, "each has a message of its own: {all}");
    town.pass(30 * MINUTE);
    assert_eq!(town.rows(DeliveryStatus::Pending).len(), many, "so many go on waiting");
    let failed = town.rows(DeliveryStatus::Failed);
    assert_eq!(failed.len(), too_many);
    let reason = |row: &OutboxMessage| row.reason.clone().unwrap_or_default();
    assert!(failed.iter().all(|row| reason(row).contains("too many are waiting")), "{:?}", failed[0]);
    assert_eq!(town.engine.alert_tally()["ops"][AlertResult::Failed as usize], too_many as u64);
    assert!(town.is_said("alerts could not be told in the last 24 hours"), "{:?}", town.engine.health());
    // Those that came first, and in their order.
    let heard = town.heard_by("mail");
    let ids: Vec<String> = heard.iter().map(|one| one.json["monitor"].as_str().unwrap().into()).collect();
    let want: Vec<String> = (0..too_many).map(|n| format!("m{n}")).collect();
    assert_eq!(ids, want);
}

#[test]
fn a_job_that_misses_its_slot_is_told_of_with_the_slot_its_zone_and_the_beat_that_did_not_count() {
    let job = "[[monitor]]\nmatch = \"job\"\nschedule = \"*/10 * * * *\"\ntimezone = \"Asia/Shanghai\"\ngrace = \"1m\"\nearly = 0\n";
    let mut town = Town::new("slot", &format!("{job}{}", notifier("ops", "")));
    // Four minutes before a full ten by all clocks.
    let into_s = (town.begin.0 / 1000) as u64 % (10 * MINUTE);
    town.pass(16 * MINUTE - into_s);
    town.beat("job", Status::Ok);
    let beat = town.now().wall;
    town.pass(6 * MINUTE);
    let heard = town.heard_by("ops");
    assert_eq!(heard.len(), 1, "{heard:#?}");
    let (json, zone) = (&heard[0].json, Zone::parse("Asia/Shanghai").unwrap());
    let slot: jiff::Timestamp = json["slot"].as_str().unwrap().parse().unwrap();
    assert_eq!((slot.as_millisecond() - beat.0).clamp(180_000, 240_000), slot.as_millisecond() - beat.0);
    assert_eq!(json["monitors"][0]["slot"], json["slot"]);
    let text = json["text"].as_str().unwrap();
    let expected = &zone.stamp(Wall(slot.as_millisecond())).unwrap()[11..16];
    assert!(
        text.starts_with(&format!(
            "job is down, expected at {expected} Asia/Shanghai; the last beat was at "
        ))
    );
    assert!(
        text.ends_with(&format!("{} and did not count for it", &zone.stamp(beat).unwrap()[11..16])),
        "{text}"
    );
    assert!(json["details"].as_str().unwrap().contains("+08:00"), "{json}");
}
