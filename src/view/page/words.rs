//! Every word of the page, in English and Simplified Chinese.

use crate::domain::beat::{Exit, Status};
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::PausedBy;
use crate::domain::registry::Counts;
use crate::i18n;
use crate::view::reason;
use std::fmt;

pub use crate::i18n::page::PageWords as Words;
use crate::i18n::page::{EN, ZH};

impl Words {
    /// The words of a language.
    pub fn of(lang: Lang) -> &'static Words {
        match lang {
            Lang::En => &EN,
            Lang::Zh => &ZH,
        }
    }

    /// The word for a state.
    pub fn state(&self, state: State) -> &'static str {
        reason::state(state).in_lang(self.lang)
    }

    /// `3 up`, as the title has it.
    pub fn counted(&self, state: State, count: u64) -> String {
        match self.lang {
            Lang::En => format!("{} {}", Grouped(count), state.name()),
            Lang::Zh => format!("{} {}", Grouped(count), self.state(state)),
        }
    }

    /// How things stand, in one sentence: the worst first, and no more than matters.
    pub fn verdict(&self, counts: &Counts) -> String {
        let count = |state: State| counts[state as usize];
        let total: u64 = counts.iter().sum();
        let (up, late, down) = (count(State::Up), count(State::Late), count(State::Down));
        let (ups, lates, downs, all) = (Grouped(up), Grouped(late), Grouped(down), Grouped(total));
        let are = |n: u64| if n == 1 { "monitor is" } else { "monitors are" };
        match self.lang {
            _ if total == 0 => i18n::view::WAITING_FIRST_HEARTBEAT.in_lang(self.lang).to_string(),
            _ if down > 0 && late > 0 => i18n::view::down_late(&downs, &are(down), &lates).in_lang(self.lang),
            _ if down > 0 => i18n::view::some_down(&downs, &are(down)).in_lang(self.lang),
            _ if late > 0 => i18n::view::late(&lates, &are(late)).in_lang(self.lang),
            _ if up == 1 && total == 1 => i18n::view::ONLY_MONITOR_UP.in_lang(self.lang).to_string(),
            _ if up == total => i18n::view::all_monitors_up(&all).in_lang(self.lang),
            _ if up > 0 => i18n::view::monitors_up(&ups, &all).in_lang(self.lang),
            _ => i18n::view::NO_MONITOR_UP.in_lang(self.lang).to_string(),
        }
    }

    /// What a beat said about its sender, where that is more than "well".
    pub fn said(&self, status: Status) -> String {
        match status {
            Status::Ok | Status::Exit(0) | Status::Log => String::new(),
            Status::Fail => i18n::view::REPORTED_FAILURE_2.in_lang(self.lang).to_string(),
            Status::Exit(code) => reason::exit(self.lang, Exit::Code(code)),
            Status::Signal(number) => reason::exit(self.lang, Exit::Signal(number)),
            Status::Start => i18n::view::RUN_STARTED.in_lang(self.lang).to_string(),
        }
    }

    /// `12 s ago`.
    pub fn ago(&self, span: Amount) -> String {
        i18n::view::ago(&span).in_lang(self.lang)
    }

    /// `in 12 s`.
    pub fn until(&self, span: Amount) -> String {
        i18n::view::in_(&span).in_lang(self.lang)
    }

    /// `for 12 s`.
    pub fn lasting(&self, span: Amount) -> String {
        i18n::view::for_(&span).in_lang(self.lang)
    }

    /// `3 missing`: beats that the sender's counter proves lost.
    pub fn missing(&self, gaps: u64) -> String {
        i18n::view::missing(&Grouped(gaps)).in_lang(self.lang)
    }

    /// The last 24 hours in words: `Last 24 h: 99.2 % up, down twice`. `up` is `None` where nothing is known.
    pub fn day(&self, up: Option<f64>, downs: usize) -> String {
        let Some(up) = up.map(Percent) else {
            return i18n::view::LAST_24_H_NO.in_lang(self.lang).into();
        };
        match (self.lang, downs) {
            (_, 0) => i18n::view::last_24_h_up(&up).in_lang(self.lang),
            (Lang::En, 1) => format!("Last 24 h: {up} up, down once"),
            (Lang::En, 2) => format!("Last 24 h: {up} up, down twice"),
            (_, n) => i18n::view::last_24_h_up_down(&up, &n).in_lang(self.lang),
        }
    }

    /// Who paused it.
    pub fn paused_by(&self, by: PausedBy) -> &'static str {
        match by {
            PausedBy::Person => self.by_person,
            PausedBy::Window => self.by_window,
        }
    }

    /// What its state would be but for the pause.
    pub fn otherwise(&self, state: State) -> String {
        i18n::view::otherwise(&state.name(), &self.state(state)).in_lang(self.lang)
    }

    /// How many runs are under way, where there is more than one; what follows is how long the oldest has lasted.
    pub fn running(&self, runs: usize) -> String {
        match runs {
            ..=1 => i18n::view::RUNNING.in_lang(self.lang).to_string(),
            n => i18n::view::runs_oldest(&n).in_lang(self.lang),
        }
    }

    /// How far a clock is from ours.
    pub fn skew(&self, ahead: bool, span: &str) -> String {
        match ahead {
            true => i18n::view::ahead_ours(&span).in_lang(self.lang),
            false => i18n::view::behind_ours(&span).in_lang(self.lang),
        }
    }

    /// Beats that the sender's counter proves to have come twice.
    pub fn repeated(&self, repeats: u64) -> String {
        i18n::view::repeated(&Grouped(repeats)).in_lang(self.lang)
    }

    /// There are more monitors down than incidents shown.
    pub fn more_down(&self, down: u64) -> String {
        i18n::view::show_all_down(&Grouped(down)).in_lang(self.lang)
    }

    /// How often the page loads itself again.
    pub fn refreshes(&self, seconds: u32) -> String {
        i18n::view::refreshes_every(&seconds).in_lang(self.lang)
    }

    /// How many monitors stand on this page, and of how many, where that is known and more.
    pub fn shown(&self, rows: usize, all: Option<u64>) -> String {
        match all.filter(|all| *all > rows as u64).map(Grouped) {
            None => i18n::view::shown(&rows).in_lang(self.lang),
            Some(all) => i18n::view::shown_of(&rows, &all).in_lang(self.lang),
        }
    }

    /// Beats since the start.
    pub fn beats(&self, beats: u64) -> String {
        match (self.lang, beats) {
            (Lang::En, 1) => "1 beat received".into(),
            (_, n) => i18n::view::beats_received(&Grouped(n)).in_lang(self.lang),
        }
    }

    /// Connections open now.
    pub fn connections(&self, connections: u64) -> String {
        match (self.lang, connections) {
            (Lang::En, 1) => "1 connection".into(),
            (_, n) => i18n::view::connections(&Grouped(n)).in_lang(self.lang),
        }
    }
}

/// A number with its thousands apart: `12,345`.
#[derive(Clone, Copy)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{},{:03}", Grouped(self.0 / 1000), self.0 % 1000)
    }
}

/// A number and its unit, held together by a space that does not break.
#[derive(Clone, Copy)]
pub struct Amount(pub u64, pub &'static str);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\u{a0}{}", self.0, self.1)
    }
}

/// A share from 0 to 1 as `99.2 %`: two places at most, rounded down, so that 100 % means that nothing was missing.
#[derive(Clone, Copy)]
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The sum of many spans may miss its whole by a hair.
        let hundredths = ((self.0.clamp(0.0, 1.0) + 1e-9) * 10_000.0).floor() as u32;
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        match rest {
            0 => write!(f, "{whole}"),
            rest if rest % 10 == 0 => write!(f, "{whole}.{}", rest / 10),
            rest => write!(f, "{whole}.{rest:02}"),
        }?;
        f.write_str("\u{a0}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lang: Lang, new: u64, up: u64, late: u64, down: u64, paused: u64) -> String {
        Words::of(lang).verdict(&[new, up, late, down, paused])
    }

    #[test]
    fn the_sentence_names_the_worst_and_counts_as_people_do() {
        assert_eq!(verdict(Lang::En, 0, 0, 0, 0, 0), "Waiting for the first heartbeat");
        assert_eq!(verdict(Lang::En, 0, 1, 0, 0, 0), "The only monitor is up");
        assert_eq!(verdict(Lang::En, 0, 1500, 0, 0, 0), "All 1,500 monitors are up");
        assert_eq!(verdict(Lang::En, 1, 3, 0, 0, 1), "3 of 5 monitors are up");
        assert_eq!(verdict(Lang::En, 0, 3, 1, 0, 0), "1 monitor is late");
        assert_eq!(verdict(Lang::En, 0, 3, 0, 1, 0), "1 monitor is down");
        assert_eq!(verdict(Lang::En, 0, 3, 1, 2, 0), "2 monitors are down, 1 late");
        assert_eq!(verdict(Lang::En, 0, 0, 0, 0, 2), "No monitor is up");
        assert_eq!(verdict(Lang::Zh, 0, 3, 1, 2, 0), "2 个监控项离线，1 个迟到");
        assert_eq!(verdict(Lang::Zh, 0, 3, 0, 0, 0), "全部 3 个监控项在线");
    }

    #[test]
    fn a_day_is_told_as_people_would() {
        let day = |lang, up, downs| Words::of(lang).day(up, downs).replace('\u{a0}', " ");
        assert_eq!(day(Lang::En, Some(0.992), 2), "Last 24 h: 99.2 % up, down twice");
        assert_eq!(day(Lang::En, Some(1.0), 0), "Last 24 h: 100 % up, never down");
        assert_eq!(day(Lang::En, None, 0), "Last 24 h: no history yet");
        assert_eq!(day(Lang::Zh, Some(0.5), 3), "最近 24 小时：在线率 50 %，离线 3 次");
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        for (share, want) in
            [(1.0, "100"), (0.99999, "99.99"), (0.9905, "99.05"), (0.1 + 0.2, "30"), (0.0, "0"), (7.0, "100")]
        {
            assert_eq!(Percent(share).to_string(), format!("{want}\u{a0}%"));
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(Grouped(number).to_string(), want);
        }
    }
}
