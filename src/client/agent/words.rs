//! The agent's texts in both languages.

use super::event::{AgentReport, AgentStatus};
use crate::client::cli::DialectChoice;
use crate::client::config::ClientSettings;
use crate::client::server_url::ServerProtocol;
use crate::domain::lang::Lang;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::Span;
use crate::i18n;

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
    Notice::Other { level, kind, text: sentence(settings, report) }
}

/// The same as a sentence.
pub fn sentence(settings: &ClientSettings, report: &AgentReport) -> String {
    let url = &settings.to;
    match settings.lang {
        Lang::En => match report {
            AgentReport::Answers if is_mute(settings) => format!("connected: {url}"),
            AgentReport::Answers => format!("the server answers: {url}"),
            AgentReport::Dead { reason: None, waited } => {
                format!("the server is dead: no answer from {url} for {}", shown(*waited))
            }
            AgentReport::Dead { reason: Some(reason), waited } => {
                format!("the server is dead: {}, for {}", reason.sentence(Lang::En), shown(*waited))
            }
            AgentReport::Back { away, kept: 0 } => {
                format!("the server is back: {url}, after {}", shown(*away))
            }
            AgentReport::Back { away, kept } => {
                format!("the server is back: {url}, after {}; {kept} beats were kept for it", shown(*away))
            }
            AgentReport::Interval(span) => format!("a beat every {span} from now on, as the server wants it"),
            AgentReport::TooSeldom { expected } => {
                format!("the server expects a beat every {expected}, and this agent sends fewer: see --every")
            }
            AgentReport::TooLong { asked, kept } => {
                format!(
                    "the server asks for a beat only every {asked}; it gets one every {kept}: see interval_max"
                )
            }
            AgentReport::Refused(failure) => failure.sentence(Lang::En).to_string(),
            AgentReport::TakesAgain => format!("{url} takes beats again"),
            AgentReport::Rejected { beats, reason } => format!("{url} rejects beats ({beats}): {reason}"),
            AgentReport::Dropped(beats) => format!("too many beats were kept, the oldest are lost: {beats}"),
        },
        Lang::Zh => match report {
            AgentReport::Answers if is_mute(settings) => format!("已连接：{url}"),
            AgentReport::Answers => format!("服务器有应答：{url}"),
            AgentReport::Dead { reason: None, waited } => {
                format!("服务器挂了：{url} 已 {} 没有应答", shown(*waited))
            }
            AgentReport::Dead { reason: Some(reason), waited } => {
                format!("服务器挂了：{}，已 {}", reason.sentence(Lang::Zh), shown(*waited))
            }
            AgentReport::Back { away, kept: 0 } => format!("服务器恢复了：{url}，中断 {}", shown(*away)),
            AgentReport::Back { away, kept } => {
                format!("服务器恢复了：{url}，中断 {}；为它保留了 {kept} 次心跳", shown(*away))
            }
            AgentReport::Interval(span) => format!("应服务器要求，此后每 {span} 发送一次心跳"),
            AgentReport::TooSeldom { expected } => {
                format!("服务器期望每 {expected} 一次心跳，而本机发送得更少：请检查 --every")
            }
            AgentReport::TooLong { asked, kept } => {
                format!("服务器要求每 {asked} 才一次心跳；仍每 {kept} 发送一次：见 interval_max")
            }
            AgentReport::Refused(failure) => failure.sentence(Lang::Zh).to_string(),
            AgentReport::TakesAgain => format!("{url} 又接受心跳了"),
            AgentReport::Rejected { beats, reason } => format!("{url} 不接受心跳（{beats} 次）：{reason}"),
            AgentReport::Dropped(beats) => format!("保留的心跳过多，丢弃最早的 {beats} 次"),
        },
    }
}

/// Whether nothing ever answers: all that is known then is that there is a connection.
fn is_mute(settings: &ClientSettings) -> bool {
    settings.to.protocol == ServerProtocol::Tcp && settings.dialect == DialectChoice::Frame
}

/// The first line of a run.
pub fn started(settings: &ClientSettings, id: &str, every: Span) -> String {
    let url = &settings.to;
    i18n::client::agent_started_beats_every(&id, &url, &every).in_lang(settings.lang)
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
