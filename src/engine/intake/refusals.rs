//! Senders and readers that are refused: for a wrong token, because they are too many, or because they hold too much.
//!
//! Whoever runs the server must hear of it, for the devices themselves say nothing: in the log, once and then at most
//! once in [`SAID_EVERY`] with how many there were, and as long as it goes on as a reason why the server is degraded. What
//! is remembered is one tally for each kind, however many are refused.

use crate::domain::limits::TOKEN_WAIT;
use crate::domain::time::{Mono, Span};
use crate::i18n::{self, Text};

/// Between two lines in the log on the same kind.
const SAID_EVERY: Span = Span::secs(600);
/// How long after the last one it is shown.
const SHOWN: Span = Span::secs(3600);

/// Why a sender is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderRefusal {
    /// It shows a wrong token, or none where one is needed; the key that lists them.
    Token(&'static str),
    /// It shows a wrong token, and its address has shown many.
    Guesses,
    /// Too many new monitors come from its address.
    Newcomer,
    /// There are as many monitors as there may be.
    Full,
    /// It sends too often.
    Rate,
    /// It held most when the memory for clients was used up, and its connection was ended.
    Memory,
}

/// Of each kind, what happened; a kind in a place of its own.
#[derive(Debug, Default)]
pub(super) struct RefusalLog([Option<RefusalCount>; 6]);

#[derive(Clone, Copy, Debug)]
struct RefusalCount {
    why: SenderRefusal,
    count: u64,
    last: Mono,
    said: Mono,
    unsaid: u64,
}

impl SenderRefusal {
    fn place(self) -> usize {
        match self {
            SenderRefusal::Token(_) => 0,
            SenderRefusal::Newcomer => 1,
            SenderRefusal::Full => 2,
            SenderRefusal::Rate => 3,
            SenderRefusal::Guesses => 4,
            SenderRefusal::Memory => 5,
        }
    }

    pub(super) fn text(self) -> Text {
        match self {
            SenderRefusal::Token(key) => i18n::engine::wrong_token(&key),
            SenderRefusal::Guesses => i18n::engine::many_wrong_tokens(&TOKEN_WAIT.as_secs_ceil()),
            SenderRefusal::Newcomer => i18n::engine::TOO_MANY_NEW_FROM_ONE.into(),
            SenderRefusal::Full => i18n::engine::MONITORS_FULL.into(),
            SenderRefusal::Rate => i18n::engine::TOO_MANY_BEATS_FROM_ONE.into(),
            SenderRefusal::Memory => i18n::engine::HELD_MOST_MEMORY.into(),
        }
    }
}

impl RefusalLog {
    /// Counts one; how many are to be said now, if any.
    pub(super) fn note(&mut self, now: Mono, why: SenderRefusal) -> Option<u64> {
        let tally = &mut self.0[why.place()];
        let known = tally.filter(|tally| now.since(tally.last) <= SHOWN);
        let known = known.unwrap_or(RefusalCount { why, count: 0, last: now, said: Mono(0), unsaid: 0 });
        let unsaid = known.unsaid + 1;
        let due = known.count == 0 || now.since(known.said) >= SAID_EVERY;
        let (said, left) = if due { (now, 0) } else { (known.said, unsaid) };
        *tally = Some(RefusalCount { why, count: known.count + 1, last: now, said, unsaid: left });
        due.then_some(unsaid)
    }

    /// What goes on, in sentences.
    pub(super) fn sentences(&self, now: Mono) -> Vec<Text> {
        let lasting = self.0.iter().flatten().filter(|tally| now.since(tally.last) <= SHOWN);
        lasting.map(|tally| i18n::engine::refused_lately(&tally.count, &tally.why.text())).collect()
    }

    /// Forgets what a new configuration may have made good.
    pub(super) fn forget(&mut self) {
        *self = RefusalLog::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;

    #[test]
    fn a_flood_is_a_line_now_and_then_and_one_sentence_while_it_lasts() {
        let mut refusals = RefusalLog::default();
        let token = SenderRefusal::Token("access.beat_tokens");
        assert_eq!(refusals.note(Mono(1), token), Some(1));
        assert_eq!(refusals.note(Mono(2), SenderRefusal::Newcomer), Some(1));
        for ms in 0..1000 {
            assert_eq!(refusals.note(Mono(ms), token), None);
        }
        assert_eq!(refusals.sentences(Mono(1000)).len(), 2);
        let later = Mono(SAID_EVERY.0 + 1);
        assert_eq!(refusals.note(later, token), Some(1001));
        let shown = refusals.sentences(Mono(SHOWN.0 + 5));
        assert!(matches!(&shown[..], [one] if one.say(Lang::Zh).contains("1002 次")), "{shown:?}");
        assert!(refusals.sentences(later.after(SHOWN).after(Span(1))).is_empty());
        assert_eq!(refusals.note(later.after(SHOWN).after(Span(1)), token), Some(1));
    }
}
