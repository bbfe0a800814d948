//! Every word of the page, in English and Simplified Chinese.

use crate::domain::beat::{Exit, Status};
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::PausedBy;
use crate::domain::registry::Counts;
use crate::view::reason;
use std::fmt;

mod texts;

pub use texts::Words;
use texts::{EN, ZH};

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
        match (self.lang, state) {
            (Lang::En, State::New) => "New",
            (Lang::En, State::Up) => "Up",
            (Lang::En, State::Late) => "Late",
            (Lang::En, State::Down) => "Down",
            (Lang::En, State::Paused) => "Paused",
            (Lang::Zh, State::New) => "待上线",
            (Lang::Zh, State::Up) => "在线",
            (Lang::Zh, State::Late) => "迟到",
            (Lang::Zh, State::Down) => "离线",
            (Lang::Zh, State::Paused) => "已暂停",
        }
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
            Lang::En if total == 0 => "Waiting for the first heartbeat".into(),
            Lang::En if down > 0 && late > 0 => format!("{downs} {} down, {lates} late", are(down)),
            Lang::En if down > 0 => format!("{downs} {} down", are(down)),
            Lang::En if late > 0 => format!("{lates} {} late", are(late)),
            Lang::En if up == 1 && total == 1 => "The only monitor is up".into(),
            Lang::En if up == total => format!("All {all} monitors are up"),
            Lang::En if up > 0 => format!("{ups} of {all} monitors are up"),
            Lang::En => "No monitor is up".into(),
            Lang::Zh if total == 0 => "等待第一个心跳".into(),
            Lang::Zh if down > 0 && late > 0 => format!("{downs} 个监控项离线，{lates} 个迟到"),
            Lang::Zh if down > 0 => format!("{downs} 个监控项离线"),
            Lang::Zh if late > 0 => format!("{lates} 个监控项迟到"),
            Lang::Zh if up == 1 && total == 1 => "唯一的监控项在线".into(),
            Lang::Zh if up == total => format!("全部 {all} 个监控项在线"),
            Lang::Zh if up > 0 => format!("{all} 个监控项中 {ups} 个在线"),
            Lang::Zh => "没有监控项在线".into(),
        }
    }

    /// What a beat said about its sender, where that is more than "well".
    pub fn said(&self, status: Status) -> String {
        match (self.lang, status) {
            (_, Status::Ok | Status::Exit(0) | Status::Log) => String::new(),
            (Lang::En, Status::Fail) => "reported failure".into(),
            (lang, Status::Exit(code)) => reason::exit(lang, Exit::Code(code)),
            (lang, Status::Signal(number)) => reason::exit(lang, Exit::Signal(number)),
            (Lang::En, Status::Start) => "run started".into(),
            (Lang::Zh, Status::Fail) => "报告失败".into(),
            (Lang::Zh, Status::Start) => "任务已开始".into(),
        }
    }

    /// `12 s ago`.
    pub fn ago(&self, span: Amount) -> String {
        match self.lang {
            Lang::En => format!("{span} ago"),
            Lang::Zh => format!("{span}前"),
        }
    }

    /// `in 12 s`.
    pub fn until(&self, span: Amount) -> String {
        match self.lang {
            Lang::En => format!("in {span}"),
            Lang::Zh => format!("{span}后"),
        }
    }

    /// `for 12 s`.
    pub fn lasting(&self, span: Amount) -> String {
        match self.lang {
            Lang::En => format!("for {span}"),
            Lang::Zh => format!("持续 {span}"),
        }
    }

    /// `3 missing`: beats that the sender's counter proves lost.
    pub fn missing(&self, gaps: u64) -> String {
        match self.lang {
            Lang::En => format!("{} missing", Grouped(gaps)),
            Lang::Zh => format!("缺 {} 个", Grouped(gaps)),
        }
    }

    /// The last 24 hours in words: `Last 24 h: 99.2 % up, down twice`. `up` is `None` where nothing is known.
    pub fn day(&self, up: Option<f64>, downs: usize) -> String {
        let Some(up) = up.map(Percent) else {
            return self.lang.pick("Last 24 h: no history yet", "最近 24 小时：尚无历史").into();
        };
        match (self.lang, downs) {
            (Lang::En, 0) => format!("Last 24 h: {up} up, never down"),
            (Lang::En, 1) => format!("Last 24 h: {up} up, down once"),
            (Lang::En, 2) => format!("Last 24 h: {up} up, down twice"),
            (Lang::En, n) => format!("Last 24 h: {up} up, down {n} times"),
            (Lang::Zh, 0) => format!("最近 24 小时：在线率 {up}，未曾离线"),
            (Lang::Zh, n) => format!("最近 24 小时：在线率 {up}，离线 {n} 次"),
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
        match self.lang {
            Lang::En => format!("otherwise {}", state.name()),
            Lang::Zh => format!("否则{}", self.state(state)),
        }
    }

    /// How many runs are under way, where there is more than one; what follows is how long the oldest has lasted.
    pub fn running(&self, runs: usize) -> String {
        match (self.lang, runs) {
            (Lang::En, ..=1) => "running ".into(),
            (Lang::En, n) => format!("{n} runs, the oldest "),
            (Lang::Zh, ..=1) => "运行中，".into(),
            (Lang::Zh, n) => format!("{n} 个运行中，最早的"),
        }
    }

    /// How far a clock is from ours.
    pub fn skew(&self, ahead: bool, span: &str) -> String {
        match (self.lang, ahead) {
            (Lang::En, true) => format!("{span} ahead of ours"),
            (Lang::En, false) => format!("{span} behind ours"),
            (Lang::Zh, true) => format!("比本机快 {span}"),
            (Lang::Zh, false) => format!("比本机慢 {span}"),
        }
    }

    /// Beats that the sender's counter proves to have come twice.
    pub fn repeated(&self, repeats: u64) -> String {
        match self.lang {
            Lang::En => format!("{} repeated", Grouped(repeats)),
            Lang::Zh => format!("重复 {} 个", Grouped(repeats)),
        }
    }

    /// There are more monitors down than incidents shown.
    pub fn more_down(&self, down: u64) -> String {
        match self.lang {
            Lang::En => format!("Show all {} that are down", Grouped(down)),
            Lang::Zh => format!("显示全部 {} 个离线项", Grouped(down)),
        }
    }

    /// How often the page loads itself again.
    pub fn refreshes(&self, seconds: u32) -> String {
        match self.lang {
            Lang::En => format!("refreshes every {seconds}\u{a0}s"),
            Lang::Zh => format!("每 {seconds} 秒刷新"),
        }
    }

    /// How many monitors stand on this page, and of how many, where that is known and more.
    pub fn shown(&self, rows: usize, all: Option<u64>) -> String {
        match (self.lang, all.filter(|all| *all > rows as u64).map(Grouped)) {
            (Lang::En, None) => format!("{rows} shown"),
            (Lang::En, Some(all)) => format!("{rows} of {all} shown"),
            (Lang::Zh, None) => format!("显示 {rows} 个"),
            (Lang::Zh, Some(all)) => format!("显示 {all} 个中的 {rows} 个"),
        }
    }

    /// Beats since the start.
    pub fn beats(&self, beats: u64) -> String {
        match (self.lang, beats) {
            (Lang::En, 1) => "1 beat received".into(),
            (Lang::En, n) => format!("{} beats received", Grouped(n)),
            (Lang::Zh, n) => format!("收到 {} 个心跳", Grouped(n)),
        }
    }

    /// Connections open now.
    pub fn connections(&self, connections: u64) -> String {
        match (self.lang, connections) {
            (Lang::En, 1) => "1 connection".into(),
            (Lang::En, n) => format!("{} connections", Grouped(n)),
            (Lang::Zh, n) => format!("{} 个连接", Grouped(n)),
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
