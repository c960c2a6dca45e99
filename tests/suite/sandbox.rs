//! The sandbox as a user meets it: run alone like a real provider, or for a run, with tokens that outlive the process.

use std::io::{Read, Write};
use std::path::Path;

use crate::support::browser::{Page, between, get, post};
use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner, Running};

const LOCAL: &str = "environments/dev.local.yaml";

/// A project with the examples of this repository.
fn examples() -> Runner {
    let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("an example");
    [
        "collections/oauth2.yaml",
        "collections/files.yaml",
        "environments/dev.yaml",
        "environments/box.yaml",
        "environments/.gitignore",
    ]
    .iter()
    .fold(Runner::new(), |runner, path| runner.file(path, read(path)))
}

/// A sandbox of its own, and what it says of itself.
struct Alone {
    running: Running,
    text: String,
}

impl Alone {
    fn start() -> Self {
        Self::start_with(Runner::new(), &[])
    }

    fn start_with(runner: Runner, flags: &[&str]) -> Self {
        let mut running = runner.args(["sandbox", "--port", "0"]).args(flags.iter().copied()).expect_exit(130).spawn();
        running.wait_for("/authorize?");
        running.wait_for("client_id=");
        let text = running.raw_stdout();
        Self { running, text }
    }

    /// A value of the list that it prints.
    #[track_caller]
    fn value(&self, name: &str) -> &str {
        let line = self.text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {}", self.text));
        line.trim()
    }

    /// What a person does: opens the page, approves, copies the code.
    fn code(&self) -> String {
        let link = self.text.lines().find(|line| line.contains("/authorize?")).expect("a link").trim();
        let page = get(link);
        assert_eq!(page.status, 200);
        let action = between(&page.body, "action=\"", "\"");
        let consent = between(&page.body, "name=\"consent\" value=\"", "\"");
        let answer = post(&format!("{}{action}", self.origin()), &[("consent", consent), ("decision", "approve")]);
        assert_eq!(answer.status, 200, "{}", answer.head);
        between(&answer.body, "tabindex=\"0\">", "<").to_owned()
    }

    fn origin(&self) -> &str {
        self.value("api_url").trim_end_matches("/2.0")
    }

    /// A token request of its client.
    fn grant(&self, fields: &[(&str, &str)]) -> Page {
        let client = [("client_id", self.value("client_id")), ("client_secret", self.value("client_secret"))];
        post(self.value("token_url"), &[&client, fields].concat())
    }

    /// A token request that needs no person.
    fn as_app(&self) -> Page {
        let id = self.value("enterprise_id");
        self.grant(&[("grant_type", "client_credentials"), ("box_subject_type", "enterprise"), ("box_subject_id", id)])
    }

    /// A run of `collection` against it with the environment that a Box developer fills in.
    fn run(&self, runner: Runner, collection: &str) -> Runner {
        runner
            .args([collection, "--env", "box"])
            .args(["--var", &format!("api_url={}", self.value("api_url"))])
            .args(["--var", &format!("token_url={}", self.value("token_url"))])
            .args(["--var", &format!("client_id={}", self.value("client_id"))])
            .env_var("RUNNER_SECRET_client_secret", self.value("client_secret"))
    }
}

#[test]
fn alone_it_says_what_to_fill_in_and_ends_when_interrupted() {
    let sandbox = Alone::start();
    let (id, secret) = (sandbox.value("client_id").to_owned(), sandbox.value("client_secret").to_owned());
    assert!(id.len() >= 16 && secret.len() >= 16 && id != secret);
    sandbox.running.interrupt();
    let ran = sandbox.running.end();
    assert_eq!((ran.exit, ran.stderr.as_str()), (130, ""));
    assert_eq!(
        ran.stdout.replace(&secret, "[secret]").replace(&id, "[id]"),
        "The sandbox runs at http://127.0.0.1:[port] until you press Ctrl-C.\n\n\
         api_url        http://127.0.0.1:[port]/2.0\n\
         issuer         http://127.0.0.1:[port]\n\
         token_url      http://127.0.0.1:[port]/oauth2/token\n\
         client_id      [id]\n\
         client_secret  [secret]\n\
         enterprise_id  900000001\n\n\
         A code to copy (it lives 30 seconds):\n\
         http://127.0.0.1:[port]/api/oauth2/authorize?response_type=code&client_id=[id]\n"
    );
}

#[test]
fn the_environment_for_box_passes_against_it_as_the_guide_says() {
    let sandbox = Alone::start();
    let code = sandbox.code();
    let ran = sandbox
        .run(examples(), "collections/oauth2.yaml")
        .env_var("RUNNER_SECRET_code", &code)
        .expect_stdout(
            "
            ✓ POST   Exchange the code                 200 [duration]
              stored access_token, refresh_token, expires_at in environments/box.local.yaml
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            3 requests: 2 passed, 1 skipped in [duration]
            ",
        )
        .run();
    assert_no_secret(ran.all_output(), &code);
    // The second run uses what was stored, and never asks for the code.
    sandbox
        .run(ran.again(), "collections/files.yaml")
        .expect_stdout(
            "
            Box OAuth 2.0 (needed)
            - POST   Exchange the code                 skipped: its `when` does not hold
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            Box files
            ✓ GET    List the folder                   200 [duration]
            ✓ GET    Read the first file               200 [duration]

            5 requests: 3 passed, 2 skipped in [duration]
            ",
        )
        .expect_stderr(
            "
            warning: `client_id` was given, and no request that was sent reads it
            warning: `token_url` was given, and no request that was sent reads it
            ",
        )
        .run();
    // A code works once; what the server says of it is shown with what it means.
    let spent = sandbox
        .run(ran.again(), "collections/oauth2.yaml")
        .args(["--fresh-token", "--var", &format!("code={code}")])
        .expect_exit(1)
        .expect_stdout(
            "
            ✗ POST   Exchange the code                 400 [duration]
              error: status is 400, expected 200
                --> collections/oauth2.yaml:16:15
                 |
              16 |       status: 200
                 |               ^^^
              server: invalid_grant: Auth code doesn't exist or is invalid for the client
              hint: the code was already used, has expired (at Box after 30 seconds) or was issued to another client or redirect URI; get a new one and run again at once
            - POST   Refresh the tokens                skipped: its `when` does not hold
            - GET    Who am I                          skipped: needs `access_token`, which `Exchange the code` should have captured

            3 requests: 1 failed, 2 skipped in [duration]
            ",
        )
        .expect_stderr("warning: `api_url` was given, and no request that was sent reads it\n")
        .run();
    assert_no_secret(spent.all_output(), &code);
    assert_no_secret(spent.all_output(), sandbox.value("client_secret"));
}

#[test]
fn a_code_on_the_command_line_is_as_secret_as_in_a_file() {
    let sandbox = Alone::start();
    let code = sandbox.code();
    let ran = sandbox.run(examples(), "collections/oauth2.yaml").args(["-vv", "--var", &format!("code={code}")]).run_passing();
    assert_no_secret(ran.all_output(), &code);
    assert_no_secret(ran.all_output(), sandbox.value("client_secret"));
    for name in ["access_token", "refresh_token"] {
        assert_no_secret(ran.all_output(), &stored(&ran, "environments/box.local.yaml", name));
    }
}

#[test]
fn without_a_code_nothing_is_sent_to_box() {
    let sandbox = Alone::start();
    sandbox
        .run(examples(), "collections/oauth2.yaml")
        .expect_exit(2)
        .expect_stderr(
            r#"
            error: the secret `code` is not set
              --> collections/oauth2.yaml:12:17
               |
            12 |       code: "{{ code }}"
               |                 ^^^^ needed here, declared at environments/box.yaml:7:3
               |
               = help: give it with `--var code=…`, or `--secret code`, or the process variable RUNNER_SECRET_code, or `code: …` under `variables:` in environments/box.local.yaml
            "#,
        )
        .run();
    // As it comes, without anything given.
    examples().args(["collections/oauth2.yaml", "--env", "box"]).expect_exit(2)
        .expect_stderr(
            r#"
            error: the secret `code` is not set
              --> collections/oauth2.yaml:12:17
               |
            12 |       code: "{{ code }}"
               |                 ^^^^ needed here, declared at environments/box.yaml:7:3
               |
               = help: give it with `--var code=…`, or `--secret code`, or the process variable RUNNER_SECRET_code, or `code: …` under `variables:` in environments/box.local.yaml

            error: the variable `client_id` has no value
              --> collections/oauth2.yaml:13:22
               |
            13 |       client_id: "{{ client_id }}"
               |                      ^^^^^^^^^ needed here, declared at environments/box.yaml:5:3
               |
               = help: give it with `--var client_id=…`, or the process variable RUNNER_VAR_client_id, or `client_id: …` under `variables:` in environments/box.local.yaml

            error: the secret `client_secret` is not set
              --> collections/oauth2.yaml:14:26
               |
            14 |       client_secret: "{{ client_secret }}"
               |                          ^^^^^^^^^^^^^ needed here, declared at environments/box.yaml:6:3
               |
               = help: give it with `--secret client_secret`, or the process variable RUNNER_SECRET_client_secret, or `client_secret: …` under `variables:` in environments/box.local.yaml

            3 mistakes; nothing was sent
            "#,
        )
        .run();
}

/// A stored value.
#[track_caller]
fn stored(ran: &Ran, file: &str, name: &str) -> String {
    let text = ran.read(file);
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).trim().trim_matches(['"', '\'']).to_owned()
}

/// Writes another value for a stored name.
fn edit(ran: &Ran, name: &str, value: &str) {
    let old = stored(ran, LOCAL, name);
    let text = ran.read(LOCAL);
    assert_eq!(text.matches(&old).count(), 1, "{text}");
    std::fs::write(ran.path(LOCAL), text.replace(&old, value)).expect("the local file");
}

fn dev(runner: Runner) -> Runner {
    runner.args(["collections/oauth2.yaml", "--env", "dev"])
}

#[test]
fn three_runs_exchange_use_and_refresh() {
    let first = dev(examples())
        .expect_stdout(
            "
            ✓ POST   Exchange the code                 200 [duration]
              stored access_token, refresh_token, expires_at in environments/dev.local.yaml
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            3 requests: 2 passed, 1 skipped in [duration]
            ",
        )
        .run();
    let (access, refresh) = (stored(&first, LOCAL, "access_token"), stored(&first, LOCAL, "refresh_token"));
    // Within the hour: another process, another port, the same token.
    let second = dev(first.again())
        .expect_stdout(
            "
            - POST   Exchange the code                 skipped: its `when` does not hold
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            3 requests: 1 passed, 2 skipped in [duration]
            ",
        )
        .run();
    assert_eq!(stored(&second, LOCAL, "access_token"), access);
    // After the hour.
    edit(&second, "expires_at", "1700000000");
    let third = dev(second.again())
        .expect_stdout(
            "
            - POST   Exchange the code                 skipped: its `when` does not hold
            ✓ POST   Refresh the tokens                200 [duration]
              stored access_token, refresh_token, expires_at in environments/dev.local.yaml
            ✓ GET    Who am I                          200 [duration]

            3 requests: 2 passed, 1 skipped in [duration]
            ",
        )
        .run();
    assert_ne!(stored(&third, LOCAL, "access_token"), access);
    assert_ne!(stored(&third, LOCAL, "refresh_token"), refresh);
    assert!(stored(&third, LOCAL, "expires_at").parse::<i64>().is_ok_and(|at| at > 1_764_000_000));
    assert_eq!(
        third.files(),
        [
            "collections/files.yaml",
            "collections/oauth2.yaml",
            "environments/.dev.local.lock",
            "environments/.dev.sandbox.local.json",
            "environments/.dev.sandbox.local.lock",
            "environments/.gitignore",
            "environments/box.yaml",
            "environments/dev.local.yaml",
            "environments/dev.yaml",
        ]
    );
    for ran in [&first, &second, &third] {
        for name in ["access_token", "refresh_token"] {
            assert_no_secret(ran.all_output(), &stored(&third, LOCAL, name));
        }
        assert_no_secret(ran.all_output(), &access);
        assert_no_secret(ran.all_output(), &refresh);
    }
}

#[test]
fn a_spent_refresh_token_gives_the_servers_error_and_the_way_out() {
    let first = dev(examples()).run_passing();
    let spent = stored(&first, LOCAL, "refresh_token");
    edit(&first, "expires_at", "1700000000");
    let second = dev(first.again()).run_passing();
    edit(&second, "expires_at", "1700000000");
    edit(&second, "refresh_token", &spent);
    let third = dev(second.again()).expect_exit(1).expect_stdout(
                                                      r#"
                                                      - POST   Exchange the code                 skipped: its `when` does not hold
                                                      ✗ POST   Refresh the tokens                400 [duration]
                                                        error: status is 400, expected 200
                                                          --> collections/oauth2.yaml:32:22
                                                           |
                                                        32 |     assert: {status: 200}
                                                           |                      ^^^
                                                        server: invalid_grant: Refresh token has expired
                                                        hint: the refresh token was already used, has expired, was revoked or was issued to another client; `--fresh-token` starts over
                                                      ✗ GET    Who am I                          401 [duration]
                                                        error: status is 401, expected 200
                                                          --> collections/oauth2.yaml:38:15
                                                           |
                                                        38 |       status: 200
                                                           |               ^^^
                                                        error: `$.type` is "error", expected "user"
                                                          --> collections/oauth2.yaml:39:22
                                                           |
                                                        39 |       json: {$.type: user}
                                                           |                      ^^^^
                                                        server: unauthorized: Unauthorized

                                                      3 requests: 2 failed, 1 skipped in [duration]
                                                      "#,
                                                  ).run();
    assert_no_secret(third.all_output(), &spent);
    dev(third.again())
        .arg("--fresh-token")
        .expect_stdout(
            "
            ✓ POST   Exchange the code                 200 [duration]
              stored access_token, refresh_token, expires_at in environments/dev.local.yaml
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            3 requests: 2 passed, 1 skipped in [duration]
            ",
        )
        .run();
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let ran = Runner::new().args(["sandbox", "--port", &port]).run_unchecked();
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""));
    assert_eq!(
        ran.stderr.replace(&port, "PORT"),
        "error: the sandbox could not be started on port PORT: Address already in use (os error 98)\n  = help: choose another port with \
         `--port`, or 0 for any free one\n"
    );
}

#[test]
fn faults_come_in_turn_and_are_counted() {
    let sandbox = Alone::start_with(Runner::new(), &["--fault", "500,429,expire=60,ok,drop"]);
    assert_eq!(sandbox.as_app().status, 500);
    let busy = sandbox.as_app();
    assert!(busy.status == 429 && busy.head.contains("retry-after: 1"), "{}", busy.head);
    assert!(sandbox.as_app().body.contains("\"expires_in\":60,"));
    assert!(sandbox.as_app().body.contains("\"expires_in\":4123,"));
    // The last one was done, and nothing is said of it.
    let origin = sandbox.origin();
    let mut stream = std::net::TcpStream::connect(origin.trim_start_matches("http://")).expect("a server");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&box_subject_type=enterprise&box_subject_id=900000001",
        sandbox.value("client_id"),
        sandbox.value("client_secret")
    );
    let head = "POST /oauth2/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{form}", form.len()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a closed connection");
    assert_eq!(answer, "");
    let stats = get(&format!("{origin}/sandbox/stats")).body;
    assert_eq!(
        stats,
        "{\"grants\":{\"client_credentials\":{\"requests\":5,\"granted\":3,\"refused\":2}},\"refresh_tokens_reused\":0,\
         \"faults\":4,\"revocations\":0,\"introspections\":0,\"api_calls\":{\"requests\":0,\"unauthorized\":0}}"
    );
}

#[test]
fn a_grace_period_forgives_a_second_use() {
    let sandbox = Alone::start_with(Runner::new(), &["--grace", "10m"]);
    let code = sandbox.code();
    let first = sandbox.grant(&[("grant_type", "authorization_code"), ("code", &code)]).body;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", between(&first, "\"refresh_token\":\"", "\""))];
    assert_eq!((sandbox.grant(&refresh).status, sandbox.grant(&refresh).status), (200, 200));
    assert!(get(&format!("{}/sandbox/stats", sandbox.origin())).body.contains("\"refresh_tokens_reused\":1"));
}

#[test]
fn a_public_key_is_named_and_a_file_that_is_none_is_told() {
    // RFC 7515, appendix A.3.1, without its private part.
    let jwk = r#"{"kty":"EC","crv":"P-256","kid":"mine","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let sandbox = Alone::start_with(Runner::new().file("key.json", jwk), &["--public-key", "key.json"]);
    assert_eq!(sandbox.value("public_key_id"), "mine");
    Runner::new()
        .file("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        .args(["sandbox", "--public-key", "key.pem"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: `key.pem` is no public key for the sandbox: this is a private key; only its public half is wanted (`openssl pkey -in FILE -pubout`)
            ",
        )
        .run();
    Runner::new().args(["sandbox", "--fault", "fast"]).expect_exit(2).expect_stderr(
            "
            error: invalid value 'fast' for '--fault <FAULT>': expected `slow`, `slow=[duration]`, `drop`, a status from 400 to 599, `expire`, `expire=60` (seconds) or `ok`

            For more information, try '--help'.
            ",
        ).run();
}
