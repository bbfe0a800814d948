//! Places in a journal.

use std::fmt;
use std::str::FromStr;

/// A place between two records of a journal. Later places are greater; what the numbers mean is the journal's affair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the segment, from 1.
    pub(in crate::store) segment: u64,
    /// Bytes from its beginning.
    pub(in crate::store) offset: u64,
}

/// As the tables keep it: `segment:offset`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Position, ()> {
        let (segment, offset) = text.split_once(':').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Position { segment: number(segment)?, offset: number(offset)? })
    }
}
