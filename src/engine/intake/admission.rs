//! How much may come, and from where: room for monitors, and how fast one sender may fill it.

use super::claims::Claims;
use super::guesses::Guesses;
use super::refusals::RefusalLog;
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source};
use crate::domain::id::{Id, IdError, IdRef};
use crate::domain::limits::exempt_until;
use crate::domain::meter::Meter;
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::mutex::lock;
use crate::engine::shards::SHARDS;
use crate::i18n::Text;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const HOUR: Span = Span::secs(3600);

/// A beat, whom it is for, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// When.
    pub now: Now,
    /// The monitor.
    pub monitor: IdRef<'a>,
    /// What it says.
    pub beat: &'a Beat<'a>,
    /// Where it came from.
    pub source: Source,
    /// Whether its sender is told the interval that comes of it, and so can follow it.
    pub follows_interval: bool,
}

/// Why a beat was not taken though it was well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeatRefusal {
    /// Its sender sends too many a second; wait.
    TooManyBeats(Span),
    /// Its sender made too many new monitors in the last hour; wait.
    TooManyNew(Span),
    /// There are as many monitors as there may be.
    Full,
    /// No monitor is known by this id, and none of that name is made.
    Id(IdError),
}

/// Why a person's wish was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRefusal {
    /// There is no such monitor.
    Unknown,
    /// The configuration declares it: there it must be changed or removed.
    Configured,
    /// There are as many monitors as there may be.
    Full,
    /// It could not be kept, so it will not outlive the daemon; why, as strangers are told.
    NotStored(Text),
}

/// How much has come, and from where.
pub(in crate::engine) struct Intake {
    /// Monitors that there are.
    monitors: AtomicU64,
    /// The number of the next monitor that is made.
    next_number: AtomicU64,
    /// New monitors in the last hour, by who made them.
    newcomers: Mutex<Meter>,
    /// Beats in the last second, by who sent them.
    pub(super) rates: Box<[Mutex<Meter>]>,
    pub(super) refusals: Mutex<RefusalLog>,
    pub(super) guesses: Guesses,
    claims: Arc<Claims>,
}

impl Default for Intake {
    fn default() -> Intake {
        Intake {
            monitors: AtomicU64::new(0),
            next_number: AtomicU64::new(1),
            newcomers: Mutex::default(),
            rates: (0..SHARDS).map(|_| Mutex::default()).collect(),
            refusals: Mutex::default(),
            guesses: Guesses::default(),
            claims: Arc::default(),
        }
    }
}

impl Intake {
    /// Goes on with so many monitors, of which the last one has this number.
    pub(in crate::engine) fn resume(&self, monitors: u64, last_number: u64) {
        self.monitors.store(monitors, Ordering::Relaxed);
        self.next_number.store(last_number + 1, Ordering::Relaxed);
    }

    /// How many monitors there are.
    pub(in crate::engine) fn monitors(&self) -> u64 {
        self.monitors.load(Ordering::Relaxed)
    }

    /// Who speaks last for whom.
    pub(in crate::engine) fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    /// Decides whether one more monitor may be made for `peer`, counts it and gives it a number.
    pub(super) fn admit(&self, now: Now, peer: Peer, policy: &Policy) -> Result<u64, BeatRefusal> {
        let number = self.reserve(policy).ok_or(BeatRefusal::Full)?;
        let exempt = exempt_until(policy.limits.monitors) as u64;
        if peer.is_local() && self.monitors.load(Ordering::Relaxed) <= exempt {
            return Ok(number);
        }
        lock(&self.newcomers)
            .check(now.mono, peer, policy.limits.new_monitors_per_hour, HOUR)
            .map(|()| number)
            .map_err(|wait| {
                self.release();
                BeatRefusal::TooManyNew(wait)
            })
    }

    /// Takes room for one more monitor, if there is any, and a number for it.
    pub(super) fn reserve(&self, policy: &Policy) -> Option<u64> {
        if self.monitors.fetch_add(1, Ordering::Relaxed) >= policy.limits.monitors as u64 {
            self.release();
            return None;
        }
        Some(self.next_number())
    }

    /// There is one monitor less.
    pub(in crate::engine) fn release(&self) {
        self.monitors.fetch_sub(1, Ordering::Relaxed);
    }

    /// A number that no monitor has had.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// There are so many monitors more, whatever the limit says.
    pub(super) fn add(&self, monitors: u64) {
        self.monitors.fetch_add(monitors, Ordering::Relaxed);
    }

    /// What is refused, in sentences.
    pub(in crate::engine) fn refused(&self, now: Mono) -> Vec<Text> {
        lock(&self.refusals).sentences(now)
    }

    /// Forgets refusals that a new configuration may have made good.
    pub(in crate::engine) fn forget_refusals(&self) {
        lock(&self.refusals).forget();
    }
}

/// The id under which a beat that names nobody goes: the address it came from.
pub fn id_of_peer(peer: Peer) -> Option<Id> {
    Id::new(&peer.to_string()).ok()
}
