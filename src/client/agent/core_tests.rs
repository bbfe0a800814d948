//! Tests of the agent's machine in simulated time: single scenes, and random stories from seeds.

use super::*;
use crate::client::server_url::ServerUrl;
use crate::domain::time::Wall;
use crate::i18n::Text;

const EVERY: Span = Span::secs(30);
const TIMEOUT: Span = Span::secs(10);

/// How the server of a story behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum FakeServer {
    /// Accepts everything at once, and asks for this interval.
    Well(Span),
    /// Refuses connections.
    Refuses,
    /// Accepts connections and never answers.
    Hangs,
}

/// An agent and a server in one time.
struct Story {
    core: AgentCore,
    now: Now,
    server: FakeServer,
    connected: bool,
    /// The beats that the server has accepted, in order.
    taken: Vec<KeptBeat>,
    spoken: usize,
    connects: usize,
    told: Vec<(Mono, AgentReport)>,
    /// When a batch under way, or a connection attempt, times out.
    gives_up: Option<Mono>,
    under_way: bool,
}

fn failure() -> ClientError {
    crate::client::http::no_answer(&ServerUrl::default(), Text::foreign("gone"))
}

fn plan(mode: ExchangeMode) -> AgentPlan {
    AgentPlan { every: EVERY, interval_max: Span::secs(3_600), timeout: TIMEOUT, mode, batch_max: 1_000 }
}

impl Story {
    fn begin(mode: ExchangeMode, server: FakeServer, seed: u64) -> Story {
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_770_521_420_000) };
        let core = AgentCore::new(now, plan(mode), Rng::seeded(seed));
        let mut story = Story {
            core,
            now,
            server,
            connected: false,
            taken: Vec::new(),
            spoken: 0,
            connects: 0,
            told: Vec::new(),
            gives_up: None,
            under_way: false,
        };
        story.core.run_due(now);
        story.carry_out();
        story
    }

    fn carry_out(&mut self) {
        for _ in 0..100_000 {
            let Some(command) = self.core.next_command() else { return };
            match command {
                AgentCommand::Connect => {
                    assert!(!self.connected, "one connection at a time");
                    self.connects += 1;
                    match self.server {
                        FakeServer::Refuses => self.core.handle(self.now, AgentEvent::Lost(failure())),
                        FakeServer::Well(_) | FakeServer::Hangs => {
                            self.connected = true;
                            self.core.handle(self.now, AgentEvent::Connected);
                        }
                    }
                }
                AgentCommand::HangUp => {
                    (self.connected, self.under_way, self.gives_up) = (false, false, None);
                }
                AgentCommand::Deliver(notes) => {
                    assert!(self.connected && !self.under_way, "one batch at a time, on a connection");
                    assert!(notes.len() <= 1_000 && !notes.is_empty());
                    match self.server {
                        FakeServer::Well(interval) => {
                            let settled = notes.len();
                            self.taken.extend(notes);
                            let delivery =
                                BatchOutcome { settled, interval: Some(interval), ..BatchOutcome::default() };
                            self.core.handle(self.now, AgentEvent::Delivered(delivery));
                        }
                        _ => {
                            self.under_way = true;
                            self.gives_up = Some(self.now.mono.after(TIMEOUT));
                        }
                    }
                }
                AgentCommand::Speak => {
                    self.spoken += 1;
                    if matches!(self.server, FakeServer::Well(_)) && self.core.mode == ExchangeMode::Hello {
                        self.core.handle(self.now, AgentEvent::Heard);
                    }
                }
                AgentCommand::Report(report) => self.told.push((self.now.mono, report)),
            }
        }
        panic!("the machine never rests");
    }

    fn set_time(&mut self, at: Mono) {
        let passed = at.since(self.now.mono);
        self.now = Now { mono: at, wall: Wall(self.now.wall.0 + passed.0 as i64) };
    }

    fn lose(&mut self) {
        if self.connected {
            (self.connected, self.under_way, self.gives_up) = (false, false, None);
            self.core.handle(self.now, AgentEvent::Lost(failure()));
            self.carry_out();
        }
    }

    /// Lets so much time pass.
    fn pass(&mut self, span: Span) {
        let end = self.now.mono.after(span);
        let mut turns = 0;
        loop {
            let next = self.core.next_wakeup();
            assert!(next > self.now.mono, "the machine wants to be asked again at once");
            let at = self.gives_up.map_or(next, |until| until.min(next));
            if at > end {
                break;
            }
            self.set_time(at);
            if self.gives_up == Some(at) {
                self.lose();
            } else {
                self.core.run_due(self.now);
            }
            self.carry_out();
            turns += 1;
            assert!(turns as u64 <= 1000 + span.0 / 100, "the machine is too busy");
        }
        self.set_time(end);
    }

    /// The server is another one now; a connection to a dead one breaks.
    fn becomes(&mut self, server: FakeServer) {
        let breaks = matches!(server, FakeServer::Refuses);
        self.server = server;
        if breaks {
            self.lose();
        }
    }

    fn deaths(&self) -> usize {
        self.told.iter().filter(|(_, t)| matches!(t, AgentReport::Dead { .. })).count()
    }

    fn returns(&self) -> usize {
        self.told.iter().filter(|(_, t)| matches!(t, AgentReport::Back { .. })).count()
    }
}

#[test]
fn beats_go_every_interval_and_never_later() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Well(EVERY), 1);
    assert_eq!(story.taken.len(), 1, "the first goes at once");
    story.pass(Span::secs(3_600 * 24));
    let gaps: Vec<i64> = story.taken.windows(2).map(|pair| pair[1].at.0 - pair[0].at.0).collect();
    assert!(gaps.iter().all(|gap| (27_000..=30_000).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap < 28_000) && gaps.iter().any(|gap| *gap > 29_000), "they vary");
    let numbers: Vec<u64> = story.taken.iter().map(|note| note.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(story.connects, 1, "the connection is kept");
    assert!(matches!(story.told.as_slice(), [(_, AgentReport::Answers)]), "{:?}", story.told);
}

#[test]
fn a_server_that_does_not_answer_is_dead_after_the_timeout_and_once() {
    for server in [FakeServer::Refuses, FakeServer::Hangs] {
        for mode in [ExchangeMode::Asking, ExchangeMode::Holding, ExchangeMode::Hello] {
            let mut story = Story::begin(mode, server, 2);
            story.pass(Span(9_999));
            assert_eq!(story.deaths(), 0, "{mode:?} {server:?}");
            story.pass(Span(1));
            assert_eq!(story.deaths(), 1, "{mode:?} {server:?}");
            story.pass(Span::secs(86_400));
            assert_eq!(story.deaths(), 1, "{mode:?} {server:?}");
            assert!(story.connects > 1_000, "it never gives up: {}", story.connects);
            story.becomes(FakeServer::Well(EVERY));
            story.pass(Span::secs(100));
            assert_eq!((story.deaths(), story.returns()), (1, 1), "{mode:?} {server:?}");
        }
    }
}

#[test]
fn what_was_due_meanwhile_is_kept_and_delivered_with_its_time() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Well(EVERY), 3);
    story.becomes(FakeServer::Refuses);
    story.pass(Span::secs(3_600));
    let before = story.core.status(story.now.mono);
    assert!((100..=140).contains(&before.kept), "{before:?}");
    assert_eq!(before.alive, Some(false));
    story.becomes(FakeServer::Well(EVERY));
    story.pass(Span::secs(61));
    assert_eq!(story.core.status(story.now.mono).kept, 0);
    let numbers: Vec<u64> = story.taken.iter().map(|note| note.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "in order, none twice, none missing");
    assert!(story.taken.windows(2).all(|pair| pair[1].at.0 - pair[0].at.0 <= 30_000));
    let Some((_, AgentReport::Back { away, kept })) = story.told.last() else { panic!("{:?}", story.told) };
    assert!(away.0 > 3_000_000 && *kept < 5, "{away:?} {kept}");
}

#[test]
fn what_is_kept_has_a_bound_and_what_is_lost_is_told() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Refuses, 4);
    story.pass(Span::secs(30 * 11_000));
    let standing = story.core.status(story.now.mono);
    assert_eq!(standing.kept, KEPT_MAX);
    assert!(standing.dropped > 900, "{standing:?}");
    story.becomes(FakeServer::Well(EVERY));
    story.pass(Span::secs(61));
    assert!(story.taken.len() >= KEPT_MAX);
    assert!(story.taken.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "the oldest were lost");
    let told = story.told.iter().find_map(|(_, t)| match t {
        AgentReport::Dropped(beats) => Some(*beats),
        _ => None,
    });
    assert!(told.is_some_and(|beats| beats >= standing.dropped), "{:?}", story.told);
    assert_eq!(story.taken[0].seq, told.unwrap_or_default() + 1, "as many as were told of");
}

#[test]
fn a_restart_shorter_than_the_timeout_is_no_death() {
    for mode in [ExchangeMode::Asking, ExchangeMode::Holding, ExchangeMode::Hello] {
        let mut story = Story::begin(mode, FakeServer::Well(EVERY), 5);
        for _ in 0..200 {
            story.becomes(FakeServer::Refuses);
            story.pass(Span::secs(3));
            story.becomes(FakeServer::Well(EVERY));
            story.pass(Span::secs(17));
        }
        assert_eq!(story.deaths(), 0, "{mode:?} {:?}", story.told);
    }
}

#[test]
fn an_interval_that_is_too_long_is_obeyed_as_far_as_it_may_be_and_said_once() {
    let mut story = Story::begin(ExchangeMode::Holding, FakeServer::Well(Span::secs(86_400)), 1);
    story.pass(Span::secs(4 * 3_600));
    assert_eq!(story.core.status(story.now.mono).interval, Span::secs(3_600));
    assert!(story.taken.len() >= 4, "{}", story.taken.len());
    let too_long = |told: &AgentReport| matches!(told, AgentReport::TooLong { .. });
    let said: Vec<_> = story.told.iter().map(|(_, told)| told).filter(|told| too_long(told)).collect();
    assert_eq!(said, [&AgentReport::TooLong { asked: Span::secs(86_400), kept: Span::secs(3_600) }]);
    // Our own interval may be longer than what is obeyed.
    let mut core = AgentCore::new(
        story.now,
        AgentPlan { interval_max: Span::secs(1), ..plan(ExchangeMode::Asking) },
        Rng::seeded(1),
    );
    core.run_due(story.now);
    assert_eq!(core.status(story.now.mono).interval, EVERY);
}

#[test]
fn the_servers_interval_is_followed_but_never_below_our_own() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Well(Span::secs(300)), 6);
    story.pass(Span::secs(3_000));
    assert!((10..=12).contains(&story.taken.len()), "{}", story.taken.len());
    assert!(story.told.iter().any(|(_, t)| *t == AgentReport::Interval(Span::secs(300))));
    story.becomes(FakeServer::Well(Span::secs(5)));
    story.pass(Span::secs(3_600));
    assert_eq!(story.core.status(story.now.mono).interval, EVERY);
    let short = story.taken.windows(2).any(|pair| pair[1].at.0 - pair[0].at.0 < 27_000);
    assert!(!short);
    let expected = AgentReport::TooSeldom { expected: Span::secs(5) };
    assert_eq!(story.told.iter().filter(|(_, t)| *t == expected).count(), 1);
}

#[test]
fn attempts_are_spread_and_never_more_than_a_minute_apart() {
    let mut starts = Vec::new();
    for seed in 0..50 {
        let mut story = Story::begin(ExchangeMode::Holding, FakeServer::Refuses, seed);
        let mut last = story.now.mono;
        while story.now.mono.since(Mono(1_000_000)) < Span::secs(1_200) {
            let connects = story.connects;
            story.pass(Span(100));
            if story.connects > connects {
                assert!(story.now.mono.since(last) <= Span(60_200));
                last = story.now.mono;
            }
        }
        starts.push(last);
    }
    starts.sort();
    starts.dedup();
    assert!(starts.len() > 40, "not all at once");
}

#[test]
fn pong_lives_by_pings_alone() {
    let mut story = Story::begin(ExchangeMode::Pong, FakeServer::Well(EVERY), 7);
    for _ in 0..100 {
        story.pass(Span::secs(3));
        story.core.handle(story.now, AgentEvent::Heard);
        story.carry_out();
    }
    assert_eq!((story.deaths(), story.connects, story.taken.len()), (0, 1, 0));
    story.pass(Span(9_999));
    assert_eq!(story.deaths(), 0);
    story.pass(Span(1));
    assert_eq!(story.deaths(), 1);
    story.pass(Span::secs(600));
    assert!(story.connects > 5, "a silent connection is given up: {}", story.connects);
    story.core.handle(story.now, AgentEvent::Heard);
    story.carry_out();
    assert_eq!((story.deaths(), story.returns()), (1, 1));
}

#[test]
fn a_frame_is_never_answered_so_the_end_of_the_connection_is_death() {
    let mut story = Story::begin(ExchangeMode::Frame, FakeServer::Well(EVERY), 8);
    story.pass(Span::secs(3_000));
    assert!((100..=112).contains(&story.spoken), "{}", story.spoken);
    assert_eq!(story.deaths(), 0);
    story.becomes(FakeServer::Refuses);
    assert_eq!(story.deaths(), 1, "at once");
    story.pass(Span::secs(600));
    story.becomes(FakeServer::Well(EVERY));
    story.pass(Span::secs(61));
    assert_eq!((story.deaths(), story.returns()), (1, 1));
}

#[test]
fn a_server_that_says_ping_is_answered_and_sent_no_beats() {
    let mut story = Story::begin(ExchangeMode::Holding, FakeServer::Hangs, 9);
    story.pass(Span::secs(3));
    story.core.handle(story.now, AgentEvent::Pings);
    story.gives_up = None;
    story.carry_out();
    for _ in 0..100 {
        story.pass(Span::secs(3));
        story.core.handle(story.now, AgentEvent::Heard);
        story.carry_out();
    }
    assert_eq!((story.deaths(), story.connects), (0, 1));
    assert_eq!(story.core.status(story.now.mono).kept, 0);
    story.becomes(FakeServer::Refuses);
    story.pass(Span::secs(60));
    assert_eq!(story.deaths(), 1);
    story.becomes(FakeServer::Well(EVERY));
    story.pass(Span::secs(61));
    assert_eq!(story.returns(), 1, "on a new connection it is asked anew what is spoken");
}

fn error(story: &mut Story, error: DeliveryError) {
    story.under_way = false;
    story.gives_up = None;
    story.core.handle(
        story.now,
        AgentEvent::Delivered(BatchOutcome { error: Some(error), ..BatchOutcome::default() }),
    );
    story.carry_out();
}

#[test]
fn who_is_asked_to_wait_waits_and_takes_nobody_for_dead() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Hangs, 10);
    error(&mut story, DeliveryError::Later(failure(), Some(Span::secs(120))));
    story.server = FakeServer::Well(EVERY);
    story.pass(Span(119_000));
    assert_eq!((story.taken.len(), story.deaths()), (0, 0));
    story.pass(Span::secs(2));
    assert!(story.taken.len() >= 4);
    let told: Vec<&AgentReport> = story.told.iter().map(|(_, t)| t).collect();
    assert!(
        told.contains(&&AgentReport::Refused(failure())) && told.contains(&&AgentReport::TakesAgain),
        "{told:?}"
    );
    // One that refuses and then falls silent is dead after all.
    story.server = FakeServer::Hangs;
    story.pass(Span::secs(30));
    error(&mut story, DeliveryError::Later(failure(), Some(Span::secs(5))));
    story.pass(Span(14_900));
    assert_eq!(story.deaths(), 0);
    story.pass(Span(200));
    assert_eq!(story.deaths(), 1);
}

#[test]
fn a_batch_that_is_not_liked_is_halved_down_to_the_beat_that_is_to_blame() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Refuses, 11);
    story.pass(Span::secs(600));
    story.server = FakeServer::Hangs;
    while !story.under_way {
        story.pass(Span::secs(1));
    }
    let kept = story.core.status(story.now.mono).kept;
    for _ in 0..10 {
        if story.told.iter().any(|(_, t)| matches!(t, AgentReport::Rejected { .. })) {
            break;
        }
        error(&mut story, DeliveryError::Unfit(failure()));
    }
    let rejected = |t: &AgentReport| matches!(t, AgentReport::Rejected { beats: 1, .. });
    assert_eq!(story.told.iter().filter(|(_, t)| rejected(t)).count(), 1);
    assert_eq!(story.core.status(story.now.mono).kept, kept - 1);
    assert_eq!(story.core.under_way, 1, "the next goes alone");
}

#[test]
fn after_a_sleep_of_the_machine_a_new_connection_is_made_at_once() {
    let mut story = Story::begin(ExchangeMode::Holding, FakeServer::Well(EVERY), 12);
    story.pass(Span::secs(5));
    let taken = story.taken.len();
    story.core.handle(story.now, AgentEvent::Woke);
    story.carry_out();
    assert_eq!((story.connects, story.taken.len(), story.deaths()), (2, taken + 1, 0));
}

#[test]
fn a_new_plan_keeps_what_is_kept() {
    let mut story = Story::begin(ExchangeMode::Asking, FakeServer::Refuses, 13);
    story.pass(Span::secs(300));
    let kept = story.core.status(story.now.mono).kept;
    story.core.replan(story.now, AgentPlan { every: Span::secs(60), ..plan(ExchangeMode::Holding) });
    story.server = FakeServer::Well(Span::secs(60));
    story.core.run_due(story.now);
    story.carry_out();
    assert_eq!(story.taken.len(), kept + 1);
    assert_eq!(story.returns(), 1);
    story.pass(Span::secs(600));
    assert!((10..=12).contains(&(story.taken.len() - kept - 1)));
}

/// Random stories: whatever the server does, nothing is lost or disordered, each change is reported once, and in the
/// end all is well.
#[test]
fn whatever_happens_all_is_delivered_in_order_and_told_once() {
    for seed in 0..300 {
        let mut chance = Rng::seeded(seed);
        let mode = [ExchangeMode::Asking, ExchangeMode::Holding][chance.below(2) as usize];
        let mut story = Story::begin(mode, FakeServer::Refuses, seed);
        for _ in 0..40 {
            let server = match chance.below(4) {
                0 => FakeServer::Refuses,
                1 => FakeServer::Hangs,
                _ => FakeServer::Well(Span::secs(30 + chance.below(60))),
            };
            story.becomes(server);
            story.pass(Span(chance.below(200_000)));
            match chance.below(8) {
                0 => story.lose(),
                1 => {
                    story.core.handle(story.now, AgentEvent::Woke);
                    story.carry_out();
                }
                _ => {}
            }
        }
        story.becomes(FakeServer::Well(EVERY));
        story.pass(Span::secs(300));
        let standing = story.core.status(story.now.mono);
        assert_eq!((standing.alive, standing.kept, standing.dropped), (Some(true), 0, 0), "seed {seed}");
        let numbers: Vec<u64> = story.taken.iter().map(|note| note.seq).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "seed {seed}");
        let changes: Vec<bool> = story
            .told
            .iter()
            .filter_map(|(_, t)| match t {
                AgentReport::Dead { .. } => Some(false),
                AgentReport::Back { .. } | AgentReport::Answers => Some(true),
                _ => None,
            })
            .collect();
        assert!(changes.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}: {changes:?}");
    }
}
