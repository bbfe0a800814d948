//! What people and programs ask of a registry, and what they are told.

use super::Registry;
use super::row::Monitor;
use super::snapshot::{Cursor, ListPosition, Order, Snapshot};
use crate::domain::notice::State;
use crate::domain::rules::Rules;
use crate::domain::time::Now;
use std::collections::BinaryHeap;

/// What a list is chosen by.
pub struct MonitorView<'a> {
    /// The id.
    pub id: &'a str,
    /// The state as people see it.
    pub state: State,
    now: Now,
    row: &'a Monitor,
    rules: &'a Rules,
}

impl MonitorView<'_> {
    /// Whether it is declared and has not been heard for longer than its interval.
    pub fn is_never_heard(&self) -> bool {
        self.row.is_never_heard(self.now, self.rules.get(self.row.rule))
    }

    /// Whether it has a label.
    pub fn has_tag(&self, tag: &str) -> bool {
        let of_rule = self.rules.get(self.row.rule).is_some_and(|rule| rule.tags.iter().any(|t| t == tag));
        of_rule || self.row.has_tag(tag)
    }
}

impl Registry {
    /// How many declared monitors have not been heard for longer than their interval, and the first `most` of them by id.
    pub fn never_heard(&self, now: Now, most: usize) -> (usize, Vec<String>) {
        if self.counts()[State::New as usize] + self.counts()[State::Down as usize] == 0 {
            return (0, Vec::new());
        }
        let silent = |row: &&Monitor| !row.is_vacant() && row.is_never_heard(now, self.rules.get(row.rule));
        let mut ids: Vec<&str> = self.monitors.iter().filter(silent).map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        (ids.len(), ids.into_iter().take(most).map(String::from).collect())
    }

    /// The first `limit` monitors in `order` behind `after` that `wanted` accepts.
    pub fn list(
        &self,
        now: Now,
        order: Order,
        after: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&MonitorView<'_>) -> bool,
    ) -> Vec<Snapshot> {
        let rows = self.first(now, order, after, limit, wanted).into_iter();
        rows.map(|(_, _, key)| self.monitors[key as usize].snapshot(now, &self.rules)).collect()
    }

    /// Where those lie, each with what it is sorted by.
    pub fn seats(
        &self,
        now: Now,
        order: Order,
        after: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&MonitorView<'_>) -> bool,
    ) -> Vec<(Cursor, ListPosition)> {
        let rows = self.first(now, order, after, limit, wanted).into_iter();
        let seat = |row: u32| ListPosition { row, number: self.monitors[row as usize].number };
        rows.map(|(key, id, row)| (Cursor { key, id: id.into() }, seat(row))).collect()
    }

    /// The monitor that lies there, unless it is gone.
    pub fn at(&self, now: Now, seat: ListPosition) -> Option<Snapshot> {
        let row = self.monitors.get(seat.row as usize)?;
        (row.number == seat.number).then(|| row.snapshot(now, &self.rules))
    }

    fn first(
        &self,
        now: Now,
        order: Order,
        after: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&MonitorView<'_>) -> bool,
    ) -> Vec<(i64, &str, u32)> {
        let mut first: BinaryHeap<(i64, &str, u32)> = BinaryHeap::new();
        for (number, row) in self.monitors.iter().enumerate().filter(|(_, row)| !row.is_vacant()) {
            let (state, last_beat) = (row.visible(), (row.beats > 0).then_some(row.last_wall));
            let place = (order.key(state, last_beat, row.since), row.id.as_str());
            let glance = MonitorView { id: place.1, state, now, row, rules: &self.rules };
            if after.is_some_and(|a| place <= (a.key, a.id.as_str())) || !wanted(&glance) {
                continue;
            }
            let entry = (place.0, place.1, number as u32);
            if first.len() < limit {
                first.push(entry);
            } else if let Some(mut last) = first.peek_mut().filter(|last| entry < **last) {
                *last = entry;
            }
        }
        first.into_sorted_vec()
    }
}
