//! Where a secret or a file is: a path, or a table that says so.

use crate::config::declare::{Section, section};
use crate::config::value::{ConfigValue, Located};
use crate::i18n;
use crate::i18n::Text;
use std::path::PathBuf;

/// Where tokens are to be found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenSource {
    /// A file with a token a line.
    File(PathBuf),
    /// The same, as a credential of that name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

section! {
    /// A table that says where something is.
    SourceDraft {
        file: TokenSource { read: by(file) }
        credential: TokenSource { read: by(credential) }
    }
}

/// A path, or a table that says where something is.
pub(in crate::config) fn source(value: ConfigValue<'_>) -> Option<Located<TokenSource>> {
    if value.is_table() {
        let nowhere = i18n::config::SAY_WHERE_PATH_CREDENTIAL.into();
        return source_table(value, nowhere);
    }
    value.located(value.path().map(TokenSource::File))
}

pub(in crate::config) fn source_table(value: ConfigValue<'_>, nowhere: Text) -> Option<Located<TokenSource>> {
    let mut draft = SourceDraft::default();
    if !value.section(SourceDraft::KEYS, |_| None, &mut draft) {
        return None;
    }
    if draft.given().len() != 1 {
        value.reject(nowhere);
    }
    value.located(draft.file.value.or(draft.credential.value))
}

pub(super) fn file(value: ConfigValue<'_>) -> Option<TokenSource> {
    value.path().map(TokenSource::File)
}

pub(crate) fn credential(value: ConfigValue<'_>) -> Option<TokenSource> {
    let name = value.string()?;
    // The name is a file name in a directory that is not ours to leave.
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        value.reject(i18n::config::NOT_NAME_CREDENTIAL.into());
        return None;
    }
    Some(TokenSource::Credential(name.to_string()))
}
