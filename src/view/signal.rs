//! A signal as people know it: by its number, and by its name where that is the same on every system that may have sent it.

use crate::i18n::{self, Text};

/// The number of a signal: `signal 9 (SIGKILL)`.
#[derive(Clone, Copy, Debug)]
pub struct Signal(pub u8);

/// Those that have one number on Linux, macOS and the BSDs. Others (7 is SIGBUS here and SIGEMT there) are told by number.
const NAMES: [(u8, &str); 14] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
];

impl Signal {
    fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// Its number and its name.
    pub fn text(self) -> Text {
        match self.name() {
            Some(name) => i18n::view::signal_named(&self.0, &name),
            None => i18n::view::signal(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;

    #[test]
    fn a_name_stands_where_all_systems_agree_on_it() {
        assert_eq!(Signal(9).text().say(Lang::En), "signal 9 (SIGKILL)");
        assert_eq!(Signal(9).text().say(Lang::Zh), "信号 9（SIGKILL）");
        assert_eq!(Signal(7).text().say(Lang::En), "signal 7");
    }
}
