//! Setting full log files aside, and forgetting the oldest.
//!
//! A file set aside is named `PATH-YYYYmmddTHHMMSS`, with `.1`, `.2`, … behind it when that second has one already:
//! names that logrotate and newsyslog never make, so the two can be used together. Only names of exactly this form
//! are ever deleted.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Bytes of `20260208T113020`.
const STAMP_BYTES: usize = 15;

/// Renames the file to a name with the local time (`2026-02-08T11:30:20`) in it, which it returns.
pub(super) fn set_aside(path: &Path, local: &[u8; 19]) -> io::Result<PathBuf> {
    let stamp: Vec<u8> = local.iter().copied().filter(|b| !matches!(b, b'-' | b':')).collect();
    // One more than the highest number in use, so that within a second the order of the numbers is that of the files.
    let number = aside(path)?.iter().filter(|a| a.stamp == stamp).map(|a| a.number + 1).max().unwrap_or(0);
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.push(b'-');
    name.extend_from_slice(&stamp);
    if number > 0 {
        name.extend_from_slice(format!(".{number}").as_bytes());
    }
    let to = PathBuf::from(OsString::from_vec(name));
    std::fs::rename(path, &to)?;
    Ok(to)
}

/// Deletes all files set aside but the `keep` newest.
pub(super) fn forget_oldest(path: &Path, keep: u32) -> io::Result<()> {
    let mut all = aside(path)?;
    // When they were last written counts, since local time runs twice through one hour a year; then the name.
    all.sort_by(|a, b| (a.written_ns, &a.stamp, a.number).cmp(&(b.written_ns, &b.stamp, b.number)));
    let surplus = all.len().saturating_sub(keep as usize);
    for old in all.iter().take(surplus) {
        match std::fs::remove_file(&old.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

struct Aside {
    path: PathBuf,
    stamp: Vec<u8>,
    number: u64,
    written_ns: i128,
}

fn aside(path: &Path) -> io::Result<Vec<Aside>> {
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let entry_name = entry.file_name();
        let Some(suffix) = entry_name.as_bytes().strip_prefix(name.as_bytes()) else { continue };
        let Some((stamp, number)) = parse_suffix(suffix) else { continue };
        // Whoever put something else than a file under such a name keeps it.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        use std::os::unix::fs::MetadataExt;
        let written_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        all.push(Aside { path: entry.path(), stamp: stamp.to_vec(), number, written_ns });
    }
    Ok(all)
}

/// Reads `-20260208T113020` and `-20260208T113020.7`.
fn parse_suffix(suffix: &[u8]) -> Option<(&[u8], u64)> {
    let (stamp, rest) = suffix.strip_prefix(b"-")?.split_at_checked(STAMP_BYTES)?;
    let well_formed =
        stamp.iter().enumerate().all(|(i, b)| if i == 8 { *b == b'T' } else { b.is_ascii_digit() });
    if !well_formed {
        return None;
    }
    if rest.is_empty() {
        return Some((stamp, 0));
    }
    let digits = std::str::from_utf8(rest.strip_prefix(b".")?).ok()?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    let number = digits.parse().ok().filter(|n| canonical && *n < u64::MAX)?;
    Some((stamp, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_ours() {
        assert_eq!(parse_suffix(b"-20260208T113020"), Some((&b"20260208T113020"[..], 0)));
        assert_eq!(parse_suffix(b"-20260208T113020.12"), Some((&b"20260208T113020"[..], 12)));
        for other in [
            "",
            ".1",
            "-20260208",
            ".2.gz",
            "-20260208T113020.gz",
            "-20260208T113020.",
            "-20260208T113020.01",
            "-20260208T113020.0",
            "-20260208T1130201",
            "-20260208T11302",
            "-2026020 T113020",
            "-20260208T113020.+1",
            "-20260208T113020.99999999999999999999",
        ] {
            assert_eq!(parse_suffix(other.as_bytes()), None, "{other}");
        }
    }
}
