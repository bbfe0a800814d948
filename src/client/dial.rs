//! A connection to the server: the name is resolved at each attempt, every address is tried, and TLS comes on top where
//! the URL says so.
//!
//! Keep-alive probes of the kernel find a dead peer while nothing is sent, and keep the entry of a NAT alive.

use super::config::ClientSettings;
use super::error::{ClientError, EX_PROTOCOL, EX_UNAVAILABLE};
use super::server_url::{Endpoint, ServerUrl};
use super::{tls, tls_error};
use crate::i18n::{self, Text};
use crate::net::dial::{connect, resolve};
use crate::net::stream::ClientStream;
use crate::sys::clock;
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

/// Silence on a connection before the kernel probes it, and between two probes.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Probes without an answer after which a connection is dead.
const PROBES: u32 = 3;
/// Most addresses named in an error.
const ADDRESSES_TOLD_MAX: usize = 4;

/// Makes connections to one server.
#[derive(Debug)]
pub struct Dialer {
    target: ServerUrl,
    /// Whether the target is the default, because no option, variable or key names one.
    is_default: bool,
    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up.
    unacknowledged_max: Duration,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialer {
    /// Reads the files of TLS, so that a fault in them is found before the first connection.
    ///
    /// # Errors
    /// When a certificate or a key cannot be used.
    pub fn new(settings: &ClientSettings) -> Result<Dialer, ClientError> {
        let tls = settings.to.tls.then(|| tls::prepare(&settings.tls)).transpose()?;
        let is_default = settings.to_is_default;
        let unacknowledged_max = Duration::from_millis(settings.timeout.0.max(5_000));
        Ok(Dialer { target: settings.to.clone(), is_default, unacknowledged_max, tls })
    }

    /// The server.
    pub fn target(&self) -> &ServerUrl {
        &self.target
    }

    /// Opens a connection within a time.
    ///
    /// # Errors
    /// When there is none; the error names the addresses that were tried.
    pub async fn dial(&self, within: Duration) -> Result<ClientStream, ClientError> {
        let deadline = clock::timer_now() + within;
        match &self.target.place {
            Endpoint::Unix(path) => match timeout_at(deadline, UnixStream::connect(path)).await {
                Ok(Ok(stream)) => Ok(ClientStream::Unix(stream)),
                Ok(Err(error)) => Err(self.unreachable(no_socket(path, &error))),
                Err(_) => Err(self.too_slow(within)),
            },
            Endpoint::Net { host, port } => {
                let stream = self.connect(host, *port, deadline, within).await?;
                match &self.tls {
                    Some(config) => self.encrypt(stream, host, config.clone(), deadline, within).await,
                    None => Ok(ClientStream::Tcp(stream)),
                }
            }
        }
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
        within: Duration,
    ) -> Result<TcpStream, ClientError> {
        let found = match timeout_at(deadline, resolve(host, port)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                return Err(self.unreachable(i18n::client::cannot_resolve(&host, &said(&error))));
            }
            Err(_) => {
                return Err(self.unreachable(i18n::client::not_resolved_within(&host, &within)));
            }
        };
        let failed = match connect(&found, deadline).await {
            Ok(stream) => {
                self.tune(&stream);
                return Ok(stream);
            }
            Err(failed) => failed,
        };
        let why: Vec<_> = failed.iter().map(|(address, error)| (*address, said(error))).collect();
        match why.is_empty() {
            true => Err(self.unreachable(i18n::client::no_address(&host))),
            false => Err(self.unreachable(tried(&why))),
        }
    }

    async fn encrypt(
        &self,
        stream: TcpStream,
        host: &str,
        config: Arc<ClientConfig>,
        deadline: Instant,
        within: Duration,
    ) -> Result<ClientStream, ClientError> {
        match timeout_at(deadline, ClientStream::encrypted(stream, config, host)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(self.no_tls(&Text::foreign(error.to_string())))
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(self.no_tls(&tls_error::reason(&error, &self.target)))
            }
            Ok(Err(error)) => Err(self.unreachable(said(&error))),
            Err(_) => Err(self.too_slow(within)),
        }
    }

    /// The server's certificate is not accepted, or it speaks no TLS.
    fn no_tls(&self, why: &Text) -> ClientError {
        ClientError::new(EX_PROTOCOL, i18n::client::no_tls(&self.target, why))
    }

    /// Sets socket options. One that the system refuses is left out.
    fn tune(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        let socket = SockRef::from(stream);
        let probes =
            TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(PROBES);
        let _ = socket.set_tcp_keepalive(&probes);
        self.give_up_unacknowledged(&socket);
    }

    /// TCP_USER_TIMEOUT, which only Linux has.
    fn give_up_unacknowledged(&self, socket: &SockRef<'_>) {
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_user_timeout(Some(self.unacknowledged_max));
        #[cfg(not(target_os = "linux"))]
        let _ = (socket, self.unacknowledged_max);
    }

    fn unreachable(&self, why: Text) -> ClientError {
        let why = if self.is_default { i18n::client::server_not_named(&why) } else { why };
        unreachable(&self.target, &why)
    }

    fn too_slow(&self, within: Duration) -> ClientError {
        self.unreachable(i18n::client::no_connection_within(&within))
    }
}

/// The first addresses that were tried with their errors; addresses with the same error share it.
fn tried(why: &[(SocketAddr, Text)]) -> Text {
    let mut fates: Vec<(String, &Text)> = Vec::new();
    for (address, reason) in why.iter().take(ADDRESSES_TOLD_MAX) {
        match fates.iter_mut().find(|(_, known)| *known == reason) {
            Some((all, _)) => *all += &format!(", {address}"),
            None => fates.push((address.to_string(), reason)),
        }
    }
    let told: Vec<Text> =
        fates.iter().map(|(all, reason)| i18n::client::addresses_failed(all, reason)).collect();
    let told = Text::joined(&told, i18n::client::BETWEEN_ADDRESSES);
    match why.len().saturating_sub(ADDRESSES_TOLD_MAX) {
        0 => told,
        more => told.and(&i18n::client::more_addresses(&more)),
    }
}

/// The server cannot be reached.
pub fn unreachable(target: &ServerUrl, why: &Text) -> ClientError {
    ClientError::new(EX_UNAVAILABLE, i18n::client::cannot_reach(target, why))
}

/// An error of the system; the usual ones of connections without their errno.
pub fn said(error: &io::Error) -> Text {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => i18n::client::CONNECTION_REFUSED.into(),
        io::ErrorKind::TimedOut => i18n::client::TIMED_OUT.into(),
        io::ErrorKind::UnexpectedEof => i18n::client::CONNECTION_CLOSED.into(),
        _ => i18n::system_error(error),
    }
}

/// Why a unix socket cannot be connected.
fn no_socket(path: &Path, error: &io::Error) -> Text {
    match error.kind() {
        io::ErrorKind::NotFound => i18n::client::no_socket(&path.display()),
        _ => said(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use crate::i18n::Word;

    #[test]
    fn every_address_that_was_tried_is_told_with_its_port() {
        let at = |text: &str, why: Word| (text.parse::<SocketAddr>().unwrap(), Text::from(why));
        let (refused, late) = (i18n::client::CONNECTION_REFUSED, i18n::client::TIMED_OUT);
        let two = tried(&[at("[::1]:7777", refused), at("127.0.0.1:7777", refused)]);
        assert_eq!(two.say(Lang::En), "[::1]:7777, 127.0.0.1:7777: connection refused");
        assert_eq!(two.say(Lang::Zh), "[::1]:7777, 127.0.0.1:7777: 连接被拒绝");
        let three = tried(&[at("[::1]:1", late), at("10.0.0.1:1", refused), at("10.0.0.2:1", late)]);
        assert_eq!(three.say(Lang::En), "[::1]:1, 10.0.0.2:1: timed out; 10.0.0.1:1: connection refused");
        let many: Vec<_> = (1..=9).map(|n| at(&format!("10.0.0.{n}:1"), late)).collect();
        assert!(tried(&many).say(Lang::En).ends_with("10.0.0.4:1: timed out; 5 more addresses"));
        assert_eq!(tried(&[]).say(Lang::En), "");
    }

    #[test]
    fn what_connections_end_of_is_said_in_the_language_of_the_sentence() {
        let target: ServerUrl = "http://127.0.0.1:7777".parse().unwrap();
        let address = "127.0.0.1:7777".parse().unwrap();
        for (kind, en, zh) in [
            (io::ErrorKind::ConnectionRefused, "connection refused", "连接被拒绝"),
            (io::ErrorKind::TimedOut, "timed out", "超时"),
            (io::ErrorKind::UnexpectedEof, "the connection was closed", "连接已关闭"),
        ] {
            let failure = unreachable(&target, &tried(&[(address, said(&kind.into()))]));
            assert!(failure.sentence(Lang::En).ends_with(&format!(": 127.0.0.1:7777: {en}")), "{failure}");
            assert!(failure.sentence(Lang::Zh).ends_with(&format!("：127.0.0.1:7777: {zh}")), "{failure:?}");
        }
    }
}
