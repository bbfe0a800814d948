//! What the machine asks of the present.

use crate::domain::registry::{Counts, Snapshot};

/// What the machine asks of the present.
pub trait Lookup {
    /// How a monitor stands now.
    fn monitor(&self, id: &str) -> Option<Snapshot>;
    /// How many monitors are in each state.
    fn counts(&self) -> Counts;
}
