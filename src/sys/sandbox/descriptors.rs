//! Open descriptors that are none of our children's business.
//!
//! What we open ourselves is closed on exec from the first. Whoever started us may have left others open, and a pid file
//! that `daemonize` keeps locked would stay locked by a program that outlives us.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::os::fd::{BorrowedFd, RawFd};

/// The descriptors that whoever started us has left open, but for the three standard streams and what was meant for us.
///
/// Call it before anything is opened.
pub fn leaked(ours: &[RawFd]) -> Vec<RawFd> {
    open_ones().into_iter().filter(|number| *number > 2 && !ours.contains(number)).collect()
}

/// Closes them: a lock or a secret of somebody else must not live as long as we do. The configuration is read before that,
/// as it may come by one of them (`-c /dev/fd/63`).
pub fn close(leaked: Vec<RawFd>) {
    for number in leaked {
        // It was open then, and nothing that we opened has its number.
        let _ = nix::unistd::close(number);
    }
}

#[allow(unsafe_code)]
fn open_ones() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/dev/fd") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let numbers: Vec<RawFd> = names.collect();
    // SAFETY: it is only asked about; the one that the listing itself used is gone, and the question says so.
    let is_open =
        |number: &RawFd| fcntl(unsafe { BorrowedFd::borrow_raw(*number) }, FcntlArg::F_GETFD).is_ok();
    numbers.into_iter().filter(is_open).collect()
}

/// Has all but the three standard streams closed when a program is started.
#[allow(unsafe_code)]
pub(super) fn close_on_exec() {
    for number in open_ones().into_iter().filter(|number| *number > 2) {
        // SAFETY: no other thread closes or opens descriptors meanwhile, and setting this flag harms none that is open;
        // the one that the listing itself used may be gone, which is an error and nothing else.
        let _ = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}
