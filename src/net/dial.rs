//! A TCP connection to a host: its name is resolved, and its addresses are tried in turn.

use crate::sys::clock;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 16;

/// An address that was tried, and what came of it.
pub type FailedAttempt = (SocketAddr, io::Error);

/// The addresses of a host now. Nothing is cached: when a name comes to mean another machine, the next connection goes
/// there.
///
/// # Errors
/// When the name has no answer.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((host, port)).await?.take(ADDRESSES_MAX).collect())
}

/// Connects to the first address that answers, before `end`. Each has its share of the time, so that one that drops every
/// packet, as IPv6 does on many a broken network, leaves some to the next.
///
/// # Errors
/// All attempts, in their order; none where there is no address.
pub async fn connect(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, Vec<FailedAttempt>> {
    let mut failed = Vec::new();
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(clock::timer_now());
        let share = left / (addresses.len() - tried) as u32;
        let error = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failed.push((*address, error));
    }
    Err(failed)
}
