//! What the client's TLS is made from: the files that the settings name.

use super::config::TlsFiles;
use super::error::ClientError;
use crate::config::file::{FILE_BYTES_MAX, fetch};
use crate::domain::lang::Lang;
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
    made.map_err(|error| {
        ClientError::new(error.exit_code(), error.sentence(Lang::En), error.sentence(Lang::Zh))
    })
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
    fn sentence(&self, lang: Lang) -> String {
        let (en, zh) = match self {
            TlsFilesError::File(path, error) => {
                let path = path.display();
                (format!("cannot read {path}: {error}"), format!("无法读取 {path}：{error}"))
            }
            TlsFilesError::TooLong(path) => {
                let path = path.display();
                (
                    format!("{path} is too long: at most {FILE_BYTES_MAX} bytes"),
                    format!("{path} 过长：最多 {FILE_BYTES_MAX} 字节"),
                )
            }
            TlsFilesError::Content(path, fault) => {
                let (path, fault) = (path.display(), fault.sentence(lang));
                (format!("{path}: {fault}"), format!("{path}：{fault}"))
            }
            TlsFilesError::Config(error) => return error.sentence(lang),
        };
        lang.pick(en, zh)
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
