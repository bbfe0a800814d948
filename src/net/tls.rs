//! TLS of connections that we open: whose certificates are trusted, and what we show of ourselves.
//!
//! The authorities are those of this system (wherever it keeps them; `SSL_CERT_FILE` moves them), or only those of one
//! PEM bundle that somebody named. The cryptography is ring's.

use crate::i18n::{self, Text};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest bundle of certificates.
const BUNDLE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A certificate with those between it and an authority, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Why there is no configuration.
#[derive(Debug)]
pub enum TlsError {
    /// The system has no certificates of authorities.
    NoAuthorities,
    /// A bundle cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A bundle is longer than any is.
    TooLong(PathBuf),
    /// A bundle holds no certificate in PEM.
    NoCertificate(PathBuf),
    /// The cryptography refuses.
    Refused(rustls::Error),
    /// What we would show of ourselves cannot be used.
    Identity(rustls::Error),
}

/// The certificates of authorities that are believed: those of a bundle, or the system's.
///
/// # Errors
/// When there are none.
pub fn authorities(bundle: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    // A bundle is where every system has them, macOS too (/etc/ssl/cert.pem); its keychain would need Apple's frameworks.
    let usual = || openssl_probe::probe().cert_file.ok_or(TlsError::NoAuthorities);
    let path = &bundle.map_or_else(usual, |path| Ok(path.to_path_buf()))?;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| TlsError::Unreadable(path.into(), error))?;
    // Cut, it would be another list of authorities than the one that was meant.
    if bytes.len() as u64 > BUNDLE_BYTES_MAX {
        return Err(TlsError::TooLong(path.into()));
    }
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect();
    if found.is_empty() { Err(TlsError::NoCertificate(path.into())) } else { Ok(found) }
}

/// The configuration for connections that we open. Each server's certificate must come from one of the authorities and bear
/// the name that we called; nothing here turns that off. Kept for all connections of one purpose: its tickets save half of
/// the next handshake.
///
/// # Errors
/// When there are no authorities, or the identity cannot be used.
pub fn config(bundle: Option<&Path>, identity: Option<Identity>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(authorities(bundle)?);
    if taken == 0 {
        return Err(match bundle {
            Some(path) => TlsError::NoCertificate(path.into()),
            None => TlsError::NoAuthorities,
        });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Refused)?
        .with_root_certificates(roots);
    let config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?,
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// What to do about a certificate that was refused, if a person can do something about it: to be appended to the reason.
pub fn advice(error: &(dyn std::error::Error + 'static)) -> Text {
    let mut next = Some(error);
    while let Some(error) = next {
        // What an io::Error wraps is not its source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = wrapped.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(refused)) = inner.or(error.downcast_ref()) {
            return match refused {
                CertificateError::UnknownIssuer => i18n::notify::NAME_AUTHORITY_CA.into(),
                CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                    i18n::notify::CERTIFICATE_AUTHORITY_MAKE_SERVERS.into()
                }
                _ => Text::default(),
            };
        }
        next = error.source();
    }
    Text::default()
}

impl TlsError {
    /// What is wrong and what to do.
    pub fn text(&self) -> Text {
        match self {
            TlsError::NoAuthorities => i18n::notify::SYSTEM_NO_CERTIFICATES_AUTHORITIES.into(),
            TlsError::Unreadable(path, error) => i18n::notify::cannot_read(&path.display(), error),
            TlsError::TooLong(path) => i18n::notify::too_long_bundle_most(&path.display(), &BUNDLE_BYTES_MAX),
            TlsError::NoCertificate(path) => i18n::notify::holds_no_certificate_pem(&path.display()),
            TlsError::Refused(error) | TlsError::Identity(error) => i18n::notify::tls_not_available(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;

    #[test]
    fn a_bundle_is_read_and_what_is_none_is_named() {
        let dir = std::env::temp_dir().join(format!("heartbeat-tls-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
        let (good, bad) = (dir.join("good.pem"), dir.join("bad.pem"));
        std::fs::write(&good, made.cert.pem().repeat(2)).unwrap();
        std::fs::write(&bad, "not a certificate").unwrap();
        assert_eq!(authorities(Some(&good)).unwrap().len(), 2);
        assert!(config(Some(&good), None).is_ok());
        let said = |path: &Path, lang| config(Some(path), None).unwrap_err().text().in_lang(lang);
        assert!(said(&bad, Lang::En).ends_with("bad.pem holds no certificate in PEM format"));
        assert!(said(&dir.join("none.pem"), Lang::Zh).starts_with("无法读取 "));
        // Nothing is cut: a certificate at the end of the longest bundle is found, and what is longer is refused.
        let mut long = "#".repeat(BUNDLE_BYTES_MAX as usize - made.cert.pem().len() - 1) + "\n";
        long += &made.cert.pem();
        std::fs::write(&good, &long).unwrap();
        assert_eq!(authorities(Some(&good)).unwrap().len(), 1);
        std::fs::write(&good, long + "#").unwrap();
        assert!(said(&good, Lang::En).ends_with("good.pem is too long: a bundle has at most 8388608 bytes"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
