//! One monitor as the registry keeps it.
//!
//! What every beat touches comes first and lies together: with a million monitors a beat costs mostly the memory it has
//! to wait for. What few monitors have stands apart in [`Rare`].

mod held;
mod incident;
mod open_run;
mod record;
mod runs;

pub(super) use held::{Own, SMALL_STEP};

use super::rivals::Rivals;
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Exit, Source, Status, Transport};
use crate::domain::governor::Asked;
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::{
    CHANGES_PER_HOUR_MAX, FAILURES_PER_HOUR_MAX, LATE_CHANGES_PER_HOUR_MAX, MESSAGE_SHORT_BYTES,
};
use crate::domain::message;
use crate::domain::notice::State;
use crate::domain::policy::Defaults;
use crate::domain::record::{Cause, OpenIncident, Pause, PausedBy, Reason, Sequence};
use crate::domain::rules::Rule;
use crate::domain::time::{Mono, Now, Span, Wall};
use open_run::OpenRun;
use std::net::SocketAddr;

/// A deadline that nobody has; later than all that anybody has.
pub(super) const NEVER: Mono = Mono(u64::MAX);
/// No rule of the configuration is for it.
pub(super) const NO_RULE: u16 = u16::MAX;
/// No incident is open.
const NO_INCIDENT: u64 = u64::MAX;
const HOUR_MS: u64 = 3_600_000;
/// Bits of a count of hours that are kept: of two hours that are 341 days apart only one is this one.
const HOUR_BITS: u32 = 13;
const HOUR_MASK: u16 = (1 << HOUR_BITS) - 1;
/// A change of a sender's clock that is not written down by itself.
const SKEW_NOISE_MS: u64 = 250;

/// A row.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Monitor {
    pub(super) id: Id,
    /// When something is to be done if nothing is heard; [`NEVER`] where nothing is.
    pub(super) deadline: Mono,
    pub(super) interval: Span,
    pub(super) last_wall: Wall,
    pub(super) last_mono: Mono,
    pub(super) beats: u64,
    pub(super) source: Source,
    said: StatusByte,
    /// The state beneath a pause.
    pub(super) state: State,
    pub(super) flags: Flags,
    pub(super) rule: u16,
    /// The hour in which changes of state were last counted; above its [`HOUR_BITS`] the state last told of.
    hour_and_told: u16,
    /// How many changes there were in that hour.
    changes_in_hour: u8,
    /// What it was told at its last beat.
    pub(super) asked: Asked,
    /// Records made for other reasons than a beat.
    orders: u32,
    /// Of its id; what the index is asked with when it goes.
    pub(super) hash: u32,
    /// Its own counter, see [`Sequence`]; apart, so that no byte lies idle between the rows.
    seq_window: u32,
    seq_gaps: u32,
    seq_repeats: u32,
    seq_last: u64,
    /// Since when it is in its state. Of one that was never heard: from when on it may have been.
    pub(super) since: Wall,
    pub(super) grace: Span,
    /// 0 where the row is vacant.
    pub(super) number: u64,
    /// The beats it had sent when the open incident began.
    incident_beats: u64,
    pub(super) rare: Option<Box<Rare>>,
}

/// What few monitors have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The version of the record that last changed anything in here.
    pub(super) version: u64,
    /// How the run ended of whose failure it last told, where [`StatusByte::Ended`] says that its last beat did.
    exit: Option<Exit>,
    /// The address it last reported, where that is not its id.
    reported_ip: Option<Id>,
    message: Option<Box<str>>,
    /// When and with which of its beats that came.
    message_at: Option<Wall>,
    message_beat: u64,
    tags: Vec<Box<str>>,
    skew_ms: Option<i64>,
    run_took: Option<Span>,
    /// Oldest first.
    runs: Vec<OpenRun>,
    /// The run that took too long, until the monitor is well again. It may end yet.
    overrun: Option<OpenRun>,
    /// Why the open incident began, where [`Flags::FAILED`] does not say all.
    reason: Option<Reason>,
    pub(super) pause: Option<Pause>,
    /// The end of the maintenance window that a person has overruled.
    pub(super) overruled_until: Option<Wall>,
    /// When the open incident began, where a pause has hidden that in `since`.
    incident_started: Option<Wall>,
    /// The slot of its schedule that it waits for.
    pub(super) slot: Option<Wall>,
    /// How long after that slot it is not late yet.
    tolerance: Span,
    /// The hour in which a failed run of it was last to be told while it was down, and how many were.
    failures: (u16, u8),
    /// Two senders that seem to use its id.
    pub(super) rivals: Option<Rivals>,
}

/// What is found out about a beat while it is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// It changed any of the details.
    pub(super) detailed: bool,
    /// Its number has come before, as far as can be known.
    pub(super) again: bool,
}

/// A [`Status`] in one byte. An exit code has eight, which only those have beside them who fail with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatusByte {
    Ok,
    Fail,
    Start,
    Log,
    Exit0,
    Ended,
}

/// Yes or no, eight times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    /// It is set aside.
    pub(super) const PAUSED: Flags = Flags(1);
    /// The address it last reported is its id, as with senders that give no other name.
    pub(super) const REPORTS_ID: Flags = Flags(2);
    /// It has changed since it was last put into the snapshot.
    pub(super) const UNSAVED: Flags = Flags(4);
    /// The open incident's cause is a failure, not silence.
    pub(super) const FAILED: Flags = Flags(8);
    /// It sends a counter.
    pub(super) const COUNTS: Flags = Flags(16);
    /// A person declared it by the API.
    pub(super) const DECLARED: Flags = Flags(32);
    /// The configuration declares it.
    pub(super) const CONFIGURED: Flags = Flags(64);

    pub(super) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn set(&mut self, flag: Flags, on: bool) {
        if on { self.0 |= flag.0 } else { self.0 &= !flag.0 }
    }
}

impl Monitor {
    /// A monitor that has never been heard.
    pub(super) fn new(now: Now, id: Id, hash: u32, number: u64, source: Source) -> Monitor {
        Monitor {
            id,
            deadline: NEVER,
            interval: Span(0),
            last_wall: now.wall,
            last_mono: now.mono,
            beats: 0,
            source,
            said: StatusByte::Ok,
            state: State::New,
            flags: Flags::default(),
            rule: NO_RULE,
            hour_and_told: 0,
            changes_in_hour: 0,
            asked: Asked::default(),
            orders: 0,
            hash,
            seq_window: 0,
            seq_gaps: 0,
            seq_repeats: 0,
            seq_last: 0,
            since: now.wall,
            grace: Span(0),
            number,
            incident_beats: NO_INCIDENT,
            rare: None,
        }
    }

    /// Whether the row holds no monitor.
    pub(super) fn is_vacant(&self) -> bool {
        self.number == 0
    }

    /// Its state as people see it.
    pub(super) fn visible(&self) -> State {
        if self.is_paused() { State::Paused } else { self.state }
    }

    /// Whether it is set aside.
    pub(super) fn is_paused(&self) -> bool {
        self.flags.has(Flags::PAUSED)
    }

    /// Counts the records made of it.
    pub(super) fn version(&self) -> u64 {
        self.beats + u64::from(self.orders)
    }

    /// Says that something other than a beat has changed it.
    pub(super) fn count_version(&mut self) {
        self.orders = self.orders.saturating_add(1);
    }

    /// Sees to it that its records come after those of a version that was read.
    pub(super) fn set_version(&mut self, version: u64) {
        self.orders = u32::try_from(version.saturating_sub(self.beats)).unwrap_or(u32::MAX);
    }

    /// Gives it another interval; what it was told before holds until its next beat.
    pub(super) fn set_interval(&mut self, interval: Span) {
        let held = self.held();
        self.interval = interval;
        if self.asked.is_stretched() {
            self.asked.keep(held, interval);
        }
    }

    /// The interval that it was told at its last beat.
    pub(super) fn held(&self) -> Span {
        self.asked.held(self.interval)
    }

    /// That interval where it is longer than its own.
    pub(super) fn stretched(&self) -> Option<Span> {
        self.asked.is_stretched().then(|| self.held())
    }

    /// Whether it was held to the times of a TCP dialect because nobody on the connection gave a name, and now beats by
    /// another way that says nothing of times: those of the dialect are not meant for that.
    pub(super) fn outgrows(&self, beat: &Beat<'_>, source: Source) -> bool {
        self.source.transport == Transport::Tcp
            && source.transport != Transport::Tcp
            && beat.interval.is_none()
            && beat.grace.is_none()
            && !self.flags.has(Flags::DECLARED)
            && self.id.as_str().parse().is_ok_and(|ip| Peer::from_ip(ip) == source.peer)
    }

    /// Whether it stands for a connection that gave no name, and goes with it.
    pub(super) fn is_of_connection(&self) -> bool {
        let own = |at: SocketAddr| Peer::from_ip(at.ip()) == self.source.peer;
        self.source.transport == Transport::Tcp && !self.is_kept() && self.id.as_str().parse().is_ok_and(own)
    }

    /// Whether a person or the configuration wants it to be there.
    pub(super) fn is_kept(&self) -> bool {
        self.flags.has(Flags::DECLARED) || self.flags.has(Flags::CONFIGURED)
    }

    /// Writes down what a beat says, its verdict apart.
    pub(super) fn take(
        &mut self,
        now: Now,
        monitor: IdRef<'_>,
        beat: &Beat<'_>,
        source: Source,
        (rule, defaults): (Option<&Rule>, &Defaults),
    ) -> Taken {
        self.beats += 1;
        self.last_wall = now.wall;
        self.last_mono = now.mono;
        let before = std::mem::replace(&mut self.source, source).peer;
        self.set_status(beat.status);
        if beat.interval.is_some() || beat.grace.is_some() {
            let fixed = rule.is_some_and(Rule::is_fixed);
            // Who repeats what it was told wishes nothing.
            let told = self.stretched();
            let wish = beat.interval.filter(|interval| !fixed && Some(*interval) != told);
            if let Some(interval) = wish {
                self.refit_grace(rule, defaults, interval);
                self.interval = interval;
            }
            let fixed = fixed || rule.is_some_and(|rule| rule.grace.is_some());
            self.grace = beat.grace.filter(|_| !fixed).unwrap_or(self.grace);
        }
        let mut again = false;
        if let Some(seq) = beat.seq {
            let mut sequence = self.sequence();
            match &mut sequence {
                Some(sequence) => {
                    let gaps = sequence.gaps;
                    again = sequence.take(seq);
                    if sequence.gaps > gaps && self.is_count_of_another(now, before, sequence.gaps - gaps) {
                        sequence.gaps = gaps;
                    }
                }
                None => sequence = Some(Sequence { last: seq, ..Sequence::default() }),
            }
            self.set_sequence(sequence);
        }
        let mut changed = false;
        if let Some(ip) = beat.ip {
            let reports_id = ip == monitor;
            self.flags.set(Flags::REPORTS_ID, reports_id);
            let known = self.rare.as_ref().and_then(|rare| rare.reported_ip.as_ref());
            if reports_id {
                changed = known.is_some();
                if let Some(rare) = &mut self.rare {
                    rare.reported_ip = None;
                }
            } else if known.is_none_or(|known| known.as_bytes() != ip.as_str().as_bytes()) {
                self.rare().reported_ip = Some(ip.to_id());
                changed = true;
            }
        }
        if let Some(message) = beat.message {
            let beats = self.beats;
            let rare = self.rare();
            if rare.message.as_deref().unwrap_or_default() != message {
                rare.message = (!message.is_empty()).then(|| message.into());
                changed = true;
            }
            let stamp = rare.message.is_some().then_some((now.wall, beats));
            (rare.message_at, rare.message_beat) = stamp.map_or((None, 0), |(at, beat)| (Some(at), beat));
        }
        if let Some(tags) = beat.tags {
            changed |= self.set_tags(tags.iter().map(AsRef::as_ref));
        }
        if let Some(ts) = beat.ts {
            let skew_ms = ts.0.saturating_sub(now.wall.0);
            let known = self.rare.as_ref().and_then(|rare| rare.skew_ms);
            // The way here takes now this, now that; only a clock that went elsewhere is worth a longer record.
            changed |= known.is_none_or(|known| known.abs_diff(skew_ms) >= SKEW_NOISE_MS);
            self.rare().skew_ms = Some(skew_ms);
        }
        Taken { detailed: changed, again }
    }

    /// What its last beat said.
    pub(super) fn status(&self) -> Status {
        match self.said {
            StatusByte::Ok => Status::Ok,
            StatusByte::Fail => Status::Fail,
            StatusByte::Start => Status::Start,
            StatusByte::Log => Status::Log,
            StatusByte::Exit0 => Status::Exit(0),
            StatusByte::Ended => match self.rare.as_ref().and_then(|rare| rare.exit) {
                Some(Exit::Code(code)) => Status::Exit(code),
                Some(Exit::Signal(number)) => Status::Signal(number),
                None => Status::Fail,
            },
        }
    }

    pub(super) fn set_status(&mut self, status: Status) {
        self.said = match status {
            Status::Ok => StatusByte::Ok,
            Status::Fail => StatusByte::Fail,
            Status::Start => StatusByte::Start,
            Status::Log => StatusByte::Log,
            Status::Exit(0) => StatusByte::Exit0,
            Status::Exit(_) | Status::Signal(_) => {
                self.rare().exit = status.failure();
                StatusByte::Ended
            }
        };
    }

    fn sequence(&self) -> Option<Sequence> {
        self.flags.has(Flags::COUNTS).then_some(Sequence {
            last: self.seq_last,
            window: self.seq_window,
            gaps: self.seq_gaps,
            repeats: self.seq_repeats,
        })
    }

    fn set_sequence(&mut self, sequence: Option<Sequence>) {
        self.flags.set(Flags::COUNTS, sequence.is_some());
        let Sequence { last, window, gaps, repeats } = sequence.unwrap_or_default();
        (self.seq_last, self.seq_window, self.seq_gaps, self.seq_repeats) = (last, window, gaps, repeats);
    }

    /// Gives it new labels; true when they are others than before.
    pub(super) fn set_tags<'a>(&mut self, tags: impl ExactSizeIterator<Item = &'a str> + Clone) -> bool {
        let known = self.rare.as_ref().map(|rare| rare.tags.as_slice()).unwrap_or_default();
        if known.iter().map(AsRef::as_ref).eq(tags.clone()) {
            return false;
        }
        self.rare().tags = tags.map(Into::into).collect();
        true
    }

    /// Bytes of the last message, where it is not a short one.
    pub(super) fn long_message_bytes(&self) -> usize {
        let bytes =
            self.rare.as_ref().and_then(|rare| rare.message.as_ref()).map_or(0, |message| message.len());
        if bytes > MESSAGE_SHORT_BYTES { bytes } else { 0 }
    }

    /// When the last message came.
    pub(super) fn message_at(&self) -> Option<Wall> {
        self.rare.as_ref().and_then(|rare| rare.message_at)
    }

    /// Leaves of the last message its beginning and its end.
    pub(super) fn cut_message(&mut self, bytes_max: usize) {
        if let Some(message) = self.rare.as_mut().and_then(|rare| rare.message.as_mut()) {
            *message = message::cut(message, bytes_max).into();
        }
    }

    /// Whether it has given itself a label.
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.tags.iter().any(|own| **own == *tag))
    }

    /// Counts a change of state; true when it is one of too many in this hour and not to be told. What was told is never
    /// left standing when the monitor is up again.
    pub(super) fn count_change(&mut self, now: Now, from: State, to: State) -> bool {
        let hour = (now.mono.0 / HOUR_MS) as u16 & HOUR_MASK;
        if self.hour_and_told & HOUR_MASK != hour {
            self.hour_and_told = self.hour_and_told & !HOUR_MASK | hour;
            self.changes_in_hour = 0;
        }
        let slow = matches!((from, to), (_, State::Late) | (State::Late, State::Up));
        let most = if slow { LATE_CHANGES_PER_HOUR_MAX } else { CHANGES_PER_HOUR_MAX };
        let over = self.changes_in_hour >= most;
        self.changes_in_hour += u8::from(!over);
        over && (to != State::Up || self.told() == State::Up)
    }

    /// Counts a failed run of which somebody is to be told; false when it is one of too many in this hour.
    pub(super) fn count_failure(&mut self, now: Now) -> bool {
        let hour = (now.mono.0 / HOUR_MS) as u16 & HOUR_MASK;
        let (counted, failures) = &mut self.rare().failures;
        if *counted != hour {
            (*counted, *failures) = (hour, 0);
        }
        let tells = *failures < FAILURES_PER_HOUR_MAX;
        *failures += u8::from(tells);
        tells
    }

    /// The state that people were last told of; after a start the one it was in.
    pub(super) fn told(&self) -> State {
        State::ALL[usize::from(self.hour_and_told >> HOUR_BITS) % State::ALL.len()]
    }

    /// Notes which state people are told of.
    pub(super) fn set_told(&mut self, state: State) {
        self.hour_and_told = self.hour_and_told & HOUR_MASK | (state as u16) << HOUR_BITS;
    }

    /// What few monitors have; made if missing.
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether a maintenance window holds it, and until when, a person's overruling considered.
    pub(super) fn window(&self, now: Now, rule: Option<&Rule>) -> Option<Wall> {
        let until = rule.and_then(|rule| rule.pause(now.wall))?;
        let overruled = self.rare.as_ref().and_then(|rare| rare.overruled_until);
        overruled.is_none_or(|end| end <= now.wall).then_some(until)
    }

    /// When its pause ends by itself.
    pub(super) fn paused_until(&self, now: Now) -> Mono {
        let until = self.rare.as_ref().and_then(|rare| rare.pause).and_then(|pause| pause.until);
        until.map_or(NEVER, |until| now.mono_of(until))
    }

    /// Who paused it.
    pub(super) fn paused_by(&self) -> Option<PausedBy> {
        self.rare.as_ref().and_then(|rare| rare.pause).map(|pause| pause.by)
    }
}
