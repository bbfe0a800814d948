//! What a seed makes of a world: how many monitors, how often what happens, which rules.

use heartbeat_server::domain::alert::{AlertPolicy, Notifier};
use heartbeat_server::domain::governor::Terms;
use heartbeat_server::domain::limits::Limits;
use heartbeat_server::domain::pattern::Pattern;
use heartbeat_server::domain::policy::Defaults;
use heartbeat_server::domain::policy::{Policy, Sync};
use heartbeat_server::domain::rules::{Match, Rule, Rules};
use heartbeat_server::domain::schedule::Schedule;
use heartbeat_server::domain::time::{Span, Wall};
use heartbeat_server::domain::tolerance::Early;
use heartbeat_server::domain::window::Window;
use heartbeat_server::store::journal::sim::SimulatedRng;
use std::sync::Arc;

/// Rng choices.
pub trait Choose {
    /// True once in `n` times.
    fn one_in(&mut self, n: u64) -> bool;
    /// One of them.
    fn of<T: Copy>(&mut self, all: &[T]) -> T;
    /// From `low` up to `high`.
    fn between(&mut self, low: u64, high: u64) -> u64;
}

impl Choose for SimulatedRng {
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Beat,
    Pass,
    Commit,
    Pause,
    Resume,
    Remove,
    Declare,
    Reload,
    Step,
    Suspend,
    Stall,
    Stick,
    FillDisk,
    FailSync,
    FailTables,
    Kill,
    KillInWrite,
    KillAtTable,
    CutPower,
    Stop,
    Save,
    Rest,
    Ail,
}

/// How often, in a world where everything happens.
const USUAL: [(Event, u64); 23] = [
    (Event::Beat, 600),
    (Event::Pass, 400),
    (Event::Commit, 150),
    (Event::Pause, 20),
    (Event::Resume, 25),
    (Event::Remove, 8),
    (Event::Declare, 10),
    (Event::Reload, 10),
    (Event::Step, 10),
    (Event::Suspend, 8),
    (Event::Stall, 8),
    (Event::Stick, 6),
    (Event::FillDisk, 8),
    (Event::FailSync, 8),
    (Event::FailTables, 8),
    (Event::Kill, 10),
    (Event::KillInWrite, 10),
    (Event::KillAtTable, 5),
    (Event::CutPower, 10),
    (Event::Stop, 5),
    (Event::Save, 15),
    (Event::Rest, 8),
    (Event::Ail, 20),
];

#[derive(Clone, Debug)]
pub struct Shape {
    pub monitors: u64,
    pub steps: u64,
    pub fronts: usize,
    pub sync: Sync,
    pub keep_every_ms: u64,
    /// Turns come so much too late.
    pub jitter_ms: u64,
    /// The usual time that passes at once.
    pub pass_ms: u64,
    pub segment_bytes_max: u64,
    pub weights: Vec<(Event, u64)>,
    pub intervals_s: Vec<u64>,
    pub statuses: u64,
    /// Nobody is told of anything where there are none.
    pub notifiers: Vec<Told>,
    /// Who is told of whom changes with every configuration; otherwise it is always the same.
    pub wild: bool,
    /// What all `db-*` depend on.
    pub parent: Option<String>,
}

/// A notifier.
#[derive(Clone, Debug)]
pub struct Told {
    pub notifier: Notifier,
    /// Messages that may be on their way to it at once.
    pub slots: usize,
    /// The defaults name it.
    pub told: bool,
}

impl Shape {
    pub fn new(random: &mut SimulatedRng) -> Shape {
        let mut weights = USUAL.to_vec();
        for (event, weight) in &mut weights {
            // In some worlds a thing never happens, in some all the time.
            if !matches!(event, Event::Beat | Event::Pass | Event::Commit) {
                *weight *= random.of(&[0, 0, 1, 1, 1, 2, 5]);
            }
        }
        let all = [vec![1, 2, 5], vec![5, 10, 30], vec![1, 10, 60], vec![30, 300, 3600]];
        let count = random.of(&[0, 1, 1, 2, 3]);
        // So few that we never suspect ourselves, in some worlds.
        let most = random.of(&[8, 40, 40]);
        Shape {
            notifiers: (0..count).map(|n| told(random, n)).collect(),
            wild: random.one_in(4),
            parent: random.one_in(3).then(|| "web-0".to_string()),
            monitors: random.between(3, most),
            steps: random.between(60, 300),
            fronts: random.between(1, 4) as usize,
            sync: random.of(&[Sync::Second, Sync::Second, Sync::Always]),
            keep_every_ms: random.of(&[250, 250, 1000, 5000]),
            jitter_ms: random.of(&[0, 5, 50]),
            pass_ms: random.of(&[50, 500, 2000, 5000]),
            segment_bytes_max: random.of(&[2, 8, 64, 65_536]) * 1024,
            weights,
            intervals_s: all[random.below(4) as usize].clone(),
            statuses: random.of(&[1, 3, 10]),
        }
    }

    pub fn event(&self, random: &mut SimulatedRng) -> Event {
        let mut at = random.below(self.weights.iter().map(|(_, weight)| weight).sum());
        for (event, weight) in &self.weights {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return *event,
            }
        }
        Event::Beat
    }

    pub fn id(&self, random: &mut SimulatedRng) -> String {
        let kind = ["web", "db", "job"];
        let n = random.below(self.monitors);
        format!("{}-{n}", kind[n as usize % 3])
    }

    pub fn interval(&self, random: &mut SimulatedRng) -> Span {
        Span::secs(self.intervals_s[random.below(self.intervals_s.len() as u64) as usize])
    }

    pub fn policy(&self, random: &mut SimulatedRng, now: Wall) -> Arc<Policy> {
        let forget_after = random.of(&[None, None, Some(Span::secs(60)), Some(Span::secs(3600))]);
        let defaults = Defaults {
            interval: self.interval(random),
            grace: random.of(&[None, Some(Span(0)), Some(Span::secs(1)), Some(Span::secs(30))]),
            first_beat: random.of(&[None, None, Some(Span::secs(20)), Some(Span::secs(600))]),
            forget_after,
            ..Defaults::default()
        };
        let count = random.of(&[0, 0, 1, 3, 6]);
        let mut rules: Vec<Rule> = (0..count).map(|_| self.rule(random, now)).collect();
        if self.wild {
            rules.iter_mut().for_each(|rule| self.run_wild(random, rule));
        } else if let Some(parent) = &self.parent {
            let mut rule = Rule::new(Match::Id(Pattern::parse("db-*").unwrap()));
            rule.after = vec![parent.clone()];
            rules.insert(0, rule);
        }
        let limits = Limits { monitors: 1000, ..Limits::default() };
        let beats_per_second = random.of(&[None, None, Some(1), Some(2), Some(10)]);
        let governor = Terms { beats_per_second, stretch_max: random.of(&[2, 8, 100]) };
        let alerts = self.alerts(random);
        Arc::new(Policy {
            limits,
            defaults,
            governor,
            rules: Arc::new(Rules::new(rules).told_to(&alerts)),
            alerts: Arc::new(alerts),
            ..Policy::default()
        })
    }

    fn alerts(&self, random: &mut SimulatedRng) -> AlertPolicy {
        let told = self.notifiers.iter().filter(|one| if self.wild { random.one_in(2) } else { one.told });
        let notify = told.map(|one| one.notifier.name.clone()).collect();
        let mut notifiers: Vec<Notifier> = self.notifiers.iter().map(|one| one.notifier.clone()).collect();
        if self.wild && random.one_in(4) {
            notifiers.pop();
        }
        AlertPolicy { notifiers, notify, ..AlertPolicy::default() }
    }

    fn run_wild(&self, random: &mut SimulatedRng, rule: &mut Rule) {
        if random.one_in(2) {
            let names = self.notifiers.iter().filter(|_| random.one_in(2));
            rule.notify = Some(names.map(|one| one.notifier.name.clone()).collect());
        }
        if random.one_in(2) {
            rule.after = (0..random.between(1, 3)).map(|_| self.id(random)).collect();
        }
    }

    /// Whether a monitor depends on another.
    pub fn is_behind(&self, id: &str) -> bool {
        self.parent.is_some() && id.starts_with("db-")
    }

    fn rule(&self, random: &mut SimulatedRng, now: Wall) -> Rule {
        let pattern = match random.below(5) {
            0 => self.id(random),
            1 => "declared".to_string(),
            2 => "*".to_string(),
            n => ["web-*", "job-*"][n as usize - 3].to_string(),
        };
        let mut rule = Rule::new(match random.one_in(8) {
            true => Match::Network("10.0.0.0/8".parse().unwrap()),
            false => Match::Id(Pattern::parse(&pattern).unwrap()),
        });
        match random.below(3) {
            0 => rule.interval = Some(self.interval(random)),
            1 => {
                let expression = random.of(&["* * * * *", "*/5 * * * *", "7,37 * * * *", "30 2 * * *"]);
                let zone = random.of(&["UTC", "Europe/Berlin", "America/New_York"]);
                rule.schedule = Some(Schedule::parse(expression, zone).unwrap());
                let early = [Early::Percent(0), Early::Percent(50), Early::For(Span::secs(90))];
                rule.early = random.one_in(2).then(|| random.of(&early));
            }
            _ => {}
        }
        if random.one_in(2) {
            rule.grace = Some(random.of(&[Span(0), Span::secs(2), Span::secs(60)]));
        }
        if random.one_in(3) {
            rule.run_limit = Some(random.of(&[Span::secs(1), Span::secs(20), Span::secs(600)]));
        }
        if random.one_in(4) {
            rule.forget_after = Some(random.of(&[None, Some(Span::secs(60)), Some(Span::secs(600))]));
        }
        if random.one_in(4) {
            rule.first_beat = Some(random.of(&[None, Some(Span::secs(5)), Some(Span::secs(120))]));
        }
        if random.one_in(3) {
            rule.tags = vec!["ruled".into()];
        }
        if random.one_in(3) {
            rule.windows = vec![self.window(random, now)];
        }
        rule
    }

    fn window(&self, random: &mut SimulatedRng, now: Wall) -> Window {
        if random.one_in(2) {
            let from = now.0 + random.below(120_000) as i64 - 30_000;
            let to = from + random.between(1, 180_000) as i64;
            return Window::Once { from: Wall(from), to: Wall(to) };
        }
        let schedule =
            Schedule::parse(random.of(&["*/2 * * * *", "*/10 * * * *", "0 * * * *"]), "UTC").unwrap();
        Window::Recurring { schedule, length: random.of(&[Span::secs(10), Span::secs(60), Span::secs(119)]) }
    }
}

fn told(random: &mut SimulatedRng, n: u64) -> Told {
    let notifier = Notifier {
        group_wait: random.of(&[Span(0), Span::secs(2), Span::secs(10)]),
        min_down: random.of(&[Span(0), Span(0), Span::secs(5), Span::secs(60)]),
        every_failure: n > 0,
        remind_every: random.of(&[None, None, Some(Span::secs(60)), Some(Span::secs(600))]),
        rate_per_minute: random.of(&[6, 60, 6000]),
        retry_for: Span::secs(7 * 86_400),
        ..Notifier::new(["ops", "night", "all"][n as usize])
    };
    Told { notifier, slots: random.of(&[1, 1, 1, 3]), told: n == 0 || !random.one_in(4) }
}
