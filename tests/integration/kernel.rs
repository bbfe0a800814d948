//! What the kernel says of sockets and processes: states to wait for where a test would else wait for a time.

use crate::harness::until;

/// Waits until a connection is full both ways, seen from the server: answers that the client's side does not take lie in
/// its send queue, and what the client sent and the server does not read lies in its receive queue.
pub fn wait_until_backed_up(server_port: u16, client_port: u16) {
    if !cfg!(target_os = "linux") {
        return;
    }
    until("a connection that is full both ways", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().filter_map(Row::of).any(|row| {
            row.local_port == server_port
                && row.remote_port == client_port
                && row.unsent > 0
                && row.unread > 0
        })
    });
}

/// Waits until every thread of a process waits for something (state S of proc(5)).
pub fn wait_until_asleep(pid: u32) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let state_of = |thread: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    until("all its threads to wait", || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        threads.filter_map(Result::ok).filter_map(state_of).all(|state| state == 'S')
    });
}

/// A line of /proc/net/tcp, as far as it matters here.
struct Row {
    local_port: u16,
    remote_port: u16,
    unsent: u32,
    unread: u32,
}

impl Row {
    fn of(line: &str) -> Option<Row> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |field: &str| u16::from_str_radix(field.rsplit_once(':')?.1, 16).ok();
        let (unsent, unread) = fields.get(4)?.split_once(':')?;
        Some(Row {
            local_port: port(fields.get(1)?)?,
            remote_port: port(fields.get(2)?)?,
            unsent: u32::from_str_radix(unsent, 16).ok()?,
            unread: u32::from_str_radix(unread, 16).ok()?,
        })
    }
}
