//! The Landlock rules: a process without privileges forbids itself what it does not need.
//!
//! Handled are all ways to change the file system. Allowed is what [`Needs`] names, and what programs take for granted:
//! the temporary folders, terminals and /dev/null. What a kernel does not know yet of this is left out.

use super::{Needs, WritablePaths};
use landlock::{
    ABI, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, RulesetStatus,
};
use std::path::{Path, PathBuf};

/// The first in which everything that changes files can be handled.
const KNOWN: ABI = ABI::V3;
/// Where everybody writes.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// What is written to without a thought. Not all of /dev: root would find the disks there.
const DEVICES: [&str; 9] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/dev/ptmx",
    "/dev/pts",
];

/// Confines this thread and those that it starts later by Landlock rules. `None` where the kernel has no Landlock.
pub(super) fn raise(needs: &Needs) -> Result<Option<WritablePaths>, RulesetError> {
    let writing = AccessFs::from_write(KNOWN);
    let mut rules = Ruleset::default().handle_access(writing)?.create()?;
    let mut write = Vec::new();
    let temporary = TEMPORARY.map(PathBuf::from).into_iter().chain([std::env::temp_dir()]);
    let folders = needs.write.iter().cloned().chain(needs.logs.iter().filter_map(|log| place_of(log)));
    for path in folders.chain(temporary) {
        // What is not there cannot be written to, and whoever misses it hears so from whom he asks.
        let Ok(path) = std::fs::canonicalize(path) else { continue };
        if !write.contains(&path) {
            rules = allow(rules, &path, writing)?;
            write.push(path);
        }
    }
    for device in DEVICES {
        rules = allow(rules, device.as_ref(), AccessFs::WriteFile | AccessFs::Truncate)?;
    }
    for folder in needs.leave.iter().filter_map(|file| file.parent()) {
        rules = allow(rules, folder, AccessFs::RemoveFile.into())?;
    }
    let status = rules.restrict_self()?;
    let stand = status.ruleset != RulesetStatus::NotEnforced;
    Ok(stand.then_some(WritablePaths(write)))
}

/// Where a log is written: the folder of its file, behind a link that of the file it leads to; of a device, itself.
fn place_of(log: &Path) -> Option<PathBuf> {
    let real = std::fs::canonicalize(log);
    match std::fs::metadata(log) {
        Ok(there) if !there.is_file() => real.ok(),
        _ => Some(real.as_deref().unwrap_or(log).parent()?.to_path_buf()),
    }
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(place) = PathFd::new(path) else { return Ok(rules) };
    // Of a file only what one does with files can be allowed.
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(KNOWN) };
    if rights.is_empty() { Ok(rules) } else { rules.add_rule(PathBeneath::new(place, rights)) }
}
