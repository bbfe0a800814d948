//! SECURITY.md and the fault model: every claim names the tests that prove it, and those exist.

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
        if line.starts_with(mark) && (mark != "@" || line.contains("scenario") || line.contains("follows(")) {
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

/// The cells of a table's rows, but for its head.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.skip(1).map(|row| row.split(" | ").collect()).collect()
}

#[test]
fn every_fault_of_the_model_names_tests_that_exist_in_both_languages() {
    let tests = tests();
    let pages = ["en", "zh"].map(|lang| project(&format!("docs/{lang}/fault-model.md")));
    let texts = pages.map(|page| std::fs::read_to_string(page).unwrap());
    let [english, chinese] = texts.each_ref().map(|text| rows(text));
    assert_eq!(english.len(), chinese.len());
    assert!(english.len() >= 13, "{} faults", english.len());
    for (one, other) in english.iter().zip(&chinese) {
        assert_eq!((one.len(), other.len()), (5, 5), "{one:?} {other:?}");
        assert_eq!(one.last(), other.last(), "{}", one[0]);
        let names =
            one.last().into_iter().flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`'));
        let unknown: Vec<&str> = names.filter(|name| !tests.contains(*name)).collect();
        assert!(unknown.is_empty(), "no test is called {unknown:?}: {}", one[0]);
    }
}

#[test]
fn every_example_of_the_five_questions_is_a_test() {
    let text = std::fs::read_to_string(project("CONTRIBUTING.md")).unwrap();
    let (_, section) = text.split_once("### Five questions").expect("the five questions");
    let section = section.split("\n## ").next().unwrap_or_default();
    let tests = tests();
    for n in 1..=5 {
        let (_, question) =
            section.split_once(&format!("\n{n}. **")).unwrap_or_else(|| panic!("question {n}"));
        let question = question.split(&format!("\n{}. **", n + 1)).next().unwrap_or_default();
        let name = question.rsplit_once("(`").and_then(|(_, name)| name.split_once("`)"));
        let (name, _) = name.unwrap_or_else(|| panic!("question {n} has no example"));
        assert!(tests.contains(name), "question {n}: no test is called {name}");
    }
}
