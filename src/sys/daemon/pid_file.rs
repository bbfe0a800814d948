//! The pid file: one daemon for each, and never the number of a process that is someone else's by now.
//!
//! The lock, not the number, says that a daemon lives: it goes away with the process however that ends.

use super::error::DaemonError;
use super::path::absolute;
use crate::sys::files::{self, Kinds, Use};
use crate::sys::folder::Folder;
use nix::fcntl::{Flock, FlockArg};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A pid file in force: locked as long as this process lives.
#[derive(Debug)]
pub struct PidFile {
    folder: Folder,
    name: OsString,
    file: Flock<File>,
}

impl PidFile {
    /// Writes and locks a pid file. Mode 0644, less the umask.
    ///
    /// # Errors
    /// When another daemon holds it, or it cannot be written.
    pub fn create(path: &Path) -> Result<PidFile, DaemonError> {
        let path = absolute(path)?;
        let (folder, name) =
            Folder::of(&path).map_err(|source| DaemonError::PidFile { path: path.clone(), source })?;
        PidFile::create_in(folder, name, &path)
    }

    /// The same in a folder; `path` is for messages.
    ///
    /// # Errors
    /// The same.
    pub fn create_in(folder: Folder, name: OsString, path: &Path) -> Result<PidFile, DaemonError> {
        let trouble = |source| DaemonError::PidFile { path: path.into(), source };
        let file = files::open_in(&folder, &name, Use::Rewrite, 0o644, Kinds::Plain);
        // It is emptied when the lock is ours, and not before.
        let lock = Flock::lock(file.map_err(trouble)?.0, FlockArg::LockExclusiveNonblock);
        let mut lock = lock.map_err(|(file, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => locked(path, file),
            other => trouble(other.into()),
        })?;
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(trouble)?;
        Ok(PidFile { folder, name, file: lock })
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Empties the file and removes it. Emptying works even where the daemon has no right to remove, so that no
    /// script ever finds the number of a process that is someone else's by now.
    pub fn remove(self) {
        let file: &File = &self.file;
        let same = match (file.metadata(), self.folder.identity_of(&self.name)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == there,
            _ => false,
        };
        let _ = file.set_len(0);
        if same {
            let _ = self.folder.remove(&self.name);
        }
    }
}

fn locked(path: &Path, file: File) -> DaemonError {
    let pid = io::read_to_string(file.take(32)).ok().and_then(|text| text.trim().parse().ok());
    DaemonError::Locked { path: path.into(), pid }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;

    #[test]
    fn a_pid_file_holds_our_number_while_it_is_ours() {
        let folder = std::env::temp_dir().join(format!("hb-pid-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let held = PidFile::create(&folder.join("mine")).unwrap();
        let text = std::fs::read_to_string(folder.join("mine")).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        assert!(matches!(PidFile::create(&folder.join("mine")), Err(DaemonError::Locked { .. })));
        held.remove();
        assert!(!folder.join("mine").exists());
        let error = PidFile::create(&folder.join("none/pid")).unwrap_err();
        assert!(error.sentence(Lang::Zh).contains("none/pid"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
