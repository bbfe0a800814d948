//! The journal as the log of the embedded store.

use super::disk::Disk;
use super::{Cut, Damage, Journal, JournalOptions};
use crate::domain::lang::Lang;
use crate::domain::record::Record;
use crate::domain::sentence::Sentence;
use crate::domain::time::Wall;
use crate::store::embedded::Log;
use crate::store::{Batch, Condition, Life, Position, StoreError, Wanted};
use std::sync::{Arc, Mutex, PoisonError};

/// A journal, and what was found when it was opened.
pub struct JournalLog {
    journal: Journal,
    life: Life,
    cut: Option<Cut>,
    /// Damage that nobody has been told of.
    damages: Mutex<Vec<Damage>>,
}

impl JournalLog {
    /// Opens the journal on a disk. `noted` is a position in it that the tables know, if they know any.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        noted: Option<Position>,
        now: Wall,
    ) -> Result<JournalLog, StoreError> {
        // Should the directory have been emptied by hand, nothing new may lie before that position.
        let first_segment = options.first_segment.max(noted.map_or(0, |noted| noted.segment + 1));
        let (journal, found) = Journal::open(disk, JournalOptions { first_segment, ..options }, now)?;
        let damages = found.damages.into_iter().filter(|damage| damage.news).collect();
        Ok(JournalLog { journal, life: found.life, cut: found.cut, damages: Mutex::new(damages) })
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl Log for JournalLog {
    fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        self.journal.append(now, batch)
    }

    fn sync(&self, upto: Position) -> Result<(), StoreError> {
        self.journal.sync(upto)
    }

    fn read(
        &self,
        from: Option<Position>,
        wanted: Wanted,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        self.journal.read(from, wanted, visit)
    }

    fn trim(&self, before: Position) -> Result<(), StoreError> {
        self.journal.trim(before)
    }

    fn life(&self) -> Life {
        self.life
    }

    fn tend(&self, now: Wall) -> Result<(), StoreError> {
        self.journal.tick(now)
    }

    fn condition(&self, now: Wall) -> Condition {
        Condition {
            journal_bytes: self.journal.bytes(),
            unsynced_ms: (self.journal.unsynced_s(now) * 1000.0) as u64,
            degraded: self.journal.trouble().iter().map(StoreError::fault).collect(),
        }
    }

    fn take_damage(&self, lang: Lang) -> Vec<Sentence> {
        let mut damages = std::mem::take(&mut *self.damages.lock().unwrap_or_else(PoisonError::into_inner));
        let (since, rescue) = self.journal.take_news();
        damages.extend(since);
        let damages = damages.iter().map(|damage| damage.said(lang));
        damages.chain(rescue.map(|rescue| rescue.said(lang))).collect()
    }

    fn cut(&self, lang: Lang) -> Option<String> {
        self.cut.as_ref().map(|cut| cut.sentence(lang))
    }
}
