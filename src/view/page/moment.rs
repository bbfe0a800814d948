//! Times and spans as people say them: `12 s ago`, `in 3 min`, and the exact stamp beside it.
//!
//! What is told from now carries a class, `ago`, `in` or `for`: by it the script lets the time run on.

use super::words::{Amount, Words};
use crate::domain::lang::Lang;
use crate::domain::time::{Span, Wall};
use crate::i18n;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// What times are told from, and in which words.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    /// The present moment.
    pub now: Wall,
    /// The zone of the stamps.
    pub zone: &'a TimeZone,
    /// The language.
    pub w: &'static Words,
}

/// The patterns by which the script tells times in the same words; `#` is where the amount stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Patterns {
    /// The units, largest first.
    pub units: String,
    pub past: String,
    pub future: String,
    pub lasting: String,
}

impl Clock<'_> {
    /// A moment that has passed: a `<time>` with how long ago, and the stamp below it.
    pub fn past(&self, at: Wall) -> Markup {
        let told = match self.seconds_since(at) {
            0 => self.w.just_now.to_string(),
            seconds => self.w.ago(coarse(seconds, self.w.lang)),
        };
        self.element("ago", at, &told)
    }

    /// A moment to come, likewise.
    pub fn future(&self, at: Wall) -> Markup {
        let told = match at.0.saturating_sub(self.now.0) {
            ..=0 => self.w.due_now.to_string(),
            // Up, not down: a deadline that still lies ahead is never "in 0 s".
            ms => self.w.until(coarse(ms.unsigned_abs().div_ceil(1000), self.w.lang)),
        };
        self.element("in", at, &told)
    }

    /// What the script needs to tell times.
    pub fn patterns(&self) -> Patterns {
        let pattern =
            |tell: fn(&Words, Amount) -> String| tell(self.w, Amount(0, "")).replace("0\u{a0}", "#");
        Patterns {
            units: [0, 1, 2, 3].map(|nth| unit(self.w.lang, nth)).join(" "),
            past: pattern(Words::ago),
            future: pattern(Words::until),
            lasting: pattern(Words::lasting),
        }
    }

    /// How long something has lasted, as a `<time>` that knows since when.
    pub fn lasting(&self, since: Wall) -> Markup {
        let told = self.w.lasting(coarse(self.seconds_since(since), self.w.lang));
        html! { time class="for" datetime=(since.rfc3339()) { (told) } }
    }

    /// The stamp alone, as a `<time>`.
    pub fn stamp(&self, at: Wall) -> Markup {
        html! { time datetime=(at.rfc3339()) { (self.local(at)) } }
    }

    /// `11:30`, where the day is plain.
    pub fn hour(&self, at: Wall) -> String {
        self.zoned(at).map(|at| format!("{:02}:{:02}", at.hour(), at.minute())).unwrap_or_default()
    }

    fn element(&self, class: &str, at: Wall, told: &str) -> Markup {
        let today = self.zoned(self.now).map(DateTime::date);
        // Beside "12 s ago" the day needs no telling.
        let stamp = match self.zoned(at).filter(|at| Some(at.date()) == today) {
            Some(at) => format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()),
            None => self.local(at),
        };
        html! { time class=(class) datetime=(at.rfc3339()) { (told) " " small { (stamp) } } }
    }

    /// Zero for what a stepped clock has put into the future.
    fn seconds_since(&self, at: Wall) -> u64 {
        u64::try_from(self.now.0.saturating_sub(at.0) / 1000).unwrap_or(0)
    }

    /// `None` for what no calendar holds.
    fn zoned(&self, at: Wall) -> Option<DateTime> {
        let instant = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.zone.to_datetime(instant))
    }

    /// `2026-02-08 11:30:20` on this machine's wall clock.
    fn local(&self, at: Wall) -> String {
        self.zoned(at).map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
    }
}

/// A span in its one largest sensible unit: `59 s`, `59 min`, `47 h`, `12 d`.
pub fn coarse(seconds: u64, lang: Lang) -> Amount {
    match seconds {
        0..60 => Amount(seconds, unit(lang, 3)),
        60..3_600 => Amount(seconds / 60, unit(lang, 2)),
        3_600..172_800 => Amount(seconds / 3_600, unit(lang, 1)),
        _ => Amount(seconds / 86_400, unit(lang, 0)),
    }
}

/// A span to the millisecond: `1 min 30 s`.
pub fn exact(span: Span, lang: Lang) -> String {
    if span == Span(0) {
        return Amount(0, unit(lang, 3)).to_string();
    }
    let mut rest = span.0;
    let mut parts = Vec::new();
    for (nth, unit_ms) in [86_400_000, 3_600_000, 60_000, 1_000, 1].into_iter().enumerate() {
        if rest >= unit_ms {
            parts.push(Amount(rest / unit_ms, unit(lang, nth)).to_string());
            rest %= unit_ms;
        }
    }
    parts.join(" ")
}

fn unit(lang: Lang, nth: usize) -> &'static str {
    let units = [
        i18n::view::UNIT_D,
        i18n::view::UNIT_H,
        i18n::view::UNIT_MIN,
        i18n::view::UNIT_S,
        i18n::view::UNIT_MS,
    ];
    units[nth].in_lang(lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_clock<T>(lang: Lang, tell: impl Fn(&Clock<'_>) -> T) -> T {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let clock = Clock { now: Wall(1_770_521_432_000), zone: &zone, w: Words::of(lang) };
        tell(&clock)
    }

    fn told(lang: Lang, tell: impl Fn(&Clock<'_>) -> Markup) -> String {
        with_clock(lang, tell).into_string().replace('\u{a0}', " ")
    }

    #[test]
    fn a_beat_is_told_from_now_and_by_the_local_clock() {
        let at = Wall(1_770_521_420_000);
        let en = told(Lang::En, |c| c.past(at));
        assert_eq!(
            en,
            "<time class=\"ago\" datetime=\"2026-02-08T03:30:20.000Z\">12 s ago <small>11:30:20</small></time>"
        );
        let zh = told(Lang::Zh, |c| c.past(at));
        assert!(zh.contains(">12 秒前 <small>"), "{zh}");
    }

    #[test]
    fn a_clock_set_back_makes_no_negative_times() {
        let ahead = Wall(1_770_521_500_000);
        assert!(told(Lang::En, |c| c.past(ahead)).contains(">just now <"));
        let behind = Wall(1_770_521_400_000);
        assert!(told(Lang::Zh, |c| c.future(behind)).contains(">现在 <"));
    }

    #[test]
    fn the_script_is_given_the_same_words() {
        let patterns = |units: &str, past: &str, future: &str, lasting: &str| {
            let [units, past, future, lasting] = [units, past, future, lasting].map(String::from);
            Patterns { units, past, future, lasting }
        };
        assert_eq!(with_clock(Lang::En, |c| c.patterns()), patterns("d h min s", "# ago", "in #", "for #"));
        assert_eq!(
            with_clock(Lang::Zh, |c| c.patterns()),
            patterns("天 小时 分钟 秒", "#前", "#后", "持续 #")
        );
    }

    #[test]
    fn what_is_still_to_come_is_never_in_no_time() {
        assert!(told(Lang::En, |c| c.future(Wall(c.now.0 + 1))).contains(">in 1 s <"));
        assert!(told(Lang::En, |c| c.future(Wall(c.now.0 + 7_200_000))).contains(">in 2 h <"));
    }

    #[test]
    fn spans_are_exact_where_they_are_settings_and_short_where_they_are_ages() {
        let whole = |ms, lang| exact(Span(ms), lang).replace('\u{a0}', " ");
        assert_eq!(whole(90_000, Lang::En), "1 min 30 s");
        assert_eq!(whole(90_000, Lang::Zh), "1 分钟 30 秒");
        assert_eq!(whole(1_500, Lang::En), "1 s 500 ms");
        assert_eq!(whole(0, Lang::En), "0 s");
        for (seconds, want) in
            [(59, "59 s"), (60, "1 min"), (3_600, "1 h"), (172_799, "47 h"), (172_800, "2 d")]
        {
            assert_eq!(coarse(seconds, Lang::En).to_string().replace('\u{a0}', " "), want);
        }
    }
}
