//! Tests of the shipped files: manual pages, sample configuration and completions agree with the program.

use super::*;
use crate::command::check;
use crate::config::cli::{Args, Task};
use crate::config::manual::testing::{compare_shipped, missing, skeleton};
use crate::config::testing::{Dir, env, uncommented};
use crate::config::{Settings, schema};
use crate::domain::alert::Notifier;
use crate::domain::time::Span;
use crate::sys::log::MESSAGE_IDS;
use std::os::unix::fs::PermissionsExt;

/// The pages as they are shipped, each with that in the other language.
const MAN_5: [&str; 2] = [
    include_str!("../../man/heartbeat-server.toml.5"),
    include_str!("../../man/zh_CN/heartbeat-server.toml.5"),
];
const MAN_8: [(Lang, &str); 2] = [
    (Lang::En, include_str!("../../man/heartbeat-server.8")),
    (Lang::Zh, include_str!("../../man/zh_CN/heartbeat-server.8")),
];

fn product(product: Product) -> String {
    let mut out = Vec::new();
    run(product, None, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_shipped_files_are_those_that_the_program_makes() {
    let made = [
        ("man/heartbeat-server.8", man(Lang::En)),
        ("man/zh_CN/heartbeat-server.8", man(Lang::Zh)),
        ("man/heartbeat-server.toml.5", config_man(Lang::En)),
        ("man/zh_CN/heartbeat-server.toml.5", config_man(Lang::Zh)),
        ("packaging/heartbeat-server.toml", sample_config()),
    ];
    made.iter().for_each(|(name, text)| compare_shipped(name, text));
    assert_eq!(product(Product::Man), man(Lang::En), "English unless a language is named");
}

#[test]
fn the_manuals_know_every_command_option_and_variable() {
    for (lang, page) in MAN_8 {
        assert_eq!(missing(page, &cli::command(lang), cli::VARIABLES), [""; 0], "{lang:?}");
    }
}

#[test]
fn the_manuals_know_every_metric_message_id_and_exit_code() {
    let source = include_str!("../view/metrics.rs");
    let metrics = source.split('"').filter(|word| {
        let name = word.starts_with("heartbeat_") || word.starts_with("process_");
        name && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    });
    let metrics: Vec<&str> = metrics.collect();
    assert!(metrics.len() > 30, "{metrics:?}");
    for (lang, page) in MAN_8 {
        for name in &metrics {
            assert!(page.contains(&format!("\\fB{name}")), "{lang:?} {name}");
        }
        for (kind, id) in MESSAGE_IDS {
            assert!(page.contains(kind) && page.contains(id), "{lang:?} {kind} {id}");
        }
        for code in [0, 64, 66, 69, 74, 77, 78] {
            assert!(page.contains(&format!("\n.B {code}\n")), "{lang:?} {code}");
        }
    }
}

#[test]
fn the_manuals_say_the_same_in_both_languages() {
    // But for an example of a log.
    let said = |page| {
        let mut words = skeleton(page);
        words.retain(|line| !line.starts_with("2026"));
        words
    };
    assert_eq!(said(MAN_8[1].1), said(MAN_8[0].1));
    assert_eq!(said(MAN_5[1]), said(MAN_5[0]));
}

#[test]
fn every_key_stands_in_the_manuals_under_its_section() {
    for key in schema::keys() {
        let (section, name) = key.split_once('.').unwrap_or(("", &key));
        let headings = match section {
            "" => ["TOP LEVEL".to_string(), "顶层".to_string()],
            "listen" | "monitor" | "notifier" => [0; 2].map(|_| format!("[[{section}]]")),
            _ => [0; 2].map(|_| format!("[{section}]")),
        };
        for (page, heading) in MAN_5.iter().zip(headings) {
            let text = page.split("\n.SH ").find(|text| text.lines().next() == Some(&heading));
            assert!(
                text.is_some_and(|text| text.contains(&format!("\n\\fB{name}\\fR = "))),
                "{key} under {heading} of man/heartbeat-server.toml.5 and man/zh_CN/heartbeat-server.toml.5"
            );
        }
    }
}

#[test]
fn every_key_stands_in_the_sample_with_a_line_about_it() {
    let sample = sample_config();
    let lines: Vec<&str> = sample.lines().collect();
    let mut section = String::new();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let bare = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
        if bare.starts_with('[') {
            section = format!("{}.", bare.trim_matches(['[', ']']));
        } else if let Some((name, _)) = bare.split_once(" = ").filter(|_| !bare.starts_with([' ', '#'])) {
            assert!(lines[index - 1].starts_with("# "), "{name} is not explained");
            found.push(format!("{section}{name}"));
        }
    }
    // Keys that exclude each other stand in blocks of their own.
    let mut keys = schema::keys();
    found.sort();
    found.dedup();
    keys.sort();
    assert_eq!(found, keys);
}

#[test]
fn the_sample_is_right_and_says_what_would_run() {
    let dir = Dir::new();
    let file = dir.write("main.toml", product(Product::Config));
    let args =
        Args { command: Some(Task::CheckConfig { file: Some(file), offline: false }), ..Args::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = check::run(&args, &env(&[]), &mut out, &mut err);
    assert_eq!((code, String::from_utf8_lossy(&err).as_ref()), (0, ""));
    let out = String::from_utf8(out).unwrap();
    for line in [
        "listen       http 7777 (http)\n",
        "listen       tcp 7778 (tcp)\n",
        "tcp          ping every 3s; silence 10s, frames 15s, lines 1m15s; nameless by ip\n",
        "log          file:/var/log/heartbeat-server/heartbeat-server.log (beats and events)\n",
        "log          journal (events)\n",
        "state        /var/lib/heartbeat-server\n",
        "kept         to disk every second; history of 90d\n",
        "control      /run/heartbeat-server/control.sock\n",
        "defaults     interval 1m, grace a quarter of the interval (30s to 1h), early by 5%, \
         first heard within: no limit, forgotten after: never\n",
        "may change   nobody over HTTP: no admin token\n",
    ] {
        assert!(out.contains(line), "{line}{out}");
    }
}

#[test]
fn the_defaults_that_the_sample_shows_are_the_defaults() {
    let dir = Dir::new();
    // What it names is there.
    let made = rcgen::generate_simple_self_signed(vec!["example.org".to_string()]).unwrap();
    dir.write("ca.pem", made.cert.pem());
    let token = dir.write("pair.token", "0123456789abcdef0123\n");
    for secret in [token, dir.write("ops.secret", "token\n"), dir.write("mail.secret", "password\n")] {
        std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    dir.write(
        "main.toml",
        uncommented(&sample_config()).replace("/etc/heartbeat-server", &dir.0.to_string_lossy()),
    );
    let shown = dir.load(Args::default(), &env(&[])).unwrap();
    let mut real = Settings::load(&Args::default(), &env(&[])).unwrap();
    real.sources.clone_from(&shown.sources);
    real.log.targets.clone_from(&shown.log.targets);
    // Whoever writes it down asks for it.
    assert_eq!(real.listen.iter().map(|listen| listen.unasked).collect::<Vec<_>>(), [false, true]);
    real.listen.iter_mut().for_each(|listen| listen.unasked = false);
    // A share of the interval cannot be written down; what is shown is what it comes to at the default interval.
    assert_eq!((shown.defaults.grace, real.defaults.grace), (Some(Span::secs(30)), None));
    real.defaults.grace = shown.defaults.grace;
    // Rules are examples; without them there are none.
    assert_eq!((shown.rules.len(), real.rules.len()), (2, 0));
    real.rules.clone_from(&shown.rules);
    // And so are notifiers, but for what they are by default.
    assert_eq!((shown.alerts.notifiers.len(), shown.channels.len(), real.channels.len()), (3, 3, 0));
    for notifier in &shown.alerts.notifiers {
        let fallback = notifier.fallback.clone();
        assert_eq!(*notifier, Notifier { fallback, ..Notifier::new(&notifier.name) });
    }
    // The other server of a pair is an example too.
    let pair = shown.alerts.pair.as_ref().unwrap();
    assert_eq!((pair.every, pair.grace), (Span::secs(5), Span::secs(30)));
    assert!(shown.peer.is_some() && real.peer.is_none());
    real.peer.clone_from(&shown.peer);
    real.alerts.clone_from(&shown.alerts);
    real.channels.clone_from(&shown.channels);
    assert_eq!(shown, real);
}

#[test]
fn check_config_tells_faults_and_warnings_on_stderr() {
    let dir = Dir::new();
    let check = |text: &str| {
        let file = dir.write("main.toml", text);
        let args =
            Args { command: Some(Task::CheckConfig { file: Some(file), offline: false }), ..Args::default() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = check::run(&args, &env(&[]), &mut out, &mut err);
        (code, dir.strip(&String::from_utf8(out).unwrap()), dir.strip(&String::from_utf8(err).unwrap()))
    };
    let (code, out, err) = check("x = 1\n[state]\ny = 2\n");
    assert_eq!((code, out.as_str()), (78, ""));
    assert_eq!(
        err,
        "main.toml:1: x: unknown key; known here: lang, listen, log, state, control, confine, access, limits, tcp, websocket, governor, compat, page, pair, defaults, monitor, notifier\n\
         main.toml:3: state.y: unknown key; known here: dir, sync, history\n"
    );
    let (code, out, err) = check("lang = \"zh\"\naccess.deny = [\"10.1.2.3/8\"]\n");
    assert_eq!((code, err.as_str()), (0, "警告：main.toml:2: access.deny: 10.1.2.3/8 即 10.0.0.0/8\n"));
    assert!(out.starts_with("文件       main.toml\n"), "{out}");
}

#[test]
fn completions_offer_the_commands_and_options() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = product(Product::Completions { shell });
        for word in ["check-config", "generate", "state-dir", "log-format", "classic"] {
            assert!(script.contains(word), "{shell:?} {word}");
        }
    }
}
