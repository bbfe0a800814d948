//! What the system says of our own process.

use crate::view::metrics::ProcessMetrics;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

/// CPU, memory and files of this process. What the system does not tell stays `None`.
pub fn usage() -> ProcessMetrics {
    let (virtual_bytes, resident_bytes) = memory().unzip();
    ProcessMetrics {
        cpu_s: getrusage(UsageWho::RUSAGE_SELF).ok().map(|usage| {
            let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
            seconds(usage.user_time()) + seconds(usage.system_time())
        }),
        resident_bytes,
        virtual_bytes,
        open_fds: std::fs::read_dir("/dev/fd").ok().map(|entries| entries.count().saturating_sub(1) as u64),
        max_fds: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
    }
}

/// The name of this machine, if it has one that can be said to others.
pub fn host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok().filter(|name| !name.is_empty() && name.is_ascii())
}

/// Virtual and resident bytes, where there is a /proc.
fn memory() -> Option<(u64, u64)> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').map(|n| n.parse::<u64>().ok());
    let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()?? as u64;
    Some((pages.next()?? * page_bytes, pages.next()?? * page_bytes))
}
