//! Open descriptors that are none of our children's business.
//!
//! What we open ourselves is closed on exec from the first. Whoever started us may have left others open, and a pid file
//! that `daemonize` keeps locked would stay locked by a program that outlives us.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::os::fd::BorrowedFd;

/// Has all but the three standard streams closed when a program is started.
#[allow(unsafe_code)]
pub(super) fn close_on_exec() {
    let Ok(entries) = std::fs::read_dir("/dev/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &i32| *number > 2) {
        // SAFETY: no other thread closes or opens descriptors meanwhile, and setting this flag harms none that is open;
        // the one that the listing itself used may be gone, which is an error and nothing else.
        let _ = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}
