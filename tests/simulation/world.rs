//! One world: an engine under a clock, over a store, with things happening to all three as a seed has it, and what should
//! be beside it.

mod after;
mod checks;
mod lives;
mod people;
mod reload;
mod told;

use crate::attended::Attended;
use crate::model::Said;
use crate::shape::{Choose, Event, Shape};
use crate::store::{Probe, Seen, SimJournal, SimTables};
use crate::story::{Found, Left, Loop, News, Story, TICK_MS};
use crate::telling::Telling;
use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::alert::Message;
use heartbeat_server::domain::beat::{Beat, Source, Status, Transport};
use heartbeat_server::domain::history::Incident;
use heartbeat_server::domain::id::IdRef;
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::policy::{Policy, Sync};
use heartbeat_server::domain::record::Change;
use heartbeat_server::domain::registry::{Declaration, MonitorCommand, Order};
use heartbeat_server::domain::time::{Mono, Now, Span, Wall};
use heartbeat_server::engine::checkpoint::Checkpointer;
use heartbeat_server::engine::delivery::Deliverer;
use heartbeat_server::engine::judge::{Judge, NextTurn};
use heartbeat_server::engine::seed::Seed;
use heartbeat_server::engine::{ControlRefusal, Engine, Health, Incoming, MonitorEvent, Pending};
use heartbeat_server::store::journal::disk::Disk as _;
use heartbeat_server::store::journal::sim::{SimDisk, SimulatedRng};
use heartbeat_server::store::journal::{FileJournal, JournalOptions};
use heartbeat_server::store::memory::MemoryTables;
use heartbeat_server::store::{IncidentQuery, Journal as _, Query as _, RecordFilter, SnapshotRow, Storage};
use heartbeat_server::sys::log::Log;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use told::Flight;

/// Where every process finds the monotonic clock.
const ORIGIN_MS: u64 = 1 << 40;
const BEGIN: i64 = 1_770_000_000_000;
const DAY: Span = Span::secs(86_400);

/// What went wrong.
pub type Fault = String;
type Checked = Result<(), Fault>;

/// What is gone when a program ends.
struct Life {
    engine: Engine,
    watch: Judge,
    checkpointer: Checkpointer,
    events: Receiver<Arc<MonitorEvent>>,
    /// What each front has changed, with what its senders wait to hear of.
    fronts: Vec<(Pending, Vec<(u64, u64)>)>,
    next_turn: Mono,
    next_tend: Mono,
    next_keep: Mono,
    next_post: Mono,
    round: Deliverer,
    flights: Vec<Flight>,
    looped: Loop,
    busy_since: Option<Mono>,
}

pub struct World {
    pub trace: VecDeque<String>,
    trace_max: usize,
    shape: Shape,
    random: SimulatedRng,
    log: Log,
    /// True time since the world began, sleep included.
    real_ms: u64,
    asleep_ms: u64,
    wall_ahead_ms: i64,
    life_from_ms: u64,
    /// When the power came back.
    powered_ms: u64,
    disk: SimDisk,
    tables: Arc<MemoryTables>,
    probe: Probe,
    policy: Arc<Policy>,
    story: Story,
    life: Option<Life>,
    seqs: BTreeMap<String, u64>,
    restarts: u64,
    /// The newest message when they were last looked at.
    looked: String,
    room_back_at_ms: Option<u64>,
    /// Notifiers that take nothing.
    ill: BTreeSet<String>,
    telling: Telling,
    attended: Attended,
    /// Incidents of which it was sure what should be told of them.
    pub judged: u64,
    stood: BTreeMap<String, String>,
    remembered: BTreeMap<u64, String>,
    /// The clock was set, and the checkpointer has not been told yet.
    step_is_news: bool,
    /// How late a silence may be found by the present turn, and the deadlines that lay ahead after the last call.
    found_within: Span,
    due: BTreeMap<String, Mono>,
}

impl World {
    pub fn new(seed: u64, log: Log, trace_max: usize) -> World {
        let mut random = SimulatedRng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let shape = Shape::new(&mut random);
        let policy = shape.policy(&mut random, Wall(BEGIN));
        World {
            trace: VecDeque::new(),
            trace_max,
            story: Story::new(policy.rules.clone(), policy.defaults),
            shape,
            random,
            log,
            real_ms: 0,
            asleep_ms: 0,
            wall_ahead_ms: 0,
            life_from_ms: 0,
            powered_ms: 0,
            disk: SimDisk::new(),
            tables: Arc::new(MemoryTables::new()),
            probe: Probe::default(),
            policy,
            life: None,
            seqs: BTreeMap::new(),
            restarts: 0,
            looked: String::new(),
            room_back_at_ms: None,
            ill: BTreeSet::new(),
            telling: Telling::default(),
            attended: Attended::new(BEGIN),
            judged: 0,
            stood: BTreeMap::new(),
            remembered: BTreeMap::new(),
            step_is_news: false,
            found_within: Span(0),
            due: BTreeMap::new(),
        }
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Everything that happens.
    pub fn run(&mut self) -> Checked {
        self.start(None)?;
        for _ in 0..self.shape.steps {
            let event = self.shape.event(&mut self.random);
            self.happen(event)?;
            self.compare()?;
        }
        self.rest()?;
        self.crash(false, 1000)?;
        self.compare()?;
        self.last_words()
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Beat => self.beat(),
            Event::Pass => {
                let usual = self.shape.pass_ms;
                let ms = match self.random.below(20) {
                    0 => usual * 10,
                    1..4 => 1,
                    _ => self.random.between(1, usual),
                };
                self.pass(ms)
            }
            Event::Commit => self.commit_all(),
            Event::Pause => self.pause(),
            Event::Resume => self.control(MonitorCommand::Resume),
            Event::Remove => self.control(MonitorCommand::Remove),
            Event::Declare => self.declare(),
            Event::Reload => self.reload(),
            Event::Step => {
                let most = self.random.of(&[400, 2_000, 90_000, 7_200_000, 100_000_000]);
                let step = self.random.below(2 * most + 1) as i64 - most as i64;
                // A small step back is noticed by nobody; it would only begin a maintenance window twice.
                let step = if step.abs() < 500 { step.abs() } else { step };
                self.say(format!("the clock is set by {step} ms"));
                self.wall_ahead_ms += step;
                self.attended.stepped(self.real_ms, step);
                self.step_is_news = true;
                self.telling.doubtful.push(self.real_ms);
                // Signs before and after cannot be compared.
                (self.story.sign, self.story.durable_sign) = (None, None);
                if self.random.one_in(4) { self.pass(100) } else { self.turn() }
            }
            Event::Suspend => {
                let ms = self.random.between(1, self.random_most(&[900, 60_000, 10_000_000]));
                self.say(format!("sleeps for {ms} ms"));
                self.telling.doubtful.push(self.real_ms);
                self.real_ms += ms;
                self.asleep_ms += ms;
                self.was_away(ms);
                // The timer of the loop does not run while the machine sleeps; but beats may come first.
                if self.random.one_in(3) {
                    self.beat()?;
                }
                self.turn()
            }
            Event::Stall => {
                let ms = self.random.between(1, self.random_most(&[900, 5_000, 300_000]));
                self.say(format!("stands still for {ms} ms"));
                self.telling.doubtful.push(self.real_ms);
                self.real_ms += ms;
                self.was_away(ms);
                for _ in 0..self.random.below(4) {
                    self.beat()?;
                }
                self.turn()
            }
            Event::Stick => self.stick(),
            Event::FillDisk => {
                let bytes = self.random.below(self.random_most(&[100, 5_000]));
                let ms = self.random.between(1, self.random_most(&[500, 20_000]));
                self.say(format!("the disk is full but for {bytes} bytes, for {ms} ms"));
                self.disk.set_room(Some(bytes));
                // Tables go on for a while in the room that they have.
                let tables_too = self.random_most(&[0, 1]) == 1;
                self.probe.fill_tables(tables_too);
                self.room_back_at_ms = Some(self.real_ms + ms);
                Ok(())
            }
            Event::FailSync => {
                let count = self.random.between(1, 3) as u32;
                self.say(format!("{count} fdatasync will fail"));
                self.disk.fail_syncs(count);
                Ok(())
            }
            Event::FailTables => {
                let (after, count) = (self.random.below(4) as u32, self.random.between(1, 4) as u32);
                self.say(format!("{count} writes to the tables will fail after {after}"));
                self.probe.fail_tables(after, count);
                Ok(())
            }
            Event::Kill => {
                let ms = self.downtime();
                self.crash(false, ms)
            }
            Event::CutPower => {
                let ms = self.downtime();
                self.crash(true, ms)
            }
            Event::KillInWrite => {
                let bytes = self.random.between(1, 400);
                self.say(format!("dies after {bytes} more bytes"));
                self.disk.die_after(bytes);
                Ok(())
            }
            Event::KillAtTable => {
                let writes = self.random.below(5) as u32;
                self.say(format!("dies after {writes} more writes to the tables"));
                self.probe.kill_at_table(writes);
                Ok(())
            }
            Event::Stop => self.stop(),
            Event::Save => self.save(),
            Event::Rest => self.rest(),
            Event::Ail => self.ail(),
        }
    }

    fn was_away(&mut self, ms: u64) {
        self.attended.absent(self.real_ms - ms, self.real_ms);
        self.telling.gaps.push((self.real_ms - ms, self.real_ms));
        self.telling.doubtful.push(self.real_ms);
        self.telling.absent.push(self.real_ms);
    }

    fn random_most(&self, all: &[u64]) -> u64 {
        // Without drawing twice from the generator in one expression: from the time, which it has determined.
        all[(self.real_ms ^ self.restarts) as usize % all.len()]
    }

    fn downtime(&mut self) -> u64 {
        let most = self.random.of(&[1, 500, 30_000, 10_000_000]);
        self.random.between(0, most)
    }

    // --- clocks

    fn now(&self) -> Now {
        let mono = ORIGIN_MS + self.real_ms - self.asleep_ms - self.life_from_ms;
        Now { mono: Mono(mono), wall: Wall(BEGIN + self.real_ms as i64 + self.wall_ahead_ms) }
    }

    fn asleep(&self) -> Span {
        Span(self.asleep_ms)
    }

    fn say(&mut self, text: String) {
        let now = self.now();
        if self.trace.len() >= self.trace_max {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>9} ms, wall {}: {text}", self.real_ms, now.wall.0 - BEGIN));
    }

    fn life(&mut self) -> &mut Life {
        self.life.as_mut().expect("a program runs")
    }

    /// Time goes by, with all that comes regularly.
    fn pass(&mut self, ms: u64) -> Checked {
        // A front answers before it reads again; only one that is stuck makes its senders wait.
        let restarts = self.restarts;
        if self.life().busy_since.is_none() {
            self.commit_all()?;
        }
        if self.restarts != restarts {
            return Ok(());
        }
        let end = self.now().mono.after(Span(ms));
        loop {
            let life = self.life.as_ref().expect("a program runs");
            let next = life.next_turn.min(life.next_tend).min(life.next_keep).min(life.next_post).min(end);
            let restarts = self.restarts;
            let now = self.now().mono;
            self.real_ms += next.0.saturating_sub(now.0);
            if self.room_back_at_ms.is_some_and(|at| at <= self.real_ms) {
                self.room_back_at_ms = None;
                self.disk.set_room(None);
                self.probe.fill_tables(false);
                self.say("there is room on the disk again".into());
            }
            let now = self.now().mono;
            let life = self.life.as_ref().expect("a program runs");
            if life.next_turn <= now {
                self.turn()?;
            } else if life.next_tend <= now {
                self.tend()?;
            } else if life.next_keep <= now {
                self.keep()?;
            } else if life.next_post <= now {
                self.bring()?;
            } else {
                return Ok(());
            }
            if self.restarts != restarts {
                return Ok(());
            }
        }
    }

    // --- what the program does by itself

    fn turn(&mut self) -> Checked {
        let restarts = self.restarts;
        // One that has more to do goes on at once.
        for _ in 0..8 {
            let (now, asleep) = (self.now(), self.asleep());
            let Some(life) = self.life.as_mut() else { return Ok(()) };
            life.next_tend = life.next_tend.min(now.mono.after(Span(1000)));
            // What is due is found in time, unless something kept the loop from turning.
            self.found_within = Span(now.mono.since(life.next_turn).0 + self.shape.jitter_ms + TICK_MS);
            let busy_since = life.busy_since;
            let next = life.engine.turn(&mut life.watch, now, asleep);
            let mut looped = life.looped;
            self.story.turn(now, asleep, busy_since, &mut looped);
            let jitter = self.random.between(0, self.shape.jitter_ms);
            let life = self.life();
            life.looped = looped;
            let more = next == NextTurn::Now;
            if let NextTurn::At(at) = next {
                if busy_since.is_none_or(|since| now.mono.since(since) <= Span(1000)) {
                    life.looped.planned = at;
                }
                if at <= now.mono {
                    return Err(format!("the next turn is wanted at {at:?}, which is past"));
                }
                life.next_turn = at.after(Span(jitter));
            }
            self.after("a turn")?;
            if self.restarts != restarts || !more {
                return Ok(());
            }
        }
        Err("the loop never rests".into())
    }

    fn tend(&mut self) -> Checked {
        let now = self.now();
        let life = self.life();
        life.engine.tend(now.wall);
        life.next_tend = now.mono.after(Span(1000));
        self.after("tend")
    }

    fn keep(&mut self) -> Checked {
        let (now, asleep, every) = (self.now(), self.asleep(), self.shape.keep_every_ms);
        let life = self.life();
        life.engine.checkpoint(&mut life.checkpointer, now, asleep);
        life.next_keep = now.mono.after(Span(every));
        self.after("keep")?;
        self.step_is_news &= !checks::ills(&self.life().engine.health()).is_empty();
        Ok(())
    }

    fn save(&mut self) -> Checked {
        self.say("saves".into());
        let (now, asleep) = (self.now(), self.asleep());
        let life = self.life();
        // A failure is tried again.
        let _ = life.engine.last_checkpoint(&mut life.checkpointer, now, asleep);
        self.after("save")
    }

    /// For whoever looks for a fault: who stands otherwise than before.
    fn say_changes(&mut self) {
        let mut now = BTreeMap::new();
        for mon in self.story.live.values() {
            let stands = format!("{:?} over {:?}, {:?}", mon.visible(), mon.state, mon.incident);
            now.insert(mon.id.clone(), stands);
        }
        for (id, stands) in &now {
            if self.stood.get(id) != Some(stands) {
                self.say(format!("{id}, number {}, is {stands}", self.story.live[id].number));
            }
        }
        self.stood = now;
        let mut remembered = BTreeMap::new();
        for (number, state) in self.tables.alert_states().unwrap_or_default() {
            if self.remembered.get(&number) != Some(&state) {
                self.say(format!("of {number} is remembered: {state}"));
            }
            remembered.insert(number, state);
        }
        self.remembered = remembered;
    }

    // --- what is done to it

    /// A reactor is stuck in the middle of its work for a while.
    fn stick(&mut self) -> Checked {
        let ms = self.random.between(1, self.random_most(&[900, 5_000, 60_000]));
        self.say(format!("a reactor is stuck for {ms} ms"));
        self.telling.doubtful.push(self.real_ms);
        let now = self.now().mono;
        let life = self.life();
        if life.busy_since.is_none() {
            life.engine.stats().busy(now);
            life.busy_since = Some(now);
        }
        let (restarts, from_ms) = (self.restarts, self.real_ms);
        self.pass(ms)?;
        if self.restarts != restarts {
            return Ok(());
        }
        for _ in 0..self.random.below(4) {
            self.beat()?;
        }
        if self.restarts != restarts {
            return Ok(());
        }
        let life = self.life();
        life.engine.stats().idle();
        life.busy_since = None;
        self.was_away(self.real_ms - from_ms);
        Ok(())
    }
}
