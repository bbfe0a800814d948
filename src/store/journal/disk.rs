//! What a journal needs of a disk, and the real one: a directory.
//!
//! The journal speaks to [`Disk`] so that the same code runs over [`SimDisk`](super::sim::SimDisk), which forgets what
//! was not synced. All writes go to a stated place with one system call each; nothing is mapped, because a full or
//! failing disk must be an error, not a signal.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of files.
pub trait Disk: Send + Sync {
    /// Where a file of this name is, for messages; the empty name means the directory.
    fn path(&self, name: &str) -> PathBuf;
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes a file for writing; there must be none of the name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Shortens a file and syncs it.
    fn shorten(&self, name: &str, bytes: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Keeps a file as it is under another name, in `damaged`, where nothing is ever overwritten; a file kept there
    /// before is not kept twice. Returns where it is, and whether it is new there.
    fn keep_aside(&self, name: &str) -> io::Result<(PathBuf, bool)>;
    /// Waits until files made and removed are so durably.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all of the bytes to a place; on an error some of them may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reads some bytes from a place; 0 behind the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Its length.
    fn bytes(&self) -> io::Result<u64>;
    /// Shortens it.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// Waits until what was written is durable, the length included: fdatasync(2).
    fn sync_data(&self) -> io::Result<()>;
    /// What it is on its disk, whatever its name: device and inode; `None` where that cannot be told.
    fn identity(&self) -> Option<(u64, u64)>;
}

/// Where damaged files are kept, inside the directory.
pub const ASIDE: &str = "damaged";
/// Most copies kept of files of one name.
const ASIDE_MAX: u32 = 100;

/// A directory of the file system.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
}

impl RealDisk {
    /// Takes a directory, which is made if it is missing, for its owner and group alone.
    pub fn open(directory: &Path) -> io::Result<RealDisk> {
        match std::fs::DirBuilder::new().mode(0o750).create(directory) {
            Ok(()) => {
                if let Some(parent) = directory.parent().filter(|p| !p.as_os_str().is_empty()) {
                    File::open(parent)?.sync_all()?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(RealDisk { directory: directory.into() })
    }

    fn copy_aside(&self, from: &Path, to: &Path) -> io::Result<()> {
        if std::fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        // A file system without hard links: a whole copy, or none.
        let part = to.with_extension("part");
        let copied = std::fs::copy(from, &part)
            .and_then(|_| File::open(&part)?.sync_all())
            .and_then(|()| std::fs::rename(&part, to));
        copied.inspect_err(|_| drop(std::fs::remove_file(&part)))
    }
}

impl Disk for RealDisk {
    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.directory.clone() } else { self.directory.join(name) }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o640);
        Ok(Arc::new(options.open(self.path(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::open(self.path(name))?))
    }

    fn shorten(&self, name: &str, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path(name))?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))
    }

    fn keep_aside(&self, name: &str) -> io::Result<(PathBuf, bool)> {
        let aside = self.directory.join(ASIDE);
        match std::fs::DirBuilder::new().mode(0o750).create(&aside) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let from = self.path(name);
        for copy in 0..ASIDE_MAX {
            let to = aside.join(if copy == 0 { name.to_string() } else { format!("{name}.{copy}") });
            match same_file(&from, &to)? {
                Some(true) => return Ok((to, false)),
                Some(false) => {}
                None => {
                    self.copy_aside(&from, &to)?;
                    File::open(&aside)?.sync_all()?;
                    self.sync_dir()?;
                    return Ok((to, true));
                }
            }
        }
        Err(io::Error::other("too many damaged files of this name are kept already"))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn identity(&self) -> Option<(u64, u64)> {
        self.metadata().ok().map(|file| (file.dev(), file.ino()))
    }
}

/// Whether `to` is `from` under another name, or a copy of it; `None` if there is no such file.
fn same_file(from: &Path, to: &Path) -> io::Result<Option<bool>> {
    let aside = match to.symlink_metadata() {
        Ok(aside) => aside,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let here = from.symlink_metadata()?;
    if (here.dev(), here.ino()) == (aside.dev(), aside.ino()) {
        return Ok(Some(true));
    }
    // The header has a nonce, so two files that begin alike and are as long are one.
    Ok(Some(here.len() == aside.len() && beginning(from)? == beginning(to)?))
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    let read = FileExt::read_at(&File::open(path)?, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
