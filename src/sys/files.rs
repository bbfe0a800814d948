//! Opening the files that we append to or lock, where others may have been before us.
//!
//! In a folder that others may write (/tmp above all) anybody may plant a link, a FIFO or a file of his own under the name
//! that we are about to open. There no link is followed, and what is found must be a plain file that is ours alone. In a
//! folder of ours, or of root's, a link is somebody's wish and is followed. Nothing is truncated, and nothing waited for. What
//! is checked is the folder that is then opened in, not its name (`folder`).

use super::folder::Folder;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// What may be found under the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// A plain file.
    Plain,
    /// In a folder of ours also a device or a FIFO that somebody reads.
    Any,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// What is written comes behind what is there.
    Append,
    /// It is read and written anew.
    Rewrite,
}

/// Opens a file in a folder, and makes it with `mode` where it is not there; and whether it was not.
///
/// # Errors
/// The system's; [`io::ErrorKind::PermissionDenied`] with a reason for what is not taken for ours.
pub fn open_in(folder: &Folder, name: &OsStr, way: Use, mode: u32, kinds: Kinds) -> io::Result<(File, bool)> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let flags = match way {
        Use::Append => flags | OFlag::O_WRONLY | OFlag::O_APPEND,
        Use::Rewrite => flags | OFlag::O_RDWR,
    };
    let (file, is_new) = match folder.open(name, flags | OFlag::O_CREAT | OFlag::O_EXCL, mode) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let there = folder.open(name, flags, mode);
            (there.map_err(|error| if is_link(&error) { refused("it is a link") } else { error })?, false)
        }
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    let fault = if is_new { None } else { fault_of(&about, folder.is_shared(), kinds) };
    match fault {
        Some(reason) => Err(refused(reason)),
        None => Ok((file, is_new)),
    }
}

/// Why what was found under a name is not taken.
fn fault_of(about: &Metadata, shared: bool, kinds: Kinds) -> Option<&'static str> {
    if !about.is_file() {
        let takes = kinds == Kinds::Any && !shared && !about.is_dir();
        return (!takes).then_some("it is not a plain file");
    }
    if !shared {
        return None;
    }
    // What is root's, root has made for us.
    if about.uid() != 0 && about.uid() != geteuid().as_raw() {
        return Some("it belongs to somebody else");
    }
    (about.nlink() != 1).then_some("it has more than one name")
}

pub(super) fn refused(reason: &str) -> io::Error {
    let text = format!(
        "{reason}, and others may have put it there; remove it, or choose a folder that only you write"
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn is_link(error: &io::Error) -> bool {
    // FreeBSD says EMLINK.
    matches!(error.raw_os_error(), Some(nix::libc::ELOOP | nix::libc::EMLINK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::getegid;
    use std::fs::OpenOptions;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A file that was opened by its path, and the folder that it lies in.
    #[derive(Debug)]
    struct Opened {
        is_new: bool,
        folder: Folder,
    }

    fn open(path: &Path, way: Use, mode: u32, kinds: Kinds) -> io::Result<Opened> {
        let (folder, name) = Folder::of(path)?;
        open_in(&folder, &name, way, mode, kinds).map(|(_, is_new)| Opened { is_new, folder })
    }

    /// A folder for everybody, sticky as /tmp is, and one of our own; gone when the test is over.
    struct Folders(PathBuf);

    impl Folders {
        fn new(name: &str) -> Folders {
            let path = std::env::temp_dir().join(format!("hb-files-{name}-{}", std::process::id()));
            for (folder, mode) in [("own", 0o700), ("shared", 0o1777)] {
                std::fs::create_dir_all(path.join(folder)).unwrap();
                let mode = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(path.join(folder), mode).unwrap();
            }
            Folders(path)
        }
    }

    impl Drop for Folders {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_link_is_followed_in_a_folder_of_ours_and_nowhere_else() {
        let folders = Folders::new("link");
        for (target, text) in [("there", Some("data")), ("missing", None)] {
            let target = folders.0.join("own").join(target);
            text.into_iter().for_each(|text| std::fs::write(&target, text).unwrap());
            for (folder, follows) in [("shared", false), ("own", true)] {
                let link = folders.0.join(folder).join(format!("to-{}", text.unwrap_or("nothing")));
                symlink(&target, &link).unwrap();
                let opened = open(&link, Use::Append, 0o600, Kinds::Plain);
                assert_eq!(opened.is_ok(), follows, "{opened:?}");
                assert!(follows || !target.exists() || std::fs::read_to_string(&target).unwrap() == "data");
                assert!(follows || text.is_some() || !target.exists(), "nothing was made behind the link");
            }
        }
    }

    #[test]
    fn what_others_may_have_planted_is_refused_without_waiting() {
        let folders = Folders::new("planted");
        let shared = folders.0.join("shared");
        nix::unistd::mkfifo(&shared.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(folders.0.join("own/precious"), "data").unwrap();
        std::fs::hard_link(folders.0.join("own/precious"), shared.join("name")).unwrap();
        for name in ["fifo", "name"] {
            assert!(open(&shared.join(name), Use::Append, 0o600, Kinds::Any).is_err(), "{name}");
        }
        match geteuid().is_root() {
            false => crate::skip::skip("only root can make a file of another"),
            true => {
                let other = shared.join("theirs");
                std::fs::write(&other, "").unwrap();
                std::os::unix::fs::chown(&other, Some(54_321), Some(54_321)).unwrap();
                let error = open(&other, Use::Append, 0o600, Kinds::Plain).unwrap_err();
                assert!(error.to_string().contains("belongs to somebody else"), "{error}");
            }
        }
        // A reader makes a FIFO one that can be opened, which changes nothing there.
        let fifo = shared.join("fifo");
        let reading =
            OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&fifo).unwrap();
        assert!(open(&fifo, Use::Append, 0o600, Kinds::Any).is_err());
        drop(reading);
    }

    /// A folder whose names everybody may change, as in no sticky one; in it `sub`, and what it leads to once swapped.
    fn swapped(folders: &Folders) -> (PathBuf, impl Fn(bool) + Send + 'static) {
        let open = folders.0.join("open");
        std::fs::create_dir_all(open.join("sub")).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        symlink(folders.0.join("own"), open.join("link")).unwrap();
        let path = open.join("sub/file");
        let swap = move |to_link: bool| {
            let pairs = match to_link {
                true => [("sub", "real"), ("link", "sub")],
                false => [("sub", "link"), ("real", "sub")],
            };
            for (from, to) in pairs {
                std::fs::rename(open.join(from), open.join(to)).unwrap();
            }
        };
        (path, swap)
    }

    #[test]
    fn a_folder_that_is_swapped_after_it_was_checked_leads_nowhere_else() {
        let folders = Folders::new("swapped");
        let (path, swap) = swapped(&folders);
        let (folder, name) = Folder::of(&path).unwrap();
        swap(true);
        assert!(open_in(&folder, &name, Use::Append, 0o600, Kinds::Plain).unwrap().1);
        assert!(folders.0.join("open/real/file").exists() && !folders.0.join("own/file").exists());
        let error = open(&path, Use::Append, 0o600, Kinds::Plain).unwrap_err();
        assert!(error.to_string().contains("a link is on the way"), "{error}");
        assert!(Folder::at(path.parent().unwrap()).is_err());
    }

    #[test]
    fn whoever_swaps_folders_while_we_open_wins_nothing() {
        let folders = Folders::new("race");
        let (path, swap) = swapped(&folders);
        let done = std::sync::Arc::new(AtomicBool::new(false));
        let swapping = std::thread::spawn({
            let done = done.clone();
            move || {
                while !done.load(Ordering::Relaxed) {
                    swap(true);
                    swap(false);
                }
            }
        });
        let opened = (0..3_000).filter(|_| open(&path, Use::Append, 0o600, Kinds::Plain).is_ok()).count();
        done.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
        assert!(!folders.0.join("own/file").exists(), "a swap between check and opening led elsewhere");
        // Half of the time the way is open, and where it never was the test has shown nothing.
        assert!(opened > 0);
    }

    #[test]
    fn links_on_the_way_are_followed_where_only_we_can_have_made_them() {
        let folders = Folders::new("way");
        std::fs::create_dir_all(folders.0.join("own/deep/down")).unwrap();
        symlink("deep/../deep/down", folders.0.join("own/short")).unwrap();
        symlink(folders.0.join("own/short"), folders.0.join("shared/own-link")).unwrap();
        for way in ["own/short/a", "shared/own-link/b", "own/deep/./down/../down/c"] {
            let opened = open(&folders.0.join(way), Use::Append, 0o600, Kinds::Plain).unwrap();
            assert!(opened.is_new && !opened.folder.is_shared(), "{way}");
        }
        for name in ["a", "b", "c"] {
            assert!(folders.0.join("own/deep/down").join(name).exists(), "{name}");
        }
        symlink("circle", folders.0.join("own/circle")).unwrap();
        assert!(open(&folders.0.join("own/circle"), Use::Append, 0o600, Kinds::Plain).is_err());
        assert!(open(&folders.0.join("own/circle/x"), Use::Append, 0o600, Kinds::Plain).is_err());
        assert!(open(&folders.0.join("own/deep/.."), Use::Append, 0o600, Kinds::Plain).is_err());
        // What has no name but in /proc.
        let (_reader, writer) = nix::unistd::pipe().unwrap();
        let of_proc = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        if cfg!(target_os = "linux") {
            assert!(open(Path::new(&of_proc), Use::Append, 0o600, Kinds::Any).is_ok());
            assert!(open(Path::new(&of_proc), Use::Append, 0o600, Kinds::Plain).is_err());
        }
    }

    #[test]
    fn a_group_that_we_are_not_in_counts_as_others() {
        if !geteuid().is_root() {
            return crate::skip::skip("only root can give a folder to another group");
        }
        let folders = Folders::new("group");
        let own = folders.0.join("own");
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o770)).unwrap();
        for (group, others) in [(getegid().as_raw(), false), (54_321, true)] {
            std::os::unix::fs::chown(&own, None, Some(group)).unwrap();
            assert_eq!(Folder::at(&own).unwrap().about().may_be_written_by_others(), others, "{group}");
        }
    }

    #[test]
    fn a_device_is_a_log_and_nothing_else_and_a_file_keeps_what_is_in_it() {
        let folders = Folders::new("plain");
        assert!(open(Path::new("/dev/null"), Use::Append, 0o600, Kinds::Any).is_ok());
        assert!(open(Path::new("/dev/null"), Use::Rewrite, 0o600, Kinds::Plain).is_err());
        for folder in ["own", "shared"] {
            let path = folders.0.join(folder).join("file");
            assert!(open(&path, Use::Rewrite, 0o600, Kinds::Plain).unwrap().is_new);
            std::fs::write(&path, "data").unwrap();
            assert!(!open(&path, Use::Rewrite, 0o600, Kinds::Plain).unwrap().is_new);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
        }
    }
}
