//! What people are to be told of a journal: damage, at a start or while it is read, and a disk that failed to sync.

use super::frame::file_name;
use super::{Cut, Damage, FileJournal};
use crate::domain::lang::Lang;
use crate::domain::sentence::{Audience, Sentence};
use crate::i18n;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Places of damage that are told apart while the journal is open; of further ones nobody is told.
const PLACES_MAX: usize = 1_000;

/// What has been found while the journal was open.
#[derive(Debug, Default)]
pub(super) struct JournalNews {
    damages: Vec<Damage>,
    /// Segment and offset of every damage so far: whoever reads it again says nothing.
    places: BTreeSet<(u64, u64)>,
    rescue: Option<Rescue>,
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

impl FileJournal {
    /// What was found since this was last asked.
    pub fn take_news(&self) -> (Vec<Damage>, Option<Rescue>) {
        let news = &mut self.inner().news;
        (std::mem::take(&mut news.damages), news.rescue.take())
    }

    /// Notes that a reader passes over a stretch of a segment.
    pub(super) fn pass_over(&self, number: u64, offset: u64, end: u64, reason: String) {
        {
            let mut inner = self.inner();
            // What was written again elsewhere is read there.
            if !inner.segments.get(&number).is_some_and(|segment| segment.holds(offset)) {
                return;
            }
            let places = &mut inner.news.places;
            if places.len() >= PLACES_MAX || !places.insert((number, offset)) {
                return;
            }
        }
        let name = file_name(number);
        let kept = self.disk.keep_aside(&name);
        let mut inner = self.inner();
        if let Some(segment) = inner.segments.get_mut(&number) {
            segment.damaged = true;
            segment.unkept |= kept.is_err();
        }
        let kept = kept.ok().map(|(path, _)| path);
        let file = self.disk.path(&name);
        inner.news.damages.push(Damage { file, offset, bytes: end - offset, reason, kept, news: true });
    }
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
    pub fn said(&self, lang: Lang) -> Sentence {
        Sentence::of(|to| self.to(to, lang))
    }

    fn to(&self, to: Audience, lang: Lang) -> String {
        let Damage { file, offset, bytes, reason, kept, .. } = self;
        let file = to.path(file);
        let reason = to.words(reason, i18n::store::NOT_WHAT_WRITTEN.in_lang(lang));
        let kept = match kept {
            Some(kept) => i18n::store::copy_kept(&to.path(kept)).in_lang(lang),

            None => String::new(),
        };
        i18n::store::journal_damaged_byte_bytes(&file, &offset, &bytes, &reason, &kept).in_lang(lang)
    }
}

impl Cut {
    /// What was cut, and that a power cut leaves such a thing.
    pub fn sentence(&self, lang: Lang) -> String {
        let Cut { file, offset, bytes } = self;
        let file = file.display();
        i18n::store::journal_ends_unfinished_write(&file, &bytes, &offset).in_lang(lang)
    }
}

impl Rescue {
    /// What failed, and that nothing is lost by it.
    pub fn said(&self, lang: Lang) -> Sentence {
        Sentence::of(|to| self.to(to, lang))
    }

    fn to(&self, to: Audience, lang: Lang) -> String {
        let Rescue { file, reason, again, times } = self;
        let (file, again) = (to.path(file), to.path(again));
        let Some(reason) = reason else {
            return i18n::store::file_journal_removed_while(&file, &again).in_lang(lang);
        };
        let reason = to.words(reason, i18n::store::FAILED.in_lang(lang));
        i18n::store::disk_could_not_told(&file, &reason, &again, &times).in_lang(lang)
    }
}
