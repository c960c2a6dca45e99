//! Which requests run, in which order, what they see of one another, and what the whole run comes to.

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

/// Answers every path with its last part: `{"id": "a"}`; `/status/NUMBER…` with that status.
fn server() -> Server {
    Server::start(|request| {
        let mut parts = request.path.split('/').skip(1);
        let status = match parts.next() {
            Some("status") => parts.next().and_then(|number| number.parse().ok()).unwrap_or(500),
            _ => 200,
        };
        let last = request.path.rsplit('/').next().unwrap_or_default();
        Answer::json(status, format!("{{\"id\": \"{last}\"}}"))
    })
}

/// A run in a project whose environment `dev` knows the server as `url`, and whose local files git would ignore.
fn project(server: &Server) -> Runner {
    Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables:\n  url: {}\n", server.url()))
}

/// A collection whose requests are relative to the server.
fn collection(head: &str, requests: &str) -> String {
    let text = |text| crate::support::runner::unindented(text);
    format!("{}defaults: {{base_url: \"{{{{ url }}}}\"}}\nrequests:\n{}", text(head), text(requests))
}

#[test]
fn a_request_runs_when_its_condition_holds() {
    let server = server();
    project(&server)
        .file(
            "c.yaml",
            collection(
                "",
                "
                - {name: First, url: /a, capture: {id: $.id}}
                - {name: Holds, url: /b, when: id == 'a'}
                - {name: Does not hold, url: /c, when: id == 'b', capture: {other: $.id}}
                - {name: Asks for the other, url: /d, when: other is defined}
                - {name: Needs the other, url: '/{{ other }}'}
                - {name: Condition needs it, url: /e, when: other == 'x'}
                - {name: With a default, url: \"/{{ other | default(value='f') }}\"}
                ",
            ),
        )
        .args(["c.yaml", "--env", "dev"])
        .expect_exit(1)
        .expect_stdout(
            "
            ✓ GET    First                             200 [duration]
            ✓ GET    Holds                             200 [duration]
            - GET    Does not hold                     skipped: its `when` does not hold
            - GET    Asks for the other                skipped: its `when` does not hold
            - GET    Needs the other                   skipped: needs `other`, which `Does not hold` should have captured
            - GET    Condition needs it                skipped: needs `other`, which `Does not hold` should have captured
            ✓ GET    With a default                    200 [duration]

            7 requests: 3 passed, 4 skipped in [duration]
            ",
        )
        .run();
    assert_eq!(server.lines(), ["GET /a", "GET /b", "GET /f"]);
}

#[test]
fn after_a_failure_the_run_goes_on_and_a_missing_value_names_who_owes_it() {
    let server = server();
    project(&server)
        .file(
            "c.yaml",
            collection(
                "",
                "
                - {name: Log in, url: /status/500/x, capture: {token: $.token}}
                - group: Files
                  requests:
                    - {name: List, url: /list, headers: {X-Token: '{{ token }}'}, capture: {file: $.id}}
                    - {name: Read, url: '/files/{{ file }}'}
                - {name: Independent, url: /independent}
                - {name: Clean up, url: /clean, always: true}
                - {name: Clean up what is not there, url: '/clean/{{ token }}', always: true}
                - {name: Clean up when asked, url: /never, when: 1 > 2, always: true}
                ",
            ),
        )
        .args(["c.yaml", "--env", "dev"])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✗ GET    Log in                            500 [duration]
              error: status is 500, expected less than 400
               --> c.yaml:3:3
                |
              3 | - {name: Log in, url: /status/500/x, capture: {token: $.token}}
                |   ^
              server: {"id": "x"}
            - GET    Files / List                      skipped: needs `token`, which `Log in` should have captured
            - GET    Files / Read                      skipped: needs `file`, which `Files / List` should have captured
            ✓ GET    Independent                       200 [duration]
            ✓ GET    Clean up                          200 [duration]
            - GET    Clean up what is not there        skipped: needs `token`, which `Log in` should have captured
            - GET    Clean up when asked               skipped: its `when` does not hold

            7 requests: 2 passed, 1 failed, 4 skipped in [duration]
            "#,
        )
        .run();
    assert_eq!(server.lines(), ["GET /status/500/x", "GET /independent", "GET /clean"]);
}

#[test]
fn a_request_that_was_only_skipped_by_its_condition_is_no_failure() {
    let server = server();
    project(&server)
        .file("c.yaml", collection("", "\n                - {name: Never, url: /a, when: url == 'x'}\n"))
        .args(["c.yaml", "--env", "dev"])
        .expect_stdout(
            "
            - GET    Never                             skipped: its `when` does not hold

            1 request: 1 skipped in [duration]
            ",
        )
        .run();
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn needs_run_first_once_and_only_those_who_name_them_see_their_captures() {
    let server = server();
    let ran = project(&server)
        .file(
            "login.yaml",
            collection("name: Login\n", "- {name: Log in, url: /token, capture: {token: $.id}, store: {kept: $.id}}\n")
                .replace("/token", "/abc"),
        )
        .file(
            "middle.yaml",
            collection("name: Middle\nneeds: [login.yaml]\n", "- {url: '/middle/{{ token }}', capture: {item: $.id}}\n"),
        )
        .file(
            "main.yaml",
            collection("name: Main\nneeds: [login.yaml, middle.yaml]\n", "- {url: '/main/{{ token }}/{{ item }}/{{ kept }}'}\n"),
        )
        .file("other.yaml", collection("name: Other\n", "- {url: '/other/{{ kept }}'}\n"))
        .args(["main.yaml", "middle.yaml", "other.yaml", "--env", "dev"])
        .expect_stdout(
            "
            Login (needed)
            ✓ GET    Log in                            200 [duration]
              stored kept in environments/dev.local.yaml

            Middle
            ✓ GET    /middle/{{ token }}               200 [duration]

            Main
            ✓ GET    /main/{{ token }}/{{ item }}/{{ kept }}  200 [duration]

            Other
            ✓ GET    /other/{{ kept }}                        200 [duration]

            4 requests: 4 passed in [duration]
            ",
        )
        .run();
    assert_eq!(server.lines(), ["GET /abc", "GET /middle/abc", "GET /main/abc/abc/abc", "GET /other/abc"]);
    // A need's capture is not seen through another need, nor by a collection beside it.
    for (head, message) in [("needs: [middle.yaml]\n", "undefined variable `token`"), ("", "undefined variable `token`")] {
        let refused = ran
            .again()
            .file("far.yaml", collection(head, "- {url: '/far/{{ token }}'}\n"))
            .args(["login.yaml", "far.yaml", "--env", "dev"])
            .run_unchecked();
        assert_eq!((refused.exit, refused.stdout.as_str()), (2, ""));
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
    }
    assert_eq!(server.lines().len(), 4, "nothing more was sent");
}

#[test]
fn a_failed_need_skips_its_dependants_but_not_their_cleaning_up() {
    let server = server();
    project(&server)
        .file("login.yaml", collection("name: Login\n", "- {name: Log in, url: /status/401/x}\n"))
        .file(
            "main.yaml",
            collection(
                "name: Main\nneeds: [login.yaml]\n",
                "- {name: Work, url: /work}\n- {name: Clean, url: /clean, always: true}\n",
            ),
        )
        .file("last.yaml", collection("name: Last\nneeds: [main.yaml]\n", "- {name: Report, url: /report}\n"))
        .file("free.yaml", collection("name: Free\n", "- {name: Other, url: /other}\n"))
        .args(["last.yaml", "free.yaml", "--env", "dev"])
        .expect_exit(1)
        .expect_stdout(
            r#"
            Login (needed)
            ✗ GET    Log in                            401 [duration]
              error: status is 401, expected less than 400
               --> login.yaml:4:3
                |
              4 | - {name: Log in, url: /status/401/x}
                |   ^
              server: {"id": "x"}

            Main (needed)
            - GET    Work                              skipped: needs `Login`, which failed
            ✓ GET    Clean                             200 [duration]

            Last
            - GET    Report                            skipped: needs `Main`, which failed

            Free
            ✓ GET    Other                             200 [duration]

            5 requests: 2 passed, 1 failed, 2 skipped in [duration]
            "#,
        )
        .run();
    assert_eq!(server.lines(), ["GET /status/401/x", "GET /clean", "GET /other"]);
}

#[test]
fn mistakes_in_needs_are_found_before_anything_is_sent() {
    let server = server();
    let ran = project(&server)
        .file("circle.yaml", collection("needs: [back.yaml]\n", "- url: /a\n"))
        .file("back.yaml", collection("needs: [circle.yaml]\n", "- url: /b\n"))
        .file("one.yaml", collection("name: One\n", "- {url: /1, capture: {same: $.id}}\n"))
        .file("two.yaml", collection("name: Two\n", "- {url: /2, capture: {same: $.id}}\n"))
        .file("both.yaml", collection("needs: [one.yaml, two.yaml]\n", "- {url: '/{{ same }}'}\n"))
        .file("lost.yaml", collection("needs: [lgoin.yaml]\n", "- url: /c\n"))
        .file("login.yaml", collection("", "- url: /d\n"))
        .args(["circle.yaml", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: collections need one another in a circle
             --> back.yaml:1:9
              |
            1 | needs: [circle.yaml]
              |         ^^^^^^^^^^^ `circle.yaml` needs this collection, directly or not
            ",
        )
        .run();
    ran.again()
        .args(["both.yaml", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: two needed collections capture `same`: `One` and `Two`
             --> both.yaml:1:9
              |
            1 | needs: [one.yaml, two.yaml]
              |         ^^^^^^^^
            ",
        )
        .run();
    ran.again()
        .args(["lost.yaml", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: the needed collection `lgoin.yaml` does not exist
             --> lost.yaml:1:9
              |
            1 | needs: [lgoin.yaml]
              |         ^^^^^^^^^^
            ",
        )
        .run();
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn a_folder_means_every_collection_below_it() {
    let server = server();
    let ran = project(&server)
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file("all/b.yaml", collection("name: B\n", "- url: /b\n"))
        .file("all/a.yml", collection("name: A\n", "- url: /a\n"))
        .file("all/deep/c.yaml", collection("name: C\nneeds: [../a.yml]\n", "- url: /c\n"))
        .file("all/data.yaml", "rows: [1, 2]\n")
        .file("all/notes.txt", "no: collection\n")
        .file("all/.hidden/d.yaml", collection("", "- url: /hidden\n"))
        .file("all/environments/other.yaml", "variables: {x: 1}\n")
        .args(["all", "--env", "dev"])
        .expect_stdout(
            "
            A
            ✓ GET    /a                                200 [duration]

            B
            ✓ GET    /b                                200 [duration]

            C
            ✓ GET    /c                                200 [duration]

            3 requests: 3 passed in [duration]
            ",
        )
        .run();
    assert_eq!(server.lines(), ["GET /a", "GET /b", "GET /c"]);
    ran.again()
        .file("all/deep/broken.yaml", "requests: [\n")
        .args(["all", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: this `[` is never closed
             --> all/deep/broken.yaml:1:11
              |
            1 | requests: [
              |           ^ add the closing `]`
              |
              = help: text that starts with a bracket must be quoted
            ",
        )
        .run();
    ran.again()
        .file("none/data.yaml", "rows: []\n")
        .args(["none", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: there is no collection below `none`
              = help: a collection is a `.yaml` file with `requests:` at the top
            ",
        )
        .run();
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn collections_that_mean_different_files_by_one_name_are_not_run_together() {
    let server = server();
    let environment = format!("variables: {{url: {}}}\n", server.url());
    Runner::new()
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file("a/environments/dev.yaml", &environment)
        .file("a/c.yaml", collection("", "- url: /a\n"))
        .file("b/environments/dev.yaml", &environment)
        .file("b/c.yaml", collection("", "- url: /b\n"))
        .args(["a", "b", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: the collections find different environments called `dev`
              = help: `a/environments/dev.yaml` and `b/environments/dev.yaml`
              = help: run them one after another, or give the path of one with `--env`
            ",
        )
        .run()
        .again()
        .args(["a", "b", "--env", "a/environments/dev.yaml"])
        .run_passing();
    assert_eq!(server.lines(), ["GET /a", "GET /b"]);
}

#[test]
fn a_dry_run_shows_what_would_be_sent_and_sends_nothing() {
    let server = server();
    let ran = project(&server)
        .file("environments/dev.local.yaml", "variables: {password: pa55-w0rd}\n")
        .file(
            "c.yaml",
            collection(
                "",
                r#"
                - name: Log in
                  url: /token
                  form: {user: me, password: "{{ password }}"}
                  store: {access_token: $.id}
                - {name: Search, method: POST, url: /search, query: {limit: 5}, json: {text: "x y"}, auth: {basic: {username: me, password: "{{ password }}"}}}
                - {name: Use, url: /use, auth: {bearer: "{{ access_token }}"}}
                - {name: Condition, url: /later, when: access_token is defined}
                "#,
            ),
        )
        .args(["c.yaml", "--env", "dev", "--dry-run"])
        .expect_stdout(
            r#"
            > POST   Log in                            would send
              > POST http://127.0.0.1:[port]/token
              > Content-Type: application/x-www-form-urlencoded
              >
                user=me&password=***
            > POST   Search                            would send
              > POST http://127.0.0.1:[port]/search?limit=5
              > Authorization: Basic ***
              > Content-Type: application/json
              >
                {
                  "text": "x y"
                }
            - GET    Use                               skipped: needs `access_token`, which only a real run gets
            - GET    Condition                         skipped: needs `access_token`, which only a real run gets

            4 requests: 2 would be sent, 2 skipped (dry run)
            "#,
        )
        .run();
    assert_eq!((server.lines().len(), server.connections()), (0, 0));
    assert_eq!(ran.read("environments/dev.local.yaml"), "variables: {password: pa55-w0rd}\n");
}

#[test]
fn of_several_exit_codes_the_gravest_counts() {
    let server = server();
    let failed = "- {name: Failed, url: /status/500/x}\n";
    let transport = "- {name: Transport, url: 'http://127.0.0.1:1/'}\n";
    let refused = "- {name: Refused, url: 'http://localhost:1/', headers: {X: '{{ secret }}'}}\n";
    let unsaved = "- {name: Unsaved, url: /x, store: {kept: $.id}}\n";
    let passed = "- {name: Passed, url: /x}\n";
    for (requests, exit) in [
        (vec![passed], 0),
        (vec![passed, failed], 1),
        (vec![transport, failed, passed], 3),
        (vec![refused, transport, failed, passed], 6),
        (vec![failed, transport, refused, unsaved], 5),
    ] {
        let runner = project(&server)
            .file("environments/dev.local.yaml", "variables: {secret: s3cr3t-value}\n")
            .file("c.yaml", collection("", &requests.concat()))
            .args(["c.yaml", "--env", "dev"]);
        // A folder where the new file would be put can't be written by a rename.
        let local = runner.path("environments/dev.local.yaml");
        if exit == 5 {
            std::fs::create_dir(runner.path("environments/.dev.local.lock")).unwrap();
        }
        let ran = runner.run_unchecked();
        assert_eq!(ran.exit, exit, "{}", ran.all_output());
        assert!(local.is_file());
    }
}

#[test]
fn quiet_shows_failures_only() {
    let server = server();
    let ran = Runner::new()
        .file("environments/dev.yaml", format!("variables: {{url: {}}}\n", server.url()))
        .file("good.yaml", collection("", "- {name: Good, url: /a, store: {x: $.id}}\n- {name: Off, url: /b, when: x == 'b'}\n"))
        .file(
            "bad.yaml",
            collection("", "- {name: Good, url: /a}\n- {name: Bad, url: /status/400/x}\n- {name: Lost, url: '/{{ y }}'}\n")
                .replace(
                    "name: Good, url: /a",
                    "name: Good, url: /status/401/z, assert: {status: 401}, capture: {y: {header: X-Y, default: null}}",
                ),
        )
        .args(["-q", "good.yaml", "--env", "dev"])
        .run();
    ran.again()
        .args(["-q", "bad.yaml", "--env", "dev"])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✗ GET    Bad                               400 [duration]
              error: status is 400, expected less than 400
               --> bad.yaml:4:3
                |
              4 | - {name: Bad, url: /status/400/x}
                |   ^
              server: {"id": "x"}
            ! GET    Lost                              not sent
              error: `y` is null where text is wanted
               --> bad.yaml:5:26
                |
              5 | - {name: Lost, url: '/{{ y }}'}
                |                          ^
                |
                = help: `{{ … or "" }}` gives empty text instead

            3 requests: 1 passed, 1 failed, 1 errored in [duration]
            "#,
        )
        .run();
}

#[test]
fn more_words_show_heads_and_then_bodies() {
    let server = Server::start(|request| match request.path.as_str() {
        "/binary" => Answer::text(200, [0_u8, 159, 146, 150]).header("X-Kind", "binary"),
        "/evil" => Answer::text(200, "\u{1b}[2Jcleared\u{7}\n::error::x\n").header("X-Evil", "a\u{9b}b"),
        _ => Answer::json(200, r#"{"access_token": "t0ken-value-123", "expires_in": 60}"#)
            .header("Set-Cookie", "sid=c0okie; Path=/"),
    });
    let ran = project(&server)
        .file(
            "c.yaml",
            collection(
                "",
                r#"
                - name: Log in
                  url: /token
                  form: {grant_type: client_credentials, x: a b}
                  auth: {basic: {username: me, password: hunter2-secret}}
                  capture: {token: $.access_token}
                - {name: Binary, url: /binary, auth: {bearer: "{{ token }}"}}
                - {name: Evil, url: /evil, json: {a: [1]}}
                "#,
            ),
        )
        .args(["-v", "c.yaml", "--env", "dev"])
        .expect_stdout(
            "
            environment dev
            ✓ POST   Log in                            200 [duration]
              captured token
              > POST /token
              > authorization: Basic ***
              > content-type: application/x-www-form-urlencoded
              > user-agent: runner/0.1.0
              > accept: */*
              > accept-encoding: gzip, br, zstd, deflate
              > content-length: 35
              > host: 127.0.0.1:[port]
              < 200 OK
              < content-type: application/json
              < set-cookie: ***
              < content-length: 53
            ✓ GET    Binary                            200 [duration]
              > GET /binary
              > authorization: Bearer ***
              > user-agent: runner/0.1.0
              > accept: */*
              > accept-encoding: gzip, br, zstd, deflate
              > host: 127.0.0.1:[port]
              < 200 OK
              < content-type: text/plain; charset=utf-8
              < x-kind: binary
              < content-length: 4
            ✓ POST   Evil                              200 [duration]
              > POST /evil
              > content-type: application/json
              > user-agent: runner/0.1.0
              > accept: */*
              > accept-encoding: gzip, br, zstd, deflate
              > content-length: 9
              > host: 127.0.0.1:[port]
              < 200 OK
              < content-type: text/plain; charset=utf-8
              < x-evil: a�b
              < content-length: 24

            3 requests: 3 passed in [duration]
            ",
        )
        .run();
    let ran = ran
        .again()
        .args(["-vv", "c.yaml", "--env", "dev"])
        .env_var("CI", "1")
        .expect_stdout(
            r#"
            environment dev
            ✓ POST   Log in                            200 [duration]
              captured token
              > POST /token
              > authorization: Basic ***
              > content-type: application/x-www-form-urlencoded
              > user-agent: runner/0.1.0
              > accept: */*
              > accept-encoding: gzip, br, zstd, deflate
              > content-length: 35
              > host: 127.0.0.1:[port]
              >
                grant_type=client_credentials&x=a+b
              < 200 OK
              < content-type: application/json
              < set-cookie: ***
              < content-length: 53
              <
                {
                  "access_token": "***",
                  "expires_in": 60
                }
            ✓ GET    Binary                            200 [duration]
              > GET /binary
              > authorization: Bearer ***
              > user-agent: runner/0.1.0
              > accept: */*
              > accept-encoding: gzip, br, zstd, deflate
              > host: 127.0.0.1:[port]
              < 200 OK
              < content-type: text/plain; charset=utf-8
              < x-kind: binary
              < content-length: 4
              <
                <4 bytes of text/plain>
            ✓ POST   Evil                              200 [duration]
              > POST /evil
              > content-type: application/json
              > user-agent: runner/0.1.0
              > accept: */*
              > accept-encoding: gzip, br, zstd, deflate
              > content-length: 9
              > host: 127.0.0.1:[port]
              >
                {
                  "a": [
                    1
                  ]
                }
              < 200 OK
              < content-type: text/plain; charset=utf-8
              < x-evil: a�b
              < content-length: 24
              <
                ␛[2Jcleared␇
                : :error::x

            3 requests: 3 passed in [duration]
            "#,
        )
        .run();
    assert!(!ran.all_output().contains("t0ken-value") && !ran.all_output().contains('\u{1b}'));
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    let server = server();
    let ran = project(&server)
        .file("c.yaml", collection("", "- url: /status/400/x\n"))
        .arg("check")
        .args(["c.yaml", "--env", "dev"])
        .run_unchecked();
    for (arguments, variables, painted) in [
        (&["c.yaml", "--env", "dev"][..], &[][..], false),
        (&["c.yaml", "--env", "dev", "--color", "always"], &[], true),
        (&["c.yaml", "--env", "dev", "--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&["c.yaml", "--env", "dev"], &[("CLICOLOR_FORCE", "1")], true),
        (&["c.yaml", "--env", "dev"], &[("CLICOLOR_FORCE", "0")], false),
        (&["c.yaml", "--env", "dev"], &[("NO_COLOR", "1")], false),
        (&["c.yaml", "--env", "dev", "--color", "always"], &[("NO_COLOR", "1")], true),
        (&["c.yaml", "--env", "dev"], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
        (&["c.yaml", "--env", "dev"], &[("CI", "1"), ("TERM", "xterm-256color")], false),
    ] {
        let runner = variables.iter().fold(ran.again(), |runner, (name, value)| runner.env_var(name, *value));
        let ran = runner.args(arguments.iter().copied()).run_unchecked();
        assert_eq!(ran.raw_stdout.contains('\u{1b}'), painted, "{arguments:?} {variables:?}\n{}", ran.raw_stdout);
    }
    // The same words, with and without paint.
    let plain = ran.again().args(["c.yaml", "--env", "dev"]).run_unchecked();
    let painted = ran.again().args(["c.yaml", "--env", "dev", "--color", "always"]).run_unchecked();
    let paint = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let durations = regex::Regex::new(" *<?[0-9.]+ m?s\\b").unwrap();
    let painted = paint.replace_all(&painted.raw_stdout, "").into_owned();
    assert_eq!(durations.replace_all(&painted, ""), durations.replace_all(&plain.raw_stdout, ""));
}

#[test]
fn a_value_that_no_sent_request_reads_is_a_warning() {
    let server = server();
    project(&server)
        .file("c.yaml", collection("", "- {url: /a, when: used == 1}\n- {url: '/{{ skipped }}', when: used == 2}\n"))
        .args(["c.yaml", "--env", "dev", "--var", "used=1", "--var", "skipped=x", "--var", "mistyped=y"])
        .expect_stdout(
            "
            ✓ GET    /a                                200 [duration]
            - GET    /{{ skipped }}                    skipped: its `when` does not hold

            2 requests: 1 passed, 1 skipped in [duration]
            ",
        )
        .expect_stderr(
            "
            warning: `mistyped` was given, and no request that was sent reads it
            warning: `skipped` was given, and no request that was sent reads it
            ",
        )
        .run();
}

#[test]
fn a_value_that_must_be_set_is_missed_before_the_first_byte_or_when_it_is_needed() {
    let server = server();
    let project = |requests: &str| {
        Runner::new()
            .file("environments/.gitignore", "*.local.*\n.*.lock\n")
            .file("environments/dev.yaml", format!("variables:\n  url: {}\n  tenant:\n  key: !secret\n", server.url()))
            .file("c.yaml", collection("", requests))
            .args(["c.yaml", "--env", "dev"])
    };
    // Surely needed: nothing is sent, and everything that is missing is told.
    project("- url: /a\n- {url: '/{{ tenant }}', headers: {X-Key: '{{ key }}'}, when: url is defined}\n")
        .expect_exit(2)
        .expect_stderr(
            "
            error: the variable `tenant` has no value
             --> c.yaml:4:14
              |
            4 | - {url: '/{{ tenant }}', headers: {X-Key: '{{ key }}'}, when: url is defined}
              |              ^^^^^^ needed here, declared at environments/dev.yaml:3:3
              |
              = help: give it with `--var tenant=…`, or the process variable RUNNER_VAR_tenant, or `tenant: …` under `variables:` in environments/dev.local.yaml

            error: the secret `key` is not set
             --> c.yaml:4:47
              |
            4 | - {url: '/{{ tenant }}', headers: {X-Key: '{{ key }}'}, when: url is defined}
              |                                               ^^^ needed here, declared at environments/dev.yaml:4:3
              |
              = help: give it with `--secret key`, or the process variable RUNNER_SECRET_key, or `key: …` under `variables:` in environments/dev.local.yaml

            2 mistakes; nothing was sent
            ",
        )
        .run();
    assert_eq!(server.lines(), [""; 0]);
    // Needed only when an answer says so.
    project("- {url: /a, capture: {id: $.id}}\n- {url: '/{{ tenant }}', when: id == 'a'}\n- {url: /c}\n")
        .expect_exit(1)
        .expect_stdout(
            "
            ✓ GET    /a                                200 [duration]
            ! GET    /{{ tenant }}                     not sent
              error: the variable `tenant` has no value
               --> c.yaml:4:14
                |
              4 | - {url: '/{{ tenant }}', when: id == 'a'}
                |              ^^^^^^ needed here, declared at environments/dev.yaml:3:3
                |
                = help: give it with `--var tenant=…`, or the process variable RUNNER_VAR_tenant, or `tenant: …` under `variables:` in environments/dev.local.yaml
            ✓ GET    /c                                200 [duration]

            3 requests: 2 passed, 1 errored in [duration]
            ",
        )
        .run();
    project("- {url: /a, capture: {id: $.id}}\n- {url: '/{{ tenant }}', when: id == 'b'}\n").run_passing();
    project("- {url: /never, when: tenant is defined and tenant == 'x'}\n- {url: '/{{ tenant }}', when: 1 == 2}\n").run_passing();
    assert_eq!(server.lines(), ["GET /a", "GET /c", "GET /a"]);
}
