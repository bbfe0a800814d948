//! The keys of the configuration file: a declaration for each, and nothing else knows which keys there are.
//!
//! Files are read one after another into the same draft, so what a later file says replaces what an earlier one said;
//! `[[listen]]`, `[[monitor]]`, `[[notifier]]` and the lists of tokens, being lists of tables, grow instead.

use super::Settings;
use super::declare::{KeyAbout, Section, section};
use super::language::LangChoice;
use super::value::{ConfigValue, Document, Located};
use crate::domain::alert::policy::NOTIFIERS_MAX;
use crate::domain::limits::{LISTENERS_MAX, RULES_MAX};
use crate::domain::time::Span;
use crate::i18n;
use crate::i18n::Text;
use std::path::PathBuf;
use toml::de::DeTable;

mod access;
mod connections;
mod defaults;
mod limits;
mod listen;
mod log;
mod monitor;
mod notifier;
mod state;

pub(super) use access::AccessDraft;
pub(super) use connections::{GovernorDraft, TcpDraft, WebSocketDraft};
pub(super) use defaults::{DefaultsDraft, PageDraft};
pub(super) use limits::LimitsDraft;
pub(super) use listen::{ListenDraft, TlsDraft};
pub(super) use log::{LogDraft, TargetDraft};
pub(super) use monitor::{MonitorDraft, WindowDraft};
pub(super) use notifier::{NotifierDraft, NotifierKind, SecretUrl};
pub(super) use state::{ConfineDraft, ControlDraft, StateDraft};

/// Most log targets.
pub(super) const LOG_TARGETS_MAX: usize = 16;
/// Most worker threads.
pub(super) const THREADS_MAX: usize = 256;
const TIMEOUT_MIN: Span = Span::secs(1);
const TIMEOUT_MAX: Span = Span::secs(86_400);
/// Shortest maintenance window that recurs, and shortest run.
const LENGTH_MIN: Span = Span::secs(1);

section! {
    /// What the files say.
    FileDraft {
    lang: LangChoice {
        read: parsed(),
        form: r#""auto" | "en" | "zh""#,
        default: "auto",
        en: "Language of log and messages. {default}, the default, asks the locale; a language named here also is the
        status page's, unless the browser asks for the other one.",
        zh: "日志和提示的语言。{default} 是默认值，按区域设置决定；在这里写明的语言也是状态页的语言，除非浏览器要
        另一种。",
        sample: r#"Language of log and messages: "auto" (by locale), "en" or "zh"."#,
    }
        listen: Vec<Located<ListenDraft>> {
            read: tables(LISTENERS_MAX),
            restart: |old, new| {
                old.listen.len() != new.listen.len()
                    || old.listen.iter().zip(&new.listen).any(|(old, new)| !old.can_become(new))
            },
        }
        log: LogDraft { read: table() }
        state: StateDraft { read: table() }
        control: ControlDraft { read: table() }
        confine: ConfineDraft { read: table(), restart: |old, new| old.confine != new.confine }
        access: AccessDraft { read: table() }
        limits: LimitsDraft { read: table() }
        tcp: TcpDraft { read: table() }
        websocket: WebSocketDraft { read: table() }
        governor: GovernorDraft { read: table() }
        page: PageDraft { read: table() }
        defaults: DefaultsDraft { read: table() }
        monitor: Vec<Located<MonitorDraft>> { read: tables(RULES_MAX) }
        notifier: Vec<Located<NotifierDraft>> { read: tables(NOTIFIERS_MAX) }
    }
}

/// The tables of a file by their names.
pub(super) const SECTIONS: &[(&str, &[KeyAbout])] = &[
    ("", FileDraft::ABOUT),
    ("listen", ListenDraft::ABOUT),
    ("log", LogDraft::ABOUT),
    ("state", StateDraft::ABOUT),
    ("control", ControlDraft::ABOUT),
    ("confine", ConfineDraft::ABOUT),
    ("access", AccessDraft::ABOUT),
    ("limits", LimitsDraft::ABOUT),
    ("tcp", TcpDraft::ABOUT),
    ("websocket", WebSocketDraft::ABOUT),
    ("governor", GovernorDraft::ABOUT),
    ("page", PageDraft::ABOUT),
    ("defaults", DefaultsDraft::ABOUT),
    ("monitor", MonitorDraft::ABOUT),
    ("notifier", NotifierDraft::ABOUT),
];

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

/// All keys with their dotted names, tables included.
fn all_keys() -> impl Iterator<Item = (String, &'static KeyAbout)> {
    SECTIONS.iter().flat_map(|(section, keys)| {
        keys.iter().map(move |key| match *section {
            "" => (key.name.to_string(), key),
            section => (format!("{section}.{}", key.name), key),
        })
    })
}

/// Every key that may stand in a file, dotted, in the order of the manual.
pub fn keys() -> Vec<String> {
    all_keys().filter(|(_, key)| !key.en.is_empty()).map(|(name, _)| name).collect()
}

/// The keys in which two settings differ and that cannot change while the daemon runs.
pub(super) fn needing_restart(old: &Settings, new: &Settings) -> Vec<String> {
    let differs = |key: &KeyAbout| key.restart.is_some_and(|differs| differs(old, new));
    all_keys().filter(|(_, key)| differs(key)).map(|(name, _)| name).collect()
}

/// Reads one parsed file into the draft.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>, draft: &mut FileDraft) {
    document.table(table, "", FileDraft::KEYS, section_of, draft);
}

/// The full name of a key that stands in some section.
pub(super) fn section_of(name: &str) -> Option<String> {
    keys().into_iter().find(|key| key.rsplit('.').next() == Some(name))
}

/// A path, or a table that says where something is.
pub(super) fn source(value: ConfigValue<'_>) -> Option<Located<TokenSource>> {
    if value.is_table() {
        let nowhere = i18n::config::SAY_WHERE_PATH_CREDENTIAL.into();
        return source_table(value, nowhere);
    }
    value.located(value.path().map(TokenSource::File))
}

pub(super) fn source_table(value: ConfigValue<'_>, nowhere: Text) -> Option<Located<TokenSource>> {
    let mut draft = SourceDraft::default();
    if !value.section(SourceDraft::KEYS, |_| None, &mut draft) {
        return None;
    }
    if draft.given().len() != 1 {
        value.reject(nowhere);
    }
    value.located(draft.file.value.or(draft.credential.value))
}

fn file(value: ConfigValue<'_>) -> Option<TokenSource> {
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
