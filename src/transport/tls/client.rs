//! What our own client needs for TLS: whom to believe, what to show of itself, and a stream that has shaken hands.
//!
//! Whom to believe is decided in `sys::tls`: the authorities of the system, or those of a file.

use crate::domain::lang::Lang;
use crate::sys::tls::{TlsError, authorities};
use crate::transport::stream::Stream;
use crate::transport::tls::server::{self, Fault};
use crate::transport::tls::{Tls, TlsSession};
use rustls::crypto::ring;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest file of certificates that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Which files to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The authorities to believe, instead of the system's.
    pub ca: Option<PathBuf>,
    /// The certificate to show and its key.
    pub bearer: Option<(PathBuf, PathBuf)>,
}

/// Why there can be no TLS.
#[derive(Debug)]
pub enum Trouble {
    /// A file cannot be read.
    File(PathBuf, io::Error),
    /// A file is longer than any is.
    TooLong(PathBuf),
    /// A file does not hold what it should.
    Paper(PathBuf, Fault),
    /// There is nobody to believe.
    Roots(TlsError),
    /// rustls does not want to.
    Other(String),
}

impl Trouble {
    /// What is wrong and what to do.
    pub fn sentence(&self, lang: Lang) -> String {
        let zh = lang == Lang::Zh;
        match self {
            Trouble::File(path, error) if zh => format!("无法读取 {}：{error}", path.display()),
            Trouble::File(path, error) => format!("cannot read {}: {error}", path.display()),
            Trouble::TooLong(path) if zh => format!("{} 过长：最多 {FILE_BYTES_MAX} 字节", path.display()),
            Trouble::TooLong(path) => {
                format!("{} is too long: at most {FILE_BYTES_MAX} bytes", path.display())
            }
            Trouble::Paper(path, fault) if zh => format!("{}：{}", path.display(), fault.sentence(lang)),
            Trouble::Paper(path, fault) => format!("{}: {}", path.display(), fault.sentence(lang)),
            Trouble::Roots(error) => error.sentence(lang),
            Trouble::Other(text) => format!("TLS: {text}"),
        }
    }

    /// The code of sysexits(3).
    pub fn exit_code(&self) -> u8 {
        match self {
            Trouble::File(_, error) if error.kind() == io::ErrorKind::NotFound => 66,
            Trouble::File(_, error) if error.kind() == io::ErrorKind::PermissionDenied => 77,
            Trouble::Roots(TlsError::Unreadable(_, error)) if error.kind() == io::ErrorKind::NotFound => 66,
            Trouble::File(..) => 74,
            _ => 78,
        }
    }
}

/// What connections are made from; kept for all of them, for its tickets spare those who come back half the work.
pub fn config(wish: &Wish) -> Result<Arc<ClientConfig>, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(wish.ca.as_deref()).map_err(Trouble::Roots)?);
    let other = |error: rustls::Error| Trouble::Other(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(other)?
        .with_root_certificates(roots);
    let mut config = match &wish.bearer {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let paper = |path: &Path, fault| Trouble::Paper(path.to_path_buf(), fault);
            let chain =
                server::certificates(&read(certificate)?).map_err(|fault| paper(certificate, fault))?;
            let secret = server::key(&read(key)?).map_err(|fault| paper(key, fault))?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => paper(key, Fault::Mismatch),
                error => paper(key, Fault::Unusable(error.to_string())),
            })?
        }
    };
    config.alpn_protocols = Vec::new();
    Ok(Arc::new(config))
}

/// The name that a server's certificate must bear: a DNS name, or an address without brackets.
pub fn server_name(host: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(host.to_string())
}

/// Shakes hands over a connected stream. It is for the caller to bound its time.
///
/// # Errors
/// `InvalidData` where the other side speaks no TLS or shows no certificate that we believe; why is told by the error.
pub async fn connect(
    stream: Stream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<Stream> {
    let session = TlsSession::client(config, name)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let mut stream = Stream::Tls(Box::new(Tls { session, socket: stream }));
    std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
    Ok(stream)
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    file.map_err(|error| Trouble::File(path.to_path_buf(), error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX { Err(Trouble::TooLong(path.to_path_buf())) } else { Ok(bytes) }
}
