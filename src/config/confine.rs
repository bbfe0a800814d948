//! `[confine]`: whether, and how, the process confines itself, and whom it runs programs as.

use super::settings::Confine;
use super::value::{Key, Value};
use std::path::PathBuf;

/// Most folders that are opened to writing.
const WRITE_MAX: usize = 64;

/// What the files say; `None` where they say nothing.
#[derive(Debug, Default)]
pub(super) struct Draft {
    enabled: Option<bool>,
    write: Option<Vec<PathBuf>>,
    program_user: Option<String>,
}

/// Its keys.
pub(super) const KEYS: &[Key<Draft>] = &[
    Key { name: "enabled", read: |draft, value| draft.enabled = value.boolean() },
    Key {
        name: "write",
        read: |draft, value| {
            let folders = value.elements(WRITE_MAX);
            draft.write = folders.map(|all| all.into_iter().filter_map(Value::path).collect());
        },
    },
    Key {
        name: "program_user",
        read: |draft, value| draft.program_user = value.string().map(str::to_string),
    },
];

/// Reads the section.
pub(super) fn read(value: Value<'_>, section_of: fn(&str) -> Option<String>, draft: &mut Draft) {
    value.section(KEYS, section_of, draft);
}

/// What is then in force.
pub(super) fn resolve(draft: Draft) -> Confine {
    Confine {
        enabled: draft.enabled.unwrap_or(true),
        write: draft.write.unwrap_or_default(),
        program_user: draft.program_user.unwrap_or_else(|| "nobody".into()),
    }
}
