//! The way to a receiver over TCP: its name is resolved, and its addresses are tried in turn.

use crate::domain::lang::Lang;
use crate::sys::clock;
use std::io;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

/// Addresses of a host that are tried.
const ADDRESSES_MAX: usize = 8;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The name has no answer.
    Resolve(io::Error),
    /// The name has no address.
    NoAddress,
    /// None of the addresses took the connection; what the last one said.
    Refused(io::Error),
}

/// Connects to the first address that answers. Each has its share of the time, so that one that swallows everything,
/// as IPv6 does on many a broken network, leaves some to the next.
pub(super) async fn connect(host: &str, port: u16, end: Instant) -> Result<TcpStream, ConnectError> {
    let found = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
    let addresses: Vec<_> = found.take(ADDRESSES_MAX).collect();
    let mut last = ConnectError::NoAddress;
    for (index, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(clock::timer_now());
        let share: Duration = left / (addresses.len() - index) as u32;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = ConnectError::Refused(error),
            Err(_) => last = ConnectError::Refused(io::ErrorKind::TimedOut.into()),
        }
    }
    Err(last)
}

impl ConnectError {
    /// What failed, with the port that was tried.
    pub(super) fn sentence(&self, host: &str, port: u16, lang: Lang) -> String {
        let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        match self {
            ConnectError::Resolve(error) => {
                lang.pick(format!("cannot resolve {host}: {error}"), format!("无法解析 {host}：{error}"))
            }
            ConnectError::NoAddress => {
                lang.pick(format!("{host} has no address"), format!("{host} 没有地址"))
            }
            ConnectError::Refused(error) => {
                lang.pick(format!("cannot connect to {place}: {error}"), format!("无法连接 {place}：{error}"))
            }
        }
    }
}
