//! Rules of the source tree, as far as a program can see them.

mod circles;

use crate::harness::project;
use std::path::{Path, PathBuf};

/// Each module and its layer. A module imports from lower layers and from itself.
const LAYERS: &[(&str, u8)] = &[
    ("i18n", 0),
    ("domain", 0),
    ("wire", 1),
    ("view", 1),
    ("sys", 2),
    ("net", 3),
    ("store", 3),
    ("notify", 4),
    ("engine", 5),
    ("transport", 6),
    ("config", 7),
    ("client", 8),
    ("command", 8),
    ("app", 8),
];

/// Imports from the same layer or a higher one that are allowed, with the reason.
const ALLOWED: &[(&str, &str)] = &[
    ("domain", "i18n"), // an error of the domain knows its text; the catalogue knows nothing of the domain
    ("command", "app"), // both are the top; main starts either
    ("app", "command"),
];

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![project(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&entry).unwrap();
                found.push((entry, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(project("src")).unwrap();
    let first = inside.iter().next().unwrap().to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

/// The lines that are code, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, l)| (n + 1, l)).filter(|(_, l)| !l.trim_start().starts_with("//"))
}

#[test]
fn modules_import_downwards_only() {
    let layer = |module: &str| LAYERS.iter().find(|(m, _)| *m == module).map(|(_, layer)| *layer);
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path);
        if matches!(module.as_str(), "lib" | "main" | "bin") {
            continue;
        }
        let here = layer(&module).unwrap_or_else(|| panic!("{module} is in no layer: add it to LAYERS"));
        for (line, code) in code(&text) {
            for part in code.split("crate::").skip(1) {
                let group =
                    part.strip_prefix('{').map_or(part, |inside| inside.split('}').next().unwrap_or(inside));
                let names: Vec<&str> =
                    if part.starts_with('{') { group.split(',').collect() } else { vec![part] };
                for name in names {
                    let name: String =
                        name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let Some(there) = layer(&name) else { continue };
                    let allowed = ALLOWED.contains(&(module.as_str(), name.as_str()));
                    if name != module && there >= here && !allowed {
                        wrong.push(format!("{}:{line}: {module} imports {name}", path.display()));
                    }
                }
            }
            let pure = here <= 1;
            if pure
                && ["tokio::", "std::net::Tcp", "std::fs::", "std::thread", "hyper::"]
                    .iter()
                    .any(|w| code.contains(w))
            {
                wrong.push(format!("{}:{line}: {module} is pure and does no I/O: {code}", path.display()));
            }
            if here < 7 && code.contains("toml::") {
                wrong.push(format!("{}:{line}: TOML is read by config only", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_under_sys_only_and_says_why() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        if path.ends_with("tests/integration/tidy.rs") {
            continue;
        }
        for (line, code) in code(&text) {
            if code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl") {
                assert!(
                    path.starts_with(project("src/sys")),
                    "{}:{line}: unsafe outside sys",
                    path.display()
                );
                let before: Vec<&str> = text.lines().take(line - 1).collect();
                let reason = before.iter().rev().take(5).any(|l| l.contains("SAFETY:"));
                assert!(reason, "{}:{line}: unsafe without its reason", path.display());
            }
        }
    }
}

#[test]
fn clocks_are_read_in_one_place() {
    for (path, text) in sources("src") {
        if path.ends_with("sys/clock.rs") || path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        // Tests stand last; a module of them that is only named may stand anywhere.
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (line, code) in code(product) {
            let reads = [
                "Instant::now(",
                "SystemTime::now(",
                "Timestamp::now(",
                "Zoned::now(",
                ".elapsed()",
                "clock_gettime(",
            ];
            let found = reads.iter().any(|r| code.contains(r));
            assert!(!found, "{}:{line}: only sys::clock reads clocks", path.display());
        }
    }
}

#[test]
fn every_file_is_one_story_that_opens_by_saying_what_it_is() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")).chain(sources("fuzz/fuzz_targets"))
    {
        let first = text.lines().next().unwrap_or_default();
        let part = path.file_stem().is_some_and(|n| n.to_string_lossy().ends_with("tests"));
        assert!(part || first.starts_with("//!"), "{}: begins with {first:?}", path.display());
        assert!(
            !text.contains("todo!(") && !text.contains("dbg!(") || path.ends_with("tidy.rs"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn what_is_shipped_is_there() {
    for path in [
        "SECURITY.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "man/heartbeat-server.8",
        "man/heartbeat-server.toml.5",
        "man/heartbeat.1",
        "man/zh_CN/heartbeat-server.8",
        "man/zh_CN/heartbeat-server.toml.5",
        "man/zh_CN/heartbeat.1",
        "packaging/heartbeat-server.toml",
        "packaging/systemd/heartbeat-server.service",
        "packaging/systemd/heartbeat-server.socket",
        "packaging/systemd/lockdown.conf",
        "packaging/logrotate/heartbeat-server",
        "packaging/ufw/heartbeat-server",
        "packaging/firewalld/heartbeat-server.xml",
        "packaging/launchd/com.heartbeat-server.plist",
        "packaging/launchd/com.heartbeat-server.agent.plist",
        "packaging/launchd/newsyslog.conf",
        "packaging/launchd/install.sh",
        "packaging/openrc/heartbeat-server",
        "packaging/freebsd/heartbeat_server",
        "packaging/rpm/post",
        "packaging/rpm-client/post",
        "packaging/static/install.sh",
        "packaging/homebrew/heartbeat-server.rb",
        "packaging/debian/tests/control",
    ] {
        assert!(project(path).is_file(), "{path}");
    }
}

#[test]
fn the_manual_and_the_sample_know_every_key() {
    let read = |path: &str| std::fs::read_to_string(project(path)).unwrap();
    let (manual, sample) = (read("man/heartbeat-server.toml.5"), read("packaging/heartbeat-server.toml"));
    for key in heartbeat_server::config::schema::keys() {
        let name = key.rsplit('.').next().unwrap();
        assert!(manual.contains(&format!("\\fB{name}\\fR")), "{key} is not in the manual");
        let in_sample = sample.lines().any(|l| l.trim_start_matches('#').starts_with(&format!("{name} =")));
        assert!(in_sample, "{key} is not in the sample configuration");
    }
}

/// What does not hold everywhere yet: `tests/tidy.txt`, a rule, a name and a number a line. It only ever gets shorter.
fn not_yet(rule: &str) -> Vec<(String, usize)> {
    let list = std::fs::read_to_string(project("tests/tidy.txt")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| line.split(' ').collect::<Vec<_>>());
    let of_rule = words.filter(|words| words[0] == rule);
    of_rule.map(|words| (words[1].to_string(), words[2].parse().unwrap())).collect()
}

/// Fails for each that is found more often than the list has it.
fn assert_shrinks(rule: &str, found: impl IntoIterator<Item = (String, usize)>) {
    let known = not_yet(rule);
    let more = |name: &str| known.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
    let wrong: Vec<String> = found
        .into_iter()
        .filter(|(name, count)| *count > more(name))
        .map(|(name, count)| format!("{rule} {name} {count} (at most {})", more(&name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn short(path: &Path) -> String {
    path.strip_prefix(project("")).unwrap_or(path).to_string_lossy().into_owned()
}

/// The part of a file that is no test; nothing of a file of tests.
fn product(path: &Path, text: &str) -> String {
    let is_test = short(path).ends_with("tests.rs") || short(path).contains("/tests/");
    let before = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    if is_test { String::new() } else { before.to_string() }
}

#[test]
fn files_have_at_most_500_lines() {
    let all = ["src", "tests", "fuzz/fuzz_targets"].into_iter().flat_map(sources);
    let long = all.map(|(path, text)| (short(&path), text.lines().count())).filter(|(_, lines)| *lines > 500);
    let long: Vec<(String, usize)> = long.collect();
    assert!(long.is_empty(), "{long:?}: look for a second subject inside");
}

/// Type names that stand twice with a reason: twins of which a platform compiles one.
const TWICE: &[(&str, &str)] = &[];

#[test]
fn a_type_name_means_one_thing_and_errors_are_called_so() {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for (path, text) in sources("src") {
        for line in product(&path, &text).lines() {
            let line = line.trim_start();
            let line = match line.strip_prefix("pub(") {
                Some(scope) => scope.split_once(") ").map_or(line, |(_, item)| item),
                None => line.strip_prefix("pub ").unwrap_or(line),
            };
            let mut words = line.split_whitespace();
            if !matches!(words.next(), Some("struct" | "enum" | "trait" | "union")) {
                continue;
            }
            let name: String =
                words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric()).collect();
            if !TWICE.iter().any(|(known, _)| *known == name) {
                *counts.entry(name).or_default() += 1;
            }
        }
    }
    let twice: Vec<&String> = counts.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name).collect();
    assert!(twice.is_empty(), "each stands twice: {twice:?}");
    let bad = ["Fault", "Trouble", "Wrong", "Hitch", "Denied", "Turned"];
    let bad: Vec<&String> = counts.keys().filter(|name| bad.iter().any(|end| name.ends_with(end))).collect();
    assert!(bad.is_empty(), "an error ends in Error, a no by policy in Refusal: {bad:?}");
}

/// Where texts stand with all their languages side by side: the catalogue, and what declares the configuration's keys.
const CATALOGUE: &[&str] = &["src/i18n", "src/config/schema"];

#[test]
fn no_chinese_stands_outside_the_catalogue() {
    let is_chinese = |c: char| matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}');
    let outside = sources("src")
        .into_iter()
        .filter(|(path, _)| !CATALOGUE.iter().any(|in_it| short(path).starts_with(in_it)));
    let lines = outside.map(|(path, text)| {
        let lines = product(&path, &text).lines().filter(|line| line.contains(is_chinese)).count();
        (short(&path), lines)
    });
    assert_shrinks("chinese", lines.filter(|(_, lines)| *lines > 0));
}

#[test]
fn every_text_of_the_catalogue_is_used() {
    let all: String = sources("src").into_iter().map(|(_, text)| text).collect();
    for (path, text) in sources("src/i18n") {
        let area = path.file_stem().unwrap().to_string_lossy().into_owned();
        for line in text.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     ")) {
            let name: String = line.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_entry = line.trim()[name.len()..].starts_with([':', '(']) && line.contains(':');
            if !is_entry
                || name.chars().next().is_none_or(|c| !c.is_alphabetic())
                || matches!(area.as_str(), "parse" | "lang" | "answers")
            {
                continue;
            }
            let used = all.contains(&format!("{area}::{name}"));
            assert!(
                used || name.chars().any(char::is_lowercase) && !line.contains("): "),
                "i18n::{area}::{name} is used nowhere"
            );
        }
    }
}
