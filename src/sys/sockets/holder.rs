//! Who holds an address that we cannot have: best effort, for the error sentence only.
//!
//! Linux lists its listening sockets with their inodes in /proc/net, and a process shows the inodes of its sockets in
//! /proc/PID/fd. Other users' processes can be read by root alone; then the answer is "unknown", as elsewhere. So can
//! our own daemon, which is closed to everybody (see `sandbox`); it is known by its name.

use std::fmt;
use std::path::Path;

/// Most processes that are named as possible.
const PIDS_MAX: usize = 16;

/// A program that holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its short name, free of control characters.
    pub name: String,
    /// Its process id; several where it is one of these.
    pub pids: Vec<u32>,
}

impl Holder {
    /// Whether it is this process, beyond doubt.
    pub fn is(&self, pid: u32) -> bool {
        self.pids == [pid]
    }

    /// Its process id, or those that it may have.
    pub fn numbers(&self, or: &str) -> String {
        self.pids.iter().map(u32::to_string).collect::<Vec<_>>().join(or)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.numbers(" or pid "))
    }
}

/// The program listening on a TCP port, on whatever address.
pub(super) fn of_port(port: u16) -> Option<Holder> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .find_map(|table| tcp_inode(&table, port))
        .and_then(|inode| by_inode(inode).or_else(one_of_ours))
}

/// The program listening on a unix socket.
pub(super) fn of_path(path: &Path) -> Option<Holder> {
    let table = std::fs::read_to_string("/proc/net/unix").ok()?;
    unix_inode(&table, path.to_str()?).and_then(|inode| by_inode(inode).or_else(one_of_ours))
}

/// Another daemon of this user. It lets nobody look into it, not even at its descriptors, so it is known by its name; of
/// several it is one.
fn one_of_ours() -> Option<Holder> {
    let own = std::fs::read_to_string("/proc/self/comm").ok()?;
    let uid = nix::unistd::getuid().to_string();
    let all = std::fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let (path, pid) = (entry.path(), entry.file_name().to_str()?.parse().ok()?);
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let ours =
            status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next())? == uid;
        let alike = ours && std::fs::read_to_string(path.join("comm")).ok()? == own;
        let closed = pid != std::process::id() && std::fs::read_dir(path.join("fd")).is_err();
        (alike && closed).then_some(pid)
    });
    let pids: Vec<u32> = all.take(PIDS_MAX + 1).collect();
    // The kernel keeps the first letters of a name only; the program is our own.
    (1..=PIDS_MAX)
        .contains(&pids.len())
        .then(|| Some(Holder { name: name_of("/proc/self".as_ref())?, pids }))?
}

/// The inode of the listening socket on `port` in the text of /proc/net/tcp or tcp6 (proc_net_tcp in the kernel's
/// documentation): columns `sl local_address rem_address st … inode`, state 0A is LISTEN, numbers are hexadecimal.
fn tcp_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let (_, local_port) = columns.nth(1)?.rsplit_once(':')?;
        let listens = columns.nth(1)? == "0A" && u16::from_str_radix(local_port, 16) == Ok(port);
        listens.then(|| columns.nth(5)?.parse().ok()).flatten()
    })
}

/// The inode of the listening socket at `path` in the text of /proc/net/unix: columns
/// `num refcount protocol flags type st inode path`, flag 0x10000 is "accepts connections".
fn unix_inode(table: &str, path: &str) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let at = line.find(" /")?;
        let mut columns = line[..at].split_ascii_whitespace();
        let flags = u32::from_str_radix(columns.nth(3)?, 16).ok()?;
        let listens = flags & 0x10000 != 0 && line[at + 1..] == *path;
        listens.then(|| columns.nth(2)?.parse().ok()).flatten()
    })
}

fn by_inode(inode: u64) -> Option<Holder> {
    let wanted = format!("socket:[{inode}]");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let holds =
            files.any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*wanted));
        holds.then(|| Some(Holder { name: name_of(&entry.path())?, pids: vec![pid] })).flatten()
    })
}

/// The file name of a process's program, or the short name that the kernel keeps.
fn name_of(process: &Path) -> Option<String> {
    let program = std::fs::read_link(process.join("exe")).ok();
    let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = match name {
        Some(name) => name.trim_end_matches(" (deleted)").to_string(),
        None => String::from_utf8_lossy(&std::fs::read(process.join("comm")).ok()?).trim_end().to_string(),
    };
    // A program chooses its own name: it must not be able to write on the administrator's terminal.
    Some(name.replace(char::is_control, "?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:1E61 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 111 1 0 20 0 0 10 -1\n   \
        1: 00000000:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0\n   \
        2: broken\n";

    #[test]
    fn only_a_listener_on_that_port_counts() {
        assert_eq!(tcp_inode(TCP, 7777), Some(222));
        assert_eq!(tcp_inode(TCP, 7778), None);
        assert_eq!(tcp_inode("", 7777), None);
    }

    #[test]
    fn only_a_unix_listener_at_that_path_counts() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00000000 0001 03 31 /run/x\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 32 /run/x y\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 33 @/run/x\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 34 /run/x\n";
        assert_eq!(unix_inode(table, "/run/x"), Some(34));
        assert_eq!(unix_inode(table, "/run/x y"), Some(32));
        assert_eq!(unix_inode(table, "/run/z"), None);
    }
}
