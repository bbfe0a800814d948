//! Reads the configuration files: which ones there are, in which order, and what TOML makes of them.
//!
//! First the file that was named (or the default one, if it exists), then every `*.toml` of the directory `conf.d`
//! beside it, in the order of their names. All go into one [`FileDraft`]. A file that TOML cannot parse is reported with
//! every error the parser could find, and the next file is read all the same.

use super::Env;
use super::error::{EX_IOERR, Findings, SettingOrigin};
use super::schema::{self, FileDraft};
use super::value::Document;
use crate::i18n;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Longest configuration file, and longest file of tokens or certificates, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most files in `conf.d`.
const DROP_INS_MAX: usize = 1_000;

/// What all files together say, and which files those were.
pub(super) struct Reading {
    pub(super) draft: FileDraft,
    pub(super) sources: Vec<PathBuf>,
}

/// Reads the files. `named` is the file that somebody asked for, already absolute; it must then exist.
pub(super) fn read(named: Option<&Path>, env: &Env, findings: &Findings) -> Reading {
    let main = named.unwrap_or(&env.default_file);
    let mut reading = Reading { draft: FileDraft::default(), sources: Vec::new() };
    match fetch(main) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {}
        fetched => take(main, fetched, &mut reading, findings),
    }
    let beside = main.parent().unwrap_or(Path::new("/")).join("conf.d");
    for path in drop_ins(&beside, findings) {
        take(&path, fetch(&path), &mut reading, findings);
    }
    reading
}

/// Parses one file into the draft.
fn take(path: &Path, fetched: io::Result<Vec<u8>>, reading: &mut Reading, findings: &Findings) {
    reading.sources.push(path.to_path_buf());
    parse(path, fetched, findings, |document, table| schema::read(document, table, &mut reading.draft));
}

/// Hands what a file says to its reader, if it is TOML at all.
pub(crate) fn parse(
    path: &Path,
    fetched: io::Result<Vec<u8>>,
    findings: &Findings,
    read: impl FnOnce(&Document<'_>, &DeTable<'_>),
) {
    let bytes = match fetched {
        Ok(bytes) => bytes,
        Err(error) => return findings.unreadable(SettingOrigin::File(path.into()), "", path, &error),
    };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let most = super::value::size_text(FILE_BYTES_MAX);
        let reason = i18n::config::too_long_configuration_file(&most);
        return findings.reject(SettingOrigin::File(path.into()), "", reason);
    }
    let (text, broken) = match std::str::from_utf8(&bytes) {
        Ok(text) => (text, None),
        Err(error) => (std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), Some(error)),
    };
    let document = Document::new(path, text, findings);
    if broken.is_some() {
        let reason = i18n::config::NOT_UTF_8.into();
        return findings.reject(document.place(text.len()), "", reason);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = error.span().map_or(SettingOrigin::File(path.into()), |span| document.place(span.start));
        // Some of the parser's messages have several lines; ours is one.
        let message = error.message().lines().map(str::trim).collect::<Vec<_>>().join(", ");
        let reason = i18n::config::not_toml(&message);
        findings.reject(place, "", reason);
    }
    if errors.is_empty() {
        read(&document, table.get_ref());
    }
}

/// A whole file, or a little more than the longest one allowed.
pub(crate) fn fetch(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files of `conf.d` in the order of their names; hidden ones, such as an editor's, are left alone.
fn drop_ins(directory: &Path, findings: &Findings) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                findings.unreadable(SettingOrigin::File(directory.into()), "", directory, &error);
            }
            return paths;
        }
    };
    for entry in entries {
        match entry {
            Ok(entry) => {
                let name = entry.file_name();
                let hidden = name.as_encoded_bytes().starts_with(b".");
                if !hidden && Path::new(&name).extension().is_some_and(|e| e == "toml") {
                    paths.push(entry.path());
                }
            }
            Err(error) => {
                let reason = i18n::config::cannot_list(&error);
                findings.reject_with_code(SettingOrigin::File(directory.into()), "", reason, EX_IOERR);
                return paths;
            }
        }
        if paths.len() > DROP_INS_MAX {
            let reason = i18n::config::too_many_files_most(&DROP_INS_MAX);
            findings.reject(SettingOrigin::File(directory.into()), "", reason);
            return Vec::new();
        }
    }
    paths.sort();
    paths
}
