//! Who may bring what: the one place that is asked, and that notes who was refused.

use super::admission::BeatRefusal;
use super::refusals::SenderRefusal;
use crate::domain::address::Peer;
use crate::domain::notice::Level;
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::Engine;
use crate::engine::mutex::lock;
use crate::i18n;

const SECOND: Span = Span::secs(1);

impl Engine {
    /// Notes that a sender was refused, and says so now and then.
    pub fn note_refused(&self, now: Now, why: SenderRefusal, peer: Peer) {
        let Some(count) = lock(&self.intake.refusals).note(now.mono, why) else { return };
        let text = match count {
            1 => i18n::engine::refused(&peer, &why.text()),
            _ => i18n::engine::refused_times(&count, &peer, &why.text()),
        };
        self.notice(now.wall, Level::Warning, "refused", text);
    }

    /// The same for a beat that [`Engine::beat`] would not have.
    pub fn note_refusal(&self, now: Now, refusal: BeatRefusal, peer: Peer) {
        let why = match refusal {
            BeatRefusal::TooManyBeats(_) => SenderRefusal::Rate,
            BeatRefusal::TooManyNew(_) => SenderRefusal::Newcomer,
            BeatRefusal::Full => SenderRefusal::Full,
            // A wrong name is no limit; its sender is told.
            BeatRefusal::Id(_) => return,
        };
        self.note_refused(now, why, peer);
    }

    /// Counts a token that is none of those under `key`, and says so now and then.
    pub fn note_wrong_token(&self, now: Now, key: &'static str, peer: Peer) {
        self.stats().wrong_token();
        let many = self.intake.guesses.note(now.mono, peer);
        self.note_refused(now, if many { SenderRefusal::Guesses } else { SenderRefusal::Token(key) }, peer);
    }

    /// How long a token that comes from there must wait before it is looked at, if it must.
    pub fn token_wait(&self, now: Mono, peer: Peer) -> Option<Span> {
        self.intake.guesses.wait(now, peer)
    }

    /// Whether `peer` may send `beats` beats now, by `limits.beats_per_second`.
    pub fn may_send(&self, now: Now, peer: Peer, policy: &Policy) -> Result<(), BeatRefusal> {
        // There is no whole here of which this machine could take too much.
        let Some(most) = policy.limits.beats_per_second.filter(|_| !peer.is_local()) else { return Ok(()) };
        let rates = &self.intake.rates;
        let meter = &rates[self.shards.pick(peer, rates.len())];
        lock(meter).check(now.mono, peer, most, SECOND).map_err(BeatRefusal::TooManyBeats)
    }
}
