//! Under which names requests are taken: what keeps a page out that has its own name lead here (DNS rebinding).
//!
//! A browser lets a page speak to the name it came from. Whoever owns that name can have it mean this machine the moment
//! after, and the page then sends its `Origin` and its `Host` alike. What it cannot have is an address, or a name that is
//! not in the public DNS, or ours.

use crate::i18n::ParseError;
use std::net::IpAddr;

/// What a list entry may look like.
const FORM: ParseError = ParseError::BareHostName;
/// Ends of names that nobody can register: RFC 6761, 6762, 8375, ICANN's for private use, and what routers give.
const NOT_PUBLIC: [&str; 6] = [".localhost", ".local", ".lan", ".internal", ".home.arpa", ".test"];

/// The names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Names in lower case, `*.` before those of which any below is meant too. Empty: see [`Hosts::admits`].
    pub listed: Vec<String>,
    /// This machine's own name.
    pub own: String,
}

impl Hosts {
    /// Whether a request with this `Host` is taken. `changes`: a browser's page wants to change something with it.
    ///
    /// Where names are listed every request must come under one of them, reading too; without a list any will do, but for
    /// a page's changes. An address and `localhost` cannot be made to mean us by somebody else, and who sends no `Host` is
    /// no browser.
    pub fn admits(&self, host: Option<&[u8]>, changes: bool) -> bool {
        if !self.matter(changes) {
            return true;
        }
        let Some(host) = host else { return true };
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let name = name_of(host).to_ascii_lowercase();
        if name == "localhost" || name.parse::<IpAddr>().is_ok() {
            return true;
        }
        match self.listed.is_empty() {
            false => is_listed(&self.listed, &name),
            true => {
                !name.contains('.') || name == self.own || NOT_PUBLIC.iter().any(|end| name.ends_with(end))
            }
        }
    }

    /// Whether the name makes a difference.
    pub fn matter(&self, changes: bool) -> bool {
        changes || !self.listed.is_empty()
    }

    /// Checks an entry of the list.
    ///
    /// # Errors
    /// When it is no host name.
    pub fn entry(text: &str) -> Result<String, ParseError> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let is_name = (1..=253).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.');
        if is_name { Ok(text.trim_end_matches('.').to_ascii_lowercase()) } else { Err(FORM) }
    }
}

/// Whether a `Host` header names one of some entries of such a list.
pub fn is_among(listed: &[String], host: &[u8]) -> bool {
    let name = std::str::from_utf8(host).map(|host| name_of(host).to_ascii_lowercase());
    name.is_ok_and(|name| is_listed(listed, &name))
}

fn is_listed(listed: &[String], name: &str) -> bool {
    listed.iter().any(|listed| match listed.strip_prefix('*') {
        Some(end) => name.ends_with(end) && name.len() > end.len(),
        None => listed == name,
    })
}

/// The host of a `Host` header, without port, brackets and a dot at the end.
fn name_of(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listed: &[&str]) -> Hosts {
        Hosts {
            listed: listed.iter().map(|name| Hosts::entry(name).unwrap()).collect(),
            own: "nas.example".into(),
        }
    }

    #[test]
    fn a_page_under_a_public_name_changes_nothing_and_reads_where_no_name_is_listed() {
        let any = hosts(&[]);
        for name in [
            "evil.example.com",
            "evil.example.com:7777",
            "EVIL.com",
            "1.2.3.4.evil.com",
            "localhost.evil.com",
        ] {
            assert!(!any.admits(Some(name.as_bytes()), true), "{name}");
            assert!(any.admits(Some(name.as_bytes()), false), "{name}");
        }
        for name in [
            "127.0.0.1:7777",
            "[::1]:7777",
            "192.168.1.9",
            "localhost",
            "LOCALHOST.:7777",
            "nas",
            "nas:7777",
            "nas.lan",
            "nas.local:80",
            "nas.example:7777",
            "hb.home.arpa",
            "x.localhost",
        ] {
            assert!(any.admits(Some(name.as_bytes()), true), "{name}");
        }
        assert!(any.admits(None, true), "no browser");
        assert!(!any.admits(Some(b"\xff"), true));
    }

    #[test]
    fn where_names_are_listed_no_other_is_answered_at_all() {
        let two = hosts(&["hb.example.org", "*.Lab.example.org"]);
        for name in
            ["hb.example.org", "HB.example.org:443", "a.lab.example.org", "10.0.0.1:7777", "localhost"]
        {
            assert!(two.admits(Some(name.as_bytes()), false), "{name}");
        }
        for name in
            ["evil.com", "nas", "nas.example", "lab.example.org", ".lab.example.org", "xhb.example.org"]
        {
            assert!(!two.admits(Some(name.as_bytes()), false), "{name}");
        }
    }

    #[test]
    fn an_entry_is_a_name_and_nothing_else() {
        for wrong in ["", "*.", "http://hb", "hb:7777", "a b", "*.*.x", ".x", "服务器"] {
            assert!(Hosts::entry(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(Hosts::entry("HB.example.org.").as_deref(), Ok("hb.example.org"));
    }
}
