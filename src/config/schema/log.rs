//! The keys of `[log]`.

use super::bounds::LOG_TARGETS_MAX;
use crate::config::declare::{Section, section};
use crate::config::value::{ConfigValue, Located};
use crate::domain::notice::Level;
use crate::i18n;
use crate::sys::log::{Format, Target};
use crate::sys::sandbox;

section! {
    /// `[log]`.
    LogDraft {
    targets: Vec<Located<TargetDraft>> {
        read: by(targets),
        form: "[<target>, ...]",
        restart: |_, new| !new.log.files().all(sandbox::admits_writing),
        en: r#"Where lines go: "stderr", "journal", "syslog", "file:<path>", or a table that also says whether beats go
        there, such as { target = "journal", beats = false }. Events go everywhere. Default: stderr; the
        journal, when stderr is the journal; syslog with `--daemon`."#,
        zh: r#"日志写到哪里："stderr"、"journal"、"syslog"、"file:<路径>"，或者用表另外说明心跳写不写到那里，如 { target = "journal", beats = false }。
        事件写到所有目标。默认写到 stderr；stderr 就是 systemd 日志时写到 journal；带 `--daemon` 时写到 syslog。"#,
    }
    format: Format {
        read: parsed(),
        form: r#""classic" | "text" | "json""#,
        default: "classic",
        en: "How lines look on stderr and in files. Default {default}.",
        zh: "stderr 和文件里的行是什么样子。默认 {default}。",
        sample: r#"How lines look: "classic", "text" or "json"."#,
    }
    level: Level {
        read: by(level),
        form: r#""error" | "warning" | "notice" | "info" | "debug""#,
        default: "info",
        en: "The least important events that are written. Default {default}.",
        zh: "写出的事件最低是什么级别。默认 {default}。",
        sample: r#"The least important events that are written: "error", "warning", "notice", "info" or "debug"."#,
    }
    beats: bool {
        read: flag(),
        default: true,
        en: "A line for every beat, on targets that do not say otherwise. Default {default}.",
        zh: "每次心跳一行，用于没有另外说明的目标。默认 {default}。",
        sample: "A line for every beat, for targets that do not say otherwise.",
    }
    file_bytes_max: u64 {
        read: size(64 << 10..=1 << 40),
        default: "100M",
        en: "A log file longer than this is set aside and a new one begun. {range}, default {default}.",
        zh: "日志文件超过它就另存，换新的。{range}，默认 {default}。",
    }
    file_keep: u32 {
        read: integer(0..=1000),
        default: 7,
        en: "How many log files set aside are kept. {range}, default {default}.",
        zh: "另存的日志文件保留几个。{range}，默认 {default}。",
    }
    }
}

section! {
    /// An element of `log.targets`.
    TargetDraft {
        target: Target { read: by(target) }
        beats: bool { read: flag() }
    }
}

fn targets(value: ConfigValue<'_>) -> Option<Vec<Located<TargetDraft>>> {
    let elements = value.elements(LOG_TARGETS_MAX)?;
    if elements.is_empty() {
        value.reject(i18n::config::LOG_NEEDS_LEAST_ONE.into());
    }
    let mut all = Vec::new();
    for element in elements {
        let mut draft = TargetDraft::default();
        if !element.is_table() {
            draft.target.by(element, target);
        } else if element.section(TargetDraft::KEYS, |_| None, &mut draft) && !draft.target.is_given() {
            element.reject(i18n::config::TARGET_MISSING.into());
        }
        all.extend(element.located(Some(draft)));
    }
    Some(all)
}

fn target(value: ConfigValue<'_>) -> Option<Target> {
    Some(match value.parsed()? {
        Target::File(path) => Target::File(value.beside(&path)),
        other => other,
    })
}

fn level(value: ConfigValue<'_>) -> Option<Level> {
    const ALL: [Level; 5] = [Level::Error, Level::Warning, Level::Notice, Level::Info, Level::Debug];
    let name = value.string()?;
    let found = ALL.into_iter().find(|level| level.name() == name);
    if found.is_none() {
        value.reject(i18n::config::NOT_LEVEL_WRITE_ERROR.into());
    }
    found
}
