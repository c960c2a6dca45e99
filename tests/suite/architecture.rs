//! The import order of DESIGN: a module knows only what stands to its left. An import cycle starts small, with one vocabulary
//! type in an upper module, and in a single crate nothing but a check of one's own prevents it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::rust_tokens::tokens;

/// Each may import only what stands to its left. `src/lib.rs` lists those that exist, in the same order.
const ORDER: &[&str] = &[
    "secret",
    "mask",
    "clock",
    "diagnostic",
    "world",
    "files",
    "yaml",
    "query",
    "template",
    "auth",
    "collection",
    "environment",
    "trust",
    "http",
    "check",
    "oauth",
    "store",
    "data",
    "plan",
    "event",
    "run",
    "report",
    "import",
    "export",
    "sandbox",
    "cli",
];

/// Crates that one place speaks to, and the beginning of the paths that may. What stands behind such a border can be exchanged,
/// and its types reach nobody.
const BORDERS: &[(&str, &[&str])] = &[
    ("colored", &["src/diagnostic/style.rs"]),
    ("reqwest", &["src/http/"]),
    ("jsonpath_rust", &["src/query/"]),
    ("tera", &["src/template/"]),
    ("granit_parser", &["src/yaml/"]),
];

#[test]
fn modules_import_only_what_stands_to_their_left() {
    let sources = sources();
    assert!(sources.len() > 10, "the sources were not found");
    let found: Vec<String> = sources.iter().flat_map(|(path, text)| violations(path, text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = (sources().into_iter())
        .filter(|(path, text)| !is_test_file(path) && !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "these files do not start with `//!`: {}", silent.join(", "));
}

#[test]
fn the_module_list_is_in_import_order() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let listed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let known: Vec<&str> = ORDER.iter().copied().filter(|module| listed.contains(module)).collect();
    assert_eq!(listed, known, "`pub mod` lines of src/lib.rs against the order of this test");
}

#[test]
fn the_check_finds_what_it_is_for() {
    for (path, text, expected) in [
        (
            "src/http/client.rs",
            "use crate::run::Policy;",
            "src/http/client.rs:1: `http` imports `run`, which stands to its right",
        ),
        (
            "src/http/mod.rs",
            "\n\nfn f() { crate::oauth::token(); }",
            "src/http/mod.rs:3: `http` imports `oauth`, which stands to its right",
        ),
        (
            "src/yaml/edit.rs",
            "use crate::{\n  files,\n  store::{Saved, x},\n};",
            "src/yaml/edit.rs:3: `yaml` imports `store`, which stands to its right",
        ),
        (
            "src/yaml/edit/mod.rs",
            "use super::super::cli::Exit;",
            "src/yaml/edit/mod.rs:1: `yaml` imports `cli`, which stands to its right",
        ),
        ("src/event.rs", "use super::{clock, report};", "src/event.rs:1: `event` imports `report`, which stands to its right"),
        (
            "src/event.rs",
            "mod inner { use super::super::run; }",
            "src/event.rs:1: `event` imports `run`, which stands to its right",
        ),
        ("src/event.rs", "pub(in crate::run) fn f() {}", "src/event.rs:1: `event` imports `run`, which stands to its right"),
        ("src/event.rs", "use crate::*;", "src/event.rs:1: `event` imports everything"),
        ("src/event.rs", "use crate::utils::join;", "src/event.rs:1: `event` imports `utils`, which is not in the order"),
        ("src/utils/mod.rs", "", "src/utils/mod.rs: `utils` is not in the order"),
        ("src/report/text.rs", "use colored::Colorize;", "src/report/text.rs:1: only src/diagnostic/style.rs may use `colored`"),
        ("src/run/mod.rs", "fn f(e: reqwest::Error) {}", "src/run/mod.rs:1: only src/http/ may use `reqwest`"),
        ("src/run/mod.rs", "use tera;", "src/run/mod.rs:1: only src/template/ may use `tera`"),
        ("src/main.rs", "fn f() { ::tera::x() }", "src/main.rs:1: only src/template/ may use `tera`"),
    ] {
        assert_eq!(violations(path, text), [expected], "{path}: {text}");
    }
}

#[test]
fn the_check_lets_pass_what_is_allowed() {
    for (path, text) in [
        ("src/run/mod.rs", "use crate::{clock::Clock, http, run::Policy};\nuse super::event;"),
        ("src/run/step/mod.rs", "use super::attempt::Attempt;\nuse super::super::event::Event;"),
        ("src/yaml/edit.rs", "mod inner { use super::super::tree; use super::Place; }"),
        ("src/http/mod.rs", "// use crate::run;\n/* crate::run /* */ crate::cli */ const A: &str = \"crate::run\";"),
        ("src/http/mod.rs", "const A: &str = r#\"crate::run \"#; const B: char = '\"'; const C: &str = \"\\\" crate::run\";"),
        ("src/http/mod.rs", "fn f<'a>(x: &'a str) -> char { '\\'' }"),
        ("src/http/mod.rs", "#[cfg(test)]\nmod tests {\n  use crate::run::Run;\n  fn f() { {} }\n}\n"),
        ("src/http/mod.rs", "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\nuse crate::clock;"),
        ("src/http/tests.rs", "use crate::run::Run;"),
        ("src/http/client/tls.rs", "use reqwest::Client;"),
        ("src/http/mod.rs", "pub(crate) struct A { colored: bool } fn f(a: A) { a.colored; http::reqwest::f(); }"),
        ("src/main.rs", "fn main() { runner::cli::run(); }"),
    ] {
        assert_eq!(violations(path, text), [""; 0], "{path}: {text}");
    }
}

/// What in `text`, the source at `path` (from the crate's folder, with `/`), is against the order or the borders.
fn violations(path: &str, text: &str) -> Vec<String> {
    if is_test_file(path) {
        return Vec::new();
    }
    let home = module_path(path);
    // `lib.rs` and `main.rs` stand above all modules.
    let own = home.first().map(|module| (module, rank(module)));
    if let Some((module, None)) = own {
        return vec![format!("{path}: `{module}` is not in the order")];
    }
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    if let Some((module, Some(own_rank))) = own {
        for (line, imported) in imports(&home, &tokens) {
            let complaint = match rank(imported) {
                _ if imported == "*" => "imports everything".to_owned(),
                Some(rank) if rank <= own_rank => continue,
                Some(_) => format!("imports `{imported}`, which stands to its right"),
                None => format!("imports `{imported}`, which is not in the order"),
            };
            found.insert((line, format!("`{module}` {complaint}")));
        }
    }
    for (krate, homes) in BORDERS.iter().filter(|(_, homes)| !homes.iter().any(|home| path.starts_with(home))) {
        for line in uses_of_crate(krate, &tokens) {
            found.insert((line, format!("only {} may use `{krate}`", homes.join(", "))));
        }
    }
    found.into_iter().map(|(line, complaint)| format!("{path}:{line}: {complaint}")).collect()
}

/// The top-level modules that paths lead to: through `crate::…`, or through as many `super::` as lead out of the top-level module.
fn imports<'a>(home: &[String], tokens: &[(usize, &'a str)]) -> Vec<(usize, &'a str)> {
    let word = |at: usize| tokens.get(at).map_or("", |(_, word)| *word);
    let mut found = Vec::new();
    // The depths at which inline modules were opened: each takes one `super::` more to leave.
    let (mut depth, mut inline) = (0_usize, Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match word(at) {
            "{" => {
                depth += 1;
                if at >= 2 && word(at - 2) == "mod" {
                    inline.push(depth);
                }
            }
            "}" => {
                inline.pop_if(|opened| *opened == depth);
                depth = depth.saturating_sub(1);
            }
            "crate" if word(at + 1) == "::" => found.extend(targets(tokens, at + 2)),
            "super" if word(at + 1) == "::" => {
                let mut levels = 1;
                while word(at + 2 * levels) == "super" && word(at + 2 * levels + 1) == "::" {
                    levels += 1;
                }
                at += 2 * levels;
                if levels >= home.len() + inline.len() {
                    found.extend(targets(tokens, at));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The first names of what stands at `at`: one path, or a group of paths.
fn targets<'a>(tokens: &[(usize, &'a str)], at: usize) -> Vec<(usize, &'a str)> {
    let Some(&(line, first)) = tokens.get(at) else { return Vec::new() };
    if first != "{" {
        return vec![(line, first)];
    }
    let (mut depth, mut names, mut at_start) = (0_usize, Vec::new(), false);
    for &(line, word) in &tokens[at..] {
        match word {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if at_start && word != "self" => names.push((line, word)),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        at_start = depth == 1 && matches!(word, "{" | ",");
    }
    names
}

/// The lines on which a path starts with the name of the crate.
fn uses_of_crate(krate: &str, tokens: &[(usize, &str)]) -> Vec<usize> {
    let word = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |(_, word)| *word);
    let starts_path = |at: usize| {
        let before = word(at.checked_sub(1));
        // `::tera::x` starts at the crates; `http::tera::x` does not.
        let global =
            before == "::" && !word(at.checked_sub(2)).chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '>');
        let inside = (before == "::" && !global) || before == ".";
        !inside && (word(Some(at + 1)) == "::" || before == "use" || (before == "crate" && word(at.checked_sub(2)) == "extern"))
    };
    (tokens.iter().enumerate()).filter(|(at, (_, word))| *word == krate && starts_path(*at)).map(|(_, (line, _))| *line).collect()
}

/// `src/http/client.rs` → `http`, `client`; `src/lib.rs` → nothing.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")).unwrap_or(path);
    if matches!(inner, "lib" | "main") {
        return Vec::new();
    }
    inner.strip_suffix("/mod").unwrap_or(inner).split('/').map(str::to_owned).collect()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|known| *known == module)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Path and text of every source file, in order of path.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}
