//! House rules, as far as a program can see them.

use crate::harness::project;
use std::path::{Path, PathBuf};

/// Each module and the floor it stands on. A module imports from lower floors and from itself.
const FLOORS: &[(&str, u8)] = &[
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

/// Two that stand on the same floor or above and are imported all the same, with the reason.
const ALLOWED: &[(&str, &str)] = &[
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
    let floor = |module: &str| FLOORS.iter().find(|(m, _)| *m == module).map(|(_, floor)| *floor);
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path);
        if matches!(module.as_str(), "lib" | "main" | "bin") {
            continue;
        }
        let here = floor(&module).unwrap_or_else(|| panic!("{module} stands on no floor: add it to FLOORS"));
        for (line, code) in code(&text) {
            for part in code.split("crate::").skip(1) {
                let group =
                    part.strip_prefix('{').map_or(part, |inside| inside.split('}').next().unwrap_or(inside));
                let names: Vec<&str> =
                    if part.starts_with('{') { group.split(',').collect() } else { vec![part] };
                for name in names {
                    let name: String =
                        name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let Some(there) = floor(&name) else { continue };
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
fn clocks_are_read_through_one_door() {
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
        let lines = text.lines().count();
        assert!(lines <= 650, "{}: {lines} lines; look for a second subject inside", path.display());
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

/// Why a text cannot be read is said in English where it is read, and in Chinese in one table.
#[test]
fn every_reason_that_a_parser_gives_stands_in_chinese_too() {
    let table = std::fs::read_to_string(project("src/config/words.rs")).unwrap();
    let mut found = 0;
    let mut wrong = Vec::new();
    for folder in ["src/domain", "src/config", "src/client", "src/sys/log"] {
        for (path, text) in sources(folder) {
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            if path.to_string_lossy().ends_with("tests.rs") {
                continue;
            }
            for after in product.split("Err(").skip(1) {
                let Some(reason) =
                    after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                else {
                    continue;
                };
                // A word alone is a name, not a sentence.
                if reason.contains(' ') {
                    found += 1;
                    if !table.contains(&format!("\"{reason}\"")) {
                        wrong.push(format!(
                            "{}: {reason:?} has no Chinese in src/config/words.rs",
                            path.display()
                        ));
                    }
                }
            }
        }
    }
    assert!(found > 20, "only {found} reasons found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
