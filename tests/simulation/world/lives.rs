//! How the program ends, and how it comes back.

use super::checks::find;
use super::told::everything;
use super::*;
use heartbeat_server::domain::lang::Lang;

impl World {
    /// Stops as it is asked to.
    pub(super) fn stop(&mut self) -> Checked {
        self.say("stops".into());
        let restarts = self.restarts;
        self.commit_all()?;
        if self.restarts == restarts {
            self.tend()?;
        }
        if self.restarts == restarts {
            self.keep()?;
        }
        let ms = self.downtime();
        if self.restarts == restarts { self.crash(false, ms) } else { Ok(()) }
    }

    pub(super) fn crash(&mut self, power_cut: bool, down_ms: u64) -> Checked {
        self.say(format!("{}, for {down_ms} ms", if power_cut { "the power is cut" } else { "killed" }));
        let then = self.now();
        let Some(mut life) = self.life.take() else { return Ok(()) };
        let flights = std::mem::take(&mut life.flights);
        let known = life.engine.alerts(&everything()).map_err(|e| e.to_string())?;
        self.look_at(&known)?;
        drop(life);
        self.bring_after_death(flights, &known)?;
        if std::mem::take(&mut self.step_is_news) {
            self.telling.unsure.push(self.real_ms);
        }
        self.telling.absent.push(self.real_ms);
        if power_cut {
            let seed = self.random.number();
            self.disk.crash(seed);
        } else {
            self.disk.revive();
        }
        self.probe.revive();
        // No machine starts within a second.
        let down_ms = if power_cut { down_ms.max(1000) } else { down_ms };
        self.telling.gaps.push((self.real_ms, self.real_ms + down_ms));
        self.attended.absent(self.real_ms, self.real_ms + down_ms);
        self.real_ms += down_ms;
        if power_cut {
            self.powered_ms = self.real_ms;
        }
        if self.random.one_in(8) {
            let step = self.random.below(20_000) as i64 - 10_000;
            self.wall_ahead_ms += step;
            self.attended.stepped(self.real_ms, step);
            self.telling.unsure.push(self.real_ms);
            self.telling.doubtful.push(self.real_ms);
            self.say(format!("meanwhile the clock is set by {step} ms"));
        }
        if self.random.one_in(4) {
            let now = self.now();
            let policy = self.shape.policy(&mut self.random, now.wall);
            self.configure(policy);
            self.say("meanwhile the configuration is changed".into());
        }
        self.start(Some((then, power_cut)))
    }

    pub(super) fn start(&mut self, after: Option<(Now, bool)>) -> Checked {
        self.restarts += 1;
        self.attended.started();
        self.telling.absent.push(self.real_ms);
        self.life_from_ms = self.real_ms - self.asleep_ms;
        let now = self.now();
        let tables =
            SimTables { inner: self.tables.clone(), probe: self.probe.clone(), disk: self.disk.clone() };
        let options = JournalOptions {
            segment_bytes_max: self.shape.segment_bytes_max,
            seed: self.random.number(),
            // Whatever the wall clock says.
            booted_at: Some(Wall(1 + self.powered_ms as i64)),
            noted: tables.marks().map_err(|e| e.to_string())?.changes,
            ..JournalOptions::default()
        };
        let inner = FileJournal::open(Arc::new(self.disk.clone()), options, now.wall)
            .map_err(|error| format!("the journal does not open: {error}"))?;
        let journal = SimJournal { inner, probe: self.probe.clone() };
        let found = find(&journal, &tables)?;
        for (number, left) in &found {
            self.telling.set_back(*number, left.version);
        }
        let last_sign = journal.last_sign();
        if let Some((then, power_cut)) = after {
            let least = if power_cut { self.story.durable_sign } else { self.story.sign };
            if least.is_some() && last_sign.is_none() {
                return Err(format!("the last sign of life is forgotten; it was {least:?}"));
            }
            let noted = (last_sign, least);
            if let (Some(sign), Some(least)) = noted {
                // After a power cut it may be an earlier one, which only forgives more.
                if sign < least && sign > then.wall && !power_cut {
                    return Err(format!("the last sign of life is {sign:?}, and should be {least:?}"));
                }
            }
        }
        let storage = Storage::new(journal, tables);
        let (policy, sync) = (self.policy.clone(), self.shape.sync);
        let engine = Engine::new(now, policy.clone(), self.log.clone(), 1, storage, sync)
            .hashing_by(Seed::known(self.random.number()));
        let events = engine.watch();
        let monitors = engine.recover(now).map_err(|error| format!("it does not start: {error}"))?;
        self.life = Some(Life {
            watch: Judge::new(now, self.asleep()),
            checkpointer: Checkpointer::new(now, self.asleep(), Span(DAY.0 * 3650)),
            engine,
            events,
            fronts: (0..self.shape.fronts).map(|_| Default::default()).collect(),
            next_turn: now.mono,
            next_tend: now.mono.after(Span(1000)),
            next_keep: now.mono.after(Span(self.shape.keep_every_ms)),
            next_post: if self.shape.notifiers.is_empty() { Mono(u64::MAX) } else { now.mono },
            round: Deliverer::default(),
            flights: Vec::new(),
            looped: Loop::new(now, self.asleep()),
            busy_since: None,
        });
        self.say(format!("starts with {monitors} monitors; the last sign of life was {last_sign:?}"));
        if self.trace_max == usize::MAX {
            let files = self.disk.list().unwrap_or_default();
            let files =
                files.iter().map(|name| format!("{name} {}", self.disk.content(name).map_or(0, |c| c.len())));
            let files: Vec<String> = files.collect();
            self.say(format!("files: {files:?}"));
        }
        if let Some((_, power_cut)) = after {
            let engine = &self.life.as_ref().expect("a program runs").engine;
            let real = |id: &str| IdRef::new(id).ok().and_then(|id| engine.get_at(now, id));
            self.story.recover(now, last_sign, &found, power_cut, &policy, real)?;
            let health = self.life().engine.health();
            if let Some(damage) =
                health.degraded.iter().find(|text| text.own().say(Lang::En).contains("damaged"))
            {
                return Err(format!("nothing was damaged, but: {damage:?}"));
            }
        }
        self.declare_by_rules(now)?;
        let restarts = self.restarts;
        // What was found is told by the first turn.
        self.turn()?;
        if self.restarts == restarts { self.compare() } else { Ok(()) }
    }
}
