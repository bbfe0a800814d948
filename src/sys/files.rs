//! Opening the files that we append to or lock, where others may have been before us.
//!
//! In a folder that others may write (/tmp above all) anybody may plant a link, a FIFO or a file of his own under the name
//! that we are about to open. There no link is followed, and what is found must be a plain file that is ours alone. In a
//! folder of ours, or of root's, a link is somebody's wish and is followed. Nothing is truncated, and nothing waited for.

use nix::fcntl::OFlag;
use nix::unistd::{getegid, geteuid};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What may be found under the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// A plain file.
    Plain,
    /// In a folder of ours also a device or a FIFO that somebody reads.
    Any,
}

/// A file that was opened.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub file: File,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// Opens a file for writing, or for appending, and makes it with `mode` where it is not there.
///
/// # Errors
/// The system's; [`io::ErrorKind::PermissionDenied`] with a reason for what is not taken for ours.
pub fn open(path: &Path, append: bool, mode: u32, kinds: Kinds) -> io::Result<Opened> {
    let shared = others_may_plant_in(path);
    let mut flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    if shared {
        flags |= OFlag::O_NOFOLLOW;
    }
    let mut options = OpenOptions::new();
    // The standard library adds O_CLOEXEC.
    options.write(true).append(append).mode(mode).custom_flags(flags.bits());
    let (file, is_new) = match options.clone().create_new(true).open(path) {
        Ok(file) => (file, true),
        // A link whose target is missing counts as there; followed, it makes the target.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let there = options.create(!shared).open(path);
            (there.map_err(|error| if is_link(&error) { refused("it is a link") } else { error })?, false)
        }
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    let fault = if is_new { None } else { fault_of(&about, shared, kinds) };
    match fault {
        Some(reason) => Err(refused(reason)),
        None => Ok(Opened { file, is_new }),
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
    if !is_ours_or_roots(about) {
        return Some("it belongs to somebody else");
    }
    (about.nlink() != 1).then_some("it has more than one name")
}

fn refused(reason: &str) -> io::Error {
    let text = format!(
        "{reason}, and others may have put it there; remove it, or choose a folder that only you write"
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn is_link(error: &io::Error) -> bool {
    // FreeBSD says EMLINK.
    matches!(error.raw_os_error(), Some(nix::libc::ELOOP | nix::libc::EMLINK))
}

/// Whether somebody else could put a file under this name, or put another folder in the place of one above it.
fn others_may_plant_in(path: &Path) -> bool {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Where it cannot be seen, caution costs nothing: opening will say why.
    let Ok(real) = std::fs::canonicalize(folder) else { return true };
    let mut above = real.ancestors().skip(1);
    is_open_to_others(&real, false) || above.any(|folder| is_open_to_others(folder, true))
}

/// Whether others may make or, unless it is sticky and that is enough, replace what is in a folder.
fn is_open_to_others(folder: &Path, sticky_is_enough: bool) -> bool {
    let Ok(about) = std::fs::metadata(folder) else { return true };
    let sticky = about.mode() & 0o1000 != 0;
    may_be_written_by_others(&about) && !(sticky && sticky_is_enough && is_ours_or_roots(&about))
}

/// Whether others than we and root own a file or folder, or may write it. A group that we are in is not others.
pub fn may_be_written_by_others(about: &Metadata) -> bool {
    let by_group = about.mode() & 0o020 != 0 && about.gid() != 0 && !is_our_group(about.gid());
    !is_ours_or_roots(about) || about.mode() & 0o002 != 0 || by_group
}

fn is_our_group(gid: u32) -> bool {
    if gid == getegid().as_raw() {
        return true;
    }
    // `nix` leaves this out on macOS, where the list that the kernel has is not the whole of it.
    #[cfg(not(target_os = "macos"))]
    let further = nix::unistd::getgroups().unwrap_or_default();
    #[cfg(target_os = "macos")]
    let further: Vec<nix::unistd::Gid> = Vec::new();
    further.iter().any(|group| group.as_raw() == gid)
}

fn is_ours_or_roots(about: &Metadata) -> bool {
    about.uid() == 0 || about.uid() == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

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
                let opened = open(&link, true, 0o600, Kinds::Plain);
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
            assert!(open(&shared.join(name), true, 0o600, Kinds::Any).is_err(), "{name}");
        }
        match geteuid().is_root() {
            false => crate::skip::skip("only root can make a file of another"),
            true => {
                let other = shared.join("theirs");
                std::fs::write(&other, "").unwrap();
                std::os::unix::fs::chown(&other, Some(54_321), Some(54_321)).unwrap();
                let error = open(&other, true, 0o600, Kinds::Plain).unwrap_err();
                assert!(error.to_string().contains("belongs to somebody else"), "{error}");
            }
        }
        // A reader makes a FIFO one that can be opened, which changes nothing there.
        let fifo = shared.join("fifo");
        let reading =
            OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&fifo).unwrap();
        assert!(open(&fifo, true, 0o600, Kinds::Any).is_err());
        drop(reading);
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
            assert_eq!(may_be_written_by_others(&std::fs::metadata(&own).unwrap()), others, "{group}");
        }
    }

    #[test]
    fn a_device_is_a_log_and_nothing_else_and_a_file_keeps_what_is_in_it() {
        let folders = Folders::new("plain");
        assert!(open(Path::new("/dev/null"), true, 0o600, Kinds::Any).is_ok());
        assert!(open(Path::new("/dev/null"), false, 0o600, Kinds::Plain).is_err());
        for folder in ["own", "shared"] {
            let path = folders.0.join(folder).join("file");
            assert!(open(&path, false, 0o600, Kinds::Plain).unwrap().is_new);
            std::fs::write(&path, "data").unwrap();
            assert!(!open(&path, false, 0o600, Kinds::Plain).unwrap().is_new);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
        }
    }
}
