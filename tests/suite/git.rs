//! Git and the local file: in whatever kind of repository, no secret is written where git would take it, none is read that came with
//! it, and git itself is never started.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::git::{FILE, index, index_of, link};
use crate::support::leak::assert_no_secret;
use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

const TOKEN: &str = "token-from-the-answer";
const SECRET: &str = "s3cr3t-of-the-local-file";
const LOCAL: &str = "environments/dev.local.yaml";
const HEAD: (&str, &[u8]) = (".git/HEAD", b"ref: refs/heads/main\n");
const IGNORE: (&str, &[u8]) = ("environments/.gitignore", b"*.local.*\n.*.lock\n");

/// Names and bytes of files; `->` at the start of the bytes makes a link.
type Files<'a> = &'a [(&'a str, &'a [u8])];

/// A name, files, the exit code, and what is said.
type Case<'a, B> = (&'a str, Vec<(&'a str, B)>, i32, &'a str);

fn all<'f>(parts: &[&[(&'f str, &'f [u8])]]) -> Vec<(&'f str, &'f [u8])> {
    parts.concat()
}

fn server() -> Server {
    Server::start(|_| Answer::json(200, format!("{{\"access_token\": \"{TOKEN}\"}}")))
}

fn project(server: &Server, files: &[Files<'_>]) -> Runner {
    let text = "requests: [{url: \"{{ api_url }}/token\", store: {access_token: $.access_token}}]\n";
    let runner =
        Runner::new().file("c.yaml", text).file("environments/dev.yaml", format!("variables: {{api_url: '{}'}}\n", server.url()));
    for (name, bytes) in files.iter().copied().flatten() {
        let path = runner.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match bytes.strip_prefix(b"->") {
            Some(target) => symlink(std::str::from_utf8(target).unwrap(), path).unwrap(),
            None => fs::write(path, bytes).unwrap(),
        }
    }
    runner.args(["c.yaml", "--env", "dev"])
}

const TRACKED: &str = "is tracked by git, so no secret is written to it";
const TAKEN: &str = "is not ignored by git, so no secret is written to it";
const UNCLEAR: &str = "can't tell whether git tracks it: ";

#[test]
fn nothing_is_written_where_git_would_take_it() {
    let entry = |flags| [(FILE, flags, "a"), (FILE, flags, LOCAL)];
    let damaged = |at: usize| {
        let mut bytes = index_of("environments/dev.yaml");
        let at = if at == 0 { bytes.len() - 1 } else { at };
        bytes[at] ^= 1;
        bytes
    };
    let v = |version, flags| index(version, 20, &entry(flags), b"TREE\0\0\0\x03abc");
    let config: (&str, &[u8]) =
        (".git/config", b"[extensions]\n\tobjectFormat = sha256\n[core]\n\trepositoryformatversion = 1\n");
    let split = (".git/sharedindex.1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f", index_of(LOCAL));
    let untracked = index_of("environments/dev.yaml");
    let unused = [&link(0)[..], b"UNTR\0\0\0\x02ab", b"FSMN\0\0\0\x02ab"].concat();
    let cases: Vec<Case<'_, Vec<u8>>> = vec![
        ("version 2", vec![(".git/index", v(2, 0))], 6, TRACKED),
        ("version 3, intent to add", vec![(".git/index", v(3, 0x2000))], 6, TRACKED),
        ("version 3, skip-worktree", vec![(".git/index", v(3, 0x4000))], 6, TRACKED),
        ("version 4", vec![(".git/index", v(4, 0))], 6, TRACKED),
        ("assume-unchanged", vec![(".git/index", v(2, 0x8000))], 6, TRACKED),
        ("one side of a conflict", vec![(".git/index", v(2, 0x2000))], 6, TRACKED),
        ("sha256", vec![(".git/index", index(2, 32, &entry(0), b"")), (config.0, config.1.to_vec())], 6, TRACKED),
        ("the shared half", vec![(".git/index", index(2, 20, &[], &link(0x1F))), split], 6, TRACKED),
        ("the shared half is gone", vec![(".git/index", index(2, 20, &[], &link(0x1F)))], 5, UNCLEAR),
        (
            "a sparse index",
            vec![(".git/index", index(3, 20, &[(0o040_000, 0x4000, "environments/")], b"sdir\0\0\0\0"))],
            5,
            UNCLEAR,
        ),
        ("a damaged entry", vec![(".git/index", damaged(80))], 5, UNCLEAR),
        ("a damaged checksum", vec![(".git/index", damaged(0))], 5, UNCLEAR),
        ("cut off", vec![(".git/index", untracked[..70].to_vec())], 5, UNCLEAR),
        ("empty", vec![(".git/index", Vec::new())], 5, UNCLEAR),
        ("an unknown version", vec![(".git/index", index(5, 20, &[], b""))], 5, UNCLEAR),
        ("an unknown extension", vec![(".git/index", index(2, 20, &[], b"what\0\0\0\0"))], 5, UNCLEAR),
        ("another file is tracked", vec![(".git/index", untracked.clone())], 0, ""),
        ("extensions that need not be known", vec![(".git/index", index(2, 20, &[], &unused))], 0, ""),
        ("no checksum", vec![(".git/index", [&untracked[..untracked.len() - 20], &[0; 20]].concat())], 0, ""),
        ("no index yet", vec![], 0, ""),
        ("other rules", vec![(IGNORE.0, b"*.lock\n".to_vec())], 6, TAKEN),
        ("taken back", vec![(IGNORE.0, b"*.local.*\n!dev.local.yaml\n".to_vec())], 6, TAKEN),
        (
            "rules behind a link",
            vec![("rules", b"*".to_vec()), (".gitignore", b"->rules".to_vec()), (IGNORE.0, b"# x".to_vec())],
            6,
            TAKEN,
        ),
        ("a rule further up", vec![(IGNORE.0, b"# x".to_vec()), (".gitignore", b"*.local.*".to_vec())], 0, ""),
        (
            "a rule further up, taken back",
            vec![(IGNORE.0, b"!*.local.*".to_vec()), (".gitignore", b"*.local.*".to_vec())],
            6,
            TAKEN,
        ),
        ("info/exclude", vec![(IGNORE.0, b"# x".to_vec()), (".git/info/exclude", b"*.local.*".to_vec())], 0, ""),
        (
            "the person's own rules hold here only",
            vec![(IGNORE.0, b"# x".to_vec()), (".git/config", b"[core]\nexcludesFile = /rules".to_vec())],
            6,
            TAKEN,
        ),
        (
            "the work tree is elsewhere",
            vec![(".git/config", b"[core]\nworktree = ../..\n".to_vec())],
            5,
            "can't tell whether git tracks it: `core.worktree` puts the work tree of ",
        ),
        (
            "upper and lower case are one",
            vec![
                (".git/config", b"[core]\n\tignorecase = true\n".to_vec()),
                (".git/index", index_of("environments/Dev.Local.yaml")),
            ],
            6,
            TRACKED,
        ),
    ];
    for (what, files, exit, told) in cases {
        let server = server();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let ran = project(&server, &[&[HEAD, IGNORE], &files]).run_unchecked();
        assert_eq!(ran.exit, exit, "{what}: {}", ran.all_output());
        assert!(ran.all_output().contains(told), "{what}: {}", ran.all_output());
        // Nothing was asked for that could not be kept.
        assert_eq!((ran.exists(LOCAL), server.connections()), (exit == 0, usize::from(exit == 0)), "{what}");
        assert_no_secret(ran.all_output(), TOKEN);
        if told == TAKEN {
            assert!(ran.stdout.contains("add this line to the .gitignore beside it: *.local.*"), "{what}: {}", ran.stdout);
        }
    }
}

#[test]
fn every_kind_of_work_tree_is_understood() {
    let tracked = index_of(LOCAL);
    let outer = index_of(&format!("in/{LOCAL}"));
    let real = index_of("real/dev.local.yaml");
    let worktree: Files<'_> = &[
        (".git", b"gitdir: main/.git/worktrees/w\n"),
        ("main/.git/HEAD", b"x"),
        ("main/.git/worktrees/w/HEAD", b"x"),
        ("main/.git/worktrees/w/commondir", b"../..\n"),
    ];
    let submodule: Files<'_> = &[
        (".git", b"gitdir: super/.git/modules/sub\n"),
        ("super/.git/HEAD", b"x"),
        ("super/.git/modules/sub/HEAD", b"x"),
        ("super/.git/modules/sub/config", b"[core]\n\tworktree = ../../../..\n"),
    ];
    let unignored: Files<'_> = &[("environments/.gitignore", b"# mine\n")];
    let cases: Vec<Case<'_, &[u8]>> = vec![
        ("a linked work tree", all(&[worktree, &[IGNORE]]), 0, ""),
        ("its own index", all(&[worktree, &[IGNORE, ("main/.git/worktrees/w/index", &tracked)]]), 6, TRACKED),
        ("the main one's index", all(&[worktree, &[IGNORE, ("main/.git/index", &tracked)]]), 0, ""),
        ("the shared excludes", all(&[worktree, unignored, &[("main/.git/info/exclude", b"*.local.*")]]), 0, ""),
        ("no rule", all(&[worktree, unignored]), 6, TAKEN),
        ("a submodule", all(&[submodule, &[IGNORE]]), 0, ""),
        ("a submodule's index", all(&[submodule, &[IGNORE, ("super/.git/modules/sub/index", &tracked)]]), 6, TRACKED),
        ("a submodule without rules", all(&[submodule, unignored]), 6, TAKEN),
        ("a pointer to nowhere", all(&[&[(".git", b"gitdir: gone\n"), IGNORE]]), 5, UNCLEAR),
        ("a pointer to nowhere above", all(&[&[(".git", b"gitdir: ../../gone\n"), IGNORE]]), 5, UNCLEAR),
        ("no pointer", all(&[&[(".git", b"what?"), IGNORE]]), 5, UNCLEAR),
        ("no repository", all(&[unignored]), 0, ""),
        ("a folder that only looks like one", all(&[&[(".git/x", b""), ("environments/.gitignore", b"# mine")]]), 0, ""),
        ("a bare one around it", all(&[unignored, &[("HEAD", b"x"), ("refs/x", b""), ("objects/x", b"")]]), 0, ""),
        (
            "a bare one in a repository",
            all(&[
                &[HEAD],
                unignored,
                &[("environments/HEAD", b"x"), ("environments/refs/x", b""), ("environments/objects/x", b"")],
            ]),
            6,
            TAKEN,
        ),
        (
            "a folder elsewhere, not tracked there",
            all(&[&[("other/.git/HEAD", b"x"), ("other/real/.gitignore", b"*.local.*")]]),
            0,
            "other/real",
        ),
        (
            "a folder elsewhere, tracked there",
            all(&[&[("other/.git/HEAD", b"x"), ("other/real/.gitignore", b"*.local.*"), ("other/.git/index", &real)]]),
            6,
            "other/real",
        ),
        (
            "a folder elsewhere, taken there",
            all(&[&[("other/.git/HEAD", b"x"), ("other/real/.gitignore", b"# x")]]),
            6,
            "other/real",
        ),
        (
            "tracked outside before there was an inner one",
            all(&[&[HEAD, (".git/index", &outer), ("in/.git/HEAD", b"x")]]),
            6,
            "in",
        ),
        (
            "an inner one that git takes for none",
            all(&[&[
                HEAD,
                ("in/.git/HEAD", b"x"),
                ("in/.git/info/exclude", b"*.local.*"),
                ("in/environments/.gitignore", b"# x"),
            ]]),
            6,
            "in",
        ),
        (
            "an inner one with rules of its own",
            all(&[&[
                HEAD,
                ("in/.git/HEAD", b"x"),
                ("in/.git/refs/x", b""),
                ("in/.git/objects/x", b""),
                ("in/.git/info/exclude", b"*.local.*"),
                ("in/environments/.gitignore", b"# x"),
            ]]),
            0,
            "in",
        ),
    ];
    for (what, files, exit, told) in cases {
        let server = server();
        let mut runner = project(&server, &[&files]);
        let mut local = LOCAL.to_owned();
        match told {
            // The environments lie behind a link, in another repository.
            "other/real" => {
                let dev = runner.path("environments/dev.yaml");
                fs::rename(&dev, runner.path("other/real/dev.yaml")).unwrap();
                fs::remove_dir(runner.path("environments")).unwrap();
                symlink("other/real", runner.path("environments")).unwrap();
            }
            // The whole project lies in a repository within another.
            "in" => {
                let at = |name: &str| runner.path(name);
                fs::create_dir_all(at("in/environments")).unwrap();
                fs::rename(at("c.yaml"), at("in/c.yaml")).unwrap();
                fs::rename(at("environments/dev.yaml"), at("in/environments/dev.yaml")).unwrap();
                local = format!("in/{LOCAL}");
                runner = Runner::new().beside(&runner).args(["in/c.yaml", "--env", "dev"]);
            }
            _ => {}
        }
        let ran = runner.run_unchecked();
        assert_eq!(ran.exit, exit, "{what}: {}", ran.all_output());
        assert!(matches!(told, "in" | "other/real") || ran.all_output().contains(told), "{what}: {}", ran.all_output());
        assert_eq!((ran.exists(&local), server.connections()), (exit == 0, usize::from(exit == 0)), "{what}");
    }
}

/// A local file that came with the repository could say where secrets go, and read any file of this machine.
#[test]
fn a_local_file_that_may_have_come_with_the_repository_is_not_read() {
    let tracked = index_of(LOCAL);
    let text = format!("variables: {{password: {SECRET}}}\n");
    let local: (&str, &[u8]) = (LOCAL, text.as_bytes());
    let linked: (&str, &[u8]) = (LOCAL, b"->../elsewhere.yaml");
    let linked_local: (&str, &[u8]) = (LOCAL, b"->other.local.yaml");
    let other: (&str, &[u8]) = ("environments/other.local.yaml", text.as_bytes());
    let elsewhere: (&str, &[u8]) = ("elsewhere.yaml", text.as_bytes());
    let holds = "`environments/dev.local.yaml` holds secrets and is tracked by git";
    let unclear = "can't tell whether git tracks `environments/dev.local.yaml`, so it is not read: git's index is damaged";
    let is_link = "the local file `environments/dev.local.yaml` is a symbolic link, expected the file itself";
    let cases: Vec<Case<'_, &[u8]>> = vec![
        ("tracked", vec![HEAD, IGNORE, local, (".git/index", &tracked)], 6, holds),
        ("unclear", vec![HEAD, IGNORE, local, (".git/index", b"DIRC")], 6, unclear),
        ("a link", vec![HEAD, IGNORE, elsewhere, linked], 6, is_link),
        ("a link to another local file", vec![HEAD, IGNORE, other, linked_local], 6, is_link),
        ("a link, and no repository", vec![elsewhere, linked], 6, is_link),
        ("ignored", vec![HEAD, IGNORE, local], 0, ""),
        ("not ignored", vec![HEAD, local], 0, ""),
        ("no repository", vec![local], 0, ""),
    ];
    let text = "requests: [{url: \"{{ api_url }}/\", headers: {Authorization: \"{{ password | default(value='') }}\"}}]\n";
    for (what, files, exit, told) in cases {
        let server = server();
        let runner = project(&server, &[&files]).file("c.yaml", text);
        if let Ok(true) = runner.path(LOCAL).symlink_metadata().map(|facts| facts.is_file()) {
            fs::set_permissions(runner.path(LOCAL), Permissions::from_mode(0o600)).unwrap();
        }
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, server.connections()), (exit, usize::from(exit == 0)), "{what}: {}", ran.all_output());
        assert!(ran.raw_stderr.contains(told), "{what}: {}", ran.all_output());
        assert_no_secret(ran.all_output(), SECRET);
    }
}

/// An index that is a pipe would hold up the program for ever.
#[test]
fn an_index_that_is_no_file_is_not_waited_for() {
    let server = server();
    let runner = project(&server, &[&[HEAD, IGNORE]]);
    mknodat(CWD, runner.path(".git/index"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let ran = runner.run_unchecked();
    assert_eq!((ran.exit, server.connections()), (5, 0), "{}", ran.all_output());
    assert!(ran.stdout.contains("git's index is a pipe, a socket or a device"), "{}", ran.stdout);
}

/// A repository can name programs that git would start. Whatever is called `git`, a hook or a monitor leaves a mark when it is.
#[test]
fn a_repository_starts_nothing() {
    let server = server();
    let config = b"[core]\n\tfsmonitor = ./mark.sh\n\thooksPath = hooks\n\tsshCommand = ./mark.sh\n\tpager = ./mark.sh\n\
        [filter \"x\"]\n\tclean = ./mark.sh\n\tsmudge = ./mark.sh\n[alias]\n\tstatus = !./mark.sh\n[include]\n\tpath = more\n";
    let script = b"#!/bin/sh\ntouch \"$(dirname \"$0\")/marked\"\n";
    let programs: Vec<(String, &[u8])> =
        ["mark.sh", "bin/git", "hooks/pre-commit", "hooks/post-index-change", "hooks/fsmonitor-watchman"]
            .iter()
            .map(|name| ((*name).to_owned(), &script[..]))
            .collect();
    let programs: Vec<(&str, &[u8])> = programs.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let attributes: (&str, &[u8]) = (".gitattributes", b"* filter=x\n");
    let runner = project(&server, &[&[HEAD, IGNORE, (".git/config", config), attributes], &programs]);
    for (name, _) in &programs {
        fs::set_permissions(runner.path(name), Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", runner.path("bin").display(), std::env::var("PATH").unwrap());
    let ran = runner.env_var("PATH", path).run_passing();
    assert!(ran.exists(LOCAL));
    let marks: Vec<String> = ran.files().into_iter().filter(|file| file.ends_with("marked")).collect();
    assert_eq!(marks, [""; 0]);
}
