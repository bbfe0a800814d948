//! Setting full log files aside, and forgetting the oldest.
//!
//! A file set aside is named `PATH-YYYYmmddTHHMMSS`, with `.1`, `.2`, … behind it when that second has one already:
//! names that logrotate and newsyslog never make, so the two can be used together. Only names of exactly this form
//! are ever deleted.

use crate::sys::folder::Folder;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Bytes of `20260208T113020`.
const STAMP_BYTES: usize = 15;

/// Renames the file to a name with the local time (`2026-02-08T11:30:20`) in it, which it returns.
pub(super) fn set_aside(folder: &Folder, name: &OsStr, local: &[u8; 19]) -> io::Result<OsString> {
    let stamp: Vec<u8> = local.iter().copied().filter(|b| !matches!(b, b'-' | b':')).collect();
    // One more than the highest number in use, so that within a second the order of the numbers is that of the files.
    let all = aside(folder, name)?;
    let number = all.iter().filter(|a| a.stamp == stamp).map(|a| a.number + 1).max().unwrap_or(0);
    let mut to = name.as_bytes().to_vec();
    to.push(b'-');
    to.extend_from_slice(&stamp);
    if number > 0 {
        to.extend_from_slice(format!(".{number}").as_bytes());
    }
    let to = OsString::from_vec(to);
    folder.rename(name, &to)?;
    Ok(to)
}

/// Deletes all files set aside but the `keep` newest.
pub(super) fn forget_oldest(folder: &Folder, name: &OsStr, keep: u32) -> io::Result<()> {
    let mut all = aside(folder, name)?;
    // When they were last written counts, since local time runs twice through one hour a year; then the name.
    all.sort_by(|a, b| (a.written_ns, &a.stamp, a.number).cmp(&(b.written_ns, &b.stamp, b.number)));
    let surplus = all.len().saturating_sub(keep as usize);
    for old in all.iter().take(surplus) {
        match folder.remove(&old.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

struct Aside {
    name: OsString,
    stamp: Vec<u8>,
    number: u64,
    written_ns: i128,
}

/// Whoever put something else than a file under such a name keeps it.
fn aside(folder: &Folder, name: &OsStr) -> io::Result<Vec<Aside>> {
    let of_ours = |(found, written_ns): (OsString, i128)| {
        let (stamp, number) = parse_suffix(found.as_bytes().strip_prefix(name.as_bytes())?)?;
        let stamp = stamp.to_vec();
        Some(Aside { name: found, stamp, number, written_ns })
    };
    Ok(folder.plain_files(name)?.into_iter().filter_map(of_ours).collect())
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
