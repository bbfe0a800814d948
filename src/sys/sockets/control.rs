//! The control socket: a unix socket beside the listeners of the configuration, for this machine's administrator.
//!
//! Who may speak there is decided when somebody does, by [`may_control`]; the file lets in the owner and the group only
//! to keep others from trying. Its folder is usually made by the service manager and goes with it; where there is none
//! it is made here.

use super::error::SocketError;
use super::listening::Socket;
use super::path::SocketFile;
use super::{bind, path};
use crate::domain::address::ListenAddress;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A control socket that listens.
#[derive(Debug)]
pub struct ControlSocket {
    /// The socket: non-blocking, closed on exec.
    pub socket: Socket,
    /// Its file, removed when this is dropped: keep it as long as the socket, and give it to the account the daemon will
    /// run as.
    pub file: SocketFile,
    /// Its folder, if that was made here: it too belongs to that account, which has to remove the file from it.
    pub folder: Option<PathBuf>,
}

/// Makes the control socket. A socket that nobody answers any more is replaced.
///
/// # Errors
/// Another process answers there, something there is no socket, or the system refuses. None of them is a reason not to
/// start: beats come in another way.
pub fn listen(wanted: &Path) -> Result<ControlSocket, SocketError> {
    let full = std::path::absolute(wanted).map_err(|error| path::explain(wanted, error))?;
    let folder = full.parent().filter(|folder| !folder.exists()).map(Path::to_path_buf);
    if let Some(folder) = &folder {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder);
        made.map_err(|error| path::explain(&full, error))?;
    }
    let mut warnings = Vec::new();
    let bound = bind::bind(&ListenAddress::Unix(full.clone()), &mut warnings)?;
    let one = bound.into_iter().find_map(|bound| Some((bound.socket, bound.file?)));
    let (socket, file) = one.ok_or_else(|| path::explain(&full, io::ErrorKind::NotFound.into()))?;
    Ok(ControlSocket { socket, file, folder })
}

/// Whether the user at the other end may control the daemon: root, or the user it runs as.
pub fn may_control(uid: Option<u32>) -> bool {
    uid.is_some_and(|uid| uid == 0 || uid == nix::unistd::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn it_makes_its_folder_takes_over_from_the_dead_and_not_from_the_living() {
        let base = std::env::temp_dir().join(format!("hb-control-{}", std::process::id()));
        let place = base.join("run/control.sock");
        let first = listen(&place).unwrap();
        assert_eq!(first.folder.as_deref(), place.parent());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(place.parent().unwrap()) & 0o027), (0o660, 0));
        UnixStream::connect(&place).unwrap();
        let refused = listen(&place).unwrap_err();
        assert!(matches!(refused, SocketError::InUse { .. }), "{refused:?}");
        assert!(refused.sentence(Lang::En).contains("control.sock"));
        drop(first);
        assert!(!place.exists(), "the file goes with its socket");
        drop(UnixListener::bind(&place).unwrap());
        let again = listen(&place).unwrap();
        assert_eq!(again.folder, None);
        drop(again);
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn root_and_our_own_user_may_and_nobody_else() {
        let me = nix::unistd::geteuid().as_raw();
        assert!(may_control(Some(0)) && may_control(Some(me)));
        assert!(!may_control(Some(me.wrapping_add(4711))) && !may_control(None));
    }
}
