//! A TCP connection to a receiver, and why there is none.

use crate::i18n::{self, Text};
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
    pub(super) fn text(&self, host: &str, port: u16) -> Text {
        match self {
            ConnectError::Resolve(error) => i18n::notify::cannot_resolve(&host, error),
            ConnectError::NoAddress => i18n::notify::no_address(&host),
            ConnectError::Refused(error) => i18n::notify::cannot_connect(&authority(host, port), error),
        }
    }
}
