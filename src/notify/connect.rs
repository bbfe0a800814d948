//! A TCP connection to a receiver, and why there is none.

use crate::domain::lang::Lang;
use crate::net::{authority, dial};
use std::io;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The name has no answer.
    Resolve(io::Error),
    /// The name has no address.
    NoAddress,
    /// No address accepted the connection; the last error.
    Refused(io::Error),
}

/// Connects to the first address of a host that answers before `end`.
pub(super) async fn connect(host: &str, port: u16, end: Instant) -> Result<TcpStream, ConnectError> {
    let addresses = dial::resolve(host, port).await.map_err(ConnectError::Resolve)?;
    dial::connect(&addresses, end).await.map_err(|mut failed| match failed.pop() {
        Some((_, error)) => ConnectError::Refused(error),
        None => ConnectError::NoAddress,
    })
}

impl ConnectError {
    /// What failed, with the port that was tried.
    pub(super) fn sentence(&self, host: &str, port: u16, lang: Lang) -> String {
        let place = authority(host, port);
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
