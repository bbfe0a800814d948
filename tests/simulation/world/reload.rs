//! A new policy, while it runs or at a start.

use super::*;

impl World {
    pub(super) fn reload(&mut self) -> Checked {
        let now = self.now();
        let mut policy = self.shape.policy(&mut self.random, now.wall);
        if self.random.one_in(4) {
            // The file was touched and means the same.
            policy = Arc::new((*self.policy).clone());
        }
        self.say(format!("reload: {} rules", policy.rules.len()));
        self.configure(policy.clone());
        let life = self.life();
        life.engine.set_policy(now, policy.clone());
        life.looped.boundary = None;
        self.story.set_policy(now, policy.rules.clone(), policy.defaults);
        self.declare_by_rules(now)?;
        self.after("a reload")?;
        if self.life.is_some() { self.turn_if_woken() } else { Ok(()) }
    }

    /// Puts a policy in force.
    pub(super) fn configure(&mut self, policy: Arc<Policy>) {
        for one in
            self.shape.notifiers.iter().filter(|one| policy.alerts.notifier(&one.notifier.name).is_none())
        {
            self.telling.taken_out.push((one.notifier.name.clone(), self.real_ms));
        }
        self.policy = policy;
        self.attended.configured();
    }

    pub(super) fn declare_by_rules(&mut self, now: Now) -> Checked {
        let policy = self.policy.clone();
        for (id, _) in policy.rules.declared() {
            if self.story.live.contains_key(id) {
                continue;
            }
            let name = IdRef::new(id).map_err(|e| e.to_string())?;
            let number = self.life().engine.get_at(now, name).map(|monitor| monitor.number);
            let Some(number) = number else { return Err(format!("{id} is declared and was not made")) };
            self.check_new(true, number)?;
            self.story.make(now, id, Peer::Unix, number);
        }
        Ok(())
    }
}
