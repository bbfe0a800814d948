//! `Forwarded`, `X-Forwarded-For` and `X-Real-IP`: never panics; who is no trusted proxy is never believed; and the client is
//! always the sender itself or an address that stands in the headers.
#![no_main]

use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::limits::Limits;
use heartbeat_server::wire::forwarded::{Proxies, ProxyHeader};
use heartbeat_server::wire::head::{Facts, HeadStep, next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let lines: Vec<&[u8]> = rest.split(|b| *b == b'\n').collect();
    let name = ["forwarded", "x-forwarded-for", "x-real-ip"][usize::from(kind >> 4) % 3];
    let header = [ProxyHeader::Unsaid, ProxyHeader::XForwardedFor, ProxyHeader::Forwarded, ProxyHeader::XRealIp];
    let header = header[usize::from(kind >> 2) % 4];
    let proxies = Proxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: kind & 2 == 0, header };
    let Ok(facts) = Facts::collect(lines.iter().map(|line| (name, *line))) else {
        assert!(lines.len() > 4);
        return;
    };
    let stranger = Peer::from_ip("203.0.113.9".parse().unwrap());
    assert_eq!(proxies.client(stranger, &facts), Ok(stranger));
    if !proxies.unix {
        assert_eq!(proxies.client(Peer::Unix, &facts), Ok(Peer::Unix));
    }
    let proxy = Peer::from_ip("10.0.0.1".parse().unwrap());
    if let Ok(Peer::Ip(client)) = proxies.client(proxy, &facts) {
        let told = client.is_ipv6()
            || Peer::Ip(client) == proxy
            || lines.iter().any(|l| String::from_utf8_lossy(l).contains(&client.to_string()))
            || lines.iter().any(|l| l.contains(&b':'));
        assert!(told, "{client} stands nowhere");
    }
    // The same through a whole request, where the lines are fit for one.
    let mut request = b"POST / HTTP/1.1\r\nHost: hb\r\n".to_vec();
    for line in &lines {
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    if let HeadStep::Beat(plain) = next(&request, &Limits::default())
        && plain.facts.forwarded.as_slice().len()
            + plain.facts.x_forwarded_for.as_slice().len()
            + plain.facts.x_real_ip.as_slice().len()
            == lines.len()
    {
        assert_eq!(proxies.client(proxy, &plain.facts), proxies.client(proxy, &facts));
    }
});
