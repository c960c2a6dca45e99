//! Whole repositories, small and made by hand.
#![expect(clippy::disallowed_methods, reason = "a test makes its files by itself")]

use std::os::unix::fs::symlink;

use super::index::build::index;
use super::*;

const FILE: u32 = 0o100_644;

/// Names and texts of files.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A folder with these files; one whose text starts with `->` is a link.
fn tree(files: Files) -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = top.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("->") {
            Some(target) => symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    top
}

fn standing_in(files: Files, path: &str) -> Standing {
    standing(&tree(files).path().join(path))
}

const HEAD: (&str, &str) = (".git/HEAD", "ref: refs/heads/main\n");
const LOCAL: &str = "environments/dev.local.yaml";

#[test]
fn ignore_rules_decide_as_in_git() {
    let ignored = [
        ("*.local.*", true),
        ("*.local.*\r\n", true),
        ("/environments/*.local.yaml", true),
        ("environments/", true),
        ("environments", true),
        ("**/dev.local.yaml", true),
        ("e*s/**", true),
        ("*.local.*   ", true),
        ("dev.local.yam[l-z]", true),
        ("", false),
        ("# *.local.*", false),
        ("*.LOCAL.*", false),
        ("/*.local.*", false),
        ("dev.local.yaml/", false),
        ("*.local.{yaml,json}", false),
        ("*.local.*\t", false),
        ("*.local.*\n!dev.local.yaml", false),
        ("*\n!*.yaml", true),
        ("environments/\n!environments/dev.local.yaml", true),
    ];
    for (rules, expected) in ignored {
        let got = standing_in(&[HEAD, (".gitignore", rules)], LOCAL);
        assert_eq!(got, if expected { Standing::Ignored } else { Standing::NotIgnored }, "{rules:?}");
    }
}

#[test]
fn the_nearest_rules_win_and_links_to_rules_count_for_nothing() {
    let cases: [(Files, Standing); 7] = [
        (&[("environments/.gitignore", "*.local.*")], Standing::Ignored),
        (&[("environments/.gitignore", "/dev.local.yaml")], Standing::Ignored),
        (&[("environments/.gitignore", "/environments/dev.local.yaml")], Standing::NotIgnored),
        (&[(".gitignore", "*.local.*"), ("environments/.gitignore", "!dev.local.*")], Standing::NotIgnored),
        (&[(".git/info/exclude", "*.local.*")], Standing::Ignored),
        (&[(".git/info/exclude", "*.local.*"), (".gitignore", "!*.local.*")], Standing::NotIgnored),
        (&[("rules", "*"), (".gitignore", "->rules")], Standing::NotIgnored),
    ];
    for (files, expected) in cases {
        assert_eq!(standing_in(&[&[HEAD], files].concat(), LOCAL), expected, "{files:?}");
    }
}

#[test]
fn a_tracked_file_is_tracked_whatever_ignores_it() {
    let top = tree(&[HEAD, (".gitignore", "*.local.*")]);
    let path = top.path().join(LOCAL);
    assert_eq!(standing(&path), Standing::Ignored);
    fs::write(top.path().join(".git/index"), index(2, 20, &[(FILE, ".gitignore"), (FILE, LOCAL)], b"")).unwrap();
    assert_eq!(standing(&path), Standing::Tracked);
    fs::write(top.path().join(".git/index"), index(2, 20, &[(FILE, ".gitignore")], b"")).unwrap();
    assert_eq!(standing(&path), Standing::Ignored);
    fs::write(top.path().join(".git/index"), b"DIRC\0\0\0\x09\0\0\0\0").unwrap();
    assert_eq!(standing(&path), Standing::Unclear("git's index has the unknown version 9".to_owned()));
}

#[test]
fn the_shared_half_of_a_split_index_counts() {
    let top = tree(&[HEAD]);
    let link = [&b"link\0\0\0\x14"[..], &[0x1F; 20]].concat();
    fs::write(top.path().join(".git/index"), index(2, 20, &[], &link)).unwrap();
    assert_eq!(standing(&top.path().join(LOCAL)), Standing::Unclear("git's index is damaged".to_owned()));
    let shared = top.path().join(format!(".git/sharedindex.{}", "1f".repeat(20)));
    fs::write(shared, index(2, 20, &[(FILE, LOCAL)], b"")).unwrap();
    assert_eq!(standing(&top.path().join(LOCAL)), Standing::Tracked);
}

#[test]
fn a_linked_work_tree_has_its_own_index_and_shares_the_excludes() {
    let top = tree(&[
        ("main/.git/HEAD", "x"),
        ("main/.git/info/exclude", "*.local.*"),
        ("main/.git/worktrees/w/HEAD", "x"),
        ("main/.git/worktrees/w/commondir", "../..\n"),
        ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
    ]);
    let path = top.path().join("w").join(LOCAL);
    assert_eq!(standing(&path), Standing::Ignored);
    fs::write(top.path().join("main/.git/worktrees/w/index"), index(2, 20, &[(FILE, LOCAL)], b"")).unwrap();
    assert_eq!(standing(&path), Standing::Tracked);
    assert_eq!(standing(&top.path().join("main").join(LOCAL)), Standing::Ignored);
}

#[test]
fn objects_named_by_sha256_are_told_from_the_configuration() {
    let top = tree(&[HEAD, (".git/config", "[extensions]\n\tobjectFormat = sha256\n")]);
    fs::write(top.path().join(".git/index"), index(2, 32, &[(FILE, "a"), (FILE, LOCAL)], b"")).unwrap();
    assert_eq!(standing(&top.path().join(LOCAL)), Standing::Tracked);
}

#[test]
fn upper_and_lower_case_are_one_only_where_that_errs_towards_taken() {
    const FOLDS: (&str, &str) = (".git/config", "[core]\n\tignorecase = true\n");
    let cases: [(Files, Standing); 4] = [
        (&[FOLDS, (".gitignore", "*.LOCAL.*")], Standing::NotIgnored),
        (&[FOLDS, (".gitignore", "*.local.*\n!DEV.*")], Standing::NotIgnored),
        (&[(".gitignore", "*.local.*\n!DEV.*")], Standing::Ignored),
        (&[FOLDS, (".gitignore", "*.local.*")], Standing::Ignored),
    ];
    for (files, expected) in cases {
        assert_eq!(standing_in(&[&[HEAD], files].concat(), LOCAL), expected, "{files:?}");
    }
    let other = index(2, 20, &[(FILE, "Environments/DEV.local.yaml")], b"");
    for (config, expected) in [("", Standing::NotIgnored), (FOLDS.1, Standing::Tracked)] {
        let top = tree(&[HEAD, (FOLDS.0, config)]);
        fs::write(top.path().join(".git/index"), &other).unwrap();
        assert_eq!(standing(&top.path().join(LOCAL)), expected);
    }
}

#[test]
fn where_the_work_tree_begins() {
    let cases: [(Files, &str, Standing); 6] = [
        (&[(".git/x", "")], "a.local.yaml", Standing::Outside),
        (&[HEAD, ("sub/.git/x", ""), (".gitignore", "sub/*.local.*")], "sub/a.local.yaml", Standing::Ignored),
        (&[HEAD, (".gitignore", "*"), ("sub/.git/HEAD", "")], "sub/a.local.yaml", Standing::NotIgnored),
        (&[("p/.git/HEAD", ""), ("link", "->p")], "link/a.local.yaml", Standing::NotIgnored),
        (&[("p/.git/HEAD", ""), ("q/r/x", ""), ("p/link", "->../q/r")], "p/link/a.local.yaml", Standing::Outside),
        (&[HEAD, (".gitignore", "new/")], "new/deep/a.local.yaml", Standing::Ignored),
    ];
    for (files, path, expected) in cases {
        assert_eq!(standing_in(files, path), expected, "{files:?}");
    }
    // A work tree that moved, or whose repository did.
    let moved = standing_in(&[HEAD, (".gitignore", "*"), ("w/.git", "gitdir: ../gone\n")], "w/a.local.yaml");
    assert!(matches!(moved, Standing::Unclear(why) if why.ends_with("names no git folder")));
    let broken = standing_in(&[(".git", "nonsense")], "a.local.yaml");
    assert!(matches!(broken, Standing::Unclear(why) if why.ends_with("names no git folder")));
}
