//! What was told, compared with what happened.

use super::*;

impl World {
    /// Compares everything that was told with everything that happened.
    pub(in crate::domain::alert::machine) fn judge(&self, seed: u64) {
        assert_eq!(self.wrong, Vec::<String>::new(), "seed {seed}");
        let keys: BTreeSet<&str> = self.told.iter().map(|(_, message)| message.key.as_str()).collect();
        assert_eq!(keys.len(), self.told.len(), "seed {seed}: two messages of one name");
        let number = |truth: &Truth| truth.name.split('-').next().unwrap_or_default().to_string();
        let ones: BTreeSet<(&String, String)> =
            self.truths.iter().map(|truth| (&truth.monitor, number(truth))).collect();
        for notifier in &self.policy.notifiers {
            for (id, number) in &ones {
                self.judge_one(seed, notifier, id, &format!("{number}-"));
            }
        }
    }

    pub(super) fn judge_one(&self, seed: u64, notifier: &Notifier, id: &str, number: &str) {
        let to = &notifier.name;
        let mut heard = self.heard(to, id);
        heard.retain(|(_, _, incident)| incident.starts_with(number));
        let context = format!("seed {seed}, {to}, {id}: {heard:#?}");
        // Each outage that is told has its end told, and no end comes without one.
        let mut known: Option<&str> = None;
        for (_, kind, incident) in &heard {
            match kind {
                MessageKind::Down | MessageKind::Flapping => known = Some(incident),
                MessageKind::Recovered => {
                    assert_eq!(
                        known.take(),
                        Some(incident.as_str()),
                        "the end of what nobody knew: {context}"
                    );
                }
                _ => assert!(known.is_some(), "{context}"),
            }
        }
        assert_eq!(known, None, "the end was not told: {context}");
        // No failure is told twice, however often we are killed.
        let failed = self.log.iter().filter(|(one, _, change)| {
            *change == Change::Failed && one.id == id && format!("{}-", one.number) == number
        });
        let told = self.told.iter().filter(|(_, message)| message.notifier == *to);
        let told = told.flat_map(|(_, message)| &message.monitors).filter(|one| {
            one.id == id && one.incident.as_deref().is_some_and(|incident| incident.starts_with(number))
        });
        let told: u64 = told.map(|one| u64::from(one.failures)).sum();
        let most = if notifier.every_failure { failed.count() as u64 } else { 0 };
        assert!(told <= most, "{told} of {most} failures told: {context}");
        let counted: Vec<Wall> =
            heard.iter().filter(|(_, kind, _)| *kind != MessageKind::Reminder).map(|(at, ..)| *at).collect();
        for window in counted.windows(SAID_MAX + 1) {
            assert!(window[SAID_MAX] >= after(window[0], HOUR), "more than {SAID_MAX} an hour: {context}");
        }
        let own: Vec<&Truth> = self.truths.iter().filter(|truth| truth.name.starts_with(number)).collect();
        let rule = self.rules.find(id, Peer::Unix).and_then(|number| self.rules.get(number));
        let notify = rule.and_then(|rule| rule.notify.as_ref());
        if !notify.unwrap_or(&self.policy.notify).contains(to) {
            return;
        }
        for (n, truth) in own.iter().enumerate() {
            let (Some(ended), false) = (truth.ended, truth.special) else { continue };
            let before = n.checked_sub(1).and_then(|n| own.get(n));
            let far = |from: Wall, to: Wall| after(from, Span(3 * HOUR.0)) < to;
            let after_all = before.is_none_or(|one| one.ended.is_some_and(|end| far(end, truth.started)));
            if !after_all || own.get(n + 1).is_some_and(|next| !far(ended, next.started)) {
                // Others are near: it may be part of a flapping.
                continue;
            }
            let of_it: Vec<MessageKind> = heard
                .iter()
                .filter(|(_, kind, incident)| *incident == truth.name && *kind != MessageKind::Reminder)
                .map(|(_, kind, _)| *kind)
                .collect();
            let lasted = Span((ended.0 - truth.started.0) as u64);
            let depends = rule.is_some_and(|rule| !rule.after.is_empty());
            if lasted < notifier.min_down {
                assert_eq!(of_it, [], "{truth:?} was too short: {context}");
            } else if !depends {
                assert_eq!(of_it, [MessageKind::Down, MessageKind::Recovered], "{truth:?}: {context}");
            }
        }
    }
}
