//! What the agent tells people, in both languages.

use super::core::{Standing, Tiding};
use crate::client::cli::Dialect;
use crate::client::config::Settings;
use crate::client::target::Protocol;
use crate::domain::lang::Lang;
use crate::domain::notice::{Level, Notice};
use crate::domain::time::Span;

/// The notice for a tiding.
pub fn notice(settings: &Settings, tiding: &Tiding) -> Notice {
    let (level, kind) = match tiding {
        Tiding::Answers => (Level::Notice, "server_answers"),
        Tiding::Dead { .. } => (Level::Error, "server_dead"),
        Tiding::Back { .. } => (Level::Notice, "server_back"),
        Tiding::Interval(_) => (Level::Notice, "interval"),
        Tiding::TooSeldom { .. } => (Level::Warning, "too_seldom"),
        Tiding::TooLong { .. } => (Level::Warning, "too_long"),
        Tiding::Refused(_) => (Level::Warning, "refused"),
        Tiding::TakesAgain => (Level::Notice, "takes_again"),
        Tiding::Rejected { .. } => (Level::Warning, "rejected"),
        Tiding::Dropped(_) => (Level::Warning, "dropped"),
    };
    Notice::Other { level, kind, text: sentence(settings, tiding) }
}

/// The same as a sentence.
pub fn sentence(settings: &Settings, tiding: &Tiding) -> String {
    let url = &settings.to;
    match settings.lang {
        Lang::En => match tiding {
            Tiding::Answers if is_mute(settings) => format!("connected: {url}"),
            Tiding::Answers => format!("the server answers: {url}"),
            Tiding::Dead { reason: None, waited } => {
                format!("the server is dead: no answer from {url} for {}", shown(*waited))
            }
            Tiding::Dead { reason: Some(reason), waited } => {
                format!("the server is dead: {}, for {}", reason.say(Lang::En), shown(*waited))
            }
            Tiding::Back { away, kept: 0 } => format!("the server is back: {url}, after {}", shown(*away)),
            Tiding::Back { away, kept } => {
                format!("the server is back: {url}, after {}; {kept} beats were kept for it", shown(*away))
            }
            Tiding::Interval(span) => format!("a beat every {span} from now on, as the server wants it"),
            Tiding::TooSeldom { expected } => {
                format!("the server expects a beat every {expected}, and this agent sends fewer: see --every")
            }
            Tiding::TooLong { asked, kept } => {
                format!(
                    "the server asks for a beat only every {asked}; it gets one every {kept}: see interval_max"
                )
            }
            Tiding::Refused(failure) => failure.say(Lang::En).to_string(),
            Tiding::TakesAgain => format!("{url} takes beats again"),
            Tiding::Rejected { beats, reason } => format!("{url} rejects beats ({beats}): {reason}"),
            Tiding::Dropped(beats) => format!("too many beats were kept, the oldest are lost: {beats}"),
        },
        Lang::Zh => match tiding {
            Tiding::Answers if is_mute(settings) => format!("已连接：{url}"),
            Tiding::Answers => format!("服务器有应答：{url}"),
            Tiding::Dead { reason: None, waited } => {
                format!("服务器挂了：{url} 已 {} 没有应答", shown(*waited))
            }
            Tiding::Dead { reason: Some(reason), waited } => {
                format!("服务器挂了：{}，已 {}", reason.say(Lang::Zh), shown(*waited))
            }
            Tiding::Back { away, kept: 0 } => format!("服务器恢复了：{url}，中断 {}", shown(*away)),
            Tiding::Back { away, kept } => {
                format!("服务器恢复了：{url}，中断 {}；为它保留了 {kept} 次心跳", shown(*away))
            }
            Tiding::Interval(span) => format!("应服务器要求，此后每 {span} 发送一次心跳"),
            Tiding::TooSeldom { expected } => {
                format!("服务器期望每 {expected} 一次心跳，而本机发送得更少：请检查 --every")
            }
            Tiding::TooLong { asked, kept } => {
                format!("服务器要求每 {asked} 才一次心跳；仍每 {kept} 发送一次：见 interval_max")
            }
            Tiding::Refused(failure) => failure.say(Lang::Zh).to_string(),
            Tiding::TakesAgain => format!("{url} 又接受心跳了"),
            Tiding::Rejected { beats, reason } => format!("{url} 不接受心跳（{beats} 次）：{reason}"),
            Tiding::Dropped(beats) => format!("保留的心跳过多，丢弃最早的 {beats} 次"),
        },
    }
}

/// Whether nothing ever answers: all that is known then is that there is a connection.
fn is_mute(settings: &Settings) -> bool {
    settings.to.protocol == Protocol::Tcp && settings.dialect == Dialect::Frame
}

/// The first line of a run.
pub fn started(settings: &Settings, id: &str, every: Span) -> String {
    let url = &settings.to;
    settings.lang.pick(
        format!("agent started: beats of {id} to {url}, every {every}"),
        format!("代理已启动：{id} 每 {every} 向 {url} 发送心跳"),
    )
}

/// Where things stand, in one line, for the service manager.
pub fn status(settings: &Settings, standing: &Standing) -> String {
    let Standing { alive, answered, kept, dropped, interval } = *standing;
    let url = &settings.to;
    let lang = settings.lang;
    let mut line = match (alive, answered) {
        (Some(true), _) if is_mute(settings) => {
            lang.pick(format!("connected to {url}"), format!("已连接 {url}"))
        }
        (Some(true), Some(ago)) => lang.pick(
            format!("{url} answers, last {} ago", shown(ago)),
            format!("{url} 有应答，最近一次在 {} 前", shown(ago)),
        ),
        (Some(false), _) => lang.pick(format!("{url} is dead"), format!("{url} 挂了")),
        _ => lang.pick(format!("waiting for {url}"), format!("等待 {url}")),
    };
    line += &lang.pick(format!("; every {interval}"), format!("；间隔 {interval}"));
    if kept > 0 {
        line += &lang.pick(format!("; {kept} beats kept"), format!("；保留 {kept} 次心跳"));
    }
    if dropped > 0 {
        line += &lang.pick(format!("; {dropped} lost"), format!("；丢失 {dropped} 次"));
    }
    line
}

/// Whole seconds, as people count.
fn shown(span: Span) -> Span {
    if span.0 >= 1_000 { Span(span.0 / 1_000 * 1_000) } else { span }
}
