//! Every kind of error of a configuration, with its place.

use super::tests::faults;
use crate::config::cli::Args;
use crate::config::testing::{Dir, env};
use crate::domain::lang::Lang;

#[test]
fn every_fault_is_told_with_file_line_and_key() {
    for (text, says) in [
        (
            "x = 1",
            "1: x: unknown key; known here: lang, listen, log, state, control, confine, access, limits, tcp, websocket, governor, compat, page, pair, defaults, monitor, notifier",
        ),
        (
            "\n[udp]",
            "2: udp: unknown key; known here: lang, listen, log, state, control, confine, access, limits, tcp, websocket, governor, compat, page, pair, defaults, monitor, notifier",
        ),
        ("lang = \"fr\"", "1: lang: not a language: write auto, en or zh"),
        ("lang = 1", "1: lang: a string is expected, not an integer"),
        ("[limits]\nbody_byte = 1", "2: limits.body_byte: unknown key; did you mean body_bytes?"),
        ("monitors = 1", "1: monitors: unknown key; did you mean limits.monitors?"),
        ("limits.json_depth = 0", "1: limits.json_depth: 0 is out of range: 1 to 100"),
        ("limits.json_depth = -1", "1: limits.json_depth: -1 is out of range: 1 to 100"),
        ("limits.threads = -1", "1: limits.threads: -1 is out of range: 1 to 256"),
        ("limits.monitors = 1.5", "1: limits.monitors: a whole number is expected, not a fraction"),
        ("limits.body_bytes = \"2G\"", "1: limits.body_bytes: 2G is out of range: 1K to 1G"),
        (
            "limits.body_bytes = \"1MB\"",
            "1: limits.body_bytes: not a size: write bytes, or a number with K, M or G such as \"100M\"",
        ),
        ("limits.header_bytes = \"64K\"", "1: limits.header_bytes: 64K is out of range: 1K to 48K"),
        ("limits.header_timeout = 0", "1: limits.header_timeout: 0s is out of range: 1s to 1d"),
        (
            "limits.header_timeout = \"soon\"",
            "1: limits.header_timeout: not a duration: write seconds or units such as 90s, 1h30m, 2d",
        ),
        (
            "limits.connections = \"many\"",
            "1: limits.connections: a whole number or \"auto\" is expected, not a string",
        ),
        (
            "[limits]\nbody_bytes = \"100K\"\nbeat_bytes = \"200K\"",
            "3: limits.beat_bytes: a beat cannot be longer than a body: limits.body_bytes is 100K",
        ),
        ("limits = 1", "1: limits: a table is expected, not an integer: write [limits]"),
        ("[[limits]]", "1: limits: a table is expected, not a list: write [limits]"),
        ("defaults.interval = \"500ms\"", "1: defaults.interval: 500ms is out of range: 1s to 366d"),
        ("defaults.grace = \"367d\"", "1: defaults.grace: 367d is out of range: 0s to 366d"),
        ("[[listen]]\nname = \"a\"", "1: listen: address is missing"),
        ("[[listen]]\naddress = \"1.2.3:80\"", "2: listen.address: not an IPv4 address"),
        (
            "[[listen]]\naddress = \"80\"\nprotocol = \"udp\"",
            "3: listen.protocol: not a protocol: write http or tcp",
        ),
        (
            "[[listen]]\naddress = \"80\"\nname = \"a:b\"",
            "3: listen.name: a name is 1 to 64 letters, digits, '-', '_' or '.'",
        ),
        (
            "[[listen]]\naddress = \"80\"\nproxies = [\n\"10.0.0.0/33\"]",
            "4: listen.proxies: \"10.0.0.0/33\" is not a network: write 10.0.0.0/8, fd00::/8 or an address",
        ),
        (
            "[[listen]]\naddress = \"80\"\nfast_path = 1",
            "3: listen.fast_path: true or false is expected, not an integer",
        ),
        (
            "[[listen]]\naddress = \"80\"\n[[listen]]\naddress = \"80\"",
            "3: listen.address: 80 is named twice, first at main.toml:1",
        ),
        ("listen = 1", "1: listen: a list in [ ] is expected, not an integer"),
        ("log.level = \"loud\"", "1: log.level: not a level: write error, warning, notice, info or debug"),
        ("log.format = \"xml\"", "1: log.format: not a log format: write classic, text or json"),
        (
            "log.targets = []",
            "1: log.targets: a log needs at least one target: \"stderr\", \"journal\", \"syslog\" or \"file:PATH\"",
        ),
        ("log.targets = [{ beats = true }]", "1: log.targets: target is missing"),
        (
            "log.targets = [{ target = \"x\" }]",
            "1: log.targets.target: not a log target: write stderr, journal, syslog or file:PATH",
        ),
        ("log.targets = [\"syslog\",\n\"syslog\"]", "2: log.targets: syslog is named twice"),
        ("log.file_bytes_max = 1", "1: log.file_bytes_max: 1 is out of range: 64K to 1024G"),
        ("state.dir = \"\"", "1: state.dir: a path is missing"),
        ("state.sync = \"never\"", "1: state.sync: not a way to sync: write second or always"),
        ("state.history = \"1h\"", "1: state.history: 1h is out of range: 1d to 3660d"),
        ("control.socket = false", "1: control.socket: a string is expected, not true or false"),
        ("control.socket = \"\"", "1: control.socket: a path is missing"),
        ("governor.stretch_max = 0", "1: governor.stretch_max: 0 is out of range: 1 to 100"),
        ("defaults.forget_after = \"1s\"", "1: defaults.forget_after: 1s is out of range: 1m to 3660d"),
        (
            "access.allow = [\"x\"]",
            "1: access.allow: \"x\" is not a network: write 10.0.0.0/8, fd00::/8 or an address",
        ),
        (
            "access.beat_tokens = [\"s3cret\"]",
            "1: access.beat_tokens: a table is expected, not a string: write { file = … } / { credential = … }",
        ),
        (
            "access.beat_tokens = [{}]",
            "1: access.beat_tokens: say where the tokens are: { file = \"PATH\" } or { credential = \"NAME\" }",
        ),
        (
            "access.beat_tokens = [{ credential = \"../x\" }]",
            "1: access.beat_tokens.credential: not the name of a credential",
        ),
        (
            "access.beat_tokens = [{ credential = \"x\" }]",
            "1: access.beat_tokens: no credential \"x\": $CREDENTIALS_DIRECTORY is not set; add LoadCredential=x:PATH to the unit",
        ),
        (
            "\"a\\nb\" = 1",
            "1: \"a\\nb\": unknown key; known here: lang, listen, log, state, control, confine, access, limits, tcp, websocket, governor, compat, page, pair, defaults, monitor, notifier",
        ),
        ("\na = 1\na = 2", "3: not TOML: duplicate key"),
        ("websocket.timeout = \"999ms\"", "1: websocket.timeout: 999ms is out of range: 1s to 1d"),
        (
            "websocket.timeout = \"30s\"",
            "1: websocket.timeout: must be longer than websocket.ping_interval, which is 30s",
        ),
        (
            "websocket.ping_interval = \"80s\"",
            "1: websocket.timeout: must be longer than websocket.ping_interval, which is 1m20s",
        ),
    ] {
        assert_eq!(faults(text), format!("main.toml:{says}"), "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_text() {
    let dir = Dir::new();
    dir.write("main.toml", "[log]\nlevel = 1\n[limits]\nthreads = 0\nbeat_bytes = \"2M\"\n[log.x]\n");
    dir.write("conf.d/a.toml", "a =\nb = \"\n");
    dir.write("conf.d/b.toml", [b"lang = \"en\"\n# ".as_slice(), b"\xff\n"].concat());
    let error = dir.load(Args::default(), &env(&[("HEARTBEAT_LOG", "x")])).unwrap_err();
    let text = dir.strip(&error.sentence(Lang::En));
    let places: Vec<String> =
        text.lines().map(|line| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(
        places,
        [
            "HEARTBEAT_LOG: not a log target",
            "main.toml:2",
            "main.toml:4",
            "main.toml:5",
            "main.toml:6",
            "conf.d/a.toml:1",
            "conf.d/a.toml:2",
            "conf.d/b.toml:2"
        ]
    );
    assert_eq!(error.exit_code(), 78);
}

#[test]
fn a_flood_of_faults_is_cut_short() {
    let told = faults(&(0..5_000).map(|n| format!("x{n} = 1\n")).collect::<String>());
    assert_eq!(told.lines().count(), 201);
    assert!(told.ends_with("\ntoo many faults; the rest is not told"));
}
