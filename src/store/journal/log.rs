//! The journal as the log of the embedded store.

use super::disk::Disk;
use super::{Damage, Journal, JournalOptions};
use crate::domain::lang::Lang;
use crate::domain::record::Record;
use crate::domain::time::Wall;
use crate::store::embedded::Log;
use crate::store::{Batch, Condition, Life, Position, StoreError, Wanted};
use std::sync::{Arc, Mutex, PoisonError};

/// A journal, and what was found when it was opened.
pub struct JournalLog {
    journal: Journal,
    life: Life,
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
        Ok(JournalLog { journal, life: found.life, damages: Mutex::new(damages) })
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
            degraded: self.journal.degraded().into_iter().collect(),
        }
    }

    fn take_damage(&self, lang: Lang) -> Vec<String> {
        let damages = std::mem::take(&mut *self.damages.lock().unwrap_or_else(PoisonError::into_inner));
        damages.iter().map(|damage| damage.sentence(lang)).collect()
    }
}

impl Damage {
    /// What was lost, where, and where the file is kept.
    pub fn sentence(&self, lang: Lang) -> String {
        let Damage { file, offset, bytes, reason, kept, .. } = self;
        let file = file.display();
        let kept = match (kept, lang) {
            (Some(kept), Lang::En) => format!("; a copy is kept at {}", kept.display()),
            (Some(kept), Lang::Zh) => format!("；副本保存在 {}", kept.display()),
            (None, _) => String::new(),
        };
        match lang {
            Lang::En => format!(
                "the journal is damaged: {file}: at byte {offset}, {bytes} bytes cannot be read: {reason}; everything else was \
                 read{kept}"
            ),
            Lang::Zh => {
                format!(
                    "journal 文件损坏：{file}：第 {offset} 字节起的 {bytes} 字节无法读取：{reason}；其余内容均已读取{kept}"
                )
            }
        }
    }
}
