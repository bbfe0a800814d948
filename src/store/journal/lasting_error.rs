//! An error that lasts: it is told to everybody who comes until it is over.

use crate::store::StoreError;
use std::io;
use std::path::PathBuf;

/// A [`StoreError`] that can be handed out again and again.
#[derive(Clone, Debug)]
pub(super) struct LastingError {
    path: PathBuf,
    doing: &'static str,
    kind: io::ErrorKind,
    code: Option<i32>,
    text: String,
    /// Whether only a sync that succeeds ends it.
    pub(super) of_sync: bool,
}

impl LastingError {
    pub(super) fn new(path: PathBuf, doing: &'static str, error: &io::Error) -> LastingError {
        let (kind, code, text) = (error.kind(), error.raw_os_error(), error.to_string());
        LastingError { path, doing, kind, code, text, of_sync: false }
    }

    pub(super) fn of_sync(self) -> LastingError {
        LastingError { of_sync: true, ..self }
    }

    pub(super) fn error(&self) -> StoreError {
        let source = match self.code {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.kind, self.text.clone()),
        };
        StoreError::io(&self.path, self.doing, source)
    }
}
