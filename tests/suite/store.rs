//! What runs keep in the local file: when it is there, what else in the file survives, and what happens when it can't be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::git::index_of;
use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};

pub(crate) const LOCAL: &str = "environments/dev.local.yaml";
pub(crate) const TOKEN: &str = "token-from-the-answer";

/// Asks for a token, stores it, uses it.
pub(crate) const COLLECTION: &str = "
    requests:
      - name: Get
        url: \"{{ api_url }}/token\"
        store: {access_token: $.access_token, expires_at: $.expires_at}
      - name: Use
        url: \"{{ api_url }}/use\"
        auth: {bearer: \"{{ access_token }}\"}
      - name: Tidy
        always: true
        url: \"{{ api_url }}/tidy\"
        auth: {bearer: \"{{ access_token }}\"}
    ";

pub(crate) const TOKEN_ANSWER: &str =
    r#"{"access_token":"token-from-the-answer","expires_at":12345,"refresh_token":"refresh-from-answer"}"#;

pub(crate) fn server() -> Server {
    Server::start(|request| if request.path == "/token" { Answer::json(200, TOKEN_ANSWER) } else { Answer::json(200, "{}") })
}

pub(crate) const IGNORED: &str = "*.local.*\n.*.lock\n";

pub(crate) fn project(server: &Server, collection: &str) -> Runner {
    new_project(server, collection).file("environments/.gitignore", IGNORED)
}

/// One in which nothing was stored yet.
pub(crate) fn new_project(server: &Server, collection: &str) -> Runner {
    let environment = format!("variables:\n  api_url: {}\n", server.url());
    Runner::new().file("environments/dev.yaml", environment).file("c.yaml", collection).args(["c.yaml", "--env", "dev"])
}

/// A project whose server looks at, or changes, the local file while it answers: the file is known when the project is made.
fn with_file(collection: &str, answer: impl Fn(&str, &PathBuf) -> Answer + Send + Sync + 'static) -> (Runner, Server) {
    let path = Arc::new(Mutex::new(PathBuf::new()));
    let shared = Arc::clone(&path);
    let server = Server::start(move |request| answer(&request.path, &shared.lock().unwrap()));
    let runner = project(&server, collection);
    *path.lock().unwrap() = runner.path(LOCAL);
    (runner, server)
}

fn mode(ran: &Ran, path: &str) -> u32 {
    fs::metadata(ran.path(path)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_value_is_on_disk_before_the_next_request_starts() {
    let seen = Arc::new(Mutex::new(String::new()));
    let saw = Arc::clone(&seen);
    let (runner, server) = with_file(COLLECTION, move |path, local| match path {
        "/token" => Answer::json(200, TOKEN_ANSWER),
        "/use" => {
            *saw.lock().unwrap() = fs::read_to_string(local).unwrap_or_default();
            Answer::json(200, "{}")
        }
        _ => Answer::json(200, "{}"),
    });
    let expected = "
        ✓ GET    Get                               200 [duration]
          stored access_token, expires_at in environments/dev.local.yaml
        ✓ GET    Use                               200 [duration]
        ✓ GET    Tidy                              200 [duration]

        3 requests: 3 passed in [duration]
        ";
    let ran = runner.expect_stdout(expected).run();
    assert_eq!(*seen.lock().unwrap(), "stored:\n  access_token: token-from-the-answer\n  expires_at: 12345\n");
    assert_eq!(server.requests()[1].header("authorization"), Some("Bearer token-from-the-answer"));
    assert_eq!(ran.read(LOCAL), *seen.lock().unwrap());
    assert_eq!(mode(&ran, LOCAL), 0o600);
    assert_eq!(
        ran.files(),
        ["c.yaml", "environments/.dev.local.lock", "environments/.gitignore", LOCAL, "environments/dev.yaml"]
    );
    assert_no_secret(ran.all_output(), TOKEN);
}

#[test]
fn the_next_run_uses_what_was_stored() {
    let server = server();
    let ran = project(&server, COLLECTION).run_passing();
    let next = "requests: [{url: '{{ api_url }}/use', auth: {bearer: '{{ access_token }}'}, query: {at: '{{ expires_at }}'}}]";
    ran.again().file("c.yaml", next).args(["c.yaml", "--env", "dev"]).run_passing();
    let last = server.requests().pop().unwrap();
    assert_eq!((last.line().as_str(), last.header("authorization")), ("GET /use?at=12345", Some("Bearer token-from-the-answer")));
}

/// The bytes, comments and order of what was there; only the changed values differ.
#[test]
fn everything_else_in_the_file_is_kept() {
    for (what, before, after) in [
        (
            "comments, quoting, order, blank lines",
            "# mine\nvariables:   # a word\n    name: 'it''s'\n\n    list: [aaaa,   bbbb]\nstored:\n  # kept\n  other: \"1\"   # why\n  \
             access_token: old   # note\n  expires_at: 1\n# end\n",
            "# mine\nvariables:   # a word\n    name: 'it''s'\n\n    list: [aaaa,   bbbb]\nstored:\n  # kept\n  other: \"1\"   # why\n  \
             access_token: token-from-the-answer   # note\n  expires_at: 12345\n# end\n",
        ),
        (
            "a section behind",
            "stored:\n  access_token: old\n\ntokens:\n  box: {access_token: abcdef}\n",
            "stored:\n  access_token: token-from-the-answer\n  expires_at: 12345\n\ntokens:\n  box: {access_token: abcdef}\n",
        ),
        (
            "a map in one line",
            "stored: {access_token: old, x: 1}\n",
            "stored: {access_token: token-from-the-answer, x: 1, expires_at: 12345}\n",
        ),
        ("nothing below", "stored:\n", "stored:\n  access_token: token-from-the-answer\n  expires_at: 12345\n"),
        ("only a comment", "# mine\n", "# mine\nstored:\n  access_token: token-from-the-answer\n  expires_at: 12345\n"),
        (
            "Windows line ends, none at the end",
            "variables:\r\n  a: 1\r\nstored:\r\n  access_token: old",
            "variables:\r\n  a: 1\r\nstored:\r\n  access_token: token-from-the-answer\r\n  expires_at: 12345",
        ),
    ] {
        let server = server();
        let ran = project(&server, COLLECTION).file(LOCAL, before).run_passing();
        assert_eq!(ran.read(LOCAL), after, "{what}");
    }
}

#[test]
fn what_someone_edits_meanwhile_survives() {
    let (runner, _server) = with_file(COLLECTION, |path, local| {
        if path == "/token" {
            fs::write(local, "# edited while the request was out\nvariables:\n  new: 1\nstored:\n  mine: 2\n").unwrap();
            return Answer::json(200, TOKEN_ANSWER);
        }
        Answer::json(200, "{}")
    });
    let ran = runner.file(LOCAL, "variables:\n  old: 1\n").run_passing();
    assert_eq!(
        ran.read(LOCAL),
        "# edited while the request was out\nvariables:\n  new: 1\nstored:\n  mine: 2\n  access_token: token-from-the-answer\n  \
         expires_at: 12345\n"
    );
}

#[test]
fn a_file_that_became_unreadable_meanwhile_is_left_alone() {
    for broken in ["stored: [not, a, map]\n", "stored: {a: 1\n", "{{{{", "- a\n"] {
        let (runner, server) = with_file(COLLECTION, move |path, local| {
            if path == "/token" {
                fs::write(local, broken).unwrap();
                return Answer::json(200, TOKEN_ANSWER);
            }
            Answer::json(200, "{}")
        });
        let ran = runner.run_unchecked();
        assert_eq!(ran.exit, 5, "{broken}\n{}", ran.all_output());
        assert_eq!(ran.read(LOCAL), broken);
        assert_eq!(server.lines(), ["GET /token", "GET /tidy"], "{broken}");
        assert_no_secret(ran.all_output(), TOKEN);
    }
}

#[test]
fn a_mode_that_lets_others_read_is_told_and_mended() {
    let server = server();
    let runner = project(&server, COLLECTION).file(LOCAL, "variables: {a: secret-of-mine}\n");
    fs::set_permissions(runner.path(LOCAL), Permissions::from_mode(0o644)).unwrap();
    let warning = "
        warning: `environments/dev.local.yaml` can be read by others on this machine
          = help: chmod 600 environments/dev.local.yaml (the next save does it)
        ";
    let ran = runner.run_unchecked();
    assert_eq!((ran.exit, ran.stderr.trim_end()), (0, crate::support::runner::unindented(warning).trim_end()));
    assert_eq!(mode(&ran, LOCAL), 0o600);
    let again = ran.again().args(["c.yaml", "--env", "dev"]).run_unchecked();
    assert_eq!((again.exit, again.stderr.as_str()), (0, ""));
    // A stricter one stays as it is.
    fs::set_permissions(again.path(LOCAL), Permissions::from_mode(0o400)).unwrap();
    let strict = again.again().args(["c.yaml", "--env", "dev"]).run_passing();
    assert_eq!(mode(&strict, LOCAL), 0o400);
}

fn write(runner: &Runner, path: &str, bytes: &[u8]) {
    let path = runner.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_gitignore_is_made_once_and_said() {
    let server = server();
    let ran = new_project(&server, COLLECTION).file(".git/HEAD", "ref: refs/heads/main\n").run_unchecked();
    let note = "note: made `environments/.gitignore`, so that git leaves local files alone\n";
    assert_eq!((ran.exit, ran.stderr.trim_start()), (0, note));
    assert_eq!(ran.read("environments/.gitignore"), IGNORED);
    assert!(ran.exists(LOCAL));
    ran.again().args(["c.yaml", "--env", "dev"]).run_passing();
    // Nothing is made by a run that stores nothing.
    let nothing = "requests: [{url: '{{ api_url }}/use'}]";
    let ran = new_project(&server, nothing).run_passing();
    assert_eq!(ran.files(), ["c.yaml", "environments/dev.yaml"]);
}

#[test]
fn a_file_that_git_would_take_is_not_written() {
    let server = server();
    let runner =
        project(&server, COLLECTION).file(".git/HEAD", "ref: refs/heads/main\n").file("environments/.gitignore", "# mine\n");
    let expected = "
        ! GET    Get                               refused
          error: `environments/dev.local.yaml` is not ignored by git, so no secret is written to it
           --> c.yaml:4:13
            |
          4 |     store: {access_token: $.access_token, expires_at: $.expires_at}
            |             ^^^^^^^^^^^^
            |
            = help: add this line to the .gitignore beside it: *.local.*
            = help: `--no-save` keeps the values of a run in memory only
        - GET    Use                               skipped: a value could not be saved before
        - GET    Tidy                              skipped: needs `access_token`, which `Get` should have captured

        3 requests: 1 errored, 2 skipped in [duration]
        ";
    let ran = runner.expect_exit(6).expect_stdout(expected).run();
    // Nothing was spent on a value that can't be kept.
    assert_eq!((ran.exists(LOCAL), server.connections()), (false, 0));
    assert_eq!(ran.read("environments/.gitignore"), "# mine\n");
    // With the line it works.
    let again = ran.again().file("environments/.gitignore", "# mine\n*.local.*\n").args(["c.yaml", "--env", "dev"]).run_passing();
    assert!(again.read(LOCAL).contains(TOKEN));
}

#[test]
fn a_file_that_git_tracks_is_neither_read_nor_written() {
    let server = server();
    let runner = project(&server, COLLECTION).file(".git/HEAD", "ref: refs/heads/main\n").file(LOCAL, "variables: {a: 1}\n");
    write(&runner, ".git/index", &index_of(LOCAL));
    let expected = "
        error: `environments/dev.local.yaml` holds secrets and is tracked by git
          = help: take it out of the index: git rm --cached environments/dev.local.yaml
          = help: and change the secrets where they come from if it was ever pushed
        ";
    let ran = runner.run_unchecked();
    let flat = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((ran.exit, flat(&ran.stderr)), (6, flat(&crate::support::runner::unindented(expected))));
    assert_eq!(server.connections(), 0);
    // In the index and gone from the folder: a save would bring it back into git's sight.
    let runner = project(&server, COLLECTION).file(".git/HEAD", "ref: refs/heads/main\n");
    write(&runner, ".git/index", &index_of(LOCAL));
    let ran = runner.run_unchecked();
    assert_eq!(ran.exit, 6, "{}", ran.all_output());
    assert!(ran.stdout.contains("is tracked by git, so no secret is written to it"), "{}", ran.stdout);
    assert!(!ran.exists(LOCAL));
}

#[test]
fn a_link_in_the_place_of_the_file_is_refused() {
    let server = server();
    let runner = project(&server, COLLECTION).file("elsewhere.yaml", "variables: {a: 1}\n");
    symlink(runner.path("elsewhere.yaml"), runner.path(LOCAL)).unwrap();
    let ran = runner.run_unchecked();
    assert_eq!((ran.exit, server.connections()), (6, 0), "{}", ran.all_output());
    assert_eq!(ran.read("elsewhere.yaml"), "variables: {a: 1}\n");
    // One that comes while the request is out.
    let (runner, server) = with_file(COLLECTION, |path, local| {
        if path == "/token" {
            symlink(local.with_file_name("elsewhere.yaml"), local).unwrap();
            return Answer::json(200, TOKEN_ANSWER);
        }
        Answer::json(200, "{}")
    });
    let ran = runner.file("environments/elsewhere.yaml", "a: 1\n").run_unchecked();
    assert_eq!((ran.exit, server.lines().len()), (5, 2), "{}", ran.all_output());
    assert_eq!(ran.read("environments/elsewhere.yaml"), "a: 1\n");
}

/// The old file is intact and nothing temporary is left.
#[track_caller]
fn assert_unsaved(what: &str, ran: &Ran, before: &str) {
    assert_eq!(ran.exit, 5, "{what}\n{}", ran.all_output());
    assert_eq!(ran.read(LOCAL), before, "{what}");
    let files = ran.files();
    let left: Vec<&String> = files.iter().filter(|file| file.contains("/.dev.local.yaml") || file.contains("probe")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
    assert!(ran.stdout.contains("can't save to `environments/dev.local.yaml`: "), "{what}\n{}", ran.stdout);
    assert!(ran.stdout.contains("`--no-save` keeps the values of a run in memory only"), "{what}\n{}", ran.stdout);
    assert_no_secret(ran.all_output(), TOKEN);
}

/// The run of a project in which no file may be longer than this many blocks, whoever the user is: what a full disk looks like.
fn limited(project: Runner, blocks: u32) -> Ran {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {} c.yaml --env dev", env!("CARGO_BIN_EXE_runner"));
    Runner::of("sh").beside(&project).args(["-c", &script]).run_unchecked()
}

/// What is known before the request is sent: a code or a refresh token is not spent on a value that can't be kept.
#[test]
fn nothing_is_asked_for_that_can_not_be_saved() {
    let (server, before) = (server(), "variables: {a: 1}\n");
    let runner = project(&server, COLLECTION).file(LOCAL, before).file("environments/.dev.local.lock/x", "");
    assert_unsaved("a folder where the lock should be", &runner.run_unchecked(), before);
    let ran = limited(project(&server, COLLECTION).file(LOCAL, before), 0);
    assert_unsaved("a full disk", &ran, before);
    if !rustix::process::geteuid().is_root() {
        let runner = project(&server, COLLECTION).file(LOCAL, before);
        let folder = runner.path("environments");
        fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
        let ran = runner.run_unchecked();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        assert_unsaved("a folder that can't be written", &ran, before);
    }
    assert_eq!(server.connections(), 0);
}

/// What is known only when the answer is there: after it just the request that is always sent follows, and it has the value.
#[test]
fn a_save_that_fails_leaves_the_old_file_and_stops_the_run() {
    // Longer than the limit, which the lock is not.
    let before = format!("variables: {{a: 1}}\n{}", "# a line of mine\n".repeat(200));
    let server_of_disk = server();
    let full = limited(project(&server_of_disk, COLLECTION).file(LOCAL, &before), 1);
    let (runner, server_of_lock) = with_file(COLLECTION, |path, local| {
        if path == "/token" {
            let lock = local.with_file_name(".dev.local.lock");
            let _ = fs::remove_file(&lock);
            fs::create_dir(&lock).unwrap();
            return Answer::json(200, TOKEN_ANSWER);
        }
        Answer::json(200, "{}")
    });
    let locked = runner.file(LOCAL, &before).run_unchecked();
    for (what, ran, server) in [("a full disk", full, server_of_disk), ("a lock that is gone", locked, server_of_lock)] {
        assert_unsaved(what, &ran, &before);
        assert_eq!(server.lines(), ["GET /token", "GET /tidy"], "{what}");
        assert_eq!(server.requests()[1].header("authorization"), Some("Bearer token-from-the-answer"), "{what}");
    }
}

#[test]
fn with_no_save_values_live_for_the_run() {
    let server = server();
    let ran = new_project(&server, COLLECTION).arg("--no-save").run_passing();
    assert_eq!(ran.files(), ["c.yaml", "environments/dev.yaml"]);
    assert_eq!(server.requests()[1].header("authorization"), Some("Bearer token-from-the-answer"));
    assert!(!ran.stdout.contains("dev.local.yaml"), "{}", ran.stdout);
    // A refresh token may be good for one use only.
    let refresh = "requests: [{url: '{{ api_url }}/token', store: {refresh_token: $.refresh_token}}]";
    let ran = project(&server, refresh).arg("--no-save").run_unchecked();
    assert_eq!(ran.exit, 0);
    assert!(ran.stderr.contains("warning: `refresh_token` is not saved because of `--no-save`"), "{}", ran.stdout);
    assert!(ran.stderr.contains("a refresh token that can be used once is lost with this run"), "{}", ran.stderr);
}

#[test]
fn without_an_environment_there_is_nowhere_to_store() {
    let server = server();
    let collection = format!("requests: [{{url: {}/token, store: {{a: $.access_token}}}}]", server.url());
    let runner = || Runner::new().file("c.yaml", &collection).arg("c.yaml");
    let ran = runner().run_unchecked();
    assert_eq!((ran.exit, server.connections()), (2, 0));
    assert!(ran.stderr.contains("there is no environment to store `a` in"), "{}", ran.stderr);
    let ran = runner().arg("--no-save").run_passing();
    assert_eq!(ran.files(), ["c.yaml"]);
}

#[test]
fn a_fresh_start_uses_nothing_stored_and_replaces_it() {
    let server = server();
    let collection = "
        requests:
          - {name: Get, when: access_token is undefined, url: '{{ api_url }}/token', store: {access_token: $.access_token}}
          - {name: Use, url: '{{ api_url }}/use', auth: {bearer: '{{ access_token }}'}}
        ";
    let before = "stored:\n  access_token: token-of-old\n  other: kept\n";
    let ran = project(&server, collection).file(LOCAL, before).run_passing();
    assert_eq!(server.lines(), ["GET /use"]);
    let fresh = ran.again().args(["c.yaml", "--env", "dev", "--fresh-token"]).run_passing();
    assert_eq!(server.lines(), ["GET /use", "GET /token", "GET /use"]);
    assert_eq!(fresh.read(LOCAL), "stored:\n  access_token: token-from-the-answer\n  other: kept\n");
    assert_no_secret(fresh.all_output(), "token-of-old");
}

#[test]
fn a_secret_is_marked_unless_its_name_says_so() {
    let server = server();
    let collection = "
        requests:
          - url: '{{ api_url }}/token'
            store:
              access_token: $.access_token
              session: {json: $.refresh_token}
              marked: {value: some-text, secret: true}
              page_token: {value: next-page, secret: false}
              text: {value: '{{ \"plain\" }}'}
              count: {status: true}
              session_key: {status: true}
        ";
    let collection = collection.replace("{value: some-text, secret: true}", "{value: '{{ \"some-text\" }}', secret: true}");
    let collection = collection.replace("{value: next-page, secret: false}", "{value: '{{ \"next-page\" }}', secret: false}");
    let ran = project(&server, &collection).run_passing();
    assert_eq!(
        ran.read(LOCAL),
        "stored:\n  access_token: token-from-the-answer\n  session: !secret refresh-from-answer\n  marked: !secret some-text\n  \
         page_token: !plain next-page\n  text: plain\n  count: 200\n  session_key: 200\n"
    );
    // The next run reads the marks: what is secret is masked, what is plain is shown.
    let next = "
        requests:
          - {url: '{{ api_url }}/use', query: {a: '{{ session }}', b: '{{ marked }}', c: '{{ page_token }}', d: '{{ text }}'}}
        ";
    let next = ran.again().file("c.yaml", next).args(["c.yaml", "--env", "dev", "-v"]).run_passing();
    assert!(next.stdout.contains("/use?a=***&b=***&c=next-page&d=plain"), "{}", next.stdout);
}

#[test]
fn values_keep_their_type() {
    let server = Server::start(|_| {
        Answer::json(
            200,
            r#"{"n":1.50,"big":12345678901234567890,"t":"true","d":"2024-01-01","z":"007","e":"","nl":"a\nb: c # d","l":[1,"x"],"m":{"a":null}}"#,
        )
    });
    let names = ["n", "big", "t", "d", "z", "e", "nl", "l", "m"];
    let stores: Vec<String> = names.iter().map(|name| format!("{name}: $.{name}")).collect();
    let collection = format!("requests: [{{url: '{{{{ api_url }}}}/', store: {{{}}}}}]", stores.join(", "));
    let ran = project(&server, &collection).run_passing();
    let body: Vec<String> = names.iter().map(|name| format!("{name}: '{{{{ {name} }}}}'")).collect();
    let next = format!("requests: [{{url: '{{{{ api_url }}}}/', json: {{{}}}}}]", body.join(", "));
    ran.again().file("c.yaml", next).args(["c.yaml", "--env", "dev"]).run_passing();
    let sent: serde_json::Value = serde_json::from_str(&server.requests()[1].text()).unwrap();
    let expected: serde_json::Value = serde_json::from_str(
        r#"{"n":1.50,"big":12345678901234567890,"t":"true","d":"2024-01-01","z":"007","e":"","nl":"a\nb: c # d","l":[1,"x"],"m":{"a":null}}"#,
    )
    .unwrap();
    assert_eq!(sent, expected, "{}", ran.read(LOCAL));
}

#[test]
fn nothing_is_stored_when_the_status_is_not_the_expected_one() {
    for (status, assert, stored) in
        [(400, "", false), (201, "assert: {status: 200}, ", false), (400, "assert: {status: 400}, ", true)]
    {
        let server = Server::start(move |_| Answer::json(status, TOKEN_ANSWER));
        let collection = format!(
            "requests:\n  - {{url: '{{{{ api_url }}}}/token', {assert}store: {{access_token: $.access_token}}, \
             capture: {{at: $.expires_at}}}}\n  - {{url: '{{{{ api_url }}}}/use', query: {{at: '{{{{ at }}}}'}}, assert: {{status: [{status}]}}}}\n"
        );
        let ran = project(&server, &collection).run_unchecked();
        assert_eq!((ran.exit, ran.exists(LOCAL)), (i32::from(!stored), stored), "{status} {assert}\n{}", ran.all_output());
        assert_eq!(server.lines(), ["GET /token", "GET /use?at=12345"]);
        assert_no_secret(ran.all_output(), TOKEN);
    }
}

#[test]
fn captures_and_stores_are_kept_when_an_assertion_fails() {
    let server = server();
    let collection = "
        requests:
          - name: Get
            url: '{{ api_url }}/token'
            assert: {json: {$.expires_at: 1}}
            capture: {at: $.expires_at}
            store: {access_token: $.access_token}
          - {name: Use, url: '{{ api_url }}/use', query: {at: '{{ at }}'}, auth: {bearer: '{{ access_token }}'}}
        ";
    let ran = project(&server, collection).run_unchecked();
    assert_eq!(ran.exit, 1, "{}", ran.all_output());
    assert_eq!(ran.read(LOCAL), "stored:\n  access_token: token-from-the-answer\n");
    assert_eq!(server.lines(), ["GET /token", "GET /use?at=12345"]);
}

/// One path that finds nothing fails the request after the rest is saved, all of it in one save.
#[test]
fn a_value_that_is_not_there_does_not_lose_the_others() {
    let server = server();
    let collection = "
        requests:
          - {name: Get, url: '{{ api_url }}/token', store: {a_token: $.access_token, b_token: $.none, c: $.expires_at}}
          - {name: Use, url: '{{ api_url }}/use', query: {c: '{{ c }}'}}
          - {name: Miss, url: '{{ api_url }}/miss', auth: {bearer: '{{ b_token }}'}}
        ";
    let ran = project(&server, collection).run_unchecked();
    assert_eq!(ran.exit, 1, "{}", ran.all_output());
    assert_eq!(ran.read(LOCAL), "stored:\n  a_token: token-from-the-answer\n  c: 12345\n");
    assert_eq!(server.lines(), ["GET /token", "GET /use?c=12345"]);
}

#[test]
fn a_name_of_the_environment_is_not_stored() {
    let server = server();
    let environment = format!("variables: {{api_url: '{}', mine: 1, open: , hidden: !secret }}\n", server.url());
    let collection = |name: &str| format!("requests: [{{url: '{{{{ api_url }}}}/token', store: {{{name}: $.access_token}}}}]");
    for (name, local, arguments, exit) in [
        ("mine", "", "", 2),
        ("api_url", "", "", 2),
        ("theirs", "variables: {theirs: x}", "", 2),
        ("open", "", "", 0),
        ("hidden", "", "", 0),
        ("open", "", "--var=open=1", 0),
    ] {
        let runner = project(&server, &collection(name)).file("environments/dev.yaml", &environment).file(LOCAL, local);
        let ran = if arguments.is_empty() { runner } else { runner.arg(arguments) }.run_unchecked();
        assert_eq!(ran.exit, exit, "{name}\n{}", ran.all_output());
        let told = format!("`{name}` can't be stored: the environment gives it a value");
        assert_eq!(ran.stderr.contains(&told), exit == 2, "{name}\n{}", ran.stderr);
    }
}

/// Killed at any moment, a run leaves the old file or the new one, whole.
#[test]
fn a_killed_run_leaves_a_whole_file() {
    const ROUNDS: u64 = 20;
    let server = Server::start(|request| Answer::json(200, format!("{{\"v\":\"{}\"}}", request.path.repeat(400))));
    let requests: String = (0..60)
        .map(|n| format!("  - {{url: '{{{{ api_url }}}}/{n}', store: {{a: $.v, b: {{value: '{{{{ response.json.v }}}}'}}}}}}\n"))
        .collect();
    let padding: String = (0..200).map(|n| format!("  # line {n} of mine\n")).collect();
    let before = format!("variables:\n  mine: 1\n{padding}stored:\n  a: old\n  b: old\n# end\n");
    let head = before.split("  a:").next().unwrap().to_owned();
    let runner = project(&server, &format!("requests:\n{requests}")).file(LOCAL, &before);
    let mut saves = 0;
    for round in 0..ROUNDS {
        let mut running = Runner::new().beside(&runner).args(["c.yaml", "--env", "dev"]).spawn();
        // From the first answer to the middle of many, at another moment of a save each time.
        let seen = server.lines().len() + 1 + usize::try_from(round).unwrap();
        for _ in 0..100_000 {
            if server.lines().len() >= seen {
                break;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_micros(round * 370 % 3_000));
        running.kill();
        let ran = running.end();
        let local = ran.read(LOCAL);
        let rest = local.strip_prefix(&head).unwrap_or_else(|| panic!("round {round}: the head is gone\n{local}"));
        let rest = rest.strip_suffix("# end\n").unwrap_or_else(|| panic!("round {round}: the end is gone\n{rest}"));
        let values: Vec<&str> = rest.lines().filter_map(|line| line.trim().split_once(": ")).map(|(_, value)| value).collect();
        assert_eq!(values.len(), 2, "round {round}\n{rest}");
        assert_eq!(values[0], values[1], "round {round}: half of a save");
        saves += usize::from(values[0] != "old");
    }
    assert!(saves > 0, "no round reached a save");
    // The lock that the killed left behind stops nobody, and what else they left git leaves alone.
    let ran = Runner::new().beside(&runner).args(["c.yaml", "--env", "dev"]).run_passing();
    let left = ran.files().into_iter().filter(|file| !matches!(file.as_str(), "c.yaml" | "environments/dev.yaml"));
    let taken: Vec<String> = left.filter(|file| !file.contains(".local.") && !file.ends_with(".gitignore")).collect();
    assert_eq!(taken, [""; 0]);
}

#[test]
fn an_index_that_can_not_be_read_lets_nothing_be_written() {
    let server = server();
    let runner = project(&server, COLLECTION).file(".git/HEAD", "ref: refs/heads/main\n");
    write(&runner, ".git/index", b"DIRC\0\0\0\x09\0\0\0\0");
    let ran = runner.run_unchecked();
    assert_eq!((ran.exit, ran.exists(LOCAL), server.connections()), (5, false, 0), "{}", ran.all_output());
    assert!(ran.stdout.contains("git's index has the unknown version 9"), "{}", ran.stdout);
}

/// Wherever the environment lies, what belongs to it lies beside it.
#[test]
fn the_local_file_lies_beside_its_environment() {
    let server = server();
    let environment = format!("variables: {{api_url: '{}'}}\n", server.url());
    let runner = Runner::new().file("elsewhere/mine.yaml", environment).file("deep/c.yaml", COLLECTION);
    let ran = runner.args(["deep/c.yaml", "--env", "elsewhere/mine.yaml"]).run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    assert_eq!(
        ran.files(),
        ["deep/c.yaml", "elsewhere/.gitignore", "elsewhere/.mine.local.lock", "elsewhere/mine.local.yaml", "elsewhere/mine.yaml"]
    );
}
