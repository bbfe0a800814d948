//! The bar of a monitor's last 24 hours: an inline SVG of cells, each as bad as the worst that happened in it.
//!
//! Neighbouring cells of one state are one line, which the style cuts into cells by dashes: a monitor that has been up
//! all day costs one short element. A state is told by the height of its cells as well as by colour (down stands out
//! of the row, paused is two thin ticks), and the whole in words by `<title>`, for those who listen or point at it.

use super::moment::Clock;
use crate::domain::history::Past;
use crate::domain::notice::State;
use crate::domain::registry::Snapshot;
use crate::domain::time::Wall;
use maud::{Markup, html};

/// What the bar covers, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Cells of a bar in a row of the table: half an hour each.
pub const CELLS_SMALL: usize = 48;
/// Cells of the bar on a monitor's own page: a quarter of an hour each.
pub const CELLS_LARGE: usize = 96;

/// A time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpan {
    /// Its beginning.
    pub from: Wall,
    /// Its end.
    pub to: Wall,
    /// The state.
    pub state: State,
}

/// The last 24 hours of a monitor, as far as they are known, oldest first and without overlap.
pub fn state_spans(monitor: &Snapshot, past: &Past, now: Wall) -> Vec<StateSpan> {
    let begin = Wall(now.0 - DAY_MS);
    let mut all: Vec<StateSpan> = Vec::with_capacity(past.changes.len() + 2);
    let mut enter = |at: Wall, state: State| {
        // A clock that was set back has us end nothing before it began.
        let at = all.last().map_or(at, |last| at.max(last.from)).max(begin).min(now);
        if let Some(last) = all.last_mut() {
            last.to = at;
        }
        all.push(StateSpan { from: at, to: now, state });
    };
    if let Some((first, before)) = past.changes.first().and_then(|first| Some((first, first.from?))) {
        let known = past.created.unwrap_or(begin);
        if known < first.at {
            enter(known, before);
        }
    }
    for change in &past.changes {
        enter(change.at, change.to);
    }
    // What is on record may lag behind what is.
    if past.changes.last().is_none_or(|last| last.at < monitor.since) {
        enter(monitor.since, monitor.state);
    }
    all.retain(|span| span.from < span.to);
    all
}

/// How many times it went down in these stretches.
pub fn downs(state_spans: &[StateSpan]) -> usize {
    let down = |span: Option<&StateSpan>| span.is_some_and(|s| s.state == State::Down);
    let entered = |nth: usize| down(state_spans.get(nth)) && !(nth > 0 && down(state_spans.get(nth - 1)));
    (0..state_spans.len()).filter(|nth| entered(*nth)).count()
}

/// The bar. `each`: whether every run of cells tells its state and times too when it is pointed at.
pub fn draw(
    clock: &Clock<'_>,
    state_spans: &[StateSpan],
    up: Option<f64>,
    cells: usize,
    each: bool,
) -> Markup {
    let worst = worst(state_spans, clock.now, cells);
    let moment = |cell: usize| Wall(clock.now.0 - DAY_MS + DAY_MS * cell as i64 / cells as i64);
    let mut at = 0;
    // Runs of equal cells, each with where it begins.
    let runs = worst.chunk_by(|one, other| one == other).map(|run| {
        at += run.len();
        (at - run.len(), run)
    });
    html! {
        svg.bar viewBox={ "0 0 " (cells * 4 - 1) " 16" } preserveAspectRatio="none" role="img" {
            title { (clock.w.day(up, downs(state_spans))) }
            @for (at, run) in runs {
                path class=(run[0].map_or("void", State::name)) d={ "M" (at * 4) " 8h" (run.len() * 4 - 1) } {
                    @if let Some(state) = run[0].filter(|_| each) {
                        title {
                            (clock.w.state(state)) " "
                            (clock.hour(moment(at))) "–" (clock.hour(moment(at + run.len())))
                        }
                    }
                }
            }
        }
    }
}

/// The worst state in each cell, oldest first; `None`: nothing is known of it.
fn worst(state_spans: &[StateSpan], now: Wall, cells: usize) -> Vec<Option<State>> {
    let begin = now.0 - DAY_MS;
    let cell_of = |ms: i64| usize::try_from((ms - begin) * cells as i64 / DAY_MS).unwrap_or(0).min(cells - 1);
    let mut worst = vec![None; cells];
    for span in state_spans {
        // What ends where a cell begins is not in it.
        for cell in &mut worst[cell_of(span.from.0)..=cell_of(span.to.0 - 1)] {
            if cell.is_none_or(|seen| weight(seen) < weight(span.state)) {
                *cell = Some(span.state);
            }
        }
    }
    worst
}

/// How much a state matters beside another in the same cell.
fn weight(state: State) -> u8 {
    match state {
        State::New => 0,
        State::Up => 1,
        State::Paused => 2,
        State::Late => 3,
        State::Down => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::snapshot;
    use super::super::words::Words;
    use super::*;
    use crate::domain::history::StateChange;
    use crate::domain::lang::Lang;
    use jiff::tz::TimeZone;

    const NOW: Wall = Wall(1_770_521_432_000);
    const HOUR: i64 = 3_600_000;

    fn ago(hours: i64) -> Wall {
        Wall(NOW.0 - hours * HOUR)
    }

    fn change(hours: i64, from: Option<State>, to: State) -> StateChange {
        StateChange { at: ago(hours), from, to }
    }

    fn past(changes: &[StateChange]) -> Past {
        Past { changes: changes.into(), ..Past::default() }
    }

    /// A monitor that is up since some hours.
    fn up_since(hours: i64) -> Snapshot {
        Snapshot { since: ago(hours), ..snapshot("m", State::Up) }
    }

    fn states(state_spans: &[StateSpan]) -> Vec<(i64, State)> {
        state_spans.iter().map(|s| ((s.to.0 - s.from.0) / HOUR, s.state)).collect()
    }

    #[test]
    fn a_day_is_told_without_gaps_from_the_change_before_it_to_now() {
        let past = past(&[
            change(40, None, State::Up),
            change(10, Some(State::Up), State::Down),
            change(8, Some(State::Down), State::Up),
        ]);
        let day = state_spans(&up_since(8), &past, NOW);
        assert_eq!(states(&day), [(14, State::Up), (2, State::Down), (8, State::Up)]);
        assert_eq!(day[0].from, ago(24));
        assert_eq!(downs(&day), 1);
    }

    #[test]
    fn what_is_not_known_is_not_drawn() {
        let day = state_spans(&up_since(5), &past(&[change(5, None, State::Up)]), NOW);
        assert_eq!(states(&day), [(5, State::Up)]);
        let cells = worst(&day, NOW, 48);
        assert!(cells[..38].iter().all(Option::is_none) && cells[38..].iter().all(Option::is_some));
    }

    #[test]
    fn a_record_that_lags_is_completed_by_the_present() {
        let day = state_spans(&up_since(1), &past(&[change(30, None, State::Down)]), NOW);
        assert_eq!(states(&day), [(23, State::Down), (1, State::Up)]);
        assert_eq!(states(&state_spans(&up_since(30), &Past::default(), NOW)), [(24, State::Up)]);
    }

    #[test]
    fn a_clock_set_back_neither_panics_nor_overlaps() {
        let past = past(&[
            change(2, None, State::Up),
            change(4, Some(State::Up), State::Down),
            change(-3, Some(State::Down), State::Up),
        ]);
        for since in [-5, 0, 9] {
            let day = state_spans(&up_since(since), &past, NOW);
            assert!(day.windows(2).all(|pair| pair[0].to <= pair[1].from), "{day:?}");
            assert!(day.iter().all(|s| s.from < s.to && s.to <= NOW));
            worst(&day, NOW, 48);
        }
    }

    #[test]
    fn a_minute_down_is_seen_in_its_cell() {
        let at = Wall(ago(6).0 + 600_000);
        let past = past(&[
            change(90, None, State::Up),
            StateChange { at, from: Some(State::Up), to: State::Down },
            StateChange { at: Wall(at.0 + 60_000), from: Some(State::Down), to: State::Up },
        ]);
        let day = state_spans(&Snapshot { since: Wall(at.0 + 60_000), ..up_since(0) }, &past, NOW);
        let down: Vec<usize> =
            (0..48).filter(|cell| worst(&day, NOW, 48)[*cell] == Some(State::Down)).collect();
        assert_eq!(down, [36]);
    }

    #[test]
    fn the_bar_says_in_words_what_it_draws() {
        let zone = TimeZone::UTC;
        let clock = Clock { now: NOW, zone: &zone, w: Words::of(Lang::En) };
        let past = past(&[change(40, None, State::Up), change(12, Some(State::Up), State::Down)]);
        let day = state_spans(&Snapshot { state: State::Down, ..up_since(12) }, &past, NOW);
        let drawn = |cells, each| draw(&clock, &day, Some(0.5), cells, each).into_string();
        assert_eq!(
            drawn(48, false).replace('\u{a0}', " "),
            "<svg class=\"bar\" viewBox=\"0 0 191 16\" preserveAspectRatio=\"none\" role=\"img\">\
             <title>Last 24 h: 50 % up, down once</title>\
             <path class=\"up\" d=\"M0 8h95\"></path><path class=\"down\" d=\"M96 8h95\"></path></svg>"
        );
        let out = drawn(96, true);
        assert!(
            out.contains("<path class=\"down\" d=\"M192 8h191\"><title>Down 15:30–03:30</title></path>"),
            "{out}"
        );
    }
}
