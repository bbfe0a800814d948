//! Whether a browser on another site sent a request: its `Origin` against what it speaks to.

use crate::domain::address::Peer;
use crate::wire::forwarded::{Proxies, ProxyHeader, first_element, parameter};
use crate::wire::head::Facts;

/// Whether a page of another site sent this: its `Origin` is not what the browser speaks to, which is what a trusted proxy
/// says of that, else `Host`. Where the scheme is known it must be the same too; a port that is the scheme's own may be left
/// out (RFC 6454, 4).
pub fn is_cross_site(proxies: &Proxies, peer: Peer, facts: &Facts<'_>) -> bool {
    let Some(origin) = facts.origin else { return false };
    let origin = std::str::from_utf8(origin).unwrap_or_default();
    let Some((scheme, from)) = origin.split_once("://").filter(|(s, _)| matches!(*s, "http" | "https"))
    else {
        return true;
    };
    let is_same = |host: &str| bare_host(host, scheme).eq_ignore_ascii_case(bare_host(from, scheme));
    let own = facts.host.and_then(|host| std::str::from_utf8(host).ok());
    // What a proxy says illegibly is no reason to believe a page.
    let Some(said) = ForwardedOrigin::by(proxies, peer, facts) else { return true };
    let host_fits = said.host.or(own).is_some_and(is_same);
    let scheme_fits = said.scheme.is_none_or(|said| said.eq_ignore_ascii_case(scheme));
    !(host_fits && scheme_fits)
}

/// Whether a page of another site led a browser to ask this without an `Origin`, as it does for images, frames and links: it
/// says so in `Sec-Fetch-Site`, else (over plain HTTP it does not say that) in `Referer`. A page can make its browser leave
/// `Referer` out, and is not known then.
pub fn is_led_across(proxies: &Proxies, peer: Peer, facts: &Facts<'_>) -> bool {
    match (facts.origin, facts.fetch_site, facts.referer) {
        (None, Some(site), _) => !matches!(site.trim_ascii(), b"same-origin" | b"none"),
        (None, None, Some(referer)) => {
            let ends = |b: &u8| matches!(b, b'/' | b'?' | b'#');
            let is_page = |scheme: &[u8]| {
                referer.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            };
            // What is no page of a site leads nowhere.
            let Some(scheme) = [&b"http://"[..], b"https://"].into_iter().find(|s| is_page(s)) else {
                return false;
            };
            let host = referer[scheme.len()..].iter().position(ends);
            let from = &referer[..host.map_or(referer.len(), |bytes| scheme.len() + bytes)];
            is_cross_site(proxies, peer, &Facts { origin: Some(from), ..*facts })
        }
        _ => false,
    }
}

/// The name under which a request came, which is what a trusted proxy says of that, else `Host`. `None`: under none.
pub fn host_asked_for<'a>(proxies: &Proxies, peer: Peer, facts: &Facts<'a>) -> Option<&'a [u8]> {
    match ForwardedOrigin::by(proxies, peer, facts) {
        Some(said) => said.host.map(str::as_bytes).or(facts.host),
        // What cannot be read is nobody's name.
        None => Some(b""),
    }
}

/// What proxies say of the request as they got it. Of several the first knows what the browser asked for; a page cannot
/// make its browser send any of these headers to another site.
#[derive(Debug, Default, PartialEq)]
struct ForwardedOrigin<'a> {
    host: Option<&'a str>,
    scheme: Option<&'a str>,
}

impl<'a> ForwardedOrigin<'a> {
    /// What is believed of it. `None`: it cannot be read.
    fn by(proxies: &Proxies, peer: Peer, facts: &Facts<'a>) -> Option<ForwardedOrigin<'a>> {
        if proxies.trusts(peer) {
            ForwardedOrigin::of(facts, proxies.header)
        } else {
            Some(ForwardedOrigin::default())
        }
    }

    /// `None`: it cannot be read.
    fn of(facts: &Facts<'a>, header: ProxyHeader) -> Option<ForwardedOrigin<'a>> {
        let forwarded = || {
            let Some(line) = facts.forwarded.as_slice().first() else {
                return Some(ForwardedOrigin::default());
            };
            let element = first_element(line)?;
            let value = |name| parameter(element, name).ok();
            Some(ForwardedOrigin { host: value("host")?, scheme: value("proto")? })
        };
        let first = |line: Option<&'a [u8]>| {
            let first = std::str::from_utf8(line?).ok()?.split(',').next()?.trim();
            Some(first).filter(|first| !first.is_empty())
        };
        let others =
            ForwardedOrigin { host: first(facts.x_forwarded_host), scheme: first(facts.x_forwarded_proto) };
        match header {
            ProxyHeader::Forwarded => forwarded(),
            ProxyHeader::Unsaid if others == ForwardedOrigin::default() => forwarded(),
            _ => Some(others),
        }
    }
}

/// A host without the port that its scheme has anyway.
fn bare_host<'a>(host: &'a str, scheme: &str) -> &'a str {
    host.strip_suffix(if scheme == "https" { ":443" } else { ":80" }).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_cross(header: ProxyHeader, peer: &str, headers: &[(&str, &str)]) -> bool {
        let proxies = Proxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: true, header };
        let facts = Facts::collect(headers.iter().map(|(n, v)| (*n, v.as_bytes()))).unwrap();
        is_cross_site(&proxies, Peer::from_ip(peer.parse().unwrap()), &facts)
    }

    #[test]
    fn a_browser_from_elsewhere_is_known_by_its_origin() {
        let crosses = |headers: &[(&str, &str)]| is_cross(ProxyHeader::Unsaid, "192.0.2.1", headers);
        assert!(!crosses(&[("host", "hb.lan:7777")]));
        for (host, origin) in [
            ("hb.lan:7777", "http://hb.lan:7777"),
            ("hb.lan:7777", "https://HB.lan:7777"),
            ("hb.lan", "http://hb.lan:80"),
            ("hb.lan:443", "https://hb.lan"),
            ("[::1]:80", "http://[::1]"),
        ] {
            assert!(!crosses(&[("host", host), ("origin", origin)]), "{host} {origin}");
        }
        for (host, origin) in [
            ("hb.lan:7777", "http://evil.example"),
            ("hb.lan:7777", "null"),
            ("hb.lan:7777", ""),
            ("hb.lan:7777", "http://hb.lan"),
            ("hb.lan:7777", "ftp://hb.lan:7777"),
            ("hb.lan:80", "https://hb.lan"),
            ("hb.lan:443", "http://hb.lan"),
        ] {
            assert!(crosses(&[("host", host), ("origin", origin)]), "{host} {origin}");
        }
        assert!(crosses(&[("origin", "http://hb.lan")]), "no Host at all");
    }

    #[test]
    fn a_link_or_an_image_of_another_site_is_known_by_what_the_browser_says() {
        let proxies = Proxies { networks: Vec::new(), unix: true, header: ProxyHeader::Unsaid };
        let is_led = |headers: &[(&str, &str)]| {
            let all = [&[("host", "hb.lan:7777")][..], headers].concat();
            let facts = Facts::collect(all.iter().map(|(n, v)| (*n, v.as_bytes()))).unwrap();
            is_led_across(&proxies, Peer::from_ip("192.0.2.1".parse().unwrap()), &facts)
        };
        let site = |site| ("Sec-Fetch-Site", site);
        let from = |page| ("Referer", page);
        for headers in [
            &[][..],
            &[site("none")],
            &[site("same-origin")],
            &[from("http://hb.lan:7777/")],
            &[from("http://HB.lan:7777/monitors/a?b#c")],
            &[from("http://hb.lan:7777")],
            &[from("")],
            &[from("about:blank")],
            &[from("/monitors/a")],
            // It was judged by what stands there.
            &[("origin", "http://hb.lan:7777"), from("http://evil.example/")],
        ] {
            assert!(!is_led(headers), "{headers:?}");
        }
        for headers in [
            &[site("cross-site")][..],
            &[site("same-site")],
            &[site("cross-site"), from("http://hb.lan:7777/")],
            &[from("http://evil.example/")],
            &[from("HTTP://evil.example")],
            &[from("https://evil.example?http://hb.lan:7777/")],
            &[from("http://evil.example#hb.lan:7777")],
            &[from("http://hb.lan:7777@evil.example/")],
            &[from("http://hb.lan/")],
            &[from("http://")],
        ] {
            assert!(is_led(headers), "{headers:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_to_which_host_a_page_belongs() {
        use ProxyHeader::{Forwarded, Unsaid, XForwardedFor};
        let origin = ("origin", "https://status.example");
        let host = ("host", "127.0.0.1:7777");
        for (header, said) in [
            (XForwardedFor, &[("x-forwarded-host", "status.example"), ("x-forwarded-proto", "https")][..]),
            (Unsaid, &[("X-Forwarded-Host", "status.example:443, inner.lan")]),
            (
                Forwarded,
                &[("forwarded", "for=1.2.3.4;host=\"status.example:443\";proto=https, host=inner.lan")],
            ),
            (Unsaid, &[("forwarded", "Host=STATUS.example")]),
        ] {
            let headers = [&[origin, host], said].concat();
            assert!(!is_cross(header, "10.0.0.1", &headers), "{said:?}");
            assert!(is_cross(header, "192.0.2.1", &headers), "nobody else is believed: {said:?}");
        }
        for (header, said) in [
            (Unsaid, &[("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")][..]),
            (Unsaid, &[("x-forwarded-host", "status.example"), ("x-forwarded-proto", "http")]),
            (Forwarded, &[("forwarded", "for=1.2.3.4;host=evil.example")]),
            (Forwarded, &[("x-forwarded-host", "status.example")]),
            // Within quotes nothing is a parameter, wherever a client put it.
            (Forwarded, &[("forwarded", "for=\"x;host=status.example\";host=evil.example")]),
            (Forwarded, &[("forwarded", "for=\"x,host=evil.example\";host=evil.example")]),
            (Forwarded, &[("forwarded", "host=status.example;host=status.example")]),
            (Forwarded, &[("forwarded", "host=status.example;for=\"1.2.3.4")]),
            (XForwardedFor, &[("forwarded", "host=status.example")]),
            (Unsaid, &[]),
        ] {
            assert!(is_cross(header, "10.0.0.1", &[&[origin, host], said].concat()), "{said:?}");
        }
        let passed_on = [origin, ("host", "status.example"), ("x-forwarded-proto", "https")];
        assert!(!is_cross(Unsaid, "10.0.0.1", &passed_on), "a proxy that passes Host on");
    }
}
