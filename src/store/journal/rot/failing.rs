//! Each call of the disk fails once: nothing that was promised is lost.

use super::*;
use std::path::PathBuf;

/// A disk on which one call fails, with the ones right behind it.
#[derive(Clone)]
struct Faulty {
    disk: SimDisk,
    calls: Arc<Mutex<DiskCalls>>,
}

#[derive(Default)]
struct DiskCalls {
    made: Vec<&'static str>,
    failing: Range<usize>,
    full: bool,
}

struct FaultyFile {
    file: Arc<dyn DiskFile>,
    disk: Faulty,
}

impl Faulty {
    fn new(failing: Range<usize>, full: bool) -> Faulty {
        let calls = DiskCalls { made: Vec::new(), failing, full };
        Faulty { disk: SimDisk::new(), calls: Arc::new(Mutex::new(calls)) }
    }

    fn call(&self, what: &'static str) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap();
        let number = calls.made.len();
        calls.made.push(what);
        match calls.failing.contains(&number) {
            true if calls.full => Err(io::ErrorKind::StorageFull.into()),
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { file, disk: self.clone() })
    }
}

impl Disk for Faulty {
    fn path(&self, name: &str) -> PathBuf {
        self.disk.path(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.call("list").and_then(|()| self.disk.list())
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.call("create").and_then(|()| self.disk.create(name)).map(|file| self.file(file))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.call("open").and_then(|()| self.disk.open(name)).map(|file| self.file(file))
    }
    fn shorten(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.call("shorten").and_then(|()| self.disk.shorten(name, bytes))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.call("remove").and_then(|()| self.disk.remove(name))
    }
    fn keep_aside(&self, name: &str) -> io::Result<(PathBuf, bool)> {
        self.call("keep_aside").and_then(|()| self.disk.keep_aside(name))
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.call("sync_dir").and_then(|()| self.disk.sync_dir())
    }
}

impl DiskFile for FaultyFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.call("write").inspect_err(|_| {
            // As far as the system came.
            let _ = self.file.write_all_at(&bytes[..bytes.len() / 2], offset);
        })?;
        self.file.write_all_at(bytes, offset)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.call("read").and_then(|()| self.file.read_at(buffer, offset))
    }
    fn bytes(&self) -> io::Result<u64> {
        self.disk.call("bytes").and_then(|()| self.file.bytes())
    }
    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.disk.call("truncate").and_then(|()| self.file.truncate(bytes))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.call("sync").inspect_err(|_| {
            self.disk.disk.fail_syncs(1);
            let _ = self.file.sync_data();
        })?;
        self.file.sync_data()
    }
    fn identity(&self) -> Option<(u64, u64)> {
        self.file.identity()
    }
}

/// What was promised in a life of a journal.
#[derive(Debug, Default)]
struct Promised {
    next: u64,
    /// Versions that were taken, and of them those that are durable.
    taken: BTreeSet<u64>,
    durable: BTreeSet<u64>,
    /// Those before it may be gone.
    trimmed: u64,
}

/// Two lives of a journal with all that happens in one: appends, syncs, seconds, ends of segments, a torn tail, damage,
/// reading, trimming. False where the journal did not come up.
fn lives(disk: &Faulty, promised: &mut Promised) -> bool {
    for life in 0..2 {
        let Ok((journal, _)) = open_on(Arc::new(disk.clone())) else { return false };
        for turn in 0..30 {
            let mut records = batch(promised.next);
            if journal.append(START, &mut records).is_ok() {
                promised.taken.insert(promised.next);
            }
            promised.next += 1;
            let done = match turn % 10 {
                3 => journal.sync(journal.end()).is_ok(),
                6 => journal.tick(START).is_ok(),
                9 => {
                    let _ = journal.read(None, RecordFilter::All, &mut |_, _| {});
                    false
                }
                _ => false,
            };
            if done {
                promised.durable.extend(&promised.taken);
            }
        }
        let upto = journal.end();
        if life == 0 && journal.sync(upto).is_ok() {
            promised.trimmed = promised.next;
            let _ = journal.trim(upto);
            // A bit rots behind that, and a write is torn.
            let position = append_or(&journal, promised);
            let _ = journal.tick(START);
            if let Some(position) = position {
                disk.disk.rot(&file_name(position.segment), position.offset - 1, 1);
                promised.taken.remove(&(promised.next - 1));
                promised.durable.remove(&(promised.next - 1));
            }
            let _ = journal.read(None, RecordFilter::All, &mut |_, _| {});
        }
    }
    true
}

fn append_or(journal: &FileJournal, promised: &mut Promised) -> Option<Position> {
    let position = journal.append(START, &mut batch(promised.next)).ok();
    promised.taken.extend(position.map(|_| promised.next));
    promised.next += 1;
    position
}

#[test]
fn any_call_of_the_disk_may_fail_and_nothing_promised_is_lost() {
    let calls = {
        let disk = Faulty::new(0..0, false);
        assert!(lives(&disk, &mut Promised::default()));
        disk.calls.lock().unwrap().made.clone()
    };
    let kinds: BTreeSet<&str> = calls.iter().copied().collect();
    for kind in
        ["list", "create", "open", "write", "read", "bytes", "sync", "sync_dir", "remove", "keep_aside"]
    {
        assert!(kinds.contains(kind), "{kind} is never called: {kinds:?}");
    }
    for (first, kind) in calls.iter().enumerate() {
        for (count, full) in [(1, false), (1, true), (2, false), (5, true)] {
            let what = format!("{kind}, call {first} and {} more, full: {full}", count - 1);
            let disk = Faulty::new(first..first + count, full);
            let mut promised = Promised::default();
            lives(&disk, &mut promised);
            disk.calls.lock().unwrap().failing = 0..0;
            // The program is killed: what was taken is there. Then the power goes: what was durable is there.
            for (want, cut) in [(&promised.taken, false), (&promised.durable, true)] {
                if cut {
                    disk.disk.crash(first as u64);
                }
                let (journal, found) = open_on(Arc::new(disk.clone())).unwrap();
                let there: BTreeSet<u64> = versions(&journal).into_iter().collect();
                let missing = want.iter().find(|v| **v >= promised.trimmed && !there.contains(v));
                assert_eq!(missing, None, "{what}, cut: {cut}: {promised:?} {found:?}");
                append(&journal, 1000);
                journal.tick(START).unwrap();
                assert_eq!(journal.trouble().map(|error| error.to_string()), None, "{what}");
                assert_eq!(versions(&journal).last(), Some(&1000), "{what}");
            }
        }
    }
}
