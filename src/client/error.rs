//! The error that a command of the client ends with: a sentence in each language, and an exit code of sysexits(3).

use crate::domain::lang::Lang;
use crate::i18n::Text;
use crate::view::words::one_line;
use std::fmt;

/// The command line is wrong.
pub const EX_USAGE: u8 = 64;
/// The server rejects the data.
pub const EX_DATAERR: u8 = 65;
/// There is no such monitor, or a file is missing.
pub const EX_NOINPUT: u8 = 66;
/// The server cannot be reached or does not answer.
pub const EX_UNAVAILABLE: u8 = 69;
/// A system call failed.
pub const EX_OSERR: u8 = 71;
/// Reading or writing failed.
pub const EX_IOERR: u8 = 74;
/// A later attempt may succeed.
pub const EX_TEMPFAIL: u8 = 75;
/// The peer does not speak our protocol.
pub const EX_PROTOCOL: u8 = 76;
/// The server does not allow it.
pub const EX_NOPERM: u8 = 77;
/// The configuration is wrong.
pub const EX_CONFIG: u8 = 78;

/// A sentence and an exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// The code of sysexits(3).
    pub exit_code: u8,
    text: Text,
}

impl ClientError {
    /// With its sentence. Texts of a server in it are made safe for a terminal.
    pub fn new(exit_code: u8, text: impl Into<Text>) -> ClientError {
        let still = |text: String| text.split('\n').map(one_line).collect::<Vec<_>>().join("\n");
        ClientError { exit_code, text: text.into().map(still) }
    }

    /// The same as a mistake of the command line, with what to write there instead.
    pub(super) fn with_advice(self, advice: &Text) -> ClientError {
        ClientError { exit_code: EX_USAGE, text: self.text.and(advice) }
    }

    /// What failed, where, and what to do.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// The same in a language.
    pub fn sentence(&self, lang: Lang) -> &str {
        self.text.say(lang)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence(Lang::En))
    }
}

impl std::error::Error for ClientError {}
