//! Capabilities, which a daemon that has bound its ports needs no more.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::geteuid;

/// What root keeps where it was not given up: what one does with files and processes of others, which its hooks may have
/// to. Nothing that changes the machine: no module is loaded, no address set, no disk mounted, no clock moved.
const ROOTS: [Capability; 10] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
];

/// Gives up capabilities for good: all of them, or as root those that are not [`ROOTS`].
pub(super) fn give_up() -> Result<(), CapsError> {
    let mut kept = CapsHashSet::new();
    if geteuid().is_root() {
        let held = caps::read(None, CapSet::Permitted)?;
        kept.extend(ROOTS.into_iter().filter(|one| held.contains(one)));
        // Or what root starts would have them all again.
        for surplus in caps::read(None, CapSet::Bounding)?.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *surplus)?;
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
