//! What the agent says of what it has found.

use super::event::{AgentReport, AgentStatus};
use crate::client::cli::DialectChoice;
use crate::client::config::ClientSettings;
use crate::client::server_url::ServerProtocol;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::Span;
use crate::i18n::{self, Text};

/// The notice for a tiding.
pub fn notice(settings: &ClientSettings, report: &AgentReport) -> Notice {
    let (level, kind) = match report {
        AgentReport::Answers => (Level::Notice, "server_answers"),
        AgentReport::Dead { .. } => (Level::Error, "server_dead"),
        AgentReport::Back { .. } => (Level::Notice, "server_back"),
        AgentReport::Interval(_) => (Level::Notice, "interval"),
        AgentReport::TooSeldom { .. } => (Level::Warning, "too_seldom"),
        AgentReport::TooLong { .. } => (Level::Warning, "too_long"),
        AgentReport::Refused(_) => (Level::Warning, "refused"),
        AgentReport::TakesAgain => (Level::Notice, "takes_again"),
        AgentReport::Rejected { .. } => (Level::Warning, "rejected"),
        AgentReport::Dropped(_) => (Level::Warning, "dropped"),
    };
    Notice::Other { level, kind, text: text(settings, report) }
}

/// What it says. Of several servers it always says which.
pub fn text(settings: &ClientSettings, report: &AgentReport) -> Text {
    let plain = text_of_one(settings, report);
    let url = settings.to.to_string();
    match settings.has_several() && !plain.say(settings.lang).contains(&url) {
        true => i18n::client::server_says(&url, &plain),
        false => plain,
    }
}

fn text_of_one(settings: &ClientSettings, report: &AgentReport) -> Text {
    let url = &settings.to;
    match report {
        AgentReport::Answers if is_mute(settings) => i18n::client::agent_connected(url),
        AgentReport::Answers => i18n::client::agent_answers(url),
        AgentReport::Dead { reason: None, waited } => i18n::client::agent_dead(url, &shown(*waited)),
        AgentReport::Dead { reason: Some(reason), waited } => {
            i18n::client::agent_dead_because(reason.text(), &shown(*waited))
        }
        AgentReport::Back { away, kept: 0 } => i18n::client::agent_back(url, &shown(*away)),
        AgentReport::Back { away, kept } => i18n::client::agent_back_kept(url, &shown(*away), kept),
        AgentReport::Interval(span) => i18n::client::agent_interval(span),
        AgentReport::TooSeldom { expected } => i18n::client::agent_too_seldom(expected),
        AgentReport::TooLong { asked, kept } => i18n::client::agent_too_long(asked, kept),
        AgentReport::Refused(failure) => failure.text().clone(),
        AgentReport::TakesAgain => i18n::client::agent_takes_again(url),
        AgentReport::Rejected { beats, reason } => i18n::client::agent_rejected(url, beats, reason),
        AgentReport::Dropped(beats) => i18n::client::agent_dropped(beats),
    }
}

/// Whether nothing ever answers: all that is known then is that there is a connection.
fn is_mute(settings: &ClientSettings) -> bool {
    settings.to.protocol == ServerProtocol::Tcp && settings.dialect == DialectChoice::Frame
}

/// The first line of a run.
pub fn started(settings: &ClientSettings, id: &str, every: Span) -> Text {
    let url = settings.servers().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    i18n::client::agent_started_beats_every(&id, &url, &every)
}

/// Where things stand, in one line, for the service manager.
pub fn status(settings: &ClientSettings, status_now: &AgentStatus) -> String {
    let AgentStatus { alive, answered, kept, dropped, interval } = *status_now;
    let url = &settings.to;
    let lang = settings.lang;
    let mut line = match (alive, answered) {
        (Some(true), _) if is_mute(settings) => i18n::client::connected(&url).in_lang(lang),
        (Some(true), Some(ago)) => i18n::client::answers_last_ago(&url, &shown(ago)).in_lang(lang),
        (Some(false), _) => i18n::client::dead(&url).in_lang(lang),
        _ => i18n::client::waiting(&url).in_lang(lang),
    };
    line += &i18n::client::every(&interval).in_lang(lang);
    if kept > 0 {
        line += &i18n::client::beats_kept(&kept).in_lang(lang);
    }
    if dropped > 0 {
        line += &i18n::client::lost(&dropped).in_lang(lang);
    }
    line
}

/// Whole seconds, as people count.
fn shown(span: Span) -> Span {
    if span.0 >= 1_000 { Span(span.0 / 1_000 * 1_000) } else { span }
}
