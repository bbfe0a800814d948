//! Where things stand, in one line: for the service manager's STATUS and for SIGUSR1.

use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::registry::Counts;
use crate::i18n;

/// What the line is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusLine {
    /// Monitors by state.
    pub counts: Counts,
    /// Beats a second of late.
    pub beats_per_second: f64,
    /// Connections open.
    pub connections: u64,
    /// Log lines lost since the start.
    pub log_lines_dropped: u64,
    /// Log targets that fail at the moment.
    pub failing: Vec<String>,
    /// Why beats are refused.
    pub refusing: Option<String>,
    /// What else is wrong with what is kept.
    pub degraded: Vec<String>,
    /// How the process is confined, in a few words; empty: nothing is said of it.
    pub confinement: String,
}

/// E.g. `4 up, 1 late, 0 down; 66 beats/s; 5 connections`, and what is wrong, if anything is.
pub fn line(lang: Lang, standing: &StatusLine) -> String {
    let n = |state: State| standing.counts[state as usize];
    let (up, late, down) = (n(State::Up), n(State::Late), n(State::Down));
    let rate = standing.beats_per_second.round();
    let connections = standing.connections;
    let mut line = i18n::view::up_late_down_beats(&up, &late, &down, &rate, &connections).in_lang(lang);
    if standing.log_lines_dropped > 0 {
        let lost = standing.log_lines_dropped;
        line += &i18n::view::log_lines_lost(&lost).in_lang(lang);
    }
    if !standing.failing.is_empty() {
        let failing = standing.failing.join(", ");
        line += &i18n::view::failing(&failing).in_lang(lang);
    }
    let (refused, wrong, colon, between) = (
        i18n::view::BEATS_REFUSED.in_lang(lang),
        i18n::view::DEGRADED.in_lang(lang),
        i18n::view::COLON.in_lang(lang),
        i18n::view::SEMICOLON.in_lang(lang),
    );
    // The service manager shows the beginning of a long line, so what matters most stands there.
    if let Some(reason) = &standing.refusing {
        line = format!("{refused}{colon}{reason}{between}{line}");
    }
    for reason in &standing.degraded {
        line += &format!("{between}{wrong}{colon}{reason}");
    }
    if !standing.confinement.is_empty() {
        line += &format!("{between}{}", standing.confinement);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_reads_as_promised() {
        let mut standing = StatusLine {
            counts: [0, 4, 1, 0, 0],
            beats_per_second: 66.3,
            connections: 5,
            log_lines_dropped: 0,
            failing: vec![],
            refusing: None,
            degraded: vec![],
            confinement: String::new(),
        };
        assert_eq!(line(Lang::En, &standing), "4 up, 1 late, 0 down; 66 beats/s; 5 connections");
        assert_eq!(line(Lang::Zh, &standing), "在线 4，迟到 1，离线 0；每秒 66 次心跳；5 个连接");
        standing.log_lines_dropped = 7;
        standing.failing = vec!["syslog".into()];
        assert!(line(Lang::En, &standing).ends_with("5 connections; 7 log lines lost; failing: syslog"));
        standing.degraded = vec!["cannot keep the state".into()];
        standing.refusing = Some("no space".into());
        let said = line(Lang::En, &standing);
        assert!(said.starts_with("BEATS ARE REFUSED: no space; 4 up,"), "{said}");
        assert!(said.ends_with("failing: syslog; degraded: cannot keep the state"), "{said}");
        standing.confinement = "confined by itself: files".into();
        assert!(line(Lang::En, &standing).ends_with("; confined by itself: files"));
        let said = line(Lang::Zh, &standing);
        assert!(said.starts_with("拒绝接收心跳：no space；在线 4"), "{said}");
    }
}
