//! Tests of the command on a ufw that is played here: it keeps its rules between the calls.

use super::*;
use crate::config::cli::BackendChoice;
use crate::config::testing::{Dir, env};
use crate::sys::firewall::ask::{FirewallError, ProgramOutput};

/// ufw, and nothing else.
#[derive(Default)]
struct Ufw {
    active: bool,
    /// As `ufw show added` lists them.
    rules: Vec<String>,
    /// What changed anything.
    changes: Vec<String>,
    /// A word that makes a command fail.
    fails_at: Option<&'static str>,
    /// Takes every command and does nothing.
    deaf: bool,
}

impl Ask for Ufw {
    fn ask(&mut self, call: &Call) -> Result<ProgramOutput, FirewallError> {
        if call.program != "ufw" {
            return Err(FirewallError::Missing { program: call.program });
        }
        let answer = |code, out: &str| Ok(ProgramOutput { code, out: out.into(), err: String::new() });
        let words: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
        match words[..] {
            ["status"] => answer(0, if self.active { "Status: active\n" } else { "Status: inactive\n" }),
            ["show", "added"] => {
                answer(0, &self.rules.iter().map(|rule| format!("ufw {rule}\n")).collect::<String>())
            }
            _ if self.fails_at.is_some_and(|word| words.iter().any(|w| w.contains(word))) => {
                Ok(ProgramOutput { code: 1, out: String::new(), err: "ERROR: the disk is full\n".into() })
            }
            _ if self.deaf => answer(0, ""),
            ["delete", ref rule @ ..] => {
                let rule = rule.join(" ");
                self.changes.push(format!("-{rule}"));
                self.rules.retain(|known| known.split(" comment").next() != Some(&rule));
                answer(0, "Rule deleted\n")
            }
            _ => {
                let rule = words.join(" ").replace("comment heartbeat-server", "comment 'heartbeat-server'");
                self.changes.push(format!("+{rule}"));
                self.rules.push(rule);
                answer(0, "Rule added\n")
            }
        }
    }
}

fn options(action: FirewallAction) -> Firewall {
    Firewall { action, http: false, tcp: false, backend: None, from: Vec::new(), dry_run: false }
}

fn open() -> Firewall {
    options(FirewallAction::Open)
}

fn active() -> Ufw {
    Ufw { active: true, rules: vec!["allow 22/tcp".into(), "deny 7777".into()], ..Ufw::default() }
}

/// Runs the command with a configuration; its exit code and both outputs.
fn run_with(config: &str, options: &Firewall, ufw: &mut Ufw) -> (u8, String, String) {
    let dir = Dir::new();
    let args = Args { config: Some(dir.write("main.toml", config)), ..Args::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&args, options, &env(&[]), ufw, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), dir.strip(&String::from_utf8(err).unwrap()))
}

const ONE: &str = "[[listen]]\naddress = \"7777\"\n";

#[test]
fn open_twice_and_close_twice() {
    let mut ufw = active();
    let before = ufw.rules.clone();
    let (code, out, err) = run_with(ONE, &open(), &mut ufw);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "ufw allow 7777/tcp comment heartbeat-server\n\
         7777 (http)  ufw, user rules: open to everyone\n    not ours: ufw deny 7777\n"
    );
    let (code, out, _) = run_with(ONE, &open(), &mut ufw);
    assert_eq!((code, out.lines().next()), (0, Some("nothing to do")));
    let close = options(FirewallAction::Close);
    let (code, out, _) = run_with(ONE, &close, &mut ufw);
    assert_eq!((code, out.lines().next()), (0, Some("ufw delete allow 7777/tcp")));
    let (code, out, _) = run_with(ONE, &close, &mut ufw);
    assert_eq!((code, out.lines().next()), (0, Some("nothing to do")));
    assert_eq!(ufw.rules, before);
}

#[test]
fn http_and_tcp_are_chosen_by_what_is_spoken_there() {
    let three =
        format!("{ONE}[[listen]]\nprotocol = \"tcp\"\naddress = \"9\"\n[[listen]]\naddress = \"[::]:80\"\n");
    let ports = |config: &str, http, tcp| {
        let (code, out, _) =
            run_with(config, &Firewall { http, tcp, dry_run: true, ..open() }, &mut active());
        assert_eq!(code, 0);
        out.lines().map(|line| line.split(' ').nth(2).unwrap().to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ports(&three, false, false), "9/tcp 80/tcp 7777/tcp");
    assert_eq!(ports(&three, true, true), "9/tcp 80/tcp 7777/tcp");
    assert_eq!(ports(&three, true, false), "80/tcp 7777/tcp");
    assert_eq!(ports(&three, false, true), "9/tcp");
    assert_eq!(ports("", false, false), "7777/tcp 7778/tcp");
}

#[test]
fn one_network_takes_the_place_of_everyone() {
    let mut ufw = active();
    run_with(ONE, &open(), &mut ufw);
    let some = Firewall { from: vec!["10.0.0.0/8".parse().unwrap()], ..open() };
    let (code, out, _) = run_with(ONE, &some, &mut ufw);
    assert_eq!(code, 0);
    assert!(out.contains("7777 (http)  ufw, user rules: open to 10.0.0.0/8\n"), "{out}");
    let (_, out, _) = run_with(ONE, &Firewall { action: FirewallAction::Close, ..some }, &mut ufw);
    assert!(out.contains("not opened by heartbeat-server"), "{out}");
    assert_eq!(ufw.rules, active().rules);
}

#[test]
fn a_dry_run_prints_commands_and_changes_nothing() {
    let mut ufw = active();
    let (code, out, err) = run_with(ONE, &Firewall { dry_run: true, ..open() }, &mut ufw);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "ufw allow 7777/tcp comment heartbeat-server\n", ""));
    assert!(ufw.changes.is_empty());
    run_with(ONE, &open(), &mut ufw);
    let (_, out, err) = run_with(ONE, &Firewall { dry_run: true, ..open() }, &mut ufw);
    assert_eq!((out.as_str(), err.as_str()), ("", "nothing to do\n"));
}

#[test]
fn what_only_this_machine_reaches_needs_no_opening() {
    let config = "[[listen]]\naddress = \"127.0.0.1:7777\"\n[[listen]]\naddress = \"unix:/run/x\"\n\
                  [[listen]]\naddress = \"localhost:7\"\n";
    let mut ufw = active();
    let (code, out, _) = run_with(config, &open(), &mut ufw);
    assert_eq!(code, 0);
    for address in ["127.0.0.1:7777", "unix:/run/x", "localhost:7"] {
        assert!(out.contains(&format!("{address} (http) is for this machine only")), "{out}");
    }
    assert!(ufw.changes.is_empty());
}

#[test]
fn close_takes_ports_of_an_earlier_configuration_too() {
    let mut ufw = active();
    run_with(ONE, &open(), &mut ufw);
    let (_, out, _) =
        run_with("[[listen]]\naddress = \"8080\"\n", &options(FirewallAction::Status), &mut ufw);
    assert!(out.contains("7777 (not in the configuration)  ufw, user rules: open to everyone"), "{out}");
    // Even when the configuration cannot be read.
    let (code, ..) = run_with("x = 1", &options(FirewallAction::Close), &mut ufw);
    assert_eq!((code, ufw.rules), (0, active().rules));
}

#[test]
fn without_root_nothing_is_asked() {
    let mut nobody = env(&[]);
    nobody.is_root = false;
    for (lang, says) in [("en", "run it with sudo"), ("zh", "sudo")] {
        let args = Args { lang: Some(lang.parse().unwrap()), ..Args::default() };
        let (mut out, mut err, mut ufw) = (Vec::new(), Vec::new(), active());
        let code = run(&args, &open(), &nobody, &mut ufw, &mut out, &mut err);
        assert_eq!((code, out.len(), ufw.changes.len()), (77, 0, 0));
        assert!(String::from_utf8(err).unwrap().contains(says));
    }
}

#[test]
fn a_machine_without_a_firewall_needs_none_opened() {
    let mut off = Ufw { active: false, ..active() };
    let (code, out, _) = run_with(ONE, &open(), &mut off);
    assert_eq!(
        (code, out.lines().next()),
        (0, Some("no firewall is active on this machine: there is nothing to open"))
    );
    assert!(off.changes.is_empty());
    // Told to, it prepares one that is off.
    let forced = Firewall { backend: Some(BackendChoice(Some(Backend::Ufw))), ..open() };
    let (code, out, _) = run_with(ONE, &forced, &mut off);
    assert_eq!((code, off.changes.len()), (0, 1));
    assert!(out.contains("note: ufw is off"), "{out}");
    let other = Firewall { backend: Some(BackendChoice(Some(Backend::Nft))), ..open() };
    let (code, _, err) = run_with(ONE, &other, &mut off);
    assert_eq!((code, err.as_str()), (69, "error: there is no nft on this machine\n"));
}

#[test]
fn what_a_failed_command_said_is_shown() {
    let mut ufw = Ufw { fails_at: Some("8080/tcp"), ..active() };
    let two = format!("{ONE}[[listen]]\naddress = \"8080\"\n");
    let (code, out, err) = run_with(&two, &open(), &mut ufw);
    assert_eq!((code, out.lines().count()), (69, 2));
    assert_eq!(
        err,
        "error: `ufw allow 8080/tcp comment heartbeat-server` ended with 1:\nERROR: the disk is full\n\
         1 of 2 commands were carried out; run it again once that is mended\n"
    );
}

#[test]
fn a_firewall_that_only_says_yes_is_found_out() {
    let mut ufw = Ufw { deaf: true, ..active() };
    let (code, _, err) = run_with(ONE, &open(), &mut ufw);
    assert_eq!(code, 69);
    assert!(err.contains("still missing: ufw allow 7777/tcp"), "{err}");
}

#[test]
fn a_wrong_configuration_is_told_as_always() {
    let (code, out, err) = run_with("x = 1", &open(), &mut active());
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(err.contains("main.toml:1: x: unknown key"), "{err}");
}

#[test]
fn it_speaks_chinese_throughout() {
    let config = format!("lang = \"zh\"\n{ONE}");
    let mut ufw = active();
    for action in [FirewallAction::Open, FirewallAction::Status, FirewallAction::Close] {
        let (code, out, err) = run_with(&config, &options(action), &mut ufw);
        assert_eq!(code, 0, "{err}");
        for line in out.lines().filter(|line| !line.starts_with("ufw ")) {
            assert!(!line.is_ascii(), "{line}");
        }
    }
}
