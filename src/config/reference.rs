//! The sample configuration and heartbeat-server.toml(5), made from their templates and the declarations of the keys.
//!
//! The templates are `packaging/heartbeat-server.toml.in`, `man/heartbeat-server.toml.5.in` and, in Chinese,
//! `man/zh_CN/heartbeat-server.toml.5.in`. A line in them stands for keys:
//!
//! | | |
//! |---|---|
//! | `@KEYS limits@` | all of a table |
//! | `@KEYS monitor early@` | these of a table; `all`, `webhook`, `mail` or `exec` are the notifier's of that type |
//! | `@KEYS log -targets@` | all but these |
//!
//! Nothing here reads or writes files.

use super::declare::KeyAbout;
use super::manual::roff;
use super::schema::SECTIONS;
use crate::domain::lang::Lang;
use crate::i18n::{self, manual};

/// Longest line of the sample.
const COLUMNS: usize = 120;

/// heartbeat-server.toml(5) in roff.
pub(crate) fn manual(template: &str, lang: Lang) -> String {
    filled(template, |key| {
        let form = match key.form {
            "" => key.kind.form(),
            form => form.to_string(),
        };
        format!(".TP\n\\fB{}\\fR = {}\n{}\n", key.name, styled(&in_language(&form, lang)), text(key, lang))
    })
}

/// The sample configuration.
pub(crate) fn sample(template: &str) -> String {
    filled(template, |key| {
        let about = match key.sample {
            "" => key.en.split_inclusive(". ").next().unwrap_or_default(),
            text => text,
        };
        let mut lines = String::from("#");
        let mut width = 1;
        for word in about.split_whitespace() {
            if width + 1 + word.chars().count() > COLUMNS {
                lines.push_str("\n#");
                width = 1;
            }
            lines.push(' ');
            lines.push_str(word);
            width += 1 + word.chars().count();
        }
        format!("{lines}\n#{} = {}\n", key.name, value(key))
    })
}

/// A template with each of its lines for keys replaced.
fn filled(template: &str, mut entry: impl FnMut(&KeyAbout) -> String) -> String {
    let mut page = String::new();
    for line in template.lines() {
        let Some(wanted) = line.strip_prefix("@KEYS ").and_then(|rest| rest.strip_suffix('@')) else {
            page.push_str(line);
            page.push('\n');
            continue;
        };
        let (section, words) = wanted.split_once(' ').unwrap_or((wanted.trim(), ""));
        let keys = SECTIONS.iter().filter(|(name, _)| *name == section).flat_map(|(_, keys)| *keys);
        for key in keys.filter(|key| !key.en.is_empty() && is_wanted(key, words)) {
            page.push_str(&entry(key));
        }
    }
    page
}

/// The default, or what is shown where there is none that is one line.
fn value(key: &KeyAbout) -> &'static str {
    if key.default.is_empty() { key.example } else { key.default }
}

fn is_wanted(key: &KeyAbout, words: &str) -> bool {
    let group = match key.only {
        [] | [_, _, _, ..] => "all",
        [kind, ..] => kind,
    };
    let mut words = words.split(' ').filter(|word| !word.is_empty()).peekable();
    match words.peek() {
        None => true,
        Some(first) if first.starts_with('-') => words.all(|word| word.strip_prefix('-') != Some(key.name)),
        Some(_) => words.any(|word| word == key.name || word == group),
    }
}

/// What the manual says of a key.
fn text(key: &KeyAbout, lang: Lang) -> String {
    let (text, between) = match lang {
        Lang::En => (key.en, " "),
        Lang::Zh => (key.zh, ""),
    };
    let mut text = text.lines().map(str::trim).collect::<Vec<_>>().join(between);
    text = text.replace("{default}", value(key));
    if let Some((low, high)) = key.kind.range() {
        text = text.replace("{range}", &format!("{low}{}{high}", manual::TO.in_lang(lang)));
    }
    let text = styled(&text);
    match lang {
        // A sentence a line.
        Lang::En => text.replace(". ", ".\n"),
        // A line may end behind this mark also where no Chinese follows.
        Lang::Zh => {
            let comma = i18n::config::COMMA.in_lang(lang);
            let mut parts = text.split(comma);
            let mut page = parts.next().unwrap_or_default().to_string();
            for part in parts {
                page.push_str(comma);
                page.push_str(if part.starts_with(|first: char| first.is_ascii()) { "\\:" } else { "" });
                page.push_str(part);
            }
            page
        }
    }
}

/// A form with the names of its placeholders in a language.
fn in_language(form: &str, lang: Lang) -> String {
    let mut form = form.to_string();
    for (en, zh) in manual::PLACEHOLDERS_ZH.iter().filter(|_| lang == Lang::Zh) {
        form = form.replace(&format!("<{en}>"), &format!("<{zh}>"));
    }
    form
}

/// A text as roff reads it: `` `x` `` in bold, `<x>` in italics.
fn styled(text: &str) -> String {
    let mut page = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            page.push_str(&format!("\\fB{}\\fR", roff(part)));
            continue;
        }
        let mut rest = part;
        while let Some((before, (inside, after))) =
            rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
        {
            page.push_str(&roff(before));
            match inside.contains('@') {
                // An address of mail.
                true => page.push_str(&roff(&format!("<{inside}>"))),
                false => page.push_str(&format!("\\fI{}\\fR", roff(inside))),
            }
            rest = after;
        }
        page.push_str(&roff(rest));
    }
    page
}
