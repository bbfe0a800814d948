//! What a listener needs for TLS: its certificate and key, whom it lets in, and the whole of it replaced while it runs.

use crate::i18n::{self, Text};
use crate::transport::tls::TlsSession;
use arc_swap::ArcSwap;
use rustls::crypto::ring::{self, Ticketer};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{Error, RootCertStore, ServerConfig};
use std::sync::Arc;

/// Most certificates in one file: a chain has a handful, a bundle of authorities some hundred.
const CERTIFICATES_MAX: usize = 1_000;

/// What the connections of a listener are made from; replaced whole, while those that run live on as they began.
#[derive(Debug)]
pub struct Acceptor {
    config: ArcSwap<ServerConfig>,
}

impl Acceptor {
    /// With what holds at first.
    pub fn new(config: Arc<ServerConfig>) -> Acceptor {
        Acceptor { config: ArcSwap::new(config) }
    }

    /// From now on this holds for new connections. Tickets of the old one are worth nothing then: they may have been given to
    /// somebody whom the new one would not let in.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.config.store(config);
    }

    /// The session of a new connection.
    pub fn session(&self) -> Result<TlsSession, Error> {
        TlsSession::server(self.config.load_full())
    }
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nobody is let in without.
    #[default]
    Required,
    /// Whoever shows none is as good as over plain HTTP.
    Optional,
}

/// What is read from files, as PEM.
#[derive(Clone, Copy)]
pub struct TlsPem<'a> {
    /// The certificate, and those between it and an authority.
    pub certificate: &'a [u8],
    /// Its key.
    pub key: &'a [u8],
    /// The authorities that vouch for clients.
    pub clients: Option<(&'a [u8], ClientAuth)>,
    /// What is spoken over it, by its ALPN names; empty: anything.
    pub protocols: &'a [&'a [u8]],
}

/// A file that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// The certificate.
    Certificate,
    /// The key.
    Key,
    /// The authorities for clients.
    ClientCa,
}

/// What is wrong with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFileError {
    /// It is not PEM, or breaks off.
    Pem(String),
    /// There is none of what it should hold.
    Nothing,
    /// There are too many.
    TooMany,
    /// The key is under a passphrase.
    Encrypted,
    /// The key is another certificate's.
    Mismatch,
    /// It is PEM, but what it holds cannot be used.
    Unusable(String),
}

impl TlsFileError {
    /// What is wrong and what to do.
    pub fn text(&self) -> Text {
        match self {
            TlsFileError::Pem(why) => i18n::engine::not_pem(why),
            TlsFileError::Nothing => i18n::engine::PEM_NOTHING.into(),
            TlsFileError::TooMany => i18n::engine::too_many_certificates(&CERTIFICATES_MAX),
            TlsFileError::Encrypted => i18n::engine::KEY_ENCRYPTED.into(),
            TlsFileError::Mismatch => i18n::engine::KEY_MISMATCH.into(),
            TlsFileError::Unusable(why) => i18n::engine::pem_unusable(why),
        }
    }
}

/// What the papers come to: what rustls needs, and the certificate itself.
pub fn config(
    papers: &TlsPem<'_>,
) -> Result<(Arc<ServerConfig>, CertificateDer<'static>), (TlsFile, TlsFileError)> {
    let chain = certificates(papers.certificate).map_err(|fault| (TlsFile::Certificate, fault))?;
    let Some(own) = chain.first().cloned() else { return Err((TlsFile::Certificate, TlsFileError::Nothing)) };
    let key = key(papers.key).map_err(|fault| (TlsFile::Key, fault))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| (TlsFile::Certificate, unusable(error)))?;
    let builder = match papers.clients {
        None => builder.with_no_client_auth(),
        Some((authorities, auth)) => {
            let wrong = |fault| (TlsFile::ClientCa, fault);
            let mut roots = RootCertStore::empty();
            for authority in certificates(authorities).map_err(wrong)? {
                roots.add(authority).map_err(|error| wrong(unusable(error)))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match auth {
                ClientAuth::Required => verifier,
                ClientAuth::Optional => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| wrong(unusable(error)))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        Error::InconsistentKeys(_) => (TlsFile::Key, TlsFileError::Mismatch),
        // Of the key rustls says so in words only.
        Error::General(text) => (TlsFile::Key, TlsFileError::Unusable(text)),
        error => (TlsFile::Certificate, unusable(error)),
    })?;
    config.alpn_protocols = papers.protocols.iter().map(|name| name.to_vec()).collect();
    // Those who come back bring what we must know themselves, sealed; nothing is kept for those who do not.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new().map_err(|error| (TlsFile::Key, unusable(error)))?;
    config.send_tls13_tickets = 1;
    Ok((Arc::new(config), own))
}

/// The certificates of a PEM file; at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX + 1).collect();
    let found = found.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| fault_of(&error))?;
    match found.len() {
        0 => Err(TlsFileError::Nothing),
        n if n > CERTIFICATES_MAX => Err(TlsFileError::TooMany),
        _ => Ok(found),
    }
}

/// The key of a PEM file.
pub(crate) fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound if String::from_utf8_lossy(pem).contains("ENCRYPTED") => {
            TlsFileError::Encrypted
        }
        error => fault_of(&error),
    })
}

fn fault_of(error: &pem::Error) -> TlsFileError {
    match error {
        pem::Error::NoItemsFound => TlsFileError::Nothing,
        // Never what stands there: it may be a key.
        pem::Error::MissingSectionEnd { .. } => TlsFileError::Pem("a section has no END line".into()),
        pem::Error::IllegalSectionStart { .. } => TlsFileError::Pem("a BEGIN line is broken".into()),
        pem::Error::Base64Decode(_) => TlsFileError::Pem("a section is not base64".into()),
        _ => TlsFileError::Pem("it cannot be read".into()),
    }
}

fn unusable(error: impl std::fmt::Display) -> TlsFileError {
    TlsFileError::Unusable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["a.example".to_string()]).unwrap().self_signed(&key);
        (certificate.unwrap().pem(), key.serialize_pem())
    }

    fn fault(certificate: &str, key: &str, clients: Option<&str>) -> Option<(TlsFile, TlsFileError)> {
        let clients = clients.map(|pem| (pem.as_bytes(), ClientAuth::Required));
        let papers =
            TlsPem { certificate: certificate.as_bytes(), key: key.as_bytes(), clients, protocols: &[] };
        config(&papers).err()
    }

    #[test]
    fn papers_in_order_make_a_configuration_and_each_that_is_not_is_named() {
        let ((certificate, key), (other, other_key)) = (pair(), pair());
        assert_eq!(fault(&certificate, &key, None), None);
        assert_eq!(fault(&certificate, &key, Some(&other)), None);
        assert_eq!(fault(&format!("{certificate}{other}"), &key, None), None, "a chain");
        assert_eq!(fault("", &key, None), Some((TlsFile::Certificate, TlsFileError::Nothing)));
        assert_eq!(fault(&key, &key, None), Some((TlsFile::Certificate, TlsFileError::Nothing)));
        let half = &certificate[..certificate.len() / 2];
        assert!(matches!(fault(half, &key, None), Some((TlsFile::Certificate, TlsFileError::Pem(_)))));
        assert_eq!(fault(&certificate, &certificate, None), Some((TlsFile::Key, TlsFileError::Nothing)));
        assert_eq!(fault(&certificate, &other_key, None), Some((TlsFile::Key, TlsFileError::Mismatch)));
        let secret = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(fault(&certificate, secret, None), Some((TlsFile::Key, TlsFileError::Encrypted)));
        assert_eq!(fault(&certificate, &key, Some("")), Some((TlsFile::ClientCa, TlsFileError::Nothing)));
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            fault(&certificate, &key, Some(junk)),
            Some((TlsFile::ClientCa, TlsFileError::Unusable(_)))
        ));
        assert!(matches!(fault(junk, &key, None), Some((TlsFile::Certificate, TlsFileError::Unusable(_)))));
    }
}
