//! Where to listen: what was typed for a protocol replaces what the files say of that protocol, and where nobody says
//! anything there are the two ports that people know.

use super::cli::ListenChoice;
use super::decide::Resolver;
use super::error::{Place, Text};
use super::schema::{ListenDraft, TcpDraft};
use super::settings::Listen;
use super::tls;
use super::value::{Located, Origin};
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::limits::LISTENERS_MAX;
use crate::domain::policy::TcpTimes;
use crate::sys::sockets::keepalive::KeepAlive;
use crate::wire::forwarded::ProxyHeader;
use std::str::FromStr;

/// The protocols with their variables, options, and ports when nobody says otherwise.
const PROTOCOLS: [(Protocol, &str, &str, u16); 2] =
    [(Protocol::Http, "HEARTBEAT_HTTP", "--http", 7777), (Protocol::Tcp, "HEARTBEAT_TCP", "--tcp", 7778)];

impl Listen {
    /// A listener of which only the address is known.
    fn plain(protocol: Protocol, address: ListenAddress) -> Listen {
        Listen {
            name: protocol.name().to_string(),
            protocol,
            address,
            keepalive: Some(KeepAlive::default()),
            proxies: Vec::new(),
            proxy_unix: false,
            proxy_header: ProxyHeader::Unsaid,
            fast_path: true,
            unasked: false,
            tls: None,
        }
    }
}

impl Resolver<'_> {
    /// Where to listen. A PORT or an ADDR replaces everything the files say of its protocol, names and proxies included:
    /// what was written for a public address must not silently hold for another one.
    pub(super) fn listen(self, drafts: Vec<Located<ListenDraft>>) -> Vec<Listen> {
        let mut listen: Vec<Listen> = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        let mut off = None;
        let mut open = Vec::new();
        for known in PROTOCOLS {
            let (protocol, variable, option, _) = known;
            let flags = match (protocol, self.args.port) {
                (Protocol::Http, Some(port)) => vec![ListenChoice::At(ListenAddress::Any(port))],
                (Protocol::Http, None) => self.args.http.clone(),
                (Protocol::Tcp, _) => self.args.tcp.clone(),
            };
            let source = Place::Named(if flags.is_empty() { variable } else { option });
            let typed = self.list(&flags, variable, ListenChoice::from_str);
            if typed.is_empty() {
                open.push(known);
            }
            for choice in typed {
                match choice {
                    ListenChoice::Off => off = Some(source.clone()),
                    ListenChoice::At(address) => {
                        let one = Listen::plain(protocol, self.absolute(address));
                        self.add_listener(&mut listen, &mut places, one, &source, "");
                    }
                }
            }
        }
        let silent = drafts.is_empty();
        for draft in drafts {
            let place = draft.origin.place.clone();
            if let Some(one) =
                self.drafted(draft).filter(|one| open.iter().any(|known| known.0 == one.protocol))
            {
                self.add_listener(&mut listen, &mut places, one, &place, "listen.address");
            }
        }
        for (protocol, _, _, port) in open.into_iter().filter(|_| silent) {
            let address = ListenAddress::Any(port);
            if !listen.iter().any(|other| other.address == address) {
                let unasked = protocol == Protocol::Tcp;
                listen.push(Listen { unasked, ..Listen::plain(protocol, address) });
            }
        }
        if let (true, Some(source)) = (listen.is_empty(), off) {
            let reason = Text::new(
                "nothing is left to listen on: give an address instead of off",
                "没有可监听的地址：请给出地址而不是 off",
            );
            self.findings.reject(source, "", reason);
        }
        listen
    }

    /// A listener of a file.
    fn drafted(self, Located { value: draft, origin }: Located<ListenDraft>) -> Option<Listen> {
        let protocol = draft.protocol.or_default();
        let has_fast_path = draft.fast_path.value;
        let header = draft.proxy_header.value;
        let proxies = draft.proxies.or_default();
        let has_proxies = proxies.unix || !proxies.networks.is_empty();
        let by_protocol = header == Some(ProxyHeader::ProxyProtocol);
        if !draft.address.is_given() {
            let Origin { place, key } = &origin;
            self.findings.reject(place.clone(), key, Text::new("address is missing", "缺少 address"));
        }
        let reason = if protocol != Protocol::Http && has_fast_path.is_some() {
            Some(Text::new("fast_path is for the protocol \"http\" only", "fast_path 仅用于 \"http\" 协议"))
        } else if protocol != Protocol::Http && !by_protocol && (has_proxies || header.is_some()) {
            Some(Text::new(
                "raw TCP has no headers: proxies need proxy_header = \"proxy-protocol\" there",
                "原始 TCP 没有 HTTP 头：proxies 在此需要 proxy_header = \"proxy-protocol\"",
            ))
        } else if !has_proxies && header.is_some_and(|header| header != ProxyHeader::XForwardedFor) {
            Some(Text::new(
                "proxy_header needs proxies = [\"ADDRESS\"]: whose word it is",
                "proxy_header 需要 proxies = [\"地址\"]：信任谁的说法",
            ))
        } else {
            None
        };
        if let Some(reason) = reason {
            self.findings.reject(origin.place, "listen", reason);
            return None;
        }
        if has_proxies && header.is_none() {
            let reason = Text::new(
                "proxies without proxy_header: X-Forwarded-For is read, and a request with Forwarded alone is refused; \
                 write proxy_header = \"x-forwarded-for\", \"forwarded\", \"x-real-ip\" or \"proxy-protocol\", whichever the \
                 proxy sets",
                "有 proxies 而没有 proxy_header：读取 X-Forwarded-For，只带 Forwarded 的请求会被拒绝；请写明代理设置的是哪一个：\
                 proxy_header = \"x-forwarded-for\"、\"forwarded\"、\"x-real-ip\" 或 \"proxy-protocol\"",
            );
            self.findings.warn(&origin.place, "listen.proxies", reason);
        }
        let tls =
            draft.tls.located().and_then(|Located { value, origin }| Some(Located { value: value?, origin }));
        let plain = Listen::plain(protocol, draft.address.value?);
        let spoken: &[&[u8]] = if protocol == Protocol::Http { &[b"http/1.1"] } else { &[] };
        Some(Listen {
            name: draft.name.or(plain.name),
            keepalive: draft.keepalive.or(plain.keepalive),
            proxies: proxies.networks,
            proxy_unix: proxies.unix,
            // With nobody to be believed it makes no difference.
            proxy_header: header.filter(|_| has_proxies).unwrap_or_default(),
            fast_path: has_fast_path.unwrap_or(true),
            tls: tls.and_then(|draft| tls::papers(draft, spoken, self.env, self.findings)),
            ..plain
        })
    }

    /// `places` are those of the listeners that there are, in their order.
    fn add_listener(
        self,
        listen: &mut Vec<Listen>,
        places: &mut Vec<Place>,
        one: Listen,
        place: &Place,
        key: &str,
    ) {
        let twin = listen.iter().position(|other| other.address == one.address);
        let reason = if let Some(first) = twin.and_then(|index| places.get(index)) {
            Text::new(
                format!("{} is named twice, first at {first}", one.address),
                format!("{} 出现了两次，第一次在 {first}", one.address),
            )
        } else if listen.len() == LISTENERS_MAX {
            Text::new(
                format!("too many listeners: at most {LISTENERS_MAX}"),
                format!("监听地址过多：最多 {LISTENERS_MAX} 个"),
            )
        } else {
            listen.push(one);
            places.push(place.clone());
            return;
        };
        self.findings.reject(place.clone(), key, reason);
    }

    fn absolute(self, address: ListenAddress) -> ListenAddress {
        match address {
            ListenAddress::Unix(path) => ListenAddress::Unix(self.env.absolute(&path)),
            other => other,
        }
    }

    /// The times of raw TCP, held against each other.
    pub(super) fn tcp(self, draft: TcpDraft) -> TcpTimes {
        let usual = TcpTimes::default();
        let of_interval = draft.ping_interval.origin.clone();
        let of_timeout = draft.timeout.origin.clone();
        let of_frame_timeout = draft.frame_timeout.origin.clone();
        let times = TcpTimes {
            ping_interval: draft.ping_interval.or(usual.ping_interval),
            timeout: draft.timeout.or(usual.timeout),
            frame_timeout: draft.frame_timeout.or(usual.frame_timeout),
            line_timeout: draft.line_timeout.or(usual.line_timeout),
            anonymous: draft.anonymous.or_default(),
        };
        let interval = times.ping_interval;
        for (name, timeout, origin) in
            [("timeout", times.timeout, of_timeout), ("frame_timeout", times.frame_timeout, of_frame_timeout)]
        {
            // With neither written there is nothing wrong; with one, that is the one to look at.
            if let Some(Origin { place, key }) =
                origin.or(of_interval.clone()).filter(|_| timeout <= interval)
            {
                let reason = Text::new(
                    format!("tcp.{name} ({timeout}) must be longer than tcp.ping_interval ({interval})"),
                    format!("tcp.{name}（{timeout}）必须大于 tcp.ping_interval（{interval}）"),
                );
                self.findings.reject(place, key, reason);
            }
        }
        times
    }
}

#[cfg(test)]
#[path = "listening_tests.rs"]
mod tests;
