//! A beat: one sign of life, checked, borrowing its texts from whatever carried it.

use super::address::Peer;
use super::id::IdRef;
use super::time::{Span, Wall};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One beat. Every field is optional on the wire; what is here has been checked against `limits`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beat<'a> {
    /// The monitor it is for.
    pub id: Option<IdRef<'a>>,
    /// The address the sender believes to have; names the monitor where there is no id.
    pub ip: Option<IdRef<'a>>,
    /// The sender's own counter.
    pub seq: Option<u64>,
    /// The sender's own clock; shown, never used for deadlines.
    pub ts: Option<Wall>,
    /// The interval the sender wants to be held to.
    pub interval: Option<Span>,
    /// The grace the sender wants after it.
    pub grace: Option<Span>,
    /// What it says.
    pub status: Status,
    /// A text for people.
    pub message: Option<&'a str>,
    /// Labels of the monitor; `None` leaves them as they are.
    pub tags: Option<&'a [Cow<'a, str>]>,
    /// Ties start and end of one run together.
    pub rid: Option<&'a str>,
    /// What of it was not taken as it was sent.
    pub warnings: Warnings,
}

/// What of a beat is not taken as it was sent. Id, status, interval and grace make a beat, and one of them that is wrong
/// is an error; the other fields decorate it, and are cut or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Warning {
    /// The message was too long; see [`super::message`].
    MessageCut,
    /// The message is no text.
    MessageLeftOut,
    /// There were too many tags, or some that cannot be one.
    TagsCut,
    /// None of the tags can be one.
    TagsLeftOut,
    /// The time cannot be read.
    TsLeftOut,
    /// The run id cannot be one.
    RidLeftOut,
    /// The reported address cannot be one.
    IpLeftOut,
    /// The counter is no whole number, or does not fit.
    SeqLeftOut,
    /// A text is not UTF-8.
    Encoding,
}

impl Warning {
    /// All of them.
    pub const ALL: [Warning; 9] = [
        Warning::MessageCut,
        Warning::MessageLeftOut,
        Warning::TagsCut,
        Warning::TagsLeftOut,
        Warning::TsLeftOut,
        Warning::RidLeftOut,
        Warning::IpLeftOut,
        Warning::SeqLeftOut,
        Warning::Encoding,
    ];

    /// The field, what was done with it in a word, and what it should have been.
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Warning::MessageCut => ("message", "cut", " to 10000 bytes"),
            Warning::MessageLeftOut => ("message", "left out", ": not a text"),
            Warning::TagsCut => ("tags", "cut", " to those, at most 16, that are texts of 1 to 64 bytes"),
            Warning::TagsLeftOut => ("tags", "left out", ": not a list of texts of 1 to 64 bytes"),
            Warning::TsLeftOut => ("ts", "left out", ": neither RFC 3339 nor Unix seconds"),
            Warning::RidLeftOut => {
                ("rid", "left out", ": not a text of 1 to 64 bytes without control characters")
            }
            Warning::IpLeftOut => ("ip", "left out", ": cannot name a monitor"),
            Warning::SeqLeftOut => ("seq", "left out", ": not a whole number from 0 to 18446744073709551615"),
            Warning::Encoding => ("text", "repaired", ": not UTF-8"),
        }
    }

    /// `message cut`, as the line dialect says it.
    pub fn word(self) -> String {
        let (field, done, _) = self.parts();
        format!("{field} {done}")
    }

    /// `message: cut to 10000 bytes`, as JSON says it.
    pub fn sentence(self) -> String {
        let (field, done, why) = self.parts();
        format!("{field}: {done}{why}")
    }
}

/// A set of warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings(u16);

impl Warnings {
    /// None.
    pub const NONE: Warnings = Warnings(0);

    /// Adds one.
    pub fn add(&mut self, warning: Warning) {
        self.0 |= 1 << warning as u16;
    }

    /// Adds those of another set.
    pub fn add_all(&mut self, others: Warnings) {
        self.0 |= others.0;
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set.
    pub fn iter(self) -> impl Iterator<Item = Warning> {
        Warning::ALL.into_iter().filter(move |warning| self.0 & (1 << *warning as u16) != 0)
    }
}

/// What a beat says about the sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Alive and well.
    #[default]
    Ok,
    /// Alive and failing.
    Fail,
    /// A run begins.
    Start,
    /// Only a message.
    Log,
    /// A run ended with this exit code, as its system counts them: eight bits, or a Windows NTSTATUS with or without
    /// its sign. 0 is well.
    Exit(i64),
    /// A run was ended by the signal of this number.
    Signal(u8),
}

/// How a run ended that has failed: what the one that saw it end could say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// With this exit code.
    Code(i64),
    /// By the signal of this number.
    Signal(u8),
}

impl Status {
    /// Whether it calls the monitor well (`Some(true)`), failing (`Some(false)`) or neither.
    pub fn verdict(self) -> Option<bool> {
        match self {
            Status::Ok | Status::Exit(0) => Some(true),
            Status::Fail | Status::Exit(_) | Status::Signal(_) => Some(false),
            Status::Start | Status::Log => None,
        }
    }

    /// The same, where the one that tells it also names a signal: a run that a signal has ended has failed by it, and its
    /// code (128 and the number, where a shell counted) only repeats that. One that says it is well is believed.
    pub fn ended_by(self, signal: Option<u8>) -> Status {
        match signal {
            Some(number) if self.verdict() == Some(false) => Status::Signal(number),
            _ => self,
        }
    }

    /// The word for it, for logs and lists.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok | Status::Exit(0) => "ok",
            Status::Fail | Status::Exit(_) | Status::Signal(_) => "fail",
            Status::Start => "start",
            Status::Log => "log",
        }
    }

    /// The exit code it tells, 0 included.
    pub fn exit_code(self) -> Option<i64> {
        match self {
            Status::Exit(code) => Some(code),
            _ => None,
        }
    }

    /// The signal it tells.
    pub fn signal(self) -> Option<u8> {
        match self {
            Status::Signal(number) => Some(number),
            _ => None,
        }
    }

    /// How the run ended of whose failure it tells.
    pub fn failure(self) -> Option<Exit> {
        match self {
            Status::Exit(code) if code != 0 => Some(Exit::Code(code)),
            Status::Signal(number) => Some(Exit::Signal(number)),
            _ => None,
        }
    }
}

impl Exit {
    /// The exit code, where it is one.
    pub fn code(self) -> Option<i64> {
        match self {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) => None,
        }
    }

    /// The signal, where it is one.
    pub fn signal(self) -> Option<u8> {
        match self {
            Exit::Code(_) => None,
            Exit::Signal(number) => Some(number),
        }
    }
}

/// How a beat reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// An HTTP request.
    Http,
    /// A raw TCP connection.
    Tcp,
    /// A message of a WebSocket.
    Ws,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 3] = [Transport::Http, Transport::Tcp, Transport::Ws];

    /// The word for it in logs, metrics and the API.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Http => "http",
            Transport::Tcp => "tcp",
            Transport::Ws => "ws",
        }
    }
}

/// Who sent a beat, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The canonical address it came from.
    pub peer: Peer,
    /// The way it came.
    pub transport: Transport,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_is_kept_apart_and_says_the_field_and_what_was_done_with_it() {
        let mut all = Warnings::NONE;
        assert!(all.is_empty());
        for warning in Warning::ALL {
            let mut one = Warnings::NONE;
            one.add(warning);
            one.add(warning);
            assert_eq!((one.is_empty(), one.iter().collect::<Vec<_>>()), (false, vec![warning]));
            all.add_all(one);
            let (field, done) = (warning.word(), warning.sentence());
            let (field, done) = (field.split_once(' ').unwrap(), done.split_once(": ").unwrap());
            assert!(field.0 == done.0 && done.1.starts_with(field.1), "{field:?} {done:?}");
        }
        assert_eq!(all.iter().collect::<Vec<_>>(), Warning::ALL);
        assert_eq!(Warning::MessageCut.word(), "message cut");
        assert_eq!(Warning::MessageCut.sentence(), "message: cut to 10000 bytes");
        assert_eq!(
            Warning::SeqLeftOut.sentence(),
            "seq: left out: not a whole number from 0 to 18446744073709551615"
        );
    }

    #[test]
    fn a_signal_explains_a_failure_and_nothing_else() {
        assert_eq!(Status::Exit(137).ended_by(Some(9)), Status::Signal(9));
        assert_eq!(Status::Exit(137).ended_by(None), Status::Exit(137));
        for well in [Status::Ok, Status::Exit(0), Status::Start, Status::Log] {
            assert_eq!(well.ended_by(Some(9)), well);
        }
    }

    #[test]
    fn a_status_has_a_word_and_tells_the_code_or_the_signal() {
        for (status, name, code, signal) in [
            (Status::Ok, "ok", None, None),
            (Status::Fail, "fail", None, None),
            (Status::Start, "start", None, None),
            (Status::Log, "log", None, None),
            (Status::Exit(0), "ok", Some(0), None),
            (Status::Exit(-5), "fail", Some(-5), None),
            (Status::Signal(15), "fail", None, Some(15)),
        ] {
            assert_eq!(
                (status.name(), status.exit_code(), status.signal()),
                (name, code, signal),
                "{status:?}"
            );
            let failure = (status.failure().and_then(Exit::code), status.failure().and_then(Exit::signal));
            assert_eq!(failure, (code.filter(|code| *code != 0), signal), "{status:?}");
        }
        assert_eq!(Transport::ALL.map(Transport::name), ["http", "tcp", "ws"]);
    }
}
