//! Times and spans as people say them: `12 s ago`, `in 3 min`, and the exact stamp beside it.
//!
//! What is told from now carries a class, `ago`, `in` or `for`: by it the script lets the time run on.

use super::words::{Amount, Words};
use crate::domain::lang::Lang;
use crate::domain::time::{Span, Wall};
use jiff::tz::TimeZone;
use std::fmt::{self, Write};

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

impl Clock<'_> {
    /// A moment that has passed: a `<time>` with how long ago, and the stamp below it.
    pub fn past(&self, out: &mut String, at: Wall) -> fmt::Result {
        self.element(out, "ago", at, |out| self.ago(out, at))
    }

    /// A moment to come, likewise.
    pub fn future(&self, out: &mut String, at: Wall) -> fmt::Result {
        self.element(out, "in", at, |out| match at.0.saturating_sub(self.now.0) {
            ..=0 => out.write_str(self.w.due_now),
            // Up, not down: a deadline that still lies ahead is never "in 0 s".
            ms => self.w.until(out, coarse(ms.unsigned_abs().div_ceil(1000), self.w.lang)),
        })
    }

    /// The patterns by which the script tells times in the same words, as attributes of the body; `#` is where the
    /// amount stands, and the units are largest first.
    pub fn patterns(&self, out: &mut String) -> fmt::Result {
        let w = self.w;
        let units = [0, 1, 2, 3].map(|nth| unit(w.lang, nth)).join(" ");
        write!(out, " data-units=\"{units}\" data-moment=\"{}\" data-due=\"{}\"", w.just_now, w.due_now)?;
        for (name, tell) in [
            ("ago", Words::ago as fn(&Words, &mut String, Amount) -> fmt::Result),
            ("in", Words::until),
            ("for", Words::lasting),
        ] {
            let mut pattern = String::new();
            tell(w, &mut pattern, Amount(0, ""))?;
            write!(out, " data-{name}=\"{}\"", pattern.replace("0\u{a0}", "#"))?;
        }
        Ok(())
    }

    /// How long something has lasted, as a `<time>` that knows since when.
    pub fn lasting(&self, out: &mut String, since: Wall) -> fmt::Result {
        write!(out, "<time class=\"for\" datetime=\"{}\">", since.rfc3339())?;
        self.w.lasting(out, coarse(self.seconds_since(since), self.w.lang))?;
        out.write_str("</time>")
    }

    /// The stamp alone, as a `<time>`.
    pub fn stamp(&self, out: &mut String, at: Wall) -> fmt::Result {
        write!(out, "<time datetime=\"{}\">", at.rfc3339())?;
        self.local(out, at)?;
        out.write_str("</time>")
    }

    /// `11:30`, where the day is plain.
    pub fn hour(&self, out: &mut String, at: Wall) -> fmt::Result {
        let Some(local) = self.zoned(at) else { return Ok(()) };
        write!(out, "{:02}:{:02}", local.hour(), local.minute())
    }

    fn element(
        &self,
        out: &mut String,
        class: &str,
        at: Wall,
        relative: impl FnOnce(&mut String) -> fmt::Result,
    ) -> fmt::Result {
        write!(out, "<time class=\"{class}\" datetime=\"{}\">", at.rfc3339())?;
        relative(out)?;
        out.write_str(" <small>")?;
        let (zoned, today) = (self.zoned(at), self.zoned(self.now));
        match zoned.filter(|at| today.is_some_and(|today| today.date() == at.date())) {
            // Beside "12 s ago" the day needs no telling.
            Some(at) => write!(out, "{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())?,
            None => self.local(out, at)?,
        }
        out.write_str("</small></time>")
    }

    fn ago(&self, out: &mut String, at: Wall) -> fmt::Result {
        match self.seconds_since(at) {
            0 => out.write_str(self.w.just_now),
            seconds => self.w.ago(out, coarse(seconds, self.w.lang)),
        }
    }

    /// Zero for what a stepped clock has put into the future.
    fn seconds_since(&self, at: Wall) -> u64 {
        u64::try_from(self.now.0.saturating_sub(at.0) / 1000).unwrap_or(0)
    }

    /// `None` for what no calendar holds.
    fn zoned(&self, at: Wall) -> Option<jiff::civil::DateTime> {
        let instant = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.zone.to_datetime(instant))
    }

    /// `2026-02-08 11:30:20` on this machine's wall clock.
    fn local(&self, out: &mut String, at: Wall) -> fmt::Result {
        let Some(local) = self.zoned(at) else { return Ok(()) };
        write!(
            out,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        )
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
pub fn exact(out: &mut String, span: Span, lang: Lang) -> fmt::Result {
    if span == Span(0) {
        return write!(out, "{}", Amount(0, unit(lang, 3)));
    }
    let mut rest = span.0;
    let mut space = "";
    for (nth, unit_ms) in [86_400_000, 3_600_000, 60_000, 1_000, 1].into_iter().enumerate() {
        if rest >= unit_ms {
            write!(out, "{space}{}", Amount(rest / unit_ms, unit(lang, nth)))?;
            rest %= unit_ms;
            space = " ";
        }
    }
    Ok(())
}

fn unit(lang: Lang, nth: usize) -> &'static str {
    match lang {
        Lang::En => ["d", "h", "min", "s", "ms"][nth],
        Lang::Zh => ["天", "小时", "分钟", "秒", "毫秒"][nth],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lang: Lang, tell: impl Fn(&Clock<'_>, &mut String)) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let clock = Clock { now: Wall(1_770_521_432_000), zone: &zone, w: Words::of(lang) };
        let mut out = String::new();
        tell(&clock, &mut out);
        out.replace('\u{a0}', " ")
    }

    #[test]
    fn a_beat_is_told_from_now_and_by_the_local_clock() {
        let at = Wall(1_770_521_420_000);
        let en = told(Lang::En, |c, out| c.past(out, at).unwrap());
        assert_eq!(
            en,
            "<time class=\"ago\" datetime=\"2026-02-08T03:30:20.000Z\">12 s ago <small>11:30:20</small></time>"
        );
        let zh = told(Lang::Zh, |c, out| c.past(out, at).unwrap());
        assert!(zh.contains(">12 秒前 <small>"), "{zh}");
    }

    #[test]
    fn a_clock_set_back_makes_no_negative_times() {
        let ahead = Wall(1_770_521_500_000);
        assert!(told(Lang::En, |c, out| c.past(out, ahead).unwrap()).contains(">just now <"));
        let behind = Wall(1_770_521_400_000);
        assert!(told(Lang::Zh, |c, out| c.future(out, behind).unwrap()).contains(">现在 <"));
    }

    #[test]
    fn the_script_is_given_the_same_words() {
        assert_eq!(
            told(Lang::En, |c, out| c.patterns(out).unwrap()),
            " data-units=\"d h min s\" data-moment=\"just now\" data-due=\"now\" data-ago=\"# ago\" \
             data-in=\"in #\" data-for=\"for #\""
        );
        assert!(
            told(Lang::Zh, |c, out| c.patterns(out).unwrap())
                .ends_with("data-ago=\"#前\" data-in=\"#后\" data-for=\"持续 #\"")
        );
    }

    #[test]
    fn what_is_still_to_come_is_never_in_no_time() {
        assert!(told(Lang::En, |c, out| c.future(out, Wall(c.now.0 + 1)).unwrap()).contains(">in 1 s <"));
        assert!(
            told(Lang::En, |c, out| c.future(out, Wall(c.now.0 + 7_200_000)).unwrap()).contains(">in 2 h <")
        );
    }

    #[test]
    fn spans_are_exact_where_they_are_settings_and_short_where_they_are_ages() {
        let whole = |ms, lang| {
            let mut out = String::new();
            exact(&mut out, Span(ms), lang).unwrap();
            out.replace('\u{a0}', " ")
        };
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
