//! Tests of the command line: what is understood, what is refused and with which exit code, and the two help texts.

use super::*;
use crate::config::testing::{assert_chinese, env};

fn read(line: &str) -> Result<Args, CliExit> {
    parse(std::iter::once("heartbeat-server").chain(line.split_whitespace()).map(Into::into), &env(&[]))
}

#[test]
fn what_is_typed_arrives_as_values() {
    assert_eq!(read(""), Ok(Args::default()));
    assert_eq!(read("8080"), Ok(Args { port: Some(8080), ..Args::default() }));
    let args = read(
        "-c a.toml --http 80 --http unix:x --state-dir s --log stderr --log file:/l --log-format json --lang zh -d \
         --pid-file p --user u --group g -vv",
    );
    assert_eq!(
        args,
        Ok(Args {
            http: vec![
                ListenChoice::At(ListenAddress::Any(80)),
                ListenChoice::At(ListenAddress::Unix("x".into()))
            ],
            config: Some("a.toml".into()),
            state_dir: Some("s".into()),
            log: vec![Target::Stderr, Target::File("/l".into())],
            log_format: Some(Format::Json),
            lang: Some(LangChoice::Fixed(Lang::Zh)),
            daemon: true,
            pid_file: Some("p".into()),
            user: Some("u".into()),
            group: Some("g".into()),
            verbose: 2,
            ..Args::default()
        })
    );
    assert_eq!(read("--http off").map(|args| args.http), Ok(vec![ListenChoice::Off]));
}

#[test]
fn global_options_stand_on_either_side_of_a_command() {
    let check = |file: Option<&str>| Some(Task::CheckConfig { file: file.map(Into::into), offline: false });
    for line in ["-c a check-config", "check-config -c a"] {
        let args = read(line).unwrap();
        assert_eq!((args.config, args.command), (Some("a".into()), check(None)), "{line}");
    }
    assert_eq!(read("check-config a").unwrap().command, check(Some("a")));
    assert_eq!(read("check-config --state-dir s").unwrap().state_dir, Some("s".into()));
    let shell = |line: &str| match read(line).unwrap().command {
        Some(Task::Generate { what: Product::Completions { shell } }) => shell,
        other => panic!("{other:?}"),
    };
    assert_eq!(shell("generate completions fish"), Shell::Fish);
}

#[test]
fn a_firewall_command_says_what_where_and_for_whom() {
    let read = |line: &str| match read(line).unwrap().command {
        Some(Task::Firewall(firewall)) => firewall,
        other => panic!("{other:?}"),
    };
    let plain = Firewall {
        action: FirewallAction::Open,
        http: false,
        tcp: false,
        backend: None,
        from: Vec::new(),
        dry_run: false,
    };
    assert_eq!(read("firewall open"), plain);
    assert_eq!(
        read("firewall close --http --tcp --backend nft --from 10.1.2.3/8 --from ::1 --dry-run"),
        Firewall {
            action: FirewallAction::Close,
            http: true,
            tcp: true,
            backend: Some(BackendChoice(Some(Backend::Nft))),
            from: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            dry_run: true,
        }
    );
    assert_eq!(read("firewall status --backend auto").backend, Some(BackendChoice(None)));
    // The daemon's --http takes an address and stands before the command; the command's own is a switch.
    assert!(read("--http 8080 firewall open --http").http);
}

#[test]
fn a_wrong_command_line_exits_64_and_speaks_on_stderr() {
    for (line, says) in [
        ("99999", "not a port"),
        ("0", "not a port"),
        ("+80", "neither a port nor a command"),
        ("fierwall", "neither a port nor a command"),
        ("80 81", "81"),
        ("--udp 7778", "--udp"),
        ("--http 1.2.3:80", "not an IPv4 address"),
        ("--http 80 81 --http 82", "cannot be used together"),
        ("8080 --http 80", "PORT and --http cannot be used together"),
        ("8080 check-config", "PORT cannot be used with a command"),
        ("--http off --http 80", "--http off stands alone"),
        ("--tcp off --tcp 80", "--tcp off stands alone"),
        ("check-config a -c b", "FILE and --config cannot be used together"),
        ("-c a -c b", "multiple times"),
        ("-c", "a value is required"),
        ("-v -q", "cannot be used with"),
        ("--log x", "not a log target"),
        ("--log-format x", "classic, text, json"),
        ("--lang fr", "auto, en, zh"),
        ("--user=", "--user"),
        ("firewall", "<ACTION>"),
        ("firewall shut", "open, close, status"),
        ("firewall open --backend pf", "firewalld"),
        ("firewall open --from x", "not a network"),
        ("firewall open --from 0.0.0.0/0", "leave --from out"),
        ("firewall status --from 10.0.0.0/8", "--from goes with open and close"),
        ("80 firewall open", "PORT cannot be used with a command"),
        ("generate", "completions"),
        ("generate completions", "SHELL"),
        ("generate completions ksh", "bash, zsh, fish"),
    ] {
        let exit = read(line).unwrap_err();
        assert_eq!((exit.code, exit.to_stdout), (64, false), "{line}");
        assert!(exit.text.contains(says), "{line}: {}", exit.text);
        assert!(exit.text.ends_with('\n'), "{line}");
    }
}

#[test]
fn complaints_are_chinese_when_chinese_is_asked_for() {
    for (line, says) in [
        ("--lang zh 99999", "错误：[PORT] 的值 '99999' 无效：不是端口"),
        ("--lang=zh fierwall", "既不是端口，也不是命令"),
        ("--lang zh --http 1.2.3:80", "不是 IPv4 地址"),
        ("--lang zh --htp 80", "错误：未知的参数 --htp；是否想写 --http"),
        ("--lang zh 80 check-config", "端口不能与子命令同时使用"),
        ("--lang zh -c a -c b", "--config <FILE> 不能重复"),
        ("--lang zh -v -q", "不能与 --quiet"),
        ("--lang zh --log-format x", "可用的值：classic、text、json"),
        ("--lang zh -c", "缺少值"),
        ("--lang zh firewall open --from x", "不是网络"),
        ("--lang zh generate completions", "缺少参数 <SHELL>"),
    ] {
        let exit = read(line).unwrap_err();
        assert_eq!(exit.code, 64, "{line}");
        assert!(exit.text.contains(says), "{line}: {}", exit.text);
    }
}

#[test]
fn help_follows_flag_then_variable_then_locale() {
    let speaks = |vars: &[(&str, &str)], line: &str| {
        let words = std::iter::once("heartbeat-server").chain(line.split_whitespace()).map(Into::into);
        let exit = parse(words, &env(vars)).unwrap_err();
        assert_eq!((exit.code, exit.to_stdout), (0, true));
        if exit.text.contains("用法：") { Lang::Zh } else { Lang::En }
    };
    assert_eq!(speaks(&[], "--help"), Lang::En);
    assert_eq!(speaks(&[("LANG", "zh_CN.UTF-8")], "-h"), Lang::Zh);
    assert_eq!(speaks(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], "-h"), Lang::En);
    assert_eq!(speaks(&[("LANG", "zh_CN.UTF-8"), ("HEARTBEAT_LANG", "en")], "-h"), Lang::En);
    assert_eq!(speaks(&[("HEARTBEAT_LANG", "en")], "check-config --help --lang zh"), Lang::Zh);
    assert_eq!(speaks(&[("HEARTBEAT_LANG", "en")], "--lang=zh check-config --help"), Lang::Zh);
}

#[test]
fn the_version_goes_to_stdout() {
    let text = concat!("heartbeat-server ", env!("CARGO_PKG_VERSION"), "\n").to_string();
    assert_eq!(read("--version"), Err(CliExit { code: 0, text, to_stdout: true }));
}

#[test]
fn help_reads_as_reviewed() {
    let help = |line: &str| read(line).unwrap_err().text;
    assert_eq!(help("--help"), include_str!("testdata/help.en.txt"));
    assert_eq!(help("--lang zh --help"), include_str!("testdata/help.zh.txt"));
}

#[test]
fn nothing_of_the_help_stays_english() {
    assert_chinese(&command(Lang::Zh));
}

#[test]
fn every_option_has_a_variable() {
    let command = command(Lang::En);
    for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
        let long = format!("--{}", arg.get_long().unwrap());
        let listed = VARIABLES.iter().any(|(_, option)| *option == long);
        assert!(listed || matches!(long.as_str(), "--help" | "--version"), "{long}");
    }
}
