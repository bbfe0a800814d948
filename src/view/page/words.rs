//! Every word of the page, in English and Simplified Chinese.

use crate::domain::beat::Status;
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::registry::Counts;
use std::fmt::{self, Write};

/// The fixed texts of one language; none of them holds a character that HTML or a CSS string would need escaped.
pub struct Words {
    pub lang: Lang,
    pub name: &'static str,
    pub skip: &'static str,
    pub comma: &'static str,
    pub colon: &'static str,
    pub states: &'static str,
    pub all: &'static str,
    pub search: &'static str,
    pub search_button: &'static str,
    pub clear: &'static str,
    pub as_of: &'static str,
    pub paused: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub caption: &'static str,
    /// State, monitor, last beat, next deadline, from, interval, beats.
    pub columns: [&'static str; 7],
    pub never: &'static str,
    pub none: &'static str,
    pub just_now: &'static str,
    pub due_now: &'static str,
    pub unix: &'static str,
    pub reported: &'static str,
    pub grace: &'static str,
    pub nothing_found: &'static str,
    pub show_all: &'static str,
    pub welcome: &'static str,
    pub welcome_next: &'static str,
    pub pages: &'static str,
    pub first_page: &'static str,
    pub next_page: &'static str,
    pub running_since: &'static str,
    pub api: &'static str,
    pub metrics: &'static str,
}

static EN: Words = Words {
    lang: Lang::En,
    name: "Heartbeat server",
    skip: "Skip to the monitors",
    comma: ", ",
    colon: ": ",
    states: "Monitors by state",
    all: "All",
    search: "Search monitors by id",
    search_button: "Search",
    clear: "Clear search",
    as_of: "As of",
    paused: "refresh paused",
    pause: "Pause refresh",
    resume: "Resume refresh",
    caption: "Monitors",
    columns: ["State", "Monitor", "Last beat", "Next deadline", "From", "Interval", "Beats"],
    never: "never",
    none: "none",
    just_now: "just now",
    due_now: "now",
    unix: "unix socket",
    reported: "reported ",
    grace: "grace ",
    nothing_found: "No monitor here matches.",
    show_all: "Show all monitors",
    welcome: "Nothing needs to be registered: the first beat of a machine puts it on this page. Send one from any shell:",
    welcome_next: "It will appear here by itself.",
    pages: "Pages",
    first_page: "First page",
    next_page: "Next page",
    running_since: "running since ",
    api: "API",
    metrics: "Metrics",
};

static ZH: Words = Words {
    lang: Lang::Zh,
    name: "心跳服务器",
    skip: "跳到监控列表",
    comma: "，",
    colon: "：",
    states: "按状态筛选",
    all: "全部",
    search: "按标识搜索",
    search_button: "搜索",
    clear: "清除搜索",
    as_of: "截至",
    paused: "已暂停刷新",
    pause: "暂停刷新",
    resume: "恢复刷新",
    caption: "监控项",
    columns: ["状态", "监控项", "最近心跳", "下次期限", "来自", "间隔", "心跳数"],
    never: "从未",
    none: "无",
    just_now: "刚刚",
    due_now: "现在",
    unix: "本机套接字",
    reported: "报告 IP ",
    grace: "宽限 ",
    nothing_found: "没有符合条件的监控项。",
    show_all: "显示全部监控项",
    welcome: "无需事先登记：机器发来第一个心跳，就会出现在此页。在任意终端执行：",
    welcome_next: "随后会自动显示在这里。",
    pages: "翻页",
    first_page: "第一页",
    next_page: "下一页",
    running_since: "运行自 ",
    api: "API",
    metrics: "指标",
};

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
    pub fn counted(&self, out: &mut String, state: State, count: u64) -> fmt::Result {
        match self.lang {
            Lang::En => write!(out, "{} {}", Grouped(count), state.name()),
            Lang::Zh => write!(out, "{} {}", Grouped(count), self.state(state)),
        }
    }

    /// How things stand, in one sentence: the worst first, and no more than matters.
    pub fn verdict(&self, out: &mut String, counts: &Counts) -> fmt::Result {
        let count = |state: State| counts[state as usize];
        let total: u64 = counts.iter().sum();
        let (up, late, down) = (count(State::Up), count(State::Late), count(State::Down));
        let (ups, lates, downs, all) = (Grouped(up), Grouped(late), Grouped(down), Grouped(total));
        let are = |n: u64| if n == 1 { "monitor is" } else { "monitors are" };
        match self.lang {
            Lang::En if total == 0 => out.write_str("Waiting for the first heartbeat"),
            Lang::En if down > 0 && late > 0 => write!(out, "{downs} {} down, {lates} late", are(down)),
            Lang::En if down > 0 => write!(out, "{downs} {} down", are(down)),
            Lang::En if late > 0 => write!(out, "{lates} {} late", are(late)),
            Lang::En if up == 1 && total == 1 => out.write_str("The only monitor is up"),
            Lang::En if up == total => write!(out, "All {all} monitors are up"),
            Lang::En if up > 0 => write!(out, "{ups} of {all} monitors are up"),
            Lang::En => out.write_str("No monitor is up"),
            Lang::Zh if total == 0 => out.write_str("等待第一个心跳"),
            Lang::Zh if down > 0 && late > 0 => write!(out, "{downs} 个监控项离线，{lates} 个迟到"),
            Lang::Zh if down > 0 => write!(out, "{downs} 个监控项离线"),
            Lang::Zh if late > 0 => write!(out, "{lates} 个监控项迟到"),
            Lang::Zh if up == 1 && total == 1 => out.write_str("唯一的监控项在线"),
            Lang::Zh if up == total => write!(out, "全部 {all} 个监控项在线"),
            Lang::Zh if up > 0 => write!(out, "{all} 个监控项中 {ups} 个在线"),
            Lang::Zh => out.write_str("没有监控项在线"),
        }
    }

    /// What a beat said about its sender, where that is more than "well".
    pub fn said(&self, out: &mut String, status: Status) -> fmt::Result {
        match (self.lang, status) {
            (_, Status::Ok | Status::Exit(0) | Status::Log) => Ok(()),
            (Lang::En, Status::Fail) => out.write_str("reported failure"),
            (Lang::En, Status::Exit(code)) => write!(out, "exit code {code}"),
            (Lang::En, Status::Start) => out.write_str("run started"),
            (Lang::Zh, Status::Fail) => out.write_str("报告失败"),
            (Lang::Zh, Status::Exit(code)) => write!(out, "退出码 {code}"),
            (Lang::Zh, Status::Start) => out.write_str("任务已开始"),
        }
    }

    /// `12 s ago`.
    pub fn ago(&self, out: &mut String, span: Amount) -> fmt::Result {
        match self.lang {
            Lang::En => write!(out, "{span} ago"),
            Lang::Zh => write!(out, "{span}前"),
        }
    }

    /// `in 12 s`.
    pub fn until(&self, out: &mut String, span: Amount) -> fmt::Result {
        match self.lang {
            Lang::En => write!(out, "in {span}"),
            Lang::Zh => write!(out, "{span}后"),
        }
    }

    /// `for 12 s`.
    pub fn lasting(&self, out: &mut String, span: Amount) -> fmt::Result {
        match self.lang {
            Lang::En => write!(out, "for {span}"),
            Lang::Zh => write!(out, "持续 {span}"),
        }
    }

    /// `3 missing`: beats that the sender's counter proves lost.
    pub fn missing(&self, out: &mut String, gaps: u64) -> fmt::Result {
        match self.lang {
            Lang::En => write!(out, "{} missing", Grouped(gaps)),
            Lang::Zh => write!(out, "缺 {} 个", Grouped(gaps)),
        }
    }

    /// How often the page loads itself again.
    pub fn refreshes(&self, out: &mut String, seconds: u32) -> fmt::Result {
        match self.lang {
            Lang::En => write!(out, "refreshes every {seconds}\u{a0}s"),
            Lang::Zh => write!(out, "每 {seconds} 秒刷新"),
        }
    }

    /// How many monitors stand on this page.
    pub fn shown(&self, out: &mut String, rows: usize) -> fmt::Result {
        match (self.lang, rows) {
            (Lang::En, 1) => out.write_str("1 shown"),
            (Lang::En, n) => write!(out, "{n} shown"),
            (Lang::Zh, n) => write!(out, "显示 {n} 个"),
        }
    }

    /// Beats since the start.
    pub fn beats(&self, out: &mut String, beats: u64) -> fmt::Result {
        match (self.lang, beats) {
            (Lang::En, 1) => out.write_str("1 beat received"),
            (Lang::En, n) => write!(out, "{} beats received", Grouped(n)),
            (Lang::Zh, n) => write!(out, "收到 {} 个心跳", Grouped(n)),
        }
    }

    /// Connections open now.
    pub fn connections(&self, out: &mut String, connections: u64) -> fmt::Result {
        match (self.lang, connections) {
            (Lang::En, 1) => out.write_str("1 connection"),
            (Lang::En, n) => write!(out, "{} connections", Grouped(n)),
            (Lang::Zh, n) => write!(out, "{} 个连接", Grouped(n)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lang: Lang, new: u64, up: u64, late: u64, down: u64, paused: u64) -> String {
        let mut out = String::new();
        Words::of(lang).verdict(&mut out, &[new, up, late, down, paused]).unwrap();
        out
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
    fn thousands_stand_apart() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(Grouped(number).to_string(), want);
        }
    }
}
