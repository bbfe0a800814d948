//! Tests of the client's command line: what is understood, what is refused, and both languages of its help.

use super::*;
use crate::config::testing::{assert_chinese, env};

fn read(line: &str) -> Result<ClientArgs, CliExit> {
    parse(std::iter::once("heartbeat").chain(line.split_whitespace()).map(Into::into), &env(&[]))
}

#[test]
fn every_command_of_the_manual_is_understood() {
    for line in [
        "send",
        "send --to http://hb --id web --status fail -m broken --interval 5m --grace 1m --tags a,b --rid 7",
        "--to hb:7777 send --status 3",
        "send --status -1073741510",
        "agent --to tcp://hb --id web --every 30s --timeout 10s --dialect pong --on-down d --on-up u -v",
        "run --to http://hb --id job -- true --to x",
        "run --id job true -x",
        "install --to localhost:7777 --every 60s",
        "install localhost:7777",
        "list",
        "list --state down --match web --json",
        "show web",
        "watch",
        "pause web --for 2h",
        "resume web",
        "remove web",
        "generate man",
        "generate completions zsh",
        "list --to unix:/run/heartbeat-server/control.sock",
    ] {
        assert!(read(line).is_ok(), "{line}: {:?}", read(line));
    }
}

#[test]
fn what_stands_behind_the_dashes_is_the_jobs() {
    for line in ["run --id job -- tool --id x --lang zh", "run --id job tool --id x --lang zh"] {
        let args = read(line).unwrap();
        let ClientTask::Run(run) = args.command else { panic!("{line}") };
        assert_eq!(run.command, ["tool", "--id", "x", "--lang", "zh"], "{line}");
        assert_eq!(run.id, Id::new("job").ok());
        assert_eq!(args.lang, None);
    }
}

#[test]
fn a_wrong_command_line_exits_64_and_speaks_on_stderr() {
    for (line, says) in [
        ("", "Usage"),
        ("beat", "beat"),
        ("send --to ftp://x", "not a URL"),
        ("send --id a//b", "must not begin or end with /"),
        ("send --id a//b", "the nearest valid one: a-b"),
        ("send --status 1.5", "not a status"),
        ("send --interval 0.5", "must be from 1s to 366d"),
        ("send x", "x"),
        ("agent --dialect morse", "auto, line, pong, hello, frame"),
        ("agent --timeout 0", "must be from 100ms to 1d"),
        ("install --to a b", "cannot be used with"),
        ("run --id x", "COMMAND"),
        ("show", "ID"),
        ("pause web --for", "a value is required"),
        ("generate completions ksh", "bash, zsh, fish"),
    ] {
        let exit = read(line).unwrap_err();
        assert_eq!((exit.code, exit.to_stdout), (64, false), "{line}");
        assert!(exit.text.contains(says), "{line}: {}", exit.text);
    }
    let long = format!("send -m {} --tags {}", "x".repeat(10_001), "t,".repeat(20));
    assert!(read(&long).is_ok(), "a beat is never lost to its decoration");
}

#[test]
fn complaints_are_chinese_when_chinese_is_asked_for() {
    for (line, says) in [
        ("--lang zh send --to ftp://x", "不是 URL"),
        ("--lang zh send --id a?b", "只能由任何文字的字母"),
        ("--lang zh send --id a?b", "组成；最接近的有效标识：a-b"),
        ("--lang zh send --status x", "不是状态"),
        ("--lang zh beat", "未知的命令 beat"),
        ("--lang zh agent --every 0", "应在 1s 到 366d 之间"),
    ] {
        let exit = read(line).unwrap_err();
        assert_eq!(exit.code, 64, "{line}");
        assert!(exit.text.contains(says), "{line}: {}", exit.text);
    }
}

#[test]
fn nothing_of_the_help_stays_english() {
    assert_chinese(&command(Lang::Zh));
}

#[test]
fn help_goes_to_stdout() {
    for line in ["--help", "send --help", "run -h"] {
        let exit = read(line).unwrap_err();
        assert_eq!((exit.code, exit.to_stdout), (0, true), "{line}");
    }
    let text = concat!("heartbeat ", env!("CARGO_PKG_VERSION"), "\n").to_string();
    assert_eq!(read("--version"), Err(CliExit { code: 0, text, to_stdout: true }));
}
