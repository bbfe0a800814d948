//! Looking at a file through a window that moves forward.

use super::disk::DiskFile;
use std::io;
use std::sync::Arc;

/// Some bytes of a file in memory. Asking for a place further on reads on from there, at least a chunk at a time.
pub(super) struct ReadWindow {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    start: u64,
    end: u64,
    chunk_bytes: usize,
    /// Whether what cannot be read is taken for zeros.
    lenient: bool,
    /// What the system said when it could not be read.
    pub(super) fault: Option<io::Error>,
}

/// What is given up at once where a disk cannot be read.
const PAGE_BYTES: usize = 4096;

impl ReadWindow {
    /// A window on the bytes before `end`.
    pub(super) fn new(file: Arc<dyn DiskFile>, end: u64, chunk_bytes: usize) -> ReadWindow {
        ReadWindow { file, buffer: Vec::new(), start: 0, end, chunk_bytes, lenient: false, fault: None }
    }

    /// Takes for zeros what cannot be read.
    pub(super) fn lenient(mut self) -> ReadWindow {
        self.lenient = true;
        self
    }

    /// The bytes at a place; fewer where the file ends.
    pub(super) fn get(&mut self, offset: u64, bytes: usize) -> io::Result<&[u8]> {
        let (skip, wanted) = self.reach(offset, bytes)?;
        let to = self.buffer.len().min(skip + wanted);
        Ok(self.buffer.get(skip..to).unwrap_or_default())
    }

    /// All bytes from a place on that are in memory; at least `bytes`, unless the file ends before.
    pub(super) fn ahead(&mut self, offset: u64, bytes: usize) -> io::Result<&[u8]> {
        let (skip, _) = self.reach(offset, bytes)?;
        Ok(self.buffer.get(skip..).unwrap_or_default())
    }

    fn reach(&mut self, offset: u64, bytes: usize) -> io::Result<(usize, usize)> {
        let wanted = bytes.min(usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX));
        let have = self.start + self.buffer.len() as u64;
        if offset < self.start || offset >= have {
            self.buffer.clear();
            self.start = offset;
        } else if offset + wanted as u64 > have {
            self.buffer.drain(..(offset - self.start) as usize);
            self.start = offset;
        }
        let skip = (offset - self.start) as usize;
        if self.buffer.len() < skip + wanted {
            self.fill(wanted)?;
        }
        Ok((skip, wanted))
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let left = usize::try_from(self.end.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let target = wanted.max(self.chunk_bytes).min(left);
        let mut filled = self.buffer.len();
        self.buffer.resize(target.max(filled), 0);
        let mut careful = false;
        while filled < target {
            let offset = self.start + filled as u64;
            let to = if careful { target.min(filled + PAGE_BYTES) } else { target };
            match self.file.read_at(&mut self.buffer[filled..to], offset) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if !self.lenient => {
                    self.buffer.truncate(filled);
                    return Err(error);
                }
                // Page by page, so that no more is given up than cannot be read.
                Err(_) if !careful => careful = true,
                Err(error) => {
                    self.buffer[filled..to].fill(0);
                    self.fault = Some(error);
                    filled = to;
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}
