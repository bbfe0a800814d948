//! What monitors last said, in all: longer messages have a bound together, and when that is reached the oldest are cut.
//!
//! A message is on record before it is cut here, so the history in the tables has it whole. An alert takes it from here
//! when it is composed, and has what is left of it.

use super::Registry;
use crate::domain::limits::MESSAGE_SHORT_BYTES;
use crate::domain::time::Wall;

/// How much the messages of a registry may be, and are. Short ones are part of what a monitor costs, and not counted.
#[derive(Debug)]
pub(super) struct Messages {
    bytes: usize,
    bytes_max: usize,
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

impl Registry {
    /// Sets how many bytes the longer messages of its monitors may have together.
    pub fn bound_messages(&mut self, bytes_max: usize) {
        self.messages.bytes_max = bytes_max;
        if self.messages.overflow() {
            self.cut_messages();
        }
    }

    /// Cuts the oldest messages. It frees an eighth of the whole besides, because all rows are looked at for it.
    pub(super) fn cut_messages(&mut self) {
        let wanted = self.messages.bytes_max / 8 * 7;
        let long = self.monitors.iter().enumerate().filter(|(_, row)| row.long_message_bytes() > 0);
        let mut rows: Vec<(Option<Wall>, usize)> = long.map(|(key, row)| (row.message_at(), key)).collect();
        rows.sort_unstable();
        for (_, key) in rows {
            if self.messages.bytes <= wanted {
                return;
            }
            let row = &mut self.monitors[key];
            self.messages.replaced(row.long_message_bytes(), 0);
            row.cut_message(MESSAGE_SHORT_BYTES);
        }
    }
}
