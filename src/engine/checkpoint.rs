//! Bringing what the journal holds into the tables that people query, and back into memory after a start.
//!
//! Two things go into the tables at their own pace. Changes of state are *followed*: read from the journal, in its order,
//! and put on record within a second, together with the position behind them, so that after a crash the same code goes
//! on where it stopped. How every monitor stands is *snapshot* now and then, from memory, only those that changed; after
//! that the journal before it is let go. A start reads the snapshot and then the journal from the snapshot's beginning.
//!
//! Alerts do not wait for the tables. While these take nothing, or the journal does not, changes are heard all the same, and
//! what is to be told of them leaves from memory (`unstored`).

use super::Engine;
use super::judge::alerts::{AlertJudge, Clocks};
use super::mutex::lock;
use super::pending::Pending;
use super::record_first::on_record_first;
use super::shards::SHARDS;
use crate::domain::alert::{AlertOutput, Message};
use crate::domain::notice::Level;
use crate::domain::record::Record;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::i18n;
use crate::store::{Batch, Entry, Mark, Outgoing, Position, RecordFilter, SnapshotRow, StoreError};
use std::collections::HashSet;

pub(super) mod catch_up;
mod judging;
pub mod threads;

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
/// Monitors of which something is to be remembered and cannot be put on record; when there are as many, no change is heard.
const UNREMEMBERED_MAX: usize = 1_000_000;
/// Numbers of monitors gone through in one step of a snapshot: rows that lie together in the tables are put together.
const NUMBERS_AT_ONCE: u64 = 8192;

/// What the checkpointer remembers from one turn to the next.
pub struct Checkpointer {
    /// Behind the last change that is on record, and behind the last that was heard.
    followed: Option<Position>,
    heard: Option<Position>,
    /// Changes that the journal has not taken, until they are heard.
    unheard: Batch,
    /// When this process began.
    started: Clocks,
    /// How long the machine has slept since it was booted.
    asleep: Span,
    /// How long history is kept.
    history: Span,
    snapshot_due: Mono,
    forget_due: Mono,
    retry_due: Mono,
    /// What is to be told of the changes.
    judge: Option<AlertJudge>,
    /// The tables have no room.
    is_full: bool,
    /// It was said that no more alerts can be made.
    is_mute: bool,
}

impl Checkpointer {
    /// A checkpointer that begins now. `asleep` is how long the machine has slept since it was booted.
    pub fn new(now: Now, asleep: Span, history: Span) -> Checkpointer {
        Checkpointer {
            followed: None,
            heard: None,
            unheard: Batch::new(),
            started: Clocks { now, asleep },
            asleep,
            history,
            snapshot_due: now.mono.after(SNAPSHOT_EVERY),
            forget_due: now.mono,
            retry_due: Mono(0),
            judge: None,
            is_full: false,
            is_mute: false,
        }
    }
}

/// Changes of state on their way.
#[derive(Default)]
struct Followed {
    records: Batch,
    /// How many of them, from the first, were heard before.
    heard: usize,
    /// Whether they are to be put on record; and why they were not.
    on_record: bool,
    failed: Option<StoreError>,
}

impl Engine {
    /// Puts everything together that was known before this start, and forgives the time since then. Returns how many
    /// monitors there are.
    pub fn recover(&self, now: Now) -> Result<u64, StoreError> {
        self.recover_with(now, &HashSet::new())
    }

    /// The same where connections have outlived the process before us, which these monitors stand for.
    pub fn recover_with(&self, now: Now, handed_over: &HashSet<String>) -> Result<u64, StoreError> {
        let mut last_number = self.store.last_number()?;
        let mut load = |record: &Record<'_>, saved: bool| {
            last_number = last_number.max(record.number);
            self.shards.load(now, record, saved);
        };
        let from = self.store.snapshot(&mut |row| match row {
            // Of one that is gone only the number is known, so not where it was.
            SnapshotRow::Removed(number) => self.shards.mark_removed(number),
            SnapshotRow::Monitor(record) => load(record, true),
        })?;
        self.journal.read(from, RecordFilter::All, &mut |_, record| load(record, false))?;
        let last_sign = self.journal.last_sign();
        self.compare_alerts(now)?;
        let mut pending = Pending::new();
        let mut monitors = 0;
        for shard in 0..SHARDS {
            monitors += self.change(now, shard, &mut pending, |registry, keep| {
                registry.resume_after_start(now, last_sign, handed_over, keep);
                registry.len() as u64
            });
        }
        self.intake.resume(monitors, last_number);
        // A failure is noted, and made good when there is room again.
        let _ = self.commit(now.wall, &mut pending);
        self.declare(now, &self.policy());
        if let Some(cut) = self.journal.cut() {
            self.notice(now.wall, Level::Notice, "cut", cut);
        }
        self.report_damage(now.wall);
        Ok(monitors)
    }

    /// Says what was found damaged, at the start or since; it is shown until the next start.
    fn report_damage(&self, now: Wall) {
        let mut damage = self.journal.take_damage();
        damage.extend(self.store.take_damage());
        for one in &damage {
            self.notice(now, Level::Error, "damaged", one.own().clone());
        }
        let known = &mut lock(&self.trouble).damage;
        known.extend(damage);
        known.truncate(DAMAGE_MAX);
    }

    /// One turn of the checkpointer, at the moment `now`.
    pub fn checkpoint(&self, checkpointer: &mut Checkpointer, now: Now, asleep: Span) {
        checkpointer.asleep = asleep;
        self.report_damage(now.wall);
        self.make_good(checkpointer, now);
        if now.mono < checkpointer.retry_due {
            // What fails now is said when it is tried with everything else.
            let _ = self.follow(checkpointer, now, usize::MAX, false);
            return;
        }
        let done = match self.store_unstored(checkpointer) {
            Ok(()) => self.follow(checkpointer, now, usize::MAX, true),
            Err(error) => {
                let _ = self.follow(checkpointer, now, usize::MAX, false);
                Err(error)
            }
        };
        let done = done.and_then(|(end, _)| {
            let large = self.journal.condition(now.wall).journal_bytes >= JOURNAL_BYTES;
            if large || now.mono >= checkpointer.snapshot_due {
                self.save(now, end)?;
                checkpointer.snapshot_due = now.mono.after(SNAPSHOT_EVERY);
            }
            self.forget(checkpointer, now)
        });
        checkpointer.is_full = done.as_ref().is_err_and(StoreError::is_full);
        let mut trouble = lock(&self.trouble);
        match done {
            Ok(()) => trouble.tables = None,
            Err(error) => {
                checkpointer.retry_due = now.mono.after(RETRY_EVERY);
                let sentence = error.said();
                let text = sentence.own().clone();
                if trouble.tables.replace(sentence).is_none() {
                    self.notice(now.wall, Level::Error, "not_stored", text);
                }
            }
        }
    }

    /// The last turn: leaves everything in the tables, if that can be done in a moment.
    pub fn last_checkpoint(
        &self,
        checkpointer: &mut Checkpointer,
        now: Now,
        asleep: Span,
    ) -> Result<(), StoreError> {
        checkpointer.asleep = asleep;
        self.store_unstored(checkpointer)?;
        let (end, all) = self.follow(checkpointer, now, LAST_MAX, true)?;
        if !all || self.intake.monitors() > LAST_MAX as u64 {
            return Ok(());
        }
        self.save(now, end)
    }

    /// Puts the changes of state on record that the journal has and the tables have not, about `most` of them, and hears
    /// them. Returns how far that reaches, and whether it is all. Where they cannot be put `on_record`, or are not to be,
    /// they are only heard.
    fn follow(
        &self,
        checkpointer: &mut Checkpointer,
        now: Now,
        most: usize,
        on_record: bool,
    ) -> Result<(Position, bool), StoreError> {
        self.ready_judge(checkpointer, now)?;
        if checkpointer.followed.is_none() {
            checkpointer.followed = self.store.marks()?.changes;
            checkpointer.heard = checkpointer.followed;
        }
        if !on_record && self.is_mute(checkpointer, now.wall) {
            return Ok((Position::default(), false));
        }
        // Before it is read: what was to be made good is in it.
        let is_whole = lock(&self.trouble).backlog.is_empty();
        let from = if on_record { checkpointer.followed } else { checkpointer.heard };
        let mut followed = Followed { on_record, ..Followed::default() };
        // Records of one write share a position, so only what lies before the present one is complete.
        let (mut complete, mut present) = (from, from);
        let mut failed = None;
        let mut seen = 0;
        let end = self.journal.read(from, RecordFilter::Changes, &mut |position, record| {
            if seen >= most || failed.is_some() {
                return;
            }
            seen += 1;
            if Some(position) != present {
                (complete, present) = (present, Some(position));
                if followed.records.len() >= CHANGES_AT_ONCE {
                    failed = self.take_in(checkpointer, &mut followed, complete, None).err();
                }
            }
            followed.heard += usize::from(Some(position) <= checkpointer.heard);
            followed.records.push(record);
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let all = seen < most;
        let upto = if all { end } else { complete.unwrap_or_default() };
        self.take_in(checkpointer, &mut followed, Some(upto), all.then_some((now, is_whole)))?;
        match followed.failed {
            Some(error) => Err(error),
            None => Ok((upto, all)),
        }
    }

    /// Hears what was read of the journal, and puts it on record if that can be done. `all`: the present moment, if that is all
    /// there is, and whether the journal has taken everything.
    fn take_in(
        &self,
        checkpointer: &mut Checkpointer,
        followed: &mut Followed,
        upto: Option<Position>,
        all: Option<(Now, bool)>,
    ) -> Result<(), StoreError> {
        let mut records = followed.records.records();
        let new = records.get(followed.heard..).unwrap_or_default();
        let told = self.judge(checkpointer, new, all, followed.on_record)?;
        checkpointer.heard = checkpointer.heard.max(upto);
        // Those of one monitor stay in their order.
        records.sort_by_key(|record| record.number);
        let mark = followed.on_record.then(|| mark_behind(upto));
        match self.tell_alerts(checkpointer, &records, told, mark) {
            Ok(()) if followed.on_record => checkpointer.followed = upto,
            Ok(()) => {}
            Err(error) => (followed.on_record, followed.failed) = (false, Some(error)),
        }
        drop(records);
        followed.records.clear();
        followed.heard = 0;
        Ok(())
    }

    /// Tells what has come of changes, on record first: the changes, what is to be told of them and what is to be remembered, in
    /// one step, with the place in the journal that this reaches. What cannot be put on record is told all the same. `mark`
    /// `None`: it is not to be tried.
    fn tell_alerts(
        &self,
        checkpointer: &mut Checkpointer,
        records: &[Record<'_>],
        told: AlertOutput,
        mark: Option<Mark>,
    ) -> Result<(), StoreError> {
        let messages = outgoing(&told.messages);
        let Some(mark) = mark else {
            self.hold_unstored(messages);
            return Ok(());
        };
        let unstored = lock(&self.unstored).messages();
        if records.is_empty() && told.is_empty() && unstored.is_empty() {
            return Ok(());
        }
        let outbox = [unstored, messages.clone()].concat();
        let put = || {
            let records = records.iter().map(Entry::Record);
            let alert_states = told.alert_states.iter().map(Entry::AlertState);
            let entries: Vec<Entry<'_>> =
                records.chain(outbox.iter().map(Entry::Message)).chain(alert_states).collect();
            self.store.apply(&entries, mark).map(drop)
        };
        on_record_first(put, |is_on_record| {
            if !is_on_record {
                checkpointer.judge.iter_mut().for_each(|judge| judge.put_back(&told.alert_states));
                self.hold_unstored(messages);
                return;
            }
            lock(&self.unstored).are_put(&outbox);
            if !outbox.is_empty() {
                self.post.bell.notify_one();
            }
        })
    }

    /// Puts on record what waits for that: first what was decided, so that a crash does not have it decided again.
    fn store_unstored(&self, checkpointer: &mut Checkpointer) -> Result<(), StoreError> {
        if !lock(&self.unstored).is_empty() {
            let told = checkpointer.judge.as_mut().map(AlertJudge::take).unwrap_or_default();
            self.tell_alerts(checkpointer, &[], told, Some(mark_behind(checkpointer.followed)))?;
            self.record_settled()?;
        }
        checkpointer.is_mute = false;
        Ok(())
    }

    /// Whether there is no room for more of what cannot be put on record; that is said once.
    fn is_mute(&self, checkpointer: &mut Checkpointer, now: Wall) -> bool {
        let unremembered = checkpointer.judge.as_ref().map_or(0, AlertJudge::unremembered);
        let has_room = lock(&self.unstored).has_room() && unremembered < UNREMEMBERED_MAX;
        if !has_room && !std::mem::replace(&mut checkpointer.is_mute, true) {
            self.notice(now, Level::Error, "not_stored", i18n::delivery::DECIDED_UNSTORED_TOO_MANY);
        }
        !has_room
    }

    /// Brings the snapshot up to date and lets the journal before it go.
    fn save(&self, now: Now, end: Position) -> Result<(), StoreError> {
        let saved = self.save_from(now).and_then(|()| {
            // While a removal waits for the journal the snapshot holds who was removed as they last stood there.
            if !lock(&self.trouble).backlog.is_empty() {
                return Ok(false);
            }
            // Or a power cut would leave half of it, and the next start would take that for what came after.
            self.journal.sync(end)?;
            self.store.apply(&[], Mark::Snapshot(end)).map(|_| true)
        });
        match saved {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                self.shards.mark_unsaved();
                return Err(error);
            }
        }
        self.journal.trim(end)
    }

    fn save_from(&self, now: Now) -> Result<(), StoreError> {
        let mut places = [Some(0); SHARDS];
        let mut held = Batch::new();
        let mut below = 0;
        while places.iter().any(Option::is_some) {
            below += NUMBERS_AT_ONCE;
            self.shards.unsaved(now, &mut places, below, &mut |record| held.push(record));
            let mut records = held.records();
            records.sort_unstable_by_key(|record| record.number);
            if !records.is_empty() {
                let entries: Vec<Entry<'_>> = records.iter().map(Entry::Record).collect();
                self.store.apply(&entries, Mark::None)?;
            }
            drop(records);
            held.clear();
        }
        Ok(())
    }

    /// Tries to make good what the journal would not take.
    fn make_good(&self, checkpointer: &mut Checkpointer, now: Now) {
        let mut trouble = lock(&self.trouble);
        if trouble.reason.is_none() {
            return;
        }
        let backlog = &mut trouble.backlog;
        if !backlog.is_empty() && self.journal.append(now.wall, backlog).is_err() {
            return;
        }
        // An empty backlog says nothing about the disk: a sign of life does.
        if self.journal.tend(now.wall).is_err() {
            return;
        }
        (trouble.reason, trouble.is_full) = (None, false);
        // The beats of the meantime are in memory only; the snapshot has them.
        checkpointer.snapshot_due = now.mono;
        checkpointer.retry_due = Mono(0);
        drop(trouble);
        self.notice(now.wall, Level::Notice, "stored_again", i18n::engine::STORED_AGAIN);
    }

    fn forget(&self, checkpointer: &mut Checkpointer, now: Now) -> Result<(), StoreError> {
        if now.mono < checkpointer.forget_due {
            return Ok(());
        }
        let before = Wall(now.wall.0.saturating_sub_unsigned(checkpointer.history.0));
        let more = self.store.forget(before)?;
        checkpointer.forget_due = if more { now.mono } else { now.mono.after(FORGET_EVERY) };
        Ok(())
    }
}

/// That the changes before a place in the journal are on record.
fn mark_behind(upto: Option<Position>) -> Mark {
    upto.map_or(Mark::None, Mark::Changes)
}

/// The machine's messages as the outbox takes them.
fn outgoing(messages: &[Message]) -> Vec<Outgoing> {
    let post = |message: &Message| {
        Some(Outgoing {
            key: message.key.clone(),
            notifier: message.notifier.clone(),
            recipient: None,
            made: message.made,
            due: message.made,
            tries: 0,
            // A value of plain fields always has a JSON.
            message: serde_json::to_string(message).ok()?,
        })
    };
    messages.iter().filter_map(post).collect()
}
