//! What the README and the docs show is run: every YAML block that names its file is part of one project, and every collection in it
//! passes `runner check`.

use std::fs;
use std::path::Path;

use crate::support::runner::Runner;
use crate::support::tls::self_signed;

/// The ```yaml blocks of a text whose first line is a comment with a path: path and content.
fn named_blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.find("```yaml") else { continue };
        let block: Vec<&str> =
            lines.by_ref().take_while(|line| line.trim() != "```").map(|line| line.get(indent..).unwrap_or("")).collect();
        if let Some(path) = block.first().and_then(|first| first.strip_prefix("# ")) {
            found.push((path.to_owned(), block.join("\n") + "\n"));
        }
    }
    found
}

fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["README.md", "docs/collections.md", "docs/environments.md"]
        .iter()
        .flat_map(|name| named_blocks(&fs::read_to_string(root.join(name)).unwrap()))
        .collect()
}

#[test]
fn every_collection_of_the_documents_passes_the_check_with_its_environment() {
    let documents = documents();
    for (collection, environment) in [("collections/users.yaml", "staging"), ("collections/reference.yaml", "reference")] {
        let mut runner = Runner::new();
        for (path, text) in &documents {
            runner = runner.file(path, text);
        }
        runner
            .file("environments/ca.pem", self_signed().pem())
            .args(["check", collection, "--env", environment])
            .expect_exit(0)
            .expect_stdout(
                "no mistakes in 1 collection and N requests\n"
                    .replace('N', if environment == "staging" { "2" } else { "3" })
                    .as_str(),
            )
            .run();
    }
}

#[test]
fn the_readme_opens_with_the_command_that_runs_and_the_command_that_tests() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks: Vec<&str> = readme.split("```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert_eq!(blocks, ["cargo run --release -- collections/oauth2.yaml --env dev", "cargo test --locked"]);
}

/// A promise that names a test which is gone proves nothing.
#[test]
fn every_test_that_the_security_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let named: Vec<(&str, &str)> = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for (module, name) in named {
        let file = fs::read_to_string(root.join(format!("tests/suite/{module}.rs"))).unwrap();
        assert!(file.contains(&format!("#[test]\nfn {name}() {{")), "{module}::{name}");
    }
}
