//! Bringing what the journal holds into the tables that people query, and back into memory after a start.
//!
//! Two things go into the tables at their own pace. Changes of state are *followed*: read from the journal, in its order,
//! and put on record within a second, together with the position behind them, so that after a crash the same code goes
//! on where it stopped. How every monitor stands is *snapshot* now and then, from memory, only those that changed; after
//! that the journal before it is let go. A start reads the snapshot and then the journal from the snapshot's beginning.

use super::alerts::{Alerts, outgoing};
use super::{Engine, HERE, Pending, SHARDS, lock};
use crate::domain::notice::Level;
use crate::domain::record::{Change, Record};
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::store::Batch;
use crate::store::{Owner, Position, StoreError, Told, Wanted};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// Journal bytes after which a snapshot is due.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Time after which one is due in any case.
const SNAPSHOT_EVERY: Span = Span::secs(300);
/// Time between two tries of what has failed.
const RETRY_EVERY: Span = Span::secs(5);
/// How often what is too old is looked for.
const FORGET_EVERY: Span = Span::secs(3600);
/// Sentences about damage that are kept.
const DAMAGE_MAX: usize = 16;
/// Changes put on record in one step. Many, for when all fall silent at once: sorted by number those whose rows lie
/// together share a page, and of single changes each would write several pages anew.
const CHANGES_AT_ONCE: usize = 32_768;
/// Changes put on record, and monitors saved, by a daemon that stops; what is beyond that the next start finds in the
/// journal. A moment's work.
const LAST_MAX: usize = 100_000;
/// Numbers of monitors gone through in one step of a snapshot: rows that lie together in the tables are put together.
const NUMBERS_AT_ONCE: u64 = 8192;

/// What the keeper remembers from one turn to the next.
pub struct Keeper {
    owner: Owner,
    /// Behind the last change that is on record.
    followed: Option<Position>,
    /// How long the machine has slept since it was booted.
    asleep: Span,
    /// How long history is kept.
    history: Span,
    snapshot_due: Mono,
    forget_due: Mono,
    retry_due: Mono,
    /// What is to be told of the changes.
    alerts: Alerts,
    /// Messages were put into the outbox.
    told: bool,
}

impl Keeper {
    /// A keeper that begins now. `asleep` is how long the machine has slept since it was booted.
    pub fn new(now: Now, asleep: Span, owner: Owner, history: Span) -> Keeper {
        Keeper {
            owner,
            followed: None,
            asleep,
            history,
            snapshot_due: now.mono.after(SNAPSHOT_EVERY),
            forget_due: now.mono,
            retry_due: Mono(0),
            alerts: Alerts::new(now, asleep),
            told: false,
        }
    }
}

impl Engine {
    /// Puts everything together that was known before this start, and forgives the time since then. Returns how many
    /// monitors there are.
    pub fn recover(&self, now: Now) -> Result<u64, StoreError> {
        self.recover_with(now, &HashSet::new())
    }

    /// The same where connections have outlived the process before us, which these monitors stand for.
    pub fn recover_with(&self, now: Now, handed_over: &HashSet<String>) -> Result<u64, StoreError> {
        let mut last_number = self.store.last_number(HERE)?;
        let mut load = |record: &Record<'_>, saved: bool| {
            last_number = last_number.max(record.number);
            let (shard, name) = self.place_of(record.id);
            lock(&self.shards[shard]).load(now, name, record, saved);
        };
        let from = self.store.snapshot(HERE, &mut |record| match record.change {
            // Of one that is gone only the number is known, so not where it was.
            Change::Removed => self.shards.iter().for_each(|shard| lock(shard).bury(record.number)),
            _ => load(record, true),
        })?;
        self.store.read(HERE, from, Wanted::All, &mut |_, record| load(record, false))?;
        self.next_number.store(last_number + 1, Ordering::Relaxed);
        let last_sign = self.store.life(HERE).last_sign;
        self.find_unremembered(now)?;
        let mut pending = Pending::new();
        let mut monitors = 0;
        for shard in 0..SHARDS {
            monitors += self.change(now, shard, &mut pending, |registry, keep| {
                registry.settle(now, last_sign, handed_over, keep);
                registry.len() as u64
            });
        }
        self.monitors.store(monitors, Ordering::Relaxed);
        // A failure is noted, and made good when there is room again.
        let _ = self.commit(now.wall, &mut pending);
        self.declare(now, &self.policy());
        if let Some(cut) = self.store.cut(self.policy().page_lang) {
            self.notice(now.wall, Level::Notice, "cut", cut);
        }
        self.report_damage(now.wall);
        Ok(monitors)
    }

    /// Says what was found damaged, at the start or since; it is shown until the next start.
    fn report_damage(&self, now: Wall) {
        let damage = self.store.take_damage(self.policy().page_lang);
        for one in &damage {
            self.notice(now, Level::Error, "damaged", one.own().to_string());
        }
        let known = &mut lock(&self.trouble).damage;
        known.extend(damage);
        known.truncate(DAMAGE_MAX);
    }

    /// One turn of the keeper, at the moment `now`.
    pub fn keep(&self, keeper: &mut Keeper, now: Now, asleep: Span) {
        keeper.asleep = asleep;
        self.report_damage(now.wall);
        self.make_good(keeper, now);
        if now.mono < keeper.retry_due {
            return;
        }
        let done = self.follow(keeper, now, usize::MAX).and_then(|(end, _)| {
            let large = self.store.condition(now.wall).journal_bytes >= JOURNAL_BYTES;
            if large || now.mono >= keeper.snapshot_due {
                self.save(keeper, now, end)?;
                keeper.snapshot_due = now.mono.after(SNAPSHOT_EVERY);
            }
            self.forget(keeper, now)
        });
        let mut trouble = lock(&self.trouble);
        match done {
            Ok(()) => trouble.tables = None,
            Err(error) => {
                keeper.retry_due = now.mono.after(RETRY_EVERY);
                let sentence = error.said(self.policy().page_lang);
                let text = sentence.own().to_string();
                if trouble.tables.replace(sentence).is_none() {
                    self.notice(now.wall, Level::Error, "not_stored", text);
                }
            }
        }
    }

    /// The last turn: leaves everything in the tables, if that can be done in a moment.
    pub fn keep_last(&self, keeper: &mut Keeper, now: Now, asleep: Span) -> Result<(), StoreError> {
        keeper.asleep = asleep;
        let (end, all) = self.follow(keeper, now, LAST_MAX)?;
        if !all || self.monitors.load(Ordering::Relaxed) > LAST_MAX as u64 {
            return Ok(());
        }
        self.save(keeper, now, end)
    }

    /// Puts the changes of state on record that the journal has and the tables have not, about `most` of them. Returns
    /// how far that reaches, and whether it is all.
    fn follow(&self, keeper: &mut Keeper, now: Now, most: usize) -> Result<(Position, bool), StoreError> {
        let followed =
            self.ready_alerts(&mut keeper.alerts, now).and_then(|()| self.follow_on(keeper, now, most));
        if followed.as_ref().is_ok_and(|(_, all)| *all) {
            keeper.alerts.are_on_record();
        }
        if followed.is_err() {
            // What was put on record is put there, and heard, again.
            keeper.alerts.drop_machine();
        }
        if followed.is_ok() && keeper.told {
            keeper.told = false;
            self.post.bell.notify_one();
        }
        followed
    }

    fn follow_on(&self, keeper: &mut Keeper, now: Now, most: usize) -> Result<(Position, bool), StoreError> {
        if keeper.followed.is_none() {
            keeper.followed = self.store.transited(HERE)?;
        }
        let mut held = Batch::new();
        // Records of one write share a position, so only what lies before the present one is complete.
        let (mut complete, mut present) = (keeper.followed, keeper.followed);
        let mut failed = None;
        let mut seen = 0;
        let end = self.store.read(HERE, keeper.followed, Wanted::Changes, &mut |position, record| {
            if seen >= most {
                return;
            }
            seen += 1;
            if Some(position) != present {
                (complete, present) = (present, Some(position));
                if held.len() >= CHANGES_AT_ONCE && failed.is_none() {
                    failed = self.transit(keeper, &mut held, complete, None).err();
                }
            }
            if failed.is_none() {
                held.push(record);
            }
        })?;
        if let Some(error) = failed {
            // What was put on record is put there again next time, which changes nothing.
            return Err(error);
        }
        let all = seen < most;
        let upto = if all { end } else { complete.unwrap_or_default() };
        self.transit(keeper, &mut held, Some(upto), all.then_some(now))?;
        keeper.followed = Some(upto);
        Ok((upto, all))
    }

    /// Puts changes on record, with what is to be told of them. `all` is the present moment if that is all there is.
    fn transit(
        &self,
        keeper: &mut Keeper,
        held: &mut Batch,
        upto: Option<Position>,
        all: Option<Now>,
    ) -> Result<(), StoreError> {
        let mut records = held.records();
        self.hear_alerts(&mut keeper.alerts, &records)?;
        if let Some(now) = all {
            self.advance_alerts(&mut keeper.alerts, now, keeper.asleep)?;
        }
        let step = keeper.alerts.take();
        if records.is_empty() && step.is_empty() {
            return Ok(());
        }
        // Those of one monitor stay in their order.
        records.sort_by_key(|record| record.number);
        let outbox = outgoing(&step);
        let told = Told { outbox: &outbox, standings: &step.standings };
        let done = self.store.transit(HERE, keeper.owner, &records, &told, upto.unwrap_or_default());
        keeper.told |= !outbox.is_empty();
        drop(records);
        held.clear();
        done
    }

    /// Brings the snapshot up to date and lets the journal before it go.
    fn save(&self, keeper: &mut Keeper, now: Now, end: Position) -> Result<(), StoreError> {
        let saved = self.save_from(now).and_then(|()| {
            // While a removal waits for the journal the snapshot holds who was removed as they last stood there.
            if !lock(&self.trouble).backlog.is_empty() {
                return Ok(false);
            }
            // Or a power cut would leave half of it, and the next start would take that for what came after.
            self.store.sync(HERE, end)?;
            self.store.finish_snapshot(HERE, end).map(|()| true)
        });
        match saved {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                self.shards.iter().for_each(|shard| lock(shard).mark_unsaved());
                return Err(error);
            }
        }
        self.store.transit(HERE, keeper.owner, &[], &Told::default(), end)?;
        self.store.trim(HERE, end)
    }

    fn save_from(&self, now: Now) -> Result<(), StoreError> {
        let mut places: Vec<Option<usize>> = vec![Some(0); self.shards.len()];
        let mut held = Batch::new();
        let mut below = 0;
        while places.iter().any(Option::is_some) {
            below += NUMBERS_AT_ONCE;
            for (shard, place) in self.shards.iter().zip(&mut places) {
                let Some(from) = *place else { continue };
                *place = lock(shard).unsaved(now, from, below, &mut |record| held.push(record));
            }
            let mut records = held.records();
            records.sort_unstable_by_key(|record| record.number);
            if !records.is_empty() {
                self.store.put_snapshot(HERE, &records)?;
            }
            drop(records);
            held.clear();
        }
        Ok(())
    }

    /// Tries to make good what the journal would not take.
    fn make_good(&self, keeper: &mut Keeper, now: Now) {
        let mut trouble = lock(&self.trouble);
        if trouble.reason.is_none() {
            return;
        }
        let backlog = &mut trouble.backlog;
        if !backlog.is_empty() && self.store.append(HERE, now.wall, backlog).is_err() {
            return;
        }
        // An empty backlog says nothing about the disk: a sign of life does.
        if self.store.tend(HERE, now.wall).is_err() {
            return;
        }
        trouble.reason = None;
        // The beats of the meantime are in memory only; the snapshot has them.
        keeper.snapshot_due = now.mono;
        keeper.retry_due = Mono(0);
        let text = self.policy().page_lang.pick("beats are kept again", "心跳已恢复保存").to_string();
        drop(trouble);
        self.notice(now.wall, Level::Notice, "stored_again", text);
    }

    fn forget(&self, keeper: &mut Keeper, now: Now) -> Result<(), StoreError> {
        if now.mono < keeper.forget_due {
            return Ok(());
        }
        let before = Wall(now.wall.0.saturating_sub_unsigned(keeper.history.0));
        let more = self.store.forget(before)?;
        keeper.forget_due = if more { now.mono } else { now.mono.after(FORGET_EVERY) };
        Ok(())
    }
}
