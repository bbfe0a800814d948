//! What a start finds on record, compared with what was promised.

use super::*;

impl Story {
    /// The program was ended, or the power cut; another has started at `now` and found these versions. Checks
    /// that nothing that was promised is missing and makes what was lost undone.
    pub fn recover(
        &mut self,
        now: Now,
        last_sign: Option<Wall>,
        found: &Found,
        power_cut: bool,
        policy: &Policy,
        real: impl Fn(&str) -> Option<Snapshot>,
    ) -> Result<(), String> {
        (self.rules, self.defaults) = (policy.rules.clone(), policy.defaults);
        self.sign = last_sign;
        self.live.clear();
        self.news.clear();
        self.unsynced.clear();
        let numbers: Vec<u64> = self.kept.keys().copied().collect();
        let mut latest: BTreeMap<String, u64> = BTreeMap::new();
        for number in numbers {
            let Some(kept) = self.kept.get(&number) else { continue };
            let promised = |v: &Version| if power_cut { v.durable } else { v.appended };
            let must = kept.versions.iter().rev().find(|v| promised(v)).map(|v| v.version);
            let Some(Left { version, detailed, at: written }) = found.get(&number).copied() else {
                let gone = kept.versions.iter().any(|v| v.mon.is_none() && v.appended);
                let id = self.kept[&number].id.clone();
                let mut later = self.kept.range(number + 1..);
                let replaced = later.any(|(_, kept)| kept.id == id && kept.greatest > 0);
                let kept = &self.kept[&number];
                if must.is_some() && !gone && !replaced {
                    return Err(format!(
                        "{}, number {number}: version {must:?} was promised, and nothing is left",
                        kept.id
                    ));
                }
                if must.is_none() && !replaced {
                    // Nobody was ever told of it.
                    self.kept.remove(&number);
                } else if replaced {
                    // What is left of it may still be followed.
                } else if let Some(kept) = self.kept.get_mut(&number) {
                    kept.versions.retain(|v| v.mon.is_none());
                }
                continue;
            };
            let Some(kept) = self.kept.get_mut(&number) else { continue };
            if must.is_some_and(|must| version < must) {
                return Err(format!(
                    "{}, number {number}: version {must:?} was promised, and {version} is all that is left",
                    kept.id
                ));
            }
            let Some(at) = kept.versions.iter().position(|v| v.version == version) else {
                return Err(format!("{}: version {version} was found, which never was", kept.id));
            };
            let core = kept.versions[at].mon.clone();
            let details = kept.versions.iter().rev().find(|v| v.version <= detailed);
            let details = details.or(kept.versions.first()).and_then(|v| v.mon.as_ref());
            let details: Option<(Details, Option<i64>)> =
                details.map(|mon| (mon.details.clone(), mon.skew_ms));
            kept.versions.drain(at + 1..);
            if let Some(v) = kept.versions.last_mut() {
                (v.appended, v.changes_details) = (true, false);
                if let (Some(mon), Some((details, _))) = (&mut v.mon, &details) {
                    mon.details = details.clone();
                }
            }
            self.unsynced.push((number, version));
            kept.turnings.retain(|(of, _)| *of <= version);
            if power_cut {
                let safe = &kept.safe;
                kept.in_order.retain(|of| safe.contains(of));
            }
            kept.in_order.split_off(&(version + 1));
            kept.greatest = version;
            let Some(mut mon) = core else { continue };
            if let Some((details, skew_ms)) = details {
                (mon.details, mon.skew_ms) = (details, skew_ms);
            }
            if let Some(earlier) = latest.insert(mon.id.clone(), number) {
                debug_assert!(earlier < number);
            }
            mon.written = written;
            let mon = mon.read_again(last_sign, now);
            self.live.insert(mon.id.clone(), mon);
        }
        for id in self.ids() {
            let (rules, defaults) = (self.rules.clone(), self.defaults);
            let Some(mon) = self.live.get_mut(&id) else { continue };
            let kept = self.kept.entry(mon.number).or_default();
            let last = kept.versions.last_mut();
            let real = real(&id).map(|real| (real.interval, real.grace));
            for (interval, grace) in last.iter().flat_map(|last| last.held_to.iter().copied()) {
                let mut other = mon.clone();
                (other.interval, other.grace) = (interval, grace);
                other.hold_to(&rules, &defaults, (true, true));
                if Some((other.interval, other.grace)) == real {
                    (mon.interval, mon.grace) = (interval, grace);
                }
            }
            let gone = last_sign.map_or(0, |sign| now.wall.0 - sign.0).max(0);
            let since = mon.since;
            mon.settle(now, Span(gone as u64), &rules, &defaults);
            let excused = mon.since != since;
            if let Some(last) = last {
                last.held_to.push((mon.interval, mon.grace));
            }
            let away = last_sign.is_some_and(|sign| sign != now.wall);
            if excused || away && !mon.details.runs.is_empty() {
                self.change(now, &id, |_, _, _| Effect::default());
            }
            self.hold_window(now, &id);
        }
        Ok(())
    }
}
