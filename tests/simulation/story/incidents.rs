//! What is on record of incidents, compared with what happened.

use super::*;

impl Story {
    /// With which version an incident began, and whether the journal has that, and no power cut has taken it.
    pub fn beginning(&self, number: u64, beats: u64) -> Option<(u64, bool)> {
        let kept = self.kept.get(&number)?;
        let begins = |turning: &Turning| matches!(turning, Turning::Opens { beats: of, .. } if *of == beats);
        let (version, _) = kept.turnings.iter().rfind(|(_, turning)| begins(turning))?;
        Some((*version, kept.in_order.contains(version)))
    }

    /// Checks what is on record of incidents, by name: monitor and cause, when it began, when it ended. One whose own record
    /// came late or was lost with the senders' patience may be missing, or end when the next record says so.
    pub fn check_incidents(&self, is: &BTreeMap<String, Incident>) -> Result<(), String> {
        let mut known = BTreeSet::new();
        let last: BTreeMap<&str, u64> =
            self.kept.iter().map(|(number, kept)| (kept.id.as_str(), *number)).collect();
        for (number, kept) in &self.kept {
            let mut all = BTreeMap::new();
            // Of one that was removed and made anew the tables may hear of the new one first.
            let newest = last.get(kept.id.as_str()) == Some(number);
            for (version, turning) in &kept.turnings {
                let sure = newest && kept.in_order.contains(version);
                match *turning {
                    Turning::Opens { beats, started, cause } => {
                        all.insert(beats, (cause, started, None, sure, true));
                    }
                    Turning::Closes { beats, at } => {
                        if let Some((_, started, ended, began_so, sure_end)) = all.get_mut(&beats) {
                            (*ended, *sure_end) = (Some(at.max(*started)), sure && *began_so);
                        }
                    }
                }
            }
            for (beats, (cause, started, ended, sure, sure_end)) in all {
                let id = format!("{number}-{beats}");
                known.insert(id.clone());
                let should = format!("{} {cause:?} {started:?} {ended:?}", kept.id);
                let Some(is) = is.get(&id) else {
                    if sure || ended.is_none() {
                        return Err(format!("incident {id} should be {should}, and is missing"));
                    }
                    continue;
                };
                let same_end =
                    if sure_end { is.ended == ended } else { is.ended.is_some() == ended.is_some() };
                if (&is.monitor, is.reason.cause, is.started, same_end) != (&kept.id, cause, started, true) {
                    return Err(format!("incident {id} should be {should}, is {is:?}"));
                }
            }
        }
        match is.keys().find(|id| !known.contains(*id)) {
            Some(id) => Err(format!("incident {id} should not be: {:?}", is.get(id))),
            None => Ok(()),
        }
    }
}
