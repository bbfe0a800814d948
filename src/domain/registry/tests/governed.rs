//! The governor over whole populations, hour by hour: senders that follow, senders that do not, and both.

use super::*;
use crate::domain::governor::{Governor, Step, Terms};
use crate::domain::policy::Policy;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A sender of a population.
struct Sender {
    id: String,
    interval: Span,
    follows: bool,
    joins_ms: u64,
    leaves_ms: u64,
}

/// What a second was like.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    beats: u64,
    times: f64,
}

/// A small generator of numbers, so that every run is the same.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// `count` senders with intervals from `range`, evenly spread by their logarithm.
fn senders(
    name: &str,
    count: u64,
    range: (u64, u64),
    follow: impl Fn(u64) -> bool,
    rng: &mut Rng,
) -> Vec<Sender> {
    let doublings = (range.1 as f64 / range.0 as f64).log2();
    let one = |n: u64, rng: &mut Rng| {
        let at = rng.below(1000) as f64 / 1000.0;
        let interval = Span((range.0 as f64 * 1000.0 * 2f64.powf(at * doublings)) as u64 / 1000 * 1000);
        let joins_ms = rng.below(interval.0);
        Sender { id: format!("{name}-{n}"), interval, follows: follow(n), joins_ms, leaves_ms: u64::MAX }
    };
    (0..count).map(|n| one(n, rng)).collect()
}

/// Runs a population for so many seconds; nobody who beats as told may ever be anything but up.
fn run(terms: Terms, senders: &[Sender], seconds: u64) -> Vec<Second> {
    let mut rng = Rng(7);
    let mut registry = registry();
    registry.ask(Some(Step::NONE));
    let mut law = Governor::default();
    let mut due: BinaryHeap<Reverse<(u64, usize)>> =
        senders.iter().enumerate().map(|(n, sender)| Reverse((sender.joins_ms, n))).collect();
    let called = |n: usize| Name { hash: (n as u32).wrapping_mul(0x9e37_79b9), ..name(&senders[n].id) };
    let mut all = Vec::new();
    for second in 1..=seconds {
        let mut beats = 0;
        while let Some(Reverse((ms, n))) = due.peek().copied().filter(|Reverse((ms, _))| *ms < second * 1000)
        {
            due.pop();
            let sender = &senders[n];
            if ms >= sender.leaves_ms {
                registry
                    .control(at(ms), called(n), &MonitorCommand::Remove, (0, source()), &mut |_| {})
                    .unwrap();
                continue;
            }
            let said = Beat { interval: Some(sender.interval), ..Beat::default() };
            let arrival = Arrival {
                monitor: called(n),
                beat: &said,
                source: source(),
                follows_interval: true,
                create: Some(n as u64 + 1),
            };
            let told = registry.handle(at(ms), arrival, &mut |_| {}).unwrap().interval;
            assert!(
                told >= sender.interval && told.0 <= sender.interval.0 * u64::from(terms.stretch_max) + 1000
            );
            let waits = if sender.follows { told } else { sender.interval };
            // The way here takes a moment, now more, now less.
            due.push(Reverse((ms + waits.0 + rng.below(200), n)));
            beats += 1;
        }
        while registry.handle_timeout(at(second * 1000), 1024, &mut |_| {}) {}
        let gone: Vec<Transition> =
            changes(&mut registry).into_iter().filter(|change| change.to == State::Down).collect();
        assert!(gone.is_empty(), "{second} s: {gone:?}");
        let times = law.count(registry.take_load(), Span::secs(1), terms);
        registry.ask(Some(Step::of(times, terms.stretch_max)));
        all.push(Second { beats, times });
    }
    all
}

fn mean_rate(seconds: &[Second]) -> f64 {
    seconds.iter().map(|second| second.beats).sum::<u64>() as f64 / seconds.len() as f64
}

fn terms(beats_per_second: u32, stretch_max: u32) -> Terms {
    Terms { beats_per_second: Some(beats_per_second), stretch_max }
}

#[test]
fn a_population_that_follows_settles_under_the_target_and_stays_there() {
    let senders = senders("a", 600, (1, 3600), |_| true, &mut Rng(1));
    let demand: f64 = senders.iter().map(|sender| 1000.0 / sender.interval.0 as f64).sum();
    let target = (demand / 3.0) as u32;
    let seconds = run(terms(target, 8), &senders, 4 * 3600);
    assert!(mean_rate(&seconds[..3]) > f64::from(target), "it begins with too much");
    for minutes in seconds[600..].chunks(60) {
        assert!(mean_rate(minutes) < f64::from(target) * 1.02, "{}", mean_rate(minutes));
        assert!(
            mean_rate(minutes) > f64::from(target) * 0.6,
            "{}: more patience than needed",
            mean_rate(minutes)
        );
    }
    // No swinging: the stretch moves within a narrow band, slowest followers of an hour included.
    let settled = seconds[7200..].iter().map(|second| second.times);
    let (low, high) = (settled.clone().fold(f64::MAX, f64::min), settled.fold(0.0, f64::max));
    assert!(high / low < 1.5, "from {low} to {high}");
}

#[test]
fn those_who_follow_carry_those_who_do_not_as_long_as_that_suffices() {
    let senders = senders("a", 400, (2, 60), |n| n % 2 == 0, &mut Rng(2));
    let demand: f64 = senders.iter().map(|sender| 1000.0 / sender.interval.0 as f64).sum();
    let target = (demand * 0.7) as u32;
    let seconds = run(terms(target, 8), &senders, 3600);
    for minutes in seconds[1200..].chunks(60) {
        assert!(mean_rate(minutes) < f64::from(target) * 1.03, "{} of {target}", mean_rate(minutes));
    }
}

#[test]
fn where_nobody_follows_nobody_is_held_longer_for_long_and_nobody_is_down() {
    let senders = senders("a", 200, (1, 60), |_| false, &mut Rng(3));
    let demand: f64 = senders.iter().map(|sender| 1000.0 / sender.interval.0 as f64).sum();
    let seconds = run(terms((demand / 4.0) as u32, 8), &senders, 1800);
    let rate = mean_rate(&seconds[600..]);
    assert!((demand * 0.8..demand * 1.05).contains(&rate), "{rate} of {demand}");
}

#[test]
fn a_crowd_that_comes_and_goes_leaves_no_trace() {
    let mut rng = Rng(4);
    let mut all = senders("a", 100, (5, 60), |_| true, &mut rng);
    let steady: f64 = all.iter().map(|sender| 1000.0 / sender.interval.0 as f64).sum();
    let mut crowd = senders("b", 600, (5, 60), |_| true, &mut rng);
    for sender in &mut crowd {
        sender.joins_ms += 600_000;
        sender.leaves_ms = 1_800_000;
    }
    all.extend(crowd);
    let target = (steady * 2.0) as u32;
    let seconds = run(terms(target, 8), &all, 3600);
    assert!(seconds[60..600].iter().all(|second| second.times < 1.2), "nobody is asked for anything before");
    let crowded = mean_rate(&seconds[900..1700]);
    assert!(crowded < f64::from(target) * 1.02, "{crowded} of {target}");
    assert!(seconds[900].times > 2.5, "{}", seconds[900].times);
    let after = &seconds[2700..];
    assert!(after.iter().all(|second| second.times < 1.2), "all have their own intervals again");
    assert!((steady * 0.9..steady * 1.1).contains(&mean_rate(after)));
}

fn stretched(registry: &mut Registry, ms: u64, id: &str) -> Span {
    registry.ask(Some(Step::of(4.0, 8)));
    let told = beat(registry, ms, id, &OK).interval;
    assert_eq!(told, Span::secs(240));
    told
}

#[test]
fn who_was_told_a_longer_interval_is_held_to_that_and_not_to_less() {
    let mut r = registry();
    stretched(&mut r, 0, "a");
    let shown = r.get(at(1), name("a")).unwrap();
    assert_eq!((shown.interval, shown.asked), (Span::secs(60), Some(Span::secs(240))));
    // The load is over, but nobody has told the sender.
    r.ask(Some(Step::NONE));
    assert_eq!(run_to(&mut r, 239_000), vec![]);
    assert_eq!(beat(&mut r, 239_000, "a", &OK).interval, Span::secs(60));
    assert_eq!(run_to(&mut r, 299_016), vec![("a".into(), State::Late)]);
    assert_eq!(r.get(at(299_016), name("a")).unwrap().asked, None);
}

#[test]
fn a_reload_that_shortens_the_interval_or_gives_a_schedule_takes_no_patience_back() {
    for rule in [
        Rule { interval: Some(Span::secs(10)), ..rule("*") },
        Rule { schedule: Schedule::parse("* * * * *", "UTC").ok(), grace: Some(Span(0)), ..rule("*") },
    ] {
        let mut r = registry();
        stretched(&mut r, 0, "a");
        let policy =
            Policy { rules: Arc::new(Rules::new(vec![rule])), defaults: r.defaults, ..Policy::default() };
        r.set_policy(at(1_000), &policy, &mut |_| {});
        assert_eq!(run_to(&mut r, 239_900), vec![]);
        assert_eq!(state(&r, 239_900, "a"), State::Up);
    }
}

#[test]
fn a_restart_takes_no_patience_back_either_though_the_governor_is_gone() {
    let mut r = registry();
    stretched(&mut r, 0, "a");
    let mut next = registry();
    while r
        .unsaved(at(1_000), 0, u64::MAX, &mut |record| next.load(at(1_000), name("a"), record, true))
        .is_some()
    {}
    next.resume_after_start(at(5_000), Some(at(2_000).wall), &HashSet::new(), &mut |_| {});
    assert_eq!(run_to(&mut next, 239_900), vec![]);
    assert_eq!(next.get(at(239_900), name("a")).unwrap().asked, Some(Span::secs(240)));
    assert_eq!(beat(&mut next, 239_900, "a", &OK).interval, Span::secs(60));
}

#[test]
fn who_repeats_what_it_was_told_has_not_asked_for_it() {
    let mut r = registry();
    let told = stretched(&mut r, 0, "a");
    let echo = Beat { interval: Some(told), ..OK };
    assert_eq!(beat(&mut r, 240_000, "a", &echo).interval, told);
    r.ask(None);
    assert_eq!(beat(&mut r, 480_000, "a", &echo).interval, Span::secs(60));
}

#[test]
fn schedules_runs_failures_rare_beats_and_the_deaf_are_never_stretched() {
    let mut r =
        ruled(Rules::new(vec![Rule { schedule: Schedule::parse("0 3 * * *", "UTC").ok(), ..rule("job") }]));
    r.ask(Some(Step::of(8.0, 8)));
    let asked = |r: &Registry, id: &str| r.get(at(9_000), name(id)).unwrap().asked;
    beat(&mut r, 0, "job", &OK);
    beat(&mut r, 0, "run", &said(Status::Start, None));
    beat(&mut r, 1_000, "run", &OK);
    beat(&mut r, 0, "tied", &said(Status::Ok, Some("r1")));
    beat(&mut r, 0, "failing", &said(Status::Fail, None));
    beat(&mut r, 0, "daily", &Beat { interval: Some(Span::secs(86_400)), ..OK });
    let arrival = Arrival {
        monitor: name("deaf"),
        beat: &OK,
        source: source(),
        follows_interval: false,
        create: Some(99),
    };
    r.handle(at(0), arrival, &mut |_| {}).unwrap();
    for id in ["job", "run", "tied", "failing", "daily", "deaf"] {
        assert_eq!(asked(&r, id), None, "{id}");
    }
    beat(&mut r, 0, "plain", &OK);
    assert_eq!(asked(&r, "plain"), Some(Span::secs(480)));
    // A failure is told the plain interval, so that what becomes of it is heard soon.
    assert_eq!(beat(&mut r, 8_000, "plain", &said(Status::Fail, None)).interval, Span::secs(60));
    assert_eq!(asked(&r, "plain"), None);
}
