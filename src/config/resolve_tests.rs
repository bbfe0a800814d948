//! Tests of the settings: what is in force when several speak, and every kind of error with its place.

use super::*;
use crate::config::cli::ListenChoice;
use crate::config::testing::{Dir, env};
use crate::config::{ProcessSettings, StateSettings};
use crate::domain::access::Access;
use crate::domain::access::Permission;
use crate::domain::address::Peer;
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::governor::Terms;
use crate::domain::limits::Limits;
use crate::domain::notice::Level;
use crate::domain::policy::Defaults;
use crate::domain::policy::{Sync, TcpTimes};
use crate::domain::time::Span;
use crate::domain::tolerance::Early;
use crate::sys::log::LogOptions;
use crate::sys::log::{Format, Target, TargetOptions};
use crate::sys::sockets::keepalive::KeepAlive;
use ipnet::IpNet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Settings from one file.
fn settings(text: &str) -> Settings {
    let dir = Dir::new();
    dir.write("main.toml", text);
    dir.load(Args::default(), &env(&[])).unwrap()
}

/// The errors of one file, without its directory.
pub(super) fn faults(text: &str) -> String {
    let dir = Dir::new();
    dir.write("main.toml", text);
    let error = dir.load(Args::default(), &env(&[])).unwrap_err();
    dir.strip(&error.sentence(Lang::En))
}

fn listens(settings: &Settings) -> Vec<String> {
    settings.listen.iter().map(|listen| listen.address.to_string()).collect()
}

fn all_beats(target: Target) -> TargetOptions {
    TargetOptions { target, beats: true }
}

#[test]
fn without_a_word_it_listens_on_7777_and_7778_and_trusts_its_neighbours() {
    let settings = Settings::load(&Args::default(), &env(&[])).unwrap();
    assert_eq!(listens(&settings), ["7777", "7778"]);
    assert_eq!((settings.listen[0].name.as_str(), settings.listen[0].protocol), ("http", Protocol::Http));
    assert_eq!((settings.listen[1].name.as_str(), settings.listen[1].protocol), ("tcp", Protocol::Tcp));
    assert!(settings.listen.iter().all(|listen| listen.keepalive == Some(KeepAlive::default())));
    assert_eq!(settings.tcp, TcpTimes::default());
    assert!(settings.listen[0].fast_path && settings.listen[0].proxies.is_empty());
    assert_eq!(settings.log, LogOptions::default());
    assert_eq!(settings.state_dir, Path::new("/var/lib/heartbeat-server"));
    // Only the machine knows its name.
    let hosts = settings.access.hosts.clone();
    assert!(hosts.listed.is_empty());
    assert_eq!(
        (settings.access, settings.limits),
        (Access { hosts, ..Access::default() }, Limits::default())
    );
    assert_eq!(settings.threads, 3);
    assert_eq!(settings.state, StateSettings { sync: Sync::Second, history: Span::secs(90 * 86_400) });
    assert!(settings.rules.is_empty());
    assert_eq!(settings.defaults, Defaults::default());
    assert_eq!((settings.lang, settings.page_lang), (Lang::En, None));
    assert_eq!(settings.process, ProcessSettings::default());
    assert!(settings.sources.is_empty() && settings.warnings.is_empty());
}

#[test]
fn flag_wins_over_variable_over_file_over_default() {
    let dir = Dir::new();
    dir.write(
        "main.toml",
        "lang = \"zh\"\n[state]\ndir = \"/file\"\n[log]\ntargets = [\"syslog\"]\nformat = \"text\"\n\
         [[listen]]\naddress = \"1\"\n",
    );
    let variables = [
        ("HEARTBEAT_STATE_DIR", "/variable"),
        ("HEARTBEAT_LOG", "journal, file:l"),
        ("HEARTBEAT_LOG_FORMAT", "json"),
        ("HEARTBEAT_HTTP", "2,3"),
        ("HEARTBEAT_LANG", "en"),
    ];
    let flags = Args {
        state_dir: Some("flag".into()),
        log: vec![Target::Stderr],
        log_format: Some(Format::Classic),
        http: vec![ListenChoice::At(ListenAddress::Any(4))],
        lang: Some(LangChoice::Fixed(Lang::Zh)),
        ..Args::default()
    };
    let seen = |args: &Args, env: &Env| {
        let s = dir.load(args.clone(), env).unwrap();
        let targets: Vec<String> = s.log.targets.iter().map(|t| t.target.to_string()).collect();
        (
            s.state_dir.display().to_string(),
            targets.join(" "),
            s.log.format,
            listens(&s).join(" "),
            s.page_lang,
        )
    };
    let say = |dir: &str, log: &str, format, listen: &str, lang| {
        (dir.to_string(), log.to_string(), format, listen.to_string(), Some(lang))
    };
    let none = Args::default();
    assert_eq!(seen(&none, &env(&[])), say("/file", "syslog", Format::Text, "1", Lang::Zh));
    assert_eq!(
        seen(&none, &env(&variables)),
        say("/variable", "journal file:/where/l", Format::Json, "2 3", Lang::En)
    );
    assert_eq!(seen(&flags, &env(&variables)), say("/where/flag", "stderr", Format::Classic, "4", Lang::Zh));
}

#[test]
fn later_files_replace_scalars_and_add_listeners() {
    let dir = Dir::new();
    dir.write("main.toml", "[limits]\nmonitors = 1\njson_depth = 3\n[[listen]]\naddress = \"1\"\n");
    dir.write("conf.d/20.toml", "limits.monitors = 20\n[[listen]]\naddress = \"20\"\n");
    dir.write("conf.d/10.toml", "limits.monitors = 10\n[[listen]]\naddress = \"10\"\n");
    dir.write("conf.d/.hidden.toml", "nonsense");
    dir.write("conf.d/10.toml.dpkg-old", "nonsense");
    let settings = dir.load(Args::default(), &env(&[])).unwrap();
    assert_eq!((settings.limits.monitors, settings.limits.json_depth), (20, 3));
    assert_eq!(listens(&settings), ["1", "10", "20"]);
    let names: Vec<_> = settings.sources.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["main.toml", "10.toml", "20.toml"]);
}

#[test]
fn the_default_file_is_read_if_there_is_one() {
    let dir = Dir::new();
    let mut env = env(&[]);
    env.default_file = dir.write("default.toml", "limits.monitors = 5");
    assert_eq!(Settings::load(&Args::default(), &env).unwrap().limits.monitors, 5);
    fs::remove_file(&env.default_file).unwrap();
    assert_eq!(Settings::load(&Args::default(), &env).unwrap().limits.monitors, 100_000);
}

#[test]
fn the_log_goes_where_somebody_reads_it() {
    let target = |args: Args, journal: bool| {
        let mut env = env(&[]);
        env.stderr_is_journal = journal;
        Settings::load(&args, &env).map(|s| s.log.targets).map_err(|e| (e.exit_code(), e.sentence(Lang::En)))
    };
    let daemon = Args { daemon: true, ..Args::default() };
    assert_eq!(target(Args::default(), false), Ok(vec![all_beats(Target::Stderr)]));
    assert_eq!(target(Args::default(), true), Ok(vec![all_beats(Target::Journal)]));
    assert_eq!(target(daemon.clone(), true), Ok(vec![all_beats(Target::Syslog)]));
    let stderr = Args { log: vec![Target::Stderr], ..daemon };
    let says = "--log: a daemon in the background has no stderr: log to syslog, journal or file:PATH";
    assert_eq!(target(stderr, false), Err((64, says.to_string())));
    let error =
        Settings::load(&Args::default(), &env(&[("HEARTBEAT_DAEMON", "1"), ("HEARTBEAT_LOG", "stderr")]));
    assert_eq!(error.unwrap_err().exit_code(), 78);
}

#[test]
fn a_target_says_for_itself_whether_it_takes_beats() {
    let log = settings(
        "[log]\nbeats = false\ntargets = [\"stderr\", { target = \"file:x.log\", beats = true }, { target = \"journal\" }]",
    )
    .log;
    let beats: Vec<bool> = log.targets.iter().map(|target| target.beats).collect();
    assert_eq!(beats, [false, true, false]);
    assert!(log.beats());
    assert!(!settings("log.beats = false").log.beats());
}

#[test]
fn verbosity_moves_the_level_of_the_file() {
    let dir = Dir::new();
    dir.write("main.toml", "log.level = \"warning\"");
    let level = |verbose, quiet, vars: &[(&str, &str)]| {
        dir.load(Args { verbose, quiet, ..Args::default() }, &env(vars)).unwrap().log.level
    };
    assert_eq!(level(0, 0, &[]), Level::Warning);
    assert_eq!(level(1, 0, &[("HEARTBEAT_QUIET", "1")]), Level::Notice);
    assert_eq!(level(9, 0, &[]), Level::Debug);
    assert_eq!(level(0, 9, &[]), Level::Error);
    assert_eq!(level(0, 0, &[("HEARTBEAT_VERBOSE", "2")]), Level::Info);
}

#[test]
fn state_is_kept_where_the_system_wants_it() {
    let state = |is_root, vars: &[(&str, &str)]| {
        let mut env = env(vars);
        env.is_root = is_root;
        Settings::load(&Args::default(), &env)
            .map(|s| s.state_dir.display().to_string())
            .map_err(|e| e.to_string())
    };
    let managed = ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b");
    assert_eq!(state(true, &[managed]).as_deref(), Ok("/var/lib/a"));
    assert_eq!(state(true, &[managed, ("HEARTBEAT_STATE_DIR", "s")]).as_deref(), Ok("/where/s"));
    assert_eq!(state(false, &[("HOME", "/h")]).as_deref(), Ok("/h/.local/state/heartbeat-server"));
    let xdg = ("XDG_STATE_HOME", "/x");
    assert_eq!(state(false, &[("HOME", "/h"), xdg]).as_deref(), Ok("/x/heartbeat-server"));
    let relative = ("XDG_STATE_HOME", "x");
    assert_eq!(state(false, &[("HOME", "/h"), relative]).as_deref(), Ok("/h/.local/state/heartbeat-server"));
    assert_eq!(
        state(false, &[]),
        Err("state.dir: no place for state: $HOME is not set; give one with --state-dir".into())
    );
}

#[test]
fn the_control_socket_stands_where_the_system_wants_it() {
    let control = |is_root, text: &str, vars: &[(&str, &str)]| {
        let dir = Dir::new();
        dir.write("main.toml", text);
        let mut env = env(vars);
        env.is_root = is_root;
        let found = dir.load(Args::default(), &env).unwrap().control;
        found.map(|path| dir.strip(&path.display().to_string()))
    };
    let managed = ("RUNTIME_DIRECTORY", "/run/a:/run/b");
    let (xdg, home) = (("XDG_RUNTIME_DIR", "/run/user/1"), ("HOME", "/h"));
    for (is_root, text, vars, want) in [
        (true, "", &[managed] as &[_], Some("/run/a/control.sock")),
        (true, "", &[xdg], Some("/run/heartbeat-server/control.sock")),
        (false, "", &[managed, home], Some("/run/a/control.sock")),
        (false, "", &[xdg, home], Some("/run/user/1/heartbeat-server/control.sock")),
        (false, "", &[home], Some("/h/.local/state/heartbeat-server/control.sock")),
        (false, "", &[("XDG_RUNTIME_DIR", "x"), home], Some("/h/.local/state/heartbeat-server/control.sock")),
        (true, "control.socket = \"c\"", &[managed], Some("c")),
        (true, "control.socket = \"off\"", &[managed], None),
        (true, "control.socket = \"c\"", &[("HEARTBEAT_CONTROL", "v")], Some("/where/v")),
        (true, "control.socket = \"c\"", &[("HEARTBEAT_CONTROL", "off")], None),
    ] {
        assert_eq!(control(is_root, text, vars).as_deref(), want, "{text} {vars:?}");
    }
}

#[test]
fn a_path_too_long_for_a_socket_is_a_fault_where_somebody_chose_it() {
    let long = format!("/{}", "x".repeat(103));
    let says = format!("{long} is too long: the path of a unix socket has at most 103 bytes");
    assert_eq!(
        faults(&format!("control.socket = \"{long}\"")),
        format!("main.toml:1: control.socket: {says}")
    );
    let error = Settings::load(&Args::default(), &env(&[("HEARTBEAT_CONTROL", &long)])).unwrap_err();
    assert_eq!(error.to_string(), format!("HEARTBEAT_CONTROL: {says}"));
    let by_itself = Settings::load(&Args::default(), &env(&[("RUNTIME_DIRECTORY", &long)])).unwrap();
    assert_eq!(by_itself.control, None);
    assert!(by_itself.warnings[0].starts_with("control.socket: /xxx"), "{:?}", by_itself.warnings);
}

#[test]
fn paths_become_absolute_before_a_daemon_leaves_its_directory() {
    let dir = Dir::new();
    dir.write(
        "main.toml",
        "state.dir = \"s\"\nlog.targets = [\"file:l\"]\n[[listen]]\naddress = \"unix:u\"\n",
    );
    let beside = dir.load(Args::default(), &env(&[])).unwrap();
    assert_eq!(beside.state_dir, dir.0.join("s"));
    assert_eq!(beside.log.targets, [all_beats(Target::File(dir.0.join("l")))]);
    assert_eq!(beside.listen[0].address, ListenAddress::Unix(dir.0.join("u")));
    let typed = Args {
        daemon: true,
        pid_file: Some("p".into()),
        http: vec![ListenChoice::At(ListenAddress::Unix("u".into()))],
        log: vec![Target::File("l".into())],
        ..Args::default()
    };
    let typed = dir.load(typed, &env(&[])).unwrap();
    assert_eq!(typed.process.pid_file, Some("/where/p".into()));
    assert_eq!(typed.listen[0].address, ListenAddress::Unix("/where/u".into()));
    assert_eq!(typed.log.targets, [all_beats(Target::File("/where/l".into()))]);
}

#[test]
fn sizes_spans_and_words_are_read() {
    let s = settings(
        "[limits]\nbody_bytes = \"2M\"\nbeat_bytes = 2048\nheader_timeout = 2\nbody_timeout = 1.5\n\
         idle_timeout = \"1h30m\"\nconnections = 50\nbeats_per_second = 9\nthreads = 2\nmonitors = 1_000\n\
         [defaults]\ninterval = \"1d\"\ngrace = 0\nforget_after = \"2d\"\nearly = 10\nfirst_beat = \"2h\"\n\
         [state]\nsync = \"always\"\nhistory = \"1w\"\n",
    );
    assert_eq!((s.limits.body_bytes, s.limits.beat_bytes, s.limits.monitors), (2 << 20, 2048, 1000));
    assert_eq!((s.limits.header_timeout, s.limits.body_timeout), (Span::secs(2), Span(1500)));
    assert_eq!(s.limits.idle_timeout, Span::secs(5400));
    assert_eq!((s.limits.connections, s.limits.beats_per_second, s.threads), (Some(50), Some(9), 2));
    assert_eq!(
        s.defaults,
        Defaults {
            interval: Span::secs(86_400),
            grace: Some(Span(0)),
            early: Early::For(Span::secs(10)),
            first_beat: Some(Span::secs(7200)),
            forget_after: Some(Span::secs(172_800)),
        }
    );
    assert_eq!(s.state, StateSettings { sync: Sync::Always, history: Span::secs(7 * 86_400) });
    let s = settings("[limits]\nconnections = \"auto\"\nbeats_per_second = \"off\"\nthreads = \"auto\"");
    assert_eq!((s.limits.connections, s.limits.beats_per_second, s.threads), (None, None, 3));
    assert_eq!(s.governor, Terms { beats_per_second: None, stretch_max: 8 });
    let s = settings("[governor]\nbeats_per_second = 500\nstretch_max = 20");
    assert_eq!(s.governor, Terms { beats_per_second: Some(500), stretch_max: 20 });
    assert!(s.describe(Lang::En).contains("above 500 beats/s intervals are stretched, 20 times at most"));
    for off in ["0", "\"off\""] {
        assert_eq!(settings(&format!("governor.beats_per_second = {off}")).governor, Terms::default());
    }
}

#[test]
fn a_file_that_was_named_must_exist_and_be_readable() {
    let dir = Dir::new();
    let error = dir.load(Args::default(), &env(&[])).unwrap_err();
    assert_eq!((error.exit_code(), dir.strip(&error.to_string())), (66, "main.toml: no such file".into()));
    let error =
        Settings::load(&Args { config: Some(dir.0.clone()), ..Args::default() }, &env(&[])).unwrap_err();
    assert_eq!(error.exit_code(), 66);
    assert!(error.to_string().ends_with("is a directory, not a file"));
    let path = dir.write("main.toml", "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads it all the same.
    if fs::read(&path).is_err() {
        assert_eq!(dir.load(Args::default(), &env(&[])).unwrap_err().exit_code(), 77);
    }
}

#[test]
fn faults_speak_the_language_that_the_file_asks_for() {
    let dir = Dir::new();
    dir.write("main.toml", "lang = \"zh\"\nx = 1\n");
    let error = dir.load(Args::default(), &env(&[])).unwrap_err();
    assert_eq!(error.lang(), Lang::Zh);
    assert!(dir.strip(&error.to_string()).starts_with("main.toml:2: x: 未知的键"));
}

#[test]
fn tokens_come_from_files_and_credentials_and_never_show() {
    let dir = Dir::new();
    dir.write(
        "main.toml",
        "[access]\nbeat_tokens = [{ file = \"t\" }]\nadmin_tokens = [{ credential = \"c\" }]\n",
    );
    dir.write("conf.d/x.toml", "access.beat_tokens = [{ file = \"../u\" }]");
    for name in ["t", "u", "c"] {
        let path = dir.write(name, format!("# for {name}\n\n{}\r\n", name.repeat(20)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let credentials = dir.0.display().to_string();
    let settings = dir.load(Args::default(), &env(&[("CREDENTIALS_DIRECTORY", &credentials)])).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    let local = Peer::Unix;
    for name in ["t", "u", "c"] {
        assert_eq!(
            settings.access.check(Permission::Beat, local, Some(name.repeat(20).as_bytes())),
            Ok(()),
            "{name}"
        );
    }
    assert!(settings.access.check(Permission::Beat, local, Some(b"another-token-altogether")).is_err());
    let shown = format!("{}{settings:?}", settings.describe(Lang::En));
    assert!(shown.contains("with a token (2 known)"), "{shown}");
    assert!(!shown.contains("tttttttt") && !shown.contains("cccccccc"), "{shown}");
}

#[test]
fn a_bad_token_file_is_told_by_line_without_its_secret() {
    let dir = Dir::new();
    dir.write(
        "main.toml",
        "access.beat_tokens = [{ file = \"t\" },\n{ file = \"none\" }, { file = \"empty\" }]\n",
    );
    dir.write("t", "hunter2\na secret that has some spaces\n");
    dir.write("empty", "# nothing yet\n");
    let error = dir.load(Args::default(), &env(&[])).unwrap_err();
    assert_eq!(
        dir.strip(&error.to_string()).lines().collect::<Vec<_>>(),
        [
            "main.toml:1: access.beat_tokens: t:1: a token is 16 to 512 characters; make one with: openssl rand -hex 32",
            "main.toml:1: access.beat_tokens: t:2: a token is visible ASCII without spaces",
            "main.toml:2: access.beat_tokens: none: no such file",
            "main.toml:2: access.beat_tokens: empty: holds no token; put one on a line, made with: openssl rand -hex 32",
        ]
    );
}

#[test]
fn what_is_hardly_meant_gets_a_warning() {
    let dir = Dir::new();
    dir.write("main.toml", "[access]\nallow = [\"10.1.2.3/8\"]\nread_tokens = [{ file = \"t\" }]\n");
    let tokens = dir.write("t", "x".repeat(32));
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o644)).unwrap();
    let settings = dir.load(Args { pid_file: Some("p".into()), ..Args::default() }, &env(&[])).unwrap();
    let warnings: Vec<String> = settings.warnings.iter().map(|text| dir.strip(text)).collect();
    assert_eq!(
        warnings,
        [
            "main.toml:2: access.allow: 10.1.2.3/8 means 10.0.0.0/8",
            "--pid-file: has no effect without --daemon",
            "main.toml:3: access.read_tokens: t can be read by everybody on this machine; chmod o= t",
        ]
    );
    assert_eq!(settings.access.allow, ["10.0.0.0/8".parse::<IpNet>().unwrap()]);
}

#[test]
fn what_cannot_change_while_running_is_named() {
    let old = settings("");
    let new = settings(
        "[[listen]]\naddress = \"1\"\n[state]\ndir = \"/x\"\n[limits]\nthreads = 9\nconnections = 8\nmonitors = 7\n",
    );
    assert_eq!(old.needs_restart(&new), ["listen", "state.dir", "limits.connections", "limits.threads"]);
    let new = settings(
        "state = { sync = \"always\", history = \"1d\" }\ncontrol.socket = \"off\"\n[[monitor]]\nmatch = \"*\"\n",
    );
    assert_eq!(old.needs_restart(&new), ["state.sync", "state.history", "control.socket"]);
    assert!(old.needs_restart(&settings("limits.monitors = 7")).is_empty());
    let mut other = old.clone();
    other.process = ProcessSettings {
        user: Some("u".into()),
        group: Some("g".into()),
        pid_file: Some("p".into()),
        daemon: false,
    };
    assert_eq!(old.needs_restart(&other), ["user", "group", "pid_file"]);
}
