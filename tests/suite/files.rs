//! What a collection may read: every way out of the project is refused before a connection is made, whoever swaps what meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use runner::files::root::Root;
use runner::files::rule::Rule;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};

const SECRET: &str = "s3cr3t-that-no-collection-reads";

/// A project `p` with one of everything, and what lies beside it.
fn project(server: &Server) -> Runner {
    let runner = Runner::new()
        .file("p/.git/HEAD", "ref: refs/heads/main\n")
        .file("p/.git/config", SECRET)
        .file("p/.env", SECRET)
        .file("p/.hidden/x.json", SECRET)
        .file("p/bodies/a.json", "inside")
        .file("p/bodies/sub/b.json", "inside")
        .file("p/collections/c.yaml", "requests: []\n")
        .file("p/collections/.netrc", SECRET)
        .file("p/collections/my.local.json", SECRET)
        .file("p/keys/app.pem", SECRET)
        .file("p/keys/dev.local.yaml.bak/x", SECRET)
        .file("p/environments/dev.yaml", environment(server))
        .file("p/environments/dev.local.yaml", format!("variables: {{password: {SECRET}}}\n"))
        .file("secret.json", SECRET)
        .file("beside/secret.json", SECRET);
    let at = |path: &str| runner.path(&format!("p/collections/{path}"));
    for (link, target) in [
        ("inside", "../bodies/a.json"),
        ("to-sub", "../bodies/sub"),
        ("out", "../../secret.json"),
        ("out-folder", "../../beside"),
        ("out-and-in", "../../p/bodies/a.json"),
        ("absolute", "/etc/passwd"),
        ("chain", "chain2"),
        ("chain2", "out"),
        ("circle", "circle2"),
        ("circle2", "circle"),
        ("self", "self"),
        ("dangling", "nothing"),
        ("proc", "/proc/self/environ"),
        ("device", "/dev/zero"),
        ("to-git", "../.git/config"),
        ("to-env", "../.env"),
        ("to-environment", "../environments/dev.yaml"),
        ("to-local", "../environments/dev.local.yaml"),
        ("to-environments", "../environments"),
        ("to-key", "../keys/app.pem"),
        ("to-pipe", "pipe"),
    ] {
        symlink(target, at(link)).unwrap();
    }
    let long_chain: Vec<String> = (0..60).map(|n| format!("l{n}")).collect();
    for pair in long_chain.windows(2) {
        symlink(&pair[1], at(&pair[0])).unwrap();
    }
    fs::hard_link(runner.path("p/keys/app.pem"), at("hard-key.json")).unwrap();
    fs::hard_link(runner.path("p/environments/dev.local.yaml"), at("hard-local.json")).unwrap();
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    drop(UnixListener::bind(at("socket")).unwrap());
    runner
}

fn environment(server: &Server) -> String {
    format!("variables:\n  api_url: {}\n  private_key: !file ../keys/app.pem\n  where: ../../secret.json\n", server.url())
}

const OUTSIDE: &str = "lies outside of the project root `[project]/p`";
const ENVIRONMENT: &str = "is not read: it lies in an `environments` folder";
const ABSOLUTE: &str = "is an absolute path, expected one relative to the file that names it";
const URL: &str = "is a URL, expected a path relative to the file that names it";
const LINKS: &str = "is not read: too many symbolic links";
const NOT_REGULAR: &str = "is a pipe, a socket or a device, expected a regular file";
const WITHHELD: &str = "is not read: the environment takes a secret from it";

/// A path as a collection names it, the exit code that it must bring, and what is said.
const FORMS: &[(&str, i32, &str)] = &[
    ("../../secret.json", 6, OUTSIDE),
    ("../../../../../../../../etc/passwd", 6, OUTSIDE),
    ("../../p/bodies/a.json", 6, OUTSIDE),
    ("../bodies/../../secret.json", 6, OUTSIDE),
    ("./.././../secret.json", 6, OUTSIDE),
    ("..//..//secret.json", 6, OUTSIDE),
    ("to-sub/../../../secret.json", 6, OUTSIDE),
    ("/etc/passwd", 6, ABSOLUTE),
    ("//etc/passwd", 6, ABSOLUTE),
    ("/proc/self/environ", 6, ABSOLUTE),
    ("/dev/stdin", 6, ABSOLUTE),
    ("/dev/zero", 6, ABSOLUTE),
    ("file:///etc/passwd", 6, URL),
    ("FILE://localhost/etc/passwd", 6, URL),
    ("http://127.0.0.1/x", 6, URL),
    ("out", 6, OUTSIDE),
    ("out/", 6, OUTSIDE),
    ("out-folder/secret.json", 6, OUTSIDE),
    ("out-and-in", 6, OUTSIDE),
    ("absolute", 6, OUTSIDE),
    ("chain", 6, OUTSIDE),
    ("proc", 6, OUTSIDE),
    ("device", 6, OUTSIDE),
    ("circle", 6, LINKS),
    ("self", 6, LINKS),
    ("l0", 6, LINKS),
    (".netrc", 6, "is not read: `.netrc` starts with `.`"),
    ("../.env", 6, "is not read: `.env` starts with `.`"),
    ("../.git/config", 6, "is not read: `.git` starts with `.`"),
    ("../.GIT/config", 6, "is not read: `.GIT` starts with `.`"),
    ("../.hidden/x.json", 6, "is not read: `.hidden` starts with `.`"),
    ("../.hidden/../bodies/a.json", 6, "is not read: `.hidden` starts with `.`"),
    ("...", 6, "is not read: `...` starts with `.`"),
    ("to-git", 6, "is not read: `.git` starts with `.`"),
    ("to-env", 6, "is not read: `.env` starts with `.`"),
    ("my.local.json", 6, "is not read: `my.local.json` is named like a local file"),
    ("MY.LOCAL.json", 6, "is not read: `MY.LOCAL.json` is named like a local file"),
    ("missing.local.yaml", 6, "is not read: `missing.local.yaml` is named like a local file"),
    ("../keys/dev.local.yaml.bak/x", 6, "is not read: `dev.local.yaml.bak` is named like a local file"),
    ("../environments/dev.yaml", 6, ENVIRONMENT),
    ("../environments/dev.local.yaml", 6, ENVIRONMENT),
    ("../environments/missing.yaml", 6, ENVIRONMENT),
    ("../Environments/dev.yaml", 6, ENVIRONMENT),
    ("../environment\u{17F}/dev.yaml", 6, ENVIRONMENT),
    ("../environments./dev.yaml", 6, ENVIRONMENT),
    ("to-environment", 6, ENVIRONMENT),
    ("to-local", 6, ENVIRONMENT),
    ("to-environments/dev.yaml", 6, ENVIRONMENT),
    ("../keys/app.pem", 6, WITHHELD),
    ("to-key", 6, WITHHELD),
    ("hard-key.json", 6, WITHHELD),
    ("hard-local.json", 6, WITHHELD),
    ("nul\0", 6, "is no path: it holds a zero byte"),
    ("pipe", 2, NOT_REGULAR),
    ("to-pipe", 2, NOT_REGULAR),
    ("socket", 2, NOT_REGULAR),
    ("dangling", 2, "does not exist"),
    ("missing.json", 2, "does not exist"),
    ("c.yaml/x", 2, "does not exist"),
    ("c.yaml/", 2, "does not exist"),
    ("c.yaml/../c.yaml", 2, "does not exist"),
    ("inside/.", 2, "does not exist"),
    ("../bodies", 2, "is a folder, expected a file"),
    (".", 2, "is a folder, expected a file"),
    ("to-sub/", 2, "is a folder, expected a file"),
];

/// A JSON text is a YAML one, whatever characters are in it.
fn quoted(path: &str) -> String {
    serde_json::to_string(path).unwrap()
}

fn collection(paths: &[String]) -> String {
    paths.iter().fold("requests:\n".to_owned(), |mut text, path| {
        let _ = write!(text, "  - url: \"{{{{ api_url }}}}\"\n    body: {{file: {path}}}\n");
        text
    })
}

/// Messages name the folder without its links, as macOS has them at the top.
fn stderr(ran: &Ran) -> String {
    let real = ran.path("").canonicalize().unwrap().display().to_string();
    ran.raw_stderr.replace(&real, "[project]")
}

const RUN: [&str; 3] = ["p/collections/c.yaml", "--env", "dev"];

#[test]
fn no_way_out_of_the_project_opens_a_connection() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let project = project(&server);
    for (path, exit, rule) in FORMS {
        for check in [true, false] {
            let runner = Runner::new().beside(&project).file("p/collections/c.yaml", collection(&[quoted(path)]));
            let runner = if check { runner.arg("check") } else { runner };
            let ran = runner.args(RUN).run_unchecked();
            let said = format!("error: the body file `{}` {rule}\n --> p/collections/c.yaml:3:", path.escape_debug());
            assert!(stderr(&ran).starts_with(&said), "{path:?}: {}", ran.all_output());
            assert_eq!((ran.exit, ran.stdout.as_str()), (*exit, ""), "{path:?}: {}", ran.all_output());
            assert_no_secret(ran.all_output(), SECRET);
        }
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn all_of_them_are_told_at_once() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let paths: Vec<String> = FORMS.iter().map(|(path, ..)| quoted(path)).collect();
    let ran = project(&server).file("p/collections/c.yaml", collection(&paths)).args(RUN).run_unchecked();
    assert_eq!((ran.exit, server.connections()), (2, 0), "{}", ran.all_output());
    assert!(stderr(&ran).ends_with(&format!("{} mistakes; nothing was sent\n", FORMS.len())), "{}", ran.all_output());
}

/// A path that an answer decides is looked at when it is known, and its request is never sent.
#[test]
fn a_path_from_an_answer_is_refused_before_its_request_connects() {
    let paths = serde_json::to_string(&FORMS.iter().map(|(path, ..)| *path).collect::<Vec<_>>()).unwrap();
    let server = Server::start(move |_| Answer::json(200, paths.clone()));
    let target = Server::start(|_| Answer::text(200, "ok"));
    let mut text = "requests:\n  - url: \"{{ api_url }}/paths\"\n    capture:\n".to_owned();
    for n in 0..FORMS.len() {
        let _ = writeln!(text, "      p{n}: \"$[{n}]\"");
    }
    for n in 0..FORMS.len() {
        let _ = write!(text, "  - url: {}\n    body: {{file: \"{{{{ p{n} }}}}\"}}\n", target.url());
    }
    let ran = project(&server).file("p/collections/c.yaml", text).args(RUN).run_unchecked();
    assert_eq!((ran.exit, server.lines().as_slice(), target.connections()), (6, &["GET /paths".to_owned()][..], 0));
    let real = ran.path("").canonicalize().unwrap().display().to_string();
    let told = ran.raw_stdout.replace(&real, "[project]");
    for (path, _, rule) in FORMS {
        let said = format!("error: the body file `{}` {rule}\n", path.escape_debug());
        assert!(told.contains(&said), "{said}{told}");
    }
    assert_no_secret(ran.all_output(), SECRET);
}

#[test]
fn what_lies_in_the_project_is_sent_whatever_links_lead_there() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let project = project(&server);
    let odd = project.path("p/bodies").join(std::ffi::OsStr::from_bytes(b"caf\xE9"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("a.json"), "inside").unwrap();
    symlink(Path::new("../bodies").join(odd.file_name().unwrap()), project.path("p/collections/odd")).unwrap();
    let deep = "d/".repeat(200);
    fs::create_dir_all(project.path(&format!("p/bodies/{deep}"))).unwrap();
    fs::write(project.path(&format!("p/bodies/{deep}a.json")), "inside").unwrap();
    let paths = [
        "../bodies/a.json",
        "../bodies/./sub/../a.json",
        "inside",
        "to-sub/b.json",
        // As the system reads it: the folder above the link's target.
        "to-sub/../a.json",
        "odd/a.json",
        &format!("../bodies/{deep}a.json"),
        &format!("{}../bodies/a.json", "to-sub/../../collections/".repeat(20)),
    ];
    let text = collection(&paths.map(quoted));
    Runner::new().beside(&project).file("p/collections/c.yaml", text).args(RUN).run_passing();
    let bodies: Vec<String> = server.requests().iter().map(|request| request.text()).collect();
    assert_eq!(bodies, ["inside"; 8]);
}

/// Values that are known before the run decide at once; what only the run brings waits for it.
#[test]
fn a_path_that_the_environment_decides_is_looked_at_before_anything_is_sent() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let project = project(&server);
    let both = |path: &str| {
        let head = "variables: {given: secret, own: \"../../{{ given }}.json\", fresh: \"{{ uuid() }}\"}\n";
        format!(
            "{head}requests:\n  - url: \"{{{{ api_url }}}}\"\n  - url: \"{{{{ api_url }}}}\"\n    body: {{file: \"{path}\"}}\n"
        )
    };
    let cases: [(&str, &[&str], i32, usize, &str); 8] = [
        ("{{ where }}", &[], 6, 0, "`../../secret.json` lies outside"),
        ("{{ own }}", &[], 6, 0, "`../../secret.json` lies outside"),
        ("{{ own | replace(from='.json', to='') }}", &[], 6, 0, "`../../secret` lies outside"),
        ("{{ where }}", &["--var", "where=.env"], 6, 0, "`.env` is not read"),
        ("{{ where }}", &["--var", "where=gone"], 2, 0, "`gone` does not exist"),
        ("{{ fresh }}", &[], 1, 1, "does not exist"),
        ("{{ uuid() }}", &[], 1, 1, "does not exist"),
        ("../../{{ iteration }}", &[], 6, 1, "`../../1` lies outside"),
    ];
    for (path, more, exit, sent, told) in cases {
        let before = server.requests().len();
        let runner = Runner::new().beside(&project).file("p/collections/c.yaml", both(path)).args(RUN);
        let ran = runner.args(more.iter().copied()).run_unchecked();
        let came = (ran.exit, server.requests().len() - before);
        assert_eq!(came, (exit, sent), "{path} {more:?}: {}", ran.all_output());
        assert!(ran.all_output().contains(told), "{path} {more:?}: {}", ran.all_output());
    }
}

/// `--root` decides what is inside; the files that the system makes up are none of a project's, however high the root is.
#[test]
fn the_root_decides_and_the_system_s_own_files_stay_closed() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let project = project(&server);
    let folder = project.path("p/collections").canonicalize().unwrap();
    let up = "../".repeat(folder.components().count() - 1);
    let system = "is not read: it tells about this process or machine and is no file of the project";
    let mut cases = vec![
        ("..".to_owned(), "../../secret.json".to_owned(), 6, "lies outside of the project root"),
        ("p/collections".to_owned(), "../bodies/a.json".to_owned(), 6, "lies outside of the project root"),
        (".".to_owned(), "../../secret.json".to_owned(), 0, ""),
        ("/".to_owned(), format!("{up}dev/null"), 2, NOT_REGULAR),
    ];
    if cfg!(target_os = "linux") {
        for file in
            ["proc/self/environ", "proc/self/task/../environ", "proc/version", "sys/kernel/mm/transparent_hugepage/enabled"]
        {
            if Path::new("/").join(file).exists() {
                cases.push(("/".to_owned(), format!("{up}{file}"), 6, system));
            }
        }
        for link in ["proc/self/root/etc/passwd", "proc/self/cwd/p/bodies/a.json", "proc/self/exe"] {
            cases.push(("/".to_owned(), format!("{up}{link}"), 6, "lies outside of the project root `/`"));
        }
    }
    for (root, path, exit, told) in cases {
        let root = if root == ".." { "p".to_owned() } else { root };
        let text = collection(&[quoted(&path)]);
        let runner = Runner::new().beside(&project).file("p/collections/c.yaml", text);
        let ran =
            runner.args(["check", "p/collections/c.yaml", "--env", "p/environments/dev.yaml", "--root", &root]).run_unchecked();
        assert_eq!(ran.exit, exit, "{root} {path}: {}", ran.all_output());
        assert!(ran.all_output().contains(told), "{root} {path}: {}", ran.all_output());
    }
    assert_eq!(server.connections(), 0);
}

/// Mistakes in a needed file are shown with their lines: it is read as narrowly as a body.
#[test]
fn a_needed_collection_is_confined_too() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let environment = format!("variables: {{api_url: '{}', key: !file ../keys/secret.yaml}}\n", server.url());
    let project = project(&server)
        .file("p/environments/dev.yaml", environment)
        .file("p/keys/secret.yaml", format!("requests: [{{{SECRET}: 1}}]\n{SECRET}: {{\n"))
        .file("p/.hidden.yaml", SECRET)
        .file("p/collections/mine.local.yaml", SECRET)
        .file("p/collections/utf16.yaml", "x")
        .file("out.yaml", SECRET);
    symlink("../keys/secret.yaml", project.path("p/collections/link.yaml")).unwrap();
    symlink("../../out.yaml", project.path("p/collections/out.yaml")).unwrap();
    fs::hard_link(project.path("p/keys/secret.yaml"), project.path("p/collections/hard.yaml")).unwrap();
    fs::write(project.path("p/collections/utf16.yaml"), b"\xFF\xFEr\0").unwrap();
    mknodat(CWD, project.path("p/collections/pipe.yaml"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for (need, exit, rule) in [
        ("../../out.yaml", 6, OUTSIDE),
        ("out.yaml", 6, OUTSIDE),
        ("/etc/x.yaml", 6, ABSOLUTE),
        ("file:///x.yaml", 6, URL),
        ("../.hidden.yaml", 6, "is not read: `.hidden.yaml` starts with `.`"),
        ("mine.local.yaml", 6, "is not read: `mine.local.yaml` is named like a local file"),
        ("../environments/dev.yaml", 6, ENVIRONMENT),
        ("../environments/dev.local.yaml", 6, ENVIRONMENT),
        ("../keys/secret.yaml", 6, WITHHELD),
        ("link.yaml", 6, WITHHELD),
        ("hard.yaml", 6, WITHHELD),
        ("pipe.yaml", 2, NOT_REGULAR),
        ("missing.yaml", 2, "does not exist"),
        ("utf16.yaml", 2, "is UTF-16 text, expected UTF-8"),
    ] {
        let text = format!("needs: [{}]\nrequests: [{{url: \"{{{{ api_url }}}}\"}}]\n", quoted(need));
        let ran = Runner::new().beside(&project).file("p/collections/c.yaml", text).args(RUN).run_unchecked();
        let said = format!("error: the needed collection `{need}` {rule}\n --> p/collections/c.yaml:1:9\n");
        assert!(stderr(&ran).starts_with(&said), "{need}: {}", ran.all_output());
        assert_eq!(ran.exit, exit, "{need}: {}", ran.all_output());
        assert_no_secret(ran.all_output(), SECRET);
    }
    assert_eq!(server.connections(), 0);
}

/// The environment is trusted with its secrets, and yet held to the project; what it names is looked at by the check.
#[test]
fn what_an_environment_names_is_found_by_the_check() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let project = project(&server).file("out.yaml", "variables: {x: 1}\n").file("p/environments/bytes.pem", "x");
    fs::write(project.path("p/environments/bytes.pem"), b"a\xFF").unwrap();
    for (link, target) in [("out.pem", "../../secret.json"), ("out.yaml", "../../out.yaml"), ("base.yaml", "dev.local.yaml")] {
        symlink(target, project.path(&format!("p/environments/{link}"))).unwrap();
    }
    mknodat(CWD, project.path("p/environments/pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let file = |path: &str| format!("variables:\n  api_url: {}\n  key: !file {path}\n", server.url());
    let more = |line: &str| format!("variables: {{api_url: '{}', key: x}}\n{line}\n", server.url());
    let cases = [
        (file("../../secret.json"), 6, "the file `../../secret.json` of the variable `key` lies outside of the project root"),
        (file("/etc/passwd"), 6, "the file `/etc/passwd` of the variable `key` lies outside of the project root"),
        (file("out.pem"), 6, "the file `out.pem` of the variable `key` lies outside of the project root"),
        (file("pipe"), 2, "the file `pipe` of the variable `key` is a pipe, a socket or a device, expected a regular file"),
        (file("../keys"), 2, "the file `../keys` of the variable `key` is a folder, expected a file"),
        (
            file("bytes.pem"),
            2,
            "the file `bytes.pem` of the variable `key` is not UTF-8 text: first bad byte at line 1, column 2",
        ),
        (more("tls: {ca: missing.pem}"), 2, "the file of `tls.ca` does not exist"),
        (more("tls: {ca: bytes.pem}"), 2, "the file of `tls.ca` is not UTF-8 text"),
        (more("tls: {ca: pipe}"), 2, "the file of `tls.ca` is a pipe"),
        (more("tls: {cert: missing.pem, key: missing.key}"), 2, "the file of `tls.cert` does not exist"),
        (more("tls: {ca: ../keys/app.pem}"), 2, "`tls.ca` can't be used: expected certificates in PEM"),
        (more("extends: ../../out.yaml"), 6, "`extends: ../../out.yaml` leads out of the project"),
        (more("extends: out.yaml"), 6, "`extends: out.yaml` leads out of the project"),
        (more("extends: base.yaml"), 2, "`p/environments/base.yaml` is a local file and no environment of its own"),
        (more("extends: pipe"), 2, "the environment `p/environments/pipe` is a pipe"),
    ];
    let text = "requests: [{url: \"{{ api_url }}\"}, {url: \"{{ api_url }}\", headers: {A: \"{{ key }}\"}}]\n";
    for (environment, exit, told) in cases {
        for check in [true, false] {
            let runner = Runner::new().beside(&project).file("p/environments/dev.yaml", &environment);
            let runner = if check { runner.arg("check") } else { runner };
            let ran = runner.file("p/collections/c.yaml", text).args(RUN).run_unchecked();
            assert!(stderr(&ran).starts_with(&format!("error: {told}")), "{environment}: {}", ran.all_output());
            assert!(ran.raw_stderr.contains("\n --> p/environments/dev.yaml:"), "{environment}: {}", ran.all_output());
            assert_eq!(ran.exit, exit, "{environment}: {}", ran.all_output());
            assert_no_secret(ran.all_output(), SECRET);
        }
    }
    // What no request reads is not opened; what the command line replaces is not either.
    let unread = "requests: [{url: \"{{ api_url }}\"}]\n";
    Runner::new()
        .beside(&project)
        .file("p/environments/dev.yaml", file("pipe"))
        .file("p/collections/c.yaml", unread)
        .args(RUN)
        .run_passing();
    let outside =
        Runner::new().beside(&project).file("p/environments/dev.yaml", file("../../secret.json")).args(RUN).run_unchecked();
    assert_eq!(outside.exit, 6, "{}", outside.all_output());
    let pem = crate::support::tls::self_signed().pem().to_owned();
    Runner::new()
        .beside(&project)
        .file("p/environments/dev.yaml", more("tls: {ca: missing.pem}"))
        .file("p/ca.pem", pem)
        .args(RUN)
        .args(["--cacert", "p/ca.pem"])
        .run_passing();
    assert_eq!(server.connections(), 2);
}

/// A mistake in it would show a line of it.
#[test]
fn a_folder_of_collections_is_searched_past_local_files() {
    let server = Server::start(|_| Answer::text(200, "ok"));
    let text = format!("requests: [{{url: '{}'}}]\n", server.url());
    let runner = Runner::new().file("all/c.yaml", text).file("all/mine.local.yaml", format!("a: {{ {SECRET}"));
    let ran = runner.file("all/Environments/dev.yaml", format!("b: [ {SECRET}")).args(["all"]).run_passing();
    assert_no_secret(ran.all_output(), SECRET);
    assert_eq!(server.connections(), 1);
}

/// As few descriptors as there may be: an error, and no other file.
#[test]
fn without_descriptors_left_nothing_is_read() {
    let deep = "d/".repeat(100);
    let text = format!("requests: [{{url: 'http://127.0.0.1:9', body: {{file: {deep}a.json}}}}]\n");
    let project = Runner::new().file("c.yaml", text).file(&format!("{deep}a.json"), "inside");
    let script = format!("ulimit -n 40; exec {} check c.yaml", env!("CARGO_BIN_EXE_runner"));
    let ran = Runner::of("sh").beside(&project).args(["-c", &script]).run_unchecked();
    assert_eq!(ran.exit, 2, "{}", ran.all_output());
    assert!(ran.raw_stderr.contains("can't be read: ") && ran.raw_stderr.contains("(os error 24)"), "{}", ran.all_output());
}

/// A path of megabytes is refused by its length, and not repeated.
#[test]
fn a_path_of_any_length_costs_nothing() {
    let path = "a/../".repeat(100_000) + "a.json";
    let text = format!("requests: [{{url: 'http://127.0.0.1:9', body: {{file: {path}}}}}]\n");
    let ran = Runner::new().file("c.yaml", text).file("a/x", "").args(["check", "c.yaml"]).run_unchecked();
    assert_eq!(ran.exit, 2);
    assert!(ran.raw_stderr.len() < 2_000, "{} bytes", ran.raw_stderr.len());
    assert!(ran.raw_stderr.contains("…` can't be read: File name too long"), "{}", ran.raw_stderr);
}

/// Turns what lies at a path from a file into a link out of the project and back, as fast as it can, until it goes out of scope.
struct Swapper<'s> {
    stop: &'s AtomicBool,
}

impl Drop for Swapper<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn swap(folder: &Path, stop: &AtomicBool, swaps: &AtomicUsize) {
    let at = |name: &str| folder.join(name);
    while !stop.load(Ordering::SeqCst) {
        // The file itself, a folder on the way, and a folder that is moved out while someone is in it.
        symlink("../out/secret", at("next")).unwrap();
        fs::rename(at("next"), at("file")).unwrap();
        fs::rename(at("folder"), at("kept")).unwrap();
        symlink("../out", at("folder")).unwrap();
        fs::rename(at("moved"), folder.with_file_name("away")).unwrap();
        fs::write(at("next"), "inside").unwrap();
        fs::rename(at("next"), at("file")).unwrap();
        fs::remove_file(at("folder")).unwrap();
        fs::rename(at("kept"), at("folder")).unwrap();
        fs::rename(folder.with_file_name("away"), at("moved")).unwrap();
        swaps.fetch_add(6, Ordering::SeqCst);
    }
}

#[test]
fn nothing_that_is_swapped_meanwhile_leads_out() {
    const SWAPS: usize = 3_000;
    const OPENS: usize = 3_000;
    let project = Runner::new()
        .file("p/file", "inside")
        .file("p/folder/secret", "inside")
        .file("p/moved/x", "inside")
        .file("p/environments/dev.yaml", "variables: {api_url: 'http://127.0.0.1:9'}\n")
        .file("out/secret", "outside")
        .file("out/file", "outside")
        .file("secret", "outside");
    let folder = project.path("p").canonicalize().unwrap();
    let root = Root::find(&folder, None).unwrap();
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut read, mut refused) = (0, 0);
    thread::scope(|scope| {
        let _swapper = Swapper { stop: &stop };
        scope.spawn(|| swap(&folder, &stop, &swaps));
        let mut rounds = 0;
        while rounds < 1_000_000 && (rounds < OPENS || swaps.load(Ordering::SeqCst) < SWAPS || read == 0 || refused == 0) {
            rounds += 1;
            let opened = match rounds % 4 {
                0 => root.open(&folder, "file").map_err(|refusal| refusal.rule),
                1 => root.open(&folder, "folder/secret").map_err(|refusal| refusal.rule),
                2 => root.open(&folder, "moved/../../secret").map_err(|refusal| refusal.rule),
                _ => root.open_for_environment(&folder.join("file")),
            };
            match opened {
                Ok(mut opened) => {
                    assert_eq!(opened.text().unwrap(), "inside", "round {rounds}");
                    read += 1;
                }
                Err(Rule::Outside(_)) => refused += 1,
                // Caught between two states.
                Err(_) => {}
            }
        }
        // The program itself, while it goes on.
        for _ in 0..5 {
            let text = "requests: [{url: 'http://127.0.0.1:9', body: {file: file}}, {url: 'http://127.0.0.1:9', body: {file: \
                        folder/secret}}]\n";
            let ran = Runner::new().beside(&project).file("p/c.yaml", text).args(["check", "p/c.yaml"]).run_unchecked();
            assert!(matches!(ran.exit, 0 | 2 | 6), "{}", ran.all_output());
        }
    });
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused: no race was run");
}
