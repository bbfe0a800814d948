//! A run that has begun.

use crate::domain::address::Peer;
use crate::domain::time::{Mono, Span, Wall};

/// A run that has begun.
#[derive(Debug)]
pub(super) struct OpenRun {
    pub(super) rid: Box<str>,
    pub(super) began: Mono,
    pub(super) started: Wall,
    pub(super) limit: Span,
    /// Where it began; not known of one that began before a start.
    pub(super) from: Option<Peer>,
    /// Where another one has begun since, if that is elsewhere.
    pub(super) rival: Option<Peer>,
}

impl OpenRun {
    pub(super) fn deadline(&self) -> Mono {
        self.began.after(self.limit)
    }
}
