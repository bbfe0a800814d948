//! A disk in memory that forgets what it may forget, for tests and simulations.
//!
//! Each file has two contents: what a running program sees, and what would be found after a power cut, with the writes
//! between the two. [`SimDisk::crash`] cuts the power: each unsynced write, split at pages, is lost, kept, or kept up to
//! some byte, whatever became of those before it; holes are zeros or old bytes of other files; files made or removed
//! since the directory was last synced are there or not. [`SimDisk::die_after`] kills the program in the middle of a
//! write instead: everything written is kept. Disks also fill up, and fail. All of it follows from seeds.

use super::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rng numbers that follow from a seed (SplitMix64).
#[derive(Clone, Copy, Debug)]
pub struct SimulatedRng(pub u64);

impl SimulatedRng {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }
}

/// The disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<DiskState>>);

/// What reaches the platters in one piece, at best.
const PAGE_BYTES: u64 = 4096;

#[derive(Debug, Default)]
struct DiskState {
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    /// What a running program sees, and what a power cut leaves.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    name_changes: Vec<(String, Option<u64>)>,
    aside: BTreeMap<String, Vec<u8>>,
    room: Option<u64>,
    failing_syncs: u32,
    failing_reads: u32,
    /// The file that cannot be read.
    unreadable: Option<u64>,
    dies_after: Option<u64>,
    dead: bool,
    /// Handles of an earlier life are of no use.
    life: u64,
    syncs: u64,
    writes: u64,
    bytes_read: u64,
    old_bytes: Vec<u8>,
    faults: u64,
}

#[derive(Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<UnsyncedWrite>,
}

#[derive(Debug)]
enum UnsyncedWrite {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
    life: u64,
    name: String,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Cuts the power and switches it on again.
    pub fn crash(&self, seed: u64) {
        let mut random = SimulatedRng(seed);
        // Some power cuts lose nearly everything that was not synced, some nearly nothing.
        let kept_of_256 = random.below(257);
        let mut state = self.state();
        let state = &mut *state;
        for (name, inode) in std::mem::take(&mut state.name_changes) {
            if random.below(256) >= kept_of_256 {
                continue;
            }
            match inode {
                Some(inode) => state.durable_names.insert(name, inode),
                None => state.durable_names.remove(&name),
            };
        }
        for inode in state.inodes.values_mut() {
            for change in std::mem::take(&mut inode.pending) {
                apply_some(&mut inode.durable, change, kept_of_256, &state.old_bytes, &mut random);
            }
            inode.seen.clone_from(&inode.durable);
        }
        state.names.clone_from(&state.durable_names);
        let names = &state.names;
        state.inodes.retain(|number, _| names.values().any(|n| n == number));
        state.begin_life();
    }

    /// Lets the next program work after [`die_after`](SimDisk::die_after); nothing written is lost.
    pub fn revive(&self) {
        self.state().begin_life();
    }

    /// After `bytes` more bytes are written, the program is dead: the write ends there, and nothing works any more
    /// until [`revive`](SimDisk::revive) or [`crash`](SimDisk::crash).
    pub fn die_after(&self, bytes: u64) {
        self.state().dies_after = Some(bytes);
    }

    /// Whether the program died.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Lets files grow by so many bytes in all before the disk is full; `None`: without end.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// Lets the next fdatasync calls fail; what they should have synced is lost at the next power cut, as far as it had
    /// not reached the disk by itself.
    pub fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Lets the next reads fail.
    pub fn fail_reads(&self, count: u32) {
        self.state().failing_reads = count;
    }

    /// Lets all reads of one file fail.
    #[cfg(test)]
    pub fn fail_reads_of(&self, name: &str) {
        let mut state = self.state();
        state.unreadable = state.names.get(name).copied();
    }

    /// How many times a file was synced.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// How many writes there were.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// How many bytes were read.
    pub fn bytes_read(&self) -> u64 {
        self.state().bytes_read
    }

    /// A file's content as a program sees it.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).and_then(|inode| state.inodes.get(inode)).map(|inode| inode.seen.clone())
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let inode = state.new_inode();
        let content = Inode { seen: bytes.into(), durable: bytes.into(), pending: Vec::new() };
        state.inodes.insert(inode, content);
        state.names.insert(name.into(), inode);
        state.durable_names.insert(name.into(), inode);
    }

    /// Changes some bits of one byte of a file, as a disk does that rots.
    pub fn rot(&self, name: &str, offset: u64, bits: u8) {
        let mut state = self.state();
        let inode = state.names.get(name).copied().unwrap_or_default();
        let Some(inode) = state.inodes.get_mut(&inode) else { return };
        for content in [&mut inode.seen, &mut inode.durable] {
            content.get_mut(offset as usize).into_iter().for_each(|byte| *byte ^= bits);
        }
        // A later fdatasync writes the page as it is now.
        for change in &mut inode.pending {
            if let UnsyncedWrite::Write { at, bytes } = change {
                let within = offset.checked_sub(*at).and_then(|within| bytes.get_mut(within as usize));
                within.into_iter().for_each(|byte| *byte ^= bits);
            }
        }
    }

    /// What was kept aside, by name.
    pub fn aside(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().aside.clone()
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn living(&self) -> io::Result<MutexGuard<'_, DiskState>> {
        let state = self.state();
        if state.dead { Err(io::Error::other("the program is dead")) } else { Ok(state) }
    }

    fn file(&self, name: &str, inode: u64, life: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), inode, life, name: name.into() })
    }
}

impl DiskState {
    fn begin_life(&mut self) {
        self.life += 1;
        self.dead = false;
        self.dies_after = None;
        self.failing_syncs = 0;
        self.failing_reads = 0;
    }

    fn new_inode(&mut self) -> u64 {
        self.next_inode += 1;
        self.next_inode
    }

    fn inode(&mut self, name: &str) -> io::Result<&mut Inode> {
        let inode = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.inodes.get_mut(inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Notes a change; of a write only what there is room and life for.
    fn write(&mut self, inode: u64, bytes: &[u8], at: u64) -> io::Result<()> {
        self.writes += 1;
        let Some(file) = self.inodes.get_mut(&inode) else { return Err(io::ErrorKind::NotFound.into()) };
        let mut fits = bytes.len() as u64;
        let mut outcome = Ok(());
        if let Some(room) = &mut self.room {
            let within = (file.seen.len() as u64).saturating_sub(at);
            if fits > within + *room {
                fits = within + *room;
                outcome = Err(io::ErrorKind::StorageFull.into());
            }
            *room -= fits.saturating_sub(within);
        }
        if let Some(left) = &mut self.dies_after {
            if fits >= *left {
                fits = *left;
                self.dead = true;
                outcome = Err(io::Error::other("the program dies here"));
            }
            *left -= fits;
        }
        let bytes = bytes.get(..fits as usize).unwrap_or(bytes);
        overwrite(&mut file.seen, at, bytes, &[]);
        file.pending.push(UnsyncedWrite::Write { at, bytes: bytes.into() });
        outcome
    }

    fn sync(&mut self, inode: u64) -> io::Result<()> {
        self.syncs += 1;
        let Some(file) = self.inodes.get_mut(&inode) else { return Err(io::ErrorKind::NotFound.into()) };
        let pending = std::mem::take(&mut file.pending);
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            self.faults += 1;
            let mut random = SimulatedRng(self.faults);
            for change in pending {
                apply_some(&mut file.durable, change, 128, &self.old_bytes, &mut random);
            }
            return Err(io::Error::other("a simulated fault of the disk"));
        }
        for change in pending {
            match change {
                UnsyncedWrite::Write { at, bytes } => overwrite(&mut file.durable, at, &bytes, &[]),
                UnsyncedWrite::Truncate(bytes) => file.durable.truncate(bytes as usize),
            }
        }
        Ok(())
    }
}

impl Disk for SimDisk {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("journal").join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.living()?.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.living()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.new_inode();
        state.inodes.insert(inode, Inode::default());
        state.names.insert(name.into(), inode);
        state.name_changes.push((name.into(), Some(inode)));
        Ok(self.file(name, inode, state.life))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.living()?;
        let inode = state.names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(name, inode, state.life))
    }

    fn shorten(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.living()?;
        let inode = state.inode(name)?;
        inode.seen.truncate(bytes as usize);
        inode.durable.clone_from(&inode.seen);
        inode.pending.clear();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.living()?;
        let inode = state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.name_changes.push((name.into(), None));
        let freed = state.inodes.get(&inode).map(|i| i.seen.clone()).unwrap_or_default();
        if let Some(room) = &mut state.room {
            *room += freed.len() as u64;
        }
        state.old_bytes = freed;
        Ok(())
    }

    fn keep_aside(&self, name: &str) -> io::Result<(PathBuf, bool)> {
        let mut state = self.living()?;
        let content = state.inode(name)?.seen.clone();
        for copy in 0.. {
            let to = if copy == 0 { name.to_string() } else { format!("{name}.{copy}") };
            let path = self.path("damaged").join(&to);
            match state.aside.get(&to) {
                Some(kept) if *kept == content => return Ok((path, false)),
                Some(_) => {}
                None => {
                    state.aside.insert(to, content);
                    return Ok((path, true));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.living()?;
        let state = &mut *state;
        state.name_changes.clear();
        state.durable_names.clone_from(&state.names);
        Ok(())
    }
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, DiskState>> {
        let state = self.disk.living()?;
        if state.life == self.life {
            Ok(state)
        } else {
            Err(io::Error::other(format!("{} was opened by a program that is gone", self.name)))
        }
    }
}

impl DiskFile for SimFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.state()?.write(self.inode, bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state()?;
        if state.failing_reads > 0 || state.unreadable == Some(self.inode) {
            state.failing_reads = state.failing_reads.saturating_sub(1);
            return Err(io::Error::other("a simulated fault of the disk"));
        }
        let file = state.inodes.get(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        let rest = file.seen.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        state.bytes_read += count as u64;
        Ok(count)
    }

    fn bytes(&self) -> io::Result<u64> {
        let state = self.state()?;
        Ok(state.inodes.get(&self.inode).map_or(0, |file| file.seen.len() as u64))
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.state()?;
        let file = state.inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        let freed = (file.seen.len() as u64).saturating_sub(bytes);
        file.seen.truncate(bytes as usize);
        file.pending.push(UnsyncedWrite::Truncate(bytes));
        if let Some(room) = &mut state.room {
            *room += freed;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state()?.sync(self.inode)
    }

    fn identity(&self) -> Option<(u64, u64)> {
        Some((0, self.inode))
    }
}

/// What a power cut leaves of an unsynced change.
fn apply_some(
    content: &mut Vec<u8>,
    change: UnsyncedWrite,
    kept_of_256: u64,
    old: &[u8],
    random: &mut SimulatedRng,
) {
    let (at, bytes) = match change {
        UnsyncedWrite::Truncate(bytes) => {
            if random.below(256) < kept_of_256 {
                content.truncate(bytes as usize);
            }
            return;
        }
        UnsyncedWrite::Write { at, bytes } => (at, bytes),
    };
    let old = if random.below(2) == 0 { &[] } else { old };
    let mut from = 0;
    while from < bytes.len() {
        let page_left = PAGE_BYTES - (at + from as u64) % PAGE_BYTES;
        let to = bytes.len().min(from + page_left as usize);
        let piece = &bytes[from..to];
        let kept = match random.below(256) {
            n if n >= kept_of_256 => 0,
            n if n % 8 == 0 => random.below(piece.len() as u64 + 1) as usize,
            _ => piece.len(),
        };
        if kept > 0 {
            overwrite(content, at + from as u64, &piece[..kept], old);
        }
        from = to;
    }
}

/// Writes into a content; a gap before the place is filled with `old` bytes, then zeros.
fn overwrite(content: &mut Vec<u8>, at: u64, bytes: &[u8], old: &[u8]) {
    let at = at as usize;
    if content.len() < at {
        let begin = content.len();
        content.extend_from_slice(old.get(begin..at.min(old.len())).unwrap_or_default());
        content.resize(at, 0);
    }
    let within = bytes.len().min(content.len() - at);
    content[at..at + within].copy_from_slice(&bytes[..within]);
    content.extend_from_slice(&bytes[within..]);
}

#[cfg(test)]
mod tests;
