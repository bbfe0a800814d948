//! The facts about the process and its surroundings on which settings depend, taken once.
//!
//! They are taken when the program starts and kept, because a daemon later changes its directory and its user: a
//! reload must find the same files and the same defaults as the start did.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

type Lookup = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// What [`crate::config::Settings::load`] knows of the world outside the configuration.
pub struct Env {
    /// Looks up a variable of the environment.
    pub variable: Lookup,
    /// The directory against which relative paths of flags and variables are read.
    pub current_dir: PathBuf,
    /// Whether the process runs as root.
    pub is_root: bool,
    /// Whether standard error is the journal's.
    pub stderr_is_journal: bool,
    /// Cores this process may use.
    pub cores: usize,
    /// The file that is read when none is named; only tests choose another one.
    pub default_file: PathBuf,
}

impl Env {
    /// The facts of this process.
    pub fn of_process() -> Env {
        Env {
            variable: Box::new(|name| std::env::var_os(name)),
            current_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            is_root: nix::unistd::geteuid().is_root(),
            stderr_is_journal: std::env::var("JOURNAL_STREAM").is_ok_and(|stream| is_stderr(&stream)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            default_file: super::DEFAULT_FILE.into(),
        }
    }

    /// A variable; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// A relative path made absolute.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.current_dir.join(path)
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the variables: they may hold secrets of others.
        f.debug_struct("Env")
            .field("current_dir", &self.current_dir)
            .field("is_root", &self.is_root)
            .field("stderr_is_journal", &self.stderr_is_journal)
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}

/// Whether `device:inode`, as systemd.exec(5) describes `$JOURNAL_STREAM`, is our standard error. The variable alone
/// proves nothing: a child with its output redirected inherits it all the same.
fn is_stderr(stream: &str) -> bool {
    let Ok(stat) = nix::sys::stat::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stderr_is_recognised_by_device_and_inode() {
        let stat = nix::sys::stat::fstat(std::io::stderr()).unwrap();
        assert!(is_stderr(&format!("{}:{}", stat.st_dev, stat.st_ino)));
        assert!(!is_stderr(&format!("{}:{}", stat.st_dev, stat.st_ino + 1)));
        assert!(!is_stderr("") && !is_stderr("8") && !is_stderr(":"));
    }
}
