//! Monitors as lines of text: the columns of `list` and `watch`, in two languages and as wide as they are seen.
//!
//! Pure: monitors, a moment and a language in, lines out.

use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::time::{Span, Wall};
use crate::i18n;
use crate::view::page;
use crate::view::words::one_line;
use serde::Deserialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: &str = "  ";

/// A monitor of the API with the fields that a table shows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct MonitorLine {
    /// Its id.
    pub id: String,
    /// The name of its state.
    pub state: String,
    /// Its last beat, RFC 3339.
    pub last_beat: Option<String>,
    /// Seconds between two beats.
    pub interval_s: f64,
    /// The longer ones that it was asked for.
    pub asked_interval_s: Option<f64>,
    /// The cron expression that it goes by instead.
    pub schedule: Option<String>,
    /// Where its last beat came from.
    pub address: Option<String>,
    /// The share of the last day in which it was not down.
    pub uptime_24h: Option<f64>,
}

/// The style of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableStyle {
    /// The present moment.
    pub now: Wall,
    /// The language.
    pub lang: Lang,
    /// Whether states are coloured.
    pub colours: bool,
}

impl TableStyle {
    /// The heads of the columns.
    fn heads(self) -> [String; 6] {
        let heads = [
            i18n::client::HEAD_STATE,
            i18n::client::HEAD_ID,
            i18n::client::HEAD_LAST_BEAT,
            i18n::client::HEAD_INTERVAL,
            i18n::client::HEAD_ADDRESS,
            i18n::client::HEAD_UPTIME,
        ];
        heads.map(|head| head.in_lang(self.lang).to_string())
    }

    fn cells(self, monitor: &MonitorLine) -> [String; 6] {
        let interval = Span::from_secs_f64(monitor.interval_s).unwrap_or_default().to_string();
        let asked = monitor.asked_interval_s.and_then(Span::from_secs_f64);
        let interval = match (&monitor.schedule, asked) {
            (Some(schedule), _) => schedule.clone(),
            (None, Some(asked)) => format!("{interval} → {asked}"),
            (None, None) => interval,
        };
        // Texts of the server are made safe for the terminal.
        let cell = |text: &str| one_line(text).into_owned();
        [
            cell(self.state(&monitor.state)),
            cell(&monitor.id),
            monitor.last_beat.as_deref().map_or_else(|| self.never().to_string(), |at| self.ago(at)),
            cell(&interval),
            monitor.address.as_deref().map_or_else(|| "-".to_string(), cell),
            monitor.uptime_24h.map_or_else(|| "-".to_string(), percent),
        ]
    }

    /// A table with its head, each line without white space at its end and, where `width` is given, no wider.
    pub fn table(self, monitors: &[MonitorLine], width: Option<usize>) -> Vec<String> {
        let mut rows = vec![self.heads()];
        rows.extend(monitors.iter().map(|monitor| self.cells(monitor)));
        let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
        let widths: [usize; 6] = std::array::from_fn(widest);
        let states = std::iter::once(None).chain(monitors.iter().map(|monitor| Some(monitor.state.as_str())));
        let line = |row: &[String; 6]| -> String {
            let cells = row.iter().zip(widths).map(|(cell, width)| pad(cell, width));
            cells.collect::<Vec<_>>().join(GAP).trim_end().to_string()
        };
        let cut = |text: String| width.map_or(text.clone(), |width| cut(&text, width));
        rows.iter().zip(states).map(|(row, state)| self.coloured(cut(line(row)), state, widths[0])).collect()
    }

    /// Colours the state at the beginning of a line, or the whole head.
    fn coloured(self, line: String, state: Option<&str>, width: usize) -> String {
        let code = match state {
            _ if !self.colours => return line,
            None => "1",
            Some("down") => "1;31",
            Some("late") => "33",
            Some("up") => "32",
            Some(_) => "2",
        };
        let (mut end, mut seen) = (line.len(), 0);
        for (at, c) in line.char_indices().filter(|_| state.is_some()) {
            if seen >= width {
                end = at;
                break;
            }
            seen += c.width().unwrap_or_default();
        }
        let (coloured, rest) = line.split_at(end);
        format!("\x1b[{code}m{coloured}\x1b[0m{rest}")
    }

    /// The word for a state.
    pub fn state(self, name: &str) -> &str {
        let Some(state) = State::ALL.into_iter().find(|state| state.name() == name) else { return name };
        match self.lang {
            Lang::En => state.name(),
            Lang::Zh => page::state_word(Lang::Zh, state),
        }
    }

    /// How long ago a moment was.
    pub fn ago(self, at: &str) -> String {
        let Some(at) = moment(at) else { return one_line(at).into_owned() };
        let span = self.span(Span(u64::try_from(self.now.0 - at.0).unwrap_or(0)));
        i18n::client::ago(&span).in_lang(self.lang)
    }

    /// When a moment comes.
    pub fn ahead(self, at: &str) -> String {
        let Some(at) = moment(at) else { return one_line(at).into_owned() };
        let span = self.span(Span(u64::try_from(at.0 - self.now.0).unwrap_or(0).saturating_add(999)));
        i18n::client::in_(&span).in_lang(self.lang)
    }

    /// A span in its largest unit.
    pub fn span(self, span: Span) -> String {
        let seconds = span.0 / 1000;
        let (amount, unit) = match seconds {
            0..60 => (seconds, i18n::view::UNIT_S),
            60..3600 => (seconds / 60, i18n::view::UNIT_MIN),
            3600..172_800 => (seconds / 3600, i18n::view::UNIT_H),
            _ => (seconds / 86_400, i18n::view::UNIT_D),
        };
        format!("{amount} {}", unit.in_lang(self.lang))
    }

    /// A moment by the clock of this machine.
    pub fn stamp(self, at: &str) -> String {
        let Some(at) = moment(at).and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok()) else {
            return one_line(at).into_owned();
        };
        at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn never(self) -> &'static str {
        i18n::client::NEVER.in_lang(self.lang)
    }

    /// How many monitors are in each state that any are in, the worst first.
    pub fn counts(self, counts: &serde_json::Value) -> String {
        let order = [State::Down, State::Late, State::Up, State::Paused, State::New];
        let count = |state: State| counts.get(state.name()).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let parts = order
            .into_iter()
            .map(|state| (count(state), state))
            .filter(|(count, state)| *count > 0 || matches!(state, State::Down | State::Up));
        let parts: Vec<String> =
            parts.map(|(count, state)| format!("{count} {}", self.state(state.name()))).collect();
        parts.join(i18n::client::COMMA.in_lang(self.lang))
    }
}

/// Reads a moment in RFC 3339.
pub fn moment(text: &str) -> Option<Wall> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Wall(at.as_millisecond()))
}

/// A share in percent; what is not all is never rounded up to all.
pub fn percent(share: f64) -> String {
    let percent = (share * 10_000.0).floor() / 100.0;
    format!("{percent:.2} %")
}

/// Rows of a name and a value, the values below each other; what has more lines goes on below its first.
pub fn facts(rows: &[(&str, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in rows {
        for (number, line) in value.lines().enumerate() {
            let name = if number == 0 { name } else { "" };
            text += format!("{}{GAP}{}", pad(name, widest), one_line(line)).trim_end();
            text.push('\n');
        }
    }
    text
}

/// A text filled up with blanks.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A text cut off where it is too wide.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let (mut shorter, mut seen) = (String::new(), 0);
    for c in text.chars() {
        seen += c.width().unwrap_or_default();
        if seen + 1 > width {
            break;
        }
        shorter.push(c);
    }
    if width > 0 { shorter + "…" } else { shorter }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_770_521_420_000);

    fn style(lang: Lang) -> TableStyle {
        TableStyle { now: NOW, lang, colours: false }
    }

    fn monitors() -> Vec<MonitorLine> {
        let one = MonitorLine {
            id: "数据库-1".into(),
            state: "down".into(),
            last_beat: Some("2026-02-08T03:28:00.000Z".into()),
            interval_s: 60.0,
            address: Some("192.168.1.53".into()),
            uptime_24h: Some(0.99999),
            ..MonitorLine::default()
        };
        let two = MonitorLine {
            id: "web".into(),
            state: "up".into(),
            interval_s: 1.5,
            asked_interval_s: Some(12.0),
            ..MonitorLine::default()
        };
        vec![one, two]
    }

    #[test]
    fn columns_stand_below_each_other_though_chinese_is_wide() {
        let lines = style(Lang::En).table(&monitors(), None);
        let want = [
            "STATE  ID        LAST BEAT  INTERVAL       ADDRESS       UPTIME 24H",
            "down   数据库-1  2 min ago  1m             192.168.1.53  99.99 %",
            "up     web       never      1s500ms → 12s  -             -",
        ];
        assert_eq!(lines, want);
        let lines = style(Lang::Zh).table(&monitors(), None);
        assert_eq!(lines[1].split_whitespace().next(), Some("离线"));
        assert_eq!(lines[0].find("标识").map(|at| lines[0][..at].width()), Some(6));
        assert_eq!(lines[2].find("web").map(|at| lines[2][..at].width()), Some(6));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 0..80 {
            for line in style(Lang::Zh).table(&monitors(), Some(width)) {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
        assert_eq!(cut("心跳", 3), "心…");
    }

    #[test]
    fn colours_touch_the_state_alone_and_change_no_width() {
        let plain = style(Lang::Zh).table(&monitors(), Some(40));
        let painted = TableStyle { colours: true, ..style(Lang::Zh) }.table(&monitors(), Some(40));
        assert!(painted[1].starts_with("\x1b[1;31m离线\x1b[0m"), "{:?}", painted[1]);
        for (plain, painted) in plain.iter().zip(&painted) {
            let parts =
                painted.split("\x1b[").map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
            // What stands before the first sequence is not cut.
            let bare: String = parts.collect();
            assert_eq!(&bare, plain);
        }
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        let style = style(Lang::En);
        assert_eq!(style.ago("2026-02-08T03:30:08.000Z"), "12 s ago");
        assert_eq!(style.ahead("2026-02-08T03:35:20.000Z"), "in 5 min");
        assert_eq!(style.ago("2026-02-05T03:30:08.000Z"), "3 d ago");
        assert_eq!(style.ago("not a time"), "not a time");
        assert_eq!(super::percent(1.0), "100.00 %");
    }

    #[test]
    fn what_comes_from_outside_moves_nothing_in_the_terminal() {
        let text = facts(&[("message", "first\nsecond \x1b[2J\u{202e}".to_string())]);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text:?}");
    }
}
