//! Why a monitor is down, in words: what is true of a failure is not said of silence, and a job that runs is not silent.

use super::signal::Signal;
use crate::domain::alert::message::age;
use crate::domain::beat::{Exit, Status};
use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::domain::record::{Cause, Reason};
use crate::domain::time::{Span, Wall};
use crate::i18n::{self, Word};

/// A state as people call it.
pub fn state(state: State) -> Word {
    match state {
        State::New => i18n::view::NEW,
        State::Up => i18n::view::UP,
        State::Late => i18n::view::LATE,
        State::Down => i18n::view::DOWN,
        State::Paused => i18n::view::PAUSED,
    }
}

/// How a run ended that has failed: `exit code 11`, `killed by signal 9 (SIGKILL)`.
pub fn exit(lang: Lang, exit: Exit) -> String {
    match exit {
        Exit::Code(code) => i18n::view::exit_code(&code).in_lang(lang),

        Exit::Signal(number) => i18n::view::killed(&Signal(number).text()).in_lang(lang),
    }
}

/// What is behind `X is down, `; nothing for silence, of which the one who asks knows how long it has lasted. `since`: when it
/// went down.
pub fn clause(lang: Lang, reason: &Reason, since: Wall) -> Option<String> {
    let text = match (reason.cause, reason.exit) {
        (Cause::Silence, _) => return None,
        (Cause::Fail, Some(how)) => exit(lang, how),
        (Cause::Fail, None) => i18n::view::REPORTED_FAILURE.in_lang(lang).into(),
        // It may have been heard since.
        (Cause::NeverHeard, _) => i18n::view::NO_FIRST_BEAT_TIME.in_lang(lang).into(),
        (Cause::RunTooLong, _) => match reason.run_started.map(|started| whole_s(age(started, since))) {
            Some(limit) if limit > Span(0) => i18n::view::run_longer_than(&limit).in_lang(lang),
            _ => i18n::view::RUN_TAKES_TOO_LONG.in_lang(lang).into(),
        },
    };
    Some(text)
}

/// A few words, for tables.
pub fn name(lang: Lang, reason: &Reason) -> String {
    match (reason.cause, reason.exit) {
        (Cause::Fail, Some(how)) => exit(lang, how),
        (Cause::Fail, None) => i18n::view::REPORTED_FAILURE_2.in_lang(lang).into(),
        (Cause::Silence, _) => i18n::view::NO_BEAT_TIME.in_lang(lang).into(),
        (Cause::RunTooLong, _) => i18n::view::RUN_TAKES_TOO_LONG_2.in_lang(lang).into(),
        (Cause::NeverHeard, _) => i18n::view::NO_FIRST_BEAT_TIME.in_lang(lang).into(),
    }
}

/// Why a monitor is down that stands so, in a few words: one that did not come in time the first time may have failed since.
pub fn present(lang: Lang, opened: &Reason, beats: u64, status: Status) -> String {
    match (opened.cause, status.verdict()) {
        (Cause::NeverHeard, Some(false)) if beats > 0 => {
            name(lang, &Reason { exit: status.failure(), ..Cause::Fail.into() })
        }
        _ => name(lang, opened),
    }
}

/// Milliseconds by which a limit seems not to be over yet when its end was found by another clock than it is told by.
const OFF_MS: u64 = 10;

fn whole_s(span: Span) -> Span {
    Span(span.0.saturating_add(OFF_MS) / 1000 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_well_in_both_languages() {
        let fail = |exit| Reason { exit, ..Cause::Fail.into() };
        let run = Reason { run_started: Some(Wall(1_000)), ..Cause::RunTooLong.into() };
        let just_over = Reason { run_started: Some(Wall(40_501)), ..run };
        for (reason, en, zh) in [
            (fail(None), "it reported a failure", "自报故障"),
            (fail(Some(Exit::Code(11))), "exit code 11", "退出码 11"),
            (fail(Some(Exit::Code(-1_073_741_510))), "exit code -1073741510", "退出码 -1073741510"),
            (fail(Some(Exit::Signal(9))), "killed by signal 9 (SIGKILL)", "被信号 9（SIGKILL）终止"),
            (run, "its run takes longer than 40s", "任务运行超过 40s 仍未结束"),
            (just_over, "its run takes longer than 1s", "任务运行超过 1s 仍未结束"),
            (Cause::RunTooLong.into(), "its run takes too long", "任务运行时间过长"),
            (Cause::NeverHeard.into(), "no first beat in time", "未按时收到首次心跳"),
        ] {
            let said = |lang| clause(lang, &reason, Wall(41_500)).unwrap();
            assert_eq!((said(Lang::En), said(Lang::Zh)), (en.into(), zh.into()));
        }
        assert_eq!(clause(Lang::En, &Cause::Silence.into(), Wall(0)), None);
        for cause in Cause::ALL {
            assert!(!name(Lang::En, &cause.into()).is_empty() && !name(Lang::Zh, &cause.into()).is_empty());
        }
    }
}
