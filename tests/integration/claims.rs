//! SECURITY.md: every claim names the tests that prove it, and those exist.

use crate::harness::project;
use std::collections::BTreeSet;
use std::path::Path;

/// The names of all tests: functions behind `#[test]` in Rust, and scenarios of the system tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![project("src"), project("tests")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                names.extend(tests_of(&path));
            }
        }
    }
    names
}

fn tests_of(path: &Path) -> Vec<String> {
    let (mark, function) = match path.extension().and_then(|e| e.to_str()) {
        Some("rs") => ("#[test]", "fn "),
        Some("py") => ("@", "def "),
        _ => return Vec::new(),
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut marked = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(mark) && (mark != "@" || line.contains("scenario")) {
            marked = true;
        } else if let Some(rest) = line.strip_prefix(function).filter(|_| marked) {
            names.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            marked = false;
        } else if !line.starts_with("#[") {
            marked = false;
        }
    }
    names
}

/// The items of the lists, each in one line.
fn claims(text: &str) -> Vec<String> {
    let mut claims: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("- "), line.strip_prefix("  "), claims.last_mut()) {
            (Some(first), _, _) => claims.push(first.to_string()),
            (None, Some(more), Some(claim)) if inside => *claim = format!("{claim} {more}"),
            _ => {
                inside = false;
                continue;
            }
        }
        inside = true;
    }
    claims
}

#[test]
fn every_claim_of_security_names_tests_that_exist() {
    let text = std::fs::read_to_string(project("SECURITY.md")).unwrap();
    let (claims, tests) = (claims(&text), tests());
    assert!(claims.len() > 30 && tests.len() > 500, "{} claims, {} tests", claims.len(), tests.len());
    let mut wrong = Vec::new();
    for claim in &claims {
        let named = claim.rsplit_once('[').filter(|(_, names)| names.ends_with(']'));
        let names: Vec<&str> = named.map_or(Vec::new(), |(_, names)| {
            names.trim_end_matches(']').split(", ").map(|name| name.trim_matches('`')).collect()
        });
        if names.is_empty() {
            wrong.push(format!("no test: {claim}"));
        }
        wrong.extend(
            names.iter().filter(|n| !tests.contains(**n)).map(|n| format!("no test is called {n}: {claim}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
