//! Why a command of the client did not do what it was asked: one sentence in either language, and an exit code of
//! sysexits(3).

use crate::config::error::Text;
use crate::domain::lang::Lang;
use crate::view::words::one_line;
use std::fmt;

/// The command line is wrong.
pub const EX_USAGE: u8 = 64;
/// The server did not like what was said.
pub const EX_DATAERR: u8 = 65;
/// There is no such monitor, or a file is missing.
pub const EX_NOINPUT: u8 = 66;
/// The server cannot be reached or does not answer.
pub const EX_UNAVAILABLE: u8 = 69;
/// The system refuses something.
pub const EX_OSERR: u8 = 71;
/// Reading or writing failed.
pub const EX_IOERR: u8 = 74;
/// Not now; the same may work later.
pub const EX_TEMPFAIL: u8 = 75;
/// Whoever answered does not speak our protocol.
pub const EX_PROTOCOL: u8 = 76;
/// The server does not allow it.
pub const EX_NOPERM: u8 = 77;
/// The configuration is wrong.
pub const EX_CONFIG: u8 = 78;

/// A sentence and an exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code of sysexits(3).
    pub exit_code: u8,
    text: Text,
}

impl Failure {
    /// With the same sentence in English and in Chinese. What a server said may stand in it: nothing of it moves the
    /// terminal that it is read on.
    pub fn new(exit_code: u8, en: impl Into<String>, zh: impl Into<String>) -> Failure {
        let still = |text: String| text.split('\n').map(one_line).collect::<Vec<_>>().join("\n");
        Failure { exit_code, text: Text::new(still(en.into()), still(zh.into())) }
    }

    /// The same as a mistake of the command line, with what to write there instead.
    pub(super) fn advise(self, advice: &Text) -> Failure {
        Failure { exit_code: EX_USAGE, text: self.text.and(advice) }
    }

    /// The sentence: what failed, where, and what to do.
    pub fn say(&self, lang: Lang) -> &str {
        self.text.say(lang)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.say(Lang::En))
    }
}

impl std::error::Error for Failure {}
