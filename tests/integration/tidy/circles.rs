//! Files of the library that import each other, on whatever way: found in the text of their `use` lines alone.
//!
//! An import counts for the file that declares the name, not for those that hand it on (`pub use`). A file that only hands
//! a name on does not import it. Files of tests and tests inside of files do not count.

use super::{assert_shrinks, short, sources};
use std::collections::{BTreeMap, BTreeSet};

/// A module's file: what it imports, and what of that it hands on.
#[derive(Default)]
struct ModuleFile {
    path: String,
    imports: BTreeSet<String>,
    names: BTreeMap<String, String>,
}

/// The module that a file is: `domain::registry` of `src/domain/registry.rs` and of `src/domain/registry/mod.rs`.
fn module_of(path: &str) -> String {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.replace('/', "::")
}

/// The paths in a use tree: `a::{b, c::{d, e as f}}` is `a::b`, `a::c::d` and `a::c::e`, each with the name it has here.
fn paths_in(tree: &str) -> Vec<(String, String)> {
    let (mut depth, mut pieces, mut piece) = (0, Vec::new(), String::new());
    for c in tree.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(std::mem::take(&mut piece));
                continue;
            }
            _ => {}
        }
        piece.push(c);
    }
    pieces.push(piece);
    let of_piece = |piece: &String| -> Vec<(String, String)> {
        let piece = piece.trim();
        if let Some((before, inside)) = piece.split_once('{') {
            let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
            return paths_in(inside)
                .into_iter()
                .map(|(path, name)| {
                    let path = format!("{before}{path}").trim_end_matches("::self").to_string();
                    (path, name)
                })
                .collect();
        }
        let (path, name) = piece.split_once(" as ").unwrap_or((piece, ""));
        let last = path.rsplit("::").next().unwrap_or(path);
        let name = if name.is_empty() { last } else { name };
        if path.is_empty() { Vec::new() } else { vec![(path.to_string(), name.to_string())] }
    };
    pieces.iter().flat_map(of_piece).collect()
}

/// A path as seen from the crate; `None`: it leads elsewhere.
fn absolute(path: &str, here: &str, modules: &BTreeSet<String>) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_string());
    }
    let (mut base, mut rest): (Vec<&str>, &str) = (here.split("::").collect(), path);
    while let Some(up) = rest.strip_prefix("super::") {
        base.pop();
        rest = up;
    }
    base.push(rest);
    let child = format!("{here}::{}", path.split("::").next().unwrap_or(path));
    (rest != path || modules.contains(&child)).then(|| base.join("::"))
}

/// The modules that only tests have: named under `#[cfg(test)]`, by their own name or by the path given there.
fn modules_of_tests(module: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (attributes, rest) in text.split("#[cfg(test)]\n").skip(1).map(|after| (after, after)) {
        let mut lines = rest.lines();
        let file = attributes.lines().next().and_then(|line| line.strip_prefix("#[path = \""));
        let beside = file.and_then(|file| file.split(".rs").next());
        let declared = lines.by_ref().take(2).find_map(|line| line.split_once("mod ")).map(|(_, name)| name);
        let name = declared.unwrap_or_default().trim_end_matches(';');
        found.push(match beside {
            Some(file) => {
                module.rsplit_once("::").map_or(file.to_string(), |(above, _)| format!("{above}::{file}"))
            }
            None => format!("{module}::{name}"),
        });
    }
    found
}

/// The library's files by their modules.
fn files() -> BTreeMap<String, ModuleFile> {
    let all: Vec<(String, String, String)> = sources("src")
        .into_iter()
        .map(|(path, text)| (short(&path), text))
        .map(|(path, text)| (module_of(&path), path, text))
        .filter(|(module, ..)| !matches!(module.as_str(), "lib" | "main") && !module.starts_with("bin"))
        .collect();
    let of_tests: Vec<String> =
        all.iter().flat_map(|(module, _, text)| modules_of_tests(module, text)).collect();
    let is_test = |module: &str| {
        of_tests.iter().any(|test| {
            module.strip_prefix(test.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    };
    let modules: BTreeSet<String> = all.iter().map(|(module, ..)| module.clone()).collect();
    let mut files = BTreeMap::new();
    for (module, path, text) in all.iter().filter(|(module, ..)| !is_test(module)) {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .fold(String::new(), |all, line| all + line + "\n");
        let mut file = ModuleFile { path: path.clone(), ..ModuleFile::default() };
        let (mut uses, mut body) = (Vec::new(), String::new());
        for (number, statement) in code.split_inclusive(';').enumerate() {
            let begin = if number == 0 { statement.find("\nuse ").map_or(0, |at| at + 1) } else { 0 };
            let (before, own) = statement.split_at(begin);
            let line = own.trim_start().trim_end_matches(';');
            // Attributes in front of it say on which platform it holds.
            let line = line.rsplit("]\n").next().unwrap_or(line);
            let (is_public, tree) = match line.split_once("use ") {
                Some(("", tree)) => (false, tree),
                Some((scope, tree)) if scope.starts_with("pub") && !scope.contains('\n') => (true, tree),
                _ => {
                    body.push_str(statement);
                    continue;
                }
            };
            body.push_str(before);
            uses.push((is_public, tree.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        let words: BTreeSet<&str> = body.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for (is_public, tree) in &uses {
            for (path, name) in paths_in(tree) {
                let Some(path) = absolute(&path, module, &modules) else { continue };
                if !is_public || words.contains(name.as_str()) {
                    file.imports.insert(path.clone());
                }
                file.names.insert(name, path);
            }
        }
        files.insert(module.clone(), file);
    }
    files
}

/// The module whose file declares what a path names.
fn declares(path: &str, files: &BTreeMap<String, ModuleFile>) -> Option<String> {
    let mut path = path.to_string();
    for _ in 0..10 {
        if files.contains_key(&path) {
            return Some(path);
        }
        let (mut module, mut rest) = (path.clone(), Vec::new());
        while !files.contains_key(&module) {
            let (above, last) =
                module.rsplit_once("::").map(|(above, last)| (above.to_string(), last.to_string()))?;
            rest.insert(0, last);
            module = above;
        }
        match files[&module].names.get(&rest[0]) {
            Some(further) if *further != path => {
                path = std::iter::once(further.clone())
                    .chain(rest.into_iter().skip(1))
                    .collect::<Vec<_>>()
                    .join("::");
            }
            _ => return Some(module),
        }
    }
    None
}

#[test]
fn no_file_imports_what_imports_it() {
    let files = files();
    let mut graph = BTreeMap::<&str, BTreeSet<String>>::new();
    for (module, file) in &files {
        let all = file.imports.iter().filter_map(|path| declares(path, &files));
        graph.insert(module, all.filter(|other| other != module).collect());
    }
    // What can be reached from each, step by step.
    let mut reached: BTreeMap<&str, BTreeSet<String>> = graph.clone();
    loop {
        let before: usize = reached.values().map(BTreeSet::len).sum();
        for module in files.keys() {
            let further: BTreeSet<String> = reached[module.as_str()]
                .iter()
                .flat_map(|next| graph[next.as_str()].iter().cloned())
                .collect();
            reached.get_mut(module.as_str()).unwrap().extend(further);
        }
        if reached.values().map(BTreeSet::len).sum::<usize>() == before {
            break;
        }
    }
    // Of each file: how many of its imports come back to it.
    let circles = files.iter().map(|(module, file)| {
        let back = graph[module.as_str()].iter().filter(|next| reached[next.as_str()].contains(module));
        (file.path.clone(), back.count())
    });
    assert_shrinks("circle", circles.filter(|(_, count)| *count > 0));
}

#[test]
fn imports_are_found_in_every_form() {
    let paths: Vec<String> =
        paths_in("a::{b, c::{self, d as e}, f}").into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["a::b", "a::c", "a::c::d", "a::f"]);
    let modules = BTreeSet::from(["a::b::c".to_string()]);
    assert_eq!(absolute("super::x::Y", "a::b", &modules).as_deref(), Some("a::x::Y"));
    assert_eq!(absolute("c::Y", "a::b", &modules).as_deref(), Some("a::b::c::Y"));
    assert_eq!(absolute("std::fmt", "a::b", &modules), None);
}
