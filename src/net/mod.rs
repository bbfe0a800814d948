//! Connections that we open: names and addresses, TLS, one request over HTTP. The client and the notifiers share it.
//!
//! Errors are values; whoever calls says them in a sentence.

pub mod dial;
pub mod http;
pub mod stream;
pub mod tls;

/// Host and port as a `Host` header and a URL have them: an IPv6 address in brackets.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn an_ipv6_address_has_brackets() {
        assert_eq!(authority("::1", 80), "[::1]:80");
        assert_eq!(authority("hb", 7777), "hb:7777");
    }
}
