//! Paths that stay right when the daemon leaves its directory.

use super::error::DaemonError;
use std::path::{Path, PathBuf};

/// The path as seen from `/`: the daemon moves there, and what the user wrote was meant from where he stood.
///
/// # Errors
/// [`DaemonError::NoDirectory`] when the path is relative and the current directory is gone.
pub fn absolute(path: &Path) -> Result<PathBuf, DaemonError> {
    std::path::absolute(path).map_err(|_| DaemonError::NoDirectory { path: path.into() })
}
