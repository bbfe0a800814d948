//! What people are to be told of a journal: damage, at a start or while it is read, and a disk that failed to sync.

use super::damage::{Cut, Damage};
use crate::domain::sentence::Sentence;
use crate::i18n::{self, Text};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What has been found while the journal was open.
#[derive(Debug, Default)]
pub(super) struct JournalNews {
    pub(super) damages: Vec<Damage>,
    /// Segment and offset of every damage so far: whoever reads it again says nothing.
    pub(super) places: BTreeSet<(u64, u64)>,
    pub(super) rescue: Option<Rescue>,
}

/// A file that could not be synced or was removed, after which what is not durable was written again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// The file.
    pub file: PathBuf,
    /// What the system said to fdatasync; `None`: the file was removed.
    pub reason: Option<String>,
    /// The file that holds again what may be lost in it.
    pub again: PathBuf,
    /// How often fdatasync has failed since the start.
    pub times: u64,
}

impl JournalNews {
    /// Notes the `times`th failed fdatasync, of which people are told ever more seldom, or a file that was removed.
    pub(super) fn rescued(&mut self, file: PathBuf, again: PathBuf, reason: Option<String>, times: u64) {
        if reason.is_none() || times.is_power_of_two() {
            self.rescue = Some(Rescue { file, reason, again, times });
        }
    }
}

impl Damage {
    /// What was lost, where, and where the file is kept.
    pub fn said(&self) -> Sentence {
        Sentence::of(|to| {
            let Damage { file, offset, bytes, reason, kept, .. } = self;
            let reason = to.words(reason, i18n::store::NOT_WHAT_WRITTEN);
            let kept = kept.as_ref().map(|kept| i18n::store::copy_kept(&to.path(kept)));
            let kept = kept.unwrap_or_default();
            i18n::store::journal_damaged_byte_bytes(&to.path(file), offset, bytes, &reason, &kept)
        })
    }
}

impl Cut {
    /// What was cut, and that a power cut leaves such a thing.
    pub fn text(&self) -> Text {
        let Cut { file, offset, bytes } = self;
        i18n::store::journal_ends_unfinished_write(&file.display(), bytes, offset)
    }
}

impl Rescue {
    /// What failed, and that nothing is lost by it.
    pub fn said(&self) -> Sentence {
        Sentence::of(|to| {
            let Rescue { file, reason, again, times } = self;
            let (file, again) = (to.path(file), to.path(again));
            let Some(reason) = reason else {
                return i18n::store::file_journal_removed_while(&file, &again);
            };
            let reason = to.words(reason, i18n::store::FAILED);
            i18n::store::disk_could_not_told(&file, &reason, &again, times)
        })
    }
}
