//! Whether this machine has a network at all.

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// Whether an interface other than the loopback is up, has its carrier and an address; `None` where the system does not
/// say.
pub fn is_there() -> Option<bool> {
    let working = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let mut all = getifaddrs().ok()?;
    Some(all.any(|one| {
        let internet = one
            .address
            .is_some_and(|address| address.as_sockaddr_in().is_some() || address.as_sockaddr_in6().is_some());
        internet && one.flags.contains(working) && !one.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_system_says() {
        assert!(super::is_there().is_some());
    }
}
