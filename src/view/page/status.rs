//! What the status page shows, and with what it is written.

use super::frame::Frame;
use super::moment::Clock;
use super::words::Words;
use crate::domain::history::{Incident, Past};
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::registry::{Counts, Order, Snapshot};
use crate::domain::time::Wall;
use jiff::tz::TimeZone;

/// A monitor and its past.
#[derive(Clone, Copy, Debug)]
pub struct MonitorRow<'a> {
    /// How it stands.
    pub snapshot: &'a Snapshot,
    /// What was.
    pub past: &'a Past,
}

/// What the status page shows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The language it speaks.
    pub lang: Lang,
    /// The present moment, from which "12 s ago" is counted.
    pub now: Wall,
    /// Our name as the browser knows it, e.g. `hb.lan:7777`: the Host header as it came. The example shows it only if
    /// it can be a host and port.
    pub host: Option<&'a str>,
    /// How many monitors are in each state, in the order of [`State::ALL`].
    pub counts: Counts,
    /// Beats accepted since the start.
    pub beats: u64,
    /// Connections open now.
    pub connections: u64,
    /// When the daemon started.
    pub started: Wall,
    /// The daemon's version.
    pub version: &'a str,
    /// How many monitors it shows.
    pub shown: usize,
    /// Those of them that come next, in order: a long page is made in pieces.
    pub rows: &'a [MonitorRow<'a>],
    /// Where to go on when there are more after the last one: opaque here.
    pub next: Option<&'a str>,
    /// Where this page begins (`?after=`).
    pub after: Option<&'a str>,
    /// The filter in force (`?state=`).
    pub state: Option<State>,
    /// The search in force (`?match=`); empty: none.
    pub search: &'a str,
    /// The tag that all have (`?tag=`); empty: none.
    pub tag: &'a str,
    /// The order (`?sort=`); [`Order::State`] unless asked otherwise.
    pub order: Order,
    /// Rows on a page (`?limit=`).
    pub limit: usize,
    /// Whether the page keeps itself fresh; `?refresh=off` pauses that.
    pub refresh: bool,
    /// Incidents that have not ended, newest first: one more than [`OPEN_MAX`](super::OPEN_MAX), if there are so many.
    pub open: &'a [Incident],
    /// The newest incidents, [`RECENT_ASKED`](super::RECENT_ASKED) of them; those that have ended are shown.
    pub recent: &'a [Incident],
    /// What is wrong with the server itself, in sentences for people.
    pub troubles: &'a [String],
}

/// The page in the making.
pub(super) struct View<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) w: &'static Words,
    pub(super) clock: Clock<'a>,
    pub(super) frame: Frame<'a>,
    pub(super) total: u64,
}

impl<'a> View<'a> {
    pub(super) fn of(page: &'a Page<'a>, zone: &'a TimeZone) -> View<'a> {
        let w = Words::of(page.lang);
        let clock = Clock { now: page.now, zone, w };
        let mood = mood(&page.counts);
        let frame = Frame { w, clock, root: "", refresh: page.refresh, mood, monitor: None };
        View { page, w, clock, frame, total: page.counts.iter().sum() }
    }
}

/// The worst state that needs telling, as a class of the style.
fn mood(counts: &Counts) -> &'static str {
    let worst = [State::Down, State::Late, State::Up].into_iter().find(|s| counts[*s as usize] > 0);
    worst.map_or("idle", State::name)
}
