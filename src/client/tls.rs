//! What the client's TLS is made from: the files that the settings name.

use super::config::TlsFiles;
use super::error::ClientError;
use crate::config::file::{FILE_BYTES_MAX, fetch};
use crate::i18n::{self, Text};
use crate::net::tls::{Identity, TlsError, config};
use crate::transport::tls::server::{TlsFileError, certificates, key};
use rustls::{ClientConfig, Error};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there can be no TLS.
#[derive(Debug)]
enum TlsFilesError {
    /// A file cannot be read.
    File(PathBuf, io::Error),
    /// A file is longer than any is.
    TooLong(PathBuf),
    /// A file does not hold what it should.
    Content(PathBuf, TlsFileError),
    /// There are no authorities, or the cryptography refuses.
    Config(TlsError),
}

/// The configuration of TLS.
///
/// # Errors
/// When a file cannot be used.
pub fn prepare(files: &TlsFiles) -> Result<Arc<ClientConfig>, ClientError> {
    let identity = files.cert.as_deref().zip(files.key.as_deref());
    let made =
        identity.map(|(certificate, key)| read_identity(certificate, key)).transpose().and_then(|read| {
            config(files.ca.as_deref(), read).map_err(|error| match (error, identity) {
                (TlsError::Identity(Error::InconsistentKeys(_)), Some((_, key))) => {
                    TlsFilesError::Content(key.into(), TlsFileError::Mismatch)
                }
                (TlsError::Identity(error), Some((_, key))) => {
                    TlsFilesError::Content(key.into(), TlsFileError::Unusable(error.to_string()))
                }
                (error, _) => TlsFilesError::Config(error),
            })
        });
    made.map_err(|error| ClientError::new(error.exit_code(), error.text()))
}

fn read_identity(certificate: &Path, secret: &Path) -> Result<Identity, TlsFilesError> {
    let content = |path: &Path, fault| TlsFilesError::Content(path.into(), fault);
    let chain = certificates(&read(certificate)?).map_err(|fault| content(certificate, fault))?;
    Ok((chain, key(&read(secret)?).map_err(|fault| content(secret, fault))?))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFilesError> {
    let bytes = fetch(path).map_err(|error| TlsFilesError::File(path.into(), error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX { Err(TlsFilesError::TooLong(path.into())) } else { Ok(bytes) }
}

impl TlsFilesError {
    /// What is wrong and what to do.
    fn text(&self) -> Text {
        match self {
            TlsFilesError::File(path, error) => i18n::client::cannot_read(&path.display(), error),
            TlsFilesError::TooLong(path) => i18n::client::file_too_long(&path.display(), &FILE_BYTES_MAX),
            TlsFilesError::Content(path, fault) => i18n::client::file_unfit(&path.display(), &fault.text()),
            TlsFilesError::Config(error) => error.text(),
        }
    }

    /// The code of sysexits(3).
    fn exit_code(&self) -> u8 {
        match self {
            TlsFilesError::File(_, error) if error.kind() == io::ErrorKind::NotFound => 66,
            TlsFilesError::File(_, error) if error.kind() == io::ErrorKind::PermissionDenied => 77,
            TlsFilesError::Config(TlsError::Unreadable(_, error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                66
            }
            TlsFilesError::File(..) => 74,
            _ => 78,
        }
    }
}
