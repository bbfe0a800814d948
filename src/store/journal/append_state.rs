//! What changes with every append.

use super::disk::DiskFile;
use super::lasting_error::LastingError;
use super::news::JournalNews;
use super::segment::Segment;
use super::sim::SimulatedRng;
use crate::domain::time::Wall;
use crate::store::Position;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What changes with every append.
pub(super) struct AppendState {
    pub(super) segments: BTreeMap<u64, Segment>,
    /// Where frames go. `None`: nowhere, until a new segment could be begun and all unsynced frames written to it.
    pub(super) writing: Option<Writing>,
    pub(super) next_sequence: u64,
    pub(super) next_number: u64,
    /// Frames that an fdatasync is under way for.
    pub(super) syncing: Unsynced,
    /// Frames since then.
    pub(super) fresh: Unsynced,
    /// Everything before this is durable.
    pub(super) synced: Position,
    /// The sequence of the frame there.
    pub(super) synced_sequence: u64,
    /// Where frames begin that the next segment will hold again.
    pub(super) rewritten: Vec<Position>,
    pub(super) trouble: Option<LastingError>,
    /// How often syncing or beginning a segment failed.
    pub(super) failures: u64,
    pub(super) rescues: u64,
    /// The file whose fdatasync failed, and why, or that was removed, until all that was in it is written again.
    pub(super) unsaid: Option<(PathBuf, Option<String>)>,
    /// What people are to be told of.
    pub(super) news: JournalNews,
    /// How often in a row reading has failed, by segment.
    pub(super) failed_reads: BTreeMap<u64, u32>,
    /// Whether beginning a segment failed in this second: then nobody tries again before the next.
    pub(super) resting: bool,
    /// Seconds until a new segment is tried again while there is none, and how long the last wait was.
    pub(super) retry_in_s: u32,
    pub(super) patience_s: u32,
    pub(super) random: SimulatedRng,
}

/// The segment that is written.
#[derive(Clone)]
pub(super) struct Writing {
    pub(super) number: u64,
    pub(super) nonce: u32,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) end: u64,
}

/// Frames as they are in the file.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    pub(super) bytes: Vec<u8>,
    /// When the first record of them came; marks do not count.
    pub(super) since: Option<Wall>,
}
