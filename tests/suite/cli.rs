//! The command line itself: commands, flags, help, streams.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

const COLLECTION: &str = r#"
    name: Users
    variables: {page: 1}
    defaults: {base_url: "{{ api_url }}"}
    requests:
      - name: List
        url: /users
        query: {page: "{{ page }}", limit: "{{ limit }}"}
        tags: [smoke, users]
        capture: {first: "$[0].id"}
      - group: Details
        tags: details
        requests:
          - {name: Read, url: "/users/{{ first }}", auth: {bearer: "{{ token }}"}}
          - {url: "/users/{{ first }}/notes", method: POST, json: {text: "{{ note | default(value='') }}"}}
    "#;

#[test]
fn the_version_is_told() {
    for flag in ["--version", "-V"] {
        Runner::new().arg(flag).expect_stdout(concat!("runner ", env!("CARGO_PKG_VERSION"), "\n")).run();
    }
}

#[test]
fn help_is_readable() {
    Runner::new()
        .arg("--help")
        .expect_stdout(
            "
            Run collections of API requests kept as YAML files; OAuth tokens take care of themselves

            Usage: runner [run] <COLLECTION>... [--env NAME] [OPTIONS]
                   runner <COMMAND>

            Commands:
              run      Run collections (the default command)
              check    Find every mistake, send nothing
              list     Show requests, their tags and the variables they need
              env      Show environments and their values, and keep your own values in them
              explain  Show where each value of a request comes from and where its secrets may go
              auth     Tokens of an environment's logins
              sandbox  Run the embedded server alone
              help     Print this message or the help of the given subcommand(s)

            Options:
              -h, --help     Print help
              -V, --version  Print version

            Exit codes:
              0  all passed
              1  an assertion or capture failed, or a value was missing
              2  wrong usage or input; nothing was sent
              3  no answer: DNS, connection, TLS, timeout
              4  no token to be had
              5  a value could not be saved
              6  refused by policy
              129, 130, 143  interrupted
            ",
        )
        .run();
    Runner::new()
        .args(["run", "--help"])
        .expect_stdout(
            "
            Run collections (the default command)

            Usage: runner run [OPTIONS] <COLLECTION>...

            Arguments:
              <COLLECTION>...  Collection files, or folders of them

            Options:
              -e, --env <NAME|PATH>             The environment: a name, or the path of its file
                  --var <NAME=VALUE>            A variable for this run (also RUNNER_VAR_NAME)
                  --secret <NAME>               Ask for a secret, or take it from RUNNER_SECRET_NAME
                  --root <DIR>                  The project root, below which collections may read files
                  --color <WHEN>                Colour in the output [default: auto] [possible values: auto,
                                                always, never]
                  --timeout <DURATION>          The limit on every exchange, before what a collection says
                                                (`[duration]`, `[duration]`, `[duration]`; a bare number is seconds)
                  --connect-timeout <DURATION>  The limit on connecting [default: [duration]]
                  --max-body <SIZE>             The largest answer, decoded (`10MB`, `64MiB`) [default: 64MiB]
                  --run-timeout <DURATION>      The limit on the whole run: what is not sent by then is skipped
                  --dry-run                     Show what would be sent, send nothing
                  --no-save                     Keep stored values in memory only
                  --fresh-token                 Start as if nothing were stored
                  --non-interactive             Never ask, never open a browser
                  --allow-host <HOST>           Allow secrets to go to a further host (`upload.box.com`,
                                                `host:port`, `*.boxcloud.com`)
                  --only-host <HOST>            Connect to this host and no other, with or without secrets (also
                                                RUNNER_ONLY_HOSTS)
              -k, --insecure                    Accept any certificate
                  --cacert <FILE>               Trust these certificates too (PEM)
                  --cert <FILE>                 The client's certificate (PEM)
                  --key <FILE>                  The client's key (PEM)
                  --proxy <URL>                 Send everything through a proxy (`http`, `https`, `socks5`,
                                                `socks5h`)
                  --noproxy <HOSTS>             Hosts that are reached without the proxy, separated by commas;
                                                in place of NO_PROXY
                  --resolve <HOST:ADDRESS>      Use this address for a host (`HOST:ADDRESS`, or for one port
                                                `HOST:PORT:ADDRESS`)
              -v, --verbose...                  Show heads of requests and answers (-vv: bodies too)
              -q, --quiet                       Show failures only
              -h, --help                        Print help
            ",
        )
        .run();
    for command in ["check", "list", "sandbox"] {
        let ran = Runner::new().args([command, "--help"]).run_passing();
        assert!(
            ran.stdout.contains(&format!("Usage: runner {command}"))
                && ran.stdout.lines().all(|line| line.chars().count() <= 100)
        );
    }
}

#[test]
fn without_arguments_the_help_is_shown_as_wrong_usage() {
    let ran = Runner::new().run_unchecked();
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("Usage: runner [run] <COLLECTION>"), "{}", ran.stderr);
}

#[test]
fn a_mistyped_flag_or_command_gets_a_suggestion() {
    let runner = || Runner::new().file("c.yaml", "requests: [{url: \"http://127.0.0.1:1/\"}]\n");
    for (arguments, words) in [
        (&["c.yaml", "--evn", "dev"][..], "--env"),
        (&["c.yaml", "--dryrun"], "--dry-run"),
        (&["c.yaml", "--timeout", "soon"], "such as `500ms`, `30s` or `2m`"),
        (&["c.yaml", "--timeout", "0"], "longer than nothing"),
        (&["c.yaml", "-v", "-q"], "cannot be used with"),
        (&["c.yaml", "--color", "blue"], "always"),
        (&["c.yaml", "--var", "novalue"], "--var novalue=VALUE"),
        (&["c.yaml", "--var", "1x=y"], "`1x` can't be the name of a variable"),
        (&["c.yaml", "--secret", "x=hunter2"], "--secret x"),
        (&["c.yaml", "--secret", "x"], "RUNNER_SECRET_x"),
        (&["c.yaml", "--proxy", "ftp://x"], "with `http`, `https`, `socks5` or `socks5h`"),
    ] {
        let ran = runner().args(arguments.iter().copied()).run_unchecked();
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{arguments:?}\n{}", ran.stderr);
        assert!(ran.raw_stderr.contains(words) && !ran.raw_stderr.contains("hunter2"), "{arguments:?}\n{}", ran.stderr);
    }
}

#[test]
fn spellings_that_people_bring_along_work() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let url = server.url();
    for arguments in [["--env-var", "x=1"], ["--variable", "x=1"], ["--var", "x=1"]] {
        Runner::new()
            .file("c.yaml", format!("requests: [{{url: \"{url}/{{{{ x }}}}\"}}]\n"))
            .args(["run", "c.yaml"])
            .args(arguments)
            .run_passing();
    }
    Runner::new()
        .file("environments/dev.yaml", "variables: {x: 2}\n")
        .file("c.yaml", format!("requests: [{{url: \"{url}/{{{{ x }}}}\"}}]\n"))
        .args(["c.yaml", "--environment", "environments/dev.yaml"])
        .run_passing();
    assert_eq!(server.lines(), ["GET /1", "GET /1", "GET /1", "GET /2"]);
}

#[test]
fn check_finds_every_mistake_and_sends_nothing() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let ran = Runner::new()
        .file("users.yaml", COLLECTION)
        .file("environments/dev.yaml", format!("variables: {{api_url: {}, limit: 5, token: !secret , note: x}}\n", server.url()))
        .args(["check", "users.yaml", "--env", "dev"])
        .expect_stdout("no mistakes in 1 collection and 3 requests\n")
        .run();
    ran.again()
        .args(["check", "users.yaml"])
        .expect_stdout(
            "
            no mistakes in 1 collection and 3 requests
            an environment must give: api_url, limit, note, token
            ",
        )
        .run();
    ran.again()
        .file(
            "bad.yaml",
            r#"
            defaults: {base_url: "{{ api_ulr }}"}
            requests:
              - {url: /a, methd: POST, capture: {id: "$.["}}
              - {url: "/{{ idd }}", assert: {json: {$.x: {equal: 1}}}}
              - {url: "/{{ later }}"}
              - {url: /b, capture: {later: $.x}}
            "#,
        )
        .args(["check", "bad.yaml", "users.yaml", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            r#"
            error: undefined variable `api_ulr`
             --> bad.yaml:1:26
              |
            1 | defaults: {base_url: "{{ api_ulr }}"}
              |                          ^^^^^^^ did you mean `api_url`?

            error: unknown key `methd` in a request
             --> bad.yaml:3:15
              |
            3 |   - {url: /a, methd: POST, capture: {id: "$.["}}
              |               ^^^^^ did you mean `method`?

            error: the `[` is never closed
             --> bad.yaml:3:45
              |
            3 |   - {url: /a, methd: POST, capture: {id: "$.["}}
              |                                             ^

            error: undefined variable `idd`
             --> bad.yaml:4:16
              |
            4 |   - {url: "/{{ idd }}", assert: {json: {$.x: {equal: 1}}}}
              |                ^^^
              |
              = help: variables come from the environment, the collection, captures and `--var`

            error: unknown matcher `equal`
             --> bad.yaml:4:47
              |
            4 |   - {url: "/{{ idd }}", assert: {json: {$.x: {equal: 1}}}}
              |                                               ^^^^^ did you mean `equals`?
              |
              = help: a map is always matchers; to compare with a map, write `{equals: {…}}`

            5 mistakes; nothing was sent
            "#,
        )
        .run();
    ran.again()
        .file(
            "unknown.yaml",
            r#"
            defaults: {base_url: "{{ api_ulr }}"}
            requests:
              - {url: /a, capture: {id: $.id}}
              - {url: "/{{ idd }}"}
              - {url: "/{{ later }}"}
              - {url: /b, capture: {later: $.x}}
            "#,
        )
        .args(["check", "unknown.yaml", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            r#"
            error: undefined variable `api_ulr`
             --> unknown.yaml:1:26
              |
            1 | defaults: {base_url: "{{ api_ulr }}"}
              |                          ^^^^^^^ did you mean `api_url`?

            error: undefined variable `idd`
             --> unknown.yaml:4:16
              |
            4 |   - {url: "/{{ idd }}"}
              |                ^^^ did you mean `id` (captured by `GET /a`, line 3)?

            error: `later` is read before it has a value
             --> unknown.yaml:5:16
              |
            5 |   - {url: "/{{ later }}"}
              |                ^^^^^ it is captured only later, by `GET /b` (line 6)
              |
              = help: move that request up, or test the name first: `when: later is defined`

            3 mistakes; nothing was sent
            "#,
        )
        .run();
    // The same at the start of a run.
    let ran = ran.again().args(["users.yaml", "unknown.yaml", "--env", "dev"]).run_unchecked();
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("undefined variable `idd`"), "{}", ran.stderr);
    assert_eq!((server.lines().len(), server.connections()), (0, 0));
}

#[test]
fn list_shows_requests_with_tags_and_what_they_need() {
    let ran = Runner::new()
        .file("users.yaml", COLLECTION)
        .args(["list", "users.yaml"])
        .expect_stdout(
            "
            Users  users.yaml
              GET   List  [smoke, users]  needs api_url, limit
              GET   Details / Read  [details]  needs api_url, token
              POST  Details / POST /users/{{ first }}/notes  [details]  needs api_url, note
            ",
        )
        .run();
    ran.again()
        .file("more.yaml", "needs: [users.yaml]\nrequests:\n  - {url: \"https://example.com/{{ first }}\", method: DELETE}\n")
        .args(["list", "more.yaml"])
        .expect_stdout(
            "
            Users  users.yaml
              GET   List  [smoke, users]  needs api_url, limit
              GET   Details / Read  [details]  needs api_url, token
              POST  Details / POST /users/{{ first }}/notes  [details]  needs api_url, note

            more  more.yaml
              DELETE  /{{ first }}
            ",
        )
        .run();
}

#[test]
fn a_reader_that_goes_away_changes_nothing_else() {
    let server = Server::start(|request| Answer::json(if request.path == "/19" { 500 } else { 200 }, "{}"));
    let requests: String = (0..20)
        .map(|number| format!("  - {{url: /{number}, store: {{last: {{status: true}}}}, assert: {{status: [200, 500]}}}}\n"))
        .collect();
    let project = Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables: {{url: {}}}\n", server.url()))
        .file("c.yaml", format!("defaults: {{base_url: \"{{{{ url }}}}\"}}\nrequests:\n{requests}  - url: /status\n"));
    let folder = project.path("");
    let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["-vv", "c.yaml", "--env", "dev"])
        .current_dir(&folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Both readers go away at once.
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop((stdout, child.stderr.take()));
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(server.lines().len(), 21);
    assert_eq!(std::fs::read_to_string(folder.join("environments/dev.local.yaml")).unwrap(), "stored:\n  last: 500\n");
    // The same for text that is written in one go.
    for arguments in [&["--help"][..], &["list", "c.yaml"], &["check", "c.yaml"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(arguments)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
}
