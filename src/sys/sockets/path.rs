//! The file of a unix socket: made, guarded and removed, and never another's.
//!
//! A daemon that was killed leaves its socket file behind and the next one must get past it. Nothing listens there, so
//! connecting is refused: only then is the file removed. A file of any other kind is never touched.

use super::error::SocketError;
use super::error::errno;
use super::holder;
use crate::sys::service;
use nix::errno::Errno;
use socket2::{Domain, SockAddr, Type};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Owner and group may connect; who else may is a matter of the folder or of the group.
pub(super) const MODE: u32 = 0o660;

/// A socket file that we made; removed at the end if it is still ours.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode: another daemon may have put its own file in our place meanwhile.
    identity: (u64, u64),
    gone: bool,
}

impl SocketFile {
    /// Takes charge of the file a bind just made, and gives it its mode whatever the umask is.
    pub(super) fn made(path: &Path) -> io::Result<SocketFile> {
        let file = SocketFile { path: path.into(), identity: identity(path)?, gone: false };
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        Ok(file)
    }

    /// The absolute path, for handing it to the account the daemon will run as.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file if it is still the one we made; the same happens on drop.
    pub fn cleanup(mut self) {
        self.remove();
    }

    /// Leaves the file where it is: its socket lives on elsewhere.
    pub fn leave(mut self) {
        self.gone = true;
    }

    fn remove(&mut self) {
        if !self.gone && identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Without the right to remove it the next start finds it stale and removes it.
            let _ = fs::remove_file(&self.path);
        }
        self.gone = true;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Clears the way for a bind: removes a stale socket.
///
/// # Errors
/// When something lives there, or when it is no socket.
pub(super) fn clear(path: &Path) -> Result<(), SocketError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(explain(path, e)),
    };
    if !kind.is_socket() {
        return Err(SocketError::NotASocket { path: path.into() });
    }
    // Non-blocking, because connecting to a listener whose queue is full would wait for it.
    let probe = || -> io::Result<()> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    match probe() {
        Err(e) if errno(&e) == Some(Errno::ECONNREFUSED) => match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(explain(path, e)),
            _ => Ok(()),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(explain(path, e)),
        // It answered, or its queue is full, or it is of another type: somebody is there.
        _ => Err(in_use(path)),
    }
}

/// An error of the system about this path, as a sentence to be.
pub(super) fn explain(path: &Path, error: io::Error) -> SocketError {
    match errno(&error) {
        Some(Errno::EADDRINUSE) => in_use(path),
        Some(Errno::EACCES | Errno::EPERM | Errno::EROFS) => {
            SocketError::Denied { address: name(path), port: None, managed: service::managed() }
        }
        _ => SocketError::Other { address: name(path), source: error },
    }
}

fn in_use(path: &Path) -> SocketError {
    SocketError::InUse { address: name(path), port: None, holder: holder::of_path(path) }
}

fn name(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::super::{Inherited, ListenerWanted, Listening, Opened, Socket, open};
    use super::*;
    use crate::domain::address::ListenAddress;
    use crate::domain::lang::Lang;
    use std::os::unix::net::{UnixListener, UnixStream};

    /// A folder of its own for each test, removed afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("hb-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn listen(path: &Path) -> Result<Listening, SocketError> {
        let wanted =
            ListenerWanted { name: "http".into(), address: ListenAddress::Unix(path.into()), unasked: false };
        let Opened { listening: mut all, warnings, .. } = open(&[wanted], Inherited::none(), || ())?;
        assert!(warnings.is_empty() && all.len() == 1);
        Ok(all.remove(0))
    }

    #[test]
    fn a_unix_socket_answers_has_its_mode_and_leaves_nothing_behind() {
        let folder = Folder::new("plain");
        let path = folder.0.join("s");
        let listening = listen(&path).unwrap();
        assert_eq!(listening.address, format!("unix:{}", path.display()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        UnixStream::connect(&path).unwrap();
        let Socket::Unix(listener) = &listening.socket else { panic!("{listening:?}") };
        listener.accept().unwrap();
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = Folder::new("stale");
        let path = folder.0.join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the standard library leaves the file");
        let first = listen(&path).unwrap();
        let error = listen(&path).unwrap_err();
        assert!(matches!(error, SocketError::InUse { .. }), "{error:?}");
        assert_eq!(error.exit_code(), 69);
        if cfg!(target_os = "linux") {
            assert!(error.sentence(Lang::En).contains(&format!("pid {}", std::process::id())), "{error}");
        }
        assert!(path.exists());
        drop(first);
    }

    #[test]
    fn a_file_that_is_no_socket_is_never_deleted() {
        let folder = Folder::new("file");
        let path = folder.0.join("precious");
        fs::write(&path, "data").unwrap();
        let error = listen(&path).unwrap_err();
        assert!(matches!(error, SocketError::NotASocket { .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), b"data");
        let link = folder.0.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(listen(&link).unwrap_err(), SocketError::NotASocket { .. }));
        assert!(link.exists() && path.exists());
    }

    #[test]
    fn what_another_put_in_our_place_stays() {
        let folder = Folder::new("other");
        let path = folder.0.join("s");
        let ours = listen(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(folder.0.join("gap"), "").unwrap();
        let _theirs = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = Folder::new("missing");
        let path = folder.0.join("none/s");
        let error = listen(&path).unwrap_err();
        assert_eq!(error.exit_code(), 74);
        assert!(error.sentence(Lang::En).contains("none/s"), "{error}");
    }
}
