//! Where to listen: what was typed for a protocol replaces what the files say of that protocol, and where nobody says
//! anything there are the two ports that people know.

use super::cli::ListenChoice;
use super::decide::Resolver;
use super::error::SettingOrigin;
use super::schema::{ListenDraft, TcpDraft};
use super::settings::Listen;
use super::tls;
use super::value::{Located, Origin};
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::limits::LISTENERS_MAX;
use crate::domain::policy::TcpTimes;
use crate::i18n;
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
        let mut places: Vec<SettingOrigin> = Vec::new();
        let mut off = None;
        let mut open = Vec::new();
        for known in PROTOCOLS {
            let (protocol, variable, option, _) = known;
            let flags = match (protocol, self.args.port) {
                (Protocol::Http, Some(port)) => vec![ListenChoice::At(ListenAddress::Any(port))],
                (Protocol::Http, None) => self.args.http.clone(),
                (Protocol::Tcp, _) => self.args.tcp.clone(),
            };
            let source = SettingOrigin::Named(if flags.is_empty() { variable } else { option });
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
            let reason = i18n::config::NOTHING_LEFT_LISTEN_GIVE.into();
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
            self.findings.reject(place.clone(), key, i18n::config::ADDRESS_MISSING.into());
        }
        let reason = if protocol != Protocol::Http && has_fast_path.is_some() {
            Some(i18n::config::FAST_PATH_PROTOCOL_HTTP.into())
        } else if protocol != Protocol::Http && !by_protocol && (has_proxies || header.is_some()) {
            Some(i18n::config::RAW_TCP_NO_HEADERS.into())
        } else if !has_proxies && header.is_some_and(|header| header != ProxyHeader::XForwardedFor) {
            Some(i18n::config::PROXY_HEADER_NEEDS_PROXIES.into())
        } else {
            None
        };
        if let Some(reason) = reason {
            self.findings.reject(origin.place, "listen", reason);
            return None;
        }
        if has_proxies && header.is_none() {
            let reason = i18n::config::PROXIES_WITHOUT_PROXY_HEADER.into();
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
        places: &mut Vec<SettingOrigin>,
        one: Listen,
        place: &SettingOrigin,
        key: &str,
    ) {
        let twin = listen.iter().position(|other| other.address == one.address);
        let reason = if let Some(first) = twin.and_then(|index| places.get(index)) {
            i18n::config::named_twice_first(&one.address, &first)
        } else if listen.len() == LISTENERS_MAX {
            i18n::config::too_many_listeners_most(&LISTENERS_MAX)
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
                let reason = i18n::config::tcp_must_longer_than(&name, &timeout, &interval);
                self.findings.reject(place, key, reason);
            }
        }
        times
    }
}

#[cfg(test)]
#[path = "listening_tests.rs"]
mod tests;
