//! What those outside do to the world: beats come in, orders are given, threads commit.

use super::*;

impl World {
    pub(super) fn source(&mut self) -> Source {
        let peer = match self.random.below(3) {
            0 => Peer::Ip([127, 0, 0, 1].into()),
            1 => Peer::Ip([10, 0, 0, 7].into()),
            _ => Peer::Unix,
        };
        Source { peer, transport: Transport::Http }
    }

    pub(super) fn said(&mut self, id: &str, now: Now) -> Said {
        let random = &mut self.random;
        let mut said = Said::default();
        if random.one_in(12 / self.shape.statuses.min(4)) {
            said.status = random.of(&[
                Status::Fail,
                Status::Start,
                Status::Start,
                Status::Log,
                Status::Exit(0),
                Status::Exit(3),
            ]);
        }
        let rids = random.one_in(2);
        if said.status != Status::Ok && rids {
            said.rid = Some(random.of(&["a", "b"]).to_string());
        }
        if id.len() % 2 == 0 {
            let seq = self.seqs.entry(id.to_string()).or_default();
            *seq = match random.below(12) {
                0 => *seq + random.between(2, 40),
                1 => seq.saturating_sub(random.below(40)),
                2 => random.below(2),
                3 => *seq,
                _ => *seq + 1,
            };
            said.seq = Some(*seq);
        }
        if random.one_in(8) {
            said.interval = Some(self.shape.interval(random));
        }
        if random.one_in(10) {
            said.grace = Some(random.of(&[Span(0), Span::secs(1), Span::secs(20)]));
        }
        if random.one_in(6) {
            said.message = Some(random.of(&["", "disk full", "all is well", "心跳"]).to_string());
        }
        if random.one_in(10) {
            said.tags =
                Some(random.of(&[&["a", "b"][..], &["ruled"], &[]]).iter().map(|t| t.to_string()).collect());
        }
        if random.one_in(10) {
            said.ts = Some(Wall(now.wall.0 + random.below(4000) as i64 - 2000));
        }
        if random.one_in(10) {
            said.ip = Some(random.of(&["192.168.1.1".to_string().as_str(), "192.168.1.2"]).to_string());
        }
        said.follows_interval = !random.one_in(6);
        said
    }

    pub(super) fn beat(&mut self) -> Checked {
        let now = self.now();
        let id = self.shape.id(&mut self.random);
        let said = self.said(&id, now);
        let source = self.source();
        let front = self.random.below(self.shape.fronts as u64) as usize;
        let commits = self.random.one_in(3);
        self.say(format!("front {front}: {id} from {:?}: {said:?}", source.peer));
        let tags: Option<Vec<Cow<'_, str>>> =
            said.tags.as_ref().map(|tags| tags.iter().map(|tag| Cow::Borrowed(tag.as_str())).collect());
        let beat = Beat {
            ip: said.ip.as_deref().and_then(|ip| IdRef::new(ip).ok()),
            seq: said.seq,
            ts: said.ts,
            interval: said.interval,
            grace: said.grace,
            status: said.status,
            message: said.message.as_deref(),
            tags: tags.as_deref(),
            rid: said.rid.as_deref(),
            ..Beat::default()
        };
        let policy = self.policy.clone();
        let life = self.life.as_mut().expect("a program runs");
        let monitor = IdRef::new(&id).map_err(|e| e.to_string())?;
        let incoming =
            Incoming { now, monitor, beat: &beat, source, follows_interval: said.follows_interval };
        let made = life.engine.get_at(now, monitor).is_none();
        let (pending, _) = &mut life.fronts[front];
        let receipt = life.engine.beat(&incoming, &policy, pending, || {});
        if !life.events.is_empty() {
            return Err(format!("of {id} something is told that is not on record"));
        }
        let told = receipt.map_err(|refusal| format!("{id}: {refusal:?}"))?.interval;
        let number = life.engine.get_at(now, monitor).map_or(0, |monitor| monitor.number);
        self.check_new(made, number)?;
        self.say(format!("is told {told}"));
        self.story.beat(now, &id, &said, source.peer, (number, told))?;
        if let Some(version) = self.story.version_of(&id) {
            self.life().fronts[front].1.push(version);
        }
        self.after("a beat")?;
        self.turn_if_woken()?;
        if commits { self.commit(front) } else { Ok(()) }
    }

    pub(super) fn turn_if_woken(&mut self) -> Checked {
        let now = self.now().mono;
        if self.life().next_turn <= now { self.turn() } else { Ok(()) }
    }

    pub(super) fn check_new(&self, made: bool, number: u64) -> Checked {
        if made && number <= self.story.last_number {
            return Err(format!(
                "number {number} is given a second time; {} was on record",
                self.story.last_number
            ));
        }
        Ok(())
    }

    /// A front answers its senders.
    pub(super) fn commit(&mut self, front: usize) -> Checked {
        let now = self.now();
        let Some(life) = self.life.as_mut() else { return Ok(()) };
        let Some((pending, waiting)) = life.fronts.get_mut(front) else { return Ok(()) };
        let waiting = std::mem::take(waiting);
        let stored = life.engine.commit(now.wall, pending).is_ok();
        let empty = pending.is_empty();
        let (unwell, synced) = (life.engine.health(), self.shape.sync == Sync::Always);
        let restarts = self.restarts;
        self.after("a commit")?;
        if self.restarts != restarts {
            return Ok(());
        }
        if !empty {
            return Err("changes are pending after they were committed".into());
        }
        for (number, version) in waiting {
            if stored && !self.story.is_appended(number, version) {
                return Err(format!("version {version} of number {number} was acknowledged and not kept"));
            }
            if stored && synced && !self.story.is_durable(number, version) {
                return Err(format!("version {version} of number {number} was acknowledged and not synced"));
            }
        }
        if !stored && unwell.refusing.is_none() && checks::ills(&unwell).is_empty() {
            return Err("beats are not stored and nobody is told why".into());
        }
        if !stored {
            self.say(format!("front {front}: not stored"));
        }
        Ok(())
    }

    pub(super) fn commit_all(&mut self) -> Checked {
        let restarts = self.restarts;
        for front in 0..self.shape.fronts {
            self.commit(front)?;
            if self.restarts != restarts {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn pause(&mut self) -> Checked {
        let now = self.now();
        let until = match self.random.below(3) {
            0 => None,
            _ => Some(Wall(now.wall.0 + self.random.between(1, 60_000) as i64)),
        };
        self.control(MonitorCommand::Pause { until })
    }

    pub(super) fn declare(&mut self) -> Checked {
        let random = &mut self.random;
        let interval = if random.one_in(2) { Some(self.shape.interval(random)) } else { None };
        let grace = if random.one_in(2) { Some(Span::secs(random.below(20))) } else { None };
        let tags = if random.one_in(2) { Some(vec!["declared".to_string()]) } else { None };
        self.control(MonitorCommand::Declare(Declaration { interval, grace, tags }))
    }

    pub(super) fn control(&mut self, control: MonitorCommand) -> Checked {
        let now = self.now();
        let id = self.shape.id(&mut self.random);
        self.say(format!("{id}: {control:?}"));
        let life = self.life.as_mut().expect("a program runs");
        let name = IdRef::new(&id).map_err(|e| e.to_string())?;
        let known = life.engine.get_at(now, name).is_some();
        let done = life.engine.control(now, name, &control);
        let number = life.engine.get_at(now, name).map_or(0, |monitor| monitor.number);
        let made = !known && number > 0;
        self.check_new(made, number)?;
        let refused = match (&control, self.story.live.get(&id)) {
            (MonitorCommand::Declare(wish), _) if !self.story.may_declare(&id, Peer::Unix, wish) => {
                Some(ControlRefusal::Configured)
            }
            (MonitorCommand::Declare(_), _) => None,
            (_, None) => Some(ControlRefusal::Unknown),
            (MonitorCommand::Remove, Some(mon)) if mon.is_configured() => Some(ControlRefusal::Configured),
            _ => None,
        };
        match &done {
            Err(refusal @ (ControlRefusal::Configured | ControlRefusal::Unknown)) => {
                if refused.as_ref() != Some(refusal) {
                    return Err(format!("{id}: {control:?} was refused: {refusal:?}"));
                }
                return self.after("a refusal");
            }
            Err(ControlRefusal::Full) => return Err("full".into()),
            _ if refused.is_some() => return Err(format!("{id}: {control:?} should be {refused:?}")),
            _ => {}
        }
        let before = self.story.version_of(&id);
        match control {
            MonitorCommand::Pause { until } => self.story.pause(now, &id, until),
            MonitorCommand::Resume => self.story.resume(now, &id),
            MonitorCommand::Remove => self.story.remove(now, &id),
            MonitorCommand::Declare(wish) => self.story.declare(now, &id, Peer::Unix, &wish, number),
        }
        let version = self.story.version_of(&id).or(before.map(|(number, version)| (number, version + 1)));
        let restarts = self.restarts;
        self.after("a control")?;
        if self.restarts != restarts {
            return Ok(());
        }
        if let (Ok(_), Some((number, version)), true) = (&done, version, version != before) {
            if !self.story.is_appended(number, version) {
                return Err(format!("{id}: what a person was told is done was not kept"));
            }
        }
        self.turn_if_woken()
    }
}
