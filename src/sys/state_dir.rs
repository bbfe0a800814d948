//! The state directory: made if missing, and held by one daemon at a time.

use crate::domain::lang::Lang;
use crate::i18n::{self, Text};
use crate::sys::daemon::{DaemonError, PidFile};
use crate::sys::folder::{Folder, Owned};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Why the state directory cannot be used.
#[derive(Debug)]
pub enum StateError {
    /// It, or a directory above it, cannot be made; or nothing can be written in it.
    Unusable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others own it or may write it, and could put into it what we would believe.
    Open {
        /// The path.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// Its name leads to another directory by now.
    Replaced {
        /// The path.
        path: PathBuf,
    },
    /// Another daemon works in it.
    InUse {
        /// The path.
        path: PathBuf,
        /// The other's process id, if it can be read.
        pid: Option<u32>,
    },
}

/// Makes the directory, and those above it, for its owner and group alone.
pub fn make(path: &Path) -> Result<(), StateError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(path);
    made.map_err(|source| StateError::Unusable { path: path.into(), source })
}

/// Takes the directory for this process, as long as what comes back is kept, if it is ours, or root's, and nobody else may
/// write it. To be asked as the user that the daemon runs as.
pub fn lock(path: &Path) -> Result<PidFile, StateError> {
    let folder = Folder::at(path).map_err(|source| StateError::Unusable { path: path.into(), source })?;
    let about = folder.about();
    if about.may_be_written_by_others() {
        let Owned { owner, mode, .. } = about;
        return Err(StateError::Open { path: path.into(), owner, mode });
    }
    PidFile::create_in(folder, "lock".into(), &path.join("lock")).map_err(|error| match error {
        DaemonError::Locked { pid, .. } => StateError::InUse { path: path.into(), pid },
        DaemonError::PidFile { source, .. } => StateError::Unusable { path: path.into(), source },
        other => {
            StateError::Unusable { path: path.into(), source: io::Error::other(other.sentence(Lang::En)) }
        }
    })
}

/// Whether the path still leads to the directory that was locked, once all is open that is opened by its name.
pub fn is_still(path: &Path, lock: &PidFile) -> Result<(), StateError> {
    let now = Folder::at(path).map_err(|source| StateError::Unusable { path: path.into(), source })?;
    match now.about().identity == lock.folder().about().identity {
        true => Ok(()),
        false => Err(StateError::Replaced { path: path.into() }),
    }
}

impl StateError {
    /// The exit code of sysexits(3).
    pub fn exit_code(&self) -> u8 {
        match self {
            StateError::InUse { .. } => 69,
            StateError::Open { .. } | StateError::Replaced { .. } => 77,
            StateError::Unusable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 77,
            StateError::Unusable { .. } => 74,
        }
    }

    /// What failed, where, and what to do.
    pub fn sentence(&self, lang: Lang) -> String {
        match self {
            StateError::Unusable { path, source } => {
                i18n::sys::cannot_use_state_directory(&path.display(), &source).in_lang(lang)
            }

            StateError::Open { path, owner, mode } => {
                i18n::sys::state_directory_not_ours(&path.display(), &owner, &format_args!("{mode:04o}"))
                    .in_lang(lang)
            }

            StateError::Replaced { path } => {
                i18n::sys::another_directory_put_place(&path.display()).in_lang(lang)
            }

            StateError::InUse { path, pid } => {
                // A Chinese word does not touch a Latin one.
                let unknown = || Text::of(|lang| if lang == Lang::Zh { " ".into() } else { String::new() });
                let pid = pid.map_or_else(unknown, |pid| i18n::sys::pid(&pid));
                i18n::sys::state_in_use(&path.display(), &pid).in_lang(lang)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_and_told_who_is_there() {
        let path =
            std::env::temp_dir().join(format!("heartbeat-state-{}", std::process::id())).join("deep/er");
        make(&path).unwrap();
        let held = lock(&path).unwrap();
        let error = lock(&path).unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.sentence(Lang::En).contains(&format!("(pid {})", std::process::id())), "{error:?}");
        assert!(error.sentence(Lang::Zh).contains("--state-dir"));
        drop(held);
        assert!(lock(&path).is_ok());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_directory_that_others_own_or_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("heartbeat-open-{}", std::process::id()));
        make(&path).unwrap();
        drop(lock(&path).unwrap());
        for mode in [0o757, 0o1777, 0o777] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = lock(&path).unwrap_err();
            assert_eq!(error.exit_code(), 77);
            for lang in [Lang::En, Lang::Zh] {
                let said = error.sentence(lang);
                assert!(said.contains(&format!("{mode:04o}")) && said.contains("--state-dir"), "{said}");
            }
        }
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_directory_that_is_replaced_while_we_start_is_noticed() {
        let base = std::env::temp_dir().join(format!("heartbeat-moved-{}", std::process::id()));
        let path = base.join("state");
        make(&path).unwrap();
        let held = lock(&path).unwrap();
        assert!(is_still(&path, &held).is_ok());
        std::fs::rename(&path, base.join("old")).unwrap();
        make(&path).unwrap();
        let error = is_still(&path, &held).unwrap_err();
        assert!(error.exit_code() == 77 && error.sentence(Lang::Zh).contains("--state-dir"));
        assert!(error.sentence(Lang::En).contains("another directory was put in the place of"));
        // What is put away at the end is what was locked.
        held.remove();
        assert!(!base.join("old/lock").exists() && path.exists());
        std::fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_is_named() {
        let error = make(Path::new("/dev/null/state")).unwrap_err();
        assert!(error.sentence(Lang::En).contains("/dev/null/state"));
        assert_eq!(error.exit_code(), 74);
    }
}
