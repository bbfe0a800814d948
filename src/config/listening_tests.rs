//! Tests of where it listens, and of the times of raw TCP.

use super::*;
use crate::config::Settings;
use crate::config::cli::Args;
use crate::config::testing::{Dir, env};
use crate::domain::lang::Lang;
use crate::domain::policy::Anonymous;
use crate::domain::time::Span;
use crate::wire::forwarded::ProxyHeader;
use ipnet::IpNet;

/// Settings from one file.
fn settings(text: &str) -> Settings {
    let dir = Dir::new();
    dir.write("main.toml", text);
    dir.load(Args::default(), &env(&[])).unwrap()
}

/// The errors of one file, without its directory.
fn faults(text: &str) -> String {
    let dir = Dir::new();
    dir.write("main.toml", text);
    let error = dir.load(Args::default(), &env(&[])).unwrap_err();
    dir.strip(&error.sentence(Lang::En))
}

fn listens(settings: &Settings) -> Vec<String> {
    settings.listen.iter().map(|listen| listen.address.to_string()).collect()
}

#[test]
fn a_port_replaces_the_listeners_of_the_file_with_their_proxies() {
    let dir = Dir::new();
    dir.write(
        "main.toml",
        "[[listen]]\nname = \"a\"\naddress = \"1\"\nproxies = [\"unix\", \"10.0.0.0/8\"]\n",
    );
    let typed =
        dir.load(Args { port: Some(8080), ..Args::default() }, &env(&[("HEARTBEAT_HTTP", "2")])).unwrap();
    assert_eq!(listens(&typed), ["8080"]);
    assert!(typed.listen[0].proxies.is_empty() && !typed.listen[0].proxy_unix);
    let written = dir.load(Args::default(), &env(&[])).unwrap();
    assert_eq!(written.listen[0].name, "a");
    assert!(written.listen[0].proxy_unix);
    assert_eq!(written.listen[0].proxies, ["10.0.0.0/8".parse::<IpNet>().unwrap()]);
}

#[test]
fn what_a_proxy_sets_is_said_and_fits_its_listener() {
    let listen = |more: &str| format!("[[listen]]\naddress = \"1\"\n{more}");
    let unsaid = settings(&listen("proxies = [\"10.0.0.0/8\"]"));
    assert_eq!(unsaid.listen[0].proxy_header, ProxyHeader::Unsaid, "files of 0.4.0 still load");
    assert!(unsaid.warnings[0].contains("X-Forwarded-For is read"), "{:?}", unsaid.warnings);
    for header in ProxyHeader::ALL {
        let said = format!("proxies = [\"unix\"]\nproxy_header = \"{}\"", header.name());
        let said = settings(&listen(&said));
        assert_eq!((said.listen[0].proxy_header, said.warnings.len()), (header, 0));
    }
    for (wrong, reason) in [
        ("proxies = [\"unix\"]\nproxy_header = \"via\"", "4: listen.proxy_header: not a header"),
        ("proxy_header = \"forwarded\"", "1: listen: proxy_header needs proxies"),
        ("protocol = \"tcp\"\nproxies = [\"unix\"]", "1: listen: raw TCP has no headers"),
        (
            "protocol = \"tcp\"\nproxies = [\"unix\"]\nproxy_header = \"x-real-ip\"",
            "1: listen: raw TCP has no headers",
        ),
        ("protocol = \"tcp\"\nfast_path = true", "1: listen: fast_path is for"),
    ] {
        let said = faults(&listen(wrong));
        assert!(said.contains(reason), "{wrong}: {said}");
    }
    let tcp =
        settings(&listen("protocol = \"tcp\"\nproxies = [\"unix\"]\nproxy_header = \"proxy-protocol\""));
    assert_eq!(tcp.listen[0].proxy_header, ProxyHeader::ProxyProtocol);
}

#[test]
fn what_is_typed_replaces_the_listeners_of_its_protocol_only() {
    let dir = Dir::new();
    let file = "[[listen]]\naddress = \"1\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"2\"\n";
    let at = |port| ListenChoice::At(ListenAddress::Any(port));
    let none = Args::default();
    for (text, args, variables, want) in [
        (file, none.clone(), &[][..], "http 1, tcp 2"),
        (file, Args { port: Some(8), ..none.clone() }, &[], "http 8, tcp 2"),
        (file, Args { tcp: vec![at(9), at(10)], ..none.clone() }, &[], "tcp 9, tcp 10, http 1"),
        (file, Args { tcp: vec![ListenChoice::Off], ..none.clone() }, &[], "http 1"),
        (file, Args { http: vec![ListenChoice::Off], ..none.clone() }, &[("HEARTBEAT_TCP", "3")], "tcp 3"),
        ("[[listen]]\naddress = \"1\"\n", none.clone(), &[], "http 1"),
        ("[[listen]]\naddress = \"1\"\n", Args { tcp: vec![at(9)], ..none.clone() }, &[], "tcp 9, http 1"),
        ("", Args { port: Some(8), ..none.clone() }, &[], "http 8, tcp 7778 unasked"),
        ("", Args { port: Some(7778), ..none.clone() }, &[], "http 7778"),
        ("", none.clone(), &[("HEARTBEAT_HTTP", "off")], "tcp 7778 unasked"),
        ("", none.clone(), &[("HEARTBEAT_TCP", "off")], "http 7777"),
    ] {
        dir.write("main.toml", text);
        let settings = dir.load(args, &env(variables)).unwrap();
        let one = |listen: &Listen| {
            let unasked = if listen.unasked { " unasked" } else { "" };
            format!("{} {}{unasked}", listen.protocol.name(), listen.address)
        };
        let all: Vec<String> = settings.listen.iter().map(one).collect();
        assert_eq!(all.join(", "), want);
    }
}

#[test]
fn a_listener_has_its_protocol_and_its_keepalive() {
    let settings = settings(
        "[[listen]]\nprotocol = \"tcp\"\naddress = \"1\"\nkeepalive = \"off\"\n\
         [[listen]]\naddress = \"2\"\nkeepalive = { idle = \"5s\", count = 2 }\n",
    );
    let [one, two] = &settings.listen[..] else { panic!("{:?}", settings.listen) };
    assert_eq!((one.name.as_str(), one.protocol, one.keepalive), ("tcp", Protocol::Tcp, None));
    let keepalive = KeepAlive { idle: Span::secs(5), count: 2, ..KeepAlive::default() };
    assert_eq!((two.name.as_str(), two.protocol, two.keepalive), ("http", Protocol::Http, Some(keepalive)));
}

#[test]
fn the_times_of_tcp_are_held_against_each_other() {
    let tcp = settings("[tcp]\nping_interval = \"1s\"\ntimeout = 2\nanonymous = \"ip:port\"").tcp;
    assert_eq!(
        (tcp.ping_interval, tcp.timeout, tcp.frame_timeout),
        (Span::secs(1), Span::secs(2), Span::secs(15))
    );
    assert_eq!(tcp.anonymous, Anonymous::IpPort);
    assert_eq!(settings("tcp.line_timeout = 1").tcp.line_timeout, Span::secs(1));
    assert_eq!(
        faults("[tcp]\ntimeout = \"3s\""),
        "main.toml:2: tcp.timeout: tcp.timeout (3s) must be longer than tcp.ping_interval (3s)"
    );
    assert_eq!(
        faults("[tcp]\nping_interval = \"12s\""),
        "main.toml:2: tcp.ping_interval: tcp.timeout (10s) must be longer than tcp.ping_interval (12s)"
    );
}

#[test]
fn with_both_off_nothing_is_left_and_that_is_said() {
    let args = Args { http: vec![ListenChoice::Off], tcp: vec![ListenChoice::Off], ..Args::default() };
    let error = Settings::load(&args, &env(&[])).unwrap_err();
    assert_eq!(
        error.sentence(Lang::En),
        "--tcp: nothing is left to listen on: give an address instead of off"
    );
    assert_eq!(error.exit_code(), 78);
    let off = [("HEARTBEAT_HTTP", "off"), ("HEARTBEAT_TCP", "off")];
    let error = Settings::load(&Args::default(), &env(&off)).unwrap_err();
    assert!(error.sentence(Lang::Zh).starts_with("HEARTBEAT_TCP: 没有可监听的地址"));
}
