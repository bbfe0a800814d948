//! Capabilities, which a daemon that has bound its ports needs no more.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::geteuid;

/// What root keeps where it was not given up: a port for a name that resolves later, and to start and end programs as
/// somebody else. Nothing that changes files of others or the machine.
const ROOTS: [Capability; 4] =
    [Capability::CAP_KILL, Capability::CAP_NET_BIND_SERVICE, Capability::CAP_SETGID, Capability::CAP_SETUID];

/// Gives up capabilities for good: all of them, or as root those that are not [`ROOTS`].
pub(super) fn give_up() -> Result<(), CapsError> {
    let mut kept = CapsHashSet::new();
    if geteuid().is_root() {
        let held = caps::read(None, CapSet::Permitted)?;
        kept.extend(ROOTS.into_iter().filter(|one| held.contains(one)));
        // Or what root starts as root would have them all again, those that we keep included.
        for surplus in caps::read(None, CapSet::Bounding)? {
            caps::drop(None, CapSet::Bounding, surplus)?;
        }
    }
    // Where the kernel knows no ambient ones there are none.
    if caps::read(None, CapSet::Ambient).is_ok_and(|ambient| !ambient.is_empty()) {
        caps::clear(None, CapSet::Ambient)?;
    }
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)
}
