//! The keys of the configuration file: a declaration for each, and nothing else knows which keys there are.
//!
//! Files are read one after another into the same draft, so what a later file says replaces what an earlier one said;
//! `[[listen]]`, `[[monitor]]`, `[[notifier]]` and the lists of tokens, being lists of tables, grow instead.

use super::declare::{KeyAbout, Section, section};
use super::language::LangChoice;
use super::settings::Settings;
use super::value::{Document, Located};
use crate::domain::alert::policy::NOTIFIERS_MAX;
use crate::domain::limits::{LISTENERS_MAX, RULES_MAX};
use toml::de::DeTable;

mod access;
mod bounds;
mod compat;
mod connections;
mod defaults;
mod limits;
mod listen;
mod log;
mod monitor;
mod notifier;
mod pair;
mod source;
mod state;

pub(super) use access::AccessDraft;
pub(super) use bounds::{LOG_TARGETS_MAX, THREADS_MAX};
pub(super) use compat::CompatDraft;
pub(super) use connections::{GovernorDraft, TcpDraft, WebSocketDraft};
pub(super) use defaults::{DefaultsDraft, PageDraft};
pub(super) use limits::LimitsDraft;
pub(super) use listen::{ListenDraft, TlsDraft};
pub(super) use log::{LogDraft, TargetDraft};
pub(super) use monitor::{MonitorDraft, WindowDraft};
pub(super) use notifier::{NotifierDraft, NotifierKind, SecretUrl};
pub(super) use pair::PairDraft;
pub(crate) use source::{TokenSource, credential};
pub(super) use state::{ConfineDraft, ControlDraft, StateDraft};

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
        compat: CompatDraft { read: table() }
        page: PageDraft { read: table() }
        pair: PairDraft { read: table() }
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
    ("compat", CompatDraft::ABOUT),
    ("page", PageDraft::ABOUT),
    ("pair", PairDraft::ABOUT),
    ("defaults", DefaultsDraft::ABOUT),
    ("monitor", MonitorDraft::ABOUT),
    ("notifier", NotifierDraft::ABOUT),
];

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
fn section_of(name: &str) -> Option<String> {
    keys().into_iter().find(|key| key.rsplit('.').next() == Some(name))
}
