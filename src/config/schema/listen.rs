//! The keys of `[[listen]]`, of its TLS, and of what is asked of the kernel.

use super::bounds::{TIMEOUT_MAX, TIMEOUT_MIN};
use super::source::{TokenSource, source};
use crate::config::declare::{Section, section};
use crate::config::value::{ConfigValue, Located};
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::limits::NETWORKS_MAX;
use crate::domain::time::Span;
use crate::i18n;
use crate::sys::sockets::keepalive::KeepAlive;
use crate::transport::tls::server::ClientAuth;
use crate::wire::forwarded::ProxyHeader;
use ipnet::IpNet;

/// Times that the kernel counts in seconds, up to what Linux allows.
const KEEPALIVE_MAX: Span = Span::secs(32_767);

section! {
    /// One `[[listen]]`.
    ListenDraft {
    name: String {
        read: by(listener_name),
        form: "<string>",
        example: r#""http""#,
        en: "The name by which `systemd.socket`(5) (<FileDescriptorName=>) or launchd hands the socket over; an
        inherited socket replaces the listeners of its name. Default: its protocol.",
        zh: "`systemd.socket`(5)（<FileDescriptorName=>）或 launchd 交来套接字时所用的名字；继承来的套接字取代同名
        的监听项。默认为其协议。",
        sample: "The name by which systemd or launchd hands the socket over.",
    }
    protocol: Protocol {
        read: parsed(),
        form: r#""http" | "tcp""#,
        default: "http",
        en: "What is spoken there: HTTP, or the dialects of raw TCP. Default {default}.",
        zh: "所用的协议：HTTP，或原始 TCP 的各种方言。默认 {default}。",
        sample: r#"What is spoken there: "http", WebSocket included, or "tcp"."#,
    }
    address: ListenAddress {
        read: by(address),
        form: "<string>",
        example: r#""7777""#,
        en: r#"Needed. A port ("7777": all addresses, IPv6 and IPv4), "<host>:<port>", "[<ipv6>]:<port>" or
        "unix:<path>"."#,
        zh: r#"必需。端口（"7777"：所有地址，IPv6 和 IPv4）、"<主机>:<端口>"、"[<ipv6>]:<端口>" 或 "unix:<路径>"。"#,
        sample: r#"A port, "host:port", "[ipv6]:port" or "unix:/path"."#,
    }
    proxies: ProxiesValue {
        read: by(proxies),
        form: r#"[<network> | "unix", ...]"#,
        default: [],
        en: r#"Proxies that are believed when they say who the client is, and, when a browser's Origin is judged, what
        host it asked for (X-Forwarded-Host and X-Forwarded-Proto, or host= and proto= of Forwarded); "unix"
        means whoever connects over a unix socket. Default: none."#,
        zh: r#"采信其所说的客户端地址的代理；判断浏览器的 Origin 时，也采信它们给出的主机（X-Forwarded-Host 和 X-Forwarded-Proto，
        或 Forwarded 的 host= 和 proto=）；"unix" 指经 unix 套接字连接的任何人。默认没有。"#,
        sample: r#"Proxies (networks, or "unix") that are believed when they say who the client is."#,
    }
    proxy_header: ProxyHeader {
        read: parsed(),
        form: r#""x-forwarded-for" | "forwarded" | "x-real-ip" | "proxy-protocol""#,
        default: "x-forwarded-for",
        en: r#"Where they say it: that header and no other, as proxies hand through what a client wrote into the
        others. Of a list the client is the rightmost address that is no trusted proxy. What cannot be read
        there is refused with 400, counted in heartbeat_connections_refused_total, and said in the log once an
        hour; without the header the client is the proxy itself. "proxy-protocol" is version 1 or 2 of the PROXY
        protocol, before the first byte of each connection of those proxies, with TLS inside of it; the only way
        for raw TCP. A connection of theirs that does not begin so is closed. Set it with `proxies`: without it
        X-Forwarded-For is read, with a warning, and a request that has Forwarded alone, which was believed
        before 0.5, is refused."#,
        zh: r#"从哪里读取客户端地址：只读这一个请求头，因为客户端自己写的其他请求头会被代理原样传过来。列表中最右边
        的、不是受信任代理的地址就是客户端。读不懂的请求以 400 拒绝，计入 heartbeat_connections_refused_total，
        日志每小时只说一次；没有这个请求头时，客户端就是代理自己。"proxy-protocol" 是 PROXY 协议第 1 版或第 2 版，
        位于这些代理每个连接的第一个字节之前，TLS 在它之后；原始 TCP 只能用它。这些代理的连接若不以它开头就会
        被关闭。请与 `proxies` 一起设置：不写时读取 X-Forwarded-For 并给出警告，只带 Forwarded 的请求（0.5 之
        前会采信）会被拒绝。"#,
        sample: r#"Where they say it, and nowhere else: "x-forwarded-for", "forwarded", "x-real-ip" or "proxy-protocol"
        (the only one for raw TCP). What cannot be read there is refused."#,
    }
    fast_path: bool {
        read: flag(),
        default: true,
        en: "Whether plain beats take the fast path. It makes no difference but in speed; false helps to look for
        faults. Default {default}.",
        zh: "普通心跳是否走快速路径。除了速度没有区别；排查问题时可设为 false。默认 {default}。",
        sample: "Take plain beats on the fast path; false only to look for faults.",
    }
    tls: Option<TlsDraft> {
        read: by(tls),
        form: r#"{ cert, key, client_ca, client_auth } | "off""#,
        default: "off",
        en: r#"TLS 1.2 and 1.3 for all that comes to this listener. <cert> is a PEM file with the certificate and those
        between it and an authority, <key> one with its key, without a passphrase; each is a path, or {
        credential = <name> } for a systemd credential. With <client_ca>, a PEM file of authorities, each client
        must show a certificate of theirs, or may, with client_auth = "optional"; the first DNS name in it, else
        its common name, is the monitor of beats that name none. The files are read again on SIGHUP. Default
        {default}."#,
        zh: r#"到这个监听项的一切都用 TLS 1.2 和 1.3。<cert> 是 PEM 文件，含证书及其与颁发机构之间的证书；<key> 是它
        的私钥，不带口令；两者都可以是路径，或表示 systemd 凭据的 { credential = <名称> }。设了 <client_ca>（颁
        发机构的 PEM 文件），客户端就必须出示由它们签发的证书，client_auth = "optional" 时则可以出示；心跳没
        有报标识时，以证书里的第一个 DNS 名字为标识，没有则用通用名。这些文件在 SIGHUP 时重新读取。默认 {default}。"#,
        sample: r#"TLS: { cert = "PATH", key = "PATH" }, with client_ca = "PATH" for clients that show certificates, or
        "off"."#,
    }
    keepalive: Option<KeepAlive> {
        read: by(keepalive),
        form: r#"{ idle, interval, count, user_timeout } | "off""#,
        example: r#"{ idle = "60s", interval = "10s", count = 6, user_timeout = "2m" }"#,
        en: "When the kernel looks whether a silent client is still there: after how long, how often then, and after
        how many tries without an answer the connection is dead; user_timeout is how long what was sent may go
        unacknowledged (Linux only). Default {default}.",
        zh: "内核何时查看沉默的客户端是否还在：沉默多久之后，此后隔多久，几次没有回答就算连接已断；user_timeout 是
        发出的数据可以多久没有确认（仅 Linux）。默认 {default}。",
        sample: r#"When the kernel looks whether a silent client is there: after how long, how often then, how many times,
        and how long what was sent may go unacknowledged (Linux only); or "off"."#,
    }
    }
}

section! {
    /// `listen.tls`.
    TlsDraft {
        cert: Located<TokenSource> { read: by(source) }
        key: Located<TokenSource> { read: by(source) }
        client_ca: Located<TokenSource> { read: by(source) }
        client_auth: ClientAuth { read: by(client_auth) }
    }
}

section! {
    /// `listen.keepalive`.
    KeepAliveDraft {
        idle: Span { read: span(TIMEOUT_MIN..=KEEPALIVE_MAX) }
        interval: Span { read: span(TIMEOUT_MIN..=KEEPALIVE_MAX) }
        count: u32 { read: integer(1..=127) }
        user_timeout: Span { read: span(TIMEOUT_MIN..=TIMEOUT_MAX) }
    }
}

/// Who is believed when saying who the client is.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct ProxiesValue {
    pub(in crate::config) networks: Vec<IpNet>,
    /// Whoever comes over a unix socket.
    pub(in crate::config) unix: bool,
}

/// The name under which a service manager hands a socket over: systemd allows neither control characters nor `:`.
fn listener_name(value: ConfigValue<'_>) -> Option<String> {
    let name = value.string()?;
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !fits {
        value.reject(i18n::config::NAME.into());
        return None;
    }
    Some(name.to_string())
}

fn address(value: ConfigValue<'_>) -> Option<ListenAddress> {
    Some(match value.parsed()? {
        ListenAddress::Unix(path) => ListenAddress::Unix(value.beside(&path)),
        other => other,
    })
}

fn proxies(value: ConfigValue<'_>) -> Option<ProxiesValue> {
    let mut proxies = ProxiesValue::default();
    for element in value.elements(NETWORKS_MAX)? {
        match element.string() {
            Some("unix") => proxies.unix = true,
            Some(_) => proxies.networks.extend(element.network()),
            None => {}
        }
    }
    Some(proxies)
}

fn tls(value: ConfigValue<'_>) -> Option<Option<TlsDraft>> {
    let mut draft = TlsDraft::default();
    if value.is_word("off") {
        return Some(None);
    }
    value.table(TlsDraft::KEYS, &mut draft).then_some(Some(draft))
}

fn client_auth(value: ConfigValue<'_>) -> Option<ClientAuth> {
    match value.string()? {
        "required" => Some(ClientAuth::Required),
        "optional" => Some(ClientAuth::Optional),
        _ => {
            value.reject(i18n::config::WRITE_REQUIRED_OPTIONAL.into());
            None
        }
    }
}

fn keepalive(value: ConfigValue<'_>) -> Option<Option<KeepAlive>> {
    if value.is_word("off") {
        return Some(None);
    }
    let mut draft = KeepAliveDraft::default();
    let usual = KeepAlive::default();
    value.section(KeepAliveDraft::KEYS, |_| None, &mut draft).then(|| {
        Some(KeepAlive {
            idle: draft.idle.or(usual.idle),
            interval: draft.interval.or(usual.interval),
            count: draft.count.or(usual.count),
            user_timeout: draft.user_timeout.or(usual.user_timeout),
        })
    })
}
