//! What monitors last said, in all: longer messages have a bound together, and when that is reached the oldest are cut.
//!
//! A message is on record before it is cut here, so the history in the tables has it whole. An alert takes it from here
//! when it is composed, and has what is left of it.

/// How much the messages of a registry may be, and are. Short ones are part of what a monitor costs, and not counted.
#[derive(Debug)]
pub(super) struct Messages {
    pub(super) bytes: usize,
    pub(super) bytes_max: usize,
}

impl Default for Messages {
    fn default() -> Messages {
        Messages { bytes: 0, bytes_max: usize::MAX }
    }
}

impl Messages {
    /// Notes that a row's message was replaced by another one.
    pub fn replaced(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes - before + after;
    }

    /// Whether they are too much.
    pub fn overflow(&self) -> bool {
        self.bytes > self.bytes_max
    }
}
