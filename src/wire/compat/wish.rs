//! What a service's own API wants of monitors, where a dialect has more than beats.

use super::request::CompatRequest;
use crate::domain::id::Id;
use crate::domain::registry::{Declaration, Snapshot};
use crate::wire::answer::Answer;

/// The part of a dialect that asks for monitors and changes them.
pub trait CompatManager: Sync {
    /// Whether a request changes anything; `None` where it is no such request.
    fn changes(&self, request: &CompatRequest<'_>) -> Option<bool>;

    /// What it wants.
    ///
    /// # Errors
    /// The answer to one that cannot be read.
    fn wish(&self, request: &CompatRequest<'_>) -> Result<CompatWish, Answer>;

    /// What is answered.
    fn answer(&self, request: &CompatRequest<'_>, found: &CompatFound) -> Answer;
}

/// What is wanted.
#[derive(Debug)]
pub enum CompatWish {
    /// All monitors, as many as a list may hold.
    List,
    /// One.
    Show(Id),
    /// A new one, or another one held to this; and whether beats of it count, where that is said.
    Declare {
        /// Which one.
        id: Id,
        /// What it is held to.
        declaration: Declaration,
        /// Whether it is paused or not from then on.
        is_enabled: Option<bool>,
        /// There must be none yet, or there must be one.
        is_new: bool,
    },
    /// It is set aside, or no longer.
    Enable(Id, bool),
    /// It is forgotten.
    Remove(Id),
}

/// What became of it.
#[derive(Debug)]
pub enum CompatFound {
    /// The monitors.
    All(Vec<Snapshot>),
    /// How it stands now.
    One(Box<Snapshot>),
    /// It is gone.
    Removed,
    /// There is none of that name.
    Unknown,
    /// There is one already.
    Exists,
    /// The configuration declares it, and only there it is changed.
    Configured,
}
