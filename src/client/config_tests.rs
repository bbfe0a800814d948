//! Tests of the client's configuration: precedence, faults with their places, tokens.

use super::*;
use crate::client::cli;
use crate::config::testing::{Dir, env};

fn load(
    dir: &Dir,
    text: &str,
    line: &str,
    variables: &[(&str, &str)],
) -> Result<ClientSettings, ConfigError> {
    let file = dir.write("client.toml", text);
    let env = Env { default_file: file, ..env(variables) };
    let words = std::iter::once("heartbeat").chain(line.split_whitespace()).map(Into::into);
    ClientSettings::load(&cli::parse(words, &env).unwrap(), &env)
}

#[test]
fn the_flag_wins_over_the_variable_over_the_file_over_the_default() {
    let dir = Dir::new();
    let to = |text: &str, line: &str, variables: &[(&str, &str)]| {
        load(&dir, text, line, variables).unwrap().to.to_string()
    };
    let (file, variable) = ("to = \"tcp://file\"", [("HEARTBEAT_URL", "ws://variable")]);
    assert_eq!(to(file, "send --to http://flag", &variable), "http://flag:7777");
    assert_eq!(to(file, "send", &variable), "ws://variable:7777");
    assert_eq!(to(file, "send", &[]), "tcp://file:7778");
    assert_eq!(to("", "send", &[]), "http://localhost:7777");
}

#[test]
fn every_key_is_read() {
    let dir = Dir::new();
    dir.write("token", "0123456789abcdef0123\n");
    let text = "to = \"https://hb:443\"\nid = \"web\"\nevery = \"1m\"\ninterval_max = \"2m\"\ntimeout = 5\ndialect = \"line\"\n\
        on_down = \"d\"\non_up = \"u\"\ntoken_file = \"token\"\nca = \"ca\"\ncert = \"c\"\nkey = \"k\"\nlang = \"zh\"\n";
    let settings = load(&dir, text, "agent", &[]).unwrap();
    assert_eq!(settings.to.to_string(), "https://hb:443");
    assert_eq!(settings.id, Id::new("web").ok());
    assert_eq!((settings.every, settings.timeout), (Some(Span::secs(60)), Span::secs(5)));
    assert_eq!(settings.interval_max, Some(Span::secs(120)));
    assert_eq!(settings.dialect, DialectChoice::Line);
    assert_eq!((settings.on_down.as_deref(), settings.on_up.as_deref()), (Some("d"), Some("u")));
    assert_eq!(settings.token, Token::new("0123456789abcdef0123").ok());
    let beside = |name: &str| Some(dir.0.join(name));
    assert_eq!(settings.tls, TlsFiles { ca: beside("ca"), cert: beside("c"), key: beside("k") });
    assert_eq!(settings.lang, Lang::Zh);
    for key in keys() {
        assert!(
            matches!(key, "credential" | "servers") || text.contains(&format!("{key} = ")),
            "{key} is not tried"
        );
    }
}

#[test]
fn several_servers_are_named_by_flags_a_variable_or_the_file() {
    let dir = Dir::new();
    let servers = |text: &str, line: &str, variables: &[(&str, &str)]| {
        let settings = load(&dir, text, line, variables).unwrap();
        settings.servers().map(ToString::to_string).collect::<Vec<_>>()
    };
    let both = ["http://a:7777", "tcp://b:7778"];
    assert_eq!(servers("servers = [\"a\", \"tcp://b\"]", "send", &[]), both);
    assert_eq!(servers("to = \"c\"", "send --to a --to tcp://b --to a", &[]), both);
    assert_eq!(servers("to = \"c\"", "install a tcp://b", &[]), both);
    assert_eq!(servers("to = \"c\"", "send", &[("HEARTBEAT_URL", " a:7777  tcp://b ")]), both);
    assert_eq!(servers("servers = [\"c\"]", "send", &[("HEARTBEAT_URL", "unix:/a b")]), ["unix:/a b"]);
    let settings = load(&dir, "servers = [\"a\", \"tcp://b\"]", "send", &[]).unwrap();
    let each: Vec<String> = settings.per_server().iter().map(|one| one.to.to_string()).collect();
    assert_eq!(each, both);
    assert!(settings.per_server().iter().all(ClientSettings::has_several));
}

#[test]
fn faults_name_file_line_and_key() {
    let dir = Dir::new();
    for (text, says) in [
        ("\nevry = 3\n", "client.toml:2: evry: unknown key; did you mean every?"),
        ("to = \"ftp://x\"\n", "client.toml:1: to: not a URL"),
        ("servers = [\"a\", \"ftp://x\"]\n", "client.toml:1: servers: not a URL"),
        ("servers = []\n", "client.toml:1: servers: must name at least one server"),
        ("to = \"a\"\nservers = [\"b\"]\n", "client.toml:2: servers: to and servers exclude each other"),
        ("id = \"a b\"\n", "client.toml:1: id: must be letters, digits and marks of any script"),
        ("every = 0\n", "client.toml:1: every: 0s is out of range"),
        ("cert = \"x\"\n", "cert and key belong together"),
        ("token_file = \"none\"\n", "client.toml:1: token_file:"),
        ("credential = \"x\"\n", "$CREDENTIALS_DIRECTORY is not set"),
        (
            "token_file = \"a\"\ncredential = \"b\"\n",
            "client.toml:2: credential: token_file and credential exclude",
        ),
        ("x", "not TOML"),
    ] {
        let error = load(&dir, text, "send", &[]).unwrap_err();
        let sentence = dir.strip(&error.sentence(Lang::En));
        assert!(sentence.contains(says), "{text}: {sentence}");
        assert!(matches!(error.exit_code(), 66 | 78), "{text}: {}", error.exit_code());
    }
    let error = load(&dir, "", "send", &[("HEARTBEAT_URL", "ftp://x")]).unwrap_err();
    assert!(error.sentence(Lang::En).starts_with("HEARTBEAT_URL: not a URL"));
}

#[test]
fn a_file_that_was_named_must_exist() {
    let dir = Dir::new();
    let missing = format!("send --config {}/missing.toml", dir.0.display());
    let error = load(&dir, "", &missing, &[]).unwrap_err();
    assert_eq!(error.exit_code(), 66);
    let env = Env { default_file: dir.0.join("missing.toml"), ..env(&[]) };
    let args = cli::parse(["heartbeat", "send"].map(Into::into), &env).unwrap();
    assert!(ClientSettings::load(&args, &env).is_ok());
}
