//! What is to be told to somebody, until it is done, and what became of it.
//!
//! A message is put into the outbox in the same step as the change it tells of. It stays there, pending, until its
//! notifier has taken it or has finally not; after that its row stays for as long as history is kept, so that putting it
//! again does nothing and people can see what was told. Its meaning belongs to `domain::alert`.

use crate::domain::time::Wall;
use crate::i18n::Text;
use std::fmt;

/// A message to a notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its name; putting the same twice is putting it once.
    pub key: String,
    /// Whom to tell.
    pub notifier: String,
    /// The one of the notifier's recipients whom it is for; `None`: all of them.
    pub recipient: Option<String>,
    /// When it was made.
    pub made: Wall,
    /// When it is to be tried next, as people are told; the delivery decides by a clock that nobody sets.
    pub due: Wall,
    /// How often it was tried.
    pub tries: u32,
    /// What to say: the JSON of a [`Message`](crate::domain::alert::Message).
    pub message: String,
}

/// Those who are told in one order: the recipients of a notifier, or one of them who has to be told by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The notifier.
    pub notifier: String,
    /// The one recipient; `None`: all.
    pub recipient: Option<String>,
}

impl Lane {
    /// All of a notifier.
    pub fn all(notifier: &str) -> Lane {
        Lane { notifier: notifier.to_string(), recipient: None }
    }

    /// One recipient of a notifier.
    pub fn one(notifier: &str, recipient: &str) -> Lane {
        Lane { notifier: notifier.to_string(), recipient: Some(recipient.to_string()) }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recipient {
            Some(recipient) => write!(f, "{} ({recipient})", self.notifier),
            None => f.write_str(&self.notifier),
        }
    }
}

impl Outgoing {
    /// Whom it is for.
    pub fn lane(&self) -> Lane {
        Lane { notifier: self.notifier.clone(), recipient: self.recipient.clone() }
    }
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// It is to be told.
    Pending,
    /// It was told.
    Sent,
    /// It was not, and is tried no more.
    Failed,
}

impl DeliveryStatus {
    /// All of them.
    pub const ALL: [DeliveryStatus; 3] =
        [DeliveryStatus::Pending, DeliveryStatus::Sent, DeliveryStatus::Failed];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Sent => "sent",
            DeliveryStatus::Failed => "failed",
        }
    }

    /// What a word means.
    pub fn parse(text: &str) -> Option<DeliveryStatus> {
        DeliveryStatus::ALL.into_iter().find(|one| one.name() == text)
    }
}

/// What came of one try, or of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was told.
    Sent,
    /// It was told to some; for each of the others a message of its own stands in its stead.
    Split {
        /// Who they are, and why.
        reason: Text,
    },
    /// It is to be tried again.
    Retry {
        /// Not before that.
        due: Wall,
        /// Why it was not taken.
        reason: Text,
    },
    /// It is tried no more.
    Failed {
        /// Why it was not taken.
        reason: Text,
    },
    /// The same, without this having been a try.
    GivenUp {
        /// Why.
        reason: Text,
    },
}

/// A message and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its place: later ones have greater numbers.
    pub place: u64,
    /// The message. Once it is done its `due` is when that was.
    pub outgoing: Outgoing,
    /// How it stands.
    pub delivery: DeliveryStatus,
    /// Why it was not taken the last time, in English; where 0.5 or older has noted it, in the language that it spoke.
    pub reason: Option<String>,
}

/// Which messages to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxQuery {
    /// Only those that stand so.
    pub delivery: Option<DeliveryStatus>,
    /// Only those before this place.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}
