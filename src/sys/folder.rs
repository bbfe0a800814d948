//! A folder by its descriptor: what was checked is what is opened, whatever others put under its name meanwhile.
//!
//! A path is walked name by name from the root, each opened in the folder before without following links (openat(2)), and
//! looked at once it is open. A link is followed by reading it, where only we or root can have made it. So there is no moment
//! between a check and an opening in which another could put a link, or a folder of his own, in the place of what was checked.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, getegid, geteuid, unlinkat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

/// Links on one way before it is taken for a circle, as the kernel has it.
const LINKS_MAX: usize = 40;
/// To pass through a folder one need not be allowed to list it; elsewhere than on Linux it takes that.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASS: OFlag = OFlag::O_PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PASS: OFlag = OFlag::O_RDONLY;

/// See the module.
#[derive(Debug)]
pub struct Folder {
    folder: OwnedFd,
    about: Owned,
    /// Whether others may put another folder in the place of one above it.
    exposed: bool,
}

/// Whose a file or folder is, and who may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The number of its owner.
    pub owner: u32,
    /// That of its group.
    pub group: u32,
    /// Its mode, without its kind.
    pub mode: u32,
    /// Device and inode.
    pub identity: (u64, u64),
}

impl Owned {
    fn of(stat: &FileStat) -> Owned {
        // The types of these differ from system to system.
        #[allow(clippy::unnecessary_cast)]
        let (mode, identity) = (stat.st_mode as u32 & 0o7777, (stat.st_dev as u64, stat.st_ino as u64));
        Owned { owner: stat.st_uid, group: stat.st_gid, mode, identity }
    }

    /// Whether others than we and root own it, or may write it. A group that we are in is not others.
    pub fn may_be_written_by_others(&self) -> bool {
        let by_group = self.mode & 0o020 != 0 && self.group != 0 && !is_our_group(self.group);
        !self.is_ours_or_roots() || self.mode & 0o002 != 0 || by_group
    }

    fn is_ours_or_roots(&self) -> bool {
        self.owner == 0 || self.owner == geteuid().as_raw()
    }

    /// Whether nobody may replace what he does not own in it.
    fn is_sticky(&self) -> bool {
        self.mode & 0o1000 != 0 && self.is_ours_or_roots()
    }
}

impl Folder {
    /// The folder of this path.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::PermissionDenied`] where a link leads there that others may have put in the way.
    pub fn at(path: &Path) -> io::Result<Folder> {
        let mut way = PathWalk::to(path)?;
        while let Some(name) = way.ahead.pop_front() {
            way.enter(&name)?;
        }
        Ok(way.here)
    }

    /// The folder in which a file of this path lies, and the name of it there. Where only we or root can have put a link
    /// under that name, they are those of its target.
    ///
    /// # Errors
    /// The same.
    pub fn of(path: &Path) -> io::Result<(Folder, OsString)> {
        let mut way = PathWalk::to(path)?;
        while let Some(name) = way.ahead.pop_front() {
            if !way.ahead.is_empty() {
                way.enter(&name)?;
                continue;
            }
            let is_name = name != ".." && name != ".";
            let reads = is_name && !way.here.is_shared() && !way.here.is_of_proc();
            let target = if reads { way.here.link(&name)? } else { None };
            match target {
                Some(target) => way.turn_off(target)?,
                None if is_name => return Ok((way.here, name)),
                None => break,
            }
        }
        Err(Errno::EISDIR.into())
    }

    /// Whether somebody else could put something under a name in it, or another folder in its place.
    pub fn is_shared(&self) -> bool {
        self.exposed || self.about.may_be_written_by_others()
    }

    /// Whose it is.
    pub fn about(&self) -> Owned {
        self.about
    }

    /// Opens a file in it, and follows no link but those of /proc, which lead to what no name leads to.
    pub fn open(&self, name: &OsStr, flags: OFlag, mode: u32) -> io::Result<File> {
        let leads_on = self.is_of_proc() && !self.is_shared();
        let no_links = if leads_on { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let mode = Mode::from_bits_truncate(mode as nix::libc::mode_t);
        let file = openat(&self.folder, name, flags | no_links | OFlag::O_CLOEXEC, mode)?;
        Ok(file.into())
    }

    /// Device and inode of what is under a name; of a link, its own.
    pub fn identity_of(&self, name: &OsStr) -> io::Result<(u64, u64)> {
        Ok(Owned::of(&fstatat(&self.folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?).identity)
    }

    /// Removes a file.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Gives a file another name in it.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.folder, from, &self.folder, to)?)
    }

    /// The names of the plain files in it that begin with this one, and when each was last written, in nanoseconds.
    pub fn plain_files(&self, beginning: &OsStr) -> io::Result<Vec<(OsString, i128)>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut list = Dir::from_fd(openat(&self.folder, ".", flags, Mode::empty())?)?;
        let mut all = Vec::new();
        for entry in list.iter() {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if !name.as_bytes().starts_with(beginning.as_bytes()) {
                continue;
            }
            let Ok(about) = fstatat(&self.folder, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) else {
                continue;
            };
            if about.st_mode & nix::libc::S_IFMT == nix::libc::S_IFREG {
                let written_ns = i128::from(about.st_mtime) * 1_000_000_000 + i128::from(about.st_mtime_nsec);
                all.push((name, written_ns));
            }
        }
        Ok(all)
    }

    /// What the link of this name says; `None`: it is none, or nothing is there.
    fn link(&self, name: &OsStr) -> io::Result<Option<OsString>> {
        match readlinkat(&self.folder, name) {
            Ok(target) => Ok(Some(target)),
            Err(Errno::EINVAL | Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// There are links whose text is no path, such as those of /proc/self/fd.
    #[cfg(target_os = "linux")]
    fn is_of_proc(&self) -> bool {
        use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
        fstatfs(&self.folder).is_ok_and(|system| system.filesystem_type() == PROC_SUPER_MAGIC)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_of_proc(&self) -> bool {
        false
    }
}

/// On the way through a path.
struct PathWalk {
    here: Folder,
    ahead: VecDeque<OsString>,
    links: usize,
}

impl PathWalk {
    fn to(path: &Path) -> io::Result<PathWalk> {
        let path = std::path::absolute(path)?;
        let mut way = PathWalk { here: root()?, ahead: VecDeque::new(), links: 0 };
        way.put_ahead(path.as_os_str());
        Ok(way)
    }

    fn put_ahead(&mut self, path: &OsStr) {
        let names = Path::new(path).components().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
        let mut names: VecDeque<OsString> = names.collect();
        names.append(&mut self.ahead);
        self.ahead = names;
    }

    /// Goes into the folder of this name, or off along a link of this name.
    fn enter(&mut self, name: &OsStr) -> io::Result<()> {
        let before = &self.here;
        let flags = PASS | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&before.folder, name, flags, Mode::empty()) {
            Ok(folder) => {
                let about = Owned::of(&fstat(&folder)?);
                let replaceable = before.about.may_be_written_by_others() && !before.about.is_sticky();
                self.here = Folder { folder, about, exposed: before.exposed || replaceable };
                Ok(())
            }
            // A link is one or the other, by system.
            Err(errno @ (Errno::ENOTDIR | Errno::ELOOP | Errno::EMLINK)) => {
                let target = before.link(name)?.ok_or(errno)?;
                if before.about.may_be_written_by_others() {
                    let link = Owned::of(&fstatat(&before.folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?);
                    // Nobody else can have put it in the place of the one just read.
                    if !(before.about.is_sticky() && link.is_ours_or_roots()) {
                        return Err(super::files::refused("a link is on the way"));
                    }
                }
                self.turn_off(target)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn turn_off(&mut self, target: OsString) -> io::Result<()> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::ELOOP.into());
        }
        if target.as_bytes().first() == Some(&b'/') {
            self.here = Folder { exposed: self.here.exposed, ..root()? };
        }
        self.put_ahead(&target);
        Ok(())
    }
}

fn root() -> io::Result<Folder> {
    let flags = PASS | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = openat(AT_FDCWD, "/", flags, Mode::empty())?;
    let about = Owned::of(&fstat(folder.as_fd())?);
    Ok(Folder { folder, about, exposed: false })
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
