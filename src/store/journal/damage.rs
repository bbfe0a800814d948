//! What a start finds broken.

use std::path::PathBuf;

/// A torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// Bytes behind that.
    pub bytes: u64,
}

/// A stretch that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// How long it is; 0 where something is missing between two frames.
    pub bytes: u64,
    /// What is wrong with it.
    pub reason: String,
    /// Where the file is kept; `None` if that did not succeed, then its segment is not trimmed.
    pub kept: Option<PathBuf>,
    /// Whether no earlier start has found it.
    pub news: bool,
}
